//! Compact models: any text is a model or is refused. A model's strings live for ever, so only so many are made.
#![no_main]

use std::sync::atomic::{AtomicUsize, Ordering};

use wire::model::load::Error;

/// Bytes of models that this process may keep.
const KEPT_MAX: usize = 256 << 20;
static KEPT: AtomicUsize = AtomicUsize::new(0);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> libfuzzer_sys::Corpus {
    if KEPT.load(Ordering::Relaxed) > KEPT_MAX {
        return libfuzzer_sys::Corpus::Reject;
    }
    let _ = wire::model::load::parse(bytes);
    let parsed = wire::model::load::parse_text(bytes);
    // A model's strings are kept from the moment that its tables could be read.
    if !matches!(parsed, Err(Error::Parse(_))) {
        KEPT.fetch_add(bytes.len(), Ordering::Relaxed);
    }
    if let Ok(service) = parsed {
        for operation in &service.operations {
            for id in operation.input.iter().chain(&operation.output) {
                assert!(service.shape(*id).is_some(), "every index leads somewhere");
            }
        }
    }
    libfuzzer_sys::Corpus::Keep
});
