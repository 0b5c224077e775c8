//! Configurations of buckets that few requests need, each in a row of its own, as the request put them.
//!
//! Invariant: a row was checked before it was kept; the bucket's own row says which kinds there are, so that a request that needs none
//! reads none.

use pipeline::{Call, Look, Result};
use store::{Error, Record, Table};
use wire::{Document, Fault, FromDocument, IntoDocument};

use super::bucket::{Bucket, Configured};

/// A configuration, by the model's shape.
#[derive(Clone)]
pub struct Configuration {
    shape: String,
    document: Document,
}

impl Record for Configuration {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        let service = api::models::service("s3").ok_or(Error::Key("a service without a model"))?;
        let kept = wire::protocol::kept(service, &self.shape, &self.document);
        let kept = kept.map_err(|_| Error::Key("a configuration that is not of its shape"))?;
        out.extend_from_slice(self.shape.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(&kept);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        let broken = || Error::Key("a configuration that does not read");
        let service = api::models::service("s3").ok_or_else(broken)?;
        let at = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(broken)?;
        let (shape, rest) = bytes.split_at_checked(at).ok_or_else(broken)?;
        let shape = std::str::from_utf8(shape).map_err(|_| broken())?.to_owned();
        let document = wire::protocol::read_kept(service, &shape, rest).map_err(|_| broken())?;
        Ok(Self { shape, document })
    }
}

/// By bucket, kind (`Configured`'s name) and id, which is empty where a bucket has one of the kind at most.
pub static CONFIGURATIONS: Table<(String, String, String), Configuration> =
    Table::new(0x0304, "s3.configurations");

/// The most configurations of a kind that a bucket has (S3 API Reference, "TooManyConfigurations").
const MAX: usize = 1000;

impl Configured {
    /// The name in keys of rows.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Accelerate => "accelerate",
            Self::Analytics => "analytics",
            Self::Cors => "cors",
            Self::IntelligentTiering => "intelligent-tiering",
            Self::Inventory => "inventory",
            Self::Lifecycle => "lifecycle",
            Self::Metrics => "metrics",
            Self::Notification => "notification",
            Self::Replication => "replication",
            Self::Website => "website",
        }
    }
}

/// The configuration of a kind, if the bucket has one: `read::<api::s3::CORSConfiguration>(look, &bucket, Configured::Cors, "")`.
pub fn read<T: FromDocument>(
    look: &mut Look<'_>,
    bucket: &Bucket,
    kind: Configured,
    id: &str,
) -> Result<Option<T>> {
    if !bucket.configured.contains(&kind) {
        return Ok(None);
    }
    let row = look.get(&CONFIGURATIONS, &(bucket.name.as_str(), kind.name(), id))?;
    row.map(|row| T::from_document(row.document.clone()).map_err(Fault::from))
        .transpose()
}

/// Keeps a configuration in place of the one that is there. `shape` is the model's name of its type.
pub(crate) fn put(
    call: &mut Call<'_>,
    mut bucket: Bucket,
    kind: Configured,
    id: &str,
    shape: &str,
    value: impl IntoDocument,
) -> Result<()> {
    let row = (bucket.name.as_str(), kind.name(), id);
    if !id.is_empty() && call.get(&CONFIGURATIONS, &row)?.is_none() {
        let rows = call.range(&CONFIGURATIONS, &(bucket.name.as_str(), kind.name()), None, MAX)?;
        if rows.len() >= MAX {
            return Err(Fault::plain(
                "TooManyConfigurations",
                400,
                "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.",
            ));
        }
    }
    let configuration = Configuration {
        shape: shape.to_owned(),
        document: value.into_document(),
    };
    call.put(&CONFIGURATIONS, &row, configuration)?;
    if bucket.configured.insert(kind) {
        bucket.keep(call)?;
    }
    Ok(())
}

/// Takes a configuration away; tells whether there was one.
pub(crate) fn delete(call: &mut Call<'_>, mut bucket: Bucket, kind: Configured, id: &str) -> Result<bool> {
    let row = (bucket.name.as_str(), kind.name(), id);
    if call.get(&CONFIGURATIONS, &row)?.is_none() {
        return Ok(false);
    }
    call.delete(&CONFIGURATIONS, &row)?;
    let left = call.range(&CONFIGURATIONS, &(bucket.name.as_str(), kind.name()), None, 1)?;
    if left.is_empty() {
        bucket.configured.remove(&kind);
        bucket.keep(call)?;
    }
    Ok(true)
}

/// Takes all away, with their bucket.
pub(crate) fn delete_all(call: &mut Call<'_>, bucket: &str) -> Result<()> {
    loop {
        let rows = call.range(&CONFIGURATIONS, &(bucket,), None, MAX)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (row, _) in rows {
            call.delete(&CONFIGURATIONS, &row)?;
        }
    }
}

/// A page of the configurations of a kind, behind the id `after`, with the id that the next page begins behind.
pub(crate) fn page<T: FromDocument>(
    look: &mut Look<'_>,
    bucket: &Bucket,
    kind: Configured,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<T>, Option<String>)> {
    let place = |id: &str| (bucket.name.clone(), kind.name().to_owned(), id.to_owned());
    let after = after.map(place);
    let prefix = (bucket.name.as_str(), kind.name());
    let mut rows = look.range(&CONFIGURATIONS, &prefix, after.as_ref(), limit + 1)?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().map(|((_, _, id), _)| id.clone()).filter(|_| more);
    let found: std::result::Result<Vec<T>, _> = rows
        .into_iter()
        .map(|(_, row)| T::from_document(row.document.clone()))
        .collect();
    Ok((found?, next))
}
