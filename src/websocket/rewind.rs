//! A stream that first returns bytes that were read before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

/// Reads `prefix` first, then `inner`: Node may have read beyond the request that it hands over.
#[derive(Debug)]
pub(crate) struct Rewind<T> {
    prefix: Bytes,
    inner: T,
}

impl<T> Rewind<T> {
    pub(crate) fn new(prefix: Bytes, inner: T) -> Self {
        Self { prefix, inner }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Rewind<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { prefix, inner } = self.get_mut();
        if prefix.is_empty() {
            return Pin::new(inner).poll_read(cx, buffer);
        }
        let length = prefix.len().min(buffer.remaining());
        buffer.put_slice(&prefix[..length]);
        prefix.advance(length);
        if prefix.is_empty() {
            // An idle stream allocates nothing.
            *prefix = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn bytes_read_before_come_first_in_pieces_that_fit() {
        let mut stream = Rewind::new(Bytes::from_static(b"abc"), &b"de"[..]);
        let mut read = || {
            let mut bytes = [0; 2];
            let mut buffer = ReadBuf::new(&mut bytes);
            let mut cx = Context::from_waker(Waker::noop());
            let polled = Pin::new(&mut stream).poll_read(&mut cx, &mut buffer);
            assert!(matches!(polled, Poll::Ready(Ok(()))));
            buffer.filled().to_vec()
        };
        assert_eq!(
            [read(), read(), read(), read()],
            [&b"ab"[..], b"c", b"de", b""]
        );
    }
}
