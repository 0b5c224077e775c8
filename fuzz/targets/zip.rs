//! Zips of deployment packages: any octets are read or refused, within bounds, and what is read agrees with the directory.
#![no_main]

use std::io::Read as _;

use wire::zip::Archive;

/// What an archive may hold, as unpacking bounds it.
const ENTRIES_MAX: usize = 1000;
const BYTES_MAX: u64 = 1 << 20;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(archive) = Archive::read(bytes, ENTRIES_MAX) else {
        return;
    };
    assert!(archive.entries().len() <= ENTRIES_MAX, "the bound holds");
    let mut left = BYTES_MAX;
    for entry in archive.entries() {
        let Ok(content) = archive.content(entry) else {
            continue;
        };
        let mut read = Vec::new();
        let whole = content.take(left + 1).read_to_end(&mut read);
        let count = read.len() as u64;
        if count > left {
            return;
        }
        if whole.is_ok() {
            assert_eq!(count, entry.size, "an entry is as long as the directory says");
        }
        left -= count;
    }
});
