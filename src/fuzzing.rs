//! The properties that `fuzz/` tests, by the name of their target.

#[allow(unused_imports)] // The unit tests call them where they are.
pub use crate::bridge::fuzzing::batches;
#[allow(unused_imports)]
pub use crate::engineio::fuzzing::payloads;
#[allow(unused_imports)]
pub use crate::socketio::fuzzing::{msgpack, packets};
#[allow(unused_imports)]
pub use crate::websocket::fuzzing::{frames, inflate};

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    /// Runs a property on every input of a target's corpus.
    pub(crate) fn replay(target: &str, property: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let inputs: Vec<_> = std::fs::read_dir(corpus.join(target))
            .expect("a corpus")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(!inputs.is_empty());
        for input in inputs {
            property(&std::fs::read(input).expect("an input"));
        }
    }
}
