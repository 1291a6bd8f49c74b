// Included by the fuzz targets' library and by the test that replays their corpora.

use wsusprobe::codec::challenge;
use wsusprobe::codec::http;
use wsusprobe::codec::ntlm;
use wsusprobe::codec::tls::{FLIGHT_LIMIT, FlightReader, Reading};
use wsusprobe::codes;
use wsusprobe::facts;
use wsusprobe::step::proxy;

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// The target of each name.
pub const TARGETS: [(&str, Target); 14] = [
    ("records", records),
    ("server_hello", server_hello),
    ("policy_registry", policy),
    ("policy_gpresult", policy),
    ("policy_list", policy),
    ("prints", prints),
    ("connect_reply", connect_reply),
    ("challenge", challenge_list),
    ("ntlm_challenge", ntlm_challenge),
    ("code", code),
    ("containers", handed_over),
    ("events", handed_over),
    ("event_log", event_log),
    ("logs", handed_over),
];

/// A server's flight in pieces: the first byte says how long they are. What the whole is read as does not depend on
/// them, unless the reader came to an end before.
pub fn records(bytes: &[u8]) {
    let Some((&size, flight)) = bytes.split_first() else { return };
    let flight = &flight[..flight.len().min(FLIGHT_LIMIT)];
    let size = usize::from(size).max(1);
    let mut reader = FlightReader::default();
    let mut last = Reading::More;
    for piece in flight.chunks(size) {
        last = reader.push(piece);
        if last != Reading::More {
            break;
        }
    }
    assert!(reader.bytes().len() <= FLIGHT_LIMIT);
    let cut = reader.cut();
    if last == Reading::More {
        let mut once = FlightReader::default();
        assert_eq!(once.push(flight), last);
        assert_eq!(once.cut(), cut);
    }
}

/// The body of a ServerHello and what follows it, framed so that every change of it is still a hello to read.
pub fn server_hello(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(4096)];
    let (hello, after) = bytes.split_at(bytes.len().min(300));
    let mut message = vec![2, 0, (hello.len() >> 8) as u8, hello.len() as u8];
    message.extend_from_slice(hello);
    message.extend_from_slice(after);
    let mut record = vec![22, 3, 3, (message.len() >> 8) as u8, message.len() as u8];
    record.extend_from_slice(&message);
    let mut reader = FlightReader::default();
    let reading = reader.push(&record);
    if let Reading::Flight(flight) = reading {
        assert!(flight.certificates.len() <= 32);
    }
}

/// A file handed over. What it gives is bounded and fit to be printed, and every problem is among the facts.
pub fn policy(bytes: &[u8]) {
    let reading = facts::read(&[facts::Input::bytes("x", bytes)]);
    // A zip archive may hold more.
    assert!(!reading.kinds.is_empty());
    assert!(reading.facts.len() <= 20_001 * reading.kinds.len());
    for fact in &reading.facts {
        let strings: Vec<&String> = match &fact.statement {
            facts::Statement::Registry { key, name, value } => {
                assert!(["HKLM\\", "HKCU\\", "HKU\\"].iter().any(|root| key.starts_with(root)));
                match value {
                    facts::RegistryValue::Number { .. } => vec![key, name],
                    facts::RegistryValue::Text { value } => vec![key, name, value],
                    facts::RegistryValue::List { values } => values.iter().collect(),
                }
            }
            facts::Statement::CipherOrder { policy, suites, state, .. } => {
                assert!(suites.len() <= 2000);
                suites.iter().chain([policy, state]).collect()
            }
            facts::Statement::CurveOrder { policy, curves, state } => {
                assert!(curves.len() <= 2000);
                curves.iter().chain([policy, state]).collect()
            }
            facts::Statement::CipherSuites { names } => names.iter().collect(),
            facts::Statement::Unreadable { found, .. } => vec![found],
            _ => continue,
        };
        for string in strings {
            assert!(!string.chars().any(char::is_control), "{string:?}");
        }
    }
}

/// Anything handed over: what it gives is bounded, and nothing in it talks to a terminal, names of files aside from
/// those that were given.
pub fn handed_over(bytes: &[u8]) {
    let reading = facts::read(&[facts::Input::bytes("x", bytes)]);
    assert!(!reading.kinds.is_empty());
    assert!(reading.facts.len() <= 200_000);
    for fact in &reading.facts {
        assert!(!fact.source.file.chars().any(char::is_control), "{:?}", fact.source.file);
        let strings: Vec<&String> = match &fact.statement {
            facts::Statement::Event { provider, excerpt, .. } => vec![provider, excerpt],
            facts::Statement::LogFailure { process, excerpt, .. } => vec![process, excerpt],
            facts::Statement::LogSync { reason, .. } => vec![reason],
            facts::Statement::ServerName { name } => vec![name],
            facts::Statement::InstalledUpdate { update } => vec![update],
            facts::Statement::Change { says } => vec![says],
            facts::Statement::IisAnswer { directory, reason, .. } => vec![directory, reason],
            facts::Statement::PastedText { excerpt } | facts::Statement::Console { excerpt } => vec![excerpt],
            facts::Statement::Elsewhere { excerpt, .. } => vec![excerpt],
            facts::Statement::LogEndpoint { url } => vec![url],
            facts::Statement::Unreadable { found, .. } => vec![found],
            _ => continue,
        };
        for string in strings {
            assert!(string.len() <= 4000 && !string.chars().any(char::is_control), "{string:?}");
        }
    }
}

/// The records of one chunk of a binary event log, in a file and a chunk that are well-formed around them.
pub fn event_log(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(65_536 - 512)];
    let mut file = vec![0; 4096 + 65_536];
    file[..8].copy_from_slice(b"ElfFile\0");
    let chunk = &mut file[4096..];
    chunk[..8].copy_from_slice(b"ElfChnk\0");
    for (at, value) in [(8, 1), (16, 100), (24, 1), (32, 100), (40, 128), (44, 512)] {
        chunk[at] = value as u8;
        chunk[at + 1] = (value >> 8) as u8;
    }
    chunk[48..52].copy_from_slice(&(512 + bytes.len() as u32).to_le_bytes());
    // No sums are asked for.
    chunk[120] = 4;
    chunk[512..512 + bytes.len()].copy_from_slice(bytes);
    handed_over(&file);
}

/// What commands print, and certificate files: bounded, fit to be printed, every certificate one that can be read again.
pub fn prints(bytes: &[u8]) {
    let reading = facts::read(&[facts::Input::bytes("x", bytes)]);
    assert!(reading.facts.len() <= 20_001 * reading.kinds.len());
    for fact in &reading.facts {
        let said = serde_json::to_value(&fact.statement).expect("a statement is data");
        printable(&said);
        if let facts::Statement::StoredCertificate { fingerprint, .. } = &fact.statement {
            assert!(fingerprint.is_empty() || fingerprint.len() == 40);
        }
        // A file within the file is called after it.
        assert!(fact.source.file == "x" || fact.source.file.starts_with("x#"));
    }
}

fn printable(value: &serde_json::Value) {
    match value {
        serde_json::Value::String(text) => assert!(!text.chars().any(char::is_control), "{text:?}"),
        serde_json::Value::Array(values) => values.iter().for_each(printable),
        serde_json::Value::Object(map) => map.values().for_each(printable),
        _ => {}
    }
}

/// What a proxy answers to CONNECT: its head, its body in chunks, and what is kept of both.
pub fn connect_reply(bytes: &[u8]) {
    let Ok(Some(head)) = http::head(bytes) else { return };
    assert!(head.length <= bytes.len());
    let body = &bytes[head.length..];
    if let Ok(Some(length)) = http::chunked_length(body) {
        assert!(length <= body.len());
        // A body does not grow by what stands behind it.
        assert_eq!(http::chunked_length(&body[..length]), Ok(Some(length)));
    }
    let _ = (head.keeps_open(), head.chunked(), head.content_length());
    if let wsusprobe::evidence::ProxyAnswer::Status { reason, schemes, headers, body, .. } =
        proxy::refusal(&head, body)
    {
        assert!(schemes.len() <= 16 && headers.len() <= 24);
        let texts =
            headers.iter().flat_map(|(name, value)| [name, value]).chain(&schemes).chain([&reason, &body]);
        for text in texts {
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

/// The lists of challenges, a header a line, and a Digest client of what is among them.
pub fn challenge_list(bytes: &[u8]) {
    let list = challenge::challenges(bytes.split(|&byte| byte == b'\n'));
    assert!(list.len() <= challenge::MOST);
    assert!(challenge::names(&list).len() <= 16);
    for challenge in &list {
        assert!(!challenge.scheme.is_empty() && challenge.params.len() <= 32);
    }
    let _ = proxy::digest_client(&list);
}

/// NTLM's second message; what can be read can be answered.
pub fn ntlm_challenge(bytes: &[u8]) {
    let Ok(challenge) = ntlm::Challenge::read(bytes) else { return };
    let account = ntlm::Account { domain: "EXAMPLE", user: "wsus", workstation: "" };
    let fresh = ntlm::Fresh { client: [7; 8], time: 1 };
    let answer = ntlm::authenticate(&challenge, account, "password", fresh).expect("an answer");
    assert!(answer.len() > 64 + 24 + 44);
}

/// A code as somebody may write it: every meaning that is found can be asked for by its own name.
pub fn code(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(&bytes[..bytes.len().min(400)]) else { return };
    let found = codes::lookup(text);
    for entry in &found {
        assert!(codes::lookup(&entry.key.to_string()).contains(entry));
    }
    let shouted = text.to_ascii_uppercase();
    assert_eq!(codes::lookup(&shouted), found);
}
