//! `ringwork env`: export lines that point AWS clients of a shell at the server, as root.

use serde_json::{Map, Value};

use super::client::Client;
use crate::arguments::Env;
use crate::error::Error;
use crate::folder::Folder;

pub(crate) fn run(options: &Env) -> Result<(), Error> {
    let client = Client::of(&options.server)?;
    let mut endpoint = client.endpoint;
    let mut lines = Vec::new();
    if options.tls {
        endpoint = endpoint.replacen("http://", "https://", 1);
        let authority = Folder::at(&options.server.data).authority();
        let absolute = std::path::absolute(&authority);
        let absolute = absolute.map_err(|source| Error::File {
            doing: "find",
            path: authority,
            source,
        })?;
        lines.push(("AWS_CA_BUNDLE", absolute.display().to_string()));
    }
    lines.insert(0, ("AWS_ENDPOINT_URL", endpoint));
    lines.push(("AWS_ACCESS_KEY_ID", client.credentials.access_key_id));
    lines.push(("AWS_SECRET_ACCESS_KEY", client.credentials.secret_access_key));
    lines.push(("AWS_REGION", "us-east-1".to_owned()));
    lines.push(("AWS_DEFAULT_REGION", "us-east-1".to_owned()));
    if options.json {
        let object: Map<String, Value> = lines
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        return super::print_json(&object);
    }
    for (name, value) in lines {
        println!("export {name}={}", quoted(&value));
    }
    // A profile or session of another cloud would win over the lines above.
    println!("unset AWS_SESSION_TOKEN AWS_PROFILE");
    Ok(())
}

/// The value as one shell word.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}
