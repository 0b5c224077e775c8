//! The step `judges`: unmodified clients, pinned in an environment of their own, against the binary.
//!
//! Invariant: nothing is installed outside the target folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::models::root;
use crate::test::{cargo, shown};

/// Runs the step; arguments choose judges by name (`kms` for `judge_kms.py`) or by test (`judge_kms.Story.test_x`).
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    shown(cargo().args(["build", "--locked", "--package", "ringwork", "--bin", "ringwork"]))?;
    // The README's first command names no binary.
    shown(cargo().args(["run", "--locked", "--quiet", "--", "--version"]))?;
    let target = target()?;
    let binary = target
        .join("debug")
        .join(format!("ringwork{}", std::env::consts::EXE_SUFFIX));
    if !binary.is_file() {
        return Err(format!("{} was not built", binary.display()));
    }
    let python = environment(&target.join("judges"))?;
    let folder = root().join("tests/judges");
    let mut command = Command::new(python);
    // No bytecode in the source tree, and unknown warnings are errors of ours.
    command
        .current_dir(&folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("JUDGED_BINARY", &binary);
    command.args(["-W", "error::SyntaxWarning", "-m", "unittest"]);
    if arguments.is_empty() {
        command.args(["discover", "--start-directory", ".", "--pattern", "judge_*.py"]);
    } else {
        command.args(arguments.iter().map(|name| judge(name)));
    }
    command.arg("--verbose");
    shown(&mut command)
}

fn judge(name: &str) -> String {
    if name.starts_with("judge_") {
        name.to_owned()
    } else {
        format!("judge_{name}")
    }
}

/// Where cargo builds.
fn target() -> Result<PathBuf, String> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| error.to_string())?;
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    let target = metadata.get("target_directory").and_then(Value::as_str);
    target
        .map(PathBuf::from)
        .ok_or_else(|| "cargo metadata names no target folder".into())
}

/// Makes the Python environment with the pinned clients unless it is there, and says where its Python is.
fn environment(folder: &Path) -> Result<PathBuf, String> {
    let python = folder.join("bin/python");
    let stamp = folder.join("requirements.txt");
    let requirements = root().join("tests/judges/requirements.txt");
    let wanted = fs::read(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let fresh = fs::read(&stamp).is_ok_and(|installed| installed == wanted);
    let works = fresh
        && Command::new(&python)
            .args(["-c", "import botocore, boto3"])
            .status()
            .is_ok_and(|status| status.success());
    if works {
        return Ok(python);
    }
    eprintln!("   making the judges' Python environment in {}", folder.display());
    let base = ["python3", "python"].into_iter().find(|name| {
        let check = "import sys, venv; sys.exit(sys.version_info < (3, 10))";
        Command::new(name)
            .args(["-c", check])
            .status()
            .is_ok_and(|status| status.success())
    });
    let base = base.ok_or("the judges need Python 3.10 or newer with its module venv")?;
    shown(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder))?;
    let mut install = Command::new(&python);
    install.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--requirement",
    ]);
    shown(install.arg(&requirements))?;
    // Written last: an installation that broke off is made again.
    fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))?;
    Ok(python)
}
