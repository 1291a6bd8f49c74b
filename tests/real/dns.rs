//! dnsmasq and BIND as the name server.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use wsusprobe_suite::probe::{Probe, Ran};
use wsusprobe_suite::server::{Answers, Server, folder, port};
use wsusprobe_suite::{installed, write};

use super::nginx;
use crate::{Case, Done, PROGRAM};

pub(crate) fn cases() -> Vec<Case> {
    let list: &[Case] = &[
        ("dnsmasq: a name that resolves", &["dnsmasq", "nginx"], resolves),
        ("dnsmasq: NXDOMAIN", &["dnsmasq"], not_found),
        ("dnsmasq: a name without an address", &["dnsmasq"], no_address),
        ("dnsmasq: REFUSED", &["dnsmasq"], refused),
        ("dnsmasq: silence", &["dnsmasq"], silence),
        ("BIND: NXDOMAIN", &["named"], bind_not_found),
        ("BIND: a name without an address", &["named"], bind_no_address),
        ("BIND: SERVFAIL of a zone that cannot be read", &["named"], bind_servfail),
        ("BIND: REFUSED", &["named"], bind_refused),
        ("BIND: cut over UDP, whole over TCP", &["named"], bind_truncated),
        ("BIND: an alias", &["named", "nginx"], bind_alias),
    ];
    list.to_vec()
}

fn asked(server: SocketAddr, name: &str) -> Ran {
    Probe::new(PROGRAM, &["check", &format!("http://{name}:8530/there")]).with(&["-4"]).dns(server).run()
}

fn dnsmasq(arguments: &[&str]) -> Result<(Server, SocketAddr), String> {
    let (dir, at) = (folder(), port());
    let mut command = Command::new(installed("dnsmasq").ok_or("no dnsmasq")?);
    command.args(["-k", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll", "--pid-file="]);
    command.args(["--listen-address=127.0.0.1", "--bind-interfaces", "--log-facility=-"]);
    command.arg(format!("--port={at}")).args(arguments);
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, at));
    Ok((Server::start(command, dir, Answers::Dns(server))?, server))
}

fn resolves() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let (_server, dns) = dnsmasq(&["--local=/#/", "--host-record=a.example.test,127.0.0.3"])?;
    let ran = Probe::new(PROGRAM, &["check", "http://a.example.test:8530/there"])
        .dns(dns)
        .redirect("127.0.0.3", 8530, at)
        .run();
    ran.expect("healthy", &[])?;
    Ok(())
}

fn not_found() -> Done {
    let (_server, dns) = dnsmasq(&["--local=/#/"])?;
    asked(dns, "nothere.example.test").expect("faulty", &["cause error certain name/not-found"])?;
    Ok(())
}

fn no_address() -> Done {
    let (_server, dns) = dnsmasq(&["--local=/#/", "--txt-record=bare.example.test,nothing"])?;
    asked(dns, "bare.example.test").expect("faulty", &["cause error certain name/no-address"])?;
    Ok(())
}

fn refused() -> Done {
    let (_server, dns) = dnsmasq(&[])?;
    asked(dns, "foreign.example.test").expect("faulty", &["cause error certain name/refused"])?;
    Ok(())
}

fn silence() -> Done {
    // It passes the question on to a port where nothing answers, and waits.
    let mute = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let pass = format!("--server=/example.test/127.0.0.1#{}", mute.local_addr()?.port());
    let (_server, dns) = dnsmasq(&[&pass])?;
    asked(dns, "silent.example.test").expect("faulty", &["cause error certain name/timeout"])?;
    Ok(())
}

/// BIND with a zone `example.test`, and a zone `broken.test` that it cannot read.
fn bind() -> Result<(Server, SocketAddr), String> {
    let (dir, at) = (folder(), port());
    let folder = dir.path().display();
    let config = format!(
        "options {{ directory \"{folder}\"; pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session\";\n\
         listen-on port {at} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; recursion no;\n\
         notify no; max-udp-size 512; }};\ncontrols {{ }};\n\
         zone \"example.test\" {{ type primary; file \"{folder}/example\"; }};\n\
         zone \"broken.test\" {{ type primary; file \"{folder}/broken\"; }};\n"
    );
    let mut zone = "$TTL 60\n@ IN SOA ns hostmaster 1 60 60 60 60\n@ IN NS ns\nns IN A 127.0.0.1\n\
                    bare IN TXT \"nothing\"\nalias IN CNAME a\na IN A 127.0.0.3\n"
        .to_owned();
    for last in 1..=60 {
        zone.push_str(&format!("many IN A 127.1.1.{last}\n"));
    }
    let config = write(dir.path(), "named.conf", config);
    write(dir.path(), "example", zone);
    write(dir.path(), "broken", "this is no zone\n");
    let mut command = Command::new(installed("named").ok_or("no named")?);
    command.args(["-g", "-4", "-n", "1", "-c"]).arg(config);
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, at));
    Ok((Server::start(command, dir, Answers::Dns(server))?, server))
}

fn bind_not_found() -> Done {
    let (_server, dns) = bind()?;
    asked(dns, "nothere.example.test").expect("faulty", &["cause error certain name/not-found"])?;
    Ok(())
}

fn bind_no_address() -> Done {
    let (_server, dns) = bind()?;
    asked(dns, "bare.example.test").expect("faulty", &["cause error certain name/no-address"])?;
    Ok(())
}

fn bind_servfail() -> Done {
    let (_server, dns) = bind()?;
    asked(dns, "a.broken.test").expect("faulty", &["cause error certain name/server-failure"])?;
    Ok(())
}

fn bind_refused() -> Done {
    let (_server, dns) = bind()?;
    asked(dns, "a.foreign.test").expect("faulty", &["cause error certain name/refused"])?;
    Ok(())
}

fn bind_truncated() -> Done {
    let (_server, dns) = bind()?;
    // All of them lead to a port where nothing listens.
    let ran = asked(dns, "many.example.test");
    ran.expect("faulty", &["cause error certain dial/refused"])?;
    let seen = ran.report()["observations"].to_string();
    if !seen.contains("\"127.1.1.60\"") && !seen.contains("\"127.1.1.1\"") {
        return Err(format!("no address of the long answer was seen: {seen}").into());
    }
    Ok(())
}

fn bind_alias() -> Done {
    let (_nginx, at) = nginx::plain("there")?;
    let (_server, dns) = bind()?;
    let ran = Probe::new(PROGRAM, &["check", "http://alias.example.test:8530/there"])
        .dns(dns)
        .redirect("127.0.0.3", 8530, at)
        .run();
    ran.expect("healthy", &[])?;
    Ok(())
}
