//! The private addresses of instances: 172.31.0.0/16, shared out among the zones as a default VPC shares it. There are no subnets, and
//! nothing routes them: they tell instances of an account and region apart.
//!
//! Invariant: no two instances of an account and region have one address at a time.

use std::net::Ipv4Addr;

use pipeline::{Call, Result};
use wire::Fault;

use super::fault::{invalid, invalid_value};
use super::instance::{ADDRESSES, Held, Instance};
use super::place;

/// The third number of a zone's first address: each has 4096 of them, as the zones of a default VPC do.
fn subnet(call: &Call<'_>, zone: &str) -> u8 {
    let zones = place::zones(call.region());
    let at = zones.iter().position(|(name, _)| name == zone).unwrap_or(0);
    u8::try_from(at).unwrap_or(0).saturating_mul(16)
}

/// An address of the zone that nobody has. AWS keeps the first four and the last of a subnet.
pub(super) fn draw(call: &mut Call<'_>, zone: &str) -> Result<Ipv4Addr> {
    const TRIES: usize = 64;
    let begin = subnet(call, zone);
    for _ in 0..TRIES {
        let drawn = crypto::random::below(call.random(), 4095 - 4).map_err(Fault::internal)? + 4;
        let (high, low) = (drawn / 256, drawn % 256);
        let (Ok(high), Ok(low)) = (u8::try_from(high), u8::try_from(low)) else {
            continue;
        };
        let address = Ipv4Addr::new(172, 31, begin + high, low);
        if is_free(call, address)? {
            return Ok(address);
        }
    }
    Err(Fault::plain(
        "InsufficientFreeAddressesInSubnet",
        400,
        "There are not enough free addresses in the zone to satisfy the requested number of instances.",
    ))
}

fn is_free(call: &mut Call<'_>, address: Ipv4Addr) -> Result<bool> {
    let key = (
        call.account().to_owned(),
        call.region().to_owned(),
        address.to_string(),
    );
    Ok(call.get(&ADDRESSES, &key)?.is_none())
}

/// An address that a request asks for.
pub(super) fn read(call: &mut Call<'_>, zone: &str, text: &str) -> Result<Ipv4Addr> {
    let address: Ipv4Addr = text
        .parse()
        .map_err(|_| invalid_value(text, "privateIpAddress", "Invalid IPv4 address."))?;
    let begin = subnet(call, zone);
    let [a, b, c, d] = address.octets();
    let kept = (c == begin && d < 4) || (c == begin + 15 && d == 255);
    if (a, b) != (172, 31) || !(begin..begin + 16).contains(&c) || kept {
        return Err(invalid(format!(
            "Address {address} does not fall within the zone's address range"
        )));
    }
    if !is_free(call, address)? {
        return Err(Fault::plain(
            "InvalidIPAddress.InUse",
            400,
            format!("Address {address} is in use."),
        ));
    }
    Ok(address)
}

/// Gives an instance's address back.
pub(super) fn free(call: &mut Call<'_>, instance: &Instance) -> Result<()> {
    let (account, region) = (instance.account.clone(), instance.region.clone());
    call.delete(&ADDRESSES, &(account, region, instance.private_ip.to_string()))
}

/// Gives an instance an address.
pub(super) fn take(call: &mut Call<'_>, address: Ipv4Addr, instance: &str) -> Result<()> {
    let key = (
        call.account().to_owned(),
        call.region().to_owned(),
        address.to_string(),
    );
    call.put(&ADDRESSES, &key, Held(instance.to_owned()))
}
