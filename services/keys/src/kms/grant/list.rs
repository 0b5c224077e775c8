//! `ListGrants` and `ListRetirableGrants`.

use api::kms as model;
use api::kms::fault::invalid_grant_id_exception;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;

use super::{GRANTS, RETIRABLE, all};
use crate::kms::key::{self, KeyTarget, Ring};
use crate::kms::naming::{Reach, resolve};
use crate::kms::page::Page;

/// Grants on a page: unless told, and at most.
const SIZES: (usize, usize) = (50, 100);

/// What a grant keeps in place of a name.
fn kept(look: &mut Look<'_>, name: String) -> Result<String> {
    let id = look.directory().principal_id(look, &name)?;
    Ok(id.unwrap_or(name))
}

/// Lists the grants of a key.
pub struct ListGrants;

impl Operation for ListGrants {
    type Input = model::ListGrantsRequest;
    type Output = model::ListGrantsResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::list("kms:ListGrants");
    const CONDITIONS: &'static [&'static str] = &["kms:GrantIsForAWSResource"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Arn)
    }

    fn conditions(_input: &Self::Input, context: &mut Context) {
        context.insert("kms:GrantIsForAWSResource", "false");
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Self::Output> {
        call.share_with(&key.account);
        let page = Page::read(
            call,
            &format!("ListGrants {}", key.id),
            input.marker.as_deref(),
            input.limit,
            SIZES,
        )?;
        if let Some(id) = &input.grant_id
            && call.get(&GRANTS, &super::row(&key, id))?.is_none()
        {
            return Err(invalid_grant_id_exception(format!("Grant ID {id} not found")));
        }
        let arn = key.arn();
        if input.grantee_principal.is_some() && input.grantee_service_principal.is_some() {
            return Err(Fault::validation(
                "Specify either GranteePrincipal or GranteeServicePrincipal.",
            ));
        }
        let grantee = input.grantee_principal.or(input.grantee_service_principal);
        let grantee = grantee.map(|name| kept(call, name)).transpose()?;
        let after = page.after.clone();
        let grants = all(call, &key, after.as_deref())?.into_iter().filter(|grant| {
            input.grant_id.as_ref().is_none_or(|id| *id == grant.id)
                && grantee.as_ref().is_none_or(|grantee| *grantee == grant.grantee)
        });
        let mut shown = Vec::new();
        for grant in grants.take(page.limit + 1) {
            shown.push((grant.id.clone(), grant.shown(call, &arn)?));
        }
        let paged = page.close(call, shown.into_iter())?;
        Ok(model::ListGrantsResponse {
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
            grants: Some(paged.items),
        })
    }
}

/// Lists the grants in the account and region that a principal may retire.
pub struct ListRetirableGrants;

impl Operation for ListRetirableGrants {
    type Input = model::ListRetirableGrantsRequest;
    type Output = model::ListGrantsResponse;
    type Target = Ring;
    const ACCESS: Access = Access::list("kms:ListRetirableGrants");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Ring>> {
        Ok(Ring::of(look))
    }

    fn handle(call: &mut Call<'_>, _ring: Authorized<Ring>, input: Self::Input) -> Result<Self::Output> {
        if input.retiring_principal.is_some() && input.retiring_service_principal.is_some() {
            return Err(Fault::validation(
                "Specify either RetiringPrincipal or RetiringServicePrincipal.",
            ));
        }
        let retiring = input.retiring_principal.or(input.retiring_service_principal);
        let retiring = retiring.ok_or_else(|| Fault::validation("RetiringPrincipal is required."))?;
        let retiring = kept(call, retiring)?;
        let list = format!("ListRetirableGrants {retiring}");
        let page = Page::read(call, &list, input.marker.as_deref(), input.limit, SIZES)?;
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let after = page.after.as_deref().and_then(|after| after.split_once('/'));
        let after = after.map(|(key, grant)| {
            (
                account.clone(),
                region.clone(),
                retiring.clone(),
                key.to_owned(),
                grant.to_owned(),
            )
        });
        let prefix = (account.as_str(), region.as_str(), retiring.as_str());
        let rows = call.range(&RETIRABLE, &prefix, after.as_ref(), page.limit + 1)?;
        let mut grants = Vec::new();
        for ((account, region, _, key, id), _) in rows {
            let arn = key::arn(&region, &account, &key);
            let place = format!("{key}/{id}");
            if let Some(grant) = call.get(&GRANTS, &(account, region, key, id))? {
                grants.push((place, grant.shown(call, &arn)?));
            }
        }
        let paged = page.close(call, grants.into_iter())?;
        Ok(model::ListGrantsResponse {
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
            grants: Some(paged.items),
        })
    }
}
