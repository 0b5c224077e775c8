//! An instance's life: stopping, starting, rebooting, ending, and what the plane tells by itself.

use bytes::Bytes;
use network::ec2::instance::PRINCIPAL;
use network::ec2::work;
use pipeline::instances::{Ending, Failure, InstanceRef};
use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, whole};

fn run(id: &str, boot: u64) -> InstanceRef {
    InstanceRef {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        instance_id: id.to_owned(),
        boot,
    }
}

fn ends(scene: &Scene, run: &InstanceRef, ending: &Ending) {
    let told = scene
        .cloud
        .gateway
        .by_itself(("ec2", PRINCIPAL), (ACCOUNT, REGION), |call| {
            work::ended(call, run, ending)
        });
    assert!(scene.cloud.wait(told).is_ok());
}

#[test]
fn a_stopped_instance_starts_again_from_its_own_disk_and_runs_no_user_data_first() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    scene.asked();
    // More than lies in a row.
    let tar = "t".repeat(100_000);
    *scene.plane.disk.lock() = Bytes::from(tar.clone());
    let stopping = scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    let change = &stopping["StoppingInstances"][0];
    assert_eq!(change["PreviousState"]["Name"], "running");
    assert_eq!(change["CurrentState"]["Name"], "stopping");
    scene.cloud.advance(0);
    let shown = scene.shown(&id);
    assert_eq!(shown["State"]["Code"], 80);
    assert_eq!(shown["StateReason"]["Code"], "Client.UserInitiatedShutdown");
    assert_eq!(
        shown["StateTransitionReason"],
        "User initiated (2026-11-22 00:00:00 GMT)"
    );
    scene.ok("StartInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    let asked = scene.asked();
    assert_eq!(
        asked.iter().map(|one| one.task).collect::<Vec<_>>(),
        ["stop", "start"]
    );
    assert_eq!((asked[1].boot, &asked[1].more["first"]), (2, &json!(false)));
    assert_eq!(asked[1].more["disk"], json!(tar));
    let shown = scene.shown(&id);
    assert_eq!(shown["State"]["Name"], "running");
    assert!(shown["StateReason"].is_null());
    let address = shown["PrivateIpAddress"].clone();
    scene.ok("RebootInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    let asked = scene.asked();
    assert_eq!((asked[0].task, asked[0].boot), ("reboot", 2));
    assert_eq!(scene.shown(&id)["PrivateIpAddress"], address);
}

#[test]
fn a_terminated_instance_is_seen_for_an_hour_and_then_never_again() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "IamInstanceProfile": { "Name": "web" }, "ClientToken": "t" }));
    let both = json!({ "InstanceIds": [id] });
    scene.ok("TerminateInstances", &both);
    assert_eq!(scene.state(&id), "shutting-down");
    scene.cloud.advance(0);
    assert_eq!(scene.state(&id), "terminated");
    let shown = scene.shown(&id);
    assert!(shown["PrivateIpAddress"].is_null() && shown["IamInstanceProfile"].is_null());
    for operation in ["StartInstances", "StopInstances", "RebootInstances"] {
        assert_eq!(
            scene.refused(operation, &both).0,
            "IncorrectInstanceState",
            "{operation}"
        );
    }
    scene.ok("TerminateInstances", &both);
    scene.cloud.advance(59 * 60 * 1000);
    assert_eq!(scene.state(&id), "terminated");
    scene.cloud.advance(2 * 60 * 1000);
    let (code, message) = scene.refused("DescribeInstances", &both);
    assert_eq!(code, "InvalidInstanceID.NotFound");
    assert_eq!(message, format!("The instance ID '{id}' does not exist"));
    assert_eq!(*scene.plane.forgotten.lock(), [id]);
}

#[test]
fn protected_instances_are_neither_stopped_nor_ended() {
    let scene = Scene::new();
    let id = scene.launch(&json!({ "DisableApiTermination": true, "DisableApiStop": true }));
    let both = json!({ "InstanceIds": [id] });
    assert_eq!(
        scene.refused("TerminateInstances", &both).0,
        "OperationNotPermitted"
    );
    assert_eq!(scene.refused("StopInstances", &both).0, "OperationNotPermitted");
    let off = json!({ "Value": false });
    scene.ok(
        "ModifyInstanceAttribute",
        &json!({ "InstanceId": id, "DisableApiTermination": off }),
    );
    scene.ok(
        "ModifyInstanceAttribute",
        &json!({ "InstanceId": id, "Attribute": "disableApiStop", "Value": "false" }),
    );
    scene.ok("StopInstances", &both);
    scene.cloud.advance(0);
    scene.ok("TerminateInstances", &both);
}

#[test]
fn a_request_for_several_changes_all_or_none() {
    let scene = Scene::new();
    let (one, other) = (
        scene.launch(&json!({})),
        scene.launch(&json!({ "DisableApiTermination": true })),
    );
    let (code, _) = scene.refused("TerminateInstances", &json!({ "InstanceIds": [one, other] }));
    assert_eq!(code, "OperationNotPermitted");
    let missing = "i-00000000000000000";
    let (code, message) = scene.refused("TerminateInstances", &json!({ "InstanceIds": [one, missing] }));
    assert_eq!(code, "InvalidInstanceID.NotFound");
    assert!(message.contains(missing));
    let (code, _) = scene.refused("TerminateInstances", &json!({ "InstanceIds": [one, "nonsense"] }));
    assert_eq!(code, "InvalidInstanceID.Malformed");
    assert_eq!(scene.state(&one), "running");
}

#[test]
fn a_shutdown_from_inside_does_what_the_instance_was_launched_with() {
    let scene = Scene::new();
    let stays = scene.launch(&json!({}));
    let goes = scene.launch(&json!({ "InstanceInitiatedShutdownBehavior": "terminate" }));
    for id in [&stays, &goes] {
        // What is told of another run is out of date.
        ends(&scene, &run(id, 7), &Ending::ShutDown);
        assert_eq!(scene.state(id), "running");
        ends(&scene, &run(id, 1), &Ending::ShutDown);
    }
    scene.cloud.advance(0);
    assert_eq!(
        (scene.state(&stays), scene.state(&goes)),
        ("stopped".into(), "terminated".into())
    );
    assert_eq!(
        scene.shown(&stays)["StateReason"]["Code"],
        "Client.InstanceInitiatedShutdown"
    );
    let failed = scene.launch(&json!({ "InstanceInitiatedShutdownBehavior": "terminate" }));
    let reason = "its first process was killed".to_owned();
    ends(&scene, &run(&failed, 1), &Ending::Failed { reason });
    scene.cloud.advance(0);
    let shown = scene.shown(&failed);
    assert_eq!(shown["State"]["Name"], "stopped");
    assert_eq!(
        shown["StateReason"]["Message"],
        "Server.InternalError: its first process was killed"
    );
}

#[test]
fn what_cannot_be_started_says_why() {
    let scene = Scene::new();
    *scene.plane.failure.lock() = Some(Failure::Unable {
        what: "no memory is left".to_owned(),
    });
    let id = scene.launch(&json!({}));
    let shown = scene.shown(&id);
    assert_eq!(shown["State"]["Name"], "terminated");
    assert_eq!(
        shown["StateReason"]["Code"],
        "Server.InsufficientInstanceCapacity"
    );
    assert!(
        shown["StateReason"]["Message"]
            .as_str()
            .unwrap()
            .contains("no memory is left")
    );
    *scene.plane.failure.lock() = None;
    let id = scene.launch(&json!({}));
    let one = json!({ "InstanceIds": [id] });
    scene.ok("StopInstances", &one);
    scene.cloud.advance(0);
    *scene.plane.failure.lock() = Some(Failure::Failed {
        reason: "it burned".to_owned(),
    });
    scene.ok("StartInstances", &one);
    scene.cloud.advance(0);
    let shown = scene.shown(&id);
    assert_eq!(shown["State"]["Name"], "stopped");
    assert_eq!(shown["StateReason"]["Message"], "Server.InternalError: it burned");
}

#[test]
fn instances_that_ran_when_the_server_ended_are_started_again() {
    let scene = Scene::new();
    let (ran, rested) = (scene.launch(&json!({})), scene.launch(&json!({})));
    scene.ok("StopInstances", &json!({ "InstanceIds": [rested] }));
    scene.cloud.advance(0);
    scene.asked();
    assert_eq!(
        scene.cloud.gateway.system("us-east-1", work::resume).ok(),
        Some(1)
    );
    assert_eq!(scene.state(&ran), "pending");
    scene.cloud.advance(0);
    let asked = scene.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(
        (asked[0].task, asked[0].boot, &asked[0].more["resume"]),
        ("start", 2, &json!(true))
    );
    assert_eq!(
        (scene.state(&ran), scene.state(&rested)),
        ("running".into(), "stopped".into())
    );
}

#[test]
fn attributes_are_changed_one_at_a_time_and_some_at_rest_only() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    let larger = if crate::scene::TYPE == "t3.micro" {
        "t3.small"
    } else {
        "t4g.small"
    };
    let change = json!({ "InstanceId": id, "InstanceType": { "Value": larger } });
    assert_eq!(
        scene.refused("ModifyInstanceAttribute", &change).0,
        "IncorrectInstanceState"
    );
    scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    scene.ok("ModifyInstanceAttribute", &change);
    assert_eq!(scene.shown(&id)["InstanceType"], larger);
    let (code, _) = scene.refused("ModifyInstanceAttribute", &json!({ "InstanceId": id }));
    assert_eq!(code, "InvalidParameterCombination");
    let (code, message) = scene.refused(
        "ModifyInstanceAttribute",
        &json!({ "InstanceId": id, "SourceDestCheck": { "Value": false } }),
    );
    assert_eq!(code, "UnsupportedOperation");
    assert!(message.contains("SourceDestCheck"));
    scene.ok(
        "ModifyInstanceAttribute",
        &json!({ "InstanceId": id, "UserData": { "Value": "aGVsbG8=" } }),
    );
    let told = scene.ok(
        "DescribeInstanceAttribute",
        &json!({ "InstanceId": id, "Attribute": "userData" }),
    );
    assert_eq!(told["UserData"]["Value"], "aGVsbG8=");
    let told = scene.ok("GetConsoleOutput", &json!({ "InstanceId": id }));
    assert_eq!(told["Output"], "aXQgaXMgdXA=");
}

#[test]
fn nothing_runs_on_for_an_account_that_is_wiped_away() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    let abandon = |account| {
        let done = scene
            .cloud
            .gateway
            .system("us-east-1", |call| work::abandon(call, account));
        assert!(done.is_ok());
    };
    abandon(Some("444455556666"));
    assert!(scene.plane.forgotten.lock().is_empty());
    abandon(Some(ACCOUNT));
    assert_eq!(*scene.plane.forgotten.lock(), [id]);
}

#[test]
fn stopped_instances_start_within_the_account_s_vcpus() {
    let scene = Scene::new();
    let all = whole(&json!({ "MinCount": 1, "MaxCount": 100 }));
    let first = scene.ok("RunInstances", &all);
    scene.cloud.advance(0);
    let ids = |launched: &Value| -> Vec<Value> {
        let instances = launched["Instances"].as_array().unwrap();
        instances.iter().map(|one| one["InstanceId"].clone()).collect()
    };
    let first = json!({ "InstanceIds": ids(&first) });
    scene.ok("StopInstances", &first);
    scene.cloud.advance(0);
    scene.ok("RunInstances", &all);
    scene.cloud.advance(0);
    assert_eq!(scene.refused("StartInstances", &first).0, "VcpuLimitExceeded");
}

#[test]
fn a_disk_that_could_not_be_kept_is_not_imaged_as_an_older_one() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    *scene.plane.failure.lock() = Some(Failure::DiskTooLarge);
    scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    *scene.plane.failure.lock() = None;
    let image = json!({ "InstanceId": id, "Name": "stale" });
    assert_eq!(scene.refused("CreateImage", &image).0, "IncorrectInstanceState");
    scene.ok("StartInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    scene.ok("CreateImage", &image);
}

#[test]
fn a_token_stays_until_the_last_of_its_instances_is_forgotten() {
    let scene = Scene::new();
    let asked = whole(&json!({ "ClientToken": "once", "MaxCount": 2 }));
    let first = scene.ok("RunInstances", &asked);
    scene.cloud.advance(0);
    let one = &first["Instances"][0]["InstanceId"];
    scene.ok("TerminateInstances", &json!({ "InstanceIds": [one] }));
    scene.cloud.advance(0);
    scene.cloud.advance(61 * 60 * 1000);
    let again = scene.ok("RunInstances", &asked);
    assert_eq!(again["Instances"].as_array().unwrap().len(), 1, "{again}");
    assert_eq!(
        again["Instances"][0]["InstanceId"],
        first["Instances"][1]["InstanceId"]
    );
}

#[test]
fn user_data_is_in_no_record_however_it_is_given() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    let change = json!({ "InstanceId": id, "Attribute": "userData", "Value": "c2VjcmV0" });
    scene.ok("ModifyInstanceAttribute", &change);
    let records = scene.cloud.records(ACCOUNT, REGION);
    let changed = records
        .iter()
        .find(|record| record.operation == "ModifyInstanceAttribute");
    let told = changed.unwrap().request.as_ref().unwrap().to_string();
    assert!(told.contains("userData") && !told.contains("c2VjcmV0"), "{told}");
}

#[test]
fn an_instance_is_ended_without_a_word_if_it_is_asked_for() {
    let scene = Scene::new();
    for (more, forced) in [
        (json!({}), false),
        (json!({ "Force": true }), true),
        (json!({ "SkipOsShutdown": true }), true),
    ] {
        let id = scene.launch(&json!({}));
        scene.asked();
        let mut input = more.clone();
        input["InstanceIds"] = json!([id]);
        scene.ok("TerminateInstances", &input);
        scene.cloud.advance(0);
        let asked = scene.asked();
        assert_eq!(
            (asked[0].task, &asked[0].more["force"]),
            ("terminate", &json!(forced)),
            "{more}"
        );
    }
}
