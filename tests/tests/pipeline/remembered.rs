//! What services keep for a caller between calls.

use std::sync::Arc;

use pipeline::operation::{Access, Operation, Result};
use pipeline::testing::REGION;
use pipeline::{AccountScope, Authorized, Call, Endpoint, Found, Look};
use scenarios::world::World;
use serde_json::json;
use wire::{Document, Timestamp};

use crate::nothing::Nothing;

const BY: &str = "athena.amazonaws.com";
const PURPOSE: &str = "athena.test";

/// Lists keys for its caller, and for a minute does not ask again.
struct Remembers;

impl Operation for Remembers {
    type Input = Nothing;
    type Output = Nothing;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("athena:ListWorkGroups");

    fn target(look: &mut Look<'_>, _input: &Nothing) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Nothing) -> Result<Nothing> {
        if call.recall::<Document>(PURPOSE, b"keys").is_none() {
            let answer = call.invoke(BY, "kms", "ListKeys", Document::empty())?;
            let until = Timestamp(call.now.0 + 60_000);
            call.remember(PURPOSE, b"keys", Arc::new(answer), until);
            // The same call does not rely on what it has just learned.
            assert!(call.recall::<Document>(PURPOSE, b"keys").is_none());
        }
        Ok(Nothing)
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<Remembers>("athena", "ListWorkGroups")];

fn asked(world: &World) -> usize {
    let records = world.newest(REGION, 50);
    records
        .iter()
        .filter(|record| record.operation == "ListKeys")
        .count()
}

#[test]
fn what_is_remembered_is_the_callers_own_and_for_a_while() {
    let world = World::with(ENDPOINTS, &[]);
    let all =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
            .to_string();
    let (ana, bob) = (world.user("ana", Some(&all)), world.user("bob", Some(&all)));
    let ask = |keys| {
        assert_eq!(
            world.ask(keys, "athena", "ListWorkGroups", &json!({})).status,
            200
        )
    };
    for _ in 0..3 {
        ask(&ana);
    }
    assert_eq!(asked(&world), 1);
    ask(&bob);
    assert_eq!(asked(&world), 2);
    world.pass(61);
    ask(&ana);
    ask(&ana);
    assert_eq!(asked(&world), 3);
}
