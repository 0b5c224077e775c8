//! The servers that are measured: started here, read through `/proc`, and ended when dropped.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::connection::Connection;
use crate::{Result, while_doing};

/// The unit of times in `/proc/PID/stat`: a hundredth of a second, on every Linux.
const TICK: Duration = Duration::from_millis(10);
/// A server that has not answered by then never will.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// When it was started.
    pub(crate) begun: Instant,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Root's credentials, as the server writes them beside its data.
#[derive(Deserialize)]
pub(crate) struct Credentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Credentials {
    pub(crate) fn of_root(data: &Path) -> Result<Self> {
        let bytes =
            fs::read(data.join("root-credentials.json")).map_err(while_doing("read root's credentials"))?;
        serde_json::from_slice(&bytes).map_err(while_doing("read root's credentials"))
    }
}

impl Server {
    /// Starts Ringwork on a data folder: durable and sealed, as it is without options.
    pub(crate) fn ringwork(binary: &Path, data: &Path, seed: Option<&Path>) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .arg("serve")
            .arg("--data")
            .arg(data)
            .arg("--listen")
            .arg(address.to_string());
        if let Some(seed) = seed {
            command.arg("--seed").arg(seed);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("RINGWORK_")) {
                command.env_remove(name);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let begun = now();
        let child = command.spawn().map_err(while_doing("start ringwork"))?;
        Ok(Self {
            child,
            address,
            begun,
        })
    }

    /// Starts another S3 server on an empty folder.
    pub(crate) fn peer(binary: &Path, data: &Path, credentials: &Credentials) -> Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(binary);
        command
            .args(["--host", &address.ip().to_string()])
            .args(["--port", &address.port().to_string()])
            .args(["--access-key", &credentials.access_key_id])
            .args(["--secret-key", &credentials.secret_access_key])
            .arg(data);
        // Its log of every request would be measured too.
        command
            .env("RUST_LOG", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = now();
        let child = command.spawn().map_err(while_doing("start the peer"))?;
        Ok(Self {
            child,
            address,
            begun,
        })
    }

    /// Starts this program's bare server.
    pub(crate) fn bare(body_bytes: usize) -> Result<Self> {
        let this = std::env::current_exe().map_err(while_doing("find this program"))?;
        let mut command = Command::new(this);
        command
            .args(["bare", "--bytes", &body_bytes.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let begun = now();
        let mut child = command.spawn().map_err(while_doing("start the bare server"))?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out)
                .read_line(&mut line)
                .map_err(while_doing("read the bare server's address"))?;
        }
        let address = line
            .trim()
            .parse()
            .map_err(while_doing("read the bare server's address"));
        // Made first, so that the child is ended whatever the address is.
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            begun,
        };
        server.address = address?;
        Ok(server)
    }

    /// Connects as soon as the server listens.
    pub(crate) async fn connect(&mut self) -> Result<Connection> {
        loop {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the server ended with {status}"));
            }
            if self.begun.elapsed() > START_TIME_MAX {
                return Err("the server does not listen".to_owned());
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id());
        fs::read_to_string(&path).map_err(while_doing(&path))
    }

    /// What the process has spent in user and system mode, in all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // Fields 14 and 15, counted behind the name, which may hold anything.
        let rest = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = rest
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u32>().unwrap_or(0));
        Ok(TICK * ticks.sum::<u32>())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most that it was, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        kib.ok_or_else(|| "/proc does not tell the resident memory".to_owned())
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .map_err(while_doing("stop the server"))?;
        let status = self.child.wait().map_err(while_doing("stop the server"))?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}"))
        }
    }
}

/// An address whose port was free a moment ago: nobody else on this machine is given it soon again.
fn free_address() -> Result<SocketAddr> {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.map_err(while_doing("find a free port"))
}

/// The moment, by the monotonic clock.
pub(crate) fn now() -> Instant {
    Instant::now()
}
