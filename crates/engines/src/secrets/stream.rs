//! A file as a sequence of windows that overlap, so that what lies across a boundary is seen whole, and once.
//!
//! Invariant: no more than a window and a file's head are in memory, however large the file is.

use std::io::{self, Read};

/// Bytes of a window.
const WINDOW: usize = 256 * 1024;
/// What a window repeats of the one before, behind the place from which it owns what begins: room to look back.
const BEHIND: usize = 1024;
/// What a window shows of the next one: room to look ahead, as long as the longest thing that is looked for.
const AHEAD: usize = 16 * 1024;
/// Bytes of a file's head that tell whether it is binary.
const SNIFFED: usize = 8 * 1024;
/// Bytes of the head that is kept for rules that read a file as a whole.
const HEAD_MAX: usize = 1024 * 1024;

pub(super) struct Windows<R> {
    content: R,
    window: Vec<u8>,
    /// Of the window's first byte, from the file's start.
    base: u64,
    /// What begins before this place of the window belonged to the window before.
    from: usize,
    /// What begins here or later belongs to the next window.
    to: usize,
    ended: bool,
    binary: Option<bool>,
    head: Option<Vec<u8>>,
    read: u64,
    /// A place of the window, and the number of the line that it is in.
    counted: (usize, u64),
}

impl<R: Read> Windows<R> {
    pub(super) fn new(content: R, keep_head: bool) -> Self {
        Self {
            content,
            window: Vec::new(),
            base: 0,
            from: 0,
            to: 0,
            ended: false,
            binary: None,
            head: keep_head.then(Vec::new),
            read: 0,
            counted: (0, 1),
        }
    }

    /// Goes to the next window; `false` if there is none.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let gone = self.to.saturating_sub(BEHIND);
        // Lines are counted up to what the window keeps, before it goes.
        let line = self.line_at(gone);
        self.window.drain(..gone.min(self.window.len()));
        self.base += u64::try_from(gone).unwrap_or_default();
        self.counted = (0, line);
        self.from = self.to - gone;
        self.fill()?;
        self.to = if self.ended {
            self.window.len()
        } else {
            self.window.len().saturating_sub(AHEAD)
        };
        Ok(self.to > self.from)
    }

    fn fill(&mut self) -> io::Result<()> {
        let held = self.window.len();
        self.window.resize(WINDOW, 0);
        let mut end = held;
        while let Some(room) = self.window.get_mut(end..).filter(|room| !room.is_empty()) {
            match self.content.read(room) {
                Ok(0) => {
                    self.ended = true;
                    break;
                }
                Ok(count) => end += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.window.truncate(end);
        let fresh = self.window.get(held..).unwrap_or_default();
        self.read += u64::try_from(fresh.len()).unwrap_or_default();
        if self.binary.is_none() {
            self.binary = Some(fresh.iter().take(SNIFFED).any(|byte| *byte == 0));
        }
        if let Some(head) = &mut self.head {
            let room = HEAD_MAX.saturating_sub(head.len()).min(fresh.len());
            head.extend_from_slice(fresh.get(..room).unwrap_or_default());
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.window
    }

    /// Whether what begins at a place of the window is told by this window.
    pub(super) fn owns(&self, at: usize) -> bool {
        (self.from..self.to).contains(&at)
    }

    /// Where a place of the window is in the file: offset, and line unless the file is binary. Places come in their order.
    pub(super) fn place(&mut self, at: usize) -> (u64, Option<u64>) {
        let offset = self.base + u64::try_from(at).unwrap_or_default();
        if self.binary == Some(true) {
            return (offset, None);
        }
        let line = self.line_at(at);
        self.counted = (at, line);
        (offset, Some(line))
    }

    fn line_at(&self, at: usize) -> u64 {
        let (counted, line) = self.counted;
        match self.window.get(counted..at) {
            Some(between) => line + newlines(between),
            None => line - newlines(self.window.get(at..counted).unwrap_or_default()),
        }
    }

    /// The file's first bytes, if they were to be kept.
    pub(super) fn head(&self) -> &[u8] {
        self.head.as_deref().unwrap_or_default()
    }

    /// Bytes that were read.
    pub(super) const fn read(&self) -> u64 {
        self.read
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    let count = bytes.iter().filter(|byte| **byte == b'\n').count();
    u64::try_from(count).unwrap_or_default()
}

/// The line of a place in a text.
pub(super) fn line(text: &[u8], at: usize) -> u64 {
    1 + newlines(text.get(..at).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A content that comes in pieces.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(room.len()).min(self.0.len());
            let (piece, rest) = self.0.split_at(count);
            room[..count].copy_from_slice(piece);
            self.0 = rest;
            Ok(count)
        }
    }

    #[test]
    fn every_place_is_owned_once_with_its_line() {
        let text: Vec<u8> = (0..700_000_u32)
            .map(|place| if place % 97 == 0 { b'\n' } else { b'a' })
            .collect();
        let mut windows = Windows::new(Pieces(&text, 60_007), false);
        let (mut owned, mut last) = (0, 0);
        while windows.advance().unwrap() {
            assert!(windows.bytes().len() <= WINDOW);
            for at in 0..windows.bytes().len() {
                if windows.owns(at) {
                    owned += 1;
                    if at % 1013 == 0 {
                        let (offset, found) = windows.place(at);
                        assert!(offset >= last);
                        last = offset;
                        assert_eq!(found, Some(line(&text, usize::try_from(offset).unwrap())));
                    }
                }
            }
        }
        assert_eq!(owned, text.len());
        assert_eq!(windows.read(), 700_000);
    }
}
