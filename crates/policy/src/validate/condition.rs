//! Conditions: operators, keys, and whether they go together.
//!
//! Source: IAM User Guide, "Condition operators", "Single-valued vs. multivalued context keys".

use std::collections::BTreeMap;

use super::{
    Check, Issue, ResourceType, nearest,
    place::Spot,
    starts_folded,
    statement::{Condition, Statement},
};
use crate::{
    operator::Comparison,
    reference::{self, ConditionKey, DataType},
};

/// What an operator compares.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Text,
    Number,
    Date,
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

/// An operator in its parts.
#[derive(Clone, Copy)]
pub(super) struct Operator<'a> {
    pub(super) qualifier: Option<&'a str>,
    pub(super) base: &'a str,
    pub(super) if_exists: bool,
    pub(super) family: Family,
}

const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnLike",
    "ArnNotEquals",
    "ArnNotLike",
    "Null",
];
/// Keys whose values the caller chooses.
const CHOSEN: [&str; 2] = ["aws:Referer", "aws:UserAgent"];
/// Keys that say little without one of others.
const PAIRS: [(&str, &[&str]); 2] = [
    ("aws:VpcSourceIp", &["aws:SourceVpc", "aws:SourceVpce"]),
    ("aws:Ec2InstanceSourcePrivateIPv4", &["aws:Ec2InstanceSourceVpc"]),
];
/// Prefixes of keys that are no services: claims of SAML assertions.
const CLAIMS: [&str; 1] = ["saml"];

impl<'a> Operator<'a> {
    /// Nothing if there is no such operator.
    pub(super) fn read(name: &'a str) -> Option<Self> {
        let (qualifier, rest) = match name.split_once(':') {
            Some((qualifier @ ("ForAllValues" | "ForAnyValue"), rest)) => (Some(qualifier), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (base, if_exists) = rest
            .strip_suffix("IfExists")
            .map_or((rest, false), |base| (base, true));
        let (comparison, _) = Comparison::compile(base, &[], false)?;
        let family = match comparison {
            Comparison::Text { .. } => Family::Text,
            Comparison::Number { .. } => Family::Number,
            Comparison::Date { .. } => Family::Date,
            Comparison::Bool(_) => Family::Bool,
            Comparison::Binary(_) => Family::Binary,
            Comparison::Address(_) => Family::Address,
            Comparison::Arn(_) => Family::Arn,
            Comparison::Null { .. } => Family::Null,
        };
        Some(Self {
            qualifier,
            base,
            if_exists,
            family,
        })
    }

    pub(super) fn negated(&self) -> bool {
        self.base.contains("Not")
    }

    pub(super) fn like(&self) -> bool {
        self.base.ends_with("Like")
    }
}

impl Check<'_> {
    pub(super) fn check_conditions(&mut self, statement: &Statement<'_>) {
        self.doubled_keys(statement);
        for held in &statement.conditions {
            let key = self.check_key(held);
            let Some(operator) = Operator::read(held.operator) else {
                let base = held.operator.rsplit(':').next().unwrap_or_default();
                let near = nearest(base, OPERATORS.into_iter());
                let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
                let details = format!("There is no condition operator {}.{hint}", held.operator);
                self.report(Issue::InvalidConditionOperator, &[&held.operator_spot], details);
                continue;
            };
            self.check_operator(held, operator);
            if let Some(key) = key {
                self.fit(statement, held, operator, key);
            }
            self.check_values(statement, held, operator);
        }
        self.unsupported_actions(statement);
        self.pairs(statement);
    }

    /// Two spellings of one key in one block.
    fn doubled_keys(&mut self, statement: &Statement<'_>) {
        let mut seen: BTreeMap<(&str, String), &Condition<'_>> = BTreeMap::new();
        for held in &statement.conditions {
            let folded = (held.operator, held.key.to_ascii_lowercase());
            if let Some(first) = seen.get(&folded) {
                let details = format!(
                    "{} and {} are the same key, once in the block is enough.",
                    first.key, held.key
                );
                self.report(
                    Issue::DuplicateKeysWithDifferentCase,
                    &[&held.key_spot, &first.key_spot],
                    details,
                );
            } else {
                seen.insert(folded, held);
            }
        }
    }

    /// Whether there is such a key; nothing for keys of which the reference knows nothing.
    fn check_key(&mut self, held: &Condition<'_>) -> Option<ConditionKey> {
        let key = held.key;
        let spot = &held.key_spot;
        let Some((prefix, _)) = key.split_once(':') else {
            let details = "A condition key is written service:name.";
            self.report(Issue::InvalidConditionKeyFormat, &[spot], details);
            return None;
        };
        if CHOSEN.iter().any(|chosen| chosen.eq_ignore_ascii_case(key)) {
            let details = format!("{key} is what the caller says: it protects nothing.");
            self.report(Issue::UntrustworthyConditionKey, &[spot], details);
        }
        if let Some(found) = reference::condition_key(key) {
            return Some(found);
        }
        if self.lacks_tag_key(key, spot) {
            return None;
        }
        if key.eq_ignore_ascii_case("aws:ARN") {
            let details = "aws:ARN is no condition key any more: test aws:PrincipalArn for callers, aws:SourceArn for the source of a service's request.";
            self.report(Issue::UnsupportedGlobalConditionKey, &[spot], details);
        } else if prefix.eq_ignore_ascii_case("aws") {
            // Amazon SNS still fills it.
            if !key.eq_ignore_ascii_case("aws:SourceOwner") {
                let near = nearest(key, reference::global_keys().iter().map(|global| global.key.name));
                let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
                self.report(
                    Issue::InvalidGlobalConditionKey,
                    &[spot],
                    format!("There is no condition key {key}.{hint}"),
                );
            }
        } else if prefix.contains('.') || CLAIMS.contains(&prefix.to_ascii_lowercase().as_str()) {
            // Claims of an identity provider, which are its own affair.
        } else if let Some(service) = reference::service(prefix) {
            let names: Vec<ConditionKey> = service.condition_keys().collect();
            let near = nearest(key, names.iter().map(|held| held.name));
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            let details = format!("The service {prefix} has no condition key {key}.{hint}");
            self.report(Issue::InvalidServiceConditionKey, &[spot], details);
        } else {
            let details = format!("There is no service {prefix}, which the condition key names.");
            self.report(Issue::InvalidService, &[spot], details);
        }
        None
    }

    fn lacks_tag_key(&mut self, key: &str, spot: &Spot<'_>) -> bool {
        let of_service = key
            .split_once(':')
            .and_then(|(prefix, _)| reference::service(prefix));
        let of_service = of_service
            .into_iter()
            .flat_map(reference::Service::condition_keys);
        let global = reference::global_keys().iter().map(|global| global.key);
        let lacks = |held: ConditionKey| {
            let end = held.name.find(['$', '<'])?;
            let fixed = held.name.get(..end)?;
            let bare = fixed.trim_end_matches('/');
            (key.eq_ignore_ascii_case(fixed) || key.eq_ignore_ascii_case(bare)).then(|| fixed.to_owned())
        };
        let Some(fixed) = global.chain(of_service).find_map(lacks) else {
            return false;
        };
        let details = format!("{fixed} ends with the key of a tag: write {fixed}tag-key.");
        self.report(Issue::MissingTagKeyInCondition, &[spot], details);
        true
    }

    fn check_operator(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        let spot = &held.operator_spot;
        if operator.family == Family::Null && operator.if_exists {
            let details = "Null asks whether the key exists, so that IfExists makes no sense with it.";
            self.report(Issue::NullWithIfExists, &[spot], details);
        }
        if operator.family == Family::Null && operator.qualifier.is_some() {
            let details =
                "Null looks at no values, so that ForAllValues and ForAnyValue make no sense with it.";
            self.report(Issue::NullWithQualifier, &[spot], details);
        }
    }

    /// Whether the operator goes with the key.
    fn fit(
        &mut self,
        statement: &Statement<'_>,
        held: &Condition<'_>,
        operator: Operator<'_>,
        key: ConditionKey,
    ) {
        if operator.family == Family::Null {
            return;
        }
        if key.multivalued && operator.qualifier.is_none() {
            let details = format!(
                "Requests may hold several values of {}: say ForAllValues: or ForAnyValue: before the operator.",
                held.key
            );
            self.report(Issue::MissingQualifier, &[&held.operator_spot], details);
        }
        if !key.multivalued && operator.qualifier == Some("ForAllValues") && statement.allows == Some(true) {
            let details = format!(
                "{} has a single value, and ForAllValues: is also true without any: remove it.",
                held.key
            );
            self.report(
                Issue::ForallvaluesWithSingleValuedKey,
                &[&held.operator_spot],
                details,
            );
        }
        let (fits, wanted) = match key.data_type {
            DataType::String => (operator.family == Family::Text, "String"),
            DataType::Arn => (matches!(operator.family, Family::Arn | Family::Text), "ARN"),
            DataType::Bool => (operator.family == Family::Bool, "Bool"),
            DataType::Numeric => (operator.family == Family::Number, "Numeric"),
            // Epoch seconds are numbers too.
            DataType::Date => (matches!(operator.family, Family::Date | Family::Number), "Date"),
            DataType::IpAddress => (operator.family == Family::Address, "IpAddress"),
            DataType::Binary => (operator.family == Family::Binary, "Binary"),
        };
        if !fits {
            let details = format!(
                "{} is compared by operators of the type {wanted}, not by {}.",
                held.key, held.operator
            );
            self.report(
                Issue::TypeMismatch,
                &[&held.operator_spot, &held.key_spot],
                details,
            );
        } else if key.data_type == DataType::Arn && operator.family == Family::Text && operator.like() {
            let better = if operator.negated() {
                "ArnNotLike"
            } else {
                "ArnLike"
            };
            let details = format!(
                "{} is an ARN: {better} compares it part by part, and {} does not.",
                held.key, held.operator
            );
            self.report(
                Issue::StringLikeOperatorWithArnConditionKeys,
                &[&held.operator_spot, &held.key_spot],
                details,
            );
        }
        let buckets = matches!(
            self.resource_type,
            Some(
                ResourceType::S3Bucket | ResourceType::S3AccessPoint | ResourceType::S3MultiRegionAccessPoint
            )
        );
        if buckets && held.key.eq_ignore_ascii_case("s3:ResourceAccount") {
            let details = format!(
                "{} says nothing in a resource's own policy: use it in policies of identities.",
                held.key
            );
            self.report(Issue::IrrelevantConditionKeyInPolicy, &[&held.key_spot], details);
        }
    }

    /// Actions of the statement whose requests never hold a key of a service that it tests.
    fn unsupported_actions(&mut self, statement: &Statement<'_>) {
        let Some(actions) = statement.actions.as_ref().filter(|actions| !actions.negated) else {
            return;
        };
        for held in &statement.conditions {
            let lenient = held.operator.ends_with("IfExists") || held.operator.ends_with("Null");
            let special = held
                .key
                .split_once(':')
                .and_then(|(prefix, _)| reference::service(prefix));
            let known = special.is_some_and(|service| service.condition_key(held.key).is_some());
            if lenient || !known || reference::global_key(held.key).is_some() {
                continue;
            }
            let without = actions.texts.iter().filter(|text| {
                reference::action(text.text).is_some_and(|action| {
                    let of_types = action.resources().flat_map(|resource| {
                        resource
                            .condition_keys()
                            .chain(resource.resource.condition_keys())
                    });
                    !action
                        .condition_keys()
                        .chain(of_types)
                        .any(|key| key.is_named(held.key))
                })
            });
            let without: Vec<_> = without.collect();
            if !without.is_empty() {
                let names: Vec<&str> = without.iter().map(|text| text.text).collect();
                let details = format!(
                    "Requests for these actions never hold {}: {}. Move them to a statement without the key.",
                    held.key,
                    names.join(", ")
                );
                let spots: Vec<_> = without
                    .iter()
                    .map(|text| &text.spot)
                    .chain([&held.key_spot])
                    .collect();
                self.report(Issue::UnsupportedActionForConditionKey, &spots, details);
            }
        }
    }

    fn pairs(&mut self, statement: &Statement<'_>) {
        if statement.allows != Some(true) {
            return;
        }
        for held in &statement.conditions {
            let pair = PAIRS.iter().find(|(key, _)| key.eq_ignore_ascii_case(held.key));
            if let Some((_, others)) = pair
                && !others.iter().any(|other| statement.tests(other))
            {
                let details = format!(
                    "{} alone may be the same in other networks: test {} with it.",
                    held.key,
                    others.join(" or ")
                );
                self.report(Issue::MissingPairedConditionKeys, &[&held.key_spot], details);
            }
            if held.key.eq_ignore_ascii_case("dynamodb:Attributes") && !statement.tests("dynamodb:Select") {
                let details = "A read that lists no attributes returns all of them, whatever dynamodb:Attributes says: set dynamodb:Select to SPECIFIC_ATTRIBUTES too.";
                self.report(Issue::DynamodbAttributesWithoutSelect, &[&held.key_spot], details);
            }
        }
    }
}

/// Whether a key is the one named, or one of a family that ends with a slash.
pub(super) fn is_key(key: &str, known: &str) -> bool {
    key.eq_ignore_ascii_case(known) || (known.ends_with('/') && starts_folded(key, known))
}
