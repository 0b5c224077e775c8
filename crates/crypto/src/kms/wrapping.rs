//! Wrapping keys for material that is imported: an RSA key pair whose public half the owner of the material wraps it under (KMS API
//! Reference, `GetParametersForImport`).
//!
//! Invariant: unwrapping fails in one way, whatever was wrong with the wrapped bytes.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use crate::{Error, Result, Secret};

/// How material is wrapped (KMS Developer Guide, "Select a wrapping algorithm").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WrappingAlgorithm {
    /// `RSAES_OAEP_SHA_1`
    OaepSha1,
    /// `RSAES_OAEP_SHA_256`
    OaepSha256,
    /// `RSA_AES_KEY_WRAP_SHA_1`: a one-time AES key under RSA, and the material under the AES key (RFC 5649).
    AesKeyWrapSha1,
    /// `RSA_AES_KEY_WRAP_SHA_256`
    AesKeyWrapSha256,
}

impl WrappingAlgorithm {
    /// Reads AWS's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "RSAES_OAEP_SHA_1" => Self::OaepSha1,
            "RSAES_OAEP_SHA_256" => Self::OaepSha256,
            "RSA_AES_KEY_WRAP_SHA_1" => Self::AesKeyWrapSha1,
            "RSA_AES_KEY_WRAP_SHA_256" => Self::AesKeyWrapSha256,
            _ => return None,
        })
    }

    const fn oaep(self) -> &'static OaepAlgorithm {
        match self {
            Self::OaepSha1 | Self::AesKeyWrapSha1 => &OAEP_SHA1_MGF1SHA1,
            Self::OaepSha256 | Self::AesKeyWrapSha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}

/// A key pair that material is wrapped for.
pub struct WrappingKey(PrivateDecryptingKey);

impl WrappingKey {
    /// Makes a key pair of a specification by AWS's name: `RSA_2048`, `RSA_3072`, `RSA_4096`. `None` for another name.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn generate(spec: &str) -> Result<Option<Self>> {
        let size = match spec {
            "RSA_2048" => KeySize::Rsa2048,
            "RSA_3072" => KeySize::Rsa3072,
            "RSA_4096" => KeySize::Rsa4096,
            _ => return Ok(None),
        };
        let made = PrivateDecryptingKey::generate(size).map_err(|_| Error::Library {
            attempt: "make a wrapping key",
        })?;
        Ok(Some(Self(made)))
    }

    /// The private half as PKCS #8, to be kept secret.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn private_der(&self) -> Result<Secret> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().map_err(|_| Error::Library {
            attempt: "encode a wrapping key",
        })?;
        Ok(Secret::copy_of(der.as_ref()))
    }

    /// Reads what [`private_der`](Self::private_der) wrote.
    ///
    /// # Errors
    /// [`Error::MaterialMalformed`].
    pub fn from_private_der(der: &Secret) -> Result<Self> {
        PrivateDecryptingKey::from_pkcs8(der.expose())
            .map(Self)
            .map_err(|_| Error::MaterialMalformed)
    }

    /// The public half as `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    /// [`Error::Library`].
    pub fn public_der(&self) -> Result<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| Error::Library {
            attempt: "encode a wrapping key",
        })?;
        Ok(der.as_ref().to_vec())
    }

    /// The material that was wrapped under the public half.
    ///
    /// # Errors
    /// [`Error::CiphertextInvalid`], whatever the cause.
    pub fn unwrap(self, algorithm: WrappingAlgorithm, wrapped: &[u8]) -> Result<Secret> {
        let size = self.0.key_size_bytes();
        let key = OaepPrivateDecryptingKey::new(self.0).map_err(|_| Error::CiphertextInvalid)?;
        let open = |bytes: &[u8]| {
            let mut clear = Zeroizing::new(vec![0; key.min_output_size()]);
            key.decrypt(algorithm.oaep(), bytes, &mut clear, None)
                .map(|opened| Secret::copy_of(opened))
                .map_err(|_| Error::CiphertextInvalid)
        };
        match algorithm {
            WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::OaepSha256 => open(wrapped),
            WrappingAlgorithm::AesKeyWrapSha1 | WrappingAlgorithm::AesKeyWrapSha256 => {
                let (first, rest) = wrapped
                    .split_at_checked(size)
                    .filter(|(_, rest)| !rest.is_empty())
                    .ok_or(Error::CiphertextInvalid)?;
                let kek =
                    AesKek::new(&AES_256, open(first)?.expose()).map_err(|_| Error::CiphertextInvalid)?;
                let mut clear = Zeroizing::new(vec![0; rest.len()]);
                kek.unwrap_with_padding(rest, &mut clear)
                    .map(|opened| Secret::copy_of(opened))
                    .map_err(|_| Error::CiphertextInvalid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};

    use super::*;

    fn wrapped(key: &WrappingKey, algorithm: WrappingAlgorithm, material: &[u8]) -> Vec<u8> {
        let public = PublicEncryptingKey::from_der(&key.public_der().unwrap()).unwrap();
        let public = OaepPublicEncryptingKey::new(public).unwrap();
        let encrypt = |bytes: &[u8]| {
            let mut out = vec![0; public.ciphertext_size()];
            public
                .encrypt(algorithm.oaep(), bytes, &mut out, None)
                .unwrap()
                .to_vec()
        };
        if matches!(
            algorithm,
            WrappingAlgorithm::OaepSha1 | WrappingAlgorithm::OaepSha256
        ) {
            return encrypt(material);
        }
        let mut inner = vec![0; material.len() + 15];
        let kek = AesKek::new(&AES_256, &[7; 32]).unwrap();
        let inner = kek.wrap_with_padding(material, &mut inner).unwrap();
        [encrypt(&[7; 32]), inner.to_vec()].concat()
    }

    /// Project Wycheproof's vectors for AES key wrap with padding (NIST SP 800-38F, RFC 5649), behind a key that RSA wrapped.
    #[test]
    fn key_wrap_is_judged_as_wycheproof_does() {
        use wycheproof::TestResult;
        use wycheproof::keywrap::{TestName, TestSet};
        let own = WrappingKey::generate("RSA_2048").unwrap().unwrap();
        let private = own.private_der().unwrap();
        let (mut valid, mut invalid) = (0, 0);
        let groups = TestSet::load(TestName::AesKeyWrapWithPadding)
            .unwrap()
            .test_groups;
        for test in groups
            .iter()
            .filter(|group| group.key_size == 256)
            .flat_map(|group| &group.tests)
        {
            let head = wrapped(&own, WrappingAlgorithm::OaepSha256, &test.key);
            let blob = [&head[..], &test.ct[..]].concat();
            let key = WrappingKey::from_private_der(&private).unwrap();
            let opened = key.unwrap(WrappingAlgorithm::AesKeyWrapSha256, &blob);
            match test.result {
                TestResult::Valid => {
                    assert!(opened.unwrap().matches(&test.pt), "{}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(matches!(opened, Err(Error::CiphertextInvalid)), "{}", test.tc_id);
                    invalid += 1;
                }
                TestResult::Acceptable => {}
            }
        }
        assert!(valid >= 10 && invalid >= 20, "{valid} and {invalid}");
    }

    #[test]
    fn what_is_wrapped_unwraps_and_nothing_else_does() {
        let key = WrappingKey::generate("RSA_2048").unwrap().unwrap();
        let private = key.private_der().unwrap();
        for name in [
            "RSAES_OAEP_SHA_1",
            "RSAES_OAEP_SHA_256",
            "RSA_AES_KEY_WRAP_SHA_1",
            "RSA_AES_KEY_WRAP_SHA_256",
        ] {
            let algorithm = WrappingAlgorithm::from_name(name).unwrap();
            let blob = wrapped(&key, algorithm, &[9; 32]);
            let again = || WrappingKey::from_private_der(&private).unwrap();
            assert_eq!(
                again().unwrap(algorithm, &blob).unwrap().expose(),
                [9; 32],
                "{name}"
            );
            for place in [0, blob.len() / 2, blob.len() - 1] {
                let mut altered = blob.clone();
                altered[place] ^= 1;
                let refused = again().unwrap(algorithm, &altered).err().unwrap();
                assert!(matches!(refused, Error::CiphertextInvalid), "{name} {refused}");
            }
            assert!(again().unwrap(algorithm, &blob[1..]).is_err());
            assert!(again().unwrap(algorithm, b"").is_err());
        }
        assert!(WrappingKey::generate("SM2").unwrap().is_none());
        assert_eq!(WrappingAlgorithm::from_name("RSAES_PKCS1_V1_5"), None);
    }
}
