//! Nested stacks whose operations end otherwise than their parents asked.

use pipeline::testing::REGION;
use serde_json::{Value, json};

use crate::scene::{Scene, arn, policy};

/// A scene with a bucket in which `put` puts templates.
fn scene() -> Scene {
    let scene = Scene::with(data::s3::OPERATIONS);
    let open = json!({ "Effect": "Allow", "Principal": "*", "Action": "s3:*Object", "Resource": "arn:aws:s3:::templates/*" });
    let place = json!({ "LocationConstraint": REGION });
    let input = json!({ "Bucket": "templates", "CreateBucketConfiguration": place });
    scene.ok("s3", "CreateBucket", input);
    scene.ok("s3", "DeletePublicAccessBlock", json!({ "Bucket": "templates" }));
    let input = json!({ "Bucket": "templates", "Policy": policy(&open) });
    scene.ok("s3", "PutBucketPolicy", input);
    scene.function("custom", &json!({}));
    scene
}

fn child() -> Value {
    json!({ "Child": { "Type": "AWS::CloudFormation::Stack", "Properties": {
        "TemplateURL": "http://127.0.0.1:4566/templates/it" } } })
}

fn thing(size: u32) -> Value {
    let properties = json!({ "ServiceToken": arn("custom"), "Size": size });
    json!({ "Resources": { "It": { "Type": "Custom::Thing", "Properties": properties } } })
}

impl Scene {
    fn template(&self, template: &Value) {
        let (status, said) = self.put("http://127.0.0.1:4566/templates/it?", &template.to_string());
        assert_eq!(status, 200, "{said}");
    }
}

#[test]
fn a_parent_hears_of_the_end_of_a_child_that_was_deleted_meanwhile() {
    let scene = scene();
    scene.template(&thing(1));
    scene.bring("CreateStack", &child(), &json!({}));
    assert_eq!(scene.status("one"), "CREATE_IN_PROGRESS");
    let id = scene.physical("one", "Child");
    scene.cfn("DeleteStack", json!({ "StackName": id }));
    scene.settle();
    assert_eq!(scene.asked()["RequestType"], "Delete");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "one" }));
    let failed = told["StackEvents"].as_array().unwrap().iter();
    let mut failed = failed.filter(|event| event["ResourceStatus"] == "CREATE_FAILED");
    let reason = failed.next().unwrap()["ResourceStatusReason"].as_str().unwrap();
    assert!(reason.contains("was not successfully created"), "{reason}");
}

#[test]
fn a_rollback_that_is_gone_on_with_goes_on_within_nested_stacks() {
    let scene = scene();
    scene.template(&thing(1));
    scene.bring("CreateStack", &child(), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    let id = scene.physical("one", "Child");
    scene.template(&thing(2));
    scene.bring("UpdateStack", &child(), &json!({}));
    let failed = json!({ "Status": "FAILED", "Reason": "no", "PhysicalResourceId": "a" });
    // The update, its undoing, and that once more as the parent goes back.
    for status in [
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_FAILED",
    ] {
        scene.respond(&failed);
        assert_eq!(scene.status(&id), status);
    }
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_FAILED");
    scene.cfn("ContinueUpdateRollback", json!({ "StackName": "one" }));
    scene.settle();
    let asked = scene.asked();
    assert_eq!(asked["ResourceProperties"]["Size"], "1");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status(&id), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.physical("one", "Child"), id);
}
