//! What stands on this server beside the configuration of WSUS: its services, and the proxy of its users.

use std::collections::HashMap;

use super::super::{Given, PathSeen, Seen, With, cause, place};
use super::{Walked, walked};
use crate::diagnosis::{Role, Severity};
use crate::evidence::{DialAnswer, HttpAnswer, Outcome, PathRole};
use crate::facts::servers::{Other, config_value};
use crate::facts::{
    Fact, FactView, FailureView, LastRun, LoggedFailure, Order, ProxyOf, RegistryValue, Servers,
    ServiceState, Statement, Times, bypasses, fails_synchronization, is_user_proxy_key,
};

/// The service of the Windows Internal Database.
const INTERNAL_DATABASE: &str = "MSSQL$MICROSOFT##WID";

pub(super) fn give(seen: &Seen, given: &mut Given) {
    user_proxy(seen, given);
    services(seen, given);
}

/// The user's own proxy is set and WSUS has none: why a browser reaches what synchronization does not.
fn user_proxy(seen: &Seen, given: &mut Given) {
    let Some((uses, false)) = seen.facts.flag("UseProxy") else { return };
    // Each key is one account's: what one says and what another one does are not one setting.
    let mut keys: Vec<&str> = Vec::new();
    for fact in seen.facts.all() {
        if let Statement::Registry { key, .. } = &fact.statement
            && is_user_proxy_key(key)
            && !keys.iter().any(|known| known.eq_ignore_ascii_case(key))
        {
            keys.push(key);
        }
    }
    for key in keys {
        user_proxy_of(seen, uses, key, given);
    }
}

/// The proxy that one key sets.
fn user_proxy_of(seen: &Seen, uses: &Fact, key: &str, given: &mut Given) {
    let value = |name: &str| {
        seen.facts.all().iter().rev().find_map(|fact| match &fact.statement {
            Statement::Registry { key: its_key, name: its, value }
                if its_key.eq_ignore_ascii_case(key) && its.eq_ignore_ascii_case(name) =>
            {
                Some((fact, value))
            }
            _ => None,
        })
    };
    let text = |name: &str| match value(name) {
        Some((fact, RegistryValue::Text { value })) if !value.trim().is_empty() => Some((fact, value.trim())),
        _ => None,
    };
    let enabled = match value("ProxyEnable") {
        Some((fact, RegistryValue::Number { value: 1.. })) => Some(fact),
        _ => None,
    };
    let server = enabled.and_then(|enabled| Some((enabled, text("ProxyServer")?)));
    let mut because: Vec<String> = Vec::new();
    let mut shown: Vec<String> = Vec::new();
    if let Some((enabled, (fact, server))) = server {
        because.extend([enabled.id.clone(), fact.id.clone()]);
        shown.push(format!("the proxy {server}"));
    }
    if let Some((fact, url)) = text("AutoConfigURL") {
        because.push(fact.id.clone());
        shown.push(format!("a script that chooses one ({url})"));
    }
    if shown.is_empty() {
        return;
    }
    let past = text("ProxyOverride").filter(|_| server.is_some());
    if past.is_some_and(|(_, list)| goes_past(seen, list)) {
        // Whoever has this proxy reaches the source without it, as synchronization does.
        return;
    }
    because.push(uses.id.clone());
    let (whose, who) = match ProxyOf::key(key) {
        ProxyOf::User => ("The user's own settings".to_string(), "a browser goes"),
        ProxyOf::Machine => ("The machine's settings for its users".to_string(), "their browsers may go"),
        ProxyOf::Account(name) => (format!("The settings of the account {name}"), "what keeps to them goes"),
    };
    let says = format!(
        "{whose} name {}, and WSUS has no proxy (UseProxy = False): {who} another way than synchronization does.",
        place::list(&shown)
    );
    let found = cause("config/proxy-only-in-user", "UseProxy", says, because).possible();
    // A user's proxy beside a direct way that works is as it should be.
    given.add(match walked(seen.needed()) {
        Walked::Works => found.role(Role::Note).severity(Severity::Info),
        Walked::No if works_on_record(seen) => found.role(Role::Note).severity(Severity::Info),
        Walked::Failed | Walked::No => found,
    });
}

/// Whether every source that is needed is reached past a proxy with this list of exceptions.
pub(super) fn goes_past(seen: &Seen, list: &str) -> bool {
    let mut sources = seen.needed().filter(|path| path.info.role == PathRole::Source).peekable();
    sources.peek().is_some() && sources.all(|path| bypasses(list, &path.info.target.host))
}

/// Whether the last run on record succeeded: nothing fails that a setting would have to explain.
pub(super) fn works_on_record(seen: &Seen) -> bool {
    matches!(seen.facts.last_run(), LastRun::One(run) if run.succeeded)
}

/// What a stopped service takes with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Synchronization itself.
    Synchronization,
    /// The database, and synchronization with it.
    Database,
    /// The console, clients, downstream servers and imports.
    Web,
}

fn part(seen: &Seen, service: &str) -> Option<Part> {
    let is = |name: &str| service.eq_ignore_ascii_case(name);
    if is("WsusService") {
        return Some(Part::Synchronization);
    }
    if is("W3SVC") || is("WAS") {
        return Some(Part::Web);
    }
    let database = seen.facts.registry(r"\Update Services\Server\Setup", "SqlServerName");
    let database = database.and_then(|(_, value)| match value {
        RegistryValue::Text { value } => Some(value.trim()),
        _ => None,
    });
    // A console's table cuts the name off.
    let internal = is(INTERNAL_DATABASE) || is_cut_from(service, INTERNAL_DATABASE);
    let named = match database {
        Some(name) if name.to_ascii_uppercase().contains("##WID") => internal,
        // A named instance; one on another machine is none of this server's services.
        Some(name) => match name.rsplit_once('\\') {
            Some((_, instance)) => is(&format!("MSSQL${instance}")),
            None => is("MSSQLSERVER"),
        },
        None => internal,
    };
    named.then_some(Part::Database)
}

/// Whether `name` is `whole`, cut off at its end and long enough to be no other's.
fn is_cut_from(name: &str, whole: &str) -> bool {
    const ENOUGH: usize = "MSSQL$MIC".len();
    let kept = name.trim_end_matches(['.', '…']);
    kept.len() < name.len()
        && kept.len() >= ENOUGH
        && whole.get(..kept.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(kept))
}

/// A database's service that runs, where which of them is WSUS' is not told.
fn another_database<'a>(seen: &Seen<'a>, stopped: &str) -> Option<&'a str> {
    if seen.facts.registry(r"\Update Services\Server\Setup", "SqlServerName").is_some() {
        return None;
    }
    seen.facts.all().iter().find_map(|fact| match &fact.statement {
        Statement::Service { name, state: ServiceState::Running, .. }
            if name.to_ascii_uppercase().starts_with("MSSQL") && !name.eq_ignore_ascii_case(stopped) =>
        {
            Some(name.as_str())
        }
        _ => None,
    })
}

/// Services and the application pool that stand still.
fn services(seen: &Seen, given: &mut Given) {
    // What runs by another printout is a contradiction, which is told by itself.
    let running = running(seen);
    let servers = Servers::new(seen.facts.all());
    for fact in seen.facts.all() {
        let (name, state, start) = match &fact.statement {
            Statement::Service { name, state: ServiceState::Absent, .. } => {
                absent(seen, fact, name, given);
                continue;
            }
            Statement::Service { name, state, start } => (name.as_str(), *state, start.as_str()),
            Statement::AppPool { name, state } => (name.as_str(), *state, ""),
            _ => continue,
        };
        if state != ServiceState::Stopped || running.contains_key(&name.to_ascii_lowercase()) {
            continue;
        }
        let part = match &fact.statement {
            Statement::AppPool { name, .. } => name.eq_ignore_ascii_case("WsusPool").then_some(Part::Web),
            _ => part(seen, name),
        };
        let Some(part) = part else { continue };
        let start = if start.is_empty() { String::new() } else { format!(" (it starts: {start})") };
        let why = match part {
            Part::Synchronization => "it is what synchronizes, and nothing does while it stands still",
            Part::Database => "WSUS keeps everything in it, and cannot synchronize without it",
            Part::Web => {
                "the console, imports, clients and downstream servers meet nothing here; the service's own \
                 synchronization does not go through it"
            }
        };
        let on = servers.server_of(&fact.source.file).map_or("this server", |server| server.name);
        let mut says = format!("{name} is stopped on {on}{start}: {why}.");
        let other = another_database(seen, name).filter(|_| part == Part::Database);
        if let Some(other) = other {
            says.push_str(&format!(
                " {other} runs there, and which of them is the database of WSUS was not handed over."
            ));
        }
        let found = cause("config/service-stopped", name, says, vec![fact.id.clone()]);
        let since = seen.succeeded_after(fact);
        given.add(match part {
            Part::Web => found.role(Role::Note).severity(Severity::Warning),
            // A run that succeeded since says that it was started again.
            _ if since => found.possible().role(Role::Note).severity(Severity::Info),
            _ if other.is_some() => found.possible(),
            // The walk asks the way to the source, and nothing of this server's services.
            _ => found.likely(),
        });
    }
}

/// What of IIS stands still on the upstream: its web service or the pool of WSUS, by which it answers this server.
pub(crate) fn stopped_upstream(upstream: &Other, seen: &Seen, given: &mut Given) {
    let Some(names) = &upstream.upstream else { return };
    let theirs = FactView::new(&upstream.facts);
    let running = running_by(theirs);
    for fact in theirs.all() {
        let (name, answers) = match &fact.statement {
            Statement::Service { name, state: ServiceState::Stopped, .. }
                if name.eq_ignore_ascii_case("W3SVC") || name.eq_ignore_ascii_case("WAS") =>
            {
                (name, Stands::Web)
            }
            Statement::AppPool { name, state: ServiceState::Stopped }
                if name.eq_ignore_ascii_case("WsusPool") =>
            {
                (name, Stands::Pool)
            }
            _ => continue,
        };
        if running.contains_key(&name.to_ascii_lowercase()) {
            continue;
        }
        let mut because = vec![fact.id.clone(), names.id.clone()];
        let mut says = format!(
            "{name} is stopped on {}, which is this server's upstream: {}.",
            upstream.name,
            answers.meets()
        );
        let met = answers.met(seen, config_value(names));
        let works = walked(seen.needed()) == Walked::Works || works_on_record(seen);
        let otherwise = walked(seen.needed()) == Walked::Failed || last_failure(seen).is_some();
        if let Some(met) = &met {
            says.push_str(" That is what this server met.");
            because.push(met.clone());
        }
        let found = cause("config/service-stopped", &format!("{name} of {}", upstream.name), says, because);
        given.add(match met {
            Some(_) if !upstream.may_be_judged => found.likely(),
            Some(_) => found.possible(),
            // What was met is something else, or nothing at all.
            None if works || otherwise => found.role(Role::Note).severity(Severity::Info),
            None => found.possible(),
        });
    }
}

/// What stands still on the upstream.
#[derive(Clone, Copy)]
enum Stands {
    /// IIS itself.
    Web,
    /// The pool of WSUS.
    Pool,
}

impl Stands {
    /// What whoever asks meets, in words.
    fn meets(self) -> &'static str {
        match self {
            Stands::Web => "nothing listens at its ports, and connections are refused",
            Stands::Pool => "HTTP.sys answers in its place, with 503",
        }
    }

    /// Whether a failure on record is that; through a proxy it may be the proxy's own.
    fn is(self, failure: &LoggedFailure) -> bool {
        match self {
            Stands::Web => matches!(failure, LoggedFailure::ConnectRefused),
            Stands::Pool => matches!(failure, LoggedFailure::HttpStatus { code: 503 }),
        }
    }

    /// The observation, or the last failure on record, that is what whoever asks meets.
    fn met(self, seen: &Seen, host: &str) -> Option<String> {
        let is = |outcome: &Outcome| match (self, outcome) {
            (Stands::Web, Outcome::Dial { answer: DialAnswer::Refused, .. }) => true,
            (Stands::Pool, Outcome::Http { answer: HttpAnswer::Response { status, .. }, .. }) => {
                *status == 503
            }
            _ => false,
        };
        let host = host.trim_end_matches('.');
        let to_it =
            |path: &&PathSeen| path.info.proxy.is_none() && path.info.target.host.eq_ignore_ascii_case(host);
        if walked(seen.needed()) == Walked::Failed {
            let ended = seen
                .needed()
                .filter(to_it)
                .find_map(|path| path.failures().find(|(_, failed)| is(&failed.outcome)));
            return ended.map(|(_, failed)| failed.id.clone());
        }
        if seen.facts.flag("UseProxy").is_some_and(|(_, uses)| uses) {
            return None;
        }
        last_failure(seen).filter(|last| self.is(last.failure)).map(|last| last.fact.id.clone())
    }
}

/// The last failure of synchronization on record that no success followed. That a connection could not be made is how an
/// event repeats why.
fn last_failure<'a>(seen: &Seen<'a>) -> Option<FailureView<'a>> {
    let times = Times::new(seen.facts.all());
    seen.facts
        .failures()
        .into_iter()
        .filter(|one| fails_synchronization(one.process, one.phase) && !seen.succeeded_after(one.fact))
        .filter(|one| !matches!(one.failure, LoggedFailure::ConnectFailed))
        .reduce(|last, one| if times.order(one.fact, last.fact) == Order::Before { last } else { one })
}

/// The service of WSUS is not on the machine that was asked: that is no server of WSUS.
fn absent(seen: &Seen, fact: &Fact, name: &str, given: &mut Given) {
    if name.eq_ignore_ascii_case("WsusService") && exists(seen, name).is_none() {
        given.open(
            "Is this the WSUS server?",
            format!(
                "The machine that {} comes from has no service {name}: the role of WSUS is not on it.",
                fact.source.file
            ),
            "run the command on the WSUS server itself",
            vec![fact.id.clone()],
        );
    }
}

/// A printout by which a service is there, whatever it does.
pub(crate) fn exists<'a>(seen: &Seen<'a>, service: &str) -> Option<&'a Fact> {
    seen.facts.all().iter().find(|fact| {
        matches!(&fact.statement, Statement::Service { name, state, .. }
            if *state != ServiceState::Absent && name.eq_ignore_ascii_case(service))
    })
}

/// The services and application pools that run by some printout, by their name in lower case, each with its fact.
pub(crate) fn running<'a>(seen: &Seen<'a>) -> HashMap<String, &'a Fact> {
    running_by(seen.facts)
}

/// The same of what these facts print.
fn running_by(facts: FactView<'_>) -> HashMap<String, &Fact> {
    let runs = facts.all().iter().filter_map(|fact| match &fact.statement {
        Statement::Service { name, state: ServiceState::Running, .. }
        | Statement::AppPool { name, state: ServiceState::Running } => {
            Some((name.to_ascii_lowercase(), fact))
        }
        _ => None,
    });
    runs.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::told::{healthy, ids, number, run, the, utc};
    use crate::diagnosis::{Confidence, Role, Severity, Verdict, judge};
    use crate::evidence::Evidence;
    use crate::facts::{RegistryValue, ServiceState, Statement, SyncResult};

    const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Internet Settings";

    fn text(name: &str, value: &str) -> Statement {
        Statement::Registry {
            key: KEY.into(),
            name: name.into(),
            value: RegistryValue::Text { value: value.into() },
        }
    }

    fn service(evidence: &mut Evidence, name: &str, state: ServiceState) -> String {
        let statement = Statement::Service { name: name.into(), state, start: "Automatic".into() };
        utc(evidence, "services.txt", "", statement)
    }

    fn unwalked() -> Evidence {
        let mut evidence = healthy();
        evidence.observations.clear();
        evidence
    }

    #[test]
    fn a_user_s_proxy_is_possible_at_most_and_a_note_where_the_way_works() {
        for mut evidence in [healthy(), unwalked()] {
            let walked = !evidence.observations.is_empty();
            utc(&mut evidence, "user.reg", "", text("ProxyServer", "proxy.example.com:8080"));
            utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 0));
            assert!(ids(&judge(&evidence)).is_empty(), "what is turned off counts for nothing");
            utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 1));
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "config/proxy-only-in-user");
            assert_eq!(found.confidence, Confidence::Possible);
            assert_eq!(found.role, if walked { Role::Note } else { Role::Cause });
            assert_eq!(diagnosis.verdict, if walked { Verdict::Healthy } else { Verdict::Undetermined });
        }
    }

    #[test]
    fn a_source_that_goes_past_the_proxy_is_reached_alike() {
        for (list, said) in [("*.microsoft.com;<local>", false), ("*.contoso.com;<local>", true)] {
            let mut evidence = unwalked();
            utc(&mut evidence, "user.reg", "", text("ProxyServer", "proxy.example.com:8080"));
            utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 1));
            utc(&mut evidence, "user.reg", "", text("ProxyOverride", list));
            assert_eq!(ids(&judge(&evidence)).contains(&"config/proxy-only-in-user"), said, "{list}");
            let mut evidence = unwalked();
            let servers = vec![("*".into(), "proxy.example.com:8080".into())];
            utc(&mut evidence, "n.txt", "", Statement::WinHttpProxy { servers, bypass: list.into() });
            assert_eq!(ids(&judge(&evidence)).contains(&"config/proxy-only-in-winhttp"), said, "{list}");
        }
    }

    #[test]
    fn a_run_that_succeeded_leaves_nothing_to_explain() {
        let mut evidence = unwalked();
        utc(&mut evidence, "user.reg", "", text("ProxyServer", "proxy.example.com:8080"));
        utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 1));
        let servers = vec![("*".into(), "proxy.example.com:8080".into())];
        utc(&mut evidence, "n.txt", "", Statement::WinHttpProxy { servers, bypass: String::new() });
        utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Succeeded, None));
        let diagnosis = judge(&evidence);
        for id in ["config/proxy-only-in-user", "config/proxy-only-in-winhttp"] {
            assert_eq!(
                (the(&diagnosis, id).role, the(&diagnosis, id).severity),
                (Role::Note, Severity::Info)
            );
        }
    }

    #[test]
    fn whose_settings_they_are_is_told_by_the_hive() {
        for (hive, says) in [
            (r"HKCU", "The user's own settings"),
            (r"HKU\S-1-5-21-1-2-3-1001", "The user's own settings"),
            (r"HKU\S-1-5-20", "The settings of the account NETWORK SERVICE"),
            (r"HKU\.DEFAULT", "The settings of the account LOCAL SYSTEM"),
            (r"HKLM", "The machine's settings for its users"),
        ] {
            let mut evidence = unwalked();
            let key = format!(r"{hive}\Software\Microsoft\Windows\CurrentVersion\Internet Settings");
            let server = RegistryValue::Text { value: "proxy.example.com:8080".into() };
            let name = "ProxyServer".into();
            utc(&mut evidence, "u.reg", "", Statement::Registry { key: key.clone(), name, value: server });
            utc(&mut evidence, "u.reg", "", number(&key, "ProxyEnable", 1));
            let found = judge(&evidence);
            assert!(the(&found, "config/proxy-only-in-user").says.starts_with(says), "{hive}");
        }
    }

    #[test]
    fn a_machine_without_the_service_is_asked_about_and_blamed_for_nothing() {
        let asked = |evidence: &Evidence, fact: &String| {
            judge(evidence).unknown.iter().any(|open| open.because.contains(fact))
        };
        for mut evidence in [healthy(), unwalked()] {
            let before = judge(&evidence);
            let w3svc = service(&mut evidence, "W3SVC", ServiceState::Absent);
            let absent = service(&mut evidence, "WsusService", ServiceState::Absent);
            let diagnosis = judge(&evidence);
            assert_eq!((ids(&diagnosis), diagnosis.verdict), (ids(&before), before.verdict));
            assert!(asked(&evidence, &absent) && !asked(&evidence, &w3svc));
            // By another printout it is there: that is a contradiction.
            let stopped = service(&mut evidence, "WsusService", ServiceState::Stopped);
            assert!(!asked(&evidence, &absent));
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "input/contradictory");
            assert!(found.because.contains(&absent) && found.because.contains(&stopped));
        }
    }

    #[test]
    fn what_two_accounts_have_is_not_one_setting() {
        let mut evidence = unwalked();
        utc(&mut evidence, "user.reg", "", text("ProxyServer", "proxy.example.com:8080"));
        utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 0));
        let service = r"HKU\S-1-5-20\Software\Microsoft\Windows\CurrentVersion\Internet Settings";
        utc(&mut evidence, "service.reg", "", number(service, "ProxyEnable", 1));
        assert!(ids(&judge(&evidence)).is_empty());
    }

    #[test]
    fn a_user_s_proxy_contributes_where_a_cause_is_known() {
        let mut evidence = super::super::super::tests::of("config-proxy-only-in-winhttp");
        evidence.facts.retain(|fact| matches!(fact.statement, Statement::Config { .. }));
        utc(&mut evidence, "user.reg", "", text("ProxyServer", "proxy.example.com:8080"));
        utc(&mut evidence, "user.reg", "", number(KEY, "ProxyEnable", 1));
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "config/proxy-only-in-user").role, Role::Contributing);
        assert_eq!(diagnosis.verdict, Verdict::Faulty);
        assert_eq!(ids(&diagnosis)[0], "name/not-found");
    }

    #[test]
    fn a_script_is_a_proxy_too_and_a_proxy_of_wsus_ends_the_question() {
        let mut evidence = unwalked();
        utc(&mut evidence, "user.reg", "", text("AutoConfigURL", "http://wpad.example.com/proxy.pac"));
        assert!(the(&judge(&evidence), "config/proxy-only-in-user").says.contains("proxy.pac"));
        for fact in &mut evidence.facts {
            if let Statement::Config { property, value } = &mut fact.statement {
                match property.as_str() {
                    "UseProxy" => *value = "True".into(),
                    "ProxyName" => *value = "proxy.example.com".into(),
                    _ => {}
                }
            }
        }
        assert!(!ids(&judge(&evidence)).contains(&"config/proxy-only-in-user"));
    }

    #[test]
    fn the_service_and_its_database_stand_for_synchronization() {
        for name in ["WsusService", "MSSQL$MICROSOFT##WID"] {
            let mut evidence = healthy();
            let stopped = service(&mut evidence, name, ServiceState::Stopped);
            let diagnosis = judge(&evidence);
            let found = the(&diagnosis, "config/service-stopped");
            assert_eq!((found.role, found.confidence), (Role::Cause, Confidence::Likely));
            assert_eq!((found.subject.as_str(), &found.because), (name, &vec![stopped]));
            assert_eq!(diagnosis.verdict, Verdict::Faulty);
        }
        // Another database is none of this server's services, and others do not matter.
        let mut evidence = healthy();
        let key = r"HKLM\SOFTWARE\Microsoft\Update Services\Server\Setup";
        let value = RegistryValue::Text { value: r"SQL1\SUS".into() };
        let name = "SqlServerName".into();
        utc(&mut evidence, "setup.reg", "", Statement::Registry { key: key.into(), name, value });
        service(&mut evidence, "MSSQL$MICROSOFT##WID", ServiceState::Stopped);
        service(&mut evidence, "Spooler", ServiceState::Stopped);
        service(&mut evidence, "WsusService", ServiceState::Running);
        assert!(ids(&judge(&evidence)).is_empty());
        service(&mut evidence, "MSSQL$SUS", ServiceState::Stopped);
        assert_eq!(judge(&evidence).verdict, Verdict::Faulty);
    }

    #[test]
    fn a_name_that_a_table_cut_off_is_the_internal_database_s() {
        for (name, stopped) in
            [("MSSQL$MICROSOFT...", true), ("MSSQL$...", false), ("MSSQL$SHAREPOINT", false)]
        {
            let mut evidence = healthy();
            service(&mut evidence, name, ServiceState::Stopped);
            assert_eq!(ids(&judge(&evidence)).contains(&"config/service-stopped"), stopped, "{name}");
        }
    }

    #[test]
    fn beside_another_database_that_runs_it_is_possible_alone() {
        let mut evidence = healthy();
        service(&mut evidence, "MSSQL$MICROSOFT##WID", ServiceState::Stopped);
        service(&mut evidence, "MSSQLSERVER", ServiceState::Running);
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "config/service-stopped").confidence, Confidence::Possible);
        assert_eq!(diagnosis.verdict, Verdict::Undetermined);
        let key = r"HKLM\SOFTWARE\Microsoft\Update Services\Server\Setup";
        let value = RegistryValue::Text { value: "MICROSOFT##WID".into() };
        let name = "SqlServerName".into();
        utc(&mut evidence, "setup.reg", "", Statement::Registry { key: key.into(), name, value });
        assert_eq!(judge(&evidence).verdict, Verdict::Faulty);
    }

    #[test]
    fn the_services_of_a_machine_that_is_named_are_said_to_be_its() {
        let mut evidence = healthy();
        service(&mut evidence, "WsusService", ServiceState::Stopped);
        utc(&mut evidence, "services.txt", "", Statement::ServerName { name: "WSUS9".into() });
        assert!(the(&judge(&evidence), "config/service-stopped").says.contains("stopped on WSUS9"));
        // Beside files of another server they are none of the one that is judged.
        let file = evidence.facts[0].source.file.clone();
        utc(&mut evidence, &file, "", Statement::ServerName { name: "WSUS1".into() });
        assert_eq!(ids(&judge(&evidence)), ["input/contradictory"]);
    }

    #[test]
    fn iis_and_its_pool_are_a_warning() {
        let mut evidence = healthy();
        service(&mut evidence, "W3SVC", ServiceState::Stopped);
        let pool = Statement::AppPool { name: "WsusPool".into(), state: ServiceState::Stopped };
        utc(&mut evidence, "pools.txt", "", pool);
        let other = Statement::AppPool { name: "DefaultAppPool".into(), state: ServiceState::Stopped };
        utc(&mut evidence, "pools.txt", "", other);
        let diagnosis = judge(&evidence);
        assert_eq!(ids(&diagnosis), ["config/service-stopped", "config/service-stopped"]);
        assert_eq!(diagnosis.verdict, Verdict::Degraded);
    }

    #[test]
    fn a_service_that_stands_still_and_runs_is_a_contradiction() {
        let mut evidence = healthy();
        service(&mut evidence, "WsusService", ServiceState::Stopped);
        service(&mut evidence, "WsusService", ServiceState::Running);
        assert_eq!(ids(&judge(&evidence)), ["input/contradictory"]);
    }

    #[test]
    fn a_run_that_succeeded_since_says_that_it_was_started_again() {
        let mut evidence = healthy();
        service(&mut evidence, "WsusService", ServiceState::Stopped);
        evidence.facts.last_mut().expect("it").time = Some("2026-06-14T03:00:00Z".parse().expect("a time"));
        evidence.facts.last_mut().expect("it").zone = Some("UTC".into());
        utc(&mut evidence, "history.txt", "2026-06-15T03:00:00Z", run(SyncResult::Succeeded, None));
        let diagnosis = judge(&evidence);
        assert_eq!(the(&diagnosis, "config/service-stopped").severity, Severity::Info);
        assert_eq!(diagnosis.verdict, Verdict::Healthy);
    }
}
