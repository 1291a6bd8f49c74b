//! Runs a plan: the only orchestrator. It decides what to ask next, records what was seen, and judges nothing but
//! whether there is something left to ask.

mod issuers;
mod lane;
mod question;
mod resolve;
mod spoken;

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};

use crate::codec::soap;
use crate::evidence::{
    Ask, Evidence, Layer, Observation, Outcome, PathInfo, PathRole, ProxyAnswer, Scheme, Target,
};
use crate::facts::{Fact, FactView, OwnClient, Phase, Statement, servers};
use crate::net::{Net, Stream, now};
use crate::plan::{MICROSOFT_ENDPOINT, WSUS_PORTS, is_microsoft_host, other_proxy, service_of};
use crate::run::Observer;
use crate::settings::{ProxyChoice, ProxyHop, ProxyKind, Settings};
use crate::step::dial::Lane;
use crate::step::proxy::{Auth, Dial, Way};
use crate::trust::TrustStore;

/// The most addresses of a name that are walked.
const MOST_LANES: usize = 8;
/// How long another port is waited for where the source itself works.
const BESIDE: Duration = Duration::from_millis(1500);
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
    let joined = servers::joined(&facts);
    let own = FactView::new(&joined);
    let other_proxies: Vec<_> = [Scheme::Http, Scheme::Https]
        .into_iter()
        .filter_map(|scheme| Some((scheme, other_proxy(settings, &own, scheme)?)))
        .collect();
    let walker = Walker {
        net: Net::new(settings),
        settings,
        store,
        observer,
        auth: {
            let mut hops: Vec<ProxyHop> = paths.iter().filter_map(|path| path.proxy.clone()).collect();
            hops.extend(other_proxies.iter().map(|(_, (_, hop))| hop.clone()));
            hops.dedup();
            let basic = own.flag("AllowProxyCredentialsOverNonSsl");
            let denied = basic.is_some_and(|(_, allowed)| !allowed);
            Auth::new(settings, hops, denied, now())
        },
        other_proxies,
        issuer_proxies: {
            let told = match &settings.proxy {
                ProxyChoice::Through(hop) => Some(hop.clone()),
                _ => None,
            };
            let mut hops: Vec<ProxyHop> =
                winhttp_proxy(&own, &["http", "*"]).into_iter().chain(told).collect();
            hops.dedup();
            hops
        },
        client: OwnClient::new(settings, &own),
        next: tokio::sync::Mutex::new(None),
        import_on_record: joined.iter().any(|fact| {
            matches!(&fact.statement, Statement::LogFailure { process, phase, .. }
                if process == "w3wp" || *phase == Some(Phase::Import))
        }),
        log: Mutex::new(Log {
            paths: paths.clone(),
            observations: Vec::new(),
            next_path: paths.len(),
            addresses: Vec::new(),
            enumerated: Vec::new(),
        }),
    };
    if settings.no_network {
        for path in &paths {
            let began = Began::now();
            let outcome = Outcome::NotAsked { reason: "no network, by --no-network".into() };
            walker.record(path, None, Layer::Name, &path.target.subject(), &began, None, outcome, None);
        }
    } else {
        let winhttp = winhttp_proxy(&own, &["https", "*", "http"]);
        let everything = join_all(paths.iter().map(|path| walker.source(path, winhttp.as_ref())));
        let deadline = tokio::time::Instant::from_std(walker.net.deadline);
        if tokio::time::timeout_at(deadline, everything).await.is_err() {
            walker.cut(&paths);
        }
    }
    let Log { paths, observations, .. } =
        walker.log.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    drop(joined);
    Evidence { settings: settings.clone(), facts, paths, observations }
}

/// The proxy that WinHTTP has for the first of these schemes that it has one for; `*` stands for every scheme.
fn winhttp_proxy(facts: &FactView, schemes: &[&str]) -> Option<ProxyHop> {
    let own = facts.winhttp()?;
    let (_, server) = schemes.iter().find_map(|scheme| own.servers.iter().find(|(s, _)| s == scheme))?;
    let (host, port) = crate::settings::split_host_port(server)?;
    Some(ProxyHop { kind: ProxyKind::Http, host, port })
}

struct Log {
    paths: Vec<PathInfo>,
    observations: Vec<Observation>,
    next_path: usize,
    /// What names gave: one is asked for once in a run.
    addresses: Vec<(String, Vec<IpAddr>)>,
    /// The paths whose target was asked what it speaks.
    enumerated: Vec<String>,
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
    /// The credentials of the run and what became of them: one state for all paths.
    auth: Auth,
    /// What certificates are fetched through, the first that gives them.
    issuer_proxies: Vec<ProxyHop>,
    /// WSUS' proxy for the other scheme, by the scheme of a source.
    other_proxies: Vec<(Scheme, (Scheme, ProxyHop))>,
    /// Whose hellos are sent.
    client: OwnClient,
    /// Whether an import is on record as broken off.
    import_on_record: bool,
    /// When the next connection may begin, where there is a rate to keep.
    next: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    log: Mutex<Log>,
}

/// What a peer showed in its first flight: a handshake with it has to meet the same.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Peer {
    /// Its leaf, DER.
    leaf: Vec<u8>,
    /// The version that it chose.
    version: u16,
    /// The suite that it chose: with another it may show another certificate.
    suite: u16,
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
    /// The hello was refused.
    refused: bool,
    /// The chain was not accepted.
    untrusted: bool,
    /// A certificate of the chain is not current.
    out_of_date: bool,
    /// The peer whose chain was accepted.
    peer: Option<Peer>,
}

impl Reached {
    fn any(list: &[Reached], what: impl Fn(&Reached) -> bool) -> bool {
        list.iter().any(what)
    }
}

/// Further connections on a lane.
struct LaneDial<'a> {
    net: &'a Net,
    lane: Lane,
    wait: Duration,
}

impl Dial for LaneDial<'_> {
    async fn again(&self) -> Option<Stream> {
        let stream = self.net.dial(self.lane.address, self.lane.stands_in, self.wait).await.ok()?;
        Some(Box::new(stream))
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
            let (layer, after) = {
                let log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let own = log.observations.iter().filter(|o| o.path == path.id && o.question.is_none());
                match own.max_by_key(|o| o.layer) {
                    Some(last) => (last.layer, format!("after its {} step", last.layer.word())),
                    None => (Layer::Name, "before its name was answered".to_string()),
                }
            };
            let says = format!("the run ended at its deadline of {}, {after}", self.settings.deadline);
            let outcome = Outcome::NotReached { because: "deadline".into(), says };
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
            // Re-signing is told by what the same name shows without the proxy, and who refuses a hello by what it meets there.
            if path.proxy.is_some() && Reached::any(&lanes, |l| l.untrusted || l.refused) {
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
                let peer = lanes.iter().find_map(|l| l.peer.as_ref());
                self.beside(path, done, answered, peer).await;
            }
        };
        let other_proxy = async {
            let own = self.other_proxies.iter().find(|(scheme, _)| *scheme == target.scheme);
            let Some((_, (scheme, hop))) = own.filter(|_| path.proxy.is_some()) else { return };
            // Files come over plain HTTP whatever the source speaks; the proxy for HTTPS matters where the other fails.
            if target.scheme == Scheme::Http && answered {
                return;
            }
            // Content comes over plain HTTP; another host of Microsoft's stands for what is asked over TLS.
            let (host, port, until) = match scheme {
                Scheme::Http => (CLOCK_HOST, 80, Layer::Http),
                Scheme::Https => (CONTROL_HOST, 443, Layer::Proxy),
            };
            let other = Target { scheme: *scheme, host: host.into(), port, path: "/".into() };
            let again = self.also(path, PathRole::OtherProxy, other, Some(hop.clone()), Ask::Get, until);
            self.path(&again, self.net.patience).await;
        };
        join(join(join(direct, other_proxy), by_winhttp), join(repair, join(beside, clock))).await;
    }

    /// What stands beside an upstream: the client's service, SelfUpdate, the other ports.
    async fn beside(&self, path: &PathInfo, done: bool, answered: bool, peer: Option<&Peer>) {
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
                self.path_again(&client, self.net.patience, peer).await;
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

    /// Walks a path to a peer whose chain was accepted before: no hello of ours comes before the handshake.
    async fn path_again(&self, path: &PathInfo, wait: Duration, known: Option<&Peer>) -> Vec<Reached> {
        let lanes = self.resolve(path).await;
        if path.until == Layer::Name {
            return Vec::new();
        }
        join_all(lanes.into_iter().map(|lane| Box::pin(self.lane(path, lane, wait, known)))).await
    }

    /// The way to a proxy on a lane.
    fn way<'s>(&'s self, hop: &'s ProxyHop, lane: Lane, wait: Duration) -> Way<'s, LaneDial<'s>> {
        Way { auth: &self.auth, hop, dial: LaneDial { net: &self.net, lane, wait }, wait }
    }

    /// The host and port that a path's sockets go to: the proxy's where there is one.
    fn first_hop(path: &PathInfo) -> (String, u16) {
        match &path.proxy {
            Some(hop) => (hop.host.clone(), hop.port),
            None => (path.target.host.clone(), path.target.port),
        }
    }
}

fn like_until(like: &PathInfo, settings: &Settings) -> Layer {
    settings.until.unwrap_or(like.until.max(Layer::Wsus))
}
