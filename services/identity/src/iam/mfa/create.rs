//! A virtual device comes to be, with a seed of its own, and goes.

use api::iam as model;
use api::iam::fault::{delete_conflict_exception, entity_already_exists_exception};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;
use wire::typed::{Blob, Empty};
use wire::{Fault, Timestamp};

use super::device::{self, DEVICES, MfaDevice, SEALED_IN};
use super::picture;
use super::tags::TAG_MFA_DEVICE;
use crate::iam::account::ACCOUNTS;
use crate::iam::count::{self, Counted};
use crate::iam::tag::{self, Tags};

/// Bytes of a seed: 64 characters in Base32, as AWS's are; more than the 20 that RFC 4226, section 4, recommends.
const SEED: usize = 40;

/// Makes a device that nobody has yet; the answer is the only one that shows its seed (S5.2, S5.3).
pub struct CreateVirtualMFADevice;

impl Operation for CreateVirtualMFADevice {
    type Input = model::CreateVirtualMFADeviceRequest;
    type Output = model::CreateVirtualMFADeviceResponse;
    type Target = Denoted;
    const ACCESS: Access = Access::write("iam:CreateVirtualMFADevice");
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];
    const ALSO: &'static [Access] = &[TAG_MFA_DEVICE];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let path = input.path.as_deref().unwrap_or("/");
        let arn = format!(
            "arn:aws:iam::{}:mfa{path}{}",
            look.account(),
            input.virtual_mfa_device_name
        );
        Ok(Denoted::new(look, arn))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(input.tags.as_ref(), context);
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Denoted>, input: Self::Input) -> Result<Self::Output> {
        if input.tags.as_ref().is_some_and(|tags| !tags.is_empty()) {
            let mut context = Context::new();
            Self::conditions(&input, &mut context);
            call.also(TAG_MFA_DEVICE, &target.arn(), target.account(), context)?;
        }
        let mut tags = Tags::new();
        tag::merge(&mut tags, tag::read(input.tags)?, "TagsPerVirtualMfaDevice")?;
        let serial = target.arn();
        if serial.len() > SERIAL_MAX {
            return Err(Fault::validation(
                "The path and name of the device make its serial number too long.",
            ));
        }
        if device::find(call, &serial)?.is_some() {
            return Err(entity_already_exists_exception(
                "MFADevice entity at the same path and name already exists.",
            ));
        }
        count::add(call, Counted::MfaDevices)?;
        let seed = crypto::random::bytes(call.random(), SEED).map_err(Fault::internal)?;
        let account = call.account().to_owned();
        let text = zeroize::Zeroizing::new(picture::base32(seed.expose()));
        let alias = call.get(&ACCOUNTS, &account)?.and_then(|row| row.alias.clone());
        let shown_account = alias.as_deref().unwrap_or(&account);
        let address = picture::address(&input.virtual_mfa_device_name, shown_account, &text);
        let code = picture::png(&address)?;
        let sealed = call.seal(SEALED_IN, serial.to_lowercase().as_bytes(), seed.expose())?;
        let device = MfaDevice {
            account,
            serial: serial.clone(),
            seed: STANDARD.encode(sealed),
            created: Timestamp::from_seconds(call.now.seconds()).0,
            owner: None,
            last_step: 0,
            drift: 0,
            tags,
        };
        let virtual_mfa_device = model::VirtualMFADevice {
            serial_number: serial,
            base32_string_seed: Some(Blob(text.as_bytes().to_vec())),
            qr_code_png: Some(Blob(code)),
            tags: tag::shown(&device.tags),
            ..model::VirtualMFADevice::default()
        };
        call.mention(device.arn(), &device.account, MfaDevice::TYPE);
        call.put(&DEVICES, &device.key(), device)?;
        Ok(model::CreateVirtualMFADeviceResponse { virtual_mfa_device })
    }
}

/// Characters that a request may name a serial number with.
const SERIAL_MAX: usize = 256;

/// Deletes a device that nobody has.
pub struct DeleteVirtualMFADevice;

impl Operation for DeleteVirtualMFADevice {
    type Input = model::DeleteVirtualMFADeviceRequest;
    type Output = Empty;
    type Target = MfaDevice;
    const ACCESS: Access = Access::write("iam:DeleteVirtualMFADevice");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<MfaDevice>> {
        device::named(look, &input.serial_number)
    }

    fn handle(call: &mut Call<'_>, device: Authorized<MfaDevice>, _input: Self::Input) -> Result<Empty> {
        if device.owner.is_some() {
            return Err(delete_conflict_exception(
                "MFA VirtualDevice in use. Must deactivate first.",
            ));
        }
        count::remove(call, Counted::MfaDevices)?;
        call.delete(&DEVICES, &device.key())?;
        Ok(Empty)
    }
}
