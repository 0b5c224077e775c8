//! Whole requests to a furnished account, as they come from a listener: unsigned, with the root user's signature in the headers or in the
//! query string, and to the console by somebody who is signed in. Each is answered, and nothing fails inside.
#![no_main]

use std::sync::{Arc, Mutex};

use console::Console;
use http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method};
use pipeline::testing::REGION;
use pipeline::{Answer, Incoming};
use ringwork_fuzz::Request;
use scenarios::client;
use scenarios::sign::{presign, sign};
use scenarios::world::World;
use serde_json::json;

/// Requests before everything begins anew, so that something still exists.
const REQUESTS_MAX: u32 = 4000;
const HOSTED: &str = "localhost:4566";
const SERVICES: [&str; 12] = [
    "s3",
    "iam",
    "sts",
    "kms",
    "lambda",
    "ec2",
    "secretsmanager",
    "ssm",
    "cloudformation",
    "organizations",
    "monitoring",
    "access-analyzer",
];

struct Place {
    world: World,
    console: Console,
    cookie: String,
    requests: u32,
}

static PLACE: Mutex<Option<Place>> = Mutex::new(None);

fn incoming(method: &str, path: &str, query: &str, headers: HeaderMap, body: &[u8]) -> Incoming {
    Incoming {
        method: Method::from_bytes(method.as_bytes()).expect("a method"),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: bytes::Bytes::copy_from_slice(body).into(),
        peer: ([127, 0, 0, 1], 50_000).into(),
        standing: pipeline::front::Standing::default(),
        tls: None,
    }
}

/// Headers of a browser whose page is the console's own.
fn browser(headers: &mut HeaderMap) {
    headers.insert(HOST, HeaderValue::from_static(HOSTED));
    headers.insert(ORIGIN, HeaderValue::from_static("http://localhost:4566"));
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
}

impl Place {
    fn new() -> Self {
        let world = World::furnished();
        let profile = json!({"UserName": "existing", "Password": "correct-Horse-7-battery"});
        world.make("CreateLoginProfile", profile);
        let all = "arn:aws:iam::aws:policy/AdministratorAccess";
        world.make(
            "AttachUserPolicy",
            json!({"UserName": "existing", "PolicyArn": all}),
        );
        let console = Console::new(Arc::clone(&world.gateway));
        let mut headers = HeaderMap::new();
        browser(&mut headers);
        let form = b"account=111122223333&user=existing&password=correct-Horse-7-battery";
        let path = format!("{}/signin", console::PATH);
        let answer = world.wait(console.serve(incoming("POST", &path, "", headers, form)));
        let cookie = answer
            .headers
            .get(SET_COOKIE)
            .and_then(|value| value.to_str().ok());
        let cookie = cookie
            .and_then(|value| value.split(';').next())
            .expect("a session")
            .to_owned();
        Self {
            world,
            console,
            cookie,
            requests: 0,
        }
    }

    fn ask(&self, first: u8, request: &Request<'_>) -> Answer {
        let parts = request.parts();
        let service = SERVICES[usize::from(first >> 2) % SERVICES.len()];
        if first & 3 == 3 {
            return self.visit(request);
        }
        let mut sent = client::Request {
            method: parts.method.to_owned(),
            path: parts.path.to_owned(),
            query: parts.query.to_owned(),
            headers: parts.headers.clone(),
            body: bytes::Bytes::copy_from_slice(parts.body),
        };
        if !sent.headers.contains_key(HOST) {
            sent.headers.insert(HOST, HeaderValue::from_static(HOSTED));
        }
        // Who signs knows what it signs: texts, and no signature yet.
        let texts = sent.headers.values().all(|value| value.to_str().is_ok());
        let signed = sent.headers.contains_key("authorization") || sent.query.contains("X-Amz-");
        let at = self.world.wall_seconds();
        match first & 3 {
            1 if texts && !signed => sign(&mut sent, &self.world.root, REGION, service, at),
            2 if texts && !signed => presign(&mut sent, &self.world.root, REGION, service, at, 300),
            _ => {}
        }
        self.world.wait(self.world.answer(sent))
    }

    /// A page or form of the console.
    fn visit(&self, request: &Request<'_>) -> Answer {
        let parts = request.parts();
        let mut headers = parts.headers.clone();
        browser(&mut headers);
        headers.append(COOKIE, HeaderValue::from_str(&self.cookie).expect("a cookie"));
        let session = self.cookie.split_once('=').map_or("", |(_, value)| value);
        let mark = crypto::digest::hmac_sha256(session.as_bytes(), b"console form");
        let form = [
            b"mark=".as_slice(),
            crypto::digest::hex(&mark).as_bytes(),
            b"&",
            parts.body,
        ]
        .concat();
        let path = format!("{}{}", console::PATH, parts.path);
        let asked = incoming(parts.method, &path, parts.query, headers, &form);
        self.world.wait(self.console.serve(asked))
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let Some(request) = Request::cut(rest) else {
        return;
    };
    let mut held = PLACE.lock().expect("no request before has failed");
    if held.as_ref().is_none_or(|place| place.requests > REQUESTS_MAX) {
        *held = None;
    }
    let place = held.get_or_insert_with(Place::new);
    place.requests += 1;
    let answer = place.ask(*first, &request);
    let shown = || String::from_utf8_lossy(answer.body.at_hand()).into_owned();
    assert!((200..600).contains(&answer.status), "{}", answer.status);
    assert_ne!(answer.status, 500, "{}", shown());
});
