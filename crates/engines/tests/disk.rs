//! Disks as tars: what real ones hold is found, and damaged ones end in an error.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::io::{ErrorKind, Read as _};

use engines::disk;
use engines::secrets::scan_disk;
use flate2::read::GzDecoder;
use proptest::prelude::*;

const POSIX: &[u8] = include_bytes!("data/posix.tar.gz");
const GNU: &[u8] = include_bytes!("data/gnu.tar.gz");

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut tar).unwrap();
    tar
}

fn deploy() -> String {
    format!("opt/{}/{}/deploy.sh", "long".repeat(30), "name".repeat(30))
}

/// S35.7: a whole disk is read file by file; links and folders have no content, and holes are passed over.
#[test]
fn every_file_of_a_disk_is_read() {
    for packed in [POSIX, GNU] {
        let tar = unpacked(packed);
        let mut seen = Vec::new();
        disk::files(tar.as_slice(), |file, content| {
            let mut text = Vec::new();
            content.read_to_end(&mut text)?;
            assert_eq!(u64::try_from(text.len()).unwrap(), file.size, "{}", file.path);
            seen.push((file.path.to_owned(), text));
            Ok(())
        })
        .unwrap();
        let paths: Vec<_> = seen.iter().map(|(path, _)| path.as_str()).collect();
        let long = deploy();
        let (keys, settings) = ("home/ec2-user/.ssh/authorized_keys", "etc/app/settings.ini");
        assert_eq!(
            paths,
            [
                settings,
                "etc/empty",
                "etc/hostname",
                keys,
                &long,
                "opt/sparse.db"
            ]
        );
        assert_eq!(seen[2].1, b"host\n");
        assert!(
            seen[5].1.starts_with(b"head\n"),
            "no map and no hole is before the content"
        );
        assert!(seen[5].1.len() < 64 * 1024);
    }
}

/// S35.7: findings name the path and line of each, in the disk's order.
#[test]
fn a_disk_is_searched() {
    for packed in [POSIX, GNU] {
        let report = scan_disk(unpacked(packed).as_slice()).unwrap();
        let found: Vec<_> = report
            .findings
            .iter()
            .map(|finding| (finding.rule, finding.path.as_str(), finding.line))
            .collect();
        let long = deploy();
        let expected = [
            ("aws-access-key", "etc/app/settings.ini", Some(2)),
            (
                "ssh-authorized-key",
                "home/ec2-user/.ssh/authorized_keys",
                Some(1),
            ),
            ("url-password", long.as_str(), Some(3)),
            ("aws-access-key", "opt/sparse.db", None),
        ];
        assert_eq!(found, expected);
        assert_eq!((report.files, report.cut.len(), report.more), (6, 0, false));
    }
    assert_eq!(
        scan_disk([].as_slice()).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
    assert_eq!(scan_disk([0; 1024].as_slice()).unwrap().files, 0);
}

/// What `look` leaves unread is passed over.
#[test]
fn files_may_be_left_unread() {
    let mut seen = 0;
    disk::files(unpacked(POSIX).as_slice(), |_, _| {
        seen += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!(seen, 6);
}

#[test]
fn damage_is_an_error() {
    let tar = unpacked(POSIX);
    let end = tar.iter().rposition(|byte| *byte != 0).unwrap();
    for cut in (1..end).step_by(97) {
        let error = scan_disk(&tar[..cut]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{cut}");
    }
    let mut changed = tar;
    changed[100] ^= 1;
    assert_eq!(
        scan_disk(changed.as_slice()).unwrap_err().kind(),
        ErrorKind::InvalidData
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A tar with changed octets ends, in a report or an error.
    #[test]
    fn changed_tars_end(changes in prop::collection::vec((0_usize..14_000, any::<u8>()), 1..8)) {
        let mut tar = unpacked(POSIX);
        for (at, value) in changes {
            tar[at] = value;
        }
        let _ = scan_disk(tar.as_slice());
    }
}
