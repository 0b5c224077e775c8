//! `ringwork snapshot`: a state that a test made, saved and loaded again.

use std::path::Path;

use http::Method;
use serde_json::{Value, json};

use super::client::Client;
use crate::arguments::{Snapshot, SnapshotChange};
use crate::error::Error;
use crate::folder::{self, Folder, Partial};

pub(crate) async fn run(options: &Snapshot) -> Result<(), Error> {
    match &options.change {
        SnapshotChange::Save { to } => {
            let client = Client::of(&options.server)?;
            let absolute = std::path::absolute(to);
            let absolute = absolute.map_err(|source| Error::File {
                doing: "find",
                path: to.clone(),
                source,
            })?;
            let body = json!({ "to": absolute.display().to_string() })
                .to_string()
                .into_bytes();
            let _: Value = client.call(Method::POST, "/_ringwork/snapshot", "", body).await?;
            let (folder, key) = (absolute.display(), Folder::at(&absolute).key_file());
            println!("Saved in {folder}, opened by {}.", key.display());
            Ok(())
        }
        SnapshotChange::Load { from } => load(from, &options.server.data),
    }
}

fn load(from: &Path, to: &Path) -> Result<(), Error> {
    let saved = Folder::at(from);
    let partial = Partial::begin(Folder::at(to))?;
    let made = partial.folder();
    let copied = [
        (saved.store_file(), made.store_file()),
        (saved.seal_header(), made.seal_header()),
        (saved.key_file(), made.key_file()),
    ];
    let mut contents = Vec::new();
    for (source, target) in copied {
        let bytes = folder::read(&source)?;
        let bytes = bytes.ok_or_else(|| {
            Error::Usage(format!(
                "{} is not a saved state: {} is missing",
                from.display(),
                source.display()
            ))
        })?;
        contents.push((target, zeroize::Zeroizing::new(bytes)));
    }
    for (target, bytes) in contents {
        folder::write(&target, &bytes)?;
    }
    let copied = store::blobs::copy(saved.path(), made.path());
    copied.map_err(|error| Error::Usage(format!("the contents were not copied: {error}")))?;
    partial.publish()?;
    println!("Loaded. Start it with: ringwork serve --data {}", to.display());
    Ok(())
}
