//! KMS grants: they allow on their own, never deny, and may be bound to an encryption context.
//!
//! Source: KMS Developer Guide, "Grants in AWS KMS" and "Using grant constraints".

use crate::{
    context::Context,
    principal::{Entry, Principal, Strength},
};
use std::collections::BTreeMap;

/// A grant on the key of the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grant {
    /// The grant's id, for the record.
    pub id: String,
    /// The grantee's ARN (user, role, session, federated user, account root) or service principal.
    pub grantee: String,
    /// Operations as KMS spells them (`Decrypt`, `ReEncryptFrom`).
    pub operations: Vec<String>,
    /// `EncryptionContextEquals`: the request's encryption context must be exactly this.
    pub context_equals: Option<BTreeMap<String, String>>,
    /// `EncryptionContextSubset`: the request's encryption context must include these pairs.
    pub context_subset: Option<BTreeMap<String, String>>,
    /// `SourceArn`: the request must be made on behalf of this resource (`aws:SourceArn`).
    pub source_arn: Option<String>,
}

/// Operations that have no encryption context; a context constraint does not limit them.
const WITHOUT_CONTEXT: [&str; 4] = ["CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant"];

impl Grant {
    /// How directly the grant names the caller, if it allows the action; otherwise the part that does not fit.
    pub(crate) fn allows(
        &self,
        caller: &Principal,
        action: &str,
        encryption_context: &BTreeMap<String, String>,
        context: &Context,
    ) -> Result<Strength, &'static str> {
        let strength = self.grantee_strength(caller, context).ok_or("GranteePrincipal")?;
        let operation = action
            .split_once(':')
            .filter(|(service, _)| service.eq_ignore_ascii_case("kms"));
        let operation = operation.map(|(_, operation)| operation).ok_or("Operations")?;
        if !self
            .operations
            .iter()
            .any(|held| held.eq_ignore_ascii_case(operation))
        {
            return Err("Operations");
        }
        if !WITHOUT_CONTEXT
            .iter()
            .any(|held| held.eq_ignore_ascii_case(operation))
        {
            if self
                .context_equals
                .as_ref()
                .is_some_and(|wanted| wanted != encryption_context)
            {
                return Err("EncryptionContextEquals");
            }
            let wanted = self.context_subset.iter().flatten();
            if !wanted
                .clone()
                .all(|(key, value)| encryption_context.get(key) == Some(value))
            {
                return Err("EncryptionContextSubset");
            }
        }
        let source_fits = self.source_arn.as_deref().is_none_or(|wanted| {
            context
                .get("aws:SourceArn")
                .is_some_and(|values| values.iter().any(|value| value == wanted))
        });
        if source_fits {
            Ok(strength)
        } else {
            Err("SourceArn")
        }
    }

    fn grantee_strength(&self, caller: &Principal, context: &Context) -> Option<Strength> {
        match caller {
            Principal::Service { name } => (*name == self.grantee).then_some(Strength::Direct),
            _ => Entry::aws(&self.grantee)
                .filter(|entry| *entry != Entry::Everyone)?
                .names(caller, context),
        }
    }
}
