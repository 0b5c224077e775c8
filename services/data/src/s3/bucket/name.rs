//! Which names a bucket may have.
//!
//! Source: S3 User Guide, "General purpose bucket naming rules".

use wire::Fault;

use crate::s3::fault::text;

const PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/// Whether a bucket may be made under this name.
pub(crate) fn fits(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let ends =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(allowed)
        && ends(bytes.first())
        && ends(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// `InvalidBucketName`, 400.
pub(crate) fn invalid(name: &str) -> Fault {
    Fault::plain("InvalidBucketName", 400, "The specified bucket is not valid.")
        .with("BucketName", text(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let longest = "a".repeat(63);
        for name in [
            "abc",
            "a.b",
            "1-2",
            "my.bucket-1",
            "192.168.1",
            longest.as_str(),
            "a-.b",
        ] {
            assert!(fits(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "-ab",
            "ab-",
            ".ab",
            "ab.",
            "a..b",
            "192.168.5.4",
            "xn--abc",
            "sthree-a",
            "amzn-s3-demo-a",
            "a-s3alias",
            "a--ol-s3",
            "a.mrap",
            "a--x-s3",
            "a--table-s3",
            "a b",
            "ä--",
            long.as_str(),
        ] {
            assert!(!fits(name), "{name}");
        }
    }
}
