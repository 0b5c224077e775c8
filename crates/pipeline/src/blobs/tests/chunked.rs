//! `aws-chunked` bodies through the gateway: every chunk's signature, every trailer and every length is held to.

use http::{HeaderMap, HeaderValue, Method};
use wire::protocol::Parts;
use wire::sigv4::{ChunkedDecoder, PathStyle, hex, percent_encode};

use super::rig::{Ask, Said, Signed, arriving, cloud, files, key, said, text};
use super::{LARGE, blobs, get};
use crate::blobs::{Checksum, ChecksumSet};
use crate::front::{Body, Incoming};
use crate::testing::{BEGINNING, Cloud, REGION};

const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const TRAILED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// What a client does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// A byte of the second chunk.
    Byte,
    /// The first two chunks change places, signatures and all.
    Order,
    Trailer,
    TrailerSignature,
    /// The last chunk is not sent.
    End,
    Announced,
    Length,
}

fn crc(bytes: &[u8]) -> String {
    use base64::Engine as _;
    let mut summer = crypto::checksum::Summer::new(ChecksumSet::of(Checksum::Crc32));
    summer.update(bytes);
    base64::engine::general_purpose::STANDARD.encode(summer.finish().get(Checksum::Crc32).unwrap())
}

/// The body in chunks, whose signatures begin with the head's.
fn chunked(kind: &str, seed: &str, bytes: &[u8], wrong: Wrong) -> Vec<u8> {
    let time = wire::sigv4::basic_time(BEGINNING / 1000);
    let scope = format!("{}/{REGION}/s3/aws4_request", time.get(..8).unwrap());
    let mut previous = seed.to_owned();
    let mut sign = |text: &dyn Fn(&str) -> String| {
        previous = hex(&key().sign(&text(&previous)));
        previous.clone()
    };
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for chunk in bytes.chunks(100_000).chain([&[][..]]) {
        let mut part = format!("{:x}", chunk.len()).into_bytes();
        if kind != UNSIGNED {
            let hash = crypto::digest::sha256(chunk);
            let signature = sign(&|previous| {
                ChunkedDecoder::chunk_string_to_sign(&time, &scope, previous, &hash, crypto::digest::sha256)
            });
            part.extend_from_slice(format!(";chunk-signature={signature}").as_bytes());
        }
        part.extend_from_slice(b"\r\n");
        part.extend_from_slice(chunk);
        if !chunk.is_empty() || kind == SIGNED {
            part.extend_from_slice(b"\r\n");
        }
        parts.push(part);
    }
    if kind != SIGNED {
        let value = if wrong == Wrong::Trailer {
            crc(b"other")
        } else {
            crc(bytes)
        };
        let headers = vec![("x-amz-checksum-crc32".to_owned(), value.clone())];
        let mut trailer = format!("x-amz-checksum-crc32:{value}\r\n");
        if kind == TRAILED {
            let signature = sign(&|previous| {
                ChunkedDecoder::trailer_string_to_sign(
                    &time,
                    &scope,
                    previous,
                    &headers,
                    crypto::digest::sha256,
                )
            });
            let signature = if wrong == Wrong::TrailerSignature {
                "0".repeat(64)
            } else {
                signature
            };
            trailer.push_str(&format!("x-amz-trailer-signature:{signature}\r\n"));
        }
        trailer.push_str("\r\n");
        parts.push(trailer.into_bytes());
    }
    match wrong {
        Wrong::Byte => parts[1][120] ^= 1,
        Wrong::Order => parts.swap(0, 1),
        Wrong::End => drop(parts.pop()),
        _ => {}
    }
    parts.concat()
}

fn send(cloud: &Cloud, kind: &'static str, size: usize, streamed: bool, wrong: Wrong) -> Said {
    let bytes = text(size);
    let length = if wrong == Wrong::Length { size + 1 } else { size };
    let mut ask = Ask::put("a", Vec::new()).with("x-amz-decoded-content-length", length.to_string());
    if kind != SIGNED {
        let announced = if wrong == Wrong::Announced {
            "x-amz-checksum-sha1"
        } else {
            "x-amz-checksum-crc32"
        };
        ask = ask.with("x-amz-trailer", announced);
    }
    ask.signed = Signed::Said(kind);
    let (_, seed) = ask.head();
    ask.body = chunked(kind, &seed, &bytes, wrong);
    if streamed {
        ask.stream(cloud, 9_999)
    } else {
        ask.whole(cloud)
    }
}

#[test]
fn chunks_are_taken_off_and_what_they_carry_is_stored() {
    let cloud = cloud();
    for kind in [SIGNED, TRAILED, UNSIGNED] {
        for (size, streamed) in [
            (0, false),
            (1000, false),
            (250_000, false),
            (1000, true),
            (LARGE, true),
        ] {
            let said = send(&cloud, kind, size, streamed, Wrong::Nothing);
            assert_eq!(
                said.status,
                200,
                "{kind} {size} {}",
                String::from_utf8_lossy(&said.body)
            );
            assert!(get(&cloud, "a").body == text(size), "{kind} {size}");
        }
    }
}

#[test]
fn whatever_is_wrong_with_a_chunk_is_found_whole_or_streamed() {
    const MISMATCH: (u16, &str) = (403, "SignatureDoesNotMatch");
    let all: &[(&'static str, Wrong, (u16, &str))] = &[
        (SIGNED, Wrong::Byte, MISMATCH),
        (SIGNED, Wrong::Order, MISMATCH),
        (SIGNED, Wrong::End, (400, "IncompleteBody")),
        (SIGNED, Wrong::Length, (400, "IncompleteBody")),
        (TRAILED, Wrong::Byte, MISMATCH),
        (TRAILED, Wrong::Trailer, (400, "BadDigest")),
        (TRAILED, Wrong::TrailerSignature, MISMATCH),
        (TRAILED, Wrong::Announced, (400, "MalformedTrailerError")),
        (UNSIGNED, Wrong::Byte, (400, "BadDigest")),
        (UNSIGNED, Wrong::Trailer, (400, "BadDigest")),
        (UNSIGNED, Wrong::End, (400, "IncompleteBody")),
        (UNSIGNED, Wrong::Length, (400, "IncompleteBody")),
    ];
    for streamed in [false, true] {
        let cloud = cloud();
        for (number, (kind, wrong, expected)) in all.iter().enumerate() {
            let said = send(&cloud, kind, LARGE, streamed, *wrong);
            assert_eq!((said.status, said.code().as_str()), *expected, "case {number}");
        }
        assert_eq!(files(&blobs(&cloud)), 0);
    }
}

#[test]
fn a_chunked_body_must_say_its_length() {
    let cloud = cloud();
    let mut ask = Ask::put("a", Vec::new());
    ask.signed = Signed::Said(UNSIGNED);
    let said = ask.stream(&cloud, 10);
    assert_eq!((said.status, said.code().as_str()), (411, "MissingContentLength"));
}

/// Puts by an address whose query says how the payload is signed. `body` makes it from the query's signature.
fn presigned(cloud: &Cloud, kind: &str, size: usize, streamed: bool, body: impl Fn(&str) -> Vec<u8>) -> Said {
    let time = wire::sigv4::basic_time(BEGINNING / 1000);
    let scope = format!("AKIDROOT/{}/{REGION}/s3/aws4_request", time.get(..8).unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("s3.eu-central-1.amazonaws.com"));
    headers.insert("x-amz-decoded-content-length", HeaderValue::from(size));
    let query = format!(
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Content-Sha256={kind}&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires=60&\
         X-Amz-SignedHeaders=host%3Bx-amz-decoded-content-length&X-Amz-Signature=",
        percent_encode(&scope)
    );
    let signature = {
        let unsigned = format!("{query}{}", "0".repeat(64));
        let parts = Parts {
            method: "PUT",
            path: "/bucket/a",
            query: &unsigned,
            headers: &headers,
            body: &[],
        };
        let claim = wire::sigv4::parse(&parts).ok().flatten().unwrap();
        let text = wire::sigv4::string_to_sign(&claim, &parts, PathStyle::Raw, crypto::digest::sha256).text;
        hex(&key().sign(&text))
    };
    let bytes = body(&signature);
    let answer = cloud.serve(Incoming {
        method: Method::PUT,
        path: "/bucket/a".to_owned(),
        query: format!("{query}{signature}"),
        headers,
        body: if streamed {
            arriving(&bytes, 9_999)
        } else {
            Body::Whole(bytes.into())
        },
        peer: "127.0.0.1:50000".parse().unwrap(),
        tls: None,
        standing: crate::front::Standing::default(),
    });
    said(cloud, answer)
}

#[test]
fn chunks_that_a_query_promises_are_held_to_its_signature() {
    let cloud = cloud();
    let bytes = text(LARGE);
    for streamed in [false, true] {
        let send =
            |kind: &str, body: &dyn Fn(&str) -> Vec<u8>| presigned(&cloud, kind, LARGE, streamed, body);
        let right = send(SIGNED, &|seed| chunked(SIGNED, seed, &bytes, Wrong::Nothing));
        assert_eq!(right.status, 200, "{}", right.code());
        assert!(
            get(&cloud, "a").body == bytes,
            "what the chunks carry, and not the chunks"
        );
        let altered = send(SIGNED, &|seed| chunked(SIGNED, seed, &bytes, Wrong::Byte));
        assert_eq!(altered.code(), "SignatureDoesNotMatch");
        let seedless = send(SIGNED, &|_| {
            chunked(SIGNED, &"0".repeat(64), &bytes, Wrong::Nothing)
        });
        assert_eq!(seedless.code(), "SignatureDoesNotMatch");
        // Whoever got the address cannot send a body that nobody signed.
        let plain = send(SIGNED, &|_| bytes.clone());
        assert_eq!(plain.status, 400, "{}", plain.code());
        assert!(get(&cloud, "a").body == bytes);
    }
}
