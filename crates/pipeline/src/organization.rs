//! Where accounts stand in their organizations, as condition keys tell it.
//!
//! Invariant: a record keeps the places that a decision saw, so `why` decides by them whatever moved since.

use policy::Context;
use serde::{Deserialize, Serialize};

use crate::authorize::Gathered;
use crate::call::Look;
use crate::identity::Identity;
use crate::operation::Result;

/// An account's place in an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationFacts {
    /// `o-…`
    pub id: String,
    /// The way from the organization to the account's parent, ending in a slash: `o-…/r-…/ou-…/`.
    pub path: String,
}

/// The places of both sides of a request; `None` outside an organization, or where no policy at hand asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organizations {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<OrganizationFacts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<OrganizationFacts>,
}

impl Organizations {
    /// Whether neither side is in one.
    pub const fn is_empty(&self) -> bool {
        self.principal.is_none() && self.resource.is_none()
    }

    /// The places that the policies at hand ask for; without a policy that names them nothing is read.
    pub(crate) fn consulted(
        look: &mut Look<'_>,
        identity: &Identity,
        owner: &str,
        gathered: &Gathered,
    ) -> Result<Self> {
        let asked = gathered
            .policies()
            .any(|(_, _, attached)| attached.policy.consults_organization());
        if asked {
            Self::of(look, identity, owner)
        } else {
            Ok(Self::default())
        }
    }

    /// The places of a caller and of the account that owns the resource. Services and anonymous callers belong to no account.
    pub(crate) fn of(look: &mut Look<'_>, identity: &Identity, owner: &str) -> Result<Self> {
        let directory = look.directory();
        let principal = match identity.principal.account() {
            Some(account) => directory.organization(look, account)?,
            None => None,
        };
        let resource = if identity.principal.account() == Some(owner) {
            principal.clone()
        } else {
            directory.organization(look, owner)?
        };
        Ok(Self { principal, resource })
    }

    /// Adds the keys to a context (IAM User Guide, "AWS global condition context keys"). An account has one path, but the keys of
    /// paths are of many values all the same.
    pub(crate) fn add(&self, context: &mut Context) {
        let sides = [
            (&self.principal, "aws:PrincipalOrgID", "aws:PrincipalOrgPaths"),
            (&self.resource, "aws:ResourceOrgID", "aws:ResourceOrgPaths"),
        ];
        for (facts, id, paths) in sides {
            if let Some(facts) = facts {
                context.insert(id, facts.id.clone());
                context.insert_many(paths, [facts.path.clone()]);
            }
        }
    }
}
