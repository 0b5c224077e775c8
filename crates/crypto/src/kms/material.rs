//! Key material: the bytes behind a KMS key, made here or imported, and what they can do.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::asymmetric::{KeyPair, PairSpec};
use super::ciphertext::{Ciphertext, EncryptionContext, Under};
use super::key::{KeyReference, MaterialId};
use crate::octets::Octets;
use crate::{Error, Randomness, Result, Seal, Secret, SystemRandomness, cipher, random};

const VERSION: u8 = 1;
const ID: &str = "ringwork/kms/material-id/1";

/// The specifications of keys (KMS Developer Guide, "Key spec reference").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MaterialSpec {
    /// `SYMMETRIC_DEFAULT`: AES-256-GCM.
    Symmetric,
    /// `HMAC_224`.
    Hmac224,
    /// `HMAC_256`.
    Hmac256,
    /// `HMAC_384`.
    Hmac384,
    /// `HMAC_512`.
    Hmac512,
    /// A pair of a private and a public key.
    Pair(PairSpec),
}

impl MaterialSpec {
    /// Those of one secret.
    const SINGLE: [Self; 5] = [
        Self::Symmetric,
        Self::Hmac224,
        Self::Hmac256,
        Self::Hmac384,
        Self::Hmac512,
    ];

    /// AWS's name of the specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Symmetric => "SYMMETRIC_DEFAULT",
            Self::Hmac224 => "HMAC_224",
            Self::Hmac256 => "HMAC_256",
            Self::Hmac384 => "HMAC_384",
            Self::Hmac512 => "HMAC_512",
            Self::Pair(spec) => spec.name(),
        }
    }

    /// The specification of AWS's name; `None` for unknown ones and those that this version has not.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|spec| spec.name() == name)
    }

    fn all() -> impl Iterator<Item = Self> {
        Self::SINGLE.into_iter().chain(PairSpec::ALL.map(Self::Pair))
    }

    /// Draws new material. Numbers from the given source make single secrets; key pairs are the library's to make.
    ///
    /// # Errors
    /// [`Error::Randomness`], [`Error::Library`].
    pub fn draw(self, source: &dyn Randomness) -> Result<Secret> {
        match self {
            Self::Pair(spec) => KeyPair::generate(spec),
            single => random::bytes(source, single.length()),
        }
    }

    /// The kind of pair; `None` for single secrets.
    #[must_use]
    pub const fn pair(self) -> Option<PairSpec> {
        match self {
            Self::Pair(spec) => Some(spec),
            _ => None,
        }
    }

    /// The length of the material in bytes; also what `ImportKeyMaterial` expects. 0 for pairs, whose PKCS #8 has no one length.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Pair(_) => 0,
            Self::Hmac224 => 28,
            Self::Symmetric | Self::Hmac256 => 32,
            Self::Hmac384 => 48,
            Self::Hmac512 => 64,
        }
    }

    /// AWS's name of the one MAC algorithm of the specification; `None` for other kinds.
    #[must_use]
    pub const fn mac_algorithm(self) -> Option<&'static str> {
        match self {
            Self::Symmetric | Self::Pair(_) => None,
            Self::Hmac224 => Some("HMAC_SHA_224"),
            Self::Hmac256 => Some("HMAC_SHA_256"),
            Self::Hmac384 => Some("HMAC_SHA_384"),
            Self::Hmac512 => Some("HMAC_SHA_512"),
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Symmetric => 1,
            Self::Hmac224 => 2,
            Self::Hmac256 => 3,
            Self::Hmac384 => 4,
            Self::Hmac512 => 5,
            Self::Pair(spec) => spec.tag(),
        }
    }

    const fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Symmetric | Self::Pair(_) => None,
            Self::Hmac224 => Some(hmac::HMAC_SHA224),
            Self::Hmac256 => Some(hmac::HMAC_SHA256),
            Self::Hmac384 => Some(hmac::HMAC_SHA384),
            Self::Hmac512 => Some(hmac::HMAC_SHA512),
        }
    }
}

/// One generation of a key's material. A rotated key has several; each ciphertext names the one that it needs (S8.49).
pub struct KeyMaterial {
    key: KeyReference,
    spec: MaterialSpec,
    id: MaterialId,
    bytes: Secret,
    pair: Option<KeyPair>,
}

impl KeyMaterial {
    /// Makes new random material for a key (S8.34).
    ///
    /// # Errors
    /// [`Error::Randomness`].
    pub fn generate(key: KeyReference, spec: MaterialSpec) -> Result<Self> {
        Self::import(key, spec, spec.draw(&SystemRandomness)?)
    }

    /// Takes given material over for a key: the secret itself, or PKCS #8 of a private key.
    ///
    /// # Errors
    /// [`Error::MaterialLength`]; [`Error::MaterialMalformed`] for what is no private key of the specification.
    pub fn import(key: KeyReference, spec: MaterialSpec, bytes: Secret) -> Result<Self> {
        let pair = match spec {
            MaterialSpec::Pair(spec) => Some(KeyPair::from_pkcs8(spec, &bytes)?),
            _ if bytes.len() == spec.length() => None,
            _ => {
                return Err(Error::MaterialLength {
                    spec: spec.name(),
                    expected: spec.length(),
                    given: bytes.len(),
                });
            }
        };
        let mut id = [0; 32];
        let context = [&key.to_bytes()[..], &[spec.tag()]].concat();
        cipher::derive(bytes.expose(), ID, &context, &mut id)?;
        Ok(Self {
            key,
            spec,
            id: MaterialId(id),
            bytes,
            pair,
        })
    }

    /// Seals the material for one row of one table.
    ///
    /// # Errors
    /// As [`Seal::seal`].
    pub fn seal(&self, seal: &Seal, table: &str, row: &[u8]) -> Result<Vec<u8>> {
        let mut encoded = Zeroizing::new(Vec::with_capacity(128));
        encoded.extend_from_slice(&[VERSION, self.spec.tag()]);
        encoded.extend_from_slice(&self.key.to_bytes());
        encoded.extend_from_slice(self.bytes.expose());
        seal.seal(table, row, &encoded)
    }

    /// Opens material in the row that it was sealed for.
    ///
    /// # Errors
    /// As [`Seal::open`]; [`Error::MaterialMalformed`].
    pub fn open(seal: &Seal, table: &str, row: &[u8], sealed: &[u8]) -> Result<Self> {
        let clear = seal.open(table, row, sealed)?;
        let (key, spec, bytes) = decode(clear.expose()).ok_or(Error::MaterialMalformed)?;
        Self::import(key, spec, bytes)
    }

    /// The key that the material belongs to.
    #[must_use]
    pub fn key(&self) -> &KeyReference {
        &self.key
    }

    /// The specification.
    #[must_use]
    pub fn spec(&self) -> MaterialSpec {
        self.spec
    }

    /// The id of this generation of the material.
    #[must_use]
    pub fn id(&self) -> &MaterialId {
        &self.id
    }

    /// Encrypts at most 4,096 bytes (S8.5) and binds them to the context. The result is a `CiphertextBlob`.
    ///
    /// # Errors
    /// [`Error::PlaintextTooLong`], [`Error::MaterialUsage`], [`Error::Randomness`].
    pub fn encrypt(&self, context: &EncryptionContext, plaintext: &[u8]) -> Result<Vec<u8>> {
        self.under(context)?.encrypt(plaintext)
    }

    /// Draws a data key of at most 4,096 bytes from the library's generator, and encrypts it as [`Self::encrypt`] does (S8.6).
    ///
    /// # Errors
    /// [`Error::PlaintextTooLong`], [`Error::MaterialUsage`], [`Error::Randomness`].
    pub fn draw_data_key(&self, context: &EncryptionContext, length: usize) -> Result<(Secret, Vec<u8>)> {
        self.under(context)?.draw(length)
    }

    fn under<'a>(&'a self, context: &'a EncryptionContext) -> Result<Under<'a>> {
        Ok(Under {
            key: &self.key,
            material: &self.id,
            bytes: self.symmetric("encrypt")?,
            context,
        })
    }

    /// Decrypts what this material encrypted with an equal context. Whatever is wrong, the work is the same.
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`], whatever the cause; [`Error::MaterialUsage`].
    pub fn decrypt(&self, ciphertext: &Ciphertext<'_>, context: &EncryptionContext) -> Result<Secret> {
        let bytes = self.symmetric("decrypt")?;
        let decrypted = ciphertext.decrypt(bytes, context);
        if ciphertext.key() != &self.key || ciphertext.material_id() != &self.id {
            return Err(Error::CiphertextInvalid);
        }
        decrypted
    }

    /// Refuses what is no ciphertext with the work that refusing an altered one takes.
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`] always; [`Error::MaterialUsage`].
    pub fn refuse(&self, blob: &[u8], context: &EncryptionContext) -> Result<Secret> {
        let unreadable = Ciphertext::unreadable(blob, self.key, self.id);
        self.decrypt(&unreadable, context)
            .and(Err(Error::CiphertextInvalid))
    }

    /// The MAC of a message, by the one algorithm of the specification.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for other keys than HMAC keys.
    pub fn mac(&self, message: &[u8]) -> Result<Vec<u8>> {
        Ok(hmac::sign(&self.hmac_key("make a MAC")?, message)
            .as_ref()
            .to_vec())
    }

    /// Whether a MAC is that of the message, compared in constant time. A shortened MAC is not.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for other keys than HMAC keys.
    pub fn verify_mac(&self, message: &[u8], mac: &[u8]) -> Result<bool> {
        Ok(hmac::verify(&self.hmac_key("verify a MAC")?, message, mac).is_ok())
    }

    /// The key pair.
    ///
    /// # Errors
    /// [`Error::MaterialUsage`] for single secrets.
    pub fn pair(&self) -> Result<&KeyPair> {
        self.pair.as_ref().ok_or(Error::MaterialUsage {
            spec: self.spec.name(),
            attempt: "act as a key pair",
        })
    }

    fn symmetric(&self, attempt: &'static str) -> Result<&[u8]> {
        match self.spec {
            MaterialSpec::Symmetric => Ok(self.bytes.expose()),
            spec => Err(Error::MaterialUsage {
                spec: spec.name(),
                attempt,
            }),
        }
    }

    fn hmac_key(&self, attempt: &'static str) -> Result<hmac::Key> {
        let algorithm = self.spec.hmac().ok_or(Error::MaterialUsage {
            spec: self.spec.name(),
            attempt,
        })?;
        Ok(hmac::Key::new(algorithm, self.bytes.expose()))
    }
}

fn decode(clear: &[u8]) -> Option<(KeyReference, MaterialSpec, Secret)> {
    let mut octets = Octets::new(clear);
    octets.u8().filter(|version| *version == VERSION)?;
    let tag = octets.u8()?;
    let spec = MaterialSpec::all().find(|spec| spec.tag() == tag)?;
    let key = KeyReference::read(&mut octets)?;
    Some((key, spec, Secret::copy_of(octets.rest())))
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{hex, unhex};

    fn key() -> KeyReference {
        KeyReference::new("111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab").unwrap()
    }

    #[test]
    fn data_keys_are_drawn_afresh_and_come_back_from_their_ciphertext() {
        let material = KeyMaterial::generate(key(), MaterialSpec::Symmetric).unwrap();
        let context = EncryptionContext::from_iter([("a", "b")]);
        for length in [0, 1, 16, 32, 1024, 4096] {
            let (plaintext, blob) = material.draw_data_key(&context, length).unwrap();
            assert_eq!(plaintext.len(), length);
            let read = Ciphertext::parse(&blob).unwrap();
            let back = material.decrypt(&read, &context).unwrap();
            assert!(back.matches(plaintext.expose()));
            let (other, other_blob) = material.draw_data_key(&context, length).unwrap();
            assert_ne!(blob, other_blob);
            assert!(length < 16 || !other.matches(plaintext.expose()));
        }
        let long = material.draw_data_key(&context, 4097);
        assert!(matches!(long, Err(Error::PlaintextTooLong { .. })));
    }

    /// RFC 4231, test cases 1 and 2, whose short keys are padded with zeros to the length that the specification asks for; HMAC pads
    /// shorter keys so itself (RFC 2104, section 2), hence the answers stay those of the RFC.
    #[test]
    fn macs_agree_with_rfc_4231() {
        let first = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b").unwrap();
        let cases = [
            (
                MaterialSpec::Hmac224,
                "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
                "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
            ),
            (
                MaterialSpec::Hmac256,
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                MaterialSpec::Hmac384,
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MaterialSpec::Hmac512,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        for (spec, hi_there, nothing) in cases {
            for (bytes, message, mac) in [
                (&first[..], &b"Hi There"[..], hi_there),
                (b"Jefe", b"what do ya want for nothing?", nothing),
            ] {
                let mut padded = bytes.to_vec();
                padded.resize(spec.length(), 0);
                let material = KeyMaterial::import(key(), spec, Secret::new(padded)).unwrap();
                assert_eq!(hex(&material.mac(message).unwrap()), mac, "{}", spec.name());
                assert!(material.verify_mac(message, &unhex(mac).unwrap()).unwrap());
            }
        }
    }

    #[test]
    fn an_altered_or_shortened_mac_is_refused() {
        let material = KeyMaterial::generate(key(), MaterialSpec::Hmac512).unwrap();
        let mac = material.mac(b"message").unwrap();
        for place in 0..mac.len() {
            let mut altered = mac.clone();
            altered[place] ^= 1;
            assert!(!material.verify_mac(b"message", &altered).unwrap());
            assert!(!material.verify_mac(b"message", &mac[..place]).unwrap());
        }
        assert!(!material.verify_mac(b"other", &mac).unwrap());
    }

    #[test]
    fn a_key_does_only_what_its_specification_has() {
        let symmetric = KeyMaterial::generate(key(), MaterialSpec::Symmetric).unwrap();
        assert!(matches!(symmetric.mac(b""), Err(Error::MaterialUsage { .. })));
        assert!(matches!(
            symmetric.verify_mac(b"", b""),
            Err(Error::MaterialUsage { .. })
        ));
        let context = EncryptionContext::default();
        let blob = symmetric.encrypt(&context, b"text").unwrap();
        let hmac = KeyMaterial::generate(key(), MaterialSpec::Hmac256).unwrap();
        assert!(matches!(
            hmac.encrypt(&context, b""),
            Err(Error::MaterialUsage { .. })
        ));
        let ciphertext = Ciphertext::parse(&blob).unwrap();
        assert!(matches!(
            hmac.decrypt(&ciphertext, &context),
            Err(Error::MaterialUsage { .. })
        ));
    }

    #[test]
    fn material_of_another_length_is_refused() {
        for spec in MaterialSpec::SINGLE {
            assert_eq!(MaterialSpec::from_name(spec.name()), Some(spec));
            for length in [0, spec.length() - 1, spec.length() + 1] {
                let refused = KeyMaterial::import(key(), spec, Secret::new(vec![1; length]))
                    .err()
                    .unwrap();
                assert!(matches!(refused, Error::MaterialLength { .. }), "{refused}");
            }
        }
        assert_eq!(MaterialSpec::from_name("SM2"), None);
    }

    #[test]
    fn the_id_follows_from_key_and_bytes() {
        let import = |key, byte| {
            *KeyMaterial::import(key, MaterialSpec::Symmetric, Secret::new(vec![byte; 32]))
                .unwrap()
                .id()
        };
        let other = KeyReference::new("111122223333", "mrk-1234abcd12ab34cd56ef1234567890ab").unwrap();
        assert_eq!(import(key(), 1), import(key(), 1));
        assert_ne!(import(key(), 1), import(key(), 2));
        assert_ne!(import(key(), 1), import(other, 1));
    }

    #[test]
    fn sealed_material_is_the_same_material_again() {
        let seal = Seal::ephemeral().unwrap();
        let pairs = [PairSpec::P256, PairSpec::Ed25519, PairSpec::MlDsa44].map(MaterialSpec::Pair);
        for spec in MaterialSpec::SINGLE.into_iter().chain(pairs) {
            let material = KeyMaterial::generate(key(), spec).unwrap();
            let sealed = material.seal(&seal, "material", b"row").unwrap();
            let again = KeyMaterial::open(&seal, "material", b"row", &sealed).unwrap();
            assert_eq!(
                (again.key(), again.spec(), again.id()),
                (material.key(), material.spec(), material.id())
            );
            assert_eq!(again.bytes, material.bytes);
            assert!(KeyMaterial::open(&seal, "material", b"other", &sealed).is_err());
        }
        let foreign = seal.seal("material", b"row", b"something else").unwrap();
        let refused = KeyMaterial::open(&seal, "material", b"row", &foreign)
            .err()
            .unwrap();
        assert!(matches!(refused, Error::MaterialMalformed), "{refused}");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_decoded_or_refused_without_a_panic(clear in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&clear);
        }
    }
}
