//! One user, which changes its own password (Secrets Manager User Guide, "Rotation strategy: single user").

use crate::credential::Credential;
use crate::database::Session;
use crate::error::{Error, Result};
use crate::steps::{CURRENT, PENDING, PREVIOUS, Rotation, say};

/// Gives the user its new password, logged in with whichever password works.
pub(crate) async fn set_secret(rotation: &Rotation<'_>) -> Result<()> {
    let arn = &rotation.arn;
    let previous = match rotation.credential(PREVIOUS).await {
        Ok(previous) => Some(previous),
        Err(error) if error.is_absent() => None,
        Err(error) => return Err(error),
    };
    let current = rotation.credential(CURRENT).await?;
    let pending = rotation.credential(PENDING).await?;
    if let Some(session) = Session::open(rotation.engine, &pending).await? {
        session.close().await;
        say(&format!(
            "setSecret: AWSPENDING secret is already set as password in the database for secret arn {arn}."
        ));
        return Ok(());
    }
    expect_same(&pending, &current, "current")?;
    let mut session = Session::open(rotation.engine, &current).await?;
    if let (None, Some(mut previous)) = (&session, previous) {
        previous.ssl = current.ssl;
        session = Session::open(rotation.engine, &previous).await?;
        expect_same(&pending, &previous, "previous valid")?;
    }
    let Some(mut session) = session else {
        return Err(Error::Refused(format!(
            "Unable to log into database with previous, current, or pending secret of secret arn {arn}"
        )));
    };
    let set = session
        .set_own_password(&pending.username, &pending.password)
        .await;
    session.close().await;
    set?;
    say(&format!(
        "setSecret: Successfully set password for user {} in the database for secret arn {arn}.",
        pending.username
    ));
    Ok(())
}

/// The function changes the user whose secret it rotates, on the server that the secret names, and no other.
fn expect_same(pending: &Credential, other: &Credential, which: &str) -> Result<()> {
    if pending.username != other.username {
        return Err(Error::Refused(format!(
            "Attempting to modify user {} other than {which} user {}",
            pending.username, other.username
        )));
    }
    if pending.host != other.host {
        return Err(Error::Refused(format!(
            "Attempting to modify user for host {} other than {which} host {}",
            pending.host, other.host
        )));
    }
    Ok(())
}
