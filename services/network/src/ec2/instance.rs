//! The instance: its record, its states, and how it looks to policies and to callers.
//!
//! Source: Amazon EC2 User Guide, "Amazon EC2 instance state changes"; Service Authorization Reference, "Amazon EC2".
//!
//! Invariant: a state other than a resting one (`running`, `stopped`, `terminated`) has a job that leads out of it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use api::ec2 as model;
use pipeline::instances::{InstanceRef, MetadataOptions};
use pipeline::{Access, Call, Found, Look, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use super::disk::Disk;
use super::naming::{self, is_id};
use super::tag::{self, Tags};
use super::{fault, place};

/// The service's principal.
pub const PRINCIPAL: &str = "ec2.amazonaws.com";

/// Where an instance is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    const fn shown(self) -> (i32, model::InstanceStateName) {
        match self {
            Self::Pending => (0, model::InstanceStateName::Pending),
            Self::Running => (16, model::InstanceStateName::Running),
            Self::ShuttingDown => (32, model::InstanceStateName::ShuttingDown),
            Self::Terminated => (48, model::InstanceStateName::Terminated),
            Self::Stopping => (64, model::InstanceStateName::Stopping),
            Self::Stopped => (80, model::InstanceStateName::Stopped),
        }
    }

    /// Code and name.
    pub(super) fn model(self) -> model::InstanceState {
        let (code, name) = self.shown();
        model::InstanceState {
            code: Some(code),
            name: Some(name),
        }
    }

    /// Its code, as filters compare it.
    pub(super) fn code(self) -> i32 {
        self.shown().0
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        self.shown().1.as_str()
    }

    /// On its way to its end, or there.
    pub(super) const fn is_gone(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// An instance's profile.
#[derive(Clone, Serialize, Deserialize)]
pub struct Association {
    /// `iip-assoc-…`
    pub id: String,
    pub profile_arn: String,
    /// `AIPA…`
    pub profile_id: String,
    pub profile_name: String,
    /// Milliseconds since the epoch.
    pub since: i64,
}

/// How an instance's metadata service behaves, as the row keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    pub enabled: bool,
    pub tokens_required: bool,
    pub hop_limit: u8,
    pub tags: bool,
}

impl Options {
    /// As the plane takes them.
    pub const fn metadata(self) -> MetadataOptions {
        MetadataOptions {
            enabled: self.enabled,
            tokens_required: self.tokens_required,
            hop_limit: self.hop_limit,
            tags: self.tags,
        }
    }

    /// As answers show them.
    pub(super) fn shown(self) -> model::InstanceMetadataOptionsResponse {
        model::InstanceMetadataOptionsResponse {
            http_endpoint: Some(if self.enabled {
                model::InstanceMetadataEndpointState::Enabled
            } else {
                model::InstanceMetadataEndpointState::Disabled
            }),
            http_protocol_ipv6: Some(model::InstanceMetadataProtocolState::Disabled),
            http_put_response_hop_limit: Some(i32::from(self.hop_limit)),
            http_tokens: Some(self.tokens()),
            instance_metadata_tags: Some(if self.tags {
                model::InstanceMetadataTagsState::Enabled
            } else {
                model::InstanceMetadataTagsState::Disabled
            }),
            state: Some(model::InstanceMetadataOptionsState::Applied),
        }
    }

    pub(super) const fn tokens(self) -> model::HttpTokensState {
        if self.tokens_required {
            model::HttpTokensState::Required
        } else {
            model::HttpTokensState::Optional
        }
    }

    /// The condition keys that tell of them.
    pub(super) fn conditions(self, context: &mut Context) {
        let word = |on: bool| if on { "enabled" } else { "disabled" };
        context.insert("ec2:MetadataHttpEndpoint", word(self.enabled));
        context.insert("ec2:MetadataHttpTokens", self.tokens().as_str());
        context.insert("ec2:MetadataHttpPutResponseHopLimit", self.hop_limit.to_string());
        context.insert("ec2:InstanceMetadataTags", word(self.tags));
    }
}

/// An instance.
#[derive(Clone, Serialize, Deserialize)]
pub struct Instance {
    pub account: String,
    pub region: String,
    pub id: String,
    /// `r-…`
    pub reservation: String,
    pub launch_index: u32,
    pub image: String,
    pub instance_type: String,
    pub architecture: String,
    pub zone: String,
    /// Name and OpenSSH line of its key pair.
    pub key: Option<(String, String)>,
    pub profile: Option<Association>,
    pub private_ip: Ipv4Addr,
    pub mac: String,
    /// Sealed, in base64.
    pub user_data: Option<String>,
    pub options: Options,
    pub client_token: Option<String>,
    /// Milliseconds since the epoch: of the launch, or of the last start.
    pub launched: i64,
    pub state: State,
    /// Code and message.
    pub state_reason: Option<(String, String)>,
    pub transition_reason: String,
    /// `InstanceInitiatedShutdownBehavior` is `terminate`.
    pub terminates_on_shutdown: bool,
    pub disable_api_termination: bool,
    pub disable_api_stop: bool,
    pub tags: Tags,
    /// Counts the starts, from 1.
    pub boot: u64,
    /// The image's at first, its own once it was stopped; none if there is nothing over the built-in image.
    pub disk: Option<Disk>,
    /// The machine has a newer disk than `disk`: it could not be kept when the instance stopped. The next start goes on with that one.
    #[serde(default)]
    pub disk_is_old: bool,
}

store::record!(Instance, 1);

/// By account, region and id.
pub static INSTANCES: Table<(String, String, String), Instance> = Table::new(0x0401, "ec2.instances");

/// Addresses in use, by account, region and address; each with its instance.
pub static ADDRESSES: Table<(String, String, String), Held> = Table::new(0x0403, "ec2.addresses");

/// Whose an address is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Held(pub String);

store::record!(Held, 1);

impl Instance {
    /// Its row's key.
    pub(super) fn key(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.id.clone())
    }

    /// Writes the row.
    pub(super) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let key = self.key();
        call.put(&INSTANCES, &key, self)
    }

    /// This run of it, as the plane knows it.
    pub fn run(&self) -> InstanceRef {
        InstanceRef {
            account: self.account.clone(),
            region: self.region.clone(),
            instance_id: self.id.clone(),
            boot: self.boot,
        }
    }

    /// `ip-172-31-1-2.ec2.internal`, or with the region's name elsewhere.
    pub fn private_dns(&self) -> String {
        let dashed = self.private_ip.to_string().replace('.', "-");
        if self.region == "us-east-1" {
            format!("ip-{dashed}.ec2.internal")
        } else {
            format!("ip-{dashed}.{}.compute.internal", self.region)
        }
    }

    /// A change of state that a caller asked for, as answers tell it.
    pub(super) fn change(&self, before: State) -> model::InstanceStateChange {
        model::InstanceStateChange {
            current_state: Some(self.state.model()),
            instance_id: Some(self.id.clone()),
            previous_state: Some(before.model()),
        }
    }

    /// The instance as lists show it.
    pub(super) fn shown(&self) -> model::Instance {
        let ended = self.state == State::Terminated;
        let profile = self.profile.as_ref().map(|held| model::IamInstanceProfile {
            arn: Some(held.profile_arn.clone()),
            id: Some(held.profile_id.clone()),
        });
        let reason = self.state_reason.as_ref();
        model::Instance {
            ami_launch_index: i32::try_from(self.launch_index).ok(),
            architecture: model::ArchitectureValues::parse(&self.architecture),
            block_device_mappings: Some(Vec::new()),
            capacity_reservation_specification: Some(model::CapacityReservationSpecificationResponse {
                capacity_reservation_preference: Some(model::CapacityReservationPreference::Open),
                ..model::CapacityReservationSpecificationResponse::default()
            }),
            client_token: Some(self.client_token.clone().unwrap_or_default()),
            ebs_optimized: Some(false),
            enclave_options: Some(model::EnclaveOptions { enabled: Some(false) }),
            hibernation_options: Some(model::HibernationOptions {
                configured: Some(false),
            }),
            iam_instance_profile: profile,
            image_id: Some(self.image.clone()),
            instance_id: Some(self.id.clone()),
            instance_type: model::InstanceType::parse(&self.instance_type),
            key_name: self.key.as_ref().map(|(name, _)| name.clone()),
            launch_time: Some(Timestamp(self.launched)),
            metadata_options: Some(self.options.shown()),
            monitoring: Some(model::Monitoring {
                state: Some(model::MonitoringState::Disabled),
                ..model::Monitoring::default()
            }),
            network_interfaces: Some(Vec::new()),
            placement: Some(model::Placement {
                availability_zone: Some(self.zone.clone()),
                availability_zone_id: Some(place::zone_id(&self.region, &self.zone)),
                group_name: Some(String::new()),
                tenancy: Some(model::Tenancy::Default),
                ..model::Placement::default()
            }),
            platform_details: Some("Linux/UNIX".to_owned()),
            private_dns_name: Some(if ended { String::new() } else { self.private_dns() }),
            private_ip_address: (!ended).then(|| self.private_ip.to_string()),
            product_codes: Some(Vec::new()),
            public_dns_name: Some(String::new()),
            root_device_type: Some(model::DeviceType::Ebs),
            security_groups: Some(Vec::new()),
            state: Some(self.state.model()),
            state_reason: reason.map(|(code, message)| model::StateReason {
                code: Some(code.clone()),
                message: Some(message.clone()),
            }),
            state_transition_reason: Some(self.transition_reason.clone()),
            tags: tag::shown(&self.tags),
            usage_operation: Some("RunInstances".to_owned()),
            virtualization_type: Some(model::VirtualizationType::Hvm),
            ..model::Instance::default()
        }
    }
}

impl Resource for Instance {
    const TYPE: &'static str = "AWS::EC2::Instance";

    fn arn(&self) -> String {
        naming::arn(&self.region, &self.account, "instance", &self.id)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        context.insert("ec2:InstanceID", self.id.clone());
        context.insert("ec2:InstanceType", self.instance_type.clone());
        context.insert("ec2:AvailabilityZone", self.zone.clone());
        context.insert("ec2:AvailabilityZoneId", place::zone_id(&self.region, &self.zone));
        context.insert("ec2:EbsOptimized", "false");
        context.insert("ec2:InstanceMarketType", "on-demand");
        context.insert("ec2:RootDeviceType", "ebs");
        context.insert("ec2:Tenancy", "default");
        if let Some(held) = &self.profile {
            context.insert("ec2:InstanceProfile", held.profile_arn.clone());
        }
        self.options.conditions(context);
        tag::resource_conditions(&self.tags, context);
    }
}

/// The instance of an id in the account and region of the call.
pub fn find(look: &mut Look<'_>, id: &str) -> Result<Option<Arc<Instance>>> {
    let key = (look.account().to_owned(), look.region().to_owned(), id.to_owned());
    look.get(&INSTANCES, &key)
}

/// The instances of the account and region.
pub(super) fn all(look: &mut Look<'_>) -> Result<Vec<Arc<Instance>>> {
    let prefix = (look.account().to_owned(), look.region().to_owned());
    let rows = look.range(
        &INSTANCES,
        &(prefix.0.as_str(), prefix.1.as_str()),
        None,
        usize::MAX,
    )?;
    Ok(rows.into_iter().map(|(_, instance)| instance).collect())
}

/// The one instance that a request names.
pub(super) fn named(look: &mut Look<'_>, id: &str) -> Result<Found<Instance>> {
    if !is_id(id, "i") {
        return Err(fault::malformed("InvalidInstanceID.Malformed", id));
    }
    let found = find(look, id)?.map(|instance| (*instance).clone());
    let arn = naming::arn(look.region(), look.account(), "instance", id);
    Ok(Found::or_absent(found, || {
        (arn, fault::no_instances(&[id.to_owned()]))
    }))
}

/// The first of the instances that a request names. If any of them is not there, the whole request fails for it.
pub(super) fn first(look: &mut Look<'_>, ids: &[String]) -> Result<Found<Instance>> {
    let Some(first) = ids.first() else {
        return Err(fault::missing("InstanceId"));
    };
    if let Some(wrong) = ids.iter().find(|id| !is_id(id, "i")) {
        return Err(fault::malformed("InvalidInstanceID.Malformed", wrong));
    }
    named(look, first)
}

/// The other instances that a request names, each asked for like the first.
pub(super) fn others(
    call: &mut Call<'_>,
    access: Access,
    first: Instance,
    ids: &[String],
) -> Result<Vec<Instance>> {
    let mut all = vec![first];
    let mut missing = Vec::new();
    for id in ids.iter().skip(1) {
        if all.iter().any(|known| known.id == *id) {
            continue;
        }
        match named(call, id)? {
            Found::Here(instance) => {
                all.push(
                    call.authorize(access, Found::Here(instance), Context::new())?
                        .into_inner(),
                );
            }
            Found::Absent { arn, .. } => {
                let owner = call.account().to_owned();
                call.also(access, &arn, &owner, Context::new())?;
                missing.push(id.clone());
            }
        }
    }
    if missing.is_empty() {
        Ok(all)
    } else {
        Err(fault::no_instances(&missing))
    }
}
