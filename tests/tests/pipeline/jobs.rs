//! Jobs: once each, in the order in which they fall due, and again after they failed or their commit did.

use pipeline::jobs::JobKind;
use pipeline::testing::BEGINNING;
use pipeline::{Call, operation};
use scenarios::world::World;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use wire::{Fault, Timestamp};

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
    match payload["name"].as_str() {
        Some("bug") => return Err(Fault::internal("a bug of a job")),
        Some("panic") => panic!("a bug of a job"),
        // Works once somebody has seen to it.
        Some("lacking") if call.get(&RAN, &"mended".to_owned())?.is_none() => {
            return Err(Fault::internal("something is lacking"));
        }
        _ => {}
    }
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

fn setbacks(world: &World) -> Vec<(i64, u32, i64)> {
    let setbacks = world.gateway.setbacks().map_err(|fault| fault.message).unwrap();
    setbacks
        .iter()
        .map(|setback| {
            (
                setback.due - BEGINNING,
                setback.failures,
                setback.next - BEGINNING,
            )
        })
        .collect()
}

fn mend(world: &World) {
    let row = || Ran {
        names: Vec::new(),
        times: Vec::new(),
    };
    let mended = world
        .gateway
        .system("us-east-1", |call| call.put(&RAN, &"mended".to_owned(), row()));
    assert!(mended.is_ok());
}

#[test]
fn a_job_that_fails_is_tried_again_after_growing_waits_and_holds_up_none() {
    for bug in ["bug", "panic"] {
        let world = World::with(&[], KINDS);
        plan(
            &world,
            &[("first", 1000), (bug, 2000), ("third", 3000), ("fourth", 60_000)],
        );
        assert_eq!(run_due(&world, 3000), Some(2));
        assert_eq!(ran(&world).0, ["first", "third"]);
        assert_eq!(setbacks(&world), [(2000, 2, 5000)], "tried at 2000 and 3000");
        // A year at once does not spend itself on it, and what is behind it comes in time.
        assert_eq!(run_due(&world, 365 * 86_400_000), Some(1));
        assert_eq!(
            ran(&world),
            (
                ["first", "third", "fourth"].map(str::to_owned).to_vec(),
                vec![1000, 3000, 60_000]
            )
        );
        let (due, failures, next) = setbacks(&world)[0];
        assert_eq!((due, next > 365 * 86_400_000), (2000, true));
        assert!((1400..1500).contains(&failures), "{failures}");
        let told = world.gateway.setbacks().map_err(|fault| fault.message).unwrap();
        assert_eq!(
            (told[0].kind.as_str(), told[0].region.as_str()),
            ("tests.note", "us-east-1")
        );
        assert!(
            told[0].reason.contains("a bug of a job") || bug == "panic",
            "{}",
            told[0].reason
        );
    }
}

#[test]
fn a_job_that_works_at_last_takes_effect_once_and_at_its_time() {
    let world = World::with(&[], KINDS);
    plan(&world, &[("lacking", 1000), ("second", 2000)]);
    assert_eq!(run_due(&world, 4000), Some(1));
    assert_eq!(setbacks(&world), [(1000, 3, 8000)]);
    assert_eq!(
        world.gateway.next_due().map_err(|fault| fault.message),
        Ok(Some(BEGINNING + 8000))
    );
    mend(&world);
    assert_eq!(run_due(&world, 7999), Some(0), "not before its time");
    assert_eq!(run_due(&world, 8000), Some(1));
    assert_eq!(
        ran(&world),
        (
            ["second", "lacking"].map(str::to_owned).to_vec(),
            vec![2000, 1000]
        )
    );
    assert_eq!(setbacks(&world), []);
    assert_eq!(run_due(&world, 86_400_000), Some(0), "none runs again");
}

#[test]
fn a_job_that_failed_can_be_taken_back_by_the_id_that_it_was_planned_with() {
    let world = World::with(&[], KINDS);
    let planned = world.gateway.system("us-east-1", |call| {
        call.schedule(
            "tests.note",
            Timestamp(BEGINNING + 1000),
            json!({"name": "lacking"}),
        )
    });
    let id = planned.map_err(|fault| fault.message).unwrap();
    assert_eq!(run_due(&world, 1500), Some(0));
    assert_eq!(setbacks(&world), [(1000, 1, 2000)]);
    let taken = world.gateway.system("us-east-1", |call| call.unschedule(&id));
    assert!(taken.is_ok());
    mend(&world);
    assert_eq!(run_due(&world, 86_400_000), Some(0));
    assert_eq!((setbacks(&world), ran(&world).0), (Vec::new(), Vec::new()));
}

#[test]
fn a_job_whose_setback_cannot_be_kept_stays_planned_and_the_one_behind_it_waits() {
    let world = World::with(&[], KINDS);
    plan(&world, &[("bug", 1000), ("second", 2000)]);
    world.plan.fail(0, 1);
    assert_eq!(run_due(&world, 2000), None);
    assert_eq!((setbacks(&world), ran(&world).0), (Vec::new(), Vec::new()));
    assert_eq!(run_due(&world, 2000), Some(1));
    assert_eq!(setbacks(&world), [(1000, 2, 4000)]);
}
