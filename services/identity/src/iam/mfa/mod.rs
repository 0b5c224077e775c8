//! Virtual MFA devices: a seed that an authenticator app makes codes of, and the user or root user who shows them (S5.1–S5.4).
//!
//! Invariant: a seed leaves once, in the answer to `CreateVirtualMFADevice`, and lies sealed from then on; the step of the last code
//! that was accepted only grows, so that no code is good twice (RFC 6238, section 5.2).

mod create;
mod device;
mod enable;
mod list;
mod picture;
mod tags;

pub use create::{CreateVirtualMFADevice, DeleteVirtualMFADevice};
pub use device::MfaDevice;
pub(crate) use device::{Shown, present, prove, rename_owner, show};
pub use enable::{DeactivateMFADevice, EnableMFADevice, ResyncMFADevice};
pub use list::{GetMFADevice, ListMFADevices, ListVirtualMFADevices};
pub use tags::{ListMFADeviceTags, TagMFADevice, UntagMFADevice};
