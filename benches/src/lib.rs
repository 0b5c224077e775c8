//! Benchmarks only, under `benches/`; apart from the default members since they pull the peers that they measure.
