//! What can go wrong in the store. Errors are cheap to clone, because one failed flush answers many callers.

use std::path::PathBuf;
use std::sync::Arc;

/// The result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The errors of the store. Only [`Error::Conflict`] is answered by running the transaction again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A newer commit touched what this transaction read: run it again.
    #[error("the transaction conflicts with a newer commit")]
    Conflict,
    /// The store is closing or has closed; nothing more is committed.
    #[error("the store is closed")]
    Closed,
    /// A flush failed, and all that it held was refused; nothing of it is visible.
    #[error("the commit could not be made durable, and nothing of it was kept")]
    Refused(#[source] Arc<Error>),
    /// A flush failed and it is not certain what reached the disk: commits are refused until it is.
    #[error("commits are refused, because an earlier one failed and its outcome could not be read back")]
    Uncertain(#[source] Arc<Error>),
    /// A commit that was answered as failed turned out to be durable: only a restart makes the state certain.
    #[error("commits are refused, because one that was answered as failed was found to be durable; restart")]
    Poisoned,
    /// Another process holds this data folder.
    #[error("{} is in use by another process", dir.display())]
    Locked {
        /// The data folder.
        dir: PathBuf,
    },
    /// The file was written by a newer program than this one.
    #[error("{} has format {found}, and this program knows formats up to {known}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format that was found.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// The file was written by an older program, and was to be left as it is.
    #[error("{} has format {found}: the next start of the server makes it one of format {known}", path.display())]
    OlderFormat {
        /// The file.
        path: PathBuf,
        /// The format that was found.
        found: i64,
        /// The format of this program.
        known: i64,
    },
    /// The file is not one that this store wrote.
    #[error("{} is not a store file: {detail}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What told.
        detail: String,
    },
    /// The file is damaged.
    #[error("{} is damaged: {detail}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// A row was changed by something else than this program: a bad disk, or an editor.
    #[error("{} is damaged: a row of {table} (key {key}) is not what was written", path.display())]
    DamagedRow {
        /// The file.
        path: PathBuf,
        /// The table's name; its number where nobody was asked for the name.
        table: String,
        /// A digest of the row's key, which itself may tell too much for a log.
        key: String,
    },
    /// The operating system refused an operation on a file.
    #[error("could not {what} {}", path.display())]
    Io {
        /// The operation, as a verb.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// The engine refused an operation.
    #[error("could not {what}")]
    Engine {
        /// The operation, as a verb with its object.
        what: &'static str,
        /// The reason.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A stored record has a version that this program does not know.
    #[error("a record of {table} has version {found}, and this program knows versions up to {known}")]
    NewerRecord {
        /// The table or type.
        table: &'static str,
        /// The version that was found.
        found: u8,
        /// The newest version that is known.
        known: u8,
    },
    /// A record could not be turned into bytes.
    #[error("could not encode a record of {table}")]
    Encode {
        /// The table or type.
        table: &'static str,
        /// The reason.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Stored bytes could not be turned into a record.
    #[error("could not decode a record of {table}")]
    Decode {
        /// The table or type.
        table: &'static str,
        /// The reason.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// Stored bytes are not a key of the table that they were found in.
    #[error("a stored key is malformed: {0}")]
    Key(&'static str),
    /// Two tables share an id, or one table was declared with two types.
    #[error("table {0} holds records of another type")]
    Type(&'static str),
}

impl Error {
    /// Wraps an engine's own error.
    pub fn engine(what: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::Engine {
            what,
            source: Arc::new(source),
        }
    }

    pub(crate) fn io(what: &'static str, path: &std::path::Path, source: std::io::Error) -> Error {
        Error::Io {
            what,
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }

    /// Says which table a damaged row is of, for an engine knows numbers only.
    pub(crate) fn in_table(self, name: &str) -> Error {
        match self {
            Error::DamagedRow { path, key, .. } => Error::DamagedRow {
                path,
                table: name.to_owned(),
                key,
            },
            other => other,
        }
    }

    /// Whether the transaction should be run again.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Conflict)
    }
}
