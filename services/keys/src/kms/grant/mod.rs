//! Grants: leave to use a key, given to one principal for some operations, and perhaps for one encryption context (S8.40 to S8.42).
//!
//! A grant allows and never denies. The evaluator reads the grants of a key with its policy; a token only names a grant, since here
//! every grant counts from the call on that made it.
//!
//! Invariant: a key's row counts its grants and is rewritten with every change of them, so that what was compiled is dropped.

mod create;
mod list;
mod retire;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::kms as model;
use api::kms::fault::invalid_grant_token_exception;
use pipeline::{Access, Call, Identity, Look, Result};
use policy::{Grant, Principal};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use crate::kms::key::Key;
use crate::kms::principal::{self, Names};

pub use create::CreateGrant;
pub use list::{ListGrants, ListRetirableGrants};
pub use retire::{RetireGrant, RevokeGrant};

const CREATE: Access = Access::permissions("kms:CreateGrant");
const TOKEN: &str = "kms.grant";
/// Rows that are read in one step.
const STRIDE: usize = 1000;

/// A grant on a key. Principals are unique ids of users and roles, other ARNs, account numbers, or names of services.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGrant {
    pub id: String,
    pub name: Option<String>,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub grantee: String,
    pub retiring: Option<String>,
    /// The ARN of the root of the account in whose name it was made.
    pub issuer: String,
    /// As KMS spells them.
    pub operations: Vec<String>,
    pub context_equals: Option<BTreeMap<String, String>>,
    pub context_subset: Option<BTreeMap<String, String>>,
    pub source_arn: Option<String>,
    /// The ARNs of the users and roles that are kept by their unique ids.
    #[serde(default)]
    pub principals: Names,
}

store::record!(KeyGrant, 1);

/// A grant's place in the index of those who may retire it.
#[derive(Clone, Serialize, Deserialize)]
struct Present;

store::record!(Present, 1);

/// By account, region, key id and grant id.
static GRANTS: Table<(String, String, String, String), KeyGrant> = Table::new(0x0205, "kms.grants");

/// By account, region, retiring principal, key id and grant id.
static RETIRABLE: Table<(String, String, String, String, String), Present> =
    Table::new(0x0206, "kms.retirable");

impl KeyGrant {
    /// As the evaluator takes it.
    fn compiled(&self) -> Grant {
        Grant {
            id: self.id.clone(),
            grantee: self.grantee.clone(),
            operations: self.operations.clone(),
            context_equals: self.context_equals.clone(),
            context_subset: self.context_subset.clone(),
            source_arn: self.source_arn.clone(),
        }
    }

    /// As answers show it, with ARNs for the principals that are still there.
    fn shown(&self, look: &mut Look<'_>, key: &str) -> Result<model::GrantListEntry> {
        let names = principal::present(look, &self.principals)?;
        let constrained =
            self.context_equals.is_some() || self.context_subset.is_some() || self.source_arn.is_some();
        let split = |name: &str| {
            let name = Some(names.get(name).map_or(name, String::as_str).to_owned());
            if is_service(name.as_deref()) {
                (None, name)
            } else {
                (name, None)
            }
        };
        let (grantee, grantee_service) = split(&self.grantee);
        let (retiring, retiring_service) = self.retiring.as_deref().map(split).unwrap_or_default();
        Ok(model::GrantListEntry {
            constraints: constrained.then(|| model::GrantConstraints {
                encryption_context_equals: self.context_equals.clone(),
                encryption_context_subset: self.context_subset.clone(),
                source_arn: self.source_arn.clone(),
            }),
            creation_date: Some(Timestamp(self.created)),
            grant_id: Some(self.id.clone()),
            grantee_principal: grantee,
            grantee_service_principal: grantee_service,
            issuing_account: Some(self.issuer.clone()),
            key_id: Some(key.to_owned()),
            name: self.name.clone(),
            operations: Some(
                self.operations
                    .iter()
                    .filter_map(|name| model::GrantOperation::parse(name))
                    .collect(),
            ),
            retiring_principal: retiring,
            retiring_service_principal: retiring_service,
        })
    }
}

/// Whether a principal is a service, which has its own members in answers.
fn is_service(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.ends_with(".amazonaws.com"))
}

type Row = (String, String, String, String);

fn row(key: &Key, grant: &str) -> Row {
    (
        key.account.clone(),
        key.region.clone(),
        key.id.clone(),
        grant.to_owned(),
    )
}

/// All grants of a key, behind the one with the id `after`.
fn all(look: &mut Look<'_>, key: &Key, after: Option<&str>) -> Result<Vec<Arc<KeyGrant>>> {
    let mut found = Vec::new();
    let mut after = after.map(|id| row(key, id));
    loop {
        let prefix = (key.account.as_str(), key.region.as_str(), key.id.as_str());
        let rows = look.range(&GRANTS, &prefix, after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        for (at, grant) in rows {
            found.push(grant);
            after = Some(at);
        }
        if !full {
            return Ok(found);
        }
    }
}

/// All grants of a key as the evaluator takes them.
pub(crate) fn compiled(look: &mut Look<'_>, key: &Key) -> Result<Arc<[Grant]>> {
    Ok(all(look, key, None)?
        .iter()
        .map(|grant| grant.compiled())
        .collect())
}

/// The same with ARNs in place of ids.
pub(crate) fn named(look: &mut Look<'_>, key: &Key) -> Result<Arc<[Grant]>> {
    let mut grants = Vec::new();
    for grant in all(look, key, None)? {
        let names = principal::present(look, &grant.principals)?;
        let mut compiled = grant.compiled();
        if let Some(arn) = names.get(&compiled.grantee) {
            compiled.grantee.clone_from(arn);
        }
        grants.push(compiled);
    }
    Ok(grants.into())
}

/// Grants of a key up to which all of them are judged, and named in the record of the call.
const JUDGED_ALL_MAX: usize = 32;

/// Of many grants, those that may concern a caller, so that neither the decision nor its record grows with the grants of others.
pub(crate) fn concerning(grants: Arc<[Grant]>, caller: Option<&Identity>) -> Arc<[Grant]> {
    let Some(caller) = caller.filter(|_| grants.len() > JUDGED_ALL_MAX) else {
        return grants;
    };
    let names: [&str; 3] = match &caller.principal {
        Principal::User { arn, id, .. } => [arn, id, id],
        Principal::AssumedRole {
            arn,
            role_arn,
            role_id,
            ..
        } => [arn, role_arn, role_id],
        Principal::FederatedUser { arn, user_arn, .. } => [arn, user_arn, user_arn],
        Principal::Service { name } => [name, name, name],
        Principal::Root { account } => [account, account, account],
        Principal::Federated { .. } | Principal::Anonymous => return grants,
    };
    let account = caller.principal.account().unwrap_or_default();
    let root = format!("arn:aws:iam::{account}:root");
    let concerns = |grant: &&Grant| {
        let grantee = grant.grantee.as_str();
        names.contains(&grantee) || grantee == account || grantee == root
    };
    grants.iter().filter(concerns).cloned().collect()
}

/// Takes a grant away. The key's row is the caller's to rewrite.
fn remove(call: &mut Call<'_>, key: &Key, grant: &KeyGrant) -> Result<()> {
    if let Some(retiring) = &grant.retiring {
        let place = (
            key.account.as_str(),
            key.region.as_str(),
            retiring.as_str(),
            key.id.as_str(),
            grant.id.as_str(),
        );
        call.delete(&RETIRABLE, &place)?;
    }
    call.delete(&GRANTS, &row(key, &grant.id))
}

/// Takes all grants of a key away, which is about to be destroyed.
pub(crate) fn forget(call: &mut Call<'_>, key: &Key) -> Result<()> {
    for grant in all(call, key, None)? {
        remove(call, key, &grant)?;
    }
    Ok(())
}

/// The token of a grant.
fn token(look: &Look<'_>, key: &Key, grant: &str) -> Result<String> {
    let payload = format!("{}/{}/{}/{grant}", key.account, key.region, key.id);
    look.issue_token(TOKEN, payload.as_bytes())
}

/// The grant that a token names, if the token is one of ours for this region.
fn of_token(look: &Look<'_>, token: &str) -> Result<Row> {
    let invalid = || invalid_grant_token_exception("The grant token is invalid.");
    let payload = look.open_token(TOKEN, token).ok_or_else(invalid)?;
    let mut parts = payload
        .expose_text()
        .map_err(|_| invalid())?
        .split('/')
        .map(str::to_owned);
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(account), Some(region), Some(key), Some(grant)) if region == look.region() => {
            Ok((account, region, key, grant))
        }
        _ => Err(invalid()),
    }
}

/// Refuses tokens that name no grant. What they name counts already.
pub(crate) fn check_tokens(look: &mut Look<'_>, tokens: Option<&[String]>) -> Result<()> {
    for token in tokens.unwrap_or_default() {
        let row = of_token(look, token)?;
        if look.get(&GRANTS, &row)?.is_none() {
            return Err(invalid_grant_token_exception("The grant token is invalid."));
        }
    }
    Ok(())
}
