//! What a server speaks, asked over a path's own connections.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use tokio::sync::watch;

use super::lane::Greeted;
use super::{Began, Walker};
use crate::codec::tls::{Hello, Reading, Until};
use crate::enumerate::{self, FAR, Peer, Reply, Terms};
use crate::evidence::{Broken, Layer, Outcome, PathInfo, Spoken, SpokenPlan, question};
use crate::net::Stream;
use crate::schannel::{Caller, Client, ClientHello, Meeting, PROFILES, Policy, meet};
use crate::step::dial::Lane;
use crate::step::hello;

/// How long before the deadline what was found is written down.
const MARGIN: Duration = Duration::from_millis(150);

/// A path's target on a lane.
struct Target<'a, 'w> {
    walker: &'a Walker<'w>,
    path: &'a PathInfo,
    lane: Lane,
    wait: Duration,
}

impl Peer for Target<'_, '_> {
    async fn ask(&self, hello: &Hello, until: Until) -> Reply {
        let Some(mut stream) = self.walker.open(self.path, self.lane, self.wait).await else {
            return Reply::Lost;
        };
        match hello::meet(&mut stream, hello, until, self.wait).await {
            (Ok(Reading::Flight(flight)), _) => Reply::Flight(Box::new(flight)),
            (Ok(Reading::Alert(code)), _) => Reply::Alert(code),
            (Ok(Reading::PlainHttp(_) | Reading::NotTls(_) | Reading::More), _) => Reply::NotTls,
            // A flight that was broken off named a suite all the same.
            (Err(how), reader) => match (reader.cut(), how) {
                (Some(flight), _) => Reply::Flight(Box::new(flight)),
                (None, Broken::Closed) => Reply::Closed,
                (None, Broken::Reset) => Reply::Reset,
                (None, Broken::Timeout) => Reply::Silence,
            },
        }
    }
}

impl Walker<'_> {
    /// What a path asks whose end is its target's TLS: the client's own hello and beside it what is spoken, then what
    /// the Windows Servers come to.
    pub(super) async fn tls(
        &self,
        path: &PathInfo,
        lane: Lane,
        stream: Stream,
        round_trip: Duration,
        wait: Duration,
    ) -> Greeted {
        let (say, met) = watch::channel(None);
        let own = async {
            let greeted = Box::pin(self.first_flight(path, lane, stream, round_trip, wait)).await;
            say.send_replace(Some(greeted.known));
            greeted
        };
        let spoken = Box::pin(self.enumerated(path, lane, met, round_trip, wait));
        let (greeted, spoken) = if self.settings.polite {
            let greeted = own.await;
            let spoken = if greeted.speaks_tls { spoken.await } else { None };
            (greeted, spoken)
        } else {
            join(own, spoken).await
        };
        // What is no TLS was asked in vain.
        if greeted.speaks_tls {
            let found = spoken.as_ref().map(|(_, spoken)| spoken.clone());
            self.record_spoken(path, lane, spoken);
            Box::pin(self.clients(path, lane, found, wait)).await;
        }
        greeted
    }

    /// Enumerates what a path's target speaks, on one lane of the path. `known` is what a client's hello met, `round_trip`
    /// how long a connection took, through the proxy where there is one.
    pub(super) async fn spoken(
        &self,
        path: &PathInfo,
        lane: Lane,
        known: Option<(u16, u16)>,
        round_trip: Duration,
        wait: Duration,
    ) {
        let (_, met) = watch::channel(Some(known));
        let spoken = Box::pin(self.enumerated(path, lane, met, round_trip, wait)).await;
        self.record_spoken(path, lane, spoken);
    }

    fn record_spoken(&self, path: &PathInfo, lane: Lane, spoken: Option<(Began, Spoken)>) {
        let Some((began, spoken)) = spoken else { return };
        let outcome = Outcome::Spoken(Box::new(spoken));
        let subject = path.target.subject();
        self.record(path, Some(lane), Layer::Tls, &subject, &began, Some(question::SPOKEN), outcome, None);
    }

    async fn enumerated(
        &self,
        path: &PathInfo,
        lane: Lane,
        known: watch::Receiver<Option<Option<(u16, u16)>>>,
        round_trip: Duration,
        wait: Duration,
    ) -> Option<(Began, Spoken)> {
        {
            let mut log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            if log.enumerated.contains(&path.id) {
                return None;
            }
            log.enumerated.push(path.id.clone());
        }
        let began = Began::now();
        let plan = match (self.settings.polite, self.settings.plan) {
            (true, _) => SpokenPlan::Polite,
            (false, Some(plan)) => plan,
            (false, None) if round_trip >= FAR => SpokenPlan::Far,
            (false, None) => SpokenPlan::Near,
        };
        let terms = Terms {
            server_name: self.server_name(path),
            plan,
            suites_only: self.settings.suites,
            round_trip,
            known: known.clone(),
        };
        let target = Target { walker: self, path, lane, wait };
        let found = Mutex::new(Spoken::default());
        let until = self.net.deadline.checked_sub(MARGIN).unwrap_or(self.net.deadline);
        // On the heap: an enumeration is a large future inside others.
        let asked = Box::pin(enumerate::enumerate(&target, &terms, &found));
        let cut = tokio::time::timeout_at(tokio::time::Instant::from_std(until), asked).await.is_err();
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let met = known.borrow().flatten();
        if let Some((version, suite)) = met
            && let Some(there) = found.versions.iter_mut().find(|spoken| spoken.version == version)
            && !there.suites.contains(&suite)
        {
            // What was met is spoken, whatever the other answers said.
            there.suites.push(suite);
            if found.unfinished.is_empty() {
                found.unfinished =
                    "a client's hello was answered with a suite that was not found again: connections are \
                                    answered differently, so that more may be spoken"
                        .into();
            }
        }
        if cut {
            found.unfinished =
                format!("the deadline of {} came first, so that more may be spoken", self.settings.deadline);
        }
        Some((began.ended(), found))
    }
}

impl Walker<'_> {
    /// Tries on the wire what each Windows Server sends by default, and what the one that is asked about sends.
    pub(super) async fn clients(&self, path: &PathInfo, lane: Lane, spoken: Option<Spoken>, wait: Duration) {
        if self.settings.suites {
            return;
        }
        let name = self.server_name(path);
        let own = &self.client.client;
        let defaults = PROFILES.iter().map(|profile| Client::new(profile, Policy::default()));
        let mut hellos: Vec<(String, ClientHello)> = defaults
            .map(|client| {
                let hello = client.hello(Caller::Synchronization, name.clone());
                (question::client(client.profile.name), hello)
            })
            .collect();
        if self.client.known || !own.policy.is_empty() {
            for caller in Caller::ALL {
                hellos.push((question::own_client(caller.word()), own.hello(caller, name.clone())));
            }
        }
        let asks = hellos.iter().filter_map(|(question, hello)| {
            Some((question.as_str(), (hello.hello.clone()?, hello.offer.clone())))
        });
        let asks: Vec<_> = asks.collect();
        let answers = self.differ(path, lane, asks.clone(), wait).await;
        // A refusal where the lists agree may be a limit on connections: asked again alone it is told apart.
        let Some(spoken) = spoken else { return };
        for ((question, (greeting, offer)), _) in
            asks.into_iter().zip(answers).filter(|(_, answer)| answer.is_none())
        {
            let connects = hellos.iter().any(|(asked, hello)| {
                asked == question && matches!(meet(hello, &spoken), Meeting::Connects { .. })
            });
            if connects {
                self.differential(path, lane, question, greeting, offer, wait).await;
            }
        }
    }
}
