//! Lists of instances.
//!
//! Source: Amazon EC2 API Reference, `DescribeInstances` (filters).
//!
//! Invariant: a list by ids shows all of them or fails; instances of one launch on one page share their reservation.

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use std::sync::Arc;
use wire::Timestamp;

use super::fault;
use super::filter::{self, Values};
use super::instance::{self, Instance};
use super::launch::reservation;
use super::naming::is_id;
use super::page::{self, Listing};
use super::place::{self, RegionScope};

/// Lists instances.
pub struct DescribeInstances;

impl Operation for DescribeInstances {
    type Input = model::DescribeInstancesRequest;
    type Output = model::DescribeInstancesResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeInstances");

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
        let listing = Listing::read("DescribeInstances", input.dry_run, input.filters, paged)?;
        let listing = listing.without(&ids, page::INSTANCES)?;
        let found = chosen(call, &ids, |instance| {
            listing.filters.pass(|name| value(instance, name))
        })?;
        let placed = found.into_iter().map(|instance| {
            let place = format!(
                "{}\n{:08}\n{}",
                instance.reservation, instance.launch_index, instance.id
            );
            (place, instance)
        });
        let (instances, next_token) = listing.page(call, placed.collect())?;
        let mut reservations: Vec<Vec<Instance>> = Vec::new();
        for instance in instances {
            let instance = (*instance).clone();
            match reservations.last_mut() {
                Some(last)
                    if last
                        .first()
                        .is_some_and(|first| first.reservation == instance.reservation) =>
                {
                    last.push(instance);
                }
                _ => reservations.push(vec![instance]),
            }
        }
        Ok(model::DescribeInstancesResult {
            next_token,
            reservations: Some(
                reservations
                    .iter()
                    .map(|instances| reservation(instances))
                    .collect(),
            ),
        })
    }
}

/// The instances that a list is of: those of the ids, or all, that pass.
pub(super) fn chosen(
    call: &mut Call<'_>,
    ids: &[String],
    passes: impl Fn(&Instance) -> Result<bool>,
) -> Result<Vec<Arc<Instance>>> {
    if let Some(wrong) = ids.iter().find(|id| !is_id(id, "i")) {
        return Err(fault::malformed("InvalidInstanceID.Malformed", wrong));
    }
    let mut seen = Vec::new();
    if ids.is_empty() {
        seen = instance::all(call)?;
    } else {
        let mut missing = Vec::new();
        for id in ids {
            match instance::find(call, id)? {
                Some(instance) => seen.push(instance),
                None => missing.push(id.clone()),
            }
        }
        if !missing.is_empty() {
            return Err(fault::no_instances(&missing));
        }
    }
    let mut found: Vec<Arc<Instance>> = Vec::new();
    for instance in seen {
        if passes(&instance)? && !found.iter().any(|known| known.id == instance.id) {
            found.push(instance);
        }
    }
    Ok(found)
}

/// What an instance has under a filter's name.
pub(super) fn value(instance: &Instance, name: &str) -> Values {
    let one = |text: &str| Some(vec![text.to_owned()]);
    let maybe = |text: Option<String>| Some(text.into_iter().collect());
    let profile = instance.profile.as_ref();
    let reason = instance.state_reason.as_ref();
    match name {
        "architecture" => one(&instance.architecture),
        "availability-zone" => one(&instance.zone),
        "availability-zone-id" => one(&place::zone_id(&instance.region, &instance.zone)),
        "client-token" => maybe(instance.client_token.clone()),
        "dns-name" => one(""),
        "hypervisor" => one("xen"),
        "iam-instance-profile.arn" => maybe(profile.map(|held| held.profile_arn.clone())),
        "iam-instance-profile.id" => maybe(profile.map(|held| held.profile_id.clone())),
        "iam-instance-profile.name" => maybe(profile.map(|held| held.profile_name.clone())),
        "image-id" => one(&instance.image),
        "instance-id" => one(&instance.id),
        "instance-state-code" => one(&instance.state.code().to_string()),
        "instance-state-name" => one(instance.state.name()),
        "instance-type" => one(&instance.instance_type),
        "key-name" => maybe(instance.key.as_ref().map(|(name, _)| name.clone())),
        "launch-index" => one(&instance.launch_index.to_string()),
        "launch-time" => one(&Timestamp(instance.launched).iso8601().replace('Z', ".000Z")),
        "metadata-options.http-endpoint" => one(if instance.options.enabled {
            "enabled"
        } else {
            "disabled"
        }),
        "metadata-options.http-put-response-hop-limit" => one(&instance.options.hop_limit.to_string()),
        "metadata-options.http-tokens" => one(instance.options.tokens().as_str()),
        "metadata-options.instance-metadata-tags" => one(if instance.options.tags {
            "enabled"
        } else {
            "disabled"
        }),
        "monitoring-state" => one("disabled"),
        "owner-id" => one(&instance.account),
        "private-dns-name" => one(&instance.private_dns()),
        "private-ip-address" => one(&instance.private_ip.to_string()),
        "reason" => one(&instance.transition_reason),
        "reservation-id" => one(&instance.reservation),
        "root-device-type" => one("ebs"),
        "state-reason-code" => maybe(reason.map(|(code, _)| code.clone())),
        "state-reason-message" => maybe(reason.map(|(_, message)| message.clone())),
        "tenancy" => one("default"),
        "virtualization-type" => one("hvm"),
        // No instance here has any of these.
        "group-id"
        | "group-name"
        | "host-id"
        | "instance-lifecycle"
        | "instance.group-id"
        | "instance.group-name"
        | "ip-address"
        | "kernel-id"
        | "outpost-arn"
        | "placement-group-name"
        | "platform"
        | "product-code"
        | "ramdisk-id"
        | "requester-id"
        | "spot-instance-request-id"
        | "subnet-id"
        | "vpc-id" => Some(Vec::new()),
        other if other.starts_with("network-interface.") || other.starts_with("block-device-mapping.") => {
            Some(Vec::new())
        }
        other => filter::of_tags(other, &instance.tags),
    }
}
