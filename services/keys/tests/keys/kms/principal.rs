//! Whom policies and grants mean: the one who bore the name when it was given, and nobody after.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::cloud::{Here, allow};

fn policy(here: &Here, key: &str) -> String {
    let shown = here.ok("GetKeyPolicy", json!({ "KeyId": key }));
    shown["Policy"].as_str().unwrap().to_owned()
}

fn grants(here: &Here, key: &str) -> Vec<Value> {
    let listed = here.ok("ListGrants", json!({ "KeyId": key }));
    listed["Grants"].as_array().unwrap().clone()
}

/// S8.61: a key policy means users, not their names: one who is made again under the name of another is given nothing.
#[test]
fn a_user_who_is_made_again_is_not_the_one_whom_the_policy_names() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let key = here.key_with(&[allow(&ann, &["kms:Encrypt"])]);
    here.encrypt(&ann, &key, b"text").unwrap();
    assert!(policy(&here, &key).contains(&*ann.arn));
    here.forget(&ann);
    let again = here.user(ACCOUNT, "ann", &json!([]));
    assert_eq!(again.arn, ann.arn);
    assert_eq!(
        here.encrypt(&again, &key, b"text").unwrap_err().code,
        "AccessDeniedException"
    );
    let shown = policy(&here, &key);
    assert!(
        shown.contains(&*ann.user_id) && !shown.contains(&*ann.arn),
        "{shown}"
    );
    let refused = here.refused(
        &here.root(),
        "PutKeyPolicy",
        json!({ "KeyId": key, "Policy": shown }),
    );
    assert_eq!(refused.0, "MalformedPolicyDocumentException");
    let given = shown.replace(&*ann.user_id, &again.user_id);
    here.ok("PutKeyPolicy", json!({ "KeyId": key, "Policy": given }));
    here.encrypt(&again, &key, b"text").unwrap();
    assert_eq!(policy(&here, &key), shown.replace(&*ann.user_id, &again.arn));
}

#[test]
fn a_user_who_is_renamed_stays_in_the_policy() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let key = here.key_with(&[allow(&ann, &["kms:Encrypt"])]);
    here.rename(&ann, "anna");
    assert!(policy(&here, &key).contains(":user/anna\""));
    here.encrypt(&ann, &key, b"text").unwrap();
}

/// S8.41: so do grants: both the right to use and the right to retire end with their principal.
#[test]
fn grants_end_with_the_one_they_were_given_to() {
    let here = Here::new();
    let (ann, ben) = (
        here.user(ACCOUNT, "ann", &json!([])),
        here.user(ACCOUNT, "ben", &json!([])),
    );
    let key = here.key();
    let made = here.ok(
        "CreateGrant",
        json!({ "KeyId": key, "GranteePrincipal": &*ann.arn, "RetiringPrincipal": &*ben.arn, "Operations": ["Encrypt"] }),
    );
    here.encrypt(&ann, &key, b"text").unwrap();
    let listed = grants(&here, &key);
    assert_eq!(
        (&listed[0]["GranteePrincipal"], &listed[0]["RetiringPrincipal"]),
        (&json!(&*ann.arn), &json!(&*ben.arn))
    );
    let retirable = json!({ "RetiringPrincipal": &*ben.arn });
    let count = |found: Value| found["Grants"].as_array().unwrap().len();
    assert_eq!(count(here.ok("ListRetirableGrants", retirable.clone())), 1);
    here.forget(&ann);
    here.forget(&ben);
    let (ann2, ben2) = (
        here.user(ACCOUNT, "ann", &json!([])),
        here.user(ACCOUNT, "ben", &json!([])),
    );
    assert_eq!(
        here.encrypt(&ann2, &key, b"text").unwrap_err().code,
        "AccessDeniedException"
    );
    let retire = json!({ "KeyId": key, "GrantId": made["GrantId"] });
    assert!(here.denied(&ben2, "RetireGrant", retire));
    assert_eq!(count(here.ok("ListRetirableGrants", retirable)), 0);
    let listed = grants(&here, &key);
    assert_eq!(
        (&listed[0]["GranteePrincipal"], &listed[0]["RetiringPrincipal"]),
        (&json!(&*ann.user_id), &json!(&*ben.user_id))
    );
    let of = |name: &str| count(here.ok("ListGrants", json!({ "KeyId": key, "GranteePrincipal": name })));
    assert_eq!((of(&ann.user_id), of(&ann.arn)), (1, 0));
}
