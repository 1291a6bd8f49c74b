//! Differentials: the same question again with one difference, where an answer has several meanings.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::{join, join_all};

use super::{BESIDE, Began, CONTROL_HOST, Walker};
use crate::codec::tls::{TLS10, TLS11, TLS12, TLS13};
use crate::evidence::{Ask, Broken, Layer, Outcome, PathInfo, PathRole, ProxyAnswer, Scheme, Target};
use crate::schannel;
use crate::schannel::Widening;
use crate::settings::ProxyHop;
use crate::step::dial::Lane;
use crate::step::{hello, proxy};

/// A code point of the range that RFC 8701 keeps from ever becoming a suite.
const UNASSIGNED_SUITE: u16 = 0xdada;

impl Walker<'_> {
    /// Asks again with one difference each: another version, every suite, every group, every signature algorithm; and
    /// what the server speaks at all. Whether any was answered.
    pub(super) async fn differentials(
        &self,
        path: &PathInfo,
        lane: Lane,
        round_trip: Duration,
        wait: Duration,
    ) -> bool {
        let none = Widening { suites: false, groups: false, signatures: false };
        let all = Widening { suites: true, groups: true, signatures: true };
        let asks = [
            ("TLS 1.0 alone", TLS10, all),
            ("TLS 1.1 alone", TLS11, all),
            ("TLS 1.3 alone", TLS13, all),
            ("every suite at TLS 1.2", TLS12, Widening { suites: true, ..none }),
            ("every group at TLS 1.2", TLS12, Widening { groups: true, ..none }),
            ("every signature algorithm at TLS 1.2", TLS12, Widening { signatures: true, ..none }),
            ("every group and signature at TLS 1.2", TLS12, Widening { suites: false, ..all }),
            ("every suite, group and signature at TLS 1.2", TLS12, all),
        ];
        let one = |(question, version, widening)| async move {
            let (greeting, offer) = schannel::hello(version, widening, self.server_name(path));
            self.differential(path, lane, question, greeting, offer, wait).await
        };
        let mut answers = Vec::with_capacity(asks.len());
        if self.settings.polite {
            for ask in asks {
                answers.push(one(ask).await);
            }
        } else {
            answers = join_all(asks.map(one)).await;
        }
        let answered = answers.iter().copied().flatten().next();
        if answered.is_some() {
            let at_12 = answers.iter().copied().flatten().find(|&(version, _)| version == TLS12);
            self.spoken(path, lane, at_12.or(answered), round_trip, wait).await;
        }
        answered.is_some()
    }

    /// Whether an answer of a few bytes comes where a whole flight did not: an alert, to a suite that nobody has.
    pub(super) async fn small_answer(&self, path: &PathInfo, lane: Lane, wait: Duration) {
        let none = Widening { suites: false, groups: false, signatures: false };
        let (greeting, offer) =
            schannel::hello_with(TLS12, none, self.server_name(path), vec![UNASSIGNED_SUITE]);
        self.differential(path, lane, "an answer of a few bytes", greeting, offer, wait).await;
    }

    pub(super) async fn differential(
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

    /// What a proxy that gives no tunnel is asked besides: whether it is one, and whether it is this destination or port.
    pub(super) async fn no_tunnel(
        &self,
        path: &PathInfo,
        lane: Lane,
        hop: &ProxyHop,
        outcome: &Outcome,
        wait: Duration,
    ) {
        let Outcome::Proxy { answer, .. } = outcome else { return };
        match answer {
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
        let question = Some("TLS to the proxy itself");
        self.record(path, Some(lane), Layer::Proxy, &subject, &began, question, answer.outcome, answer.raw);
    }

    /// Whether a proxy that answers nothing answers for another destination.
    async fn proxy_answers_else(&self, path: &PathInfo, lane: Lane, hop: &ProxyHop, wait: Duration) {
        let question = "another destination through the same proxy";
        self.proxy_asked(path, lane, hop, question, CONTROL_HOST, wait).await;
    }

    /// Whether the same destination is granted on 443.
    async fn proxy_allows_443(&self, path: &PathInfo, lane: Lane, hop: &ProxyHop, wait: Duration) {
        self.proxy_asked(path, lane, hop, "the same destination on port 443", &path.target.host, wait).await;
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
        let answer = proxy::tunnel(hop.kind, stream, host, 443, wait).await;
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
        let none = Widening { suites: false, groups: false, signatures: false };
        let (greeting, offer) = schannel::hello(TLS12, none, Some(CONTROL_HOST.into()));
        let began = Began::now();
        let answer = hello::ask(stream, &greeting, offer, wait).await;
        let question = Some("the same hello to another host");
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
        self.differential(path, lane, "TLS on the same port", greeting, offer, wait).await;
    }
}
