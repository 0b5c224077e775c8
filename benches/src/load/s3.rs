//! Objects per second: small and large, in and out, under both kinds of server-side encryption, and a page of a big bucket; beside the
//! bare HTTP server with as many bytes on the loopback, beside the bare disk, and beside another S3 server.
//!
//! Everything is on: an admin user's policies are judged, every call is recorded, every byte is sealed and flushed.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::calls::{Cloud, expect};
use crate::cell::{self, Measured, Requests};
use crate::cloud::Client;
use crate::connection::Connection;
use crate::peer::Peer;
use crate::process::{Server, now};
use crate::{Options, Result, start, while_doing};

/// Before a cell is measured, so that caches and connections are warm.
const WARM: Duration = Duration::from_millis(500);
const BUCKET: &str = "/measured";
const SIZES: [(usize, &str); 2] = [(4 << 10, "4 KiB"), (8 << 20, "8 MiB")];
/// Keys of the bucket that is listed, unless the options say otherwise.
const LISTED: usize = 100_000;
/// Keys of the small bucket that it is compared with.
const SMALL: usize = 1_500;
/// Requests that are signed ahead while the bucket is filled, and the connections that fill it.
const AHEAD: usize = 20_000;
const FILLING: usize = 32;

/// How objects are encrypted.
struct Encryption {
    name: &'static str,
    headers: Vec<(&'static str, String)>,
}

/// One line of the table.
struct Line {
    name: String,
    connections: usize,
    /// Of one call, in the direction that is measured.
    bytes: usize,
    measured: Measured,
    cpu: Duration,
    bare: Option<f64>,
    /// Calls a second of the peer, which encrypts nothing.
    peer: Option<f64>,
}

/// The servers that are measured.
struct Servers {
    cloud: Cloud,
    peer: Option<Peer>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let data = options.scratch.join("s3");
    start::clear(&data)?;
    println!("The bare disk, one writer, every file flushed with its folder:");
    for (bytes, name) in SIZES {
        let rate = disk(&options.scratch, bytes)?;
        println!(
            "  {name}: {rate:.0} files/s, {:.0} MB/s",
            rate * bytes as f64 / 1e6
        );
    }
    let cloud = Cloud::start(&options.binary, &data).await?;
    let mut connection = Connection::open(cloud.server.address).await?;
    expect(&mut connection, &cloud.admin.s3("PUT", BUCKET, "", &[], b"")?).await?;
    let encryptions = encryptions(&cloud, &mut connection).await?;
    let beside = options.scratch.join("s3-peer");
    let peer = match &options.peer {
        Some(binary) => Some(Peer::start(binary, &beside).await?),
        None => None,
    };
    if let Some(peer) = &peer {
        let mut connection = Connection::open(peer.server.address).await?;
        expect(&mut connection, &peer.client.s3("PUT", BUCKET, "", &[], b"")?).await?;
    }
    let servers = Servers { cloud, peer };
    println!(
        "\n{:<30} {:>5} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>9}",
        "call", "conns", "calls/s", "MB/s", "p50 µs", "p99 µs", "CPU µs", "of bare", "peer/s"
    );
    for (bytes, size) in SIZES {
        for encryption in &encryptions {
            for connections in &options.connections {
                for method in ["PUT", "GET"] {
                    let name = format!("{method} {size}, {}", encryption.name);
                    if options.only.as_deref().is_none_or(|only| name.starts_with(only)) {
                        objects(options, &servers, encryption, method, bytes, *connections, name).await?;
                    }
                }
            }
        }
    }
    if options
        .only
        .as_deref()
        .is_none_or(|only| "LIST".starts_with(only))
    {
        listing(options, &servers).await?;
    }
    println!(
        "\nThe server took {} MiB of memory at the most.",
        servers.cloud.server.peak_kib()? / 1024
    );
    servers.cloud.server.stop()?;
    drop(servers.peer);
    start::clear(&beside)?;
    start::clear(&data)
}

/// SSE-S3, and SSE-KMS with a bucket key.
async fn encryptions(cloud: &Cloud, connection: &mut Connection) -> Result<Vec<Encryption>> {
    let made = expect(connection, &cloud.admin.json("kms", "CreateKey", "{}")?).await?;
    let made: Value = serde_json::from_slice(&made).map_err(while_doing("read an answer"))?;
    let key = made.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
    let key = key.ok_or("CreateKey answered no ARN")?.to_owned();
    Ok(vec![
        Encryption {
            name: "SSE-S3",
            headers: Vec::new(),
        },
        Encryption {
            name: "SSE-KMS, bucket key",
            headers: vec![
                ("x-amz-server-side-encryption", "aws:kms".to_owned()),
                ("x-amz-server-side-encryption-aws-kms-key-id", key),
                (
                    "x-amz-server-side-encryption-bucket-key-enabled",
                    "true".to_owned(),
                ),
            ],
        },
    ])
}

/// Bytes that do not compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        (state >> 32).to_le_bytes()
    });
    words
        .flat_map(|word| word.into_iter().take(4))
        .take(bytes)
        .collect()
}

/// Each connection has an object of its own, which it puts or gets again and again.
async fn objects(
    options: &Options,
    servers: &Servers,
    encryption: &Encryption,
    method: &str,
    bytes: usize,
    connections: usize,
    name: String,
) -> Result<()> {
    let headers: Vec<(&'static str, &str)> = encryption
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let cloud = &servers.cloud;
    let requests = requests_of(&cloud.admin, &headers, method, bytes, connections).await?;
    let bare = {
        let mut server = Server::bare(if method == "PUT" { 0 } else { bytes })?;
        server.connect().await?;
        let own = Requests::Own(requests.clone());
        beside(options, server.address, connections, own).await?
    };
    let peer = match &servers.peer {
        Some(peer) => {
            let own = Requests::Own(requests_of(&peer.client, &[], method, bytes, connections).await?);
            Some(beside(options, peer.server.address, connections, own).await?)
        }
        None => None,
    };
    let address = cloud.server.address;
    settle();
    cell::run(address, connections, Requests::Own(requests.clone()), WARM).await?;
    let spent = cloud.server.cpu()?;
    let measured = cell::run(address, connections, Requests::Own(requests), options.cell).await?;
    let cpu = cloud.server.cpu()?.saturating_sub(spent);
    let line = Line {
        name,
        connections,
        bytes,
        measured,
        cpu,
        bare: Some(bare),
        peer,
    };
    line.print();
    Ok(())
}

/// Waits until all that was written is on the disk: what a server leaves behind that does not flush, the next would pay for.
#[cfg(unix)]
fn settle() {
    rustix::fs::sync();
}

#[cfg(not(unix))]
fn settle() {}

/// The calls a second of what stands beside.
async fn beside(
    options: &Options,
    address: SocketAddr,
    connections: usize,
    requests: Requests,
) -> Result<f64> {
    let time = options.cell.min(Duration::from_secs(2));
    settle();
    Ok(cell::run(address, connections, requests, time).await?.rate())
}

/// One request for each connection; what is to be read is put there first.
async fn requests_of(
    client: &Client,
    headers: &[(&'static str, &str)],
    method: &str,
    bytes: usize,
    connections: usize,
) -> Result<Vec<Vec<u8>>> {
    let body = noise(bytes);
    let path = |number: usize| format!("{BUCKET}/{bytes}/{number}");
    let puts = (0..connections).map(|number| client.s3("PUT", &path(number), "", headers, &body));
    let puts: Vec<Vec<u8>> = puts.collect::<Result<_>>()?;
    if method == "PUT" {
        return Ok(puts);
    }
    let forever = Duration::from_secs(600);
    cell::run(client.address, 1, Requests::Each(puts), forever).await?;
    (0..connections)
        .map(|number| client.s3("GET", &path(number), "", &[], b""))
        .collect()
}

/// A page of 1,000 keys out of the middle of a big bucket, and of a small one.
async fn listing(options: &Options, servers: &Servers) -> Result<()> {
    let keys = if options.fill == 0 { LISTED } else { options.fill };
    let cloud = &servers.cloud;
    let mut filled = 0;
    for count in [SMALL, keys] {
        let begun = now();
        fill(&cloud.admin, filled..count).await?;
        // The peer takes minutes to fill what ours fills in seconds.
        let small = servers.peer.as_ref().filter(|_| count <= SMALL);
        if let Some(peer) = small {
            fill(&peer.client, filled..count).await?;
        }
        filled = filled.max(count);
        eprintln!("{count} keys, filled in {:.0} s", begun.elapsed().as_secs_f64());
        for connections in &options.connections {
            let query = format!(
                "list-type=2&max-keys=1000&prefix=l&start-after=l%2F{:08}",
                count / 5
            );
            let peer = match small {
                Some(peer) => {
                    let request = Requests::Same(peer.client.s3("GET", BUCKET, &query, &[], b"")?);
                    Some(beside(options, peer.server.address, *connections, request).await?)
                }
                None => None,
            };
            let request = cloud.admin.s3("GET", BUCKET, &query, &[], b"")?;
            let address = cloud.server.address;
            cell::run(address, *connections, Requests::Same(request.clone()), WARM).await?;
            let spent = cloud.server.cpu()?;
            let measured = cell::run(address, *connections, Requests::Same(request), options.cell).await?;
            let cpu = cloud.server.cpu()?.saturating_sub(spent);
            let line = Line {
                name: format!("LIST 1000 of {count} keys"),
                connections: *connections,
                bytes: 0,
                measured,
                cpu,
                bare: None,
                peer,
            };
            line.print();
        }
    }
    Ok(())
}

async fn fill(client: &Client, keys: std::ops::Range<usize>) -> Result<()> {
    let forever = Duration::from_secs(24 * 60 * 60);
    let mut next = keys.start;
    while next < keys.end {
        let numbers = next..keys.end.min(next + AHEAD);
        next = numbers.end;
        let puts = numbers.map(|number| client.s3("PUT", &format!("{BUCKET}/l/{number:08}"), "", &[], b"x"));
        let puts = Requests::Each(puts.collect::<Result<_>>()?);
        cell::run(client.address, FILLING, puts, forever).await?;
    }
    Ok(())
}

/// Files a second that one writer makes durable: written, flushed, renamed, the folder flushed.
fn disk(scratch: &Path, bytes: usize) -> Result<f64> {
    const TIME: Duration = Duration::from_secs(2);
    let folder = scratch.join("disk");
    std::fs::create_dir_all(&folder).map_err(while_doing("make a folder"))?;
    let (body, begun, mut count) = (noise(bytes), now(), 0_u32);
    while begun.elapsed() < TIME {
        let write = || {
            let (aside, place) = (folder.join("aside"), folder.join((count % 32).to_string()));
            let mut file = File::create(&aside)?;
            file.write_all(&body)?;
            file.sync_all()?;
            std::fs::rename(&aside, &place)?;
            File::open(&folder)?.sync_all()
        };
        write().map_err(while_doing("write to the disk"))?;
        count += 1;
    }
    let rate = f64::from(count) / begun.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder).map_err(while_doing("remove a folder"))?;
    Ok(rate)
}

impl Line {
    fn print(&self) {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let rate = self.measured.rate();
        let share = self
            .bare
            .map_or("-".to_owned(), |bare| format!("{:.0} %", 100.0 * rate / bare));
        let peer = self.peer.map_or("-".to_owned(), |peer| format!("{peer:.0}"));
        println!(
            "{:<30} {:>5} {rate:>9.0} {:>9.1} {:>9.0} {:>9.0} {:>9.1} {share:>8} {peer:>9}",
            self.name,
            self.connections,
            rate * self.bytes as f64 / 1e6,
            micros(self.measured.percentile(50)),
            micros(self.measured.percentile(99)),
            micros(self.cpu) / self.measured.calls.max(1) as f64,
        );
    }
}
