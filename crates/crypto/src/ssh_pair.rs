//! SSH key pairs as EC2 makes them, and the public keys that it takes: RSA and Ed25519.
//!
//! Source: Amazon EC2 User Guide, "Create a key pair", "Verify the fingerprint of your key pair"; OpenSSH, `PROTOCOL.key`; RFC 8709.
//!
//! Invariant: a private key is told once and kept nowhere.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use crate::ssh::{SshKeyError, SshPublicKey};
use crate::{Error, Randomness, Result, Secret, digest, random};

const ED25519: &str = "ssh-ed25519";
/// Characters of a line of PEM (RFC 7468), and of OpenSSH's own.
const PEM_COLUMNS: usize = 64;
const OPENSSH_COLUMNS: usize = 70;

/// The kind of an SSH key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SshKind {
    /// 2048 bits.
    Rsa,
    Ed25519,
}

/// A new key pair.
pub struct SshPair {
    /// PKCS #1 in PEM, or OpenSSH's own form for Ed25519.
    pub private: Secret,
    /// The line of `authorized_keys`, without a comment.
    pub public: String,
    /// As EC2 shows it of pairs that it made: SHA-1 of the private key in PKCS #8, or SHA-256 of the public key in base64.
    pub fingerprint: String,
}

impl SshPair {
    /// Makes a key pair.
    ///
    /// # Errors
    /// Those of the randomness and of the library.
    pub fn make(kind: SshKind, source: &dyn Randomness) -> Result<Self> {
        match kind {
            SshKind::Rsa => rsa(),
            SshKind::Ed25519 => ed25519(source),
        }
    }
}

fn refused<E>(attempt: &'static str) -> impl Fn(E) -> Error {
    move |_| Error::Library { attempt }
}

fn rsa() -> Result<SshPair> {
    let made = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused("make an RSA key"))?;
    let whole = AsDer::<Pkcs8V1Der<'_>>::as_der(&made).map_err(refused("write an RSA key"))?;
    let inner = pkcs1(whole.as_ref()).ok_or(Error::Library {
        attempt: "write an RSA key",
    })?;
    let public =
        AsDer::<PublicKeyX509Der<'_>>::as_der(made.public_key()).map_err(refused("write an RSA key"))?;
    let public = armored("PUBLIC KEY", public.as_ref(), PEM_COLUMNS);
    let public = SshPublicKey::read(&public).map_err(refused("write an RSA key"))?;
    Ok(SshPair {
        private: Secret::copy_of(armored("RSA PRIVATE KEY", inner, PEM_COLUMNS).as_bytes()),
        public: public.openssh(),
        fingerprint: paired(&digest::sha1(whole.as_ref())),
    })
}

/// The RSA key inside a private key of PKCS #8 (RFC 5208): its version, its algorithm, the key.
fn pkcs1(bytes: &[u8]) -> Option<&[u8]> {
    let (whole, _) = element(bytes, 0x30)?;
    let (_, rest) = element(whole, 0x02)?;
    let (_, rest) = element(rest, 0x30)?;
    element(rest, 0x04).map(|(key, _)| key)
}

/// The content of the first element, which bears a tag, and what is behind it.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        short @ 0..0x80 => (usize::from(*short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = digits.iter().try_fold(0_usize, |sum, digit| {
                sum.checked_mul(256)?.checked_add(usize::from(*digit))
            })?;
            (length, rest)
        }
    };
    (*first == tag).then(|| rest.split_at_checked(length))?
}

fn ed25519(source: &dyn Randomness) -> Result<SshPair> {
    let seed = Zeroizing::new(random::array::<32>(source)?);
    let key = SigningKey::from_bytes(&seed);
    let public = key.verifying_key().to_bytes();
    let check = random::array::<4>(source)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(160));
    secret.extend(check);
    secret.extend(check);
    string(&mut secret, ED25519.as_bytes());
    string(&mut secret, &public);
    let pair = Zeroizing::new([seed.as_slice(), public.as_slice()].concat());
    string(&mut secret, &pair);
    string(&mut secret, b"");
    for pad in 1..=7 {
        if secret.len() % 8 == 0 {
            break;
        }
        secret.push(pad);
    }
    let mut whole = Zeroizing::new(b"openssh-key-v1\0".to_vec());
    for part in [b"none".as_slice(), b"none", b""] {
        string(&mut whole, part);
    }
    whole.extend(1_u32.to_be_bytes());
    string(&mut whole, &blob(&public));
    string(&mut whole, &secret);
    let (public, fingerprint) = shown(&public);
    Ok(SshPair {
        private: Secret::copy_of(armored("OPENSSH PRIVATE KEY", &whole, OPENSSH_COLUMNS).as_bytes()),
        public,
        fingerprint,
    })
}

/// A string of RFC 4251, section 5.
fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

/// The wire form of an Ed25519 public key.
fn blob(public: &[u8]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(51);
    string(&mut blob, ED25519.as_bytes());
    string(&mut blob, public);
    blob
}

/// Line and fingerprint of an Ed25519 public key.
fn shown(public: &[u8]) -> (String, String) {
    let blob = blob(public);
    let line = format!("{ED25519} {}", STANDARD.encode(&blob));
    (line, STANDARD.encode(digest::sha256(&blob)))
}

fn armored(label: &str, bytes: &[u8], columns: usize) -> Zeroizing<String> {
    let text = Zeroizing::new(STANDARD.encode(bytes));
    let mut out = Zeroizing::new(format!("-----BEGIN {label}-----\n"));
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % columns == 0 {
            out.push('\n');
        }
        out.push(character);
    }
    out.push_str(&format!("\n-----END {label}-----\n"));
    out
}

/// Pairs of digits with colons between.
fn paired(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| digest::hex(&[*byte])).collect();
    pairs.join(":")
}

/// A public key that somebody brings.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshImported {
    pub kind: SshKind,
    /// The line of `authorized_keys`, without a comment.
    pub public: String,
    /// As EC2 shows it of imported keys: MD5 of the public key in DER, or SHA-256 in base64.
    pub fingerprint: String,
}

impl SshImported {
    /// Reads a line of OpenSSH, or an RSA key in PEM.
    ///
    /// # Errors
    /// [`SshKeyError`].
    pub fn read(text: &str) -> std::result::Result<Self, SshKeyError> {
        let mut words = text.split_ascii_whitespace();
        if words.next() == Some(ED25519) {
            let bytes = words.next().and_then(|body| STANDARD.decode(body).ok());
            let bytes = bytes.ok_or(SshKeyError::Key)?;
            let key = bytes.last_chunk::<32>().filter(|key| blob(*key) == bytes);
            let (public, fingerprint) = shown(key.ok_or(SshKeyError::Key)?);
            return Ok(Self {
                kind: SshKind::Ed25519,
                public,
                fingerprint,
            });
        }
        let key = SshPublicKey::read(text)?;
        let body: String = key
            .pem()
            .lines()
            .filter(|line| !line.starts_with("-----"))
            .collect();
        let der = STANDARD.decode(body).map_err(|_| SshKeyError::Key)?;
        Ok(Self {
            kind: SshKind::Rsa,
            public: key.openssh(),
            fingerprint: paired(&Md5::digest(&der)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_pair_of_either_kind_is_read_again_by_its_public_half() {
        for (kind, begins) in [
            (SshKind::Rsa, "-----BEGIN RSA PRIVATE KEY-----\nMII"),
            (
                SshKind::Ed25519,
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA",
            ),
        ] {
            let pair = SshPair::make(kind, &SystemRandomness).unwrap();
            assert!(pair.private.expose_text().unwrap().starts_with(begins));
            let read = SshImported::read(&format!("{} somebody@somewhere", pair.public)).unwrap();
            assert_eq!((read.kind, &read.public), (kind, &pair.public));
            // EC2 shows another fingerprint of an RSA key that it made than of the same key imported.
            assert_eq!(read.fingerprint == pair.fingerprint, kind == SshKind::Ed25519);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "ssh-dss AAAAB3NzaC1kc3M=",
            "nonsense",
        ] {
            assert!(SshImported::read(text).is_err(), "{text}");
        }
    }
}
