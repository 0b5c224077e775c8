//! Tags of parameters, which policies can ask for (`aws:ResourceTag/…`).
//!
//! Invariant: of the resource types that can be tagged only parameters exist here; any other resource is one that is not there.

use std::collections::BTreeMap;

use api::ssm as model;
use api::ssm::fault::{invalid_resource_id, too_many_tags_error};
use model::ResourceTypeForTagging as Kind;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;

use crate::ssm::parameter::Named;
use crate::ssm::public;

/// What it takes to tag a parameter, at its making or later.
pub(crate) const TAG: Access = Access::tagging("ssm:AddTagsToResource");
/// Tags of one parameter (Systems Manager User Guide, "Tagging your resources").
const TAGS_MAX: usize = 50;

/// Sets the condition keys of the tags in a request.
pub(crate) fn requested(tags: &[model::Tag], context: &mut Context) {
    // More than a parameter can have are refused anyway, and would only make the decision long.
    let tags = tags.get(..TAGS_MAX + 1).unwrap_or(tags);
    for tag in tags {
        context.insert(format!("aws:RequestTag/{}", tag.key), tag.value.clone());
    }
    if !tags.is_empty() {
        context.insert_many("aws:TagKeys", tags.iter().map(|tag| tag.key.clone()));
    }
}

/// Reads the tags of a request.
pub(crate) fn read(call: &Call<'_>, tags: Vec<model::Tag>) -> Result<BTreeMap<String, String>> {
    let mut read = BTreeMap::new();
    for tag in tags {
        expect_own(call, &tag.key)?;
        if read.insert(tag.key, tag.value).is_some() {
            return Err(Fault::validation("A tag key was given more than once."));
        }
    }
    expect_few(&read)?;
    Ok(read)
}

fn expect_few(tags: &BTreeMap<String, String>) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(too_many_tags_error(format!(
            "A parameter can have {TAGS_MAX} tags."
        )));
    }
    Ok(())
}

/// AWS keeps names that begin with `aws:` for itself, and for services such as CloudFormation.
fn expect_own(call: &Call<'_>, key: &str) -> Result<()> {
    let head = key.get(.."aws:".len()).filter(|_| call.made_by().is_none());
    if head.is_some_and(|head| head.eq_ignore_ascii_case("aws:")) {
        return Err(Fault::validation(
            "Tag keys that begin with aws: are reserved for AWS use.",
        ));
    }
    Ok(())
}

/// The parameter that a type and an id name. Nothing of the other types exists, which their ARNs are judged for first.
fn find(look: &mut Look<'_>, kind: Kind, id: &str) -> Result<Found<Named>> {
    let absent = |arn: String| Found::Absent {
        arn,
        fault: invalid_resource_id(
            "The resource ID isn't valid. Verify that you entered the correct ID and try again.",
        ),
    };
    let place = match kind {
        Kind::Parameter => {
            let named = Named::exactly(look, id)?;
            if named.is_public() {
                return Ok(absent(named.arn()));
            }
            return Ok(match named.existing() {
                Found::Absent { arn, .. } => absent(arn),
                here @ Found::Here(_) => here,
            });
        }
        Kind::Document => "document",
        Kind::ManagedInstance => "managed-instance",
        Kind::MaintenanceWindow => "maintenancewindow",
        Kind::PatchBaseline => "patchbaseline",
        Kind::OpsItem => "opsitem",
        Kind::OpsMetadata => "opsmetadata",
        Kind::Automation => "automation-execution",
        Kind::Association => "association",
        Kind::CloudConnector => "cloud-connector",
    };
    let (region, account) = (look.region(), look.account());
    Ok(absent(format!("arn:aws:ssm:{region}:{account}:{place}/{id}")))
}

/// Adds tags, or gives those that are there another value.
pub struct AddTagsToResource;

impl Operation for AddTagsToResource {
    type Input = model::AddTagsToResourceRequest;
    type Output = model::AddTagsToResourceResult;
    type Target = Named;
    const ACCESS: Access = TAG;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        public::expect_own(&input.resource_id)?;
        find(look, input.resource_type, &input.resource_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        requested(&input.tags, context);
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut parameter = (*named.parameter()?).clone();
        parameter.tags.extend(read(call, input.tags)?);
        expect_few(&parameter.tags)?;
        named.keep(call, parameter)?;
        Ok(model::AddTagsToResourceResult::default())
    }
}

/// Removes tags; keys that no tag bears are passed over.
pub struct RemoveTagsFromResource;

impl Operation for RemoveTagsFromResource {
    type Input = model::RemoveTagsFromResourceRequest;
    type Output = model::RemoveTagsFromResourceResult;
    type Target = Named;
    const ACCESS: Access = Access::tagging("ssm:RemoveTagsFromResource");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        public::expect_own(&input.resource_id)?;
        find(look, input.resource_type, &input.resource_id)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.iter().cloned());
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut parameter = (*named.parameter()?).clone();
        for key in &input.tag_keys {
            expect_own(call, key)?;
            parameter.tags.remove(key);
        }
        named.keep(call, parameter)?;
        Ok(model::RemoveTagsFromResourceResult::default())
    }
}

/// Lists a parameter's tags.
pub struct ListTagsForResource;

impl Operation for ListTagsForResource {
    type Input = model::ListTagsForResourceRequest;
    type Output = model::ListTagsForResourceResult;
    type Target = Named;
    const ACCESS: Access = Access::list("ssm:ListTagsForResource");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        find(look, input.resource_type, &input.resource_id)
    }

    fn handle(_call: &mut Call<'_>, named: Authorized<Named>, _input: Self::Input) -> Result<Self::Output> {
        let parameter = named.parameter()?;
        let tags = parameter.tags.iter().map(|(key, value)| model::Tag {
            key: key.clone(),
            value: value.clone(),
        });
        Ok(model::ListTagsForResourceResult {
            tag_list: Some(tags.collect()),
        })
    }
}
