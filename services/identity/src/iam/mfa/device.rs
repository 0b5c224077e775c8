//! The device as a row, and the codes that it shows.

use std::sync::Arc;

use api::iam::fault::no_such_entity_exception;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::{Secret, totp};
use pipeline::attempts::Limit;
use pipeline::{Call, Found, Look, Resource, Result};
use policy::Context;
use serde::{Deserialize, Serialize};
use store::Table;
use wire::Fault;

use crate::iam::index::Present;
use crate::iam::tag::{self, Tags};
use crate::iam::user::Holder;

/// The table's name, to which seeds are sealed.
pub(super) const SEALED_IN: &str = "iam.mfa_devices";
/// Devices that one user or root user may have (IAM User Guide, "IAM and AWS STS quotas").
pub(super) const DEVICES_PER_USER_MAX: usize = 8;
/// Steps by which a code may be early or late (RFC 6238, section 5.2 recommends one).
const WINDOW: i64 = 1;
/// Steps that the clock of a device may be wrong by when it is synchronized anew: ten minutes.
const DRIFT_MAX: i64 = 20;

/// A virtual MFA device. Times are milliseconds since the epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct MfaDevice {
    pub account: String,
    /// `arn:aws:iam::ACCOUNT:mfa/PATH/NAME`
    pub serial: String,
    /// Sealed, in Base64.
    pub(super) seed: String,
    pub created: i64,
    pub owner: Option<Owner>,
    /// The step of the last code that was accepted, as the device counts.
    pub(super) last_step: i64,
    /// Steps by which the device's clock is ahead.
    pub(super) drift: i64,
    pub tags: Tags,
}

/// Whose device it is.
#[derive(Clone, Serialize, Deserialize)]
pub struct Owner {
    /// The lower-case name; empty for the root user.
    pub lower: String,
    /// As answers show it.
    pub name: String,
    pub enabled: i64,
}

store::record!(MfaDevice, 1);

/// By account and lower-case serial number.
pub(super) static DEVICES: Table<(String, String), MfaDevice> = Table::new(0x0122, SEALED_IN);

/// By account, lower-case user (empty for root) and lower-case serial number.
static DEVICES_OF: Table<(String, String, String), Present> = Table::new(0x0123, "iam.mfa_devices_of");

impl MfaDevice {
    pub(super) fn key(&self) -> (String, String) {
        (self.account.clone(), self.serial.to_lowercase())
    }

    /// Whether the holder of the lower-case name owns it.
    pub(super) fn is_of(&self, lower: &str) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.lower == lower)
    }

    fn open(&self, look: &Look<'_>) -> Result<Secret> {
        let sealed = STANDARD.decode(&self.seed).map_err(Fault::internal)?;
        look.open(SEALED_IN, self.key().1.as_bytes(), &sealed)
    }

    /// The step that a single code is of, if it is good now and later than all before it.
    fn accepts(&self, look: &Look<'_>, code: &str) -> Result<Option<i64>> {
        let seed = self.open(look)?;
        let now = totp::step(look.now.seconds()).saturating_add(self.drift);
        let steps = now.saturating_sub(WINDOW)..=now.saturating_add(WINDOW);
        let fresh = steps.filter(|step| *step > self.last_step);
        Ok(totp::matching(&seed, code, fresh))
    }

    /// Takes two consecutive codes, which tell how far the device's clock is off, within `tolerance` steps. False if they do not fit.
    fn synchronize(&mut self, look: &Look<'_>, codes: [&str; 2], tolerance: i64) -> Result<bool> {
        let seed = self.open(look)?;
        let now = totp::step(look.now.seconds());
        let [first, second] = codes;
        for step in now.saturating_sub(tolerance)..=now.saturating_add(tolerance) {
            let before = step.saturating_sub(1);
            let pair = totp::matching(&seed, first, [before]).is_some()
                & totp::matching(&seed, second, [step]).is_some();
            if pair && before > self.last_step {
                self.last_step = step;
                // Within the window nothing is off: people type slowly.
                let off = step.saturating_sub(now);
                self.drift = if off.abs() <= WINDOW { 0 } else { off };
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn activate(&mut self, look: &Look<'_>, codes: [&str; 2]) -> Result<bool> {
        self.synchronize(look, codes, WINDOW)
    }

    pub(super) fn resynchronize(&mut self, look: &Look<'_>, codes: [&str; 2]) -> Result<bool> {
        self.synchronize(look, codes, DRIFT_MAX)
    }
}

impl Resource for MfaDevice {
    const TYPE: &'static str = "AWS::IAM::VirtualMFADevice";

    fn arn(&self) -> String {
        self.serial.clone()
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn conditions(&self, context: &mut Context) {
        tag::resource_conditions(&self.tags, context);
    }
}

/// The virtual device of a serial number in the caller's account.
pub(super) fn find(look: &mut Look<'_>, serial: &str) -> Result<Option<Arc<MfaDevice>>> {
    let key = (look.account().to_owned(), serial.to_lowercase());
    look.get(&DEVICES, &key)
}

pub(super) fn missing(serial: &str) -> Fault {
    no_such_entity_exception(format!(
        "VirtualMFADevice with serial number {serial} does not exist."
    ))
}

/// The device that a request names.
pub(super) fn named(look: &mut Look<'_>, serial: &str) -> Result<Found<MfaDevice>> {
    let found = find(look, serial)?.map(|device| (*device).clone());
    let account = look.account();
    Ok(Found::or_absent(found, || {
        let own = serial.starts_with(&format!("arn:aws:iam::{account}:mfa/"));
        let arn = if own {
            serial.to_owned()
        } else {
            format!("arn:aws:iam::{account}:mfa/{serial}")
        };
        (arn, missing(serial))
    }))
}

/// The device of a serial number, if the holder has it.
pub(super) fn own(look: &mut Look<'_>, holder: &Holder, serial: &str) -> Result<MfaDevice> {
    let lower = holder.lower();
    let device = find(look, serial)?.filter(|device| device.is_of(&lower));
    device.map(|device| (*device).clone()).ok_or_else(|| {
        no_such_entity_exception(format!(
            "MFA Device invalid for user {}: no device {serial} is enabled.",
            holder.name()
        ))
    })
}

/// The devices of a user, or of the root user if `lower` is empty.
pub(crate) fn of_holder(look: &mut Look<'_>, account: &str, lower: &str) -> Result<Vec<Arc<MfaDevice>>> {
    let rows = look.range(&DEVICES_OF, &(account, lower), None, DEVICES_PER_USER_MAX)?;
    let mut devices = Vec::new();
    for ((account, _, serial), _) in rows {
        devices.extend(look.get(&DEVICES, &(account, serial))?);
    }
    Ok(devices)
}

/// Whether a user, or the root user, has a device.
pub(crate) fn present(look: &mut Look<'_>, account: &str, lower: &str) -> Result<bool> {
    Ok(!look.range(&DEVICES_OF, &(account, lower), None, 1)?.is_empty())
}

/// Writes a device and the row that finds it by its owner.
pub(super) fn assign(call: &mut Call<'_>, device: MfaDevice) -> Result<()> {
    if let Some(owner) = &device.owner {
        let (account, serial) = device.key();
        call.put(&DEVICES_OF, &(account, owner.lower.clone(), serial), Present)?;
    }
    call.put(&DEVICES, &device.key(), device)
}

/// Takes a device from its owner; the row itself is written.
pub(super) fn release(call: &mut Call<'_>, mut device: MfaDevice) -> Result<()> {
    if let Some(owner) = device.owner.take() {
        let (account, serial) = device.key();
        call.delete(&DEVICES_OF, &(account, owner.lower, serial))?;
    }
    call.put(&DEVICES, &device.key(), device)
}

/// Gives the devices of a user to its new name.
pub(crate) fn rename_owner(call: &mut Call<'_>, account: &str, old: &str, name: &str) -> Result<()> {
    for device in of_holder(call, account, old)? {
        let Some(owner) = device.owner.clone() else {
            continue;
        };
        let mut device = (*device).clone();
        let owner = Owner {
            lower: name.to_lowercase(),
            name: name.to_owned(),
            ..owner
        };
        release(call, device.clone())?;
        device.owner = Some(owner);
        assign(call, device)?;
    }
    Ok(())
}

/// A code that was shown and is good; `spend` makes it good no more.
#[derive(Clone)]
pub(crate) struct Shown {
    key: (String, String),
    step: i64,
    /// Milliseconds since the epoch.
    pub(crate) at: i64,
}

impl Shown {
    /// Notes the code's step in the running transaction, so that it is not accepted again.
    pub(crate) fn spend(&self, call: &mut Call<'_>) -> Result<()> {
        let Some(device) = call.get(&DEVICES, &self.key)? else {
            return Ok(());
        };
        let mut device = (*device).clone();
        device.last_step = device.last_step.max(self.step);
        call.put(&DEVICES, &self.key, device)
    }
}

/// Wrong codes of one device. AWS does not publish its own bound; with this one, guessing a code takes years.
const WRONG_CODES: Limit = Limit {
    purpose: "mfa",
    failures_max: 10,
    window: 15 * 60 * 1000,
};

/// What a code that was shown is to a device.
enum Tried {
    Good(Shown),
    Wrong,
    /// So many were wrong that none is looked at for a while.
    Shut,
}

/// Compares a code with a device's; what is wrong is counted by who knows whether it was meant for this device.
fn tried(look: &Look<'_>, device: &MfaDevice, code: &str) -> Result<Tried> {
    let (account, serial) = device.key();
    let whom = [account.as_str(), serial.as_str()];
    if look.exhausted(WRONG_CODES, &whom) {
        return Ok(Tried::Shut);
    }
    let Some(step) = device.accepts(look, code)? else {
        return Ok(Tried::Wrong);
    };
    look.forgive(WRONG_CODES, &whom);
    Ok(Tried::Good(Shown {
        key: device.key(),
        step,
        at: look.now.0,
    }))
}

fn count_wrong(look: &Look<'_>, device: &MfaDevice, code: &str) {
    let (account, serial) = device.key();
    // The same code is another guess in another step of time.
    let once = format!("{code} {}", look.now.0.div_euclid(30_000));
    look.count_failure(WRONG_CODES, &[account.as_str(), serial.as_str()], &once);
}

/// The device among a user's that shows a code, by its serial number; the code is good no more. A sign-in does not say which device it
/// shows a code of: it fails at those that it was compared with if it is of none, and at none if it is of one.
pub(crate) fn prove(
    call: &mut Call<'_>,
    account: &str,
    lower: &str,
    code: &str,
) -> Result<Option<(String, Shown)>> {
    let mut wrong = Vec::new();
    for device in of_holder(call, account, lower)? {
        match tried(call, &device, code)? {
            Tried::Good(shown) => {
                shown.spend(call)?;
                return Ok(Some((device.serial.clone(), shown)));
            }
            Tried::Wrong => wrong.push(device),
            Tried::Shut => {}
        }
    }
    for device in wrong {
        count_wrong(call, &device, code);
    }
    Ok(None)
}

/// Verifies the code of a device that the caller must own, if a request shows one (S5.1, S5.3).
///
/// # Errors
/// `AccessDenied` with AWS's messages.
pub(crate) fn show(look: &mut Look<'_>, serial: Option<&str>, code: Option<&str>) -> Result<Option<Shown>> {
    let (serial, code) = match (serial, code) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, code),
        _ => {
            return Err(Fault::access_denied(
                "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
            ));
        }
    };
    let lower = match look.caller() {
        Some(caller) => caller.user_name.as_deref().unwrap_or_default().to_lowercase(),
        None => String::new(),
    };
    // Sessions of roles and federated users have no name either, but none of root's devices.
    let entitled = look.caller().is_some_and(|caller| {
        use pipeline::identity::IdentityType::{IamUser, Root};
        matches!(caller.kind, IamUser | Root)
    });
    let device = find(look, serial)?.filter(|device| entitled && device.is_of(&lower));
    let Some(device) = device else {
        return Err(Fault::access_denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid \
             and associated with this user.",
        ));
    };
    let wrong =
        || Fault::access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ");
    match tried(look, &device, code)? {
        Tried::Good(shown) => Ok(Some(shown)),
        Tried::Wrong => {
            count_wrong(look, &device, code);
            Err(wrong())
        }
        Tried::Shut => Err(wrong()),
    }
}
