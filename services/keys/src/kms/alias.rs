//! Aliases: names for keys that stay while the keys behind them change (S8.54).
//!
//! Invariant: an alias stands twice, in its own row (which names lead to) and in its key's row (which conditions and lists read), and
//! both change together.

use std::sync::Arc;

use api::kms as model;
use api::kms::fault::{already_exists_exception, limit_exceeded_exception, not_found_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use crate::kms::key::{KEYS, Key, KeyTarget, Ring, to_change};
use crate::kms::naming::{self, Reach, resolve};
use crate::kms::page::Page;

const CREATE: Access = Access::write("kms:CreateAlias");
const UPDATE: Access = Access::write("kms:UpdateAlias");
const DELETE: Access = Access::write("kms:DeleteAlias");
/// Aliases of one key (KMS Developer Guide, "Resource quotas").
const ALIASES_MAX: usize = 50;

/// A name for a key.
#[derive(Clone, Serialize, Deserialize)]
pub struct Alias {
    /// The id of the key.
    pub target: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    /// Milliseconds since the epoch.
    pub updated: i64,
}

store::record!(Alias, 1);

/// By account, region and name, `alias/` included.
pub static ALIASES: Table<(String, String, String), Alias> = Table::new(0x0202, "kms.aliases");

/// `arn:aws:kms:REGION:ACCOUNT:alias/NAME`
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{name}")
}

/// An alias as a request names it, whether there is one or not.
pub struct AliasName {
    account: Arc<str>,
    arn: String,
    /// The alias that bears the name.
    present: Option<Arc<Alias>>,
}

impl Resource for AliasName {
    const TYPE: &'static str = "AWS::KMS::Alias";

    fn arn(&self) -> String {
        self.arn.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        context.insert("kms:CallerAccount", self.account.to_string());
    }
}

/// Checks a name that a caller chose.
fn expect_name(name: &str) -> Result<()> {
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(Fault::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest == "aws" || rest.starts_with("aws/") {
        // AWS keeps these for its own keys; the code is none of the model's.
        return Err(Fault::plain("NotAuthorizedException", 400, ""));
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-');
    if rest.is_empty() || !rest.bytes().all(fits) {
        return Err(Fault::validation(format!(
            "{name} contains invalid characters for an alias"
        )));
    }
    Ok(())
}

fn named(look: &mut Look<'_>, name: &str) -> Result<AliasName> {
    expect_name(name)?;
    let (account, region) = (look.account_shared(), look.region().to_owned());
    let present = look.get(&ALIASES, &(&*account, region.as_str(), name))?;
    Ok(AliasName {
        arn: arn(&region, &account, name),
        account,
        present,
    })
}

/// A name that must lead somewhere.
fn existing(look: &mut Look<'_>, name: &str) -> Result<Found<AliasName>> {
    let alias = named(look, name)?;
    Ok(match alias.present {
        Some(_) => Found::Here(alias),
        None => {
            let fault = not_found_exception(format!("Alias {} is not found.", alias.arn));
            Found::Absent {
                arn: alias.arn,
                fault,
            }
        }
    })
}

/// The key that an alias points to now, granted for `access`.
fn behind(
    call: &mut Call<'_>,
    alias: &AliasName,
    access: Access,
) -> Result<(Authorized<KeyTarget>, Arc<Alias>)> {
    let row = alias
        .present
        .clone()
        .ok_or_else(|| Fault::internal("an alias without a row"))?;
    let account = Arc::clone(&alias.account);
    let found = naming::by_id(call, &account, &row.target, &naming::not_found_key)?;
    Ok((call.authorize(access, found, Context::default())?, row))
}

/// Lets a key have one alias more.
fn point(call: &mut Call<'_>, mut key: Key, name: &str) -> Result<()> {
    key.aliases.insert(name.to_owned());
    if key.aliases.len() > ALIASES_MAX {
        return Err(limit_exceeded_exception(format!(
            "{} has {ALIASES_MAX} aliases already.",
            key.arn()
        )));
    }
    key.keep(call)
}

/// Gives a key a name. It takes permission for both.
pub struct CreateAlias;

impl Operation for CreateAlias {
    type Input = model::CreateAliasRequest;
    type Output = Empty;
    type Target = AliasName;
    const ACCESS: Access = CREATE;
    const ALSO: &'static [Access] = &[CREATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AliasName>> {
        named(look, &input.alias_name).map(Found::Here)
    }

    fn handle(call: &mut Call<'_>, alias: Authorized<AliasName>, input: Self::Input) -> Result<Empty> {
        let found = resolve(call, &input.target_key_id, CREATE, Reach::Own)?;
        let key = call.authorize(CREATE, found, Context::default())?;
        if alias.present.is_some() {
            let message = format!("An alias with the name {} already exists", alias.arn);
            return Err(already_exists_exception(message));
        }
        key.expect_staying()?;
        let now = call.now.0;
        let row = Alias {
            target: key.id.clone(),
            created: now,
            updated: now,
        };
        call.put(
            &ALIASES,
            &(
                key.account.as_str(),
                key.region.as_str(),
                input.alias_name.as_str(),
            ),
            row,
        )?;
        point(call, to_change(&key), &input.alias_name)?;
        Ok(Empty)
    }
}

/// Points a name to another key of the same kind: the hinge of a manual rotation (S8.53, S8.54).
pub struct UpdateAlias;

impl Operation for UpdateAlias {
    type Input = model::UpdateAliasRequest;
    type Output = Empty;
    type Target = AliasName;
    const ACCESS: Access = UPDATE;
    const ALSO: &'static [Access] = &[UPDATE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AliasName>> {
        existing(look, &input.alias_name)
    }

    fn handle(call: &mut Call<'_>, alias: Authorized<AliasName>, input: Self::Input) -> Result<Empty> {
        let (old, row) = behind(call, &alias, UPDATE)?;
        let found = resolve(call, &input.target_key_id, UPDATE, Reach::Own)?;
        let new = call.authorize(UPDATE, found, Context::default())?;
        new.expect_staying()?;
        if old.usage() != new.usage() || old.spec.pair().is_some() != new.spec.pair().is_some() {
            return Err(Fault::validation(format!(
                "{} cannot point to {}: the current and the new key must be of the same type and have the same key usage.",
                input.alias_name,
                new.arn()
            )));
        }
        let mut alias = (*row).clone();
        alias.target.clone_from(&new.id);
        alias.updated = call.now.0;
        call.put(
            &ALIASES,
            &(
                new.account.as_str(),
                new.region.as_str(),
                input.alias_name.as_str(),
            ),
            alias,
        )?;
        if old.id != new.id {
            let mut old = to_change(&old);
            old.aliases.remove(&input.alias_name);
            old.keep(call)?;
            point(call, to_change(&new), &input.alias_name)?;
        }
        Ok(Empty)
    }
}

/// Takes a name away; the key stays.
pub struct DeleteAlias;

impl Operation for DeleteAlias {
    type Input = model::DeleteAliasRequest;
    type Output = Empty;
    type Target = AliasName;
    const ACCESS: Access = DELETE;
    const ALSO: &'static [Access] = &[DELETE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<AliasName>> {
        existing(look, &input.alias_name)
    }

    fn handle(call: &mut Call<'_>, alias: Authorized<AliasName>, input: Self::Input) -> Result<Empty> {
        let (key, _) = behind(call, &alias, DELETE)?;
        let mut key = to_change(&key);
        call.delete(
            &ALIASES,
            &(
                key.account.as_str(),
                key.region.as_str(),
                input.alias_name.as_str(),
            ),
        )?;
        key.aliases.remove(&input.alias_name);
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Lists the names in the account and region, or those of one key.
pub struct ListAliases;

impl Operation for ListAliases {
    type Input = model::ListAliasesRequest;
    type Output = model::ListAliasesResponse;
    type Target = Ring;
    const ACCESS: Access = Access::list("kms:ListAliases");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Ring>> {
        Ok(Ring::of(look))
    }

    fn handle(call: &mut Call<'_>, _ring: Authorized<Ring>, input: Self::Input) -> Result<Self::Output> {
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let list = format!("ListAliases {}", input.key_id.as_deref().unwrap_or_default());
        let page = Page::read(call, &list, input.marker.as_deref(), input.limit, (50, 100))?;
        let rows = match &input.key_id {
            None => {
                let after = page
                    .after
                    .clone()
                    .map(|name| (account.clone(), region.clone(), name));
                let prefix = (account.as_str(), region.as_str());
                let rows = call.range(&ALIASES, &prefix, after.as_ref(), page.limit + 1)?;
                rows.into_iter()
                    .map(|((_, _, name), alias)| (name, alias))
                    .collect()
            }
            Some(id) => of_key(call, id, &page)?,
        };
        let named = rows
            .into_iter()
            .map(|(name, alias)| (name.clone(), (name, alias)));
        let paged = page.close(call, named)?;
        let aliases = paged
            .items
            .into_iter()
            .map(|(name, alias)| model::AliasListEntry {
                alias_arn: Some(arn(&region, &account, &name)),
                alias_name: Some(name),
                creation_date: Some(Timestamp(alias.created)),
                last_updated_date: Some(Timestamp(alias.updated)),
                target_key_id: Some(alias.target.clone()),
            });
        Ok(model::ListAliasesResponse {
            aliases: Some(aliases.collect()),
            truncated: Some(paged.next.is_some()),
            next_marker: paged.next,
        })
    }
}

fn of_key(look: &mut Look<'_>, text: &str, page: &Page) -> Result<Vec<(String, Arc<Alias>)>> {
    let region = look.region().to_owned();
    let (account, id) =
        naming::peek(look, text)?.ok_or_else(|| not_found_exception(format!("Invalid keyId '{text}'")))?;
    let key = if account == look.account() {
        look.get(&KEYS, &(account.as_str(), region.as_str(), id.as_str()))?
    } else {
        None
    };
    let missing = || naming::not_found_key(&crate::kms::key::arn(&region, &account, &id));
    let key = key.ok_or_else(missing)?;
    let mut rows = Vec::new();
    for name in key.aliases.iter().filter(|name| page.reaches(name)) {
        if let Some(alias) = look.get(&ALIASES, &(account.as_str(), region.as_str(), name.as_str()))? {
            rows.push((name.clone(), alias));
        }
    }
    Ok(rows)
}
