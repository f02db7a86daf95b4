//! When the response to a POST is sent: at once, or after the answers to what was posted.
//!
//! Clients send one POST at a time. What they emit meanwhile goes into the next one. If a client that has
//! several calls under way gets their answers before the response, it makes the next calls while it may not
//! send yet, so all of them share one POST, and their answers share one poll: at 50 × 8, eight calls instead
//! of two. A client that makes one call at a time would lose time instead, since it handles both responses
//! before it sends (docs/performance.md "Why a POST is answered after its calls").

use std::sync::atomic::{AtomicU8, Ordering};

/// For how many requests with one packet a client is still served as one that sends several at a time. Later,
/// one in as many is, to find out whether more packets follow it.
const KEPT: u8 = 8;

/// Decides when a client's requests are answered. It is asked by one thread at a time, since a client's
/// requests are received one by one.
#[derive(Debug)]
pub(super) struct Acceptance {
    /// How many requests in a row had one packet.
    singles: AtomicU8,
}

impl Default for Acceptance {
    /// Until there was a request with several packets, requests are answered at once.
    fn default() -> Self {
        Self {
            singles: AtomicU8::new(KEPT),
        }
    }
}

impl Acceptance {
    /// Whether the response to a request with this many packets waits until JavaScript has handled them.
    pub(super) fn waits(&self, packets: usize) -> bool {
        let singles = match self.singles.load(Ordering::Relaxed) {
            _ if packets > 1 => 0,
            u8::MAX => KEPT,
            singles => singles + 1,
        };
        self.singles.store(singles, Ordering::Relaxed);
        singles < KEPT || singles.is_multiple_of(KEPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_wait_while_requests_have_several_packets_and_a_few_requests_longer() {
        let acceptance = Acceptance::default();
        let waiting = |packets: &[usize]| -> usize {
            packets.iter().filter(|&&it| acceptance.waits(it)).count()
        };
        assert_eq!(waiting(&[1; 7]), 0, "one packet at a time, from the start");
        assert_eq!(waiting(&[1]), 1, "a trial");
        assert_eq!(waiting(&[2, 8, 2]), 3);
        let kept = usize::from(KEPT);
        assert_eq!(waiting(&vec![1; kept - 1]), kept - 1);
        assert_eq!(
            waiting(&[1; 800]),
            100,
            "one in eight, however many there are"
        );
    }
}
