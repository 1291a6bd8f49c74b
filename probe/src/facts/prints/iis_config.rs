//! IIS' applicationHost.config: bindings, whether directories require TLS, and how the application pools are set. Entities
//! of a document's own are never expanded, and depth is bounded.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::iis;
use crate::facts::xml::tags;
use crate::facts::{Found, Kind, Statement, line_number, shown};

/// The deepest nesting that is followed.
const DEPTH: usize = 100;

/// What of an application pool is kept, by its element below the pool.
const SETTINGS: [(&str, &str); 9] = [
    ("add", "queueLength"),
    ("add", "autoStart"),
    ("add", "startMode"),
    ("add", "enable32BitAppOnWin64"),
    ("processModel", "identityType"),
    ("processModel", "idleTimeout"),
    ("processModel", "pingingEnabled"),
    ("periodicRestart", "privateMemory"),
    ("periodicRestart", "time"),
];

/// Whether `head` begins as a configuration of IIS does.
pub(in crate::facts) fn recognise(head: &str) -> bool {
    let rest = head.trim_start();
    // What people cut out of it.
    let part = ["<sites>", "<site name=", "<applicationPools>", "<location path="];
    if part.iter().any(|own| rest.starts_with(own)) {
        return true;
    }
    (rest.starts_with("<?xml") || rest.starts_with("<configuration") || rest.starts_with("<!--"))
        && rest.contains("<configuration")
        && ["<system.applicationHost", "\"system.applicationHost\"", "<location ", "<system.webServer"]
            .iter()
            .any(|own| rest.contains(own))
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = tag.attributes().flatten().take(64).find(|attribute| attribute.key.as_ref() == name)?;
    let value = found.normalized_value(XmlVersion::Implicit1_0);
    let value = value.map_or_else(|_| found.value.to_string(), |value| value.into_owned());
    Some(value)
}

/// What is open around an element.
#[derive(Default)]
struct Around {
    tags: Vec<String>,
    location: String,
    site: String,
    pool: Option<String>,
}

impl Around {
    fn is_in(&self, tag: &str) -> bool {
        self.tags.iter().any(|open| open == tag)
    }

    fn parent(&self) -> &str {
        self.tags.last().map_or("", String::as_str)
    }

    /// Takes an element that begins.
    fn element(&mut self, name: &str, tag: &BytesStart<'_>, line: Option<u32>, found: &mut Found) {
        match name {
            "location" => self.location = attribute(tag, "path").unwrap_or_default(),
            "site" if matches!(self.parent(), "sites" | "") => {
                self.site = attribute(tag, "name").unwrap_or_default()
            }
            "binding" if self.parent() == "bindings" && self.is_in("site") => {
                let value = |name: &str| attribute(tag, name).unwrap_or_default();
                let (protocol, information) = (value("protocol"), value("bindingInformation"));
                iis::binding(line, &self.site, &protocol, &information, &value("certificateHash"), found);
            }
            "access" if self.parent() == "security" => {
                if let Some(flags) = attribute(tag, "sslFlags") {
                    self.access(&flags, line, found);
                }
            }
            "add" if self.parent() == "applicationPools" => self.pool = attribute(tag, "name"),
            "applicationPoolDefaults" => self.pool = Some(String::new()),
            _ => {}
        }
        if self.pool.is_some() {
            let own = if name == "applicationPoolDefaults" { "add" } else { name };
            for (_, setting) in SETTINGS.iter().filter(|(element, _)| *element == own) {
                if let (Some(pool), Some(value)) = (&self.pool, attribute(tag, setting)) {
                    let (pool, value) = (shown(pool, 100), shown(&value, 60));
                    let setting = (*setting).to_string();
                    found.fact(line, None, Statement::PoolSetting { pool, setting, value });
                }
            }
        }
    }

    /// `Ssl, SslNegotiateCert`, or their sum.
    fn access(&self, flags: &str, line: Option<u32>, found: &mut Found) {
        let words: Vec<String> =
            flags.split(',').take(16).map(|word| word.trim().to_ascii_lowercase()).collect();
        let number = flags.trim().parse::<u32>().ok();
        let known = |word: &String| {
            matches!(
                word.as_str(),
                "" | "none" | "ssl" | "sslnegotiatecert" | "sslrequirecert" | "sslmapcert" | "ssl128"
            )
        };
        if number.is_none() && !words.iter().all(known) {
            let given = format!("`{}`", shown(flags, 60));
            return found.problem(line, "`Ssl`, `SslRequireCert` and the like, or their sum", given);
        }
        let has = |word: &str, bit: u32| match number {
            Some(number) => number & bit != 0,
            None => words.iter().any(|known| known == word),
        };
        // Ssl128 asks for more of what Ssl asks for; alone it asks for nothing.
        let statement = Statement::IisAccess {
            path: shown(&self.location, 300),
            requires_tls: has("ssl", 8),
            requires_certificate: has("sslrequirecert", 64),
        };
        found.fact(line, None, statement);
    }

    fn end(&mut self, name: &str) {
        match name {
            "location" => self.location.clear(),
            "site" => self.site.clear(),
            "applicationPoolDefaults" => self.pool = None,
            "add" if self.parent() == "applicationPools" => self.pool = None,
            _ => {}
        }
    }
}

/// Reads a configuration of IIS that begins on line `first` of its file; how long it is.
pub(in crate::facts) fn read(text: &str, first: u64, found: &mut Found) -> usize {
    found.kind(Kind::Iis);
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut around, mut line, mut passed) = (Around::default(), first, 0);
    loop {
        let position = usize::try_from(reader.buffer_position()).unwrap_or(text.len()).min(text.len());
        line += memchr::memchr_iter(b'\n', &text.as_bytes()[passed.min(position)..position]).count() as u64;
        passed = position;
        let number = line_number(line);
        match reader.read_event() {
            Err(error) => {
                found.problem(number, "well-formed XML", shown(&error.to_string(), 200));
                return position + tags(&text[position..]);
            }
            Ok(Event::Start(tag)) => {
                if around.tags.len() >= DEPTH {
                    found.problem(number, "XML that is at most 100 deep", "a deeper one".into());
                    return position + tags(&text[position..]);
                }
                let name = tag.local_name().into_inner().to_string();
                around.element(&name, &tag, number, found);
                around.tags.push(name);
            }
            Ok(Event::Empty(tag)) => {
                let name = tag.local_name().into_inner().to_string();
                around.element(&name, &tag, number, found);
                around.end(&name);
            }
            Ok(Event::End(_)) => {
                if let Some(name) = around.tags.pop() {
                    around.end(&name);
                }
                let end = usize::try_from(reader.buffer_position()).unwrap_or(text.len()).min(text.len());
                // Behind the last element there may be text of another kind.
                if around.tags.is_empty() && !text[end..].trim_start().starts_with('<') {
                    return end;
                }
            }
            Ok(Event::Eof) => {
                if !around.tags.is_empty() {
                    let given = "its end before every element was closed".to_string();
                    found.problem(number, "well-formed XML", given);
                }
                return text.len();
            }
            Ok(_) => {}
        }
    }
}
