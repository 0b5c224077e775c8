//! The store: a hot read, reads that the cache does not answer, a commit that is alone, and commits that share flushes, on disk and in memory.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up must stop")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde::{Deserialize, Serialize};
use store::{Append, Plain, Record, Store, Table};

#[derive(Clone, Serialize, Deserialize)]
struct Row(String);

store::record!(Row, 1);

/// Bytes that the cache does not keep, so that every read asks the engine.
#[derive(Clone)]
struct Cold(Vec<u8>);

impl Record for Cold {
    const VERSION: u8 = 1;
    const CACHED: bool = false;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        Ok(Self(bytes.to_vec()))
    }
}

static COLD: Table<u32, Cold> = Table::new(0x7f02, "bench.cold");
static ROWS: Table<String, Row> = Table::new(0x7f01, "bench.rows");
/// Commits in flight at once.
const SHARING: usize = 32;

/// What a call's record weighs.
fn append() -> Vec<Append> {
    vec![Append {
        stream: b"111122223333/eu-central-1".to_vec(),
        record: vec![b'x'; 900],
    }]
}

fn measure(criterion: &mut Criterion, engine: &str, store: &Store) {
    let written: store::Result<()> = store.run(|tx| {
        tx.put(&ROWS, "hot", Row("value".to_owned()))?;
        (0..1000).try_for_each(|number| tx.put(&COLD, &number, Cold(vec![b'x'; 600])))?;
        tx.put(&COLD, &1000, Cold(vec![b'x'; 32 << 10]))
    });
    written.expect("the store can be written");
    let mut group = criterion.benchmark_group(format!("store/{engine}"));
    group.bench_function("hot read", |bencher| {
        bencher.iter(|| black_box(store.begin().get(&ROWS, "hot")).is_ok());
    });
    group.bench_function("cold read of 600 bytes", |bencher| {
        bencher.iter(|| black_box(store.begin().get(&COLD, &500)).is_ok());
    });
    group.bench_function("cold read of 32 KiB", |bencher| {
        bencher.iter(|| black_box(store.begin().get(&COLD, &1000)).is_ok());
    });
    group.bench_function("cold range of 100", |bencher| {
        bencher.iter(|| black_box(store.begin().range(&COLD, &(), None, 100)).is_ok());
    });
    group.bench_function("one record", |bencher| {
        bencher.iter_batched(
            append,
            |append| store.commit(store.begin(), append).wait().is_ok(),
            BatchSize::SmallInput,
        );
    });
    group.throughput(Throughput::Elements(SHARING as u64));
    group.bench_function(format!("{SHARING} records at once"), |bencher| {
        bencher.iter(|| {
            let commits: Vec<_> = (0..SHARING)
                .map(|_| store.commit(store.begin(), append()))
                .collect();
            commits.into_iter().all(|commit| commit.wait().is_ok())
        });
    });
    group.finish();
}

fn engines(criterion: &mut Criterion) {
    measure(criterion, "memory", &Store::memory(Box::new(Plain)));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let store = Store::open(folder.path(), Box::new(Plain)).expect("a store");
    measure(criterion, "disk", &store);
}

criterion_group!(benches, engines);
criterion_main!(benches);
