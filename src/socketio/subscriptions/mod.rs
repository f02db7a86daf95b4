//! Subscriptions of the native server: which sockets get the items of a channel, and when.
//!
//! [`crate::session::subscriptions`] decides; here its decisions are carried out. A channel belongs to a
//! namespace and is known to JavaScript by a number. JavaScript publishes, subscribes and unsubscribes with
//! commands; what clients acknowledge is handled on the thread that read it, without JavaScript. An item
//! is encoded once for all subscribers, and once more, with an id in its head, for those that it asks
//! for an acknowledgement.
//!
//! ```text
//! channel   one channel: its lock, its timer, and what it sends      item    an encoded item
//! table     the subscriptions of one socket, and what they await     shared  what channels share
//! ```
//!
//! **Locks.** Items are sent while their channel is locked, which is what keeps them in order. The state
//! of a socket may be locked while a channel is, and never the other way round. What is sent to a client
//! that does not read may end its connection, and with it any of its sockets; so an end leaves its
//! channels a note ([`Channel::leave`]) instead of waiting for their locks, and whoever holds the lock
//! acts on the note once it has released it.

mod channel;
mod item;
mod shared;
mod table;

use std::sync::Arc;

use parking_lot::RwLock;
use rustc_hash::FxHashMap;

pub(crate) use channel::{Channel, Published, Recipient};
pub(crate) use shared::{Shared, is_item_ack};
pub(crate) use table::Table;

/// JavaScript's number for a channel, which is used once.
pub(crate) type ChannelNumber = u64;

/// The channels of a server; `S` is a socket.
pub(crate) struct Channels<S>(RwLock<FxHashMap<ChannelNumber, Arc<Channel<S>>>>);

impl<S> Default for Channels<S> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<S> Channels<S> {
    /// The channel with this number, if it is defined.
    pub(crate) fn get(&self, number: ChannelNumber) -> Option<Arc<Channel<S>>> {
        self.0.read().get(&number).cloned()
    }

    pub(crate) fn add(&self, number: ChannelNumber, channel: Arc<Channel<S>>) {
        self.0.write().insert(number, channel);
    }

    /// Removes a channel.
    pub(crate) fn remove(&self, number: ChannelNumber) -> Option<Arc<Channel<S>>> {
        self.0.write().remove(&number)
    }
}
