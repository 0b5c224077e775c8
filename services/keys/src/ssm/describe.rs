//! `DescribeParameters`: what parameters there are, without their values.
//!
//! Invariant: no value is read here.

use api::ssm as model;
use pipeline::resource::AccountScope;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::{Fault, Timestamp};

use crate::ssm::filter::{self, Filters};
use crate::ssm::page::Page;
use crate::ssm::parameter::Parameter;
use crate::ssm::scan::{Step, scan};
use crate::ssm::{name, public};

/// Parameters on a page, at most and unless told.
const PAGE: usize = 50;

/// Lists parameters.
pub struct DescribeParameters;

impl Operation for DescribeParameters {
    type Input = model::DescribeParametersRequest;
    type Output = model::DescribeParametersResult;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("ssm:DescribeParameters");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _all: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let older = input.filters.unwrap_or_default();
        let newer = input.parameter_filters.unwrap_or_default();
        if !older.is_empty() && !newer.is_empty() {
            return Err(Fault::validation(
                "You can use either Filters or ParameterFilters in a single request.",
            ));
        }
        let filters = if older.is_empty() {
            Filters::read(newer, filter::OF_ALL)?
        } else {
            Filters::read_older(older)?
        };
        let list = format!("DescribeParameters {}", filters.summary());
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results, PAGE)?;
        // Nothing is shared between accounts here, so that nothing is shared with the caller.
        if input.shared == Some(true) {
            return Ok(model::DescribeParametersResult {
                parameters: Some(Vec::new()),
                next_token: None,
            });
        }
        let choose = |parameter: &Parameter| {
            if filters.match_all(parameter) {
                Step::Take
            } else {
                Step::Pass
            }
        };
        let (found, next_token) = match filters.public() {
            Some(prefix) => public::scan(call, &prefix, &page, choose)?,
            None => scan(call, "", &page, choose)?,
        };
        let (region, account) = (call.region(), call.account());
        let parameters = found
            .iter()
            .map(|parameter| shown(parameter, name::arn(region, account, &parameter.name)));
        Ok(model::DescribeParametersResult {
            parameters: Some(parameters.collect()),
            next_token,
        })
    }
}

fn shown(parameter: &Parameter, arn: String) -> model::ParameterMetadata {
    let newest = &parameter.newest;
    model::ParameterMetadata {
        name: Some(parameter.name.clone()),
        arn: Some(arn),
        r#type: Some(newest.kind()),
        key_id: newest.key_id.clone(),
        last_modified_date: Some(Timestamp(newest.modified)),
        last_modified_user: newest.shown_by(),
        description: newest.description.clone(),
        allowed_pattern: newest.allowed_pattern.clone(),
        version: Some(newest.shown_number()),
        tier: Some(newest.tier()),
        policies: Some(newest.shown_policies()),
        data_type: Some(newest.data_type.clone()),
    }
}
