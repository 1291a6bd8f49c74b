//! Certificate files: PEM (one or many, alone or in other text), DER, and PKCS #7 (RFC 2315). Private keys are named and
//! never kept.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use regex::Regex;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use x509_parser::asn1_rs::{Any, Class, FromDer, Oid};
use x509_parser::prelude::X509Certificate;

use super::certificates::NAME;
use crate::facts::list::Page;
use crate::facts::{Found, Kind, Statement, StoreAccount, line_number, shown};

/// The most certificates of one file.
const MOST: usize = 2000;
/// What a file that begins as DER was expected to be.
const EXPECTED: &str = "a certificate, or certificates as PKCS #7";

/// id-signedData (RFC 2315 section 14).
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";

/// The certificates that a PKCS #7 object carries.
fn pkcs7(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (_, info) = Any::from_der(bytes).ok()?;
    let (rest, kind) = Oid::from_der(info.data).ok()?;
    if kind.to_id_string() != SIGNED_DATA {
        return None;
    }
    let (_, content) = Any::from_der(rest).ok()?;
    let (_, signed) = Any::from_der(content.data).ok()?;
    // Version, digests, content, then the certificates under [0].
    let mut rest = signed.data;
    for _ in 0..8 {
        let (after, part) = Any::from_der(rest).ok()?;
        if part.class() == Class::ContextSpecific && part.tag().0 == 0 {
            let mut certificates = Vec::new();
            let mut list = part.data;
            while !list.is_empty() && certificates.len() < MOST {
                let (after, _) = Any::from_der(list).ok()?;
                certificates.push(&list[..list.len() - after.len()]);
                list = after;
            }
            return Some(certificates);
        }
        rest = after;
    }
    None
}

fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

/// States a certificate; why it is none, escaped, otherwise.
fn state(line: Option<u32>, der: &[u8], found: &mut Found) -> Result<(), String> {
    let (rest, parsed) = X509Certificate::from_der(der).map_err(|error| shown(&error.to_string(), 120))?;
    let der = &der[..der.len() - rest.len()];
    found.kind(Kind::Certificates);
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, der);
    let encoded = STANDARD.encode(der);
    let size = encoded.len();
    let statement = Statement::StoredCertificate {
        account: StoreAccount::File,
        store: String::new(),
        subject: shown(&parsed.subject().to_string(), NAME),
        issuer: shown(&parsed.issuer().to_string(), NAME),
        fingerprint: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        not_before: time(parsed.validity().not_before.timestamp()),
        not_after: time(parsed.validity().not_after.timestamp()),
        private_key: None,
        der: encoded,
    };
    found.list(line, size, statement);
    Ok(())
}

/// Reads a file that begins as DER does. `over` says that there is more of it.
pub(in crate::facts) fn read(bytes: &[u8], over: bool, found: &mut Found) {
    found.kind(Kind::Certificates);
    if over {
        return found.problem(None, "a certificate file of at most 4 MiB", "a larger one".into());
    }
    let whole = Any::from_der(bytes);
    let inner = whole.as_ref().map_or(&bytes[2..], |(_, any)| any.data);
    let first = Any::from_der(inner).map(|(_, any)| (any.tag().0, any.data)).ok();
    match (first, bytes[1]) {
        // A version where a certificate has its body: 3 is a PFX, 0 and 1 are keys.
        (Some((2, [3])), _) | (_, 0x80) if is_pfx(bytes) => found.problem(
            None,
            EXPECTED,
            "a PFX (PKCS #12), which holds a private key: keep it, and hand over the certificate alone"
                .into(),
        ),
        (Some((2, _)), _) => {
            found.problem(None, EXPECTED, "a private key: keep it to yourself, it was not read".into());
        }
        _ if whole.is_err() => {
            found.problem(None, "the whole of a certificate", format!("its end after {} bytes", bytes.len()));
        }
        (Some((6, _)), _) => several(None, bytes, found),
        _ => {
            if let Err(why) = state(None, bytes, found) {
                found.problem(None, EXPECTED, why);
            }
        }
    }
}

/// Whether the version of a PFX (RFC 7292 section 4) stands at the beginning, in a definite or an indefinite form.
fn is_pfx(bytes: &[u8]) -> bool {
    bytes.iter().take(8).collect::<Vec<_>>().windows(3).any(|three| three == [&2, &1, &3])
}

fn several(line: Option<u32>, bytes: &[u8], found: &mut Found) {
    let Some(certificates) = pkcs7(bytes) else {
        return found.problem(line, EXPECTED, "PKCS #7 without certificates, or of another kind".into());
    };
    if certificates.is_empty() {
        found.problem(line, EXPECTED, "PKCS #7 without certificates".into());
    }
    for der in certificates {
        if let Err(why) = state(line, der, found) {
            found.problem(line, EXPECTED, why);
            return;
        }
    }
}

/// Reads the blocks of PEM (RFC 7468) on a page.
pub(super) fn pem(page: &mut Page, found: &mut Found) {
    static BEGIN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\s*-----BEGIN ([A-Z0-9 ]{1,40})-----\s*$").expect("fixed pattern"));
    let mut at = 0;
    while at < page.lines.len() {
        let label = page.lines[at].contains("-----BEGIN ").then(|| BEGIN.captures(&page.lines[at])).flatten();
        let Some(label) = label.map(|parts| parts[1].to_string()) else {
            at += 1;
            continue;
        };
        let line = line_number(page.number(at));
        let ends = |text: &String| text.contains("-----END ");
        let body = page.lines[at + 1..].iter().take(4000);
        let end = body.clone().position(|text| ends(text) || text.contains("-----BEGIN "));
        let last = match end {
            Some(distance) if ends(&page.lines[at + 1 + distance]) => at + 1 + distance,
            Some(distance) => at + distance,
            None => (at + 4000).min(page.lines.len() - 1),
        };
        let is_whole = ends(&page.lines[last]) && last > at;
        let text: String = page.lines[at + 1..if is_whole { last } else { at + 1 }]
            .iter()
            .flat_map(|line| line.chars())
            .filter(|c| !c.is_whitespace())
            .collect();
        block(line, &label, is_whole.then_some(text), found);
        page.claim(at, last);
        at = last + 1;
    }
}

fn block(line: Option<u32>, label: &str, text: Option<String>, found: &mut Found) {
    let several_in_one = matches!(label, "PKCS7" | "CMS");
    let is_certificate = matches!(label, "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE");
    if label.ends_with("PRIVATE KEY") {
        found.kind(Kind::Certificates);
        return found.problem(line, EXPECTED, "a private key: keep it to yourself, it was not read".into());
    }
    if !several_in_one && !is_certificate {
        // A revocation list, a request: nothing that is asked for, and no text either.
        return;
    }
    found.kind(Kind::Certificates);
    let Some(text) = text else {
        return found.problem(line, "the whole of a certificate", "its end before `-----END`".into());
    };
    match STANDARD.decode(text) {
        Err(error) => found.problem(line, "base64", shown(&error.to_string(), 120)),
        Ok(der) if several_in_one || pkcs7(&der).is_some() => several(line, &der, found),
        Ok(der) => {
            if let Err(why) = state(line, &der, found) {
                found.problem(line, EXPECTED, why);
            }
        }
    }
}
