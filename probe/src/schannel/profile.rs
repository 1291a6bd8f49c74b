//! What a Windows Server's TLS client is by default.

use super::profiles::{ws2008r2, ws2012, ws2012r2, ws2016, ws2019, ws2022, ws2025};
use crate::codec::tls::{SSL3, TLS10, TLS12, TLS13};

/// How well a profile is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// Microsoft's lists, and captures or published fingerprints that agree with them.
    High,
    /// Microsoft's lists, and captures of a neighbouring Windows.
    Medium,
}

/// Where the named groups come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurveModel {
    /// From the suffixes `_P256`, `_P384` and `_P521` of the suites: Windows Server 2012 R2 and older.
    Suffix,
    /// From a list of their own, `EccCurves`: Windows Server 2016 and newer, where a suffix is read and has no effect.
    Order,
}

/// A suite as SCHANNEL knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// SCHANNEL's name, with its curve suffix where there is one.
    pub name: &'static str,
    /// IANA's code point.
    pub code: u16,
    /// The lowest version that may take it, as on the wire.
    pub lowest: u16,
    /// The highest version that may take it, as on the wire.
    pub highest: u16,
    /// Whether `SCH_USE_STRONG_CRYPTO` leaves it.
    pub strong: bool,
    /// Whether it is offered only where a program asks for it by name (suites without encryption).
    pub explicit_only: bool,
}

impl Known {
    /// The same without strength.
    pub(super) const fn weak(mut self) -> Known {
        self.strong = false;
        self
    }

    /// The same, offered only where asked for.
    pub(super) const fn asked(mut self) -> Known {
        self.explicit_only = true;
        self
    }

    /// The group that the name's suffix stands for.
    pub fn suffix(&self) -> Option<u16> {
        suffix(self.name).map(|(_, group)| group)
    }

    /// Whether a session of this version may take it.
    pub const fn at(&self, version: u16) -> bool {
        self.lowest <= version && version <= self.highest
    }
}

/// A name without its curve suffix, and the group that the suffix stands for.
pub(super) fn suffix(name: &str) -> Option<(&str, u16)> {
    let at = name.len().checked_sub(5)?;
    let (stem, end) = (name.get(..at)?, name.get(at..)?);
    match end.to_ascii_uppercase().as_str() {
        "_P256" => Some((stem, 23)),
        "_P384" => Some((stem, 24)),
        "_P521" => Some((stem, 25)),
        _ => None,
    }
}

const fn known(code: u16, name: &'static str, lowest: u16, highest: u16) -> Known {
    Known { name, code, lowest, highest, strong: true, explicit_only: false }
}

/// A suite of TLS 1.3.
pub(super) const fn at13(code: u16, name: &'static str) -> Known {
    known(code, name, TLS13, TLS13)
}

/// A suite of TLS 1.2 alone.
pub(super) const fn at12(code: u16, name: &'static str) -> Known {
    known(code, name, TLS12, TLS12)
}

/// A suite of TLS 1.0 to TLS 1.2.
pub(super) const fn upto12(code: u16, name: &'static str) -> Known {
    known(code, name, TLS10, TLS12)
}

/// A suite of SSL 3.0 to TLS 1.2.
pub(super) const fn old(code: u16, name: &'static str) -> Known {
    known(code, name, SSL3, TLS12)
}

/// The code points that a .NET program with strong cryptography offers at TLS 1.2 out of `list`, each once. Does not
/// compile where they are not `N`.
pub(super) const fn dotnet<const N: usize>(list: &[Known]) -> [u16; N] {
    let mut codes = [0; N];
    let mut filled = 0;
    let mut at = 0;
    while at < list.len() {
        let suite = list[at];
        let mut seen = !suite.strong || suite.explicit_only || !suite.at(TLS12);
        let mut before = 0;
        while before < filled {
            seen |= codes[before] == suite.code;
            before += 1;
        }
        if !seen {
            codes[filled] = suite.code;
            filled += 1;
        }
        at += 1;
    }
    assert!(filled == N);
    codes
}

/// A Windows Server's TLS client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its id, `ws2019`.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What its version begins with, `10.0.17763`.
    pub build: &'static str,
    /// How well it is founded.
    pub confidence: Confidence,
    /// What of it is inferred rather than known.
    pub inferred: &'static [&'static str],
    /// The versions that a client has on by default, as on the wire, the lowest first.
    pub protocols: &'static [u16],
    /// The versions that can be had, as on the wire, the lowest first.
    pub supported: &'static [u16],
    /// The suites that a .NET program with strong cryptography offers at TLS 1.2, in order.
    pub suites: &'static [u16],
    /// The suites that are on by default, in order of priority, for every version and caller.
    pub defaults: &'static [Known],
    /// The suites that can be had besides.
    pub available: &'static [Known],
    /// Where the named groups come from.
    pub curve_model: CurveModel,
    /// The named groups, in order.
    pub groups: &'static [u16],
    /// The signature algorithms, in order.
    pub signatures: &'static [u16],
    /// The signature algorithms before the update that brought SHA-512 to TLS 1.2, where there is such an update.
    pub signatures_before: Option<&'static [u16]>,
    /// The smallest prime of a finite-field Diffie-Hellman exchange that is taken, in bits.
    pub dh_bits: u32,
    /// The smallest RSA key of an RSA key exchange that is taken, in bits.
    pub rsa_bits: u32,
    /// Whether session_ticket is sent ([MS-TLSP], from Windows Server 2012 on).
    pub session_ticket: bool,
    /// The groups for which a key is sent at TLS 1.3; empty where there is no TLS 1.3.
    pub key_shares: &'static [u16],
    /// Whether ec_point_formats is sent where TLS 1.3 is offered.
    pub formats_at_13: bool,
    /// WinHTTP's versions where `DefaultSecureProtocols` is absent, as that value's bits.
    pub winhttp: u32,
}

/// Every profile, the oldest first.
pub static PROFILES: [&Profile; 7] = [
    &ws2008r2::PROFILE,
    &ws2012::PROFILE,
    &ws2012r2::PROFILE,
    &ws2016::PROFILE,
    &ws2019::PROFILE,
    &ws2022::PROFILE,
    &ws2025::PROFILE,
];

/// The client that is taken where nothing is known of the server.
pub static REFERENCE: &Profile = &ws2019::PROFILE;

/// The profile of an id; case does not count.
pub fn profile(id: &str) -> Option<&'static Profile> {
    PROFILES.into_iter().find(|profile| profile.id.eq_ignore_ascii_case(id))
}

/// The ids of the profiles, the oldest first.
pub fn ids() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|profile| profile.id)
}

impl Profile {
    /// The profile that a version or a name of Windows stands for: `6.3.9600.18694`, `10.0.17763 N/A Build 17763`, `6.3`,
    /// `Microsoft Windows Server 2012 R2 Standard`. None where it names no server that is known, or more than one.
    ///
    /// The build decides, because libraries of Windows Server 2022 call themselves 6.2.20348. `10.0` alone says nothing,
    /// and neither does `6.2.9200.0`, which every newer Windows tells a program without a manifest ("Targeting your
    /// application for Windows"). A version of WSUS 3.0 (`3.2.7600.226`) is that of no Windows.
    pub fn of_version(text: &str) -> Option<&'static Profile> {
        // No statement of a version is longer.
        let text = text.get(..200).unwrap_or(text);
        let named = by_name(text);
        let found = if named.is_empty() { by_number(text) } else { named };
        let first = *found.first()?;
        found.iter().all(|id| *id == first).then(|| profile(first)).flatten()
    }

    /// Whether the client can have this version.
    pub fn supports(&self, version: u16) -> bool {
        self.supported.contains(&version)
    }

    /// The suites that it knows, those that are on by default first.
    pub fn known(&self) -> impl Iterator<Item = &'static Known> + use<> {
        self.defaults.iter().chain(self.available)
    }
}

/// The ids for every `Windows Server YEAR` in a text; an unknown year gives an id that no profile has.
fn by_name(text: &str) -> Vec<&'static str> {
    let plain: String = text.to_ascii_lowercase().chars().filter(|c| !"®™()".contains(*c)).collect();
    let words: Vec<&str> = plain.split(|c: char| c.is_whitespace() || c == ',' || c == ';').collect();
    let mut found = Vec::new();
    for (at, pair) in words.windows(2).enumerate() {
        if pair[0] != "windows" || pair[1] != "server" {
            continue;
        }
        let rest = &words[at + 2..];
        let second = rest.get(1).is_some_and(|word| *word == "r2");
        found.push(match (rest.first().copied().unwrap_or_default(), second) {
            ("2008", true) => "ws2008r2",
            ("2012", false) => "ws2012",
            ("2012", true) => "ws2012r2",
            ("2016", false) => "ws2016",
            ("2019", false) => "ws2019",
            ("2022", false) => "ws2022",
            ("2025", false) => "ws2025",
            _ => "",
        });
    }
    found
}

/// The ids for every dotted number in a text.
fn by_number(text: &str) -> Vec<&'static str> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(number).collect()
}

fn number(token: &str) -> Option<&'static str> {
    let parts: Vec<u32> =
        token.trim_matches('.').split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    match parts.as_slice() {
        [6, 1] | [6, 1, 7600 | 7601, ..] => Some("ws2008r2"),
        [6, 2, 9200, 0] => None,
        [6, 2] | [6, 2, 9200, ..] => Some("ws2012"),
        [6, 3] | [6, 3, 9600, ..] => Some("ws2012r2"),
        [6 | 10, _, 14393, ..] => Some("ws2016"),
        [6 | 10, _, 17763, ..] => Some("ws2019"),
        [6 | 10, _, 20348, ..] => Some("ws2022"),
        [6 | 10, _, 26100, ..] => Some("ws2025"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_names_identify_a_server() {
        for (text, id) in [
            ("6.3.9600.18694", "ws2012r2"),
            ("10.0.17763.1", "ws2019"),
            ("10.0.14393.2007", "ws2016"),
            ("6.2.9200.17646", "ws2012"),
            ("6.2.20348.143", "ws2022"),
            ("10.0.26100.1742", "ws2025"),
            ("6.3", "ws2012r2"),
            ("6.2", "ws2012"),
            ("6.1.7601", "ws2008r2"),
            ("10.0.17763 N/A Build 17763", "ws2019"),
            ("Microsoft Windows [Version 10.0.20348.2113]", "ws2022"),
            ("Windows Server 2012 R2 Standard", "ws2012r2"),
            ("Microsoft Windows Server 2012 Datacenter", "ws2012"),
            ("Windows Server® 2008 R2 Enterprise", "ws2008r2"),
            ("WINDOWS SERVER 2025", "ws2025"),
        ] {
            assert_eq!(Profile::of_version(text).map(|p| p.id), Some(id), "{text}");
        }
    }

    #[test]
    fn what_is_ambiguous_identifies_none() {
        for text in [
            "",
            "10.0",
            "10",
            "10.0.18363.1",
            "3.2.7600.226",
            "6.2.9200.0",
            "Windows Server",
            "Windows Server 2008 Standard",
            "Windows Server, version 23H2",
            "Windows Server 2012 and Windows Server 2012 R2",
            "6.3.9600.1 10.0.14393.1",
            "99999999999.0.17763",
            "Windows 10 Pro",
        ] {
            assert_eq!(Profile::of_version(text).map(|p| p.id), None, "{text}");
        }
    }

    #[test]
    fn ids_are_found_and_unique() {
        for id in ids() {
            assert_eq!(profile(id).unwrap().id, id);
        }
        assert_eq!(ids().count(), PROFILES.len());
        assert!(profile("WS2012R2").is_some());
        assert!(profile("ws2003").is_none());
    }

    #[test]
    fn tables_are_of_a_piece() {
        for profile in PROFILES {
            let mut names: Vec<&str> = profile.known().map(|suite| suite.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), profile.known().count(), "{}", profile.id);
            for suite in profile.known() {
                let stem = suffix(suite.name).map_or(suite.name, |(stem, _)| stem);
                let registered = crate::codec::tls::suite(suite.code).map(|s| s.name);
                // The three EXPORT1024 suites never reached IANA's registry.
                assert!(registered.is_none_or(|name| name == stem), "{}: {}", profile.id, suite.name);
                let curve = suite.name.starts_with("TLS_ECDHE_") && profile.curve_model == CurveModel::Suffix;
                assert_eq!(suite.suffix().is_some(), curve, "{}: {}", profile.id, suite.name);
            }
            assert!(profile.protocols.iter().all(|version| profile.supports(*version)));
            assert_eq!(profile.supports(TLS13), !profile.key_shares.is_empty());
        }
    }
}
