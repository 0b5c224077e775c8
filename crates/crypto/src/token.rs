//! Opaque tokens: session tokens, encoded authorization messages, pagination markers. Encrypted, authenticated, bound to a purpose.
//!
//! Invariant: a token opens only under the seal that issued it and for the purpose that it was issued for. Expiry and the like stand in
//! the payload and are the issuer's business.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::cipher::{self, KEY, TAG};
use crate::{Error, Result, Seal, Secret};

/// The greatest payload of a token in bytes: session policies and tags fit, and the token still fits into a header.
pub const PAYLOAD_MOST: usize = 16 * 1024;

/// The first bytes, the last one being the version: in Base64 every token begins with `IQoJcndrA`, like the session tokens that clients
/// are used to.
const PREFIX: [u8; 7] = [0x21, 0x0a, 0x09, b'r', b'w', b'k', 1];
const NONCE: usize = 24;
const TEXT_MOST: usize = (PREFIX.len() + NONCE + PAYLOAD_MOST + TAG).div_ceil(3) * 4;
const LABEL: &str = "ringwork/token/1";

/// A key for the tokens of one purpose.
pub struct TokenKey(Zeroizing<[u8; KEY]>);

impl TokenKey {
    /// Derives the key of a purpose from the seal; tokens thus survive a restart as the seal does.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn derive(seal: &Seal, purpose: &str) -> Result<Self> {
        let seed = seal.derive("token")?;
        cipher::derive_key(seed.expose(), LABEL, purpose.as_bytes()).map(Self)
    }

    /// Makes a token of letters, digits, `-` and `_`. Equal payloads give different tokens.
    ///
    /// # Errors
    /// [`Error::TokenTooLong`], [`Error::Randomness`].
    pub fn issue(&self, payload: &[u8]) -> Result<String> {
        if payload.len() > PAYLOAD_MOST {
            return Err(Error::TokenTooLong {
                limit: PAYLOAD_MOST,
                given: payload.len(),
            });
        }
        let mut bytes = Vec::with_capacity(PREFIX.len() + NONCE + payload.len() + TAG);
        bytes.extend_from_slice(&PREFIX);
        cipher::encrypt::<NONCE>(self.0.as_ref(), LABEL, &PREFIX, payload, &mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The payload of a token.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`], whatever the cause.
    pub fn open(&self, token: &str) -> Result<Secret> {
        self.read(token).ok_or(Error::TokenInvalid)
    }

    fn read(&self, token: &str) -> Option<Secret> {
        // Bounded before anything is allocated: the text comes from callers who have proven nothing yet.
        if token.len() > TEXT_MOST {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let body = bytes.strip_prefix(&PREFIX)?;
        cipher::decrypt::<NONCE>(self.0.as_ref(), LABEL, &PREFIX, body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token_key(purpose: &str) -> TokenKey {
        TokenKey::derive(&Seal::ephemeral().unwrap(), purpose).unwrap()
    }

    #[test]
    fn a_token_opens_only_for_its_purpose_and_under_its_seal() {
        let seal = Seal::ephemeral().unwrap();
        let session = TokenKey::derive(&seal, "session").unwrap();
        let token = session.issue(b"payload").unwrap();
        assert!(
            TokenKey::derive(&seal, "session")
                .unwrap()
                .open(&token)
                .unwrap()
                .matches(b"payload")
        );
        assert!(matches!(
            TokenKey::derive(&seal, "page").unwrap().open(&token),
            Err(Error::TokenInvalid)
        ));
        assert!(matches!(
            token_key("session").open(&token),
            Err(Error::TokenInvalid)
        ));
    }

    #[test]
    fn tokens_look_opaque_and_differ() {
        let key = token_key("session");
        let token = key.issue(b"payload").unwrap();
        assert!(token.starts_with("IQoJcndrA"), "{token}");
        assert!(
            token
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
        );
        assert_ne!(token, key.issue(b"payload").unwrap());
    }

    #[test]
    fn every_altered_missing_or_added_character_is_noticed() {
        let key = token_key("session");
        let token = key.issue(b"some payload").unwrap();
        for place in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert!(
                matches!(key.open(&altered), Err(Error::TokenInvalid)),
                "character {place}"
            );
            assert!(key.open(token.get(..place).unwrap()).is_err(), "length {place}");
        }
        for wrong in [
            format!("{token}A"),
            format!("{token}="),
            format!(" {token}"),
            token.to_lowercase(),
        ] {
            assert!(key.open(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn payloads_and_tokens_are_bounded() {
        let key = token_key("session");
        let token = key.issue(&vec![1; PAYLOAD_MOST]).unwrap();
        assert!(token.len() <= TEXT_MOST);
        assert_eq!(key.open(&token).unwrap().len(), PAYLOAD_MOST);
        assert!(matches!(
            key.issue(&vec![1; PAYLOAD_MOST + 1]),
            Err(Error::TokenTooLong { .. })
        ));
        assert!(key.open(&"A".repeat(TEXT_MOST + 1)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_issued_opens(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let key = token_key("any");
            prop_assert!(key.open(&key.issue(&payload).unwrap()).unwrap().matches(&payload));
        }

        #[test]
        fn arbitrary_text_never_opens_nor_panics(text in ".*", tail in proptest::collection::vec(any::<u8>(), 0..100)) {
            let key = token_key("any");
            prop_assert!(key.open(&text).is_err());
            prop_assert!(key.open(&URL_SAFE_NO_PAD.encode([&PREFIX[..], &tail].concat())).is_err());
        }
    }
}
