//! Images: the built-in one, which is this machine's own userland, and those that are made of instances.
//!
//! Source: Amazon EC2 User Guide, "Amazon Machine Images in Amazon EC2", "Understand shared AMI usage".
//!
//! Invariant: whoever may not launch an image does not learn that it exists.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use super::disk::{self, Disk};
use super::fault::{self, invalid};
use super::filter::{self, Values};
use super::naming::{self, is_id};
use super::page::Listing;
use super::place::RegionScope;
use super::tag::{self, Tags};
use super::types;

/// The built-in image. It is the same everywhere.
pub const BUILT_IN: &str = "ami-00000000000000001";
/// The account that AWS's own images belong to, as their owner shows it.
const AMAZON: &str = "137112412989";
/// When the built-in image came to be: the first version that had it.
const BUILT_IN_SINCE: i64 = 1_795_305_600_000;

/// What has become of an image.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Pending,
    Available,
    Failed,
}

impl State {
    pub(super) const fn shown(self) -> model::ImageState {
        match self {
            Self::Pending => model::ImageState::Pending,
            Self::Available => model::ImageState::Available,
            Self::Failed => model::ImageState::Failed,
        }
    }
}

/// Who may launch an image beside its owner.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// Everybody.
    pub all: bool,
    /// Accounts.
    pub users: BTreeSet<String>,
    /// ARNs of organizations.
    pub organizations: BTreeSet<String>,
    /// ARNs of organizational units.
    pub units: BTreeSet<String>,
}

/// An image.
#[derive(Clone, Serialize, Deserialize)]
pub struct Image {
    pub owner: String,
    pub region: String,
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub architecture: String,
    pub state: State,
    /// Code and message.
    pub state_reason: Option<(String, String)>,
    pub permissions: Permissions,
    /// None if nothing lies over the built-in image.
    pub disk: Option<Disk>,
    pub source_instance: Option<String>,
    pub source_image: Option<String>,
    /// Milliseconds since the epoch.
    pub last_launched: Option<i64>,
    pub tags: Tags,
}

store::record!(Image, 1);

/// By region and id: images may be shared with other accounts.
pub static IMAGES: Table<(String, String), Image> = Table::new(0x0404, "ec2.images");
/// Names in use, by account, region and name; each with its image.
pub static NAMES: Table<(String, String, String), super::instance::Held> =
    Table::new(0x0405, "ec2.image_names");

/// The built-in image of a region.
pub(super) fn built_in(region: &str) -> Image {
    let architecture = types::host_architecture();
    Image {
        owner: AMAZON.to_owned(),
        region: region.to_owned(),
        id: BUILT_IN.to_owned(),
        name: format!("ringwork-host-userland-{architecture}"),
        description: Some(
            "The userland of the machine that runs Ringwork, read-only, with a disk of the instance's own over it. It has no kernel \
             of its own and is no image of AWS."
                .to_owned(),
        ),
        created: BUILT_IN_SINCE,
        architecture: architecture.to_owned(),
        state: State::Available,
        state_reason: None,
        permissions: Permissions {
            all: true,
            ..Permissions::default()
        },
        disk: None,
        source_instance: None,
        source_image: None,
        last_launched: None,
        tags: Tags::new(),
    }
}

impl Image {
    /// Writes the row.
    pub(super) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let key = (self.region.clone(), self.id.clone());
        call.put(&IMAGES, &key, self)
    }

    /// Whether it is the one that no row holds.
    pub(super) fn is_built_in(&self) -> bool {
        self.id == BUILT_IN
    }

    /// `amazon`, for the image that no account here owns.
    pub(super) fn owner_alias(&self) -> Option<String> {
        self.is_built_in().then(|| "amazon".to_owned())
    }

    /// As lists show it to an account.
    pub(super) fn shown(&self, account: &str) -> model::Image {
        let own = self.owner == account;
        let alias = self.owner_alias();
        let location = alias.as_ref().unwrap_or(&self.owner);
        model::Image {
            architecture: model::ArchitectureValues::parse(&self.architecture),
            block_device_mappings: Some(Vec::new()),
            creation_date: Some(moment(self.created)),
            description: self.description.clone(),
            hypervisor: Some(model::HypervisorType::Xen),
            image_id: Some(self.id.clone()),
            image_location: Some(format!("{location}/{}", self.name)),
            image_owner_alias: alias.clone(),
            image_type: Some(model::ImageTypeValues::Machine),
            imds_support: Some(model::ImdsSupportValues::V2_0),
            last_launched_time: self.last_launched.filter(|_| own).map(moment),
            name: Some(self.name.clone()),
            owner_id: Some(self.owner.clone()),
            platform_details: Some("Linux/UNIX".to_owned()),
            public: Some(self.permissions.all),
            root_device_type: Some(model::DeviceType::Ebs),
            source_image_id: self.source_image.clone().filter(|_| own),
            source_image_region: self
                .source_image
                .as_ref()
                .filter(|_| own)
                .map(|_| self.region.clone()),
            source_instance_id: self.source_instance.clone().filter(|_| own),
            state: Some(self.state.shown()),
            state_reason: self
                .state_reason
                .as_ref()
                .map(|(code, message)| model::StateReason {
                    code: Some(code.clone()),
                    message: Some(message.clone()),
                }),
            tags: tag::shown(&self.tags).filter(|_| own),
            usage_operation: Some("RunInstances".to_owned()),
            virtualization_type: Some(model::VirtualizationType::Hvm),
            ..model::Image::default()
        }
    }

    /// Whether an account may launch it.
    pub(super) fn is_open_to(&self, look: &mut Look<'_>, account: &str) -> Result<bool> {
        let allowed = &self.permissions;
        if self.owner == account || allowed.all || allowed.users.contains(account) {
            return Ok(true);
        }
        if allowed.organizations.is_empty() && allowed.units.is_empty() {
            return Ok(false);
        }
        let directory = look.directory();
        let Some(place) = directory.organization(look, account)? else {
            return Ok(false);
        };
        let last = |arn: &String| arn.rsplit('/').next().unwrap_or_default().to_owned();
        let organization = allowed.organizations.iter().any(|arn| last(arn) == place.id);
        let units: Vec<&str> = place.path.split('/').collect();
        let unit = allowed
            .units
            .iter()
            .any(|arn| units.contains(&last(arn).as_str()));
        Ok(organization || unit)
    }

    /// The condition keys that tell of it to an account. Its tags are its owner's: nobody admits an image of theirs to the launches of
    /// others by tagging it as those others tag their own (Amazon EC2 User Guide, "Tag your Amazon EC2 resources").
    pub(super) fn context(&self, caller: &str, context: &mut Context) {
        context.insert("ec2:Region", self.region.clone());
        context.insert("ec2:ImageID", self.id.clone());
        context.insert("ec2:ImageType", "machine");
        context.insert(
            "ec2:Owner",
            self.owner_alias().unwrap_or_else(|| self.owner.clone()),
        );
        context.insert("ec2:Public", self.permissions.all.to_string());
        context.insert("ec2:RootDeviceType", "ebs");
        if self.owner == caller {
            tag::resource_conditions(&self.tags, context);
        }
    }
}

/// `2026-11-22T10:00:00.000Z`
fn moment(millis: i64) -> String {
    let text = Timestamp::from_seconds(millis.div_euclid(1000)).iso8601();
    format!("{}.{:03}Z", text.trim_end_matches('Z'), millis.rem_euclid(1000))
}

/// The image of an id, whoever may launch it.
pub(super) fn find(look: &mut Look<'_>, id: &str) -> Result<Option<Arc<Image>>> {
    if id == BUILT_IN {
        return Ok(Some(Arc::new(built_in(look.region()))));
    }
    let key = (look.region().to_owned(), id.to_owned());
    look.get(&IMAGES, &key)
}

/// The account's own images.
pub(super) fn own(look: &mut Look<'_>) -> Result<Vec<Arc<Image>>> {
    let account = look.account().to_owned();
    let mut images = all(look)?;
    images.retain(|image| image.owner == account);
    Ok(images)
}

fn all(look: &mut Look<'_>) -> Result<Vec<Arc<Image>>> {
    let region = look.region().to_owned();
    let rows = look.range(&IMAGES, &(region.as_str(),), None, usize::MAX)?;
    Ok(rows.into_iter().map(|(_, image)| image).collect())
}

/// An image as a caller who may launch it sees it. Images have no policies of their own, so it is the caller's policies that rule,
/// whoever owns it.
#[derive(Clone)]
pub struct ImageTarget {
    pub(super) image: Arc<Image>,
    caller: Arc<str>,
}

impl Resource for ImageTarget {
    const TYPE: &'static str = "AWS::EC2::Image";

    fn arn(&self) -> String {
        naming::arn(&self.image.region, "", "image", &self.image.id)
    }

    fn account(&self) -> &str {
        &self.caller
    }

    fn conditions(&self, context: &mut Context) {
        self.image.context(&self.caller, context);
    }
}

/// The image that a request names, if the caller may launch it; its owner alone with `owned`.
pub(super) fn named(look: &mut Look<'_>, id: &str, owned: bool) -> Result<Found<ImageTarget>> {
    if !is_id(id, "ami") {
        return Err(fault::malformed("InvalidAMIID.Malformed", id));
    }
    let account = look.account().to_owned();
    let mut found = find(look, id)?;
    if let Some(image) = &found {
        let seen = if owned {
            image.owner == account
        } else {
            image.is_open_to(look, &account)?
        };
        if !seen {
            found = None;
        }
    }
    let caller = look.account_shared();
    let arn = naming::arn(look.region(), "", "image", id);
    Ok(Found::or_absent(
        found.map(|image| ImageTarget { image, caller }),
        || (arn, fault::no_image(id)),
    ))
}

/// Lists the images that the account may launch.
pub struct DescribeImages;

impl Operation for DescribeImages {
    type Input = model::DescribeImagesRequest;
    type Output = model::DescribeImagesResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeImages");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let paged = (input.max_results, input.next_token);
        let ids = input.image_ids.unwrap_or_default();
        let listing = Listing::read("DescribeImages", input.dry_run, input.filters, paged)?;
        let listing = listing
            .down_to_one()
            .without(&ids, ("imageIdsSet", "maxResults"))?;
        let account = call.account().to_owned();
        if let Some(wrong) = ids.iter().find(|id| !is_id(id, "ami")) {
            return Err(fault::malformed("InvalidAMIID.Malformed", wrong));
        }
        let mut seen = vec![Arc::new(built_in(call.region()))];
        for image in all(call)? {
            if image.is_open_to(call, &account)? {
                seen.push(image);
            }
        }
        if let Some(missing) = ids.iter().find(|id| !seen.iter().any(|image| image.id == **id)) {
            return Err(fault::no_image(missing));
        }
        let owners = input.owners.unwrap_or_default();
        let users = input.executable_users.unwrap_or_default();
        let mut found = Vec::new();
        for image in seen {
            let wanted = ids.is_empty() || ids.contains(&image.id);
            let by_owner = owners.is_empty() || owners.iter().any(|owner| owned(&image, owner, &account));
            let by_user = users.is_empty() || users.iter().any(|user| executable(&image, user, &account));
            if wanted && by_owner && by_user && listing.filters.pass(|name| value(&image, name, &account))? {
                found.push((image.id.clone(), image.shown(&account)));
            }
        }
        let (images, next_token) = listing.page(call, found)?;
        Ok(model::DescribeImagesResult {
            images: Some(images),
            next_token,
        })
    }
}

fn owned(image: &Image, owner: &str, account: &str) -> bool {
    match owner {
        "self" => image.owner == account,
        alias if image.owner_alias().as_deref() == Some(alias) => true,
        id => image.owner == id,
    }
}

/// Whether a launch permission names a user: `self`, `all` or an account. Which others it names is the owner's matter.
fn executable(image: &Image, user: &str, account: &str) -> bool {
    let users = &image.permissions.users;
    match user {
        "all" => image.permissions.all,
        "self" => users.contains(account),
        id => (image.owner == account || id == account) && users.contains(id),
    }
}

/// What an image has under a filter's name, as far as it is shown to the account.
fn value(image: &Image, name: &str, account: &str) -> Values {
    let one = |text: &str| Some(vec![text.to_owned()]);
    let own = image.owner == account;
    let maybe = |text: &Option<String>| Some(text.iter().cloned().collect());
    match name {
        "architecture" => one(&image.architecture),
        "creation-date" => one(&moment(image.created)),
        "description" => maybe(&image.description),
        "hypervisor" => one("xen"),
        "image-id" => one(&image.id),
        "image-type" => one("machine"),
        "is-public" => one(&image.permissions.all.to_string()),
        "name" => one(&image.name),
        "owner-alias" => maybe(&image.owner_alias()),
        "owner-id" => one(&image.owner),
        "root-device-type" => one("ebs"),
        "source-instance-id" => maybe(&image.source_instance.clone().filter(|_| own)),
        "source-image-id" => maybe(&image.source_image.clone().filter(|_| own)),
        "state" => one(image.state.shown().as_str()),
        "virtualization-type" => one("hvm"),
        "manifest-location" => one(&format!("{}/{}", image.owner, image.name)),
        "platform" | "kernel-id" | "ramdisk-id" | "product-code" => Some(Vec::new()),
        other if own => filter::of_tags(other, &image.tags),
        other => filter::of_tags(other, &Tags::new()),
    }
}

/// Takes an image away; instances that were launched from it go on.
pub struct DeregisterImage;

impl Operation for DeregisterImage {
    type Input = model::DeregisterImageRequest;
    type Output = model::DeregisterImageResult;
    type Target = ImageTarget;
    const ACCESS: Access = Access::write("ec2:DeregisterImage");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<ImageTarget>> {
        named(look, &input.image_id, false)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<ImageTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let image = Arc::clone(&target.image);
        if image.owner != call.account() {
            return Err(not_owner(&image.id));
        }
        fault::expect_none(
            "DeleteAssociatedSnapshots",
            input.delete_associated_snapshots == Some(true),
        )?;
        fault::dry_run(input.dry_run)?;
        if image.state == State::Pending {
            return Err(invalid("The image is pending and cannot be deregistered"));
        }
        if let Some(held) = &image.disk {
            disk::release(call, held)?;
        }
        call.delete(&IMAGES, &(image.region.clone(), image.id.clone()))?;
        let name = (image.owner.clone(), image.region.clone(), image.name.clone());
        call.delete(&NAMES, &name)?;
        Ok(model::DeregisterImageResult {
            r#return: Some(true),
            ..model::DeregisterImageResult::default()
        })
    }
}

/// What only an image's owner may do.
pub(super) fn not_owner(id: &str) -> wire::Fault {
    wire::Fault::plain("AuthFailure", 403, format!("Not authorized for image:{id}"))
}
