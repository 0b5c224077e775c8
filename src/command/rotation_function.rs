//! `ringwork rotation-function`: the deployment package of the functions that rotate the passwords of databases.

use std::path::Path;

use crate::arguments::RotationFunction;
use crate::error::Error;

pub(crate) fn run(options: &RotationFunction) -> Result<(), Error> {
    let file = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { doing, path, source }
    };
    let own = std::env::current_exe().map_err(file("find", Path::new("the program itself")))?;
    let program = std::fs::read(&own).map_err(file("read", &own))?;
    let package = rotation::package(&program).map_err(Error::Function)?;
    std::fs::write(&options.output, &package).map_err(file("write", &options.output))?;
    println!(
        "Wrote {} ({} MiB). Its handlers:",
        options.output.display(),
        package.len() >> 20
    );
    for (name, what) in rotation::HANDLERS {
        println!("  {name:<30} {what}");
    }
    Ok(())
}
