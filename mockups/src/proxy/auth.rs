//! What a proxy wants to know before it does anything, and how it finds out whether it is true: Basic (RFC 7617),
//! Digest (RFC 7616), NTLM, and NTLM under the name of Negotiate.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use base64::Engine;

use super::{BASE64, Closes, Config, Mode, ntlm};
use crate::http::{Request, Response};
use crate::journal::{Event, Journal, Leg, Outcome};

/// Who may pass: passwords by name, which is `USER` or `DOMAIN\USER`. Names are the same whatever their case. A client
/// that names no domain is known all the same, as with a server that has one domain alone; an account without a
/// domain is of any.
#[derive(Debug, Clone, Default)]
pub struct Accounts(Vec<(String, String)>);

impl Accounts {
    /// Whether nobody may.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The password of whoever is called so.
    pub(super) fn password(&self, name: &str) -> Option<&str> {
        let parts = |name: &str| match name.to_lowercase().rsplit_once('\\') {
            Some((domain, user)) => (domain.to_owned(), user.to_owned()),
            None => (String::new(), name.to_lowercase()),
        };
        let (domain, user) = parts(name);
        let known = self.0.iter().find(|(known, _)| {
            let (of, who) = parts(known);
            who == user && (of == domain || of.is_empty() || domain.is_empty())
        });
        known.map(|(_, password)| password.as_str())
    }
}

impl IntoIterator for Accounts {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, String)> for Accounts {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(list: T) -> Self {
        Accounts(list.into_iter().collect())
    }
}

/// What is kept of one connection: NTLM belongs to it.
#[derive(Debug, Default)]
pub(super) struct Session {
    challenge: Option<(String, ntlm::Challenge)>,
    inside: bool,
}

/// What is kept of a proxy: nonces belong to all connections.
#[derive(Debug, Default)]
pub(super) struct Gate {
    nonces: Mutex<BTreeMap<String, BTreeSet<u32>>>,
    called_stale: Mutex<usize>,
}

/// What a request gets.
pub(super) enum Step {
    /// What it asks for.
    In,
    /// 407, after which the connection may end.
    Ask(Response, bool),
    /// The end of the connection.
    Hangup,
}

impl Gate {
    /// Looks at a request's credentials and writes down what came of them.
    pub fn step(
        &self,
        config: &Config,
        mode: &Mode,
        session: &mut Session,
        request: &Request,
        name: &str,
        journal: &Journal,
    ) -> Step {
        if session.inside {
            return Step::In;
        }
        let Some(header) = request.header("Proxy-Authorization") else {
            let close = config.closes == Closes::AfterDemand;
            return Step::Ask(self.demand(config, false), close);
        };
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        let token = token.trim();
        let message = BASE64.decode(token).unwrap_or_default();
        let offered = config.challenges.iter().any(|c| scheme_of(c).eq_ignore_ascii_case(scheme));
        let leg = if ntlm::number(&message) == Some(1) { Leg::First } else { Leg::Final };
        let record = |user: &str, outcome| {
            journal.add(Event::Authentication {
                listener: name.to_owned(),
                scheme: scheme.to_owned(),
                user: user.to_owned(),
                leg,
                outcome,
            });
        };
        let ask = |stale| Step::Ask(self.demand(config, stale), false);
        let pending = session.challenge.take();
        if *mode == Mode::AuthenticateBroken {
            record("", Outcome::Ignored);
            return Step::Hangup;
        }
        if !offered {
            record("", Outcome::Ignored);
            return ask(false);
        }
        let two_legs = ["ntlm", "negotiate"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
        if two_legs && leg == Leg::First {
            if *mode == Mode::AuthenticateTokenless {
                record("", Outcome::Ignored);
                return ask(false);
            }
            let closes = ["Connection", "Proxy-Connection"]
                .iter()
                .any(|name| request.header(name).is_some_and(|v| v.eq_ignore_ascii_case("close")));
            if closes || config.closes == Closes::InsteadOfToken {
                record("", Outcome::Ignored);
                return Step::Ask(config.page(407, "The connection is closed."), true);
            }
            record("", Outcome::Challenged);
            let filetime = (config.clock.now() + 11_644_473_600).unsigned_abs() * 10_000_000;
            let challenge = ntlm::Challenge::new(&message, config.token, filetime);
            let answer = match config.token {
                super::Token::NotBase64 => format!("{scheme} {}", "!\u{e9}~".repeat(20)),
                _ => format!("{scheme} {}", BASE64.encode(&challenge.message)),
            };
            session.challenge = Some((scheme.to_ascii_lowercase(), challenge));
            let page = config.page(407, "Go on.").with("Proxy-Authenticate", &answer);
            return Step::Ask(page, config.closes == Closes::AfterFirstMessage);
        }
        let accounts = config.everybody();
        let (user, mut outcome) = if two_legs {
            match pending.filter(|(of, _)| scheme.eq_ignore_ascii_case(of)) {
                _ if config.accepts_final && ntlm::number(&message) == Some(3) => {
                    (String::new(), Outcome::Accepted)
                }
                // Kerberos, or an answer to a challenge of another connection: there is nothing to hold it against.
                None => (String::new(), Outcome::Ignored),
                Some((_, challenge)) => match challenge.check(&message, &accounts) {
                    ntlm::Answer::Right(user) => (user, Outcome::Accepted),
                    ntlm::Answer::Wrong(user) => (user, Outcome::Refused),
                    ntlm::Answer::Unreadable => (String::new(), Outcome::Ignored),
                },
            }
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(&message, &accounts)
        } else if scheme.eq_ignore_ascii_case("digest") {
            self.digest(config, &accounts, token, request)
        } else {
            (String::new(), Outcome::Ignored)
        };
        let never = matches!(mode, Mode::AuthenticateAlways | Mode::AuthenticateTokenless);
        if outcome == Outcome::Accepted && never {
            outcome = Outcome::Refused;
        }
        record(&user, outcome);
        if outcome == Outcome::Accepted {
            session.inside = two_legs;
            return Step::In;
        }
        ask(outcome == Outcome::Stale)
    }

    /// The 407 that begins anew.
    fn demand(&self, config: &Config, stale: bool) -> Response {
        let mut challenges: Vec<String> = config.challenges.iter().map(|c| self.fresh(c, stale)).collect();
        challenges.extend((0..config.more_schemes).map(|n| format!("Scheme{n}")));
        let mut response = config.page(407, "The proxy wants to know who you are.");
        if config.one_header {
            return response.with("Proxy-Authenticate", &challenges.join(", "));
        }
        for challenge in &challenges {
            response = response.with("Proxy-Authenticate", challenge);
        }
        response
    }

    /// A challenge of Digest gets a nonce, where it has none.
    fn fresh(&self, challenge: &str, stale: bool) -> String {
        if !scheme_of(challenge).eq_ignore_ascii_case("digest") {
            return challenge.to_owned();
        }
        let given = parameters(challenge).remove("nonce");
        let nonce = given
            .clone()
            .unwrap_or_else(|| BASE64.encode(std::array::from_fn::<u8, 18, _>(|_| fastrand::u8(..))));
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).entry(nonce.clone()).or_default();
        let mut text = challenge.to_owned();
        if given.is_none() {
            text.push_str(&format!(", nonce=\"{nonce}\""));
        }
        if stale {
            text.push_str(", stale=true");
        }
        text
    }

    fn digest(
        &self,
        config: &Config,
        accounts: &Accounts,
        token: &str,
        request: &Request,
    ) -> (String, Outcome) {
        let said = parameters(&format!("Digest {token}"));
        let get = |name: &str| said.get(name).map_or("", String::as_str);
        let user = get("username").to_owned();
        if config.accepts_final {
            return (user, Outcome::Accepted);
        }
        let algorithm = |of: &BTreeMap<String, String>| {
            of.get("algorithm").map_or("md5".to_owned(), |a| a.to_lowercase())
        };
        let asked = config
            .challenges
            .iter()
            .filter(|c| scheme_of(c).eq_ignore_ascii_case("digest"))
            .map(|c| parameters(c))
            .find(|c| c.get("realm") == said.get("realm") && algorithm(c) == algorithm(&said));
        let Some(asked) = asked else { return (user, Outcome::Ignored) };
        // Of a request that is passed on in clear, curl names the path alone.
        let path = request.target.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
        let meant = get("uri") == request.target || path == Some(get("uri"));
        if said.get("opaque") != asked.get("opaque") || !meant {
            return (user, Outcome::Ignored);
        }
        let with_quality = asked.get("qop").is_some_and(|list| list.split(',').any(|q| q.trim() == "auth"));
        let count = u32::from_str_radix(get("nc"), 16).ok().filter(|_| get("nc").len() == 8);
        if with_quality && (get("qop") != "auth" || count.is_none() || get("cnonce").is_empty()) {
            return (user, Outcome::Ignored);
        }
        // As servers do: whoever comes with an old nonce, or a second time with the same count, is told so and nothing
        // of the password.
        let current = {
            let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
            match nonces.get_mut(get("nonce")) {
                Some(used) => count.is_none_or(|count| used.insert(count)),
                None => false,
            }
        };
        if !current {
            return (user, Outcome::Stale);
        }
        let hash = |text: &str| -> String {
            let bytes: Vec<u8> = if algorithm(&said).starts_with("sha-256") {
                ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref().to_vec()
            } else {
                md5::compute(text).to_vec()
            };
            bytes.iter().map(|b| format!("{b:02x}")).collect()
        };
        if !["md5", "md5-sess", "sha-256", "sha-256-sess"].contains(&algorithm(&said).as_str()) {
            return (user, Outcome::Ignored);
        }
        let right = accounts.password(&user).is_some_and(|password| {
            let mut first = hash(&format!("{user}:{}:{password}", get("realm")));
            if algorithm(&said).ends_with("-sess") {
                first = hash(&format!("{first}:{}:{}", get("nonce"), get("cnonce")));
            }
            let second = hash(&format!("{}:{}", request.method, get("uri")));
            let middle = match with_quality {
                true => format!("{}:{}:{}:auth", get("nonce"), get("nc"), get("cnonce")),
                false => get("nonce").to_owned(),
            };
            hash(&format!("{first}:{middle}:{second}")) == get("response")
        });
        if !right {
            return (user, Outcome::Refused);
        }
        let mut called = self.called_stale.lock().unwrap_or_else(PoisonError::into_inner);
        if *called < config.stale {
            *called += 1;
            self.nonces.lock().unwrap_or_else(PoisonError::into_inner).remove(get("nonce"));
            return (user, Outcome::Stale);
        }
        (user, Outcome::Accepted)
    }
}

fn basic(message: &[u8], accounts: &Accounts) -> (String, Outcome) {
    match String::from_utf8_lossy(message).split_once(':') {
        None => (String::new(), Outcome::Ignored),
        Some((user, password)) => {
            let right = accounts.password(user) == Some(password);
            (user.to_owned(), if right { Outcome::Accepted } else { Outcome::Refused })
        }
    }
}

/// The name in front of a challenge.
fn scheme_of(challenge: &str) -> &str {
    challenge.trim_start().split([' ', ',']).next().unwrap_or("")
}

/// The parameters behind a scheme, by name in lower case, with quotes and escapes undone.
fn parameters(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = text.trim_start().split_once(' ').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_lowercase();
        let after = after.trim_start();
        let mut value = String::new();
        let mut end = after.len();
        if let Some(quoted) = after.strip_prefix('"') {
            let mut letters = quoted.char_indices();
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '"' => {
                        end = at + 2;
                        break;
                    }
                    '\\' => value.extend(letters.next().map(|(_, c)| c)),
                    c => value.push(c),
                }
            }
        } else {
            end = after.find(',').unwrap_or(after.len());
            value = after[..end].trim().to_owned();
        }
        found.insert(name, value);
        rest = &after[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::http::Clock;

    #[test]
    fn parameters_are_read_as_they_are_written() {
        let read = parameters(r#"Digest realm="a \"b\", c", QOP=auth , nonce = "x=", nc=00000001"#);
        assert_eq!(read["realm"], "a \"b\", c");
        assert_eq!((&*read["qop"], &*read["nonce"], &*read["nc"]), ("auth", "x=", "00000001"));
        assert_eq!(scheme_of("NTLM"), "NTLM");
        assert!(parameters("NTLM").is_empty());
    }

    #[test]
    fn a_name_is_known_with_and_without_its_domain() {
        let accounts = Accounts::from_iter([
            ("EXAMPLE\\wsus".to_owned(), "a".to_owned()),
            ("guest".to_owned(), "b".to_owned()),
        ]);
        for (name, password) in [
            ("EXAMPLE\\wsus", Some("a")),
            ("example\\WSUS", Some("a")),
            ("wsus", Some("a")),
            ("OTHER\\wsus", None),
            ("OTHER\\guest", Some("b")),
            ("nobody", None),
        ] {
            assert_eq!(accounts.password(name), password, "{name}");
        }
    }

    /// The examples of RFC 7616 3.9.1, which are of a GET.
    #[test]
    fn the_documents_examples_of_digest_are_let_in_once() {
        let opaque = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        for (algorithm, response) in [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let mut config = Config::open(Arc::new(|_, _| None), Clock::starting_at(0));
            config.accounts = Accounts::from_iter([("Mufasa".to_owned(), "Circle of Life".to_owned())]);
            config.challenges = vec![format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"{nonce}\", opaque=\"{opaque}\""
            )];
            let gate = Gate::default();
            gate.demand(&config, false);
            let request = Request {
                method: "GET".to_owned(),
                target: "/dir/index.html".to_owned(),
                ..Request::default()
            };
            let answer = |response: &str, nc: &str| {
                let token = format!(
                    "username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", \
                     algorithm={algorithm}, nonce=\"{nonce}\", nc={nc}, qop=auth, response=\"{response}\", \
                     cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", opaque=\"{opaque}\""
                );
                gate.digest(&config, &config.everybody(), &token, &request).1
            };
            assert_eq!(answer(response, "00000001"), Outcome::Accepted);
            assert_eq!(answer(response, "00000001"), Outcome::Stale, "a replay");
            // The count is part of what is hashed.
            assert_eq!(answer(response, "00000002"), Outcome::Refused);
            assert_eq!(answer(response, "3"), Outcome::Ignored);
        }
    }

    /// A proxy that knows EXAMPLE\\wsus, and one connection to it.
    struct Talk {
        config: Config,
        gate: Gate,
        session: Session,
        journal: Journal,
    }

    impl Talk {
        fn new(challenges: &[&str], change: impl FnOnce(&mut Config)) -> Talk {
            let mut config = Config::open(Arc::new(|_, _| None), Clock::starting_at(1_800_000_000));
            config.accounts = Accounts::from_iter([("EXAMPLE\\wsus".to_owned(), "secret".to_owned())]);
            config.challenges = challenges.iter().map(|&c| c.to_owned()).collect();
            change(&mut config);
            Talk { config, gate: Gate::default(), session: Session::default(), journal: Journal::default() }
        }

        /// What is asked after these credentials, and whether the connection ends; `None` where they are let in.
        fn say(&mut self, credentials: &str) -> Option<(Vec<String>, bool)> {
            let mut request = Request {
                method: "CONNECT".to_owned(),
                target: "upstream.example.com:8531".to_owned(),
                ..Request::default()
            };
            if !credentials.is_empty() {
                request.headers.push(("proxy-authorization".to_owned(), credentials.to_owned()));
            }
            let Talk { config, gate, session, journal } = self;
            match gate.step(config, &config.mode.clone(), session, &request, "proxy", journal) {
                Step::In => None,
                Step::Hangup => Some((Vec::new(), true)),
                Step::Ask(page, close) => {
                    assert_eq!(page.status, 407);
                    let asked = |(name, value): &(String, String)| {
                        (name == "Proxy-Authenticate").then(|| value.clone())
                    };
                    Some((page.headers.iter().filter_map(asked).collect(), close))
                }
            }
        }

        fn again(&mut self) {
            self.session = Session::default();
        }

        fn outcomes(&self) -> Vec<(Leg, Outcome)> {
            let outcome = |event: Event| match event {
                Event::Authentication { leg, outcome, .. } => Some((leg, outcome)),
                _ => None,
            };
            self.journal.events().into_iter().filter_map(outcome).collect()
        }
    }

    const FIRST: &[u8] = b"NTLMSSP\x00\x01\0\0\0\x07\x82\x08\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    fn token(of: &(Vec<String>, bool)) -> Vec<u8> {
        assert_eq!(of.0.len(), 1, "{of:?}");
        BASE64.decode(of.0[0].split(' ').nth(1).unwrap()).unwrap()
    }

    #[test]
    fn ntlm_is_let_in_on_its_own_connection_alone() {
        for scheme in ["NTLM", "Negotiate"] {
            let first = format!("{scheme} {}", BASE64.encode(FIRST));
            let mut talk = Talk::new(&["Negotiate", "NTLM"], |_| {});
            let last = |challenge: &[u8], user: &str, password: &str| {
                format!(
                    "{scheme} {}",
                    BASE64.encode(ntlm::last_message(FIRST, challenge, "EXAMPLE", user, password))
                )
            };
            assert_eq!(talk.say(""), Some((vec!["Negotiate".to_owned(), "NTLM".to_owned()], false)));
            let challenge = token(&talk.say(&first).unwrap());
            assert_eq!(talk.say(&last(&challenge, "WSUS", "secret")), None);
            // Another connection knows nothing of it, nor does a second challenge.
            let old = last(&challenge, "wsus", "secret");
            talk.again();
            assert!(talk.say(&old).is_some());
            talk.say(&first);
            assert!(talk.say(&old).is_some());
            // A challenge is answered once, rightly or not.
            let challenge = token(&talk.say(&first).unwrap());
            assert_eq!(talk.say(&last(&challenge, "wsus", "Secret")).unwrap().0.len(), 2);
            assert!(talk.say(&last(&challenge, "wsus", "secret")).is_some());
            let legs = [
                (Leg::First, Outcome::Challenged),
                (Leg::Final, Outcome::Accepted),
                (Leg::Final, Outcome::Ignored),
                (Leg::First, Outcome::Challenged),
                (Leg::Final, Outcome::Refused),
                (Leg::First, Outcome::Challenged),
                (Leg::Final, Outcome::Refused),
                (Leg::Final, Outcome::Ignored),
            ];
            assert_eq!(talk.outcomes(), legs);
            assert_eq!(talk.journal.authentications(Outcome::Accepted), [format!("{scheme} EXAMPLE\\WSUS")]);
        }
    }

    #[test]
    fn a_code_over_the_messages_that_is_wrong_is_refused() {
        let mut talk = Talk::new(&["NTLM"], |_| {});
        let challenge = token(&talk.say(&format!("NTLM {}", BASE64.encode(FIRST))).unwrap());
        // As if another first message had been sent.
        let last = ntlm::last_message(b"other", &challenge, "EXAMPLE", "wsus", "secret");
        assert!(talk.say(&format!("NTLM {}", BASE64.encode(last))).is_some());
        assert_eq!(talk.journal.authentications(Outcome::Refused).len(), 1);
    }

    #[test]
    fn a_connection_ends_where_it_was_told_to() {
        let first = format!("NTLM {}", BASE64.encode(FIRST));
        let bare = vec!["NTLM".to_owned()];
        let mut talk = Talk::new(&["NTLM"], |config| config.closes = Closes::AfterDemand);
        assert_eq!(talk.say(""), Some((bare.clone(), true)));
        assert!(!talk.say(&first).unwrap().1);
        let mut talk = Talk::new(&["NTLM"], |config| config.closes = Closes::AfterFirstMessage);
        assert_eq!(talk.say(""), Some((bare.clone(), false)));
        let answer = talk.say(&first).unwrap();
        assert!(answer.1 && ntlm::number(&token(&answer)) == Some(2));
        let mut talk = Talk::new(&["NTLM"], |config| config.closes = Closes::InsteadOfToken);
        assert_eq!(talk.say(""), Some((bare.clone(), false)));
        assert_eq!(talk.say(&first), Some((Vec::new(), true)));
        let mut talk = Talk::new(&["NTLM"], |config| config.mode = Mode::AuthenticateBroken);
        assert_eq!(talk.say(&first), Some((Vec::new(), true)));
        let mut talk = Talk::new(&["NTLM"], |config| config.mode = Mode::AuthenticateTokenless);
        assert_eq!(talk.say(&first), Some((bare, false)));
    }

    #[test]
    fn broken_challenges_are_broken() {
        use super::super::Token::{Cut, Endless, Huge, Kind, NotBase64, Offsets, Right, Signature};
        let first = format!("NTLM {}", BASE64.encode(FIRST));
        for broken in [Right, Cut, Signature, Offsets, Kind, Endless, Huge, NotBase64] {
            let mut talk = Talk::new(&["NTLM"], |config| config.token = broken);
            let answer = talk.say(&first).unwrap();
            if broken == NotBase64 {
                assert!(BASE64.decode(answer.0[0].split(' ').nth(1).unwrap()).is_err());
                continue;
            }
            let message = token(&answer);
            let good = ntlm::number(&message) == Some(2) && message.len() > 56 && message.len() < 1_000;
            assert_eq!(good, matches!(broken, Right | Offsets | Endless), "{broken:?}");
        }
    }

    #[test]
    fn nothing_is_looked_at_that_was_not_offered() {
        let mut talk = Talk::new(&["Digest realm=\"x\""], |config| config.more_schemes = 2_000);
        let basic = format!("Basic {}", BASE64.encode("EXAMPLE\\wsus:secret"));
        for credentials in [&basic, "Negotiate YII=", "Digest", "NTLM", "x"] {
            assert_eq!(talk.say(credentials).unwrap().0.len(), 2_001, "{credentials}");
        }
        assert!(talk.outcomes().iter().all(|(_, outcome)| *outcome == Outcome::Ignored));
        let mut talk = Talk::new(&["bAsIc realm=\"x\""], |config| config.one_header = true);
        assert_eq!(talk.say(&basic), None);
        assert_eq!(talk.say(""), Some((vec!["bAsIc realm=\"x\"".to_owned()], false)));
        assert!(talk.say(&format!("Basic {}", BASE64.encode("wsus:secret "))).is_some());
        assert_eq!(talk.journal.authentications(Outcome::Refused), ["Basic wsus"]);
    }

    #[test]
    fn a_nonce_is_the_proxys_own() {
        let mut talk = Talk::new(&["Digest realm=\"x\", qop=\"auth\""], |config| config.stale = 1);
        let answer = |nonce: &str, nc: u32, password: &str| {
            let hash = |text: String| format!("{:x}", md5::compute(text));
            let (first, second) =
                (hash(format!("wsus:x:{password}")), hash("CONNECT:upstream.example.com:8531".to_owned()));
            let response = hash(format!("{first}:{nonce}:{nc:08x}:c:auth:{second}"));
            format!(
                "Digest username=\"wsus\", realm=\"x\", nonce=\"{nonce}\", uri=\"upstream.example.com:8531\", \
                 nc={nc:08x}, cnonce=\"c\", qop=auth, response=\"{response}\""
            )
        };
        let nonce = |asked: Option<(Vec<String>, bool)>| {
            let asked = asked.unwrap().0.remove(0);
            (parameters(&asked)["nonce"].clone(), asked.contains("stale=true"))
        };
        // An unknown nonce is stale, whatever the password is; and the first right answer is called so.
        let (fresh, stale) = nonce(talk.say(&answer("unknown", 1, "wrong")));
        assert!(stale);
        let (fresh, stale) = nonce(talk.say(&answer(&fresh, 1, "secret")));
        assert!(stale);
        assert_eq!(talk.say(&answer(&fresh, 1, "secret")), None);
        assert_eq!(talk.say(&answer(&fresh, 2, "secret")), None);
        assert!(nonce(talk.say(&answer(&fresh, 2, "secret"))).1, "a count that was there before");
        assert!(!nonce(talk.say(&answer(&fresh, 3, "wrong"))).1);
        assert_eq!(talk.journal.authentications(Outcome::Refused), ["Digest wsus"]);
    }
}
