//! Amazon Resource Names: six parts divided by colons, of which the last may hold colons itself.
//!
//! Source: IAM User Guide, "Identify AWS resources with Amazon Resource Names (ARNs)".

use crate::{
    context::Context,
    pattern::{Case, Pattern, Syntax},
};
use std::{fmt, str::FromStr};

/// A parsed ARN: `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arn {
    text: Box<str>,
    /// Offsets of the five colons.
    colons: [usize; 5],
}

/// The text is not of the form `arn:partition:service:region:account:resource`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ARN of six parts")]
pub struct NotAnArn;

impl Arn {
    /// Parses `text`; `None` if it lacks one of the six parts, the partition or the resource.
    pub fn parse(text: &str) -> Option<Self> {
        let mut colons = [0; 5];
        let mut found = text.match_indices(':').map(|(at, _)| at);
        for colon in &mut colons {
            *colon = found.next()?;
        }
        let arn = Self {
            text: text.into(),
            colons,
        };
        let well_formed =
            text.starts_with("arn:") && !arn.partition().is_empty() && !arn.resource().is_empty();
        well_formed.then_some(arn)
    }

    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.between(0)
    }

    /// `iam`, `kms`, `s3`.
    pub fn service(&self) -> &str {
        self.between(1)
    }

    /// The region; empty for resources that have none.
    pub fn region(&self) -> &str {
        self.between(2)
    }

    /// The twelve digits of the account; empty for resources that do not name it (S3 buckets).
    pub fn account(&self) -> &str {
        self.between(3)
    }

    /// All after the fifth colon, such as `user/path/name` or `key/1234`.
    pub fn resource(&self) -> &str {
        self.colons
            .last()
            .and_then(|at| self.text.get(at + 1..))
            .unwrap_or_default()
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says whether the ARN matches `pattern` as the `Resource` element would: `*` and `?` anywhere.
    pub fn matches(&self, pattern: &str) -> bool {
        Pattern::compile(pattern, Syntax::WILDCARDS).matches(&self.text, &Context::default(), Case::Sensitive)
    }

    fn between(&self, left: usize) -> &str {
        let range = self.colons.get(left).zip(self.colons.get(left + 1));
        range
            .and_then(|(from, to)| self.text.get(from + 1..*to))
            .unwrap_or_default()
    }
}

impl FromStr for Arn {
    type Err = NotAnArn;

    fn from_str(text: &str) -> Result<Self, NotAnArn> {
        Self::parse(text).ok_or(NotAnArn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The account in an ARN, without parsing the rest: what decides between same-account and cross-account.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    if !arn.starts_with("arn:") {
        return None;
    }
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_between_the_colons() {
        let arn = Arn::parse("arn:aws:iam::123456789012:user/a/Bob").unwrap();
        assert_eq!((arn.partition(), arn.service(), arn.region()), ("aws", "iam", ""));
        assert_eq!((arn.account(), arn.resource()), ("123456789012", "user/a/Bob"));
        let queue = Arn::parse("arn:aws:sns:us-east-1:1:topic:sub:scription").unwrap();
        assert_eq!(queue.resource(), "topic:sub:scription");
    }

    #[test]
    fn too_few_parts_are_no_arn() {
        for text in [
            "",
            "*",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "xrn:aws:s3:::b",
            "arn::s3:::b",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_bucket_names_no_account() {
        assert_eq!(account_of("arn:aws:s3:::bucket"), None);
        assert_eq!(account_of("arn:aws:iam::111122223333:root"), Some("111122223333"));
        assert_eq!(account_of("*"), None);
    }

    // The list under "Using wildcards in resource ARNs" of "IAM JSON policy elements: Resource".
    #[test]
    fn wildcards_reach_across_slashes() {
        let pattern = "arn:aws:s3:::amzn-s3-demo-bucket/*/test/*";
        for (key, wanted) in [
            ("1/test/object.jpg", true),
            ("1/2/3/test/4/object.jpg", true),
            ("1///test///object.jpg", true),
            ("/test/object.jpg", true),
            ("1/test/", true),
            ("1-test/object.jpg", false),
            ("test/object.jpg", false),
            ("1/2/test.jpg", false),
        ] {
            let arn = Arn::parse(&format!("arn:aws:s3:::amzn-s3-demo-bucket/{key}")).unwrap();
            assert_eq!(arn.matches(pattern), wanted, "{key}");
        }
    }
}
