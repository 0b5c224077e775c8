//! Buckets as websites: which object a visitor's path means, and where the visitor is sent instead.
//!
//! `redirect` follows the routing rules. The objects themselves are read by S3's own operations, for nobody.
//!
//! Invariant: the configuration only ever chooses which object is read; whether it may be is decided where every read is.
//!
//! Source: S3 User Guide, "Hosting a static website using Amazon S3", "Configuring an index document", "Configuring a custom error
//! document", "Configuring webpage redirects".

use api::s3 as model;
use pipeline::{Course, Look, Owned, Past, Purpose, Result, SiteRules, Turn, Visit};
use wire::Fault;
use wire::sigv4::percent_decode;

use super::bucket::{BUCKETS, Bucket, Configured};
use super::configuration;
use super::fault::{no_such_bucket, text};

mod redirect;

/// The websites of buckets.
pub static SITES: SiteRules = SiteRules {
    service: "s3",
    read: "GetObject",
    probe: "HeadObject",
    is_site,
    turn,
};

fn is_site(look: &mut Look<'_>, name: &str) -> Result<bool> {
    let bucket = look.get(&BUCKETS, name)?;
    Ok(bucket.is_some_and(|bucket| bucket.configured.contains(&Configured::Website)))
}

fn turn(look: &mut Look<'_>, visit: &Visit<'_>, past: &[Past]) -> Result<Course> {
    let Some(bucket) = look.get(&BUCKETS, visit.bucket)? else {
        return Ok(Course {
            owned: None,
            turn: Turn::Refuse(no_such_bucket(visit.bucket)),
        });
    };
    if bucket.is_followed() {
        look.follow(&bucket.name);
    }
    let turn = next(look, &bucket, visit, past)?;
    Ok(Course {
        owned: Some(Owned {
            account: bucket.account.clone(),
            region: bucket.region.clone(),
        }),
        turn,
    })
}

fn next(look: &mut Look<'_>, bucket: &Bucket, visit: &Visit<'_>, past: &[Past]) -> Result<Turn> {
    if !visit.reads() {
        return Ok(Turn::Refuse(not_allowed(visit.method)));
    }
    let found: Option<model::WebsiteConfiguration> =
        configuration::read(look, bucket, Configured::Website, "")?;
    let Some(site) = found else {
        return Ok(Turn::Refuse(no_website(&bucket.name)));
    };
    if let Some(all) = &site.redirect_all_requests_to {
        return Ok(redirect::all(all, visit));
    }
    let asked = Asked::of(visit, &site);
    Ok(match past.last() {
        None => asked.first(visit, &site),
        Some(last) => asked.after(visit, &site, past, last),
    })
}

/// What a visitor's path asks for.
struct Asked {
    /// The path as a key, without its first slash.
    key: String,
    /// The name of index documents.
    suffix: String,
}

impl Asked {
    fn of(visit: &Visit<'_>, site: &model::WebsiteConfiguration) -> Self {
        let path = visit.path.strip_prefix('/').unwrap_or(visit.path);
        let index = site.index_document.as_ref();
        Self {
            key: percent_decode(path).into_owned(),
            suffix: index.map(|index| index.suffix.clone()).unwrap_or_default(),
        }
    }

    /// Whether the path is of a folder, whose index document is meant.
    fn is_folder(&self) -> bool {
        self.key.is_empty() || self.key.ends_with('/')
    }

    fn first(&self, visit: &Visit<'_>, site: &model::WebsiteConfiguration) -> Turn {
        if let Some(turn) = redirect::by_rule(site, visit, &self.key, None) {
            return turn;
        }
        let key = if self.is_folder() {
            format!("{}{}", self.key, self.suffix)
        } else {
            self.key.clone()
        };
        Turn::Read {
            key,
            purpose: Purpose::Page,
        }
    }

    /// What comes after a read.
    fn after(
        &self,
        visit: &Visit<'_>,
        site: &model::WebsiteConfiguration,
        past: &[Past],
        last: &Past,
    ) -> Turn {
        let refused = past.first().map_or(0, |first| first.status);
        match (last.purpose, &last.read) {
            (Purpose::Page, Ok(Some(location))) => Turn::Redirect {
                status: 301,
                location: location.clone(),
            },
            (Purpose::Page, Ok(None)) => Turn::Serve { status: None },
            (Purpose::ErrorDocument, Ok(_)) => Turn::Serve {
                status: Some(refused),
            },
            (Purpose::ErrorDocument, Err(_)) => Turn::Fail,
            (Purpose::Probe, Ok(_)) => Turn::Refuse(moved(visit)),
            (Purpose::Page, Err(_)) if !self.is_folder() && matches!(last.status, 403 | 404) => Turn::Read {
                key: format!("{}/{}", self.key, self.suffix),
                purpose: Purpose::Probe,
            },
            (Purpose::Page | Purpose::Probe, Err(_)) => self.refused(visit, site, refused),
        }
    }

    /// What a visitor gets whose object was refused: a redirection, the website's own page, or a plain one.
    fn refused(&self, visit: &Visit<'_>, site: &model::WebsiteConfiguration, status: u16) -> Turn {
        if let Some(turn) = redirect::by_rule(site, visit, &self.key, Some(status)) {
            return turn;
        }
        match &site.error_document {
            // What the visitor's own conditions and ranges came to is no error of the site.
            Some(document) if (400..500).contains(&status) && !matches!(status, 412 | 416) => Turn::Read {
                key: document.key.clone(),
                purpose: Purpose::ErrorDocument,
            },
            _ => Turn::Fail,
        }
    }
}

/// 302 to the folder that has an index document.
fn moved(visit: &Visit<'_>) -> Fault {
    // A path that begins with two slashes alone would be a host's name; browsers take a backslash for one.
    let front = if visit.path.starts_with("//") || visit.path.starts_with("/\\") {
        format!("{}://{}", redirect::protocol(None, visit), visit.host)
    } else {
        String::new()
    };
    Fault::plain("Found", 302, "Resource Found").with("location", text(format!("{front}{}/", visit.path)))
}

fn not_allowed(method: &str) -> Fault {
    let shown: String = method.chars().take(32).collect();
    Fault::plain(
        "MethodNotAllowed",
        405,
        "The specified method is not allowed against this resource.",
    )
    .with("Method", text(shown))
    .with("ResourceType", text("OBJECT"))
    .with("allow", text("GET, HEAD"))
}

fn no_website(bucket: &str) -> Fault {
    Fault::plain(
        "NoSuchWebsiteConfiguration",
        404,
        "The specified bucket does not have a website configuration",
    )
    .with("BucketName", text(bucket))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_folder_is_never_another_host() {
        let location = |path: &str| {
            let headers = HeaderMap::new();
            let visit = Visit {
                bucket: "b",
                method: "GET",
                path,
                query: "",
                host: "b.s3-website.localhost",
                secure: false,
                headers: &headers,
            };
            let members = moved(&visit).members;
            let location = members.iter().find(|(name, _)| *name == "location");
            location.and_then(|(_, value)| value.as_str()).unwrap().to_owned()
        };
        assert_eq!(location("/folder"), "/folder/");
        for path in ["//example.com", "/\\example.com"] {
            assert_eq!(location(path), format!("http://b.s3-website.localhost{path}/"));
        }
    }
}
