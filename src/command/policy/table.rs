//! Tests that share what they are made of: a test may have cases, which take from it whatever they do not say themselves.
//!
//! Invariant: every case ends up with a caller and an action, or the file is refused with the case's place.

use std::collections::BTreeMap;
use std::path::Path;

use serde_saphyr::Spanned;

use super::file::{Because, Case, Expected, Given, TestFile, Values, refusal};
use crate::error::Error;
use crate::seed::document::{Place, place};

/// A file as it is written. What stands beside `tests` holds for each that does not say otherwise.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    #[serde(default)]
    given: Given,
    source: Option<String>,
    #[serde(rename = "as")]
    caller: Option<Spanned<String>>,
    #[serde(rename = "do")]
    action: Option<Spanned<String>>,
    #[serde(rename = "on")]
    resource: Option<Spanned<String>>,
    owner: Option<Spanned<String>>,
    #[serde(default)]
    with: BTreeMap<String, Values>,
    tests: Vec<Spanned<Test>>,
}

/// A test, or several that share what it says.
#[derive(serde::Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
struct Test {
    name: Option<String>,
    #[serde(default)]
    given: Given,
    source: Option<String>,
    #[serde(rename = "as")]
    caller: Option<Spanned<String>>,
    #[serde(rename = "do")]
    action: Option<Spanned<String>>,
    #[serde(rename = "on")]
    resource: Option<Spanned<String>>,
    owner: Option<Spanned<String>>,
    #[serde(default)]
    with: BTreeMap<String, Values>,
    expect: Option<Spanned<Expected>>,
    because: Option<Spanned<Because>>,
    #[serde(default)]
    cases: Vec<Spanned<Self>>,
}

impl Written {
    /// The tests, each for itself.
    pub(super) fn settle(self, path: &Path, tests_max: usize) -> Result<TestFile, Error> {
        let above = Test {
            source: self.source,
            caller: self.caller,
            action: self.action,
            resource: self.resource,
            owner: self.owner,
            with: self.with,
            ..Test::default()
        };
        let mut tests = Vec::with_capacity(self.tests.len());
        for test in self.tests {
            settle(&above, test, path, &mut tests)?;
        }
        if tests.len() > tests_max {
            let message = format!("a file has {tests_max} tests at most");
            return Err(refusal(path, Place { line: 1, column: 1 }, message));
        }
        Ok(TestFile {
            given: self.given,
            tests,
        })
    }
}

fn settle(
    above: &Test,
    test: Spanned<Test>,
    path: &Path,
    tests: &mut Vec<Spanned<Case>>,
) -> Result<(), Error> {
    let spot = place(&test);
    let (referenced, defined) = (test.referenced, test.defined);
    let mut own = test.value.over(above);
    let cases = std::mem::take(&mut own.cases);
    if !cases.is_empty() {
        for case in cases {
            settle(&own, case, path, tests)?;
        }
        return Ok(());
    }
    let missing = |name: &str| {
        refusal(
            path,
            spot,
            format!("the test does not say `{name}`, and nothing above it does"),
        )
    };
    let case = Case {
        caller: own.caller.ok_or_else(|| missing("as"))?,
        action: own.action.ok_or_else(|| missing("do"))?,
        name: own.name,
        given: own.given,
        resource: own.resource,
        owner: own.owner,
        with: own.with,
        source: own.source,
        expect: own.expect,
        because: own.because,
    };
    tests.push(Spanned {
        value: case,
        referenced,
        defined,
    });
    Ok(())
}

impl Test {
    /// Itself, with what stands above for whatever it does not say. Condition keys add up, and its own win; so do layers.
    fn over(self, above: &Self) -> Self {
        let mut with = above.with.clone();
        with.extend(self.with);
        let name = match (&above.name, self.name) {
            (Some(above), Some(own)) => Some(format!("{above}: {own}")),
            (above, own) => own.or_else(|| above.clone()),
        };
        Self {
            name,
            given: self.given.over(&above.given),
            source: self.source.or_else(|| above.source.clone()),
            caller: self.caller.or_else(|| above.caller.clone()),
            action: self.action.or_else(|| above.action.clone()),
            resource: self.resource.or_else(|| above.resource.clone()),
            owner: self.owner.or_else(|| above.owner.clone()),
            with,
            expect: self.expect.or_else(|| above.expect.clone()),
            because: self.because.or_else(|| above.because.clone()),
            cases: self.cases,
        }
    }
}

impl Given {
    fn over(self, above: &Self) -> Self {
        Self {
            identity: self.identity.or_else(|| above.identity.clone()),
            boundary: self.boundary.or_else(|| above.boundary.clone()),
            session: self.session.or_else(|| above.session.clone()),
            service_control: self.service_control.or_else(|| above.service_control.clone()),
            resource_control: self.resource_control.or_else(|| above.resource_control.clone()),
            resource: self.resource.or_else(|| above.resource.clone()),
            trust: self.trust.or_else(|| above.trust.clone()),
            key: self.key.or_else(|| above.key.clone()),
            endpoint: self.endpoint.or_else(|| above.endpoint.clone()),
        }
    }
}
