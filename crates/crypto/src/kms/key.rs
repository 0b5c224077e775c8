//! The names of keys and of key material, as they stand in ciphertexts.

use std::fmt;

use crate::octets::Octets;
use crate::{Error, Result, digest, random};

/// Bytes of an encoded reference: account, kind, id.
pub(super) const REFERENCE: usize = 8 + 1 + 16;

/// A KMS key: its account, and its id without a region, since the replicas of a multi-Region key share material and ciphertexts (KMS
/// Developer Guide, "Multi-Region keys in AWS KMS").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyReference {
    account: u64,
    id: Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Id {
    Single(u128),
    MultiRegion(u128),
}

impl KeyReference {
    /// Names a key by its account (twelve digits) and its id: a lower-case UUID, or `mrk-` and 32 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::Account`], [`Error::KeyId`].
    pub fn new(account: &str, key_id: &str) -> Result<Self> {
        let digits = account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit());
        let account = account.parse().ok().filter(|_| digits).ok_or(Error::Account)?;
        Ok(Self {
            account,
            id: Id::parse(key_id).ok_or(Error::KeyId)?,
        })
    }

    /// Whether a text is the id of a key, as [`KeyReference::new`] takes it. Only lower case, so that every key has one spelling.
    #[must_use]
    pub fn is_key_id(text: &str) -> bool {
        let digit = |letter: u8| matches!(letter, b'0'..=b'9' | b'a'..=b'f');
        match text.strip_prefix("mrk-") {
            Some(digits) => digits.len() == 32 && digits.bytes().all(digit),
            None => {
                let in_place = |(place, letter)| match place {
                    8 | 13 | 18 | 23 => letter == b'-',
                    _ => digit(letter),
                };
                text.len() == 36 && text.bytes().enumerate().all(in_place)
            }
        }
    }

    /// The account, twelve digits.
    #[must_use]
    pub fn account(&self) -> String {
        format!("{:012}", self.account)
    }

    /// The id of the key: a UUID, or `mrk-` and 32 hexadecimal digits.
    #[must_use]
    pub fn key_id(&self) -> String {
        match self.id {
            Id::Single(id) => random::uuid_text(&id.to_be_bytes()),
            Id::MultiRegion(id) => format!("mrk-{id:032x}"),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; REFERENCE] {
        let (kind, id) = match self.id {
            Id::Single(id) => (0, id),
            Id::MultiRegion(id) => (1, id),
        };
        let mut bytes = [0; REFERENCE];
        let encoded = self
            .account
            .to_be_bytes()
            .into_iter()
            .chain([kind])
            .chain(id.to_be_bytes());
        bytes.iter_mut().zip(encoded).for_each(|(to, from)| *to = from);
        bytes
    }

    pub(super) fn read(octets: &mut Octets<'_>) -> Option<Self> {
        let account = octets.u64().filter(|account| *account < 1_000_000_000_000)?;
        let kind = octets.u8()?;
        let id = u128::from_be_bytes(octets.array()?);
        let id = match kind {
            0 => Id::Single(id),
            1 => Id::MultiRegion(id),
            _ => return None,
        };
        Some(Self { account, id })
    }
}

impl Id {
    fn parse(text: &str) -> Option<Self> {
        if !KeyReference::is_key_id(text) {
            return None;
        }
        Some(match text.strip_prefix("mrk-") {
            Some(digits) => Self::MultiRegion(number(digits)),
            None => Self::Single(number(text)),
        })
    }
}

/// The number that hexadecimal digits say; hyphens say nothing.
fn number(text: &str) -> u128 {
    let digits = text.chars().filter_map(|digit| digit.to_digit(16));
    digits.fold(0, |number, digit| number << 4 | u128::from(digit))
}

/// The id of key material: 64 lower-case hexadecimal digits (KMS API Reference, `KeyMaterialId`). It follows from the bytes and the
/// key, so that material which is imported again gets its id again, and it reveals nothing of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MaterialId(pub(super) [u8; 32]);

impl MaterialId {
    /// Reads 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// [`Error::MaterialId`].
    pub fn parse(text: &str) -> Result<Self> {
        let lower = !text.bytes().any(|letter| letter.is_ascii_uppercase());
        let bytes = digest::unhex(text)
            .filter(|_| lower)
            .and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Error::MaterialId)
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> String {
        digest::hex(&self.0)
    }
}

impl fmt::Display for MaterialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_both_kinds_are_read_and_shown_alike() {
        for id in [
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "mrk-1234abcd12ab34cd56ef1234567890ab",
            "00000000-0000-0000-0000-000000000000",
        ] {
            let key = KeyReference::new("000000000042", id).unwrap();
            assert_eq!(
                (key.account().as_str(), key.key_id().as_str()),
                ("000000000042", id)
            );
            assert_eq!(KeyReference::read(&mut Octets::new(&key.to_bytes())), Some(key));
            assert!(KeyReference::is_key_id(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for id in [
            "",
            "alias/a",
            "mrk-1234",
            "1234ABCD-12ab-34cd-56ef-1234567890ab",
            "1234abcd12ab34cd56ef1234567890ab",
            "+234abcd-12ab-34cd-56ef-1234567890ab",
            "1234abcd-12ab-34cd-56ef-1234567890ab-",
            "é34abcd-12ab-34cd-56ef-1234567890ab",
        ] {
            assert!(
                matches!(KeyReference::new("111122223333", id), Err(Error::KeyId)),
                "{id}"
            );
            assert!(!KeyReference::is_key_id(id), "{id}");
        }
        for account in ["", "11112222333", "1111222233334", "11112222333x", "+11122223333"] {
            let key = KeyReference::new(account, "1234abcd-12ab-34cd-56ef-1234567890ab");
            assert!(matches!(key, Err(Error::Account)), "{account}");
        }
    }

    #[test]
    fn material_ids_are_sixty_four_lower_case_digits() {
        let text = "0f".repeat(32);
        assert_eq!(MaterialId::parse(&text).unwrap().to_string(), text);
        for wrong in [
            &"0f".repeat(31),
            &text.to_uppercase(),
            &format!("{text}00"),
            "",
            "xyz",
        ] {
            assert!(MaterialId::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_is_read_or_refused_without_a_panic(account in ".*", id in ".*") {
            let _ = KeyReference::new(&account, &id);
            let _ = MaterialId::parse(&id);
        }
    }
}
