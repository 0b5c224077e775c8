//! `POST /_ringwork/snapshot`: the state, as a data folder of its own with a key file beside it.

use std::path::Path;

use crypto::{KeyFile, Opener};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Control, Refusal, Result};
use crate::folder::{self, Folder};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SaveRequest {
    /// A folder that does not exist yet, on the server's machine.
    pub(crate) to: String,
}

impl Control {
    pub(super) fn save_snapshot(&self, body: &[u8]) -> Result<SaveRequest> {
        let request: SaveRequest =
            serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        let target = Folder::at(Path::new(&request.to));
        if !target.path().is_absolute() {
            return Err(Refusal::bad("The path must be absolute."));
        }
        // Its key file would lie in the server's own folder, and a copy of that folder would hold what opens it.
        let parent = target
            .path()
            .parent()
            .and_then(|parent| parent.canonicalize().ok());
        let own = self.posture.data.canonicalize().ok();
        if let (Some(parent), Some(own)) = (parent, own)
            && parent.starts_with(own)
        {
            return Err(Refusal::bad(
                "The path must be outside of the server's own data folder.",
            ));
        }
        if target.path().exists() || target.key_file().exists() {
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "The folder, or its key file, exists already.",
            ));
        }
        let failed = |error: &dyn std::fmt::Display| Refusal::bad(error.to_string());
        target.make().map_err(|error| failed(&error.chain()))?;
        self.gateway
            .save(&target.store_file(), target.path())
            .map_err(|error| failed(&error))?;
        let key_file = KeyFile::new(&target.key_file(), target.path()).map_err(|error| failed(&error))?;
        let header = self
            .gateway
            .seal()
            .reseal(&Opener::KeyFile(key_file))
            .map_err(|error| failed(&error))?;
        folder::write(&target.seal_header(), &header.to_bytes()).map_err(|error| failed(&error.chain()))?;
        Ok(request)
    }
}
