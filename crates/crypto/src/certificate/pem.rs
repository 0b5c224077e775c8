//! PEM text (RFC 7468) to DER and back. Decoded blocks are secrets, since some are private keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::{Error, Result, Secret};

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const PRIVATE_KEY: &str = "PRIVATE KEY";
/// PKCS #8, SEC 1 and PKCS #1.
pub(super) const PRIVATE_KEYS: [&str; 3] = [PRIVATE_KEY, "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// Text above this length is refused: real chains and keys are far below.
const TEXT_MOST: usize = 128 * 1024;
const LINE: usize = 64;

/// One block.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let lines = body.len().div_ceil(LINE);
    // Room for all of it first: growing later would leave key bytes in the freed block.
    let mut text = String::with_capacity(body.len() + lines + 2 * label.len() + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    for (place, letter) in body.chars().enumerate() {
        if place > 0 && place % LINE == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// The first block of one of the labels.
pub(super) fn decode_first(text: &str, labels: &[&'static str]) -> Result<Secret> {
    decode_all(text, labels)?
        .into_iter()
        .next()
        .ok_or(missing(labels))
}

/// All blocks of one of the labels, in their order; others are skipped.
pub(super) fn decode_all(text: &str, labels: &[&'static str]) -> Result<Vec<Secret>> {
    if text.len() > TEXT_MOST {
        return Err(missing(labels));
    }
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        let Some(label) = line
            .strip_prefix("-----BEGIN ")
            .and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        let mut ended = false;
        for line in lines.by_ref() {
            ended = line == end;
            if ended {
                break;
            }
            body.push_str(line);
        }
        if labels.contains(&label) {
            let der = STANDARD
                .decode(body.as_bytes())
                .ok()
                .filter(|der| ended && !der.is_empty());
            blocks.push(Secret::new(der.ok_or(missing(labels))?));
        }
    }
    Ok(blocks)
}

fn missing(labels: &[&'static str]) -> Error {
    Error::Pem {
        expected: labels.first().copied().unwrap_or(CERTIFICATE),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_wanted_blocks_are_read() {
        let text = format!(
            "a comment\n{}{}{}",
            encode("OTHER", b"0"),
            encode(CERTIFICATE, b"1"),
            encode(CERTIFICATE, b"2")
        );
        let blocks = decode_all(&text.replace('\n', "\r\n"), &[CERTIFICATE]).unwrap();
        assert_eq!(blocks, [Secret::from("1"), Secret::from("2")]);
    }

    #[test]
    fn broken_blocks_are_refused() {
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        ] {
            assert!(
                matches!(decode_first(text, &[CERTIFICATE]), Err(Error::Pem { .. })),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(der in proptest::collection::vec(any::<u8>(), 1..300)) {
            let text = encode(CERTIFICATE, &der);
            prop_assert!(text.lines().all(|line| line.len() <= LINE));
            prop_assert!(decode_first(&text, &[CERTIFICATE]).unwrap().matches(&der));
        }

        #[test]
        fn arbitrary_text_is_read_or_refused_without_a_panic(text in "(-----BEGIN |CERTIFICATE|-----|\n|AAAA|-----END |.){0,20}") {
            let _ = decode_all(&text, &[CERTIFICATE]);
        }
    }
}
