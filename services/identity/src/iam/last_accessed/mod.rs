//! Last accessed details: which services, and which of their tracked actions, an identity's policies allow, and when each was last tried.
//!
//! A call notes its attempt in the transaction of its record, whether it was allowed or refused, once a minute at most; a report reads
//! these notes and never the ledger, so that its cost depends on what was used and not on how often.
//! Invariant: what is older than 400 days is not told (IAM User Guide, "Refine permissions in AWS using last accessed information").

mod details;
mod grants;
mod organization;
mod organization_details;
mod report;
mod seen;
mod services;
mod subject;

use pipeline::{Call, Look, Result};
use policy::Principal;
use serde::{Deserialize, Serialize};
use store::Table;

pub use details::{GetServiceLastAccessedDetails, GetServiceLastAccessedDetailsWithEntities};
pub use grants::ListPoliciesGrantingServiceAccess;
pub use organization::GenerateOrganizationsAccessReport;
pub(crate) use organization::{ORGANIZATION_JOB, generate_for_organization};
pub use organization_details::GetOrganizationsAccessReport;
pub use report::GenerateServiceLastAccessedDetails;
pub(crate) use report::{JOB, generate};
pub(crate) use seen::Seen;

/// How seldom an attempt is noted, in milliseconds; AWS tells minutes.
const NOTED_EVERY: i64 = 60_000;
/// How long an attempt is told, in milliseconds.
const TRACKED: i64 = 400 * 86_400_000;
/// Rows read at a time.
const STRIDE: usize = 256;

/// The last attempt of a principal at an action.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) region: String,
}

store::record!(Attempt, 1);

/// By account, unique id of the user or role, and `service:Action`.
static ATTEMPTS: Table<(String, String, String), Attempt> = Table::new(0x0178, "iam.attempts");

/// The user or role that a report would tell of. Reports on an organization count root users as well; their id is the account's.
fn noted(principal: &Principal) -> Option<(&str, &str)> {
    match principal {
        Principal::User { account, id, .. } => Some((account, id)),
        Principal::Root { account } => Some((account, account)),
        Principal::AssumedRole { account, role_id, .. } => Some((account, role_id)),
        _ => None,
    }
}

/// Notes that the caller tried an action, unless a note of the last minute is there. `seen` remembers which are.
pub(crate) fn note(call: &mut Call<'_>, seen: &Seen, action: &str) -> Result<()> {
    let identity = call.identity;
    let Some((account, id)) = noted(&identity.principal) else {
        return Ok(());
    };
    let (now, key) = (call.now.0, (account, id, action));
    let place = seen.place(&key);
    if seen.at(place).is_some_and(|at| fresh(now, at)) {
        return Ok(());
    }
    if let Some(held) = call.get(&ATTEMPTS, &key)?.filter(|held| fresh(now, held.at)) {
        // Only what is committed is remembered: a note of this call's own may yet be lost with its transaction.
        seen.saw(place, held.at);
        return Ok(());
    }
    let region = call.region().to_owned();
    call.put(&ATTEMPTS, &key, Attempt { at: now, region })
}

/// A clock that was put back makes a note stale, not fresh for ever.
fn fresh(now: i64, at: i64) -> bool {
    (0..NOTED_EVERY).contains(&now.saturating_sub(at))
}

/// Drops what was noted of a user or role that ends.
pub(crate) fn forget(call: &mut Call<'_>, account: &str, id: &str) -> Result<()> {
    for (action, _) in all_of(call, account, id)? {
        call.delete(&ATTEMPTS, &(account, id, action.as_str()))?;
    }
    Ok(())
}

fn all_of(look: &mut Look<'_>, account: &str, id: &str) -> Result<Vec<(String, Attempt)>> {
    let mut attempts = Vec::new();
    let mut after = None;
    loop {
        let rows = look.range(&ATTEMPTS, &(account, id), after.as_ref(), STRIDE)?;
        let full = rows.len() == STRIDE;
        after = rows.last().map(|(key, _)| key.clone());
        attempts.extend(
            rows.into_iter()
                .map(|((_, _, action), row)| (action, (*row).clone())),
        );
        if !full {
            return Ok(attempts);
        }
    }
}

/// The attempts of a user or role that are still told, by action.
pub(crate) fn attempts(look: &mut Look<'_>, account: &str, id: &str) -> Result<Vec<(String, Attempt)>> {
    let earliest = look.now.0.saturating_sub(TRACKED);
    let mut attempts = all_of(look, account, id)?;
    attempts.retain(|(_, attempt)| attempt.at >= earliest);
    Ok(attempts)
}
