//! Subscriptions, from the commands of JavaScript to what clients receive and acknowledge.

use super::*;
use crate::protocol::SubscriptionEnd;
use crate::socketio::subscriptions::{Published, is_item_ack};

/// Channel 1, of the default namespace.
const DEFINE: &str = r#"{"window":4,"history":0,"maxQueuedBytes":60,"overflow":"end","ackTimeout":60000,"reportsCredit":false}"#;

/// What a channel holds that has neither subscribers nor a history.
const NOTHING: [usize; 3] = [0; 3];

impl World {
    /// Has the I/O thread execute commands.
    fn execute(&self, lines: &[String]) {
        let batch = lines.join("\n");
        self.server.output.send(Task::Batch(batch, Vec::new()));
    }

    fn define(&self, options: &str) {
        self.execute(&[format!("s\t1\t0\t{options}")]);
    }

    fn subscribe(&self, socket: &Socket, from: u64) {
        self.execute(&[format!("i\t{}\t1\t1\t{from}", socket.number)]);
    }

    /// Publishes items whose only argument is their offset, in one batch.
    fn publish(&self, offsets: std::ops::RangeInclusive<u64>) {
        let line = |offset| format!("p\t1\t{offset}\t[\"n\",{offset}]");
        self.execute(&offsets.map(line).collect::<Vec<_>>());
    }

    async fn subscription_ended(&mut self, socket: &Socket) -> SubscriptionEnd {
        self.until(|event| match event {
            Event::SubscriptionEnded {
                socket: of,
                subscription: 1,
                reason,
            } if *of == socket.number => Some(*reason),
            _ => None,
        })
        .await
    }
}

/// What a client receives: packets without their types, as far as they are complete.
struct Received<'a> {
    client: &'a mut UnixStream,
    bytes: Vec<u8>,
}

impl<'a> Received<'a> {
    fn new(client: &'a mut UnixStream) -> Self {
        Self {
            client,
            bytes: Vec::new(),
        }
    }

    /// The next event: its acknowledgement id and its payload.
    async fn event(&mut self) -> (Option<i64>, String) {
        loop {
            let text = self.text().await;
            if let Some(event) = text.strip_prefix("42") {
                let payload = event.find('[').unwrap();
                let (id, payload) = event.split_at(payload);
                return (id.parse().ok(), payload.to_owned());
            }
        }
    }

    /// The next events' payloads, and the ids in them.
    async fn events(&mut self, count: usize) -> (Vec<String>, Vec<i64>) {
        let mut payloads = Vec::new();
        let mut ids = Vec::new();
        for _ in 0..count {
            let (id, payload) = self.event().await;
            ids.extend(id);
            payloads.push(payload);
        }
        (payloads, ids)
    }

    /// The next short text frame.
    async fn text(&mut self) -> String {
        loop {
            if let Some(start) = self.bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                self.bytes.drain(..start + 4);
            }
            if let [0x81, length @ 0..126, rest @ ..] = &self.bytes[..]
                && let Some(text) = rest.get(..usize::from(*length))
            {
                let text = String::from_utf8(text.to_vec()).unwrap();
                self.bytes.drain(..2 + text.len());
                return text;
            }
            assert_ne!(self.client.read_buf(&mut self.bytes).await.unwrap(), 0);
        }
    }
}

fn items(offsets: std::ops::RangeInclusive<u64>) -> Vec<String> {
    offsets.map(|offset| format!("[\"n\",{offset}]")).collect()
}

#[test]
fn items_reach_subscribers_within_their_windows_and_acknowledgements_do_not_reach_javascript() {
    run(async |mut world| {
        let (mut first, one) = world.join(1).await;
        let (mut second, two) = world.join(2).await;
        world.define(DEFINE);
        world.subscribe(&one, 1);
        world.publish(1..=1);
        world.subscribe(&two, 2);
        world.publish(2..=6);
        let mut received = Received::new(&mut first);
        let (payloads, ids) = received.events(4).await;
        assert_eq!(payloads, items(1..=4));
        assert_eq!(ids.len(), 2);
        assert!(ids.iter().all(|&id| is_item_ack(id)));
        let (payloads, other_ids) = Received::new(&mut second).events(4).await;
        assert_eq!(payloads, items(2..=5));
        // One asks at items 2 and 4, the other one at 3 and 5.
        assert!(other_ids.iter().all(|id| !ids.contains(id)));
        say(received.client, &format!("43{}[]", ids[1])).await;
        assert_eq!(received.events(2).await.0, items(5..=6));
        // An id that is not awaited any more is JavaScript's, as any other one.
        for id in [ids[1], ids[0], 5] {
            say(received.client, &format!("43{id}[]")).await;
            let told = world.until(|event| match event {
                Event::Acknowledged { ack, .. } => Some(*ack),
                _ => None,
            });
            assert_eq!(told.await, id);
        }
        drop((one, two));
    });
}

#[test]
fn an_acknowledgement_of_an_item_that_is_no_array_ends_the_connection() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.define(DEFINE);
        world.subscribe(&socket, 1);
        world.publish(1..=2);
        let mut received = Received::new(&mut client);
        let (_, ids) = received.events(2).await;
        say(received.client, &format!("43{}[", ids[0])).await;
        assert_eq!(world.ended(&socket).await, CloseReason::ForcedClose);
        assert!(socket.holds_nothing());
    });
}

#[test]
fn subscribers_in_step_share_the_ids_of_items_and_one_that_awaits_such_an_id_gets_its_own() {
    run(async |mut world| {
        let (mut first, one) = world.join(1).await;
        let (mut second, two) = world.join(2).await;
        world.define(DEFINE);
        world.subscribe(&one, 1);
        world.subscribe(&two, 1);
        // A second subscription of the same socket.
        world.execute(&[format!("i\t{}\t2\t1\t1", one.number)]);
        world.publish(1..=2);
        world.publish(3..=3);
        world.publish(4..=4);
        let (_, shared) = Received::new(&mut second).events(4).await;
        assert_eq!(shared.len(), 2);
        let mut received = Received::new(&mut first);
        let (payloads, ids) = received.events(8).await;
        let mut expected = [items(1..=2), items(1..=2)].concat();
        expected.extend(["3", "3", "4", "4"].map(|n| format!("[\"n\",{n}]")));
        assert_eq!(payloads, expected);
        assert_eq!((ids[0], ids[2]), (shared[0], shared[1]));
        assert!(!shared.contains(&ids[1]) && !shared.contains(&ids[3]));
        world.publish(5..=5);
        for id in [ids[3], ids[2]] {
            say(received.client, &format!("43{id}[]")).await;
            assert_eq!(received.event().await.1, "[\"n\",5]");
        }
    });
}

#[test]
fn acknowledgement_ids_go_round() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.server.shared.skip_ids(u32::MAX);
        world.define(&DEFINE.replace("\"window\":4", "\"window\":2"));
        world.subscribe(&socket, 1);
        world.publish(1..=2);
        let (_, ids) = Received::new(&mut client).events(2).await;
        assert_eq!(ids, [(1 << 31) - 1, 1 << 30]);
    });
}

#[test]
fn a_subscriber_that_does_not_acknowledge_ends_as_slow_and_delays_no_other() {
    run(async |mut world| {
        let (_slow, socket) = world.join(1).await;
        let (mut other, two) = world.join(2).await;
        world.define(DEFINE);
        for each in [&socket, &two] {
            world.subscribe(each, 1);
        }
        let mut received = Received::new(&mut other);
        for round in 0..10 {
            world.publish(2 * round + 1..=2 * round + 2);
            let (_, ids) = received.events(2).await;
            say(received.client, &format!("43{}[]", ids[0])).await;
        }
        let ended = world.subscription_ended(&socket).await;
        assert_eq!(ended, SubscriptionEnd::Slow);
        assert!(socket.holds_nothing() && !two.holds_nothing());
    });
}

#[test]
fn a_subscriber_that_acknowledges_nothing_in_time_ends_as_slow() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        world.define(&DEFINE.replace("60000", "20"));
        world.subscribe(&socket, 1);
        world.publish(1..=5);
        let ended = world.subscription_ended(&socket).await;
        assert_eq!(ended, SubscriptionEnd::Slow);
        assert!(socket.holds_nothing());
    });
}

#[test]
fn a_channel_that_finishes_sends_what_is_queued_and_then_ends_each_subscription_once() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.define(&DEFINE.replace("false", "true"));
        world.subscribe(&socket, 1);
        world.publish(1..=5);
        world.execute(&["f\t1".to_owned()]);
        let mut received = Received::new(&mut client);
        let (_, ids) = received.events(4).await;
        say(received.client, &format!("43{}[]", ids[0])).await;
        assert_eq!(received.event().await.1, "[\"n\",5]");
        let credit = world.until(|event| match event {
            Event::SubscriptionCredit {
                subscription: 1,
                count,
                ..
            } => Some(*count),
            _ => None,
        });
        assert_eq!(credit.await, 2);
        let ended = world.subscription_ended(&socket).await;
        assert_eq!(ended, SubscriptionEnd::Finished);
        assert!(socket.holds_nothing());
        world.execute(&["y\t1".to_owned()]);
        say(received.client, &format!("43{}[]", ids[1])).await;
        world
            .until(|event| match event {
                Event::SubscriptionEnded { .. } => panic!("a second end"),
                Event::Acknowledged { .. } => Some(()),
                _ => None,
            })
            .await;
    });
}

#[test]
fn items_wait_while_a_subscription_is_held_and_stop_when_it_ends() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.define(DEFINE);
        world.subscribe(&socket, 1);
        let number = socket.number;
        world.execute(&[format!("k\t{number}\t1\t1")]);
        world.publish(1..=2);
        world.execute(&[
            format!("e\t{number}\t\t\t[\"held\"]"),
            format!("k\t{number}\t1\t0"),
            format!("u\t{number}\t1"),
        ]);
        world.publish(3..=3);
        world.execute(&[format!("e\t{number}\t\t\t[\"over\"]")]);
        let mut received = Received::new(&mut client);
        let mut expected = vec!["[\"held\"]".to_owned()];
        expected.extend(items(1..=2));
        expected.push("[\"over\"]".to_owned());
        let (payloads, ids) = received.events(4).await;
        assert_eq!(payloads, expected);
        assert!(socket.holds_nothing());
        // The acknowledgement of a subscription that has ended is not awaited any more.
        say(received.client, &format!("43{}[]", ids[0])).await;
        world
            .until(|event| matches!(event, Event::Acknowledged { .. }).then_some(()))
            .await;
    });
}

#[test]
fn a_socket_that_has_ended_is_subscribed_to_nothing() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.define(DEFINE);
        world.subscribe(&socket, 1);
        world.publish(1..=3);
        Received::new(&mut client).events(3).await;
        drop(client);
        world.ended(&socket).await;
        let channel = world.server.channels.get(1).unwrap();
        assert!(socket.holds_nothing());
        assert_eq!(channel.held(), NOTHING);
        // As if it ended while the command was executed.
        channel.subscribe(&socket, 2, 1, &mut FlushSet::default());
        assert!(socket.holds_nothing());
        assert_eq!(channel.held(), NOTHING);
    });
}

#[test]
fn a_client_that_reads_nothing_is_closed_while_its_channel_sends_and_leaves_nothing() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let (mut other, two) = world.join(2).await;
        world.define(
            &DEFINE
                .replace("60,", "100000000,")
                .replace(":4", ":1000000"),
        );
        for each in [&socket, &two] {
            world.subscribe(each, 1);
        }
        let reading = tokio::spawn(async move {
            let mut received = vec![0; 1 << 20];
            while other.read(&mut received).await.unwrap() > 0 {}
        });
        let much = "x".repeat(100_000);
        let mut offset = 0;
        while !socket.connection.is_closed() {
            offset += 1;
            world.execute(&[format!("p\t1\t{offset}\t[\"n\",\"{much}\"]")]);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(world.ended(&socket).await, CloseReason::Backpressure);
        world.closed(1).await;
        assert!(socket.holds_nothing());
        drop(socket);
        assert!(!two.connection.is_closed());
        world.execute(&["f\t1".to_owned()]);
        let ended = world.subscription_ended(&two).await;
        assert_eq!(ended, SubscriptionEnd::Finished);
        assert_eq!(world.server.channels.get(1).unwrap().held(), NOTHING);
        reading.abort();
    });
}

#[test]
fn no_memory_is_kept_of_a_server_with_subscriptions_that_is_dropped() {
    run(async |mut world| {
        let (client, socket) = world.join(1).await;
        world.define(DEFINE);
        world.subscribe(&socket, 1);
        world.publish(1..=5);
        let mut client = client;
        Received::new(&mut client).events(4).await;
        let channel = Arc::downgrade(&world.server.channels.get(1).unwrap());
        let socket = {
            let weak = Arc::downgrade(&socket);
            drop(socket);
            weak
        };
        drop(world);
        while socket.strong_count() + channel.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
        drop(client);
    });
}

#[test]
fn items_that_acknowledgements_release_leave_when_all_that_was_read_with_them_is_handled() {
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        world.define(DEFINE);
        world.subscribe(&socket, 1);
        world.publish(1..=6);
        let mut received = Received::new(&mut client);
        let (_, ids) = received.events(4).await;
        // Both in one write, and a packet that JavaScript answers between them.
        let frame = |text: String| {
            let header = [0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
            [&header[..], text.as_bytes()].concat()
        };
        let texts = [
            format!("43{}[]", ids[0]),
            "42[\"m\"]".to_owned(),
            format!("43{}[]", ids[1]),
        ];
        let frames = texts.map(frame).concat();
        received.client.write_all(&frames).await.unwrap();
        assert_eq!(received.events(2).await.0, items(5..=6));
        assert_eq!(socket.connection.waiting(), 0);
    });
}

#[test]
fn an_acknowledgement_counts_for_the_one_subscription_among_many_that_asked_for_it() {
    const COUNT: u32 = 50;
    run(async |mut world| {
        let (mut client, socket) = world.join(1).await;
        let options = DEFINE
            .replace("\"window\":4", "\"window\":2")
            .replace("false", "true");
        let number = socket.number;
        // Neither in the order of their numbers nor in that of their channels.
        let order: Vec<_> = (0..COUNT).map(|n| n * 17 % COUNT + 1).collect();
        for &n in &order {
            world.execute(&[
                format!("s\t{}\t0\t{options}", 100 - n),
                format!("i\t{number}\t{n}\t{}\t1", 100 - n),
            ]);
        }
        let publish = |n: u32| {
            format!(
                "p\t{}\t1\t[\"n\",{n}]\np\t{}\t2\t[\"n\",{n}]",
                100 - n,
                100 - n
            )
        };
        world.execute(&(1..=COUNT).map(publish).collect::<Vec<_>>());
        let mut received = Received::new(&mut client);
        let mut asked = Vec::new();
        for _ in 0..2 * COUNT {
            let (id, payload) = received.event().await;
            asked.push((id.unwrap(), payload));
        }
        world.execute(&[format!("u\t{number}\t7")]);
        world.execute(&[format!("e\t{number}\t\t\t[\"removed\"]")]);
        assert_eq!(received.event().await.1, "[\"removed\"]");
        // The later request of each first, some with the earlier one after it.
        for (place, (id, payload)) in asked.iter().enumerate().rev() {
            say(received.client, &format!("43{id}[]")).await;
            let is_later = place % 2 == 1;
            let counted = is_later && payload != "[\"n\",7]";
            let told = world.until(|event| match event {
                Event::SubscriptionCredit {
                    subscription,
                    count,
                    ..
                } => Some(Some((format!("[\"n\",{subscription}]"), *count))),
                Event::Acknowledged { .. } => Some(None),
                _ => None,
            });
            assert_eq!(told.await, counted.then(|| (payload.clone(), 2)));
        }
    });
}

#[test]
fn a_client_whose_connection_ends_because_of_an_item_is_subscribed_to_nothing() {
    run(async |mut world| {
        let (_client, socket) = world.join(1).await;
        let (_other, two) = world.join(2).await;
        world.define(
            &DEFINE
                .replace("60,", "100000000,")
                .replace(":4", ":1000000"),
        );
        for each in [&socket, &two] {
            world.subscribe(each, 1);
        }
        world.publish(1..=1);
        let channel = loop {
            match world.server.channels.get(1) {
                Some(channel) if !two.holds_nothing() => break channel,
                _ => tokio::task::yield_now().await,
            }
        };
        overfill(&socket.connection);
        // Nothing is awaited, so that no other task ends the connection.
        let mut flush_set = FlushSet::default();
        let mut offset = 1;
        while !socket.connection.is_closed() {
            offset += 1;
            let item = Published {
                offset,
                json: "[\"n\"]",
                attachments: Vec::new(),
            };
            channel.publish(std::iter::once(item), &mut flush_set);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(world.ended(&socket).await, CloseReason::Backpressure);
        assert!(socket.holds_nothing() && !two.holds_nothing());
        assert_eq!(channel.held(), [1, 0, 0]);
    });
}
