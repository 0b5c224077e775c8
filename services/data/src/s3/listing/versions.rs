//! The list of a bucket's versions and delete markers.

use api::s3 as model;
use pipeline::{Access, Call, Result};

use super::objects::restore_status;
use super::on_list::on_list;
use super::page::{self, Names};
use super::rows::{Listed, Under, Versions};
use super::walk::{Line, Position, walk};
use crate::s3::bucket::BucketTarget;
use crate::s3::object::access_list::owner;
use crate::s3::object::checksum::Kept;
use crate::s3::object::history::Slot;
use crate::s3::object::refusal::invalid_argument;

on_list! {
    /// Lists versions, a page behind a version.
    ListObjectVersions(model::ListObjectVersionsRequest) -> model::ListObjectVersionsOutput, Access::list("s3:ListBucketVersions");
    |call, bucket, input, charged| {
        let (limit, max_keys) = page::size(input.max_keys, "max-keys")?;
        let names = Names(input.encoding_type);
        let prefix = input.prefix.clone().unwrap_or_default();
        let delimiter = input.delimiter.as_deref();
        let from = begin(call, &bucket, &input, &prefix)?;
        let under = Under {
            bucket: &bucket.name,
            prefix: &prefix,
        };
        let page = walk(
            &mut Versions { look: call, under },
            &prefix,
            delimiter,
            from,
            limit,
        )?;
        let mut output = model::ListObjectVersionsOutput {
            name: Some(bucket.name.clone()),
            request_charged: charged,
            prefix: Some(names.show(&prefix)),
            key_marker: Some(names.show(&input.key_marker.unwrap_or_default())),
            version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
            max_keys: Some(max_keys),
            delimiter: names.show_given(input.delimiter.as_ref()),
            encoding_type: input.encoding_type,
            is_truncated: Some(page.next.is_some()),
            ..Default::default()
        };
        if page.next.is_some() {
            match page.lines.last() {
                Some(Line::Row(key, listed)) => {
                    output.next_key_marker = Some(names.show(key));
                    output.next_version_id_marker = Some(listed.version.shown_id());
                }
                Some(Line::Common(prefix)) => output.next_key_marker = Some(names.show(prefix)),
                None => {}
            }
        }
        let wishes = input.optional_object_attributes.as_deref();
        let (mut versions, mut markers, mut commons) = (Vec::new(), Vec::new(), Vec::new());
        for line in page.lines {
            match line {
                Line::Row(key, listed) if listed.version.is_marker() => {
                    markers.push(marker(names.show(&key), &listed));
                }
                Line::Row(key, listed) => versions.push(model::ObjectVersion {
                    restore_status: restore_status(&listed.version, call.now, wishes),
                    ..version(names.show(&key), &listed)
                }),
                Line::Common(prefix) => commons.push(model::CommonPrefix {
                    prefix: Some(names.show(&prefix)),
                }),
            }
        }
        output.versions = Some(versions).filter(|list| !list.is_empty());
        output.delete_markers = Some(markers).filter(|list| !list.is_empty());
        output.common_prefixes = Some(commons).filter(|list| !list.is_empty());
        Ok(output)
    }
}

/// Where the page of the request's markers begins.
fn begin(
    call: &mut Call<'_>,
    bucket: &BucketTarget,
    input: &model::ListObjectVersionsRequest,
    prefix: &str,
) -> Result<Position> {
    let key = input.key_marker.as_deref().filter(|key| !key.is_empty());
    let id = input.version_id_marker.as_deref().filter(|id| !id.is_empty());
    let (key, id) = match (key, id) {
        (None, None) => return Ok(Position::default()),
        (Some(key), None) => {
            return Ok(Position::behind_marker(key, prefix, input.delimiter.as_deref()));
        }
        (None, Some(id)) => {
            return Err(invalid_argument(
                "A version-id marker cannot be specified without a key marker.",
                "version-id-marker",
                id,
            ));
        }
        (Some(key), Some(id)) => (key, id),
    };
    let slot = Slot::new(bucket, key);
    let place = slot.place(call, id)?;
    let place =
        place.ok_or_else(|| invalid_argument("Invalid version id specified", "version-id-marker", id))?;
    Ok(Position {
        key: key.as_bytes().to_vec(),
        row: u64::MAX - place,
    })
}

fn version(key: String, listed: &Listed) -> model::ObjectVersion {
    let version = &listed.version;
    let kept = version.checksum.as_ref();
    model::ObjectVersion {
        key: Some(key),
        version_id: Some(version.shown_id()),
        is_latest: Some(listed.latest),
        last_modified: Some(version.modified()),
        e_tag: Some(version.quoted_etag()),
        size: i64::try_from(version.size).ok(),
        storage_class: model::ObjectVersionStorageClass::parse(&version.class),
        owner: Some(owner(&version.owner)),
        checksum_algorithm: kept.map(|kept| vec![kept.algorithm.model()]),
        checksum_type: kept.map(Kept::kind),
        ..Default::default()
    }
}

fn marker(key: String, listed: &Listed) -> model::DeleteMarkerEntry {
    let version = &listed.version;
    model::DeleteMarkerEntry {
        key: Some(key),
        version_id: Some(version.shown_id()),
        is_latest: Some(listed.latest),
        last_modified: Some(version.modified()),
        owner: Some(owner(&version.owner)),
    }
}
