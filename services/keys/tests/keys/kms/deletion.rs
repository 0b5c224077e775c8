//! The end of keys.

use pipeline::ledger::record::EventKind;
use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::json;

use crate::cloud::{Here, allow};

const DAY: i64 = 86_400_000;

/// S8.65, S8.30: after the waiting period the key, its names and all that it encrypted are gone.
#[test]
fn a_deleted_key_takes_its_ciphertexts_along() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    here.ok(
        "CreateAlias",
        json!({ "AliasName": "alias/a", "TargetKeyId": key }),
    );
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    let planned = here.ok("ScheduleKeyDeletion", json!({ "KeyId": key }));
    let date = f64::from(i32::try_from((BEGINNING + 30 * DAY) / 1000).unwrap());
    assert_eq!(planned["DeletionDate"].as_f64(), Some(date));
    assert_eq!(
        (&planned["KeyId"], &planned["KeyState"]),
        (&json!(key), &json!("PendingDeletion"))
    );
    assert_eq!(planned["PendingWindowInDays"], json!(30));
    let shown = here.ok("DescribeKey", json!({ "KeyId": key }));
    assert_eq!(shown["KeyMetadata"]["DeletionDate"], planned["DeletionDate"]);
    let pending = (
        "KMSInvalidStateException".to_owned(),
        format!("{key} is pending deletion."),
    );
    assert_eq!(
        here.refused(&root, "Decrypt", json!({ "CiphertextBlob": blob })),
        pending
    );
    for operation in ["ScheduleKeyDeletion", "EnableKey", "DisableKey"] {
        assert_eq!(
            here.refused(&root, operation, json!({ "KeyId": key })),
            pending,
            "{operation}"
        );
    }
    here.cloud.advance(30 * DAY - 1);
    assert_eq!(here.state(&key), "PendingDeletion");
    here.cloud.advance(1);
    let gone = (
        "NotFoundException".to_owned(),
        format!("Key '{key}' does not exist"),
    );
    assert_eq!(here.refused(&root, "DescribeKey", json!({ "KeyId": key })), gone);
    assert_eq!(
        here.refused(&root, "Decrypt", json!({ "CiphertextBlob": blob }))
            .0,
        "AccessDeniedException"
    );
    assert_eq!(
        here.refused(&root, "DescribeKey", json!({ "KeyId": "alias/a" }))
            .0,
        "NotFoundException"
    );
    let records = here.cloud.records(ACCOUNT, REGION);
    let event = records
        .iter()
        .find(|record| record.operation == "DeleteKey")
        .unwrap();
    assert_eq!(
        (event.source.as_str(), event.kind),
        ("kms.amazonaws.com", EventKind::AwsServiceEvent)
    );
    assert_eq!(event.resources[0].arn, key);
}

/// S8.65: within the waiting period the plan can be taken back, and the key comes back disabled.
#[test]
fn cancelling_returns_the_key_to_disabled() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let blob = here.encrypt(&root, &key, b"text").unwrap();
    let refused = here.refused(&root, "CancelKeyDeletion", json!({ "KeyId": key }));
    assert_eq!(
        refused,
        (
            "KMSInvalidStateException".to_owned(),
            format!("{key} is not pending deletion.")
        )
    );
    here.ok(
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 7 }),
    );
    here.cloud.advance(6 * DAY);
    assert_eq!(
        here.ok("CancelKeyDeletion", json!({ "KeyId": key })),
        json!({ "KeyId": key })
    );
    assert_eq!(here.state(&key), "Disabled");
    here.cloud.advance(60 * DAY);
    here.ok("EnableKey", json!({ "KeyId": key }));
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
}

/// S8.65: seven to thirty days.
#[test]
fn the_waiting_period_has_bounds() {
    let here = Here::new();
    let key = here.key();
    for days in [0, 6, 31] {
        let input = json!({ "KeyId": key, "PendingWindowInDays": days });
        assert_eq!(
            here.refused(&here.root(), "ScheduleKeyDeletion", input).0,
            "ValidationException",
            "{days}"
        );
    }
    assert_eq!(here.state(&key), "Enabled");
}

#[test]
fn a_policy_can_ask_for_a_longer_wait() {
    let here = Here::new();
    let ann = here.user(ACCOUNT, "ann", &json!([]));
    let mut statement = allow(&ann, &["kms:ScheduleKeyDeletion"]);
    statement["Condition"] =
        json!({ "NumericGreaterThanEquals": { "kms:ScheduleKeyDeletionPendingWindowInDays": "14" } });
    let key = here.key_with(&[statement]);
    assert!(here.denied(
        &ann,
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 7 })
    ));
    assert!(!here.denied(
        &ann,
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 14 })
    ));
}
