//! Errands: done between two runs, once for a call, and for jobs beside other jobs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::errand::Outcome;
use pipeline::functions::{Ended, Functions, Invocation, LogForm, LogLine, NotRun, Ran};
use pipeline::jobs::JobKind;
use pipeline::operation::{Access, Operation, Result};
use pipeline::testing::BEGINNING;
use pipeline::{AccountScope, Authorized, Call, Endpoint, Found, Look};
use scenarios::world::{World, runtime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Table;
use tokio::sync::Semaphore;
use wire::Timestamp;

use crate::nothing::Nothing;

/// Answers what it is asked, when it is let.
struct Runner {
    asked: Mutex<Vec<String>>,
    /// Functions that may end.
    may: Semaphore,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Runner {
    fn new(may: usize) -> Arc<Self> {
        Arc::new(Self {
            asked: Mutex::default(),
            may: Semaphore::new(may),
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        })
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

impl Functions for Runner {
    fn holds(&self, _code_sha256: &str) -> bool {
        true
    }

    fn invoke<'a>(&'a self, invocation: &'a Invocation) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(async move {
            self.asked.lock().push(invocation.function_arn.clone());
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            self.may.acquire().await.map_err(|_| NotRun::Refused)?.forget();
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(Ran {
                payload: invocation.payload.clone(),
                error: None,
                log_tail: None,
                request_id: invocation.request_id.clone(),
                duration: Duration::ZERO,
                billed: Duration::ZERO,
                init: None,
                memory_used_mb: 0,
            })
        })
    }

    fn log(&self, _function_arn: &str) -> Vec<LogLine> {
        Vec::new()
    }
}

fn invocation(function: &str, payload: String, now: Timestamp) -> Invocation {
    Invocation {
        function_arn: function.to_owned(),
        invoked_arn: function.to_owned(),
        configuration: String::new(),
        code_sha256: String::new(),
        zip: None,
        layers: None,
        runtime: String::new(),
        handler: String::new(),
        memory_mb: 128,
        storage_mb: 512,
        timeout: Duration::from_secs(3),
        environment: Vec::new(),
        credentials: None,
        region: String::new(),
        log_group: String::new(),
        log_form: LogForm::Text,
        payload: Bytes::from(payload),
        client_context: None,
        request_id: String::new(),
        trace_id: None,
        log_tail: false,
        concurrency: Vec::new(),
        now,
        warm: false,
    }
}

/// What the function answers to `payload`, or that it was not run.
fn asked(call: &mut Call<'_>, function: &str, payload: &str) -> Result<String> {
    let outcome = call.run_function(function, |call| {
        Ok(invocation(function, payload.to_owned(), call.now))
    })?;
    let Outcome::Invoked(ended) = &*outcome else {
        return Ok("another errand".to_owned());
    };
    Ok(match ended {
        Ok(ran) => String::from_utf8_lossy(&ran.payload).into_owned(),
        Err(NotRun::Refused) => "refused".to_owned(),
        Err(_) => "not run".to_owned(),
    })
}

#[derive(Clone, Serialize, Deserialize)]
struct Notes(Vec<(String, i64)>);

store::record!(Notes, 1);

static NOTES: Table<String, Notes> = Table::new(0x0ffd, "tests.notes");

fn note(call: &mut Call<'_>, text: String) -> Result<()> {
    let key = "row".to_owned();
    let mut notes = call
        .get(&NOTES, &key)?
        .map_or_else(|| Notes(Vec::new()), |notes| (*notes).clone());
    notes.0.push((text, call.now.0 - BEGINNING));
    call.put(&NOTES, &key, notes)
}

fn notes(world: &World) -> Vec<(String, i64)> {
    let row = world
        .gateway
        .system("us-east-1", |call| call.get(&NOTES, &"row".to_owned()));
    let row = row.map_err(|fault| fault.message).unwrap();
    row.map_or_else(Vec::new, |notes| notes.0.clone())
}

/// Has two functions run under one name, and one under another.
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
        note(call, "began".to_owned())?;
        let mut answers = Vec::new();
        for (function, payload) in [("f", "one"), ("f", "two"), ("g", "three")] {
            answers.push(asked(call, function, payload)?);
        }
        note(call, answers.join(" "))?;
        Ok(Nothing)
    }
}

static ENDPOINTS: &[Endpoint] = &[Endpoint::of::<ListServerCertificates>(
    "iam",
    "ListServerCertificates",
)];

static KINDS: &[JobKind] = &[
    JobKind {
        name: "tests.errand",
        service: "iam",
        event: "Ran",
        run: |call, payload| {
            let name = payload["name"].as_str().unwrap();
            let answer = asked(call, name, name)?;
            note(call, answer)?;
            let again = payload["again"].as_i64().unwrap_or_default();
            if again > 0 {
                let payload = json!({"name": name, "again": again - 1});
                call.schedule("tests.errand", Timestamp(call.now.0 + 1000), payload)?;
            }
            Ok(())
        },
    },
    JobKind {
        name: "tests.plain",
        service: "iam",
        event: "Ran",
        run: |call, payload| note(call, payload["name"].as_str().unwrap().to_owned()),
    },
];

fn plan(world: &World, kind: &'static str, due: i64, payload: Value) {
    let planned = world.gateway.system("us-east-1", |call| {
        call.schedule(kind, Timestamp(BEGINNING + due), payload.clone())
    });
    assert!(planned.is_ok());
}

fn started(world: &World, now: i64) -> usize {
    let ran = world.wait(world.gateway.start_due(Timestamp(BEGINNING + now)));
    ran.map_err(|fault| fault.message).unwrap()
}

fn ran(world: &World, now: i64) -> usize {
    let ran = world.wait(world.gateway.run_due(Timestamp(BEGINNING + now)));
    ran.map_err(|fault| fault.message).unwrap()
}

fn named(notes: &[(String, i64)]) -> Vec<&str> {
    notes.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn an_errand_is_done_once_and_its_outcome_outlives_conflicts() {
    let runner = Runner::new(100);
    let world = World::with(ENDPOINTS, KINDS).with_functions(runner.clone());
    let operation = ("iam", "ListServerCertificates");
    assert_eq!(
        world
            .ask(&world.root, operation.0, operation.1, &json!({}))
            .status,
        200
    );
    assert_eq!(runner.asked(), ["f", "f", "g"]);
    assert_eq!(
        named(&notes(&world)),
        ["began", "one two three"],
        "only the last run keeps anything"
    );
    // Many at once write the same row, so most of them lose and are run again, without their errands.
    let asks = (0..20).map(|_| {
        let root = Arc::new(pipeline::Identity::root(pipeline::testing::ACCOUNT));
        let gateway = Arc::clone(&world.gateway);
        runtime().spawn(async move {
            let input = wire::Document::empty();
            gateway
                .call(&root, "us-east-1", "iam", "ListServerCertificates", input)
                .await
                .is_ok()
        })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert!(world.wait(ask).unwrap());
    }
    assert_eq!((runner.asked().len(), notes(&world).len()), (63, 42));
}

#[test]
fn without_a_runner_nothing_is_run() {
    let world = World::with(ENDPOINTS, KINDS);
    assert_eq!(
        world
            .ask(&world.root, "iam", "ListServerCertificates", &json!({}))
            .status,
        200
    );
    assert_eq!(named(&notes(&world)), ["began", "refused refused refused"]);
}

#[test]
fn jobs_with_errands_hold_up_no_others_and_are_not_started_twice() {
    let runner = Runner::new(0);
    let world = World::with(&[], KINDS).with_functions(runner.clone());
    world.pass(10);
    for number in 0..40 {
        plan(
            &world,
            "tests.errand",
            1000,
            json!({"name": format!("slow-{number}")}),
        );
    }
    plan(&world, "tests.plain", 2000, json!({"name": "quick"}));
    assert_eq!(started(&world, 10_000), 1, "the quick one");
    assert_eq!(named(&notes(&world)), ["quick"]);
    assert_eq!(started(&world, 10_000), 0);
    plan(&world, "tests.plain", 3000, json!({"name": "later"}));
    assert_eq!(started(&world, 10_000), 1);
    assert_eq!(
        world.gateway.next_due().map_err(|fault| fault.message),
        Ok(None),
        "what is underway is not due again"
    );
    // Tasks of the runtime reach the runner when they come to it.
    while runner.running.load(Ordering::SeqCst) < 16 {
        std::thread::yield_now();
    }
    runner.may.add_permits(40);
    assert_eq!(ran(&world, 10_000), 40, "waits until all of them are done");
    assert_eq!(runner.asked().len(), 40, "each ran once");
    assert_eq!(runner.most.load(Ordering::SeqCst), 16, "so many at a time");
    assert_eq!(notes(&world).len(), 42);
    assert_eq!(ran(&world, 10_000), 0);
    let records = world.newest("us-east-1", 100);
    let told = records.iter().filter(|record| record.operation == "Ran").count();
    assert_eq!(told, 42);
}

/// Moving the clock ahead gives the history that waiting would have given.
#[test]
fn the_future_waits_for_errands_of_the_past() {
    let runner = Runner::new(100);
    let world = World::with(&[], KINDS).with_functions(runner.clone());
    plan(&world, "tests.errand", 1000, json!({"name": "turn", "again": 3}));
    plan(&world, "tests.plain", 2500, json!({"name": "between"}));
    plan(&world, "tests.plain", 9000, json!({"name": "last"}));
    assert_eq!(ran(&world, 10_000), 6);
    let expected = [
        ("turn", 1000),
        ("turn", 2000),
        ("between", 2500),
        ("turn", 3000),
        ("turn", 4000),
        ("last", 9000),
    ];
    let notes = notes(&world);
    let seen: Vec<_> = notes.iter().map(|(name, at)| (name.as_str(), *at)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_job_whose_last_commit_fails_stays_planned_and_is_done_again() {
    let runner = Runner::new(100);
    let world = World::with(&[], KINDS).with_functions(runner.clone());
    plan(&world, "tests.errand", 1000, json!({"name": "once"}));
    world.plan.fail(0, 1);
    assert!(
        world
            .wait(world.gateway.run_due(Timestamp(BEGINNING + 5000)))
            .is_err()
    );
    assert!(notes(&world).is_empty());
    assert_eq!(ran(&world, 5000), 1);
    assert_eq!(
        (runner.asked().len(), notes(&world).len()),
        (2, 1),
        "at least once, with one effect"
    );
}

/// A job that is taken out of the plan while it waits for its turn leaves nothing to wait for.
#[test]
fn a_job_that_is_taken_back_is_not_waited_for() {
    let runner = Runner::new(0);
    let world = World::with(&[], KINDS).with_functions(runner.clone());
    world.pass(10);
    for number in 0..16 {
        plan(
            &world,
            "tests.errand",
            1000,
            json!({"name": format!("slow-{number}")}),
        );
    }
    let id = world.gateway.system("us-east-1", |call| {
        call.schedule(
            "tests.errand",
            Timestamp(BEGINNING + 2000),
            json!({"name": "waits"}),
        )
    });
    let id = id.map_err(|fault| fault.message).unwrap();
    assert_eq!(started(&world, 10_000), 0);
    let taken = world.gateway.system("us-east-1", |call| call.unschedule(&id));
    assert!(taken.is_ok());
    runner.may.add_permits(16);
    assert_eq!(ran(&world, 10_000), 16);
    assert_eq!(runner.asked().len(), 16);
}
