//! NTLMv2's three messages (MS-NLMP sections 2.2.1 and 3.3.2), as HTTP carries them: no session key is exchanged and
//! nothing is signed.

use hmac::{Hmac, Mac};
use md4::{Digest, Md4};
use md5_hash::Md5;

/// What every message begins with.
const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";
/// The most bytes of a challenge that are read.
const LIMIT: usize = 48 * 1024;
/// The most pairs of a target's information.
const MOST_PAIRS: usize = 64;

const UNICODE: u32 = 0x0000_0001;
const OEM: u32 = 0x0000_0002;
const REQUEST_TARGET: u32 = 0x0000_0004;
const NTLM: u32 = 0x0000_0200;
const ALWAYS_SIGN: u32 = 0x0000_8000;
const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
const TARGET_INFO: u32 = 0x0080_0000;
const VERSION: u32 = 0x0200_0000;
const KEY_128: u32 = 0x2000_0000;
const KEY_56: u32 = 0x8000_0000;

/// What the first message asks for.
const ASKED: u32 =
    UNICODE | OEM | REQUEST_TARGET | NTLM | ALWAYS_SIGN | EXTENDED_SESSION_SECURITY | KEY_128 | KEY_56;

/// The identifier of the server's time among the pairs (MS-NLMP section 2.2.2.1).
const AV_TIMESTAMP: u16 = 7;

/// The first message: what is offered, without a name.
pub fn negotiate() -> Vec<u8> {
    let mut message = SIGNATURE.to_vec();
    message.extend(1u32.to_le_bytes());
    message.extend(ASKED.to_le_bytes());
    // The domain and the workstation, which are empty.
    message.extend([0; 16]);
    message
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The signature or the type is another.
    #[error("it is no NTLM challenge")]
    Kind,
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// It has a version by its flags and no room for one.
    #[error("its flags promise a version that is not there")]
    Version,
    /// A field lies outside.
    #[error("a field lies outside of it")]
    Outside,
    /// The pairs of the target do not end, or one is longer than they are.
    #[error("its target information cannot be read")]
    Pairs,
    /// It is longer than any.
    #[error("it is longer than any challenge")]
    TooLong,
    /// It takes no Unicode, and the account needs it.
    #[error("it takes no Unicode, which the account's name needs")]
    NoUnicode,
}

/// The second message: the server's challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    flags: u32,
    server: [u8; 8],
    /// The pairs, with their end.
    info: Vec<u8>,
    time: Option<u64>,
}

impl Challenge {
    /// Reads a challenge.
    pub fn read(bytes: &[u8]) -> Result<Challenge, Malformed> {
        if bytes.len() > LIMIT {
            return Err(Malformed::TooLong);
        }
        let signed = bytes.len().min(12);
        if bytes[..signed] != [SIGNATURE.as_slice(), &[2, 0, 0, 0]].concat()[..signed] {
            return Err(Malformed::Kind);
        }
        let flags = u32::from_le_bytes(array(bytes, 20)?);
        let server = array(bytes, 24)?;
        // The target's name is not used; it must be there all the same.
        field(bytes, 12)?;
        if flags & VERSION != 0 && bytes.len() < 56 {
            return Err(if bytes.len() < 48 { Malformed::Short } else { Malformed::Version });
        }
        let info = if flags & TARGET_INFO != 0 { field(bytes, 40)? } else { &[] };
        if flags & VERSION != 0 && [12, 40].iter().any(|&at| begins_before(bytes, at, 56)) {
            return Err(Malformed::Version);
        }
        let (info, time) = pairs(info)?;
        Ok(Challenge { flags, server, info, time })
    }
}

/// Whether a field that is not empty begins before the payload can.
fn begins_before(bytes: &[u8], at: usize, payload: u32) -> bool {
    let (Ok(length), Ok(offset)) = (array(bytes, at), array(bytes, at + 4)) else { return false };
    u16::from_le_bytes(length) > 0 && u32::from_le_bytes(offset) < payload
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or(Malformed::Short)
}

/// What a length, a capacity and an offset describe.
fn field(bytes: &[u8], at: usize) -> Result<&[u8], Malformed> {
    let length = usize::from(u16::from_le_bytes(array(bytes, at)?));
    let offset = u32::from_le_bytes(array(bytes, at + 4)?) as usize;
    if length == 0 {
        return Ok(&[]);
    }
    let end = offset.checked_add(length).ok_or(Malformed::Outside)?;
    // A field in the fixed part would be read as something else too.
    if offset < 32 {
        return Err(Malformed::Outside);
    }
    bytes.get(offset..end).ok_or(Malformed::Outside)
}

/// The pairs up to their end, and the server's time among them.
fn pairs(info: &[u8]) -> Result<(Vec<u8>, Option<u64>), Malformed> {
    if info.is_empty() {
        return Ok((vec![0; 4], None));
    }
    let (mut at, mut time) = (0, None);
    for _ in 0..MOST_PAIRS {
        let bad = |_| Malformed::Pairs;
        let id = u16::from_le_bytes(array(info, at).map_err(bad)?);
        let length = usize::from(u16::from_le_bytes(array(info, at + 2).map_err(bad)?));
        let value = info.get(at + 4..at + 4 + length).ok_or(Malformed::Pairs)?;
        at += 4 + length;
        if id == 0 {
            return Ok((info[..at].to_vec(), time));
        }
        if id == AV_TIMESTAMP {
            time = Some(u64::from_le_bytes(value.try_into().map_err(|_| Malformed::Pairs)?));
        }
    }
    Err(Malformed::Pairs)
}

/// Who logs on.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The domain; empty where the user's name says it or nobody does.
    pub domain: &'a str,
    /// The user.
    pub user: &'a str,
    /// The machine that it is logged on from.
    pub workstation: &'a str,
}

/// What makes an answer differ from every other.
#[derive(Clone, Copy, Debug)]
pub struct Fresh {
    /// Eight random bytes.
    pub client: [u8; 8],
    /// The time in 100 ns since 1601, for a server that does not say its own.
    pub time: u64,
}

/// The third message: the proof that the password is known.
pub fn authenticate(
    challenge: &Challenge,
    account: Account<'_>,
    password: &str,
    fresh: Fresh,
) -> Result<Vec<u8>, Malformed> {
    let unicode = challenge.flags & UNICODE != 0;
    let encode = |text: &str| {
        if unicode { utf16(text) } else { text.to_ascii_uppercase().into_bytes() }
    };
    let needs_unicode = !account.user.is_ascii() || !account.domain.is_ascii();
    if needs_unicode && !unicode {
        return Err(Malformed::NoUnicode);
    }
    let key = response_key(account.user, account.domain, password);
    let nt = nt_response(&key, &challenge.server, fresh, challenge.time, &challenge.info);
    // Where the server says its time the older answer is left empty (MS-NLMP section 3.1.5.1.2).
    let lm = match challenge.time {
        Some(_) => vec![0; 24],
        None => lm_response(&key, &challenge.server, &fresh.client),
    };
    let mut flags = challenge.flags & (ASKED | TARGET_INFO);
    if unicode {
        flags &= !OEM;
    }
    let mut message = SIGNATURE.to_vec();
    message.extend(3u32.to_le_bytes());
    let fields = [lm, nt, encode(account.domain), encode(account.user), encode(account.workstation), vec![]];
    let mut offset = 64usize;
    for part in &fields {
        let length = u16::try_from(part.len()).map_err(|_| Malformed::TooLong)?;
        message.extend(length.to_le_bytes());
        message.extend(length.to_le_bytes());
        message.extend((offset as u32).to_le_bytes());
        offset += part.len();
    }
    message.extend(flags.to_le_bytes());
    message.extend(fields.concat());
    Ok(message)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> [u8; 16] {
    // HMAC takes a key of any length.
    let Ok(mut mac) = <Hmac<Md5> as Mac>::new_from_slice(key) else { return [0; 16] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// NTOWFv2 (MS-NLMP section 3.3.2).
fn response_key(user: &str, domain: &str, password: &str) -> [u8; 16] {
    let mut secret = utf16(password);
    let hash: [u8; 16] = Md4::digest(&secret).into();
    zeroize::Zeroize::zeroize(&mut secret);
    // As Windows does it, a character by itself: none becomes two.
    let upper: String = user
        .chars()
        .map(|c| {
            let mut upper = c.to_uppercase();
            if upper.len() == 1 { upper.next().unwrap_or(c) } else { c }
        })
        .collect();
    keyed(&hash, &[&utf16(&upper), &utf16(domain)])
}

fn nt_response(
    key: &[u8; 16],
    server: &[u8; 8],
    fresh: Fresh,
    server_time: Option<u64>,
    info: &[u8],
) -> Vec<u8> {
    let mut blob = vec![1, 1, 0, 0, 0, 0, 0, 0];
    blob.extend(server_time.unwrap_or(fresh.time).to_le_bytes());
    blob.extend(fresh.client);
    blob.extend([0; 4]);
    blob.extend(info);
    blob.extend([0; 4]);
    let mut response = keyed(key, &[server, &blob]).to_vec();
    response.extend(blob);
    response
}

fn lm_response(key: &[u8; 16], server: &[u8; 8], client: &[u8; 8]) -> Vec<u8> {
    let mut response = keyed(key, &[server, client]).to_vec();
    response.extend(client);
    response
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const SERVER: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
    const FRESH: Fresh = Fresh { client: [0xaa; 8], time: 0 };

    fn pair(id: u16, value: &[u8]) -> Vec<u8> {
        [&id.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), value].concat()
    }

    /// A challenge as a server makes one.
    pub(crate) fn challenge(server: [u8; 8], time: Option<u64>) -> Vec<u8> {
        let name = utf16("DOMAIN");
        let mut info = [pair(2, &utf16("Domain")), pair(1, &utf16("Server"))].concat();
        info.extend(time.map(|time| pair(AV_TIMESTAMP, &time.to_le_bytes())).into_iter().flatten());
        info.extend(pair(0, &[]));
        let flags =
            UNICODE | REQUEST_TARGET | NTLM | EXTENDED_SESSION_SECURITY | TARGET_INFO | VERSION | KEY_128;
        let mut message = SIGNATURE.to_vec();
        message.extend(2u32.to_le_bytes());
        let lengths = |length: usize, offset: usize| {
            let length = (length as u16).to_le_bytes();
            [&length[..], &length, &(offset as u32).to_le_bytes()].concat()
        };
        message.extend(lengths(name.len(), 56));
        message.extend(flags.to_le_bytes());
        message.extend(server);
        message.extend([0; 8]);
        message.extend(lengths(info.len(), 56 + name.len()));
        message.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
        message.extend(name);
        message.extend(info);
        message
    }

    /// Whether a third message proves this password to who sent the challenge: what the client's own code is held to.
    pub(crate) fn proves(message: &[u8], server: [u8; 8], password: &str) -> bool {
        let part = |at: usize| -> Option<&[u8]> {
            let length = usize::from(u16::from_le_bytes(message.get(at..at + 2)?.try_into().ok()?));
            let offset = u32::from_le_bytes(message.get(at + 4..at + 8)?.try_into().ok()?) as usize;
            message.get(offset..offset + length)
        };
        let (Some(nt), Some(domain), Some(user)) = (part(20), part(28), part(36)) else { return false };
        if !message.starts_with(b"NTLMSSP\0\x03\0\0\0") || nt.len() < 44 {
            return false;
        }
        let text = |bytes: &[u8]| {
            let units: Vec<u16> = bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
            String::from_utf16_lossy(&units)
        };
        let mac = |key: &[u8], parts: &[&[u8]]| -> Vec<u8> {
            let mut mac = <Hmac<Md5> as Mac>::new_from_slice(key).unwrap();
            parts.iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        };
        let hash = Md4::digest(utf16(password));
        let key = mac(&hash, &[&utf16(&text(user).to_uppercase()), domain]);
        mac(&key, &[&server, &nt[16..]]) == nt[..16]
    }

    #[test]
    fn the_published_example_comes_out() {
        // MS-NLMP section 4.2.4.
        let key = response_key("User", "Domain", "Password");
        assert_eq!(hex(&key), "0c868a403bfd7a93a3001ef22ef02e3f");
        let lm = lm_response(&key, &SERVER, &FRESH.client);
        assert_eq!(hex(&lm), "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
        let read = Challenge::read(&challenge(SERVER, None)).unwrap();
        let nt = nt_response(&key, &SERVER, FRESH, None, &read.info);
        assert_eq!(hex(&nt[..16]), "68cd0ab851e51c96aabc927bebef6a1c");
        assert_eq!(hex(&keyed(&key, &[&nt[..16]])), "8de40ccadbc14a82f15cb0ad0de95ca3");
    }

    #[test]
    fn a_proof_holds_for_its_password_alone() {
        let account = Account { domain: "EXAMPLE", user: "wsüs", workstation: "PROBE" };
        for time in [None, Some(7)] {
            let read = Challenge::read(&challenge(SERVER, time)).unwrap();
            let message = authenticate(&read, account, "pä:ss\"wört", FRESH).unwrap();
            assert!(proves(&message, SERVER, "pä:ss\"wört"));
            assert!(!proves(&message, SERVER, "pä:ss\"wort"));
            assert!(!proves(&message, [0; 8], "pä:ss\"wört"));
        }
    }

    #[test]
    fn cut_at_every_byte_it_is_an_error() {
        let whole = challenge(SERVER, Some(7));
        for end in 0..whole.len() {
            assert!(Challenge::read(&whole[..end]).is_err(), "{end}");
        }
        assert!(Challenge::read(&whole).is_ok());
    }

    #[test]
    fn a_version_that_is_not_there_is_an_error() {
        // As a test helper of a well-known proxy sends it: the flag is set, and the payload begins at once.
        let mut message = challenge(SERVER, None);
        message.drain(48..56);
        message[16..20].copy_from_slice(&48u32.to_le_bytes());
        message[44..48].copy_from_slice(&60u32.to_le_bytes());
        assert_eq!(Challenge::read(&message), Err(Malformed::Version));
        message.truncate(48);
        message[12..14].copy_from_slice(&[0, 0]);
        message[40..42].copy_from_slice(&[0, 0]);
        assert_eq!(Challenge::read(&message), Err(Malformed::Version));
    }

    #[test]
    fn fields_and_pairs_that_lie_outside_are_errors() {
        let whole = challenge(SERVER, None);
        let with = |at: usize, bytes: &[u8]| {
            let mut message = whole.clone();
            message[at..at + bytes.len()].copy_from_slice(bytes);
            Challenge::read(&message)
        };
        assert_eq!(with(16, &[0xff; 4]), Err(Malformed::Outside));
        assert_eq!(with(12, &[0xff; 2]), Err(Malformed::Outside));
        assert_eq!(with(44, &[0, 0, 0, 0]), Err(Malformed::Outside));
        assert_eq!(with(40, &[3, 0]), Err(Malformed::Pairs));
        assert_eq!(with(70, &[0xff; 2]), Err(Malformed::Pairs));
        assert_eq!(with(0, b"X"), Err(Malformed::Kind));
        assert_eq!(Challenge::read(&vec![0; LIMIT + 1]), Err(Malformed::TooLong));
    }

    #[test]
    fn a_server_without_unicode_gets_ascii_or_nothing() {
        let mut message = challenge(SERVER, None);
        message[20] = OEM as u8;
        let read = Challenge::read(&message).unwrap();
        let account = |user| Account { domain: "", user, workstation: "" };
        assert!(authenticate(&read, account("wsus"), "x", FRESH).is_ok());
        assert_eq!(authenticate(&read, account("wsüs"), "x", FRESH), Err(Malformed::NoUnicode));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(
            at in proptest::collection::vec((0usize..130, any::<u8>()), 0..12),
            end in 0usize..130,
        ) {
            let mut message = challenge(SERVER, Some(1));
            for (at, byte) in at {
                if let Some(place) = message.get_mut(at) {
                    *place = byte;
                }
            }
            message.truncate(end);
            if let Ok(read) = Challenge::read(&message) {
                let account = Account { domain: "D", user: "u", workstation: "" };
                prop_assert!(authenticate(&read, account, "p", FRESH).unwrap().len() > 64);
            }
        }
    }
}
