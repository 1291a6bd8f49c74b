//! What prints in columns: PowerShell's `Format-Table`, sqlcmd, wmic, and CSV.

use crate::facts::list::Page;

/// The most columns of a table.
const COLUMNS: usize = 256;

/// A table: its columns' names and its rows, each with the index of its line.
pub(super) struct Table {
    /// The index of the line that names the columns.
    pub(super) head: usize,
    /// The index of its last line.
    pub(super) last: usize,
    /// The columns' names.
    pub(super) columns: Vec<String>,
    /// The rows: as many cells as there are columns.
    pub(super) rows: Vec<(usize, Vec<String>)>,
}

/// Every table with a line of dashes below the names of its columns.
pub(super) fn tables(page: &Page) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut at = 1;
    while at < page.lines.len() {
        let starts = dashes(&page.lines[at]);
        let head = at - 1;
        at += 1;
        if starts.is_empty() || page.claimed[head] || page.lines[head].trim().is_empty() {
            continue;
        }
        let columns = cells(&page.lines[head], &starts);
        if columns.iter().any(String::is_empty) {
            continue;
        }
        let rows = rows(page, &mut at, &starts);
        if let Some(&(last, _)) = rows.last() {
            tables.push(Table { head, last, columns, rows });
        }
    }
    tables
}

/// A table whose columns are told by the line that names them alone, as wmic prints it.
pub(super) fn without_dashes(page: &Page, head: usize) -> Option<Table> {
    let line = &page.lines[head];
    let (mut starts, mut blanks) = (Vec::new(), 2);
    for (at, c) in line.chars().enumerate() {
        if c == ' ' {
            blanks += 1;
        } else {
            if blanks >= 2 {
                starts.push(at);
            }
            blanks = 0;
        }
    }
    if starts.len() < 2 || starts.len() > COLUMNS {
        return None;
    }
    let columns = cells(line, &starts);
    let mut at = head + 1;
    let rows = rows(page, &mut at, &starts);
    let last = rows.last()?.0;
    Some(Table { head, last, columns, rows })
}

fn rows(page: &Page, at: &mut usize, starts: &[usize]) -> Vec<(usize, Vec<String>)> {
    let mut rows = Vec::new();
    while let Some(line) = page.lines.get(*at) {
        if line.trim().is_empty() || page.claimed[*at] || !dashes(line).is_empty() {
            break;
        }
        let row = cells(line, starts);
        // What begins further right goes on from the row above.
        if !row[0].is_empty() {
            rows.push((*at, row));
        }
        *at += 1;
    }
    rows
}

/// Where the runs of dashes begin in a line that has nothing else, in characters.
fn dashes(line: &str) -> Vec<usize> {
    let mut starts = Vec::new();
    let text = line.trim();
    if !text.starts_with('-') || !text.bytes().all(|b| matches!(b, b'-' | b' ')) {
        return starts;
    }
    let mut before = b' ';
    for (at, b) in line.trim_end().bytes().enumerate() {
        if b == b'-' && before != b'-' {
            starts.push(at);
        }
        before = b;
    }
    if starts.len() > COLUMNS {
        starts.clear();
    }
    starts
}

/// The cells of a line whose columns begin at `starts`; where the blanks that align them were lost, what blanks part.
fn cells(line: &str, starts: &[usize]) -> Vec<String> {
    let chars: Vec<char> = line.chars().collect();
    let aligned = starts.iter().skip(1).all(|&start| chars.get(start - 1).is_none_or(|&c| c == ' '));
    if !aligned {
        let gaps: Vec<&str> =
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).take(COLUMNS + 1).collect();
        let words: Vec<&str> = line.split_whitespace().take(COLUMNS + 1).collect();
        for parts in [gaps, words] {
            if parts.len() == starts.len() {
                return parts.into_iter().map(String::from).collect();
            }
        }
        return vec![String::new(); starts.len()];
    }
    let end = |index: usize| starts.get(index + 1).copied().unwrap_or(chars.len()).min(chars.len());
    let cell = |(index, &start): (usize, &usize)| {
        let cell: String = chars.get(start..end(index)).unwrap_or_default().iter().collect();
        cell.trim().to_string()
    };
    starts.iter().enumerate().map(cell).collect()
}

/// A table as CSV that begins at a line, whatever stands between its values; nothing where there is no row.
pub(super) fn csv(page: &Page, head: usize) -> Option<Table> {
    let line = &page.lines[head];
    let count = |separator: char| line.matches(separator).count();
    let separator = [',', ';', '\t'].into_iter().max_by_key(|&separator| count(separator))?;
    if count(separator) == 0 {
        return None;
    }
    let text = page.lines[head..].join("\n");
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(u8::try_from(separator).ok()?)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut columns, mut rows, mut last) = (Vec::new(), Vec::new(), head);
    let mut record = csv::StringRecord::new();
    while let Ok(true) = reader.read_record(&mut record) {
        let from = record.position().map_or(1, csv::Position::line);
        let at = head + usize::try_from(from).ok()?.saturating_sub(1);
        let cells: Vec<String> = record.iter().take(COLUMNS).map(String::from).collect();
        if columns.is_empty() {
            columns = cells;
            continue;
        }
        if cells.len() != columns.len() || at >= page.lines.len() {
            break;
        }
        let to = usize::try_from(reader.position().line()).ok()?;
        last = (head + to.saturating_sub(2)).clamp(at, page.lines.len() - 1);
        rows.push((at, cells));
    }
    (!rows.is_empty()).then_some(Table { head, last, columns, rows })
}
