//! User data: what an instance is launched with, for itself to read or run.
//!
//! Source: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance".
//!
//! Invariant: it lies sealed, since people put secrets into it; no record shows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::instances::USER_DATA_BYTES_MAX;
use pipeline::{Call, Look, Result};
use wire::Fault;

use super::fault::invalid;
use super::instance::Instance;

/// What user data is bound to.
const NAME: &str = "ec2.user_data";

/// Seals user data for an instance.
pub(super) fn seal(call: &Call<'_>, id: &str, bytes: &[u8]) -> Result<String> {
    call.seal(NAME, id.as_bytes(), bytes)
        .map(|sealed| STANDARD.encode(sealed))
}

/// User data in clear.
pub(super) fn open(look: &Look<'_>, instance: &Instance) -> Result<Option<crypto::Secret>> {
    let Some(sealed) = &instance.user_data else {
        return Ok(None);
    };
    let sealed = STANDARD.decode(sealed).map_err(Fault::internal)?;
    look.open(NAME, instance.id.as_bytes(), &sealed).map(Some)
}

/// Reads user data as requests carry it.
pub(super) fn read(text: &str) -> Result<Vec<u8>> {
    // Clients wrap lines at will.
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(packed).map_err(|_| {
        Fault::plain(
            "InvalidUserData.Malformed",
            400,
            "Invalid BASE64 encoding of user data.",
        )
    })?;
    size_fits(&bytes)?;
    Ok(bytes)
}

/// Refuses user data that is too large.
pub(super) fn size_fits(bytes: &[u8]) -> Result<()> {
    if bytes.len() > USER_DATA_BYTES_MAX {
        return Err(invalid(format!(
            "User data is limited to {USER_DATA_BYTES_MAX} bytes"
        )));
    }
    Ok(())
}
