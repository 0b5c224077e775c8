//! Domains of one's own that lead to a bucket's website.

use http::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::client::{Here, Reply};

const DOMAIN: &str = "www.example.com";

/// A public bucket of that name with a page, and one that has none.
fn site() -> Here {
    let here = Here::new();
    here.make_bucket(DOMAIN);
    here.put(&format!("/{DOMAIN}/index.html"), "", b"a page").fine();
    here.delete(&format!("/{DOMAIN}"), "publicAccessBlock").fine();
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{DOMAIN}/*")}});
    here.put(&format!("/{DOMAIN}"), "policy", policy.to_string().as_bytes())
        .fine();
    here
}

fn make(here: &Here) {
    let website =
        b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>";
    here.put(&format!("/{DOMAIN}"), "website", website).fine();
}

fn ask(here: &Here, method: &str, (host, path, query): (&'static str, &str, &str)) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(host));
    here.serve(method, path, query, headers, b"")
}

/// S3 User Guide, "Configuring a static website using a custom domain registered with Route 53": the bucket has the domain's name.
#[test]
fn a_domain_leads_to_the_bucket_of_its_name() {
    let here = site();
    ask(&here, "GET", (DOMAIN, "/", "")).refused(403, "AccessDenied");
    make(&here);
    for host in [DOMAIN, "WWW.example.com:4566", "www.example.com."] {
        assert_eq!(ask(&here, "GET", (host, "/", "")).expect(200).bytes(), b"a page");
    }
    let absent = ask(&here, "GET", (DOMAIN, "/none", "")).expect(403);
    assert!(
        absent.text().contains("<html>"),
        "a page, and no document of the calls"
    );
    // Another domain is none, nor is the machine's own name.
    ask(&here, "GET", ("example.com", "/", "")).refused(403, "AccessDenied");
    ask(&here, "GET", ("127.0.0.1:4566", "/", "")).refused(403, "AccessDenied");
}

/// No host decides over what is signed, names an action, or does more than read.
#[test]
fn a_domain_takes_no_calls() {
    let here = site();
    make(&here);
    let path = format!("/{DOMAIN}/index.html");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static(DOMAIN));
    headers.insert(
        "x-amz-expected-bucket-owner",
        HeaderValue::from_static("111122223333"),
    );
    // By the path, as at every host.
    assert_eq!(
        here.serve("GET", &path, "", headers, b"").expect(200).bytes(),
        b"a page"
    );
    let action = (DOMAIN, "/", "Action=GetCallerIdentity&Version=2011-06-15");
    assert!(!ask(&here, "GET", action).text().contains("a page"));
    for method in ["PUT", "POST", "DELETE"] {
        let refused = ask(&here, method, (DOMAIN, "/index.html", ""));
        assert!(!refused.text().contains("<html>"), "{method}: {}", refused.text());
    }
    let presigned = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261122%2Feu-central-1%2Fs3%2Faws4_request\
                     &X-Amz-Date=20261122T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let refused = ask(&here, "GET", (DOMAIN, "/", presigned));
    assert!(refused.status == 403 && !refused.text().contains("<html>"));
}

/// Pages of other origins ask the domain what its bucket lets them do: before they send, and on the answer.
#[test]
fn a_domain_shares_what_its_bucket_shares() {
    let here = site();
    make(&here);
    let rule = b"<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin>\
                 </CORSRule></CORSConfiguration>";
    here.put(&format!("/{DOMAIN}"), "cors", rule).fine();
    let from = |method: &str, path: &str, origin: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static(DOMAIN));
        headers.insert("origin", HeaderValue::from_static(origin));
        if method == "OPTIONS" {
            headers.insert("access-control-request-method", HeaderValue::from_static("GET"));
        }
        here.serve(method, path, "", headers, b"")
    };
    for method in ["OPTIONS", "GET"] {
        for path in ["/", "/index.html"] {
            let shared = from(method, path, "https://a.example").expect(200);
            let allowed = shared.header("access-control-allow-origin");
            assert_eq!(allowed, Some("https://a.example"), "{method} {path}");
        }
    }
    from("OPTIONS", "/", "https://b.example").refused(403, "AccessForbidden");
    let unshared = from("GET", "/", "https://b.example").expect(200);
    assert_eq!(unshared.header("access-control-allow-origin"), None);
}
