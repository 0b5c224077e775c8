//! Keys and certificates that people upload and import: any bytes are read or refused; what is read writes itself back; and nothing
//! that nobody made opens or verifies.
#![no_main]

use std::sync::LazyLock;

use crypto::certificate::{PublicKey, UploadedCertificate, UploadedKey, period};
use crypto::kms::{
    EncryptionAlgorithm, KeyMaterial, KeyPair, KeyReference, MaterialSpec, Message, PairSpec,
    SigningAlgorithm, WrappingAlgorithm, WrappingKey,
};
use crypto::{Secret, SshImported, SshPublicKey, TokenKey};

fn reference() -> KeyReference {
    KeyReference::new("111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab").expect("well-formed names")
}

fn pair(spec: PairSpec) -> KeyPair {
    KeyPair::from_pkcs8(spec, &KeyPair::generate(spec).expect("a key")).expect("the same")
}

static RSA: LazyLock<KeyPair> = LazyLock::new(|| pair(PairSpec::Rsa2048));
static CURVE: LazyLock<KeyPair> = LazyLock::new(|| pair(PairSpec::P256));
static LATTICE: LazyLock<KeyPair> = LazyLock::new(|| pair(PairSpec::MlKem512));
static WRAPPING: LazyLock<Secret> = LazyLock::new(|| {
    let made = WrappingKey::generate("RSA_2048")
        .expect("a key")
        .expect("a known name");
    made.private_der().expect("a key in DER")
});
static MAC: LazyLock<KeyMaterial> = LazyLock::new(|| {
    let spec = MaterialSpec::from_name("HMAC_256").expect("a known name");
    KeyMaterial::generate(reference(), spec).expect("a key")
});
static TOKENS: LazyLock<TokenKey> =
    LazyLock::new(|| TokenKey::derive(&crypto::Seal::ephemeral().expect("a seal"), "fuzz").expect("a key"));

/// Of people: certificates, private keys, SSH's keys.
fn uploaded(text: &str) {
    let certificates = UploadedCertificate::all_from_pem(text).unwrap_or_default();
    let key = UploadedKey::from_pem(&Secret::from(text));
    for certificate in &certificates {
        assert_eq!(certificate.fingerprint(), certificate.fingerprint());
        let _ = (
            certificate.is_signed_by(certificate),
            key.as_ref().map(|key| certificate.belongs_to(key)),
        );
    }
    if let Ok(key) = SshPublicKey::read(text) {
        assert_eq!(
            SshPublicKey::read(&key.openssh()),
            Ok(key.clone()),
            "a line reads back"
        );
        assert_eq!(SshPublicKey::read(&key.pem()), Ok(key), "PEM reads back");
    }
    if let Ok(key) = SshImported::read(text) {
        let again = SshImported::read(&key.public).expect("what is shown reads back");
        assert_eq!((again.public, again.fingerprint), (key.public, key.fingerprint));
    }
    assert!(TOKENS.open(text).is_err(), "nobody issued that");
}

/// Of KMS: material under a wrapping key, peers' keys, ciphertexts, signatures.
fn imported(first: u8, bytes: &[u8]) {
    let spec = PairSpec::ALL[usize::from(first) % PairSpec::ALL.len()];
    let secret = Secret::copy_of(bytes);
    if let Ok(pair) = KeyPair::from_pkcs8(spec, &secret) {
        assert!(!pair.public().der().is_empty());
    }
    let material = ["SYMMETRIC_DEFAULT", "HMAC_256", "HMAC_512"]
        .into_iter()
        .filter_map(MaterialSpec::from_name);
    for spec in material.chain([MaterialSpec::Pair(spec)]) {
        let _ =
            KeyMaterial::import(reference(), spec, Secret::copy_of(bytes)).map(|made| made.id().to_string());
    }
    for name in ["RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1"] {
        let key = WrappingKey::from_private_der(&WRAPPING).expect("its own DER");
        let algorithm = WrappingAlgorithm::from_name(name).expect("a known name");
        assert!(key.unwrap(algorithm, bytes).is_err(), "nobody wrapped that");
    }
    let _ = (CURVE.agree(bytes), LATTICE.decapsulate(bytes));
    let oaep = EncryptionAlgorithm::from_name("RSAES_OAEP_SHA_256").expect("a known name");
    assert!(RSA.decrypt(oaep, bytes).is_err(), "nobody encrypted that");
    for (pair, name) in [(&RSA, "RSASSA_PSS_SHA_256"), (&CURVE, "ECDSA_SHA_256")] {
        let algorithm = SigningAlgorithm::from_name(name).expect("a known name");
        let verified = pair.public().verifies(algorithm, Message::Raw(b"m"), bytes);
        assert!(!matches!(verified, Ok(true)), "nobody signed that");
    }
    assert!(
        !matches!(MAC.verify_mac(b"m", bytes), Ok(true)),
        "nobody made that"
    );
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let _ = (period(rest), PublicKey::from_certificate(rest));
    imported(*first, rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        uploaded(text);
    }
});
