//! Where a bucket's objects are copied to.
//!
//! Invariant: both buckets keep versions when the configuration is put, and the caller may hand the role to S3.
//!
//! Source: S3 API Reference, "PutBucketReplication".

use std::collections::BTreeSet;

use ::policy::{Arn, Context};
use api::s3 as model;
use pipeline::{Access, Call, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{BUCKETS, Configured, Versioning, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_argument, invalid_request, malformed_xml, text};

const PUT: Access = Access::write("s3:PutReplicationConfiguration");
const PASS_ROLE: Access = Access::write("iam:PassRole");
const RULES_MAX: usize = 1000;

fn pass(call: &mut Call<'_>, role: &str) -> Result<()> {
    let parsed = Arn::parse(role);
    let fits = parsed
        .as_ref()
        .filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
    let Some(arn) = fits else {
        return Err(invalid_argument("Invalid IAM Role ARN", "Role", role));
    };
    let context = Context::default().with("iam:PassedToService", "s3.amazonaws.com");
    let owner = arn.account().to_owned();
    call.also(PASS_ROLE, role, &owner, context)
}

/// A rule with a filter is of the newer form, which asks for more.
fn check_rule(rule: &model::ReplicationRule) -> Result<()> {
    if rule.filter.is_some() && rule.prefix.is_some() {
        return Err(malformed_xml());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > 255) {
        return Err(invalid_argument(
            "ID length should not exceed allowed limit of 255",
            "ID",
            rule.id.as_deref().unwrap_or_default(),
        ));
    }
    if let Some(filter) = &rule.filter {
        if rule.priority.is_none() {
            return Err(invalid_request(
                "Priority must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 \
                 Developer Guide for more information.",
            ));
        }
        if rule.delete_marker_replication.is_none() {
            return Err(invalid_request(
                "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema. Please \
                 refer to S3 Developer Guide for more information.",
            ));
        }
        let tagged = filter.tag.is_some() || filter.and.as_ref().is_some_and(|and| and.tags.is_some());
        let marked = rule
            .delete_marker_replication
            .as_ref()
            .is_some_and(|markers| markers.status == Some(model::DeleteMarkerReplicationStatus::Enabled));
        if tagged && marked {
            return Err(invalid_request(
                "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for \
                 more information.",
            ));
        }
    }
    let under_kms = rule
        .source_selection_criteria
        .as_ref()
        .and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref())
        .is_some_and(|kms| kms.status == model::SseKmsEncryptedObjectsStatus::Enabled);
    if under_kms != rule.destination.encryption_configuration.is_some() {
        return Err(invalid_request(
            "SseKmsEncryptedObjects and EncryptionConfiguration must be specified together.",
        ));
    }
    Ok(())
}

fn check_destination(call: &mut Call<'_>, destination: &model::Destination) -> Result<()> {
    let name = destination.bucket.strip_prefix("arn:aws:s3:::");
    let Some(name) = name else {
        return Err(invalid_argument(
            "Invalid bucket ARN",
            "Bucket",
            &destination.bucket,
        ));
    };
    let Some(target) = call.get(&BUCKETS, name)? else {
        return Err(invalid_request("Destination bucket must exist."));
    };
    if target.versioning != Versioning::Enabled {
        return Err(invalid_request(
            "Destination bucket must have versioning enabled.",
        ));
    }
    if destination
        .account
        .as_ref()
        .is_some_and(|account| *account != target.account)
    {
        return Err(invalid_request(
            "Account must be the owner of the destination bucket.",
        ));
    }
    if destination.access_control_translation.is_some() && destination.account.is_none() {
        return Err(invalid_request(
            "Account must be specified when AccessControlTranslation is.",
        ));
    }
    Ok(())
}

on_bucket! {
    /// Says where a bucket's objects are copied to.
    PutBucketReplication(model::PutBucketReplicationRequest) -> Empty, PUT, also &[PASS_ROLE];
    |call, bucket, input| {
        if bucket.versioning != Versioning::Enabled {
            return Err(invalid_request(
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            ));
        }
        let mut asked = input.replication_configuration;
        if asked.rules.is_empty() || asked.rules.len() > RULES_MAX {
            return Err(malformed_xml());
        }
        pass(call, &asked.role)?;
        let (mut ids, mut priorities) = (BTreeSet::new(), BTreeSet::new());
        for rule in &mut asked.rules {
            check_rule(rule)?;
            check_destination(call, &rule.destination)?;
            let id = match &rule.id {
                Some(id) if !id.is_empty() => id.clone(),
                _ => rule.id.insert(call.uuid()?).clone(),
            };
            if !ids.insert(id.clone()) {
                return Err(invalid_argument("Rule Id must be unique. Found same Id for more than one rule", "ID", &id));
            }
            if let Some(priority) = rule.priority
                && !priorities.insert(priority)
            {
                return Err(invalid_request(format!("Found duplicate priority {priority}")));
            }
        }
        let bucket = to_change(&bucket);
        configuration::put(call, bucket, Configured::Replication, "", "ReplicationConfiguration", asked)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Shows where a bucket's objects are copied to.
    GetBucketReplication(model::GetBucketReplicationRequest) -> model::GetBucketReplicationOutput,
    Access::read("s3:GetReplicationConfiguration");
    |call, bucket, _input| {
        let found = configuration::read(call, &bucket, Configured::Replication, "")?;
        let Some(found) = found else {
            return Err(Fault::plain(
                "ReplicationConfigurationNotFoundError",
                404,
                "The replication configuration was not found",
            )
            .with("BucketName", text(&bucket.name)));
        };
        Ok(model::GetBucketReplicationOutput {
            replication_configuration: Some(found),
        })
    }
}

on_bucket! {
    /// Copies nothing any more.
    DeleteBucketReplication(model::DeleteBucketReplicationRequest) -> Empty, PUT;
    |call, bucket, _input| {
        let bucket = to_change(&bucket);
        configuration::delete(call, bucket, Configured::Replication, "")?;
        Ok(Empty)
    }
}
