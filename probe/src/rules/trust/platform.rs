//! What the machine's own verifier said, where it decides: nothing here contradicts it.

use super::super::{Given, PathSeen, With, cause, proxy};
use super::shown;
use crate::diagnosis::{Finding, Role};
use crate::evidence::{ChainEnd, ChainSeen, Fetch, NameFit, Observation, PlatformVerdict, Validity};

/// The symbols of its trust status (`CERT_TRUST_STATUS`) and its policy's errors, by what they are about.
const ROOT: [&str; 3] = ["CERT_TRUST_IS_UNTRUSTED_ROOT", "CERT_E_UNTRUSTEDROOT", "CERT_E_UNTRUSTEDCA"];
const PARTIAL: [&str; 2] = ["CERT_TRUST_IS_PARTIAL_CHAIN", "CERT_E_CHAINING"];
const TIME: [&str; 2] = ["CERT_TRUST_IS_NOT_TIME_VALID", "CERT_E_EXPIRED"];
const NAME: [&str; 1] = ["CERT_E_CN_NO_MATCH"];

/// The findings of each kind: what is among them needs no other of its kind.
const OF_THE_END: [&str; 5] = [
    "trust/untrusted-root",
    "trust/self-signed",
    "trust/missing-intermediate",
    "trust/root-sent-for-intermediate",
    "proxy/inspection",
];
const OF_THE_DATES: [&str; 4] =
    ["trust/expired", "trust/not-yet-valid", "trust/intermediate-expired", "trust/clock-skew"];
const OF_THE_NAME: [&str; 3] = ["trust/name-mismatch", "trust/short-name", "config/upstream-short-name"];

/// What it is about where it decides and refuses.
pub(super) struct Says<'a>(Option<&'a PlatformVerdict>);

impl<'a> Says<'a> {
    pub(super) fn of(chain: &'a ChainSeen) -> Says<'a> {
        Says(chain.decided())
    }

    fn any(&self, symbols: &[&str]) -> bool {
        self.0.is_some_and(|verdict| verdict.why.iter().any(|why| symbols.contains(&why.as_str())))
    }

    fn refuses(&self) -> bool {
        self.0.is_some_and(|verdict| !verdict.good)
    }

    /// Whether it accepts what this program's rules refuse.
    pub(super) fn admits(&self, chain: &ChainSeen) -> bool {
        self.0.is_some_and(|verdict| verdict.good) && !chain.fits_rules()
    }

    /// Whether this program's word on where the chain ends may stand.
    pub(super) fn leaves_the_end(&self, chain: &ChainSeen) -> bool {
        match self.0 {
            None => true,
            Some(verdict) if verdict.good => chain.end == ChainEnd::Trusted,
            Some(_) => chain.end == ChainEnd::Trusted || self.any(&ROOT) || self.any(&PARTIAL),
        }
    }

    /// Whether this program's word on the dates may stand.
    pub(super) fn leaves_the_dates(&self) -> bool {
        !self.refuses() || self.any(&TIME)
    }

    /// Whether this program's word on the name may stand: a verifier that has found nothing but dates has passed it.
    pub(super) fn leaves_the_name(&self) -> bool {
        let only_dates =
            |verdict: &PlatformVerdict| verdict.why.iter().all(|why| TIME.contains(&why.as_str()));
        !self.refuses() || self.any(&NAME) || !self.0.is_some_and(only_dates)
    }
}

/// It accepts what this program refuses: no cause, and a question.
pub(super) fn accepted(path: &PathSeen, observation: &Observation, chain: &ChainSeen, given: &mut Given) {
    let subject = path.subject();
    let because = vec![observation.id.clone()];
    if chain.genuine == Some(false) && chain.end != ChainEnd::Trusted {
        let says = format!(
            "{} is one of the hosts whose chains end in Microsoft's own roots, and this one does not, while Windows accepts it: \
             the connection is re-signed on the way. Whether WSUS accepts that is not known.",
            chain.name
        );
        given.add(proxy::accepted_inspection(path, says, because.clone()));
    }
    given.open(
        "Why does Windows accept a chain that this program's own rules refuse?",
        format!(
            "Windows on this machine accepts the chain of {subject}, and went on; by this program's own rules {}.",
            refusals(chain).join(", and ")
        ),
        "on the WSUS server: certutil -verify -urlfetch with the certificate saved to a file",
        because,
    );
}

/// What this program's own rules have against a chain.
fn refusals(chain: &ChainSeen) -> Vec<String> {
    let mut refusals = Vec::new();
    match &chain.end {
        ChainEnd::Trusted => {}
        ChainEnd::Root => refusals.push("its root is not trusted".to_string()),
        ChainEnd::Missing { issuer, .. } => {
            refusals.push(format!("its issuer \"{issuer}\" is not to be had"));
        }
    }
    if let Some(one) = chain.way.iter().find(|one| one.validity != Validity::Current) {
        refusals.push(format!("{} is out of date", shown(one)));
    }
    if !matches!(chain.name_fit, NameFit::Alternative | NameFit::Subject) {
        refusals.push(format!("it is not for {}", chain.name));
    }
    refusals.extend(chain.unreadable.as_ref().map(|why| format!("it cannot be read whole ({why})")));
    refusals
}

/// It refuses: what its symbols say, where nothing that was found says it already. What they do not explain by an id of
/// this catalogue stays without one.
pub(super) fn refused(
    path: &PathSeen,
    observation: &Observation,
    chain: &ChainSeen,
    another_server: bool,
    found: &mut Vec<Finding>,
    given: &mut Given,
) {
    let says = Says::of(chain);
    let Some(verdict) = chain.decided().filter(|verdict| !verdict.good) else { return };
    let (Some(leaf), Some(top)) = (chain.way.first(), chain.way.last()) else { return };
    let subject = path.subject();
    let because = vec![observation.id.clone()];
    let words = verdict.why.join(", ");
    let is_there = |found: &[Finding], ids: &[&str]| {
        found.iter().any(|f| f.role == Role::Cause && ids.contains(&f.id.as_str()))
    };
    let of_the_end = !another_server && !is_there(found, &OF_THE_END);
    if of_the_end && says.any(&ROOT) {
        let words =
            format!("Windows refuses the chain of {subject}, because it does not trust its root ({words})");
        if chain.genuine == Some(true) {
            let says = format!(
                "{words}; the chain ends in {}, which is Microsoft's own: the root is missing from the machine's store.",
                shown(top)
            );
            found.push(cause("trust/microsoft-root-missing", &subject, says, because.clone()).likely());
        } else {
            let says = format!(
                "{words}. This program's own rules lead to {}, which whoever ran this trusts.",
                shown(top)
            );
            found.push(cause("trust/untrusted-root", &subject, says, because.clone()).possible());
            given.open(
                "Does the WSUS server trust this root?",
                format!("Windows on the machine that ran this does not trust the root of {subject}."),
                "on the WSUS server: certutil -verify -urlfetch with the certificate, or Get-ChildItem Cert:\\LocalMachine\\Root",
                because.clone(),
            );
        }
    } else if of_the_end && says.any(&PARTIAL) {
        let says = format!(
            "Windows refuses the chain of {subject}, because an issuer in it is not to be had ({words}); this program's own \
             way led to {}.",
            shown(top)
        );
        let one = cause("trust/missing-intermediate", &subject, says, because.clone());
        found.push(if matches!(chain.fetch, Fetch::Served { .. }) { one.likely() } else { one.possible() });
    }
    if says.any(&TIME) && !another_server && !is_there(found, &OF_THE_DATES) {
        let (id, what) = match leaf.validity {
            Validity::Current => ("trust/intermediate-expired", "a certificate above the server's"),
            _ => ("trust/expired", "the server's certificate"),
        };
        let says =
            format!("Windows refuses the chain of {subject}, because {what} is out of date ({words}).");
        found.push(cause(id, &subject, says, because.clone()).likely());
    }
    if says.any(&NAME) && !is_there(found, &OF_THE_NAME) {
        let says = format!(
            "The name in use is \"{}\", and Windows does not find it in the certificate ({words}).",
            chain.name
        );
        found.push(cause("trust/name-mismatch", &subject, says, because));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::of;
    use super::super::super::told::{ids, the};
    use super::*;
    use crate::diagnosis::{Confidence, Diagnosis, judge};
    use crate::evidence::{CertificateFrom, Evidence, Outcome};

    /// A path whose chain ends in a root that this program does not trust, or does, and what Windows says of it.
    fn told(trusted: bool, good: bool, why: &[&str], authoritative: bool) -> Evidence {
        let mut evidence = of("trust-missing-intermediate-or-untrusted-root");
        evidence.settings.cacert.clear();
        evidence.settings.trust = crate::settings::Trust::System;
        each(&mut evidence, |chain| {
            chain.end = if trusted { ChainEnd::Trusted } else { ChainEnd::Root };
            let mut root = chain.way[0].clone();
            (root.self_issued, root.from) = (true, CertificateFrom::Store);
            (root.subject, root.common_name) = ("CN=Top".into(), Some("Top".into()));
            chain.way.push(root);
            let why = why.iter().map(|one| one.to_string()).collect();
            chain.platform = Some(PlatformVerdict { good, why, authoritative });
        });
        evidence
    }

    fn each(evidence: &mut Evidence, mut change: impl FnMut(&mut ChainSeen)) {
        for observation in &mut evidence.observations {
            if let Outcome::Chain(chain) = &mut observation.outcome {
                change(chain);
            }
        }
    }

    fn trust(diagnosis: &Diagnosis) -> Vec<&str> {
        ids(diagnosis).into_iter().filter(|id| id.starts_with("trust/")).collect()
    }

    fn asks(diagnosis: &Diagnosis, words: &str) -> bool {
        diagnosis.unknown.iter().any(|open| open.question.contains(words))
    }

    const ASKED: &str = "Why does Windows accept";

    #[test]
    fn what_windows_accepts_has_no_cause_of_ours() {
        let found = judge(&told(false, true, &[], true));
        assert!(trust(&found).is_empty(), "{:#?}", found.findings);
        assert!(asks(&found, ASKED));
        for change in [
            (|chain| chain.name_fit = NameFit::None) as fn(&mut ChainSeen),
            |chain| chain.way[0].validity = Validity::Expired,
            |chain| {
                chain.end = ChainEnd::Missing { issuer: "CN=Issuer".into(), fetch: Fetch::NoUrl };
            },
        ] {
            let mut evidence = told(true, true, &[], true);
            each(&mut evidence, change);
            let found = judge(&evidence);
            assert!(trust(&found).is_empty(), "{:#?}", found.findings);
            assert!(asks(&found, ASKED));
        }
    }

    #[test]
    fn a_verdict_that_does_not_decide_changes_nothing() {
        for (trusted, good) in [(false, true), (true, false)] {
            let beside = judge(&told(trusted, good, &["CERT_TRUST_IS_UNTRUSTED_ROOT"], false));
            let mut without = told(trusted, good, &[], false);
            each(&mut without, |chain| chain.platform = None);
            assert_eq!(ids(&beside), ids(&judge(&without)));
            assert!(!asks(&beside, ASKED));
        }
    }

    #[test]
    fn where_both_accept_nothing_is_said() {
        let found = judge(&told(true, true, &[], true));
        assert!(trust(&found).is_empty() && !asks(&found, ASKED), "{:#?}", found.findings);
    }

    #[test]
    fn what_windows_alone_refuses_is_called_by_its_symbols() {
        for (symbols, id, confidence) in [
            (
                &["CERT_TRUST_IS_UNTRUSTED_ROOT", "CERT_E_UNTRUSTEDROOT"][..],
                "trust/untrusted-root",
                Confidence::Possible,
            ),
            (&["CERT_TRUST_IS_PARTIAL_CHAIN"], "trust/missing-intermediate", Confidence::Possible),
            (&["CERT_TRUST_IS_NOT_TIME_VALID"], "trust/intermediate-expired", Confidence::Likely),
            (&["CERT_E_CN_NO_MATCH"], "trust/name-mismatch", Confidence::Certain),
        ] {
            let found = judge(&told(true, false, symbols, true));
            assert_eq!(trust(&found), [id]);
            let one = the(&found, id);
            assert_eq!((one.role, one.confidence), (Role::Cause, confidence), "{one:#?}");
            assert!(one.says.contains(symbols[0]), "{}", one.says);
        }
    }

    #[test]
    fn a_microsoft_root_that_windows_does_not_trust_is_missing() {
        let mut evidence = told(true, false, &["CERT_TRUST_IS_UNTRUSTED_ROOT"], true);
        each(&mut evidence, |chain| chain.genuine = Some(true));
        assert_eq!(trust(&judge(&evidence)), ["trust/microsoft-root-missing"]);
    }

    #[test]
    fn a_symbol_that_no_id_fits_leaves_it_unexplained() {
        let found = judge(&told(true, false, &["CERT_TRUST_IS_REVOKED", "CRYPT_E_REVOKED"], true));
        assert!(trust(&found).is_empty(), "{:?}", ids(&found));
        assert!(ids(&found).contains(&"unexplained"), "{:?}", ids(&found));
    }

    #[test]
    fn our_root_is_not_blamed_where_windows_names_the_date_alone() {
        let found = judge(&told(false, false, &["CERT_TRUST_IS_NOT_TIME_VALID"], true));
        assert_eq!(trust(&found), ["trust/intermediate-expired"]);
        let found = judge(&told(false, false, &["CERT_TRUST_IS_UNTRUSTED_ROOT"], true));
        assert!(!trust(&found).contains(&"trust/intermediate-expired"));
    }

    #[test]
    fn the_verdict_decides_whether_the_chain_is_acceptable() {
        for (trusted, good, authoritative, acceptable) in [
            (false, true, true, true),
            (true, false, true, false),
            (false, true, false, false),
            (true, false, false, true),
        ] {
            each(&mut told(trusted, good, &["CERT_TRUST_IS_REVOKED"], authoritative), |chain| {
                assert_eq!(chain.acceptable(), acceptable);
            });
        }
    }
}
