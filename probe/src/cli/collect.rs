//! `collect`: this server's own state, written to one file.

use super::{End, complain, print, refuse};
use crate::collect::{self, Wanted};
use crate::collection::Came;
use crate::run::NO_ROLE;
use crate::settings::layers::Given;
use crate::settings::values::Format;

/// Prints the script that collects.
pub(super) fn script(given: &Given) -> End {
    if given.redact.is_some() {
        return refuse("--redact: the script hides no names: `wsusprobe collect` without --script does");
    }
    print(&collect::script())
}

/// Collects and writes.
pub(super) fn collect(given: Given) -> End {
    let settings = given.settings();
    let file = match given.output.unwrap_or_default().as_slice() {
        [] => None,
        [output] if output.format == Format::Json => output.file.clone(),
        _ => return refuse("--output: a collection is JSON, to one place (expected json or json=FILE)"),
    };
    if !collect::HERE {
        complain(
            "nothing to collect: this machine is no Windows Server. On the WSUS server, run this program there, or the script \
             that `wsusprobe collect --script` prints",
        );
        return End::NoInput;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("no runtime: {error}"));
            return End::Bug;
        }
    };
    let wanted = Wanted { network: !settings.no_network, logs: true, within: settings.deadline.0 };
    let came = runtime.block_on(async {
        tokio::select! {
            came = collect::collect(wanted) => Some(came),
            Ok(()) = tokio::signal::ctrl_c() => None,
        }
    });
    runtime.shutdown_background();
    let Some(mut collection) = came else {
        complain("interrupted");
        return End::Interrupted;
    };
    for source in &collection.sources {
        if let Came::Failed(why) = &source.came {
            complain(&format!("{}: {why}", source.name));
        }
    }
    if let Some(why) = collect::no_role(&collection) {
        complain(&format!("{NO_ROLE}\n({why})"));
    }
    if given.redact.is_some() {
        collect::names(&mut collection);
    }
    let text = match serde_json::to_string_pretty(&collection) {
        Ok(text) => text + "\n",
        Err(error) => {
            complain(&format!("internal error: {error}"));
            return End::Bug;
        }
    };
    match file {
        None => print(&text),
        Some(file) => match std::fs::write(&file, text) {
            Ok(()) => End::Code(0),
            Err(error) => refuse(&format!("{file}: {error}")),
        },
    }
}
