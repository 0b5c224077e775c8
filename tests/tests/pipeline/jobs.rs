//! Jobs: once each, in the order in which they fall due, and again after a commit that failed.

use pipeline::jobs::JobKind;
use pipeline::testing::BEGINNING;
use pipeline::{Call, operation};
use scenarios::world::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::Timestamp;

#[derive(Clone, Serialize, Deserialize)]
struct Ran {
    names: Vec<String>,
    times: Vec<i64>,
}

store::record!(Ran, 1);

/// What has run, in one row.
static RAN: Table<String, Ran> = Table::new(0x0ffe, "tests.ran");

static KINDS: &[JobKind] = &[JobKind {
    name: "tests.note",
    service: "iam",
    event: "Noted",
    run: note,
}];

fn note(call: &mut Call<'_>, payload: &Value) -> operation::Result<()> {
    let key = "row".to_owned();
    let mut ran = call.get(&RAN, &key)?.map_or_else(
        || Ran {
            names: Vec::new(),
            times: Vec::new(),
        },
        |ran| (*ran).clone(),
    );
    ran.names.push(payload["name"].as_str().unwrap().to_owned());
    ran.times.push(call.now.0);
    call.put(&RAN, &key, ran)
}

fn plan(world: &World, jobs: &[(&str, i64)]) {
    let planned = world.gateway.system("us-east-1", |call| {
        for (name, due) in jobs {
            call.schedule("tests.note", Timestamp(BEGINNING + due), json!({"name": name}))?;
        }
        Ok(())
    });
    assert!(planned.is_ok());
}

fn ran(world: &World) -> (Vec<String>, Vec<i64>) {
    let row = world
        .gateway
        .system("us-east-1", |call| call.get(&RAN, &"row".to_owned()));
    let row = row.map_err(|fault| fault.message).unwrap();
    row.map_or_else(Default::default, |ran| {
        (
            ran.names.clone(),
            ran.times.iter().map(|time| time - BEGINNING).collect(),
        )
    })
}

fn run_due(world: &World, after: i64) -> Option<usize> {
    world
        .wait(world.gateway.run_due(Timestamp(BEGINNING + after)))
        .ok()
}

#[test]
fn jobs_run_once_and_in_the_order_in_which_they_fall_due() {
    let world = World::with(&[], KINDS);
    plan(
        &world,
        &[
            ("third", 3000),
            ("first", 1000),
            ("later", 9000),
            ("second", 2000),
        ],
    );
    assert_eq!(run_due(&world, 0), Some(0), "nothing is due yet");
    assert_eq!(run_due(&world, 5000), Some(3));
    let names = ["first", "second", "third"].map(str::to_owned).to_vec();
    assert_eq!(
        ran(&world),
        (names, vec![1000, 2000, 3000]),
        "each sees the time at which it was due"
    );
    assert_eq!(run_due(&world, 5000), Some(0), "none runs again");
    assert_eq!(
        world.gateway.next_due().map_err(|fault| fault.message),
        Ok(Some(BEGINNING + 9000))
    );
    let records = world.newest("us-east-1", 10);
    let events: Vec<_> = records
        .iter()
        .rev()
        .map(|record| (record.operation.as_str(), record.time - BEGINNING))
        .collect();
    assert_eq!(events, [("Noted", 1000), ("Noted", 2000), ("Noted", 3000)]);
}

#[test]
fn a_job_whose_commit_fails_stays_planned_and_takes_effect_once() {
    let world = World::with(&[], KINDS);
    plan(&world, &[("first", 1000), ("second", 2000), ("third", 3000)]);
    world.plan.fail(1, 2);
    assert_eq!(run_due(&world, 5000), None, "the second fails");
    assert_eq!(ran(&world).0, ["first"], "and the one behind it waits");
    assert_eq!(run_due(&world, 5000), None, "it fails again");
    assert!(world.plan.failed());
    assert_eq!(run_due(&world, 5000), Some(2));
    assert_eq!(ran(&world).0, ["first", "second", "third"]);
    assert_eq!(world.newest("us-east-1", 10).len(), 3);
}

/// Two loops that run what is due at once share the work: no effect is lost or doubled.
#[test]
fn two_loops_run_each_job_once() {
    let world = World::with(&[], KINDS);
    let names: Vec<String> = (0..40).map(|number| format!("job-{number:02}")).collect();
    let jobs: Vec<_> = names
        .iter()
        .zip(0..)
        .map(|(name, due)| (name.as_str(), due))
        .collect();
    plan(&world, &jobs);
    let due = |gateway: std::sync::Arc<pipeline::Gateway>| async move {
        gateway.run_due(Timestamp(BEGINNING + 5000)).await.ok()
    };
    let tasks = [0, 1].map(|_| scenarios::world::runtime().spawn(due(world.gateway.clone())));
    let counts = tasks.map(|task| world.wait(task).unwrap().unwrap());
    assert_eq!(counts[0] + counts[1], 40);
    assert_eq!(ran(&world).0, names);
}
