//! `AWS::AccessAnalyzer::Analyzer`.
//!
//! Source: CloudFormation Template Reference, "AWS::AccessAnalyzer::Analyzer".
//!
//! Invariant: a rule that the template no longer names is removed; rules that others made stay.

use pipeline::Result;
use serde_json::{Map, Value, json};

use super::difference::{differs, gone, same, tags};
use super::{Existing, Made, Property, ResourceType, Services, Wanted, answered, invalid};

const SERVICE: &str = "accessanalyzer";
/// Bytes of an analyzer's name.
const NAME_MAX: usize = 255;

pub(crate) struct Analyzer;

impl ResourceType for Analyzer {
    described!(
        "AWS::AccessAnalyzer::Analyzer",
        [
            Property::new("AnalyzerConfiguration"),
            Property::fixed("AnalyzerName"),
            Property::new("ArchiveRules"),
            Property::new("Tags"),
            Property::fixed("Type").required(),
        ],
        ["Arn"]
    );

    fn system_tags(&self) -> bool {
        true
    }

    fn create(&self, services: &mut Services<'_, '_>, wanted: &Wanted<'_>) -> Result<Made> {
        let name = wanted
            .text("AnalyzerName")
            .unwrap_or_else(|| wanted.physical_name(NAME_MAX));
        let mut input = Map::new();
        input.insert("analyzerName".to_owned(), name.into());
        input.insert("type".to_owned(), wanted.text("Type").unwrap_or_default().into());
        let rules = rules(wanted.properties)?;
        if !rules.is_empty() {
            let rules = rules
                .into_iter()
                .map(|(name, filter)| json!({ "ruleName": name, "filter": filter }));
            input.insert("archiveRules".to_owned(), Value::Array(rules.collect()));
        }
        if let Some(configuration) = wanted.property("AnalyzerConfiguration") {
            input.insert("configuration".to_owned(), lowered(configuration));
        }
        let tags = wanted.all_tags("Tags");
        if !tags.is_empty() {
            input.insert("tags".to_owned(), json!(tags));
        }
        let made = services.invoke(SERVICE, "CreateAnalyzer", Value::Object(input))?;
        let arn = answered(&made, "/arn")?;
        Ok(Made::new(arn.clone()).with("Arn", arn))
    }

    fn update(
        &self,
        services: &mut Services<'_, '_>,
        existing: &Existing<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<Made> {
        let arn = existing.physical_id;
        let name = analyzer(arn);
        if let Some(configuration) = wanted.property("AnalyzerConfiguration")
            && differs(existing, wanted, "AnalyzerConfiguration")
        {
            let input = json!({ "analyzerName": name, "configuration": lowered(configuration) });
            services.invoke(SERVICE, "UpdateAnalyzer", input)?;
        }
        let (before, now) = (rules(existing.properties)?, rules(wanted.properties)?);
        for (rule, _) in before
            .iter()
            .filter(|(rule, _)| !now.iter().any(|(kept, _)| kept == rule))
        {
            let input = json!({ "analyzerName": name, "ruleName": rule });
            gone(services.invoke(SERVICE, "DeleteArchiveRule", input))?;
        }
        for (rule, filter) in now.iter().filter(|rule| !before.contains(rule)) {
            let known = before.iter().any(|(held, _)| held == rule);
            let operation = if known {
                "UpdateArchiveRule"
            } else {
                "CreateArchiveRule"
            };
            let input = json!({ "analyzerName": name, "ruleName": rule, "filter": filter });
            services.invoke(SERVICE, operation, input)?;
        }
        let tags = tags(existing, wanted, "Tags");
        if !tags.gone.is_empty() {
            let input = json!({ "resourceArn": arn, "tagKeys": tags.gone });
            services.invoke(SERVICE, "UntagResource", input)?;
        }
        if !tags.put.is_empty() {
            let input = json!({ "resourceArn": arn, "tags": tags.put });
            services.invoke(SERVICE, "TagResource", input)?;
        }
        Ok(same(existing))
    }

    fn delete(&self, services: &mut Services<'_, '_>, existing: &Existing<'_>) -> Result<()> {
        let input = json!({ "analyzerName": analyzer(existing.physical_id) });
        services.invoke(SERVICE, "DeleteAnalyzer", input).map(drop)
    }
}

/// The name in an analyzer's ARN.
fn analyzer(arn: &str) -> &str {
    arn.rsplit_once('/').map_or(arn, |(_, name)| name)
}

/// Archive rules by name. A filter is a list of criteria here, and a map of them by their property there.
fn rules(properties: &Map<String, Value>) -> Result<Vec<(String, Value)>> {
    let malformed = || invalid("#/ArchiveRules: each has a RuleName and a Filter");
    let items = match properties.get("ArchiveRules") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(malformed()),
    };
    let mut rules = Vec::with_capacity(items.len());
    for item in items {
        let name = item
            .get("RuleName")
            .and_then(Value::as_str)
            .ok_or_else(malformed)?;
        let criteria = item
            .get("Filter")
            .and_then(Value::as_array)
            .ok_or_else(malformed)?;
        let mut filter = Map::new();
        for criterion in criteria {
            let Value::Object(mut criterion) = lowered(criterion) else {
                return Err(malformed());
            };
            let Some(Value::String(property)) = criterion.remove("property") else {
                return Err(malformed());
            };
            filter.insert(property, Value::Object(criterion));
        }
        rules.push((name.to_owned(), Value::Object(filter)));
    }
    Ok(rules)
}

/// The same with members that begin small, as this service writes them. Tags keep their own names.
fn lowered(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let small = |name: &String| {
                let mut letters = name.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                first.into_iter().chain(letters).collect::<String>()
            };
            let members = members.iter().map(|(name, member)| match name.as_str() {
                "ResourceTags" => (small(name), tag_maps(member)),
                _ => (small(name), lowered(member)),
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(lowered).collect()),
        scalar => scalar.clone(),
    }
}

/// Lists of `Key` and `Value` as maps.
fn tag_maps(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let map = |item: &Value| match item {
        Value::Array(tags) => {
            let pair = |tag: &Value| {
                let key = tag.get("Key").and_then(Value::as_str)?;
                Some((key.to_owned(), tag.get("Value").cloned().unwrap_or_default()))
            };
            Value::Object(tags.iter().filter_map(pair).collect())
        }
        other => other.clone(),
    };
    Value::Array(items.iter().map(map).collect())
}
