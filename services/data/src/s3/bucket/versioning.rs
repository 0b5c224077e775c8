//! Whether a bucket keeps versions, and whether it can lock them.
//!
//! Invariant: a bucket that locks objects keeps versions for ever, and so does one that is replicated as long as it is.
//!
//! Source: S3 API Reference, "PutBucketVersioning", "PutObjectLockConfiguration".

use api::s3 as model;
use pipeline::{Access, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{
    Configured, DefaultRetention, ObjectLock, Span, Versioning, mfa_delete, on_bucket::on_bucket, to_change,
};
use crate::s3::fault::{invalid_argument, malformed_xml, text};
use crate::s3::payer;

/// The longest default retention.
const DAYS_MAX: i32 = 36_500;
const YEARS_MAX: i32 = 100;

pub(super) fn invalid_state(message: &str) -> Fault {
    Fault::plain("InvalidBucketState", 409, message)
}

on_bucket! {
    /// Says whether a bucket keeps versions.
    GetBucketVersioning(model::GetBucketVersioningRequest) -> model::GetBucketVersioningOutput,
    Access::read("s3:GetBucketVersioning");
    |_call, bucket, _input| {
        let status = match bucket.versioning {
            Versioning::Never => None,
            Versioning::Enabled => Some(model::BucketVersioningStatus::Enabled),
            Versioning::Suspended => Some(model::BucketVersioningStatus::Suspended),
        };
        Ok(model::GetBucketVersioningOutput {
            mfa_delete: bucket.mfa_delete.map(|on| {
                if on {
                    model::MFADeleteStatus::Enabled
                } else {
                    model::MFADeleteStatus::Disabled
                }
            }),
            status,
        })
    }
}

on_bucket! {
    /// Lets a bucket keep versions, or stop to keep new ones.
    PutBucketVersioning(model::PutBucketVersioningRequest) -> Empty, Access::write("s3:PutBucketVersioning");
    |call, bucket, input| {
        let asked = input.versioning_configuration;
        let versioning = match asked.status {
            Some(model::BucketVersioningStatus::Enabled) => Versioning::Enabled,
            Some(model::BucketVersioningStatus::Suspended) => Versioning::Suspended,
            None => {
                return Err(Fault::plain(
                    "IllegalVersioningConfigurationException",
                    400,
                    "The Versioning element must be specified",
                ));
            }
        };
        if versioning == Versioning::Suspended && bucket.object_lock.is_some() {
            return Err(invalid_state(
                "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
            ));
        }
        if versioning == Versioning::Suspended && bucket.configured.contains(&Configured::Replication) {
            return Err(invalid_state(
                "A replication configuration is present on this bucket, so you cannot change the versioning state. To change the \
                 versioning state, first delete the replication configuration.",
            ));
        }
        let wanted = asked.mfa_delete.map(|wanted| wanted == model::MFADelete::Enabled);
        if wanted == Some(true) && bucket.configured.contains(&Configured::Lifecycle) {
            return Err(invalid_state(
                "A lifecycle configuration is present on this bucket, so MFA delete cannot be enabled.",
            ));
        }
        if wanted == Some(true) || mfa_delete::is_on(&bucket) {
            mfa_delete::prove(call, &bucket, input.mfa.as_deref())?;
        }
        let mut bucket = to_change(&bucket);
        bucket.versioning = versioning;
        bucket.mfa_delete = wanted.or(bucket.mfa_delete);
        bucket.keep(call)?;
        Ok(Empty)
    }
}

fn retention(asked: &model::DefaultRetention) -> Result<DefaultRetention> {
    if asked.default_event_hold.is_some() {
        return Err(Fault::plain(
            "NotImplemented",
            501,
            "Event holds are not implemented by this version of Ringwork.",
        ));
    }
    let compliance = match asked.mode {
        Some(mode) => mode == model::ObjectLockRetentionMode::Compliance,
        None => return Err(malformed_xml()),
    };
    let span = match (asked.days, asked.years) {
        (Some(days), None) => Span::Days(days),
        (None, Some(years)) => Span::Years(years),
        _ => return Err(malformed_xml()),
    };
    let (length, most) = match span {
        Span::Days(days) => (days, DAYS_MAX),
        Span::Years(years) => (years, YEARS_MAX),
    };
    if length < 1 {
        return Err(invalid_argument(
            "Default retention period must be a positive integer value.",
            "RetentionPeriod",
            &length.to_string(),
        ));
    }
    if length > most {
        return Err(invalid_argument(
            "Default retention period too large",
            "RetentionPeriod",
            &length.to_string(),
        ));
    }
    Ok(DefaultRetention { compliance, span })
}

on_bucket! {
    /// Lets a bucket lock objects, and says how long where a request does not.
    PutObjectLockConfiguration(model::PutObjectLockConfigurationRequest) -> model::PutObjectLockConfigurationOutput,
    Access::write("s3:PutBucketObjectLockConfiguration");
    |call, bucket, input| {
        let charged = payer::charge(call, &bucket, input.request_payer)?;
        let Some(asked) = input.object_lock_configuration else {
            return Err(malformed_xml());
        };
        if asked.object_lock_enabled.is_none() {
            return Err(malformed_xml());
        }
        if bucket.versioning != Versioning::Enabled {
            return Err(invalid_state(
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ));
        }
        let default = match asked.rule.map(|rule| rule.default_retention) {
            None => None,
            Some(Some(asked)) => Some(retention(&asked)?),
            Some(None) => return Err(malformed_xml()),
        };
        let mut bucket = to_change(&bucket);
        bucket.object_lock = Some(ObjectLock { default });
        bucket.keep(call)?;
        Ok(model::PutObjectLockConfigurationOutput {
            request_charged: charged,
        })
    }
}

on_bucket! {
    /// Shows whether a bucket locks objects, and how long where a request does not say.
    GetObjectLockConfiguration(model::GetObjectLockConfigurationRequest) -> model::GetObjectLockConfigurationOutput,
    Access::read("s3:GetBucketObjectLockConfiguration");
    |_call, bucket, _input| {
        let Some(lock) = bucket.object_lock else {
            return Err(Fault::plain(
                "ObjectLockConfigurationNotFoundError",
                404,
                "Object Lock configuration does not exist for this bucket",
            )
            .with("BucketName", text(&bucket.name)));
        };
        let rule = lock.default.map(|default| {
            let (days, years) = match default.span {
                Span::Days(days) => (Some(days), None),
                Span::Years(years) => (None, Some(years)),
            };
            let mode = if default.compliance {
                model::ObjectLockRetentionMode::Compliance
            } else {
                model::ObjectLockRetentionMode::Governance
            };
            model::ObjectLockRule {
                default_retention: Some(model::DefaultRetention {
                    days,
                    years,
                    mode: Some(mode),
                    ..Default::default()
                }),
            }
        });
        Ok(model::GetObjectLockConfigurationOutput {
            object_lock_configuration: Some(model::ObjectLockConfiguration {
                object_lock_enabled: Some(model::ObjectLockEnabled::Enabled),
                rule,
            }),
        })
    }
}
