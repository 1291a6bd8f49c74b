//! What lies in the stores of the server, where they were printed and handed over.

use super::super::{Given, PathSeen, Seen, With, cause, note};
use crate::diagnosis::{Role, Severity};
use crate::evidence::{ChainEnd, ChainSeen, Outcome};
use crate::facts::{Fact, LoggedFailure, Phase, RegistryValue, Statement, StoreAccount};
use crate::plan::is_microsoft_host;

/// The roots that Microsoft's update hosts end in, by common name and SHA-1 fingerprint.
const MICROSOFT_ROOTS: [(&str, &str); 2] = [
    ("Microsoft Root Certificate Authority 2011", "8f43288ad272f3103b6fb1428485ea3014c0bcfe"),
    ("Microsoft ECC Product Root Certificate Authority 2018", "06f1aa330b927b753a40e68cdf22e34bcbef3352"),
];
/// A printout of fewer certificates may be a part of a store.
const WHOLE: usize = 5;

pub(super) fn give(seen: &Seen, given: &mut Given) {
    intermediates_among_roots(seen, given);
    microsoft_root_missing(seen, given);
    for path in seen.needed() {
        for lane in &path.lanes {
            for observation in &lane.own {
                if let Outcome::Chain(chain) = &observation.outcome {
                    user_store_only(seen, path, &observation.id, chain, given);
                }
            }
        }
    }
}

/// A certificate of a printed store.
#[derive(Clone, Copy)]
struct Stored<'a> {
    fact: &'a Fact,
    account: StoreAccount,
    store: &'a str,
    subject: &'a str,
    issuer: &'a str,
    fingerprint: &'a str,
}

fn stored<'a>(seen: &Seen<'a>) -> impl Iterator<Item = Stored<'a>> + use<'a> {
    seen.facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::StoredCertificate { account, store, subject, issuer, fingerprint, .. } => {
            Some(Stored { fact, account: *account, store, subject, issuer, fingerprint })
        }
        _ => None,
    })
}

/// The trusted roots of the machine, or of the user who printed them. `certutil -store` prints the machine's unless it was
/// told otherwise, and does not say so.
fn roots<'a>(seen: &Seen<'a>, account: StoreAccount) -> impl Iterator<Item = Stored<'a>> + use<'a> {
    stored(seen).filter(move |one| {
        let of = if one.account == StoreAccount::Unknown { StoreAccount::Machine } else { one.account };
        of == account
            && (one.store.eq_ignore_ascii_case("Root") || one.store.eq_ignore_ascii_case("AuthRoot"))
    })
}

/// The common name in a distinguished name, whatever the order of its parts.
fn common_name(subject: &str) -> Option<String> {
    subject.split([',', '/', '+', '\n']).find_map(|part| {
        let (kind, name) = part.split_once('=')?;
        kind.trim().eq_ignore_ascii_case("CN").then(|| name.trim().trim_matches('"').to_ascii_lowercase())
    })
}

/// Whether two distinguished names are one, printed by two programs.
fn same_name(one: &str, other: &str) -> bool {
    match (common_name(one), common_name(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}

/// A certificate among the trusted roots that another one issued.
fn intermediates_among_roots(seen: &Seen, given: &mut Given) {
    let mut by_file: Vec<(&str, Vec<Stored>)> = Vec::new();
    let machine = roots(seen, StoreAccount::Machine).filter(|one| one.store.eq_ignore_ascii_case("Root"));
    // What another one issued for a root that lies there itself is a cross-certificate of it, and hides nothing.
    let own: Vec<&str> = roots(seen, StoreAccount::Machine)
        .filter(|one| same_name(one.subject, one.issuer))
        .map(|one| one.subject)
        .collect();
    let crossed = |one: &Stored| own.iter().any(|root| same_name(root, one.subject));
    for one in
        machine.filter(|one| !one.issuer.is_empty() && !same_name(one.subject, one.issuer) && !crossed(one))
    {
        let file = one.fact.source.file.as_str();
        match by_file.iter_mut().find(|(known, _)| *known == file) {
            Some((_, list)) => list.push(one),
            None => by_file.push((file, vec![one])),
        }
    }
    for (file, list) in by_file {
        let shown: Vec<String> = list
            .iter()
            .take(4)
            .map(|one| format!("\"{}\", issued by \"{}\"", one.subject, one.issuer))
            .collect();
        let says = format!(
            "{file} shows {} among this machine's trusted roots that another one issued: {}. That widens what the machine trusts, and \
             hides where a chain is incomplete.",
            if list.len() == 1 {
                "a certificate".to_string()
            } else {
                format!("{} certificates", list.len())
            },
            shown.join("; ")
        );
        let because = list.iter().take(20).map(|one| one.fact.id.clone()).collect();
        let found = note("trust/intermediate-in-root-store", file, says, because).severity(Severity::Warning);
        let stated = list.iter().any(|one| one.account == StoreAccount::Machine);
        given.add(if stated { found } else { found.likely() });
    }
}

/// The last failure on record by which a certificate was not trusted, and that no success followed.
fn not_trusted<'a>(seen: &Seen<'a>) -> Option<&'a Fact> {
    seen.facts.all().iter().rev().find(|fact| {
        matches!(
            &fact.statement,
            Statement::LogFailure { failure: LoggedFailure::NotTrusted | LoggedFailure::RootCheck, process, phase, .. }
                if process != "w3wp" && *phase != Some(Phase::Content)
        ) && !seen.succeeded_after(fact)
    })
}

/// A whole printout of this machine's roots without the one that synchronization's own endpoint ends in.
fn microsoft_root_missing(seen: &Seen, given: &mut Given) {
    // What was cut, or asked for by name, may hold it elsewhere.
    let part = |one: &Stored| seen.facts.is_part_of_a_store(&one.fact.source.file);
    if roots(seen, StoreAccount::Machine).any(|one| part(&one)) {
        return;
    }
    let from_microsoft = seen.needed().any(|path| is_microsoft_host(&path.info.target.host));
    let listed: Vec<Stored> = roots(seen, StoreAccount::Machine).collect();
    let whole = listed.iter().filter(|one| one.store.eq_ignore_ascii_case("Root")).count() >= WHOLE;
    if !from_microsoft || !whole {
        return;
    }
    let missing: Vec<&str> = MICROSOFT_ROOTS
        .into_iter()
        .filter(|(name, fingerprint)| {
            !listed.iter().any(|one| {
                one.fingerprint == *fingerprint
                    || common_name(one.subject).is_some_and(|its| its == name.to_ascii_lowercase())
            })
        })
        .map(|(name, _)| name)
        .collect();
    // Synchronization's own endpoint ends in the first; the second alone is missing on servers that have never met it.
    if !missing.contains(&MICROSOFT_ROOTS[0].0) {
        return;
    }
    let blocked = seen.facts.registry(r"\SystemCertificates\AuthRoot", "DisableRootAutoUpdate");
    let off = blocked.is_some_and(|(_, value)| matches!(value, RegistryValue::Number { value: 1.. }));
    let file = listed[0].fact.source.file.as_str();
    let mut says = format!(
        "{file} shows {} certificates in this machine's trusted roots, and {} is not among them: the chain of sws.update.microsoft.com ends in it.",
        listed.len(),
        missing[0]
    );
    let mut because = vec![listed[0].fact.id.clone()];
    because.extend(blocked.map(|(fact, _)| fact.id.clone()));
    says.push_str(if off {
        " The automatic update of roots is turned off (DisableRootAutoUpdate = 1), which would bring it."
    } else {
        " Windows fetches a root that is missing when it meets it, unless that is turned off or ctldl.windowsupdate.com is out of \
         reach: another chain may have been shown instead."
    });
    let failure = not_trusted(seen);
    because.extend(failure.map(|fact| fact.id.clone()));
    let found = cause("trust/microsoft-root-missing", "Root", says, because);
    let found = if off { found.likely() } else { found.possible() };
    given.add(if failure.is_some() { found } else { found.role(Role::Note).severity(Severity::Warning) });
}

/// The root of a path lies in the user's store and not in the machine's, which synchronization uses.
fn user_store_only(seen: &Seen, path: &PathSeen, observation: &str, chain: &ChainSeen, given: &mut Given) {
    let wanted = match &chain.end {
        ChainEnd::Missing { issuer, .. } => issuer.as_str(),
        _ => match chain.way.last() {
            Some(top) => top.subject.as_str(),
            None => return,
        },
    };
    let machine: Vec<Stored> = roots(seen, StoreAccount::Machine).collect();
    let Some(user) = roots(seen, StoreAccount::User).find(|one| same_name(one.subject, wanted)) else {
        return;
    };
    // Without a printout of the machine's roots nothing says that it is not there.
    let there = machine.iter().any(|one| {
        same_name(one.subject, wanted) || (!one.fingerprint.is_empty() && one.fingerprint == user.fingerprint)
    });
    if machine.is_empty() || there {
        return;
    }
    let part = machine.iter().any(|one| seen.facts.is_part_of_a_store(&one.fact.source.file));
    let subject = path.subject();
    let says = format!(
        "The chain of {subject} leads to \"{wanted}\", which lies among the user's trusted roots ({}) and not among the machine's \
         ({}): whoever prints it trusts it, and the service does not.",
        user.fact.source.file, machine[0].fact.source.file
    );
    let mut because = vec![observation.to_string(), user.fact.id.clone(), machine[0].fact.id.clone()];
    let failure = not_trusted(seen);
    because.extend(failure.map(|fact| fact.id.clone()));
    let mut found = cause("trust/user-store-only", &subject, says, because).likely();
    if part {
        found.says.push_str(" Of the machine's roots a part alone was printed: it may lie among the others.");
        found = found.possible();
    }
    let untrusted = chain.decided().map_or(chain.end != ChainEnd::Trusted, |verdict| !verdict.good);
    let fails = untrusted || failure.is_some();
    given.add(if fails { found } else { found.role(Role::Note).severity(Severity::Warning) });
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::of;
    use super::super::super::told::{failure, healthy, ids, number, the, utc};
    use super::*;
    use crate::diagnosis::{Confidence, Verdict, judge};
    use crate::evidence::Evidence;

    fn put(
        evidence: &mut Evidence,
        account: StoreAccount,
        store: &str,
        subject: &str,
        issuer: &str,
    ) -> String {
        let file = format!("{account:?}-{store}.txt");
        let statement = Statement::StoredCertificate {
            account,
            store: store.into(),
            subject: subject.into(),
            issuer: issuer.into(),
            fingerprint: String::new(),
            not_before: None,
            not_after: None,
            private_key: None,
            der: String::new(),
        };
        utc(evidence, &file, "", statement)
    }

    fn roots(evidence: &mut Evidence, names: &[&str]) {
        for name in names {
            let subject = format!("CN={name}, O=Example");
            put(evidence, StoreAccount::Machine, "Root", &subject, &subject);
        }
    }

    const OTHERS: [&str; 5] = ["one", "two", "three", "four", "five"];

    #[test]
    fn an_issued_certificate_among_the_roots_is_named_and_one_among_the_intermediates_is_not() {
        let mut evidence = healthy();
        roots(&mut evidence, &["Site Root"]);
        put(&mut evidence, StoreAccount::Machine, "CA", "CN=Site Issuing", "CN=Site Root");
        put(&mut evidence, StoreAccount::User, "Root", "CN=Site Issuing", "CN=Site Root");
        assert!(ids(&judge(&evidence)).is_empty());
        let here = put(&mut evidence, StoreAccount::Machine, "Root", "CN=Site Issuing", "CN=Site Root");
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "trust/intermediate-in-root-store").because, [here]);
        assert_eq!(diagnosis.verdict, Verdict::Degraded);
    }

    #[test]
    fn a_whole_store_without_microsoft_s_root_is_a_cause_once_a_chain_was_not_trusted() {
        let mut evidence = healthy();
        roots(&mut evidence, &OTHERS);
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "trust/microsoft-root-missing").role, Role::Note);
        assert_eq!(diagnosis.verdict, Verdict::Degraded);
        let key = r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot";
        let blocked = utc(&mut evidence, "roots.reg", "", number(key, "DisableRootAutoUpdate", 1));
        let told = failure("WsusService", LoggedFailure::NotTrusted);
        let failed = utc(&mut evidence, "log", "2026-06-15T01:00:00Z", told);
        let diagnosis = judge(&evidence);
        let found = the(&diagnosis, "trust/microsoft-root-missing");
        assert_eq!((found.role, found.confidence), (Role::Cause, Confidence::Likely));
        assert!(found.because.contains(&blocked) && found.because.contains(&failed));
        assert_eq!(diagnosis.verdict, Verdict::Faulty);
    }

    #[test]
    fn a_cross_certificate_of_a_root_that_lies_there_hides_nothing() {
        let mut evidence = healthy();
        put(&mut evidence, StoreAccount::Machine, "Root", "CN=New Root", "CN=Old Root");
        assert_eq!(ids(&judge(&evidence)), ["trust/intermediate-in-root-store"]);
        put(&mut evidence, StoreAccount::Machine, "Root", "CN=New Root", "CN=New Root");
        assert!(ids(&judge(&evidence)).is_empty());
    }

    fn cut(evidence: &mut Evidence, file: &str) {
        utc(evidence, file, "", Statement::PartOfStore { why: "it was cut".into() });
    }

    #[test]
    fn what_is_not_in_a_part_of_a_store_may_be_in_it() {
        let mut evidence = healthy();
        roots(&mut evidence, &OTHERS);
        utc(&mut evidence, "log", "2026-06-15T01:00:00Z", failure("WsusService", LoggedFailure::NotTrusted));
        // Windows fetches what is missing where it may.
        for value in [None, Some(0)] {
            let key = r"HKLM\SOFTWARE\Policies\Microsoft\SystemCertificates\AuthRoot";
            if let Some(value) = value {
                utc(&mut evidence, "roots.reg", "", number(key, "DisableRootAutoUpdate", value));
            }
            let diagnosis = judge(&evidence);
            assert_eq!(the(&diagnosis, "trust/microsoft-root-missing").confidence, Confidence::Possible);
            assert_ne!(diagnosis.verdict, Verdict::Faulty);
        }
        cut(&mut evidence, "Machine-Root.txt");
        let diagnosis = judge(&evidence);
        assert!(!ids(&diagnosis).contains(&"trust/microsoft-root-missing"));
        assert_ne!(diagnosis.verdict, Verdict::Faulty);
        let (mut evidence, name) = untrusted();
        put(&mut evidence, StoreAccount::User, "Root", &name, &name);
        roots(&mut evidence, &["another"]);
        cut(&mut evidence, "Machine-Root.txt");
        assert_eq!(the(&judge(&evidence), "trust/user-store-only").confidence, Confidence::Possible);
    }

    #[test]
    fn a_part_of_a_store_and_a_store_with_the_root_prove_nothing() {
        let mut evidence = healthy();
        roots(&mut evidence, &OTHERS[..4]);
        assert!(ids(&judge(&evidence)).is_empty());
        roots(&mut evidence, &["five", "Microsoft Root Certificate Authority 2011"]);
        assert!(ids(&judge(&evidence)).is_empty());
    }

    /// A path whose chain ends in a root that is not trusted, and that root's name.
    fn untrusted() -> (Evidence, String) {
        let mut evidence = of("trust-missing-intermediate-or-untrusted-root");
        let mut name = String::new();
        for observation in &mut evidence.observations {
            if let Outcome::Chain(chain) = &mut observation.outcome {
                chain.end = ChainEnd::Root;
                name = chain.way.last().expect("a chain").subject.clone();
            }
        }
        (evidence, name)
    }

    #[test]
    fn a_root_that_was_not_sent_is_found_by_the_name_of_the_issuer() {
        let (mut evidence, _) = untrusted();
        for observation in &mut evidence.observations {
            if let Outcome::Chain(chain) = &mut observation.outcome {
                let fetch = crate::evidence::Fetch::NoUrl;
                chain.end = ChainEnd::Missing { issuer: "CN=Example Site Root CA".into(), fetch };
            }
        }
        let name = "CN=Example Site Root CA, O=Example";
        put(&mut evidence, StoreAccount::User, "Root", name, name);
        roots(&mut evidence, &["another"]);
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "trust/user-store-only").role, Role::Cause);
        assert!(!ids(&diagnosis).contains(&"trust/untrusted-root"), "{:?}", ids(&diagnosis));
    }

    #[test]
    fn a_root_of_the_user_alone_is_why_the_service_does_not_trust_it() {
        let (mut evidence, name) = untrusted();
        let user = put(&mut evidence, StoreAccount::User, "Root", &name, &name);
        assert!(!ids(&judge(&evidence)).contains(&"trust/user-store-only"), "the machine's were not printed");
        roots(&mut evidence, &["another"]);
        let diagnosis = judge(&evidence);
        let found = the(&diagnosis, "trust/user-store-only");
        assert_eq!((found.role, found.confidence), (Role::Cause, Confidence::Likely));
        assert!(found.because.contains(&user));
        let losers = ["trust/untrusted-root", "trust/self-signed"];
        assert!(!ids(&diagnosis).iter().any(|id| losers.contains(id)), "{:?}", ids(&diagnosis));
        // The machine trusts it as well.
        put(&mut evidence, StoreAccount::Machine, "Root", &name, &name);
        assert!(!ids(&judge(&evidence)).contains(&"trust/user-store-only"));
    }
}
