//! Condition operators: what they compare, with the policy's values parsed beforehand.
//!
//! Source: IAM User Guide, "IAM JSON policy elements: Condition operators". A value that does not parse as the
//! operator's type equals nothing; the negated operators are the negation of that.

use crate::{
    address::Network,
    context::Context,
    date,
    pattern::{Case, Pattern, Syntax},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

/// `Equals`, `LessThan`, … of the request's value against the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    Equals,
    Less,
    LessEquals,
    Greater,
    GreaterEquals,
}

/// A compiled operator with the policy's values.
#[derive(Debug, Clone)]
pub(crate) enum Comparison {
    Text {
        patterns: Box<[Pattern]>,
        case: Case,
    },
    Bool(Box<[Pattern]>),
    Number {
        relation: Relation,
        values: Box<[i128]>,
    },
    Date {
        relation: Relation,
        values: Box<[i128]>,
    },
    Binary(Box<[Vec<u8>]>),
    Address(Box<[Network]>),
    Arn(Box<[ArnPattern]>),
    /// The key's absence is wanted (`true`), its presence, or either.
    Null {
        absent: bool,
        present: bool,
    },
}

/// An ARN whose six parts are compared one by one.
#[derive(Debug, Clone)]
pub(crate) enum ArnPattern {
    Any,
    Parts(Box<[Pattern; 6]>),
}

impl Comparison {
    /// Compiles the operator `name` (without set qualifier and `IfExists`); returns it and whether it is negated.
    pub(crate) fn compile(name: &str, values: &[String], variables: bool) -> Option<(Self, bool)> {
        let literal = Syntax {
            wildcards: false,
            variables,
        };
        let wild = Syntax {
            wildcards: true,
            variables,
        };
        let text = |syntax, case| Self::Text {
            patterns: values
                .iter()
                .map(|value| Pattern::compile(value, syntax))
                .collect(),
            case,
        };
        let positive = match name {
            "StringEquals" | "StringNotEquals" => text(literal, Case::Sensitive),
            "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase" => text(literal, Case::Folded),
            "StringLike" | "StringNotLike" => text(wild, Case::Sensitive),
            "ArnEquals" | "ArnLike" | "ArnNotEquals" | "ArnNotLike" => Self::Arn(
                values
                    .iter()
                    .filter_map(|value| ArnPattern::compile(value, wild))
                    .collect(),
            ),
            "Bool" => Self::Bool(
                values
                    .iter()
                    .map(|value| Pattern::compile(value, literal))
                    .collect(),
            ),
            "BinaryEquals" => Self::Binary(
                values
                    .iter()
                    .filter_map(|value| STANDARD.decode(value).ok())
                    .collect(),
            ),
            "IpAddress" | "NotIpAddress" => {
                Self::Address(values.iter().filter_map(|value| Network::parse(value)).collect())
            }
            "Null" => {
                let says = |wanted: &str| values.iter().any(|value| value.eq_ignore_ascii_case(wanted));
                Self::Null {
                    absent: says("true"),
                    present: says("false"),
                }
            }
            other => Self::ordered(other, values)?,
        };
        let negated = name.contains("Not");
        Some((positive, negated))
    }

    fn ordered(name: &str, values: &[String]) -> Option<Self> {
        let (numeric, relation) = match name.strip_prefix("Numeric") {
            Some(relation) => (true, relation),
            None => (false, name.strip_prefix("Date")?),
        };
        let relation = match relation {
            "Equals" | "NotEquals" => Relation::Equals,
            "LessThan" => Relation::Less,
            "LessThanEquals" => Relation::LessEquals,
            "GreaterThan" => Relation::Greater,
            "GreaterThanEquals" => Relation::GreaterEquals,
            _ => return None,
        };
        Some(if numeric {
            Self::Number {
                relation,
                values: values.iter().filter_map(|value| decimal(value)).collect(),
            }
        } else {
            Self::Date {
                relation,
                values: values.iter().filter_map(|value| date::parse(value)).collect(),
            }
        })
    }

    /// Says whether the request's `value` stands in the relation to any of the policy's values.
    pub(crate) fn accepts(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text { patterns, case } => patterns
                .iter()
                .any(|pattern| pattern.matches(value, context, *case)),
            Self::Bool(patterns) => {
                let boolean = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                boolean
                    && patterns
                        .iter()
                        .any(|pattern| pattern.matches(value, context, Case::Folded))
            }
            Self::Number { relation, values } => {
                decimal(value).is_some_and(|value| values.iter().any(|wanted| relation.holds(value, *wanted)))
            }
            Self::Date { relation, values } => date::parse(value)
                .is_some_and(|value| values.iter().any(|wanted| relation.holds(value, *wanted))),
            Self::Binary(values) => STANDARD.decode(value).is_ok_and(|value| values.contains(&value)),
            Self::Address(networks) => networks.iter().any(|network| network.contains(value)),
            Self::Arn(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            Self::Null { present, .. } => *present,
        }
    }
}

impl Relation {
    /// The values in relation to `wanted`, as an interval whose ends are counted in halves, so that open ends need no flag.
    pub(crate) fn interval(self, wanted: i128) -> (i128, i128) {
        let middle = wanted.saturating_mul(2);
        match self {
            Self::Equals => (middle, middle),
            Self::Less => (i128::MIN, middle.saturating_sub(1)),
            Self::LessEquals => (i128::MIN, middle),
            Self::Greater => (middle.saturating_add(1), i128::MAX),
            Self::GreaterEquals => (middle, i128::MAX),
        }
    }

    fn holds(self, value: i128, wanted: i128) -> bool {
        match self {
            Self::Equals => value == wanted,
            Self::Less => value < wanted,
            Self::LessEquals => value <= wanted,
            Self::Greater => value > wanted,
            Self::GreaterEquals => value >= wanted,
        }
    }
}

impl ArnPattern {
    fn compile(source: &str, syntax: Syntax) -> Option<Self> {
        if source == "*" {
            return Some(Self::Any);
        }
        let parts: Vec<Pattern> = split_arn(source)
            .into_iter()
            .map(|part| Pattern::compile(part, syntax))
            .collect();
        let parts: [Pattern; 6] = parts.try_into().ok()?;
        Some(Self::Parts(Box::new(parts)))
    }

    fn matches(&self, value: &str, context: &Context) -> bool {
        let mut parts = value.splitn(6, ':');
        match self {
            Self::Any => parts.clone().count() == 6 && parts.next() == Some("arn"),
            Self::Parts(patterns) => patterns.iter().all(|pattern| {
                parts
                    .next()
                    .is_some_and(|part| pattern.matches(part, context, Case::Sensitive))
            }),
        }
    }
}

/// Splits at the first five colons that are not within `${…}`.
pub(crate) fn split_arn(source: &str) -> Vec<&str> {
    let mut parts = Vec::with_capacity(6);
    let mut start = 0;
    let mut inside = false;
    let mut before = ' ';
    for (at, next) in source.char_indices() {
        match next {
            '{' if before == '$' => inside = true,
            '}' => inside = false,
            ':' if !inside && parts.len() < 5 => {
                parts.extend(source.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
        before = next;
    }
    parts.extend(source.get(start..));
    parts
}

/// An exact decimal in units of 10⁻⁹, so that large integers and cents compare without rounding.
fn decimal(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || whole.len() > 27 || fraction.len() > 9 {
        return None;
    }
    let padded: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let whole: i128 = whole.parse().ok()?;
    let fraction: i128 = padded.parse().ok()?;
    Some(sign * (whole * 1_000_000_000 + fraction))
}
