//! `ringwork status`: what the server is and does.

use http::Method;

use super::client::Client;
use crate::arguments::Status;
use crate::control::StatusReport;
use crate::error::Error;

pub(crate) async fn run(options: &Status) -> Result<(), Error> {
    let client = Client::of(&options.server)?;
    let report: StatusReport = client
        .call(Method::GET, "/_ringwork/status", "", Vec::new())
        .await?;
    if options.json {
        return super::print_json(&report);
    }
    println!("Ringwork {} is running", report.version);
    println!("  endpoint    {}", report.endpoints.join(", "));
    if let Some(console) = &report.console {
        println!("  console     {console}");
    }
    println!("  data        {}", report.data);
    println!("  account     {}", report.account);
    println!("  engine      {}", report.engine);
    println!("  seal        {}", report.seal);
    let memory = if report.memory_locked {
        "locked, never swapped out"
    } else {
        "may be swapped out"
    };
    println!("  memory      {memory}");
    let clock = if report.clock.follows {
        "the wall's"
    } else {
        "moved"
    };
    println!(
        "  clock       {} ({clock}, rate {})",
        report.clock.now, report.clock.rate
    );
    println!("  operations  {}", report.operations);
    println!(
        "  store       version {}; since the start {} flushes, {} conflicts",
        report.version_of_store, report.flushes, report.conflicts
    );
    for setback in &report.setbacks {
        println!("  setback     {}", super::told(setback));
    }
    Ok(())
}
