//! What a bucket is asked to report of itself, each by an id: inventories, analyses of storage classes, metrics, and the tiers that
//! objects move between.
//!
//! Invariant: a configuration stands under the id that it names, and only what is done is taken. Inventories are made (`report`), and
//! request metrics published (`metrics`). Nothing analyzes storage classes or moves objects between tiers, so
//! `PutBucketAnalyticsConfiguration` and `PutBucketIntelligentTieringConfiguration` are not built; reads say truly that there is none.

use api::s3 as model;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};
use policy::Context;
use wire::Fault;
use wire::fault::Common;
use wire::typed::Empty;

use super::{BucketTarget, Configured, on_bucket::on_bucket, to_change};
use crate::s3::fault::{invalid_argument, malformed_xml, text};
use crate::s3::{configuration, locate, report};

/// Configurations of one answer.
const PAGE: usize = 100;
const PURPOSE: &str = "s3.reports";

fn missing(id: &str) -> Fault {
    Fault::plain(
        "NoSuchConfiguration",
        404,
        "The specified configuration does not exist.",
    )
    .with("ConfigurationId", text(id))
}

pub(super) fn different(id: &str) -> Fault {
    invalid_argument(
        "The id in the query and the id in the body must be the same.",
        "Id",
        id,
    )
}

macro_rules! reports {
    ($kind:ident, $get_action:literal, $put_action:literal, $field:ident, $list_field:ident;
     $get:ident($get_in:ident) -> $get_out:ident, $delete:ident($delete_in:ident),
     $list:ident($list_in:ident) -> $list_out:ident;) => {
        on_bucket! {
            /// Shows a configuration.
            $get(model::$get_in) -> model::$get_out, Access::read($get_action);
            |call, bucket, input| {
                let found = configuration::read(call, &bucket, Configured::$kind, &input.id)?;
                Ok(model::$get_out {
                    $field: Some(found.ok_or_else(|| missing(&input.id))?),
                })
            }
        }

        on_bucket! {
            /// Takes a configuration away.
            $delete(model::$delete_in) -> Empty, Access::write($put_action);
            |call, bucket, input| {
                if matches!(Configured::$kind, Configured::Inventory) {
                    report::end(call, &bucket.name, &input.id)?;
                }
                let bucket = to_change(&bucket);
                if configuration::delete(call, bucket, Configured::$kind, &input.id)? {
                    Ok(Empty)
                } else {
                    Err(missing(&input.id))
                }
            }
        }

        on_bucket! {
            /// Lists configurations, in the order of their ids.
            $list(model::$list_in) -> model::$list_out, Access::read($get_action);
            |call, bucket, input| {
                let after = match &input.continuation_token {
                    None => None,
                    Some(token) => {
                        let opened = call.open_token(PURPOSE, token);
                        let id = opened.as_ref().and_then(|opened| opened.expose_text().ok());
                        let invalid = || {
                            invalid_argument("The continuation token provided is incorrect", "continuation-token", token)
                        };
                        Some(id.ok_or_else(invalid)?.to_owned())
                    }
                };
                let (found, next) = configuration::page(call, &bucket, Configured::$kind, after.as_deref(), PAGE)?;
                let next = match next {
                    Some(id) => Some(call.issue_token(PURPOSE, id.as_bytes())?),
                    None => None,
                };
                Ok(model::$list_out {
                    continuation_token: input.continuation_token,
                    $list_field: (!found.is_empty()).then_some(found),
                    is_truncated: Some(next.is_some()),
                    next_continuation_token: next,
                })
            }
        }
    };
}

reports! {
    Inventory, "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration",
    inventory_configuration, inventory_configuration_list;
    GetBucketInventoryConfiguration(GetBucketInventoryConfigurationRequest) -> GetBucketInventoryConfigurationOutput,
    DeleteBucketInventoryConfiguration(DeleteBucketInventoryConfigurationRequest),
    ListBucketInventoryConfigurations(ListBucketInventoryConfigurationsRequest) -> ListBucketInventoryConfigurationsOutput;
}

reports! {
    Analytics, "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration",
    analytics_configuration, analytics_configuration_list;
    GetBucketAnalyticsConfiguration(GetBucketAnalyticsConfigurationRequest) -> GetBucketAnalyticsConfigurationOutput,
    DeleteBucketAnalyticsConfiguration(DeleteBucketAnalyticsConfigurationRequest),
    ListBucketAnalyticsConfigurations(ListBucketAnalyticsConfigurationsRequest) -> ListBucketAnalyticsConfigurationsOutput;
}

reports! {
    Metrics, "s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration",
    metrics_configuration, metrics_configuration_list;
    GetBucketMetricsConfiguration(GetBucketMetricsConfigurationRequest) -> GetBucketMetricsConfigurationOutput,
    DeleteBucketMetricsConfiguration(DeleteBucketMetricsConfigurationRequest),
    ListBucketMetricsConfigurations(ListBucketMetricsConfigurationsRequest) -> ListBucketMetricsConfigurationsOutput;
}

reports! {
    IntelligentTiering, "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration",
    intelligent_tiering_configuration, intelligent_tiering_configuration_list;
    GetBucketIntelligentTieringConfiguration(GetBucketIntelligentTieringConfigurationRequest)
        -> GetBucketIntelligentTieringConfigurationOutput,
    DeleteBucketIntelligentTieringConfiguration(DeleteBucketIntelligentTieringConfigurationRequest),
    ListBucketIntelligentTieringConfigurations(ListBucketIntelligentTieringConfigurationsRequest)
        -> ListBucketIntelligentTieringConfigurationsOutput;
}

/// Which optional fields the lists will show to who may read them.
const FIELDS: &str = "s3:InventoryAccessibleOptionalFields";

/// Keeps an inventory under its id, and plans its first list.
pub struct PutBucketInventoryConfiguration;

impl Operation for PutBucketInventoryConfiguration {
    type Input = model::PutBucketInventoryConfigurationRequest;
    type Output = Empty;
    type Target = BucketTarget;
    const ACCESS: Access = Access::write("s3:PutInventoryConfiguration");
    const CONDITIONS: &'static [&'static str] = &[FIELDS];

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<BucketTarget>> {
        locate::bucket(look, &input.bucket, input.expected_bucket_owner.as_deref())
    }

    fn conditions(input: &Self::Input, context: &mut Context) {
        let fields = input.inventory_configuration.optional_fields.iter().flatten();
        let named: Vec<String> = fields.map(|field| field.as_str().to_owned()).collect();
        if !named.is_empty() {
            context.insert_many(FIELDS, named);
        }
    }

    fn handle(call: &mut Call<'_>, bucket: Authorized<BucketTarget>, input: Self::Input) -> Result<Empty> {
        let asked = input.inventory_configuration;
        if input.id != asked.id {
            return Err(different(&input.id));
        }
        check(&asked)?;
        let bucket = to_change(&bucket);
        report::begin(call, &bucket, &asked)?;
        configuration::put(
            call,
            bucket,
            Configured::Inventory,
            &input.id,
            "InventoryConfiguration",
            asked,
        )?;
        Ok(Empty)
    }
}

/// Whether an inventory can be made as it is asked for.
fn check(asked: &model::InventoryConfiguration) -> Result<()> {
    let unbuilt = |what: String| Err(Fault::common(Common::NotImplemented, what));
    let to = &asked.destination.s3_bucket_destination;
    if to.format != model::InventoryFormat::Csv {
        return unbuilt(format!(
            "This version of Ringwork delivers inventories as CSV, and not as {}.",
            to.format.as_str()
        ));
    }
    let mut fields = asked.optional_fields.iter().flatten();
    if let Some(other) = fields.find(|field| !report::is_written(**field)) {
        return unbuilt(format!(
            "This version of Ringwork delivers inventories without the field {}.",
            other.as_str()
        ));
    }
    if report::bucket_of(&to.bucket).is_none() {
        return Err(invalid_argument(
            "The destination bucket ARN is not valid.",
            "Bucket",
            &to.bucket,
        ));
    }
    let both = to
        .encryption
        .as_ref()
        .is_some_and(|encryption| encryption.sse_kms.is_some() && encryption.sses3.is_some());
    if both { Err(malformed_xml()) } else { Ok(()) }
}
