//! Member accounts: made with a role to reach in by, closed by the clock, let go.

use pipeline::testing::{ACCOUNT, Caller, Failure};
use serde_json::{Value, json};

use super::{DAY, OTHER, Organized, call, root_of, text};
use crate::scene::allow;

/// A session of a role in a member account, by a user of the management account.
fn assume(organized: &Organized, caller: &Caller, account: &str, role: &str) -> Result<Caller, Failure> {
    let input = json!({"RoleArn": format!("arn:aws:iam::{account}:role/{role}"), "RoleSessionName": "reach"});
    let answer = organized.scene.cloud.call(caller, "sts", "AssumeRole", input)?;
    let field = |name: &str| text(&answer["Credentials"][name]);
    let (id, token) = (field("AccessKeyId"), field("SessionToken"));
    Ok(organized.scene.cloud.caller(&id, Some(&token)).unwrap())
}

fn administrator(organized: &Organized) -> Caller {
    let caller = organized.scene.user("administrator");
    let input =
        json!({"UserName": "administrator", "PolicyName": "I", "PolicyDocument": allow("sts:AssumeRole")});
    organized.scene.root("PutUserPolicy", input);
    caller
}

#[test]
fn a_new_account_is_made_a_little_later() {
    let organized = Organized::new();
    let asked = organized.ok(
        "CreateAccount",
        json!({"AccountName": "Sandbox", "Email": "sandbox@example.com", "Tags": [{"Key": "a", "Value": "b"}]}),
    )["CreateAccountStatus"]
        .clone();
    assert_eq!(asked["State"], "IN_PROGRESS");
    assert!(text(&asked["Id"]).starts_with("car-"));
    assert_eq!(asked.get("AccountId"), None);
    let pending = organized.ok("ListCreateAccountStatus", json!({"States": ["IN_PROGRESS"]}));
    assert_eq!(pending["CreateAccountStatuses"][0]["Id"], asked["Id"]);
    organized.scene.cloud.advance(0);
    let status = json!({"CreateAccountRequestId": asked["Id"]});
    let status = organized.ok("DescribeCreateAccountStatus", status)["CreateAccountStatus"].clone();
    assert_eq!(status["State"], "SUCCEEDED");
    let account = text(&status["AccountId"]);
    let shown = organized.account(&account);
    assert_eq!(
        (
            &shown["Name"],
            &shown["Email"],
            &shown["JoinedMethod"],
            &shown["Status"]
        ),
        (
            &json!("Sandbox"),
            &json!("sandbox@example.com"),
            &json!("CREATED"),
            &json!("ACTIVE")
        )
    );
    let tags = organized.ok("ListTagsForResource", json!({"ResourceId": account}));
    assert_eq!(tags["Tags"], json!([{"Key": "a", "Value": "b"}]));
    let none = organized.ok("ListCreateAccountStatus", json!({"States": ["IN_PROGRESS"]}));
    assert_eq!(none["CreateAccountStatuses"], json!([]));
    let result = organized.scene.cloud.records(ACCOUNT, "us-east-1");
    let result = result
        .iter()
        .find(|record| record.operation == "CreateAccountResult")
        .unwrap();
    assert_eq!(result.additional["createAccountStatus"]["accountId"], account);
    assert_eq!(result.additional["createAccountStatus"]["accountName"], "****");
    assert_eq!(organized.events(&account), Vec::<String>::new());
}

/// The role that trusts the management account is a real one: whoever may assume it there administers the new account.
#[test]
fn the_management_account_reaches_into_accounts_that_it_made() {
    let organized = Organized::new();
    let account = organized.member("member@example.com");
    let administrator = administrator(&organized);
    let session = assume(
        &organized,
        &administrator,
        &account,
        "OrganizationAccountAccessRole",
    )
    .unwrap();
    let iam = |operation: &str, input: Value| organized.scene.call(&session, operation, input);
    let made = iam("CreateUser", json!({"UserName": "there"})).unwrap();
    assert_eq!(made["User"]["Arn"], format!("arn:aws:iam::{account}:user/there"));
    let attached = iam(
        "ListAttachedRolePolicies",
        json!({"RoleName": "OrganizationAccountAccessRole"}),
    );
    assert_eq!(
        attached.unwrap()["AttachedPolicies"][0]["PolicyName"],
        "AdministratorAccess"
    );
    let summary = iam("GetAccountSummary", json!({})).unwrap();
    assert_eq!(
        summary["SummaryMap"]["Roles"], 2,
        "the second one is that of Organizations"
    );
    let input = json!({"AccountName": "m", "Email": "m2@example.com", "RoleName": "Reach"});
    organized.ok("CreateAccount", input);
    organized.scene.cloud.advance(0);
    let accounts = organized.ok("ListAccounts", json!({}))["Accounts"].clone();
    let second = accounts
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["Email"] == "m2@example.com");
    let second = text(&second.unwrap()["Id"]);
    assert!(assume(&organized, &administrator, &second, "Reach").is_ok());
    assert!(
        assume(
            &organized,
            &administrator,
            &second,
            "OrganizationAccountAccessRole"
        )
        .is_err()
    );
    let outsider = root_of(OTHER);
    assert!(assume(&organized, &outsider, &account, "OrganizationAccountAccessRole").is_err());
}

#[test]
fn accounts_that_cannot_be_made_fail_later_or_at_once() {
    let organized = Organized::new();
    organized.member("taken@example.com");
    let input = json!({"AccountName": "Again", "Email": "Taken@example.com"});
    let asked = organized.ok("CreateAccount", input);
    organized.scene.cloud.advance(0);
    let status = json!({"CreateAccountRequestId": asked["CreateAccountStatus"]["Id"]});
    let status = organized.ok("DescribeCreateAccountStatus", status)["CreateAccountStatus"].clone();
    assert_eq!(
        (&status["State"], &status["FailureReason"]),
        (&json!("FAILED"), &json!("EMAIL_ALREADY_EXISTS"))
    );
    let reserved = json!({"AccountName": "R", "Email": "r@example.com", "RoleName": "AWSServiceRoleForMe"});
    assert_eq!(
        organized.refused("CreateAccount", reserved),
        "InvalidInputException"
    );
    for index in 0..8 {
        organized.member(&format!("m{index}@example.com"));
    }
    let tenth = json!({"AccountName": "Eleventh", "Email": "eleventh@example.com"});
    assert_eq!(
        organized.refused("CreateAccount", tenth),
        "ConstraintViolationException",
        "the quota is ten, and the failed one took no place"
    );
    let unknown = json!({"CreateAccountRequestId": "car-00000000"});
    assert_eq!(
        organized.refused("DescribeCreateAccountStatus", unknown),
        "CreateAccountStatusNotFoundException"
    );
}

#[test]
fn a_closed_account_is_suspended_and_gone_after_ninety_days() {
    let organized = Organized::new();
    let account = organized.member("member@example.com");
    let administrator = administrator(&organized);
    let reach = || {
        assume(
            &organized,
            &administrator,
            &account,
            "OrganizationAccountAccessRole",
        )
    };
    let session = reach().unwrap();
    organized
        .scene
        .call(&session, "CreateUser", json!({"UserName": "there"}))
        .unwrap();
    let key = organized
        .scene
        .call(&session, "CreateAccessKey", json!({"UserName": "there"}))
        .unwrap();
    let key = text(&key["AccessKey"]["AccessKeyId"]);
    organized.ok("CloseAccount", json!({"AccountId": account}));
    assert_eq!(organized.account(&account)["State"], "PENDING_CLOSURE");
    assert!(organized.scene.cloud.caller(&key, None).is_ok());
    organized.scene.cloud.advance(0);
    let closed = organized.account(&account);
    assert_eq!(
        (&closed["State"], &closed["Status"]),
        (&json!("CLOSED"), &json!("SUSPENDED"))
    );
    assert_eq!(organized.scene.cloud.caller(&key, None).err(), Some("unknown"));
    let token = organized.scene.cloud.caller(&session.access_key_id, None);
    assert!(token.is_err());
    assert_eq!(reach().err().unwrap().code, "AccessDenied");
    assert_eq!(
        organized.refused("CloseAccount", json!({"AccountId": account})),
        "AccountAlreadyClosedException"
    );
    organized.scene.cloud.advance(89 * DAY);
    assert_eq!(organized.account(&account)["State"], "CLOSED");
    organized.scene.cloud.advance(2 * DAY);
    assert_eq!(
        organized.refused("DescribeAccount", json!({"AccountId": account})),
        "AccountNotFoundException"
    );
    assert_eq!(organized.scene.cloud.caller(&key, None).err(), Some("unknown"));
    let events = organized.events(ACCOUNT);
    assert!(events.contains(&"CloseAccountResult".to_owned()), "{events:?}");
    let records = organized.scene.cloud.records(ACCOUNT, "us-east-1");
    let gone = records
        .iter()
        .find(|record| record.operation == "AccountDepartedOrganization");
    assert_eq!(gone.unwrap().additional["departureMethod"], "CLEANED");
}

#[test]
fn not_every_account_can_be_closed() {
    let organized = Organized::new();
    let close = |account: &str| json!({"AccountId": account});
    let failure = call(
        &organized.scene,
        &organized.scene.root,
        "CloseAccount",
        close(ACCOUNT),
    );
    assert_eq!(failure.unwrap_err().code, "ConstraintViolationException");
    assert_eq!(
        organized.refused("CloseAccount", close(OTHER)),
        "AccountNotFoundException"
    );
    let members: Vec<_> = (0..4)
        .map(|index| organized.member(&format!("m{index}@example.com")))
        .collect();
    for member in &members[..3] {
        organized.ok("CloseAccount", close(member));
    }
    assert_eq!(
        organized.refused("CloseAccount", close(&members[3])),
        "ConstraintViolationException",
        "three at a time"
    );
    organized.scene.cloud.advance(0);
    organized.ok("CloseAccount", close(&members[3]));
}

#[test]
fn accounts_leave_and_are_put_out() {
    let organized = Organized::new();
    organized.invited(OTHER);
    organized
        .as_root_of(OTHER, "LeaveOrganization", json!({}))
        .unwrap();
    let outside = organized.as_root_of(OTHER, "DescribeOrganization", json!({}));
    assert_eq!(outside.unwrap_err().code, "AWSOrganizationsNotInUseException");
    organized.invited(OTHER);
    let remove = |account: &str| json!({"AccountId": account});
    organized.ok("RemoveAccountFromOrganization", remove(OTHER));
    assert_eq!(
        organized.refused("RemoveAccountFromOrganization", remove(OTHER)),
        "AccountNotFoundException"
    );
    for (operation, input) in [
        ("LeaveOrganization", json!({})),
        ("RemoveAccountFromOrganization", remove(ACCOUNT)),
    ] {
        assert_eq!(
            organized.refused(operation, input),
            "MasterCannotLeaveOrganizationException"
        );
    }
}

#[test]
fn an_account_that_was_made_stays_four_days() {
    let organized = Organized::new();
    let account = organized.member("member@example.com");
    let remove = json!({"AccountId": account});
    organized.scene.cloud.advance(4 * DAY - 1000);
    assert_eq!(
        organized.refused("RemoveAccountFromOrganization", remove.clone()),
        "ConstraintViolationException"
    );
    organized.scene.cloud.advance(1000);
    organized.ok("RemoveAccountFromOrganization", remove);
}

/// A closed account that was put out is not put out again when its time is over.
#[test]
fn a_closed_account_that_was_put_out_is_forgotten_once() {
    let organized = Organized::new();
    organized.invited(OTHER);
    organized.ok("CloseAccount", json!({"AccountId": OTHER}));
    organized.scene.cloud.advance(0);
    organized.ok("RemoveAccountFromOrganization", json!({"AccountId": OTHER}));
    organized.scene.cloud.advance(100 * DAY);
    let departures = organized.events(ACCOUNT);
    let departures = departures
        .iter()
        .filter(|name| *name == "AccountDepartedOrganization");
    assert_eq!(departures.count(), 1);
}
