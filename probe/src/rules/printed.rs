//! What the server's own commands printed and no finding rests on: what it leaves open, with the test that would decide.

use super::{Given, Seen, place};
use crate::diagnosis::Finding;
use crate::facts::{Fact, LastRun, LoggedFailure, ServiceState, Statement};

/// The statements that it reads.
pub(super) const FACTS: &[&str] = &[
    "not-collected",
    "http-test",
    "clock-source",
    "service",
    "chain-verdict",
    "iis-access",
    "iis-answer",
    "pool-setting",
    "log-failure",
    "log-sync",
    "sync-run",
    "clock-jump",
];

/// The most things of a kind that one question names.
const FEW: usize = 6;
/// The account of the service, as Windows calls it in five languages.
const SERVICE_ACCOUNT: [&str; 5] =
    ["NETWORK SERVICE", "Netzwerkdienst", "SERVICE RÉSEAU", "Servicio de red", "SERVIZIO DI RETE"];
/// The site of WSUS in IIS.
const SITE: &str = "WSUS Administration";
/// Its directories that serve clients without TLS whatever the others do.
const IN_CLEAR: [&str; 2] = ["SelfUpdate", "Content"];

pub(super) fn give(seen: &Seen, given: &mut Given) {
    not_collected(seen, given);
    tests(seen, given);
    accounts(seen, given);
    clock(seen, given);
    verdicts(seen, given);
    directories(seen, given);
    answers(seen, given);
}

fn ids<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Vec<String> {
    facts.into_iter().take(20).map(|fact| fact.id.clone()).collect()
}

/// The first of a list, and how many more there are.
fn few(items: &[String]) -> String {
    match items.len().saturating_sub(FEW) {
        0 => place::list(items),
        more => format!("{} and {more} more", items[..FEW].join(", ")),
    }
}

/// The message in an exception's parts, without the bar before a native code that is not there.
fn message(part: &str) -> String {
    part.trim().trim_end_matches('|').trim_end().chars().take(160).collect()
}

/// What a collection could not read: it is not known, and not absent.
fn not_collected(seen: &Seen, given: &mut Given) {
    let (mut facts, mut shown) = (Vec::new(), Vec::new());
    for fact in seen.facts.all() {
        let Statement::NotCollected { source, why } = &fact.statement else { continue };
        let why: String = why.chars().take(120).collect();
        shown.push(format!("{source} ({why})"));
        facts.push(fact);
    }
    let Some(first) = facts.first() else { return };
    given.open(
        "What could not be collected on the server?",
        format!("{} holds nothing of {}: what it would have said is not known.", first.source.file, few(&shown)),
        "collect once more on the WSUS server, in a console that was opened as administrator, or hand over by hand what is missing",
        ids(facts.iter().copied()),
    );
}

/// What tells one test from another: URL, proxy, account, status, the outermost exception.
type Test<'a> = (&'a str, &'a str, &'a str, Option<u16>, Option<&'a String>);

/// The server's own test came to no good answer.
fn tests(seen: &Seen, given: &mut Given) {
    // Tests that differ in the protocol alone and end alike are one.
    let mut asked_already: Vec<Test> = Vec::new();
    for fact in seen.facts.all() {
        let Statement::HttpTest { url, proxy, protocol, account, status, exceptions } = &fact.statement
        else {
            continue;
        };
        let like: Test = (url.as_str(), proxy.as_str(), account.as_str(), *status, exceptions.first());
        if asked_already.contains(&like) {
            continue;
        }
        asked_already.push(like);
        let told = given.findings.iter().any(|found| found.because.contains(&fact.id));
        if told || status.is_some_and(|status| status < 400) {
            continue;
        }
        let text = exceptions.join(" ");
        let has = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
        let outcome = match status {
            Some(status) => format!("HTTP status {status}"),
            None => match exceptions.first().and_then(|first| first.split(" | ").nth(1)).map(message) {
                Some(message) if !message.is_empty() => format!("\"{message}\""),
                _ => "an exception without a text".into(),
            },
        };
        let host = url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_string));
        let asked = if url.is_empty() { "a URL that is not told" } else { url.as_str() };
        let through = if proxy.is_empty() { String::new() } else { format!(" through {proxy}") };
        let by = if account.is_empty() { String::new() } else { format!(" by {account}") };
        // Of one that was typed, which names no account, what was set before it does not show.
        let with = match (account.as_str(), protocol.as_str()) {
            ("", _) => String::new(),
            (_, "") => " with .NET's default protocol".into(),
            (_, protocol) => format!(" with {protocol}"),
        };
        let said = format!("{}: {asked}, asked{through}{by}{with}, gave {outcome}", fact.source.file);
        let name = host.map_or_else(
            || "wsusprobe check of the source, on this server".to_string(),
            |host| format!("wsusprobe check https://{host} --until name, on this server"),
        );
        let (why, test): (&str, &str) = match status {
            Some(407) if account.is_empty() => (
                "whether it sent credentials, and which, does not show",
                "hand over the configuration (AnonymousProxyAccess, HasProxyPassword), or wsusprobe check of the source with \
                 --proxy and --proxy-user",
            ),
            Some(407) => (
                "it sends no credentials, and a synchronization whose WSUS has a password stored does",
                "hand over the configuration (AnonymousProxyAccess, HasProxyPassword), or wsusprobe check of the source with \
                 --proxy and --proxy-user",
            ),
            Some(_) => (
                "whether the proxy, HTTP.sys, IIS or WSUS gave it does not show",
                "wsusprobe check of the source, on this server: the Server header tells",
            ),
            None if has(&["NameResolution", "could not be resolved", "11001", "11004"]) => (
                "a wrong name, a name server that fails and a site where only the proxy resolves the outside all look so",
                &name,
            ),
            None if has(&["trust relationship", "TrustFailure", "remote certificate is invalid"]) => (
                "a root, an intermediate, a name, a date and a re-signing proxy all look so",
                "wsusprobe check of the source, on this server: the chain on the wire tells",
            ),
            None => (
                "the text alone does not tell where it was lost",
                "wsusprobe check of the source, on this server, with --proxy as WSUS is configured",
            ),
        };
        given.open(
            "Why does the server's own test fail?",
            format!("{said}: {why}."),
            test,
            vec![fact.id.clone()],
        );
    }
}

/// Whether the server's own test of the source came to no answer, or to the proxy's demand where WSUS has no password stored,
/// and nothing speaks against it: a path that works elsewhere makes no such server healthy.
pub(crate) fn own_test_failed(seen: &Seen, findings: &[Finding]) -> bool {
    if matches!(seen.facts.last_run(), LastRun::One(run) if run.succeeded) {
        return false;
    }
    let host = |url: &str| url::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_lowercase));
    let of_source =
        |url: &str| host(url).is_some_and(|host| seen.needed().any(|path| path.info.target.host == host));
    let stored = seen.facts.flag("HasProxyPassword").is_some_and(|(_, stored)| stored);
    // One that was typed names no account, and no proxy either: it speaks for its like alone.
    let answered = |wanted: &str, through: &str, typed: bool| {
        seen.facts.all().iter().any(|fact| {
            matches!(&fact.statement, Statement::HttpTest { url, proxy, account, status: Some(status), .. }
                if url == wanted && proxy == through && account.is_empty() == typed && *status != 407)
        })
    };
    seen.facts.all().iter().any(|fact| {
        let Statement::HttpTest { url, proxy, account, status, .. } = &fact.statement else { return false };
        let failed = status.is_none() || (*status == Some(407) && !stored);
        let explained = findings.iter().any(|found| found.because.contains(&fact.id));
        failed && of_source(url) && !answered(url, proxy, account.is_empty()) && !explained
    })
}

/// A test runs under the account that starts it; synchronization runs under the service's.
fn accounts(seen: &Seen, given: &mut Given) {
    let (mut facts, mut shown): (Vec<&Fact>, Vec<String>) = (Vec::new(), Vec::new());
    for fact in seen.facts.all() {
        let Statement::HttpTest { account, .. } = &fact.statement else { continue };
        let name = account.rsplit('\\').next().unwrap_or_default().trim();
        if SERVICE_ACCOUNT.iter().any(|own| own.to_lowercase() == name.to_lowercase()) {
            continue;
        }
        let by = if name.is_empty() { "an account that is not told".to_string() } else { account.clone() };
        facts.push(fact);
        if !shown.contains(&by) {
            shown.push(by);
        }
    }
    if facts.is_empty() {
        return;
    }
    // Two commands: what joins them in one console is an error in the other. The number is NETWORK SERVICE in every language;
    // that account may read and write in ProgramData.
    given.open(
        "Does the test end the same under the service's account?",
        format!(
            "The server's own test ran as {}; synchronization runs as NETWORK SERVICE, whose proxy, certificates and rights are \
             its own.",
            few(&shown)
        ),
        "as administrator, with wsusprobe.exe copied to C:\\ProgramData: schtasks /create /tn wsusprobe /sc once /st 00:00 \
         /ru S-1-5-20 /tr \"C:\\ProgramData\\wsusprobe.exe collect -o json=C:\\ProgramData\\wsusprobe.json\" /f - then: schtasks \
         /run /tn wsusprobe - and hand over C:\\ProgramData\\wsusprobe.json (schtasks /delete /tn wsusprobe /f clears up)",
        ids(facts),
    );
}

/// The last failure on record that a wrong clock could stand behind.
fn by_date<'a>(seen: &Seen<'a>) -> Option<&'a Fact> {
    seen.facts.all().iter().rev().find(|fact| {
        let fits = match &fact.statement {
            Statement::LogFailure { failure: LoggedFailure::NotTrusted, .. } => true,
            Statement::LogFailure { failure: LoggedFailure::Code { code }, .. } => {
                code.eq_ignore_ascii_case("0x80072F8F")
            }
            _ => false,
        };
        fits && !seen.succeeded_after(fact)
    })
}

/// A clock that nothing corrects: it supports a clock that is wrong, and proves none.
fn clock(seen: &Seen, given: &mut Given) {
    let free = seen.facts.all().iter().rev().find_map(|fact| match &fact.statement {
        Statement::ClockSource { source, synchronized: false } => {
            Some((fact, format!("Nothing corrects this server's clock (w32tm: {source}")))
        }
        Statement::Service { name, state: ServiceState::Stopped, .. }
            if name.eq_ignore_ascii_case("W32Time") =>
        {
            Some((fact, "This server's time service does not run (W32Time".into()))
        }
        _ => None,
    });
    let Some((fact, free)) = free else { return };
    if let Some(found) = given.findings.iter_mut().find(|found| found.id == "trust/clock-skew") {
        found.says.push_str(&format!(" {free})."));
        found.because.push(fact.id.clone());
        return;
    }
    let Some(failure) = by_date(seen) else { return };
    given.open(
        "Is this server's clock right?",
        format!(
            "{free}, {}), and a chain that was not trusted is on record ({}): with a wrong clock a \
             valid certificate looks expired or not yet valid.",
            fact.source.file, failure.source.file
        ),
        "compare date, time and time zone of this server (Get-Date, Get-TimeZone) with a clock that is right; w32tm /stripchart \
         /computer:NAME /samples:3 /dataonly asks another one",
        vec![fact.id.clone(), failure.id.clone()],
    );
}

/// Windows' own verdict on a chain, of a file: whether it is the one that synchronization meets does not show.
fn verdicts(seen: &Seen, given: &mut Given) {
    for fact in seen.facts.all() {
        let Statement::ChainVerdict { subject, good: false, errors, unreachable } = &fact.statement else {
            continue;
        };
        let errors = if errors.is_empty() { "an error".to_string() } else { few(errors) };
        let fetched = if unreachable.is_empty() {
            String::new()
        } else {
            format!(", and could not fetch {}", few(unreachable))
        };
        given.open(
            "Is that the certificate which synchronization meets?",
            format!(
                "certutil's verdict on \"{subject}\" ({}) names {errors}{fetched}. It is that of the account and the machine that \
                 ran it, on a file.",
                fact.source.file
            ),
            "wsusprobe check of the source, on this server, shows the chain on the wire; run certutil -verify -urlfetch as the \
             service's account where the two differ",
            vec![fact.id.clone()],
        );
    }
}

/// SelfUpdate and Content require TLS by IIS' configuration: clients and downstream servers ask them without.
fn directories(seen: &Seen, given: &mut Given) {
    let required = |file: &str, path: &str| {
        seen.facts.all().iter().rev().find_map(|fact| match &fact.statement {
            Statement::IisAccess { path: its, requires_tls, .. }
                if fact.source.file == file && its.trim_matches('/').eq_ignore_ascii_case(path) =>
            {
                Some((fact, *requires_tls))
            }
            _ => None,
        })
    };
    let mut files: Vec<&str> = Vec::new();
    for fact in seen.facts.all() {
        if matches!(fact.statement, Statement::IisAccess { .. })
            && !files.contains(&fact.source.file.as_str())
        {
            files.push(&fact.source.file);
        }
    }
    for file in files {
        // The deepest place that says something decides.
        let of = |directory: &str| {
            let own = required(file, &format!("{SITE}/{directory}"));
            own.or_else(|| required(file, SITE)).filter(|(_, tls)| *tls).map(|(fact, _)| fact)
        };
        let found: Vec<(String, &Fact)> = IN_CLEAR
            .into_iter()
            .filter_map(|directory| Some((format!("{SITE}/{directory}"), of(directory)?)))
            .collect();
        if found.is_empty() {
            continue;
        }
        let names: Vec<&String> = found.iter().map(|(name, _)| name).collect();
        given.open(
            "Do clients and downstream servers get what they ask for without TLS?",
            format!(
                "By {file} IIS requires TLS of {} on this server; WSUS serves both over plain HTTP, whatever its web services use. \
                 This server's own synchronization does not meet it.",
                place::list(&names)
            ),
            "http://THIS-SERVER:8530/selfupdate/wuident.cab from a client; in IIS, SSL Settings of SelfUpdate and Content must not \
             require SSL",
            ids(found.into_iter().map(|(_, fact)| fact)),
        );
    }
}

/// Whether an answer tells of something wrong on the server that gave it.
fn is_bad(directory: &str, status: u16, substatus: u16, reason: &str) -> bool {
    const REASONS: [&str; 4] = ["AppOffline", "QueueFull", "AppShutdown", "AppPoolTimer"];
    let service = directory.to_ascii_lowercase().contains("service");
    REASONS.contains(&reason)
        || (500..600).contains(&status)
        || (status == 403 && matches!(substatus, 4 | 7))
        || (service && matches!(status, 401 | 403 | 404))
}

/// Whether an answer came of the application pool's own state.
fn is_about_the_pool(text: &str) -> bool {
    ["AppOffline", "QueueFull", " 503"].iter().any(|own| text.contains(own))
}

/// What others met at this server's IIS.
fn answers(seen: &Seen, given: &mut Given) {
    let (mut facts, mut shown): (Vec<&Fact>, Vec<String>) = (Vec::new(), Vec::new());
    for fact in seen.facts.all() {
        let Statement::IisAnswer { directory, status, substatus, reason, count } = &fact.statement else {
            continue;
        };
        if !is_bad(directory, *status, *substatus, reason) {
            continue;
        }
        let status = match (status, substatus) {
            (0, _) => String::new(),
            (status, 0) => format!(" {status}"),
            (status, substatus) => format!(" {status}.{substatus}"),
        };
        let reason = if reason.is_empty() { String::new() } else { format!(" {reason}") };
        let last = fact.time.map(|at| format!(", last at {at}")).unwrap_or_default();
        let times = if *count == 1 { "once".to_string() } else { format!("{count} times") };
        shown.push(format!("{directory}{status}{reason} ({times}{last})"));
        facts.push(fact);
    }
    let Some(first) = facts.first().copied() else { return };
    // How the pool is set may be why it was full or taken off.
    let mut settings: Vec<String> = Vec::new();
    for fact in seen.facts.all().iter().filter(|_| shown.iter().any(|text| is_about_the_pool(text))) {
        if let Statement::PoolSetting { pool, setting, value } = &fact.statement
            && pool.eq_ignore_ascii_case("WsusPool")
            && matches!(setting.as_str(), "queueLength" | "privateMemory")
        {
            settings
                .push(format!("{setting} {value}{}", if setting == "privateMemory" { " KiB" } else { "" }));
            facts.push(fact);
        }
    }
    let set = if settings.is_empty() {
        String::new()
    } else {
        format!(" WsusPool is set to {}.", place::list(&settings))
    };
    given.open(
        "What did others meet at this server's IIS?",
        format!(
            "{} tells of {}. It is what clients, downstream servers and the console met here, and not what this server met \
             upstream.{set}",
            first.source.file,
            few(&shown)
        ),
        "Get-WebAppPoolState WsusPool, and SoftwareDistribution.log and the Application log of this server at those times",
        ids(facts),
    );
}

#[cfg(test)]
mod tests {
    use super::super::tests::of;
    use super::super::told::{failure, healthy, ids, sync, the, utc};
    use super::*;
    use crate::diagnosis::{Unknown, Verdict, judge};
    use crate::evidence::Evidence;
    use crate::facts::SyncEvent;

    /// The question about a fact, where there is one.
    fn about(evidence: &Evidence, id: &str) -> Vec<Unknown> {
        let diagnosis = judge(evidence);
        // What is only asked changes no verdict.
        assert!(ids(&diagnosis).iter().all(|id| id.starts_with("history/")), "{:?}", ids(&diagnosis));
        diagnosis.unknown.into_iter().filter(|open| open.because.iter().any(|its| its == id)).collect()
    }

    #[test]
    fn what_was_not_collected_is_unknown_with_its_reason() {
        let mut evidence = healthy();
        let (source, why) = ("subscription".to_string(), "Access is denied.".to_string());
        let id = utc(&mut evidence, "server.json", "", Statement::NotCollected { source, why });
        let open = about(&evidence, &id);
        assert!(open[0].says.contains("subscription (Access is denied.)"), "{}", open[0].says);
        assert_eq!(judge(&evidence).verdict, Verdict::Healthy);
    }

    fn test(account: &str, status: Option<u16>, exception: &str) -> Statement {
        Statement::HttpTest {
            url: "https://sws.update.microsoft.com/ServerSyncWebService/ServerSyncWebService.asmx".into(),
            proxy: String::new(),
            protocol: String::new(),
            account: account.into(),
            status,
            exceptions: if exception.is_empty() { Vec::new() } else { vec![exception.into()] },
        }
    }

    #[test]
    fn a_test_by_another_account_than_the_service_s_asks_for_one_by_it() {
        for (account, asked) in [
            (r"CORP\admin", true),
            ("", true),
            (r"NT AUTHORITY\NETWORK SERVICE", false),
            (r"NT-AUTORITÄT\Netzwerkdienst", false),
        ] {
            let mut evidence = healthy();
            let id = utc(&mut evidence, "test.txt", "", test(account, Some(200), ""));
            let open = about(&evidence, &id);
            assert_eq!(!open.is_empty(), asked, "{account}");
            if asked {
                assert!(open[0].would_decide.contains("schtasks /create"), "{}", open[0].would_decide);
                // One line of cmd is none of PowerShell's: nothing joins the two commands.
                assert!(!open[0].would_decide.contains(['&', '%']));
            }
        }
    }

    #[test]
    fn a_test_that_fails_is_asked_about_once_and_blames_nothing() {
        let service = r"NT AUTHORITY\NETWORK SERVICE";
        let name = "System.Net.WebException | The remote name could not be resolved: 'x' |";
        for (status, exception, why) in [
            (
                Some(407),
                "System.Net.WebException | (407) Proxy Authentication Required. |",
                "sends no credentials",
            ),
            (None, name, "name server"),
            (None, "System.Net.WebException | Could not establish trust relationship |", "re-signing"),
        ] {
            let mut evidence = healthy();
            let id = utc(&mut evidence, "test.txt", "", test(service, status, exception));
            utc(&mut evidence, "test.txt", "", test(service, status, exception));
            let open = about(&evidence, &id);
            assert_eq!(open.len(), 1);
            assert!(open[0].says.contains(why) && !open[0].says.contains('|'), "{}", open[0].says);
            let all = judge(&evidence).unknown;
            assert_eq!(all.iter().filter(|o| o.question == open[0].question).count(), 1);
        }
    }

    #[test]
    fn a_way_that_works_elsewhere_makes_no_server_healthy_whose_own_test_failed() {
        let broken = "System.Net.WebException | Could not establish trust relationship |";
        let verdict = |facts: &[Statement]| {
            let mut evidence = healthy();
            for fact in facts {
                utc(&mut evidence, "test.txt", "2026-06-15T01:00:00Z", fact.clone());
            }
            judge(&evidence).verdict
        };
        let (service, none) = (r"NT AUTHORITY\NETWORK SERVICE", None);
        assert_eq!(verdict(&[test(service, none, broken)]), Verdict::Undetermined);
        assert_eq!(verdict(&[test(service, Some(407), "")]), Verdict::Undetermined);
        // The same was answered, or a synchronization succeeded, or the answer is the source's own.
        assert_eq!(verdict(&[test(service, none, broken), test(service, Some(200), "")]), Verdict::Healthy);
        assert_eq!(verdict(&[test(service, none, broken), sync(SyncEvent::Succeeded)]), Verdict::Healthy);
        assert_eq!(verdict(&[test(service, Some(500), "")]), Verdict::Healthy);
        let mut other = test(service, none, broken);
        if let Statement::HttpTest { url, .. } = &mut other {
            *url = "https://elsewhere.example.test/".into();
        }
        assert_eq!(verdict(&[other]), Verdict::Healthy);
    }

    #[test]
    fn of_a_test_that_was_typed_the_error_alone_is_known() {
        let mut evidence = healthy();
        let typed = test("", Some(407), "System.Net.WebException | (407) Proxy Authentication Required. |");
        let id = utc(&mut evidence, "typed.txt", "", typed);
        let says: String = about(&evidence, &id).into_iter().map(|open| open.says).collect();
        assert!(says.contains("does not show") && !says.contains("default protocol"), "{says}");
        // Whether it went the way that a test of this program went is not told.
        let (service, ok) = (r"NT AUTHORITY\NETWORK SERVICE", Some(200));
        for (other, verdict) in [(service, Verdict::Undetermined), ("", Verdict::Healthy)] {
            let mut evidence = healthy();
            utc(&mut evidence, "typed.txt", "", test("", None, "System.Net.WebException | x |"));
            utc(&mut evidence, "typed.txt", "", test(other, ok, ""));
            assert_eq!(judge(&evidence).verdict, verdict, "{other}");
        }
    }

    #[test]
    fn a_clock_that_nothing_corrects_matters_where_a_chain_was_not_trusted() {
        let free = |synchronized| Statement::ClockSource { source: "Local CMOS Clock".into(), synchronized };
        let service =
            |state| Statement::Service { name: "W32Time".into(), state, start: "Manual".to_string() };
        let told = failure("WsusService", LoggedFailure::NotTrusted);
        for (alone, corrected) in
            [(free(false), free(true)), (service(ServiceState::Stopped), service(ServiceState::Running))]
        {
            let mut evidence = healthy();
            let id = utc(&mut evidence, "w32tm.txt", "", alone.clone());
            assert!(about(&evidence, &id).is_empty());
            assert_eq!(judge(&evidence).verdict, Verdict::Healthy);
            utc(&mut evidence, "log", "2026-06-15T01:00:00Z", told.clone());
            assert_eq!(about(&evidence, &id).len(), 1);
            let mut kept = healthy();
            let right = utc(&mut kept, "w32tm.txt", "", corrected);
            utc(&mut kept, "log", "2026-06-15T01:00:00Z", told.clone());
            assert!(about(&kept, &right).is_empty());
            utc(&mut evidence, "log", "2026-06-15T03:00:00Z", sync(SyncEvent::Succeeded));
            assert!(about(&evidence, &id).is_empty());
            // It supports a clock that is known to be wrong.
            let mut evidence = of("trust-clock-skew");
            let id = utc(&mut evidence, "w32tm.txt", "", alone);
            assert!(the(&judge(&evidence), "trust/clock-skew").because.contains(&id));
        }
    }

    #[test]
    fn certutil_s_verdict_is_one_on_a_file() {
        let verdict = |good, errors: &[&str]| Statement::ChainVerdict {
            subject: "CN=upstream".into(),
            good,
            errors: errors.iter().map(|error| (*error).to_string()).collect(),
            unreachable: Vec::new(),
        };
        let mut evidence = healthy();
        let good = utc(&mut evidence, "good.txt", "", verdict(true, &[]));
        let bad = utc(&mut evidence, "bad.txt", "", verdict(false, &["CERT_TRUST_IS_UNTRUSTED_ROOT"]));
        assert!(about(&evidence, &good).is_empty());
        assert!(about(&evidence, &bad)[0].says.contains("CERT_TRUST_IS_UNTRUSTED_ROOT"));
        assert_eq!(judge(&evidence).verdict, Verdict::Healthy);
    }

    #[test]
    fn a_directory_that_must_not_require_tls_is_asked_about_where_it_does() {
        let access = |path: &str, requires_tls| Statement::IisAccess {
            path: path.into(),
            requires_tls,
            requires_certificate: false,
        };
        let asked = |told: &[(&str, bool)]| {
            let mut evidence = healthy();
            for (path, tls) in told {
                utc(&mut evidence, "applicationHost.config", "", access(path, *tls));
            }
            let open =
                judge(&evidence).unknown.into_iter().find(|open| open.question.contains("without TLS"));
            open.map(|open| open.says)
        };
        let both = asked(&[("WSUS Administration", true)]).expect("it");
        assert!(both.contains("SelfUpdate") && both.contains("Content"));
        let one =
            asked(&[("WSUS Administration", true), ("WSUS Administration/content", false)]).expect("it");
        assert!(one.contains("SelfUpdate") && !one.contains("Administration/Content"));
        assert!(asked(&[("WSUS Administration/ClientWebService", true)]).is_none());
        assert!(asked(&[("Default Web Site/Content", true)]).is_none());
    }

    #[test]
    fn how_the_pool_is_set_stands_beside_what_it_did() {
        for (status, named) in [(503, true), (500, false)] {
            let mut evidence = healthy();
            let answer = Statement::IisAnswer {
                directory: "/ClientWebService".into(),
                status,
                substatus: 0,
                reason: String::new(),
                count: 1,
            };
            let id = utc(&mut evidence, "u_ex.log", "2026-05-01T01:00:00Z", answer);
            let (pool, setting, value) = ("WsusPool".into(), "queueLength".into(), "1000".into());
            utc(&mut evidence, "applicationHost.config", "", Statement::PoolSetting { pool, setting, value });
            assert_eq!(about(&evidence, &id)[0].says.contains("queueLength 1000"), named, "{status}");
        }
    }

    #[test]
    fn what_others_met_here_is_no_failure_of_synchronization() {
        let answer = |directory: &str, status, substatus, reason: &str| Statement::IisAnswer {
            directory: directory.into(),
            status,
            substatus,
            reason: reason.into(),
            count: 9,
        };
        for (directory, status, substatus, reason, asked) in [
            ("/ServerSyncWebService", 500, 0, "", true),
            ("/ClientWebService", 503, 0, "AppOffline", true),
            ("/SelfUpdate", 403, 4, "", true),
            ("/ClientWebService", 200, 0, "", false),
            ("/Content", 404, 0, "", false),
            ("/ClientWebService", 0, 0, "Timer_ConnectionIdle", false),
        ] {
            let mut evidence = healthy();
            let told = answer(directory, status, substatus, reason);
            let id = utc(&mut evidence, "httperr1.log", "2026-05-01T01:00:00Z", told);
            assert_eq!(!about(&evidence, &id).is_empty(), asked, "{directory} {status}");
            assert_eq!(judge(&evidence).verdict, Verdict::Healthy);
        }
    }
}
