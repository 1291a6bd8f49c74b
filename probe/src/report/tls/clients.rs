//! Which Windows Servers connect: computed from the lists of both sides, and tried on the wire with that very hello.

use super::{TlsClient, TlsMeeting, TlsSuite};
use crate::codec::tls::{TLS13, group_name, signature_name, suite, version_name};
use crate::describe;
use crate::evidence::{Ask, Evidence, HelloAnswer, Observation, Offer, Outcome, PathInfo, Spoken, question};
use crate::facts::{FactView, OwnClient, servers};
use crate::schannel::{Caller, Client, ClientHello, Meeting, PROFILES, Policy, Reason, WhyNone, meet};

/// Every Windows Server by default, then the one that facts and settings describe, program by program.
pub(super) fn clients(evidence: &Evidence, path: &PathInfo, spoken: &Spoken) -> Vec<TlsClient> {
    if path.ask != Ask::Tls || evidence.settings.suites {
        return Vec::new();
    }
    let defaults = PROFILES.iter().map(|profile| {
        let client = Client::new(profile, Policy::default());
        (client, Caller::Synchronization, false)
    });
    let facts = servers::joined(&evidence.facts);
    let asked_about = OwnClient::new(&evidence.settings, &FactView::new(&facts));
    let known = asked_about.known;
    let stated = known || !asked_about.client.policy.is_empty();
    let own =
        Caller::ALL.into_iter().filter(|_| stated).map(|caller| (asked_about.client.clone(), caller, true));
    defaults
        .chain(own)
        .map(|(client, caller, own)| row(evidence, path, spoken, &client, caller, (own, known)))
        .collect()
}

fn row(
    evidence: &Evidence,
    path: &PathInfo,
    spoken: &Spoken,
    client: &Client,
    caller: Caller,
    (own, known): (bool, bool),
) -> TlsClient {
    let hello = client.hello(caller, None);
    let asked = match own {
        true => question::own_client(caller.word()),
        false => question::client(client.profile.name),
    };
    let trial = evidence
        .observations
        .iter()
        // Where it was tried again, the last trial was the one made alone.
        .rfind(|o| o.path == path.id && o.question.as_deref() == Some(asked.as_str()));
    let mut computed = computed(&hello, spoken);
    let only_13 = spoken.versions.iter().all(|version| version.suites.is_empty() || version.version == TLS13);
    if !computed.connects && only_13 && client.profile.supports(TLS13) {
        computed.why_not.push_str("; that it offers no TLS 1.3 is inferred");
    }
    // A list with gaps does not tell what two do not have in common; that a client says no hello needs no list.
    let told = computed.connects || spoken.unfinished.is_empty() || hello.why_none.is_some();
    let computed = told.then_some(computed);
    let tried = trial.and_then(|observation| tried(observation, &hello, spoken));
    let inferred =
        client.profile.inferred.iter().map(|note| (*note).to_string()).chain(hello.inferred.clone());
    TlsClient {
        id: client.profile.id.into(),
        name: client.profile.name.into(),
        caller: caller.word().into(),
        own,
        settings: hello.offer.settings.clone(),
        inferred: inferred.collect(),
        assumed: own && !known,
        differs: tried
            .as_ref()
            .zip(computed.as_ref())
            .is_some_and(|(tried, computed)| differ(computed, tried)),
        computed,
        because: tried.as_ref().and(trial).map(|observation| observation.id.clone()),
        tried,
    }
}

/// Whether a trial came to something else than the lists; what one of them does not know does not count.
fn differ(computed: &TlsMeeting, tried: &TlsMeeting) -> bool {
    let other = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
    computed.connects != tried.connects
        || (tried.connects
            && (computed.version != tried.version
                || computed.suite != tried.suite
                || other(&computed.group, &tried.group)
                || other(&computed.signature, &tried.signature)))
}

fn refused(why_not: String) -> TlsMeeting {
    TlsMeeting {
        connects: false,
        version: None,
        suite: None,
        group: None,
        signature: None,
        cbc_only: false,
        why_not,
    }
}

fn computed(hello: &ClientHello, spoken: &Spoken) -> TlsMeeting {
    match meet(hello, spoken) {
        Meeting::Connects { version, suite, group, signature } => TlsMeeting {
            connects: true,
            version: Some(version_name(version)),
            suite: Some(TlsSuite::of(suite)),
            group: group.map(group_name),
            signature: signature.map(signature_name),
            cbc_only: cbc_only(&hello.offer, version, spoken),
            why_not: String::new(),
        },
        Meeting::Refused { because } => refused(why(&because)),
    }
}

/// Whether all that a client and a server have in common at a version is cipher block chaining.
fn cbc_only(offer: &Offer, version: u16, spoken: &Spoken) -> bool {
    let theirs = spoken.versions.iter().find(|spoken| spoken.version == version);
    let common =
        theirs.into_iter().flat_map(|spoken| &spoken.suites).filter(|code| offer.suites.contains(code));
    let mut modes = common.map(|&code| suite(code).is_some_and(|suite| suite.is_cbc())).peekable();
    modes.peek().is_some() && modes.all(|cbc| cbc)
}

fn tried(observation: &Observation, hello: &ClientHello, spoken: &Spoken) -> Option<TlsMeeting> {
    let Outcome::Hello { offer, answer } = &observation.outcome else { return None };
    let HelloAnswer::Answered { version, suite, group, signature, dh_bits, complete, .. } = answer else {
        return Some(refused(describe::outcome(&observation.outcome)));
    };
    if !complete || !offer.suites.contains(suite) || !offer.takes(*version) {
        return Some(refused(describe::outcome(&observation.outcome)));
    }
    if let Some(bits) = dh_bits.filter(|&bits| bits < hello.min_dh_bits) {
        return Some(refused(format!(
            "a Diffie-Hellman prime of {bits} bits, and it takes none under {}",
            hello.min_dh_bits
        )));
    }
    Some(TlsMeeting {
        connects: true,
        version: Some(version_name(*version)),
        suite: Some(TlsSuite::of(*suite)),
        group: group.map(group_name),
        signature: signature.map(signature_name),
        cbc_only: cbc_only(offer, *version, spoken),
        why_not: String::new(),
    })
}

/// Why two do not agree, in words.
fn why(reason: &Reason) -> String {
    let versions = |list: &[u16]| match list {
        [] => "none".to_string(),
        _ => list.iter().map(|&version| version_name(version)).collect::<Vec<_>>().join(", "),
    };
    match reason {
        Reason::NoHello(WhyNone::NoVersion { .. }) => "it has no version left, and sends no hello".into(),
        Reason::NoHello(WhyNone::NoSuite { .. }) => "it has no suite left, and sends no hello".into(),
        Reason::NoVersion { client, server } => {
            format!("it offers {}, the server has {}", versions(client), versions(server))
        }
        Reason::NoSuite { version, .. } => format!("no suite in common at {}", version_name(*version)),
        Reason::NoGroup { version, .. } => format!("no group in common at {}", version_name(*version)),
        Reason::NoSignature { version, .. } => {
            format!("no signature algorithm in common at {}", version_name(*version))
        }
        Reason::WeakDh { bits, least, .. } => {
            format!("a Diffie-Hellman prime of {bits} bits, and it takes none under {least}")
        }
    }
}
