//! The status of instances: whether they run, as far as their machine can tell.
//!
//! Source: Amazon EC2 API Reference, `DescribeInstanceStatus`; Amazon EC2 User Guide, "Status checks for Amazon EC2 instances".
//!
//! Invariant: nothing is checked inside an instance, so a running one is `ok` because its first process runs, and no more is claimed.

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::describe;
use super::filter::Values;
use super::instance::{Instance, State};
use super::page::{self, Listing};
use super::place::{self, RegionScope};

/// Tells the status of running instances, or of all.
pub struct DescribeInstanceStatus;

impl Operation for DescribeInstanceStatus {
    type Input = model::DescribeInstanceStatusRequest;
    type Output = model::DescribeInstanceStatusResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeInstanceStatus");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let paged = (input.max_results, input.next_token);
        let ids = input.instance_ids.unwrap_or_default();
        let listing = Listing::read("DescribeInstanceStatus", input.dry_run, input.filters, paged)?;
        let listing = listing.without(&ids, page::INSTANCES)?;
        let all = input.include_all_instances == Some(true);
        let found = describe::chosen(call, &ids, |instance| {
            let passes = listing.filters.pass(|name| value(instance, name))?;
            Ok(passes && (all || instance.state == State::Running))
        })?;
        let placed = found
            .iter()
            .map(|instance| (instance.id.clone(), shown(instance)));
        let (statuses, next_token) = listing.page(call, placed.collect())?;
        Ok(model::DescribeInstanceStatusResult {
            instance_statuses: Some(statuses),
            next_token,
        })
    }
}

fn status(instance: &Instance) -> model::SummaryStatus {
    match instance.state {
        State::Running => model::SummaryStatus::Ok,
        State::Pending => model::SummaryStatus::Initializing,
        _ => model::SummaryStatus::NotApplicable,
    }
}

fn value(instance: &Instance, name: &str) -> Values {
    match name {
        "availability-zone" | "availability-zone-id" | "instance-state-code" | "instance-state-name" => {
            describe::value(instance, name)
        }
        "instance-status.status" | "system-status.status" => Some(vec![status(instance).as_str().to_owned()]),
        "event.code" | "event.description" | "event.instance-event-id" => Some(Vec::new()),
        _ => None,
    }
}

fn shown(instance: &Instance) -> model::InstanceStatus {
    let status = status(instance);
    let passed = (instance.state == State::Running).then(|| {
        vec![model::InstanceStatusDetails {
            name: Some(model::StatusName::Reachability),
            status: Some(model::StatusType::Passed),
            ..model::InstanceStatusDetails::default()
        }]
    });
    let summary = model::InstanceStatusSummary {
        details: passed,
        status: Some(status),
    };
    model::InstanceStatus {
        availability_zone: Some(instance.zone.clone()),
        availability_zone_id: Some(place::zone_id(&instance.region, &instance.zone)),
        instance_id: Some(instance.id.clone()),
        instance_state: Some(instance.state.model()),
        instance_status: Some(summary.clone()),
        system_status: Some(summary),
        ..model::InstanceStatus::default()
    }
}
