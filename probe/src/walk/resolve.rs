//! Names become lanes: the proxy's name where a proxy is on the way, the target's otherwise.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::{join, join_all};
use hickory_proto::rr::RecordType;

use super::{Began, MOST_LANES, Walker};
use crate::evidence::{Layer, NameAnswer, Outcome, PathInfo};
use crate::settings::{Family, Resolver};
use crate::step::dial::Lane;
use crate::step::name;

impl Walker<'_> {
    pub(super) async fn resolve(&self, path: &PathInfo) -> Vec<Lane> {
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

    /// The lanes of a fetch: its observation is the chain's.
    pub(super) async fn lanes_unrecorded(&self, host: &str, port: u16) -> Result<Vec<Lane>, String> {
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
