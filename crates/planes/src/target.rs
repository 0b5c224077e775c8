//! The request target and the host, as the signature will be checked against them: the client's bytes, with no room for
//! two readings of one request.

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version, header};

/// A refusal in the listener's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
    /// The rest of what the client sends cannot be told apart any more, so the connection ends.
    pub(crate) close: bool,
}

const fn malformed(reason: &'static str) -> Refusal {
    Refusal {
        status: StatusCode::BAD_REQUEST,
        reason,
        close: false,
    }
}

/// Splits the target into path and query, raw.
pub(crate) fn path_and_query(parts: &Parts) -> Result<(String, String), Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal {
            status: StatusCode::METHOD_NOT_ALLOWED,
            reason: "This server is no proxy.\n",
            close: true,
        });
    }
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(malformed(
            "The scheme of the request target must be http or https.\n",
        ));
    }
    let path = parts.uri.path();
    if !path.starts_with('/') {
        return Err(malformed("The request target must be a path.\n"));
    }
    Ok((path.to_owned(), parts.uri.query().unwrap_or_default().to_owned()))
}

/// Leaves exactly one `host` header: HTTP/2's `:authority` becomes it, and an absolute target's authority replaces it
/// (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1). Two hosts would let the signature cover one and the router read
/// the other.
pub(crate) fn settle_host(parts: &mut Parts) -> Result<(), Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (named, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(malformed("A request has one Host header.\n"));
    }
    match (parts.uri.authority(), named) {
        (None, Some(_)) => Ok(()),
        (None, None) if parts.version <= Version::HTTP_10 => Ok(()),
        (None, None) => Err(malformed("A request needs a Host header.\n")),
        (Some(authority), _) if authority.as_str().contains('@') => {
            Err(malformed("A request target holds no user name.\n"))
        }
        (Some(authority), Some(host))
            if parts.version == Version::HTTP_2
                && !host
                    .as_bytes()
                    .eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            Err(malformed("The Host header differs from :authority.\n"))
        }
        (Some(authority), _) => {
            let host = HeaderValue::from_str(authority.as_str())
                .map_err(|_| malformed("The request target's authority is no host.\n"))?;
            parts.headers.insert(header::HOST, host);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: Method, version: Version, uri: &str, hosts: &[&str]) -> Parts {
        let mut request = http::Request::builder().method(method).version(version).uri(uri);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn host(version: Version, uri: &str, hosts: &[&str]) -> Option<String> {
        let mut parts = parts(Method::GET, version, uri, hosts);
        settle_host(&mut parts).ok()?;
        Some(parts.headers.get(header::HOST)?.to_str().unwrap().to_owned())
    }

    #[test]
    fn paths_and_queries_keep_the_clients_bytes() {
        let parts = parts(Method::GET, Version::HTTP_11, "/a%2Fb//c/../d?x=%20+&y", &["h"]);
        assert_eq!(
            path_and_query(&parts),
            Ok(("/a%2Fb//c/../d".to_owned(), "x=%20+&y".to_owned()))
        );
    }

    #[test]
    fn targets_that_are_no_path_are_refused() {
        for (method, uri) in [
            (Method::CONNECT, "h:443"),
            (Method::OPTIONS, "*"),
            (Method::GET, "ftp://h/a"),
        ] {
            let parts = parts(method, Version::HTTP_11, uri, &["h"]);
            assert!(path_and_query(&parts).is_err(), "{uri}");
        }
    }

    #[test]
    fn there_is_one_host() {
        assert_eq!(host(Version::HTTP_11, "/", &["a"]).as_deref(), Some("a"));
        assert_eq!(host(Version::HTTP_11, "/", &["a", "b"]), None);
        assert_eq!(host(Version::HTTP_11, "/", &[]), None);
        assert_eq!(host(Version::HTTP_11, "http://b/", &["a"]).as_deref(), Some("b"));
        assert_eq!(host(Version::HTTP_11, "http://u@b/", &["b"]), None);
        assert_eq!(host(Version::HTTP_2, "https://b/", &[]).as_deref(), Some("b"));
        assert_eq!(host(Version::HTTP_2, "https://b/", &["a"]), None);
    }
}
