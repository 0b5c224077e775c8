//! Disks as tars: any blocks, with headers whose sums are right, end in files or an error, and in the same whatever pieces they come in.
#![no_main]

use std::io::{self, Read};

use engines::disk;

const BLOCK: usize = 512;

struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(room.len());
        (&mut self.0).take(count as u64).read(room)
    }
}

/// Puts the sum into whatever looks like a header, or nothing would come behind the first.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let mut tar = bytes.to_vec();
    for block in tar.chunks_exact_mut(BLOCK) {
        if block[257..].starts_with(b"ustar") {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    tar
}

/// Paths and contents; and whether it ended well.
fn files(tar: impl Read) -> (Vec<(String, u64, Vec<u8>)>, bool) {
    let mut seen = Vec::new();
    let ended = disk::files(tar, |file, content| {
        let mut text = Vec::new();
        let read = content.read_to_end(&mut text);
        seen.push((file.path.to_owned(), file.size, text));
        read.map(drop)
    });
    (seen, ended.is_ok())
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let tar = summed(rest);
    let (whole, ended) = files(tar.as_slice());
    for (path, size, text) in &whole {
        assert!(text.len() as u64 <= *size, "{path} is longer than it says");
    }
    assert!(whole.iter().map(|(_, _, text)| text.len()).sum::<usize>() <= tar.len());
    assert_eq!(
        files(Pieces(&tar, usize::from(*first) + 1)),
        (whole, ended),
        "pieces do not matter"
    );
});
