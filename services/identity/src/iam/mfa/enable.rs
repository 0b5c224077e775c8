//! A device is given to its user, set right, and taken back.

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::{
    entity_already_exists_exception, invalid_authentication_code_exception, limit_exceeded_exception,
};
use pipeline::identity::IdentityType;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;
use wire::{Fault, Timestamp};

use super::device::{self, DEVICES, DEVICES_PER_USER_MAX, Owner};
use crate::iam::count::{self, Counted};
use crate::iam::user::{self, Holder, holder};

/// Whom a request with a required name means. The root user, who has no name, calls itself `root` here as answers do.
fn named(look: &mut Look<'_>, name: &str) -> Result<Found<Holder>> {
    let by_root = look
        .caller()
        .is_some_and(|caller| caller.kind == IdentityType::Root);
    if by_root && name == "root" && user::find(look, name)?.is_none() {
        let account: Arc<str> = look.account_shared();
        return Ok(Found::Here(Holder::Root { account }));
    }
    holder(look, Some(name))
}

fn wrong_codes() -> Fault {
    invalid_authentication_code_exception("Authentication code for device is not valid.")
}

/// Gives a device to a user who shows two codes of it in a row (S5.2, S5.3).
pub struct EnableMFADevice;

impl Operation for EnableMFADevice {
    type Input = model::EnableMFADeviceRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:EnableMFADevice");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let serial = &input.serial_number;
        let found = device::find(call, serial)?.ok_or_else(|| device::missing(serial))?;
        if found.owner.is_some() {
            return Err(entity_already_exists_exception("MFA Device is already in use."));
        }
        let (account, lower) = (found.account.clone(), holder.lower());
        if device::of_holder(call, &account, &lower)?.len() >= DEVICES_PER_USER_MAX {
            return Err(limit_exceeded_exception(format!(
                "Cannot exceed quota for MfaDevicesPerUser: {DEVICES_PER_USER_MAX}"
            )));
        }
        let mut device = (*found).clone();
        let codes = [
            input.authentication_code1.as_str(),
            input.authentication_code2.as_str(),
        ];
        if !device.activate(call, codes)? {
            return Err(wrong_codes());
        }
        count::add(call, Counted::MfaDevicesInUse)?;
        device.owner = Some(Owner {
            lower,
            name: holder.name().to_owned(),
            enabled: Timestamp::from_seconds(call.now.seconds()).0,
        });
        device::assign(call, device)?;
        Ok(Empty)
    }
}

/// Sets a device right whose clock is wrong, by two codes in a row.
pub struct ResyncMFADevice;

impl Operation for ResyncMFADevice {
    type Input = model::ResyncMFADeviceRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:ResyncMFADevice");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        named(look, &input.user_name)
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let mut device = device::own(call, &holder, &input.serial_number)?;
        let codes = [
            input.authentication_code1.as_str(),
            input.authentication_code2.as_str(),
        ];
        if !device.resynchronize(call, codes)? {
            return Err(wrong_codes());
        }
        call.put(&DEVICES, &device.key(), device)?;
        Ok(Empty)
    }
}

/// Takes a device from its user; it stays, for someone else or for its deletion.
pub struct DeactivateMFADevice;

impl Operation for DeactivateMFADevice {
    type Input = model::DeactivateMFADeviceRequest;
    type Output = Empty;
    type Target = Holder;
    const ACCESS: Access = Access::write("iam:DeactivateMFADevice");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        match &input.user_name {
            Some(name) => named(look, name),
            None => holder(look, None),
        }
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Empty> {
        let device = device::own(call, &holder, &input.serial_number)?;
        count::remove(call, Counted::MfaDevicesInUse)?;
        device::release(call, device)?;
        Ok(Empty)
    }
}
