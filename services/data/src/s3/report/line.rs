//! The line of an object, in the fields that a configuration asks for.
//!
//! Invariant: a line has a field for each name of the schema, in its order; every field stands in quotes and holds none.
//!
//! Source: S3 User Guide, "Amazon S3 Inventory list", "Locating your inventory list", "Working with the Object ACL field".

use api::s3 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::InventoryOptionalField as Field;
use pipeline::{Call, Result};
use serde_json::{Value, json};
use wire::Timestamp;

use crate::s3::acl::{Acl, Grantee, Permission};
use crate::s3::bucket::{Bucket, Configured, Versioning};
use crate::s3::encryption::Applied;
use crate::s3::object::{Body, Version};
use crate::s3::{canonical, configuration, lifecycle};

/// The optional fields that are written, in the order of the schema.
const FIELDS: [Field; 16] = [
    Field::Size,
    Field::LastModifiedDate,
    Field::ETag,
    Field::StorageClass,
    Field::IsMultipartUploaded,
    Field::ReplicationStatus,
    Field::EncryptionStatus,
    Field::ObjectLockRetainUntilDate,
    Field::ObjectLockMode,
    Field::ObjectLockLegalHoldStatus,
    Field::IntelligentTieringAccessTier,
    Field::BucketKeyStatus,
    Field::ChecksumAlgorithm,
    Field::ObjectAccessControlList,
    Field::ObjectOwner,
    Field::LifecycleExpirationDate,
];

/// Whether lists can have a field.
pub(crate) fn is_written(field: Field) -> bool {
    FIELDS.contains(&field)
}

/// Which of a key's versions one is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Current,
    Old,
}

/// Writes lines as a configuration asks for them.
pub(super) struct Writer {
    all: bool,
    fields: Vec<Field>,
    rules: Vec<model::LifecycleRule>,
}

impl Writer {
    pub(super) fn of(
        call: &mut Call<'_>,
        bucket: &Bucket,
        asked: &model::InventoryConfiguration,
    ) -> Result<Self> {
        let wanted = asked.optional_fields.as_deref().unwrap_or_default();
        let fields: Vec<Field> = FIELDS
            .into_iter()
            .filter(|field| wanted.contains(field))
            .collect();
        let expires = fields.contains(&Field::LifecycleExpirationDate);
        let rules: Option<model::BucketLifecycleConfiguration> = if expires {
            configuration::read(call, bucket, Configured::Lifecycle, "")?
        } else {
            None
        };
        let mut rules = rules.map(|found| found.rules).unwrap_or_default();
        rules.retain(|rule| rule.status == model::ExpirationStatus::Enabled);
        Ok(Self {
            all: asked.included_object_versions == model::InventoryIncludedObjectVersions::All,
            fields,
            rules,
        })
    }

    /// Whether versions are listed that are not current.
    pub(super) const fn lists_all(&self) -> bool {
        self.all
    }

    /// The names of the fields.
    pub(super) fn schema(&self) -> String {
        let mut names = vec!["Bucket", "Key"];
        if self.all {
            names.extend(["VersionId", "IsLatest", "IsDeleteMarker"]);
        }
        names.extend(self.fields.iter().map(|field| field.as_str()));
        names.join(", ")
    }

    /// Adds the line of a version.
    pub(super) fn write(
        &self,
        lines: &mut String,
        bucket: &Bucket,
        key: &[u8],
        version: &Version,
        standing: Standing,
    ) {
        let mut field = |value: &str| {
            if !lines.is_empty() && !lines.ends_with('\n') {
                lines.push(',');
            }
            lines.push('"');
            lines.push_str(&value.replace('"', "\"\""));
            lines.push('"');
        };
        field(&bucket.name);
        let name = String::from_utf8_lossy(key);
        field(&url(&name));
        if self.all {
            let id = match bucket.versioning {
                Versioning::Never => String::new(),
                Versioning::Enabled | Versioning::Suspended => version.shown_id(),
            };
            field(&id);
            field(truth(standing == Standing::Current));
            field(truth(version.is_marker()));
        }
        for wanted in &self.fields {
            field(&self.value(*wanted, bucket, key, version, standing));
        }
        lines.push('\n');
    }

    fn value(
        &self,
        field: Field,
        bucket: &Bucket,
        key: &[u8],
        version: &Version,
        standing: Standing,
    ) -> String {
        match field {
            Field::LastModifiedDate => date(version.modified),
            Field::ObjectOwner => canonical::id_of(&version.owner),
            // A delete marker is no object: it has nothing of what follows.
            _ if version.is_marker() => String::new(),
            Field::Size => version.size.to_string(),
            Field::ETag => version.etag.clone(),
            Field::StorageClass => version.class().as_str().to_owned(),
            Field::IsMultipartUploaded => truth(matches!(version.body, Body::Parts { .. })).to_owned(),
            Field::ReplicationStatus => {
                let status = version.replication.as_ref().and_then(|state| state.status());
                status
                    .map(|status| status.as_str().to_owned())
                    .unwrap_or_default()
            }
            Field::EncryptionStatus => encryption(&version.encryption).to_owned(),
            Field::ObjectLockRetainUntilDate => version
                .lock
                .retention
                .map(|kept| date(kept.until))
                .unwrap_or_default(),
            Field::ObjectLockMode => version
                .lock
                .retention
                .map(|kept| kept.mode().as_str().to_owned())
                .unwrap_or_default(),
            Field::ObjectLockLegalHoldStatus => match version.lock.hold {
                Some(true) => "On".to_owned(),
                Some(false) => "Off".to_owned(),
                None => String::new(),
            },
            Field::IntelligentTieringAccessTier => match version.class() {
                // Nothing moves objects of this class to another tier.
                model::StorageClass::IntelligentTiering => "FREQUENT".to_owned(),
                _ => String::new(),
            },
            Field::BucketKeyStatus => match &version.encryption {
                Applied::Kms(under) if under.bucket_key => "ENABLED".to_owned(),
                _ => "DISABLED".to_owned(),
            },
            Field::ChecksumAlgorithm => {
                let kept = version.checksum.as_ref();
                kept.map(|kept| kept.algorithm.model().as_str().to_owned())
                    .unwrap_or_default()
            }
            Field::ObjectAccessControlList => access_list(bucket, version),
            Field::LifecycleExpirationDate if standing == Standing::Current => {
                let at = lifecycle::expires_at(&self.rules, key, version);
                at.map(date).unwrap_or_default()
            }
            _ => String::new(),
        }
    }
}

/// `2026-11-22T00:00:00.000Z`
fn date(at: i64) -> String {
    let iso = Timestamp(at).iso8601();
    format!(
        "{}.{:03}Z",
        iso.get(..19).unwrap_or_default(),
        at.rem_euclid(1000)
    )
}

const fn truth(is: bool) -> &'static str {
    if is { "true" } else { "false" }
}

/// A key as lists write it: percent-encoded, but for its slashes.
fn url(key: &str) -> String {
    let segments: Vec<String> = key.split('/').map(wire::sigv4::percent_encode).collect();
    segments.join("/")
}

const fn encryption(applied: &Applied) -> &'static str {
    match applied {
        Applied::S3 => "SSE-S3",
        Applied::Kms(_) => "SSE-KMS",
        Applied::Dsse(_) => "DSSE-KMS",
        Applied::Customer(_) => "SSE-C",
    }
}

/// The access control list, in JSON and Base64.
fn access_list(bucket: &Bucket, version: &Version) -> String {
    let private = || Acl::private(&bucket.account);
    let acl = version.acl.clone().unwrap_or_else(private);
    let grants = acl.grants.iter().map(|grant| {
        let permission = match grant.permission {
            Permission::FullControl => "FULL_CONTROL",
            Permission::Read => "READ",
            Permission::Write => "WRITE",
            Permission::ReadAcp => "READ_ACP",
            Permission::WriteAcp => "WRITE_ACP",
        };
        let group =
            |name: &str| json!({"uri": format!("http://acs.amazonaws.com/groups/{name}"), "type": "Group"});
        let mut shown = match &grant.grantee {
            Grantee::Account(account) => {
                json!({"canonicalId": canonical::id_of(account), "type": "CanonicalUser"})
            }
            Grantee::AllUsers => group("global/AllUsers"),
            Grantee::AuthenticatedUsers => group("global/AuthenticatedUsers"),
            Grantee::LogDelivery => group("s3/LogDelivery"),
        };
        if let Some(members) = shown.as_object_mut() {
            members.insert("permission".to_owned(), Value::from(permission));
        }
        shown
    });
    let grants: Vec<Value> = grants.collect();
    let whole = json!({"version": "2022-11-10", "status": "AVAILABLE", "grants": grants});
    STANDARD.encode(whole.to_string())
}
