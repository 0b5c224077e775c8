//! The runner of EC2 instances, as this server starts it, and what it asks and tells: the credentials of instances' roles, and that
//! instances have ended by themselves.
//!
//! Invariant: what the runner asks is answered by the pipeline, in a transaction with its records, like a call.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Weak};

use network::ec2::instance::PRINCIPAL;
use network::ec2::{credentials, work};
use pipeline::Gateway;
use pipeline::instances::{Attendant, Delivery, Doing, Ending, InstanceRef, Instances as _, Profile};
use planes::functions::Endpoint;
use planes::instances::{Agent, Machines};

use crate::error::Error;
use crate::folder::Folder;

/// The first argument of this program where it is the first process of an instance.
const AGENT: &str = "instance-agent";

/// Whether this program was started as the first process of an instance.
pub(crate) fn is_agent() -> bool {
    std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == AGENT)
        && Path::new("/.instance/link/control").exists()
}

/// This program, as instances run it first.
pub(crate) fn agent() -> Result<Agent, Error> {
    let program = std::env::current_exe().map_err(|source| Error::File {
        doing: "find this program",
        path: "/proc/self/exe".into(),
        source,
    })?;
    Ok(Agent {
        program,
        arguments: vec![OsString::from(AGENT)],
    })
}

/// The runner, with nothing running yet.
pub(crate) fn open(folder: &Folder) -> Result<Arc<Machines>, Error> {
    let place = folder.instances();
    let opened = Machines::open(&place, agent()?);
    opened.map(Arc::new).map_err(|source| Error::File {
        doing: "prepare the folder of instances",
        path: place,
        source,
    })
}

/// Lets the runner ask and be reached, and plans the start of the instances that ran when the last server ended.
pub(crate) fn begin(machines: &Machines, gateway: &Arc<Gateway>, endpoint: Endpoint) -> pipeline::Result<()> {
    machines.serve_at(endpoint);
    machines.attend(Arc::new(Attends(Arc::downgrade(gateway))));
    gateway.system("us-east-1", work::resume).map(|_| ())
}

/// The gateway holds the runner, and the runner this.
struct Attends(Weak<Gateway>);

impl Attendant for Attends {
    fn profile<'a>(
        &'a self,
        instance: &'a InstanceRef,
        delivery: Delivery,
    ) -> Doing<'a, pipeline::Result<Option<Profile>>> {
        Box::pin(async move {
            let Some(gateway) = self.0.upgrade() else {
                return Ok(None);
            };
            let place = (instance.account.as_str(), instance.region.as_str());
            let told = gateway.by_itself(("ec2", PRINCIPAL), place, |call| {
                credentials::profile(call, instance, delivery)
            });
            told.await.inspect_err(|fault| {
                let error = Error::fault(fault).chain();
                eprintln!(
                    "ringwork: the credentials of {} could not be issued: {error}",
                    instance.instance_id
                );
            })
        })
    }

    fn ended<'a>(&'a self, instance: &'a InstanceRef, ending: Ending) -> Doing<'a, ()> {
        Box::pin(async move {
            let Some(gateway) = self.0.upgrade() else {
                return;
            };
            let place = (instance.account.as_str(), instance.region.as_str());
            let noted = gateway.by_itself(("ec2", PRINCIPAL), place, |call| {
                work::ended(call, instance, &ending)
            });
            if let Err(fault) = noted.await {
                let error = Error::fault(&fault).chain();
                eprintln!(
                    "ringwork: the end of {} could not be noted: {error}",
                    instance.instance_id
                );
            }
        })
    }
}
