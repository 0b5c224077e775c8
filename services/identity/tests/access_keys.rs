//! Access keys from creation to deletion, through the pipeline and the wire.

use pipeline::testing::{ACCOUNT, BEGINNING};
use serde_json::json;

use crate::scene::{READ_ALL, Scene, code};
use crate::signed::{Keys, send};

/// S3.1 to S3.4: twenty characters with AWS's prefix, a secret of forty, and the secret is shown once.
#[test]
fn the_secret_is_shown_at_creation_and_never_again() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let keys = Keys::of(&scene.root("CreateAccessKey", json!({"UserName": "ana"})));
    assert!(keys.id.starts_with("AKIA") && keys.id.len() == 20, "{}", keys.id);
    assert!(
        keys.id
            .bytes()
            .all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
    );
    assert_eq!(keys.secret.len(), 40);
    assert!(
        keys.secret
            .bytes()
            .all(|letter| letter.is_ascii_alphanumeric() || b"+/".contains(&letter))
    );
    let answers = [
        scene.root("ListAccessKeys", json!({"UserName": "ana"})),
        scene.root("GetAccessKeyLastUsed", json!({"AccessKeyId": keys.id})),
        scene.root("GetUser", json!({"UserName": "ana"})),
    ];
    assert!(
        answers
            .iter()
            .all(|answer| !answer.to_string().contains(&keys.secret))
    );
    let listed = &answers[0]["AccessKeyMetadata"];
    assert_eq!(
        (&listed[0]["AccessKeyId"], &listed[0]["Status"]),
        (&json!(keys.id), &json!("Active"))
    );
    // Nor does the record of its creation.
    let records = scene.cloud.records(ACCOUNT, "us-east-1");
    assert!(records.iter().any(|record| record.operation == "CreateAccessKey"));
    assert!(
        records
            .iter()
            .all(|record| !serde_json::to_string(record).unwrap().contains(&keys.secret))
    );
}

/// S3.5 to S3.9: a second key, its use, the first turned off (refused, but kept), the proof, and the deletion.
#[test]
fn a_key_is_rotated_without_a_gap() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let create = || Keys::of(&scene.root("CreateAccessKey", json!({"UserName": "ana"})));
    let (old, new) = (create(), create());
    let failure = scene.refused("CreateAccessKey", json!({"UserName": "ana"}));
    assert_eq!(failure.code, "LimitExceeded");
    assert_eq!(failure.message, "Cannot exceed quota for AccessKeysPerUser: 2");
    let works = |keys: &Keys| {
        let (status, body) = send(&scene, Some(keys), "sts", "GetCallerIdentity");
        assert!(
            status == 200 || body.contains("<Code>InvalidClientTokenId</Code>"),
            "{body}"
        );
        status == 200
    };
    assert!(works(&old) && works(&new));
    let set = |status: &str| json!({"UserName": "ana", "AccessKeyId": old.id, "Status": status});
    scene.root("UpdateAccessKey", set("Inactive"));
    assert!(!works(&old) && works(&new));
    let listed = scene.root("ListAccessKeys", json!({"UserName": "ana"}))["AccessKeyMetadata"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 2);
    scene.root("UpdateAccessKey", set("Active"));
    assert!(works(&old));
    scene.root("UpdateAccessKey", set("Inactive"));
    let delete = json!({"UserName": "ana", "AccessKeyId": old.id});
    scene.root("DeleteAccessKey", delete.clone());
    assert!(!works(&old) && works(&new));
    let failure = scene.refused("DeleteAccessKey", delete);
    assert_eq!(
        failure.message,
        format!("The Access Key with id {} cannot be found.", old.id)
    );
}

#[test]
fn a_key_is_found_only_under_its_own_user() {
    let scene = Scene::new();
    scene.user("bob");
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let keys = Keys::of(&scene.root("CreateAccessKey", json!({"UserName": "ana"})));
    let input = json!({"UserName": "bob", "AccessKeyId": keys.id, "Status": "Inactive"});
    assert_eq!(code(&scene, "UpdateAccessKey", input), "NoSuchEntity");
    assert_eq!(
        code(
            &scene,
            "DeleteAccessKey",
            json!({"UserName": "bob", "AccessKeyId": keys.id})
        ),
        "NoSuchEntity"
    );
    // Without a name, root means root's own keys.
    assert_eq!(
        code(&scene, "DeleteAccessKey", json!({"AccessKeyId": keys.id})),
        "NoSuchEntity"
    );
    assert!(scene.cloud.caller(&keys.id, None).is_ok());
}

#[test]
fn the_last_use_is_noted_once_a_minute() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    let last = || {
        let input = json!({"AccessKeyId": &*ana.access_key_id});
        scene.root("GetAccessKeyLastUsed", input)["AccessKeyLastUsed"].clone()
    };
    assert_eq!(last(), json!({"Region": "N/A", "ServiceName": "N/A"}));
    let use_it = || drop(scene.call(&ana, "ListUsers", json!({})).unwrap());
    use_it();
    let noted = last();
    assert_eq!(
        (&noted["ServiceName"], &noted["Region"]),
        (&json!("iam"), &json!("us-east-1"))
    );
    let seconds = |value: &serde_json::Value| value["LastUsedDate"].as_f64().unwrap();
    assert!(
        (seconds(&noted) * 1000.0 - BEGINNING as f64).abs() < 1.0,
        "{noted}"
    );
    scene.cloud.advance(59_000);
    use_it();
    assert_eq!(last(), noted);
    scene.cloud.advance(1_000);
    use_it();
    assert!((seconds(&last()) - seconds(&noted) - 60.0).abs() < 0.01);
}

#[test]
fn bootstrap_is_repeatable_and_takes_a_chosen_key() {
    let scene = Scene::new();
    let again = || {
        let made = scene
            .cloud
            .gateway
            .system("us-east-1", |call| identity::bootstrap(call, ACCOUNT, None));
        made.map_err(|fault| fault.message).unwrap()
    };
    let (first, second) = (again(), again());
    assert_eq!(first.access_key_id, second.access_key_id);
    assert_eq!(first.secret_access_key, second.secret_access_key);
    let root = Keys {
        id: first.access_key_id,
        secret: first.secret_access_key.expose_text().unwrap().to_owned(),
        token: None,
    };
    let (status, body) = send(&scene, Some(&root), "iam", "ListUsers");
    assert_eq!(status, 200, "{body}");
    let chosen = crypto::Secret::from("test");
    let made = scene.cloud.gateway.system("us-east-1", |call| {
        identity::bootstrap(call, ACCOUNT, Some(("test", &chosen))).map(|made| made.access_key_id)
    });
    assert_eq!(made.map_err(|fault| fault.message).unwrap(), "test");
    assert_eq!(
        &*scene.cloud.caller("test", None).unwrap().arn,
        format!("arn:aws:iam::{ACCOUNT}:root")
    );
}

/// The operator may give root one key after the other; root sees all of them, so that it can delete what it does not want.
#[test]
fn root_sees_every_key_that_the_operator_gave_it() {
    let scene = Scene::new();
    for id in [
        "AKIAGIVEN0000000001",
        "AKIAGIVEN0000000002",
        "AKIAGIVEN0000000003",
    ] {
        let given = scene.cloud.gateway.system("us-east-1", |call| {
            let secret = crypto::Secret::from("the secret that the operator chose");
            identity::bootstrap(call, ACCOUNT, Some((id, &secret))).map(|_| ())
        });
        assert!(given.is_ok());
    }
    let listed = scene.root("ListAccessKeys", json!({}));
    assert_eq!(
        listed["AccessKeyMetadata"].as_array().unwrap().len(),
        4,
        "{listed}"
    );
}

/// The root key that an option gives takes the place of the one that it gave before, and of no other.
#[test]
fn a_given_root_key_ends_the_one_that_was_given_before() {
    let scene = Scene::new();
    let made = scene.root("CreateAccessKey", json!({}));
    let made = made["AccessKey"]["AccessKeyId"].as_str().unwrap().to_owned();
    let give = |id: &str, settled: bool| {
        let secret = crypto::Secret::from("the secret that the operator chose");
        let given = scene.cloud.gateway.system("us-east-1", |call| {
            identity::bootstrap(call, ACCOUNT, Some((id, &secret)))?;
            if settled {
                return identity::iam::bootstrap::settle_given_root_key(call, ACCOUNT, id);
            }
            Ok(Vec::new())
        });
        given.map_err(|fault| fault.message).unwrap()
    };
    // As a version left it that did not note where keys came from.
    give("test", false);
    assert_eq!(give("AKIAGIVEN00000000001", true), ["test"]);
    assert_eq!(give("AKIAGIVEN00000000001", true), [""; 0]);
    assert_eq!(give("AKIAGIVEN00000000002", true), ["AKIAGIVEN00000000001"]);
    for gone in ["test", "AKIAGIVEN00000000001"] {
        assert!(scene.cloud.caller(gone, None).is_err(), "{gone}");
    }
    for kept in ["AKIAGIVEN00000000002", &made] {
        assert!(scene.cloud.caller(kept, None).is_ok(), "{kept}");
    }
    let listed = scene.root("ListAccessKeys", json!({}));
    assert_eq!(
        listed["AccessKeyMetadata"].as_array().unwrap().len(),
        3,
        "{listed}"
    );
}
