//! Nested stacks whose operations end otherwise than their parents asked.

use pipeline::testing::REGION;
use serde_json::{Value, json};

use crate::scene::{Scene, arn, policy};
use crate::stack::named;

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

impl Scene {
    /// Makes the stack `one` of the child with this template, and tells the child's id.
    fn nested(&self, template: &Value, capabilities: &Value) -> String {
        self.template(template);
        let parent = json!({ "Resources": child() }).to_string();
        let input = json!({ "StackName": "one", "TemplateBody": parent, "Capabilities": capabilities });
        self.cfn("CreateStack", input);
        self.settle();
        self.physical("one", "Child")
    }
}

/// The child, and what fails when the child is changed.
fn doomed() -> Value {
    let mut resources = child();
    let properties = json!({ "ServiceToken": "nonsense" });
    resources["Bad"] = json!({ "Type": "Custom::Thing", "DependsOn": "Child", "Properties": properties });
    resources
}

#[test]
fn a_parent_may_use_an_output_that_its_child_gains() {
    let scene = scene();
    let mut template = json!({ "Resources": { "It": named("/it", "x") } });
    scene.nested(&template, &json!([]));
    template["Outputs"] = json!({ "New": { "Value": "fresh" } });
    scene.template(&template);
    let outputs = json!({ "Told": { "Value": { "Fn::GetAtt": "Child.Outputs.New" } } });
    scene.bring("UpdateStack", &child(), &outputs);
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    assert_eq!(scene.stack("one")["Outputs"][0]["OutputValue"], "fresh");
}

#[test]
fn references_in_a_childs_parameters_are_opened_by_the_child() {
    let scene = scene();
    let token = "00000000-0000-4000-8000-000000000001";
    let input = json!({ "Name": "key", "SecretString": "quiet please", "ClientRequestToken": token });
    scene.ok("secretsmanager", "CreateSecret", input);
    let mut it = named("/it", "x");
    it["Properties"]["Value"] = json!({ "Ref": "Given" });
    scene.template(&json!({ "Parameters": { "Given": { "Type": "String" } }, "Resources": { "It": it } }));
    let mut resources = child();
    let reference = "{{resolve:secretsmanager:key}}";
    resources["Child"]["Properties"]["Parameters"] = json!({ "Given": reference });
    scene.bring("CreateStack", &resources, &json!({}));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    let id = scene.physical("one", "Child");
    let told = scene.stack(&id)["Parameters"][0]["ParameterValue"].clone();
    assert_eq!(told, reference);
    assert_eq!(scene.parameter("/it").as_deref(), Some("quiet please"));
}

#[test]
fn a_child_that_does_not_go_back_is_told_to_have_failed() {
    let scene = scene();
    let id = scene.nested(&thing(1), &json!([]));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    scene.template(&thing(2));
    scene.bring("UpdateStack", &doomed(), &json!({}));
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.asked()["ResourceProperties"]["Size"], "1");
    let failed = json!({ "Status": "FAILED", "Reason": "no", "PhysicalResourceId": "a" });
    scene.respond(&failed);
    assert_eq!(scene.asked()["ResourceProperties"]["Size"], "2");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status(&id), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_FAILED");
    // Another attempt is another update.
    scene.cfn("ContinueUpdateRollback", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.asked()["ResourceProperties"]["Size"], "1");
    scene.respond(&json!({ "PhysicalResourceId": "a" }));
    assert_eq!(scene.status(&id), "UPDATE_COMPLETE");
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
}

#[test]
fn what_a_child_was_needs_no_new_acknowledgement() {
    let scene = scene();
    let group = json!({ "Resources": { "It": { "Type": "AWS::IAM::Group" } } });
    let id = scene.nested(&group, &json!(["CAPABILITY_IAM"]));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    scene.template(&json!({ "Resources": { "Other": named("/it", "x") } }));
    scene.bring("UpdateStack", &doomed(), &json!({}));
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.parameter("/it"), None);
    assert!(!scene.physical(&id, "It").is_empty());
}

#[test]
fn a_child_goes_back_to_a_long_template_that_is_at_its_address_no_more() {
    let scene = scene();
    let long =
        json!({ "Resources": { "It": named("/it", "old") }, "Metadata": { "Long": "x".repeat(60_000) } });
    scene.nested(&long, &json!([]));
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    scene.template(&json!({ "Resources": { "It": named("/it", "new") } }));
    scene.bring("UpdateStack", &doomed(), &json!({}));
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.parameter("/it").as_deref(), Some("old"));
}
