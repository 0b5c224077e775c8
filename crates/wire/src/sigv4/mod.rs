//! AWS Signature Version 4: what a request claims, what it should have signed, and how our own clients sign.
//!
//! Invariant: nothing here decides who the caller is. This module says which text the signature must cover; the
//! keyed hash and the comparison belong to the caller, who holds the key. Hash functions are passed in.
//!
//! Source: IAM User Guide, "AWS Signature Version 4 for API requests"; S3 API Reference, "Authenticating Requests".

use std::borrow::Cow;

mod canonical;
mod check;
mod chunked;
mod claim;
mod encoding;
mod sign;

pub use canonical::{StringToSign, string_to_sign};
pub use check::{
    PayloadRule, check_payload, check_payload_kind, check_scope, check_signed_headers, check_time,
    mismatch_message, signature_mismatch, signature_mismatch_of_objects, wrong_region,
};
pub(crate) use check::{extended, skewed, spaced_hex};
pub use chunked::{ChunkedDecoder, ChunkedError, Piece};
pub use claim::parse;
pub(crate) use claim::scope_of;
pub use encoding::{basic_time, hex, parse_basic_time, percent_decode, percent_encode};
pub(crate) use encoding::{decode_bytes, parse_http_date};
pub use sign::{Signer, sign_request, signing_key};

/// SHA-256, passed in, since this crate knows no cryptography.
pub type Sha256 = fn(&[u8]) -> [u8; 32];

/// HMAC-SHA-256 of a message (second) under a key (first).
pub type HmacSha256 = fn(&[u8], &[u8]) -> [u8; 32];

/// The only algorithm served.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How far a signature's time may be from ours, either way.
pub const WINDOW_SECONDS: i64 = 15 * 60;

/// The longest life of a presigned request: a week.
pub const PRESIGNED_SECONDS_MAX: i64 = 604_800;

/// What a signed request says about its signature. Nothing in it is proven yet.
pub struct Claim<'a> {
    pub access_key_id: Cow<'a, str>,
    pub scope: Scope<'a>,
    /// Lower-case names, separated by `;`, as the client sent them.
    pub signed_headers: Cow<'a, str>,
    /// Hexadecimal, as the client sent it; see `Claim::signature_bytes`.
    pub signature: Cow<'a, str>,
    pub timestamp: SignedAt,
    pub session_token: Option<Cow<'a, str>>,
    /// `Some` if the signature came in the query string.
    pub presigned: Option<Presigned>,
    pub payload: PayloadHash<'a>,
    /// Always `ALGORITHM`.
    pub algorithm: &'static str,
}

/// The credential scope; its terminator was checked to be `aws4_request`.
pub struct Scope<'a> {
    /// `20150830`
    pub date: Cow<'a, str>,
    pub region: Cow<'a, str>,
    pub service: Cow<'a, str>,
}

/// When the request says it was signed.
pub struct SignedAt {
    /// Unix time.
    pub seconds: i64,
    /// `20150830T123600Z`, the form that the string to sign uses whatever header it came in.
    pub text: String,
}

/// What only presigned requests say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Presigned {
    /// `X-Amz-Expires`: not negative, at most a week. `None`: not said, which S3 refuses.
    pub expires_seconds: Option<i64>,
}

/// What the request says about its payload (`x-amz-content-sha256`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PayloadHash<'a> {
    /// A hash, in hexadecimal.
    Literal(Cow<'a, str>),
    /// `UNSIGNED-PAYLOAD`
    Unsigned,
    /// A body in signed or trailed chunks (`aws-chunked`).
    Streaming(Streaming),
    /// Not said: the server hashes the body.
    AbsentComputed,
}

/// The kinds of chunked payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Streaming {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`
    UnsignedTrailer,
}

/// How a service canonicalises the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathStyle {
    /// Every service but S3: dot segments and empty segments removed, then each segment encoded once more.
    Normalised,
    /// S3: the path as it is, encoded once.
    Raw,
}

impl Claim<'_> {
    /// The signature as bytes; `None` if it is not 64 hexadecimal digits, which can match nothing.
    pub fn signature_bytes(&self) -> Option<[u8; 32]> {
        encoding::unhex(&self.signature)
    }

    /// Whether the header (in lower case) is covered by the signature.
    pub fn signs(&self, header: &str) -> bool {
        self.signed_headers.split(';').any(|name| name == header)
    }
}

impl Streaming {
    /// The value of `x-amz-content-sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }
}
