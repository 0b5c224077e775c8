//! The making of functions.

use api::lambda as model;
use pipeline::{Access, Authorized, Call, Denoted, Found, Look, Operation, Resource, Result};
use policy::Context;

use super::code::{self, Given};
use super::fault::conflict;
use super::function::{self, Configuration, FUNCTIONS, Function, FunctionTarget};
use super::layer::{self, used};
use super::settings::{self, Settings};
use super::{environment, naming, role, tag, usage, version};

/// MiB of memory unless told.
const MEMORY: i32 = 128;
/// MiB of the temporary folder unless told.
const STORAGE: i32 = 512;
/// Seconds unless told.
const TIMEOUT: i32 = 3;

/// Makes a function, and perhaps its first version.
pub struct CreateFunction;

impl Operation for CreateFunction {
    type Input = model::CreateFunctionRequest;
    type Output = model::FunctionConfiguration;
    type Target = Denoted;
    const ACCESS: Access = Access::write("lambda:CreateFunction");
    const ALSO: &'static [Access] = &[role::PASS, tag::TAG, layer::GET];
    const CONDITIONS: &'static [&'static str] = &[
        "aws:RequestTag/${TagKey}",
        "aws:TagKeys",
        "lambda:CodeSigningConfigArn",
        "lambda:Layer",
        "lambda:SecurityGroupIds",
        "lambda:SubnetIds",
    ];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Denoted>> {
        let named = naming::read(look, &input.function_name, None)?;
        Ok(Denoted::new(
            look,
            function::arn(look.region(), look.account(), &named.name, None),
        ))
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        tag::requested(input.tags.as_ref(), context);
        if let Some(arn) = &input.code_signing_config_arn {
            context.insert("lambda:CodeSigningConfigArn", arn.clone());
        }
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
        target: Authorized<Denoted>,
        mut input: Self::Input,
    ) -> Result<Self::Output> {
        let named = naming::read(call, &input.function_name, None)?;
        if named.qualifier.is_some() || named.account != call.account() {
            return Err(super::fault::invalid(
                "The function name names another account, a version or an alias.",
            ));
        }
        let arn = target.arn();
        let settings = settings::of_creation(&mut input)?;
        settings.check(None)?;
        let tags = tag::read(call, input.tags.unwrap_or_default())?;
        if !tags.is_empty() {
            let mut context = Context::default();
            tag::requested(Some(&tags), &mut context);
            let owner = target.account().to_owned();
            call.also(tag::TAG, &arn, &owner, context)?;
        }
        let place = (
            call.account().to_owned(),
            call.region().to_owned(),
            named.name.clone(),
        );
        if call.get(&FUNCTIONS, &place)?.is_some() {
            return Err(conflict(format!("Function already exist: {}", named.name)));
        }
        let zip = code::read(
            call,
            Given {
                zip: input.code.zip_file,
                bucket: input.code.s3_bucket,
                object: input.code.s3_key,
                version: input.code.s3_object_version,
                image: input.code.image_uri,
                key: input.code.source_kms_key_arn,
                mode: input.code.s3_object_storage_mode,
            },
        )?;
        let wanted = settings.role.clone().unwrap_or_default();
        role::pass(call, &arn, &named.name, &wanted)?;
        let mut latest = configuration(call, &named.name, &settings)?;
        let mut grants = Vec::new();
        latest.environment = match &settings.environment {
            Some(variables) => {
                let (key, by) = (latest.kms_key.as_deref(), (arn.as_str(), wanted.as_str()));
                environment::seal(call, by, key, variables, &mut grants)?
            }
            None => None,
        };
        latest.layers = used::choose(call, &place.0, settings.layers.as_deref().unwrap_or_default())?;
        used::expect_room(zip.unzipped, &latest.layers)?;
        latest.code_sha256.clone_from(&zip.sha256);
        latest.code_bytes = zip.size();
        latest.modified = call.now.0;
        latest.revision = call.uuid()?;
        if let Some(architectures) = &input.architectures {
            latest.architecture = architectures
                .first()
                .map_or("x86_64", |known| known.as_str())
                .to_owned();
        }
        let mut function = Function::new(&place.0, &place.1, &place.2, call.now.0, latest);
        function.tags = tags;
        function.grants = grants;
        let layers = function.latest.layers.clone();
        used::hold(call, &mut function, &layers)?;
        usage::change(call, &function, |usage| usage.functions += 1)?;
        code::keep(call, &mut function, &zip)?;
        call.mention(arn, &function.account, FunctionTarget::TYPE);
        let shown = if input.publish == Some(true) {
            version::publish(call, &mut function, None)?
        } else {
            (function.latest.clone(), None)
        };
        let (configuration, qualifier) = shown;
        let mut answer = configuration.shown(&function, qualifier.as_deref());
        answer.environment = environment::shown(call, &function, &configuration)?;
        function.keep(call)?;
        Ok(answer)
    }
}

/// A configuration of what was set, without code and variables.
fn configuration(call: &Call<'_>, name: &str, settings: &Settings) -> Result<Configuration> {
    let logging = settings::logged(name, &model::LoggingConfig::default(), None);
    let mut configuration = Configuration {
        version: 0,
        description: String::new(),
        role: String::new(),
        handler: String::new(),
        runtime: String::new(),
        memory_mb: MEMORY,
        storage_mb: STORAGE,
        timeout_seconds: TIMEOUT,
        architecture: "x86_64".to_owned(),
        environment: None,
        kms_key: None,
        logging,
        code_sha256: String::new(),
        code_bytes: 0,
        layers: Vec::new(),
        modified: call.now.0,
        revision: String::new(),
    };
    settings.apply(name, &mut configuration);
    Ok(configuration)
}
