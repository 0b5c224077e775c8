//! SSH public keys of users, through the pipeline.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::scene::{Scene, code};

/// A key whose modulus begins with `seed`.
pub(crate) fn key(seed: u8) -> String {
    let mut modulus = vec![0, 0x80 | seed];
    modulus.resize(257, 0x55);
    let mut blob = Vec::new();
    for part in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
        blob.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        blob.extend(part);
    }
    format!("ssh-rsa {}", STANDARD.encode(blob))
}

fn upload(scene: &Scene, body: &str) -> Value {
    scene.root(
        "UploadSSHPublicKey",
        json!({"UserName": "ana", "SSHPublicKeyBody": body}),
    )["SSHPublicKey"]
        .clone()
}

/// The body comes back in either encoding, and a key is one key in both.
#[test]
fn a_key_is_shown_in_both_encodings() {
    let scene = Scene::new();
    scene.user("ana");
    let body = format!("{} ana@example.com", key(1));
    let made = upload(&scene, &body);
    assert_eq!(
        (&made["SSHPublicKeyBody"], &made["Status"]),
        (&body.clone().into(), &"Active".into())
    );
    assert!(made["SSHPublicKeyId"].as_str().unwrap().starts_with("APKA"));
    let fingerprint = made["Fingerprint"].as_str().unwrap();
    assert_eq!((fingerprint.len(), fingerprint.matches(':').count()), (47, 15));
    let get = |encoding: &str| {
        let input =
            json!({"UserName": "ana", "SSHPublicKeyId": made["SSHPublicKeyId"], "Encoding": encoding});
        scene.root("GetSSHPublicKey", input)["SSHPublicKey"]["SSHPublicKeyBody"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(get("SSH"), key(1));
    let pem = get("PEM");
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let again = json!({"UserName": "ana", "SSHPublicKeyBody": pem});
    assert_eq!(code(&scene, "UploadSSHPublicKey", again), "DuplicateSSHPublicKey");
    scene.root("CreateUser", json!({"UserName": "ben"}));
    scene.root(
        "UploadSSHPublicKey",
        json!({"UserName": "ben", "SSHPublicKeyBody": pem}),
    );
}

#[test]
fn keys_are_turned_off_counted_refused_and_deleted() {
    let scene = Scene::new();
    scene.user("ana");
    let ids: Vec<Value> = (0..5)
        .map(|seed| upload(&scene, &key(seed))["SSHPublicKeyId"].clone())
        .collect();
    let put = |body: &str| json!({"UserName": "ana", "SSHPublicKeyBody": body});
    assert_eq!(code(&scene, "UploadSSHPublicKey", put(&key(6))), "LimitExceeded");
    assert_eq!(
        code(&scene, "UploadSSHPublicKey", put("ssh-rsa AAAA")),
        "InvalidPublicKey"
    );
    assert_eq!(
        code(&scene, "UploadSSHPublicKey", put("ssh-ed25519 AAAA")),
        "UnrecognizedPublicKeyEncoding"
    );
    let one = |status: &str| json!({"UserName": "ana", "SSHPublicKeyId": ids[0], "Status": status});
    scene.root("UpdateSSHPublicKey", one("Inactive"));
    assert_eq!(
        code(&scene, "UpdateSSHPublicKey", one("Expired")),
        "ValidationError"
    );
    let listed = scene.root("ListSSHPublicKeys", json!({"UserName": "ana"}))["SSHPublicKeys"].clone();
    let off = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["Status"] == "Inactive");
    assert_eq!(
        off.map(|key| &key["SSHPublicKeyId"]).collect::<Vec<_>>(),
        [&ids[0]]
    );
    // Nobody reaches another user's key.
    scene.root("CreateUser", json!({"UserName": "ben"}));
    let foreign = json!({"UserName": "ben", "SSHPublicKeyId": ids[0]});
    assert_eq!(code(&scene, "DeleteSSHPublicKey", foreign), "NoSuchEntity");
    // They follow their user's name.
    scene.root("UpdateUser", json!({"UserName": "ana", "NewUserName": "Anna"}));
    let keys = scene.root("ListSSHPublicKeys", json!({"UserName": "anna"}))["SSHPublicKeys"].clone();
    assert_eq!(
        (keys.as_array().unwrap().len(), &keys[0]["UserName"]),
        (5, &"Anna".into())
    );
    for id in &ids {
        scene.root(
            "DeleteSSHPublicKey",
            json!({"UserName": "anna", "SSHPublicKeyId": id}),
        );
    }
    assert_eq!(
        scene.root("ListSSHPublicKeys", json!({"UserName": "anna"}))["SSHPublicKeys"],
        json!([])
    );
}

/// A user with a key is not deleted.
#[test]
fn a_user_goes_after_its_keys() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let made = upload(&scene, &key(1));
    let failure = scene.refused("DeleteUser", json!({"UserName": "ana"}));
    assert_eq!(failure.code, "DeleteConflict");
    assert!(failure.message.contains("SSH public keys"), "{}", failure.message);
    scene.root(
        "DeleteSSHPublicKey",
        json!({"UserName": "ana", "SSHPublicKeyId": made["SSHPublicKeyId"]}),
    );
    scene.root("DeleteUser", json!({"UserName": "ana"}));
}
