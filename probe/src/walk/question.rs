//! Differentials: the same question again with one difference, where an answer has several meanings.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{BESIDE, Began, CONTROL_HOST, Walker};
use crate::codec::tls::{Hello, TLS10, TLS11, TLS12, TLS13};
use crate::evidence::{
    Ask, Broken, Layer, Offer, Outcome, PathInfo, PathRole, ProxyAnswer, Scheme, Target, question,
};
use crate::schannel;
use crate::schannel::{Caller, ClientHello, Widening};
use crate::settings::ProxyHop;
use crate::step::dial::Lane;
use crate::step::{handshake, hello, proxy};

/// How many differentials go side by side.
pub(super) const DIFFERENTIALS: usize = 16;

/// A code point of the range that RFC 8701 keeps from ever becoming a suite.
const UNASSIGNED_SUITE: u16 = 0xdada;

impl Walker<'_> {
    /// Asks again with one difference each: another version, every suite, every group, every signature algorithm, without
    /// what is set on this server; and what the server speaks at all. The version and suite of an answer.
    pub(super) async fn differentials(
        &self,
        path: &PathInfo,
        lane: Lane,
        round_trip: Duration,
        wait: Duration,
    ) -> Option<(u16, u16)> {
        let name = self.server_name(path);
        let none = Widening { suites: false, groups: false, signatures: false };
        let all = Widening { suites: true, groups: true, signatures: true };
        let client = &self.client.client;
        let own = self.client.hello(name.clone());
        let with_tls12 = client.with_tls12().hello(Caller::Synchronization, name.clone());
        // What the client would offer beside suites that need a group, where what is set leaves it none of those.
        let groups =
            client.with_every_default().with_tls12().hello(Caller::Synchronization, None).offer.groups;
        let mut asks: Vec<(&str, (Hello, Offer))> =
            [(question::TLS10_ALONE, TLS10), (question::TLS11_ALONE, TLS11), (question::TLS13_ALONE, TLS13)]
                .into_iter()
                .map(|(question, version)| (question, schannel::hello(version, all, name.clone())))
                .collect();
        let widenings = [
            (question::EVERY_SUITE, Widening { suites: true, ..none }),
            (question::EVERY_GROUP, Widening { groups: true, ..none }),
            (question::EVERY_SIGNATURE, Widening { signatures: true, ..none }),
            (question::EVERY_GROUP_AND_SIGNATURE, Widening { suites: false, ..all }),
            (question::EVERYTHING, all),
        ];
        asks.extend(widenings.into_iter().filter_map(|(question, widening)| {
            schannel::widened(&with_tls12, widening, &groups).map(|asked| (question, asked))
        }));
        let mut also = |question, hello: ClientHello| {
            if let Some(greeting) = hello.hello {
                asks.push((question, (greeting, hello.offer)));
            }
        };
        if own.offer.version < TLS12 {
            also(question::WITH_TLS12, with_tls12);
        }
        if !own.offer.settings.is_empty() {
            let unchanged = client.without_policy().with_tls12();
            also(question::UNCHANGED, unchanged.hello(Caller::Synchronization, name));
        }
        let answers = self.differ(path, lane, asks, self.at_once(path), wait).await;
        let mut answered = answers.iter().copied().flatten().next();
        if answered.is_some() {
            let at_12 = answers.iter().copied().flatten().find(|&(version, _)| version == TLS12);
            answered = at_12.or(answered);
            Box::pin(self.spoken(path, lane, answered, round_trip, wait)).await;
        }
        answered
    }

    /// Whose certificate is shown at a version that the client does not offer: a proxy that signs again may break the
    /// client's own.
    pub(super) async fn shown_at(&self, path: &PathInfo, lane: Lane, version: u16, wait: Duration) {
        let Some(stream) = self.open(path, lane, wait).await else { return };
        let sent = if version == TLS13 {
            let terms = handshake::Terms {
                name: &path.target.host,
                accepted_leaf: None,
                met: None,
                store: self.store,
                clock: self.net.clock,
            };
            handshake::shown_at_tls13(stream, terms, wait).await
        } else {
            let all = Widening { suites: true, groups: true, signatures: true };
            let (greeting, offer) = schannel::hello(version, all, self.server_name(path));
            let answer = hello::ask(stream, &greeting, offer, wait).await;
            answer.flight.map(|flight| flight.certificates).unwrap_or_default()
        };
        self.chain(path, lane, &sent, Some(question::OTHER_VERSION_CHAIN), wait).await;
    }

    /// How many differentials go side by side: one where an enumeration goes on beside them, which has the connections.
    fn at_once(&self, path: &PathInfo) -> usize {
        if path.ask == Ask::Tls { 1 } else { DIFFERENTIALS }
    }

    /// Sends hellos, so many side by side, or one after the other where that is asked for.
    pub(super) async fn differ(
        &self,
        path: &PathInfo,
        lane: Lane,
        asks: Vec<(&str, (Hello, Offer))>,
        at_once: usize,
        wait: Duration,
    ) -> Vec<Option<(u16, u16)>> {
        let at_once = if self.settings.polite { 1 } else { at_once };
        let mut asks = asks.into_iter().peekable();
        let mut answers = Vec::with_capacity(asks.len());
        while asks.peek().is_some() {
            let some = asks.by_ref().take(at_once).map(|(question, (greeting, offer))| async move {
                self.differential(path, lane, question, greeting, offer, wait).await
            });
            answers.extend(join_all(some).await);
        }
        answers
    }

    /// What is worth asking of a hello that was answered: whether anything but cipher block chaining is in common, and
    /// whether a manual import, where one is on record, gets as far.
    pub(super) async fn beside_the_answer(&self, path: &PathInfo, lane: Lane, suite: u16, wait: Duration) {
        let name = self.server_name(path);
        let mut asks = Vec::new();
        if crate::codec::tls::suite(suite).is_some_and(|suite| suite.is_cbc()) {
            asks.extend(
                schannel::without_cbc(&self.client.hello(name.clone()))
                    .map(|asked| (question::WITHOUT_CBC, asked)),
            );
        }
        if self.import_on_record && path.role == PathRole::Source {
            let import = self.client.client.hello(Caller::Import, name);
            asks.extend(import.hello.map(|hello| (question::IMPORT, (hello, import.offer))));
        }
        self.differ(path, lane, asks, self.at_once(path), wait).await;
    }

    /// Whether an answer of a few bytes comes where a whole flight did not: an alert, to a suite that nobody has.
    pub(super) async fn small_answer(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let none = Widening { suites: false, groups: false, signatures: false };
        let (greeting, offer) =
            schannel::hello_with(TLS12, none, self.server_name(path), vec![UNASSIGNED_SUITE]);
        self.differential(path, lane, question::SMALL_ANSWER, greeting, offer, wait).await;
    }

    pub(super) async fn differential(
        &self,
        path: &PathInfo,
        lane: Lane,
        question: &str,
        greeting: Hello,
        offer: Offer,
        wait: Duration,
    ) -> Option<(u16, u16)> {
        let stream = self.open(path, lane, wait).await?;
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let offered = answer
            .flight
            .filter(|flight| greeting.offers(flight.version) && greeting.suites.contains(&flight.suite));
        let chosen = offered.map(|flight| (flight.version, flight.suite));
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

    /// What a proxy that gives no tunnel is asked besides: whether it is one, and whether it is this destination or port.
    pub(super) async fn no_tunnel(
        &self,
        path: &PathInfo,
        lane: Lane,
        hop: &ProxyHop,
        outcome: &Outcome,
        wait: Duration,
    ) {
        let Outcome::Proxy { answer, auth, .. } = outcome else { return };
        // What has demanded credentials is a proxy: only what it does for others is left to ask.
        let spoke = auth.is_some();
        match answer {
            ProxyAnswer::Broken { how: Broken::Timeout } if spoke && self.settings.until.is_none() => {
                self.proxy_answers_else(path, lane, hop, wait).await;
            }
            ProxyAnswer::Broken { .. } if spoke => {}
            ProxyAnswer::Broken { how: Broken::Timeout } if self.settings.until.is_none() => {
                join(
                    self.proxy_speaks_tls(path, lane, hop, wait),
                    self.proxy_answers_else(path, lane, hop, wait),
                )
                .await;
            }
            ProxyAnswer::Broken { .. } => self.proxy_speaks_tls(path, lane, hop, wait).await,
            ProxyAnswer::Status { code: 403 | 405, .. } if path.target.port != 443 => {
                self.proxy_allows_443(path, lane, hop, wait).await;
            }
            _ => {}
        }
    }

    /// Whether a proxy that answers nothing speaks TLS itself.
    async fn proxy_speaks_tls(&self, path: &PathInfo, lane: Lane, hop: &ProxyHop, wait: Duration) {
        let Ok(stream) = self.net.dial(lane.address, lane.stands_in, wait).await else { return };
        let subject = crate::evidence::host_port(&hop.host, hop.port);
        let all = Widening { suites: true, groups: true, signatures: true };
        let server_name = hop.host.parse::<IpAddr>().is_err().then(|| hop.host.clone());
        let (greeting, offer) = schannel::hello(TLS12, all, server_name);
        let began = Began::now();
        let answer = hello::ask(Box::new(stream), &greeting, offer, wait).await;
        let question = Some(question::TLS_TO_PROXY);
        self.record(path, Some(lane), Layer::Proxy, &subject, &began, question, answer.outcome, answer.raw);
    }

    /// Whether a proxy that answers nothing answers for another destination.
    async fn proxy_answers_else(&self, path: &PathInfo, lane: Lane, hop: &ProxyHop, wait: Duration) {
        let question = question::OTHER_DESTINATION;
        self.proxy_asked(path, lane, hop, question, CONTROL_HOST, wait).await;
    }

    /// Whether the same destination is granted on 443.
    async fn proxy_allows_443(&self, path: &PathInfo, lane: Lane, hop: &ProxyHop, wait: Duration) {
        self.proxy_asked(path, lane, hop, question::PORT_443, &path.target.host, wait).await;
    }

    /// Asks a proxy for a tunnel to a host's port 443.
    async fn proxy_asked(
        &self,
        path: &PathInfo,
        lane: Lane,
        hop: &ProxyHop,
        question: &str,
        host: &str,
        wait: Duration,
    ) {
        let Ok(stream) = self.net.dial(lane.address, lane.stands_in, wait).await else { return };
        let subject = crate::evidence::host_port(&hop.host, hop.port);
        let began = Began::now();
        let answer = proxy::tunnel(&self.way(hop, lane, wait), Box::new(stream), host, 443).await;
        let (outcome, raw) = (answer.outcome, answer.raw);
        self.record(path, Some(lane), Layer::Proxy, &subject, &began, Some(question), outcome, raw);
    }

    /// Where every hello through a tunnel breaks: whether the tunnel closes before one is sent, and whether the same
    /// hello to another host is answered.
    pub(super) async fn tunnel_or_policy(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let Some(hop) = &path.proxy else { return };
        let (host, port) = Self::first_hop(path);
        let subject = crate::evidence::host_port(&host, port);
        if let Some(tunnel) = self.open(path, lane, wait).await {
            let began = Began::now();
            let closes = proxy::closes_by_itself(tunnel, wait.min(BESIDE)).await;
            let asked = format!("CONNECT {}", path.target.subject());
            let answer = if closes { ProxyAnswer::ClosedTunnel } else { ProxyAnswer::Granted };
            let outcome = Outcome::Proxy { asked, answer, auth: None };
            let question = Some(question::EMPTY_TUNNEL);
            self.record(path, Some(lane), Layer::Proxy, &subject, &began, question, outcome, None);
            if closes {
                return;
            }
        }
        let target = Target { scheme: Scheme::Https, host: CONTROL_HOST.into(), port: 443, path: "/".into() };
        let control = self.also(path, PathRole::Control, target, Some(hop.clone()), Ask::Get, Layer::Tls);
        let Some(stream) = self.open(&control, lane, wait).await else { return };
        let same = self.client.hello(Some(CONTROL_HOST.into()));
        let Some(greeting) = same.hello else { return };
        let offer = same.offer;
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let question = Some(question::OTHER_HOST);
        let subject = control.target.subject();
        self.record(&control, Some(lane), Layer::Tls, &subject, &began, question, answer.outcome, answer.raw);
    }

    /// Whether a port that did not answer plain HTTP as wanted speaks TLS.
    pub(super) async fn other_scheme(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        if path.target.scheme != Scheme::Http || path.proxy.is_some() || !path.needed {
            return;
        }
        let all = Widening { suites: true, groups: true, signatures: true };
        let (greeting, offer) = schannel::hello(TLS12, all, self.server_name(path));
        self.differential(path, lane, question::TLS_ON_PORT, greeting, offer, wait).await;
    }
}
