//! What an event tells of its call, and what it never tells.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{Keys, Scene, trust};

/// S12.2, S12.3, S12.4, S12.5, S12.6: name, source, time, address and agent of the call, in the order of AWS's records.
#[test]
fn an_event_tells_who_did_what_when_and_from_where() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:*");
    scene.sent(&keys, "iam", "CreateUser", &[("UserName", "bob")]);
    let entries = scene.lookup("us-east-1", json!({"MaxResults": 1}));
    let text = entries[0]["CloudTrailEvent"].as_str().unwrap();
    let event: Value = serde_json::from_str(text).unwrap();
    assert_eq!(event["eventVersion"], "1.11");
    assert_eq!(event["eventTime"], "2026-11-22T00:00:00Z");
    assert_eq!(event["eventSource"], "iam.amazonaws.com");
    assert_eq!(event["eventName"], "CreateUser");
    assert_eq!(event["awsRegion"], "us-east-1");
    assert_eq!(event["sourceIPAddress"], "192.0.2.7");
    assert_eq!(event["userAgent"], "Boto3/1.44.5");
    assert_eq!(event["eventType"], "AwsApiCall");
    assert_eq!(event["eventCategory"], "Management");
    assert_eq!(event["managementEvent"], true);
    assert_eq!(event["recipientAccountId"], ACCOUNT);
    let tls = json!({
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": "cloud.example:4566",
    });
    assert_eq!(event["tlsDetails"], tls);
    // The order of the records that the CloudTrail User Guide and the IAM User Guide show.
    let order = [
        "eventVersion",
        "userIdentity",
        "eventTime",
        "eventSource",
        "eventName",
        "awsRegion",
        "sourceIPAddress",
        "userAgent",
        "requestParameters",
        "responseElements",
        "requestID",
        "eventID",
        "readOnly",
        "eventType",
        "managementEvent",
        "recipientAccountId",
        "eventCategory",
        "tlsDetails",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|name| text.find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(event.as_object().unwrap().len(), order.len());
}

/// S12.9, S12.10: what was asked and what came of it; IAM writes times in a style of its own.
#[test]
fn parameters_and_answers_are_shown() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:*");
    scene.sent(
        &keys,
        "iam",
        "CreateUser",
        &[("UserName", "bob"), ("Path", "/team/")],
    );
    let event = &scene.found("us-east-1", "ResourceName", "bob")[0];
    assert_eq!(
        event["requestParameters"],
        json!({"path": "/team/", "userName": "bob"})
    );
    let user = &event["responseElements"]["user"];
    assert_eq!(user["arn"], format!("arn:aws:iam::{ACCOUNT}:user/team/bob"));
    assert_eq!(user["createDate"], "Nov 22, 2026 12:00:00 AM");
    scene.sent(&keys, "iam", "GetUser", &[("UserName", "bob")]);
    let event = &scene.found("us-east-1", "EventName", "GetUser")[0];
    assert_eq!(event["requestParameters"], json!({"userName": "bob"}));
    assert_eq!(event["responseElements"], Value::Null);
    assert_eq!(event["readOnly"], true);
}

/// S12.10: a secret is never in a record, wherever the call showed it.
#[test]
fn no_record_holds_a_secret() {
    let scene = Scene::new();
    let keys = scene.user("alice", "*");
    let caller = scene.caller(&keys);
    let role = json!({"RoleName": "reader", "AssumeRolePolicyDocument": trust(&format!("arn:aws:iam::{ACCOUNT}:root"))});
    scene.root("iam", "CreateRole", role);
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/reader");
    let assumed = scene.session(
        &caller,
        "AssumeRole",
        json!({"RoleArn": arn, "RoleSessionName": "work"}),
    );
    let federated = scene.session(&caller, "GetFederationToken", json!({"Name": "fed"}));
    let session = scene.session(&caller, "GetSessionToken", json!({}));
    let records: String = ["us-east-1", REGION]
        .iter()
        .flat_map(|region| scene.cloud.records(ACCOUNT, region))
        .map(|record| serde_json::to_string(&record).unwrap() + &watch::cloudtrail::event::text(&record))
        .collect();
    for Keys { id, secret, token } in [keys, assumed, federated, session] {
        assert!(records.contains(&id), "{id} is not recorded");
        assert!(!records.contains(&secret));
        assert!(token.is_none_or(|token| !records.contains(&token)));
    }
}

/// S12.1: a refusal is recorded like any call, with its error. A denial says `AccessDenied` and not what was asked.
#[test]
fn a_refused_call_is_recorded_with_its_error() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:Get*");
    assert_eq!(
        scene.send(&keys, "iam", "DeleteUser", &[("UserName", "bob")]).0,
        403
    );
    let event = &scene.found("us-east-1", "EventName", "DeleteUser")[0];
    assert_eq!(event["errorCode"], "AccessDenied");
    let message = event["errorMessage"].as_str().unwrap();
    assert!(message.starts_with(&format!(
        "User: arn:aws:iam::{ACCOUNT}:user/alice is not authorized to perform"
    )));
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["responseElements"], Value::Null);
    assert_eq!(
        scene.send(&keys, "iam", "GetUser", &[("UserName", "nobody")]).0,
        404
    );
    let event = &scene.found("us-east-1", "EventName", "GetUser")[0];
    assert_eq!(event["errorCode"], "NoSuchEntityException");
    assert_eq!(event["requestParameters"], json!({"userName": "nobody"}));
}

/// S12.1: a call with a wrong signature is in the trail of the key's owner, one with an unknown key in the management
/// account's, by nobody who is known.
#[test]
fn unauthentic_calls_are_recorded() {
    let scene = Scene::new();
    let keys = scene.user("alice", "iam:*");
    let forged = Keys {
        secret: keys.secret.chars().rev().collect(),
        ..keys.clone()
    };
    assert_eq!(
        scene
            .send(&forged, "iam", "DeleteUser", &[("UserName", "alice")])
            .0,
        403
    );
    let event = &scene.found("us-east-1", "AccessKeyId", &keys.id)[0];
    assert_eq!(event["errorCode"], "SignatureDoesNotMatch");
    assert_eq!(event["userIdentity"]["userName"], "alice");
    assert_eq!(event["readOnly"], false);
    let unknown = Keys {
        id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        ..keys
    };
    assert_eq!(
        scene
            .send(&unknown, "iam", "DeleteUser", &[("UserName", "alice")])
            .0,
        403
    );
    let event = &scene.found("us-east-1", "AccessKeyId", "AKIAIOSFODNN7EXAMPLE")[0];
    assert_eq!(event["errorCode"], "InvalidClientTokenId");
    assert_eq!(
        event["userIdentity"],
        json!({"type": "Unknown", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"})
    );
}
