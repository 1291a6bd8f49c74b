//! The command line: parsed, lowered once into settings, run, and answered with a report and an exit code.

mod args;
mod code;
mod collect;
mod explain;
mod password;
mod progress;
pub mod target;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use self::args::{Cli, Command, ConfigCommand};
use self::progress::Progress;
use crate::evidence::{Target, escape};
use crate::facts::{self, Input};
use crate::report::{Report, json, short, text};
use crate::rules::catalogue;
use crate::run::{self, RunError};
use crate::settings::Settings;
use crate::settings::file::{self, FILE};
use crate::settings::layers::{self, Given};
use crate::settings::values::{Colour, Format, Output};
use crate::trust::TrustStore;

/// How a run of the program ends other than with a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A verdict, or a question that was answered.
    Code(u8),
    /// The command line, a setting or a file that it names is wrong.
    Usage,
    /// Nothing handed over could be used.
    NoInput,
    /// Our own fault.
    Bug,
    /// Interrupted.
    Interrupted,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        ExitCode::from(match end {
            End::Code(code) => code,
            End::Usage => 64,
            End::NoInput => 65,
            End::Bug => 70,
            End::Interrupted => 130,
        })
    }
}

/// The program.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or("no message");
        complain(&format!(
            "internal error{at}: {why}\nThis is a bug of wsusprobe, not of the server. Please report it."
        ));
    }));
    std::panic::catch_unwind(|| run(std::env::args_os().collect())).unwrap_or(End::Bug).into()
}

fn run(line: Vec<OsString>) -> End {
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let flags = match cli.flags.given(cli.command.as_ref()) {
        Ok(given) => given,
        Err(error) => return refuse(&error.to_string()),
    };
    let text = Output { format: Format::Text, file: None };
    if let Some(command) = cli.command.as_ref().and_then(Command::without_forms)
        && flags.output.iter().flatten().any(|output| *output != text)
    {
        return refuse(&format!(
            "--output: {command} makes no report: it prints text, and to standard output alone"
        ));
    }
    let descriptor = cli.flags.proxy_password_fd.clone();
    let config = cli.flags.config.clone().or_else(|| variable("WSUSPROBE_CONFIG").map(PathBuf::from));
    match cli.command.unwrap_or(Command::Diagnose { files: Vec::new() }) {
        Command::List => print(&explain::list()),
        Command::Explain { what } => {
            // A variable or a file that is wrong does not keep anyone from reading a page.
            let environment = Given::from_environment(&variable).unwrap_or_default();
            let when = flags.over(environment).color.unwrap_or(Colour::Auto);
            match explain::explain(&what, colour(when, &io::stdout())) {
                Ok(page) => print(&page),
                Err(why) => refuse(&why),
            }
        }
        Command::Config(ConfigCommand::Init) => init(config.as_deref()),
        Command::Config(command) => match sources(flags, config.as_deref()) {
            Ok(sources) if matches!(command, ConfigCommand::Show) => print(&show(&sources)),
            Ok(sources) => check_config(&sources),
            Err(error) => refuse(&error.to_string()),
        },
        Command::Diagnose { files } => match sources(flags, config.as_deref()) {
            Ok(sources) => judge(sources.merged(), descriptor.as_deref(), Job::Diagnose(files)),
            Err(error) => refuse(&error.to_string()),
        },
        Command::Verify { files, .. } => match sources(flags, config.as_deref()) {
            Ok(sources) if sources.merged().since.is_none() => {
                refuse("verify: --since TIME is missing: when the repair was made, as 2026-05-01T02:30:00Z")
            }
            Ok(sources) => judge(sources.merged(), descriptor.as_deref(), Job::Verify(files)),
            Err(error) => refuse(&error.to_string()),
        },
        Command::Collect { script, .. } => match sources(flags, config.as_deref()) {
            Ok(sources) if script => collect::script(&sources.merged()),
            Ok(sources) => collect::collect(sources.merged()),
            Err(error) => refuse(&error.to_string()),
        },
        Command::Tls { server, .. } => match (target::server(&server), sources(flags, config.as_deref())) {
            (Err(error), _) => refuse(&error.to_string()),
            (_, Err(error)) => refuse(&error.to_string()),
            (Ok(target), Ok(sources)) => {
                let given = sources.merged();
                let policy = given.policy.iter().flatten().map(PathBuf::from).collect();
                judge(given, descriptor.as_deref(), Job::Tls(target, policy))
            }
        },
        Command::Check { urls, .. } => {
            let targets: Result<Vec<Target>, _> = urls.iter().map(|url| target::target(url)).collect();
            match (targets, sources(flags, config.as_deref())) {
                (Err(error), _) => refuse(&error.to_string()),
                (_, Err(error)) => refuse(&error.to_string()),
                (Ok(targets), Ok(sources)) => {
                    judge(sources.merged(), descriptor.as_deref(), Job::Check(targets))
                }
            }
        }
    }
}

// ---- settings --------------------------------------------------------------------------------------------------

/// The environment is read here and nowhere else.
#[allow(clippy::disallowed_methods)]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What each source says, the strongest first.
struct Sources {
    flags: Given,
    environment: Given,
    file: Option<(PathBuf, Given)>,
}

impl Sources {
    fn merged(&self) -> Given {
        let file = self.file.as_ref().map(|(_, given)| given.clone()).unwrap_or_default();
        self.flags.clone().over(self.environment.clone()).over(file)
    }

    fn origin(&self, key: &str) -> String {
        if self.flags.has(key) {
            return format!("--{key}");
        }
        if self.environment.has(key) {
            return layers::variable_name(key);
        }
        self.file.as_ref().map(|(file, _)| file.display().to_string()).unwrap_or_default()
    }
}

fn sources(flags: Given, config: Option<&Path>) -> Result<Sources, layers::SettingsError> {
    let environment = Given::from_environment(&variable)?;
    let file = file::read(config)?;
    Ok(Sources { flags, environment, file })
}

/// The settings in force as a settings file, each with its origin.
fn show(sources: &Sources) -> String {
    let merged = sources.merged();
    let values = toml::Table::try_from(&merged).unwrap_or_default();
    // What nobody names has its default, which the settings know.
    let defaults = serde_json::to_value(merged.settings()).unwrap_or_default();
    let mut out = String::new();
    for key in Given::KEYS {
        let line = match values.get(*key) {
            Some(value) => format!("{key} = {value}  # {}", sources.origin(key)),
            None => match defaults.get(key) {
                Some(serde_json::Value::Null) | None => continue,
                Some(value) => format!("{key} = {value}  # default"),
            },
        };
        out.push_str(&escape(&line, 4000));
        out.push('\n');
    }
    out
}

fn check_config(sources: &Sources) -> End {
    let merged = sources.merged();
    if let Err(error) = TrustStore::load(&merged.settings()) {
        return refuse(&error.to_string());
    }
    let policy: Vec<Input> = merged.policy.iter().flatten().map(Input::file).collect();
    if let Some(problem) = facts::read(&policy).problems.first() {
        return refuse(&problem.to_string());
    }
    match &sources.file {
        Some((file, _)) => print(&format!("{}: in order\n", escape(&file.to_string_lossy(), 400))),
        None => print(&format!("no {FILE} here: defaults, environment and flags are in order\n")),
    }
}

fn init(config: Option<&Path>) -> End {
    let file = config.unwrap_or(Path::new(FILE));
    let written =
        std::fs::File::create_new(file).and_then(|mut open| open.write_all(file::TEMPLATE.as_bytes()));
    match written {
        Ok(()) => print(&format!("{} written\n", escape(&file.to_string_lossy(), 400))),
        Err(error) => refuse(&format!("{}: {error}", file.display())),
    }
}

// ---- a run -----------------------------------------------------------------------------------------------------

enum Job {
    Diagnose(Vec<PathBuf>),
    Check(Vec<Target>),
    Verify(Vec<PathBuf>),
    Tls(Target, Vec<PathBuf>),
}

fn judge(given: Given, descriptor: Option<&str>, job: Job) -> End {
    let mut settings: Settings = given.settings();
    if !matches!(job, Job::Check(_)) {
        settings.until = None;
    }
    if !matches!(job, Job::Verify(_)) {
        settings.since = None;
    }
    let outputs = match outputs(given.output) {
        Ok(outputs) => outputs,
        Err(why) => return refuse(&why),
    };
    // A finding that does not exist cannot be suppressed: a misspelt id would hide nothing, and nobody would see it.
    let named = settings.suppress.iter().map(|entry| entry.split('=').next().unwrap_or(entry));
    if let Some(id) = named.into_iter().find(|id| catalogue::entry(id).is_none()) {
        return refuse(&format!("--suppress: {}", explain::no_finding(id)));
    }
    // Suites alone are no question of trust, and a record none of TLS: the machine's store is not read for them.
    let alone = (matches!(job, Job::Tls(..)) && settings.suites) || matches!(job, Job::Verify(_));
    let loaded = if alone { Ok(TrustStore::default()) } else { TrustStore::load(&settings) };
    let store = match loaded {
        Ok(store) => store,
        Err(error) => return refuse(&error.to_string()),
    };
    if let Err(why) = password::find(&mut settings, descriptor) {
        return refuse(&why);
    }
    let quiet = given.quiet.unwrap_or(false);
    let progress = Progress { steps: !quiet && io::stderr().is_terminal() };
    // An enumeration is many small exchanges: handing them from thread to thread would cost more than they do.
    let mut builder = match job {
        Job::Tls(..) => tokio::runtime::Builder::new_current_thread(),
        Job::Diagnose(_) | Job::Check(_) | Job::Verify(_) => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return End::Bug;
        }
    };
    let came = runtime.block_on(async {
        let work = async {
            match &job {
                // The settings have the time of a repair for `verify` alone.
                Job::Diagnose(files) | Job::Verify(files) => {
                    run::diagnose(&settings, &store, files, &progress).await
                }
                Job::Check(targets) => run::check(&settings, &store, targets, &progress).await,
                Job::Tls(target, files) => run::tls(&settings, &store, target, files, &progress).await,
            }
        };
        tokio::select! {
            came = work => Some(came),
            Ok(()) = tokio::signal::ctrl_c() => None,
        }
    });
    // A blocking look-up may still be under way: it is not waited for.
    runtime.shutdown_background();
    let report = match came {
        Some(Ok(report)) => report,
        Some(Err(RunError::NoInput { says })) => {
            complain(&says);
            return End::NoInput;
        }
        Some(Err(RunError::Internal { says })) => {
            complain(&format!("internal error: {says}"));
            return End::Bug;
        }
        None => {
            complain("interrupted");
            return End::Interrupted;
        }
    };
    let when = given.color.unwrap_or(Colour::Auto);
    let verbose = given.verbose.unwrap_or(0);
    match deliver(&report, &outputs, when, verbose) {
        Ok(()) => End::Code(code(&report)),
        Err(why) => refuse(&why),
    }
}

/// The exit code of a report: the verdict's, and at least 1 where something handed over could not be read.
fn code(report: &Report) -> u8 {
    let unreadable = report.findings.iter().any(|finding| finding.id == "input/unreadable");
    report.verdict.exit_code().max(u8::from(unreadable))
}

/// The forms asked for, text if none; refused before the run where one could not be written after it.
fn outputs(given: Option<Vec<Output>>) -> Result<Vec<Output>, String> {
    let mut outputs = given.unwrap_or_default();
    outputs.dedup();
    if outputs.is_empty() {
        outputs.push(Output { format: Format::Text, file: None });
    }
    if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
        return Err("--output: only one form can go to standard output; give the others a FILE".into());
    }
    for file in outputs.iter().filter_map(|output| output.file.as_deref()) {
        let folder = Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty());
        if Path::new(file).is_dir() || folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(format!("--output: {file} cannot be written: a folder, or no folder to write it to"));
        }
    }
    Ok(outputs)
}

fn deliver(report: &Report, outputs: &[Output], when: Colour, verbose: u8) -> Result<(), String> {
    // A form that cannot be written does not take the others with it: the run may have cost a minute.
    let mut trouble = Ok(());
    for output in outputs {
        let colour = output.file.is_none() && colour(when, &io::stdout());
        let rendered = match output.format {
            Format::Text => text::render(report, text::Options { colour, verbose, ..Default::default() }),
            Format::Short => short::render(report),
            Format::Json => json::render(report),
        };
        match &output.file {
            Some(file) => {
                let written = std::fs::write(file, rendered).map_err(|error| format!("{file}: {error}"));
                trouble = trouble.and(written);
            }
            None => {
                print(&rendered);
            }
        }
    }
    trouble
}

/// Whether to colour what goes to `stream`.
fn colour(when: Colour, stream: &impl IsTerminal) -> bool {
    match when {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            let dumb = variable("TERM").is_some_and(|term| term == "dumb");
            // Older Windows consoles show escape sequences as they are; these variables mark those that do not.
            let able = !cfg!(windows)
                || ["WT_SESSION", "TERM", "ANSICON", "ConEmuANSI"].iter().any(|n| variable(n).is_some());
            stream.is_terminal() && able && !dumb && variable("NO_COLOR").is_none()
        }
    }
}

// ---- words -----------------------------------------------------------------------------------------------------

/// Writes to standard output. A reader that has gone away is not our trouble.
fn print(text: &str) -> End {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            complain(&format!("standard output: {error}"))
        }
        _ => {}
    }
    // What could not be written is not tried again when the writer goes.
    let _ = out.into_parts();
    End::Code(0)
}

/// Says trouble on standard error.
fn complain(says: &str) {
    let _ = writeln!(io::stderr().lock(), "wsusprobe: {}", speakable(says));
}

fn refuse(says: &str) -> End {
    complain(says);
    End::Usage
}

/// Our own lines as they are, without control characters and without credentials of a URL that stands in them.
fn speakable(says: &str) -> String {
    let lines: Vec<String> = says.lines().map(|line| escape(&without_credentials(line), 2000)).collect();
    lines.join("\n")
}

fn without_credentials(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/'\"`".contains(c)).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(sign) => {
                out.push_str("(credentials)");
                &after[sign..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// What clap has to say: help and version on standard output, the rest is usage.
fn usage(error: &clap::Error) -> End {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let help = error.render();
            if colour(Colour::Auto, &io::stdout()) {
                print(&help.ansi().to_string())
            } else {
                print(&help.to_string())
            }
        }
        kind => {
            let mut says = error.render().to_string();
            if kind == ErrorKind::InvalidSubcommand
                && let Some(word) = error.get(clap::error::ContextKind::InvalidSubcommand)
                && Path::new(&word.to_string()).exists()
            {
                says.push_str(&format!("\nTo read a file: wsusprobe diagnose {word}"));
            }
            refuse(says.trim_start_matches("error: ").trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_a_url_are_not_repeated() {
        assert_eq!(without_credentials("a 'http://u:p@w@h:1/x@y' b"), "a 'http://(credentials)@h:1/x@y' b");
        assert_eq!(without_credentials("http://h/ https://u@h"), "http://h/ https://(credentials)@h");
    }

    #[test]
    fn trouble_keeps_its_lines_and_nothing_else() {
        assert_eq!(speakable("a\n\u{1b}[2Jb"), "a\n\\u{1b}[2Jb");
    }

    #[test]
    fn one_form_goes_to_standard_output() {
        let forms = |words: &[&str]| outputs(Some(words.iter().map(|word| word.parse().unwrap()).collect()));
        assert!(forms(&["text", "json"]).is_err());
        assert!(forms(&["text", "json=x.json"]).is_ok());
        assert!(forms(&["json=no/such/folder/x.json"]).is_err());
        assert_eq!(outputs(None).unwrap(), ["text".parse().unwrap()]);
    }
}
