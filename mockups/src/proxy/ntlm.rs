//! NTLM as a server speaks it ([MS-NLMP]): makes a challenge and checks the answer to it, NTLMv2 alone. Written from the
//! specification and held to its own example, so that a client that is wrong cannot be let in by the same mistake.

use super::Token;
use super::auth::Accounts;

const SIGNATURE: &[u8] = b"NTLMSSP\0";
/// A response of NTLMv2 is the proof and at least the fixed part of what the client adds (2.2.2.7, 2.2.2.8).
const SHORTEST_RESPONSE: usize = 16 + 28;
const UNICODE: u32 = 0x1;
const KEY_EXCHANGE: u32 = 0x4000_0000;

/// Which of the three messages it is.
pub(super) fn number(message: &[u8]) -> Option<u32> {
    message.strip_prefix(SIGNATURE)?.first_chunk().map(|n| u32::from_le_bytes(*n))
}

/// A challenge that was sent, and what it answered.
#[derive(Debug, Clone)]
pub(super) struct Challenge {
    first: Vec<u8>,
    secret: [u8; 8],
    /// As sent.
    pub message: Vec<u8>,
}

/// What the last message turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// That user, who knows the password.
    Right(String),
    /// That user, who does not, or is not known.
    Wrong(String),
    /// No message that can be read, or none of NTLMv2.
    Unreadable,
}

impl Challenge {
    /// The answer to a first message, laid out as 2.2.1.2 says, from a domain called EXAMPLE; broken where it shall be.
    pub fn new(first: &[u8], broken: Token, filetime: u64) -> Challenge {
        let secret: [u8; 8] = std::array::from_fn(|_| fastrand::u8(..));
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let domain = utf16("EXAMPLE");
        let mut info = Vec::new();
        let pairs = [
            (2_u16, domain.clone()),
            (1, utf16("PROXY")),
            (4, utf16("example.com")),
            (3, utf16("proxy.example.com")),
            (7, filetime.to_le_bytes().to_vec()),
            (0, Vec::new()),
        ];
        for (id, value) in pairs {
            info.extend(id.to_le_bytes());
            info.extend((value.len() as u16).to_le_bytes());
            info.extend(value);
        }
        if broken == Token::Endless {
            // The list ends without its end.
            info.truncate(info.len() - 4);
        }
        let field = |size: usize, offset: usize| {
            let size = (size as u16).to_le_bytes();
            [&size[..], &size, &(offset as u32).to_le_bytes()].concat()
        };
        // Unicode, target requested, NTLM, always sign, target is a domain, extended security, target info, version,
        // 128 and 56 bits.
        let flags = UNICODE
            | 0x4
            | 0x200
            | 0x8000
            | 0x1_0000
            | 0x8_0000
            | 0x80_0000
            | 0x200_0000
            | 0x2000_0000
            | 0x8000_0000;
        let away = if broken == Token::Offsets { 0xffff_0000 } else { 0 };
        let mut message = [
            SIGNATURE,
            &if broken == Token::Kind { 1_u32 } else { 2 }.to_le_bytes(),
            &field(domain.len(), 56 + away),
            &flags.to_le_bytes(),
            &secret,
            &[0; 8],
            &field(info.len(), 56 + domain.len() + away),
            &[10, 0, 0x7c, 0x4f, 0, 0, 0, 15],
            &domain,
            &info,
        ]
        .concat();
        match broken {
            Token::Cut => message.truncate(28),
            Token::Signature => message[..8].copy_from_slice(b"NTLMSSQ\0"),
            Token::Huge => message.resize(200_000, 0),
            _ => {}
        }
        Challenge { first: first.to_vec(), secret, message }
    }

    /// Reads and checks the last message.
    pub fn check(&self, last: &[u8], accounts: &Accounts) -> Answer {
        self.read(last, accounts).unwrap_or(Answer::Unreadable)
    }

    fn read(&self, last: &[u8], accounts: &Accounts) -> Option<Answer> {
        if number(last) != Some(3) {
            return None;
        }
        let (response, lowest) = field(last, 20)?;
        let (domain, low) = field(last, 28)?;
        let (user, lower) = field(last, 36)?;
        let payload = lowest.min(low).min(lower);
        // Old clients leave the flags away, and speak Unicode where the challenge did.
        let flags = if payload >= 64 { u32::from_le_bytes(*last.get(60..)?.first_chunk()?) } else { UNICODE };
        let text = |bytes: &[u8]| {
            if flags & UNICODE == 0 {
                return Some(String::from_utf8_lossy(bytes).into_owned());
            }
            let units = bytes.chunks(2).map(|c| c.try_into().ok().map(u16::from_le_bytes));
            String::from_utf16(&units.collect::<Option<Vec<u16>>>()?).ok()
        };
        let (domain, user) = (text(domain)?, text(user)?);
        let named = if domain.is_empty() { user.clone() } else { format!("{domain}\\{user}") };
        if user.is_empty() {
            return None;
        }
        // NTLM of version 1, or nobody: refused as by whoever demands version 2.
        if response.len() < SHORTEST_RESPONSE || response[16..18] != [1, 1] {
            return Some(Answer::Wrong(named));
        }
        let (proof, added) = response.split_at(16);
        let right = accounts.password(&named).is_some_and(|password| {
            let owner = owner_key(&user, &domain, password);
            if hmac(&owner, &[&self.secret, added].concat()) != proof {
                return false;
            }
            let base = hmac(&owner, proof);
            !promises_mic(added) || self.sealed(last, &base, flags, payload).unwrap_or(false)
        });
        Some(if right { Answer::Right(named) } else { Answer::Wrong(named) })
    }

    /// Whether the three messages carry the code over all of them that the last one promises (3.2.5.1.2).
    fn sealed(&self, last: &[u8], base: &[u8; 16], flags: u32, payload: usize) -> Option<bool> {
        if payload < 88 {
            return None;
        }
        let key = if flags & KEY_EXCHANGE == 0 {
            *base
        } else {
            let (sent, _) = field(last, 52)?;
            rc4(base, sent).try_into().ok()?
        };
        let mut unsealed = last.to_vec();
        unsealed[72..88].fill(0);
        Some(hmac(&key, &[&self.first[..], &self.message, &unsealed].concat()) == last[72..88])
    }
}

/// What a field of a message points to, and from where it starts; `None` where that is outside.
fn field(message: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let head: &[u8; 8] = message.get(at..)?.first_chunk()?;
    let size = usize::from(u16::from_le_bytes([head[0], head[1]]));
    let from = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    if size == 0 {
        return Some((&[], message.len()));
    }
    Some((message.get(from..from.checked_add(size)?)?, from))
}

/// Whether the pairs that the client added say that there is a code over all messages.
fn promises_mic(added: &[u8]) -> bool {
    let mut rest = added.get(28..).unwrap_or_default();
    while let Some(([a, b, c, d], more)) = rest.split_first_chunk() {
        let (id, size) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
        let Some(value) = more.get(..size).filter(|_| id != 0) else { return false };
        if id == 6 {
            return value.first().is_some_and(|flags| flags & 2 != 0);
        }
        rest = &more[size..];
    }
    false
}

/// NTOWFv2 of 3.3.2.
fn owner_key(user: &str, domain: &str, password: &str) -> [u8; 16] {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    // As Windows does it: letter by letter.
    let upper = |c: char| {
        let mut large = c.to_uppercase();
        match (large.next(), large.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    let user: String = user.chars().map(upper).collect();
    hmac(&md4(&wide(password)), &wide(&(user + domain)))
}

/// HMAC-MD5 (RFC 2104).
fn hmac(key: &[u8; 16], text: &[u8]) -> [u8; 16] {
    let padded = |with: u8| {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = md5::compute([&padded(0x36)[..], text].concat());
    md5::compute([&padded(0x5c)[..], &inner.0].concat()).0
}

/// MD4 (RFC 1320).
fn md4(text: &[u8]) -> [u8; 16] {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(64), 0);
    if padded.len() - text.len() < 9 {
        padded.resize(padded.len() + 64, 0);
    }
    let end = padded.len() - 8;
    padded[end..].copy_from_slice(&(text.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks(64) {
        let word = |k: usize| {
            u32::from_le_bytes([block[4 * k], block[4 * k + 1], block[4 * k + 2], block[4 * k + 3]])
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..48 {
            let k = step % 16;
            let (mixed, constant, at, turns) = match step / 16 {
                0 => ((b & c) | (!b & d), 0, k, [3, 7, 11, 19]),
                1 => ((b & c) | (b & d) | (c & d), 0x5a82_7999, k / 4 + k % 4 * 4, [3, 5, 9, 13]),
                _ => (
                    b ^ c ^ d,
                    0x6ed9_eba1,
                    [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15][k],
                    [3, 9, 11, 15],
                ),
            };
            let sum = a.wrapping_add(mixed).wrapping_add(word(at)).wrapping_add(constant);
            (a, d, c, b) = (d, c, b, sum.rotate_left(turns[k % 4]));
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 16];
    digest.chunks_mut(4).zip(state).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    digest
}

/// RC4, for a session key that a client chose itself.
fn rc4(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut state: [u8; 256] = std::array::from_fn(|n| n as u8);
    let mut j = 0_u8;
    for i in 0..256 {
        j = j.wrapping_add(state[i]).wrapping_add(key[i % key.len()]);
        state.swap(i, usize::from(j));
    }
    let (mut i, mut j) = (0_u8, 0_u8);
    text.iter()
        .map(|byte| {
            i = i.wrapping_add(1);
            j = j.wrapping_add(state[usize::from(i)]);
            state.swap(usize::from(i), usize::from(j));
            byte ^ state[usize::from(state[usize::from(i)].wrapping_add(state[usize::from(j)]))]
        })
        .collect()
}

/// What a client does, for the tests of who asks it: the last message to a challenge, with a code over all three.
#[cfg(test)]
pub(super) fn last_message(
    first: &[u8],
    challenge: &[u8],
    domain: &str,
    user: &str,
    password: &str,
) -> Vec<u8> {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let (info, _) = field(challenge, 40).expect("a challenge");
    // The properties as they came, and before their end that there is a code.
    let (rest, end) = info.split_at(info.len() - 4);
    let added =
        [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[9; 20], rest, &[6, 0, 4, 0, 2, 0, 0, 0], end, &[0; 4]].concat();
    let owner = owner_key(user, domain, password);
    let proof = hmac(&owner, &[&challenge[24..32], &added].concat());
    let parts =
        [vec![0; 24], [&proof[..], &added].concat(), wide(domain), wide(user), Vec::new(), Vec::new()];
    let (mut message, mut payload) = ([SIGNATURE, &3_u32.to_le_bytes()].concat(), Vec::new());
    for part in &parts {
        let size = (part.len() as u16).to_le_bytes();
        message.extend([size, size].concat());
        message.extend((88 + payload.len() as u32).to_le_bytes());
        payload.extend_from_slice(part);
    }
    message.extend((UNICODE | 0x8_0000).to_le_bytes());
    message.extend([0; 24]);
    message.extend(payload);
    let code = hmac(&hmac(&owner, &proof), &[first, challenge, &message].concat());
    message[72..88].copy_from_slice(&code);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
    }

    #[test]
    fn the_hashes_are_those_of_their_documents() {
        // RFC 1320, A.5.
        assert_eq!(md4(b"")[..], hex("31d6cfe0d16ae931b73c59d7e0c089c0"));
        assert_eq!(md4(b"message digest")[..], hex("d9130a8164549fe818874806e1c7014b"));
        let long = "1234567890".repeat(8);
        assert_eq!(md4(long.as_bytes())[..], hex("e33b4ddc9c38f2199c3e7b164fcc0536"));
        // RFC 2104's first example.
        assert_eq!(hmac(&[0x0b; 16], b"Hi There")[..], hex("9294727a3638bb1c13f48ef8158bfc9d"));
        assert_eq!(rc4(b"Key", b"Plaintext"), hex("bbf316e8d940af0ad3"));
    }

    /// The values of [MS-NLMP] 4.2.4: user, domain and password are called User, Domain and Password.
    #[test]
    fn the_specifications_example_is_let_in_and_any_change_is_not() {
        let owner = owner_key("User", "Domain", "Password");
        assert_eq!(owner[..], hex("0c868a403bfd7a93a3001ef22ef02e3f"));
        let added = hex(concat!(
            "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000",
            "02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000"
        ));
        let secret = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let proof = hmac(&owner, &[&secret[..], &added].concat());
        assert_eq!(proof[..], hex("68cd0ab851e51c96aabc927bebef6a1c"));
        assert_eq!(hmac(&owner, &proof)[..], hex("8de40ccadbc14a82f15cb0ad0de95ca3"));

        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let message = |domain: &str, proof: &[u8]| {
            let parts = [vec![0; 24], [proof, &added].concat(), wide(domain), wide("User")];
            let (mut head, mut payload) = ([SIGNATURE, &3_u32.to_le_bytes()].concat(), Vec::new());
            for part in &parts {
                head.extend([part.len() as u8, 0, part.len() as u8, 0, 64 + payload.len() as u8, 0, 0, 0]);
                payload.extend_from_slice(part);
            }
            head.extend([0; 16]);
            head.extend(UNICODE.to_le_bytes());
            [head, payload].concat()
        };
        let challenge = Challenge { first: Vec::new(), secret, message: Vec::new() };
        let accounts = Accounts::from_iter([("Domain\\User".to_owned(), "Password".to_owned())]);
        let others = Accounts::from_iter([("Domain\\User".to_owned(), "password".to_owned())]);
        let good = message("Domain", &proof);
        let named = || "Domain\\User".to_owned();
        assert_eq!(challenge.check(&good, &accounts), Answer::Right(named()));
        assert_eq!(challenge.check(&good, &others), Answer::Wrong(named()));
        let other = Challenge { secret: [0; 8], ..challenge.clone() };
        assert_eq!(other.check(&good, &accounts), Answer::Wrong(named()));
        assert_eq!(
            challenge.check(&message("Other", &proof), &accounts),
            Answer::Wrong("Other\\User".to_owned())
        );
        // Whatever byte of the response is changed, it is refused; cut anywhere, nothing panics.
        let response = 64 + 24..64 + 24 + 16 + added.len();
        for at in response {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(challenge.check(&bad, &accounts), Answer::Wrong(named()), "byte {at}");
        }
        for cut in 0..good.len() {
            assert_eq!(challenge.check(&good[..cut], &accounts), Answer::Unreadable, "cut at {cut}");
        }
    }

    #[test]
    fn a_code_over_all_messages_is_looked_at_where_it_is_promised() {
        let mut added = [&[1, 1][..], &[0; 26], &[6, 0, 4, 0, 2, 0, 0, 0], &[0; 4]].concat();
        assert!(promises_mic(&added));
        added[32] = 1;
        assert!(!promises_mic(&added));
        assert!(!promises_mic(&added[..30]));
        let challenge = Challenge::new(b"first", Token::Right, 0);
        let base = [7; 16];
        let mut last = vec![3; 100];
        last[72..88].fill(0);
        let code = hmac(&base, &[b"first", &challenge.message[..], &last].concat());
        last[72..88].copy_from_slice(&code);
        assert_eq!(challenge.sealed(&last, &base, UNICODE, 88), Some(true));
        last[99] ^= 1;
        assert_eq!(challenge.sealed(&last, &base, UNICODE, 88), Some(false));
        assert_eq!(challenge.sealed(&last, &base, UNICODE, 72), None);
    }
}
