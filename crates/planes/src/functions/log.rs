//! What functions write, in lines, as far as it is kept: in memory, bounded for each function.
//!
//! Invariant: neither a function that writes for ever nor a host of functions fills the memory.
//!
//! Source: Lambda Developer Guide, "Sending Lambda function logs to CloudWatch Logs".

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use pipeline::functions::LogLine;
use wire::Timestamp;

/// Bytes of a log's tail that a caller is shown.
pub(super) const TAIL_MAX: usize = 4096;
/// Bytes that are kept of a function's log.
const KEPT_MAX: usize = 1 << 20;
/// Bytes of a line; longer ones are kept in pieces.
const LINE_MAX: usize = 256 << 10;
/// Functions whose logs are kept.
const FUNCTIONS_MAX: usize = 1024;
/// What a line takes besides its text.
const LINE_COST: usize = 128;

/// The logs of all functions.
#[derive(Default)]
pub(super) struct Logs(Mutex<HashMap<String, Arc<Mutex<Kept>>>>);

/// The kept end of one function's log.
#[derive(Default)]
pub(super) struct Kept {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Logs {
    /// The log of a function, by its ARN without a version.
    pub(super) fn of(&self, function: &str) -> Arc<Mutex<Kept>> {
        let mut logs = self.0.lock();
        if logs.len() >= FUNCTIONS_MAX && !logs.contains_key(function) {
            let oldest = logs
                .iter()
                .min_by_key(|(_, kept)| kept.lock().lines.back().map(|line| line.at.0));
            if let Some(name) = oldest.map(|(name, _)| name.clone()) {
                logs.remove(&name);
            }
        }
        Arc::clone(logs.entry(function.to_owned()).or_default())
    }

    pub(super) fn read(&self, function: &str) -> Vec<LogLine> {
        let kept = self.0.lock().get(function).map(Arc::clone);
        kept.map(|kept| kept.lock().lines.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl Kept {
    fn push(&mut self, line: LogLine) {
        self.bytes += line.text.len() + LINE_COST;
        self.lines.push_back(line);
        while self.bytes > KEPT_MAX
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.text.len() + LINE_COST;
        }
    }
}

/// The log of one sandbox: its stream of a function's log, and the end of what the present run has written.
pub(super) struct Stream {
    kept: Arc<Mutex<Kept>>,
    name: String,
    /// A line that has not ended.
    open: Vec<u8>,
    tail: VecDeque<u8>,
}

impl Stream {
    pub(super) fn new(kept: Arc<Mutex<Kept>>, name: String) -> Self {
        Self {
            kept,
            name,
            open: Vec::new(),
            tail: VecDeque::new(),
        }
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.tail.clear();
    }

    /// Takes what the function wrote.
    pub(super) fn wrote(&mut self, bytes: &[u8], at: Timestamp) {
        self.tail.extend(bytes);
        let surplus = self.tail.len().saturating_sub(TAIL_MAX);
        self.tail.drain(..surplus);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.open.len() >= LINE_MAX {
                self.close(at);
            }
        }
    }

    /// Writes a line of the runner's own, on a line of its own.
    pub(super) fn note(&mut self, text: &str, at: Timestamp) {
        if !self.open.is_empty() {
            self.wrote(b"\n", at);
        }
        self.wrote(format!("{text}\n").as_bytes(), at);
    }

    fn close(&mut self, at: Timestamp) {
        let text = String::from_utf8_lossy(&self.open);
        let line = LogLine {
            at,
            stream: self.name.clone(),
            text: text.trim_end_matches('\n').to_owned(),
        };
        self.open.clear();
        self.kept.lock().push(line);
    }

    /// The end of what the present run has written.
    pub(super) fn tail(&self) -> Vec<u8> {
        self.tail.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_bounded_and_whole_lines() {
        let logs = Logs::default();
        let mut stream = Stream::new(logs.of("f"), "s".to_owned());
        stream.wrote(b"half", Timestamp(1));
        stream.note("END", Timestamp(2));
        let lines: Vec<_> = logs.read("f").into_iter().map(|line| line.text).collect();
        assert_eq!(lines, ["half", "END"]);
        assert_eq!(stream.tail(), b"half\nEND\n");
        for _ in 0..3000 {
            stream.wrote(&[b'x'; 1023], Timestamp(3));
            stream.wrote(b"\n", Timestamp(3));
        }
        let kept = logs.read("f");
        assert!((800..1024).contains(&kept.len()), "{}", kept.len());
        assert_eq!(stream.tail().len(), TAIL_MAX);
        stream.begin();
        assert!(stream.tail().is_empty());
        for number in 0..2 * FUNCTIONS_MAX {
            logs.of(&number.to_string());
        }
        assert!(logs.0.lock().len() <= FUNCTIONS_MAX);
    }
}
