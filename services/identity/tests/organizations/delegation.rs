//! Who may do what: the management account, delegated administrators, members, and whom the resource policy names.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use super::{OTHER, Organized, stranger, text};
use crate::scene::document;

const CONFIG: &str = "config.amazonaws.com";
const THIRD: &str = "333344445555";

fn registration(account: &str) -> Value {
    json!({"AccountId": account, "ServicePrincipal": CONFIG})
}

#[test]
fn members_see_their_organization_and_little_else() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let seen = organized
        .as_root_of(OTHER, "DescribeOrganization", json!({}))
        .unwrap();
    assert_eq!(seen["Organization"]["Id"], organized.id);
    for (operation, input) in [
        ("ListAccounts", json!({})),
        ("DescribeAccount", json!({"AccountId": OTHER})),
        ("ListRoots", json!({})),
        (
            "CreateOrganizationalUnit",
            json!({"ParentId": organized.root_id, "Name": "x"}),
        ),
        (
            "CreateAccount",
            json!({"AccountName": "a", "Email": "a@example.com"}),
        ),
        ("DeleteOrganization", json!({})),
        ("RemoveAccountFromOrganization", json!({"AccountId": OTHER})),
        ("EnableAWSServiceAccess", json!({"ServicePrincipal": CONFIG})),
        ("PutResourcePolicy", json!({"Content": "{}"})),
    ] {
        let failure = organized.as_root_of(OTHER, operation, input).unwrap_err();
        assert_eq!(failure.code, "AccessDeniedException", "{operation}");
        assert_eq!(
            failure.message,
            "You don't have permissions to access this resource."
        );
    }
}

#[test]
fn a_delegated_administrator_reads_but_does_not_rule() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let register = |account: &str| organized.refused("RegisterDelegatedAdministrator", registration(account));
    assert_eq!(
        register(OTHER),
        "ConstraintViolationException",
        "the service has no access yet"
    );
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": CONFIG}));
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": CONFIG}));
    let services = organized.ok("ListAWSServiceAccessForOrganization", json!({}));
    assert_eq!(
        services["EnabledServicePrincipals"][0]["ServicePrincipal"],
        CONFIG
    );
    assert_eq!(register(ACCOUNT), "ConstraintViolationException");
    assert_eq!(register(THIRD), "AccountNotFoundException");
    organized.ok("RegisterDelegatedAdministrator", registration(OTHER));
    assert_eq!(register(OTHER), "AccountAlreadyRegisteredException");
    let accounts = organized.as_root_of(OTHER, "ListAccounts", json!({})).unwrap();
    assert_eq!(accounts["Accounts"].as_array().unwrap().len(), 2);
    stranger(&organized.scene, THIRD);
    let sent = json!({"HandshakeId": organized.invite(THIRD)});
    let seen = organized.as_root_of(OTHER, "DescribeHandshake", sent.clone());
    assert_eq!(seen.unwrap()["Handshake"]["Id"], sent["HandshakeId"]);
    let cancel = organized.as_root_of(OTHER, "CancelHandshake", sent);
    assert_eq!(cancel.unwrap_err().code, "HandshakeNotFoundException");
    let make = json!({"ParentId": organized.root_id, "Name": "x"});
    let refused = organized.as_root_of(OTHER, "CreateOrganizationalUnit", make);
    assert_eq!(refused.unwrap_err().code, "AccessDeniedException");
    let listed = organized.ok("ListDelegatedAdministrators", json!({"ServicePrincipal": CONFIG}));
    assert_eq!(listed["DelegatedAdministrators"][0]["Id"], OTHER);
    let none = json!({"ServicePrincipal": "guardduty.amazonaws.com"});
    assert_eq!(
        organized.ok("ListDelegatedAdministrators", none)["DelegatedAdministrators"],
        json!([])
    );
    let services = organized.ok("ListDelegatedServicesForAccount", json!({"AccountId": OTHER}));
    assert_eq!(services["DelegatedServices"][0]["ServicePrincipal"], CONFIG);
    assert_eq!(
        organized.refused("RemoveAccountFromOrganization", json!({"AccountId": OTHER})),
        "ConstraintViolationException"
    );
    organized.ok("DeregisterDelegatedAdministrator", registration(OTHER));
    for (operation, input) in [
        ("DeregisterDelegatedAdministrator", registration(OTHER)),
        ("ListDelegatedServicesForAccount", json!({"AccountId": OTHER})),
    ] {
        assert_eq!(
            organized.refused(operation, input),
            "AccountNotRegisteredException"
        );
    }
    let after = organized.as_root_of(OTHER, "ListAccounts", json!({}));
    assert_eq!(after.unwrap_err().code, "AccessDeniedException");
    organized.ok("DisableAWSServiceAccess", json!({"ServicePrincipal": CONFIG}));
    assert_eq!(register(OTHER), "ConstraintViolationException");
    let unknown = json!({"ServicePrincipal": "config"});
    assert_eq!(
        organized.refused("EnableAWSServiceAccess", unknown),
        "InvalidInputException"
    );
}

fn delegating(organized: &Organized, action: &str, resource: &str) {
    let text = document(&json!({
        "Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": action, "Resource": resource,
    }));
    organized.ok("PutResourcePolicy", json!({"Content": text}));
}

/// The resource policy lets a member do what it says, and only that; the member's own policies count beside.
#[test]
fn the_resource_policy_lets_members_in() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let unit = organized.unit(&organized.root_id, "Unit");
    assert_eq!(
        organized.refused("DescribeResourcePolicy", json!({})),
        "ResourcePolicyNotFoundException"
    );
    let units = format!("arn:aws:organizations::{ACCOUNT}:ou/{}/*", organized.id);
    delegating(&organized, "organizations:TagResource", &units);
    let tag = |id: &str| {
        let input = json!({"ResourceId": id, "Tags": [{"Key": "a", "Value": "b"}]});
        organized.as_root_of(OTHER, "TagResource", input)
    };
    tag(&unit).unwrap();
    let refused = tag(&organized.root_id).unwrap_err();
    assert!(
        refused.message.contains("organizations:TagResource"),
        "{}",
        refused.message
    );
    let listed = organized.as_root_of(OTHER, "ListAccounts", json!({}));
    assert_eq!(listed.unwrap_err().code, "AccessDeniedException");
    delegating(&organized, "organizations:ListAccounts", "*");
    assert!(organized.as_root_of(OTHER, "ListAccounts", json!({})).is_ok());
    assert!(
        tag(&unit).is_err(),
        "the new policy took the place of the old one"
    );
    let shown = organized.ok("DescribeResourcePolicy", json!({}))["ResourcePolicy"].clone();
    let id = text(&shown["ResourcePolicySummary"]["Id"]);
    assert!(id.starts_with("rp-"));
    assert!(text(&shown["Content"]).contains("organizations:ListAccounts"));
    let tagged = json!({"ResourceId": id, "Tags": [{"Key": "a", "Value": "b"}]});
    organized.ok("TagResource", tagged);
    let tags = organized.ok("ListTagsForResource", json!({"ResourceId": id}));
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    organized.ok("DeleteResourcePolicy", json!({}));
    assert!(organized.as_root_of(OTHER, "ListAccounts", json!({})).is_err());
}

#[test]
fn the_resource_policy_names_members_and_what_can_be_delegated() {
    let organized = Organized::new();
    organized.invited(OTHER);
    stranger(&organized.scene, THIRD);
    let refused = |statement: Value| {
        let content = document(&statement);
        organized.refused("PutResourcePolicy", json!({ "Content": content }))
    };
    for statement in [
        json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "organizations:CreateAccount", "Resource": "*"}),
        json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "s3:*", "Resource": "*"}),
        json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "NotAction": "organizations:ListAccounts", "Resource": "*"}),
        json!({"Effect": "Allow", "Principal": {"AWS": THIRD}, "Action": "organizations:ListAccounts", "Resource": "*"}),
        json!({"Effect": "Allow", "Principal": {"Service": CONFIG}, "Action": "organizations:ListAccounts", "Resource": "*"}),
        json!({"Effect": "Allow", "Action": "organizations:ListAccounts", "Resource": "*"}),
    ] {
        assert_eq!(refused(statement.clone()), "InvalidInputException", "{statement}");
    }
}
