//! The types of packets, by Socket.IO's numbers.

pub(super) const CONNECT: u8 = 0;
pub(super) const DISCONNECT: u8 = 1;
pub(super) const EVENT: u8 = 2;
pub(super) const ACK: u8 = 3;
pub(super) const CONNECT_ERROR: u8 = 4;
