//! Policies of an organization: attached and detached, live in every decision, and merged down the tree.

use std::sync::Arc;

use pipeline::Identity;
use pipeline::testing::{ACCOUNT, Caller, Failure};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, document, trust};

pub(crate) const MEMBER: &str = "222233334444";
const OUTSIDER: &str = "333344445555";
const SCP: &str = "SERVICE_CONTROL_POLICY";
const RCP: &str = "RESOURCE_CONTROL_POLICY";

/// An organization with one member below an organizational unit, and an account that is in none.
pub(crate) struct Tree {
    pub(crate) scene: Scene,
    pub(crate) id: String,
    pub(crate) root: String,
    pub(crate) unit: String,
    pub(crate) member: Caller,
    outsider: Caller,
}

impl Tree {
    pub(crate) fn new() -> Self {
        let scene = Scene::new();
        let made = scene.cloud.gateway.system("us-east-1", |call| {
            for account in [MEMBER, OUTSIDER] {
                identity::iam::bootstrap::ensure_account(call, account, Some("developers"))?;
            }
            Ok(())
        });
        assert!(made.is_ok());
        let caller = |account: &str| -> Caller { Arc::new(Identity::root(account)) };
        let mut tree = Self {
            scene,
            id: String::new(),
            root: String::new(),
            unit: String::new(),
            member: caller(MEMBER),
            outsider: caller(OUTSIDER),
        };
        let made = tree.does("CreateOrganization", json!({}));
        tree.id = text(&made["Organization"]["Id"]);
        tree.root = text(&tree.does("ListRoots", json!({}))["Roots"][0]["Id"]);
        let unit = tree.does(
            "CreateOrganizationalUnit",
            json!({"ParentId": tree.root, "Name": "workloads"}),
        );
        tree.unit = text(&unit["OrganizationalUnit"]["Id"]);
        let invited = tree.does(
            "InviteAccountToOrganization",
            json!({"Target": {"Id": MEMBER, "Type": "ACCOUNT"}}),
        );
        let handshake = json!({"HandshakeId": invited["Handshake"]["Id"]});
        tree.asks(&tree.member, "AcceptHandshake", handshake).unwrap();
        tree.does(
            "MoveAccount",
            json!({"AccountId": MEMBER, "SourceParentId": tree.root, "DestinationParentId": tree.unit}),
        );
        tree
    }

    fn asks(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
        self.scene.cloud.call(caller, "organizations", operation, input)
    }

    /// Calls Organizations as root of the management account, which must succeed.
    pub(crate) fn does(&self, operation: &str, input: Value) -> Value {
        self.asks(&self.scene.root, operation, input)
            .unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    /// The same, which must fail.
    fn refused(&self, operation: &str, input: Value) -> Failure {
        self.asks(&self.scene.root, operation, input)
            .err()
            .unwrap_or_else(|| panic!("{operation} succeeded"))
    }

    /// Makes a policy and tells its id.
    pub(crate) fn policy(&self, kind: &str, name: &str, content: &str) -> String {
        let input = json!({"Type": kind, "Name": name, "Description": "", "Content": content});
        text(&self.does("CreatePolicy", input)["Policy"]["PolicySummary"]["Id"])
    }

    pub(crate) fn attach(&self, policy: &str, target: &str) {
        self.does("AttachPolicy", json!({"PolicyId": policy, "TargetId": target}));
    }

    fn detach(&self, policy: &str, target: &str) {
        self.does("DetachPolicy", json!({"PolicyId": policy, "TargetId": target}));
    }

    fn iam(&self, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
        self.scene.call(caller, operation, input)
    }

    /// A user of the member account with the permissions of an administrator.
    fn admin(&self, name: &str) -> Caller {
        let user = json!({"UserName": name});
        self.iam(&self.member, "CreateUser", user.clone()).unwrap();
        let all = json!({"UserName": name, "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
        self.iam(&self.member, "AttachUserPolicy", all).unwrap();
        let key = self.iam(&self.member, "CreateAccessKey", user).unwrap();
        self.scene
            .cloud
            .caller(&text(&key["AccessKey"]["AccessKeyId"]), None)
            .unwrap()
    }

    fn role(&self, owner: &Caller, name: &str, trust: &str) {
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
        self.iam(owner, "CreateRole", input).unwrap();
    }

    fn assumes(&self, caller: &Caller, account: &str, role: &str) -> Result<Value, Failure> {
        let arn = format!("arn:aws:iam::{account}:role/{role}");
        let input = json!({"RoleArn": arn, "RoleSessionName": "session"});
        self.scene.cloud.call(caller, "sts", "AssumeRole", input)
    }

    fn names(&self, operation: &str, input: Value) -> Vec<String> {
        let listed = self.does(operation, input);
        let policies = listed["Policies"].as_array().unwrap().iter();
        policies.map(|policy| text(&policy["Name"])).collect()
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn deny(action: &str) -> String {
    document(&json!({"Effect": "Deny", "Action": action, "Resource": "*"}))
}

fn deny_to_all(action: &str) -> String {
    document(&json!({"Effect": "Deny", "Principal": "*", "Action": action, "Resource": "*"}))
}

fn new_user(name: &str) -> Value {
    json!({"UserName": name})
}

/// S2.11, S2.17: an SCP binds the root user and the administrators of a member, and nobody of the management account.
#[test]
fn a_service_control_policy_binds_members_whoever_they_are() {
    let tree = Tree::new();
    let admin = tree.admin("ada");
    let policy = tree.policy(SCP, "no-users", &deny("iam:CreateUser"));
    tree.iam(&tree.member, "CreateUser", new_user("before")).unwrap();
    for target in [tree.root.as_str(), &tree.unit, MEMBER] {
        tree.attach(&policy, target);
        for caller in [&tree.member, &admin] {
            let failure = tree.iam(caller, "CreateUser", new_user("after")).unwrap_err();
            assert_eq!(failure.code, "AccessDenied");
            let words = format!(
                "with an explicit deny in a service control policy: arn:aws:organizations::{ACCOUNT}:policy/{}/service_control_policy/{policy}",
                tree.id
            );
            assert!(failure.message.ends_with(&words), "{}", failure.message);
        }
        tree.iam(&admin, "ListUsers", json!({})).unwrap();
        tree.scene.root("CreateUser", new_user(target));
        let outside = tree.iam(&tree.outsider, "CreateUser", new_user(target));
        assert!(outside.is_ok());
        tree.detach(&policy, target);
    }
    tree.iam(&admin, "CreateUser", new_user("after")).unwrap();
}

/// S2.17: every level must allow, and what an SCP allows it does not give.
#[test]
fn each_level_must_allow() {
    let tree = Tree::new();
    let admin = tree.admin("ada");
    let list = tree.policy(SCP, "allow-list", &allow("iam:List*"));
    tree.attach(&list, &tree.unit);
    tree.iam(&admin, "CreateUser", new_user("ben")).unwrap();
    tree.detach("p-FullAWSAccess", &tree.unit);
    for caller in [&tree.member, &admin] {
        let failure = tree.iam(caller, "CreateUser", new_user("cid")).unwrap_err();
        let words = "because no service control policy allows the iam:CreateUser action";
        assert!(failure.message.ends_with(words), "{}", failure.message);
        tree.iam(caller, "ListUsers", json!({})).unwrap();
    }
    tree.does(
        "MoveAccount",
        json!({"AccountId": MEMBER, "SourceParentId": tree.unit, "DestinationParentId": tree.root}),
    );
    tree.iam(&admin, "CreateUser", new_user("cid")).unwrap();
    let key = tree.iam(&admin, "CreateAccessKey", new_user("cid")).unwrap();
    let bare = tree
        .scene
        .cloud
        .caller(&text(&key["AccessKey"]["AccessKeyId"]), None)
        .unwrap();
    let failure = tree.iam(&bare, "ListUsers", json!({})).unwrap_err();
    assert!(
        failure.message.contains("no identity-based policy allows"),
        "{}",
        failure.message
    );
}

/// S2.17: a session is bound by the SCPs of its role's account, wherever its caller comes from.
#[test]
fn sessions_are_bound_as_their_account() {
    let tree = Tree::new();
    let user = tree.scene.user("mia");
    let input = json!({"UserName": "mia", "PolicyName": "assume", "PolicyDocument": allow("sts:AssumeRole")});
    tree.scene.root("PutUserPolicy", input);
    tree.role(&tree.member, "visitor", &trust("AWS", ACCOUNT));
    let all = json!({"RoleName": "visitor", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"});
    tree.iam(&tree.member, "AttachRolePolicy", all).unwrap();
    let answer = tree.assumes(&user, MEMBER, "visitor").unwrap();
    let part = |name: &str| text(&answer["Credentials"][name]);
    let session = tree
        .scene
        .cloud
        .caller(&part("AccessKeyId"), Some(&part("SessionToken")))
        .unwrap();
    tree.iam(&session, "ListUsers", json!({})).unwrap();
    let policy = tree.policy(SCP, "no-iam", &deny("iam:*"));
    tree.attach(&policy, MEMBER);
    let failure = tree.iam(&session, "ListUsers", json!({})).unwrap_err();
    assert!(
        failure
            .message
            .contains("explicit deny in a service control policy"),
        "{}",
        failure.message
    );
    // The policy is of the caller's account, not of the role's: mia's own account is bound by none.
    let sts = tree.policy(SCP, "no-sts", &deny("sts:*"));
    tree.attach(&sts, MEMBER);
    tree.assumes(&user, MEMBER, "visitor").unwrap();
}

/// S2.11, S2.17: an RCP stands over the member's resources for every caller, and over nothing of the management account.
#[test]
fn a_resource_control_policy_stands_over_a_members_resources() {
    let tree = Tree::new();
    let user = tree.scene.user("mia");
    let input = json!({"UserName": "mia", "PolicyName": "assume", "PolicyDocument": allow("sts:AssumeRole")});
    tree.scene.root("PutUserPolicy", input);
    tree.role(&tree.member, "visitor", &trust("AWS", ACCOUNT));
    tree.role(&tree.scene.root, "visitor", &trust("AWS", ACCOUNT));
    tree.does(
        "EnablePolicyType",
        json!({"RootId": tree.root, "PolicyType": RCP}),
    );
    tree.assumes(&user, MEMBER, "visitor").unwrap();
    let policy = tree.policy(RCP, "closed", &deny_to_all("sts:AssumeRole"));
    for target in [tree.root.as_str(), MEMBER] {
        tree.attach(&policy, target);
        let failure = tree.assumes(&user, MEMBER, "visitor").unwrap_err();
        let words = format!(
            "with an explicit deny in a resource control policy: arn:aws:organizations::{ACCOUNT}:policy/{}/resource_control_policy/{policy}",
            tree.id
        );
        assert!(failure.message.ends_with(&words), "{}", failure.message);
        tree.assumes(&user, ACCOUNT, "visitor").unwrap();
        tree.detach(&policy, target);
    }
    // Actions of services that do not support RCPs are out of their reach.
    let iam = tree.policy(RCP, "iam", &deny_to_all("iam:*"));
    tree.attach(&iam, MEMBER);
    tree.iam(&tree.member, "ListUsers", json!({})).unwrap();
    // An outsider learns of the refusal, and not by which policy.
    tree.role(&tree.member, "guest", &trust("AWS", OUTSIDER));
    tree.attach(&policy, MEMBER);
    tree.iam(&tree.outsider, "CreateUser", new_user("otto")).unwrap();
    let input =
        json!({"UserName": "otto", "PolicyName": "assume", "PolicyDocument": allow("sts:AssumeRole")});
    tree.iam(&tree.outsider, "PutUserPolicy", input).unwrap();
    let key = tree
        .iam(&tree.outsider, "CreateAccessKey", new_user("otto"))
        .unwrap();
    let otto = tree
        .scene
        .cloud
        .caller(&text(&key["AccessKey"]["AccessKeyId"]), None)
        .unwrap();
    let failure = tree.assumes(&otto, MEMBER, "guest").unwrap_err();
    assert!(
        failure
            .message
            .ends_with("with an explicit deny in a resource control policy"),
        "{}",
        failure.message
    );
}

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

/// S2.17: the keys of organizations, present for members and absent for others.
#[test]
fn conditions_see_the_organizations_of_both_sides() {
    let tree = Tree::new();
    let admin = tree.admin("ada");
    let open = |key: &str, operator: &str, value: &str| {
        let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"});
        statement["Condition"] = json!({operator: {key: value}});
        document(&statement)
    };
    let path = format!("{}/{}/{}/*", tree.id, tree.root, tree.unit);
    let root = tree.scene.root.clone();
    tree.role(
        &root,
        "by-id",
        &open("aws:PrincipalOrgID", "StringEquals", &tree.id),
    );
    tree.role(
        &root,
        "by-path",
        &open("aws:PrincipalOrgPaths", "ForAnyValue:StringLike", &path),
    );
    tree.role(
        &root,
        "elsewhere",
        &open("aws:PrincipalOrgID", "StringEquals", "o-elsewhere1"),
    );
    tree.role(&tree.outsider, "theirs", &trust("AWS", MEMBER));
    tree.assumes(&admin, ACCOUNT, "by-id").unwrap();
    tree.assumes(&admin, ACCOUNT, "by-path").unwrap();
    assert!(tree.assumes(&admin, ACCOUNT, "elsewhere").is_err());
    tree.iam(&tree.outsider, "CreateUser", new_user("otto")).unwrap();
    let input =
        json!({"UserName": "otto", "PolicyName": "assume", "PolicyDocument": allow("sts:AssumeRole")});
    tree.iam(&tree.outsider, "PutUserPolicy", input).unwrap();
    let key = tree
        .iam(&tree.outsider, "CreateAccessKey", new_user("otto"))
        .unwrap();
    let otto = tree
        .scene
        .cloud
        .caller(&text(&key["AccessKey"]["AccessKeyId"]), None)
        .unwrap();
    for role in ["by-id", "by-path"] {
        assert!(tree.assumes(&otto, ACCOUNT, role).is_err());
    }
    // The resource's side: nobody of the member reaches what is not the organization's.
    tree.assumes(&admin, OUTSIDER, "theirs").unwrap();
    let perimeter = document(&json!({"Effect": "Deny", "Action": "sts:*", "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}}));
    let policy = tree.policy(SCP, "perimeter", &perimeter);
    tree.attach(&policy, &tree.root);
    let failure = tree.assumes(&admin, OUTSIDER, "theirs").unwrap_err();
    assert!(
        failure
            .message
            .contains("explicit deny in a service control policy"),
        "{}",
        failure.message
    );
    tree.assumes(&admin, ACCOUNT, "by-id").unwrap();
}

/// `why` decides by the places that the decision saw, whatever moved since, and names policy and level.
#[test]
fn a_recorded_decision_is_explained_as_it_was() {
    let tree = Tree::new();
    let admin = tree.admin("ada");
    let path = format!("{}/{}/{}/*", tree.id, tree.root, tree.unit);
    let content = document(
        &json!({"Effect": "Deny", "Action": "iam:CreateUser", "Resource": "*",
        "Condition": {"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": path, "aws:ResourceOrgPaths": path}}}),
    );
    let policy = tree.policy(SCP, "unit-only", &content);
    tree.attach(&policy, &tree.root);
    assert!(tree.iam(&admin, "CreateUser", new_user("eve")).is_err());
    let record = tree.scene.cloud.records(MEMBER, "us-east-1").pop().unwrap();
    assert_eq!(record.operation, "CreateUser");
    tree.does(
        "MoveAccount",
        json!({"AccountId": MEMBER, "SourceParentId": tree.unit, "DestinationParentId": tree.root}),
    );
    tree.iam(&admin, "CreateUser", new_user("eve")).unwrap();
    let explained = tree
        .scene
        .cloud
        .gateway
        .system("us-east-1", |call| pipeline::why::explain(call, &record.id));
    let explained = explained.map_err(|fault| fault.message).unwrap();
    let decision = &explained.decisions[0];
    assert!(!decision.derivation.decision.allowed);
    for words in ["explicit deny in a service control policy", &policy] {
        assert!(decision.ladder.contains(words), "{words}: {}", decision.ladder);
    }
}

/// S2.17: the simulator tells what the organization says.
#[test]
fn a_simulation_knows_the_organization() {
    let tree = Tree::new();
    tree.admin("ada");
    let policy = tree.policy(SCP, "no-buckets", &deny("s3:CreateBucket"));
    tree.attach(&policy, &tree.unit);
    let input = json!({
        "PolicySourceArn": format!("arn:aws:iam::{MEMBER}:user/ada"),
        "ActionNames": ["s3:CreateBucket", "s3:ListAllMyBuckets"],
    });
    let answer = tree.iam(&tree.member, "SimulatePrincipalPolicy", input).unwrap();
    let result = |place: usize| {
        let result = &answer["EvaluationResults"][place];
        (
            text(&result["EvalDecision"]),
            result["OrganizationsDecisionDetail"]["AllowedByOrganizations"].clone(),
        )
    };
    assert_eq!(result(0), ("explicitDeny".to_owned(), json!(false)));
    assert_eq!(result(1), ("allowed".to_owned(), json!(true)));
    // The management account has no organization over it.
    tree.scene.user("mia");
    let input = json!({
        "PolicySourceArn": format!("arn:aws:iam::{ACCOUNT}:user/mia"), "ActionNames": ["s3:CreateBucket"],
    });
    let answer = tree.scene.root("SimulatePrincipalPolicy", input);
    assert!(answer["EvaluationResults"][0]["OrganizationsDecisionDetail"].is_null());
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
    tree.does("CreateOrganization", json!({}));
    assert_eq!(
        tree.refused("DescribePolicy", json!({"PolicyId": left})).code,
        "PolicyNotFoundException"
    );
    assert_eq!(
        tree.names("ListPolicies", json!({"Filter": SCP})),
        ["FullAWSAccess"]
    );
}

/// After the reset of one account nobody is bound by an organization that is gone.
#[test]
fn a_reset_leaves_nobody_in_an_organization_that_is_gone() {
    let forget = |tree: &Tree, account: &str| {
        let gateway = &tree.scene.cloud.gateway;
        let done = gateway.system("us-east-1", |call| {
            identity::organizations::reset::forget(call, account)
        });
        assert!(done.is_ok());
    };
    for account in [MEMBER, ACCOUNT] {
        let tree = Tree::new();
        let policy = tree.policy(SCP, "no-iam", &deny("iam:*"));
        tree.attach(&policy, MEMBER);
        assert!(tree.iam(&tree.member, "ListUsers", json!({})).is_err());
        forget(&tree, account);
        tree.iam(&tree.member, "ListUsers", json!({})).unwrap();
        let failure = tree
            .asks(&tree.member, "DescribeOrganization", json!({}))
            .unwrap_err();
        assert_eq!(failure.code, "AWSOrganizationsNotInUseException");
        if account == MEMBER {
            let targets = tree.does("ListTargetsForPolicy", json!({"PolicyId": policy}));
            assert_eq!(targets["Targets"], json!([]));
        }
    }
}
