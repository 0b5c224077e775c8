//! Tags: the rules for them, what requests give at creation, and the operations on the tags of what is there.
//!
//! Source: Amazon EC2 User Guide, "Tag your Amazon EC2 resources"; Amazon EC2 API Reference, `CreateTags`, `DeleteTags`.
//!
//! Invariant: tags that come with a creation are asked for as `ec2:CreateTags`, with the operation as `ec2:CreateAction`.

use std::collections::BTreeMap;

use api::ec2 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use super::fault::{self, invalid, missing};
use super::filter::matches;
use super::image::{self, Image};
use super::instance::{self, Instance};
use super::key_pair::{self, KeyPair};
use super::naming::{self, is_id};
use super::page::Listing;
use super::place::RegionScope;

/// Key and value.
pub type Tags = BTreeMap<String, String>;

const TAGS_MAX: usize = 50;
const KEY_CHARACTERS_MAX: usize = 127;
const VALUE_CHARACTERS_MAX: usize = 255;
/// Resources of one request at most.
const RESOURCES_MAX: usize = 1000;

/// What it takes to tag at creation.
pub(super) const CREATE: Access = Access::tagging("ec2:CreateTags");

/// As answers show tags; none if there are none.
pub(super) fn shown(tags: &Tags) -> Option<Vec<model::Tag>> {
    let one = |(key, value): (&String, &String)| model::Tag {
        key: Some(key.clone()),
        value: Some(value.clone()),
    };
    (!tags.is_empty()).then(|| tags.iter().map(one).collect())
}

/// The tags of a resource, in both spellings that policies may use.
pub(super) fn resource_conditions(tags: &Tags, context: &mut Context) {
    for (key, value) in tags {
        context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        context.insert(format!("ec2:ResourceTag/{key}"), value.clone());
    }
}

/// The tags of a request.
pub(super) fn request_conditions<'t>(
    tags: impl Iterator<Item = (&'t str, Option<&'t str>)> + Clone,
    context: &mut Context,
) {
    for (key, value) in tags.clone() {
        if let Some(value) = value {
            context.insert(format!("aws:RequestTag/{key}"), value.to_owned());
        }
    }
    context.insert_many("aws:TagKeys", tags.map(|(key, _)| key.to_owned()));
}

/// Those of tags that were read.
pub(super) fn given_conditions(tags: &Tags, context: &mut Context) {
    request_conditions(
        tags.iter()
            .map(|(key, value)| (key.as_str(), Some(value.as_str()))),
        context,
    );
}

/// Reads the tags of a request. `by_service` lets keys of AWS's own pass.
fn read(given: &[model::Tag], by_service: bool) -> Result<Tags> {
    let mut tags = Tags::new();
    for tag in given {
        let key = tag.key.clone().unwrap_or_default();
        let value = tag.value.clone().unwrap_or_default();
        check(&key, &value, by_service)?;
        if tags.insert(key.clone(), value).is_some() {
            return Err(invalid(format!("Duplicate tag key '{key}' specified.")));
        }
    }
    count(&tags)?;
    Ok(tags)
}

fn check(key: &str, value: &str, by_service: bool) -> Result<()> {
    if key.is_empty() {
        return Err(invalid("Tag key cannot be empty"));
    }
    if key.chars().count() > KEY_CHARACTERS_MAX {
        return Err(invalid(format!(
            "Tag key exceeds the maximum length of {KEY_CHARACTERS_MAX} characters"
        )));
    }
    if value.chars().count() > VALUE_CHARACTERS_MAX {
        return Err(invalid(format!(
            "Tag value exceeds the maximum length of {VALUE_CHARACTERS_MAX} characters"
        )));
    }
    let reserved = key
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if reserved && !by_service {
        return Err(invalid(
            "Tag keys starting with 'aws:' are reserved for internal use",
        ));
    }
    Ok(())
}

/// Tags of AWS's own do not count.
fn count(tags: &Tags) -> Result<()> {
    if tags.keys().filter(|key| !key.starts_with("aws:")).count() > TAGS_MAX {
        return Err(Fault::plain(
            "TagLimitExceeded",
            400,
            "The maximum number of Tags for a resource has been reached.",
        ));
    }
    Ok(())
}

/// The tags that a request gives to what it makes, for one kind of resource; other kinds are refused.
pub(super) fn specified(
    look: &Look<'_>,
    given: Option<&Vec<model::TagSpecification>>,
    kind: model::ResourceType,
    by_service: bool,
) -> Result<Tags> {
    let _ = look;
    let mut tags = Tags::new();
    for specification in given.into_iter().flatten() {
        let Some(of) = specification.resource_type else {
            return Err(missing("TagSpecification.ResourceType"));
        };
        if of != kind {
            return Err(fault::unsupported(format!(
                "Tags for a resource of type {} cannot be given here: this version of Ringwork makes none.",
                of.as_str()
            )));
        }
        if !tags.is_empty() {
            return Err(invalid("Tag specification resource type must be unique"));
        }
        tags = read(specification.tags.as_deref().unwrap_or_default(), by_service)?;
    }
    Ok(tags)
}

/// Asks for the tags that come with a creation.
pub(super) fn at_creation(
    call: &mut Call<'_>,
    action: &'static str,
    made: &impl Resource,
    tags: &Tags,
) -> Result<()> {
    if tags.is_empty() {
        return Ok(());
    }
    let mut context = Context::new().with("ec2:CreateAction", action);
    made.conditions(&mut context);
    given_conditions(tags, &mut context);
    let owner = call.account().to_owned();
    call.also(CREATE, &made.arn(), &owner, context)
}

/// Something that bears tags.
#[derive(Clone)]
pub enum Tagged {
    Instance(Box<Instance>),
    Image(Box<Image>),
    KeyPair(Box<KeyPair>),
}

impl Tagged {
    fn tags(&mut self) -> &mut Tags {
        match self {
            Self::Instance(instance) => &mut instance.tags,
            Self::Image(image) => &mut image.tags,
            Self::KeyPair(pair) => &mut pair.tags,
        }
    }

    fn keep(self, call: &mut Call<'_>) -> Result<()> {
        match self {
            Self::Instance(instance) => {
                super::work::tell(call, &instance)?;
                instance.keep(call)
            }
            Self::Image(image) => image.keep(call),
            Self::KeyPair(pair) => pair.keep(call),
        }
    }
}

impl Resource for Tagged {
    const TYPE: &'static str = "";

    fn arn(&self) -> String {
        match self {
            Self::Instance(instance) => instance.arn(),
            Self::Image(image) => naming::arn(&image.region, "", "image", &image.id),
            Self::KeyPair(pair) => pair.arn(),
        }
    }

    fn account(&self) -> &str {
        match self {
            Self::Instance(instance) => &instance.account,
            Self::Image(image) => &image.owner,
            Self::KeyPair(pair) => &pair.account,
        }
    }

    fn conditions(&self, context: &mut Context) {
        match self {
            Self::Instance(instance) => instance.conditions(context),
            // Only its owner tags it.
            Self::Image(image) => image.context(&image.owner, context),
            Self::KeyPair(pair) => pair.conditions(context),
        }
    }
}

/// What an id names.
fn named(look: &mut Look<'_>, id: &str) -> Result<Found<Tagged>> {
    let (region, account) = (look.region().to_owned(), look.account().to_owned());
    if is_id(id, "i") {
        let found = instance::find(look, id)?;
        return Ok(Found::or_absent(
            found.map(|found| Tagged::Instance(Box::new((*found).clone()))),
            || {
                let arn = naming::arn(&region, &account, "instance", id);
                (
                    arn,
                    Fault::plain("InvalidInstanceID.NotFound", 400, gone("instance", id)),
                )
            },
        ));
    }
    if is_id(id, "ami") {
        let found = image::find(look, id)?.filter(|image| image.owner == account);
        return Ok(Found::or_absent(
            found.map(|found| Tagged::Image(Box::new((*found).clone()))),
            || {
                let arn = naming::arn(&region, &account, "image", id);
                (arn, Fault::plain("InvalidAMIID.NotFound", 400, gone("image", id)))
            },
        ));
    }
    if is_id(id, "key") {
        let found = key_pair::by_id(look, id)?;
        return Ok(Found::or_absent(
            found.map(|found| Tagged::KeyPair(Box::new((*found).clone()))),
            || {
                let arn = naming::arn(&region, &account, "key-pair", "*");
                (
                    arn,
                    Fault::plain("InvalidKeyPair.NotFound", 400, gone("keyPair", id)),
                )
            },
        ));
    }
    Err(Fault::plain(
        "InvalidID",
        400,
        format!("The ID '{id}' is not valid"),
    ))
}

fn gone(kind: &str, id: &str) -> String {
    format!("The {kind} ID '{id}' does not exist")
}

/// Gives tags to resources, or changes their values.
pub struct CreateTags;

impl Operation for CreateTags {
    type Input = model::CreateTagsRequest;
    type Output = wire::typed::Empty;
    type Target = Tagged;
    const ACCESS: Access = CREATE;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Tagged>> {
        first(look, &input.resources)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let tags = input.tags.iter();
        request_conditions(
            tags.map(|tag| {
                let key = tag.key.as_deref().unwrap_or_default();
                (key, Some(tag.value.as_deref().unwrap_or_default()))
            }),
            context,
        );
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Tagged>, input: Self::Input) -> Result<Self::Output> {
        let mut context = Context::new();
        Self::conditions(&input, &mut context);
        let all = everything(
            call,
            target.into_inner(),
            &input.resources,
            (Self::ACCESS, &context),
        )?;
        let tags = read(&input.tags, call.made_by().is_some())?;
        if tags.is_empty() {
            return Err(missing("Tag"));
        }
        fault::dry_run(input.dry_run)?;
        for mut tagged in all {
            tagged.tags().extend(tags.clone());
            count(tagged.tags())?;
            tagged.keep(call)?;
        }
        Ok(wire::typed::Empty {})
    }
}

/// Takes tags away.
pub struct DeleteTags;

impl Operation for DeleteTags {
    type Input = model::DeleteTagsRequest;
    type Output = wire::typed::Empty;
    type Target = Tagged;
    const ACCESS: Access = Access::tagging("ec2:DeleteTags");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Tagged>> {
        first(look, &input.resources)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let tags = input.tags.iter().flatten();
        request_conditions(
            tags.map(|tag| (tag.key.as_deref().unwrap_or_default(), tag.value.as_deref())),
            context,
        );
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Tagged>, input: Self::Input) -> Result<Self::Output> {
        let mut context = Context::new();
        Self::conditions(&input, &mut context);
        let all = everything(
            call,
            target.into_inner(),
            &input.resources,
            (Self::ACCESS, &context),
        )?;
        for tag in input.tags.iter().flatten() {
            check(
                tag.key.as_deref().unwrap_or_default(),
                "",
                call.made_by().is_some(),
            )?;
        }
        fault::dry_run(input.dry_run)?;
        for mut tagged in all {
            match &input.tags {
                // Without tags, all of the user's own go.
                None => tagged.tags().retain(|key, _| key.starts_with("aws:")),
                Some(given) => {
                    for tag in given {
                        let key = tag.key.clone().unwrap_or_default();
                        let held = tagged.tags().get(&key);
                        // A value that is given must be the one that is there.
                        if held.is_some() && tag.value.as_ref().is_none_or(|value| Some(value) == held) {
                            tagged.tags().remove(&key);
                        }
                    }
                }
            }
            tagged.keep(call)?;
        }
        Ok(wire::typed::Empty {})
    }
}

fn first(look: &mut Look<'_>, ids: &[String]) -> Result<Found<Tagged>> {
    let Some(first) = ids.first() else {
        return Err(missing("resourceIdSet"));
    };
    if ids.len() > RESOURCES_MAX {
        return Err(invalid("You can tag up to 1000 resources in one request"));
    }
    named(look, first)
}

/// All that a request names, each asked for like the first.
fn everything(
    call: &mut Call<'_>,
    first: Tagged,
    ids: &[String],
    (access, context): (Access, &Context),
) -> Result<Vec<Tagged>> {
    let mut all = vec![first];
    for (at, id) in ids.iter().enumerate().skip(1) {
        if ids.iter().take(at).any(|known| known == id) {
            continue;
        }
        let found = named(call, id)?;
        all.push(call.authorize(access, found, context.clone())?.into_inner());
    }
    Ok(all)
}

/// Lists the tags of the region's resources.
pub struct DescribeTags;

impl Operation for DescribeTags {
    type Input = model::DescribeTagsRequest;
    type Output = model::DescribeTagsResult;
    type Target = RegionScope;
    const ACCESS: Access = Access::list("ec2:DescribeTags");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<RegionScope>> {
        Ok(RegionScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _target: Authorized<RegionScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let paged = (input.max_results, input.next_token);
        let listing = Listing::read("DescribeTags", input.dry_run, input.filters, paged)?;
        let mut rows: Vec<(String, model::ResourceType, Tags)> = Vec::new();
        for instance in instance::all(call)? {
            rows.push((
                instance.id.clone(),
                model::ResourceType::Instance,
                instance.tags.clone(),
            ));
        }
        for image in image::own(call)? {
            rows.push((image.id.clone(), model::ResourceType::Image, image.tags.clone()));
        }
        for pair in key_pair::all(call)? {
            rows.push((pair.id.clone(), model::ResourceType::KeyPair, pair.tags.clone()));
        }
        let mut found = Vec::new();
        for (id, kind, tags) in rows {
            for (key, value) in tags {
                let passes = listing.filters.pass(|filter| match filter {
                    "key" => Some(vec![key.clone()]),
                    "value" => Some(vec![value.clone()]),
                    "resource-id" => Some(vec![id.clone()]),
                    "resource-type" => Some(vec![kind.as_str().to_owned()]),
                    named => named.strip_prefix("tag:").map(|wanted| {
                        if matches(wanted, &key) {
                            vec![value.clone()]
                        } else {
                            Vec::new()
                        }
                    }),
                })?;
                if passes {
                    found.push((
                        format!("{id}\n{key}"),
                        model::TagDescription {
                            key: Some(key.clone()),
                            resource_id: Some(id.clone()),
                            resource_type: Some(kind),
                            value: Some(value.clone()),
                        },
                    ));
                }
            }
        }
        let (tags, next_token) = listing.page(call, found)?;
        Ok(model::DescribeTagsResult {
            next_token,
            tags: Some(tags),
        })
    }
}
