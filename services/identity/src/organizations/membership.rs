//! Which organization an account belongs to, and where in its tree it hangs.
//!
//! Invariant: an account has one membership at most; its row and the row that its parent finds it by change together.

use std::sync::Arc;

use pipeline::jobs::JobId;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use super::unit::UNITS;
use crate::iam::index::Present;
use crate::iam::tag::Tags;

/// Levels of organizational units below the root (Organizations User Guide, "Quotas and service limits").
pub const DEPTH_MAX: usize = 5;

/// An account's place in an organization. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Membership {
    /// Twelve digits.
    pub account: String,
    /// The management account; the organization's row is found by it.
    pub management: String,
    /// `o-…`
    pub organization: String,
    /// The root or an organizational unit.
    pub parent: String,
    pub joined_method: JoinedMethod,
    pub joined_at: i64,
    pub state: State,
    /// The job that takes a closed account out when its time is over.
    pub ending: Option<JobId>,
    pub tags: Tags,
}

store::record!(Membership, 1);

/// How an account came into its organization.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum JoinedMethod {
    Invited,
    Created,
}

/// Whether a member account is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    Active,
    PendingClosure,
    /// Closed, which the older member `Status` calls suspended.
    Suspended,
}

/// By account id.
pub static MEMBERSHIPS: Table<String, Membership> = Table::new(0x0131, "organizations.memberships");

/// Management account, parent, kind of child, id of the child.
pub type ChildKey = (String, String, String, String);

/// What hangs below a root or an organizational unit. All accounts of an organization hang below its own id too.
pub(crate) static CHILDREN: Table<ChildKey, Present> = Table::new(0x0133, "organizations.children");

/// What a child is; the words are the keys' part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildKind {
    Account,
    Unit,
}

impl ChildKind {
    /// As the API spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "ACCOUNT",
            Self::Unit => "ORGANIZATIONAL_UNIT",
        }
    }
}

impl Membership {
    /// Whether it is the account that manages the organization.
    pub fn is_management(&self) -> bool {
        self.account == self.management
    }

    /// `arn:aws:organizations::MANAGEMENT:account/o-…/ACCOUNT`
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:organizations::{}:account/{}/{}",
            self.management, self.organization, self.account
        )
    }
}

/// The membership of an account, if it has one.
///
/// # Errors
/// The store's.
pub fn membership(look: &mut Look<'_>, account: &str) -> Result<Option<Arc<Membership>>> {
    look.get(&MEMBERSHIPS, account)
}

/// The ids from the root down to the account's parent. Their like is what `aws:PrincipalOrgPaths` is made of.
///
/// # Errors
/// The store's, or an internal fault if the tree is broken.
pub fn path(look: &mut Look<'_>, membership: &Membership) -> Result<Vec<String>> {
    path_to(look, &membership.management, &membership.parent)
}

/// The ids from the root down to a root or organizational unit, itself included.
///
/// # Errors
/// The store's, or an internal fault if the tree is broken.
pub fn path_to(look: &mut Look<'_>, management: &str, node: &str) -> Result<Vec<String>> {
    let mut path = vec![node.to_owned()];
    let mut node = node.to_owned();
    while node.starts_with("ou-") {
        let unit = look
            .get(&UNITS, &(management.to_owned(), node))?
            .ok_or_else(|| Fault::internal("an organizational unit without a row"))?;
        node = unit.parent.clone();
        path.push(node.clone());
        if path.len() > DEPTH_MAX + 1 {
            return Err(Fault::internal("a tree of organizational units that is too deep"));
        }
    }
    path.reverse();
    Ok(path)
}

/// A path as `aws:PrincipalOrgPaths` and `aws:ResourceOrgPaths` show it: `o-…/r-…/ou-…/`.
pub fn path_text(organization: &str, path: &[String]) -> String {
    format!("{organization}/{}/", path.join("/"))
}

/// Writes a membership and the row that its parent finds it by.
pub(super) fn place(call: &mut Call<'_>, membership: Membership) -> Result<()> {
    if let Some(held) = self::membership(call, &membership.account)? {
        displace(call, &held)?;
    }
    for key in keys(&membership) {
        call.put(&CHILDREN, &key, Present)?;
    }
    let account = membership.account.clone();
    call.put(&MEMBERSHIPS, &account, membership)
}

/// Takes an account out of its organization's tree.
pub(super) fn displace(call: &mut Call<'_>, membership: &Membership) -> Result<()> {
    for key in keys(membership) {
        call.delete(&CHILDREN, &key)?;
    }
    call.delete(&MEMBERSHIPS, &membership.account)
}

fn keys(membership: &Membership) -> [ChildKey; 2] {
    [&membership.parent, &membership.organization].map(|above| {
        child_key(
            &membership.management,
            above,
            ChildKind::Account,
            &membership.account,
        )
    })
}

pub(super) fn child_key(management: &str, parent: &str, kind: ChildKind, child: &str) -> ChildKey {
    (
        management.to_owned(),
        parent.to_owned(),
        kind.name().to_owned(),
        child.to_owned(),
    )
}
