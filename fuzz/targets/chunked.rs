//! Chunked payloads: however the bytes are cut on their way, they give the same pieces or the same refusal.
#![no_main]

use bytes::Bytes;
use wire::sigv4::{ChunkedDecoder, Piece, Streaming};

/// All pieces' bytes, or that it was refused.
fn decode(kind: Streaming, chunks: &[&[u8]]) -> Option<String> {
    let mut decoder = ChunkedDecoder::new(kind);
    let (mut out, mut data) = (String::new(), Vec::new());
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = decoder.next_piece().ok()? {
            // However the bytes of a chunk are cut, they are the same bytes.
            match piece {
                Piece::Data(bytes) => data.extend_from_slice(&bytes),
                other => out.push_str(&format!("{:?}{other:?}", std::mem::take(&mut data))),
            }
        }
    }
    decoder.finish().ok()?;
    Some(out)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const KINDS: [Streaming; 3] = [
        Streaming::Signed,
        Streaming::SignedTrailer,
        Streaming::UnsignedTrailer,
    ];
    let [kind, cut, rest @ ..] = bytes else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let whole = decode(kind, &[rest]);
    let (head, tail) = rest.split_at(usize::from(*cut).min(rest.len()));
    let parts = decode(kind, &[head, tail]);
    assert_eq!(whole, parts, "a cut must not matter");
});
