//! The ClientHello that a server's profile and policy come to.

use std::net::IpAddr;

use super::policy::{
    Family, ListReading, Names, Policy, Setting, read_curves, read_signatures, read_suites, suite_of,
};
use super::profile::{CurveModel, Known, Profile};
use crate::codec::tls::{Extension, Hello, SSL3, TLS10, TLS11, TLS12, TLS13, version_name};
use crate::evidence::Offer;

/// Which program of the server says hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The service's synchronization: .NET, with the protocols that the service itself sets.
    Synchronization,
    /// The import of updates by hand: .NET in IIS' worker process, which begins with TLS 1.0 where nothing tells it otherwise.
    Import,
    /// The download of content: WinHTTP under BITS, which asks for a stapled OCSP answer.
    Content,
}

/// What is assumed of Windows Server 2012 and 2012 R2 where nothing says otherwise.
pub const UPDATED: &str = "the update by which synchronization speaks TLS 1.2 is there (KB4022721, KB4022720 or a later Monthly Rollup)";

impl Caller {
    /// Every one.
    pub const ALL: [Caller; 3] = [Caller::Synchronization, Caller::Import, Caller::Content];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Caller::Synchronization => "synchronization",
            Caller::Import => "import",
            Caller::Content => "content",
        }
    }
}

/// A server's TLS client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its Windows.
    pub profile: &'static Profile,
    /// How it departs from its Windows' default.
    pub policy: Policy,
    /// Whether TLS 1.2 is taken for granted, whatever the settings and the program say.
    pub tls12: bool,
}

/// Something of this server that made its hello differ from its Windows' default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// A few words: `TLS 1.2 off in the registry`.
    pub says: String,
    /// The facts that state it; empty where it rests on a fact that is missing.
    pub facts: Vec<String>,
}

/// Why there is no hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyNone {
    /// No version from TLS 1.0 on is left: Windows closes the connection itself.
    NoVersion {
        /// The versions that the program would take, the lowest first.
        wanted: Vec<u16>,
    },
    /// No suite is left at these versions.
    NoSuite {
        /// The versions that are on, the lowest first.
        versions: Vec<u16>,
    },
}

/// A hello, what it offers, and what that rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientHello {
    /// The hello; none where the client does not come to send one.
    pub hello: Option<Hello>,
    /// What it offers, for the record. Without a hello its version is 0 and its lists are empty.
    pub offer: Offer,
    /// The versions that the client takes in answer, as on the wire, the lowest first.
    pub versions: Vec<u16>,
    /// Why there is no hello.
    pub why_none: Option<WhyNone>,
    /// What was assumed of this caller and these settings. What is inferred of the profile itself stands there.
    pub inferred: Vec<String>,
    /// What made it differ; [`Offer::settings`] holds the same words.
    pub departures: Vec<Departure>,
    /// The smallest prime of a finite-field Diffie-Hellman exchange that the client takes, in bits.
    pub min_dh_bits: u32,
    /// What became of the list of suites that was used, where there is one.
    pub order: Option<ListReading>,
    /// What became of the list of curves that was used, where there is one.
    pub curves: Option<ListReading>,
}

/// What a program wants of SCHANNEL.
struct Wish {
    /// The versions, the lowest first.
    versions: Vec<u16>,
    /// Whether it asks for them by name, which `DisabledByDefault` does not stand against.
    by_name: bool,
    /// Whether it sets `SCH_USE_STRONG_CRYPTO`.
    strong: bool,
}

/// What is said beside a hello while it is built.
#[derive(Default)]
struct Notes {
    inferred: Vec<String>,
    departures: Vec<Departure>,
}

impl Notes {
    fn assume(&mut self, text: &str) {
        if !self.inferred.iter().any(|known| known == text) {
            self.inferred.push(text.to_string());
        }
    }

    fn depart(&mut self, says: impl Into<String>, facts: &[String]) {
        self.departures.push(Departure { says: says.into(), facts: facts.to_vec() });
    }
}

/// Whether a protocol is there for a program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    On,
    OnRequest,
    Off,
}

const EVERY: [u16; 5] = [SSL3, TLS10, TLS11, TLS12, TLS13];

/// `DefaultSecureProtocols`' bits, from winhttp.h.
const WINHTTP_BITS: [(u32, u16); 5] =
    [(0x20, SSL3), (0x80, TLS10), (0x200, TLS11), (0x800, TLS12), (0x2000, TLS13)];

impl Client {
    /// The client of a Windows with this policy.
    pub fn new(profile: &'static Profile, policy: Policy) -> Client {
        Client { profile, policy, tls12: false }
    }

    /// The same Windows without any setting.
    pub fn without_policy(&self) -> Client {
        Client { policy: Policy::default(), ..self.clone() }
    }

    /// The same with the suites that its Windows has by default, neither listed nor switched off; versions and curves stay
    /// as set.
    pub fn with_every_default(&self) -> Client {
        let mut client = self.clone();
        client.policy.order = None;
        client.policy.effective = None;
        client.policy.local_order = None;
        client.policy.switches.clear();
        client
    }

    /// The same with TLS 1.2 on, whatever the registry, .NET and a missing update make of it: what its suites and groups
    /// would come to.
    pub fn with_tls12(&self) -> Client {
        Client { tls12: true, ..self.clone() }
    }

    /// The hello that a program of this server sends to a host of this name. An address as name is not sent.
    pub fn hello(&self, caller: Caller, server_name: Option<String>) -> ClientHello {
        let mut notes = Notes::default();
        let mut wish = self.wish(caller, &mut notes);
        if self.tls12 {
            // What held TLS 1.2 back is out of the question.
            notes = Notes::default();
            wish.strong = true;
        }
        let mut versions: Vec<u16> = Vec::new();
        for &version in EVERY.iter().filter(|version| self.profile.supports(**version)) {
            if self.tls12 && version == TLS12 || self.there(version, &wish, &mut notes) {
                versions.push(version);
            }
        }
        self.build(caller, versions, &wish, server_name, notes)
    }

    /// The hello that a program of this server would send if the highest version were this one, whatever its settings say
    /// of versions. At TLS 1.3, TLS 1.2 is offered beside it. No hello where this Windows has no such version.
    pub fn hello_at(&self, caller: Caller, version: u16, server_name: Option<String>) -> ClientHello {
        let mut notes = Notes::default();
        let mut unused = Notes::default();
        let wish = self.wish(caller, &mut unused);
        let wanted: &[u16] = if version == TLS13 { &[TLS12, TLS13] } else { &[version] };
        let has = self.profile.supports(version);
        let versions = if has { wanted.to_vec() } else { Vec::new() };
        if version == TLS13 && has {
            notes.assume("the order of extensions at TLS 1.3 is that of one capture of Windows 11");
        }
        let wish = Wish { versions: wanted.to_vec(), by_name: true, strong: wish.strong };
        self.build(caller, versions, &wish, server_name, notes)
    }

    /// Whether a version that this Windows has is there for a program, by its wish and the registry.
    fn there(&self, version: u16, wish: &Wish, notes: &mut Notes) -> bool {
        if !wish.versions.contains(&version) {
            return false;
        }
        let gives = |state: State| state == State::On || state == State::OnRequest && wish.by_name;
        let default = if self.profile.protocols.contains(&version) { State::On } else { State::OnRequest };
        let Some(protocol) = self.policy.protocols.get(&version) else { return gives(default) };
        let enabled = protocol.enabled.as_ref().map(|setting| setting.value);
        let reserved = protocol.disabled_by_default.as_ref().map(|setting| setting.value);
        let state = match (enabled, reserved) {
            (Some(false), _) => State::Off,
            (_, Some(true)) => State::OnRequest,
            (Some(true), _) | (_, Some(false)) => State::On,
            (None, None) => default,
        };
        if state == State::OnRequest && enabled == Some(true) {
            notes.assume(
                "a protocol with both Enabled and DisabledByDefault is there for programs that name it",
            );
        }
        if gives(state) != gives(default) && version >= TLS10 {
            let how = match state {
                State::On => "on",
                State::OnRequest => "off by default",
                State::Off => "off",
            };
            let facts: Vec<String> = [&protocol.enabled, &protocol.disabled_by_default]
                .into_iter()
                .flatten()
                .flat_map(|setting| setting.facts.clone())
                .collect();
            notes.depart(format!("{} {how} in the registry", version_name(version)), &facts);
        }
        gives(state)
    }

    fn wish(&self, caller: Caller, notes: &mut Notes) -> Wish {
        match caller {
            Caller::Synchronization => self.synchronization(notes),
            Caller::Import => self.import(notes),
            Caller::Content => self.content(notes),
        }
    }

    fn synchronization(&self, notes: &mut Notes) -> Wish {
        let old = Wish { versions: vec![TLS10], by_name: true, strong: true };
        // WSUS 3.0 SP2 never learned TLS 1.2. WSUS of Server 2012 and 2012 R2 did by an update; later ones came with it.
        if self.profile.id == "ws2008r2" {
            notes.assume("WSUS 3.0 SP2 speaks TLS 1.0 alone");
            return old;
        }
        let missing = self.policy.sync_fix_missing.as_ref().filter(|setting| setting.value);
        if let Some(missing) = missing.filter(|_| matches!(self.profile.id, "ws2012" | "ws2012r2")) {
            notes.depart("without the update by which synchronization speaks TLS 1.2", &missing.facts);
            notes.assume("without that update synchronization speaks TLS 1.0 whatever .NET's settings say");
            return old;
        }
        if matches!(self.profile.id, "ws2012" | "ws2012r2") && self.policy.sync_fix_missing.is_none() {
            notes.assume(UPDATED);
        }
        if self.profile.supports(TLS13) {
            notes.assume("synchronization does not offer TLS 1.3");
        }
        let reserved = |version: &u16| {
            let protocol = self.policy.protocols.get(version);
            protocol.and_then(|p| p.disabled_by_default.as_ref()).is_some_and(|setting| setting.value)
        };
        if [TLS10, TLS11, TLS12].iter().any(reserved) {
            notes.assume("synchronization leaves out what is off by default");
        }
        Wish { versions: vec![SSL3, TLS10, TLS11, TLS12], by_name: false, strong: true }
    }

    fn import(&self, notes: &mut Notes) -> Wish {
        // WSUS 3.0 SP2 runs on .NET 2.0, where SchUseStrongCrypto changes nothing for a program that names no version.
        let two = self.profile.id == "ws2008r2";
        let values = if two { &self.policy.dotnet2 } else { &self.policy.dotnet4 };
        let on = |setting: &Option<Setting<bool>>| {
            setting.as_ref().filter(|setting| setting.value).map(|setting| setting.facts.clone())
        };
        let strong = on(&values.strong_crypto).filter(|_| !two);
        let wish = if let Some(facts) = on(&values.system_default) {
            notes.depart(".NET with SystemDefaultTlsVersions", &facts);
            if self.profile.supports(TLS13) {
                notes.assume(".NET Framework does not offer TLS 1.3");
            }
            Wish { versions: vec![SSL3, TLS10, TLS11, TLS12], by_name: false, strong: strong.is_some() }
        } else if let Some(facts) = &strong {
            notes.depart(".NET with SchUseStrongCrypto", facts);
            Wish { versions: vec![TLS10, TLS11, TLS12], by_name: true, strong: true }
        } else {
            let stated = values.strong_crypto.iter().chain(&values.system_default);
            let facts: Vec<String> = stated.flat_map(|setting| setting.facts.clone()).collect();
            if facts.is_empty() {
                notes.assume("nothing is set of .NET: no SchUseStrongCrypto, no SystemDefaultTlsVersions");
            } else {
                notes.depart(".NET without SchUseStrongCrypto", &facts);
            }
            Wish { versions: vec![SSL3, TLS10], by_name: true, strong: false }
        };
        notes.assume("the import runs as a program for .NET 4.5.2 or older, in 64 bits");
        wish
    }

    fn content(&self, notes: &mut Notes) -> Wish {
        let mask = match &self.policy.winhttp {
            Some(setting) => {
                if setting.value != self.profile.winhttp {
                    notes.depart(format!("DefaultSecureProtocols {:#x}", setting.value), &setting.facts);
                }
                setting.value
            }
            None => {
                notes.assume("WinHTTP's default versions are those that Microsoft gives for the release");
                self.profile.winhttp
            }
        };
        notes.assume("the download of content follows WinHTTP's default versions, with strong cryptography");
        let versions = WINHTTP_BITS.iter().filter(|(bit, _)| mask & bit != 0).map(|(_, version)| *version);
        Wish { versions: versions.collect(), by_name: false, strong: true }
    }

    fn build(
        &self,
        caller: Caller,
        mut versions: Vec<u16>,
        wish: &Wish,
        server_name: Option<String>,
        mut notes: Notes,
    ) -> ClientHello {
        // A hello of SSL 3.0 alone has nothing in common with any service that is left.
        if versions == [SSL3] {
            notes.assume("a client with SSL 3.0 alone sends nothing of use");
        }
        versions.retain(|version| *version >= TLS10);
        let min_dh_bits = match &self.policy.dh_bits {
            Some(setting) => {
                if setting.value != self.profile.dh_bits {
                    notes.depart(format!("Diffie-Hellman from {} bits on", setting.value), &setting.facts);
                }
                setting.value
            }
            None => self.profile.dh_bits,
        };
        let on_before = versions.clone();
        let (mut suites, order) = self.suites(&versions, wish.strong, &mut notes);
        let (groups, curves) = self.groups(&suites, &mut notes);
        if groups.is_empty() && suites.iter().any(|suite| is_ecdhe(suite) || suite.at(TLS13)) {
            notes.assume("without a curve no suite that needs one is offered");
            suites.retain(|suite| !is_ecdhe(suite) && !suite.at(TLS13));
        }
        // A version for which no suite is left cannot be agreed on.
        versions.retain(|version| suites.iter().any(|suite| suite.at(*version)));
        let highest = versions.last().copied().unwrap_or_default();
        let mut codes: Vec<u16> = Vec::new();
        for suite in suites.iter().filter(|suite| versions.iter().any(|version| suite.at(*version))) {
            if !codes.contains(&suite.code) {
                codes.push(suite.code);
            }
        }
        let why_none = match (on_before.is_empty(), codes.is_empty()) {
            (true, _) => Some(WhyNone::NoVersion { wanted: wish.versions.clone() }),
            (_, true) => Some(WhyNone::NoSuite { versions: on_before }),
            _ => None,
        };
        let curved = suites.iter().any(|suite| is_ecdhe(suite)) || highest >= TLS13;
        let groups = if curved && why_none.is_none() { groups } else { Vec::new() };
        let signatures = if highest >= TLS12 { self.signatures(&mut notes) } else { Vec::new() };
        let offer = Offer {
            client: self.profile.id.into(),
            settings: notes.departures.iter().map(|departure| departure.says.clone()).collect(),
            caller: caller.word().into(),
            version: highest,
            versions: versions.clone(),
            suites: codes.clone(),
            groups: groups.clone(),
            signatures: signatures.clone(),
        };
        let hello = why_none.is_none().then(|| {
            let extensions = self.extensions(caller, &versions, server_name, groups, signatures);
            Hello {
                record: if highest >= TLS13 { TLS10 } else { highest },
                version: highest.min(TLS12),
                session_id: highest >= TLS13,
                suites: codes,
                extensions,
            }
        });
        ClientHello {
            hello,
            offer,
            versions,
            why_none,
            inferred: notes.inferred,
            departures: notes.departures,
            min_dh_bits,
            order,
            curves,
        }
    }

    /// The suites for these versions, in order. A suite may be there several times with different curves.
    fn suites(
        &self,
        versions: &[u16],
        strong: bool,
        notes: &mut Notes,
    ) -> (Vec<&'static Known>, Option<ListReading>) {
        let policy = &self.policy;
        let fits = |suite: &&'static Known| {
            !suite.explicit_only
                && (suite.strong || !strong)
                && versions.iter().any(|version| suite.at(*version))
        };
        let stock: Vec<&'static Known> = self.profile.defaults.iter().filter(fits).collect();
        let listed = if let Some(setting) = &policy.effective {
            let used = |setting: &Setting<Names>| read_suites(self.profile, &setting.value).used;
            let behind =
                |list: &Option<Setting<Names>>| list.as_ref().is_some_and(|list| used(list) == used(setting));
            // What is in effect comes from the list that it agrees with, and else from one that nobody handed over.
            let (says, behind) = match (&policy.order, &policy.local_order) {
                (order, _) if behind(order) => ("Group Policy cipher order", order.as_ref()),
                (None, local) if behind(local) => ("local cipher order", local.as_ref()),
                _ => ("the suites in effect, by Get-TlsCipherSuite", None),
            };
            let behind = behind.into_iter().flat_map(|setting| setting.facts.iter());
            Some((says, setting, behind.chain(&setting.facts).cloned().collect::<Vec<_>>()))
        } else if let Some(setting) = &policy.order {
            Some(("Group Policy cipher order", setting, setting.facts.clone()))
        } else {
            policy.local_order.as_ref().map(|setting| ("local cipher order", setting, setting.facts.clone()))
        };
        let mut order = None;
        let mut suites = match listed {
            None => stock,
            Some((says, setting, facts)) => {
                let reading = read_suites(self.profile, &setting.value);
                let known = reading.used.iter().filter_map(|(name, _)| suite_of(self.profile, name));
                let named: Vec<&'static Known> = known.filter(fits).collect();
                for note in reading.assumed() {
                    notes.assume(&note);
                }
                if named != stock {
                    notes.depart(says, &facts);
                }
                order = Some(reading);
                named
            }
        };
        for switch in policy.switches.iter().filter(|switch| !switch.enabled.value) {
            let before = suites.len();
            suites.retain(|suite| !switched(switch.family, &switch.name, suite.name));
            if suites.len() != before {
                notes.depart(format!("{} off in the registry", switch.name), &switch.enabled.facts);
                notes.assume("a switch of a cipher, hash or key exchange takes every suite with it");
            }
        }
        if let Some(fips) = policy.fips.as_ref().filter(|setting| setting.value) {
            notes.depart("FIPS mode", &fips.facts);
            notes.assume("FIPS mode leaves AES and Triple DES with SHA, and the curves of NIST");
            suites.retain(|suite| {
                !["RC4", "_DES_CBC", "NULL", "CHACHA20", "MD5"].iter().any(|part| suite.name.contains(part))
            });
        }
        (suites, order)
    }

    /// The named groups, in order.
    fn groups(&self, suites: &[&'static Known], notes: &mut Notes) -> (Vec<u16>, Option<ListReading>) {
        let policy = &self.policy;
        let mut groups: Vec<u16> = Vec::new();
        let mut read = None;
        match self.profile.curve_model {
            CurveModel::Suffix => {
                for group in suites.iter().filter_map(|suite| suite.suffix()) {
                    if !groups.contains(&group) {
                        groups.push(group);
                    }
                }
            }
            CurveModel::Order => {
                let listed = match (&policy.curves, &policy.local_curves) {
                    (Some(setting), _) => Some(("Group Policy curve order", setting)),
                    (None, Some(setting)) => Some(("local curve order", setting)),
                    (None, None) => None,
                };
                groups = self.profile.groups.to_vec();
                if let Some((says, setting)) = listed {
                    let (named, reading) = once(&setting.value, read_curves);
                    for note in reading.assumed() {
                        notes.assume(&note);
                    }
                    if named != groups {
                        notes.depart(says, &setting.facts);
                    }
                    groups = named;
                    read = Some(reading);
                }
            }
        }
        if policy.fips.as_ref().is_some_and(|setting| setting.value) {
            groups.retain(|group| (23..=25).contains(group));
        }
        (groups, read)
    }

    /// The signature algorithms, in order.
    fn signatures(&self, notes: &mut Notes) -> Vec<u16> {
        let mut signatures = self.profile.signatures.to_vec();
        if let Some(setting) = &self.policy.local_signatures {
            let (named, reading) = once(&setting.value, |names| read_signatures(self.profile, names));
            for note in reading.assumed() {
                notes.assume(&note);
            }
            if named != signatures {
                notes.depart("local signature algorithms", &setting.facts);
            }
            signatures = named;
        }
        for switch in self.policy.switches.iter().filter(|s| !s.enabled.value && s.family == Family::Hash) {
            let hash = match switch.name.to_ascii_uppercase().as_str() {
                "MD5" => 1,
                "SHA" => 2,
                "SHA256" => 4,
                "SHA384" => 5,
                "SHA512" => 6,
                _ => continue,
            };
            let before = signatures.len();
            signatures.retain(|code| match code >> 8 {
                8 => code & 0xff != hash,
                high => high != hash,
            });
            if signatures.len() != before {
                let says = format!("{} off in the registry", switch.name);
                if !notes.departures.iter().any(|departure| departure.says == says) {
                    notes.depart(says, &switch.enabled.facts);
                }
                notes.assume("a switch of a hash takes its signature algorithms with it");
            }
        }
        signatures
    }

    /// The extensions, in the order of captures.
    fn extensions(
        &self,
        caller: Caller,
        versions: &[u16],
        server_name: Option<String>,
        groups: Vec<u16>,
        signatures: Vec<u16>,
    ) -> Vec<Extension> {
        let highest = versions.last().copied().unwrap_or_default();
        let mut list = Vec::new();
        // An address is no name (RFC 6066 section 3), and hellos to addresses have none.
        let name = server_name.filter(|name| !name.is_empty() && name.parse::<IpAddr>().is_err());
        list.extend(name.map(Extension::ServerName));
        if caller == Caller::Content {
            list.push(Extension::StatusRequest);
        }
        let ticket = self.profile.session_ticket.then_some(Extension::SessionTicket);
        let signatures = (!signatures.is_empty()).then_some(Extension::Signatures(signatures));
        if highest < TLS13 {
            if !groups.is_empty() {
                list.extend([Extension::Groups(groups), Extension::PointFormats]);
            }
            list.extend(signatures);
            list.extend(ticket);
            list.extend([Extension::ExtendedMasterSecret, Extension::Renegotiation]);
            return list;
        }
        let shares = self.profile.key_shares.iter().filter(|group| groups.contains(group));
        let shares = shares.filter_map(|group| Some((*group, public_key(*group)?))).collect();
        list.push(Extension::Versions(versions.iter().rev().copied().collect()));
        list.extend(signatures);
        list.extend(ticket);
        list.push(Extension::Groups(groups));
        if self.profile.formats_at_13 {
            list.push(Extension::PointFormats);
        }
        list.extend([
            Extension::KeyShares(shares),
            Extension::PostHandshakeAuth,
            Extension::ExtendedMasterSecret,
            Extension::Renegotiation,
            Extension::PskModes,
        ]);
        list
    }
}

fn is_ecdhe(suite: &Known) -> bool {
    suite.name.starts_with("TLS_ECDHE_")
}

/// The code points of a list, each once.
fn once(names: &Names, read: impl Fn(&Names) -> ListReading) -> (Vec<u16>, ListReading) {
    let reading = read(names);
    let mut codes: Vec<u16> = Vec::new();
    for (_, code) in &reading.used {
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    (codes, reading)
}

/// Whether a switch of this name takes a suite away.
fn switched(family: Family, switch: &str, suite: &str) -> bool {
    let switch = switch.to_ascii_uppercase();
    let stem = super::profile::suffix(suite).map_or(suite, |(stem, _)| stem);
    let any = |parts: &[&str]| parts.iter().any(|part| stem.contains(part));
    match (family, switch.as_str()) {
        (Family::Cipher, "AES 128/128") => any(&["AES_128"]),
        (Family::Cipher, "AES 256/256") => any(&["AES_256"]),
        (Family::Cipher, "RC4 128/128") => any(&["RC4_128"]),
        (Family::Cipher, "RC4 56/128") => any(&["RC4_56"]),
        (Family::Cipher, "RC4 40/128") => any(&["RC4_40"]),
        (Family::Cipher, "DES 56/56") => any(&["WITH_DES_CBC"]),
        (Family::Cipher, "NULL") => any(&["WITH_NULL"]),
        (Family::Cipher, other) if other.starts_with("TRIPLE DES") => any(&["3DES"]),
        (Family::Hash, "MD5") => stem.ends_with("_MD5"),
        (Family::Hash, "SHA") => stem.ends_with("_SHA"),
        (Family::Hash, "SHA256") => stem.ends_with("_SHA256"),
        (Family::Hash, "SHA384") => stem.ends_with("_SHA384"),
        (Family::Exchange, "PKCS") => stem.starts_with("TLS_RSA_"),
        (Family::Exchange, "DIFFIE-HELLMAN") => stem.starts_with("TLS_DHE_"),
        (Family::Exchange, "ECDH") => stem.starts_with("TLS_ECDHE_"),
        _ => false,
    }
}

/// A valid public key of a group. No exchange is ever completed with it: it is the group's base point (RFC 7748 section
/// 4.1, SEC 2 sections 2.4.2 and 2.5.1), uncompressed.
fn public_key(group: u16) -> Option<Vec<u8>> {
    const P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    const P384: &str = "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
    let bytes = |hex: &str| {
        let digits = hex.as_bytes().chunks_exact(2);
        digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
    };
    match group {
        29 => {
            let mut key = vec![0; 32];
            key[0] = 9;
            Some(key)
        }
        23 => bytes(P256),
        24 => bytes(P384),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::policy::Value;
    use super::super::profile::{PROFILES, profile};
    use super::*;

    const SCHANNEL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL";
    const GROUP_POLICY: &str = r"HKLM\SOFTWARE\Policies\Microsoft\Cryptography\Configuration\SSL\00010002";
    const DOTNET: &str = r"HKLM\SOFTWARE\Microsoft\.NETFramework\v4.0.30319";
    const WINHTTP: &str = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp";

    fn client(id: &str, values: &[(&str, &str, Value)]) -> Client {
        let policy =
            Policy::from_registry(values.iter().map(|(key, name, value)| (*key, *name, *value, "f1")));
        assert!(policy.unread.is_empty(), "{:?}", policy.unread);
        Client::new(profile(id).unwrap(), policy)
    }

    fn protocol(name: &str) -> String {
        format!(r"{SCHANNEL}\Protocols\{name}\Client")
    }

    fn synchronizes(client: &Client) -> ClientHello {
        client.hello(Caller::Synchronization, Some("sws.update.microsoft.com".into()))
    }

    #[test]
    fn a_default_departs_from_nothing() {
        for profile in PROFILES {
            let hello = synchronizes(&Client::new(profile, Policy::default()));
            assert!(hello.offer.settings.is_empty() && hello.departures.is_empty());
            assert_eq!(hello.offer.client, profile.id);
            if profile.id != "ws2008r2" {
                assert_eq!(hello.offer.suites, profile.suites);
                assert_eq!(hello.offer.groups, profile.groups);
                assert_eq!(hello.offer.signatures, profile.signatures);
            }
        }
    }

    #[test]
    fn a_version_that_is_off_lowers_the_hello() {
        let off = protocol("TLS 1.2");
        let client = client("ws2016", &[(&off, "Enabled", Value::Number(0))]);
        let hello = synchronizes(&client);
        assert_eq!((hello.offer.version, hello.versions.as_slice()), (TLS11, &[TLS10, TLS11][..]));
        assert_eq!(hello.offer.settings, ["TLS 1.2 off in the registry"]);
        assert_eq!(hello.departures[0].facts, ["f1"]);
        assert!(hello.offer.signatures.is_empty() && !hello.offer.suites.contains(&0xc030));
        assert_eq!(hello.hello.unwrap().record, TLS11);
        assert_eq!(synchronizes(&client.without_policy()).offer.version, TLS12);
        let with = synchronizes(&client.with_tls12());
        assert_eq!((with.offer.version, with.offer.settings.len()), (TLS12, 0));
    }

    #[test]
    fn no_version_and_no_hello() {
        let keys = ["TLS 1.0", "TLS 1.1", "TLS 1.2"].map(protocol);
        let values: Vec<_> = keys.iter().map(|key| (key.as_str(), "Enabled", Value::Number(0))).collect();
        let hello = synchronizes(&client("ws2022", &values));
        assert!(hello.hello.is_none() && hello.offer.suites.is_empty() && hello.offer.version == 0);
        assert!(matches!(hello.why_none, Some(WhyNone::NoVersion { .. })));
        assert_eq!(hello.offer.settings.len(), 3);
    }

    #[test]
    fn off_by_default_is_there_for_a_program_that_names_it() {
        let key = protocol("TLS 1.2");
        let reserved = (key.as_str(), "DisabledByDefault", Value::Number(1));
        let strong = (DOTNET, "SchUseStrongCrypto", Value::Number(1));
        let client = client("ws2016", &[reserved, (&key, "Enabled", Value::Number(u64::MAX)), strong]);
        assert_eq!(synchronizes(&client).offer.version, TLS11);
        assert!(!synchronizes(&client).inferred.is_empty());
        let import = client.hello(Caller::Import, None);
        assert_eq!(import.offer.version, TLS12);
        assert_eq!(import.offer.settings, [".NET with SchUseStrongCrypto"]);
    }

    #[test]
    fn what_is_off_and_not_wanted_departs_from_nothing() {
        let keys = ["SSL 2.0", "SSL 3.0", "TLS 1.3"].map(protocol);
        let values: Vec<_> = keys.iter().map(|key| (key.as_str(), "Enabled", Value::Number(0))).collect();
        assert!(synchronizes(&client("ws2022", &values)).offer.settings.is_empty());
        // TLS 1.3 is wanted by WinHTTP.
        let content = client("ws2022", &values).hello(Caller::Content, None);
        assert_eq!((content.offer.version, content.offer.settings.len()), (TLS12, 1));
    }

    #[test]
    fn the_import_begins_with_tls_10_until_dotnet_is_told() {
        let import = |values: &[(&str, &str, Value)]| client("ws2012r2", values).hello(Caller::Import, None);
        let plain = import(&[]);
        assert_eq!((plain.offer.version, plain.offer.suites.contains(&0x0005)), (TLS10, true));
        assert!(plain.offer.settings.is_empty());
        let strong = import(&[(DOTNET, "SchUseStrongCrypto", Value::Number(1))]);
        assert_eq!((strong.offer.version, strong.offer.suites.contains(&0x0005)), (TLS12, false));
        let system = import(&[(DOTNET, "SystemDefaultTlsVersions", Value::Number(1))]);
        assert_eq!((system.offer.version, system.offer.suites.contains(&0x0005)), (TLS12, true));
        let narrow = DOTNET.replace(r"SOFTWARE\", r"SOFTWARE\Wow6432Node\");
        let other = import(&[(&narrow, "SchUseStrongCrypto", Value::Number(1))]);
        assert_eq!(other.offer.version, TLS10);
    }

    #[test]
    fn the_missing_update_counts_where_there_is_such_an_update() {
        for (id, version) in [("ws2012", TLS10), ("ws2012r2", TLS10), ("ws2016", TLS12)] {
            let mut client = client(id, &[]);
            client.policy.set_sync_fix_missing(true, "f9");
            let hello = synchronizes(&client);
            assert_eq!(hello.offer.version, version, "{id}");
            assert_eq!(hello.departures.iter().any(|d| d.facts == ["f9"]), version == TLS10);
        }
    }

    #[test]
    fn winhttp_follows_its_value() {
        let content = |id, value| {
            client(id, &[(WINHTTP, "DefaultSecureProtocols", Value::Number(value))])
                .hello(Caller::Content, None)
        };
        let hello = content("ws2012", 0x800);
        assert_eq!((hello.offer.version, hello.versions.as_slice()), (TLS12, &[TLS12][..]));
        assert_eq!(hello.offer.settings, ["DefaultSecureProtocols 0x800"]);
        // Windows 7's SCHANNEL has TLS 1.2 off until it is told.
        assert!(content("ws2008r2", 0x800).hello.is_none());
        let stock = client("ws2012", &[]).hello(Caller::Content, None);
        assert_eq!(stock.offer.version, TLS10);
        assert_eq!(stock.hello.unwrap().extensions[0], Extension::StatusRequest);
    }

    #[test]
    fn a_list_for_newer_servers_leaves_an_older_one_little() {
        let list = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,\
                    TLS_RSA_WITH_AES_128_GCM_SHA256";
        let values = [(GROUP_POLICY, "Functions", Value::Text(list))];
        let old = synchronizes(&client("ws2012r2", &values));
        assert_eq!(old.offer.suites, [0x009c]);
        // Without a suite that has a curve neither groups nor point formats are sent.
        assert!(old.offer.groups.is_empty());
        assert_eq!(old.offer.settings, ["Group Policy cipher order"]);
        assert!(!old.inferred.is_empty());
        let new = synchronizes(&client("ws2016", &values));
        assert_eq!(new.offer.suites, [0xc030, 0xc027, 0x009c]);
        assert!(new.inferred.is_empty() && new.order.unwrap().is_clean());
    }

    #[test]
    fn what_is_in_effect_outranks_what_is_set() {
        let mut client =
            client("ws2019", &[(GROUP_POLICY, "Functions", Value::Text("TLS_RSA_WITH_AES_128_GCM_SHA256"))]);
        client.policy.set_effective(Names::text("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), "f2");
        let hello = synchronizes(&client);
        assert_eq!(hello.offer.suites, [0xc030]);
        assert_eq!(
            (hello.departures[0].says.as_str(), hello.departures[0].facts.len()),
            ("the suites in effect, by Get-TlsCipherSuite", 1)
        );
    }

    #[test]
    fn a_stock_list_departs_from_nothing() {
        for profile in PROFILES {
            let names: Vec<String> = profile.defaults.iter().map(|suite| suite.name.to_string()).collect();
            let mut client = Client::new(profile, Policy::default());
            client.policy.set_effective(Names::list(&names), "f1");
            let hello = synchronizes(&client);
            assert!(hello.departures.is_empty(), "{} {:?}", profile.id, hello.departures);
            assert_eq!(hello.hello, synchronizes(&client.without_policy()).hello);
        }
    }

    #[test]
    fn a_list_without_suites_of_tls_13_takes_the_version_away() {
        let values = [(GROUP_POLICY, "Functions", Value::Text("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"))];
        let hello = client("ws2022", &values).hello(Caller::Content, None);
        assert_eq!((hello.offer.version, hello.offer.suites.as_slice()), (TLS12, &[0xc030][..]));
    }

    #[test]
    fn curves_and_switches_change_what_they_say() {
        let curves = ["NistP384".to_string(), "NistP521".to_string()];
        let hello = synchronizes(&client("ws2016", &[(GROUP_POLICY, "EccCurves", Value::List(&curves))]));
        assert_eq!(
            (hello.offer.groups.as_slice(), hello.offer.settings[0].as_str()),
            (&[24, 25][..], "Group Policy curve order")
        );

        let sha = format!(r"{SCHANNEL}\Hashes\SHA");
        let hello = synchronizes(&client("ws2016", &[(&sha, "Enabled", Value::Number(0))]));
        assert_eq!(hello.offer.settings, ["SHA off in the registry"]);
        assert!(!hello.offer.suites.contains(&0xc014) && !hello.offer.signatures.contains(&0x0201));
        assert!(hello.offer.suites.contains(&0xc027));

        let ecdh = format!(r"{SCHANNEL}\KeyExchangeAlgorithms\ECDH");
        let hello = synchronizes(&client("ws2016", &[(&ecdh, "Enabled", Value::Number(0))]));
        assert!(hello.offer.groups.is_empty() && hello.offer.suites.contains(&0x009f));

        let fips = r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy";
        let hello = synchronizes(&client("ws2019", &[(fips, "Enabled", Value::Number(1))]));
        assert_eq!(hello.offer.groups, [23, 24]);
        assert_eq!(hello.offer.suites, profile("ws2019").unwrap().suites);
    }

    #[test]
    fn an_address_is_no_name() {
        let client = client("ws2019", &[]);
        for name in ["192.0.2.7", "2001:db8::7", ""] {
            let hello = client.hello(Caller::Synchronization, Some(name.into())).hello.unwrap();
            assert!(!matches!(hello.extensions[0], Extension::ServerName(_)), "{name}");
        }
    }

    #[test]
    fn base_points_are_points() {
        for (group, algorithm) in [
            (23, &ring::agreement::ECDH_P256),
            (24, &ring::agreement::ECDH_P384),
            (29, &ring::agreement::X25519),
        ] {
            let random = ring::rand::SystemRandom::new();
            let own = ring::agreement::EphemeralPrivateKey::generate(algorithm, &random).unwrap();
            let theirs = ring::agreement::UnparsedPublicKey::new(algorithm, public_key(group).unwrap());
            assert!(ring::agreement::agree_ephemeral(own, &theirs, |_| ()).is_ok(), "group {group}");
        }
    }

    fn any_key() -> impl Strategy<Value = String> {
        let protocols = prop_oneof![
            Just("SSL 2.0"),
            Just("SSL 3.0"),
            Just("TLS 1.0"),
            Just("TLS 1.1"),
            Just("TLS 1.2"),
            Just("TLS 1.3"),
            Just("?")
        ];
        let switches = prop_oneof![
            Just(r"Ciphers\AES 128/128"),
            Just(r"Ciphers\AES 256/256"),
            Just(r"Ciphers\Triple DES 168"),
            Just(r"Hashes\SHA"),
            Just(r"Hashes\SHA256"),
            Just(r"KeyExchangeAlgorithms\ECDH"),
            Just(r"KeyExchangeAlgorithms\PKCS"),
            Just(r"KeyExchangeAlgorithms\Diffie-Hellman"),
        ];
        let local = r"HKLM\SYSTEM\CurrentControlSet\Control\Cryptography\Configuration\Local\SSL\0001000";
        prop_oneof![
            protocols.prop_map(protocol),
            switches.prop_map(|name| format!(r"{SCHANNEL}\{name}")),
            Just(GROUP_POLICY.to_string()),
            Just(DOTNET.to_string()),
            Just(WINHTTP.to_string()),
            Just(format!("{local}2")),
            Just(format!("{local}3")),
            Just(r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy".to_string()),
            r"(HKLM\\)?[ -~ß\\]{0,40}",
        ]
    }

    fn any_name() -> impl Strategy<Value = &'static str> {
        prop_oneof![
            Just("Enabled"),
            Just("DisabledByDefault"),
            Just("ClientMinKeyBitLength"),
            Just("Functions"),
            Just("EccCurves"),
            Just("SchUseStrongCrypto"),
            Just("SystemDefaultTlsVersions"),
            Just("DefaultSecureProtocols"),
        ]
    }

    fn any_list() -> impl Strategy<Value = Vec<String>> {
        let suites: Vec<String> =
            PROFILES.iter().flat_map(|profile| profile.known()).map(|suite| suite.name.to_string()).collect();
        let suite = proptest::sample::select(suites);
        let other = prop_oneof![
            Just("NistP256".to_string()),
            Just("curve25519".to_string()),
            Just("RSA/SHA256".to_string()),
            Just("RSAE-PSS/SHA512".to_string()),
            "[ -~ß€]{0,12}",
        ];
        proptest::collection::vec(prop_oneof![suite, other], 0..12)
    }

    fn any_value() -> impl Strategy<Value = (String, &'static str, u8, u64, Vec<String>)> {
        let number = prop_oneof![Just(0), Just(1), Just(u64::from(u32::MAX)), Just(u64::MAX), any::<u64>()];
        (any_key(), any_name(), 0u8..3, number, any_list())
    }

    proptest! {
        #[test]
        fn no_policy_breaks_a_hello(
            values in proptest::collection::vec(any_value(), 0..8),
            gpo in proptest::option::of(any_list()),
            effective in proptest::option::of(any_list()),
            missing in any::<bool>(),
        ) {
            let texts: Vec<String> = values.iter().map(|value| value.4.join(",")).collect();
            let mut policy = Policy::from_registry(values.iter().zip(&texts).map(|(value, text)| {
                let shown = match value.2 {
                    0 => Value::Number(value.3),
                    1 => Value::Text(text),
                    _ => Value::List(&value.4),
                };
                (value.0.as_str(), value.1, shown, "f1")
            }));
            if let Some(list) = gpo {
                policy.set_order(Names::list(&list), "f2");
            }
            if let Some(list) = effective {
                policy.set_effective(Names::list(&list), "f3");
            }
            policy.set_sync_fix_missing(missing, "f4");
            for profile in PROFILES {
                let client = Client::new(profile, policy.clone());
                for caller in [Caller::Synchronization, Caller::Import, Caller::Content] {
                    for hello in [
                        client.hello(caller, Some("host".into())),
                        client.with_tls12().hello(caller, None),
                        client.hello_at(caller, TLS13, None),
                    ] {
                        prop_assert_eq!(hello.hello.is_none(), hello.why_none.is_some());
                        prop_assert_eq!(hello.hello.is_none(), hello.offer.suites.is_empty());
                        prop_assert_eq!(hello.versions.last().copied().unwrap_or_default(), hello.offer.version);
                        prop_assert!(hello.versions.iter().all(|version| profile.supports(*version)));
                        prop_assert_eq!(hello.offer.settings.len(), hello.departures.len());
                        if let Some(built) = &hello.hello {
                            prop_assert!(built.bytes(&[0; 32]).len() > 40);
                            prop_assert_eq!(built.groups(), hello.offer.groups.as_slice());
                            prop_assert_eq!(built.signatures(), hello.offer.signatures.as_slice());
                            prop_assert_eq!(built.highest(), hello.offer.version);
                        }
                    }
                }
            }
        }
    }
}
