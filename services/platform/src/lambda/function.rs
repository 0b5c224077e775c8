//! The function: its record, the configuration of each of its versions, and how it looks to policies.
//!
//! A function's row holds `$LATEST`, its tags, its resource policies and what concerns all versions. Published versions and aliases are
//! rows of their own; the code lies sealed in `code`.
//!
//! Invariant: a published version never changes; a revision id changes with whatever it is the revision of.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use api::lambda as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::functions::LogForm;
use pipeline::{Authorized, Call, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Context, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Table;
use wire::Fault;

use super::environment::{Granted, Sealed};
use super::layer::used::UsedLayer;

/// The version that can be changed.
pub(crate) const LATEST: &str = "$LATEST";
/// The service's principal.
pub(crate) const PRINCIPAL: &str = "lambda.amazonaws.com";

/// How a function's log is written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    /// `Text` or `JSON`.
    pub format: String,
    pub application_level: Option<String>,
    pub system_level: Option<String>,
    pub group: String,
}

impl Logging {
    /// As the runner takes it.
    pub(crate) fn form(&self) -> LogForm {
        if self.format != model::LogFormat::Json.as_str() {
            return LogForm::Text;
        }
        let level = |given: &Option<String>| given.clone().unwrap_or_else(|| "INFO".to_owned());
        LogForm::Json {
            application_level: level(&self.application_level),
            system_level: level(&self.system_level),
        }
    }
}

/// What a version is run with.
#[derive(Clone, Serialize, Deserialize)]
pub struct Configuration {
    /// Zero is `$LATEST`.
    pub version: u64,
    pub description: String,
    pub role: String,
    pub handler: String,
    pub runtime: String,
    /// MiB.
    pub memory_mb: i32,
    /// MiB.
    pub storage_mb: i32,
    pub timeout_seconds: i32,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Absent if there are no variables.
    pub environment: Option<Sealed>,
    /// The customer's key for the environment; `None` is `alias/aws/lambda`.
    pub kms_key: Option<String>,
    pub logging: Logging,
    /// SHA-256 of the zip, in base64.
    pub code_sha256: String,
    /// Bytes of the zip.
    pub code_bytes: i64,
    /// In the order in which they are laid over each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<UsedLayer>,
    /// Milliseconds since the epoch.
    pub modified: i64,
    pub revision: String,
}

/// A resource policy, of a function or of one version or alias.
#[derive(Clone, Serialize, Deserialize)]
pub struct Permissions {
    pub revision: String,
    /// As `GetPolicy` shows them, in the order in which they were added.
    pub statements: Vec<Value>,
}

/// How events that nobody waits for are dealt with.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct EventInvoke {
    /// Milliseconds since the epoch.
    pub modified: i64,
    pub retries: Option<i32>,
    pub age_seconds: Option<i32>,
    /// ARNs.
    pub on_success: Option<String>,
    pub on_failure: Option<String>,
}

/// A function.
#[derive(Clone, Serialize, Deserialize)]
pub struct Function {
    pub account: String,
    pub region: String,
    pub name: String,
    /// Milliseconds since the epoch.
    pub created: i64,
    pub latest: Configuration,
    /// The number of the version that was published last; zero if none was.
    pub published: u64,
    /// The code and settings that the last published version was made of.
    pub published_of: Option<String>,
    pub tags: BTreeMap<String, String>,
    /// Runs at a time that are kept for this function, and that it may not exceed.
    pub reserved: Option<u32>,
    /// By qualifier; the function's own without one.
    pub permissions: BTreeMap<String, Permissions>,
    /// By qualifier: `$LATEST`, a version or an alias.
    pub event_invoke: BTreeMap<String, EventInvoke>,
    /// How many versions are of a code, by its SHA-256.
    pub codes: BTreeMap<String, u32>,
    /// `Auto` or `FunctionUpdate`, by qualifier.
    pub runtime_updates: BTreeMap<String, String>,
    /// It may be invoked as often as it likes in one chain of requests.
    #[serde(default)]
    pub recursion_allowed: bool,
    /// What lets its roles decrypt its variables, oldest first.
    #[serde(default)]
    pub grants: Vec<Granted>,
    #[serde(skip)]
    kept: Kept,
}

/// What is costly to make from a row: the parsed policies by qualifier.
#[derive(Default)]
struct Kept(OnceLock<BTreeMap<String, Attached>>);

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

store::record!(Function, 1);
store::record!(Configuration, 1);

/// A function's row: account, region and name.
pub type Place = (String, String, String);

/// By account, region and name.
pub static FUNCTIONS: Table<Place, Function> = Table::new(0x0601, "lambda.functions");
/// Published versions by account, region, name and number.
pub static VERSIONS: Table<(String, String, String, u64), Configuration> =
    Table::new(0x0602, "lambda.versions");

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, with a qualifier if there is one.
pub(crate) fn arn(region: &str, account: &str, name: &str, qualifier: Option<&str>) -> String {
    let (colon, qualifier) = qualifier.map_or(("", ""), |qualifier| (":", qualifier));
    format!("arn:aws:lambda:{region}:{account}:function:{name}{colon}{qualifier}")
}

impl Function {
    /// A function without versions.
    pub(crate) fn new(account: &str, region: &str, name: &str, created: i64, latest: Configuration) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
            created,
            latest,
            published: 0,
            published_of: None,
            tags: BTreeMap::new(),
            reserved: None,
            permissions: BTreeMap::new(),
            event_invoke: BTreeMap::new(),
            codes: BTreeMap::new(),
            runtime_updates: BTreeMap::new(),
            recursion_allowed: false,
            grants: Vec::new(),
            kept: Kept::default(),
        }
    }

    pub(crate) fn place(&self) -> Place {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Its ARN, with a qualifier if there is one.
    pub fn arn(&self, qualifier: Option<&str>) -> String {
        arn(&self.region, &self.account, &self.name, qualifier)
    }

    /// Writes the row.
    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let place = self.place();
        call.put(&FUNCTIONS, &place, self)
    }

    /// The document of a resource policy, as `GetPolicy` shows it; `None` without statements.
    pub(crate) fn document(&self, qualifier: &str) -> Option<String> {
        let held = self.permissions.get(qualifier)?;
        let document =
            serde_json::json!({ "Version": "2012-10-17", "Id": "default", "Statement": held.statements });
        Some(document.to_string()).filter(|_| !held.statements.is_empty())
    }

    /// A resource policy as the evaluator takes it.
    pub(crate) fn attached(&self, qualifier: &str) -> Result<Option<Attached>> {
        if let Some(all) = self.kept.0.get() {
            return Ok(all.get(qualifier).cloned());
        }
        let mut all = BTreeMap::new();
        for qualifier in self.permissions.keys() {
            let Some(text) = self.document(qualifier) else {
                continue;
            };
            let parsed = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
            let whose = self.arn(Some(qualifier.as_str()).filter(|qualifier| !qualifier.is_empty()));
            let attached = Attached::new(Arc::new(parsed), format!("the resource policy of {whose}"));
            all.insert(qualifier.clone(), attached);
        }
        Ok(self.kept.0.get_or_init(|| all).get(qualifier).cloned())
    }
}

impl Configuration {
    /// `$LATEST` or the number.
    pub fn name(&self) -> String {
        match self.version {
            0 => LATEST.to_owned(),
            number => number.to_string(),
        }
    }

    /// The configuration without what tells one version from another that is the same.
    fn nameless(&self) -> Self {
        Self {
            version: 0,
            modified: 0,
            revision: String::new(),
            ..self.clone()
        }
    }

    /// A digest of what makes one published version differ from another: code and settings.
    pub(crate) fn digest(&self) -> Result<String> {
        let plain = Self {
            description: String::new(),
            ..self.nameless()
        };
        let text = serde_json::to_vec(&plain).map_err(Fault::internal)?;
        Ok(crypto::digest::hex(&crypto::digest::sha256(&text)))
    }

    /// SHA-256 of the settings alone, in base64 like that of the code: what tells versions apart and the code itself are left out.
    fn config_sha256(&self) -> Option<String> {
        let plain = Self {
            code_sha256: String::new(),
            code_bytes: 0,
            ..self.nameless()
        };
        let text = serde_json::to_vec(&plain).ok()?;
        Some(STANDARD.encode(crypto::digest::sha256(&text)))
    }

    /// The configuration as answers show it, without the environment. `qualifier` is how the request named it.
    pub(crate) fn shown(&self, function: &Function, qualifier: Option<&str>) -> model::FunctionConfiguration {
        model::FunctionConfiguration {
            architectures: model::Architecture::parse(&self.architecture).map(|known| vec![known]),
            code_sha256: Some(self.code_sha256.clone()),
            code_size: Some(self.code_bytes),
            config_sha256: self.config_sha256(),
            description: Some(self.description.clone()),
            ephemeral_storage: Some(model::EphemeralStorage {
                size: self.storage_mb,
            }),
            function_arn: Some(function.arn(qualifier)),
            function_name: Some(function.name.clone()),
            handler: Some(self.handler.clone()),
            kms_key_arn: self.kms_key.clone(),
            last_modified: Some(modified(self.modified)),
            layers: Some(self.layers.iter().map(UsedLayer::shown).collect())
                .filter(|_| !self.layers.is_empty()),
            last_update_status: Some(model::LastUpdateStatus::Successful),
            logging_config: Some(model::LoggingConfig {
                application_log_level: level(
                    self.logging.application_level.as_deref(),
                    model::ApplicationLogLevel::parse,
                ),
                log_format: model::LogFormat::parse(&self.logging.format),
                log_group: Some(self.logging.group.clone()),
                system_log_level: level(self.logging.system_level.as_deref(), model::SystemLogLevel::parse),
            }),
            memory_size: Some(self.memory_mb),
            package_type: Some(model::PackageType::Zip),
            revision_id: Some(self.revision.clone()),
            role: Some(self.role.clone()),
            runtime: Some(self.runtime.clone()),
            snap_start: Some(model::SnapStartResponse {
                apply_on: Some(model::SnapStartApplyOn::None),
                optimization_status: Some(model::SnapStartOptimizationStatus::Off),
            }),
            state: Some(model::State::Active),
            timeout: Some(self.timeout_seconds),
            tracing_config: Some(model::TracingConfigResponse {
                mode: Some(model::TracingMode::PassThrough),
            }),
            version: Some(self.name()),
            ..model::FunctionConfiguration::default()
        }
    }
}

fn level<T>(text: Option<&str>, parse: fn(&str) -> Option<T>) -> Option<T> {
    text.and_then(parse)
}

/// `2026-11-22T10:00:00.000+0000`.
pub(crate) fn modified(millis: i64) -> String {
    let text = wire::Timestamp::from_seconds(millis.div_euclid(1000)).iso8601();
    let whole = text.trim_end_matches('Z');
    format!("{whole}.{:03}+0000", millis.rem_euclid(1000))
}

/// A function as a request named it.
#[derive(Clone)]
pub struct FunctionTarget {
    function: Arc<Function>,
    /// `$LATEST`, a version's number or an alias, if the request gave one.
    pub(crate) qualifier: Option<String>,
}

impl FunctionTarget {
    pub(crate) const fn new(function: Arc<Function>, qualifier: Option<String>) -> Self {
        Self { function, qualifier }
    }

    /// The key under which the qualifier's policy and settings are kept.
    pub(crate) fn qualifier(&self) -> &str {
        self.qualifier.as_deref().unwrap_or_default()
    }

    /// Its ARN with the qualifier as it was given.
    pub(crate) fn qualified_arn(&self) -> String {
        self.function.arn(self.qualifier.as_deref())
    }
}

/// The row of a function that was granted, to be changed.
pub(crate) fn to_change(target: &Authorized<FunctionTarget>) -> Function {
    (*target.function).clone()
}

impl Deref for FunctionTarget {
    type Target = Function;

    fn deref(&self) -> &Function {
        &self.function
    }
}

impl Resource for FunctionTarget {
    const TYPE: &'static str = "AWS::Lambda::Function";

    fn arn(&self) -> String {
        self.qualified_arn()
    }

    fn account(&self) -> &str {
        &self.function.account
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        let attached = self.function.attached(self.qualifier())?;
        Ok(attached.map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }

    fn conditions(&self, context: &mut Context) {
        for (key, value) in &self.function.tags {
            context.insert(format!("aws:ResourceTag/{key}"), value.clone());
        }
    }
}
