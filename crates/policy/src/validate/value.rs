//! Condition values: whether they are what the operator compares and the key can hold.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Check, Issue,
    condition::{Family, Operator, is_key},
    place::{Spot, Text},
    principal::{SERVICE_FORMAT, is_service},
    resource::REGIONS,
    statement::{Condition, Scalar, Statement},
    variable::{MASK, masked, variables},
};
use crate::{address::Network, context::Context, date, json::Value, operator::Comparison, reference};

/// Addresses that no request from the internet comes from (RFC 1918, RFC 4193, RFC 6598, loopback and link-local ranges).
const PRIVATE: [&str; 8] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "fc00::/7",
    "fe80::/10",
];
const SERVICE_KEYS: [&str; 6] = [
    "aws:CalledVia",
    "aws:CalledViaFirst",
    "aws:CalledViaLast",
    "aws:PrincipalServiceName",
    "iam:AWSServiceName",
    "iam:PassedToService",
];
const KMS_KEYS: [&str; 1] = ["s3:x-amz-server-side-encryption-aws-kms-key-id"];

impl Check<'_> {
    pub(super) fn check_values(
        &mut self,
        statement: &Statement<'_>,
        held: &Condition<'_>,
        operator: Operator<'_>,
    ) {
        if held.values.is_empty() {
            self.empty(held, operator);
            return;
        }
        self.json_types(held, operator);
        for value in &held.values {
            let written = matches!(&value.spot.node.value, Value::String(_));
            let text = Text {
                text: &value.text,
                spot: value.spot.clone(),
            };
            let variable = if matches!(operator.family, Family::Text | Family::Arn) {
                written && self.check_variables(&text)
            } else if written && self.variables && !variables(&value.text).is_empty() {
                let details = "Variables work with operators of the types String and ARN only.";
                self.report(Issue::InvalidVariableForOperator, &[&value.spot], details);
                true
            } else {
                false
            };
            if !variable {
                self.check_type(held, operator, value);
            }
            if operator.family == Family::Text {
                self.check_text(held, operator, value);
            }
        }
        match operator.family {
            Family::Address => self.addresses(held, operator),
            Family::Number => self.numbers(held, operator),
            Family::Text | Family::Arn => self.wildcards(statement, held, operator),
            _ => {}
        }
    }

    fn empty(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        // Values that are no texts were reported, and the list is then not empty in the document.
        if !matches!(&held.spot.node.value, Value::Array(nodes) if nodes.is_empty()) {
            return;
        }
        let key = held.key;
        let (issue, effect) = match operator.qualifier {
            Some("ForAllValues") => (
                Issue::EmptyArrayConditionForallvalues,
                "holds only for requests without the key: say so by Null",
            ),
            Some(_) => (Issue::EmptyArrayConditionForanyvalue, "never holds"),
            None if operator.if_exists => (
                Issue::EmptyArrayConditionIfexists,
                "holds only for requests without the key: say so by Null",
            ),
            None => (Issue::EmptyArrayCondition, "has nothing to compare with"),
        };
        self.report(
            issue,
            &[&held.spot],
            format!("There are no values for {key}, so that the condition {effect}."),
        );
    }

    fn json_types(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        let first = held.values.first().map(|value| value.kind);
        if held.values.iter().any(|value| Some(value.kind) != first) {
            let details = "The values are of several JSON types: write all of them as strings.";
            self.report(Issue::InvalidConditionDataType, &[&held.spot], details);
        }
        if operator.family == Family::Bool && held.values.len() > 1 {
            let details = format!("{} is either true or false: give one value.", held.key);
            self.report(Issue::InvalidConditionMultipleBoolean, &[&held.spot], details);
        }
    }

    /// Whether the operator can read the value.
    fn check_type(&mut self, held: &Condition<'_>, operator: Operator<'_>, value: &Scalar<'_>) {
        let text = value.text.as_str();
        let boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        let name = held.operator;
        let (issue, details) = match operator.family {
            Family::Bool | Family::Null if !boolean => (
                Issue::TypeMismatchBoolean,
                format!("{name} compares with true or false, and {text} is neither."),
            ),
            Family::Number if !is_number(text) => (
                Issue::TypeMismatchNumber,
                format!("{name} compares numbers, and {text} is none."),
            ),
            Family::Date if date::parse(text).is_none() => (
                Issue::TypeMismatchDate,
                format!(
                    "{name} compares dates such as 2026-11-22 or 2026-11-22T12:00:00Z, and {text} is none."
                ),
            ),
            Family::Date if text.len() != 4 && text.bytes().all(|byte| byte.is_ascii_digit()) => (
                Issue::InvalidDateValue,
                format!("{text} is read as seconds since 1970: dates are clearer as YYYY-MM-DD."),
            ),
            Family::Binary if STANDARD.decode(text).is_err() => (
                Issue::TypeMismatchString,
                format!("{name} compares what is written in base64, and {text} is not."),
            ),
            Family::Address if Network::parse(text).is_none() => (
                Issue::TypeMismatchIpRange,
                format!("{name} compares addresses with ranges such as 203.0.113.0/24, and {text} is none."),
            ),
            _ => return,
        };
        self.report(issue, &[&value.spot], details);
    }

    /// Whether the key can have the value.
    fn check_text(&mut self, held: &Condition<'_>, operator: Operator<'_>, value: &Scalar<'_>) {
        let shown = masked(&value.text);
        if shown.contains(MASK) {
            return;
        }
        let wild = shown.contains(['*', '?']);
        let spot = &value.spot;
        if wild && !operator.like() {
            let details = "* and ? are plain letters to this operator: if they are meant as wildcards, use the operator with Like.";
            self.report(Issue::WildcardWithoutLikeOperator, &[spot], details);
        }
        if wild && operator.like() {
            return;
        }
        let text = value.text.as_str();
        let (issue, details) = if is_key(held.key, "aws:RequestedRegion") && !REGIONS.contains(&text) {
            (Issue::InvalidRegion, format!("There is no region {text}."))
        } else if is_key(held.key, "aws:SourceVpc") && !is_id(text, "vpc-") {
            (
                Issue::InvalidVpcFormat,
                "A VPC is named vpc- and 8 or 17 letters and digits.".to_owned(),
            )
        } else if is_key(held.key, "aws:SourceVpce") && !is_id(text, "vpce-") {
            (
                Issue::InvalidVpceFormat,
                "A VPC endpoint is named vpce- and 8 or 17 letters and digits.".to_owned(),
            )
        } else if SERVICE_KEYS.iter().any(|key| is_key(held.key, key)) && !is_service(text) {
            (Issue::InvalidServicePrincipalFormat, SERVICE_FORMAT.to_owned())
        } else if is_key(held.key, "kms:ViaService") && !is_regional_service(text) {
            (
                Issue::InvalidServicePrincipalFormat,
                "kms:ViaService is written in small letters as service-name.region.amazonaws.com.".to_owned(),
            )
        } else if KMS_KEYS.iter().any(|key| is_key(held.key, key)) && !is_key_arn(text) {
            (
                Issue::InvalidKmsKeyValue,
                format!("{} is the ARN of a KMS key.", held.key),
            )
        } else {
            return;
        };
        self.report(issue, &[spot], details);
    }

    fn addresses(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        for value in &held.values {
            let Some(network) = Network::parse(&value.text) else {
                continue;
            };
            if !network.is_written(&value.text) {
                let details = format!("Bits after the prefix are ignored: write {}.", network.shown());
                self.report(Issue::ImproveIpRange, &[&value.spot], details);
            }
        }
        if !is_key(held.key, "aws:SourceIp") {
            return;
        }
        let ranges: Vec<Network> = PRIVATE.iter().filter_map(|text| Network::parse(text)).collect();
        let networks: Vec<Network> = held
            .values
            .iter()
            .filter_map(|value| Network::parse(&value.text))
            .collect();
        let private = networks
            .iter()
            .filter(|network| ranges.iter().any(|range| range.includes(network)))
            .count();
        let (issue, details) = match (private, operator.negated()) {
            (0, _) => return,
            (some, false) if some == networks.len() => (
                Issue::PrivateIpAddress,
                "aws:SourceIp is a public address, so that these private ranges never match.",
            ),
            (some, true) if some == networks.len() => (
                Issue::PrivateNotIpAddress,
                "aws:SourceIp is a public address, so that excluding these private ranges excludes nothing.",
            ),
            (_, false) => (
                Issue::PrivateIpAddressSubset,
                "aws:SourceIp is a public address: the private ranges among these never match. Addresses within a VPC are aws:VpcSourceIp.",
            ),
            (_, true) => (
                Issue::PrivateNotIpAddressSubset,
                "aws:SourceIp is a public address: the private ranges among these exclude nothing. Addresses within a VPC are aws:VpcSourceIp.",
            ),
        };
        self.report(issue, &[&held.spot], details);
    }

    fn numbers(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        let which = if operator.base.contains("Less") {
            "greatest"
        } else if operator.base.contains("Greater") {
            "least"
        } else {
            return;
        };
        if held.values.len() > 1 {
            let details = format!(
                "Of several values of {} only the {which} counts for {}: keep that one.",
                held.key, held.operator
            );
            self.report(Issue::RedundantConditionValueNum, &[&held.spot], details);
        }
    }

    fn wildcards(&mut self, statement: &Statement<'_>, held: &Condition<'_>, operator: Operator<'_>) {
        let sensitive = reference::global_key(held.key).is_some_and(|global| global.sensitive);
        for value in &held.values {
            let shown = masked(&value.text);
            let open = operator.like() && shown.contains(['*', '?']);
            let variable = self.variables && shown.contains(MASK);
            let user = is_key(held.key, "aws:userid");
            let (wild, spot) = (
                open && (sensitive || (user && !bounded(&shown, &['*', '?']))),
                &value.spot,
            );
            if wild {
                self.too_permissive(Issue::WildcardUsageTooPermissive, "A wildcard", held, spot, user);
            }
            if variable && (sensitive || (user && !bounded(&shown, &[MASK]))) {
                self.too_permissive(Issue::VariableUsageTooPermissive, "A variable", held, spot, user);
            }
        }
        let everything = operator.base.ends_with("StringLike") || operator.base == "StringNotLike";
        if everything
            && !sensitive
            && held.values.iter().any(|value| value.text == "*")
            && statement.allows.is_some()
        {
            self.any_value(held, operator);
        }
    }

    fn too_permissive(
        &mut self,
        issue: Issue,
        what: &str,
        held: &Condition<'_>,
        spot: &Spot<'_>,
        user: bool,
    ) {
        let details = if user {
            format!(
                "{what} in {} stands after the colon, or is all that stands before it.",
                held.key
            )
        } else {
            format!(
                "{what} in {} may match whoever comes, and the key is what keeps strangers out: write whole values.",
                held.key
            )
        };
        self.report(issue, &[spot], details);
    }

    /// What `*` comes to under each operator.
    fn any_value(&mut self, held: &Condition<'_>, operator: Operator<'_>) {
        let (key, name) = (held.key, held.operator);
        let each = operator.qualifier == Some("ForAllValues");
        let (issue, details) = match (operator.negated(), operator.if_exists || each) {
            (false, true) => (
                Issue::RedundantKeyDueToWildcardInCondition,
                format!("{name} with * always holds, so that {key} can be left out."),
            ),
            (false, false) => (
                Issue::EquivalentToNullFalse,
                format!(
                    "{name} with * asks whether {key} is there at all, which \"Null\": {{\"{key}\": \"false\"}} says better."
                ),
            ),
            (true, _) if operator.qualifier == Some("ForAnyValue") && !operator.if_exists => (
                Issue::RedundantStatementDueToWildcardInCondition,
                format!("{name} with * never holds, so that the statement has no effect."),
            ),
            (true, _) => (
                Issue::EquivalentToNullTrue,
                format!(
                    "{name} with * asks whether {key} is missing, which \"Null\": {{\"{key}\": \"true\"}} says better."
                ),
            ),
        };
        self.report(issue, &[&held.spot], details);
    }
}

/// Whether the open letters stand after the colon, or alone before it.
fn bounded(shown: &str, open: &[char]) -> bool {
    let Some((before, _)) = shown.split_once(':') else {
        return !shown.contains(open);
    };
    !before.contains(open) || before.chars().count() == 1
}

fn is_number(text: &str) -> bool {
    let values = [text.to_owned()];
    Comparison::compile("NumericEquals", &values, false)
        .is_some_and(|(comparison, _)| comparison.accepts(text, &Context::new()))
}

fn is_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix)
        .is_some_and(|id| matches!(id.len(), 8 | 17) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_regional_service(text: &str) -> bool {
    let name = text
        .strip_suffix(".amazonaws.com")
        .or_else(|| text.strip_suffix(".amazonaws.com.cn"));
    is_service(text) && name.is_some_and(|name| name.contains('.'))
}

fn is_key_arn(text: &str) -> bool {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    matches!(fields.as_slice(), ["arn", _, "kms", region, account, key]
        if !region.is_empty() && !account.is_empty() && key.starts_with("key/"))
}
