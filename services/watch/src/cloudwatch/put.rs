//! `PutMetricData`, and what services publish.
//!
//! Invariant: a request's data is kept whole or not at all. Names of services' own (`AWS/…`) are refused to users, so that nobody can
//! publish what a service is believed to have measured.
//!
//! Source: CloudWatch API Reference, "PutMetricData".

use std::collections::BTreeMap;

use api::cloudwatch::PutMetricDataInput;
use pipeline::telemetry::{Samples, Summary};
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::fault::Common;
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use super::datum::{Datum, plain};
use super::fault::{invalid, invalid_value, missing};
use super::metric::{self, DATA, Data, METRICS, MINUTE, Metric, SECOND};
use super::retention;

/// Data of one request.
const DATA_MAX: usize = 1000;
/// What services' own namespaces begin with.
const RESERVED: &str = "AWS/";

/// Puts data of metrics.
pub struct PutMetricData;

impl Operation for PutMetricData {
    type Input = PutMetricDataInput;
    type Output = Empty;
    type Target = AccountScope;
    const ACCESS: Access = Access::write("cloudwatch:PutMetricData");
    const CONDITIONS: &'static [&'static str] = &["cloudwatch:namespace"];

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<Self::Target>> {
        Ok(AccountScope::of(look))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert("cloudwatch:namespace", input.namespace.clone());
    }

    fn handle(call: &mut Call<'_>, _: Authorized<AccountScope>, input: Self::Input) -> Result<Empty> {
        if input.entity_metric_data.is_some() {
            return Err(Fault::common(
                Common::NotImplemented,
                "This version of Ringwork keeps metrics without the entities that they belong to: EntityMetricData is not taken.",
            ));
        }
        plain(&input.namespace, "Namespace")?;
        if input.namespace.starts_with(RESERVED) {
            return Err(invalid_value(RESERVED, "Namespace"));
        }
        let data = input.metric_data.unwrap_or_default();
        if data.is_empty() {
            return Err(missing("MetricData"));
        }
        if data.len() > DATA_MAX {
            return Err(invalid(format!(
                "The collection MetricData must not have a size greater than {DATA_MAX}."
            )));
        }
        let now = call.now;
        let (account, region) = (call.account().to_owned(), call.region().to_owned());
        let mut kept = Keeping::new(&account, &region);
        for (place, datum) in data.iter().enumerate() {
            let datum = Datum::read(place + 1, datum, now)?;
            let of = (input.namespace.as_str(), datum.name.as_str());
            let resolution = if retention::keeps_seconds(datum.at, now) {
                datum.resolution
            } else {
                MINUTE
            };
            kept.add(
                of,
                datum.dimensions,
                (resolution, datum.at),
                (datum.unit, &datum.samples),
            );
        }
        kept.write(call)?;
        Ok(Empty)
    }
}

/// Keeps what services measured.
pub(super) fn publish(call: &mut Call<'_>, summaries: &[Summary]) -> Result<()> {
    let mut kept: BTreeMap<(&str, &str), Keeping> = BTreeMap::new();
    for summary in summaries {
        let subject = &summary.subject;
        let place = (subject.account.as_str(), subject.region.as_str());
        let own = kept
            .entry(place)
            .or_insert_with(|| Keeping::new(place.0, place.1));
        let mut dimensions: Dimensions = subject
            .dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        dimensions.sort();
        own.until = own.until.max(summary.minute.0);
        own.add(
            (subject.namespace, summary.name),
            dimensions,
            (MINUTE, summary.minute),
            (summary.unit, &summary.samples),
        );
    }
    for (place, own) in kept {
        call.within(place.0, |call| own.write(call))?;
    }
    Ok(())
}

/// Names and values, in order.
type Dimensions = Vec<(String, String)>;

/// What is to be added to the data of an account in a region.
struct Keeping {
    account: String,
    region: String,
    /// By namespace, name and id.
    metrics: BTreeMap<(String, String, Vec<u8>), Dimensions>,
    /// By id, length and beginning of the span.
    data: BTreeMap<(Vec<u8>, u32, i64), Data>,
    /// The time up to which services measured, in milliseconds: while the clock is being moved, their jobs are ahead of it.
    until: i64,
}

impl Keeping {
    fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            metrics: BTreeMap::new(),
            data: BTreeMap::new(),
            until: 0,
        }
    }

    fn add(
        &mut self,
        (namespace, name): (&str, &str),
        dimensions: Dimensions,
        (length, at): (u32, Timestamp),
        (unit, samples): (&str, &Samples),
    ) {
        let id = metric::id(namespace, name, &dimensions);
        let start = at.seconds() - at.seconds().rem_euclid(i64::from(length));
        let span = self.data.entry((id.clone(), length, start)).or_default();
        span.add(unit, samples);
        self.metrics
            .insert((namespace.to_owned(), name.to_owned(), id), dimensions);
    }

    fn write(self, call: &mut Call<'_>) -> Result<()> {
        let now = call.now.0.max(self.until);
        let now = now - now.rem_euclid(60_000);
        let (account, region) = (self.account, self.region);
        for ((namespace, name, id), dimensions) in self.metrics {
            let key = (account.clone(), region.clone(), namespace, name, id);
            let last = call.get(&METRICS, &key)?.map(|known| known.last);
            if last.is_none_or(|last| last < now) {
                let metric = Metric {
                    dimensions,
                    last: now,
                };
                call.put(&METRICS, &key, metric)?;
            }
        }
        let mut seconds = false;
        for ((id, length, start), added) in self.data {
            if length == SECOND {
                seconds = true;
                retention::note_seconds(call, &account, &region, &id)?;
            }
            let key = (account.clone(), region.clone(), id, length, start);
            let mut data = match call.get(&DATA, &key)? {
                Some(known) => (*known).clone(),
                None => Data::default(),
            };
            data.join(&added);
            call.put(&DATA, &key, data)?;
        }
        retention::plan(call, &account, &region, seconds)
    }
}
