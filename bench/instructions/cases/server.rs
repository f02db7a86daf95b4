//! The native server from bytes to bytes: [`crate::socketio`], driven as JavaScript drives it.

use std::fmt::Write;

use super::count;
use super::world::{World, frame, frame_length};
use crate::socketio::events::Event;

const CLIENTS: u32 = 10;
/// Calls in one read.
const WINDOW: u32 = 10;

/// A websocket opens, joins, authenticates and leaves.
pub(super) fn connect_and_leave(n: u32) {
    let mut world = World::new();
    let closed = count(|| {
        let mut closed = 0;
        for number in 1..=n {
            world.client(number.into());
            world.leave(number.into());
            closed += world.until(|told| {
                let is_closed = |event: &&Event| matches!(event, Event::Closed { .. });
                told.events.iter().find(is_closed).map(|_| 1)
            });
            world.forget();
        }
        closed
    });
    assert_eq!(closed, n);
}

fn data(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Calls come in windows, from one client after the other.
fn calls(n: u32, extra: usize) {
    let mut world = World::new();
    world.clients(CLIENTS.into());
    let text = format!(r#"["double",{{"value":21,"data":"{}"}}]"#, data(extra));
    let frames: Vec<_> = (0..n).map(|id| frame(&format!("42{id}{text}"))).collect();
    let called = count(|| {
        let mut called = 0;
        for (client, window) in (0..).zip(frames.chunks(WINDOW as usize)) {
            for frame in window {
                world.say(1 + client % u64::from(CLIENTS), frame);
            }
            world.until_told(window.len());
            called += world.told(|told| told.events.iter().filter(|n| runs(n)).count());
            world.forget();
        }
        called
    });
    assert_eq!(called, n as usize);
}

fn runs(event: &Event) -> bool {
    matches!(event, Event::Emitted { runs, ack: Some(_), .. } if runs.len() == 1)
}

/// Calls of a few bytes, up to what JavaScript is told.
pub(super) fn calls_in(n: u32) {
    calls(n, 0);
}

/// Calls of a kibibyte.
pub(super) fn calls_in_large(n: u32) {
    calls(n, 1024);
}

/// Answers to calls, in batches of this many.
fn answers(n: u32, extra: usize, batch: u32) {
    let mut world = World::new();
    let sockets = world.clients(CLIENTS.into());
    let each = n / CLIENTS;
    for number in 1..=CLIENTS {
        for id in 0..each {
            world.say(
                number.into(),
                &frame(&format!(r#"42{id}["double",{{"value":21}}]"#)),
            );
        }
        world.until_told(each as usize);
        world.forget();
    }
    let json = format!(r#"[{{"result":{{"value":42,"data":"{}"}}}}]"#, data(extra));
    let mut batches = Vec::new();
    let mut expected = 0;
    for socket in sockets {
        for calls in (0..each).collect::<Vec<_>>().chunks(batch as usize) {
            let mut lines = String::new();
            for call in calls {
                let _ = writeln!(lines, "a\t{socket}\t{call}\t{json}");
                expected += frame_length(2 + call.to_string().len() + json.len());
            }
            batches.push(lines);
        }
    }
    count(|| {
        for lines in batches {
            world.push(lines);
        }
        world.until_written(expected);
    });
    assert_eq!(world.told(|told| told.written), expected);
}

/// Answers of a few bytes, up to what is written.
pub(super) fn answers_out(n: u32) {
    answers(n, 0, WINDOW);
}

/// Answers of a few bytes that come alone, each in a batch of its own.
pub(super) fn answers_out_alone(n: u32) {
    answers(n, 0, 1);
}

/// Answers of a kibibyte.
pub(super) fn answers_out_large(n: u32) {
    answers(n, 1024, WINDOW);
}

/// Executes these lines, which write that many bytes.
fn execute(world: &World, lines: String, expected: usize) {
    count(|| {
        world.push(lines);
        world.until_written(expected);
    });
    assert_eq!(world.told(|told| told.written), expected);
}

const NEWS: &str = r#"["news",{"text":"all is well"}]"#;

/// Events to one socket after the other.
pub(super) fn emits_out(n: u32) {
    let mut world = World::new();
    let sockets = world.clients(CLIENTS.into());
    let line = |(_, socket): (u32, &u64)| format!("e\t{socket}\t\t\t{NEWS}\n");
    let lines = (0..n).zip(sockets.iter().cycle()).map(line).collect();
    execute(&world, lines, n as usize * frame_length(2 + NEWS.len()));
}

/// One event to everybody.
pub(super) fn broadcast(n: u32) {
    let mut world = World::new();
    world.clients(n.into());
    let lines = format!("b\t0\t{{}}\t\t\t{NEWS}");
    execute(&world, lines, n as usize * frame_length(2 + NEWS.len()));
}

/// Events to a room of ten, among a hundred sockets.
pub(super) fn broadcast_to_room(n: u32) {
    let mut world = World::new();
    let sockets = world.clients(100);
    let joins: String = sockets
        .iter()
        .step_by(10)
        .map(|s| format!("j\t{s}\t1\n"))
        .collect();
    world.push(joins);
    let line = format!("b\t0\t{{\"rooms\":[1]}}\t\t\t{NEWS}\n");
    let lines = line.repeat(n as usize / 10);
    execute(&world, lines, n as usize * frame_length(2 + NEWS.len()));
}

/// Subscribes sockets to channel 1, with this window.
fn subscribe(world: &World, sockets: &[u64], window: u32) {
    let mut lines = format!(
        "s\t1\t0\t{{\"window\":{window},\"history\":0,\"maxQueuedBytes\":1000000,\"overflow\":\"end\",\"ackTimeout\":null,\"reportsCredit\":false}}\n"
    );
    for socket in sockets {
        let _ = writeln!(lines, "i\t{socket}\t1\t1\t1");
    }
    // The event shows that everything before it is done.
    let _ = writeln!(lines, "e\t{}\t\t\t{NEWS}", sockets[0]);
    world.push(lines);
    world.until_written(frame_length(2 + NEWS.len()));
    world.forget();
}

/// One item of a channel to everybody.
pub(super) fn publish(n: u32) {
    let mut world = World::new();
    let sockets = world.clients(n.into());
    subscribe(&world, &sockets, 32);
    let line = format!("p\t1\t1\t{NEWS}");
    execute(&world, line, n as usize * frame_length(2 + NEWS.len()));
}

/// Items of a channel to ten subscribers, in a batch.
pub(super) fn publish_burst(n: u32) {
    let mut world = World::new();
    let sockets = world.clients(CLIENTS.into());
    let items = n / CLIENTS;
    // So large that nobody is asked for an acknowledgement.
    subscribe(&world, &sockets, 4 * items);
    let lines = (1..=items).map(|offset| format!("p\t1\t{offset}\t{NEWS}\n"));
    let expected = n as usize * frame_length(2 + NEWS.len());
    execute(&world, lines.collect(), expected);
}

/// Acknowledgements of items, each of which lets another item leave.
pub(super) fn items_acknowledged(n: u32) {
    const FIRST_ID: u32 = 1 << 30;
    let mut world = World::new();
    let sockets = world.clients(1);
    subscribe(&world, &sockets, 1);
    let lines = (0..=n).map(|offset| format!("p\t1\t{}\t{NEWS}\n", 1 + offset));
    world.push(lines.collect());
    let length = frame_length(2 + FIRST_ID.to_string().len() + NEWS.len());
    world.until_written(length);
    world.forget();
    let acks: Vec<_> = (0..n)
        .map(|ack| frame(&format!("43{}[]", FIRST_ID + ack)))
        .collect();
    count(|| {
        for (ack, written) in acks.iter().zip(1..) {
            world.say(1, ack);
            world.until_written(written * length);
        }
    });
    assert_eq!(world.told(|told| told.written), n as usize * length);
    assert!(world.told(|told| told.events.is_empty()));
}

/// Sockets join a room each and leave it again.
pub(super) fn rooms(n: u32) {
    let mut world = World::new();
    let sockets = world.clients(CLIENTS.into());
    let lines = |kind: char| {
        let line = |(number, socket): (u32, &u64)| format!("{kind}\t{socket}\t{number}\n");
        (0..n)
            .zip(sockets.iter().cycle())
            .map(line)
            .collect::<String>()
    };
    // The event shows that everything before it is done.
    let last = format!("e\t{}\t\t\t{NEWS}", sockets[0]);
    let lines = lines('j') + &lines('l') + &last;
    execute(&world, lines, frame_length(2 + NEWS.len()));
}

/// Calls over long polling: posted in windows, their answers fetched by one poll.
pub(super) fn polling_calls(n: u32) {
    const WINDOW: u32 = 16;
    let mut world = World::new();
    world.ask(1, 1, None);
    world.ask(2, 1, Some("40".to_owned()));
    let socket = world.admit();
    world.ask(3, 1, None);
    world.until(|told| {
        told.events
            .iter()
            .find_map(|event| body(event, 3))
            .map(drop)
    });
    world.forget();
    let answered = count(|| {
        let mut answered = 0;
        for window in 0..n / WINDOW {
            let first = window * WINDOW;
            let packet = |id| format!(r#"42{id}["double",{{"value":21}}]"#);
            let packets: Vec<_> = (first..first + WINDOW).map(packet).collect();
            world.ask((10 + 2 * window).into(), 1, Some(packets.join("\x1e")));
            world.until_told(1 + WINDOW as usize);
            world.forget();
            let line = |call| format!("a\t{socket}\t{call}\t[{{\"result\":{{\"value\":42}}}}]\n");
            world.push((first..first + WINDOW).map(line).collect());
            let poll = u64::from(11 + 2 * window);
            while answered < (window + 1) * WINDOW {
                world.ask(poll, 1, None);
                answered += world.until(|told| {
                    let bodies = told.events.iter().find_map(|event| body(event, poll));
                    bodies.map(|body| 1 + body.iter().filter(|&&byte| byte == 0x1e).count() as u32)
                });
                world.forget();
            }
        }
        answered
    });
    assert_eq!(answered, n);
}

/// The body of the response to this request.
fn body(event: &Event, number: u64) -> Option<&[u8]> {
    match event {
        Event::Response { request, response } if *request == number => {
            response.as_ref().ok().map(|response| &response.body()[..])
        }
        _ => None,
    }
}
