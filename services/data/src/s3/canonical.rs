//! Canonical user ids: the names that access control lists have for accounts.
//!
//! An id is made of the account's number, so that it needs no table, and back: its tail is a digest of the number, its head the number
//! under a mask that the tail gives. Invariant: an id that no account has leads to none.

/// Bytes of an id's head, which hold twelve decimal digits.
const HEAD: usize = 5;
const DOMAIN: &str = "ringwork canonical user ";

/// The id of an account (twelve digits): 64 hexadecimal digits.
pub fn id_of(account: &str) -> String {
    let digest = crypto::digest::sha256(format!("{DOMAIN}{account}").as_bytes());
    let (_, tail) = digest.split_at(HEAD);
    let number: u64 = account.parse().unwrap_or(0);
    let [_, _, _, number @ ..] = number.to_be_bytes();
    let mask = crypto::digest::sha256(tail);
    let head = number.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
    head.chain(tail.iter().copied())
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The account whose id it is; `None` if no account could have it.
pub fn account_of(id: &str) -> Option<String> {
    if id.len() != 64 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let bytes: Vec<u8> = id
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(pair, 16).unwrap_or_default()
        })
        .collect();
    let (head, tail) = bytes.split_at_checked(HEAD)?;
    let mask = crypto::digest::sha256(tail);
    let number = head
        .iter()
        .zip(mask)
        .fold(0_u64, |number, (byte, mask)| number << 8 | u64::from(byte ^ mask));
    let account = format!("{number:012}");
    (id_of(&account) == id.to_ascii_lowercase()).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_account_and_no_other_text_does() {
        for account in ["111122223333", "000000000000", "999999999999", "000000000042"] {
            let id = id_of(account);
            assert_eq!(id.len(), 64);
            assert_eq!(account_of(&id).as_deref(), Some(account));
            let other = id.replace(['0', '1'], "2");
            assert_eq!(account_of(&other), None);
        }
        assert_eq!(account_of("x"), None);
        assert_eq!(account_of(&"0".repeat(64)), None);
    }
}
