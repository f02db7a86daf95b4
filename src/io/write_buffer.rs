//! The bytes that are queued for one client on a websocket.
//!
//! Small messages are copied into one buffer, so that many leave in one write. Large messages are
//! shared by all clients they are queued for. What must stay true: bytes are written in the order in
//! which they were queued; an empty buffer allocates nothing.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem;

use bytes::{Buf, Bytes};

/// From this many bytes on, sharing them costs less than copying them does.
pub(crate) const MIN_SHARED: usize = 1 << 12;
/// How many parts one vectored write has at most.
const MAX_PARTS: usize = 16;

/// Queued bytes, in order.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    /// Those to write first.
    first: Vec<u8>,
    /// How many of them have been written.
    written: usize,
    /// Those after them, if any are shared.
    tail: Option<Box<Tail>>,
}

#[derive(Debug, Default)]
struct Tail {
    parts: VecDeque<Part>,
    length: usize,
}

#[derive(Debug)]
enum Part {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for WriteBuffer {
    fn from(first: Vec<u8>) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }
}

impl WriteBuffer {
    /// How many bytes are queued, including shared ones.
    pub(crate) fn len(&self) -> usize {
        let tail = self.tail.as_ref().map_or(0, |tail| tail.length);
        self.first.len() - self.written + tail
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends what `write` adds, which should be small.
    pub(crate) fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        match &mut self.tail {
            None => write(&mut self.first),
            Some(tail) => tail.append(write),
        }
    }

    /// Appends bytes; shares them if they are at least [`MIN_SHARED`].
    pub(crate) fn add(&mut self, bytes: &Bytes) {
        if bytes.len() < MIN_SHARED {
            self.append(|queue| queue.extend_from_slice(bytes));
            return;
        }
        let tail = self.tail.get_or_insert_default();
        tail.length += bytes.len();
        tail.parts.push_back(Part::Shared(bytes.clone()));
    }

    /// Writes to a stream until it would block. Returns whether everything was written.
    ///
    /// # Errors
    /// The stream's error, after which it cannot be written to.
    pub(crate) fn write(
        &mut self,
        mut stream: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        while !self.is_empty() {
            let written = match &self.tail {
                None => stream(&[IoSlice::new(&self.first[self.written..])]),
                Some(tail) => {
                    let mut parts = [IoSlice::new(&[]); MAX_PARTS];
                    let first = &self.first[self.written..];
                    let rest = tail.parts.iter().map(Part::bytes);
                    let waiting = std::iter::once(first).chain(rest);
                    let mut count = 0;
                    for (part, bytes) in parts.iter_mut().zip(waiting.filter(|it| !it.is_empty())) {
                        *part = IoSlice::new(bytes);
                        count += 1;
                    }
                    stream(&parts[..count])
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.compact();
                    return Ok(false);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.first = Vec::new();
        self.written = 0;
        if self.tail.is_some() {
            self.tail = None;
        }
        Ok(true)
    }

    fn advance(&mut self, written: usize) {
        let of_first = written.min(self.first.len() - self.written);
        self.written += of_first;
        let mut left = written - of_first;
        let Some(tail) = &mut self.tail else {
            return;
        };
        tail.length -= left;
        while left > 0
            && let Some(part) = tail.parts.front_mut()
        {
            let length = part.bytes().len();
            if length > left {
                match part {
                    Part::Shared(bytes) => bytes.advance(left),
                    Part::Own(bytes) => {
                        self.first = mem::take(bytes);
                        self.written = left;
                        tail.length -= length - left;
                        tail.parts.pop_front();
                    }
                }
                break;
            }
            left -= length;
            tail.parts.pop_front();
        }
    }

    /// Frees the memory of written bytes. It never moves more bytes than have been written since the
    /// last time, so its cost is linear.
    fn compact(&mut self) {
        if self.written == self.first.len() {
            self.first = Vec::new();
            self.written = 0;
        } else if self.written >= self.first.len() / 2 {
            self.first.drain(..self.written);
            self.written = 0;
        }
        if self.tail.as_ref().is_some_and(|it| it.parts.is_empty()) {
            self.tail = None;
        }
    }
}

impl Tail {
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !matches!(self.parts.back(), Some(Part::Own(_))) {
            self.parts.push_back(Part::Own(Vec::new()));
        }
        if let Some(Part::Own(bytes)) = self.parts.back_mut() {
            let before = bytes.len();
            write(bytes);
            self.length += bytes.len() - before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that takes `most` bytes at a time, and would block every third time.
    struct Stream {
        most: usize,
        times: usize,
        taken: Vec<u8>,
        parts: usize,
    }

    impl Stream {
        fn new(most: usize) -> Self {
            Self {
                most,
                times: 0,
                taken: Vec::new(),
                parts: 0,
            }
        }

        fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
            self.times += 1;
            if self.times.is_multiple_of(3) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.parts = self.parts.max(parts.len());
            let before = self.taken.len();
            let all = parts.iter().flat_map(|part| part.iter());
            self.taken.extend(all.take(self.most));
            Ok(self.taken.len() - before)
        }
    }

    #[test]
    fn the_send_queue_keeps_the_order_of_bytes() {
        let large = Bytes::from((0..9000).map(|at| at as u8).collect::<Vec<_>>());
        for most in [7, 4096, 9001, 100_000] {
            let mut queue = WriteBuffer::from(b"first".to_vec());
            let mut expected = b"first".to_vec();
            let mut stream = Stream::new(most);
            for n in 0..40_u8 {
                let small = [n; 3];
                queue.append(|bytes| bytes.extend_from_slice(&small));
                expected.extend_from_slice(&small);
                if n.is_multiple_of(3) {
                    queue.add(&large);
                    expected.extend_from_slice(&large);
                }
                queue.add(&Bytes::copy_from_slice(&small));
                expected.extend_from_slice(&small);
                if n.is_multiple_of(5) {
                    let _ = queue.write(|parts| stream.write(parts)).unwrap();
                    assert_eq!(queue.len(), expected.len() - stream.taken.len());
                }
            }
            while !queue.write(|parts| stream.write(parts)).unwrap() {}
            assert!(stream.taken == expected, "{most}");
            assert!(queue.is_empty() && stream.parts <= MAX_PARTS);
            assert!(queue.first.capacity() == 0 && queue.tail.is_none());
        }
    }

    #[test]
    fn large_messages_are_shared_and_small_ones_are_joined_in_the_send_queue() {
        let large = Bytes::from(vec![7; MIN_SHARED]);
        let mut queues: Vec<_> = (0..100).map(|_| WriteBuffer::default()).collect();
        for queue in &mut queues {
            queue.add(&Bytes::from_static(b"small"));
            queue.append(|bytes| bytes.push(1));
            queue.add(&large);
            assert_eq!(queue.first.len(), 6);
            assert_eq!(queue.len(), 6 + MIN_SHARED);
            let parts = &queue.tail.as_ref().unwrap().parts;
            assert_eq!(parts[0].bytes().as_ptr(), large.as_ptr());
        }
        drop(queues);
        assert!(large.is_unique());
    }

    #[test]
    fn a_stream_that_accepts_no_more_bytes_is_an_error() {
        let mut queue = WriteBuffer::from(vec![1]);
        let error = queue.write(|_| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let error = queue.write(|_| Err(io::ErrorKind::BrokenPipe.into()));
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
