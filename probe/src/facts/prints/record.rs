//! One object as PowerShell prints it, whatever form it was printed in.

use serde_json::{Map, Value};

use crate::facts::line_number;
use crate::facts::list::{Item, Page};

/// The most properties of a record.
const FIELDS: usize = 256;

/// An object: names and values.
#[derive(Default)]
pub(in crate::facts) struct Record {
    /// Where it begins.
    pub(super) line: Option<u32>,
    /// The index of its first line on the page that it stands on.
    pub(super) at: usize,
    /// Its properties.
    fields: Vec<(Option<u32>, String, String)>,
}

impl Record {
    /// A record that begins at `line`.
    pub(in crate::facts) fn new(line: Option<u32>) -> Self {
        Record { line, ..Record::default() }
    }

    /// Adds a property.
    pub(in crate::facts) fn add(&mut self, line: Option<u32>, name: &str, value: &str) {
        if self.fields.len() < FIELDS {
            self.fields.push((line, name.to_string(), value.to_string()));
        }
    }

    /// Of a list.
    pub(super) fn of_items(page: &Page, items: &[Item]) -> Self {
        let at = items.first().map_or(0, |item| item.at);
        let line = |at: usize| line_number(page.number(at));
        let mut record = Record { at, ..Record::new(line(at)) };
        for item in items {
            record.add(line(item.at), &item.name, &item.value);
        }
        record
    }

    /// Of a row.
    pub(super) fn of_row(page: &Page, columns: &[String], at: usize, cells: &[String]) -> Self {
        let line = line_number(page.number(at));
        let mut record = Record { at, ..Record::new(line) };
        for (name, value) in columns.iter().zip(cells) {
            record.add(line, name, value);
        }
        record
    }

    /// Of a JSON object.
    pub(in crate::facts) fn of_json(map: &Map<String, Value>, line: Option<u32>) -> Self {
        let mut record = Record::new(line);
        for (name, value) in map.iter().take(FIELDS) {
            record.add(line, name, &plain(value));
        }
        record
    }

    /// What a property holds. Case does not count.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(_, known, _)| known.eq_ignore_ascii_case(name)).map(|(.., value)| value.as_str())
    }

    /// The same, where it holds something.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether it has a property.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The line of a property.
    pub(super) fn line_of(&self, name: &str) -> Option<u32> {
        let mut fields = self.fields.iter();
        fields.find(|(_, known, _)| known.eq_ignore_ascii_case(name)).and_then(|(line, ..)| *line)
    }

    /// Its properties: line, name, value.
    pub(super) fn fields(&self) -> impl Iterator<Item = (Option<u32>, &str, &str)> {
        self.fields.iter().map(|(line, name, value)| (*line, name.as_str(), value.as_str()))
    }
}

/// A value as a list would print it; of an enumeration, a date or a duration that is an object what it holds.
fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Array(_) => String::new(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let inner = map.get("Value").or_else(|| map.get("value")).filter(|value| !value.is_object());
            inner.map(plain).unwrap_or_default()
        }
    }
}
