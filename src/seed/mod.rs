//! `serve --seed`: accounts with their users, groups, roles and policies, from YAML, through the API itself.
//!
//! Invariant: a file that is wrong by itself changes nothing; a file that was applied changes nothing again.

mod check;
pub(crate) mod document;
mod file;
mod keys;
mod problem;
mod root;
mod settle;
#[cfg(test)]
mod tests;

use std::io::Read as _;
use std::path::Path;

use pipeline::Gateway;
use zeroize::Zeroizing;

use crate::error::Error;
use crate::folder::Folder;
use problem::Stop;

/// Brings the cloud to what `file` says. Keys that it asks to generate are kept in `folder`.
///
/// # Errors
/// Where the file is wrong, a line for each refusal (`FILE:LINE:COLUMN: ITEM: WHY`); or what failed beside it.
pub(crate) async fn apply(gateway: &Gateway, folder: &Folder, file: &Path) -> Result<(), Error> {
    let text = read(file)?;
    let refused = |stops| problem::error(file, stops);
    let seed = file::parse(&text).map_err(|stop| refused(vec![stop]))?;
    let wrong = check::file(&seed);
    if !wrong.is_empty() {
        return Err(refused(wrong));
    }
    let wrong = check::references(gateway, &seed)
        .await
        .map_err(|stop| refused(vec![stop]))?;
    if !wrong.is_empty() {
        return Err(refused(wrong));
    }
    let settled = async {
        settle::settle(gateway, &seed).await?;
        keys::settle(gateway, folder, &seed).await
    };
    settled.await.map_err(|stop: Stop| refused(vec![stop]))
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    let failed = |source| Error::File {
        doing: "read the seed",
        path: path.to_owned(),
        source,
    };
    let source = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Zeroizing::new(Vec::new());
    source
        .take(file::BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let refused = |reason: &str| Error::Usage(format!("{}:1:1: {reason}", path.display()));
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > file::BYTES_MAX {
        return Err(refused("a seed has at most 1 MiB"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| refused("a seed is text in UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
