//! The embedded models of every service, parsed on first use, and the names that lead to them.
//!
//! Invariant: finding a service parses nothing; a model is parsed at most once in a process.

use std::sync::OnceLock;

use wire::model::{Service, load};
use wire::route::Catalog;

#[rustfmt::skip] // Generated, and written as the generator likes.
mod index;

/// The service by botocore's name, parsed at its first use.
pub fn service(name: &str) -> Option<&'static Service> {
    static PARSED: [OnceLock<Option<&'static Service>>; index::MODELS.len()] =
        [const { OnceLock::new() }; index::MODELS.len()];
    let place = index::MODELS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    let (_, gz) = index::MODELS.get(place)?;
    *PARSED
        .get(place)?
        .get_or_init(|| load::parse(gz).ok().map(|service| &*Box::leak(Box::new(service))))
}

/// Every embedded service, by botocore's name, sorted.
pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
    index::MODELS.iter().map(|(name, _)| *name)
}

/// Services with this name in their credential scope: `elasticloadbalancing` is both `elb` and `elbv2`.
pub fn by_signing_name(signing_name: &str) -> &'static [&'static str] {
    find(index::SIGNING_NAMES, signing_name)
}

/// The service with this `X-Amz-Target` prefix or RPC service name.
pub fn by_target_prefix(prefix: &str) -> Option<&'static str> {
    find(index::TARGET_PREFIXES, prefix).first().copied()
}

/// Services with this API version that speak awsQuery or ec2Query.
pub fn by_query_version(version: &str) -> &'static [&'static str] {
    find(index::QUERY_VERSIONS, version)
}

/// Services whose hosts begin with this label.
pub fn by_endpoint_prefix(prefix: &str) -> &'static [&'static str] {
    find(index::ENDPOINT_PREFIXES, prefix)
}

/// A sorted table from a key to names of services.
type Table = &'static [(&'static str, &'static [&'static str])];

fn find(table: Table, key: &str) -> &'static [&'static str] {
    let place = table.binary_search_by_key(&key, |(key, _)| key).ok();
    place
        .and_then(|place| table.get(place))
        .map_or(&[], |(_, names)| names)
}

/// The embedded models, for the router.
#[derive(Clone, Copy, Default)]
pub struct Embedded;

impl Catalog for Embedded {
    fn service(&self, name: &str) -> Option<&'static Service> {
        service(name)
    }

    fn by_signing_name(&self, signing_name: &str) -> &'static [&'static str] {
        by_signing_name(signing_name)
    }

    fn by_target_prefix(&self, prefix: &str) -> Option<&'static str> {
        by_target_prefix(prefix)
    }

    fn by_query_version(&self, version: &str) -> &'static [&'static str] {
        by_query_version(version)
    }

    fn by_endpoint_prefix(&self, prefix: &str) -> &'static [&'static str] {
        by_endpoint_prefix(prefix)
    }
}
