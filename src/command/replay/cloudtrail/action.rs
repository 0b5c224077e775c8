//! Which action a recorded call asked for. Mostly the event's own name, below the service's prefix; AWS has exceptions of both.
//!
//! Source: S3 User Guide, "Amazon S3 CloudTrail events" and "Required permissions for Amazon S3 API operations"; Lambda Developer Guide,
//! "Logging AWS Lambda API calls using AWS CloudTrail"; Service Authorization Reference.

use std::borrow::Cow;

/// Event sources whose first label is not the prefix of their actions.
const PREFIXES: &[(&str, &str)] = &[
    ("monitoring", "cloudwatch"),
    ("email", "ses"),
    ("tagging", "tag"),
    ("cloudhsmv2", "cloudhsm"),
    ("elasticloadbalancingv2", "elasticloadbalancing"),
    ("s3-control", "s3"),
    ("models-v2-lex", "lex"),
    ("runtime-lex", "lex"),
];

/// Sources of events that no policy decides.
const UNDECIDED: &[&str] = &["signin", "apigateway", "execute-api"];

/// Events of S3 whose action has another name.
const S3: &[(&str, &str)] = &[
    ("ListBuckets", "ListAllMyBuckets"),
    ("HeadBucket", "ListBucket"),
    ("ListObjects", "ListBucket"),
    ("ListObjectsV2", "ListBucket"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("HeadObject", "GetObject"),
    ("DeleteObjects", "DeleteObject"),
    ("CreateMultipartUpload", "PutObject"),
    ("UploadPart", "PutObject"),
    ("CompleteMultipartUpload", "PutObject"),
    ("PostObject", "PutObject"),
    ("ListMultipartUploads", "ListBucketMultipartUploads"),
    ("ListParts", "ListMultipartUploadParts"),
    ("GetBucketEncryption", "GetEncryptionConfiguration"),
    ("PutBucketEncryption", "PutEncryptionConfiguration"),
    ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
    ("GetBucketLifecycle", "GetLifecycleConfiguration"),
    ("GetBucketLifecycleConfiguration", "GetLifecycleConfiguration"),
    ("PutBucketLifecycle", "PutLifecycleConfiguration"),
    ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
    ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
    ("GetBucketReplication", "GetReplicationConfiguration"),
    ("PutBucketReplication", "PutReplicationConfiguration"),
    ("DeleteBucketReplication", "PutReplicationConfiguration"),
    ("GetBucketCors", "GetBucketCORS"),
    ("PutBucketCors", "PutBucketCORS"),
    ("DeleteBucketCors", "PutBucketCORS"),
    ("DeleteBucketTagging", "PutBucketTagging"),
    ("GetBucketMetricsConfiguration", "GetMetricsConfiguration"),
    ("PutBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("DeleteBucketMetricsConfiguration", "PutMetricsConfiguration"),
    ("GetBucketInventoryConfiguration", "GetInventoryConfiguration"),
    ("PutBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("DeleteBucketInventoryConfiguration", "PutInventoryConfiguration"),
    ("GetBucketAnalyticsConfiguration", "GetAnalyticsConfiguration"),
    ("PutBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    ("DeleteBucketAnalyticsConfiguration", "PutAnalyticsConfiguration"),
    ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
    ("PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
    ("GetBucketNotificationConfiguration", "GetBucketNotification"),
    ("PutBucketNotificationConfiguration", "PutBucketNotification"),
    ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
    ("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
    ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"),
    ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("DeletePublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("DeleteBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ("DeleteAccountPublicAccessBlock", "PutAccountPublicAccessBlock"),
    ("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
];

/// Calls that ask for more than one action, so that no one verdict is theirs.
const SEVERAL: &[(&str, &str)] = &[
    ("kms", "ReEncrypt"),
    ("s3", "CopyObject"),
    ("s3", "UploadPartCopy"),
    ("dynamodb", "TransactWriteItems"),
    ("dynamodb", "TransactGetItems"),
];

/// `service:Action` of an event; `None` if no one action stands for it.
pub(crate) fn action<'a>(source: &'a str, name: &'a str) -> Option<(&'a str, Cow<'a, str>)> {
    let label = source.strip_suffix(".amazonaws.com")?;
    let label = label.split('.').next().unwrap_or(label);
    if label.is_empty() || name.is_empty() || UNDECIDED.contains(&label) {
        return None;
    }
    let prefix = PREFIXES
        .iter()
        .find(|(from, _)| *from == label)
        .map_or(label, |(_, prefix)| prefix);
    if SEVERAL.contains(&(prefix, name)) {
        return None;
    }
    let renamed = match prefix {
        "s3" => S3
            .iter()
            .find(|(from, _)| *from == name)
            .map(|(_, action)| *action),
        "lambda" => Some(unversioned(name, |letter| letter.is_ascii_digit())).map(|bare| match bare {
            "Invoke" => "InvokeFunction",
            other => other,
        }),
        "cloudfront" => Some(unversioned(name, |letter| {
            letter.is_ascii_digit() || letter == '_'
        })),
        _ => None,
    };
    let name = renamed.unwrap_or(name);
    // An action has no blanks or colons; what has is no call of an API.
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    plain.then_some((prefix, Cow::Borrowed(name)))
}

/// A name without the date of its API version: `CreateFunction20150331`, `UpdateFunctionCode20150331v2`, `CreateDistribution2020_05_31`.
fn unversioned(name: &str, of_date: impl Fn(char) -> bool + Copy) -> &str {
    let revised = name
        .strip_suffix("v2")
        .filter(|rest| rest.ends_with(|letter: char| letter.is_ascii_digit()));
    let dated = revised.unwrap_or(name);
    let bare = dated.trim_end_matches(of_date);
    if dated.len() - bare.len() >= 8 { bare } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: &str, name: &str) -> Option<String> {
        action(&format!("{source}.amazonaws.com"), name).map(|(prefix, name)| format!("{prefix}:{name}"))
    }

    #[test]
    fn events_are_known_by_their_actions() {
        for (source, name, expected) in [
            ("iam", "CreateUser", "iam:CreateUser"),
            ("monitoring", "PutMetricAlarm", "cloudwatch:PutMetricAlarm"),
            ("s3", "ListBuckets", "s3:ListAllMyBuckets"),
            ("s3", "HeadObject", "s3:GetObject"),
            (
                "lambda",
                "UpdateFunctionCode20150331v2",
                "lambda:UpdateFunctionCode",
            ),
            ("lambda", "Invoke", "lambda:InvokeFunction"),
            (
                "cloudfront",
                "CreateDistribution2020_05_31",
                "cloudfront:CreateDistribution",
            ),
        ] {
            assert_eq!(named(source, name).as_deref(), Some(expected));
        }
        for (source, name) in [
            ("signin", "ConsoleLogin"),
            ("kms", "ReEncrypt"),
            ("s3", "REST.GET BUCKET"),
        ] {
            assert_eq!(named(source, name), None);
        }
        assert_eq!(action("", "A"), None);
    }

    #[test]
    fn every_renamed_action_exists() {
        for (_, action) in S3 {
            assert!(
                policy::reference::action(&format!("s3:{action}")).is_some(),
                "{action}"
            );
        }
    }
}
