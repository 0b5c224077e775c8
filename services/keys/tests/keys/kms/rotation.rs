//! Rotation.

use pipeline::testing::{ACCOUNT, BEGINNING, REGION};
use serde_json::{Value, json};

use crate::cloud::Here;

const DAY: i64 = 86_400_000;

fn material(here: &Here, key: &str) -> String {
    here.ok("DescribeKey", json!({ "KeyId": key }))["KeyMetadata"]["CurrentKeyMaterialId"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn seconds(days: i64) -> Option<f64> {
    Some(f64::from(i32::try_from((BEGINNING + days * DAY) / 1000).unwrap()))
}

fn rotations(here: &Here, key: &str) -> Vec<Value> {
    here.ok("ListKeyRotations", json!({ "KeyId": key }))["Rotations"]
        .as_array()
        .unwrap()
        .clone()
}

/// S8.47: every 365 days unless told; S8.49, S8.50: old material decrypts what it encrypted, new material encrypts.
#[test]
fn a_key_rotates_by_the_year_and_still_decrypts() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": key }));
    assert_eq!(status, json!({ "KeyId": key, "KeyRotationEnabled": false }));
    here.ok("EnableKeyRotation", json!({ "KeyId": key }));
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": key }));
    assert_eq!(
        (&status["KeyRotationEnabled"], &status["RotationPeriodInDays"]),
        (&json!(true), &json!(365))
    );
    assert_eq!(status["NextRotationDate"].as_f64(), seconds(365));
    let (first, before) = (
        material(&here, &key),
        here.encrypt(&root, &key, b"before").unwrap(),
    );
    here.cloud.advance(365 * DAY - 1);
    assert_eq!(material(&here, &key), first);
    here.cloud.advance(1);
    let second = material(&here, &key);
    assert_ne!(first, second);
    let after = here.encrypt(&root, &key, b"after").unwrap();
    let opened = |blob: &str| here.ok("Decrypt", json!({ "CiphertextBlob": blob }))["KeyMaterialId"].clone();
    assert_eq!((opened(&before), opened(&after)), (json!(first), json!(second)));
    assert_eq!(here.decrypt(&root, &before).unwrap(), b"before");
    let listed = rotations(&here, &key);
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["RotationType"], listed[0]["RotationDate"].as_f64()),
        (&json!("AUTOMATIC"), seconds(365))
    );
    here.cloud.advance(3 * 365 * DAY);
    assert_eq!(rotations(&here, &key).len(), 4);
    let events = here
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .filter(|record| record.operation == "RotateKey");
    assert_eq!(
        events
            .map(|record| record.resources[0].arn.clone())
            .collect::<Vec<_>>(),
        vec![key; 4]
    );
}

/// S8.47: the period is 90 to 2,560 days, and rotation can be turned off.
#[test]
fn the_period_can_be_chosen_and_rotation_turned_off() {
    let here = Here::new();
    let key = here.key();
    for days in [89, 2561] {
        let input = json!({ "KeyId": key, "RotationPeriodInDays": days });
        assert_eq!(
            here.refused(&here.root(), "EnableKeyRotation", input).0,
            "ValidationException"
        );
    }
    here.ok(
        "EnableKeyRotation",
        json!({ "KeyId": key, "RotationPeriodInDays": 90 }),
    );
    here.cloud.advance(180 * DAY);
    assert_eq!(rotations(&here, &key).len(), 2);
    // A period that is not said is a year, also when there is another one.
    here.ok("EnableKeyRotation", json!({ "KeyId": key }));
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": key }));
    assert_eq!(status["RotationPeriodInDays"], 365);
    here.ok("DisableKeyRotation", json!({ "KeyId": key }));
    here.cloud.advance(1000 * DAY);
    assert_eq!(rotations(&here, &key).len(), 2);
    assert_eq!(
        here.ok("GetKeyRotationStatus", json!({ "KeyId": key }))["KeyRotationEnabled"],
        json!(false)
    );
}

/// S8.48: on demand, at any time, without moving the yearly plan.
#[test]
fn a_key_rotates_on_demand() {
    let here = Here::new();
    let (root, key) = (here.root(), here.key());
    here.ok("EnableKeyRotation", json!({ "KeyId": key }));
    let (first, blob) = (material(&here, &key), here.encrypt(&root, &key, b"text").unwrap());
    assert_eq!(
        here.ok("RotateKeyOnDemand", json!({ "KeyId": key })),
        json!({ "KeyId": key })
    );
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": key }));
    assert_eq!(status["OnDemandRotationStartDate"].as_f64(), seconds(0));
    assert_eq!(
        here.refused(&root, "RotateKeyOnDemand", json!({ "KeyId": key }))
            .0,
        "ConflictException"
    );
    here.cloud.advance(0);
    assert_ne!(material(&here, &key), first);
    assert_eq!(here.decrypt(&root, &blob).unwrap(), b"text");
    let status = here.ok("GetKeyRotationStatus", json!({ "KeyId": key }));
    assert_eq!(
        (
            status["NextRotationDate"].as_f64(),
            &status["OnDemandRotationStartDate"]
        ),
        (seconds(365), &json!(null))
    );
    let all = here.ok(
        "ListKeyRotations",
        json!({ "KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" }),
    );
    let states: Vec<_> = all["Rotations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|turn| turn["KeyMaterialState"].clone())
        .collect();
    assert_eq!(states, [json!("NON_CURRENT"), json!("CURRENT")]);
    for _ in 1..25 {
        here.ok("RotateKeyOnDemand", json!({ "KeyId": key }));
        here.cloud.advance(0);
    }
    assert_eq!(
        here.refused(&root, "RotateKeyOnDemand", json!({ "KeyId": key }))
            .0,
        "LimitExceededException"
    );
}

/// S8.51: a disabled key is not rotated, nor one that is about to go; enabled again, it makes up for it at once.
#[test]
fn only_an_enabled_key_rotates() {
    let here = Here::new();
    let key = here.key();
    here.ok(
        "EnableKeyRotation",
        json!({ "KeyId": key, "RotationPeriodInDays": 90 }),
    );
    here.ok("DisableKey", json!({ "KeyId": key }));
    here.cloud.advance(200 * DAY);
    assert_eq!(rotations(&here, &key).len(), 0);
    assert_eq!(
        here.ok("GetKeyRotationStatus", json!({ "KeyId": key }))["KeyRotationEnabled"],
        json!(true)
    );
    here.ok("EnableKey", json!({ "KeyId": key }));
    here.cloud.advance(0);
    assert_eq!(rotations(&here, &key).len(), 1);
    here.ok("ScheduleKeyDeletion", json!({ "KeyId": key }));
    assert_eq!(
        here.ok("GetKeyRotationStatus", json!({ "KeyId": key }))["KeyRotationEnabled"],
        json!(false)
    );
    here.cloud.advance(29 * DAY);
    here.ok("CancelKeyDeletion", json!({ "KeyId": key }));
    here.ok("EnableKey", json!({ "KeyId": key }));
    here.cloud.advance(60 * DAY);
    assert_eq!(rotations(&here, &key).len(), 1);
    here.cloud.advance(DAY);
    assert_eq!(rotations(&here, &key).len(), 2);
}
