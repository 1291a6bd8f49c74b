//! The report in one line a finding, and the verdict.

use super::{Report, text};
use crate::describe::clean;
use crate::pages;

/// The whole report.
pub fn render(report: &Report) -> String {
    let shown: Vec<_> =
        report.findings.iter().filter(|f| !report.settings.suppresses(&f.id, &f.subject)).collect();
    let mut out = String::new();
    for finding in &shown {
        let says = match pages::page(&finding.id) {
            Some(_) => pages::title(&finding.id, &finding.subject),
            None => finding.says.clone(),
        };
        let line = format!(
            "{} {} {} ({}, {}): {says}",
            text::role(finding),
            finding.id,
            finding.subject,
            text::severity(finding),
            text::confidence(finding)
        );
        out.push_str(&clean(&line));
        out.push('\n');
    }
    out.push_str(&text::verdict_line(report, &shown));
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;

    #[test]
    fn one_line_a_finding_and_the_verdict() {
        let text = super::render(&sample::faulty());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(
            lines[0].starts_with(
                "CAUSE config/endpoint-decommissioned MUUrl (error, certain): The update endpoint"
            )
        );
        assert!(lines[2].starts_with("Verdict: faulty"));
    }
}
