//! Inventories: lists of a bucket's objects, delivered as files by the cloud's clock.
//!
//! `walk` goes through the bucket page by page, `line` writes an object's line, `deliver` puts the files and their manifest into the
//! destination, if that bucket's policy lets `s3.amazonaws.com`.
//!
//! Invariant: a run lists one page and plans the next, so no transaction grows with the bucket; a list has a manifest only once all of
//! its files are delivered.
//!
//! Source: S3 User Guide, "Cataloging and analyzing your data with S3 Inventory".

use api::s3 as model;
use pipeline::jobs::{JobId, JobKind};
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::bucket::{BUCKETS, Bucket, Configured};
use super::configuration;

mod deliver;
mod line;
mod walk;

pub(crate) use deliver::bucket_of;
pub(crate) use line::is_written;

const NAME: &str = "s3.Inventory";
const DAY: i64 = 86_400_000;
/// Days from the epoch, a Thursday, to the first Sunday.
const FIRST_SUNDAY: i64 = 3;

/// What lists.
pub const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    // The trail shows the files that are put.
    event: "",
    run,
};

/// The run that is planned.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Planned(JobId);

store::record!(Planned, 1);

/// By bucket and configuration.
pub(crate) static PLANNED: Table<(String, String), Planned> = Table::new(0x0392, "s3.inventory-runs");

/// A file of the list that is being made.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct File {
    key: String,
    size: u64,
    /// In hexadecimal digits.
    md5: String,
}

store::record!(File, 1);

/// By bucket, configuration, and number.
pub(crate) static FILES: Table<(String, String, u64), File> = Table::new(0x0393, "s3.inventory-files");

/// Where a run goes on.
#[derive(Clone, Serialize, Deserialize)]
struct Due {
    bucket: String,
    id: String,
    /// The list that is being made; none before its first page.
    list: Option<List>,
}

/// A list that is being made.
#[derive(Clone, Serialize, Deserialize)]
struct List {
    /// When its first page was read, in milliseconds.
    begun: i64,
    files: u64,
    place: walk::Place,
}

/// Plans the first list of a configuration for the midnight that comes; what was planned or begun before is given up.
pub(crate) fn begin(
    call: &mut Call<'_>,
    bucket: &Bucket,
    configuration: &model::InventoryConfiguration,
) -> Result<()> {
    end(call, &bucket.name, &configuration.id)?;
    if !configuration.is_enabled {
        return Ok(());
    }
    let due = Due {
        bucket: bucket.name.clone(),
        id: configuration.id.clone(),
        list: None,
    };
    let at = midnight_after(call.now);
    plan(call, bucket, &due, at)
}

/// Takes back what is planned of a configuration, and forgets a list that is not whole.
pub(crate) fn end(call: &mut Call<'_>, bucket: &str, id: &str) -> Result<()> {
    if let Some(planned) = call.get(&PLANNED, &(bucket, id))? {
        call.unschedule(&planned.0)?;
        call.delete(&PLANNED, &(bucket, id))?;
    }
    forget(call, bucket, id)
}

/// The same for all configurations of a bucket, which goes.
pub(crate) fn end_all(call: &mut Call<'_>, bucket: &str) -> Result<()> {
    const PAGE: usize = 100;
    loop {
        let planned = call.range(&PLANNED, &(bucket,), None, PAGE)?;
        if planned.is_empty() {
            return Ok(());
        }
        for ((_, id), _) in planned {
            end(call, bucket, &id)?;
        }
    }
}

fn forget(call: &mut Call<'_>, bucket: &str, id: &str) -> Result<()> {
    const PAGE: usize = 1000;
    loop {
        let files = call.range(&FILES, &(bucket, id), None, PAGE)?;
        if files.is_empty() {
            return Ok(());
        }
        for (row, _) in files {
            call.delete(&FILES, &row)?;
        }
    }
}

/// The midnight that comes next, in UTC.
const fn midnight_after(at: Timestamp) -> Timestamp {
    Timestamp(at.0 - at.0.rem_euclid(DAY) + DAY)
}

/// When the list after one of `at` is made: the next midnight, or the one of the next Sunday.
fn next_after(at: Timestamp, frequency: model::InventoryFrequency) -> Timestamp {
    let midnight = midnight_after(at);
    match frequency {
        model::InventoryFrequency::Daily => midnight,
        model::InventoryFrequency::Weekly => {
            let days = (FIRST_SUNDAY - midnight.0.div_euclid(DAY)).rem_euclid(7);
            Timestamp(midnight.0 + days * DAY)
        }
    }
}

fn plan(call: &mut Call<'_>, bucket: &Bucket, due: &Due, at: Timestamp) -> Result<()> {
    let payload = serde_json::to_value(due).map_err(Fault::internal)?;
    let job = call.within(&bucket.account, |call| {
        call.schedule_in(&bucket.region, NAME, at, payload)
    })?;
    call.put(&PLANNED, &(bucket.name.as_str(), due.id.as_str()), Planned(job))
}

/// One page of a list, or its end.
fn run(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let mut due = Due::deserialize(payload).map_err(Fault::internal)?;
    let bucket = call.get(&BUCKETS, &due.bucket)?;
    let found: Option<(_, model::InventoryConfiguration)> = match bucket {
        Some(bucket) => configuration::read(call, &bucket, Configured::Inventory, &due.id)?
            .map(|configuration| (bucket, configuration)),
        None => None,
    };
    let Some((bucket, configuration)) = found else {
        return end(call, &due.bucket, &due.id);
    };
    let list = due.list.take().unwrap_or(List {
        begun: call.now.0,
        files: 0,
        place: walk::Place::default(),
    });
    let (begun, frequency) = (list.begun, configuration.schedule.frequency);
    due.list = step(call, &bucket, &configuration, list)?;
    let at = if due.list.is_some() {
        call.now
    } else {
        forget(call, &bucket.name, &due.id)?;
        next_after(Timestamp(begun), frequency)
    };
    plan(call, &bucket, &due, at)
}

/// Lists a page; tells where the list goes on, if it does. A list that cannot be delivered ends: the trail shows the refusal, and the
/// next one is made in its time.
fn step(
    call: &mut Call<'_>,
    bucket: &Bucket,
    configuration: &model::InventoryConfiguration,
    list: List,
) -> Result<Option<List>> {
    let writer = line::Writer::of(call, bucket, configuration)?;
    let walk::Page { lines, next } = walk::page(call, bucket, configuration, &writer, list.place)?;
    let destination = deliver::Destination::of(bucket, configuration);
    let mut files = list.files;
    if !lines.is_empty() {
        let Ok(file) = destination.put_lines(call, &lines)? else {
            return Ok(None);
        };
        call.put(
            &FILES,
            &(bucket.name.as_str(), configuration.id.as_str(), files),
            file,
        )?;
        files += 1;
    }
    if let Some(place) = next {
        return Ok(Some(List {
            begun: list.begun,
            files,
            place,
        }));
    }
    let _delivered_or_told = destination.put_manifest(call, &writer, Timestamp(list.begun), files)?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_at_midnight_and_weekly_ones_on_sundays() {
        let sunday = 1_795_305_600_000;
        let next = |at, frequency| next_after(Timestamp(at), frequency).0;
        assert_eq!(next(sunday, model::InventoryFrequency::Daily), sunday + DAY);
        assert_eq!(next(sunday, model::InventoryFrequency::Weekly), sunday + 7 * DAY);
        assert_eq!(next(sunday - 1, model::InventoryFrequency::Weekly), sunday);
        assert_eq!(
            next(sunday + 3 * DAY + 5, model::InventoryFrequency::Weekly),
            sunday + 7 * DAY
        );
    }
}
