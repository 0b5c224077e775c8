//! The models' patterns: any pattern is understood or refused, and judging a text by it takes linear time.
#![no_main]

use wire::constraints::Pattern;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Some((pattern, text)) = text.split_once('\n') else {
        return;
    };
    if pattern.len() <= 512
        && let Ok(pattern) = Pattern::new(pattern)
    {
        let _ = pattern.matches(text);
    }
});
