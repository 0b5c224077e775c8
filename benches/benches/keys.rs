//! What KMS's cryptography costs without a server: the envelope, signatures, MACs, and opening material from the seal.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use crypto::Seal;
use crypto::kms::{
    Ciphertext, EncryptionContext, KeyMaterial, KeyPair, KeyReference, MaterialSpec, Message, PairSpec,
    SigningAlgorithm,
};

const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";

fn material(spec: MaterialSpec) -> KeyMaterial {
    let key = KeyReference::new("000000000000", ID).expect("a reference");
    KeyMaterial::generate(key, spec).expect("material")
}

fn envelope(criterion: &mut Criterion) {
    let material = material(MaterialSpec::Symmetric);
    let context: EncryptionContext = [("tenant".to_owned(), "blue".to_owned())].into_iter().collect();
    for (name, size) in [("32 B", 32), ("4 KiB", 4096)] {
        let text = vec![7; size];
        criterion.bench_function(&format!("encrypt {name}"), |bencher| {
            bencher.iter(|| material.encrypt(&context, black_box(&text)).expect("a blob"));
        });
        let blob = material.encrypt(&context, &text).expect("a blob");
        criterion.bench_function(&format!("decrypt {name}"), |bencher| {
            bencher.iter(|| {
                let ciphertext = Ciphertext::parse(black_box(&blob)).expect("a ciphertext");
                material.decrypt(&ciphertext, &context).expect("the text")
            });
        });
    }
}

fn signatures(criterion: &mut Criterion) {
    for (spec, algorithm) in [
        (PairSpec::P256, SigningAlgorithm::EcdsaSha256),
        (PairSpec::Rsa2048, SigningAlgorithm::PssSha256),
        (PairSpec::Ed25519, SigningAlgorithm::Ed25519),
        (PairSpec::MlDsa65, SigningAlgorithm::MlDsa),
    ] {
        let private = KeyPair::generate(spec).expect("a key");
        let pair = KeyPair::from_pkcs8(spec, &private).expect("the key");
        criterion.bench_function(&format!("sign {}", spec.name()), |bencher| {
            bencher.iter(|| {
                pair.sign(algorithm, Message::Raw(black_box(b"message")))
                    .expect("a signature")
            });
        });
    }
    let material = material(MaterialSpec::Hmac256);
    criterion.bench_function("mac HMAC_256", |bencher| {
        bencher.iter(|| material.mac(black_box(b"message")).expect("a MAC"));
    });
}

/// What the first use of a key costs after its row was changed or left the cache.
fn opening(criterion: &mut Criterion) {
    let seal = Seal::ephemeral().expect("a seal");
    for spec in [
        MaterialSpec::Symmetric,
        MaterialSpec::Pair(PairSpec::P256),
        MaterialSpec::Pair(PairSpec::Rsa2048),
    ] {
        let sealed = material(spec).seal(&seal, "bench", b"row").expect("sealed");
        criterion.bench_function(&format!("open {}", spec.name()), |bencher| {
            bencher.iter(|| KeyMaterial::open(&seal, "bench", b"row", black_box(&sealed)).expect("opened"));
        });
    }
}

criterion_group!(benches, envelope, signatures, opening);
criterion_main!(benches);
