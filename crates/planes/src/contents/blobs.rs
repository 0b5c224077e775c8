//! Blobs as objects: `PREFIX/7f/0190…7f`, each put whole or by parts of 8 MiB, so that a blob appears complete or not at all.
//!
//! Invariant: whoever calls may block, and the requests run on threads of their own; a blob in the making holds one part in memory.

use std::future::Future;
use std::path::Path as Folder;
use std::sync::Arc;
use std::sync::mpsc;

use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use store::blobs::{Blob, BlobName, Blobs, Staged, name_of, shard_of, text_of};
use store::{Error, Result, Store};
use tokio::runtime::{Builder, Runtime};

use super::place::{ContentsError, ContentsPlace};

/// What is sent at once. S3 takes 10,000 parts of an object, and the largest content has 5 GiB.
const PART_BYTES: usize = 8 << 20;
/// Bytes that a copy of everything holds at once.
const COPY_BYTES: u64 = 8 << 20;
const THREADS: usize = 2;
/// The object that says whose the prefix is.
const OWNER: &str = "owner";

/// Blobs in an object store elsewhere.
pub struct RemoteBlobs(Arc<Remote>);

struct Remote {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Remote {
    fn drop(&mut self) {
        // Dropping it the plain way would block, which is forbidden on threads of another runtime.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn failed(what: &'static str) -> impl FnOnce(object_store::Error) -> Error {
    move |error| Error::engine(what, error)
}

impl Remote {
    /// Runs a request and waits for it. The threads that run it are not the caller's, so this is no nested runtime.
    fn wait<T: Send + 'static>(
        &self,
        what: &'static str,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(Error::Closed);
        };
        let (tell, told) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let _nobody_waits = tell.send(request.await);
        });
        told.recv().map_err(|_| Error::Closed)?.map_err(failed(what))
    }

    fn place(&self, name: &BlobName) -> Path {
        self.shard(shard_of(name)).join(text_of(name))
    }

    fn shard(&self, shard: u8) -> Path {
        self.prefix.clone().join(format!("{shard:02x}"))
    }
}

impl RemoteBlobs {
    /// Connects, and makes sure that the prefix belongs to `owner`: a mark that only the first who comes can write.
    ///
    /// # Errors
    /// [`ContentsError::Foreign`] if another has it; [`ContentsError::Unreachable`] if nobody can be asked.
    pub fn open(place: &ContentsPlace, owner: &str) -> std::result::Result<Self, ContentsError> {
        Self::over(place.connect()?, place.prefix(), owner)
    }

    pub(super) fn over(
        objects: Arc<dyn ObjectStore>,
        prefix: Path,
        owner: &str,
    ) -> std::result::Result<Self, ContentsError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("contents")
            .enable_all()
            .build()
            .map_err(ContentsError::Runtime)?;
        let (mark, ours) = (prefix.clone().join(OWNER), owner.to_owned());
        let asked = Arc::clone(&objects);
        let (tell, told) = mpsc::sync_channel(1);
        runtime.spawn(async move {
            let _nobody_waits = tell.send(claim(asked.as_ref(), &mark, ours).await);
        });
        let remote = Self(Arc::new(Remote {
            objects,
            prefix,
            runtime: Some(runtime),
        }));
        let stopped = || ContentsError::Runtime(std::io::ErrorKind::BrokenPipe.into());
        told.recv().map_err(|_| stopped())??;
        Ok(remote)
    }
}

/// Writes the owner's mark, or finds it there.
async fn claim(
    objects: &dyn ObjectStore,
    mark: &Path,
    owner: String,
) -> std::result::Result<(), ContentsError> {
    let once = PutOptions::from(PutMode::Create);
    let put = objects
        .put_opts(mark, PutPayload::from(owner.clone().into_bytes()), once)
        .await;
    match put {
        Ok(_) => return Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
        Err(error) => return Err(ContentsError::Unreachable(error)),
    }
    let found = async { objects.get(mark).await?.bytes().await };
    let found = found.await.map_err(ContentsError::Unreachable)?;
    if found == owner.as_bytes() {
        Ok(())
    } else {
        Err(ContentsError::Foreign)
    }
}

impl Blobs for RemoteBlobs {
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>> {
        Ok(Box::new(Growing {
            remote: Arc::clone(&self.0),
            place: self.0.place(name),
            part: Vec::new(),
            upload: None,
        }))
    }

    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>> {
        let (objects, place) = (Arc::clone(&self.0.objects), self.0.place(name));
        let asked = place.clone();
        let found = self.0.wait("look for a content elsewhere", async move {
            match objects.head(&asked).await {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                found => found.map(Some),
            }
        })?;
        Ok(found.map(|found| {
            Box::new(Standing {
                remote: Arc::clone(&self.0),
                place,
                size: found.size,
            }) as Box<dyn Blob>
        }))
    }

    /// Deletes without looking whether there is one: the other store does not tell.
    fn delete(&self, name: &BlobName) -> Result<bool> {
        let (objects, place) = (Arc::clone(&self.0.objects), self.0.place(name));
        self.0.wait("delete a content elsewhere", async move {
            match objects.delete(&place).await {
                Err(object_store::Error::NotFound { .. }) => Ok(false),
                deleted => deleted.map(|()| true),
            }
        })
    }

    fn list(&self, shard: u8) -> Result<Vec<BlobName>> {
        let (objects, place) = (Arc::clone(&self.0.objects), self.0.shard(shard));
        self.0.wait("list contents elsewhere", async move {
            let (mut listed, mut names) = (objects.list(Some(&place)), Vec::new());
            while let Some(found) = listed.next().await {
                // What has no blob's name is not ours to touch.
                names.extend(found?.location.filename().and_then(name_of));
            }
            Ok(names)
        })
    }

    fn save(&self, folder: &Folder) -> Result<()> {
        let local = Store::disk_blobs(folder)?;
        for name in self.names()? {
            // Deleted since it was listed: nothing that is copied names it.
            if let Some(blob) = self.open(&name)? {
                copy(blob.as_ref(), local.stage(&name)?)?;
            }
        }
        Ok(())
    }

    fn load(&self, folder: &Folder) -> Result<()> {
        let local = Store::disk_blobs(folder)?;
        for shard in 0..=u8::MAX {
            for name in local.list(shard)? {
                if let Some(blob) = local.open(&name)? {
                    copy(blob.as_ref(), self.stage(&name)?)?;
                }
            }
        }
        Ok(())
    }
}

impl RemoteBlobs {
    fn names(&self) -> Result<Vec<BlobName>> {
        let mut names = Vec::new();
        for shard in 0..=u8::MAX {
            names.extend(self.list(shard)?);
        }
        Ok(names)
    }
}

/// Copies one blob, a bounded piece at a time.
fn copy(from: &dyn Blob, mut to: Box<dyn Staged>) -> Result<()> {
    let (mut at, size) = (0, from.size());
    let mut buffer = Vec::new();
    while at < size {
        let next = COPY_BYTES.min(size - at);
        buffer.resize(usize::try_from(next).unwrap_or(usize::MAX), 0);
        from.read_at(at, &mut buffer)?;
        to.append(&buffer)?;
        at += next;
    }
    to.publish()
}

/// An upload that can end in an object.
type Upload = Box<dyn MultipartUpload>;

struct Growing {
    remote: Arc<Remote>,
    place: Path,
    /// What was not sent yet, less than a part.
    part: Vec<u8>,
    /// Begun with the first full part.
    upload: Option<Upload>,
}

impl Growing {
    /// Sends a part, and holds nothing of it any more once it was taken.
    fn send(&mut self) -> Result<()> {
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let begun = self.upload.take();
        let (objects, place) = (Arc::clone(&self.remote.objects), self.place.clone());
        let upload = self.remote.wait("send a content elsewhere", async move {
            let mut upload = match begun {
                Some(upload) => upload,
                None => objects.put_multipart(&place).await?,
            };
            match upload.put_part(payload).await {
                Ok(()) => Ok(upload),
                Err(error) => {
                    // What was sent is paid for until it is given up.
                    let _left = upload.abort().await;
                    Err(error)
                }
            }
        })?;
        self.upload = Some(upload);
        Ok(())
    }
}

impl Staged for Growing {
    fn append(&mut self, mut bytes: &[u8]) -> Result<()> {
        while self.part.len() + bytes.len() >= PART_BYTES {
            let (now, later) = bytes.split_at(PART_BYTES - self.part.len());
            self.part.extend_from_slice(now);
            self.send()?;
            bytes = later;
        }
        self.part.extend_from_slice(bytes);
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        if self.upload.is_some() && !self.part.is_empty() {
            self.send()?;
        }
        let payload = PutPayload::from(std::mem::take(&mut self.part));
        let begun = self.upload.take();
        let (objects, place) = (Arc::clone(&self.remote.objects), self.place.clone());
        self.remote.wait("publish a content elsewhere", async move {
            match begun {
                Some(mut upload) => upload.complete().await.map(|_| ()),
                None => objects.put(&place, payload).await.map(|_| ()),
            }
        })
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        let (Some(mut upload), Some(runtime)) = (self.upload.take(), &self.remote.runtime) else {
            return;
        };
        // Parts that stay are the other store's to expire (a lifecycle rule for incomplete uploads).
        runtime.spawn(async move {
            let _left = upload.abort().await;
        });
    }
}

struct Standing {
    remote: Arc<Remote>,
    place: Path,
    size: u64,
}

impl Blob for Standing {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if buffer.is_empty() {
            return Ok(());
        }
        let short = || {
            Error::engine(
                "read a content elsewhere",
                std::io::Error::from(std::io::ErrorKind::UnexpectedEof),
            )
        };
        let end = offset
            .checked_add(buffer.len() as u64)
            .filter(|end| *end <= self.size);
        let range = offset..end.ok_or_else(short)?;
        let (objects, place) = (Arc::clone(&self.remote.objects), self.place.clone());
        let bytes = self.remote.wait("read a content elsewhere", async move {
            objects.get_range(&place, range).await
        })?;
        if bytes.len() != buffer.len() {
            return Err(short());
        }
        buffer.copy_from_slice(&bytes);
        Ok(())
    }
}
