//! The operations on policies, their bounds and refusals.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use super::{MEMBER, RCP, SCP, Tree, deny, deny_to_all, text};
use crate::scene::document;

#[test]
fn aws_resource_control_policy_is_everywhere_and_stays() {
    let tree = Tree::new();
    tree.does(
        "EnablePolicyType",
        json!({"RootId": tree.root, "PolicyType": RCP}),
    );
    for target in [tree.root.as_str(), &tree.unit, MEMBER, ACCOUNT] {
        let names = tree.names(
            "ListPoliciesForTarget",
            json!({"TargetId": target, "Filter": RCP}),
        );
        assert_eq!(names, ["RCPFullAWSAccess"]);
    }
    let input = json!({"PolicyId": "p-RCPFullAWSAccess", "TargetId": tree.root});
    assert_eq!(
        tree.refused("DetachPolicy", input.clone()).code,
        "InvalidInputException"
    );
    assert_eq!(
        tree.refused("AttachPolicy", input).code,
        "DuplicatePolicyAttachmentException"
    );
    // It counts among the five.
    for number in 0..5 {
        let policy = tree.policy(RCP, &format!("p{number}"), &deny_to_all("s3:GetObject"));
        let input = json!({"PolicyId": policy, "TargetId": tree.root});
        let attached = tree.asks(&tree.scene.root, "AttachPolicy", input);
        assert_eq!(attached.is_ok(), number < 4, "{attached:?}");
    }
}

#[test]
fn attachments_have_bounds() {
    let tree = Tree::new();
    let attach = |policy: &str| json!({"PolicyId": policy, "TargetId": tree.unit});
    let failure = tree.refused("DetachPolicy", attach("p-FullAWSAccess"));
    assert_eq!(failure.code, "ConstraintViolationException");
    assert!(
        failure.message.starts_with("You cannot remove the last policy"),
        "{}",
        failure.message
    );
    let mut policies = Vec::new();
    for number in 0..10 {
        policies.push(tree.policy(SCP, &format!("deny-{number}"), &deny("s3:PutObject")));
    }
    for policy in &policies[..9] {
        tree.attach(policy, &tree.unit);
    }
    let failure = tree.refused("AttachPolicy", attach(&policies[9]));
    assert_eq!(failure.code, "ConstraintViolationException");
    assert!(
        failure.message.contains("maximum number of policies"),
        "{}",
        failure.message
    );
    assert_eq!(
        tree.refused("AttachPolicy", attach(&policies[0])).code,
        "DuplicatePolicyAttachmentException"
    );
    assert_eq!(
        tree.refused("DetachPolicy", attach(&policies[9])).code,
        "PolicyNotAttachedException"
    );
    assert_eq!(
        tree.refused("AttachPolicy", attach("p-aaaaaaaa")).code,
        "PolicyNotFoundException"
    );
    let nowhere = json!({"PolicyId": policies[9], "TargetId": "ou-aaaa-aaaaaaaa"});
    assert_eq!(
        tree.refused("AttachPolicy", nowhere).code,
        "TargetNotFoundException"
    );
    let input = json!({"PolicyId": policies[0]});
    assert_eq!(
        tree.refused("DeletePolicy", input.clone()).code,
        "PolicyInUseException"
    );
    tree.detach(&policies[0], &tree.unit);
    tree.does("DeletePolicy", input.clone());
    assert_eq!(
        tree.refused("DescribePolicy", input).code,
        "PolicyNotFoundException"
    );
}

#[test]
fn policies_are_made_changed_and_listed() {
    let tree = Tree::new();
    let make = |name: &str, content: &str| json!({"Type": SCP, "Name": name, "Description": "d", "Content": content});
    let id = tree.policy(SCP, "first", &deny("s3:*"));
    assert!(id.len() == 10 && id.starts_with("p-"));
    assert_eq!(
        tree.refused("CreatePolicy", make("first", &deny("s3:*"))).code,
        "DuplicatePolicyException"
    );
    let free = json!({"Type": "TAG_POLICY", "Name": "first", "Description": "", "Content": r#"{"tags":{}}"#});
    tree.does("CreatePolicy", free);
    for wrong in [
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#,
        "[]",
    ] {
        let failure = tree.refused("CreatePolicy", make("second", wrong));
        assert_eq!(failure.code, "MalformedPolicyDocumentException", "{wrong}");
    }
    let long = deny(&format!("s3:{}", "a".repeat(10_240)));
    assert_eq!(
        tree.refused("CreatePolicy", make("second", &long)).code,
        "ConstraintViolationException"
    );
    let admin = tree.admin("ada");
    tree.attach(&id, MEMBER);
    tree.iam(&admin, "ListUsers", json!({})).unwrap();
    let changed = tree.does(
        "UpdatePolicy",
        json!({"PolicyId": id, "Name": "renamed", "Content": deny("iam:ListUsers")}),
    );
    assert_eq!(changed["Policy"]["PolicySummary"]["Name"], "renamed");
    assert_eq!(
        changed["Policy"]["PolicySummary"]["Arn"],
        format!(
            "arn:aws:organizations::{ACCOUNT}:policy/{}/service_control_policy/{id}",
            tree.id
        )
    );
    assert!(tree.iam(&admin, "ListUsers", json!({})).is_err());
    tree.policy(SCP, "first", &deny("s3:*"));
    assert_eq!(
        tree.names("ListPolicies", json!({"Filter": SCP})),
        ["FullAWSAccess", "first", "renamed"]
    );
    for operation in ["UpdatePolicy", "DeletePolicy"] {
        let input = json!({"PolicyId": "p-FullAWSAccess"});
        assert_eq!(tree.refused(operation, input).code, "InvalidInputException");
    }
    let targets = |policy: &str| -> Vec<(String, String)> {
        let listed = tree.does("ListTargetsForPolicy", json!({"PolicyId": policy}));
        let targets = listed["Targets"].as_array().unwrap().iter();
        targets
            .map(|target| (text(&target["Type"]), text(&target["TargetId"])))
            .collect()
    };
    assert_eq!(targets(&id), [("ACCOUNT".to_owned(), MEMBER.to_owned())]);
    assert_eq!(targets("p-FullAWSAccess").len(), 4);
}

#[test]
fn lists_come_in_pages() {
    let tree = Tree::new();
    for number in 0..5 {
        tree.policy(SCP, &format!("deny-{number}"), &deny("s3:PutObject"));
    }
    let mut names = Vec::new();
    let mut input = json!({"Filter": SCP, "MaxResults": 2});
    for _ in 0..3 {
        let page = tree.does("ListPolicies", input.clone());
        names.extend(
            page["Policies"]
                .as_array()
                .unwrap()
                .iter()
                .map(|policy| text(&policy["Name"])),
        );
        input["NextToken"] = page["NextToken"].clone();
    }
    assert!(input["NextToken"].is_null(), "{input}");
    assert_eq!(
        names,
        ["FullAWSAccess", "deny-0", "deny-1", "deny-2", "deny-3", "deny-4"]
    );
    input["NextToken"] = json!("made up");
    assert_eq!(tree.refused("ListPolicies", input).code, "InvalidInputException");
}

#[test]
fn only_the_management_account_rules() {
    let tree = Tree::new();
    let input = json!({"Filter": SCP});
    let failure = tree
        .asks(&tree.member, "ListPolicies", input.clone())
        .unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
    let failure = tree.asks(&tree.outsider, "ListPolicies", input).unwrap_err();
    assert_eq!(failure.code, "AWSOrganizationsNotInUseException");
    let policy = tree.policy(SCP, "a", &deny("s3:*"));
    let input = json!({"PolicyId": policy, "TargetId": MEMBER});
    let failure = tree.asks(&tree.member, "AttachPolicy", input).unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
}

#[test]
fn a_type_that_is_switched_off_leaves_nothing_attached() {
    let tree = Tree::new();
    let admin = tree.admin("ada");
    let policy = tree.policy(SCP, "no-iam", &deny("iam:*"));
    tree.attach(&policy, &tree.root);
    assert!(tree.iam(&admin, "ListUsers", json!({})).is_err());
    let kind = json!({"RootId": tree.root, "PolicyType": SCP});
    assert_eq!(
        tree.refused("EnablePolicyType", kind.clone()).code,
        "PolicyTypeAlreadyEnabledException"
    );
    tree.does("DisablePolicyType", kind.clone());
    tree.iam(&admin, "ListUsers", json!({})).unwrap();
    assert_eq!(
        tree.refused("DisablePolicyType", kind.clone()).code,
        "PolicyTypeNotEnabledException"
    );
    let attach = json!({"PolicyId": policy, "TargetId": tree.root});
    assert_eq!(
        tree.refused("AttachPolicy", attach).code,
        "PolicyTypeNotEnabledException"
    );
    let root = tree.does("EnablePolicyType", kind);
    assert_eq!(
        root["Root"]["PolicyTypes"],
        json!([{"Type": SCP, "Status": "ENABLED"}])
    );
    tree.iam(&admin, "ListUsers", json!({})).unwrap();
    let names = tree.names(
        "ListPoliciesForTarget",
        json!({"TargetId": tree.root, "Filter": SCP}),
    );
    assert_eq!(names, ["FullAWSAccess"]);
    let missing = json!({"RootId": "r-zzzz", "PolicyType": SCP});
    assert_eq!(
        tree.refused("EnablePolicyType", missing).code,
        "RootNotFoundException"
    );
}

#[test]
fn settings_merge_from_the_root_to_the_account() {
    let tree = Tree::new();
    let kind = json!({"RootId": tree.root, "PolicyType": "TAG_POLICY"});
    let ask = json!({"PolicyType": "TAG_POLICY"});
    let none = tree
        .asks(&tree.member, "DescribeEffectivePolicy", ask.clone())
        .unwrap_err();
    assert_eq!(none.code, "EffectivePolicyNotFoundException");
    tree.does("EnablePolicyType", kind);
    let tags = |value: Value| json!({"tags": {"costcenter": {"tag_value": value}}}).to_string();
    let above = tree.policy(
        "TAG_POLICY",
        "above",
        &tags(json!({"@@assign": ["Development", "Support"]})),
    );
    let below = tree.policy(
        "TAG_POLICY",
        "below",
        &tags(json!({"@@append": ["Marketing"], "@@remove": ["Support"]})),
    );
    tree.attach(&above, &tree.root);
    tree.attach(&below, MEMBER);
    let named = json!({"PolicyType": "TAG_POLICY", "TargetId": MEMBER});
    for (caller, input) in [(&tree.member, ask.clone()), (&tree.scene.root, named)] {
        let answer = tree.asks(caller, "DescribeEffectivePolicy", input).unwrap();
        let policy = &answer["EffectivePolicy"];
        assert_eq!(policy["TargetId"], MEMBER);
        let content: Value = serde_json::from_str(&text(&policy["PolicyContent"])).unwrap();
        assert_eq!(
            content,
            json!({"tags": {"costcenter": {"tag_value": ["Development", "Marketing"]}}})
        );
    }
    let own = tree.does("DescribeEffectivePolicy", ask);
    let content = text(&own["EffectivePolicy"]["PolicyContent"]);
    assert_eq!(
        content,
        r#"{"tags":{"costcenter":{"tag_value":["Development","Support"]}}}"#
    );
    let unit = json!({"PolicyType": "TAG_POLICY", "TargetId": tree.unit});
    assert_eq!(
        tree.refused("DescribeEffectivePolicy", unit).code,
        "InvalidInputException"
    );
}

/// What is deleted or leaves takes its attachments along.
#[test]
fn what_goes_is_detached() {
    let tree = Tree::new();
    let policy = tree.policy(SCP, "no-iam", &deny("iam:CreateRole"));
    let unit = tree.does(
        "CreateOrganizationalUnit",
        json!({"ParentId": tree.root, "Name": "passing"}),
    );
    let unit = text(&unit["OrganizationalUnit"]["Id"]);
    tree.attach(&policy, &unit);
    tree.attach(&policy, MEMBER);
    tree.does("DeleteOrganizationalUnit", json!({"OrganizationalUnitId": unit}));
    tree.does("RemoveAccountFromOrganization", json!({"AccountId": MEMBER}));
    let targets = tree.does("ListTargetsForPolicy", json!({"PolicyId": policy}));
    assert_eq!(targets["Targets"], json!([]));
    tree.does("DeletePolicy", json!({"PolicyId": policy}));
    let left = tree.policy(SCP, "left", &deny("iam:CreateRole"));
    tree.does("DeleteOrganization", json!({}));
    let made = tree.does("CreateOrganization", json!({}));
    assert_eq!(made["Organization"]["FeatureSet"], "ALL");
    let roots = tree.does("ListRoots", json!({}));
    assert_eq!(roots["Roots"][0]["PolicyTypes"], json!([]));
    assert_eq!(
        tree.refused("DescribePolicy", json!({"PolicyId": left})).code,
        "PolicyNotFoundException"
    );
    assert_eq!(
        tree.names("ListPolicies", json!({"Filter": SCP})),
        ["FullAWSAccess"]
    );
}

/// An organization of billing features alone has no policies.
#[test]
fn policies_need_all_features() {
    let tree = Tree::new();
    tree.does("RemoveAccountFromOrganization", json!({"AccountId": MEMBER}));
    tree.does("DeleteOrganization", json!({}));
    tree.does(
        "CreateOrganization",
        json!({"FeatureSet": "CONSOLIDATED_BILLING"}),
    );
    let root = text(&tree.does("ListRoots", json!({}))["Roots"][0]["Id"]);
    let missing = "PolicyTypeNotAvailableForOrganizationException";
    let kind = json!({"RootId": root, "PolicyType": SCP});
    assert_eq!(tree.refused("EnablePolicyType", kind).code, missing);
    let policy = json!({"Type": SCP, "Name": "a", "Description": "", "Content": deny("s3:*")});
    assert_eq!(tree.refused("CreatePolicy", policy).code, missing);
}

/// A member that the organization's resource policy names manages policies, as far as that policy goes.
#[test]
fn a_delegate_manages_policies() {
    let tree = Tree::new();
    let delegates = document(&json!({
        "Effect": "Allow", "Principal": {"AWS": MEMBER}, "Resource": "*",
        "Action": ["organizations:CreatePolicy", "organizations:AttachPolicy", "organizations:DescribePolicy"],
        "Condition": {"StringLikeIfExists": {"organizations:PolicyType": [SCP]}},
    }));
    tree.does("PutResourcePolicy", json!({"Content": delegates}));
    let admin = tree.admin("ada");
    let make = |kind: &str, content: String| {
        let input = json!({"Type": kind, "Name": "theirs", "Description": "", "Content": content});
        tree.asks(&admin, "CreatePolicy", input)
    };
    let made = make(SCP, deny("iam:CreateGroup")).unwrap();
    let id = text(&made["Policy"]["PolicySummary"]["Id"]);
    let input = json!({"PolicyId": id, "TargetId": tree.unit});
    tree.asks(&admin, "AttachPolicy", input.clone()).unwrap();
    let failure = make("TAG_POLICY", r#"{"tags":{}}"#.to_owned()).unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
    let failure = tree.asks(&admin, "DetachPolicy", input).unwrap_err();
    assert_eq!(failure.code, "AccessDeniedException");
    assert!(
        tree.iam(&admin, "CreateGroup", json!({"GroupName": "g"}))
            .is_err()
    );
}
