//! What an instance wrote to its console, as far as it is kept.
//!
//! Invariant: an instance that writes for ever fills no memory.

use std::collections::VecDeque;

use bytes::Bytes;
use pipeline::instances::CONSOLE_BYTES_MAX;
use tokio::time::Instant;
use wire::Timestamp;

/// The end of a console's output.
pub(super) struct Console {
    kept: VecDeque<u8>,
    /// The cloud's time of a moment.
    began: (Timestamp, Instant),
    /// Of the last byte.
    at: Timestamp,
}

impl Console {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            kept: VecDeque::new(),
            began: (now, Instant::now()),
            at: now,
        }
    }

    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        self.kept.extend(bytes);
        let over = self.kept.len().saturating_sub(CONSOLE_BYTES_MAX);
        self.kept.drain(..over);
        self.at = self.now();
    }

    /// The cloud's time.
    pub(super) fn now(&self) -> Timestamp {
        let passed = self.began.1.elapsed().as_millis();
        Timestamp(
            self.began
                .0
                .0
                .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)),
        )
    }

    pub(super) fn read(&self) -> (Bytes, Timestamp) {
        (self.kept.iter().copied().collect(), self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        let mut console = Console::new(Timestamp(7));
        console.wrote(&vec![b'a'; CONSOLE_BYTES_MAX]);
        console.wrote(b"the end");
        let (kept, at) = console.read();
        assert_eq!(kept.len(), CONSOLE_BYTES_MAX);
        assert!(kept.ends_with(b"athe end"));
        assert!(at.0 >= 7);
    }
}
