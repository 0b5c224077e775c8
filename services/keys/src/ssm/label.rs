//! Labels: names for versions that move from one to the next (Systems Manager User Guide, "Working with parameter labels").
//!
//! Invariant: a label is on one version of its parameter, and a version has ten at most.

use api::ssm as model;
use api::ssm::fault::parameter_version_label_limit_exceeded;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use crate::ssm::parameter::Named;

/// Labels of one version.
const LABELS_MAX: usize = 10;

/// Whether a text can be a label: letters, digits and `.-_`; no digit, `aws` or `ssm` at its start.
fn is_label(text: &str) -> bool {
    let reserved = |word: &str| {
        let head = text.get(..word.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let digit = text.starts_with(|first: char| first.is_ascii_digit());
    text.bytes().all(fits) && !digit && !reserved("aws") && !reserved("ssm")
}

/// Puts labels on a version, and takes them off the versions that had them.
pub struct LabelParameterVersion;

impl Operation for LabelParameterVersion {
    type Input = model::LabelParameterVersionRequest;
    type Output = model::LabelParameterVersionResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:LabelParameterVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Named::own(look, &input.name).map(Named::existing)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut parameter = (*named.parameter()?).clone();
        let asked = input
            .parameter_version
            .map(|number| u64::try_from(number).unwrap_or_default());
        let number = asked.unwrap_or(parameter.newest.number);
        let version = named.numbered(call, &parameter, number)?;
        let (valid, invalid): (Vec<_>, Vec<_>) = input.labels.into_iter().partition(|label| is_label(label));
        for label in valid {
            parameter.labels.insert(label, number);
        }
        if parameter.labels_of(number).len() > LABELS_MAX {
            return Err(parameter_version_label_limit_exceeded(
                "A parameter version can have maximum 10 labels. Move one or more labels to another version and try again.",
            ));
        }
        named.keep(call, parameter)?;
        Ok(model::LabelParameterVersionResult {
            invalid_labels: Some(invalid),
            parameter_version: Some(version.shown_number()),
        })
    }
}

/// Takes labels off a version; labels that it does not bear are told apart.
pub struct UnlabelParameterVersion;

impl Operation for UnlabelParameterVersion {
    type Input = model::UnlabelParameterVersionRequest;
    type Output = model::UnlabelParameterVersionResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:UnlabelParameterVersion");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Named::own(look, &input.name).map(Named::existing)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut parameter = (*named.parameter()?).clone();
        let number = u64::try_from(input.parameter_version).unwrap_or_default();
        named.numbered(call, &parameter, number)?;
        let labels = input.labels.into_iter();
        let (borne, others): (Vec<_>, Vec<_>) =
            labels.partition(|label| parameter.labels.get(label) == Some(&number));
        for label in &borne {
            parameter.labels.remove(label);
        }
        named.keep(call, parameter)?;
        Ok(model::UnlabelParameterVersionResult {
            removed_labels: Some(borne),
            invalid_labels: Some(others),
        })
    }
}
