//! Stacks: made, described, deleted; and what they tell while they are.

use serde_json::{Value, json};

use crate::scene::Scene;

impl Scene {
    /// CloudFormation as root, where success is expected.
    pub(crate) fn cfn(&self, operation: &str, input: Value) -> Value {
        self.ok("cloudformation", operation, input)
    }

    /// The message of a refusal of CloudFormation's to root.
    pub(crate) fn cfn_refused(&self, operation: &str, input: Value) -> String {
        let refused = self.call(&self.root, "cloudformation", operation, input);
        refused.unwrap_err().message
    }

    /// Runs the jobs that are due.
    pub(crate) fn settle(&self) {
        self.cloud.advance(0);
    }

    pub(crate) fn stack(&self, name: &str) -> Value {
        self.cfn("DescribeStacks", json!({ "StackName": name }))["Stacks"][0].clone()
    }

    pub(crate) fn status(&self, name: &str) -> String {
        self.stack(name)["StackStatus"].as_str().unwrap().to_owned()
    }

    /// A stack that is made to its end.
    pub(crate) fn made(&self, name: &str, template: &Value) -> Value {
        let input = json!({ "StackName": name, "TemplateBody": template.to_string() });
        self.cfn("CreateStack", input);
        self.settle();
        self.stack(name)
    }

    /// `ID STATUS` of each event, the oldest first.
    pub(crate) fn events(&self, name: &str) -> Vec<String> {
        let told = self.cfn("DescribeStackEvents", json!({ "StackName": name }));
        let mut told: Vec<String> = told["StackEvents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| {
                let text = |member: &str| event[member].as_str().unwrap_or("?").to_owned();
                format!("{} {}", text("LogicalResourceId"), text("ResourceStatus"))
            })
            .collect();
        told.reverse();
        told
    }

    /// The reason of the newest event with a status.
    pub(crate) fn reason(&self, name: &str, status: &str) -> String {
        let told = self.cfn("DescribeStackEvents", json!({ "StackName": name }));
        let events = told["StackEvents"].as_array().unwrap();
        let found = events.iter().find(|event| {
            event["ResourceStatus"] == status && event["ResourceType"] != "AWS::CloudFormation::Stack"
        });
        found.unwrap()["ResourceStatusReason"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let held = self.ok("ssm", "GetParameters", json!({ "Names": [name] }));
        held["Parameters"][0]["Value"].as_str().map(str::to_owned)
    }

    pub(crate) fn physical(&self, stack: &str, logical: &str) -> String {
        let input = json!({ "StackName": stack, "LogicalResourceId": logical });
        let told = self.cfn("DescribeStackResource", input);
        let id = &told["StackResourceDetail"]["PhysicalResourceId"];
        id.as_str().unwrap().to_owned()
    }
}

/// A parameter of Systems Manager as a template has it.
pub(crate) fn parameter(value: &Value) -> Value {
    json!({ "Type": "AWS::SSM::Parameter", "Properties": { "Type": "String", "Value": value } })
}

pub(crate) fn named(name: &str, value: &str) -> Value {
    json!({ "Type": "AWS::SSM::Parameter", "Properties": { "Name": name, "Type": "String", "Value": value } })
}

fn two() -> Value {
    json!({
        "Description": "Two parameters",
        "Resources": {
            "Second": parameter(&json!({ "Fn::Sub": "after ${First}" })),
            "First": parameter(&json!("one")),
        },
        "Outputs": { "Name": { "Value": { "Ref": "Second" }, "Description": "The second" } },
    })
}

#[test]
fn resources_are_made_in_the_order_of_their_needs() {
    let scene = Scene::new();
    let stack = scene.made("pair", &two());
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE");
    assert_eq!(stack["Description"], "Two parameters");
    let (first, second) = (scene.physical("pair", "First"), scene.physical("pair", "Second"));
    assert!(first.starts_with("CFN-First-"), "{first}");
    assert_eq!(scene.parameter(&second), Some(format!("after {first}")));
    assert_eq!(stack["Outputs"][0]["OutputValue"], json!(second));
    let told = [
        "pair CREATE_IN_PROGRESS",
        "First CREATE_IN_PROGRESS",
        "First CREATE_IN_PROGRESS",
        "First CREATE_COMPLETE",
        "Second CREATE_IN_PROGRESS",
        "Second CREATE_IN_PROGRESS",
        "Second CREATE_COMPLETE",
        "pair CREATE_COMPLETE",
    ];
    assert_eq!(scene.events("pair"), told);
    let events = scene.cfn("DescribeStackEvents", json!({ "StackName": "pair" }));
    let events = events["StackEvents"].as_array().unwrap();
    let moments: Vec<String> = events
        .iter()
        .map(|event| event["Timestamp"].to_string())
        .collect();
    let distinct: std::collections::BTreeSet<&String> = moments.iter().collect();
    assert_eq!(distinct.len(), told.len(), "{moments:?}");
}

#[test]
fn a_deleted_stack_is_known_by_its_id_alone() {
    let scene = Scene::new();
    let stack = scene.made("pair", &two());
    let second = scene.physical("pair", "Second");
    scene.cfn("DeleteStack", json!({ "StackName": "pair" }));
    assert_eq!(scene.status("pair"), "DELETE_IN_PROGRESS");
    scene.settle();
    assert_eq!(scene.parameter(&second), None);
    let refused = scene.cfn_refused("DescribeStacks", json!({ "StackName": "pair" }));
    assert_eq!(refused, "Stack with id pair does not exist");
    let id = stack["StackId"].as_str().unwrap();
    assert_eq!(scene.status(id), "DELETE_COMPLETE");
    let gone: Vec<_> = scene.events(id).into_iter().rev().take(5).collect();
    let told = [
        "pair DELETE_COMPLETE",
        "First DELETE_COMPLETE",
        "First DELETE_IN_PROGRESS",
        "Second DELETE_COMPLETE",
        "Second DELETE_IN_PROGRESS",
    ];
    assert_eq!(gone, told);
    let all = scene.cfn("DescribeStacks", json!({}));
    assert_eq!(all["Stacks"], json!([]));
    let listed = scene.cfn("ListStacks", json!({ "StackStatusFilter": ["DELETE_COMPLETE"] }));
    assert_eq!(listed["StackSummaries"][0]["StackId"], json!(id));
    // The name is free again, and a deletion of nothing succeeds.
    assert_eq!(scene.made("pair", &two())["StackStatus"], "CREATE_COMPLETE");
    scene.cfn("DeleteStack", json!({ "StackName": "nothing" }));
}

#[test]
fn a_token_makes_one_stack() {
    let scene = Scene::new();
    let input = json!({ "StackName": "pair", "TemplateBody": two().to_string(), "ClientRequestToken": "t1" });
    let one = scene.cfn("CreateStack", input.clone());
    let again = scene.cfn("CreateStack", input);
    assert_eq!(one["StackId"], again["StackId"]);
    scene.settle();
    let mut other = json!({ "StackName": "pair", "TemplateBody": two().to_string() });
    let refused = scene.cfn_refused("CreateStack", other.clone());
    assert_eq!(refused, "Stack [pair] already exists");
    other["ClientRequestToken"] = json!("t1");
    let refused = scene.cfn_refused("UpdateStack", other);
    assert_eq!(refused, "Token t1 already exists");
}

#[test]
fn protected_stacks_and_retained_resources_stay() {
    let scene = Scene::new();
    let mut template = two();
    template["Resources"]["First"]["DeletionPolicy"] = json!("Retain");
    scene.made("pair", &template);
    let first = scene.physical("pair", "First");
    let protect = |on: bool| json!({ "StackName": "pair", "EnableTerminationProtection": on });
    scene.cfn("UpdateTerminationProtection", protect(true));
    let refused = scene.cfn_refused("DeleteStack", json!({ "StackName": "pair" }));
    assert_eq!(
        refused,
        "Stack [pair] cannot be deleted while TerminationProtection is enabled"
    );
    scene.cfn("UpdateTerminationProtection", protect(false));
    let id = scene.stack("pair")["StackId"].as_str().unwrap().to_owned();
    scene.cfn("DeleteStack", json!({ "StackName": "pair" }));
    scene.settle();
    assert_eq!(scene.status(&id), "DELETE_COMPLETE");
    assert_eq!(scene.parameter(&first).as_deref(), Some("one"));
    assert!(scene.events(&id).contains(&"First DELETE_SKIPPED".to_owned()));
}

#[test]
fn a_parameter_without_echo_is_never_shown() {
    let scene = Scene::new();
    let template = json!({
        "Parameters": { "Word": { "Type": "String", "NoEcho": true }, "Plain": { "Type": "String", "Default": "p" } },
        "Resources": { "Holder": parameter(&json!({ "Fn::Sub": "${Plain} ${Word}" })) },
    });
    let input = json!({
        "StackName": "veiled", "TemplateBody": template.to_string(),
        "Parameters": [{ "ParameterKey": "Word", "ParameterValue": "sesame" }],
    });
    scene.cfn("CreateStack", input);
    scene.settle();
    assert_eq!(scene.status("veiled"), "CREATE_COMPLETE");
    let holder = scene.physical("veiled", "Holder");
    assert_eq!(scene.parameter(&holder).as_deref(), Some("p sesame"));
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "veiled" }));
    assert!(!told.to_string().contains("sesame"), "{told}");
    assert!(told.to_string().contains("p ****"), "{told}");
    let shown = scene.stack("veiled").to_string();
    assert!(shown.contains("****") && !shown.contains("sesame"), "{shown}");
    let records = scene
        .cloud
        .records(pipeline::testing::ACCOUNT, pipeline::testing::REGION);
    let own = records.iter().filter(|record| record.service == "cloudformation");
    for record in own {
        let text = serde_json::to_string(&record.request).unwrap();
        assert!(!text.contains("sesame"), "{text}");
    }
}

#[test]
fn dynamic_references_open_for_the_service_and_are_kept_as_they_stand() {
    let scene = Scene::new();
    let stored = json!({ "Name": "/config/size", "Type": "String", "Value": "large" });
    scene.ok("ssm", "PutParameter", stored);
    let secret = json!({
        "Name": "db", "SecretString": r#"{"password":"hunter2"}"#,
        "ClientRequestToken": "0123456789abcdef0123456789abcdef",
    });
    scene.ok("secretsmanager", "CreateSecret", secret);
    let template = json!({
        "Parameters": { "Size": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/config/size" } },
        "Resources": {
            "One": parameter(&json!("{{resolve:ssm:/config/size}} {{resolve:secretsmanager:db:SecretString:password}}")),
            "Two": parameter(&json!({ "Ref": "Size" })),
        },
    });
    let stack = scene.made("opened", &template);
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{stack}");
    assert_eq!(stack["Parameters"][0]["ParameterValue"], "/config/size");
    assert_eq!(stack["Parameters"][0]["ResolvedValue"], "large");
    let value = |id| scene.parameter(&scene.physical("opened", id));
    assert_eq!(value("One").as_deref(), Some("large hunter2"));
    assert_eq!(value("Two").as_deref(), Some("large"));
    let told = scene
        .cfn("DescribeStackEvents", json!({ "StackName": "opened" }))
        .to_string();
    assert!(
        !told.contains("hunter2") && told.contains("{{resolve:secretsmanager:db"),
        "{told}"
    );
    let missing = json!({
        "Parameters": { "Size": { "Type": "AWS::SSM::Parameter::Value<String>", "Default": "/none" } },
        "Resources": { "Two": parameter(&json!({ "Ref": "Size" })) },
    });
    let input = json!({ "StackName": "lost", "TemplateBody": missing.to_string() });
    let refused = scene.cfn_refused("CreateStack", input);
    assert_eq!(
        refused,
        "Unable to fetch parameters [/none] from parameter store for this account."
    );
}

/// Services say what is wrong with a value by the value, and whoever may read events may not read secrets.
#[test]
fn no_reason_of_a_failure_tells_a_secret() {
    let scene = Scene::new();
    let secret = json!({
        "Name": "db", "SecretString": r#"{"password":"hunter2"}"#,
        "ClientRequestToken": "0123456789abcdef0123456789abcdef",
    });
    scene.ok("secretsmanager", "CreateSecret", secret);
    let template = json!({
        "Parameters": { "Quiet": { "Type": "String", "NoEcho": true } },
        "Resources": { "It": { "Type": "AWS::SSM::Parameter", "Properties": {
            "Type": "String", "Value": "v", "Tier": { "Fn::Sub": "{{resolve:secretsmanager:db:SecretString:password}}-${Quiet}" },
        } } },
    });
    let input = json!({
        "StackName": "told", "TemplateBody": template.to_string(),
        "Parameters": [{ "ParameterKey": "Quiet", "ParameterValue": "silence" }],
    });
    scene.cfn("CreateStack", input);
    scene.settle();
    assert_eq!(scene.status("told"), "ROLLBACK_COMPLETE");
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "told" }));
    let told = told.to_string();
    assert!(!told.contains("hunter2") && !told.contains("silence"), "{told}");
    assert!(
        scene.reason("told", "CREATE_FAILED").contains("****-****"),
        "{told}"
    );
}

#[test]
fn what_iam_makes_must_be_acknowledged() {
    let scene = Scene::new();
    let template = json!({ "Resources": { "Group": { "Type": "AWS::IAM::Group" } } });
    let mut input = json!({ "StackName": "people", "TemplateBody": template.to_string() });
    let refused = scene.cfn_refused("CreateStack", input.clone());
    assert_eq!(refused, "Requires capabilities : [CAPABILITY_IAM]");
    input["Capabilities"] = json!(["CAPABILITY_IAM"]);
    scene.cfn("CreateStack", input);
    scene.settle();
    assert_eq!(scene.status("people"), "CREATE_COMPLETE");
    let named = json!({
        "Resources": { "Group": { "Type": "AWS::IAM::Group", "Properties": { "GroupName": "people" } } },
    });
    let input = json!({
        "StackName": "named", "TemplateBody": named.to_string(), "Capabilities": ["CAPABILITY_IAM"],
    });
    let refused = scene.cfn_refused("CreateStack", input);
    assert_eq!(refused, "Requires capabilities : [CAPABILITY_NAMED_IAM]");
}

#[test]
fn what_is_not_built_is_refused_and_not_passed_over() {
    let scene = Scene::new();
    let mut input = json!({ "StackName": "pair", "TemplateBody": two().to_string() });
    input["NotificationARNs"] = json!(["arn:aws:sns:eu-central-1:111122223333:told"]);
    let refused = scene.call(&scene.root, "cloudformation", "CreateStack", input);
    assert_eq!(refused.unwrap_err().code, "NotImplemented");
    let strange = json!({ "Resources": { "It": { "Type": "AWS::Nowhere::Thing" } } });
    let input = json!({ "StackName": "pair", "TemplateBody": strange.to_string() });
    let refused = scene.cfn_refused("CreateStack", input);
    assert_eq!(
        refused,
        "Template format error: Unrecognized resource types: [AWS::Nowhere::Thing]"
    );
}

#[test]
fn a_deleted_stack_is_forgotten_after_ninety_days() {
    let scene = Scene::new();
    let stack = scene.made("pair", &two());
    let id = stack["StackId"].as_str().unwrap();
    scene.cfn("DeleteStack", json!({ "StackName": "pair" }));
    scene.settle();
    scene.cloud.advance(89 * 86_400_000);
    assert_eq!(scene.status(id), "DELETE_COMPLETE");
    scene.cloud.advance(2 * 86_400_000);
    let refused = scene.cfn_refused("DescribeStacks", json!({ "StackName": id }));
    assert_eq!(refused, format!("Stack with id {id} does not exist"));
    assert_eq!(scene.cfn("ListStacks", json!({}))["StackSummaries"], json!([]));
}
