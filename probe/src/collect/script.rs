//! The collection as a script for a server on which a strange program may not run: PowerShell 3.0, to be read before it
//! is run, changing nothing.

use super::{By, HTTP_TEST, SOURCES, Source};
use crate::collection::VERSION;

/// The script. What it writes is what `collect` writes.
pub fn script() -> String {
    let mut out = String::new();
    let head = include_str!("head.ps1");
    out.push_str(&head.replace("{version}", &VERSION.to_string()));
    out.push('\n');
    out.push_str(include_str!("prelude.ps1"));
    for source in SOURCES {
        out.push('\n');
        one(&mut out, source);
    }
    out.push('\n');
    out.push_str(include_str!("tail.ps1"));
    out
}

fn one(out: &mut String, source: &Source) {
    out.push_str(&format!("# {}\n", source.says()));
    let name = source.name;
    match source.by {
        By::PowerShell(lines) => {
            out.push_str(&format!("Read-Source '{name}' {{\n"));
            indented(out, "", lines);
            out.push_str("}\n");
        }
        By::HttpTest(protocol) => {
            out.push_str(&format!("if (-not $NoNetwork) {{\n    Read-Fresh '{name}' {{\n"));
            out.push_str(&format!("        $Protocol = '{protocol}'\n"));
            indented(out, "    ", HTTP_TEST);
            out.push_str("    }\n}\n");
        }
        By::Programs(_, programs) => {
            out.push_str(&format!("Read-Source '{name}' {{\n"));
            for program in programs {
                let words: Vec<String> = program.iter().map(|word| quoted(word)).collect();
                out.push_str(&format!("    Read-Program {}\n", words.join(" ")));
            }
            out.push_str("}\n");
        }
        By::File(place, file) => {
            let (variable, folder) = place.folder();
            out.push_str(&format!(
                "Read-Source '{name}' {{ Read-End $env:{variable} '{folder}\\{file}' }}\n"
            ));
        }
    }
}

/// The lines behind the comment, each below its source.
fn indented(out: &mut String, more: &str, lines: &str) {
    for line in lines.lines().skip(1) {
        if line.trim().is_empty() {
            out.push('\n');
        } else {
            out.push_str(&format!("    {more}{line}\n"));
        }
    }
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "''"))
}
