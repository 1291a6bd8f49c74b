//! What a reading holds, in the form in which tests compare it.

use wsusprobe::facts::{Reading, Statement};

/// The tests by HttpWebRequest: URL, status, first exception.
pub fn http_tests(reading: &Reading) -> Vec<(&str, Option<u16>, &str)> {
    let tests = reading.facts.iter().filter_map(|fact| match &fact.statement {
        Statement::HttpTest { url, status, exceptions, .. } => {
            Some((url.as_str(), *status, exceptions.first().map_or("", String::as_str)))
        }
        _ => None,
    });
    tests.collect()
}
