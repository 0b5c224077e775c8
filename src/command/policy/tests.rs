//! Tests of policy tests: what passes, what fails and why, and what the reports say.

use std::path::{Path, PathBuf};

use policy::PolicyKind;

use super::run::{Outcome, of_file};
use super::{diff, file, judge, report};

const BASE: &str = r#"
given:
  identity:
  - Version: 2012-10-17
    Statement:
    - {Sid: Read, Effect: Allow, Action: "s3:Get*", Resource: "arn:aws:s3:::b/*"}
    - {Effect: Deny, Action: "s3:*", Resource: "arn:aws:s3:::b/secret/*", Condition: {Bool: {"aws:MultiFactorAuthPresent": "false"}}}
tests:
"#;
const REQUEST: &str = "as: arn:aws:iam::111122223333:user/alice, do: s3:GetObject";

fn outcomes(tests: &str) -> Vec<Outcome> {
    let path = Path::new("some.test.yaml");
    let read = file::parse(path, &format!("{BASE}{tests}")).unwrap();
    of_file(path, &read).unwrap()
}

fn failure(test: &str) -> Option<String> {
    let outcomes = outcomes(test);
    assert_eq!(outcomes.len(), 1);
    outcomes[0].failure.as_ref().map(|(message, _)| message.clone())
}

fn refused(tests: &str) -> String {
    let path = Path::new("some.test.yaml");
    let text = format!("{BASE}{tests}");
    let read = file::parse(path, &text).and_then(|read| of_file(path, &read).map(|_| ()));
    read.unwrap_err().chain()
}

#[test]
fn a_test_names_the_statement_that_decides() {
    for (rest, wanted) in [
        ("on: \"arn:aws:s3:::b/k\", expect: allow", None),
        (
            "on: \"arn:aws:s3:::b/k\", expect: allow, because: {statement: Read}",
            None,
        ),
        (
            "on: \"arn:aws:s3:::b/k\", expect: allow, because: {layer: identity, statement: 1, policy: some.test.yaml:4}",
            None,
        ),
        (
            "on: \"arn:aws:s3:::c/k\", expect: deny, because: {layer: identity}",
            None,
        ),
        (
            "on: \"arn:aws:s3:::b/secret/k\", with: {\"aws:MultiFactorAuthPresent\": false}, expect: deny, because: {statement: 2}",
            None,
        ),
        (
            "on: \"arn:aws:s3:::b/secret/k\", with: {\"aws:MultiFactorAuthPresent\": [true]}, expect: allow",
            None,
        ),
        (
            "on: \"arn:aws:s3:::b/k\", expect: deny",
            Some("expected deny, and it is allowed"),
        ),
        (
            "on: \"arn:aws:s3:::c/k\", expect: allow",
            Some("expected allow, and it is denied"),
        ),
        (
            "on: \"arn:aws:s3:::b/k\", expect: allow, because: {statement: 2}",
            Some("it is allowed because of statement 1 \"Read\", not 2"),
        ),
        (
            "on: \"arn:aws:s3:::c/k\", expect: deny, because: {layer: boundary}",
            Some("it is denied because of the layer identity, not boundary"),
        ),
        (
            "on: \"arn:aws:s3:::c/k\", expect: deny, because: {statement: Read}",
            Some("it is denied because of no statement, not Read"),
        ),
    ] {
        assert_eq!(
            failure(&format!("- {{{REQUEST}, {rest}}}\n")).as_deref(),
            wanted,
            "{rest}"
        );
    }
}

#[test]
fn a_test_has_policies_of_its_own() {
    let boundary = "given: {boundary: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: \"iam:*\", Resource: \"*\"}]}}";
    let request = format!("{REQUEST}, on: \"arn:aws:s3:::b/k\", expect: deny, because: {{layer: boundary}}");
    assert_eq!(failure(&format!("- {{{boundary}, {request}}}\n")), None);
    let none = format!("- {{given: {{identity: []}}, {REQUEST}, on: \"arn:aws:s3:::b/k\", expect: deny}}\n");
    assert_eq!(failure(&none), None);
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    for (test, wanted) in [
        (
            "- {as: nobody, do: s3:GetObject, expect: deny}\n",
            "some.test.yaml:9:8: nobody is no principal",
        ),
        (
            "- {as: anonymous, do: s3:Get*, expect: deny}\n",
            "some.test.yaml:9:23: s3:Get* is no action",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, on: bucket, expect: deny}\n",
            "some.test.yaml:9:41: bucket is no ARN",
        ),
        (
            "- {as: anonymous, do: s3:GetObject}\n",
            "some.test.yaml:9:3: the test does not say what it expects",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, expect: perhaps}\n",
            "some.test.yaml:9:",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, expects: deny}\n",
            "some.test.yaml:9:",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, expect: deny, because: {layer: outer}}\n",
            "some.test.yaml:9:60: outer is no layer",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, expect: deny, given: {resource: gone.json}}\n",
            "some.test.yaml:9:69: gone.json: cannot read",
        ),
        (
            "- {as: anonymous, do: s3:GetObject, expect: deny, given: {boundary: {Version: 2012-10-17, Statement: []}}}\n",
            "some.test.yaml:9:",
        ),
        ("- &a [*a]\n", "some.test.yaml:9:"),
    ] {
        let said = refused(test);
        assert!(said.starts_with(wanted), "{said}");
    }
}

#[test]
fn reports_tell_the_failures_and_stay_well_formed() {
    let failing =
        format!("- {{name: \"<&\\\"\\u0001>\", {REQUEST}, on: \"arn:aws:s3:::b/k\", expect: deny}}\n");
    let passing = format!("- {{name: good, {REQUEST}, on: \"arn:aws:s3:::b/k\", expect: allow}}\n");
    let outcomes = outcomes(&(failing + &passing));
    let junit = report::junit(&outcomes);
    assert!(
        junit.contains("<testsuite name=\"some.test.yaml\" tests=\"2\" failures=\"1\">"),
        "{junit}"
    );
    assert!(
        junit.contains("<testcase name=\"&lt;&amp;&quot;&gt;\""),
        "{junit}"
    );
    assert!(
        junit.contains("<failure message=\"expected deny, and it is allowed\">ALLOWED"),
        "{junit}"
    );
    assert!(!junit.contains('\u{1}'));
    let sarif: serde_json::Value = serde_json::from_str(&report::sarif(&outcomes).unwrap()).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    assert_eq!(results.len(), 1);
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "some.test.yaml");
    assert_eq!(place["region"]["startLine"], 9);
}

#[test]
fn a_diff_tells_what_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let allowing = |action: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#
        )
    };
    let old = write("old.json", &allowing("s3:Get*"));
    let new = write("new.json", &allowing("s3:Put*"));
    let requests = write(
        "requests.yaml",
        "tests:\n- {as: arn:aws:iam::111122223333:user/a, do: s3:GetObject, on: \"arn:aws:s3:::b/k\"}\n- {name: put, as: arn:aws:iam::111122223333:user/a, do: s3:PutObject}\n- {as: arn:aws:iam::111122223333:user/a, do: s3:DeleteObject}\n",
    );
    let read = |path: &Path| judge::of_file(path, PolicyKind::Identity).unwrap();
    let (changes, unchanged) =
        diff::changes(&read(&old), &read(&new), &requests, PolicyKind::Identity).unwrap();
    let told: Vec<(&str, bool)> = changes
        .iter()
        .map(|change| (change.request.as_str(), change.allowed))
        .collect();
    assert_eq!(
        told,
        [
            (
                "arn:aws:iam::111122223333:user/a s3:GetObject on arn:aws:s3:::b/k",
                false
            ),
            ("put", true)
        ]
    );
    assert_eq!(unchanged, 1);
    assert_eq!(
        changes[0].because,
        "because no identity-based policy allows the s3:GetObject action"
    );
}

#[test]
fn cases_take_from_their_test_and_the_file_what_they_do_not_say() {
    let path = Path::new("some.test.yaml");
    let text = r#"
source: a page
as: arn:aws:iam::111122223333:user/alice
on: arn:aws:s3:::b/k
with: {aws:a: "1", aws:b: "1"}
tests:
- name: both
  do: s3:GetObject
  expect: deny
  given: {identity: [{Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:Get*", Resource: "*", Condition: {StringEquals: {aws:a: "1", aws:b: "2"}}}]}]}
  cases:
  - {name: one is wrong}
  - {name: its own value wins, with: {aws:b: "2"}, expect: allow}
  - {name: another action, do: s3:PutObject, with: {aws:b: "2"}, source: another page}
"#;
    let read = file::parse(path, text).unwrap();
    let sources: Vec<&str> = read
        .tests
        .iter()
        .filter_map(|test| test.value.source.as_deref())
        .collect();
    assert_eq!(sources, ["a page", "a page", "another page"]);
    let outcomes = of_file(path, &read).unwrap();
    let names: Vec<&str> = outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "both: one is wrong",
            "both: its own value wins",
            "both: another action"
        ]
    );
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_none()));
}

#[test]
fn a_failure_tells_where_it_is_written() {
    let path = Path::new("written.yaml");
    let text =
        "tests:\n- {name: one, as: anonymous, do: s3:GetObject, expect: allow, source: IAM User Guide}\n";
    let outcomes = of_file(path, &file::parse(path, text).unwrap()).unwrap();
    let (message, _) = outcomes[0].failure.as_ref().unwrap();
    assert!(message.ends_with("(by IAM User Guide)"), "{message}");
}

#[test]
fn a_case_without_a_caller_or_an_action_is_refused_with_its_place() {
    let message = refused("- {name: what, as: anonymous, cases: [{on: \"*\"}]}");
    assert!(message.contains("the test does not say `do`"), "{message}");
    assert!(message.contains(":9:"), "{message}");
}

/// The corpus: what AWS's documentation says of decisions (S2.1 to S2.11, S2.14, S2.17). Each case names its page.
#[test]
fn the_evaluator_decides_as_the_documentation_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    let (mut count, mut wrong) = (0, Vec::new());
    for path in &files {
        let read = file::read(path).unwrap_or_else(|error| panic!("{}", error.chain()));
        for test in &read.tests {
            assert!(
                test.value.source.is_some(),
                "{} has a test without a source",
                path.display()
            );
        }
        let outcomes = of_file(path, &read).unwrap_or_else(|error| panic!("{}", error.chain()));
        count += outcomes.len();
        for outcome in outcomes {
            if let Some((message, ladder)) = outcome.failure {
                wrong.push(format!(
                    "{}:{}: {}: {message}\n{ladder}",
                    path.display(),
                    outcome.place.line,
                    outcome.name
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 600, "the corpus has {count} cases");
}
