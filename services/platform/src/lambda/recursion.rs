//! Whether a function may be invoked again and again in one chain of requests.
//!
//! Invariant: unless a function was told to allow it, a loop ends.
//!
//! Source: Lambda API Reference, `PutFunctionRecursionConfig`.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use crate::lambda::function::{FunctionTarget, to_change};
use crate::lambda::naming::{meant, resolve_whole};

const fn word(allowed: bool) -> model::RecursiveLoop {
    if allowed {
        model::RecursiveLoop::Allow
    } else {
        model::RecursiveLoop::Terminate
    }
}

/// Says whether a function may be part of a loop.
pub struct PutFunctionRecursionConfig;

impl Operation for PutFunctionRecursionConfig {
    type Input = model::PutFunctionRecursionConfigRequest;
    type Output = model::PutFunctionRecursionConfigResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:PutFunctionRecursionConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let mut function = to_change(&target);
        function.recursion_allowed = input.recursive_loop == model::RecursiveLoop::Allow;
        function.keep(call)?;
        Ok(model::PutFunctionRecursionConfigResponse {
            recursive_loop: Some(input.recursive_loop),
        })
    }
}

/// Shows it.
pub struct GetFunctionRecursionConfig;

impl Operation for GetFunctionRecursionConfig {
    type Input = model::GetFunctionRecursionConfigRequest;
    type Output = model::GetFunctionRecursionConfigResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunctionRecursionConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        Ok(model::GetFunctionRecursionConfigResponse {
            recursive_loop: Some(word(target.recursion_allowed)),
        })
    }
}
