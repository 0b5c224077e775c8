//! What a bucket is asked to report of itself, each by an id: inventories, analyses of storage classes, metrics, and the tiers that
//! objects move between.
//!
//! Invariant: a configuration stands under the id that it names.

use api::s3 as model;
use pipeline::Access;
use wire::Fault;
use wire::typed::Empty;

use super::{Configured, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_argument, text};

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

fn different(id: &str) -> Fault {
    invalid_argument(
        "The id in the query and the id in the body must be the same.",
        "Id",
        id,
    )
}

macro_rules! reports {
    ($kind:ident, $get_action:literal, $put_action:literal, $shape:literal, $field:ident, $list_field:ident;
     $put:ident($put_in:ident), $get:ident($get_in:ident) -> $get_out:ident, $delete:ident($delete_in:ident),
     $list:ident($list_in:ident) -> $list_out:ident; $($page_size:ident)?) => {
        on_bucket! {
            /// Keeps a configuration under its id.
            $put(model::$put_in) -> Empty, Access::write($put_action);
            |call, bucket, input| {
                if input.id != input.$field.id {
                    return Err(different(&input.id));
                }
                let bucket = to_change(&bucket);
                configuration::put(call, bucket, Configured::$kind, &input.id, $shape, input.$field)?;
                Ok(Empty)
            }
        }

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
    Inventory, "s3:GetInventoryConfiguration", "s3:PutInventoryConfiguration", "InventoryConfiguration",
    inventory_configuration, inventory_configuration_list;
    PutBucketInventoryConfiguration(PutBucketInventoryConfigurationRequest),
    GetBucketInventoryConfiguration(GetBucketInventoryConfigurationRequest) -> GetBucketInventoryConfigurationOutput,
    DeleteBucketInventoryConfiguration(DeleteBucketInventoryConfigurationRequest),
    ListBucketInventoryConfigurations(ListBucketInventoryConfigurationsRequest) -> ListBucketInventoryConfigurationsOutput;
}

reports! {
    Analytics, "s3:GetAnalyticsConfiguration", "s3:PutAnalyticsConfiguration", "AnalyticsConfiguration",
    analytics_configuration, analytics_configuration_list;
    PutBucketAnalyticsConfiguration(PutBucketAnalyticsConfigurationRequest),
    GetBucketAnalyticsConfiguration(GetBucketAnalyticsConfigurationRequest) -> GetBucketAnalyticsConfigurationOutput,
    DeleteBucketAnalyticsConfiguration(DeleteBucketAnalyticsConfigurationRequest),
    ListBucketAnalyticsConfigurations(ListBucketAnalyticsConfigurationsRequest) -> ListBucketAnalyticsConfigurationsOutput;
}

reports! {
    Metrics, "s3:GetMetricsConfiguration", "s3:PutMetricsConfiguration", "MetricsConfiguration",
    metrics_configuration, metrics_configuration_list;
    PutBucketMetricsConfiguration(PutBucketMetricsConfigurationRequest),
    GetBucketMetricsConfiguration(GetBucketMetricsConfigurationRequest) -> GetBucketMetricsConfigurationOutput,
    DeleteBucketMetricsConfiguration(DeleteBucketMetricsConfigurationRequest),
    ListBucketMetricsConfigurations(ListBucketMetricsConfigurationsRequest) -> ListBucketMetricsConfigurationsOutput;
}

reports! {
    IntelligentTiering, "s3:GetIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration",
    "IntelligentTieringConfiguration", intelligent_tiering_configuration, intelligent_tiering_configuration_list;
    PutBucketIntelligentTieringConfiguration(PutBucketIntelligentTieringConfigurationRequest),
    GetBucketIntelligentTieringConfiguration(GetBucketIntelligentTieringConfigurationRequest)
        -> GetBucketIntelligentTieringConfigurationOutput,
    DeleteBucketIntelligentTieringConfiguration(DeleteBucketIntelligentTieringConfigurationRequest),
    ListBucketIntelligentTieringConfigurations(ListBucketIntelligentTieringConfigurationsRequest)
        -> ListBucketIntelligentTieringConfigurationsOutput;
}
