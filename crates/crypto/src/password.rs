//! Passwords of people, kept only as what Argon2id makes of them (RFC 9106).
//!
//! Invariant: a password leaves here only as its hash; what a hash from outside may cost to verify is bounded, and comparison takes
//! the same time wherever the difference lies.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use crate::{Error, Randomness, Result, Secret, digest, random};

/// Bytes of the salt (RFC 9106, section 3.1).
const SALT: usize = 16;
/// Bytes of the hash.
const HASH: usize = 32;
/// What one guess costs: 19 MiB filled twice in one lane, the least that OWASP's "Password Storage Cheat Sheet" recommends, so that a
/// server with many sign-ins stays within its memory.
const COST: Cost = Cost {
    memory_kib: 19 * 1024,
    passes: 2,
};
/// The most that a stored hash may ask for.
const COST_MAX: Cost = Cost {
    memory_kib: 64 * 1024,
    passes: 4,
};

#[derive(Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
}

/// What is kept of a password: `$argon2id$v=19$m=…,t=…,p=1$salt$hash`, in Base64 without padding.
///
/// # Errors
/// [`Error::Randomness`]; [`Error::PassphraseDerivation`] when memory is short.
pub fn hash(source: &dyn Randomness, password: &Secret) -> Result<String> {
    let salt: [u8; SALT] = random::array(source)?;
    let hash = derive(password, &salt, COST)?;
    Ok(format!(
        "$argon2id$v=19$m={},t={},p=1${}${}",
        COST.memory_kib,
        COST.passes,
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash.as_ref())
    ))
}

/// Whether `password` is the one that `kept` was made of. Text that is no hash of ours belongs to no password.
///
/// # Errors
/// [`Error::PassphraseDerivation`] when memory is short.
pub fn verify(kept: &str, password: &Secret) -> Result<bool> {
    let Some((cost, salt, expected)) = read(kept) else {
        return Ok(false);
    };
    let hash = derive(password, &salt, cost)?;
    Ok(digest::equal(hash.as_ref(), &expected))
}

fn derive(password: &Secret, salt: &[u8], cost: Cost) -> Result<Zeroizing<[u8; HASH]>> {
    let refused = |reason| Error::PassphraseDerivation { reason };
    let params = Params::new(cost.memory_kib, cost.passes, 1, Some(HASH)).map_err(refused)?;
    let mut hash = Zeroizing::new([0; HASH]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.expose(), salt, hash.as_mut())
        .map_err(refused)?;
    Ok(hash)
}

/// The parts of a kept hash, if they are of the form that `hash` writes and cost no more than is allowed.
fn read(kept: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let mut parts = kept.strip_prefix("$argon2id$v=19$")?.split('$');
    let (cost, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let mut numbers = cost.split(',');
    let mut number = |name: &str| numbers.next()?.strip_prefix(name)?.parse::<u32>().ok();
    let cost = Cost {
        memory_kib: number("m=")?,
        passes: number("t=")?,
    };
    if number("p=")? != 1 || cost.memory_kib > COST_MAX.memory_kib || cost.passes > COST_MAX.passes {
        return None;
    }
    let salt = STANDARD_NO_PAD
        .decode(salt)
        .ok()
        .filter(|salt| salt.len() == SALT)?;
    let hash = STANDARD_NO_PAD
        .decode(hash)
        .ok()
        .filter(|hash| hash.len() == HASH)?;
    Some((cost, salt, hash))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemRandomness;

    #[test]
    fn a_hash_belongs_to_its_password_alone_and_does_not_hold_it() {
        let password = Secret::from("correct horse");
        let kept = hash(&SystemRandomness, &password).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(!kept.contains("correct") && !kept.contains("horse"));
        assert!(verify(&kept, &password).unwrap());
        assert!(!verify(&kept, &Secret::from("correct horsf")).unwrap());
        assert_ne!(
            kept,
            hash(&SystemRandomness, &password).unwrap(),
            "the salt is new each time"
        );
    }

    /// The function itself is pinned by a known answer beside the seal's header.
    #[test]
    fn the_parts_of_a_hash_are_read_back() {
        let salt = b"somesaltsomesalt";
        let cost = Cost {
            memory_kib: 64,
            passes: 3,
        };
        let expected = derive(&Secret::from("password"), salt, cost).unwrap();
        let kept = format!(
            "$argon2id$v=19$m=64,t=3,p=1${}${}",
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(expected.as_ref())
        );
        assert!(verify(&kept, &Secret::from("password")).unwrap());
        assert!(!verify(&kept, &Secret::from("Password")).unwrap());
    }

    #[test]
    fn what_is_no_hash_of_ours_or_costs_too_much_belongs_to_no_password() {
        let password = Secret::from("password");
        let (salt, sum) = (
            STANDARD_NO_PAD.encode([1; SALT]),
            STANDARD_NO_PAD.encode([2; HASH]),
        );
        let wrong = [
            String::new(),
            "password".to_owned(),
            format!("$argon2i$v=19$m=64,t=1,p=1${salt}${sum}"),
            format!("$argon2id$v=16$m=64,t=1,p=1${salt}${sum}"),
            format!("$argon2id$v=19$m=4294967295,t=1,p=1${salt}${sum}"),
            format!("$argon2id$v=19$m=64,t=4294967295,p=1${salt}${sum}"),
            format!("$argon2id$v=19$m=64,t=1,p=9${salt}${sum}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}$"),
            format!("$argon2id$v=19$m=64,t=1,p=1$*${sum}"),
            format!("$argon2id$v=19$m=64,t=1,p=1${salt}${sum}$more"),
        ];
        for kept in wrong {
            assert!(!verify(&kept, &password).unwrap(), "{kept}");
        }
    }
}
