//! Deleting parameters. There is no way back, and the next parameter of the name begins with version 1.
//!
//! Invariant: what is deleted takes its versions, labels, tags and plans along.

use std::collections::BTreeSet;

use api::ssm as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use crate::ssm::parameter::Named;

const DELETE_PARAMETERS: Access = Access::write("ssm:DeleteParameters");

/// Deletes one parameter.
pub struct DeleteParameter;

impl Operation for DeleteParameter {
    type Input = model::DeleteParameterRequest;
    type Output = model::DeleteParameterResult;
    type Target = Named;
    const ACCESS: Access = Access::write("ssm:DeleteParameter");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Named::own(look, input.name.trim_matches(' ')).map(Named::existing)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, _input: Self::Input) -> Result<Self::Output> {
        named.remove(call)?;
        Ok(model::DeleteParameterResult::default())
    }
}

/// Deletes up to ten parameters; names that no parameter bears are told apart.
pub struct DeleteParameters;

impl Operation for DeleteParameters {
    type Input = model::DeleteParametersRequest;
    type Output = model::DeleteParametersResult;
    type Target = Named;
    const ACCESS: Access = DELETE_PARAMETERS;
    const ALSO: &'static [Access] = &[DELETE_PARAMETERS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        let first = input.names.first().map(String::as_str);
        Named::own(look, first.unwrap_or_default()).map(Found::Here)
    }

    fn handle(call: &mut Call<'_>, first: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        let mut granted = vec![first];
        for name in input.names.iter().skip(1) {
            let named = Named::own(call, name)?;
            granted.push(call.authorize(DELETE_PARAMETERS, Found::Here(named), Context::default())?);
        }
        let (mut deleted, mut invalid, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (name, named) in input.names.into_iter().zip(granted) {
            if !seen.insert(name.clone()) {
                continue;
            }
            if named.present.is_some() {
                named.remove(call)?;
                deleted.push(name);
            } else {
                invalid.push(name);
            }
        }
        Ok(model::DeleteParametersResult {
            deleted_parameters: Some(deleted),
            invalid_parameters: Some(invalid),
        })
    }
}
