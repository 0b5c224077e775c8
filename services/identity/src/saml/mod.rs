//! SAML 2.0 as AWS takes it: an identity provider's metadata, and the assertions that it signs for the people it vouches for.
//!
//! XML is read by a strict parser of our own making above quick-xml's tokens; signatures by a profile that knows exclusive
//! canonicalization, the enveloped-signature transform, and SHA-2 with RSA or ECDSA, and nothing else.
//!
//! Invariant: of a response nothing is believed but the octets that a signature of the provider covers. They are parsed anew, and
//! claims are read from that second tree; what else the message holds, and where, has no say.

mod canonical;
mod claims;
mod metadata;
mod response;
mod signature;
mod tree;

pub use claims::{Assertion, Claim};
pub use metadata::{Metadata, SigningKeys};
pub use response::{Unread, open};

/// Namespaces of SAML 2.0, section 1.1 of its parts.
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
/// XML Signature.
const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Exclusive canonicalization without comments: its algorithm, and the namespace of its parameter.
const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// Base64 in which white space stands for nothing, as XML and forms break it.
fn base64(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let packed: String = text
        .chars()
        .filter(|character| !character.is_ascii_whitespace())
        .collect();
    base64::engine::general_purpose::STANDARD.decode(packed).ok()
}
