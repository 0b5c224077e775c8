//! Percent-encoding and form pairs.
//!
//! Invariant: decoded text is UTF-8; a broken escape is a malformed request, not a guess.

use crate::Fault;

use super::malformed;

/// Decodes `%XX`; with `plus`, `+` is a space (forms and query strings, not paths).
pub(super) fn decode(text: &str, plus: bool) -> Result<String, Fault> {
    if !text.bytes().any(|byte| byte == b'%' || (plus && byte == b'+')) {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(nibble);
                let low = bytes.next().and_then(nibble);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(malformed("The request holds a broken percent-encoding"));
                };
                out.push(high << 4 | low);
            }
            b'+' if plus => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).map_err(|_| malformed("The request holds text that is not UTF-8"))
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The pairs of a query string or form, decoded, in their order. Pairs without a name are dropped.
pub(super) fn pairs(text: &str, into: &mut Vec<(String, String)>) -> Result<(), Fault> {
    for pair in text.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !key.is_empty() {
            into.push((decode(key, true)?, decode(value, true)?));
        }
    }
    Ok(())
}
