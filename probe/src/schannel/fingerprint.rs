//! Hellos against published fingerprints: JA3 (Salesforce) and JA4 (FoxIO), taken from the bytes.

use super::{Caller, Client, ClientHello, Policy, profile};
use crate::codec::tls::{Extension, Hello, TLS10, TLS12, TLS13};

/// A hello as a stranger reads it.
#[derive(Debug, Default)]
struct Read {
    record: u16,
    version: u16,
    session_id: usize,
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

/// A reader of its own, so that a mistake of the writer is no mistake of both.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head
    }

    fn number(&mut self, width: usize) -> usize {
        self.take(width).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    }

    fn vector(&mut self, width: usize) -> &'a [u8] {
        let length = self.number(width);
        self.take(length)
    }
}

fn words(bytes: &[u8]) -> Vec<u16> {
    assert_eq!(bytes.len() % 2, 0);
    bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

fn read(bytes: &[u8]) -> Read {
    let mut record = Bytes(bytes);
    let mut read = Read::default();
    assert_eq!(record.number(1), 22);
    read.record = record.number(2) as u16;
    let mut message = Bytes(record.vector(2));
    assert!(record.0.is_empty());
    assert_eq!(message.number(1), 1);
    let mut hello = Bytes(message.vector(3));
    assert!(message.0.is_empty());
    read.version = hello.number(2) as u16;
    hello.take(32);
    read.session_id = hello.vector(1).len();
    read.suites = words(hello.vector(2));
    assert_eq!(hello.vector(1), [0]);
    let mut block = Bytes(hello.vector(2));
    assert!(hello.0.is_empty());
    while !block.0.is_empty() {
        let number = block.number(2) as u16;
        read.extensions.push((number, block.vector(2).to_vec()));
    }
    read
}

impl Read {
    fn of(hello: &ClientHello) -> Read {
        Read::hello(hello.hello.as_ref().expect("a hello"))
    }

    fn hello(hello: &Hello) -> Read {
        read(&hello.bytes(&[7; 32]))
    }

    fn body(&self, number: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(own, _)| *own == number).map(|(_, body)| body.as_slice())
    }

    /// The list of an extension that is one, after a length of this width.
    fn list(&self, number: u16, width: usize) -> Vec<u16> {
        self.body(number).map(|body| words(Bytes(body).vector(width))).unwrap_or_default()
    }

    fn ja3(&self) -> String {
        let join = |list: &[u16]| list.iter().map(u16::to_string).collect::<Vec<_>>().join("-");
        let numbers: Vec<u16> = self.extensions.iter().map(|(number, _)| *number).collect();
        let formats = self.body(11).map(|body| Bytes(body).vector(1)).unwrap_or_default();
        let formats: Vec<u16> = formats.iter().map(|byte| u16::from(*byte)).collect();
        let text = format!(
            "{},{},{},{},{}",
            self.version,
            join(&self.suites),
            join(&numbers),
            join(&self.list(10, 2)),
            join(&formats)
        );
        format!("{:x}", md5::compute(text))
    }

    fn ja4(&self) -> (String, String, String) {
        let version = self.list(43, 1).into_iter().max().unwrap_or(self.version);
        let version = match version {
            TLS13 => "13",
            TLS12 => "12",
            TLS10 => "10",
            other => panic!("{other:04x}"),
        };
        let name = if self.body(0).is_some() { "d" } else { "i" };
        let alpn = self.body(16).map(|body| {
            let first = Bytes(Bytes(body).vector(2)).vector(1).to_vec();
            format!("{}{}", char::from(first[0]), char::from(first[first.len() - 1]))
        });
        let a = format!(
            "t{version}{name}{:02}{:02}{}",
            self.suites.len(),
            self.extensions.len(),
            alpn.unwrap_or_else(|| "00".into())
        );
        let mut suites = self.suites.clone();
        suites.sort_unstable();
        let numbers = self.extensions.iter().map(|(number, _)| *number);
        let mut numbers: Vec<u16> = numbers.filter(|number| !matches!(number, 0 | 16)).collect();
        numbers.sort_unstable();
        let c = format!("{}_{}", hex(&numbers), hex(&self.list(13, 2)));
        (a, short(&hex(&suites)), short(&c))
    }

    fn ja4_text(&self) -> String {
        let (a, b, c) = self.ja4();
        format!("{a}_{b}_{c}")
    }
}

fn hex(list: &[u16]) -> String {
    list.iter().map(|word| format!("{word:04x}")).collect::<Vec<_>>().join(",")
}

fn short(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn client(id: &str) -> Client {
    Client::new(profile(id).expect("a profile"), Policy::default())
}

fn name() -> Option<String> {
    Some("sws.update.microsoft.com".into())
}

/// The same hello with status_request, as WinHTTP sends it.
fn stapled(hello: &ClientHello) -> Read {
    let mut hello = hello.hello.clone().expect("a hello");
    hello.extensions.insert(1, Extension::StatusRequest);
    Read::hello(&hello)
}

/// A version, whether with strong cryptography, the suites, the JA3 of .NET and of WinHTTP, and the JA4_b.
type Row = (u16, bool, &'static [u16], &'static str, &'static str, &'static str);

struct Vector {
    id: &'static str,
    /// What it has in common with the suites that Microsoft gave for its service in August 2020.
    sws: &'static [u16],
    lists: &'static [Row],
    tls13: Option<(&'static [u16], &'static str)>,
}

/// Computed from Microsoft's tables apart from this program.
#[rustfmt::skip]
const VECTORS: &[Vector] = &[
    Vector { id: "ws2008r2", sws: &[0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013], "7dcce5b76c8b17472d024758970a406b", "5182f54f9c6e99d117d9dde3fa2b4cff", "db6bc8f7861c"),
        (TLS12, false, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "36f7277af969a6947a61ae0b815907a1", "e6a4e2358d4eee6122403f3cb835bcbd", "76ec540469e1"),
        (TLS10, true, &[0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013], "6b0dc43f177fcd6d2946d55121243d1b", "9c726efb125aff72a33e17a34c83f4d8", "9a86275ec70d"),
        (TLS10, false, &[0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "05af1f5ca1b87cc9cc9b25185115607d", "21acfc85bc9718e79b1df88c5f7f298e", "74fc3de17c53"),
    ], tls13: None },
    Vector { id: "ws2012", sws: &[0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013], "3e860202fc555b939e83e7a7ab518c38", "3ec01219e053e7a96f2cd241c7c73d91", "9295eb73ea51"),
        (TLS12, false, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "70722097d1fe1d78d8c2164640ab6df4", "bc2874f25a8254edb36147c151527cfa", "e99a3d2b2b8b"),
        (TLS10, true, &[0xc014, 0xc013, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013], "12c8757733d109e7744bee5a9a926ae0", "d8245857f3b3ffaf684fd60050532f79", "0fa29e80c1bb"),
        (TLS10, false, &[0xc014, 0xc013, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "1543a7c46633acf71e8401baccbd0568", "bc329d2a71e749067424502f1f72e13a", "d94e65cdb899"),
    ], tls13: None },
    Vector { id: "ws2012r2", sws: &[0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013], "ff1040ba1e3d235855ef0d7cd9237fdc", "2c14bfb3f8a2067fbc88d8345e9f97f3", "db6bc8f7861c"),
        (TLS12, false, &[0xc028, 0xc027, 0xc014, 0xc013, 0x009f, 0x009e, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0xc02c, 0xc02b, 0xc024, 0xc023, 0xc00a, 0xc009, 0x006a, 0x0040, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "56ac3a0bef0824c49e4b569941937088", "3e686105164b7c9a4cbd59142f18a4e7", "76ec540469e1"),
        (TLS10, true, &[0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013], "a6c305e44b193a913e4769606727a1bb", "2863b3a96f1b530bc4f5e52f66c79285", "9a86275ec70d"),
        (TLS10, false, &[0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0xc00a, 0xc009, 0x0038, 0x0032, 0x000a, 0x0013, 0x0005, 0x0004], "13cc575f247730d3eeb8ff01e76b245f", "47b833ced4837facc0b2b9ad292e0240", "74fc3de17c53"),
    ], tls13: None },
    Vector { id: "ws2016", sws: &[0xc030, 0xc02f, 0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a, 0x006a, 0x0040, 0x0038, 0x0032, 0x0013], "7c410ce832e848a3321432c9a82e972b", "d0ec4b50a944b182fc10ff51f883ccf7", "bbd4f008d9b2"),
        (TLS12, false, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a, 0x006a, 0x0040, 0x0038, 0x0032, 0x0013, 0x0005, 0x0004], "ae76f123158d52fd84c2c313c0c724ac", "67e3d18fd9dddbbc8eca65f7dedac674", "d8bbeba6d09a"),
        (TLS10, true, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0x000a, 0x0038, 0x0032, 0x0013], "2ed5075a70c928a4112d762add795f8a", "9533c1077bdf4530050c8cf782bc587a", "9a86275ec70d"),
        (TLS10, false, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0039, 0x0033, 0x0035, 0x002f, 0x000a, 0x0038, 0x0032, 0x0013, 0x0005, 0x0004], "235a856727c14dba889ddee0a38dd2f2", "327b8a1cc94fdf6a61874bf11fadaf69", "74fc3de17c53"),
    ], tls13: None },
    Vector { id: "ws2019", sws: &[0xc030, 0xc02f, 0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a], "3b5074b1b5d032e5620f69f9f700ff0e", "ce5f3254611a8c095a3d821d44539877", "76e208dd3e22"),
        (TLS12, false, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a], "3b5074b1b5d032e5620f69f9f700ff0e", "ce5f3254611a8c095a3d821d44539877", "76e208dd3e22"),
        (TLS10, true, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f, 0x000a], "54328bd36c14bd82ddaa0c04b25ed9ad", "1138de370e523e824bbca92d049a3777", "c50f5591e341"),
        (TLS10, false, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f, 0x000a], "54328bd36c14bd82ddaa0c04b25ed9ad", "1138de370e523e824bbca92d049a3777", "c50f5591e341"),
    ], tls13: None },
    Vector { id: "ws2022", sws: &[0xc030, 0xc02f, 0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f], "095a9cdf6fceacc9c38736015b7d1ec4", "f19153be2be8d28a4f6c83bebf78ad16", "22c523c4c553"),
        (TLS12, false, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a], "3b5074b1b5d032e5620f69f9f700ff0e", "ce5f3254611a8c095a3d821d44539877", "76e208dd3e22"),
        (TLS10, true, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f], "8fffe46776bf62f45716b436b6dbc131", "5249695b20f78d23624404726623b5f5", "4dc025c38c38"),
        (TLS10, false, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f, 0x000a], "54328bd36c14bd82ddaa0c04b25ed9ad", "1138de370e523e824bbca92d049a3777", "c50f5591e341"),
    ], tls13: Some((&[0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0x009f, 0x009e, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f], "231e334592e8")) },
    Vector { id: "ws2025", sws: &[0xc030, 0xc02f, 0xc028, 0xc027], lists: &[
        (TLS12, true, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f], "6a5d235ee78c6aede6a61448b4e9ff1e", "258a5a1e95b8a911872bae9081526644", "4b22cbed5bed"),
        (TLS12, false, &[0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f], "6a5d235ee78c6aede6a61448b4e9ff1e", "258a5a1e95b8a911872bae9081526644", "4b22cbed5bed"),
        (TLS10, true, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f], "8fffe46776bf62f45716b436b6dbc131", "5249695b20f78d23624404726623b5f5", "4dc025c38c38"),
        (TLS10, false, &[0xc00a, 0xc009, 0xc014, 0xc013, 0x0035, 0x002f], "8fffe46776bf62f45716b436b6dbc131", "5249695b20f78d23624404726623b5f5", "4dc025c38c38"),
    ], tls13: Some((&[0x1302, 0x1301, 0xc02c, 0xc02b, 0xc030, 0xc02f, 0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f], "2b729b4bf6f3")) },
];

#[test]
fn defaults_have_the_fingerprints_that_were_computed_apart() {
    for vector in VECTORS {
        let client = client(vector.id);
        for (version, strong, suites, dotnet, ocsp, b) in vector.lists {
            let caller = if *strong { Caller::Synchronization } else { Caller::Import };
            let built = client.hello_at(caller, *version, name());
            let read = Read::of(&built);
            let what = format!("{} {version:04x} {strong}", vector.id);
            assert_eq!(read.suites, *suites, "{what}");
            assert_eq!((read.version, read.record, read.session_id), (*version, *version, 0), "{what}");
            assert_eq!(read.ja3(), *dotnet, "{what}");
            assert_eq!(stapled(&built).ja3(), *ocsp, "{what}");
            assert_eq!(read.ja4().1, *b, "{what}");
            if *strong {
                let content = client.hello_at(Caller::Content, *version, name());
                assert_eq!(Read::of(&content).ja3(), *ocsp, "{what}");
            }
        }
        let at_13 = client.hello_at(Caller::Content, TLS13, name());
        match vector.tls13 {
            Some((suites, b)) => {
                let read = Read::of(&at_13);
                assert_eq!((read.suites.as_slice(), read.ja4().1.as_str()), (suites, b), "{}", vector.id);
                assert_eq!((read.version, read.record, read.session_id), (TLS12, TLS10, 32));
                assert_eq!(read.list(43, 1), [TLS13, TLS12]);
            }
            None => assert!(at_13.hello.is_none(), "{}", vector.id),
        }
        let sws = [0xc030, 0xc02f, 0xc028, 0xc027];
        let offer = client.hello_at(Caller::Synchronization, TLS12, name()).offer;
        let common: Vec<u16> = sws.into_iter().filter(|suite| offer.suites.contains(suite)).collect();
        assert_eq!(common, vector.sws, "{}", vector.id);
    }
}

#[test]
fn hellos_are_those_of_published_ja3() {
    let at = |id, caller, version| Read::of(&client(id).hello_at(caller, version, name())).ja3();
    use Caller::{Content, Synchronization};
    assert_eq!(at("ws2019", Synchronization, TLS12), "3b5074b1b5d032e5620f69f9f700ff0e");
    assert_eq!(at("ws2019", Content, TLS12), "ce5f3254611a8c095a3d821d44539877");
    assert_eq!(at("ws2019", Synchronization, TLS10), "54328bd36c14bd82ddaa0c04b25ed9ad");
    assert_eq!(at("ws2016", Synchronization, TLS12), "7c410ce832e848a3321432c9a82e972b");
    assert_eq!(at("ws2012r2", Synchronization, TLS12), "ff1040ba1e3d235855ef0d7cd9237fdc");
    assert_eq!(at("ws2012r2", Content, TLS12), "2c14bfb3f8a2067fbc88d8345e9f97f3");
    assert_eq!(at("ws2012", Synchronization, TLS12), "3e860202fc555b939e83e7a7ab518c38");
    // The same before extended_master_secret came by an update.
    let mut older = client("ws2012").hello_at(Content, TLS12, name()).hello.unwrap();
    older.extensions.retain(|extension| *extension != Extension::ExtendedMasterSecret);
    assert_eq!(Read::hello(&older).ja3(), "4cafc7a0acf83a49317ca199b2f25c82");
}

#[test]
fn hellos_are_those_of_published_ja4() {
    let winhttp = client("ws2019").hello(Caller::Content, name());
    assert_eq!(Read::of(&winhttp).ja4_text(), "t12d210800_76e208dd3e22_16bbda4055b2");

    // Bingbot of November 2025: .NET's extensions, and HTTP/2 asked for.
    let mut bingbot = client("ws2022").hello_at(Caller::Synchronization, TLS13, name()).hello.unwrap();
    bingbot.extensions.push(Extension::Alpn(vec!["h2".into()]));
    assert_eq!(Read::hello(&bingbot).ja4_text(), "t13d2212h2_231e334592e8_36bf25f296df");

    let dotnet = client("ws2025").hello_at(Caller::Synchronization, TLS13, name());
    assert_eq!(Read::of(&dotnet).ja4_text(), "t13d201000_2b729b4bf6f3_29829a46703f");
    let winhttp = client("ws2025").hello_at(Caller::Content, TLS13, name());
    assert_eq!(Read::of(&winhttp).ja4().2, "9e7b989ebec8");

    // WinINet of Windows 10 and 11: the suites of Server 2025 and Triple DES.
    let mut wininet = client("ws2025").hello_at(Caller::Content, TLS12, name()).hello.unwrap();
    wininet.suites.push(0x000a);
    assert_eq!(Read::hello(&wininet).ja4_text(), "t12d190800_d83cc789557e_7af1ed941c26");
}

#[test]
fn keys_and_order_at_tls_13_are_those_of_a_capture() {
    let read = Read::of(&client("ws2022").hello(Caller::Content, name()));
    let numbers: Vec<u16> = read.extensions.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [0, 5, 43, 13, 35, 10, 11, 51, 49, 23, 65281, 45]);
    let mut shares = Bytes(Bytes(read.body(51).unwrap()).vector(2));
    let mut seen = Vec::new();
    while !shares.0.is_empty() {
        let group = shares.number(2);
        seen.push((group, shares.vector(2).len()));
    }
    assert_eq!(seen, [(29, 32), (23, 65), (24, 97)]);
}

#[test]
fn the_reference_clients_hello_is_what_it_was() {
    let none = super::Widening { suites: false, groups: false, signatures: false };
    let (crafted, _) = super::hello(TLS12, none, name());
    let computed = client("ws2019").hello(Caller::Synchronization, name());
    assert_eq!(computed.hello.as_ref().unwrap().bytes(&[9; 32]), crafted.bytes(&[9; 32]));
}
