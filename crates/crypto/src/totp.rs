//! One-time passwords by time, as authenticator apps make them (RFC 6238 over RFC 4226, HMAC-SHA-1, six digits, steps of 30 seconds).
//!
//! Invariant: codes are compared in constant time, and every candidate is computed whichever fits.

use crate::{Secret, digest};

/// Seconds of a step (RFC 6238, section 4).
pub const STEP_SECONDS: i64 = 30;

/// The step that a Unix time in seconds lies in.
#[must_use]
pub const fn step(seconds: i64) -> i64 {
    seconds.div_euclid(STEP_SECONDS)
}

/// The six digits of a step.
#[must_use]
pub fn code(seed: &Secret, step: i64) -> String {
    format!("{:06}", truncated(seed, step) % 1_000_000)
}

/// The first of `steps` whose code is `given`.
#[must_use]
pub fn matching(seed: &Secret, given: &str, steps: impl IntoIterator<Item = i64>) -> Option<i64> {
    let mut found = None;
    for step in steps {
        let equal = digest::equal(code(seed, step).as_bytes(), given.as_bytes());
        if equal && found.is_none() {
            found = Some(step);
        }
    }
    found
}

/// RFC 4226, section 5.3: the last four bits say which 31 bits of the digest count.
fn truncated(seed: &Secret, step: i64) -> u32 {
    let digest = digest::hmac_sha1(seed.expose(), &step.to_be_bytes());
    let offset = digest.last().map_or(0, |last| usize::from(last & 15));
    let chosen = digest.iter().skip(offset).take(4);
    chosen.fold(0_u32, |number, byte| (number << 8) | u32::from(*byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S5.3. RFC 6238, appendix B, the column of SHA1, whose eight digits end in our six.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let seed = Secret::from("12345678901234567890");
        let vectors = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (seconds, eight) in vectors {
            assert_eq!(code(&seed, step(seconds)), eight.split_at(2).1, "at {seconds}");
            assert_eq!(
                truncated(&seed, step(seconds)) % 100_000_000,
                eight.parse::<u32>().unwrap()
            );
        }
    }

    /// RFC 4226, appendix D: counters from 0 on.
    #[test]
    fn codes_are_those_of_the_counter_rfc() {
        let seed = Secret::from("12345678901234567890");
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (counter, expected) in (0..).zip(expected) {
            assert_eq!(code(&seed, counter), expected);
        }
    }

    #[test]
    fn a_code_is_found_in_the_steps_that_are_asked_for_and_in_no_others() {
        let seed = Secret::from("12345678901234567890");
        let given = code(&seed, 100);
        assert_eq!(matching(&seed, &given, 99..=101), Some(100));
        assert_eq!(matching(&seed, &given, 101..=103), None);
        for wrong in ["", "1", "0000000", "abcdef"] {
            assert_eq!(matching(&seed, wrong, 0..=200), None, "{wrong}");
        }
    }

    #[test]
    fn steps_begin_at_the_epoch() {
        assert_eq!(
            (step(0), step(29), step(30), step(59), step(-1)),
            (0, 0, 1, 1, -1)
        );
    }
}
