//! The two ends of a copy: what the role may read of the source, and what it may write at the destination.
//!
//! Invariant: the copy has the version's id, date, entity tag, checksum and metadata; its bytes are sealed under keys of its own.

use std::sync::Arc;

use crypto::Secret;
use pipeline::{Access, Call, Found, Result};
use policy::Context;
use wire::{Document, Fault};

use super::role::Session;
use super::run::{Came, Step, Task};
use super::staged::{self, STEP, Staged};
use super::state::{Replication, Shares};
use super::{BY, What, rule};
use crate::s3::access;
use crate::s3::acl::Acl;
use crate::s3::bucket::{BUCKETS, Bucket, BucketTarget, Versioning};
use crate::s3::encryption::{Applied, Customer, Opener, Place, Plan};
use crate::s3::fault::{invalid_request, no_such_bucket};
use crate::s3::multipart;
use crate::s3::notification::{self, Event};
use crate::s3::object::history::Slot;
use crate::s3::object::target::{LIST, ObjectTarget};
use crate::s3::object::{Body, Piece, Version, source, weakens};
use crate::s3::object::{lock, refusal};

const GET_CONFIGURATION: Access = Access::read("s3:GetReplicationConfiguration");
const GET_FOR_REPLICATION: Access = Access::read("s3:GetObjectVersionForReplication");
const GET_VERSION_ACL: Access = Access::read("s3:GetObjectVersionAcl");
const GET_VERSION_TAGS: Access = Access::read("s3:GetObjectVersionTagging");
const GET_RETENTION: Access = Access::read("s3:GetObjectRetention");
const GET_HOLD: Access = Access::read("s3:GetObjectLegalHold");
const REPLICATE: Access = Access::write("s3:ReplicateObject");
const REPLICATE_DELETE: Access = Access::write("s3:ReplicateDelete");
const REPLICATE_TAGS: Access = Access::tagging("s3:ReplicateTags");
const OVERRIDE_OWNER: Access = Access::permissions("s3:ObjectOwnerOverrideToBucketOwner");

/// What was read of the source.
pub(super) struct Read {
    /// The pieces of this step, with their keys.
    pieces: Vec<(Piece, Vec<Secret>)>,
    /// How many pieces there are in all.
    count: usize,
    /// The role may read the tags: without that, the copy has none.
    tags: bool,
}

fn text(text: &str) -> Document {
    Document::String(text.to_owned())
}

/// Reads the source as the role, from a piece on.
pub(super) fn read(
    call: &mut Call<'_>,
    session: &Session,
    task: &Task<'_>,
    from: usize,
    step: &mut Step,
) -> Result<Read> {
    let due = task.due;
    let (operation, shown) = if due.what == What::Marker {
        let members = vec![("Bucket", text(&due.bucket)), ("Prefix", text(&due.key))];
        ("ListObjectVersions", members)
    } else {
        let members = vec![
            ("Bucket", text(&due.bucket)),
            ("Key", text(&due.key)),
            ("VersionId", text(&due.id)),
        ];
        ("GetObject", members)
    };
    let shown = Document::Structure(shown);
    let region = task.source.region.as_str();
    call.act_as_session(BY, session.credential(), region, (operation, &shown), |call| {
        let bucket = BucketTarget::new(Arc::clone(task.source));
        step.reason = "InitiateReplicationNotPermitted";
        call.authorize(GET_CONFIGURATION, Found::Here(bucket.clone()), Context::default())?;
        if due.what == What::Marker {
            step.reason = "SrcHeadObjectNotPermitted";
            call.authorize(LIST, Found::Here(bucket), Context::default())?;
            return Ok(Read {
                pieces: Vec::new(),
                count: 0,
                tags: false,
            });
        }
        let object = ObjectTarget::look_up(call, &bucket, &due.key, Some(&due.id))?;
        let mut also = |access, reason| {
            step.reason = reason;
            object.also(call, access, Context::default())
        };
        also(GET_FOR_REPLICATION, "SrcGetObjectNotPermitted")?;
        also(GET_VERSION_ACL, "SrcGetAclNotPermitted")?;
        if task.version.lock.retention.is_some() {
            also(GET_RETENTION, "SrcGetObjectRetentionNotPermitted")?;
        }
        if task.version.lock.hold.is_some() {
            also(GET_HOLD, "SrcGetObjectLegalHoldNotPermitted")?;
        }
        let tags = task.version.tags.is_empty() || call.would_admit(GET_VERSION_TAGS, &object)?;
        let (pieces, count) = if due.what == What::Object {
            bytes(call, task, from, step)?
        } else {
            (Vec::new(), 0)
        };
        Ok(Read { pieces, count, tags })
    })
}

/// The keys of the pieces of this step, and how many pieces there are.
#[expect(clippy::type_complexity, reason = "pieces with their keys")]
fn bytes(
    call: &mut Call<'_>,
    task: &Task<'_>,
    from: usize,
    step: &mut Step,
) -> Result<(Vec<(Piece, Vec<Secret>)>, usize)> {
    // What lies under a customer's key opens for nobody else, so there is nothing to seal anew.
    if matches!(task.version.encryption, Applied::Customer(_)) {
        return Ok((Vec::new(), 0));
    }
    step.reason = "SrcKmsKeyInvalidState";
    let (bucket, key) = (task.source.as_ref(), task.due.key.as_str());
    let opener = Opener::of(call, &task.version.encryption, bucket, key, &Customer::default())?;
    let slot = Slot::new(bucket, key);
    let pieces = slot.pieces(call, task.version)?;
    let count = pieces.len();
    let mut opened = Vec::new();
    for piece in pieces.into_iter().skip(from).take(STEP) {
        let place = source::place(slot, task.version, piece.part);
        let keys = opener.unwrap(call, &place, &piece.keys)?;
        opened.push((piece, keys));
    }
    Ok((opened, count))
}

/// Writes to the destination as the role.
pub(super) fn write(
    call: &mut Call<'_>,
    session: &Session,
    task: &Task<'_>,
    (staged, read): (Staged, Read),
    step: &mut Step,
) -> Result<Came> {
    let due = task.due;
    let target = call.get(&BUCKETS, &due.to)?;
    let region = target
        .as_ref()
        .map_or(&task.source.region, |target| &target.region);
    let region = region.clone();
    let mut shown = vec![("Bucket", text(&due.to)), ("Key", text(&due.key))];
    let operation = match due.what {
        What::Object => "PutObject",
        What::Marker => "DeleteObject",
        What::Metadata => "PutObjectTagging",
    };
    if due.what != What::Object {
        shown.push(("VersionId", text(&due.id)));
    }
    let shown = Document::Structure(shown);
    call.act_as_session(BY, session.credential(), &region, (operation, &shown), |call| {
        step.reason = "DstBucketNotFound";
        let target = target.ok_or_else(|| no_such_bucket(&due.to))?;
        // A bucket of the name may have come into other hands since the rule was made.
        let owner = task.rule.destination.account.as_ref();
        if owner.is_some_and(|owner| *owner != target.account) {
            return Err(Fault::access_denied("Access Denied"));
        }
        call.share_with(&target.account);
        step.reason = "DstBucketUnversioned";
        if target.versioning != Versioning::Enabled {
            return Err(invalid_request(
                "Destination bucket must have versioning enabled.",
            ));
        }
        step.reason = "DstBucketObjectLockConfigMissing";
        if task.source.object_lock.is_some() && target.object_lock.is_none() {
            return Err(lock::no_configuration());
        }
        match due.what {
            What::Object => object(call, task, &target, (staged, read), step),
            What::Marker => marker(call, task, &target, step),
            What::Metadata => metadata(call, task, &target, &read, step),
        }
    })
}

/// The copy's name at the destination, once the role may act on it.
fn admit(
    call: &mut Call<'_>,
    task: &Task<'_>,
    target: &Arc<Bucket>,
    access: Access,
    context: Context,
) -> Result<ObjectTarget> {
    let object = ObjectTarget::of_key(&BucketTarget::new(Arc::clone(target)), &task.due.key);
    object.also(call, access, context)?;
    Ok(object)
}

/// Whether the tags go along: the destination's owner may deny that.
fn takes_tags(call: &mut Call<'_>, object: &ObjectTarget, read: &Read) -> Result<bool> {
    Ok(read.tags && !call.is_denied(REPLICATE_TAGS, object)?)
}

/// What the copy will be beside its bytes, once the role may make it.
#[derive(Clone)]
struct Draft {
    object: ObjectTarget,
    class: String,
    owner: String,
    acl: Option<Acl>,
    tags: bool,
    /// The key that the rule names.
    kms_key: Option<String>,
}

fn draft(
    call: &mut Call<'_>,
    task: &Task<'_>,
    target: &Arc<Bucket>,
    read: &Read,
    step: &mut Step,
) -> Result<Draft> {
    let (version, wanted) = (task.version, &task.rule.destination);
    let class = wanted
        .storage_class
        .map_or_else(|| version.class.clone(), |class| class.as_str().to_owned());
    let key = wanted.encryption_configuration.as_ref();
    let kms_key = key
        .and_then(|configuration| configuration.replica_kms_key_id.clone())
        .filter(|_| matches!(version.encryption, Applied::Kms(_) | Applied::Dsse(_)));
    let mut context = Context::default().with("s3:x-amz-storage-class", class.clone());
    if let Some(mode) = version.encryption.shown().mode {
        context.insert("s3:x-amz-server-side-encryption", mode.as_str());
    }
    if let Some(key) = &kms_key {
        context.insert("s3:x-amz-server-side-encryption-aws-kms-key-id", key.clone());
    }
    step.reason = "DstPutObjectNotPermitted";
    let object = admit(call, task, target, REPLICATE, context)?;
    step.reason = "DstPutAclNotPermitted";
    if rule::gives_away(task.rule) && target.has_acls() {
        object.also(call, OVERRIDE_OWNER, Context::default())?;
    }
    let (owner, acl) = owned(call, task, target)?;
    step.reason = "DstPutTaggingNotPermitted";
    let tags = takes_tags(call, &object, read)?;
    Ok(Draft {
        object,
        class,
        owner,
        acl,
        tags,
        kms_key,
    })
}

fn object(
    call: &mut Call<'_>,
    task: &Task<'_>,
    target: &Arc<Bucket>,
    (staged, read): (Staged, Read),
    step: &mut Step,
) -> Result<Came> {
    let (due, version) = (task.due, task.version);
    let draft = draft(call, task, target, &read, step)?;
    if draft.object.slot().version(call, &due.id)?.is_some() {
        staged::discard(call, due)?;
        return Ok(Came::Whole);
    }
    let layers = version.encryption.layers();
    let last = staged.0.len() + read.pieces.len() >= read.count;
    let plan = if last {
        step.reason = "DstKmsKeyInvalidState";
        let key = draft.kms_key.clone();
        Some(Plan::for_copy(call, target, &due.key, &version.encryption, key)?)
    } else {
        None
    };
    step.reason = "DstPutObjectNotPermitted";
    if let (Some(plan), Applied::Customer(_)) = (&plan, &version.encryption) {
        step.writes = true;
        let slot = draft.object.slot();
        let sequence = slot.free(call, version.sequence)?;
        let shares = Shares {
            bucket: due.bucket.clone(),
            sequence: version.sequence,
        };
        let pieces = shared(call, task)?;
        let copied = copied(
            call,
            task,
            target,
            (draft.clone(), plan),
            (sequence, Some(shares)),
        )?;
        place(call, slot, copied, pieces)?;
        return Ok(Came::Whole);
    }
    let mut pieces = Vec::new();
    if last {
        for piece in &staged.0 {
            let keys = staged::open(call, due, piece, layers)?;
            pieces.push((piece.clone(), keys));
        }
    }
    let mut taken = Vec::new();
    for (piece, keys) in read.pieces {
        let received = staged::take(call, &piece, keys, layers)?;
        let content = received.content.clone();
        taken.push(content.clone());
        pieces.push((Piece { content, ..piece }, received.keys.clone()));
    }
    step.writes = true;
    call.within(&target.account, |call| {
        taken.iter().try_for_each(|content| call.keep(content))
    })?;
    let Some(plan) = plan else {
        staged::add(call, due, staged, pieces)?;
        return Ok(Came::Part);
    };
    staged::clear(call, due)?;
    let slot = draft.object.slot();
    let sequence = slot.free(call, version.sequence)?;
    let pieces = wrapped(call, task, (&plan, sequence), pieces)?;
    let copied = copied(call, task, target, (draft.clone(), &plan), (sequence, None))?;
    place(call, slot, copied, pieces)?;
    Ok(Came::Whole)
}

/// Lets the copy name the source's contents, and the source know that they are shared.
fn shared(call: &mut Call<'_>, task: &Task<'_>) -> Result<Vec<Piece>> {
    let slot = Slot::new(task.source, &task.due.key);
    let mut pieces = slot.pieces(call, task.version)?;
    for piece in &mut pieces {
        piece.content = call.share(&piece.content)?;
    }
    let mut own = (**task.version).clone();
    match &mut own.body {
        Body::One(piece) => pieces.first().into_iter().for_each(|own| piece.clone_from(own)),
        Body::Parts { .. } => slot.keep_pieces(call, own.sequence, pieces.clone())?,
        Body::None => {}
    }
    slot.amend(call, own)?;
    Ok(pieces)
}

/// The copy's record.
fn copied(
    call: &mut Call<'_>,
    task: &Task<'_>,
    target: &Arc<Bucket>,
    (draft, plan): (Draft, &Plan),
    (sequence, shares): (u64, Option<Shares>),
) -> Result<Version> {
    let version = task.version;
    let lock = if version.lock.is_open() {
        lock::Asked::default().resolve(call, target)?
    } else {
        version.lock
    };
    let mut copied = Version {
        sequence,
        class: draft.class,
        owner: draft.owner,
        acl: draft.acl,
        lock,
        encryption: plan.applied().clone(),
        restoration: None,
        replication: Some(Box::new(Replication {
            shares,
            ..Replication::REPLICA
        })),
        ..(**version).clone()
    };
    if !draft.tags {
        copied.tags.clear();
    }
    Ok(copied)
}

/// Puts the copy among the versions of its key.
fn place(call: &mut Call<'_>, slot: Slot<'_>, mut copied: Version, mut pieces: Vec<Piece>) -> Result<()> {
    let sequence = copied.sequence;
    match &mut copied.body {
        Body::One(piece) => {
            *piece = pieces
                .pop()
                .ok_or_else(|| Fault::internal("an object came without bytes"))?;
        }
        Body::Parts { .. } => slot.keep_pieces(call, sequence, pieces)?,
        Body::None => {}
    }
    notification::tell(call, slot, &Event::made("ObjectCreated:Put", &copied))?;
    slot.insert(call, copied)
}

/// The pieces under the copy's own keys.
fn wrapped(
    call: &mut Call<'_>,
    task: &Task<'_>,
    (plan, sequence): (&Plan, u64),
    opened: Vec<(Piece, Vec<Secret>)>,
) -> Result<Vec<Piece>> {
    let due = task.due;
    let mut pieces = Vec::new();
    for (piece, keys) in opened {
        let label = match &task.version.body {
            Body::Parts { upload, .. } => source::part_label(upload, piece.part),
            Body::None | Body::One(_) => sequence.to_string(),
        };
        let place = Place {
            bucket: &due.to,
            key: &due.key,
            label,
        };
        let keys = plan.wrap(call, &place, &keys)?;
        pieces.push(Piece { keys, ..piece });
    }
    Ok(pieces)
}

/// Who owns the copy, and its list.
fn owned(call: &mut Call<'_>, task: &Task<'_>, target: &Bucket) -> Result<(String, Option<Acl>)> {
    if !target.has_acls() {
        return Ok((target.account.clone(), None));
    }
    if rule::gives_away(task.rule) {
        return Ok((target.account.clone(), Some(Acl::private(&target.account))));
    }
    let owner = task.version.owner.clone();
    let acl = task.version.acl.clone().unwrap_or_else(|| Acl::private(&owner));
    if acl.is_public() && access::block(call, target)?.block_public_acls {
        return Err(Fault::access_denied("Access Denied"));
    }
    Ok((owner, Some(acl)))
}

fn marker(call: &mut Call<'_>, task: &Task<'_>, target: &Arc<Bucket>, step: &mut Step) -> Result<Came> {
    step.reason = "DstDelObjNotPermitted";
    let object = admit(call, task, target, REPLICATE_DELETE, Context::default())?;
    let slot = object.slot();
    if slot.version(call, &task.due.id)?.is_some() {
        return Ok(Came::Whole);
    }
    step.writes = true;
    let copied = Version {
        sequence: slot.free(call, task.version.sequence)?,
        owner: target.account.clone(),
        replication: Some(Box::new(Replication::REPLICA)),
        ..(**task.version).clone()
    };
    notification::tell(
        call,
        slot,
        &Event::marked("ObjectRemoved:DeleteMarkerCreated", &copied),
    )?;
    multipart::note_deletion(call, &target.name, &task.due.key)?;
    slot.insert(call, copied)?;
    Ok(Came::Whole)
}

/// Brings tags, list and lock of the copy up to date.
fn metadata(
    call: &mut Call<'_>,
    task: &Task<'_>,
    target: &Arc<Bucket>,
    read: &Read,
    step: &mut Step,
) -> Result<Came> {
    step.reason = "DstPutObjectNotPermitted";
    let object = admit(call, task, target, REPLICATE, Context::default())?;
    let slot = object.slot();
    step.reason = "DstVersionNotFound";
    let found = slot.version(call, &task.due.id)?;
    let found = found.ok_or_else(|| refusal::no_such_version(&task.due.key, &task.due.id))?;
    step.reason = "DstPutTaggingNotPermitted";
    let tags = takes_tags(call, &object, read)?;
    step.reason = "DstPutAclNotPermitted";
    let (owner, acl) = owned(call, task, target)?;
    step.writes = true;
    let mut copied = (*found).clone();
    if tags {
        copied.tags.clone_from(&task.version.tags);
    }
    // A copy that was given to another owner has a list of its own.
    if copied.owner == owner && !rule::gives_away(task.rule) {
        copied.acl = acl;
    }
    // Nothing that protects the copy here gives way to what is said elsewhere; the role has no leave to bypass it.
    let lock = task.version.lock;
    copied.lock.hold = lock.hold.or(copied.lock.hold);
    if lock.retention.is_some() && !weakens(&found, lock.retention, call.now) {
        copied.lock.retention = lock.retention;
    }
    slot.amend(call, copied)?;
    Ok(Came::Whole)
}
