//! `userIdentity` of every kind of caller.

use pipeline::ledger::Record;
use pipeline::testing::{ACCOUNT, Caller, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, trust};

const OTHER: &str = "444455556666";

fn latest(scene: &Scene, region: &str, name: &str) -> Value {
    scene.found(region, "EventName", name)[0].clone()
}

/// S12.1: root, users, sessions of users, of roles and of federated users.
#[test]
fn callers_are_told_by_what_they_signed_with() {
    let scene = Scene::new();
    let keys = scene.user("alice", "*");
    let alice = scene.caller(&keys);
    let identity = |caller: &Caller| {
        scene
            .cloud
            .call(caller, "sts", "GetCallerIdentity", json!({}))
            .unwrap();
        latest(&scene, REGION, "GetCallerIdentity")["userIdentity"].clone()
    };
    let root_arn = format!("arn:aws:iam::{ACCOUNT}:root");
    let root = json!({"type": "Root", "principalId": ACCOUNT, "arn": root_arn, "accountId": ACCOUNT});
    assert_eq!(identity(&scene.root), root);

    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let id = alice.user_id.to_string();
    let mut user = json!({
        "type": "IAMUser", "principalId": id, "arn": arn, "accountId": ACCOUNT, "accessKeyId": keys.id, "userName": "alice",
    });
    assert_eq!(identity(&alice), user);

    let session = scene.session(&alice, "GetSessionToken", json!({}));
    user["accessKeyId"] = session.id.clone().into();
    let attributes = json!({"creationDate": "2026-11-22T00:00:00Z", "mfaAuthenticated": "false"});
    user["sessionContext"] = json!({"attributes": attributes});
    assert_eq!(identity(&scene.caller(&session)), user);

    let role = json!({"RoleName": "reader", "AssumeRolePolicyDocument": trust(&root_arn)});
    let role = scene.root("iam", "CreateRole", role)["Role"].clone();
    let input = json!({"RoleArn": role["Arn"], "RoleSessionName": "work"});
    let assumed = scene.session(&alice, "AssumeRole", input);
    let issuer = json!({
        "type": "Role", "principalId": role["RoleId"], "arn": role["Arn"], "accountId": ACCOUNT, "userName": "reader",
    });
    let expected = json!({
        "type": "AssumedRole",
        "principalId": format!("{}:work", role["RoleId"].as_str().unwrap()),
        "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/reader/work"),
        "accountId": ACCOUNT,
        "accessKeyId": assumed.id,
        "sessionContext": {"sessionIssuer": issuer, "attributes": attributes},
    });
    assert_eq!(identity(&scene.caller(&assumed)), expected);

    let federated = scene.session(&alice, "GetFederationToken", json!({"Name": "fed"}));
    let issuer =
        json!({"type": "IAMUser", "principalId": id, "arn": arn, "accountId": ACCOUNT, "userName": "alice"});
    let expected = json!({
        "type": "FederatedUser",
        "principalId": format!("{ACCOUNT}:fed"),
        "arn": format!("arn:aws:sts::{ACCOUNT}:federated-user/fed"),
        "accountId": ACCOUNT,
        "accessKeyId": federated.id,
        "sessionContext": {"sessionIssuer": issuer, "attributes": attributes},
    });
    assert_eq!(identity(&scene.caller(&federated)), expected);
}

/// S12.1: a call across accounts is in both trails under one `sharedEventID`; the account that was reached learns of the
/// caller the account and the unique id alone (IAM User Guide, example of a cross-account `AssumeRole`).
#[test]
fn a_call_across_accounts_is_in_both_trails() {
    let scene = Scene::new();
    let role = json!({"RoleName": "shared", "AssumeRolePolicyDocument": trust(&format!("arn:aws:iam::{ACCOUNT}:root"))});
    let theirs = scene.foreign_root(OTHER);
    let role = scene.cloud.call(&theirs, "iam", "CreateRole", role).unwrap()["Role"].clone();
    let keys = scene.user("alice", "sts:*");
    let alice = scene.caller(&keys);
    scene.session(
        &alice,
        "AssumeRole",
        json!({"RoleArn": role["Arn"], "RoleSessionName": "visit"}),
    );

    let ours = latest(&scene, REGION, "AssumeRole");
    let entry = scene.try_lookup(&theirs, REGION, json!({})).unwrap()["Events"][0].clone();
    let received: Value = serde_json::from_str(entry["CloudTrailEvent"].as_str().unwrap()).unwrap();
    let expected =
        json!({"type": "AWSAccount", "principalId": alice.user_id.to_string(), "accountId": ACCOUNT});
    assert_eq!(received["userIdentity"], expected);
    assert_eq!(entry.get("Username"), None);
    assert_eq!(entry.get("AccessKeyId"), None);
    assert_eq!(ours["userIdentity"]["userName"], "alice");
    assert_eq!(
        (&ours["recipientAccountId"], &received["recipientAccountId"]),
        (&json!(ACCOUNT), &json!(OTHER))
    );
    assert!(ours["sharedEventID"].is_string());
    assert_eq!(ours["sharedEventID"], received["sharedEventID"]);
    assert_eq!(ours["requestID"], received["requestID"]);
    assert_ne!(ours["eventID"], received["eventID"]);
    let resource = json!([{"accountId": OTHER, "type": "AWS::IAM::Role", "ARN": role["Arn"]}]);
    assert_eq!(received["resources"], resource);
    let by_name = json!({"LookupAttributes": [{"AttributeKey": "Username", "AttributeValue": "alice"}]});
    assert_eq!(
        scene.try_lookup(&theirs, REGION, by_name).unwrap()["Events"],
        json!([])
    );
}

fn recorded(kind: &str, caller: Value) -> Value {
    let mut record = json!({
        "id": "0199aabb-ccdd-7000-8000-000000000000", "event": "0199aabb-ccdd-7000-8000-000000000001",
        "time": 0, "wall": 0, "account": ACCOUNT, "region": REGION, "service": "kms", "source": "kms.amazonaws.com",
        "operation": "RotateKey", "read_only": false, "kind": kind, "source_ip": "AWS Internal",
        "user_agent": "AWS Internal", "names_resources": true, "additional": {"rotationType": "AUTOMATIC"},
        "resources": [{"arn": "arn:aws:kms:eu-central-1:111122223333:key/k", "account": ACCOUNT, "kind": "AWS::KMS::Key"}],
    });
    record["caller"] = caller;
    let record: Record = serde_json::from_value(record).unwrap();
    serde_json::from_str(&watch::cloudtrail::event::text(&record)).unwrap()
}

/// S12.34: what a service does by itself is a service event, without a request (KMS Developer Guide, "RotateKey").
#[test]
fn services_own_events_have_no_request() {
    let event = recorded(
        "AwsServiceEvent",
        json!({
            "kind": "AWSService", "principal_id": "", "arn": "", "account": ACCOUNT, "invoked_by": "AWS Internal",
        }),
    );
    assert_eq!(
        event["userIdentity"],
        json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"})
    );
    assert_eq!(event["eventType"], "AwsServiceEvent");
    assert_eq!(event["serviceEventDetails"], json!({"rotationType": "AUTOMATIC"}));
    assert_eq!(event.get("requestID"), None);
    assert_eq!(event.get("additionalEventData"), None);
    assert_eq!(event["requestParameters"], Value::Null);
    assert_eq!(event["resources"][0]["type"], "AWS::KMS::Key");
}

/// S12.1: services, holders of foreign tokens, and calls through a service in someone's name.
#[test]
fn the_other_kinds_of_callers() {
    let service =
        json!({"kind": "AWSService", "principal_id": "x", "arn": "ec2.amazonaws.com", "account": ACCOUNT});
    let event = recorded("AwsApiCall", service);
    assert_eq!(
        event["userIdentity"],
        json!({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"})
    );
    assert_eq!(event["additionalEventData"], json!({"rotationType": "AUTOMATIC"}));

    let provider = "arn:aws:iam::111122223333:oidc-provider/issuer.example";
    let web = json!({
        "kind": "WebIdentityUser", "principal_id": format!("{provider}:app:me"), "arn": provider, "account": "",
        "user_name": "me",
    });
    let expected = json!({
        "type": "WebIdentityUser", "principalId": format!("{provider}:app:me"), "userName": "me",
        "identityProvider": provider,
    });
    assert_eq!(recorded("AwsApiCall", web)["userIdentity"], expected);

    let session = json!({
        "kind": "AssumedRole", "principal_id": "AROA:me", "arn": "arn:aws:sts::111122223333:assumed-role/r/me",
        "account": ACCOUNT, "invoked_by": "s3.amazonaws.com",
        "session": {"issued": 1_000, "mfa": 500, "issuer": null, "source_identity": "carol"},
    });
    let identity = recorded("AwsApiCall", session.clone())["userIdentity"].clone();
    assert_eq!(identity["invokedBy"], "s3.amazonaws.com");
    let mut context = json!({
        "attributes": {"creationDate": "1970-01-01T00:00:01Z", "mfaAuthenticated": "true"}, "sourceIdentity": "carol",
    });
    assert_eq!(identity["sessionContext"], context);

    let mut root = session.clone();
    root["session"]["assumed_root"] = true.into();
    let identity = recorded("AwsApiCall", root)["userIdentity"].clone();
    assert_eq!(identity["sessionContext"]["assumedRoot"], "true");

    let mut federated = session;
    federated["session"]["federated_provider"] = provider.into();
    context["webIdFederationData"] = json!({"federatedProvider": provider, "attributes": {}});
    let identity = recorded("AwsApiCall", federated)["userIdentity"].clone();
    assert_eq!(identity["sessionContext"], context);
}
