//! What one peer may cost. Every limit names the attack that it stops; together they bound memory, time and sockets.

use std::time::Duration;

/// The bounds of the AWS endpoint. [`Limits::default`] is what `ringwork serve` uses.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of request line and headers, at least 8,192. Stops heads that grow without end; 431 beyond it.
    pub head_bytes_max: usize,
    /// Header fields of a request. Stops thousands of tiny fields, which cost far more than their bytes; 431 beyond it.
    pub headers_max: usize,
    /// Bytes of a request's body. Stops memory exhaustion by one request; 413 beyond it. The default is what AWS takes for the
    /// largest request that is not streamed, a function with its code (Lambda API Reference, "CreateFunction").
    pub body_bytes_max: usize,
    /// Bytes of all bodies that are being received or worked on; a streamed body or answer counts 2 MiB, whatever its length. Stops memory exhaustion by many requests that are each
    /// within bounds; 503 beyond it.
    pub bodies_bytes_max: usize,
    /// Of those, bytes on connections on which nobody has proven who they are yet. Stops forged signatures from taking the room of callers
    /// whose signatures hold; 503 beyond it.
    pub unproven_bytes_max: usize,
    /// Of those, bytes of requests without a signature. Stops strangers from taking the room of callers who sign; 503 beyond it.
    pub unsigned_bytes_max: usize,
    /// Bytes of an oversized body that are read and dropped, so that a well-meaning client finishes sending and sees the
    /// 413. Stops an endless upload from being entertained.
    pub discard_bytes_max: usize,
    /// Time to the first byte, which tells TLS from plaintext. Stops connections that are opened and left silent.
    pub first_byte_time: Duration,
    /// Time for the TLS handshake. Stops handshakes that are begun and never finished.
    pub handshake_time: Duration,
    /// Time from a head's first byte to its last. Stops clients that drip headers to hold connections.
    pub head_time: Duration,
    /// Time that a body may take at the least, before its rate is judged.
    pub body_grace: Duration,
    /// Bytes a second that a body must keep up on average once the grace is over. Stops clients that drip a body; 408.
    pub body_rate_min: u32,
    /// Time for a body that is received whole, whatever its rate. Stops uploads that keep just above the rate for hours; 408. Streamed
    /// bodies hold neither memory nor locks that grow, and may take as long as they make progress: no pause beyond the grace.
    pub body_time_max: Duration,
    /// Time between an answer and the next request. Stops idle connections from filling the table.
    pub idle_time: Duration,
    /// Time in which the client must take an answer, beside what its size allows at `body_rate_min`. Stops clients that
    /// ask much and read nothing, so that answers pile up in memory.
    pub answer_time: Duration,
    /// Time after the last word in which the peer's unread bytes are dropped. Without it a reset would destroy the
    /// refusal on its way; without a bound it would be a place to hide.
    pub linger_time: Duration,
    /// Connections in all. Stops exhaustion of descriptors and memory; more take the places of those on which nobody has proven who they
    /// are, or are closed unanswered.
    pub connections_max: usize,
    /// Connections of one peer (an IPv4 address or an IPv6 /64). Stops one host from taking all of them.
    pub connections_per_peer_max: usize,
    /// HTTP/2 streams open at a time on one connection. Stops one connection from standing for thousands.
    pub streams_max: u32,
    /// HTTP/2 streams reset by the client before they were served. Stops rapid reset: open, cancel, open, cancel.
    pub pending_resets_max: usize,
    /// HTTP/2 streams that the server reset for the client's protocol errors. Stops rapid reset turned round, where the
    /// client makes the server do the cancelling.
    pub error_resets_max: usize,
    /// Time that a graceful stop waits for running requests. Stops a slow client from keeping the process alive.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes_max: 64 << 10,
            headers_max: 100,
            body_bytes_max: 70_167_211,
            bodies_bytes_max: 512 << 20,
            unproven_bytes_max: 448 << 20,
            unsigned_bytes_max: 320 << 20,
            discard_bytes_max: 64 << 20,
            first_byte_time: Duration::from_secs(10),
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(10),
            body_grace: Duration::from_secs(20),
            body_rate_min: 8 << 10,
            body_time_max: Duration::from_secs(300),
            idle_time: Duration::from_secs(75),
            answer_time: Duration::from_secs(60),
            linger_time: Duration::from_secs(2),
            connections_max: 4096,
            connections_per_peer_max: 1024,
            streams_max: 128,
            pending_resets_max: 20,
            error_resets_max: 64,
            drain_time: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The time after its beginning by which a body must be whole, when `received` bytes of it are here.
    pub(crate) fn body_due(&self, received: usize) -> Duration {
        (self.body_grace + self.time_for(received)).min(self.body_time_max)
    }

    /// The time that a stream may have been waited for in all, when `received` bytes of it are here. It has no end: what is sent
    /// earns the time for the rest.
    pub(crate) fn stream_due(&self, received: usize) -> Duration {
        self.body_grace + self.time_for(received)
    }

    /// The time in which a client must have taken an answer of `bytes`.
    pub(crate) fn answer_due(&self, bytes: usize) -> Duration {
        self.answer_time + self.time_for(bytes)
    }

    fn time_for(&self, bytes: usize) -> Duration {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Duration::from_millis(bytes.saturating_mul(1000) / u64::from(self.body_rate_min.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_earns_time_by_its_bytes_but_never_more_than_the_whole() {
        let limits = Limits {
            body_grace: Duration::from_secs(2),
            body_rate_min: 1000,
            body_time_max: Duration::from_secs(10),
            ..Limits::default()
        };
        assert_eq!(limits.body_due(0), Duration::from_secs(2));
        assert_eq!(limits.body_due(3500), Duration::from_millis(5500));
        assert_eq!(limits.body_due(usize::MAX), Duration::from_secs(10));
    }
}
