//! A hello that is answered, and what is wrong with the answer.

use super::super::{Given, LaneSeen, PathSeen, Seen, With, cause, finding};
use super::{Own, between, chosen, taken, who};
use crate::codec::tls::{TLS12, alert_name, group_name, signature_name, suite, suite_name, version_name};
use crate::diagnosis::{Confidence, Role};
use crate::evidence::{Broken, CertificateFrom, HelloAnswer, Observation, Oddity, Outcome, question};
use crate::schannel::Caller;

/// A flight that the client cannot go on from: why.
pub(super) fn unusable(seen: &Seen, own: &Own, given: &mut Given) {
    let HelloAnswer::Answered { version, suite, complete, alert, cut, .. } = own.answer else { return };
    let subject = own.path.subject();
    let because = vec![own.observation.id.clone()];
    if !own.offer.suites.contains(suite) || *version > own.offer.version {
        let says = format!(
            "{subject} answers {} to the hello of {}, which does not offer it: no client goes on from there.{}",
            taken(*version, *suite),
            who(own.offer),
            between(own.path)
        );
        given.add(cause("tls/answer-not-offered", &subject, says, because));
    } else if !own.offer.takes(*version) {
        let says = format!(
            "Offered {}, the version that synchronization speaks, {subject} chooses {}: it has no {0}.{}",
            version_name(own.offer.version),
            version_name(*version),
            between(own.path)
        );
        let found = cause("tls/version-unsupported", &subject, says, because.clone());
        // Where the Windows is not known it may be one that goes on with what the server chose.
        given.add(if seen.client.known { found } else { found.likely() });
        if !seen.client.known {
            given.open(
                "Does this server's own client go on with that version?",
                format!(
                    "{} was taken for the client, at TLS 1.2 alone; by default Windows Servers take TLS 1.0 and 1.1 in answer too.",
                    who(own.offer)
                ),
                "hand over the server's version (`(Get-WsusServer).Version` or `systeminfo`) and its SCHANNEL registry",
                because,
            );
        }
    } else if !complete {
        broken_off(own, *alert, *cut, given);
    }
}

/// A ServerHello, and then no end of the flight.
fn broken_off(own: &Own, alert: Option<u8>, cut: Option<Broken>, given: &mut Given) {
    let subject = own.path.subject();
    let mut because = vec![own.observation.id.clone()];
    let how = match (alert, cut) {
        (Some(code), _) => format!("alert {code}, {}", alert_name(code)),
        (None, Some(Broken::Reset)) => "a reset".into(),
        (None, Some(Broken::Timeout)) => "silence".into(),
        (None, _) => "the end of the connection".into(),
    };
    let says = format!(
        "{subject} answers the hello of {} with a ServerHello, and breaks off before its flight is whole: {how}.{}",
        who(own.offer),
        between(own.path)
    );
    let silent = alert.is_none() && cut == Some(Broken::Timeout);
    let small = small(own).filter(|_| silent);
    // Part of a certificate message, and then nothing: the rest was lost, or never sent.
    if let Some(small) = small {
        because.push(small.id.clone());
        lost(own, given);
    }
    let found = cause("tls/broken-off", &subject, says, because);
    given.add(if silent { found.likely() } else { found });
}

/// The answer of a few bytes that came where a flight did not.
pub(super) fn small<'s>(own: &Own<'_, 's>) -> Option<&'s Observation> {
    own.asked(question::SMALL_ANSWER).filter(|o| match &o.outcome {
        Outcome::Hello { answer, .. } => !matches!(answer, HelloAnswer::Broken { how: Broken::Timeout }),
        _ => false,
    })
}

/// A small answer arrives and a whole flight does not.
pub(super) fn lost(own: &Own, given: &mut Given) {
    let Some(small) = small(own) else { return };
    let subject = own.path.subject();
    let because = vec![own.observation.id.clone(), small.id.clone()];
    // What came of the flight shows that the server went on: it may as well be the server that stopped.
    let begun = matches!(own.answer, HelloAnswer::Answered { .. });
    let says = format!(
        "{subject} answers a hello that it cannot take within its time, in a few bytes; to the hello of {}, whose answer is a \
         flight of several packets, {} arrives: {}.{}",
        who(own.offer),
        if begun { "no more than the beginning" } else { "nothing" },
        if begun {
            "the way there may lose large packets"
        } else {
            "so it is where large packets are lost on the way"
        },
        between(own.path)
    );
    let role = if begun { Role::Contributing } else { Role::Cause };
    let found = finding("dial/mtu", role, Confidence::Likely, &subject, says, because);
    given.add(if begun { found.possible() } else { found });
    given.open(
        "Is it the path that loses large packets, or the server that does not go on?",
        format!("Small answers of {subject} arrive; a whole first flight does not."),
        "on the WSUS server `ping -f -l 1472` towards the first hop and on, or a capture on both ends: segments of full size \
         that are sent again and again are lost on the way",
        vec![own.observation.id.clone(), small.id.clone()],
    );
}

/// What is noticed about a hello that the lane went on from.
pub(super) fn give(seen: &Seen, path: &PathSeen, lane: &LaneSeen, given: &mut Given) {
    let hello = lane.own.iter().find_map(|o| match &o.outcome {
        Outcome::Hello { offer, answer } => Some((*o, offer, answer)),
        _ => None,
    });
    let Some((observation, offer, answer)) = hello else { return };
    let HelloAnswer::Answered { version, suite: code, dh_bits, complete: true, .. } = answer else { return };
    if !offer.takes(*version) || !offer.suites.contains(code) {
        return;
    }
    let own = Own { path, lane: lane.lane, observation, offer, answer };
    exchange_not_offered(&own, given);
    weak_dh(seen, &own, *code, *dh_bits, given);
    // Below TLS 1.2 there is nothing but CBC and RC4: that says something of the version alone.
    if *version >= TLS12 {
        cbc_only(seen, &own, *code, given);
    }
    chain_signature(&own, lane, given);
    oddities(&own, given);
}

/// A key exchange on a curve that was not offered, or signed with what was not offered.
fn exchange_not_offered(own: &Own, given: &mut Given) {
    let HelloAnswer::Answered { version, suite, group, signature, .. } = own.answer else { return };
    let (offer, subject) = (own.offer, own.path.subject());
    let group = group.filter(|group| !offer.groups.contains(group)).map(group_name);
    let signed = signature.filter(|code| *version == TLS12 && !offer.signatures.contains(code));
    let (what, sure) = match (group, signed.map(signature_name)) {
        (Some(group), _) => (format!("on {group}"), true),
        // An old server signs with SHA-1 whatever is offered, and not every client minds.
        (None, Some(signature)) => (format!("signed with {signature}"), false),
        (None, None) => return,
    };
    let says = format!(
        "{subject} answers the hello of {} with {} and a key exchange {what}, which the hello does not offer.{}",
        who(offer),
        taken(*version, *suite),
        between(own.path)
    );
    let found = cause("tls/answer-not-offered", &subject, says, vec![own.observation.id.clone()]);
    given.add(if sure { found } else { found.likely() });
}

fn weak_dh(seen: &Seen, own: &Own, code: u16, bits: Option<u32>, given: &mut Given) {
    let least = seen.client.client.hello(Caller::Synchronization, None).min_dh_bits;
    let Some(bits) = bits.filter(|&bits| bits < least) else { return };
    let subject = own.path.subject();
    let says = format!(
        "{subject} chooses {} with a Diffie-Hellman prime of {bits} bits; {} takes none under {least}.{}",
        suite_name(code),
        who(own.offer),
        between(own.path)
    );
    let found = cause("tls/weak-dh", &subject, says, vec![own.observation.id.clone()]);
    given.add(if seen.client.known { found } else { found.likely() });
}

fn cbc_only(seen: &Seen, own: &Own, code: u16, given: &mut Given) {
    // A client that sends no hello has nothing in common with anybody: another one stood in for it.
    if seen.client.client.hello(Caller::Synchronization, None).hello.is_none() {
        return;
    }
    if !suite(code).is_some_and(|suite| suite.is_cbc()) {
        return;
    }
    let every = own.offer.suites.iter().filter_map(|&code| suite(code));
    let left = every.filter(|suite| !suite.is_cbc()).count();
    let asked = own.asked(question::WITHOUT_CBC);
    // Answered with another suite, or not asked where there is something else to offer: nothing is known.
    if asked.map_or(left > 0, |o| chosen(o).is_some()) {
        return;
    }
    let subject = own.path.subject();
    let mut because = vec![own.observation.id.clone()];
    because.extend(asked.map(|o| o.id.clone()));
    let says = format!(
        "What {} and {subject} have in common are suites in cipher block chaining mode alone: {} was agreed on, and without \
         such suites the same hello is refused. When the server drops them, this client has nothing left.{}",
        who(own.offer),
        suite_name(code),
        between(own.path)
    );
    given.add(finding("tls/cbc-only", Role::Note, Confidence::Certain, &subject, says, because));
}

/// SCHANNEL holds the signatures of the chain against the list that it offers (Microsoft, "Manage Transport Layer
/// Security").
fn chain_signature(own: &Own, lane: &LaneSeen, given: &mut Given) {
    let chain = lane.own.iter().find_map(|o| match &o.outcome {
        Outcome::Chain(chain) => Some((*o, chain)),
        _ => None,
    });
    let Some((observation, chain)) = chain else { return };
    if own.offer.version < TLS12 {
        return;
    }
    // The end of the way is trusted by what it is, not by its signature.
    let signed = chain
        .way
        .iter()
        .filter(|certificate| !certificate.self_issued && certificate.from != CertificateFrom::Store);
    let Some((certificate, scheme)) = signed
        .filter_map(|certificate| Some((certificate, certificate.scheme?)))
        .find(|(_, scheme)| !own.offer.signatures.contains(scheme))
    else {
        return;
    };
    let subject = own.path.subject();
    let says = format!(
        "The certificate \"{}\" that {subject} shows is signed with {}, which is not among the signature algorithms of {}: \
         SCHANNEL refuses such a chain.{}",
        certificate.subject,
        signature_name(scheme),
        who(own.offer),
        between(own.path)
    );
    let because = vec![observation.id.clone(), own.observation.id.clone()];
    given.add(cause("tls/no-common-signature", &subject, says, because).likely());
}

/// What an enumeration met that no server should answer.
fn oddities(own: &Own, given: &mut Given) {
    let Some((observation, spoken)) = super::refused::spoken(own) else { return };
    for oddity in &spoken.odd {
        let subject = own.path.subject();
        let because = vec![observation.id.clone()];
        let (id, says) = match oddity {
            Oddity::NotOffered { version, suite, offered } => (
                "tls/answer-not-offered",
                format!(
                    "{subject} answered {} to a hello of {} that did not offer it.",
                    taken(*version, *suite),
                    version_name(*offered)
                ),
            ),
            Oddity::AlertAfter { suite, code } => (
                "tls/broken-off",
                format!(
                    "{subject} answered with {} and broke off with alert {code}, {}.",
                    suite_name(*suite),
                    alert_name(*code)
                ),
            ),
            Oddity::LongHello => continue,
        };
        let found = finding(id, Role::Note, Confidence::Certain, &subject, says, because);
        given.add(found.severity(crate::diagnosis::Severity::Warning));
    }
}
