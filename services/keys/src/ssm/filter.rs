//! The filters of `DescribeParameters` and `GetParametersByPath` (Systems Manager API Reference, `ParameterStringFilter`).
//!
//! Invariant: filters that were read have a key and an option that their operation knows.

use api::ssm as model;
use api::ssm::fault::{invalid_filter_key, invalid_filter_option, invalid_filter_value};
use pipeline::Result;
use wire::Fault;

use crate::ssm::parameter::Parameter;
use crate::ssm::public;

/// The keys of `DescribeParameters`, beside tags.
pub(crate) const OF_ALL: &[&str] = &["Path", "Name", "Type", "KeyId", "Tier", "DataType", "tag"];
/// The keys of `GetParametersByPath`.
pub(crate) const BY_PATH: &[&str] = &["Type", "KeyId", "Label"];

struct Filter {
    key: String,
    option: String,
    values: Vec<String>,
}

/// Filters, all of which a parameter must match; each by one of its values.
pub(crate) struct Filters(Vec<Filter>);

impl Filters {
    /// Reads the filters of a request for an operation that knows these keys.
    pub(crate) fn read(given: Vec<model::ParameterStringFilter>, keys: &[&str]) -> Result<Self> {
        let mut filters: Vec<Filter> = Vec::new();
        for filter in given {
            let kind = if filter.key.starts_with("tag:") {
                "tag"
            } else {
                &filter.key
            };
            if !keys.contains(&kind) {
                return Err(invalid_filter_key(format!(
                    "The following filter key is not valid: {}. Valid filter keys include: [{}].",
                    filter.key,
                    keys.join(", ")
                )));
            }
            if filters.iter().any(|other| other.key == filter.key) {
                return Err(Fault::validation(format!(
                    "The following filters are duplicated in the request: {}. A request can contain only one occurrence of a \
                     specific filter.",
                    filter.key
                )));
            }
            let options: &[&str] = match kind {
                "Name" => &["Equals", "BeginsWith", "Contains"],
                "Path" => &["OneLevel", "Recursive"],
                _ => &["Equals"],
            };
            let usual = options.first().copied().unwrap_or_default();
            let option = filter.option.unwrap_or_else(|| usual.to_owned());
            if !options.contains(&option.as_str()) {
                return Err(invalid_filter_option(format!(
                    "The following filter option is not valid: {option}. Valid options include: [{}].",
                    options.join(", ")
                )));
            }
            let values = filter.values.unwrap_or_default();
            if values.is_empty() && kind != "tag" {
                return Err(invalid_filter_value(format!(
                    "The following filter values are missing: null for filter key {}",
                    filter.key
                )));
            }
            expect_values(kind, &values)?;
            filters.push(Filter {
                key: filter.key,
                option,
                values,
            });
        }
        Ok(Self(filters))
    }

    /// The older filters, which look at how names begin.
    pub(crate) fn read_older(given: Vec<model::ParametersFilter>) -> Result<Self> {
        let newer = given.into_iter().map(|filter| model::ParameterStringFilter {
            key: filter.key.as_str().to_owned(),
            option: (filter.key == model::ParametersFilterKey::Name).then(|| "BeginsWith".to_owned()),
            values: Some(filter.values),
        });
        Self::read(newer.collect(), OF_ALL)
    }

    /// What tells lists with other filters apart.
    pub(crate) fn summary(&self) -> String {
        let one = |filter: &Filter| format!("{} {} {:?}", filter.key, filter.option, filter.values);
        self.0.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// Whether a parameter matches every filter.
    pub(crate) fn match_all(&self, parameter: &Parameter) -> bool {
        self.0.iter().all(|filter| filter.matches(parameter))
    }

    /// What the names begin with, if the filters ask for public parameters, which a list of all leaves out (Systems Manager User
    /// Guide, "Discovering public parameters in Parameter Store").
    pub(crate) fn public(&self) -> Option<String> {
        let by_name =
            |filter: &&Filter| filter.key == "Path" || (filter.key == "Name" && filter.option != "Contains");
        let filter = self.0.iter().find(by_name)?;
        let mut values = filter
            .values
            .iter()
            .map(|value| format!("/{}", value.trim_start_matches('/')));
        match (values.next(), values.next()) {
            (Some(only), None) if public::is_public(&only) => Some(only),
            _ => None,
        }
    }

    /// The label that was filtered by and the version that bears it.
    pub(crate) fn label(&self, parameter: &Parameter) -> Option<(String, u64)> {
        let filter = self.0.iter().find(|filter| filter.key == "Label")?;
        let mut labels = parameter.labels.iter();
        let (label, number) = labels.find(|(label, _)| filter.values.contains(label))?;
        Some((label.clone(), *number))
    }
}

/// Values of keys that have only some.
fn expect_values(key: &str, values: &[String]) -> Result<()> {
    let known = |value: &String| match key {
        "Type" => model::ParameterType::parse(value).is_some(),
        "Tier" => model::ParameterTier::parse(value).is_some(),
        "Path" => value.starts_with('/'),
        _ => true,
    };
    match values.iter().find(|value| !known(value)) {
        None => Ok(()),
        Some(value) => Err(invalid_filter_value(format!(
            "The following filter value is not valid for the key {key}: {value}."
        ))),
    }
}

impl Filter {
    fn matches(&self, parameter: &Parameter) -> bool {
        let newest = &parameter.newest;
        let is = |text: &str| self.values.iter().any(|value| value == text);
        match self.key.as_str() {
            "Name" => self.values.iter().any(|value| self.names(value, &parameter.name)),
            "Path" => self.values.iter().any(|value| self.leads(value, &parameter.name)),
            "Type" => is(newest.kind().as_str()),
            "KeyId" => newest.key_id.as_deref().is_some_and(is),
            "Tier" => is(newest.tier().as_str()),
            "DataType" => is(&newest.data_type),
            "Label" => self
                .values
                .iter()
                .any(|value| parameter.labels.contains_key(value)),
            key => {
                let tag = key.strip_prefix("tag:").and_then(|key| parameter.tags.get(key));
                tag.is_some_and(|tag| self.values.is_empty() || is(tag))
            }
        }
    }

    /// A name counts as the same with and without the slash before it.
    fn names(&self, value: &str, name: &str) -> bool {
        let bare = |text: &str| text.strip_prefix('/').unwrap_or(text).to_owned();
        match self.option.as_str() {
            "BeginsWith" => bare(name).starts_with(&bare(value)),
            "Contains" => format!("/{}", bare(name)).contains(value),
            _ => bare(name) == bare(value),
        }
    }

    fn leads(&self, path: &str, name: &str) -> bool {
        let inner = path.trim_matches('/');
        let bare = name.strip_prefix('/').unwrap_or(name);
        let rest = if inner.is_empty() {
            Some(bare)
        } else {
            bare.strip_prefix(inner).and_then(|rest| rest.strip_prefix('/'))
        };
        rest.is_some_and(|rest| self.option == "Recursive" || !rest.contains('/'))
    }
}
