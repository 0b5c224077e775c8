//! The validator: any text is validated, and every finding lies in the text.
#![no_main]

use policy::validate::{PolicyType, ResourceType, validate};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const TYPES: [PolicyType; 4] = [
        PolicyType::Identity,
        PolicyType::Resource,
        PolicyType::ServiceControl,
        PolicyType::ResourceControl,
    ];
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let first = usize::from(*first);
    let resource_type = ResourceType::ALL.get(first / TYPES.len()).copied();
    for finding in validate(text, TYPES[first % TYPES.len()], resource_type) {
        assert!(!finding.details.is_empty() && !finding.locations.is_empty());
        for location in finding.locations {
            assert!(text.get(location.span.start..location.span.end).is_some());
            assert!(location.start.offset <= location.end.offset);
        }
    }
});
