//! When each key was last used, and for what: `GetKeyLastUsage`, and the condition key that keeps keys in use from their end.
//!
//! A use is noted once a minute and key at most, in the transaction of its call. Which use was the last of that minute is then read
//! from the ledger, so that the answer is exact though the notes are few; where very much was recorded since, it is the noted use.
//!
//! Source: KMS Developer Guide, "Determine past usage of a KMS key".
//! Invariant: only a note that is committed keeps another one from being written.

use std::sync::atomic::{AtomicI64, Ordering};

use api::kms as model;
use pipeline::ledger::{Attribute, Query, scan};
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use crate::kms::key::{DAY, Key, KeyTarget};
use crate::kms::naming::{Reach, resolve};

/// How seldom a use is noted, in milliseconds.
const NOTED_EVERY: i64 = 60_000;
/// The condition key that counts the days since.
pub(crate) const TRAILING: &str = "kms:TrailingDaysWithoutKeyUsage";
/// Records of one page of the ledger.
const STRIDE: usize = 64;
/// Pages that are looked through for a later use than the noted one; a page passes over 20,000 batches at most.
const PAGES_MAX: usize = 2;

/// A use that was noted.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Use {
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
    /// The operation, as AWS names it.
    pub(crate) operation: String,
    /// The id of the request.
    request: String,
}

store::record!(Use, 1);

/// By account, region and key id.
static USES: Table<(String, String, String), Use> = Table::new(0x0207, "kms.uses");

/// The newest committed note that was seen of a key.
pub(crate) struct Noted(AtomicI64);

impl Default for Noted {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Noted {
    fn is_fresh(&self, now: i64) -> bool {
        fresh(now, self.0.load(Ordering::Relaxed))
    }

    fn saw(&self, at: i64) {
        self.0.store(at, Ordering::Relaxed);
    }
}

/// A clock that was put back makes a note stale, not fresh for ever.
fn fresh(now: i64, at: i64) -> bool {
    (0..NOTED_EVERY).contains(&now.saturating_sub(at))
}

/// Notes that a key was used. To be called when nothing can fail any more.
pub(crate) fn note(call: &mut Call<'_>, key: &Key, operation: &'static str) -> Result<()> {
    let now = call.now.0;
    if key.kept.used.is_fresh(now) {
        return Ok(());
    }
    let row = (key.account.as_str(), key.region.as_str(), key.id.as_str());
    if let Some(held) = call.get(&USES, &row)?
        && fresh(now, held.at)
    {
        key.kept.used.saw(held.at);
        return Ok(());
    }
    let request = call.request.id.clone();
    let operation = operation.to_owned();
    call.put(
        &USES,
        &row,
        Use {
            at: now,
            operation,
            request,
        },
    )
}

/// The noted use of a key: its last one, to the minute.
pub(crate) fn noted(look: &mut Look<'_>, key: &Key) -> Result<Option<Use>> {
    let row = (key.account.as_str(), key.region.as_str(), key.id.as_str());
    let held = look.get(&USES, &row)?;
    Ok(held.map(|held| (*held).clone()))
}

/// Drops what was noted of a key that is destroyed.
pub(crate) fn forget(call: &mut Call<'_>, key: &Key) -> Result<()> {
    let row = (key.account.as_str(), key.region.as_str(), key.id.as_str());
    if call.get(&USES, &row)?.is_some() {
        call.delete(&USES, &row)?;
    }
    Ok(())
}

/// The last use of a key, and the id of its event where the ledger has it.
fn last(look: &mut Look<'_>, key: &Key) -> Result<Option<(Use, Option<String>)>> {
    let Some(noted) = noted(look, key)? else {
        return Ok(None);
    };
    let arn = key.arn();
    let mut query = Query {
        account: &key.account,
        region: &key.region,
        from: noted.at,
        to: noted.at.saturating_add(NOTED_EVERY),
        attribute: Some((Attribute::ResourceName, &arn)),
        before: None,
        limit: STRIDE,
    };
    for _ in 0..PAGES_MAX {
        let page = scan::page(look, &query)?;
        let used = page.records.into_iter().find(|record| {
            record.error.is_none()
                && record.service == "kms"
                && model::KeyLastUsageTrackingOperation::parse(&record.operation).is_some()
        });
        if let Some(record) = used {
            let found = Use {
                at: record.time,
                operation: record.operation,
                request: record.id,
            };
            return Ok(Some((found, Some(record.event))));
        }
        let Some(next) = page.next else { break };
        query.before = Some(next);
    }
    // Too much was recorded since: the noted use is found by its id, which tells its time.
    let id = Attribute::RequestId;
    let record = scan::by_id(look, &key.account, &key.region, id, &noted.request)?;
    Ok(Some((noted, record.map(|record| record.event))))
}

/// A key as the operations that end its use see it: with the days that it was not used.
pub(crate) fn idle(look: &mut Look<'_>, found: Found<KeyTarget>) -> Result<Found<KeyTarget>> {
    let Found::Here(key) = found else {
        return Ok(found);
    };
    let since = last(look, &key)?.map_or(key.created, |(last, _)| last.at);
    let days = look.now.0.saturating_sub(since).max(0) / DAY;
    Ok(Found::Here(key.idle_for(days)))
}

/// Sets the condition key of the days.
pub(crate) fn condition(days: Option<i64>, context: &mut Context) {
    if let Some(days) = days {
        context.insert(TRAILING, days.to_string());
    }
}

/// Tells the last cryptographic operation that a key did.
pub struct GetKeyLastUsage;

impl Operation for GetKeyLastUsage {
    type Input = model::GetKeyLastUsageRequest;
    type Output = model::GetKeyLastUsageResponse;
    type Target = KeyTarget;
    const ACCESS: Access = Access::read("kms:GetKeyLastUsage");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Self::Output> {
        let usage = match last(call, &key)? {
            None => model::KeyLastUsageData::default(),
            Some((last, event)) => model::KeyLastUsageData {
                cloud_trail_event_id: event,
                kms_request_id: Some(last.request),
                operation: model::KeyLastUsageTrackingOperation::parse(&last.operation),
                timestamp: Some(Timestamp(last.at)),
            },
        };
        Ok(model::GetKeyLastUsageResponse {
            key_creation_date: Some(Timestamp(key.created)),
            key_id: Some(key.id.clone()),
            key_last_usage: Some(usage),
            tracking_start_date: Some(Timestamp(key.created)),
        })
    }
}
