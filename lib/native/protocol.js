'use strict';

/**
 * The numbers, names and letters that Rust and JavaScript share. `src/protocol.rs` defines them and
 * says what they mean; there is no other copy of them. A file takes those it needs into constants when it
 * is loaded:
 *
 *     const { EVENT, METHOD } = require('../native/protocol').RecordKind;
 */

module.exports = require('./binding').protocol();
