//! The header of the seal, kept in the data folder: how the root key is found, and the data key wrapped under it.
//!
//! Invariant: bytes of a header from outside are bounded before they cost anything; in particular the memory and time that Argon2id is told
//! to spend.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::Opener;
use crate::cipher::{self, KEY, TAG};
use crate::octets::Octets;
use crate::{Error, Randomness as _, Result, Secret, SystemRandomness, digest};

const MAGIC: &[u8; 8] = b"RINGSEAL";
const VERSION: u8 = 1;
const SALT: usize = 16;
const CHECK: usize = 32;
const NONCE: usize = 24;
const WRAPPED: usize = NONCE + KEY + TAG;
/// A checksum tells a damaged header from a wrong opener; it is no protection against intent, for which the wrapping cares.
const CHECKSUM: usize = 8;
const LENGTH: usize = MAGIC.len() + 2 + SALT + 12 + CHECK + WRAPPED + CHECKSUM;

const ROOT: &str = "ringwork/seal/root/1";
const KEY_CHECK: &str = "ringwork/seal/check/1";
const WRAP: &str = "ringwork/seal/wrap/1";

/// The least length of a passphrase in bytes (NIST SP 800-63B, section 5.1.1: eight characters).
const PASSPHRASE_LEAST: usize = 8;

/// What is needed, besides the opener, to open a seal. Nothing in it is secret, but it must not be lost.
#[derive(Clone, PartialEq, Eq)]
pub struct SealHeader {
    kind: Kind,
    salt: [u8; SALT],
    check: [u8; CHECK],
    wrapped: [u8; WRAPPED],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    KeyFile,
    Passphrase(Cost),
}

/// What Argon2id spends on one guess (RFC 9106).
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// The second recommended option of RFC 9106, section 4 (64 MiB, three passes), with one lane since the library runs lanes in turn.
const STRONG: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};
/// Bounds on what a header may ask for: a planted header must not exhaust the machine.
const COST_MOST: Cost = Cost {
    memory_kib: 1024 * 1024,
    passes: 16,
    lanes: 16,
};

impl SealHeader {
    /// The encoding of fixed length that is kept in the data folder.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.prefix();
        bytes.extend_from_slice(&self.wrapped);
        let checksum = digest::sha256(&bytes);
        bytes.extend(checksum.iter().take(CHECKSUM));
        bytes
    }

    /// Reads the encoding back.
    ///
    /// # Errors
    /// [`Error::SealHeader`] with the reason: another length, another format, damage.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::parse(bytes).map_err(|reason| Error::SealHeader { reason })
    }

    /// Whether a passphrase, and not a key file, opens the seal.
    #[must_use]
    pub fn wants_passphrase(&self) -> bool {
        matches!(self.kind, Kind::Passphrase(_))
    }

    pub(super) fn wrap(opener: &Opener, data_key: &[u8; KEY]) -> Result<Self> {
        let kind = match opener {
            Opener::KeyFile(_) => Kind::KeyFile,
            Opener::Passphrase(_) => Kind::Passphrase(STRONG),
        };
        Self::wrap_as(kind, opener, data_key)
    }

    fn wrap_as(kind: Kind, opener: &Opener, data_key: &[u8; KEY]) -> Result<Self> {
        let mut salt = [0; SALT];
        SystemRandomness.fill(&mut salt)?;
        let root = match opener {
            Opener::KeyFile(file) => root_of_key_file(&file.read_or_create()?, &salt)?,
            Opener::Passphrase(passphrase) if passphrase.len() < PASSPHRASE_LEAST => {
                return Err(Error::PassphraseTooShort {
                    least: PASSPHRASE_LEAST,
                });
            }
            Opener::Passphrase(passphrase) => root_of_passphrase(passphrase, &salt, kind)?,
        };
        let check = *cipher::derive_key(root.as_ref(), KEY_CHECK, &salt)?;
        let mut header = Self {
            kind,
            salt,
            check,
            wrapped: [0; WRAPPED],
        };
        let mut wrapped = Vec::with_capacity(WRAPPED);
        cipher::encrypt::<NONCE>(root.as_ref(), WRAP, &header.prefix(), data_key, &mut wrapped)?;
        header.wrapped = wrapped.try_into().map_err(|_| Error::Library {
            attempt: "wrap the data key",
        })?;
        Ok(header)
    }

    pub(super) fn unwrap_data_key(&self, opener: &Opener) -> Result<Zeroizing<[u8; KEY]>> {
        let root = match (opener, self.kind) {
            (Opener::KeyFile(file), Kind::KeyFile) => root_of_key_file(&file.read()?, &self.salt)?,
            (Opener::Passphrase(passphrase), Kind::Passphrase(_)) => {
                root_of_passphrase(passphrase, &self.salt, self.kind)?
            }
            _ => {
                return Err(Error::SealOpenerKind {
                    expected: self.kind.name(),
                    given: opener.name(),
                });
            }
        };
        let check = cipher::derive_key(root.as_ref(), KEY_CHECK, &self.salt)?;
        if !digest::equal(check.as_ref(), &self.check) {
            return Err(Error::SealOpenerWrong {
                opener: opener.name(),
            });
        }
        let data_key = cipher::decrypt::<NONCE>(root.as_ref(), WRAP, &self.prefix(), &self.wrapped);
        let data_key = data_key.ok_or(Error::SealHeaderAltered)?;
        let mut key = Zeroizing::new([0; KEY]);
        key.iter_mut()
            .zip(data_key.expose())
            .for_each(|(to, from)| *to = *from);
        Ok(key)
    }

    /// All before the wrapped key, which is bound to it.
    fn prefix(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(MAGIC);
        let (kind, cost) = match self.kind {
            Kind::KeyFile => (
                1,
                Cost {
                    memory_kib: 0,
                    passes: 0,
                    lanes: 0,
                },
            ),
            Kind::Passphrase(cost) => (2, cost),
        };
        bytes.extend_from_slice(&[VERSION, kind]);
        bytes.extend_from_slice(&self.salt);
        for number in [cost.memory_kib, cost.passes, cost.lanes] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.check);
        bytes
    }

    fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        const SHORT: &str = "it is truncated";
        let mut octets = Octets::new(bytes);
        if octets.take(MAGIC.len()) != Some(MAGIC) {
            return Err("it does not begin like one");
        }
        if octets.u8() != Some(VERSION) {
            return Err("its version is unknown");
        }
        if bytes.len() != LENGTH {
            return Err(if bytes.len() < LENGTH {
                SHORT
            } else {
                "bytes follow its end"
            });
        }
        let (body, checksum) = bytes.split_at_checked(LENGTH - CHECKSUM).ok_or(SHORT)?;
        if !digest::sha256(body).starts_with(checksum) {
            return Err("its checksum does not match");
        }
        let kind = octets.u8().ok_or(SHORT)?;
        let salt = octets.array().ok_or(SHORT)?;
        let mut number = || octets.u32().ok_or(SHORT);
        let cost = Cost {
            memory_kib: number()?,
            passes: number()?,
            lanes: number()?,
        };
        let kind = match kind {
            1 => Kind::KeyFile,
            2 if cost.is_bounded() => Kind::Passphrase(cost),
            2 => return Err("it asks for more memory or time than is allowed"),
            _ => return Err("its kind of opener is unknown"),
        };
        let check = octets.array().ok_or(SHORT)?;
        let wrapped = octets.array().ok_or(SHORT)?;
        Ok(Self {
            kind,
            salt,
            check,
            wrapped,
        })
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::KeyFile => "key file",
            Self::Passphrase(_) => "passphrase",
        }
    }
}

impl Opener {
    const fn name(&self) -> &'static str {
        match self {
            Self::KeyFile(_) => "key file",
            Self::Passphrase(_) => "passphrase",
        }
    }
}

impl Cost {
    const fn is_bounded(self) -> bool {
        self.memory_kib <= COST_MOST.memory_kib
            && self.passes <= COST_MOST.passes
            && self.lanes <= COST_MOST.lanes
    }
}

/// The salt makes the root keys of two data folders differ, even if one key file opens both.
fn root_of_key_file(file: &Secret, salt: &[u8; SALT]) -> Result<Zeroizing<[u8; KEY]>> {
    cipher::derive_key(file.expose(), ROOT, salt)
}

fn root_of_passphrase(passphrase: &Secret, salt: &[u8; SALT], kind: Kind) -> Result<Zeroizing<[u8; KEY]>> {
    let cost = match kind {
        Kind::Passphrase(cost) => cost,
        Kind::KeyFile => STRONG,
    };
    let refused = |reason| Error::PassphraseDerivation { reason };
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY)).map_err(refused)?;
    let mut root = Zeroizing::new([0; KEY]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose(), salt, root.as_mut())
        .map_err(refused)?;
    Ok(root)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{KeyFile, Seal};

    const CHEAP: Cost = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("data")).unwrap();
            Self(folder)
        }

        fn key_file(&self, name: &str) -> Opener {
            Opener::KeyFile(KeyFile::new(&self.0.path().join(name), &self.0.path().join("data")).unwrap())
        }
    }

    fn passphrase(text: &str) -> Opener {
        Opener::Passphrase(Secret::from(text))
    }

    fn reread(header: &SealHeader) -> SealHeader {
        SealHeader::from_bytes(&header.to_bytes()).ok().unwrap()
    }

    #[test]
    fn a_key_file_opens_its_seal_again() {
        let place = Place::new();
        let (seal, header) = Seal::create(&place.key_file("key")).unwrap();
        let sealed = seal.seal("t", b"k", b"value").unwrap();
        let again = Seal::unlock(&place.key_file("key"), &reread(&header)).unwrap();
        assert!(again.open("t", b"k", &sealed).unwrap().matches(b"value"));
        assert!(!header.wants_passphrase());
    }

    #[test]
    fn another_or_a_missing_key_file_is_told_apart() {
        let place = Place::new();
        let (_, header) = Seal::create(&place.key_file("key")).unwrap();
        Seal::create(&place.key_file("other")).unwrap();
        let wrong = Seal::unlock(&place.key_file("other"), &header).err().unwrap();
        assert!(
            matches!(wrong, Error::SealOpenerWrong { opener: "key file" }),
            "{wrong}"
        );
        let missing = Seal::unlock(&place.key_file("missing"), &header).err().unwrap();
        assert!(matches!(missing, Error::KeyFileMissing { .. }), "{missing}");
        let kind = Seal::unlock(&passphrase("long enough"), &header).err().unwrap();
        assert!(
            matches!(
                kind,
                Error::SealOpenerKind {
                    expected: "key file",
                    given: "passphrase"
                }
            ),
            "{kind}"
        );
    }

    #[test]
    fn the_opener_changes_and_the_data_stay() {
        let place = Place::new();
        let (seal, old) = Seal::create(&place.key_file("key")).unwrap();
        let sealed = seal.seal("t", b"k", b"value").unwrap();
        let new = passphrase("correct horse");
        let header = SealHeader::wrap_as(Kind::Passphrase(CHEAP), &new, &seal.data_key).unwrap();
        let again = Seal::unlock(&new, &reread(&header)).unwrap();
        assert!(again.open("t", b"k", &sealed).unwrap().matches(b"value"));
        assert!(header.wants_passphrase() && header != old);
        let wrong = Seal::unlock(&passphrase("correct house"), &header).err().unwrap();
        assert!(
            matches!(wrong, Error::SealOpenerWrong { opener: "passphrase" }),
            "{wrong}"
        );
    }

    #[test]
    fn a_passphrase_below_eight_bytes_is_refused() {
        let short = Seal::create(&passphrase("1234567")).err().unwrap();
        assert!(matches!(short, Error::PassphraseTooShort { least: 8 }), "{short}");
    }

    #[test]
    fn a_new_header_spends_sixty_four_mebibytes_on_a_guess() {
        let header = Seal::ephemeral()
            .unwrap()
            .reseal(&passphrase("long enough"))
            .unwrap();
        assert!(
            header.kind
                == Kind::Passphrase(Cost {
                    memory_kib: 65_536,
                    passes: 3,
                    lanes: 1
                })
        );
    }

    /// RFC 9106, section 5.3, has a secret and associated data, which this use has not; the parameters are pinned by this known answer
    /// of the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    #[test]
    fn argon2id_agrees_with_the_reference_implementation() {
        let params = Params::new(1 << 16, 2, 1, Some(32)).unwrap();
        let mut out = [0; 32];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(b"password", b"somesalt", &mut out)
            .unwrap();
        assert_eq!(
            digest::hex(&out),
            "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
        );
    }

    #[test]
    fn damage_to_any_byte_of_the_header_is_noticed() {
        let place = Place::new();
        let (_, header) = Seal::create(&place.key_file("key")).unwrap();
        let bytes = header.to_bytes();
        assert_eq!(bytes.len(), LENGTH);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(SealHeader::from_bytes(&damaged).is_err(), "byte {place}");
            assert!(SealHeader::from_bytes(&bytes[..place]).is_err(), "length {place}");
        }
        assert!(SealHeader::from_bytes(&[bytes, vec![0]].concat()).is_err());
    }

    fn with_checksum(mut body: Vec<u8>) -> Vec<u8> {
        body.truncate(LENGTH - CHECKSUM);
        let checksum = digest::sha256(&body);
        body.extend(&checksum[..CHECKSUM]);
        body
    }

    #[test]
    fn a_forged_header_with_a_right_checksum_does_not_open() {
        let place = Place::new();
        let opener = place.key_file("key");
        let (_, header) = Seal::create(&opener).unwrap();
        let mut wrapped = header.to_bytes();
        wrapped[LENGTH - CHECKSUM - 1] ^= 1;
        let altered = SealHeader::from_bytes(&with_checksum(wrapped)).ok().unwrap();
        assert!(matches!(
            Seal::unlock(&opener, &altered),
            Err(Error::SealHeaderAltered)
        ));
        let mut salted = header.to_bytes();
        salted[MAGIC.len() + 2] ^= 1;
        let altered = SealHeader::from_bytes(&with_checksum(salted)).ok().unwrap();
        assert!(matches!(
            Seal::unlock(&opener, &altered),
            Err(Error::SealOpenerWrong { .. })
        ));
    }

    #[test]
    fn a_planted_header_cannot_ask_for_boundless_memory() {
        let mut bytes = Seal::ephemeral()
            .unwrap()
            .reseal(&passphrase("long enough"))
            .unwrap()
            .to_bytes();
        bytes[MAGIC.len() + 2 + SALT] = 0xff;
        let refused = SealHeader::from_bytes(&with_checksum(bytes)).err().unwrap();
        assert!(refused.to_string().contains("more memory or time"), "{refused}");
    }

    proptest! {
        #[test]
        fn arbitrary_headers_are_read_or_refused_without_a_panic(tail in proptest::collection::vec(any::<u8>(), LENGTH - 9..LENGTH)) {
            let bytes = [&MAGIC[..], &[VERSION], &tail].concat();
            prop_assert!(SealHeader::from_bytes(&bytes).is_err());
            if let Ok(header) = SealHeader::from_bytes(&with_checksum([bytes, vec![0; 20]].concat())) {
                let refused = Seal::unlock(&passphrase(""), &SealHeader { kind: Kind::KeyFile, ..header });
                prop_assert!(refused.is_err());
            }
        }
    }
}
