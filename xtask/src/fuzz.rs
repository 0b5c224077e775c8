//! `cargo xtask fuzz [SECONDS] [TARGET…]`: every fuzz target for some time, guided by coverage, on the stable compiler.
//!
//! Invariant: a finding fails the task and leaves its input in fuzz/artifacts, with the command that shows it again.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use crate::models::root;
use crate::test::{cargo, shown};

/// Seconds for each target unless told.
const SECONDS: u64 = 60;

/// What makes libFuzzer see branches and comparisons, and bugs end the run: options of the stable compiler.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "--cfg=fuzzing",
];

/// Runs the task.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let (seconds, names) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u64>().is_ok() => (first.parse().unwrap_or(SECONDS), rest),
        _ => (SECONDS, arguments),
    };
    let folder = root().join("fuzz");
    let mut targets: Vec<String> = fs::read_dir(folder.join("targets"))
        .map_err(|error| format!("fuzz/targets: {error}"))?
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .into_string()
                .ok()?
                .strip_suffix(".rs")
                .map(str::to_owned)
        })
        .collect();
    targets.sort();
    if let Some(unknown) = names.iter().find(|name| !targets.contains(name)) {
        return Err(format!(
            "there is no target {unknown}; there are {}",
            targets.join(", ")
        ));
    }
    targets.retain(|target| names.is_empty() || names.contains(target));
    let platform = platform()?;
    let mut build = cargo();
    build.args([
        "build",
        "--locked",
        "--release",
        "--manifest-path",
        "fuzz/Cargo.toml",
        "--bins",
        "--target",
        &platform,
    ]);
    build
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env("CARGO_TARGET_DIR", folder.join("target"));
    shown(&mut build)?;
    let built = folder.join("target").join(&platform).join("release");
    let findings: Vec<String> = targets
        .iter()
        .filter_map(|target| fuzz(&folder, &built, target, seconds).err())
        .collect();
    if findings.is_empty() {
        eprintln!("{} targets, {seconds} s each: no finding", targets.len());
        return Ok(());
    }
    Err(findings.join("\n"))
}

/// The platform that the compiler runs on: named, so that the flags reach no build script.
fn platform() -> Result<String, String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc -vV names no host".into())
}

fn fuzz(folder: &Path, built: &Path, target: &str, seconds: u64) -> Result<(), String> {
    let (corpus, seeds, artifacts) = (
        folder.join("corpus").join(target),
        folder.join("seeds").join(target),
        folder.join("artifacts").join(target),
    );
    for made in [&corpus, &artifacts] {
        fs::create_dir_all(made).map_err(|error| format!("{}: {error}", made.display()))?;
    }
    if target == "model" {
        seed_model(&corpus)?;
    }
    eprintln!("── {target}: {seconds} s");
    let mut command = Command::new(built.join(target));
    command.arg(&corpus);
    if seeds.is_dir() {
        command.arg(&seeds);
    }
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(format!("-max_total_time={seconds}"));
    // A decoder that takes seconds or hundreds of megabytes for some kilobytes is a finding too.
    command.args([
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-malloc_limit_mb=256",
        "-max_len=16384",
        "-print_final_stats=1",
    ]);
    shown(&mut command).map_err(|error| {
        format!(
            "{target}: a finding; its input is in {}\n  {error}",
            artifacts.display()
        )
    })
}

/// A real model, unpacked, to begin with: its folder of seeds would only repeat what models/ has.
fn seed_model(corpus: &Path) -> Result<(), String> {
    let path = root().join("models/resourcegroupstaggingapi.json.gz");
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let packed = fs::read(&path).map_err(failed)?;
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(packed.as_slice())
        .read_to_end(&mut text)
        .map_err(failed)?;
    fs::write(corpus.join("text"), text).map_err(failed)?;
    fs::write(corpus.join("packed"), packed).map_err(failed)
}
