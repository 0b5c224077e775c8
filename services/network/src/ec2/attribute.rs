//! Single attributes of an instance.
//!
//! Source: Amazon EC2 API Reference, `ModifyInstanceAttribute`, `DescribeInstanceAttribute`.
//!
//! Invariant: one attribute a request; those that instances here do not have are refused by name.

use api::ec2 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::InstanceAttributeName as Name;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::fault::{self, combination, expect_none, invalid, invalid_value, unsupported};
use super::instance::{self, Instance, State};
use super::{launch, types};

/// What a request changes.
enum Change {
    Type(String),
    UserData(Vec<u8>),
    DisableApiTermination(bool),
    DisableApiStop(bool),
    ShutdownBehavior(String),
}

impl Change {
    /// Whether it needs a stopped instance.
    const fn needs_rest(&self) -> bool {
        matches!(self, Self::Type(_) | Self::UserData(_))
    }

    /// By an attribute's name and a value as text.
    fn named(name: Name, value: Option<&str>) -> Result<Self> {
        let text = value.ok_or_else(|| fault::missing("Value"))?;
        let flag = || match text {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(invalid_value(other, "value", "It must be true or false.")),
        };
        match name {
            Name::InstanceType => Ok(Self::Type(text.to_owned())),
            Name::UserData => launch::user_data(text).map(Self::UserData),
            Name::DisableApiTermination => flag().map(Self::DisableApiTermination),
            Name::DisableApiStop => flag().map(Self::DisableApiStop),
            Name::InstanceInitiatedShutdownBehavior => Ok(Self::ShutdownBehavior(text.to_owned())),
            other => Err(unsupported(format!(
                "The attribute {} is not supported by this version of Ringwork.",
                other.as_str()
            ))),
        }
    }

    /// The one change of a request.
    fn read(input: &model::ModifyInstanceAttributeRequest) -> Result<Self> {
        let on = |value: &Option<model::AttributeBooleanValue>| value.is_some();
        for (parameter, given) in [
            ("SourceDestCheck", on(&input.source_dest_check)),
            ("EnclaveOptions", input.enclave_options.is_some()),
            ("EbsOptimized", on(&input.ebs_optimized)),
            ("EnaSupport", on(&input.ena_support)),
            ("SriovNetSupport", input.sriov_net_support.is_some()),
            ("Kernel", input.kernel.is_some()),
            ("Ramdisk", input.ramdisk.is_some()),
            (
                "BlockDeviceMapping",
                input
                    .block_device_mappings
                    .as_ref()
                    .is_some_and(|list| !list.is_empty()),
            ),
        ] {
            expect_none(parameter, given)?;
        }
        if let Some(group) = input.groups.iter().flatten().next() {
            return Err(Fault::plain(
                "InvalidGroup.NotFound",
                400,
                format!("The security group '{group}' does not exist"),
            ));
        }
        let mut changes = Vec::new();
        if let Some(name) = input.attribute {
            changes.push(Self::named(name, input.value.as_deref())?);
        }
        if let Some(value) = input.instance_type.as_ref().and_then(|given| given.value.clone()) {
            changes.push(Self::Type(value));
        }
        if let Some(value) = input.user_data.as_ref().and_then(|given| given.value.clone()) {
            launch::size_fits(&value.0)?;
            changes.push(Self::UserData(value.0));
        }
        if let Some(value) = input
            .disable_api_termination
            .as_ref()
            .and_then(|given| given.value)
        {
            changes.push(Self::DisableApiTermination(value));
        }
        if let Some(value) = input.disable_api_stop.as_ref().and_then(|given| given.value) {
            changes.push(Self::DisableApiStop(value));
        }
        let behavior = input.instance_initiated_shutdown_behavior.as_ref();
        if let Some(value) = behavior.and_then(|given| given.value.clone()) {
            changes.push(Self::ShutdownBehavior(value));
        }
        let one = changes.pop();
        match (one, changes.is_empty()) {
            (Some(change), true) => Ok(change),
            (None, _) => Err(combination("No attributes specified.")),
            (Some(_), false) => Err(combination("Fields for multiple attribute types specified.")),
        }
    }

    fn make(self, call: &mut Call<'_>, instance: &mut Instance) -> Result<()> {
        match self {
            Self::Type(name) => {
                let of = model::InstanceType::parse(&name).ok_or_else(|| {
                    invalid_value(&name, "instanceType", "The instance type does not exist.")
                })?;
                let of = types::launchable(of)?;
                if of.architecture != instance.architecture {
                    return Err(invalid(format!(
                        "The architecture '{}' of the specified instance type does not match the architecture '{}' of the instance",
                        of.architecture, instance.architecture
                    )));
                }
                of.name.clone_into(&mut instance.instance_type);
            }
            Self::UserData(bytes) if bytes.is_empty() => instance.user_data = None,
            Self::UserData(bytes) => {
                instance.user_data = Some(launch::seal_user_data(call, &instance.id, &bytes)?);
            }
            Self::DisableApiTermination(on) => instance.disable_api_termination = on,
            Self::DisableApiStop(on) => instance.disable_api_stop = on,
            Self::ShutdownBehavior(text) => {
                let behavior = model::ShutdownBehavior::parse(&text).ok_or_else(|| {
                    invalid_value(
                        &text,
                        "instanceInitiatedShutdownBehavior",
                        "It must be stop or terminate.",
                    )
                })?;
                instance.terminates_on_shutdown = behavior == model::ShutdownBehavior::Terminate;
            }
        }
        Ok(())
    }
}

/// Changes an attribute.
pub struct ModifyInstanceAttribute;

impl Operation for ModifyInstanceAttribute {
    type Input = model::ModifyInstanceAttributeRequest;
    type Output = wire::typed::Empty;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:ModifyInstanceAttribute");
    const CONDITIONS: &'static [&'static str] = &["ec2:Attribute", "ec2:Attribute/${AttributeName}"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::named(look, &input.instance_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let text =
            |given: &Option<model::AttributeValue>| given.as_ref().and_then(|given| given.value.clone());
        let flag = |given: &Option<model::AttributeBooleanValue>| {
            given
                .as_ref()
                .and_then(|given| given.value)
                .map(|value| value.to_string())
        };
        let user_data = input.user_data.as_ref().map(|_| String::new());
        let mut names = Vec::new();
        for (name, value) in [
            ("InstanceType", text(&input.instance_type)),
            ("UserData", user_data),
            ("DisableApiTermination", flag(&input.disable_api_termination)),
            ("DisableApiStop", flag(&input.disable_api_stop)),
            (
                "InstanceInitiatedShutdownBehavior",
                text(&input.instance_initiated_shutdown_behavior),
            ),
        ] {
            if let Some(value) = value {
                context.insert(format!("ec2:Attribute/{name}"), value);
                names.push(name.to_owned());
            }
        }
        if let Some(name) = input.attribute {
            // `instanceType` is spelled with a capital in keys.
            let mut letters = name.as_str().chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            let name: String = first.into_iter().chain(letters).collect();
            if name != "UserData" {
                context.insert(
                    format!("ec2:Attribute/{name}"),
                    input.value.clone().unwrap_or_default(),
                );
            }
            names.push(name);
        }
        context.insert_many("ec2:Attribute", names);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let mut instance = target.into_inner();
        let change = Change::read(&input)?;
        fault::dry_run(input.dry_run)?;
        if instance.state.is_gone() || change.needs_rest() && instance.state != State::Stopped {
            return Err(Fault::plain(
                "IncorrectInstanceState",
                400,
                format!("The instance '{}' is not in the 'stopped' state.", instance.id),
            ));
        }
        change.make(call, &mut instance)?;
        instance.keep(call)?;
        Ok(wire::typed::Empty {})
    }
}

/// Tells an attribute.
pub struct DescribeInstanceAttribute;

impl Operation for DescribeInstanceAttribute {
    type Input = model::DescribeInstanceAttributeRequest;
    type Output = model::InstanceAttribute;
    type Target = Instance;
    const ACCESS: Access = Access::list("ec2:DescribeInstanceAttribute");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::named(look, &input.instance_id)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        fault::dry_run(input.dry_run)?;
        let text = |value: &str| {
            Some(model::AttributeValue {
                value: Some(value.to_owned()),
            })
        };
        let flag = |value: bool| Some(model::AttributeBooleanValue { value: Some(value) });
        let mut shown = model::InstanceAttribute {
            instance_id: Some(target.id.clone()),
            ..model::InstanceAttribute::default()
        };
        match input.attribute {
            Name::InstanceType => shown.instance_type = text(&target.instance_type),
            Name::UserData => {
                let clear = launch::open_user_data(call, &target)?;
                shown.user_data = Some(model::AttributeValue {
                    value: clear.map(|clear| STANDARD.encode(clear.expose())),
                });
            }
            Name::DisableApiTermination => {
                shown.disable_api_termination = flag(target.disable_api_termination)
            }
            Name::DisableApiStop => shown.disable_api_stop = flag(target.disable_api_stop),
            Name::InstanceInitiatedShutdownBehavior => {
                let behavior = if target.terminates_on_shutdown {
                    model::ShutdownBehavior::Terminate
                } else {
                    model::ShutdownBehavior::Stop
                };
                shown.instance_initiated_shutdown_behavior = text(behavior.as_str());
            }
            Name::BlockDeviceMapping => shown.block_device_mappings = Some(Vec::new()),
            Name::GroupSet => shown.groups = Some(Vec::new()),
            Name::ProductCodes => shown.product_codes = Some(Vec::new()),
            Name::EbsOptimized => shown.ebs_optimized = flag(false),
            Name::Kernel => shown.kernel_id = Some(model::AttributeValue { value: None }),
            Name::Ramdisk => shown.ramdisk_id = Some(model::AttributeValue { value: None }),
            other => {
                return Err(unsupported(format!(
                    "The attribute {} is not supported by this version of Ringwork.",
                    other.as_str()
                )));
            }
        }
        Ok(shown)
    }
}
