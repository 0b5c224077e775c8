//! Signing in to the console by a broker, through the pipeline: whose credentials open a session, for how long, and what is recorded.

use crypto::Secret;
use pipeline::signin::{Lasting, Outcome, Step};
use pipeline::testing::{ACCOUNT, Caller};
use serde_json::{Value, json};

use crate::scene::{Scene, allow, document, trust};
use crate::sessions::{assume, caller_of, grant, role, sts};
use crate::signin::{events, next, refused, session, taken};

const HOUR: i64 = 3_600_000;

/// The JSON that a broker makes of credentials.
fn shown(answer: &Value) -> Value {
    let keys = &answer["Credentials"];
    json!({
        "sessionId": keys["AccessKeyId"], "sessionKey": keys["SecretAccessKey"], "sessionToken": keys["SessionToken"],
    })
}

fn ask(scene: &Scene, shown: &Value, lasting: Lasting) -> Outcome {
    let session = Secret::from(shown.to_string());
    taken(scene, "192.0.2.9", &Step::SigninToken { session, lasting })
}

fn seconds(session: i64) -> Lasting {
    Lasting {
        session: Some(session),
        federated: None,
    }
}

fn ticket(outcome: Outcome) -> String {
    match outcome {
        Outcome::Token(token) => token,
        Outcome::Refused(message) => panic!("{message}"),
        _ => panic!("no token"),
    }
}

fn login(scene: &Scene, token: &str) -> Outcome {
    let token = Secret::from(token);
    taken(scene, "192.0.2.1", &Step::Login { token })
}

/// `ana`, who may assume the role that is named.
fn ana(scene: &Scene) -> (Caller, String) {
    let ana = scene.user("ana");
    grant(scene, "ana", &allow("sts:*"));
    let arn = role(scene, "Desk", &trust("AWS", ACCOUNT));
    (ana, arn)
}

/// S6.5: a role's session signs in, with its own key and its own end, and both steps are recorded as AWS does.
#[test]
fn credentials_of_a_role_open_a_session() {
    let scene = Scene::new();
    let (ana, arn) = ana(&scene);
    let lent = assume(&scene, &ana, &arn, json!({})).unwrap();
    let own = lent["Credentials"]["AccessKeyId"].as_str().unwrap();
    let token = ticket(ask(&scene, &shown(&lent), Lasting::default()));
    assert!(
        token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
    let (cookie, _) = next(login(&scene, &token));
    let found = session(&scene, &cookie).unwrap();
    assert_eq!(
        (found.user_name.as_str(), found.session_name.as_str()),
        ("Desk/shift", "shift")
    );
    let keys = found.keys.unwrap();
    assert_eq!(keys.access_key_id, own);
    let bearer = scene
        .cloud
        .caller(own, keys.session_token.expose_text().ok())
        .unwrap();
    scene.call(&bearer, "ListUsers", json!({})).unwrap();
    let told = &events(&scene, "ListUsers")[0];
    assert!(told.caller.session.as_ref().unwrap().console);
    let told = &events(&scene, "GetSigninToken")[0];
    assert_eq!(
        (told.caller.arn.as_str(), told.caller.access_key_id.as_str()),
        (&*format!("arn:aws:sts::{ACCOUNT}:assumed-role/Desk/shift"), own)
    );
    let wanted = json!({"credentials": {"accessKeyId": own}, "GetSigninToken": "Success"});
    assert_eq!(told.response, Some(wanted));
    assert_eq!(told.additional["MFAUsed"], "No");
    let told = &events(&scene, "ConsoleLogin")[0];
    assert_eq!(told.response, Some(json!({"ConsoleLogin": "Success"})));
    assert_eq!(
        (told.caller.access_key_id.as_str(), &*told.source_ip),
        (own, "192.0.2.1")
    );
    scene.cloud.advance(HOUR);
    assert!(session(&scene, &cookie).is_none());
}

#[test]
fn a_role_s_session_may_last_as_long_as_the_role_lets_it() {
    let scene = Scene::new();
    let (ana, arn) = ana(&scene);
    scene.root(
        "UpdateRole",
        json!({"RoleName": "Desk", "MaxSessionDuration": 7200}),
    );
    let lent = assume(&scene, &ana, &arn, json!({"DurationSeconds": 900})).unwrap();
    for wrong in [0, 899, 7201, 43_200, 43_201] {
        refused(ask(&scene, &shown(&lent), seconds(wrong)));
    }
    let federated = Lasting {
        session: None,
        federated: Some(900),
    };
    refused(ask(&scene, &shown(&lent), federated));
    scene.cloud.advance(60_000);
    let (cookie, _) = next(login(&scene, &ticket(ask(&scene, &shown(&lent), seconds(7200)))));
    let keys = session(&scene, &cookie).unwrap().keys.unwrap();
    assert_ne!(
        Some(keys.access_key_id.as_str()),
        lent["Credentials"]["AccessKeyId"].as_str()
    );
    let told = events(&scene, "GetSigninToken")[0].response.clone().unwrap();
    assert_eq!(told["credentials"]["accessKeyId"], keys.access_key_id);
    // Revoking what was issued before it revokes the session too.
    let bearer = scene
        .cloud
        .caller(&keys.access_key_id, keys.session_token.expose_text().ok())
        .unwrap();
    let own = caller_of(&scene, &lent).unwrap();
    assert_eq!(
        bearer.session.as_ref().unwrap().issued,
        own.session.as_ref().unwrap().issued
    );
    scene.cloud.advance(2 * HOUR - 1);
    assert!(session(&scene, &cookie).is_some());
    scene.cloud.advance(1);
    assert!(session(&scene, &cookie).is_none());
}

/// S4.7: what came of role chaining lasts no longer.
#[test]
fn chained_roles_ask_for_no_duration() {
    let scene = Scene::new();
    let (ana, arn) = ana(&scene);
    let first = assume(&scene, &ana, &arn, json!({})).unwrap();
    let more = document(&json!({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}));
    scene.root(
        "PutRolePolicy",
        json!({"RoleName": "Desk", "PolicyName": "more", "PolicyDocument": more}),
    );
    let second = role(&scene, "Second", &trust("AWS", ACCOUNT));
    let lent = assume(&scene, &caller_of(&scene, &first).unwrap(), &second, json!({})).unwrap();
    assert!(refused(ask(&scene, &shown(&lent), seconds(900))).contains("chaining"));
    next(login(
        &scene,
        &ticket(ask(&scene, &shown(&lent), Lasting::default())),
    ));
}

#[test]
fn federated_users_sign_in_for_no_longer_than_their_credentials_last() {
    let scene = Scene::new();
    let (ana, _) = ana(&scene);
    let lent = sts(
        &scene,
        &ana,
        "GetFederationToken",
        json!({"Name": "bo", "DurationSeconds": 1800}),
    )
    .unwrap();
    refused(ask(&scene, &shown(&lent), seconds(900)));
    let federated = |seconds| Lasting {
        session: None,
        federated: Some(seconds),
    };
    refused(ask(&scene, &shown(&lent), federated(129_601)));
    for (asked, lasts) in [(900, 900), (129_600, 1800)] {
        let (cookie, _) = next(login(
            &scene,
            &ticket(ask(&scene, &shown(&lent), federated(asked))),
        ));
        let found = session(&scene, &cookie).unwrap();
        assert_eq!(found.user_name, "bo");
        assert_eq!(
            found.expires.0 - scene.cloud.gateway.clock().now().0,
            lasts * 1000
        );
    }
}

/// S4.2, S4.4: a federated user calls IAM in the console alone, and STS nowhere.
#[test]
fn federated_users_call_iam_in_the_console() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    grant(
        &scene,
        "ana",
        &document(&json!({"Effect": "Allow", "Action": ["sts:*", "iam:ListUsers"], "Resource": "*"})),
    );
    let lent = sts(
        &scene,
        &ana,
        "GetFederationToken",
        json!({"Name": "bo", "Policy": allow("*")}),
    )
    .unwrap();
    let list = |caller: &Caller| scene.call(caller, "ListUsers", json!({}));
    assert!(list(&caller_of(&scene, &lent).unwrap()).is_err());
    let (cookie, _) = next(login(
        &scene,
        &ticket(ask(&scene, &shown(&lent), Lasting::default())),
    ));
    let keys = session(&scene, &cookie).unwrap().keys.unwrap();
    let bo = scene
        .cloud
        .caller(&keys.access_key_id, keys.session_token.expose_text().ok())
        .unwrap();
    list(&bo).unwrap();
    assert!(scene.call(&bo, "ListRoles", json!({})).is_err());
    let key = json!({"AccessKeyId": &*ana.access_key_id});
    assert!(sts(&scene, &bo, "GetAccessKeyInfo", key).is_err());
    assert!(list(&caller_of(&scene, &lent).unwrap()).is_err());
}

/// S4.2: long-term keys, a user's own sessions, and what does not fit together open nothing, and leave no event.
#[test]
fn other_credentials_do_not_sign_in() {
    let scene = Scene::new();
    let (ana, arn) = ana(&scene);
    let lent = assume(&scene, &ana, &arn, json!({})).unwrap();
    let own = sts(&scene, &ana, "GetSessionToken", json!({})).unwrap();
    assert!(refused(ask(&scene, &shown(&own), Lasting::default())).contains("AssumeRole"));
    let key = scene.root("CreateAccessKey", json!({"UserName": "ana"}))["AccessKey"].clone();
    let mut wrong = vec![
        json!({}),
        json!("x"),
        json!({
            "sessionId": key["AccessKeyId"], "sessionKey": key["SecretAccessKey"], "sessionToken": "",
        }),
    ];
    for field in ["sessionId", "sessionKey", "sessionToken"] {
        let mut one = shown(&lent);
        one[field] = shown(&own)[field].clone();
        wrong.push(one);
    }
    for wrong in wrong {
        refused(ask(&scene, &wrong, Lasting::default()));
    }
    let stale = shown(&lent);
    scene.cloud.advance(HOUR);
    refused(ask(&scene, &stale, Lasting::default()));
    assert!(events(&scene, "GetSigninToken").is_empty());
}

#[test]
fn a_token_is_good_for_a_quarter_of_an_hour_and_for_its_role() {
    let scene = Scene::new();
    let (ana, arn) = ana(&scene);
    let lent = assume(&scene, &ana, &arn, json!({})).unwrap();
    let token = ticket(ask(&scene, &shown(&lent), Lasting::default()));
    for wrong in [
        "",
        "x",
        token.strip_prefix("I").unwrap(),
        lent["Credentials"]["SessionToken"].as_str().unwrap(),
    ] {
        refused(login(&scene, wrong));
    }
    scene.cloud.advance(15 * 60 * 1000 - 1);
    let (cookie, _) = next(login(&scene, &token));
    scene.cloud.advance(1);
    refused(login(&scene, &token));
    let token = ticket(ask(&scene, &shown(&lent), Lasting::default()));
    assert!(session(&scene, &cookie).is_some());
    scene.root(
        "DeleteRolePolicy",
        json!({"RoleName": "Desk", "PolicyName": "own"}),
    );
    scene.root("DeleteRole", json!({"RoleName": "Desk"}));
    assert!(session(&scene, &cookie).is_none());
    refused(login(&scene, &token));
}
