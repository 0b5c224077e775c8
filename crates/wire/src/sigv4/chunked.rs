//! Decodes `aws-chunked` bodies: chunks of `size[;chunk-signature=…]`, then trailers, each part with what it signs.
//!
//! Invariant: incremental and bounded. The decoder holds at most one chunk and one trailer section, whatever the
//! client sends, and hands a chunk out only when it is whole, with the text that its signature must cover.
//!
//! Source: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in Multiple
//! Chunks (Chunked Upload)", and "… Including Trailing Headers".

use super::encoding::hex;
use super::{Sha256, Streaming};

/// The longest line of a chunk head or trailer section.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// The longest chunk. Clients send 64 KiB to 1 MiB; some send whole parts of up to 16 MiB.
pub(super) const CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A body that is not `aws-chunked`, or beyond the bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
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
    /// A whole chunk; the last one is empty. `signature` is the client's, to be compared with the keyed hash of
    /// `ChunkedDecoder::chunk_string_to_sign`; `None` for unsigned payloads.
    Chunk {
        bytes: Vec<u8>,
        signature: Option<String>,
    },
    /// The trailing headers (names in lower case) and, for signed payloads, their signature.
    Trailer {
        headers: Vec<(String, String)>,
        signature: Option<String>,
    },
}

enum State {
    Head,
    Bytes { size: usize, signature: Option<String> },
    Trailer { headers: Vec<(String, String)> },
    Done,
}

/// The incremental decoder. Feed bytes with `push`, take parts with `next`, then ask `finish`.
pub struct ChunkedDecoder {
    kind: Streaming,
    state: State,
    buffer: Vec<u8>,
    start: usize,
}

impl ChunkedDecoder {
    /// A decoder at the beginning of a body.
    pub const fn new(kind: Streaming) -> Self {
        Self {
            kind,
            state: State::Head,
            buffer: Vec::new(),
            start: 0,
        }
    }

    /// Adds bytes as they arrive. Take all parts before adding more, so that the buffer stays bounded.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start.min(self.buffer.len()));
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole part, or `None` if more bytes are needed or the body has ended.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, ChunkedError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Done => {
                if self.rest().is_empty() {
                    Ok(None)
                } else {
                    Err(ChunkedError::Trailing)
                }
            }
            State::Head => match self.line(ChunkedError::Head)? {
                None => {
                    self.state = State::Head;
                    Ok(None)
                }
                Some(line) => {
                    let (size, signature) = head(&line, self.kind)?;
                    self.state = State::Bytes { size, signature };
                    self.next_piece()
                }
            },
            State::Bytes { size, signature } => self.bytes(size, signature),
            State::Trailer { headers } => self.trailer(headers),
        }
    }

    /// Whether the body has ended where it may.
    pub fn finish(&self) -> Result<(), ChunkedError> {
        match (&self.state, self.rest().is_empty()) {
            (State::Done, true) => Ok(()),
            (State::Done, false) => Err(ChunkedError::Trailing),
            _ => Err(ChunkedError::Truncated),
        }
    }

    /// What a chunk's signature covers. `time` and `scope` are the request's, `previous` is the signature before this
    /// one: the request's own for the first chunk.
    pub fn chunk_string_to_sign(
        time: &str,
        scope: &str,
        previous: &str,
        bytes: &[u8],
        sha256: Sha256,
    ) -> String {
        let (empty, hash) = (hex(&sha256(b"")), hex(&sha256(bytes)));
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

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The next line without its end, once it is there. Lines end with CRLF; a bare LF is refused.
    fn line(&mut self, error: ChunkedError) -> Result<Option<String>, ChunkedError> {
        let rest = self.rest();
        let Some(end) = rest.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
            return if rest.len() >= LINE_BYTES_MAX {
                Err(error)
            } else {
                Ok(None)
            };
        };
        let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r"));
        let Some(line) = line
            .and_then(|line| std::str::from_utf8(line).ok())
            .map(str::to_owned)
        else {
            return Err(error);
        };
        self.start += end + 1;
        Ok(Some(line))
    }

    fn bytes(&mut self, size: usize, signature: Option<String>) -> Result<Option<Piece>, ChunkedError> {
        let trailing = self.kind != Streaming::Signed;
        if size == 0 && trailing {
            // With trailers, the last chunk's head is followed by the trailing headers at once.
            self.state = State::Trailer { headers: Vec::new() };
            return Ok(Some(Piece::Chunk {
                bytes: Vec::new(),
                signature,
            }));
        }
        let rest = self.rest();
        let (Some(bytes), Some(end)) = (rest.get(..size), rest.get(size..size + 2)) else {
            self.state = State::Bytes { size, signature };
            return Ok(None);
        };
        if end != b"\r\n" {
            return Err(ChunkedError::Head);
        }
        let bytes = bytes.to_vec();
        self.start += size + 2;
        self.state = if size == 0 { State::Done } else { State::Head };
        Ok(Some(Piece::Chunk { bytes, signature }))
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
            if headers.len() >= 16 {
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
