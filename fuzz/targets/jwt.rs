//! Identity tokens and the pages of their issuers: any bytes are read or refused, and nobody's key has signed them.
#![no_main]

use std::sync::LazyLock;

use crypto::certificate::{Curve, PublicKey};
use identity::sts::web_identity::{discovery, jwt};

/// Keys whose private halves nobody has.
static KEYS: LazyLock<Vec<PublicKey>> = LazyLock::new(|| {
    let rsa = PublicKey::from_rsa(&[0xc5; 256], &[1, 0, 1]);
    let point = PublicKey::from_point(Curve::P256, &[7; 32], &[9; 32]);
    [rsa, point].into_iter().flatten().collect()
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = discovery::keys_address(bytes, "https://id.example");
    for algorithm in ["RS256", "ES256", "ES512"] {
        let algorithm = jwt::Algorithm::named(algorithm).expect("a known name");
        let _ = discovery::keys(bytes, algorithm, Some("a"));
        let _ = discovery::keys(bytes, algorithm, None);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(token) = jwt::read(text) {
        assert_eq!(text.matches('.').count(), 2, "a token has three parts");
        for claim in ["iss", "sub", "aud", "exp"] {
            let _ = (token.text(claim), token.seconds(claim), token.texts(claim));
        }
        assert!(
            KEYS.iter().all(|key| !token.is_signed_by(key)),
            "nobody can sign with these keys"
        );
    }
});
