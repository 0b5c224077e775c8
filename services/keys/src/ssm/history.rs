//! `GetParameterHistory`: every version that is kept (S10.6).
//!
//! Invariant: versions come oldest first, each with the labels that it bears now.

use api::ssm as model;
use api::ssm::fault::invalid_next_token;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use wire::Timestamp;

use crate::ssm::page::Page;
use crate::ssm::parameter::Named;
use crate::ssm::secure;

/// Versions on a page, at most and unless told.
const PAGE: usize = 50;

/// Lists the versions of a parameter.
pub struct GetParameterHistory;

impl Operation for GetParameterHistory {
    type Input = model::GetParameterHistoryRequest;
    type Output = model::GetParameterHistoryResult;
    type Target = Named;
    const ACCESS: Access = Access::read("ssm:GetParameterHistory");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Named>> {
        Named::read(look, &input.name).map(Named::existing)
    }

    fn handle(call: &mut Call<'_>, named: Authorized<Named>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(named.account());
        let parameter = named.parameter()?;
        let list = format!("GetParameterHistory {}", parameter.name);
        let page = Page::read(call, &list, input.next_token.as_deref(), input.max_results, PAGE)?;
        let after = match &page.after {
            None => 0,
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| invalid_next_token("The specified token isn't valid."))?,
        };
        let mut numbers = parameter.kept.iter().copied().filter(|number| *number > after);
        let chosen: Vec<u64> = numbers.by_ref().take(page.limit).collect();
        let next_token = match (numbers.next(), chosen.last()) {
            (Some(_), Some(last)) => Some(page.next(call, &last.to_string())?),
            _ => None,
        };
        let mut parameters = Vec::new();
        for number in chosen {
            let version = named.numbered(call, &parameter, number)?;
            let labels = parameter.labels_of(number);
            parameters.push(model::ParameterHistory {
                name: Some(parameter.name.clone()),
                r#type: Some(version.kind()),
                key_id: version.key_id.clone(),
                last_modified_date: Some(Timestamp(version.modified)),
                last_modified_user: version.shown_by(),
                description: version.description.clone(),
                allowed_pattern: version.allowed_pattern.clone(),
                version: Some(version.shown_number()),
                labels: Some(labels),
                tier: Some(version.tier()),
                policies: Some(version.shown_policies()),
                data_type: Some(version.data_type.clone()),
                value: Some(secure::show(call, &named.arn(), version, input.with_decryption)?),
            });
        }
        Ok(model::GetParameterHistoryResult {
            parameters: Some(parameters),
            next_token,
        })
    }
}
