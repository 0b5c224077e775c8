//! What goes wrong in a rotation, in the words that the function's log and answer tell.

/// Why a rotation did not go on. No variant holds a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the variable {0} is missing")]
    Variable(&'static str),
    #[error("{handler} is no rotation function; there are {known}")]
    Handler { handler: String, known: String },
    #[error("the event has no {0}")]
    Event(&'static str),
    /// `ValueError` of a rotation: the words say it all.
    #[error("{0}")]
    Refused(String),
    #[error("Key is missing from secret JSON: {0}")]
    Key(&'static str),
    #[error("{operation} failed: {code}: {message}")]
    Secrets {
        operation: &'static str,
        code: String,
        message: String,
    },
    #[error("{to} could not be reached: {source}")]
    Exchange { to: &'static str, source: planes::Error },
    #[error("the answer of {0} cannot be read")]
    Answer(&'static str),
    #[error("the request cannot be signed")]
    Signature,
    #[error("{doing} failed in the database: {reason}")]
    Database { doing: &'static str, reason: String },
    #[error("the certificates of the machine cannot be used: {0}")]
    Certificates(String),
    #[error("the package cannot be written: {0}")]
    Package(String),
}

/// The result of a part of a rotation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The error's class, as functions tell it.
    pub(crate) const fn class(&self) -> &'static str {
        match self {
            Self::Refused(_) => "ValueError",
            Self::Key(_) => "KeyError",
            Self::Secrets { .. } => "ClientError",
            Self::Database { .. } => "DatabaseError",
            _ => "RuntimeError",
        }
    }

    /// Whether Secrets Manager said that what was named is not there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Secrets { code, .. } if code == "ResourceNotFoundException")
    }
}
