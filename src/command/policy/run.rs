//! `ringwork policy test`: runs the tests of files and says which failed, with the ladder of each.

use std::path::{Path, PathBuf};

use policy::{Derivation, Layer, Reason};

use super::file::{self, Because, Case, Expected, TestFile, refusal};
use super::judge::Library;
use super::report;
use crate::error::Error;
use crate::seed::document::{Place, place};

/// What one test came to.
pub(super) struct Outcome {
    pub(super) file: PathBuf,
    pub(super) place: Place,
    pub(super) name: String,
    /// What was wrong, and the ladder.
    pub(super) failure: Option<(String, String)>,
}

pub(super) fn run(files: &[PathBuf], junit: Option<&Path>, sarif: Option<&Path>) -> Result<(), Error> {
    let mut outcomes = Vec::new();
    for path in files {
        outcomes.extend(of_file(path, &file::read(path)?)?);
    }
    print(&outcomes);
    if let Some(path) = junit {
        report::write(path, &report::junit(&outcomes))?;
    }
    if let Some(path) = sarif {
        report::write(path, &report::sarif(&outcomes)?)?;
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    if failed > 0 {
        return Err(Error::Unhealthy(format!(
            "{failed} of {} policy tests failed",
            outcomes.len()
        )));
    }
    Ok(())
}

/// The outcomes of the tests of one file.
pub(super) fn of_file(path: &Path, tests: &TestFile) -> Result<Vec<Outcome>, Error> {
    let mut library = Library::new(path);
    let mut outcomes = Vec::with_capacity(tests.tests.len());
    for spanned in &tests.tests {
        let case = &spanned.value;
        let spot = place(spanned);
        let Some(expected) = &case.expect else {
            return Err(refusal(path, spot, "the test does not say what it expects"));
        };
        if let Some(because) = &case.because {
            check(&because.value).map_err(|message| refusal(path, place(because), message))?;
        }
        let derivation = library.judged(tests, case)?.explain();
        let wrong = wrong(
            expected.value,
            case.because.as_ref().map(|because| &because.value),
            &derivation,
        );
        outcomes.push(Outcome {
            file: path.to_owned(),
            place: spot,
            name: named(case),
            failure: wrong.map(|message| (cited(message, case), derivation.to_string())),
        });
    }
    Ok(outcomes)
}

/// What is wrong, with where it is written that it must be otherwise.
fn cited(message: String, case: &Case) -> String {
    match &case.source {
        Some(source) => format!("{message} (by {source})"),
        None => message,
    }
}

/// The name of a test; one without is named by its request.
pub(super) fn named(case: &Case) -> String {
    let resource = case
        .resource
        .as_ref()
        .map_or("*", |resource| resource.value.as_str());
    let described = || format!("{} {} on {resource}", case.caller.value, case.action.value);
    case.name.clone().unwrap_or_else(described)
}

const LAYERS: [(&str, Layer); 11] = [
    ("resource-control", Layer::ResourceControl),
    ("service-control", Layer::ServiceControl),
    ("resource", Layer::Resource),
    ("trust", Layer::Trust),
    ("key", Layer::Key),
    ("grant", Layer::Grant),
    ("identity", Layer::Identity),
    ("boundary", Layer::Boundary),
    ("session", Layer::Session),
    ("endpoint", Layer::Endpoint),
    ("root", Layer::Root),
];

fn check(because: &Because) -> Result<(), String> {
    let known = |name: &String| LAYERS.iter().any(|(known, _)| known == name);
    if let Some(layer) = because.layer.as_ref().filter(|layer| !known(layer)) {
        let names: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        return Err(format!("{layer} is no layer; layers are {}", names.join(", ")));
    }
    if because.layer.is_none() && because.policy.is_none() && because.statement.is_none() {
        return Err("because names no layer, policy or statement".to_owned());
    }
    Ok(())
}

/// What is wrong with a verdict, if anything.
fn wrong(expected: Expected, because: Option<&Because>, derivation: &Derivation) -> Option<String> {
    let allowed = derivation.decision.allowed;
    if allowed != (expected == Expected::Allow) {
        return Some(match expected {
            Expected::Allow => "expected allow, and it is denied".to_owned(),
            Expected::Deny => "expected deny, and it is allowed".to_owned(),
        });
    }
    let because = because?;
    let decided = Decided::of(derivation);
    let verdict = if allowed { "allowed" } else { "denied" };
    if let Some(layer) = because.layer.as_ref().filter(|layer| **layer != decided.layer) {
        return Some(format!(
            "it is {verdict} because of the layer {}, not {layer}",
            decided.layer
        ));
    }
    if let Some(policy) = &because.policy
        && !decided
            .policy
            .as_ref()
            .is_some_and(|origin| origin.ends_with(policy.as_str()))
    {
        let origin = decided.policy.as_deref().unwrap_or("no policy");
        return Some(format!("it is {verdict} because of {origin}, not {policy}"));
    }
    if let Some(statement) = &because.statement
        && !decided.is_statement(statement)
    {
        return Some(format!(
            "it is {verdict} because of {}, not {statement}",
            decided.shown()
        ));
    }
    None
}

/// What decided, as tests name it.
struct Decided {
    layer: &'static str,
    policy: Option<String>,
    /// Its number from 1, and its `Sid`.
    statement: Option<(usize, Option<String>)>,
}

impl Decided {
    fn of(derivation: &Derivation) -> Self {
        let (layer, level, found) = match derivation.decision.reason {
            Reason::ExplicitDeny {
                layer,
                level,
                policy,
                statement,
            } => (layer, level, Some((policy, statement))),
            Reason::Allowed {
                layer,
                policy,
                statement,
            } => (layer, 0, Some((policy, statement))),
            Reason::ImplicitDeny { layer, level } => (layer, level, None),
        };
        let name = LAYERS
            .iter()
            .find(|(_, known)| *known == layer)
            .map_or("", |(name, _)| *name);
        let trace = derivation
            .layers
            .iter()
            .find(|trace| trace.layer == layer && trace.level == level);
        let policy = found.and_then(|(policy, _)| trace?.policies.get(policy));
        let statement = found.and_then(|(_, statement)| policy?.statements.get(statement));
        Self {
            layer: name,
            policy: policy.map(|policy| policy.origin.clone()),
            statement: statement.map(|statement| (statement.index + 1, statement.sid.clone())),
        }
    }

    fn is_statement(&self, wanted: &str) -> bool {
        self.statement
            .as_ref()
            .is_some_and(|(number, sid)| sid.as_deref() == Some(wanted) || number.to_string() == wanted)
    }

    fn shown(&self) -> String {
        match &self.statement {
            None => "no statement".to_owned(),
            Some((number, None)) => format!("statement {number}"),
            Some((number, Some(sid))) => format!("statement {number} \"{sid}\""),
        }
    }
}

fn print(outcomes: &[Outcome]) {
    for outcome in outcomes {
        let Some((message, ladder)) = &outcome.failure else {
            println!("ok    {}", outcome.name);
            continue;
        };
        println!("FAIL  {}", outcome.name);
        let Place { line, column } = outcome.place;
        println!("      {}:{line}:{column}: {message}", outcome.file.display());
        for line in ladder.trim_end().lines() {
            println!("      {line}");
        }
    }
    let failed = outcomes
        .iter()
        .filter(|outcome| outcome.failure.is_some())
        .count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
}
