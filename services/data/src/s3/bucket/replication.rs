//! Where a bucket's objects are copied to.
//!
//! Invariant: both buckets keep versions when the configuration is put, as far as the caller may know that of the other; the caller may
//! hand the role to S3, and there is one. Of another account's bucket nothing is told that its policy does not let the caller ask.
//!
//! Source: S3 API Reference, "PutBucketReplication"; S3 User Guide, "Replication configuration file elements".

use std::collections::BTreeSet;

use ::policy::{Arn, Context};
use api::s3 as model;
use pipeline::{Access, Call, Result};
use wire::Fault;
use wire::typed::Empty;

use super::{BUCKETS, Bucket, Configured, Versioning, on_bucket::on_bucket, to_change};
use crate::s3::fault::{invalid_argument, invalid_request, malformed_xml, text};
use crate::s3::object::class;
use crate::s3::replication::rule::is_newer;
use crate::s3::{access, configuration};

const PUT: Access = Access::write("s3:PutReplicationConfiguration");
const PASS_ROLE: Access = Access::write("iam:PassRole");
const GET_VERSIONING: Access = Access::read("s3:GetBucketVersioning");
const RULES_MAX: usize = 1000;
/// The only threshold that AWS takes.
const MINUTES: i32 = 15;

/// Asks whether the caller may hand the role to S3, and whether it is there.
fn pass(call: &mut Call<'_>, bucket: &Bucket, role: &str) -> Result<()> {
    let wrong = || invalid_argument("Invalid IAM Role ARN", "Role", role);
    let parsed = Arn::parse(role);
    let fits = parsed
        .as_ref()
        .filter(|arn| arn.service() == "iam" && arn.resource().starts_with("role/"));
    let owner = fits.ok_or_else(wrong)?.account().to_owned();
    if owner != bucket.account {
        return Err(Fault::access_denied("Cross-account pass role is not allowed."));
    }
    let context = Context::default()
        .with("iam:PassedToService", "s3.amazonaws.com")
        .with("iam:AssociatedResourceArn", bucket.arn());
    call.also(PASS_ROLE, role, &owner, context)?;
    if !call.directory().principal_exists(call, role)? {
        return Err(wrong());
    }
    Ok(())
}

/// What a filter asks for, and what it asks for with it.
fn check_filter(rule: &model::ReplicationRule, filter: &model::ReplicationRuleFilter) -> Result<()> {
    let named = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.and.is_some(),
    ];
    if named.iter().filter(|named| **named).count() > 1 {
        return Err(malformed_xml());
    }
    if rule.priority.is_none() {
        return Err(invalid_request(
            "Priority must be specified for this version of Cross Region Replication configuration schema. Please refer to S3 Developer \
             Guide for more information.",
        ));
    }
    if rule.delete_marker_replication.is_none() {
        return Err(invalid_request(
            "DeleteMarkerReplication must be specified for this version of Cross Region Replication configuration schema. Please refer \
             to S3 Developer Guide for more information.",
        ));
    }
    let tagged = filter.tag.is_some() || filter.and.as_ref().is_some_and(|and| and.tags.is_some());
    let marked = rule
        .delete_marker_replication
        .as_ref()
        .is_some_and(|markers| markers.status == Some(model::DeleteMarkerReplicationStatus::Enabled));
    if tagged && marked {
        return Err(invalid_request(
            "Delete marker replication is not supported if any Tag filter is specified. Please refer to S3 Developer Guide for more \
             information.",
        ));
    }
    Ok(())
}

/// A rule with a filter is of the newer form, which asks for more.
fn check_rule(rule: &model::ReplicationRule) -> Result<()> {
    // AWS takes no rule any more that would copy what is there already.
    if rule.existing_object_replication.is_some() || (rule.filter.is_some() && rule.prefix.is_some()) {
        return Err(malformed_xml());
    }
    if rule.id.as_ref().is_some_and(|id| id.chars().count() > 255) {
        return Err(invalid_argument(
            "ID length should not exceed allowed limit of 255",
            "ID",
            rule.id.as_deref().unwrap_or_default(),
        ));
    }
    match &rule.filter {
        Some(filter) => check_filter(rule, filter)?,
        None if !is_newer(rule) && rule.delete_marker_replication.is_some() => {
            return Err(invalid_request(
                "DeleteMarkerReplication cannot be used for this version of Cross Region Replication configuration schema. Please refer \
                 to S3 Developer Guide for more information.",
            ));
        }
        None => {}
    }
    let under_kms = rule
        .source_selection_criteria
        .as_ref()
        .and_then(|criteria| criteria.sse_kms_encrypted_objects.as_ref())
        .is_some_and(|kms| kms.status == model::SseKmsEncryptedObjectsStatus::Enabled);
    let key = rule.destination.encryption_configuration.as_ref();
    if under_kms != key.is_some_and(|key| key.replica_kms_key_id.is_some()) {
        return Err(invalid_request(
            "SseKmsEncryptedObjects and EncryptionConfiguration must be specified together.",
        ));
    }
    check_times(&rule.destination)
}

/// Time control comes with metrics, and both count fifteen minutes.
fn check_times(destination: &model::Destination) -> Result<()> {
    let time = destination.replication_time.as_ref();
    let controlled = time.is_some_and(|time| time.status == model::ReplicationTimeStatus::Enabled);
    let metrics = destination.metrics.as_ref();
    let threshold = metrics.and_then(|metrics| metrics.event_threshold.as_ref());
    if controlled && metrics.is_none_or(|metrics| metrics.status != model::MetricsStatus::Enabled) {
        return Err(invalid_request(
            "ReplicationTime cannot be enabled unless Metrics are enabled as well.",
        ));
    }
    if threshold.is_some() && !controlled {
        return Err(invalid_argument(
            "Metrics cannot contain an event threshold when ReplicationTime is not specified or Disabled",
            "EventThreshold",
            "",
        ));
    }
    let minutes = [
        threshold.map(|threshold| threshold.minutes),
        time.map(|time| time.time.minutes),
    ];
    if let Some(other) = minutes
        .into_iter()
        .flatten()
        .find(|minutes| *minutes != Some(MINUTES))
    {
        return Err(invalid_argument(
            "Only 15 minutes are valid for ReplicationTime and EventThreshold",
            "Minutes",
            &other.map(|minutes| minutes.to_string()).unwrap_or_default(),
        ));
    }
    Ok(())
}

fn check_destination(call: &mut Call<'_>, source: &Bucket, destination: &model::Destination) -> Result<()> {
    let name = destination.bucket.strip_prefix("arn:aws:s3:::");
    let Some(name) = name else {
        return Err(invalid_argument(
            "Invalid bucket ARN",
            "Bucket",
            &destination.bucket,
        ));
    };
    if name == source.name {
        return Err(invalid_request(
            "Destination bucket cannot be the same as the source bucket.",
        ));
    }
    let Some(target) = call.get(&BUCKETS, name)? else {
        return Err(invalid_request("Destination bucket must exist."));
    };
    if destination.access_control_translation.is_some() && destination.account.is_none() {
        return Err(invalid_request(
            "Account must be specified when AccessControlTranslation is.",
        ));
    }
    if let Some(class) = destination.storage_class {
        class::read(Some(class))?;
    }
    let account = destination.account.as_deref();
    if target.account != source.account {
        let policies = access::of_bucket(call, &target)?;
        let told = call.would_allow(GET_VERSIONING, &target.arn(), &target.account, policies)?;
        if !told {
            return Ok(());
        }
    }
    if target.versioning != Versioning::Enabled {
        return Err(invalid_request(
            "Destination bucket must have versioning enabled.",
        ));
    }
    if account.is_some_and(|account| account != target.account) {
        return Err(invalid_request(
            "Account must be the owner of the destination bucket.",
        ));
    }
    Ok(())
}

/// What the rules may not be together. Rules of the older form know one destination.
fn check_together(rules: &[model::ReplicationRule]) -> Result<()> {
    let destinations: BTreeSet<_> = rules.iter().map(|rule| &rule.destination.bucket).collect();
    if destinations.len() > 1 && rules.iter().any(|rule| !is_newer(rule)) {
        return Err(invalid_request(
            "Number of distinct destination bucket ARNs cannot exceed 1",
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
        pass(call, &bucket, &asked.role)?;
        check_together(&asked.rules)?;
        let (mut ids, mut priorities) = (BTreeSet::new(), BTreeSet::new());
        for rule in &mut asked.rules {
            check_rule(rule)?;
            check_destination(call, &bucket, &rule.destination)?;
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
