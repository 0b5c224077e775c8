//! Private keys: PEM (RFC 7468, RFC 1421), OpenSSH's own form, and PuTTY's.
//!
//! Invariant: a header alone is no key; programs that read keys hold the header as a constant.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::Sighting;
use super::rule::{self, Severity};

/// How far a key may reach, in bytes: RSA of 16,384 bits has less.
const KEY_MAX: usize = 16 * 1024;
/// Characters of Base64 that the shortest private key has: Ed25519 in PKCS #8.
const BODY_MIN: usize = 60;
/// OpenSSH's form, with no cipher.
const OPEN_SSH: &[u8] = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let words = "(?:RSA |EC |DSA |OPENSSH |ENCRYPTED |SSH2 ENCRYPTED )?PRIVATE KEY|PGP PRIVATE KEY BLOCK";
    Regex::new(&format!(
        "(?-u)-----BEGIN ({words})-----|PuTTY-User-Key-File-[123]: "
    ))
    .ok()
});

/// What is found in a window.
pub(super) fn sightings(window: &[u8]) -> Vec<Sighting> {
    let mut found = Vec::new();
    let Some(header) = HEADER.as_ref() else {
        return found;
    };
    for hit in header.captures_iter(window) {
        let Some(whole) = hit.get(0) else { continue };
        let to = window.len().min(whole.end() + KEY_MAX);
        let rest = window.get(whole.end()..to).unwrap_or_default();
        let read = match hit.get(1) {
            Some(label) => {
                body(rest).map(|body| (label_of(label.as_bytes()), is_encrypted(label.as_bytes(), &body)))
            }
            None => putty(rest).map(|encrypted| ("PuTTY private key".to_owned(), encrypted)),
        };
        let Some((label, encrypted)) = read else { continue };
        let how = if encrypted { "encrypted" } else { "not encrypted" };
        let mut sighting = Sighting::new(&rule::PRIVATE_KEY, whole.start(), format!("{label}, {how}"));
        if encrypted {
            sighting.at_most = Severity::Medium;
        }
        found.push(sighting);
    }
    found
}

fn label_of(label: &[u8]) -> String {
    String::from_utf8_lossy(label).into_owned()
}

/// What stands between a key's header and footer.
struct Body {
    headers: Vec<u8>,
    base64: Vec<u8>,
}

/// Reads lines, which may be parted by an escaped line feed, as in JSON.
fn body(rest: &[u8]) -> Option<Body> {
    let mut body = Body {
        headers: Vec::new(),
        base64: Vec::new(),
    };
    for line in lines(rest) {
        let line = line.trim_ascii();
        if line.starts_with(b"-----END") {
            break;
        }
        if line.is_empty() || line.starts_with(b"=") {
            continue;
        }
        if line.contains(&b':') && body.base64.is_empty() {
            body.headers.extend_from_slice(line);
            continue;
        }
        let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        if !line.iter().all(fits) {
            break;
        }
        body.base64.extend_from_slice(line);
    }
    (body.base64.len() >= BODY_MIN).then_some(body)
}

/// Lines that end with a line feed, or with one that is written as `\n`.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.iter().position(|byte| matches!(byte, b'\n' | b'\\'));
        let Some(end) = end else {
            rest = None;
            return Some(text);
        };
        let (line, behind) = text.split_at_checked(end)?;
        let behind = behind
            .strip_prefix(b"\\r\\n")
            .or_else(|| behind.strip_prefix(b"\\n"))
            .or_else(|| behind.get(1..));
        rest = behind;
        Some(line)
    })
}

fn is_encrypted(label: &[u8], body: &Body) -> bool {
    match label {
        b"OPENSSH PRIVATE KEY" => !body.base64.starts_with(OPEN_SSH),
        // What a block of OpenPGP holds is not looked into; it is told as the graver of both.
        b"PGP PRIVATE KEY BLOCK" => false,
        _ => label.windows(9).any(|word| word == b"ENCRYPTED") || contains(&body.headers, b"ENCRYPTED"),
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Whether PuTTY's key is encrypted; `None` if there is none behind its header.
fn putty(rest: &[u8]) -> Option<bool> {
    contains(rest, b"\nPrivate-Lines: ").then(|| !contains(rest, b"Encryption: none"))
}
