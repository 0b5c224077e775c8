//! The files of a list, put into the destination bucket by `s3.amazonaws.com` for the source bucket.
//!
//! Invariant: whether a file may be put is decided by the destination's policy alone, and told in the trail; the manifest comes last.
//!
//! Source: S3 User Guide, "Locating your inventory list", "Grant permissions for S3 Inventory and S3 analytics".

use std::io::Write as _;

use api::s3 as model;
use bytes::Bytes;
use crypto::checksum::{Checksum, ChecksumSet, Summer};
use flate2::Compression;
use flate2::write::GzEncoder;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::{Document, Fault, Timestamp};

use super::line::Writer;
use super::{FILES, File};
use crate::s3::bucket::Bucket;

const SERVICE: &str = "s3.amazonaws.com";
/// The version of the manifest's format.
const FORMAT: &str = "2016-11-30";
/// Files of a manifest that are read at a time.
const PAGE: usize = 1000;

/// Where a list goes.
pub(super) struct Destination<'a> {
    source: &'a Bucket,
    asked: &'a model::InventoryS3BucketDestination,
    id: &'a str,
    /// What the keys of all files begin with, with a slash at its end.
    front: String,
}

/// What became of a file: delivered, or refused, of which the trail tells.
pub(super) type Put<T> = std::result::Result<T, ()>;

/// The name of a bucket of which a configuration has the ARN.
pub(crate) fn bucket_of(arn: &str) -> Option<&str> {
    let name = arn.strip_prefix("arn:aws:s3:::")?;
    crate::s3::bucket::name::fits(name).then_some(name)
}

impl<'a> Destination<'a> {
    pub(super) fn of(source: &'a Bucket, configuration: &'a model::InventoryConfiguration) -> Self {
        let asked = &configuration.destination.s3_bucket_destination;
        let prefix = asked.prefix.as_deref().unwrap_or_default().trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        Self {
            source,
            asked,
            id: &configuration.id,
            front: format!("{prefix}{slash}{}/{}/", source.name, configuration.id),
        }
    }

    /// Puts a file of lines.
    pub(super) fn put_lines(&self, call: &mut Call<'_>, lines: &str) -> Result<Put<File>> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(lines.as_bytes()).map_err(Fault::internal)?;
        let packed = packed.finish().map_err(Fault::internal)?;
        let file = File {
            key: format!("{}data/{}.csv.gz", self.front, call.uuid()?),
            size: packed.len() as u64,
            md5: md5(&packed),
        };
        let put = self.put(call, &file.key, "application/gzip", packed)?;
        Ok(put.map(|()| file))
    }

    /// Puts the manifest of a list whose files are delivered, its checksum, and what Hive reads.
    pub(super) fn put_manifest(
        &self,
        call: &mut Call<'_>,
        writer: &Writer,
        begun: Timestamp,
        files: u64,
    ) -> Result<Put<()>> {
        let files = self.files(call, files)?;
        let listed: Vec<Value> = files
            .iter()
            .map(|file| json!({"key": file.key, "size": file.size, "MD5checksum": file.md5}))
            .collect();
        let manifest = json!({
            "sourceBucket": self.source.name,
            "destinationBucket": self.asked.bucket,
            "version": FORMAT,
            "creationTimestamp": begun.0.to_string(),
            "fileFormat": "CSV",
            "fileSchema": writer.schema(),
            "files": listed,
        });
        let manifest = manifest.to_string().into_bytes();
        let sum = md5(&manifest).into_bytes();
        let bucket = bucket_of(&self.asked.bucket).unwrap_or_default();
        let links: String = files
            .iter()
            .map(|file| format!("s3://{bucket}/{}\n", file.key))
            .collect();
        let (day, time) = stamp(begun);
        let front = &self.front;
        for (key, kind, bytes) in [
            (
                format!("{front}hive/dt={day}-{time}/symlink.txt"),
                "text/plain",
                links.into_bytes(),
            ),
            (
                format!("{front}{day}T{time}Z/manifest.json"),
                "application/json",
                manifest,
            ),
            (
                format!("{front}{day}T{time}Z/manifest.checksum"),
                "text/plain",
                sum,
            ),
        ] {
            if self.put(call, &key, kind, bytes)?.is_err() {
                return Ok(Err(()));
            }
        }
        Ok(Ok(()))
    }

    fn files(&self, call: &mut Call<'_>, count: u64) -> Result<Vec<File>> {
        let prefix = (self.source.name.as_str(), self.id);
        let mut files = Vec::new();
        let mut after = None;
        loop {
            let rows = call.range(&FILES, &prefix, after.as_ref(), PAGE)?;
            let full = rows.len() == PAGE;
            for (row, file) in rows {
                files.push((*file).clone());
                after = Some(row);
            }
            if !full {
                break;
            }
        }
        if files.len() as u64 == count {
            return Ok(files);
        }
        Err(Fault::internal("a list has lost a file"))
    }

    /// Puts one object. What the run itself wants before it can go on is no refusal.
    fn put(&self, call: &mut Call<'_>, key: &str, kind: &str, bytes: Vec<u8>) -> Result<Put<()>> {
        let text = |text: &str| Document::String(text.to_owned());
        let Some(bucket) = bucket_of(&self.asked.bucket) else {
            return Ok(Err(()));
        };
        let mut input = vec![
            ("ACL", text("bucket-owner-full-control")),
            ("Body", Document::Stream),
            ("Bucket", text(bucket)),
            ("ContentType", text(kind)),
            ("Key", text(key)),
        ];
        if let Some(owner) = &self.asked.account_id {
            input.push(("ExpectedBucketOwner", text(owner)));
        }
        match &self.asked.encryption {
            Some(model::InventoryEncryption {
                sse_kms: Some(kms), ..
            }) => {
                input.push(("SSEKMSKeyId", text(&kms.key_id)));
                input.push(("ServerSideEncryption", text("aws:kms")));
            }
            Some(model::InventoryEncryption { sses3: Some(_), .. }) => {
                input.push(("ServerSideEncryption", text("AES256")));
            }
            _ => {}
        }
        let cause = (self.source.arn(), self.source.account.clone());
        let put = call.deliver_as_service(
            SERVICE,
            (&cause.0, &cause.1),
            "s3",
            "PutObject",
            (Document::Structure(input), Bytes::from(bytes)),
        );
        Ok(put.map(|_| ()).map_err(|_| ()))
    }
}

/// `2026-11-22` and `00-00`.
fn stamp(at: Timestamp) -> (String, String) {
    let iso = at.iso8601();
    let day = iso.get(..10).unwrap_or_default().to_owned();
    (day, iso.get(11..16).unwrap_or_default().replace(':', "-"))
}

fn md5(bytes: &[u8]) -> String {
    let mut summer = Summer::new(ChecksumSet::of(Checksum::Md5));
    summer.update(bytes);
    let sums = summer.finish();
    crypto::digest::hex(sums.get(Checksum::Md5).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lists_tell_when_they_were_begun() {
        let begun = stamp(Timestamp(1_795_305_600_000 + 90 * 60_000));
        assert_eq!(begun, ("2026-11-22".to_owned(), "01-30".to_owned()));
        assert_eq!(md5(b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(bucket_of("arn:aws:s3:::lists"), Some("lists"));
        assert_eq!(bucket_of("lists"), None);
    }
}
