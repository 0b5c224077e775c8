//! Instance types: a small table of current ones.
//!
//! Source: Amazon EC2 Instance Types Guide, "Specifications for Amazon EC2 general purpose, compute optimized, memory optimized
//! instances".
//!
//! Invariant: what a type says here is what AWS says of it; how much of it an instance gets is the machine's affair (docs/instances.md).

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault;
use super::page::Listing;
use super::place::RegionScope;

/// An instance type.
pub struct Type {
    pub name: &'static str,
    pub vcpus: u32,
    pub memory_mib: u32,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Has CPU credits.
    pub burstable: bool,
}

const fn of(name: &'static str, vcpus: u32, memory_mib: u32, architecture: &'static str) -> Type {
    Type {
        name,
        vcpus,
        memory_mib,
        architecture,
        burstable: matches!(name.as_bytes(), [b't', ..]),
    }
}

const X86: &str = "x86_64";
const ARM: &str = "arm64";

/// The types that instances can be launched as.
pub static TYPES: &[Type] = &[
    of("c7g.large", 2, 4096, ARM),
    of("c7i.large", 2, 4096, X86),
    of("m7g.large", 2, 8192, ARM),
    of("m7g.medium", 1, 4096, ARM),
    of("m7i.large", 2, 8192, X86),
    of("m7i.xlarge", 4, 16_384, X86),
    of("r7g.large", 2, 16_384, ARM),
    of("r7i.large", 2, 16_384, X86),
    of("t3.large", 2, 8192, X86),
    of("t3.medium", 2, 4096, X86),
    of("t3.micro", 2, 1024, X86),
    of("t3.nano", 2, 512, X86),
    of("t3.small", 2, 2048, X86),
    of("t3a.micro", 2, 1024, X86),
    of("t3a.small", 2, 2048, X86),
    of("t4g.large", 2, 8192, ARM),
    of("t4g.medium", 2, 4096, ARM),
    of("t4g.micro", 2, 1024, ARM),
    of("t4g.nano", 2, 512, ARM),
    of("t4g.small", 2, 2048, ARM),
];

/// The architecture of the machine, which the built-in image has: AWS's word for it.
pub(super) const fn host_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { ARM } else { X86 }
}

/// The type of a name.
pub(super) fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.name == name)
}

/// A type that instances can be launched as, or AWS's refusal.
pub(super) fn launchable(name: model::InstanceType) -> Result<&'static Type> {
    find(name.as_str()).ok_or_else(|| {
        fault::unsupported(format!(
            "The instance type {} is not one of those that this version of Ringwork knows; DescribeInstanceTypes lists them.",
            name.as_str()
        ))
    })
}

/// Lists the types.
pub struct DescribeInstanceTypes;

impl Operation for DescribeInstanceTypes {
    type Input = model::DescribeInstanceTypesRequest;
    type Output = model::DescribeInstanceTypesResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeInstanceTypes");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let paged = (input.max_results, input.next_token);
        let listing = Listing::read("DescribeInstanceTypes", input.dry_run, input.filters, paged)?;
        let names: Vec<&str> = input
            .instance_types
            .iter()
            .flatten()
            .map(|name| name.as_str())
            .collect();
        let listing = listing.without(&names, ("InstanceTypes", "MaxResults"))?;
        if let Some(unknown) = names.iter().find(|name| find(name).is_none()) {
            return Err(fault::unsupported(format!(
                "The instance type {unknown} is not one of those that this version of Ringwork knows."
            )));
        }
        let mut found = Vec::new();
        for known in TYPES {
            if (names.is_empty() || names.contains(&known.name))
                && listing.filters.pass(|name| value(known, name))?
            {
                found.push((known.name.to_owned(), shown(known)));
            }
        }
        let (instance_types, next_token) = listing.page(call, found)?;
        Ok(model::DescribeInstanceTypesResult {
            instance_types: Some(instance_types),
            next_token,
        })
    }
}

fn value(known: &Type, filter: &str) -> Option<Vec<String>> {
    let value = match filter {
        "instance-type" => known.name.to_owned(),
        "vcpu-info.default-vcpus" => known.vcpus.to_string(),
        "memory-info.size-in-mib" => known.memory_mib.to_string(),
        "processor-info.supported-architecture" => known.architecture.to_owned(),
        "burstable-performance-supported" => known.burstable.to_string(),
        "current-generation" => "true".to_owned(),
        "bare-metal" => "false".to_owned(),
        "hypervisor" => "nitro".to_owned(),
        _ => return None,
    };
    Some(vec![value])
}

fn shown(known: &Type) -> model::InstanceTypeInfo {
    model::InstanceTypeInfo {
        bare_metal: Some(false),
        burstable_performance_supported: Some(known.burstable),
        current_generation: Some(true),
        hibernation_supported: Some(false),
        instance_storage_supported: Some(false),
        instance_type: model::InstanceType::parse(known.name),
        memory_info: Some(model::MemoryInfo {
            size_in_mi_b: Some(i64::from(known.memory_mib)),
        }),
        processor_info: Some(model::ProcessorInfo {
            supported_architectures: model::ArchitectureType::parse(known.architecture)
                .map(|known| vec![known]),
            ..model::ProcessorInfo::default()
        }),
        supported_usage_classes: Some(vec![model::UsageClassType::OnDemand]),
        supported_virtualization_types: Some(vec![model::VirtualizationType::Hvm]),
        v_cpu_info: Some(model::VCpuInfo {
            default_v_cpus: i32::try_from(known.vcpus).ok(),
            ..model::VCpuInfo::default()
        }),
        ..model::InstanceTypeInfo::default()
    }
}
