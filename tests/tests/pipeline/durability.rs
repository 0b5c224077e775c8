//! No answer without a record: an answer leaves only after its record is durable, and a commit that fails leaves nothing.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use scenarios::client;
use scenarios::said::Said;
use scenarios::sign::Keys;
use scenarios::world::World;
use serde_json::{Value, json};

/// The state and the record of a write, the record of a read and of a refusal: none is answered before its commit.
#[test]
fn the_answer_leaves_only_after_the_record_is_durable() {
    let world = World::furnished();
    let stranger = Keys {
        id: "AKIAIOSFODNN7UNKNOWN".to_owned(),
        ..world.root.clone()
    };
    let calls = [
        ("CreateUser", json!({"UserName": "ana"}), &world.root, 200),
        ("GetUser", json!({"UserName": "existing"}), &world.root, 200),
        ("GetUser", json!({"UserName": "missing"}), &world.root, 404),
        ("GetUser", json!({"UserName": "existing"}), &stranger, 403),
    ];
    for (operation, input, keys, status) in calls {
        let (request, _) = world.asking(keys, "iam", operation, &input);
        let before = world.count("us-east-1");
        let mut answer = pin!(world.answer(request));
        let mut context = Context::from_waker(Waker::noop());
        world.plan.hold();
        assert!(
            matches!(answer.as_mut().poll(&mut context), Poll::Pending),
            "{operation} was answered at once"
        );
        world.plan.wait_for_commit();
        assert!(
            matches!(answer.as_mut().poll(&mut context), Poll::Pending),
            "{operation} was answered early"
        );
        world.plan.release();
        assert_eq!(world.wait(answer).status, status, "{operation}");
        // A request by an unknown key claims its region: it is recorded there.
        let elsewhere = u64::from(status == 403 && world.count("us-east-1") == before);
        assert_eq!(world.count("us-east-1") + elsewhere, before + 1, "{operation}");
    }
}

fn user_exists(world: &World, name: &str) -> bool {
    world.call("iam", "GetUser", json!({"UserName": name})).is_ok()
}

/// A call whose commit fails answers `InternalFailure` and nothing of the inside; neither its change nor its record is
/// there, and the next call is served.
#[test]
fn a_failed_commit_fails_the_call_and_leaves_nothing() {
    let world = World::furnished();
    let calls: [(&str, Value); 3] = [
        ("CreateUser", json!({"UserName": "ana"})),
        ("GetUser", json!({"UserName": "existing"})),
        ("GetUser", json!({"UserName": "missing"})),
    ];
    for (operation, input) in &calls {
        let before = world.count("us-east-1");
        world.plan.fail(0, 1);
        let said = world.ask(&world.root, "iam", operation, input);
        assert!(world.plan.failed(), "{operation} committed nothing");
        assert_eq!(
            (said.status, said.code()),
            (500, "InternalFailure"),
            "{operation}"
        );
        let body = String::from_utf8_lossy(&said.body).into_owned();
        assert!(
            !body.contains("disk") && body.contains(&said.request_id),
            "{body}"
        );
        assert_eq!(world.count("us-east-1"), before, "{operation} was recorded");
    }
    assert!(!user_exists(&world, "ana"));
    let again = world.ask(&world.root, "iam", "CreateUser", &calls[0].1);
    assert_eq!(again.status, 200, "{again:?}");
    assert!(user_exists(&world, "ana"));
    assert_eq!(world.newest("us-east-1", 2)[1].id, again.request_id);
}

/// A refusal that cannot be recorded is no refusal but a failure.
#[test]
fn a_refusal_whose_record_fails_is_an_internal_failure() {
    let world = World::bare();
    let service = api::models::service("iam").unwrap();
    let operation = service.operation("ListUsers").unwrap();
    let protocol = service.protocols[0];
    let request = client::request(service, operation, protocol, &wire::Document::empty());
    world.plan.fail(0, 1);
    let said: Said = world.send(protocol, request.clone());
    assert_eq!((said.status, said.code()), (500, "InternalFailure"));
    assert_eq!(world.send(protocol, request).code(), "MissingAuthenticationToken");
    assert_eq!(world.count("us-east-1"), 1);
}

/// Whichever of a hundred commits fails: what was answered with success is there, what failed is not, and the trail tells
/// exactly of what was answered.
#[test]
fn wherever_commits_fail_answers_and_state_agree() {
    let world = World::bare();
    let mut made = Vec::new();
    for round in 0..100 {
        if round % 3 == 0 {
            world.plan.fail(round % 4, 1 + round % 2);
        }
        let name = format!("user-{round}");
        let said = world.ask(&world.root, "iam", "CreateUser", &json!({"UserName": name}));
        assert!(matches!(said.status, 200 | 500), "{said:?}");
        made.push((name, said.status == 200, said.request_id));
    }
    world.plan.fail(0, 0);
    assert!(made.iter().any(|(_, done, _)| !done) && made.iter().any(|(_, done, _)| *done));
    let records = world.newest("us-east-1", 1000);
    for (name, done, id) in &made {
        assert_eq!(user_exists(&world, name), *done, "{name}");
        assert_eq!(records.iter().any(|record| record.id == *id), *done, "{name}");
    }
}
