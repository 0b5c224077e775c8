//! `aws-chunked` bodies: the reference's example, trailers, and damaged chunks.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use proptest::prelude::*;
use wire::sigv4::{ChunkedDecoder, ChunkedError, Piece, Streaming, hex, signing_key};

fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest::digest(&digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message)
        .as_ref()
        .try_into()
        .unwrap()
}

/// S3 API Reference, "Transferring Payload in Multiple Chunks", the example: 65 536 and 1 024 bytes of `a`.
#[test]
fn the_chunked_example_of_the_s3_reference_verifies() {
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let mut body = Vec::new();
    for (size, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        body.extend_from_slice(b"\r\n");
    }
    let key = signing_key(
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "20130524",
        "us-east-1",
        "s3",
        hmac_sha256,
    );
    let mut previous = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned();
    let mut decoder = ChunkedDecoder::new(Streaming::Signed);
    let mut sizes = Vec::new();
    let mut chunk = Vec::new();
    for slice in body.chunks(1000) {
        decoder.push(Bytes::copy_from_slice(slice));
        while let Some(piece) = decoder.next_piece().unwrap() {
            let signature = match piece {
                Piece::Data(bytes) => {
                    chunk.extend_from_slice(&bytes);
                    continue;
                }
                Piece::End { signature } => signature,
                Piece::Trailer { .. } => panic!("no trailers here"),
            };
            let (time, scope) = ("20130524T000000Z", "20130524/us-east-1/s3/aws4_request");
            let text = ChunkedDecoder::chunk_string_to_sign(time, scope, &previous, &sha256(&chunk), sha256);
            previous = hex(&hmac_sha256(&key[..], text.as_bytes()));
            assert_eq!(signature.as_ref(), Some(&previous));
            sizes.push(chunk.len());
            chunk.clear();
        }
    }
    assert_eq!(sizes, [65536, 1024, 0]);
    assert_eq!(decoder.finish(), Ok(()));
}

/// S3 API Reference, "Signature calculations for trailing headers", the example: the same bytes and a checksum behind them.
#[test]
fn the_trailer_example_of_the_s3_reference_verifies() {
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let mut body = Vec::new();
    for (size, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        if size > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    let last = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    body.extend_from_slice(b"x-amz-checksum-crc32c:sOO8/Q==\r\n");
    body.extend_from_slice(format!("x-amz-trailer-signature:{last}\r\n\r\n").as_bytes());
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let key = signing_key(secret, "20130524", "us-east-1", "s3", hmac_sha256);
    let (time, scope) = ("20130524T000000Z", "20130524/us-east-1/s3/aws4_request");
    let mut previous = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e".to_owned();
    let mut decoder = ChunkedDecoder::new(Streaming::SignedTrailer);
    decoder.push(body.into());
    let mut chunk = Vec::new();
    while let Some(piece) = decoder.next_piece().unwrap() {
        let (text, signature) = match &piece {
            Piece::Data(bytes) => {
                chunk.extend_from_slice(bytes);
                continue;
            }
            Piece::End { signature } => (
                ChunkedDecoder::chunk_string_to_sign(
                    time,
                    scope,
                    &previous,
                    &sha256(&std::mem::take(&mut chunk)),
                    sha256,
                ),
                signature,
            ),
            Piece::Trailer { headers, signature } => (
                ChunkedDecoder::trailer_string_to_sign(time, scope, &previous, headers, sha256),
                signature,
            ),
        };
        previous = hex(&hmac_sha256(&key[..], text.as_bytes()));
        assert_eq!(signature.as_ref(), Some(&previous));
    }
    assert_eq!(previous, last);
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn trailers_are_read_and_damaged_chunks_are_refused() {
    let mut decoder = ChunkedDecoder::new(Streaming::UnsignedTrailer);
    decoder.push(Bytes::from_static(
        b"4\r\nWiki\r\n0\r\nx-amz-checksum-crc32: abc=\r\n\r\n",
    ));
    let wiki = Bytes::from_static(b"Wiki");
    assert_eq!(decoder.next_piece(), Ok(Some(Piece::Data(wiki))));
    assert_eq!(decoder.next_piece(), Ok(Some(Piece::End { signature: None })));
    assert_eq!(decoder.next_piece(), Ok(Some(Piece::End { signature: None })));
    let headers = vec![("x-amz-checksum-crc32".to_owned(), "abc=".to_owned())];
    assert_eq!(
        decoder.next_piece(),
        Ok(Some(Piece::Trailer {
            headers,
            signature: None
        }))
    );
    assert_eq!((decoder.next_piece(), decoder.finish()), (Ok(None), Ok(())));
    for (bytes, error) in [
        (&b"zz\r\n"[..], ChunkedError::Head),
        (b"4\r\nWikiXX", ChunkedError::Head),
        (b"fffffff\r\n", ChunkedError::TooLarge),
        (b"4\nWiki\r\n", ChunkedError::Head),
    ] {
        let mut decoder = ChunkedDecoder::new(Streaming::UnsignedTrailer);
        decoder.push(Bytes::from_static(bytes));
        let refused = loop {
            match decoder.next_piece() {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(refused, Some(error));
    }
    let mut decoder = ChunkedDecoder::new(Streaming::Signed);
    decoder.push(Bytes::from_static(b"4\r\nWiki\r\n"));
    assert_eq!(decoder.next_piece(), Err(ChunkedError::Unsigned));
    assert_eq!(
        ChunkedDecoder::new(Streaming::Signed).finish(),
        Err(ChunkedError::Truncated)
    );
}

proptest! {
    #[test]
    fn hostile_chunks_are_decoded_without_panic(pieces in proptest::collection::vec("[0-9a-f;:\\r\\nx]{0,12}", 0..20)) {
        for kind in [Streaming::Signed, Streaming::SignedTrailer, Streaming::UnsignedTrailer] {
            let mut decoder = ChunkedDecoder::new(kind);
            for piece in &pieces {
                decoder.push(Bytes::copy_from_slice(piece.as_bytes()));
                while let Ok(Some(_)) = decoder.next_piece() {}
            }
            let _ = decoder.finish();
        }
    }

    #[test]
    fn a_cut_anywhere_changes_nothing(text in prop::collection::vec(any::<u8>(), 0..200), size in 1..50_usize, cut in 1..20_usize) {
        let mut body = Vec::new();
        for chunk in text.chunks(size) {
            body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"0\r\na: b\r\n\r\n");
        let mut decoder = ChunkedDecoder::new(Streaming::UnsignedTrailer);
        let (mut decoded, mut ends) = (Vec::new(), 0);
        for slice in body.chunks(cut) {
            decoder.push(Bytes::copy_from_slice(slice));
            while let Some(piece) = decoder.next_piece().unwrap() {
                match piece {
                    Piece::Data(bytes) => decoded.extend_from_slice(&bytes),
                    Piece::End { .. } => ends += 1,
                    Piece::Trailer { headers, .. } => prop_assert_eq!(headers.len(), 1),
                }
            }
        }
        prop_assert_eq!(decoder.finish(), Ok(()));
        prop_assert_eq!(ends, text.len().div_ceil(size) + 1);
        prop_assert_eq!(decoded, text);
    }
}
