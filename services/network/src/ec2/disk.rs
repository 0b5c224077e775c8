//! The disks of instances and images: contents sealed under keys of their own, which the seal wraps.
//!
//! Invariant: what an instance wrote lies nowhere in clear once the plane has given it away; a disk goes with the last row that
//! names it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pipeline::instances::DISK_BYTES_MAX;
use pipeline::{Call, ChecksumSet, Content, ContentReader, Intake, Result, Segment};
use serde::{Deserialize, Serialize};
use wire::Fault;

const NAME: &str = "ec2.disks";

/// A disk: a tar of what lies over the built-in image.
#[derive(Clone, Serialize, Deserialize)]
pub struct Disk {
    content: Content,
    /// Wrapped by the seal, in base64.
    keys: Vec<String>,
}

impl Disk {
    /// Bytes of the tar.
    pub fn size(&self) -> u64 {
        self.content.size()
    }
}

/// Seals and keeps a disk for one row of this transaction. Many bytes end this run, as `Call::store_bytes` says.
pub(super) fn keep(call: &mut Call<'_>, tar: &[u8]) -> Result<Disk> {
    let intake = Intake {
        layers: 1,
        bytes_max: DISK_BYTES_MAX,
        digests: ChecksumSet::NONE,
    };
    let received = call.store_bytes(tar, intake)?;
    call.keep(&received.content)?;
    let bond = received.content.id().text();
    let mut keys = Vec::new();
    for key in &received.keys {
        keys.push(STANDARD.encode(call.seal(NAME, bond.as_bytes(), key.expose())?));
    }
    Ok(Disk {
        content: received.content.clone(),
        keys,
    })
}

/// Names a disk once more. Both rows must keep what is handed out here.
pub(super) fn share(call: &mut Call<'_>, disk: &Disk) -> Result<Disk> {
    Ok(Disk {
        content: call.share(&disk.content)?,
        keys: disk.keys.clone(),
    })
}

/// Lets a disk go.
pub(super) fn release(call: &mut Call<'_>, disk: &Disk) -> Result<()> {
    call.release(&disk.content)
}

/// A disk in clear, for the plane.
pub(super) fn open(call: &mut Call<'_>, disk: &Disk) -> Result<Bytes> {
    let segment = segment(call, disk)?;
    let clear = call.open_content(segment, DISK_BYTES_MAX)?;
    Ok(Bytes::copy_from_slice(clear.expose()))
}

/// A disk in clear, as a stream.
pub(super) fn stream(call: &mut Call<'_>, disk: &Disk) -> Result<ContentReader> {
    let segment = segment(call, disk)?;
    call.read_content(segment)
}

fn segment(call: &mut Call<'_>, disk: &Disk) -> Result<Segment> {
    let bond = disk.content.id().text();
    let mut keys = Vec::new();
    for key in &disk.keys {
        let sealed = STANDARD.decode(key).map_err(Fault::internal)?;
        keys.push(call.open(NAME, bond.as_bytes(), &sealed)?);
    }
    Ok(Segment {
        content: disk.content.clone(),
        keys,
    })
}
