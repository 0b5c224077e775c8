//! The data folder: what lies in it, and how its small files are written and read.
//!
//! Invariant: a file here is whole or absent (written aside, flushed, renamed), and readable by its owner alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crypto::Secret;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Where a Ringwork keeps its things.
pub(crate) struct Folder(PathBuf);

/// What clients on this machine need to reach the server: who they are and where it listens.
#[derive(Serialize, Deserialize)]
pub(crate) struct RootCredentials {
    pub(crate) account: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Folder {
    /// The folder at `path`, which need not exist.
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the folder, for its owner alone.
    pub(crate) fn make(&self) -> Result<(), Error> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|source| Error::File {
                doing: "make the folder",
                path: self.0.clone(),
                source,
            })
    }

    /// The key file beside the folder, which opens the seal unless another is named.
    pub(crate) fn key_file(&self) -> PathBuf {
        let mut name = self.0.file_name().unwrap_or_default().to_owned();
        name.push(".key");
        self.0.with_file_name(name)
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.0.join(store::FILE)
    }

    pub(crate) fn seal_header(&self) -> PathBuf {
        self.0.join("seal")
    }

    pub(crate) fn root_credentials(&self) -> PathBuf {
        self.0.join("root-credentials.json")
    }

    pub(crate) fn endpoint(&self) -> PathBuf {
        self.0.join("endpoint")
    }

    /// The console's address; empty where the server that ran last had none.
    pub(crate) fn console(&self) -> PathBuf {
        self.0.join("console")
    }

    /// Says that large contents lie elsewhere, and where.
    pub(crate) fn contents_mark(&self) -> PathBuf {
        self.0.join("contents.json")
    }

    /// What functions run in; the runner's own.
    pub(crate) fn functions(&self) -> PathBuf {
        self.0.join("functions")
    }

    /// What instances run in; the runner's own.
    pub(crate) fn instances(&self) -> PathBuf {
        self.0.join("instances")
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// The authority's private key, sealed.
    pub(crate) fn authority_key(&self) -> PathBuf {
        self.0.join("ca.key.sealed")
    }

    pub(crate) fn read_root_credentials(&self) -> Result<Option<RootCredentials>, Error> {
        let path = self.root_credentials();
        let Some(bytes) = read(&path)? else {
            return Ok(None);
        };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|error| Error::Content {
            path,
            reason: error.to_string(),
        })
    }
}

/// A data folder that is being made under a passing name, its key file too. It gets its own name when it is whole, and goes if it is not:
/// a half-made copy must not be taken for one that can be restored.
pub(crate) struct Partial {
    folder: Folder,
    target: Folder,
    published: bool,
}

impl Partial {
    /// Begins to make `target`, which must not be there.
    pub(crate) fn begin(target: Folder) -> Result<Self, Error> {
        let mut name = target.path().file_name().unwrap_or_default().to_owned();
        name.push(".partial");
        let folder = Folder::at(&target.path().with_file_name(name));
        for path in [target.0.clone(), target.key_file(), folder.key_file()] {
            if path.exists() {
                return Err(exists(path));
            }
        }
        let parent = folder.0.parent().unwrap_or(Path::new("."));
        if !parent.as_os_str().is_empty() && !parent.exists() {
            Folder::at(parent).make()?;
        }
        // Not recursive: what is there is another's, or was left when a machine died.
        let made = fs::DirBuilder::new().mode(0o700).create(&folder.0);
        made.map_err(|source| {
            if source.kind() == std::io::ErrorKind::AlreadyExists {
                return exists(folder.0.clone());
            }
            Error::File {
                doing: "make the folder",
                path: folder.0.clone(),
                source,
            }
        })?;
        Ok(Self {
            folder,
            target,
            published: false,
        })
    }

    /// Where it lies until it is whole.
    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Gives it its own name. The key file comes first: a folder that nothing opens would be worse than a key for nothing.
    pub(crate) fn publish(mut self) -> Result<(), Error> {
        let rename = |from: &Path, to: &Path| {
            fs::rename(from, to).map_err(|source| Error::File {
                doing: "rename",
                path: from.to_owned(),
                source,
            })
        };
        rename(&self.folder.key_file(), &self.target.key_file())?;
        if let Err(error) = rename(&self.folder.0, &self.target.0) {
            let _left = fs::remove_file(self.target.key_file());
            return Err(error);
        }
        self.published = true;
        sync_parent(&self.target.0).map_err(|source| Error::File {
            doing: "flush",
            path: self.target.0.clone(),
            source,
        })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // What cannot be removed keeps its passing name, under which nobody takes it for a whole one.
            let _left = fs::remove_dir_all(&self.folder.0);
            let _left = fs::remove_file(self.folder.key_file());
        }
    }
}

fn exists(path: PathBuf) -> Error {
    Error::Usage(format!("{} exists already", path.display()))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    fs::File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A file's bytes; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            doing: "read",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File {
        doing: "write",
        path: path.to_owned(),
        source,
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&aside).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&aside, path).map_err(failed)?;
    // The rename itself must survive a power cut.
    sync_parent(path).map_err(failed)
}

/// The first line of a passphrase file.
pub(crate) fn read_passphrase(path: &Path) -> Result<Secret, Error> {
    let Some(bytes) = read(path)? else {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(Error::File {
            doing: "read the passphrase",
            path: path.to_owned(),
            source,
        });
    };
    let bytes = zeroize::Zeroizing::new(bytes);
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Secret::copy_of(line.strip_suffix(b"\r").unwrap_or(line)))
}
