//! The metric: what a namespace, a name and a set of dimensions name, and the rows of its data.
//!
//! Invariant: the order in which dimensions were given does not matter; a metric of other dimensions is another metric. A datum lies in
//! one row, of one resolution.
//!
//! Source: CloudWatch User Guide, "Metrics concepts".

use api::cloudwatch as model;
use pipeline::telemetry::Samples;
use serde::{Deserialize, Serialize};
use store::{Error, Record, Table};

/// A metric that has data.
#[derive(Clone, Serialize, Deserialize)]
pub struct Metric {
    /// By name, in order.
    pub dimensions: Vec<(String, String)>,
    /// When data came last, to the minute, in milliseconds since the epoch.
    pub last: i64,
}

store::record!(Metric, 1);

/// Account, region, namespace, name, and the metric's id.
pub type MetricKey = (String, String, String, String, Vec<u8>);

/// By account, region, namespace, name and id.
pub static METRICS: Table<MetricKey, Metric> = Table::new(0x0520, "cloudwatch.metrics");

/// The values of a span of time: of each unit for itself.
#[derive(Clone, Default)]
pub struct Data(pub Vec<(String, Samples)>);

impl Data {
    /// Adds values of a unit.
    pub fn add(&mut self, unit: &str, samples: &Samples) {
        match self.0.iter_mut().find(|(known, _)| known == unit) {
            Some((_, known)) => known.merge(samples),
            None => self.0.push((unit.to_owned(), samples.clone())),
        }
    }

    /// Adds what another span holds.
    pub fn join(&mut self, other: &Self) {
        for (unit, samples) in &other.0 {
            self.add(unit, samples);
        }
    }
}

impl Record for Data {
    const VERSION: u8 = 1;
    /// Many, and each is seldom read twice.
    const CACHED: bool = false;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        for (unit, samples) in &self.0 {
            let length = u8::try_from(unit.len()).map_err(|_| Error::Key("a unit of 256 letters"))?;
            out.push(length);
            out.extend_from_slice(unit.as_bytes());
            samples.encode(out);
        }
        Ok(())
    }

    fn decode(_version: u8, mut bytes: &[u8]) -> store::Result<Self> {
        let broken = || Error::Key("data that does not read");
        let mut data = Self::default();
        while let Some((length, rest)) = bytes.split_first() {
            let (unit, rest) = rest.split_at_checked(usize::from(*length)).ok_or_else(broken)?;
            bytes = rest;
            let unit = std::str::from_utf8(unit).map_err(|_| broken())?.to_owned();
            data.0
                .push((unit, Samples::decode(&mut bytes).ok_or_else(broken)?));
        }
        Ok(data)
    }
}

/// Account, region, the metric's id, the span's length in seconds, and its beginning in seconds since the epoch.
pub type DataKey = (String, String, Vec<u8>, u32, i64);

/// By account, region, metric, length and beginning of the span.
pub static DATA: Table<DataKey, Data> = Table::new(0x0521, "cloudwatch.data");

/// The lengths of spans, in seconds: a datum of high resolution is of a second at first.
pub const SECOND: u32 = 1;
pub const MINUTE: u32 = 60;
pub const FIVE_MINUTES: u32 = 300;
pub const HOUR: u32 = 3600;

/// Dimensions in the order in which a metric keeps them.
pub fn ordered(dimensions: Option<&[model::Dimension]>) -> Vec<(String, String)> {
    let given = dimensions.unwrap_or_default().iter();
    let mut all: Vec<_> = given
        .map(|dimension| (dimension.name.clone(), dimension.value.clone()))
        .collect();
    all.sort();
    all
}

/// The same, as answers show them.
pub fn shown(dimensions: &[(String, String)]) -> Vec<model::Dimension> {
    let all = dimensions.iter();
    all.map(|(name, value)| model::Dimension {
        name: name.clone(),
        value: value.clone(),
    })
    .collect()
}

/// What stands for a metric in the keys of its data. `dimensions` are in order.
pub fn id(namespace: &str, name: &str, dimensions: &[(String, String)]) -> Vec<u8> {
    let mut all = Vec::new();
    let texts = [namespace, name].into_iter();
    for text in texts.chain(dimensions.iter().flat_map(|(name, value)| [name.as_str(), value])) {
        all.extend_from_slice(&(text.len() as u64).to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    let digest = crypto::digest::sha256(&all);
    digest.iter().take(16).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_names_do_not_run_together() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let one = id("N", "m", &[pair("ab", "c")]);
        assert_ne!(one, id("N", "m", &[pair("a", "bc")]));
        assert_ne!(one, id("Nm", "", &[pair("ab", "c")]));
        assert_eq!(one, id("N", "m", &[pair("ab", "c")]));
    }

    #[test]
    fn data_reads_back_by_unit() {
        let mut data = Data::default();
        data.add("Bytes", &Samples::of(1.0));
        data.add("Count", &Samples::summed(2.0, 5.0, 1.0, 4.0));
        data.add("Bytes", &Samples::of(2.0));
        let mut out = Vec::new();
        data.encode(&mut out).unwrap();
        let read = Data::decode(1, &out).unwrap();
        assert_eq!(read.0, data.0);
        assert_eq!(read.0.len(), 2);
        assert!(Data::decode(1, &out[..out.len() - 1]).is_err());
    }
}
