//! How a connection begins: it is accepted, and its open packet tells the client its settings.

use std::sync::Arc;

use super::config::Config;
use super::connection::{Connection, Identity, Transport};
use super::events::ConnectionNumber;
use super::handler::Handler;
use super::heartbeat;
use super::{ProtocolVersion, Sid, TransportType};
use crate::protocol::CloseReason;

/// Opens a connection; `None`, after telling JavaScript, if the server accepts none any more.
pub(super) fn open<H: Handler>(
    handler: &Arc<H>,
    id: Sid,
    number: ConnectionNumber,
    protocol: ProtocolVersion,
    transport: Transport,
    watched: bool,
) -> Option<Arc<Connection<H::Data>>> {
    let engine = handler.engine();
    let identity = Identity {
        id,
        number,
        protocol,
    };
    let carried_by = match &transport {
        Transport::Polling { .. } => TransportType::Polling,
        Transport::Websocket(..) => TransportType::Websocket,
    };
    let connection = Connection::new(engine, identity, transport, watched, handler.data());
    if !engine.admit(id, &connection) {
        connection.close(CloseReason::ServerShuttingDown);
        return None;
    }
    engine.counters.opened(carried_by);
    handler.on_open(&connection);
    connection.set_heartbeat(heartbeat::watch(
        &engine.runtime.delayed,
        Arc::downgrade(&connection),
        protocol,
        &engine.config,
    ));
    Some(connection)
}

/// Engine.IO's open packet.
pub(super) fn open_packet(config: &Config, sid: Sid, transport: TransportType) -> String {
    let may_upgrade =
        transport == TransportType::Polling && config.websocket && config.allow_upgrades;
    format!(
        r#"0{{"sid":"{sid}","upgrades":[{}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        if may_upgrade { r#""websocket""# } else { "" },
        config.ping_interval.as_millis(),
        config.ping_timeout.as_millis(),
        config.max_http_buffer_size,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(config: &Config, transport: TransportType) -> String {
        open_packet(config, "lv_VI97HAXpY6yYWAAAB".parse().unwrap(), transport)
    }

    #[test]
    fn the_open_packet_has_the_fields_of_engine_io_in_its_order() {
        assert_eq!(
            packet(&Config::default(), TransportType::Polling),
            r#"0{"sid":"lv_VI97HAXpY6yYWAAAB","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
    }

    #[test]
    fn only_an_upgrade_that_is_possible_is_offered() {
        let none = r#""upgrades":[]"#;
        assert!(packet(&Config::default(), TransportType::Websocket).contains(none));
        let refused = Config {
            allow_upgrades: false,
            ..Config::default()
        };
        assert!(packet(&refused, TransportType::Polling).contains(none));
        let polling_only = Config {
            websocket: false,
            ..Config::default()
        };
        assert!(packet(&polling_only, TransportType::Polling).contains(none));
    }
}
