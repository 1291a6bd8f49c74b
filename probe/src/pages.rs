//! The page of each finding: its title, its repair, and the text that `explain` prints.
//!
//! A page lies beside the rules as `pages/<layer>/<name>.md`: TOML between two lines of `+++`, then Markdown. It is
//! read when it is first asked for.

use std::net::IpAddr;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::diagnosis::Remedy;
use crate::rules::catalogue::{CATALOGUE, Entry, entry, position};
use crate::settings::{is_host_name, split_host_port};

/// The page of one finding. Its texts may hold `{host}`, `{port}` and `{subject}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The problem in one line.
    pub title: String,
    /// What to do about it.
    pub remedy: Remedy,
    /// The text, in Markdown.
    pub body: &'static str,
}

/// Why a page cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// There is no front matter.
    #[error("the page does not begin with TOML between two lines of +++")]
    NoFrontMatter,
    /// The front matter is not as it must be.
    #[error("{0}")]
    FrontMatter(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontMatter {
    title: String,
    steps: Vec<String>,
    commands: Vec<String>,
    #[serde(rename = "where")]
    place: String,
    never: Vec<String>,
}

impl Page {
    /// Reads a page as written.
    pub fn parse(source: &'static str) -> Result<Page, PageError> {
        let rest = strip_line(source, "+++").ok_or(PageError::NoFrontMatter)?;
        let end = rest
            .match_indices("+++")
            .map(|(at, _)| at)
            .find(|&at| (at == 0 || rest[..at].ends_with('\n')) && strip_line(&rest[at..], "+++").is_some())
            .ok_or(PageError::NoFrontMatter)?;
        let front: FrontMatter =
            toml::from_str(&rest[..end]).map_err(|error| PageError::FrontMatter(error.to_string()))?;
        let FrontMatter { title, steps, commands, place, never } = front;
        let body = strip_line(&rest[end..], "+++").unwrap_or_default();
        Ok(Page { title, remedy: Remedy { steps, commands, place, never }, body })
    }
}

/// What follows a first line that is exactly `line`.
fn strip_line<'a>(text: &'a str, line: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(line)?;
    let rest = rest.strip_prefix('\r').unwrap_or(rest);
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('\n') }
}

/// The page of an id; none for an id that is unknown or not diagnosed yet.
pub fn page(id: &str) -> Option<&'static Page> {
    static READ: OnceLock<Vec<OnceLock<Option<Page>>>> = OnceLock::new();
    let read = READ.get_or_init(|| CATALOGUE.iter().map(|_| OnceLock::new()).collect());
    let at = position(id)?;
    read.get(at)?.get_or_init(|| CATALOGUE[at].source.and_then(|source| Page::parse(source).ok())).as_ref()
}

/// Every id of the catalogue, in its order.
pub fn ids() -> impl Iterator<Item = &'static Entry> {
    CATALOGUE.iter()
}

/// The title of a finding about `subject`; the id itself where it has no page.
pub fn title(id: &str, subject: &str) -> String {
    page(id).map_or_else(|| id.to_string(), |page| fill(&page.title, subject))
}

/// The title of an id without a subject: `<host>` stands in its place. None where the id has no page.
pub fn general_title(id: &str) -> Option<String> {
    page(id).map(|page| general(&page.title))
}

/// What to do about a finding about `subject`.
pub fn remedy(id: &str, subject: &str) -> Remedy {
    let Some(page) = page(id) else { return Remedy::default() };
    let words = |texts: &[String]| texts.iter().map(|text| fill(text, subject)).collect();
    Remedy {
        steps: words(&page.remedy.steps),
        commands: page.remedy.commands.iter().map(|text| fill_command(text, subject)).collect(),
        place: fill(&page.remedy.place, subject),
        never: words(&page.remedy.never),
    }
}

/// The severity of an id, unless the evidence says otherwise.
pub fn severity(id: &str) -> crate::diagnosis::Severity {
    entry(id).map_or(crate::diagnosis::Severity::Error, |entry| entry.severity)
}

/// Fills the placeholders of a sentence.
fn fill(text: &str, subject: &str) -> String {
    let (host, port) = parts(subject);
    place(text, &host, &port, subject)
}

/// Fills the placeholders of a command. A subject can come from a stranger's file and the command is there to be
/// pasted: only what can be a host's name or a plain word goes in.
fn fill_command(text: &str, subject: &str) -> String {
    let (host, port) = parts(subject);
    let host = if is_host_name(&host) || host.parse::<IpAddr>().is_ok() { &host } else { "<host>" };
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]\\/".contains(c);
    let subject = if !subject.is_empty() && subject.chars().all(plain) { subject } else { "<subject>" };
    place(text, host, &port, subject)
}

/// Puts words of the reader in the place of the placeholders.
pub(crate) fn general(text: &str) -> String {
    place(text, "<host>", "<port>", "<subject>")
}

fn parts(subject: &str) -> (String, String) {
    match split_host_port(subject) {
        Some((host, port)) => (host, port.to_string()),
        None => (subject.to_string(), "<port>".to_string()),
    }
}

/// One pass: what is filled in is not looked at again.
fn place(text: &str, host: &str, port: &str, subject: &str) -> String {
    let mut out = String::with_capacity(text.len() + subject.len());
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let tail = &rest[open..];
        let filled = [("{host}", host), ("{port}", port), ("{subject}", subject)]
            .into_iter()
            .find_map(|(mark, value)| tail.strip_prefix(mark).map(|after| (value, after)));
        match filled {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push('{');
                rest = &tail[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_read_and_says_what_it_must() {
        for entry in ids().filter(|entry| entry.source.is_some()) {
            let page =
                Page::parse(entry.source.unwrap()).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
            assert!(!page.title.is_empty() && !page.title.contains('\n'), "{}: title", entry.id);
            assert!(!page.remedy.place.is_empty(), "{}: where", entry.id);
            assert!(!page.remedy.steps.is_empty(), "{}: steps", entry.id);
            for heading in ["## What was seen", "## Confirm by hand", "## Repair", "## References"] {
                assert!(page.body.contains(heading), "{}: {heading}", entry.id);
            }
            assert!(page.body.contains("```"), "{}: no command to confirm it by", entry.id);
        }
    }

    #[test]
    fn what_is_due_has_a_page_and_nothing_else_has() {
        let without: Vec<_> =
            ids().filter(|entry| entry.due != entry.source.is_some()).map(|e| e.id).collect();
        assert!(without.is_empty(), "{without:?}");
    }

    #[test]
    fn ids_are_unique_and_grouped_by_layer() {
        let mut seen = std::collections::HashSet::new();
        let mut layers: Vec<&str> = Vec::new();
        for entry in ids() {
            assert!(seen.insert(entry.id), "{} twice", entry.id);
            let layer = entry.id.split('/').next().unwrap();
            if layers.last() != Some(&layer) {
                assert!(!layers.contains(&layer), "{} stands apart from its layer", entry.id);
                layers.push(layer);
            }
        }
    }

    #[test]
    fn placeholders_are_filled_once() {
        assert_eq!(
            fill("{host} on {port}: {subject} {x}", "up.test:8531"),
            "up.test on 8531: up.test:8531 {x}"
        );
        assert_eq!(fill("{host}", "{port}:80"), "{port}:80");
        assert_eq!(fill("{host}:{port}", "MUUrl"), "MUUrl:<port>");
        assert_eq!(fill("{host}", "[2001:db8::1]:443"), "2001:db8::1");
    }

    #[test]
    fn a_strangers_subject_does_not_become_a_command() {
        let text = "Test-NetConnection {host} -Port {port} # {subject}";
        assert_eq!(
            fill_command(text, "a;Remove-Item C:\\ -Recurse:80"),
            "Test-NetConnection <host> -Port <port> # <subject>"
        );
        assert_eq!(
            fill_command(text, "up.test:8530"),
            "Test-NetConnection up.test -Port 8530 # up.test:8530"
        );
    }
}
