//! Version ids: 32 characters that nobody can guess, and that tell us where in its key's history a version stands.
//!
//! Invariant: an id leads to one place only; whether the version that stands there bears this id must still be compared.

use crypto::Randomness;
use pipeline::Result;
use wire::Fault;

/// The characters of a version id; their places are the digits of its number.
const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
/// Random characters of an id: 126 bits.
const RANDOM: usize = 21;
/// Characters of the number: 66 bits.
const DIGITS: usize = 11;
/// The id of a version that was written while versioning was off or suspended.
pub(crate) const NULL: &str = "null";

/// A new id for the version of a number.
pub(crate) fn issue(source: &dyn Randomness, sequence: u64) -> Result<String> {
    let random = crypto::random::text(source, ALPHABET, RANDOM).map_err(Fault::internal)?;
    let mut id = random.expose_text().map_err(Fault::internal)?.to_owned();
    let mut rest = sequence ^ mask(&id);
    for _ in 0..DIGITS {
        let digit = usize::try_from(rest & 63).unwrap_or_default();
        id.push(char::from(
            ALPHABET.as_bytes().get(digit).copied().unwrap_or(b'A'),
        ));
        rest >>= 6;
    }
    Ok(id)
}

/// The number of the version that an id was made for; `None` if it is not one of ours.
pub(crate) fn sequence(id: &str) -> Option<u64> {
    let (random, digits) = id.split_at_checked(RANDOM)?;
    if digits.len() != DIGITS {
        return None;
    }
    let mut number = 0_u128;
    for digit in digits.chars().rev() {
        number = number << 6 | u128::try_from(ALPHABET.find(digit)?).ok()?;
    }
    Some(u64::try_from(number).ok()? ^ mask(random))
}

/// Hides the number, so that ids of successive versions share nothing.
fn mask(random: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = crypto::digest::sha256(random.as_bytes());
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use crypto::SystemRandomness;

    use super::*;

    #[test]
    fn an_id_leads_back_to_its_number_and_shows_nothing_of_it() {
        for number in [0, 1, 1_795_305_600_000, u64::MAX] {
            let id = issue(&SystemRandomness, number).ok().unwrap();
            assert_eq!(id.len(), 32);
            assert_eq!(sequence(&id), Some(number), "{id}");
        }
        let (one, two) = (
            issue(&SystemRandomness, 7).ok().unwrap(),
            issue(&SystemRandomness, 7).ok().unwrap(),
        );
        assert_ne!(one.get(RANDOM..), two.get(RANDOM..));
    }

    #[test]
    fn foreign_ids_lead_nowhere() {
        for id in ["", NULL, "ä", &"-".repeat(32), &"A".repeat(31), &"9".repeat(33)] {
            assert_eq!(sequence(id), None, "{id}");
        }
    }
}
