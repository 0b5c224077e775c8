//! Rotation by the clock, with a function that the test makes.

use std::cell::RefCell;
use std::sync::Arc;

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use pipeline::{
    Access, Authorized, Call, Endpoint, Found, Look, Operation, Resource, ResourcePolicies, Result,
};
use policy::{Attached, Policy, PolicyKind};
use serde_json::{Value, json};
use wire::Document;

use super::{Vault, id};
use crate::cloud::Here;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LAMBDA: &str = "arn:aws:lambda:eu-central-1:111122223333:function:rotate";

/// What the function of this test does and has seen.
#[derive(Default)]
struct Behaviour {
    /// Steps at which it fails, by name.
    fails: Vec<&'static str>,
    /// Nobody may invoke it.
    closed: bool,
    /// It answers and does nothing.
    idle: bool,
    /// Step, version and moment of each invocation.
    seen: Vec<(String, String, i64)>,
}

thread_local! {
    static BEHAVIOUR: RefCell<Behaviour> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut Behaviour) -> T) -> T {
    BEHAVIOUR.with(|behaviour| work(&mut behaviour.borrow_mut()))
}

/// The steps that were taken since the last look, in order.
fn steps() -> Vec<String> {
    with(|behaviour| behaviour.seen.drain(..).map(|(step, ..)| step).collect())
}

struct Function;

impl Resource for Function {
    const TYPE: &'static str = "AWS::Lambda::Function";

    fn arn(&self) -> String {
        LAMBDA.to_owned()
    }

    fn account(&self) -> &str {
        ACCOUNT
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        if with(|behaviour| behaviour.closed) {
            return Ok(ResourcePolicies::None);
        }
        let text = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
            "Principal": { "Service": "secretsmanager.amazonaws.com" }, "Action": "lambda:InvokeFunction", "Resource": LAMBDA,
            "Condition": { "StringEquals": { "aws:SourceAccount": ACCOUNT } } }] });
        let policy = Policy::parse(&text.to_string(), PolicyKind::Resource).unwrap();
        Ok(ResourcePolicies::Policy(Attached::new(
            Arc::new(policy),
            "the function's policy",
        )))
    }
}

/// A function that makes, sets, tests and finishes, as far as Secrets Manager sees it.
struct Invoke;

impl Operation for Invoke {
    type Input = Document;
    type Output = Document;
    type Target = Function;
    const ACCESS: Access = Access::write("lambda:InvokeFunction");

    fn target(_look: &mut Look<'_>, _input: &Document) -> Result<Found<Function>> {
        Ok(Found::Here(Function))
    }

    fn handle(call: &mut Call<'_>, _function: Authorized<Function>, input: Document) -> Result<Document> {
        let Some(Document::Blob(payload)) = input.member("Payload") else {
            return Ok(Document::Structure(vec![("StatusCode", Document::Integer(204))]));
        };
        let payload: Value = serde_json::from_slice(payload).unwrap();
        let text = |member: &str| payload[member].as_str().unwrap().to_owned();
        let (step, secret, version) = (text("Step"), text("SecretId"), text("ClientRequestToken"));
        let now = call.now.0;
        let (fails, idle) = with(|behaviour| {
            behaviour.seen.push((step.clone(), version.clone(), now));
            (behaviour.fails.iter().any(|fails| *fails == step), behaviour.idle)
        });
        let mut answer = vec![("StatusCode", Document::Integer(200))];
        if fails {
            answer.push(("FunctionError", Document::String("Unhandled".to_owned())));
            return Ok(Document::Structure(answer));
        }
        let named = |member, value: &str| (member, Document::String(value.to_owned()));
        let by = "lambda.amazonaws.com";
        if step == "createSecret" && !idle {
            let input = vec![
                named("SecretId", &secret),
                named("ClientRequestToken", &version),
                named("SecretString", &format!("value of {version}")),
                named("RotationToken", &text("RotationToken")),
                (
                    "VersionStages",
                    Document::List(vec![Document::String("AWSPENDING".to_owned())]),
                ),
            ];
            let read = vec![named("SecretId", &secret), named("VersionId", &version)];
            if call
                .invoke(by, "secretsmanager", "GetSecretValue", Document::Structure(read))
                .is_err()
            {
                call.invoke(by, "secretsmanager", "PutSecretValue", Document::Structure(input))?;
            }
        }
        if step == "finishSecret" && !idle {
            let shown = call.invoke(
                by,
                "secretsmanager",
                "DescribeSecret",
                Document::Structure(vec![named("SecretId", &secret)]),
            )?;
            let Some(Document::Map(stages)) = shown.member("VersionIdsToStages") else {
                panic!("no versions");
            };
            let current = stages.iter().find(|(_, stages)| {
                matches!(stages, Document::List(list) if list.contains(&Document::String("AWSCURRENT".to_owned())))
            });
            let input = vec![
                named("SecretId", &secret),
                named("VersionStage", "AWSCURRENT"),
                named("MoveToVersionId", &version),
                named("RemoveFromVersionId", &current.unwrap().0),
            ];
            call.invoke(
                by,
                "secretsmanager",
                "UpdateSecretVersionStage",
                Document::Structure(input),
            )?;
        }
        Ok(Document::Structure(answer))
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<Invoke>("lambda", "Invoke")];

/// A secret `s` that the function may rotate.
fn rotatable() -> Vault {
    with(|behaviour| *behaviour = Behaviour::default());
    let here = Here::with(ENDPOINTS);
    let service = json!({ "Effect": "Allow", "Principal": { "Service": "secretsmanager.amazonaws.com" },
        "Action": "kms:*", "Resource": "*" });
    let key = here.key_with(&[service]);
    let vault = Vault { here, key };
    vault.secret("s", "first");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow",
        "Principal": { "Service": "secretsmanager.amazonaws.com" }, "Action": "secretsmanager:*", "Resource": "*" }] });
    vault.ok(
        "PutResourcePolicy",
        json!({ "SecretId": "s", "ResourcePolicy": policy.to_string() }),
    );
    vault
}

fn rotate(name: &str, rules: Value) -> Value {
    json!({ "SecretId": "s", "RotationLambdaARN": LAMBDA, "RotationRules": rules, "ClientRequestToken": id(name) })
}

impl Vault {
    fn shown(&self) -> Value {
        self.ok("DescribeSecret", json!({ "SecretId": "s" }))
    }

    fn current(&self) -> String {
        self.text(json!({ "SecretId": "s" }))
    }

    /// The rotation's events since the beginning: name and hours.
    fn events(&self) -> Vec<(String, i64, Option<String>)> {
        let records = self.here.cloud.records(ACCOUNT, REGION);
        let told = records
            .into_iter()
            .filter(|record| record.operation.contains("Rotation"));
        told.map(|record| {
            let error = record.error.map(|error| error.message);
            (record.operation, (record.time - BEGINNING) / MINUTE, error)
        })
        .collect()
    }

    fn event_names(&self) -> Vec<String> {
        self.events().into_iter().map(|(name, ..)| name).collect()
    }
}

const ALL: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// S11.2, S11.4: asked for, the four steps run one after the other; the new value is current, and the rules say what is next.
#[test]
fn a_rotation_takes_four_steps() {
    let vault = rotatable();
    vault.here.cloud.advance(9 * HOUR);
    let asked = rotate("2", json!({ "AutomaticallyAfterDays": 30 }));
    let answer = vault.ok("RotateSecret", asked.clone());
    assert_eq!(answer["VersionId"], id("2"));
    assert_eq!(vault.current(), "first");
    // The version is announced before it has a value.
    let shown = vault.shown();
    assert_eq!(shown["VersionIdsToStages"][id("2")], json!(["AWSPENDING"]));
    let pending = json!({ "SecretId": "s", "VersionId": id("2"), "VersionStage": "AWSPENDING" });
    assert_eq!(vault.code("GetSecretValue", pending), "ResourceNotFoundException");
    let listed = || {
        let answer = vault.ok("ListSecretVersionIds", json!({ "SecretId": "s" }));
        answer["Versions"].as_array().unwrap().len()
    };
    assert_eq!(listed(), 1, "only versions with a value are listed");
    vault.here.cloud.advance(0);
    assert_eq!(steps(), ALL);
    assert_eq!(listed(), 2);
    assert_eq!(vault.current(), format!("value of {}", id("2")));
    let shown = vault.shown();
    assert_eq!(shown["RotationEnabled"], true);
    assert_eq!(shown["RotationLambdaARN"], LAMBDA);
    assert_eq!(shown["RotationRules"], json!({ "AutomaticallyAfterDays": 30 }));
    let (now, next) = (BEGINNING + 9 * HOUR, BEGINNING + 31 * DAY - 1000);
    assert_eq!(shown["LastRotatedDate"].as_f64(), Some(now as f64 / 1000.0));
    assert_eq!(shown["NextRotationDate"].as_f64(), Some(next as f64 / 1000.0));
    assert_eq!(
        shown["VersionIdsToStages"],
        json!({ id("1"): ["AWSPREVIOUS"], id("2"): ["AWSCURRENT"] })
    );
    assert_eq!(vault.event_names(), ["RotationStarted", "RotationSucceeded"]);
    // The same request again does nothing.
    vault.ok("RotateSecret", asked);
    vault.here.cloud.advance(0);
    assert!(steps().is_empty());
    assert!(vault.ok("ListSecrets", json!({}))["SecretList"][0]["RotationEnabled"] == true);
}

/// A version that is announced and has no value yet makes no creation one that was asked for before.
#[test]
fn an_announced_version_answers_no_creation() {
    let vault = rotatable();
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "AutomaticallyAfterDays": 30 })),
    );
    let create = json!({ "Name": "s", "SecretString": "x", "ClientRequestToken": id("2") });
    assert_eq!(vault.code("CreateSecret", create), "ResourceExistsException");
}

/// S11.2: a year of rotations by the clock, in order, each exactly once, whether the clock moves by days or at once.
#[test]
fn a_year_of_rotations_is_the_same_by_days_and_at_once() {
    let history = |strides: &[i64]| {
        let vault = rotatable();
        vault.ok(
            "RotateSecret",
            rotate(
                "2",
                json!({ "ScheduleExpression": "cron(0 16 1,15 * ? *)", "Duration": "2h" }),
            ),
        );
        for stride in strides {
            vault.here.cloud.advance(*stride);
        }
        let seen = with(|behaviour| std::mem::take(&mut behaviour.seen));
        let moments: Vec<_> = seen
            .iter()
            .map(|(step, _, moment)| (step.clone(), *moment))
            .collect();
        let mut versions: Vec<_> = seen.into_iter().map(|(_, version, _)| version).collect();
        versions.dedup();
        let last = versions.last().unwrap().clone();
        assert_eq!(vault.current(), format!("value of {last}"));
        (moments, versions.len())
    };
    let (moments, rotations) = history(&[365 * DAY]);
    assert_eq!(rotations, 1 + 24);
    assert_eq!(moments.len(), 4 * rotations);
    assert!(moments.is_sorted_by_key(|(_, moment)| *moment));
    for (number, four) in moments.chunks(4).enumerate() {
        assert_eq!(
            four.iter().map(|(step, _)| step.as_str()).collect::<Vec<_>>(),
            ALL
        );
        if number > 0 {
            assert_eq!((four[0].1 - BEGINNING) % DAY, 16 * HOUR, "{number}");
        }
    }
    assert_eq!(history(&[DAY; 365]), (moments, rotations));
}

/// A function that fails leaves what is current, is told in the trail, and is tried again while the window is open; then the next
/// window goes on with the same version.
#[test]
fn a_failing_function_leaves_what_is_current() {
    let vault = rotatable();
    with(|behaviour| behaviour.fails = vec!["setSecret"]);
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "ScheduleExpression": "rate(10 days)" })),
    );
    vault.here.cloud.advance(2 * HOUR);
    assert_eq!(vault.current(), "first");
    assert_eq!(steps(), ["createSecret", "setSecret"].repeat(5));
    let events = vault.events();
    let failed: Vec<_> = events
        .iter()
        .filter(|(name, ..)| name == "RotationFailed")
        .collect();
    assert_eq!(
        failed.iter().map(|(_, at, _)| *at).collect::<Vec<_>>(),
        [0, 5, 15, 30, 55]
    );
    assert_eq!(
        failed[0].2.as_deref(),
        Some(format!("Error when executing lambda {LAMBDA} during setSecret step").as_str())
    );
    let (code, message) = vault.refused(
        &vault.here.root(),
        "RotateSecret",
        rotate("3", json!({ "AutomaticallyAfterDays": 1 })),
    );
    assert_eq!(code, "InvalidRequestException");
    assert_eq!(
        message,
        "A previous rotation isn't complete. That rotation will be reattempted."
    );
    let stages = vault.shown()["VersionIdsToStages"].clone();
    assert_eq!(
        stages,
        json!({ id("1"): ["AWSCURRENT"], id("2"): ["AWSPENDING"] })
    );
    with(|behaviour| behaviour.fails.clear());
    vault.here.cloud.advance(10 * DAY);
    assert_eq!(steps(), ALL);
    assert_eq!(vault.current(), format!("value of {}", id("2")));
}

/// A day-wise schedule that fails through its window is tried the next day, and its date stays in the past meanwhile.
#[test]
fn what_is_overdue_is_tried_every_day() {
    let vault = rotatable();
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "AutomaticallyAfterDays": 10 })),
    );
    vault.here.cloud.advance(HOUR);
    steps();
    with(|behaviour| behaviour.fails = vec!["createSecret"]);
    vault.here.cloud.advance(12 * DAY);
    assert_eq!(steps().len(), 3 * 5);
    let next = vault.shown()["NextRotationDate"].as_f64().unwrap();
    assert_eq!(next, (BEGINNING + 11 * DAY - 1000) as f64 / 1000.0);
    with(|behaviour| behaviour.fails.clear());
    vault.here.cloud.advance(DAY);
    assert_eq!(steps(), ALL);
    assert_eq!(
        vault
            .event_names()
            .iter()
            .filter(|name| *name == "RotationSucceeded")
            .count(),
        2
    );
}

/// A function that says nothing went wrong and made no version has failed all the same.
#[test]
fn a_function_that_does_nothing_has_failed() {
    let vault = rotatable();
    with(|behaviour| behaviour.idle = true);
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "AutomaticallyAfterDays": 10 })),
    );
    vault.here.cloud.advance(0);
    assert_eq!(steps(), ["createSecret"]);
    let error = vault.events().pop().unwrap().2.unwrap();
    assert!(error.starts_with("Pending secret version 0"), "{error}");
    assert!(error.contains("was not created by Lambda"), "{error}");
}

/// Who may not invoke the function cannot have it invoked, and a function that does not let Secrets Manager in is refused at once.
#[test]
fn the_function_must_let_secrets_manager_in() {
    let vault = rotatable();
    let asked = rotate("2", json!({ "AutomaticallyAfterDays": 10 }));
    let ann = vault.user("ann", &["secretsmanager:*"]);
    assert_eq!(
        vault.refused(&ann, "RotateSecret", asked.clone()).0,
        "AccessDeniedException"
    );
    let ben = vault.user("ben", &["secretsmanager:*", "lambda:InvokeFunction"]);
    with(|behaviour| behaviour.closed = true);
    let (code, message) = vault.refused(&ben, "RotateSecret", asked.clone());
    assert_eq!(code, "AccessDeniedException");
    assert_eq!(
        message,
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the \
         principal secretsmanager.amazonaws.com."
    );
    assert_eq!(vault.shown().get("RotationEnabled"), None);
    with(|behaviour| behaviour.closed = false);
    vault.call(&ben, "RotateSecret", asked).unwrap();
    // What was let in may be shut out later: the rotation fails then.
    with(|behaviour| behaviour.closed = true);
    vault.here.cloud.advance(0);
    assert_eq!(vault.event_names().pop().unwrap(), "RotationFailed");
    assert_eq!(vault.current(), "first");
}

/// Told to wait for the schedule, the configuration is tested: the present value is tested as a version that goes again.
#[test]
fn a_configuration_is_tested_without_rotating() {
    let vault = rotatable();
    let mut asked = rotate("2", json!({ "ScheduleExpression": "cron(0 8 1 * ? *)" }));
    asked["RotateImmediately"] = false.into();
    vault.ok("RotateSecret", asked.clone());
    let pending = json!({ "SecretId": "s", "VersionStage": "AWSPENDING" });
    assert_eq!(vault.text(pending), "first");
    vault.here.cloud.advance(0);
    assert_eq!(steps(), ["testSecret"]);
    assert_eq!(
        vault.shown()["VersionIdsToStages"],
        json!({ id("1"): ["AWSCURRENT"] })
    );
    assert_eq!(vault.shown()["RotationRules"]["AutomaticallyAfterDays"], 31);
    assert_eq!(
        vault.event_names(),
        ["TestRotationStarted", "TestRotationSucceeded"]
    );
    with(|behaviour| behaviour.fails = vec!["testSecret"]);
    asked["ClientRequestToken"] = id("3").into();
    vault.ok("RotateSecret", asked);
    vault.here.cloud.advance(HOUR);
    assert_eq!(steps(), ["testSecret"]);
    assert_eq!(vault.event_names().pop().unwrap(), "TestRotationFailed");
    assert_eq!(vault.current(), "first");
}

#[test]
fn a_rotation_is_cancelled() {
    let vault = rotatable();
    with(|behaviour| behaviour.fails = vec!["testSecret"]);
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "ScheduleExpression": "rate(4 hours)" })),
    );
    vault.here.cloud.advance(0);
    steps();
    let cancelled = vault.ok("CancelRotateSecret", json!({ "SecretId": "s" }));
    assert_eq!(cancelled["VersionId"], id("2"));
    vault.here.cloud.advance(3 * DAY);
    assert!(steps().is_empty());
    let shown = vault.shown();
    assert_eq!(shown["RotationEnabled"], false);
    assert_eq!(shown.get("NextRotationDate"), None);
    assert_eq!(shown["RotationRules"]["ScheduleExpression"], "rate(4 hours)");
    // Once the label is taken from the version that was left, rotation can be turned on again with what is known.
    let taken = json!({ "SecretId": "s", "VersionStage": "AWSPENDING", "RemoveFromVersionId": id("2") });
    vault.ok("UpdateSecretVersionStage", taken);
    with(|behaviour| behaviour.fails.clear());
    vault.ok(
        "RotateSecret",
        json!({ "SecretId": "s", "ClientRequestToken": id("4") }),
    );
    vault.here.cloud.advance(0);
    assert_eq!(steps(), ALL);
    vault.here.cloud.advance(4 * HOUR);
    assert_eq!(steps(), ALL);
}

/// A value that somebody puts counts as a rotation, and ends the one underway.
#[test]
fn a_value_of_ones_own_ends_the_rotation() {
    let vault = rotatable();
    with(|behaviour| behaviour.fails = vec!["setSecret"]);
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "AutomaticallyAfterDays": 10 })),
    );
    vault.here.cloud.advance(2 * DAY);
    steps();
    let put = json!({ "SecretId": "s", "SecretString": "mine", "ClientRequestToken": id("5") });
    vault.ok("PutSecretValue", put);
    assert_eq!(vault.event_names().pop().unwrap(), "RotationAbandoned");
    let shown = vault.shown();
    assert_eq!(
        shown["VersionIdsToStages"],
        json!({ id("1"): ["AWSPREVIOUS"], id("5"): ["AWSCURRENT"] })
    );
    let next = shown["NextRotationDate"].as_f64().unwrap();
    assert_eq!(next, (BEGINNING + 13 * DAY - 1000) as f64 / 1000.0);
    vault.here.cloud.advance(9 * DAY);
    assert!(steps().is_empty());
    vault.here.cloud.advance(DAY);
    assert!(!steps().is_empty());
}

/// A secret that is about to go is not rotated, and is again once it was brought back.
#[test]
fn a_secret_that_goes_is_not_rotated() {
    let vault = rotatable();
    vault.ok(
        "RotateSecret",
        rotate("2", json!({ "ScheduleExpression": "rate(1 day)" })),
    );
    vault.here.cloud.advance(0);
    steps();
    vault.ok("DeleteSecret", json!({ "SecretId": "s" }));
    vault.here.cloud.advance(5 * DAY);
    assert!(steps().is_empty());
    vault.ok("RestoreSecret", json!({ "SecretId": "s" }));
    vault.here.cloud.advance(DAY);
    assert_eq!(steps(), ALL);
    vault.ok(
        "DeleteSecret",
        json!({ "SecretId": "s", "ForceDeleteWithoutRecovery": true }),
    );
    vault.here.cloud.advance(5 * DAY);
    assert!(steps().is_empty());
}

#[test]
fn rules_that_are_none_are_refused() {
    let vault = rotatable();
    for rules in [
        json!({ "AutomaticallyAfterDays": 10, "ScheduleExpression": "rate(10 days)" }),
        json!({ "Duration": "2h" }),
        json!({ "ScheduleExpression": "rate(1 hour)" }),
        json!({ "ScheduleExpression": "cron(15 8 * * ? *)" }),
        json!({ "ScheduleExpression": "rate(4 hours)", "Duration": "5h" }),
        json!({ "ScheduleExpression": "now" }),
    ] {
        assert_eq!(
            vault.code("RotateSecret", rotate("2", rules)),
            "InvalidParameterException"
        );
    }
    let bare = json!({ "SecretId": "s", "ClientRequestToken": id("2") });
    let (code, message) = vault.refused(&vault.here.root(), "RotateSecret", bare);
    assert_eq!(code, "InvalidRequestException");
    assert_eq!(
        message,
        "No Lambda rotation function ARN is associated with this secret."
    );
    let mut other = rotate("2", json!({ "AutomaticallyAfterDays": 10 }));
    other["RotationLambdaARN"] = "arn:aws:sns:eu-central-1:111122223333:topic".into();
    assert_eq!(vault.code("RotateSecret", other), "InvalidParameterException");
    let put = json!({ "SecretId": "s", "SecretString": "x", "ClientRequestToken": id("7"),
        "RotationToken": "00000000-0000-4000-8000-000000000001" });
    assert_eq!(vault.code("PutSecretValue", put), "InvalidRequestException");
}

/// A token that is known to be another version's, or of a request that configured something else, is not taken for a request that comes
/// again: nothing is answered as done that was not.
#[test]
fn a_token_of_another_version_configures_nothing() {
    let vault = rotatable();
    let rules = json!({ "AutomaticallyAfterDays": 30 });
    let (code, _) = vault.refused(&vault.here.root(), "RotateSecret", rotate("1", rules.clone()));
    assert_eq!(code, "InvalidRequestException");
    assert_eq!(vault.shown().get("RotationEnabled"), None);
    vault.ok("RotateSecret", rotate("2", rules.clone()));
    vault.here.cloud.advance(0);
    assert_eq!(steps(), ALL);
    let other = json!({ "AutomaticallyAfterDays": 7 });
    assert_eq!(
        vault.code("RotateSecret", rotate("2", other)),
        "InvalidRequestException"
    );
    assert_eq!(vault.shown()["RotationRules"], rules);
    assert_eq!(
        vault.code("RotateSecret", rotate("1", rules.clone())),
        "InvalidRequestException"
    );
    vault.ok("RotateSecret", rotate("2", rules));
    vault.here.cloud.advance(0);
    assert!(steps().is_empty(), "the same request is done");
}
