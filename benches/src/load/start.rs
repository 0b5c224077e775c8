//! How long Ringwork takes from its start to the first authenticated answer, and what memory it then holds.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::cell::{self, Requests};
use crate::cloud::Client;
use crate::process::{Credentials, Server};
use crate::{Options, Result, while_doing};

/// The server is let alone for this long before its memory is read, so that what it does after an answer is in it.
const IDLE: Duration = Duration::from_millis(300);
/// Connections that make users, fewer than there are accounts: users of one account are counted in one row.
const MAKERS: usize = 16;
/// Users that the API makes in one account: its quota, less the one who makes them.
const USERS_OF_AN_ACCOUNT: usize = 4999;
/// Users of one burst: signed at once, made at once.
const BURST: usize = 5000;

/// One start.
struct Started {
    answered: Duration,
    resident_kib: u64,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    println!(
        "start to the first authenticated answer (GetCallerIdentity); resident memory {} ms later",
        IDLE.as_millis()
    );
    println!(
        "{:<26} {:>8} {:>10} {:>10} {:>11} {:>11}",
        "data folder", "repeats", "median ms", "worst ms", "median MiB", "worst MiB"
    );
    let fresh = options.scratch.join("fresh");
    let mut starts = Vec::new();
    for _ in 0..options.repeats {
        clear(&fresh)?;
        starts.push(once(&options.binary, &fresh).await?);
    }
    clear(&fresh)?;
    report("fresh", starts);
    if options.users == 0 {
        return Ok(());
    }
    let full = options.scratch.join(format!("users-{}", options.users));
    fill(options, &full).await?;
    let mut starts = Vec::new();
    for _ in 0..options.repeats {
        starts.push(once(&options.binary, &full).await?);
    }
    report(&format!("{} users", options.users), starts);
    Ok(())
}

fn report(name: &str, mut starts: Vec<Started>) {
    let middle = starts.len() / 2;
    starts.sort_unstable_by_key(|start| start.answered);
    let (median, worst) = (starts.get(middle), starts.last());
    let milliseconds =
        |start: Option<&Started>| start.map_or(0.0, |start| start.answered.as_secs_f64() * 1e3);
    let times = (milliseconds(median), milliseconds(worst));
    starts.sort_unstable_by_key(|start| start.resident_kib);
    let (median, worst) = (starts.get(middle), starts.last());
    let mebibytes = |start: Option<&Started>| start.map_or(0.0, |start| start.resident_kib as f64 / 1024.0);
    let memory = (mebibytes(median), mebibytes(worst));
    println!(
        "{name:<26} {:>8} {:>10.1} {:>10.1} {:>11.1} {:>11.1}",
        starts.len(),
        times.0,
        times.1,
        memory.0,
        memory.1
    );
}

/// Removes a data folder of ours, with the key file that lies beside it.
pub(crate) fn clear(data: &Path) -> Result<()> {
    if data.exists() {
        fs::remove_dir_all(data).map_err(while_doing("remove a data folder"))?;
    }
    let key = data.with_extension("key");
    if key.exists() {
        fs::remove_file(&key).map_err(while_doing("remove a key file"))?;
    }
    Ok(())
}

async fn once(binary: &Path, data: &Path) -> Result<Started> {
    let mut server = Server::ringwork(binary, data, None)?;
    let mut connection = server.connect().await?;
    let client = Client {
        address: server.address,
        credentials: Credentials::of_root(data)?,
    };
    let (status, body) = connection.exchange(&client.caller_identity()?).await?;
    let answered = server.begun.elapsed();
    if status != 200 {
        return Err(format!("answered {status}: {}", String::from_utf8_lossy(body)));
    }
    tokio::time::sleep(IDLE).await;
    let resident_kib = server.resident_kib()?;
    server.stop()?;
    Ok(Started {
        answered,
        resident_kib,
    })
}

/// Makes the folder with many users, through the API, unless it is there from an earlier run.
async fn fill(options: &Options, data: &Path) -> Result<()> {
    let complete = data.join("bench-complete");
    if complete.exists() {
        return Ok(());
    }
    clear(data)?;
    let makers: Vec<Credentials> = (0..options.users.div_ceil(USERS_OF_AN_ACCOUNT))
        .map(maker)
        .collect();
    let seed = options.scratch.join("seed.yaml");
    fs::write(&seed, seed_of(&makers)).map_err(while_doing("write the seed"))?;
    let mut server = Server::ringwork(&options.binary, data, Some(&seed))?;
    drop(server.connect().await?);
    let address = server.address;
    let makers: Vec<_> = makers
        .into_iter()
        .map(|credentials| Client { address, credentials })
        .collect();
    // Neighbours are of different accounts.
    let mut users = (0..options.users).zip(makers.iter().cycle());
    let mut made = 0;
    while made < options.users {
        let burst = users.by_ref().take(BURST).map(|(number, maker)| {
            maker.iam(&format!(
                "Action=CreateUser&UserName=user-{number:07}&Path=/bench/"
            ))
        });
        let requests: Vec<_> = burst.collect::<Result<_>>()?;
        made += requests.len();
        cell::run(
            address,
            MAKERS,
            Requests::Each(requests),
            Duration::from_secs(600),
        )
        .await?;
        eprintln!("{made} of {} users", options.users);
    }
    server.stop()?;
    fs::write(complete, b"").map_err(while_doing("mark the data folder"))
}

/// The key of the one who makes the users of an account. It opens nothing but a folder of this program's own.
fn maker(number: usize) -> Credentials {
    Credentials {
        access_key_id: format!("AKIABENCH{number:011}"),
        secret_access_key: format!("{number:040}"),
    }
}

fn seed_of(makers: &[Credentials]) -> String {
    let accounts = makers.iter().enumerate().map(|(number, maker)| {
        let Credentials { access_key_id: id, secret_access_key: secret } = maker;
        format!(
            "- id: \"{:012}\"\n  users:\n  - name: maker\n    policies: [\"arn:aws:iam::aws:policy/AdministratorAccess\"]\n    \
             access_keys: [{{id: {id}, secret: \"{secret}\"}}]\n",
            number + 1
        )
    });
    format!("accounts:\n{}", accounts.collect::<String>())
}
