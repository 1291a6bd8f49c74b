//! What commands print about a server's services, updates, clock, certificates, bindings and synchronizations, in the
//! forms in which people hand it over: lists, tables, CSV, JSON, CLIXML, and the programs' own.

mod certificate_file;
mod certificates;
mod clock;
mod dates;
mod http_test;
mod iis;
mod iis_config;
mod record;
mod services;
mod sslcert;
mod synchronization;
mod table;
mod updates;
mod verdict;
mod wsusutil;

use super::list::{Item, Page};
use super::scan::Scanner;
use super::when::When;
use super::{Found, Kind, Statement, config, shown};

pub(super) use certificate_file::read as certificate_file;
pub(super) use iis_config::{read as iis_config, recognise as is_iis_config};
pub(super) use record::Record;
pub(super) use services::absent as absent_service;

use dates::Dates;

/// The most statements that wait for the end of a file.
const WAITING: usize = super::MOST;
/// The most tables of CSV that one page is searched for.
const CSV: usize = 8;

/// What is read of printed outputs, on however many pages.
#[derive(Default)]
pub(super) struct Prints {
    dates: Dates,
    waiting: Vec<Waiting>,
    places: certificates::Places,
}

/// A statement whose dates are read when the whole file has told how it writes them.
struct Waiting {
    line: Option<u32>,
    statement: Statement,
    /// When it held, as printed.
    when: String,
    /// From when to when a certificate is valid, as printed.
    valid: [String; 2],
    /// The text of a failure that the scanner shall see, and its line.
    failure: Option<(Option<u32>, String)>,
}

impl Prints {
    /// Reads everything of the kind on a page.
    pub(super) fn read(&mut self, page: &mut Page, items: &[Item], found: &mut Found) {
        let before = found.facts.len();
        certificate_file::pem(page, found);
        self.places.look(page, found.command.as_deref());
        http_test::read(page, found);
        services::read(page, found, self);
        updates::read(page, found, self);
        clock::read(page, found);
        sslcert::read(page, found);
        certificates::read(page, found, self);
        verdict::read(page, found);
        wsusutil::read(page, found);
        iis::read(page, found);
        synchronization::tables(page, found, self);
        self.lists(page, items, found);
        self.tables(page, found);
        self.csv(page, found);
        // Where facts contradict one another the last one counts, whatever form it has.
        found.facts[before..].sort_by_key(|fact| fact.line);
    }

    /// Takes an object; whether it is one of those that are read.
    pub(super) fn record(&mut self, record: &Record, found: &mut Found) -> bool {
        certificates::record(record, found, self)
            || updates::record(record, found, self)
            || synchronization::record(record, found, self)
            || iis::record(record, found)
            || server(record, found)
            || version(record, found)
            || services::record(record, found)
    }

    /// Hands over what had to wait.
    pub(super) fn finish(self, found: &mut Found, scanner: &mut Scanner) {
        let Prints { dates, mut waiting, places } = self;
        places.finish(found);
        waiting.sort_by_key(|waiting| waiting.line);
        for Waiting { line, mut statement, when, valid, failure } in waiting {
            let (time, zone) = dates.read(&when).map_or((None, None), |(time, zone)| (Some(time), zone));
            if let Statement::StoredCertificate { not_before, not_after, .. } = &mut statement {
                *not_before = dates.read(&valid[0]).map(|(time, _)| time);
                *not_after = dates.read(&valid[1]).map(|(time, _)| time);
            }
            if let Some((at, text)) = failure {
                let when = time.map(|time| When::named(time, zone.as_deref()));
                scanner.failed_run(at.or(line).map_or(0, u64::from), when, &text);
            }
            found.at(line, time, zone, statement);
        }
    }

    /// Keeps a statement until the file's dates can be read.
    fn wait(&mut self, line: Option<u32>, statement: Statement, when: &str) -> Option<&mut Waiting> {
        self.dates.learn(when);
        if self.waiting.len() >= WAITING {
            return None;
        }
        let (when, valid) = (when.chars().take(60).collect(), Default::default());
        self.waiting.push(Waiting { line, statement, when, valid, failure: None });
        self.waiting.last_mut()
    }

    /// `Format-List`. An object's first property that comes again begins the next one.
    fn lists(&mut self, page: &mut Page, items: &[Item], found: &mut Found) {
        for list in items.chunk_by(|one, next| one.list == next.list) {
            let mut from = 0;
            while from < list.len() {
                let next = list[from + 1..].iter().position(|item| item.name == list[from].name);
                let to = next.map_or(list.len(), |next| from + 1 + next);
                let part = &list[from..to];
                from = to;
                if page.claimed[part[0].at] {
                    continue;
                }
                let record = Record::of_items(page, part);
                if self.record(&record, found) {
                    part.iter().for_each(|item| page.claim(item.at, item.last));
                }
            }
        }
    }

    /// Tables.
    fn tables(&mut self, page: &mut Page, found: &mut Found) {
        for table in table::tables(page) {
            // A console's table cuts values off; that of a database does not.
            let whole = table.columns.iter().any(|name| is_database(name));
            self.table(page, table, whole, found);
        }
    }

    /// CSV: a line that names a column that matters.
    fn csv(&mut self, page: &mut Page, found: &mut Found) {
        const NAMES: [&str; 10] = [
            "HotFixID",
            "Thumbprint",
            "StartType",
            "StartMode",
            "DisplayName",
            "SynchronizeAutomatically",
            "StartedManually",
            "EndTime",
            "SyncToMU",
            "bindingInformation",
        ];
        let (mut at, mut seen) = (0, 0);
        while at < page.lines.len() && seen < CSV {
            let line = &page.lines[at];
            let matters = |name: &str| {
                let name = name.trim().trim_matches('"');
                NAMES.contains(&name) || config::is_property(name)
            };
            let named = || line.split([',', ';', '\t']).any(matters);
            if !page.claimed[at] && line.contains([',', ';', '\t']) && named() {
                seen += 1;
                if let Some(table) = table::csv(page, at) {
                    at = table.last;
                    self.table(page, table, true, found);
                }
            }
            at += 1;
        }
    }

    fn table(&mut self, page: &mut Page, table: table::Table, whole: bool, found: &mut Found) {
        let table::Table { head, last, columns, rows } = table;
        if whole && columns.iter().filter(|name| config::is_property(name)).count() > 1 {
            for row in &rows {
                configuration(page, &columns, row, found);
            }
            page.claim(head, last);
            return;
        }
        let is_pair = |(_, cells): &&(usize, Vec<String>)| config::is_property(&cells[0]);
        if columns == ["Name", "Value"] && rows.iter().filter(is_pair).count() > 1 {
            // A dictionary of PowerShell's. What the console's edge cut off is no value.
            let mut open = config::Configuration::default();
            for (at, cells) in rows.iter().filter(|(_, cells)| !cells[1].ends_with("...")) {
                open.take(found, super::line_number(page.number(*at)), &cells[0], &cells[1]);
            }
            open.finish(found);
            page.claim(head, last);
            return;
        }
        let mut ours = false;
        for (at, cells) in &rows {
            ours |= self.record(&Record::of_row(page, &columns, *at, cells), found);
        }
        if ours {
            page.claim(head, last);
        }
    }
}

/// Names the machine that a printout is of, once. `.` is the one that was asked on.
pub(super) fn of_machine(line: Option<u32>, name: &str, found: &mut Found) {
    let name = name.trim();
    if name.is_empty() || matches!(name, "." | "localhost") {
        return;
    }
    let statement = Statement::ServerName { name: shown(name, 260) };
    if !found.facts.iter().any(|known| known.statement == statement) {
        found.fact(line, None, statement);
    }
}

/// `Get-WsusServer` as a table: the name alone.
fn server(record: &Record, found: &mut Found) -> bool {
    let (true, false, Some(name)) =
        (record.has("ServerProtocolVersion"), record.has("Version"), record.some("Name"))
    else {
        return false;
    };
    found.kind(Kind::ServerVersion);
    found.fact(record.line, None, Statement::ServerName { name: shown(name, 260) });
    true
}

/// `(Get-WsusServer).Version` as PowerShell prints a version. `$PSVersionTable.PSVersion` has the same form, and its number
/// is no Windows'.
fn version(record: &Record, found: &mut Found) -> bool {
    let parts = ["Major", "Minor", "Build", "Revision"].map(|name| record.get(name));
    let [Some(major), Some(minor), Some(build), Some(revision)] = parts else { return false };
    let version = format!("{major}.{minor}.{build}.{}", revision.trim_start_matches('-'));
    // Windows' own from 2012 on, and WSUS 3.0 before.
    let known = matches!((major, minor), ("3", "1" | "2") | ("6", "1" | "2" | "3") | ("10", "0"));
    if !known || !super::server::is_version(&version) {
        return false;
    }
    found.kind(Kind::ServerVersion);
    found.fact(record.line, None, Statement::ServerVersion { version });
    true
}

/// Whether `name` is a column that only the tables of SUSDB have.
fn is_database(name: &str) -> bool {
    ["ConfigurationID", "SyncToMU", "UpstreamServerUseSSL", "HandshakeAnchor"]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}

/// A row of SUSDB's tbConfiguration, or a configuration as CSV.
fn configuration(page: &Page, columns: &[String], row: &(usize, Vec<String>), found: &mut Found) {
    let line = super::line_number(page.number(row.0));
    let mut open = config::Configuration::default();
    for (name, value) in columns.iter().zip(&row.1) {
        open.take(found, line, name, value);
        // The password is not kept; that there is one is what the API calls this.
        if name.eq_ignore_ascii_case("ProxyPassword") && columns.iter().any(|name| is_database(name)) {
            let none = value.is_empty() || value == "NULL" || value.eq_ignore_ascii_case("0x");
            open.take(found, line, "HasProxyPassword", if none { "False" } else { "True" });
        }
    }
    open.finish(found);
}
