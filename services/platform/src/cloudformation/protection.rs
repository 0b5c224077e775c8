//! `UpdateTerminationProtection`.
//!
//! Invariant: protection is a property of the stack alone; it does not reach its resources.

use api::cloudformation as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault::{absent_to_change, invalid};
use super::stack::{StackTarget, resolve_living};

/// Protects a stack from deletion, or no longer does.
pub struct UpdateTerminationProtection;

impl Operation for UpdateTerminationProtection {
    type Input = model::UpdateTerminationProtectionInput;
    type Output = model::UpdateTerminationProtectionOutput;
    type Target = StackTarget;
    const ACCESS: Access = Access::write("cloudformation:UpdateTerminationProtection");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<StackTarget>> {
        resolve_living(look, &input.stack_name, absent_to_change)
    }

    fn handle(
        call: &mut Call<'_>,
        stack: Authorized<StackTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let mut stack = (*stack.into_inner().0).clone();
        if stack.root.is_some() {
            return Err(invalid(format!(
                "Termination protection of the nested stack [{}] is that of its root stack",
                stack.name
            )));
        }
        stack.protected = input.enable_termination_protection;
        let stack_id = Some(stack.id());
        stack.keep(call)?;
        Ok(model::UpdateTerminationProtectionOutput { stack_id })
    }
}
