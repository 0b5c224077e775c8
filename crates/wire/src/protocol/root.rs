//! The root elements of S3's answers, which its model does not tell: they are older than it.
//!
//! Source: S3 API Reference, "Response Syntax" of each operation.

/// The root element of an output shape's body.
pub(super) fn element(shape: &'static str) -> &'static str {
    match shape {
        "CompleteMultipartUploadOutput" => "CompleteMultipartUploadResult",
        "CreateMultipartUploadOutput" => "InitiateMultipartUploadResult",
        "DeleteObjectsOutput" => "DeleteResult",
        "GetBucketAccelerateConfigurationOutput" => "AccelerateConfiguration",
        "GetBucketAclOutput" | "GetObjectAclOutput" => "AccessControlPolicy",
        "GetBucketCorsOutput" => "CORSConfiguration",
        "GetBucketLifecycleConfigurationOutput" => "LifecycleConfiguration",
        "GetBucketLocationOutput" => "LocationConstraint",
        "GetBucketLoggingOutput" => "BucketLoggingStatus",
        "GetBucketRequestPaymentOutput" => "RequestPaymentConfiguration",
        "GetBucketTaggingOutput" | "GetObjectTaggingOutput" => "Tagging",
        "GetBucketVersioningOutput" => "VersioningConfiguration",
        "GetBucketWebsiteOutput" => "WebsiteConfiguration",
        "GetObjectAttributesOutput" => "GetObjectAttributesResponse",
        "ListBucketAnalyticsConfigurationsOutput" => "ListBucketAnalyticsConfigurationResult",
        "ListBucketInventoryConfigurationsOutput" => "ListInventoryConfigurationsResult",
        "ListBucketMetricsConfigurationsOutput" => "ListMetricsConfigurationsResult",
        "ListBucketsOutput" => "ListAllMyBucketsResult",
        "ListMultipartUploadsOutput" => "ListMultipartUploadsResult",
        "ListObjectVersionsOutput" => "ListVersionsResult",
        "ListObjectsOutput" | "ListObjectsV2Output" => "ListBucketResult",
        "ListPartsOutput" => "ListPartsResult",
        other => other,
    }
}

/// Whether the root holds the only member's text itself (`GetBucketLocation`).
pub(super) fn is_unwrapped(shape: &str) -> bool {
    shape == "GetBucketLocationOutput"
}
