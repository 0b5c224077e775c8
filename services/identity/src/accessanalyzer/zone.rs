//! The zone of trust of an analyzer: its account, or every account of the organization that it was made for.
//!
//! Invariant: an analyzer of an organization sees other accounts only while its own account stands for the organization: as the
//! management account, or as the delegated administrator for Access Analyzer.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::accessanalyzer as model;
use pipeline::{Look, Result};

use super::analyzer::{self, Analyzer, SERVICE};
use crate::organizations::membership::membership;
use crate::organizations::organization::{self, Organization};
use crate::organizations::{delegated, service_access};

/// Who is inside.
pub(super) struct Inside {
    /// In the order in which they are scanned. Empty if the analyzer may not look at its organization any more.
    pub(super) accounts: BTreeSet<String>,
    /// `o-…`
    organization: Option<String>,
}

impl Inside {
    /// Whether an account or an organization, by its id, is inside.
    pub(super) fn trusts(&self, id: &str) -> bool {
        self.accounts.contains(id) || self.organization.as_deref() == Some(id)
    }

    /// The account that comes behind another.
    pub(super) fn behind(&self, account: &str) -> Option<String> {
        self.accounts.iter().find(|held| held.as_str() > account).cloned()
    }
}

/// Whether analyzers of a kind look at a whole organization.
pub(super) fn is_organization(kind: &str) -> bool {
    [model::Type::Organization, model::Type::OrganizationUnusedAccess]
        .iter()
        .any(|whole| whole.as_str() == kind)
}

/// Who is inside the zone of an analyzer.
pub(super) fn of(look: &mut Look<'_>, analyzer: &Analyzer) -> Result<Inside> {
    if !is_organization(&analyzer.kind) {
        return Ok(Inside {
            accounts: BTreeSet::from([analyzer.account.clone()]),
            organization: None,
        });
    }
    let Some(held) = administered(look, &analyzer.account)? else {
        return Ok(Inside {
            accounts: BTreeSet::new(),
            organization: None,
        });
    };
    let members = organization::members(look, &held)?;
    Ok(Inside {
        accounts: members.iter().map(|member| member.account.clone()).collect(),
        organization: Some(held.id.clone()),
    })
}

/// The organization that an account may make analyzers for.
pub(super) fn administered(look: &mut Look<'_>, account: &str) -> Result<Option<Arc<Organization>>> {
    let Some(member) = membership(look, account)? else {
        return Ok(None);
    };
    let stands = member.is_management() || delegated::administers(look, &member, SERVICE)?;
    if !stands || !service_access::is_enabled(look, &member.management, SERVICE)? {
        return Ok(None);
    }
    organization::organization(look, &member.management)
}

/// The analyzers of external access that look at an account: its own, and those of its organization.
pub(super) fn watching(look: &mut Look<'_>, account: &str) -> Result<Vec<Arc<Analyzer>>> {
    let mut watching = analyzer::of_account(look, account)?;
    watching.retain(|analyzer| !analyzer.is_unused());
    let Some(member) = membership(look, account)? else {
        return Ok(watching);
    };
    let mut administrators = delegated::administrators(look, &member.management, SERVICE)?;
    administrators.push(member.management.clone());
    for administrator in administrators.iter().filter(|held| *held != account) {
        let theirs = analyzer::of_account(look, administrator)?;
        watching.extend(
            theirs
                .into_iter()
                .filter(|analyzer| !analyzer.is_unused() && is_organization(&analyzer.kind)),
        );
    }
    Ok(watching)
}
