//! Turning keys off and on: `DisableKey`, `EnableKey` (S8.15).

use api::kms as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use crate::kms::key::{KeyTarget, State, to_change};
use crate::kms::naming::{Reach, resolve};
use crate::kms::{rotation, usage};

/// Forbids all use of a key until it is enabled again.
pub struct DisableKey;

impl Operation for DisableKey {
    type Input = model::DisableKeyRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:DisableKey");
    const CONDITIONS: &'static [&'static str] = &[usage::TRAILING];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        let found = resolve(look, &input.key_id, Self::ACCESS, Reach::Own)?;
        usage::idle(look, found)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Empty> {
        key.expect_staying()?;
        key.expect_imported()?;
        let mut key = to_change(&key);
        key.state = State::Disabled;
        rotation::suspend(call, &mut key)?;
        key.keep(call)?;
        Ok(Empty)
    }
}

/// Allows the use of a key again.
pub struct EnableKey;

impl Operation for EnableKey {
    type Input = model::EnableKeyRequest;
    type Output = Empty;
    type Target = KeyTarget;
    const ACCESS: Access = Access::write("kms:EnableKey");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<KeyTarget>> {
        resolve(look, &input.key_id, Self::ACCESS, Reach::Own)
    }

    fn handle(call: &mut Call<'_>, key: Authorized<KeyTarget>, _input: Self::Input) -> Result<Empty> {
        key.expect_staying()?;
        key.expect_imported()?;
        let mut key = to_change(&key);
        key.state = State::Enabled;
        rotation::resume(call, &mut key)?;
        key.keep(call)?;
        Ok(Empty)
    }
}
