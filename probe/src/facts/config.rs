//! The WSUS configuration: which of its properties are kept, and what their values must look like. One file each
//! reads them from a list, from JSON and from CLIXML.

use super::list::{Item, Page};
use super::wrapping::is_prompt;
use super::{Found, Kind, Statement, shown};

/// What a property's value must look like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Flag,
    Port,
    Number,
    Text,
    /// Only whether it is set is kept.
    Presence,
    /// Nothing of it is kept.
    Secret,
}

const PROPERTIES: [(&str, Form); 22] = [
    ("SyncFromMicrosoftUpdate", Form::Flag),
    ("IsReplicaServer", Form::Flag),
    ("MUUrl", Form::Text),
    ("RedirectorChangeNumber", Form::Number),
    ("UpstreamWsusServerName", Form::Text),
    ("UpstreamWsusServerPortNumber", Form::Port),
    ("UpstreamWsusServerUseSsl", Form::Flag),
    ("UseProxy", Form::Flag),
    ("ProxyName", Form::Text),
    ("ProxyServerPort", Form::Port),
    ("AnonymousProxyAccess", Form::Flag),
    ("HasProxyPassword", Form::Flag),
    ("UseSeparateProxyForSsl", Form::Flag),
    ("SslProxyName", Form::Text),
    ("SslProxyServerPort", Form::Port),
    ("AllowProxyCredentialsOverNonSsl", Form::Flag),
    ("GetContentFromMU", Form::Flag),
    ("HostBinariesOnMicrosoftUpdate", Form::Flag),
    ("DownloadUpdateBinariesAsNeeded", Form::Flag),
    ("ProxyUserName", Form::Presence),
    ("ProxyPassword", Form::Secret),
    ("EncryptionKey", Form::Secret),
];

/// What SUSDB's tbConfiguration calls properties that have another name in the API.
const COLUMNS: [(&str, &str); 8] = [
    ("SyncToMU", "SyncFromMicrosoftUpdate"),
    ("UpstreamServerName", "UpstreamWsusServerName"),
    ("ServerPortNumber", "UpstreamWsusServerPortNumber"),
    ("UpstreamServerUseSSL", "UpstreamWsusServerUseSsl"),
    ("HostOnMU", "HostBinariesOnMicrosoftUpdate"),
    ("ReplicaMode", "IsReplicaServer"),
    ("LazySync", "DownloadUpdateBinariesAsNeeded"),
    ("MUURL", "MUUrl"),
];

fn property(name: &str) -> Option<(&'static str, Form)> {
    let column = COLUMNS.iter().find(|(column, _)| column.eq_ignore_ascii_case(name));
    let name = column.map_or(name, |(_, name)| name);
    PROPERTIES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
}

/// Whether `name` is a property of the configuration that this program reads or hides.
pub(super) fn is_property(name: &str) -> bool {
    property(name).is_some()
}

/// The name of a property as the product spells it.
pub(super) fn known(name: &str) -> Option<&'static str> {
    property(name).map(|(name, _)| name)
}

/// The names, for a search by text.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    PROPERTIES.into_iter().map(|(name, _)| name)
}

/// One configuration while it is read.
#[derive(Default)]
pub(super) struct Configuration {
    seen: Vec<(Option<u32>, &'static str, Form, String)>,
}

impl Configuration {
    /// Takes a property; a property that came already begins another configuration.
    pub(super) fn take(&mut self, found: &mut Found, line: Option<u32>, name: &str, value: &str) {
        let Some((name, form)) = property(name) else { return };
        if self.seen.iter().any(|(_, known, ..)| *known == name) {
            self.finish(found);
        }
        let value = match form {
            Form::Secret => return,
            // What a database prints where nothing stands.
            Form::Text | Form::Presence if value == "NULL" => String::new(),
            _ if value == "NULL" => return,
            Form::Presence if value.is_empty() => String::new(),
            Form::Presence => "(set)".to_string(),
            _ => value.to_string(),
        };
        self.seen.push((line, name, form, value));
    }

    /// Hands over what was read.
    pub(super) fn finish(&mut self, found: &mut Found) {
        let mut seen = std::mem::take(&mut self.seen);
        seen.sort_by_key(|(line, ..)| *line);
        if seen.is_empty() {
            return;
        }
        found.kind(Kind::Configuration);
        if seen.len() > 2 && seen.iter().all(|(.., value)| value.is_empty()) {
            // What `[pscustomobject]` prints of a $config that was never there.
            let why = "every property of the configuration is empty".to_string();
            found.unavailable(seen[0].0, why);
            return;
        }
        for (line, name, form, value) in seen {
            match judge(form, &value) {
                Ok(value) => found.fact(line, None, Statement::Config { property: name.to_string(), value }),
                Err(expected) => {
                    let given = if value.is_empty() {
                        "nothing".to_string()
                    } else {
                        format!("`{}`", shown(&value, 60))
                    };
                    found.problem(line, expected, format!("{given} as {name}"));
                }
            }
        }
    }
}

fn judge(form: Form, value: &str) -> Result<String, &'static str> {
    match form {
        // A database has bits.
        Form::Flag if value.eq_ignore_ascii_case("true") || value == "1" => Ok("True".into()),
        Form::Flag if value.eq_ignore_ascii_case("false") || value == "0" => Ok("False".into()),
        Form::Flag => Err("True or False"),
        // 0 is what an unused port reads as.
        Form::Port if value.is_empty() || (value.len() < 8 && value.parse::<u16>().is_ok()) => {
            Ok(value.into())
        }
        Form::Port => Err("a port number from 1 to 65535"),
        Form::Number if value.is_empty() || value.parse::<u32>().is_ok() => Ok(value.into()),
        Form::Number => Err("a whole number"),
        Form::Text | Form::Presence | Form::Secret => Ok(shown(value, 1000)),
    }
}

/// Reads configurations from the lists on a page.
pub(super) fn read(page: &mut Page, items: &[Item], found: &mut Found) {
    let mut open = Configuration::default();
    for item in items {
        if is_property(&item.name) {
            open.take(found, super::line_number(page.number(item.at)), &item.name, &item.value);
            page.claim(item.at, item.last);
        }
    }
    open.finish(found);
    asked(page, found);
}

/// Reads what a prompt answers where somebody asked for one property after the other: `PS C:\> $config.UseProxy`.
fn asked(page: &mut Page, found: &mut Found) {
    let mut open = Configuration::default();
    for at in 1..page.lines.len() {
        let question = &page.lines[at - 1];
        let name = question.trim_end().rsplit_once('.').map_or("", |(_, name)| name);
        if page.claimed[at - 1] || !is_property(name) || !question.contains('$') || !is_prompt(question) {
            continue;
        }
        let answer = page.lines[at].trim().to_string();
        if !answer.starts_with("PS ") {
            open.take(found, super::line_number(page.number(at)), name, &answer);
            page.claim(at - 1, at);
        }
    }
    open.finish(found);
}
