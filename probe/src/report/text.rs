//! The report for people at a console: the cause and its repair on the first screen, the verdict on the last line.

mod tls;

use std::collections::{HashMap, HashSet};

use anstyle::{AnsiColor, Style};

use super::Report;
use crate::describe::{self, Mark, clean};
use crate::diagnosis::{Confidence, Finding, Role, Severity, Verdict};
use crate::evidence::{
    HandshakeAnswer, HttpAnswer, Layer, Observation, Outcome, PathInfo, PathRole, SoapAnswer,
};
use crate::facts::{Fact, FactView, LastRun, ServiceState, Statement, servers};
use crate::pages;
use crate::settings::Settings;
use crate::settings::layers::Given;

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

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();

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

fn paths(out: &mut Out, report: &Report) {
    if report.paths.is_empty() {
        return;
    }
    let brief = report.verdict == Verdict::Healthy && out.options.verbose == 0;
    let (needed, asked): (Vec<_>, Vec<_>) = report.paths.iter().partition(|path| path.needed);
    if !needed.is_empty() {
        out.heading("PATHS, in the order that packets take");
    }
    for path in needed {
        if brief {
            let own = own(report, path);
            let us = own.iter().map(|o| o.took_us).sum();
            let mark = if own.iter().any(|o| mark(report, o) == Mark::Bad) { Mark::Idle } else { Mark::Ok };
            out.mark(
                mark,
                &format!(
                    "{} ({}): {} steps, {}",
                    describe::path(path),
                    describe::role(path.role),
                    own.len(),
                    describe::took(us)
                ),
            );
        } else {
            one_path(out, report, path);
        }
    }
    if asked.is_empty() {
        return;
    }
    if out.options.verbose > 0 {
        for path in asked {
            one_path(out, report, path);
        }
    } else if !brief {
        out.heading("ALSO ASKED (nothing of this is needed)");
        for path in asked {
            beside(out, report, path);
        }
    }
}

/// The path's own steps: no differentials.
fn own<'a>(report: &'a Report, path: &PathInfo) -> Vec<&'a Observation> {
    report.observations.iter().filter(|o| o.path == path.id && o.question.is_none()).collect()
}

/// The mark of an observation within its report: an HTTP answer that holds SOAP is judged by the SOAP in it.
fn mark(report: &Report, observation: &Observation) -> Mark {
    let soap = |o: &&Observation| o.path == observation.path && o.lane == observation.lane;
    let mut fault = report.observations.iter().filter(soap).filter_map(|o| match &o.outcome {
        Outcome::Soap { answer, .. } => Some(answer),
        _ => None,
    });
    match &observation.outcome {
        Outcome::Http { answer: HttpAnswer::Response { status: 500, complete: true, .. }, .. }
            if fault.any(|answer| matches!(answer, SoapAnswer::Fault { .. })) =>
        {
            Mark::Ok
        }
        // A session that our own client did not complete is no fault of the server.
        Outcome::Handshake { answer, .. }
            if !matches!(answer, HandshakeAnswer::Done { .. }) && report.observations.iter().any(|o| {
                o.path == observation.path
                    && o.lane == observation.lane
                    && matches!(&o.outcome, Outcome::NotReached { because, .. } if because == "own client")
            }) =>
        {
            Mark::Open
        }
        _ => describe::mark(observation),
    }
}

fn one_path(out: &mut Out, report: &Report, path: &PathInfo) {
    let head = format!("{}  {} ({})", clean(&path.id), describe::path(path), describe::role(path.role));
    out.line(BOLD, &head);
    let mut layers: Vec<Layer> =
        report.observations.iter().filter(|o| o.path == path.id).map(|o| o.layer).collect();
    layers.sort();
    layers.dedup();
    layers.retain(|&layer| report.settings.reports_on(layer));
    let own = own(report, path);
    for layer in layers {
        let mut rows: Vec<(Mark, String, Vec<&Observation>)> = Vec::new();
        for observation in own.iter().copied().filter(|o| o.layer == layer) {
            let (mark, says) = (mark(report, observation), describe::outcome(&observation.outcome));
            match rows.iter_mut().find(|row| row.0 == mark && row.1 == says) {
                Some(row) => row.2.push(observation),
                None => rows.push((mark, says, vec![observation])),
            }
        }
        for (n, (mark, says, observations)) in rows.iter().enumerate() {
            let word = if n == 0 { layer.word() } else { "" };
            let mut lanes: Vec<String> =
                observations.iter().filter_map(|o| o.lane.as_deref().map(clean)).collect();
            lanes.dedup();
            let lane = if lanes.is_empty() { String::new() } else { format!("{}  ", lanes.join(", ")) };
            // A step that was not taken took no time.
            let taken =
                !matches!(observations[0].outcome, Outcome::NotReached { .. } | Outcome::NotAsked { .. });
            let took = if taken { format!("  {}", duration(observations)) } else { String::new() };
            out.row(*mark, &format!("{word:<8} "), &format!("{lane}{says}{took}"));
            let failed = *mark == Mark::Bad;
            for observation in observations.iter().take(if failed { 1 } else { 0 }) {
                for line in describe::evidence(observation) {
                    out.prose(DIM, "                 ", &line);
                }
            }
            if out.options.verbose > 0
                && let Some(library) = describe::library(observations[0])
            {
                out.prose(DIM, "                 ", &library);
            }
            if out.options.verbose > 1 {
                let skip = usize::from(failed);
                for raw in observations.iter().skip(skip).filter_map(|o| describe::raw(o)) {
                    out.prose(DIM, "                 ", &raw);
                }
            }
        }
        if out.options.verbose > 0 {
            questions(out, report, path, layer);
        }
    }
}

/// The differentials of a layer: questions, and no failures.
fn questions(out: &mut Out, report: &Report, path: &PathInfo, layer: Layer) {
    let asked = report.observations.iter().filter(|o| o.path == path.id && o.layer == layer);
    for observation in asked {
        let Some(question) = &observation.question else { continue };
        let lane = observation.lane.iter().map(|lane| format!("{}  ", clean(lane))).collect::<String>();
        let text = format!(
            "{lane}{}: {}  {}",
            clean(question),
            describe::outcome(&observation.outcome),
            describe::took(observation.took_us)
        );
        out.prose(PLAIN, "               ? ", &text);
        if out.options.verbose > 1 {
            for line in describe::evidence(observation) {
                out.prose(DIM, "                 ", &line);
            }
        }
    }
}

fn beside(out: &mut Out, report: &Report, path: &PathInfo) {
    let mut own = own(report, path);
    if own.is_empty() {
        // Asked of a path that is walked no further.
        own = report.observations.iter().filter(|o| o.path == path.id).collect();
    }
    let failed = own.iter().find(|o| mark(report, o) == Mark::Bad);
    let open = own.iter().rev().find(|o| mark(report, o) == Mark::Open);
    let last = own.iter().rev().find(|o| mark(report, o) == Mark::Ok);
    let (sign, step) = match (failed, last) {
        // Where one lane fails and another comes to the end, the end counts.
        (Some(failed), Some(last)) if last.layer > failed.layer => (Mark::Ok, Some(last)),
        (Some(failed), _) => (Mark::Idle, Some(failed)),
        (None, Some(last)) if open.is_some_and(|open| open.layer >= last.layer) => (Mark::Open, open),
        (None, Some(last)) => (Mark::Ok, Some(last)),
        (None, None) => (Mark::Idle, own.last()),
    };
    let says = step.map_or_else(
        || "not walked".to_string(),
        |o| format!("{}: {}", o.layer.word(), describe::outcome(&o.outcome)),
    );
    out.mark(sign, &format!("{} ({})  {says}", describe::path(path), describe::role(path.role)));
}

fn duration(observations: &[&Observation]) -> String {
    let least = observations.iter().map(|o| o.took_us).min().unwrap_or_default();
    let most = observations.iter().map(|o| o.took_us).max().unwrap_or_default();
    let (least, most) = (describe::took(least), describe::took(most));
    if least == most { least } else { format!("{least} to {most}") }
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

/// The words for one of a kind, those for several, and which statements are of it.
type Counted = (&'static str, &'static str, fn(&Statement) -> bool);

/// What a file may hold several of.
const COUNTED: [Counted; 17] = [
    (
        "a service",
        "services",
        |s| matches!(s, Statement::Service { state, .. } if *state != ServiceState::Absent),
    ),
    ("an application pool", "application pools", |s| matches!(s, Statement::AppPool { .. })),
    ("an installed update", "installed updates", |s| matches!(s, Statement::InstalledUpdate { .. })),
    ("a binding of IIS", "bindings of IIS", |s| matches!(s, Statement::IisBinding { .. })),
    ("a directory's access", "directories' access", |s| matches!(s, Statement::IisAccess { .. })),
    ("a setting of a pool", "settings of pools", |s| matches!(s, Statement::PoolSetting { .. })),
    ("a binding of a certificate", "bindings of certificates", |s| matches!(s, Statement::SslBinding { .. })),
    ("a certificate", "certificates", |s| matches!(s, Statement::StoredCertificate { .. })),
    ("certutil's verdict on a chain", "verdicts on chains", |s| matches!(s, Statement::ChainVerdict { .. })),
    ("a value of the schedule", "values of the schedule", |s| matches!(s, Statement::Subscription { .. })),
    ("a run of synchronization", "runs of synchronization", |s| matches!(s, Statement::SyncRun { .. })),
    ("a test by HttpWebRequest", "tests by HttpWebRequest", |s| matches!(s, Statement::HttpTest { .. })),
    ("a source that was not collected", "sources that were not collected", |s| {
        matches!(s, Statement::NotCollected { .. })
    }),
    ("a kind of failure", "kinds of failures", |s| matches!(s, Statement::LogFailure { .. })),
    ("a kind of event", "kinds of events", |s| matches!(s, Statement::Event { .. })),
    ("a change", "changes", |s| matches!(s, Statement::Change { .. })),
    ("a kind of answer of IIS", "kinds of answers of IIS", |s| matches!(s, Statement::IisAnswer { .. })),
];

/// What was handed over, file by file: how much of it is used, and the last run that it records.
fn handed_over(out: &mut Out, report: &Report) {
    let mut files: Vec<(&str, Vec<&Fact>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for fact in &report.facts {
        let place = *places.entry(&fact.source.file).or_insert_with(|| {
            files.push((&fact.source.file, Vec::new()));
            files.len() - 1
        });
        files[place].1.push(fact);
    }
    if files.is_empty() {
        return;
    }
    out.heading("HANDED OVER");
    // Of a folder with much else in it, what is used.
    let mut passed_over = 0;
    for (file, held) in files {
        if held.iter().all(|fact| matches!(fact.statement, Statement::Unreadable { .. }))
            && out.options.verbose == 0
            && places.len() > FILES
        {
            passed_over += 1;
            continue;
        }
        let here = || held.iter().copied();
        let mut parts: Vec<String> = Vec::new();
        let count = |wanted: fn(&Statement) -> bool| here().filter(|f| wanted(&f.statement)).count();
        let values = count(|s| matches!(s, Statement::Config { .. }));
        if values > 0 {
            parts.push(format!("a WSUS configuration, {values} values"));
        }
        let registry = count(|s| matches!(s, Statement::Registry { .. }));
        if registry > 0 {
            parts.push(format!("{registry} values of the registry"));
        }
        for fact in here() {
            let part = match &fact.statement {
                Statement::Log { lines, .. } => format!("a log of {lines} lines"),
                Statement::ServerVersion { version } => format!("the server's version, {version}"),
                Statement::WinHttpProxy { .. } => "WinHTTP's proxy".into(),
                Statement::PortTest { .. } => "a Test-NetConnection".into(),
                Statement::Resolved { .. } => "a Resolve-DnsName".into(),
                Statement::ClientLog { log } => log.clone(),
                Statement::ServerName { name } => format!("the server's name, {name}"),
                Statement::ClockSource { .. } => "the state of the clock".into(),
                Statement::PartOfStore { .. } => "a part of a certificate store".into(),
                Statement::Console { .. } => "a message of the console".into(),
                Statement::ConfigUnavailable { .. } => "an error in place of a configuration".into(),
                Statement::Elsewhere { .. } => "text about another part than synchronization".into(),
                Statement::CipherOrder { suites, .. } => {
                    format!("a policy that orders {} cipher suites", suites.len())
                }
                Statement::CurveOrder { curves, .. } => {
                    format!("a policy that orders {} curves", curves.len())
                }
                Statement::Service { name, state: ServiceState::Absent, .. } => {
                    format!("the answer that there is no {name}")
                }
                Statement::CipherSuites { names } => format!("the {} cipher suites in effect", names.len()),
                _ => continue,
            };
            if !parts.contains(&part) && parts.len() < 8 {
                parts.push(part);
            }
        }
        // Of events that are told one by one the first stands for its kind.
        let mut kinds = HashSet::new();
        let told: Vec<&Fact> = here()
            .filter(|fact| match &fact.statement {
                Statement::Event { provider, event, .. } => kinds.insert((provider, *event)),
                _ => true,
            })
            .collect();
        for (one, several, wanted) in COUNTED {
            match told.iter().filter(|fact| wanted(&fact.statement)).count() {
                0 => {}
                1 => parts.push(one.into()),
                many => parts.push(format!("{many} {several}")),
            }
        }
        // Of one file alone: its lines and times tell which run was the last, or nothing does.
        let told = |s: &Statement| {
            matches!(s, Statement::LogSync { .. } | Statement::Log { .. } | Statement::ClockJump { .. })
        };
        let own: Vec<Fact> = here().filter(|fact| told(&fact.statement)).cloned().collect();
        match FactView::new(&own).last_run() {
            LastRun::One(run) => {
                let how = if run.succeeded { "succeeded" } else { "failed" };
                let when = run.fact.time.map(|at| format!(" at {at}")).unwrap_or_default();
                parts.push(format!("its last run {how}{when}"));
            }
            LastRun::Unsure(..) => parts.push("runs that succeeded and that failed, in no order".into()),
            LastRun::None => {}
        }
        if count(|s| matches!(s, Statement::Unreadable { .. })) > 0 {
            parts.push("a part that could not be read".into());
        }
        let says = if parts.is_empty() { "nothing that is used".into() } else { parts.join("; ") };
        out.prose(PLAIN, &format!("  {}  ", clean(file)), &clean(&says));
    }
    if passed_over > 0 {
        out.line(PLAIN, &format!("  and {passed_over} more that could not be read: -v tells which"));
    }
}

/// So many files are told of one by one, whatever is in them.
const FILES: usize = 10;

fn facts(out: &mut Out, report: &Report) {
    if report.facts.is_empty() {
        return;
    }
    out.heading("FACTS");
    for fact in &report.facts {
        let says = serde_json::to_value(&fact.statement).map(|mut value| {
            // Whether maps keep their order is a feature that any dependency may turn on.
            value.sort_all_objects();
            flat(&value)
        });
        let says = says.unwrap_or_default();
        out.prose(PLAIN, "  ", &format!("{}  {}", place(report, &fact.id), clean(&says)));
    }
}

/// A statement as `states name = value, …`.
fn flat(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "none".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join(" "),
        Value::Object(map) => {
            let mut parts: Vec<String> = map
                .iter()
                .filter(|(key, _)| *key != "states" && *key != "der")
                .map(|(key, value)| match value.get(key) {
                    // A choice inside says its own name again: `answer = not-found` is enough.
                    Some(choice) => {
                        let rest = value.as_object().into_iter().flatten().filter(|(inner, _)| *inner != key);
                        let rest: String = rest.map(|(k, v)| format!(", {k} = {}", flat(v))).collect();
                        format!("{key} = {}{rest}", flat(choice))
                    }
                    None => format!("{key} = {}", flat(value)),
                })
                .collect();
            if let Some(states) = map.get("states") {
                parts.insert(0, flat(states));
            }
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

/// What lies between the last success and the failures after it.
fn timeline(out: &mut Out, report: &Report) {
    if report.timeline.is_empty() {
        return;
    }
    out.heading(
        "TIME LINE, between the last success and the failures after it (it shows no cause by itself)",
    );
    for moment in &report.timeline {
        let time = match (moment.time, moment.zone.as_deref()) {
            (Some(time), Some(_)) => format!("{}", time.strftime("%Y-%m-%d %H:%M:%SZ")),
            (Some(time), None) => format!("{} ", time.strftime("%Y-%m-%d %H:%M:%S")),
            (None, _) => String::new(),
        };
        out.prose(DIM, &format!("  {time:20}  "), &clean(&moment.says));
    }
    if report.timeline.iter().any(|moment| moment.zone.is_none()) {
        out.prose(DIM, "  ", "Times without Z are local ones of a zone that is not told.");
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

struct Out {
    text: String,
    options: Options,
}

impl Out {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn line(&mut self, style: Style, text: &str) {
        if self.options.colour && style != PLAIN {
            self.text.push_str(&format!("{style}{text}{style:#}\n"));
        } else {
            self.text.push_str(text.trim_end());
            self.text.push('\n');
        }
    }

    fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.blank();
        }
        self.line(BOLD, text);
    }

    /// A line that a mark leads.
    fn mark(&mut self, mark: Mark, text: &str) {
        self.row(mark, "", text);
    }

    /// A line that a mark and a column lead, what follows hanging under its text.
    fn row(&mut self, mark: Mark, column: &str, text: &str) {
        let style = match mark {
            Mark::Ok => GREEN,
            Mark::Bad => RED,
            Mark::Idle => DIM,
            Mark::Open => YELLOW,
        };
        let sign = mark.word();
        let sign = if self.options.colour { format!("{style}{sign}{style:#}") } else { sign.to_string() };
        let indent = 6 + column.chars().count() + if column.is_empty() { 2 } else { 0 };
        for (n, line) in wrap(text, self.options.width.saturating_sub(indent).max(20)).iter().enumerate() {
            if n == 0 {
                self.line(PLAIN, &format!("  {sign}  {column}{line}"));
            } else {
                self.line(PLAIN, &format!("{:indent$}{line}", ""));
            }
        }
    }

    /// Prose under a label: what follows hangs under its first line. The style is the label's; without a label the
    /// text's.
    fn prose(&mut self, style: Style, label: &str, text: &str) {
        let indent = label.chars().count();
        let lines = wrap(text, self.options.width.saturating_sub(indent).max(20));
        let labelled = !label.trim().is_empty();
        for (n, line) in lines.iter().enumerate() {
            let (colour, on) = (self.options.colour && style != PLAIN, &mut self.text);
            let lead = if n == 0 { label.to_string() } else { " ".repeat(indent) };
            match (colour, labelled) {
                (true, true) if n == 0 => on.push_str(&format!("{style}{lead}{style:#}{line}")),
                (true, false) => on.push_str(&format!("{lead}{style}{line}{style:#}")),
                _ => on.push_str(&format!("{lead}{line}")),
            }
            on.push('\n');
        }
    }
}

/// Breaks text at spaces into lines of at most `width` characters; a longer word stands by itself, whole. Runs of
/// spaces within a line stay.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    let mut gap = 0;
    for word in text.split(' ') {
        if word.is_empty() {
            gap += 1;
            continue;
        }
        let size = word.chars().count();
        if length > 0 && length + gap + size > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
            gap = 0;
        }
        line.extend(std::iter::repeat_n(' ', gap));
        line.push_str(word);
        length += gap + size;
        gap = 1;
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
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
