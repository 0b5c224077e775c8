//! When a key was last used.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::cloud::{Here, OTHER, allow, b64, id};

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

fn last(here: &Here, key: &str) -> Value {
    here.ok("GetKeyLastUsage", json!({ "KeyId": key }))["KeyLastUsage"].clone()
}

/// The newest recorded event of an operation in the key's own trail.
fn event(here: &Here, operation: &str) -> (String, String) {
    let records = here.cloud.records(ACCOUNT, REGION);
    let found = records.iter().rev().find(|record| record.operation == operation);
    let found = found.unwrap();
    (found.event.clone(), found.id.clone())
}

#[test]
fn a_key_that_was_never_used_says_so() {
    let here = Here::new();
    let key = here.key();
    let answer = here.ok("GetKeyLastUsage", json!({ "KeyId": key }));
    assert_eq!(answer["KeyLastUsage"], json!({}));
    assert_eq!(answer["KeyId"], json!(id(&key)));
    assert_eq!(answer["TrackingStartDate"], answer["KeyCreationDate"]);
    // Looking at a key is no use of it.
    here.ok("DescribeKey", json!({ "KeyId": key }));
    assert_eq!(last(&here, &key), json!({}));
}

#[test]
fn the_last_use_is_told_with_its_event_though_notes_are_few() {
    let here = Here::new();
    let key = here.key();
    let blob = here.encrypt(&here.root(), &key, b"x").unwrap();
    assert_eq!(last(&here, &key)["Operation"], "Encrypt");
    // Within the minute of the note, which is not written anew.
    here.cloud.advance(30_000);
    here.decrypt(&here.root(), &blob).unwrap();
    let told = last(&here, &key);
    let (event, request) = event(&here, "Decrypt");
    assert_eq!(told["Operation"], "Decrypt");
    assert_eq!(told["CloudTrailEventId"], json!(event));
    assert_eq!(told["KmsRequestId"], json!(request));
    here.cloud.advance(2 * MINUTE);
    here.ok("GenerateDataKey", json!({ "KeyId": key, "KeySpec": "AES_256" }));
    assert_eq!(last(&here, &key)["Operation"], "GenerateDataKey");
}

#[test]
fn what_fails_or_is_only_tried_is_no_use() {
    let here = Here::new();
    let key = here.key();
    let plain = b64(b"x");
    let tried = json!({ "KeyId": key, "Plaintext": plain, "DryRun": true });
    assert_eq!(
        here.refused(&here.root(), "Encrypt", tried).0,
        "DryRunOperationException"
    );
    let nobody = here.user(ACCOUNT, "nobody", &json!([]));
    assert!(here.denied(&nobody, "Encrypt", json!({ "KeyId": key, "Plaintext": plain })));
    assert_eq!(last(&here, &key), json!({}));
}

#[test]
fn re_encryption_uses_both_keys_and_each_owner_has_the_event() {
    let here = Here::new();
    let (from, guest) = (here.key(), here.admin(OTHER, "guest"));
    let shared = here.key_with(&[allow(&guest, &["kms:Encrypt", "kms:ReEncrypt*"])]);
    let blob = here.encrypt(&here.root(), &from, b"x").unwrap();
    here.cloud.advance(2 * MINUTE);
    here.ok(
        "ReEncrypt",
        json!({ "CiphertextBlob": blob, "DestinationKeyId": shared }),
    );
    for key in [&from, &shared] {
        assert_eq!(last(&here, key)["Operation"], "ReEncrypt", "{key}");
    }
    here.cloud.advance(2 * MINUTE);
    here.encrypt(&guest, &shared, b"y").unwrap();
    let told = last(&here, &shared);
    assert_eq!(
        (told["Operation"].as_str(), &told["CloudTrailEventId"]),
        (Some("Encrypt"), &json!(event(&here, "Encrypt").0))
    );
}

#[test]
fn a_policy_keeps_keys_in_use_from_being_disabled() {
    let here = Here::new();
    let guard = json!({ "Effect": "Deny", "Principal": "*", "Action": ["kms:ScheduleKeyDeletion", "kms:DisableKey"], "Resource": "*",
        "Condition": { "NumericLessThanEquals": { "kms:TrailingDaysWithoutKeyUsage": "90" } } });
    let key = here.key_with(&[guard]);
    let input = json!({ "KeyId": key });
    here.cloud.advance(91 * DAY);
    here.encrypt(&here.root(), &key, b"x").unwrap();
    here.cloud.advance(91 * DAY - 1);
    assert!(here.denied(&here.root(), "DisableKey", input.clone()));
    assert!(here.denied(&here.root(), "ScheduleKeyDeletion", input.clone()));
    here.cloud.advance(1);
    here.ok("DisableKey", input.clone());
    here.ok("ScheduleKeyDeletion", input);
}
