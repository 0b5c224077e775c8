//! Resource policies.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use super::Vault;
use crate::cloud::{OTHER, allow, policy};

fn put(
    vault: &Vault,
    statements: &[Value],
    block: Option<bool>,
) -> Result<Value, pipeline::testing::Failure> {
    let mut input = json!({ "SecretId": "s", "ResourcePolicy": policy(statements) });
    if let Some(block) = block {
        input["BlockPublicPolicy"] = block.into();
    }
    vault.call(&vault.here.root(), "PutResourcePolicy", input)
}

/// S11.8: a resource policy gives access without an identity policy, and its Deny wins over one.
#[test]
fn a_resource_policy_allows_and_denies() {
    let vault = Vault::new();
    vault.secret("s", "value");
    let ann = vault.user("ann", &["s3:ListBuckets"]);
    let bob = vault.user("bob", &["secretsmanager:*"]);
    let get = json!({ "SecretId": "s" });
    assert_eq!(
        vault.refused(&ann, "GetSecretValue", get.clone()).0,
        "AccessDeniedException"
    );
    assert!(vault.call(&bob, "GetSecretValue", get.clone()).is_ok());
    let mut deny = allow(&bob, &["secretsmanager:GetSecretValue"]);
    deny["Effect"] = json!("Deny");
    put(
        &vault,
        &[allow(&ann, &["secretsmanager:GetSecretValue"]), deny],
        None,
    )
    .unwrap();
    assert!(vault.call(&ann, "GetSecretValue", get.clone()).is_ok());
    let (code, message) = vault.refused(&bob, "GetSecretValue", get.clone());
    assert_eq!(code, "AccessDeniedException");
    assert!(
        message.contains("with an explicit deny in a resource-based policy"),
        "{message}"
    );
    let shown = vault.ok("GetResourcePolicy", get.clone());
    assert!(shown["ResourcePolicy"].as_str().unwrap().contains("Deny"));
    vault.ok("DeleteResourcePolicy", get.clone());
    assert!(
        vault
            .ok("GetResourcePolicy", get.clone())
            .get("ResourcePolicy")
            .is_none()
    );
    assert_eq!(
        vault.refused(&ann, "GetSecretValue", get.clone()).0,
        "AccessDeniedException"
    );
    assert!(vault.call(&bob, "GetSecretValue", get).is_ok());
}

/// S11.8: the public is kept out if it is asked for, and bad documents always.
#[test]
fn a_public_policy_is_blocked_if_told() {
    let vault = Vault::new();
    vault.secret("s", "value");
    let open = json!({ "Effect": "Allow", "Principal": "*", "Action": "secretsmanager:GetSecretValue", "Resource": "*" });
    let refused = put(&vault, std::slice::from_ref(&open), Some(true)).unwrap_err();
    assert_eq!(refused.code, "PublicPolicyException");
    let mut bound = open.clone();
    bound["Condition"] = json!({ "StringEquals": { "aws:PrincipalAccount": OTHER } });
    put(&vault, &[bound], Some(true)).unwrap();
    put(&vault, std::slice::from_ref(&open), None).unwrap();
    let input = json!({ "SecretId": "s", "ResourcePolicy": policy(&[open]) });
    let told = vault.ok("ValidateResourcePolicy", input);
    assert_eq!(told["PolicyValidationPassed"], false);
    assert_eq!(told["ValidationErrors"][0]["CheckName"], "PublicPolicy");
    let root = format!("arn:aws:iam::{ACCOUNT}:root");
    let lock = json!({ "Effect": "Deny", "Principal": { "AWS": root }, "Action": "secretsmanager:*", "Resource": "*" });
    let input = json!({ "SecretId": "s", "ResourcePolicy": policy(&[lock]) });
    let told = vault.ok("ValidateResourcePolicy", input);
    assert_eq!(told["ValidationErrors"][0]["CheckName"], "LockoutPolicy");
    let good = json!({ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "secretsmanager:*", "Resource": "*" });
    let input = json!({ "ResourcePolicy": policy(&[good]) });
    assert_eq!(
        vault.ok("ValidateResourcePolicy", input)["PolicyValidationPassed"],
        true
    );
    for text in ["{", "{}"] {
        let input = json!({ "SecretId": "s", "ResourcePolicy": text });
        assert_eq!(
            vault.code("PutResourcePolicy", input),
            "MalformedPolicyDocumentException"
        );
    }
    let stranger = json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/nobody") },
        "Action": "secretsmanager:GetSecretValue", "Resource": "*" });
    assert_eq!(
        put(&vault, &[stranger], None).unwrap_err().code,
        "MalformedPolicyDocumentException"
    );
}

/// A secret's one policy is named `default` (Secrets Manager API Reference, `PutResourcePolicy`, `PolicyName`).
#[test]
fn the_only_policy_is_the_default() {
    let vault = Vault::new();
    vault.secret("s", "value");
    let open = json!({ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": "secretsmanager:GetSecretValue", "Resource": "*" });
    let put = |name: &str| json!({ "SecretId": "s", "ResourcePolicy": policy(std::slice::from_ref(&open)), "PolicyName": name });
    let named = |name: &str| json!({ "SecretId": "s", "PolicyName": name });
    assert_eq!(
        vault.ok("PutResourcePolicy", put("default"))["PolicyName"],
        "default"
    );
    assert_eq!(
        vault.code("PutResourcePolicy", put("other")),
        "InvalidParameterException"
    );
    let shown = vault.ok("GetResourcePolicy", named("default"));
    assert_eq!(
        (&shown["PolicyName"], shown["ResourcePolicy"].is_string()),
        (&json!("default"), true)
    );
    assert_eq!(
        vault.code("GetResourcePolicy", named("other")),
        "ResourceNotFoundException"
    );
    assert_eq!(
        vault.code("DeleteResourcePolicy", named("other")),
        "InvalidParameterException"
    );
    assert_eq!(
        vault.ok("DeleteResourcePolicy", json!({ "SecretId": "s" }))["PolicyName"],
        "default"
    );
    assert!(vault.ok("GetResourcePolicy", named("default"))["ResourcePolicy"].is_null());
}

/// Names alone, for whoever may list them.
#[test]
fn policies_are_listed_by_name() {
    let vault = Vault::new();
    let arn = vault.secret("s", "value");
    let list = json!({ "SecretId": arn });
    assert_eq!(
        vault.ok("ListResourcePolicies", list.clone()),
        json!({ "ResourcePolicies": [] })
    );
    let ann = vault.user("ann", &["secretsmanager:ListResourcePolicies"]);
    let bob = vault.user("bob", &["secretsmanager:GetResourcePolicy"]);
    put(&vault, &[allow(&ann, &["secretsmanager:GetSecretValue"])], None).unwrap();
    assert_eq!(
        vault.call(&ann, "ListResourcePolicies", list.clone()).unwrap(),
        json!({ "ResourcePolicies": [{ "PolicyName": "default" }] })
    );
    assert_eq!(
        vault.refused(&bob, "ListResourcePolicies", list.clone()).0,
        "AccessDeniedException"
    );
    let mut wrong = list.clone();
    wrong["NextToken"] = "made up".into();
    assert_eq!(
        vault.code("ListResourcePolicies", wrong),
        "InvalidNextTokenException"
    );
    vault.ok("DeleteSecret", list.clone());
    assert_eq!(
        vault.code("ListResourcePolicies", list),
        "InvalidRequestException"
    );
}
