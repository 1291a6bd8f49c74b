//! `wsusprobe tls` against four real servers, beside sslscan and nmap: nothing is missed, nothing is invented, and the
//! order is the server's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;
use wsusprobe_suite::installed;
use wsusprobe_suite::probe::{Probe, Ran, run};
use wsusprobe_suite::squid::{ALL, PROXY, Squid};
use wsusprobe_suite::targets::{Target, Targets};

use crate::{Case, Done, IPV6, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    const PEERS: &[&str] = &["nginx", "openssl", "sslscan", "nmap"];
    let list: &[Case] = &[
        ("enumeration: sslscan and nmap agree on the targets", PEERS, peers_agree),
        ("enumeration: a default nginx", PEERS, || direct(Target::A)),
        ("enumeration: everything that OpenSSL has", PEERS, || direct(Target::B)),
        ("enumeration: TLS 1.3 alone", PEERS, || direct(Target::C)),
        ("enumeration: Mozilla's list", PEERS, || direct(Target::D)),
        (
            "enumeration: through Squid as directly",
            &["nginx", "openssl", "sslscan", "nmap", "squid"],
            through_squid,
        ),
        ("enumeration: over IPv6 as over IPv4", &["nginx", "openssl", "sslscan", "nmap", IPV6], over_ipv6),
        ("enumeration: few rounds far away", &["nginx"], rounds),
        ("enumeration: few connections where it is polite", &["nginx"], polite),
        ("enumeration: few connections for groups and signatures", &["nginx"], groups_and_signatures),
    ];
    list.to_vec()
}

/// The suites of each version that has any, in the order in which they were told.
type Suites = BTreeMap<String, Vec<u16>>;

/// What somebody says of a server.
#[derive(Debug, PartialEq)]
struct Said {
    suites: Suites,
    /// By version: `server` or `client`, where that was told.
    orders: BTreeMap<String, String>,
}

impl Said {
    fn count(&self) -> usize {
        self.suites.values().map(Vec::len).sum()
    }

    /// The suites as sets: sorted.
    fn sets(&self) -> Suites {
        let mut sets = self.suites.clone();
        sets.values_mut().for_each(|list| list.sort_unstable());
        sets
    }
}

/// Whether two say the same of a target: the same suites, and in the same order where that is the server's.
fn same(target: Target, one: (&str, &Said), other: (&str, &Said)) -> Done {
    for (version, suites) in &one.1.sets() {
        let others = other.1.sets().remove(version).unwrap_or_default();
        let only = |of: &[u16], not: &[u16]| -> Vec<String> {
            of.iter().filter(|code| !not.contains(code)).map(|code| format!("{code:04x}")).collect()
        };
        let (here, there) = (only(suites, &others), only(&others, suites));
        if !here.is_empty() || !there.is_empty() {
            return Err(format!(
                "{target:?}, {version}: only {} has {here:?}, only {} has {there:?}",
                one.0, other.0
            )
            .into());
        }
    }
    let ordered = |said: &Said| if target.order() == "server" { said.suites.clone() } else { said.sets() };
    let (here, there) = (ordered(one.1), ordered(other.1));
    if here != there {
        return Err(
            format!("{target:?}: {} and {} differ:\n{here:04x?}\n{there:04x?}", one.0, other.0).into()
        );
    }
    Ok(())
}

/// What openssl calls its suites: code, IANA's name, its own.
fn names() -> Result<Vec<(u16, String, String)>, String> {
    let text = told("openssl", &["ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])?;
    let mut names = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [code, "-", name, "-", own, ..] = words[..] else { continue };
        let digits = code.replace("0x", "").replace(',', "");
        let code = u16::from_str_radix(&digits, 16).map_err(|error| format!("{line}: {error}"))?;
        names.push((code, name.to_owned(), own.to_owned()));
    }
    Ok(names)
}

fn told(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(installed(program).ok_or_else(|| format!("no {program}"))?);
    let ran = run(command.args(arguments), Duration::from_secs(60));
    if ran.code == Some(0) { Ok(ran.stdout) } else { Err(format!("{program} {arguments:?}: {}", ran.stderr)) }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> String {
    let found = element.try_get_attribute(name).ok().flatten();
    found.map(|a| a.value.into_owned()).unwrap_or_default()
}

/// `TLSv1.2` as we write it.
fn version(name: &str) -> String {
    match name {
        "TLSv1" => "TLS 1.0".to_owned(),
        name => name.replace("TLSv", "TLS "),
    }
}

fn sslscan(at: SocketAddr) -> Result<Said, String> {
    let mut arguments: Vec<String> = ["check-certificate", "compression", "fallback", "groups", "heartbleed"]
        .iter()
        .chain(&["renegotiation", "colour"])
        .map(|what| format!("--no-{what}"))
        .collect();
    arguments.extend(["--xml=-".to_owned(), at.to_string()]);
    let xml = told("sslscan", &arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
    let (mut reader, mut suites) = (Reader::from_str(&xml), Suites::new());
    loop {
        match reader.read_event().map_err(|error| format!("sslscan: {error}\n{xml}"))? {
            Event::Empty(element) | Event::Start(element) if element.name().as_ref() == "cipher" => {
                let id = attribute(&element, "id");
                let code = u16::from_str_radix(id.trim_start_matches("0x"), 16);
                let code = code.map_err(|error| format!("sslscan: {id}: {error}"))?;
                suites.entry(version(&attribute(&element, "sslversion"))).or_default().push(code);
            }
            Event::Eof => return Ok(Said { suites, orders: BTreeMap::new() }),
            _ => {}
        }
    }
}

fn nmap(at: SocketAddr, names: &[(u16, String, String)]) -> Result<Said, String> {
    let (host, port) = (at.ip().to_string(), at.port().to_string());
    let mut arguments =
        vec!["-Pn", "-n", "-sT", "-p", &port, "--script", "+ssl-enum-ciphers", "-oX", "-", &host];
    if at.is_ipv6() {
        arguments.push("-6");
    }
    let xml = told("nmap", &arguments)?;
    let (mut reader, mut said) =
        (Reader::from_str(&xml), Said { suites: Suites::new(), orders: BTreeMap::new() });
    // Tables in tables by key, and the key of the element that is read.
    let (mut tables, mut element) = (Vec::<String>::new(), String::new());
    loop {
        match reader.read_event().map_err(|error| format!("nmap: {error}\n{xml}"))? {
            Event::Start(start) if start.name().as_ref() == "table" => tables.push(attribute(&start, "key")),
            Event::End(end) if end.name().as_ref() == "table" => {
                tables.pop();
            }
            Event::Start(start) if start.name().as_ref() == "elem" => element = attribute(&start, "key"),
            Event::Text(text) => {
                let text = text.to_string();
                let keys: Vec<&str> = tables.iter().map(String::as_str).collect();
                match (&keys[..], element.as_str()) {
                    ([of, "ciphers", ""], "name") => {
                        // It has a name of its own for those of TLS 1.3.
                        let name = text.replace("TLS_AKE_WITH_", "TLS_");
                        let code = names.iter().find(|(_, known, _)| *known == name);
                        let (code, ..) = code.ok_or_else(|| format!("nmap: what is {text}?"))?;
                        said.suites.entry(version(of)).or_default().push(*code);
                    }
                    ([of], "cipher preference") => {
                        said.orders.insert(version(of), text);
                    }
                    _ => {}
                }
            }
            Event::End(end) if end.name().as_ref() == "elem" => element.clear(),
            Event::Eof => return Ok(said),
            _ => {}
        }
    }
}

/// What both peers say, who have to agree, and who have the number of suites that OpenSSL 3.0 gives.
fn truth(target: Target, at: SocketAddr, names: &[(u16, String, String)]) -> Result<(Said, Said), String> {
    let (sslscan, nmap) = (sslscan(at)?, nmap(at, names)?);
    same(target, ("sslscan", &sslscan), ("nmap", &nmap))
        .map_err(|failed| failed.message().unwrap_or("they differ").to_owned())?;
    let library = told("openssl", &["version"])?;
    if library.starts_with("OpenSSL 3.0.") && nmap.count() != target.suites() {
        return Err(format!("{target:?} has {} suites and not {}", nmap.count(), target.suites()));
    }
    if nmap.orders.values().any(|order| order != target.order()) {
        return Err(format!("{target:?} is not in the {}'s order: {:?}", target.order(), nmap.orders));
    }
    Ok((sslscan, nmap))
}

fn v4(targets: &Targets, target: Target) -> SocketAddr {
    ([127, 0, 0, 1], targets.port(target)).into()
}

fn peers_agree() -> Done {
    let (targets, names) = (Targets::start()?, names()?);
    for target in Target::ALL {
        truth(target, v4(&targets, target), &names)?;
    }
    Ok(())
}

/// A run of ours against that address.
fn ours(at: SocketAddr, arguments: &[&str]) -> Probe {
    Probe::new(PROGRAM, &["tls", &at.to_string()]).with(arguments).straight(at)
}

/// What the report says of its only target.
fn told_of(ran: &Ran) -> Result<Value, String> {
    let report = ran.report();
    match report["tls"].as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one.clone()),
        _ => Err(format!("no list of one target: {report:#}\n{}", ran.stderr)),
    }
}

fn number(of: &Value, key: &str) -> Result<usize, String> {
    let number = of[key].as_u64().and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| format!("no number of {key}: {of:#}"))
}

fn list<'a>(of: &'a Value, key: &str) -> Result<&'a [Value], String> {
    of[key].as_array().map(Vec::as_slice).ok_or_else(|| format!("no list of {key}: {of:#}"))
}

/// The suites of a target as we told them, which are called as openssl calls them, where it knows them.
fn said(told: &Value, names: &[(u16, String, String)]) -> Result<Said, String> {
    let mut said = Said { suites: Suites::new(), orders: BTreeMap::new() };
    for version in list(told, "versions")? {
        let name = version["version"].as_str().unwrap_or_default().to_owned();
        let mut codes = Vec::new();
        for suite in list(version, "suites")? {
            let code = suite["code"].as_str().and_then(|code| u16::from_str_radix(code, 16).ok());
            let code = code.ok_or_else(|| format!("no code: {suite:#}"))?;
            let called = names.iter().find(|(known, ..)| *known == code);
            if called.is_some_and(|(_, name, own)| suite["name"] != **name || suite["openssl"] != **own) {
                return Err(format!("openssl calls it otherwise: {suite:#}"));
            }
            codes.push(code);
        }
        if let Some(order) = version["order"].as_str() {
            said.orders.insert(name.clone(), order.to_owned());
        }
        if !codes.is_empty() {
            said.suites.insert(name, codes);
        }
    }
    Ok(said)
}

/// The ways to ask, of which the answers may not depend.
const WAYS: [&[&str]; 3] = [&["--plan", "near"], &["--plan", "far"], &["--polite"]];

/// Whether we say of a target, by that run, what the peers say of it.
fn agrees(target: Target, ran: &Ran, peers: &(Said, Said), names: &[(u16, String, String)]) -> Done {
    let ours = said(&told_of(ran)?, names)?;
    same(target, ("wsusprobe", &ours), ("sslscan", &peers.0))?;
    same(target, ("wsusprobe", &ours), ("nmap", &peers.1))?;
    for (version, suites) in &ours.suites {
        let order = ours.orders.get(version).map(String::as_str);
        // One suite has no order.
        if suites.len() > 1 && order != Some(target.order()) {
            return Err(format!("{target:?}, {version}: the order is {order:?}").into());
        }
    }
    Ok(())
}

fn direct(target: Target) -> Done {
    let (targets, names) = (Targets::start()?, names()?);
    let at = v4(&targets, target);
    let peers = truth(target, at, &names)?;
    for way in WAYS {
        agrees(target, &ours(at, way).with(&["--suites"]).run(), &peers, &names)
            .map_err(|failed| format!("{way:?}: {}", failed.message().unwrap_or_default()))?;
    }
    Ok(())
}

fn through_squid() -> Done {
    let (targets, names, squid) = (Targets::start()?, names()?, Squid::start(&[], ALL, &[])?);
    for target in [Target::A, Target::D] {
        let at = v4(&targets, target);
        let peers = truth(target, at, &names)?;
        for way in WAYS {
            let ran = Probe::new(PROGRAM, &["tls", &at.to_string(), "--suites"])
                .with(way)
                .with(&["--proxy", &format!("http://{PROXY}:3128")])
                .redirect(PROXY, 3128, squid.at)
                .run();
            agrees(target, &ran, &peers, &names)
                .map_err(|failed| format!("{way:?}: {}", failed.message().unwrap_or_default()))?;
        }
    }
    Ok(())
}

fn over_ipv6() -> Done {
    let (targets, names) = (Targets::start()?, names()?);
    for target in [Target::A, Target::D] {
        let at = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, targets.port(target)));
        let peers = truth(target, at, &names)?;
        agrees(target, &ours(at, &["--suites"]).run(), &peers, &names)?;
    }
    Ok(())
}

fn rounds() -> Done {
    let targets = Targets::start()?;
    for (target, most_rounds, most_connections) in
        [(Target::A, 8, 120), (Target::B, 10, usize::MAX), (Target::D, 6, usize::MAX)]
    {
        let told = told_of(&ours(v4(&targets, target), &["--suites", "--plan", "far"]).run())?;
        let (rounds, connections) = (number(&told, "rounds")?, number(&told, "connections")?);
        if told["plan"] != "far" || rounds > most_rounds || connections > most_connections {
            return Err(format!(
                "{target:?}: {rounds} rounds and {connections} connections, plan {}",
                told["plan"]
            )
            .into());
        }
    }
    Ok(())
}

/// One connection for each suite, one that ends each version, and two for its order.
fn polite() -> Done {
    let targets = Targets::start()?;
    for target in Target::ALL {
        let told = told_of(&ours(v4(&targets, target), &["--suites", "--polite"]).run())?;
        let mut most = 0;
        for version in list(&told, "versions")? {
            most += list(version, "suites")?.len() + 1 + 2;
        }
        let connections = number(&told, "connections")?;
        if told["plan"] != "polite" || connections > most {
            return Err(format!("{target:?}: {connections} connections, not {most}: {told:#}").into());
        }
    }
    Ok(())
}

/// What a whole run takes beyond the suites, but for one connection for each client that it plays.
fn groups_and_signatures() -> Done {
    let targets = Targets::start()?;
    for (target, plan) in Target::ALL.into_iter().flat_map(|target| [(target, "near"), (target, "far")]) {
        let ours = ours(v4(&targets, target), &["--plan", plan]);
        let all = told_of(&ours.run())?;
        let suites = told_of(&ours.with(&["--suites"]).run())?;
        let clients = all["clients"].as_array().map_or(0, Vec::len);
        let more = number(&all, "connections")?.saturating_sub(number(&suites, "connections")? + clients);
        if list(&all, "groups")?.is_empty() || more > 30 {
            return Err(
                format!("{target:?}, {plan}: {more} more connections, {clients} clients: {all:#}").into()
            );
        }
    }
    Ok(())
}
