//! The options of the engine, validated by JavaScript.

use std::time::Duration;

use super::http::encoding::HttpCompression;
use crate::websocket::deflate::{self, Agreement, Deflater};

/// The options of the engine of one server. Durations come from milliseconds, sizes are bytes.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// How often an Engine.IO 4 client is pinged.
    pub(crate) ping_interval: Duration,
    /// How long a client may stay silent after a ping (Engine.IO 3: beyond the interval).
    pub(crate) ping_timeout: Duration,
    /// How long an upgrade from polling to websocket may take.
    pub(crate) upgrade_timeout: Duration,
    /// How long a connection may live without joining a namespace.
    pub(crate) connect_timeout: Duration,
    /// The largest message of a client, on either transport and with its attachments.
    pub(crate) max_http_buffer_size: usize,
    /// How many bytes may be queued for a client that does not read, before its connection is closed.
    pub(crate) max_backpressure: usize,
    /// Whether clients may poll.
    pub(crate) polling: bool,
    /// Whether clients may use websockets.
    pub(crate) websocket: bool,
    /// Whether a client that polls may move to a websocket.
    pub(crate) allow_upgrades: bool,
    /// Whether clients of Engine.IO 3 are accepted.
    pub(crate) allow_eio3: bool,
    /// How messages on websockets are compressed, if they are.
    pub(crate) per_message_deflate: Option<deflate::Options>,
    /// Whether and how responses to polls are compressed.
    pub(crate) http_compression: Option<HttpCompression>,
}

impl Config {
    /// Compresses the messages for a client with which compression was agreed on.
    pub(super) fn deflater(&self, compression: Option<Agreement>) -> Option<Deflater> {
        let options = self.per_message_deflate.as_ref();
        Some(Deflater::new(compression?, options?))
    }
}

/// The defaults of `lib/socketio/options.js`, which validates the options of an application: tests and
/// counted cases change what matters to them.
#[cfg(any(test, feature = "instructions"))]
impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            max_http_buffer_size: 1_000_000,
            max_backpressure: 16 << 20,
            polling: true,
            websocket: true,
            allow_upgrades: true,
            allow_eio3: true,
            per_message_deflate: None,
            http_compression: Some(HttpCompression::default()),
        }
    }
}
