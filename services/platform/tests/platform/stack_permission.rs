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

#[test]
fn a_session_that_has_ended_makes_nothing_any_more() {
    let scene = Scene::new();
    let trust = json!({ "Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:user/maker") }, "Action": "sts:AssumeRole",
    } });
    let maker = scene.user("maker", &json!(allow(&json!("sts:AssumeRole"))));
    let input = json!({ "RoleName": "able", "AssumeRolePolicyDocument": trust.to_string() });
    let role = scene.ok("iam", "CreateRole", input)["Role"]["Arn"].clone();
    let document = json!({ "Version": "2012-10-17", "Statement": allow(&json!("*")) }).to_string();
    let input = json!({ "RoleName": "able", "PolicyName": "own", "PolicyDocument": document });
    scene.ok("iam", "PutRolePolicy", input);
    let asked = json!({ "RoleArn": role, "RoleSessionName": "short", "DurationSeconds": 900 });
    let session = scene.call(&maker, "sts", "AssumeRole", asked).unwrap();
    let text = |member: &str| session["Credentials"][member].as_str().unwrap().to_owned();
    let token = text("SessionToken");
    let caller = scene.cloud.caller(&text("AccessKeyId"), Some(&token)).unwrap();
    let made = scene.call(&caller, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    // The session lasts until now, but not until the update's steps.
    scene.cloud.advance(899_000);
    let more = json!({ "Resources": { "A": named("/a", "other") } }).to_string();
    let input = json!({ "StackName": "one", "TemplateBody": more });
    let made = scene.call(&caller, "cloudformation", "UpdateStack", input.clone());
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    scene.cloud.advance(2_000);
    let refused = scene.call(
        &caller,
        "cloudformation",
        "DeleteStack",
        json!({ "StackName": "one" }),
    );
    // The signature of an ended session is refused before a handler; in process nothing looks at it, so the steps do.
    assert!(refused.is_ok(), "{refused:?}");
    scene.settle();
    assert_eq!(scene.status("one"), "DELETE_FAILED");
    let reason = scene.reason("one", "DELETE_FAILED");
    assert_eq!(reason, "The security token included in the request is expired");
    assert_eq!(scene.parameter("/a").as_deref(), Some("other"));
}

/// CloudFormation User Guide, "Updating protected resources": a policy for an update takes the permission to set policies.
#[test]
fn a_stack_policy_is_set_aside_by_those_alone_who_may_set_it() {
    let scene = Scene::new();
    let statements = json!([
        allow(&json!(["cloudformation:UpdateStack", "ssm:*"])),
        { "Effect": "Allow", "Action": "cloudformation:SetStackPolicy", "Resource": "*",
          "Condition": { "StringEquals": { "aws:ResourceTag/open": "yes" } } },
    ]);
    let changer = scene.user("changer", &statements);
    let template = json!({ "Resources": { "A": named("/a", "one") } });
    scene.made("one", &template);
    let deny =
        json!({ "Statement": { "Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "*" } });
    let set = json!({ "StackName": "one", "StackPolicyBody": deny.to_string() });
    scene.cfn("SetStackPolicy", set);
    let open = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*" } });
    let after = json!({ "Resources": { "A": named("/a", "ONE") } });
    for member in ["StackPolicyDuringUpdateBody", "StackPolicyBody"] {
        let mut input = json!({ "StackName": "one", "TemplateBody": after.to_string() });
        input[member] = open.to_string().into();
        let refused = scene.call(&changer, "cloudformation", "UpdateStack", input);
        let refused = refused.unwrap_err();
        assert!(
            refused.message.contains("cloudformation:SetStackPolicy"),
            "{}",
            refused.message
        );
    }
    scene.settle();
    assert_eq!(scene.parameter("/a").as_deref(), Some("one"));
    let kept = scene.cfn("GetStackPolicy", json!({ "StackName": "one" }));
    assert_eq!(kept["StackPolicyBody"], json!(deny.to_string()));
}

/// CloudFormation User Guide, "Get values stored in other services using dynamic references": what is secret is never shown.
#[test]
fn an_attribute_that_a_reference_was_opened_for_is_not_shown() {
    let scene = Scene::new();
    let secret = json!({
        "Name": "s", "SecretString": "hunter2-hunter2", "ClientRequestToken": "11111111-2222-4333-8444-555555555555",
    });
    scene.ok("secretsmanager", "CreateSecret", secret);
    let value = json!({ "Fn::GetAtt": "A.Value" });
    let template = json!({
        "Resources": { "A": named("/a", "{{resolve:secretsmanager:s}}"), "B": crate::stack::parameter(&value) },
        "Outputs": { "Out": { "Value": value } },
    });
    let stack = scene.made("one", &template);
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{stack}");
    assert_eq!(scene.parameter("/a").as_deref(), Some("hunter2-hunter2"));
    let second = scene.physical("one", "B");
    assert_eq!(scene.parameter(&second).as_deref(), Some("hunter2-hunter2"));
    let told = scene.cfn("DescribeStackEvents", json!({ "StackName": "one" }));
    for shown in [&told, &stack] {
        assert!(!shown.to_string().contains("hunter2"), "{shown}");
    }
    assert_eq!(stack["Outputs"][0]["OutputValue"], "{{resolve:secretsmanager:s}}");
}

#[test]
fn a_template_cannot_say_of_which_stack_a_resource_is() {
    let scene = Scene::new();
    let template = json!({ "Resources": { "S": { "Type": "AWS::SecretsManager::Secret", "Properties": {
        "SecretString": "v", "Tags": [{ "Key": "aws:cloudformation:stack-name", "Value": "other" }],
    } } } });
    let stack = scene.made("one", &template);
    assert_eq!(stack["StackStatus"], "ROLLBACK_COMPLETE", "{stack}");
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(
        reason.contains("tag key aws:cloudformation:stack-name is reserved"),
        "{reason}"
    );
}

/// Not even with what resources allow to everybody, nor as another of the same name.
#[test]
fn a_user_who_was_deleted_is_no_caller_any_more() {
    let scene = Scene::new();
    let maker = scene.user("maker", &json!(allow(&json!("*"))));
    let made = scene.call(&maker, "cloudformation", "CreateStack", create("one"));
    assert!(made.is_ok(), "{made:?}");
    let keys = scene.ok("iam", "ListAccessKeys", json!({ "UserName": "maker" }));
    let key = &keys["AccessKeyMetadata"][0]["AccessKeyId"];
    scene.ok(
        "iam",
        "DeleteAccessKey",
        json!({ "UserName": "maker", "AccessKeyId": key }),
    );
    scene.ok(
        "iam",
        "DeleteUserPolicy",
        json!({ "UserName": "maker", "PolicyName": "own" }),
    );
    scene.ok("iam", "DeleteUser", json!({ "UserName": "maker" }));
    scene.user("maker", &json!(allow(&json!("*"))));
    scene.settle();
    assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE");
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(reason.contains("user/maker no longer exists"), "{reason}");
}
