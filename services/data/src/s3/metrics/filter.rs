//! Which requests a metrics configuration is about.
//!
//! Invariant: what cannot be found out of a request (the tags of an object that there is not) fits no filter that asks for it.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Call, Result};

use crate::s3::access_point;
use crate::s3::bucket::Bucket;
use crate::s3::fault::{invalid_argument, malformed_xml};
use crate::s3::object::tag_set::{self, TagSet};
use crate::s3::object::{OBJECTS, Version};

/// Letters of a configuration's id.
const ID_MAX: usize = 64;

/// A request, as filters see it.
pub(super) struct Asked<'a> {
    bucket: &'a Bucket,
    key: Option<&'a str>,
    /// The ARN of the access point.
    through: Option<&'a str>,
    /// The tags of an object that the request took away.
    pub(super) tagged: Option<&'a TagSet>,
    /// The object as it is now, once somebody asked for it.
    object: Option<Option<Arc<Version>>>,
}

impl<'a> Asked<'a> {
    pub(super) const fn new(bucket: &'a Bucket, key: Option<&'a str>, through: Option<&'a str>) -> Self {
        Self {
            bucket,
            key,
            through,
            tagged: None,
            object: None,
        }
    }

    /// Whether the request is one of those that a filter is about; without one, all are.
    pub(super) fn fits(
        &mut self,
        call: &mut Call<'_>,
        filter: Option<&model::MetricsFilter>,
    ) -> Result<bool> {
        let Some(filter) = filter else {
            return Ok(true);
        };
        let and = filter.and.as_ref();
        let prefixes = [
            filter.prefix.as_deref(),
            and.and_then(|and| and.prefix.as_deref()),
        ];
        let points = [
            filter.access_point_arn.as_deref(),
            and.and_then(|and| and.access_point_arn.as_deref()),
        ];
        let (key, through) = (self.key, self.through);
        let prefixed = |prefix: &str| key.is_some_and(|key| key.starts_with(prefix));
        if !prefixes.into_iter().flatten().all(prefixed)
            || !points.into_iter().flatten().all(|point| through == Some(point))
        {
            return Ok(false);
        }
        let tags = filter
            .tag
            .iter()
            .chain(and.and_then(|and| and.tags.as_ref()).into_iter().flatten());
        for tag in tags {
            let has = |tags: &TagSet| tags.get(&tag.key).is_some_and(|value| *value == tag.value);
            let fits = match self.tagged {
                Some(tags) => has(tags),
                None => self.object(call)?.is_some_and(|object| has(&object.tags)),
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn object(&mut self, call: &mut Call<'_>) -> Result<Option<&Arc<Version>>> {
        if self.object.is_none() {
            let row = self.key.map(|key| (self.bucket.name.as_str(), key.as_bytes()));
            let found = row.map(|row| call.get(&OBJECTS, &row)).transpose()?;
            self.object = Some(found.flatten());
        }
        Ok(self.object.as_ref().and_then(Option::as_ref))
    }
}

/// Whether a configuration can be kept as it is asked for.
pub(crate) fn check(asked: &model::MetricsConfiguration) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if asked.id.is_empty() || asked.id.len() > ID_MAX || !asked.id.bytes().all(plain) {
        return Err(invalid_argument(
            "The id of a metrics configuration has up to 64 letters, digits, periods, dashes and underscores.",
            "Id",
            &asked.id,
        ));
    }
    let Some(filter) = &asked.filter else {
        return Ok(());
    };
    let used = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.access_point_arn.is_some(),
        filter.and.is_some(),
    ];
    if used.into_iter().filter(|used| *used).count() != 1 {
        return Err(malformed_xml());
    }
    let points = filter.access_point_arn.iter();
    let mut points: Vec<&String> = points.collect();
    let mut tags: Vec<model::Tag> = filter.tag.iter().map(copied).collect();
    if let Some(and) = &filter.and {
        let given = and.tags.iter().flatten();
        tags.extend(given.map(copied));
        points.extend(and.access_point_arn.iter());
        // One predicate needs no conjunction.
        let predicates = usize::from(and.prefix.is_some()) + points.len() + tags.len();
        if predicates < 2 {
            return Err(malformed_xml());
        }
    }
    for point in points {
        if access_point::of_arn(point).is_none() {
            return Err(invalid_argument(
                "The access point ARN is not valid.",
                "AccessPointArn",
                point,
            ));
        }
    }
    tag_set::read(tags).map(|_| ())
}

fn copied(tag: &model::Tag) -> model::Tag {
    model::Tag {
        key: tag.key.clone(),
        value: tag.value.clone(),
    }
}
