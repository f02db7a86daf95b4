//! Parses the query of a request's target.

use std::borrow::Cow;

use super::super::ProtocolVersion;

/// The parameters of Engine.IO. If one occurs twice, the last counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query<'a> {
    /// `EIO`: version 3 unless it is 4.
    pub(crate) protocol: ProtocolVersion,
    pub(crate) transport: Option<Cow<'a, str>>,
    /// The session that the request uses; an empty value counts as none.
    pub(crate) sid: Option<Cow<'a, str>>,
    /// `b64`: the client takes binary packets only as base64.
    pub(crate) base64_only: bool,
    /// `j`: the client takes answers only as scripts (JSONP).
    pub(crate) jsonp: Option<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    /// Reads the query of a target in origin form, as in the request's first line. Text, and not a
    /// `http::Uri`, since Node's parser lets through targets that are no URI. A fragment, which none should have, is
    /// left out, as by Node's `url.parse()`.
    pub(crate) fn of(target: &'a str) -> Self {
        let (target, _) = target.split_once('#').unwrap_or((target, ""));
        let (_, query) = target.split_once('?').unwrap_or((target, ""));
        let mut this = Self {
            protocol: ProtocolVersion::V3,
            transport: None,
            sid: None,
            base64_only: false,
            jsonp: None,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "EIO" if value == "4" => this.protocol = ProtocolVersion::V4,
                "EIO" => this.protocol = ProtocolVersion::V3,
                "transport" => this.transport = Some(value),
                "sid" => this.sid = Some(value).filter(|sid| !sid.is_empty()),
                "b64" => this.base64_only = !value.is_empty(),
                "j" => this.jsonp = Some(value),
                _ => {}
            }
        }
        this
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_query_has_the_parameters_of_engine_io() {
        let query = Query::of("/socket.io/?EIO=4&transport=polling&t=abc&sid=a%2Bb+c&b64=1&j=3");
        assert_eq!(query.protocol, ProtocolVersion::V4);
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.sid.as_deref(), Some("a+b c"));
        assert!(query.base64_only);
        assert_eq!(query.jsonp.as_deref(), Some("3"));
    }

    #[test]
    fn a_fragment_is_no_part_of_the_query() {
        let query = Query::of("/socket.io/?EIO=4&transport=polling#sid=a?b");
        assert_eq!(query.protocol, ProtocolVersion::V4);
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.sid, None);
    }

    #[test]
    fn a_target_without_a_query_has_no_parameters() {
        for target in [
            "",
            "/socket.io/",
            "/socket.io/?",
            "/a?x=1",
            "*",
            "/a#?sid=1",
        ] {
            let query = Query::of(target);
            assert_eq!(query.protocol, ProtocolVersion::V3, "{target}");
            assert_eq!(
                (query.transport, query.sid, query.jsonp),
                (None, None, None)
            );
            assert!(!query.base64_only);
        }
    }

    #[test]
    fn the_version_is_3_unless_it_is_4() {
        for (value, protocol) in [
            ("4", ProtocolVersion::V4),
            ("%34", ProtocolVersion::V4),
            ("3", ProtocolVersion::V3),
            ("2", ProtocolVersion::V3),
            ("five", ProtocolVersion::V3),
            ("", ProtocolVersion::V3),
            ("04", ProtocolVersion::V3),
        ] {
            let target = format!("/?EIO={value}");
            assert_eq!(Query::of(&target).protocol, protocol, "{value}");
        }
    }

    #[test]
    fn the_last_of_two_parameters_of_a_name_counts() {
        let query = Query::of("/?EIO=4&sid=a&transport=smoke&EIO=3&sid=&transport=polling&j=1&j=");
        assert_eq!(query.protocol, ProtocolVersion::V3);
        assert_eq!(query.sid, None);
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.jsonp.as_deref(), Some(""));
    }

    proptest! {
        #[test]
        fn any_target_can_be_read(target in any::<String>()) {
            Query::of(&target);
        }
    }
}
