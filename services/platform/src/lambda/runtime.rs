//! Runtimes: which there are, which are retired, and how their patches reach functions.
//!
//! Source: Lambda Developer Guide, "Lambda runtimes" (November 2026), "Runtime update modes".
//!
//! Invariant: a function never gets a runtime that AWS no longer lets functions be created with.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault::{expect_none, invalid};
use super::function::{FunctionTarget, LATEST, to_change};
use super::naming::{self, resolve};

/// What functions may be created with.
const SUPPORTED: &[&str] = &[
    "nodejs24.x",
    "nodejs22.x",
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "java25",
    "java21",
    "java17.al2023",
    "java11.al2023",
    "java8.al2023",
    "java17",
    "java11",
    "java8.al2",
    "dotnet10",
    "dotnet8",
    "ruby4.0",
    "ruby3.4",
    "ruby3.3",
    "provided.al2023",
];
/// What functions may no longer be created with.
const RETIRED: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "nodejs16.x",
    "nodejs18.x",
    "nodejs20.x",
    "python2.7",
    "python3.6",
    "python3.7",
    "python3.8",
    "python3.9",
    "java8",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet5.0",
    "dotnet6",
    "dotnet7",
    "go1.x",
    "ruby2.5",
    "ruby2.7",
    "ruby3.2",
    "provided",
    "provided.al2",
];

/// Refuses a runtime that no function may get.
pub(crate) fn expect_supported(runtime: &str) -> Result<()> {
    if SUPPORTED.contains(&runtime) {
        return Ok(());
    }
    if RETIRED.contains(&runtime) {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. We recommend you \
             use a supported runtime while creating or updating functions."
        )));
    }
    Err(invalid(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN",
        SUPPORTED.join(", ")
    )))
}

/// Says how a version gets patches of its runtime: here always at once, since the host's programs are the runtimes.
pub struct GetRuntimeManagementConfig;

impl Operation for GetRuntimeManagementConfig {
    type Input = model::GetRuntimeManagementConfigRequest;
    type Output = model::GetRuntimeManagementConfigResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetRuntimeManagementConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        let version = naming::configuration(call, &target)?.name();
        let mode = target.runtime_updates.get(&version);
        Ok(model::GetRuntimeManagementConfigResponse {
            function_arn: Some(target.arn(Some(&version))),
            runtime_version_arn: None,
            update_runtime_on: mode.map_or(Some(model::UpdateRuntimeOn::Auto), |mode| {
                model::UpdateRuntimeOn::parse(mode)
            }),
        })
    }
}

/// Sets when a version gets patches of its runtime. A version of a runtime cannot be held, since the host has only one.
pub struct PutRuntimeManagementConfig;

impl Operation for PutRuntimeManagementConfig {
    type Input = model::PutRuntimeManagementConfigRequest;
    type Output = model::PutRuntimeManagementConfigResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:PutRuntimeManagementConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        expect_none(
            "UpdateRuntimeOn=Manual",
            input.update_runtime_on == model::UpdateRuntimeOn::Manual,
        )?;
        if input.runtime_version_arn.is_some_and(|arn| !arn.is_empty()) {
            return Err(invalid(
                "You can specify a runtime version ARN only with the Manual runtime update mode.",
            ));
        }
        let version = naming::configuration(call, &target)?.name();
        let arn = target.arn(
            Some(&version)
                .filter(|version| *version != LATEST)
                .map(String::as_str),
        );
        let mut function = to_change(&target);
        function
            .runtime_updates
            .insert(version, input.update_runtime_on.as_str().to_owned());
        function.keep(call)?;
        Ok(model::PutRuntimeManagementConfigResponse {
            function_arn: arn,
            runtime_version_arn: None,
            update_runtime_on: input.update_runtime_on,
        })
    }
}
