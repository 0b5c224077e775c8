//! Stacks that change: in place, by replacement, back again, by change sets; and what they export to each other.

use pipeline::testing::{ACCOUNT, REGION};
use platform::cloudformation::stack::{Id, NAMES};
use serde_json::{Value, json};

use crate::scene::Scene;
use crate::stack::{named, parameter};

fn with(resources: &Value) -> Value {
    json!({ "Resources": resources })
}

impl Scene {
    fn update(&self, name: &str, template: &Value) -> Value {
        let input = json!({ "StackName": name, "TemplateBody": template.to_string() });
        self.cfn("UpdateStack", input);
        self.settle();
        self.stack(name)
    }
}

impl Scene {
    /// A function that may rotate secrets. It takes no step, so that a rotation at once would not end.
    pub(crate) fn rotates(&self) -> String {
        self.function("rotates", &json!({}));
        let permission = json!({
            "FunctionName": "rotates", "StatementId": "s", "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
        });
        self.lambda("AddPermission", permission);
        crate::scene::arn("rotates")
    }

    /// A secret is rotated every week, by somebody else than a stack.
    fn rotated(&self, secret: &str) {
        let input = json!({
            "SecretId": secret, "RotationLambdaARN": self.rotates(), "RotateImmediately": false,
            "ClientRequestToken": "11111111-2222-4333-8444-555555555555",
            "RotationRules": { "AutomaticallyAfterDays": 7 },
        });
        self.ok("secretsmanager", "RotateSecret", input);
    }
}

#[test]
fn an_update_without_changes_is_refused() {
    let scene = Scene::new();
    let template = with(&json!({ "It": named("/it", "one") }));
    scene.made("one", &template);
    let input = json!({ "StackName": "one", "TemplateBody": template.to_string() });
    assert_eq!(
        scene.cfn_refused("UpdateStack", input),
        "No updates are to be performed."
    );
    let refused = scene.cfn_refused(
        "UpdateStack",
        json!({ "StackName": "two", "UsePreviousTemplate": true }),
    );
    assert_eq!(refused, "Stack [two] does not exist");
}

#[test]
fn an_update_changes_in_place_replaces_and_removes() {
    let scene = Scene::new();
    let before =
        json!({ "Same": named("/same", "one"), "Other": named("/old", "two"), "Gone": named("/gone", "x") });
    scene.made("one", &with(&before));
    let after =
        json!({ "Same": named("/same", "ONE"), "Other": named("/new", "two"), "More": named("/more", "m") });
    let stack = scene.update("one", &with(&after));
    assert_eq!(stack["StackStatus"], "UPDATE_COMPLETE");
    let held = |name: &str| scene.parameter(name);
    assert_eq!(held("/same").as_deref(), Some("ONE"));
    assert_eq!(held("/new").as_deref(), Some("two"));
    assert_eq!(held("/more").as_deref(), Some("m"));
    assert_eq!((held("/old"), held("/gone")), (None, None));
    assert_eq!(scene.physical("one", "Other"), "/new");
    let told = scene.events("one");
    let cleaning = told
        .iter()
        .position(|event| event == "Gone DELETE_COMPLETE")
        .unwrap();
    let made = told
        .iter()
        .position(|event| event == "Other UPDATE_COMPLETE")
        .unwrap();
    assert!(made < cleaning);
    let listed = scene.cfn("ListStackResources", json!({ "StackName": "one" }));
    assert_eq!(listed["StackResourceSummaries"].as_array().unwrap().len(), 3);
}

#[test]
fn an_update_that_fails_goes_back() {
    let scene = Scene::new();
    let before = json!({ "A": named("/a", "one"), "B": named("/b", "two"), "C": named("/c", "three") });
    scene.made("one", &with(&before));
    scene.ok(
        "ssm",
        "PutParameter",
        json!({ "Name": "/taken", "Type": "String", "Value": "mine" }),
    );
    let after = json!({
        "A": named("/a", "ONE"), "B": named("/b2", "two"), "D": named("/d", "new"),
        "E": { "Type": "AWS::SSM::Parameter", "DependsOn": ["A", "B", "D"],
               "Properties": { "Name": "/taken", "Type": "String", "Value": "theirs" } },
    });
    let stack = scene.update("one", &with(&after));
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", "{stack}");
    let held = |name: &str| scene.parameter(name);
    assert_eq!(held("/a").as_deref(), Some("one"));
    assert_eq!(held("/b").as_deref(), Some("two"));
    assert_eq!(held("/c").as_deref(), Some("three"));
    assert_eq!(held("/taken").as_deref(), Some("mine"));
    assert_eq!((held("/b2"), held("/d")), (None, None));
    assert_eq!(scene.physical("one", "B"), "/b");
    let reason = scene.reason("one", "CREATE_FAILED");
    assert!(reason.contains("HandlerErrorCode: AlreadyExists"), "{reason}");
    let template = scene.cfn("GetTemplate", json!({ "StackName": "one" }));
    let kept: Value = serde_json::from_str(template["TemplateBody"].as_str().unwrap()).unwrap();
    assert_eq!(kept, with(&before));
    let listed = scene.cfn("ListStackResources", json!({ "StackName": "one" }));
    assert_eq!(listed["StackResourceSummaries"].as_array().unwrap().len(), 3);
}

#[test]
fn an_update_is_cancelled_between_two_steps() {
    let scene = Scene::new();
    scene.made("one", &with(&json!({ "A": named("/a", "one") })));
    let after = with(&json!({ "A": named("/a", "ONE") }));
    scene.cfn(
        "UpdateStack",
        json!({ "StackName": "one", "TemplateBody": after.to_string() }),
    );
    scene.cfn("CancelUpdateStack", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.status("one"), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(scene.parameter("/a").as_deref(), Some("one"));
    let refused = scene.cfn_refused("CancelUpdateStack", json!({ "StackName": "one" }));
    assert_eq!(
        refused,
        "CancelUpdateStack cannot be called from current stack status"
    );
}

#[test]
fn a_stack_policy_keeps_resources_from_updates() {
    let scene = Scene::new();
    scene.made(
        "one",
        &with(&json!({ "A": named("/a", "one"), "B": named("/b", "two") })),
    );
    let policy = json!({ "Statement": [
        { "Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*" },
        { "Effect": "Deny", "Principal": "*", "Action": "Update:*", "Resource": "LogicalResourceId/A" },
    ] });
    let input = json!({ "StackName": "one", "StackPolicyBody": policy.to_string() });
    scene.cfn("SetStackPolicy", input);
    let after = with(&json!({ "A": named("/a", "ONE"), "B": named("/b", "two") }));
    let stack = scene.update("one", &after);
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    let reason = scene.reason("one", "UPDATE_FAILED");
    assert!(reason.contains("Action denied by stack policy"), "{reason}");
    assert_eq!(scene.parameter("/a").as_deref(), Some("one"));
    let during = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*" } });
    let input = json!({
        "StackName": "one", "TemplateBody": after.to_string(), "StackPolicyDuringUpdateBody": during.to_string(),
    });
    scene.cfn("UpdateStack", input);
    scene.settle();
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    assert_eq!(scene.parameter("/a").as_deref(), Some("ONE"));
    let kept = scene.cfn("GetStackPolicy", json!({ "StackName": "one" }));
    assert_eq!(kept["StackPolicyBody"], json!(policy.to_string()));
}

#[test]
fn an_export_stays_while_it_is_imported() {
    let scene = Scene::new();
    let exporter = |value: &str| {
        json!({
            "Resources": { "It": named("/it", "one") },
            "Outputs": { "Out": { "Value": value, "Export": { "Name": "shared" } } },
        })
    };
    scene.made("giver", &exporter("v1"));
    let importer = with(&json!({ "Copy": parameter(&json!({ "Fn::ImportValue": "shared" })) }));
    let stack = scene.made("taker", &importer);
    assert_eq!(stack["StackStatus"], "CREATE_COMPLETE", "{stack}");
    let copy = scene.physical("taker", "Copy");
    assert_eq!(scene.parameter(&copy).as_deref(), Some("v1"));
    let listed = scene.cfn("ListExports", json!({}));
    assert_eq!(listed["Exports"][0]["Value"], "v1");
    let users = scene.cfn("ListImports", json!({ "ExportName": "shared" }));
    assert_eq!(users["Imports"], json!(["taker"]));
    let refused = scene.cfn_refused("DeleteStack", json!({ "StackName": "giver" }));
    assert_eq!(
        refused,
        "Delete canceled. Cannot delete export shared as it is in use by taker."
    );
    let stack = scene.update("giver", &exporter("v2"));
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE");
    let other = scene.made("second", &exporter("v3"));
    assert_eq!(other["StackStatus"], "ROLLBACK_COMPLETE");
    scene.cfn("DeleteStack", json!({ "StackName": "taker" }));
    scene.settle();
    scene.cfn("DeleteStack", json!({ "StackName": "giver" }));
    scene.settle();
    assert_eq!(scene.cfn("ListExports", json!({}))["Exports"], json!([]));
}

#[test]
fn a_change_set_tells_and_then_does() {
    let scene = Scene::new();
    let template = with(&json!({ "A": named("/a", "one"), "B": parameter(&json!({ "Ref": "A" })) }));
    let mut input = json!({
        "StackName": "one", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": template.to_string(),
    });
    let made = scene.cfn("CreateChangeSet", input.clone());
    assert_eq!(scene.status("one"), "REVIEW_IN_PROGRESS");
    let told = scene.cfn("DescribeChangeSet", json!({ "ChangeSetName": made["Id"] }));
    assert_eq!(told["Status"], "CREATE_COMPLETE");
    assert_eq!(told["Changes"].as_array().unwrap().len(), 2);
    assert_eq!(told["Changes"][0]["ResourceChange"]["Action"], "Add");
    scene.cfn(
        "ExecuteChangeSet",
        json!({ "ChangeSetName": "first", "StackName": "one" }),
    );
    scene.settle();
    assert_eq!(scene.status("one"), "CREATE_COMPLETE");
    // Nothing to change.
    input["ChangeSetName"] = json!("second");
    input["ChangeSetType"] = json!("UPDATE");
    scene.cfn("CreateChangeSet", input.clone());
    let told = scene.cfn(
        "DescribeChangeSet",
        json!({ "ChangeSetName": "second", "StackName": "one" }),
    );
    assert_eq!(told["Status"], "FAILED");
    let why = told["StatusReason"].as_str().unwrap();
    assert!(
        why.starts_with("The submitted information didn't contain changes."),
        "{why}"
    );
    let refused = scene.cfn_refused(
        "ExecuteChangeSet",
        json!({ "ChangeSetName": "second", "StackName": "one" }),
    );
    assert!(
        refused.ends_with("cannot be executed in its current status of [FAILED]"),
        "{refused}"
    );
    // A replacement, and what follows from it.
    let template = with(&json!({ "A": named("/a2", "one"), "B": parameter(&json!({ "Ref": "A" })) }));
    input["ChangeSetName"] = json!("third");
    input["TemplateBody"] = json!(template.to_string());
    scene.cfn("CreateChangeSet", input);
    let told = scene.cfn(
        "DescribeChangeSet",
        json!({ "ChangeSetName": "third", "StackName": "one" }),
    );
    let change = |at: usize| told["Changes"][at]["ResourceChange"].clone();
    assert_eq!(change(0)["Replacement"], "True");
    assert_eq!(change(0)["PolicyAction"], "ReplaceAndDelete");
    assert_eq!(change(0)["Details"][0]["Target"]["RequiresRecreation"], "Always");
    assert_eq!(
        (&change(1)["Replacement"], &change(1)["Action"]),
        (&json!("False"), &json!("Modify"))
    );
    assert_eq!(change(1)["Details"][0]["Evaluation"], "Dynamic");
    let valued = json!({ "ChangeSetName": "third", "StackName": "one", "IncludePropertyValues": true });
    let told = scene.cfn("DescribeChangeSet", valued);
    let target = &told["Changes"][0]["ResourceChange"]["Details"][0]["Target"];
    assert_eq!(
        (&target["BeforeValue"], &target["AfterValue"]),
        (&json!("/a"), &json!("/a2"))
    );
    let after = told["Changes"][1]["ResourceChange"]["AfterContext"]
        .as_str()
        .unwrap();
    assert!(after.contains("{{changeSet:KNOWN_AFTER_APPLY}}"), "{after}");
    scene.cfn(
        "ExecuteChangeSet",
        json!({ "ChangeSetName": "third", "StackName": "one" }),
    );
    scene.settle();
    assert_eq!(scene.status("one"), "UPDATE_COMPLETE");
    assert_eq!(scene.parameter("/a2").as_deref(), Some("one"));
    let b = scene.physical("one", "B");
    assert_eq!(scene.parameter(&b).as_deref(), Some("/a2"));
    let listed = scene.cfn("ListChangeSets", json!({ "StackName": "one" }));
    assert_eq!(listed["Summaries"].as_array().unwrap().len(), 1);
    assert_eq!(listed["Summaries"][0]["ExecutionStatus"], "EXECUTE_COMPLETE");
}

/// ListStacks tells of a deleted stack for ninety days; of one that a change set made there is nothing left then either.
#[test]
fn a_stack_that_a_change_set_made_is_forgotten_whole() {
    let scene = Scene::new();
    let template = with(&json!({ "A": named("/a", "one") }));
    let input = json!({
        "StackName": "one", "ChangeSetName": "first", "ChangeSetType": "CREATE", "TemplateBody": template.to_string(),
    });
    scene.cfn("CreateChangeSet", input);
    let created = scene.stack("one")["CreationTime"].clone();
    scene.cloud.advance(60_000);
    let named = json!({ "ChangeSetName": "first", "StackName": "one" });
    scene.cfn("ExecuteChangeSet", named);
    scene.settle();
    let stack = scene.stack("one");
    assert_eq!(stack["CreationTime"], created);
    assert!(stack["LastUpdatedTime"].is_number(), "{stack}");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    let kept = || {
        let read = scene.cloud.gateway.system(REGION, |call| {
            call.range(
                &platform::cloudformation::stack::BY_AGE,
                &(ACCOUNT, REGION),
                None,
                9,
            )
        });
        read.map(|rows| rows.len()).map_err(|fault| fault.message)
    };
    assert_eq!(kept(), Ok(1));
    scene.cloud.advance(91 * 86_400_000);
    assert_eq!(kept(), Ok(0));
}

/// What others made is not a stack's: it is neither written over nor removed with what is taken back.
#[test]
fn what_is_there_already_is_not_taken_over() {
    let scene = Scene::new();
    let secret = scene.ok("secretsmanager", "CreateSecret", json!({ "Name": "s" }));
    let arn = secret["ARN"].clone();
    let document = |effect: &str, action: &str, principal: bool| {
        let mut statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
        if principal {
            statement["Principal"] = json!({ "AWS": format!("arn:aws:iam::{ACCOUNT}:root") });
        }
        json!({ "Version": "2012-10-17", "Statement": statement })
    };
    let own = document("Deny", "secretsmanager:DeleteSecret", true);
    let put = json!({ "SecretId": arn, "ResourcePolicy": own.to_string() });
    scene.ok("secretsmanager", "PutResourcePolicy", put);
    let held = document("Deny", "s3:*", false);
    let put = json!({ "RoleName": "runs", "PolicyName": "p", "PolicyDocument": held.to_string() });
    scene.ok("iam", "PutRolePolicy", put);
    scene.function("f", &json!({}));
    scene.lambda("PublishVersion", json!({ "FunctionName": "f" }));
    let put = json!({ "FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": 1 });
    scene.lambda("PutFunctionEventInvokeConfig", put);
    scene.ok("iam", "CreateGroup", json!({ "GroupName": "g" }));
    scene.user(
        "u",
        &json!({ "Effect": "Deny", "Action": "s3:*", "Resource": "*" }),
    );
    scene.ok(
        "iam",
        "AddUserToGroup",
        json!({ "GroupName": "g", "UserName": "u" }),
    );
    scene.rotated("s");
    for resource in [
        json!({ "Type": "AWS::Lambda::EventInvokeConfig", "Properties": {
            "FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": 0 } }),
        json!({ "Type": "AWS::IAM::UserToGroupAddition", "Properties": { "GroupName": "g", "Users": ["u"] } }),
        json!({ "Type": "AWS::SecretsManager::RotationSchedule", "Properties": {
            "SecretId": arn, "RotationLambdaARN": crate::scene::arn("rotates"), "RotateImmediatelyOnUpdate": false,
            "RotationRules": { "AutomaticallyAfterDays": 9 } } }),
        json!({ "Type": "AWS::SecretsManager::ResourcePolicy", "Properties": {
            "SecretId": arn, "ResourcePolicy": document("Allow", "secretsmanager:GetSecretValue", true) } }),
        json!({ "Type": "AWS::IAM::RolePolicy", "Properties": {
            "RoleName": "runs", "PolicyName": "p", "PolicyDocument": document("Allow", "s3:*", false) } }),
        json!({ "Type": "AWS::Lambda::Version", "Properties": { "FunctionName": "f" } }),
    ] {
        let template = with(&json!({ "It": resource }));
        let input = json!({
            "StackName": "one", "TemplateBody": template.to_string(), "Capabilities": ["CAPABILITY_IAM"],
        });
        scene.cfn("CreateStack", input);
        scene.settle();
        assert_eq!(scene.status("one"), "ROLLBACK_COMPLETE", "{resource}");
        assert!(scene.reason("one", "CREATE_FAILED").contains("exists"));
        scene.cfn("DeleteStack", json!({ "StackName": "one" }));
        scene.settle();
    }
    let kept = scene.ok("secretsmanager", "GetResourcePolicy", json!({ "SecretId": arn }));
    assert_eq!(kept["ResourcePolicy"], json!(own.to_string()));
    let kept = scene.ok(
        "iam",
        "GetRolePolicy",
        json!({ "RoleName": "runs", "PolicyName": "p" }),
    );
    assert!(kept["PolicyDocument"].as_str().unwrap().contains("Deny"));
    let config = json!({ "FunctionName": "f", "Qualifier": "$LATEST" });
    let kept = scene.lambda("GetFunctionEventInvokeConfig", config);
    assert_eq!(kept["MaximumRetryAttempts"], 1);
    let kept = scene.ok("iam", "ListGroupsForUser", json!({ "UserName": "u" }));
    assert_eq!(kept["Groups"][0]["GroupName"], "g");
    let kept = scene.ok("secretsmanager", "DescribeSecret", json!({ "SecretId": arn }));
    assert_eq!(kept["RotationEnabled"], true);
    assert_eq!(kept["RotationRules"]["AutomaticallyAfterDays"], 7);
    let versions = scene.lambda("ListVersionsByFunction", json!({ "FunctionName": "f" }));
    assert_eq!(versions["Versions"].as_array().unwrap().len(), 2);
}

#[test]
fn a_stack_that_is_cut_short_lets_go_of_what_it_imports() {
    let scene = Scene::new();
    let giver = json!({
        "Resources": { "It": named("/it", "one") },
        "Outputs": { "Out": { "Value": "v", "Export": { "Name": "shared" } } },
    });
    scene.made("giver", &giver);
    // Who may remove nothing ends with what was made, as ROLLBACK_FAILED.
    let maker = scene.user(
        "maker",
        &json!([
            { "Effect": "Allow", "Action": ["cloudformation:*", "ssm:PutParameter", "ssm:GetParameters", "ssm:AddTagsToResource"],
              "Resource": "*" },
        ]),
    );
    let template = with(&json!({
        "Copy": parameter(&json!({ "Fn::ImportValue": "shared" })),
        "Last": { "Type": "AWS::SSM::Parameter", "DependsOn": "Copy",
                  "Properties": { "Name": "/it", "Type": "String", "Value": "x" } },
    }));
    let input = json!({ "StackName": "taker", "TemplateBody": template.to_string() });
    let made = scene.call(&maker, "cloudformation", "CreateStack", input);
    assert!(made.is_ok(), "{made:?}");
    scene.settle();
    assert_eq!(scene.status("taker"), "ROLLBACK_FAILED");
    scene.cfn("DeleteStack", json!({ "StackName": "taker" }));
    scene.settle();
    scene.cfn("DeleteStack", json!({ "StackName": "giver" }));
    scene.settle();
    assert_eq!(scene.cfn("ListExports", json!({}))["Exports"], json!([]));
}

/// In the oldest region S3 lets an owner make a bucket again. A stack that did would own it, and remove it.
#[test]
fn a_bucket_or_a_policy_that_is_there_already_is_no_stacks() {
    let scene = Scene::with(data::s3::OPERATIONS);
    let there = |service: &str, operation: &str, input: Value| {
        let said = scene
            .cloud
            .call_in("us-east-1", &scene.root, service, operation, input);
        said.unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    };
    there("s3", "CreateBucket", json!({ "Bucket": "mine" }));
    let policy = |effect: &str| {
        json!({ "Version": "2012-10-17", "Statement": {
            "Effect": effect, "Principal": { "AWS": format!("arn:aws:iam::{ACCOUNT}:root") }, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::mine/*",
        } })
    };
    let input = json!({ "Bucket": "mine", "Policy": policy("Deny").to_string() });
    there("s3", "PutBucketPolicy", input);
    for resource in [
        json!({ "Type": "AWS::S3::BucketPolicy", "Properties": { "Bucket": "mine", "PolicyDocument": policy("Allow") } }),
        json!({ "Type": "AWS::S3::Bucket", "Properties": { "BucketName": "mine" } }),
    ] {
        let template = with(&json!({ "It": resource }));
        let input = json!({ "StackName": "one", "TemplateBody": template.to_string() });
        there("cloudformation", "CreateStack", input);
        scene.settle();
        let told = there("cloudformation", "DescribeStacks", json!({ "StackName": "one" }));
        assert_eq!(
            told["Stacks"][0]["StackStatus"], "ROLLBACK_COMPLETE",
            "{resource}"
        );
        there("cloudformation", "DeleteStack", json!({ "StackName": "one" }));
        scene.settle();
    }
    // It is still there.
    there("s3", "GetBucketPolicy", json!({ "Bucket": "mine" }));
}

/// A resource that the template retains is retained, though an update that failed would have had it otherwise.
#[test]
fn an_update_that_goes_back_takes_its_deletion_policies_with_it() {
    let scene = Scene::new();
    let of = |policy: &str| {
        let mut kept = named("/kept", "one");
        kept["DeletionPolicy"] = json!(policy);
        kept
    };
    scene.made("one", &with(&json!({ "Kept": of("Retain") })));
    let put = json!({ "Name": "/taken", "Type": "String", "Value": "mine" });
    scene.ok("ssm", "PutParameter", put);
    let mut last = named("/taken", "theirs");
    last["DependsOn"] = json!("Kept");
    let stack = scene.update("one", &with(&json!({ "Kept": of("Delete"), "Last": last })));
    assert_eq!(stack["StackStatus"], "UPDATE_ROLLBACK_COMPLETE", "{stack}");
    scene.cfn("DeleteStack", json!({ "StackName": "one" }));
    scene.settle();
    assert_eq!(scene.parameter("/kept").as_deref(), Some("one"));
}

/// An account has 2,000 stacks in a region, and those that a change set would make count.
#[test]
fn a_stack_too_many_is_refused() {
    let scene = Scene::new();
    let filled = scene.cloud.gateway.system(REGION, |call| {
        let account = call.account().to_owned();
        for number in 0..2000 {
            let place = (account.clone(), REGION.to_owned(), format!("s{number}"));
            call.put(&NAMES, &place, Id(number.to_string()))?;
        }
        Ok(())
    });
    assert!(filled.is_ok());
    let template = json!({ "Resources": { "It": named("/it", "x") } }).to_string();
    let input = json!({ "StackName": "one", "TemplateBody": template });
    let mut set = input.clone();
    set["ChangeSetName"] = json!("set");
    set["ChangeSetType"] = json!("CREATE");
    for (operation, input) in [("CreateStack", &input), ("CreateChangeSet", &set)] {
        let refused = scene.call(&scene.root, "cloudformation", operation, input.clone());
        let refused = refused.unwrap_err();
        assert_eq!(refused.code, "LimitExceededException");
        assert_eq!(refused.message, "Limit for stack has been exceeded");
    }
    scene.settle();
    assert_eq!(scene.parameter("/it"), None);
    let freed = scene.cloud.gateway.system(REGION, |call| {
        let place = (call.account().to_owned(), REGION.to_owned(), "s7".to_owned());
        call.delete(&NAMES, &place)
    });
    assert!(freed.is_ok());
    scene.cfn("CreateStack", input);
}
