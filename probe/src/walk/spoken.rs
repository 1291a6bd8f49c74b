//! What a server speaks, asked over a path's own connections.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, join, select};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, watch};

use super::lane::Greeted;
use super::question::DIFFERENTIALS;
use super::{Began, Walker};
use crate::codec::tls::{Hello, Reading, Until};
use crate::enumerate::{self, AT_ONCE, FAR, Peer, Reply, Terms};
use crate::evidence::{Broken, Layer, Outcome, PathInfo, Spoken, SpokenPlan, question};
use crate::net::Stream;
use crate::schannel::{Caller, Client, ClientHello, Meeting, PROFILES, Policy, meet};
use crate::step::dial::Lane;
use crate::step::{hello, proxy};

/// How long before the deadline what was found is written down.
const MARGIN: Duration = Duration::from_millis(150);

/// The most tunnels that are opened before there is a hello for them.
const MOST_AHEAD: usize = AT_ONCE / 2;

/// A path's target on a lane.
struct Target<'a, 'w> {
    walker: &'a Walker<'w>,
    path: &'a PathInfo,
    lane: Lane,
    wait: Duration,
    /// Tunnels opened ahead, where each costs a logon besides its connection.
    ahead: Option<Ahead>,
}

/// Tunnels that are opened while others are still asked, so that a round of hellos does not wait for a round of logons.
#[derive(Default)]
struct Ahead {
    ready: Mutex<Vec<Stream>>,
    /// Hellos that are under way: as many are taken to follow.
    asking: AtomicUsize,
    /// Tunnels whose opening began.
    begun: AtomicUsize,
    /// Of these, the ones that a hello was sent into.
    used: AtomicUsize,
    /// Hellos that were sent once more.
    again: AtomicUsize,
    /// Whether no more are opened: a server that takes one connection after the other waits for what an idle one sends.
    stopped: AtomicBool,
    changed: Notify,
}

impl Ahead {
    fn ready(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A tunnel that still stands.
    async fn take(&self) -> Option<Stream> {
        loop {
            let stream = self.ready().pop()?;
            self.changed.notify_one();
            if let Some(stream) = proxy::still_open(stream).await {
                self.used.fetch_add(1, Ordering::Relaxed);
                return Some(stream);
            }
        }
    }

    /// How many connections there were that no hello was counted for.
    fn unused(&self) -> u32 {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let unused = count(&self.begun).saturating_sub(count(&self.used)) + count(&self.again);
        unused.try_into().unwrap_or(u32::MAX)
    }

    /// Whether tunnels stand idle, or stood, while hellos are asked.
    fn in_the_way(&self) -> bool {
        self.begun.load(Ordering::Relaxed) > 0 && !self.stopped.load(Ordering::Relaxed)
    }

    /// Closes what was opened and opens no more.
    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.ready().clear();
        self.changed.notify_one();
    }

    /// Opens tunnels as long as hellos are under way. It never ends; one that cannot be opened ends the opening.
    async fn fill(&self, target: &Target<'_, '_>) {
        let mut opening = FuturesUnordered::new();
        let mut going_on = true;
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                drop(opening);
                self.ready().clear();
                return pending().await;
            }
            // Those that are asked and those that wait together keep to the most.
            let asking = self.asking.load(Ordering::Relaxed);
            let level = asking.min(MOST_AHEAD).min(AT_ONCE.saturating_sub(asking));
            let there = self.ready().len() + opening.len();
            for _ in there..if going_on { level } else { 0 } {
                self.begun.fetch_add(1, Ordering::Relaxed);
                opening.push(target.open());
            }
            let changed = pin!(self.changed.notified());
            if opening.is_empty() {
                changed.await;
                continue;
            }
            match select(opening.next(), changed).await {
                Either::Left((Some(Some(stream)), _)) => self.ready().push(stream),
                Either::Left(_) => going_on = false,
                Either::Right(_) => {}
            }
        }
    }
}

impl Target<'_, '_> {
    async fn open(&self) -> Option<Stream> {
        Box::pin(self.walker.open(self.path, self.lane, self.wait)).await
    }

    /// A connection for a hello: one that was opened ahead, or its own.
    async fn stream(&self) -> Option<Stream> {
        match &self.ahead {
            Some(ahead) => match ahead.take().await {
                Some(stream) => Some(stream),
                None => self.open().await,
            },
            None => self.open().await,
        }
    }
}

impl Peer for Target<'_, '_> {
    async fn ask(&self, hello: &Hello, until: Until) -> Reply {
        let Some(stream) = self.stream().await else { return Reply::Lost };
        let Some(ahead) = &self.ahead else { return self.met(stream, hello, until).await };
        // What follows is as much as is under way now.
        let under_way = UnderWay::new(ahead);
        let in_the_way = ahead.in_the_way();
        let reply = self.met(stream, hello, until).await;
        if reply != Reply::Silence || !(in_the_way || ahead.in_the_way()) {
            return reply;
        }
        // The idle tunnels may be what it waits for: without them, once more.
        ahead.stop();
        drop(under_way);
        ahead.again.fetch_add(1, Ordering::Relaxed);
        match self.open().await {
            Some(stream) => self.met(stream, hello, until).await,
            None => Reply::Lost,
        }
    }
}

/// A hello that is under way.
struct UnderWay<'a>(&'a Ahead);

impl<'a> UnderWay<'a> {
    fn new(ahead: &'a Ahead) -> Self {
        ahead.asking.fetch_add(1, Ordering::Relaxed);
        ahead.changed.notify_one();
        UnderWay(ahead)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Target<'_, '_> {
    async fn met(&self, mut stream: Stream, hello: &Hello, until: Until) -> Reply {
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
        // Nobody is asked ahead of a rate, nor before the proxy has accepted the run's credentials.
        let accepted = path.proxy.as_ref().and_then(|hop| self.auth.rounds_ahead(hop)).is_some();
        let ahead = accepted && plan == SpokenPlan::Far && self.settings.rate.is_none();
        let target = Target { walker: self, path, lane, wait, ahead: ahead.then(Ahead::default) };
        let found = Mutex::new(Spoken::default());
        let until = self.net.deadline.checked_sub(MARGIN).unwrap_or(self.net.deadline);
        // On the heap: an enumeration is a large future inside others.
        let asked = Box::pin(enumerate::enumerate(&target, &terms, &found));
        let opened = async {
            match &target.ahead {
                Some(ahead) => ahead.fill(&target).await,
                None => pending().await,
            }
        };
        let opened = pin!(opened);
        let both = select(asked, opened);
        let cut = tokio::time::timeout_at(tokio::time::Instant::from_std(until), both).await.is_err();
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
        // What was opened for nothing was a connection to the server all the same.
        found.connections += target.ahead.as_ref().map_or(0, Ahead::unused);
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
        let answers = self.differ(path, lane, asks.clone(), DIFFERENTIALS, wait).await;
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
