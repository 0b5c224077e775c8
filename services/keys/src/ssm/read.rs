//! Reading parameters by name (S10.2, S10.3).
//!
//! Invariant: a value is read only for a caller who is allowed to read its parameter, each parameter by itself.

use std::collections::BTreeSet;

use api::ssm as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::fault::Code;
use wire::{Fault, Timestamp};

use crate::ssm::parameter::{Named, Version};
use crate::ssm::secure;

const GET_PARAMETERS: Access = Access::read("ssm:GetParameters");

/// A version on the wire. `suffix` is the selector of the request.
pub(crate) fn shown(
    call: &mut Call<'_>,
    (arn, name, suffix): (String, String, Option<String>),
    version: Version,
    decrypt: Option<bool>,
) -> Result<model::Parameter> {
    Ok(model::Parameter {
        name: Some(name),
        selector: suffix,
        r#type: Some(version.kind()),
        version: Some(version.shown_number()),
        last_modified_date: Some(Timestamp(version.modified)),
        data_type: Some(version.data_type.clone()),
        value: Some(secure::show(call, &arn, version, decrypt)?),
        arn: Some(arn),
        source_result: None,
    })
}

fn read(call: &mut Call<'_>, named: &Named, decrypt: Option<bool>) -> Result<model::Parameter> {
    if let Some(secret) = &named.reference {
        return secret.read(call, decrypt);
    }
    call.share_with(named.account());
    let version = named.version(call)?;
    let name = named.parameter()?.name.clone();
    shown(call, (named.arn(), name, named.suffix.clone()), version, decrypt)
}

fn is_absent(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::Modeled {
            shape: "ParameterNotFound",
            ..
        }
    )
}

/// Reads one parameter.
pub struct GetParameter;

impl Operation for GetParameter {
    type Input = model::GetParameterRequest;
    type Output = model::GetParameterResult;
    type Target = Named;
    const ACCESS: Access = Access::read("ssm:GetParameter");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Named::read(look, &input.name).map(Named::existing)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        Ok(model::GetParameterResult {
            parameter: Some(read(call, &named, input.with_decryption)?),
        })
    }
}

/// Reads up to ten parameters. Names that lead nowhere are told apart, once the caller may ask for them.
pub struct GetParameters;

impl Operation for GetParameters {
    type Input = model::GetParametersRequest;
    type Output = model::GetParametersResult;
    type Target = Named;
    const ACCESS: Access = GET_PARAMETERS;
    const ALSO: &'static [Access] = &[GET_PARAMETERS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        let first = input.names.first().map(String::as_str);
        Named::read(look, first.unwrap_or_default()).map(Found::Here)
    }

    fn handle(call: &mut Call<'_>, first: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut granted = vec![first];
        for name in input.names.iter().skip(1) {
            let named = Named::read(call, name)?;
            granted.push(call.authorize(GET_PARAMETERS, Found::Here(named), Context::default())?);
        }
        let (mut parameters, mut invalid, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, named) in input.names.into_iter().zip(granted) {
            if !seen.insert(name.clone()) {
                continue;
            }
            let refers = named.reference.is_some();
            if !refers && (named.present.is_none() || named.version(call).is_err()) {
                invalid.push(name);
                continue;
            }
            match read(call, &named, input.with_decryption) {
                Ok(parameter) => parameters.push(parameter),
                // A secret that is not there is told apart like a parameter that is not.
                Err(fault) if refers && is_absent(&fault) => invalid.push(name),
                Err(fault) => return Err(fault),
            }
        }
        Ok(model::GetParametersResult {
            parameters: Some(parameters),
            invalid_parameters: Some(invalid),
        })
    }
}
