//! The one authenticated cipher of the house: AES-256-GCM under a key derived afresh for every message.
//!
//! Invariant: the key and the initialisation vector of a message come from the long-lived key and a random nonce through the
//! counter-mode KDF of NIST SP 800-108r1 (section 4.1, HMAC-SHA-256). Plain GCM with random 96-bit nonces must stop at 2^32
//! messages per key (SP 800-38D, section 8.3); here a repetition needs a collision of whole nonces (128 bits and more), so no
//! counting is needed. The nonce is drawn here; nobody can pass one in.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::kdf::{KbkdfCtrHmacAlgorithmId, get_kbkdf_ctr_hmac_algorithm, kbkdf_ctr_hmac};
use zeroize::Zeroizing;

use crate::{Error, Randomness as _, Result, Secret, SystemRandomness};

/// The length of a key in bytes.
pub(crate) const KEY: usize = 32;
/// The length of an authentication tag in bytes.
pub(crate) const TAG: usize = 16;

/// Derives `out` from a key for one purpose (`label`, without zero bytes) and one context.
pub(crate) fn derive(key: &[u8], label: &str, context: &[u8], out: &mut [u8]) -> Result<()> {
    let refused = Error::Library {
        attempt: "derive a key",
    };
    let bits = u32::try_from(out.len())
        .ok()
        .and_then(|bytes| bytes.checked_mul(8));
    let (Some(bits), Some(algorithm)) = (
        bits,
        get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256),
    ) else {
        return Err(refused);
    };
    // The fixed input of SP 800-108r1, section 4: Label || 0x00 || Context || [L].
    let mut fixed = Vec::with_capacity(label.len() + 1 + context.len() + 4);
    fixed.extend_from_slice(label.as_bytes());
    fixed.push(0);
    fixed.extend_from_slice(context);
    fixed.extend_from_slice(&bits.to_be_bytes());
    kbkdf_ctr_hmac(algorithm, key, &fixed, out).map_err(|_| refused)
}

/// Derives a key for one purpose and one context.
pub(crate) fn derive_key(key: &[u8], label: &str, context: &[u8]) -> Result<Zeroizing<[u8; KEY]>> {
    let mut derived = Zeroizing::new([0; KEY]);
    derive(key, label, context, derived.as_mut())?;
    Ok(derived)
}

/// Appends a fresh nonce of `N` bytes, the ciphertext and the tag to `out`.
pub(crate) fn encrypt<const N: usize>(
    key: &[u8],
    label: &str,
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut nonce = [0; N];
    SystemRandomness.fill(&mut nonce)?;
    encrypt_with(&nonce, key, label, aad, plaintext, out)
}

/// Draws a plaintext of `length` bytes, and appends its nonce of `N` bytes, its ciphertext and the tag to `out`. One draw serves for
/// both: it costs the same for sixteen bytes as for hundreds.
pub(crate) fn encrypt_drawn<const N: usize>(
    key: &[u8],
    label: &str,
    aad: &[u8],
    length: usize,
    out: &mut Vec<u8>,
) -> Result<Secret> {
    let mut drawn = Zeroizing::new(vec![0; length + N]);
    SystemRandomness.fill(&mut drawn)?;
    let (plaintext, nonce) = drawn.split_at(length);
    encrypt_with(nonce, key, label, aad, plaintext, out)?;
    drawn.truncate(length);
    Ok(Secret::from(drawn))
}

/// The nonce must be fresh.
fn encrypt_with(
    nonce: &[u8],
    key: &[u8],
    label: &str,
    aad: &[u8],
    plaintext: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    out.extend_from_slice(nonce);
    let (key, iv) = message_key(key, label, nonce)?;
    seal(key.as_ref(), iv, aad, plaintext, out)
}

/// Opens what [`encrypt`] appended; `None` when it was altered, truncated or made under another key, label or `aad`.
pub(crate) fn decrypt<const N: usize>(key: &[u8], label: &str, aad: &[u8], sealed: &[u8]) -> Option<Secret> {
    let (nonce, ciphertext) = sealed.split_at_checked(N)?;
    #[cfg(any(test, feature = "test-support"))]
    crate::testing::count_opening();
    let (key, iv) = message_key(key, label, nonce).ok()?;
    open(key.as_ref(), iv, aad, ciphertext)
}

/// The key and initialisation vector of one message.
fn message_key(key: &[u8], label: &str, nonce: &[u8]) -> Result<(Zeroizing<[u8; KEY]>, [u8; NONCE_LEN])> {
    let mut derived = Zeroizing::new([0; KEY + NONCE_LEN]);
    derive(key, label, nonce, derived.as_mut())?;
    let mut message = Zeroizing::new([0; KEY]);
    let mut iv = [0; NONCE_LEN];
    let (key_part, iv_part) = derived.split_at(KEY);
    message.copy_from_slice(key_part);
    iv.copy_from_slice(iv_part);
    Ok((message, iv))
}

/// Appends ciphertext and tag. The plaintext is encrypted where it is copied to, so that no clear copy stays in the heap.
fn seal(key: &[u8], iv: [u8; NONCE_LEN], aad: &[u8], plaintext: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let refused = |_| Error::Library { attempt: "encrypt" };
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(refused)?);
    let start = out.len();
    // Room for all of it first: growing later would leave clear bytes in the freed block.
    out.reserve_exact(plaintext.len() + TAG);
    out.extend_from_slice(plaintext);
    let body = out.get_mut(start..).unwrap_or_default();
    let tag = key
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(aad), body)
        .map_err(refused)?;
    out.extend_from_slice(tag.as_ref());
    Ok(())
}

fn open(key: &[u8], iv: [u8; NONCE_LEN], aad: &[u8], ciphertext: &[u8]) -> Option<Secret> {
    let length = ciphertext.len().checked_sub(TAG)?;
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let mut clear = Zeroizing::new(ciphertext.to_vec());
    key.open_in_place(Nonce::assume_unique_for_key(iv), Aad::from(aad), &mut clear)
        .ok()?;
    clear.truncate(length);
    Some(Secret::from(clear))
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::{hex, unhex};

    fn bytes(text: &str) -> Vec<u8> {
        unhex(&text.split_whitespace().collect::<String>()).unwrap()
    }

    /// NIST CAVP, `KDFCTR_gen.rsp`: HMAC_SHA256, counter before the fixed input, 32 bits, L = 128, count 0.
    #[test]
    fn the_derivation_agrees_with_the_nist_vector() {
        let algorithm = get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256).unwrap();
        let key = bytes("dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0");
        let fixed = bytes(
            "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac",
        );
        let mut out = [0; 16];
        kbkdf_ctr_hmac(algorithm, &key, &fixed, &mut out).unwrap();
        assert_eq!(hex(&out), "10621342bfb0fd40046c0e29f2cfdbf0");
    }

    /// The fixed input is Label || 0 || Context || L: judged by HMAC alone, from the formula of SP 800-108r1.
    #[test]
    fn the_derivation_is_hmac_over_counter_label_context_and_length() {
        let key = [7; 32];
        let derived = derive_key(&key, "a/label", b"context").unwrap();
        let mut input = vec![0, 0, 0, 1];
        input.extend_from_slice(b"a/label\0context");
        input.extend_from_slice(&256_u32.to_be_bytes());
        assert_eq!(derived.as_ref(), &crate::digest::hmac_sha256(&key, &input));
    }

    /// Test cases 13 to 16 of the GCM submission to NIST (McGrew and Viega, appendix B), AES-256.
    #[test]
    fn gcm_agrees_with_the_published_vectors() {
        let long_key = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
        let long_text = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let cases = [
            ([0; 32].to_vec(), [0; 12].to_vec(), vec![], vec![], "530f8afbc74536b9a963b4f1c4cb738b".to_owned()),
            (
                [0; 32].to_vec(),
                [0; 12].to_vec(),
                vec![],
                [0; 16].to_vec(),
                "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919".to_owned(),
            ),
            (
                bytes(long_key),
                bytes("cafebabefacedbaddecaf888"),
                bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
                bytes(long_text),
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b".to_owned(),
            ),
        ];
        for (key, iv, aad, text, sealed) in cases {
            let iv: [u8; 12] = iv.try_into().unwrap();
            let mut out = Vec::new();
            seal(&key, iv, &aad, &text, &mut out).unwrap();
            assert_eq!(hex(&out), sealed);
            assert!(open(&key, iv, &aad, &out).unwrap().matches(&text));
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(text in proptest::collection::vec(any::<u8>(), 0..200), aad in proptest::collection::vec(any::<u8>(), 0..50)) {
            let mut out = vec![9];
            encrypt::<16>(&[1; 32], "label", &aad, &text, &mut out).unwrap();
            prop_assert_eq!(out.len(), 1 + 16 + text.len() + TAG);
            prop_assert!(decrypt::<16>(&[1; 32], "label", &aad, &out[1..]).unwrap().matches(&text));
            prop_assert!(decrypt::<16>(&[2; 32], "label", &aad, &out[1..]).is_none());
            prop_assert!(decrypt::<16>(&[1; 32], "other", &aad, &out[1..]).is_none());
        }

        #[test]
        fn arbitrary_bytes_do_not_decrypt(sealed in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(decrypt::<16>(&[1; 32], "label", b"", &sealed).is_none());
        }
    }

    #[test]
    fn two_encryptions_of_one_text_differ() {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        encrypt::<16>(&[1; 32], "label", b"", b"text", &mut first).unwrap();
        encrypt::<16>(&[1; 32], "label", b"", b"text", &mut second).unwrap();
        assert_ne!(first, second);
    }
}
