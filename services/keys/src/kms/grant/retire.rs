//! The end of grants: `RetireGrant` by those whom the grant names, `RevokeGrant` by those who rule the key.

use std::sync::Arc;

use api::kms as model;
use api::kms::fault::{invalid_grant_id_exception, invalid_grant_token_exception};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Resource, ResourcePolicies, Result};
use policy::{Context, Grant};
use wire::Fault;
use wire::typed::Empty;

use super::{GRANTS, KeyGrant, of_token, remove, row};
use crate::kms::encryption::dry_run;
use crate::kms::key::{KEYS, KeyTarget};
use crate::kms::naming::{Reach, peek, resolve};

/// A grant as `RetireGrant` names it.
pub struct GrantTarget {
    key: KeyTarget,
    grant: Arc<KeyGrant>,
}

impl Resource for GrantTarget {
    const TYPE: &'static str = KeyTarget::TYPE;

    fn arn(&self) -> String {
        self.key.arn()
    }

    fn account(&self) -> &str {
        &self.key.account
    }

    /// The key's policy, this grant, and the right of its retiring principal (KMS Developer Guide, "Retiring and revoking grants").
    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let retiring = self.grant.retiring.iter().map(|retiring| Grant {
            id: self.grant.id.clone(),
            grantee: retiring.clone(),
            operations: vec!["RetireGrant".to_owned()],
            ..Grant::default()
        });
        let grants = retiring.chain([self.grant.compiled()]).collect();
        Ok(ResourcePolicies::Key {
            policy: self.key.attached()?,
            grants,
        })
    }

    fn conditions(&self, context: &mut Context) {
        self.key.conditions(context);
    }
}

/// Ends a grant that is not needed any more.
pub struct RetireGrant;

impl Operation for RetireGrant {
    type Input = model::RetireGrantRequest;
    type Output = Empty;
    type Target = GrantTarget;
    const ACCESS: Access = Access::permissions("kms:RetireGrant");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<GrantTarget>> {
        let (row, missing) = match (&input.grant_token, &input.key_id, &input.grant_id) {
            (Some(token), None, None) => (
                of_token(look, token)?,
                invalid_grant_token_exception("The grant token is invalid."),
            ),
            (None, Some(key), Some(grant)) => {
                let missing = invalid_grant_id_exception(format!("Grant ID {grant} not found"));
                let Some((account, id)) = peek(look, key)? else {
                    return Err(missing);
                };
                ((account, look.region().to_owned(), id, grant.clone()), missing)
            }
            _ => {
                return Err(Fault::validation(
                    "Specify either GrantToken, or both KeyId and GrantId.",
                ));
            }
        };
        // An id of a grant is as long as a key, so its absence may be told before the caller is judged.
        let key = look.get(&KEYS, &(row.0.as_str(), row.1.as_str(), row.2.as_str()))?;
        let grant = look.get(&GRANTS, &row)?;
        match key.zip(grant) {
            Some((key, grant)) => Ok(Found::Here(GrantTarget {
                key: KeyTarget::new(look, key, None),
                grant,
            })),
            None => Err(missing),
        }
    }

    fn handle(call: &mut Call<'_>, target: Authorized<GrantTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&target.key.account);
        dry_run(input.dry_run)?;
        end(call, &target.key, &target.grant)?;
        Ok(Empty)
    }
}

/// Ends a grant, whoever has it.
pub struct RevokeGrant;

impl Operation for RevokeGrant {
    type Input = model::RevokeGrantRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::permissions("kms:RevokeGrant");
    const CONDITIONS: &'static [&'static str] = &["kms:GrantIsForAWSResource"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Arn)
    }

    fn conditions(_input: &Self::Input, context: &mut Context) {
        context.insert("kms:GrantIsForAWSResource", "false");
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, input: Self::Input) -> Result<Empty> {
        call.share_with(&key.account);
        let found = call.get(&GRANTS, &row(&key, &input.grant_id))?;
        let missing = || invalid_grant_id_exception(format!("Grant ID {} not found", input.grant_id));
        let grant = found.ok_or_else(missing)?;
        dry_run(input.dry_run)?;
        end(call, &key, &grant)?;
        Ok(Empty)
    }
}

fn end(call: &mut Call<'_>, key: &KeyTarget, grant: &KeyGrant) -> Result<()> {
    remove(call, key, grant)?;
    let mut key = key.changed();
    key.grants = key.grants.saturating_sub(1);
    key.keep(call)
}
