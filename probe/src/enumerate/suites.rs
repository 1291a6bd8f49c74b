//! A version's suites: asked down one after the other, or split.

use std::pin::Pin;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::likely::candidates;
use super::{Asker, Peer, Told};
use crate::codec::tls::{SSL3, TLS13, Until};
use crate::evidence::{SpokenPlan, SuiteOrder};

/// Into how many groups a version's suites are dealt at first.
const GROUPS: usize = 6;
/// After how many answers a list that was followed is worth taking apart, and into how many parts.
const TELLING: usize = 3;
const CHAINS: usize = 4;
/// The most suites of a hello where a server seems not to take long ones.
const SHORT: usize = 24;

/// A hello that was answered: the suite chosen, and what else was offered.
pub(super) struct Hit {
    pub(super) chosen: u16,
    pub(super) offered: Vec<u16>,
}

/// What came of a version.
#[derive(Default)]
pub(super) struct Suites {
    pub(super) hits: Vec<Hit>,
    /// The round of the last answer.
    pub(super) round: u32,
    /// Who decides, where it was asked on the way.
    pub(super) who: Option<SuiteOrder>,
    /// Whether the answers followed our list so far.
    pub(super) by_client: bool,
}

type Job<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

enum Done {
    /// A hello with these suites.
    Asked(Vec<u16>, Told),
    /// Two suites, in both orders.
    Who(Option<SuiteOrder>, u32),
}

impl<P: Peer> Asker<'_, P> {
    /// Everything about a version's suites.
    pub(super) async fn version(&self, version: u16) {
        let all = candidates(version >= TLS13);
        if version == SSL3 {
            // Its hello alone is asked; which suites it has does not matter any more.
            let told = self.ask(self.hello(SSL3, &all[..all.len().min(64)]), Until::ServerHello, 0).await;
            match told.suite() {
                Some(suite) => self.hit(version, suite),
                None => self.refused(version, &told),
            }
            return;
        }
        let found = match self.terms.plan {
            SpokenPlan::Near | SpokenPlan::Polite => self.eliminate(version, all).await,
            SpokenPlan::Far => self.split(version, deal(&all, GROUPS), 0).await,
        };
        self.order(version, found).await;
    }

    /// The suites of a version again, by hellos that are no longer than a client's.
    pub(super) async fn version_in_short(&self, version: u16, after: u32) {
        let all = candidates(version >= TLS13);
        let found = self.split(version, all.chunks(SHORT).map(<[u16]>::to_vec).collect(), after).await;
        self.order(version, found).await;
    }

    pub(super) fn hit(&self, version: u16, suite: u16) {
        self.with_version(version, |found| {
            if !found.suites.contains(&suite) {
                found.suites.push(suite);
            }
        });
    }

    /// One after the other: each answer names one more. A server that decides tells its order by that; where the answers
    /// follow our list instead, the rest of it is asked down in parts side by side.
    async fn eliminate(&self, version: u16, mut left: Vec<u16>) -> Suites {
        // The rare ones first: a server that follows its own list shows it with the first answers.
        left.reverse();
        let mut found = Suites::default();
        while !left.is_empty() {
            if self.terms.plan == SpokenPlan::Near && found.hits.len() >= TELLING && follows(&found.hits) {
                let parts = join_all(
                    deal(&left, CHAINS).into_iter().map(|part| self.down(version, part, found.round)),
                );
                for part in parts.await {
                    found.round = found.round.max(part.round);
                    found.hits.extend(part.hits);
                }
                found.by_client = true;
                return found;
            }
            if !self.once_down(version, &mut left, &mut found).await {
                break;
            }
        }
        found
    }

    async fn down(&self, version: u16, mut left: Vec<u16>, after: u32) -> Suites {
        let mut found = Suites { round: after, ..Suites::default() };
        while !left.is_empty() && self.once_down(version, &mut left, &mut found).await {}
        found
    }

    /// Asks for what is left, and takes away what was chosen; whether there was an answer.
    async fn once_down(&self, version: u16, left: &mut Vec<u16>, found: &mut Suites) -> bool {
        let told = self.ask(self.hello(version, left), Until::ServerHello, found.round).await;
        found.round = told.round;
        let Some(suite) = told.suite() else {
            self.refused(version, &told);
            return false;
        };
        self.hit(version, suite);
        found.hits.push(Hit { chosen: suite, offered: left.clone() });
        left.retain(|&other| other != suite);
        true
    }

    /// Side by side: an answered group loses the suite that it named and is asked again in two halves.
    async fn split(&self, version: u16, groups: Vec<Vec<u16>>, after: u32) -> Suites {
        let mut found = Suites { round: after, ..Suites::default() };
        let mut jobs: FuturesUnordered<Job> = FuturesUnordered::new();
        for group in groups {
            jobs.push(self.job(version, group, after));
        }
        while let Some(done) = jobs.next().await {
            let (group, told) = match done {
                Done::Asked(group, told) => (group, told),
                Done::Who(who, round) => {
                    found.who = who;
                    found.round = found.round.max(round);
                    continue;
                }
            };
            found.round = found.round.max(told.round);
            let Some(suite) = told.suite() else {
                self.refused(version, &told);
                continue;
            };
            self.hit(version, suite);
            let rest: Vec<u16> = group.iter().copied().filter(|&other| other != suite).collect();
            found.hits.push(Hit { chosen: suite, offered: group });
            if let ([first, second], true) = (&found.hits[..], self.terms.plan == SpokenPlan::Far) {
                jobs.push(self.who_job(version, first.chosen, second.chosen, told.round));
            }
            for half in deal(&rest, 2) {
                jobs.push(self.job(version, half, told.round));
            }
        }
        found
    }

    fn job(&self, version: u16, suites: Vec<u16>, after: u32) -> Job<'_> {
        Box::pin(async move {
            let told = self.ask(self.hello(version, &suites), Until::ServerHello, after).await;
            Done::Asked(suites, told)
        })
    }

    fn who_job(&self, version: u16, one: u16, other: u16, after: u32) -> Job<'_> {
        Box::pin(async move {
            let (who, round) = self.who(version, one, other, after).await;
            Done::Who(who, round)
        })
    }
}

/// Whether every answer was the first of our list that was still to be named, as far as the others show.
fn follows(hits: &[Hit]) -> bool {
    let place = |suite: u16| hits[0].offered.iter().position(|&offered| offered == suite);
    hits.windows(2).all(|pair| place(pair[0].chosen) < place(pair[1].chosen))
}

/// Deals a list that is sorted by likelihood into groups, so that each gets its share of the likely ones.
fn deal(list: &[u16], groups: usize) -> Vec<Vec<u16>> {
    let mut dealt = vec![Vec::new(); groups.min(list.len())];
    for (at, &code) in list.iter().enumerate() {
        dealt[at % groups].push(code);
    }
    dealt
}
