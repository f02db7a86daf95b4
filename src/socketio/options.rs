//! The options of a native server, validated by JavaScript.

use super::parser::Parser;
use crate::engineio::config::Config;

/// The options of one native server.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) engine: Config,
    /// The encoding of packets.
    pub(crate) parser: Parser,
}
