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

/// Whether a name is of an account's namespace in a region: `PREFIX-ACCOUNT-REGION-an` (S3 User Guide, "Account regional namespace naming
/// rules"). In such a namespace nobody else makes buckets, nor does anybody by accident.
pub(crate) fn is_regional(name: &str, account: &str, region: &str) -> bool {
    let prefix = name.strip_suffix(&format!("-{account}-{region}-an"));
    prefix.is_some_and(|prefix| !prefix.is_empty())
}

/// Whether a name looks like one of some account's namespace.
pub(crate) fn looks_regional(name: &str) -> bool {
    let Some(front) = name.strip_suffix("-an") else {
        return false;
    };
    let is_account = |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = front.split('-').collect();
    let account = parts.iter().rposition(|part| is_account(part));
    account.is_some_and(|at| at > 0 && (3..=4).contains(&(parts.len() - at - 1)))
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
    fn a_name_shows_its_namespace() {
        let name = "logs-111122223333-eu-central-1-an";
        assert!(is_regional(name, "111122223333", "eu-central-1") && looks_regional(name));
        assert!(
            !is_regional(name, "111122223333", "eu-west-1")
                && !is_regional(name, "444455556666", "eu-central-1")
        );
        assert!(looks_regional("a-111122223333-us-gov-west-1-an"));
        for other in [
            "plan-an",
            "a-111122223333-an",
            "111122223333-eu-west-1-an",
            "a-111122223333-eu-west-1",
        ] {
            assert!(!looks_regional(other), "{other}");
        }
        assert!(!is_regional(
            "-111122223333-eu-west-1-an",
            "111122223333",
            "eu-west-1"
        ));
    }

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
