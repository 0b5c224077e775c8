//! Random policies and requests, judged twice: the crate and the naive evaluator must agree, and so must the fast path
//! and the explanation (issue 2, "It must show" 7; S2.9, S2.10, S2.17).

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

#[path = "judge/naive.rs"]
mod naive;
mod scene;

use naive::{Case, Target};
use policy::{Grant, PolicyKind, Principal};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use scene::{Scene, alice, attached, federated, linked, root, service, session};
use std::cell::Cell;

const ACTIONS: [&str; 5] = [
    "s3:GetObject",
    "s3:PutObject",
    "kms:Decrypt",
    "kms:RetireGrant",
    "sts:AssumeRole",
];
const RESOURCES: [&str; 5] = [
    "arn:aws:s3:::b/k",
    "arn:aws:s3:::b/alice",
    "arn:aws:kms:us-east-1:111122223333:key/1",
    "arn:aws:iam::444455556666:role/x",
    "*",
];
const ACTION_PATTERNS: [&str; 9] = [
    "*",
    "s3:*",
    "S3:getobject",
    "s3:?etObject",
    "s3:Put*",
    "kms:Decrypt",
    "kms:*",
    "sts:AssumeRole",
    "ec2:*",
];
const RESOURCE_PATTERNS: [&str; 9] = [
    "*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/${aws:username}",
    "arn:aws:s3:::b/${aws:username, 'nobody'}",
    "arn:aws:s3:::b/${*}",
    "arn:aws:s3",
    "arn:aws:kms:*:111122223333:key/?",
    "arn:aws:iam::*:role/*",
    "arn:*",
];
const PRINCIPALS: [&str; 14] = [
    r#""*""#,
    r#"{"AWS":"*"}"#,
    r#"{"AWS":"111122223333"}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:root"}"#,
    r#"{"AWS":"444455556666"}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#,
    r#"{"AWS":["arn:aws:iam::111122223333:user/alice","arn:aws:iam::111122223333:root"]}"#,
    r#"{"AWS":"arn:aws:iam::111122223333:role/jobs/reader"}"#,
    r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/reader/night"}"#,
    r#"{"AWS":["arn:aws:sts::111122223333:assumed-role/reader/night","AROAREADER","111122223333"]}"#,
    r#"{"AWS":"arn:aws:sts::111122223333:federated-user/guest","Service":"sqs.amazonaws.com"}"#,
    r#"{"AWS":["arn:aws:sts::111122223333:assumed-role/reader/night","111122223333"]}"#,
    r#"{"Service":["sns.amazonaws.com"]}"#,
    r#"{"Federated":"accounts.google.com","AWS":"AIDAALICE"}"#,
];
/// (operator, key, values); qualifiers and `IfExists` are added at random.
const CONDITIONS: [(&str, &str, &str); 14] = [
    ("StringEquals", "aws:username", r#""alice""#),
    ("StringNotEquals", "aws:Username", r#"["alice","bob"]"#),
    ("StringEqualsIgnoreCase", "aws:TagKeys", r#"["TEAM","cost"]"#),
    ("StringLike", "aws:TagKeys", r#"["t*m","c??t"]"#),
    ("StringNotLike", "aws:TagKeys", r#""t*""#),
    ("StringEquals", "aws:TagKeys", r#""${aws:username}""#),
    ("StringLike", "aws:TagKeys", r#""${aws:username, 'team'}*""#),
    ("Bool", "aws:SecureTransport", "true"),
    ("NumericLessThan", "s3:max-keys", "10"),
    ("NumericNotEquals", "s3:max-keys", r#"[5,"7.0"]"#),
    (
        "DateGreaterThanEquals",
        "aws:CurrentTime",
        r#""2026-01-01T00:00:00Z""#,
    ),
    ("IpAddress", "aws:SourceIp", r#"["10.0.0.0/8","192.168.1.1"]"#),
    ("NotIpAddress", "aws:SourceIp", r#""10.1.0.0/16""#),
    (
        "ArnLike",
        "aws:SourceArn",
        r#"["arn:aws:s3:::b*","arn:aws:sns:*:*:t"]"#,
    ),
];
const VALUES: [(&str, &[&str]); 7] = [
    ("aws:username", &["alice", "bob", "*"]),
    ("aws:tagkeys", &["team", "cost", "Team", "alice", ""]),
    ("aws:securetransport", &["true", "false", "True"]),
    ("s3:max-keys", &["5", "7", "12", "many"]),
    (
        "aws:currenttime",
        &["2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z"],
    ),
    (
        "aws:sourceip",
        &[
            "10.1.2.3",
            "10.9.9.9",
            "192.168.1.1",
            "8.8.8.8",
            "sns.amazonaws.com",
        ],
    ),
    (
        "aws:sourcearn",
        &[
            "arn:aws:s3:::bucket",
            "arn:aws:sns:us-east-1:1:t",
            "arn:aws:sns:us-east-1:1:t:s",
            "x",
        ],
    ),
];

fn quoted_list(values: Vec<&'static str>) -> String {
    format!(r#"["{}"]"#, values.join(r#"",""#))
}

fn condition() -> impl Strategy<Value = String> {
    let test = (
        select(&CONDITIONS[..]),
        select(&["", "", "ForAllValues:", "ForAnyValue:"][..]),
        any::<bool>(),
    );
    let test = test.prop_map(|((operator, key, values), set, if_exists)| {
        let suffix = if if_exists { "IfExists" } else { "" };
        format!(r#","Condition":{{"{set}{operator}{suffix}":{{"{key}":{values}}}}}"#)
    });
    let null = select(&["true", "false"][..])
        .prop_map(|absent| format!(r#","Condition":{{"Null":{{"aws:username":"{absent}"}}}}"#));
    prop_oneof![6 => Just(String::new()), 4 => test, 1 => null]
}

fn statement(kind: PolicyKind) -> BoxedStrategy<String> {
    use PolicyKind::{Endpoint, Key, Resource, ResourceControl, Trust};
    if kind == ResourceControl {
        let patterns = select(&ACTION_PATTERNS[1..]);
        let deny = patterns.prop_map(|action| {
            format!(r#"{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"*"}}"#)
        });
        let full = r#"{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}"#;
        return prop_oneof![1 => deny, 6 => Just(full.to_owned())].boxed();
    }
    let effect = prop_oneof![9 => Just("Allow"), 1 => Just("Deny")];
    let actions = subsequence(&ACTION_PATTERNS[..], 1..5).prop_map(quoted_list);
    let resources = subsequence(&RESOURCE_PATTERNS[..], 1..5).prop_map(quoted_list);
    let flags = (
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.4),
    );
    (
        effect,
        select(&PRINCIPALS[..]),
        actions,
        resources,
        flags,
        condition(),
    )
        .prop_map(
            move |(
                effect,
                principal,
                actions,
                resources,
                (not_action, not_resource, not_principal),
                when,
            )| {
                let not = |negated: bool| if negated { "Not" } else { "" };
                let not_principal = not_principal && effect == "Deny" && kind != Trust;
                let principal = match kind {
                    Resource | Trust | Key | Endpoint => {
                        format!(r#","{}Principal":{principal}"#, not(not_principal))
                    }
                    _ => String::new(),
                };
                let actions = if kind == Trust {
                    r#"["sts:Assume*"]"#.to_owned()
                } else {
                    actions
                };
                let resources = match kind {
                    Trust => String::new(),
                    PolicyKind::Session => r#","Resource":["*"]"#.to_owned(),
                    _ => format!(r#","{}Resource":{resources}"#, not(not_resource)),
                };
                let not_action = not(not_action);
                format!(
                    r#"{{"Effect":"{effect}"{principal},"{not_action}Action":{actions}{resources}{when}}}"#
                )
            },
        )
        .boxed()
}

fn document(kind: PolicyKind) -> impl Strategy<Value = String> {
    let organization = matches!(kind, PolicyKind::ServiceControl | PolicyKind::ResourceControl);
    let unversioned = u32::from(!organization);
    let version = prop_oneof![5 => Just(r#""Version":"2012-10-17","#), unversioned => Just("")];
    (version, vec(statement(kind), 1..5))
        .prop_map(|(version, statements)| format!(r#"{{{version}"Statement":[{}]}}"#, statements.join(",")))
}

fn caller() -> impl Strategy<Value = Principal> {
    let provider = Principal::Federated {
        provider: "accounts.google.com".into(),
    };
    let all = [
        alice(),
        session(),
        federated(),
        root(),
        service(),
        linked(),
        provider,
        Principal::Anonymous,
    ];
    prop_oneof![3 => select(vec![alice(), session(), federated()]), 1 => select(all.to_vec())]
}

fn target() -> impl Strategy<Value = Target> {
    let grantees = [
        "arn:aws:iam::111122223333:user/alice",
        "arn:aws:iam::111122223333:role/jobs/reader",
        "arn:aws:iam::111122223333:root",
    ];
    prop_oneof![
        2 => option::of(document(PolicyKind::Resource)).prop_map(Target::Plain),
        1 => document(PolicyKind::Trust).prop_map(Target::Role),
        1 => (document(PolicyKind::Key), option::of(select(grantees.to_vec())))
            .prop_map(|(policy, grantee)| Target::Key(policy, grantee.map(str::to_owned))),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let values: Vec<_> = VALUES
        .iter()
        .map(|(key, values)| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            subsequence(values, 0..3).prop_map(move |chosen| ((*key).to_owned(), chosen))
        })
        .collect();
    let request = (caller(), select(&ACTIONS[..]), select(&RESOURCES[..]), values);
    let organization = (
        prop_oneof![4 => Just(Vec::new()), 1 => vec(document(PolicyKind::ResourceControl), 1..3)],
        prop_oneof![4 => Just(Vec::new()), 1 => vec(vec(document(PolicyKind::ServiceControl), 0..3), 1..3)],
    );
    let own = (
        vec(document(PolicyKind::Identity), 0..4),
        option::weighted(0.3, document(PolicyKind::Boundary)),
        option::weighted(0.4, vec(document(PolicyKind::Session), 0..3)),
        option::weighted(0.2, document(PolicyKind::Endpoint)),
    );
    (request, organization, target(), own).prop_map(|(request, organization, target, own)| {
        let (principal, action, resource, context) = request;
        let (resource_control, service_control) = organization;
        let (identity, boundary, session, endpoint) = own;
        let context = context
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let (action, resource) = (action.to_owned(), resource.to_owned());
        Case {
            principal,
            action,
            resource,
            context,
            resource_control,
            service_control,
            target,
            identity,
            boundary,
            session,
            endpoint,
        }
    })
}

fn staged(case: &Case) -> Scene {
    let all = |kind, texts: &[String]| texts.iter().map(|text| attached(kind, text)).collect::<Vec<_>>();
    let mut scene = Scene {
        resource_control: all(PolicyKind::ResourceControl, &case.resource_control),
        service_control: case
            .service_control
            .iter()
            .map(|level| all(PolicyKind::ServiceControl, level))
            .collect(),
        identity: all(PolicyKind::Identity, &case.identity),
        boundary: case
            .boundary
            .as_ref()
            .map(|text| attached(PolicyKind::Boundary, text)),
        session: case.session.as_ref().map(|texts| all(PolicyKind::Session, texts)),
        endpoint: case
            .endpoint
            .as_ref()
            .map(|text| attached(PolicyKind::Endpoint, text)),
        ..Scene::default()
    };
    for (key, values) in &case.context {
        scene.context.insert_many(key.clone(), values.iter().cloned());
    }
    match &case.target {
        Target::Plain(policy) => {
            scene.resource_policy = policy.as_ref().map(|text| attached(PolicyKind::Resource, text));
        }
        Target::Role(policy) => scene.resource_policy = Some(attached(PolicyKind::Trust, policy)),
        Target::Key(policy, grantee) => {
            scene.key = Some(attached(PolicyKind::Key, policy));
            let operations = vec!["Decrypt".to_owned()];
            let grant = |grantee: &String| Grant {
                grantee: grantee.clone(),
                operations: operations.clone(),
                ..Grant::default()
            };
            scene.grants = grantee.iter().map(grant).collect();
        }
    }
    scene
}

fn runner(cases: u32) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(
        Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        },
        rng,
    )
}

#[test]
fn the_naive_judge_agrees_and_so_does_the_explanation() {
    let (allowed, denied) = (Cell::new(0), Cell::new(0));
    let outcome = runner(6000).run(&case(), |case| {
        let scene = staged(&case);
        // `Scene::decide` compares the decision with the explanation's.
        let verdict = scene.allows(&case.principal, &case.action, &case.resource);
        let count = if verdict { &allowed } else { &denied };
        count.set(count.get() + 1);
        prop_assert_eq!(verdict, case.allowed());
        Ok(())
    });
    outcome.unwrap();
    // A generator that only ever allows or only ever denies would prove nothing.
    assert!(
        allowed.get() > 600 && denied.get() > 600,
        "{} allowed, {} denied",
        allowed.get(),
        denied.get()
    );
}

// Whatever is suggested has been tried; the steps hold no wildcard beyond what was asked for.
#[test]
fn suggestions_work_and_name_exactly_the_request() {
    let made = Cell::new(0);
    let outcome = runner(1500).run(&case(), |case| {
        let scene = staged(&case);
        let request = scene.request(&case.principal, &case.action, &case.resource);
        let denied = !policy::decide(&request, &scene.layers()).allowed;
        let suggestion = policy::suggest(&request, &scene.layers());
        prop_assert!(denied || suggestion.is_none());
        let Some(suggestion) = suggestion else {
            return Ok(());
        };
        made.set(made.get() + 1);
        for step in &suggestion.steps {
            if let policy::Step::Add { statement, .. } = step {
                let value: serde_json::Value = serde_json::from_str(statement).unwrap();
                prop_assert_eq!(value["Action"].as_str(), Some(&*case.action));
                prop_assert!(
                    value["Resource"]
                        .as_str()
                        .is_none_or(|resource| resource == case.resource)
                );
                prop_assert!(!value["Principal"].to_string().contains('*'));
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(made.get() > 300, "{} suggestions", made.get());
}

/// The document with the order of its statements turned round, and with more statements behind.
fn turned(text: &str, reverse: bool, more: &[serde_json::Value]) -> String {
    let mut document: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut statements = match document["Statement"].take() {
        serde_json::Value::Array(statements) => statements,
        one => vec![one],
    };
    if reverse {
        statements.reverse();
    }
    statements.extend_from_slice(more);
    document["Statement"] = statements.into();
    document.to_string()
}

/// The case with every document in it changed.
fn mapped(case: &Case, change: &dyn Fn(PolicyKind, &String) -> String) -> Case {
    let list = |kind, texts: &[String]| texts.iter().map(|text| change(kind, text)).collect::<Vec<_>>();
    let levels = case.service_control.iter();
    Case {
        resource_control: list(PolicyKind::ResourceControl, &case.resource_control),
        service_control: levels
            .map(|level| list(PolicyKind::ServiceControl, level))
            .collect(),
        target: match &case.target {
            Target::Plain(text) => {
                Target::Plain(text.as_ref().map(|text| change(PolicyKind::Resource, text)))
            }
            Target::Role(text) => Target::Role(change(PolicyKind::Trust, text)),
            Target::Key(text, grantee) => Target::Key(change(PolicyKind::Key, text), grantee.clone()),
        },
        identity: list(PolicyKind::Identity, &case.identity),
        boundary: case
            .boundary
            .as_ref()
            .map(|text| change(PolicyKind::Boundary, text)),
        session: case
            .session
            .as_ref()
            .map(|texts| list(PolicyKind::Session, texts)),
        endpoint: case
            .endpoint
            .as_ref()
            .map(|text| change(PolicyKind::Endpoint, text)),
        ..case.clone()
    }
}

fn verdict(case: &Case) -> bool {
    staged(case).allows(&case.principal, &case.action, &case.resource)
}

/// A statement of a random document, made to allow.
fn allowing(text: &str) -> serde_json::Value {
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut statement = document["Statement"][0].clone();
    statement["Effect"] = "Allow".into();
    // An Allow names whom it allows.
    if let Some(named) = statement
        .as_object_mut()
        .and_then(|members| members.remove("NotPrincipal"))
    {
        statement["Principal"] = named;
    }
    statement
}

/// A statement that denies everything to everyone, in the grammar of a kind of policy.
fn refusing(kind: PolicyKind) -> serde_json::Value {
    let mut statement = serde_json::json!({"Effect": "Deny", "Action": "*"});
    if kind == PolicyKind::Trust {
        statement["Action"] = "sts:*".into();
    } else {
        statement["Resource"] = "*".into();
    }
    let unnamed = [
        PolicyKind::Identity,
        PolicyKind::Boundary,
        PolicyKind::Session,
        PolicyKind::ServiceControl,
    ];
    if !unnamed.contains(&kind) {
        statement["Principal"] = "*".into();
    }
    statement
}

// Issue 3, "It must show" 2: adding an Allow statement never removes access.
#[test]
fn an_allow_more_never_takes_access_away() {
    let kinds = [
        PolicyKind::Identity,
        PolicyKind::Boundary,
        PolicyKind::Session,
        PolicyKind::ServiceControl,
        PolicyKind::Resource,
        PolicyKind::Key,
        PolicyKind::Trust,
        PolicyKind::Endpoint,
    ];
    let gained = Cell::new(0);
    let with_more =
        select(kinds.to_vec()).prop_flat_map(|kind| (case(), Just(kind), document(kind), any::<bool>()));
    let outcome = runner(2000).run(&with_more, |(case, kind, text, wide)| {
        let (before, mut statement) = (verdict(&case), allowing(&text));
        if wide {
            // Random statements seldom meet the request.
            let everything = refusing(kind).as_object().unwrap().clone();
            let wider = everything.into_iter().filter(|(member, _)| member != "Effect");
            let narrower = ["NotAction", "NotResource", "Condition"];
            let members = statement.as_object_mut().unwrap();
            members.retain(|member, _| !narrower.contains(&member.as_str()));
            members.extend(wider);
        }
        let more = mapped(&case, &|own, text| {
            let added = if own == kind {
                std::slice::from_ref(&statement)
            } else {
                &[]
            };
            turned(text, false, added)
        });
        let after = verdict(&more);
        prop_assert!(after || !before, "{statement} took access away");
        gained.set(gained.get() + u32::from(after && !before));
        Ok(())
    });
    outcome.unwrap();
    assert!(gained.get() > 20, "{} gained", gained.get());
}

// S2.10: a Deny for everyone, in any policy that binds the caller, wins over every Allow.
#[test]
fn an_explicit_deny_always_wins() {
    let lost = Cell::new(0);
    let outcome = runner(1000).run(&case(), |case| {
        let before = verdict(&case);
        let named = case.principal.account().is_some() && !matches!(case.principal, Principal::Root { .. });
        let mut laid: Vec<PolicyKind> = vec![PolicyKind::Endpoint];
        match &case.target {
            Target::Plain(_) => laid.push(PolicyKind::Resource),
            Target::Role(_) if case.action == "sts:AssumeRole" => laid.push(PolicyKind::Trust),
            Target::Role(_) => {}
            // A grant's retirement asks no key policy.
            Target::Key(..) if case.action != "kms:RetireGrant" => laid.push(PolicyKind::Key),
            Target::Key(..) => {}
        }
        if named {
            laid.extend([PolicyKind::Identity, PolicyKind::Boundary, PolicyKind::Session]);
        }
        for kind in laid {
            let touched = Cell::new(false);
            let denied = mapped(&case, &|own, text| {
                touched.set(touched.get() || own == kind);
                let added = if own == kind {
                    vec![refusing(kind)]
                } else {
                    Vec::new()
                };
                turned(text, false, &added)
            });
            if touched.get() {
                prop_assert!(!verdict(&denied), "{kind:?}");
                lost.set(lost.get() + u32::from(before));
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(lost.get() > 100, "{} lost", lost.get());
}

// Issue 3, "It must show" 2: the order of statements and policies never matters.
#[test]
fn the_order_of_statements_and_policies_never_matters() {
    let outcome = runner(1200).run(&case(), |case| {
        let mut other = mapped(&case, &|_, text| turned(text, true, &[]));
        other.identity.reverse();
        other.resource_control.reverse();
        other.service_control.iter_mut().for_each(|level| level.reverse());
        other.service_control.reverse();
        if let Some(session) = &mut other.session {
            session.reverse();
        }
        prop_assert_eq!(verdict(&other), verdict(&case));
        Ok(())
    });
    outcome.unwrap();
}
