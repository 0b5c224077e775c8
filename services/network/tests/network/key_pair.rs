//! Key pairs: made, imported, given to instances and removed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::scene::{Scene, whole};

#[test]
fn a_pair_tells_its_private_key_once() {
    let scene = Scene::new();
    for (kind, begins) in [
        ("rsa", "-----BEGIN RSA PRIVATE KEY-----"),
        ("ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----"),
    ] {
        let made = scene.ok("CreateKeyPair", &json!({ "KeyName": kind, "KeyType": kind }));
        assert!(made["KeyMaterial"].as_str().unwrap().starts_with(begins));
        let again = json!({ "KeyName": kind });
        assert_eq!(
            scene.refused("CreateKeyPair", &again).0,
            "InvalidKeyPair.Duplicate"
        );
        let listed = scene.ok(
            "DescribeKeyPairs",
            &json!({ "KeyNames": [kind], "IncludePublicKey": true }),
        );
        let shown = &listed["KeyPairs"][0];
        assert_eq!(shown["KeyFingerprint"], made["KeyFingerprint"]);
        assert!(shown.get("KeyMaterial").is_none());
        assert!(shown["PublicKey"].as_str().unwrap().starts_with("ssh-"));
    }
    let records = scene
        .cloud
        .records(pipeline::testing::ACCOUNT, pipeline::testing::REGION);
    let told = records
        .iter()
        .any(|record| format!("{:?}", record.response).contains("PRIVATE KEY"));
    assert!(!told, "a private key is in a record");
}

#[test]
fn an_instance_finds_the_public_key_that_it_was_launched_with() {
    let scene = Scene::new();
    let made = scene.ok(
        "CreateKeyPair",
        &json!({ "KeyName": "made", "KeyType": "ed25519" }),
    );
    let listed = scene.ok("DescribeKeyPairs", &json!({ "IncludePublicKey": true }));
    let line = listed["KeyPairs"][0]["PublicKey"].as_str().unwrap().to_owned();
    let imported = json!({ "KeyName": "brought", "PublicKeyMaterial": STANDARD.encode(&line) });
    let answer = scene.ok("ImportKeyPair", &imported);
    assert_eq!(answer["KeyFingerprint"], made["KeyFingerprint"]);
    let nonsense = json!({ "KeyName": "bad", "PublicKeyMaterial": STANDARD.encode("ssh-rsa AAAA") });
    assert_eq!(scene.refused("ImportKeyPair", &nonsense).0, "InvalidKey.Format");
    let id = scene.launch(&json!({ "KeyName": "made" }));
    let held = scene.plane.metadata.lock()[&id].public_key.clone().unwrap();
    assert_eq!(held, ("made".to_owned(), line));
    scene.ok("DeleteKeyPair", &json!({ "KeyName": "made" }));
    // Deleting what is not there is no error.
    scene.ok("DeleteKeyPair", &json!({ "KeyName": "made" }));
    let (code, _) = scene.refused("RunInstances", &whole(&json!({ "KeyName": "made" })));
    assert_eq!(code, "InvalidKeyPair.NotFound");
}
