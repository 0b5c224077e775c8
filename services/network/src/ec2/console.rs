//! What an instance wrote on its console.
//!
//! Source: Amazon EC2 API Reference, `GetConsoleOutput`.
//!
//! Invariant: the output is what the plane read, the last 64 KiB of it; nothing is made up for an instance that wrote nothing.

use api::ec2 as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline::{Access, Authorized, Call, Found, Look, Operation, Result};

use super::fault;
use super::instance::{self, Instance};

/// Gives the console's output.
pub struct GetConsoleOutput;

impl Operation for GetConsoleOutput {
    type Input = model::GetConsoleOutputRequest;
    type Output = model::GetConsoleOutputResult;
    type Target = Instance;
    const ACCESS: Access = Access::read("ec2:GetConsoleOutput");

    fn target(look: &mut Look<'_>, input: &Self::Input) -> Result<Found<Instance>> {
        instance::named(look, &input.instance_id)
    }

    fn handle(call: &mut Call<'_>, target: Authorized<Instance>, input: Self::Input) -> Result<Self::Output> {
        fault::dry_run(input.dry_run)?;
        // AWS shows the latest output only if `Latest` asks for it; here there is no other.
        let written = call.instances().ok().and_then(|plane| plane.console(&target.id));
        let (output, at) = written.map_or((None, None), |(bytes, at)| (Some(bytes), Some(at)));
        Ok(model::GetConsoleOutputResult {
            instance_id: Some(target.id.clone()),
            output: output.map(|bytes| STANDARD.encode(bytes)),
            timestamp: at.or(Some(call.now)),
        })
    }
}
