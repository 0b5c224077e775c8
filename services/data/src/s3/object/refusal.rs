//! What S3 answers when an object cannot be had, or be as it is asked for.
//!
//! Source: S3 API Reference, "Error responses".

use wire::fault::Common;
use wire::model::Protocol;
use wire::protocol::{self, Spelling};
use wire::{Document, Fault};

fn text(value: impl Into<String>) -> Document {
    Document::String(value.into())
}

/// `NoSuchKey`, 404.
pub(crate) fn no_such_key(key: &str) -> Fault {
    api::s3::fault::no_such_key("The specified key does not exist.").with("Key", text(key))
}

/// `NoSuchVersion`, 404.
pub(crate) fn no_such_version(key: &str, version: &str) -> Fault {
    Fault::plain("NoSuchVersion", 404, "The specified version does not exist.")
        .with("Key", text(key))
        .with("VersionId", text(version))
}

/// `NoSuchUpload`, 404.
pub(crate) fn no_such_upload(upload: &str) -> Fault {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    api::s3::fault::no_such_upload(message).with("UploadId", text(upload))
}

/// `MethodNotAllowed`, 405: a delete marker has no content, and nothing to be changed.
pub(crate) fn method_not_allowed(method: &str) -> Fault {
    Fault::plain(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    )
    .with("Method", text(method))
    .with("ResourceType", text("DeleteMarker"))
}

/// `PreconditionFailed`, 412.
pub(crate) fn precondition_failed(condition: &str) -> Fault {
    Fault::plain(
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    )
    .with("Condition", text(condition))
}

/// `ConditionalRequestConflict`, 409.
pub(crate) fn conflict(condition: &str) -> Fault {
    Fault::plain(
        "ConditionalRequestConflict",
        409,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    )
    .with("Condition", text(condition))
}

/// 304, which has no error document.
pub(crate) fn not_modified(etag: &str) -> Fault {
    Fault::plain("NotModified", 304, "Not Modified").with("ETag", text(format!("\"{etag}\"")))
}

/// `InvalidRange`, 416.
pub(crate) fn invalid_range(asked: &str, size: u64) -> Fault {
    Fault::plain("InvalidRange", 416, "The requested range is not satisfiable")
        .with("RangeRequested", text(asked))
        .with("ActualObjectSize", text(size.to_string()))
}

/// `InvalidRequest`, 400.
pub(crate) fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::plain("InvalidRequest", 400, message)
}

/// `InvalidArgument`, 400.
pub(crate) fn invalid_argument(message: impl Into<String>, name: &str, value: impl Into<String>) -> Fault {
    Fault::plain("InvalidArgument", 400, message)
        .with("ArgumentName", text(name))
        .with("ArgumentValue", text(value))
}

/// `BadDigest`, 400.
pub(crate) fn bad_digest(message: impl Into<String>) -> Fault {
    Fault::plain("BadDigest", 400, message)
}

/// `InvalidPart`, 400.
pub(crate) fn invalid_part(upload: &str, number: i32, etag: &str) -> Fault {
    let message = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
                   entity tag may not match the part's entity tag.";
    Fault::plain("InvalidPart", 400, message)
        .with("UploadId", text(upload))
        .with("PartNumber", text(number.to_string()))
        .with("ETag", text(etag))
}

/// `AccessDenied`, 403, of what a lock protects.
pub(crate) fn locked() -> Fault {
    Fault::access_denied("Access Denied because object protected by object lock.")
}

/// `AccessDenied`, 403, of what is not said any closer.
pub(crate) fn denied() -> Fault {
    Fault::access_denied("Access Denied")
}

/// `NotImplemented`, 501: a header or setting that this version does not know to honour.
pub(crate) fn not_implemented(header: &str) -> Fault {
    Fault::common(
        Common::NotImplemented,
        "A header you provided implies functionality that is not implemented",
    )
    .with("Header", text(header))
}

fn spelled(refused: &Fault) -> Spelling {
    protocol::spell(api::models::service("s3"), Protocol::RestXml, refused)
}

/// The status of a refusal, as lines of access logs have it: the one that its own request is answered with.
pub(crate) fn status(refused: &Fault) -> u16 {
    spelled(refused).status
}

/// The code of a refusal, as lines of answers and logs have it.
pub(crate) fn code(refused: &Fault) -> String {
    spelled(refused).code.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_tell_refusals_as_their_own_requests_are_answered() {
        for (refused, status_wanted, wanted) in [
            (Fault::common(Common::Validation, ""), 400, "InvalidArgument"),
            (Fault::common(Common::Unavailable, ""), 503, "ServiceUnavailable"),
            (denied(), 403, "AccessDenied"),
            (no_such_key("k"), 404, "NoSuchKey"),
            (Fault::internal("a bug"), 500, "InternalError"),
        ] {
            assert_eq!(
                (status(&refused), code(&refused).as_str()),
                (status_wanted, wanted)
            );
        }
    }
}
