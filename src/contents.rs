//! Where large contents lie: in files of the data folder, or in an S3-compatible store elsewhere that `--contents` names.
//!
//! Invariant: a data folder whose contents lie elsewhere says so in a file, and is served with no others: without them, every large
//! object would be missing.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crypto::{Randomness as _, SystemRandomness};
use planes::contents::{ContentsError, ContentsPlace, RemoteBlobs};
use serde::{Deserialize, Serialize};
use store::Store;
use store::blobs::Blobs;

use crate::error::Error;
use crate::folder::{self, Folder};

/// What a data folder remembers of its contents.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// The endpoint, the bucket and the prefix.
    place: String,
    /// Who the prefix belongs to: drawn once, written there too.
    owner: String,
}

/// Opens the contents of a folder whose store this process has locked.
pub(crate) fn open(folder: &Folder, asked: Option<&Path>) -> Result<Arc<dyn Blobs>, Error> {
    let path = folder.contents_mark();
    let mark: Option<Mark> = folder::read(&path)?
        .map(|bytes| serde_json::from_slice(&bytes))
        .transpose()
        .map_err(|error| Error::Content {
            path: path.clone(),
            reason: error.to_string(),
        })?;
    let Some(file) = asked else {
        return match mark {
            None => files(folder),
            Some(mark) => Err(Error::Usage(format!(
                "the large contents of this data folder lie at {}; name them by --contents",
                mark.place
            ))),
        };
    };
    let place = read_place(file)?;
    match mark {
        Some(mark) if mark.place == place.name() => remote(&place, file, &mark.owner),
        Some(mark) => Err(Error::Usage(format!(
            "{} names {}, but the large contents of this data folder lie at {}",
            file.display(),
            place.name(),
            mark.place
        ))),
        None => first(folder, file, &place),
    }
}

fn files(folder: &Folder) -> Result<Arc<dyn Blobs>, Error> {
    Store::disk_blobs(folder.path()).map_err(|source| Error::Store {
        path: folder.path().to_owned(),
        source,
    })
}

fn read_place(file: &Path) -> Result<ContentsPlace, Error> {
    let bytes = folder::read(file)?.ok_or_else(|| Error::File {
        doing: "read",
        path: file.to_owned(),
        source: std::io::ErrorKind::NotFound.into(),
    })?;
    let bytes = zeroize::Zeroizing::new(bytes);
    ContentsPlace::parse(&bytes).map_err(|error| Error::Content {
        path: file.to_owned(),
        reason: error.to_string(),
    })
}

fn remote(place: &ContentsPlace, file: &Path, owner: &str) -> Result<Arc<dyn Blobs>, Error> {
    let opened = RemoteBlobs::open(place, owner).map_err(|source| Error::Contents {
        path: file.to_owned(),
        source,
    })?;
    Ok(Arc::new(opened))
}

/// The first start with contents elsewhere. The folder's mark is written before the one there, so that a crash between them is mended by
/// the next start.
fn first(folder: &Folder, file: &Path, place: &ContentsPlace) -> Result<Arc<dyn Blobs>, Error> {
    let local = files(folder)?;
    for shard in 0..=u8::MAX {
        let listed = local.list(shard).map_err(|source| Error::Store {
            path: folder.path().to_owned(),
            source,
        })?;
        if !listed.is_empty() {
            return Err(Error::Usage(
                "this data folder has large contents of its own, so --contents cannot name others".to_owned(),
            ));
        }
    }
    let mut drawn = [0; 16];
    SystemRandomness
        .fill(&mut drawn)
        .map_err(|error| Error::Pipeline(error.to_string()))?;
    let mark = Mark {
        place: place.name(),
        owner: crypto::digest::hex(&drawn),
    };
    let path = folder.contents_mark();
    let bytes = serde_json::to_vec(&mark).map_err(|error| Error::Content {
        path: path.clone(),
        reason: error.to_string(),
    })?;
    folder::write(&path, &bytes)?;
    remote(place, file, &mark.owner).inspect_err(|error| {
        let foreign = matches!(
            error,
            Error::Contents {
                source: ContentsError::Foreign,
                ..
            }
        );
        // Nothing lies there that is ours: another place may be named next time. After any other error the mark there may have been
        // written, and only who keeps this one can say that it is theirs.
        if foreign {
            let _left = fs::remove_file(&path);
        }
    })
}
