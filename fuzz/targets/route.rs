//! Routing: any request leads to an operation or a refusal.
#![no_main]

use ringwork_fuzz::Request;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const SCOPES: [Option<&str>; 6] = [
        None,
        Some("s3"),
        Some("iam"),
        Some("ec2"),
        Some("lambda"),
        Some("monitoring"),
    ];
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let scope = SCOPES[usize::from(*first) % SCOPES.len()];
    if let Some(request) = Request::cut(rest) {
        let _ = wire::route::route(&request.parts(), scope, &api::models::Embedded);
    }
});
