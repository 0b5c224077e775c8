//! Layers, where functions find them.

use super::{Place, Value, invocation, json, python, told, zipped};
use pipeline::functions::{Functions as _, Invocation, Layers};

fn over(mut invocation: Invocation, layers: &[&[(&str, &str)]]) -> Invocation {
    let zips: Vec<_> = layers.iter().map(|files| zipped(files)).collect();
    let digests: Vec<_> = zips
        .iter()
        .map(|zip| crypto::digest::hex(&crypto::digest::sha256(zip)))
        .collect();
    let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
    let code_sha256 = Layers::digest(&digests);
    invocation.layers = Some(Layers { code_sha256, zips });
    invocation
}

async fn runs(place: &Place, invocation: &Invocation) -> Value {
    let ran = place.sandboxes.invoke(invocation).await.unwrap();
    assert_eq!(ran.error, None, "{:?}", ran.payload);
    told(&ran)
}

/// Modules of layers are found, those of the later one first, behind the function's own.
#[tokio::test]
async fn python_finds_modules_in_layers() {
    let source = "import one, two, own, os, shutil\ndef handler(event, context):\n    return [one.WHERE, two.WHERE, own.WHERE, shutil.which('tool') is not None]\n";
    let files: &[(&str, &str)] = &[("index.py", source), ("own.py", "WHERE = 'function'")];
    for place in Place::all() {
        let invocation = over(
            invocation("layered", "python3.12", "index.handler", files),
            &[
                &[
                    ("python/one.py", "WHERE = 'first'"),
                    ("python/two.py", "WHERE = 'first'"),
                    ("python/own.py", "WHERE = 'first'"),
                    ("bin/tool", "#!/bin/sh\n"),
                ],
                &[("python/two.py", "WHERE = 'second'")],
            ],
        );
        assert_eq!(
            runs(&place, &invocation).await,
            json!(["first", "second", "function", true])
        );
        assert!(
            place
                .sandboxes
                .holds(&invocation.layers.as_ref().unwrap().code_sha256)
        );
    }
}

/// Where functions are shut in, layers lie below `/opt`, and nobody can write there.
#[tokio::test]
async fn layers_lie_below_opt() {
    let place = Place::new();
    let source = "import os\ndef handler(event, context):\n    seen = open('/opt/data/x').read()\n    try:\n        open('/opt/data/y', 'w')\n        return 'written'\n    except OSError:\n        return seen\n";
    let invocation = over(python("opt", source), &[&[("data/x", "there")]]);
    let ran = place.sandboxes.invoke(&invocation).await.unwrap();
    let jailed = place
        .sandboxes
        .0
        .ground
        .get()
        .is_some_and(|ground| ground.confinement.jail().is_some());
    if jailed {
        assert_eq!(told(&ran), "there");
    }
}

#[tokio::test]
async fn node_finds_modules_and_a_bootstrap_may_lie_in_a_layer() {
    let place = Place::new();
    let source = "exports.handler = async () => require('shared').where;";
    let invocation = over(
        super::node("modules", "index.js", source),
        &[&[("nodejs/node_modules/shared/index.js", "exports.where = 'layer';")]],
    );
    assert_eq!(runs(&place, &invocation).await, "layer");
    let bootstrap = r#"#!/bin/sh
python3 - <<'END'
import http.client, os
while True:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    answer = api.getresponse()
    body, id = answer.read(), answer.headers["Lambda-Runtime-Aws-Request-Id"]
    api.request("POST", f"/2018-06-01/runtime/invocation/{id}/response", b'"from a layer"')
    api.getresponse().read()
END
"#;
    let invocation = over(
        super::invocation("booted", "provided.al2023", "any", &[("other", "")]),
        &[&[("bootstrap", bootstrap)]],
    );
    assert_eq!(runs(&place, &invocation).await, "from a layer");
}
