//! What a native server can be told, already validated by the JavaScript face.

use super::parser::Parser;
use crate::engineio::config::Config;

/// The options of one native server.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) engine: Config,
    /// How packets look on the wire.
    pub(crate) parser: Parser,
}
