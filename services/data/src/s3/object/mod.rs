//! Objects: their versions, and what is done to one of them.
//!
//! The newest version of a key stands whole in `OBJECTS`, so that reads and lists look at one row; older versions and delete markers
//! stand in `VERSIONS`, newest first. `history` alone moves versions between the two. Read it, then `target` for how a request finds
//! the version that it means.
//!
//! Invariant: if the newest of a key is a delete marker, or there is none, `OBJECTS` has no row of the key; so lists of objects meet
//! nothing but objects.

use api::s3 as model;
use pipeline::Content;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Timestamp;

use super::acl::Acl;
use super::encryption::{Applied, Wrapped};
use super::replication::state::Replication;
use checksum::Kept;
use metadata::Metadata;
use tag_set::TagSet;

pub(crate) mod access_list;
mod attributes;
mod batch;
pub(crate) mod change;
pub(crate) mod checksum;
pub(crate) mod class;
mod copy;
pub(crate) mod copy_source;
mod delete;
mod facts;
pub(crate) mod get;
mod head;
pub(crate) mod history;
mod hold;
pub(crate) mod lock;
pub(crate) mod metadata;
mod on_object;
pub(crate) mod precondition;
mod put;
pub(crate) mod range;
pub(crate) mod refusal;
mod restore;
mod retention;
pub(crate) mod source;
pub(crate) mod tag_set;
mod tagging;
pub(crate) mod target;
pub(crate) mod version_id;
pub(crate) mod write;

pub use access_list::{GetObjectAcl, PutObjectAcl};
pub use attributes::GetObjectAttributes;
pub use batch::DeleteObjects;
pub use copy::CopyObject;
pub use delete::DeleteObject;
pub(crate) use delete::mark;
pub(crate) use facts::http_date;
pub use get::GetObject;
pub use head::HeadObject;
pub use hold::{GetObjectLegalHold, PutObjectLegalHold};
pub use put::PutObject;
pub use restore::{EXPIRED as RESTORED_GONE, JOB as RESTORED, RestoreObject};
pub(crate) use retention::weakens;
pub use retention::{GetObjectRetention, PutObjectRetention};
pub use tagging::{DeleteObjectTagging, GetObjectTagging, PutObjectTagging};

/// One stretch of an object's bytes: the whole, or a part that was uploaded by itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Piece {
    #[serde(rename = "c")]
    pub(crate) content: Content,
    #[serde(rename = "k")]
    pub(crate) keys: Wrapped,
    /// The part's number; 0 for the whole.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub(crate) part: u16,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Kept>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(part: &u16) -> bool {
    *part == 0
}

/// Where an object's bytes are.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Body {
    /// A delete marker has none.
    #[serde(rename = "n")]
    None,
    #[serde(rename = "o")]
    One(Piece),
    /// In parts, which a row of `PARTS` lists, under the label of the upload that brought them.
    #[serde(rename = "p")]
    Parts { count: u32, upload: String },
}

/// The state of an archived object's restored copy.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Restoration {
    /// It is not there yet.
    pub(crate) ongoing: bool,
    /// Days that it will stay, counted from when it is there.
    pub(crate) days: i32,
    /// When it goes again, in milliseconds since the epoch; 0 while it is not there.
    pub(crate) until: i64,
}

/// A version of an object, or a delete marker.
#[derive(Clone, Serialize, Deserialize)]
pub struct Version {
    /// Its number in the key's history; greater is newer.
    #[serde(rename = "q")]
    pub(crate) sequence: u64,
    /// `None` is the `null` version, which was written while versioning was off or suspended.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    /// Milliseconds since the epoch.
    #[serde(rename = "d")]
    pub(crate) modified: i64,
    #[serde(rename = "z")]
    pub(crate) size: u64,
    /// Without quotes.
    #[serde(rename = "e")]
    pub(crate) etag: String,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Kept>,
    /// AWS's name of the storage class.
    #[serde(rename = "g")]
    pub(crate) class: String,
    /// The account that owns it: twelve digits.
    #[serde(rename = "o")]
    pub(crate) owner: String,
    #[serde(rename = "h")]
    pub(crate) metadata: Metadata,
    #[serde(rename = "t", default, skip_serializing_if = "TagSet::is_empty")]
    pub(crate) tags: TagSet,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub(crate) acl: Option<Acl>,
    #[serde(rename = "l", default, skip_serializing_if = "lock::Lock::is_open")]
    pub(crate) lock: lock::Lock,
    #[serde(rename = "y")]
    pub(crate) encryption: Applied,
    #[serde(rename = "b")]
    pub(crate) body: Body,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) restoration: Option<Restoration>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) replication: Option<Box<Replication>>,
}

store::record!(Version, 1);

impl Version {
    /// Whether it says that the object was deleted.
    pub(crate) const fn is_marker(&self) -> bool {
        matches!(self.body, Body::None)
    }

    /// The id as answers show it, in a bucket that has versions or had them.
    pub(crate) fn shown_id(&self) -> String {
        self.id.clone().unwrap_or_else(|| version_id::NULL.to_owned())
    }

    /// The entity tag with its quotes.
    pub(crate) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }

    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp(self.modified)
    }

    pub(crate) fn class(&self) -> model::StorageClass {
        class::stored(&self.class)
    }

    /// What conditions of requests are held against.
    pub(crate) fn state(&self) -> precondition::State<'_> {
        precondition::State {
            etag: &self.etag,
            modified: self.modified(),
        }
    }

    /// Whether lifecycle rules leave it as it is, until its copies are made.
    pub(crate) fn suspends_lifecycle(&self) -> bool {
        self.replication
            .as_ref()
            .is_some_and(|replication| replication.suspends_lifecycle())
    }

    /// Whether its bytes can be read now: not while it lies in an archive without a restored copy.
    pub(crate) fn is_readable(&self, now: Timestamp) -> bool {
        !class::is_archived(self.class())
            || self
                .restoration
                .as_ref()
                .is_some_and(|copy| !copy.ongoing && copy.until > now.0)
    }
}

/// A moment as S3 keeps it: dates of objects have no fractions.
pub(crate) const fn whole_second(at: Timestamp) -> i64 {
    at.seconds() * 1000
}

/// A row's key: the bucket, and the key's bytes, which sort as S3 lists them.
pub(crate) type ObjectKey = (String, Vec<u8>);
/// The same with the version's number turned over, so that newer ones come first.
pub(crate) type VersionKey = (String, Vec<u8>, u64);

/// The newest versions, unless they are delete markers.
pub(crate) static OBJECTS: Table<ObjectKey, Version> = Table::new(0x0340, "s3.objects");
/// Older versions, and delete markers.
pub(crate) static VERSIONS: Table<VersionKey, Version> = Table::new(0x0341, "s3.versions");
/// The numbers of `null` versions that are in `VERSIONS`.
pub(crate) static NULLS: Table<ObjectKey, NullVersion> = Table::new(0x0342, "s3.null-versions");
/// Where copies of other buckets' versions stand whose number was taken here, by the row's key and the version's id.
pub(crate) static ELSEWHERE: Table<(String, Vec<u8>, String), Elsewhere> =
    Table::new(0x03b0, "s3.versions-elsewhere");
/// The pieces of objects that were uploaded in parts, under the row's key as in `VERSIONS`.
pub(crate) static PARTS: Table<VersionKey, Pieces> = Table::new(0x0343, "s3.object-parts");

/// Where a key's `null` version is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct NullVersion(pub(crate) u64);

store::record!(NullVersion, 1);

/// The number under which a copy stands.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Elsewhere(pub(crate) u64);

store::record!(Elsewhere, 1);

/// The pieces of one version, in their order.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pieces(pub(crate) Vec<Piece>);

store::record!(Pieces, 1);
