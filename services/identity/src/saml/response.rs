//! The response that an identity provider sends, and the way to the one assertion in it that counts.
//!
//! Source: SAML 2.0 Core, section 3.3.3; IAM User Guide, "Configure SAML assertions for the authentication response".
//!
//! Invariant: the assertion that is returned was parsed from octets that a signature covers.

use super::claims::Assertion;
use super::metadata::SigningKeys;
use super::tree::{self, Element};
use super::{ASSERTION, DSIG, PROTOCOL, base64, signature};

const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// Why a response is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// Not Base64 of UTF-8.
    Base64,
    /// No XML, or no response of the form that AWS takes.
    Malformed,
    /// The assertion is encrypted.
    Encrypted,
    /// The provider itself says that the sign-in failed.
    Rejected,
    /// No signature, or one that does not hold.
    Signature,
}

/// Reads a response in Base64 and returns its assertion, if a key of the provider signed the response or the assertion.
///
/// # Errors
/// Why not.
pub fn open(encoded: &str, keys: &SigningKeys) -> Result<Assertion, Unread> {
    let bytes = base64(encoded).ok_or(Unread::Base64)?;
    let text = String::from_utf8(bytes).map_err(|_| Unread::Base64)?;
    let response = tree::parse(&text).ok_or(Unread::Malformed)?;
    let assertion = only_assertion(&response)?;
    if unique_ids(&response).is_none() {
        return Err(Unread::Malformed);
    }
    if stray_signature(&response, assertion) {
        return Err(Unread::Signature);
    }
    // Whatever is signed must hold; one signature of the two is enough.
    let whole = signature::covered(&response, &[], &keys.0).map_err(|_| Unread::Signature)?;
    let part = signature::covered(assertion, &[&response], &keys.0).map_err(|_| Unread::Signature)?;
    let read = match (whole, part) {
        (Some(whole), _) => {
            let response = tree::parse(&whole).ok_or(Unread::Malformed)?;
            let destination = response.attribute("Destination").map(str::to_owned);
            Assertion::read(only_assertion(&response)?).map(|read| Assertion { destination, ..read })
        }
        (None, Some(part)) => tree::parse(&part).and_then(|assertion| Assertion::read(&assertion)),
        (None, None) => return Err(Unread::Signature),
    };
    read.ok_or(Unread::Malformed)
}

/// The one assertion of a response that tells of success. More than one, one in a place of its own, or none: not what AWS takes.
fn only_assertion(response: &Element) -> Result<&Element, Unread> {
    let shaped = response.is(PROTOCOL, "Response")
        && response.attribute("Version") == Some("2.0")
        && response.has_no_text();
    if !shaped {
        return Err(Unread::Malformed);
    }
    let status = response
        .only(PROTOCOL, "Status")
        .and_then(|status| status.only(PROTOCOL, "StatusCode"))
        .and_then(|code| code.attribute("Value"));
    match status {
        Some(SUCCESS) => {}
        Some(_) => return Err(Unread::Rejected),
        None => return Err(Unread::Malformed),
    }
    if response.named(ASSERTION, "EncryptedAssertion").next().is_some() {
        return Err(Unread::Encrypted);
    }
    let assertion = response.only(ASSERTION, "Assertion").ok_or(Unread::Malformed)?;
    let mut all = 0;
    visit(response, &mut |element| {
        all += usize::from(element.is(ASSERTION, "Assertion"));
    });
    if all == 1 {
        Ok(assertion)
    } else {
        Err(Unread::Malformed)
    }
}

/// Whether a signature stands where none is looked for: below anything but the response and its assertion.
fn stray_signature(response: &Element, assertion: &Element) -> bool {
    let (mut all, mut placed) = (0, 0);
    visit(response, &mut |element| {
        all += usize::from(element.is(DSIG, "Signature"));
    });
    for element in [response, assertion] {
        placed += element.named(DSIG, "Signature").count();
    }
    all != placed
}

/// No two elements may bear one id, by whichever attribute.
fn unique_ids(root: &Element) -> Option<()> {
    let mut ids: Vec<&str> = Vec::new();
    visit(root, &mut |element| {
        for name in ["ID", "Id", "id"] {
            ids.extend(element.attribute(name));
        }
        let xml = element
            .attributes
            .iter()
            .filter(|attribute| attribute.prefix == "xml" && attribute.local == "id");
        ids.extend(xml.map(|attribute| attribute.value.as_str()));
    });
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    (ids.len() == all).then_some(())
}

/// Every element, the root first.
fn visit<'a>(element: &'a Element, seen: &mut impl FnMut(&'a Element)) {
    seen(element);
    for child in element.elements() {
        visit(child, seen);
    }
}
