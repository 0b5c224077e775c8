//! The load generator behind `cargo xtask bench`: measures a built Ringwork from outside, as a process of its own.
//!
//! Invariant: it talks to the loopback only, signs before the clock runs, and is bounded in time.
#![expect(clippy::print_stdout, reason = "the tables are what this program is for")]

mod bare;
mod calls;
mod cell;
mod cloud;
mod connection;
mod keys;
mod peer;
mod process;
mod s3;
mod start;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What a measurement ends with; an error is one line for the reader.
type Result<T> = std::result::Result<T, String>;

/// Puts what was attempted before an error.
fn while_doing<E: Display>(what: &str) -> impl FnOnce(E) -> String + '_ {
    move |error| format!("{what}: {error}")
}

const USAGE: &str = "load start --binary FILE --scratch DIR [--repeats N] [--users N]
load calls --binary FILE --scratch DIR [--seconds N] [--connections N,N…] [--only OPERATION]
load keys --binary FILE --scratch DIR [--seconds N] [--connections N,N…] [--only CALL] [--fill N]
load s3 --binary FILE --scratch DIR [--seconds N] [--connections N,N…] [--only CALL] [--fill KEYS] [--peer FILE]
load bare --bytes N";

/// The options of every mode.
struct Options {
    binary: PathBuf,
    /// Where data folders are made.
    scratch: PathBuf,
    repeats: usize,
    users: usize,
    cell: Duration,
    connections: Vec<usize>,
    only: Option<String>,
    bytes: usize,
    /// Keys, and secrets, that are made before the second table; keys of the bucket that is listed.
    fill: usize,
    /// The binary of `s3s-fs`, measured beside ours.
    peer: Option<PathBuf>,
}

fn number(text: &str) -> Result<usize> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            binary: PathBuf::new(),
            scratch: PathBuf::new(),
            repeats: 15,
            users: 100_000,
            cell: Duration::from_secs(5),
            connections: vec![1, 32],
            only: None,
            bytes: 0,
            fill: 0,
            peer: None,
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} takes a value"))?;
            match name.as_str() {
                "--binary" => options.binary = value.into(),
                "--scratch" => options.scratch = value.into(),
                "--repeats" => options.repeats = number(&value)?.max(1),
                "--users" => options.users = number(&value)?,
                "--seconds" => options.cell = Duration::from_secs(number(&value)?.clamp(1, 600) as u64),
                "--connections" => {
                    options.connections = value.split(',').map(number).collect::<Result<_>>()?;
                }
                "--only" => options.only = Some(value),
                "--fill" => options.fill = number(&value)?,
                "--peer" => options.peer = Some(value.into()),
                "--bytes" => options.bytes = number(&value)?,
                _ => return Err(format!("there is no option {name}\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn run() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().ok_or(USAGE)?;
    let options = Options::parse(arguments)?;
    if mode == "bare" {
        return bare::serve(options.bytes);
    }
    // One thread: the generator must leave the machine to the server that it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(while_doing("start the runtime"))?;
    let local = tokio::task::LocalSet::new();
    match mode.as_str() {
        "start" => local.block_on(&runtime, start::run(&options)),
        "keys" => local.block_on(&runtime, keys::run(&options)),
        "s3" => local.block_on(&runtime, s3::run(&options)),
        "calls" => local.block_on(&runtime, calls::run(&options)),
        _ => Err(USAGE.to_owned()),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}
