//! Two users that take turns, changed by a superuser whose credentials another secret holds (Secrets Manager User Guide, "Rotation
//! strategy: alternating users").

use crate::credential::Credential;
use crate::database::Session;
use crate::error::{Error, Result};
use crate::steps::{CURRENT, PENDING, Rotation, say};

const CLONE: &str = "_clone";

/// The user whose turn follows.
pub(crate) fn other_user(current: &str) -> String {
    match current.strip_suffix(CLONE) {
        Some(original) => original.to_owned(),
        None => format!("{current}{CLONE}"),
    }
}

/// Gives the other user its new password; makes it, with what the current one may do, if it is not there.
pub(crate) async fn set_secret(rotation: &Rotation<'_>) -> Result<()> {
    let arn = &rotation.arn;
    let refuse = |what: String| Err(Error::Refused(what));
    let current = rotation.credential(CURRENT).await?;
    let pending = rotation.credential(PENDING).await?;
    if let Some(session) = Session::open(rotation.engine, &pending).await? {
        session.close().await;
        say(&format!(
            "setSecret: AWSPENDING secret is already set as password in the database for secret arn {arn}."
        ));
        return Ok(());
    }
    if other_user(&current.username) != pending.username {
        return refuse(format!(
            "Attempting to modify user {} other than current user or clone {}",
            pending.username, current.username
        ));
    }
    if current.host != pending.host {
        return refuse(format!(
            "Attempting to modify user for host {} other than current host {}",
            pending.host, current.host
        ));
    }
    // Who cannot log in now gets nothing set in its name: the secret might name a user that is not its own.
    match Session::open(rotation.engine, &current).await? {
        Some(session) => session.close().await,
        None => {
            return refuse(format!(
                "Unable to log into database using current credentials for secret {arn}"
            ));
        }
    }
    let master_arn = current.master_arn.as_deref().ok_or(Error::Key("masterarn"))?;
    let text = rotation.secrets.value(master_arn, CURRENT, None).await?;
    let mut master = Credential::parse(&text, rotation.engine)?;
    if current.host != master.host {
        return refuse(format!(
            "Current database host {} is not the same host as/rds replica of master {}",
            current.host, master.host
        ));
    }
    master.dbname.clone_from(&current.dbname);
    let Some(mut session) = Session::open(rotation.engine, &master).await? else {
        return refuse(format!(
            "Unable to log into database using credentials in master secret {master_arn}"
        ));
    };
    let set = session
        .set_other_password(&current.username, &pending.username, &pending.password)
        .await;
    session.close().await;
    set?;
    say(&format!(
        "setSecret: Successfully set password for {} in the database for secret arn {arn}.",
        pending.username
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::other_user;

    #[test]
    fn users_take_turns() {
        assert_eq!(other_user("ann"), "ann_clone");
        assert_eq!(other_user("ann_clone"), "ann");
        assert_eq!(other_user(&other_user("_clone_x")), "_clone_x");
    }
}
