//! `Fn::Cidr`: a block of addresses cut into equal ones.
//!
//! Source: CloudFormation User Guide, "Fn::Cidr".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The first `count` blocks of 2^`bits` addresses in `block`; `None` if they are not in it or `block` is none.
pub fn cut(block: &str, count: u32, bits: u32) -> Option<Vec<String>> {
    let (address, prefix) = block.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let prefix: u32 = prefix.parse().ok()?;
    let width: u32 = if address.is_ipv4() { 32 } else { 128 };
    if prefix > width || bits == 0 || bits > width.checked_sub(prefix)? || count == 0 || count > 256 {
        return None;
    }
    let cut = width.checked_sub(bits)?;
    let room = 1u128.checked_shl(cut.checked_sub(prefix)?).unwrap_or(u128::MAX);
    if u128::from(count) > room {
        return None;
    }
    let whole: u128 = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    // The bits behind the prefix do not count.
    let host = width.checked_sub(prefix)?;
    let start = whole
        .checked_shr(host)
        .unwrap_or(0)
        .checked_shl(host)
        .unwrap_or(0);
    let step = 1u128.checked_shl(bits)?;
    (0..count)
        .map(|index| {
            let at = start.checked_add(step.checked_mul(u128::from(index))?)?;
            let address = if width == 32 {
                IpAddr::V4(Ipv4Addr::from(u32::try_from(at).ok()?))
            } else {
                IpAddr::V6(Ipv6Addr::from(at))
            };
            Some(format!("{address}/{cut}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_cut_in_order_and_only_as_many_as_fit() {
        assert_eq!(
            cut("192.168.0.0/24", 3, 5).unwrap(),
            ["192.168.0.0/27", "192.168.0.32/27", "192.168.0.64/27"]
        );
        assert_eq!(
            cut("2600:1f18:abc:de00::/56", 2, 64).unwrap(),
            ["2600:1f18:abc:de00::/64", "2600:1f18:abc:de01::/64"]
        );
        assert_eq!(cut("10.0.7.9/16", 2, 8).unwrap(), ["10.0.0.0/24", "10.0.1.0/24"]);
        assert_eq!(cut("10.0.0.0/24", 9, 5), None);
        assert_eq!(cut("10.0.0/24", 1, 5), None);
        assert_eq!(cut("0.0.0.0/0", 1, 32).unwrap(), ["0.0.0.0/0"]);
    }
}
