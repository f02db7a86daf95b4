//! The subscriptions of one socket, by their numbers, and the acknowledgements that they await.
//!
//! Most sockets have no table, and most of the others one subscription in it, so it is small. All its
//! operations find what they need in O(log n).

use std::sync::Arc;

use smallvec::SmallVec;

use super::channel::Channel;
use crate::session::subscriptions::Slot;
use crate::socketio::events::{AckId, SubscriptionNumber};

/// At most this many requests of a subscription are outstanding; see [`crate::session::subscriptions`].
const MAX_REQUESTS: usize = 2;

/// The subscriptions of a socket, which is an `S`.
pub(crate) struct Table<S> {
    /// Sorted by number.
    subscriptions: SmallVec<[Subscription<S>; 1]>,
    /// Sorted by id. Empty while nothing is outstanding, and then without memory.
    requests: Vec<Request>,
}

struct Subscription<S> {
    channel: Arc<Channel<S>>,
    number: SubscriptionNumber,
    slot: Slot,
    /// The ids of its outstanding requests, the older one first; 0 for none.
    ids: [u32; MAX_REQUESTS],
}

/// An acknowledgement that is awaited.
#[derive(Debug, Clone, Copy)]
struct Request {
    id: u32,
    subscription: SubscriptionNumber,
    /// The channel's number for the request.
    number: u32,
}

/// What a client has acknowledged.
pub(crate) struct Awaited<S> {
    pub(crate) channel: Arc<Channel<S>>,
    pub(crate) slot: Slot,
    pub(crate) subscription: SubscriptionNumber,
    pub(crate) request: u32,
}

impl<S> Default for Table<S> {
    fn default() -> Self {
        Self {
            subscriptions: SmallVec::new(),
            requests: Vec::new(),
        }
    }
}

impl<S> Table<S> {
    /// Adds a subscription; returns false if its number is in use.
    pub(crate) fn add(
        &mut self,
        number: SubscriptionNumber,
        channel: Arc<Channel<S>>,
        slot: Slot,
    ) -> bool {
        let Err(index) = self.find(number) else {
            return false;
        };
        // Exactly as much as is needed: there are very many tables, and each changes rarely.
        if !self.subscriptions.is_empty() {
            self.subscriptions.reserve_exact(1);
        }
        self.subscriptions.insert(
            index,
            Subscription {
                channel,
                number,
                slot,
                ids: [0; MAX_REQUESTS],
            },
        );
        true
    }

    /// The channel of a subscription, and where it is there.
    pub(crate) fn get(&self, number: SubscriptionNumber) -> Option<(Arc<Channel<S>>, Slot)> {
        let subscription = self.subscriptions.get(self.find(number).ok()?)?;
        Some((subscription.channel.clone(), subscription.slot))
    }

    /// Removes a subscription.
    pub(crate) fn remove(&mut self, number: SubscriptionNumber) -> Option<(Arc<Channel<S>>, Slot)> {
        let index = self.find(number).ok()?;
        let subscription = self.subscriptions.remove(index);
        self.subscriptions.shrink_to_fit();
        for id in subscription.ids {
            self.forget(id);
        }
        Some((subscription.channel, subscription.slot))
    }

    /// Awaits the acknowledgement of a request of a subscription with this id, or with a new one if the id
    /// is outstanding already. `None` if there is no such subscription.
    pub(crate) fn expect(
        &mut self,
        subscription: SubscriptionNumber,
        number: u32,
        mut id: AckId,
        new_id: impl Fn() -> AckId,
    ) -> Option<AckId> {
        let index = self.find(subscription).ok()?;
        let (id, place) = loop {
            let short = u32::try_from(id).ok()?;
            match self.request(short) {
                Ok(_) => id = new_id(),
                Err(place) => break (short, place),
            }
        };
        self.requests.insert(
            place,
            Request {
                id,
                subscription,
                number,
            },
        );
        let ids = &mut self.subscriptions.get_mut(index)?.ids;
        let forgotten = match ids {
            [first @ 0, _] => std::mem::replace(first, id),
            [_, second @ 0] => std::mem::replace(second, id),
            [first, second] => std::mem::replace(first, std::mem::replace(second, id)),
        };
        self.forget(forgotten);
        Some(id.into())
    }

    /// The client has acknowledged an id; `None` if it is not awaited. Older requests of the same
    /// subscription are not awaited any more.
    pub(crate) fn acknowledge(&mut self, ack: AckId) -> Option<Awaited<S>> {
        let id = u32::try_from(ack).ok()?;
        let request = *self.requests.get(self.request(id).ok()?)?;
        let index = self.find(request.subscription).ok()?;
        let subscription = self.subscriptions.get_mut(index)?;
        let [first, second] = subscription.ids;
        let done = if first == id {
            subscription.ids = [second, 0];
            [first, 0]
        } else {
            subscription.ids = [0, 0];
            [first, second]
        };
        let awaited = Awaited {
            channel: subscription.channel.clone(),
            slot: subscription.slot,
            subscription: request.subscription,
            request: request.number,
        };
        for id in done {
            self.forget(id);
        }
        Some(awaited)
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.subscriptions.len()
    }

    /// Whether there is no subscription.
    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions.is_empty()
    }

    /// All subscriptions, by their numbers.
    pub(crate) fn into_all(
        self,
    ) -> impl Iterator<Item = (SubscriptionNumber, Arc<Channel<S>>, Slot)> {
        let all = self.subscriptions.into_iter();
        all.map(|subscription| (subscription.number, subscription.channel, subscription.slot))
    }

    fn find(&self, number: SubscriptionNumber) -> Result<usize, usize> {
        self.subscriptions
            .binary_search_by_key(&number, |subscription| subscription.number)
    }

    fn request(&self, id: u32) -> Result<usize, usize> {
        self.requests
            .binary_search_by_key(&id, |request| request.id)
    }

    fn forget(&mut self, id: u32) {
        if let Ok(index) = self.request(id) {
            self.requests.remove(index);
        }
        if self.requests.is_empty() {
            self.requests = Vec::new();
        }
    }
}
