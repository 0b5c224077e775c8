//! What a function is: its configuration, and where its code can be fetched.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use wire::Document;

use super::function::FunctionTarget;
use super::naming::{configuration, resolve, resolve_whole};
use super::{code, environment, tag};

/// Shows a version with the address of its code, and what concerns the function as a whole.
pub struct GetFunction;

impl Operation for GetFunction {
    type Input = model::GetFunctionRequest;
    type Output = model::GetFunctionResponse;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunction");
    const ALSO: &'static [Access] = &[tag::LIST];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let configuration = configuration(call, &target)?;
        let mut shown = configuration.shown(&target, target.qualifier.as_deref());
        shown.environment = environment::shown(call, &target, &configuration)?;
        let (arn, owner) = (target.arn(None), target.account.clone());
        // Tags are shown to those alone who may list them (Lambda API Reference, `GetFunction`: `TagsError`).
        let may_tag = !target.tags.is_empty() && call.may(tag::LIST, &arn, &owner)?;
        let error = model::TagsError {
            error_code: "AccessDeniedException".to_owned(),
            message: format!(
                "User: {} is not authorized to perform: lambda:ListTags on resource: {arn}",
                call.identity.arn
            ),
        };
        Ok(model::GetFunctionResponse {
            code: Some(model::FunctionCodeLocation {
                location: code::location(call, &code::Home::of(&target), &configuration.code_sha256)?,
                repository_type: Some("S3".to_owned()),
                ..model::FunctionCodeLocation::default()
            }),
            concurrency: target.reserved.map(|reserved| model::Concurrency {
                reserved_concurrent_executions: i32::try_from(reserved).ok(),
            }),
            configuration: Some(shown),
            tags: may_tag.then(|| target.tags.clone()),
            tags_error: (!may_tag && !target.tags.is_empty()).then_some(error),
        })
    }
}

/// Shows a version's configuration.
pub struct GetFunctionConfiguration;

impl Operation for GetFunctionConfiguration {
    type Input = model::GetFunctionConfigurationRequest;
    type Output = model::FunctionConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunctionConfiguration");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve(look, &input.function_name, input.qualifier.as_deref())
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let configuration = configuration(call, &target)?;
        let mut shown = configuration.shown(&target, target.qualifier.as_deref());
        shown.environment = environment::shown(call, &target, &configuration)?;
        Ok(shown)
    }
}

/// Says that a function has no code signing configuration, since none can be made here.
pub struct GetFunctionCodeSigningConfig;

impl Operation for GetFunctionCodeSigningConfig {
    type Input = model::GetFunctionCodeSigningConfigRequest;
    type Output = Document;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::read("lambda:GetFunctionCodeSigningConfig");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        _input: Self::Input,
    ) -> Result<Document> {
        configuration(call, &target)?;
        Ok(Document::empty())
    }
}
