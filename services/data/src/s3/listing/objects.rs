//! The list of a bucket's objects, in the older form and the newer.

use std::sync::Arc;

use api::s3 as model;
use pipeline::{Look, Result};
use wire::Timestamp;

use super::on_list::on_list;
use super::page::{self, Names};
use super::rows::{Objects, Under};
use super::walk::{Line, Page, Position, walk};
use crate::s3::object::Version;
use crate::s3::object::access_list::owner;
use crate::s3::object::target::LIST;

on_list! {
    /// Lists objects, a page behind a key.
    ListObjects(model::ListObjectsRequest) -> model::ListObjectsOutput, LIST;
    |call, bucket, input, charged| {
        let (limit, max_keys) = page::size(input.max_keys, "max-keys")?;
        let names = Names(input.encoding_type);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let from = match &input.marker {
            Some(marker) if !marker.is_empty() => Position::behind_marker(marker, &prefix, delimiter),
            _ => Position::default(),
        };
        let page = read(call, &bucket.name, &prefix, delimiter, from, limit)?;
        // Without a delimiter the last key is the marker of the next page, and AWS does not say it twice.
        let last = match page.lines.last() {
            Some(Line::Row(key, _) | Line::Common(key)) => Some(names.show(key)),
            None => None,
        };
        let truncated = page.next.is_some();
        let shown = |version: &Version| Some(owner(&version.owner));
        let wishes = input.optional_object_attributes.as_deref();
        let (contents, common_prefixes) = lines(page, names, (call.now, wishes), shown);
        Ok(model::ListObjectsOutput {
            name: Some(bucket.name.clone()),
            request_charged: charged,
            prefix: Some(names.show(&prefix)),
            marker: Some(names.show(&input.marker.unwrap_or_default())),
            max_keys: Some(max_keys),
            delimiter: names.show_given(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(truncated),
            next_marker: last.filter(|_| truncated && delimiter.is_some()),
            contents,
            common_prefixes,
        })
    }
}

on_list! {
    /// Lists objects, a page behind a token or a key.
    ListObjectsV2(model::ListObjectsV2Request) -> model::ListObjectsV2Output, LIST;
    |call, bucket, input, charged| {
        let (limit, max_keys) = page::size(input.max_keys, "max-keys")?;
        let names = Names(input.encoding_type);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let from = match (&input.continuation_token, &input.start_after) {
            (Some(token), _) => page::open_token(call, &bucket.name, token)?,
            (None, Some(key)) if !key.is_empty() => Position::behind_marker(key, &prefix, delimiter),
            (None, _) => Position::default(),
        };
        let page = read(call, &bucket.name, &prefix, delimiter, from, limit)?;
        let next = page.next.as_ref();
        let next = next
            .map(|next| page::token(call, &bucket.name, next))
            .transpose()?;
        let count = i32::try_from(page.lines.len()).ok();
        let wanted = input.fetch_owner == Some(true);
        let shown = |version: &Version| wanted.then(|| owner(&version.owner));
        let wishes = input.optional_object_attributes.as_deref();
        let (contents, common_prefixes) = lines(page, names, (call.now, wishes), shown);
        Ok(model::ListObjectsV2Output {
            name: Some(bucket.name.clone()),
            request_charged: charged,
            prefix: Some(names.show(&prefix)),
            max_keys: Some(max_keys),
            key_count: count,
            delimiter: names.show_given(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(next.is_some()),
            continuation_token: input.continuation_token,
            start_after: names.show_given(input.start_after.as_ref()),
            next_continuation_token: next,
            contents,
            common_prefixes,
        })
    }
}

fn read(
    look: &mut Look<'_>,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    from: Position,
    limit: usize,
) -> Result<Page<Arc<Version>>> {
    let under = Under { bucket, prefix };
    walk(&mut Objects { look, under }, prefix, delimiter, from, limit)
}

type Shown = (Option<Vec<model::Object>>, Option<Vec<model::CommonPrefix>>);

fn lines(
    page: Page<Arc<Version>>,
    names: Names,
    (now, wishes): (Timestamp, Option<&[model::OptionalObjectAttributes]>),
    owner: impl Fn(&Version) -> Option<model::Owner>,
) -> Shown {
    let (mut contents, mut commons) = (Vec::new(), Vec::new());
    for line in page.lines {
        match line {
            Line::Row(key, version) => contents.push(model::Object {
                key: Some(names.show(&key)),
                owner: owner(&version),
                restore_status: restore_status(&version, now, wishes),
                ..entry(&version)
            }),
            Line::Common(prefix) => commons.push(model::CommonPrefix {
                prefix: Some(names.show(&prefix)),
            }),
        }
    }
    (
        Some(contents).filter(|contents| !contents.is_empty()),
        Some(commons).filter(|commons| !commons.is_empty()),
    )
}

/// The state of an archived object's restored copy, which is listed for who asks for it.
pub(super) fn restore_status(
    version: &Version,
    now: Timestamp,
    wishes: Option<&[model::OptionalObjectAttributes]>,
) -> Option<model::RestoreStatus> {
    if !wishes?.contains(&model::OptionalObjectAttributes::RestoreStatus) {
        return None;
    }
    let restore = version.restoration.as_ref();
    let copy = restore.filter(|copy| copy.ongoing || copy.until > now.0)?;
    Some(model::RestoreStatus {
        is_restore_in_progress: Some(copy.ongoing),
        restore_expiry_date: (!copy.ongoing).then_some(Timestamp(copy.until)),
    })
}

fn entry(version: &Version) -> model::Object {
    model::Object {
        e_tag: Some(version.quoted_etag()),
        last_modified: Some(version.modified()),
        size: i64::try_from(version.size).ok(),
        storage_class: model::ObjectStorageClass::parse(&version.class),
        checksum_algorithm: version.checksum.as_ref().map(|kept| vec![kept.algorithm.model()]),
        checksum_type: version
            .checksum
            .as_ref()
            .map(crate::s3::object::checksum::Kept::kind),
        ..Default::default()
    }
}
