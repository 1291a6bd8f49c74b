//! Squid as the proxy.

use wsusprobe_suite::probe::Probe;
use wsusprobe_suite::server::port;
use wsusprobe_suite::squid::{ALL, PROXY, Setup, Squid};

use super::nginx;
use crate::{Case, Done, HOST, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("squid: an open proxy is healthy", &["squid", "nginx"], open),
        ("squid: plain HTTP through it is healthy", &["squid", "nginx"], open_plain),
        ("squid: 407 with Basic", &["squid", "basic_ncsa_auth", "openssl"], basic),
        ("squid: plain HTTP, 407 with Basic", &["squid", "basic_ncsa_auth", "openssl"], basic_plain),
        ("squid: denied by its rules", &["squid"], forbidden),
        ("squid: plain HTTP, denied by its rules", &["squid"], forbidden_plain),
        ("squid: port 443 alone", &["squid"], only_443),
        ("squid: a destination that it cannot resolve", &["squid"], unresolvable),
        ("squid: its page of failed name resolution", &["squid"], says_dns),
        ("squid: a destination that refuses", &["squid"], dead),
        ("squid: plain HTTP, a destination that refuses", &["squid"], dead_plain),
        ("squid: a web server is no proxy", &["nginx"], no_proxy),
    ];
    list.to_vec()
}

fn squid(rules: &str, files: &[(&str, String)]) -> Result<Squid, String> {
    Squid::start(&[HOST], rules, files)
}

fn through(squid: &Squid, url: &str) -> Probe {
    Probe::new(PROGRAM, &["check", url, "--proxy", &format!("http://{PROXY}:3128")])
        .redirect(PROXY, 3128, squid.at)
}

fn open() -> Done {
    let (_nginx, roots, at) = nginx::healthy_server()?;
    let squid = squid(ALL, &[])?;
    let ran =
        through(&squid, &format!("https://{HOST}:{at}/there")).trusting(&roots.path().join("root.pem")).run();
    ran.expect("healthy", &[])?;
    Ok(())
}

fn open_plain() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let squid = squid(ALL, &[])?;
    through(&squid, &format!("http://{HOST}:{at}/there")).run().expect("healthy", &[])?;
    Ok(())
}

/// A Squid that wants Basic credentials.
fn asking() -> Result<Squid, String> {
    Setup::basic(&[HOST], "user", "secret")?.start()
}

fn basic() -> Done {
    let ran = through(&asking()?, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error certain proxy/auth-required"])?
        .says("proxy/auth-required", "Basic")?;
    Ok(())
}

fn basic_plain() -> Done {
    let ran = through(&asking()?, &format!("http://{HOST}:8530/there")).run();
    ran.expect("faulty", &["cause error certain proxy/auth-required"])?
        .says("proxy/auth-required", "Basic")?;
    Ok(())
}

fn forbidden() -> Done {
    let squid = squid("http_access deny all\n", &[])?;
    let ran = through(&squid, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error certain proxy/forbidden"])?
        .says("proxy/forbidden", "ERR_ACCESS_DENIED")?;
    Ok(())
}

fn forbidden_plain() -> Done {
    let squid = squid("http_access deny all\n", &[])?;
    let ran = through(&squid, &format!("http://{HOST}:8530/there")).run();
    ran.expect("faulty", &["cause error certain proxy/forbidden"])?
        .says("proxy/forbidden", "ERR_ACCESS_DENIED")?;
    Ok(())
}

fn only_443() -> Done {
    let squid = squid("acl ok port 443\nhttp_access deny CONNECT !ok\nhttp_access allow all\n", &[])?;
    let ran = through(&squid, &format!("https://{HOST}:8531/there")).run();
    ran.expect("faulty", &["cause error likely proxy/port-denied"])?.says("proxy/port-denied", "8531")?;
    Ok(())
}

fn unresolvable() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, "https://nothere.example.test:8531/there").run();
    // Squid 5 says 500 and not why; others say 503 and that it is DNS.
    let silent = ran.expect("faulty", &["cause error certain proxy/cannot-connect"]);
    if silent.and_then(|ran| ran.says("proxy/cannot-connect", "ERR_CANNOT_FORWARD")).is_err() {
        ran.expect("faulty", &["cause error certain proxy/cannot-resolve"])?
            .says("proxy/cannot-resolve", "ERR_DNS_FAIL")?;
    }
    Ok(())
}

fn says_dns() -> Done {
    let squid = squid(
        "acl r dst all\ndeny_info 503:ERR_DNS_FAIL r\nhttp_access deny !r\nhttp_access allow all\n",
        &[],
    )?;
    let ran = through(&squid, "https://nothere.example.test:8531/there").run();
    ran.expect("faulty", &["cause error certain proxy/cannot-resolve"])?
        .says("proxy/cannot-resolve", "ERR_DNS_FAIL")?;
    Ok(())
}

fn dead() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, &format!("https://{HOST}:{}/there", port())).run();
    ran.expect("faulty", &["cause error certain proxy/cannot-connect"])?
        .says("proxy/cannot-connect", "ERR_CONNECT_FAIL 111")?;
    Ok(())
}

fn dead_plain() -> Done {
    let squid = squid(ALL, &[])?;
    let ran = through(&squid, &format!("http://{HOST}:{}/there", port())).run();
    ran.expect("faulty", &["cause error certain proxy/cannot-connect"])?
        .says("proxy/cannot-connect", "ERR_CONNECT_FAIL 111")?;
    Ok(())
}

fn no_proxy() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let ran = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .with(&["--proxy", &format!("http://{PROXY}:3128")])
        .redirect(PROXY, 3128, at)
        .run();
    ran.expect("faulty", &["cause error likely proxy/not-a-proxy"])?;
    Ok(())
}
