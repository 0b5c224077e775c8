//! The key file: 32 random bytes as one line of text, outside the data folder, readable by its owner only.
//!
//! Invariant: a key file is never overwritten, and never used when others may read it or when it lies beside what it protects.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::cipher::KEY;
use crate::{Error, Randomness as _, Result, Secret, SystemRandomness, digest};

const HEADING: &str = "ringwork-seal-key-1 ";
/// Bytes read at most: somebody may name a device or a huge file.
const READ_MOST: u64 = 256;

/// The place of a key file.
#[derive(Clone, Debug)]
pub struct KeyFile {
    path: PathBuf,
}

impl KeyFile {
    /// Names the key file that protects a data folder. Neither needs to exist.
    ///
    /// # Errors
    /// [`Error::KeyFileInsideDataFolder`], also through symbolic links; [`Error::KeyFileRead`] when there is no current folder.
    pub fn new(path: &Path, data_folder: &Path) -> Result<Self> {
        let resolve = |wanted: &Path| {
            resolved(wanted).map_err(|source| Error::KeyFileRead {
                path: wanted.to_owned(),
                source,
            })
        };
        if resolve(path)?.starts_with(resolve(data_folder)?) {
            return Err(Error::KeyFileInsideDataFolder {
                path: path.to_owned(),
                folder: data_folder.to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// The path, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn read_or_create(&self) -> Result<Secret> {
        match self.read() {
            Err(Error::KeyFileMissing { .. }) => self.create(),
            read => read,
        }
    }

    pub(super) fn read(&self) -> Result<Secret> {
        let path = || self.path.clone();
        let failed = |source: std::io::Error| match source.kind() {
            ErrorKind::NotFound => Error::KeyFileMissing { path: path() },
            _ => Error::KeyFileRead { path: path(), source },
        };
        // Asked before opening, since opening a named pipe would wait for its writer.
        if !std::fs::metadata(&self.path).map_err(failed)?.is_file() {
            return Err(Error::KeyFileMalformed { path: path() });
        }
        let file = File::open(&self.path).map_err(failed)?;
        self.refuse_exposed(&file)?;
        let mut text = Zeroizing::new(Vec::with_capacity(512));
        file.take(READ_MOST).read_to_end(&mut text).map_err(failed)?;
        parse(&text).ok_or_else(|| Error::KeyFileMalformed { path: path() })
    }

    fn create(&self) -> Result<Secret> {
        let failed = |source| Error::KeyFileWrite {
            path: self.path.clone(),
            source,
        };
        let mut key = Zeroizing::new(vec![0; KEY]);
        SystemRandomness.fill(&mut key)?;
        let mut line = Zeroizing::new(String::with_capacity(128));
        line.push_str(HEADING);
        line.push_str(&Zeroizing::new(digest::hex(&key)));
        line.push('\n');
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            private_folder().create(folder).map_err(failed)?;
        }
        let mut file = private_file().open(&self.path).map_err(failed)?;
        file.write_all(line.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // The name must be as durable as the bytes: data sealed under a key that a power cut removes are lost.
        File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(Secret::from(key))
    }

    #[cfg(unix)]
    fn refuse_exposed(&self, file: &File) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;

        let metadata = file.metadata().map_err(|source| Error::KeyFileRead {
            path: self.path.clone(),
            source,
        })?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(Error::KeyFileExposed {
                path: self.path.clone(),
                mode,
            });
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn refuse_exposed(&self, _: &File) -> Result<()> {
        Ok(())
    }
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn private_folder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn parse(text: &[u8]) -> Option<Secret> {
    let digits = std::str::from_utf8(text).ok()?.trim_end().strip_prefix(HEADING)?;
    let key = Zeroizing::new(digest::unhex(digits)?);
    (key.len() == KEY).then(|| Secret::from(key))
}

/// The path without symbolic links, as far as it exists.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    for ancestor in path.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), path.strip_prefix(ancestor)) {
            return Ok(real.join(rest));
        }
    }
    Ok(path)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        folder
    }

    fn key_file(folder: &tempfile::TempDir, name: &str) -> Result<KeyFile> {
        KeyFile::new(&folder.path().join(name), &folder.path().join("data"))
    }

    #[test]
    fn a_new_key_file_is_for_its_owner_only_and_is_read_back() {
        let folder = folder();
        let file = key_file(&folder, "deep/key").unwrap();
        let key = file.read_or_create().unwrap();
        assert_eq!(
            std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o7777,
            0o600
        );
        assert_eq!(file.read_or_create().unwrap(), key);
        assert_eq!(key.len(), 32);
    }

    #[test]
    fn a_key_file_that_others_may_read_is_refused() {
        let folder = folder();
        let file = key_file(&folder, "key").unwrap();
        file.read_or_create().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = file.read().err().unwrap();
            assert!(
                matches!(refused, Error::KeyFileExposed { mode: shown, .. } if shown == mode),
                "{refused}"
            );
        }
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o400)).unwrap();
        assert!(file.read().is_ok());
    }

    #[test]
    fn a_key_file_inside_the_data_folder_is_refused() {
        let folder = folder();
        std::os::unix::fs::symlink(folder.path().join("data"), folder.path().join("link")).unwrap();
        for name in ["data/key", "data/deep/key", "link/key", "data/../data/key"] {
            assert!(
                matches!(
                    key_file(&folder, name),
                    Err(Error::KeyFileInsideDataFolder { .. })
                ),
                "{name}"
            );
        }
        for name in ["key", "data.key", "data/../key"] {
            assert!(key_file(&folder, name).is_ok(), "{name}");
        }
    }

    #[test]
    fn other_files_are_no_key_files_and_stay_untouched() {
        let folder = folder();
        let digits = "ab".repeat(32);
        let contents = [
            String::new(),
            "hello".to_owned(),
            format!("{HEADING}{}", "ab".repeat(31)),
            format!("{HEADING}{digits}00"),
            format!("{HEADING}{digits} and more"),
            "x".repeat(10_000),
        ];
        for content in contents {
            let file = key_file(&folder, "key").unwrap();
            std::fs::write(file.path(), &content).unwrap();
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(file.read_or_create(), Err(Error::KeyFileMalformed { .. })),
                "{content}"
            );
            assert_eq!(std::fs::read_to_string(file.path()).unwrap(), content);
        }
        assert!(matches!(
            key_file(&folder, "").unwrap().read(),
            Err(Error::KeyFileMalformed { .. })
        ));
    }
}
