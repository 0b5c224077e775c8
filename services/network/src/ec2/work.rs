//! What comes of what was asked: the jobs that have the plane start, stop and end instances, and what the plane tells by itself.
//!
//! Source: Amazon EC2 User Guide, "Amazon EC2 instance state changes", "Troubleshoot instance termination".
//!
//! Invariant: a job does nothing to an instance that has gone on to another state or another run since the job was planned.

use pipeline::errand::Outcome;
use pipeline::instances::{Done, Ending, Failure, InstanceRef, Launch, Metadata, Task};
use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::{Fault, Timestamp};

use super::instance::{self, INSTANCES, Instance, State};
use super::{address, closure, credentials, disk, image_create, launch, place, types, user_data};

/// How long an ended instance stays visible, in milliseconds (Amazon EC2 User Guide, "How instance termination works": about an hour).
const VISIBLE_MILLIS: i64 = 60 * 60 * 1000;

/// Starts an instance.
pub(super) const START: &str = "ec2.StartInstance";
/// Stops one.
pub(super) const STOP: &str = "ec2.StopInstance";
/// Ends one.
pub(super) const TERMINATE: &str = "ec2.TerminateInstance";
/// Reboots one.
pub(super) const REBOOT: &str = "ec2.RebootInstance";
/// Tells the plane that a stopped instance's disk is kept.
const SETTLE: &str = "ec2.SettleInstance";
/// Tells a running instance's metadata service what has changed.
const TELL: &str = "ec2.TellInstance";
/// Removes the row of one that ended.
const FORGET: &str = "ec2.ForgetInstance";

/// All of EC2's jobs.
pub(super) const JOBS: &[JobKind] = &[
    kind(START, start),
    kind(STOP, stop),
    kind(TERMINATE, terminate),
    kind(REBOOT, reboot),
    kind(SETTLE, settle),
    kind(TELL, tell_plane),
    kind(FORGET, forget),
    kind(image_create::JOB, image_create::run),
];

const fn kind(name: &'static str, run: fn(&mut Call<'_>, &Value) -> Result<()>) -> JobKind {
    JobKind {
        name,
        service: "ec2",
        event: "",
        run,
    }
}

/// Plans a job for an instance as it is now.
pub(super) fn plan(call: &mut Call<'_>, job: &'static str, instance: &Instance) -> Result<()> {
    plan_with(call, job, instance, json!({}))
}

/// The same, with more to know.
pub(super) fn plan_with(
    call: &mut Call<'_>,
    job: &'static str,
    instance: &Instance,
    mut more: Value,
) -> Result<()> {
    if let Value::Object(members) = &mut more {
        members.insert("id".to_owned(), json!(instance.id));
        members.insert("boot".to_owned(), json!(instance.boot));
    }
    let now = call.now;
    call.schedule_in(&instance.region, job, now, more).map(|_| ())
}

/// Tells the metadata service of a running instance what has changed, once this transaction has committed.
pub(super) fn tell(call: &mut Call<'_>, instance: &Instance) -> Result<()> {
    match instance.state {
        State::Running | State::Pending => plan(call, TELL, instance),
        _ => Ok(()),
    }
}

/// The instance that a job was planned for, if it is still in the run and one of the states that the job is for.
fn of(call: &mut Call<'_>, payload: &Value, states: &[State]) -> Result<Option<Instance>> {
    let id = payload.get("id").and_then(Value::as_str).unwrap_or_default();
    let boot = payload.get("boot").and_then(Value::as_u64).unwrap_or_default();
    let found = instance::find(call, id)?;
    let fits = |instance: &Instance| instance.boot == boot && states.contains(&instance.state);
    Ok(found
        .filter(|instance| fits(instance))
        .map(|instance| (*instance).clone()))
}

/// What the plane made of a task. A plane that is being stopped is asked again by the next server.
fn outturn(call: &Call<'_>, outcome: &Outcome) -> Result<std::result::Result<Done, Failure>> {
    let Outcome::Instance(outturn) = outcome else {
        return Err(Fault::internal(
            "an instance was asked for, and something else was done",
        ));
    };
    match outturn {
        Ok(Done::Well) => Ok(Ok(Done::Well)),
        Ok(Done::Disk(bytes)) => Ok(Ok(Done::Disk(bytes.clone()))),
        Err(Failure::Refused) if call.instances().is_ok() => {
            Err(Fault::internal("the plane of instances is being stopped"))
        }
        Err(failure) => Ok(Err(failure.clone())),
    }
}

/// A failure as a state's reason says it.
fn reason(failure: &Failure) -> (String, String) {
    let (code, text) = match failure {
        Failure::Unable { what } => ("Server.InsufficientInstanceCapacity", what.clone()),
        Failure::Unknown => (
            "Server.InternalError",
            "the machine no longer has the instance".to_owned(),
        ),
        Failure::DiskTooLarge => (
            "Server.InternalError",
            "the instance's disk is larger than can be kept".to_owned(),
        ),
        Failure::Failed { reason } => ("Server.InternalError", reason.clone()),
        Failure::Refused => (
            "Server.InternalError",
            "this installation runs no instances".to_owned(),
        ),
    };
    (code.to_owned(), format!("{code}: {text}"))
}

fn start(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    // One that was ended or started anew meanwhile is left to the job that did so: the plane starts nothing that it was told to end.
    let Some(mut instance) = of(call, payload, &[State::Pending])? else {
        return Ok(());
    };
    let resume = payload.get("resume").and_then(Value::as_bool) == Some(true);
    let outcome = call.instance("start", |call| {
        let instance = of(call, payload, &[State::Pending])?;
        let instance = instance.ok_or_else(|| Fault::internal("an instance went away within a job"))?;
        launch_of(call, &instance, resume).map(Box::new).map(Task::Start)
    })?;
    match outturn(call, &outcome)? {
        Ok(_) => {
            instance.state = State::Running;
            instance.state_reason = None;
            instance.transition_reason = String::new();
            let directory = call.directory();
            if directory.account_closed(call, &instance.account)? {
                // It was on its way when the account was closed.
                closure::stop(call, &mut instance)?;
            }
            instance.keep(call)
        }
        Err(failure) if instance.boot == 1 => {
            let (code, message) = reason(&failure);
            instance.transition_reason = code.clone();
            instance.state_reason = Some((code, message));
            end(call, instance)
        }
        Err(failure) => {
            let (code, message) = reason(&failure);
            instance.transition_reason = code.clone();
            instance.state_reason = Some((code, message));
            instance.state = State::Stopped;
            instance.disk_is_old |= resume;
            instance.keep(call)
        }
    }
}

/// All that it takes to start an instance.
fn launch_of(call: &mut Call<'_>, instance: &Instance, resume: bool) -> Result<Launch> {
    let of = types::find(&instance.instance_type)
        .ok_or_else(|| Fault::internal("an instance has a type that is not known"))?;
    let disk = match &instance.disk {
        None => None,
        Some(held) => Some(disk::open(call, held)?),
    };
    Ok(Launch {
        instance: instance.run(),
        vcpus: of.vcpus,
        memory_mib: of.memory_mib,
        disk,
        resume,
        user_data: user_data::open(call, instance)?,
        first: instance.boot == 1,
        metadata: metadata(instance),
        now: call.now,
    })
}

/// What the metadata service of an instance answers.
pub(super) fn metadata(instance: &Instance) -> Metadata {
    let document = json!({
        "accountId": instance.account,
        "architecture": instance.architecture,
        "availabilityZone": instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "imageId": instance.image,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "kernelId": null,
        "marketplaceProductCodes": null,
        "pendingTime": Timestamp(instance.launched).iso8601(),
        "privateIp": instance.private_ip.to_string(),
        "ramdiskId": null,
        "region": instance.region,
        "version": "2017-09-30",
    });
    let tags = instance.tags.iter();
    Metadata {
        options: instance.options.metadata(),
        ami_id: instance.image.clone(),
        ami_launch_index: instance.launch_index,
        instance_type: instance.instance_type.clone(),
        local_hostname: instance.private_dns(),
        private_ip: instance.private_ip,
        mac: instance.mac.clone(),
        reservation_id: instance.reservation.clone(),
        availability_zone: instance.zone.clone(),
        availability_zone_id: place::zone_id(&instance.region, &instance.zone),
        region: instance.region.clone(),
        account: instance.account.clone(),
        public_key: instance.key.clone(),
        tags: tags.map(|(key, value)| (key.clone(), value.clone())).collect(),
        identity_document: serde_json::to_string_pretty(&document).unwrap_or_default(),
    }
}

fn stop(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some(mut instance) = of(call, payload, &[State::Stopping])? else {
        return Ok(());
    };
    let force = payload.get("force").and_then(Value::as_bool) == Some(true);
    let run = instance.run();
    let outcome = call.instance("stop", |_| Ok(Task::Stop { instance: run, force }))?;
    match outturn(call, &outcome)? {
        Ok(Done::Disk(bytes)) if !bytes.is_empty() => {
            let kept = disk::keep(call, &bytes)?;
            if let Some(before) = instance.disk.replace(kept) {
                disk::release(call, &before)?;
            }
            instance.disk_is_old = false;
        }
        Ok(_) => instance.disk_is_old = false,
        Err(failure) => {
            instance.state_reason = Some(reason(&failure));
            instance.disk_is_old = true;
        }
    }
    instance.state = State::Stopped;
    // Only once this has committed may the plane let go of the files.
    plan(call, SETTLE, &instance)?;
    instance.keep(call)
}

fn settle(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    if let (Some(instance), Ok(plane)) = (of(call, payload, &[State::Stopped])?, call.instances()) {
        plane.settled(&instance.run());
    }
    Ok(())
}

fn terminate(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some(instance) = of(call, payload, &[State::ShuttingDown])? else {
        return Ok(());
    };
    let run = instance.run();
    let force = payload.get("force").and_then(Value::as_bool) == Some(true);
    let outcome = call.instance("terminate", |_| Ok(Task::Terminate { instance: run, force }))?;
    // What the plane does not have needs no end.
    let _ = outturn(call, &outcome)?;
    end(call, instance)
}

/// An instance has ended: what it held goes, the row stays for a while.
fn end(call: &mut Call<'_>, mut instance: Instance) -> Result<()> {
    if let Some(held) = instance.disk.take() {
        disk::release(call, &held)?;
    }
    address::free(call, &instance)?;
    credentials::forget(call, &instance)?;
    instance.user_data = None;
    instance.profile = None;
    instance.state = State::Terminated;
    let due = Timestamp(call.now.0.saturating_add(VISIBLE_MILLIS));
    let payload = json!({ "id": instance.id, "boot": instance.boot });
    call.schedule(FORGET, due, payload)?;
    instance.keep(call)
}

fn reboot(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let Some(mut instance) = of(call, payload, &[State::Running])? else {
        return Ok(());
    };
    let run = instance.run();
    let outcome = call.instance("reboot", |_| Ok(Task::Reboot { instance: run }))?;
    if let Err(failure) = outturn(call, &outcome)? {
        let (code, message) = reason(&failure);
        instance.transition_reason = code.clone();
        instance.state_reason = Some((code, message));
        instance.state = State::Stopping;
        plan_with(call, STOP, &instance, json!({ "force": true }))?;
        instance.keep(call)?;
    }
    Ok(())
}

fn tell_plane(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    if let (Some(instance), Ok(plane)) = (
        of(call, payload, &[State::Running, State::Pending])?,
        call.instances(),
    ) {
        plane.update(&instance.run(), metadata(&instance));
    }
    Ok(())
}

fn forget(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    if let Some(instance) = of(call, payload, &[State::Terminated])? {
        launch::forget(call, &instance)?;
        if let Ok(plane) = call.instances() {
            plane.forget(&instance.id);
        }
    }
    Ok(())
}

/// An instance ended by itself, as the plane tells it: it stops or goes, as its shutdown behaviour says; one that failed stops.
///
/// # Errors
/// The store's, as a fault.
pub fn ended(call: &mut Call<'_>, ended: &InstanceRef, ending: &Ending) -> Result<()> {
    let Some(instance) = instance::find(call, &ended.instance_id)? else {
        return Ok(());
    };
    let alive = matches!(instance.state, State::Pending | State::Running);
    if instance.boot != ended.boot || !alive {
        return Ok(());
    }
    let mut instance = (*instance).clone();
    let (code, message) = match ending {
        Ending::ShutDown => (
            "Client.InstanceInitiatedShutdown",
            "Client.InstanceInitiatedShutdown: Instance initiated shutdown".to_owned(),
        ),
        Ending::Failed { reason } => ("Server.InternalError", format!("Server.InternalError: {reason}")),
    };
    instance.state_reason = Some((code.to_owned(), message));
    instance.transition_reason = code.to_owned();
    if *ending == Ending::ShutDown && instance.terminates_on_shutdown {
        instance.state = State::ShuttingDown;
        plan(call, TERMINATE, &instance)?;
    } else {
        instance.state = State::Stopping;
        plan_with(call, STOP, &instance, json!({ "force": true }))?;
    }
    instance.keep(call)
}

/// An account, or every one, is about to be wiped away for tests: what runs for it ends.
///
/// # Errors
/// The store's, as a fault.
pub fn abandon(call: &mut Call<'_>, account: Option<&str>) -> Result<()> {
    let Ok(plane) = call.instances() else {
        return Ok(());
    };
    let rows = match account {
        Some(account) => call.every(&INSTANCES, &(account,))?,
        None => call.every(&INSTANCES, &())?,
    };
    for (_, instance) in rows {
        plane.forget(&instance.id);
    }
    Ok(())
}

/// The server starts: instances that ran when the last one ended are started again, as after a failure of a host (Amazon EC2 User Guide,
/// "Automatic instance recovery"). Tells how many.
///
/// # Errors
/// The store's, as a fault.
pub fn resume(call: &mut Call<'_>) -> Result<usize> {
    let rows = call.every(&INSTANCES, &())?;
    let mut resumed = 0;
    for (_, instance) in rows {
        if instance.state != State::Running {
            continue;
        }
        let mut instance = (*instance).clone();
        instance.boot += 1;
        instance.state = State::Pending;
        let payload = json!({ "id": instance.id, "boot": instance.boot, "resume": true });
        let (account, region, now) = (instance.account.clone(), instance.region.clone(), call.now);
        call.within(&account, |call| {
            call.schedule_in(&region, START, now, payload)?;
            instance.keep(call)
        })?;
        resumed += 1;
    }
    Ok(resumed)
}
