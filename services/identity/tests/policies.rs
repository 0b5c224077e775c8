//! Managed policies, the account's own and AWS's, through the pipeline.

use pipeline::testing::{ACCOUNT, BEGINNING};
use serde_json::{Value, json};

use crate::scene::{READ_ALL, Scene, allow, code, decoded, document};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

fn arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

fn names(answer: &Value) -> Vec<&str> {
    answer["Policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["PolicyName"].as_str().unwrap())
        .collect()
}

/// S1.18, S1.21: what a customer writes comes back as it was written, percent-encoded.
#[test]
fn a_customer_policy_comes_back_as_it_was_written() {
    let scene = Scene::new();
    let text = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [{\"Sid\": \"Read\", \"Effect\": \"Allow\", \"Action\": \"s3:Get*\", \"Resource\": \"*\"}]\n}";
    let made = scene.root(
        "CreatePolicy",
        json!({
            "PolicyName": "Reader", "Path": "/teams/a/", "Description": "reads", "PolicyDocument": text,
            "Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}],
        }),
    );
    let arn = arn("teams/a/Reader");
    let policy = &made["Policy"];
    assert_eq!(policy["Arn"], json!(arn));
    assert!(policy["PolicyId"].as_str().unwrap().starts_with("ANPA"));
    assert_eq!(policy["DefaultVersionId"], "v1");
    assert_eq!(policy["AttachmentCount"], 0);
    assert_eq!(policy["PermissionsBoundaryUsageCount"], 0);
    assert_eq!(policy["IsAttachable"], true);
    let got = scene.root("GetPolicy", json!({"PolicyArn": arn}));
    assert_eq!(got["Policy"]["Description"], "reads");
    assert_eq!(got["Policy"]["Path"], "/teams/a/");
    assert_eq!(
        got["Policy"]["Tags"],
        json!([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}])
    );
    let version = scene.root("GetPolicyVersion", json!({"PolicyArn": arn, "VersionId": "v1"}));
    let encoded = version["PolicyVersion"]["Document"].as_str().unwrap();
    assert!(
        encoded.starts_with("%7B%0A%20%20%22Version%22%3A%20"),
        "{encoded}"
    );
    assert_eq!(decoded(encoded), text);
}

#[test]
fn names_are_unique_without_case_whatever_the_path() {
    let scene = Scene::new();
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "Reader", "PolicyDocument": READ_ALL}),
    );
    let again = json!({"PolicyName": "reader", "Path": "/x/", "PolicyDocument": READ_ALL});
    let failure = scene.refused("CreatePolicy", again);
    assert_eq!(failure.code, "EntityAlreadyExists");
    assert_eq!(
        failure.message,
        "A policy called reader already exists. Duplicate names are not allowed."
    );
    assert_eq!(
        code(&scene, "GetPolicy", json!({"PolicyArn": arn("reader")})),
        "NoSuchEntity"
    );
}

/// S2.1, S2.2, S2.4, S2.5, S2.6, S2.7: every element of every statement counts in the decision: effect, action, resource with
/// wildcards, condition.
#[test]
fn every_element_of_a_statement_counts() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    for name in ["team-a", "team-b", "other"] {
        scene.root("CreateGroup", json!({"GroupName": name}));
    }
    let text = json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Teams", "Effect": "Allow", "Action": ["iam:GetGroup", "iam:ListGroupPolicies"],
         "Resource": ["arn:aws:iam::*:group/team-*"], "Condition": {"StringEquals": {"aws:username": "alice"}}},
        {"Sid": "NotB", "Effect": "Deny", "Action": "iam:GetGroup", "Resource": "arn:aws:iam::*:group/team-b"},
        {"Sid": "Never", "Effect": "Allow", "Action": "iam:DeleteGroup", "Resource": "*",
         "Condition": {"StringEquals": {"aws:username": "bob"}}},
    ]});
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": text.to_string()}),
    );
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": arn("P")}),
    );
    let may =
        |operation: &str, group: &str| scene.call(&alice, operation, json!({"GroupName": group})).is_ok();
    assert!(may("GetGroup", "team-a") && may("ListGroupPolicies", "team-b"));
    assert!(!may("GetGroup", "team-b"), "denied by the second statement");
    assert!(!may("GetGroup", "other"), "not among the resources");
    assert!(
        !may("ListAttachedGroupPolicies", "team-a"),
        "not among the actions"
    );
    assert!(!may("DeleteGroup", "team-a"), "the condition does not hold");
}

/// S2.3: documents that break the language are refused with AWS's code, among them a Sid that stands twice and the sample with
/// `//` comments and a missing comma after the Sid.
#[test]
fn broken_documents_are_refused() {
    let scene = Scene::new();
    let statement = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;
    let broken = [
        "{".to_owned(),
        format!(r#"{{"Version":"2013-01-01","Statement":[{statement}]}}"#),
        r#"{"Version":"2012-10-17"}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:*","Resource":"*"}]}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*"}]}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"bucket"}]}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"Attach" "Effect":"Allow","Action":"ec2:AttachVolume","Resource":"*"}]}"#
            .to_owned(),
        format!("{{\"Version\":\"2012-10-17\", // the version\n\"Statement\":[{statement}]}}"),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#.to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Is":{"a":"b"}}}]}"#
            .to_owned(),
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#
            .to_owned(),
    ];
    for text in broken {
        let input = json!({"PolicyName": "Broken", "PolicyDocument": text});
        assert_eq!(
            code(&scene, "CreatePolicy", input),
            "MalformedPolicyDocument",
            "{text}"
        );
    }
    assert_eq!(
        names(&scene.root("ListPolicies", json!({"Scope": "Local"}))),
        Vec::<&str>::new()
    );
}

#[test]
fn size_is_counted_without_whitespace() {
    let scene = Scene::new();
    let sized = |actions: usize, space: usize| {
        let actions: Vec<String> = (0..actions).map(|number| format!("s3:Get{number:04}")).collect();
        let text = document(&json!({"Effect": "Allow", "Action": actions, "Resource": "*"}));
        text.replacen(',', &format!(",{}", " ".repeat(space)), 1)
    };
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "Wide", "PolicyDocument": sized(400, 9000)}),
    );
    let failure = scene.refused(
        "CreatePolicy",
        json!({"PolicyName": "Long", "PolicyDocument": sized(500, 0)}),
    );
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
    );
}

#[test]
fn versions_are_five_and_numbers_are_not_given_twice() {
    let scene = Scene::new();
    let arn = arn("P");
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ_ALL}),
    );
    for _ in 0..4 {
        scene.root(
            "CreatePolicyVersion",
            json!({"PolicyArn": arn, "PolicyDocument": READ_ALL}),
        );
    }
    let failure = scene.refused(
        "CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": READ_ALL}),
    );
    assert_eq!(failure.code, "LimitExceeded");
    assert_eq!(
        failure.message,
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    );
    let default = scene.refused(
        "DeletePolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v1"}),
    );
    assert_eq!(
        (default.code.as_str(), default.message.as_str()),
        ("DeleteConflict", "Cannot delete the default version of a policy.")
    );
    scene.root(
        "DeletePolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v5"}),
    );
    let sixth = json!({"PolicyArn": arn, "PolicyDocument": READ_ALL, "SetAsDefault": true});
    assert_eq!(
        scene.root("CreatePolicyVersion", sixth)["PolicyVersion"]["VersionId"],
        "v6"
    );
    let listed = scene.root("ListPolicyVersions", json!({"PolicyArn": arn}));
    let versions: Vec<(&str, bool)> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| {
            (
                version["VersionId"].as_str().unwrap(),
                version["IsDefaultVersion"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        versions,
        [
            ("v6", true),
            ("v4", false),
            ("v3", false),
            ("v2", false),
            ("v1", false)
        ]
    );
    let gone = scene.refused("GetPolicyVersion", json!({"PolicyArn": arn, "VersionId": "v5"}));
    assert_eq!(gone.code, "NoSuchEntity");
    assert_eq!(
        gone.message,
        format!("Policy {arn} version v5 does not exist or is not attachable.")
    );
}

/// S2.9, S2.10: nothing is allowed until a policy allows it, the default version alone counts, and one Deny is stronger than
/// every Allow.
#[test]
fn decisions_follow_the_default_version() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let arn = arn("P");
    let deny = document(&json!([
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"},
    ]));
    assert_eq!(
        scene.call(&alice, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": allow("iam:List*")}),
    );
    scene.root("AttachUserPolicy", json!({"UserName": "alice", "PolicyArn": arn}));
    assert!(scene.call(&alice, "ListUsers", json!({})).is_ok());
    scene.root(
        "CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": deny}),
    );
    assert!(scene.call(&alice, "ListUsers", json!({})).is_ok());
    scene.root(
        "SetDefaultPolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v2"}),
    );
    let refused = scene.call(&alice, "ListUsers", json!({})).unwrap_err();
    assert_eq!(refused.code, "AccessDenied");
    assert!(
        refused
            .message
            .contains("with an explicit deny in an identity-based policy"),
        "{}",
        refused.message
    );
    assert!(scene.call(&alice, "ListGroups", json!({})).is_ok());
}

#[test]
fn a_policy_in_use_or_with_versions_is_not_deleted() {
    let scene = Scene::new();
    scene.user("alice");
    let arn = arn("P");
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ_ALL}),
    );
    scene.root(
        "PutUserPermissionsBoundary",
        json!({"UserName": "alice", "PermissionsBoundary": arn}),
    );
    let delete = || scene.refused("DeletePolicy", json!({"PolicyArn": arn})).message;
    assert_eq!(delete(), "Cannot delete a policy attached to entities.");
    scene.root("DeleteUserPermissionsBoundary", json!({"UserName": "alice"}));
    scene.root("AttachUserPolicy", json!({"UserName": "alice", "PolicyArn": arn}));
    assert_eq!(delete(), "Cannot delete a policy attached to entities.");
    scene.root("DetachUserPolicy", json!({"UserName": "alice", "PolicyArn": arn}));
    scene.root(
        "CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": READ_ALL}),
    );
    assert!(delete().starts_with("This policy has more than one version."));
    scene.root(
        "DeletePolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v2"}),
    );
    scene.root("DeletePolicy", json!({"PolicyArn": arn}));
    let failure = scene.refused("GetPolicy", json!({"PolicyArn": arn}));
    assert_eq!(failure.message, format!("Policy {arn} was not found."));
}

/// S1.16: both kinds are listed, apart and together, over as many pages as it takes.
#[test]
fn lists_have_both_kinds_and_filters() {
    let scene = Scene::new();
    scene.user("alice");
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "Zed", "PolicyDocument": READ_ALL}),
    );
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "apart", "Path": "/x/", "PolicyDocument": READ_ALL}),
    );
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": arn("Zed")}),
    );
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": ADMINISTRATOR}),
    );
    scene.root(
        "PutUserPermissionsBoundary",
        json!({"UserName": "alice", "PermissionsBoundary": arn("x/apart")}),
    );
    let list = |input: Value| scene.root("ListPolicies", input);
    assert_eq!(names(&list(json!({"Scope": "Local"}))), ["apart", "Zed"]);
    assert_eq!(
        names(&list(json!({"Scope": "Local", "PathPrefix": "/x/"}))),
        ["apart"]
    );
    assert_eq!(
        names(&list(json!({"OnlyAttached": true}))),
        ["apart", "Zed", "AdministratorAccess"]
    );
    assert_eq!(
        names(&list(json!({"PolicyUsageFilter": "PermissionsPolicy"}))),
        ["Zed", "AdministratorAccess"]
    );
    assert_eq!(
        names(&list(json!({"PolicyUsageFilter": "PermissionsBoundary"}))),
        ["apart"]
    );
    let aws = list(json!({"Scope": "AWS", "OnlyAttached": true}));
    assert_eq!(aws["Policies"][0]["AttachmentCount"], 1);
    let (mut seen, mut marker) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"MaxItems": 1000});
        if !marker.is_null() {
            input["Marker"] = marker;
        }
        let page = list(input);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        marker = page["Marker"].clone();
        assert_eq!(page["IsTruncated"], json!(!marker.is_null()));
        if marker.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 1582 + 2);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1582 + 2);
    assert_eq!(
        code(&scene, "ListPolicies", json!({"Marker": "mine"})),
        "ValidationError"
    );
}

/// S1.23: nothing else can use an inline policy, so no list of policies has it.
#[test]
fn inline_policies_are_in_no_list_of_policies() {
    let scene = Scene::new();
    scene.user("alice");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "Own", "PolicyDocument": READ_ALL}),
    );
    assert_eq!(
        names(&scene.root("ListPolicies", json!({"Scope": "Local"}))),
        Vec::<&str>::new()
    );
    let all = scene.root("ListPolicies", json!({"OnlyAttached": true}));
    assert_eq!(names(&all), Vec::<&str>::new());
    let attached = scene.root("ListAttachedUserPolicies", json!({"UserName": "alice"}));
    assert_eq!(attached["AttachedPolicies"], json!([]));
}

/// S1.17: AWS's policies are found, read and attached, and nobody changes them.
#[test]
fn aws_policies_are_read_attached_and_not_changed() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let got = scene.root("GetPolicy", json!({"PolicyArn": ADMINISTRATOR}));
    assert_eq!(got["Policy"]["PolicyName"], "AdministratorAccess");
    let version = got["Policy"]["DefaultVersionId"].clone();
    let read = scene.root(
        "GetPolicyVersion",
        json!({"PolicyArn": ADMINISTRATOR, "VersionId": version}),
    );
    let text = decoded(read["PolicyVersion"]["Document"].as_str().unwrap());
    let parsed: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed["Statement"][0]["Action"], "*");
    assert_eq!(
        code(
            &scene,
            "GetPolicyVersion",
            json!({"PolicyArn": ADMINISTRATOR, "VersionId": "v99"})
        ),
        "NoSuchEntity"
    );
    let changes = [
        (
            "CreatePolicyVersion",
            json!({"PolicyArn": ADMINISTRATOR, "PolicyDocument": READ_ALL}),
        ),
        (
            "SetDefaultPolicyVersion",
            json!({"PolicyArn": ADMINISTRATOR, "VersionId": version}),
        ),
        (
            "DeletePolicyVersion",
            json!({"PolicyArn": ADMINISTRATOR, "VersionId": version}),
        ),
        ("DeletePolicy", json!({"PolicyArn": ADMINISTRATOR})),
        (
            "TagPolicy",
            json!({"PolicyArn": ADMINISTRATOR, "Tags": [{"Key": "a", "Value": "b"}]}),
        ),
        (
            "UntagPolicy",
            json!({"PolicyArn": ADMINISTRATOR, "TagKeys": ["a"]}),
        ),
    ];
    for (operation, input) in changes {
        assert_eq!(code(&scene, operation, input), "AccessDenied", "{operation}");
    }
    assert_eq!(
        scene.call(&alice, "ListRoles", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": ADMINISTRATOR}),
    );
    assert!(scene.call(&alice, "ListRoles", json!({})).is_ok());
    assert_eq!(
        scene.root("GetPolicy", json!({"PolicyArn": ADMINISTRATOR}))["Policy"]["AttachmentCount"],
        1
    );
}

/// S1.19: a copy of one of AWS's policies is the customer's own, to be narrowed.
#[test]
fn an_aws_policy_is_copied_and_narrowed() {
    let scene = Scene::new();
    let source = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let version = scene.root("GetPolicy", json!({"PolicyArn": source}))["Policy"]["DefaultVersionId"].clone();
    let read = scene.root(
        "GetPolicyVersion",
        json!({"PolicyArn": source, "VersionId": version}),
    );
    let mut copy: Value =
        serde_json::from_str(&decoded(read["PolicyVersion"]["Document"].as_str().unwrap())).unwrap();
    let deny = json!({"Effect": "Deny", "Action": "iam:GetRole", "Resource": "*"});
    copy["Statement"].as_array_mut().unwrap().push(deny);
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "Narrow", "PolicyDocument": copy.to_string()}),
    );
    let alice = scene.user("alice");
    scene.root(
        "AttachUserPolicy",
        json!({"UserName": "alice", "PolicyArn": arn("Narrow")}),
    );
    assert!(scene.call(&alice, "ListRoles", json!({})).is_ok());
    assert_eq!(
        scene
            .call(&alice, "GetRole", json!({"RoleName": "any"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
}

#[test]
fn tags_are_set_listed_and_seen_by_conditions() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let arn = arn("P");
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ_ALL}),
    );
    let statement = json!([
        {"Effect": "Allow", "Action": "iam:GetPolicy", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "a"}}},
        {"Effect": "Allow", "Action": "iam:TagPolicy", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/free": "yes"}}},
    ]);
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": document(&statement)}),
    );
    assert_eq!(
        scene
            .call(&alice, "GetPolicy", json!({"PolicyArn": arn}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    let tags = |key: &str, value: &str| json!({"PolicyArn": arn, "Tags": [{"Key": key, "Value": value}]});
    assert_eq!(
        scene
            .call(&alice, "TagPolicy", tags("team", "a"))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    assert!(scene.call(&alice, "TagPolicy", tags("free", "yes")).is_ok());
    scene.root("TagPolicy", tags("Team", "b"));
    scene.root("TagPolicy", tags("team", "a"));
    assert!(scene.call(&alice, "GetPolicy", json!({"PolicyArn": arn})).is_ok());
    let listed = scene.root("ListPolicyTags", json!({"PolicyArn": arn}));
    assert_eq!(
        listed["Tags"],
        json!([{"Key": "free", "Value": "yes"}, {"Key": "team", "Value": "a"}])
    );
    scene.root("UntagPolicy", json!({"PolicyArn": arn, "TagKeys": ["team"]}));
    assert_eq!(
        scene
            .call(&alice, "GetPolicy", json!({"PolicyArn": arn}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
}

#[test]
fn update_dates_follow_the_default_version() {
    let scene = Scene::new();
    let arn = arn("P");
    let updated = || {
        let policy = scene.root("GetPolicy", json!({"PolicyArn": arn}))["Policy"].clone();
        (
            policy["CreateDate"].as_f64().unwrap(),
            policy["UpdateDate"].as_f64().unwrap(),
        )
    };
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ_ALL}),
    );
    let (created, first) = updated();
    assert!((created - BEGINNING as f64 / 1000.0).abs() < 0.5 && (created - first).abs() < 0.5);
    scene.cloud.advance(60_000);
    scene.root(
        "CreatePolicyVersion",
        json!({"PolicyArn": arn, "PolicyDocument": READ_ALL}),
    );
    assert!((updated().1 - first).abs() < 0.5);
    scene.root(
        "SetDefaultPolicyVersion",
        json!({"PolicyArn": arn, "VersionId": "v2"}),
    );
    assert!((updated().1 - first - 60.0).abs() < 0.5);
}
