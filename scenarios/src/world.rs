//! Brings a world up: servers on loopback, and what a user would write to reach them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mockups::authority::{
    self, Authority, AuthorityError, AuthoritySpec, CertificateDer, Key, KeyUsage, LeafSpec, Minted,
};
use mockups::http::{Clock, Fate, Variation};
use mockups::journal::Journal;
use mockups::link::{self, Faults};
use mockups::nameserver::{self, Failure, Record as ZoneRecord, Zone};
use mockups::proxy::{self, Mode, Stranger};
use mockups::silent::{BlackHole, ClosedPort, UNREACHABLE};
use mockups::tlspeer::{self, Policy, Refusal, TlsPeer};
use mockups::upstream::{self, Answer as SiteAnswer, Kind, Site};
use mockups::{listen, microsoft, socks};

use crate::codes;
use crate::load::Scenario;
use crate::schema::{
    Address, Answer, AnswerWord, Ask, Certificate, ClientCertificate, DnsFailure, Encoding, Host, HostKind,
    HostileTls, KeyKind, Link, Port, PortNumber, Proxy, ProxyMode, Record, RefusesWhen, Resolver, Speaks,
    SuiteOrder, Tls, ToPlain, Usage, When, World, WrongField,
};

/// Why a world did not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpError {
    /// The world says something that cannot be.
    #[error("{file}: {says}", file = .file.display())]
    Impossible {
        /// The scenario's file.
        file: PathBuf,
        /// What.
        says: String,
    },
    /// The system refuses.
    #[error("the world does not come up: {0}")]
    System(#[from] io::Error),
    /// A certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] AuthorityError),
}

/// A world that runs until this is dropped.
#[derive(Debug)]
pub struct Running {
    /// The text of `wsusprobe.toml`, which also stands in the folder.
    pub settings_text: String,
    /// The probe's arguments, to be run in the folder: `["diagnose", "config.txt"]`.
    pub args: Vec<String>,
    /// The folder.
    pub dir: PathBuf,
    /// All files written into it.
    pub files: Vec<PathBuf>,
    /// What its servers see.
    pub journal: Journal,
    /// What varied.
    pub seed: u64,
    /// Every place that can be reached: its name in the journal, the name and port that the site knows, and where
    /// it really is.
    pub places: Vec<Place>,
    about: String,
    ask: Ask,
    cacerts: Vec<String>,
    _servers: Vec<listen::Running>,
    _hole: Option<BlackHole>,
    _closed: ClosedPort,
}

/// One place of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name in the journal.
    pub listener: String,
    /// The name that the site knows.
    pub name: String,
    /// The address that the site knows, where it has one.
    pub address: Option<IpAddr>,
    /// The port that the site knows.
    pub port: u16,
    /// Where it really is.
    pub at: SocketAddr,
}

const EPOCH: &str = "2026-06-15T12:00:00Z";
/// Ports that are closed where a host does not list them.
const USUAL_PORTS: [u16; 4] = [80, 443, 8530, 8531];

impl World {
    /// Brings a scenario's world up and writes into `dir` what the probe needs. Must be called inside a runtime.
    ///
    /// # Errors
    /// The world contradicts itself, the system gives no port, or the folder cannot be written to.
    pub fn up(scenario: &Scenario, dir: &Path) -> Result<Running, UpError> {
        Builder::new(scenario)?.build(dir)
    }
}

struct Presented {
    chain: Vec<CertificateDer<'static>>,
    leaf: Minted,
}

struct Builder<'a> {
    scenario: &'a Scenario,
    world: &'a World,
    epoch: i64,
    seed: u64,
    clock: Clock,
    journal: Journal,
    authorities: RefCell<BTreeMap<String, Rc<Authority>>>,
    leaves: RefCell<BTreeMap<String, Minted>>,
    servers: Vec<listen::Running>,
    hole: Option<BlackHole>,
    closed: ClosedPort,
    places: Vec<Place>,
}

impl<'a> Builder<'a> {
    fn new(scenario: &'a Scenario) -> Result<Self, UpError> {
        let world = &scenario.world;
        let text = world.epoch.as_deref().unwrap_or(EPOCH);
        let epoch = match When::read(text) {
            Some(when @ When::Instant(_)) => when.seconds(0),
            _ => {
                return Err(UpError::Impossible {
                    file: scenario.file.clone(),
                    says: format!("`epoch` is an instant, not `{text}`"),
                });
            }
        };
        Ok(Builder {
            scenario,
            world,
            epoch,
            seed: world.seed.unwrap_or_else(|| fastrand::u64(..1_000_000)),
            clock: Clock::starting_at(epoch),
            journal: Journal::default(),
            authorities: RefCell::default(),
            leaves: RefCell::default(),
            servers: Vec::new(),
            hole: None,
            closed: ClosedPort::open()?,
            places: Vec::new(),
        })
    }

    fn impossible<T>(&self, says: impl Into<String>) -> Result<T, UpError> {
        Err(UpError::Impossible { file: self.scenario.file.clone(), says: says.into() })
    }

    fn hosts(&self) -> Vec<(String, Host, HostKind, &'static str)> {
        let world = self.world;
        let mut hosts = Vec::new();
        if let Some(source) = &world.source {
            hosts.push(("source".to_owned(), source.clone(), HostKind::Microsoft, "microsoft"));
        }
        if let Some(upstream) = &world.upstream {
            hosts.push(("upstream".to_owned(), upstream.clone(), HostKind::Wsus, "site"));
        }
        for (key, host) in &world.extra {
            hosts.push((format!("extra.{key}"), host.clone(), HostKind::Web, "public"));
        }
        for (at, (_, host, _, _)) in (201..).zip(&mut hosts) {
            if host.addresses.is_empty() {
                host.addresses.push(Ipv4Addr::new(203, 0, 113, at).into());
            }
        }
        hosts
    }

    fn build(mut self, dir: &Path) -> Result<Running, UpError> {
        let hosts = self.hosts();
        // Certificates first: a revocation list names those of other hosts.
        let mut presented = BTreeMap::new();
        for (key, host, _, issuer) in &hosts {
            let shown = self.present(&host.certificate, host, issuer)?;
            self.leaves.borrow_mut().insert(key.clone(), shown.leaf.clone());
            presented.insert(key.clone(), shown);
        }
        for (key, host, kind, issuer) in &hosts {
            if host.name.is_empty() {
                return self.impossible(format!("[{key}] has no `name`"));
            }
            self.start_host(key, host, host.kind.unwrap_or(*kind), issuer, &presented[key])?;
        }
        let proxies = self.start_proxies(&hosts)?;
        let dns = self.start_dns(&hosts, &proxies)?;
        self.write(dir, &hosts, &dns)
    }

    // Certificates

    fn authority(&self, name: &str) -> Result<Rc<Authority>, UpError> {
        if let Some(made) = self.authorities.borrow().get(name) {
            return Ok(made.clone());
        }
        let names = match name {
            "microsoft" => Some((
                "Microsoft Root Certificate Authority 2011 (lab)",
                "Microsoft Update Secure Server CA 2.1 (lab)",
            )),
            "site" => Some(("Example Site Root CA", "Example Site Issuing CA")),
            "inspector" => Some(("Example Inspection Root CA", "Example Inspection CA")),
            "public" => Some(("Example Public Root G2", "Example Public TLS CA")),
            _ => None,
        };
        let said = self.world.authority.get(name);
        if names.is_none() && said.is_none() {
            return self.impossible(format!("there is no authority `{name}`"));
        }
        let titled = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let (root, issuing) = names
            .map(|(root, issuing)| (root.to_owned(), issuing.to_owned()))
            .unwrap_or_else(|| (format!("{titled} Root CA"), format!("{titled} Issuing CA")));
        let mut spec = AuthoritySpec::new(name, &root, &issuing, self.epoch);
        if let Some(said) = said {
            let when = |when: &Option<When>, usual| when.as_ref().map_or(usual, |w| w.seconds(self.epoch));
            if let Some(root) = &said.root_name {
                spec.root_name.clone_from(root);
            }
            spec.issuing_name = if said.one_tier { None } else { Some(said.name.clone().unwrap_or(issuing)) };
            spec.root_validity = (
                when(&said.root_not_before, spec.root_validity.0),
                when(&said.root_not_after, spec.root_validity.1),
            );
            spec.issuing_validity = (
                when(&said.not_before, spec.issuing_validity.0),
                when(&said.not_after, spec.issuing_validity.1),
            );
            spec.issuing_not_a_ca = said.not_a_ca;
            spec.root_path_length = said.root_path_length;
            spec.permits.clone_from(&said.permits);
            spec.excludes.clone_from(&said.excludes);
            spec.aia.clone_from(&said.aia);
        }
        let made = Rc::new(Authority::new(&spec)?);
        self.authorities.borrow_mut().insert(name.to_owned(), made.clone());
        Ok(made)
    }

    fn present(&self, certificate: &Certificate, host: &Host, issuer: &str) -> Result<Presented, UpError> {
        let issuer = certificate.issuer.as_deref().unwrap_or(issuer);
        let usual = || [&host.name].into_iter().chain(&host.aliases).cloned().collect();
        let spec = LeafSpec {
            common_name: certificate.cn.clone().unwrap_or_else(|| host.name.clone()),
            dns_names: certificate.san.clone().unwrap_or_else(usual),
            validity: (
                certificate.not_before.as_ref().unwrap_or(&When::Offset(-30 * 86_400)).seconds(self.epoch),
                certificate.not_after.as_ref().unwrap_or(&When::Offset(335 * 86_400)).seconds(self.epoch),
            ),
            aia: certificate.aia.clone(),
            crl: certificate.crl.clone(),
            usages: certificate
                .usage
                .as_deref()
                .unwrap_or(&[Usage::Server])
                .iter()
                .map(|usage| match usage {
                    Usage::Server => KeyUsage::ServerAuth,
                    Usage::Client => KeyUsage::ClientAuth,
                    Usage::Code => KeyUsage::CodeSigning,
                })
                .collect(),
        };
        let key = match certificate.key {
            KeyKind::Rsa => Key::named("server")?,
            KeyKind::Ecdsa => Key::ecdsa()?,
        };
        let (leaf, two_tiers) = if certificate.self_signed {
            (authority::self_signed(&spec, &key)?, false)
        } else {
            let authority = self.authority(issuer)?;
            (authority.issue(&spec, &key)?, authority.issuing.is_some())
        };
        let usual = if two_tiers { vec!["leaf", "intermediate"] } else { vec!["leaf"] };
        let sends: Vec<&str> =
            certificate.sends.as_ref().map_or(usual, |sends| sends.iter().map(String::as_str).collect());
        let mut chain = Vec::new();
        for part in sends {
            match part.split_once(':') {
                Some(("pem", file)) => {
                    let path = self.scenario.fixtures.join(file);
                    let text = std::fs::read_to_string(&path)?;
                    let found = authority::read_pem(&text);
                    if found.is_empty() {
                        return self.impossible(format!("{} holds no certificate", path.display()));
                    }
                    chain.extend(found);
                }
                _ if part == "leaf" => chain.push(leaf.der.clone()),
                _ if part.contains('/') => chain.push(self.certificate(part)?),
                _ => chain.push(self.certificate(&format!("{issuer}/{part}"))?),
            }
        }
        Ok(Presented { chain, leaf })
    }

    /// `AUTHORITY`, `AUTHORITY/root`, `AUTHORITY/intermediate` or `HOST/leaf`.
    fn certificate(&self, name: &str) -> Result<CertificateDer<'static>, UpError> {
        match name.split_once('/').unwrap_or((name, "root")) {
            (host, "leaf") => match self.leaves.borrow().get(host) {
                Some(leaf) => Ok(leaf.der.clone()),
                None => self.impossible(format!("there is no host `{host}`")),
            },
            (authority, "root") => Ok(self.authority(authority)?.root.der.clone()),
            (authority, "intermediate") => match &self.authority(authority)?.issuing {
                Some(issuing) => Ok(issuing.der.clone()),
                None => self.impossible(format!("the authority `{authority}` has one tier")),
            },
            _ => self.impossible(format!("there is no certificate `{name}`")),
        }
    }

    fn served(&self, what: &str) -> Result<(String, Vec<u8>), UpError> {
        let Some((name, "crl")) = what.split_once('/') else {
            return Ok(("application/pkix-cert".to_owned(), self.certificate(what)?.to_vec()));
        };
        let revoked = self.world.authority.get(name).map(|a| a.revoked.as_slice()).unwrap_or_default();
        let mut serials = Vec::new();
        for host in revoked {
            match self.leaves.borrow().get(host) {
                Some(leaf) => serials.push(leaf.serial()),
                None => return self.impossible(format!("there is no host `{host}` to be revoked")),
            }
        }
        let (from, to) = (self.epoch - 86_400, self.epoch + 7 * 86_400);
        let list = self.authority(name)?.revocation_list(&serials, from, to)?;
        Ok(("application/pkix-crl".to_owned(), list))
    }

    // Hosts

    fn start_host(
        &mut self,
        key: &str,
        host: &Host,
        kind: HostKind,
        issuer: &str,
        shown: &Presented,
    ) -> Result<(), UpError> {
        for odd in host.address.keys() {
            if !host.addresses.iter().any(|a| a.to_string() == *odd) {
                return self.impossible(format!("[{key}.address.\"{odd}\"] is no address of that host"));
            }
        }
        for (PortNumber(number), port) in &host.port {
            let usual = self.start_port(
                &format!("{key}:{number}"),
                *number,
                host,
                port,
                kind,
                issuer,
                shown,
                &Address::default(),
            )?;
            for address in &host.addresses {
                let at = match host.address.get(&address.to_string()) {
                    Some(odd) => {
                        let label = format!("{key}:{number}@{address}");
                        self.start_port(&label, *number, host, port, kind, issuer, shown, odd)?
                    }
                    None => usual.clone(),
                };
                let (listener, at) = at;
                self.places.push(Place {
                    listener,
                    name: host.name.clone(),
                    address: Some(*address),
                    port: *number,
                    at,
                });
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)] // all that a port depends on, in one place
    fn start_port(
        &mut self,
        label: &str,
        number: u16,
        host: &Host,
        port: &Port,
        kind: HostKind,
        issuer: &str,
        shown: &Presented,
        odd: &Address,
    ) -> Result<(String, SocketAddr), UpError> {
        let usual = if matches!(number, 443 | 8531) { Speaks::Https } else { Speaks::Http };
        let speaks = odd.speaks.or(port.speaks).unwrap_or(usual);
        let started = match speaks {
            Speaks::Http => {
                let site = self.site(host, port, odd, kind)?;
                upstream::serve_http(label, &self.journal, Arc::new(site))?
            }
            Speaks::Https => {
                let site = self.site(host, port, odd, kind)?;
                let own = odd.certificate.as_ref().or(port.certificate.as_ref());
                let own = own.map(|own| self.present(own, host, issuer)).transpose()?;
                let shown = own.as_ref().unwrap_or(shown);
                let tls = odd.tls.as_ref().or(port.tls.as_ref()).unwrap_or(&host.tls);
                let policy = self.policy(tls, kind, port.to_plain.unwrap_or_default())?;
                let peer = TlsPeer::new(policy, shown.chain.clone(), &shown.leaf.key);
                upstream::serve_https(label, &self.journal, Arc::new(site), peer)?
            }
            other => return self.no_server(label, number, other, &port.link),
        };
        let at = self.keep(started, &port.link)?;
        Ok((label.to_owned(), at))
    }

    fn no_server(
        &mut self,
        label: &str,
        number: u16,
        speaks: Speaks,
        line: &Link,
    ) -> Result<(String, SocketAddr), UpError> {
        let stranger = match speaks {
            Speaks::Mute => Stranger::Mute,
            Speaks::Hangup => Stranger::Hangup,
            Speaks::Ssh => Stranger::Ssh,
            Speaks::Garbage => Stranger::Garbage,
            Speaks::Unreachable => return Ok((label.to_owned(), (UNREACHABLE, number).into())),
            Speaks::Blackhole => {
                if self.hole.is_none() {
                    self.hole = Some(BlackHole::open()?);
                }
                let at = self.hole.as_ref().map_or(self.closed.address, |hole| hole.address);
                return Ok((label.to_owned(), at));
            }
            Speaks::Closed | Speaks::Http | Speaks::Https => {
                return Ok((label.to_owned(), self.closed.address));
            }
        };
        let started = proxy::stranger(label, &self.journal, stranger)?;
        let at = self.keep(started, line)?;
        Ok((label.to_owned(), at))
    }

    /// Keeps a server running, behind its line.
    fn keep(&mut self, started: listen::Running, line: &Link) -> Result<SocketAddr, UpError> {
        let mut at = started.address;
        self.servers.push(started);
        if *line != Link::default() {
            let faults = Faults {
                latency: line.latency.map(Duration::from_millis),
                bandwidth: line.bandwidth,
                slow_close: line.slow_close.map(Duration::from_millis),
                reset: line.reset.map(Duration::from_millis),
                slicer: line.slicer,
                limit: line.limit,
                hole: line.hole,
                down: false,
            };
            let opened = link::open(at, faults)?;
            at = opened.address;
            self.servers.push(opened);
        }
        Ok(at)
    }

    fn site(&self, host: &Host, port: &Port, odd: &Address, kind: HostKind) -> Result<Site, UpError> {
        let off = host.clock.as_ref().map_or(0, |clock| clock.seconds(self.epoch) - self.epoch);
        let clock = Clock::starting_at(self.clock.now() + off);
        let mut site = match kind {
            HostKind::Microsoft => microsoft::site(&host.name, clock),
            HostKind::Wsus => Site::wsus(&host.name, clock),
            HostKind::Web => Site { kind: Kind::Web, ..Site::wsus(&host.name, clock) },
        };
        site.variation = Variation(self.seed);
        site.iuident = host.iuident;
        if let Some(server) = &host.server {
            site.server.clone_from(server);
        }
        if let Some(protocol) = &host.protocol {
            site.protocol.clone_from(protocol);
        }
        if let Some(build) = &host.build {
            site.build.clone_from(build);
        }
        for (name, answer) in host.dir.iter().chain(&port.dir).chain(&odd.dir) {
            site.directories.insert(name.to_lowercase(), site_answer(answer));
        }
        for (name, answer) in host.method.iter().chain(&port.method) {
            site.methods.insert(name.clone(), site_answer(answer));
        }
        for (path, what) in &host.serves {
            site.serves.insert(path.to_lowercase(), self.served(what)?);
        }
        Ok(site)
    }

    fn policy(&self, tls: &Tls, kind: HostKind, to_plain: ToPlain) -> Result<Policy, UpError> {
        let mut policy = match kind {
            HostKind::Microsoft => microsoft::policy(),
            _ => Policy::default(),
        };
        let read = |what: &str, names: &[String], by: fn(&str) -> Option<u16>| {
            names
                .iter()
                .map(|name| match by(name) {
                    Some(code) => Ok(code),
                    None => self.impossible(format!("`{name}` is none of the {what}")),
                })
                .collect::<Result<Vec<u16>, UpError>>()
        };
        if let Some(versions) = &tls.versions {
            policy.versions = read("versions of TLS", versions, codes::version)?;
        }
        if let Some(suites) = &tls.suites {
            policy.suites = Some(read("cipher suites", suites, codes::suite)?);
        } else if tls.versions.is_some() && !policy.versions.contains(&0x0303) {
            // Old servers have old suites.
            policy.suites = Some(vec![0x1302, 0x1301, 0xc014, 0xc013, 0x0035, 0x002f, 0x000a]);
        }
        for (version, suites) in &tls.suites_of {
            let Some(number) = codes::version(version) else {
                return self.impossible(format!("`{version}` is none of the versions of TLS"));
            };
            policy.suites_of.insert(number, read("cipher suites", suites, codes::suite)?);
        }
        policy.order = match tls.order {
            SuiteOrder::Server => tlspeer::Order::Server,
            SuiteOrder::Client => tlspeer::Order::Client,
            SuiteOrder::ServerButChaCha => tlspeer::Order::ServerButChaCha,
        };
        policy.both_keys = tls.both_keys;
        policy.alpn.clone_from(&tls.alpn);
        if let Some(groups) = &tls.groups {
            policy.groups = read("groups", groups, codes::group)?;
        }
        if let Some(signatures) = &tls.signatures {
            policy.signatures = Some(read("signature schemes", signatures, codes::hexadecimal)?);
        }
        policy.names.clone_from(&tls.names);
        let refusal = |key: &str, how: &Option<String>| match how {
            None => Ok(None),
            Some(how) => match refusal(how) {
                Some(refusal) => Ok(Some(refusal)),
                None => {
                    self.impossible(format!("`{key}` takes rst, fin, silence, alert, alert N, not `{how}`"))
                }
            },
        };
        policy.refusal = refusal("refuses", &tls.refuses)?.unwrap_or(policy.refusal);
        policy.version_refusal = refusal("refuses_version", &tls.refuses_version)?;
        policy.longest_hello = tls.longest_hello;
        policy.long_refusal = refusal("refuses_long", &tls.refuses_long)?;
        policy.when = match tls.refuses_when {
            RefusesWhen::Unfit => tlspeer::RefuseWhen::Unfit,
            RefusesWhen::Always => tlspeer::RefuseWhen::Always,
            RefusesWhen::BeforeHello => tlspeer::RefuseWhen::BeforeHello,
        };
        policy.client_certificate = match tls.client_certificate {
            ClientCertificate::Ignored => tlspeer::ClientCertificate::Ignored,
            ClientCertificate::Optional => tlspeer::ClientCertificate::Optional,
            ClientCertificate::Required => tlspeer::ClientCertificate::Required,
        };
        policy.dh_bits = tls.dh_bits.unwrap_or(policy.dh_bits);
        policy.scripted = tls.scripted;
        policy.unsigned = tls.unsigned;
        policy.hostile = tls.hostile.map(|hostile| match hostile {
            HostileTls::HugeCertificate => tlspeer::Hostile::HugeCertificate,
            HostileTls::Drip => tlspeer::Hostile::Drip,
            HostileTls::Garbage => tlspeer::Hostile::Garbage,
            HostileTls::UnofferedSuite => tlspeer::Hostile::UnofferedSuite,
            HostileTls::UnofferedVersion => tlspeer::Hostile::UnofferedVersion,
            HostileTls::AlertAfterHello => tlspeer::Hostile::AlertAfterHello,
            HostileTls::SilenceAfterHello => tlspeer::Hostile::SilenceAfterHello,
            HostileTls::EmptyRecords => tlspeer::Hostile::EmptyRecords,
            HostileTls::ManyCertificates => tlspeer::Hostile::ManyCertificates,
            HostileTls::HugeLength => tlspeer::Hostile::HugeLength,
        });
        policy.wrong = tls.wrong.map(wrong);
        policy.to_plain = match to_plain {
            ToPlain::Reset => tlspeer::ToPlain::Reset,
            ToPlain::BadRequest => tlspeer::ToPlain::BadRequest,
        };
        Ok(policy)
    }

    // Proxies and names

    fn start_proxies(
        &mut self,
        hosts: &[(String, Host, HostKind, &str)],
    ) -> Result<Vec<(String, Vec<IpAddr>)>, UpError> {
        let mut known = Vec::new();
        for (label, proxy, name, port, last) in [
            ("proxy", &self.world.proxy, "proxy.example.com", 8080, 251),
            ("ssl-proxy", &self.world.ssl_proxy, "ssl-proxy.example.com", 8443, 252),
        ] {
            let Some(proxy) = proxy else { continue };
            let name = proxy.name.clone().unwrap_or_else(|| name.to_owned());
            let port = proxy.port.unwrap_or(port);
            let mut addresses = proxy.addresses.clone();
            if addresses.is_empty() {
                addresses.push(Ipv4Addr::new(203, 0, 113, last).into());
            }
            let at = self.start_proxy(label, proxy, &name, port, hosts)?;
            for address in &addresses {
                self.places.push(Place {
                    listener: label.to_owned(),
                    name: name.clone(),
                    address: Some(*address),
                    port,
                    at,
                });
            }
            known.push((name, addresses));
        }
        Ok(known)
    }

    fn start_proxy(
        &mut self,
        label: &str,
        proxy: &Proxy,
        name: &str,
        port: u16,
        hosts: &[(String, Host, HostKind, &str)],
    ) -> Result<SocketAddr, UpError> {
        if let Some(speaks) = proxy.speaks.filter(|s| !matches!(s, Speaks::Http)) {
            return Ok(self.no_server(label, port, speaks, &proxy.link)?.1);
        }
        if proxy.mode == ProxyMode::Tls {
            let host = Host { name: name.to_owned(), ..Host::default() };
            let shown = self.present(&Certificate::default(), &host, "site")?;
            let peer = TlsPeer::new(Policy::default(), shown.chain, &shown.leaf.key);
            let started = proxy::serve_tls(label, &self.journal, peer)?;
            return self.keep(started, &proxy.link);
        }
        let mut names: BTreeMap<String, (Vec<IpAddr>, String)> = BTreeMap::new();
        for (_, host, _, _) in hosts {
            for known in [&host.name].into_iter().chain(&host.aliases) {
                names.insert(known.to_lowercase(), (host.addresses.clone(), host.name.clone()));
            }
        }
        let (places, closed) = (self.places.clone(), self.closed.address);
        let table = move |host: &str, port: u16| {
            let literal: Option<IpAddr> = host.parse().ok();
            let addresses = match literal {
                Some(address) => vec![address],
                None => wild(&names, host)?.0.clone(),
            };
            let there = addresses
                .iter()
                .find_map(|address| places.iter().find(|p| p.address == Some(*address) && p.port == port));
            Some(there.map_or(closed, |place| place.at))
        };
        if proxy.mode == ProxyMode::Socks {
            let refuses = match proxy.status.map(u8::try_from) {
                None => None,
                Some(Ok(code)) => Some(code),
                Some(Err(_)) => return self.impossible("a SOCKS code is at most 255"),
            };
            let config = socks::Config { table: Arc::new(table), accepts: proxy.accepts.clone(), refuses };
            let started = socks::serve(label, &self.journal, config)?;
            return self.keep(started, &proxy.link);
        }
        let mut config = proxy::Config::open(Arc::new(table), self.clock);
        config.mode = self.proxy_mode(proxy.mode)?;
        for (to, mode) in &proxy.to {
            config.to.insert(to.to_lowercase(), self.proxy_mode(*mode)?);
        }
        config.challenges.clone_from(&proxy.challenge);
        config.one_header = proxy.one_header;
        config.accepts.clone_from(&proxy.accepts);
        config.accepts_final = proxy.accepts_final;
        config.status = proxy.status.unwrap_or(config.status);
        config.squid_error.clone_from(&proxy.squid_error);
        config.redirect.clone_from(&proxy.redirect);
        config.variation = Variation(self.seed);
        if let Some(body) = &proxy.body {
            config.body.clone_from(body);
        }
        if proxy.mode == ProxyMode::Inspect || proxy.to.values().any(|m| *m == ProxyMode::Inspect) {
            let inspector = self.authority(proxy.inspects_as.as_deref().unwrap_or("inspector"))?;
            config.inspector = Some((*inspector).clone());
        }
        let started = proxy::serve(label, &self.journal, config)?;
        self.keep(started, &proxy.link)
    }

    fn proxy_mode(&self, mode: ProxyMode) -> Result<Mode, UpError> {
        Ok(match mode {
            ProxyMode::Open => Mode::Open,
            ProxyMode::Authenticate => Mode::Authenticate,
            ProxyMode::AuthenticateAlways => Mode::AuthenticateAlways,
            ProxyMode::AuthenticateBroken => Mode::AuthenticateBroken,
            ProxyMode::AuthenticateTokenless => Mode::AuthenticateTokenless,
            ProxyMode::Forbidden => Mode::Forbidden,
            ProxyMode::Only443 => Mode::Only443,
            ProxyMode::Status => Mode::Status,
            ProxyMode::Garbage => Mode::Garbage,
            ProxyMode::Silence => Mode::Silence,
            ProxyMode::Portal => Mode::Portal,
            ProxyMode::CloseTunnel => Mode::CloseTunnel,
            ProxyMode::Inspect => Mode::Inspect,
            ProxyMode::HugeHeaders => Mode::HugeHeaders,
            ProxyMode::Drip => Mode::Drip,
            ProxyMode::Tls | ProxyMode::Socks => {
                return self.impossible("`tls` and `socks` are modes of a whole proxy, not of a destination");
            }
        })
    }

    fn start_dns(
        &mut self,
        hosts: &[(String, Host, HostKind, &str)],
        proxies: &[(String, Vec<IpAddr>)],
    ) -> Result<Vec<SocketAddr>, UpError> {
        let dns = &self.world.dns;
        if dns.resolver == Resolver::None {
            return Ok(Vec::new());
        }
        let mut servers = Vec::new();
        if dns.silent {
            let started = nameserver::silent("dns", &self.journal)?;
            servers.push(self.keep(started, &Link::default())?);
        }
        let mut zone = Zone::new();
        if !dns.only_listed {
            let own = hosts.iter().flat_map(|(_, host, _, _)| {
                [&host.name].into_iter().chain(&host.aliases).map(|name| (name, &host.addresses))
            });
            for (name, addresses) in own.chain(proxies.iter().map(|(name, addresses)| (name, addresses))) {
                let record = ZoneRecord { addresses: addresses.clone(), ..ZoneRecord::default() };
                zone.insert(name.to_lowercase(), record);
            }
        }
        zone.extend(dns.records.iter().map(|(name, record)| (name.to_lowercase(), zone_record(record))));
        let mut all = vec![("dns".to_owned(), zone.clone())];
        for (label, records) in &dns.also {
            let mut zone = zone.clone();
            zone.extend(records.iter().map(|(name, record)| (name.to_lowercase(), zone_record(record))));
            all.push((format!("dns.{label}"), zone));
        }
        for (label, zone) in all.into_iter().skip(usize::from(dns.silent)) {
            let started = nameserver::serve(&label, &self.journal, zone, Variation(self.seed))?;
            servers.push(self.keep(started, &Link::default())?);
        }
        Ok(servers)
    }

    // What the probe is given

    fn connect_to(&self, hosts: &[(String, Host, HostKind, &str)]) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        let by_name = self.world.dns.resolver == Resolver::None;
        let mut add = |entry: String| {
            if !list.contains(&entry) {
                list.push(entry);
            }
        };
        for place in &self.places {
            let Place { name, port, at, address, .. } = place;
            if by_name {
                let aliases =
                    hosts.iter().filter(|(_, h, _, _)| h.name == *name).flat_map(|(_, h, _, _)| &h.aliases);
                for name in [name].into_iter().chain(aliases).filter(|n| !n.contains('*')) {
                    add(format!("{name}:{port}:{at}"));
                }
            } else if let Some(address) = address {
                match address {
                    IpAddr::V4(v4) => add(format!("{v4}:{port}:{at}")),
                    IpAddr::V6(v6) => add(format!("[{v6}]:{port}:{at}")),
                }
            }
        }
        let closed = self.closed.address;
        if by_name {
            // Nobody resolves these names: their other ports must be closed by name.
            for (_, host, _, _) in hosts {
                for name in [&host.name].into_iter().chain(&host.aliases).filter(|n| !n.contains('*')) {
                    for port in USUAL_PORTS.iter().filter(|p| !host.port.contains_key(&PortNumber(**p))) {
                        add(format!("{name}:{port}:{closed}"));
                    }
                }
            }
        }
        // Whatever else is dialled stays on loopback, and is refused.
        list.push(format!("::{closed}"));
        list
    }

    fn write(
        self,
        dir: &Path,
        hosts: &[(String, Host, HostKind, &str)],
        dns: &[SocketAddr],
    ) -> Result<Running, UpError> {
        let world = self.world;
        std::fs::create_dir_all(dir)?;
        let mut files = Vec::new();
        let mut write = |name: &str, bytes: &[u8]| -> Result<(), UpError> {
            let path = dir.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(&path, bytes)?;
            files.push(path);
            Ok(())
        };
        let file_of = |certificate: &str| format!("{}.pem", certificate.replace('/', "-"));

        let mut settings = toml::Table::new();
        let list = |items: Vec<String>| toml::Value::Array(items.into_iter().map(Into::into).collect());
        let ask = world.asks();
        if ask == Ask::Tls && world.check.len() != 1 {
            return self.impossible("`tls` asks one server: `check` names it");
        }
        for name in &world.policy {
            let written = name == "config.txt" && !world.config.is_empty();
            if ask != Ask::Tls || !(written || world.file.contains_key(name)) {
                return self
                    .impossible(format!("`policy` names files of a `tls` scenario, and `{name}` is none"));
            }
        }
        if dns.is_empty() {
            settings.insert("resolver".into(), "none".into());
        } else {
            settings.insert("dns".into(), list(dns.iter().map(ToString::to_string).collect()));
            settings.insert("resolver".into(), "dns".into());
        }
        settings.insert("connect-to".into(), list(self.connect_to(hosts)));
        let mut cacerts = Vec::new();
        for trusted in &world.trust.cacert {
            let name = file_of(trusted);
            write(&name, authority::pem(&self.certificate(trusted)?).as_bytes())?;
            cacerts.push(name);
        }
        settings.insert("cacert".into(), list(cacerts.clone()));
        settings.insert("trust".into(), if world.trust.system { "system" } else { "none" }.into());
        let mut anchors = Vec::new();
        for (glob, certificate) in &world.trust.anchor {
            let name = format!("anchor-{}", file_of(certificate));
            write(&name, authority::pem(&self.certificate(certificate)?).as_bytes())?;
            anchors.push(format!("{glob}={name}"));
        }
        if !anchors.is_empty() {
            settings.insert("anchor".into(), list(anchors));
        }
        let usual = if ask == Ask::Diagnose { "as-configured" } else { "none" };
        settings.insert("proxy".into(), world.via.as_deref().unwrap_or(usual).into());
        let at = world.at.as_ref().map_or(self.epoch, |at| at.seconds(self.epoch));
        let at = jiff::Timestamp::from_second(at).map_err(io::Error::other)?;
        settings.insert("at".into(), at.to_string().into());
        settings.insert("timeout".into(), world.timeout.as_deref().unwrap_or("2s").into());
        settings.insert("deadline".into(), world.deadline.as_deref().unwrap_or("20s").into());
        let text = |value: &Option<String>| value.as_ref().map(|value| value.clone().into());
        let bare = |value: Option<bool>| value.map(toml::Value::from);
        let of_tls = [
            ("as", text(&world.r#as)),
            ("suites", bare(world.suites)),
            ("plan", text(&world.plan)),
            ("polite", bare(world.polite)),
        ];
        settings.extend(of_tls.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        settings.extend(world.settings.iter().map(|(key, value)| (key.clone(), value.clone())));
        let settings_text = settings.to_string();
        write("wsusprobe.toml", settings_text.as_bytes())?;

        let mut args = vec![ask.word().to_owned()];
        args.extend(world.until.iter().flat_map(|until| ["--until".to_owned(), until.clone()]));
        args.extend(world.args.iter().cloned());
        if !world.config.is_empty() && world.config_given.unwrap_or(true) {
            write("config.txt", format_list(&world.config).as_bytes())?;
            if ask != Ask::Tls {
                args.push("config.txt".to_owned());
            }
        }
        for (name, file) in &world.file {
            write(name, &self.contents(name, file)?)?;
            if file.given.unwrap_or(true) && ask != Ask::Tls {
                args.push(name.clone());
            }
        }
        args.extend(world.policy.iter().flat_map(|file| ["--policy".to_owned(), file.clone()]));
        args.extend(world.check.iter().cloned());
        Ok(Running {
            settings_text,
            args,
            dir: dir.to_owned(),
            files,
            journal: self.journal,
            seed: self.seed,
            places: self.places,
            about: self.scenario.about.clone(),
            ask,
            cacerts,
            _servers: self.servers,
            _hole: self.hole,
            _closed: self.closed,
        })
    }

    fn contents(&self, name: &str, file: &crate::schema::Handed) -> Result<Vec<u8>, UpError> {
        use base64::Engine;
        match (&file.text, &file.fixture, &file.base64, file.certificates.as_slice()) {
            (Some(text), None, None, []) => Ok(match file.encoding {
                Encoding::Utf8 => text.clone().into_bytes(),
                Encoding::Utf16 => [0xff, 0xfe]
                    .into_iter()
                    .chain(text.replace('\n', "\r\n").encode_utf16().flat_map(u16::to_le_bytes))
                    .collect(),
            }),
            (None, Some(fixture), None, []) => Ok(std::fs::read(self.scenario.fixtures.join(fixture))?),
            (None, None, Some(text), []) => {
                match base64::engine::general_purpose::STANDARD.decode(text.replace(char::is_whitespace, ""))
                {
                    Ok(bytes) => Ok(bytes),
                    Err(error) => self.impossible(format!("[file.\"{name}\"] base64: {error}")),
                }
            }
            (None, None, None, [_, ..]) => {
                let mut all = String::new();
                for certificate in &file.certificates {
                    all.push_str(&authority::pem(&self.certificate(certificate)?));
                }
                Ok(all.into_bytes())
            }
            _ => self.impossible(format!(
                "[file.\"{name}\"] has one of `text`, `fixture`, `base64` and `certificates`"
            )),
        }
    }
}

fn wild<'m, T>(names: &'m BTreeMap<String, T>, name: &str) -> Option<&'m T> {
    if let Some(found) = names.get(name) {
        return Some(found);
    }
    let mut rest = name;
    while let Some((_, parent)) = rest.split_once('.') {
        if let Some(found) = names.get(&format!("*.{parent}")) {
            return Some(found);
        }
        rest = parent;
    }
    None
}

fn zone_record(record: &Record) -> ZoneRecord {
    ZoneRecord {
        addresses: record.addresses.clone(),
        alias: record.cname.clone(),
        failure: record.fails.map(|fails| match fails {
            DnsFailure::Nxdomain => Failure::NoName,
            DnsFailure::Nodata => Failure::NoAddress,
            DnsFailure::Servfail => Failure::ServerFailure,
            DnsFailure::Refused => Failure::Refused,
            DnsFailure::Silence => Failure::Silence,
            DnsFailure::Loop => Failure::Loop,
        }),
        truncated: record.truncated,
    }
}

fn site_answer(answer: &Answer) -> SiteAnswer {
    match answer.word {
        AnswerWord::Ok => SiteAnswer::Ok,
        AnswerWord::Absent => SiteAnswer::Absent,
        AnswerWord::SslRequired => SiteAnswer::SslRequired,
        AnswerWord::SslRequiredHere => SiteAnswer::SslRequiredHere,
        AnswerWord::ClientCertificate => SiteAnswer::ClientCertificate,
        AnswerWord::Forbidden => SiteAnswer::Forbidden,
        AnswerWord::Unauthorized => SiteAnswer::Unauthorized,
        AnswerWord::PoolDown => SiteAnswer::PoolDown,
        AnswerWord::NoSite => SiteAnswer::NoSite,
        AnswerWord::BadRequest => SiteAnswer::BadRequest,
        AnswerWord::Error => SiteAnswer::Error,
        AnswerWord::Fault => SiteAnswer::Fault(answer.argument.clone()),
        AnswerWord::Redirect => SiteAnswer::Redirect(answer.argument.clone()),
        AnswerWord::Portal => SiteAnswer::Portal,
        AnswerWord::Text => SiteAnswer::Text,
        AnswerWord::Silence => SiteAnswer::Sent(Fate::Silence),
        AnswerWord::Truncated => SiteAnswer::Sent(Fate::Truncated),
        AnswerWord::Status => SiteAnswer::Status(answer.argument.parse().unwrap_or(500)),
        AnswerWord::NoRange => SiteAnswer::NoRange,
        AnswerWord::RangeRefused => SiteAnswer::RangeRefused,
        AnswerWord::HugeHeaders => SiteAnswer::Sent(Fate::HugeHeaders),
        AnswerWord::EndlessHeader => SiteAnswer::Sent(Fate::EndlessHeader),
        AnswerWord::Drip => SiteAnswer::Sent(Fate::Drip),
    }
}

/// The text that `Format-List` prints of an object with these properties.
fn format_list(properties: &BTreeMap<String, toml::Value>) -> String {
    let width = properties.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::from("\r\n\r\n");
    for (name, value) in properties {
        let _ = write!(text, "{name:width$} : {}\r\n", listed(value));
    }
    text.push_str("\r\n\r\n");
    text
}

fn listed(value: &toml::Value) -> String {
    match value {
        toml::Value::Boolean(true) => "True".to_owned(),
        toml::Value::Boolean(false) => "False".to_owned(),
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => {
            format!("{{{}}}", items.iter().map(listed).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

impl Running {
    /// How to reach the world: with the probe, with curl, from a real Windows Server.
    pub fn describe(&self) -> String {
        let mut text = format!("{}\nseed {}\n\n", self.about, self.seed);
        for place in &self.places {
            let address = place.address.map(|a| format!(" ({a})")).unwrap_or_default();
            let Place { listener, name, port, at, .. } = place;
            let _ = writeln!(text, "  {listener:24} {name}:{port}{address} is {at}");
        }
        let dir = self.dir.display();
        let _ = write!(text, "\nWith wsusprobe:\n  cd {dir} && wsusprobe {}\n", self.args.join(" "));
        let through = self.places.iter().find(|place| place.listener == "proxy");
        let proxy = through.map(|p| format!(" --proxy http://{}", p.at)).unwrap_or_default();
        let cacert = self.cacerts.first().map(|file| format!(" --cacert {dir}/{file}")).unwrap_or_default();
        if self.ask == Ask::Tls {
            text.push_str("\nWith openssl, whose client is none of Windows':\n");
            let servers = self.places.iter().filter(|p| !p.listener.ends_with("proxy"));
            for Place { name, at, .. } in servers.filter(|p| matches!(p.port, 443 | 8531)) {
                let _ = writeln!(text, "  openssl s_client -connect {at} -servername {name} </dev/null");
            }
        }
        text.push_str("\nWith curl:\n");
        let mut shown: Vec<(&str, u16)> = Vec::new();
        for place in self.places.iter().filter(|p| !p.listener.ends_with("proxy")) {
            let Place { name, port, at, .. } = place;
            if shown.contains(&(name.as_str(), *port)) {
                continue;
            }
            shown.push((name, *port));
            let secure = matches!(port, 443 | 8531);
            let (scheme, cacert) = if secure { ("https", cacert.as_str()) } else { ("http", "") };
            let _ = writeln!(
                text,
                "  curl -sv{cacert}{} {scheme}://{name}:{port}/ServerSyncWebService/ServerSyncWebService.asmx",
                if proxy.is_empty() { format!(" --connect-to {name}:{port}:{at}") } else { proxy.clone() }
            );
        }
        text.push_str(
            "\nFrom a real Windows Server, in an elevated PowerShell. Bring the lab's ports there first, for example with\n",
        );
        let mut forwards = String::new();
        for place in &self.places {
            let port = place.at.port();
            let forward = format!(" -L {port}:127.0.0.1:{port}");
            if place.at.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) && !forwards.contains(&forward) {
                forwards.push_str(&forward);
            }
        }
        let _ = writeln!(text, "  ssh{forwards} USER@THIS-MACHINE");
        // Every host gets a loopback address of its own, so that two can have the same port.
        let mut names: Vec<&str> = Vec::new();
        for place in &self.places {
            if !names.contains(&place.name.as_str()) {
                names.push(&place.name);
            }
        }
        for (own, name) in (1..).zip(&names) {
            let mut done: Vec<u16> = Vec::new();
            for place in self.places.iter().filter(|p| p.name == *name) {
                if done.contains(&place.port) {
                    continue;
                }
                done.push(place.port);
                let _ = writeln!(
                    text,
                    "  netsh interface portproxy add v4tov4 listenaddress=127.77.0.{own} listenport={} \
                     connectaddress=127.0.0.1 connectport={}",
                    place.port,
                    place.at.port()
                );
            }
            let _ = writeln!(
                text,
                "  Add-Content $env:SystemRoot\\System32\\drivers\\etc\\hosts '127.77.0.{own} {name}'"
            );
        }
        for file in &self.cacerts {
            let _ = writeln!(
                text,
                "  Import-Certificate -FilePath {file} -CertStoreLocation Cert:\\LocalMachine\\Root   # a test root: remove it afterwards"
            );
        }
        text.push_str("  # afterwards: netsh interface portproxy reset, and take the lines out of hosts\n");
        text
    }
}

/// What `refuses` says; `None` where it says nothing known.
fn refusal(how: &str) -> Option<Refusal> {
    match how.split_once(' ').map_or((how, None), |(word, number)| (word, Some(number))) {
        ("rst", None) => Some(Refusal::Reset),
        ("fin", None) => Some(Refusal::Close),
        ("silence", None) => Some(Refusal::Silence),
        ("alert", None) => Some(Refusal::Alert(None)),
        ("alert", Some(number)) => number.parse().ok().map(|number| Refusal::Alert(Some(number))),
        _ => None,
    }
}

fn wrong(field: WrongField) -> tlspeer::Wrong {
    match field {
        WrongField::RecordKind => tlspeer::Wrong::RecordKind,
        WrongField::RecordVersion => tlspeer::Wrong::RecordVersion,
        WrongField::RecordLength => tlspeer::Wrong::RecordLength,
        WrongField::MessageKind => tlspeer::Wrong::MessageKind,
        WrongField::MessageLength => tlspeer::Wrong::MessageLength,
        WrongField::MessageShort => tlspeer::Wrong::MessageShort,
        WrongField::Version => tlspeer::Wrong::Version,
        WrongField::SessionLength => tlspeer::Wrong::SessionLength,
        WrongField::Suite => tlspeer::Wrong::Suite,
        WrongField::Compression => tlspeer::Wrong::Compression,
        WrongField::ExtensionsLength => tlspeer::Wrong::ExtensionsLength,
        WrongField::ExtensionLength => tlspeer::Wrong::ExtensionLength,
        WrongField::RepeatedExtension => tlspeer::Wrong::RepeatedExtension,
        WrongField::SelectedVersion => tlspeer::Wrong::SelectedVersion,
        WrongField::Group => tlspeer::Wrong::Group,
        WrongField::Truncated => tlspeer::Wrong::Truncated,
    }
}
