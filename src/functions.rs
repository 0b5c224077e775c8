//! The runner of functions, as this server starts it: where it works, what it finds, and how functions find the server.
//!
//! Invariant: no descriptor that the server was started with goes on to a function.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use planes::functions::{Endpoint, Sandboxes};

use crate::error::Error;
use crate::folder::Folder;

pub(crate) fn open(folder: &Folder, unconfined: bool) -> Result<Arc<Sandboxes>, Error> {
    let place = folder.functions();
    let opened = Sandboxes::open(&place, search_path(), unconfined);
    opened.map(Arc::new).map_err(|source| Error::File {
        doing: "prepare the folder of functions",
        path: place,
        source,
    })
}

/// Where programs are looked for: as in a shell.
pub(crate) fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect()
}

/// How functions reach this server: without TLS by a loopback address, which needs no certificates, or else by another one with TLS.
pub(crate) fn endpoint(addresses: &[SocketAddr], folder: &Folder) -> Endpoint {
    let loopback = addresses.iter().find_map(|address| {
        let ip: IpAddr = match address.ip() {
            ip if ip.is_loopback() => ip,
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, address.port()))
    });
    match (loopback, addresses.first()) {
        (None, Some(address)) => Endpoint {
            url: format!("https://{address}"),
            authority: std::fs::read_to_string(folder.authority()).ok(),
        },
        (loopback, _) => Endpoint {
            url: loopback
                .map(|address| format!("http://{address}"))
                .unwrap_or_default(),
            authority: None,
        },
    }
}

/// Closes the descriptors, other than the standard ones, that the server was started with: they would go on to every process that it
/// starts. What the server opened itself does not.
pub(crate) fn close_inherited() {
    const CLOSES_ON_EXEC: u32 = 0o2_000_000;
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers: Vec<i32> = open
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        let facts = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        if flags.is_some_and(|flags| flags & CLOSES_ON_EXEC == 0) {
            let _ = nix::unistd::close(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_reach_the_server_by_loopback_if_it_listens_there() {
        let folder = Folder::at(std::path::Path::new("nowhere"));
        let url = |addresses: &[&str]| {
            let addresses: Vec<SocketAddr> =
                addresses.iter().map(|address| address.parse().unwrap()).collect();
            endpoint(&addresses, &folder).url
        };
        assert_eq!(url(&["192.0.2.1:1", "127.0.0.1:2"]), "http://127.0.0.1:2");
        assert_eq!(url(&["0.0.0.0:3"]), "http://127.0.0.1:3");
        assert_eq!(url(&["[::]:4"]), "http://[::1]:4");
        assert_eq!(url(&["192.0.2.1:5"]), "https://192.0.2.1:5");
    }
}
