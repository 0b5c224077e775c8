//! Telemetry: what services measure of what they do, on its way to the service that keeps metrics (`Sink`).
//!
//! Measurements are added up in memory by what they are of and by the minute, and handed over together once a minute of the wall, once
//! the minute that they tell of is over by the cloud's clock, and at the end of the server.
//!
//! Invariant: what is measured is bounded in memory and never holds up a call. A server that is killed loses what was measured since
//! the last hand-over, a minute's worth; beyond `SERIES_MAX` series at a time, new ones are lost and counted. A service that measures
//! nothing costs nothing.

mod ending;
mod samples;

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;
use wire::{Fault, Timestamp};

use crate::call::{Call, Look, RequestFacts};
use crate::gateway::Gateway;
use crate::identity::Identity;
use crate::operation::Result;

pub(crate) use ending::AtEnd;
pub use ending::{Metric, number};
pub use samples::Samples;

/// Series of one minute that wait to be handed over, at most.
const SERIES_MAX: usize = 50_000;
/// Series that are handed over in one transaction.
const BATCH: usize = 200;
/// Milliseconds of the wall, and of the cloud, after which what waits is handed over.
const MINUTE: i64 = 60_000;
/// How often a hand-over is run again after it lost a race for its rows.
const ATTEMPTS_MAX: usize = 64;

/// Who keeps what is measured.
pub struct Sink {
    /// botocore's service name.
    pub service: &'static str,
    /// Keeps some series. May run again after a conflict.
    pub take: fn(&mut Call<'_>, &[Summary]) -> Result<()>,
}

/// What values are of: whose, where, and which thing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Twelve digits.
    pub account: String,
    pub region: String,
    /// `AWS/S3`
    pub namespace: &'static str,
    pub dimensions: Vec<(&'static str, String)>,
}

/// One value of a metric, with its unit as CloudWatch names it.
pub type Measured = (&'static str, &'static str, f64);

/// What a run of a call measured; it counts once the run is committed.
pub(crate) struct Measurement {
    subject: Subject,
    at: Timestamp,
    values: Vec<Measured>,
}

/// The values of one metric in one minute.
pub struct Summary {
    pub subject: Subject,
    pub name: &'static str,
    pub unit: &'static str,
    /// When the minute began.
    pub minute: Timestamp,
    pub samples: Samples,
}

type Series = BTreeMap<(&'static str, &'static str), Samples>;

#[derive(Default)]
struct Waiting {
    series: HashMap<(Subject, i64), Series>,
    count: usize,
    /// The wall's time of the oldest.
    since: Option<i64>,
    /// When the first minute is over by the cloud's clock.
    over: Option<i64>,
    lost: u64,
}

/// All that waits to be handed over.
#[derive(Default)]
pub(crate) struct Telemetry {
    waiting: Mutex<Waiting>,
    /// One hand-over at a time, so that whoever waits for one finds all of it done.
    turn: tokio::sync::Mutex<()>,
}

impl Telemetry {
    /// Adds what a committed run measured. Tells whether nothing waited before.
    pub(crate) fn add(&self, measurements: Vec<Measurement>, wall: Timestamp) -> bool {
        if measurements.is_empty() {
            return false;
        }
        let mut waiting = self.waiting.lock();
        let first = waiting.since.is_none();
        for Measurement { subject, at, values } in measurements {
            let minute = at.0.div_euclid(MINUTE) * MINUTE;
            let summaries = values
                .into_iter()
                .map(|(name, unit, value)| (name, unit, Samples::of(value)));
            waiting.add(subject, minute, summaries, wall.0);
        }
        first
    }

    /// Whether so much waits that a run of many jobs had better hand it over at once.
    pub(crate) fn is_crowded(&self) -> bool {
        self.waiting.lock().count > SERIES_MAX / 2
    }

    /// When the first minute that waits is over, in cloud milliseconds.
    pub(crate) fn over(&self) -> Option<i64> {
        self.waiting.lock().over
    }

    /// Milliseconds of the wall until what waits has waited long enough.
    fn waits(&self, wall: Timestamp) -> Option<u64> {
        let since = self.waiting.lock().since?;
        Some(u64::try_from(since + MINUTE - wall.0).unwrap_or(0))
    }

    fn is_due(&self, now: Timestamp, wall: Timestamp) -> bool {
        let waiting = self.waiting.lock();
        waiting.over.is_some_and(|over| over <= now.0)
            || waiting.since.is_some_and(|since| since + MINUTE <= wall.0)
    }

    fn take(&self) -> (Vec<Summary>, u64) {
        let Waiting { series, lost, .. } = std::mem::take(&mut *self.waiting.lock());
        let mut taken = Vec::new();
        for ((subject, minute), series) in series {
            taken.extend(series.into_iter().map(|((name, unit), samples)| Summary {
                subject: subject.clone(),
                name,
                unit,
                minute: Timestamp(minute),
                samples,
            }));
        }
        (taken, lost)
    }

    fn forget(&self, account: Option<&str>) {
        let mut waiting = self.waiting.lock();
        waiting
            .series
            .retain(|(subject, _), _| account.is_some_and(|account| subject.account != account));
        waiting.count = waiting.series.values().map(BTreeMap::len).sum();
        if waiting.count == 0 {
            (waiting.since, waiting.over) = (None, None);
        }
    }

    fn put_back(&self, summaries: &[Summary], wall: Timestamp) {
        let mut waiting = self.waiting.lock();
        for summary in summaries {
            let samples = [(summary.name, summary.unit, summary.samples.clone())];
            waiting.add(
                summary.subject.clone(),
                summary.minute.0,
                samples.into_iter(),
                wall.0,
            );
        }
    }
}

impl Waiting {
    fn add(
        &mut self,
        subject: Subject,
        minute: i64,
        summaries: impl Iterator<Item = (&'static str, &'static str, Samples)>,
        wall: i64,
    ) {
        self.since.get_or_insert(wall);
        let over = minute + MINUTE;
        self.over = Some(self.over.map_or(over, |known| known.min(over)));
        let series = self.series.entry((subject, minute)).or_default();
        for (name, unit, samples) in summaries {
            if let Some(known) = series.get_mut(&(name, unit)) {
                known.merge(&samples);
            } else if self.count < SERIES_MAX {
                series.insert((name, unit), samples);
                self.count += 1;
            } else {
                self.lost += 1;
            }
        }
    }
}

impl Call<'_> {
    /// Whether somebody keeps what is measured.
    pub const fn is_measured(&self) -> bool {
        self.look.environment.sink.is_some()
    }

    /// Measures values of one thing at one time. They count once this run is committed, and are kept by whoever keeps metrics, within
    /// a minute.
    pub fn measure(&mut self, subject: Subject, at: Timestamp, values: Vec<Measured>) {
        self.measured.push(Measurement { subject, at, values });
    }
}

impl Gateway {
    /// Counts what a committed run measured.
    pub(crate) fn measured(&self, measurements: Vec<Measurement>) {
        if self.environment.sink.is_some()
            && self
                .environment
                .telemetry
                .add(measurements, self.environment.clock.wall())
        {
            // The hand-over is to be waited for.
            self.replanned.notify_one();
        }
    }

    /// Forgets what was measured and not handed over yet, of one account or of all: they are empty again.
    pub fn forget_telemetry(&self, account: Option<&str>) {
        self.environment.telemetry.forget(account);
    }

    /// How long `start_due` need not be called for the sake of what was measured; `None` if nothing waits.
    pub fn telemetry_waits(&self) -> Option<std::time::Duration> {
        let waits = self.environment.telemetry.waits(self.environment.clock.wall());
        waits.map(std::time::Duration::from_millis)
    }

    /// Hands over what was measured, if it has waited for its time.
    ///
    /// # Errors
    /// The fault of the service that keeps metrics, or of the store. What was not kept waits on.
    pub(crate) async fn flush_due(&self, now: Timestamp) -> Result<()> {
        let (telemetry, wall) = (&self.environment.telemetry, self.environment.clock.wall());
        if telemetry.is_due(now, wall) {
            self.flush_telemetry().await?;
        }
        Ok(())
    }

    /// Hands over all that was measured: at the end of the server, and before a snapshot.
    ///
    /// # Errors
    /// The fault of the service that keeps metrics, or of the store. What was not kept waits on.
    pub async fn flush_telemetry(&self) -> Result<()> {
        let Some(sink) = self.environment.sink else {
            return Ok(());
        };
        let telemetry = &self.environment.telemetry;
        let _turn = telemetry.turn.lock().await;
        let (summaries, lost) = telemetry.take();
        if lost > 0 {
            eprintln!(
                "ringwork: {lost} measurements were lost: more than {SERIES_MAX} series were measured at a time"
            );
        }
        let mut rest = summaries.as_slice();
        while !rest.is_empty() {
            let (batch, others) = rest.split_at(BATCH.min(rest.len()));
            if let Err(fault) = self.hand_over(sink, batch).await {
                telemetry.put_back(rest, self.environment.clock.wall());
                return Err(fault);
            }
            rest = others;
        }
        Ok(())
    }

    async fn hand_over(&self, sink: &Sink, batch: &[Summary]) -> Result<()> {
        let account = &self.environment.management_account;
        let principal = format!("{}.amazonaws.com", sink.service);
        let identity = Identity::service(&principal, account);
        let facts = RequestFacts {
            source_ip: principal,
            secure: true,
            ..RequestFacts::default()
        };
        for _ in 0..ATTEMPTS_MAX {
            let mut tx = self.store.begin_eager().map_err(Fault::internal)?;
            let now = self.environment.clock.now();
            let look = Look::new(&mut tx, &self.environment, now, "us-east-1", account.clone());
            let mut call = Call::new(look, &identity, &facts, sink.service);
            let taken = (sink.take)(&mut call, batch);
            let (conflict, planned) = (call.look.conflict, !call.pending.is_empty());
            if conflict {
                continue;
            }
            taken?;
            match self.store.commit(tx, Vec::new()).await {
                Ok(_) => {
                    if planned {
                        self.replanned.notify_one();
                    }
                    return Ok(());
                }
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(Fault::internal(error)),
            }
        }
        Err(Fault::internal("the hand-over of metrics lost every race"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(at: i64, bucket: &str, value: f64) -> Measurement {
        Measurement {
            subject: Subject {
                account: "000000000000".to_owned(),
                region: "us-east-1".to_owned(),
                namespace: "AWS/S3",
                dimensions: vec![("BucketName", bucket.to_owned())],
            },
            at: Timestamp(at),
            values: vec![("AllRequests", "Count", value)],
        }
    }

    #[test]
    fn values_of_a_minute_are_added_up() {
        let telemetry = Telemetry::default();
        assert!(telemetry.add(vec![measurement(61_000, "a", 1.0)], Timestamp(5)));
        assert!(!telemetry.add(vec![measurement(119_999, "a", 3.0)], Timestamp(6)));
        assert!(!telemetry.add(vec![measurement(120_000, "a", 7.0)], Timestamp(7)));
        let (mut taken, lost) = telemetry.take();
        taken.sort_by_key(|summary| summary.minute);
        let told: Vec<_> = taken
            .iter()
            .map(|summary| (summary.minute.0, summary.samples.count, summary.samples.sum))
            .collect();
        assert_eq!((told, lost), (vec![(60_000, 2.0, 4.0), (120_000, 1.0, 7.0)], 0));
        assert!(telemetry.take().0.is_empty());
    }

    #[test]
    fn it_waits_a_minute_of_either_clock() {
        let telemetry = Telemetry::default();
        telemetry.add(vec![measurement(61_000, "a", 1.0)], Timestamp(5));
        assert_eq!(telemetry.over(), Some(120_000));
        assert!(!telemetry.is_due(Timestamp(119_999), Timestamp(60_004)));
        assert!(telemetry.is_due(Timestamp(120_000), Timestamp(5)));
        assert!(telemetry.is_due(Timestamp(61_000), Timestamp(60_005)));
    }

    #[test]
    fn what_is_too_much_is_counted_as_lost() {
        let telemetry = Telemetry::default();
        let many = (0..=SERIES_MAX).map(|number| measurement(0, &number.to_string(), 1.0));
        telemetry.add(many.collect(), Timestamp(0));
        let (taken, lost) = telemetry.take();
        assert_eq!((taken.len(), lost), (SERIES_MAX, 1));
    }

    #[test]
    fn what_is_forgotten_is_not_handed_over() {
        let telemetry = Telemetry::default();
        telemetry.add(vec![measurement(0, "a", 1.0)], Timestamp(0));
        telemetry.forget(Some("111122223333"));
        assert!(telemetry.over().is_some());
        telemetry.forget(Some("000000000000"));
        assert!(telemetry.over().is_none() && telemetry.take().0.is_empty());
    }

    #[test]
    fn what_could_not_be_kept_waits_on() {
        let telemetry = Telemetry::default();
        telemetry.add(vec![measurement(0, "a", 1.0)], Timestamp(0));
        let (taken, _) = telemetry.take();
        telemetry.put_back(&taken, Timestamp(1));
        telemetry.add(vec![measurement(0, "a", 2.0)], Timestamp(2));
        let (taken, _) = telemetry.take();
        assert_eq!(taken.first().map(|summary| summary.samples.sum), Some(3.0));
    }
}
