//! ML-KEM (FIPS 203): a secret for whoever has the public key, which only the private key recovers.
//!
//! The library has keys as raw bytes; their forms in DER are those of RFC 9935, private keys with the expanded key.
//! Invariant: a private key is used only if the public key inside it has the hash that it carries (FIPS 203, section 7.3).

use aws_lc_rs::digest::{SHA3_256, digest};
use aws_lc_rs::kem::{
    Algorithm, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024,
};
use zeroize::Zeroizing;

use super::PairSpec;
use crate::{Error, Result, Secret};

/// The end of a private key: the hash of the public key, and the secret that answers what is no ciphertext.
const TAIL: usize = 64;
const HASH: usize = 32;

/// What a specification of ML-KEM is.
#[derive(Clone, Copy)]
pub(super) struct Kem {
    algorithm: &'static Algorithm,
    /// The last number of the object identifier 2.16.840.1.101.3.4.4.x.
    arc: u8,
    /// Lengths in bytes.
    private: usize,
    public: usize,
    ciphertext: usize,
}

impl Kem {
    /// `None` for other specifications.
    pub(super) const fn of(spec: PairSpec) -> Option<Self> {
        let (algorithm, arc, private, public, ciphertext) = match spec {
            PairSpec::MlKem512 => (&ML_KEM_512, 1, 1632, 800, 768),
            PairSpec::MlKem768 => (&ML_KEM_768, 2, 2400, 1184, 1088),
            PairSpec::MlKem1024 => (&ML_KEM_1024, 3, 3168, 1568, 1568),
            _ => return None,
        };
        Some(Self {
            algorithm,
            arc,
            private,
            public,
            ciphertext,
        })
    }

    fn identifier(self) -> Vec<u8> {
        let name = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, self.arc];
        element(0x30, &element(0x06, &name))
    }

    /// A new private key in PKCS #8.
    pub(super) fn generate(self) -> Result<Secret> {
        let refused = |_| Error::Library {
            attempt: "make an ML-KEM key",
        };
        let made = DecapsulationKey::generate(self.algorithm).map_err(refused)?;
        let raw = made.key_bytes().map_err(refused)?;
        let inner = Zeroizing::new(element(0x04, raw.as_ref()));
        let octets = Zeroizing::new(element(0x04, &inner));
        let content = Zeroizing::new([&element(0x02, &[0])[..], &self.identifier(), &octets].concat());
        Ok(Secret::new(element(0x30, &content)))
    }

    /// The private key and the public one, of PKCS #8.
    pub(super) fn open(self, pkcs8: &[u8]) -> Result<(DecapsulationKey, Vec<u8>)> {
        let malformed = || Error::MaterialMalformed;
        let raw = self.expanded(pkcs8).ok_or_else(malformed)?;
        let (rest, tail) = raw
            .split_at_checked(raw.len().saturating_sub(TAIL))
            .ok_or_else(malformed)?;
        let (_, public) = rest
            .split_at_checked(rest.len().saturating_sub(self.public))
            .ok_or_else(malformed)?;
        if tail.get(..HASH) != Some(digest(&SHA3_256, public).as_ref()) {
            return Err(malformed());
        }
        let private = DecapsulationKey::new(self.algorithm, raw).map_err(|_| malformed())?;
        let bits = [&[0][..], public].concat();
        let info = [self.identifier(), element(0x03, &bits)].concat();
        Ok((private, element(0x30, &info)))
    }

    /// The expanded key in PKCS #8, if nothing else is there.
    fn expanded(self, pkcs8: &[u8]) -> Option<&[u8]> {
        let raw = pkcs8.get(pkcs8.len().checked_sub(self.private)?..)?;
        let inner = Zeroizing::new(element(0x04, raw));
        let octets = Zeroizing::new(element(0x04, &inner));
        let content = Zeroizing::new([&element(0x02, &[0])[..], &self.identifier(), &octets].concat());
        let written = Zeroizing::new(element(0x30, &content));
        (pkcs8 == written.as_slice()).then_some(raw)
    }

    /// A secret for the holder of the private key: the ciphertext of it, and itself.
    pub(super) fn encapsulate(self, public_der: &[u8]) -> Result<(Vec<u8>, Secret)> {
        let refused = Error::Library {
            attempt: "encapsulate a secret",
        };
        let raw = public_der
            .len()
            .checked_sub(self.public)
            .and_then(|at| public_der.get(at..));
        let key = raw.and_then(|raw| EncapsulationKey::new(self.algorithm, raw).ok());
        let made = key.and_then(|key| key.encapsulate().ok());
        let (ciphertext, shared) = made.ok_or(refused)?;
        Ok((ciphertext.as_ref().to_vec(), Secret::copy_of(shared.as_ref())))
    }

    /// The secret of a ciphertext. One that was changed, or is another key's, has a secret of its own, which nobody else has.
    pub(super) fn decapsulate(self, private: &DecapsulationKey, ciphertext: &[u8]) -> Result<Secret> {
        if ciphertext.len() != self.ciphertext {
            return Err(Error::CiphertextInvalid);
        }
        let shared = private.decapsulate(Ciphertext::from(ciphertext));
        let shared = shared.map_err(|_| Error::CiphertextInvalid)?;
        Ok(Secret::copy_of(shared.as_ref()))
    }
}

/// An element of DER of less than 64 KiB.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let mut der = Vec::with_capacity(content.len() + 4);
    der.push(tag);
    match (high, low) {
        (0, 0..128) => der.push(low),
        (0, _) => der.extend([0x81, low]),
        _ => der.extend([0x82, high, low]),
    }
    der.extend_from_slice(content);
    der
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kms::KeyPair;

    const SPECS: [PairSpec; 3] = [PairSpec::MlKem512, PairSpec::MlKem768, PairSpec::MlKem1024];

    #[test]
    fn what_is_encapsulated_is_recovered_by_the_private_key_alone() {
        for (spec, length) in SPECS.into_iter().zip([768, 1088, 1568]) {
            let open = |secret: &Secret| KeyPair::from_pkcs8(spec, secret).unwrap();
            let pair = open(&KeyPair::generate(spec).unwrap());
            let (ciphertext, secret) = pair.public().encapsulate().unwrap();
            assert_eq!((ciphertext.len(), secret.len()), (length, 32), "{spec:?}");
            assert!(pair.decapsulate(&ciphertext).unwrap().matches(secret.expose()));
            // Another key, or a changed ciphertext, gives another secret and no error.
            let other = open(&KeyPair::generate(spec).unwrap());
            assert!(!other.decapsulate(&ciphertext).unwrap().matches(secret.expose()));
            let mut altered = ciphertext.clone();
            altered[7] ^= 1;
            assert!(!pair.decapsulate(&altered).unwrap().matches(secret.expose()));
            for wrong in [&ciphertext[1..], b"", &[ciphertext.as_slice(), b"x"].concat()] {
                assert!(matches!(pair.decapsulate(wrong), Err(Error::CiphertextInvalid)));
            }
        }
    }

    #[test]
    fn a_damaged_private_key_is_refused() {
        for spec in SPECS {
            let made = KeyPair::generate(spec).unwrap();
            let bytes = made.expose();
            for place in [0, 5, 20, bytes.len() - TAIL, bytes.len() - TAIL - 1] {
                let mut altered = bytes.to_vec();
                altered[place] ^= 1;
                let opened = KeyPair::from_pkcs8(spec, &Secret::new(altered));
                assert!(
                    matches!(opened, Err(Error::MaterialMalformed)),
                    "{spec:?} at {place}"
                );
            }
            assert!(KeyPair::from_pkcs8(spec, &Secret::copy_of(&bytes[1..])).is_err());
            assert!(KeyPair::from_pkcs8(PairSpec::P256, &made).is_err());
        }
    }
}
