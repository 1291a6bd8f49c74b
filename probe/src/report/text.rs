//! The report for people at a console: the cause and its repair on the first screen, the verdict on the last line.

mod handed_over;
mod layout;
mod paths;
mod tls;

use std::collections::HashSet;

use anstyle::Style;

pub(crate) use layout::wrap;

use super::Report;
use crate::describe::{self, Mark, clean};
use crate::diagnosis::{Confidence, Finding, Role, Severity, Verdict};
use crate::evidence::PathRole;
use crate::facts::{FactView, LastRun, servers};
use crate::pages;
use crate::settings::Settings;
use crate::settings::layers::Given;
use handed_over::{facts, flat, handed_over, timeline};
use layout::{BOLD, DIM, GREEN, Out, PLAIN, RED, YELLOW};
use paths::{mark, own, paths};

/// How a report is told.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether with colour.
    pub colour: bool,
    /// 1 shows every observation, 2 the peers' bytes too.
    pub verbose: u8,
    /// The longest line of prose.
    pub width: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { colour: false, verbose: 0, width: 100 }
    }
}

/// The most open questions that are told without being asked for more.
const MOST_QUESTIONS: usize = 12;

/// The whole report.
pub fn render(report: &Report, options: Options) -> String {
    let mut out = Out { text: String::new(), options };
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|f| !report.settings.suppresses(&f.id, &f.subject)).collect();
    headline(&mut out, report, &shown);
    findings(&mut out, report, &shown);
    tls::servers(&mut out, report);
    paths(&mut out, report);
    if report.verdict != Verdict::Healthy || options.verbose > 0 {
        ruled_out(&mut out, report);
    }
    unknown(&mut out, report);
    timeline(&mut out, report);
    handed_over(&mut out, report);
    if options.verbose > 0 {
        facts(&mut out, report);
    }
    conditions(&mut out, &report.settings);
    out.blank();
    for line in carries_on(report) {
        out.line(PLAIN, line);
    }
    out.line(style_of(report.verdict), &verdict_line(report, &shown));
    out.text
}

/// The last line.
pub fn verdict_line(report: &Report, shown: &[&Finding]) -> String {
    let mut line = format!("Verdict: {}", report.verdict.word());
    if report.verdict != Verdict::Healthy
        && let Some(first) = shown.first().filter(|first| {
            // What merely warns is no reason for not knowing.
            first.role == Role::Cause
                || (report.verdict != Verdict::Undetermined && first.severity <= Severity::Warning)
        })
    {
        line.push_str(&clean(&format!(" - {} at {} ({})", first.id, first.subject, confidence(first))));
        let others = shown.iter().filter(|finding| finding.role == Role::Cause).count().saturating_sub(1);
        if others > 0 {
            line.push_str(&format!(", and {others} more"));
        }
    }
    line
}

/// What a verdict means for what is there already.
fn carries_on(report: &Report) -> [&'static str; 2] {
    if report.paths.iter().any(|path| path.needed && path.role == PathRole::Tls) {
        return ["This is what one server's TLS speaks;", "no synchronization was tried."];
    }
    // Some address of a needed path came to its end, and another did not.
    let partly = report.paths.iter().filter(|path| path.needed).any(|path| {
        let own = own(report, path);
        let ends = own.iter().filter(|o| o.layer == path.until && mark(report, o) == Mark::Ok);
        let lanes: std::collections::BTreeSet<_> = own.iter().filter_map(|o| o.lane.as_deref()).collect();
        let ended: std::collections::BTreeSet<_> = ends.filter_map(|o| o.lane.as_deref()).collect();
        !ended.is_empty() && ended.len() < lanes.len()
    });
    match report.verdict {
        Verdict::Faulty if partly => [
            "Approvals and updates already synchronized go on working;",
            "new metadata, revisions and expirations arrive only by an address that works.",
        ],
        Verdict::Faulty => [
            "Approvals and updates already synchronized go on working;",
            "new metadata, revisions and expirations do not arrive.",
        ],
        Verdict::Undetermined => [
            "Approvals and updates already synchronized go on working;",
            "whether new metadata, revisions and expirations arrive could not be told.",
        ],
        Verdict::Degraded | Verdict::Healthy => [
            "This is about the synchronization of metadata;",
            "approvals and updates already synchronized go on working in any case.",
        ],
    }
}

fn style_of(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Healthy => GREEN.bold(),
        Verdict::Degraded | Verdict::Undetermined => YELLOW.bold(),
        Verdict::Faulty => RED,
    }
}

pub(super) fn confidence(finding: &Finding) -> &'static str {
    match finding.confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    }
}

pub(super) fn severity(finding: &Finding) -> &'static str {
    match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

pub(super) fn role(finding: &Finding) -> &'static str {
    match finding.role {
        Role::Cause => "CAUSE",
        Role::Contributing => "CONTRIBUTING",
        Role::Note => "NOTE",
    }
}

fn headline(out: &mut Out, report: &Report, shown: &[&Finding]) {
    if shown.iter().any(|finding| finding.role == Role::Cause) {
        // Whoever reads one screen reads the verdict first; whoever reads the end finds it there again.
        out.line(style_of(report.verdict), &verdict_line(report, shown));
        return;
    }
    if report.settings.since.is_some() {
        let joined = servers::joined(&report.facts);
        let failed = matches!(FactView::new(&joined).last_run(), LastRun::One(run) if !run.succeeded);
        out.line(
            BOLD,
            match report.verdict {
                Verdict::Healthy => "Synchronization has recovered.",
                Verdict::Degraded if failed => "Synchronization has failed again.",
                Verdict::Degraded => "A synchronization succeeded, and something needs attention.",
                Verdict::Faulty => "Synchronization has not recovered.",
                Verdict::Undetermined => "Whether synchronization has recovered could not be told.",
            },
        );
        return;
    }
    match report.verdict {
        Verdict::Healthy => out.line(BOLD, "No fault found."),
        Verdict::Degraded => out.line(BOLD, "It works, but something needs attention."),
        Verdict::Faulty => out.line(BOLD, "It does not work."),
        Verdict::Undetermined => {
            out.line(BOLD, "No cause could be told.");
            if let Some(first) = report.unknown.first() {
                out.prose(PLAIN, "  First to answer: ", &clean(&first.question));
                out.prose(PLAIN, "  Would decide:    ", &clean(&first.would_decide));
            }
            let settings = &report.settings;
            if !(settings.suppress.is_empty() && settings.only.is_empty() && settings.skip.is_empty()) {
                out.line(PLAIN, "  What --only, --skip or --suppress leaves out may be the cause: run again without them.");
            }
        }
    }
}

fn findings(out: &mut Out, report: &Report, shown: &[&Finding]) {
    let has_cause = shown.iter().any(|finding| finding.role == Role::Cause);
    let mut told: HashSet<&str> = HashSet::new();
    let mut unreadable = 0;
    for (n, finding) in shown.iter().enumerate() {
        if finding.id == "input/unreadable" && out.options.verbose == 0 {
            unreadable += 1;
            if unreadable > UNREADABLE {
                continue;
            }
        }
        if n > 0 || !out.text.is_empty() {
            out.blank();
        }
        let style = match (finding.role, finding.severity) {
            (Role::Cause, Severity::Error) => RED,
            (_, Severity::Error | Severity::Warning) => YELLOW.bold(),
            _ => BOLD,
        };
        let grade = if finding.severity == Severity::Error {
            String::new()
        } else {
            format!("{}, ", severity(finding))
        };
        out.line(
            style,
            &clean(&format!(
                "{}  {}  ({grade}{})  {}",
                role(finding),
                finding.id,
                confidence(finding),
                finding.subject
            )),
        );
        if pages::page(&finding.id).is_some() {
            out.prose(BOLD, "  ", &clean(&pages::title(&finding.id, &finding.subject)));
        }
        out.prose(PLAIN, "  Seen    ", &clean(&finding.says));
        // The same repair is told once, and in full where it is what the reader came for.
        let full = finding.role == Role::Cause || (!has_cause && finding.severity <= Severity::Warning);
        if told.insert(&finding.id) {
            remedy(out, finding, full);
        } else {
            out.prose(PLAIN, "  Repair  ", "as above");
        }
        if full || out.options.verbose > 0 {
            let rests: Vec<String> = finding.because.iter().map(|id| place(report, id)).collect();
            if !rests.is_empty() {
                out.prose(DIM, "  Rests on  ", &rests.join(", "));
            }
        }
    }
    if unreadable > UNREADABLE {
        let rest = unreadable - UNREADABLE;
        out.blank();
        out.line(
            PLAIN,
            &format!("NOTE  input/unreadable  {rest} more of them: -v tells each, and so does the JSON."),
        );
    }
}

/// The most unreadable files of a folder that are told one by one.
const UNREADABLE: usize = 5;

fn remedy(out: &mut Out, finding: &Finding, full: bool) {
    let remedy = &finding.remedy;
    if !remedy.place.is_empty() && (full || finding.role == Role::Contributing) {
        out.prose(BOLD, "  Repair  ", &clean(&remedy.place));
    }
    if !full {
        if !remedy.steps.is_empty() && pages::page(&finding.id).is_some() {
            out.prose(DIM, "  More    ", &clean(&format!("wsusprobe explain {}", finding.id)));
        }
        return;
    }
    for (n, never) in remedy.never.iter().enumerate() {
        out.prose(
            if n == 0 { BOLD } else { PLAIN },
            if n == 0 { "  Never   " } else { "          " },
            &clean(never),
        );
    }
    if !remedy.steps.is_empty() {
        out.line(BOLD, "  Steps");
        for (n, step) in remedy.steps.iter().enumerate() {
            out.prose(PLAIN, &format!("    {}. ", n + 1), &clean(step));
        }
    }
    if !remedy.commands.is_empty() {
        out.line(BOLD, "  Commands (PowerShell)");
        for command in &remedy.commands {
            // Not wrapped: they are there to be copied.
            for line in command.lines() {
                out.line(PLAIN, &format!("    {}", clean(line)));
            }
        }
    }
}

/// Where a fact or an observation stands, with its id.
fn place(report: &Report, id: &str) -> String {
    let observed = report.observations.iter().find(|o| o.id == id).map(|o| {
        let lane = o.lane.iter().map(|lane| format!(" {lane}")).collect::<String>();
        format!("{id} ({}{lane})", o.layer.word())
    });
    let stated = || {
        report.facts.iter().find(|f| f.id == id).map(|f| match f.source.line {
            Some(line) => format!("{id} ({}:{line})", f.source.file),
            None => format!("{id} ({})", f.source.file),
        })
    };
    clean(&observed.or_else(stated).unwrap_or_else(|| id.to_string()))
}

fn ruled_out(out: &mut Out, report: &Report) {
    if report.ruled_out.is_empty() {
        return;
    }
    out.heading("RULED OUT");
    for item in &report.ruled_out {
        let ids = if item.because.is_empty() {
            String::new()
        } else {
            format!("  [{}]", describe::ids(&item.because))
        };
        out.mark(Mark::Ok, &clean(&format!("{:<8} {}  {}{ids}", item.layer.word(), item.subject, item.says)));
    }
}

fn unknown(out: &mut Out, report: &Report) {
    if report.unknown.is_empty() {
        return;
    }
    out.heading("UNKNOWN");
    let most = if out.options.verbose > 0 { usize::MAX } else { MOST_QUESTIONS };
    for item in report.unknown.iter().take(most) {
        let says = if item.says.is_empty() { String::new() } else { format!("  {}", item.says) };
        out.mark(Mark::Open, &clean(&format!("{}{says}", item.question)));
        if !item.would_decide.is_empty() {
            out.prose(PLAIN, "      would decide: ", &clean(&item.would_decide));
        }
    }
    if report.unknown.len() > most {
        out.mark(Mark::Open, &format!("and {} more: -v shows all", report.unknown.len() - most));
    }
}

/// The settings of the run that are not the default: they can change the outcome.
fn conditions(out: &mut Out, settings: &Settings) {
    let value = |settings: &Settings| serde_json::to_value(settings).unwrap_or_default();
    let (given, default) = (value(settings), value(&Settings::default()));
    // Whether maps keep their order is a feature that any dependency may turn on.
    let changed: Vec<String> = Given::KEYS
        .iter()
        .filter_map(|key| Some((key, given.get(key)?)))
        .filter(|(key, value)| default.get(key) != Some(value))
        .map(|(key, value)| format!("{key} = {}", flat(value)))
        .collect();
    if !changed.is_empty() {
        out.blank();
        out.prose(DIM, "Settings of this run: ", &clean(&changed.join("; ")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::diagnosis::Unknown;

    fn text(report: &Report) -> String {
        render(report, Options::default())
    }

    #[test]
    fn the_first_screen_holds_the_cause_and_where_to_repair_it() {
        let text = text(&sample::faulty());
        let screen: Vec<&str> = text.lines().take(24).collect();
        let screen = screen.join("\n");
        for needed in [
            "CAUSE  config/endpoint-decommissioned  (certain)  MUUrl",
            "has been switched off",
            "Seen    MUUrl is https://fe2",
            "Repair  On the topmost WSUS server only",
            "Never   A downstream or replica server",
            "Steps",
        ] {
            assert!(screen.contains(needed), "{needed:?} is not on the first screen:\n{text}");
        }
        assert!(
            text.starts_with("Verdict: faulty - config/endpoint-decommissioned at MUUrl (certain)\n\nCAUSE")
        );
        assert!(text.contains("\n    iisreset\n"), "commands stand alone:\n{text}");
    }

    #[test]
    fn the_verdict_is_the_last_line() {
        for (report, last) in [
            (sample::faulty(), "Verdict: faulty - config/endpoint-decommissioned at MUUrl (certain)"),
            (sample::healthy(), "Verdict: healthy"),
        ] {
            assert_eq!(text(&report).lines().last(), Some(last));
        }
    }

    #[test]
    fn failing_layers_are_opened_and_the_rest_is_one_line() {
        let text = text(&sample::faulty());
        assert!(
            text.contains("  ok  name     A: 192.0.2.7, 192.0.2.8 (192.0.2.53:53 over udp)  12 ms"),
            "{text}"
        );
        assert!(text.contains("  ok  dial     192.0.2.7, 192.0.2.8  connected  3 ms to 9 ms"), "{text}");
        assert!(text.contains("  !!  http     192.0.2.7  POST"), "{text}");
        assert!(text.contains("< server: Microsoft-HTTPAPI/2.0"), "{text}");
        assert!(!text.contains("first bytes: HTTP/1.1 503"), "{text}");
        assert!(text.contains("  --  wsus     192.0.2.7  not reached"), "{text}");
        assert!(text.contains("RULED OUT") && text.contains("UNKNOWN") && text.contains("would decide:"));
        assert!(text.contains("new metadata, revisions and expirations do not arrive"));
        let order: Vec<usize> =
            ["CAUSE", "NOTE", "PATHS", "ALSO ASKED", "RULED OUT", "UNKNOWN", "do not arrive.", "Verdict:"]
                .iter()
                .map(|part| text.rfind(part).unwrap_or_else(|| panic!("{part}\n{text}")))
                .collect();
        assert!(order.is_sorted(), "{order:?}\n{text}");
    }

    #[test]
    fn differentials_and_bytes_wait_for_v() {
        let report = sample::faulty();
        assert!(!text(&report).contains("without SNI"));
        let more = render(&report, Options { verbose: 1, ..Options::default() });
        assert!(more.contains("? 192.0.2.7  without SNI: hello of Windows Server 2019"), "{more}");
        assert!(more.contains("FACTS") && !more.contains("first bytes: \\x15"));
        let all = render(&report, Options { verbose: 2, ..Options::default() });
        assert!(all.contains("first bytes: \\x15"), "{all}");
    }

    #[test]
    fn a_healthy_report_is_short() {
        let text = text(&sample::healthy());
        assert!(text.lines().count() <= 10, "{text}");
        assert!(text.contains("(source): 4 steps"), "{text}");
    }

    #[test]
    fn an_undetermined_one_says_first_what_would_decide() {
        let mut report = sample::healthy();
        report.verdict = Verdict::Undetermined;
        report.unknown.push(Unknown {
            question: "Does the proxy resolve it?".into(),
            says: String::new(),
            would_decide: "the proxy's own log".into(),
            because: vec![],
        });
        let text = text(&report);
        assert!(text.starts_with("No cause could be told.\n  First to answer: Does the proxy"), "{text}");
    }

    #[test]
    fn a_strangers_report_cannot_drive_the_terminal() {
        let mut report = sample::faulty();
        let evil = "\u{1b}[2J\u{1b}]0;x\u{7}\r\nVerdict: healthy\u{202e}\u{9b}1m";
        report.findings[0].id = evil.into();
        report.findings[0].subject = evil.into();
        report.findings[0].says = evil.into();
        report.findings[0].because = vec![evil.into()];
        report.findings[0].remedy.steps = vec![evil.into()];
        report.findings[0].remedy.commands = vec![evil.into()];
        report.findings[0].remedy.never = vec![evil.into()];
        report.findings[0].remedy.place = evil.into();
        report.paths[0].id = evil.into();
        report.paths[0].target.host = evil.into();
        report.settings.suppress = vec![evil.into()];
        for observation in &mut report.observations {
            observation.path = evil.into();
            observation.lane = Some(evil.into());
            observation.raw = Some(evil.into());
            observation.question = observation.question.as_ref().map(|_| evil.into());
        }
        for item in &mut report.ruled_out {
            item.subject = evil.into();
            item.because = vec![evil.into()];
        }
        report.unknown[0].question = evil.into();
        report.unknown[0].would_decide = evil.into();
        report.facts[0].source.file = evil.into();
        let options = Options { verbose: 2, ..Options::default() };
        for text in [render(&report, options), super::super::short::render(&report)] {
            assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
            assert_eq!(text.lines().filter(|line| line.starts_with("Verdict:")).count(), 1);
        }
    }

    #[test]
    fn lines_fit_and_colour_is_only_added() {
        let report = sample::faulty();
        for width in [80, 100] {
            let plain = render(&report, Options { width, ..Options::default() });
            // Commands are there to be copied.
            for line in plain.lines().filter(|line| !line.starts_with("    $config")) {
                assert!(line.chars().count() <= width, "{line}");
            }
            let coloured = render(&report, Options { width, colour: true, ..Options::default() });
            let mut bare = String::new();
            let mut rest = coloured.as_str();
            while let Some(at) = rest.find('\u{1b}') {
                bare.push_str(&rest[..at]);
                rest = rest[at..].split_once('m').unwrap().1;
            }
            bare.push_str(rest);
            assert_eq!(bare, plain);
        }
    }

    #[test]
    fn the_time_line_says_which_times_are_local() {
        let mut report = sample::faulty();
        assert!(!text(&report).contains("TIME LINE"));
        let moment = |time: &str, zone: Option<&str>, says: &str| crate::timeline::Moment {
            time: Some(time.parse().unwrap()),
            zone: zone.map(str::to_string),
            says: says.into(),
            because: vec!["f1".into()],
        };
        report.timeline = vec![
            moment("2026-06-10T03:00:00Z", Some("UTC"), "The last success"),
            moment("2026-06-11T12:00:00Z", None, "KB5000000 was installed\u{1b}[2J"),
        ];
        let text = text(&report);
        assert!(text.contains("  2026-06-10 03:00:00Z  The last success"), "{text}");
        assert!(text.contains("  2026-06-11 12:00:00   KB5000000"), "{text}");
        assert!(text.contains("local ones") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_is_suppressed_is_not_shown() {
        let mut report = sample::faulty();
        report.settings.suppress = vec!["config/endpoint-decommissioned=MUUrl".into()];
        let text = text(&report);
        assert!(!text.contains("CAUSE"), "{text}");
        assert!(text.contains("suppress = config/endpoint-decommissioned=MUUrl"), "{text}");
    }

    #[test]
    fn wrapping_keeps_words() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("a  b", 9), ["a  b"]);
        assert_eq!(wrap("abcdefgh i", 4), ["abcdefgh", "i"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
