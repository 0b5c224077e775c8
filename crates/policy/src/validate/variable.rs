//! Policy variables: `${key}` and `${key, 'default'}`, well-formed and where they mean something.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use super::{Check, Issue, place::Text};

/// A variable as it stands in a string: its byte offset, its length, and what is between the braces.
pub(super) struct Variable<'a> {
    pub(super) start: usize,
    pub(super) length: usize,
    /// Nothing if the brace is never closed.
    pub(super) body: Option<&'a str>,
}

/// The variables of a string. `${*}`, `${?}` and `${$}` are letters, not variables.
pub(super) fn variables(text: &str) -> Vec<Variable<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("${")) {
        let start = from + at;
        let inner = text.get(start + 2..).unwrap_or_default();
        match inner.find('}') {
            Some(end) => {
                let body = inner.get(..end).unwrap_or_default();
                if !matches!(body, "*" | "?" | "$") {
                    found.push(Variable {
                        start,
                        length: end + 3,
                        body: Some(body),
                    });
                }
                from = start + end + 3;
            }
            None => {
                found.push(Variable {
                    start,
                    length: text.len() - start,
                    body: None,
                });
                break;
            }
        }
    }
    found
}

/// The string with a letter that stands nowhere else in place of each variable.
pub(super) fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for variable in variables(text) {
        out.push_str(text.get(from..variable.start).unwrap_or_default());
        out.push(MASK);
        from = variable.start + variable.length;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    for literal in ["${*}", "${?}", "${$}"] {
        out = out.replace(literal, "_");
    }
    out
}

/// What stands for a variable in a masked string.
pub(super) const MASK: char = '\u{1}';

impl Check<'_> {
    /// Checks the variables of a string in which they mean something; says whether there are any.
    pub(super) fn check_variables(&mut self, text: &Text<'_>) -> bool {
        let found = variables(text.text);
        if !self.variables {
            if !found.is_empty() {
                self.report(
                    Issue::VariableUnsupportedInVersion,
                    &[&text.spot],
                    "The policy's version takes variables for plain text: set Version to 2012-10-17.",
                );
            }
            return false;
        }
        for variable in &found {
            let spot = text.part(variable.start, variable.length);
            let Some(body) = variable.body else {
                self.report(
                    Issue::MissingBraceInVariable,
                    &[&spot],
                    "The variable is never closed: add a closing brace after its name.",
                );
                continue;
            };
            let (name, default) = match body.split_once(',') {
                None => (body, None),
                Some((name, default)) => (name, Some(default.trim())),
            };
            if name.trim().is_empty() {
                let details = "The variable has no name: write one between the braces, or remove them.";
                self.report(Issue::EmptyVariable, &[&spot], details);
            } else if name.contains(' ') {
                let details = "The name of a variable has no spaces.";
                self.report(Issue::UnsupportedSpaceInVariable, &[&spot], details);
            }
            let quoted = |text: &str| text.len() > 1 && text.starts_with('\'') && text.ends_with('\'');
            if default.is_some_and(|text| !quoted(text)) {
                let details = "The default of a variable stands in single quotation marks.";
                self.report(Issue::MissingQuoteInVariable, &[&spot], details);
            }
        }
        !found.is_empty()
    }

    /// Refuses variables in an element that takes them for plain text.
    pub(super) fn no_variables(&mut self, text: &Text<'_>) {
        for variable in variables(text.text) {
            let shown = text
                .text
                .get(variable.start..variable.start + variable.length)
                .unwrap_or_default();
            let details =
                format!("{shown} is plain text here; variables work in Resource and Condition only.");
            let spot = text.part(variable.start, variable.length);
            self.report(Issue::VariableUnsupportedInElement, &[&spot], details);
        }
    }
}
