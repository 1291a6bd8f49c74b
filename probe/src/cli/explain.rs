//! `list` and `explain`: the catalogue and the codes for people.

use anstyle::Style;

use super::code;
use crate::codes;
use crate::describe::clean;
use crate::diagnosis::Severity;
use crate::pages;
use crate::report::text::wrap;
use crate::rules::catalogue::entry;

const BOLD: Style = Style::new().bold();
const WIDTH: usize = 100;

/// What `list` prints.
pub fn list() -> String {
    let width = pages::ids().map(|entry| entry.id.len()).max().unwrap_or_default();
    let mut out = String::new();
    for entry in pages::ids() {
        let title = match pages::general_title(entry.id) {
            Some(title) if entry.due => title,
            _ => "not diagnosed yet".to_string(),
        };
        out.push_str(&format!("{:<width$}  {:<7}  {title}\n", entry.id, severity(entry.severity)));
    }
    out
}

/// What `explain` prints of ids and codes; else why it has nothing to say about one of them.
pub fn explain(words: &[String], colour: bool) -> Result<String, String> {
    let one = |word: &str| page(word, colour).or_else(|| code::explain(word, colour));
    // `explain event 10022` is one code in two words; a word that says something alone is asked for alone.
    if let Some((_, before @ [_, ..])) = words.split_last()
        && before.iter().all(|word| one(word).is_none())
        && let Some(text) = code::explain(&words.join(" "), colour)
    {
        return Ok(text);
    }
    let pages: Result<Vec<String>, String> =
        words.iter().map(|word| one(word).ok_or_else(|| unknown(word))).collect();
    Ok(pages?.join("\n"))
}

/// Bold where colours are shown.
pub(super) fn bold(text: &str, colour: bool) -> String {
    if colour { format!("{BOLD}{text}{BOLD:#}") } else { text.to_string() }
}

/// The page of a finding; none where the id is unknown.
fn page(id: &str, colour: bool) -> Option<String> {
    let entry = entry(id)?;
    let bold = |text: &str| bold(text, colour);
    let mut out = format!("{}  ({})\n", bold(entry.id), severity(entry.severity));
    let Some(page) = pages::page(id).filter(|_| entry.due) else {
        out.push_str("This finding is in the catalogue and is not diagnosed yet.\n");
        return Some(out);
    };
    hang(&mut out, "", &pages::general(&page.title));
    out.push('\n');
    hang(&mut out, "Where  ", &pages::general(&page.remedy.place));
    for (n, never) in page.remedy.never.iter().enumerate() {
        hang(&mut out, if n == 0 { "Never  " } else { "       " }, &pages::general(never));
    }
    out.push_str(&format!("\n{}\n", bold("STEPS")));
    for (n, step) in page.remedy.steps.iter().enumerate() {
        hang(&mut out, &format!("  {}. ", n + 1), &pages::general(step));
    }
    if !page.remedy.commands.is_empty() {
        out.push_str(&format!("\n{}\n", bold("COMMANDS (PowerShell)")));
        for command in &page.remedy.commands {
            for line in command.lines() {
                out.push_str(&format!("    {}\n", pages::general(line)));
            }
        }
    }
    markdown(&mut out, &pages::general(page.body), &bold);
    Some(out)
}

/// Whether a line of a page is for the reader: an item about findings that are not diagnosed yet is not.
fn is_told(line: &&str) -> bool {
    let mut ids = line.split('`').skip(1).step_by(2).filter_map(entry).peekable();
    !line.starts_with("- `") || ids.peek().is_none() || ids.any(|entry| entry.due)
}

/// The little Markdown that pages use: headings, paragraphs, lists and fenced code.
pub(super) fn markdown(out: &mut String, body: &str, bold: &dyn Fn(&str) -> String) {
    let mut code = false;
    let mut paragraph: Option<(String, String)> = None;
    let flush = |out: &mut String, paragraph: &mut Option<(String, String)>| {
        if let Some((label, text)) = paragraph.take() {
            hang(out, &label, &text);
        }
    };
    for line in body.lines().filter(is_told) {
        if line.trim_start().starts_with("```") {
            flush(out, &mut paragraph);
            code = !code;
        } else if code {
            out.push_str(&format!("    {line}\n"));
        } else if let Some(heading) =
            line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
        {
            flush(out, &mut paragraph);
            out.push_str(&format!("\n{}\n", bold(&heading.to_uppercase())));
        } else if let Some((label, text)) = item(line) {
            flush(out, &mut paragraph);
            paragraph = Some((label, text.to_string()));
        } else if line.trim().is_empty() {
            flush(out, &mut paragraph);
            if !out.ends_with("\n\n") {
                out.push('\n');
            }
        } else {
            match &mut paragraph {
                Some((_, text)) => {
                    text.push(' ');
                    text.push_str(line.trim());
                }
                None => paragraph = Some(("  ".into(), line.trim().to_string())),
            }
        }
    }
    flush(out, &mut paragraph);
    // Headings bring their own empty line.
    while out.contains("\n\n\n") {
        *out = out.replace("\n\n\n", "\n\n");
    }
}

/// A list's item: its label and its text.
fn item(line: &str) -> Option<(String, &str)> {
    let text = line.trim_start();
    if let Some(text) = text.strip_prefix("- ").or_else(|| text.strip_prefix("* ")) {
        return Some(("  - ".into(), text));
    }
    let (number, text) = text.split_once(". ")?;
    let counted = !number.is_empty() && number.len() < 3 && number.bytes().all(|b| b.is_ascii_digit());
    counted.then(|| (format!("  {number}. "), text))
}

pub(super) fn hang(out: &mut String, label: &str, text: &str) {
    let indent = label.chars().count();
    for (n, line) in wrap(text, WIDTH - indent).iter().enumerate() {
        let lead = if n == 0 { label.to_string() } else { " ".repeat(indent) };
        out.push_str(&format!("{lead}{line}\n"));
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// Why `explain` has nothing to say about a word.
fn unknown(word: &str) -> String {
    let shown = clean(&word.chars().take(80).collect::<String>());
    if let Some(status) = codes::status_alone(word) {
        return format!("{shown}: no meaning of this substatus is known; the status has one: http:{status}");
    }
    if codes::reads_as_code(word) {
        return match code::owner(word) {
            Some(owner) => {
                format!("{shown}: no meaning of this code is known; it is of the range of {owner}")
            }
            None => format!("{shown}: no meaning of this code is known"),
        };
    }
    let mut near = nearest(word);
    near.extend(code::nearest(word));
    if near.is_empty() {
        format!("{shown}: neither a finding's id nor a code that is known: see `wsusprobe list`")
    } else {
        format!(
            "{shown}: neither a finding's id nor a code that is known; the nearest are {}",
            near.join(", ")
        )
    }
}

/// Why an id is none of a finding.
pub fn no_finding(id: &str) -> String {
    let shown = clean(&id.chars().take(80).collect::<String>());
    let near = nearest(id);
    if near.is_empty() {
        format!("{shown}: no finding has this id: see `wsusprobe list`")
    } else {
        format!("{shown}: no finding has this id; the nearest are {}", near.join(", "))
    }
}

/// At most five ids that a word may have meant: those of that name in any layer, then the nearest in spelling.
fn nearest(word: &str) -> Vec<&'static str> {
    let word: String = word.to_ascii_lowercase().chars().take(60).collect();
    let tail = word.rsplit('/').next().unwrap_or_default();
    let mut ranked: Vec<(usize, &'static str)> = pages::ids()
        .filter_map(|entry| {
            let name = entry.id.rsplit('/').next().unwrap_or_default();
            let far = distance(&word, entry.id).min(distance(tail, name) + 1);
            let rank = if name == tail {
                0
            } else if tail.len() > 3 && name.contains(tail) {
                1
            } else {
                far + 1
            };
            (rank <= 1 + entry.id.len() / 3).then_some((rank, entry.id))
        })
        .collect();
    ranked.sort_by_key(|&(rank, _)| rank);
    let best = ranked.first().map_or(0, |&(rank, _)| rank);
    ranked.into_iter().filter(|&(rank, _)| rank <= best + 1).take(5).map(|(_, id)| id).collect()
}

/// How many characters have to be changed, added or left out (Levenshtein).
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let kept = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = kept.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_can_be_explained_without_a_placeholder_left() {
        for entry in pages::ids() {
            let text = page(entry.id, false).unwrap();
            for mark in ["{host}", "{port}", "{subject}", "```", "\n## "] {
                assert!(!text.contains(mark), "{}: {mark}\n{text}", entry.id);
            }
            assert_eq!(text.contains("not diagnosed yet"), !entry.due, "{}", entry.id);
        }
        assert_eq!(page("nothing/such", false), None);
    }

    /// Of findings and of codes alike.
    #[test]
    fn no_page_sends_to_what_is_not_diagnosed_yet() {
        let findings = pages::ids().filter(|entry| entry.due).map(|entry| page(entry.id, false).unwrap());
        let with_page = codes::entries().iter().filter(|entry| entry.page().is_some());
        let of_codes = with_page.map(|entry| code::explain(&entry.key.to_string(), false).unwrap());
        for text in findings.chain(of_codes) {
            let title = text.lines().next().unwrap().to_string();
            // An id may stand at a line's end, and its text in the next one.
            let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || "`,:.()".contains(c)).collect();
            for id in pages::ids().filter(|entry| !entry.due).map(|entry| entry.id) {
                assert!(!words.contains(&id), "{title}: {id}");
            }
            // Nothing of an item stays behind, and no section is left empty.
            let shown: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
            for pair in shown.windows(2).filter(|pair| pair[0] == "NOT TO BE CONFUSED WITH") {
                assert!(pair[1].starts_with("  - `"), "{title}: {pair:?}");
            }
        }
        let page = page("history/stale", false).unwrap();
        assert!(page.contains("`config/service-stopped`") && !page.contains("whose imports are old"));
    }

    #[test]
    fn a_substatus_that_is_not_known_offers_its_status() {
        for word in ["401.99", "HTTP 401.99", "HTTP 401 substatus 99"] {
            assert!(unknown(word).contains("http:401"), "{word}: {}", unknown(word));
        }
        assert!(!unknown("999.1").contains("http:"), "{}", unknown("999.1"));
    }

    #[test]
    fn near_ids_are_suggested() {
        assert_eq!(nearest("trust/missing-intermediat")[0], "trust/missing-intermediate");
        assert_eq!(nearest("missing-intermediate")[0], "trust/missing-intermediate");
        assert!(nearest("refused").contains(&"dial/refused") && nearest("refused").contains(&"tls/refused"));
        assert!(nearest("quite something else altogether").is_empty());
        assert!(nearest("").len() <= 5);
    }

    #[test]
    fn what_is_unknown_is_told_as_what_it_reads_like() {
        assert!(unknown("0x8024ABCD").contains("Windows Update agent"));
        assert!(unknown("0xC0FFEE00").contains("no meaning of this code"));
        assert!(unknown("WININET_E_TIMEOUTS").contains("WININET_E_TIMEOUT"));
        assert!(unknown("trust/missing-intermediat").contains("trust/missing-intermediate"));
        assert!(!no_finding("WININET_E_TIMEOUTS").contains("WININET_E_TIMEOUT,"));
        let hostile = format!("\u{1b}[31m{}", "x".repeat(10_000));
        let says = unknown(&hostile);
        assert!(says.len() < 400 && !says.chars().any(char::is_control), "{says:?}");
    }

    #[test]
    fn several_words_are_several_pages_or_one_code() {
        let words = |line: &str| line.split(' ').map(str::to_string).collect::<Vec<_>>();
        let both = explain(&words("dial/refused 0x80072EE2"), false).unwrap();
        assert!(both.contains("dial/refused  (") && both.contains("WININET_E_TIMEOUT"));
        let event = explain(&words("event 10022"), false).unwrap();
        assert!(event.contains("HealthCoreCatalogSyncRed") && !event.contains("WSAEINVAL"));
        assert!(explain(&words("386 10022"), false).unwrap().contains("WSAEINVAL"));
        let both = explain(&words("UssCommunicationError 10022"), false).unwrap();
        assert!(both.contains("SynchronizationError:10") && both.contains("WSAEINVAL"));
        assert!(explain(&words("386 nothing/such"), false).is_err());
        assert!(explain(&words("HTTP 407 10022"), false).unwrap_err().starts_with("HTTP: "));
    }

    #[test]
    fn a_list_has_every_id_in_order() {
        let list = list();
        let ids: Vec<&str> = list.lines().map(|line| line.split(' ').next().unwrap()).collect();
        assert_eq!(ids, pages::ids().map(|entry| entry.id).collect::<Vec<_>>());
        assert!(list.contains("not diagnosed yet"));
    }
}
