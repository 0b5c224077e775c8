//! `PutParameter`: makes a parameter, or a parameter's next version.
//!
//! Invariant: a new version is complete: what the request leaves out was taken over from the version before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::ssm as model;
use api::ssm::fault::{
    invalid_allowed_pattern_exception, parameter_already_exists, parameter_limit_exceeded,
    parameter_max_version_limit_exceeded, parameter_pattern_mismatch_exception,
};
use model::{ParameterTier, ParameterType};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::Fault;
use wire::constraints::Pattern;

use crate::ssm::parameter::{Named, Parameter, Stored, VERSIONS, VERSIONS_MAX, Version, count, recount};
use crate::ssm::policies::{self, Policy, Rule};
use crate::ssm::{image, name, plan, secure, setting, tag};

/// Bytes of a value, by tier (S10.12; Systems Manager API Reference, `PutParameter`).
const VALUE_MAX: (usize, usize) = (4096, 8192);
/// Parameters of one account and region, by tier (S10.12).
const COUNT_MAX: (u64, u64) = (10_000, 100_000);
const ADVANCED_PAGE: &str =
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html";

/// Makes or overwrites a parameter.
pub struct PutParameter;

impl Operation for PutParameter {
    type Input = model::PutParameterRequest;
    type Output = model::PutParameterResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:PutParameter");
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "ssm:Overwrite",
        "ssm:Policies",
    ];
    const ALSO: &'static [Access] = &[tag::TAG, image::DESCRIBE_IMAGES];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        let name = name::expect_new(look, &input.name)?;
        Named::exactly(look, name).map(Found::Here)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let flag = |value: bool| if value { "true" } else { "false" };
        context.insert("ssm:Overwrite", flag(input.overwrite.unwrap_or(false)));
        context.insert("ssm:Policies", flag(input.policies.is_some()));
        tag::requested(input.tags.as_deref().unwrap_or_default(), context);
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, mut input: Self::Input) -> Result<Self::Output> {
        check(&named, &input)?;
        let tags = match input.tags.take().filter(|tags| !tags.is_empty()) {
            None => Vec::new(),
            Some(tags) => {
                let mut context = Context::default();
                tag::requested(&tags, &mut context);
                call.also(tag::TAG, &named.arn(), named.account(), context)?;
                tags
            }
        };
        let tags = tag::read(call, tags)?;
        let mut next = draft(call, &named, &input)?;
        next.advanced = choose_tier(call, named.present.as_deref(), &next, &input)?;
        let written = if next.data_type == image::DATA_TYPE {
            next.value = Stored::Clear(input.value.clone());
            image::postpone(call, &named, next, &input.value, tags)?
        } else {
            next.value = secure::store(call, &named.arn(), &next, input.value)?;
            write(call, &named, next, tags)?
        };
        Ok(model::PutParameterResult {
            version: Some(written.shown_number()),
            tier: Some(written.tier()),
        })
    }
}

/// Makes a version the parameter's newest, or the parameter with its first one; tells the version with its number.
pub(crate) fn write(
    call: &mut Call<'_>,
    named: &Named,
    mut next: Version,
    tags: BTreeMap<String, String>,
) -> Result<Version> {
    let before = named.present.clone();
    let mut parameter = match &before {
        None => Parameter {
            name: named.name.clone(),
            newest: next.clone(),
            kept: Vec::new(),
            labels: BTreeMap::new(),
            tags,
            jobs: Vec::new(),
        },
        Some(before) => succeed(call, named, before, &mut next)?,
    };
    parameter.jobs = plan::plan(call, &parameter.name, &next)?;
    parameter.kept.push(next.number);
    parameter.newest = next.clone();
    recount(
        call,
        before.map(|before| before.newest.advanced),
        Some(next.advanced),
    )?;
    named.keep(call, parameter)?;
    Ok(next)
}

/// What a request may not say, whatever there is.
fn check(named: &Named, input: &model::PutParameterRequest) -> Result<()> {
    let overwrite = input.overwrite.unwrap_or(false);
    if input.value.is_empty() {
        return Err(Fault::validation(
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have length greater \
             than or equal to 1.",
        ));
    }
    if overwrite && input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
        return Err(Fault::validation(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove \
             overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.",
        ));
    }
    let nested = input
        .value
        .split_once("{{")
        .is_some_and(|(_, rest)| rest.contains("}}"));
    if nested {
        return Err(Fault::validation(
            "Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.",
        ));
    }
    match input.data_type.as_deref() {
        None | Some("text" | "aws:ssm:integration" | image::DATA_TYPE) => {}
        Some(other) => {
            return Err(Fault::validation(format!(
                "The following data type is not supported: {other} (Data type names are all lowercase.)"
            )));
        }
    }
    if named.present.is_some() && !overwrite {
        return Err(parameter_already_exists(
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    Ok(())
}

/// The version that a request makes, but for its tier and its value.
fn draft(call: &Call<'_>, named: &Named, input: &model::PutParameterRequest) -> Result<Version> {
    let last = named.present.as_deref().map(|parameter| &parameter.newest);
    let Some(kind) = input.r#type.or(last.map(Version::kind)) else {
        return Err(Fault::validation(
            "A parameter type is required when you create a parameter.",
        ));
    };
    let mut next = Version::new(kind, Stored::Clear(String::new()));
    if let Some(last) = last {
        next.description.clone_from(&last.description);
        next.allowed_pattern.clone_from(&last.allowed_pattern);
        next.data_type.clone_from(&last.data_type);
        next.policies = kept_policies(&last.policies);
    }
    let given = |text: &Option<String>| {
        text.clone()
            .map(|text| Some(text).filter(|text| !text.is_empty()))
    };
    if let Some(description) = given(&input.description) {
        next.description = description;
    }
    if let Some(pattern) = given(&input.allowed_pattern) {
        next.allowed_pattern = pattern;
    }
    if let Some(data_type) = &input.data_type {
        next.data_type.clone_from(data_type);
    }
    if let Some(text) = &input.policies {
        next.policies = policies::read(text, call.now)?;
    }
    next.key_id = match (kind, &input.key_id) {
        (ParameterType::SecureString, id) => {
            Some(id.clone().unwrap_or_else(|| secure::DEFAULT_KEY.to_owned()))
        }
        (_, Some(_)) => {
            return Err(Fault::validation(
                "KeyId is required for SecureString type parameter only.",
            ));
        }
        (_, None) => None,
    };
    next.modified = call.now.0;
    next.by = call.identity.arn.to_string();
    expect_pattern(next.allowed_pattern.as_deref(), &input.value)?;
    Ok(next)
}

/// Policies that an update leaves as they are. The wait for a change begins again with each change.
fn kept_policies(policies: &[Policy]) -> Vec<Policy> {
    let mut kept = policies.to_vec();
    for policy in &mut kept {
        if matches!(policy.rule, Rule::NoChangeNotification(_)) {
            policy.finished = false;
        }
    }
    kept
}

fn expect_pattern(pattern: Option<&str>, value: &str) -> Result<()> {
    let Some(source) = pattern else { return Ok(()) };
    let pattern = Pattern::new(source).map_err(|error| {
        invalid_allowed_pattern_exception(format!("The allowed pattern is not valid: {error}."))
    })?;
    if pattern.matches(value) {
        return Ok(());
    }
    let message = format!("Parameter value, cannot be validated against allowedPattern: {source}");
    Err(parameter_pattern_mismatch_exception(message))
}

/// Whether the version is advanced: by the request, the region's default tier, or what the version needs.
fn choose_tier(
    call: &mut Call<'_>,
    before: Option<&Parameter>,
    next: &Version,
    input: &model::PutParameterRequest,
) -> Result<bool> {
    let was_advanced = before.is_some_and(|before| before.newest.advanced);
    let asked = match input.tier {
        Some(tier) => tier,
        None if was_advanced => ParameterTier::Advanced,
        None => setting::default_tier(call)?,
    };
    let count = count(call)?;
    let fresh = before.is_none();
    let standard_full = fresh && count.standard >= COUNT_MAX.0;
    let needs = input.value.len() > VALUE_MAX.0 || !next.policies.is_empty();
    let advanced = match asked {
        ParameterTier::Standard => false,
        ParameterTier::Advanced => true,
        ParameterTier::IntelligentTiering => was_advanced || needs || standard_full,
    };
    if was_advanced && !advanced {
        return Err(Fault::validation(format!(
            "This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to \
             the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard \
             parameter. For more information, see {ADVANCED_PAGE}"
        )));
    }
    if !advanced && input.value.len() > VALUE_MAX.0 {
        return Err(Fault::validation(format!(
            "Standard tier parameters support a maximum parameter value of {} characters. To create a larger parameter value, \
             upgrade the parameter to use the advanced-parameter tier. For more information, see {ADVANCED_PAGE}",
            VALUE_MAX.0
        )));
    }
    if input.value.len() > VALUE_MAX.1 {
        return Err(Fault::validation(format!(
            "Advanced tier parameters support a maximum parameter value of {} characters.",
            VALUE_MAX.1
        )));
    }
    if !advanced && !next.policies.is_empty() {
        return Err(Fault::validation(format!(
            "Standard tier parameters don't support parameter policies. To use a policy, upgrade the parameter to use the \
             advanced-parameter tier. For more information, see {ADVANCED_PAGE}"
        )));
    }
    let grows = fresh || (advanced && !was_advanced);
    let full = if advanced {
        count.advanced >= COUNT_MAX.1
    } else {
        standard_full
    };
    if grows && full {
        let most = if advanced { COUNT_MAX.1 } else { COUNT_MAX.0 };
        return Err(parameter_limit_exceeded(format!(
            "The account has {most} parameters of this tier in the region already."
        )));
    }
    Ok(advanced)
}

/// The parameter without the plans of its last version, which gets a row of its own; the oldest one goes when there are too many.
fn succeed(
    call: &mut Call<'_>,
    named: &Named,
    before: &Arc<Parameter>,
    next: &mut Version,
) -> Result<Parameter> {
    let mut parameter = Parameter::clone(before);
    let (account, region) = (named.account().to_owned(), call.region().to_owned());
    let row = |number| (account.as_str(), region.as_str(), before.name.as_str(), number);
    if parameter.kept.len() >= VERSIONS_MAX {
        let oldest = parameter.kept.remove(0);
        if !parameter.labels_of(oldest).is_empty() {
            return Err(parameter_max_version_limit_exceeded(format!(
                "You attempted to create a new version of {} by calling the PutParameter API with the overwrite flag. Version \
                 {oldest}, the oldest version, can't be deleted because it has a label associated with it. Move the label to \
                 another version of the parameter, and try again.",
                before.name
            )));
        }
        call.delete(&VERSIONS, &row(oldest))?;
    }
    for job in parameter.jobs.drain(..) {
        call.unschedule(&job)?;
    }
    call.put(&VERSIONS, &row(before.newest.number), before.newest.clone())?;
    next.number = before.newest.number + 1;
    Ok(parameter)
}
