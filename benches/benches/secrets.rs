//! How fast the files of an image are read for credentials: text as programs and people write it, binary files, and files full of findings.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use engines::secrets::{File, scan};

const SIZE: usize = 4 * 1024 * 1024;

fn repeated(text: &str) -> Vec<u8> {
    text.as_bytes().iter().copied().cycle().take(SIZE).collect()
}

/// Octets without a pattern, the same in every run.
fn binary() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let octets = (0..SIZE).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    octets.collect()
}

fn files(criterion: &mut Criterion) {
    let source = "fn connect(host: &str, port: u16) -> Result<Client> {\n    let address = format!(\"https://{host}:{port}/\");\n    \
        Client::open(&address).map_err(|error| Error::Connect(error.to_string()))\n}\n";
    let keys = concat!(
        "aws_access_key_id = AKIA",
        "QYLPMN5HFIQR7XYZ\naws_secret_access_key = kX9v/Qm2Lw7+TzR4uYbN",
        "1sJd8eFhG5aPc3oWiK6t\n"
    );
    let mut group = criterion.benchmark_group("secrets");
    group.throughput(Throughput::Bytes(u64::try_from(SIZE).expect("a size")));
    for (name, bytes) in [
        ("source", repeated(source)),
        ("binary", binary()),
        ("full of keys", repeated(keys)),
    ] {
        let file = File {
            path: "/srv/file",
            size: u64::try_from(SIZE).expect("a size"),
        };
        group.bench_function(name, |bencher| {
            bencher.iter(|| scan(file, black_box(bytes.as_slice())).expect("a report"));
        });
    }
    group.finish();
}

criterion_group!(benches, files);
criterion_main!(benches);
