//! What a call carries across its runs: the request's body, and what was made of it.

use std::sync::Arc;

use bytes::Bytes;
use crypto::Secret;
use crypto::checksum::Summer;
use crypto::content::ContentSealer;
use parking_lot::Mutex;
use wire::Fault;

use super::content::{Content, ContentId, Intake, Place, Received};
use crate::operation::Result;

/// A content that was taken in and that no row names yet.
#[derive(Clone)]
pub(crate) struct Fresh {
    pub(crate) id: ContentId,
    pub(crate) sealed: Arc<[u8]>,
}

/// The answer's payload, opened.
pub(crate) struct Delivery {
    pub(crate) bytes: Bytes,
}

/// The body of a request, if it is one that an operation takes in, and what earlier runs made of it.
pub(crate) struct Carried {
    body: Bytes,
    trailers: Vec<(String, String)>,
    done: Mutex<Option<(Intake, Arc<Received>, Fresh)>>,
}

impl Carried {
    pub(crate) fn whole(body: Bytes, trailers: Vec<(String, String)>) -> Self {
        Self {
            body,
            trailers,
            done: Mutex::default(),
        }
    }

    /// Takes the body in, once for all runs that ask alike.
    pub(super) fn receive(&self, id: ContentId, intake: Intake) -> Result<(Arc<Received>, Fresh)> {
        let mut done = self.done.lock();
        if let Some((known, received, fresh)) = done.as_ref()
            && *known == intake
        {
            return Ok((Arc::clone(received), fresh.clone()));
        }
        let (received, fresh) = seal(id, &self.body, self.trailers.clone(), intake)?;
        let received = Arc::new(received);
        *done = Some((intake, Arc::clone(&received), fresh.clone()));
        Ok((received, fresh))
    }
}

/// S3's refusal of more bytes than an operation takes.
pub(super) fn too_large(size: u64, bytes_max: u64) -> Fault {
    let text = |number: u64| wire::Document::String(number.to_string());
    let message = "Your proposed upload exceeds the maximum allowed size";
    Fault::plain("EntityTooLarge", 400, message)
        .with("ProposedSize", text(size))
        .with("MaxSizeAllowed", text(bytes_max))
}

/// Seals bytes that are at hand.
pub(super) fn seal(
    id: ContentId,
    bytes: &[u8],
    trailers: Vec<(String, String)>,
    intake: Intake,
) -> Result<(Received, Fresh)> {
    let size = bytes.len() as u64;
    if size > intake.bytes_max {
        return Err(too_large(size, intake.bytes_max));
    }
    let mut summer = Summer::new(intake.digests);
    summer.update(bytes);
    let (mut sealer, keys): (_, Vec<Secret>) =
        ContentSealer::new(id.0, intake.layers).map_err(Fault::internal)?;
    let mut sealed = Vec::new();
    sealer.write(bytes, &mut sealed).map_err(Fault::internal)?;
    sealer.finish(&mut sealed).map_err(Fault::internal)?;
    let content = Content {
        id,
        size,
        layers: intake.layers,
        place: Place::Row,
    };
    let received = Received {
        size,
        digests: summer.finish(),
        trailers,
        keys,
        content,
    };
    let sealed = sealed.into();
    Ok((received, Fresh { id, sealed }))
}
