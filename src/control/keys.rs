//! `POST /_ringwork/keys`: keys of all accounts and regions, who may use them, and what would be lost with each.
//!
//! Invariant: the answer is bounded, and no transaction spans more than a page of what is read for it.

use std::collections::{BTreeMap, HashMap};

use identity::reach::{self, Population};
use keys::kms::listing::{self, Listed};
use serde::{Deserialize, Serialize};

use super::why::resource;
use super::{Control, Refusal, Result};
use crate::services;

/// Keys of one answer, unless fewer are asked for.
const KEYS_MAX: usize = 1000;
/// Questions of who may use a key that one answer puts to the evaluator: keys times principals.
const QUESTIONS_MAX: usize = 100_000;
/// Dependents that are named of one key; the others are counted.
const NAMED_MAX: usize = 1000;
/// Rows of one transaction.
const STRIDE: usize = 1000;

/// Which keys.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// An ARN, an id or an alias; then everything is told of it.
    #[serde(default)]
    pub(crate) key: Option<String>,
    #[serde(default)]
    pub(crate) account: Option<String>,
    #[serde(default)]
    pub(crate) region: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

/// The answer.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeysReport {
    pub(crate) keys: Vec<KeyReport>,
    /// There are more keys than are listed.
    pub(crate) more: bool,
}

/// A key with what surrounds it.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeyReport {
    #[serde(flatten)]
    pub(crate) key: Listed,
    /// Principals that may use it, themselves or as a role; `None` where there are too many to ask about each.
    pub(crate) who: Option<Vec<Who>>,
    /// How many resources are encrypted under it, by type.
    pub(crate) blast_radius: BTreeMap<String, usize>,
    /// Their ARNs, of a key that was asked for by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) encrypts: Vec<String>,
}

/// A principal that may use a key.
#[derive(Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) arn: String,
    /// The roles that it takes on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) through: Vec<String>,
    /// Only if the request meets conditions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) conditionally: bool,
}

/// What depends on a key.
#[derive(Default)]
struct Radius {
    counts: BTreeMap<String, usize>,
    named: Vec<String>,
}

impl Control {
    pub(super) fn keys(&self, body: &[u8]) -> Result<KeysReport> {
        let which: Which = serde_json::from_slice(body).map_err(|error| Refusal::bad(error.to_string()))?;
        // Everything that is encrypted is looked at: that must not hold up the calls of others on this thread.
        tokio::task::block_in_place(|| self.report_keys(&which))
    }

    fn report_keys(&self, which: &Which) -> Result<KeysReport> {
        let (listed, more) = match &which.key {
            Some(name) => {
                let found = self
                    .gateway
                    .system("us-east-1", |call| listing::named(call, name))?;
                if found.is_empty() {
                    let message = format!("{name} is no key, alias or ARN of this Ringwork.");
                    return Err(Refusal::new(http::StatusCode::NOT_FOUND, message));
                }
                (found, false)
            }
            None => self.listed(which)?,
        };
        let mut radii: HashMap<String, Radius> = listed
            .iter()
            .map(|key| (key.arn.clone(), Radius::default()))
            .collect();
        self.measure(&mut radii)?;
        let mut who = self.who_may(&listed)?;
        let keys = listed.into_iter().map(|key| {
            let radius = radii.remove(&key.arn).unwrap_or_default();
            KeyReport {
                who: who.as_mut().and_then(|who| who.remove(&key.arn)),
                blast_radius: radius.counts,
                encrypts: if which.key.is_some() {
                    radius.named
                } else {
                    Vec::new()
                },
                key,
            }
        });
        Ok(KeysReport {
            keys: keys.collect(),
            more,
        })
    }

    /// The keys that are asked for, and whether there are more.
    fn listed(&self, which: &Which) -> Result<(Vec<Listed>, bool)> {
        let limit = which.limit.unwrap_or(KEYS_MAX).min(KEYS_MAX);
        let fits =
            |wanted: &Option<String>, held: &str| wanted.as_deref().is_none_or(|wanted| wanted == held);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .gateway
                .system("us-east-1", |call| listing::page(call, after.as_ref(), STRIDE))?;
            let full = page.len() == STRIDE;
            for (place, key) in page {
                after = Some(place);
                if fits(&which.account, &key.account) && fits(&which.region, &key.region) {
                    found.push(key);
                }
                if found.len() > limit {
                    found.truncate(limit);
                    return Ok((found, true));
                }
            }
            if !full {
                return Ok((found, false));
            }
        }
    }

    /// Counts what is encrypted under each of the keys.
    fn measure(&self, radii: &mut HashMap<String, Radius>) -> Result<()> {
        for list in services::dependents() {
            let mut after: Option<Vec<String>> = None;
            loop {
                let page = self
                    .gateway
                    .system("us-east-1", |call| (list.page)(call, after.as_deref(), STRIDE))?;
                let full = page.len() == STRIDE;
                for dependent in page {
                    for key in &dependent.keys {
                        let Some(radius) = radii.get_mut(key) else {
                            continue;
                        };
                        *radius.counts.entry(list.kind.to_owned()).or_default() += 1;
                        if radius.named.len() < NAMED_MAX {
                            radius.named.push(dependent.arn.clone());
                        }
                    }
                    after = Some(dependent.place);
                }
                if !full {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Who may use each of the keys, by its ARN; `None` where that are too many questions.
    fn who_may(&self, listed: &[Listed]) -> Result<Option<HashMap<String, Vec<Who>>>> {
        let given = BTreeMap::new();
        let found = self.gateway.system("us-east-1", |call| {
            let population = Population::read(call)?;
            if listed.len().saturating_mul(population.len()) > QUESTIONS_MAX {
                return Ok(None);
            }
            let mut found = HashMap::new();
            for key in listed {
                let question = (key.action.as_str(), key.arn.as_str());
                let answer = reach::who_can(call, &population, question, &given, &resource)?;
                let sure = answer.can.into_iter().map(|able| (able, false));
                let unsure = answer.conditionally.into_iter().map(|able| (able, true));
                let who = sure.chain(unsure).map(|(able, conditionally)| Who {
                    arn: able.arn,
                    through: able.through,
                    conditionally,
                });
                found.insert(key.arn.clone(), who.collect());
            }
            Ok(Some(found))
        })?;
        Ok(found)
    }
}
