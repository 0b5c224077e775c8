//! Small settings of a bucket: who pays, whether transfers are sped up, whether tags count for policies.

use api::s3 as model;
use pipeline::Access;
use wire::typed::Empty;

use super::{Configured, on_bucket::on_bucket, to_change};
use crate::s3::configuration;
use crate::s3::fault::{invalid_request, malformed_xml};
use crate::s3::payer;

on_bucket! {
    /// Says who pays for requests.
    GetBucketRequestPayment(model::GetBucketRequestPaymentRequest) -> model::GetBucketRequestPaymentOutput,
    Access::read("s3:GetBucketRequestPayment");
    |_call, bucket, _input| {
        Ok(model::GetBucketRequestPaymentOutput {
            payer: Some(if bucket.requester_pays {
                model::Payer::Requester
            } else {
                model::Payer::BucketOwner
            }),
        })
    }
}

on_bucket! {
    /// Lets the owner pay for requests, or whoever makes them.
    PutBucketRequestPayment(model::PutBucketRequestPaymentRequest) -> Empty,
    Access::write("s3:PutBucketRequestPayment");
    |call, bucket, input| {
        let mut bucket = to_change(&bucket);
        bucket.requester_pays = input.request_payment_configuration.payer == model::Payer::Requester;
        bucket.keep(call)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Says whether transfers are sped up; nothing where that was never asked for.
    GetBucketAccelerateConfiguration(model::GetBucketAccelerateConfigurationRequest)
        -> model::GetBucketAccelerateConfigurationOutput,
    Access::read("s3:GetAccelerateConfiguration");
    |call, bucket, input| {
        let charged = payer::charge(call, &bucket, input.request_payer)?;
        let found: Option<model::AccelerateConfiguration> =
            configuration::read(call, &bucket, Configured::Accelerate, "")?;
        Ok(model::GetBucketAccelerateConfigurationOutput {
            request_charged: charged,
            status: found.and_then(|found| found.status),
        })
    }
}

on_bucket! {
    /// Keeps whether transfers should be sped up. Here every way is as short as it can be.
    PutBucketAccelerateConfiguration(model::PutBucketAccelerateConfigurationRequest) -> Empty,
    Access::write("s3:PutAccelerateConfiguration");
    |call, bucket, input| {
        if bucket.name.contains('.') {
            return Err(invalid_request(
                "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
            ));
        }
        if input.accelerate_configuration.status.is_none() {
            return Err(malformed_xml());
        }
        let bucket = to_change(&bucket);
        let asked = input.accelerate_configuration;
        configuration::put(call, bucket, Configured::Accelerate, "", "AccelerateConfiguration", asked)?;
        Ok(Empty)
    }
}

on_bucket! {
    /// Says whether a bucket's tags count for policies.
    GetBucketAbac(model::GetBucketAbacRequest) -> model::GetBucketAbacOutput, Access::read("s3:GetBucketAbac");
    |_call, bucket, _input| {
        let status = if bucket.abac {
            model::BucketAbacStatus::Enabled
        } else {
            model::BucketAbacStatus::Disabled
        };
        Ok(model::GetBucketAbacOutput {
            abac_status: Some(model::AbacStatus {
                status: Some(status),
            }),
        })
    }
}

on_bucket! {
    /// Lets a bucket's tags count for policies, or not.
    PutBucketAbac(model::PutBucketAbacRequest) -> Empty, Access::write("s3:PutBucketAbac");
    |call, bucket, input| {
        let Some(status) = input.abac_status.status else {
            return Err(malformed_xml());
        };
        let mut bucket = to_change(&bucket);
        bucket.abac = status == model::BucketAbacStatus::Enabled;
        bucket.keep(call)?;
        Ok(Empty)
    }
}
