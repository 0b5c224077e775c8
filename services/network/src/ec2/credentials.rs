//! The credentials of an instance's role, as its metadata service asks for them (S1.13, S1.28).
//!
//! They are good for six hours, kept sealed, and issued anew half an hour before they expire, so that an instance that asks for them
//! at least five minutes before that always gets good ones.
//!
//! Source: Amazon EC2 User Guide, "Retrieve security credentials from instance metadata"; IAM User Guide, "Troubleshoot IAM and Amazon
//! EC2"; Service Authorization Reference, "Condition keys for Amazon EC2" (`ec2:RoleDelivery`, `ec2:SourceInstanceARN`).
//!
//! Invariant: EC2 has no way into a role but STS: the role's trust policy is judged each time, and each time is recorded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use pipeline::instances::{Delivery, InstanceRef, Profile, RoleCredentials, Unissued};
use pipeline::{Call, Resource as _, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::fault::{Code, Common};
use wire::{Document, Fault, Timestamp};
use zeroize::Zeroizing;

use super::instance::{self, Association, Instance, PRINCIPAL, State};

/// How long credentials are good, in seconds.
const GOOD_SECONDS: i64 = 6 * 60 * 60;
/// How long before their end new ones are issued, in milliseconds.
const RENEWED_MILLIS: i64 = 30 * 60 * 1000;
/// How long a role's refusal is told without asking again, in milliseconds.
const REFUSED_MILLIS: i64 = 60 * 1000;
const NAME: &str = "ec2.credentials";

/// What was issued last.
#[derive(Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The association and the role's id: what they were issued for.
    of: (String, String),
    /// Milliseconds since the epoch.
    updated: i64,
    /// When to ask again, in milliseconds since the epoch.
    until: i64,
    /// Sealed, in base64; none if the role refused.
    sealed: Option<String>,
}

store::record!(Kept, 1);

/// By account, region, instance and `ec2:RoleDelivery`.
pub static CREDENTIALS: Table<(String, String, String, String), Kept> = Table::new(0x0407, NAME);

/// Credentials in the form in which they are sealed: a line each.
struct Clear {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Zeroizing<String>,
    expiration: i64,
}

/// What the metadata service of an instance answers under `iam/`; `None` without a profile. The call runs in the instance's account and
/// region, as EC2 itself.
///
/// # Errors
/// The store's and bugs'. A role that refuses is no error.
pub fn profile(call: &mut Call<'_>, run: &InstanceRef, delivery: Delivery) -> Result<Option<Profile>> {
    let Some(instance) = instance::find(call, &run.instance_id)? else {
        return Ok(None);
    };
    let alive = matches!(instance.state, State::Pending | State::Running | State::Stopping);
    let Some(held) = instance
        .profile
        .as_ref()
        .filter(|_| alive && instance.boot == run.boot)
    else {
        return Ok(None);
    };
    let (directory, account) = (call.directory(), call.account().to_owned());
    let known = directory.instance_profile(call, &account, &held.profile_name)?;
    let Some(known) = known.filter(|known| known.id == held.profile_id) else {
        let unissued = Unissued {
            code: "InstanceProfileNotFound",
            message: format!(
                "Instance Profile {} cannot be found. Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html.",
                held.profile_arn
            ),
        };
        return Ok(Some(answer(held, None, call.now.0, Err(unissued))));
    };
    let Some((role_name, role_arn)) = known.role else {
        let unissued = Unissued {
            code: "InstanceProfileNotFound",
            message: format!("Instance Profile {} has no role.", held.profile_arn),
        };
        return Ok(Some(answer(held, None, call.now.0, Err(unissued))));
    };
    let role_id = directory.principal_id(call, &role_arn)?.unwrap_or_default();
    let of = (held.id.clone(), role_id);
    let (account, region, id) = instance.key();
    let key = (account, region, id, delivery.as_str().to_owned());
    let now = call.now.0;
    if let Some(kept) = call.get(&CREDENTIALS, &key)?
        && kept.of == of
        && now < kept.until
        && now >= kept.updated
    {
        let issued = match &kept.sealed {
            None => Err(refusal(&role_name)),
            Some(sealed) => Ok(open(call, &key, sealed)?),
        };
        return Ok(Some(answer(held, Some(role_name), kept.updated, issued)));
    }
    let issued = assume(call, &instance, &role_arn, delivery)?;
    let (kept, issued) = match issued {
        None => (None, Err(refusal(&role_name))),
        Some(clear) => {
            let until = clear.expiration.saturating_sub(RENEWED_MILLIS);
            let sealed = call.seal(NAME, bond(&key).as_bytes(), clear.text().as_bytes())?;
            let sealed = STANDARD.encode(sealed);
            (Some((until, sealed)), Ok(clear.told()))
        }
    };
    let (until, sealed) = match kept {
        Some((until, sealed)) => (until, Some(sealed)),
        None => (now.saturating_add(REFUSED_MILLIS), None),
    };
    let kept = Kept {
        of,
        updated: now,
        until,
        sealed,
    };
    call.put(&CREDENTIALS, &key, kept)?;
    Ok(Some(answer(held, Some(role_name), now, issued)))
}

fn answer(
    held: &Association,
    role_name: Option<String>,
    updated: i64,
    issued: std::result::Result<RoleCredentials, Unissued>,
) -> Profile {
    Profile {
        arn: held.profile_arn.clone(),
        id: held.profile_id.clone(),
        role_name,
        last_updated: Timestamp(updated),
        issued,
    }
}

fn refusal(role: &str) -> Unissued {
    Unissued {
        code: "AssumeRoleUnauthorizedAccess",
        message: format!(
            "EC2 cannot assume the role {role}.  Please see documentation at https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc."
        ),
    }
}

/// Assumes the role as EC2, in the instance's name; `None` if the role does not let it.
fn assume(call: &mut Call<'_>, instance: &Instance, role: &str, delivery: Delivery) -> Result<Option<Clear>> {
    let input = Document::Structure(vec![
        ("RoleArn", Document::String(role.to_owned())),
        ("RoleSessionName", Document::String(instance.id.clone())),
        ("DurationSeconds", Document::Integer(GOOD_SECONDS)),
    ]);
    let one = |key: &str, value: String| (key.to_owned(), vec![value]);
    let borne = vec![
        one("ec2:RoleDelivery", delivery.as_str().to_owned()),
        one("ec2:SourceInstanceARN", instance.arn()),
        one(
            "aws:Ec2InstanceSourcePrivateIPv4",
            instance.private_ip.to_string(),
        ),
    ];
    let answer = match call.invoke_for_session(PRINCIPAL, borne, "sts", "AssumeRole", input) {
        Ok(answer) => answer,
        Err(fault) if refused(&fault) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let issued = answer.member("Credentials");
    let text = |member: &str| {
        let found = issued
            .and_then(|issued| issued.member(member))
            .and_then(Document::as_str);
        found
            .map(str::to_owned)
            .ok_or_else(|| Fault::internal(format!("STS answered without {member}")))
    };
    let Some(Document::Timestamp(expires)) = issued.and_then(|issued| issued.member("Expiration")) else {
        return Err(Fault::internal("STS answered without an expiration"));
    };
    Ok(Some(Clear {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: Zeroizing::new(text("SecretAccessKey")?),
        session_token: Zeroizing::new(text("SessionToken")?),
        expiration: expires.0,
    }))
}

/// Whether STS said no, and not that it failed.
fn refused(fault: &Fault) -> bool {
    matches!(
        fault.code,
        Code::Common(Common::AccessDenied | Common::Validation)
            | Code::Modeled {
                status: 400..=499,
                ..
            }
    )
}

impl Clear {
    fn text(&self) -> Zeroizing<String> {
        let (secret, token) = (&*self.secret_access_key, &*self.session_token);
        Zeroizing::new(format!(
            "{}\n{secret}\n{token}\n{}",
            self.access_key_id, self.expiration
        ))
    }

    fn of_text(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        Some(Self {
            access_key_id: lines.next()?.to_owned(),
            secret_access_key: Zeroizing::new(lines.next()?.to_owned()),
            session_token: Zeroizing::new(lines.next()?.to_owned()),
            expiration: lines.next()?.parse().ok()?,
        })
    }

    fn told(self) -> RoleCredentials {
        RoleCredentials {
            access_key_id: self.access_key_id,
            secret_access_key: Secret::copy_of(self.secret_access_key.as_bytes()),
            session_token: Secret::copy_of(self.session_token.as_bytes()),
            expiration: Timestamp(self.expiration),
        }
    }
}

type Key = (String, String, String, String);

fn bond((account, region, id, delivery): &Key) -> String {
    format!("{account}\n{region}\n{id}\n{delivery}")
}

fn open(call: &Call<'_>, key: &Key, sealed: &str) -> Result<RoleCredentials> {
    let sealed = STANDARD.decode(sealed).map_err(Fault::internal)?;
    let text = call.open(NAME, bond(key).as_bytes(), &sealed)?;
    let clear = Clear::of_text(text.expose_text().map_err(Fault::internal)?);
    let clear = clear.ok_or_else(|| Fault::internal("kept credentials cannot be read"))?;
    Ok(clear.told())
}

/// Forgets what was issued to an instance: its profile goes, or it does itself. The sessions themselves stay good until they expire, as
/// AWS's do.
pub(super) fn forget(call: &mut Call<'_>, instance: &Instance) -> Result<()> {
    for delivery in [Delivery::V1, Delivery::V2] {
        let (account, region, id) = instance.key();
        call.delete(&CREDENTIALS, &(account, region, id, delivery.as_str().to_owned()))?;
    }
    Ok(())
}
