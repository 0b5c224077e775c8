//! What taking an object's bytes in and giving them out costs without a server: sealing, opening, and each checksum.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crypto::checksum::{Checksum, ChecksumSet, Summer};
use crypto::content::{ContentOpener, ContentSealer};

const SIZE: usize = 8 << 20;

fn sealing(criterion: &mut Criterion) {
    let text = vec![7; SIZE];
    let mut group = criterion.benchmark_group("content of 8 MiB");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for layers in [1, 2] {
        group.bench_function(format!("seal in {layers}"), |bencher| {
            let mut out = Vec::new();
            bencher.iter(|| {
                out.clear();
                let (mut sealer, keys) = ContentSealer::new([1; 16], layers).expect("a sealer");
                sealer.write(black_box(&text), &mut out).expect("sealed");
                sealer.finish(&mut out).expect("sealed");
                keys
            });
        });
        let (mut sealer, keys) = ContentSealer::new([1; 16], layers).expect("a sealer");
        let mut sealed = Vec::new();
        sealer.write(&text, &mut sealed).expect("sealed");
        sealer.finish(&mut sealed).expect("sealed");
        group.bench_function(format!("open {layers}"), |bencher| {
            let opener = ContentOpener::new([1; 16], SIZE as u64, &keys).expect("an opener");
            bencher.iter_batched_ref(
                || sealed.clone(),
                |sealed| {
                    for (chunk, bytes) in (0..).zip(sealed.chunks_mut(opener.sealed_chunk())) {
                        black_box(opener.open(chunk, bytes).expect("opened"));
                    }
                },
                criterion::BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

fn checksums(criterion: &mut Criterion) {
    let text = vec![7; SIZE];
    let mut group = criterion.benchmark_group("checksum of 8 MiB");
    group.throughput(Throughput::Bytes(SIZE as u64));
    for checksum in Checksum::ALL {
        group.bench_function(checksum.name(), |bencher| {
            bencher.iter(|| {
                let mut summer = Summer::new(ChecksumSet::of(checksum));
                summer.update(black_box(&text));
                summer.finish()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sealing, checksums);
criterion_main!(benches);
