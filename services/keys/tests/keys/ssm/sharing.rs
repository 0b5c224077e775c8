//! Parameters that are shared with other accounts.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER};
use crate::ssm::{call, ok, refused};

fn arn(name: &str) -> String {
    format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}")
}

fn policy(name: &str, actions: &[&str]) -> String {
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": OTHER }, "Action": actions, "Resource": arn(name) });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn put(name: &str, policy: &str) -> Value {
    json!({ "ResourceArn": arn(name), "Policy": policy })
}

fn advanced(here: &Here, name: &str) {
    let input = json!({ "Name": name, "Value": "shared", "Type": "String", "Tier": "Advanced" });
    ok(here, "PutParameter", input);
}

/// The other account reads by ARN what is shared with it, as far as the policy goes, and no longer than it is there.
#[test]
fn a_shared_parameter_is_read_from_another_account() {
    let here = Here::new();
    advanced(&here, "a");
    let all = json!([{ "Effect": "Allow", "Action": "ssm:*", "Resource": "*" }]);
    let consumer = here.user(OTHER, "consumer", &all);
    let read = |operation: &str| call(&here, &consumer, operation, json!({ "Name": arn("a") }));
    assert_eq!(read("GetParameter").unwrap_err().code, "AccessDeniedException");
    let made = ok(
        &here,
        "PutResourcePolicy",
        put("a", &policy("a", &["ssm:GetParameter"])),
    );
    let parameter = read("GetParameter").unwrap()["Parameter"].clone();
    assert_eq!(
        (&parameter["Value"], &parameter["ARN"]),
        (&json!("shared"), &json!(arn("a")))
    );
    assert_eq!(
        read("GetParameterHistory").unwrap_err().code,
        "AccessDeniedException"
    );
    let second = policy("a", &["ssm:GetParameterHistory"]);
    ok(&here, "PutResourcePolicy", put("a", &second));
    assert!(read("GetParameterHistory").is_ok());
    let input = json!({ "ResourceArn": arn("a"), "MaxResults": 1 });
    let page = ok(&here, "GetResourcePolicies", input);
    assert_eq!(page["Policies"][0]["PolicyId"], made["PolicyId"]);
    let input = json!({ "ResourceArn": arn("a"), "NextToken": page["NextToken"] });
    let rest = ok(&here, "GetResourcePolicies", input);
    assert_eq!(
        (
            &rest["Policies"][0]["Policy"],
            rest["Policies"].as_array().unwrap().len()
        ),
        (&json!(second), 1)
    );
    let delete =
        json!({ "ResourceArn": arn("a"), "PolicyId": made["PolicyId"], "PolicyHash": made["PolicyHash"] });
    ok(&here, "DeleteResourcePolicy", delete.clone());
    assert_eq!(
        refused(&here, "DeleteResourcePolicy", delete).0,
        "ResourcePolicyNotFoundException"
    );
    assert_eq!(read("GetParameter").unwrap_err().code, "AccessDeniedException");
    assert!(read("GetParameterHistory").is_ok());
    ok(&here, "DeleteParameter", json!({ "Name": "a" }));
    advanced(&here, "a");
    assert_eq!(
        read("GetParameterHistory").unwrap_err().code,
        "AccessDeniedException"
    );
}

/// A change must know what it changes.
#[test]
fn policies_are_changed_by_id_and_hash() {
    let here = Here::new();
    advanced(&here, "a");
    let made = ok(
        &here,
        "PutResourcePolicy",
        put("a", &policy("a", &["ssm:GetParameter"])),
    );
    let mut change = put("a", &policy("a", &["ssm:GetParameters"]));
    change["PolicyId"] = made["PolicyId"].clone();
    assert_eq!(
        refused(&here, "PutResourcePolicy", change.clone()).0,
        "ResourcePolicyConflictException"
    );
    change["PolicyHash"] = made["PolicyHash"].clone();
    let changed = ok(&here, "PutResourcePolicy", change.clone());
    assert_eq!(changed["PolicyId"], made["PolicyId"]);
    assert_ne!(changed["PolicyHash"], made["PolicyHash"]);
    assert_eq!(
        refused(&here, "PutResourcePolicy", change.clone()).0,
        "ResourcePolicyConflictException"
    );
    change["PolicyId"] = json!("none");
    assert_eq!(
        refused(&here, "PutResourcePolicy", change).0,
        "ResourcePolicyNotFoundException"
    );
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let here = Here::new();
    advanced(&here, "a");
    crate::ssm::put(&here, "standard", "v");
    let secure = json!({ "Name": "secure", "Value": "v", "Type": "SecureString", "Tier": "Advanced" });
    ok(&here, "PutParameter", secure);
    let read = &["ssm:GetParameter"];
    let code = |input: Value| refused(&here, "PutResourcePolicy", input).0;
    for name in ["standard", "secure"] {
        assert_eq!(
            code(put(name, &policy(name, read))),
            "ResourcePolicyInvalidParameterException"
        );
    }
    assert_eq!(
        code(put("none", &policy("none", read))),
        "ResourceNotFoundException"
    );
    let nobody = policy("a", read).replace(OTHER, "999988887777");
    let wrong = [
        policy("a", &["ssm:PutParameter"]),
        policy("a", &["ssm:*"]),
        policy("b", read),
        nobody,
        policy("a", read).replace("2012-10-17", "2008-10-17"),
        "{}".to_owned(),
        "x".to_owned(),
    ];
    for text in wrong {
        assert_eq!(
            code(put("a", &text)),
            "MalformedResourcePolicyDocumentException",
            "{text}"
        );
    }
    let long = format!("{}{}", policy("a", read), " ".repeat(1024));
    assert_eq!(code(put("a", &long)), "ResourcePolicyLimitExceededException");
}
