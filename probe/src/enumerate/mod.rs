//! What a TLS server speaks, found by hellos that differ in one thing each and end at its first flight.
//!
//! Nothing here opens a connection: a [`Peer`] is asked, whoever it is. Near by a handshake costs more than a round
//! trip: a version's suites are asked down one after the other, and each hello names one more. Far away a round trip
//! costs more: many hellos at once, each with a part of the suites; one that is answered is split in two. A TLS 1.3
//! server is asked with an empty key_share, so that it names suite and group in a HelloRetryRequest, without a key
//! operation on either side.

mod likely;
mod named;
mod order;
mod suites;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Semaphore, watch};

use crate::codec::tls::{
    Extension, GROUPS, Hello, SIGNATURES, SSL3, ServerFlight, TLS10, TLS11, TLS12, TLS13, Until, alert_name,
};
use crate::evidence::{Oddity, Spoken, SpokenPlan, SpokenVersion};

/// The most connections that are open at once: one less than the 32 that a server is asked with, since a client's own hello
/// goes beside.
pub const AT_ONCE: usize = 31;
/// The round trip, a connection's, from which a server is far.
pub const FAR: Duration = Duration::from_millis(8);
/// How many hellos may go unanswered before the server is left alone.
const MOST_SILENT: u32 = 6;
/// The most connections that are open at once before the server was heard at all.
const UNHEARD: usize = 2;
/// How many connections may fail before the server is left alone.
const MOST_LOST: u32 = 3;

/// The versions that are asked for, the lowest first.
const VERSIONS: [u16; 5] = [SSL3, TLS10, TLS11, TLS12, TLS13];

/// Someone who can be asked with a ClientHello.
pub trait Peer: Sync {
    /// Sends a hello over a new connection and reads the answer so far.
    fn ask(&self, hello: &Hello, until: Until) -> impl Future<Output = Reply> + Send;
}

/// What a hello met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A ServerHello, and what was read after it.
    Flight(Box<ServerFlight>),
    /// An alert.
    Alert(u8),
    /// The end of the connection.
    Closed,
    /// A reset.
    Reset,
    /// Nothing in time.
    Silence,
    /// Something that is no TLS.
    NotTls,
    /// There was no connection to send it over.
    Lost,
    /// A ServerHello that is no use of what was offered, as the asker has it, and what it is.
    Aside(&'static str),
}

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The name in the hellos.
    pub server_name: Option<String>,
    /// The plan.
    pub plan: SpokenPlan,
    /// Versions, suites and order alone.
    pub suites_only: bool,
    /// The round trip that was measured.
    pub round_trip: Duration,
    /// A version and a suite that a client's hello met, as soon as that is known.
    pub known: watch::Receiver<Option<Option<(u16, u16)>>>,
}

/// Asks `peer` everything. What is found is written into `found` as it comes, so that a deadline leaves what there is.
pub async fn enumerate(peer: &impl Peer, terms: &Terms, found: &Mutex<Spoken>) {
    *lock(found) = Spoken {
        versions: VERSIONS
            .iter()
            .map(|&version| SpokenVersion { version, ..SpokenVersion::default() })
            .collect(),
        plan: terms.plan,
        round_trip_us: terms.round_trip.as_micros().min(u128::from(u64::MAX)) as u64,
        unfinished: "it was broken off".into(),
        ..Spoken::default()
    };
    let asker = Asker::new(peer, terms, found);
    match terms.plan {
        SpokenPlan::Polite => {
            for version in VERSIONS {
                asker.version(version).await;
            }
        }
        SpokenPlan::Near | SpokenPlan::Far => {
            join_all(VERSIONS.map(|version| asker.version(version))).await;
        }
    }
    asker.in_short().await;
    asker.still_there().await;
    if !terms.suites_only {
        asker.names().await;
    }
    let unfinished = asker.unfinished();
    lock(found).unfinished = unfinished;
}

fn lock(found: &Mutex<Spoken>) -> MutexGuard<'_, Spoken> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count(counter: &AtomicU32) -> u32 {
    counter.load(Ordering::Relaxed)
}

/// A reply and the round in which it came.
#[derive(Clone, Debug)]
struct Told {
    reply: Reply,
    round: u32,
}

impl Told {
    fn flight(&self) -> Option<&ServerFlight> {
        match &self.reply {
            Reply::Flight(flight) => Some(flight),
            _ => None,
        }
    }

    /// The suite chosen, where the answer is one to what was asked.
    fn suite(&self) -> Option<u16> {
        self.flight().map(|flight| flight.suite)
    }
}

/// Asks, counts, and keeps to the limits.
struct Asker<'a, P> {
    peer: &'a P,
    terms: &'a Terms,
    found: &'a Mutex<Spoken>,
    permits: Semaphore,
    /// How many more may be given out once the server was heard.
    kept: AtomicU32,
    silent: AtomicU32,
    lost: AtomicU32,
    /// Hellos that met something other than silence.
    heard: AtomicU32,
    /// Refusals that name no reason: a reset, a closed connection.
    mute: AtomicU32,
    gone: AtomicBool,
}

impl<'a, P: Peer> Asker<'a, P> {
    fn new(peer: &'a P, terms: &'a Terms, found: &'a Mutex<Spoken>) -> Self {
        let at_once = if terms.plan == SpokenPlan::Polite { 1 } else { AT_ONCE };
        Asker {
            peer,
            terms,
            found,
            permits: Semaphore::new(at_once.min(UNHEARD)),
            kept: AtomicU32::new(at_once.saturating_sub(UNHEARD) as u32),
            silent: AtomicU32::new(0),
            lost: AtomicU32::new(0),
            heard: AtomicU32::new(0),
            mute: AtomicU32::new(0),
            gone: AtomicBool::new(false),
        }
    }

    /// Sends a hello in the round after `after`. An answer that the hello did not offer is written down and counts as a
    /// refusal, as does a lower version than the hello's highest.
    async fn ask(&self, hello: Hello, until: Until, after: u32) -> Told {
        let round = after + 1;
        let permit = self.permits.acquire().await;
        let unheard = count(&self.heard) == 0 && count(&self.silent) >= UNHEARD as u32;
        if unheard || count(&self.silent) >= MOST_SILENT || count(&self.lost) >= MOST_LOST {
            return Told { reply: Reply::Lost, round: after };
        }
        {
            let mut found = self.found();
            found.connections += 1;
            found.rounds = found.rounds.max(round);
        }
        let mut reply = Box::pin(self.peer.ask(&hello, until)).await;
        drop(permit);
        if reply != Reply::Lost {
            self.found().handshakes += 1;
        }
        let add = |counter: &AtomicU32| counter.fetch_add(1, Ordering::Relaxed);
        match &reply {
            Reply::Silence => {
                add(&self.silent);
            }
            Reply::Lost => {
                add(&self.lost);
            }
            Reply::Closed | Reply::Reset => {
                add(&self.heard);
                add(&self.mute);
            }
            _ => {
                add(&self.heard);
            }
        }
        if count(&self.heard) > 0 {
            self.permits.add_permits(self.kept.swap(0, Ordering::Relaxed) as usize);
        }
        if let Reply::Flight(flight) = &reply {
            let oddity = if !hello.suites.contains(&flight.suite) || !hello.offers(flight.version) {
                let (version, suite) = (flight.version, flight.suite);
                Some(Oddity::NotOffered { version, suite, offered: hello.highest() })
            } else {
                flight.alert.map(|code| Oddity::AlertAfter { suite: flight.suite, code })
            };
            let other_version = flight.version != hello.highest();
            if other_version || oddity.is_some() {
                let what = match &oddity {
                    Some(Oddity::AlertAfter { .. }) => "answered, and broken off with an alert",
                    Some(_) => "answered with what was not offered",
                    None => "answered with another version",
                };
                reply = Reply::Aside(what);
            }
            if let Some(oddity) = oddity {
                let odd = &mut self.found().odd;
                if !odd.contains(&oddity) && odd.len() < 16 {
                    odd.push(oddity);
                }
            }
        }
        Told { reply, round }
    }

    /// What was found so far. Never held over a wait.
    fn found(&self) -> MutexGuard<'_, Spoken> {
        lock(self.found)
    }

    /// A hello at a version, with everything that a server may want beside the suites.
    fn hello(&self, version: u16, suites: &[u16]) -> Hello {
        let groups: Vec<u16> = GROUPS.iter().take(WIDE_GROUPS).map(|(code, _)| *code).collect();
        let signatures: Vec<u16> = SIGNATURES.iter().map(|(code, _)| *code).collect();
        self.hello_with(version, suites, groups, signatures)
    }

    fn hello_with(&self, version: u16, suites: &[u16], groups: Vec<u16>, signatures: Vec<u16>) -> Hello {
        let mut extensions = Vec::new();
        if version > SSL3 {
            extensions.extend(self.terms.server_name.clone().map(Extension::ServerName));
            extensions.extend([Extension::Groups(groups), Extension::PointFormats]);
            if version >= TLS12 {
                extensions.push(Extension::Signatures(signatures));
            }
            if version >= TLS13 {
                extensions.extend([
                    Extension::Versions(vec![TLS13]),
                    Extension::PskModes,
                    Extension::KeyShares(Vec::new()),
                ]);
            } else {
                extensions.extend([Extension::ExtendedMasterSecret, Extension::Renegotiation]);
            }
        }
        Hello {
            record: version.min(TLS10),
            version: version.min(TLS12),
            session_id: version >= TLS13,
            suites: suites.to_vec(),
            extensions,
        }
    }

    fn with_version<T>(&self, version: u16, change: impl FnOnce(&mut SpokenVersion) -> T) -> Option<T> {
        self.found().versions.iter_mut().find(|found| found.version == version).map(change)
    }

    /// The suites of a version so far.
    fn suites_of(&self, version: u16) -> Vec<u16> {
        self.with_version(version, |found| found.suites.clone()).unwrap_or_default()
    }

    /// Writes down what a version's refusal is, unless one stands there.
    fn refused(&self, version: u16, told: &Told) {
        let words = match &told.reply {
            Reply::Flight(_) => return,
            Reply::Aside(what) => (*what).into(),
            Reply::Alert(code) => format!("alert {code}, {}", alert_name(*code)),
            Reply::Closed => "closed".into(),
            Reply::Reset => "reset".into(),
            Reply::Silence => "silence".into(),
            Reply::NotTls => "no TLS".into(),
            Reply::Lost => "no connection".into(),
        };
        self.with_version(version, |found| {
            if found.refusal.is_empty() {
                found.refusal = words;
            }
        });
    }

    /// Where a client's hello was answered and the longer ones are refused, it is their length that the server does not take.
    async fn in_short(&self) {
        let mut known = self.terms.known.clone();
        let Some((known, suite)) = known.wait_for(Option::is_some).await.ok().and_then(|met| met.flatten())
        else {
            return;
        };
        if self.suites_of(known).contains(&suite) {
            return;
        }
        let rounds = self.found().rounds;
        for version in VERSIONS.into_iter().filter(|&version| version > SSL3) {
            if self.suites_of(version).is_empty() {
                self.version_in_short(version, rounds).await;
            }
        }
        if self.suites_of(known).contains(&suite) {
            self.found().odd.push(Oddity::LongHello);
        }
    }

    /// Where refusals say nothing of their reason, a hello that was answered is asked again: a device that began to
    /// refuse everything on the way would pass for the end of the list.
    async fn still_there(&self) {
        if count(&self.mute) == 0 && count(&self.silent) == 0 {
            return;
        }
        let known = self.found().versions.iter().rev().find_map(|v| Some((v.version, *v.suites.first()?)));
        let Some((version, suite)) = known else { return };
        let rounds = self.found().rounds;
        let told = self.ask(self.hello(version, &[suite]), Until::ServerHello, rounds).await;
        self.gone.store(told.suite() != Some(suite), Ordering::Relaxed);
    }

    /// Why what was found may not be all.
    fn unfinished(&self) -> String {
        if count(&self.lost) > 0 {
            let lost = count(&self.lost);
            format!("{lost} of the connections could not be made, so that more may be spoken")
        } else if count(&self.silent) > 0 && count(&self.heard) > 0 {
            let silent = count(&self.silent);
            format!("{silent} of the hellos were left unanswered, so that more may be spoken")
        } else if count(&self.silent) > 0 {
            "no hello was answered".into()
        } else if self.gone.load(Ordering::Relaxed) {
            "the server refused at the end what it had answered before, so that more may be spoken".into()
        } else {
            String::new()
        }
    }
}

/// How many of the named groups a hello offers where suites are asked for.
const WIDE_GROUPS: usize = 21;

#[cfg(test)]
mod tests;
