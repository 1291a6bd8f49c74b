//! Evidence as rules look at it: by path and lane, with the observation that ended each.

use crate::evidence::{
    Ask, DialAnswer, Evidence, HandshakeAnswer, HelloAnswer, HttpAnswer, Layer, NameAnswer, NameFit,
    Observation, Outcome, PathInfo, PathRole, ProxyAnswer, Scheme, SoapAnswer,
};
use crate::facts::{Fact, FactView, OwnClient, Successes};
use crate::plan::is_microsoft_host;

/// Evidence, indexed.
pub(crate) struct Seen<'a> {
    pub evidence: &'a Evidence,
    pub facts: FactView<'a>,
    /// This server's TLS client, or the one that is taken for it.
    pub client: OwnClient,
    pub paths: Vec<PathSeen<'a>>,
    successes: Successes<'a>,
}

/// One path.
pub(crate) struct PathSeen<'a> {
    pub info: &'a PathInfo,
    /// Its own observations, in order.
    pub own: Vec<&'a Observation>,
    /// Its differentials, in order.
    pub asked: Vec<&'a Observation>,
    pub lanes: Vec<LaneSeen<'a>>,
}

/// One lane of a path.
pub(crate) struct LaneSeen<'a> {
    pub lane: &'a str,
    pub own: Vec<&'a Observation>,
    pub end: LaneEnd<'a>,
}

/// How a lane ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum LaneEnd<'a> {
    /// Its last step was reached and went well.
    Works,
    /// This observation ended it.
    Failed(&'a Observation),
    /// Our own client ended it.
    OwnLimit(&'a Observation),
    /// The run ended before it did.
    Cut,
}

impl<'a> Seen<'a> {
    pub fn new(evidence: &'a Evidence) -> Self {
        let paths = evidence
            .paths
            .iter()
            .map(|info| {
                let of_path = evidence.observations.iter().filter(|o| o.path == info.id);
                let (own, asked): (Vec<_>, Vec<_>) = of_path.partition(|o| o.question.is_none());
                let mut names: Vec<&str> = Vec::new();
                for lane in own.iter().filter_map(|o| o.lane.as_deref()) {
                    if !names.contains(&lane) {
                        names.push(lane);
                    }
                }
                let lanes = names
                    .into_iter()
                    .map(|lane| {
                        let own: Vec<_> =
                            own.iter().copied().filter(|o| o.lane.as_deref() == Some(lane)).collect();
                        let end = lane_end(info, &own);
                        LaneSeen { lane, own, end }
                    })
                    .collect();
                PathSeen { info, own, asked, lanes }
            })
            .collect();
        let facts = FactView::new(&evidence.facts);
        let successes = Successes::new(&evidence.facts);
        Seen { evidence, facts, client: OwnClient::new(&evidence.settings, &facts), successes, paths }
    }

    /// Whether a synchronization succeeded after what a fact tells: by time, or further down in the same file.
    pub fn succeeded_after(&self, fact: &Fact) -> bool {
        self.successes.after(fact)
    }

    /// The time at which the evidence is judged: as the settings say it, else when the walk ended. None where nothing
    /// tells.
    pub fn now(&self) -> Option<jiff::Timestamp> {
        self.evidence.settings.at.or_else(|| self.evidence.observations.iter().map(|o| o.at).max())
    }

    /// The paths that synchronization needs.
    pub fn needed(&self) -> impl Iterator<Item = &PathSeen<'a>> {
        self.paths.iter().filter(|p| p.info.needed)
    }

    /// The paths of a role beside a path: to the same host, or asked on its behalf.
    pub fn of_role(&self, role: PathRole) -> impl Iterator<Item = &PathSeen<'a>> {
        self.paths.iter().filter(move |p| p.info.role == role)
    }

    /// The ids of facts and observations in the order in which they stand.
    pub fn observation(&self, id: &str) -> Option<&'a Observation> {
        self.evidence.observations.iter().find(|o| o.id == id)
    }
}

impl LaneSeen<'_> {
    /// The observation in which the peer asked for a client certificate.
    pub fn asked_for_certificate(&self) -> Option<String> {
        self.own.iter().find_map(|o| match &o.outcome {
            Outcome::Hello {
                answer: HelloAnswer::Answered { client_certificate_asked: true, .. }, ..
            }
            | Outcome::Handshake { client_certificate_asked: true, .. } => Some(o.id.clone()),
            _ => None,
        })
    }
}

impl<'a> PathSeen<'a> {
    /// Whether any lane reached its last step.
    pub fn works(&self) -> bool {
        self.lanes.iter().any(|l| l.end == LaneEnd::Works)
            || (self.info.until == Layer::Name && self.resolved())
    }

    /// Whether anything was walked at all.
    pub fn walked(&self) -> bool {
        self.own.iter().any(|o| !matches!(o.outcome, Outcome::NotAsked { .. }))
    }

    /// Whether the name gave an address, or needed none.
    pub fn resolved(&self) -> bool {
        !self.lanes.is_empty()
            || self
                .own
                .iter()
                .any(|o| matches!(o.outcome, Outcome::Name { answer: NameAnswer::Addresses { .. }, .. }))
    }

    /// The name observations that left the path without an address.
    pub fn name_failures(&self) -> Vec<&'a Observation> {
        if self.resolved() {
            return Vec::new();
        }
        self.own.iter().copied().filter(|o| matches!(o.outcome, Outcome::Name { .. })).collect()
    }

    /// The lanes that failed, with the observation that ended each.
    pub fn failures(&self) -> impl Iterator<Item = (&LaneSeen<'a>, &'a Observation)> {
        self.lanes.iter().filter_map(|lane| match lane.end {
            LaneEnd::Failed(observation) => Some((lane, observation)),
            _ => None,
        })
    }

    /// Every failed observation of the path: what a finding has to explain.
    pub fn failed(&self) -> Vec<&'a Observation> {
        self.name_failures().into_iter().chain(self.failures().map(|(_, o)| o)).collect()
    }

    /// What was still written down after a lane's failure: it tells nothing of its own layer.
    pub fn after_failures(&self) -> Vec<&'a str> {
        self.failures()
            .flat_map(|(lane, failed)| {
                let later = lane.own.iter().skip_while(move |o| o.id != failed.id).skip(1);
                later.map(|o| o.id.as_str())
            })
            .collect()
    }

    /// The differentials of a lane with this question.
    pub fn questions<'s>(
        &'s self,
        lane: &str,
        question: &str,
    ) -> impl Iterator<Item = &'a Observation> + use<'s, 'a> {
        let (lane, question) = (lane.to_string(), question.to_string());
        self.asked
            .iter()
            .copied()
            .filter(move |o| o.lane.as_deref() == Some(&lane) && o.question.as_deref() == Some(&question))
    }

    /// Whether what the configuration names is what answers: a wrong name or port would look like a name that does not
    /// resolve, a port that refuses, or another server.
    pub fn met_its_peer(&self) -> bool {
        let proxied = self.own.iter().any(|o| {
            matches!(
                o.outcome,
                Outcome::Proxy {
                    answer: ProxyAnswer::Granted | ProxyAnswer::Status { code: 403 | 407 | 500..=504, .. },
                    ..
                }
            )
        });
        if is_microsoft_host(&self.info.target.host) {
            return self.info.proxy.is_none() || proxied;
        }
        self.own.iter().any(|o| match &o.outcome {
            Outcome::Chain(chain) => matches!(chain.name_fit, NameFit::Alternative | NameFit::Subject),
            Outcome::Soap { answer, .. } => *answer != SoapAnswer::NotSoap,
            Outcome::Http { answer: answer @ HttpAnswer::Response { status, .. }, .. } => {
                !matches!(status, 400 | 404)
                    && answer.header("server").is_some_and(|s| s.starts_with("Microsoft-"))
            }
            _ => false,
        })
    }

    /// `host:port` of the target.
    pub fn subject(&self) -> String {
        self.info.target.subject()
    }

    /// `host:port` of the proxy, or of the target where there is none.
    pub fn hop_subject(&self) -> String {
        self.info
            .proxy
            .as_ref()
            .map_or_else(|| self.subject(), |hop| crate::evidence::host_port(&hop.host, hop.port))
    }
}

impl LaneSeen<'_> {
    /// Whether a TCP connection stood.
    pub fn connected(&self) -> bool {
        self.own.iter().any(|o| matches!(o.outcome, Outcome::Dial { answer: DialAnswer::Connected, .. }))
    }
}

fn lane_end<'a>(info: &PathInfo, own: &[&'a Observation]) -> LaneEnd<'a> {
    for (index, observation) in own.iter().enumerate() {
        if matches!(observation.outcome, Outcome::NotReached { .. }) {
            return LaneEnd::OwnLimit(observation);
        }
        if !went_well(info, observation, own.get(index + 1).copied()) {
            return LaneEnd::Failed(observation);
        }
    }
    let last = own.last().map_or(Layer::Name, |o| o.layer);
    let https = info.target.scheme == Scheme::Https;
    let enough = match info.until {
        // A layer that the scheme or the path does not have is passed with the one below it.
        Layer::Proxy if info.proxy.is_none() => last >= Layer::Dial,
        Layer::Tls | Layer::Trust if !https => last >= Layer::Dial,
        until => last >= until,
    };
    if enough { LaneEnd::Works } else { LaneEnd::Cut }
}

/// Whether an observation lets its lane go on. An HTTP answer to a SOAP request is judged with what was read in it.
fn went_well(info: &PathInfo, observation: &Observation, next: Option<&Observation>) -> bool {
    match &observation.outcome {
        Outcome::Name { .. } | Outcome::NotAsked { .. } | Outcome::NotReached { .. } => true,
        Outcome::Dial { answer, .. } => *answer == DialAnswer::Connected,
        Outcome::Proxy { answer, .. } => *answer == ProxyAnswer::Granted,
        Outcome::Hello { offer, answer } => match answer {
            HelloAnswer::Answered { version, suite, complete: true, .. } => {
                offer.takes(*version) && offer.suites.contains(suite)
            }
            _ => false,
        },
        Outcome::Spoken(_) => true,
        Outcome::Chain(seen) => seen.acceptable(),
        Outcome::Handshake { answer, client_certificate_asked, .. } => match answer {
            HandshakeAnswer::Done { .. } | HandshakeAnswer::Untrusted => true,
            // What our own library cannot do is no word of the peer's.
            HandshakeAnswer::OwnLimit { .. } | HandshakeAnswer::Failed { .. } => true,
            HandshakeAnswer::Alert { .. } | HandshakeAnswer::Broken { .. } => !client_certificate_asked,
        },
        Outcome::Http { answer, .. } => match answer {
            HttpAnswer::Response { status, complete, .. } => {
                let soap = next.map(|next| &next.outcome);
                match (info.ask, soap) {
                    (Ask::Get | Ask::SelfUpdate | Ask::Tls, _) => (200..300).contains(status) && *complete,
                    (_, Some(Outcome::Soap { answer: SoapAnswer::Fault { .. }, .. })) => true,
                    (_, Some(Outcome::Soap { answer: SoapAnswer::Result { .. }, .. })) => *complete,
                    (_, Some(_)) => false,
                    (_, None) => info.until < Layer::Wsus && *complete,
                }
            }
            _ => false,
        },
        Outcome::Soap { answer, .. } => matches!(answer, SoapAnswer::Result { .. }),
    }
}

/// The kind of an outcome, as the saved form names it.
pub(crate) fn kind(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Name { .. } => "name",
        Outcome::Dial { .. } => "dial",
        Outcome::Proxy { .. } => "proxy",
        Outcome::Hello { .. } => "hello",
        Outcome::Spoken(_) => "spoken",
        Outcome::Chain(_) => "chain",
        Outcome::Handshake { .. } => "handshake",
        Outcome::Http { .. } => "http",
        Outcome::Soap { .. } => "soap",
        Outcome::NotReached { .. } => "not-reached",
        Outcome::NotAsked { .. } => "not-asked",
    }
}
