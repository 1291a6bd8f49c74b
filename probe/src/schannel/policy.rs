//! How a server departs from its default: what its registry and its Group Policy say of SCHANNEL, .NET and WinHTTP.
//!
//! Plain data. Where a value lies is Microsoft's "TLS registry settings", "Manage Transport Layer Security", the
//! administrative template CipherSuiteOrder.admx and, for .NET, "Transport Layer Security best practices with .NET
//! Framework". What Microsoft does not say — lists too long, with spaces, or of unknown names — is marked where it is used.

use std::collections::{BTreeMap, HashSet};

use super::profile::{CurveModel, Known, PROFILES, Profile, suffix};
use crate::codec::tls::{SSL3, SUITES, TLS10, TLS11, TLS12, TLS13, version_name};

/// SSL 2.0, as on the wire. No hello of it is ever built.
pub const SSL2: u16 = 0x0002;

/// The length that a policy's list of suites may have, in characters ("Manage Transport Layer Security").
pub const LIST_LIMIT: usize = 1023;

/// The names that are kept of a list: far more than there are suites.
const NAMES: usize = 1000;

/// A value of the registry, as a file shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// REG_DWORD or REG_QWORD. 0xFFFFFFFF that was read as -1 may be either.
    Number(u64),
    /// REG_SZ or REG_EXPAND_SZ.
    Text(&'a str),
    /// REG_MULTI_SZ.
    List(&'a [String]),
}

/// A setting and the facts that state it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value that was stated last.
    pub value: T,
    /// The facts that state it, and those of the values before it, in order.
    pub facts: Vec<String>,
    /// Other values that were stated before, in order; not empty where the facts contradict each other.
    pub before: Vec<T>,
}

impl<T: PartialEq> Setting<T> {
    /// A setting that one fact states.
    pub fn new(value: T, fact: &str) -> Setting<T> {
        Setting { value, facts: vec![fact.to_string()], before: Vec::new() }
    }

    fn put(slot: &mut Option<Setting<T>>, value: T, fact: &str) {
        match slot {
            None => *slot = Some(Setting::new(value, fact)),
            Some(setting) => {
                if setting.value != value {
                    setting.before.push(std::mem::replace(&mut setting.value, value));
                }
                if !setting.facts.iter().any(|known| known == fact) {
                    setting.facts.push(fact.to_string());
                }
            }
        }
    }
}

/// The facts of a setting that was stated differently before.
fn disputed<T>(setting: Option<&Setting<T>>) -> Option<&[String]> {
    setting.filter(|setting| !setting.before.is_empty()).map(|setting| setting.facts.as_slice())
}

/// One protocol under `SCHANNEL\Protocols\NAME\Client`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocol {
    /// `Enabled`: 0 takes it from every program.
    pub enabled: Option<Setting<bool>>,
    /// `DisabledByDefault`: other than 0 leaves it to programs that ask for it.
    pub disabled_by_default: Option<Setting<bool>>,
}

/// The legacy switches that take whole families of suites away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `SCHANNEL\Ciphers`.
    Cipher,
    /// `SCHANNEL\Hashes`.
    Hash,
    /// `SCHANNEL\KeyExchangeAlgorithms`.
    Exchange,
}

/// A key under `Ciphers`, `Hashes` or `KeyExchangeAlgorithms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Where it lies.
    pub family: Family,
    /// Its name as written: `RC4 128/128`, `SHA`, `Diffie-Hellman`.
    pub name: String,
    /// `Enabled`, true for other than 0.
    pub enabled: Setting<bool>,
}

/// A list of names as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The names, each with the spaces around it; empty ones are kept. No more than a thousand.
    pub names: Vec<String>,
    /// The length of the whole, commas included, in characters.
    pub characters: usize,
}

impl Names {
    /// Names between commas.
    pub fn text(text: &str) -> Names {
        let names = text.split(',').take(NAMES).map(String::from);
        let names = if text.is_empty() { Vec::new() } else { names.collect() };
        Names { names, characters: text.chars().count() }
    }

    /// One name an entry; an entry that holds commas is several.
    pub fn list(list: &[String]) -> Names {
        Names::text(&list.join(","))
    }
}

/// .NET Framework's values for one version and bitness, from `SOFTWARE\[Wow6432Node\]Microsoft\.NETFramework\VERSION`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DotNet {
    /// `SchUseStrongCrypto`.
    pub strong_crypto: Option<Setting<bool>>,
    /// `SystemDefaultTlsVersions`.
    pub system_default: Option<Setting<bool>>,
}

/// A registry value under a key that is read here, which was not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// The key as given.
    pub key: String,
    /// The value's name as given.
    pub name: String,
    /// The fact.
    pub fact: String,
}

/// How a server departs from its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// The client protocols, by version as on the wire.
    pub protocols: BTreeMap<u16, Protocol>,
    /// The switches of families.
    pub switches: Vec<Switch>,
    /// `KeyExchangeAlgorithms\Diffie-Hellman`, `ClientMinKeyBitLength`, in bits.
    pub dh_bits: Option<Setting<u32>>,
    /// `Lsa\FipsAlgorithmPolicy`, `Enabled`.
    pub fips: Option<Setting<bool>>,
    /// Group Policy's SSL Cipher Suite Order.
    pub order: Option<Setting<Names>>,
    /// The list of suites outside of Group Policy (`Local\SSL\00010002`, `Functions`).
    pub local_order: Option<Setting<Names>>,
    /// What `Get-TlsCipherSuite` lists: what is in effect, whatever it comes from.
    pub effective: Option<Setting<Names>>,
    /// Group Policy's ECC Curve Order.
    pub curves: Option<Setting<Names>>,
    /// The list of curves outside of Group Policy (`Local\SSL\00010002`, `EccCurves`).
    pub local_curves: Option<Setting<Names>>,
    /// The list of signature algorithms (`Local\SSL\00010003`, `Functions`): `RSA/SHA256`.
    pub local_signatures: Option<Setting<Names>>,
    /// .NET Framework 4 (`v4.0.30319`) in 64 bits.
    pub dotnet4: DotNet,
    /// .NET Framework 4 in 32 bits.
    pub dotnet4_32: DotNet,
    /// .NET Framework 2 to 3.5 (`v2.0.50727`) in 64 bits.
    pub dotnet2: DotNet,
    /// .NET Framework 2 to 3.5 in 32 bits.
    pub dotnet2_32: DotNet,
    /// WinHTTP's `DefaultSecureProtocols` in 64 bits.
    pub winhttp: Option<Setting<u32>>,
    /// WinHTTP's `DefaultSecureProtocols` in 32 bits.
    pub winhttp_32: Option<Setting<u32>>,
    /// Whether the update by which synchronization speaks TLS 1.2 (KB4022720, KB4022721) is known to be missing.
    pub sync_fix_missing: Option<Setting<bool>>,
    /// Values under these keys that were not understood.
    pub unread: Vec<Unread>,
}

/// What became of a list of names on one server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListReading {
    /// The names that are used, in order, each once, with their code points. Suites with different suffixes are one code
    /// point under several names.
    pub used: Vec<(String, u16)>,
    /// Names that nobody knows.
    pub unknown: Vec<String>,
    /// Names of something that this Windows does not have.
    pub unsupported: Vec<String>,
    /// Those of `unsupported` that this Windows knows with a curve suffix alone.
    pub unsuffixed: Vec<String>,
    /// Names that came before.
    pub repeated: Vec<String>,
    /// The length in characters where it is over [`LIST_LIMIT`].
    pub too_long: Option<usize>,
    /// Whether there is a space in it.
    pub spaces: bool,
    /// Whether there is an empty name in it, as after a comma at the end.
    pub gaps: bool,
    /// Whether a name is used that is written in other letters than Windows'.
    pub recased: bool,
}

impl ListReading {
    /// Whether it is written as Microsoft asks, and every name is used.
    pub fn is_clean(&self) -> bool {
        let nothing = self.unknown.is_empty() && self.unsupported.is_empty() && self.repeated.is_empty();
        nothing && self.too_long.is_none() && !self.spaces && !self.gaps && !self.recased
    }

    /// What had to be assumed to read it, in words.
    pub fn assumed(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |holds: bool, text: &str| {
            if holds {
                notes.push(text.to_string());
            }
        };
        note(self.used.is_empty(), "a list that names nothing known leaves nothing");
        note(
            !self.unknown.is_empty() || !self.unsupported.is_empty(),
            "names that are not known are passed over",
        );
        note(
            !self.unsuffixed.is_empty(),
            "an ECDHE suite without a curve suffix is not known to this Windows",
        );
        note(self.too_long.is_some(), "a list over 1023 characters is read to its end");
        note(self.spaces, "spaces around a name do no harm");
        note(self.recased, "the case of a name does not count");
        notes
    }
}

/// Reads a list: `find` gives a name's code point and own spelling, or says that it is known elsewhere.
fn read(names: &Names, find: impl Fn(&str) -> Found) -> ListReading {
    let mut reading = ListReading::default();
    let mut seen = HashSet::new();
    reading.too_long = (names.characters > LIST_LIMIT).then_some(names.characters);
    for written in &names.names {
        let name = written.trim();
        reading.spaces |= written.contains(char::is_whitespace);
        if name.is_empty() {
            reading.gaps = true;
            continue;
        }
        if !seen.insert(name.to_ascii_uppercase()) {
            reading.repeated.push(name.to_string());
            continue;
        }
        match find(name) {
            Found::Here { name: own, code } => {
                reading.recased |= own != name;
                reading.used.push((own, code));
            }
            Found::Elsewhere => reading.unsupported.push(name.to_string()),
            Found::Unsuffixed => {
                reading.unsupported.push(name.to_string());
                reading.unsuffixed.push(name.to_string());
            }
            Found::Nowhere => reading.unknown.push(name.to_string()),
        }
    }
    reading
}

enum Found {
    Here { name: String, code: u16 },
    Elsewhere,
    Unsuffixed,
    Nowhere,
}

/// The suite that a name stands for on a server. A curve suffix on a server that has a list of curves is accepted.
pub(super) fn suite_of(profile: &Profile, name: &str) -> Option<&'static Known> {
    let exact = |name: &str| profile.known().find(|suite| suite.name.eq_ignore_ascii_case(name));
    exact(name).or_else(|| match (profile.curve_model, suffix(name)) {
        (CurveModel::Order, Some((stem, _))) => {
            exact(stem).filter(|suite| suite.name.starts_with("TLS_ECDHE_"))
        }
        _ => None,
    })
}

/// What became of a list of suites on a server.
pub fn read_suites(profile: &Profile, names: &Names) -> ListReading {
    read(names, |name| {
        if let Some(suite) = suite_of(profile, name) {
            let suffixed = suite.name.len() != name.len();
            let own = if suffixed { name.to_string() } else { suite.name.to_string() };
            return Found::Here { name: own, code: suite.code };
        }
        let stem = suffix(name).map_or(name, |(stem, _)| stem);
        let same = |suite: &Known| suffix(suite.name).is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
        if profile.known().any(same) {
            Found::Unsuffixed
        } else if SUITES.iter().any(|suite| suite.name.eq_ignore_ascii_case(stem))
            || PROFILES.iter().any(|other| suite_of(other, name).is_some())
        {
            Found::Elsewhere
        } else {
            Found::Nowhere
        }
    })
}

/// SCHANNEL's names of curves ("TLS Elliptic Curves in Windows 10 version 1607 and later") and, at the end, those of the
/// hybrids that no released server has ("TLS Supported Groups"), with IANA's code points.
static CURVES: &[(&str, u16)] = &[
    ("curve25519", 29),
    ("NistP256", 23),
    ("NistP384", 24),
    ("NistP521", 25),
    ("NistP192", 19),
    ("NistP224", 21),
    ("brainpoolP256r1", 26),
    ("brainpoolP384r1", 27),
    ("brainpoolP512r1", 28),
    ("secP160k1", 15),
    ("secP160r1", 16),
    ("secP160r2", 17),
    ("secP192k1", 18),
    ("secP192r1", 19),
    ("secP224k1", 20),
    ("secP224r1", 21),
    ("secP256k1", 22),
    ("secP256r1", 23),
    ("secP384r1", 24),
    ("secP521r1", 25),
    ("x25519_mlkem768", 4588),
    ("secp256r1_mlkem768", 4587),
    ("secp384r1_mlkem1024", 4589),
];

/// What became of a list of curves on a server that has one. Letters count for nothing in a curve's name.
pub fn read_curves(names: &Names) -> ListReading {
    read(names, |name| match CURVES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        Some((_, code)) if *code > 255 => Found::Elsewhere,
        Some((_, code)) => Found::Here { name: name.to_string(), code: *code },
        None => Found::Nowhere,
    })
}

/// What became of a list of signature algorithms. RSA-PSS with plain RSA keys (`RSAE-PSS`) is there where the profile has it.
pub fn read_signatures(profile: &Profile, names: &Names) -> ListReading {
    read(names, |name| {
        let upper = name.to_ascii_uppercase();
        let hash = |text: &str| match text {
            "MD5" => Some(1),
            "SHA1" => Some(2),
            "SHA256" => Some(4),
            "SHA384" => Some(5),
            "SHA512" => Some(6),
            _ => None,
        };
        let code = upper.split_once('/').and_then(|(algorithm, digest)| {
            let digest: u16 = hash(digest)?;
            match algorithm {
                "RSA" => Some(digest << 8 | 1),
                "DSA" => Some(digest << 8 | 2),
                "ECDSA" => Some(digest << 8 | 3),
                "RSAE-PSS" if digest >= 4 => Some(0x0800 | digest),
                "RSA-PSS" | "RSAPSS-PSS" if digest >= 4 => Some(0x0805 + digest),
                _ => None,
            }
        });
        match code {
            Some(code @ 0x0804..=0x080b) if !profile.signatures.contains(&code) => Found::Elsewhere,
            Some(code) => Found::Here { name: upper, code },
            None => Found::Nowhere,
        }
    })
}

impl Policy {
    /// What values of the registry say, each with its key (`HKLM\SYSTEM\CurrentControlSet\...`, in any letters), its name
    /// and the fact that states it. Of values that contradict each other the last stands.
    pub fn from_registry<'a>(values: impl Iterator<Item = (&'a str, &'a str, Value<'a>, &'a str)>) -> Policy {
        let mut policy = Policy::default();
        for (key, name, value, fact) in values {
            policy.value(key, name, value, fact);
        }
        policy
    }

    /// Takes one value of the registry.
    pub fn value(&mut self, key: &str, name: &str, value: Value, fact: &str) {
        if self.place(key, name, value, fact).is_none() {
            self.unread.push(Unread { key: key.into(), name: name.into(), fact: fact.into() });
        }
    }

    /// Whether a key is one that [`Policy::from_registry`] reads.
    pub fn reads(key: &str) -> bool {
        locate(key).is_some()
    }

    /// Group Policy's SSL Cipher Suite Order, as a report shows it.
    pub fn set_order(&mut self, names: Names, fact: &str) {
        Setting::put(&mut self.order, names, fact);
    }

    /// Group Policy's ECC Curve Order, as a report shows it.
    pub fn set_curves(&mut self, names: Names, fact: &str) {
        Setting::put(&mut self.curves, names, fact);
    }

    /// The names of `Get-TlsCipherSuite`, in order.
    pub fn set_effective(&mut self, names: Names, fact: &str) {
        Setting::put(&mut self.effective, names, fact);
    }

    /// Whether the update by which synchronization speaks TLS 1.2 is missing.
    pub fn set_sync_fix_missing(&mut self, missing: bool, fact: &str) {
        Setting::put(&mut self.sync_fix_missing, missing, fact);
    }

    /// The settings that were stated more than once and differently, in words, with the facts that state each.
    pub fn contradictions(&self) -> Vec<(String, Vec<String>)> {
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        let mut see = |what: String, facts: Option<&[String]>| {
            found.extend(facts.map(|facts| (what, facts.to_vec())));
        };
        for (version, protocol) in &self.protocols {
            let name = version_name(*version);
            see(format!("{name}, Enabled"), disputed(protocol.enabled.as_ref()));
            see(format!("{name}, DisabledByDefault"), disputed(protocol.disabled_by_default.as_ref()));
        }
        see("SSL Cipher Suite Order".into(), disputed(self.order.as_ref()));
        see("local cipher order".into(), disputed(self.local_order.as_ref()));
        see("Get-TlsCipherSuite".into(), disputed(self.effective.as_ref()));
        see("ECC Curve Order".into(), disputed(self.curves.as_ref()));
        see("local curve order".into(), disputed(self.local_curves.as_ref()));
        see("SchUseStrongCrypto".into(), disputed(self.dotnet4.strong_crypto.as_ref()));
        see("SystemDefaultTlsVersions".into(), disputed(self.dotnet4.system_default.as_ref()));
        see("DefaultSecureProtocols".into(), disputed(self.winhttp.as_ref()));
        see("FIPS mode".into(), disputed(self.fips.as_ref()));
        found
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Policy { unread: self.unread.clone(), ..Policy::default() }
    }

    /// What became of the list of suites that Group Policy sets, on a server.
    pub fn order_on(&self, profile: &Profile) -> Option<ListReading> {
        self.order.as_ref().map(|order| read_suites(profile, &order.value))
    }

    /// What became of the list of curves that Group Policy sets, on a server; none where the server has no such list.
    pub fn curves_on(&self, profile: &Profile) -> Option<ListReading> {
        let curves = self.curves.as_ref().filter(|_| profile.curve_model == CurveModel::Order);
        curves.map(|curves| read_curves(&curves.value))
    }

    fn place(&mut self, key: &str, name: &str, value: Value, fact: &str) -> Option<()> {
        let Some(place) = locate(key) else { return Some(()) };
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        match place {
            Place::Protocol(version) => {
                let protocol = self.protocols.entry(version?).or_default();
                let flag = value.flag()?;
                match () {
                    () if is("Enabled") => Setting::put(&mut protocol.enabled, flag, fact),
                    () if is("DisabledByDefault") => {
                        Setting::put(&mut protocol.disabled_by_default, flag, fact)
                    }
                    () => return None,
                }
            }
            Place::Switch(family, own) => {
                if is("Enabled") {
                    let flag = value.flag()?;
                    let same = |switch: &&mut Switch| {
                        switch.family == family && switch.name.eq_ignore_ascii_case(own)
                    };
                    match self.switches.iter_mut().find(same) {
                        Some(switch) => {
                            let mut slot = Some(switch.enabled.clone());
                            Setting::put(&mut slot, flag, fact);
                            switch.enabled = slot?;
                        }
                        None => self.switches.push(Switch {
                            family,
                            name: own.to_string(),
                            enabled: Setting::new(flag, fact),
                        }),
                    }
                } else if is("ClientMinKeyBitLength") && own.eq_ignore_ascii_case("Diffie-Hellman") {
                    Setting::put(&mut self.dh_bits, u32::try_from(value.number()?).ok()?, fact);
                } else if !is("ServerMinKeyBitLength") && !is("ClientMinKeyBitLength") {
                    return None;
                }
            }
            Place::Fips if is("Enabled") => Setting::put(&mut self.fips, value.flag()?, fact),
            Place::Policy if is("Functions") => Setting::put(&mut self.order, value.names()?, fact),
            Place::Policy if is("EccCurves") => Setting::put(&mut self.curves, value.names()?, fact),
            Place::Local if is("Functions") => Setting::put(&mut self.local_order, value.names()?, fact),
            Place::Local if is("EccCurves") => Setting::put(&mut self.local_curves, value.names()?, fact),
            Place::Signatures if is("Functions") => {
                Setting::put(&mut self.local_signatures, value.names()?, fact)
            }
            Place::DotNet { four, narrow } => {
                let values = match (four, narrow) {
                    (true, false) => &mut self.dotnet4,
                    (true, true) => &mut self.dotnet4_32,
                    (false, false) => &mut self.dotnet2,
                    (false, true) => &mut self.dotnet2_32,
                };
                match () {
                    () if is("SchUseStrongCrypto") => {
                        Setting::put(&mut values.strong_crypto, value.flag()?, fact)
                    }
                    () if is("SystemDefaultTlsVersions") => {
                        Setting::put(&mut values.system_default, value.flag()?, fact)
                    }
                    // The key holds other things of .NET's.
                    () => {}
                }
            }
            Place::WinHttp { narrow } if is("DefaultSecureProtocols") => {
                let slot = if narrow { &mut self.winhttp_32 } else { &mut self.winhttp };
                // A number that was read as -1 has more bits than the value.
                Setting::put(slot, value.number()? as u32, fact);
            }
            Place::WinHttp { .. } | Place::Local | Place::Fips | Place::Policy | Place::Signatures => {}
        }
        Some(())
    }
}

impl Value<'_> {
    /// As a number; a text is read as decimal, as hexadecimal after `0x`, or as a negative number.
    fn number(&self) -> Option<u64> {
        match self {
            Value::Number(number) => Some(*number),
            Value::Text(text) => {
                let text = text.trim();
                match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
                    Some(digits) => u64::from_str_radix(digits, 16).ok(),
                    None => text.parse::<i64>().ok().map(|number| number as u64),
                }
            }
            Value::List(_) => None,
        }
    }

    fn flag(&self) -> Option<bool> {
        self.number().map(|number| number != 0)
    }

    fn names(&self) -> Option<Names> {
        match self {
            Value::Number(_) => None,
            Value::Text(text) => Some(Names::text(text)),
            Value::List(list) => Some(Names::list(list)),
        }
    }
}

/// What a key of the registry is about.
enum Place<'a> {
    Protocol(Option<u16>),
    Switch(Family, &'a str),
    Fips,
    Policy,
    Local,
    Signatures,
    DotNet { four: bool, narrow: bool },
    WinHttp { narrow: bool },
}

fn locate(key: &str) -> Option<Place<'_>> {
    let parts: Vec<&str> = key.split('\\').map(str::trim).filter(|part| !part.is_empty()).collect();
    // `HKLM`, `HKLM:`, `HKEY_LOCAL_MACHINE`, `Registry::HKEY_LOCAL_MACHINE`, `Microsoft.PowerShell.Core\Registry::...`.
    let hive = parts.iter().position(|part| {
        let hive = part.rsplit("::").next().unwrap_or_default().trim_end_matches(':');
        hive.eq_ignore_ascii_case("HKLM") || hive.eq_ignore_ascii_case("HKEY_LOCAL_MACHINE")
    })?;
    let parts = &parts[hive + 1..];
    let under = |prefix: &[&str]| {
        let fits = parts.len() >= prefix.len()
            && parts.iter().zip(prefix).all(|(part, wanted)| {
                part.eq_ignore_ascii_case(wanted)
                    || (*wanted == "CurrentControlSet" && part.eq_ignore_ascii_case("ControlSet001"))
            });
        fits.then(|| &parts[prefix.len()..])
    };
    let control = |rest: &[&'static str]| [&["SYSTEM", "CurrentControlSet", "Control"], rest].concat();
    if let Some(rest) = under(&control(&["SecurityProviders", "SCHANNEL"])) {
        let is = |at: usize, wanted: &str| rest.get(at).is_some_and(|part| part.eq_ignore_ascii_case(wanted));
        return match rest.len() {
            3 if is(0, "Protocols") && is(2, "Client") => Some(Place::Protocol(version(rest[1]))),
            2 if is(0, "Ciphers") => Some(Place::Switch(Family::Cipher, rest[1])),
            2 if is(0, "Hashes") => Some(Place::Switch(Family::Hash, rest[1])),
            2 if is(0, "KeyExchangeAlgorithms") => Some(Place::Switch(Family::Exchange, rest[1])),
            _ => None,
        };
    }
    let whole = |prefix: &[&str]| under(prefix).is_some_and(<[&str]>::is_empty);
    if whole(&control(&["Lsa", "FipsAlgorithmPolicy"])) {
        return Some(Place::Fips);
    }
    if whole(&["SOFTWARE", "Policies", "Microsoft", "Cryptography", "Configuration", "SSL", "00010002"]) {
        return Some(Place::Policy);
    }
    if whole(&control(&["Cryptography", "Configuration", "Local", "SSL", "00010002"])) {
        return Some(Place::Local);
    }
    if whole(&control(&["Cryptography", "Configuration", "Local", "SSL", "00010003"])) {
        return Some(Place::Signatures);
    }
    for narrow in [false, true] {
        let software = |rest: &[&'static str]| {
            let node: &[&'static str] = if narrow { &["SOFTWARE", "Wow6432Node"] } else { &["SOFTWARE"] };
            [node, &["Microsoft"], rest].concat()
        };
        if whole(&software(&[".NETFramework", "v4.0.30319"])) {
            return Some(Place::DotNet { four: true, narrow });
        }
        if whole(&software(&[".NETFramework", "v2.0.50727"])) {
            return Some(Place::DotNet { four: false, narrow });
        }
        if whole(&software(&["Windows", "CurrentVersion", "Internet Settings", "WinHttp"])) {
            return Some(Place::WinHttp { narrow });
        }
    }
    None
}

fn version(name: &str) -> Option<u16> {
    match name.to_ascii_uppercase().as_str() {
        "SSL 2.0" => Some(SSL2),
        "SSL 3.0" => Some(SSL3),
        "TLS 1.0" => Some(TLS10),
        "TLS 1.1" => Some(TLS11),
        "TLS 1.2" => Some(TLS12),
        "TLS 1.3" => Some(TLS13),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::profile::profile;
    use super::*;

    const SCHANNEL: &str = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL";

    fn of(values: &[(&str, &str, Value)]) -> Policy {
        let facts: Vec<String> = (1..=values.len()).map(|n| format!("f{n}")).collect();
        Policy::from_registry(
            values.iter().zip(&facts).map(|((key, name, value), fact)| (*key, *name, *value, fact.as_str())),
        )
    }

    #[test]
    fn keys_are_read_in_any_letters_and_any_spelling_of_the_hive() {
        let policy = of(&[
            (
                r"hkey_local_machine\system\controlset001\control\securityproviders\schannel\protocols\tls 1.2\client",
                "enabled",
                Value::Number(0),
            ),
            (
                r"Registry::HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.0\Client",
                "DisabledByDefault",
                Value::Text("-1"),
            ),
            (
                r"HKLM:\SOFTWARE\WOW6432Node\Microsoft\.NETFramework\v4.0.30319",
                "SchUseStrongCrypto",
                Value::Text("0x1"),
            ),
            (
                r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\WinHttp",
                "DefaultSecureProtocols",
                Value::Number(0x800),
            ),
            (r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy", "Enabled", Value::Number(1)),
        ]);
        assert_eq!(policy.protocols[&TLS12].enabled, Some(Setting::new(false, "f1")));
        assert_eq!(policy.protocols[&TLS10].disabled_by_default, Some(Setting::new(true, "f2")));
        assert_eq!(policy.dotnet4_32.strong_crypto, Some(Setting::new(true, "f3")));
        assert_eq!(policy.winhttp, Some(Setting::new(0x800, "f4")));
        assert_eq!(policy.fips, Some(Setting::new(true, "f5")));
        assert!(policy.unread.is_empty());
    }

    #[test]
    fn a_servers_side_and_other_keys_say_nothing() {
        let server = format!(r"{SCHANNEL}\Protocols\TLS 1.2\Server");
        let users = r"HKCU\SOFTWARE\Microsoft\.NETFramework\v4.0.30319";
        let policy = of(&[
            (&server, "Enabled", Value::Number(0)),
            (users, "SchUseStrongCrypto", Value::Number(1)),
            (r"HKLM\SOFTWARE\Contoso", "Enabled", Value::Number(0)),
        ]);
        assert!(policy.is_empty() && policy.unread.is_empty());
        assert!(!Policy::reads(&server) && !Policy::reads(users));
    }

    #[test]
    fn the_last_of_two_values_stands_and_both_facts_are_kept() {
        let cipher = format!(r"{SCHANNEL}\Ciphers\AES 256/256");
        let policy =
            of(&[(&cipher, "Enabled", Value::Number(u64::MAX)), (&cipher, "Enabled", Value::Number(0))]);
        let switch = &policy.switches[0];
        assert_eq!((switch.family, switch.name.as_str()), (Family::Cipher, "AES 256/256"));
        assert!(!switch.enabled.value);
        assert_eq!((switch.enabled.before.as_slice(), switch.enabled.facts.len()), (&[true][..], 2));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let protocol = format!(r"{SCHANNEL}\Protocols\TLS 9\Client");
        let sizes = format!(r"{SCHANNEL}\KeyExchangeAlgorithms\Diffie-Hellman");
        let policy = of(&[
            (&protocol, "Enabled", Value::Number(0)),
            (&sizes, "ClientMinKeyBitLength", Value::Text("many")),
            (&sizes, "ClientMinKeyBitLength", Value::Number(2048)),
        ]);
        assert_eq!(policy.unread.len(), 2);
        assert_eq!(policy.dh_bits.map(|setting| setting.value), Some(2048));
    }

    #[test]
    fn a_list_of_suites_is_read_as_the_server_has_them() {
        let names = Names::text(
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384, \
             TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P384,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_RSA_WITH_AES_128_CBC_SHA,TLS_NEVER,",
        );
        let old = read_suites(profile("ws2012r2").unwrap(), &names);
        assert_eq!(
            old.used,
            [
                ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384_P384".to_string(), 0xc028),
                ("TLS_RSA_WITH_AES_128_CBC_SHA".to_string(), 0x002f)
            ]
        );
        assert_eq!(
            old.unsupported,
            ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"]
        );
        assert_eq!(old.unsuffixed, ["TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"]);
        assert_eq!(old.unknown, ["TLS_NEVER"]);
        assert_eq!(old.repeated, ["TLS_RSA_WITH_AES_128_CBC_SHA"]);
        assert!(old.spaces && old.gaps && old.too_long.is_none() && !old.is_clean());

        let new = read_suites(profile("ws2019").unwrap(), &names);
        let codes: Vec<u16> = new.used.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, [0xc030, 0xc028, 0xc028, 0x002f]);
        assert!(new.unsupported.is_empty());
    }

    #[test]
    fn a_suffix_belongs_to_ecdhe_alone_and_length_counts_commas() {
        let odd = Names::text("TLS_RSA_WITH_AES_128_CBC_SHA_P256");
        let reading = read_suites(profile("ws2016").unwrap(), &odd);
        assert!(reading.used.is_empty() && reading.unsupported.len() == 1);
        let long = Names::list(&vec!["TLS_RSA_WITH_AES_128_CBC_SHA".to_string(); 40]);
        assert_eq!(long.characters, 40 * 28 + 39);
        assert_eq!(read_suites(profile("ws2016").unwrap(), &long).too_long, Some(1159));
    }

    #[test]
    fn curves_and_signatures_have_names_of_their_own() {
        let curves = read_curves(&Names::text("NistP384,nistp521,x25519_mlkem768,P-256"));
        let codes: Vec<u16> = curves.used.iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, [24, 25]);
        assert_eq!((curves.unsupported.len(), curves.unknown.len()), (1, 1));

        let stock = Names::text(
            "RSAE-PSS/SHA256,RSAE-PSS/SHA384,RSAE-PSS/SHA512,RSA/SHA256,RSA/SHA384,RSA/SHA1,ECDSA/SHA256,ECDSA/SHA384,\
             ECDSA/SHA1,DSA/SHA1,RSA/SHA512,ECDSA/SHA512",
        );
        for (id, unsupported) in [("ws2022", 0), ("ws2016", 3)] {
            let profile = profile(id).unwrap();
            let reading = read_signatures(profile, &stock);
            let codes: Vec<u16> = reading.used.iter().map(|(_, code)| *code).collect();
            assert_eq!(codes, profile.signatures);
            assert_eq!(reading.unsupported.len(), unsupported);
        }
    }
}
