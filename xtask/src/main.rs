//! The tasks of the workspace, run as `cargo xtask TASK`: a table of names, nothing else.

mod authorization_reference;
mod bench;
mod bench_replay;
mod checklist;
mod codegen;
mod codegen_names;
mod fuzz;
mod global_infrastructure;
mod managed_policies;
mod models;
mod models_compact;
mod test;
mod test_judges;
mod tidy;
mod tidy_coverage;
mod tidy_crates;
mod tidy_licence;
mod tidy_markdown;
mod tidy_source;

use std::process::ExitCode;

/// A task takes the arguments after its name and says what went wrong in one line.
type Task = fn(&[String]) -> Result<(), String>;

const TASKS: &[(&str, &str, Task)] = &[
    (
        "models",
        "[--botocore DIR]: rewrites models/ and its index from the public API models",
        models::run,
    ),
    (
        "codegen",
        "[--check]: rewrites crates/api/src from the operations! lists of the services",
        codegen::run,
    ),
    (
        "managed-policies",
        "FILE: rewrites AWS's managed policies in services/identity/data",
        managed_policies::run,
    ),
    (
        "global-infrastructure",
        "REGIONS SERVICES DATE: rewrites AWS's regions, zones and endpoints in services/keys/data",
        global_infrastructure::run,
    ),
    (
        "authorization-reference",
        "FILE: rewrites the actions, resource types and condition keys of AWS in crates/policy/data",
        authorization_reference::run,
    ),
    (
        "coverage",
        "rewrites docs/coverage.md from the operations! lists and the models",
        tidy_coverage::run,
    ),
    (
        "tidy",
        "checks crates, licences, names, sizes and documents",
        tidy::run,
    ),
    (
        "test",
        "[STEP [ARGUMENT…]]: everything that decides whether a change is good",
        test::run,
    ),
    (
        "checklist",
        "[--missing]: which behaviour is shown by which test",
        checklist::run,
    ),
    (
        "bench",
        "start|calls [OPTION…]: the release build from outside: start, memory, rates, CPU",
        bench::run,
    ),
    (
        "fuzz",
        "[SECONDS] [TARGET…]: every fuzz target for some time",
        fuzz::run,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let task = arguments.split_first().and_then(|(name, rest)| {
        TASKS
            .iter()
            .find(|(task, ..)| task == name)
            .map(|(_, _, task)| (*task, rest))
    });
    let Some((task, rest)) = task else {
        for (name, about, _) in TASKS {
            eprintln!("cargo xtask {name} {about}");
        }
        return ExitCode::from(2);
    };
    match task(rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
