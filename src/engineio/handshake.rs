//! The first packet of a connection, which tells the client how it is run.

use super::{Sid, TransportType};
use crate::socketio::options::Options;

/// Engine.IO's open packet.
pub(crate) fn open_packet(options: &Options, sid: Sid, transport: TransportType) -> String {
    let may_upgrade =
        transport == TransportType::Polling && options.websocket && options.allow_upgrades;
    format!(
        r#"0{{"sid":"{sid}","upgrades":[{}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        if may_upgrade { r#""websocket""# } else { "" },
        options.ping_interval.as_millis(),
        options.ping_timeout.as_millis(),
        options.max_http_buffer_size,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn options() -> Options {
        Options {
            ping_interval: Duration::from_millis(25_000),
            ping_timeout: Duration::from_millis(20_000),
            upgrade_timeout: Duration::from_millis(10_000),
            connect_timeout: Duration::from_millis(45_000),
            max_http_buffer_size: 1_000_000,
            max_backpressure: 1,
            parser: Default::default(),
            polling: true,
            websocket: true,
            allow_upgrades: true,
            allow_eio3: true,
        }
    }

    fn packet(options: &Options, transport: TransportType) -> String {
        open_packet(options, "lv_VI97HAXpY6yYWAAAB".parse().unwrap(), transport)
    }

    #[test]
    fn the_open_packet_has_the_fields_of_engine_io_in_its_order() {
        assert_eq!(
            packet(&options(), TransportType::Polling),
            r#"0{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
    }

    #[test]
    fn only_an_upgrade_that_is_possible_is_offered() {
        let none = r#""upgrades":[]"#;
        assert!(packet(&options(), TransportType::Websocket).contains(none));
        let refused = Options {
            allow_upgrades: false,
            ..options()
        };
        assert!(packet(&refused, TransportType::Polling).contains(none));
        let polling_only = Options {
            websocket: false,
            ..options()
        };
        assert!(packet(&polling_only, TransportType::Polling).contains(none));
    }
}
