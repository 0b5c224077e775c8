//! Whether a text looks as if it had been drawn at random, or stands for a secret that is not there.
//!
//! Invariant: what documents use as an example is never taken for a secret.

/// Bits of each byte of a text, by the bytes' own frequencies.
pub(super) fn bits(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = u32::try_from(text.len()).map_or(f64::from(u32::MAX), f64::from);
    let of = |count: &u32| {
        let share = f64::from(*count) / total;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(of).sum()
}

/// Whether 40 characters of Base64 may be a secret access key: mixed, and not the hash of something in hexadecimal digits.
pub(super) fn is_secret_access_key(text: &[u8]) -> bool {
    let has = |fits: fn(&u8) -> bool| text.iter().any(fits);
    has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_digit)
        && !text.iter().all(u8::is_ascii_hexdigit)
        && !is_example(text)
        && bits(text) >= 4.0
}

/// Whether a text is marked as an example, as AWS's documents mark theirs (`AKIAIOSFODNN7EXAMPLE`).
pub(super) fn is_example(text: &[u8]) -> bool {
    let upper = text.to_ascii_uppercase();
    [
        b"EXAMPLE".as_slice(),
        b"XXXXXX",
        b"SAMPLE",
        b"DUMMY",
        b"PLACEHOLDER",
        b"CHANGEME",
    ]
    .iter()
    .any(|word| upper.windows(word.len()).any(|window| window == *word))
}

/// Whether a value stands for a password that is filled in elsewhere, or is one that nobody takes for a secret.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 17] = [
        b"password",
        b"passwd",
        b"pass",
        b"secret",
        b"token",
        b"none",
        b"null",
        b"true",
        b"false",
        b"undefined",
        b"changeme",
        b"user",
        b"username",
        b"pwd",
        b"xxx",
        b"prompt",
        b"disabled",
    ];
    let named = WORDS.iter().any(|word| value.eq_ignore_ascii_case(word));
    let filled = value.iter().any(|byte| b"$<>{}%*`(".contains(byte));
    let same = value
        .windows(2)
        .all(|pair| matches!(pair, [one, other] if one == other));
    named || filled || same || is_example(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_that_of_the_frequencies() {
        assert!(bits(b"aaaaaaaa").abs() < 1e-9);
        assert!((bits(b"abcdabcd") - 2.0).abs() < 1e-9);
    }

    #[test]
    fn secret_access_keys_are_mixed() {
        assert!(is_secret_access_key(b"kX9v/Qm2Lw7+TzR4uYbN1sJd8eFhG5aPc3oWiK6t"));
        assert!(!is_secret_access_key(b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"));
        assert!(!is_secret_access_key(b"da39a3ee5e6b4b0d3255bfef95601890afd80709"));
        assert!(!is_secret_access_key(b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAa1/"));
    }

    #[test]
    fn placeholders_are_no_secrets() {
        for value in [
            "password",
            "$DB_PASSWORD",
            "<secret>",
            "${TOKEN}",
            "********",
            "changeme",
            "%s",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        assert!(!is_placeholder(b"correct-horse-battery"));
    }
}
