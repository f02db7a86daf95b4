//! Records for JavaScript: [`crate::bridge::event_batch`].

use std::sync::Arc;

use bytes::Bytes;
use smallvec::smallvec;

use super::count;
use crate::bridge::event_batch::EventQueue;
use crate::protocol::CloseReason;
use crate::session::Instance;
use crate::socketio::events::{Delivery, Event, EventSink as _, Run};
use crate::socketio::packet::Payload;

/// A call, as the server receives it.
fn call(number: u32, text: &str, attachments: Vec<Bytes>) -> Event {
    let instance = Instance(0);
    Event::Emitted {
        socket: u64::from(number % 50),
        ack: Some(i64::from(number)),
        runs: smallvec![Run::Method {
            instance,
            method: 3
        }],
        payload: Payload::Json(text.to_owned().into(), attachments),
        permit: None,
    }
}

const SMALL: &str = r#"["double",{"value":21}]"#;

fn calls(n: u32, text: &str) -> Vec<Event> {
    (0..n)
        .map(|number| call(number, text, Vec::new()))
        .collect()
}

/// Queues all events and takes batches until there are no more. Returns the bytes of text and the number
/// of attachments.
fn through(queue: &EventQueue, events: Vec<Event>) -> (usize, usize) {
    for event in events {
        queue.push(event);
    }
    let (mut bytes, mut attached) = (0, 0);
    loop {
        let batch = queue.take();
        attached += batch.attachments.len();
        bytes += queue.with_text(<[u8]>::len);
        if batch.is_awaited {
            drop(queue.processed());
        }
        if !batch.more {
            return (bytes, attached);
        }
        queue.resume();
    }
}

fn queue() -> EventQueue {
    let queue = EventQueue::new();
    queue.set_wake(Some(Box::new(|| {})));
    queue
}

/// All calls are taken in one batch.
pub(super) fn batch(n: u32) {
    let (queue, events) = (queue(), calls(n, SMALL));
    let (bytes, _) = count(|| through(&queue, events));
    assert!(bytes > n as usize * SMALL.len());
}

/// Each call is taken before the next one is queued.
pub(super) fn one_by_one(n: u32) {
    let (queue, events) = (queue(), calls(n, SMALL));
    let bytes = count(|| {
        let one = |event| through(&queue, vec![event]).0;
        events.into_iter().map(one).sum::<usize>()
    });
    assert!(bytes > n as usize * SMALL.len());
}

/// Calls of 1 KiB.
pub(super) fn large(n: u32) {
    let text = format!(r#"["double",{{"value":21,"data":"{}"}}]"#, "x".repeat(1024));
    let (queue, events) = (queue(), calls(n, &text));
    let (bytes, _) = count(|| through(&queue, events));
    assert!(bytes > n as usize * text.len());
}

/// Calls with two buffers each.
pub(super) fn attachments(n: u32) {
    let queue = queue();
    let text = r#"["blob",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let buffers = || vec![Bytes::from_static(b"one"), Bytes::from_static(b"two")];
    let events = (0..n).map(|number| call(number, text, buffers())).collect();
    let (_, attached) = count(|| through(&queue, events));
    assert_eq!(attached, 2 * n as usize);
}

/// Each socket connects and ends, and its connection is closed.
pub(super) fn come_and_go(n: u32) {
    let queue = queue();
    let request = r#"{"id":"aaaaaaaaaaaaaaaaaaaa","nsp":"/"}"#;
    let life = |number: u64| {
        let delivery = Arc::<Delivery>::default();
        let connect = Event::Connect {
            socket: number,
            connection: number,
            namespace: 0,
            delivery: delivery.clone(),
            request: request.to_owned(),
            auth: None,
            permit: None,
        };
        let disconnect = Event::Disconnect {
            socket: number,
            delivery,
            reason: CloseReason::TransportClose,
        };
        let closed = Event::Closed {
            connection: number,
            reason: CloseReason::TransportClose,
        };
        [connect, disconnect, closed]
    };
    let events = (0..u64::from(n)).flat_map(life).collect();
    let (bytes, _) = count(|| through(&queue, events));
    assert!(bytes > n as usize * request.len());
}

/// The records of a batch, one by one: what JavaScript asks for when a batch cannot be parsed.
pub(super) fn records(n: u32) {
    let queue = queue();
    for event in calls(n, SMALL) {
        queue.push(event);
    }
    queue.take();
    let records = count(|| queue.records());
    assert_eq!(records.len(), n as usize);
}
