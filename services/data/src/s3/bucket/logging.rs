//! Where a bucket's access logs go (S20).
//!
//! Invariant: the bucket that gets them exists, in the same region and of the same owner, when it is named.
//!
//! Source: S3 API Reference, "PutBucketLogging"; S3 User Guide, "Logging requests with server access logging".

use api::s3 as model;
use pipeline::{Access, Call, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{BUCKETS, Bucket, LogGrant, LogKeys, Logging, on_bucket::on_bucket, to_change};
use crate::s3::acl_request;
use crate::s3::fault::{invalid_argument, malformed_xml, text};

fn invalid_target(message: &str, target: &str) -> Fault {
    Fault::plain("InvalidTargetBucketForLogging", 400, message).with("TargetBucket", text(target))
}

fn keys(format: Option<&model::TargetObjectKeyFormat>) -> Result<LogKeys> {
    let Some(format) = format else {
        return Ok(LogKeys::Unsaid);
    };
    match (&format.simple_prefix, &format.partitioned_prefix) {
        (Some(_), None) => Ok(LogKeys::Simple),
        (None, Some(partitioned)) => Ok(LogKeys::Partitioned {
            by_event: partitioned.partition_date_source == Some(model::PartitionDateSource::EventTime),
        }),
        _ => Err(malformed_xml()),
    }
}

fn check(call: &mut Call<'_>, source: &Bucket, asked: model::LoggingEnabled) -> Result<Logging> {
    let name = asked.target_bucket;
    let Some(target) = call.get(&BUCKETS, &name)? else {
        return Err(invalid_target(
            "The target bucket for logging does not exist",
            &name,
        ));
    };
    if target.account != source.account {
        return Err(invalid_target(
            "The owner for the bucket to be logged and the target bucket must be the same.",
            &name,
        ));
    }
    if target.region != source.region {
        return Err(Fault::plain(
            "CrossLocationLoggingProhibitted",
            403,
            "Cross S3 location logging not allowed. ",
        )
        .with("TargetBucketLocation", text(&target.region)));
    }
    if target.requester_pays {
        return Err(invalid_target(
            "The target bucket for logging must not be a Requester Pays bucket",
            &name,
        ));
    }
    let mut grants = Vec::new();
    for grant in asked.target_grants.unwrap_or_default() {
        if !target.has_acls() {
            return Err(invalid_argument(
                "Target grants not supported for buckets with bucket owner enforced",
                "TargetBucket",
                &name,
            ));
        }
        let (Some(grantee), Some(permission)) = (&grant.grantee, grant.permission) else {
            return Err(malformed_xml());
        };
        grants.push(LogGrant {
            grantee: acl_request::grantee(call, grantee)?,
            permission: permission.as_str().to_owned(),
        });
    }
    Ok(Logging {
        format: keys(asked.target_object_key_format.as_ref())?,
        target: name,
        prefix: asked.target_prefix,
        grants,
    })
}

on_bucket! {
    /// Lets a bucket's access be logged, or not any more.
    PutBucketLogging(model::PutBucketLoggingRequest) -> Empty, Access::write("s3:PutBucketLogging");
    |call, bucket, input| {
        let logging = match input.bucket_logging_status.logging_enabled {
            None => None,
            Some(asked) => Some(check(call, &bucket, asked)?),
        };
        let mut bucket = to_change(&bucket);
        bucket.logging = logging;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Shows where a bucket's access logs go.
    GetBucketLogging(model::GetBucketLoggingRequest) -> model::GetBucketLoggingOutput,
    Access::read("s3:GetBucketLogging");
    |_call, bucket, _input| {
        let logging_enabled = bucket.logging.as_ref().map(|logging| {
            let format = match logging.format {
                LogKeys::Unsaid => None,
                LogKeys::Simple => Some(model::TargetObjectKeyFormat {
                    simple_prefix: Some(model::SimplePrefix {}),
                    partitioned_prefix: None,
                }),
                LogKeys::Partitioned { by_event } => {
                    let source = if by_event {
                        model::PartitionDateSource::EventTime
                    } else {
                        model::PartitionDateSource::DeliveryTime
                    };
                    Some(model::TargetObjectKeyFormat {
                        simple_prefix: None,
                        partitioned_prefix: Some(model::PartitionedPrefix {
                            partition_date_source: Some(source),
                        }),
                    })
                }
            };
            let grants = logging.grants.iter().map(|grant| model::TargetGrant {
                grantee: Some(acl_request::shown_grantee(&grant.grantee)),
                permission: model::BucketLogsPermission::parse(&grant.permission),
            });
            let grants: Vec<_> = grants.collect();
            model::LoggingEnabled {
                target_bucket: logging.target.clone(),
                target_grants: (!grants.is_empty()).then_some(grants),
                target_object_key_format: format,
                target_prefix: logging.prefix.clone(),
            }
        });
        Ok(model::GetBucketLoggingOutput { logging_enabled })
    }
}
