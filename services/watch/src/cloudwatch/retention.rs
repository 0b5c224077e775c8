//! How long data is kept, and as what: seconds for three hours, minutes for 15 days, five minutes for 63 days, hours for 455 days.
//!
//! Data may be put two weeks late, so what is folded into a longer span is complete by then, and a datum never lies in two rows. What a
//! caller may ask is decided by age (`shortest`), not by how far these jobs have come.
//!
//! Invariant: a run reads and writes a bounded number of rows and plans the next; a metric goes with its last row.
//!
//! Source: CloudWatch User Guide, "Metrics retention".

use std::sync::Arc;

use pipeline::jobs::JobKind;
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::metric::{DATA, Data, DataKey, FIVE_MINUTES, HOUR, METRICS, MINUTE, SECOND};

/// Milliseconds after which spans of a length are folded into longer ones, or go.
const SECONDS_KEPT: i64 = 3 * 3_600_000;
const DAY: i64 = 86_400_000;
const MINUTES_KEPT: i64 = 15 * DAY;
const FIVE_MINUTES_KEPT: i64 = 63 * DAY;
const HOURS_KEPT: i64 = 455 * DAY;
/// Milliseconds between two runs through the metrics of high resolution.
const FOLDING: i64 = 3_600_000;
/// Metrics that a run looks at, and rows that it folds.
const METRICS_MAX: usize = 50;
const ROWS_MAX: usize = 1500;

/// Folds minutes and what is longer, and lets go what is too old.
pub(super) const MINUTES: JobKind = JobKind {
    name: "cloudwatch.FoldMinutes",
    service: "monitoring",
    event: "",
    run: fold_minutes,
};

/// Folds seconds.
pub(super) const SECONDS: JobKind = JobKind {
    name: "cloudwatch.FoldSeconds",
    service: "monitoring",
    event: "",
    run: fold_seconds,
};

/// Which of the two jobs an account has planned in a region.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Planned {
    seconds: bool,
}

store::record!(Planned, 1);

/// By account and region, while there are metrics.
static PLANNED: Table<(String, String), Planned> = Table::new(0x0522, "cloudwatch.folding");

/// A metric that has data of single seconds.
#[derive(Clone, Serialize, Deserialize)]
struct Fine {}

store::record!(Fine, 1);

/// By account, region and the metric's id.
static FINE: Table<(String, String, Vec<u8>), Fine> = Table::new(0x0523, "cloudwatch.seconds");

/// Where a run goes on.
#[derive(Serialize, Deserialize, Default)]
struct From {
    /// Namespace, name and id of the last metric that is done with.
    metric: Option<(String, String, Vec<u8>)>,
    fine: Option<Vec<u8>>,
}

/// Whether data of this time is kept by the second.
pub(super) const fn keeps_seconds(at: Timestamp, now: Timestamp) -> bool {
    at.0 > now.0 - SECONDS_KEPT
}

/// The shortest span, in seconds, in which data of this time can be asked for; `None` if it is not kept any more.
pub(super) const fn shortest(at: Timestamp, now: Timestamp) -> Option<u32> {
    let age = now.0 - at.0;
    if age <= SECONDS_KEPT {
        Some(SECOND)
    } else if age <= MINUTES_KEPT {
        Some(MINUTE)
    } else if age <= FIVE_MINUTES_KEPT {
        Some(FIVE_MINUTES)
    } else if age <= HOURS_KEPT {
        Some(HOUR)
    } else {
        None
    }
}

/// Notes that a metric has data of single seconds.
pub(super) fn note_seconds(call: &mut Call<'_>, account: &str, region: &str, id: &[u8]) -> Result<()> {
    let key = (account.to_owned(), region.to_owned(), id.to_owned());
    if call.get(&FINE, &key)?.is_some() {
        return Ok(());
    }
    call.put(&FINE, &key, Fine {})
}

/// Makes sure that what was put in this account and region will be folded.
pub(super) fn plan(call: &mut Call<'_>, account: &str, region: &str, seconds: bool) -> Result<()> {
    let key = (account.to_owned(), region.to_owned());
    let known = call.get(&PLANNED, &key)?;
    let had = known.as_ref().is_some_and(|known| known.seconds);
    if known.is_some() && (had || !seconds) {
        return Ok(());
    }
    let now = call.now.0;
    if known.is_none() {
        schedule(call, region, &MINUTES, now + DAY, &From::default())?;
    }
    if seconds && !had {
        schedule(call, region, &SECONDS, now + FOLDING, &From::default())?;
    }
    let planned = Planned {
        seconds: seconds || had,
    };
    call.put(&PLANNED, &key, planned)
}

fn schedule(call: &mut Call<'_>, region: &str, kind: &JobKind, due: i64, from: &From) -> Result<()> {
    let payload = serde_json::to_value(from).map_err(Fault::internal)?;
    call.schedule_in(region, kind.name, Timestamp(due), payload)?;
    Ok(())
}

fn fold_seconds(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let from = From::deserialize(payload).map_err(Fault::internal)?;
    let (account, region) = (call.account().to_owned(), call.region().to_owned());
    let now = call.now;
    let after = from.fine.map(|id| (account.clone(), region.clone(), id));
    let prefix = (account.as_str(), region.as_str());
    let page = call.range(&FINE, &prefix, after.as_ref(), METRICS_MAX)?;
    let full = page.len() == METRICS_MAX;
    let mut done = after.map(|(_, _, id)| id);
    let mut left = ROWS_MAX;
    for (key, _) in page {
        let place = (account.as_str(), region.as_str(), key.2.as_slice());
        left -= fold(call, place, (SECOND, MINUTE), now.0 - SECONDS_KEPT, left)?;
        if left == 0 {
            return schedule(
                call,
                &region,
                &SECONDS,
                now.0,
                &From {
                    metric: None,
                    fine: done,
                },
            );
        }
        let prefix = (account.as_str(), region.as_str(), key.2.as_slice(), SECOND);
        if call.range(&DATA, &prefix, None, 1)?.is_empty() {
            call.delete(&FINE, &key)?;
        }
        done = Some(key.2);
    }
    if full {
        return schedule(
            call,
            &region,
            &SECONDS,
            now.0,
            &From {
                metric: None,
                fine: done,
            },
        );
    }
    if call.range(&FINE, &prefix, None, 1)?.is_empty() {
        let key = (account.clone(), region.clone());
        return match call.get(&PLANNED, &key)? {
            Some(_) => call.put(&PLANNED, &key, Planned { seconds: false }),
            None => Ok(()),
        };
    }
    schedule(call, &region, &SECONDS, now.0 + FOLDING, &From::default())
}

fn fold_minutes(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let from = From::deserialize(payload).map_err(Fault::internal)?;
    let (account, region) = (call.account().to_owned(), call.region().to_owned());
    let now = call.now;
    let place = |(namespace, name, id)| (account.clone(), region.clone(), namespace, name, id);
    let after = from.metric.map(place);
    let prefix = (account.as_str(), region.as_str());
    let page = call.range(&METRICS, &prefix, after.as_ref(), METRICS_MAX)?;
    let full = page.len() == METRICS_MAX;
    let mut done = after.map(|(_, _, namespace, name, id)| (namespace, name, id));
    let mut left = ROWS_MAX;
    for (key, metric) in page {
        let place = (account.as_str(), region.as_str(), key.4.as_slice());
        left -= fold(call, place, (MINUTE, FIVE_MINUTES), now.0 - MINUTES_KEPT, left)?;
        left -= fold(call, place, (FIVE_MINUTES, HOUR), now.0 - FIVE_MINUTES_KEPT, left)?;
        left -= expire(call, place, now.0 - HOURS_KEPT, left)?;
        if left == 0 {
            let from = From {
                metric: done,
                fine: None,
            };
            return schedule(call, &region, &MINUTES, now.0, &from);
        }
        // What was put within the last two weeks is there.
        if metric.last < now.0 - MINUTES_KEPT && call.range(&DATA, &place, None, 1)?.is_empty() {
            call.delete(&METRICS, &key)?;
        }
        done = Some((key.2, key.3, key.4));
    }
    if full {
        let from = From {
            metric: done,
            fine: None,
        };
        return schedule(call, &region, &MINUTES, now.0, &from);
    }
    let key = (account.clone(), region.clone());
    if call.range(&METRICS, &prefix, None, 1)?.is_empty() && !has_seconds(call, &key)? {
        return call.delete(&PLANNED, &key);
    }
    schedule(call, &region, &MINUTES, now.0 + DAY, &From::default())
}

fn has_seconds(call: &mut Call<'_>, key: &(String, String)) -> Result<bool> {
    Ok(call.get(&PLANNED, key)?.is_some_and(|planned| planned.seconds))
}

/// Account, region and id of a metric.
type Place<'a> = (&'a str, &'a str, &'a [u8]);

/// Folds a metric's spans of one length that began before a time (milliseconds) into longer ones, at most `limit`; tells how many.
fn fold(
    call: &mut Call<'_>,
    place: Place<'_>,
    (short, long): (u32, u32),
    before: i64,
    limit: usize,
) -> Result<usize> {
    let before = before.div_euclid(1000);
    // A longer span is folded whole.
    let before = before - before.rem_euclid(i64::from(long));
    let mut folded: Option<(i64, Data)> = None;
    let old = old(call, place, short, before, limit)?;
    let count = old.len();
    for (key, data) in old {
        let start = key.4 - key.4.rem_euclid(i64::from(long));
        if let Some((at, ready)) = folded.take_if(|(at, _)| *at != start) {
            add(call, place, (long, at), &ready)?;
        }
        folded
            .get_or_insert_with(|| (start, Data::default()))
            .1
            .join(&data);
        call.delete(&DATA, &key)?;
    }
    if let Some((at, ready)) = folded {
        add(call, place, (long, at), &ready)?;
    }
    Ok(count)
}

/// Spans of a length that began before a time (seconds), the oldest first.
fn old(
    call: &mut Call<'_>,
    (account, region, id): Place<'_>,
    length: u32,
    before: i64,
    limit: usize,
) -> Result<Vec<(DataKey, Arc<Data>)>> {
    let prefix = (account, region, id, length);
    let first = call.range(&DATA, &prefix, None, 1)?;
    if first.first().is_none_or(|(key, _)| key.4 >= before) {
        return Ok(Vec::new());
    }
    let mut rows = call.range(&DATA, &prefix, None, limit)?;
    rows.retain(|(key, _)| key.4 < before);
    Ok(rows)
}

fn add(call: &mut Call<'_>, place: Place<'_>, (length, start): (u32, i64), added: &Data) -> Result<()> {
    let (account, region, id) = place;
    let key = (
        account.to_owned(),
        region.to_owned(),
        id.to_owned(),
        length,
        start,
    );
    let mut data = match call.get(&DATA, &key)? {
        Some(known) => (*known).clone(),
        None => Data::default(),
    };
    data.join(added);
    call.put(&DATA, &key, data)
}

/// Lets go a metric's hours that began before a time (milliseconds), at most `limit`; tells how many.
fn expire(call: &mut Call<'_>, place: Place<'_>, before: i64, limit: usize) -> Result<usize> {
    let old = old(call, place, HOUR, before.div_euclid(1000), limit)?;
    for (key, _) in &old {
        call.delete(&DATA, key)?;
    }
    Ok(old.len())
}
