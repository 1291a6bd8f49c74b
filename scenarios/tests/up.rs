//! Worlds come up, and what is handed to the probe leads into them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wsuslab::load;
use wsuslab::schema::{Count, ExpectJournal, World};
use wsuslab::witness;
use wsuslab::world::Running;

fn up(files: &[(&str, &str)], name: &str) -> (tempfile::TempDir, Running) {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = home.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let scenario = load::by_name(home.path(), name).unwrap_or_else(|error| panic!("{error}"));
    let running = World::up(&scenario, &home.path().join("run")).unwrap_or_else(|error| panic!("{error}"));
    (home, running)
}

/// Where the settings lead `address:port`, by the rule that the first match wins.
fn led(running: &Running, from: &str) -> SocketAddr {
    let settings: toml::Table = running.settings_text.parse().unwrap();
    let list = settings["connect-to"].as_array().unwrap();
    let entries: Vec<&str> = list.iter().map(|v| v.as_str().unwrap()).collect();
    assert!(entries.last().unwrap().starts_with("::127.0.0.1:"), "{entries:?}");
    let to = entries
        .iter()
        .find_map(|e| e.strip_prefix(&format!("{from}:")))
        .unwrap_or_else(|| entries.last().unwrap().trim_start_matches(':'));
    to.parse().unwrap()
}

async fn get(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: upstream.example.com\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn every_scenario_of_the_lab_comes_up() {
    for scenario in load::all(&load::home()).unwrap() {
        let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
        let dir = tempfile::tempdir().unwrap();
        let began = Instant::now();
        let running =
            World::up(&scenario, dir.path()).unwrap_or_else(|error| panic!("{}: {error}", scenario.name));
        println!("{:40} {:?}", scenario.name, began.elapsed());
        assert!(dir.path().join("wsusprobe.toml").is_file());
        assert!(!running.args.is_empty());
        let said = running.describe();
        assert!(said.contains("wsusprobe ") && said.contains("curl "), "{said}");
        for listener in scenario.expect.journal.connections.keys() {
            let known = listener == "dns" || running.places.iter().any(|p| p.listener == *listener);
            assert!(known, "{}: no listener is called {listener}", scenario.name);
        }
    }
}

const UPSTREAM: &str = "
about = 'an upstream'
check = ['http://upstream.example.com:8530']
at = '+2h'
[trust]
cacert = ['site']
[upstream]
name = 'upstream.example.com'
addresses = ['203.0.113.10', '203.0.113.11', '2001:db8::10']
port.8530 = {}
port.8531 = {}
";

#[tokio::test]
async fn addresses_lead_to_their_own_listeners() {
    let change = "
world = 'w'
about = 'one address is filtered, one is closed'
[change]
upstream.address.'203.0.113.11'.speaks = 'blackhole'
upstream.address.'2001:db8::10'.speaks = 'unreachable'
[change.upstream.port.8531]
speaks = 'closed'
";
    let (_home, running) =
        up(&[("worlds/w.toml", UPSTREAM), ("faults/dial/partial.toml", change)], "partial");
    let good = led(&running, "203.0.113.10:8530");
    assert!(get(good, "/SelfUpdate/wuident.cab").await.starts_with("HTTP/1.1 200 OK"));
    let silent = led(&running, "203.0.113.11:8530");
    let tried = tokio::time::timeout(Duration::from_millis(400), TcpStream::connect(silent)).await;
    assert!(tried.is_err());
    assert_eq!(led(&running, "[2001:db8::10]:8530").to_string(), "127.255.255.255:8530");
    for closed in ["203.0.113.10:8531", "203.0.113.10:443", "192.0.2.1:80"] {
        let refused = TcpStream::connect(led(&running, closed)).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{closed}");
    }
    let expect = ExpectJournal {
        connections: [("upstream:8530".to_owned(), Count { least: 1, most: 1 })].into(),
        requests: vec!["get /selfupdate/".to_owned()],
        ..ExpectJournal::default()
    };
    assert_eq!(witness::problems(&expect, &running.journal), Vec::<String>::new());
    let other = ExpectJournal { no_requests: vec!["wuident".to_owned()], ..ExpectJournal::default() };
    assert_eq!(witness::problems(&other, &running.journal).len(), 1);
}

#[tokio::test]
async fn the_settings_are_what_a_user_could_write() {
    let (_home, running) = up(&[("worlds/w.toml", UPSTREAM)], "w");
    let settings: toml::Table = running.settings_text.parse().unwrap();
    assert_eq!(settings["at"].as_str(), Some("2026-06-15T14:00:00Z"));
    assert_eq!(settings["timeout"].as_str(), Some("2s"));
    assert_eq!(settings["trust"].as_str(), Some("none"));
    assert_eq!(settings["proxy"].as_str(), Some("none"));
    assert_eq!(settings["cacert"].as_array().unwrap()[0].as_str(), Some("site.pem"));
    assert!(settings["dns"].as_array().unwrap()[0].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(running.args, ["check", "http://upstream.example.com:8530"]);
    let root = std::fs::read_to_string(running.dir.join("site.pem")).unwrap();
    assert!(root.starts_with("-----BEGIN CERTIFICATE-----"));
}

#[tokio::test]
async fn without_a_resolver_names_lead() {
    let world = UPSTREAM.replace("[trust]", "dns.resolver = 'none'\n[trust]");
    let (_home, running) = up(&[("worlds/w.toml", &world)], "w");
    let at = led(&running, "upstream.example.com:8530");
    assert!(get(at, "/ClientWebService/wusserverversion.xml").await.contains("10.0.26100.1"));
    let refused = TcpStream::connect(led(&running, "upstream.example.com:443")).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    let settings: toml::Table = running.settings_text.parse().unwrap();
    assert_eq!(settings["resolver"].as_str(), Some("none"));
    assert!(!settings.contains_key("dns"));
}

#[tokio::test]
async fn the_configuration_is_a_list() {
    let world = format!("{UPSTREAM}[config]\nUseProxy = true\nProxyServerPort = 8080\nProxyName = ''\n");
    let (_home, running) = up(&[("worlds/w.toml", &world)], "w");
    let text = std::fs::read_to_string(running.dir.join("config.txt")).unwrap();
    assert!(text.contains("ProxyServerPort : 8080\r\n"), "{text}");
    assert!(text.contains("UseProxy        : True\r\n"), "{text}");
    assert!(text.contains("ProxyName       : \r\n"), "{text}");
}

#[tokio::test]
async fn a_proxy_knows_where_the_worlds_hosts_are() {
    let world = format!("{UPSTREAM}[proxy]\nto.':8531' = 'forbidden'\n[dns]\nonly_listed = true\n");
    let (_home, running) = up(&[("worlds/w.toml", &world)], "w");
    let proxy = led(&running, "203.0.113.251:8080");
    let via = |path: &'static str| async move { get(proxy, path).await };
    let answer = via("http://upstream.example.com:8530/SelfUpdate/wuident.cab").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(via("http://upstream.example.com:80/").await.starts_with("HTTP/1.1 503 "));
    assert!(via("http://upstream.example.com:8531/").await.starts_with("HTTP/1.1 403 "));
    assert!(via("http://nowhere.example.com/").await.contains("ERR_DNS_FAIL"));
    assert_eq!(running.journal.tunnels()[0], "upstream.example.com:8530");
}

#[tokio::test]
async fn an_impossible_world_is_an_error() {
    for (change, says) in [
        ("trust.cacert = ['nobody']", "there is no authority `nobody`"),
        ("upstream.tls.suites = ['TLS_NONE']", "`TLS_NONE` is none of the cipher suites"),
        ("upstream.tls.refuses = 'loudly'", "`refuses` takes"),
        ("upstream.address.'203.0.113.99'.speaks = 'closed'", "is no address of that host"),
        ("file.'a.txt'.given = false", "has one of"),
    ] {
        let home = tempfile::tempdir().unwrap();
        for folder in ["worlds", "faults/x"] {
            std::fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        std::fs::write(home.path().join("worlds/w.toml"), UPSTREAM).unwrap();
        let fault = format!("world = 'w'\nabout = 'x'\n[change]\n{change}\n");
        std::fs::write(home.path().join("faults/x/f.toml"), fault).unwrap();
        let scenario = load::by_name(home.path(), "f").unwrap();
        let error = World::up(&scenario, &home.path().join("run")).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// A deviation for nearly every finding that the network can show: each must come up.
const DEVIATIONS: &[(&str, &str)] = &[
    ("microsoft-direct", "dns.records.'sws.update.microsoft.com' = 'nxdomain'"),
    ("microsoft-direct", "dns.records.'sws.update.microsoft.com' = ['10.0.0.1']"),
    ("microsoft-direct", "dns.also.second = { 'sws.update.microsoft.com' = 'servfail' }"),
    ("microsoft-direct", "dns.silent = true"),
    (
        "microsoft-direct",
        "dns.records.'sws.update.microsoft.com' = { addresses = ['198.51.100.10'], truncated = true }",
    ),
    ("microsoft-direct", "dns.records.'sws.update.microsoft.com' = 'cname edge.example.com'"),
    ("microsoft-direct", "source.port.443.speaks = 'blackhole'"),
    (
        "microsoft-direct",
        "source = { addresses = ['198.51.100.10', '2001:db8::10'], address.'2001:db8::10'.speaks = 'unreachable' }",
    ),
    ("microsoft-direct", "source.port.443.link.hole = 1200"),
    ("microsoft-direct", "source.tls = { versions = ['1.0'], refuses = 'rst' }"),
    ("microsoft-direct", "source.tls = { suites = ['c028', 'c027'] }"),
    ("microsoft-direct", "source.tls = { refuses_when = 'always', refuses = 'fin' }"),
    ("microsoft-direct", "source.tls.signatures = ['0601']"),
    ("microsoft-direct", "source.certificate.issuer = 'inspector'"),
    ("microsoft-direct", "extra.content.dir.'*' = 'range-refused'"),
    ("microsoft-direct", "extra.content.port.80.speaks = 'hangup'"),
    ("microsoft-proxy", "proxy.mode = 'inspect'"),
    (
        "microsoft-proxy",
        "proxy = { mode = 'authenticate', challenge = ['Negotiate', 'NTLM'], accepts_final = true }",
    ),
    (
        "microsoft-proxy",
        "proxy_password = 'secret'\nproxy = { challenge = ['Negotiate', 'NTLM', 'Digest realm=\"x\", qop=\"auth\"'], \
         accounts = { 'EXAMPLE\\wsus' = 'secret' }, closes = 'after-first-message', token = 'not-base64', stale = 1, \
         denies = { host = ['www.example.com'], port = [8531], before_asking = true }, waits = 10, pad = 100, \
         more_schemes = 2000 }",
    ),
    ("microsoft-proxy", "proxy = { mode = 'inspect', tls = { versions = ['1.3'], refuses = 'rst' } }"),
    ("microsoft-proxy", "proxy = { speaks = 'https', mode = 'reset-tls-1.2', to.':80' = 'unresolvable' }"),
    ("microsoft-proxy", "proxy = { mode = 'authenticate-broken', challenge = ['NTLM'] }"),
    ("microsoft-proxy", "proxy = { mode = 'status', status = 503, squid_error = 'ERR_DNS_FAIL 0' }"),
    ("microsoft-proxy", "proxy = { mode = 'portal', redirect = 'http://portal.example.com/' }"),
    ("microsoft-proxy", "proxy.speaks = 'ssh'"),
    ("microsoft-proxy", "proxy.speaks = 'closed'"),
    ("microsoft-proxy", "proxy.mode = 'tls'"),
    ("microsoft-proxy", "proxy.mode = 'socks'"),
    ("microsoft-proxy", "proxy.mode = 'close-tunnel'"),
    ("microsoft-proxy", "proxy.to.'sws.update.microsoft.com:443' = 'forbidden'"),
    ("microsoft-proxy", "ssl_proxy = { mode = 'forbidden' }"),
    ("upstream-https", "upstream.certificate.sends = ['leaf']"),
    ("upstream-https", "upstream.certificate.sends = ['leaf', 'root']"),
    ("upstream-https", "upstream.certificate.sends = ['intermediate', 'leaf', 'inspector/root']"),
    ("upstream-https", "upstream.certificate.sends = ['pem:certificates/upstream-sha1.pem', 'intermediate']"),
    (
        "upstream-https",
        "upstream = { tls.scripted = true, certificate.sends = ['pem:certificates/upstream-rsa768.pem', 'intermediate'] }",
    ),
    ("upstream-https", "upstream.certificate.self_signed = true"),
    ("upstream-https", "upstream.certificate = { not_before = '-2y', not_after = '-1d' }"),
    ("upstream-https", "upstream.certificate = { san = [], cn = 'upstream.example.com' }"),
    ("upstream-https", "upstream.certificate.usage = ['client']"),
    ("upstream-https", "upstream.certificate.issuer = 'other'\nauthority.other.one_tier = true"),
    ("upstream-https", "authority.site = { not_after = '-1d' }"),
    ("upstream-https", "authority.site = { not_a_ca = true }"),
    ("upstream-https", "authority.site = { permits = ['example.org'] }"),
    (
        "upstream-https",
        "authority.site.revoked = ['upstream']\nupstream.certificate.crl = 'http://pki.example.com/site.crl'\n\
         upstream.certificate.aia = 'http://pki.example.com/site.crt'\n[change.extra.pki]\nname = 'pki.example.com'\nport.80 = {}\n\
         serves = { '/site.crl' = 'site/crl', '/site.crt' = 'site/intermediate' }",
    ),
    ("upstream-https", "at = '+3y'"),
    ("upstream-https", "upstream.clock = '+40m'"),
    ("upstream-https", "upstream.port.8531.speaks = 'http'"),
    ("upstream-https", "upstream.port.8531.to_plain = 'bad-request'"),
    ("upstream-https", "upstream.tls.client_certificate = 'required'"),
    (
        "upstream-https",
        "upstream.tls = { versions = ['1.2'], suites = ['TLS_DHE_RSA_WITH_AES_256_GCM_SHA384'], dh_bits = 1024 }",
    ),
    ("upstream-https", "upstream.dir.'*' = 'pool-down'"),
    ("upstream-https", "upstream.method.GetAuthConfig = 'fault:ServerBusy'"),
    ("upstream-https", "upstream.port.8530.dir.SelfUpdate = 'ssl-required'"),
    ("upstream-https", "file.'store.pem' = { certificates = ['site/root', 'upstream/leaf', 'microsoft'] }"),
    ("upstream-https", "file.'events.txt' = { text = 'x', encoding = 'utf-16' }"),
];

#[tokio::test]
async fn every_kind_of_deviation_comes_up() {
    for (world, change) in DEVIATIONS {
        let home = tempfile::tempdir().unwrap();
        for folder in ["worlds", "faults/x"] {
            std::fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let from = load::home().join(format!("worlds/{world}.toml"));
        std::fs::copy(from, home.path().join(format!("worlds/{world}.toml"))).unwrap();
        let fault = format!("world = '{world}'\nabout = 'x'\n[change]\n{change}\n");
        std::fs::write(home.path().join("faults/x/f.toml"), fault).unwrap();
        let mut scenario =
            load::by_name(home.path(), "f").unwrap_or_else(|error| panic!("{change}\n{error}"));
        scenario.fixtures = load::home().join("fixtures");
        let up = World::up(&scenario, &home.path().join("run"));
        up.unwrap_or_else(|error| panic!("{change}\n{error}"));
    }
}

#[tokio::test]
async fn a_policy_of_a_world_is_the_peers() {
    let world = "about = 'x'\n[upstream]\nname = 'upstream.example.com'\naddresses = ['203.0.113.20']\n\
        [upstream.port.8531]\n[upstream.tls]\nversions = ['1.2']\nsuites_of = { '1.2' = ['c02b'] }\nboth_keys = true\n\
        unsigned = true\nrefuses_version = 'alert 71'\n";
    let (_home, running) = up(&[("worlds/w.toml", world)], "w");
    let at = led(&running, "203.0.113.20:8531");
    // Hellos of TLS 1.2 and of 1.0 with one suite and no extensions.
    for (version, begins, holds) in [(3, [22, 3, 3], &[0xc0, 0x2b][..]), (1, [21, 3, 1], &[2, 71][..])] {
        let mut hello = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(&hello).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer[..3], begins);
        assert!(answer.windows(2).any(|pair| pair == holds), "{answer:02x?}");
    }
}

#[tokio::test]
async fn a_server_is_asked_with_its_keys_and_its_policies() {
    let world = "about = 'x'\nask = 'tls'\ncheck = ['upstream.example.com:8531']\nas = 'ws2012r2'\nplan = 'far'\n\
        suites = true\npolicy = ['list.txt']\n[file.'list.txt']\ntext = 'x'\n[file.'other.txt']\ntext = 'y'\n\
        [upstream]\nname = 'upstream.example.com'\n[upstream.port.8531]\n";
    let (_home, running) = up(&[("worlds/w.toml", world)], "w");
    assert_eq!(running.args, ["tls", "--policy", "list.txt", "upstream.example.com:8531"]);
    let settings: toml::Table = running.settings_text.parse().unwrap();
    assert_eq!(settings["as"].as_str(), Some("ws2012r2"));
    assert_eq!((settings["plan"].as_str(), settings["suites"].as_bool()), (Some("far"), Some(true)));
    let said = running.describe();
    let at = running.places[0].at;
    assert!(said.contains(&format!("s_client -connect {at} -servername upstream.example.com")), "{said}");
    for (from, to, says) in
        [("'list.txt'", "'gone.txt'", "gone.txt"), ("'upstream.example.com:8531'", "'a', 'b'", "one server")]
    {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("worlds")).unwrap();
        std::fs::write(home.path().join("worlds/w.toml"), world.replacen(from, to, 1)).unwrap();
        let scenario = load::by_name(home.path(), "w").unwrap();
        let error = World::up(&scenario, &home.path().join("run")).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
