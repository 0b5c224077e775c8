//! A user's own sessions, federated users, and what STS tells of keys and refusals, through the pipeline.

use pipeline::testing::{ACCOUNT, BEGINNING, Caller, REGION};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, document, trust};
use crate::sessions::{OTHER, ana_arn, assume, caller_of, grant, let_zoe_assume, other_account, role, sts};
use crate::signed::Keys;

/// S4.1, S4.2, S4.7: a user's own session, of half a day unless told, and root's of an hour at most.
#[test]
fn a_user_takes_a_session_of_its_own() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(&scene, "ana", &allow("*"));
    let arn = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let lasts = |caller: &Caller, input: Value| {
        let answer = sts(&scene, caller, "GetSessionToken", input).unwrap();
        let seconds = answer["Credentials"]["Expiration"].as_f64().unwrap() - (BEGINNING / 1000) as f64;
        (answer, seconds.round())
    };
    let (answer, seconds) = lasts(&ana, json!({}));
    assert_eq!(seconds, 43_200.0);
    assert_eq!(lasts(&ana, json!({"DurationSeconds": 129_600})).1, 129_600.0);
    assert_eq!(lasts(&scene.root, json!({"DurationSeconds": 129_600})).1, 3_600.0);
    let session = caller_of(&scene, &answer).unwrap();
    assert_eq!((&session.arn, &session.user_id), (&ana.arn, &ana.user_id));
    // AWS lets such sessions call neither IAM without MFA nor most of STS.
    assert_eq!(
        scene.call(&session, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let failure = sts(&scene, &session, "GetSessionToken", json!({})).unwrap_err();
    assert_eq!(
        failure.message,
        "Cannot call GetSessionToken with session credentials"
    );
    assert!(sts(&scene, &session, "GetFederationToken", json!({"Name": "bo"})).is_err());
    assert!(assume(&scene, &session, &arn, json!({})).is_ok());
    let keys = Keys::of(&answer);
    let crossed = Keys {
        id: keys.id,
        ..Keys::of(&lasts(&ana, json!({})).0)
    };
    assert_eq!(
        scene.cloud.caller(&crossed.id, crossed.token.as_deref()).err(),
        Some("bad token")
    );
    assert_eq!(
        scene
            .cloud
            .caller(&ana.access_key_id, crossed.token.as_deref())
            .err(),
        Some("bad token")
    );
}

#[test]
fn a_token_can_be_asked_to_be_long() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let answer = sts(
        &scene,
        &ana,
        "GetSessionToken",
        json!({"MinimumSessionTokenSize": 3000}),
    )
    .unwrap();
    let token = Keys::of(&answer).token.unwrap();
    assert_eq!(answer["SessionTokenSize"], token.len());
    assert!((3000..3010).contains(&token.len()), "{}", token.len());
    assert_eq!(answer["SessionTokenUtilization"], 74);
    assert!(caller_of(&scene, &answer).is_ok());
}

/// S4.2, S4.4: a federated user has what both its user and the session policies allow.
#[test]
fn a_federated_user_has_the_intersection() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    assert!(sts(&scene, &ana, "GetFederationToken", json!({"Name": "bo"})).is_err());
    let own = json!([
        {"Effect": "Allow", "Action": ["sts:GetFederationToken", "sts:TagSession"], "Resource": format!("arn:aws:sts::{ACCOUNT}:federated-user/b*")},
        {"Effect": "Allow", "Action": ["sts:GetAccessKeyInfo", "iam:*"], "Resource": "*"},
    ]);
    grant(&scene, "ana", &document(&own));
    let ask = |name: &str, policy: Option<String>| {
        let mut input = json!({"Name": name, "DurationSeconds": 900, "Tags": [{"Key": "k", "Value": "v"}]});
        if let Some(policy) = policy {
            input["Policy"] = json!(policy);
        }
        sts(&scene, &ana, "GetFederationToken", input)
    };
    assert_eq!(ask("carl", None).unwrap_err().code, "AccessDenied");
    let answer = ask("bo", Some(allow("*"))).unwrap();
    assert_eq!(
        answer["FederatedUser"]["Arn"],
        format!("arn:aws:sts::{ACCOUNT}:federated-user/bo")
    );
    assert_eq!(
        answer["FederatedUser"]["FederatedUserId"],
        format!("{ACCOUNT}:bo")
    );
    let federated = caller_of(&scene, &answer).unwrap();
    assert_eq!(&*federated.user_id, format!("{ACCOUNT}:bo"));
    assert_eq!(federated.tags.to_vec(), [("k".to_owned(), "v".to_owned())]);
    // AWS: no IAM, and of STS only GetCallerIdentity, whatever both policies say.
    assert_eq!(
        scene.call(&federated, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let key = json!({"AccessKeyId": &*ana.access_key_id});
    assert_eq!(
        sts(&scene, &federated, "GetAccessKeyInfo", key).unwrap_err().code,
        "AccessDenied"
    );
    assert!(sts(&scene, &federated, "GetCallerIdentity", json!({})).is_ok());
    let role_session = role(&scene, "Reader", &trust("AWS", &ana_arn()));
    let session = caller_of(&scene, &assume(&scene, &ana, &role_session, json!({})).unwrap()).unwrap();
    assert!(sts(&scene, &session, "GetFederationToken", json!({"Name": "bo"})).is_err());
}

#[test]
fn the_account_of_any_key_is_told_to_those_who_may_ask() {
    let scene = Scene::new();
    let (_, zoe) = other_account(&scene);
    let ana = scene.user("ana");
    let temporary = sts(&scene, &zoe, "GetSessionToken", json!({})).unwrap();
    let ask = |caller: &Caller, id: &str| sts(&scene, caller, "GetAccessKeyInfo", json!({"AccessKeyId": id}));
    assert_eq!(ask(&ana, &zoe.access_key_id).unwrap_err().code, "AccessDenied");
    grant(&scene, "ana", &allow("sts:GetAccessKeyInfo"));
    for (id, account) in [
        (&*zoe.access_key_id, OTHER),
        (&*Keys::of(&temporary).id, OTHER),
        (&*ana.access_key_id, ACCOUNT),
    ] {
        assert_eq!(ask(&ana, id).unwrap()["Account"], account);
    }
    assert_eq!(
        ask(&ana, "AKIAIOSFODNN7EXAMPLE").unwrap_err().code,
        "ValidationError"
    );
    assert_eq!(
        ask(&ana, "ASIAIOSFODNN7EXAMPLE").unwrap_err().code,
        "ValidationError"
    );
}

/// S2.9: why a call was refused is told to those who may know, and to the trail not at all.
#[test]
fn a_refusal_can_be_decoded_in_its_own_account() {
    let scene = Scene::new();
    let (root, zoe) = other_account(&scene);
    let_zoe_assume(&scene, &root);
    scene.user("ana");
    let keys = Keys::of(&scene.root("CreateAccessKey", json!({"UserName": "ana"})));
    let (status, token) = crate::signed::refusal(&scene, &keys, "iam", "ListUsers");
    assert_eq!(status, 403);
    let decode = |caller: &Caller, message: &str| {
        sts(
            &scene,
            caller,
            "DecodeAuthorizationMessage",
            json!({"EncodedMessage": message}),
        )
    };
    let decoded = decode(&scene.root, &token).unwrap()["DecodedMessage"]
        .as_str()
        .unwrap()
        .to_owned();
    let decoded: Value = serde_json::from_str(&decoded).unwrap();
    assert_eq!(
        (&decoded["allowed"], &decoded["explicitDeny"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(decoded["context"]["action"], "iam:ListUsers");
    assert_eq!(decoded["context"]["principal"]["arn"], ana_arn());
    for (caller, message) in [
        (&zoe, token.as_str()),
        (&scene.root, "nonsense"),
        (&scene.root, token.trim_start_matches("I")),
    ] {
        assert_eq!(
            decode(caller, message).unwrap_err().code,
            "InvalidAuthorizationMessageException"
        );
    }
    let ana = scene.cloud.caller(&keys.id, None).unwrap();
    assert_eq!(decode(&ana, &token).unwrap_err().code, "AccessDenied");
    let records = scene.cloud.records(ACCOUNT, REGION);
    let read: Vec<_> = records
        .iter()
        .filter(|record| record.operation == "DecodeAuthorizationMessage" && record.error.is_none())
        .collect();
    assert_eq!(read.len(), 1);
    assert!(read[0].read_only && read[0].response.is_none());
}

/// S4.4: root may ask too; what its federated users have is what the session policies allow, within AWS's limits.
#[test]
fn a_federated_user_of_root_has_what_the_session_policies_allow() {
    let scene = Scene::new();
    let answer = sts(
        &scene,
        &scene.root,
        "GetFederationToken",
        json!({"Name": "bo", "Policy": allow("*")}),
    )
    .unwrap();
    let seconds = answer["Credentials"]["Expiration"].as_f64().unwrap() - (BEGINNING / 1000) as f64;
    assert_eq!(seconds.round(), 3_600.0);
    let federated = caller_of(&scene, &answer).unwrap();
    assert_eq!(
        &*federated.arn,
        format!("arn:aws:sts::{ACCOUNT}:federated-user/bo")
    );
    assert_eq!(
        scene.call(&federated, "ListUsers", json!({})).unwrap_err().code,
        "AccessDenied"
    );
}
