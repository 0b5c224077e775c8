//! Reserved concurrency: runs at a time that a function has for itself, and may not exceed; none at all stops it.
//!
//! Source: Lambda Developer Guide, "Configuring reserved concurrency for a function".
//!
//! Invariant: a hundred runs at a time stay for the functions that reserve none.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::typed::Empty;

use super::fault::invalid;
use super::function::{FunctionTarget, to_change};
use super::naming::{meant, resolve_whole};
use super::usage::{self, CONCURRENT_MAX, UNRESERVED_MIN};

/// Reserves runs at a time.
pub struct PutFunctionConcurrency;

impl Operation for PutFunctionConcurrency {
    type Input = model::PutFunctionConcurrencyRequest;
    type Output = model::Concurrency;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:PutFunctionConcurrency");

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
        let wanted = u32::try_from(input.reserved_concurrent_executions).unwrap_or(0);
        let mut function = to_change(&target);
        let before = function.reserved.unwrap_or_default();
        let used = usage::of(call, &function.account, &function.region)?;
        let reserved = u64::from(used.reserved.saturating_sub(before)) + u64::from(wanted);
        if reserved + u64::from(UNRESERVED_MIN) > u64::from(CONCURRENT_MAX) {
            return Err(invalid(format!(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum \
                 value of [{UNRESERVED_MIN}]."
            )));
        }
        usage::change(call, &function, |usage| {
            usage.reserved = usage.reserved.saturating_sub(before) + wanted;
        })?;
        function.reserved = Some(wanted);
        function.keep(call)?;
        Ok(model::Concurrency {
            reserved_concurrent_executions: Some(input.reserved_concurrent_executions),
        })
    }
}

/// Shows what is reserved.
pub struct GetFunctionConcurrency;

impl Operation for GetFunctionConcurrency {
    type Input = model::GetFunctionConcurrencyRequest;
    type Output = model::GetFunctionConcurrencyResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunctionConcurrency");

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
        Ok(model::GetFunctionConcurrencyResponse {
            reserved_concurrent_executions: target.reserved.and_then(|reserved| i32::try_from(reserved).ok()),
        })
    }
}

/// Gives back what was reserved.
pub struct DeleteFunctionConcurrency;

impl Operation for DeleteFunctionConcurrency {
    type Input = model::DeleteFunctionConcurrencyRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:DeleteFunctionConcurrency");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, _input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let mut function = to_change(&target);
        let Some(reserved) = function.reserved.take() else {
            return Ok(Empty);
        };
        usage::change(call, &function, |usage| {
            usage.reserved = usage.reserved.saturating_sub(reserved);
        })?;
        function.keep(call)?;
        Ok(Empty)
    }
}
