//! Which account an access key belongs to.
//!
//! The id of a temporary key carries the account: 40 bits of it stand in the first ten of the sixteen characters, as in AWS's own key
//! ids, so that no session has to be kept to tell.

use api::sts as model;
use crypto::Randomness;
use pipeline::{Access, AccountScope, Authorized, Call, Found, Look, Operation, Result};
use wire::Fault;

use crate::iam::access_key::ACCESS_KEYS;

const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bits right of the account in the eighty of an id.
const ACCOUNT_SHIFT: u32 = 39;
const ACCOUNT_BITS: u128 = (1 << 40) - 1;

/// A new key id of temporary credentials: `ASIA` and sixteen characters, of which 40 bits are random.
pub(crate) fn temporary_id(random: &dyn Randomness, account: &str) -> Result<String> {
    let drawn = u128::from(u64::from_be_bytes(
        crypto::random::array(random).map_err(Fault::internal)?,
    ));
    let account: u128 = account.parse().map_err(Fault::internal)?;
    // The first bit is always set: its letter is of the second half of the alphabet, as in AWS's.
    let bits = 1 << 79 | (account & ACCOUNT_BITS) << ACCOUNT_SHIFT | drawn & ((1 << ACCOUNT_SHIFT) - 1);
    let letters = (0..16).rev().map(|place| {
        let index = usize::try_from(bits >> (place * 5) & 31).unwrap_or(0);
        char::from(LETTERS.get(index).copied().unwrap_or(b'A'))
    });
    Ok("ASIA".chars().chain(letters).collect())
}

/// The account in the id of temporary credentials.
fn account_in(id: &str) -> Option<String> {
    let letters = id.strip_prefix("ASIA").filter(|letters| letters.len() == 16)?;
    let mut bits = 0_u128;
    for letter in letters.bytes() {
        let index = LETTERS.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u128::try_from(index).ok()?;
    }
    let account = bits >> ACCOUNT_SHIFT & ACCOUNT_BITS;
    (account < 1_000_000_000_000).then(|| format!("{account:012}"))
}

/// Tells the account of an access key id, also of another account's.
pub struct GetAccessKeyInfo;

impl Operation for GetAccessKeyInfo {
    type Input = model::GetAccessKeyInfoRequest;
    type Output = model::GetAccessKeyInfoResponse;
    type Target = AccountScope;
    const ACCESS: Access = Access::read("sts:GetAccessKeyInfo");

    fn target(look: &mut Look<'_>, _input: &Self::Input) -> Result<Found<AccountScope>> {
        Ok(AccountScope::of(look))
    }

    fn handle(
        call: &mut Call<'_>,
        _scope: Authorized<AccountScope>,
        input: Self::Input,
    ) -> Result<Self::Output> {
        let id = input.access_key_id;
        let long_term = call.get(&ACCESS_KEYS, &id)?.map(|key| key.account.clone());
        let account = match long_term {
            Some(account) => Some(account),
            None => {
                let directory = call.directory();
                let carried = account_in(&id);
                let exists = match &carried {
                    Some(account) => directory.account_exists(call, account)?,
                    None => false,
                };
                carried.filter(|_| exists)
            }
        };
        let unknown = || Fault::validation(format!("Invalid AccessKeyId: {id}"));
        account
            .map(|account| model::GetAccessKeyInfoResponse {
                account: Some(account),
            })
            .ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S3.1, S3.2: twenty characters with AWS's prefix, from which the account can be told.
    #[test]
    fn temporary_ids_carry_their_account() {
        for account in ["000000000000", "111122223333", "999999999999"] {
            let id = temporary_id(&crypto::SystemRandomness, account).ok().unwrap();
            assert!(id.len() == 20 && id.starts_with("ASIA"), "{id}");
            assert_eq!(account_in(&id).as_deref(), Some(account));
            assert_ne!(id, temporary_id(&crypto::SystemRandomness, account).ok().unwrap());
        }
        for foreign in [
            "AKIAIOSFODNN7EXAMPLE",
            "ASIA",
            "ASIA0000000000000000",
            "ASIAéAAAAAAAAAAAAAAA",
        ] {
            assert_eq!(account_in(foreign), None, "{foreign}");
        }
    }
}
