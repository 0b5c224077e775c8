//! The `CiphertextBlob`: what was encrypted, and in clear the key and the material that it takes to decrypt it.
//!
//! Format: version, algorithm, key reference, material id, nonce, ciphertext, tag. All before the nonce and the encryption context are
//! authenticated; key and initialisation vector follow from the material and the nonce (see `cipher`). The scheme is that of "AWS KMS
//! Cryptographic Details" (a key derived for each call with the counter-mode KDF and a random nonce of 128 bits, then AES-256-GCM);
//! the bytes are our own.

use std::collections::BTreeMap;

use super::key::{KeyReference, MaterialId, REFERENCE};
use crate::cipher::{self, TAG};
use crate::octets::{Octets, push_prefixed};
use crate::{Error, Result, Secret};

/// The greatest plaintext of `Encrypt` in bytes (S8.5).
pub const PLAINTEXT_MOST: usize = 4096;
/// The greatest ciphertext of `Decrypt` in bytes (KMS API Reference, `CiphertextType`).
pub const CIPHERTEXT_MOST: usize = 6144;

const VERSION: u8 = 1;
const AES_256_GCM: u8 = 1;
const NONCE: usize = 16;
const PREFIX: usize = 2 + REFERENCE + 32;
const LABEL: &str = "ringwork/kms/message/1";

/// Pairs of text that are authenticated with a ciphertext but not part of it. Their order does not matter, their case does (KMS
/// Developer Guide, "Encryption context").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptionContext(BTreeMap<String, String>);

impl EncryptionContext {
    /// The canonical form: sorted, counted and prefixed by lengths, so that no two contexts have the same bytes.
    fn append_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u64).to_be_bytes());
        for (name, value) in &self.0 {
            push_prefixed(out, name.as_bytes());
            push_prefixed(out, value.as_bytes());
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for EncryptionContext {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }
}

/// A ciphertext from outside, read but not decrypted. Its key and material id are claims until it decrypts.
#[derive(Debug)]
pub struct Ciphertext<'a> {
    key: KeyReference,
    material: MaterialId,
    prefix: &'a [u8],
    body: &'a [u8],
}

impl<'a> Ciphertext<'a> {
    /// Reads the parts in clear.
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`] for all that [`super::KeyMaterial::encrypt`] cannot have made.
    pub fn parse(blob: &'a [u8]) -> Result<Self> {
        Self::read(blob).ok_or(Error::CiphertextInvalid)
    }

    /// What [`Self::parse`] refused, as a ciphertext of a key, so that refusing it takes as long as refusing one that was altered.
    #[must_use]
    pub fn unreadable(blob: &'a [u8], key: KeyReference, material: MaterialId) -> Self {
        const NOTHING: &[u8] = &[0; NONCE + TAG];
        let blob = blob.get(..CIPHERTEXT_MOST).unwrap_or(blob);
        let (prefix, body) = blob.split_at_checked(PREFIX).unwrap_or((blob, NOTHING));
        Self {
            key,
            material,
            prefix,
            body: if body.len() < NOTHING.len() { NOTHING } else { body },
        }
    }

    /// The key that is needed.
    #[must_use]
    pub fn key(&self) -> &KeyReference {
        &self.key
    }

    /// The generation of its material that is needed.
    #[must_use]
    pub fn material_id(&self) -> &MaterialId {
        &self.material
    }

    pub(super) fn decrypt(&self, bytes: &[u8], context: &EncryptionContext) -> Result<Secret> {
        let aad = bound(self.prefix, context);
        cipher::decrypt::<NONCE>(bytes, LABEL, &aad, self.body).ok_or(Error::CiphertextInvalid)
    }

    fn read(blob: &'a [u8]) -> Option<Self> {
        if blob.len() < PREFIX + NONCE + TAG || blob.len() > CIPHERTEXT_MOST {
            return None;
        }
        let (prefix, body) = blob.split_at_checked(PREFIX)?;
        let mut octets = Octets::new(prefix);
        if octets.take(2)? != [VERSION, AES_256_GCM] {
            return None;
        }
        let key = KeyReference::read(&mut octets)?;
        let material = MaterialId(octets.array()?);
        Some(Self {
            key,
            material,
            prefix,
            body,
        })
    }
}

/// What a ciphertext is made under.
pub(super) struct Under<'a> {
    pub(super) key: &'a KeyReference,
    pub(super) material: &'a MaterialId,
    pub(super) bytes: &'a [u8],
    pub(super) context: &'a EncryptionContext,
}

impl Under<'_> {
    /// The ciphertext of a plaintext.
    pub(super) fn encrypt(&self, plaintext: &[u8]) -> Result<Vec<u8>> {
        let (mut blob, aad) = self.begin(plaintext.len())?;
        cipher::encrypt::<NONCE>(self.bytes, LABEL, &aad, plaintext, &mut blob)?;
        Ok(blob)
    }

    /// A fresh plaintext and its ciphertext.
    pub(super) fn draw(&self, length: usize) -> Result<(Secret, Vec<u8>)> {
        let (mut blob, aad) = self.begin(length)?;
        let plaintext = cipher::encrypt_drawn::<NONCE>(self.bytes, LABEL, &aad, length, &mut blob)?;
        Ok((plaintext, blob))
    }

    /// The parts in clear, with room for the others, and what is authenticated.
    fn begin(&self, length: usize) -> Result<(Vec<u8>, Vec<u8>)> {
        if length > PLAINTEXT_MOST {
            return Err(Error::PlaintextTooLong {
                limit: PLAINTEXT_MOST,
                given: length,
            });
        }
        let mut blob = Vec::with_capacity(PREFIX + NONCE + length + TAG);
        blob.extend_from_slice(&[VERSION, AES_256_GCM]);
        blob.extend_from_slice(&self.key.to_bytes());
        blob.extend_from_slice(&self.material.0);
        let aad = bound(&blob, self.context);
        Ok((blob, aad))
    }
}

fn bound(prefix: &[u8], context: &EncryptionContext) -> Vec<u8> {
    let mut aad = prefix.to_vec();
    context.append_to(&mut aad);
    aad
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{KeyMaterial, MaterialSpec};
    use super::*;

    fn material() -> KeyMaterial {
        let key = KeyReference::new("111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab").unwrap();
        KeyMaterial::generate(key, MaterialSpec::Symmetric).unwrap()
    }

    fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
        pairs.iter().copied().collect()
    }

    fn decrypts(material: &KeyMaterial, blob: &[u8], context: &EncryptionContext) -> bool {
        let decrypted = Ciphertext::parse(blob).and_then(|ciphertext| material.decrypt(&ciphertext, context));
        match decrypted {
            Ok(_) => true,
            Err(Error::CiphertextInvalid) => false,
            Err(other) => panic!("another error than the one for all cases: {other}"),
        }
    }

    #[test]
    fn a_ciphertext_names_its_key_and_material_before_it_is_decrypted() {
        let material = material();
        let blob = material.encrypt(&EncryptionContext::default(), b"text").unwrap();
        let ciphertext = Ciphertext::parse(&blob).unwrap();
        assert_eq!(
            (ciphertext.key(), ciphertext.material_id()),
            (material.key(), material.id())
        );
        assert!(!blob.windows(4).any(|window| window == b"text"));
    }

    /// S8.5: 4,096 bytes and not one more.
    #[test]
    fn at_most_four_kibibytes_are_encrypted() {
        let material = material();
        let none = EncryptionContext::default();
        let blob = material.encrypt(&none, &[7; 4096]).unwrap();
        assert!(blob.len() <= CIPHERTEXT_MOST && decrypts(&material, &blob, &none));
        let refused = material.encrypt(&none, &[7; 4097]).err().unwrap();
        assert!(matches!(
            refused,
            Error::PlaintextTooLong {
                limit: 4096,
                given: 4097
            }
        ));
    }

    #[test]
    fn the_context_must_be_equal_but_not_equally_ordered() {
        let material = material();
        let right = context(&[("a", "1"), ("b", "2")]);
        let blob = material.encrypt(&right, b"text").unwrap();
        assert!(decrypts(&material, &blob, &context(&[("b", "2"), ("a", "1")])));
        let wrong: [&[(&str, &str)]; 8] = [
            &[],
            &[("a", "1")],
            &[("a", "1"), ("b", "2"), ("c", "3")],
            &[("A", "1"), ("b", "2")],
            &[("a", "2"), ("b", "1")],
            &[("a", "1b"), ("", "2")],
            &[("a1", ""), ("b2", "")],
            &[("a", "1"), ("b", "2 ")],
        ];
        for pairs in wrong {
            assert!(!decrypts(&material, &blob, &context(pairs)), "{pairs:?}");
        }
    }

    #[test]
    fn other_material_and_other_keys_give_the_same_error() {
        let (first, second) = (material(), material());
        let none = EncryptionContext::default();
        let blob = first.encrypt(&none, b"text").unwrap();
        assert!(!decrypts(&second, &blob, &none));
        // The same bytes of material under another key's name do not help either.
        let bytes = || Secret::new(vec![5; 32]);
        let import = |id| {
            let key = KeyReference::new("111122223333", id).unwrap();
            KeyMaterial::import(key, MaterialSpec::Symmetric, bytes()).unwrap()
        };
        let single = import("1234abcd-12ab-34cd-56ef-1234567890ab");
        let multi = import("mrk-1234abcd12ab34cd56ef1234567890ab");
        let blob = single.encrypt(&none, b"text").unwrap();
        assert!(decrypts(
            &import("1234abcd-12ab-34cd-56ef-1234567890ab"),
            &blob,
            &none
        ));
        assert!(!decrypts(&multi, &blob, &none));
        let relabelled = [
            &blob[..2],
            &multi.key().to_bytes(),
            &multi.id().0,
            &blob[PREFIX..],
        ]
        .concat();
        assert!(!decrypts(&multi, &relabelled, &none));
    }

    #[test]
    fn every_altered_missing_or_added_byte_is_noticed() {
        let material = material();
        let bound = context(&[("table", "users")]);
        let blob = material.encrypt(&bound, b"a data key").unwrap();
        for place in 0..blob.len() {
            for bit in 0..8 {
                let mut altered = blob.clone();
                altered[place] ^= 1 << bit;
                assert!(!decrypts(&material, &altered, &bound), "byte {place} bit {bit}");
            }
            assert!(!decrypts(&material, &blob[..place], &bound), "length {place}");
        }
        assert!(!decrypts(&material, &[&blob[..], &[0]].concat(), &bound));
        assert!(!decrypts(&material, &vec![1; CIPHERTEXT_MOST + 1], &bound));
    }

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(
            text in proptest::collection::vec(any::<u8>(), 0..500),
            pairs in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..5),
        ) {
            let material = material();
            let context: EncryptionContext = pairs.into_iter().collect();
            let blob = material.encrypt(&context, &text).unwrap();
            let ciphertext = Ciphertext::parse(&blob).unwrap();
            prop_assert!(material.decrypt(&ciphertext, &context).unwrap().matches(&text));
        }

        #[test]
        fn contexts_have_the_same_bytes_only_when_they_are_equal(
            left in proptest::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..3),
            right in proptest::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..3),
        ) {
            let same = left == right;
            let canonical = |pairs: BTreeMap<String, String>| bound(&[], &pairs.into_iter().collect());
            prop_assert_eq!(same, canonical(left) == canonical(right));
        }

        #[test]
        fn arbitrary_bytes_are_read_or_refused_without_a_panic(tail in proptest::collection::vec(any::<u8>(), 0..200)) {
            let material = material();
            let blob = [&[VERSION, AES_256_GCM][..], &material.key().to_bytes(), &tail].concat();
            prop_assert!(!decrypts(&material, &tail, &EncryptionContext::default()));
            prop_assert!(!decrypts(&material, &blob, &EncryptionContext::default()));
        }
    }
}
