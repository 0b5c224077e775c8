//! Custody's calls per second: keys, secrets and parameters, beside `GetCallerIdentity`, which shows what the way itself costs, and
//! beside the bare cryptographic library on one core.
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
use crate::cell::{self, Requests};
use crate::connection::Connection;
use crate::process::now;
use crate::{Options, Result, start, while_doing};

/// Before a cell is measured, so that caches and connections are warm.
const WARM: Duration = Duration::from_millis(500);
/// How long the bare library is measured.
const BARE: Duration = Duration::from_millis(500);
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

/// One kind of call.
struct Kind {
    name: &'static str,
    request: Vec<u8>,
    /// Operations of the bare library per second, where the call is one of them.
    bare: Option<f64>,
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
        "{:<28} {:>5} {:>10} {:>9} {:>9} {:>9} {:>9} {:>12} {:>10}",
        "call", "conns", "calls/s", "p50 µs", "p99 µs", "CPU µs", "of way", "library/s", "library µs"
    );
    for connections in &options.connections {
        let mut way = None;
        for kind in kinds {
            let wanted = options
                .only
                .as_deref()
                .is_none_or(|only| kind.name.starts_with(only));
            if !wanted && way.is_some() {
                continue;
            }
            let address = cloud.server.address;
            cell::run(address, *connections, Requests::Same(kind.request.clone()), WARM).await?;
            let spent = cloud.server.cpu()?;
            let measured = cell::run(
                address,
                *connections,
                Requests::Same(kind.request.clone()),
                options.cell,
            )
            .await?;
            let cpu = cloud.server.cpu()?.saturating_sub(spent);
            let rate = measured.rate();
            let way = *way.get_or_insert(rate);
            let micros = |time: Duration| time.as_secs_f64() * 1e6;
            let bare = kind.bare.map_or(("-".to_owned(), "-".to_owned()), |bare| {
                (format!("{bare:.0}"), format!("{:.1}", 1e6 / bare))
            });
            println!(
                "{:<28} {connections:>5} {rate:>10.0} {:>9.0} {:>9.0} {:>9.1} {:>8.0}% {:>12} {:>10}",
                kind.name,
                micros(measured.percentile(50)),
                micros(measured.percentile(99)),
                micros(cpu) / measured.calls.max(1) as f64,
                100.0 * rate / way,
                bare.0,
                bare.1,
            );
        }
    }
    Ok(())
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
        for connections in &options.connections {
            let each = Requests::Each(requests.clone());
            let spent = cloud.server.cpu()?;
            let measured = cell::run(cloud.server.address, *connections, each, options.cell).await?;
            let cpu = cloud.server.cpu()?.saturating_sub(spent);
            let micros = |time: Duration| time.as_secs_f64() * 1e6;
            println!(
                "{name:<28} {connections:>5} {:>10.0} {:>9.0} {:>9.0} {:>9.1}",
                measured.rate(),
                micros(measured.percentile(50)),
                micros(measured.percentile(99)),
                micros(cpu) / measured.calls.max(1) as f64,
            );
        }
    }
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
    let bare = Bare::new()?;
    let kind = |name, service: &str, operation: &str, body: Value, bare| -> Result<Kind> {
        let request = cloud.admin.json(service, operation, &body.to_string())?;
        Ok(Kind { name, request, bare })
    };
    let sign = |key: &str, algorithm: &str| json!({ "KeyId": key, "Message": message, "SigningAlgorithm": algorithm });
    let plain = json!({ "KeyId": key, "Plaintext": plaintext });
    let (opened, asked) = (
        json!({ "CiphertextBlob": blob }),
        json!({ "KeyId": key, "KeySpec": "AES_256" }),
    );
    let (on_curve, by_rsa) = (sign(&curve, "ECDSA_SHA_256"), sign(&rsa, "RSASSA_PSS_SHA_256"));
    let parameter = json!({ "Name": "/p", "WithDecryption": true });
    let curve = bare.sign(PairSpec::P256, SigningAlgorithm::EcdsaSha256)?;
    let rsa = bare.sign(PairSpec::Rsa2048, SigningAlgorithm::PssSha256)?;
    Ok(vec![
        Kind {
            name: "GetCallerIdentity (the way)",
            request: cloud.admin.caller_identity()?,
            bare: None,
        },
        kind("Encrypt", "kms", "Encrypt", plain, Some(bare.encrypt()?))?,
        kind("Decrypt", "kms", "Decrypt", opened, Some(bare.decrypt()?))?,
        kind(
            "GenerateDataKey",
            "kms",
            "GenerateDataKey",
            asked,
            Some(bare.encrypt()?),
        )?,
        kind("Sign P-256", "kms", "Sign", on_curve, Some(curve))?,
        kind("Sign RSA-2048", "kms", "Sign", by_rsa, Some(rsa))?,
        kind(
            "GetSecretValue",
            "secretsmanager",
            "GetSecretValue",
            json!({ "SecretId": "s0" }),
            None,
        )?,
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

    fn encrypt(&self) -> Result<f64> {
        rate(|| self.material.encrypt(&self.context, &PLAINTEXT).map(|_| ()))
    }

    fn decrypt(&self) -> Result<f64> {
        rate(|| {
            let ciphertext = Ciphertext::parse(&self.blob)?;
            self.material
                .decrypt(&ciphertext, &self.context)
                .map(|_: Secret| ())
        })
    }

    fn sign(&self, spec: PairSpec, algorithm: SigningAlgorithm) -> Result<f64> {
        let private = KeyPair::generate(spec).map_err(refused)?;
        let pair = KeyPair::from_pkcs8(spec, &private).map_err(refused)?;
        rate(|| pair.sign(algorithm, Message::Raw(&MESSAGE)).map(|_| ()))
    }
}

/// How often a second something can be done.
fn rate(mut once: impl FnMut() -> crypto::Result<()>) -> Result<f64> {
    let (begun, mut count) = (now(), 0_u32);
    while begun.elapsed() < BARE {
        for _ in 0..16 {
            once().map_err(refused)?;
        }
        count += 16;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
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
