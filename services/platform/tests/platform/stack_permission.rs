//! In whose name stacks act: their caller's or a role's, and never with more than these may.

use pipeline::testing::{ACCOUNT, REGION};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::stack::named;

fn template() -> String {
    json!({ "Resources": {
        "A": named("/a", "one"),
        "B": { "Type": "AWS::SSM::Parameter", "DependsOn": "A",
               "Properties": { "Name": "/b", "Type": "String", "Value": "two" } },
    } })
    .to_string()
}

fn allow(actions: &Value) -> Value {
    json!({ "Effect": "Allow", "Action": actions, "Resource": "*" })
}

fn create(name: &str) -> Value {
    json!({ "StackName": name, "TemplateBody": template() })
}

#[test]
fn a_caller_without_the_permission_gets_the_services_own_refusal_and_nothing_stays() {
    let scene = Scene::new();
    let statements = json!([
        allow(&json!(["cloudformation:*", "ssm:GetParameters", "ssm:AddTagsToResource", "ssm:DeleteParameter"])),
        { "Effect": "Allow", "Action": "ssm:PutParameter", "Resource": "arn:aws:ssm:*:*:parameter/a" },
    ]);
    let maker = scene.user("maker", &statements);
    let made = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    let reason = scene.reason("one", "CREATE_FAILED");
    let refused = format!(
        "User: arn:aws:iam::{ACCOUNT}:user/maker is not authorized to perform: ssm:PutParameter on resource: \
         arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/b"
    );
    assert!(reason.contains(&refused), "{reason}");
    assert!(reason.contains("HandlerErrorCode: AccessDenied"), "{reason}");
    assert_eq!((scene.parameter("/a"), scene.parameter("/b")), (None, None));
    let why = scene.stack("one")["StackStatusReason"].clone();
    assert_eq!(why, Value::Null);
    let denied = scene
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .find(|record| record.operation == "PutParameter" && record.error.is_some());
    let denied = denied.unwrap();
    assert_eq!(
        denied.caller.invoked_by.as_deref(),
        Some("cloudformation.amazonaws.com")
    );
}

#[test]
fn a_step_that_fails_in_its_second_call_leaves_nothing_of_its_first() {
    let scene = Scene::new();
    // Everything but the reading back, which comes after the parameter was written; and nothing that could remove it.
    let maker = scene.user(
        "maker",
        &json!(allow(&json!([
            "cloudformation:*",
            "ssm:PutParameter",
            "ssm:AddTagsToResource"
        ]))),
    );
    let made = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    assert!(scene.reason("one", "CREATE_FAILED").contains("ssm:GetParameters"));
    assert_eq!(scene.parameter("/a"), None);
    let written = scene
        .cloud
        .records(ACCOUNT, REGION)
        .into_iter()
        .any(|record| record.operation == "PutParameter");
    assert!(!written, "what did not happen is in the trail");
}

#[test]
fn policies_see_through_which_service_a_call_came() {
    let scene = Scene::new();
    let via = json!({ "ForAnyValue:StringEquals": { "aws:CalledVia": "cloudformation.amazonaws.com" } });
    let statements = json!([
        allow(&json!("cloudformation:*")),
        { "Effect": "Allow", "Action": "ssm:*", "Resource": "*", "Condition": via },
    ]);
    let maker = scene.user("maker", &statements);
    let put = json!({ "Name": "/direct", "Type": "String", "Value": "v" });
    assert!(scene.call(&maker, "ssm", "PutParameter", put).is_err());
    let made = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
}

#[test]
fn a_caller_who_is_gone_makes_nothing_any_more() {
    let scene = Scene::new();
    let maker = scene.user("maker", &json!(allow(&json!("*"))));
    let made = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    scene.ok(
        "iam",
        "DeleteUserPolicy",
        json!({ "UserName": "maker", "PolicyName": "own" }),
    );
    scene.settle();
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    assert_eq!(scene.parameter("/a"), None);
}

#[test]
fn a_role_acts_in_the_callers_place() {
    let scene = Scene::new();
    let role = scene.role("stacks", "cloudformation.amazonaws.com");
    let document = json!({ "Version": "2012-10-17", "Statement": allow(&json!("ssm:*")) }).to_string();
    let input = json!({ "RoleName": "stacks", "PolicyName": "own", "PolicyDocument": document });
    scene.ok("iam", "PutRolePolicy", input);
    let maker = scene.user("maker", &json!(allow(&json!("cloudformation:*"))));
    let mut input = create("one");
    input["RoleARN"] = json!(role);
    let refused = scene.call(&maker, "cloudformation", "CreateStack", input.clone());
    let message = refused.unwrap_err().message;
    assert!(message.contains("iam:PassRole"), "{message}");
    let pass = json!({ "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" } });
    let statements = json!([
        allow(&json!("cloudformation:*")),
        { "Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": pass },
    ]);
    let passer = scene.user("passer", &statements);
    let made = scene.call(&passer, "cloudformation", "CreateStack", input);
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    let records = scene.cloud.records(ACCOUNT, REGION);
    let put = records
        .iter()
        .find(|record| record.operation == "PutParameter")
        .unwrap();
    let caller = serde_json::to_string(&put.caller).unwrap();
    assert!(
        caller.contains("assumed-role/stacks/AWSCloudFormation"),
        "{caller}"
    );
    // A role that does not trust CloudFormation is refused at once.
    let other = scene.role("others", "lambda.amazonaws.com");
    let mut input = create("two");
    input["RoleARN"] = json!(other);
    let refused = scene.cfn_refused("CreateStack", input);
    let told = format!("Role {other} is invalid or cannot be assumed");
    assert!(refused.starts_with(&told), "{refused}");
}

#[test]
fn condition_keys_narrow_what_may_be_handed_in() {
    let scene = Scene::new();
    let kinds = json!({ "ForAllValues:StringLike": { "cloudformation:ResourceTypes": ["AWS::SSM::*"] },
                        "Null": { "cloudformation:ResourceTypes": "false" } });
    let statements = json!([
        { "Effect": "Allow", "Action": "cloudformation:CreateStack", "Resource": "*", "Condition": kinds },
        allow(&json!("ssm:*")),
    ]);
    let maker = scene.user("maker", &statements);
    let refused = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(
        refused
            .unwrap_err()
            .message
            .contains("cloudformation:CreateStack")
    );
    let mut input = create("one");
    input["ResourceTypes"] = json!(["AWS::SSM::Parameter"]);
    let made = scene.call(&maker, "cloudformation", "CreateStack", input.clone());
    assert!(made.is_ok(), "{made:?}");
    let mut other = create("two");
    other["ResourceTypes"] = json!(["AWS::SSM::Document"]);
    let refused = scene.cfn_refused("CreateStack", other);
    assert!(
        refused.starts_with("Resource type AWS::SSM::Parameter is not allowed"),
        "{refused}"
    );
}
