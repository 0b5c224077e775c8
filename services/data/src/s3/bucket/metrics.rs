//! Metrics configurations: which requests to a bucket are counted, by an id.
//!
//! Invariant: a configuration stands under the id that it names; requests count from the moment on at which it is there.

use api::s3 as model;
use pipeline::Access;
use wire::typed::Empty;

use super::{Configured, on_bucket::on_bucket, to_change};
use crate::s3::{configuration, metrics};

on_bucket! {
    /// Keeps a metrics configuration under its id.
    PutBucketMetricsConfiguration(model::PutBucketMetricsConfigurationRequest) -> Empty,
    Access::write("s3:PutMetricsConfiguration");
    |call, bucket, input| {
        let asked = input.metrics_configuration;
        if input.id != asked.id {
            return Err(super::reports::different(&input.id));
        }
        metrics::check(&asked)?;
        let bucket = to_change(&bucket);
        configuration::put(call, bucket, Configured::Metrics, &input.id, "MetricsConfiguration", asked)?;
        Ok(Empty)
    }
}
