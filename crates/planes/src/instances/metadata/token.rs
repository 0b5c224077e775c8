//! Tokens of IMDSv2: what they prove is in them, so that they take no memory however many are asked for.
//!
//! Invariant: a token is good for the run of the instance that made it, until the second that it was made for.

use std::time::Duration;

use crypto::{SystemRandomness, digest, random};
use tokio::time::Instant;

/// Bytes of a token: when it ends, something random, the proof.
const END: usize = 8;
const NONCE: usize = 8;

pub(super) struct Tokens {
    key: [u8; 32],
    began: Instant,
}

impl Tokens {
    pub(super) fn new() -> crypto::Result<Self> {
        Ok(Self {
            key: random::array(&SystemRandomness)?,
            began: Instant::now(),
        })
    }

    /// A token for so many seconds.
    pub(super) fn make(&self, seconds: u64) -> String {
        let end = self.began.elapsed().saturating_add(Duration::from_secs(seconds));
        let end = u64::try_from(end.as_millis()).unwrap_or(u64::MAX);
        // Two that end alike need not differ; they prove the same.
        let nonce: [u8; NONCE] = random::array(&SystemRandomness).unwrap_or_default();
        let mut token = end.to_be_bytes().to_vec();
        token.extend(nonce);
        token.extend(digest::hmac_sha256(&self.key, &token));
        format!("AQAE{}", digest::hex(&token))
    }

    pub(super) fn prove(&self, token: &[u8]) -> bool {
        let bytes = std::str::from_utf8(token)
            .ok()
            .and_then(|token| digest::unhex(token.strip_prefix("AQAE")?));
        let Some(bytes) = bytes else { return false };
        let Some((told, proof)) = bytes.split_at_checked(END + NONCE) else {
            return false;
        };
        let end = told.first_chunk::<END>().map(|end| u64::from_be_bytes(*end));
        let good = digest::equal(&digest::hmac_sha256(&self.key, told), proof);
        good && end.is_some_and(|end| u128::from(end) > self.began.elapsed().as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_good_for_its_time_and_its_instance() {
        let (tokens, others) = (Tokens::new().unwrap(), Tokens::new().unwrap());
        let token = tokens.make(60);
        assert_ne!(token, tokens.make(60));
        assert!(tokens.prove(token.as_bytes()));
        assert!(!others.prove(token.as_bytes()));
        let mut longer = token.clone().into_bytes();
        longer[5] = if longer[5] == b'1' { b'2' } else { b'1' };
        assert!(!tokens.prove(&longer));
        for wrong in ["", "AQAE", "AQAE00", "x"] {
            assert!(!tokens.prove(wrong.as_bytes()), "{wrong}");
        }
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(tokens.prove(token.as_bytes()));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!tokens.prove(token.as_bytes()));
    }
}
