//! Randomness, injected where answers must be repeatable, and the identifiers and credentials made of it.
//!
//! Invariant: every choice from an alphabet is unbiased (bytes above the last full multiple are thrown away).

use zeroize::Zeroizing;

use crate::{Error, Result, Secret, digest};

/// A source of random bytes. Nonces never come from an injected one; see `cipher`.
pub trait Randomness: Send + Sync {
    /// Fills the whole of `destination`.
    ///
    /// # Errors
    /// [`Error::Randomness`] when the source fails; `destination` must then not be used.
    fn fill(&self, destination: &mut [u8]) -> Result<()>;
}

/// The random generator of the cryptographic library, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, destination: &mut [u8]) -> Result<()> {
        aws_lc_rs::rand::fill(destination).map_err(|_| Error::Randomness)
    }
}

/// `length` random bytes, for plaintexts such as data keys and `GenerateRandom` (S8.21).
///
/// # Errors
/// [`Error::Randomness`].
pub fn bytes(source: &dyn Randomness, length: usize) -> Result<Secret> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    source.fill(&mut bytes)?;
    Ok(Secret::from(bytes))
}

/// `N` random bytes.
///
/// # Errors
/// [`Error::Randomness`].
pub fn array<const N: usize>(source: &dyn Randomness) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    source.fill(&mut bytes)?;
    Ok(bytes)
}

/// A number below `bound`, each equally likely; 0 when `bound` is 0.
///
/// # Errors
/// [`Error::Randomness`].
pub fn below(source: &dyn Randomness, bound: u64) -> Result<u64> {
    let bound = bound.max(1);
    // Numbers of the last, incomplete multiple of `bound` would favour the small remainders.
    let excess = (u64::MAX % bound + 1) % bound;
    for _ in 0..DRAWS_MAX {
        let drawn = u64::from_be_bytes(array(source)?);
        if drawn <= u64::MAX - excess {
            return Ok(drawn % bound);
        }
    }
    Err(Error::Randomness)
}

/// Text of `length` characters, each equally likely from an ASCII `alphabet`.
///
/// # Errors
/// [`Error::Randomness`], also when the alphabet is empty, above 256 characters, or not ASCII.
pub fn text(source: &dyn Randomness, alphabet: &str, length: usize) -> Result<Secret> {
    let letters = alphabet.as_bytes();
    if letters.is_empty() || letters.len() > 256 || !alphabet.is_ascii() {
        return Err(Error::Randomness);
    }
    let limit = 256 - 256 % letters.len();
    let mut chosen = Zeroizing::new(Vec::with_capacity(length));
    // A block yields half of its bytes even with the worst alphabet; a source that never does is broken.
    let mut pool = Zeroizing::new([0; 64]);
    for _ in 0..=length.saturating_mul(DRAWS_MAX) {
        if chosen.len() == length {
            break;
        }
        source.fill(pool.as_mut())?;
        let fitting = pool
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < limit);
        let letters = fitting.filter_map(|byte| letters.get(byte % letters.len()).copied());
        let missing = length - chosen.len();
        chosen.extend(letters.take(missing));
    }
    if chosen.len() == length {
        Ok(Secret::from(chosen))
    } else {
        Err(Error::Randomness)
    }
}

/// Draws after which a source is taken for broken: a sound one fails once in 2^128.
const DRAWS_MAX: usize = 128;

/// What an identifier names, told by its first four letters (IAM User Guide, "IAM identifiers", "Understanding unique ID prefixes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is AWS's own name of the thing")]
pub enum IdPrefix {
    BearerToken,
    ContextSpecificCredential,
    Group,
    User,
    InstanceProfile,
    AccessKey,
    ManagedPolicy,
    ManagedPolicyVersion,
    PublicKey,
    Role,
    Certificate,
    TemporaryAccessKey,
}

impl IdPrefix {
    /// The four letters.
    #[must_use]
    pub const fn letters(self) -> &'static str {
        match self {
            Self::BearerToken => "ABIA",
            Self::ContextSpecificCredential => "ACCA",
            Self::Group => "AGPA",
            Self::User => "AIDA",
            Self::InstanceProfile => "AIPA",
            Self::AccessKey => "AKIA",
            Self::ManagedPolicy => "ANPA",
            Self::ManagedPolicyVersion => "ANVA",
            Self::PublicKey => "APKA",
            Self::Role => "AROA",
            Self::Certificate => "ASCA",
            Self::TemporaryAccessKey => "ASIA",
        }
    }
}

const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const SECRET_ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A long-term access key id: `AKIA` and 16 characters, 20 in all (S3.1, S3.2).
///
/// # Errors
/// [`Error::Randomness`].
pub fn access_key_id(source: &dyn Randomness) -> Result<String> {
    prefixed(source, IdPrefix::AccessKey, 16)
}

/// The access key id of temporary credentials: `ASIA` and 16 characters, 20 in all (S3.2).
///
/// # Errors
/// [`Error::Randomness`].
pub fn temporary_access_key_id(source: &dyn Randomness) -> Result<String> {
    prefixed(source, IdPrefix::TemporaryAccessKey, 16)
}

/// A unique id of a user, role, group, policy and so on: four letters and 17 characters, 21 in all, as in all of AWS's examples
/// (`AIDACKCEVSQ6C2EXAMPLE`).
///
/// # Errors
/// [`Error::Randomness`].
pub fn unique_id(source: &dyn Randomness, prefix: IdPrefix) -> Result<String> {
    prefixed(source, prefix, 17)
}

/// The id of a SAML provider: `SAMLSP` and 16 characters, 22 in all, as in AWS's examples (`SAMLSP4SHN3UIS2D558H46`).
///
/// # Errors
/// [`Error::Randomness`].
pub fn saml_provider_id(source: &dyn Randomness) -> Result<String> {
    Ok(format!("SAMLSP{}", text(source, BASE32, 16)?.expose_text()?))
}

/// A secret access key: 40 letters, digits, `+` and `/` (S3.3).
///
/// # Errors
/// [`Error::Randomness`].
pub fn secret_access_key(source: &dyn Randomness) -> Result<Secret> {
    text(source, SECRET_ALPHABET, 40)
}

/// A random UUID (RFC 9562, version 4) in lower-case text.
///
/// # Errors
/// [`Error::Randomness`].
pub fn uuid(source: &dyn Randomness) -> Result<String> {
    let drawn = u128::from_be_bytes(array(source)?);
    let fixed = drawn & !(0xf << 76) & !(3 << 62) | 4 << 76 | 2 << 62;
    Ok(uuid_text(&fixed.to_be_bytes()))
}

/// The text of a UUID (RFC 9562, section 4): 36 characters, lower case.
#[must_use]
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let digits = digest::hex(uuid);
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// `length` bytes as lower-case hexadecimal text of twice the length.
///
/// # Errors
/// [`Error::Randomness`].
pub fn hex(source: &dyn Randomness, length: usize) -> Result<String> {
    Ok(digest::hex(bytes(source, length)?.expose()))
}

fn prefixed(source: &dyn Randomness, prefix: IdPrefix, length: usize) -> Result<String> {
    let tail = text(source, BASE32, length)?;
    Ok(format!("{}{}", prefix.letters(), tail.expose_text()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Deterministic;

    /// S3.1, S3.2: 20 characters, the prefix of AWS, upper-case letters and digits.
    #[test]
    fn access_key_ids_have_a_prefix_and_sixteen_characters() {
        for (id, prefix) in [
            (access_key_id(&SystemRandomness).unwrap(), "AKIA"),
            (temporary_access_key_id(&SystemRandomness).unwrap(), "ASIA"),
        ] {
            assert_eq!(id.len(), 20);
            assert!(id.starts_with(prefix));
            assert!(
                id.bytes().all(|letter| BASE32.as_bytes().contains(&letter)),
                "{id}"
            );
        }
        assert_ne!(
            access_key_id(&SystemRandomness).unwrap(),
            access_key_id(&SystemRandomness).unwrap()
        );
    }

    #[test]
    fn unique_ids_have_twenty_one_characters() {
        let id = unique_id(&SystemRandomness, IdPrefix::Role).unwrap();
        assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
    }

    /// S3.3: 40 characters, and over many keys every one of the 64 occurs.
    #[test]
    fn secret_access_keys_use_the_whole_alphabet() {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let secret = secret_access_key(&SystemRandomness).unwrap();
            assert_eq!(secret.len(), 40);
            seen.extend(secret.expose().to_vec());
        }
        assert_eq!(seen, SECRET_ALPHABET.bytes().collect());
    }

    #[test]
    fn uuids_carry_version_and_variant() {
        for _ in 0..50 {
            let id = uuid(&SystemRandomness).unwrap();
            let groups: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(groups, [8, 4, 4, 4, 12]);
            assert_eq!(id.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
        assert_eq!(
            uuid_text(&0x0123_4567_89ab_cdef_0011_2233_4455_6677_u128.to_be_bytes()),
            "01234567-89ab-cdef-0011-223344556677"
        );
    }

    #[test]
    fn choices_from_an_odd_alphabet_are_even() {
        let source = Deterministic::new(1);
        let drawn = text(&source, "abc", 30_000).unwrap();
        for letter in b"abc" {
            let count = drawn.expose().iter().filter(|drawn| *drawn == letter).count();
            assert!((9_600..10_400).contains(&count), "{count}");
        }
    }

    /// S8.21: as many bytes as were asked for, and different ones each time.
    #[test]
    fn random_bytes_have_the_wanted_length_and_differ() {
        for length in [0, 1, 32, 1024] {
            assert_eq!(bytes(&SystemRandomness, length).unwrap().len(), length);
        }
        assert_ne!(
            bytes(&SystemRandomness, 32).unwrap(),
            bytes(&SystemRandomness, 32).unwrap()
        );
        assert_eq!(hex(&SystemRandomness, 8).unwrap().len(), 16);
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let source = Deterministic::new(2);
        let drawn: Vec<u64> = (0..1000).map(|_| below(&source, 7).unwrap()).collect();
        assert!((0..7).all(|number| drawn.contains(&number)) && drawn.iter().all(|number| *number < 7));
        assert_eq!((below(&source, 1).unwrap(), below(&source, 0).unwrap()), (0, 0));
        assert!(below(&source, u64::MAX).is_ok());
    }

    #[test]
    fn a_broken_source_or_alphabet_is_an_error_and_no_endless_loop() {
        struct Stuck;
        impl Randomness for Stuck {
            fn fill(&self, destination: &mut [u8]) -> Result<()> {
                destination.fill(255);
                Ok(())
            }
        }
        assert!(matches!(text(&Stuck, "abc", 4), Err(Error::Randomness)));
        assert!(matches!(below(&Stuck, 10), Err(Error::Randomness)));
        assert!(matches!(text(&SystemRandomness, "", 4), Err(Error::Randomness)));
        assert!(matches!(text(&SystemRandomness, "é", 4), Err(Error::Randomness)));
        assert!(text(&SystemRandomness, "ab", 0).unwrap().is_empty());
    }
}
