//! Signing in to the console, through the pipeline: who is let in, what is recorded, what is kept, and when it ends.

use std::net::SocketAddr;

use crypto::Secret;
use pipeline::ledger::Record;
use pipeline::signin::{ConsoleSession, Outcome, Stage, Step, Visitor};
use pipeline::testing::ACCOUNT;
use serde_json::{Value, json};

use crate::mfa::App;
use crate::scene::{Scene, allow};

const PASSWORD: &str = "Correct-horse-7";
const QUARTER: i64 = 15 * 60 * 1000;
const HOUR: i64 = 3_600_000;

fn visitor(address: &str) -> Visitor {
    Visitor {
        peer: SocketAddr::new(address.parse().unwrap(), 50_000),
        user_agent: Some("a browser".to_owned()),
        host: Some("localhost:4566".to_owned()),
        tls: None,
    }
}

fn try_from(scene: &Scene, address: &str, (account, user, password): (&str, &str, &str)) -> Outcome {
    let step = Step::Password {
        account: account.to_owned(),
        user: user.to_owned(),
        password: Secret::from(password),
    };
    taken(scene, address, &step)
}

pub(crate) fn taken(scene: &Scene, address: &str, step: &Step) -> Outcome {
    let outcome = scene.cloud.gateway.sign_in(&visitor(address), step);
    outcome.unwrap_or_else(|fault| panic!("{}", fault.message))
}

fn sign_in(scene: &Scene, user: &str, password: &str) -> Outcome {
    try_from(scene, "192.0.2.1", (ACCOUNT, user, password))
}

fn code(scene: &Scene, cookie: &str, code: &str) -> Outcome {
    let (cookie, code) = (cookie.to_owned(), code.to_owned());
    taken(scene, "192.0.2.1", &Step::Code { cookie, code })
}

pub(crate) fn next(outcome: Outcome) -> (String, Stage) {
    match outcome {
        Outcome::Next { cookie, stage } => (cookie, stage),
        Outcome::Refused(message) => panic!("{message}"),
        Outcome::Done | Outcome::Token(_) => panic!("no session"),
    }
}

pub(crate) fn refused(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Refused(message) => message,
        _ => panic!("it was let in"),
    }
}

pub(crate) fn session(scene: &Scene, cookie: &str) -> Option<ConsoleSession> {
    scene.cloud.gateway.console_session(cookie).ok().unwrap()
}

fn person(scene: &Scene, name: &str) {
    scene.root("CreateUser", json!({"UserName": name}));
    scene.root(
        "CreateLoginProfile",
        json!({"UserName": name, "Password": PASSWORD}),
    );
}

/// The newest sign-in events of a name.
pub(crate) fn events(scene: &Scene, name: &str) -> Vec<Record> {
    let records = scene.cloud.records(ACCOUNT, "us-east-1").into_iter();
    records.filter(|record| record.operation == name).collect()
}

#[test]
fn a_password_opens_a_session_of_twelve_hours_and_is_noted_as_used() {
    let scene = Scene::new();
    person(&scene, "Ana");
    let (cookie, stage) = next(sign_in(&scene, "aNA", PASSWORD));
    assert_eq!(stage, Stage::In);
    let found = session(&scene, &cookie).unwrap();
    assert_eq!(
        (found.user_name.as_str(), found.account.as_str()),
        ("Ana", ACCOUNT)
    );
    assert!(found.keys.unwrap().access_key_id.starts_with("ASIA"));
    let user = scene.root("GetUser", json!({"UserName": "Ana"}));
    assert!(user["User"]["PasswordLastUsed"].is_string() || user["User"]["PasswordLastUsed"].is_number());
    scene.cloud.advance(12 * HOUR - 1);
    assert!(session(&scene, &cookie).is_some());
    scene.cloud.advance(1);
    assert!(session(&scene, &cookie).is_none());
}

#[test]
fn a_session_may_do_in_iam_what_its_user_may() {
    let scene = Scene::new();
    person(&scene, "ana");
    let policy = json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": allow("iam:ListUsers")});
    scene.root("PutUserPolicy", policy);
    let (cookie, _) = next(sign_in(&scene, "ana", PASSWORD));
    let keys = session(&scene, &cookie).unwrap().keys.unwrap();
    let token = keys.session_token.expose_text().unwrap();
    let ana = scene.cloud.caller(&keys.access_key_id, Some(token)).unwrap();
    assert!(scene.call(&ana, "ListUsers", json!({})).is_ok());
    assert_eq!(
        scene.call(&ana, "ListRoles", json!({})).unwrap_err().code,
        "AccessDenied"
    );
    let record = &events(&scene, "ListUsers")[0];
    assert!(record.caller.session.as_ref().unwrap().console);
}

#[test]
fn refusals_are_the_same_whatever_is_wrong_and_each_is_recorded() {
    let scene = Scene::new();
    person(&scene, "ana");
    scene.root("CreateUser", json!({"UserName": "bob"}));
    let mut said = Vec::new();
    for (account, user) in [
        (ACCOUNT, "ana"),
        (ACCOUNT, "bob"),
        (ACCOUNT, "nobody"),
        ("999999999999", "ana"),
        ("no-alias", "ana"),
    ] {
        said.push(refused(try_from(&scene, "192.0.2.1", (account, user, "wrong"))));
    }
    said.dedup();
    assert_eq!(
        said,
        ["Your authentication information is incorrect. Please try again."]
    );
    let records = events(&scene, "ConsoleLogin");
    let told = |record: &Record| {
        let name = record.caller.user_name.clone().unwrap_or_default();
        (name, record.error.as_ref().unwrap().message.clone())
    };
    let mut told: Vec<_> = records.iter().map(told).collect();
    told.sort();
    let hidden = (
        "HIDDEN_DUE_TO_SECURITY_REASONS",
        "No username found in supplied account",
    );
    let failed = "Failed authentication";
    let wanted = [hidden, hidden, hidden, ("ana", failed), ("bob", failed)];
    assert_eq!(
        told,
        wanted.map(|(name, error)| (name.to_owned(), error.to_owned()))
    );
    assert!(
        records
            .iter()
            .all(|record| record.response == Some(json!({"ConsoleLogin": "Failure"})))
    );
}

/// S6.5, S4.7: who switches roles in the console has the role for its longest session, within the session of the console.
#[test]
fn a_role_that_is_switched_to_lasts_as_long_as_may_be() {
    let scene = Scene::new();
    person(&scene, "ana");
    scene.root(
        "PutUserPolicy",
        json!({"UserName": "ana", "PolicyName": "own", "PolicyDocument": allow("sts:*")}),
    );
    let arn = crate::sessions::role(&scene, "Desk", &crate::scene::trust("AWS", ACCOUNT));
    scene.root(
        "UpdateRole",
        json!({"RoleName": "Desk", "MaxSessionDuration": 4 * 3600}),
    );
    let (cookie, _) = next(sign_in(&scene, "ana", PASSWORD));
    let keys = session(&scene, &cookie).unwrap().keys.unwrap();
    let token = keys.session_token.expose_text().unwrap();
    let lasts = || {
        let ana = scene.cloud.caller(&keys.access_key_id, Some(token)).unwrap();
        let lent = crate::sessions::assume(&scene, &ana, &arn, json!({})).unwrap();
        let desk = crate::sessions::caller_of(&scene, &lent).unwrap();
        desk.session.as_ref().unwrap().expires - scene.cloud.gateway.clock().now().0
    };
    assert_eq!(lasts(), 4 * HOUR);
    scene.cloud.advance(10 * HOUR);
    assert_eq!(lasts(), 2 * HOUR);
}

/// An alias is a name as DNS has them, and never another account's number, which people sign in by as well.
#[test]
fn an_alias_is_a_name_and_no_account_number() {
    let scene = Scene::new();
    let alias = |name: &str| scene.call(&scene.root, "CreateAccountAlias", json!({"AccountAlias": name}));
    for wrong in [
        "Acme",
        "a_b",
        "-ab",
        "ab-",
        "a--b",
        "a.b",
        "a b",
        "äbc",
        "999999999999",
    ] {
        assert_eq!(alias(wrong).unwrap_err().code, "ValidationError", "{wrong}");
    }
    for right in [
        "abc",
        "a-b-c",
        "0-0",
        "99999999999",
        "9999999999999",
        "99999999999a",
    ] {
        alias(right).unwrap();
    }
}

#[test]
fn an_alias_names_the_account() {
    let scene = Scene::new();
    person(&scene, "ana");
    scene.root("CreateAccountAlias", json!({"AccountAlias": "acme"}));
    let outcome = try_from(&scene, "192.0.2.1", ("acme", "ana", PASSWORD));
    let (cookie, _) = next(outcome);
    assert_eq!(session(&scene, &cookie).unwrap().alias.as_deref(), Some("acme"));
}

#[test]
fn five_failures_of_a_user_from_one_network_close_the_door_for_a_quarter_of_an_hour() {
    let scene = Scene::new();
    person(&scene, "ana");
    for _ in 0..4 {
        refused(sign_in(&scene, "ana", "wrong"));
    }
    // One success begins anew.
    next(sign_in(&scene, "ana", PASSWORD));
    for _ in 0..5 {
        refused(sign_in(&scene, "ana", "wrong"));
    }
    assert!(refused(sign_in(&scene, "ana", PASSWORD)).starts_with("There were too many"));
    // Others are not shut out by it.
    next(try_from(&scene, "198.51.100.1", (ACCOUNT, "ana", PASSWORD)));
    // Within a network of IPv6, another address is the same guesser.
    for _ in 0..5 {
        refused(try_from(&scene, "2001:db8::1", (ACCOUNT, "ana", "wrong")));
    }
    refused(try_from(&scene, "2001:db8::2", (ACCOUNT, "ana", PASSWORD)));
    scene.cloud.advance(QUARTER);
    next(sign_in(&scene, "ana", PASSWORD));
}

#[test]
fn one_network_can_not_try_everybody() {
    let scene = Scene::new();
    person(&scene, "ana");
    for name in 0..50 {
        refused(sign_in(&scene, &format!("name{name}"), "wrong"));
    }
    assert!(refused(sign_in(&scene, "ana", PASSWORD)).starts_with("There were too many"));
}

#[test]
fn a_device_is_asked_for_a_code_and_wrong_ones_end() {
    let scene = Scene::new();
    person(&scene, "ana");
    let app = App::new(&scene, "ana");
    scene.root("EnableMFADevice", app.enabling("ana", [-1, 0]));
    let (waiting, stage) = next(sign_in(&scene, "ana", PASSWORD));
    assert_eq!(stage, Stage::Code);
    assert!(session(&scene, &waiting).unwrap().keys.is_none());
    refused(code(&scene, &waiting, "000000"));
    // The code that enabled the device is good no more.
    refused(code(&scene, &waiting, &app.code(0)));
    let (cookie, stage) = next(code(&scene, &waiting, &app.code(1)));
    assert_eq!(stage, Stage::In);
    assert!(
        session(&scene, &waiting).is_none(),
        "the first cookie is good no more"
    );
    let keys = session(&scene, &cookie).unwrap().keys.unwrap();
    let token = keys.session_token.expose_text().unwrap();
    let ana = scene.cloud.caller(&keys.access_key_id, Some(token)).unwrap();
    assert!(ana.session.as_ref().unwrap().mfa.is_some());
    // The check of the code that came too late, and of ten that are wrong.
    let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
    scene.cloud.advance(QUARTER);
    refused(code(&scene, &waiting, &app.code(31)));
    let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
    for wrong in 0..10 {
        refused(code(&scene, &waiting, &format!("{wrong:06}")));
    }
    refused(code(&scene, &waiting, &app.code(31)));
    let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
    scene.cloud.advance(QUARTER - 1);
    refused(code(&scene, &waiting, &app.code(61)));
    scene.cloud.advance(1);
    let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
    next(code(&scene, &waiting, &app.code(61)));
}

/// S5.4: a user may have several devices, and signs in by any of them.
#[test]
fn codes_of_one_device_are_no_failures_of_another() {
    let scene = Scene::new();
    person(&scene, "ana");
    let (first, second) = (App::new(&scene, "ana-1"), App::new(&scene, "ana-2"));
    for app in [&first, &second] {
        scene.root("EnableMFADevice", app.enabling("ana", [-1, 0]));
    }
    let enter = |code_of: &App, step| {
        let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
        code(&scene, &waiting, &code_of.code(step))
    };
    for step in 1..=12 {
        next(enter(&second, step));
        scene.cloud.advance(30_000);
    }
    next(enter(&first, 12));
    // A code of neither counts at both, so that two devices are no two chances to guess.
    let (waiting, _) = next(sign_in(&scene, "ana", PASSWORD));
    for wrong in 0..10 {
        refused(code(&scene, &waiting, &format!("{wrong:06}")));
    }
    refused(enter(&first, 13));
    refused(enter(&second, 13));
}

#[test]
fn wrong_codes_count_together_wherever_they_are_shown() {
    let scene = Scene::new();
    let ana = scene.user("ana");
    let app = App::new(&scene, "ana");
    scene.root("EnableMFADevice", app.enabling("ana", [-1, 0]));
    let ask = |code: &str| scene.cloud.call(&ana, "sts", "GetSessionToken", app.shown(code));
    for wrong in 0..10 {
        assert!(ask(&format!("{wrong:06}")).is_err());
    }
    let refusal = ask(&app.code(1)).unwrap_err();
    assert_eq!(
        refusal.message,
        "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    );
    scene.cloud.advance(QUARTER);
    assert!(ask(&app.code(30)).is_ok());
}

#[test]
fn a_session_ends_with_its_user_and_when_it_is_left() {
    let scene = Scene::new();
    person(&scene, "ana");
    let (cookie, _) = next(sign_in(&scene, "ana", PASSWORD));
    let (other, _) = next(sign_in(&scene, "ana", PASSWORD));
    let out = Step::SignOut {
        cookie: cookie.clone(),
    };
    assert!(matches!(taken(&scene, "192.0.2.1", &out), Outcome::Done));
    assert!(session(&scene, &cookie).is_none());
    assert!(session(&scene, &other).is_some());
    scene.root("DeleteLoginProfile", json!({"UserName": "ana"}));
    scene.root("DeleteUser", json!({"UserName": "ana"}));
    person(&scene, "ana");
    assert!(
        session(&scene, &other).is_none(),
        "another user of the name is another user"
    );
}

#[test]
fn a_password_that_must_be_changed_opens_nothing_before() {
    let scene = Scene::new();
    person(&scene, "ana");
    let reset = |required: bool| {
        scene.root(
            "UpdateLoginProfile",
            json!({"UserName": "ana", "PasswordResetRequired": required}),
        )
    };
    reset(true);
    let (cookie, stage) = next(sign_in(&scene, "ana", PASSWORD));
    assert_eq!(stage, Stage::NewPassword);
    let renew = || Step::Renewed {
        cookie: cookie.clone(),
    };
    refused(taken(&scene, "192.0.2.1", &renew()));
    reset(false);
    let (cookie, stage) = next(taken(&scene, "192.0.2.1", &renew()));
    assert_eq!(stage, Stage::In);
    assert!(session(&scene, &cookie).is_some());
    let told: Value = events(&scene, "PasswordUpdated")[0].response.clone().unwrap();
    assert_eq!(told, json!({"PasswordUpdated": "Success"}));
    assert!(refused(taken(&scene, "192.0.2.1", &renew())).contains("ended"));
}
