//! IP networks of the `IpAddress` operators: IPv4 and IPv6, in CIDR form or as a single address.

use std::net::IpAddr;

/// A network: the address with the bits outside the prefix cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    four: bool,
    prefix: u32,
    bits: u128,
}

impl Network {
    /// Parses `203.0.113.0/24`, `2001:DB8::/32` or a single address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let (four, bits) = bits_of(address)?;
        let width = if four { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(text) => text.parse().ok().filter(|prefix| *prefix <= width)?,
        };
        Some(Self {
            four,
            prefix,
            bits: masked(bits, width - prefix),
        })
    }

    /// Whether every address of `other` lies within.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        let width = if self.four { 32 } else { 128 };
        self.four == other.four
            && self.prefix <= other.prefix
            && masked(other.bits, width - self.prefix) == self.bits
    }

    /// Version 4, and the length of the prefix.
    pub(crate) fn shape(&self) -> (bool, u32) {
        (self.four, self.prefix)
    }

    /// Whether `text` is an address of the network that says no more than the network: no bits after the prefix.
    pub(crate) fn is_written(&self, text: &str) -> bool {
        let address = text.split('/').next().unwrap_or_default();
        bits_of(address).is_some_and(|(_, bits)| bits == self.bits)
    }

    /// The network as text, with the bits after the prefix cleared.
    pub(crate) fn shown(&self) -> String {
        let address = if self.four {
            let bits = u32::try_from(self.bits).unwrap_or_default();
            IpAddr::V4(bits.into())
        } else {
            IpAddr::V6(self.bits.into())
        };
        format!("{address}/{}", self.prefix)
    }

    /// Says whether the address in `text` lies within; text that is no address lies nowhere.
    pub(crate) fn contains(&self, text: &str) -> bool {
        let Some((four, bits)) = bits_of(text) else {
            return false;
        };
        let width = if four { 32 } else { 128 };
        four == self.four && masked(bits, width - self.prefix) == self.bits
    }
}

/// IPv4-mapped IPv6 addresses count as the IPv4 address that they stand for.
fn bits_of(text: &str) -> Option<(bool, u128)> {
    let address: IpAddr = text.parse().ok()?;
    Some(match address.to_canonical() {
        IpAddr::V4(address) => (true, u128::from(u32::from(address))),
        IpAddr::V6(address) => (false, u128::from(address)),
    })
}

fn masked(bits: u128, host_bits: u32) -> u128 {
    let kept = u128::MAX.checked_shl(host_bits).unwrap_or(0);
    bits & kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        for (network, address, wanted) in [
            ("203.0.113.0/24", "203.0.113.1", true),
            ("203.0.113.0/24", "198.51.100.1", false),
            ("203.0.113.77/24", "203.0.113.1", true),
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5678:ffff::1", true),
            ("2001:DB8:1234:5678::/64", "2001:db8:1234:5679::1", false),
            ("203.0.113.0/24", "::ffff:203.0.113.9", true),
            ("203.0.113.0/24", "cloudformation.amazonaws.com", false),
        ] {
            assert_eq!(
                Network::parse(network).unwrap().contains(address),
                wanted,
                "{network} {address}"
            );
        }
        for text in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/x"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }
}
