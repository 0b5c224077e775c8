//! The runner of functions: real processes, over Lambda's Runtime API, with the runtimes that this host has.
//!
//! `pool` finds a sandbox for each run or has `starting` make one, `sandbox` is the life of one and `ending` how its runs end, `runtime_api` what it speaks, `process`, `ground` and `jail` how it
//! is shut in, `host` what runs it, `archive` its code, `log` what it wrote, `system_log` what the runner writes into that.
//!
//! Invariant: a function runs in processes of its own, which are gone when the server has stopped, or before the next one runs any.

mod archive;
mod ending;
mod ground;
mod host;
mod jail;
mod log;
mod pool;
mod process;
mod runtime_api;
mod sandbox;
mod starting;
mod system_log;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use pipeline::functions::{Ended, Functions, Invocation, LogLine, Runtime};

use wire::Timestamp;

use self::ground::Confinement;
use self::host::Host;
use self::pool::Runner;

/// Where functions find this Ringwork.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `http://127.0.0.1:4566`: their `AWS_ENDPOINT_URL`.
    pub url: String,
    /// The certificate of its authority in PEM, if the endpoint speaks TLS: their `AWS_CA_BUNDLE`.
    pub authority: Option<String>,
}

/// Runs functions in processes of this host.
pub struct Sandboxes(Arc<Runner>);

impl Sandboxes {
    /// Begins with nothing in `folder`, which is the runner's own: what a killed server left there ends and is removed. Programs are
    /// looked for in `search` first. `unconfined` lets functions run with the server's rights where nothing shuts them in.
    ///
    /// # Errors
    /// The folder's.
    pub fn open(folder: &Path, search: Vec<PathBuf>, unconfined: bool) -> io::Result<Self> {
        Runner::open(folder, search, unconfined).map(|runner| Self(Arc::new(runner)))
    }

    /// Tells the functions that start from now on where to find this Ringwork.
    pub fn serve_at(&self, endpoint: Endpoint) {
        self.0.serve_at(endpoint);
    }

    /// Ends all functions, with what they are doing, and removes what they left.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}

impl Functions for Sandboxes {
    fn holds(&self, code_sha256: &str) -> bool {
        self.0.holds(code_sha256)
    }

    fn waits(&self, function_arn: &str, configuration: &str, until: Timestamp) -> bool {
        self.0.waits(function_arn, configuration, until)
    }

    fn invoke<'a>(&'a self, invocation: &'a Invocation) -> Pin<Box<dyn Future<Output = Ended> + Send + 'a>> {
        Box::pin(self.0.invoke(invocation))
    }

    fn log(&self, function_arn: &str) -> Vec<LogLine> {
        self.0.log(function_arn)
    }
}

/// What a host has for functions.
pub struct Inspected {
    /// Every runtime that can be run at all, and what runs it.
    pub runtimes: Vec<Runtime>,
    /// How functions are shut in; an error says why they cannot be.
    pub isolation: Result<String, String>,
}

/// Looks at the host, for `ringwork doctor`. Programs are looked for in `search` first; `scratch` is an existing folder of the caller's.
pub async fn inspect(search: &[PathBuf], scratch: &Path) -> Inspected {
    let isolation = Confinement::found(scratch).await;
    let user = isolation.as_ref().ok().and_then(Confinement::user_outside);
    Inspected {
        runtimes: Host::inspect(search, user).await.runtimes(),
        isolation: isolation.map(|found| match found {
            Confinement::Users { lacking, .. } => format!("each function as a user of its own: {lacking}"),
            jail if jail.user(0).is_some() => {
                "each function in namespaces of its own, as a user of its own".to_owned()
            }
            Confinement::Jail(_) | Confinement::Nothing => {
                "each function in namespaces of its own, as the server's user outside of them".to_owned()
            }
        }),
    }
}
