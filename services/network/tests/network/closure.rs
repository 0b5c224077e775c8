//! Instances of an account that is closed: they stop, and go when the account is gone for good.

use pipeline::testing::Caller;
use serde_json::{Value, json};

use crate::scene::{Scene, TYPE, whole};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A member account, and somebody in it. Once the account is closed the caller's signature would be refused before a handler; in process
/// nothing looks at it, so that tests still see what there is.
fn member(scene: &Scene) -> (String, Caller) {
    let call = |caller: &Caller, service: &str, operation: &str, input: Value| {
        let answer = scene.cloud.call(caller, service, operation, input);
        answer.unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    };
    let ok = |operation: &str, input: Value| call(&scene.root, "organizations", operation, input);
    let maker = scene.user(
        "maker",
        &json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }),
    );
    ok("CreateOrganization", json!({ "FeatureSet": "ALL" }));
    let made = ok(
        "CreateAccount",
        json!({ "Email": "it@example.com", "AccountName": "member" }),
    );
    scene.cloud.advance(0);
    let asked = json!({ "CreateAccountRequestId": made["CreateAccountStatus"]["Id"] });
    let made = ok("DescribeCreateAccountStatus", asked);
    let account = made["CreateAccountStatus"]["AccountId"]
        .as_str()
        .unwrap()
        .to_owned();
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let input = json!({ "RoleArn": role, "RoleSessionName": "in" });
    let issued = call(&maker, "sts", "AssumeRole", input);
    let text = |member: &str| issued["Credentials"][member].as_str().unwrap().to_owned();
    let inside = scene
        .cloud
        .caller(&text("AccessKeyId"), Some(&text("SessionToken")));
    (account, inside.unwrap())
}

fn launching(scene: &Scene, inside: &Caller, more: &Value) -> String {
    let made = scene.call(inside, "RunInstances", &whole(more)).unwrap();
    made["Instances"][0]["InstanceId"].as_str().unwrap().to_owned()
}

fn shown(scene: &Scene, inside: &Caller, id: &str) -> Value {
    let asked = json!({ "InstanceIds": [id] });
    let shown = scene.call(inside, "DescribeInstances", &asked).unwrap();
    shown["Reservations"][0]["Instances"][0].clone()
}

fn close(scene: &Scene, account: &str) {
    let input = json!({ "AccountId": account });
    let closed = scene
        .cloud
        .call(&scene.root, "organizations", "CloseAccount", input);
    assert!(closed.is_ok(), "{:?}", closed.err());
}

fn tasks(scene: &Scene) -> Vec<(&'static str, String)> {
    scene.asked().into_iter().map(|one| (one.task, one.id)).collect()
}

#[test]
fn instances_of_a_closed_account_stop_though_they_are_protected_and_go_after_ninety_days() {
    let scene = Scene::new();
    let (account, inside) = member(&scene);
    let others = scene.launch(&json!({}));
    let protected = json!({ "DisableApiStop": true, "DisableApiTermination": true });
    let id = launching(&scene, &inside, &protected);
    scene.cloud.advance(0);
    assert_eq!(shown(&scene, &inside, &id)["State"]["Name"], "running");
    scene.asked();
    close(&scene, &account);
    scene.cloud.advance(0);
    assert_eq!(tasks(&scene), [("stop", id.clone())]);
    let told = shown(&scene, &inside, &id);
    assert_eq!(told["State"]["Name"], "stopped");
    assert_eq!(told["StateReason"]["Code"], "Server.ScheduledStop");
    assert_eq!(told["InstanceType"], TYPE);
    assert_eq!(scene.state(&others), "running", "another account's");
    scene.cloud.advance(91 * DAY);
    assert_eq!(tasks(&scene), [("terminate", id)]);
    assert_eq!(scene.state(&others), "running");
}

#[test]
fn an_instance_that_is_on_its_way_when_the_account_is_closed_stops_when_it_has_come() {
    let scene = Scene::new();
    let (account, inside) = member(&scene);
    close(&scene, &account);
    let id = launching(&scene, &inside, &json!({}));
    scene.cloud.advance(0);
    assert_eq!(tasks(&scene), [("start", id.clone()), ("stop", id.clone())]);
    assert_eq!(shown(&scene, &inside, &id)["State"]["Name"], "stopped");
}
