//! S3's refusals, with the members that its error documents have beside code and message.
//!
//! Source: S3 API Reference, "Error responses".

use wire::{Document, Fault};

use super::bucket::Bucket;

/// A text member of an error document.
pub(crate) fn text(value: impl Into<String>) -> Document {
    Document::String(value.into())
}

/// `NoSuchBucket`, 404.
pub fn no_such_bucket(name: &str) -> Fault {
    api::s3::fault::no_such_bucket("The specified bucket does not exist").with("BucketName", text(name))
}

/// `BucketNotEmpty`, 409.
pub fn bucket_not_empty(name: &str) -> Fault {
    Fault::plain(
        "BucketNotEmpty",
        409,
        "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
    )
    .with("BucketName", text(name))
}

/// `BucketHasAccessPointsAttached`, 400.
pub fn bucket_has_access_points_attached(name: &str) -> Fault {
    Fault::plain(
        "BucketHasAccessPointsAttached",
        400,
        "The bucket you tried to delete has access points attached. Delete your access points before deleting your bucket.",
    )
    .with("BucketName", text(name))
}

/// `InvalidArgument`, 400: a header or parameter that cannot be.
pub fn invalid_argument(message: impl Into<String>, name: &str, value: &str) -> Fault {
    Fault::plain("InvalidArgument", 400, message)
        .with("ArgumentName", text(name))
        .with("ArgumentValue", text(value))
}

/// `InvalidRequest`, 400.
pub fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::plain("InvalidRequest", 400, message)
}

/// `MalformedXML`, 400: a body that is not what the operation asks for.
pub fn malformed_xml() -> Fault {
    Fault::plain(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// `PermanentRedirect`, 301: the request was signed for another region than the bucket's.
pub fn permanent_redirect(bucket: &Bucket) -> Fault {
    Fault::plain(
        "PermanentRedirect",
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to \
         this endpoint.",
    )
    .with(
        "Endpoint",
        text(format!("s3.{}.amazonaws.com", bucket.region)),
    )
    .with("Bucket", text(&bucket.name))
    .with("x-amz-bucket-region", text(&bucket.region))
}
