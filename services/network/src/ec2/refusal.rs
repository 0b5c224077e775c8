//! What a launch can ask for on AWS and not here: each refused by its name.
//!
//! Invariant: nothing that a request asks for is passed over.

use api::ec2 as model;
use pipeline::Result;
use wire::Fault;

use super::fault::{combination, expect_none, invalid_value, unsupported};
use super::types::Type;

/// No credits are counted, so that no instance is slowed down for want of them.
pub(super) fn credit(of: &Type, asked: &str) -> Result<()> {
    if !of.burstable {
        return Err(combination(format!(
            "CPU credits cannot be specified for the instance type {}",
            of.name
        )));
    }
    match asked {
        "unlimited" => Ok(()),
        "standard" => Err(unsupported(
            "The CPU credit option standard is not supported by this version of Ringwork, which counts no credits.",
        )),
        other => Err(invalid_value(
            other,
            "cpuCredits",
            "It must be standard or unlimited.",
        )),
    }
}

/// Refuses what a launch asks for and instances here do not have.
pub(super) fn of_launch(input: &model::RunInstancesRequest) -> Result<()> {
    hardware(input)?;
    software(input)?;
    placement(input)?;
    networks(input)
}

fn any<T>(list: Option<&Vec<T>>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

fn on(flag: Option<bool>) -> bool {
    flag == Some(true)
}

fn each(given: impl IntoIterator<Item = (&'static str, bool)>) -> Result<()> {
    given
        .into_iter()
        .try_for_each(|(parameter, given)| expect_none(parameter, given))
}

fn hardware(input: &model::RunInstancesRequest) -> Result<()> {
    let enclave = input.enclave_options.as_ref().and_then(|given| given.enabled);
    let hibernation = input
        .hibernation_options
        .as_ref()
        .and_then(|given| given.configured);
    each([
        ("BlockDeviceMappings", any(input.block_device_mappings.as_ref())),
        ("CpuOptions", input.cpu_options.is_some()),
        ("EbsOptimized", on(input.ebs_optimized)),
        (
            "ElasticGpuSpecification",
            any(input.elastic_gpu_specification.as_ref()),
        ),
        (
            "ElasticInferenceAccelerators",
            any(input.elastic_inference_accelerators.as_ref()),
        ),
        ("EnclaveOptions", on(enclave)),
        ("HibernationOptions", on(hibernation)),
        ("KernelId", input.kernel_id.is_some()),
        ("RamdiskId", input.ramdisk_id.is_some()),
    ])
}

fn software(input: &model::RunInstancesRequest) -> Result<()> {
    let market = input.instance_market_options.as_ref();
    let recovery = input
        .maintenance_options
        .as_ref()
        .and_then(|given| given.auto_recovery);
    each([
        ("AdditionalInfo", input.additional_info.is_some()),
        (
            "InstanceMarketOptions",
            market.is_some_and(|given| given.market_type != Some(model::MarketType::OnDemand)),
        ),
        (
            "LicenseSpecifications",
            any(input.license_specifications.as_ref()),
        ),
        (
            "MaintenanceOptions",
            recovery.is_some_and(|given| given != model::InstanceAutoRecoveryState::Default),
        ),
        (
            "Monitoring",
            input.monitoring.as_ref().is_some_and(|given| given.enabled),
        ),
        ("Operator", input.operator.is_some()),
    ])
}

fn placement(input: &model::RunInstancesRequest) -> Result<()> {
    let reserved = input.capacity_reservation_specification.as_ref();
    let placed = input.placement.as_ref().is_some_and(|given| {
        given.affinity.is_some()
            || given.group_id.is_some()
            || given.group_name.as_deref().is_some_and(|name| !name.is_empty())
            || given.host_id.is_some()
            || given.host_resource_group_arn.is_some()
            || given.partition_number.is_some()
            || given.spread_domain.is_some()
            || given
                .tenancy
                .is_some_and(|tenancy| tenancy != model::Tenancy::Default)
    });
    each([
        (
            "CapacityReservationSpecification",
            reserved.is_some_and(|given| {
                given.capacity_reservation_target.is_some()
                    || given.capacity_reservation_preference
                        == Some(model::CapacityReservationPreference::CapacityReservationsOnly)
            }),
        ),
        ("Placement", placed),
    ])
}

/// Subnets, groups and interfaces are not built: none that a request names is there.
fn networks(input: &model::RunInstancesRequest) -> Result<()> {
    let interfaces = || input.network_interfaces.iter().flatten();
    let subnets = interfaces().filter_map(|interface| interface.subnet_id.as_ref());
    if let Some(subnet) = input.subnet_id.iter().chain(subnets).next() {
        return Err(Fault::plain(
            "InvalidSubnetID.NotFound",
            400,
            format!("The subnet ID '{subnet}' does not exist"),
        ));
    }
    let groups = interfaces().flat_map(|interface| interface.groups.iter().flatten());
    let named = input.security_group_ids.iter().flatten();
    let named = named.chain(input.security_groups.iter().flatten());
    if let Some(group) = named.chain(groups).next() {
        return Err(Fault::plain(
            "InvalidGroup.NotFound",
            400,
            format!("The security group '{group}' does not exist"),
        ));
    }
    if let Some(interface) = interfaces().find_map(|interface| interface.network_interface_id.as_ref()) {
        return Err(Fault::plain(
            "InvalidNetworkInterfaceID.NotFound",
            400,
            format!("The networkInterface ID '{interface}' does not exist"),
        ));
    }
    let dns = input.private_dns_name_options.as_ref().is_some_and(|given| {
        given
            .hostname_type
            .is_some_and(|kind| kind != model::HostnameType::IpName)
            || on(given.enable_resource_name_dns_a_record)
            || on(given.enable_resource_name_dns_aaaa_record)
    });
    each([
        ("EnablePrimaryIpv6", on(input.enable_primary_ipv6)),
        (
            "Ipv6AddressCount",
            input.ipv6_address_count.is_some_and(|count| count != 0),
        ),
        ("Ipv6Addresses", any(input.ipv6_addresses.as_ref())),
        ("NetworkInterfaces", interfaces().next().is_some()),
        (
            "NetworkPerformanceOptions",
            input.network_performance_options.is_some(),
        ),
        ("PrivateDnsNameOptions", dns),
        ("SecondaryInterfaces", any(input.secondary_interfaces.as_ref())),
    ])
}
