//! Service-specific credentials through the pipeline.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{Scene, code, document};

const GIT: &str = "codecommit.amazonaws.com";
const MODELS: &str = "bedrock.amazonaws.com";
const DAY: i64 = 86_400_000;

fn make(scene: &Scene, service: &str) -> Value {
    let input = json!({"UserName": "ana", "ServiceName": service});
    scene.root("CreateServiceSpecificCredential", input)["ServiceSpecificCredential"].clone()
}

fn one(made: &Value) -> Value {
    json!({"UserName": "ana", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]})
}

fn listed(scene: &Scene, input: Value) -> Vec<Value> {
    let answer = scene.root("ListServiceSpecificCredentials", input);
    answer["ServiceSpecificCredentials"].as_array().unwrap().clone()
}

/// A password is shown at its making and at its reset, and in no list and no record.
#[test]
fn a_password_is_shown_when_it_is_made_and_when_it_is_reset() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let made = make(&scene, GIT);
    assert_eq!(made["ServiceUserName"], format!("ana-at-{ACCOUNT}"));
    assert!(
        made["ServiceSpecificCredentialId"]
            .as_str()
            .unwrap()
            .starts_with("ACCA")
    );
    let second = make(&scene, GIT);
    assert_eq!(second["ServiceUserName"], format!("ana+1-at-{ACCOUNT}"));
    let reset = scene.root("ResetServiceSpecificCredential", one(&made))["ServiceSpecificCredential"].clone();
    assert_eq!(reset["ServiceUserName"], made["ServiceUserName"]);
    assert_ne!(reset["ServicePassword"], made["ServicePassword"]);
    for shown in listed(&scene, json!({"UserName": "ana"})) {
        assert!(shown.get("ServicePassword").is_none() && shown.get("ServiceUserName").is_some());
    }
    for record in scene.cloud.records(ACCOUNT, "us-east-1") {
        let text = serde_json::to_string(&record).unwrap();
        for secret in [&made, &second, &reset] {
            assert!(!text.contains(secret["ServicePassword"].as_str().unwrap()));
        }
    }
}

/// An API key ends after the days that were asked for; passwords know no such end.
#[test]
fn an_api_key_holds_its_alias_and_expires() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let days = |service: &str| json!({"UserName": "ana", "ServiceName": service, "CredentialAgeDays": 30});
    assert_eq!(
        code(&scene, "CreateServiceSpecificCredential", days(GIT)),
        "ValidationError"
    );
    let made =
        scene.root("CreateServiceSpecificCredential", days(MODELS))["ServiceSpecificCredential"].clone();
    let secret = made["ServiceCredentialSecret"]
        .as_str()
        .unwrap()
        .strip_prefix("ABSK")
        .unwrap();
    let inner = String::from_utf8(STANDARD.decode(secret).unwrap()).unwrap();
    assert!(inner.starts_with(&format!("{}:", made["ServiceCredentialAlias"].as_str().unwrap())));
    assert!(made.get("ServicePassword").is_none() && made.get("ServiceUserName").is_none());
    let status = || listed(&scene, json!({"UserName": "ana"}))[0]["Status"].clone();
    assert_eq!(status(), "Active");
    let mut off = one(&made);
    off["Status"] = "Inactive".into();
    scene.root("UpdateServiceSpecificCredential", off);
    assert_eq!(status(), "Inactive");
    scene.cloud.advance(30 * DAY);
    assert_eq!(status(), "Expired");
}

#[test]
fn two_credentials_of_each_service_and_no_more() {
    let scene = Scene::new();
    for name in ["ana", "ben"] {
        scene.root("CreateUser", json!({"UserName": name}));
    }
    for service in [GIT, GIT, MODELS, MODELS] {
        make(&scene, service);
    }
    let more = |service: &str| json!({"UserName": "ana", "ServiceName": service});
    assert_eq!(
        code(&scene, "CreateServiceSpecificCredential", more(GIT)),
        "LimitExceeded"
    );
    assert_eq!(
        code(
            &scene,
            "CreateServiceSpecificCredential",
            more("s3.amazonaws.com")
        ),
        "NotSupportedService"
    );
    scene.root(
        "CreateServiceSpecificCredential",
        json!({"UserName": "ben", "ServiceName": GIT}),
    );
    assert_eq!(
        listed(&scene, json!({"UserName": "ana", "ServiceName": GIT})).len(),
        2
    );
    assert_eq!(listed(&scene, json!({"AllUsers": true})).len(), 5);
    assert_eq!(
        listed(&scene, json!({"AllUsers": true, "ServiceName": GIT})).len(),
        3
    );
    let both = json!({"AllUsers": true, "UserName": "ana"});
    assert_eq!(
        code(&scene, "ListServiceSpecificCredentials", both),
        "ValidationError"
    );
    let failure = scene.refused("DeleteUser", json!({"UserName": "ana"}));
    assert!(
        failure.message.contains("service specific credentials"),
        "{}",
        failure.message
    );
    for made in listed(&scene, json!({"UserName": "ana"})) {
        scene.root("DeleteServiceSpecificCredential", one(&made));
        assert_eq!(
            code(&scene, "DeleteServiceSpecificCredential", one(&made)),
            "NoSuchEntity"
        );
    }
    scene.root("DeleteUser", json!({"UserName": "ana"}));
}

/// `iam:ServiceSpecificCredentialServiceName` is of the request at the making, and of the credential later.
#[test]
fn policies_tell_services_and_ages_apart() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let git = make(&scene, GIT);
    let policy = document(
        &json!({"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {
        "StringEquals": {"iam:ServiceSpecificCredentialServiceName": MODELS},
        "NumericLessThanEqualsIfExists": {"iam:ServiceSpecificCredentialAgeDays": "30"}}}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": policy}),
    );
    let ask = |operation: &str, input: Value| scene.call(&ana, operation, input);
    let new = |service: &str, days: i32| json!({"UserName": "ana", "ServiceName": service, "CredentialAgeDays": days});
    assert_eq!(
        ask("CreateServiceSpecificCredential", new(GIT, 30))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    assert_eq!(
        ask("CreateServiceSpecificCredential", new(MODELS, 31))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    let made =
        ask("CreateServiceSpecificCredential", new(MODELS, 30)).unwrap()["ServiceSpecificCredential"].clone();
    assert_eq!(
        ask("DeleteServiceSpecificCredential", one(&git))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    ask("DeleteServiceSpecificCredential", one(&made)).unwrap();
}
