//! Two clocks: sessions and expiry follow the cloud's, signatures the wall's.

use pipeline::testing::{BEGINNING, REGION};
use scenarios::sign::Keys;
use scenarios::world::World;
use serde_json::{Value, json};
use wire::Timestamp;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:AssumeRole"}]}"#;
const MAY_ASSUME: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}"#;
const YEAR: i64 = 365 * 24 * 3600 * 1000;

/// The keys of a session of 900 seconds.
fn session(world: &World) -> Keys {
    let ana = world.user("ana", Some(MAY_ASSUME));
    world.make(
        "CreateRole",
        json!({"RoleName": "operator", "AssumeRolePolicyDocument": TRUST}),
    );
    let input = json!({"RoleArn": "arn:aws:iam::111122223333:role/operator", "RoleSessionName": "shift", "DurationSeconds": 900});
    let said = world.ask(&ana, "sts", "AssumeRole", &input);
    let body = String::from_utf8(said.body).unwrap();
    let part = |name: &str| {
        let rest = body
            .split_once(&format!("<{name}>"))
            .unwrap_or_else(|| panic!("{body}"))
            .1;
        Value::from(rest.split_once('<').unwrap().0)
    };
    let names = ["AccessKeyId", "SecretAccessKey", "SessionToken"];
    Keys::of(
        &json!({"Credentials": names.iter().map(|name| ((*name).to_owned(), part(name))).collect::<serde_json::Map<_, _>>()}),
    )
}

fn who(world: &World, keys: &Keys) -> (u16, String) {
    let said = world.ask(keys, "sts", "GetCallerIdentity", &json!({}));
    (said.status, said.code().to_owned())
}

/// S1.27, S4.7: a session ends by the cloud's clock, while its signatures stay fresh by the wall's.
#[test]
fn a_session_ends_when_the_clouds_clock_passes_its_end() {
    let world = World::bare();
    let keys = session(&world);
    let clock = world.gateway.clock();
    clock.put(Timestamp(BEGINNING + 899_000), 0.0);
    assert_eq!(who(&world, &keys), (200, String::new()));
    clock.put(Timestamp(BEGINNING + 901_000), 0.0);
    assert_eq!(who(&world, &keys), (403, "ExpiredToken".to_owned()));
    clock.put(Timestamp(BEGINNING + 10_000), 0.0);
    assert_eq!(
        who(&world, &keys),
        (200, String::new()),
        "the wall's time never ended it"
    );
}

/// A session outlives the wall's time where the cloud's stands still, and signatures age by the wall's all the same.
#[test]
fn signatures_age_by_the_walls_clock_alone() {
    let world = World::bare();
    let keys = session(&world);
    let clock = world.gateway.clock();
    clock.put(Timestamp(BEGINNING), 0.0);
    world.pass(3600);
    assert_eq!(
        who(&world, &keys),
        (200, String::new()),
        "signed now, in a session that stands still"
    );
    let (old, protocol) = world.asking(&keys, "sts", "GetCallerIdentity", &json!({}));
    world.pass(901);
    assert_eq!(world.send(protocol, old).code(), "SignatureDoesNotMatch");
    clock.put(Timestamp(BEGINNING + YEAR), 1.0);
    let (fresh, _) = world.asking(&world.root, "sts", "GetCallerIdentity", &json!({}));
    assert_eq!(
        world.send(protocol, fresh).status,
        200,
        "a year ahead, signed by the wall's time"
    );
}

/// Records carry both times, and `aws:CurrentTime` is the cloud's.
#[test]
fn conditions_and_records_tell_the_clouds_time() {
    let world = World::bare();
    let from = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:ListUsers","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2027-06-01T00:00:00Z"}}}]}"#;
    let ana = world.user("ana", Some(from));
    assert_eq!(
        world.ask(&ana, "iam", "ListUsers", &json!({})).code(),
        "AccessDenied"
    );
    world.gateway.clock().put(Timestamp(BEGINNING + YEAR), 1.0);
    assert_eq!(world.ask(&ana, "iam", "ListUsers", &json!({})).status, 200);
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!((record.time, record.wall), (BEGINNING + YEAR, BEGINNING));
}

/// A wall's clock that is put back, as after a wrong start of the machine, hides nothing that was recorded before.
#[test]
fn records_are_found_after_the_walls_clock_was_put_back() {
    let world = World::bare();
    let mut asked = Vec::new();
    for back in [0, 7200, 90_000] {
        world.pass(-back);
        for _ in 0..3 {
            assert_eq!(who(&world, &world.root), (200, String::new()));
        }
        let record = world.newest(REGION, 1).pop().unwrap();
        asked.push((record.id, record.event));
    }
    for (request, event) in asked {
        for id in [request, event] {
            let found = world.gateway.system("us-east-1", |call| {
                pipeline::why::explain(call, &id).map(|told| told.record)
            });
            let found = found.unwrap_or_else(|fault| panic!("{}", fault.message));
            assert!(found.id == id || found.event == id);
        }
    }
}
