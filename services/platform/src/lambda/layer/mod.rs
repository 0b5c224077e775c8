//! Layers: what functions share, published in versions that never change and that functions name in order.
//!
//! A version's zip lies sealed in `code`, like a function's. `used` is what functions keep of the layers that they name.
//!
//! Source: Lambda Developer Guide, "Managing Lambda dependencies with layers".
//!
//! Invariant: the number of a version is given once; a version that was deleted is there as long as a function uses it, and for that alone.

mod get;
mod list;
mod permission;
mod publish;
pub(crate) mod used;

use std::sync::{Arc, OnceLock};

use api::lambda as model;
use pipeline::{Call, Found, Look, Resource, ResourcePolicies, Result};
use policy::{Attached, Policy, PolicyKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Table;
use wire::Fault;

use super::code;
use super::fault::{invalid, not_found};

pub(crate) use get::GET;
pub use get::{DeleteLayerVersion, GetLayerVersion, GetLayerVersionByArn};
pub use list::{ListLayerVersions, ListLayers};
pub use permission::{AddLayerVersionPermission, GetLayerVersionPolicy, RemoveLayerVersionPermission};
pub use publish::PublishLayerVersion;

/// A layer, which is no more than its versions and the count of them.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Layer {
    /// The number of the version that was published last.
    pub last: u64,
}

/// A version of a layer.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct LayerVersion {
    pub account: String,
    pub region: String,
    pub name: String,
    pub number: u64,
    pub description: Option<String>,
    pub license: Option<String>,
    pub runtimes: Vec<String>,
    pub architectures: Vec<String>,
    /// Milliseconds since the epoch; zero is a version that is not there.
    pub created: i64,
    /// SHA-256 of the zip, in base64.
    pub code_sha256: String,
    /// Bytes of the zip.
    pub code_bytes: i64,
    /// Bytes of what it holds, as it says itself.
    pub unzipped: u64,
    /// Of the policy.
    pub revision: String,
    /// As `GetLayerVersionPolicy` shows them.
    pub statements: Vec<Value>,
    /// Nobody can name it any more.
    pub deleted: bool,
    /// Versions of functions that use it.
    pub users: u64,
    #[serde(skip)]
    kept: Kept,
}

/// The parsed policy.
#[derive(Default)]
struct Kept(OnceLock<Option<Attached>>);

impl Clone for Kept {
    /// A copy is about to become another version of the row.
    fn clone(&self) -> Self {
        Self::default()
    }
}

store::record!(Layer, 1);
store::record!(LayerVersion, 1);

/// By account, region and name. A row stays when all versions are deleted.
pub static LAYERS: Table<(String, String, String), Layer> = Table::new(0x0630, "lambda.layers");
/// By account, region, name and number.
pub static LAYER_VERSIONS: Table<(String, String, String, u64), LayerVersion> =
    Table::new(0x0631, "lambda.layer_versions");

/// `arn:aws:lambda:REGION:ACCOUNT:layer:NAME`.
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:lambda:{region}:{account}:layer:{name}")
}

/// A layer as a request named it.
pub(crate) struct Named {
    pub(crate) account: String,
    pub(crate) name: String,
}

/// Reads a layer's name or ARN.
pub(crate) fn read(look: &Look<'_>, text: &str) -> Result<Named> {
    let parts: Vec<&str> = text.split(':').collect();
    let (account, region, name) = match parts.as_slice() {
        ["arn", _, "lambda", region, account, "layer", name] => (*account, *region, *name),
        [name] => (look.account(), look.region(), *name),
        _ => return Err(invalid(format!("{text} is not a layer's name or ARN."))),
    };
    expect_here(look, region)?;
    Ok(Named {
        account: account.to_owned(),
        name: name.to_owned(),
    })
}

fn expect_here(look: &Look<'_>, region: &str) -> Result<()> {
    if region == look.region() {
        return Ok(());
    }
    Err(not_found(format!(
        "Layers from '{region}' are not reachable in this region ('{}')",
        look.region()
    )))
}

/// Reads the ARN of a version, which has one spelling: policies compare it as it was written (`lambda:Layer`), and one of another partition
/// or with a zero before the number would pass them by.
pub(crate) fn read_version(look: &Look<'_>, text: &str) -> Result<(Named, u64)> {
    let wrong = || invalid(format!("{text} is not the ARN of a layer version."));
    let (layer, number) = text.rsplit_once(':').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    if !layer.starts_with("arn:") {
        return Err(wrong());
    }
    let named = read(look, layer)?;
    if text != format!("{}:{number}", arn(look.region(), &named.account, &named.name)) {
        return Err(wrong());
    }
    Ok((named, number))
}

/// The number of a request.
fn number(given: i64) -> Result<u64> {
    let number = u64::try_from(given).ok().filter(|number| *number > 0);
    number.ok_or_else(|| invalid("Layer Version Cannot be less than 1."))
}

/// The version of a layer. Whether one of another account exists cannot be told from a refusal: one that does not is judged as one without
/// a policy, which allows no stranger.
pub(crate) fn resolve(look: &mut Look<'_>, named: &Named, number: u64) -> Result<Found<LayerVersion>> {
    let region = look.region().to_owned();
    let place = (
        named.account.as_str(),
        region.as_str(),
        named.name.as_str(),
        number,
    );
    let found = look.get(&LAYER_VERSIONS, &place)?;
    if let Some(version) = found.filter(|version| !version.deleted) {
        return Ok(Found::Here((*version).clone()));
    }
    let ghost = LayerVersion {
        account: named.account.clone(),
        region,
        name: named.name.clone(),
        number,
        ..LayerVersion::default()
    };
    if named.account == look.account() {
        let arn = ghost.arn();
        return Ok(Found::Absent {
            arn,
            fault: missing(),
        });
    }
    Ok(Found::Here(ghost))
}

fn missing() -> Fault {
    not_found("The resource you requested does not exist.")
}

impl LayerVersion {
    fn place(&self) -> (String, String, String, u64) {
        (
            self.account.clone(),
            self.region.clone(),
            self.name.clone(),
            self.number,
        )
    }

    /// The ARN of its layer.
    pub(crate) fn layer_arn(&self) -> String {
        arn(&self.region, &self.account, &self.name)
    }

    pub(crate) fn keep(self, call: &mut Call<'_>) -> Result<()> {
        let place = self.place();
        call.put(&LAYER_VERSIONS, &place, self)
    }

    /// Removes a deleted version that no function uses any more, with its zip; keeps any other.
    pub(crate) fn keep_or_end(self, call: &mut Call<'_>) -> Result<()> {
        if !self.deleted || self.users > 0 {
            return self.keep(call);
        }
        code::remove(call, &code::Home::of_layer(&self), &self.code_sha256)?;
        call.delete(&LAYER_VERSIONS, &self.place())
    }

    /// The document of its policy; `None` without statements.
    fn document(&self) -> Option<String> {
        let document =
            serde_json::json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements });
        Some(document.to_string()).filter(|_| !self.statements.is_empty())
    }

    /// Its policy as the evaluator takes it.
    pub(crate) fn attached(&self) -> Result<Option<Attached>> {
        if let Some(kept) = self.kept.0.get() {
            return Ok(kept.clone());
        }
        let parsed = match self.document() {
            None => None,
            Some(text) => {
                let parsed = Policy::parse(&text, PolicyKind::Resource).map_err(Fault::internal)?;
                let origin = format!("the resource policy of {}", self.arn());
                Some(Attached::new(Arc::new(parsed), origin))
            }
        };
        Ok(self.kept.0.get_or_init(|| parsed).clone())
    }

    /// Whether it is one that a list asks for.
    fn suits(&self, runtime: Option<&str>, architecture: Option<model::Architecture>) -> bool {
        !self.deleted
            && runtime.is_none_or(|wanted| self.runtimes.iter().any(|held| held == wanted))
            && architecture.is_none_or(|wanted| self.architectures.iter().any(|held| held == wanted.as_str()))
    }

    fn shown_architectures(&self) -> Option<Vec<model::Architecture>> {
        let known = self
            .architectures
            .iter()
            .filter_map(|held| model::Architecture::parse(held));
        Some(known.collect()).filter(|known: &Vec<_>| !known.is_empty())
    }

    fn listed(&self) -> model::LayerVersionsListItem {
        model::LayerVersionsListItem {
            compatible_architectures: self.shown_architectures(),
            compatible_runtimes: Some(self.runtimes.clone()).filter(|known| !known.is_empty()),
            created_date: Some(super::function::modified(self.created)),
            description: self.description.clone(),
            layer_version_arn: Some(self.arn()),
            license_info: self.license.clone(),
            version: i64::try_from(self.number).ok(),
        }
    }
}

impl Resource for LayerVersion {
    const TYPE: &'static str = "AWS::Lambda::LayerVersion";

    fn arn(&self) -> String {
        format!("{}:{}", self.layer_arn(), self.number)
    }

    fn account(&self) -> &str {
        &self.account
    }

    fn policies(&self, _look: &mut Look<'_>) -> Result<ResourcePolicies> {
        Ok(self
            .attached()?
            .map_or(ResourcePolicies::None, ResourcePolicies::Policy))
    }
}
