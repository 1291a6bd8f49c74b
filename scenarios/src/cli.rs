//! The command line of `wsuslab`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::load::{self, LoadError};
use crate::runner;
use crate::schema::World;

/// Worlds and faults of wsusprobe, on loopback.
#[derive(Debug, Parser)]
#[command(name = "wsuslab", version)]
struct Arguments {
    /// The folder that holds worlds/, faults/ and fixtures/ [default: the lab's own]
    #[arg(long, global = true, value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List worlds and faults
    List,
    /// Bring a world up, say how to reach it, and keep it up
    Up {
        /// Its path under worlds/ or faults/ without .toml, or its last part
        name: String,
        /// Write the probe's files here instead of into a temporary folder
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// Date everything from now, for clients that cannot be told another time
        #[arg(long)]
        now: bool,
        /// Run this in that folder, and end with it
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Run scenarios and compare what comes out
    Run {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

const USAGE: u8 = 64;

/// The program.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let home = arguments.home.unwrap_or_else(load::home);
    match arguments.command {
        Command::List => list(&home),
        Command::Up { name, dir, now, command } => match load::by_name(&home, &name) {
            Ok(mut scenario) => {
                if now {
                    scenario.world.epoch = Some(jiff::Timestamp::now().to_string());
                }
                up(&scenario, dir, &command)
            }
            Err(error) => failed(&error),
        },
        Command::Run { names } => run(&home, &names),
    }
}

fn failed(error: &LoadError) -> ExitCode {
    eprintln!("wsuslab: {error}");
    ExitCode::from(USAGE)
}

/// Writes to standard output. A reader that has gone away is no trouble of ours.
fn say(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let _ = std::io::stdout().write_fmt(text);
}

fn list(home: &std::path::Path) -> ExitCode {
    let all = match load::all(home) {
        Ok(all) => all,
        Err(error) => return failed(&error),
    };
    let mut code = ExitCode::SUCCESS;
    for scenario in all {
        match scenario {
            Ok(scenario) => {
                let mark = match (&scenario.base, &scenario.near, &scenario.known_gap) {
                    (None, _, _) => "world".to_owned(),
                    (_, _, Some(_)) => "gap".to_owned(),
                    (_, Some(near), _) => format!("near {near}"),
                    _ => "fault".to_owned(),
                };
                say(format_args!("{:40} {mark:8} {}\n", scenario.name, scenario.about));
            }
            Err(error) => {
                eprintln!("wsuslab: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

fn up(scenario: &load::Scenario, dir: Option<PathBuf>, command: &[String]) -> ExitCode {
    let trouble = |error: &dyn std::fmt::Display| {
        eprintln!("wsuslab: {error}");
        ExitCode::FAILURE
    };
    let temporary = match dir {
        Some(_) => None,
        None => match tempfile::Builder::new().prefix("wsuslab-").tempdir() {
            Ok(temporary) => Some(temporary),
            Err(error) => return trouble(&error),
        },
    };
    let dir = dir.or_else(|| temporary.as_ref().map(|t| t.path().to_owned())).unwrap_or_default();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return trouble(&error),
    };
    runtime.block_on(async {
        let running = match World::up(scenario, &dir) {
            Ok(running) => running,
            Err(error) => return trouble(&error),
        };
        let Some((program, arguments)) = command.split_first() else {
            say(format_args!("{}\nUp until interrupted.\n", running.describe()));
            let _ = tokio::signal::ctrl_c().await;
            return ExitCode::SUCCESS;
        };
        eprintln!("wsuslab: {} is up, seed {}", scenario.name, running.seed);
        let mut command = tokio::process::Command::new(program);
        if let Some(password) = &scenario.world.proxy_password {
            command.env("WSUSPROBE_PROXY_PASSWORD", password);
        }
        let ended = command.args(arguments).current_dir(&dir).status().await;
        for event in running.journal.events() {
            eprintln!("wsuslab: {event}");
        }
        match ended {
            Ok(status) => ExitCode::from(status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(1)),
            Err(error) => trouble(&format!("{program}: {error}")),
        }
    })
}

fn run(home: &std::path::Path, names: &[String]) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("wsuslab: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for name in names {
        let scenario = match load::by_name(home, name) {
            Ok(scenario) => scenario,
            Err(error) => return failed(&error),
        };
        let ran = match runtime.block_on(runner::run(&scenario)) {
            Ok(ran) => ran,
            Err(error) => {
                eprintln!("wsuslab: {}: {error}", scenario.name);
                code = ExitCode::FAILURE;
                continue;
            }
        };
        say(format_args!("{}: {}\n\n", scenario.name, scenario.about));
        say(format_args!("{}", wsusprobe::report::text::render(&ran.report, Default::default())));
        if ran.problems.is_empty() {
            eprintln!("wsuslab: {} came out as written (seed {})", scenario.name, ran.seed);
            continue;
        }
        code = ExitCode::FAILURE;
        eprintln!("wsuslab: {} came out otherwise than written (seed {}):", scenario.name, ran.seed);
        for problem in &ran.problems {
            eprintln!("  {problem}");
        }
    }
    code
}
