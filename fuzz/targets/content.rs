//! Sealed contents: no altered byte, place or size opens, and nothing panics.
#![no_main]

use crypto::content::{CHUNK_BYTES, ContentOpener, ContentSealer};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [layers, size @ .., flip] = bytes else { return };
    let layers = 1 + layers % 2;
    let size = size.iter().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let size = size % (3 * CHUNK_BYTES);
    let (mut sealer, keys) = ContentSealer::new([3; 16], layers).expect("keys");
    let mut sealed = Vec::new();
    for piece in vec![5; size].chunks(1 + usize::from(*flip) * 300) {
        sealer.write(piece, &mut sealed).expect("sealed");
    }
    sealer.finish(&mut sealed).expect("sealed");
    let opener = ContentOpener::new([3; 16], size as u64, &keys).expect("an opener");
    let mut opened = 0;
    for (chunk, part) in (0..).zip(sealed.chunks(opener.sealed_chunk())) {
        let mut good = part.to_vec();
        opened += opener.open(chunk, &mut good).expect("it opens").len();
        let mut bad = part.to_vec();
        let at = usize::from(*flip) * 257 % bad.len();
        bad[at] ^= 1 | flip;
        assert!(opener.open(chunk, &mut bad).is_err(), "an altered chunk opened");
        assert!(
            opener.open(chunk + 1, &mut part.to_vec()).is_err(),
            "a chunk opened elsewhere"
        );
    }
    assert_eq!(opened, size);
    let other = ContentOpener::new([3; 16], size as u64 + 1, &keys).expect("an opener");
    let last = crypto::content::chunks(size as u64) - 1;
    let tail = sealed.chunks(opener.sealed_chunk()).last().expect("a chunk");
    assert!(
        other.open(last, &mut tail.to_vec()).is_err(),
        "another size opened"
    );
});
