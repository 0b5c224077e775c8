//! The ladder that `ringwork why` prints, the words of refusals, and suggestions.

mod scene;

use policy::{
    Attached, Derivation, Element, Layer, Policy, PolicyKind, Principal, Standing, Step, because_naming,
    decide, explain, suggest,
};
use scene::{Scene, alice, session};
use std::sync::Arc;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
const DEFAULT_KEY_POLICY: &str =
    r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}"#;

fn ladder(scene: &Scene, principal: &Principal, action: &str, resource: &str) -> String {
    explain(&scene.request(principal, action, resource), &scene.layers()).to_string()
}

#[test]
fn a_refusal_is_shown_with_a_caret_under_what_failed() {
    let text = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "Other", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {
      "Sid": "Mfa",
      "Effect": "Allow",
      "Action": "kms:Decrypt",
      "Resource": "*",
      "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    }
  ]
}"#;
    let mut scene = Scene::key(&[DEFAULT_KEY_POLICY]);
    let policy = Arc::new(Policy::parse(text, PolicyKind::Identity).unwrap());
    scene.identity = vec![Attached::new(policy, "user/alice inline decrypt")];
    let scene = scene.with("aws:MultiFactorAuthPresent", "false");
    let shown = ladder(&scene, &alice(), "kms:Decrypt", KEY);
    let wanted = "\
DENIED  kms:Decrypt on arn:aws:kms:us-east-1:111122223333:key/1234abcd
  for arn:aws:iam::111122223333:user/alice
  because no identity-based policy allows the kms:Decrypt action

  resource control policies            absent
  service control policies             absent
  key policy                           allows the account, whose policies decide
      Key
        statement 1 (Allow): matches
  grants                               absent
> identity-based policies              does not allow
      user/alice inline decrypt
        statement 2 \"Mfa\" (Allow): Bool wants aws:MultiFactorAuthPresent true, and the request has false
          10 |       \"Condition\": {\"Bool\": {\"aws:MultiFactorAuthPresent\": \"true\"}}
             |                              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        1 statement about other actions
  permissions boundary                 absent
  session policies                     absent
  VPC endpoint policy                  absent
";
    assert_eq!(shown, wanted);
}

#[test]
fn a_deny_is_shown_where_it_stands() {
    let scene = Scene::identity(&[
        r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#,
        r#"{"Sid":"NoDelete","Effect":"Deny","Action":"s3:Delete*","Resource":"*"}"#,
    ]);
    let shown = ladder(&scene, &session(), "s3:DeleteObject", "arn:aws:s3:::b/k");
    assert!(
        shown.contains("> identity-based policies              denies"),
        "{shown}"
    );
    assert!(
        shown.contains("      > statement 2 \"NoDelete\" (Deny): matches"),
        "{shown}"
    );
    assert!(shown.contains("      ^^^^^^"), "{shown}");
}

#[test]
fn a_derivation_names_element_wanted_and_actual_and_survives_storage() {
    let scene = Scene::identity(&[
        r#"{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"}"#,
    ])
    .with("aws:username", "alice");
    let request = scene
        .request(&session(), "s3:GetObject", "arn:aws:s3:::b/bob/x")
        .principal
        .clone();
    let request = scene.request(&request, "s3:GetObject", "arn:aws:s3:::b/bob/x");
    let derivation = explain(&request, &scene.layers());
    let layer = derivation
        .layers
        .iter()
        .find(|trace| trace.layer == Layer::Identity)
        .unwrap();
    assert_eq!(layer.standing, Standing::Silent);
    let failure = layer.policies[0].statements[0].failure.as_ref().unwrap();
    assert_eq!(failure.element, Element::Resource);
    assert_eq!(failure.wanted, ["arn:aws:s3:::b/alice/*"]);
    assert_eq!(failure.actual, ["arn:aws:s3:::b/bob/x"]);
    let text = scene.identity[0].policy.text();
    assert_eq!(
        text.get(failure.span.start..failure.span.end).unwrap(),
        r#""arn:aws:s3:::b/${aws:username}/*""#
    );
    let stored = serde_json::to_string(&derivation).unwrap();
    assert_eq!(serde_json::from_str::<Derivation>(&stored).unwrap(), derivation);
}

// "Troubleshoot access denied error messages": the ARN of a denying managed policy is named.
#[test]
fn a_denying_managed_policy_is_named() {
    let text = scene::document(&[r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#]);
    let policy = Arc::new(Policy::parse(&text, PolicyKind::Identity).unwrap());
    let named = |origin: &str| {
        let scene = Scene {
            identity: vec![Attached::new(policy.clone(), origin)],
            ..Scene::default()
        };
        let decision = decide(&scene.request(&alice(), "s3:GetObject", "*"), &scene.layers());
        because_naming(&decision, &scene.layers(), "s3:GetObject")
    };
    assert_eq!(
        named("arn:aws:iam::111122223333:policy/HR"),
        "with an explicit deny in an identity-based policy: arn:aws:iam::111122223333:policy/HR"
    );
    assert_eq!(
        named("user/alice inline x"),
        "with an explicit deny in an identity-based policy"
    );
}

#[test]
fn the_suggestion_is_the_statement_that_is_missing() {
    let scene = Scene::key(&[DEFAULT_KEY_POLICY]);
    let caller = alice();
    let request = scene.request(&caller, "kms:Decrypt", KEY);
    let suggestion = suggest(&request, &scene.layers()).unwrap();
    let shown = suggestion.to_string();
    let wanted = format!(
        "Add to the identity-based policy of arn:aws:iam::111122223333:user/alice:\n    {{\n      \"Effect\": \"Allow\",\n      \
         \"Action\": \"kms:Decrypt\",\n      \"Resource\": \"{KEY}\"\n    }}\n"
    );
    assert_eq!(shown, wanted);
}

#[test]
fn suggestions_take_every_step_that_is_needed() {
    let scene = Scene {
        resource_account: Some(scene::OTHER.into()),
        ..Scene::identity(&[
            r#"{"Sid":"Hours","Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:x":"y"}}}"#,
        ])
    }
    .with("aws:x", "y");
    let caller = session();
    let request = scene.request(&caller, "s3:GetObject", "arn:aws:s3:::b/a*b");
    let steps = suggest(&request, &scene.layers()).unwrap().steps;
    let Step::Narrow {
        layer,
        statement,
        sid,
        conditions,
        ..
    } = &steps[0]
    else {
        panic!("{steps:?}")
    };
    assert_eq!(
        (*layer, *statement, sid.as_deref()),
        (Layer::Identity, 0, Some("Hours"))
    );
    assert_eq!(conditions, &[("StringEquals".to_owned(), "aws:x".to_owned())]);
    let Step::Add {
        layer: Layer::Resource,
        statement,
        ..
    } = &steps[1]
    else {
        panic!("{steps:?}")
    };
    assert!(statement.contains(r#""Principal": {"AWS": "arn:aws:iam::111122223333:role/jobs/reader"}"#));
    assert!(statement.contains(r#""Resource": "arn:aws:s3:::b/a${*}b""#));
    let Step::Add {
        layer: Layer::Identity,
        ..
    } = &steps[2]
    else {
        panic!("{steps:?}")
    };
    assert_eq!(steps.len(), 3);
}

#[test]
fn a_condition_that_nearly_held_is_pointed_out() {
    let scene = Scene::identity(&[
        r#"{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"true"}}}"#,
    ]);
    let caller = alice();
    let suggestion = suggest(
        &scene.request(&caller, "s3:GetObject", "arn:aws:s3:::b/k"),
        &scene.layers(),
    )
    .unwrap();
    let shown = suggestion.to_string();
    let wanted = "Meet the condition of statement 1 in Identity: Bool wants aws:SecureTransport true, and the request has no \
                  aws:SecureTransport; or\n";
    assert!(shown.starts_with(wanted), "{shown}");
}

#[test]
fn nothing_is_suggested_where_only_a_wildcard_would_do() {
    let scene = Scene::default();
    let caller = Principal::Anonymous;
    assert_eq!(
        suggest(
            &scene.request(&caller, "s3:GetObject", "arn:aws:s3:::b/k"),
            &scene.layers()
        ),
        None
    );
    let open = Scene::identity(&[r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#]);
    assert_eq!(
        suggest(
            &open.request(&alice(), "s3:GetObject", "arn:aws:s3:::b/k"),
            &open.layers()
        ),
        None
    );
}
