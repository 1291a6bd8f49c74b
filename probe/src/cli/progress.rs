//! What a run says while it goes on: one line a step, on a terminal alone.

use std::io::Write;

use crate::describe;
use crate::evidence::{Observation, PathInfo};
use crate::run::Observer;

/// Tells standard error.
pub struct Progress {
    /// Whether steps are told; trouble always is.
    pub steps: bool,
}

impl Observer for Progress {
    fn observed(&self, path: &PathInfo, observation: &Observation) {
        if !self.steps || observation.question.is_some() {
            return;
        }
        let lane =
            observation.lane.iter().map(|lane| format!(" {}", describe::clean(lane))).collect::<String>();
        let line = format!(
            "{} {}{lane}: {}",
            describe::clean(&path.id),
            observation.layer.word(),
            describe::outcome(&observation.outcome)
        );
        // A terminal's width is not asked for: a long line is cut where most consoles end.
        let line: String = line.chars().take(100).collect();
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    fn begins(&self, says: &str) {
        if self.steps {
            let _ = writeln!(std::io::stderr().lock(), "{says} ...");
        }
    }

    fn trouble(&self, says: &str) {
        super::complain(says);
    }
}
