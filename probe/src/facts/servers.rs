//! Which server a file comes from, where files of several were handed over.

use std::borrow::Cow;

use super::{Fact, FactView, RunView, Statement};
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
    /// The value of a configuration that names it as the upstream, where one does that is not its own.
    pub upstream: Option<&'a Fact>,
    /// Whether its name has no domain and the upstream's has one: the server that is judged may be called so too.
    pub by_label: bool,
}

impl Server<'_> {
    /// Whether a file comes from it: one that names it, or a part of one.
    pub fn holds(&self, file: &str) -> bool {
        let part_of = |own: &&str| file.strip_prefix(*own).is_some_and(|rest| rest.starts_with('#'));
        self.files.iter().any(|own| *own == file || part_of(own))
    }
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
    /// Whether what comes from them has to be kept apart: there are several, or the one that files name is the upstream of
    /// the one that is judged.
    apart: bool,
    /// The upstream that a configuration names, where that may be the one server that files name, under another name: whose
    /// runs they tell of does not show.
    doubt: Option<&'a Fact>,
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

/// Whether two names are one server's: a name without a domain stands for one with any, and one of 15 characters, which is
/// all that NetBIOS has, for a longer one.
fn same(one: &str, other: &str) -> bool {
    const NETBIOS: usize = 15;
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_cut =
        |name: &str, whole: &str| name.len() == NETBIOS && !name.contains('.') && whole.starts_with(name);
    let (first, second) = (label(one), label(other));
    one.eq_ignore_ascii_case(other)
        || (first == second && !(one.contains('.') && other.contains('.')))
        || is_cut(&one.to_ascii_lowercase(), &second)
        || is_cut(&other.to_ascii_lowercase(), &first)
}

/// Whether a configuration names a server as its upstream.
fn names_as_upstream(fact: &Fact, server: &str) -> bool {
    match &fact.statement {
        Statement::Config { property, value } if property.eq_ignore_ascii_case("UpstreamWsusServerName") => {
            let value = value.trim().trim_end_matches('.');
            !value.is_empty() && same(value, server.trim_end_matches('.'))
        }
        _ => false,
    }
}

/// The upstream that a configuration names and synchronizes from.
fn named_upstream(facts: &[Fact]) -> Option<&Fact> {
    let view = FactView::new(facts);
    let (fact, name) = view.config("UpstreamWsusServerName")?;
    let topmost = view.flag("SyncFromMicrosoftUpdate").is_some_and(|(_, topmost)| topmost);
    (!topmost && !name.trim().is_empty()).then_some(fact)
}

/// Whether a server's files tell of a run that is among these.
fn is_tied(server: &Server, facts: &[Fact], runs: &[RunView]) -> bool {
    let mut theirs = FactView::new(facts).runs().filter(|run| server.holds(&run.fact.source.file));
    theirs.any(|one| runs.iter().any(|other| is_one_run(&one, other)))
}

/// The value of a configuration's property; empty for what is none.
pub(crate) fn config_value(fact: &Fact) -> &str {
    match &fact.statement {
        Statement::Config { value, .. } => value.trim(),
        _ => "",
    }
}

/// Whether two files tell of one run: its end is the same, and its time to some seconds, or in another zone's where one of them
/// does not tell its zone.
fn is_one_run(one: &RunView, other: &RunView) -> bool {
    /// The most seconds by which two records of one end differ.
    const APART: i64 = 2;
    const QUARTER: i64 = 15 * 60;
    const LOCAL: i64 = 14 * 3600;
    let (Some(at), Some(other_at)) = (one.fact.time, other.fact.time) else { return false };
    let apart = (at.as_second() - other_at.as_second()).abs();
    let zones = one.fact.zone.is_some() && other.fact.zone.is_some();
    let past = apart % QUARTER;
    one.succeeded == other.succeeded
        && (apart <= APART || (!zones && apart <= LOCAL + APART && past.min(QUARTER - past) <= APART))
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
                servers.all.push(Server {
                    name,
                    files: Vec::new(),
                    facts: Vec::new(),
                    upstream: None,
                    by_label: false,
                });
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
        for server in &mut servers.all {
            let own = |fact: &Fact| server.holds(&fact.source.file);
            server.upstream = facts.iter().find(|fact| names_as_upstream(fact, server.name) && !own(fact));
            server.by_label = server
                .upstream
                .is_some_and(|fact| !server.name.contains('.') && config_value(fact).contains('.'));
        }
        // One that is called as the upstream's first label, and met what a record without a name tells of, is this server.
        let unnamed: Vec<RunView> = FactView::new(facts)
            .runs()
            .filter(|run| !servers.all.iter().any(|server| server.holds(&run.fact.source.file)))
            .collect();
        for server in servers.all.iter_mut().filter(|server| server.by_label) {
            if is_tied(server, facts, &unnamed) {
                (server.upstream, server.by_label) = (None, false);
            }
        }
        // Beside its downstream's configuration the upstream's own is a second one.
        let here: Vec<usize> =
            (0..servers.all.len()).filter(|&at| servers.all[at].upstream.is_none()).collect();
        servers.home = match (homes.as_slice(), here.as_slice()) {
            ([home], here) if here.contains(home) => Some(*home),
            ([], [home]) => Some(*home),
            _ => None,
        };
        servers.apart = servers.all.len() > 1 || servers.all.iter().any(|server| server.upstream.is_some());
        if homes.is_empty()
            && let ([server], false) = (servers.all.as_slice(), servers.apart)
            && let Some(upstream) = named_upstream(facts)
        {
            // A run that both tell of makes the server this one.
            let tells = FactView::new(facts).runs().any(|run| server.holds(&run.fact.source.file));
            if tells && !is_tied(server, facts, &unnamed) {
                servers.doubt = Some(upstream);
                // Beside a record that names no server, what may be the upstream's is not taken for this server's.
                servers.apart = !unnamed.is_empty();
                servers.home = servers.home.filter(|_| unnamed.is_empty());
            }
        }
        servers
    }

    /// Which of them a file comes from, where it names one alone. A part comes from the server of the whole, where it names
    /// none itself.
    fn of(&self, file: &str) -> Option<usize> {
        if self.is_mixed(file) {
            return None;
        }
        let named = self.all.iter().position(|server| server.files.contains(&file));
        named.or_else(|| self.of(file.rsplit_once('#')?.0))
    }

    /// Whether a file, or the whole that it is a part of, names several.
    fn is_mixed(&self, file: &str) -> bool {
        self.mixed
            .iter()
            .any(|mixed| file == *mixed || file.strip_prefix(mixed).is_some_and(|rest| rest.starts_with('#')))
    }

    /// The server that a file comes from, where it names one alone, itself or as a part of a whole.
    pub fn server_of(&self, file: &str) -> Option<&Server<'a>> {
        self.of(file).map(|at| &self.all[at])
    }

    /// What names the upstream, where the one server that files name may be that, under another name: whose runs they tell
    /// of does not show.
    pub fn doubt(&self) -> Option<&'a Fact> {
        self.doubt
    }

    /// The one that is judged: whose configuration was handed over, where that is one server's alone.
    pub fn home(&self) -> Option<&Server<'a>> {
        self.home.map(|home| &self.all[home])
    }

    /// Whether what comes from them is kept apart: nothing of another server is joined with what is known of this one.
    pub fn apart(&self) -> bool {
        self.apart
    }

    /// Whether what a file says may be joined with what is known of the server that is judged.
    pub fn belongs(&self, file: &str) -> bool {
        if !self.apart {
            return true;
        }
        match self.of(file) {
            Some(server) => Some(server) == self.home,
            None => !self.is_mixed(file),
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
    if !servers.apart {
        return Cow::Borrowed(facts);
    }
    Cow::Owned(facts.iter().filter(|fact| servers.joins(fact)).cloned().collect())
}

/// A server that is not the one judged, as far as shows.
pub(crate) struct Other {
    /// Its name.
    pub name: String,
    /// The facts of its own files.
    pub facts: Vec<Fact>,
    /// The value of a configuration that names it as the upstream.
    pub upstream: Option<Fact>,
    /// Whether it may be the one that is judged all the same: which one that is does not show.
    pub may_be_judged: bool,
}

/// What is known of each server that is not the one judged.
pub(crate) fn others(facts: &[Fact]) -> Vec<Other> {
    let servers = Servers::new(facts);
    if !servers.apart {
        return Vec::new();
    }
    let others = servers.all.iter().enumerate().filter(|(at, _)| Some(*at) != servers.home);
    others
        .map(|(at, server)| {
            let own = facts.iter().filter(|fact| servers.of(&fact.source.file) == Some(at));
            let own: Vec<Fact> = own.cloned().collect();
            let configured = own.iter().any(|fact| matches!(fact.statement, Statement::Config { .. }));
            Other {
                name: server.name.to_string(),
                upstream: server.upstream.cloned(),
                may_be_judged: servers.home.is_none()
                    && (server.upstream.is_none() || server.by_label || configured),
                facts: own,
            }
        })
        .collect()
}

/// Evidence of one server, its facts those that may be joined. Where the walk met a host's TLS and was turned away, what the
/// files of that upstream say of its bindings is about this server's way, and stays.
pub(crate) fn of_one<'a>(evidence: &'a Evidence, turned_away_at: &[&str]) -> Cow<'a, Evidence> {
    let servers = Servers::new(&evidence.facts);
    if !servers.apart {
        return Cow::Borrowed(evidence);
    }
    let met = match servers.all.as_slice() {
        [upstream] => turned_away_at.iter().any(|host| same(host, upstream.name)),
        _ => false,
    };
    let stays = |fact: &&Fact| servers.joins(fact) || (met && is_of_bindings(&fact.statement));
    let facts = evidence.facts.iter().filter(stays).cloned().collect();
    let Evidence { settings, paths, observations, .. } = evidence;
    let (settings, paths, observations) = (settings.clone(), paths.clone(), observations.clone());
    Cow::Owned(Evidence { settings, facts, paths, observations })
}

/// Whether a statement says what a server presents at its ports.
fn is_of_bindings(statement: &Statement) -> bool {
    match statement {
        Statement::StoredCertificate { store, .. } => store.eq_ignore_ascii_case("My"),
        Statement::IisBinding { .. } | Statement::SslBinding { .. } | Statement::PartOfStore { .. } => true,
        _ => false,
    }
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
        // What NetBIOS cuts off is the same server; what it does not reach is another.
        let facts = [name("a", "SITE-BERLIN-WSU"), name("b", "site-berlin-wsus1.corp.example.com")];
        assert_eq!(Servers::new(&facts).all.len(), 1);
        let facts = [name("a", "SITE-BERLIN"), name("b", "site-berlin-wsus1.corp.example.com")];
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
    fn files_of_the_upstream_that_the_configuration_names_are_its_own() {
        for (upstream, named, apart) in [
            ("up.example.com", "up.example.com", true),
            ("up.example.com", "UP", true),
            ("up", "up.example.com", true),
            ("up.example.com", "WSUS1", false),
            ("", "WSUS1", false),
            ("10.0.0.5", "10.0.0.6", false),
        ] {
            let facts = [config("config.txt", "UpstreamWsusServerName", upstream), name("events.csv", named)];
            let servers = Servers::new(&facts);
            assert_eq!(servers.apart(), apart, "{upstream} {named}");
            assert_eq!(servers.belongs("events.csv"), !apart, "{upstream} {named}");
            assert_eq!(servers.home().is_some(), !apart, "{upstream} {named}");
            assert_eq!(others(&facts).len(), usize::from(apart), "{upstream} {named}");
            assert!(servers.belongs("SoftwareDistribution.log"));
        }
        // Beside this server's own name they are a second one's, whichever is named first.
        let facts = [
            config("config.txt", "UpstreamWsusServerName", "up"),
            name("events.csv", "up"),
            name("config.txt", "wsus1"),
        ];
        let servers = Servers::new(&facts);
        assert_eq!(servers.home().map(|home| home.name), Some("wsus1"));
        assert!(!servers.belongs("events.csv") && servers.belongs("config.txt"));
        // Nor does an unnamed configuration: the one server beside the upstream is the one that is judged.
        let facts = [
            config("config.txt", "UpstreamWsusServerName", "up"),
            name("events.csv", "up"),
            name("own.csv", "wsus1"),
        ];
        let servers = Servers::new(&facts);
        assert!(!servers.belongs("events.csv") && servers.belongs("own.csv"));
        // A configuration that names its own server as its upstream is that server's.
        let facts = [config("config.txt", "UpstreamWsusServerName", "up"), name("config.txt", "up")];
        assert!(!Servers::new(&facts).apart());
        // The upstream's own configuration beside its downstream's makes it no home.
        let facts = [
            config("config.txt", "UpstreamWsusServerName", "up"),
            config("up.txt", "UseProxy", "False"),
            name("up.txt", "up"),
        ];
        assert!(Servers::new(&facts).home().is_none());
    }

    #[test]
    fn a_part_of_a_collection_is_of_its_server() {
        let facts = [
            name("wsus7.json", "WSUS7"),
            config("wsus7.json#configuration", "UpstreamWsusServerName", "up"),
            config("wsus7.json#configuration", "ServerId", "11111111-2222-3333-4444-555555555555"),
            name("wsus7.json#events", "wsus7.example.com"),
            name("client.csv", "PC1"),
        ];
        let servers = Servers::new(&facts);
        assert_eq!(servers.home().map(|home| home.name), Some("WSUS7"));
        for (file, belongs) in [
            ("wsus7.json#history", true),
            ("wsus7.json#events", true),
            ("client.csv", false),
            ("client.csv#part", false),
            ("other.json#history", true),
        ] {
            assert_eq!(servers.belongs(file), belongs, "{file}");
        }
        // Of two collections neither is the one that is judged; a part that names another server is that one's.
        let facts = [
            name("wsus7.json", "WSUS7"),
            config("wsus7.json#configuration", "UseProxy", "False"),
            name("wsus8.json", "WSUS8"),
            config("wsus8.json#configuration", "UseProxy", "False"),
            fact("wsus7.json#history", Statement::LogEndpoint { url: "https://x".into() }),
            name("wsus8.json#services", "WSUS7"),
        ];
        let servers = Servers::new(&facts);
        assert!(servers.home().is_none());
        assert!(!servers.belongs("wsus7.json#history") && !servers.belongs("wsus8.json#history"));
        assert_eq!(servers.server_of("wsus8.json#services").map(|one| one.name), Some("WSUS7"));
        assert!(others(&facts)[0].facts.contains(&facts[4]));
        // What is beside it in an archive that names nobody is not joined to it.
        let facts = [name("a.zip#one.csv", "WSUS7"), name("a.zip#two.csv", "WSUS8")];
        assert!(Servers::new(&facts).server_of("a.zip#three.log").is_none());
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
