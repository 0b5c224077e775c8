//! The one error type of the crate. It says what was attempted and on what; it never holds key bytes, plaintext or token text.

use std::path::PathBuf;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in words for the operator's log. What a *caller* may see is decided by the service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system gave no random bytes.
    #[error("drawing random bytes failed")]
    Randomness,
    /// The cryptographic library refused an operation whose inputs this crate had checked.
    #[error("the cryptographic library refused to {attempt}")]
    Library {
        /// The operation, as a verb phrase.
        attempt: &'static str,
    },
    /// A secret was asked for as text, but is not UTF-8.
    #[error("the secret is not UTF-8 text")]
    SecretNotText,

    /// No key file where one was expected.
    #[error("the key file {} does not exist; without it this data folder cannot be opened", path.display())]
    KeyFileMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The key file could not be made.
    #[error("writing the key file {} failed", path.display())]
    KeyFileWrite {
        /// Where it was to be made.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file could not be read.
    #[error("reading the key file {} failed", path.display())]
    KeyFileRead {
        /// Where it lies.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than the owner may read or write the key file.
    #[error("the key file {} has mode {mode:04o}; only its owner may have access (chmod 600)", path.display())]
    KeyFileExposed {
        /// Where it lies.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file lies in the folder that it protects.
    #[error("the key file {} lies inside the data folder {}, so that a copy of the folder would hold its own key", path.display(), folder.display())]
    KeyFileInsideDataFolder {
        /// Where it lies.
        path: PathBuf,
        /// The data folder.
        folder: PathBuf,
    },
    /// The file is something else than a key file.
    #[error("{} is not a key file of this program", path.display())]
    KeyFileMalformed {
        /// Where it lies.
        path: PathBuf,
    },

    /// A passphrase below the least length.
    #[error("the passphrase is shorter than {least} bytes")]
    PassphraseTooShort {
        /// The least length in bytes.
        least: usize,
    },
    /// Argon2id could not run (usually: not enough memory).
    #[error("deriving the root key from the passphrase failed: {reason}")]
    PassphraseDerivation {
        /// The library's words.
        reason: argon2::Error,
    },
    /// The header of the seal cannot be read.
    #[error("the header of the seal is unreadable: {reason}")]
    SealHeader {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The data folder is opened by another kind of opener.
    #[error("the seal is opened by a {expected}, not by a {given}")]
    SealOpenerKind {
        /// The kind in the header.
        expected: &'static str,
        /// The kind that was given.
        given: &'static str,
    },
    /// The key file or passphrase belongs to another seal.
    #[error("the {opener} does not open this seal")]
    SealOpenerWrong {
        /// `key file` or `passphrase`.
        opener: &'static str,
    },
    /// The right opener, but the wrapped data key was altered.
    #[error("the wrapped data key in the header of the seal was altered")]
    SealHeaderAltered,
    /// A sealed value of a format that this version does not know.
    #[error("a sealed value in table {table} has the unknown format {version}")]
    SealedVersion {
        /// The table of the row.
        table: String,
        /// The version byte.
        version: u8,
    },
    /// A sealed value that is too short to be one.
    #[error("a sealed value in table {table} is truncated")]
    SealedTruncated {
        /// The table of the row.
        table: String,
    },
    /// A sealed value that was altered, moved from another row, or sealed by another seal.
    #[error("a sealed value in table {table} was altered, belongs to another row or to another seal")]
    SealedAltered {
        /// The table of the row.
        table: String,
    },

    /// A chunk of a content that was altered, truncated, moved or belongs to another content, or a wrong key. Deliberately one error.
    #[error("a stored content was altered, or is not opened by this key")]
    ContentAltered,

    /// Not the id of a KMS key: a UUID, or `mrk-` and 32 hexadecimal digits.
    #[error("not the id of a KMS key")]
    KeyId,
    /// Not an account: twelve digits.
    #[error("not an account number of twelve digits")]
    Account,
    /// Not the id of key material: 64 hexadecimal digits.
    #[error("not the id of key material")]
    MaterialId,
    /// Key material of the wrong length for its specification.
    #[error("key material for {spec} has {given} bytes instead of {expected}")]
    MaterialLength {
        /// The key specification.
        spec: &'static str,
        /// The length it has.
        expected: usize,
        /// The length that was given.
        given: usize,
    },
    /// Unsealed bytes that are not key material.
    #[error("the unsealed bytes are not key material")]
    MaterialMalformed,
    /// An operation that the key's specification does not have.
    #[error("key material for {spec} cannot {attempt}")]
    MaterialUsage {
        /// The key specification.
        spec: &'static str,
        /// The operation, as a verb phrase.
        attempt: &'static str,
    },
    /// A plaintext above the limit of direct encryption.
    #[error("a plaintext of {given} bytes is above the limit of {limit}")]
    PlaintextTooLong {
        /// The greatest length in bytes.
        limit: usize,
        /// The length that was given.
        given: usize,
    },
    /// A digest of another length than the algorithm's hash function makes, or where none can be signed.
    #[error("a digest of {given} bytes cannot be signed by {algorithm}")]
    DigestLength {
        /// AWS's name of the signing algorithm.
        algorithm: &'static str,
        /// The length that was given.
        given: usize,
    },
    /// Bytes that are no public key to agree with: another curve, another encoding, or no point of the curve.
    #[error("the other party's public key is unusable")]
    PeerKey,
    /// Bytes that are no ciphertext of ours, or that do not decrypt under this key and context. Deliberately one error: telling the
    /// cases apart would be an oracle.
    #[error("the ciphertext is invalid")]
    CiphertextInvalid,

    /// A payload above the limit of a token.
    #[error("a token payload of {given} bytes is above the limit of {limit}")]
    TokenTooLong {
        /// The greatest length in bytes.
        limit: usize,
        /// The length that was given.
        given: usize,
    },
    /// Text that is no token of ours, or one for another purpose, or an altered one. Deliberately one error.
    #[error("the token is invalid")]
    TokenInvalid,

    /// A name that cannot stand in a certificate.
    #[error("{name:?} is neither a host name nor an IP address")]
    CertificateName {
        /// The name.
        name: String,
    },
    /// A point in time outside the years that a certificate can express.
    #[error("the time {unix_seconds} cannot stand in a certificate")]
    CertificateTime {
        /// Seconds since 1970.
        unix_seconds: i64,
    },
    /// Making or signing a certificate failed.
    #[error("{attempt} failed")]
    Certificate {
        /// The operation, as a noun phrase.
        attempt: &'static str,
        /// The library's words.
        source: rcgen::Error,
    },
    /// PEM text without the expected block.
    #[error("the PEM text holds no readable {expected}")]
    Pem {
        /// The kind of block.
        expected: &'static str,
    },
    /// A certificate and a private key that do not belong together.
    #[error("the certificate is not an authority of this program, or belongs to another private key")]
    CertificateKeyMismatch,
}
