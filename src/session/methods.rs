//! The methods of one binding.

use rustc_hash::FxHashMap;

/// The methods an instance has bound to a socket: the index of each name. The host keeps the
/// handlers, in the same order. Shared by all sockets bound while the methods stayed the same.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    /// The names are the application's. Clients cannot add any, so the hash needs no random seed
    /// against collisions.
    indices: FxHashMap<Box<[u8]>, u32>,
}

impl Methods {
    /// Methods by name (decoded; WTF-8), indexed from 0 in the order given. Any name is valid,
    /// the empty one included; of two equal ones the last wins.
    pub(crate) fn named<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Self {
        let indices = names.into_iter().zip(0..);
        let indices = indices.map(|(name, index)| (name.as_ref().into(), index));
        Self {
            indices: indices.collect(),
        }
    }

    /// The index of the method of this name.
    pub(crate) fn index(&self, name: &[u8]) -> Option<u32> {
        self.indices.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_may_name_a_method() {
        let names: [&[u8]; 7] = [
            b"constructor",
            b"__proto__",
            b"",
            br#"a"b\c"#,
            "ünï✓".as_bytes(),
            b"lone \xed\xa0\x80 surrogate",
            b"nul\0",
        ];
        let methods = Methods::named(names);
        for (index, name) in (0..).zip(names) {
            assert_eq!(methods.index(name), Some(index));
        }
        assert_eq!(methods.index(b"toString"), None);
        assert_eq!(methods.index(b"lone \xed\xb0\x80 surrogate"), None);
    }

    #[test]
    fn the_last_of_two_methods_with_equal_names_counts() {
        let methods = Methods::named(["a", "b", "a"]);
        assert_eq!(methods.index(b"a"), Some(2));
    }
}
