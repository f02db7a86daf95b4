//! The methods of one binding.

use rustc_hash::FxHashMap;

/// The methods an instance has bound to a socket: which name is which index. The host keeps the
/// handlers, in the same order. Shared by all sockets bound while the methods stayed the same.
#[derive(Debug, Default)]
pub(crate) struct Methods {
    indices: FxHashMap<Box<[u8]>, u32>,
    len: u32,
}

impl Methods {
    /// Methods by name (decoded; WTF-8), indexed from 0 in the order given. Any name is a name,
    /// the empty one included; of two that are equal the last counts.
    pub(crate) fn named<N: AsRef<[u8]>>(names: impl IntoIterator<Item = N>) -> Self {
        let mut methods = Self::default();
        for name in names {
            methods.indices.insert(name.as_ref().into(), methods.len);
            methods.len = methods.len.saturating_add(1);
        }
        methods
    }

    /// As many methods, for a host that knows their names itself.
    pub(crate) fn unnamed(len: u32) -> Self {
        Self {
            indices: FxHashMap::default(),
            len,
        }
    }

    /// The index of the method of this name.
    pub(crate) fn index(&self, name: &[u8]) -> Option<u32> {
        self.indices.get(name).copied()
    }

    /// How many methods there are; their indices are below it.
    pub(crate) fn len(&self) -> u32 {
        self.len
    }
}
