//! `POST /_ringwork/snapshot`: the state, as a data folder of its own with a key file beside it.

use std::path::Path;

use crypto::{KeyFile, Opener};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Control, Refusal, Result};
use crate::error::Error;
use crate::folder::{self, Folder, Partial};

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
        let failed = |error: &dyn std::fmt::Display| Refusal::bad(error.to_string());
        let partial = Partial::begin(target).map_err(|error| match error {
            Error::Usage(message) => Refusal::new(StatusCode::CONFLICT, message),
            other => failed(&other.chain()),
        })?;
        let made = partial.folder();
        self.gateway
            .save(&made.store_file(), made.path())
            .map_err(|error| failed(&error))?;
        let key_file = KeyFile::new(&made.key_file(), made.path()).map_err(|error| failed(&error))?;
        let header = self
            .gateway
            .seal()
            .reseal(&Opener::KeyFile(key_file))
            .map_err(|error| failed(&error))?;
        folder::write(&made.seal_header(), &header.to_bytes()).map_err(|error| failed(&error.chain()))?;
        partial.publish().map_err(|error| failed(&error.chain()))?;
        Ok(request)
    }
}
