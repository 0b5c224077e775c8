//! Multi-Region keys.

use pipeline::testing::{ACCOUNT, Failure, REGION};
use serde_json::{Value, json};

use super::import::{external, request};
use crate::cloud::{Here, arn, b64, bytes, id};

const DAY: i64 = 86_400_000;
const THERE: &str = "us-east-1";
const FAR: &str = "ap-southeast-2";

fn at(here: &Here, region: &str, operation: &str, input: Value) -> Result<Value, Failure> {
    here.cloud.call_in(region, &here.root(), "kms", operation, input)
}

fn primary(here: &Here) -> String {
    arn(&here.ok("CreateKey", json!({ "MultiRegion": true })))
}

fn replicate(here: &Here, key: &str, region: &str) -> Value {
    here.ok("ReplicateKey", json!({ "KeyId": key, "ReplicaRegion": region }))
}

fn described(here: &Here, region: &str, key: &str) -> Value {
    at(here, region, "DescribeKey", json!({ "KeyId": id(key) })).unwrap()["KeyMetadata"].clone()
}

fn material(here: &Here, region: &str, key: &str) -> Value {
    described(here, region, key)["CurrentKeyMaterialId"].clone()
}

/// S8.59 as it is today: multi-Region keys replicate, and what is encrypted in one region decrypts in another.
#[test]
fn what_is_encrypted_in_one_region_decrypts_in_the_other() {
    let here = Here::new();
    let key = primary(&here);
    assert!(id(&key).starts_with("mrk-"));
    let made = replicate(&here, &key, THERE);
    let shown = &made["ReplicaKeyMetadata"];
    assert_eq!(
        (
            &shown["KeyId"],
            &shown["MultiRegionConfiguration"]["MultiRegionKeyType"]
        ),
        (&json!(id(&key)), &json!("REPLICA"))
    );
    let replica = key.replace(REGION, THERE);
    assert_eq!(shown["Arn"], json!(replica));
    let blob = here.encrypt(&here.root(), &key, b"text").unwrap();
    let opened = at(&here, THERE, "Decrypt", json!({ "CiphertextBlob": blob })).unwrap();
    assert_eq!(
        (bytes(&opened["Plaintext"]), &opened["KeyId"]),
        (b"text".to_vec(), &json!(replica))
    );
    let encrypted = json!({ "KeyId": replica, "Plaintext": b64(b"back") });
    let blob = at(&here, THERE, "Encrypt", encrypted).unwrap()["CiphertextBlob"].clone();
    assert_eq!(
        here.decrypt(&here.root(), blob.as_str().unwrap()).unwrap(),
        b"back"
    );
    let configuration = &described(&here, REGION, &key)["MultiRegionConfiguration"];
    assert_eq!(
        configuration,
        &json!({
            "MultiRegionKeyType": "PRIMARY",
            "PrimaryKey": { "Arn": key, "Region": REGION },
            "ReplicaKeys": [{ "Arn": replica, "Region": THERE }],
        })
    );
    let code = |region: &str, input: Value| at(&here, region, "ReplicateKey", input).unwrap_err().code;
    let again = json!({ "KeyId": key, "ReplicaRegion": THERE });
    assert_eq!(code(REGION, again), "AlreadyExistsException");
    let home = json!({ "KeyId": key, "ReplicaRegion": REGION });
    assert_eq!(code(REGION, home), "AlreadyExistsException");
    let of_replica = json!({ "KeyId": replica, "ReplicaRegion": FAR });
    assert_eq!(code(THERE, of_replica), "UnsupportedOperationException");
    let single = json!({ "KeyId": here.key(), "ReplicaRegion": THERE });
    assert_eq!(code(REGION, single), "UnsupportedOperationException");
}

#[test]
fn rotation_is_shared_and_all_else_is_not() {
    let here = Here::new();
    let key = primary(&here);
    replicate(&here, &key, THERE);
    let refused = at(&here, THERE, "EnableKeyRotation", json!({ "KeyId": id(&key) })).unwrap_err();
    assert_eq!(refused.code, "UnsupportedOperationException");
    here.ok(
        "EnableKeyRotation",
        json!({ "KeyId": key, "RotationPeriodInDays": 90 }),
    );
    let status = at(&here, THERE, "GetKeyRotationStatus", json!({ "KeyId": id(&key) })).unwrap();
    assert_eq!(
        (&status["KeyRotationEnabled"], &status["RotationPeriodInDays"]),
        (&json!(true), &json!(90))
    );
    let first = material(&here, REGION, &key);
    let old = here.encrypt(&here.root(), &key, b"old").unwrap();
    here.cloud.advance(90 * DAY);
    let second = material(&here, REGION, &key);
    assert!(first != second && material(&here, THERE, &key) == second);
    let young = here.encrypt(&here.root(), &key, b"young").unwrap();
    for (blob, text) in [(old, b"old".as_slice()), (young, b"young")] {
        let opened = at(&here, THERE, "Decrypt", json!({ "CiphertextBlob": blob })).unwrap();
        assert_eq!(bytes(&opened["Plaintext"]), text);
    }
    here.ok("DisableKey", json!({ "KeyId": key }));
    here.ok(
        "TagResource",
        json!({ "KeyId": key, "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
    );
    assert_eq!(described(&here, THERE, &key)["KeyState"], "Enabled");
    let tags = at(&here, THERE, "ListResourceTags", json!({ "KeyId": id(&key) })).unwrap();
    assert_eq!(tags["Tags"], json!([]));
}

#[test]
fn the_primary_region_can_be_moved_and_rotation_moves_with_it() {
    let here = Here::new();
    let key = primary(&here);
    replicate(&here, &key, THERE);
    replicate(&here, &key, FAR);
    here.ok("EnableKeyRotation", json!({ "KeyId": key }));
    let refused = here.refused(
        &here.root(),
        "UpdatePrimaryRegion",
        json!({ "KeyId": key, "PrimaryRegion": "sa-east-1" }),
    );
    assert_eq!(refused.0, "NotFoundException");
    here.ok(
        "UpdatePrimaryRegion",
        json!({ "KeyId": key, "PrimaryRegion": THERE }),
    );
    for (region, kind) in [(REGION, "REPLICA"), (THERE, "PRIMARY"), (FAR, "REPLICA")] {
        let shown = described(&here, region, &key);
        let configuration = &shown["MultiRegionConfiguration"];
        assert_eq!(configuration["MultiRegionKeyType"], kind, "{region}");
        assert_eq!(configuration["PrimaryKey"]["Region"], THERE);
        assert_eq!(configuration["ReplicaKeys"].as_array().unwrap().len(), 2);
    }
    let first = material(&here, REGION, &key);
    here.cloud.advance(365 * DAY);
    let second = material(&here, THERE, &key);
    assert_ne!(first, second);
    assert_eq!(
        (material(&here, REGION, &key), material(&here, FAR, &key)),
        (second.clone(), second)
    );
    let rotated = |region| {
        let records = here.cloud.records(ACCOUNT, region).into_iter();
        records.filter(|record| record.operation == "RotateKey").count()
    };
    assert_eq!((rotated(REGION), rotated(THERE)), (0, 1));
}

#[test]
fn a_primary_key_outlives_its_replicas() {
    let here = Here::new();
    let key = primary(&here);
    replicate(&here, &key, THERE);
    let planned = here.ok(
        "ScheduleKeyDeletion",
        json!({ "KeyId": key, "PendingWindowInDays": 7 }),
    );
    assert_eq!(
        planned,
        json!({ "KeyId": key, "KeyState": "PendingReplicaDeletion", "PendingWindowInDays": 7 })
    );
    here.cloud.advance(100 * DAY);
    let shown = described(&here, REGION, &key);
    assert_eq!(
        (&shown["KeyState"], &shown["PendingDeletionWindowInDays"]),
        (&json!("PendingReplicaDeletion"), &json!(7))
    );
    let refused = here.encrypt(&here.root(), &key, b"text").unwrap_err();
    assert!(refused.message.contains("pending replica deletion"));
    let replica = json!({ "KeyId": id(&key), "PendingWindowInDays": 8 });
    at(&here, THERE, "ScheduleKeyDeletion", replica).unwrap();
    here.cloud.advance(8 * DAY);
    assert_eq!(here.state(&key), "PendingDeletion");
    here.cloud.advance(7 * DAY - 1);
    assert_eq!(here.state(&key), "PendingDeletion");
    here.cloud.advance(1);
    let gone = here.refused(&here.root(), "DescribeKey", json!({ "KeyId": key }));
    assert_eq!(gone.0, "NotFoundException");
}

#[test]
fn deletion_that_waits_for_replicas_can_be_cancelled() {
    let here = Here::new();
    let key = primary(&here);
    replicate(&here, &key, THERE);
    here.ok("ScheduleKeyDeletion", json!({ "KeyId": key }));
    here.ok("CancelKeyDeletion", json!({ "KeyId": key }));
    assert_eq!(here.state(&key), "Disabled");
    here.ok("EnableKey", json!({ "KeyId": key }));
    here.encrypt(&here.root(), &key, b"text").unwrap();
}

#[test]
fn policies_see_the_set_and_the_region() {
    let here = Here::new();
    let statement = |action: &str, condition: Value| json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition });
    let ann = here.user(
        ACCOUNT,
        "ann",
        &json!([
            statement("kms:CreateKey", json!({ "Bool": { "kms:MultiRegion": "true" } })),
            statement("kms:ReplicateKey", json!({ "StringEquals": { "kms:ReplicaRegion": THERE, "kms:MultiRegionKeyType": "PRIMARY" } })),
            statement("kms:UpdatePrimaryRegion", json!({ "StringEquals": { "kms:PrimaryRegion": THERE } })),
            { "Effect": "Allow", "Action": ["kms:CreateKey", "kms:PutKeyPolicy"], "Resource": "*" },
        ]),
    );
    let key = primary(&here);
    let to = |region: &str| json!({ "KeyId": key, "ReplicaRegion": region });
    assert!(here.denied(&ann, "ReplicateKey", to(FAR)));
    here.call(&ann, "ReplicateKey", to(THERE)).unwrap();
    replicate(&here, &key, FAR);
    let move_to = |region: &str| json!({ "KeyId": key, "PrimaryRegion": region });
    assert!(here.denied(&ann, "UpdatePrimaryRegion", move_to(FAR)));
    here.call(&ann, "UpdatePrimaryRegion", move_to(THERE)).unwrap();
    let ben = here.user(
        ACCOUNT,
        "ben",
        &json!([statement(
            "kms:ReplicateKey",
            json!({ "Bool": { "kms:MultiRegion": "true" } })
        )]),
    );
    let key = primary(&here);
    // Who may replicate must also be allowed to create keys.
    assert!(here.denied(
        &ben,
        "ReplicateKey",
        json!({ "KeyId": key, "ReplicaRegion": FAR })
    ));
}

#[test]
fn replicas_of_an_external_key_get_the_same_material_by_hand() {
    let here = Here::new();
    let key = external(&here, json!({ "MultiRegion": true }));
    let import = |region: &str, byte: u8, more: Value| {
        let input = request(&here, region, id(&key), &[byte; 32], more);
        at(&here, region, "ImportKeyMaterial", input).map_err(|failure| failure.code)
    };
    import(REGION, 1, json!({})).unwrap();
    replicate(&here, &key, THERE);
    assert_eq!(described(&here, THERE, &key)["KeyState"], "PendingImport");
    let new = json!({ "ImportType": "NEW_KEY_MATERIAL" });
    assert_eq!(
        import(THERE, 2, new.clone()).unwrap_err(),
        "UnsupportedOperationException"
    );
    assert_eq!(
        import(THERE, 2, json!({})).unwrap_err(),
        "IncorrectKeyMaterialException"
    );
    import(THERE, 1, json!({})).unwrap();
    let blob = here.encrypt(&here.root(), &key, b"text").unwrap();
    let opened = at(&here, THERE, "Decrypt", json!({ "CiphertextBlob": blob })).unwrap();
    assert_eq!(bytes(&opened["Plaintext"]), b"text");
    import(REGION, 2, new).unwrap();
    let state = || {
        let input = json!({ "KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" });
        here.ok("ListKeyRotations", input)["Rotations"][1]["KeyMaterialState"].clone()
    };
    assert_eq!(state(), "PENDING_MULTI_REGION_IMPORT_AND_ROTATION");
    let early = here.refused(&here.root(), "RotateKeyOnDemand", json!({ "KeyId": key }));
    assert_eq!(early.0, "KMSInvalidStateException");
    import(THERE, 2, json!({})).unwrap();
    assert_eq!(state(), "PENDING_ROTATION");
    here.ok("RotateKeyOnDemand", json!({ "KeyId": key }));
    here.cloud.advance(0);
    assert_eq!(state(), "CURRENT");
    let blob = here.encrypt(&here.root(), &key, b"new").unwrap();
    let opened = at(&here, THERE, "Decrypt", json!({ "CiphertextBlob": blob })).unwrap();
    assert_eq!(bytes(&opened["Plaintext"]), b"new");
}
