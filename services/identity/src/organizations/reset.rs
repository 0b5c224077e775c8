//! What the reset of a single account leaves of its organization, for servers that tests start anew.
//!
//! Invariant: nobody is left a member of an organization that is gone, since every decision looks its member's organization up.

use pipeline::{Call, Result};

use super::membership::{CHILDREN, ChildKind, Membership, displace, membership};
use super::organization::{ORGANIZATIONS, Organization, organization};
use super::policy;

/// Takes an account out of its organization; if it manages one, everybody else as well. Rows that begin with the account are
/// the reset's own.
///
/// # Errors
/// The store's.
pub fn forget(call: &mut Call<'_>, account: &str) -> Result<()> {
    let Some(member) = membership(call, account)? else {
        return Ok(());
    };
    if !member.is_management() {
        return leave(call, &member);
    }
    let prefix = (account, member.organization.as_str(), ChildKind::Account.name());
    for ((.., id), _) in call.every(&CHILDREN, &prefix)? {
        if let Some(member) = membership(call, &id)? {
            leave(call, &member)?;
        }
    }
    Ok(())
}

fn leave(call: &mut Call<'_>, member: &Membership) -> Result<()> {
    displace(call, member)?;
    policy::forget_target(call, &member.management, &member.account)?;
    if let Some(held) = organization(call, &member.management)? {
        let row = Organization {
            accounts: held.accounts.saturating_sub(1),
            ..(*held).clone()
        };
        call.put(&ORGANIZATIONS, &member.management, row)?;
    }
    Ok(())
}
