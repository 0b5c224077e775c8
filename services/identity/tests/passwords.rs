//! The password policy of the account and the passwords of users, through the pipeline.

use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::scene::{Scene, code};

const DAY: i64 = 86_400_000;

fn create(scene: &Scene, password: &str) -> Result<Value, (String, String)> {
    let input = json!({"UserName": "ana", "Password": password});
    let answer = scene.call(&scene.root, "CreateLoginProfile", input);
    answer.map_err(|failure| (failure.code, failure.message))
}

/// S3.10: a policy is set whole, with AWS's bounds and defaults, shown, and taken away.
#[test]
fn the_policy_is_set_shown_and_deleted() {
    let scene = Scene::new();
    let missing = format!("The Password Policy with domain name {ACCOUNT} cannot be found.");
    for operation in ["GetAccountPasswordPolicy", "DeleteAccountPasswordPolicy"] {
        let failure = scene.refused(operation, json!({}));
        assert_eq!(
            (failure.code.as_str(), &failure.message),
            ("NoSuchEntity", &missing)
        );
    }
    let whole = json!({"MinimumPasswordLength": 14, "RequireSymbols": true, "RequireNumbers": true,
        "RequireUppercaseCharacters": true, "RequireLowercaseCharacters": true, "AllowUsersToChangePassword": true,
        "MaxPasswordAge": 90, "PasswordReusePrevention": 24, "HardExpiry": true});
    scene.root("UpdateAccountPasswordPolicy", whole.clone());
    let mut shown = whole;
    shown["ExpirePasswords"] = json!(true);
    assert_eq!(
        scene.root("GetAccountPasswordPolicy", json!({}))["PasswordPolicy"],
        shown
    );
    // What is left out goes back to its default.
    scene.root("UpdateAccountPasswordPolicy", json!({}));
    let least = json!({"MinimumPasswordLength": 6, "RequireSymbols": false, "RequireNumbers": false,
        "RequireUppercaseCharacters": false, "RequireLowercaseCharacters": false,
        "AllowUsersToChangePassword": false, "ExpirePasswords": false});
    assert_eq!(
        scene.root("GetAccountPasswordPolicy", json!({}))["PasswordPolicy"],
        least
    );
    for (member, bounds) in [
        ("MinimumPasswordLength", [5, 129]),
        ("MaxPasswordAge", [0, 1096]),
        ("PasswordReusePrevention", [0, 25]),
    ] {
        for wrong in bounds {
            assert_eq!(
                code(&scene, "UpdateAccountPasswordPolicy", json!({member: wrong})),
                "ValidationError",
                "{member} {wrong}"
            );
        }
        for right in [bounds[0] + 1, bounds[1] - 1] {
            scene.root("UpdateAccountPasswordPolicy", json!({member: right}));
        }
    }
    scene.root("DeleteAccountPasswordPolicy", json!({}));
    assert_eq!(
        code(&scene, "GetAccountPasswordPolicy", json!({})),
        "NoSuchEntity"
    );
}

/// S3.10: the policy is enforced, each demand with its own message; without one AWS's default holds.
#[test]
fn passwords_obey_the_policy() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    let violation = |message: &str| Err(("PasswordPolicyViolation".to_owned(), message.to_owned()));
    assert_eq!(
        create(&scene, "Ab1!xyz"),
        violation("Password should have a minimum length of 8")
    );
    assert_eq!(
        create(&scene, "abcdefg1"),
        violation("Password does not conform to the account password policy.")
    );
    let demands = [
        (
            json!({"MinimumPasswordLength": 20}),
            "Ab1!efghijklmnopqrs",
            "a minimum length of 20",
        ),
        (
            json!({"RequireUppercaseCharacters": true}),
            "ab1!efgh",
            "at least one uppercase letter",
        ),
        (
            json!({"RequireLowercaseCharacters": true}),
            "AB1!EFGH",
            "at least one lowercase letter",
        ),
        (json!({"RequireNumbers": true}), "Abx!efgh", "at least one number"),
        (json!({"RequireSymbols": true}), "Ab1~efgh", "at least one symbol"),
    ];
    for (policy, password, what) in demands {
        scene.root("UpdateAccountPasswordPolicy", policy);
        assert_eq!(
            create(&scene, password),
            violation(&format!("Password should have {what}"))
        );
    }
    assert_eq!(
        code(&scene, "GetLoginProfile", json!({"UserName": "ana"})),
        "NoSuchEntity"
    );
    let made = create(&scene, "Ab1!efgh").unwrap();
    assert_eq!(made["LoginProfile"]["UserName"], "ana");
    assert_eq!(made["LoginProfile"]["PasswordResetRequired"], false);
    assert_eq!(create(&scene, "Ab1!efgh").unwrap_err().0, "EntityAlreadyExists");
    scene.root(
        "UpdateLoginProfile",
        json!({"UserName": "ana", "PasswordResetRequired": true}),
    );
    let shown = scene.root("GetLoginProfile", json!({"UserName": "ana"}));
    assert_eq!(shown["LoginProfile"]["PasswordResetRequired"], true);
    // The password is in no record.
    let records = scene.cloud.records(ACCOUNT, "us-east-1");
    assert!(
        records
            .iter()
            .any(|record| record.operation == "CreateLoginProfile")
    );
    assert!(
        records
            .iter()
            .all(|record| !serde_json::to_string(record).unwrap().contains("Ab1!efgh"))
    );
}

/// S3.10: users change their own passwords, if the policy lets them, by the old one, and not back to the last ones.
#[test]
fn users_change_their_own_passwords() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    create(&scene, "Start-1234").unwrap();
    let change = |old: &str, new: &str| {
        let input = json!({"OldPassword": old, "NewPassword": new});
        scene
            .call(&ana, "ChangePassword", input)
            .map_err(|failure| (failure.code, failure.message))
    };
    // Without a word in the policy, and without a permission, she may not.
    let (denied, message) = change("Start-1234", "Second-1234").unwrap_err();
    assert!(
        denied == "AccessDenied" && message.contains("iam:ChangePassword"),
        "{message}"
    );
    scene.root(
        "UpdateAccountPasswordPolicy",
        json!({"AllowUsersToChangePassword": true, "PasswordReusePrevention": 2}),
    );
    assert!(scene.call(&ana, "GetAccountPasswordPolicy", json!({})).is_ok());
    let wrong = change("start-1234", "Second-1234").unwrap_err();
    assert_eq!(
        wrong,
        (
            "AccessDenied".to_owned(),
            "The old password was incorrect.".to_owned()
        )
    );
    assert_eq!(
        change("Start-1234", "tiny").unwrap_err().0,
        "PasswordPolicyViolation"
    );
    change("Start-1234", "Second-1234").unwrap();
    // The last two are forbidden, the present one among them.
    for used in ["Start-1234", "Second-1234"] {
        assert_eq!(
            change("Second-1234", used).unwrap_err().0,
            "PasswordPolicyViolation",
            "{used}"
        );
    }
    change("Second-1234", "Third-1234").unwrap();
    change("Third-1234", "Start-1234").unwrap();
    let reset = json!({"UserName": "ana", "Password": "Third-1234"});
    assert_eq!(
        code(&scene, "UpdateLoginProfile", reset),
        "PasswordPolicyViolation"
    );
    let failure = scene.refused(
        "ChangePassword",
        json!({"OldPassword": "Start-1234", "NewPassword": "Other-1234"}),
    );
    assert_eq!(failure.code, "InvalidUserType");
}

/// A renamed user keeps its password; a user with one is not deleted.
#[test]
fn a_password_belongs_to_its_user_until_it_is_deleted() {
    let scene = Scene::new();
    scene.root("CreateUser", json!({"UserName": "ana"}));
    create(&scene, "Start-1234").unwrap();
    scene.root("UpdateUser", json!({"UserName": "ana", "NewUserName": "anna"}));
    let shown = scene.root("GetLoginProfile", json!({"UserName": "anna"}));
    assert_eq!(shown["LoginProfile"]["UserName"], "anna");
    let failure = scene.refused("DeleteUser", json!({"UserName": "anna"}));
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        (
            "DeleteConflict",
            "Cannot delete entity, must delete login profile first."
        )
    );
    scene.root("DeleteLoginProfile", json!({"UserName": "anna"}));
    let failure = scene.refused("DeleteLoginProfile", json!({"UserName": "anna"}));
    assert_eq!(failure.message, "Login Profile for User anna cannot be found.");
    scene.root("DeleteUser", json!({"UserName": "anna"}));
    scene.cloud.advance(DAY);
}
