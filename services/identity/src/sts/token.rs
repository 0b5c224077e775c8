//! What a session token carries, and how it is packed.
//!
//! Invariant: a token is read only if this Ringwork's seal issued it as a session token, and the key id in it is the one that
//! the request was signed with.

use std::io::{Read as _, Write as _};

use crypto::Secret;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use pipeline::identity::Session;
use pipeline::{Call, Look, Result};
use serde::{Deserialize, Serialize};
use wire::Fault;
use zeroize::Zeroizing;

use crate::iam::tag::Tags;

const PURPOSE: &str = "sts.session";
/// Characters of a token; clients must be able to send it in a header.
pub(crate) const TOKEN_CHARACTERS_MAX: usize = 4096;
/// Bytes of an unpacked token: tags, policies and identities fit several times over.
const UNPACKED_MAX: u64 = 256 * 1024;
/// Bytes that the token's envelope adds to its payload before Base64.
const ENVELOPE: usize = 47;

/// Whom a session stands for. Names are in lower case; ids tell an identity from another that bore its name before. A user's
/// own sessions end when the user is renamed, since they find it by its name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    Root,
    User {
        name: String,
        id: String,
    },
    Role {
        name: String,
        id: String,
        session: String,
    },
    /// A federated user, and the user (or root) who asked for it.
    Federated {
        name: String,
        of: Option<(String, String)>,
    },
}

/// A session as its token carries it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Issued {
    pub(crate) access_key_id: String,
    secret: Zeroized,
    pub(crate) account: String,
    /// Which account of that id it was.
    pub(crate) incarnation: String,
    pub(crate) holder: Holder,
    /// Session tags.
    pub(crate) tags: Tags,
    pub(crate) session: Session,
}

/// Text that is wiped when dropped.
struct Zeroized(Zeroizing<String>);

impl Serialize for Zeroized {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Zeroized {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

impl Issued {
    pub(crate) fn new(
        access_key_id: String,
        secret: &Secret,
        (account, incarnation): (String, String),
        holder: Holder,
        tags: Tags,
        session: Session,
    ) -> Result<Self> {
        let secret = secret.expose_text().map_err(Fault::internal)?.to_owned();
        let secret = Zeroized(Zeroizing::new(secret));
        Ok(Self {
            access_key_id,
            secret,
            account,
            incarnation,
            holder,
            tags,
            session,
        })
    }

    /// The secret access key, to verify signatures with.
    pub(crate) fn secret(&self) -> Secret {
        Secret::from(self.secret.0.as_str())
    }

    /// The same session for the console, until `expires` (milliseconds), under a key of its own if one is given.
    pub(crate) fn for_console(mut self, key: Option<(String, &Secret)>, expires: i64) -> Result<Self> {
        if let Some((id, secret)) = key {
            let secret = secret.expose_text().map_err(Fault::internal)?.to_owned();
            self.access_key_id = id;
            self.secret = Zeroized(Zeroizing::new(secret));
        }
        self.session.console = true;
        self.session.expires = expires;
        Ok(self)
    }

    /// Makes the token, at least `size_min` characters long.
    pub(crate) fn pack(&self, call: &Call<'_>, size_min: usize) -> Result<String> {
        let plain = Zeroizing::new(serde_json::to_vec(self).map_err(Fault::internal)?);
        let mut payload = Zeroizing::new(deflate(&plain).map_err(Fault::internal)?);
        let bytes_min = (size_min * 3).div_ceil(4).saturating_sub(ENVELOPE);
        if payload.len() < bytes_min {
            // What follows the end of the packed stream is passed over.
            payload.resize(bytes_min, 0);
        }
        call.issue_token(PURPOSE, &payload)
    }

    /// Reads a token; `None` if it is not one.
    pub(crate) fn unpack(look: &Look<'_>, token: &str) -> Option<Self> {
        let payload = look.open_token(PURPOSE, token)?;
        let mut plain = Zeroizing::new(Vec::new());
        DeflateDecoder::new(payload.expose())
            .take(UNPACKED_MAX)
            .read_to_end(&mut plain)
            .ok()?;
        serde_json::from_slice(&plain).ok()
    }
}

/// Packs bytes as tokens carry them.
pub(crate) fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
