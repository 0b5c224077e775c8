//! Secrets leave in one answer and lie nowhere else in clear: not in rows, not in the ledger.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scenarios::sign::{Keys, sign};
use scenarios::world::World;
use serde_json::json;

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What is between the tags of an XML answer.
fn part(body: &[u8], name: &str) -> String {
    let body = String::from_utf8_lossy(body);
    let (_, rest) = body
        .split_once(&format!("<{name}>"))
        .unwrap_or_else(|| panic!("no {name} in {body}"));
    rest.split_once('<').unwrap().0.replace("&#43;", "+")
}

/// S3.3, S3.4: a secret access key is in the answer that made it, and in clear neither in the saved store nor in any
/// record; the same holds of a session's, of the seed of an MFA device and of a password, and of what KMS was given and gave in clear.
#[test]
fn no_secret_lies_in_the_store_or_the_ledger_in_clear() {
    let world = World::furnished();
    let made = world.ask(
        &world.root,
        "iam",
        "CreateAccessKey",
        &json!({"UserName": "existing"}),
    );
    let key_id = part(&made.body, "AccessKeyId");
    let mut secrets = vec![part(&made.body, "SecretAccessKey"), world.root.secret.clone()];
    let ana = world.user(
        "ana",
        Some(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}"#),
    );
    secrets.push(ana.secret.clone());
    let role = json!({"RoleArn": "arn:aws:iam::111122223333:role/existing", "RoleSessionName": "shift"});
    for (operation, input) in [("AssumeRole", role), ("GetSessionToken", json!({}))] {
        let said = world.ask(&ana, "sts", operation, &input);
        assert_eq!(said.status, 200, "{said:?}");
        // The token is no secret without it: AWS's trail shows it in `responseElements`, and so does ours.
        secrets.push(part(&said.body, "SecretAccessKey"));
    }
    let device = json!({"VirtualMFADeviceName": "ana"});
    let said = world.ask(&world.root, "iam", "CreateVirtualMFADevice", &device);
    secrets.push(part(&said.body, "Base32StringSeed"));
    let password = "A password that has forty characters: 123";
    let profile = json!({"UserName": "ana", "Password": password});
    let said = world.ask(&world.root, "iam", "CreateLoginProfile", &profile);
    assert_eq!(said.status, 200, "{said:?}");
    secrets.push(password.to_owned());
    let key = world.existing.key_id.as_str();
    let plain = STANDARD.encode("the plaintext of a caller, forty bytes long");
    let calls = [
        ("Encrypt", json!({"KeyId": key, "Plaintext": plain})),
        ("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})),
        ("GenerateRandom", json!({"NumberOfBytes": 32})),
    ];
    secrets.push(plain);
    for (operation, input) in calls {
        let said = world.ask(&world.root, "kms", operation, &input);
        assert_eq!(said.status, 200, "{said:?}");
        let answer: serde_json::Value = serde_json::from_slice(&said.body).unwrap();
        secrets.extend(answer["Plaintext"].as_str().map(str::to_owned));
    }
    assert_eq!(secrets.len(), 10);
    assert!(
        secrets.iter().all(|secret| secret.len() >= 40),
        "every secret is one"
    );

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("saved");
    world.gateway.store().save(&file).unwrap();
    let saved = std::fs::read(&file).unwrap();
    assert!(holds(&saved, &key_id), "rows can be read in the file");
    let regions = ["us-east-1", pipeline::testing::REGION];
    let records = regions.iter().flat_map(|region| world.newest(region, 1000));
    let records = serde_json::to_vec(&records.collect::<Vec<_>>()).unwrap();
    assert!(holds(&records, &key_id), "records can be read");
    for (place, secret) in secrets.iter().enumerate() {
        let bytes = STANDARD
            .decode(secret)
            .unwrap_or_else(|_| secret.clone().into_bytes());
        assert!(
            !saved.windows(bytes.len()).any(|window| window == bytes),
            "the bytes of secret {place} are in the saved file"
        );
        assert!(!holds(&saved, secret), "secret {place} is in the saved file");
        assert!(!holds(&records, secret), "secret {place} is in a record");
    }
}

/// A wrong signature is answered with the canonical request, which only its sender may see: the query of an AWS query call may
/// hold a password, and the record is read by others.
#[test]
fn the_record_of_a_wrong_signature_has_nothing_of_the_request() {
    let world = World::bare();
    let wrong = Keys {
        secret: world.root.secret.chars().rev().collect(),
        ..world.root.clone()
    };
    let (mut request, protocol) = world.asking(&world.root, "iam", "ListUsers", &json!({}));
    request.query = "Password=hunter2".to_owned();
    sign(&mut request, &wrong, "us-east-1", "iam", world.wall_seconds());
    let said = world.send(protocol, request);
    assert_eq!(said.code(), "SignatureDoesNotMatch");
    assert!(holds(&said.body, "hunter2"), "{said:?}");
    let records = world.newest("us-east-1", 1);
    let error = records.first().and_then(|record| record.error.as_ref()).unwrap();
    assert_eq!(error.code, "SignatureDoesNotMatch");
    assert!(error.message.ends_with("for details."), "{}", error.message);
}
