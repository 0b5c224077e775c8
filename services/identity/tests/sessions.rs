//! Temporary credentials, through the pipeline and the wire.

use std::sync::Arc;

use identity::iam::account::{ACCOUNTS, Account};
use pipeline::Identity;
use pipeline::testing::{ACCOUNT, BEGINNING, Caller, Failure, REGION};
use serde_json::{Value, json};

use crate::scene::{READ_ALL, Scene, allow, document, trust};
use crate::signed::{Keys, send};

pub(crate) const OTHER: &str = "444455556666";

pub(crate) fn sts(scene: &Scene, caller: &Caller, operation: &str, input: Value) -> Result<Value, Failure> {
    scene.cloud.call(caller, "sts", operation, input)
}

pub(crate) fn caller_of(scene: &Scene, answer: &Value) -> Result<Caller, &'static str> {
    let keys = Keys::of(answer);
    scene.cloud.caller(&keys.id, keys.token.as_deref())
}

pub(crate) fn grant(scene: &Scene, user: &str, text: &str) {
    scene.root(
        "PutUserPolicy",
        json!({"UserName": user, "PolicyName": "p", "PolicyDocument": text}),
    );
}

/// A role that lets every identity of `account` in whose own policies say so.
pub(crate) fn role(scene: &Scene, name: &str, trust_text: &str) -> String {
    scene.root(
        "CreateRole",
        json!({"RoleName": name, "AssumeRolePolicyDocument": trust_text}),
    );
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": name, "PolicyName": "own", "PolicyDocument": READ_ALL}),
    );
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

fn trust_with(arn: &str, actions: &Value, condition: &Value) -> String {
    document(
        &json!({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": actions, "Condition": condition}),
    )
}

pub(crate) fn ana_arn() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/ana")
}

pub(crate) fn assume(scene: &Scene, caller: &Caller, arn: &str, more: Value) -> Result<Value, Failure> {
    let mut input = json!({"RoleArn": arn, "RoleSessionName": "shift"});
    for (key, value) in more.as_object().unwrap() {
        input[key] = value.clone();
    }
    sts(scene, caller, "AssumeRole", input)
}

/// A second account, by its root user, with a user `zoe` who may assume roles.
pub(crate) fn other_account(scene: &Scene) -> (Caller, Caller) {
    let row = Account {
        id: OTHER.into(),
        name: "o".into(),
        email: "o@o.invalid".into(),
        alias: None,
        created: 0,
        incarnation: "first".into(),
        closed: None,
    };
    let made = scene.cloud.gateway.system("us-east-1", |call| {
        call.put(&ACCOUNTS, &OTHER.to_owned(), row.clone())
    });
    assert!(made.is_ok());
    let root: Caller = Arc::new(Identity::root(OTHER));
    scene
        .call(&root, "CreateUser", json!({"UserName": "zoe"}))
        .unwrap();
    let key = Keys::of(
        &scene
            .call(&root, "CreateAccessKey", json!({"UserName": "zoe"}))
            .unwrap(),
    );
    let zoe = scene.cloud.caller(&key.id, None).unwrap();
    (root, zoe)
}

pub(crate) fn let_zoe_assume(scene: &Scene, root: &Caller) {
    let policy = json!({"UserName": "zoe", "PolicyName": "p", "PolicyDocument": allow("sts:*")});
    scene.call(root, "PutUserPolicy", policy).unwrap();
}

/// S1.15: whoever is authenticated may ask who they are, whatever policies say.
#[test]
fn every_kind_of_caller_is_told_who_it_is() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(
        &scene,
        "ana",
        &document(&json!({"Effect": "Deny", "Action": "*", "Resource": "*"})),
    );
    let who = |caller: &Caller| sts(&scene, caller, "GetCallerIdentity", json!({})).unwrap();
    assert_eq!(
        who(&scene.root),
        json!({"Account": ACCOUNT, "Arn": format!("arn:aws:iam::{ACCOUNT}:root"), "UserId": ACCOUNT})
    );
    assert_eq!(
        who(&ana),
        json!({"Account": ACCOUNT, "Arn": ana_arn(), "UserId": &*ana.user_id})
    );
    let arn = role(&scene, "Reader", &trust("AWS", ACCOUNT));
    grant(&scene, "ana", &allow("sts:AssumeRole"));
    let answer = assume(&scene, &ana, &arn, json!({})).unwrap();
    let shown = who(&caller_of(&scene, &answer).unwrap());
    assert_eq!(
        shown["Arn"],
        format!("arn:aws:sts::{ACCOUNT}:assumed-role/Reader/shift")
    );
    assert_eq!(shown["UserId"], answer["AssumedRoleUser"]["AssumedRoleId"]);
    let id = shown["UserId"].as_str().unwrap();
    assert!(id.starts_with("AROA") && id.ends_with(":shift"), "{id}");
}

/// S1.10, S1.11, S4.1, S4.3: a role has no key of its own; what it issues is temporary, and has the role's permissions only.
#[test]
fn a_role_lends_its_permissions_and_nothing_else() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    grant(&scene, "ana", &allow("iam:CreateGroup"));
    let answer = assume(&scene, &ana, &arn, json!({})).unwrap();
    let keys = Keys::of(&answer);
    assert!(keys.id.starts_with("ASIA") && keys.id.len() == 20 && keys.secret.len() == 40);
    assert!(keys.token.is_some());
    let session = caller_of(&scene, &answer).unwrap();
    assert!(scene.call(&session, "ListUsers", json!({})).is_ok());
    let failure = scene
        .call(&session, "CreateGroup", json!({"GroupName": "g"}))
        .unwrap_err();
    assert!(
        failure
            .message
            .contains("assumed-role/Reader/shift is not authorized"),
        "{failure:?}"
    );
    let (status, body) = send(&scene, Some(&keys), "iam", "ListUsers");
    assert_eq!(status, 200, "{body}");
    let tokenless = Keys { token: None, ..keys };
    assert!(
        send(&scene, Some(&tokenless), "iam", "ListUsers")
            .1
            .contains("InvalidClientTokenId")
    );
}

/// S1.27, S4.7: sessions end by the cloud's clock; an expired token is refused as `ExpiredToken`.
#[test]
fn sessions_end_when_their_time_is_over() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let answer = assume(&scene, &ana, &arn, json!({"DurationSeconds": 900})).unwrap();
    let expiration = answer["Credentials"]["Expiration"].as_f64().unwrap();
    assert!(
        (expiration - (BEGINNING / 1000 + 900) as f64).abs() < 0.5,
        "{expiration}"
    );
    scene.cloud.advance(899_999);
    assert!(caller_of(&scene, &answer).is_ok());
    scene.cloud.advance(1);
    assert_eq!(caller_of(&scene, &answer).err(), Some("expired"));
    let (status, body) = send(&scene, Some(&Keys::of(&answer)), "sts", "GetCallerIdentity");
    assert!(
        status == 403 && body.contains("<Code>ExpiredToken</Code>"),
        "{status} {body}"
    );
}

/// S4.7: 900 seconds at least, the role's limit at most, an hour for chained roles.
#[test]
fn durations_have_limits() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let second = role(&scene, "Second", &trust("AWS", &arn));
    let lasting = |seconds: i32| assume(&scene, &ana, &arn, json!({"DurationSeconds": seconds}));
    assert_eq!(lasting(899).unwrap_err().code, "ValidationError");
    let failure = lasting(3601).unwrap_err();
    assert_eq!(
        failure.message,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    for name in ["Reader", "Second"] {
        scene.root(
            "UpdateRole",
            json!({"RoleName": name, "MaxSessionDuration": 43200}),
        );
    }
    let session = caller_of(&scene, &lasting(43200).unwrap()).unwrap();
    let chained = |seconds: i32| assume(&scene, &session, &second, json!({"DurationSeconds": seconds}));
    assert!(chained(3600).is_ok());
    let failure = chained(3601).unwrap_err();
    assert!(
        failure
            .message
            .contains("1 hour session limit for roles assumed by role chaining"),
        "{failure:?}"
    );
}

/// S6.5: both sides must say yes, and the foreign user gets the role's access, in whose account it then acts.
#[test]
fn a_role_crosses_accounts_only_with_both_sides_consent() {
    let scene = Scene::new();
    let (root, zoe) = other_account(&scene);
    let arn = role(&scene, "Guest", &trust("AWS", OTHER));
    scene.root("CreateUser", json!({"UserName": "native"}));
    assert_eq!(
        assume(&scene, &zoe, &arn, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let_zoe_assume(&scene, &root);
    let session = caller_of(&scene, &assume(&scene, &zoe, &arn, json!({})).unwrap()).unwrap();
    assert_eq!(&*session.account, ACCOUNT);
    let users = scene.call(&session, "ListUsers", json!({})).unwrap()["Users"].clone();
    assert_eq!(users[0]["UserName"], "native");
    assert_eq!(
        scene
            .call(&session, "CreateUser", json!({"UserName": "x"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    let stranger = role(&scene, "Closed", &trust("AWS", ACCOUNT));
    assert_eq!(
        assume(&scene, &zoe, &stranger, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    // Both trails have the call, under one id.
    let of = |account: &str| {
        let records = scene.cloud.records(account, REGION);
        let found = records
            .into_iter()
            .find(|record| record.operation == "AssumeRole" && record.error.is_none());
        found.and_then(|record| record.shared).unwrap()
    };
    assert_eq!(of(ACCOUNT), of(OTHER));
}

/// S6.7, S6.8: between accounts that one owns the account's trust is enough; a third party must show the external id.
#[test]
fn a_third_party_must_show_the_external_id() {
    let scene = Scene::new();
    let (root, zoe) = other_account(&scene);
    let_zoe_assume(&scene, &root);
    let own = role(&scene, "Own", &trust("AWS", OTHER));
    assert!(assume(&scene, &zoe, &own, json!({})).is_ok());
    let condition = json!({"StringEquals": {"sts:ExternalId": "contract-7"}});
    let arn = role(
        &scene,
        "Vendor",
        &trust_with(OTHER, &json!("sts:AssumeRole"), &condition),
    );
    assert_eq!(
        assume(&scene, &zoe, &arn, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    assert_eq!(
        assume(&scene, &zoe, &arn, json!({"ExternalId": "contract-8"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    assert!(assume(&scene, &zoe, &arn, json!({"ExternalId": "contract-7"})).is_ok());
}

/// A role that is missing and one that does not trust the caller look the same, in either account.
#[test]
fn strangers_cannot_tell_whether_a_role_exists() {
    let scene = Scene::new();
    let (root, zoe) = other_account(&scene);
    let ana = scene.user("ana");
    role(&scene, "Closed", &trust("AWS", "777788889999"));
    let ask = |caller: &Caller, name: &str| {
        let failure = assume(
            &scene,
            caller,
            &format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            json!({}),
        )
        .unwrap_err();
        (failure.code, failure.message.replace(name, "NAME"))
    };
    for _ in 0..2 {
        for caller in [&ana, &zoe] {
            assert_eq!(ask(caller, "Closed"), ask(caller, "Missing"));
            assert_eq!(ask(caller, "Closed").0, "AccessDenied");
        }
        let_zoe_assume(&scene, &root);
        grant(&scene, "ana", &allow("sts:*"));
    }
    let failure = assume(
        &scene,
        &ana,
        &format!("arn:aws:iam::{ACCOUNT}:user/Closed"),
        json!({}),
    )
    .unwrap_err();
    assert_eq!(failure.code, "ValidationError");
}

#[test]
fn the_session_name_and_mfa_can_be_demanded() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let named = json!({"StringLike": {"sts:RoleSessionName": "${aws:username}"}});
    let arn = role(
        &scene,
        "Named",
        &trust_with(&ana_arn(), &json!("sts:AssumeRole"), &named),
    );
    assert_eq!(
        assume(&scene, &ana, &arn, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    assert!(assume(&scene, &ana, &arn, json!({"RoleSessionName": "ana"})).is_ok());
    let shown = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    let guarded = role(
        &scene,
        "Guarded",
        &trust_with(&ana_arn(), &json!("sts:AssumeRole"), &shown),
    );
    assert_eq!(
        assume(&scene, &ana, &guarded, json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let wrong = json!({"SerialNumber": format!("arn:aws:iam::{ACCOUNT}:mfa/ana"), "TokenCode": "123456"});
    let failure = assume(&scene, &ana, &arn, {
        let mut input = wrong.clone();
        input["RoleSessionName"] = json!("ana");
        input
    });
    assert!(
        failure
            .unwrap_err()
            .message
            .starts_with("MultiFactorAuthentication failed, unable to validate MFA code.")
    );
    let failure = sts(&scene, &ana, "GetSessionToken", wrong).unwrap_err();
    assert_eq!(failure.code, "AccessDenied");
    let failure = assume(&scene, &scene.root, &arn, json!({})).unwrap_err();
    assert_eq!(failure.code, "AccessDenied");
}

#[test]
fn session_policies_only_narrow() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let narrow = json!({"Policy": allow("iam:ListUsers")});
    let answer = assume(&scene, &ana, &arn, narrow).unwrap();
    assert!(answer["PackedPolicySize"].as_i64().unwrap() > 0);
    let session = caller_of(&scene, &answer).unwrap();
    assert!(scene.call(&session, "ListUsers", json!({})).is_ok());
    let failure = scene.call(&session, "ListGroups", json!({})).unwrap_err();
    assert!(
        failure.message.contains("no session policy allows"),
        "{failure:?}"
    );
    let wide = assume(&scene, &ana, &arn, json!({"Policy": allow("*")})).unwrap();
    let session = caller_of(&scene, &wide).unwrap();
    assert_eq!(
        scene
            .call(&session, "CreateUser", json!({"UserName": "x"}))
            .unwrap_err()
            .code,
        "AccessDenied"
    );
    let managed = json!({"PolicyArns": [{"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}]});
    let session = caller_of(&scene, &assume(&scene, &ana, &arn, managed).unwrap()).unwrap();
    assert!(scene.call(&session, "ListGroups", json!({})).is_ok());
    let failed = |input: Value| assume(&scene, &ana, &arn, input).unwrap_err().code;
    assert_eq!(failed(json!({"Policy": "{}"})), "MalformedPolicyDocument");
    assert_eq!(
        failed(json!({"PolicyArns": [{"arn": format!("arn:aws:iam::{ACCOUNT}:policy/None")}]})),
        "MalformedPolicyDocument"
    );
    let eleven: Vec<Value> = (0..11)
        .map(|_| json!({"arn": "arn:aws:iam::aws:policy/IAMReadOnlyAccess"}))
        .collect();
    assert_eq!(failed(json!({"PolicyArns": eleven})), "ValidationError");
    // The policy and the ARNs are measured together (IAM User Guide, "IAM and AWS STS quotas").
    let reader = "arn:aws:iam::aws:policy/IAMReadOnlyAccess";
    let text = allow("iam:ListUsers");
    let text = |over: usize| format!("{text}{}", " ".repeat(2048 + over - text.len() - reader.len()));
    let both = |over| json!({"Policy": text(over), "PolicyArns": [{"arn": reader}]});
    assert!(assume(&scene, &ana, &arn, both(0)).is_ok());
    assert_eq!(failed(both(1)), "ValidationError");
    let long = format!("{}{}", allow("iam:ListUsers"), " ".repeat(2048));
    assert_eq!(failed(json!({"Policy": long})), "ValidationError");
    assert_eq!(
        failed(json!({"Policy": "{", "RoleSessionName": "a b"})),
        "ValidationError"
    );
}

/// Session tags need a permission of their own, are seen as the principal's, and pass on when they are transitive.
#[test]
fn session_tags_lie_over_the_roles_and_pass_on() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let plain = role(&scene, "Plain", &trust("AWS", &ana_arn()));
    let tags = json!({"Tags": [{"Key": "Team", "Value": "blue"}, {"Key": "Desk", "Value": "4"}], "TransitiveTagKeys": ["Team"]});
    let failure = assume(&scene, &ana, &plain, tags.clone()).unwrap_err();
    assert!(failure.message.contains("sts:TagSession"), "{failure:?}");
    let both = json!(["sts:AssumeRole", "sts:TagSession"]);
    let condition = json!({"StringEquals": {"aws:RequestTag/Team": "blue"}});
    let first = role(&scene, "First", &trust_with(&ana_arn(), &both, &condition));
    scene.root("TagRole", json!({"RoleName": "First", "Tags": [{"Key": "team", "Value": "red"}, {"Key": "Kind", "Value": "x"}]}));
    let session = caller_of(&scene, &assume(&scene, &ana, &first, tags.clone()).unwrap()).unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert_eq!(
        session.tags.to_vec(),
        [pair("Team", "blue"), pair("Kind", "x"), pair("Desk", "4")]
    );
    let demanded = json!({"StringEquals": {"aws:PrincipalTag/Desk": "4"}});
    let second = role(&scene, "Second", &trust_with(&first, &both, &demanded));
    let chained = caller_of(&scene, &assume(&scene, &session, &second, json!({})).unwrap()).unwrap();
    assert_eq!(chained.tags.to_vec(), [pair("Team", "blue")]);
    let again = json!({"Tags": [{"Key": "team", "Value": "green"}]});
    assert!(
        assume(&scene, &session, &second, again)
            .unwrap_err()
            .message
            .contains("conflicts with a transitive tag")
    );
    let lone = json!({"Tags": [{"Key": "Team", "Value": "blue"}], "TransitiveTagKeys": ["Other"]});
    assert!(
        assume(&scene, &ana, &first, lone)
            .unwrap_err()
            .message
            .contains("must be included in the requested tags")
    );
}

/// The source identity is set once, by permission, and stays through every further role.
#[test]
fn the_source_identity_stays() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let plain = role(&scene, "Plain", &trust("AWS", &ana_arn()));
    let asked = json!({"SourceIdentity": "Ana.Real"});
    let failure = assume(&scene, &ana, &plain, asked.clone()).unwrap_err();
    assert!(failure.message.contains("sts:SetSourceIdentity"), "{failure:?}");
    let both = json!(["sts:AssumeRole", "sts:SetSourceIdentity"]);
    let condition = json!({"StringLike": {"sts:SourceIdentity": "Ana.*"}});
    let first = role(&scene, "First", &trust_with(&ana_arn(), &both, &condition));
    let answer = assume(&scene, &ana, &first, asked).unwrap();
    assert_eq!(answer["SourceIdentity"], "Ana.Real");
    let session = caller_of(&scene, &answer).unwrap();
    let second = role(
        &scene,
        "Second",
        &trust_with(
            &first,
            &both,
            &json!({"StringEquals": {"aws:SourceIdentity": "Ana.Real"}}),
        ),
    );
    let answer = assume(&scene, &session, &second, json!({})).unwrap();
    assert_eq!(answer["SourceIdentity"], "Ana.Real");
    assert!(assume(&scene, &session, &second, json!({"SourceIdentity": "Eve"})).is_err());
}

#[test]
fn sessions_of_what_was_deleted_are_over() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let of_role = assume(&scene, &ana, &arn, json!({})).unwrap();
    let of_user = sts(&scene, &ana, "GetSessionToken", json!({})).unwrap();
    assert!(caller_of(&scene, &of_role).is_ok() && caller_of(&scene, &of_user).is_ok());
    scene.root(
        "DeleteRolePolicy",
        json!({"RoleName": "Reader", "PolicyName": "own"}),
    );
    scene.root("DeleteRole", json!({"RoleName": "Reader"}));
    scene.root(
        "DeleteAccessKey",
        json!({"UserName": "ana", "AccessKeyId": &*ana.access_key_id}),
    );
    scene.root("DeleteUser", json!({"UserName": "ana"}));
    let refused = |answer: &Value| caller_of(&scene, answer).err();
    assert_eq!(
        (refused(&of_role), refused(&of_user)),
        (Some("unknown"), Some("unknown"))
    );
    // Names come back, identities do not.
    scene.user("ana");
    role(&scene, "Reader", &trust("AWS", &ana_arn()));
    assert_eq!(
        (refused(&of_role), refused(&of_user)),
        (Some("unknown"), Some("unknown"))
    );
}

#[test]
fn a_changed_policy_counts_from_the_next_call_of_a_running_session() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let session = caller_of(&scene, &assume(&scene, &ana, &arn, json!({})).unwrap()).unwrap();
    assert!(scene.call(&session, "ListUsers", json!({})).is_ok());
    scene.root(
        "DeleteRolePolicy",
        json!({"RoleName": "Reader", "PolicyName": "own"}),
    );
    assert_eq!(
        scene.call(&session, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
}
