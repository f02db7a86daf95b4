//! TODO layout

#![deny(unsafe_code)]

mod bridge;
mod session;
