//! Daily storage metrics: how much every bucket holds, published in `AWS/S3` at midnight by the cloud's clock.
//!
//! One job goes through all buckets, a bounded number of rows in a run; what it counted of the bucket where it stopped goes along.
//! A bucket's figures are those of the moments at which its pages were read, as AWS's are of some moment of the day. What archived
//! classes take beside the objects' own bytes is not counted, since nothing is taken here.
//!
//! Invariant: no run grows with a bucket. The job is planned from the first bucket on, or as the installation starts, while somebody keeps metrics.
//!
//! Source: S3 User Guide, "Amazon S3 daily storage metrics for buckets in CloudWatch".

use std::collections::BTreeMap;

use pipeline::jobs::JobKind;
use pipeline::telemetry::{Subject, number};
use pipeline::{Call, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::{Fault, Timestamp};

use super::{BYTES, COUNT, NAMESPACE};
use crate::s3::bucket::{BUCKETS, Bucket};
use crate::s3::multipart::{UPLOADED, UPLOADS, UploadKey};
use crate::s3::object::{OBJECTS, VERSIONS};

const NAME: &str = "s3.StorageMetrics";
/// Rows of a run.
const ROWS_MAX: usize = 2000;
const DAY: i64 = 86_400_000;

/// What counts.
pub(crate) const JOB: JobKind = JobKind {
    name: NAME,
    service: "s3",
    event: "",
    run,
};

/// The job is planned.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Planned {}

store::record!(Planned, 1);

/// By the management account, whose job it is: one row.
static PLANNED: Table<String, Planned> = Table::new(0x03b4, "s3.storage-metrics");

/// Where a run goes on.
#[derive(Default, Serialize, Deserialize)]
struct From {
    /// The last bucket that is done with.
    after: Option<String>,
    counting: Option<Counting>,
}

/// A bucket that is being counted.
#[derive(Default, Serialize, Deserialize)]
struct Counting {
    bucket: String,
    stage: Stage,
    /// The last key that was seen, and its row.
    key: Option<(Vec<u8>, u64)>,
    /// The last part that was seen of the upload behind `key`.
    part: Option<u16>,
    objects: u64,
    /// By storage class.
    bytes: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    #[default]
    Current,
    Others,
    Uploads,
    Done,
}

/// The same of a folder whose buckets are older than this job. Called as the installation starts.
///
/// # Errors
/// When the store does not read or write.
pub fn resume(call: &mut Call<'_>) -> Result<()> {
    let first = call.range(&BUCKETS, &(), None, 1)?;
    if first.is_empty() { Ok(()) } else { plan(call) }
}

/// Makes sure that buckets are counted from now on.
pub(crate) fn plan(call: &mut Call<'_>) -> Result<()> {
    if !call.is_measured() {
        return Ok(());
    }
    let owner = call.management_account().to_owned();
    if call.get(&PLANNED, &owner)?.is_some() {
        return Ok(());
    }
    call.put(&PLANNED, &owner, Planned {})?;
    let due = midnight(call.now.0) + DAY;
    call.within(&owner, |call| schedule(call, due, &From::default()))
}

fn schedule(call: &mut Call<'_>, due: i64, from: &From) -> Result<()> {
    let payload = serde_json::to_value(from).map_err(Fault::internal)?;
    call.schedule(NAME, Timestamp(due), payload)?;
    Ok(())
}

/// When the day of a time began.
const fn midnight(at: i64) -> i64 {
    at - at.rem_euclid(DAY)
}

fn run(call: &mut Call<'_>, payload: &serde_json::Value) -> Result<()> {
    let mut from = From::deserialize(payload).map_err(Fault::internal)?;
    let mut left = ROWS_MAX;
    loop {
        let mut counting = match from.counting.take() {
            Some(counting) => counting,
            None => {
                let next = call.range(&BUCKETS, &(), from.after.as_ref(), 1)?;
                let Some((name, _)) = next.into_iter().next() else {
                    break;
                };
                // Buckets cost something too, however empty.
                left = left.saturating_sub(1);
                Counting {
                    bucket: name,
                    ..Counting::default()
                }
            }
        };
        let Some(bucket) = call.get(&BUCKETS, &counting.bucket)? else {
            // It was deleted meanwhile.
            from.after = Some(counting.bucket);
            continue;
        };
        while counting.stage != Stage::Done && left > 0 {
            counting.step(call, &mut left)?;
        }
        if counting.stage != Stage::Done {
            from.counting = Some(counting);
            return schedule(call, call.now.0, &from);
        }
        publish(call, &bucket, &counting);
        from.after = Some(counting.bucket);
    }
    if from.after.is_none() {
        let owner = call.management_account().to_owned();
        return call.delete(&PLANNED, &owner);
    }
    schedule(call, midnight(call.now.0) + DAY, &From::default())
}

fn publish(call: &mut Call<'_>, bucket: &Bucket, counting: &Counting) {
    let at = Timestamp(midnight(call.now.0));
    let mut one = |name, unit, kind: &str, value| {
        let subject = Subject {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
            namespace: NAMESPACE,
            dimensions: vec![
                ("BucketName", bucket.name.clone()),
                ("StorageType", kind.to_owned()),
            ],
        };
        call.measure(subject, at, vec![(name, unit, number(value))]);
    };
    if counting.objects > 0 {
        one("NumberOfObjects", COUNT, "AllStorageTypes", counting.objects);
    }
    for (class, bytes) in &counting.bytes {
        one("BucketSizeBytes", BYTES, kind(class), *bytes);
    }
}

/// The storage type of a class, as the dimension names it.
fn kind(class: &str) -> &'static str {
    match class {
        "REDUCED_REDUNDANCY" => "ReducedRedundancyStorage",
        "STANDARD_IA" => "StandardIAStorage",
        "ONEZONE_IA" => "OneZoneIAStorage",
        // Objects do not move between tiers here: all are in the frequent one.
        "INTELLIGENT_TIERING" => "IntelligentTieringFAStorage",
        "GLACIER" => "GlacierStorage",
        "GLACIER_IR" => "GlacierInstantRetrievalStorage",
        "DEEP_ARCHIVE" => "DeepArchiveStorage",
        _ => "StandardStorage",
    }
}

impl Counting {
    /// Counts what at most `left` rows tell.
    fn step(&mut self, call: &mut Call<'_>, left: &mut usize) -> Result<()> {
        match self.stage {
            Stage::Current => self.current(call, left),
            Stage::Others => self.others(call, left),
            Stage::Uploads => self.upload(call, left),
            Stage::Done => Ok(()),
        }
    }

    fn add(&mut self, class: &str, bytes: u64) {
        self.objects += 1;
        let known = self.bytes.get_mut(class);
        match known {
            Some(known) => *known = known.saturating_add(bytes),
            None => {
                self.bytes.insert(class.to_owned(), bytes);
            }
        }
    }

    fn go_on(&mut self, stage: Stage) {
        self.stage = stage;
        (self.key, self.part) = (None, None);
    }

    fn current(&mut self, call: &mut Call<'_>, left: &mut usize) -> Result<()> {
        let after = self.key.take().map(|(key, _)| (self.bucket.clone(), key));
        let rows = call.range(&OBJECTS, &(self.bucket.as_str(),), after.as_ref(), *left)?;
        let full = rows.len() == *left;
        *left -= rows.len();
        for ((_, key), version) in rows {
            self.add(&version.class, version.size);
            self.key = Some((key, 0));
        }
        if !full {
            self.go_on(Stage::Others);
        }
        Ok(())
    }

    fn others(&mut self, call: &mut Call<'_>, left: &mut usize) -> Result<()> {
        let after = self.key.take().map(|(key, row)| (self.bucket.clone(), key, row));
        let rows = call.range(&VERSIONS, &(self.bucket.as_str(),), after.as_ref(), *left)?;
        let full = rows.len() == *left;
        *left -= rows.len();
        for ((_, key, row), version) in rows {
            if version.is_marker() {
                self.objects += 1;
            } else {
                self.add(&version.class, version.size);
            }
            self.key = Some((key, row));
        }
        if !full {
            self.go_on(Stage::Uploads);
        }
        Ok(())
    }

    /// Counts the parts of the next upload, or goes on with those of the last one.
    fn upload(&mut self, call: &mut Call<'_>, left: &mut usize) -> Result<()> {
        let place = |(key, row): (Vec<u8>, u64)| (self.bucket.clone(), key, row);
        let after: Option<UploadKey> = self.key.clone().map(place);
        let rows = call.range(&UPLOADS, &(self.bucket.as_str(),), after.as_ref(), 1)?;
        *left -= 1;
        let Some(((_, key, row), upload)) = rows.into_iter().next() else {
            self.go_on(Stage::Done);
            return Ok(());
        };
        let after = self.part.take().map(|part| (upload.id.clone(), part));
        let parts = call.range(&UPLOADED, &(upload.id.as_str(),), after.as_ref(), *left)?;
        // With no room left nothing is known of what is there.
        let full = parts.len() == *left;
        *left -= parts.len();
        self.part = after.map(|(_, part)| part);
        for ((_, part), found) in parts {
            self.add(&upload.class, found.content.size());
            self.part = Some(part);
        }
        if !full {
            (self.key, self.part) = (Some((key, row)), None);
        }
        Ok(())
    }
}
