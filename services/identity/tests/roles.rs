//! Roles and whom they trust, through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{READ_ALL, Scene, allow, code, decoded, document, trust};

fn shown_trust(scene: &Scene, role: &str) -> String {
    let got = scene.root("GetRole", json!({"RoleName": role}));
    decoded(got["Role"]["AssumeRolePolicyDocument"].as_str().unwrap())
}

fn user_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/{name}")
}

/// S1.10: a role grants its permissions to those who assume it, and to nobody before.
#[test]
fn a_role_grants_its_permissions_to_those_it_trusts() {
    let scene = Scene::new();
    let (alice, bob) = (scene.user("alice"), scene.user("bob"));
    let made = scene.root("CreateRole", json!({
        "RoleName": "Reader", "AssumeRolePolicyDocument": trust("AWS", &user_arn("alice")), "Description": "reads",
        "Tags": [{"Key": "z", "Value": "1"}, {"Key": "a", "Value": "2"}],
    }));
    let role = &made["Role"];
    assert!(role["RoleId"].as_str().unwrap().starts_with("AROA"));
    assert_eq!(role["Arn"], json!(format!("arn:aws:iam::{ACCOUNT}:role/Reader")));
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "Reader", "PolicyName": "Own", "PolicyDocument": READ_ALL}),
    );
    let session = scene.assume(&alice, "Reader").unwrap();
    assert!(scene.call(&session, "ListUsers", json!({})).is_ok());
    assert_eq!(
        scene
            .call(&session, "CreateUser", json!({"UserName": "x"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    assert_eq!(
        scene.call(&alice, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    assert_eq!(scene.assume(&bob, "Reader").err().unwrap().code, "AccessDenied");
}

#[test]
fn a_role_comes_back_as_it_was_written() {
    let scene = Scene::new();
    scene.user("alice");
    let arn = user_arn("alice");
    let text = format!(
        "{{\n \"Statement\" : [ {{\"Action\":[\"sts:AssumeRole\"],  \"Principal\": {{\"AWS\": [\"{arn}\", \"{ACCOUNT}\"], \
         \"Service\":\"ec2.amazonaws.com\"}}, \"Effect\":\"Allow\", \
         \"Condition\":{{\"ArnEquals\":{{\"aws:PrincipalArn\":\"{arn}\"}}}}}}],\n\t\"Version\":\"2012-10-17\"}}\n"
    );
    let tags = json!([{"Key": "z", "Value": "1"}, {"Key": "a", "Value": "2"}]);
    scene.root("CreateRole", json!({
        "RoleName": "R", "Path": "/a/b/", "AssumeRolePolicyDocument": text, "Description": "d", "Tags": tags,
    }));
    assert_eq!(shown_trust(&scene, "R"), text);
    let role = scene.root("GetRole", json!({"RoleName": "r"}))["Role"].clone();
    assert_eq!(role["RoleName"], "R");
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["Description"], "d");
    assert_eq!(role["Path"], "/a/b/");
    assert_eq!(role["Tags"], tags);
    assert_eq!(role["PermissionsBoundary"], Value::Null);
    scene.root("UpdateRole", json!({"RoleName": "R", "MaxSessionDuration": 7200}));
    scene.root(
        "UpdateRoleDescription",
        json!({"RoleName": "R", "Description": ""}),
    );
    let role = scene.root("GetRole", json!({"RoleName": "R"}))["Role"].clone();
    assert_eq!(
        (&role["MaxSessionDuration"], &role["Description"]),
        (&json!(7200), &Value::Null)
    );
    let listed = scene.root("ListRoles", json!({"PathPrefix": "/a/"}));
    assert_eq!(listed["Roles"][0]["RoleName"], "R");
    assert_eq!(listed["Roles"][0]["Tags"], Value::Null);
    assert_eq!(
        scene.root("ListRoles", json!({"PathPrefix": "/c/"}))["Roles"],
        json!([])
    );
}

/// S2.13, S2.14: a trust policy names users, roles, sessions, accounts and services, and none that does not exist here.
#[test]
fn principals_of_trust_must_exist() {
    let scene = Scene::new();
    scene.user("alice");
    let create = |name: &str, class: &str, principal: &str| {
        scene.call(
            &scene.root,
            "CreateRole",
            json!({"RoleName": name, "AssumeRolePolicyDocument": trust(class, principal)}),
        )
    };
    let good = [
        ("AWS", user_arn("alice")),
        ("AWS", ACCOUNT.to_owned()),
        ("AWS", format!("arn:aws:iam::{ACCOUNT}:root")),
        ("AWS", "arn:aws:iam::999988887777:role/elsewhere".to_owned()),
        ("AWS", format!("arn:aws:sts::{ACCOUNT}:assumed-role/R0/s")),
        ("AWS", "*".to_owned()),
        ("Service", "lambda.amazonaws.com".to_owned()),
        ("Federated", "cognito-identity.amazonaws.com".to_owned()),
    ];
    for (number, (class, principal)) in good.iter().enumerate() {
        assert!(
            create(&format!("R{number}"), class, principal).is_ok(),
            "{principal}"
        );
    }
    assert!(create("ByRole", "AWS", &format!("arn:aws:iam::{ACCOUNT}:role/R0")).is_ok());
    for principal in [
        user_arn("nobody"),
        user_arn("x/alice"),
        format!("arn:aws:iam::{ACCOUNT}:role/none"),
        "AIDAAAAAAAAAAAAAAAAAA".into(),
    ] {
        let failure = create("Bad", "AWS", &principal).unwrap_err();
        assert_eq!(failure.code, "MalformedPolicyDocument");
        assert_eq!(
            failure.message,
            format!("Invalid principal in policy: \"AWS\":\"{principal}\"")
        );
    }
    for document in [
        READ_ALL.to_owned(),
        document(&json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"})),
        document(&json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"})),
    ] {
        let input = json!({"RoleName": "Bad", "AssumeRolePolicyDocument": document});
        assert_eq!(
            code(&scene, "CreateRole", input),
            "MalformedPolicyDocument",
            "{document}"
        );
    }
}

/// Trust goes by the unique id: whoever is made anew under an old name is a stranger.
#[test]
fn trust_ends_with_the_one_it_was_given_to() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let id = scene.root("GetUser", json!({"UserName": "alice"}))["User"]["UserId"]
        .as_str()
        .unwrap()
        .to_owned();
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", &user_arn("alice"))}),
    );
    assert!(scene.assume(&alice, "R").is_ok());
    for key in scene.root("ListAccessKeys", json!({"UserName": "alice"}))["AccessKeyMetadata"]
        .as_array()
        .unwrap()
    {
        scene.root(
            "DeleteAccessKey",
            json!({"UserName": "alice", "AccessKeyId": key["AccessKeyId"]}),
        );
    }
    scene.root("DeleteUser", json!({"UserName": "alice"}));
    assert_eq!(shown_trust(&scene, "R"), trust("AWS", &id));
    let again = scene.user("alice");
    assert_eq!(shown_trust(&scene, "R"), trust("AWS", &id));
    assert_eq!(scene.assume(&again, "R").err().unwrap().code, "AccessDenied");
    let dead = json!({"RoleName": "R", "PolicyDocument": trust("AWS", &id)});
    assert_eq!(
        code(&scene, "UpdateAssumeRolePolicy", dead),
        "MalformedPolicyDocument"
    );
    scene.root(
        "UpdateAssumeRolePolicy",
        json!({"RoleName": "R", "PolicyDocument": trust("AWS", &user_arn("alice"))}),
    );
    assert!(scene.assume(&again, "R").is_ok());
}

/// Trust stays with a user who is renamed, and shows the new name.
#[test]
fn trust_follows_a_renamed_user() {
    let scene = Scene::new();
    scene.user("alice");
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", &user_arn("alice"))}),
    );
    scene.root(
        "UpdateUser",
        json!({"UserName": "alice", "NewUserName": "carol", "NewPath": "/x/"}),
    );
    assert_eq!(shown_trust(&scene, "R"), trust("AWS", &user_arn("x/carol")));
    let key = scene.root("ListAccessKeys", json!({"UserName": "carol"}))["AccessKeyMetadata"][0].clone();
    let carol = scene
        .cloud
        .caller(key["AccessKeyId"].as_str().unwrap(), None)
        .unwrap();
    assert!(scene.assume(&carol, "R").is_ok());
    let stranger = scene.user("alice");
    assert_eq!(scene.assume(&stranger, "R").err().unwrap().code, "AccessDenied");
}

#[test]
fn a_role_with_policies_is_not_deleted() {
    let scene = Scene::new();
    let policy = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT)}),
    );
    let failure = scene.refused(
        "CreateRole",
        json!({"RoleName": "r", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT)}),
    );
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("EntityAlreadyExists", "Role with name r already exists.")
    );
    scene.root("AttachRolePolicy", json!({"RoleName": "R", "PolicyArn": policy}));
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "R", "PolicyName": "I", "PolicyDocument": READ_ALL}),
    );
    let delete = || scene.refused("DeleteRole", json!({"RoleName": "R"}));
    assert_eq!(
        delete().message,
        "Cannot delete entity, must detach all policies first."
    );
    scene.root("DetachRolePolicy", json!({"RoleName": "R", "PolicyArn": policy}));
    assert_eq!(
        delete().message,
        "Cannot delete entity, must delete policies first."
    );
    scene.root("DeleteRolePolicy", json!({"RoleName": "R", "PolicyName": "I"}));
    scene.root("DeleteRole", json!({"RoleName": "R"}));
    assert_eq!(delete().message, "The role with name R cannot be found.");
}

/// Service control policies do not bind roles below this path, so making one by hand would be a way around them.
#[test]
fn the_path_of_service_linked_roles_is_reserved() {
    let scene = Scene::new();
    let input = json!({
        "RoleName": "R", "Path": "/aws-service-role/x.amazonaws.com/", "AssumeRolePolicyDocument": trust("AWS", ACCOUNT),
    });
    assert_eq!(code(&scene, "CreateRole", input), "InvalidInput");
}

#[test]
fn role_tags_are_seen_by_conditions_on_the_role_and_in_its_sessions() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    let tags = json!([{"Key": "team", "Value": "a"}]);
    scene.root(
        "CreateRole",
        json!({"RoleName": "R", "AssumeRolePolicyDocument": trust("AWS", &user_arn("alice")), "Tags": tags}),
    );
    let on_tag = |key: &str, action: &str| {
        document(
            &json!({"Effect": "Allow", "Action": action, "Resource": "*", "Condition": {"StringEquals": {key: "a"}}}),
        )
    };
    let own = on_tag("aws:PrincipalTag/team", "iam:ListUsers");
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "R", "PolicyName": "I", "PolicyDocument": own}),
    );
    let of_role = on_tag("iam:ResourceTag/team", "iam:GetRole");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": of_role}),
    );
    let session = scene.assume(&alice, "R").unwrap();
    assert!(scene.call(&session, "ListUsers", json!({})).is_ok());
    assert!(scene.call(&alice, "GetRole", json!({"RoleName": "R"})).is_ok());
    scene.root("UntagRole", json!({"RoleName": "R", "TagKeys": ["TEAM"]}));
    assert_eq!(
        scene
            .call(&alice, "GetRole", json!({"RoleName": "R"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    scene.root("TagRole", json!({"RoleName": "R", "Tags": tags}));
    assert_eq!(scene.root("ListRoleTags", json!({"RoleName": "R"}))["Tags"], tags);
}

/// Making a role with tags asks for `iam:TagRole` too.
#[test]
fn tags_at_creation_need_permission() {
    let scene = Scene::new();
    let alice = scene.user("alice");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "alice", "PolicyName": "I", "PolicyDocument": allow("iam:CreateRole")}),
    );
    let input = |name: &str, tags: Value| json!({"RoleName": name, "AssumeRolePolicyDocument": trust("AWS", ACCOUNT), "Tags": tags});
    assert!(scene.call(&alice, "CreateRole", input("A", json!([]))).is_ok());
    let failure = scene
        .call(
            &alice,
            "CreateRole",
            input("B", json!([{"Key": "k", "Value": "v"}])),
        )
        .unwrap_err();
    assert!(failure.message.contains("iam:TagRole"), "{}", failure.message);
}
