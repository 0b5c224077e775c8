//! Decodes `aws-chunked` bodies: chunks of `size[;chunk-signature=…]`, then trailers, each part with what it signs.
//!
//! Invariant: incremental and bounded. Bytes are handed on as they arrive, without a copy; what is held is one line and one
//! trailer section. Bytes of a chunk prove nothing until its end was reached and its signature found right.
//!
//! Source: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
//! Chunks (Chunked Upload)", and "… Including Trailing Headers".

use bytes::{Buf, Bytes};

use super::encoding::hex;
use super::{Sha256, Streaming};

/// The longest line of a chunk head or trailer section.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// The longest chunk. Clients send 64 KiB to 1 MiB; some send whole parts of up to 16 MiB.
pub(super) const CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Trailing headers at most; clients send one or two.
const TRAILERS_MAX: usize = 16;

/// A body that is not `aws-chunked`, or beyond the bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum ChunkedError {
    #[error("the chunk's head is malformed")]
    Head,
    #[error("a chunk exceeds {CHUNK_BYTES_MAX} bytes")]
    TooLarge,
    #[error("a chunk carries no signature")]
    Unsigned,
    #[error("the trailer section is malformed")]
    Trailer,
    #[error("the body goes on after its end")]
    Trailing,
    #[error("the body ends before its last chunk")]
    Truncated,
}

/// One decoded part of the body.
#[derive(PartialEq, Eq, Debug)]
pub enum Piece {
    /// The next bytes of the chunk that arrives; never none.
    Data(Bytes),
    /// The end of a chunk: all its data were handed out. The last chunk of a body has none. `signature` is the client's, to be
    /// compared with the keyed hash of `ChunkedDecoder::chunk_string_to_sign`; `None` for unsigned payloads.
    End { signature: Option<String> },
    /// The trailing headers (names in lower case) and, for signed payloads, their signature.
    Trailer {
        headers: Vec<(String, String)>,
        signature: Option<String>,
    },
}

enum State {
    Head,
    Bytes {
        left: usize,
        last: bool,
        signature: Option<String>,
    },
    Trailer {
        headers: Vec<(String, String)>,
    },
    Done,
}

/// The incremental decoder. Feed bytes with `push`, take parts with `next_piece` until there is none, then ask `finish`.
pub struct ChunkedDecoder {
    kind: Streaming,
    state: State,
    /// What has arrived and was not looked at yet.
    arrived: Bytes,
    /// The beginning of a line whose end has not arrived.
    line: Vec<u8>,
}

impl ChunkedDecoder {
    /// A decoder at the beginning of a body.
    pub const fn new(kind: Streaming) -> Self {
        Self {
            kind,
            state: State::Head,
            arrived: Bytes::new(),
            line: Vec::new(),
        }
    }

    /// Adds bytes as they arrive. All parts must have been taken before.
    pub fn push(&mut self, bytes: Bytes) {
        self.arrived = if self.arrived.is_empty() {
            bytes
        } else {
            [self.arrived.as_ref(), bytes.as_ref()].concat().into()
        };
    }

    /// The next part, or `None` if more bytes are needed or the body has ended.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, ChunkedError> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Done if self.arrived.is_empty() => return Ok(None),
                State::Done => return Err(ChunkedError::Trailing),
                State::Head => {
                    let Some(line) = self.line(ChunkedError::Head)? else {
                        self.state = State::Head;
                        return Ok(None);
                    };
                    let (left, signature) = head(&line, self.kind)?;
                    let last = left == 0;
                    if last && self.kind != Streaming::Signed {
                        // With trailers, the last chunk's head is followed by the trailing headers at once.
                        self.state = State::Trailer { headers: Vec::new() };
                        return Ok(Some(Piece::End { signature }));
                    }
                    self.state = State::Bytes {
                        left,
                        last,
                        signature,
                    };
                }
                State::Bytes {
                    left,
                    last,
                    signature,
                } if left > 0 => {
                    let bytes = self.arrived.split_to(left.min(self.arrived.len()));
                    self.state = State::Bytes {
                        left: left.saturating_sub(bytes.len()),
                        last,
                        signature,
                    };
                    return Ok((!bytes.is_empty()).then_some(Piece::Data(bytes)));
                }
                State::Bytes { last, signature, .. } => return self.end(last, signature),
                State::Trailer { headers } => return self.trailer(headers),
            }
        }
    }

    /// Whether the body has ended where it may.
    pub fn finish(&self) -> Result<(), ChunkedError> {
        match (&self.state, self.arrived.is_empty()) {
            (State::Done, true) => Ok(()),
            (State::Done, false) => Err(ChunkedError::Trailing),
            _ => Err(ChunkedError::Truncated),
        }
    }

    /// What a chunk's signature covers. `time` and `scope` are the request's, `previous` is the signature before this
    /// one: the request's own for the first chunk. `hash` is the SHA-256 of the chunk's bytes.
    pub fn chunk_string_to_sign(
        time: &str,
        scope: &str,
        previous: &str,
        hash: &[u8; 32],
        sha256: Sha256,
    ) -> String {
        let (empty, hash) = (hex(&sha256(b"")), hex(hash));
        format!("AWS4-HMAC-SHA256-PAYLOAD\n{time}\n{scope}\n{previous}\n{empty}\n{hash}")
    }

    /// What the trailer's signature covers: every trailing header as `name:value` and a line feed, in order.
    pub fn trailer_string_to_sign(
        time: &str,
        scope: &str,
        previous: &str,
        headers: &[(String, String)],
        sha256: Sha256,
    ) -> String {
        let lines: String = headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        format!(
            "AWS4-HMAC-SHA256-TRAILER\n{time}\n{scope}\n{previous}\n{}",
            hex(&sha256(lines.as_bytes()))
        )
    }

    /// The next line without its end, once it is there. Lines end with CRLF; a bare LF is refused.
    fn line(&mut self, error: ChunkedError) -> Result<Option<String>, ChunkedError> {
        let end = self.arrived.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(self.arrived.len(), |end| end.saturating_add(1));
        if self.line.len().saturating_add(taken) > LINE_BYTES_MAX {
            return Err(error);
        }
        self.line.extend_from_slice(&self.arrived.split_to(taken));
        if end.is_none() {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r\n").ok_or(error)?;
        let line = std::str::from_utf8(line).map_err(|_| error)?;
        Ok(Some(line.to_owned()))
    }

    /// The line end behind a chunk's bytes.
    fn end(&mut self, last: bool, signature: Option<String>) -> Result<Option<Piece>, ChunkedError> {
        while self.line.len() < 2 && self.arrived.has_remaining() {
            self.line.push(self.arrived.get_u8());
        }
        if !b"\r\n".starts_with(&self.line) {
            return Err(ChunkedError::Head);
        }
        if self.line.len() < 2 {
            self.state = State::Bytes {
                left: 0,
                last,
                signature,
            };
            return Ok(None);
        }
        self.line.clear();
        self.state = if last { State::Done } else { State::Head };
        Ok(Some(Piece::End { signature }))
    }

    fn trailer(&mut self, mut headers: Vec<(String, String)>) -> Result<Option<Piece>, ChunkedError> {
        loop {
            let Some(line) = self.line(ChunkedError::Trailer)? else {
                self.state = State::Trailer { headers };
                return Ok(None);
            };
            if line.is_empty() {
                let at = headers
                    .iter()
                    .position(|(name, _)| name == "x-amz-trailer-signature");
                let signature = at.map(|at| headers.remove(at).1);
                if signature.is_none() && self.kind == Streaming::SignedTrailer {
                    return Err(ChunkedError::Unsigned);
                }
                return Ok(Some(Piece::Trailer { headers, signature }));
            }
            let (name, value) = line.split_once(':').ok_or(ChunkedError::Trailer)?;
            if headers.len() >= TRAILERS_MAX {
                return Err(ChunkedError::Trailer);
            }
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
}

fn head(line: &str, kind: Streaming) -> Result<(usize, Option<String>), ChunkedError> {
    let (size, extension) = line.split_once(';').unwrap_or((line, ""));
    if size.is_empty() || size.len() > 8 || !size.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ChunkedError::Head);
    }
    let size = usize::from_str_radix(size, 16).map_err(|_| ChunkedError::Head)?;
    if size > CHUNK_BYTES_MAX {
        return Err(ChunkedError::TooLarge);
    }
    let signature = extension.strip_prefix("chunk-signature=").map(str::to_owned);
    if signature.is_none() && kind != Streaming::UnsignedTrailer {
        return Err(ChunkedError::Unsigned);
    }
    Ok((size, signature))
}
