//! What is set on this server: its registry and its Group Policy.

use super::super::{Given, Seen, With, cause};
use super::refused::{shortened, their_suites};
use super::{Own, between, chosen, record, refused, taken, who};
use crate::codec::tls::{TLS12, suite_name, version_name};
use crate::diagnosis::Finding;
use crate::evidence::{Observation, question};
use crate::schannel::{Caller, ClientHello, Confidence, ListReading, WhyNone};

/// The facts of everything that made a hello differ.
pub(super) fn departures(hello: &ClientHello) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for id in hello.departures.iter().flat_map(|departure| &departure.facts) {
        if !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}

/// The facts that turn TLS 1.2 off.
fn tls12_off(seen: &Seen) -> Vec<String> {
    let Some(protocol) = seen.client.client.policy.protocols.get(&TLS12) else { return Vec::new() };
    [&protocol.enabled, &protocol.disabled_by_default]
        .into_iter()
        .flatten()
        .flat_map(|setting| setting.facts.iter().cloned())
        .collect()
}

/// A server whose own hello stops below TLS 1.2 is refused, and the same server's hello with TLS 1.2 is answered.
pub(super) fn too_old(seen: &Seen, own: &Own, with: &Observation, given: &mut Given) {
    let subject = own.path.subject();
    let off = tls12_off(seen);
    let mut because = vec![own.observation.id.clone(), with.id.clone()];
    let met = chosen(with).map(|(version, suite)| taken(version, suite)).unwrap_or_default();
    if off.is_empty() {
        // Its Windows has TLS 1.2 and does not offer it by default.
        because.extend(seen.client.facts.iter().cloned());
        let says = format!(
            "{} offers {} at most, and {subject} refuses it ({}); the same hello with TLS 1.2 is answered: \
             {met}.{}{}",
            who(own.offer),
            version_name(own.offer.version),
            refused(own.answer),
            assumed(&seen.client.client.hello(Caller::Synchronization, None)),
            between(own.path)
        );
        given.add(cause("tls/client-tls12-disabled", "SCHANNEL", says, because).likely());
        return;
    }
    because.extend(off);
    let says = format!(
        "This server's SCHANNEL has TLS 1.2 off for clients: its hello stops at {}, and {subject} refuses it ({}). The same \
         hello with TLS 1.2 is answered ({met}): the server is not at fault.{}",
        version_name(own.offer.version),
        refused(own.answer),
        between(own.path)
    );
    let found = cause("tls/client-tls12-disabled", "SCHANNEL", says, because);
    given.add(if by_log_alone(seen) { found.likely() } else { found });
}

/// What no source says of a client and was assumed, as sentences.
fn assumed(hello: &ClientHello) -> String {
    if hello.inferred.is_empty() {
        String::new()
    } else {
        format!(" Assumed: {}.", hello.inferred.join("; "))
    }
}

/// Whether a start-up line of the log, and no value of the registry, says that TLS 1.2 is off: what the line reads is not
/// published.
fn by_log_alone(seen: &Seen) -> bool {
    let off = tls12_off(seen);
    !seen.facts.all().iter().any(|fact| {
        off.contains(&fact.id) && matches!(fact.statement, crate::facts::Statement::Registry { .. })
    })
}

/// Whether what is set on this server is the cause: without it the same Windows is answered.
pub(super) fn by_policy(seen: &Seen, own: &Own, without: &Observation, given: &mut Given) -> bool {
    let policy = &seen.client.client.policy;
    let list = policy.order.as_ref().or(policy.effective.as_ref()).or(policy.local_order.as_ref());
    // Where every suite does not help, it is not the list of suites that is missing something.
    let by_suites = own.taken(question::EVERY_SUITE, &own.offer.versions).is_some();
    if (list.is_none() && policy.switches.is_empty() && policy.fips.is_none()) || !by_suites {
        return false;
    }
    let hello = seen.client.client.hello(Caller::Synchronization, None);
    let subject = own.path.subject();
    let mut because = vec![own.observation.id.clone(), without.id.clone()];
    let theirs = their_suites(own, &mut because);
    because.extend(departures(&hello));
    let met = chosen(without).map(|(version, suite)| taken(version, suite)).unwrap_or_default();
    let ours: Vec<String> = own.offer.suites.iter().map(|&suite| suite_name(suite)).collect();
    let says = format!(
        "{} leaves {}, and {subject} takes none of them ({}); it takes {}. The same Windows without its own settings is \
         answered ({met}).{}{}",
        who(own.offer),
        shortened(&ours),
        refused(own.answer),
        shortened(&theirs),
        hello.order.as_ref().map(reading).unwrap_or_default(),
        between(own.path)
    );
    // Switches of whole families, and FIPS, are no list.
    let setting = if list.is_some() { "SSL Cipher Suite Order" } else { "SCHANNEL" };
    given.add(inferred(seen, &hello, cause("tls/cipher-policy", setting, says, because)));
    if !seen.client.known {
        given.open(
            "Which Windows Server is it?",
            format!(
                "What a list of suites leaves depends on the Windows; {} was taken.",
                seen.client.client.profile.name
            ),
            "hand over the output of `(Get-WsusServer).Version`, or of `winver`",
            vec![own.observation.id.clone()],
        );
    }
    true
}

/// Lowered where the client is not known, or something of it was assumed.
fn inferred(seen: &Seen, hello: &ClientHello, found: Finding) -> Finding {
    let sure = seen.client.known
        && seen.client.client.profile.confidence == Confidence::High
        && hello.inferred.is_empty();
    if sure { found } else { found.likely() }
}

/// What became of a policy's list on this Windows.
fn reading(list: &ListReading) -> String {
    let mut says = String::new();
    if !list.unsuffixed.is_empty() {
        says.push_str(&format!(
            " {} of its names lack the curve suffix (_P256, _P384) without which this Windows does not know them.",
            list.unsuffixed.len()
        ));
    }
    let others = list.unsupported.len() - list.unsuffixed.len().min(list.unsupported.len());
    if others + list.unknown.len() > 0 {
        says.push_str(&format!(
            " {} of its names are not known to this Windows.",
            others + list.unknown.len()
        ));
    }
    if let Some(length) = list.too_long {
        says.push_str(&format!(" It is {length} characters long; 1023 are allowed."));
    }
    says
}

/// What the facts alone say, where a failure is on record: a client that sends no hello, or a published endpoint that the
/// settings have nothing in common with.
pub(super) fn give(seen: &Seen, given: &mut Given) {
    let client = &seen.client.client;
    let hello = client.hello(Caller::Synchronization, None);
    let failure = record::failure(seen);
    let ids = departures(&hello);
    match &hello.why_none {
        Some(WhyNone::NoVersion { .. }) if !ids.is_empty() => {
            let says = format!(
                "This server's settings leave its client no version of TLS ({}): Windows closes the connection before it says \
                 hello.",
                hello.offer.settings.join(", ")
            );
            given.add(inferred(seen, &hello, cause("tls/client-tls12-disabled", "SCHANNEL", says, ids)));
        }
        // What is left of its suites is for TLS 1.2: no list helps while that is off.
        Some(WhyNone::NoSuite { .. })
            if !tls12_off(seen).is_empty()
                && client.with_tls12().hello(Caller::Synchronization, None).hello.is_some() =>
        {
            let says = format!(
                "This server's SCHANNEL has TLS 1.2 off for clients, and for what is older its settings leave no cipher suite \
                 ({}): Windows has nothing to offer.",
                hello.offer.settings.join(", ")
            );
            let found = cause("tls/client-tls12-disabled", "SCHANNEL", says, ids);
            given.add(inferred(seen, &hello, found).likely());
        }
        Some(WhyNone::NoSuite { .. }) if !ids.is_empty() => {
            let says = format!(
                "This server's settings leave its client no cipher suite ({}): Windows has nothing to offer.{}",
                hello.offer.settings.join(", "),
                hello.order.as_ref().map(reading).unwrap_or_default()
            );
            let found = cause("tls/cipher-policy", "SSL Cipher Suite Order", says, ids);
            given.add(inferred(seen, &hello, found).likely());
        }
        _ => unwalked(seen, &hello, failure, given),
    }
}

/// Where nothing was walked, a failure on record and a setting that predicts it are all there is.
fn unwalked(seen: &Seen, hello: &ClientHello, failure: Option<String>, given: &mut Given) {
    let Some(failure) = failure else { return };
    if seen.needed().any(super::super::PathSeen::walked) {
        return;
    }
    let off = tls12_off(seen);
    if !off.is_empty() && hello.offer.version < TLS12 {
        let mut because = vec![failure];
        because.extend(off);
        let says = "A connection is on record as broken off, and this server's SCHANNEL has TLS 1.2 off for clients; \
                    Microsoft's endpoint takes TLS 1.2 alone.";
        given.add(cause("tls/client-tls12-disabled", "SCHANNEL", says, because).likely());
    }
}
