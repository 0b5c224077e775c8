//! `cargo xtask bench start|calls|keys|s3|replay`: builds the release binary and the load generator, and lets the one measure the other.
//!
//! Invariant: what is measured is what is built: nothing is taken from an earlier build.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bench_replay;
use crate::models::root;
use crate::test::{cargo, shown};

const USAGE: &str = "start [--repeats N] [--users N] | calls [--seconds N] [--connections N,N…] [--only OPERATION] | keys [--seconds N] [--connections N,N…] [--only CALL] [--fill N] | s3 [--seconds N] [--connections N,N…] [--only CALL] [--fill KEYS] [--no-peer] | replay [--events N]";

const NO_PEER: &str = "--no-peer";
/// The newest that the pinned compiler builds.
const PEER_VERSION: &str = "0.14.1";

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if !matches!(
        arguments.first().map(String::as_str),
        Some("start" | "calls" | "keys" | "s3" | "replay")
    ) {
        return Err(format!("cargo xtask bench takes {USAGE}"));
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut build = cargo();
    build.args([
        "build",
        "--locked",
        "--release",
        "--package",
        "ringwork",
        "--package",
        "benches",
        "--bins",
    ]);
    shown(&mut build)?;
    let built = target.join("release");
    let scratch = target.join("bench");
    fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
    if let Some((task, rest)) = arguments.split_first()
        && task == "replay"
    {
        return bench_replay::run(rest, &built.join("ringwork"), &scratch);
    }
    let beside =
        arguments.first().is_some_and(|task| task == "s3") && !arguments.iter().any(|word| word == NO_PEER);
    let mut load = std::process::Command::new(built.join("load"));
    load.args(arguments.iter().filter(|word| *word != NO_PEER))
        .arg("--binary")
        .arg(built.join("ringwork"))
        .arg("--scratch")
        .arg(&scratch);
    if beside {
        load.arg("--peer").arg(peer(&scratch)?);
    }
    shown(&mut load)
}

/// Builds the S3 server that ours is measured beside, with a target folder and a root of its own.
fn peer(scratch: &Path) -> Result<PathBuf, String> {
    let root = scratch.join("peer");
    let mut install = cargo();
    install
        .args(["install", "s3s-fs", "--version", PEER_VERSION])
        .args(["--locked", "--features", "binary", "--root"])
        .arg(&root)
        .arg("--target-dir")
        .arg(scratch.join("peer-build"));
    shown(&mut install)?;
    Ok(root.join("bin").join("s3s-fs"))
}
