//! What is set on this server: its registry and its Group Policy.

use super::super::{Given, Seen, With, cause, note, place, record};
use super::refused::{shortened, their_suites};
use super::{Own, between, chosen, logged, refused, taken, who};
use crate::codec::tls::{TLS12, suite_name, version_name};
use crate::diagnosis::Finding;
use crate::evidence::{Observation, Scheme, escape, question};
use crate::facts::{Fact, LastRun, RegistryValue, SchannelState, Statement};
use crate::plan::is_microsoft_host;
use crate::schannel::{Caller, ClientHello, Confidence, ListReading, WhyNone, read_suites};

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

/// The facts that turn TLS 1.2 off: values that say so, each with those that it stands against.
pub(super) fn tls12_off(seen: &Seen) -> Vec<String> {
    let Some(protocol) = seen.client.client.policy.protocols.get(&TLS12) else { return Vec::new() };
    let disabled = protocol.enabled.iter().filter(|setting| !setting.value);
    let reserved = protocol.disabled_by_default.iter().filter(|setting| setting.value);
    disabled.chain(reserved).flat_map(|setting| setting.facts.iter().cloned()).collect()
}

/// Whether one value of the registry, and nothing against it, takes TLS 1.2 from every program. What a start-up line of the
/// log reads is not published, and `DisabledByDefault` leaves the version to programs that ask for it.
fn plainly_off(seen: &Seen) -> bool {
    if said_enabled(seen).is_some() {
        return false;
    }
    let protocol = seen.client.client.policy.protocols.get(&TLS12);
    let Some(enabled) = protocol.and_then(|protocol| protocol.enabled.as_ref()) else { return false };
    let stated = seen.facts.all().iter().filter(|fact| enabled.facts.contains(&fact.id));
    let mut numbers = stated.map(|fact| {
        matches!(&fact.statement, Statement::Registry { value: RegistryValue::Number { .. }, .. })
    });
    !enabled.value && enabled.before.is_empty() && numbers.all(|number| number)
}

/// A start-up line of the log by which TLS 1.2 is on.
fn said_enabled<'a>(seen: &Seen<'a>) -> Option<&'a Fact> {
    seen.facts.all().iter().rev().find(|fact| {
        matches!(&fact.statement, Statement::LogSchannel { protocol, state: SchannelState::Enabled } if *protocol == version_name(TLS12))
    })
}

/// Whether everything that is needed is reached without TLS: its client decides nothing then.
pub(crate) fn in_clear(seen: &Seen) -> bool {
    seen.needed().next().is_some() && seen.needed().all(|path| path.info.target.scheme == Scheme::Http)
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
        let mut found = cause("tls/client-tls12-disabled", "SCHANNEL", says, because).likely();
        if seen.client.client.profile.id == "ws2008r2" {
            // Its WSUS is not known to speak TLS 1.2 whatever SCHANNEL has: a value of the registry is no repair.
            found.remedy.steps = vec![
                "Replace this server by a Windows Server that is maintained: its WSUS (3.0 SP2) is not known to speak TLS 1.2, \
                 whatever its registry says."
                    .into(),
            ];
            found.remedy.commands.clear();
        }
        given.add(found);
        return;
    }
    because.extend(off);
    let says = format!(
        "This server's SCHANNEL has TLS 1.2 off for clients: its hello stops at {}, and {subject} refuses it ({}). The same \
         hello with TLS 1.2 is answered ({met}){}.{}",
        version_name(own.offer.version),
        refused(own.answer),
        if seen.client.known {
            ": the server is not at fault".to_string()
        } else {
            format!(
                "; which Windows this is was not told, and that of {} was taken",
                seen.client.client.profile.name
            )
        },
        between(own.path)
    );
    let found = cause("tls/client-tls12-disabled", "SCHANNEL", says, because);
    given.add(if plainly_off(seen) { found } else { found.likely() });
}

/// Says that TLS 1.2 is off where that is not all: the same Windows' hello with TLS 1.2 is refused as well, and a wider
/// one at TLS 1.2 is answered. Whether it was said.
pub(super) fn off_as_well(seen: &Seen, own: &Own, given: &mut Given) -> bool {
    let off = tls12_off(seen);
    let with = own.at_tls12();
    if off.is_empty() || own.offer.version >= TLS12 || with.offer.version < TLS12 {
        return false;
    }
    let mut because = vec![own.observation.id.clone(), with.observation.id.clone()];
    because.extend(off);
    let says = format!(
        "This server's SCHANNEL has TLS 1.2 off for clients: its hello stops at {}, and {} refuses it ({}). Turning it on is \
         not enough: the hello of {} with TLS 1.2 is refused as well ({}).{}",
        version_name(own.offer.version),
        own.path.subject(),
        refused(own.answer),
        who(with.offer),
        refused(with.answer),
        between(own.path)
    );
    given.add(cause("tls/client-tls12-disabled", "SCHANNEL", says, because).likely());
    true
}

/// What no source says of a client and was assumed, as sentences.
fn assumed(hello: &ClientHello) -> String {
    if hello.inferred.is_empty() {
        String::new()
    } else {
        format!(" Assumed: {}.", hello.inferred.join("; "))
    }
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
    true
}

/// What its settings come to depends on the Windows, which is not known.
fn which_windows(seen: &Seen, given: &mut Given) {
    let hello = seen.client.client.hello(Caller::Synchronization, None);
    let because = departures(&hello);
    if seen.client.known || because.is_empty() {
        return;
    }
    given.open(
        "Which Windows Server is it?",
        format!(
            "What these settings leave depends on the Windows; {} was taken.",
            seen.client.client.profile.name
        ),
        "hand over the output of `(Get-WsusServer).Version`, or of `systeminfo`",
        because,
    );
}

/// What a list of suites leaves open: one that is longer than is allowed, and one that counts from the next start.
fn lists(seen: &Seen, given: &mut Given) {
    let client = &seen.client.client;
    let policy = &client.policy;
    let listed = [&policy.order, &policy.effective, &policy.local_order].into_iter().flatten().next();
    let Some(setting) = listed else { return };
    let hello = client.hello(Caller::Synchronization, None);
    if let Some(length) = hello.order.as_ref().and_then(|order| order.too_long) {
        given.open(
            "Does Windows read the whole list of cipher suites?",
            format!("It is {length} characters long, 1023 are allowed; what happens beyond is not published. It was read whole."),
            "shorten the list, or run `Get-TlsCipherSuite` on the server after its next start",
            setting.facts.clone(),
        );
    }
    let (Some(next), Some(now)) = (&policy.order, &policy.effective) else { return };
    let (after, before) = (read_suites(client.profile, &next.value), read_suites(client.profile, &now.value));
    let codes = |reading: &ListReading| reading.used.iter().map(|(_, code)| *code).collect::<Vec<u16>>();
    if codes(&after) != codes(&before) {
        let mut because = next.facts.clone();
        because.extend(now.facts.iter().cloned());
        let says = "The policy's list of cipher suites and what Get-TlsCipherSuite shows differ: a policy counts from the next \
                    start on. What is in effect now was taken; judge the policy by handing it over alone.";
        given.add(note("input/contradictory", "SSL Cipher Suite Order", says, because));
    }
}

/// Lowered where the client is not known, or something of it was assumed.
fn inferred(seen: &Seen, hello: &ClientHello, found: Finding) -> Finding {
    let sure = seen.client.known
        && seen.client.client.profile.confidence == Confidence::High
        && hello.inferred.is_empty()
        && seen.client.client.policy.contradictions().is_empty();
    if sure { found } else { found.likely() }
}

/// The first names of a list.
fn few(names: &[String]) -> String {
    const FEW: usize = 4;
    let shown: Vec<String> = names.iter().take(FEW).map(|name| format!("\"{}\"", escape(name, 80))).collect();
    match names.len().saturating_sub(FEW) {
        0 => place::list(&shown),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// What became of a policy's list on this Windows.
fn reading(list: &ListReading) -> String {
    let mut says = String::new();
    if !list.unsuffixed.is_empty() {
        says.push_str(&format!(
            " Without a curve suffix (_P256, _P384) this Windows does not know {}.",
            few(&list.unsuffixed)
        ));
    }
    let others: Vec<String> = list
        .unsupported
        .iter()
        .filter(|name| !list.unsuffixed.contains(name))
        .chain(&list.unknown)
        .cloned()
        .collect();
    if !others.is_empty() {
        says.push_str(&format!(" Not known to this Windows: {}.", few(&others)));
    }
    if let Some(length) = list.too_long {
        says.push_str(&format!(" It is {length} characters long; 1023 are allowed."));
    }
    says
}

/// What the facts alone say, where a failure is on record: a client that sends no hello, or a published endpoint that the
/// settings have nothing in common with.
pub(super) fn give(seen: &Seen, given: &mut Given) {
    if in_clear(seen) {
        return;
    }
    which_windows(seen, given);
    lists(seen, given);
    let client = &seen.client.client;
    let hello = client.hello(Caller::Synchronization, None);
    let failure = logged::failure(seen);
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
            let found = cause("tls/cipher-policy", "SSL Cipher Suite Order", says, ids.clone());
            // Whether Windows then offers nothing, or takes no notice of such a list, is not published.
            if hello.order.as_ref().is_some_and(|order| order.used.is_empty()) {
                given.add(found.possible());
                given.open(
                    "What does Windows offer where the list holds nothing that it knows?",
                    "The list of cipher suites that is set leaves none; whether Windows then offers none or its own is not \
                     published."
                        .into(),
                    "run `Get-TlsCipherSuite` on the server (from Windows Server 2016 on), or wsusprobe.exe check of the source there",
                    ids,
                );
            } else {
                given.add(inferred(seen, &hello, found).likely());
            }
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
    let from_microsoft = seen.needed().any(|path| is_microsoft_host(&path.info.target.host));
    if from_microsoft && !off.is_empty() && hello.offer.version < TLS12 {
        let mut because = vec![failure];
        because.extend(off);
        let says = "A connection is on record as broken off, and this server's SCHANNEL has TLS 1.2 off for clients; \
                    Microsoft's endpoint takes TLS 1.2 alone.";
        let found = cause("tls/client-tls12-disabled", "SCHANNEL", says, because).likely();
        given.add(record::weighed(seen, found));
    }
}

/// What was tried on the server itself, or is on record since, against what its settings predict: said as a contradiction,
/// and the prediction lowered.
pub(super) fn overruled(seen: &Seen, given: &mut Given) {
    const PREDICTED: [&str; 2] = ["tls/client-tls12-disabled", "tls/cipher-policy"];
    let hosts: Vec<&str> = seen.needed().map(|path| path.info.target.host.as_str()).collect();
    // PowerShell's TLS 1.2 goes through the same SCHANNEL as synchronization's.
    let tried = seen.facts.all().iter().find(|fact| match &fact.statement {
        Statement::HttpTest { url, protocol, status: Some(_), .. } => {
            protocol.eq_ignore_ascii_case("Tls12")
                && url::Url::parse(url).is_ok_and(|url| {
                    url.host_str().is_some_and(|host| hosts.contains(&host.to_ascii_lowercase().as_str()))
                })
        }
        _ => false,
    });
    let from_microsoft = hosts.iter().any(|host| is_microsoft_host(host));
    let succeeded = match seen.facts.last_run() {
        LastRun::One(run) if run.succeeded && from_microsoft => Some(run.fact),
        _ => None,
    };
    let off = tls12_off(seen);
    let mut contradicted: Vec<(&str, Vec<String>)> = Vec::new();
    if !off.is_empty() {
        contradicted.push(("turn TLS 1.2 off for clients", off.clone()));
    }
    for found in given.findings.iter_mut().filter(|found| PREDICTED.contains(&found.id.as_str())) {
        if let Some(test) = tried {
            found
                .says
                .push_str(" A test with TLS 1.2 on the server itself was answered, which speaks against it.");
            found.because.push(test.id.clone());
            found.confidence = crate::diagnosis::Confidence::Possible;
        } else if let Some(run) = succeeded {
            found.says.push_str(" The last synchronization on record succeeded: it may be from before.");
            found.because.push(run.id.clone());
            found.confidence = found.confidence.max(crate::diagnosis::Confidence::Likely);
        }
        if found.id == "tls/cipher-policy" {
            let hello = seen.client.client.hello(Caller::Synchronization, None);
            contradicted.push(("leave no cipher suite that the source takes", departures(&hello)));
        }
    }
    if let Some(other) = tried.or(succeeded) {
        let what = match &other.statement {
            Statement::HttpTest { url, .. } => {
                format!("a test with TLS 1.2 on the server was answered by {url}")
            }
            _ => "the last synchronization on record succeeded, which takes TLS 1.2 with Microsoft".into(),
        };
        for (settings, mut because) in contradicted {
            let says = format!(
                "The settings of SCHANNEL {settings}, and {what} ({}): one of them is older, or the settings count from the \
                 next start.",
                other.source.file
            );
            because.push(other.id.clone());
            given.add(note("input/contradictory", "SCHANNEL", says, because));
        }
    }
    if let (false, Some(line)) = (off.is_empty(), said_enabled(seen)) {
        let says = format!(
            "The settings of SCHANNEL turn TLS 1.2 off for clients, and a start-up line of the log ({}{}) has it enabled: one of \
             them is older, or the line reads another key. What it reads is not published.",
            line.source.file,
            line.source.line.map(|line| format!(":{line}")).unwrap_or_default()
        );
        let mut because = off;
        because.push(line.id.clone());
        given.add(note("input/contradictory", "SCHANNEL", says, because));
    }
}
