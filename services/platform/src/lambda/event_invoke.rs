//! How invocations that nobody waits for are dealt with: how often and how long they are tried, and who learns of the end.
//!
//! Source: Lambda Developer Guide, "Configuring error handling settings for Lambda asynchronous invocations", "Capturing records of Lambda
//! asynchronous invocations".
//!
//! Invariant: a destination existed when it was named.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Arn;
use wire::Timestamp;
use wire::typed::Empty;

use super::fault::{expect_none, invalid, not_found};
use super::function::{EventInvoke, Function, FunctionTarget, LATEST, to_change};
use super::naming::{self, meant, resolve};
use super::page;

/// The key under which a target's settings are kept.
fn key(target: &FunctionTarget) -> &str {
    target.qualifier.as_deref().unwrap_or(LATEST)
}

fn absent(target: &FunctionTarget) -> wire::Fault {
    not_found(format!(
        "The function {} doesn't have an EventInvokeConfig",
        target.arn(Some(key(target)))
    ))
}

fn shown(function: &Function, qualifier: &str, held: &EventInvoke) -> model::FunctionEventInvokeConfig {
    let destination = model::DestinationConfig {
        on_failure: Some(model::OnFailure {
            destination: held.on_failure.clone(),
        }),
        on_success: Some(model::OnSuccess {
            destination: held.on_success.clone(),
        }),
    };
    model::FunctionEventInvokeConfig {
        destination_config: Some(destination),
        function_arn: Some(function.arn(Some(qualifier))),
        last_modified: Some(Timestamp(held.modified)),
        maximum_event_age_in_seconds: held.age_seconds,
        maximum_retry_attempts: held.retries,
    }
}

/// Checks a destination of a request; an empty one is none.
fn destination(look: &mut Look<'_>, function: &Function, given: Option<String>) -> Result<Option<String>> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(None);
    };
    let wrong = || invalid(format!("The destination ARN {given} is invalid."));
    let arn = Arn::parse(&given).ok_or_else(wrong)?;
    match arn.service() {
        "lambda" => {}
        service @ ("sqs" | "sns" | "events" | "s3") => {
            expect_none(&format!("A destination of {service}"), true)?;
        }
        _ => return Err(wrong()),
    }
    if given == function.arn(None) || given.starts_with(&format!("{}:", function.arn(None))) {
        return Err(invalid(
            "You can't specify the function as a destination for itself.",
        ));
    }
    if arn.region() != look.region() {
        return Err(wrong());
    }
    let named = naming::read(look, &given, None)?;
    let place = (named.account.as_str(), arn.region(), named.name.as_str());
    let Some(found) = look.get(&super::function::FUNCTIONS, &place)? else {
        return Err(wrong());
    };
    meant(look, &FunctionTarget::new(found, named.qualifier)).map_err(|_| wrong())?;
    Ok(Some(given))
}

/// What a request sets.
struct Given {
    retries: Option<i32>,
    age_seconds: Option<i32>,
    destinations: Option<model::DestinationConfig>,
}

impl Given {
    fn expect_something(&self) -> Result<()> {
        if self.retries.is_none() && self.age_seconds.is_none() && self.destinations.is_none() {
            return Err(invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        Ok(())
    }

    fn apply(self, look: &mut Look<'_>, function: &Function, to: &mut EventInvoke) -> Result<()> {
        to.retries = self.retries.or(to.retries);
        to.age_seconds = self.age_seconds.or(to.age_seconds);
        if let Some(given) = self.destinations {
            if let Some(success) = given.on_success {
                to.on_success = destination(look, function, success.destination)?;
            }
            if let Some(failure) = given.on_failure {
                to.on_failure = destination(look, function, failure.destination)?;
            }
        }
        Ok(())
    }
}

fn set(
    call: &mut Call<'_>,
    target: &Authorized<FunctionTarget>,
    given: Given,
    mut held: EventInvoke,
) -> Result<model::FunctionEventInvokeConfig> {
    given.expect_something()?;
    let mut function = to_change(target);
    given.apply(call, &function, &mut held)?;
    held.modified = call.now.0;
    let qualifier = key(target).to_owned();
    let answer = shown(&function, &qualifier, &held);
    function.event_invoke.insert(qualifier, held);
    function.keep(call)?;
    Ok(answer)
}

/// Sets everything anew.
pub struct PutFunctionEventInvokeConfig;

impl Operation for PutFunctionEventInvokeConfig {
    type Input = model::PutFunctionEventInvokeConfigRequest;
    type Output = model::FunctionEventInvokeConfig;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:PutFunctionEventInvokeConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let given = Given {
            retries: input.maximum_retry_attempts,
            age_seconds: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
        };
        set(call, &target, given, EventInvoke::default())
    }
}

/// Changes what the request names.
pub struct UpdateFunctionEventInvokeConfig;

impl Operation for UpdateFunctionEventInvokeConfig {
    type Input = model::UpdateFunctionEventInvokeConfigRequest;
    type Output = model::FunctionEventInvokeConfig;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:UpdateFunctionEventInvokeConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let given = Given {
            retries: input.maximum_retry_attempts,
            age_seconds: input.maximum_event_age_in_seconds,
            destinations: input.destination_config,
        };
        let held = target.event_invoke.get(key(&target)).cloned();
        let held = held.ok_or_else(|| absent(&target))?;
        set(call, &target, given, held)
    }
}

/// Shows the settings of one qualifier.
pub struct GetFunctionEventInvokeConfig;

impl Operation for GetFunctionEventInvokeConfig {
    type Input = model::GetFunctionEventInvokeConfigRequest;
    type Output = model::FunctionEventInvokeConfig;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunctionEventInvokeConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let held = target
            .event_invoke
            .get(key(&target))
            .ok_or_else(|| absent(&target))?;
        Ok(shown(&target, key(&target), held))
    }
}

/// Lists the settings of all qualifiers.
pub struct ListFunctionEventInvokeConfigs;

impl Operation for ListFunctionEventInvokeConfigs {
    type Input = model::ListFunctionEventInvokeConfigsRequest;
    type Output = model::ListFunctionEventInvokeConfigsResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::list("lambda:ListFunctionEventInvokeConfigs");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, None)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let list = format!("ListFunctionEventInvokeConfigs {}", target.arn(None));
        let after = page::after(call, &list, input.marker.as_deref())?;
        let held = target.event_invoke.iter();
        let placed = held.map(|(qualifier, held)| (qualifier.clone(), shown(&target, qualifier, held)));
        let (configs, next_marker) = page::take(call, &list, (after, page::size(input.max_items)), placed)?;
        Ok(model::ListFunctionEventInvokeConfigsResponse {
            function_event_invoke_configs: Some(configs),
            next_marker,
        })
    }
}

/// Removes the settings of one qualifier.
pub struct DeleteFunctionEventInvokeConfig;

impl Operation for DeleteFunctionEventInvokeConfig {
    type Input = model::DeleteFunctionEventInvokeConfigRequest;
    type Output = Empty;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:DeleteFunctionEventInvokeConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(call: &mut Call<'_>, target: Authorized<FunctionTarget>, _input: Self::Input) -> Result<Empty> {
        call.share_with(&target.account);
        meant(call, &target)?;
        let mut function = to_change(&target);
        if function.event_invoke.remove(key(&target)).is_none() {
            return Err(absent(&target));
        }
        function.keep(call)?;
        Ok(Empty)
    }
}
