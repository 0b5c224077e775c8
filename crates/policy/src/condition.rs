//! One test of a `Condition` element: operator, key and wanted values, with set qualifier and `IfExists`.
//!
//! Sources: IAM User Guide, "Condition operators" and "Single-valued vs. multivalued context keys"; S2.7.

use crate::{
    context::{Context, Value, fold_hash},
    document::Span,
    operator::Comparison,
};

/// How a key with several values is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// No qualifier: any value for a positive operator, none for a negated one.
    Plain,
    All,
    Any,
}

#[derive(Debug, Clone)]
pub(crate) struct Test {
    /// As written, with qualifier and `IfExists`.
    pub(crate) operator: Box<str>,
    pub(crate) key: Box<str>,
    hash: u64,
    pub(crate) set: Set,
    if_exists: bool,
    pub(crate) negated: bool,
    pub(crate) comparison: Comparison,
    /// As written.
    pub(crate) wanted: Box<[String]>,
    pub(crate) span: Span,
}

impl Test {
    /// Compiles one key of one operator; `None` if there is no such operator.
    pub(crate) fn compile(
        operator: &str,
        key: &str,
        wanted: Vec<String>,
        variables: bool,
        span: Span,
    ) -> Option<Self> {
        let (set, rest) = match operator.split_once(':') {
            None => (Set::Plain, operator),
            Some(("ForAllValues", rest)) => (Set::All, rest),
            Some(("ForAnyValue", rest)) => (Set::Any, rest),
            Some(_) => return None,
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some("Null") => return None,
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (comparison, negated) = Comparison::compile(name, &wanted, variables)?;
        Some(Self {
            operator: operator.into(),
            key: key.into(),
            hash: fold_hash(key),
            set,
            if_exists,
            negated,
            comparison,
            wanted: wanted.into(),
            span,
        })
    }

    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = self.actual(context);
        if let Comparison::Null { absent, present } = self.comparison {
            return if values.is_none() { absent } else { present };
        }
        let Some(values) = values else {
            return self.holds_without_key();
        };
        let fits = |value: &Value| self.comparison.accepts(value, context) != self.negated;
        match self.set {
            Set::Plain if self.negated => values.iter().all(fits),
            Set::Plain | Set::Any => values.iter().any(fits),
            // A single empty text counts as a null set, for which ForAllValues is true.
            Set::All => matches!(values, [only] if only.is_empty()) || values.iter().all(fits),
        }
    }

    /// The request's values for the key.
    pub(crate) fn actual<'a>(&self, context: &'a Context) -> Option<&'a [Value]> {
        context.find(self.hash, &self.key)
    }

    /// Whether it holds for a request that does not have the key; not for `Null`.
    pub(crate) fn holds_without_key(&self) -> bool {
        match self.set {
            _ if self.if_exists => true,
            Set::All => true,
            Set::Any => false,
            Set::Plain => self.negated,
        }
    }
}
