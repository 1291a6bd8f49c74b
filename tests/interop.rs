//! The program against real servers, and real clients against the lab: what both agree on is not an invention of
//! ours.
//!
//! A test whose programs are not installed is skipped, and says so in its name; with WSUSPROBE_INTEROP=require it
//! fails.

mod real {
    pub mod dns;
    pub mod enumeration;
    pub mod lab;
    pub mod legacy;
    pub mod nginx;
    pub mod proxies;
    pub mod s_server;
    pub mod squid;
}

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use wsusprobe_suite::targets::ipv6;
use wsusprobe_suite::{installed, is_root};

/// The built program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_wsusprobe-under-test");
/// The name that is asked for everywhere.
const HOST: &str = "upstream.example.test";

/// What a test needs that is no program: an address of loopback.
const IPV6: &str = "IPv6";
/// The same: to be root.
const ROOT: &str = "root";

/// How a test ends.
type Done = Result<(), Failed>;
/// A test: what it shows, the programs that it needs (or [`IPV6`], [`ROOT`]), and itself.
type Case = (&'static str, &'static [&'static str], fn() -> Done);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let required = std::env::var_os("WSUSPROBE_INTEROP").is_some_and(|value| value == "require");
    let cases = [nginx(), s_server(), squid(), proxies(), dns(), lab(), legacy(), enumeration()].concat();
    let trials = cases
        .into_iter()
        .map(|(shows, needs, run)| {
            let missing: Vec<&str> = needs.iter().copied().filter(|name| !there(name)).collect();
            if missing.is_empty() {
                return Trial::test(shows, run);
            }
            let why = format!("not installed: {}", missing.join(", "));
            let name = format!("{shows} [skipped, {why}]");
            Trial::test(name, move || Err(why.into())).with_ignored_flag(!required)
        })
        .collect();
    let threads = arguments.test_threads.unwrap_or(4);
    libtest_mimic::run(&Arguments { test_threads: Some(threads), ..arguments }, trials).exit_code()
}

fn there(need: &str) -> bool {
    match need {
        IPV6 => ipv6(),
        ROOT => is_root(),
        program => installed(program).is_some(),
    }
}

use real::squid::cases as squid;
use real::{dns::cases as dns, enumeration::cases as enumeration, lab::cases as lab, nginx::cases as nginx};
use real::{legacy::cases as legacy, proxies::cases as proxies, s_server::cases as s_server};
