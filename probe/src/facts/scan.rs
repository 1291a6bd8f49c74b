//! What single log entries and pasted texts say: failures, steps of synchronizations, start-ups. Identical failures
//! are counted, so that what is kept stays small however large the file is.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::LazyLock;

use regex::Regex;

use super::event::{Kept, Tally, WSUS};
use super::iis::Answers;
use super::when::{Clock, When, Zone};
use super::{
    ElsewherePart, Found, Kind, LoggedFailure, Phase, SchannelState, Statement, SyncEvent, line_number, shown,
};

/// The longest excerpt.
const EXCERPT: usize = 300;
/// The most different failures that are told apart.
const FAILURES: usize = 256;
/// The most steps of synchronizations that are kept: the latest.
const STEPS: usize = 256;
/// The most different entries that are remembered word for word.
const REMEMBERED: usize = 4096;
/// The most different URLs that are kept.
const URLS: usize = 64;
/// The most changes of the configuration that are kept: the latest.
const CHANGES: usize = 256;
/// The end of a run is told twice by Configuration Manager: as a line, and as a status message so many seconds apart.
const TWICE: i64 = 120;
/// The component of Configuration Manager that asks for synchronizations.
const SYNC_MANAGER: &str = "SMS_WSUS_SYNC_MANAGER";

/// The head of a line of the service's log. Excerpts are published with `<Date> <Time>`, and with their separators lost.
static HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"^(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,7})?)( UTC)?|<Date> <Time>)\s*(Error|Warning|Change|Info|Verbose)\s*([A-Za-z][A-Za-z0-9_]{0,40}?)\.(\d{1,8})\s*",
    )
    .expect("fixed pattern")
});
/// The same without a time.
static BARE_HEADER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(Error|Warning|Change|Info|Verbose)?\s*(WsusService|w3wp|WsusUtil)\.\d{1,8}\s*")
        .expect("fixed pattern")
});
static METHOD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z_][\w`<>]*\.[\w`<>.]+\s+").expect("fixed pattern"));
static EVENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"EventId=(\d{1,6}),Type=(\w*),Category=(\w*),Message=").expect("fixed pattern")
});
static SCHANNEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"SCHANNEL Protocols?(?: subkey for)? '([^'\r\n]{1,40})'[ \t]*([^\r\n]{0,200})")
        .expect("fixed pattern")
});
static ACTOR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"USS ThrowException: Actor = ([^\s,]{1,2000})").expect("fixed pattern"));
static SERVICE_URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"https?://[^\s"',;()<>]{1,500}?/(?:ServerSyncWebService|DssAuthWebService)[^\s"',;()<>]{0,200}"#,
    )
    .expect("fixed pattern")
});
static ERROR_CODE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"ErrorCode(?:=|>|:\s?)([A-Za-z]\w{1,60})").expect("fixed pattern"));
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:could not be resolved|nicht aufgel.{1,4}st werden|a pas pu .{1,4}tre r.{1,4}solu)\s?:?\s*'([^'\s]{1,255})'",
    )
    .expect("fixed pattern")
});
static STATUS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:HTTP status |HTTP-Status |HTTP Error |returned an error: \(|Fehler zur.{1,4}ckgegeben: \(|retourn.{1,4} une erreur\s?: \()([1-5]\d\d)\b",
    )
    .expect("fixed pattern")
});
static CONTENT_TYPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"response content type of '([^'\r\n]{0,200})'").expect("fixed pattern"));
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:0x|hr ?= ?|\()(80(?:24[0-9a-f]{4}|072[ef][0-9a-f]{2}|09[0-9a-f]{4}|0b[0-9a-f]{4}|19[0-9a-f]{4}))\b|(-21[0-9]{8})\b")
        .expect("fixed pattern")
});
static WSUS_COMMAND: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:Get|Invoke|Set|Approve|Deny|Add)-Wsus\w{1,40} ?:").expect("fixed pattern")
});
/// The error of a command that somebody typed.
static CMDLET: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^([A-Z][a-z]{2,20}-[A-Z]\w{1,40}) ?: ").expect("fixed pattern"));
/// A status message of the synchronization manager.
static STATUS_MESSAGE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"STATMSG: ID=(670[123])\b").expect("fixed pattern"));
/// Its strings: which of its steps failed, and the error.
static STATUS_TEXT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"ISTR([01])="([^"]{1,1000})""#).expect("fixed pattern"));
/// The step of Configuration Manager in which its synchronization failed.
static STEP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"Source: ([A-Za-z][A-Za-z0-9_.:]*)").expect("fixed pattern"));

const NAME_TEXTS: [&str; 4] = [
    "remote name could not be resolved",
    "No such host is known",
    "Remotename konnte nicht aufgel",
    "Le nom distant n",
];
const PROXY_NAME_TEXTS: [&str; 2] = ["proxy name could not be resolved", "Proxyname konnte nicht aufgel"];
const REFUSED_TEXTS: [&str; 3] =
    ["actively refused", "Zielcomputer die Verbindung verweigerte", "ordinateur cible l"];
const SILENT_TEXTS: [&str; 3] =
    ["did not properly respond", "Gegenstelle nach einer bestimmten Zeitspanne", "car le parti connect"];
const CONNECT_TEXTS: [&str; 5] = [
    "Unable to connect to the remote server",
    "unreachable network",
    "unreachable host",
    "Verbindung mit dem Remoteserver kann nicht hergestellt",
    "Impossible de se connecter au serveur distant",
];
const BROKEN_TEXTS: [&str; 10] = [
    "underlying connection was closed",
    "forcibly closed by the remote host",
    "remote party has closed the transport stream",
    "kept alive was closed by the server",
    "connection was closed unexpectedly",
    "zugrunde liegende Verbindung wurde geschlossen",
    "vom Remotehost geschlossen",
    "La connexion sous-jacente a",
    "Une connexion existante a d",
    "An established connection was aborted",
];
const ALGORITHM_TEXTS: [&str; 3] =
    ["possess a common algorithm", "gemeinsamen Algorithmus", "algorithme commun"];
const CHANNEL_TEXTS: [&str; 4] = [
    "Could not create SSL/TLS secure channel",
    "unexpected packet format",
    "Es konnte kein gesch",
    "Impossible de cr\u{e9}er un canal s",
];
const TRUST_TEXTS: [&str; 4] = [
    "Could not establish trust relationship",
    "remote certificate is invalid",
    "keine Vertrauensstellung hergestellt",
    "relation de confiance pour le canal",
];
const TIMEOUT_TEXTS: [&str; 3] =
    ["The operation has timed out", "Timeout f\u{fc}r Vorgang", "Le d\u{e9}lai d'attente de l'op"];
const DATABASE_TEXTS: [&str; 3] =
    ["Connection to database failed", "System.Data.SqlClient.SqlException", "SqlException (0x80131904)"];

/// What is known of an entry besides its text.
#[derive(Clone, Default)]
struct Head {
    time: Option<When>,
    process: String,
    level: String,
    /// Where the message begins in the text.
    message: usize,
    /// Whether it is a line of the service's log.
    log: bool,
}

struct Failure {
    process: String,
    failure: LoggedFailure,
    phase: Option<Phase>,
    count: u64,
    line: u64,
    time: Option<When>,
    excerpt: String,
}

/// A failure that an entry came to.
#[derive(Clone, Copy)]
struct Repeated {
    /// Its index.
    failure: usize,
    /// The index of the URL beside it.
    url: Option<usize>,
    /// How many lines below the entry's first it stands.
    below: u64,
}

/// Gathers what entries say.
#[derive(Default)]
pub(super) struct Scanner {
    /// Whether the file is the service's log, as a whole.
    pub(super) is_log: bool,
    /// A start-up that no line of w3wp followed yet.
    pub(super) pending: Option<u64>,
    startup: Option<u64>,
    schannel: Vec<(String, SchannelState, u64, Option<When>)>,
    urls: Vec<(String, u64, Option<When>)>,
    failures: Vec<Failure>,
    index: HashMap<(String, LoggedFailure, Option<Phase>), usize>,
    /// What entries that repeat word for word came to, by a hash of their words.
    memory: HashMap<u64, Option<Repeated>>,
    hasher: std::hash::RandomState,
    steps: VecDeque<(u64, Option<When>, Statement)>,
    /// When Configuration Manager last told of a failure of its own.
    manager_failed: Option<When>,
    elsewhere: Vec<(ElsewherePart, u64, Option<When>, String)>,
    console: Option<(u64, String)>,
    /// The first line of the paragraph in which that stands, and of the one that is being read with the number of the line
    /// that would go on with it.
    said: Option<(u64, String)>,
    paragraph: (u64, String, u64),
    client: Option<(u64, &'static str)>,
    client_text: bool,
    /// Lines of level Change, and whether there are others.
    changes: VecDeque<(u64, Option<When>, String)>,
    pub(super) only_changes: bool,
    /// Events that the service's log mirrors.
    mirrored: Tally,
    /// Lines of HTTP.sys' log in other text.
    refusals: Option<Answers>,
    /// Whether the clock of a log goes back.
    pub(super) clock: Clock,
    /// The file is of a known kind that is not the service's log.
    pub(super) known_kind: bool,
    /// The first entry of a pasted text.
    beginning: Option<(u64, String)>,
    /// Whether anything names synchronization itself.
    synchronization: bool,
}

/// Whether `line` is one of the Windows Update client's logs, and of which.
pub(super) fn client_log(line: &str) -> Option<&'static str> {
    static REPORTING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\{[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}\}\s").expect("fixed pattern"));
    static UPDATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^(?:\d{4}-\d\d-\d\d\s\d\d:\d\d:\d\d:\d{3}\s+\d+\s+[0-9a-fA-F]+\s+\S|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{7}\s+\d+\s+\d+\s+\S|Date Time \d+ [0-9a-f]+ [A-Z]\w* )",
        )
        .expect("fixed pattern")
    });
    if REPORTING.is_match(line) {
        Some("ReportingEvents.log")
    } else if UPDATE.is_match(line) {
        Some("WindowsUpdate.log")
    } else {
        None
    }
}

/// Whether `line` is one of the service's log, of level Change.
pub(super) fn is_change(line: &str) -> bool {
    HEADER.captures(line).is_some_and(|found| &found[4] == "Change")
}

/// Whether `line` is one of the service's log.
pub(super) fn is_header(line: &str) -> bool {
    HEADER.is_match(line)
}

fn head_of(text: &str) -> Head {
    let (mut head, mut end) = (Head::default(), 0);
    if let Some(found) = HEADER.captures(text) {
        if let (Some(date), Some(time)) = (found.get(1), found.get(2)) {
            let zone = if found.get(3).is_some() { Zone::Utc } else { Zone::Untold };
            let time = format!("{}T{}Z", date.as_str(), time.as_str()).parse().ok();
            head.time = time.map(|time| When { time, zone });
        }
        head.level = found[4].to_string();
        head.process = found[5].to_string();
        head.log = true;
        end = found[0].len();
    } else if let Some(found) = BARE_HEADER.captures(text) {
        head.level = found.get(1).map_or("", |level| level.as_str()).to_string();
        head.process = found[2].to_string();
        head.log = true;
        end = found[0].len();
    }
    if end > 0 {
        end += METHOD.find(&text[end..]).map_or(0, |method| method.end());
    }
    head.message = end;
    head
}

fn first_of(text: &str, fragments: &[&str]) -> Option<usize> {
    fragments.iter().filter_map(|fragment| text.find(fragment)).min()
}

/// How far it came: each of these frames lies deeper than the next ones.
fn phase_of(text: &str) -> Option<Phase> {
    let has = |fragments: &[&str]| fragments.iter().any(|fragment| text.contains(fragment));
    if has(&["ImportUpdateFromCatalogSite", "CatalogImport", ".ImportUpdate("]) {
        Some(Phase::Import)
    } else if has(&["InternetGetServerAuthConfig", "GetAuthConfig"]) {
        Some(Phase::FirstContact)
    } else if has(&[
        "ServerSyncLib.Authenticate",
        "GetAuthorizationCookie",
        "InternetGetServerCookie",
        ".GetCookie(",
    ]) {
        Some(Phase::Authenticate)
    } else if has(&["SyncConfigUpdatesFromUSS", "GetConfigData"]) {
        Some(Phase::Configuration)
    } else if has(&[
        "GetAndSaveUpdateMetadata",
        "GetUpdateDataInChunksAndImport",
        "WebserviceGetUpdateData",
        "SoftwareDistribution/GetUpdateData",
        "SoftwareDistribution/GetRevisionIdList",
        "SyncUpdatesFromUSS",
    ]) {
        Some(Phase::Metadata)
    } else if has(&["ContentSyncAgent", "EventId=364,", "Content file download failed"]) {
        Some(Phase::Content)
    } else {
        None
    }
}

/// The failure that a text tells of, the innermost reason deciding, and where it stands in the text.
fn failure_of(text: &str, codes: bool) -> Option<(LoggedFailure, usize)> {
    use LoggedFailure::*;
    let host = |at: usize| {
        NAME.captures(&text[at..])
            .map_or_else(String::new, |found| shown(&found[1].to_ascii_lowercase(), 255))
    };
    if let Some(at) =
        first_of(text, &["Microsoft Root CA signed root", "(800B0109)", "0x800B0109", "0x800b0109"])
    {
        return Some((RootCheck, at));
    }
    if let Some(at) = first_of(text, &ALGORITHM_TEXTS) {
        return Some((NoCommonAlgorithm, at));
    }
    if let Some(at) = first_of(text, &TRUST_TEXTS) {
        return Some((NotTrusted, at));
    }
    if let Some(at) = first_of(text, &CHANNEL_TEXTS) {
        return Some((SecureChannel, at));
    }
    if let Some(at) = first_of(text, &PROXY_NAME_TEXTS) {
        return Some((ProxyNotResolved { host: host(at) }, at));
    }
    if let Some(at) = first_of(text, &NAME_TEXTS) {
        return Some((NameNotResolved { host: host(at) }, at));
    }
    if let Some(at) = first_of(text, &REFUSED_TEXTS) {
        return Some((ConnectRefused, at));
    }
    if let Some(at) = first_of(text, &SILENT_TEXTS) {
        return Some((ConnectTimeout, at));
    }
    if let Some(found) = STATUS.captures(text) {
        let code = found[1].parse().unwrap_or_default();
        return Some((HttpStatus { code }, found.get(0).map_or(0, |whole| whole.start())));
    }
    if let Some(found) = CONTENT_TYPE.captures(text) {
        let content_type = shown(&found[1], 200);
        return Some((ContentType { content_type }, found.get(0).map_or(0, |whole| whole.start())));
    }
    if let Some(at) =
        first_of(text, &["USS ThrowException", "SoapException: ", "Exception was SoapException"])
    {
        let code = ERROR_CODE.captures(text).map_or_else(String::new, |found| found[1].to_string());
        return Some((SoapFault { code }, at));
    }
    if let Some(at) = first_of(text, &BROKEN_TEXTS) {
        return Some((ConnectionBroken, at));
    }
    if let Some(at) = first_of(text, &CONNECT_TEXTS) {
        return Some((ConnectFailed, at));
    }
    if let Some(at) = first_of(text, &TIMEOUT_TEXTS) {
        return Some((Timeout, at));
    }
    if !codes {
        return None;
    }
    CODE.captures_iter(text).take(16).find_map(|found| {
        let at = found.get(0)?.start();
        let code = match (found.get(1), found.get(2)) {
            (Some(hex), _) => u32::from_str_radix(hex.as_str(), 16).ok()?,
            (_, Some(decimal)) => decimal.as_str().parse::<i32>().ok()?.cast_unsigned(),
            _ => return None,
        };
        match code {
            0x800B_0109 => Some((RootCheck, at)),
            0x8009_0331 => Some((NoCommonAlgorithm, at)),
            // 0x80131509 and other codes of .NET itself say nothing.
            code if matches!(code >> 16, 0x8024 | 0x8009 | 0x800B | 0x8019)
                || code >> 8 == 0x0080_072E
                || code >> 8 == 0x0080_072F =>
            {
                Some((Code { code: format!("0x{code:08X}") }, at))
            }
            _ => None,
        }
    })
}

/// Whether two times may be those of one step that Configuration Manager tells twice.
fn near(one: Option<&When>, other: Option<&When>) -> bool {
    let both = one.zip(other);
    both.is_some_and(|(one, other)| (one.time.as_second() - other.time.as_second()).abs() <= TWICE)
}

/// Whether a failure of Configuration Manager's synchronization is its own, and none of the server's run. The step that failed
/// tells: `SyncWSUS` asks the server, `SyncUpdates` and its own functions (`CWSyncMgr::DoSync`) come before or after. By
/// another step the server's error begins with its class (`UssCommunicationError: `); without a step the words tell.
fn is_managers_own(step: Option<&str>, reason: &str) -> bool {
    const OWN: [&str; 2] = ["Failed to sync some of the updates", "WSUS server not configured"];
    let class = reason.split_once(": ").map_or("", |(class, _)| class);
    let has_class = !class.is_empty() && class.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match step {
        Some(step) if step.contains("SyncWSUS") => false,
        Some(step) if step.contains("SyncUpdates") || step.contains("::") => true,
        Some(_) => !has_class,
        None => OWN.iter().any(|text| reason.starts_with(text)),
    }
}

/// The line around `at`, from the message on, with what decides in sight.
fn excerpt(text: &str, at: usize, message: usize) -> String {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    let start = if start <= message && message <= at { message } else { start };
    let line = text[start..end].trim_start();
    let at = at - (end - line.len()).min(at);
    if at <= EXCERPT * 2 / 3 {
        return shown(line.trim_end(), EXCERPT);
    }
    let mut from = at - EXCERPT / 2;
    while !line.is_char_boundary(from) {
        from += 1;
    }
    // Hidden before it is cut, so that a cut cannot part a secret from its name.
    let hidden = super::hide(line);
    let cut = if hidden == line { &line[from..] } else { hidden.as_str() };
    shown(&format!("…{}", cut.trim_end()), EXCERPT)
}

impl Scanner {
    /// Takes a line of the service's log and what belongs to it.
    pub(super) fn log_entry(&mut self, line: u64, text: &str) {
        let head = head_of(text);
        self.follow(&head);
        self.change(line, text, &head);
        self.judge(line, text, &head);
    }

    /// Takes an event of WSUS that an event log holds.
    pub(super) fn event(&mut self, line: u64, time: Option<When>, id: u32, message: &str) {
        // The console writes under the service's name, wherever it runs.
        if (7000..7100).contains(&id) {
            let first = message.lines().next().unwrap_or_default();
            if self.console.is_none() {
                self.console = Some((line, shown(first.trim(), EXCERPT)));
                self.beginning = self.console.clone();
            }
            return;
        }
        self.synchronization = true;
        let head = Head { time, ..Head::default() };
        self.step_of(line, &head, id, message);
        match id {
            // The database's failures, and what a check of the service's own parts says.
            421 | 507 | 10_000.. => {}
            // What content meets is told by the number, in whatever language.
            361..=366 => {
                self.fail_at(line, message, &head, false, Some(Phase::Content));
            }
            _ => {
                self.fail(line, message, &head, false);
            }
        }
    }

    /// Takes an entry of a log of Configuration Manager.
    pub(super) fn manager_entry(
        &mut self,
        line: u64,
        text: &str,
        component: &str,
        level: &str,
        time: Option<When>,
    ) {
        self.known_kind = true;
        if let Some(time) = time {
            self.clock.take(line, time);
        }
        let head = Head { time, process: component.to_string(), level: level.to_string(), ..Head::default() };
        if let Some(found) = STATUS_MESSAGE.captures(text) {
            self.synchronization = true;
            match &found[1] {
                "6701" => self.step(line, &head, SyncEvent::Started, ""),
                "6702" if self.told_before(SyncEvent::Succeeded, time) => {}
                "6702" => self.step(line, &head, SyncEvent::Succeeded, ""),
                _ => self.failed_message(line, text, &head),
            }
            return;
        }
        // What the status message says, in words, and about as late.
        if component == SYNC_MANAGER && text.starts_with("Sync succeeded") {
            self.synchronization = true;
            if !self.told_before(SyncEvent::Succeeded, time) {
                self.step(line, &head, SyncEvent::Succeeded, "");
            }
            return;
        }
        self.foreign_entry(line, text, &head);
    }

    /// Whether the step above is this one: Configuration Manager tells it as a line and as a status message.
    fn told_before(&self, event: SyncEvent, time: Option<When>) -> bool {
        self.steps.back().is_some_and(|(_, before, statement)| {
            matches!(statement, Statement::LogSync { event: last, .. } if *last == event)
                && near(before.as_ref(), time.as_ref())
        })
    }

    /// Takes the status message of a failure. Where a line has told of it just before, that line stands.
    fn failed_message(&mut self, line: u64, text: &str, head: &Head) {
        if self.told_before(SyncEvent::Failed, head.time)
            || near(self.manager_failed.as_ref(), head.time.as_ref())
        {
            return;
        }
        let string = |which: &str| {
            let found = STATUS_TEXT.captures_iter(text).find(|found| &found[1] == which);
            found.map_or_else(String::new, |found| found[2].to_string())
        };
        let (step, reason) = (string("0"), string("1"));
        if is_managers_own(Some(step.as_str()).filter(|step| !step.is_empty()), &reason) {
            self.other(ElsewherePart::ConfigurationManager, line, head.time, &reason);
        } else {
            self.step(line, head, SyncEvent::Failed, &reason);
        }
    }

    /// Takes the error of a run in the synchronization history. Its class and its stack tell how far it came.
    pub(super) fn failed_run(&mut self, line: u64, time: Option<When>, text: &str) {
        self.synchronization = true;
        let head = Head { time, ..Head::default() };
        self.fail(line, text, &head, true);
    }

    /// Takes a pasted text's entry, which may be of any kind.
    pub(super) fn text_entry(&mut self, line: u64, text: &str) {
        let first = text.lines().next().unwrap_or_default();
        if self.beginning.is_none() {
            self.beginning = Some((line, shown(first.trim(), EXCERPT)));
        }
        if self.paragraph.2 != line {
            self.paragraph = (line, first.trim().to_string(), line);
        }
        self.paragraph.2 = line + newlines(text, text.len()) + 1;
        let head = head_of(text);
        if head.log {
            if !self.is_log {
                self.is_log = true;
                self.only_changes = true;
            }
            self.only_changes &= head.level == "Change";
            self.synchronization = true;
            if let Some(time) = head.time {
                self.clock.take(line, time);
            }
            self.follow(&head);
            self.change(line, text, &head);
            self.judge(line, text, &head);
            return;
        }
        if let Some(log) = client_log(first.trim_start()) {
            self.client.get_or_insert((line, log));
            return;
        }
        let head = match CMDLET.captures(first) {
            Some(found) if !found[1].contains("-Wsus") => Head { process: found[1].to_string(), ..head },
            _ => head,
        };
        self.foreign_entry(line, text, &head);
    }

    /// Takes an entry that is no line of the service's log.
    fn foreign_entry(&mut self, line: u64, text: &str, head: &Head) {
        let first = text.lines().next().unwrap_or_default();
        let has = |fragments: &[&str]| fragments.iter().any(|fragment| text.contains(fragment));
        let part = if has(&[
            "SyncUpdates failure",
            "ClientWebService/SyncUpdates",
            "InstalledNonLeafUpdateIDs",
            "soap client error",
        ]) || has(&["SimpleAuth.asmx"]) && has(&["endpoint at", "WARNING:"])
        {
            self.client_text = true;
            Some(ElsewherePart::ClientScan)
        } else if self.client_text && first.starts_with("WARNING: The server returned HTTP status code") {
            Some(ElsewherePart::ClientScan)
        } else if has(&["/Content/"]) && has(&["HEAD ", "GET ", "SendRequestUsingProxy", "BITS"]) {
            Some(ElsewherePart::Content)
        } else if super::iis::is_heading(first)
            || super::iis::is_refusal(first)
            || has(&["#Software: Microsoft HTTP API", "#Software: Microsoft Internet Information"])
        {
            Some(ElsewherePart::Iis)
        } else {
            None
        };
        if part == Some(ElsewherePart::Iis) {
            self.refusals.get_or_insert_with(Answers::pasted).line(line, first.as_bytes());
        }
        if let Some(part) = part {
            self.other(part, line, head.time, text);
            return;
        }
        if has(&[
            "ImportUpdateFromCatalogSite",
            "CCISource",
            "CI_Files",
            "CI_DocumentStore",
            "SystemsManagementServer",
            "Failed to sync update",
        ]) {
            self.other(ElsewherePart::ConfigurationManager, line, head.time, text);
        } else if has(&["elements are not closed", "ExportPackage", "Unexpected end of file has occurred"]) {
            self.other(ElsewherePart::Import, line, head.time, text);
        } else if has(&[
            "failed its initialization and stopped",
            "konnte nicht initialisiert werden",
            "in SimpleAuth constructor",
        ]) {
            self.other(ElsewherePart::ServiceStart, line, head.time, text);
        }
        let console = has(&[
            "remote API",
            "Remote-API",
            "AdminProxy",
            "Microsoft.UpdateServices.Commands.",
            // A class of it: its name alone is a file that was found.
            "Microsoft.UpdateServices.Administration.",
            "\"GetUpdateServer\"",
            "WSUS administration console",
        ]) || WSUS_COMMAND.is_match(first);
        if console && self.console.is_none() && head.process.is_empty() {
            self.console = Some((line, shown(first.trim(), EXCERPT)));
            let (from, words, _) = &self.paragraph;
            self.said = Some((*from, shown(words, EXCERPT)));
        }
        self.synchronization |= has(&[
            "CatalogSync",
            "ServerSync",
            "ProcessWebServiceProxyException",
            "USS ThrowException",
            "Synchronization",
            "Sync failed: ",
        ]);
        self.judge(line, text, head);
    }

    /// Keeps what somebody changed.
    fn change(&mut self, line: u64, text: &str, head: &Head) {
        if head.level != "Change" {
            return;
        }
        if self.changes.len() >= CHANGES {
            self.changes.pop_front();
        }
        let first = text[head.message..].lines().next().unwrap_or_default().trim();
        self.changes.push_back((line, head.time, shown(first, EXCERPT)));
    }

    /// Compares a line of the service's log with the minute of one above it.
    pub(super) fn clock_between(&mut self, line: u64, above: &str, below: &str) {
        let Some(time) = head_of(below).time else { return };
        let above = format!("{}:59Z", above.replace(' ', "T"));
        if let Ok(above) = above.parse() {
            self.clock.back(line, above, time);
        }
    }

    /// A line of w3wp closes a start-up.
    pub(super) fn w3wp(&mut self) {
        if let Some(line) = self.pending.take() {
            self.startup = Some(line);
        }
    }

    fn follow(&mut self, head: &Head) {
        if head.process == "w3wp" {
            self.w3wp();
        }
    }

    fn judge(&mut self, line: u64, text: &str, head: &Head) {
        let words = self.hasher.hash_one((&head.process, &head.level, &text[head.message..]));
        if let Some(&known) = self.memory.get(&words) {
            if let Some(known) = known {
                self.repeat(line, head, known);
            }
            return;
        }
        let came_to = self.first_time(line, text, head);
        // An entry that says more than a failure says it anew each time.
        let more =
            ["EventId=", "SCHANNEL", "Synchronization ", "synchronization was started", "Sync failed: "];
        let plain = first_of(text, &more).is_none();
        if plain && self.memory.len() < REMEMBERED {
            self.memory.insert(words, came_to);
        }
    }

    fn repeat(&mut self, line: u64, head: &Head, known: Repeated) {
        let here = line + known.below;
        // The last of them stands for all: whether it still happens is asked of it.
        let failure = &mut self.failures[known.failure];
        failure.count += 1;
        // Exports of events begin with the newest; a log's clock may go back.
        if head.process.is_empty() && head.time.is_some() && head.time < failure.time {
            return;
        }
        failure.line = here;
        failure.time = head.time.or(failure.time);
        if let Some(url) = known.url {
            let url = &mut self.urls[url];
            (url.1, url.2) = (here, head.time.or(url.2));
        }
    }

    fn first_time(&mut self, line: u64, text: &str, head: &Head) -> Option<Repeated> {
        // What the server answers to its own clients is no failure of its synchronization.
        if text.contains("SoapUtilities.CreateException") {
            return None;
        }
        for found in SCHANNEL.captures_iter(text).take(16) {
            let rest = found[2].trim().trim_end_matches('.').to_ascii_lowercase();
            let state = match rest.as_str() {
                "disabled" | "not found. protocol is disabled" => SchannelState::Disabled,
                "enabled" | "not found. protocol is enabled" => SchannelState::Enabled,
                _ => SchannelState::Unrecognised,
            };
            let at = line + newlines(text, found.get(0).map_or(0, |whole| whole.start()));
            let protocol = shown(&found[1], 40);
            match self.schannel.iter().position(|(known, ..)| *known == protocol) {
                Some(known) => self.schannel[known] = (protocol, state, at, head.time),
                None if self.schannel.len() < 32 => self.schannel.push((protocol, state, at, head.time)),
                None => {}
            }
        }
        let mut severe = matches!(head.level.as_str(), "" | "Error" | "Warning");
        if let Some(event) = EVENT.captures(text) {
            self.synchronization = true;
            severe |= matches!(&event[2], "Error" | "Warning");
            let at = event.get(0).map_or(0, |whole| whole.end());
            let id = event[1].parse().unwrap_or_default();
            self.step_of(line, head, id, &text[at..]);
            if matches!(&event[2], "Error" | "Warning") || matches!(id, 501 | 502 | 10020) {
                self.mirror(line, head, id, &text[at..]);
            }
        } else if let Some(at) = text.find("Synchronization failed. Reason: ") {
            let reason = &text[at + "Synchronization failed. Reason: ".len()..];
            self.step(line + newlines(text, at), head, SyncEvent::Failed, reason);
        } else if let Some(at) = text.find("Sync failed: ") {
            let (line, reason) = (line + newlines(text, at), &text[at + "Sync failed: ".len()..]);
            // It stands last; a stack before it has words of its own.
            let step = STEP.captures_iter(reason).last();
            if is_managers_own(step.as_ref().map(|found| &found[1]), reason) {
                self.manager_failed = head.time;
                self.other(ElsewherePart::ConfigurationManager, line, head.time, &text[at..]);
            } else {
                self.step(line, head, SyncEvent::Failed, reason);
            }
        } else if let Some(at) = text.find("Synchronization completed successfully") {
            self.step(line + newlines(text, at), head, SyncEvent::Succeeded, "");
        } else if let Some(at) =
            first_of(text, &["manual synchronization was started", "scheduled synchronization was started"])
        {
            self.step(line + newlines(text, at), head, SyncEvent::Started, "");
        }
        if first_of(text, &DATABASE_TEXTS).is_some() {
            self.other(ElsewherePart::Database, line, head.time, &text[head.message..]);
            // A connection that the database closed is none to an upstream.
            if !text.contains("WebException") && !text.contains("SoapException") {
                return None;
            }
        }
        // The service asks its own web services whether they are well.
        if text.contains("HmtWebServices") {
            self.other(ElsewherePart::Iis, line, head.time, &text[head.message..]);
            return None;
        }
        self.fail(line, text, head, severe)
    }

    /// Keeps an event that the service's log mirrors and that is no step of a synchronization.
    fn mirror(&mut self, line: u64, head: &Head, id: u32, message: &str) {
        if matches!(id, 381 | 382 | 384 | 386) {
            return;
        }
        let first = message.lines().next().unwrap_or_default();
        self.mirrored.take(Kept::new(WSUS, id, line, head.time, first), true);
    }

    /// What the number of an event of WSUS says by itself.
    fn step_of(&mut self, line: u64, head: &Head, id: u32, message: &str) {
        match id {
            381 | 382 => self.step(line, head, SyncEvent::Started, ""),
            384 => self.step(line, head, SyncEvent::Succeeded, ""),
            386 => {
                let reason = message.split_once("Reason: ").map_or(message, |(_, reason)| reason);
                self.step(line, head, SyncEvent::Failed, reason);
            }
            501 => self.pending = Some(line),
            507 => self.other(ElsewherePart::ServiceStart, line, head.time, message),
            421 => self.other(ElsewherePart::Database, line, head.time, message),
            364 => self.other(ElsewherePart::Content, line, head.time, message),
            _ => {}
        }
    }

    fn step(&mut self, line: u64, head: &Head, event: SyncEvent, reason: &str) {
        let time = head.time;
        if self.steps.len() >= STEPS {
            if time.is_some() && self.steps.front().is_some_and(|(_, first, ..)| *first > time) {
                return;
            }
            self.steps.pop_front();
        }
        let reason = reason.lines().next().unwrap_or_default().split("~~").next().unwrap_or_default().trim();
        let reason = reason.strip_suffix('.').unwrap_or(reason);
        let (reason, process) = (shown(reason, EXCERPT), shown(&head.process, 40));
        self.steps.push_back((line, time, Statement::LogSync { event, reason, process }));
    }

    fn other(&mut self, part: ElsewherePart, line: u64, time: Option<When>, text: &str) {
        if self.elsewhere.iter().all(|(known, ..)| *known != part) {
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            self.elsewhere.push((part, line, time, shown(first.trim(), EXCERPT)));
        }
    }

    fn fail(&mut self, line: u64, text: &str, head: &Head, codes: bool) -> Option<Repeated> {
        self.fail_at(line, text, head, codes, phase_of(text))
    }

    fn fail_at(
        &mut self,
        line: u64,
        text: &str,
        head: &Head,
        codes: bool,
        phase: Option<Phase>,
    ) -> Option<Repeated> {
        let (failure, at) = failure_of(text, codes)?;
        let url = ACTOR.captures(text).map(|found| found[1].to_string());
        let url = url.or_else(|| SERVICE_URL.find(text).map(|found| found.as_str().to_string()));
        let below = newlines(text, at);
        let url = url.and_then(|url| {
            let url = shown(url.trim_end_matches(['.', ':']), 500);
            let known = self.urls.iter().position(|(known, ..)| *known == url);
            if known.is_none() && self.urls.len() < URLS {
                self.urls.push((url, line + below, head.time));
                return Some(self.urls.len() - 1);
            }
            known
        });
        let process = shown(&head.process, 40);
        let key = (process, failure, phase);
        let failure = match self.index.get(&key) {
            Some(&known) => known,
            None if self.failures.len() >= FAILURES => return None,
            None => {
                let excerpt = excerpt(text, at, head.message);
                self.index.insert(key.clone(), self.failures.len());
                let (process, failure, phase) = key;
                let (line, time) = (line + below, head.time);
                self.failures.push(Failure { process, failure, phase, count: 0, line, time, excerpt });
                self.failures.len() - 1
            }
        };
        let repeated = Repeated { failure, url, below };
        self.repeat(line, head, repeated);
        Some(repeated)
    }

    /// Whether `text` holds a failure.
    pub(super) fn knows(text: &str) -> bool {
        failure_of(text, true).is_some()
    }

    /// Hands over what was gathered. `lines` is the length of the file.
    pub(super) fn finish(mut self, lines: u64, found: &mut Found) {
        let beginning = self.beginning.clone();
        let foreign = !self.synchronization
            && !self.known_kind
            && (self.console.is_some() || self.client.is_some() || self.client_text);
        if foreign {
            // What the console or a client met says nothing about synchronization.
            self.failures.clear();
            self.urls.clear();
            if self.console.is_some() {
                self.console = self.said.take().or(self.console.take());
            }
        }
        self.merge();
        let kind = if self.is_log {
            Some(Kind::ServerLog)
        } else if self.client.is_some() {
            Some(Kind::ClientLog)
        } else if self.console.is_some() && foreign {
            Some(Kind::Console)
        } else if self.failures.is_empty() && self.steps.is_empty() && self.elsewhere.is_empty() {
            None
        } else {
            Some(Kind::PastedText)
        };
        // Whose words these are, and from when, nothing says. Of the console's its own fact says so.
        let weak = kind == Some(Kind::PastedText) && !self.known_kind;
        if let Some(kind) = kind {
            found.kind(kind);
        }
        if weak
            && found.kind == kind
            && let Some((line, excerpt)) = beginning
        {
            found.fact(line_number(line), None, Statement::PastedText { excerpt });
        }
        if self.is_log && !self.only_changes {
            let startup = self.startup.and_then(line_number);
            found.fact(None, None, Statement::Log { lines, startup, schannel: !self.schannel.is_empty() });
        }
        let mut facts: Vec<(u64, Option<When>, Statement)> = Vec::new();
        facts.extend(
            self.client.map(|(line, log)| (line, None, Statement::ClientLog { log: log.to_string() })),
        );
        facts.extend(self.console.map(|(line, excerpt)| (line, None, Statement::Console { excerpt })));
        facts.extend(
            self.elsewhere
                .into_iter()
                .map(|(part, line, time, excerpt)| (line, time, Statement::Elsewhere { part, excerpt })),
        );
        facts.extend(
            self.schannel.into_iter().map(|(protocol, state, line, time)| {
                (line, time, Statement::LogSchannel { protocol, state })
            }),
        );
        facts.extend(
            self.urls.into_iter().map(|(url, line, time)| (line, time, Statement::LogEndpoint { url })),
        );
        facts.extend(self.failures.into_iter().map(|failure| {
            let Failure { process, failure, phase, count, line, time, excerpt } = failure;
            (line, time, Statement::LogFailure { process, failure, phase, count, excerpt })
        }));
        facts.extend(self.steps);
        facts.extend(
            self.changes.into_iter().map(|(line, time, says)| (line, time, Statement::Change { says })),
        );
        facts.extend(self.mirrored.into_kept().into_iter().map(Kept::state));
        facts.sort_by_key(|(line, ..)| *line);
        for (line, time, statement) in facts {
            found.when(line_number(line), time, statement);
        }
        if let Some(refusals) = self.refusals {
            refusals.finish(found);
        }
        found.jumps(self.clock);
    }

    /// An event repeats the failure that a stack has told more of.
    fn merge(&mut self) {
        let mut kept: Vec<Failure> = Vec::new();
        let (with, without): (Vec<_>, Vec<_>) =
            self.failures.drain(..).partition(|failure| failure.phase.is_some());
        kept.extend(with);
        for failure in without {
            // What content meets is told by itself, and stands for no failure of a run.
            let fits = |other: &&mut Failure| {
                other.process == failure.process
                    && other.failure == failure.failure
                    && other.phase != Some(Phase::Content)
            };
            match kept.iter_mut().filter(fits).max_by_key(|other| other.line) {
                Some(other) => {
                    other.count += failure.count;
                    other.time = other.time.max(failure.time);
                }
                _ => kept.push(failure),
            }
        }
        self.failures = kept;
    }
}

fn newlines(text: &str, to: usize) -> u64 {
    memchr::memchr_iter(b'\n', &text.as_bytes()[..to]).count() as u64
}
