//! Ids and ARNs of EC2's resources.
//!
//! Source: Amazon EC2 User Guide, "Resource IDs"; Service Authorization Reference, "Actions, resources, and condition keys for
//! Amazon EC2".
//!
//! Invariant: an id is drawn once and is never used again.

use pipeline::{Call, Result};
use wire::Fault;

/// Draws an id: the prefix and 17 hexadecimal digits, the first of them zero.
pub(super) fn draw(call: &Call<'_>, prefix: &str) -> Result<String> {
    let digits = crypto::random::hex(call.random(), 8).map_err(Fault::internal)?;
    Ok(format!("{prefix}-0{digits}"))
}

/// Whether a text can be an id: 8 or 17 hexadecimal digits behind the prefix.
pub(super) fn is_id(text: &str, prefix: &str) -> bool {
    let digits = text
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or_default();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    matches!(digits.len(), 8 | 17) && digits.bytes().all(hex)
}

/// `arn:aws:ec2:REGION:ACCOUNT:KIND/ID`; images are of no account.
pub(super) fn arn(region: &str, account: &str, kind: &str, id: &str) -> String {
    let account = if kind == "image" { "" } else { account };
    format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
}

#[cfg(test)]
mod tests {
    use super::is_id;

    #[test]
    fn an_id_has_eight_or_seventeen_digits() {
        assert!(is_id("i-0123456789abcdef0", "i"));
        assert!(is_id("i-1234abcd", "i"));
        for wrong in [
            "i-0123456789ABCDEF0",
            "i-123",
            "ami-1234abcd",
            "i-",
            "i1234abcd",
            "",
        ] {
            assert!(!is_id(wrong, "i"), "{wrong}");
        }
    }
}
