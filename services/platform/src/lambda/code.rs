//! The code of functions and layers: zips, sealed in pieces, one copy for all versions of a function that share it.
//!
//! Source: Lambda Developer Guide, "Lambda quotas" (50 MB zipped, 250 MB unzipped).
//!
//! Invariant: a zip that no version of its function names any more is gone; what is stored is sealed.

use api::lambda as model;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pipeline::{Call, Look, Resource as _, Result};
use serde::{Deserialize, Serialize};
use store::Table;
use wire::fault::{Code, Common};
use wire::typed::Blob;
use wire::zip::{Archive, Kind};
use wire::{Document, Fault, Timestamp};

use super::fault::{expect_none, invalid};
use super::function::{FUNCTIONS, Function, PRINCIPAL, Place};
use super::layer::{LAYER_VERSIONS, LayerVersion};
use super::usage;

/// Bytes of a zip that comes with a request.
const ZIP_MAX: usize = 50 << 20;
/// Bytes of all that a zip holds.
pub(crate) const UNZIPPED_MAX: u64 = 250 << 20;
/// Entries of a zip, as many as are unpacked.
const ENTRIES_MAX: usize = 100_000;
/// Bytes of a piece.
const PIECE: usize = 512 << 10;
/// Pieces of the largest zip that is taken: one from an object is bounded by what it may hold.
const PIECES_MAX: usize = (250 << 20) / PIECE + 1;
/// How long the address of a zip is good for, in milliseconds (Lambda API Reference, `GetFunction`: ten minutes).
const LOCATION_MILLIS: i64 = 10 * 60 * 1000;
/// Where zips can be fetched by whoever has an address; behind it comes the token.
pub const PATH: &str = "/_ringwork/lambda/code/";
/// What the tokens in such addresses are for.
const LOCATION: &str = "lambda.code";
const NAME: &str = "lambda.code";

/// A sealed piece of a zip.
#[derive(Clone)]
pub struct Piece(Vec<u8>);

impl store::Record for Piece {
    const VERSION: u8 = 1;

    fn encode(&self, out: &mut Vec<u8>) -> store::Result<()> {
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn decode(_version: u8, bytes: &[u8]) -> store::Result<Self> {
        Ok(Self(bytes.to_vec()))
    }
}

/// By account, region, name of the function (`layer:NAME:NUMBER` for a layer), SHA-256 of the zip, and the piece's number.
pub static CODE: Table<(String, String, String, String, u32), Piece> = Table::new(0x0604, NAME);

/// A zip that a request brought.
pub(crate) struct Zip {
    pub(crate) bytes: Bytes,
    /// SHA-256 in base64.
    pub(crate) sha256: String,
    /// Bytes of what it holds, as it says itself.
    pub(crate) unzipped: u64,
}

/// Whose zip it is, and where it lies.
pub(crate) struct Home {
    place: Place,
    arn: String,
}

impl Home {
    pub(crate) fn of(function: &Function) -> Self {
        Self {
            place: function.place(),
            arn: function.arn(None),
        }
    }

    /// No function has a colon in its name.
    pub(crate) fn of_layer(version: &LayerVersion) -> Self {
        let name = format!("layer:{}:{}", version.name, version.number);
        Self {
            place: (version.account.clone(), version.region.clone(), name),
            arn: version.arn(),
        }
    }
}

impl Zip {
    pub(crate) fn size(&self) -> i64 {
        i64::try_from(self.bytes.len()).unwrap_or(i64::MAX)
    }
}

/// Where a request says that its code is.
pub(crate) struct Given {
    pub(crate) zip: Option<Blob>,
    pub(crate) bucket: Option<String>,
    pub(crate) object: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) image: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) mode: Option<model::S3ObjectStorageMode>,
}

/// Reads the code of a request, from an object as the caller if it names one.
pub(crate) fn read(call: &mut Call<'_>, given: Given) -> Result<Zip> {
    expect_none("SourceKMSKeyArn", given.key.is_some_and(|key| !key.is_empty()))?;
    expect_none(
        "S3ObjectStorageMode=REFERENCE",
        given.mode == Some(model::S3ObjectStorageMode::Reference),
    )?;
    expect_none("ImageUri", given.image.is_some())?;
    let versioned = given.version.is_some();
    let bytes = match (given.zip, given.bucket, given.object) {
        (Some(Blob(bytes)), None, None) if !versioned => {
            if bytes.len() > ZIP_MAX {
                return Err(super::fault::too_large(format!(
                    "Zipped size must be smaller than {ZIP_MAX} bytes"
                )));
            }
            Bytes::from(bytes)
        }
        (Some(_), ..) => {
            return Err(invalid(
                "Please do not provide other FunctionCode parameters when providing a ZipFile.",
            ));
        }
        (None, Some(bucket), Some(object)) => stored(call, bucket, object, given.version)?,
        (None, None, None) => return Err(invalid("Please provide a source for function code.")),
        (None, ..) => return Err(invalid("Please provide both S3Bucket and S3Key.")),
    };
    let unzipped = check(&bytes)?;
    let sha256 = STANDARD.encode(crypto::digest::sha256(&bytes));
    Ok(Zip {
        bytes,
        sha256,
        unzipped,
    })
}

/// An object with a zip, read as the caller.
fn stored(call: &mut Call<'_>, bucket: String, object: String, version: Option<String>) -> Result<Bytes> {
    let whole = format!("{bucket}/{object}");
    let mut members = vec![
        ("Bucket", Document::String(bucket)),
        ("Key", Document::String(object)),
    ];
    members.extend(version.map(|version| ("VersionId", Document::String(version))));
    let read = call.invoke_for_bytes(
        PRINCIPAL,
        ("s3", "GetObject"),
        Document::Structure(members),
        UNZIPPED_MAX,
    );
    let (_, bytes) = read.map_err(|fault| unread(fault, &whole))?;
    bytes.ok_or_else(|| invalid(format!("Unzipped size must be smaller than {UNZIPPED_MAX} bytes")))
}

/// Why an object with code could not be read, in AWS's words.
fn unread(fault: Fault, object: &str) -> Fault {
    let code = match &fault.code {
        Code::Common(Common::AccessDenied) => {
            return Fault::access_denied(format!(
                "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for {object}. \
                 S3 Error Code: AccessDenied. S3 Error Message: Access Denied"
            ));
        }
        Code::Common(_) => return fault,
        Code::Modeled { code, .. } => (*code).to_owned(),
        Code::Plain { code, .. } => code.to_string(),
    };
    invalid(format!(
        "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {}",
        fault.message
    ))
}

/// Looks at the zip's directory: whether it is a zip at all, and how much it says that it holds. Who unpacks it trusts nothing of this.
fn check(zip: &[u8]) -> Result<u64> {
    if zip.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    let unzipped = unzipped(zip).ok_or_else(|| {
        invalid("Could not unzip uploaded file. Please check your file, then try to upload again.")
    })?;
    match unzipped {
        0 => Err(invalid("Uploaded file must be a non-empty zip")),
        bytes if bytes > UNZIPPED_MAX => Err(invalid(format!(
            "Unzipped size must be smaller than {UNZIPPED_MAX} bytes"
        ))),
        bytes => Ok(bytes),
    }
}

/// The bytes that a zip says to hold, by its directory; empty files count one byte.
pub(crate) fn unzipped(zip: &[u8]) -> Option<u64> {
    let archive = Archive::read(zip, ENTRIES_MAX).ok()?;
    let files = archive
        .entries()
        .iter()
        .filter(|entry| entry.kind != Kind::Folder);
    Some(files.fold(0_u64, |total, file| total.saturating_add(file.size.max(1))))
}

/// What a piece is bound to.
fn bond(home: &Home, sha256: &str, number: u32) -> Vec<u8> {
    format!("{}\n{sha256}\n{number}", home.arn).into_bytes()
}

/// Stores a zip for one more version of a function.
pub(crate) fn keep(call: &mut Call<'_>, function: &mut Function, zip: &Zip) -> Result<()> {
    let size = zip.size();
    usage::change(call, function, |usage| usage.code_bytes += size)?;
    if count_more(function, &zip.sha256) {
        return Ok(());
    }
    store(call, &Home::of(function), zip)
}

/// Counts one more of a zip, and tells whether it lies there already.
fn count_more(function: &mut Function, sha256: &str) -> bool {
    let count = function.codes.entry(sha256.to_owned()).or_default();
    *count += 1;
    *count > 1
}

/// Keeps a copy of another's zip beside a function's own for one more of its versions. It is not counted as the account's code.
pub(crate) fn copy(call: &mut Call<'_>, function: &mut Function, from: &Home, sha256: &str) -> Result<()> {
    if count_more(function, sha256) {
        return Ok(());
    }
    let zip = Zip {
        bytes: open(call, from, sha256)?,
        sha256: sha256.to_owned(),
        unzipped: 0,
    };
    store(call, &Home::of(function), &zip)
}

/// Stores a zip.
pub(crate) fn store(call: &mut Call<'_>, home: &Home, zip: &Zip) -> Result<()> {
    let (account, region, name) = home.place.clone();
    for (number, piece) in (0_u32..).zip(zip.bytes.chunks(PIECE)) {
        let sealed = call.seal(NAME, &bond(home, &zip.sha256, number), piece)?;
        let place = (
            account.clone(),
            region.clone(),
            name.clone(),
            zip.sha256.clone(),
            number,
        );
        call.put(&CODE, &place, Piece(sealed))?;
    }
    Ok(())
}

/// Counts a version more of a code that is stored.
pub(crate) fn share(call: &mut Call<'_>, function: &mut Function, sha256: &str, size: i64) -> Result<()> {
    usage::change(call, function, |usage| usage.code_bytes += size)?;
    *function.codes.entry(sha256.to_owned()).or_default() += 1;
    Ok(())
}

/// Counts a version less, and removes the zip with the last one.
pub(crate) fn release(call: &mut Call<'_>, function: &mut Function, sha256: &str, size: i64) -> Result<()> {
    usage::change(call, function, |usage| usage.code_bytes -= size)?;
    discard(call, function, sha256)
}

/// Takes one back of those that `copy` kept.
pub(crate) fn discard(call: &mut Call<'_>, function: &mut Function, sha256: &str) -> Result<()> {
    let left = function.codes.get_mut(sha256).map(|count| {
        *count = count.saturating_sub(1);
        *count
    });
    if left == Some(0) {
        function.codes.remove(sha256);
        remove(call, &Home::of(function), sha256)?;
    }
    Ok(())
}

/// Removes a zip.
pub(crate) fn remove(call: &mut Call<'_>, home: &Home, sha256: &str) -> Result<()> {
    for place in pieces(call, home, sha256)? {
        call.delete(&CODE, &place)?;
    }
    Ok(())
}

type At = (String, String, String, String, u32);

fn pieces(look: &mut Look<'_>, home: &Home, sha256: &str) -> Result<Vec<At>> {
    let (account, region, name) = &home.place;
    let prefix = (account.as_str(), region.as_str(), name.as_str(), sha256);
    let limit = PIECES_MAX;
    let rows = look.range(&CODE, &prefix, None, limit)?;
    Ok(rows.into_iter().map(|(place, _)| place).collect())
}

/// A zip in clear.
pub(crate) fn open(look: &mut Look<'_>, home: &Home, sha256: &str) -> Result<Bytes> {
    let mut zip = Vec::new();
    for place in pieces(look, home, sha256)? {
        let Some(piece) = look.get(&CODE, &place)? else {
            continue;
        };
        let clear = look.open(NAME, &bond(home, sha256, place.4), &piece.0)?;
        zip.extend_from_slice(clear.expose());
    }
    if zip.is_empty() {
        return Err(Fault::internal("a version's code is not there"));
    }
    Ok(Bytes::from(zip))
}

/// What an address of a zip stands for.
#[derive(Serialize, Deserialize)]
struct Located {
    account: String,
    region: String,
    name: String,
    sha256: String,
    /// Milliseconds since the epoch.
    expires: i64,
    /// The number of a layer's version, if the name is a layer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<u64>,
}

/// An address at which the zip of a version can be fetched for ten minutes by whoever has it.
pub(crate) fn location(call: &Call<'_>, home: &Home, sha256: &str) -> Result<Option<String>> {
    let Some(host) = &call.request.host else {
        return Ok(None);
    };
    let (account, region, name) = home.place.clone();
    let (name, layer) = match name.split(':').collect::<Vec<_>>().as_slice() {
        ["layer", layer, number] => ((*layer).to_owned(), number.parse().ok()),
        _ => (name, None),
    };
    let located = Located {
        account,
        region,
        name,
        layer,
        sha256: sha256.to_owned(),
        expires: call.now.0.saturating_add(LOCATION_MILLIS),
    };
    let payload = serde_json::to_vec(&located).map_err(Fault::internal)?;
    let token = call.issue_token(LOCATION, &payload)?;
    let scheme = if call.request.secure { "https" } else { "http" };
    Ok(Some(format!("{scheme}://{host}{PATH}{token}")))
}

/// The zip that the token of an address stands for; `None` for a token that is not good, or no longer, or whose code is gone.
///
/// # Errors
/// The store's, as a fault.
pub fn located(look: &mut Look<'_>, token: &str, now: Timestamp) -> Result<Option<Bytes>> {
    let payload = look.open_token(LOCATION, token);
    let located: Option<Located> = payload.and_then(|payload| serde_json::from_slice(payload.expose()).ok());
    let Some(located) = located.filter(|located| now.0 < located.expires) else {
        return Ok(None);
    };
    if let Some(number) = located.layer {
        let place = (located.account, located.region, located.name, number);
        let version = look.get(&LAYER_VERSIONS, &place)?;
        return match version.filter(|version| !version.deleted) {
            Some(version) => open(look, &Home::of_layer(&version), &located.sha256).map(Some),
            None => Ok(None),
        };
    }
    let place = (located.account, located.region, located.name);
    let Some(function) = look.get(&FUNCTIONS, &place)? else {
        return Ok(None);
    };
    if !function.codes.contains_key(&located.sha256) {
        return Ok(None);
    }
    open(look, &Home::of(&function), &located.sha256).map(Some)
}

#[cfg(test)]
mod tests {
    use super::{check, unzipped};

    /// A zip of one file without content that says to hold `claimed` bytes.
    fn zip(name: &[u8], claimed: u32) -> Vec<u8> {
        let mut entry = b"PK\x01\x02".to_vec();
        entry.extend_from_slice(&[0; 20]);
        entry.extend_from_slice(&claimed.to_le_bytes());
        entry.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
        entry.extend_from_slice(&[0; 16]);
        entry.extend_from_slice(name);
        let size = u32::try_from(entry.len()).unwrap();
        let mut zip = entry;
        zip.extend_from_slice(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
        zip.extend_from_slice(&size.to_le_bytes());
        zip.extend_from_slice(&0_u32.to_le_bytes());
        zip.extend_from_slice(&[0, 0]);
        zip
    }

    #[test]
    fn a_zip_says_how_much_it_holds() {
        assert_eq!(unzipped(&zip(b"index.py", 12)), Some(12));
        assert_eq!(unzipped(&zip(b"empty.py", 0)), Some(1));
        assert_eq!(unzipped(&zip(b"folder/", 0)), Some(0));
        let whole = zip(b"index.py", 12);
        for end in 0..whole.len() {
            assert!(check(&whole[..end]).is_err(), "{end}");
        }
        assert!(check(b"print('not a zip')").is_err());
        assert!(check(&zip(b"bomb", 0x1000_0001)).is_err());
    }
}
