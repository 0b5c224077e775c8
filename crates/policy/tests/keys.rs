//! KMS key policies and grants (KMS Developer Guide, "Key policies in AWS KMS", "Grants in AWS KMS").

mod scene;

use policy::{Grant, Layer, PolicyKind, Principal, Reason};
use scene::{OTHER, OWN, Scene, alice, root, service, session};
use std::collections::BTreeMap;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd";
const DECRYPT: &str = "kms:Decrypt";
const ENABLE_IAM: &str = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;
const OWN_DECRYPT: &str = r#"{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}"#;

fn allows(principal: &str) -> String {
    format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"kms:Decrypt","Resource":"*"}}"#)
}

fn grant(grantee: &str) -> Grant {
    Grant {
        id: "g1".into(),
        grantee: grantee.into(),
        operations: vec!["Decrypt".into()],
        ..Grant::default()
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

// S1.3: IAM policies count only where the key policy lets the account use them.
#[test]
fn iam_policies_count_only_if_the_key_policy_delegates() {
    assert!(
        Scene::key(&[ENABLE_IAM])
            .also(PolicyKind::Identity, &[OWN_DECRYPT])
            .allows(&alice(), DECRYPT, KEY)
    );
    let scene = Scene::key(&[&allows(r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#)])
        .also(PolicyKind::Identity, &[OWN_DECRYPT]);
    assert_eq!(
        scene.because(&alice(), DECRYPT, KEY),
        "because no resource-based policy allows the kms:Decrypt action"
    );
    // Example 1 of "Troubleshooting AWS KMS permissions": Alice has no IAM policy.
    assert_eq!(
        Scene::key(&[ENABLE_IAM]).because(&alice(), DECRYPT, KEY),
        "because no identity-based policy allows the kms:Decrypt action"
    );
}

#[test]
fn the_key_policy_alone_allows_whom_it_names() {
    let named = Scene::key(&[&allows(r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#)]);
    assert!(named.allows(&alice(), DECRYPT, KEY));
    assert!(!named.allows(&alice(), "kms:Encrypt", KEY));
    assert!(
        !named
            .also(
                PolicyKind::Identity,
                &[r#"{"Effect":"Deny","Action":"kms:*","Resource":"*"}"#]
            )
            .allows(&alice(), DECRYPT, KEY)
    );
}

// S2.11: even root needs the key policy.
#[test]
fn root_needs_the_key_policy() {
    assert!(Scene::key(&[ENABLE_IAM]).allows(&root(), DECRYPT, KEY));
    assert!(
        !Scene::key(&[&allows(r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#)]).allows(
            &root(),
            DECRYPT,
            KEY
        )
    );
}

// Example 2 of "Troubleshooting AWS KMS permissions".
#[test]
fn across_accounts_key_policy_and_iam_policy_are_needed() {
    let key = KEY.replace(OWN, OTHER);
    let shared = allows(&format!(r#"{{"AWS":"arn:aws:iam::{OWN}:root"}}"#));
    assert!(!Scene::key(&[&shared]).allows(&session(), DECRYPT, &key));
    assert!(
        Scene::key(&[&shared])
            .also(PolicyKind::Identity, &[OWN_DECRYPT])
            .allows(&session(), DECRYPT, &key)
    );
    let unshared = allows(&format!(r#"{{"AWS":"arn:aws:iam::{OTHER}:root"}}"#));
    assert!(
        !Scene::key(&[&unshared])
            .also(PolicyKind::Identity, &[OWN_DECRYPT])
            .allows(&session(), DECRYPT, &key)
    );
    let named = allows(&format!(r#"{{"AWS":"arn:aws:iam::{OWN}:role/jobs/reader"}}"#));
    assert!(!Scene::key(&[&named]).allows(&session(), DECRYPT, &key));
}

#[test]
fn a_grant_allows_its_operations_to_its_grantee() {
    let unrelated = allows(r#"{"AWS":"arn:aws:iam::111122223333:user/bob"}"#);
    let scene = |grantee: &str| Scene {
        grants: vec![grant(grantee)],
        ..Scene::key(&[&unrelated])
    };
    let user = scene("arn:aws:iam::111122223333:user/alice");
    let decision = user.decide(&alice(), DECRYPT, KEY);
    assert_eq!(
        decision.reason,
        Reason::Allowed {
            layer: Layer::Grant,
            policy: 0,
            statement: 0
        }
    );
    assert!(!user.allows(&alice(), "kms:Encrypt", KEY));
    assert!(!user.allows(&session(), DECRYPT, KEY));
    assert!(scene("arn:aws:iam::111122223333:role/jobs/reader").allows(&session(), DECRYPT, KEY));
    assert!(scene("sns.amazonaws.com").allows(&service(), DECRYPT, KEY));
    // "A grant to an account": the account's policies decide.
    let account = scene("arn:aws:iam::111122223333:root");
    assert!(!account.allows(&alice(), DECRYPT, KEY));
    assert!(
        account
            .also(PolicyKind::Identity, &[OWN_DECRYPT])
            .allows(&alice(), DECRYPT, KEY)
    );
    // "… if a grant or IAM policy in your account allows you to use the KMS key."
    assert!(scene("arn:aws:iam::111122223333:user/alice").allows(
        &alice(),
        DECRYPT,
        &KEY.replace(OWN, OTHER)
    ));
    // A grant never overrides a Deny.
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    assert!(
        !scene("arn:aws:iam::111122223333:user/alice")
            .also(PolicyKind::Key, &[deny])
            .allows(&alice(), DECRYPT, KEY)
    );
}

#[test]
fn grant_constraints_bind_the_encryption_context() {
    let base = Scene::key(&[ENABLE_IAM]);
    let mut held = grant("arn:aws:iam::111122223333:user/alice");
    held.operations.push("DescribeKey".into());
    held.context_subset = Some(pairs(&[("Department", "Finance")]));
    let mut scene = Scene {
        grants: vec![held.clone()],
        ..base
    };
    assert!(!scene.allows(&alice(), DECRYPT, KEY));
    assert!(scene.allows(&alice(), "kms:DescribeKey", KEY));
    scene.encryption_context = pairs(&[("Department", "Finance"), ("Purpose", "Test")]);
    assert!(scene.allows(&alice(), DECRYPT, KEY));
    scene.encryption_context = pairs(&[("department", "Finance")]);
    assert!(!scene.allows(&alice(), DECRYPT, KEY));
    held.context_subset = None;
    held.context_equals = Some(pairs(&[("Department", "Finance")]));
    scene.grants = vec![held];
    scene.encryption_context = pairs(&[("Department", "Finance"), ("Purpose", "Test")]);
    assert!(!scene.allows(&alice(), DECRYPT, KEY));
    scene.encryption_context = pairs(&[("Department", "Finance")]);
    assert!(scene.allows(&alice(), DECRYPT, KEY));
}

#[test]
fn a_grant_to_a_service_is_bound_to_its_source() {
    let held = Grant {
        source_arn: Some("arn:aws:s3:::b".into()),
        ..grant("sns.amazonaws.com")
    };
    let scene = Scene {
        grants: vec![held],
        ..Scene::key(&[ENABLE_IAM])
    };
    assert!(!scene.allows(&service(), DECRYPT, KEY));
    assert!(
        scene
            .with("aws:SourceArn", "arn:aws:s3:::b")
            .allows(&service(), DECRYPT, KEY)
    );
}

// kms:RetireGrant is outside resource control policies.
#[test]
fn retiring_a_grant_is_outside_resource_control() {
    let deny = r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}"#;
    let own = r#"{"Effect":"Allow","Action":"kms:*","Resource":"*"}"#;
    let scene = Scene::key(&[ENABLE_IAM])
        .also(PolicyKind::Identity, &[own])
        .also(PolicyKind::ResourceControl, &[deny]);
    assert!(scene.allows(&alice(), "kms:RetireGrant", KEY));
    assert!(!scene.allows(&alice(), DECRYPT, KEY));
    let anonymous = Principal::Anonymous;
    assert!(!scene.allows(&anonymous, "kms:RetireGrant", KEY));
}
