//! Finds the events in a stream of JSON: lines of events, `{"Records": […]}`, arrays of events, or any of these behind each other.
//!
//! Invariant: memory is bounded by the longest event allowed, however long the stream.

/// The longest event, in bytes; CloudTrail's own limit is 1 MiB.
const EVENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Deeper nesting is refused, since no event needs it.
const DEPTH_MAX: usize = 128;

/// Why a stream is not one of events.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) enum Malformed {
    TooLong,
    TooDeep,
    Unbalanced,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::TooLong => "an event is longer than 4 MiB",
            Self::TooDeep => "an event is nested too deeply",
            Self::Unbalanced => "the JSON ends within an event, or closes what it did not open",
        })
    }
}

/// The state between pieces of the stream.
#[derive(Default)]
pub(crate) struct Splitter {
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    /// The event so far.
    event: Vec<u8>,
    /// At which depth the event's own bracket was opened.
    begun: Option<usize>,
    /// The last string at the first level of an object: perhaps the key `Records`.
    key: Vec<u8>,
    reads_key: bool,
    /// Within the array of a wrapper, whose elements are events.
    wrapped: bool,
}

impl Splitter {
    /// Reads on; `each` gets every event that ends.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) -> Result<(), Malformed> {
        let mut from = 0;
        for (place, byte) in bytes.iter().enumerate() {
            if self.in_string {
                self.text(*byte);
                continue;
            }
            match byte {
                b'"' => self.open_text(),
                b'{' | b'[' if self.opens(*byte)? => from = place,
                b'}' | b']' if self.closes(*byte)? => {
                    let rest = bytes.get(from..=place).unwrap_or_default();
                    if self.event.len() + rest.len() > EVENT_BYTES_MAX {
                        return Err(Malformed::TooLong);
                    }
                    if self.event.is_empty() {
                        each(rest);
                    } else {
                        self.event.extend_from_slice(rest);
                        each(&self.event);
                        self.event.clear();
                    }
                }
                _ => {}
            }
        }
        if self.begun.is_some() {
            self.event
                .extend_from_slice(bytes.get(from..).unwrap_or_default());
            if self.event.len() > EVENT_BYTES_MAX {
                return Err(Malformed::TooLong);
            }
        }
        Ok(())
    }

    /// The stream is at its end.
    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.open.is_empty() && !self.in_string {
            Ok(())
        } else {
            Err(Malformed::Unbalanced)
        }
    }

    fn open_text(&mut self) {
        self.in_string = true;
        self.reads_key = self.open.len() == 1 && self.open.first() == Some(&b'{');
        if self.reads_key {
            self.key.clear();
        }
    }

    fn text(&mut self, byte: u8) {
        if self.escaped {
            self.escaped = false;
        } else if byte == b'\\' {
            self.escaped = true;
        } else if byte == b'"' {
            self.in_string = false;
            return;
        }
        if self.reads_key && self.key.len() < 16 {
            self.key.push(byte);
        }
    }

    /// Whether an event begins here.
    fn opens(&mut self, bracket: u8) -> Result<bool, Malformed> {
        let depth = self.open.len();
        if depth >= DEPTH_MAX {
            return Err(Malformed::TooDeep);
        }
        if bracket == b'[' && depth == 1 && self.open.first() == Some(&b'{') && self.key == b"Records" {
            // What looked like an event is a wrapper.
            self.begun = None;
            self.event.clear();
            self.wrapped = true;
        }
        if bracket == b'[' && depth == 0 {
            self.wrapped = true;
        }
        self.open.push(bracket);
        let at = if self.wrapped { self.wrapper_depth() } else { 0 };
        let begins = bracket == b'{' && self.begun.is_none() && depth == at;
        if begins {
            self.begun = Some(depth);
            self.event.clear();
        }
        Ok(begins)
    }

    fn wrapper_depth(&self) -> usize {
        if self.open.first() == Some(&b'[') { 1 } else { 2 }
    }

    /// Whether an event ends here.
    fn closes(&mut self, bracket: u8) -> Result<bool, Malformed> {
        let opened = self.open.pop().ok_or(Malformed::Unbalanced)?;
        if (opened == b'{') != (bracket == b'}') {
            return Err(Malformed::Unbalanced);
        }
        let depth = self.open.len();
        let of_wrapper = opened == b'[' && depth == 1 && self.open.first() == Some(&b'{');
        if depth == 0 || of_wrapper {
            self.wrapped = false;
        }
        let ends = self.begun == Some(depth);
        if ends {
            self.begun = None;
        }
        Ok(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(text: &str, piece: usize) -> Result<Vec<String>, Malformed> {
        let mut splitter = Splitter::default();
        let mut events = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            splitter.feed(piece, |event| {
                events.push(String::from_utf8_lossy(event).into_owned())
            })?;
        }
        splitter.finish().map(|()| events)
    }

    #[test]
    fn events_are_found_in_every_form_however_the_bytes_arrive() {
        let one = r#"{"eventName":"A","resources":[{"ARN":"x"}],"requestParameters":{"a":"}]\"{"}}"#;
        let forms = [
            (format!("{one}\n{one}\n"), 2),
            (format!(r#"{{"Records":[{one},{one} , {one}]}}"#), 3),
            (
                format!(r#"{{"Version":"1","Records":[{one}],"more":{{"a":[]}}}}"#),
                1,
            ),
            (format!("[{one},{one}]"), 2),
            (format!(r#"{{"Records":[{one}]}}{one}[{one}]"#), 3),
            (r#"{"Records":[]}"#.to_owned(), 0),
            (String::new(), 0),
        ];
        for (text, count) in forms {
            for piece in [1, 7, 1000] {
                let found = events(&text, piece).unwrap();
                assert_eq!(found.len(), count, "{text} in pieces of {piece}");
                assert!(found.iter().all(|event| event == one), "{found:?}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_or_too_deep_is_refused() {
        assert_eq!(events(r#"{"Records":[{"a":1}"#, 5), Err(Malformed::Unbalanced));
        assert_eq!(events("}", 1), Err(Malformed::Unbalanced));
        assert_eq!(events("{]", 1), Err(Malformed::Unbalanced));
        assert_eq!(events(&"[".repeat(200), 64), Err(Malformed::TooDeep));
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(EVENT_BYTES_MAX + 1));
        assert!(events(&long, 65_536).is_err_and(|error| error == Malformed::TooLong));
    }
}
