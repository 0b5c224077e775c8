//! Rows that say which identities use a managed policy, and how many: what `ListEntitiesForPolicy` lists and `GetPolicy`
//! counts.
//!
//! Invariant: an identity's own list of policies and these rows change in one transaction.

use api::iam::fault::no_such_entity_exception;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use crate::iam::managed;

/// Who uses a policy.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// As it is spelled.
    pub(crate) name: String,
    /// The unique id.
    pub(crate) id: String,
}

store::record!(Attachment, 1);

/// Account, ARN of the policy, kind of use (`user`, `group`, `role`, `user-boundary`, `role-boundary`), lower-case name.
type Use = (String, String, String, String);

pub(crate) static ATTACHMENTS: Table<Use, Attachment> = Table::new(0x0106, "iam.attachments");

/// How often an account uses a policy. Kept beside the rows, so that a list of policies need not count them.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// As a policy of permissions.
    pub(crate) attached: u32,
    /// As a permissions boundary.
    pub(crate) boundaries: u32,
}

store::record!(Usage, 1);

/// By account and ARN; without a row the policy is not used.
pub(crate) static USAGE: Table<(String, String), Usage> = Table::new(0x010c, "iam.policy_usage");

/// How often the caller's account uses a policy.
pub(crate) fn usage(look: &mut Look<'_>, policy: &str) -> Result<Usage> {
    let key = (look.account().to_owned(), policy.to_owned());
    Ok(look
        .get(&USAGE, &key)?
        .map_or_else(Usage::default, |usage| *usage))
}

/// What AWS says of a policy that cannot be attached.
pub(crate) fn not_attachable(policy: &str) -> Fault {
    no_such_entity_exception(format!("Policy {policy} does not exist or is not attachable."))
}

/// Notes that an identity uses a policy as `kind`. The policy must be the account's own or AWS's.
pub(crate) fn bind(call: &mut Call<'_>, policy: &str, kind: &str, name: &str, id: &str) -> Result<()> {
    let account = policy
        .strip_prefix("arn:aws:iam::")
        .and_then(|rest| rest.split(':').next());
    let reachable = account.is_some_and(|account| account == "aws" || account == call.account());
    if !reachable || managed::find(call, policy)?.is_none() {
        return Err(not_attachable(policy));
    }
    bind_known(call, policy, kind, name, id)
}

/// The same, of a policy that was bound already.
pub(crate) fn bind_known(call: &mut Call<'_>, policy: &str, kind: &str, name: &str, id: &str) -> Result<()> {
    let key = (
        call.account().to_owned(),
        policy.to_owned(),
        kind.to_owned(),
        name.to_lowercase(),
    );
    if call.get(&ATTACHMENTS, &key)?.is_none() {
        recount(call, policy, kind, |count| count.saturating_add(1))?;
    }
    call.put(
        &ATTACHMENTS,
        &key,
        Attachment {
            name: name.to_owned(),
            id: id.to_owned(),
        },
    )
}

/// Takes the note back.
pub(crate) fn unbind(call: &mut Call<'_>, policy: &str, kind: &str, name: &str) -> Result<()> {
    let key = (
        call.account().to_owned(),
        policy.to_owned(),
        kind.to_owned(),
        name.to_lowercase(),
    );
    if call.get(&ATTACHMENTS, &key)?.is_some() {
        recount(call, policy, kind, |count| count.saturating_sub(1))?;
        call.delete(&ATTACHMENTS, &key)?;
    }
    Ok(())
}

fn recount(call: &mut Call<'_>, policy: &str, kind: &str, change: fn(u32) -> u32) -> Result<()> {
    let mut usage = usage(call, policy)?;
    let count = if kind.ends_with("-boundary") {
        &mut usage.boundaries
    } else {
        &mut usage.attached
    };
    *count = change(*count);
    let key = (call.account().to_owned(), policy.to_owned());
    if usage.attached + usage.boundaries == 0 {
        return call.delete(&USAGE, &key);
    }
    call.put(&USAGE, &key, usage)
}
