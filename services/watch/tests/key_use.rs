//! KMS in the trail: every use and every change of a key (S8.10).

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::Scene;

/// S8.10, S12.34: uses and changes of a key are events that name it, without plaintext or ciphertext.
#[test]
fn every_use_and_change_of_a_key_is_recorded() {
    let scene = Scene::new();
    let made = scene.root("kms", "CreateKey", json!({"Description": "d"}));
    let key = made["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
    let arn = made["KeyMetadata"]["Arn"].clone();
    let context = json!({"Department": "Engineering"});
    let input = json!({"KeyId": key, "Plaintext": "c2VjcmV0", "EncryptionContext": context});
    let sealed = scene.root("kms", "Encrypt", input)["CiphertextBlob"].clone();
    let opened = scene.root(
        "kms",
        "Decrypt",
        json!({"CiphertextBlob": sealed, "EncryptionContext": context}),
    );
    assert_eq!(opened["Plaintext"], "c2VjcmV0");
    scene.root(
        "kms",
        "GenerateDataKey",
        json!({"KeyId": key, "KeySpec": "AES_256"}),
    );
    scene.root("kms", "DisableKey", json!({"KeyId": key}));

    let events = scene.found(REGION, "ResourceName", arn.as_str().unwrap());
    let names: Vec<_> = events
        .iter()
        .map(|event| event["eventName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["DisableKey", "GenerateDataKey", "Decrypt", "Encrypt", "CreateKey"]
    );
    // By the key's id, as people do, and by its type.
    assert_eq!(scene.found(REGION, "ResourceName", &key).len(), events.len());
    assert_eq!(
        scene.found(REGION, "ResourceType", "AWS::KMS::Key").len(),
        events.len()
    );
    let resources = json!([{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": arn}]);
    for event in &events {
        assert_eq!(event["resources"], resources, "{}", event["eventName"]);
        assert_eq!(event["eventSource"], "kms.amazonaws.com");
        let text = event.to_string();
        assert!(!text.contains("c2VjcmV0") && !text.contains(sealed.as_str().unwrap()));
    }
    let [disabled, data_key, decrypted, _, created] = events.as_slice() else {
        panic!("{names:?}")
    };
    assert_eq!(disabled["readOnly"], false);
    assert_eq!(disabled["responseElements"], json!({"keyId": arn}));
    for read in [data_key, decrypted] {
        assert_eq!(read["readOnly"], true);
        assert_eq!(read["responseElements"], Value::Null);
    }
    assert_eq!(decrypted["requestParameters"]["encryptionContext"], context);
    let metadata = &created["responseElements"]["keyMetadata"];
    assert_eq!(metadata["aWSAccountId"], ACCOUNT);
    assert_eq!(metadata["creationDate"], "Nov 22, 2026, 12:00:00 AM");
    assert_eq!(created["responseElements"].as_object().unwrap().len(), 1);
}

/// S8.10: a use that was denied is in the trail of the one who tried.
#[test]
fn a_denied_use_of_a_key_is_recorded() {
    let scene = Scene::new();
    let made = scene.root("kms", "CreateKey", json!({}));
    let keys = scene.user("mallory", "s3:*");
    let input = json!({"KeyId": made["KeyMetadata"]["KeyId"], "KeySpec": "AES_256"});
    let refused = scene
        .cloud
        .call(&scene.caller(&keys), "kms", "GenerateDataKey", input)
        .unwrap_err();
    assert_eq!(refused.code, "AccessDeniedException");
    let event = &scene.found(REGION, "Username", "mallory")[0];
    assert_eq!(event["errorCode"], "AccessDenied");
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["readOnly"], true);
}
