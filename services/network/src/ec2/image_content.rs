//! What an image holds, for whoever looks into it before it is shared (S35.7).
//!
//! Invariant: only an account that may launch the image reads it; it could read as much from inside an instance.

use pipeline::{Call, ContentReader, Result};

use super::disk;
use super::fault::{self, invalid};
use super::image::{self, State};

/// An image, and what lies over the built-in one in it.
pub struct ImageContent {
    /// The owner's account.
    pub owner: String,
    pub name: String,
    /// An uncompressed POSIX tar, in clear; `None` if nothing lies there.
    pub disk: Option<ContentReader>,
}

/// Opens an image of the call's region for an account.
///
/// # Errors
/// For an image that the account may not launch, or that is not there yet; when the store or the seal fails.
pub fn open(call: &mut Call<'_>, account: &str, id: &str) -> Result<ImageContent> {
    let found = image::find(call, id)?.ok_or_else(|| fault::no_image(id))?;
    if !found.is_open_to(call, account)? {
        return Err(fault::no_image(id));
    }
    if found.state != State::Available {
        return Err(invalid("The image is not available"));
    }
    let disk = found.disk.as_ref().filter(|disk| disk.size() > 0);
    Ok(ImageContent {
        owner: found.owner.clone(),
        name: found.name.clone(),
        disk: disk.map(|disk| disk::stream(call, disk)).transpose()?,
    })
}
