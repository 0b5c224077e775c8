//! Blobs as files: `blobs/7f/0190…7f`, readable by their owner alone. New ones grow in `blobs/staging`, which is emptied at the start.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::spare::{Opened, Spares};
use super::{Blob, BlobName, Blobs, SHARDS, Staged, name_of, shard_of, text_of};
use crate::{Error, Result};

/// The folder of blobs in the data folder.
pub(crate) const FOLDER: &str = "blobs";
const STAGING: &str = "staging";
/// Bytes after which the disk is told to begin with them.
#[cfg(target_os = "linux")]
const AHEAD: u64 = 1 << 20;

/// Blobs in a folder. The store's own lock keeps other processes away.
pub(crate) struct DiskBlobs {
    folder: Arc<Path>,
    next: AtomicU64,
    spares: Arc<Spares>,
}

impl DiskBlobs {
    /// Opens the blobs below `dir`, and removes what was staged and never published.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let folder = dir.join(FOLDER);
        let staging = folder.join(STAGING);
        make_folder(&folder)?;
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::io("empty", &staging, error));
            }
            _ => {}
        }
        make_folder(&staging)?;
        sync_folder(&folder)?;
        sync_folder(dir)?;
        Ok(Self {
            folder: folder.into(),
            next: AtomicU64::new(0),
            spares: Arc::default(),
        })
    }

    /// A new place aside.
    fn aside(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.folder.join(STAGING).join(number.to_string())
    }
}

fn make_folder(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .map_err(|error| Error::io("create the folder", path, error))
}

fn sync_folder(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::io("flush the folder", path, error))
}

fn shard_folder(folder: &Path, shard: u8) -> PathBuf {
    folder.join(format!("{shard:02x}"))
}

fn place(folder: &Path, name: &BlobName) -> PathBuf {
    shard_folder(folder, shard_of(name)).join(text_of(name))
}

/// The folder of a name's shard, made durably if it is not there yet.
fn ready_shard(folder: &Path, name: &BlobName) -> Result<PathBuf> {
    let shard = shard_folder(folder, shard_of(name));
    if !shard.is_dir() {
        make_folder(&shard)?;
        sync_folder(folder)?;
    }
    Ok(shard)
}

fn list_shard(folder: &Path, shard: u8) -> Result<Vec<BlobName>> {
    let path = shard_folder(folder, shard);
    let entries = match fs::read_dir(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| Error::io("list", &path, error))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", &path, error))?;
        // What has no blob's name is not ours to touch.
        names.extend(entry.file_name().to_str().and_then(name_of));
    }
    Ok(names)
}

fn shards() -> impl Iterator<Item = u8> {
    (0..SHARDS).filter_map(|shard| u8::try_from(shard).ok())
}

/// Copies every blob below `from` to below `to`. Blobs never change, so a second name for the same file is a copy where the file
/// system allows it.
pub(super) fn copy_all(from: &Path, to: &Path) -> Result<()> {
    let (from, to) = (from.join(FOLDER), to.join(FOLDER));
    for shard in shards() {
        let names = list_shard(&from, shard)?;
        let Some(first) = names.first() else { continue };
        make_folder(&to)?;
        let folder = ready_shard(&to, first)?;
        for name in &names {
            let (source, target) = (place(&from, name), place(&to, name));
            match fs::hard_link(&source, &target) {
                Ok(()) => {}
                // Deleted since it was listed: nothing that is copied names it.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(_other_file_system) => copy_one(&source, &target)?,
            }
        }
        sync_folder(&folder)?;
    }
    Ok(())
}

fn copy_one(source: &Path, target: &Path) -> Result<()> {
    let failed = |error| Error::io("copy", source, error);
    let mut reader = match File::open(source) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        reader => reader.map_err(failed)?,
    };
    let mut writer = create(target).map_err(failed)?;
    std::io::copy(&mut reader, &mut writer).map_err(failed)?;
    writer.sync_all().map_err(failed)
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

impl Blobs for DiskBlobs {
    fn stage(&self, name: &BlobName) -> Result<Box<dyn Staged>> {
        let (file, path, over) = match self.spares.give() {
            Some(spare) => spare,
            None => {
                let path = self.aside();
                let file = create(&path).map_err(|error| Error::io("create", &path, error))?;
                (file, path, 0)
            }
        };
        Ok(Box::new(Growing {
            file,
            path: Some(path),
            name: *name,
            folder: Arc::clone(&self.folder),
            over,
            size: 0,
            begun: 0,
        }))
    }

    fn open(&self, name: &BlobName) -> Result<Option<Box<dyn Blob>>> {
        let path = place(&self.folder, name);
        let opened = self.spares.hold(*name);
        let failed = |error| Error::io("open", &path, error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let size = file.metadata().map_err(failed)?.len();
        Ok(Some(Box::new(Standing {
            file,
            path,
            size,
            _opened: opened,
        })))
    }

    fn delete(&self, name: &BlobName) -> Result<bool> {
        let path = place(&self.folder, name);
        if self.spares.take(name, &path, self.aside()) {
            return Ok(true);
        }
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("delete", &path, error)),
        }
    }

    fn list(&self, shard: u8) -> Result<Vec<BlobName>> {
        list_shard(&self.folder, shard)
    }

    fn save(&self, folder: &Path) -> Result<()> {
        copy_all(self.folder.parent().unwrap_or(Path::new(".")), folder)
    }

    fn load(&self, folder: &Path) -> Result<()> {
        copy_all(folder, self.folder.parent().unwrap_or(Path::new(".")))
    }
}

/// Reads every blob below `folder` whole, for the memory engine.
pub(super) fn read_all(folder: &Path, mut each: impl FnMut(BlobName, Vec<u8>)) -> Result<()> {
    let folder = folder.join(FOLDER);
    for shard in shards() {
        for name in list_shard(&folder, shard)? {
            let path = place(&folder, &name);
            let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
            each(name, bytes);
        }
    }
    Ok(())
}

/// Writes one blob below `folder`, for the memory engine.
pub(super) fn write_one(folder: &Path, name: &BlobName, bytes: &[u8]) -> Result<()> {
    let folder = folder.join(FOLDER);
    make_folder(&folder)?;
    let shard = ready_shard(&folder, name)?;
    let path = place(&folder, name);
    create(&path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| Error::io("write", &path, error))?;
    sync_folder(&shard)
}

struct Growing {
    file: File,
    /// `None` once it has its own name.
    path: Option<PathBuf>,
    name: BlobName,
    folder: Arc<Path>,
    /// Bytes of an older blob that it is written over.
    over: u64,
    size: u64,
    /// Bytes that the disk was told of.
    begun: u64,
}

impl Growing {
    /// Has the disk begin with what is there, so that the flush at the end waits for the last of it alone. A hint: nothing depends on
    /// it, and whatever is not written yet stays as it is.
    #[cfg(target_os = "linux")]
    fn begin_writing(&mut self) {
        let fresh = self.size.saturating_sub(self.begun);
        if fresh >= AHEAD {
            let length = std::num::NonZeroU64::new(fresh);
            let _hint = rustix::fs::fadvise(&self.file, self.begun, length, rustix::fs::Advice::DontNeed);
            self.begun = self.size;
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn begin_writing(&mut self) {}
}

impl Staged for Growing {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.path.as_deref().unwrap_or(Path::new(STAGING));
        self.file
            .write_all(bytes)
            .map_err(|error| Error::io("write", path, error))?;
        self.size = self.size.saturating_add(bytes.len() as u64);
        self.begin_writing();
        Ok(())
    }

    fn publish(mut self: Box<Self>) -> Result<()> {
        let Some(path) = self.path.clone() else {
            return Err(Error::Closed);
        };
        let failed = |error| Error::io("flush", &path, error);
        if self.over > self.size {
            self.file.set_len(self.size).map_err(failed)?;
        }
        // The bytes first: a name that leads to less than all of them must not survive a power cut.
        self.file.sync_all().map_err(failed)?;
        let shard = ready_shard(&self.folder, &self.name)?;
        fs::rename(&path, place(&self.folder, &self.name))
            .map_err(|error| Error::io("rename", &path, error))?;
        self.path = None;
        sync_folder(&shard)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // A file that stays is removed at the next start.
            let _left = fs::remove_file(path);
        }
    }
}

struct Standing {
    file: File,
    path: PathBuf,
    size: u64,
    _opened: Opened,
}

impl Blob for Standing {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(&self.file, offset, buffer).map_err(|error| Error::io("read", &self.path, error))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    file.read_exact_at(buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !buffer.is_empty() {
        let read = file.seek_read(buffer, offset)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        offset += read as u64;
        buffer = buffer.split_at_mut(read).1;
    }
    Ok(())
}
