//! Another S3 server beside ours, in the same run on the same machine: `s3s-fs` of crates.io, which keeps objects as plain files.
//!
//! It checks signatures and nothing else: it neither decides, records, encrypts nor flushes. So it is ahead by all of that work.

use std::path::Path;

use crate::cloud::Client;
use crate::process::{Credentials, Server};
use crate::{Result, start};

/// The peer, with a client that it believes.
pub(crate) struct Peer {
    pub(crate) server: Server,
    pub(crate) client: Client,
}

impl Peer {
    /// Starts it on an empty folder.
    pub(crate) async fn start(binary: &Path, data: &Path) -> Result<Self> {
        start::clear(data)?;
        std::fs::create_dir_all(data).map_err(crate::while_doing("make a folder"))?;
        let credentials = Credentials {
            access_key_id: "AKIAPEERPEERPEERPEER".to_owned(),
            secret_access_key: "a secret of a measurement".to_owned(),
        };
        let mut server = Server::peer(binary, data, &credentials)?;
        server.connect().await?;
        let client = Client {
            address: server.address,
            credentials,
        };
        Ok(Self { server, client })
    }
}
