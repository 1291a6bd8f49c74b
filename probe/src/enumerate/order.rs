//! Who decides which suite is taken, and the server's order.

use std::cmp::Reverse;

use futures_util::future::{join, join_all};

use super::likely::GUESSES;
use super::suites::{Hit, Suites};
use super::{Asker, Peer};
use crate::codec::tls::{Exchange, Until, suite};
use crate::evidence::{SpokenPlan, SuiteOrder};

/// Up to so many suites every pair is asked at once; beyond, a guess is proved by its neighbours.
const ALL_PAIRS: usize = 6;

impl<P: Peer> Asker<'_, P> {
    /// Finds who decides, and puts a version's suites into the server's order where it does.
    pub(super) async fn order(&self, version: u16, found: Suites) {
        let suites = self.suites_of(version);
        if suites.len() < 2 {
            return;
        }
        let eliminated = found.hits.windows(2).all(|pair| pair[1].offered.len() + 1 == pair[0].offered.len());
        let (who, ordered) = if eliminated && self.terms.plan != SpokenPlan::Far {
            self.order_of_elimination(version, &found).await
        } else if found.by_client && self.turns(version, &suites, &found).await {
            (Some(SuiteOrder::Client), by_likelihood(suites))
        } else {
            self.order_of_parts(version, suites, found).await
        };
        self.with_version(version, |version| {
            version.order = who;
            version.suites = ordered;
        });
    }

    /// Each answer was the server's choice of all that were left: where that differs from our list it is its own order.
    async fn order_of_elimination(&self, version: u16, found: &Suites) -> (Option<SuiteOrder>, Vec<u16>) {
        let chosen: Vec<u16> = found.hits.iter().map(|hit| hit.chosen).collect();
        let ours = found.hits[0].offered.iter().filter(|suite| chosen.contains(suite));
        if !ours.eq(chosen.iter()) {
            return (Some(SuiteOrder::Server), chosen);
        }
        let turned: Vec<u16> = chosen.iter().rev().copied().collect();
        let told = self.ask(self.hello(version, &turned), Until::ServerHello, found.round).await;
        match told.suite() {
            Some(suite) if suite == turned[0] => (Some(SuiteOrder::Client), by_likelihood(chosen)),
            Some(_) => (Some(SuiteOrder::Server), chosen),
            None => (None, by_likelihood(chosen)),
        }
    }

    /// Whether the client decides, where the answers followed our list so far: the first of them was chosen out of
    /// everything, and another one is now offered in front of it; one that costs the server no signature, if there is one.
    async fn turns(&self, version: u16, suites: &[u16], found: &Suites) -> bool {
        let first = found.hits[0].chosen;
        let others = suites.iter().copied().filter(|&suite| suite != first);
        let cheap = |code: &u16| suite(*code).is_some_and(|suite| suite.exchange() == Exchange::Other);
        let Some(other) = others.clone().find(cheap).or_else(|| others.clone().next()) else { return false };
        let told = self.ask(self.hello(version, &[other, first]), Until::ServerHello, found.round).await;
        told.suite() == Some(other)
    }

    async fn order_of_parts(
        &self,
        version: u16,
        suites: Vec<u16>,
        found: Suites,
    ) -> (Option<SuiteOrder>, Vec<u16>) {
        let (mut who, mut round) = (found.who, found.round);
        if who.is_none() {
            (who, round) = self.who(version, suites[0], suites[1], round).await;
        }
        if who != Some(SuiteOrder::Server) && suites.len() > 2 {
            // Two suites may stand alike where others do not.
            let turned: Vec<u16> = by_likelihood(suites.clone()).into_iter().rev().collect();
            let told = self.ask(self.hello(version, &turned), Until::ServerHello, round).await;
            round = told.round;
            who = match told.suite() {
                Some(suite) if suite == turned[0] => Some(SuiteOrder::Client),
                Some(_) => Some(SuiteOrder::Server),
                None => None,
            };
        }
        if who == Some(SuiteOrder::Server) {
            let ordered = self.sort(version, guess(&suites, &found.hits), round).await;
            (who, ordered)
        } else {
            (who, by_likelihood(suites))
        }
    }

    /// Who decides between two suites.
    pub(super) async fn who(
        &self,
        version: u16,
        one: u16,
        other: u16,
        after: u32,
    ) -> (Option<SuiteOrder>, u32) {
        let (first, second) = join(
            self.ask(self.hello(version, &[one, other]), Until::ServerHello, after),
            self.ask(self.hello(version, &[other, one]), Until::ServerHello, after),
        )
        .await;
        let who = match (first.suite(), second.suite()) {
            (Some(a), Some(b)) if a == b => Some(SuiteOrder::Server),
            (Some(_), Some(_)) => Some(SuiteOrder::Client),
            _ => None,
        };
        (who, first.round.max(second.round))
    }

    /// Whether the server prefers `one`, asked with the other in front. ChaCha20 never stands in front of another: some
    /// servers give it, whatever their order, to clients that prefer it.
    async fn prefers(&self, version: u16, one: u16, other: u16, after: u32) -> (bool, u32) {
        let pair = if is_chacha(other) && !is_chacha(one) { [one, other] } else { [other, one] };
        let told = self.ask(self.hello(version, &pair), Until::ServerHello, after).await;
        (told.suite() != Some(other), told.round)
    }

    /// Puts suites into the server's order, from a guess of it.
    async fn sort(&self, version: u16, guess: Vec<u16>, after: u32) -> Vec<u16> {
        if guess.len() <= ALL_PAIRS {
            return self.sort_by_all_pairs(version, guess, after).await;
        }
        // The server's choice between two does not hang on the rest: neighbours prove the whole list.
        let pairs = guess.windows(2).map(|pair| self.prefers(version, pair[0], pair[1], after));
        let told = join_all(pairs).await;
        let mut round = told.iter().map(|(_, round)| *round).max().unwrap_or(after);
        let mut runs: Vec<Vec<u16>> = vec![vec![guess[0]]];
        for (&suite, (holds, _)) in guess[1..].iter().zip(&told) {
            match runs.last_mut().filter(|_| *holds) {
                Some(run) => run.push(suite),
                None => runs.push(vec![suite]),
            }
        }
        while runs.len() > 1 {
            let merges = runs.chunks(2).map(|pair| async move {
                match pair {
                    [one, other] => self.merge(version, one, other, round).await,
                    _ => (pair[0].clone(), round),
                }
            });
            let merged = join_all(merges).await;
            round = merged.iter().map(|(_, round)| *round).max().unwrap_or(round);
            runs = merged.into_iter().map(|(run, _)| run).collect();
        }
        runs.pop().unwrap_or_default()
    }

    async fn sort_by_all_pairs(&self, version: u16, mut suites: Vec<u16>, after: u32) -> Vec<u16> {
        let pairs: Vec<(u16, u16)> = suites
            .iter()
            .enumerate()
            .flat_map(|(at, &one)| suites[at + 1..].iter().map(move |&other| (one, other)))
            .collect();
        let told = join_all(pairs.iter().map(|&(one, other)| self.prefers(version, one, other, after))).await;
        let wins = |suite: u16| {
            let won = pairs.iter().zip(&told).filter(
                |&(&(one, other), &(holds, _))| {
                    if holds { one == suite } else { other == suite }
                },
            );
            won.count()
        };
        let counted: Vec<(u16, usize)> = suites.iter().map(|&suite| (suite, wins(suite))).collect();
        let won = |suite: u16| counted.iter().find(|(known, _)| *known == suite).map_or(0, |(_, won)| *won);
        suites.sort_by_key(|&suite| Reverse(won(suite)));
        suites
    }

    /// Two runs in the server's order become one: every suite of the second looks for its place in the first, all at once.
    async fn merge(&self, version: u16, one: &[u16], other: &[u16], after: u32) -> (Vec<u16>, u32) {
        let mut places: Vec<(usize, usize)> = vec![(0, one.len()); other.len()];
        let mut round = after;
        while places.iter().any(|(low, high)| low < high) {
            let asked = places.iter().zip(other).map(|(&(low, high), &suite)| async move {
                let middle = low + (high - low) / 2;
                match low < high {
                    true => Some((middle, self.prefers(version, one[middle], suite, round).await)),
                    false => None,
                }
            });
            let told = join_all(asked).await;
            for ((low, high), told) in places.iter_mut().zip(told) {
                let Some((middle, (earlier, came))) = told else { continue };
                round = round.max(came);
                if earlier {
                    *low = middle + 1;
                } else {
                    *high = middle;
                }
            }
        }
        let mut merged = Vec::with_capacity(one.len() + other.len());
        let mut rest = other.iter().zip(&places).peekable();
        for at in 0..=one.len() {
            while let Some((&suite, _)) = rest.next_if(|(_, (place, _))| *place <= at) {
                merged.push(suite);
            }
            merged.extend(one.get(at));
        }
        (merged, round)
    }
}

fn is_chacha(suite: u16) -> bool {
    matches!(suite, 0x1303 | 0xcca8..=0xccae)
}

/// By how many answers a list is contradicted: every answer says that the chosen suite comes before all others offered.
fn contradictions(list: &[u16], hits: &[Hit]) -> usize {
    let place = |suite: &u16| list.iter().position(|other| other == suite);
    hits.iter()
        .map(|hit| {
            let chosen = place(&hit.chosen);
            hit.offered.iter().filter(|other| place(other).is_some_and(|at| Some(at) < chosen)).count()
        })
        .sum()
}

/// The known order that the answers contradict least, corrected by what they prove.
fn guess(suites: &[u16], hits: &[Hit]) -> Vec<u16> {
    let lists = GUESSES.map(|known| {
        let mut list: Vec<u16> = known.iter().copied().filter(|suite| suites.contains(suite)).collect();
        list.extend(suites.iter().filter(|suite| !known.contains(suite)));
        list
    });
    let mut left = lists.into_iter().min_by_key(|list| contradictions(list, hits)).unwrap_or_default();
    let mut sorted = Vec::with_capacity(left.len());
    while !left.is_empty() {
        // The first that no answer puts behind another that is left.
        let beaten = |suite: u16| {
            hits.iter()
                .any(|hit| hit.chosen != suite && hit.offered.contains(&suite) && left.contains(&hit.chosen))
        };
        let at = left.iter().position(|&suite| !beaten(suite)).unwrap_or(0);
        sorted.push(left.remove(at));
    }
    sorted
}

/// A list that nobody decides: the likeliest first.
fn by_likelihood(mut suites: Vec<u16>) -> Vec<u16> {
    let rank = |suite: &u16| GUESSES[0].iter().position(|known| known == suite).unwrap_or(usize::MAX);
    suites.sort_by_key(|suite| (rank(suite), *suite));
    suites
}
