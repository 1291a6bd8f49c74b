//! The certificate that IIS shows on the port of WSUS, as printed on the server that shows it.

use jiff::Timestamp;

use super::super::{Given, Seen, With, cause, note};
use crate::diagnosis::{Confidence, Role, Severity};
use crate::evidence::Layer;
use crate::facts::{Fact, Servers, Statement, StoreAccount};

/// The site of WSUS in IIS.
const SITE: &str = "WSUS Administration";
/// The port of its services over TLS, where no binding says another.
const USUAL: u16 = 8531;

/// The most bindings that are looked at: a server of WSUS has two or three.
const MOST: usize = 32;

/// A binding of a certificate.
struct Bound<'a> {
    fact: &'a Fact,
    endpoint: String,
    certificate: &'a str,
    store: &'a str,
}

/// A certificate of the machine's Personal store, or of a user's.
#[derive(Clone, Copy)]
struct Held<'a> {
    fact: &'a Fact,
    account: StoreAccount,
    subject: &'a str,
    fingerprint: &'a str,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
    private_key: Option<bool>,
}

pub(super) fn give(seen: &Seen, given: &mut Given) {
    let held: Vec<Held> = held(seen);
    let bound = bindings(seen);
    let contradicted = contradicted(&bound, given);
    for bound in bound.into_iter().take(MOST) {
        let Some((says, confidence, beside)) = wrong(seen, &bound, &held) else {
            ended(seen, &bound, &held, given);
            continue;
        };
        // Which of two certificates is shown there now was not told.
        let confidence =
            if contradicted.contains(&bound.endpoint) { Confidence::Possible } else { confidence };
        let mut because = vec![bound.fact.id.clone()];
        because.extend(beside.map(|fact| fact.id.clone()));
        let mut found = cause("wsus/binding-certificate", &bound.endpoint, says, because);
        found.confidence = confidence;
        // Of the server that others synchronize from it is the cause; this one's own synchronization does not meet it.
        let failed = shown_to_us(seen);
        match failed {
            Some(observation) => {
                found.because.push(observation);
                found.confidence = confidence.max(Confidence::Likely);
                given.add(found);
            }
            None => given.add(found.role(Role::Note).severity(Severity::Warning)),
        }
    }
}

/// The endpoints to which printouts bind different certificates; each is said as a contradiction.
fn contradicted(bound: &[Bound], given: &mut Given) -> Vec<String> {
    let mut endpoints: Vec<String> = Vec::new();
    for (at, one) in bound.iter().enumerate() {
        let other = bound[..at].iter().find(|other| {
            other.endpoint == one.endpoint && !other.certificate.eq_ignore_ascii_case(one.certificate)
        });
        let Some(other) = other.filter(|_| !endpoints.contains(&one.endpoint)) else { continue };
        let says = format!(
            "{} is bound to {} ({}) and to {} ({}): one of them is older.",
            one.endpoint, other.certificate, other.fact.source.file, one.certificate, one.fact.source.file
        );
        let because = vec![other.fact.id.clone(), one.fact.id.clone()];
        given.add(note("input/contradictory", &one.endpoint, says, because));
        endpoints.push(one.endpoint.clone());
    }
    endpoints
}

/// The TLS failure of a needed path that leads to the very server whose bindings were printed.
fn shown_to_us(seen: &Seen) -> Option<String> {
    let servers = Servers::new(seen.facts.all());
    let [server] = servers.all.as_slice() else { return None };
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    seen.needed()
        .filter(|path| label(&path.info.target.host) == label(server.name))
        .flat_map(|path| path.failures().map(|(_, o)| o).collect::<Vec<_>>())
        .find(|o| matches!(o.layer, Layer::Tls | Layer::Trust))
        .map(|o| o.id.clone())
}

/// The bindings of the ports on which WSUS speaks TLS.
fn bindings<'a>(seen: &Seen<'a>) -> Vec<Bound<'a>> {
    let https = |fact: &'a Fact| match &fact.statement {
        Statement::IisBinding { site, protocol, port, certificate, .. }
            if protocol.eq_ignore_ascii_case("https") && site.eq_ignore_ascii_case(SITE) =>
        {
            Some((fact, *port, certificate.as_str()))
        }
        _ => None,
    };
    let own: Vec<(&Fact, u16, &str)> = seen.facts.all().iter().filter_map(https).collect();
    let mut ports: Vec<u16> = own.iter().map(|(_, port, _)| *port).collect();
    if ports.is_empty() {
        ports.push(USUAL);
    }
    let mut bound: Vec<Bound> = Vec::new();
    for fact in seen.facts.all() {
        let Statement::SslBinding { endpoint, certificate, store } = &fact.statement else { continue };
        let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.trim().parse::<u16>().ok());
        if port.is_some_and(|port| ports.contains(&port)) {
            bound.push(Bound { fact, endpoint: endpoint.clone(), certificate, store });
        }
    }
    // applicationHost.config has no certificate: only where the source names one does it say anything.
    for (fact, port, certificate) in own.into_iter().filter(|(_, _, certificate)| !certificate.is_empty()) {
        if !bound.iter().any(|known| known.certificate.eq_ignore_ascii_case(certificate)) {
            bound.push(Bound { fact, endpoint: format!("{SITE}:{port}"), certificate, store: "" });
        }
    }
    bound
}

fn held<'a>(seen: &Seen<'a>) -> Vec<Held<'a>> {
    let certificates = seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::StoredCertificate {
            account,
            store,
            subject,
            fingerprint,
            not_before,
            not_after,
            private_key,
            ..
        } if store.eq_ignore_ascii_case("My") && !fingerprint.is_empty() => Some(Held {
            fact,
            account: *account,
            subject,
            fingerprint,
            not_before: *not_before,
            not_after: *not_after,
            private_key: *private_key,
        }),
        _ => None,
    });
    certificates.collect()
}

/// The one that is bound is out of date, and there is no other: the right one, for all that shows, and too old.
fn ended(seen: &Seen, bound: &Bound, held: &[Held], given: &mut Given) {
    let own = held.iter().find(|one| {
        one.account != StoreAccount::User && one.fingerprint.eq_ignore_ascii_case(bound.certificate)
    });
    let Some((own, to, now)) = own.and_then(|own| Some((own, own.not_after?, seen.now()?))) else { return };
    if to >= now {
        return;
    }
    given.open(
        "Do clients and downstream servers still reach this server over TLS?",
        format!(
            "The certificate bound to {} (\"{}\") ended at {to}. Whoever checks it refuses it; this server's own synchronization does \
             not meet it.",
            bound.endpoint, own.subject
        ),
        "wsusprobe check of this server's HTTPS port from a downstream server or a client",
        vec![bound.fact.id.clone(), own.fact.id.clone()],
    );
}

/// What is wrong with a binding, how sure that is, and the fact beside it.
fn wrong<'a>(
    seen: &Seen,
    bound: &Bound,
    held: &[Held<'a>],
) -> Option<(String, Confidence, Option<&'a Fact>)> {
    let endpoint = &bound.endpoint;
    if bound.certificate.is_empty() {
        return Some((
            format!("No certificate is bound to {endpoint}: TLS is refused there."),
            Confidence::Certain,
            None,
        ));
    }
    let machine: Vec<&Held> = held.iter().filter(|one| one.account != StoreAccount::User).collect();
    let is = |one: &&&Held| one.fingerprint.eq_ignore_ascii_case(bound.certificate);
    let Some(own) = machine.iter().find(is) else {
        // What is not in the machine's store shows in its printout alone, and not in a part of it.
        let part = machine.iter().any(|one| seen.facts.is_part_of_a_store(&one.fact.source.file));
        let listed = machine.first().filter(|_| !part)?;
        let theirs = held.iter().find(|one| one.fingerprint.eq_ignore_ascii_case(bound.certificate));
        if let Some(theirs) = theirs {
            let says = format!(
                "The certificate bound to {endpoint} ({}) lies in a user's Personal store and not in the machine's.",
                bound.certificate
            );
            return Some((says, Confidence::Likely, Some(theirs.fact)));
        }
        // A store of another name holds it elsewhere; without a printout nothing says that it is not there.
        let elsewhere = !bound.store.is_empty()
            && !bound.store.eq_ignore_ascii_case("MY")
            && !bound.store.eq_ignore_ascii_case("(null)");
        if elsewhere {
            return None;
        }
        let mut says = format!(
            "The certificate bound to {endpoint} ({}) is not among those of the machine's Personal store ({}).",
            bound.certificate, listed.fact.source.file
        );
        let told = machine.iter().any(|one| one.account == StoreAccount::Machine);
        if !told {
            says.push_str(" Whose store that is the printout does not say: it was taken as the machine's.");
        }
        let confidence = if told { Confidence::Likely } else { Confidence::Possible };
        return Some((says, confidence, Some(listed.fact)));
    };
    if own.private_key == Some(false) {
        let says = format!(
            "The certificate bound to {endpoint} (\"{}\") shows no private key on this server: without one nobody can be answered \
             with it. An account that may not read the key sees none either.",
            own.subject
        );
        return Some((says, Confidence::Likely, Some(own.fact)));
    }
    let (begins, ends, now) = (own.not_before?, own.not_after?, seen.now()?);
    let newer = machine.iter().find(|one| {
        one.fingerprint != own.fingerprint
            && one.subject == own.subject
            && one.private_key != Some(false)
            && one.not_before.is_some_and(|from| from > begins && from <= now)
            && one.not_after.is_some_and(|to| to > now && to > ends)
    })?;
    let ended = ends < now;
    let says = format!(
        "{endpoint} still shows the certificate of \"{}\" that {}, and a newer one of the same name lies in the machine's Personal \
         store ({}).",
        own.subject,
        if ended { format!("ended at {ends}") } else { format!("ends at {ends}") },
        newer.fingerprint
    );
    // While the one that is bound is good, that may be as it is meant.
    Some((says, if ended { Confidence::Certain } else { Confidence::Possible }, Some(newer.fact)))
}

#[cfg(test)]
mod tests {
    use super::super::super::told::{healthy, ids, the, utc};
    use super::*;
    use crate::diagnosis::{Verdict, judge};
    use crate::evidence::Evidence;

    const OLD: &str = "1111111111111111111111111111111111111111";
    const NEW: &str = "2222222222222222222222222222222222222222";

    fn bind(evidence: &mut Evidence, endpoint: &str, certificate: &str) -> String {
        let (endpoint, certificate, store) = (endpoint.into(), certificate.into(), "MY".into());
        utc(evidence, "sslcert.txt", "", Statement::SslBinding { endpoint, certificate, store })
    }

    fn hold(evidence: &mut Evidence, fingerprint: &str, from: &str, to: &str, key: Option<bool>) -> String {
        let statement = Statement::StoredCertificate {
            account: StoreAccount::Machine,
            store: "My".into(),
            subject: "CN=wsus1.example.com".into(),
            issuer: "CN=Site Issuing".into(),
            fingerprint: fingerprint.into(),
            not_before: Some(from.parse().expect("a time")),
            not_after: Some(to.parse().expect("a time")),
            private_key: key,
            der: String::new(),
        };
        utc(evidence, "my.txt", "", statement)
    }

    fn server() -> Evidence {
        let mut evidence = healthy();
        evidence.settings.at = Some("2026-06-15T12:00:00Z".parse().expect("a time"));
        evidence
    }

    const YEAR: (&str, &str) = ("2025-06-01T00:00:00Z", "2027-06-01T00:00:00Z");

    #[test]
    fn what_is_bound_and_held_with_its_key_is_in_order() {
        let mut evidence = server();
        bind(&mut evidence, "0.0.0.0:8531", NEW);
        hold(&mut evidence, NEW, YEAR.0, YEAR.1, Some(true));
        hold(&mut evidence, OLD, "2023-06-01T00:00:00Z", "2025-06-15T00:00:00Z", Some(true));
        // Another site's binding is no matter of WSUS.
        bind(&mut evidence, "0.0.0.0:443", "3333333333333333333333333333333333333333");
        assert!(ids(&judge(&evidence)).is_empty());
    }

    /// A fingerprint, from when and until when it is valid, and whether there is a key.
    type One = (&'static str, &'static str, &'static str, Option<bool>);

    #[test]
    fn a_missing_key_an_old_one_and_a_foreign_store_are_named() {
        let cases: [(&str, &[One], &str); 4] = [
            (NEW, &[(NEW, YEAR.0, YEAR.1, Some(false))], "no private key"),
            (
                OLD,
                &[
                    (OLD, "2024-06-01T00:00:00Z", "2026-06-01T00:00:00Z", Some(true)),
                    (NEW, YEAR.0, YEAR.1, Some(true)),
                ],
                "newer",
            ),
            (OLD, &[(NEW, YEAR.0, YEAR.1, Some(true))], "not among"),
            ("", &[], "No certificate"),
        ];
        for (bound, held, says) in cases {
            let mut evidence = server();
            let binding = bind(&mut evidence, "0.0.0.0:8531", bound);
            for (fingerprint, from, to, key) in held {
                hold(&mut evidence, fingerprint, from, to, *key);
            }
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "wsus/binding-certificate");
            assert!(found.says.contains(says), "{}", found.says);
            assert!(found.because.contains(&binding));
            assert_eq!((found.role, diagnosis.verdict), (Role::Note, Verdict::Degraded));
        }
    }

    #[test]
    fn a_user_s_store_alone_says_nothing_of_the_machine_s() {
        let mut evidence = server();
        bind(&mut evidence, "0.0.0.0:8531", OLD);
        hold(&mut evidence, OLD, YEAR.0, YEAR.1, None);
        let of = |evidence: &mut Evidence, whose: StoreAccount| {
            if let Statement::StoredCertificate { account, .. } =
                &mut evidence.facts.last_mut().expect("it").statement
            {
                *account = whose;
            }
        };
        of(&mut evidence, StoreAccount::User);
        assert!(ids(&judge(&evidence)).is_empty());
        hold(&mut evidence, NEW, YEAR.0, YEAR.1, Some(true));
        assert!(the(&judge(&evidence), "wsus/binding-certificate").says.contains("user's Personal store"));
        // Nor does one whose account is not told, for more than possible.
        let mut evidence = server();
        bind(&mut evidence, "0.0.0.0:8531", OLD);
        hold(&mut evidence, NEW, YEAR.0, YEAR.1, Some(true));
        of(&mut evidence, StoreAccount::Unknown);
        assert_eq!(the(&judge(&evidence), "wsus/binding-certificate").confidence, Confidence::Possible);
    }

    #[test]
    fn one_that_ended_and_has_no_successor_is_asked_about() {
        for (to, asked) in [("2026-06-01T00:00:00Z", true), (YEAR.1, false)] {
            let mut evidence = server();
            let binding = bind(&mut evidence, "0.0.0.0:8531", OLD);
            hold(&mut evidence, OLD, "2024-06-01T00:00:00Z", to, Some(true));
            let diagnosis = judge(&evidence);
            assert!(ids(&diagnosis).is_empty(), "{:?}", ids(&diagnosis));
            assert_eq!(diagnosis.unknown.iter().any(|open| open.because.contains(&binding)), asked, "{to}");
        }
    }

    #[test]
    fn a_part_of_the_store_does_not_say_that_a_certificate_is_not_there() {
        let mut evidence = server();
        bind(&mut evidence, "0.0.0.0:8531", OLD);
        hold(&mut evidence, NEW, YEAR.0, YEAR.1, Some(true));
        assert_eq!(ids(&judge(&evidence)), ["wsus/binding-certificate"]);
        utc(&mut evidence, "my.txt", "", Statement::PartOfStore { why: "it was cut".into() });
        assert!(ids(&judge(&evidence)).is_empty());
    }

    #[test]
    fn a_newer_one_that_ends_sooner_is_none_to_change_to() {
        for (to, confidence) in
            [("2028-06-01T00:00:00Z", Some(Confidence::Possible)), ("2027-05-01T00:00:00Z", None)]
        {
            let mut evidence = server();
            bind(&mut evidence, "0.0.0.0:8531", OLD);
            hold(&mut evidence, OLD, YEAR.0, YEAR.1, Some(true));
            hold(&mut evidence, NEW, "2026-05-01T00:00:00Z", to, Some(true));
            let diagnosis = judge(&evidence);
            let found = diagnosis.findings.iter().find(|f| f.id == "wsus/binding-certificate");
            assert_eq!(found.map(|f| f.confidence), confidence, "{to}");
        }
    }

    #[test]
    fn two_printouts_of_one_port_contradict_each_other() {
        let mut evidence = server();
        let before = bind(&mut evidence, "0.0.0.0:8531", OLD);
        let after = bind(&mut evidence, "0.0.0.0:8531", NEW);
        hold(&mut evidence, OLD, "2024-06-01T00:00:00Z", "2026-06-01T00:00:00Z", Some(true));
        hold(&mut evidence, NEW, YEAR.0, YEAR.1, Some(true));
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "input/contradictory").because, [before, after]);
        assert_eq!(the(&diagnosis, "wsus/binding-certificate").confidence, Confidence::Possible);
    }

    #[test]
    fn the_upstream_s_own_printout_makes_it_the_cause() {
        let mut evidence = super::super::super::tests::of("trust-missing-intermediate-or-untrusted-root");
        let host = evidence.paths[0].target.host.clone();
        utc(&mut evidence, "sslcert.txt", "", Statement::ServerName { name: host });
        bind(&mut evidence, "0.0.0.0:8531", OLD);
        hold(&mut evidence, OLD, YEAR.0, YEAR.1, Some(false));
        assert_eq!(the(&judge(&evidence), "wsus/binding-certificate").role, Role::Cause);
    }
}
