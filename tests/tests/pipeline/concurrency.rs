//! Calls that run at once: conflicts are run again, and exactly one of two that exclude each other succeeds.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use pipeline::operation::{Access, Operation, Result};
use pipeline::{AccountScope, Authorized, Call, Endpoint, Found, Look};
use scenarios::said::Said;
use scenarios::world::{World, runtime};
use serde_json::{Value, json};
use store::{Store, Table};

use crate::nothing::Nothing;

/// Sends all at once, each on a task of its own.
fn together(world: &World, calls: &[(&str, Value)]) -> Vec<Said> {
    let tasks: Vec<_> = calls
        .iter()
        .map(|(operation, input)| {
            let (request, protocol) = world.asking(&world.root, "iam", operation, input);
            (runtime().spawn(world.answer(request)), protocol)
        })
        .collect();
    tasks
        .into_iter()
        .map(|(task, protocol)| Said::of(protocol, world.wait(task).unwrap()))
        .collect()
}

/// S1.6: of calls that create one user at once, exactly one succeeds.
#[test]
fn of_many_calls_that_create_one_user_exactly_one_succeeds() {
    for round in 0..20 {
        let world = World::bare();
        let call = ("CreateUser", json!({"UserName": "ana"}));
        let answers = together(&world, &vec![call; 2 + round]);
        let done = answers.iter().filter(|said| said.status == 200).count();
        assert_eq!(done, 1, "{answers:?}");
        let refused = answers
            .iter()
            .filter(|said| said.status == 409 && said.code() == "EntityAlreadyExists")
            .count();
        assert_eq!(done + refused, answers.len(), "{answers:?}");
        assert_eq!(world.count("us-east-1"), u64::try_from(answers.len()).unwrap());
    }
}

/// Calls that do not exclude each other all succeed, and each is recorded once.
#[test]
fn calls_that_create_different_users_all_succeed() {
    let world = World::bare();
    let names: Vec<String> = (0..64).map(|number| format!("user-{number}")).collect();
    let calls: Vec<_> = names
        .iter()
        .map(|name| ("CreateUser", json!({"UserName": name})))
        .collect();
    let answers = together(&world, &calls);
    let failed: Vec<_> = answers
        .iter()
        .filter(|said| said.status != 200)
        .map(Said::code)
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    let listed = world.make("ListUsers", json!({}));
    let listed: BTreeSet<_> = listed["Users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["UserName"].as_str().unwrap())
        .collect();
    assert_eq!(listed, names.iter().map(String::as_str).collect());
    let answered: BTreeSet<_> = answers.into_iter().map(|said| said.request_id).collect();
    let recorded: BTreeSet<_> = world
        .newest("us-east-1", 1000)
        .into_iter()
        .map(|record| record.id)
        .collect();
    assert!(answered.len() == 64 && answered.is_subset(&recorded));
    let summary = world.make("GetAccountSummary", json!({}));
    assert_eq!(summary["SummaryMap"]["Users"], 64, "counted with every user");
}

/// A user and its deletion race with what is attached to it: nothing is left of a deleted user, and a user with something
/// attached is not deleted.
#[test]
fn a_deletion_and_an_addition_at_once_never_both_succeed() {
    for _ in 0..20 {
        let world = World::bare();
        world.make("CreateUser", json!({"UserName": "ana"}));
        let calls = [
            ("DeleteUser", json!({"UserName": "ana"})),
            ("CreateAccessKey", json!({"UserName": "ana"})),
        ];
        let answers = together(&world, &calls);
        let codes = (answers[0].code(), answers[1].code());
        assert!(
            matches!(codes, ("", "NoSuchEntity") | ("DeleteConflict", "")),
            "{answers:?}"
        );
    }
}

/// A number in a row.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Number(u64);

store::record!(Number, 1);

static NUMBERS: Table<String, Number> = Table::new(0x0ffd, "tests.numbers");
/// The store behind the world of the test below.
static BESIDE: OnceLock<Store> = OnceLock::new();

/// Changes a row that another transaction changes meanwhile, in every run.
struct ListServerCertificates;

impl Operation for ListServerCertificates {
    type Input = Nothing;
    type Output = Nothing;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListServerCertificates");

    fn target(look: &mut Look<'_>, _input: &Nothing) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(call: &mut Call<'_>, _scope: Authorized<AccountScope>, _input: Nothing) -> Result<Nothing> {
        let key = "row".to_owned();
        let number = call.get(&NUMBERS, &key)?.map_or(0, |number| number.0);
        let beside = BESIDE.get().unwrap();
        beside
            .run(|tx| tx.put(&NUMBERS, &key, Number(number + 1)))
            .map_err(wire::Fault::internal)?;
        call.put(&NUMBERS, &key, Number(1_000_000))?;
        Ok(Nothing)
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<ListServerCertificates>(
    "iam",
    "ListServerCertificates",
)];

/// A call that loses every race is told to come again, changes nothing, and is recorded as every answer is.
#[test]
fn a_call_that_loses_every_race_is_told_so_and_recorded() {
    let world = World::with(ENDPOINTS, &[]);
    assert!(BESIDE.set(world.gateway.store().clone()).is_ok());
    let said = world.ask(&world.root, "iam", "ListServerCertificates", &json!({}));
    assert_eq!((said.status, said.code()), (503, "ServiceUnavailable"));
    let record = &world.newest("us-east-1", 1)[0];
    assert_eq!(record.id, said.request_id);
    assert_eq!(
        record.error.as_ref().map(|error| error.code.as_str()),
        Some("ServiceUnavailable")
    );
    let runs = world
        .gateway
        .system("us-east-1", |call| call.get(&NUMBERS, &"row".to_owned()));
    let runs = runs
        .map_err(|fault| fault.message)
        .unwrap()
        .map_or(0, |number| number.0);
    assert!((10..1_000_000).contains(&runs), "{runs} runs");
}
