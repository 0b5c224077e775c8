//! RSA public keys in PEM, as `SubjectPublicKeyInfo` (RFC 5280, section 4.1.2.7) or `RSAPublicKey` (RFC 8017, appendix A.1.1).

use super::der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, Reader, SEQUENCE};
use super::pem;
use crate::ssh::{SshPublicKey, positive, signed};

const INFO: &str = "PUBLIC KEY";
const BARE: &str = "RSA PUBLIC KEY";
/// rsaEncryption (RFC 8017, appendix C) with its parameters, NULL.
const ALGORITHM: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];

/// The key of a PEM text.
pub(crate) fn rsa_from_pem(text: &str) -> Option<SshPublicKey> {
    if let Ok(der) = pem::decode_first(text, &[INFO]) {
        let mut outer = Reader(der.expose());
        let mut info = outer.expect(SEQUENCE)?.open(SEQUENCE)?;
        let mut algorithm = info.expect(SEQUENCE)?.open(SEQUENCE)?;
        let identifier = algorithm.expect(OBJECT_IDENTIFIER)?;
        let key = info.expect(BIT_STRING)?.bits()?;
        let ours = ALGORITHM.get(2..11) == Some(identifier.content);
        return (ours && outer.is_empty()).then(|| bare(key)).flatten();
    }
    bare(pem::decode_first(text, &[BARE]).ok()?.expose())
}

fn bare(der: &[u8]) -> Option<SshPublicKey> {
    let mut outer = Reader(der);
    let mut parts = outer.expect(SEQUENCE)?.open(SEQUENCE)?;
    let (modulus, exponent) = (parts.expect(INTEGER)?, parts.expect(INTEGER)?);
    if !parts.is_empty() || !outer.is_empty() {
        return None;
    }
    Some(SshPublicKey {
        exponent: positive(exponent.content)?,
        modulus: positive(modulus.content)?,
    })
}

/// `SubjectPublicKeyInfo` in PEM.
pub(crate) fn rsa_to_pem(key: &SshPublicKey) -> String {
    let numbers = [
        element(INTEGER, &signed(&key.modulus)),
        element(INTEGER, &signed(&key.exponent)),
    ];
    let bits = [vec![0], element(SEQUENCE, &numbers.concat())].concat();
    let info = [element(SEQUENCE, ALGORITHM), element(BIT_STRING, &bits)];
    pem::encode(INFO, &element(SEQUENCE, &info.concat()))
}

/// One element in DER.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let start = length.iter().position(|byte| *byte != 0).unwrap_or(length.len());
    let length = length.get(start..).unwrap_or_default();
    let mut der = vec![tag];
    match length {
        [] => der.push(0),
        [short @ ..=0x7f] => der.push(*short),
        long => {
            // At most eight bytes of length.
            der.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            der.extend(long);
        }
    }
    der.extend(content);
    der
}
