//! Who may do what with which parameter.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER};
use crate::ssm::{call, names, put};

fn arn(path: &str) -> String {
    format!("arn:aws:ssm:{REGION}:{ACCOUNT}:parameter{path}")
}

fn allow(actions: &[&str], resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": resource })
}

fn denied(here: &Here, caller: &pipeline::testing::Caller, operation: &str, input: Value) -> bool {
    match call(here, caller, operation, input) {
        Ok(_) => false,
        Err(failure) => {
            assert_eq!(failure.code, "AccessDeniedException", "{}", failure.message);
            true
        }
    }
}

/// S2.16, S10.11: permission for a path of the hierarchy reaches what lies under it and nothing else.
#[test]
fn permission_is_granted_to_a_path() {
    let here = Here::new();
    for name in ["/team/red/a", "/team/blue/a", "bare"] {
        put(&here, name, "v");
    }
    let red = here.user(
        ACCOUNT,
        "red",
        &json!([
            allow(&["ssm:*"], &arn("/team/red/*")),
            allow(&["ssm:*"], &arn("/bare"))
        ]),
    );
    assert!(!denied(
        &here,
        &red,
        "GetParameter",
        json!({ "Name": "/team/red/a" })
    ));
    assert!(!denied(&here, &red, "GetParameter", json!({ "Name": "bare" })));
    assert!(denied(
        &here,
        &red,
        "GetParameter",
        json!({ "Name": "/team/blue/a" })
    ));
    assert!(denied(
        &here,
        &red,
        "GetParameter",
        json!({ "Name": "/team/blue/none" })
    ));
    assert!(denied(
        &here,
        &red,
        "GetParameters",
        json!({ "Names": ["/team/red/a", "/team/blue/a"] })
    ));
    assert!(denied(
        &here,
        &red,
        "DeleteParameters",
        json!({ "Names": ["/team/red/a", "/team/blue/a"] })
    ));
    assert!(!denied(
        &here,
        &red,
        "PutParameter",
        json!({ "Name": "/team/red/b", "Value": "v", "Type": "String" })
    ));
    assert!(denied(
        &here,
        &red,
        "PutParameter",
        json!({ "Name": "/team/b", "Value": "v", "Type": "String" })
    ));
    assert!(denied(&here, &red, "DescribeParameters", json!({})));
}

/// S10.11: a path is asked for as a whole; a Deny on a parameter under it does not keep it out of the answer.
#[test]
fn a_path_is_judged_and_not_what_lies_under_it() {
    let here = Here::new();
    put(&here, "/app/open", "v");
    put(&here, "/app/closed", "v");
    let mut deny = allow(&["ssm:*"], &arn("/app/closed"));
    deny["Effect"] = json!("Deny");
    let ann = here.user(
        ACCOUNT,
        "ann",
        &json!([allow(&["ssm:GetParameter*"], &arn("/app")), deny]),
    );
    let read = call(&here, &ann, "GetParametersByPath", json!({ "Path": "/app" })).unwrap();
    assert_eq!(names(&read), ["/app/closed", "/app/open"]);
    assert!(denied(&here, &ann, "GetParametersByPath", json!({ "Path": "/" })));
    assert!(denied(
        &here,
        &ann,
        "GetParameter",
        json!({ "Name": "/app/closed" })
    ));
}

#[test]
fn conditions_see_overwrite_policies_recursion_and_tags() {
    let here = Here::new();
    put(&here, "/c", "v");
    let guard = |key: &str| {
        let mut deny = allow(&["ssm:*"], "*");
        deny["Effect"] = json!("Deny");
        deny["Condition"] = json!({ "StringEquals": { key: "true" } });
        json!([allow(&["ssm:*"], "*"), deny])
    };
    let put = |name: &str, more: Value| {
        let mut input = json!({ "Name": name, "Value": "v", "Type": "String" });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    let writer = here.user(ACCOUNT, "writer", &guard("ssm:Overwrite"));
    assert!(!denied(&here, &writer, "PutParameter", put("/new", json!({}))));
    assert!(denied(
        &here,
        &writer,
        "PutParameter",
        put("/new", json!({ "Overwrite": true }))
    ));
    let keeper = here.user(ACCOUNT, "keeper", &guard("ssm:Policies"));
    assert!(denied(
        &here,
        &keeper,
        "PutParameter",
        put("/p", json!({ "Policies": "[{}]" }))
    ));
    let reader = here.user(ACCOUNT, "reader", &guard("ssm:Recursive"));
    assert!(!denied(
        &here,
        &reader,
        "GetParametersByPath",
        json!({ "Path": "/" })
    ));
    assert!(denied(
        &here,
        &reader,
        "GetParametersByPath",
        json!({ "Path": "/", "Recursive": true })
    ));
    let tagger = here.user(ACCOUNT, "tagger", &guard("aws:RequestTag/secret"));
    let tags = json!({ "Tags": [{ "Key": "secret", "Value": "true" }] });
    assert!(denied(&here, &tagger, "PutParameter", put("/t", tags.clone())));
    crate::ssm::ok(&here, "PutParameter", put("/t", tags));
    let outsider = here.user(ACCOUNT, "outsider", &guard("aws:ResourceTag/secret"));
    assert!(denied(&here, &outsider, "GetParameter", json!({ "Name": "/t" })));
    assert!(!denied(&here, &outsider, "GetParameter", json!({ "Name": "/c" })));
}

/// Tags in a request take the permission to tag as well.
#[test]
fn tagging_at_birth_takes_two_permissions() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([allow(&["ssm:PutParameter"], "*")]));
    let tagged =
        json!({ "Name": "/t", "Value": "v", "Type": "String", "Tags": [{ "Key": "a", "Value": "b" }] });
    assert!(denied(&here, &ann, "PutParameter", tagged));
}

/// Parameters of one account are not there for another, by name or by ARN.
#[test]
fn accounts_and_regions_are_apart() {
    let here = Here::new();
    put(&here, "/a", "v");
    let other = here.user(OTHER, "other", &json!([allow(&["ssm:*"], "*")]));
    let code = |input: Value| call(&here, &other, "GetParameter", input).unwrap_err().code;
    assert_eq!(code(json!({ "Name": "/a" })), "ParameterNotFound");
    assert_eq!(code(json!({ "Name": arn("/a") })), "AccessDeniedException");
    assert_eq!(code(json!({ "Name": arn("/none") })), "AccessDeniedException");
}
