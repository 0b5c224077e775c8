//! A connection that is kept alive and exchanges whole requests, already in bytes, for whole answers.
//!
//! Invariant: it reads exactly what the answer's length says, so that a measured call has ended when `exchange` returns.

use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{Result, while_doing};

/// Room for one answer: the largest object that is measured, and its head.
const ANSWER_BYTES_MAX: usize = 9 << 20;

/// One connection to a server.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// Where an answer lies in the connection's buffer.
struct Answer {
    status: u16,
    body: Range<usize>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .map_err(while_doing("connect"))?;
        stream.set_nodelay(true).map_err(while_doing("connect"))?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends a request and waits for its whole answer; returns the status and the body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream
            .write_all(request)
            .await
            .map_err(while_doing("send"))?;
        self.buffer.clear();
        loop {
            if let Some(Answer { status, body }) = parse(&self.buffer)? {
                return Ok((status, self.buffer.get(body).unwrap_or_default()));
            }
            if self.buffer.len() > ANSWER_BYTES_MAX {
                return Err("receive: the answer is too long".to_owned());
            }
            let read = self
                .stream
                .read_buf(&mut self.buffer)
                .await
                .map_err(while_doing("receive"))?;
            if read == 0 {
                return Err("receive: the server closed the connection".to_owned());
            }
        }
    }
}

/// `None` while the answer is not complete.
fn parse(bytes: &[u8]) -> Result<Option<Answer>> {
    let malformed = || "receive: the answer is not HTTP/1.1 with a length".to_owned();
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = bytes
        .get(..end)
        .and_then(|head| std::str::from_utf8(head).ok())
        .ok_or_else(malformed)?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status = status.ok_or_else(malformed)?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(malformed)?;
    let body = end + 4..end + 4 + length;
    Ok((bytes.len() >= body.end).then_some(Answer { status, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_its_length_says() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).unwrap().is_none());
        }
        let answer = parse(whole).unwrap().unwrap();
        assert_eq!((answer.status, &whole[answer.body]), (200, &b"hi"[..]));
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
