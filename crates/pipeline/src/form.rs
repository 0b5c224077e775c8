//! Forms that browsers send with a file: what a service makes of their fields, and the file as a payload.
//!
//! Invariant: a form becomes one operation like any other, with its own decision, encryption and record; nothing of its fields is used
//! before its signature was verified, and no byte of its file is kept that the operation did not ask for.
//!
//! Source: S3 API Reference, "POST Object", "Browser-based uploads using POST".

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;

use bytes::Bytes;
use http::HeaderMap;
use wire::form_data::{FormDecoder, FormError, FormPiece};
use wire::{Document, Fault, Timestamp};

use crate::front::{Arriving, Interrupted};
use crate::operation::Result;

/// The fields of a form before its file.
#[derive(Default)]
pub struct Form {
    /// In their order, names in lower case, each once.
    fields: Vec<(String, String)>,
    /// What the browser calls the file.
    pub file_name: Option<String>,
}

impl Form {
    /// The value of a field, by its name in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All fields.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Adds a field.
    ///
    /// # Errors
    /// For one that is there already, since two readers could pick different ones.
    pub fn add(&mut self, name: &str, value: String) -> Result<()> {
        let name = name.to_ascii_lowercase();
        if self.get(&name).is_some() {
            return Err(Fault::plain(
                "InvalidArgument",
                400,
                "A form field must not occur more than once.",
            )
            .with("ArgumentName", Document::String(name))
            .with("ArgumentValue", Document::String(String::new())));
        }
        self.fields.push((name, value));
        Ok(())
    }
}

/// What a service makes of a form: the operation's input, as a request of its own would have it.
pub struct Upload {
    pub key: String,
    pub headers: HeaderMap,
    /// Bytes that the file may have.
    pub size: RangeInclusive<u64>,
}

/// An upload that was done.
pub struct Uploaded<'a> {
    pub bucket: &'a str,
    pub region: &'a str,
    /// With its quotes.
    pub etag: &'a str,
}

/// How such a form is answered.
pub struct FormAnswer {
    pub status: u16,
    pub location: String,
    /// An XML document, or nothing.
    pub body: Vec<u8>,
}

/// One service's forms.
pub struct FormRules {
    /// botocore's service name.
    pub service: &'static str,
    /// The operation that a form is.
    pub operation: &'static str,
    /// Reads a form that is sent to a bucket at a time of the wall. `signed` tells whether its policy was verified; if not, it has none.
    pub read: fn(&Form, bucket: &str, signed: bool, wall: Timestamp) -> Result<Upload>,
    pub answer: fn(&Form, &Uploaded<'_>) -> FormAnswer,
}

/// A body that is at hand, or whose beginning is.
pub(crate) struct Resumed {
    pub(crate) first: Option<Bytes>,
    pub(crate) rest: Option<Box<dyn Arriving>>,
}

impl Arriving for Resumed {
    fn next(
        &mut self,
    ) -> Pin<Box<dyn Future<Output = std::result::Result<Option<Bytes>, Interrupted>> + Send + '_>> {
        Box::pin(async {
            match (
                self.first.take().filter(|bytes| !bytes.is_empty()),
                &mut self.rest,
            ) {
                (Some(bytes), _) => Ok(Some(bytes)),
                (None, Some(rest)) => rest.next().await,
                (None, None) => Ok(None),
            }
        })
    }
}

/// The file of a form while it arrives.
pub(crate) struct FormFile {
    decoder: FormDecoder,
    size: RangeInclusive<u64>,
    taken: u64,
}

impl FormFile {
    /// `decoder` stands at the file's beginning.
    pub(crate) const fn new(decoder: FormDecoder, size: RangeInclusive<u64>) -> Self {
        Self {
            decoder,
            size,
            taken: 0,
        }
    }

    pub(crate) fn take(&mut self, arrived: Bytes, each: &mut impl FnMut(&Bytes) -> Result<()>) -> Result<()> {
        self.decoder.push(arrived);
        while let Some(piece) = self.decoder.next_piece().map_err(malformed)? {
            let FormPiece::Data(bytes) = piece else { continue };
            self.taken = self.taken.saturating_add(bytes.len() as u64);
            let most = *self.size.end();
            if self.taken > most {
                let message = "Your proposed upload exceeds the maximum allowed size";
                return Err(of_size(
                    "EntityTooLarge",
                    message,
                    self.taken,
                    ("MaxSizeAllowed", most),
                ));
            }
            each(&bytes)?;
        }
        Ok(())
    }

    pub(crate) fn finish(&self) -> Result<()> {
        self.decoder.finish().map_err(malformed)?;
        let least = *self.size.start();
        if self.taken < least {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(of_size(
                "EntityTooSmall",
                message,
                self.taken,
                ("MinSizeAllowed", least),
            ));
        }
        Ok(())
    }
}

fn of_size(code: &'static str, message: &str, size: u64, (bound, allowed): (&'static str, u64)) -> Fault {
    let text = |number: u64| Document::String(number.to_string());
    Fault::plain(code, 400, message)
        .with("ProposedSize", text(size))
        .with(bound, text(allowed))
}

/// S3's refusal of a body that is no form.
pub(crate) fn malformed(error: FormError) -> Fault {
    match error {
        FormError::Boundary | FormError::Malformed => Fault::plain(
            "MalformedPOSTRequest",
            400,
            "The body of your POST request is not well-formed multipart/form-data.",
        ),
        FormError::TooLarge => Fault::plain(
            "MaxPostPreDataLengthExceeded",
            400,
            "Your POST request fields preceding the upload file were too large.",
        ),
        FormError::NoFile => Fault::plain(
            "InvalidArgument",
            400,
            "POST requires exactly one file upload per request.",
        )
        .with("ArgumentName", Document::String("file".to_owned()))
        .with("ArgumentValue", Document::String("0".to_owned())),
    }
}
