//! The keys that an account's tokens are signed with, for outside parties to verify.
//!
//! Invariant: the private key leaves as [`Secret`] only, to be sealed.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};

use crate::certificate::{Curve, PublicKey};
use crate::{Error, Result, Secret};

/// A key pair of an issuer of tokens.
pub enum IssuerKey {
    /// RSA of 2048 bits, signing with SHA-256 (RS256).
    Rs256(Box<RsaKeyPair>),
    /// ECDSA on P-384, signing with SHA-384 (ES384).
    Es384(Box<EcdsaKeyPair>),
}

fn refused<E>(attempt: &'static str) -> impl Fn(E) -> Error {
    move |_| Error::Library { attempt }
}

impl IssuerKey {
    /// Makes a pair for RS256.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn rs256() -> Result<Self> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused("make an RSA key"))?;
        Ok(Self::Rs256(Box::new(pair)))
    }

    /// Makes a pair for ES384.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn es384() -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map_err(refused("make an elliptic curve key"))?;
        Ok(Self::Es384(Box::new(pair)))
    }

    /// Takes back what [`secret`](Self::secret) gave of an RS256 pair.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn rs256_from(secret: &Secret) -> Result<Self> {
        let pair = RsaKeyPair::from_pkcs8(secret.expose()).map_err(refused("read an RSA key"))?;
        Ok(Self::Rs256(Box::new(pair)))
    }

    /// Takes back what [`secret`](Self::secret) gave of an ES384 pair.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn es384_from(secret: &Secret) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, secret.expose())
            .map_err(refused("read an elliptic curve key"))?;
        Ok(Self::Es384(Box::new(pair)))
    }

    /// The pair in PKCS #8, to be sealed.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn secret(&self) -> Result<Secret> {
        let bytes = match self {
            Self::Rs256(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair.as_ref())
                .map_err(refused("write an RSA key"))?
                .as_ref()
                .to_vec(),
            Self::Es384(pair) => pair
                .to_pkcs8v1()
                .map_err(refused("write an elliptic curve key"))?
                .as_ref()
                .to_vec(),
        };
        Ok(Secret::new(bytes))
    }

    /// Signs a message; ECDSA gives `r` and `s` side by side, as JWS has them.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(refused("sign with RSA"))?;
                Ok(signature)
            }
            Self::Es384(pair) => pair
                .sign(&random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(refused("sign with an elliptic curve key")),
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> Option<PublicKey> {
        match self {
            Self::Rs256(pair) => PublicKey::from_rsa_der(pair.public_key().as_ref()),
            Self::Es384(pair) => {
                let (_, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                PublicKey::from_point(Curve::P384, x, y)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::SignatureScheme;

    #[test]
    fn pairs_sign_also_after_they_were_kept() {
        let rsa = IssuerKey::rs256().unwrap();
        let ec = IssuerKey::es384().unwrap();
        let kept = [
            (IssuerKey::rs256_from(&rsa.secret().unwrap()).unwrap(), rsa),
            (IssuerKey::es384_from(&ec.secret().unwrap()).unwrap(), ec),
        ];
        for (back, made) in kept {
            let scheme = match made {
                IssuerKey::Rs256(_) => SignatureScheme::RsaPkcs1Sha256,
                IssuerKey::Es384(_) => SignatureScheme::EcdsaSha384,
            };
            let signature = back.sign(b"message").unwrap();
            assert!(made.public().unwrap().verifies(scheme, b"message", &signature));
            assert!(!made.public().unwrap().verifies(scheme, b"massage", &signature));
            assert_eq!(made.public(), back.public());
        }
        assert!(IssuerKey::rs256_from(&Secret::new(vec![1; 40])).is_err());
    }
}
