//! What the organization says in decisions of its members and over their resources.

use pipeline::testing::ACCOUNT;
use serde_json::json;

use super::{MEMBER, OUTSIDER, RCP, SCP, Tree, deny, deny_to_all, new_user, text};
use crate::scene::{allow, document, trust};

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
