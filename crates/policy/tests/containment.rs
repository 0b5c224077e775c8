//! What containment proves is checked against the evaluator, on random policies and requests.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test may fail by panicking")]

mod scene;

use policy::contain::{granted, new_access};
use policy::{Attached, Context, Layers, Policy, PolicyKind, Principal, Request, decide};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use scene::{OTHER, OWN, alice, attached, document, session};
use std::{cell::Cell, sync::Arc};

const ACTION_PATTERNS: [&str; 8] = [
    "*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "S3:get?bject",
    "s3:PutObject",
    "kms:Decrypt",
    "s3:*Object",
];
const RESOURCE_PATTERNS: [&str; 7] = [
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/a*",
    "arn:aws:s3:::b/a",
    "arn:aws:s3:::?/*c",
    "arn:aws:s3:::b/${aws:username}*",
    "arn:aws:s3:::c/*",
];
const ACTIONS: [&str; 5] = [
    "s3:GetObject",
    "s3:GetBucketAcl",
    "s3:PutObject",
    "kms:Decrypt",
    "s3:DeleteObject",
];
const RESOURCES: [&str; 6] = [
    "arn:aws:s3:::b/a",
    "arn:aws:s3:::b/abc",
    "arn:aws:s3:::b/alice",
    "arn:aws:s3:::c/c",
    "arn:aws:s3:::c/x",
    "*",
];
const PRINCIPALS: [&str; 7] = [
    r#""*""#,
    r#"{"AWS":"111122223333"}"#,
    r#"{"AWS":"444455556666"}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:role/jobs/reader"}"#,
    r#"{"AWS":["arn:aws:sts::111122223333:assumed-role/reader/night","444455556666"]}"#,
    r#"{"Service":"sns.amazonaws.com"}"#,
];
const CONDITIONS: [&str; 16] = [
    r#""StringEquals":{"aws:username":"alice"}"#,
    r#""StringNotEquals":{"aws:username":"alice"}"#,
    r#""StringEquals":{"aws:username":["alice","bob"]}"#,
    r#""StringLike":{"aws:username":"a*"}"#,
    r#""StringEqualsIfExists":{"aws:username":"alice"}"#,
    r#""StringNotLike":{"aws:username":["a*","c"]}"#,
    r#""Null":{"aws:username":"true"}"#,
    r#""Null":{"aws:username":"false"}"#,
    r#""ForAllValues:StringEquals":{"aws:TagKeys":["team","cost"]}"#,
    r#""ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}"#,
    r#""ForAllValues:StringNotLike":{"aws:TagKeys":["t*"]}"#,
    r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
    r#""NotIpAddress":{"aws:SourceIp":"10.1.0.0/16"}"#,
    r#""NumericLessThan":{"s3:max-keys":"10"}"#,
    r#""NumericGreaterThanEquals":{"s3:max-keys":"10"}"#,
    r#""NumericLessThanEqualsIfExists":{"s3:max-keys":["5","12"]}"#,
];
const VALUES: [(&str, &[&str]); 4] = [
    ("aws:username", &["alice", "bob", "ann", ""]),
    ("aws:tagkeys", &["team", "cost", "x", ""]),
    ("aws:sourceip", &["10.1.2.3", "10.9.9.9", "8.8.8.8"]),
    ("s3:max-keys", &["5", "10", "12"]),
];

fn list(values: &[&str]) -> String {
    format!(r#"["{}"]"#, values.join(r#"",""#))
}

fn statement(kind: PolicyKind) -> impl Strategy<Value = String> {
    let parts = (
        prop_oneof![4 => Just("Allow"), 1 => Just("Deny")],
        subsequence(&ACTION_PATTERNS[..], 1..3),
        subsequence(&RESOURCE_PATTERNS[..], 1..3),
        (prop::bool::weighted(0.15), prop::bool::weighted(0.15)),
        select(&PRINCIPALS[..]),
        prop_oneof![3 => Just(vec![]), 3 => subsequence(&CONDITIONS[..], 1), 1 => subsequence(&CONDITIONS[..], 2)],
    );
    parts.prop_map(
        move |(effect, actions, resources, (not_action, not_resource), principal, tests)| {
            let not = |negated: bool| if negated { "Not" } else { "" };
            let principal = match kind {
                PolicyKind::Resource => format!(r#""Principal":{principal},"#),
                _ => String::new(),
            };
            // One operator twice would be a member twice.
            let mut tests = tests;
            tests.dedup_by_key(|test| test.split(':').next().map(str::to_owned));
            let condition = if tests.is_empty() {
                String::new()
            } else {
                format!(r#","Condition":{{{}}}"#, tests.join(","))
            };
            format!(
                r#"{{"Effect":"{effect}",{principal}"{}Action":{},"{}Resource":{}{condition}}}"#,
                not(not_action),
                list(&actions),
                not(not_resource),
                list(&resources)
            )
        },
    )
}

/// A policy, and a second one that often shares its statements.
fn pair(kind: PolicyKind) -> impl Strategy<Value = (Policy, Policy)> {
    (
        vec(statement(kind), 1..4),
        vec(statement(kind), 0..3),
        any::<u8>(),
    )
        .prop_map(move |(old, more, keep)| {
            let kept = old
                .iter()
                .enumerate()
                .filter(|(index, _)| keep & (1 << index) != 0)
                .map(|(_, text)| text.as_str());
            let mut new: Vec<&str> = kept.chain(more.iter().map(String::as_str)).collect();
            if new.is_empty() {
                new.extend(old.first().map(String::as_str));
            }
            let old: Vec<&str> = old.iter().map(String::as_str).collect();
            let parse = |statements: &[&str]| {
                let text = document(statements);
                Policy::parse(&text, kind).unwrap_or_else(|error| panic!("{} {text}", error.located()))
            };
            (parse(&new), parse(&old))
        })
}

fn requests() -> impl Strategy<Value = Vec<(Principal, String, String, Context)>> {
    let values: Vec<_> = VALUES
        .iter()
        .map(|(key, values)| subsequence(values.to_vec(), 0..3).prop_map(move |chosen| (*key, chosen)))
        .collect();
    let stranger = Principal::User {
        arn: format!("arn:aws:iam::{OTHER}:user/eve"),
        account: OTHER.into(),
        id: "AIDAEVE".into(),
    };
    let service = Principal::Service {
        name: "sns.amazonaws.com".into(),
    };
    let callers = vec![alice(), session(), stranger, service];
    let request = (
        select(callers),
        select(&ACTIONS[..]),
        select(&RESOURCES[..]),
        values,
    )
        .prop_map(|(caller, action, resource, values)| {
            let mut context = Context::new();
            for (key, values) in values {
                context.insert_many(key, values);
            }
            (caller, action.to_owned(), resource.to_owned(), context)
        });
    vec(request, 24)
}

/// Whether the policy alone lets the caller in, in the account that owns the resource.
fn lets_in(policy: &Policy, request: &(Principal, String, String, Context)) -> bool {
    let policy = Attached::new(Arc::new(policy.clone()), "policy");
    let (principal, action, resource, context) = request;
    let request = Request {
        principal,
        action,
        resource,
        resource_account: Some(OWN),
        context,
    };
    let of_identity = policy.policy.kind() == PolicyKind::Identity;
    let held = [policy];
    let full = [attached(
        PolicyKind::Identity,
        &document(&[r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#]),
    )];
    let layers = if of_identity {
        Layers {
            identity: &held,
            ..Layers::default()
        }
    } else {
        Layers {
            resource: held.first(),
            // A caller of another account needs both sides; one of the own account is judged by the policy alone.
            identity: if principal.account() == Some(OWN) {
                &[]
            } else {
                &full
            },
            ..Layers::default()
        }
    };
    decide(&request, &layers).allowed
}

fn runner(cases: u32) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    TestRunner::new_with_rng(
        Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        },
        rng,
    )
}

fn is_identity_caller(kind: PolicyKind, principal: &Principal) -> bool {
    kind != PolicyKind::Identity || principal.account() == Some(OWN)
}

#[test]
fn no_new_access_means_that_no_request_is_newly_allowed() {
    for kind in [PolicyKind::Identity, PolicyKind::Resource] {
        let (passed, failed, proven) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let outcome = runner(3000).run(&(pair(kind), requests()), |((new, old), requests)| {
            let gains = new_access(&new, &old);
            if gains.is_empty() {
                passed.set(passed.get() + 1);
                for request in requests
                    .iter()
                    .filter(|request| is_identity_caller(kind, &request.0))
                {
                    prop_assert!(
                        !lets_in(&new, request) || lets_in(&old, request),
                        "{request:?}\nnew {}\nold {}",
                        new.text(),
                        old.text()
                    );
                }
                return Ok(());
            }
            failed.set(failed.get() + 1);
            for witness in gains.iter().filter_map(|gain| gain.witness.as_ref()) {
                proven.set(proven.get() + 1);
                if kind == PolicyKind::Identity {
                    let witness = (
                        witness.principal.clone(),
                        witness.action.clone(),
                        witness.resource.clone(),
                        witness.context.clone(),
                    );
                    prop_assert!(lets_in(&new, &witness) && !lets_in(&old, &witness));
                }
            }
            Ok(())
        });
        outcome.unwrap();
        // A checker that only ever says one thing would prove nothing; and most of what it refuses it can show.
        assert!(
            passed.get() > 400 && failed.get() > 400 && proven.get() * 10 > failed.get() * 8,
            "{kind:?}: {} passed, {} failed, {} witnesses",
            passed.get(),
            failed.get(),
            proven.get()
        );
    }
}

#[test]
fn access_that_is_not_granted_is_granted_to_no_request() {
    let (passed, failed) = (Cell::new(0), Cell::new(0));
    let kind = PolicyKind::Identity;
    let asked = (
        subsequence(&ACTION_PATTERNS[2..], 0..3),
        subsequence(&RESOURCE_PATTERNS[1..5], 0..3),
    );
    let outcome = runner(2000).run(
        &(pair(kind), asked, requests()),
        |((policy, _), (actions, resources), requests)| {
            let owned = |texts: &[&str]| {
                texts
                    .iter()
                    .map(|text| (*text).to_owned())
                    .collect::<Vec<String>>()
            };
            let (actions, resources) = (owned(&actions), owned(&resources));
            let gains = granted(&policy, &actions, &resources);
            let or_all = |texts: &[String]| match texts {
                [] => r#""*""#.to_owned(),
                texts => serde_json::to_string(texts).unwrap(),
            };
            let asked = document(&[&format!(
                r#"{{"Effect":"Allow","Action":{},"Resource":{}}}"#,
                or_all(&actions),
                or_all(&resources)
            )]);
            let asked = Policy::parse(&asked, kind).unwrap();
            if gains.is_empty() {
                passed.set(passed.get() + 1);
                for request in requests
                    .iter()
                    .filter(|request| is_identity_caller(kind, &request.0))
                {
                    prop_assert!(
                        !(lets_in(&policy, request) && lets_in(&asked, request)),
                        "{request:?}"
                    );
                }
            } else {
                failed.set(failed.get() + 1);
            }
            for witness in gains.iter().filter_map(|gain| gain.witness.as_ref()) {
                let witness = (
                    witness.principal.clone(),
                    witness.action.clone(),
                    witness.resource.clone(),
                    witness.context.clone(),
                );
                prop_assert!(lets_in(&policy, &witness) && lets_in(&asked, &witness));
            }
            Ok(())
        },
    );
    outcome.unwrap();
    assert!(
        passed.get() > 150 && failed.get() > 400,
        "{} {}",
        passed.get(),
        failed.get()
    );
}

fn gains(new: &str, old: &str) -> Vec<usize> {
    let parse = |text: &str| Policy::parse(&document(&[text]), PolicyKind::Identity).unwrap();
    new_access(&parse(new), &parse(old))
        .iter()
        .map(|gain| gain.statement)
        .collect()
}

#[test]
fn the_same_said_otherwise_is_no_new_access() {
    let narrow =
        r#"{"Effect":"Allow","Action":["s3:GetObject","s3:ListBucket"],"Resource":"arn:aws:s3:::b/*"}"#;
    let wide = r#"{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::*"}"#;
    assert!(gains(narrow, wide).is_empty());
    assert_eq!(gains(wide, narrow), [0]);
    let except = r#"{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}"#;
    let denied = r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}"#;
    assert!(gains(denied, except).is_empty());
    assert!(gains(except, denied).is_empty());
    let split = r#"{"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}},
        {"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}}}"#;
    assert!(
        gains(
            r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}"#,
            split
        )
        .is_empty()
    );
}
