//! What a CloudTrail event tells, read without copying its text. Members that no decision needs are passed over.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element".

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, borrowed unless it has escapes; empty for `null`.
#[derive(Default, Clone, Debug)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_string()))
    }
}

/// One value of a condition key, or several.
#[derive(Default, Clone, Debug)]
pub(crate) struct Values<'a>(pub(crate) Vec<Text<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Vec<Text<'de>>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a list of texts")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(vec![Text(Cow::Borrowed(text))])
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(vec![Text(Cow::Owned(text.to_owned()))])
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(vec![Text(Cow::Borrowed(if value { "true" } else { "false" }))])
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(vec![Text(Cow::Owned(value.to_string()))])
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(values)
            }
        }
        deserializer.deserialize_any(Any).map(Values)
    }
}

/// Pairs in the order of the text.
#[derive(Default, Clone, Debug)]
pub(crate) struct Pairs<'a>(pub(crate) Vec<(Text<'a>, Values<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Vec<(Text<'de>, Values<'de>)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Vec::new())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(pair) = pairs.next_entry()? {
                    all.push(pair);
                }
                Ok(all)
            }
        }
        deserializer.deserialize_any(Map).map(Pairs)
    }
}

/// An event.
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Event<'a> {
    #[serde(rename = "eventID", borrow)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) event_type: Text<'a>,
    pub(crate) event_source: Text<'a>,
    pub(crate) event_name: Text<'a>,
    pub(crate) event_time: Text<'a>,
    pub(crate) aws_region: Text<'a>,
    pub(crate) error_code: Text<'a>,
    pub(crate) error_message: Text<'a>,
    #[serde(rename = "sourceIPAddress")]
    pub(crate) source_ip: Text<'a>,
    pub(crate) user_agent: Text<'a>,
    pub(crate) vpc_endpoint_id: Text<'a>,
    pub(crate) tls_details: Option<Tls<'a>>,
    pub(crate) user_identity: Option<UserIdentity<'a>>,
    pub(crate) resources: Option<Vec<Resource<'a>>>,
    pub(crate) event_context: Option<EventContext<'a>>,
    /// A wrapper among lines of events.
    #[serde(rename = "Records")]
    pub(crate) records: Option<IgnoredAny>,
}

/// `tlsDetails`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Tls<'a> {
    #[serde(borrow)]
    pub(crate) tls_version: Text<'a>,
}

/// `userIdentity`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UserIdentity<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Text<'a>,
    pub(crate) principal_id: Text<'a>,
    pub(crate) arn: Text<'a>,
    pub(crate) account_id: Text<'a>,
    pub(crate) user_name: Text<'a>,
    pub(crate) invoked_by: Text<'a>,
    pub(crate) identity_provider: Text<'a>,
    pub(crate) session_context: Option<SessionContext<'a>>,
}

/// `sessionContext`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SessionContext<'a> {
    #[serde(borrow)]
    pub(crate) session_issuer: Option<Issuer<'a>>,
    pub(crate) attributes: Option<Attributes<'a>>,
    pub(crate) source_identity: Text<'a>,
}

/// `sessionIssuer`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Issuer<'a> {
    #[serde(borrow)]
    pub(crate) arn: Text<'a>,
    pub(crate) principal_id: Text<'a>,
}

/// `attributes`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Attributes<'a> {
    #[serde(borrow)]
    pub(crate) creation_date: Text<'a>,
    pub(crate) mfa_authenticated: Text<'a>,
}

/// One of `resources`
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct Resource<'a> {
    #[serde(rename = "ARN", alias = "arn", borrow)]
    pub(crate) arn: Text<'a>,
    #[serde(rename = "accountId")]
    pub(crate) account: Text<'a>,
}

/// `eventContext` of enriched events: condition keys and tags that the trail's owner asked for.
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EventContext<'a> {
    #[serde(borrow)]
    pub(crate) request_context: Pairs<'a>,
    pub(crate) tag_context: Option<TagContext<'a>>,
}

/// `tagContext`
#[derive(serde::Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TagContext<'a> {
    #[serde(borrow)]
    pub(crate) resource_tags: Option<Vec<Tagged<'a>>>,
}

/// The tags of one resource.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
pub(crate) struct Tagged<'a> {
    #[serde(borrow)]
    pub(crate) arn: Text<'a>,
    pub(crate) tags: Pairs<'a>,
}

/// Reads one event.
pub(crate) fn read(bytes: &[u8]) -> Result<Event<'_>, serde_json::Error> {
    if bytes.first() != Some(&b'{') {
        return Err(serde::de::Error::custom("an event is an object"));
    }
    serde_json::from_slice(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_without_copying() {
        let text = r#"{"eventID":"e","eventName":"GetObject","userIdentity":{"type":"IAMUser","arn":"a\u0041"},
            "requestParameters":{"x":[1,{"y":null}]},"errorCode":null,"resources":[{"ARN":"r","accountId":"1"}],
            "eventContext":{"requestContext":{"aws:PrincipalTag/team":"a","aws:TagKeys":["k","l"]}}}"#;
        let event = read(text.as_bytes()).unwrap();
        assert!(matches!(event.event_name.0, Cow::Borrowed("GetObject")));
        assert_eq!(&*event.user_identity.unwrap().arn, "aA");
        assert_eq!(&*event.error_code, "");
        assert_eq!(&*event.resources.unwrap()[0].arn, "r");
        let context = event.event_context.unwrap().request_context.0;
        assert_eq!((context[0].1.0.len(), context[1].1.0.len()), (1, 2));
        assert!(read(b"[]").is_err() && read(b"{\"eventID\":{}}").is_err());
    }
}
