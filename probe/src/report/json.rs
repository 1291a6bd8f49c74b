//! The report as one JSON document: a contract, and the saved evidence.

use super::Report;

/// The whole report.
pub fn render(report: &Report) -> String {
    // A report is made of strings, numbers, lists and maps with string keys: it always has a JSON form.
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a report back.
pub fn read(text: &str) -> Result<Report, serde_json::Error> {
    serde_json::from_str(text)
}

/// The JSON Schema of the report.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    // The version is part of the contract.
    if let Some(version) = schema.pointer_mut("/properties/schema") {
        *version = serde_json::json!({ "const": crate::evidence::SCHEMA, "description": "The version of this form." });
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_saved_report_read_back_is_the_same() {
        for report in [sample::faulty(), sample::healthy()] {
            let text = render(&report);
            assert_eq!(read(&text).unwrap(), report);
            assert_eq!(render(&read(&text).unwrap()), text);
        }
    }

    #[test]
    fn the_words_of_the_contract_are_there() {
        let value: serde_json::Value = serde_json::from_str(&render(&sample::faulty())).unwrap();
        let keys =
            ["schema", "verdict", "findings", "ruled_out", "unknown", "settings", "facts", "observations"];
        for key in keys {
            assert!(value.get(key).is_some(), "{key}");
        }
        assert_eq!(value["schema"], 1);
        assert_eq!(value["verdict"], "faulty");
        let finding = &value["findings"][0];
        assert_eq!((&finding["role"], &finding["severity"]), (&"cause".into(), &"error".into()));
        for key in ["steps", "commands", "where", "never"] {
            assert!(finding["remedy"].get(key).is_some(), "{key}");
        }
        assert!(value["ruled_out"][0].get("says").is_some());
        assert!(value["unknown"][0].get("would_decide").is_some());
    }

    /// Set `WSUSPROBE_WRITE_SCHEMA=1` to write the schema anew, and say in the commit why it changes.
    #[test]
    #[allow(clippy::disallowed_methods)]
    fn the_committed_schema_is_the_one_of_the_types() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/report-v1.json");
        // Whether maps keep their order is a feature that any dependency may turn on.
        let mut schema = serde_json::to_value(schema()).unwrap();
        schema.sort_all_objects();
        let schema = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
        if std::env::var_os("WSUSPROBE_WRITE_SCHEMA").is_some() {
            std::fs::write(file, &schema).unwrap();
        }
        let committed = std::fs::read_to_string(file).unwrap_or_default();
        assert!(
            committed.replace("\r\n", "\n") == schema,
            "schema/report-v1.json is not the schema of the types: run this test with WSUSPROBE_WRITE_SCHEMA=1"
        );
    }
}
