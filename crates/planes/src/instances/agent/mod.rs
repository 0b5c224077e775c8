//! The first process of an instance: it opens the ways out, runs user data at the first start, takes care of processes that others
//! left, and shuts the instance down.
//!
//! It is the server's own program, in the instance's namespaces and with nothing of the server's but the instance's sockets.
//!
//! Invariant: when the server is gone, so is this process, and with it everything in the instance.
//!
//! Source: Amazon EC2 User Guide, "Run commands when you launch an EC2 instance"; init of BusyBox for the signals.

mod files;
mod user_data;

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::unix::pipe;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::signal::unix::{Signal as Waited, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use super::link::{CONTROL, ENDPOINT, METADATA};

/// What the first process says once it is ready, and what it is told to end the instance.
pub(super) const READY: &str = "ready";
pub(super) const STOP: &str = "stop";
/// How it ends if the instance is to be started again.
pub(super) const REBOOTS: u8 = 75;
/// Where a view has the instance's sockets.
const LINK: &str = "/.instance/link";
const METADATA_ADDRESS: &str = "169.254.169.254:80";
/// Time for processes to end that were asked to.
const GRACE: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(20);

/// What the server tells the first process, in a line of JSON; user data follows.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) instance_id: String,
    /// With its domain.
    pub(super) hostname: String,
    /// Files that are an instance's own are made anew.
    pub(super) first: bool,
    /// Where the instance finds the server, if there is a way.
    pub(super) server: Option<SocketAddr>,
    /// For user data and for who logs in.
    pub(super) environment: Vec<(String, String)>,
    pub(super) user_data_bytes: usize,
}

/// Runs as the first process of an instance, and tells how that ended.
#[must_use]
pub fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended = runtime.and_then(|runtime| {
        let ended = runtime.block_on(live());
        // Whatever still waits has nobody to wait for.
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(ending) => ExitCode::from(ending),
        Err(error) => {
            say(&format!("The instance's first process failed: {error}"));
            ExitCode::from(1)
        }
    }
}

/// Writes a line to the console.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Signals that mean something to the first process.
struct Signals {
    child: Waited,
    halt: Waited,
    off: Waited,
    again: Waited,
}

async fn live() -> io::Result<u8> {
    let mut signals = Signals {
        child: signal(SignalKind::child())?,
        halt: signal(SignalKind::user_defined1())?,
        off: signal(SignalKind::user_defined2())?,
        again: signal(SignalKind::terminate())?,
    };
    let control = UnixStream::connect(Path::new(LINK).join(CONTROL)).await?;
    let (read, mut write) = control.into_split();
    let mut read = BufReader::new(read);
    let mut line = String::new();
    read.read_line(&mut line).await?;
    let hello: Hello = serde_json::from_str(&line)?;
    let mut given = Zeroizing::new(vec![0; hello.user_data_bytes]);
    read.read_exact(&mut given).await?;
    let metadata = TcpListener::bind(METADATA_ADDRESS).await?;
    tokio::spawn(forward(metadata, METADATA));
    if let Some(server) = hello.server {
        tokio::spawn(forward(TcpListener::bind(server).await?, ENDPOINT));
    }
    let console = pipe::OpenOptions::new()
        .read_write(true)
        .open_receiver("/dev/console")?;
    tokio::spawn(show(console));
    files::prepare(Path::new("/"), &hello)?;
    say(&format!("{} is up.", hello.instance_id));
    write.write_all(format!("{READY}\n").as_bytes()).await?;
    user_data::start_each_time(&hello.environment);
    let script = user_data::start(&given, &hello.environment);
    drop(given);
    let ending = tend(&mut signals, &mut read, script).await;
    if let Some(ending) = ending {
        end_processes(&mut signals.child).await;
        say(if ending == REBOOTS {
            "Rebooting."
        } else {
            "Powered off."
        });
        return Ok(ending);
    }
    Ok(1)
}

/// Until the instance is to end: how, or `None` if nobody is there any more.
async fn tend(
    signals: &mut Signals,
    control: &mut (impl tokio::io::AsyncBufRead + Unpin),
    mut script: Option<Pid>,
) -> Option<u8> {
    let mut line = String::new();
    loop {
        tokio::select! {
            biased;
            told = control.read_line(&mut line) => match told {
                Ok(count) if count > 0 && line.trim_end() == STOP => return Some(0),
                _ => return None,
            },
            _ = signals.child.recv() => reap(&mut script),
            _ = signals.halt.recv() => return Some(0),
            _ = signals.off.recv() => return Some(0),
            _ = signals.again.recv() => return Some(REBOOTS),
        }
    }
}

/// Takes leave of every process that has ended.
fn reap(script: &mut Option<Pid>) {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if script.take_if(|script| *script == pid).is_none() {
            continue;
        }
        match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => say("User data ended well."),
            (Some(code), _) => say(&format!("User data ended with exit code {code}.")),
            (None, signal) => say(&format!(
                "User data was ended by signal {}.",
                signal.unwrap_or_default()
            )),
        }
    }
}

/// Asks every process to end, and waits for a while until they have. The system kills the rest together with this one.
async fn end_processes(child: &mut Waited) {
    for pid in others() {
        let _ = kill_process(pid, Signal::TERM);
        // What is stopped hears nothing.
        let _ = kill_process(pid, Signal::CONT);
    }
    let end = Instant::now() + GRACE;
    loop {
        reap(&mut None);
        if others().is_empty() || Instant::now() > end {
            return;
        }
        tokio::select! {
            _ = child.recv() => {}
            () = sleep_until(Instant::now() + LOOK) => {}
        }
    }
}

/// All processes but this one.
fn others() -> Vec<Pid> {
    let found = fs::read_dir("/proc").into_iter().flatten().flatten();
    found
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != 1)
        .filter_map(Pid::from_raw)
        .collect()
}

/// Passes connections on to one of the instance's sockets.
async fn forward(listener: TcpListener, socket: &'static str) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(LOOK).await;
            continue;
        };
        tokio::spawn(pass(stream, socket));
    }
}

async fn pass(mut stream: TcpStream, socket: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut server = UnixStream::connect(Path::new(LINK).join(socket)).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

/// What is written to `/dev/console` goes where this process writes.
async fn show(mut console: pipe::Receiver) {
    let mut buffer = [0; 4096];
    while let Ok(count) = console.read(&mut buffer).await {
        let mut out = io::stdout().lock();
        let _ = out.write_all(buffer.get(..count).unwrap_or_default());
        let _ = out.flush();
    }
}
