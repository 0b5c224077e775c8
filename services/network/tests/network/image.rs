//! Images: made of instances, shared with others, and taken away.

use bytes::Bytes;
use pipeline::Identity;
use pipeline::testing::{ACCOUNT, Caller};
use serde_json::{Value, json};
use std::sync::Arc;

use crate::scene::{BUILT_IN, Scene, whole};

const OTHER: &str = "444455556666";

/// The root user of another account.
fn other(scene: &Scene) -> Caller {
    let made = scene.cloud.gateway.system("us-east-1", |call| {
        identity::iam::bootstrap::ensure_account(call, OTHER, None).map(|_| ())
    });
    assert!(made.is_ok());
    Arc::new(Identity::root(OTHER))
}

fn image_of(scene: &Scene, instance: &str, name: &str) -> String {
    let made = scene.ok(
        "CreateImage",
        &json!({ "InstanceId": instance, "Name": name, "NoReboot": true }),
    );
    scene.cloud.advance(0);
    made["ImageId"].as_str().unwrap().to_owned()
}

fn launch_of(scene: &Scene, image: &str) -> Value {
    scene.asked();
    scene.ok("RunInstances", &whole(&json!({ "ImageId": image })));
    scene.cloud.advance(0);
    scene.asked()[0].more.clone()
}

#[test]
fn the_built_in_image_says_what_it_is() {
    let scene = Scene::new();
    let listed = scene.ok("DescribeImages", &json!({ "Owners": ["amazon"] }));
    let image = &listed["Images"][0];
    assert_eq!(image["ImageId"], BUILT_IN);
    assert_eq!(
        (&image["Public"], &image["ImageOwnerAlias"]),
        (&json!(true), &json!("amazon"))
    );
    assert!(
        image["Description"]
            .as_str()
            .unwrap()
            .contains("is no image of AWS")
    );
    let (code, _) = scene.refused("DeregisterImage", &json!({ "ImageId": BUILT_IN }));
    assert_eq!(code, "AuthFailure");
}

#[test]
fn an_image_holds_what_its_instance_had_and_outlives_it() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    *scene.plane.disk.lock() = Bytes::from("d".repeat(70_000));
    scene.asked();
    let image = image_of(&scene, &id, "first image");
    let asked = scene.asked();
    assert_eq!(
        (asked[0].task, &asked[0].more["still"]),
        ("snapshot", &json!(false))
    );
    let shown = scene.ok("DescribeImages", &json!({ "ImageIds": [image] }));
    assert_eq!(shown["Images"][0]["State"], "available");
    assert_eq!(shown["Images"][0]["SourceInstanceId"], json!(id));
    scene.ok("TerminateInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    let started = launch_of(&scene, &image);
    assert_eq!(started["disk"], json!("d".repeat(70_000)));
    assert_eq!(started["first"], true);
    let (code, message) = scene.refused("CreateImage", &json!({ "InstanceId": id, "Name": "first image" }));
    assert_eq!(code, "IncorrectInstanceState", "{message}");
}

#[test]
fn an_image_of_a_stopped_instance_shares_its_disk() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    *scene.plane.disk.lock() = Bytes::from_static(b"small");
    scene.ok("StopInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    let image = image_of(&scene, &id, "of rest");
    let (code, _) = scene.refused("CreateImage", &json!({ "InstanceId": id, "Name": "of rest" }));
    assert_eq!(code, "InvalidAMIName.Duplicate");
    scene.ok("DeregisterImage", &json!({ "ImageId": image }));
    assert_eq!(
        scene.refused("DescribeImages", &json!({ "ImageIds": [image] })).0,
        "InvalidAMIID.NotFound"
    );
    scene.asked();
    scene.ok("StartInstances", &json!({ "InstanceIds": [id] }));
    scene.cloud.advance(0);
    assert_eq!(scene.asked()[0].more["disk"], "small");
    image_of(&scene, &id, "of rest");
}

#[test]
fn an_image_is_seen_and_launched_by_those_it_is_shared_with() {
    let scene = Scene::new();
    let other = other(&scene);
    let id = scene.launch(&json!({}));
    let image = image_of(&scene, &id, "shared");
    let named = json!({ "ImageIds": [image] });
    let launch = whole(&json!({ "ImageId": image }));
    let unseen = |scene: &Scene| {
        assert_eq!(
            scene.refused_to(&other, "DescribeImages", &named).0,
            "InvalidAMIID.NotFound"
        );
        assert_eq!(
            scene.refused_to(&other, "RunInstances", &launch).0,
            "InvalidAMIID.NotFound"
        );
    };
    unseen(&scene);
    let permit =
        |kind: &str, grantee: Value| json!({ "ImageId": image, "LaunchPermission": { kind: [grantee] } });
    for grantee in [json!({ "UserId": OTHER }), json!({ "Group": "all" })] {
        scene.ok("ModifyImageAttribute", &permit("Add", grantee.clone()));
        assert!(scene.call(&other, "DescribeImages", &named).is_ok());
        assert!(scene.call(&other, "RunInstances", &launch).is_ok());
        // Who may launch it may neither change nor remove it, nor learn with whom else it is shared.
        let asked = json!({ "ImageId": image, "Attribute": "launchPermission" });
        assert_eq!(
            scene.refused_to(&other, "DescribeImageAttribute", &asked).0,
            "AuthFailure"
        );
        assert_eq!(
            scene
                .refused_to(&other, "DeregisterImage", &json!({ "ImageId": image }))
                .0,
            "AuthFailure"
        );
        let told = scene.ok("DescribeImageAttribute", &asked);
        assert_eq!(told["LaunchPermissions"], json!([grantee]));
        scene.ok("ModifyImageAttribute", &permit("Remove", grantee));
        unseen(&scene);
    }
    scene.ok("ModifyImageAttribute", &permit("Add", json!({ "UserId": OTHER })));
    scene.ok(
        "ResetImageAttribute",
        &json!({ "ImageId": image, "Attribute": "launchPermission" }),
    );
    unseen(&scene);
    let wrong = permit("Add", json!({ "UserId": "somebody" }));
    assert_eq!(
        scene.refused("ModifyImageAttribute", &wrong).0,
        "InvalidAMIAttributeItemValue"
    );
    let owners = scene.ok("DescribeImages", &json!({ "Owners": [ACCOUNT] }));
    assert_eq!(owners["Images"].as_array().unwrap().len(), 1);
}

#[test]
fn an_image_whose_disk_could_not_be_read_is_failed() {
    let scene = Scene::new();
    let id = scene.launch(&json!({}));
    *scene.plane.failure.lock() = Some(pipeline::instances::Failure::DiskTooLarge);
    let image = image_of(&scene, &id, "too large");
    let shown = scene.ok("DescribeImages", &json!({ "ImageIds": [image] }));
    assert_eq!(shown["Images"][0]["State"], "failed");
    let (code, _) = scene.refused("RunInstances", &whole(&json!({ "ImageId": image })));
    assert_eq!(code, "InvalidAMIID.Unavailable");
}

#[test]
fn an_image_s_tags_are_its_owners_alone() {
    let scene = Scene::new();
    let other = other(&scene);
    let id = scene.launch(&json!({}));
    let image = image_of(&scene, &id, "shared");
    let everybody = json!({ "ImageId": image, "LaunchPermission": { "Add": [{ "Group": "all" }] } });
    scene.ok("ModifyImageAttribute", &everybody);
    let tags = json!([{ "Key": "approved", "Value": "yes" }]);
    scene.ok("CreateTags", &json!({ "Resources": [image], "Tags": tags }));
    // Whoever launches it elsewhere is judged without them, and learns nothing of them or of where it came from by filters.
    let approved = json!([{ "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "*",
        "Condition": { "StringEquals": { "aws:ResourceTag/approved": "yes" } } },
        { "Effect": "Allow", "Action": "ec2:RunInstances", "Resource": "arn:aws:ec2:*:*:instance/*" }]);
    let launch = whole(&json!({ "ImageId": image }));
    let own = scene.user("own", &approved);
    assert!(scene.call(&own, "RunInstances", &launch).is_ok());
    let iam = |operation: &str, input: Value| scene.cloud.call(&other, "iam", operation, input).unwrap();
    iam("CreateUser", json!({ "UserName": "theirs" }));
    let document = crate::scene::policy(&approved);
    let input = json!({ "UserName": "theirs", "PolicyName": "own", "PolicyDocument": document });
    iam("PutUserPolicy", input);
    let key = iam("CreateAccessKey", json!({ "UserName": "theirs" }));
    let theirs = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
    let theirs = scene.cloud.caller(theirs, None).unwrap();
    assert_eq!(
        scene.refused_to(&theirs, "RunInstances", &launch).0,
        "UnauthorizedOperation"
    );
    for (filter, value) in [
        ("tag:approved", "yes"),
        ("tag-key", "*"),
        ("source-instance-id", "i-*"),
    ] {
        let asked = json!({ "Owners": [ACCOUNT], "Filters": [{ "Name": filter, "Values": [value] }] });
        let count = |listed: Value| listed["Images"].as_array().map_or(0, Vec::len);
        assert_eq!(count(scene.ok("DescribeImages", &asked)), 1, "{filter}");
        assert_eq!(
            count(scene.call(&other, "DescribeImages", &asked).unwrap()),
            0,
            "{filter}"
        );
    }
}
