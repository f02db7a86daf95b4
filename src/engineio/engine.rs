//! What all connections of one server have in common, and which there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::time::Instant;

use super::Sid;
use super::config::Config;
use super::counters::Counters;
use super::events::{ConnectionNumber, Events};
use super::http;
use crate::io::runtime::Runtime;

/// How long a client may take, when its connection ends, to fetch what is queued for it or to close
/// the websocket. The value is Engine.IO's.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);
/// The least time that a client has to close its stream.
const MIN_CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of a new connection. No two in the process have the same, whichever server they are of.
pub(crate) fn next_connection() -> ConnectionNumber {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The engine of one server. It owns its connections, of the type `C`, until they end.
pub(crate) struct Engine<C> {
    pub(crate) config: Config,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) runtime: Runtime,
    pub(crate) counters: Counters,
    /// By session id. An application may derive it from what a client sends, so the hash is seeded.
    connections: RwLock<HashMap<Sid, Arc<C>>>,
    /// What the application has set for requests.
    http: Mutex<Arc<http::Config>>,
    is_closing: AtomicBool,
    /// When the streams of connections that end are to be closed, if the server is to close by then.
    ends_by: Mutex<Option<Instant>>,
}

impl<C> Engine<C> {
    pub(crate) fn new(config: Config, events: Arc<dyn Events>, runtime: Runtime) -> Arc<Self> {
        Arc::new(Self {
            config,
            events,
            runtime,
            counters: Counters::default(),
            connections: RwLock::default(),
            http: Mutex::default(),
            is_closing: AtomicBool::new(false),
            ends_by: Mutex::new(None),
        })
    }

    /// Sets the options for requests that come from now on, on every front.
    pub(crate) fn configure_http(&self, config: http::Config) {
        *self.http.lock() = config.into();
    }

    /// The options for requests.
    pub(crate) fn http(&self) -> Arc<http::Config> {
        self.http.lock().clone()
    }

    /// The open connection with this session id.
    pub(crate) fn connection(&self, id: Sid) -> Option<Arc<C>> {
        self.connections.read().get(&id).cloned()
    }

    /// Every open connection.
    pub(crate) fn connections(&self) -> Vec<Arc<C>> {
        self.connections.read().values().cloned().collect()
    }

    /// Has connections that end from now on close their streams within this time, or a little later.
    pub(crate) fn limit_closing(&self, within: Duration) {
        // A time that the clock cannot hold is no limit.
        *self.ends_by.lock() = Instant::now().checked_add(within);
    }

    /// Until when a client whose connection ends now may take to close its stream.
    pub(super) fn close_deadline(&self) -> Instant {
        let now = Instant::now();
        let latest = now + CLOSE_TIMEOUT;
        match *self.ends_by.lock() {
            Some(ends_by) => latest.min(ends_by.max(now + MIN_CLOSE_TIMEOUT)),
            None => latest,
        }
    }

    /// Accepts no more connections.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    /// Adds a connection, unless the server is closing or an open connection has its session id.
    pub(super) fn admit(&self, id: Sid, connection: &Arc<C>) -> bool {
        let mut connections = self.connections.write();
        if self.is_closing.load(Ordering::Acquire) {
            return false;
        }
        match connections.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(connection.clone());
                true
            }
        }
    }

    /// Removes a connection that has ended. Returns whether it had been admitted.
    pub(super) fn remove(&self, id: Sid, connection: &Arc<C>) -> bool {
        if let Entry::Occupied(place) = self.connections.write().entry(id)
            && Arc::ptr_eq(place.get(), connection)
        {
            place.remove();
            return true;
        }
        false
    }
}
