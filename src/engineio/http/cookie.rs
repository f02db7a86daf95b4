//! The cookie with a session's id, which load balancers use to route its requests.

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that `encodeURIComponent` escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// A cookie without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    /// As in `Set-Cookie`, each after `; `.
    pub(crate) attributes: String,
}

impl Cookie {
    /// The `Set-Cookie` that gives it a value; `None` if it cannot be sent.
    pub(crate) fn set(&self, value: &str) -> Option<HeaderValue> {
        self.set_encoded(&utf8_percent_encode(value, ESCAPED).to_string())
    }

    /// The same for a value that is encoded already.
    pub(crate) fn set_encoded(&self, value: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}={value}{}", self.name, self.attributes)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_has_its_value_escaped_as_by_javascript() {
        let cookie = Cookie {
            name: "io".to_owned(),
            attributes: "; Path=/; HttpOnly; SameSite=Lax".to_owned(),
        };
        for (value, expected) in [
            ("lv_VI97-xpY6yYWAAAB", "lv_VI97-xpY6yYWAAAB"),
            ("-_.!~*'()", "-_.!~*'()"),
            ("a:b/c=d;e,f g", "a%3Ab%2Fc%3Dd%3Be%2Cf%20g"),
            (
                "#$%&+?@[]^`{|}<>",
                "%23%24%25%26%2B%3F%40%5B%5D%5E%60%7B%7C%7D%3C%3E",
            ),
        ] {
            let expected = format!("io={expected}; Path=/; HttpOnly; SameSite=Lax");
            assert_eq!(cookie.set(value).unwrap(), expected);
        }
    }

    #[test]
    fn a_cookie_that_cannot_be_sent_is_none() {
        let cookie = Cookie {
            name: "io".to_owned(),
            attributes: "\r\nx: y".to_owned(),
        };
        assert_eq!(cookie.set("id"), None);
    }
}
