//! `openssl s_server` as a peer with odd TLS.

use std::process::Command;

use wsusprobe_suite::certificates::Site;
use wsusprobe_suite::installed;
use wsusprobe_suite::probe::{Probe, Ran};
use wsusprobe_suite::server::{Answers, Server, folder, port};

use crate::{Case, Done, HOST, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("s_server: an ordinary TLS 1.2 is healthy", &["openssl"], healthy),
        ("s_server: TLS 1.0 alone", &["openssl"], tls10),
        ("s_server: TLS 1.1 alone", &["openssl"], tls11),
        ("s_server: a suite that the reference client has not", &["openssl"], chacha),
        ("s_server: a client certificate is demanded", &["openssl"], client_certificate),
    ];
    list.to_vec()
}

pub(crate) fn against(arguments: &str) -> Result<Ran, String> {
    let (dir, at, site) = (folder(), port(), Site::new());
    site.issue(&Site::usual(HOST)).write(dir.path());
    let root = site.root(dir.path());
    let mut command = Command::new(installed("openssl").ok_or("no openssl")?);
    command.args(["s_server", "-www", "-accept", &format!("127.0.0.1:{at}")]);
    command.args(["-cert", "leaf.pem", "-cert_chain", "chain.pem", "-key", "key.pem"]);
    command.args(arguments.split_whitespace());
    let probe = Probe::new(PROGRAM, &["check", &format!("https://{HOST}:8531/there")])
        .trusting(&root)
        .redirect(HOST, 8531, at);
    let _server = Server::start(command, dir, Answers::Tcp(at))?;
    Ok(probe.run())
}

fn healthy() -> Done {
    against("-tls1_2")?.expect("healthy", &[])?;
    Ok(())
}

fn old(flag: &str, name: &str) -> Done {
    let ran = against(&format!("{flag} -cipher ALL:@SECLEVEL=0"))?;
    ran.expect("faulty", &["cause error likely tls/version-unsupported"])?
        .says("tls/version-unsupported", name)?;
    Ok(())
}

fn tls10() -> Done {
    old("-tls1", "TLS 1.0")
}

fn tls11() -> Done {
    old("-tls1_1", "TLS 1.1")
}

fn chacha() -> Done {
    let ran = against("-tls1_2 -cipher ECDHE-RSA-CHACHA20-POLY1305")?;
    ran.expect("faulty", &["cause error certain tls/no-common-cipher"])?
        .says("tls/no-common-cipher", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256")?;
    Ok(())
}

fn client_certificate() -> Done {
    let ran = against("-tls1_2 -Verify 3 -verify_return_error")?;
    ran.expect("faulty", &["cause error certain tls/client-certificate"])?;
    Ok(())
}
