//! The policy simulator through the pipeline: its verdicts, and that they are the ones that live calls meet.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{Scene, allow, document, trust};

const OTHER: &str = "444455556666";

fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

fn statement(effect: &str, action: &str, resource: &str) -> Value {
    json!({"Effect": effect, "Action": action, "Resource": resource})
}

/// The results of a simulation of documents.
fn custom(scene: &Scene, policies: &[String], action: &str, more: Value) -> Value {
    let mut input = json!({"PolicyInputList": policies, "ActionNames": [action]});
    let more = more.as_object().unwrap().clone();
    input.as_object_mut().unwrap().extend(more);
    scene.root("SimulateCustomPolicy", input)["EvaluationResults"][0].clone()
}

/// As AWS's own example: a date decides, and the statement is told by its place.
#[test]
fn a_date_decides_and_the_statement_is_placed() {
    let scene = Scene::new();
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}"#;
    let at = |time: &str| json!({"ContextEntries": [{"ContextKeyName": "aws:CurrentTime", "ContextKeyValues": [time], "ContextKeyType": "date"}]});
    let late = custom(
        &scene,
        &[text.to_owned()],
        "dynamodb:CreateBackup",
        at("2019-04-25T11:00:00Z"),
    );
    assert_eq!(late["EvalDecision"], "allowed");
    assert_eq!(late["EvalResourceName"], "*");
    assert_eq!(
        late["MatchedStatements"],
        json!([{
            "SourcePolicyId": "PolicyInputList.1", "SourcePolicyType": "none",
            "StartPosition": {"Line": 1, "Column": 38}, "EndPosition": {"Line": 1, "Column": 167},
        }])
    );
    assert_eq!(late["MissingContextValues"], json!([]));
    let early = custom(
        &scene,
        &[text.to_owned()],
        "dynamodb:CreateBackup",
        at("2014-04-25T11:00:00Z"),
    );
    assert_eq!(early["EvalDecision"], "implicitDeny");
    assert_eq!(early["MatchedStatements"], json!([]));
    let unsaid = custom(&scene, &[text.to_owned()], "dynamodb:CreateBackup", json!({}));
    assert_eq!(unsaid["MissingContextValues"], json!(["aws:CurrentTime"]));
}

#[test]
fn each_resource_has_its_verdict_and_the_strictest_is_the_actions() {
    let scene = Scene::new();
    let text = document(&json!([
        statement("Allow", "s3:*", "arn:aws:s3:::open/*"),
        statement("Deny", "s3:*", "arn:aws:s3:::open/secret/*"),
    ]));
    let resources = [
        "arn:aws:s3:::open/a",
        "arn:aws:s3:::shut/a",
        "arn:aws:s3:::open/secret/a",
    ];
    let result = custom(
        &scene,
        &[text],
        "s3:GetObject",
        json!({"ResourceArns": resources}),
    );
    assert_eq!(result["EvalDecision"], "explicitDeny");
    let specific = result["ResourceSpecificResults"].as_array().unwrap();
    let told: Vec<_> = specific
        .iter()
        .map(|result| {
            (
                result["EvalResourceName"].as_str().unwrap(),
                result["EvalResourceDecision"].as_str().unwrap(),
                result["MatchedStatements"].as_array().unwrap().len(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (resources[0], "allowed", 1),
            (resources[1], "implicitDeny", 0),
            (resources[2], "explicitDeny", 1)
        ]
    );
    assert_eq!(result["MatchedStatements"].as_array().unwrap().len(), 1);
}

/// S2.17: a boundary limits, and says so.
#[test]
fn a_boundary_and_an_organization_limit() {
    let scene = Scene::new();
    let bounded = custom(
        &scene,
        &[allow("*")],
        "s3:GetObject",
        json!({"PermissionsBoundaryPolicyInputList": [allow("iam:*")]}),
    );
    assert_eq!(bounded["EvalDecision"], "implicitDeny");
    assert_eq!(
        bounded["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"],
        false
    );
    assert!(bounded.get("OrganizationsDecisionDetail").is_none());
    let level = |text: String| json!({"ServiceControlPolicyInputList": [text]});
    let organized = custom(
        &scene,
        &[allow("*")],
        "s3:GetObject",
        json!({"OrderedOrganizationPolicyInputList": [level(allow("*")), level(allow("ec2:*"))]}),
    );
    assert_eq!(organized["EvalDecision"], "implicitDeny");
    assert_eq!(
        organized["OrganizationsDecisionDetail"]["AllowedByOrganizations"],
        false
    );
    let two = json!({
        "PolicyInputList": [allow("*")], "ActionNames": ["s3:GetObject"],
        "PermissionsBoundaryPolicyInputList": [allow("*"), allow("*")],
    });
    assert_eq!(scene.refused("SimulateCustomPolicy", two).code, "InvalidInput");
}

/// S2.14: across accounts both sides must allow, and each side's verdict is told.
#[test]
fn both_accounts_must_allow() {
    let scene = Scene::new();
    let caller = user_arn("bob");
    let trusting = |principal: &str| {
        document(
            &json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:*", "Resource": "*"}),
        )
    };
    let asked = |policy: &str, owner: &str| {
        json!({
            "CallerArn": caller, "ResourceArns": ["arn:aws:s3:::b/k"], "ResourcePolicy": policy,
            "ResourceOwner": format!("arn:aws:iam::{owner}:root"),
        })
    };
    let given = custom(
        &scene,
        &[allow("s3:*")],
        "s3:GetObject",
        asked(&trusting(&caller), OTHER),
    );
    assert_eq!(given["EvalDecision"], "allowed");
    assert_eq!(
        given["EvalDecisionDetails"],
        json!({"IAM Policy": "allowed", "Resource Policy": "allowed"})
    );
    let sources: Vec<_> = given["MatchedStatements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|statement| statement["SourcePolicyType"].as_str().unwrap())
        .collect();
    assert_eq!(sources, ["none", "resource"]);
    let half = custom(
        &scene,
        &[allow("ec2:*")],
        "s3:GetObject",
        asked(&trusting(&caller), OTHER),
    );
    assert_eq!(half["EvalDecision"], "implicitDeny");
    assert_eq!(
        half["EvalDecisionDetails"],
        json!({"IAM Policy": "implicitDeny", "Resource Policy": "allowed"})
    );
    // In one account the resource's policy is enough for a user whom it names.
    let own = custom(
        &scene,
        &[allow("ec2:*")],
        "s3:GetObject",
        asked(&trusting(&caller), ACCOUNT),
    );
    assert_eq!(own["EvalDecision"], "allowed");
    assert_eq!(own["EvalDecisionDetails"], json!({}));
}

#[test]
fn a_key_policy_decides_alone() {
    let scene = Scene::new();
    let key = format!("arn:aws:kms:eu-central-1:{ACCOUNT}:key/0199f0a2-7c1e-7d3f-9a54-2f6f0c1d2e3f");
    let asked = |principal: &str| {
        let policy = document(
            &json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}),
        );
        json!({"CallerArn": user_arn("bob"), "ResourceArns": [key], "ResourcePolicy": policy})
    };
    let delegating = format!("arn:aws:iam::{ACCOUNT}:root");
    let result = custom(&scene, &[allow("kms:*")], "kms:Decrypt", asked(&delegating));
    assert_eq!(result["EvalDecision"], "allowed");
    let result = custom(
        &scene,
        &[allow("kms:*")],
        "kms:Decrypt",
        asked(&user_arn("alice")),
    );
    assert_eq!(result["EvalDecision"], "implicitDeny");
}

/// S1.8, S1.16, S1.22: a user's own policies, its groups' and its boundary, by their names.
#[test]
fn a_principals_policies_are_all_there() {
    let scene = Scene::new();
    scene.user("alice");
    scene.root("CreateGroup", json!({"GroupName": "readers"}));
    scene.root(
        "AddUserToGroup",
        json!({"GroupName": "readers", "UserName": "alice"}),
    );
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "readers", "PolicyName": "look", "PolicyDocument": allow("iam:ListUsers")}),
    );
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "own", "PolicyDocument": allow("iam:ListUsers")}),
    );
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}),
    );
    let asked = |more: Value| {
        let mut input = json!({"PolicySourceArn": user_arn("alice"), "ActionNames": ["iam:ListUsers"]});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        scene.root("SimulatePrincipalPolicy", input)["EvaluationResults"][0].clone()
    };
    let ids = |result: &Value| -> Vec<String> {
        let matched = result["MatchedStatements"].as_array().unwrap().iter();
        matched
            .map(|statement| {
                format!(
                    "{} {}",
                    statement["SourcePolicyType"].as_str().unwrap(),
                    statement["SourcePolicyId"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(
        ids(&asked(json!({}))),
        ["user own", "aws-managed IAMReadOnlyAccess", "group look"]
    );
    let without = json!({"PolicyExclusionList": [
        {"PolicyType": "aws-managed"},
        {"InlinePolicyIdentifier": {"PolicyName": "own", "AttachmentType": "user", "AttachmentName": "alice"}},
    ]});
    assert_eq!(ids(&asked(without)), ["group look"]);
    let none = json!({"PolicyExclusionList": [{"PolicyType": "inline"}, {"PolicyArn": "arn:aws:iam::aws:policy/IAM*"}]});
    assert_eq!(asked(none)["EvalDecision"], "implicitDeny");
    let many = json!({"PolicyExclusionList": [{"PolicyArn": "arn:aws:iam::aws:policy/*IAM*"}]});
    let mut input = json!({"PolicySourceArn": user_arn("alice"), "ActionNames": ["iam:ListUsers"]});
    input
        .as_object_mut()
        .unwrap()
        .extend(many.as_object().unwrap().clone());
    assert_eq!(
        scene.refused("SimulatePrincipalPolicy", input).code,
        "InvalidInput"
    );
}

/// What the simulator says of a user and of a role is what their calls meet.
#[test]
fn the_simulator_and_the_live_call_agree() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let policy = document(&json!([
        {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:GetUser", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/b*")},
        {"Effect": "Allow", "Action": "iam:DeleteUser", "Resource": format!("arn:aws:iam::{ACCOUNT}:user/${{aws:username}}-old")},
    ]));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "own", "PolicyDocument": policy}),
    );
    scene.root(
        "CreateRole",
        json!({"RoleName": "worker", "AssumeRolePolicyDocument": trust("AWS", &user_arn("alice"))}),
    );
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "worker", "PolicyName": "own", "PolicyDocument": allow("iam:ListRoles")}),
    );
    for name in ["bob", "carol", "alice-old"] {
        scene.root("CreateUser", json!({"UserName": name}));
    }
    let worker = scene.assume(&alice, "worker").unwrap();
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/worker");
    let mut verdicts = Vec::new();
    for (caller, source, operation, input, resource) in [
        (&alice, user_arn("alice"), "ListUsers", json!({}), "*".to_owned()),
        (&alice, user_arn("alice"), "ListRoles", json!({}), "*".to_owned()),
        (
            &alice,
            user_arn("alice"),
            "CreateGroup",
            json!({"GroupName": "g"}),
            format!("arn:aws:iam::{ACCOUNT}:group/g"),
        ),
        (
            &alice,
            user_arn("alice"),
            "GetUser",
            json!({"UserName": "bob"}),
            user_arn("bob"),
        ),
        (
            &alice,
            user_arn("alice"),
            "GetUser",
            json!({"UserName": "carol"}),
            user_arn("carol"),
        ),
        (
            &alice,
            user_arn("alice"),
            "DeleteUser",
            json!({"UserName": "alice-old"}),
            user_arn("alice-old"),
        ),
        (
            &alice,
            user_arn("alice"),
            "DeleteUser",
            json!({"UserName": "carol"}),
            user_arn("carol"),
        ),
        (&worker, role_arn.clone(), "ListRoles", json!({}), "*".to_owned()),
        (&worker, role_arn.clone(), "ListUsers", json!({}), "*".to_owned()),
    ] {
        let asked = json!({"PolicySourceArn": source, "ActionNames": [format!("iam:{operation}")], "ResourceArns": [resource]});
        let said =
            scene.root("SimulatePrincipalPolicy", asked)["EvaluationResults"][0]["EvalDecision"].clone();
        let live = scene.call(caller, operation, input);
        let denied = live.err().is_some_and(|failure| failure.code == "AccessDenied");
        assert_eq!(
            said != "allowed",
            denied,
            "{source} {operation} {resource}: {said}"
        );
        verdicts.push(denied);
    }
    assert_eq!(verdicts.iter().filter(|denied| **denied).count(), 4);
}

/// As AWS's own example: variables and keys in the order of the text.
#[test]
fn context_keys_are_listed() {
    let scene = Scene::new();
    let text = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"arn:aws:dynamodb:us-west-2:123456789012:table/${aws:username}","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2015-08-16T12:00:00Z"}}}}"#;
    let listed = scene.root(
        "GetContextKeysForCustomPolicy",
        json!({"PolicyInputList": [text]}),
    );
    assert_eq!(
        listed["ContextKeyNames"],
        json!(["aws:username", "aws:CurrentTime"])
    );
    scene.user("alice");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "own", "PolicyDocument": text}),
    );
    let more = document(
        &json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}),
    );
    let listed = scene.root(
        "GetContextKeysForPrincipalPolicy",
        json!({"PolicySourceArn": user_arn("alice"), "PolicyInputList": [more]}),
    );
    assert_eq!(
        listed["ContextKeyNames"],
        json!(["aws:username", "aws:CurrentTime", "aws:SecureTransport"])
    );
}

#[test]
fn results_come_in_pages() {
    let scene = Scene::new();
    let actions: Vec<String> = (0..5).map(|number| format!("s3:Get{number}")).collect();
    let input = |marker: Option<&Value>| {
        let mut input = json!({"PolicyInputList": [allow("s3:Get3")], "ActionNames": actions, "MaxItems": 2});
        if let Some(marker) = marker {
            input["Marker"] = marker.clone();
        }
        scene.root("SimulateCustomPolicy", input)
    };
    let (mut told, mut marker) = (Vec::new(), None);
    loop {
        let page = input(marker.as_ref());
        for result in page["EvaluationResults"].as_array().unwrap() {
            told.push((
                result["EvalActionName"].as_str().unwrap().to_owned(),
                result["EvalDecision"] == "allowed",
            ));
        }
        if page["IsTruncated"] == false {
            break;
        }
        marker = Some(page["Marker"].clone());
    }
    let wanted: Vec<_> = actions
        .iter()
        .map(|action| (action.clone(), action == "s3:Get3"))
        .collect();
    assert_eq!(told, wanted);
}

#[test]
fn what_cannot_be_simulated_is_refused() {
    let scene = Scene::new();
    let custom = |more: Value| {
        let mut input = json!({"PolicyInputList": [allow("*")], "ActionNames": ["s3:GetObject"]});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        scene.refused("SimulateCustomPolicy", input).code
    };
    let entry = |kind: &str, values: &[&str]| json!({"ContextEntries": [{"ContextKeyName": "aws:x", "ContextKeyValues": values, "ContextKeyType": kind}]});
    for input in [
        json!({"PolicyInputList": ["{"]}),
        json!({"PolicyInputList": [trust("AWS", "*")]}),
        json!({"ActionNames": ["s3:Get*"]}),
        json!({"ActionNames": ["GetObject"]}),
        json!({"ResourceArns": ["bucket"]}),
        json!({"ResourcePolicy": trust("AWS", "*")}),
        json!({"CallerArn": "arn:aws:sts::111122223333:assumed-role/r/s"}),
        json!({"ResourceOwner": "444455556666"}),
        json!({"ResourceHandlingOption": "EC2-VPC-EBS"}),
        entry("numeric", &["seven"]),
        entry("boolean", &["yes"]),
        entry("ip", &["300.0.0.1"]),
        entry("string", &["a", "b"]),
    ] {
        assert_eq!(custom(input.clone()), "InvalidInput", "{input}");
    }
    let principal = |arn: &str| {
        let input = json!({"PolicySourceArn": arn, "ActionNames": ["s3:GetObject"]});
        scene.refused("SimulatePrincipalPolicy", input)
    };
    assert_eq!(principal(&user_arn("nobody")).code, "NoSuchEntity");
    let session = format!("arn:aws:sts::{ACCOUNT}:assumed-role/worker/session");
    let failure = principal(&session);
    assert_eq!(failure.code, "InvalidInput");
    assert_eq!(
        failure.message,
        format!("Invalid Entity Arn: {session} does not clearly define entity type and name.")
    );
}

/// Whoever may not ask learns nothing, not even whether a user exists.
#[test]
fn asking_needs_permission() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    scene.root("CreateUser", json!({"UserName": "bob"}));
    for arn in [
        user_arn("bob"),
        user_arn("nobody"),
        "not-an-arn-of-anything".to_owned(),
    ] {
        let input = json!({"PolicySourceArn": arn, "ActionNames": ["s3:GetObject"]});
        let failure = scene.call(&alice, "SimulatePrincipalPolicy", input).unwrap_err();
        assert_eq!(failure.code, "AccessDenied");
    }
}
