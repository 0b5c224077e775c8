//! Ciphertext blobs: any bytes are read or refused, and what is forged never opens.
#![no_main]

use std::sync::LazyLock;

use crypto::kms::{Ciphertext, EncryptionContext, KeyMaterial, KeyReference, MaterialSpec};

static MATERIAL: LazyLock<KeyMaterial> = LazyLock::new(|| {
    let key =
        KeyReference::new("111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab").expect("well-formed names");
    KeyMaterial::generate(key, MaterialSpec::Symmetric).expect("a key")
});
static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    MATERIAL
        .encrypt(&EncryptionContext::default(), b"what was said")
        .expect("a ciphertext")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(blob) = Ciphertext::parse(bytes) {
        let _ = (blob.key().account(), blob.key().key_id());
        assert!(
            MATERIAL.decrypt(&blob, &EncryptionContext::default()).is_err(),
            "this process made no such blob"
        );
    }
    // The same bytes as changes of a blob that is genuine: at a place, by a difference.
    let mut forged = GENUINE.clone();
    for pair in bytes.chunks_exact(2) {
        let place = usize::from(pair[0]) % forged.len();
        forged[place] ^= pair[1];
    }
    let opened =
        Ciphertext::parse(&forged).and_then(|blob| MATERIAL.decrypt(&blob, &EncryptionContext::default()));
    assert_eq!(
        opened.is_ok(),
        forged == *GENUINE,
        "a changed blob opens, or the genuine one does not"
    );
});
