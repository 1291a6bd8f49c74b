//! Puts a world and the probe together.

use crate::load::Scenario;

/// Why a scenario was not run, or what came out otherwise than written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The probe's library is not wired to the lab.
    #[error(
        "{0}: the probe is not wired to the lab yet; `wsuslab up` brings the world up to be probed by hand"
    )]
    NotWired(String),
}

/// Brings a scenario's world up, runs the probe in it and compares what comes out.
///
/// # Errors
/// Always, for now: nothing is run.
pub fn run(scenario: &Scenario) -> Result<(), RunError> {
    Err(RunError::NotWired(scenario.name.clone()))
}
