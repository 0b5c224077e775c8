//! Which devices there are, and whose.

use std::sync::Arc;

use api::iam as model;
use api::iam::fault::no_such_entity_exception;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Resource, Result};
use wire::Timestamp;

use super::device::{self, DEVICES, MfaDevice};
use crate::iam::page::Page;
use crate::iam::user::{self, Holder, USERS, holder};

/// Lists a user's devices, or the caller's.
pub struct ListMFADevices;

impl Operation for ListMFADevices {
    type Input = model::ListMFADevicesRequest;
    type Output = model::ListMFADevicesResponse;
    type Target = Holder;
    const ACCESS: Access = Access::list("iam:ListMFADevices");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let list = format!("ListMFADevices/{}", holder.lower());
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let account = holder.account().to_owned();
        let devices = device::of_holder(call, &account, &holder.lower())?;
        let shown = devices.iter().filter_map(|device| {
            let owner = device.owner.as_ref()?;
            let shown = model::MFADevice {
                enable_date: Timestamp(owner.enabled),
                serial_number: device.serial.clone(),
                user_name: owner.name.clone(),
            };
            Some((device.key().1, shown))
        });
        let paged = page.of_sorted(call, shown)?;
        Ok(model::ListMFADevicesResponse {
            is_truncated: paged.truncated(),
            mfa_devices: paged.items,
            marker: paged.marker,
        })
    }
}

/// Lists the account's virtual devices, with whoever has them.
pub struct ListVirtualMFADevices;

impl Operation for ListVirtualMFADevices {
    type Input = model::ListVirtualMFADevicesRequest;
    type Output = model::ListVirtualMFADevicesResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::list("iam:ListVirtualMFADevices");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        use model::AssignmentStatusType::{Any, Assigned, Unassigned};
        let status = input.assignment_status.unwrap_or(Any);
        let list = format!("ListVirtualMFADevices/{status:?}");
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let paged = page.of_table(call, &DEVICES, |device: &MfaDevice| match status {
            Any => true,
            Assigned => device.owner.is_some(),
            Unassigned => device.owner.is_none(),
        })?;
        let mut devices = Vec::new();
        for device in &paged.items {
            devices.push(shown(call, device)?);
        }
        Ok(model::ListVirtualMFADevicesResponse {
            is_truncated: paged.truncated(),
            virtual_mfa_devices: devices,
            marker: paged.marker,
        })
    }
}

fn shown(look: &mut Look<'_>, device: &Arc<MfaDevice>) -> Result<model::VirtualMFADevice> {
    let user = match &device.owner {
        None => None,
        Some(owner) if owner.lower.is_empty() => Some(user::shown_root(look, &device.account)?),
        Some(owner) => look
            .get(&USERS, &(device.account.clone(), owner.lower.clone()))?
            .map(|user| user.shown()),
    };
    Ok(model::VirtualMFADevice {
        serial_number: device.serial.clone(),
        enable_date: device.owner.as_ref().map(|owner| Timestamp(owner.enabled)),
        user,
        ..model::VirtualMFADevice::default()
    })
}

/// Shows one device of a user, or of the caller.
pub struct GetMFADevice;

impl Operation for GetMFADevice {
    type Input = model::GetMFADeviceRequest;
    type Output = model::GetMFADeviceResponse;
    type Target = Holder;
    const ACCESS: Access = Access::read("iam:GetMFADevice");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Holder>> {
        holder(look, input.user_name.as_deref())
    }

    fn handle(call: &mut Call<'_>, holder: Authorized<Holder>, input: Self::Input) -> Result<Self::Output> {
        let device = device::own(call, &holder, &input.serial_number)?;
        let owner = device.owner.as_ref().ok_or_else(|| {
            no_such_entity_exception(format!("MFA Device {} is not enabled.", input.serial_number))
        })?;
        Ok(model::GetMFADeviceResponse {
            certifications: None,
            enable_date: Some(Timestamp(owner.enabled)),
            serial_number: device.serial.clone(),
            user_name: Some(owner.name.clone()),
        })
    }
}
