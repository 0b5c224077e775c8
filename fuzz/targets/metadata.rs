//! The instance metadata service: any request is answered, without a failure inside, and nothing but a token to whom has none.
#![no_main]

#[path = "../../crates/planes/src/instances/metadata/mod.rs"]
#[expect(dead_code, reason = "the plane uses more of it")]
mod metadata;

use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use crypto::Secret;
use http_body_util::BodyExt as _;
use pipeline::instances::{
    Attendant, Delivery, Doing, Ending, InstanceRef, Metadata, MetadataOptions, Profile, RoleCredentials,
};
use ringwork_fuzz::Request;
use tokio::runtime::Runtime;
use wire::Timestamp;

/// A profile with a role.
struct Attached;

impl Attendant for Attached {
    fn profile<'a>(
        &'a self,
        _: &'a InstanceRef,
        _: Delivery,
    ) -> Doing<'a, pipeline::Result<Option<Profile>>> {
        let profile = Profile {
            arn: "arn:aws:iam::111122223333:instance-profile/web".to_owned(),
            id: "AIPAEXAMPLE".to_owned(),
            role_name: Some("reads".to_owned()),
            last_updated: Timestamp(1_700_000_000_123),
            issued: Ok(RoleCredentials {
                access_key_id: "ASIAEXAMPLE".to_owned(),
                secret_access_key: Secret::from("hidden"),
                session_token: Secret::from("token"),
                expiration: Timestamp(1_700_021_600_000),
            }),
        };
        Box::pin(async move { Ok(Some(profile)) })
    }

    fn ended<'a>(&'a self, _: &'a InstanceRef, _: Ending) -> Doing<'a, ()> {
        Box::pin(async {})
    }
}

fn service(tokens_required: bool) -> metadata::Service {
    let described = Metadata {
        options: MetadataOptions {
            enabled: true,
            tokens_required,
            hop_limit: 2,
            tags: true,
        },
        ami_id: "ami-0123456789abcdef0".to_owned(),
        ami_launch_index: 0,
        instance_type: "t3.micro".to_owned(),
        local_hostname: "ip-172-31-0-5.ec2.internal".to_owned(),
        private_ip: Ipv4Addr::new(172, 31, 0, 5),
        mac: "02:00:00:00:00:01".to_owned(),
        reservation_id: "r-0123456789abcdef0".to_owned(),
        availability_zone: "us-east-1a".to_owned(),
        availability_zone_id: "use1-az1".to_owned(),
        region: "us-east-1".to_owned(),
        account: "111122223333".to_owned(),
        public_key: Some(("mine".to_owned(), "ssh-ed25519 AAAA mine".to_owned())),
        tags: vec![("Name".to_owned(), "web".to_owned())],
        identity_document: "{}".to_owned(),
    };
    let instance = InstanceRef {
        account: "111122223333".to_owned(),
        region: "us-east-1".to_owned(),
        instance_id: "i-0123456789abcdef0".to_owned(),
        boot: 1,
    };
    // The run goes on for as long as the process does.
    let (running, ended) = tokio::sync::watch::channel(false);
    std::mem::forget(running);
    let user_data = Some(Secret::from("#!/bin/sh\n"));
    metadata::Service::new(instance, described, user_data, Arc::new(Attached), ended).expect("randomness")
}

static OPEN: LazyLock<metadata::Service> = LazyLock::new(|| service(false));
static SHUT: LazyLock<metadata::Service> = LazyLock::new(|| service(true));
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
});

fn ask(service: &metadata::Service, request: &Request<'_>) -> Option<(u16, Vec<u8>)> {
    let parts = request.parts();
    let uri = if parts.query.is_empty() {
        parts.path.to_owned()
    } else {
        format!("{}?{}", parts.path, parts.query)
    };
    let (mut asked, ()) = http::Request::builder()
        .method(parts.method)
        .uri(uri)
        .body(())
        .ok()?
        .into_parts();
    asked.headers = request.headers().clone();
    Some(RUNTIME.block_on(async {
        let answer = service.answer(&asked).await;
        let status = answer.status().as_u16();
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("a whole body")
            .to_bytes();
        (status, body.to_vec())
    }))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(request) = Request::cut(bytes) else {
        return;
    };
    let Some((status, body)) = ask(&OPEN, &request) else {
        return;
    };
    assert!(status < 500, "{status}");
    if status == 200 && request.method() == "GET" {
        assert_eq!(
            ask(&OPEN, &request).map(|again| again.1),
            Some(body),
            "the same answer twice"
        );
    }
    let shut = ask(&SHUT, &request).map(|answer| answer.0);
    if request.method() == "GET" && shut == Some(200) {
        panic!("no token of this run is known to anybody");
    }
});
