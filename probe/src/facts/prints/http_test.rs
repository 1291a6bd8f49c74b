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

/// Reads the red error of `$request.GetResponse()`, in any language: it quotes the method and then the message. Where the
/// URL does not stand in it, it is not known.
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
    let status = status(&message);
    found.kind(Kind::HttpTest);
    let statement = Statement::HttpTest {
        url: String::new(),
        proxy: String::new(),
        protocol: String::new(),
        account: String::new(),
        status,
        exceptions: vec![shown(&format!("{class} | {message} | "), 500)],
    };
    found.fact(line_number(page.number(head)), None, statement);
    page.claim(head, end - 1);
    end
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
        // One word is a status that was printed and no exception's message.
        None if page.lines[first].trim().contains(' ') && !page.lines[first].starts_with("OK") => {
            ("", page.lines[first..end].join("").trim().to_string(), String::new())
        }
        None => return None,
    };
    found.kind(Kind::HttpTest);
    let statement = Statement::HttpTest {
        url: created(page, head),
        proxy: String::new(),
        protocol: String::new(),
        account: String::new(),
        status: status(&message),
        exceptions: vec![shown(&format!("{class} | {message} | {native}"), 500)],
    };
    found.fact(line_number(page.number(head)), None, statement);
    page.claim(head, end - 1);
    Some(end)
}

/// The status that .NET puts in brackets into an exception's message.
fn status(message: &str) -> Option<u16> {
    static STATUS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\(([1-5]\d\d)\)").expect("fixed pattern"));
    STATUS.captures(message).and_then(|code| code[1].parse().ok())
}

/// The URL that a request was created with, above the line that sends it: by itself or in a variable. Empty where it does not
/// stand there.
fn created(page: &Page, head: usize) -> String {
    static CREATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"HttpWebRequest\]::Create\(\s*(?:["'](https?://[^"'\s]{1,400})["']|\$(\w{1,40}))\s*\)"#)
            .expect("fixed pattern")
    });
    let above = || page.lines[head.saturating_sub(12)..=head].iter().rev().filter(|line| line.len() < 4000);
    let Some(found) = above().find_map(|line| CREATE.captures(line)) else { return String::new() };
    let url = match (found.get(1), found.get(2)) {
        (Some(url), _) => Some(url.as_str().to_string()),
        (_, Some(variable)) => above().find_map(|line| {
            let (_, value) = line.split_once(&format!("${} ", variable.as_str()))?;
            let value = value.trim_start().strip_prefix('=')?.trim_start();
            let value = value.strip_prefix(['"', '\''])?;
            value.split(['"', '\'']).next().filter(|url| url.starts_with("http")).map(str::to_string)
        }),
        _ => None,
    };
    url.map_or_else(String::new, |url| shown(&url, 500))
}
