//! Policies and whom they let in.

use std::sync::Arc;

use pipeline::ResourcePolicies;
use policy::{Attached, Grant, Policy, PolicyKind};
use serde_json::{Value, json};

use super::{Access, Subject, Zone, accesses};

const HOME: &str = "111122223333";
const OTHER: &str = "444455556666";

fn attached(statements: &Value, kind: PolicyKind) -> Attached {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Attached::new(Arc::new(Policy::parse(&text, kind).unwrap()), "it")
}

fn of(policies: &ResourcePolicies) -> Vec<Access> {
    let subject = Subject {
        arn: "arn:aws:iam::111122223333:role/r",
        owner: HOME,
        policies,
    };
    let zone = Zone {
        trusts: &|account| account == HOME,
        resource_control: &[],
    };
    accesses(&subject, &zone)
}

fn trusting(statements: &Value) -> Vec<Access> {
    of(&ResourcePolicies::Policy(attached(statements, PolicyKind::Trust)))
}

fn allow(principal: &Value, condition: &Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition})
}

/// (class, name, public)
fn named(accesses: &[Access]) -> Vec<(&str, &str, bool)> {
    let each = accesses.iter().flat_map(|access| {
        let names = access.principal.iter();
        names.map(|(class, name)| (class.as_str(), name.as_str(), access.public))
    });
    each.collect()
}

/// S6.9: a whole account, or everyone, is found; the own account, its users and services are not.
#[test]
fn generic_trust_is_found() {
    let names = json!({"AWS": [
        "arn:aws:iam::444455556666:root", "arn:aws:iam::444455556666:user/u", "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/own",
    ], "Service": "ec2.amazonaws.com"});
    assert_eq!(
        named(&trusting(&json!([allow(&names, &json!({}))]))),
        [
            ("AWS", OTHER, false),
            ("AWS", "arn:aws:iam::444455556666:user/u", false)
        ]
    );
    let everyone = trusting(&json!([allow(&json!("*"), &json!({}))]));
    assert_eq!(named(&everyone), [("AWS", "*", true)]);
}

#[test]
fn conditions_narrow_everyone() {
    let everyone = |condition: Value| trusting(&json!([allow(&json!({"AWS": "*"}), &condition)]));
    let equals = |key: &str, value: &str| json!({"StringEquals": {key: value}});
    assert_eq!(everyone(equals("aws:PrincipalAccount", HOME)), []);
    assert_eq!(
        everyone(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}})),
        []
    );
    let other = everyone(equals("aws:PrincipalAccount", OTHER));
    assert_eq!(named(&other), [("AWS", "*", false)]);
    assert_eq!(other[0].condition["aws:PrincipalAccount"], OTHER);
    // A stranger without the key passes, and one who chooses the value does too.
    assert!(everyone(json!({"StringEqualsIfExists": {"aws:PrincipalAccount": HOME}}))[0].public);
    let told = everyone(equals("sts:ExternalId", "secret"));
    assert!(told[0].public && told[0].condition.is_empty());
}

#[test]
fn providers_that_anyone_can_sign_in_to_are_public_without_a_test_of_who_it_is() {
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let federated = |provider: &str, condition: Value| {
        let statement = json!({"Effect": "Allow", "Principal": {"Federated": provider},
            "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition});
        trusting(&json!([statement]))
    };
    let audience = json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}});
    assert_eq!(named(&federated(github, audience)), [("Federated", github, true)]);
    let subject = json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:us/ours:*"}});
    let found = federated(github, subject);
    assert_eq!(named(&found), [("Federated", github, false)]);
    assert_eq!(
        found[0].condition["token.actions.githubusercontent.com:sub"],
        "repo:us/ours:*"
    );
    let saml = "arn:aws:iam::111122223333:saml-provider/corp";
    assert_eq!(named(&federated(saml, json!({}))), [("Federated", saml, false)]);
}

#[test]
fn a_deny_takes_access_back() {
    let everyone = allow(&json!("*"), &json!({}));
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition});
    let strangers = json!({"StringNotEquals": {"aws:PrincipalAccount": HOME}});
    assert_eq!(trusting(&json!([everyone.clone(), deny(strangers)])), []);
    let plaintext = json!({"Bool": {"aws:SecureTransport": "false"}});
    assert_eq!(trusting(&json!([everyone, deny(plaintext)])).len(), 1);
}

#[test]
fn keys_are_reached_by_policy_and_by_grant() {
    let statements = json!([
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*",
         "Condition": {"StringEquals": {"kms:CallerAccount": OTHER}}},
        {"Effect": "Deny", "Principal": {"AWS": OTHER}, "Action": "kms:Decrypt", "Resource": "*"},
    ]);
    let grant = |grantee: &str| Grant {
        grantee: grantee.to_owned(),
        operations: vec!["Decrypt".to_owned()],
        ..Grant::default()
    };
    let key = ResourcePolicies::Key {
        policy: attached(&statements, PolicyKind::Key),
        grants: [
            grant("arn:aws:iam::444455556666:role/r"),
            grant("arn:aws:iam::111122223333:role/r"),
            grant("sns.amazonaws.com"),
        ]
        .into(),
    };
    let found = of(&key);
    assert_eq!(
        named(&found),
        [
            ("AWS", "*", false),
            ("AWS", "arn:aws:iam::444455556666:role/r", false)
        ]
    );
    let actions: Vec<_> = found[0].actions.iter().collect();
    assert_eq!(actions, ["kms:Encrypt"]);
}
