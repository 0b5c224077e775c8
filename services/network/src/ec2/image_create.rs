//! Making an image of an instance.
//!
//! Source: Amazon EC2 API Reference, `CreateImage`; Amazon EC2 User Guide, "Create an Amazon EBS-backed AMI" (names).
//!
//! Invariant: an image is `available` only once it holds what the instance's disk held.

use api::ec2 as model;
use pipeline::errand::Outcome;
use pipeline::instances::{Done, Failure, Task};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde_json::{Value, json};
use wire::Fault;

use super::fault::{self, expect_none, wrong_state};
use super::image::{IMAGES, Image, NAMES, Permissions, State as ImageState};
use super::instance::{self, Held, Instance, State};
use super::tag::{self, Tags};
use super::{disk, naming, work};

/// Reads the disk of an instance into an image.
pub(super) const JOB: &str = "ec2.CreateImage";

/// Makes an image of an instance.
pub struct CreateImage;

/// An image that is about to be made, as policies see it.
struct NewImage {
    account: String,
    region: String,
    tags: Tags,
}

impl Resource for NewImage {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        naming::arn(&self.region, "", "image", "*")
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        context.insert("ec2:Owner", self.account.clone());
        tag::given_conditions(&self.tags, context);
    }
}

impl Operation for CreateImage {
    type Input = model::CreateImageRequest;
    type Output = model::CreateImageResult;
    type Target = Instance;
    const ACCESS: Access = Access::write("ec2:CreateImage");
    const ALSO: &'static [Access] = &[tag::CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::named(look, &input.instance_id)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        let instance = target.into_inner();
        let given = input.tag_specifications.as_ref();
        let tags = tag::specified(call, given, model::ResourceType::Image, call.made_by().is_some())?;
        let new = NewImage {
            account: call.account().to_owned(),
            region: call.region().to_owned(),
            tags: tags.clone(),
        };
        let new = call.authorize(Self::ACCESS, Found::Here(new), Context::new())?;
        tag::at_creation(call, "CreateImage", &*new, &tags)?;
        let mapped = input
            .block_device_mappings
            .as_ref()
            .is_some_and(|list| !list.is_empty());
        expect_none("BlockDeviceMappings", mapped)?;
        expect_none("BootModeOverride", input.boot_mode_override.is_some())?;
        expect_none(
            "SnapshotLocation",
            input.snapshot_location == Some(model::SnapshotLocationEnum::Local),
        )?;
        check_name(&input.name)?;
        fault::dry_run(input.dry_run)?;
        if !matches!(instance.state, State::Running | State::Stopped) {
            return Err(wrong_state(&instance.id, "imaged"));
        }
        if instance.state == State::Stopped && instance.disk_is_old {
            return Err(Fault::plain(
                "IncorrectInstanceState",
                400,
                format!(
                    "The disk of the instance '{}' could not be kept when it stopped. Start it to make an image of what it holds.",
                    instance.id
                ),
            ));
        }
        let name = (
            instance.account.clone(),
            instance.region.clone(),
            input.name.clone(),
        );
        if let Some(taken) = call.get(&NAMES, &name)? {
            return Err(Fault::plain(
                "InvalidAMIName.Duplicate",
                400,
                format!("AMI name {} is already in use by AMI {}", input.name, taken.0),
            ));
        }
        let id = naming::draw(call, "ami")?;
        call.put(&NAMES, &name, Held(id.clone()))?;
        let mut image = Image {
            owner: instance.account.clone(),
            region: instance.region.clone(),
            id: id.clone(),
            name: input.name,
            description: input.description,
            created: call.now.0,
            architecture: instance.architecture.clone(),
            state: ImageState::Pending,
            state_reason: None,
            permissions: Permissions::default(),
            disk: None,
            source_instance: Some(instance.id.clone()),
            source_image: Some(instance.image.clone()),
            last_launched: None,
            tags,
        };
        if instance.state == State::Stopped {
            copy(call, instance, &mut image)?;
        } else {
            let still = input.no_reboot != Some(true);
            let more = json!({ "image": id, "still": still });
            work::plan_with(call, JOB, &instance, more)?;
        }
        image.keep(call)?;
        Ok(model::CreateImageResult { image_id: Some(id) })
    }
}

/// A stopped instance's disk is at hand.
fn copy(call: &mut Call<'_>, mut instance: Instance, image: &mut Image) -> Result<()> {
    if let Some(held) = &instance.disk {
        let shared = disk::share(call, held)?;
        image.disk = Some(shared.clone());
        instance.disk = Some(shared);
        instance.keep(call)?;
    }
    image.state = ImageState::Available;
    Ok(())
}

/// Three to 128 characters: letters, digits, and some signs.
fn check_name(name: &str) -> Result<()> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "()[]. ./-'@_".contains(character);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(fits) {
        return Ok(());
    }
    Err(Fault::plain(
        "InvalidAMIName.Malformed",
        400,
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'",
    ))
}

/// Reads the disk of a running instance.
pub(super) fn run(call: &mut Call<'_>, payload: &Value) -> Result<()> {
    let text = |name: &str| {
        payload
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let key = (call.region().to_owned(), text("image"));
    let Some(image) = call.get(&IMAGES, &key)? else {
        return Ok(());
    };
    let mut image = (*image).clone();
    if image.state != ImageState::Pending {
        return Ok(());
    }
    let found = instance::find(call, &text("id"))?;
    let boot = payload.get("boot").and_then(Value::as_u64);
    let running = found.filter(|instance| Some(instance.boot) == boot && instance.state == State::Running);
    let still = payload.get("still").and_then(Value::as_bool) == Some(true);
    let Some(instance) = running else {
        return fail(call, image, "the instance was stopped before its disk was read");
    };
    let run = instance.run();
    let outcome = call.instance("snapshot", |_| Ok(Task::Snapshot { instance: run, still }))?;
    let Outcome::Instance(outturn) = &*outcome else {
        return Err(Fault::internal(
            "an instance was asked for, and something else was done",
        ));
    };
    match outturn {
        Ok(Done::Disk(bytes)) => {
            if !bytes.is_empty() {
                image.disk = Some(disk::keep(call, bytes)?);
            }
            image.state = ImageState::Available;
            image.keep(call)
        }
        Ok(Done::Well) => Err(Fault::internal("a disk was asked for, and none was given")),
        Err(Failure::DiskTooLarge) => fail(call, image, "the instance's disk is larger than can be kept"),
        Err(Failure::Unknown) => fail(call, image, "the machine no longer has the instance"),
        Err(Failure::Unable { what }) => fail(call, image, what),
        Err(Failure::Failed { reason }) => fail(call, image, reason),
        Err(Failure::Refused) if call.instances().is_ok() => {
            Err(Fault::internal("the plane of instances is being stopped"))
        }
        Err(Failure::Refused) => fail(call, image, "this installation runs no instances"),
    }
}

fn fail(call: &mut Call<'_>, mut image: Image, why: &str) -> Result<()> {
    image.state = ImageState::Failed;
    image.state_reason = Some((
        "Server.InternalError".to_owned(),
        format!("Server.InternalError: {why}"),
    ));
    image.keep(call)
}
