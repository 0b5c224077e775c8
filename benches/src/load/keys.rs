//! Custody's calls per second: keys, secrets and parameters, beside what the way itself costs, and beside the bare cryptographic
//! library on one core, while all cores are at work as they are in the calls that it is compared to. The way is `GetCallerIdentity`,
//! which nobody is refused; that of signatures is `ListResourceTags` of the same key, a call that is decided by the same policies and
//! signs nothing.
//!
//! Everything is on: an admin user's policies and the key's are judged, every call is recorded, flushed and sealed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::Secret;
use crypto::kms::{
    Ciphertext, EncryptionContext, KeyMaterial, KeyPair, KeyReference, MaterialSpec, Message, PairSpec,
    SigningAlgorithm,
};
use serde_json::{Value, json};

use crate::calls::{Cloud, expect};
use crate::cell::{self, Measured, Requests};
use crate::connection::Connection;
use crate::process::now;
use crate::{Options, Result, start, while_doing};

/// How long the bare library is measured in a round.
const BARE: Duration = Duration::from_millis(25);
/// How often a call and its way take turns.
const ROUNDS: u32 = 20;
const PLAINTEXT: [u8; 32] = [7; 32];
const MESSAGE: [u8; 64] = [7; 64];
/// Requests that are signed ahead while the cloud is filled.
const AHEAD: usize = 20_000;
/// Connections that fill it.
const FILLING: usize = 32;
/// Keys and secrets of the first table.
const FEW: usize = 10;
/// Keys on a page of `ListKeys`, and as many different keys as calls are scattered over.
const PAGE: usize = 1000;
const SCATTERED: usize = 20_000;

/// Operations of the bare library per second and core, on as many cores at once.
type Library = Box<dyn Fn(usize) -> Result<f64>>;

/// One kind of call.
struct Kind {
    name: &'static str,
    request: Vec<u8>,
    /// What it is measured against.
    way: Vec<u8>,
    /// Where the call is an operation of the library.
    bare: Option<Library>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let data = options.scratch.join("keys");
    start::clear(&data)?;
    let cloud = Cloud::start(&options.binary, &data).await?;
    let kinds = kinds(&cloud).await?;
    if options.fill == 0 {
        measure(options, &cloud, &kinds).await?;
    } else {
        fill(&cloud, 0..FEW, secret).await?;
        // Pairs, and the key that Secrets Manager has for itself, encrypt nothing for anybody.
        let others = listed(&cloud).await?.into_iter().collect();
        fill(&cloud, 0..FEW, key).await?;
        println!("With {FEW} keys and secrets:");
        measure(options, &cloud, &kinds).await?;
        scattered(options, &cloud, FEW, &others).await?;
        let begun = now();
        fill(&cloud, FEW..options.fill.max(FEW), key).await?;
        fill(&cloud, FEW..options.fill.max(FEW), secret).await?;
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "\nWith {} keys and as many secrets, made in {seconds:.0} s:",
            options.fill
        );
        measure(options, &cloud, &kinds).await?;
        scattered(options, &cloud, options.fill.max(FEW), &others).await?;
    }
    cloud.server.stop()?;
    start::clear(&data)
}

async fn measure(options: &Options, cloud: &Cloud, kinds: &[Kind]) -> Result<()> {
    println!(
        "{:<28} {:>5} {:>10} {:>9} {:>9} {:>9} {:>8} {:>12} {:>9} {:>9}",
        "call", "conns", "calls/s", "p50 µs", "p99 µs", "CPU µs", "of way", "above way µs", "library/s", "µs"
    );
    for connections in &options.connections {
        for kind in kinds {
            let wanted = |only: &str| kind.name.starts_with(only);
            if options.only.as_deref().is_none_or(wanted) {
                compare(options, cloud, kind, *connections)
                    .await?
                    .print(kind, *connections);
            }
        }
    }
    Ok(())
}

/// A call, what it is measured against, and the library: each in turn and again, since the machine is not as fast in every second.
async fn compare(options: &Options, cloud: &Cloud, kind: &Kind, connections: usize) -> Result<Compared> {
    let mut compared = Compared::default();
    let slice = options.cell / ROUNDS;
    // Cores that are all at work are not as fast each as one alone.
    let cores = if connections > 1 { cores() } else { 1 };
    for round in 0..=ROUNDS {
        // The first is for warm caches.
        let mut unused = Compared::default();
        let into = if round == 0 { &mut unused } else { &mut compared };
        for (request, sum) in [(&kind.way, &mut into.way), (&kind.request, &mut into.call)] {
            let request = Requests::Same(request.clone());
            let spent = cloud.server.cpu()?;
            let measured = cell::run(cloud.server.address, connections, request, slice).await?;
            sum.cpu += cloud.server.cpu()?.saturating_sub(spent);
            sum.measured.push(measured);
        }
        if let Some(bare) = &kind.bare {
            into.library.push(bare(cores)?);
        }
    }
    Ok(compared)
}

/// What the rounds of one call come to.
#[derive(Default)]
struct Sum {
    measured: Vec<Measured>,
    cpu: Duration,
}

impl Sum {
    fn rate(&self) -> f64 {
        let calls: usize = self.measured.iter().map(|round| round.calls).sum();
        let elapsed: Duration = self.measured.iter().map(|round| round.elapsed).sum();
        calls as f64 / elapsed.as_secs_f64().max(1e-9)
    }

    /// Microseconds of a call.
    fn cpu(&self) -> f64 {
        let calls: usize = self.measured.iter().map(|round| round.calls).sum();
        self.cpu.as_secs_f64() * 1e6 / calls.max(1) as f64
    }

    /// Microseconds: the middle one of the rounds' percentiles.
    fn percentile(&self, percent: usize) -> f64 {
        let rounds = self
            .measured
            .iter()
            .map(|round| round.percentile(percent).as_secs_f64() * 1e6);
        middle(rounds.collect())
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

#[derive(Default)]
struct Compared {
    way: Sum,
    call: Sum,
    library: Vec<f64>,
}

impl Compared {
    fn print(&self, kind: &Kind, connections: usize) {
        let bare = if self.library.is_empty() {
            ("-".to_owned(), "-".to_owned())
        } else {
            let rate = middle(self.library.clone());
            (format!("{rate:.0}"), format!("{:.1}", 1e6 / rate))
        };
        println!(
            "{:<28} {connections:>5} {:>10.0} {:>9.0} {:>9.0} {:>9.1} {:>7.0}% {:>12.1} {:>9} {:>9}",
            kind.name,
            self.call.rate(),
            self.call.percentile(50),
            self.call.percentile(99),
            self.call.cpu(),
            100.0 * self.call.rate() / self.way.rate(),
            self.call.cpu() - self.way.cpu(),
            bare.0,
            bare.1,
        );
    }
}

/// Calls that go to any of the keys and secrets there are, and hardly ever twice to the same one: no cache of the few that are used shows here.
async fn scattered(options: &Options, cloud: &Cloud, count: usize, others: &BTreeSet<String>) -> Result<()> {
    let plaintext = STANDARD.encode(PLAINTEXT);
    let mut keys = listed(cloud).await?;
    keys.retain(|key| !others.contains(key));
    // A stride without a common factor meets all of them, in no order that anything is stored in.
    let places = |among: usize| (0..AHEAD).map(move |number| number * 7919 % among.max(1));
    let encrypt = places(keys.len()).filter_map(|place| keys.get(place));
    let encrypt = encrypt.map(|key| {
        let body = json!({ "KeyId": key, "Plaintext": plaintext });
        cloud.admin.json("kms", "Encrypt", &body.to_string())
    });
    let step = (count / AHEAD).max(1);
    let read = places(count).map(|place| {
        let body = json!({ "SecretId": format!("fill/{}", place * step % count) });
        cloud
            .admin
            .json("secretsmanager", "GetSecretValue", &body.to_string())
    });
    let kinds = [
        ("Encrypt, any key", encrypt.collect::<Result<Vec<_>>>()?),
        ("GetSecretValue, any secret", read.collect::<Result<Vec<_>>>()?),
    ];
    for (name, requests) in kinds {
        // A first use is noted, and keeps the policy that judged it.
        if let Some(most) = options.connections.iter().max() {
            once(cloud, name, *most, &requests).await?;
        }
        for connections in &options.connections {
            once(cloud, "  again", *connections, &requests).await?;
        }
    }
    Ok(())
}

/// Sends each request once.
async fn once(cloud: &Cloud, name: &str, connections: usize, requests: &[Vec<u8>]) -> Result<()> {
    const LONG: Duration = Duration::from_secs(60);
    let spent = cloud.server.cpu()?;
    let each = Requests::Each(requests.to_vec());
    let measured = cell::run(cloud.server.address, connections, each, LONG).await?;
    let cpu = cloud.server.cpu()?.saturating_sub(spent);
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{name:<28} {connections:>5} {:>10.0} {:>9.0} {:>9.0} {:>9.1}",
        measured.rate(),
        micros(measured.percentile(50)),
        micros(measured.percentile(99)),
        micros(cpu) / measured.calls.max(1) as f64,
    );
    Ok(())
}

/// Ids of keys, in the order of their names, which are random.
async fn listed(cloud: &Cloud) -> Result<Vec<String>> {
    let mut connection = Connection::open(cloud.server.address).await?;
    let (mut keys, mut marker) = (Vec::new(), None::<String>);
    while keys.len() < SCATTERED {
        let mut body = json!({ "Limit": PAGE });
        if let (Some(marker), Some(members)) = (&marker, body.as_object_mut()) {
            members.insert("Marker".to_owned(), marker.as_str().into());
        }
        let request = cloud.admin.json("kms", "ListKeys", &body.to_string())?;
        let answer = expect(&mut connection, &request).await?;
        let answer: Value = serde_json::from_slice(&answer).map_err(while_doing("read an answer"))?;
        let page = answer.get("Keys").and_then(Value::as_array).into_iter().flatten();
        keys.extend(page.filter_map(|key| Some(key.get("KeyId")?.as_str()?.to_owned())));
        marker = answer
            .get("NextMarker")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    Ok(keys)
}

/// What the calls need.
struct Furnished {
    key: String,
    curve: String,
    rsa: String,
    /// What `Encrypt` made of the plaintext.
    blob: String,
}

fn text(answer: &Value, path: &str) -> Result<String> {
    let found = answer.pointer(path).and_then(Value::as_str);
    Ok(found
        .ok_or_else(|| format!("an answer has no {path}"))?
        .to_owned())
}

async fn furnish(cloud: &Cloud) -> Result<Furnished> {
    let mut connection = Connection::open(cloud.server.address).await?;
    let mut ask = async |service: &str, operation: &str, body: Value| -> Result<Value> {
        let request = cloud.admin.json(service, operation, &body.to_string())?;
        let answer = expect(&mut connection, &request).await?;
        serde_json::from_slice(&answer).map_err(while_doing("read an answer"))
    };
    let mut keys = Vec::new();
    for (spec, usage) in [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
    ] {
        let made = ask("kms", "CreateKey", json!({ "KeySpec": spec, "KeyUsage": usage })).await?;
        keys.push(text(&made, "/KeyMetadata/KeyId")?);
    }
    let [key, curve, rsa] = <[String; 3]>::try_from(keys).map_err(|_| "three keys were made".to_owned())?;
    let plaintext = STANDARD.encode(PLAINTEXT);
    let made = ask("kms", "Encrypt", json!({ "KeyId": key, "Plaintext": plaintext })).await?;
    let blob = text(&made, "/CiphertextBlob")?;
    for number in 0..10 {
        let token = format!("{number:0>32}");
        let secret = json!({ "Name": format!("s{number}"), "SecretString": "a secret", "KmsKeyId": key, "ClientRequestToken": token });
        ask("secretsmanager", "CreateSecret", secret).await?;
    }
    let parameter = json!({ "Name": "/p", "Value": "a secret", "Type": "SecureString", "KeyId": key });
    ask("ssm", "PutParameter", parameter).await?;
    Ok(Furnished {
        key,
        curve,
        rsa,
        blob,
    })
}

/// Makes what the calls need, and signs one of each.
async fn kinds(cloud: &Cloud) -> Result<Vec<Kind>> {
    let Furnished {
        key,
        curve,
        rsa,
        blob,
    } = furnish(cloud).await?;
    let (plaintext, message) = (STANDARD.encode(PLAINTEXT), STANDARD.encode(MESSAGE));
    let ask =
        |service: &str, operation: &str, body: Value| cloud.admin.json(service, operation, &body.to_string());
    let sign = |name, key: &str, spec, algorithm, named: &str| -> Result<Kind> {
        let body = json!({ "KeyId": key, "Message": message, "SigningAlgorithm": named });
        Ok(Kind {
            name,
            request: ask("kms", "Sign", body)?,
            way: ask("kms", "ListResourceTags", json!({ "KeyId": key }))?,
            bare: Some(Bare::sign(spec, algorithm)?),
        })
    };
    let kind = |name, service: &str, operation: &str, body: Value, bare| -> Result<Kind> {
        Ok(Kind {
            name,
            request: ask(service, operation, body)?,
            way: cloud.admin.caller_identity()?,
            bare,
        })
    };
    let plain = json!({ "KeyId": key, "Plaintext": plaintext });
    let asked = json!({ "KeyId": key, "KeySpec": "AES_256" });
    let (opened, tags) = (json!({ "CiphertextBlob": blob }), json!({ "KeyId": curve }));
    let (secret, parameter) = (
        json!({ "SecretId": "s0" }),
        json!({ "Name": "/p", "WithDecryption": true }),
    );
    let (p256, pss) = (SigningAlgorithm::EcdsaSha256, SigningAlgorithm::PssSha256);
    Ok(vec![
        kind("Encrypt", "kms", "Encrypt", plain, Some(Bare::encrypt()?))?,
        kind("Decrypt", "kms", "Decrypt", opened, Some(Bare::decrypt()?))?,
        kind(
            "GenerateDataKey",
            "kms",
            "GenerateDataKey",
            asked,
            Some(Bare::encrypt()?),
        )?,
        kind("ListResourceTags", "kms", "ListResourceTags", tags, None)?,
        sign("Sign P-256", &curve, PairSpec::P256, p256, "ECDSA_SHA_256")?,
        sign(
            "Sign RSA-2048",
            &rsa,
            PairSpec::Rsa2048,
            pss,
            "RSASSA_PSS_SHA_256",
        )?,
        kind("GetSecretValue", "secretsmanager", "GetSecretValue", secret, None)?,
        kind(
            "GetParameter (SecureString)",
            "ssm",
            "GetParameter",
            parameter,
            None,
        )?,
    ])
}

/// The library without a server, on the generator's own core.
struct Bare {
    material: KeyMaterial,
    context: EncryptionContext,
    blob: Vec<u8>,
}

fn refused(error: crypto::Error) -> String {
    error.to_string()
}

impl Bare {
    fn new() -> Result<Self> {
        let key =
            KeyReference::new("000000000000", "01234567-89ab-cdef-0123-456789abcdef").map_err(refused)?;
        let material = KeyMaterial::generate(key, MaterialSpec::Symmetric).map_err(refused)?;
        let context = EncryptionContext::default();
        let blob = material.encrypt(&context, &PLAINTEXT).map_err(refused)?;
        Ok(Self {
            material,
            context,
            blob,
        })
    }

    fn encrypt() -> Result<Library> {
        let bare = Self::new()?;
        Ok(Box::new(move |cores| {
            rate(cores, || {
                bare.material.encrypt(&bare.context, &PLAINTEXT).map(|_| ())
            })
        }))
    }

    fn decrypt() -> Result<Library> {
        let bare = Self::new()?;
        let decrypt = move || {
            let ciphertext = Ciphertext::parse(&bare.blob)?;
            bare.material
                .decrypt(&ciphertext, &bare.context)
                .map(|_: Secret| ())
        };
        Ok(Box::new(move |cores| rate(cores, &decrypt)))
    }

    fn sign(spec: PairSpec, algorithm: SigningAlgorithm) -> Result<Library> {
        let private = KeyPair::generate(spec).map_err(refused)?;
        let pair = KeyPair::from_pkcs8(spec, &private).map_err(refused)?;
        Ok(Box::new(move |cores| {
            rate(cores, || pair.sign(algorithm, Message::Raw(&MESSAGE)).map(|_| ()))
        }))
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How often a second something can be done on each of some cores.
fn rate(cores: usize, once: impl Fn() -> crypto::Result<()> + Sync) -> Result<f64> {
    let alone = || {
        let (begun, mut count) = (now(), 0_u32);
        while begun.elapsed() < BARE {
            for _ in 0..16 {
                once().map_err(refused)?;
            }
            count += 16;
        }
        Ok(f64::from(count) / begun.elapsed().as_secs_f64())
    };
    let rates: Vec<Result<f64>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(alone)).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended
            .map(|rate| rate.unwrap_or_else(|_| Err("the library panicked".to_owned())))
            .collect()
    });
    let sum: f64 = rates.into_iter().sum::<Result<f64>>()?;
    Ok(sum / cores as f64)
}

/// Makes what these numbers stand for.
async fn fill(
    cloud: &Cloud,
    wanted: Range<usize>,
    make: impl Fn(&Cloud, usize) -> Result<Vec<u8>>,
) -> Result<()> {
    let forever = Duration::from_secs(24 * 60 * 60);
    let mut made = wanted.start;
    while made < wanted.end {
        let numbers = made..wanted.end.min(made + AHEAD);
        made = numbers.end;
        let requests = numbers.map(|number| make(cloud, number));
        let requests = Requests::Each(requests.collect::<Result<_>>()?);
        cell::run(cloud.server.address, FILLING, requests, forever).await?;
    }
    Ok(())
}

fn key(cloud: &Cloud, _number: usize) -> Result<Vec<u8>> {
    cloud.admin.json("kms", "CreateKey", "{}")
}

fn secret(cloud: &Cloud, number: usize) -> Result<Vec<u8>> {
    let token = format!("{number:0>32}");
    let body =
        json!({ "Name": format!("fill/{number}"), "SecretString": "a secret", "ClientRequestToken": token });
    cloud
        .admin
        .json("secretsmanager", "CreateSecret", &body.to_string())
}
