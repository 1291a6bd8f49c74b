//! Logs of IIS (W3C extended) and of HTTP.sys (httperr): answers to requests for WSUS' directories, counted. Both write
//! their times in UTC and name their fields themselves.

use std::collections::HashMap;
use std::io;
use std::sync::LazyLock;

use jiff::Timestamp;
use regex::Regex;

use super::decode::{Blocks, decode_line};
use super::list::Page;
use super::text::{Rest, Text};
use super::when::{Clock, When};
use super::{Found, Kind, Statement, line_number, shown};

/// The most answers that are told apart.
const ANSWERS: usize = 1024;
/// The directories of WSUS, as IIS knows them.
const DIRECTORIES: [&str; 9] = [
    "/ServerSyncWebService",
    "/DssAuthWebService",
    "/ClientWebService",
    "/SimpleAuthWebService",
    "/ApiRemoting30",
    "/ReportingWebService",
    "/SelfUpdate",
    "/Content",
    "/Inventory",
];

/// Whether a file begins as one of these logs does.
pub(super) fn recognise(head: &str) -> bool {
    let mut comments =
        head.lines().take_while(|line| line.starts_with('#') || line.trim().is_empty()).take(50);
    comments.any(|line| {
        line.starts_with("#Software: Microsoft Internet Information")
            || line.starts_with("#Software: Microsoft HTTP API")
            || line.starts_with("#Fields: date time ")
    })
}

/// Where what stands in a line.
#[derive(Default)]
struct Fields {
    date: Option<usize>,
    time: Option<usize>,
    uri: Option<usize>,
    status: Option<usize>,
    substatus: Option<usize>,
    reason: Option<usize>,
}

impl Fields {
    fn of(line: &str) -> Self {
        let mut fields = Fields::default();
        for (at, name) in line.split_whitespace().enumerate().take(64) {
            match name {
                "date" => fields.date = Some(at),
                "time" => fields.time = Some(at),
                "cs-uri-stem" | "cs-uri" => fields.uri = Some(at),
                "sc-status" => fields.status = Some(at),
                "sc-substatus" => fields.substatus = Some(at),
                "s-reason" => fields.reason = Some(at),
                _ => {}
            }
        }
        fields
    }
}

struct Answer {
    count: u64,
    line: u64,
    time: Option<Timestamp>,
}

/// Counts answers.
#[derive(Default)]
pub(super) struct Answers {
    fields: Fields,
    /// No names were told: what a line looks like tells which they are.
    untold: Option<fn(&[u8]) -> &'static str>,
    clock: Clock,
    known: HashMap<(&'static str, u16, u16, String), Answer>,
    problem: Option<(u64, &'static str)>,
    /// The date and time of the last line, and what they are.
    last: (Vec<u8>, Option<Timestamp>),
}

/// Reads such a log to its end. A line of it begins with a date or is a comment; `text` reads the others.
pub(super) fn read(blocks: &mut Blocks<'_>, text: &mut Text<'_>) -> io::Result<()> {
    text.found.kind(Kind::WebLog);
    let mut answers = Answers::default();
    let mut rest = Rest::default();
    let result = loop {
        match blocks.next() {
            Ok(Some(block)) => {
                for (number, line) in (block.line..).zip(block.bytes.split_inclusive(|&byte| byte == b'\n')) {
                    if line.first().is_none_or(|first| matches!(first, b'#' | b'0'..=b'9')) {
                        answers.line(number, line);
                    } else if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                        rest.line(number - block.line, line);
                    }
                }
                rest.hand_over(block.line, text);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    answers.finish(text.found);
    result
}

impl Answers {
    /// Answers of lines of HTTP.sys' log that stand in other text, with or without their heading.
    pub(super) fn pasted() -> Self {
        Answers { untold: Some(untold), ..Answers::default() }
    }

    /// Answers of lines of IIS' log that stand in other text, with or without their heading.
    pub(super) fn of_iis() -> Self {
        Answers { untold: Some(usual), ..Answers::default() }
    }

    /// Takes the lines of IIS' log on a page.
    pub(super) fn page(&mut self, page: &mut Page, found: &mut Found) {
        static BEGIN: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S").expect("fixed pattern"));
        let mut read = false;
        for at in 0..page.lines.len() {
            let line = &page.lines[at];
            read |= is_refusal(line);
            let heading = line.starts_with("#Fields: date time ")
                && line.contains(" cs-uri-stem ")
                && line.contains(" sc-status");
            let row =
                || BEGIN.is_match(line) && !is_refusal(line) && (self.untold.is_none() || is_usual(line));
            if !page.claimed[at] && (heading || line.starts_with(|c: char| c.is_ascii_digit()) && row()) {
                found.kind(Kind::WebLog);
                self.line(page.number(at), line.as_bytes());
                page.claim(at, at);
                read = true;
            }
        }
        // What else stands at such a log's head says nothing beside its lines.
        let comment =
            |line: &str| ["#Software: ", "#Version: ", "#Date: "].iter().any(|begin| line.starts_with(begin));
        for at in (0..page.lines.len()).filter(|_| read) {
            if !page.claimed[at] && comment(&page.lines[at]) {
                page.claim(at, at);
            }
        }
    }

    /// Takes a line.
    pub(super) fn line(&mut self, number: u64, line: &[u8]) {
        if line.starts_with(b"#") {
            if let Some(names) = line.strip_prefix(b"#Fields:") {
                self.fields = Fields::of(&decode_line(names));
                self.untold = None;
                if self.fields.uri.is_none() || self.fields.status.is_none() {
                    self.problem.get_or_insert((number, "others"));
                }
            }
            return;
        }
        if let Some(untold) = self.untold {
            self.fields = Fields::of(untold(line));
        }
        let (Some(uri_at), Some(status_at)) = (self.fields.uri, self.fields.status) else {
            if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
                self.problem.get_or_insert((number, "a line before any names"));
            }
            return;
        };
        let wanted = [
            Some(uri_at),
            Some(status_at),
            self.fields.substatus,
            self.fields.reason,
            self.fields.date,
            self.fields.time,
        ];
        let mut values: [&[u8]; 6] = [b""; 6];
        let parts = line.split(|&byte| matches!(byte, b' ' | b'\r' | b'\n')).filter(|part| !part.is_empty());
        for (at, part) in parts.enumerate().take(64) {
            for (slot, wanted) in wanted.iter().enumerate() {
                if *wanted == Some(at) {
                    values[slot] = part;
                }
            }
        }
        let [uri, status, substatus, reason, date, time] = values;
        let moment = self.moment(date, time);
        if let Some(time) = moment {
            self.clock.take(number, When::utc(time));
        }
        let Some(directory) = directory(uri) else { return };
        let digits = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u16>().ok());
        // A connection that ended without an answer has `-` there.
        let status = match status {
            b"-" => 0,
            status => match digits(status) {
                Some(status) => status,
                None => return,
            },
        };
        let reason = match reason {
            b"-" => String::new(),
            reason => shown(&decode_line(&reason[..reason.len().min(60)]), 60),
        };
        let key = (directory, status, digits(substatus).unwrap_or(0), reason);
        let room = self.known.len() < ANSWERS;
        match self.known.get_mut(&key) {
            Some(answer) => {
                answer.count += 1;
                answer.line = number;
                answer.time = moment.or(answer.time);
            }
            None if room => {
                self.known.insert(key, Answer { count: 1, line: number, time: moment });
            }
            None => {}
        }
    }

    fn moment(&mut self, date: &[u8], time: &[u8]) -> Option<Timestamp> {
        if date.len() != 10 || time.len() != 8 {
            return None;
        }
        let (known, moment) = (&mut self.last.0, &mut self.last.1);
        if known.len() == 18 && &known[..10] == date && &known[10..] == time {
            return *moment;
        }
        known.clear();
        known.extend_from_slice(date);
        known.extend_from_slice(time);
        let written = format!("{}T{}Z", decode_line(date), decode_line(time));
        *moment = written.parse().ok();
        *moment
    }

    /// States what was counted.
    pub(super) fn finish(self, found: &mut Found) {
        if let Some((line, why)) = self.problem {
            let expected = "the names of fields, cs-uri-stem or cs-uri and sc-status among them";
            found.problem(line_number(line), expected, why.into());
        }
        let mut answers: Vec<_> = self.known.into_iter().collect();
        answers.sort_by(|a, b| (a.1.line, &a.0).cmp(&(b.1.line, &b.0)));
        for ((directory, status, substatus, reason), answer) in answers {
            let Answer { count, line, time } = answer;
            let directory = directory.to_string();
            let statement = Statement::IisAnswer { directory, status, substatus, reason, count };
            found.fact(line_number(line), time, statement);
        }
        found.jumps(self.clock);
    }
}

/// What HTTP.sys writes where it does not say so: since it speaks HTTP/2 the number of a stream stands before the status,
/// and a line has 14 values or more.
fn untold(line: &[u8]) -> &'static str {
    let values = line.split(u8::is_ascii_whitespace).filter(|value| !value.is_empty()).count();
    if values >= 14 {
        "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid s-reason"
    } else {
        "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason"
    }
}

/// Whether a line has what IIS writes unless somebody has changed it, with or without the page that led there.
fn is_usual(line: &str) -> bool {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^\S+ \S+ [0-9A-Fa-f:.%]+ [A-Z_]{3,20} /\S* \S+ \d{1,5} \S+ [0-9A-Fa-f:.%]+ \S+(?: (?:-|https?://\S+))? [1-5]\d\d \d{1,3} \d{1,10} \d{1,10}\s*$",
        )
        .expect("fixed pattern")
    });
    LINE.is_match(line)
}

/// The names of what such a line holds.
fn usual(line: &[u8]) -> &'static str {
    if line.split(u8::is_ascii_whitespace).filter(|value| !value.is_empty()).count() >= 15 {
        "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status \
         sc-substatus sc-win32-status time-taken"
    } else {
        "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status sc-substatus \
         sc-win32-status time-taken"
    }
}

/// Whether a line names the fields of HTTP.sys' log.
pub(super) fn is_heading(line: &str) -> bool {
    line.starts_with("#Fields: date time ") && line.contains(" s-reason")
}

/// The directory of WSUS that a URL lies in.
fn directory(uri: &[u8]) -> Option<&'static str> {
    // HTTP.sys writes a whole URL where the client sent one.
    let path = match memchr::memmem::find(&uri[..uri.len().min(16)], b"://") {
        Some(at) => {
            let rest = &uri[at + 3..];
            &rest[memchr::memchr(b'/', rest)?..]
        }
        None => uri,
    };
    let end =
        path.iter().skip(1).position(|byte| matches!(byte, b'/' | b'?')).map_or(path.len(), |at| at + 1);
    DIRECTORIES.into_iter().find(|known| path[..end].eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether a line is one of HTTP.sys' log.
pub(super) fn is_refusal(line: &str) -> bool {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+ (?:\d+|-) \S+ (?:\d+|-) HTTP/\d")
            .expect("fixed pattern")
    });
    line.as_bytes().first().is_some_and(u8::is_ascii_digit) && LINE.is_match(line)
}
