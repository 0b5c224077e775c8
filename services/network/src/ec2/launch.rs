//! `RunInstances`: what is asked for, what it takes, and the rows that come of it.
//!
//! Source: Amazon EC2 API Reference, `RunInstances`.
//!
//! Invariant: what a request asks for is done or refused by name; nothing of it is passed over.

use std::net::Ipv4Addr;
use std::sync::Arc;

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use super::defaults;
use super::disk;
use super::fault::{self, combination, expect_none, invalid, invalid_value, missing};
use super::image::{self, Image, ImageTarget};
use super::instance::{Association, INSTANCES, Instance, Options, State};
use super::key_pair::{self, KeyPair};
use super::tag::{self, Tags};
use super::token::{self, Before};
use super::types::{self, Type};
use super::{address, naming, place, profile, refusal, user_data, work};

/// vCPUs of the instances of an account and region that are not stopped (Service Quotas, "Running On-Demand Standard instances").
const VCPUS_MAX: u32 = 32;
/// Instances of one request.
const COUNT_MAX: i32 = 100;

/// Launches instances.
pub struct RunInstances;

impl Operation for RunInstances {
    type Input = model::RunInstancesRequest;
    type Output = model::Reservation;
    type Target = Origin;
    const ACCESS: Access = Access::write("ec2:RunInstances");
    const ALSO: &'static [Access] = &[tag::CREATE, profile::PASS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Origin>> {
        expect_none("LaunchTemplate", input.launch_template.is_some())?;
        let id = input.image_id.as_deref().ok_or_else(|| missing("ImageId"))?;
        Ok(match image::named(look, id, false)? {
            Found::Here(target) => Found::Here(Origin::Image(target)),
            // It was there when the same request came before.
            Found::Absent { arn, .. } if Before::find(look, input)?.is_some() => Found::Here(Origin::Gone {
                arn,
                account: look.account_shared(),
                region: look.region().to_owned(),
            }),
            Found::Absent { arn, fault } => Found::Absent { arn, fault },
        })
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Origin>, input: Self::Input) -> Result<Self::Output> {
        if let Some(before) = Before::find(call, &input)? {
            return again(call, &before, &input);
        }
        let Origin::Image(target) = target.into_inner() else {
            return Err(Fault::internal(
                "an image is gone, and so is what was launched from it",
            ));
        };
        let image = (*target.image).clone();
        let plan = Plan::read(call, &image, &input)?;
        let launching = plan.launching(call);
        let arn = launching.arn();
        let launching = call.authorize(Self::ACCESS, Found::Here(launching), Context::new())?;
        if let Some(pair) = &plan.key {
            call.authorize(Self::ACCESS, Found::Here(pair.clone()), Context::new())?;
        }
        if let Some(profile) = &plan.profile {
            profile::pass(call, profile, &arn)?;
        }
        tag::at_creation(call, "RunInstances", &*launching, &plan.tags)?;
        fault::dry_run(input.dry_run)?;
        if let Some(what) = call.instances()?.lacks() {
            return Err(Fault::plain(
                "Unsupported",
                400,
                format!("This host cannot run instances: {what}"),
            ));
        }
        let count = plan.count(call, &input)?;
        plan.launch(call, image, count, &input)
    }
}

/// What a launch starts from, as policies see it.
pub enum Origin {
    Image(ImageTarget),
    /// An image that is not there any more, of a request that was answered when it was.
    Gone {
        arn: String,
        account: Arc<str>,
        region: String,
    },
}

impl Resource for Origin {
    const TYPE: &'static str = ImageTarget::TYPE;

    fn arn(&self) -> String {
        match self {
            Self::Image(target) => target.arn(),
            Self::Gone { arn, .. } => arn.clone(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Image(target) => target.account(),
            Self::Gone { account, .. } => account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        match self {
            Self::Image(target) => target.conditions(context),
            Self::Gone { region, .. } => context.insert("ec2:Region", region.clone()),
        }
    }
}

/// The answer to a request that was answered before, for whoever may still launch what it launched. What it names and is gone by now
/// (a profile, a key pair) is asked for no more, since nothing is done with it.
fn again(
    call: &mut Call<'_>,
    before: &Before,
    input: &model::RunInstancesRequest,
) -> Result<model::Reservation> {
    let tags = tag::specified(
        call,
        input.tag_specifications.as_ref(),
        model::ResourceType::Instance,
        call.made_by().is_some(),
    )?;
    let launched = before
        .instances
        .first()
        .and_then(|first| Launching::again(first, &tags));
    let launching = launched.ok_or_else(|| Fault::internal("a launch left no instance of a known type"))?;
    let launching = call.authorize(RunInstances::ACCESS, Found::Here(launching), Context::new())?;
    tag::at_creation(call, "RunInstances", &*launching, &tags)?;
    fault::dry_run(input.dry_run)?;
    before.expect_same(input)?;
    Ok(reservation(&before.instances))
}

/// Instances of one launch, as lists show them.
pub(super) fn reservation(instances: &[Instance]) -> model::Reservation {
    let first = instances.first();
    model::Reservation {
        groups: Some(Vec::new()),
        instances: Some(instances.iter().map(Instance::shown).collect()),
        owner_id: first.map(|instance| instance.account.clone()),
        reservation_id: first.map(|instance| instance.reservation.clone()),
        ..model::Reservation::default()
    }
}

/// An instance that is about to be made, as policies see it.
struct Launching {
    account: String,
    region: String,
    zone: String,
    of: &'static Type,
    options: Options,
    profile: Option<String>,
    tags: Tags,
}

impl Resource for Launching {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        naming::arn(&self.region, &self.account, "instance", "*")
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        context.insert("ec2:AvailabilityZone", self.zone.clone());
        context.insert("ec2:AvailabilityZoneId", place::zone_id(&self.region, &self.zone));
        context.insert("ec2:InstanceType", self.of.name);
        context.insert("ec2:EbsOptimized", "false");
        context.insert("ec2:InstanceMarketType", "on-demand");
        context.insert("ec2:IsLaunchTemplateResource", "false");
        context.insert("ec2:RootDeviceType", "ebs");
        context.insert("ec2:Tenancy", "default");
        if let Some(profile) = &self.profile {
            context.insert("ec2:InstanceProfile", profile.clone());
        }
        self.options.conditions(context);
        tag::given_conditions(&self.tags, context);
    }
}

impl Launching {
    /// An instance that was launched, as it was seen then.
    fn again(instance: &Instance, tags: &Tags) -> Option<Self> {
        Some(Self {
            account: instance.account.clone(),
            region: instance.region.clone(),
            zone: instance.zone.clone(),
            of: types::find(&instance.instance_type)?,
            options: instance.options,
            profile: instance.profile.as_ref().map(|held| held.profile_arn.clone()),
            tags: tags.clone(),
        })
    }
}

/// vCPUs that the account may still start in the region.
fn vcpus_left(call: &mut Call<'_>) -> Result<u32> {
    let used: u32 = super::instance::all(call)?
        .iter()
        .filter(|instance| !instance.state.is_gone() && instance.state != State::Stopped)
        .filter_map(|instance| types::find(&instance.instance_type))
        .map(|of| of.vcpus)
        .sum();
    Ok(VCPUS_MAX.saturating_sub(used))
}

fn too_many_vcpus() -> Fault {
    Fault::plain(
        "VcpuLimitExceeded",
        400,
        format!(
            "You have requested more vCPU capacity than your current vCPU limit of {VCPUS_MAX} allows for the instance bucket that the \
             specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to \
             this limit."
        ),
    )
}

/// Refuses to start stopped instances beyond the account's vCPUs, which those do not count against.
pub(super) fn expect_room(call: &mut Call<'_>, starting: &[Instance]) -> Result<()> {
    let stopped = starting
        .iter()
        .filter(|instance| instance.state == State::Stopped);
    let types = stopped.filter_map(|instance| types::find(&instance.instance_type));
    let wanted: u32 = types.map(|of| of.vcpus).sum();
    if wanted > 0 && wanted > vcpus_left(call)? {
        return Err(too_many_vcpus());
    }
    Ok(())
}

/// A request that was understood.
struct Plan {
    of: &'static Type,
    zone: String,
    options: Options,
    key: Option<KeyPair>,
    profile: Option<pipeline::identity::InstanceProfile>,
    tags: Tags,
    user_data: Option<Vec<u8>>,
    private_ip: Option<Ipv4Addr>,
    terminates_on_shutdown: bool,
    disable_api_termination: bool,
    disable_api_stop: bool,
}

impl Plan {
    fn read(call: &mut Call<'_>, image: &Image, input: &model::RunInstancesRequest) -> Result<Self> {
        refusal::of_launch(input)?;
        let of = match input.instance_type {
            Some(name) => types::launchable(name)?,
            // AWS's default is an old type that no current image runs on.
            None => return Err(missing("InstanceType")),
        };
        if of.architecture != image.architecture {
            return Err(invalid(format!(
                "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. \
                 Specify an instance type and an AMI that have matching architectures, and try again. You can use \
                 'describe-instance-types' or 'describe-images' to discover the architecture of the instance type or AMI.",
                of.architecture, image.architecture
            )));
        }
        if image.state != image::State::Available {
            return Err(Fault::plain(
                "InvalidAMIID.Unavailable",
                400,
                format!("The image ID '{}' is not available", image.id),
            ));
        }
        let placed = input.placement.clone().unwrap_or_default();
        let zone = place::chosen(
            call.region(),
            placed.availability_zone.as_deref(),
            placed.availability_zone_id.as_deref(),
        )?;
        if let Some(credits) = &input.credit_specification {
            refusal::credit(of, &credits.cpu_credits)?;
        }
        let private_ip = match input.private_ip_address.as_deref() {
            None => None,
            Some(text) => Some(address::read(call, &zone, text)?),
        };
        let key = match input.key_name.as_deref() {
            None => None,
            Some(name) => Some(key_pair::expect(call, name)?),
        };
        let given = input.iam_instance_profile.as_ref();
        let profile = match given.filter(|given| given.arn.is_some() || given.name.is_some()) {
            None => None,
            Some(given) => Some(profile::resolve(call, given)?),
        };
        let by_service = call.made_by().is_some();
        Ok(Self {
            of,
            zone,
            options: defaults::at_launch(call, input.metadata_options.as_ref())?,
            key,
            profile,
            tags: tag::specified(
                call,
                input.tag_specifications.as_ref(),
                model::ResourceType::Instance,
                by_service,
            )?,
            user_data: input.user_data.as_deref().map(user_data::read).transpose()?,
            private_ip,
            terminates_on_shutdown: input.instance_initiated_shutdown_behavior
                == Some(model::ShutdownBehavior::Terminate),
            disable_api_termination: input.disable_api_termination == Some(true),
            disable_api_stop: input.disable_api_stop == Some(true),
        })
    }

    fn launching(&self, call: &Call<'_>) -> Launching {
        Launching {
            account: call.account().to_owned(),
            region: call.region().to_owned(),
            zone: self.zone.clone(),
            of: self.of,
            options: self.options,
            profile: self.profile.as_ref().map(|profile| profile.arn.clone()),
            tags: self.tags.clone(),
        }
    }

    /// As many as there may be, of those that are asked for.
    fn count(&self, call: &mut Call<'_>, input: &model::RunInstancesRequest) -> Result<u32> {
        let (least, most) = (input.min_count, input.max_count);
        if least < 1 {
            return Err(invalid_value(
                &least.to_string(),
                "minCount",
                "Expecting a number greater than or equal to 1.",
            ));
        }
        if most < least {
            return Err(invalid_value(
                &most.to_string(),
                "maxCount",
                "It must be greater than or equal to minCount.",
            ));
        }
        if self.private_ip.is_some() && most > 1 {
            return Err(combination(
                "A private IP address can be given to one instance only",
            ));
        }
        let most = most.min(COUNT_MAX);
        let fits = vcpus_left(call)? / self.of.vcpus;
        let count = u32::try_from(most).unwrap_or(0).min(fits);
        if count < u32::try_from(least).unwrap_or(u32::MAX) {
            return Err(too_many_vcpus());
        }
        Ok(count)
    }

    /// Makes the rows, and plans the starts.
    fn launch(
        self,
        call: &mut Call<'_>,
        mut image: Image,
        count: u32,
        input: &model::RunInstancesRequest,
    ) -> Result<model::Reservation> {
        let token = input.client_token.clone().filter(|token| !token.is_empty());
        let reservation_id = naming::draw(call, "r")?;
        let mut made = Vec::new();
        for index in 0..count {
            let disk = match &image.disk {
                None => None,
                Some(held) => {
                    let shared = disk::share(call, held)?;
                    image.disk = Some(shared.clone());
                    Some(shared)
                }
            };
            let instance = self.instance(call, &image, (&reservation_id, index), &token)?;
            let instance = Instance { disk, ..instance };
            work::plan(call, work::START, &instance)?;
            made.push(instance.clone());
            instance.keep(call)?;
        }
        if !image.is_built_in() {
            image.last_launched = Some(call.now.0);
            image.keep(call)?;
        }
        token::keep(call, input, &made)?;
        Ok(reservation(&made))
    }

    fn instance(
        &self,
        call: &mut Call<'_>,
        image: &Image,
        (reservation, launch_index): (&str, u32),
        token: &Option<String>,
    ) -> Result<Instance> {
        let id = naming::draw(call, "i")?;
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let private_ip = match self.private_ip {
            Some(address) => address,
            None => address::draw(call, &self.zone)?,
        };
        address::take(call, private_ip, &id)?;
        let user_data = match &self.user_data {
            None => None,
            Some(bytes) => Some(user_data::seal(call, &id, bytes)?),
        };
        let profile = match &self.profile {
            None => None,
            Some(profile) => Some(Association::new(call, profile)?),
        };
        let digits = crypto::random::hex(call.random(), 5).map_err(Fault::internal)?;
        let mac: Vec<&str> = (0..5).filter_map(|at| digits.get(at * 2..at * 2 + 2)).collect();
        Ok(Instance {
            account,
            region,
            id,
            reservation: reservation.to_owned(),
            launch_index,
            image: image.id.clone(),
            instance_type: self.of.name.to_owned(),
            architecture: image.architecture.clone(),
            zone: self.zone.clone(),
            key: self.key.as_ref().map(|pair| (pair.name.clone(), pair.line())),
            profile,
            private_ip,
            mac: format!("02:{}", mac.join(":")),
            user_data,
            options: self.options,
            client_token: token.clone(),
            launched: call.now.seconds() * 1000,
            state: State::Pending,
            state_reason: Some(("pending".to_owned(), "pending".to_owned())),
            transition_reason: String::new(),
            terminates_on_shutdown: self.terminates_on_shutdown,
            disable_api_termination: self.disable_api_termination,
            disable_api_stop: self.disable_api_stop,
            tags: self.tags.clone(),
            boot: 1,
            disk: None,
            disk_is_old: false,
        })
    }
}

/// Removes what is left of an instance that ended long ago.
pub(super) fn forget(call: &mut Call<'_>, instance: &Instance) -> Result<()> {
    token::forget(call, instance)?;
    call.delete(&INSTANCES, &instance.key())
}
