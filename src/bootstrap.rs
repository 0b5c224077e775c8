//! The binary as a function: started as `bootstrap` by Lambda, it rotates the passwords of databases.

use std::path::Path;
use std::time::SystemTime;

use rotation::Environment;

use crate::error::Error;

/// The environment of a function, if the binary was started as one; or what is wrong with it.
pub(crate) fn asked_for() -> Option<Result<Environment, rotation::Error>> {
    let program = std::env::args_os().next()?;
    let bootstrap = Path::new(&program).file_name()? == "bootstrap";
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").filter(|_| bootstrap)?;
    let variable = |name: &str| std::env::var(name).ok();
    Some(Environment::read(variable, |path| std::fs::read(path).ok(), now))
}

/// Serves the function's events until Lambda ends it.
pub(crate) fn run(environment: Result<Environment, rotation::Error>) -> Result<(), Error> {
    // One event at a time: a second thread would only cost memory, which functions have little of.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let served = environment.map(|environment| runtime.block_on(rotation::serve(environment)));
    served.and_then(|served| served).map_err(Error::Function)
}

/// Unix seconds.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
