//! What a caller sets of a function, at its making or later, and the limits of it (Lambda Developer Guide, "Lambda quotas").
//!
//! Invariant: what this version does not do is refused, not passed over.

use std::collections::BTreeMap;

use api::lambda as model;
use pipeline::Result;

use super::fault::{expect_none, invalid};
use super::function::{Configuration, Logging};
use super::runtime;

/// Seconds that a function may run.
const TIMEOUT_MAX: i32 = 900;
/// MiB of memory, and of the temporary folder.
const MEMORY_MAX: i32 = 10_240;
/// Variables that Lambda sets itself (Lambda Developer Guide, "Defined runtime environment variables").
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];
/// Bytes of all variables (Lambda Developer Guide, "Lambda quotas").
const ENVIRONMENT_MAX: usize = 4096;

/// What a request sets; `None` is left as it is.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) memory_mb: Option<i32>,
    pub(crate) storage_mb: Option<i32>,
    pub(crate) timeout_seconds: Option<i32>,
    pub(crate) environment: Option<BTreeMap<String, String>>,
    /// Empty for AWS's own key.
    pub(crate) kms_key: Option<String>,
    pub(crate) logging: Option<model::LoggingConfig>,
    /// ARNs of versions.
    pub(crate) layers: Option<Vec<String>>,
}

/// What only some functions of AWS have.
struct Elsewhere {
    dead_letter: Option<model::DeadLetterConfig>,
    vpc: Option<model::VpcConfig>,
    tracing: Option<model::TracingConfig>,
    files: Option<Vec<model::FileSystemConfig>>,
    image: Option<model::ImageConfig>,
    snap_start: Option<model::SnapStart>,
    durable: bool,
    capacity: bool,
    runtime: bool,
    accelerator: bool,
}

impl Elsewhere {
    fn refuse(self) -> Result<()> {
        let dead = self.dead_letter.and_then(|dead| dead.target_arn);
        expect_none("DeadLetterConfig", dead.is_some_and(|arn| !arn.is_empty()))?;
        let filled = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let vpc = self.vpc.is_some_and(|vpc| {
            let dual = vpc.ipv6_allowed_for_dual_stack == Some(true);
            dual || filled(&vpc.subnet_ids) || filled(&vpc.security_group_ids)
        });
        expect_none("VpcConfig", vpc)?;
        let traced = self.tracing.and_then(|tracing| tracing.mode);
        expect_none("TracingConfig", traced == Some(model::TracingMode::Active))?;
        expect_none(
            "FileSystemConfigs",
            self.files.is_some_and(|files| !files.is_empty()),
        )?;
        expect_none("ImageConfig", self.image.is_some())?;
        let snapped = self.snap_start.and_then(|snap| snap.apply_on);
        expect_none(
            "SnapStart",
            snapped == Some(model::SnapStartApplyOn::PublishedVersions),
        )?;
        expect_none("DurableConfig", self.durable)?;
        expect_none("CapacityProviderConfig", self.capacity)?;
        expect_none("RuntimeConfig", self.runtime)?;
        expect_none("AcceleratorConfig", self.accelerator)
    }
}

/// What `CreateFunction` sets, beside code and tags.
pub(crate) fn of_creation(input: &mut model::CreateFunctionRequest) -> Result<Settings> {
    expect_none(
        "PackageType=Image",
        input.package_type == Some(model::PackageType::Image) || input.code.image_uri.is_some(),
    )?;
    expect_none("CodeSigningConfigArn", input.code_signing_config_arn.is_some())?;
    expect_none("TenancyConfig", input.tenancy_config.is_some())?;
    expect_none("PublishTo", input.publish_to.is_some())?;
    let elsewhere = Elsewhere {
        dead_letter: input.dead_letter_config.take(),
        vpc: input.vpc_config.take(),
        tracing: input.tracing_config.take(),
        files: input.file_system_configs.take(),
        image: input.image_config.take(),
        snap_start: input.snap_start.take(),
        durable: input.durable_config.is_some(),
        capacity: input.capacity_provider_config.is_some(),
        runtime: input.runtime_config.is_some(),
        accelerator: input.accelerator_config.is_some(),
    };
    elsewhere.refuse()?;
    if input.runtime.is_none() || input.handler.is_none() {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    Ok(Settings {
        description: input.description.take(),
        role: Some(std::mem::take(&mut input.role)),
        handler: input.handler.take(),
        runtime: input.runtime.take(),
        memory_mb: input.memory_size,
        storage_mb: input.ephemeral_storage.as_ref().map(|storage| storage.size),
        timeout_seconds: input.timeout,
        environment: input.environment.take().and_then(|given| given.variables),
        kms_key: input.kms_key_arn.take(),
        logging: input.logging_config.take(),
        layers: input.layers.take(),
    })
}

/// What `UpdateFunctionConfiguration` sets.
pub(crate) fn of_update(input: &mut model::UpdateFunctionConfigurationRequest) -> Result<Settings> {
    let elsewhere = Elsewhere {
        dead_letter: input.dead_letter_config.take(),
        vpc: input.vpc_config.take(),
        tracing: input.tracing_config.take(),
        files: input.file_system_configs.take(),
        image: input.image_config.take(),
        snap_start: input.snap_start.take(),
        durable: input.durable_config.is_some(),
        capacity: input.capacity_provider_config.is_some(),
        runtime: input.runtime_config.is_some(),
        accelerator: input.accelerator_config.is_some(),
    };
    elsewhere.refuse()?;
    Ok(Settings {
        description: input.description.take(),
        role: input.role.take(),
        handler: input.handler.take(),
        runtime: input.runtime.take(),
        memory_mb: input.memory_size,
        storage_mb: input.ephemeral_storage.as_ref().map(|storage| storage.size),
        timeout_seconds: input.timeout,
        environment: input
            .environment
            .take()
            .map(|given| given.variables.unwrap_or_default()),
        kms_key: input.kms_key_arn.take(),
        logging: input.logging_config.take(),
        layers: input.layers.take(),
    })
}

impl Settings {
    /// Refuses what no function may have. `before` is what the function logs in so far.
    pub(crate) fn check(&self, before: Option<&Logging>) -> Result<()> {
        if let Some(runtime) = &self.runtime {
            runtime::expect_supported(runtime)?;
        }
        at_most("Timeout", self.timeout_seconds, TIMEOUT_MAX)?;
        at_most("MemorySize", self.memory_mb, MEMORY_MAX)?;
        at_most("EphemeralStorage", self.storage_mb, MEMORY_MAX)?;
        if let Some(variables) = &self.environment {
            check_environment(variables)?;
        }
        if let Some(logging) = &self.logging {
            let levels = logging.application_log_level.is_some() || logging.system_log_level.is_some();
            let held = || before.and_then(|before| model::LogFormat::parse(&before.format));
            if levels && logging.log_format.or_else(held) != Some(model::LogFormat::Json) {
                return Err(invalid(
                    "To specify log levels, the log format must be JSON. Set LogFormat to JSON and try again.",
                ));
            }
        }
        Ok(())
    }

    /// Sets all but the environment, which is encrypted first, and the role, which is asked for first.
    pub(crate) fn apply(&self, function: &str, to: &mut Configuration) {
        let set = |place: &mut String, given: &Option<String>| {
            if let Some(given) = given {
                place.clone_from(given);
            }
        };
        set(&mut to.description, &self.description);
        set(&mut to.role, &self.role);
        set(&mut to.handler, &self.handler);
        set(&mut to.runtime, &self.runtime);
        to.memory_mb = self.memory_mb.unwrap_or(to.memory_mb);
        to.storage_mb = self.storage_mb.unwrap_or(to.storage_mb);
        to.timeout_seconds = self.timeout_seconds.unwrap_or(to.timeout_seconds);
        if let Some(key) = &self.kms_key {
            to.kms_key = Some(key.clone()).filter(|key| !key.is_empty());
        }
        if let Some(logging) = &self.logging {
            to.logging = logged(function, logging, Some(&to.logging));
        }
    }
}

/// How a function logs from now on: what is not given stays as it was, or is as for a new function. Levels are those of JSON alone.
pub(crate) fn logged(function: &str, given: &model::LoggingConfig, before: Option<&Logging>) -> Logging {
    let held = before.and_then(|before| model::LogFormat::parse(&before.format));
    let format = given.log_format.or(held).unwrap_or(model::LogFormat::Text);
    let level = |given: Option<&'static str>, held: Option<&String>| {
        let level = given.or(held.map(String::as_str)).unwrap_or("INFO");
        Some(level.to_owned()).filter(|_| format == model::LogFormat::Json)
    };
    let group = before.map(|before| before.group.clone());
    Logging {
        format: format.as_str().to_owned(),
        application_level: level(
            given
                .application_log_level
                .map(model::ApplicationLogLevel::as_str),
            before.and_then(|before| before.application_level.as_ref()),
        ),
        system_level: level(
            given.system_log_level.map(model::SystemLogLevel::as_str),
            before.and_then(|before| before.system_level.as_ref()),
        ),
        group: given
            .log_group
            .clone()
            .or(group)
            .unwrap_or_else(|| format!("/aws/lambda/{function}")),
    }
}

fn at_most(member: &str, given: Option<i32>, most: i32) -> Result<()> {
    if given.is_some_and(|given| given > most) {
        return Err(invalid(format!(
            "'{member}' value failed to satisfy constraint: Member must have value less than or equal to {most}"
        )));
    }
    Ok(())
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<()> {
    const UNABLE: &str = "Lambda was unable to configure your environment variables because the environment variables you have provided";
    let reserved: Vec<_> = variables
        .keys()
        .map(String::as_str)
        .filter(|name| RESERVED.contains(name))
        .collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "{UNABLE} contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    let text = serde_json::to_string(variables).map_err(wire::Fault::internal)?;
    if text.len() > ENVIRONMENT_MAX {
        // AWS repeats the variables here; a message ends up in logs, so that they stay out of it.
        return Err(invalid(format!(
            "{UNABLE} exceeded the 4KB limit. String measured: {} bytes",
            text.len()
        )));
    }
    Ok(())
}
