//! Lines: their width, their marks and their colours.

use anstyle::{AnsiColor, Style};

use super::Options;
use crate::describe::Mark;

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const RED: Style = AnsiColor::Red.on_default().bold();
pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();

/// The report as far as it is written.
pub(super) struct Out {
    pub(super) text: String,
    pub(super) options: Options,
}

impl Out {
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn line(&mut self, style: Style, text: &str) {
        if self.options.colour && style != PLAIN {
            self.text.push_str(&format!("{style}{text}{style:#}\n"));
        } else {
            self.text.push_str(text.trim_end());
            self.text.push('\n');
        }
    }

    pub(super) fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.blank();
        }
        self.line(BOLD, text);
    }

    /// A line that a mark leads.
    pub(super) fn mark(&mut self, mark: Mark, text: &str) {
        self.row(mark, "", text);
    }

    /// A line that a mark and a column lead, what follows hanging under its text.
    pub(super) fn row(&mut self, mark: Mark, column: &str, text: &str) {
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
    pub(super) fn prose(&mut self, style: Style, label: &str, text: &str) {
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
