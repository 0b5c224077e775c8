//! Operations of every service, in a furnished account: whatever an input says, the call is answered or refused, never fails inside, and
//! its answer can be written in every protocol of the service; and the jobs that it leaves run.
#![no_main]

use std::sync::{Arc, LazyLock, Mutex};

use pipeline::Identity;
use pipeline::testing::{ACCOUNT, REGION};
use ringwork_fuzz::draw::{self, Draw};
use scenarios::sample::Sampler;
use scenarios::world::{World, built};
use wire::Fault;
use wire::fault::{Code, Common};
use wire::model::{Operation, Service};
use wire::protocol;

/// Inputs before everything begins anew, so that something still exists.
const INPUTS_MAX: u32 = 2000;
/// Operations of one input.
const CALLS_MAX: usize = 4;

static OPERATIONS: LazyLock<Vec<(&'static Service, &'static Operation)>> = LazyLock::new(|| {
    built()
        .map(|(_, service, operation)| (service, operation))
        .collect()
});
static WORLD: Mutex<Option<(World, u32)>> = Mutex::new(None);

/// A bug, not a refusal.
fn is_internal(fault: &Fault) -> bool {
    fault.code == Code::Common(Common::Internal)
}

fn told(fault: &Fault) -> String {
    format!(
        "{} {:?}",
        fault.message,
        fault.source.as_ref().map(ToString::to_string)
    )
}

fn call(world: &World, draw: &mut Draw<'_>) {
    let (service, operation) = OPERATIONS[draw.place(OPERATIONS.len())];
    let flags = draw.byte();
    let sampler = Sampler {
        existing: &world.existing,
        present: flags & 3 != 3,
    };
    let input = draw.change(service, operation, sampler.input(service, operation));
    let shown = || format!("{}:{} {}", service.name, operation.name, draw::shown(&input));
    let root = Arc::new(Identity::root(ACCOUNT));
    let called = world
        .gateway
        .call(&root, REGION, service.name, operation.name, input.clone());
    match world.wait(called) {
        Ok(answer) => {
            for protocol in &service.protocols {
                if let Err(fault) = protocol::encode(service, operation, *protocol, &answer, "0") {
                    panic!("{} is not written in {protocol:?}: {}", shown(), told(&fault));
                }
            }
        }
        Err(fault) => assert!(!is_internal(&fault), "{} fails: {}", shown(), told(&fault)),
    }
    if flags >> 2 == 63 {
        world.pass([1, 60, 3700, 90_000, 700_000][draw.place(5)]);
        let due = world.gateway.run_due(world.gateway.clock().now());
        if let Err(fault) = world.wait(due) {
            panic!("jobs after {} fail: {}", shown(), told(&fault));
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut held = WORLD.lock().expect("no call before has failed");
    if held.as_ref().is_none_or(|(_, inputs)| *inputs > INPUTS_MAX) {
        *held = None;
    }
    let (world, inputs) = held.get_or_insert_with(|| (World::furnished(), 0));
    *inputs += 1;
    let mut draw = Draw::new(bytes);
    for _ in 0..CALLS_MAX {
        if draw.is_empty() {
            break;
        }
        call(world, &mut draw);
    }
});
