//! The seal's header: any bytes are read or refused, what is read writes itself back, and no change goes unnoticed.
#![no_main]

use std::sync::LazyLock;

use crypto::{Opener, Seal, SealHeader, Secret};

static GENUINE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let opener = Opener::Passphrase(Secret::from("correct horse battery staple"));
    let (_, header) = Seal::create(&opener).expect("a seal");
    header.to_bytes()
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(header) = SealHeader::from_bytes(bytes) {
        assert_eq!(header.to_bytes(), bytes, "a header has one spelling");
    }
    // The same bytes as changes of a header that is genuine: at a place, by a difference.
    let mut changed = GENUINE.clone();
    for pair in bytes.chunks_exact(2) {
        let place = usize::from(pair[0]) % changed.len();
        changed[place] ^= pair[1];
    }
    let read = SealHeader::from_bytes(&changed);
    assert_eq!(
        read.is_ok(),
        changed == *GENUINE,
        "a changed header is read, or the genuine one is not"
    );
});
