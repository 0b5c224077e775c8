//! Which programs of this host run which of AWS's runtimes.
//!
//! Invariant: a program counts as found only after it ran and told its version.
//!
//! Source: Lambda Developer Guide, "Lambda runtimes".

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pipeline::functions::Runtime;
use tokio::process::Command;
use tokio::time::timeout;

use crate::jail::users::as_user;
use crate::jail::{FOLDERS, tools_path};

/// Time in which a program must tell its version.
const ASK_TIME: Duration = Duration::from_secs(10);
const PYTHONS: [&str; 8] = [
    "python3.14",
    "python3.13",
    "python3.12",
    "python3.11",
    "python3.10",
    "python3.9",
    "python3.8",
    "python3",
];
const NODE_ASK: &str = "const path = require('path'), program = fs.realpathSync(process.execPath); \
                        [process.versions.node, program, path.dirname(path.dirname(program))].join('\\n')";
const NODES: [&str; 2] = ["node", "nodejs"];

/// What runs a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    Python,
    Node,
    /// An executable of the function's own.
    Provided,
}

/// AWS's runtimes that are run here, with the version that their names ask for.
const RUNTIMES: [(&str, Language, (u32, u32)); 13] = [
    ("python3.9", Language::Python, (3, 9)),
    ("python3.10", Language::Python, (3, 10)),
    ("python3.11", Language::Python, (3, 11)),
    ("python3.12", Language::Python, (3, 12)),
    ("python3.13", Language::Python, (3, 13)),
    ("python3.14", Language::Python, (3, 14)),
    ("nodejs18.x", Language::Node, (18, 0)),
    ("nodejs20.x", Language::Node, (20, 0)),
    ("nodejs22.x", Language::Node, (22, 0)),
    ("nodejs24.x", Language::Node, (24, 0)),
    ("provided", Language::Provided, (0, 0)),
    ("provided.al2", Language::Provided, (0, 0)),
    ("provided.al2023", Language::Provided, (0, 0)),
];

/// A program that was asked for its version.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Program {
    /// Without links and scripts that stand in for it.
    path: PathBuf,
    /// The folder with all that it needs.
    prefix: PathBuf,
    version: (u32, u32),
    /// As the program says it.
    text: String,
}

/// The programs of a host.
#[derive(Clone, Default, Debug)]
pub(super) struct Host {
    pythons: Vec<Program>,
    nodes: Vec<Program>,
}

/// A runtime that can be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Usable {
    pub(super) language: Language,
    /// Empty for an executable of the function's own.
    pub(super) program: PathBuf,
    /// The folder of the program and its libraries.
    pub(super) prefix: PathBuf,
    /// `Python 3.11.7`.
    pub(super) version: String,
}

impl Host {
    /// Looks for programs in `folders`, then where systems have them, that run as `user`, if not as the server.
    pub(super) async fn inspect(folders: &[PathBuf], user: Option<u32>) -> Self {
        let mut all: Vec<PathBuf> = folders.to_vec();
        all.extend(FOLDERS.map(PathBuf::from));
        let mut host = Self::default();
        for name in PYTHONS {
            for folder in &all {
                let ask = "import os, sys; print('%d.%d.%d' % sys.version_info[:3], os.path.realpath(sys.executable), \
                           os.path.realpath(sys.base_prefix), sep='\\n')";
                if let Some(found) = program(&folder.join(name), &["-I", "-c", ask], user).await {
                    keep(&mut host.pythons, found, |found| found.version);
                }
            }
        }
        for name in NODES {
            for folder in &all {
                if let Some(found) = program(&folder.join(name), &["-p", NODE_ASK], user).await {
                    keep(&mut host.nodes, found, |found| (found.version.0, 0));
                }
            }
        }
        host.pythons.retain(|found| found.version >= (3, 8));
        host.nodes.retain(|found| found.version >= (18, 0));
        host
    }

    /// What runs a runtime here, or a sentence about what is lacking. A version that is not here is stood in for by the one that is
    /// nearest above it, or else by the newest.
    pub(super) fn runtime(&self, id: &str) -> Result<Usable, String> {
        let Some((_, language, wanted)) = RUNTIMES.iter().find(|(known, ..)| *known == id) else {
            return Err(format!(
                "The runtime {id} cannot be run here: only python3.9 and later, nodejs18.x and later and provided runtimes can."
            ));
        };
        let (programs, name) = match language {
            Language::Python => (&self.pythons, "Python 3.8 or later (python3)"),
            Language::Node => (&self.nodes, "Node.js 18 or later (node)"),
            Language::Provided => {
                return Ok(Usable {
                    language: *language,
                    program: PathBuf::new(),
                    prefix: PathBuf::new(),
                    version: id.to_owned(),
                });
            }
        };
        let above = programs.iter().filter(|found| found.version >= *wanted);
        let found = above
            .min_by_key(|found| found.version)
            .or_else(|| programs.iter().max_by_key(|found| found.version))
            .ok_or_else(|| format!("The runtime {id} needs {name}, which was not found on this host."))?;
        let name = if *language == Language::Python {
            "Python"
        } else {
            "Node.js"
        };
        Ok(Usable {
            language: *language,
            program: found.path.clone(),
            prefix: found.prefix.clone(),
            version: format!("{name} {}", found.text),
        })
    }

    /// Every runtime that can be run here at all, and what runs it on this host.
    pub(super) fn runtimes(&self) -> Vec<Runtime> {
        let told = |usable: Usable| match usable.language {
            Language::Provided => "the function's own bootstrap".to_owned(),
            Language::Python | Language::Node => format!("{} ({})", usable.version, usable.program.display()),
        };
        RUNTIMES
            .iter()
            .map(|(id, ..)| Runtime {
                id,
                found: self.runtime(id).map(told),
            })
            .collect()
    }
}

/// Keeps the first program of each version.
fn keep(found: &mut Vec<Program>, program: Program, version: impl Fn(&Program) -> (u32, u32)) {
    if !found.iter().any(|known| version(known) == version(&program)) {
        found.push(program);
    }
}

/// Runs a program with nothing of this process's environment: it must work in a sandbox.
async fn program(path: &Path, arguments: &[&str], user: Option<u32>) -> Option<Program> {
    if !path.exists() {
        return None;
    }
    let mut command = Command::new("/usr/bin/env");
    command.args(user.map(as_user).into_iter().flatten());
    let asked = command
        .arg(path)
        .args(arguments)
        .current_dir("/")
        .env_clear()
        .env("PATH", tools_path())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output();
    let answer = timeout(ASK_TIME, asked).await.ok()?.ok()?;
    let text = String::from_utf8(answer.stdout)
        .ok()
        .filter(|_| answer.status.success())?;
    let mut lines = text.lines();
    let (Some(version), Some(program), Some(prefix)) = (lines.next(), lines.next(), lines.next()) else {
        return None;
    };
    // A jail shows the folder, so it must be the program's own.
    if !program.starts_with(prefix) || Path::new(prefix).components().count() < 2 {
        return None;
    }
    let mut numbers = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    Some(Program {
        path: program.into(),
        prefix: prefix.into(),
        version: (major, minor),
        text: version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, version: (u32, u32)) -> Program {
        Program {
            path: path.into(),
            prefix: PathBuf::new(),
            version,
            text: format!("{}.{}.0", version.0, version.1),
        }
    }

    #[test]
    fn the_nearest_version_above_stands_in() {
        let host = Host {
            pythons: vec![found("/p11", (3, 11)), found("/p13", (3, 13))],
            nodes: vec![found("/n20", (20, 3))],
        };
        let runs = |id: &str| {
            host.runtime(id)
                .map(|usable| usable.program.display().to_string())
        };
        assert_eq!(runs("python3.9"), Ok("/p11".to_owned()));
        assert_eq!(runs("python3.12"), Ok("/p13".to_owned()));
        assert_eq!(runs("python3.14"), Ok("/p13".to_owned()));
        assert_eq!(runs("nodejs20.x"), Ok("/n20".to_owned()));
        assert_eq!(runs("provided.al2023"), Ok(String::new()));
        assert!(runs("java21").unwrap_err().contains("java21"));
        let lacking = Host::default().runtime("nodejs22.x").unwrap_err();
        assert!(lacking.contains("Node.js 18"), "{lacking}");
    }
}
