//! How a request's payload proves itself: by its hash, by the signatures of its chunks, or not at all; and what its framing says.
//!
//! Invariant: `finish` succeeds only if every byte that was handed on is covered by what the client signed, as far as the client signed
//! the payload, and if there are as many as it said.
//!
//! Source: S3 API Reference, "Signature Calculations for the Authorization Header", single chunk, multiple chunks, and trailers.

use std::sync::Arc;

use bytes::Bytes;
use crypto::checksum::{Checksum, ChecksumSet, Checksums, Summer};
use crypto::digest::{Sha256, sha256};
use crypto::signature::SigningKey;
use http::HeaderMap;
use wire::fault::Common;
use wire::sigv4::{ChunkedDecoder, ChunkedError, Claim, PayloadHash, Piece, Streaming};
use wire::{Document, Fault};

use crate::form::FormFile;
use crate::operation::Result;

/// What the caller's signature says of the payload, and what has arrived of it.
pub(crate) struct Payload {
    kind: Kind,
    /// Bytes that the client said it sends, framing aside.
    declared: Option<u64>,
    /// Trailing headers that the client announced, in lower case.
    announced: Vec<String>,
    taken: u64,
}

enum Kind {
    Unsigned,
    /// In hexadecimal.
    Hashed {
        given: String,
        hasher: Sha256,
    },
    Chunked(Box<Chunked>),
    Form(Box<FormFile>),
}

struct Chunked {
    decoder: ChunkedDecoder,
    /// `None` where chunks are not signed.
    chain: Option<Chain>,
    hasher: Sha256,
    trailers: Vec<(String, String)>,
}

/// The chain of signatures that the chunks continue.
struct Chain {
    key: Arc<SigningKey>,
    time: String,
    scope: String,
    previous: String,
}

impl Chain {
    /// Verifies the next link. `text` is made from the time, the scope and the signature before.
    fn link(&mut self, signature: Option<String>, text: impl FnOnce(&Self) -> String) -> Result<()> {
        let given = signature.unwrap_or_default();
        if !self.key.verify_hex(&text(self), &given) {
            return Err(Fault::common(
                Common::SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            ));
        }
        self.previous = given;
        Ok(())
    }
}

/// Whether the payload comes in chunks of its own, beneath HTTP.
pub(crate) fn is_chunked(headers: &HeaderMap) -> bool {
    headers
        .get("x-amz-content-sha256")
        .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"))
}

impl Payload {
    /// The payload of a request whose signature was verified with `key`, or of one that is not signed.
    pub(crate) fn of(headers: &HeaderMap, proven: Option<(&Claim<'_>, Arc<SigningKey>)>) -> Result<Self> {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let mut declared = number("content-length");
        let kind = match proven {
            None if is_chunked(headers) => Kind::chunked(Streaming::UnsignedTrailer, None),
            None => Kind::Unsigned,
            Some((claim, key)) => match &claim.payload {
                PayloadHash::Unsigned => Kind::Unsigned,
                // Whoever presigns does not have the payload.
                PayloadHash::AbsentComputed if claim.presigned.is_some() => Kind::Unsigned,
                PayloadHash::AbsentComputed => {
                    let message = "Missing required header for this request: x-amz-content-sha256";
                    return Err(Fault::plain("InvalidRequest", 400, message));
                }
                PayloadHash::Literal(given) => Kind::Hashed {
                    given: given.to_string(),
                    hasher: Sha256::new(),
                },
                PayloadHash::Streaming(Streaming::UnsignedTrailer) => {
                    Kind::chunked(Streaming::UnsignedTrailer, None)
                }
                PayloadHash::Streaming(kind) => Kind::chunked(*kind, Some(Chain::of(claim, key))),
            },
        };
        let mut announced = Vec::new();
        if matches!(kind, Kind::Chunked(_)) {
            declared = number("x-amz-decoded-content-length");
            if declared.is_none() {
                let message = "You must provide the Content-Length HTTP header.";
                return Err(Fault::plain("MissingContentLength", 411, message));
            }
            let named = headers.get_all("x-amz-trailer").iter();
            let named = named.filter_map(|value| value.to_str().ok());
            announced = named
                .flat_map(|value| value.split(','))
                .map(|name| name.trim().to_ascii_lowercase())
                .filter(|name| !name.is_empty())
                .collect();
        }
        Ok(Self {
            kind,
            declared,
            announced,
            taken: 0,
        })
    }

    /// The file of a form, whose policy was verified: a browser does not sign it.
    pub(crate) fn of_form(file: FormFile) -> Self {
        Self {
            kind: Kind::Form(Box::new(file)),
            declared: None,
            announced: Vec::new(),
            taken: 0,
        }
    }

    /// Bytes that the client said it sends, framing aside.
    pub(crate) const fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The checksums that are to come as trailers.
    pub(crate) fn checksums(&self) -> ChecksumSet {
        of_names(self.announced.iter().map(String::as_str))
    }

    /// Takes what has arrived, and hands on what it carries. What is handed on is proven only once `finish` succeeds.
    pub(crate) fn take(&mut self, arrived: Bytes, each: &mut impl FnMut(&Bytes) -> Result<()>) -> Result<()> {
        let (taken, declared) = (&mut self.taken, self.declared);
        let mut hand_on = |bytes: &Bytes| {
            *taken = taken.saturating_add(bytes.len() as u64);
            if declared.is_some_and(|declared| *taken > declared) {
                return Err(incomplete());
            }
            each(bytes)
        };
        match &mut self.kind {
            Kind::Unsigned => hand_on(&arrived),
            Kind::Hashed { hasher, .. } => {
                hasher.update(&arrived);
                hand_on(&arrived)
            }
            Kind::Chunked(chunked) => chunked.take(arrived, &mut hand_on),
            Kind::Form(file) => file.take(arrived, &mut hand_on),
        }
    }

    /// Ends, and gives the trailing headers.
    pub(crate) fn finish(self) -> Result<Vec<(String, String)>> {
        if self.declared.is_some_and(|declared| declared != self.taken) {
            return Err(incomplete());
        }
        match self.kind {
            Kind::Unsigned => Ok(Vec::new()),
            Kind::Form(file) => file.finish().map(|()| Vec::new()),
            Kind::Hashed { given, hasher } => {
                let computed = crypto::digest::hex(&hasher.finish());
                if given.eq_ignore_ascii_case(&computed) {
                    return Ok(Vec::new());
                }
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                Err(Fault::plain("XAmzContentSHA256Mismatch", 400, message)
                    .with("ClientComputedContentSHA256", Document::String(given))
                    .with("S3ComputedContentSHA256", Document::String(computed)))
            }
            Kind::Chunked(chunked) => {
                chunked.decoder.finish().map_err(malformed)?;
                let sent = chunked.trailers.iter().map(|(name, _)| name);
                let as_announced = sent.clone().all(|name| self.announced.contains(name))
                    && self
                        .announced
                        .iter()
                        .all(|name| sent.clone().any(|sent| sent == name));
                if !as_announced {
                    return Err(malformed_trailer());
                }
                Ok(chunked.trailers)
            }
        }
    }

    /// Takes a whole body, and gives what it carries, with its trailing headers, whose checksums were found right.
    pub(crate) fn decode(mut self, body: Bytes) -> Result<(Bytes, Vec<(String, String)>)> {
        let mut summer = Summer::new(self.checksums());
        let mut decoded = Vec::with_capacity(body.len());
        self.take(body, &mut |bytes| {
            summer.update(bytes);
            decoded.extend_from_slice(bytes);
            Ok(())
        })?;
        let trailers = self.finish()?;
        check_trailers(&trailers, &summer.finish())?;
        Ok((decoded.into(), trailers))
    }
}

impl Kind {
    fn chunked(kind: Streaming, chain: Option<Chain>) -> Self {
        Self::Chunked(Box::new(Chunked {
            decoder: ChunkedDecoder::new(kind),
            chain,
            hasher: Sha256::new(),
            trailers: Vec::new(),
        }))
    }
}

impl Chain {
    fn of(claim: &Claim<'_>, key: Arc<SigningKey>) -> Self {
        let scope = &claim.scope;
        Self {
            key,
            time: claim.timestamp.text.clone(),
            scope: format!("{}/{}/{}/aws4_request", scope.date, scope.region, scope.service),
            previous: claim.signature.to_string(),
        }
    }
}

impl Chunked {
    fn take(&mut self, arrived: Bytes, each: &mut impl FnMut(&Bytes) -> Result<()>) -> Result<()> {
        self.decoder.push(arrived);
        while let Some(piece) = self.decoder.next_piece().map_err(malformed)? {
            match piece {
                Piece::Data(bytes) => {
                    if self.chain.is_some() {
                        self.hasher.update(&bytes);
                    }
                    each(&bytes)?;
                }
                Piece::End { signature } => {
                    let hash = std::mem::take(&mut self.hasher).finish();
                    if let Some(chain) = &mut self.chain {
                        chain.link(signature, |chain| {
                            let Chain {
                                time,
                                scope,
                                previous,
                                ..
                            } = chain;
                            ChunkedDecoder::chunk_string_to_sign(time, scope, previous, &hash, sha256)
                        })?;
                    }
                }
                Piece::Trailer { headers, signature } => {
                    if let Some(chain) = &mut self.chain {
                        chain.link(signature, |chain| {
                            let Chain {
                                time,
                                scope,
                                previous,
                                ..
                            } = chain;
                            ChunkedDecoder::trailer_string_to_sign(time, scope, previous, &headers, sha256)
                        })?;
                    }
                    self.trailers = headers;
                }
            }
        }
        Ok(())
    }
}

fn of_names<'a>(names: impl Iterator<Item = &'a str>) -> ChecksumSet {
    let known = names.filter_map(Checksum::of_header);
    known.fold(ChecksumSet::NONE, ChecksumSet::with)
}

/// The checksums that these trailing headers carry.
pub(crate) fn carried(trailers: &[(String, String)]) -> ChecksumSet {
    of_names(trailers.iter().map(|(name, _)| name.as_str()))
}

/// Compares the checksums of trailing headers with the computed ones.
pub(crate) fn check_trailers(trailers: &[(String, String)], computed: &Checksums) -> Result<()> {
    use base64::Engine as _;
    for (name, value) in trailers {
        let Some(checksum) = Checksum::of_header(name) else {
            continue;
        };
        let given = base64::engine::general_purpose::STANDARD.decode(value);
        let Some(given) = given.ok().filter(|given| given.len() == checksum.width()) else {
            let message = format!("Value for {name} trailing header is invalid.");
            return Err(Fault::plain("InvalidRequest", 400, message));
        };
        if computed.get(checksum) != Some(given.as_slice()) {
            let name = checksum.name();
            let message = format!("The {name} you specified did not match the calculated checksum.");
            return Err(Fault::plain("BadDigest", 400, message));
        }
    }
    Ok(())
}

/// A body that ended early, or did not end where it said.
pub(crate) fn incomplete() -> Fault {
    Fault::plain(
        "IncompleteBody",
        400,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

fn malformed_trailer() -> Fault {
    Fault::plain(
        "MalformedTrailerError",
        400,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}

fn malformed(error: ChunkedError) -> Fault {
    match error {
        ChunkedError::Trailer => malformed_trailer(),
        ChunkedError::Truncated | ChunkedError::Trailing => incomplete(),
        ChunkedError::Unsigned => Fault::common(
            Common::SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
        ),
        ChunkedError::Head | ChunkedError::TooLarge => Fault::plain(
            "InvalidRequest",
            400,
            format!("The request body is not aws-chunked: {error}."),
        ),
    }
}
