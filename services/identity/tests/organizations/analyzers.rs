//! Analyzers whose zone of trust is the organization.

use pipeline::testing::{ACCOUNT, Caller, Failure, REGION};
use serde_json::{Value, json};

use super::{OTHER, Organized, root_of};
use crate::scene::{document, trust};

const SERVICE: &str = "access-analyzer.amazonaws.com";
const STRANGER: &str = "999988887777";
const DAY: i64 = 86_400_000;

fn ask(organized: &Organized, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
    organized
        .scene
        .cloud
        .call(caller, "accessanalyzer", operation, input)
}

fn create(organized: &Organized, account: &str, kind: &str) -> Result<Value, Failure> {
    let input = json!({"analyzerName": "o", "type": kind});
    ask(organized, &root_of(account), "CreateAnalyzer", input)
}

fn role(organized: &Organized, account: &str, name: &str, trusts: &str) {
    let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trusts});
    organized
        .scene
        .call(&root_of(account), "CreateRole", input)
        .unwrap();
}

/// The resources of active findings with their owners, sorted.
fn found(organized: &Organized, account: &str) -> Vec<(String, String)> {
    let arn = format!("arn:aws:access-analyzer:{REGION}:{account}:analyzer/o");
    let input = json!({"analyzerArn": arn, "filter": {"status": {"eq": ["ACTIVE"]}}});
    let listed = ask(organized, &root_of(account), "ListFindingsV2", input).unwrap();
    let mut found: Vec<_> = listed["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| {
            let arn = finding["resource"].as_str().unwrap();
            let name = arn.rsplit('/').next().unwrap().to_owned();
            (name, finding["resourceOwnerAccount"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found
}

fn trusting(organized: &Organized) {
    organized.ok("EnableAWSServiceAccess", json!({"ServicePrincipal": SERVICE}));
}

/// S6.9: trust within the organization is no finding; trust beyond it is, whichever member gives it.
#[test]
fn every_member_s_resources_are_scanned_and_members_trust_each_other() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let in_organization = document(&json!({
        "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": organized.id}},
    }));
    let in_another = in_organization.replace(&organized.id, "o-0123456789");
    for account in [ACCOUNT, OTHER] {
        role(&organized, account, "inside", &trust("AWS", ACCOUNT));
        role(&organized, account, "beside", &trust("AWS", OTHER));
        role(&organized, account, "outside", &trust("AWS", STRANGER));
        role(&organized, account, "whole", &in_organization);
        role(&organized, account, "another", &in_another);
    }
    trusting(&organized);
    create(&organized, ACCOUNT, "ORGANIZATION").unwrap();
    organized.scene.cloud.advance(1);
    let of = |name: &str, account: &str| (name.to_owned(), account.to_owned());
    let mut expected = vec![
        of("another", ACCOUNT),
        of("another", OTHER),
        of("outside", ACCOUNT),
        of("outside", OTHER),
    ];
    expected.sort();
    assert_eq!(found(&organized, ACCOUNT), expected);
    // A change in a member is looked at soon.
    role(&organized, OTHER, "later", &trust("AWS", STRANGER));
    organized.scene.cloud.advance(61_000);
    organized.scene.cloud.advance(1);
    assert!(found(&organized, ACCOUNT).contains(&of("later", OTHER)));
    // What left is seen no more, and is a stranger from then on.
    organized
        .as_root_of(OTHER, "LeaveOrganization", json!({}))
        .unwrap();
    organized.scene.cloud.advance(DAY + 1);
    organized.scene.cloud.advance(1);
    let mut expected = vec![
        of("another", ACCOUNT),
        of("beside", ACCOUNT),
        of("outside", ACCOUNT),
    ];
    // The role that left members the way in is that of the management account alone.
    expected.sort();
    assert_eq!(found(&organized, ACCOUNT), expected);
}

#[test]
fn only_who_stands_for_the_organization_makes_them() {
    let organized = Organized::new();
    organized.invited(OTHER);
    let refused = |account: &str| create(&organized, account, "ORGANIZATION").unwrap_err().code;
    assert_eq!(refused(ACCOUNT), "ValidationException", "without trusted access");
    trusting(&organized);
    assert_eq!(refused(OTHER), "ValidationException");
    let register = json!({"AccountId": OTHER, "ServicePrincipal": SERVICE});
    organized.ok("RegisterDelegatedAdministrator", register.clone());
    role(&organized, ACCOUNT, "outside", &trust("AWS", STRANGER));
    create(&organized, OTHER, "ORGANIZATION").unwrap();
    organized.scene.cloud.advance(1);
    let expected = [("outside".to_owned(), ACCOUNT.to_owned())];
    assert_eq!(found(&organized, OTHER), expected);
    let arn = format!("arn:aws:access-analyzer:{REGION}:{OTHER}:analyzer/o");
    let role_arn = format!("arn:aws:iam::{ACCOUNT}:role/outside");
    let scan = json!({"analyzerArn": arn, "resourceArn": role_arn, "resourceOwnerAccount": ACCOUNT});
    ask(&organized, &root_of(OTHER), "StartResourceScan", scan.clone()).unwrap();
    // Once it administers nothing any more, the analyzer looks at no other account, and new findings stay away.
    organized.ok("DeregisterDelegatedAdministrator", register);
    role(&organized, ACCOUNT, "unseen", &trust("AWS", STRANGER));
    organized.scene.cloud.advance(DAY + 1);
    organized.scene.cloud.advance(1);
    assert!(!found(&organized, OTHER).iter().any(|(name, _)| name == "unseen"));
    let elsewhere = scan.to_string().replace("outside", "unseen");
    let input = serde_json::from_str(&elsewhere).unwrap();
    let failure = ask(&organized, &root_of(OTHER), "StartResourceScan", input).unwrap_err();
    assert_eq!(failure.code, "ResourceNotFoundException");
}

/// Unused access is found in every account, and told of by account.
#[test]
fn unused_access_is_found_in_every_member() {
    let organized = Organized::new();
    organized.invited(OTHER);
    for account in [ACCOUNT, OTHER] {
        role(&organized, account, "idle", &trust("AWS", ACCOUNT));
    }
    organized.scene.cloud.advance(100 * DAY);
    trusting(&organized);
    create(&organized, ACCOUNT, "ORGANIZATION_UNUSED_ACCESS").unwrap();
    organized.scene.cloud.advance(1);
    let idle: Vec<_> = found(&organized, ACCOUNT)
        .into_iter()
        .filter(|(name, _)| name == "idle")
        .collect();
    assert_eq!(
        idle,
        [
            ("idle".to_owned(), ACCOUNT.to_owned()),
            ("idle".to_owned(), OTHER.to_owned())
        ]
    );
    let arn = format!("arn:aws:access-analyzer:{REGION}:{ACCOUNT}:analyzer/o");
    let input = json!({ "analyzerArn": arn });
    let statistics = ask(&organized, &root_of(ACCOUNT), "GetFindingsStatistics", input).unwrap();
    let top = &statistics["findingsStatistics"][0]["unusedAccessFindingsStatistics"]["topAccounts"];
    assert_eq!(top.as_array().unwrap().len(), 2);
}

/// An account that stands for the organization has five analyzers of a type in a region, and one of its own resources.
#[test]
fn an_organization_has_five_analyzers_of_a_type() {
    let organized = Organized::new();
    trusting(&organized);
    let create = |name: &str, kind: &str| {
        let input = json!({"analyzerName": name, "type": kind});
        ask(&organized, &root_of(ACCOUNT), "CreateAnalyzer", input)
    };
    for number in 0..5 {
        create(&format!("o{number}"), "ORGANIZATION").unwrap();
    }
    let refused = create("o5", "ORGANIZATION").unwrap_err();
    assert_eq!(refused.code, "ServiceQuotaExceededException");
    create("u0", "ORGANIZATION_UNUSED_ACCESS").unwrap();
    create("a0", "ACCOUNT").unwrap();
    assert!(create("a1", "ACCOUNT").is_err());
}
