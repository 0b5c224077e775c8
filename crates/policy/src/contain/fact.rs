//! What a condition says of one key's values, and when two such facts cannot both be true.
//!
//! Invariant: `contradicts` is a proof. A negated fact may say less than the negation, never more.

use crate::{
    condition::{Set, Test},
    contain::language::{disjoint, includes},
    context::Context,
    operator::{ArnPattern, Comparison},
    pattern::{Case, Pattern, Piece},
};

/// What must be true of a key: of its absence, and of its values if it is there.
#[derive(Clone, Copy)]
pub(crate) struct Fact<'a> {
    pub(crate) key: &'a str,
    absent: bool,
    present: Present<'a>,
    /// How much there is to compare.
    size: usize,
}

fn size(test: &Test) -> usize {
    test.wanted.iter().map(|text| 1 + text.len() / 32).sum()
}

#[derive(Clone, Copy)]
enum Present<'a> {
    Always,
    Never,
    /// One value at least lies in the set; if so said, there is more than a single empty text.
    One(Values<'a>, bool),
    /// Every value lies in the set; if lenient, a single empty text will do too.
    Each(Values<'a>, bool),
}

/// The values that a comparison accepts, or all others.
#[derive(Clone, Copy)]
struct Values<'a> {
    comparison: &'a Comparison,
    others: bool,
}

impl<'a> Fact<'a> {
    /// What the test asks for.
    pub(crate) fn of(test: &'a Test) -> Self {
        let key = &*test.key;
        if let Comparison::Null { absent, present } = test.comparison {
            let present = if present { Present::Always } else { Present::Never };
            let size = size(test);
            return Self {
                key,
                absent,
                present,
                size,
            };
        }
        let values = Values {
            comparison: &test.comparison,
            others: test.negated,
        };
        let present = match test.set {
            Set::All => Present::Each(values, true),
            Set::Plain if test.negated => Present::Each(values, false),
            Set::Plain | Set::Any => Present::One(values, false),
        };
        Self {
            key,
            absent: test.holds_without_key(),
            present,
            size: size(test),
        }
    }

    /// What is true when the test does not hold.
    pub(crate) fn negated(test: &'a Test) -> Self {
        let Self {
            key,
            absent,
            present,
            size,
        } = Self::of(test);
        let present = match present {
            Present::Always => Present::Never,
            Present::Never => Present::Always,
            Present::One(values, _) => Present::Each(values.complement(), false),
            Present::Each(values, lenient) => Present::One(values.complement(), lenient),
        };
        // `Null` with both values, or with none, is as it is without the key.
        Self {
            key,
            absent: !absent,
            present,
            size,
        }
    }

    /// How many steps the comparison with another fact counts: each value of one is held against each of the other.
    pub(crate) fn cost(&self, other: &Self) -> usize {
        let values = if self.key.eq_ignore_ascii_case(other.key) {
            self.size.saturating_mul(other.size)
        } else {
            0
        };
        1 + values / 4
    }

    /// Whether both cannot be true of one request.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.key.eq_ignore_ascii_case(other.key)
            && !(self.absent && other.absent)
            && self.present.excludes(&other.present)
    }
}

impl Present<'_> {
    fn excludes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Never, _) | (_, Self::Never) => true,
            (Self::Always, _) | (_, Self::Always) => false,
            // Several values may satisfy one each.
            (Self::One(..), Self::One(..)) => false,
            (Self::One(one, filled), Self::Each(each, lenient))
            | (Self::Each(each, lenient), Self::One(one, filled)) => {
                one.disjoint(each) && (!lenient || *filled || one.rejects_empty())
            }
            (Self::Each(one, lenient), Self::Each(two, indulgent)) => {
                one.disjoint(two)
                    && match (lenient, indulgent) {
                        (false, false) => true,
                        (true, false) => two.rejects_empty(),
                        (false, true) => one.rejects_empty(),
                        (true, true) => false,
                    }
            }
        }
    }
}

impl Values<'_> {
    fn complement(self) -> Self {
        Self {
            comparison: self.comparison,
            others: !self.others,
        }
    }

    fn disjoint(&self, other: &Self) -> bool {
        match (self.others, other.others) {
            (false, false) => apart(self.comparison, other.comparison),
            (false, true) => within(self.comparison, other.comparison),
            (true, false) => within(other.comparison, self.comparison),
            (true, true) => false,
        }
    }

    /// Whether a single empty text is surely not among the values.
    fn rejects_empty(&self) -> bool {
        fixed(self.comparison) && self.comparison.accepts("", &Context::new()) == self.others
    }
}

/// Whether what `inner` accepts is accepted by `outer`.
fn within(inner: &Comparison, outer: &Comparison) -> bool {
    match (inner, outer) {
        (
            Comparison::Text { patterns, case },
            Comparison::Text {
                patterns: wider,
                case: folding,
            },
        ) if *case == Case::Sensitive || *folding == Case::Folded => {
            covered(patterns, wider, |a, b| includes(b, a, *folding))
        }
        (Comparison::Bool(patterns), Comparison::Bool(wider)) => {
            covered(patterns, wider, |a, b| includes(b, a, Case::Folded))
        }
        (Comparison::Number { .. }, Comparison::Number { .. })
        | (Comparison::Date { .. }, Comparison::Date { .. }) => {
            covered(&intervals(inner), &intervals(outer), |a, b| {
                b.0 <= a.0 && a.1 <= b.1
            })
        }
        (Comparison::Binary(values), Comparison::Binary(wider)) => covered(values, wider, |a, b| a == b),
        (Comparison::Address(networks), Comparison::Address(wider)) => {
            covered(networks, wider, |a, b| b.includes(a))
        }
        (Comparison::Arn(patterns), Comparison::Arn(wider)) => covered(patterns, wider, arn_within),
        _ => literals(inner).is_some_and(|texts| {
            // Without a context a variable matches nothing, so that what is accepted is accepted always.
            texts.iter().all(|text| outer.accepts(text, &Context::new()))
        }),
    }
}

/// Whether no value is accepted by both.
fn apart(one: &Comparison, two: &Comparison) -> bool {
    match (one, two) {
        (
            Comparison::Text { patterns, case },
            Comparison::Text {
                patterns: others,
                case: folding,
            },
        ) => {
            let case = if *case == Case::Folded { *case } else { *folding };
            unrelated(patterns, others, |a, b| disjoint(a, b, case))
        }
        (Comparison::Bool(patterns), Comparison::Bool(others)) => {
            unrelated(patterns, others, |a, b| disjoint(a, b, Case::Folded))
        }
        (Comparison::Number { .. }, Comparison::Number { .. })
        | (Comparison::Date { .. }, Comparison::Date { .. }) => {
            unrelated(&intervals(one), &intervals(two), |a, b| a.1 < b.0 || b.1 < a.0)
        }
        (Comparison::Binary(values), Comparison::Binary(others)) => unrelated(values, others, |a, b| a != b),
        (Comparison::Address(networks), Comparison::Address(others)) => {
            unrelated(networks, others, |a, b| !a.includes(b) && !b.includes(a))
        }
        (Comparison::Arn(patterns), Comparison::Arn(others)) => unrelated(patterns, others, arns_apart),
        _ => {
            let rejected = |texts: Vec<&str>, by: &Comparison| {
                fixed(by) && texts.iter().all(|text| !by.accepts(text, &Context::new()))
            };
            literals(one).is_some_and(|texts| rejected(texts, two))
                || literals(two).is_some_and(|texts| rejected(texts, one))
        }
    }
}

fn covered<T>(inner: &[T], outer: &[T], includes: impl Fn(&T, &T) -> bool) -> bool {
    inner.iter().all(|a| outer.iter().any(|b| includes(a, b)))
}

fn unrelated<T>(one: &[T], two: &[T], apart: impl Fn(&T, &T) -> bool) -> bool {
    one.iter().all(|a| two.iter().all(|b| apart(a, b)))
}

fn intervals(comparison: &Comparison) -> Vec<(i128, i128)> {
    match comparison {
        Comparison::Number { relation, values } | Comparison::Date { relation, values } => {
            values.iter().map(|value| relation.interval(*value)).collect()
        }
        _ => Vec::new(),
    }
}

/// The only texts that a comparison accepts, if it accepts exact ones alone.
fn literals(comparison: &Comparison) -> Option<Vec<&str>> {
    let Comparison::Text {
        patterns,
        case: Case::Sensitive,
    } = comparison
    else {
        return None;
    };
    let literal = patterns.iter().map(|pattern| match pattern {
        Pattern::Exact(text) => Some(&**text),
        _ => None,
    });
    literal.collect()
}

/// Whether the comparison says the same for every request: it has no variables.
fn fixed(comparison: &Comparison) -> bool {
    match comparison {
        Comparison::Text { patterns, .. } | Comparison::Bool(patterns) => patterns.iter().all(constant),
        Comparison::Arn(patterns) => patterns.iter().all(|pattern| match pattern {
            ArnPattern::Any => true,
            ArnPattern::Parts(parts) => parts.iter().all(constant),
        }),
        _ => true,
    }
}

/// Whether a pattern has no variables.
pub(crate) fn constant(pattern: &Pattern) -> bool {
    let Pattern::Pieces(pieces) = pattern else {
        return true;
    };
    !pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }))
}

fn arn_within(inner: &ArnPattern, outer: &ArnPattern) -> bool {
    let prefix = |pattern: &Pattern| matches!(pattern, Pattern::Exact(text) if &**text == "arn");
    match (inner, outer) {
        (ArnPattern::Any, ArnPattern::Any) => true,
        (ArnPattern::Parts(parts), ArnPattern::Any) => parts.first().is_some_and(prefix),
        (ArnPattern::Any, ArnPattern::Parts(parts)) => {
            let mut parts = parts.iter();
            parts
                .next()
                .is_some_and(|part| prefix(part) || *part == Pattern::Any)
                && parts.all(|part| *part == Pattern::Any)
        }
        (ArnPattern::Parts(inner), ArnPattern::Parts(outer)) => {
            let mut parts = inner.iter().zip(outer.iter());
            parts.all(|(a, b)| includes(b, a, Case::Sensitive))
        }
    }
}

fn arns_apart(one: &ArnPattern, two: &ArnPattern) -> bool {
    let (ArnPattern::Parts(one), ArnPattern::Parts(two)) = (one, two) else {
        return false;
    };
    // All parts but the last hold no colon, but a wildcard there would say nothing else: a part is compared with a part.
    let mut parts = one.iter().zip(two.iter());
    parts.any(|(a, b)| disjoint(a, b, Case::Sensitive))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Span;

    fn test(operator: &str, values: &[&str]) -> Test {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Test::compile(operator, "aws:x", values, true, Span::default()).unwrap()
    }

    /// Whether the first implies the second.
    fn implies(one: (&str, &[&str]), two: (&str, &[&str])) -> bool {
        let (one, two) = (test(one.0, one.1), test(two.0, two.1));
        Fact::of(&one).contradicts(&Fact::negated(&two))
    }

    /// `=>`: the first implies the second; `=/=`: it does not.
    const IMPLICATIONS: &str = "
        StringEquals a => StringEquals a,b
        StringEquals a,b =/= StringEquals a
        StringEquals ab => StringLike a*
        StringLike ab* => StringLike a*
        StringLike a* =/= StringEquals a
        StringEquals A => StringEqualsIgnoreCase a
        StringEqualsIgnoreCase a =/= StringEquals a
        StringEquals a => StringEqualsIfExists a
        StringEqualsIfExists a =/= StringEquals a
        StringNotEquals a,b => StringNotEquals a
        StringNotEquals a =/= StringNotEquals a,b
        StringEquals a => Null false
        StringNotEquals a =/= Null false
        Null true => StringNotEquals a
        NumericLessThan 5 => NumericLessThanEquals 5
        NumericLessThanEquals 5 =/= NumericLessThan 5
        NumericEquals 3 => NumericLessThan 5
        DateLessThan 2026-01-01 => DateLessThan 2027-01-01
        IpAddress 10.1.0.0/16 => IpAddress 10.0.0.0/8
        IpAddress 10.0.0.0/8 =/= IpAddress 10.1.0.0/16
        NotIpAddress 10.0.0.0/8 => NotIpAddress 10.1.0.0/16
        ArnEquals arn:aws:s3:::b => ArnLike arn:aws:s3:::*
        StringEquals arn:aws:s3:::b => ArnLike arn:aws:s3:::*
        ArnLike arn:aws:s3:*:*:b => ArnLike *
        Bool true => Bool TRUE
        Bool true =/= Bool false
        ForAllValues:StringEquals a => ForAllValues:StringLike a*
        ForAnyValue:StringEquals a =/= ForAllValues:StringEquals a
        ForAllValues:StringEquals a =/= ForAnyValue:StringEquals a
        StringLike x-${aws:username} => StringLike x-*
        StringEquals x-b =/= StringLike x-${aws:username}
    ";

    #[test]
    fn narrower_conditions_imply_wider_ones() {
        for line in IMPLICATIONS
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            let words: Vec<&str> = line.split(' ').collect();
            let [one, held, relation, two, wider] = words[..] else {
                panic!("{line}")
            };
            let (held, wider): (Vec<&str>, Vec<&str>) =
                (held.split(',').collect(), wider.split(',').collect());
            assert_eq!(implies((one, &held), (two, &wider)), relation == "=>", "{line}");
        }
    }
}
