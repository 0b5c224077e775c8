//! Starting, stopping, rebooting and ending instances.
//!
//! Source: Amazon EC2 API Reference, `StartInstances`, `StopInstances`, `RebootInstances`, `TerminateInstances`.
//!
//! Invariant: a request for several instances changes all of them or none.

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use serde_json::json;
use wire::typed::Empty;

use super::fault::{self, expect_none, not_permitted, unsupported, wrong_state};
use super::instance::{self, Instance, State};
use super::{launch, work};

/// `User initiated (2026-11-22 10:00:00 GMT)`
fn user_initiated(call: &Call<'_>) -> String {
    let text = call.now.iso8601();
    let text = text.get(..19).unwrap_or(&text).replace('T', " ");
    format!("User initiated ({text} GMT)")
}

/// Why an instance that somebody stops or ends does so.
fn by_user(call: &Call<'_>, instance: &mut Instance) {
    instance.transition_reason = user_initiated(call);
    instance.state_reason = Some((
        "Client.UserInitiatedShutdown".to_owned(),
        "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
    ));
}

/// Starts stopped instances.
pub struct StartInstances;

impl Operation for StartInstances {
    type Input = model::StartInstancesRequest;
    type Output = model::StartInstancesResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:StartInstances");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::first(look, &input.instance_ids)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let all = instance::others(call, Self::ACCESS, target.into_inner(), &input.instance_ids)?;
        expect_none("AdditionalInfo", input.additional_info.is_some())?;
        fault::dry_run(input.dry_run)?;
        if let Some(what) = call.instances()?.lacks() {
            return Err(wire::Fault::plain(
                "Unsupported",
                400,
                format!("This host cannot run instances: {what}"),
            ));
        }
        launch::expect_room(call, &all)?;
        let mut changes = Vec::new();
        for mut instance in all {
            let before = instance.state;
            match before {
                State::Pending | State::Running => {}
                State::Stopped => {
                    instance.state = State::Pending;
                    instance.boot += 1;
                    instance.launched = call.now.seconds() * 1000;
                    instance.state_reason = None;
                    instance.transition_reason = String::new();
                    work::plan(call, work::START, &instance)?;
                }
                _ => return Err(wrong_state(&instance.id, "started")),
            }
            changes.push(instance.change(before));
            instance.keep(call)?;
        }
        Ok(model::StartInstancesResult {
            starting_instances: Some(changes),
        })
    }
}

/// Stops instances; they keep their disks.
pub struct StopInstances;

impl Operation for StopInstances {
    type Input = model::StopInstancesRequest;
    type Output = model::StopInstancesResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:StopInstances");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::first(look, &input.instance_ids)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let all = instance::others(call, Self::ACCESS, target.into_inner(), &input.instance_ids)?;
        if input.hibernate == Some(true) {
            let first = input.instance_ids.first().cloned().unwrap_or_default();
            return Err(unsupported(format!(
                "The instance '{first}' is not configured for hibernation"
            )));
        }
        fault::dry_run(input.dry_run)?;
        let force = input.force == Some(true) || input.skip_os_shutdown == Some(true);
        let mut changes = Vec::new();
        for mut instance in all {
            let before = instance.state;
            match before {
                State::Stopping | State::Stopped => {}
                State::Running if instance.disable_api_stop => {
                    return Err(not_permitted(format!(
                        "The instance '{}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.",
                        instance.id
                    )));
                }
                State::Running => {
                    by_user(call, &mut instance);
                    instance.state = State::Stopping;
                    work::plan_with(call, work::STOP, &instance, json!({ "force": force }))?;
                }
                _ => return Err(wrong_state(&instance.id, "stopped")),
            }
            changes.push(instance.change(before));
            instance.keep(call)?;
        }
        Ok(model::StopInstancesResult {
            stopping_instances: Some(changes),
        })
    }
}

/// Reboots running instances.
pub struct RebootInstances;

impl Operation for RebootInstances {
    type Input = model::RebootInstancesRequest;
    type Output = Empty;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:RebootInstances");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::first(look, &input.instance_ids)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let all = instance::others(call, Self::ACCESS, target.into_inner(), &input.instance_ids)?;
        fault::dry_run(input.dry_run)?;
        for instance in all {
            if instance.state != State::Running {
                return Err(wrong_state(&instance.id, "rebooted"));
            }
            work::plan(call, work::REBOOT, &instance)?;
        }
        Ok(Empty {})
    }
}

/// Ends instances for good.
pub struct TerminateInstances;

impl Operation for TerminateInstances {
    type Input = model::TerminateInstancesRequest;
    type Output = model::TerminateInstancesResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:TerminateInstances");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::first(look, &input.instance_ids)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let all = instance::others(call, Self::ACCESS, target.into_inner(), &input.instance_ids)?;
        fault::dry_run(input.dry_run)?;
        let force = input.force == Some(true) || input.skip_os_shutdown == Some(true);
        let mut changes = Vec::new();
        for mut instance in all {
            let before = instance.state;
            if !before.is_gone() {
                if instance.disable_api_termination {
                    return Err(not_permitted(format!(
                        "The instance '{}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try \
                         again.",
                        instance.id
                    )));
                }
                by_user(call, &mut instance);
                instance.state = State::ShuttingDown;
                work::plan_with(call, work::TERMINATE, &instance, json!({ "force": force }))?;
            }
            changes.push(instance.change(before));
            instance.keep(call)?;
        }
        Ok(model::TerminateInstancesResult {
            terminating_instances: Some(changes),
        })
    }
}
