//! Requests per second, latency, CPU and flushes per call, beside a bare server that answers as many bytes.
//!
//! Everything is on: an admin user's policies are judged, every call is recorded, flushed and sealed.

use serde_json::Value;
use std::path::Path;
use std::time::Duration;

use crate::cell::{self, Measured, Requests};
use crate::cloud::{Client, element};
use crate::connection::Connection;
use crate::process::{Credentials, Server};
use crate::{Options, Result, start, while_doing};

/// Before a cell is measured, so that caches and connections are warm.
const WARM: Duration = Duration::from_millis(500);
/// Keys that aliases are made for: a key has 50 at most.
const KEYS: usize = 1000;
const ALIASES_OF_A_KEY: usize = 50;
const PLAINTEXT_BYTES: usize = 1024;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    GetCallerIdentity,
    GetUser,
    Encrypt,
    CreateAlias,
}

const OPERATIONS: [(Operation, &str); 4] = [
    (Operation::GetCallerIdentity, "GetCallerIdentity"),
    (Operation::GetUser, "GetUser"),
    (Operation::Encrypt, "Encrypt 1 KiB"),
    (Operation::CreateAlias, "CreateAlias"),
];

/// A running cloud with an administrator.
pub(crate) struct Cloud {
    pub(crate) server: Server,
    root: Client,
    pub(crate) admin: Client,
    /// Ids of KMS keys.
    keys: Vec<String>,
    /// Aliases made so far.
    aliases: usize,
}

/// One line of the table.
struct Line<'a> {
    name: &'a str,
    connections: usize,
    measured: Measured,
    cpu: Duration,
    flushes: Option<u64>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let data = options.scratch.join("calls");
    start::clear(&data)?;
    let mut cloud = Cloud::start(&options.binary, &data).await?;
    println!(
        "{:<22} {:>5} {:>10} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "call", "conns", "calls/s", "p50 µs", "p99 µs", "CPU µs", "flushes", "of bare"
    );
    for (operation, name) in OPERATIONS {
        if options
            .only
            .as_deref()
            .is_some_and(|only| !name.starts_with(only))
        {
            continue;
        }
        for connections in &options.connections {
            if let Err(error) = cloud.pair(operation, name, *connections, options.cell).await {
                println!("{name:<22} {connections:>5} not measured: {error}");
            }
        }
    }
    cloud.server.stop()?;
    start::clear(&data)
}

impl Line<'_> {
    fn print(&self, bare: Option<f64>) {
        let calls = self.measured.calls.max(1) as f64;
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let flushes = self
            .flushes
            .map_or("-".to_owned(), |flushes| format!("{:.4}", flushes as f64 / calls));
        let share = bare.map_or("-".to_owned(), |bare| {
            format!("{:.0} %", 100.0 * self.measured.rate() / bare)
        });
        println!(
            "{:<22} {:>5} {:>10.0} {:>9.0} {:>9.0} {:>9.1} {flushes:>9} {share:>8}",
            self.name,
            self.connections,
            self.measured.rate(),
            micros(self.measured.percentile(50)),
            micros(self.measured.percentile(99)),
            micros(self.cpu) / calls,
        );
    }
}

impl Cloud {
    /// Starts the server, and makes an administrator by root's credentials.
    pub(crate) async fn start(binary: &Path, data: &Path) -> Result<Self> {
        let mut server = Server::ringwork(binary, data, None)?;
        let mut connection = server.connect().await?;
        let root = Client {
            address: server.address,
            credentials: Credentials::of_root(data)?,
        };
        let policy = "Action=AttachUserPolicy&UserName=admin&PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FAdministratorAccess";
        for parameters in ["Action=CreateUser&UserName=admin", policy] {
            expect(&mut connection, &root.iam(parameters)?).await?;
        }
        let body = expect(
            &mut connection,
            &root.iam("Action=CreateAccessKey&UserName=admin")?,
        )
        .await?;
        let read = |name: &str| {
            element(&body, name)
                .map(str::to_owned)
                .ok_or("CreateAccessKey answered no key")
        };
        let credentials = Credentials {
            access_key_id: read("AccessKeyId")?,
            secret_access_key: read("SecretAccessKey")?,
        };
        let admin = Client {
            address: server.address,
            credentials,
        };
        Ok(Self {
            server,
            root,
            admin,
            keys: Vec::new(),
            aliases: 0,
        })
    }

    /// Measures the bare server and Ringwork with the same requests, one after the other.
    async fn pair(
        &mut self,
        operation: Operation,
        name: &str,
        connections: usize,
        time: Duration,
    ) -> Result<()> {
        self.make_keys(operation).await?;
        let mut connection = Connection::open(self.server.address).await?;
        let sample = expect(&mut connection, &self.sample(operation)?).await?;
        drop(connection);
        let bare = Server::bare(sample.len())?;
        let request = self.sample(operation)?;
        cell::run(bare.address, connections, Requests::Same(request.clone()), WARM).await?;
        let spent = bare.cpu()?;
        let measured = cell::run(bare.address, connections, Requests::Same(request), time).await?;
        let cpu = bare.cpu()?.saturating_sub(spent);
        let line = Line {
            name: "  bare, same size",
            connections,
            measured,
            cpu,
            flushes: None,
        };
        let rate = line.measured.rate();
        drop(bare);

        let address = self.server.address;
        let warm = self.requests(operation, 2000)?;
        cell::run(address, connections, warm, WARM).await?;
        let requests = self.requests(operation, if connections == 1 { 8000 } else { 32_000 })?;
        let (spent, flushed) = (self.server.cpu()?, self.flushes().await?);
        let measured = cell::run(address, connections, requests, time).await?;
        let cpu = self.server.cpu()?.saturating_sub(spent);
        // The last report's own call is not the cell's.
        let flushes = self.flushes().await?.saturating_sub(flushed);
        Line {
            name,
            connections,
            measured,
            cpu,
            flushes: Some(flushes),
        }
        .print(Some(rate));
        line.print(None);
        Ok(())
    }

    /// What the store has flushed so far. The report itself is neither recorded nor flushed.
    async fn flushes(&self) -> Result<u64> {
        let mut connection = Connection::open(self.server.address).await?;
        let body = expect(&mut connection, &self.root.status()?).await?;
        let report: Value = serde_json::from_slice(&body).map_err(while_doing("read the status"))?;
        report
            .get("flushes")
            .and_then(Value::as_u64)
            .ok_or_else(|| "the status tells no flushes".to_owned())
    }

    /// One request of the operation.
    fn sample(&mut self, operation: Operation) -> Result<Vec<u8>> {
        match self.requests(operation, 1)? {
            Requests::Same(request) => Ok(request),
            Requests::Each(mut requests) | Requests::Own(mut requests) => {
                requests.pop().ok_or_else(|| "there are no keys left".to_owned())
            }
        }
    }

    /// Signed requests of an operation: `count` of them if no two may be alike.
    fn requests(&mut self, operation: Operation, count: usize) -> Result<Requests> {
        let first_key = self.keys.first().map_or("", String::as_str);
        Ok(match operation {
            Operation::GetCallerIdentity => Requests::Same(self.admin.caller_identity()?),
            Operation::GetUser => Requests::Same(self.admin.iam("Action=GetUser&UserName=admin")?),
            Operation::Encrypt => {
                // Base64 of that many zero bytes.
                let plaintext = format!("{}==", "A".repeat((PLAINTEXT_BYTES * 4).div_ceil(3)));
                let body = format!(r#"{{"KeyId":"{first_key}","Plaintext":"{plaintext}"}}"#);
                Requests::Same(self.admin.kms("Encrypt", &body)?)
            }
            Operation::CreateAlias => {
                // Neighbours are of different keys, so that calls in flight do not write the same row.
                let left = (self.keys.len() * ALIASES_OF_A_KEY).saturating_sub(self.aliases);
                let numbers = self.aliases..self.aliases + count.min(left);
                self.aliases = numbers.end;
                let requests = numbers.zip(self.keys.iter().cycle().skip(numbers_offset(
                    &self.keys,
                    self.aliases,
                    count.min(left),
                )));
                let requests = requests.map(|(number, key)| {
                    let body = format!(r#"{{"AliasName":"alias/bench-{number}","TargetKeyId":"{key}"}}"#);
                    self.admin.kms("CreateAlias", &body)
                });
                Requests::Each(requests.collect::<Result<_>>()?)
            }
        })
    }

    /// Makes the keys that an operation needs.
    async fn make_keys(&mut self, operation: Operation) -> Result<()> {
        let wanted = match operation {
            Operation::GetCallerIdentity | Operation::GetUser => 0,
            Operation::Encrypt => 1,
            Operation::CreateAlias => KEYS,
        };
        let mut connection = Connection::open(self.server.address).await?;
        while self.keys.len() < wanted {
            let body = expect(&mut connection, &self.admin.kms("CreateKey", "{}")?).await?;
            let answer: Value = serde_json::from_slice(&body).map_err(while_doing("read a key"))?;
            let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str);
            self.keys.push(id.ok_or("CreateKey answered no id")?.to_owned());
        }
        Ok(())
    }
}

/// Where in the cycle of keys the last `count` of `end` aliases begin.
fn numbers_offset(keys: &[String], end: usize, count: usize) -> usize {
    end.saturating_sub(count) % keys.len().max(1)
}

/// Sends a request that must be answered with 200.
pub(crate) async fn expect(connection: &mut Connection, request: &[u8]) -> Result<Vec<u8>> {
    let (status, body) = connection.exchange(request).await?;
    if status == 200 {
        return Ok(body.to_vec());
    }
    Err(format!(
        "answered {status}: {}",
        String::from_utf8_lossy(body).trim()
    ))
}
