//! `cargo xtask test`: everything that decides whether a change is good, fast to slow; it stops at the first red.
//!
//! Invariant: the steps need a Rust toolchain, a C compiler and Python 3; what else is used if it is there says so if it is not.

use std::process::Command;
use std::time::Instant;

use crate::models::root;
use crate::{test_judges, tidy};

/// What every step may use.
type Step = fn(&[String]) -> Result<(), String>;

/// The crate of the benchmarks pulls the peers that Ringwork is measured against, and is built only when asked for.
const WITHOUT_PEERS: [&str; 3] = ["--workspace", "--exclude", "benches"];

const STEPS: &[(&str, &str, Step)] = &[
    ("format", "cargo fmt --check, also of fuzz/", format),
    ("tidy", "crates, licences, names, sizes, documents", |_| {
        tidy::check()
    }),
    ("clippy", "libraries and binaries, all lints", clippy),
    ("clippy-tests", "tests, which may panic", clippy_tests),
    ("unit", "every crate's tests, in process", unit),
    (
        "doc",
        "the examples in the documentation of wire and policy",
        documentation,
    ),
    (
        "judges",
        "unmodified clients against the built binary [MODULE…]",
        test_judges::run,
    ),
];

/// Runs the task: all steps, or the one that is named, with its own arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let started = Instant::now();
    let chosen: Vec<_> = match arguments.split_first() {
        None => STEPS.iter().map(|step| (step, &[][..])).collect(),
        Some((name, rest)) => {
            let step = STEPS.iter().find(|(step, ..)| step == name);
            let step = step.ok_or_else(|| format!("there is no step {name}; there are:{}", listed()))?;
            vec![(step, rest)]
        }
    };
    let mut done = Vec::new();
    for ((name, about, step), arguments) in chosen {
        eprintln!("── {name}: {about}");
        let begun = Instant::now();
        if let Err(error) = step(arguments) {
            let passed = if done.is_empty() {
                "nothing".to_owned()
            } else {
                done.join(", ")
            };
            return Err(format!(
                "{error}\nFAILED at {name}; passed: {passed}; {} s",
                started.elapsed().as_secs()
            ));
        }
        done.push(format!("{name} {} s", begun.elapsed().as_secs()));
    }
    eprintln!(
        "PASSED: {}; {} s in all",
        done.join(", "),
        started.elapsed().as_secs()
    );
    Ok(())
}

fn listed() -> String {
    STEPS
        .iter()
        .map(|(name, about, _)| format!("\n  {name:12} {about}"))
        .collect()
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // What this task was started with must not reach the builds that it starts: a changed environment rebuilds them.
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with its output shown.
pub(crate) fn shown(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if status.success() {
        return Ok(());
    }
    let arguments: Vec<_> = command
        .get_args()
        .map(|argument| argument.to_string_lossy())
        .collect();
    Err(format!(
        "`{} {}` failed ({status})",
        command.get_program().display(),
        arguments.join(" ")
    ))
}

fn none(arguments: &[String]) -> Result<(), String> {
    if arguments.is_empty() {
        Ok(())
    } else {
        Err("this step takes no arguments".into())
    }
}

fn format(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    shown(cargo().args(["fmt", "--all", "--check"]))?;
    shown(cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))
}

fn clippy(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    shown(
        cargo()
            .args(["clippy", "--locked"])
            .args(WITHOUT_PEERS)
            .args(["--lib", "--bins", "--", "--deny", "warnings"]),
    )
}

fn clippy_tests(arguments: &[String]) -> Result<(), String> {
    /// What would be a crash in the server is a test's way to fail.
    const MAY: [&str; 12] = [
        "unwrap_used",
        "expect_used",
        "panic",
        "indexing_slicing",
        "string_slice",
        "unreachable",
        "todo",
        "print_stdout",
        "too_many_lines",
        "cast_possible_truncation",
        "cast_sign_loss",
        "await_holding_lock",
    ];
    none(arguments)?;
    let may = MAY
        .iter()
        .flat_map(|lint| ["--allow".to_owned(), format!("clippy::{lint}")]);
    shown(
        cargo()
            .args(["clippy", "--locked"])
            .args(WITHOUT_PEERS)
            .args(["--tests", "--", "--deny", "warnings"])
            .args(may),
    )
}

fn unit(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    let nextest = cargo()
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    if nextest {
        return shown(
            cargo()
                .args(["nextest", "run", "--locked", "--no-fail-fast"])
                .args(WITHOUT_PEERS),
        );
    }
    shown(
        cargo()
            .args(["test", "--locked"])
            .args(WITHOUT_PEERS)
            .args(["--lib", "--bins", "--tests"]),
    )
}

fn documentation(arguments: &[String]) -> Result<(), String> {
    none(arguments)?;
    shown(cargo().args([
        "test",
        "--locked",
        "--doc",
        "--package",
        "wire",
        "--package",
        "policy",
    ]))
}
