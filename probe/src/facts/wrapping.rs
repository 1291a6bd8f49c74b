//! What mail programs, Markdown and consoles put around a text, undone before any reader looks at it: marks of what is
//! quoted or a comment, fences, a common margin, no-break spaces. Lines stay lines, so that their numbers are the file's.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::decode::decode_line;

/// What the lines of a file carry that is no part of what they say.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrapping {
    /// What every line begins with: a margin, or the mark of a comment.
    margin: String,
}

/// The marks of a comment, each with what closes it.
const COMMENTS: [(&str, &str); 7] =
    [("# ", ""), ("// ", ""), ("; ", ""), ("REM ", ""), ("rem ", ""), ("' ", ""), ("<!-- ", " -->")];

impl Wrapping {
    /// What the lines of a file that begins with `head` carry.
    pub(super) fn of(head: &str) -> Self {
        let mut margin: Option<&str> = None;
        let mut comment: Option<usize> = None;
        let mut count = 0;
        for line in head.lines().map(unquoted).filter(|line| !line.trim().is_empty() && !is_fence(line)) {
            let own = &line[..line.len() - line.trim_start_matches([' ', '\t', NO_BREAK]).len()];
            margin = Some(margin.map_or(own, |margin| common(margin, own)));
            let marked = |&mark: &usize| {
                line.starts_with(COMMENTS[mark].0) || line.trim_end() == COMMENTS[mark].0.trim_end()
            };
            comment = match count {
                0 => (0..COMMENTS.len()).find(marked),
                _ => comment.filter(marked),
            };
            count += 1;
        }
        // A single line of that kind stays what it is: it is not in effect.
        let margin = match comment.filter(|_| count > 1) {
            Some(mark) => COMMENTS[mark].0.to_string(),
            None => margin.unwrap_or_default().replace(NO_BREAK, " "),
        };
        Wrapping { margin }
    }

    /// Whether there may be anything to undo in `bytes`.
    pub(super) fn concerns(&self, bytes: &[u8]) -> bool {
        !self.margin.is_empty()
            || bytes.first().is_some_and(|&first| matches!(first, b'>' | b'`' | b'~'))
            || memmem::find(bytes, b"\n>").is_some()
            || memmem::find(bytes, b"\n```").is_some()
            || memmem::find(bytes, b"\n~~~").is_some()
            || memchr(0xa0, bytes).is_some()
    }

    /// The lines of `bytes` without it, as many as there were.
    pub(super) fn undo(&self, bytes: &[u8], into: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let bare = line.strip_suffix(b"\n").unwrap_or(line);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            into.extend_from_slice(self.bare(&decode_line(bare)).as_bytes());
            into.extend_from_slice(&line[bare.len()..]);
        }
    }

    /// The same of a text.
    pub(super) fn undone(&self, text: String) -> String {
        if !self.concerns(text.as_bytes()) {
            return text;
        }
        text.split_inclusive('\n')
            .flat_map(|line| {
                let bare = line.trim_end_matches(['\r', '\n']);
                [self.bare(bare), Cow::Borrowed(&line[bare.len()..])]
            })
            .collect()
    }

    fn bare<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let rest = unquoted(line);
        if is_fence(rest) {
            return Cow::Borrowed("");
        }
        let rest = match rest.contains(NO_BREAK) {
            true => Cow::Owned(rest.replace(NO_BREAK, " ")),
            false => Cow::Borrowed(rest),
        };
        if self.margin.is_empty() {
            return rest;
        }
        let mut from = common(&self.margin, &rest).len();
        let mut to = rest.len();
        if let Some((_, end)) = COMMENTS.iter().find(|(mark, _)| *mark == self.margin) {
            // A mark counts as a whole, with nothing behind it or what parts it from the text.
            if from < self.margin.trim_end().len() {
                from = 0;
            } else if !end.is_empty() && rest[from..].ends_with(end) {
                to -= end.len();
            }
        }
        match rest {
            Cow::Borrowed(rest) => Cow::Borrowed(&rest[from..to]),
            Cow::Owned(rest) => Cow::Owned(rest[from..to].to_string()),
        }
    }
}

const NO_BREAK: char = '\u{a0}';

/// What both begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let end = same.map_or(one.len().min(other.len()), |((at, _), _)| at);
    &one[..end]
}

/// Whether a line opens or closes what Markdown leaves as it is.
fn is_fence(line: &str) -> bool {
    let line = line.trim();
    let rest = line.strip_prefix("```").or_else(|| line.strip_prefix("~~~"));
    rest.is_some_and(|rest| {
        rest.len() < 30 && rest.chars().all(|c| c.is_ascii_alphanumeric() || "+-_".contains(c))
    })
}

/// How often a line may be quoted.
const QUOTED: usize = 32;

/// A line without the marks that mail programs put before what they quote.
fn unquoted(line: &str) -> &str {
    let mut line = line;
    // `> > Name : value` is quoted twice.
    for _ in 0..QUOTED {
        let rest = line.trim_start_matches('>');
        let marks = line.len() - rest.len();
        // A window may begin a row with a log's own, between the parts of an entry's end.
        let own = marks == 1
            && rest.strip_prefix('<').is_some_and(|part| {
                part.starts_with(|c: char| c.is_ascii_digit())
                    || part.starts_with("time=")
                    || part.starts_with("thread=")
            });
        // More than a few in a row are no marks.
        if own || !(1..=4).contains(&marks) {
            break;
        }
        line = rest.strip_prefix([' ', NO_BREAK]).unwrap_or(rest);
    }
    line
}

/// What stands behind the prompt of PowerShell or of the command interpreter that a line begins with.
pub(super) fn behind_prompt(line: &str) -> Option<&str> {
    use std::sync::LazyLock;
    static PROMPT: LazyLock<regex::Regex> =
        LazyLock::new(|| regex::Regex::new(r"^(?:PS [^>]+>|PS>|[A-Za-z]:\\[^>]*>)").expect("fixed pattern"));
    if !line.contains('>') {
        return None;
    }
    PROMPT.find(line).map(|prompt| line[prompt.end()..].trim())
}

/// Whether a line is a prompt with something behind it.
pub(super) fn is_prompt(line: &str) -> bool {
    behind_prompt(line).is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn undone(text: &str) -> String {
        Wrapping::of(text).undone(text.to_string())
    }

    #[test]
    fn what_is_put_around_a_text_is_taken_away_and_its_lines_stay() {
        let text = "a : b\n\n  c\n    d\n";
        for (begin, end) in [("    ", ""), ("\t", ""), ("> ", ""), (">> ", ""), ("> > ", ""), (">\u{a0}", "")]
        {
            let wrapped: String = text.lines().map(|line| format!("{begin}{line}{end}\n")).collect();
            assert_eq!(undone(&wrapped), text, "{begin:?}");
        }
        assert_eq!(undone(&text.replace("  ", "\u{a0} ")), text);
        assert_eq!(undone(&format!("```powershell\n{text}```\n")), format!("\n{text}\n"));
        assert_eq!(undone("# a\n#\n# b\n"), "a\n\nb\n");
        assert_eq!(undone("<!-- a -->\n<!-- b -->\n"), "a\nb\n");
        // A margin of blanks above and of a tab below have nothing in common.
        for as_it_is in
            ["# a\n", "    a\nb\n", "    a\n\tb\n", "", "\n\n", ">>>>> a\n", "><03-05-2026 02:00>\n"]
        {
            assert_eq!(undone(as_it_is), as_it_is);
        }
    }

    #[test]
    fn a_line_of_nothing_but_marks_is_no_depth() {
        let marks = "> ".repeat(20_000);
        assert_eq!(unquoted(&marks).len(), marks.len() - 2 * QUOTED);
        assert_eq!(unquoted(&format!("{}a", "> ".repeat(QUOTED))), "a");
    }

    #[test]
    fn bytes_are_undone_as_text_is() {
        let (bytes, text) = (b"\xc2\xa0 a\n\xe4b\r\n> c".to_vec(), "  a\n\u{e4}b\r\nc");
        let mut out = Vec::new();
        assert!(Wrapping::default().concerns(&bytes));
        Wrapping::default().undo(&bytes, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
        assert!(!Wrapping::default().concerns(b"a : b\n    c > d\n"));
    }
}
