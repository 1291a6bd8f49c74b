//! The test by .NET's HttpWebRequest on the server: as this program's own script prints it, and as PowerShell prints the
//! error of one that was typed.

use std::sync::LazyLock;

use regex::Regex;

use crate::facts::list::{Page, between_words};
use crate::facts::{Found, Kind, Statement, line_number, shown};

/// The most exceptions of a chain.
const CHAIN: usize = 16;

/// Reads tests from a page.
///
/// The script's form is `wsusprobe-http-test: 1` and below it, in any order, `Url`, `Proxy`, `Protocol`, `Account`, `Status`
/// and, for each exception from the outermost on, `Exception: class | message | native code`.
pub(super) fn read(page: &mut Page, found: &mut Found) {
    static HEAD: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*wsusprobe-http-test\s*:\s*(\S{1,20})\s*$").expect("fixed pattern"));
    let mut at = 0;
    while at < page.lines.len() {
        let line = &page.lines[at];
        if page.claimed[at] || line.len() > 4000 {
            at += 1;
            continue;
        }
        if line.contains("wsusprobe-http-test")
            && let Some(version) = HEAD.captures(line)
        {
            let version = version[1].to_string();
            at = own(page, at, &version, found);
        } else if line.contains("GetResponse") {
            at = caught(page, at, found).unwrap_or_else(|| typed(page, at, found));
        } else if line.starts_with("IsMutuallyAuthenticated ") {
            at = answered(page, at, found);
        } else {
            at += 1;
        }
    }
}

/// Reads the script's form; the index behind it.
fn own(page: &mut Page, head: usize, version: &str, found: &mut Found) -> usize {
    found.kind(Kind::HttpTest);
    let (mut url, mut proxy, mut protocol, mut account) = Default::default();
    let (mut status, mut exceptions) = (None, Vec::new());
    let mut bad = None;
    let mut at = head + 1;
    while let Some((key, value)) = page.lines.get(at).and_then(|line| line.split_once(':')) {
        let value = value.trim();
        match key.trim() {
            "Url" => url = shown(value, 500),
            "Proxy" => proxy = shown(value, 300),
            "Protocol" => protocol = shown(value, 60),
            "Account" => account = shown(value, 200),
            "Status" if value.is_empty() => {}
            "Status" => match value.parse::<u16>() {
                Ok(code) if (100..1000).contains(&code) => status = Some(code),
                _ => bad = Some((at, format!("`{}`", shown(value, 60)))),
            },
            "Exception" if exceptions.len() < CHAIN => exceptions.push(shown(value, 500)),
            "Exception" => {}
            _ => break,
        }
        at += 1;
    }
    let line = line_number(page.number(head));
    if version != "1" {
        found.problem(line, "a test of version 1", format!("version `{}`", shown(version, 20)));
    } else if let Some((at, given)) = bad {
        found.problem(line_number(page.number(at)), "an HTTP status", given);
    } else if url.is_empty() || status.is_none() && exceptions.is_empty() {
        found.problem(line, "a test with its URL and what came of it", "one without them".into());
    } else {
        found.fact(line, None, Statement::HttpTest { url, proxy, protocol, account, status, exceptions });
    }
    page.claim(head, at - 1);
    at
}

/// Reads the red error of `$request.GetResponse()`, in any language: it quotes the method and then the message.
fn typed(page: &mut Page, head: usize, found: &mut Found) -> usize {
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            "(?s)[\"\u{ab}\u{201e}\u{201c}]\\s?GetResponse\\s?[\"\u{bb}\u{201c}\u{201d}].{1,60}?:\\s*[\"\u{ab}\u{201e}\u{201c}](.+?)[\"\u{bb}\u{201c}\u{201d}]\\s*(?:$|\\n)",
        )
        .expect("fixed pattern")
    });
    let mut end = head + 1;
    let below = |line: &String| !line.trim().is_empty() && line.len() < 4000;
    while end < head + 12 && page.lines.get(end).is_some_and(below) {
        end += 1;
    }
    let block = page.lines[head..end].join("\n");
    let Some(parts) = QUOTED.captures(&block) else { return head + 1 };
    let at = head + block[..parts.get(1).map_or(0, |message| message.start())].matches('\n').count();
    let mut message = String::new();
    for (index, part) in parts[1].split('\n').enumerate() {
        if index > 0
            && !message.ends_with(' ')
            && between_words(&page.lines[at + index - 1], &page.lines[at + index])
        {
            message.push(' ');
        }
        message.push_str(part);
    }
    let class = if block.contains("WebException") { "System.Net.WebException" } else { "" };
    let exceptions = vec![shown(&format!("{class} | {message} | "), 500)];
    state(page, head, end, created(page, head, end), status(&message), exceptions, found);
    end
}

/// Reads the answer that `$request.GetResponse()` prints as a list. Its URL is the one that answered: a redirection may have led
/// there.
fn answered(page: &mut Page, head: usize, found: &mut Found) -> usize {
    static MEMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^([A-Za-z]{2,40})\s*: ?(.*)$").expect("fixed pattern"));
    let (mut code, mut from, mut end) = (None, None::<String>, head);
    let mut in_url = false;
    while let Some(line) = page.lines.get(end).filter(|line| end < head + 24 && line.len() < 4000) {
        match MEMBER.captures(line) {
            Some(member) => {
                let value = member[2].trim();
                in_url = &member[1] == "ResponseUri";
                match &member[1] {
                    "StatusCode" => code = success(value),
                    "ResponseUri" => from = Some(value.to_string()),
                    _ => {}
                }
            }
            // A URL has no blanks: the width has cut it.
            None if in_url && !line.trim().is_empty() && !line.trim().contains(' ') => {
                from.iter_mut().for_each(|from| from.push_str(line.trim()));
            }
            None => break,
        }
        end += 1;
    }
    let (Some(code), Some(from)) = (code, from) else { return head + 1 };
    state(page, head, end, shown(&from, 500), Some(code), Vec::new(), found);
    end
}

/// States a test that somebody typed, which stands in the lines from `head` to before `end`.
fn state(
    page: &mut Page,
    head: usize,
    end: usize,
    url: String,
    status: Option<u16>,
    exceptions: Vec<String>,
    found: &mut Found,
) {
    let (proxy, protocol, account) = Default::default();
    found.kind(Kind::HttpTest);
    let statement = Statement::HttpTest { url, proxy, protocol, account, status, exceptions };
    found.fact(line_number(page.number(head)), None, statement);
    page.claim(head, end - 1);
}

/// The number of a status with which .NET throws nothing, by the name that its enumeration has for it, or as a number.
fn success(name: &str) -> Option<u16> {
    const NAMES: [(&str, u16); 12] = [
        ("OK", 200),
        ("Created", 201),
        ("Accepted", 202),
        ("NonAuthoritativeInformation", 203),
        ("NoContent", 204),
        ("ResetContent", 205),
        ("PartialContent", 206),
        ("MovedPermanently", 301),
        ("Found", 302),
        ("SeeOther", 303),
        ("NotModified", 304),
        ("TemporaryRedirect", 307),
    ];
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code);
    named.or_else(|| name.parse().ok().filter(|code| (200..400).contains(code)))
}

/// Reads what `try { $request.GetResponse() } catch { … }` prints of the exception below the line that was typed: its message
/// alone, or the exception as a list. The index behind it; none where no exception stands there.
fn caught(page: &mut Page, head: usize, found: &mut Found) -> Option<usize> {
    static CATCH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"GetResponse\s?\(\).{0,300}\bcatch\b.{0,300}\$(?:_|PSItem)\.Exception")
            .expect("fixed pattern")
    });
    static MEMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^([A-Za-z]{2,40})\s*: ?(.*)$").expect("fixed pattern"));
    if !CATCH.is_match(&page.lines[head]) {
        return None;
    }
    let prompt = |line: &str| line.starts_with("PS ") || line.starts_with(">>");
    let open = |at: usize| page.lines.get(at).is_some_and(|line| !page.claimed[at] && !prompt(line));
    let blank = |at: usize| page.lines.get(at).is_some_and(|line| line.trim().is_empty());
    let first = (head + 1..=head + 4).find(|&at| !blank(at)).filter(|&at| open(at))?;
    let end = (first..first + 24).find(|&at| !open(at) || blank(at)).unwrap_or(first + 24);
    let member = |wanted: &str| {
        let lines = page.lines[first..end].iter().filter_map(|line| MEMBER.captures(line));
        lines.filter(|found| &found[1] == wanted).map(|found| found[2].trim().to_string()).next()
    };
    let (class, message, native) = match member("Message") {
        Some(message) => {
            let socket = member("SocketErrorCode").is_some();
            let class = if socket { "System.Net.Sockets.SocketException" } else { "" };
            (class, message, member("NativeErrorCode").unwrap_or_default())
        }
        // What was printed of an answer is no exception's message: its status, with a word before it or alone.
        None if page.lines[head].contains("StatusCode")
            && let Some(code) = page.lines[first].split_whitespace().last().and_then(success)
            && end == first + 1 =>
        {
            state(page, head, end, created(page, head, end), Some(code), Vec::new(), found);
            return Some(end);
        }
        None if page.lines[first].trim().contains(' ') && !page.lines[first].starts_with("OK") => {
            ("", page.lines[first..end].join("").trim().to_string(), String::new())
        }
        None => return None,
    };
    let exceptions = vec![shown(&format!("{class} | {message} | {native}"), 500)];
    state(page, head, end, created(page, head, end), status(&message), exceptions, found);
    Some(end)
}

/// The status that .NET puts in brackets into an exception's message.
fn status(message: &str) -> Option<u16> {
    static STATUS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(([1-5]\d\d)\)").expect("fixed pattern"));
    STATUS.captures(message).and_then(|code| code[1].parse().ok())
}

/// The URL that a request was created with which is sent in the lines from `head` to before `end` or right above: by itself
/// or in a variable. Empty where that does not stand there, and where another request stands there alone.
fn created(page: &Page, head: usize, end: usize) -> String {
    static CREATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r#"(?i)(?:\$(\w{1,40})\s*=\s*)?\[(?:System\.)?Net\.(?:Http)?WebRequest\]::Create\(\s*(?:["'](https?://[^"'\s]{1,400})["']|\$(\w{1,40}))\s*\)"#,
        )
        .expect("fixed pattern")
    });
    static SENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?i)\$(\w{1,40})\.GetResponse\b").expect("fixed pattern"));
    let first = head.saturating_sub(12);
    // Nearest first, the line that sends it among them.
    let above =
        |from: usize| page.lines[first..=from].iter().enumerate().rev().filter(|(_, line)| line.len() < 4000);
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let sent = page.lines[head..end].iter().find_map(|line| SENT.captures(line));
    let sent = sent.or_else(|| above(head).find_map(|(_, line)| SENT.captures(line)));
    let found = above(head).find_map(|(at, line)| {
        let found = CREATE.captures(line)?;
        let is_it = match (&sent, found.get(1)) {
            (Some(sent), Some(variable)) => same(&sent[1], variable.as_str()),
            // Sent where it is created, and in no variable.
            (None, None) => line.contains("GetResponse"),
            _ => false,
        };
        is_it.then_some((first + at, found))
    });
    let Some((at, found)) = found else { return String::new() };
    let url = match (found.get(2), found.get(3)) {
        (Some(url), _) => Some(url.as_str().to_string()),
        (_, Some(variable)) => above(at).find_map(|(_, line)| {
            let (_, value) = line.split_once(&format!("${} ", variable.as_str()))?;
            let value = value.trim_start().strip_prefix('=')?.trim_start();
            let value = value.strip_prefix(['"', '\''])?;
            value.split(['"', '\'']).next().filter(|url| url.starts_with("http")).map(str::to_string)
        }),
        _ => None,
    };
    url.map_or_else(String::new, |url| shown(&url, 500))
}
