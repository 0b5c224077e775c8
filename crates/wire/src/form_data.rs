//! `multipart/form-data`, as browsers send forms: fields, then one file, piece by piece as the body arrives.
//!
//! Invariant: incremental and bounded. What stands before the file is held up to a bound; bytes of the file are handed on as they
//! arrive, but for what may be the beginning of the boundary. How the body is cut on its way changes nothing.
//!
//! Source: RFC 7578, "Returning Values from Forms"; RFC 2046, section 5.1.1; S3 API Reference, "POST Object".

use bytes::Bytes;

/// Bytes before the file's own: fields, heads and boundaries (S3 API Reference, "HTML forms").
pub const FIELDS_BYTES_MAX: usize = 20 * 1024;
/// Blanks between a boundary and its line's end; more make it none, so that nothing without end is held.
const BLANKS_MAX: usize = 64;
/// RFC 2046's bound.
const BOUNDARY_BYTES_MAX: usize = 70;
/// The field that is the file.
const FILE: &str = "file";

/// A body that is not a form, or beyond the bounds.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum FormError {
    #[error("the content type names no boundary")]
    Boundary,
    #[error("the body is not well-formed")]
    Malformed,
    #[error("what stands before the file exceeds {FIELDS_BYTES_MAX} bytes")]
    TooLarge,
    #[error("the form ends without a file")]
    NoFile,
}

/// One part of a form.
#[derive(PartialEq, Eq, Debug)]
pub enum FormPiece {
    /// A field before the file.
    Field { name: String, value: String },
    /// The file begins.
    File { name: Option<String> },
    /// The next bytes of the file; never none.
    Data(Bytes),
}

#[derive(PartialEq, Eq)]
enum State {
    /// Before the first boundary.
    Start,
    /// Behind a boundary.
    Delimited,
    Field(String),
    File,
    /// Behind the file: whatever comes there counts for nothing.
    Ended,
}

/// The incremental decoder. Feed bytes with `push`, take parts with `next_piece` until there is none, then ask `finish`.
pub struct FormDecoder {
    /// With the line end and the hyphens before it.
    boundary: Vec<u8>,
    state: State,
    arrived: Bytes,
    /// Bytes before the file that were taken.
    taken: usize,
}

impl FormDecoder {
    /// A decoder at the beginning of a body of this content type.
    ///
    /// Errors: a type that is no form's, or has no boundary.
    pub fn new(content_type: &str) -> Result<Self, FormError> {
        let boundary = boundary(content_type).ok_or(FormError::Boundary)?;
        let mut whole = b"\r\n--".to_vec();
        whole.extend_from_slice(boundary.as_bytes());
        Ok(Self {
            boundary: whole,
            state: State::Start,
            arrived: Bytes::new(),
            taken: 0,
        })
    }

    /// Adds bytes as they arrive. All parts must have been taken before.
    pub fn push(&mut self, bytes: Bytes) {
        self.arrived = if self.arrived.is_empty() {
            bytes
        } else {
            [self.arrived.as_ref(), bytes.as_ref()].concat().into()
        };
    }

    /// What has arrived and was not looked at yet, to be pushed again.
    pub fn take_arrived(&mut self) -> Bytes {
        std::mem::take(&mut self.arrived)
    }

    /// The next part, or `None` if more bytes are needed or the file has ended.
    pub fn next_piece(&mut self) -> Result<Option<FormPiece>, FormError> {
        loop {
            match std::mem::replace(&mut self.state, State::Ended) {
                State::Ended => {
                    self.arrived = Bytes::new();
                    return Ok(None);
                }
                State::Start => {
                    // The first boundary has no line before it to end.
                    let bare = self.boundary.get(2..).unwrap_or_default();
                    let first = self.arrived.strip_prefix(bare).map(line_ends);
                    let end = match first {
                        Some(Some(true)) => Some(bare.len()),
                        Some(None) => None,
                        Some(Some(false)) | None => match find(&self.arrived, &self.boundary) {
                            Found::At(at) => Some(at + self.boundary.len()),
                            Found::Perhaps(_) | Found::Nowhere => None,
                        },
                    };
                    let Some(end) = end else {
                        return self.wait(State::Start);
                    };
                    self.skip(end)?;
                    self.state = State::Delimited;
                }
                State::Delimited => match self.head()? {
                    None => return self.wait(State::Delimited),
                    Some(Head::Last) => return Err(FormError::NoFile),
                    Some(Head::File(name)) => {
                        self.state = State::File;
                        return Ok(Some(FormPiece::File { name }));
                    }
                    Some(Head::Field(name)) => self.state = State::Field(name),
                },
                State::Field(name) => {
                    let Found::At(end) = find(&self.arrived, &self.boundary) else {
                        return self.wait(State::Field(name));
                    };
                    let value = self.arrived.slice(..end);
                    let value = std::str::from_utf8(&value)
                        .map_err(|_| FormError::Malformed)?
                        .to_owned();
                    self.skip(end + self.boundary.len())?;
                    self.state = State::Delimited;
                    return Ok(Some(FormPiece::Field { name, value }));
                }
                State::File => return Ok(self.data()),
            }
        }
    }

    /// Whether the file has ended.
    pub fn finish(&self) -> Result<(), FormError> {
        match self.state {
            State::Ended => Ok(()),
            State::File => Err(FormError::Malformed),
            State::Start | State::Delimited | State::Field(_) => Err(FormError::NoFile),
        }
    }

    /// More bytes are needed, if there may be more.
    fn wait(&mut self, state: State) -> Result<Option<FormPiece>, FormError> {
        // A boundary's line may end behind the bound; what is taken of it does not.
        let most = FIELDS_BYTES_MAX + BLANKS_MAX + 2;
        if self.taken.saturating_add(self.arrived.len()) > most {
            return Err(FormError::TooLarge);
        }
        self.state = state;
        Ok(None)
    }

    fn skip(&mut self, count: usize) -> Result<(), FormError> {
        self.taken = self.taken.saturating_add(count);
        if self.taken > FIELDS_BYTES_MAX {
            return Err(FormError::TooLarge);
        }
        let _ = self.arrived.split_to(count.min(self.arrived.len()));
        Ok(())
    }

    /// What stands behind a boundary, once all of it is there.
    fn head(&mut self) -> Result<Option<Head>, FormError> {
        if self.arrived.starts_with(b"--") {
            return Ok(Some(Head::Last));
        }
        let Some(end) = position(&self.arrived, b"\r\n\r\n", 0) else {
            return Ok(None);
        };
        let text = self.arrived.slice(..end);
        let text = std::str::from_utf8(&text).map_err(|_| FormError::Malformed)?;
        // Blanks may stand between a boundary and its line's end.
        let text = text.trim_start_matches([' ', '\t']);
        let text = text.strip_prefix("\r\n").ok_or(FormError::Malformed)?;
        let disposition = text.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim()
                .eq_ignore_ascii_case("content-disposition")
                .then_some(value)
        });
        let disposition = disposition.ok_or(FormError::Malformed)?;
        let (kind, rest) = disposition.split_once(';').ok_or(FormError::Malformed)?;
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(FormError::Malformed);
        }
        let named = parameters(rest).ok_or(FormError::Malformed)?;
        let value = |wanted: &str| {
            let found = named.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone())
        };
        let name = value("name").ok_or(FormError::Malformed)?;
        let head = if name.eq_ignore_ascii_case(FILE) {
            Head::File(value("filename"))
        } else {
            Head::Field(name)
        };
        self.skip(end + 4)?;
        Ok(Some(head))
    }

    /// Bytes of the file, up to what is or may be the boundary.
    fn data(&mut self) -> Option<FormPiece> {
        let found = find(&self.arrived, &self.boundary);
        let count = match found {
            Found::At(at) | Found::Perhaps(at) => at,
            Found::Nowhere => self.arrived.len() - self.possible(),
        };
        let bytes = self.arrived.split_to(count);
        if matches!(found, Found::At(_)) {
            self.arrived = Bytes::new();
        } else {
            // Copied, since it would keep all that arrived with it.
            self.arrived = Bytes::copy_from_slice(&self.arrived);
            self.state = State::File;
        }
        (!bytes.is_empty()).then_some(FormPiece::Data(bytes))
    }

    /// Bytes at the end of what has arrived with which the boundary may begin.
    fn possible(&self) -> usize {
        let most = self.boundary.len().saturating_sub(1).min(self.arrived.len());
        (1..=most)
            .rev()
            .find(|count| {
                let begun = self.boundary.get(..*count).unwrap_or_default();
                self.arrived.ends_with(begun)
            })
            .unwrap_or(0)
    }
}

enum Head {
    Field(String),
    File(Option<String>),
    Last,
}

/// Where a boundary begins.
enum Found {
    At(usize),
    /// There, unless its line goes on with what has not arrived.
    Perhaps(usize),
    Nowhere,
}

/// Where the boundary begins: `wanted`, and nothing else on its line.
fn find(bytes: &[u8], wanted: &[u8]) -> Found {
    let mut from = 0;
    while let Some(at) = position(bytes, wanted, from) {
        match line_ends(bytes.get(at + wanted.len()..).unwrap_or_default()) {
            Some(true) => return Found::At(at),
            Some(false) => from = at + 1,
            None => return Found::Perhaps(at),
        }
    }
    Found::Nowhere
}

/// Whether a boundary's line ends here: after the hyphens of the last one, or after blanks. `None`: more must arrive to tell.
fn line_ends(rest: &[u8]) -> Option<bool> {
    let blanks = rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    if blanks > BLANKS_MAX {
        return Some(false);
    }
    match (blanks, rest.get(blanks..).unwrap_or_default()) {
        (0, [b'-', b'-', ..]) | (_, [b'\r', b'\n', ..]) => Some(true),
        (0, [b'-']) | (_, [b'\r'] | []) => None,
        _ => Some(false),
    }
}

/// Where `wanted`, which begins with a carriage return, first begins from here on.
fn position(bytes: &[u8], wanted: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(from..)?;
        let at = from + rest.iter().position(|byte| *byte == b'\r')?;
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The boundary that a content type names, if it is a form's.
fn boundary(content_type: &str) -> Option<String> {
    let (kind, rest) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let (_, value) = parameters(rest)?
        .into_iter()
        .find(|(name, _)| name == "boundary")?;
    let fits = !value.is_empty()
        && value.len() <= BOUNDARY_BYTES_MAX
        && value.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    fits.then_some(value)
}

/// `name=value` and `name="value"` between semicolons, names in lower case.
fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted_text(quoted)?,
            None => {
                let (value, left) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), left)
            }
        };
        found.push((name, value));
        rest = left.trim_start().trim_start_matches(';').trim();
    }
    Some(found)
}

/// A text up to its closing quote, and what stands behind that. A backslash before anything but a quote is one of a path.
fn quoted_text(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices().peekable());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' if letters.peek().is_some_and(|(_, next)| *next == '"') => {
                letters.next();
                value.push('"');
            }
            _ => value.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"xyz\"";

    /// Fields, the file's name, and the file.
    type Read = (Vec<(String, String)>, Option<String>, Vec<u8>);

    fn read(body: &[u8], cut: usize) -> Result<Read, FormError> {
        let mut decoder = FormDecoder::new(TYPE)?;
        let (mut fields, mut file, mut data) = (Vec::new(), None, Vec::new());
        for piece in body.chunks(cut.max(1)) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(piece) = decoder.next_piece()? {
                match piece {
                    FormPiece::Field { name, value } => fields.push((name, value)),
                    FormPiece::File { name } => file = name,
                    FormPiece::Data(bytes) => data.extend_from_slice(&bytes),
                }
            }
        }
        decoder.finish()?;
        Ok((fields, file, data))
    }

    fn form(file: &[u8]) -> Vec<u8> {
        let mut body = b"--xyz\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n--xyz\r\n\
            content-disposition:form-data; name=acl\r\nContent-Type: text/plain\r\n\r\n\r\n--xyz \r\n\
            Content-Disposition: form-data; name=\"file\"; filename=\"C:\\x\\a \\\"b\\\".txt\"\r\nContent-Type: text/plain\r\n\r\n"
            .to_vec();
        body.extend_from_slice(file);
        body.extend_from_slice(
            b"\r\n--xyz\r\nContent-Disposition: form-data; name=\"late\"\r\n\r\nx\r\n--xyz--\r\n",
        );
        body
    }

    #[test]
    fn fields_come_before_the_file_and_nothing_after_it() {
        let (fields, file, data) = read(&form(b"\r\n--xy not yet\r\n"), 7).unwrap();
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(fields, [field("key", "a/${filename}"), field("acl", "")]);
        assert_eq!(file.as_deref(), Some("C:\\x\\a \"b\".txt"));
        assert_eq!(data, b"\r\n--xy not yet\r\n");
    }

    /// RFC 2046, section 5.1.1: nothing but blanks stands behind a boundary on its line.
    #[test]
    fn what_only_begins_like_the_boundary_is_none() {
        let file = b"a\r\n--xyzx\r\nb\r\n--xyz-\r\n\r\n--xyz x\r\n\r\n--xyz \r";
        let mut body = b"a preamble\r\n--xyzzy\r\n--xyz\t\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n\r\n--xyza".to_vec();
        body.extend_from_slice(b"\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n");
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--xyz--");
        for cut in 1..body.len() {
            let (fields, _, data) = read(&body, cut).unwrap();
            assert_eq!(fields, [("key".to_owned(), "\r\n--xyza".to_owned())]);
            assert_eq!(data, file, "{cut}");
        }
        let blanks = " ".repeat(BLANKS_MAX + 1);
        let long =
            format!("--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--xyz{blanks}");
        let mut decoder = FormDecoder::new(TYPE).unwrap();
        decoder.push(long.into());
        while decoder.next_piece().unwrap().is_some() {}
        assert!(decoder.take_arrived().is_empty(), "it is the file's");
    }

    #[test]
    fn the_bound_is_the_same_however_the_body_is_cut() {
        let head = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
        let file = "\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n";
        let fits = FIELDS_BYTES_MAX - head.len() - "\r\n--xyz".len() - file.len();
        for (size, refused) in [(fits, None), (fits + 1, Some(FormError::TooLarge))] {
            let body = format!("{head}{}\r\n--xyz{file}x\r\n--xyz--", "v".repeat(size));
            for cut in [body.len(), 1000, 7] {
                assert_eq!(read(body.as_bytes(), cut).err(), refused, "{cut}");
            }
        }
        let fits = FIELDS_BYTES_MAX - head.len() - "\r\n--xyz".len();
        let body = format!("{head}{}\r\n--xyz--", "v".repeat(fits));
        for cut in [body.len(), body.len() - 1, body.len() - 2] {
            assert_eq!(read(body.as_bytes(), cut).err(), Some(FormError::NoFile), "{cut}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (kind, error) in [
            ("multipart/form-data", FormError::Boundary),
            ("multipart/form-data; boundary=", FormError::Boundary),
            ("multipart/mixed; boundary=a", FormError::Boundary),
            ("text/plain", FormError::Boundary),
        ] {
            assert_eq!(FormDecoder::new(kind).err(), Some(error), "{kind}");
        }
        let long = format!(
            "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{}",
            "x".repeat(FIELDS_BYTES_MAX + 100)
        );
        for (body, error) in [
            ("", FormError::NoFile),
            ("--xyz--", FormError::NoFile),
            ("--xyz\r\n\r\n", FormError::Malformed),
            (
                "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--xyz--",
                FormError::NoFile,
            ),
            (
                "--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--xy",
                FormError::Malformed,
            ),
            ("--xyz\r\nContent-Type: x\r\n\r\n", FormError::Malformed),
            (
                "--xyz\r\nContent-Disposition: form-data; name=\"a\r\n\r\n",
                FormError::Malformed,
            ),
            (
                "--xyzzy\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
                FormError::NoFile,
            ),
            (
                "--xyz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--xyzzy--\r\n",
                FormError::Malformed,
            ),
            (long.as_str(), FormError::TooLarge),
        ] {
            for cut in [1, 1000] {
                assert_eq!(read(body.as_bytes(), cut).err(), Some(error), "{cut}: {body:.80}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_cut_changes_nothing(file in prop::collection::vec(prop::sample::select(b"\r\n-xyz ".to_vec()), 0..200), cut in 1_usize..64) {
            let body = form(&file);
            let whole = read(&body, body.len());
            prop_assert_eq!(&whole, &read(&body, cut));
            if position(&file, b"\r\n--xyz", 0).is_none() && !file.starts_with(b"--xyz") {
                prop_assert_eq!(whole.map(|(_, _, data)| data), Ok(file));
            }
        }

        #[test]
        fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..300), cut in 1_usize..64) {
            let _ = read(&[b"--xyz\r\n", body.as_slice()].concat(), cut);
        }
    }
}
