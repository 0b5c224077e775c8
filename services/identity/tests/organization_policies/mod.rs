//! Policies of an organization: attached and detached, live in every decision, and merged down the tree.

mod decisions;
mod operations;

use std::sync::Arc;

use pipeline::Identity;
use pipeline::testing::{Caller, Failure};
use serde_json::{Value, json};

use crate::scene::{Scene, document};

const MEMBER: &str = "222233334444";
const OUTSIDER: &str = "333344445555";
const SCP: &str = "SERVICE_CONTROL_POLICY";
const RCP: &str = "RESOURCE_CONTROL_POLICY";

/// An organization with one member below an organizational unit, and an account that is in none.
struct Tree {
    scene: Scene,
    id: String,
    root: String,
    unit: String,
    member: Caller,
    outsider: Caller,
}

impl Tree {
    fn new() -> Self {
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
    fn does(&self, operation: &str, input: Value) -> Value {
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
    fn policy(&self, kind: &str, name: &str, content: &str) -> String {
        let input = json!({"Type": kind, "Name": name, "Description": "", "Content": content});
        text(&self.does("CreatePolicy", input)["Policy"]["PolicySummary"]["Id"])
    }

    fn attach(&self, policy: &str, target: &str) {
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
