//! The first message of SPNEGO (RFC 4178 section 4.2.1) around a token of Kerberos.

/// SPNEGO itself, 1.3.6.1.5.5.2.
const SPNEGO: [u8; 8] = [0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// Kerberos 5, 1.2.840.113554.1.2.2.
const KERBEROS: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

/// Offers Kerberos alone, with its token at once.
pub fn kerberos(token: &[u8]) -> Vec<u8> {
    let mechanisms = tagged(0xa0, &tagged(0x30, &KERBEROS));
    let token = tagged(0xa2, &tagged(0x04, token));
    let init = tagged(0xa0, &tagged(0x30, &[mechanisms, token].concat()));
    tagged(0x60, &[&SPNEGO[..], &init].concat())
}

/// A DER value with its tag and length.
fn tagged(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    if value.len() < 128 {
        out.push(value.len() as u8);
    } else {
        let bytes = value.len().to_be_bytes();
        let skip = bytes.iter().take_while(|&&byte| byte == 0).count();
        out.push(0x80 | (bytes.len() - skip) as u8);
        out.extend(&bytes[skip..]);
    }
    out.extend(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_closes() {
        let small = kerberos(&[1, 2, 3]);
        assert_eq!(small[..10], [0x60, 0x22, 0x06, 0x06, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x02]);
        assert_eq!(small[10..18], [0xa0, 0x18, 0x30, 0x16, 0xa0, 0x0d, 0x30, 0x0b]);
        assert_eq!(small[29..], [0xa2, 0x05, 0x04, 0x03, 1, 2, 3]);
        for length in [100, 127, 128, 255, 256, 1000, 70_000] {
            let whole = kerberos(&vec![7; length]);
            let mut rest = whole.as_slice();
            // Each tag's length leads to the end, down to the token; the ones beside it are stepped over.
            for step in [0x60, 0x06, 0xa0, 0x30, 0xa0, 0xa2, 0x04] {
                assert_eq!(rest[0], step, "{length}");
                let (from, size) = match rest[1] {
                    short if short < 128 => (2, usize::from(short)),
                    long => {
                        let count = usize::from(long & 0x7f);
                        (2 + count, rest[2..2 + count].iter().fold(0, |n, &b| n << 8 | usize::from(b)))
                    }
                };
                let beside = step == 0x06 || (step == 0xa0 && rest[from] == 0x30 && size == 13);
                assert!(beside || rest.len() == from + size, "{length} {step:x}");
                rest = &rest[if beside { from + size } else { from }..];
            }
            assert_eq!(rest.len(), length);
        }
    }
}
