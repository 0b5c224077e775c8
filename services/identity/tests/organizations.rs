//! Organizations through the pipeline: the tree, its accounts, what they ask of each other, and who may do what.

mod access_report;
mod accounts;
mod analyzers;
mod delegation;
mod features;
mod handshakes;
mod root_access;
mod service_roles;
mod tree;

use std::sync::Arc;

use pipeline::Identity;
use pipeline::testing::{ACCOUNT, Caller, Failure};
use serde_json::{Value, json};

use crate::scene::Scene;

/// An account that is in no organization at first.
const OTHER: &str = "222233334444";
const DAY: i64 = 24 * 60 * 60 * 1000;

/// A cloud whose first account manages an organization.
struct Organized {
    scene: Scene,
    id: String,
    root_id: String,
}

impl Organized {
    fn new() -> Self {
        Self::with(json!({}))
    }

    fn with(input: Value) -> Self {
        let scene = Scene::new();
        let root = scene.root.clone();
        let made = call(&scene, &root, "CreateOrganization", input).unwrap();
        let roots = call(&scene, &root, "ListRoots", json!({})).unwrap();
        Self {
            id: text(&made["Organization"]["Id"]),
            root_id: text(&roots["Roots"][0]["Id"]),
            scene,
        }
    }

    /// Calls as the management account's root user.
    fn ok(&self, operation: &str, input: Value) -> Value {
        let answer = call(&self.scene, &self.scene.root, operation, input);
        answer.unwrap_or_else(|failure| panic!("{operation}: {failure:?}"))
    }

    fn refused(&self, operation: &str, input: Value) -> String {
        let answer = call(&self.scene, &self.scene.root, operation, input);
        answer
            .err()
            .unwrap_or_else(|| panic!("{operation} succeeded"))
            .code
    }

    /// Calls as another account's root user.
    fn as_root_of(&self, account: &str, operation: &str, input: Value) -> Result<Value, Failure> {
        call(&self.scene, &root_of(account), operation, input)
    }

    fn unit(&self, parent: &str, name: &str) -> String {
        let made = self.ok(
            "CreateOrganizationalUnit",
            json!({"ParentId": parent, "Name": name}),
        );
        text(&made["OrganizationalUnit"]["Id"])
    }

    /// A new member, made by the organization.
    fn member(&self, email: &str) -> String {
        let asked = self.ok("CreateAccount", json!({"AccountName": "Member", "Email": email}));
        self.scene.cloud.advance(0);
        let id = &asked["CreateAccountStatus"]["Id"];
        let status = self.ok(
            "DescribeCreateAccountStatus",
            json!({"CreateAccountRequestId": id}),
        );
        text(&status["CreateAccountStatus"]["AccountId"])
    }

    /// An account that was there before, as a member.
    fn invited(&self, account: &str) {
        stranger(&self.scene, account);
        let sent = self.invite(account);
        let accepted = self.as_root_of(account, "AcceptHandshake", json!({"HandshakeId": sent}));
        assert_eq!(accepted.unwrap()["Handshake"]["State"], "ACCEPTED");
    }

    fn invite(&self, account: &str) -> String {
        let target = json!({"Target": {"Id": account, "Type": "ACCOUNT"}});
        text(&self.ok("InviteAccountToOrganization", target)["Handshake"]["Id"])
    }

    fn account(&self, account: &str) -> Value {
        self.ok("DescribeAccount", json!({"AccountId": account}))["Account"].clone()
    }

    /// Names of the events in an account's trail.
    fn events(&self, account: &str) -> Vec<String> {
        let records = self.scene.cloud.records(account, "us-east-1");
        records.into_iter().map(|record| record.operation).collect()
    }
}

fn call(scene: &Scene, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
    scene.cloud.call(caller, "organizations", operation, input)
}

fn root_of(account: &str) -> Caller {
    Arc::new(Identity::root(account))
}

/// An account that is there, in no organization.
fn stranger(scene: &Scene, account: &str) {
    let made = scene.cloud.gateway.system("us-east-1", |call| {
        identity::iam::bootstrap::ensure_account(call, account, Some("Other"))
    });
    assert!(made.is_ok());
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}

#[test]
fn an_organization_begins_with_its_account_alone() {
    let organized = Organized::new();
    let shown = organized.ok("DescribeOrganization", json!({}))["Organization"].clone();
    let id = &organized.id;
    assert!(id.starts_with("o-") && id.len() == 12, "{id}");
    assert_eq!(
        shown["Arn"],
        format!("arn:aws:organizations::{ACCOUNT}:organization/{id}")
    );
    assert_eq!(
        shown["MasterAccountArn"],
        format!("arn:aws:organizations::{ACCOUNT}:account/{id}/{ACCOUNT}")
    );
    assert_eq!(
        (&shown["FeatureSet"], &shown["MasterAccountId"]),
        (&json!("ALL"), &json!(ACCOUNT))
    );
    let root = organized.ok("ListRoots", json!({}))["Roots"][0].clone();
    assert_eq!(
        root["Arn"],
        format!("arn:aws:organizations::{ACCOUNT}:root/{id}/{}", organized.root_id)
    );
    assert_eq!(root["PolicyTypes"], json!([]));
    let accounts = organized.ok("ListAccounts", json!({}))["Accounts"].clone();
    assert_eq!(accounts.as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &accounts[0]["Id"],
            &accounts[0]["JoinedMethod"],
            &accounts[0]["State"]
        ),
        (&json!(ACCOUNT), &json!("INVITED"), &json!("ACTIVE"))
    );
    assert_eq!(
        accounts[0]["Paths"],
        json!([format!("{id}/{}/{ACCOUNT}/", organized.root_id)])
    );
    assert_eq!(
        organized.refused("CreateOrganization", json!({})),
        "AlreadyInOrganizationException"
    );
}

#[test]
fn without_an_organization_there_is_nothing_to_ask() {
    let scene = Scene::new();
    for (operation, input) in [
        ("DescribeOrganization", json!({})),
        ("ListAccounts", json!({})),
        ("DescribeAccount", json!({"AccountId": ACCOUNT})),
        ("LeaveOrganization", json!({})),
        (
            "CreateAccount",
            json!({"AccountName": "a", "Email": "a@example.com"}),
        ),
        ("DescribeResourcePolicy", json!({})),
    ] {
        let failure = call(&scene, &scene.root, operation, input).unwrap_err();
        assert_eq!(failure.code, "AWSOrganizationsNotInUseException", "{operation}");
        assert_eq!(
            failure.message,
            "Your account is not a member of an organization."
        );
    }
}

#[test]
fn an_organization_ends_once_it_is_empty() {
    let organized = Organized::new();
    let unit = organized.unit(&organized.root_id, "Left over");
    organized.invited(OTHER);
    assert_eq!(
        organized.refused("DeleteOrganization", json!({})),
        "OrganizationNotEmptyException"
    );
    organized.ok("RemoveAccountFromOrganization", json!({"AccountId": OTHER}));
    stranger(&organized.scene, "333344445555");
    let sent = organized.invite("333344445555");
    organized.ok("DeleteOrganization", json!({}));
    assert_eq!(
        organized.refused("DescribeOrganization", json!({})),
        "AWSOrganizationsNotInUseException"
    );
    let late = organized.as_root_of("333344445555", "AcceptHandshake", json!({"HandshakeId": sent}));
    assert_eq!(late.unwrap_err().code, "InvalidHandshakeTransitionException");
    organized.ok("CreateOrganization", json!({}));
    assert_eq!(
        organized.refused(
            "DescribeOrganizationalUnit",
            json!({"OrganizationalUnitId": unit})
        ),
        "OrganizationalUnitNotFoundException"
    );
}

/// Every coming and going is told in the management account's trail, and nowhere else.
#[test]
fn the_management_account_s_trail_tells_who_came_and_went() {
    let organized = Organized::new();
    organized.scene.cloud.advance(1000);
    organized.invited(OTHER);
    organized.scene.cloud.advance(1000);
    organized
        .as_root_of(OTHER, "LeaveOrganization", json!({}))
        .unwrap();
    organized.scene.cloud.advance(0);
    let told: Vec<_> = organized.scene.cloud.records(ACCOUNT, "us-east-1");
    let told: Vec<_> = told
        .into_iter()
        .filter(|record| record.operation.starts_with("Account"))
        .map(|record| {
            let word = |name: &str| record.additional.get(name)?.as_str().map(str::to_owned);
            (
                record.operation.clone(),
                word("accountId").unwrap(),
                word("joinedMethod").or_else(|| word("departureMethod")).unwrap(),
            )
        })
        .collect();
    let event = |name: &str, account: &str, how: &str| (name.to_owned(), account.to_owned(), how.to_owned());
    assert_eq!(
        told,
        [
            event("AccountJoinedOrganization", ACCOUNT, "INVITED"),
            event("AccountJoinedOrganization", OTHER, "INVITED"),
            event("AccountDepartedOrganization", OTHER, "LEFT"),
        ]
    );
    let other = organized.events(OTHER);
    assert!(other.contains(&"LeaveOrganization".to_owned()), "{other:?}");
    assert!(!other.iter().any(|name| name.starts_with("Account")), "{other:?}");
    assert!(
        !organized
            .events(ACCOUNT)
            .contains(&"LeaveOrganization".to_owned())
    );
}

/// Organizations words what breaks a constraint by itself, where other services share one wording.
#[test]
fn a_malformed_name_is_an_invalid_input() {
    let organized = Organized::new();
    for (input, message) in [
        (
            json!({"AccountId": "123"}),
            "You provided a value that does not match the required pattern.",
        ),
        (json!({}), "You must include a value for all required parameters."),
    ] {
        let failure = call(&organized.scene, &organized.scene.root, "DescribeAccount", input).unwrap_err();
        assert_eq!(
            (failure.code.as_str(), failure.message.as_str()),
            ("InvalidInputException", message)
        );
    }
}
