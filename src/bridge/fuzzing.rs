//! Properties that hold for every batch of records for JavaScript; `fuzz/` and the unit tests run them.
//! A function panics if its property does not hold.

// A property that does not hold panics; only the fuzz targets and the unit tests run them.
#![allow(clippy::expect_used)]

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::event_batch::EventQueue;
use crate::protocol::{CloseReason, RECORD_FIELDS};
use crate::socketio::events::{Delivery, Event, EventSink as _};
use crate::socketio::packet::{self, Payload};

/// Messages of clients, one for each line, become records of a batch: each is complete in its own record,
/// with its own attachments.
pub fn batches(input: &[u8]) {
    let queue = EventQueue::new();
    // JavaScript knows the socket that ends.
    let delivery = Arc::<Delivery>::default();
    delivery.connect();
    let mut pushed = Vec::new();
    for line in input.split(|&byte| byte == b'\n') {
        let Ok(line) = std::str::from_utf8(line) else {
            continue;
        };
        let attachments = vec![Bytes::from_static(b"attached"); line.len() % 3];
        if packet::event_name(line).is_some() {
            queue.push(Event::Emitted {
                socket: 7,
                ack: None,
                runs: Default::default(),
                payload: Payload::Json(line.to_owned().into(), attachments.clone()),
                permit: None,
            });
            pushed.push((line, attachments.len()));
        }
        if packet::is_arguments(line) {
            queue.push(Event::Acknowledged {
                socket: 7,
                ack: -3,
                payload: Payload::Json(line.to_owned().into(), attachments.clone()),
                permit: None,
            });
            pushed.push((line, attachments.len()));
        }
        queue.push(Event::Disconnect {
            socket: 8,
            delivery: delivery.clone(),
            reason: CloseReason::TransportClose,
        });
        pushed.push(("0", 0));
    }
    let mut pushed = pushed.into_iter();
    loop {
        let batch = queue.take();
        let records = queue.records();
        let mut attached = batch.attachments.len();
        queue.with_text(|text| {
            let values: Vec<&RawValue> = serde_json::from_slice(text).expect("a batch that parses");
            assert_eq!(values.len(), RECORD_FIELDS * records.len());
            for (values, record) in values.chunks(RECORD_FIELDS).zip(&records) {
                let (text, attachments) = pushed.next().expect("no record that was not pushed");
                assert_eq!(values[RECORD_FIELDS - 1].get(), text.trim());
                let alone: Vec<&RawValue> =
                    serde_json::from_str(record).expect("a record that parses");
                assert_eq!(alone.len(), RECORD_FIELDS);
                attached -= attachments;
            }
        });
        assert_eq!(attached, 0);
        if batch.is_awaited {
            drop(queue.processed());
        }
        if !batch.more {
            break;
        }
        queue.resume();
    }
    assert_eq!(pushed.next(), None, "every record comes");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzzing::tests::replay;

    #[test]
    fn batches_of_the_corpus_hold_each_message_in_a_record_of_its_own() {
        replay("batches", batches);
    }
}
