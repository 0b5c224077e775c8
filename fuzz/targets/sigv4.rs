//! Signatures: what a request claims can be read or refused, and the text that it should have signed can be built.
#![no_main]

use ringwork_fuzz::{Request, hash};
use wire::sigv4::{self, PathStyle, PayloadRule};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(request) = Request::cut(bytes) else {
        return;
    };
    let parts = request.parts();
    if let Ok(Some(claim)) = wire::signature::parse(&parts) {
        let _ = wire::signature::lifted(&claim, &parts);
        if let wire::signature::Claim::V2(claim) = &claim {
            assert!(wire::sigv2::string_to_sign(claim, &parts).starts_with(parts.method));
            let _ = wire::sigv2::check_time(claim, 1_440_938_160);
        }
    }
    let Ok(Some(claim)) = sigv4::parse(&parts) else {
        return;
    };
    for style in [PathStyle::Normalised, PathStyle::Raw] {
        let signed = sigv4::string_to_sign(&claim, &parts, style, hash);
        assert!(signed.text.starts_with(sigv4::ALGORITHM));
        let _ = sigv4::signature_mismatch(&signed.canonical_request, &signed.text);
        let _ = sigv4::check_time(&claim, 1_440_938_160, style);
        let _ = sigv4::check_signed_headers(&claim, &parts, style);
    }
    let _ = (
        claim.signature_bytes(),
        sigv4::check_scope(&claim, &["iam"], &["us-east-1"]),
    );
    let _ = sigv4::check_payload(
        &claim,
        parts.body,
        PayloadRule {
            style: PathStyle::Normalised,
            unsigned: false,
            streaming: false,
        },
        hash,
    );
});
