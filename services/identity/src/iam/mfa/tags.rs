//! The tags of virtual devices.

use api::iam as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::typed::Empty;

use super::device::{DEVICES, MfaDevice, named};
use crate::iam::page::Page;
use crate::iam::tag;

pub(super) const TAG_MFA_DEVICE: Access = Access::tagging("iam:TagMFADevice");

/// Sets tags of a device.
pub struct TagMFADevice;

impl Operation for TagMFADevice {
    type Input = model::TagMFADeviceRequest;
    type Output = Empty;
    type Target = MfaDevice;
    const ACCESS: Access = TAG_MFA_DEVICE;
    const CONDITIONS: &'static [&'static str] = &["aws:RequestTag/${TagKey}", "aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<MfaDevice>> {
        named(look, &input.serial_number)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::tag_conditions(Some(&input.tags), context);
    }

    fn handle(call: &mut Call<'_>, device: Authorized<MfaDevice>, input: Self::Input) -> Result<Empty> {
        let mut device = device.into_inner();
        tag::merge(
            &mut device.tags,
            tag::read(Some(input.tags))?,
            "TagsPerVirtualMfaDevice",
        )?;
        call.put(&DEVICES, &device.key(), device)?;
        Ok(Empty)
    }
}

/// Removes tags of a device.
pub struct UntagMFADevice;

impl Operation for UntagMFADevice {
    type Input = model::UntagMFADeviceRequest;
    type Output = Empty;
    type Target = MfaDevice;
    const ACCESS: Access = Access::tagging("iam:UntagMFADevice");
    const CONDITIONS: &'static [&'static str] = &["aws:TagKeys"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<MfaDevice>> {
        named(look, &input.serial_number)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        context.insert_many("aws:TagKeys", input.tag_keys.clone());
    }

    fn handle(call: &mut Call<'_>, device: Authorized<MfaDevice>, input: Self::Input) -> Result<Empty> {
        let mut device = device.into_inner();
        tag::remove(&mut device.tags, &input.tag_keys);
        call.put(&DEVICES, &device.key(), device)?;
        Ok(Empty)
    }
}

/// Lists the tags of a device, sorted by key.
pub struct ListMFADeviceTags;

impl Operation for ListMFADeviceTags {
    type Input = model::ListMFADeviceTagsRequest;
    type Output = model::ListMFADeviceTagsResponse;
    type Target = MfaDevice;
    const ACCESS: Access = Access::list("iam:ListMFADeviceTags");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<MfaDevice>> {
        named(look, &input.serial_number)
    }

    fn handle(
        call: &mut Call<'_>,
        device: Authorized<MfaDevice>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let list = format!("ListMFADeviceTags/{}", device.serial);
        let page = Page::read(call, &list, input.marker.as_deref(), input.max_items)?;
        let mut tags = device.into_inner().tags;
        tags.sort();
        let paged = page.of_sorted(call, tags.into_iter().map(|tag| (tag.0.clone(), tag)))?;
        Ok(model::ListMFADeviceTagsResponse {
            is_truncated: paged.truncated(),
            tags: tag::list(&paged.items),
            marker: paged.marker,
        })
    }
}
