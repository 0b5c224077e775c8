//! Files of an image: any octets under any path end in a report, which holds no more than it may, and the same whatever pieces the octets
//! come in; and any octets taken for a whole disk end in a report or an error.
#![no_main]

use std::io::{self, Read};

use engines::secrets::{FINDINGS_MAX, File, scan, scan_disk};

/// Paths whose files are read by rules of their own.
const PATHS: [&str; 9] = [
    "/etc/shadow",
    "home/ann/.ssh/authorized_keys",
    "/etc/ssh/ssh_host_rsa_key",
    "home/ann/.bash_history",
    "home/ann/.netrc",
    "home/ann/.pgpass",
    "home/ann/.docker/config.json",
    "/srv/.env",
    "/any",
];

struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(room.len());
        (&mut self.0).take(count as u64).read(room)
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, text)) = bytes.split_first() else {
        return;
    };
    let first = usize::from(*first);
    let path = PATHS[first % PATHS.len()];
    let file = File {
        path,
        size: text.len() as u64,
    };
    let whole = scan(file, text).expect("memory can be read");
    assert!(whole.findings.len() <= FINDINGS_MAX);
    for finding in &whole.findings {
        assert!(finding.offset <= text.len() as u64, "the place is in the file");
    }
    let pieces = scan(file, Pieces(text, first + 1)).expect("memory can be read");
    assert_eq!(pieces.findings, whole.findings);
    let _ = scan_disk(text);
});
