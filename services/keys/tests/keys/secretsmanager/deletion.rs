//! The end of secrets.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::json;

use super::{Vault, id};

const DAY: i64 = 86_400_000;

#[test]
fn a_secret_goes_at_the_end_of_its_window() {
    let vault = Vault::new();
    let arn = vault.secret("s", "one");
    let planned = vault.ok(
        "DeleteSecret",
        json!({ "SecretId": "s", "RecoveryWindowInDays": 7 }),
    );
    assert_eq!(
        planned["DeletionDate"].as_f64(),
        Some(((BEGINNING + 7 * DAY) / 1000) as f64)
    );
    let marked = (
        "InvalidRequestException".to_owned(),
        "You can't perform this operation on the secret because it was marked for deletion.".to_owned(),
    );
    let root = vault.here.root();
    assert_eq!(
        vault.refused(&root, "GetSecretValue", json!({ "SecretId": "s" })),
        marked
    );
    let put = json!({ "SecretId": "s", "SecretString": "x", "ClientRequestToken": id("2") });
    assert_eq!(vault.refused(&root, "PutSecretValue", put), marked);
    let again = json!({ "Name": "s", "SecretString": "x", "ClientRequestToken": id("2") });
    assert_eq!(vault.code("CreateSecret", again), "InvalidRequestException");
    assert_eq!(
        vault.code("DeleteSecret", json!({ "SecretId": "s" })),
        "InvalidRequestException"
    );
    assert_eq!(vault.ok("ListSecrets", json!({}))["SecretList"], json!([]));
    let all = vault.ok("ListSecrets", json!({ "IncludePlannedDeletion": true }));
    assert_eq!(all["SecretList"][0]["DeletedDate"], planned["DeletionDate"]);
    vault.here.cloud.advance(7 * DAY - 1);
    vault.ok("DescribeSecret", json!({ "SecretId": "s" }));
    vault.here.cloud.advance(1);
    assert_eq!(
        vault.code("DescribeSecret", json!({ "SecretId": "s" })),
        "ResourceNotFoundException"
    );
    let records = vault.here.cloud.records(ACCOUNT, REGION);
    let ended = records
        .iter()
        .find(|record| record.operation == "EndSecretVersionDelete")
        .unwrap();
    assert_eq!(ended.resources[0].arn, arn);
    assert_ne!(vault.secret("s", "two"), arn);
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "two");
}

#[test]
fn a_secret_can_be_brought_back() {
    let vault = Vault::new();
    vault.secret("s", "one");
    vault.ok("DeleteSecret", json!({ "SecretId": "s" }));
    vault.here.cloud.advance(29 * DAY);
    vault.ok("RestoreSecret", json!({ "SecretId": "s" }));
    vault.here.cloud.advance(60 * DAY);
    assert_eq!(vault.text(json!({ "SecretId": "s" })), "one");
}

#[test]
fn a_forced_deletion_is_at_once() {
    let vault = Vault::new();
    vault.secret("s", "one");
    let force = json!({ "SecretId": "s", "ForceDeleteWithoutRecovery": true });
    let mut both = force.clone();
    both["RecoveryWindowInDays"] = 7.into();
    assert_eq!(vault.code("DeleteSecret", both), "InvalidParameterException");
    vault.ok("DeleteSecret", force.clone());
    assert_eq!(
        vault.code("RestoreSecret", json!({ "SecretId": "s" })),
        "ResourceNotFoundException"
    );
    // What is not there is answered alike, but only to who may delete it.
    vault.ok("DeleteSecret", force.clone());
    let nobody = vault.user("nobody", &["secretsmanager:GetSecretValue"]);
    assert_eq!(
        vault.refused(&nobody, "DeleteSecret", force).0,
        "AccessDeniedException"
    );
    for days in [6, 31] {
        let input = json!({ "SecretId": "s", "RecoveryWindowInDays": days });
        vault.secret(&format!("s{days}"), "x");
        let mut input = input;
        input["SecretId"] = format!("s{days}").into();
        assert_eq!(vault.code("DeleteSecret", input), "InvalidParameterException");
    }
}
