//! A hello that is refused: what it misses is isolated by hellos that differ in one thing, never by one alert.

use super::super::{Given, Seen, With, cause, place};
use super::{Own, between, chosen, local, refused, taken, who};
use crate::codec::tls::{TLS12, TLS13, group_name, signature_name, suite_name, version_name};
use crate::diagnosis::{Finding, Role};
use crate::evidence::{Observation, Outcome, Spoken, question};
use crate::schannel::{Caller, Client, Confidence, Meeting, PROFILES, Policy, meet};

pub(super) fn isolate(seen: &Seen, own: &Own, given: &mut Given) {
    let versions: Vec<&Observation> = [question::TLS10_ALONE, question::TLS11_ALONE, question::TLS13_ALONE]
        .into_iter()
        .filter_map(|question| own.asked(question))
        .filter(|o| chosen(o).is_some_and(|(version, _)| !own.offer.takes(version)))
        .collect();
    let at_12 = |question: &str| own.taken(question, &[TLS12]);
    if own.offer.version < TLS12
        && let Some(with) = at_12(question::WITH_TLS12)
    {
        return local::too_old(seen, own, with, given);
    }
    let without = own.asked(question::UNCHANGED).filter(|o| chosen(o).is_some());
    if let Some(without) = without
        && local::by_policy(seen, own, without, given)
    {
        return;
    }
    let suites = at_12(question::EVERY_SUITE);
    let groups = at_12(question::EVERY_GROUP);
    let signatures = at_12(question::EVERY_SIGNATURE);
    let both = at_12(question::EVERY_GROUP_AND_SIGNATURE);
    let everything = at_12(question::EVERYTHING);
    // Where TLS 1.2 is off, and its hello with it is refused as well, turning it on is the first of two repairs.
    let role = match [suites, groups, signatures, both].into_iter().flatten().next() {
        Some(_) if local::off_as_well(seen, own, given) => Role::Contributing,
        _ => Role::Cause,
    };
    match (suites, groups, signatures) {
        (Some(with), None, None) if both.is_none() => no_common_cipher(seen, own, with, role, given),
        (_, Some(with), None) => no_common_group(seen, own, with, role, given),
        (_, None, Some(with)) => no_common_signature(seen, own, with, role, given),
        (None, None, None) if both.is_some() => {
            let with = both.unwrap_or(own.observation);
            no_common_group(seen, own, with, role, given);
            no_common_signature(seen, own, with, Role::Contributing, given);
        }
        (None, None, None) if everything.is_none() && !versions.is_empty() => {
            version_unsupported(seen, own, &versions, given);
        }
        (None, None, None) if everything.is_none() => refuses_everything(own, given),
        _ => not_isolated(own, [suites, groups, signatures, both, everything], given),
    }
}

/// What is known of the client lowers what is said of it: a profile or a setting that is inferred, or a Windows that is
/// not known while another one would connect.
fn weighed(seen: &Seen, own: &Own, found: Finding) -> Finding {
    let client = &seen.client.client;
    let hello = client.hello(Caller::Synchronization, None);
    let sure = client.profile.confidence == Confidence::High && hello.inferred.is_empty();
    let others = spoken(own).is_none_or(|(_, spoken)| others_connect(spoken));
    if (seen.client.known && sure) || (!seen.client.known && !others) { found } else { found.likely() }
}

/// Whether any Windows Server connects by default, by what the server speaks.
fn others_connect(spoken: &Spoken) -> bool {
    !connecting(spoken).is_empty()
}

/// The Windows Servers that connect by default, by what the server speaks.
fn connecting(spoken: &Spoken) -> Vec<&'static str> {
    PROFILES
        .iter()
        .filter(|profile| {
            let hello = Client::new(profile, Policy::default()).hello(Caller::Synchronization, None);
            matches!(meet(&hello, spoken), Meeting::Connects { .. })
        })
        .map(|profile| profile.name)
        .collect()
}

/// What the server was found to speak, with the observation.
pub(super) fn spoken<'s>(own: &Own<'_, 's>) -> Option<(&'s Observation, &'s Spoken)> {
    let observation = own.asked(question::SPOKEN)?;
    match &observation.outcome {
        Outcome::Spoken(spoken) => Some((observation, spoken)),
        _ => None,
    }
}

/// The suites that the server takes at TLS 1.2, as far as they were found.
pub(super) fn their_suites(own: &Own, because: &mut Vec<String>) -> Vec<String> {
    let found = spoken(own).map(|(observation, spoken)| {
        because.push(observation.id.clone());
        let at_12 = spoken.versions.iter().find(|version| version.version == TLS12);
        at_12.map(|version| version.suites.clone()).unwrap_or_default()
    });
    let mut suites = found.unwrap_or_default();
    if suites.is_empty() {
        let asked = own.asked(question::EVERY_SUITE).and_then(chosen);
        suites.extend(asked.map(|(_, suite)| suite));
    }
    suites.into_iter().map(suite_name).collect()
}

/// A list that is not longer than a person reads.
pub(super) fn shortened(names: &[String]) -> String {
    const MOST: usize = 12;
    match names.len() {
        0 => "none that was found".into(),
        n if n > MOST + 1 => format!("{} and {} more", names[..MOST].join(", "), n - MOST),
        _ => place::list(names),
    }
}

fn no_common_cipher(seen: &Seen, own: &Own, with: &Observation, role: Role, given: &mut Given) {
    let own = &own.at_tls12();
    let subject = own.path.subject();
    let apart = [question::EVERY_GROUP, question::EVERY_SIGNATURE, question::EVERY_GROUP_AND_SIGNATURE];
    let mut because = proof(own, with, &apart);
    let theirs = their_suites(own, &mut because);
    let ours: Vec<String> = own.offer.suites.iter().map(|&suite| suite_name(suite)).collect();
    let says = format!(
        "{subject} speaks TLS 1.2 and refuses the suites of {} ({}). It takes {}; that client offers {}.{}{}",
        who(own.offer),
        refused(own.answer),
        shortened(&theirs),
        ours.join(", "),
        others(own),
        between(own.path)
    );
    let found = cause("tls/no-common-cipher", &subject, says, because);
    // Where more groups or algorithms alone might do as well, it is not proved that it is the suites.
    let proved = own.asked(question::EVERY_GROUP_AND_SIGNATURE).is_some();
    let found = if proved { found } else { found.likely() };
    given.add(weighed(seen, own, found).role(role));
    ask_for_the_client(seen, own, given);
}

/// Which other Windows Servers connect, where some do.
fn others(own: &Own) -> String {
    match spoken(own).map(|(_, spoken)| connecting(spoken)) {
        Some(names) if !names.is_empty() => format!(" By default {} would connect.", place::list(&names)),
        Some(_) => " No Windows Server would connect by default.".into(),
        None => String::new(),
    }
}

/// Where the Windows is not known, which client was taken is an open question.
fn ask_for_the_client(seen: &Seen, own: &Own, given: &mut Given) {
    if seen.client.known {
        return;
    }
    given.open(
        "Does this WSUS server offer what the reference client offers?",
        format!("The client taken is {}.", who(own.offer)),
        "compare with `Get-TlsCipherSuite` on the WSUS server, and with its Group Policy (`gpresult /scope computer /h`); or \
         hand over its version",
        vec![own.observation.id.clone()],
    );
}

/// A sentence where it is a setting of this server that leaves nothing in common, with what it rests on.
fn set_here(seen: &Seen, own: &Own, because: &mut Vec<String>) -> &'static str {
    let Some(without) = own.asked(question::UNCHANGED).filter(|o| chosen(o).is_some()) else { return "" };
    because.push(without.id.clone());
    because.extend(local::departures(&seen.client.client.hello(Caller::Synchronization, None)));
    " The same Windows without its own settings is answered: what is set on this server is to be changed."
}

/// What an isolation rests on: the refusal, the one hello that was answered, and the others that tell it apart.
fn proof(own: &Own, with: &Observation, others: &[&str]) -> Vec<String> {
    let others = others.iter().filter_map(|question| own.asked(question));
    [own.observation, with].into_iter().chain(others).map(|o| o.id.clone()).collect()
}

fn no_common_group(seen: &Seen, own: &Own, with: &Observation, role: Role, given: &mut Given) {
    let own = &own.at_tls12();
    let subject = own.path.subject();
    let mut because = proof(own, with, &[question::EVERY_SUITE, question::EVERY_SIGNATURE]);
    let ours: Vec<String> = own.offer.groups.iter().map(|&group| group_name(group)).collect();
    let mut theirs: Vec<String> = Vec::new();
    if let Some((observation, spoken)) = spoken(own) {
        because.push(observation.id.clone());
        let at_12 = spoken.groups.iter().filter(|group| group.versions.contains(&TLS12));
        theirs.extend(at_12.map(|group| group_name(group.code)));
    }
    let says = format!(
        "{subject} refuses the hello of {} ({}), and answers the same hello with more named groups. It takes {}; that client \
         offers {}.{}{}",
        who(own.offer),
        refused(own.answer),
        shortened(&theirs),
        shortened(&ours),
        set_here(seen, own, &mut because),
        between(own.path)
    );
    given.add(weighed(seen, own, cause("tls/no-common-group", &subject, says, because)).role(role));
    ask_for_the_client(seen, own, given);
}

fn no_common_signature(seen: &Seen, own: &Own, with: &Observation, role: Role, given: &mut Given) {
    let own = &own.at_tls12();
    let subject = own.path.subject();
    let mut because = proof(own, with, &[question::EVERY_SUITE, question::EVERY_GROUP]);
    let ours: Vec<String> = own.offer.signatures.iter().map(|&code| signature_name(code)).collect();
    let mut theirs: Vec<String> = Vec::new();
    if let Some((observation, spoken)) = spoken(own) {
        because.push(observation.id.clone());
        theirs.extend(spoken.signatures.iter().map(|signature| signature_name(signature.code)));
    }
    let says = format!(
        "{subject} refuses the hello of {} ({}), and answers the same hello with more signature algorithms. It signs with {}; \
         that client takes {}.{}{}",
        who(own.offer),
        refused(own.answer),
        shortened(&theirs),
        shortened(&ours),
        set_here(seen, own, &mut because),
        between(own.path)
    );
    let found = weighed(seen, own, cause("tls/no-common-signature", &subject, says, because)).role(role);
    // What it signs with may be among what is taken: then it is the offer that it holds against the client.
    given.add(if theirs.iter().any(|name| ours.contains(name)) { found.likely() } else { found });
    ask_for_the_client(seen, own, given);
}

fn version_unsupported(seen: &Seen, own: &Own, versions: &[&Observation], given: &mut Given) {
    let subject = own.path.subject();
    let everything = own.asked(question::EVERYTHING);
    let spoken: Vec<String> =
        versions.iter().filter_map(|o| chosen(o)).map(|(version, _)| version_name(version)).collect();
    let mut because = vec![own.observation.id.clone()];
    because.extend(versions.iter().map(|o| o.id.clone()));
    because.extend(everything.map(|o| o.id.clone()));
    let offered = version_name(own.offer.version.max(TLS12));
    let says = format!(
        "{subject} refuses {offered} ({}) with every cipher suite, and answers {}.{}",
        refused(own.answer),
        place::list(&spoken),
        between(own.path)
    );
    let found = cause("tls/version-unsupported", &subject, says, because);
    // Only the refusal of all that TLS 1.2 has leaves the version.
    let found = if everything.is_some() { found } else { found.likely() };
    let newer = versions.iter().any(|o| chosen(o).is_some_and(|(version, _)| version == TLS13));
    let client = &seen.client;
    if !newer || (client.known && !client.client.profile.supports(TLS13)) {
        given.add(found);
        return;
    }
    // Windows Server 2022 and newer have TLS 1.3; whether .NET Framework offers it is told both ways.
    given.add(if client.known { found.possible() } else { found.likely() });
    given.open(
        "Does synchronization offer TLS 1.3 on this server?",
        format!(
            "{subject} speaks TLS 1.3 and no TLS 1.2. Windows Server 2022 and newer have it; what is published of .NET Framework \
             there contradicts itself."
        ),
        "start a synchronization and read the log, or capture its ClientHello",
        vec![own.observation.id.clone()],
    );
}

fn refuses_everything(own: &Own, given: &mut Given) {
    let subject = own.path.subject();
    let asked = own.path.asked.iter().filter(|o| o.lane.as_deref() == Some(own.lane));
    let all: Vec<_> = asked.filter(|o| super::super::seen::kind(&o.outcome) == "hello").collect();
    let mut because = vec![own.observation.id.clone()];
    because.extend(all.iter().map(|o| o.id.clone()));
    let says = format!(
        "{subject} refuses every hello that was tried ({} of them, TLS 1.0 to 1.3; the first met {}): nothing tells a version \
         from a suite or a policy.{}{}",
        all.len() + 1,
        refused(own.answer),
        if own.path.info.target.host.parse::<std::net::IpAddr>().is_ok() {
            " It was asked by its address, without a server name: a server that goes by the name refuses that."
        } else {
            ""
        },
        between(own.path)
    );
    given.add(cause("tls/refused", &subject, says, because));
}

fn not_isolated(own: &Own, answers: [Option<&Observation>; 5], given: &mut Given) {
    let subject = own.path.subject();
    let mut because = vec![own.observation.id.clone()];
    because.extend(answers.into_iter().flatten().map(|o| o.id.clone()));
    let met = answers.into_iter().flatten().find_map(chosen);
    let says = format!(
        "{subject} refuses the hello of {} ({}), and answers wider ones{}: what it misses is not isolated.{}",
        who(own.offer),
        refused(own.answer),
        met.map(|(version, suite)| format!(" ({})", taken(version, suite))).unwrap_or_default(),
        between(own.path)
    );
    given.add(cause("tls/refused", &subject, says, because).possible());
    given.open(
        "Which suite, group or signature algorithm does the server want?",
        format!("{subject} answers a hello only when more than one of them are offered."),
        "compare `openssl s_client -cipher`, `-curves` and `-sigalgs` with the server's certificate and settings",
        vec![own.observation.id.clone()],
    );
}
