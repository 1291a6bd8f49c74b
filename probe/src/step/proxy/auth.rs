//! Who a run is at its proxy, and how far its logon came: one state for all paths, so that credentials are tried once.
//!
//! Unknown, then one connection tries and the others wait, then accepted with a scheme or refused for good.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, DigestClient, ParamValue, PasswordParams};

use super::gss::{self, Tickets};
use super::own::{Logon, OwnAccount};
use crate::codec::challenge::Challenge;
use crate::codec::ntlm;
use crate::evidence::{AuthStage, PassedOver, ProxyAuth, escape};
use crate::settings::{ProxyHop, ProxyKind, Secret, Settings};

/// What a SOCKS 5 proxy's demand is called: user and password of RFC 1929.
pub(super) const SOCKS5: &str = "SOCKS5 password";

/// The credentials of a run, and what became of them.
#[derive(Debug)]
pub struct Auth {
    account: Option<Account>,
    /// Who logs on where no user was named: the account that the run is under, where the system does that.
    own: Option<Arc<dyn OwnAccount>>,
    /// The proxies that they are for.
    hops: Vec<ProxyHop>,
    /// Whether the configuration keeps Basic from being sent without TLS.
    basic_denied: bool,
    /// How long a ticket, or another connection's logon, is waited for.
    patience: Duration,
    /// The clock of the run.
    clock: jiff::Timestamp,
    /// Held by the connection that tries.
    pub(super) turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    tickets: Tickets,
}

/// A user, and the password where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// As given: `DOMAIN\user`, `user@REALM` or `user`.
    pub name: String,
    /// The password.
    pub password: Option<Secret<String>>,
}

impl Account {
    /// The domain before a backslash, and the rest.
    pub fn parts(&self) -> (&str, &str) {
        self.name.split_once('\\').unwrap_or(("", &self.name))
    }
}

#[derive(Debug, Default)]
struct Known {
    /// Why nothing is sent any more.
    refused: Option<String>,
    accepted: Vec<(ProxyHop, Scheme)>,
    /// Final messages to which nothing came in time.
    silences: u32,
    /// Where a scheme could not be carried through before anything was proved.
    failed: Vec<(ProxyHop, String)>,
    /// The client of the nonce that was accepted last.
    digest: Option<DigestClient>,
}

/// How a proxy is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// A ticket under `Negotiate`.
    Kerberos,
    /// NTLM, under its own name or under `Negotiate`.
    Ntlm {
        /// Under `Negotiate`.
        negotiate: bool,
    },
    /// Digest.
    Digest,
    /// Basic.
    Basic,
    /// SOCKS 5's user and password.
    Socks5,
}

impl Scheme {
    /// The name, as it is written in a header.
    pub(super) fn name(self) -> &'static str {
        match self {
            Scheme::Kerberos | Scheme::Ntlm { negotiate: true } => "Negotiate",
            Scheme::Ntlm { negotiate: false } => "NTLM",
            Scheme::Digest => "Digest",
            Scheme::Basic => "Basic",
            Scheme::Socks5 => SOCKS5,
        }
    }

    pub(super) fn mechanism(self) -> &'static str {
        match self {
            Scheme::Kerberos => "kerberos",
            Scheme::Ntlm { .. } => "ntlm",
            _ => "",
        }
    }
}

/// A message with credentials. An answer that repeats it, or the password, is covered before anything of it is kept.
#[derive(Debug)]
pub struct Proof {
    value: Secret<String>,
    hidden: Vec<Secret<Vec<u8>>>,
}

impl Proof {
    /// The least that is covered: shorter strings stand in every text.
    const LEAST: usize = 4;

    pub(super) fn new(value: Secret<String>, password: Option<&str>) -> Proof {
        let payload = value.expose().split_once(' ').map(|(_, payload)| payload);
        // Digest's proof is one of its parameters.
        let response = value.expose().split_once("response=\"").and_then(|(_, rest)| rest.split('"').next());
        let hidden = [payload, response, password]
            .into_iter()
            .flatten()
            .filter(|text| text.len() >= Proof::LEAST)
            .map(|text| Secret::new(text.as_bytes().to_vec()))
            .collect();
        Proof { value, hidden }
    }

    /// A message that proves nothing yet.
    pub(super) fn open(value: String) -> Proof {
        Proof { value: Secret::new(value), hidden: Vec::new() }
    }

    /// The header's value.
    pub fn value(&self) -> &str {
        self.value.expose()
    }

    /// Covers what bytes repeat of it, and what they begin to repeat where they end.
    pub fn cover(&self, bytes: &mut [u8]) {
        for hidden in &self.hidden {
            let hidden = hidden.expose();
            let finder = memchr::memmem::Finder::new(hidden);
            let mut from = 0;
            while let Some(at) = finder.find(&bytes[from..]) {
                bytes[from + at..][..hidden.len()].fill(b'*');
                from += at + hidden.len();
            }
            let longest = hidden.len().min(bytes.len());
            if let Some(length) = (Proof::LEAST..=longest).rev().find(|&n| bytes.ends_with(&hidden[..n])) {
                let end = bytes.len();
                bytes[end - length..].fill(b'*');
            }
        }
    }
}

/// What went out of what proves a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing.
    Nothing,
    /// A final message, which was answered or cut off.
    Final,
    /// A final message, to which nothing came in time.
    Silence,
}

/// What is known of a proxy before it is asked.
pub(super) enum Standing {
    /// Nothing.
    Unknown,
    /// The scheme that it accepted.
    Accepted(Scheme),
    /// Nothing is sent, and why.
    Silent(AuthStage, String),
}

/// What a scheme opens with.
pub(super) enum Opening {
    /// What the user and the password give.
    Password,
    /// A ticket of Kerberos, under `Negotiate`.
    Ticket(Vec<u8>),
    /// A logon of the account that the run is under.
    Own(Logon),
    /// Nothing is to be had any more.
    Nothing,
}

/// What a demand is answered with.
pub(super) enum Choice {
    /// A scheme, and what it opens with.
    With(Scheme, Opening),
    /// The KDC refused the password.
    KdcRefused(String),
    /// Nothing can be answered.
    Nothing,
}

impl Auth {
    /// The credentials of a run for these proxies.
    pub fn new(settings: &Settings, hops: Vec<ProxyHop>, basic_denied: bool, clock: jiff::Timestamp) -> Auth {
        let account = settings
            .proxy_user
            .as_ref()
            .map(|name| Account { name: name.clone(), password: settings.proxy_password.clone() });
        let own = if account.is_none() { gss::own_account() } else { None };
        Auth {
            account,
            own,
            hops,
            basic_denied,
            patience: settings.timeout.0,
            clock,
            turn: tokio::sync::Mutex::new(()),
            known: Mutex::default(),
            tickets: Tickets::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The user's name, where there is one for this proxy.
    pub(super) fn user_for(&self, hop: &ProxyHop) -> Option<&str> {
        self.account.as_ref().filter(|_| self.hops.contains(hop)).map(|account| account.name.as_str())
    }

    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// The same with another account under which the run is.
    #[cfg(test)]
    pub(super) fn under(self, own: Arc<dyn OwnAccount>) -> Auth {
        Auth { own: Some(own), ..self }
    }

    /// The account that the run is under, where it logs on at this proxy.
    fn own_for(&self, hop: &ProxyHop) -> Option<&Arc<dyn OwnAccount>> {
        self.own.as_ref().filter(|_| hop.kind == ProxyKind::Http && self.hops.contains(hop))
    }

    /// Whether it is the run's own account that logs on at this proxy.
    pub(super) fn is_own(&self, hop: &ProxyHop) -> bool {
        self.own_for(hop).is_some()
    }

    /// What is known of a proxy.
    pub(super) fn standing(&self, hop: &ProxyHop) -> Standing {
        let own = self.is_own(hop);
        if self.account.is_none() && !own {
            return Standing::Silent(AuthStage::Demanded, "this run has no credentials".into());
        }
        // Where nobody gave a run credentials, none are withheld.
        let stage = if own { AuthStage::Demanded } else { AuthStage::NotSent };
        let silent = |why: String| Standing::Silent(stage, why);
        if !self.hops.contains(hop) {
            return silent("the credentials of this run are for another proxy".into());
        }
        let known = self.known();
        if let Some(why) = &known.refused {
            return silent(why.clone());
        }
        if let Some((_, scheme)) = known.accepted.iter().find(|(known, _)| known == hop) {
            return Standing::Accepted(*scheme);
        }
        match known.failed.iter().find(|(known, _)| known == hop) {
            Some((_, why)) => silent(format!("before on another connection: {why}")),
            None => Standing::Unknown,
        }
    }

    /// Whether a proxy accepted the credentials, so that a further connection costs these rounds.
    pub fn rounds_ahead(&self, hop: &ProxyHop) -> Option<u32> {
        let known = self.known();
        let scheme = known.accepted.iter().find(|(known, _)| known == hop)?.1;
        Some(if matches!(scheme, Scheme::Ntlm { .. }) { 2 } else { 1 })
    }

    /// Whether a proxy has accepted the credentials in this run.
    pub(super) fn accepted_by(&self, hop: &ProxyHop) -> bool {
        self.known().accepted.iter().any(|(known, _)| known == hop)
    }

    /// Writes down what became of a logon.
    pub(super) fn settle(&self, hop: &ProxyHop, scheme: Scheme, seen: &ProxyAuth, sent: Sent) {
        let mut known = self.known();
        match seen.stage {
            AuthStage::Accepted => {
                if !known.accepted.iter().any(|(known, _)| known == hop) {
                    known.accepted.push((hop.clone(), scheme));
                }
            }
            AuthStage::Rejected => {
                known.refused = Some("they were refused before in this run, and are sent once".into());
            }
            AuthStage::Broken | AuthStage::ClosedBetweenLegs => {
                // What was accepted before is not given up for one connection that broke.
                let was = known.accepted.iter().any(|(known, _)| known == hop);
                // Silence may be the destination's, behind a proxy that is content: it is asked once more.
                if sent == Sent::Silence && !was && known.silences == 0 {
                    known.silences = 1;
                } else if sent != Sent::Nothing && !was {
                    known.refused = Some("they were sent before in this run, and no verdict came".into());
                } else if !was && !known.failed.iter().any(|(known, _)| known == hop) {
                    known.failed.push((hop.clone(), seen.why.clone()));
                }
            }
            AuthStage::Demanded | AuthStage::NotSent => {}
        }
    }

    /// Chooses how a demand is answered: a ticket, else NTLM, Digest and Basic in this order. What is passed over on the
    /// way is written down with its reason.
    pub(super) async fn choose(
        &self,
        hop: &ProxyHop,
        challenges: &[Challenge],
        passed: &mut Vec<PassedOver>,
    ) -> Choice {
        let Some(account) = &self.account else { return self.choose_own(hop, challenges, passed).await };
        let offered = |name: &str| challenges.iter().find(|challenge| challenge.is(name));
        let mut pass = |scheme: &str, why: &str| {
            passed.push(PassedOver { scheme: scheme.into(), why: escape(why, 200) });
        };
        const NO_PASSWORD: &str = "this run has no password";
        for name in challenges.iter().map(|challenge| challenge.scheme.as_str()) {
            let known =
                ["Negotiate", "NTLM", "Digest", "Basic", SOCKS5].iter().any(|n| n.eq_ignore_ascii_case(name));
            if !known {
                pass(name, "this program cannot answer it");
            }
        }
        if offered(SOCKS5).is_some() {
            let fits = |text: &str| (1..=255).contains(&text.len());
            match &account.password {
                None => pass(SOCKS5, NO_PASSWORD),
                Some(password) if fits(&account.name) && fits(password.expose()) => {
                    return Choice::With(Scheme::Socks5, Opening::Password);
                }
                Some(_) => pass(SOCKS5, "it takes names and passwords of at most 255 bytes"),
            }
        }
        let negotiate = offered("Negotiate").is_some();
        if negotiate {
            match self.ticket(hop).await {
                Ok(ticket) => return Choice::With(Scheme::Kerberos, Opening::Ticket(ticket)),
                Err(none) if none.refused => return Choice::KdcRefused(none.why),
                Err(none) => pass("Negotiate", &none.why),
            }
        }
        let ntlm = offered("NTLM").is_some();
        let has_password = account.password.is_some();
        if (ntlm || negotiate) && has_password {
            return Choice::With(Scheme::Ntlm { negotiate: !ntlm }, Opening::Password);
        }
        if ntlm {
            pass("NTLM", NO_PASSWORD);
        }
        if offered("Digest").is_some() {
            if !has_password {
                pass("Digest", NO_PASSWORD);
            } else {
                match digest_client(challenges) {
                    Ok(_) => return Choice::With(Scheme::Digest, Opening::Password),
                    Err(why) => pass("Digest", &why),
                }
            }
        }
        if offered("Basic").is_some() {
            if self.basic_denied {
                pass(
                    "Basic",
                    "the configuration allows no basic authentication (AllowProxyCredentialsOverNonSsl = False)",
                );
            } else if !has_password {
                pass("Basic", NO_PASSWORD);
            } else {
                return Choice::With(Scheme::Basic, Opening::Password);
            }
        }
        Choice::Nothing
    }

    /// How the account that the run is under answers a demand: Negotiate, else NTLM. The system has no password to show.
    async fn choose_own(
        &self,
        hop: &ProxyHop,
        challenges: &[Challenge],
        passed: &mut Vec<PassedOver>,
    ) -> Choice {
        if !self.is_own(hop) {
            return Choice::Nothing;
        }
        const SCHEMES: [&str; 2] = ["Negotiate", "NTLM"];
        let mut pass = |scheme: &str, why: &str| {
            passed.push(PassedOver { scheme: scheme.into(), why: escape(why, 200) });
        };
        for name in challenges.iter().map(|challenge| challenge.scheme.as_str()) {
            if !SCHEMES.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                pass(name, "it takes a user who is named");
            }
        }
        for scheme in SCHEMES {
            if !challenges.iter().any(|challenge| challenge.is(scheme)) {
                continue;
            }
            match self.begin_own(hop, scheme).await {
                Ok(logon) => return Choice::With(logon.scheme(scheme == "Negotiate"), Opening::Own(logon)),
                Err(none) => pass(scheme, &none.why),
            }
        }
        // The system is asked once.
        self.known().failed.push((hop.clone(), "nothing that it offers can be answered".into()));
        Choice::Nothing
    }

    async fn begin_own(&self, hop: &ProxyHop, scheme: &'static str) -> Result<Logon, gss::NoTicket> {
        let Some(own) = self.own_for(hop) else { return Err(gss::NoTicket::new("no account logs on")) };
        Logon::begin(own.clone(), scheme, &hop.host, self.patience).await
    }

    /// What a scheme opens with that was accepted before.
    pub(super) async fn reopen(&self, hop: &ProxyHop, scheme: Scheme) -> (Scheme, Opening) {
        if self.is_own(hop) {
            return match self.begin_own(hop, scheme.name()).await {
                Ok(logon) => (logon.scheme(scheme.name() == "Negotiate"), Opening::Own(logon)),
                Err(_) => (scheme, Opening::Nothing),
            };
        }
        let opening = match scheme {
            Scheme::Kerberos => self.ticket(hop).await.map_or(Opening::Nothing, Opening::Ticket),
            _ => Opening::Password,
        };
        (scheme, opening)
    }

    /// A ticket for a proxy.
    pub(super) async fn ticket(&self, hop: &ProxyHop) -> Result<Vec<u8>, gss::NoTicket> {
        let Some(account) = &self.account else {
            return Err(gss::NoTicket::new("this run has no credentials"));
        };
        if hop.host.parse::<std::net::IpAddr>().is_ok() {
            return Err(gss::NoTicket::new(
                "the proxy is named by an address, and no ticket is made out to one",
            ));
        }
        self.tickets.token(&hop.host, account, self.patience).await
    }

    /// What is sent, beside the password that an answer must not repeat.
    pub(super) fn proof(&self, value: Secret<String>) -> Proof {
        let password = self.account.as_ref().and_then(|account| account.password.as_ref());
        Proof::new(value, password.map(|password| password.expose().as_str()))
    }

    /// A message of a scheme that proves something.
    pub(super) fn message(&self, scheme: Scheme, message: &[u8]) -> Proof {
        self.proof(Secret::new(format!("{} {}", scheme.name(), STANDARD.encode(message))))
    }

    pub(super) fn basic(&self) -> Option<Proof> {
        let account = self.account.as_ref()?;
        let pair = Secret::new(format!("{}:{}", account.name, account.password.as_ref()?.expose()));
        Some(self.proof(Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))))
    }

    /// Answers a Digest challenge, or the one whose answer was accepted last where there is none. A challenge's own client
    /// comes back with the answer: it is kept once that is accepted, so that nobody counts up a nonce between.
    pub(super) fn digest(
        &self,
        challenges: Option<&[Challenge]>,
        method: &str,
        uri: &str,
    ) -> Result<(Proof, Option<DigestClient>), String> {
        let account = self.account.as_ref().ok_or("no account")?;
        let password = account.password.as_ref().ok_or("no password")?.expose();
        let asked = PasswordParams { username: &account.name, password, uri, method, body: Some(b"") };
        let mut own = challenges.map(digest_client).transpose()?;
        let answer = match &mut own {
            Some(client) => client.respond(&asked),
            None => match &mut self.known().digest {
                Some(client) => client.respond(&asked),
                None => return Err("no nonce is known".into()),
            },
        };
        let answer = answer.map_err(|why| escape(&why, 120))?;
        Ok((self.proof(Secret::new(answer)), own))
    }

    /// Keeps the client whose answer was accepted, for further connections.
    pub(super) fn keep_digest(&self, client: DigestClient) {
        self.known().digest = Some(client);
    }

    /// NTLM's answer to a token.
    pub(super) fn ntlm(&self, token: &str) -> Result<Secret<String>, String> {
        let account = self.account.as_ref().ok_or("no account")?;
        let password = account.password.as_ref().ok_or("no password")?;
        let bytes = STANDARD.decode(token).map_err(|_| "the challenge is no base64".to_string())?;
        let challenge = ntlm::Challenge::read(&bytes).map_err(|why| format!("the challenge: {why}"))?;
        let (domain, user) = account.parts();
        let mut client = [0; 8];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut client)
            .map_err(|_| "this machine gives no random bytes".to_string())?;
        // 100 ns since 1601, which is 11,644,473,600 s before 1970.
        let time = (self.clock.as_second() + 11_644_473_600).unsigned_abs() * 10_000_000;
        let who = ntlm::Account { domain, user, workstation: "WSUSPROBE" };
        let fresh = ntlm::Fresh { client, time };
        ntlm::authenticate(&challenge, who, password.expose(), fresh)
            .map(|message| Secret::new(STANDARD.encode(message)))
            .map_err(|why| format!("the challenge: {why}"))
    }
}

/// A client for the first Digest challenge that can be answered; its parameters are brought into the one form that the
/// client reads.
pub fn digest_client(challenges: &[Challenge]) -> Result<DigestClient, String> {
    let mut why = String::from("no Digest challenge");
    for challenge in challenges.iter().filter(|challenge| challenge.is("Digest")) {
        match one_digest(challenge) {
            Ok(client) => return Ok(client),
            Err(not) => why = not,
        }
    }
    Err(why)
}

fn one_digest(challenge: &Challenge) -> Result<DigestClient, String> {
    const ALGORITHMS: [&str; 6] =
        ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"];
    let mut params: Vec<(&str, String)> = Vec::new();
    for name in ["realm", "nonce", "opaque", "algorithm", "qop", "stale", "userhash"] {
        let Some(value) = challenge.param(name) else { continue };
        let value = match name {
            "algorithm" => {
                let known = ALGORITHMS.iter().find(|known| known.eq_ignore_ascii_case(value.trim()));
                known.ok_or(format!("its algorithm {} is unknown", escape(value, 40)))?.to_string()
            }
            // Integrity of a body that there is not adds nothing.
            "qop" if value.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => "auth".into(),
            _ => value.replace('\\', "\\\\").replace('"', "\\\""),
        };
        params.push((name, value));
    }
    let mut clean = ChallengeRef::new("Digest");
    for (name, value) in &params {
        let value = ParamValue::try_from_escaped(value)
            .map_err(|_| format!("its {name} has characters that cannot be sent back"))?;
        clean.params.push((name, value));
    }
    DigestClient::try_from(&clean).map_err(|why| escape(&why, 120))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::challenge::challenges;

    fn read(header: &str) -> Vec<Challenge> {
        challenges([header.as_bytes()])
    }

    #[test]
    fn digest_is_answered_in_every_algorithm() {
        // RFC 7616 section 3.9.1, both answers.
        let published = [
            ("md5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ];
        for (algorithm, response) in published {
            let header = format!(
                "DIGEST Realm=http-auth@example.org qop=\"auth, auth-int\" algorithm={algorithm} \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\" opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            );
            let mut client = digest_client(&read(&header)).unwrap();
            let asked = PasswordParams {
                username: "Mufasa",
                password: "Circle of Life",
                uri: "/dir/index.html",
                method: "GET",
                body: Some(b""),
            };
            let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let answer = client.respond_with_testing_cnonce(&asked, cnonce).unwrap();
            assert!(answer.contains(response), "{answer}");
        }
        for algorithm in ["MD5-SESS", "sha-256-sess", "SHA-512-256", "sha-512-256-Sess"] {
            let header = format!("Digest realm=\"a\\\"b\", nonce=\"n\", algorithm={algorithm}, qop=auth");
            assert!(digest_client(&read(&header)).is_ok(), "{algorithm}");
        }
        assert!(digest_client(&read("Digest realm=x, nonce=y, algorithm=ROT13")).is_err());
        assert!(digest_client(&read("Digest realm=\"é\", nonce=y")).is_err());
        assert!(digest_client(&read("Digest nonce=y")).is_err());
    }

    #[test]
    fn a_debug_form_has_no_secret() {
        let settings = Settings {
            proxy_user: Some("wsus".into()),
            proxy_password: Some(Secret::new("hunter2".into())),
            ..Settings::default()
        };
        let auth = Auth::new(&settings, Vec::new(), false, jiff::Timestamp::UNIX_EPOCH);
        assert!(!format!("{auth:?} {:?}", auth.basic()).contains("hunter2"));
        assert_eq!(auth.basic().unwrap().value(), "Basic d3N1czpodW50ZXIy");
    }

    fn hop(host: &str) -> ProxyHop {
        ProxyHop { kind: crate::settings::ProxyKind::Http, host: host.into(), port: 3128 }
    }

    fn auth(password: Option<&str>, basic_denied: bool) -> Auth {
        let settings = Settings {
            proxy_user: Some("wsus".into()),
            proxy_password: password.map(|password| Secret::new(password.into())),
            ..Settings::default()
        };
        Auth::new(&settings, vec![hop("192.0.2.1")], basic_denied, jiff::Timestamp::UNIX_EPOCH)
    }

    #[tokio::test]
    async fn the_strongest_scheme_that_can_be_answered_is_chosen() {
        let ntlm = |negotiate| Some(Scheme::Ntlm { negotiate });
        for (offers, password, denied, expected, passed) in [
            ("Basic realm=x, Digest realm=x nonce=y, NTLM, Negotiate", true, false, ntlm(false), 1),
            ("Basic realm=x, Negotiate", true, false, ntlm(true), 1),
            ("Basic realm=x, Digest realm=x nonce=y", true, false, Some(Scheme::Digest), 0),
            ("Basic realm=x, Digest realm=x nonce=y algorithm=Q", true, false, Some(Scheme::Basic), 1),
            ("Basic realm=x", true, true, None, 1),
            ("Basic realm=x, NTLM, Negotiate, Digest realm=x nonce=y", false, false, None, 4),
            ("Bearer, Kerberos", true, false, None, 2),
        ] {
            let mut over = Vec::new();
            let auth = auth(password.then_some("hunter2"), denied);
            let chosen = match auth.choose(&hop("192.0.2.1"), &read(offers), &mut over).await {
                Choice::With(scheme, Opening::Password) => Some(scheme),
                _ => None,
            };
            assert_eq!((chosen, over.len()), (expected, passed), "{offers}: {over:?}");
        }
    }

    #[test]
    fn credentials_are_for_the_proxies_of_the_plan_alone() {
        let auth = auth(Some("hunter2"), false);
        assert!(matches!(auth.standing(&hop("192.0.2.1")), Standing::Unknown));
        assert!(matches!(auth.standing(&hop("192.0.2.2")), Standing::Silent(AuthStage::NotSent, _)));
        assert_eq!(
            (auth.user_for(&hop("192.0.2.1")), auth.user_for(&hop("192.0.2.2"))),
            (Some("wsus"), None)
        );
    }

    #[test]
    fn what_is_refused_is_refused_for_every_proxy_and_silence_counts_once() {
        let seen = |stage| ProxyAuth { stage, why: "why".into(), ..ProxyAuth::default() };
        let (here, basic) = (hop("192.0.2.1"), Scheme::Basic);
        let unknown = |auth: &Auth| matches!(auth.standing(&here), Standing::Unknown);
        let one = auth(Some("hunter2"), false);
        one.settle(&here, basic, &seen(AuthStage::Broken), Sent::Silence);
        assert!(unknown(&one));
        one.settle(&here, basic, &seen(AuthStage::Broken), Sent::Silence);
        assert!(!unknown(&one));
        let one = auth(Some("hunter2"), false);
        one.settle(&here, basic, &seen(AuthStage::Accepted), Sent::Final);
        one.settle(&here, basic, &seen(AuthStage::Broken), Sent::Final);
        assert!(matches!(one.standing(&here), Standing::Accepted(Scheme::Basic)));
        one.settle(&here, basic, &seen(AuthStage::Rejected), Sent::Final);
        assert!(matches!(one.standing(&here), Standing::Silent(AuthStage::NotSent, _)));
    }

    #[test]
    fn what_an_answer_repeats_of_a_proof_is_covered() {
        let value = Secret::new("Digest username=\"wsus\", response=\"0123456789abcdef\"".to_string());
        let proof = Proof::new(value, Some("hünter2"));
        let mut bytes = "a hünter2 b 0123456789abcdef c hünt".as_bytes().to_vec();
        proof.cover(&mut bytes);
        assert_eq!(String::from_utf8(bytes).unwrap(), "a ******** b **************** c *****");
        let basic = Proof::new(Secret::new("Basic d3N1czpodW50ZXIy".to_string()), None);
        let mut bytes = b"Basic d3N1czpodW50ZXIy, Basic d3N1c".to_vec();
        basic.cover(&mut bytes);
        assert_eq!(bytes, b"Basic ****************, Basic *****");
    }
}
