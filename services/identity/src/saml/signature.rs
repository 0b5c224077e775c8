//! XML Signature 1.1 in the one form that SAML 2.0 profiles (Core, section 5.4): enveloped, one reference to the very element that
//! holds it, exclusive canonicalization.
//!
//! Invariant: the key comes from the provider's metadata, never from the message; the element covered is the parent of the signature,
//! never one that was looked up by its id.

use crypto::certificate::{PublicKey, SignatureScheme};

use super::canonical;
use super::tree::{self, Element};
use super::{DSIG, EXCLUSIVE, base64};

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Prefixes that a canonicalization may be told to include. The list is read before the signature is verified, and each element is
/// searched for each prefix.
const PREFIXES_MAX: usize = 64;

/// A signature that does not hold, or that is of a form that is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

type Checked<T> = Result<T, Invalid>;

/// The octets of `element` that its own signature covers; `None` if it bears none. `ancestors` are the elements around it, outermost
/// first.
pub(super) fn covered(
    element: &Element,
    ancestors: &[&Element],
    keys: &[PublicKey],
) -> Checked<Option<String>> {
    if element.named(DSIG, "Signature").next().is_none() {
        return Ok(None);
    }
    // Two signatures of one element: which of them counts would be a matter of taste.
    let signature = element.only(DSIG, "Signature").ok_or(Invalid)?;
    read(element, ancestors, signature, keys).map(Some).ok_or(Invalid)
}

fn read(
    element: &Element,
    ancestors: &[&Element],
    signature: &Element,
    keys: &[PublicKey],
) -> Option<String> {
    let (signed_info, value) = parts(signature)?;
    let around: Vec<&Element> = ancestors.iter().copied().chain([element, signature]).collect();
    let list = exclusive(signed_info.only(DSIG, "CanonicalizationMethod")?)?;
    // Whoever wrote it, its form bounds the work from here on.
    Info::read(signed_info)?;
    let signed = canonical::octets(signed_info, &around, None, &list);
    // From here on, what is read of the signature is what its value covers.
    let info = Info::read(&tree::parse(&signed)?)?;
    let value = base64(&value)?;
    keys.iter()
        .any(|key| key.verifies(info.scheme, signed.as_bytes(), &value))
        .then_some(())?;
    let id = element.attribute("ID").filter(|id| !id.is_empty())?;
    if info.reference.strip_prefix('#') != Some(id) {
        return None;
    }
    let octets = canonical::octets(element, ancestors, Some(signature), &info.inclusive);
    let digest = info.digest.of(octets.as_bytes());
    crypto::digest::equal(&digest, &info.expected).then_some(octets)
}

/// `SignedInfo` and the value. `KeyInfo` may follow and is not looked at; `Object`, which could carry anything, may not.
fn parts(signature: &Element) -> Option<(&Element, String)> {
    let mut elements = signature.elements();
    let signed_info = elements.next().filter(|element| element.is(DSIG, "SignedInfo"))?;
    let value = elements
        .next()
        .filter(|element| element.is(DSIG, "SignatureValue"))?;
    let rest: Vec<&Element> = elements.collect();
    let plain = match rest.as_slice() {
        [] => true,
        [key_info] => key_info.is(DSIG, "KeyInfo"),
        _ => false,
    };
    let value = value.text()?;
    (plain && signature.has_no_text()).then_some((signed_info, value))
}

/// The prefixes that an exclusive canonicalization includes; `None` for any other algorithm.
fn exclusive(method: &Element) -> Option<Vec<String>> {
    if method.attribute("Algorithm") != Some(EXCLUSIVE) || !method.has_no_text() {
        return None;
    }
    let mut parameters = method.elements();
    let list = match parameters.next() {
        None => return Some(Vec::new()),
        Some(parameter)
            if parameter.is(EXCLUSIVE, "InclusiveNamespaces") && parameter.children.is_empty() =>
        {
            parameter.attribute("PrefixList").unwrap_or_default()
        }
        Some(_) => return None,
    };
    let prefixes = list.split_ascii_whitespace().take(PREFIXES_MAX + 1);
    let prefixes: Vec<String> = prefixes.map(str::to_owned).collect();
    (parameters.next().is_none() && prefixes.len() <= PREFIXES_MAX).then_some(prefixes)
}

/// What `SignedInfo` says.
struct Info {
    scheme: SignatureScheme,
    reference: String,
    inclusive: Vec<String>,
    digest: Digest,
    expected: Vec<u8>,
}

impl Info {
    fn read(info: &Element) -> Option<Self> {
        let elements: Vec<&Element> = info.elements().collect();
        let [canonicalization, method, reference] = elements.as_slice() else {
            return None;
        };
        let shaped = info.is(DSIG, "SignedInfo")
            && info.has_no_text()
            && canonicalization.is(DSIG, "CanonicalizationMethod")
            && method.is(DSIG, "SignatureMethod")
            && method.elements().next().is_none()
            && reference.is(DSIG, "Reference");
        if !shaped {
            return None;
        }
        exclusive(canonicalization)?;
        let elements: Vec<&Element> = reference.elements().collect();
        let [transforms, digest_method, digest_value] = elements.as_slice() else {
            return None;
        };
        let shaped = transforms.is(DSIG, "Transforms")
            && digest_method.is(DSIG, "DigestMethod")
            && digest_method.elements().next().is_none()
            && digest_value.is(DSIG, "DigestValue");
        let transforms: Vec<&Element> = transforms.elements().collect();
        let [enveloped, canonicalization] = transforms.as_slice() else {
            return None;
        };
        let transformed = enveloped.is(DSIG, "Transform")
            && enveloped.attribute("Algorithm") == Some(ENVELOPED)
            && enveloped.children.is_empty()
            && canonicalization.is(DSIG, "Transform");
        if !shaped || !transformed {
            return None;
        }
        Some(Self {
            scheme: scheme(method.attribute("Algorithm")?)?,
            reference: reference.attribute("URI")?.to_owned(),
            inclusive: exclusive(canonicalization)?,
            digest: Digest::named(digest_method.attribute("Algorithm")?)?,
            expected: base64(&digest_value.text()?)?,
        })
    }
}

/// Signatures that are taken. SHA-1 is broken for this use, and AWS names no assurance that it would be taken; MACs have no public key.
fn scheme(algorithm: &str) -> Option<SignatureScheme> {
    let name = algorithm.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#")?;
    Some(match name {
        "rsa-sha256" => SignatureScheme::RsaPkcs1Sha256,
        "rsa-sha384" => SignatureScheme::RsaPkcs1Sha384,
        "rsa-sha512" => SignatureScheme::RsaPkcs1Sha512,
        "ecdsa-sha256" => SignatureScheme::EcdsaSha256,
        "ecdsa-sha384" => SignatureScheme::EcdsaSha384,
        "ecdsa-sha512" => SignatureScheme::EcdsaSha512,
        _ => return None,
    })
}

enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    fn named(algorithm: &str) -> Option<Self> {
        Some(match algorithm {
            "http://www.w3.org/2001/04/xmlenc#sha256" => Self::Sha256,
            "http://www.w3.org/2001/04/xmldsig-more#sha384" => Self::Sha384,
            "http://www.w3.org/2001/04/xmlenc#sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn of(&self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => crypto::digest::sha256(octets).to_vec(),
            Self::Sha384 => crypto::digest::sha384(octets).to_vec(),
            Self::Sha512 => crypto::digest::sha512(octets).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(prefixes: usize, inside: &str) -> Element {
        let list = "q ".repeat(prefixes);
        let text = format!(
            r#"<m Algorithm="{EXCLUSIVE}"><e:InclusiveNamespaces xmlns:e="{EXCLUSIVE}" PrefixList="{list}">{inside}</e:InclusiveNamespaces></m>"#
        );
        tree::parse(&text).unwrap()
    }

    /// What nobody signed yet cannot ask for much work.
    #[test]
    fn lists_of_prefixes_are_short() {
        assert_eq!(exclusive(&method(64, "")).unwrap().len(), 64);
        assert!(exclusive(&method(65, "")).is_none());
        assert!(exclusive(&method(1, "<a/>")).is_none());
    }

    #[test]
    fn a_digest_method_holds_nothing() {
        let info = |inside: &str| {
            let text = format!(
                r##"<SignedInfo xmlns="{DSIG}"><CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><Reference URI="#a"><Transforms><Transform Algorithm="{ENVELOPED}"/><Transform Algorithm="{EXCLUSIVE}"/></Transforms><DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256">{inside}</DigestMethod><DigestValue>AAAA</DigestValue></Reference></SignedInfo>"##
            );
            Info::read(&tree::parse(&text).unwrap())
        };
        assert!(info("").is_some());
        assert!(info("<a/>").is_none());
    }
}
