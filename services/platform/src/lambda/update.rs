//! Changes of `$LATEST`: its code and its settings.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;

use super::code::{self, Given, Home};
use super::fault::{expect_none, stale};
use super::function::{Function, FunctionTarget, to_change};
use super::layer::{self, used};
use super::naming::resolve_whole;
use super::{environment, role, settings, version};

fn expect_revision(function: &Function, revision: Option<&str>) -> Result<()> {
    match revision.filter(|revision| *revision != function.latest.revision) {
        Some(_) => Err(stale("GetFunction/GetAlias")),
        None => Ok(()),
    }
}

/// Gives `$LATEST` other code, and perhaps publishes it.
pub struct UpdateFunctionCode;

impl Operation for UpdateFunctionCode {
    type Input = model::UpdateFunctionCodeRequest;
    type Output = model::FunctionConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:UpdateFunctionCode");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        expect_none("PublishTo", input.publish_to.is_some())?;
        let mut function = to_change(&target);
        expect_revision(&function, input.revision_id.as_deref())?;
        let zip = code::read(
            call,
            Given {
                zip: input.zip_file,
                bucket: input.s3_bucket,
                object: input.s3_key,
                version: input.s3_object_version,
                image: input.image_uri,
                key: input.source_kms_key_arn,
                mode: input.s3_object_storage_mode,
            },
        )?;
        used::expect_room(zip.unzipped, &function.latest.layers)?;
        let (old, size) = (function.latest.code_sha256.clone(), function.latest.code_bytes);
        let dry = input.dry_run == Some(true);
        if !dry {
            code::keep(call, &mut function, &zip)?;
            code::release(call, &mut function, &old, size)?;
        }
        function.latest.code_sha256.clone_from(&zip.sha256);
        function.latest.code_bytes = zip.size();
        function.latest.modified = call.now.0;
        function.latest.revision = call.uuid()?;
        if let Some(architecture) = input.architectures.iter().flatten().next() {
            architecture
                .as_str()
                .clone_into(&mut function.latest.architecture);
        }
        if dry {
            return finish(call, function, None, false);
        }
        let publish = input.publish == Some(true);
        finish(call, function, Some(publish), true)
    }
}

/// Gives `$LATEST` other settings.
pub struct UpdateFunctionConfiguration;

impl Operation for UpdateFunctionConfiguration {
    type Input = model::UpdateFunctionConfigurationRequest;
    type Output = model::FunctionConfiguration;
    type Target = FunctionTarget;
    const ACCESS: Access = Access::write("lambda:UpdateFunctionConfiguration");
    const ALSO: &'static [Access] = &[role::PASS, layer::GET];
    const CONDITIONS: &'static [&'static str] =
        &["lambda:Layer", "lambda:SecurityGroupIds", "lambda:SubnetIds"];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<FunctionTarget>> {
        resolve_whole(look, &input.function_name)
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        if let Some(layers) = &input.layers {
            context.insert_many("lambda:Layer", layers.clone());
        }
        if let Some(vpc) = &input.vpc_config {
            context.insert_many("lambda:SubnetIds", vpc.subnet_ids.clone().unwrap_or_default());
            context.insert_many(
                "lambda:SecurityGroupIds",
                vpc.security_group_ids.clone().unwrap_or_default(),
            );
        }
    }

    fn handle(
        call: &mut Call<'_>,
        target: Authorized<FunctionTarget>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        call.share_with(&target.account);
        let mut function = to_change(&target);
        expect_revision(&function, input.revision_id.as_deref())?;
        let settings = settings::of_update(&mut input)?;
        settings.check(Some(&function.latest.logging))?;
        let arn = function.arn(None);
        let before = function.latest.clone();
        if let Some(role) = settings.role.as_ref().filter(|role| **role != before.role) {
            role::pass(call, &arn, &function.name, role)?;
        }
        if let Some(arns) = &settings.layers {
            let chosen = used::choose(call, &function.account, arns)?;
            if !chosen.is_empty() {
                let zip = code::open(call, &Home::of(&function), &before.code_sha256)?;
                used::expect_room(code::unzipped(&zip).unwrap_or(0), &chosen)?;
            }
            used::hold(call, &mut function, &chosen)?;
            used::release(call, &mut function, &before.layers)?;
            function.latest.layers = chosen;
        }
        let name = function.name.clone();
        settings.apply(&name, &mut function.latest);
        let (role, key) = (function.latest.role.clone(), function.latest.kms_key.clone());
        let (by, granted) = ((arn.as_str(), role.as_str()), function.grants.len());
        match &settings.environment {
            Some(variables) => {
                function.latest.environment =
                    environment::seal(call, by, key.as_deref(), variables, &mut function.grants)?;
            }
            None if before.environment.is_some() && before.kms_key != key => {
                let variables = environment::of_caller(call, &function, &before)?;
                function.latest.environment =
                    environment::seal(call, by, key.as_deref(), &variables, &mut function.grants)?;
            }
            None if before.environment.is_some() && before.role != role => {
                if let Some(key) = &key {
                    let new = environment::grant(call, &arn, &role, key)?;
                    function.grants.push(new);
                }
            }
            None => {}
        }
        // What no version has the variables of lets nobody decrypt them any more.
        let replaced =
            function.grants.len() > granted || function.latest.environment.is_none() || key.is_none();
        if replaced && function.published == 0 {
            environment::retire(call, &mut function, granted)?;
        }
        function.latest.modified = call.now.0;
        function.latest.revision = call.uuid()?;
        finish(call, function, None, true)
    }
}

/// Answers with `$LATEST`, or with the version that was published of it, and keeps the function.
fn finish(
    call: &mut Call<'_>,
    mut function: Function,
    publish: Option<bool>,
    keep: bool,
) -> Result<model::FunctionConfiguration> {
    let (configuration, qualifier) = if publish == Some(true) {
        version::publish(call, &mut function, None)?
    } else {
        (function.latest.clone(), None)
    };
    let mut answer = configuration.shown(&function, qualifier.as_deref());
    answer.environment = environment::shown(call, &function, &configuration)?;
    if keep {
        function.keep(call)?;
    }
    Ok(answer)
}
