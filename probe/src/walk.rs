//! Runs a plan: the only orchestrator. It decides what to ask next, records what was seen, and judges nothing but
//! whether there is something left to ask.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use hickory_proto::rr::RecordType;

use crate::codec::soap;
use crate::codec::tls::{TLS10, TLS11, TLS12, TLS13};
use crate::evidence::{
    Ask, Broken, ChainSeen, DialAnswer, Evidence, HandshakeAnswer, HelloAnswer, HttpAnswer, Layer,
    NameAnswer, Observation, Outcome, PathInfo, PathRole, ProxyAnswer, Scheme, SoapAnswer, Target, Validity,
};
use crate::facts::{Fact, FactView};
use crate::net::{Net, Stream, now};
use crate::plan::{MICROSOFT_ENDPOINT, WSUS_PORTS, is_microsoft_host, service_of};
use crate::run::Observer;
use crate::schannel::{self, Widening};
use crate::settings::{Family, ProxyHop, ProxyKind, Resolver, Settings};
use crate::step::chain::{self, IssuerSource};
use crate::step::dial::Lane;
use crate::step::exchange::{self, Request};
use crate::step::{dial, handshake, hello, name, proxy};
use crate::trust::TrustStore;

/// The most addresses of a name that are walked.
const MOST_LANES: usize = 8;
/// How long another port is waited for where the source itself works.
const BESIDE: Duration = Duration::from_millis(1500);
/// How often a server's list of suites is asked down, at most.
const MOST_ELIMINATIONS: usize = 12;
/// A host that must answer over plain HTTP wherever Microsoft is synchronized from: its answers say what time it is.
const CLOCK_HOST: &str = "download.windowsupdate.com";
/// Another host that every synchronizing network must let through, to tell a proxy's policy from its failure.
const CONTROL_HOST: &str = "download.microsoft.com";

/// Walks the planned paths, and the questions that come up, until the deadline.
pub async fn walk(
    settings: &Settings,
    store: &TrustStore,
    facts: Vec<Fact>,
    paths: Vec<PathInfo>,
    observer: &dyn Observer,
) -> Evidence {
    let walker = Walker {
        net: Net::new(settings),
        settings,
        store,
        observer,
        log: Mutex::new(Log {
            paths: paths.clone(),
            observations: Vec::new(),
            next_path: paths.len(),
            addresses: Vec::new(),
        }),
    };
    if settings.no_network {
        for path in &paths {
            let began = Began::now();
            let outcome = Outcome::NotAsked { reason: "no network, by --no-network".into() };
            walker.record(path, None, Layer::Name, &path.target.subject(), &began, None, outcome, None);
        }
    } else {
        let winhttp = winhttp_proxy(&FactView::new(&facts));
        let everything = join_all(paths.iter().map(|path| walker.source(path, winhttp.as_ref())));
        let deadline = tokio::time::Instant::from_std(walker.net.deadline);
        if tokio::time::timeout_at(deadline, everything).await.is_err() {
            walker.cut(&paths);
        }
    }
    let Log { paths, observations, .. } =
        walker.log.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    Evidence { settings: settings.clone(), facts, paths, observations }
}

/// The proxy that WinHTTP has for HTTPS.
fn winhttp_proxy(facts: &FactView) -> Option<ProxyHop> {
    let (_, servers) = facts.winhttp()?;
    let fits = |scheme: &str| servers.iter().find(|(s, _)| s == scheme);
    let (_, server) = fits("https").or(fits("*")).or(fits("http"))?;
    let (host, port) = crate::settings::split_host_port(server)?;
    Some(ProxyHop { kind: ProxyKind::Http, host, port })
}

struct Log {
    paths: Vec<PathInfo>,
    observations: Vec<Observation>,
    next_path: usize,
    /// What names gave: one is asked for once in a run.
    addresses: Vec<(String, Vec<IpAddr>)>,
}

/// When a step began, and how long it took where it is recorded later than it ended.
struct Began {
    at: jiff::Timestamp,
    clock: Instant,
    took: Option<Duration>,
}

impl Began {
    fn now() -> Began {
        Began { at: now(), clock: Instant::now(), took: None }
    }

    fn ended(self) -> Began {
        Began { took: Some(self.clock.elapsed()), ..self }
    }
}

struct Walker<'a> {
    net: Net,
    settings: &'a Settings,
    store: &'a TrustStore,
    observer: &'a dyn Observer,
    log: Mutex<Log>,
}

/// How far a lane came.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Reached {
    /// A TCP connection stood.
    connected: bool,
    /// An HTTP answer came.
    answered: bool,
    /// The last step was reached and went well.
    done: bool,
    /// Our own client ended it.
    own_limit: bool,
    /// The chain was not accepted.
    untrusted: bool,
    /// A certificate of the chain is not current.
    out_of_date: bool,
    /// The leaf of a chain that was accepted.
    accepted_leaf: Option<Vec<u8>>,
}

impl Reached {
    fn any(list: &[Reached], what: impl Fn(&Reached) -> bool) -> bool {
        list.iter().any(what)
    }
}

impl Walker<'_> {
    #[allow(clippy::too_many_arguments, reason = "an observation has that many sides")]
    fn record(
        &self,
        path: &PathInfo,
        lane: Option<Lane>,
        layer: Layer,
        subject: &str,
        began: &Began,
        question: Option<&str>,
        outcome: Outcome,
        raw: Option<String>,
    ) -> String {
        let took = began.took.unwrap_or_else(|| began.clock.elapsed());
        let mut log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let id = format!("o{}", log.observations.len() + 1);
        let observation = Observation {
            id: id.clone(),
            path: path.id.clone(),
            lane: lane.map(|lane| lane.label()),
            layer,
            subject: subject.into(),
            at: began.at,
            took_us: took.as_micros().min(u128::from(u64::MAX)) as u64,
            question: question.map(Into::into),
            outcome,
            raw,
        };
        self.observer.observed(path, &observation);
        log.observations.push(observation);
        id
    }

    /// Says of every needed path that has no end yet that the deadline cut it.
    fn cut(&self, paths: &[PathInfo]) {
        for path in paths {
            let began = Began::now();
            let layer = {
                let log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let seen = log.observations.iter().filter(|o| o.path == path.id && o.question.is_none());
                seen.map(|o| o.layer).max().unwrap_or(Layer::Name)
            };
            let outcome = Outcome::NotReached {
                because: "deadline".into(),
                says: format!("the run ended at its deadline of {}", self.settings.deadline),
            };
            self.record(path, None, layer, &path.target.subject(), &began, Some("deadline"), outcome, None);
        }
    }

    /// Whether an answer over plain HTTP, a proxy's included, has said what time it is.
    fn saw_a_date(&self) -> bool {
        let log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        log.observations.iter().any(|o| match &o.outcome {
            Outcome::Http { url, answer, .. } => {
                url.starts_with("http://") && answer.header("date").is_some()
            }
            Outcome::Proxy { answer: ProxyAnswer::Status { headers, .. }, .. } => {
                headers.iter().any(|(name, _)| name == "date")
            }
            _ => false,
        })
    }

    /// A path that comes up on the way.
    fn also(
        &self,
        like: &PathInfo,
        role: PathRole,
        target: Target,
        proxy: Option<ProxyHop>,
        ask: Ask,
        until: Layer,
    ) -> PathInfo {
        let mut log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        log.next_path += 1;
        let id = format!("p{}", log.next_path);
        let path = PathInfo {
            id,
            role,
            needed: false,
            target,
            proxy,
            ask,
            until: until.min(like_until(like, self.settings)),
        };
        log.paths.push(path.clone());
        path
    }

    /// Walks a planned path, then what stands beside it.
    async fn source(&self, path: &PathInfo, winhttp: Option<&ProxyHop>) {
        let lanes = self.path(path, self.net.patience).await;
        if path.role != PathRole::Source || self.settings.until.is_some() {
            return;
        }
        let done = Reached::any(&lanes, |l| l.done);
        let answered = Reached::any(&lanes, |l| l.answered);
        let target = &path.target;
        let clock = async {
            // Beside an upstream its other ports say what time it is.
            if is_microsoft_host(&target.host)
                && Reached::any(&lanes, |l| l.out_of_date)
                && !self.saw_a_date()
            {
                let plain =
                    Target { scheme: Scheme::Http, host: CLOCK_HOST.into(), port: 80, path: "/".into() };
                let again =
                    self.also(path, PathRole::Clock, plain, path.proxy.clone(), Ask::Get, Layer::Http);
                self.path(&again, self.net.patience.min(BESIDE)).await;
            }
        };
        let direct = async {
            // Re-signing is told by what the same name shows without the proxy.
            if path.proxy.is_some() && Reached::any(&lanes, |l| l.untrusted) {
                let again = self.also(path, PathRole::Direct, target.clone(), None, path.ask, Layer::Trust);
                self.path(&again, self.net.patience).await;
            }
        };
        let by_winhttp = async {
            if let (Some(hop), None, false) = (winhttp, &path.proxy, done) {
                let again = self.also(
                    path,
                    PathRole::WinHttp,
                    target.clone(),
                    Some(hop.clone()),
                    path.ask,
                    Layer::Wsus,
                );
                self.path(&again, self.net.patience).await;
            }
        };
        let repair = async {
            let healthy = service_of(MICROSOFT_ENDPOINT);
            if let Some(endpoint) = healthy
                && is_microsoft_host(&target.host)
                && target.host != endpoint.host
            {
                let again = self.also(
                    path,
                    PathRole::Repair,
                    endpoint,
                    path.proxy.clone(),
                    Ask::AuthConfig,
                    Layer::Wsus,
                );
                self.path(&again, self.net.patience).await;
            }
        };
        let beside = async {
            if !is_microsoft_host(&target.host) {
                let answered = answered || Reached::any(&lanes, |l| l.own_limit);
                let leaf = lanes.iter().find_map(|l| l.accepted_leaf.as_deref());
                self.beside(path, done, answered, leaf).await;
            }
        };
        join(join(direct, by_winhttp), join(repair, join(beside, clock))).await;
    }

    /// What stands beside an upstream: the client's service, SelfUpdate, the other ports.
    async fn beside(&self, path: &PathInfo, done: bool, answered: bool, leaf: Option<&[u8]>) {
        let at = |scheme, port, path: &str, like: &Target| Target {
            scheme,
            port,
            host: like.host.clone(),
            path: path.into(),
        };
        let target = &path.target;
        let client = async {
            if answered {
                let target = at(target.scheme, target.port, soap::CLIENT, target);
                let client = self.also(
                    path,
                    PathRole::Client,
                    target,
                    path.proxy.clone(),
                    Ask::ClientConfig,
                    Layer::Wsus,
                );
                self.path_again(&client, self.net.patience, leaf).await;
            }
        };
        let self_update = async {
            if answered {
                // SelfUpdate stays on plain HTTP: 80 beside 443, else the port below the TLS port.
                let port = match (target.scheme, target.port) {
                    (Scheme::Http, port) => port,
                    (Scheme::Https, 443) => 80,
                    (Scheme::Https, port) => port.saturating_sub(1).max(1),
                };
                let target = at(Scheme::Http, port, "/selfupdate/wuident.cab", target);
                let path = self.also(
                    path,
                    PathRole::SelfUpdate,
                    target,
                    path.proxy.clone(),
                    Ask::SelfUpdate,
                    Layer::Http,
                );
                self.path(&path, if done { self.net.patience.min(BESIDE) } else { self.net.patience }).await;
            }
        };
        let others =
            join_all(WSUS_PORTS.iter().filter(|&&port| port != target.port).map(|&port| async move {
                let scheme = if matches!(port, 443 | 8531) { Scheme::Https } else { Scheme::Http };
                let target = at(scheme, port, soap::SERVER_SYNC, target);
                let other = self.also(
                    path,
                    PathRole::OtherPort,
                    target,
                    path.proxy.clone(),
                    Ask::AuthConfig,
                    Layer::Wsus,
                );
                self.path(&other, if done { self.net.patience.min(BESIDE) } else { self.net.patience }).await;
            }));
        join(join(client, self_update), others).await;
    }

    /// Walks one path on every lane.
    async fn path(&self, path: &PathInfo, wait: Duration) -> Vec<Reached> {
        self.path_again(path, wait, None).await
    }

    /// Walks a path to a peer whose leaf was accepted before: no hello of ours comes before the handshake.
    async fn path_again(&self, path: &PathInfo, wait: Duration, known_leaf: Option<&[u8]>) -> Vec<Reached> {
        let lanes = self.resolve(path).await;
        if path.until == Layer::Name {
            return Vec::new();
        }
        join_all(lanes.into_iter().map(|lane| self.lane(path, lane, wait, known_leaf))).await
    }

    /// The host and port that a path's sockets go to: the proxy's where there is one.
    fn first_hop(path: &PathInfo) -> (String, u16) {
        match &path.proxy {
            Some(hop) => (hop.host.clone(), hop.port),
            None => (path.target.host.clone(), path.target.port),
        }
    }

    async fn resolve(&self, path: &PathInfo) -> Vec<Lane> {
        let (host, port) = Self::first_hop(path);
        let subject = crate::evidence::host_port(&host, port);
        let began = Began::now();
        let not_asked = |reason: &str| {
            let outcome = Outcome::NotAsked { reason: reason.into() };
            self.record(path, None, Layer::Name, &subject, &began, None, outcome, None);
        };
        if let Ok(address) = host.parse::<IpAddr>() {
            not_asked("it is an address");
            return vec![Lane { address: SocketAddr::new(address, port), stands_in: false }];
        }
        if let Some(address) = self.net.stand_in(&host, port) {
            not_asked("--connect-to stands in for it");
            return vec![Lane { address, stands_in: true }];
        }
        let known = {
            let log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            log.addresses.iter().find(|(name, _)| *name == host).map(|(_, addresses)| addresses.clone())
        };
        if let Some(addresses) = known {
            not_asked("it was asked for before in this run");
            let lane = |address| Lane { address: SocketAddr::new(address, port), stands_in: false };
            return addresses.into_iter().map(lane).collect();
        }
        let wait = self.net.patience;
        let system = async {
            if self.settings.resolver == Resolver::System {
                let began = Began::now();
                let outcome = name::ask_system(&self.net, &host, wait).await;
                self.record(path, None, Layer::Name, &subject, &began, None, outcome.clone(), None);
                vec![outcome]
            } else {
                Vec::new()
            }
        };
        // Where the system resolves, servers asked directly are a second opinion.
        let second = self.settings.resolver == Resolver::System;
        let direct = async {
            if self.settings.resolver == Resolver::None {
                return Vec::new();
            }
            let host = &host;
            let asks = self.settings.dns.iter().flat_map(|server| {
                [(RecordType::A, Family::Ipv4), (RecordType::AAAA, Family::Ipv6)].map(|(record, family)| {
                    let wanted = self.settings.family.is_none_or(|only| only == family);
                    async move {
                        if !wanted {
                            return None;
                        }
                        let began = Began::now();
                        let outcome = name::ask(&self.net, server.0, host, record, wait).await;
                        Some((began.ended(), outcome))
                    }
                })
            });
            // Written down in the order asked, whichever was answered first.
            let mut outcomes = Vec::new();
            for (began, outcome) in join_all(asks).await.into_iter().flatten() {
                let question = second.then_some("a second resolver");
                self.record(path, None, Layer::Name, &subject, &began, question, outcome.clone(), None);
                outcomes.push(outcome);
            }
            outcomes
        };
        let (system, direct) = join(system, direct).await;
        if system.is_empty() && direct.is_empty() {
            not_asked("no resolver, by the settings");
        }
        let answers = if second { system } else { direct };
        let mut addresses: Vec<IpAddr> = Vec::new();
        for outcome in answers {
            let Outcome::Name { answer: NameAnswer::Addresses { addresses: found, .. }, .. } = outcome else {
                continue;
            };
            for address in found {
                let wanted = self.settings.family.is_none_or(|only| only == Family::of(address));
                if wanted && !addresses.contains(&address) && addresses.len() < MOST_LANES {
                    addresses.push(address);
                }
            }
        }
        let mut log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !addresses.is_empty() {
            log.addresses.push((host, addresses.clone()));
        }
        addresses
            .into_iter()
            .map(|address| Lane { address: SocketAddr::new(address, port), stands_in: false })
            .collect()
    }

    /// Opens a connection to a path's target on a lane, through its proxy; nothing is recorded.
    async fn open(&self, path: &PathInfo, lane: Lane, wait: Duration) -> Option<Stream> {
        let stream = self.net.dial(lane.address, lane.stands_in, wait).await.ok()?;
        match &path.proxy {
            Some(hop) if path.target.scheme == Scheme::Https || hop.kind != ProxyKind::Http => {
                proxy::tunnel(hop.kind, stream, &path.target.host, path.target.port, wait).await.tunnel
            }
            _ => Some(Box::new(stream)),
        }
    }

    async fn lane(&self, path: &PathInfo, lane: Lane, wait: Duration, known_leaf: Option<&[u8]>) -> Reached {
        let (host, port) = Self::first_hop(path);
        let hop_subject = crate::evidence::host_port(&host, port);
        let subject = path.target.subject();
        let mut reached = Reached::default();

        let began = Began::now();
        let (outcome, stream) = dial::connect(&self.net, lane, wait).await;
        self.record(path, Some(lane), Layer::Dial, &hop_subject, &began, None, outcome, None);
        let Some(stream) = stream else { return reached };
        reached.connected = true;
        if path.until == Layer::Dial {
            reached.done = true;
            return reached;
        }

        let https = path.target.scheme == Scheme::Https;
        let stream: Stream = match &path.proxy {
            Some(hop) if https || hop.kind != ProxyKind::Http => {
                let began = Began::now();
                let answer = proxy::tunnel(hop.kind, stream, &path.target.host, path.target.port, wait).await;
                let broken =
                    matches!(answer.outcome, Outcome::Proxy { answer: ProxyAnswer::Broken { .. }, .. });
                let silent = matches!(
                    answer.outcome,
                    Outcome::Proxy { answer: ProxyAnswer::Broken { how: Broken::Timeout }, .. }
                );
                let refused_here = matches!(
                    answer.outcome,
                    Outcome::Proxy { answer: ProxyAnswer::Status { code: 403 | 405, .. }, .. }
                );
                self.record(
                    path,
                    Some(lane),
                    Layer::Proxy,
                    &hop_subject,
                    &began,
                    None,
                    answer.outcome,
                    answer.raw,
                );
                match answer.tunnel {
                    Some(tunnel) => tunnel,
                    None => {
                        if silent && self.settings.until.is_none() {
                            let tls = self.proxy_speaks_tls(path, lane, &hop_subject, wait);
                            join(tls, self.proxy_answers_else(path, lane, hop, &hop_subject, wait)).await;
                        } else if broken {
                            self.proxy_speaks_tls(path, lane, &hop_subject, wait).await;
                        }
                        if refused_here && path.target.port != 443 {
                            self.proxy_allows_443(path, lane, hop, &hop_subject, wait).await;
                        }
                        return reached;
                    }
                }
            }
            _ => Box::new(stream),
        };
        if path.until == Layer::Proxy {
            reached.done = true;
            return reached;
        }

        if !https {
            if path.until < Layer::Http {
                reached.done = true;
                return reached;
            }
            self.ask(path, lane, stream, wait, &mut reached).await;
            return reached;
        }

        let (stream, leaf, accepted) = match known_leaf {
            Some(leaf) => (stream, Some(leaf.to_vec()), true),
            None => {
                let Some((chain, leaf)) = self.first_flight(path, lane, stream, wait).await else {
                    return reached;
                };
                if path.until == Layer::Tls {
                    reached.done = true;
                    return reached;
                }
                let accepted = chain.as_ref().is_some_and(ChainSeen::acceptable);
                reached.untrusted = !accepted;
                reached.out_of_date = chain
                    .as_ref()
                    .is_some_and(|seen| seen.way.iter().any(|c| c.validity != Validity::Current));
                if path.until == Layer::Trust {
                    reached.done = accepted;
                    return reached;
                }
                let Some(stream) = self.open(path, lane, wait).await else { return reached };
                (stream, leaf, accepted)
            }
        };
        reached.accepted_leaf = leaf.clone().filter(|_| accepted);
        let terms = handshake::Terms {
            name: &path.target.host,
            accepted_leaf: leaf.as_deref().filter(|_| accepted),
            store: self.store,
            clock: self.net.clock,
        };
        let began = Began::now();
        let (outcome, session) = handshake::make(stream, terms, wait).await;
        // A server that asked for a certificate and then broke off has said why; every other end is our own.
        let our_limit = matches!(
            outcome,
            Outcome::Handshake { client_certificate_asked: false, .. }
                | Outcome::Handshake {
                    answer: HandshakeAnswer::OwnLimit { .. } | HandshakeAnswer::Failed { .. },
                    ..
                }
        );
        self.record(path, Some(lane), Layer::Tls, &subject, &began, None, outcome, None);
        match session {
            Some(session) => self.ask(path, lane, session, wait, &mut reached).await,
            None if our_limit && accepted => {
                reached.own_limit = true;
                let outcome = Outcome::NotReached {
                    because: "own client".into(),
                    says: "this program's TLS library did not complete the session, which says nothing of Windows' client"
                        .into(),
                };
                self.record(path, Some(lane), Layer::Http, &subject, &Began::now(), None, outcome, None);
            }
            None => {}
        }
        reached
    }

    /// The crafted hello, its differentials where it is refused, and the chain where it is answered.
    async fn first_flight(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        wait: Duration,
    ) -> Option<(Option<ChainSeen>, Option<Vec<u8>>)> {
        let subject = path.target.subject();
        let none = Widening { suites: false, groups: false };
        let (greeting, offer) = schannel::hello(TLS12, none, self.server_name(path));
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let plain = matches!(answer.outcome, Outcome::Hello { answer: HelloAnswer::PlainHttp { .. }, .. });
        let silent = matches!(
            answer.outcome,
            Outcome::Hello { answer: HelloAnswer::Broken { how: Broken::Timeout }, .. }
        );
        let broken = matches!(answer.outcome, Outcome::Hello { answer: HelloAnswer::Broken { .. }, .. });
        self.record(path, Some(lane), Layer::Tls, &subject, &began, None, answer.outcome, answer.raw);
        let flight = match answer.flight {
            Some(flight) if flight.version == TLS12 && flight.complete => flight,
            // Another version is an answer in itself; a flight cut short leaves nothing to look at.
            Some(_) => return None,
            None => {
                if !plain && !silent {
                    let answered = self.differentials(path, lane, wait).await;
                    if broken && !answered && path.proxy.is_some() {
                        self.tunnel_or_policy(path, lane, wait).await;
                    }
                }
                return None;
            }
        };
        if path.until == Layer::Tls {
            return Some((None, flight.certificates.first().cloned()));
        }
        let began = Began::now();
        let fetcher = Fetcher { walker: self, path, wait };
        let chain =
            chain::look(&flight.certificates, &path.target.host, self.net.clock, self.store, &fetcher).await;
        if let Some(seen) = &chain {
            let outcome = Outcome::Chain(Box::new(seen.clone()));
            self.record(path, Some(lane), Layer::Trust, &subject, &began, None, outcome, None);
        }
        Some((chain, flight.certificates.first().cloned()))
    }

    /// The name that a hello carries: none for an address (RFC 6066 section 3).
    fn server_name(&self, path: &PathInfo) -> Option<String> {
        path.target.host.parse::<IpAddr>().is_err().then(|| path.target.host.clone())
    }

    /// Asks again with one difference each: another version, every suite, every group. Whether any was answered.
    async fn differentials(&self, path: &PathInfo, lane: Lane, wait: Duration) -> bool {
        let none = Widening { suites: false, groups: false };
        let all = Widening { suites: true, groups: true };
        let asks = [
            ("TLS 1.0 alone", TLS10, all),
            ("TLS 1.1 alone", TLS11, all),
            ("TLS 1.3 alone", TLS13, all),
            ("every suite at TLS 1.2", TLS12, Widening { suites: true, ..none }),
            ("every group and signature at TLS 1.2", TLS12, Widening { groups: true, ..none }),
            ("every suite, group and signature at TLS 1.2", TLS12, all),
        ];
        let answers = join_all(asks.map(|(question, version, widening)| async move {
            let (greeting, offer) = schannel::hello(version, widening, self.server_name(path));
            self.differential(path, lane, question, greeting, offer, wait).await
        }))
        .await;
        let more_suites = answers[3].filter(|&(version, _)| version == TLS12);
        if let (Some(first), None) = (more_suites, answers[4]) {
            self.eliminate(path, lane, first.1, wait).await;
        }
        answers.iter().any(Option::is_some)
    }

    /// The rest of a server's suites, one hello each, until it refuses.
    async fn eliminate(&self, path: &PathInfo, lane: Lane, first: u16, wait: Duration) {
        let widening = Widening { suites: true, groups: false };
        let (whole, _) = schannel::hello(TLS12, widening, None);
        let mut left: Vec<u16> = whole.suites.into_iter().filter(|&suite| suite != first).collect();
        for _ in 0..MOST_ELIMINATIONS {
            let (greeting, offer) =
                schannel::hello_with(TLS12, widening, self.server_name(path), left.clone());
            match self
                .differential(path, lane, "the suites that are left at TLS 1.2", greeting, offer, wait)
                .await
            {
                Some((TLS12, suite)) if left.contains(&suite) => left.retain(|&other| other != suite),
                _ => break,
            }
        }
    }

    async fn differential(
        &self,
        path: &PathInfo,
        lane: Lane,
        question: &str,
        greeting: crate::codec::tls::Hello,
        offer: crate::evidence::Offer,
        wait: Duration,
    ) -> Option<(u16, u16)> {
        let stream = self.open(path, lane, wait).await?;
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let chosen = answer.flight.map(|flight| (flight.version, flight.suite));
        let subject = path.target.subject();
        self.record(
            path,
            Some(lane),
            Layer::Tls,
            &subject,
            &began,
            Some(question),
            answer.outcome,
            answer.raw,
        );
        chosen
    }

    /// Whether a proxy that answers nothing speaks TLS itself.
    async fn proxy_speaks_tls(&self, path: &PathInfo, lane: Lane, subject: &str, wait: Duration) {
        let Ok(stream) = self.net.dial(lane.address, lane.stands_in, wait).await else { return };
        let (host, _) = Self::first_hop(path);
        let all = Widening { suites: true, groups: true };
        let server_name = host.parse::<IpAddr>().is_err().then_some(host);
        let (greeting, offer) = schannel::hello(TLS12, all, server_name);
        let began = Began::now();
        let answer = hello::ask(Box::new(stream), &greeting, offer, wait).await;
        let question = Some("TLS to the proxy itself");
        self.record(path, Some(lane), Layer::Proxy, subject, &began, question, answer.outcome, answer.raw);
    }

    /// Whether a proxy that answers nothing answers for another destination.
    async fn proxy_answers_else(
        &self,
        path: &PathInfo,
        lane: Lane,
        hop: &ProxyHop,
        subject: &str,
        wait: Duration,
    ) {
        let Ok(stream) = self.net.dial(lane.address, lane.stands_in, wait).await else { return };
        let began = Began::now();
        let answer = proxy::tunnel(hop.kind, stream, CONTROL_HOST, 443, wait).await;
        let question = Some("another destination through the same proxy");
        self.record(path, Some(lane), Layer::Proxy, subject, &began, question, answer.outcome, answer.raw);
    }

    /// Whether the same destination is granted on 443.
    async fn proxy_allows_443(
        &self,
        path: &PathInfo,
        lane: Lane,
        hop: &ProxyHop,
        subject: &str,
        wait: Duration,
    ) {
        let Ok(stream) = self.net.dial(lane.address, lane.stands_in, wait).await else { return };
        let began = Began::now();
        let answer = proxy::tunnel(hop.kind, stream, &path.target.host, 443, wait).await;
        let question = Some("the same destination on port 443");
        self.record(path, Some(lane), Layer::Proxy, subject, &began, question, answer.outcome, answer.raw);
    }

    /// Where every hello through a tunnel breaks: whether the tunnel closes before one is sent, and whether the same
    /// hello to another host is answered.
    async fn tunnel_or_policy(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let Some(hop) = &path.proxy else { return };
        let (host, port) = Self::first_hop(path);
        let subject = crate::evidence::host_port(&host, port);
        if let Some(tunnel) = self.open(path, lane, wait).await {
            let began = Began::now();
            let closes = proxy::closes_by_itself(tunnel, wait.min(BESIDE)).await;
            let asked = format!("CONNECT {}", path.target.subject());
            let answer = if closes { ProxyAnswer::ClosedTunnel } else { ProxyAnswer::Granted };
            let outcome = Outcome::Proxy { asked, answer };
            let question = Some("a tunnel into which nothing is sent");
            self.record(path, Some(lane), Layer::Proxy, &subject, &began, question, outcome, None);
            if closes {
                return;
            }
        }
        let target = Target { scheme: Scheme::Https, host: CONTROL_HOST.into(), port: 443, path: "/".into() };
        let control = self.also(path, PathRole::Control, target, Some(hop.clone()), Ask::Get, Layer::Tls);
        let Some(stream) = self.open(&control, lane, wait).await else { return };
        let none = Widening { suites: false, groups: false };
        let (greeting, offer) = schannel::hello(TLS12, none, Some(CONTROL_HOST.into()));
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let question = Some("the same hello to another host");
        let subject = control.target.subject();
        self.record(&control, Some(lane), Layer::Tls, &subject, &began, question, answer.outcome, answer.raw);
    }

    /// Asks what a path asks at its end.
    async fn ask(&self, path: &PathInfo, lane: Lane, stream: Stream, wait: Duration, reached: &mut Reached) {
        let request = match path.ask {
            Ask::AuthConfig => Some(soap::GET_AUTH_CONFIG),
            Ask::ClientConfig => Some(soap::GET_CONFIG),
            Ask::Get | Ask::SelfUpdate => None,
        };
        let Some(answer) = self.exchange(path, lane, stream, &path.target, request, None, wait).await else {
            return;
        };
        let Outcome::Http { answer: seen, .. } = &answer.outcome else { return };
        let HttpAnswer::Response { status, .. } = seen else {
            self.other_scheme(path, lane, wait).await;
            return;
        };
        let status = *status;
        reached.answered = true;
        if path.until == Layer::Http && request.is_some() {
            reached.done = true;
            return;
        }
        let Some(request) = request else {
            reached.done = (200..300).contains(&status);
            if !reached.done {
                self.other_scheme(path, lane, wait).await;
            }
            if path.ask == Ask::SelfUpdate && reached.done {
                self.old_ident(path, lane, wait).await;
            }
            return;
        };
        let soap = soap::answer(request.operation, &answer.body);
        reached.done = matches!(soap, SoapAnswer::Result { .. });
        if !reached.done {
            self.other_scheme(path, lane, wait).await;
        }
        let outcome = Outcome::Soap { operation: request.operation.into(), answer: soap };
        self.record(
            path,
            Some(lane),
            Layer::Wsus,
            &path.target.subject(),
            &Began::now(),
            None,
            outcome,
            None,
        );
    }

    /// SelfUpdate's older file beside the one that was served.
    async fn old_ident(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let Some(stream) = self.open(path, lane, wait).await else { return };
        let target = Target { path: "/selfupdate/iuident.cab".into(), ..path.target.clone() };
        self.exchange(path, lane, stream, &target, None, Some("the older file of SelfUpdate"), wait).await;
    }

    /// Whether a port that did not answer plain HTTP as wanted speaks TLS.
    async fn other_scheme(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        if path.target.scheme != Scheme::Http || path.proxy.is_some() || !path.needed {
            return;
        }
        let all = Widening { suites: true, groups: true };
        let (greeting, offer) = schannel::hello(TLS12, all, self.server_name(path));
        self.differential(path, lane, "TLS on the same port", greeting, offer, wait).await;
    }

    #[allow(clippy::too_many_arguments, reason = "a request has that many sides")]
    async fn exchange(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        target: &Target,
        soap: Option<soap::Request>,
        question: Option<&str>,
        wait: Duration,
    ) -> Option<exchange::Answer> {
        let by_proxy = path.target.scheme == Scheme::Http
            && path.proxy.as_ref().is_some_and(|hop| hop.kind == ProxyKind::Http);
        let action = soap.map(|soap| soap.action).unwrap_or_default();
        let headers = [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", action)];
        let request = Request {
            method: if soap.is_some() { "POST" } else { "GET" },
            target,
            absolute: by_proxy,
            headers: if soap.is_some() { &headers } else { &[] },
            body: soap.map(|soap| soap.body).unwrap_or_default(),
        };
        let asked = format!("{} {}", request.method, target.url());
        let began = Began::now();
        let answer = exchange::send(stream, request, wait).await;
        let subject = target.subject();
        if by_proxy && let Some(refusal) = proxy::spoke(&answer) {
            let (host, port) = Self::first_hop(path);
            let hop = crate::evidence::host_port(&host, port);
            let outcome = Outcome::Proxy { asked, answer: refusal };
            self.record(path, Some(lane), Layer::Proxy, &hop, &began, question, outcome, answer.raw);
            return None;
        }
        let (outcome, raw) = (answer.outcome.clone(), answer.raw.clone());
        self.record(path, Some(lane), Layer::Http, &subject, &began, question, outcome, raw);
        Some(answer)
    }
}

fn like_until(like: &PathInfo, settings: &Settings) -> Layer {
    settings.until.unwrap_or(like.until.max(Layer::Wsus))
}

/// Fetches missing issuers as Windows does: plain HTTP, not through WSUS's proxy.
struct Fetcher<'a, 'b> {
    walker: &'a Walker<'b>,
    path: &'a PathInfo,
    wait: Duration,
}

impl IssuerSource for Fetcher<'_, '_> {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String> {
        let target = fetch_target(url)?;
        let walker = self.walker;
        let like = PathInfo {
            target: target.clone(),
            proxy: None,
            role: PathRole::Url,
            ask: Ask::Get,
            until: Layer::Http,
            needed: false,
            ..self.path.clone()
        };
        let lanes = walker.lanes_unrecorded(&like).await?;
        let mut why = String::from("its name gives no address");
        for lane in lanes.into_iter().take(2) {
            let stream = match walker.net.dial(lane.address, lane.stands_in, self.wait).await {
                Ok(stream) => stream,
                Err(answer) => {
                    why = match answer {
                        DialAnswer::Refused => "its server refuses the connection".into(),
                        DialAnswer::Timeout => "its server does not answer".into(),
                        DialAnswer::Unreachable { why } | DialAnswer::Failed { why } => why,
                        DialAnswer::Connected => String::new(),
                    };
                    continue;
                }
            };
            let request = Request { method: "GET", target: &target, absolute: false, headers: &[], body: "" };
            let answer = exchange::send(Box::new(stream), request, self.wait).await;
            match answer.outcome {
                Outcome::Http {
                    answer: HttpAnswer::Response { status: 200, complete: true, .. }, ..
                } => {
                    return certificate_of(answer.body);
                }
                Outcome::Http { answer: HttpAnswer::Response { status, .. }, .. } => {
                    why = format!("its server answers {status}");
                }
                _ => why = "its server gives no HTTP answer".into(),
            }
        }
        Err(why)
    }
}

fn fetch_target(url: &str) -> Result<Target, String> {
    let url = url::Url::parse(url).map_err(|_| "its URL cannot be read".to_string())?;
    if url.scheme() != "http" {
        return Err("its URL is not plain HTTP".into());
    }
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_string();
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_string(),
    };
    Ok(Target { scheme: Scheme::Http, host, port: url.port().unwrap_or(80), path })
}

/// The DER of what is served: DER itself, or PEM.
fn certificate_of(body: Vec<u8>) -> Result<Vec<u8>, String> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    if body.starts_with(b"-----BEGIN") {
        return CertificateDer::from_pem_slice(&body)
            .map(|der| der.to_vec())
            .map_err(|_| "what is served there is no certificate".into());
    }
    Ok(body)
}

impl Walker<'_> {
    /// The lanes of a fetch: its observation is the chain's.
    async fn lanes_unrecorded(&self, path: &PathInfo) -> Result<Vec<Lane>, String> {
        let (host, port) = (&path.target.host, path.target.port);
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![Lane { address: SocketAddr::new(address, port), stands_in: false }]);
        }
        if let Some(address) = self.net.stand_in(host, port) {
            return Ok(vec![Lane { address, stands_in: true }]);
        }
        let mut outcomes = Vec::new();
        match self.settings.resolver {
            Resolver::System => outcomes.push(name::ask_system(&self.net, host, self.net.patience).await),
            Resolver::Dns => {
                for server in &self.settings.dns {
                    outcomes
                        .push(name::ask(&self.net, server.0, host, RecordType::A, self.net.patience).await);
                }
            }
            Resolver::None => return Err("no resolver, by the settings".into()),
        }
        let mut lanes = Vec::new();
        for outcome in outcomes {
            if let Outcome::Name { answer: NameAnswer::Addresses { addresses, .. }, .. } = outcome {
                lanes.extend(
                    addresses
                        .into_iter()
                        .map(|a| Lane { address: SocketAddr::new(a, port), stands_in: false }),
                );
            }
        }
        if lanes.is_empty() { Err(format!("{host} does not resolve")) } else { Ok(lanes) }
    }
}
