//! Central root access: what an organization lets its management account do with the root users of its members.

use pipeline::testing::{ACCOUNT, Caller, Failure, REGION};
use serde_json::{Value, json};

use super::{OTHER, Organized, root_of, text};
use crate::scene::{allow, document};

const IAM: &str = "iam.amazonaws.com";
const TASKS: &str = "arn:aws:iam::aws:policy/root-task";
const ENABLES: [&str; 2] = [
    "EnableOrganizationsRootCredentialsManagement",
    "EnableOrganizationsRootSessions",
];

/// An organization with trusted access for IAM and both features, and a member.
fn centralized() -> (Organized, String) {
    let organized = Organized::new();
    let member = organized.member("member@example.com");
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": IAM}));
    for operation in ENABLES {
        organized.scene.root(operation, json!({}));
    }
    (organized, member)
}

/// A user of the management account who may ask for sessions.
fn administrator(organized: &Organized) -> Caller {
    let caller = organized.scene.user("administrator");
    let policy =
        json!({"UserName": "administrator", "PolicyName": "root", "PolicyDocument": allow("sts:AssumeRoot")});
    organized.scene.root("PutUserPolicy", policy);
    caller
}

fn ask(organized: &Organized, caller: &Caller, account: &str, task: &str) -> Result<Value, Failure> {
    let input = json!({"TargetPrincipal": account, "TaskPolicyArn": {"arn": format!("{TASKS}/{task}")}});
    organized.scene.cloud.call(caller, "sts", "AssumeRoot", input)
}

fn caller_of(organized: &Organized, answer: &Value) -> Caller {
    let credentials = &answer["Credentials"];
    let token = text(&credentials["SessionToken"]);
    let caller = organized
        .scene
        .cloud
        .caller(&text(&credentials["AccessKeyId"]), Some(&token));
    caller.unwrap()
}

fn features(organized: &Organized) -> Value {
    organized.scene.root("ListOrganizationsFeatures", json!({}))["EnabledFeatures"].clone()
}

#[test]
fn features_are_the_organization_s_and_the_management_account_turns_them_on() {
    let scene = crate::scene::Scene::new();
    for operation in ENABLES.into_iter().chain(["ListOrganizationsFeatures"]) {
        assert_eq!(
            crate::scene::code(&scene, operation, json!({})),
            "OrganizationNotFoundException"
        );
    }
    let organized = Organized::new();
    let refused = |operation: &str| crate::scene::code(&organized.scene, operation, json!({}));
    assert_eq!(refused(ENABLES[0]), "ServiceAccessNotEnabledException");
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": IAM}));
    assert_eq!(features(&organized), json!([]));
    let enabled = organized.scene.root(ENABLES[1], json!({}));
    assert_eq!(enabled["EnabledFeatures"], json!(["RootSessions"]));
    assert_eq!(enabled["OrganizationId"], organized.id);
    organized.scene.root(ENABLES[0], json!({}));
    assert_eq!(
        features(&organized),
        json!(["RootCredentialsManagement", "RootSessions"])
    );

    organized.invited(OTHER);
    let member = root_of(OTHER);
    let as_member = |operation: &str| organized.scene.call(&member, operation, json!({}));
    let code = as_member("ListOrganizationsFeatures").unwrap_err().code;
    assert_eq!(code, "AccountNotManagementOrDelegatedAdministratorException");
    let register = json!({"AccountId": OTHER, "ServicePrincipal": IAM});
    organized.ok("RegisterDelegatedAdministrator", register);
    assert_eq!(
        as_member(ENABLES[0]).unwrap_err().code,
        "CallerIsNotManagementAccountException"
    );
    let left = as_member("DisableOrganizationsRootSessions").unwrap();
    assert_eq!(left["EnabledFeatures"], json!(["RootCredentialsManagement"]));
    organized
        .scene
        .root("DisableOrganizationsRootCredentialsManagement", json!({}));
    assert_eq!(features(&organized), json!([]));

    let billing = Organized::with(json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    assert_eq!(
        crate::scene::code(&billing.scene, ENABLES[0], json!({})),
        "OrganizationNotInAllFeaturesModeException"
    );
}

#[test]
fn features_end_with_their_organization() {
    let organized = Organized::new();
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": IAM}));
    organized.scene.root(ENABLES[0], json!({}));
    organized.ok("DeleteOrganization", json!({}));
    organized.ok("CreateOrganization", json!({}));
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": IAM}));
    assert_eq!(features(&organized), json!([]));
}

/// A session is the member's root user for the task and for nothing else, and ends after a quarter of an hour.
#[test]
fn a_session_does_its_task_and_nothing_else() {
    let (organized, member) = centralized();
    let caller = administrator(&organized);
    let answer = ask(&organized, &caller, &member, "IAMAuditRootUserCredentials").unwrap();
    let root = caller_of(&organized, &answer);
    let scene = &organized.scene;
    let who = scene.call(&root, "GetUser", json!({})).unwrap();
    assert_eq!(who["User"]["Arn"], format!("arn:aws:iam::{member}:root"));
    let keys = scene.call(&root, "ListAccessKeys", json!({})).unwrap();
    assert_eq!(
        keys["AccessKeyMetadata"],
        json!([]),
        "new members have no root credentials"
    );
    let summary = scene.call(&root, "GetAccountSummary", json!({})).unwrap()["SummaryMap"].clone();
    for present in [
        "AccountAccessKeysPresent",
        "AccountPasswordPresent",
        "AccountMFAEnabled",
    ] {
        assert_eq!(summary[present], 0, "{present}");
    }
    assert_eq!(
        scene.call(&root, "GetLoginProfile", json!({})).unwrap_err().code,
        "NoSuchEntity"
    );
    for (operation, input) in [
        ("CreateAccessKey", json!({})),
        ("ListUsers", json!({})),
        ("DeleteLoginProfile", json!({})),
        ("CreateLoginProfile", json!({})),
        ("CreateUser", json!({"UserName": "x"})),
    ] {
        let failure = scene.call(&root, operation, input).unwrap_err();
        assert!(
            failure.code.starts_with("AccessDenied"),
            "{operation}: {failure:?}"
        );
        assert!(
            failure.message.contains("explicit deny in a session policy"),
            "{failure:?}"
        );
    }
    let again = ask(&organized, &root, &member, "IAMAuditRootUserCredentials").unwrap_err();
    assert!(again.code.starts_with("AccessDenied"), "{again:?}");
    let token = text(&answer["Credentials"]["SessionToken"]);
    let id = text(&answer["Credentials"]["AccessKeyId"]);
    scene.cloud.advance(899_000);
    assert!(scene.cloud.caller(&id, Some(&token)).is_ok());
    scene.cloud.advance(1_000);
    assert!(scene.cloud.caller(&id, Some(&token)).is_err());
}

/// Credentials of a member's root user are taken away, and it may be let recover its password.
#[test]
fn root_credentials_are_deleted_and_recovered() {
    let (organized, _) = centralized();
    organized.invited(OTHER);
    let key = organized
        .scene
        .call(&root_of(OTHER), "CreateAccessKey", json!({}))
        .unwrap();
    let id = text(&key["AccessKey"]["AccessKeyId"]);
    let caller = administrator(&organized);
    let session = |task: &str| caller_of(&organized, &ask(&organized, &caller, OTHER, task).unwrap());
    let scene = &organized.scene;
    let creating = session("IAMCreateRootUserPassword");
    let made = scene.call(&creating, "CreateLoginProfile", json!({})).unwrap();
    assert_eq!(made["LoginProfile"]["UserName"], "root");
    let twice = scene
        .call(&creating, "CreateLoginProfile", json!({}))
        .unwrap_err();
    assert_eq!(twice.code, "EntityAlreadyExists");
    let deleting = session("IAMDeleteRootUserCredentials");
    let key = json!({ "AccessKeyId": id });
    scene.call(&deleting, "DeleteAccessKey", key).unwrap();
    scene.call(&deleting, "DeleteLoginProfile", json!({})).unwrap();
    assert!(scene.cloud.caller(&id, None).is_err());
    assert_eq!(
        scene
            .call(&deleting, "GetLoginProfile", json!({}))
            .unwrap_err()
            .code,
        "NoSuchEntity"
    );
}

#[test]
fn only_who_stands_for_the_organization_gets_a_session_and_only_over_members() {
    let (organized, member) = centralized();
    let caller = administrator(&organized);
    let audit = "IAMAuditRootUserCredentials";
    let denied = |caller: &Caller, account: &str, task: &str| {
        let failure = ask(&organized, caller, account, task).unwrap_err();
        assert!(
            failure.code.starts_with("AccessDenied"),
            "{account} {task}: {failure:?}"
        );
    };
    super::stranger(&organized.scene, OTHER);
    for account in [ACCOUNT, OTHER, "999999999999"] {
        denied(&caller, account, audit);
    }
    denied(&organized.scene.root, &member, audit);
    denied(&organized.scene.user("powerless"), &member, audit);
    assert!(ask(&organized, &caller, &format!("arn:aws:iam::{member}:root"), audit).is_ok());
    for (account, policy) in [
        ("not an account", format!("{TASKS}/{audit}")),
        (
            member.as_str(),
            "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(),
        ),
    ] {
        let input = json!({"TargetPrincipal": account, "TaskPolicyArn": {"arn": policy}});
        let failure = organized
            .scene
            .cloud
            .call(&caller, "sts", "AssumeRoot", input)
            .unwrap_err();
        assert_eq!(failure.code, "ValidationError", "{account}");
    }
    organized
        .scene
        .root("DisableOrganizationsRootSessions", json!({}));
    for task in [
        "S3UnlockBucketPolicy",
        "SQSUnlockQueuePolicy",
        "IAMCreateRootUserPassword",
    ] {
        denied(&caller, &member, task);
    }
    assert!(ask(&organized, &caller, &member, "IAMDeleteRootUserCredentials").is_ok());
    organized.ok("DisableAWSServiceAccess", json!({"ServicePrincipal": IAM}));
    denied(&caller, &member, audit);
}

/// A delegated administrator for IAM stands in for the management account, though not over itself.
#[test]
fn the_delegated_administrator_gets_sessions_too() {
    let (organized, member) = centralized();
    organized.invited(OTHER);
    let scene = &organized.scene;
    let root = root_of(OTHER);
    scene
        .call(&root, "CreateUser", json!({"UserName": "delegate"}))
        .unwrap();
    let policy =
        json!({"UserName": "delegate", "PolicyName": "root", "PolicyDocument": allow("sts:AssumeRoot")});
    scene.call(&root, "PutUserPolicy", policy).unwrap();
    let key = scene
        .call(&root, "CreateAccessKey", json!({"UserName": "delegate"}))
        .unwrap();
    let delegate = scene
        .cloud
        .caller(&text(&key["AccessKey"]["AccessKeyId"]), None)
        .unwrap();
    let audit = |account: &str| ask(&organized, &delegate, account, "IAMAuditRootUserCredentials");
    assert!(audit(&member).is_err());
    organized.ok(
        "RegisterDelegatedAdministrator",
        json!({"AccountId": OTHER, "ServicePrincipal": IAM}),
    );
    assert!(audit(&member).is_ok());
    assert!(audit(OTHER).is_err() && audit(ACCOUNT).is_err());
}

/// The key tells tasks apart before a session is given; service control policies bind the session, and know it for one.
#[test]
fn policies_see_the_task_and_the_session() {
    let (organized, member) = centralized();
    let caller = administrator(&organized);
    let (audit, delete) = ("IAMAuditRootUserCredentials", "IAMDeleteRootUserCredentials");
    let one = document(&json!({
        "Effect": "Allow", "Action": "sts:AssumeRoot", "Resource": format!("arn:aws:iam::{member}:root"),
        "Condition": {"StringEquals": {"sts:TaskPolicyArn": format!("{TASKS}/{audit}")}},
    }));
    let put = json!({"UserName": "administrator", "PolicyName": "root", "PolicyDocument": one});
    organized.scene.root("PutUserPolicy", put);
    assert!(ask(&organized, &caller, &member, delete).is_err());
    let session = caller_of(&organized, &ask(&organized, &caller, &member, audit).unwrap());
    let list = || organized.scene.call(&session, "ListAccessKeys", json!({}));
    list().unwrap();
    let content = document(&json!({
        "Effect": "Deny", "Action": "iam:ListAccessKeys", "Resource": "*",
        "Condition": {"Bool": {"aws:AssumedRoot": "true"}},
    }));
    let kind = json!({"RootId": organized.root_id, "PolicyType": "SERVICE_CONTROL_POLICY"});
    organized.ok("EnablePolicyType", kind);
    let made = organized.ok(
        "CreatePolicy",
        json!({"Type": "SERVICE_CONTROL_POLICY", "Name": "root", "Description": "d", "Content": content}),
    );
    let id = &made["Policy"]["PolicySummary"]["Id"];
    organized.ok("AttachPolicy", json!({"PolicyId": id, "TargetId": member}));
    let failure = list().unwrap_err();
    assert!(failure.message.contains("service control policy"), "{failure:?}");
    let own = organized
        .scene
        .call(&root_of(&member), "ListAccessKeys", json!({}));
    assert!(own.is_ok(), "the root user itself came by no session");
}

/// The member's trail tells of the session's calls as the root user's, with the key of the session.
#[test]
fn the_trails_of_both_accounts_tell_of_a_session() {
    let (organized, member) = centralized();
    let caller = administrator(&organized);
    let answer = ask(&organized, &caller, &member, "IAMAuditRootUserCredentials").unwrap();
    let session = caller_of(&organized, &answer);
    organized.scene.call(&session, "GetUser", json!({})).unwrap();
    let records = organized.scene.cloud.records(&member, "us-east-1");
    let record = records
        .iter()
        .find(|record| record.operation == "GetUser")
        .unwrap();
    assert_eq!(record.caller.arn, format!("arn:aws:iam::{member}:root"));
    assert_eq!(
        record.caller.access_key_id,
        text(&answer["Credentials"]["AccessKeyId"])
    );
    assert!(record.caller.session.as_ref().unwrap().assumed_root);
    let shared = organized.scene.cloud.records(&member, REGION);
    let shared = shared.iter().find(|record| record.operation == "AssumeRoot");
    assert!(shared.is_some(), "the member hears of it");
}
