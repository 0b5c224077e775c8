//! Forms: however the bytes are cut on their way, they give the same fields and file, or the same refusal.
#![no_main]

use bytes::Bytes;
use wire::form_data::{FormDecoder, FormPiece};

/// All parts, or that it was refused.
fn decode(chunks: &[&[u8]]) -> Option<String> {
    let mut decoder = FormDecoder::new("multipart/form-data; boundary=edge").ok()?;
    let (mut out, mut data) = (String::new(), Vec::new());
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = decoder.next_piece().ok()? {
            match piece {
                FormPiece::Data(bytes) => data.extend_from_slice(&bytes),
                other => out.push_str(&format!("{other:?}")),
            }
        }
    }
    decoder.finish().ok()?;
    Some(format!("{out}{data:?}"))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [cut, rest @ ..] = bytes else { return };
    let body = [b"--edge\r\nContent-Disposition: form-data; ".as_slice(), rest].concat();
    let (head, tail) = body.split_at(usize::from(*cut).min(body.len()));
    assert_eq!(decode(&[&body]), decode(&[head, tail]), "a cut must not matter");
    let text = String::from_utf8_lossy(rest);
    let _ = FormDecoder::new(&text);
});
