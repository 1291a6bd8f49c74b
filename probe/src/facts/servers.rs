//! Which server a file comes from, where files of several were handed over.

use std::borrow::Cow;

use super::{Fact, Statement};
use crate::evidence::Evidence;

/// A server that files name.
#[derive(Clone, Debug, PartialEq)]
pub struct Server<'a> {
    /// Its name or its ServerId, as printed first.
    pub name: &'a str,
    /// The files that come from it, as given.
    pub files: Vec<&'a str>,
    /// The facts that say so.
    pub facts: Vec<&'a Fact>,
}

/// The servers that facts come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Servers<'a> {
    /// Each of them, in the order of first mention.
    pub all: Vec<Server<'a>>,
    /// Files that name several: what in them belongs to which does not show.
    mixed: Vec<&'a str>,
    /// The one whose configuration was handed over, where it is one alone.
    home: Option<usize>,
}

/// What a fact says of the server that its file comes from.
fn named(fact: &Fact) -> Option<&str> {
    let name = match &fact.statement {
        Statement::ServerName { name } => name,
        Statement::Config { property, value } if property.eq_ignore_ascii_case("ServerId") => value,
        _ => return None,
    };
    Some(name.trim()).filter(|name| !name.is_empty())
}

/// Whether two names are one server's: a name without a domain stands for one with any.
fn same(one: &str, other: &str) -> bool {
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    one.eq_ignore_ascii_case(other)
        || (label(one) == label(other) && !(one.contains('.') && other.contains('.')))
}

/// Whether a name is a ServerId: it tells servers apart, and stands for none of their names.
fn is_id(name: &str) -> bool {
    let name = name.trim_matches(['{', '}']);
    name.len() == 36 && name.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl<'a> Servers<'a> {
    /// The servers that `facts` come from.
    pub fn new(facts: &'a [Fact]) -> Self {
        let mut servers = Servers::default();
        let told: Vec<(&Fact, &str)> = facts.iter().filter_map(|fact| Some((fact, named(fact)?))).collect();
        // Names tell where there are any; ids where there are none.
        let by_name = told.iter().any(|(_, name)| !is_id(name));
        for (fact, name) in told.into_iter().filter(|(_, name)| is_id(name) != by_name) {
            let file = fact.source.file.as_str();
            let at = servers.all.iter().position(|server| same(server.name, name)).unwrap_or_else(|| {
                servers.all.push(Server { name, files: Vec::new(), facts: Vec::new() });
                servers.all.len() - 1
            });
            let server = &mut servers.all[at];
            if server.files.contains(&file) {
                continue;
            }
            server.files.push(file);
            server.facts.push(fact);
        }
        let of = |file: &str| servers.all.iter().filter(|server| server.files.contains(&file)).count();
        let files = servers.all.iter().flat_map(|server| server.files.iter().copied());
        servers.mixed = files.filter(|file| of(file) > 1).collect();
        let mut homes: Vec<usize> = facts
            .iter()
            .filter(|fact| matches!(fact.statement, Statement::Config { .. }))
            .filter_map(|fact| servers.of(&fact.source.file))
            .collect();
        homes.sort_unstable();
        homes.dedup();
        servers.home = match (homes.as_slice(), servers.all.len()) {
            ([home], _) => Some(*home),
            ([], 1) => Some(0),
            _ => None,
        };
        servers
    }

    /// Which of them a file comes from, where it names one alone.
    fn of(&self, file: &str) -> Option<usize> {
        if self.mixed.contains(&file) {
            return None;
        }
        self.all.iter().position(|server| server.files.contains(&file))
    }

    /// The one that is judged: whose configuration was handed over, where that is one server's alone.
    pub fn home(&self) -> Option<&Server<'a>> {
        self.home.map(|home| &self.all[home])
    }

    /// Whether what a file says may be joined with what is known of the server that is judged.
    pub fn belongs(&self, file: &str) -> bool {
        if self.all.len() < 2 {
            return true;
        }
        match self.of(file) {
            Some(server) => Some(server) == self.home,
            None => !self.mixed.contains(&file),
        }
    }

    /// Whether a fact may be joined with others: one of the same server, or one that says how servers are configured, which is
    /// planned both ways, or what was handed over.
    pub fn joins(&self, fact: &Fact) -> bool {
        matches!(
            fact.statement,
            Statement::Config { .. }
                | Statement::ConfigUnavailable { .. }
                | Statement::ServerName { .. }
                | Statement::Unreadable { .. }
        ) || self.belongs(&fact.source.file)
    }
}

/// The facts that may be joined: those of another server's files are left out.
pub(crate) fn joined(facts: &[Fact]) -> Cow<'_, [Fact]> {
    let servers = Servers::new(facts);
    if servers.all.len() < 2 {
        return Cow::Borrowed(facts);
    }
    Cow::Owned(facts.iter().filter(|fact| servers.joins(fact)).cloned().collect())
}

/// What is known of each server that is not the one judged: its name, and the facts of its own files.
pub(crate) fn others(facts: &[Fact]) -> Vec<(String, Vec<Fact>)> {
    let servers = Servers::new(facts);
    if servers.all.len() < 2 {
        return Vec::new();
    }
    let others = servers.all.iter().enumerate().filter(|(at, _)| Some(*at) != servers.home);
    others
        .map(|(at, server)| {
            let own = facts.iter().filter(|fact| servers.of(&fact.source.file) == Some(at));
            (server.name.to_string(), own.cloned().collect())
        })
        .collect()
}

/// Evidence of one server, its facts those that may be joined.
pub(crate) fn of_one(evidence: &Evidence) -> Cow<'_, Evidence> {
    let Cow::Owned(facts) = joined(&evidence.facts) else { return Cow::Borrowed(evidence) };
    let Evidence { settings, paths, observations, .. } = evidence;
    let (settings, paths, observations) = (settings.clone(), paths.clone(), observations.clone());
    Cow::Owned(Evidence { settings, facts, paths, observations })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Source;

    fn fact(file: &str, statement: Statement) -> Fact {
        let source = Source { file: file.into(), line: None };
        Fact { id: "f1".into(), source, time: None, zone: None, statement }
    }

    fn name(file: &str, name: &str) -> Fact {
        fact(file, Statement::ServerName { name: name.into() })
    }

    fn config(file: &str, property: &str, value: &str) -> Fact {
        fact(file, Statement::Config { property: property.into(), value: value.into() })
    }

    #[test]
    fn a_name_without_a_domain_stands_for_the_one_with_it() {
        let facts = [name("a", "WSUS1"), name("b", "wsus1.corp.example.com")];
        assert_eq!(Servers::new(&facts).all.len(), 1);
        let facts = [name("a", "wsus1.one.example.com"), name("b", "wsus1.two.example.com")];
        assert_eq!(Servers::new(&facts).all.len(), 2);
    }

    #[test]
    fn files_of_the_configured_server_belong_and_the_other_s_do_not() {
        let facts = [
            name("config.txt", "wsus1"),
            config("config.txt", "UseProxy", "False"),
            name("a.xml", "wsus1"),
            name("b.xml", "wsus2"),
        ];
        let servers = Servers::new(&facts);
        assert!(servers.belongs("a.xml") && servers.belongs("unnamed.log"));
        assert!(!servers.belongs("b.xml"));
    }

    #[test]
    fn without_a_configured_one_no_server_s_files_are_joined() {
        let facts =
            [config("config.txt", "UseProxy", "False"), name("a.xml", "wsus1"), name("b.xml", "wsus2")];
        let servers = Servers::new(&facts);
        assert!(!servers.belongs("a.xml") && !servers.belongs("b.xml"));
        assert!(servers.joins(&facts[0]));
    }

    #[test]
    fn a_file_that_names_two_is_joined_with_nothing() {
        let facts = [
            name("config.txt", "wsus1"),
            config("config.txt", "UseProxy", "False"),
            name("f.xml", "wsus1"),
            name("f.xml", "wsus2"),
        ];
        assert!(!Servers::new(&facts).belongs("f.xml"));
    }

    #[test]
    fn ids_tell_where_no_name_does() {
        let id = |n: u8| format!("11111111-2222-3333-4444-55555555555{n}");
        let facts = [config("a", "ServerId", &id(1)), config("b", "ServerId", &id(2))];
        assert_eq!(Servers::new(&facts).all.len(), 2);
        let facts = [config("a", "ServerId", &id(1)), name("b", "wsus1")];
        assert_eq!(Servers::new(&facts).all.len(), 1);
    }
}
