//! The metadata service, asked without a network.

use std::net::Ipv4Addr;

use http::Request;
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use pipeline::instances::{Doing, Ending, MetadataOptions, Profile, RoleCredentials, Unissued};
use wire::Timestamp;

use super::*;

/// An instance's profile, as it is now.
struct Told {
    role: Mutex<Option<Option<&'static str>>>,
    refused: bool,
    asked: Mutex<Vec<Delivery>>,
}

impl Attendant for Told {
    fn profile<'a>(
        &'a self,
        _: &'a InstanceRef,
        delivery: Delivery,
    ) -> Doing<'a, pipeline::Result<Option<Profile>>> {
        self.asked.lock().push(delivery);
        let role = *self.role.lock();
        let issued = if self.refused {
            Err(Unissued {
                code: "AssumeRoleUnauthorizedAccess",
                message: "EC2 cannot assume the role.".to_owned(),
            })
        } else {
            Ok(RoleCredentials {
                access_key_id: "ASIAEXAMPLE".to_owned(),
                secret_access_key: Secret::from("secret"),
                session_token: Secret::from("token"),
                expiration: Timestamp(1_700_021_600_000),
            })
        };
        Box::pin(async move {
            Ok(role.map(|role_name| Profile {
                arn: "arn:aws:iam::111122223333:instance-profile/web".to_owned(),
                id: "AIPAEXAMPLE".to_owned(),
                role_name: role_name.map(str::to_owned),
                last_updated: Timestamp(1_700_000_000_123),
                issued,
            }))
        })
    }

    fn ended<'a>(&'a self, _: &'a InstanceRef, _: Ending) -> Doing<'a, ()> {
        Box::pin(async {})
    }
}

pub(in crate::instances) fn metadata() -> Metadata {
    Metadata {
        options: MetadataOptions {
            enabled: true,
            tokens_required: true,
            hop_limit: 2,
            tags: false,
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
        identity_document: "{\"version\":\"2017-09-30\"}".to_owned(),
    }
}

struct Place {
    service: Service,
    told: Arc<Told>,
    _end: watch::Sender<bool>,
}

impl Place {
    fn new(change: impl FnOnce(&mut Metadata), refused: bool) -> Self {
        let told = Arc::new(Told {
            role: Mutex::new(Some(Some("reads"))),
            refused,
            asked: Mutex::default(),
        });
        let mut metadata = metadata();
        change(&mut metadata);
        let (end, ended) = watch::channel(false);
        let instance = InstanceRef {
            account: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            instance_id: "i-0123456789abcdef0".to_owned(),
            boot: 1,
        };
        let user_data = Some(Secret::from("#!/bin/sh\n"));
        let attendant = Arc::clone(&told) as Arc<dyn Attendant>;
        Self {
            service: Service::new(instance, metadata, user_data, attendant, ended).unwrap(),
            told,
            _end: end,
        }
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .service
            .answer(&request.body(()).unwrap().into_parts().0)
            .await;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(parts.headers["server"], "EC2ws");
        (
            parts.status.as_u16(),
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    async fn token(&self) -> String {
        let (status, headers, token) = self.ask("PUT", "/latest/api/token", &[(TTL, "60")]).await;
        assert_eq!((status, headers[TTL].to_str().unwrap()), (200, "60"));
        token
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let token = self.token().await;
        let (status, _, body) = self.ask("GET", path, &[(TOKEN, &token)]).await;
        (status, body)
    }
}

#[tokio::test]
async fn a_session_is_made_by_a_put_within_bounds_that_nobody_forwarded() {
    let place = Place::new(|_| {}, false);
    let ask = async |headers: &[(&str, &str)]| place.ask("PUT", "/latest/api/token", headers).await.0;
    for (ttl, status) in [
        ("1", 200),
        ("21600", 200),
        ("0", 400),
        ("21601", 400),
        ("-1", 400),
        ("x", 400),
        ("", 400),
    ] {
        assert_eq!(ask(&[(TTL, ttl)]).await, status, "{ttl}");
    }
    assert_eq!(ask(&[]).await, 400);
    assert_eq!(ask(&[(TTL, "60"), ("x-forwarded-for", "192.0.2.1")]).await, 403);
    assert_eq!(place.ask("GET", "/latest/api/token", &[]).await.0, 405);
    let token = place.token().await;
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(
            place
                .ask(method, "/latest/meta-data/", &[(TOKEN, &token)])
                .await
                .0,
            405,
            "{method}"
        );
    }
}

/// S1.13
#[tokio::test]
async fn without_a_token_nothing_is_answered_where_tokens_are_required() {
    let place = Place::new(|_| {}, false);
    let path = "/latest/meta-data/iam/security-credentials/reads";
    let (status, headers, body) = place.ask("GET", path, &[]).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (401, &"text/html".parse().unwrap())
    );
    assert!(body.contains("401 - Unauthorized"));
    assert_eq!(place.ask("GET", path, &[(TOKEN, "AQAE0000")]).await.0, 401);
    let other = Place::new(|_| {}, false).token().await;
    assert_eq!(place.ask("GET", path, &[(TOKEN, &other)]).await.0, 401);
    assert!(place.told.asked.lock().is_empty(), "nobody asked for credentials");
    assert_eq!(place.get(path).await.0, 200);
    let optional = Place::new(|of| of.options.tokens_required = false, false);
    assert_eq!(optional.ask("GET", path, &[]).await.0, 200);
    assert_eq!(optional.ask("GET", path, &[(TOKEN, "wrong")]).await.0, 401);
    assert_eq!(optional.get(path).await.0, 200);
    assert_eq!(*optional.told.asked.lock(), [Delivery::V1, Delivery::V2]);
    let closed = Place::new(|of| of.options.enabled = false, false);
    assert_eq!(closed.ask("GET", path, &[]).await.0, 403);
    assert_eq!(
        closed.ask("PUT", "/latest/api/token", &[(TTL, "60")]).await.0,
        403
    );
}

/// S1.13
#[tokio::test]
async fn credentials_are_those_of_the_role_now() {
    let place = Place::new(|_| {}, false);
    let roles = "/latest/meta-data/iam/security-credentials/";
    assert_eq!(place.get(roles).await, (200, "reads".to_owned()));
    let (_, body) = place.get(&format!("{roles}reads")).await;
    let told: serde_json::Value = serde_json::from_str(&body).unwrap();
    let wanted = serde_json::json!({
        "Code": "Success", "LastUpdated": "2023-11-14T22:13:20Z", "Type": "AWS-HMAC", "AccessKeyId": "ASIAEXAMPLE",
        "SecretAccessKey": "secret", "Token": "token", "Expiration": "2023-11-15T04:13:20Z",
    });
    assert_eq!(told, wanted);
    let (_, info) = place.get("/latest/meta-data/iam/info").await;
    assert!(
        info.contains("instance-profile/web") && info.contains("AIPAEXAMPLE"),
        "{info}"
    );
    assert_eq!(place.get(&format!("{roles}other")).await.0, 404);
    *place.told.role.lock() = Some(None);
    assert_eq!(place.get(roles).await, (200, String::new()));
    *place.told.role.lock() = None;
    assert_eq!(place.get(roles).await.0, 404);
    assert_eq!(place.get("/latest/meta-data/iam/").await.0, 404);
    let refused = Place::new(|_| {}, true);
    let (status, body) = refused.get(&format!("{roles}reads")).await;
    assert_eq!(status, 200);
    assert!(
        body.contains("AssumeRoleUnauthorizedAccess") && !body.contains("Secret"),
        "{body}"
    );
}

#[tokio::test]
async fn folders_list_what_is_in_them() {
    let place = Place::new(|_| {}, false);
    let list = async |path: &str| place.get(path).await.1;
    assert!(
        list("/").await.starts_with("1.0\n2007-01-19\n")
            && list("/")
                .await
                .ends_with("2021-07-15\n2022-09-24\n2024-04-11\nlatest")
    );
    assert_eq!(list("/latest/").await, "dynamic\nmeta-data\nuser-data");
    let names = list("/2021-07-15/meta-data/").await;
    assert_eq!(
        names,
        "ami-id\nami-launch-index\nhostname\niam/\ninstance-action\ninstance-id\ninstance-life-cycle\ninstance-type\n\
         local-hostname\nlocal-ipv4\nmac\nplacement/\nprofile\npublic-keys/\nreservation-id\nservices/"
    );
    assert_eq!(
        list("/latest/meta-data/placement/").await,
        "availability-zone\navailability-zone-id\nregion"
    );
    assert_eq!(list("/latest/meta-data/public-keys/").await, "0=mine");
    assert_eq!(list("/latest/meta-data/public-keys/0/").await, "openssh-key");
    assert_eq!(
        list("/latest/meta-data/public-keys/0/openssh-key").await,
        "ssh-ed25519 AAAA mine"
    );
    assert_eq!(list("/latest/meta-data/instance-id").await, "i-0123456789abcdef0");
    assert_eq!(list("/latest/meta-data/services/domain").await, "amazonaws.com");
    assert_eq!(list("/latest/user-data").await, "#!/bin/sh\n");
    assert_eq!(
        list("/latest/dynamic/instance-identity/document").await,
        "{\"version\":\"2017-09-30\"}"
    );
    for absent in [
        "/latest/meta-data/tags/instance/Name",
        "/latest/dynamic/instance-identity/pkcs7",
        "/latest/meta-data/public-ipv4",
        "/latest/meta-data/mac/more",
        "/2000-01-01/meta-data/",
        "/latest/nothing",
    ] {
        assert_eq!(place.get(absent).await.0, 404, "{absent}");
    }
    let tagged = Place::new(|of| of.options.tags = true, false);
    assert_eq!(tagged.get("/latest/meta-data/tags/instance/").await.1, "Name");
    assert_eq!(tagged.get("/latest/meta-data/tags/instance/Name").await.1, "web");
    tagged.service.update(metadata());
    assert_eq!(tagged.get("/latest/meta-data/tags/instance/").await.0, 404);
}
