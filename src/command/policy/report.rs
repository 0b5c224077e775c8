//! Results of policy tests for machines: JUnit XML and SARIF 2.1.0.
//!
//! Invariant: whatever a name or a policy says, the XML stays well-formed: what XML cannot hold is left out.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::run::Outcome;
use crate::error::Error;

/// The results in the form that CI servers read: a suite a file, a case a test.
pub(super) fn junit(outcomes: &[Outcome]) -> String {
    let mut suites: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        let file = outcome.file.display().to_string();
        suites.entry(file).or_default().push(outcome);
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (file, cases) in &suites {
        let failed = cases.iter().filter(|case| case.failure.is_some()).count();
        let file = escaped(file);
        text.push_str(&format!(
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{failed}\">\n",
            cases.len()
        ));
        for case in cases {
            let name = escaped(&case.name);
            let line = case.place.line;
            let opened =
                format!("    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\"");
            text.push_str(&opened);
            match &case.failure {
                None => text.push_str("/>\n"),
                Some((message, ladder)) => text.push_str(&format!(
                    ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n",
                    escaped(message),
                    escaped(ladder)
                )),
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// One result of a log that code review tools show beside the lines (SARIF 2.1.0, section 3.27).
pub(super) struct SarifResult {
    pub(super) rule: &'static str,
    /// `error`, `warning` or `note`.
    pub(super) level: &'static str,
    pub(super) message: String,
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The failures of tests as such a log.
pub(super) fn sarif(outcomes: &[Outcome]) -> Result<String, Error> {
    let failed = outcomes
        .iter()
        .filter_map(|outcome| Some((outcome, outcome.failure.as_ref()?)));
    let results = failed.map(|(outcome, (message, ladder))| SarifResult {
        rule: "policy-test",
        level: "error",
        message: format!("{}: {message}\n{ladder}", outcome.name),
        file: outcome.file.display().to_string(),
        line: usize::try_from(outcome.place.line).unwrap_or(1),
        column: usize::try_from(outcome.place.column).unwrap_or(1),
    });
    log(
        results.collect(),
        &[("policy-test", "A policy decides as its test expects")],
    )
}

/// The log. Rules that results name and that are not among `rules` explain themselves by their names.
pub(super) fn log(results: Vec<SarifResult>, rules: &[(&str, &str)]) -> Result<String, Error> {
    let rules: Vec<Value> = rules
        .iter()
        .map(|(id, about)| json!({"id": id, "shortDescription": {"text": about}}))
        .collect();
    let results: Vec<Value> = results
        .into_iter()
        .map(|result| {
            json!({
                "ruleId": result.rule,
                "level": result.level,
                "message": {"text": result.message},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": uri(&result.file)},
                    "region": {"startLine": result.line.max(1), "startColumn": result.column.max(1)},
                }}],
            })
        })
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ringwork", "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    });
    let text = serde_json::to_string_pretty(&log).map_err(|error| Error::Pipeline(error.to_string()))?;
    Ok(text + "\n")
}

/// Writes a report to its file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|source| Error::File {
        doing: "write",
        path: path.to_owned(),
        source,
    })
}

/// A path as a relative reference (RFC 3986): what is no unreserved letter or slash is percent-encoded.
fn uri(path: &str) -> String {
    let encoded = path.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    encoded.collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(letter),
            // XML 1.0, section 2.2: these are no characters.
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            _ => out.push(letter),
        }
    }
    out
}
