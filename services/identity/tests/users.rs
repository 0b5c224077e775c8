//! Users and groups, through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{READ_ALL, Scene, allow, code, decoded, document, trust};

fn names(list: &Value, field: &str) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

/// S1.5: a user has a name, a path, tags, an id of its own, and can be an application with keys.
#[test]
fn a_user_is_shown_as_it_was_made() {
    let scene = Scene::new();
    let input = json!({"UserName": "Ana", "Path": "/ops/", "Tags": [{"Key": "Team", "Value": "blue"}]});
    let made = scene.root("CreateUser", input)["User"].clone();
    assert_eq!(made["Arn"], format!("arn:aws:iam::{ACCOUNT}:user/ops/Ana"));
    let id = made["UserId"].as_str().unwrap();
    assert!(id.starts_with("AIDA") && id.len() == 21, "{id}");
    let got = scene.root("GetUser", json!({"UserName": "ana"}))["User"].clone();
    assert_eq!(got, made);
    assert_eq!(got["Tags"], json!([{"Key": "Team", "Value": "blue"}]));
    let listed = scene.root("ListUsers", json!({"PathPrefix": "/ops/"}));
    assert_eq!(names(&listed["Users"], "UserName"), ["Ana"]);
    assert_eq!(listed["Users"][0]["Tags"], Value::Null);
    assert_eq!(
        scene.root("ListUsers", json!({"PathPrefix": "/other/"}))["Users"],
        json!([])
    );
}

/// S1.6: names are unique in the account, compared without case.
#[test]
fn a_name_is_taken_once_without_regard_to_case() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let failure = scene.refused("CreateUser", json!({"UserName": "ANA"}));
    assert_eq!(failure.code, "EntityAlreadyExists");
    assert_eq!(failure.message, "User with name ANA already exists.");
    let failure = scene.refused("GetUser", json!({"UserName": "bob"}));
    assert_eq!(failure.code, "NoSuchEntity");
    assert_eq!(failure.message, "The user with name bob cannot be found.");
}

#[test]
fn a_renamed_user_keeps_its_id_keys_groups_and_policies() {
    let scene = Scene::new();
    let caller = scene.user("ana");
    scene.root("CreateGroup", json!({"GroupName": "readers"}));
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "readers", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    scene.root(
        "AddUserToGroup",
        json!({"GroupName": "readers", "UserName": "ana"}),
    );
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    scene.root("AttachUserPolicy", json!({"UserName": "ana", "PolicyArn": arn}));
    scene.user("bob");
    let taken = json!({"UserName": "ana", "NewUserName": "Bob"});
    assert_eq!(code(&scene, "UpdateUser", taken), "EntityAlreadyExists");
    scene.root(
        "UpdateUser",
        json!({"UserName": "ana", "NewUserName": "Eva", "NewPath": "/x/"}),
    );
    assert_eq!(
        code(&scene, "GetUser", json!({"UserName": "ana"})),
        "NoSuchEntity"
    );
    let again = scene.cloud.caller(&caller.access_key_id, None).unwrap();
    assert_eq!(&*again.arn, format!("arn:aws:iam::{ACCOUNT}:user/x/Eva"));
    assert_eq!(again.user_id, caller.user_id);
    assert!(scene.call(&again, "ListUsers", json!({})).is_ok());
    assert_eq!(
        names(
            &scene.root("GetGroup", json!({"GroupName": "readers"}))["Users"],
            "UserName"
        ),
        ["Eva"]
    );
    let keys = scene.root("ListAccessKeys", json!({"UserName": "eva"}));
    assert_eq!(names(&keys["AccessKeyMetadata"], "UserName"), ["Eva"]);
    let entities = scene.root("ListEntitiesForPolicy", json!({"PolicyArn": arn}));
    assert_eq!(names(&entities["PolicyUsers"], "UserName"), ["Eva"]);
}

/// Who may rename one user must not thereby take a name that a policy gives to others.
#[test]
fn renaming_needs_permission_on_both_names() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root("CreateUser", json!({"UserName": "bob"}));
    let mine = format!("arn:aws:iam::{ACCOUNT}:user/bob");
    let text = document(&json!({"Effect": "Allow", "Action": "iam:UpdateUser", "Resource": mine}));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": text}),
    );
    let rename = json!({"UserName": "bob", "NewUserName": "admin"});
    assert_eq!(
        scene.call(&ana, "UpdateUser", rename).unwrap_err().code,
        "AccessDenied"
    );
    assert_eq!(
        code(&scene, "GetUser", json!({"UserName": "admin"})),
        "NoSuchEntity"
    );
}

#[test]
fn a_user_goes_only_when_nothing_hangs_on_it() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    scene.root("CreateGroup", json!({"GroupName": "g"}));
    let arn = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let key = scene.root("CreateAccessKey", json!({"UserName": "ana"}));
    let key = json!({"UserName": "ana", "AccessKeyId": key["AccessKey"]["AccessKeyId"]});
    scene.root("AddUserToGroup", json!({"GroupName": "g", "UserName": "ana"}));
    scene.root("AttachUserPolicy", json!({"UserName": "ana", "PolicyArn": arn}));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    let delete = json!({"UserName": "ana"});
    let steps = [
        ("must delete access keys first.", "DeleteAccessKey", key),
        (
            "must remove users from group first.",
            "RemoveUserFromGroup",
            json!({"GroupName": "g", "UserName": "ana"}),
        ),
        (
            "must detach all policies first.",
            "DetachUserPolicy",
            json!({"UserName": "ana", "PolicyArn": arn}),
        ),
        (
            "must delete policies first.",
            "DeleteUserPolicy",
            json!({"UserName": "ana", "PolicyName": "p"}),
        ),
    ];
    for (reason, operation, input) in steps {
        let failure = scene.refused("DeleteUser", delete.clone());
        assert_eq!(failure.code, "DeleteConflict");
        assert_eq!(failure.message, format!("Cannot delete entity, {reason}"));
        scene.root(operation, input);
    }
    scene.root("DeleteUser", delete.clone());
    assert_eq!(code(&scene, "DeleteUser", delete), "NoSuchEntity");
}

#[test]
fn tags_are_set_shown_and_removed_without_regard_to_case() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let tag = |tags: Value| json!({"UserName": "ana", "Tags": tags});
    scene.root(
        "TagUser",
        tag(json!([{"Key": "b", "Value": "1"}, {"Key": "a", "Value": "2"}])),
    );
    scene.root("TagUser", tag(json!([{"Key": "B", "Value": "3"}])));
    let listed = scene.root("ListUserTags", json!({"UserName": "ana"}));
    assert_eq!(
        listed["Tags"],
        json!([{"Key": "B", "Value": "3"}, {"Key": "a", "Value": "2"}])
    );
    let failure = scene.refused(
        "TagUser",
        tag(json!([{"Key": "x", "Value": "1"}, {"Key": "X", "Value": "2"}])),
    );
    assert_eq!(failure.code, "InvalidInput");
    assert_eq!(
        failure.message,
        "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    );
    let many: Vec<Value> = (0..49)
        .map(|n| json!({"Key": format!("k{n}"), "Value": ""}))
        .collect();
    assert_eq!(code(&scene, "TagUser", tag(json!(many))), "LimitExceeded");
    scene.root(
        "UntagUser",
        json!({"UserName": "ana", "TagKeys": ["A", "b", "absent"]}),
    );
    assert_eq!(
        scene.root("ListUserTags", json!({"UserName": "ana"}))["Tags"],
        json!([])
    );
}

#[test]
fn tagging_at_creation_needs_permission_to_tag() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": allow("iam:CreateUser")}),
    );
    let tagged = json!({"UserName": "bob", "Tags": [{"Key": "k", "Value": "v"}]});
    let failure = scene.call(&ana, "CreateUser", tagged).unwrap_err();
    assert!(
        failure.code == "AccessDenied" && failure.message.contains("iam:TagUser"),
        "{failure:?}"
    );
    assert!(scene.call(&ana, "CreateUser", json!({"UserName": "bob"})).is_ok());
}

#[test]
fn lists_come_in_pages_with_opaque_markers() {
    let scene = Scene::new();
    for number in 0..5 {
        scene.root("CreateUser", json!({"UserName": format!("user{number}")}));
    }
    let mut seen = Vec::new();
    let mut input = json!({"MaxItems": 2});
    let sizes = [2, 2, 1].map(|size| {
        let page = scene.root("ListUsers", input.clone());
        let users = names(&page["Users"], "UserName");
        let count = users.len();
        seen.extend(users);
        assert_eq!(page["IsTruncated"], size == 2);
        input["Marker"] = page["Marker"].clone();
        count
    });
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(seen, ["user0", "user1", "user2", "user3", "user4"]);
    let marker = scene.root("ListUsers", json!({"MaxItems": 2}))["Marker"].clone();
    assert_eq!(
        code(&scene, "ListGroups", json!({"Marker": marker})),
        "ValidationError"
    );
    assert_eq!(
        code(&scene, "ListUsers", json!({"Marker": "user1"})),
        "ValidationError"
    );
}

/// S1.7, S1.8: members get the group's policies, and only as long as they are members.
#[test]
fn members_have_what_their_group_has() {
    let scene = Scene::new();
    let (ana, bob) = (scene.user("ana"), scene.user("bob"));
    let group = scene.root("CreateGroup", json!({"GroupName": "Readers", "Path": "/g/"}))["Group"].clone();
    assert_eq!(group["Arn"], format!("arn:aws:iam::{ACCOUNT}:group/g/Readers"));
    assert!(group["GroupId"].as_str().unwrap().starts_with("AGPA"));
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "readers", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    let list = |caller| {
        scene
            .call(caller, "ListUsers", json!({}))
            .map(|_| ())
            .map_err(|failure| failure.code)
    };
    assert_eq!(list(&ana), Err("AccessDenied".to_owned()));
    for name in ["ana", "bob", "bob"] {
        scene.root(
            "AddUserToGroup",
            json!({"GroupName": "Readers", "UserName": name}),
        );
    }
    assert_eq!((list(&ana), list(&bob)), (Ok(()), Ok(())));
    let got = scene.root("GetGroup", json!({"GroupName": "readers"}));
    assert_eq!(names(&got["Users"], "UserName"), ["ana", "bob"]);
    assert_eq!(
        names(
            &scene.root("ListGroupsForUser", json!({"UserName": "ana"}))["Groups"],
            "GroupName"
        ),
        ["Readers"]
    );
    scene.root(
        "UpdateGroup",
        json!({"GroupName": "Readers", "NewGroupName": "Watchers"}),
    );
    assert_eq!((list(&ana), list(&bob)), (Ok(()), Ok(())));
    scene.root(
        "RemoveUserFromGroup",
        json!({"GroupName": "watchers", "UserName": "ana"}),
    );
    assert_eq!((list(&ana), list(&bob)), (Err("AccessDenied".to_owned()), Ok(())));
    let gone = json!({"GroupName": "watchers", "UserName": "ana"});
    assert_eq!(code(&scene, "RemoveUserFromGroup", gone), "NoSuchEntity");
}

/// S1.8: what is assigned to the user directly counts beside the group's, and any Deny of either wins.
#[test]
fn own_and_inherited_policies_count_together() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root("CreateGroup", json!({"GroupName": "g"}));
    scene.root("AddUserToGroup", json!({"GroupName": "g", "UserName": "ana"}));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    assert!(scene.call(&ana, "ListUsers", json!({})).is_ok());
    let deny = document(&json!({"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}));
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "g", "PolicyName": "d", "PolicyDocument": deny}),
    );
    assert!(scene.call(&ana, "ListGroups", json!({})).is_ok());
    let failure = scene.call(&ana, "ListUsers", json!({})).unwrap_err();
    assert!(
        failure
            .message
            .contains("explicit deny in an identity-based policy"),
        "{failure:?}"
    );
}

#[test]
fn a_group_goes_only_when_it_is_empty() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    scene.root("CreateGroup", json!({"GroupName": "g"}));
    assert_eq!(
        code(&scene, "CreateGroup", json!({"GroupName": "G"})),
        "EntityAlreadyExists"
    );
    scene.root("AddUserToGroup", json!({"GroupName": "g", "UserName": "ana"}));
    scene.root(
        "PutGroupPolicy",
        json!({"GroupName": "g", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    let delete = json!({"GroupName": "g"});
    assert_eq!(code(&scene, "DeleteGroup", delete.clone()), "DeleteConflict");
    scene.root(
        "RemoveUserFromGroup",
        json!({"GroupName": "g", "UserName": "ana"}),
    );
    assert_eq!(code(&scene, "DeleteGroup", delete.clone()), "DeleteConflict");
    scene.root("DeleteGroupPolicy", json!({"GroupName": "g", "PolicyName": "p"}));
    scene.root("DeleteGroup", delete);
    assert_eq!(scene.root("ListGroups", json!({}))["Groups"], json!([]));
}

#[test]
fn a_user_is_in_ten_groups_at_most() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    for number in 0..11 {
        scene.root("CreateGroup", json!({"GroupName": format!("g{number}")}));
    }
    let join = |number: u32| json!({"GroupName": format!("g{number}"), "UserName": "ana"});
    for number in 0..10 {
        scene.root("AddUserToGroup", join(number));
    }
    let failure = scene.refused("AddUserToGroup", join(10));
    assert_eq!(failure.code, "LimitExceeded");
    assert_eq!(failure.message, "Cannot exceed quota for GroupsPerUser: 10");
}

#[test]
fn names_default_to_the_caller() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    assert_eq!(
        scene.call(&ana, "GetUser", json!({})).unwrap()["User"]["UserName"],
        "ana"
    );
    let root = scene.root("GetUser", json!({}))["User"].clone();
    assert_eq!(
        (&root["Arn"], &root["UserId"]),
        (&json!(format!("arn:aws:iam::{ACCOUNT}:root")), &json!(ACCOUNT))
    );
}

/// Existence does not leak: who may not ask is told the same of users that exist and of those that do not.
#[test]
fn a_stranger_learns_nothing_of_who_exists() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    scene.root("CreateUser", json!({"UserName": "bob"}));
    let ask = |name: &str| {
        let failure = scene
            .call(&ana, "GetUser", json!({"UserName": name}))
            .unwrap_err();
        (failure.code, failure.message.replace(name, "NAME"))
    };
    assert_eq!(ask("bob"), ask("eve"));
    assert_eq!(ask("bob").0, "AccessDenied");
}

#[test]
fn the_summary_counts_and_the_alias_is_one() {
    let scene = Scene::new();
    scene.user("ana");
    scene.root("CreateGroup", json!({"GroupName": "g"}));
    let summary = scene.root("GetAccountSummary", json!({}))["SummaryMap"].clone();
    let shown = [
        "Users",
        "UsersQuota",
        "Groups",
        "Roles",
        "AccountAccessKeysPresent",
    ]
    .map(|key| summary[key].clone());
    assert_eq!(shown, [json!(1), json!(5000), json!(1), json!(0), json!(1)]);
    scene.root("CreateAccountAlias", json!({"AccountAlias": "first"}));
    scene.root("CreateAccountAlias", json!({"AccountAlias": "second"}));
    assert_eq!(
        scene.root("ListAccountAliases", json!({}))["AccountAliases"],
        json!(["second"])
    );
    assert_eq!(
        code(&scene, "DeleteAccountAlias", json!({"AccountAlias": "first"})),
        "NoSuchEntity"
    );
    scene.root("DeleteAccountAlias", json!({"AccountAlias": "second"}));
    assert_eq!(
        scene.root("ListAccountAliases", json!({}))["AccountAliases"],
        json!([])
    );
}

#[test]
fn nobody_has_credentials_that_nothing_makes() {
    let scene = Scene::new();
    scene.user("ana");
    let lists = [
        ("ListSigningCertificates", "Certificates"),
        ("ListSSHPublicKeys", "SSHPublicKeys"),
        ("ListServiceSpecificCredentials", "ServiceSpecificCredentials"),
    ];
    for (operation, member) in lists {
        assert_eq!(
            scene.root(operation, json!({"UserName": "ana"}))[member],
            json!([]),
            "{operation}"
        );
        assert_eq!(
            code(&scene, operation, json!({"UserName": "bob"})),
            "NoSuchEntity"
        );
    }
}

#[test]
fn the_whole_account_is_shown_page_by_page() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    scene.root("CreateGroup", json!({"GroupName": "G"}));
    scene.root("AddUserToGroup", json!({"GroupName": "G", "UserName": "ana"}));
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "p", "PolicyDocument": READ_ALL}),
    );
    let aws = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    scene.root("AttachGroupPolicy", json!({"GroupName": "G", "PolicyArn": aws}));
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT)}),
    );
    scene.root(
        "CreatePolicy",
        json!({"PolicyName": "P", "PolicyDocument": READ_ALL}),
    );
    let lists = ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"];
    let mut seen = vec![Vec::new(); lists.len()];
    let mut input = json!({"MaxItems": 2});
    for truncated in [true, true, false] {
        let page = scene.root("GetAccountAuthorizationDetails", input.clone());
        assert_eq!(page["IsTruncated"], truncated);
        for (list, seen) in lists.iter().zip(&mut seen) {
            seen.extend(page[list].as_array().unwrap().iter().cloned());
        }
        input["Marker"] = page["Marker"].clone();
    }
    let [users, groups, roles, policies] = &seen[..] else {
        panic!("four lists")
    };
    assert_eq!(
        (users.len(), groups.len(), roles.len(), policies.len()),
        (1, 1, 1, 2)
    );
    assert_eq!(users[0]["GroupList"], json!(["G"]));
    assert_eq!(
        decoded(users[0]["UserPolicyList"][0]["PolicyDocument"].as_str().unwrap()),
        READ_ALL
    );
    assert_eq!(groups[0]["AttachedManagedPolicies"][0]["PolicyArn"], aws);
    assert_eq!(
        decoded(roles[0]["AssumeRolePolicyDocument"].as_str().unwrap()),
        trust("AWS", ACCOUNT)
    );
    assert_eq!(names(&json!(policies), "PolicyName"), ["P", "IAMReadOnlyAccess"]);
    assert_eq!(
        (&policies[0]["AttachmentCount"], &policies[1]["AttachmentCount"]),
        (&json!(0), &json!(1))
    );
    let only = scene.root("GetAccountAuthorizationDetails", json!({"Filter": ["Role"]}));
    assert_eq!(
        (
            &only["UserDetailList"],
            only["RoleDetailList"].as_array().unwrap().len()
        ),
        (&json!([]), 1)
    );
}
