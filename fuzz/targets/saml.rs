//! SAML: any text is read or refused as metadata and as a response, and a changed response that is still believed says what the
//! genuine one says.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use identity::saml::{Assertion, Metadata, SigningKeys, open};

/// Signed once by a library that is not ours, with a key that was thrown away.
const GENUINE: &[u8] = include_bytes!("../seeds/saml/genuine");
const METADATA: &str = include_str!("../seeds/saml/metadata");

static KEYS: LazyLock<SigningKeys> = LazyLock::new(|| {
    let metadata = Metadata::read(METADATA).expect("metadata");
    SigningKeys::of(&metadata.certificates)
});
static SAID: LazyLock<String> =
    LazyLock::new(|| said(&open(&STANDARD.encode(GENUINE), &KEYS).expect("a genuine response")));

/// All that an assertion says that came under the signature.
fn said(assertion: &Assertion) -> String {
    let claims: Vec<_> = assertion
        .claims
        .iter()
        .map(|claim| (&claim.name, &claim.values))
        .collect();
    format!(
        "{:?}",
        (
            &assertion.id,
            &assertion.issuer,
            &assertion.subject,
            &assertion.recipient,
            &assertion.audiences,
            (assertion.issued, assertion.confirmed_until),
            (assertion.not_before, assertion.not_on_or_after),
            claims,
        )
    )
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Some(metadata) = Metadata::read(text) {
            assert!(!metadata.certificates.is_empty(), "a provider without keys");
        }
        // The same text as something put into the genuine response, at a place that its length chooses.
        let genuine = std::str::from_utf8(GENUINE).expect("UTF-8");
        let place = text.len().wrapping_mul(7919) % genuine.len();
        if let Some((before, behind)) = genuine.split_at_checked(place) {
            believed(format!("{before}{text}{behind}").as_bytes());
        }
    }
    believed(bytes);
    // The same bytes as changes of the genuine response: at a place, by a difference.
    let mut changed = GENUINE.to_vec();
    for triple in bytes.chunks_exact(3) {
        let place = usize::from(u16::from_be_bytes([triple[0], triple[1]])) % changed.len();
        changed[place] ^= triple[2];
    }
    believed(&changed);
});

fn believed(response: &[u8]) {
    if let Ok(assertion) = open(&STANDARD.encode(response), &KEYS) {
        assert_eq!(said(&assertion), *SAID, "a changed response is believed");
    }
}
