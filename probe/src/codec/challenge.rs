//! Lists of challenges, as `Proxy-Authenticate` carries them (RFC 9110 section 11.6.1), read with patience: several
//! headers, several schemes in one, any case, tokens, parameters without commas, bytes that are no ASCII.

/// The most challenges that are kept.
pub const MOST: usize = 64;
/// The most parameters of a challenge that are kept.
const MOST_PARAMETERS: usize = 32;
/// The longest name of a scheme or a parameter.
const NAME_LIMIT: usize = 40;
/// The longest value of a parameter, in bytes.
const VALUE_LIMIT: usize = 4096;
/// The longest token, in bytes: what a head can hold.
const TOKEN_LIMIT: usize = 64 * 1024;

/// Schemes that begin a challenge even where the comma before them is missing.
const KNOWN: [&str; 6] = ["Basic", "Digest", "NTLM", "Negotiate", "Kerberos", "Bearer"];

/// One challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, as written.
    pub scheme: String,
    /// The token behind it, where there is one (`token68`).
    pub token: Option<String>,
    /// Its parameters in order: names in lower case, values without quotes, escapes and control characters.
    pub params: Vec<(String, String)>,
}

impl Challenge {
    /// Whether it is of this scheme, in any case.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first parameter of that name, which is in lower case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// Reads the challenges of all headers, at most [`MOST`].
pub fn challenges<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for header in headers {
        Reader { bytes: header, at: 0 }.read(&mut found);
        if found.len() >= MOST {
            break;
        }
    }
    found
}

/// The names of the schemes, each once, in order and as written; at most 16.
pub fn names(challenges: &[Challenge]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for challenge in challenges {
        if names.len() < 16 && !names.iter().any(|name| challenge.is(name)) {
            names.push(challenge.scheme.clone());
        }
    }
    names
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn read(mut self, found: &mut Vec<Challenge>) {
        let before = found.len();
        // A scheme begins a header, or follows a comma.
        let mut may_begin = true;
        while found.len() <= MOST {
            may_begin |= self.skip_separators();
            let Some(&byte) = self.bytes.get(self.at) else { break };
            if byte == b'"' {
                self.quoted();
                continue;
            }
            let word = self.take(is_word);
            if word.is_empty() {
                self.at += 1;
                continue;
            }
            let name = text(&word[..word.len().min(NAME_LIMIT)]);
            let after_word = self.at;
            self.skip_blanks();
            if self.peek() == Some(b'=') {
                self.at += 1;
                self.skip_blanks();
                let value = if self.peek() == Some(b'"') { self.quoted() } else { self.bare() };
                may_begin = false;
                if let Some(challenge) = found[before..].last_mut()
                    && challenge.params.len() < MOST_PARAMETERS
                {
                    challenge.params.push((name.to_ascii_lowercase(), value));
                }
                continue;
            }
            self.at = after_word;
            if !may_begin && !is_known(&name) {
                continue;
            }
            may_begin = false;
            if found.len() >= MOST {
                break;
            }
            let token = if self.peek().is_some_and(is_blank) { self.token(&name) } else { None };
            found.push(Challenge { scheme: name, token, params: Vec::new() });
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Skips blanks and separators; whether a comma was among them.
    fn skip_separators(&mut self) -> bool {
        let mut comma = false;
        while let Some(byte) = self.peek().filter(|&b| is_blank(b) || b == b',' || b == b';') {
            comma |= byte == b',';
            self.at += 1;
        }
        comma
    }

    fn skip_blanks(&mut self) {
        self.take(is_blank);
    }

    fn take(&mut self, what: impl Fn(u8) -> bool) -> &[u8] {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| !what(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// The token behind a scheme: nothing but its characters and padding up to the next comma.
    fn token(&mut self, scheme: &str) -> Option<String> {
        if scheme.eq_ignore_ascii_case("Basic") || scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let start = self.at;
        self.skip_blanks();
        let from = self.at;
        self.take(is_token);
        let body = self.at;
        self.take(|byte| byte == b'=');
        let to = self.at;
        self.skip_blanks();
        let ends = matches!(self.peek(), None | Some(b','));
        let word = &self.bytes[from..to];
        if body > from && ends && word.len() <= TOKEN_LIMIT && !is_known(&text(&word[..word.len().min(40)])) {
            self.at = to;
            return Some(text(word));
        }
        self.at = start;
        None
    }

    /// A quoted string with its escapes; one that never ends is taken to the end.
    fn quoted(&mut self) -> String {
        self.at += 1;
        let mut value = Vec::new();
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some(escaped) = self.peek() {
                        self.at += 1;
                        value.push(escaped);
                    }
                }
                byte => value.push(byte),
            }
        }
        value.truncate(VALUE_LIMIT);
        text(&value)
    }

    /// A value without quotes, up to the next separator.
    fn bare(&mut self) -> String {
        let value = self.take(|byte| !is_blank(byte) && byte != b',' && byte != b';');
        text(&value[..value.len().min(VALUE_LIMIT)])
    }
}

fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Blanks, and what must not be in a header at all.
fn is_blank(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

/// The characters of a token (RFC 9110 section 5.6.2).
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The characters of a `token68` without its padding.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// As UTF-8, or as Latin-1 where it is none; control characters are left out.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().filter(|c| !c.is_control()).collect(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).filter(|c| !c.is_control()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(headers: &[&str]) -> Vec<Challenge> {
        challenges(headers.iter().map(|header| header.as_bytes()))
    }

    fn schemes(headers: &[&str]) -> Vec<String> {
        names(&read(headers))
    }

    #[test]
    fn schemes_come_in_order_and_parameters_are_none() {
        assert_eq!(
            schemes(&["Negotiate", "NTLM", r#"Basic realm="a, b", charset="UTF-8""#]),
            ["Negotiate", "NTLM", "Basic"]
        );
        assert_eq!(
            schemes(&[r#"digest realm="x", nonce="y=, Basic z", qop="auth", basic realm=q"#]),
            ["digest", "basic"]
        );
        assert_eq!(schemes(&["NTLM TlRMTVNTUAACAAAA=="]), ["NTLM"]);
        assert!(schemes(&[", ,"]).is_empty());
    }

    #[test]
    fn a_token_is_one_to_the_last_padding() {
        let list = read(&["ntlm TlRMTVNTUAACAAAA==, Negotiate oYG/+a_b=", "NTLM"]);
        assert_eq!(list.len(), 3);
        assert_eq!(list[0].token.as_deref(), Some("TlRMTVNTUAACAAAA=="));
        assert_eq!(list[1].token.as_deref(), Some("oYG/+a_b="));
        assert_eq!(list[2].token, None);
    }

    #[test]
    fn odd_forms_are_read() {
        let list =
            read(&[r#", ,Digest realm = "a \"b\" \\ c"  nonce="n"	algorithm=md5; qop=auth,,stale=TRUE"#]);
        assert_eq!(list.len(), 1, "{list:?}");
        assert_eq!(list[0].param("realm"), Some(r#"a "b" \ c"#));
        assert_eq!(list[0].param("nonce"), Some("n"));
        assert_eq!(list[0].param("algorithm"), Some("md5"));
        assert_eq!(list[0].param("qop"), Some("auth"));
        assert_eq!(list[0].param("stale"), Some("TRUE"));
        assert_eq!(schemes(&["Negotiate NTLM Basic realm=Rig proxy"]), ["Negotiate", "NTLM", "Basic"]);
        assert_eq!(schemes(&["BASIC REALM=\"x\"NTLM"]), ["BASIC", "NTLM"]);
    }

    #[test]
    fn other_bytes_are_latin_1_or_utf_8_and_controls_are_dropped() {
        let list =
            challenges([b"Basic realm=\"caf\xe9\r\nX: y\"".as_slice(), "Basic realm=\"é\"".as_bytes()]);
        assert_eq!(list[0].param("realm"), Some("caféX: y"));
        assert_eq!(list[1].param("realm"), Some("é"));
    }

    #[test]
    fn of_two_thousand_schemes_the_first_ones_are_kept() {
        let many: String = (0..2000).map(|n| format!("X{n} a=b, ")).collect();
        let list = read(&[&many, &many]);
        assert_eq!(list.len(), MOST);
        assert_eq!((list[63].scheme.as_str(), list[63].params.len()), ("X63", 1));
        assert_eq!(names(&list).len(), 16);
        let params: String = (0..2000).map(|n| format!("p{n}=v ")).collect();
        assert_eq!(read(&[&format!("Digest {params}")])[0].params.len(), MOST_PARAMETERS);
        let long = format!("Basic realm=\"{}\"", "x".repeat(100_000));
        assert_eq!(read(&[&long])[0].param("realm").map(str::len), Some(VALUE_LIMIT));
    }

    #[test]
    fn cut_at_every_byte_it_stays_readable() {
        let whole = r#"Digest realm="a\"b", nonce=x==, NTLM TlRM/+==, Basic realm="é", Negotiate"#.as_bytes();
        for end in 0..=whole.len() {
            let list = challenges([&whole[..end]]);
            assert!(list.len() <= 4, "{list:?}");
            assert!(end < 6 || list[0].is("Digest"), "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_within_its_bounds(header in proptest::collection::vec(any::<u8>(), 0..600)) {
            let list = challenges([header.as_slice(), header.as_slice()]);
            prop_assert!(list.len() <= MOST);
            for challenge in &list {
                prop_assert!(!challenge.scheme.is_empty() && challenge.scheme.len() <= NAME_LIMIT);
                let texts = challenge.params.iter().flat_map(|(n, v)| [n, v]).chain(&challenge.token);
                prop_assert!(texts.into_iter().all(|text| !text.chars().any(char::is_control)));
            }
        }

        #[test]
        fn what_is_written_is_read(realm in "[ -~]{0,40}", nonce in "[A-Za-z0-9+/=]{1,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("NTLM, Digest realm=\"{quoted}\", nonce=\"{nonce}\", qop=\"auth\"");
            let list = read(&[&header]);
            prop_assert_eq!(list.len(), 2);
            prop_assert_eq!(list[1].param("realm"), Some(realm.as_str()));
            prop_assert_eq!(list[1].param("nonce"), Some(nonce.as_str()));
        }
    }
}
