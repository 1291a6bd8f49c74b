//! The command line as clap reads it. Values are taken as text and parsed with the settings, so that a flag, a
//! variable and a key of the file have the same forms and the same errors, and clap never repeats a password.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::BadValue;
use crate::settings::layers::Given;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "wsusprobe",
    version,
    about = "Says at which step WSUS synchronization breaks, why, what that rests on, and prints the repair.\n\
             Without a command: diagnose. Nothing is changed and no synchronization is started.",
    after_help = AFTER_HELP,
    max_term_width = 100,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// The flags.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const AFTER_HELP: &str = "\
Every option but --config, --proxy-password-fd and --script is also a key of the settings file (connect-to = [...]) and \
an environment variable: WSUSPROBE_ and its name in capitals (WSUSPROBE_CONNECT_TO, and WSUSPROBE_CONFIG), lists separated \
by commas; -4 and -6 are WSUSPROBE_FAMILY=ipv4 and ipv6. A flag outranks the environment, the environment the file. The proxy's \
password is read from --proxy-password-fd, else from WSUSPROBE_PROXY_PASSWORD, else asked for at the terminal; no option \
takes it.

Exit codes: 0 healthy, 1 degraded, 2 faulty, 3 undetermined; 64 usage, 65 no usable input, 70 a bug of this program, \
130 interrupted.";

const NO_FORMS: &str = "The answer is text on standard output: --output is for reports alone.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read this server's state, or files handed over, walk every path it needs, say what is wrong
    #[command(after_help = "\
A file is recognised by its content: the WSUS configuration as a list, JSON or CLIXML, SoftwareDistribution.log, pasted \
text of errors, netsh, Test-NetConnection and Resolve-DnsName output, saved reports; and what says how the server speaks \
TLS: .reg files and reg query, gpresult as HTML or XML, Get-TlsCipherSuite, the cipher suites of a policy. `-` is standard \
input.")]
    Diagnose {
        /// Files handed over
        files: Vec<PathBuf>,
    },
    /// Walk to given addresses, without knowing the server
    #[command(after_help = "\
Without a path the URL is a WSUS base: http://upstream.example.com:8530. With one, that path is judged by its status.")]
    Check {
        /// http:// or https:// addresses
        #[arg(required = true, value_name = "URL")]
        urls: Vec<String>,
        /// Stop there: name, dial, proxy, tls, trust or http
        #[arg(long, value_name = "LAYER")]
        until: Option<String>,
    },
    /// Enumerate a server's TLS, and say which Windows Servers can connect
    #[command(after_help = "\
HOST is a name or an address (IPv6 in brackets), the port 443 where none is given. A policy file is a .reg file, reg query \
output, gpresult as HTML or XML, Get-TlsCipherSuite output or a bare list. Without --as and --policy the client taken is \
Windows Server 2019's at TLS 1.2.")]
    Tls {
        /// The server
        #[arg(value_name = "HOST[:PORT]")]
        server: String,
        /// Its flags.
        #[command(flatten)]
        flags: TlsFlags,
    },
    /// Write this server's own state to one file, to be diagnosed anywhere
    #[command(after_help = "\
On the WSUS server, as administrator: -o json=FILE names the file, else the collection goes to standard output. Nothing is \
changed. Passwords, keys and cookies are not read, or hidden. --script prints a PowerShell script instead, which makes the \
same file where a strange program may not run.")]
    Collect {
        /// Print the script that does it
        #[arg(long)]
        script: bool,
        /// Hide the names of the site's hosts too: `names`
        #[arg(long, value_name = "WHAT")]
        redact: Option<String>,
    },
    /// After a repair: say whether synchronization has recovered
    #[command(after_help = "\
Nothing is walked: the record answers. Hand over SoftwareDistribution.log, the events of the source Windows Server Update \
Services, or the synchronization history, taken after a run that was started after the repair. Recovered is: the last run \
succeeded after TIME, and neither an exception nor an event 10021 or 10022 came after it.")]
    Verify {
        /// When the repair was made: RFC 3339, or local where it has no zone
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Files handed over
        files: Vec<PathBuf>,
    },
    /// Print the page of a finding, or what a code means
    #[command(after_help = NO_FORMS)]
    Explain {
        /// A finding's id, such as trust/missing-intermediate, or a code: 0x80072EE2, -2147012894, 12002,
        /// WININET_E_TIMEOUT, UssCommunicationError, 10022, 403.4. A bare number has every meaning; win32:, event: and
        /// http: before it choose one
        #[arg(required = true, value_name = "ID|CODE", allow_negative_numbers = true)]
        what: Vec<String>,
    },
    /// List every finding
    #[command(after_help = NO_FORMS)]
    List,
    /// The settings file
    #[command(subcommand)]
    Config(ConfigCommand),
}

impl Command {
    /// What it is called, where its answer is a text and no report: there is nothing to choose a form of.
    pub fn without_forms(&self) -> Option<&'static str> {
        match self {
            Command::List => Some("list"),
            Command::Explain { .. } => Some("explain"),
            Command::Collect { script: true, .. } => Some("collect --script"),
            Command::Config(ConfigCommand::Init) => Some("config init"),
            _ => None,
        }
    }
}

/// What to do with the settings file.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Read it and everything that it names, say what is wrong
    Check,
    /// Print the settings in force, and where each comes from
    Show,
    /// Write one to begin with
    Init,
}

/// The flags of an enumeration.
#[derive(Debug, Default, Args)]
pub struct TlsFlags {
    /// Take this Windows Server's client: ws2008r2, ws2012, ws2012r2, ws2016, ws2019, ws2022 or ws2025
    #[arg(long = "as", value_name = "SERVER")]
    client: Option<String>,
    /// What sets this client's TLS apart (repeatable)
    #[arg(long, value_name = "FILE")]
    policy: Vec<String>,
    /// Versions, suites and their order alone
    #[arg(long)]
    suites: bool,
    /// One connection at a time
    #[arg(long)]
    polite: bool,
    /// At most so many connections a second
    #[arg(long, value_name = "N")]
    rate: Option<String>,
    /// near (few handshakes) or far (few rounds) [default: by the measured round trip]
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
}

/// The flags that every command knows.
#[derive(Debug, Args)]
pub struct Flags {
    /// Settings file [default: ./wsusprobe.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    pub config: Option<PathBuf>,

    /// Ask this name server directly (repeatable)
    #[arg(long, global = true, value_name = "IP[:PORT]", help_heading = "Names and addresses")]
    dns: Vec<String>,
    /// Who resolves names: system, dns or none [default: system; with --dns: dns]
    #[arg(long, global = true, value_name = "WHO", help_heading = "Names and addresses")]
    resolver: Option<String>,
    /// Connections to HOST:PORT go to ADDRESS:PORT (repeatable)
    #[arg(long, global = true, value_name = "HOST:PORT:ADDRESS:PORT", help_heading = "Names and addresses")]
    connect_to: Vec<String>,
    /// IPv4 only
    #[arg(short = '4', long, global = true, help_heading = "Names and addresses")]
    ipv4: bool,
    /// IPv6 only
    #[arg(short = '6', long, global = true, help_heading = "Names and addresses")]
    ipv6: bool,
    /// The only address family: ipv4 or ipv6
    #[arg(long, global = true, value_name = "FAMILY", help_heading = "Names and addresses", hide = true)]
    family: Option<String>,

    /// Trust the certificates of this PEM file too (repeatable)
    #[arg(long, global = true, value_name = "FILE", help_heading = "Certificates")]
    cacert: Vec<String>,
    /// The store that is trusted: system or none [default: system]
    #[arg(long, global = true, value_name = "STORE", help_heading = "Certificates")]
    trust: Option<String>,
    /// What makes the chains of hosts that match GLOB genuine (repeatable)
    #[arg(long, global = true, value_name = "GLOB=FILE", help_heading = "Certificates")]
    anchor: Vec<String>,
    /// Judge as of this time: RFC 3339, or local where it has no zone
    #[arg(long, global = true, value_name = "TIME", help_heading = "Certificates")]
    at: Option<String>,

    /// as-configured, none, or http://, socks4://, socks4a://, socks5:// with HOST:PORT [default: as-configured]
    #[arg(long, global = true, value_name = "PROXY", help_heading = "Proxy")]
    proxy: Option<String>,
    /// Log on at the proxy as DOMAIN\user, user@REALM or user; the password is asked for, or read as below
    #[arg(long, global = true, value_name = "USER", help_heading = "Proxy")]
    proxy_user: Option<String>,
    /// Read that user's password from this open file descriptor, its first line
    #[arg(long, global = true, value_name = "N", help_heading = "Proxy")]
    pub proxy_password_fd: Option<String>,

    /// Report on this layer only (repeatable)
    #[arg(long, global = true, value_name = "LAYER", help_heading = "Extent")]
    only: Vec<String>,
    /// Leave this layer out (repeatable)
    #[arg(long, global = true, value_name = "LAYER", help_heading = "Extent")]
    skip: Vec<String>,
    /// Open no socket: judge what is handed over
    #[arg(long, global = true, help_heading = "Extent")]
    no_network: bool,
    /// The server has no network by design
    #[arg(long, global = true, help_heading = "Extent")]
    disconnected: bool,
    /// The longest that one step takes: 4s, 250ms [default: 10s]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Extent")]
    timeout: Option<String>,
    /// The longest that the run takes [default: 60s]
    #[arg(long, global = true, value_name = "TIME", help_heading = "Extent")]
    deadline: Option<String>,

    /// text, short or json, to standard output or a file (repeatable) [default: text]
    #[arg(short, long, global = true, value_name = "FORMAT[=FILE]", help_heading = "Report")]
    output: Vec<String>,
    /// No progress on standard error
    #[arg(short, long, global = true, help_heading = "Report")]
    quiet: bool,
    /// Show every observation; twice: and the bytes
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Report")]
    verbose: u8,
    /// auto, always or never [default: auto]
    #[arg(long, global = true, value_name = "WHEN", help_heading = "Report")]
    color: Option<String>,
    /// Do not show this finding, or not for this subject (repeatable)
    #[arg(long, global = true, value_name = "ID[=SUBJECT]", help_heading = "Report")]
    suppress: Vec<String>,
}

/// A flag with a value that it cannot have.
#[derive(Debug, thiserror::Error)]
#[error("{flag}: {error}")]
pub struct BadFlag {
    /// The flag.
    pub flag: String,
    /// What is wrong.
    pub error: BadValue,
}

impl Flags {
    /// What the flags say of the settings, those of the command too.
    pub fn given(&self, command: Option<&Command>) -> Result<Given, BadFlag> {
        let mut given = Given::default();
        let mut set = |key: &str, values: &[String]| {
            if values.is_empty() {
                return Ok(());
            }
            given.set(key, values).map_err(|error| BadFlag { flag: format!("--{key}"), error })
        };
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let bare = |on: bool| if on { vec!["true".to_string()] } else { Vec::new() };
        if self.ipv4 && self.ipv6 {
            let error = BadValue::new("-4 with -6", "one family; both are walked without either");
            return Err(BadFlag { flag: "-4".into(), error });
        }
        let family = match (self.ipv4, self.ipv6) {
            (true, _) => vec!["ipv4".to_string()],
            (_, true) => vec!["ipv6".to_string()],
            _ => one(&self.family),
        };
        set("dns", &self.dns)?;
        set("resolver", &one(&self.resolver))?;
        set("connect-to", &self.connect_to)?;
        set("family", &family)?;
        set("cacert", &self.cacert)?;
        set("trust", &one(&self.trust))?;
        set("anchor", &self.anchor)?;
        set("at", &one(&self.at))?;
        set("proxy", &one(&self.proxy))?;
        set("proxy-user", &one(&self.proxy_user))?;
        set("only", &self.only)?;
        set("skip", &self.skip)?;
        set("no-network", &bare(self.no_network))?;
        set("disconnected", &bare(self.disconnected))?;
        set("timeout", &one(&self.timeout))?;
        set("deadline", &one(&self.deadline))?;
        set("suppress", &self.suppress)?;
        match command {
            Some(Command::Check { until, .. }) => set("until", &one(until))?,
            Some(Command::Verify { since, .. }) => set("since", &one(since))?,
            Some(Command::Collect { redact, .. }) => set("redact", &one(redact))?,
            Some(Command::Tls { flags: tls, .. }) => {
                set("as", &one(&tls.client))?;
                set("policy", &tls.policy)?;
                set("suites", &bare(tls.suites))?;
                set("polite", &bare(tls.polite))?;
                set("rate", &one(&tls.rate))?;
                set("plan", &one(&tls.plan))?;
            }
            _ => {}
        }
        set("output", &self.output)?;
        set("quiet", &bare(self.quiet))?;
        let verbose = if self.verbose == 0 { Vec::new() } else { vec![self.verbose.min(2).to_string()] };
        set("verbose", &verbose)?;
        set("color", &one(&self.color))?;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::settings::layers::FLAGS_ALONE;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_key_is_a_flag_and_every_other_flag_is_named() {
        let command = Cli::command();
        let mut known: Vec<&str> = command
            .get_arguments()
            .chain(command.get_subcommands().flat_map(|sub| sub.get_arguments()))
            .filter_map(|arg| arg.get_long())
            .collect();
        let mut named: Vec<&str> = FLAGS_ALONE.iter().map(|(flag, _)| *flag).collect();
        named.push("config");
        named.extend(Given::KEYS);
        known.sort();
        named.sort();
        assert_eq!(known, named);
    }

    #[test]
    fn flags_count_before_and_behind_the_command() {
        for line in ["wsusprobe -4 check http://a --timeout 2s", "wsusprobe --timeout 2s check -4 http://a"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let settings = cli.flags.given(cli.command.as_ref()).unwrap().settings();
            assert_eq!(settings.timeout.to_string(), "2s");
            assert_eq!(settings.family, Some(crate::settings::Family::Ipv4));
        }
    }
}
