//! Reads MessagePack value by value: after the header of a container, its items follow.
//!
//! Values that MessagePack lacks are read as the JavaScript encoder (notepack.io) writes them: extension
//! 0 is `undefined`, a `Date` or an `ArrayBuffer`, by its size.

use rmp::Marker;
use socketioxide_core::parser::ParseError;

/// One value, or the beginning of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Item<'a> {
    Nil,
    Undefined,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// Text that is not checked to be UTF-8.
    Str(&'a [u8]),
    Bin(&'a [u8]),
    /// A date.
    Date(&'a [u8]),
    /// An unknown extension.
    Ext(i8, &'a [u8]),
    /// This many values follow.
    Array(u32),
    /// This many keys follow, each with its value.
    Map(u32),
}

/// The rest of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.0.len()
    }

    /// The next value. It takes at least one byte, so a loop over values ends.
    ///
    /// # Errors
    /// `InvalidData` if there is none.
    pub(super) fn next(&mut self) -> Result<Item<'a>, ParseError> {
        let [marker] = self.array()?;
        Ok(match Marker::from_u8(marker) {
            Marker::Null => Item::Nil,
            Marker::False => Item::Bool(false),
            Marker::True => Item::Bool(true),
            Marker::FixPos(number) => Item::Unsigned(number.into()),
            Marker::FixNeg(number) => Item::Signed(number.into()),
            Marker::U8 => Item::Unsigned(self.u8()?.into()),
            Marker::U16 => Item::Unsigned(self.u16()?.into()),
            Marker::U32 => Item::Unsigned(self.u32()?.into()),
            Marker::U64 => Item::Unsigned(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Item::Signed(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Item::Signed(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Item::Signed(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Item::Signed(i64::from_be_bytes(self.array()?)),
            Marker::F32 => Item::Float(f32::from_be_bytes(self.array()?).into()),
            Marker::F64 => Item::Float(f64::from_be_bytes(self.array()?)),
            Marker::FixStr(length) => Item::Str(self.take(length.into())?),
            Marker::Str8 => self.u8().and_then(|length| self.str(length.into()))?,
            Marker::Str16 => self.u16().and_then(|length| self.str(length.into()))?,
            Marker::Str32 => self.u32().and_then(|length| self.str(length))?,
            Marker::Bin8 => self.u8().and_then(|length| self.bin(length.into()))?,
            Marker::Bin16 => self.u16().and_then(|length| self.bin(length.into()))?,
            Marker::Bin32 => self.u32().and_then(|length| self.bin(length))?,
            Marker::FixExt1 => match self.fixed_ext(1)? {
                Item::Ext(0, _) => Item::Undefined,
                ext => ext,
            },
            Marker::FixExt2 => self.fixed_ext(2)?,
            Marker::FixExt4 => self.fixed_ext(4)?,
            Marker::FixExt8 => match self.fixed_ext(8)? {
                Item::Ext(0, time) => Item::Date(time),
                ext => ext,
            },
            Marker::FixExt16 => self.fixed_ext(16)?,
            Marker::Ext8 => self.u8().and_then(|length| self.ext(length.into()))?,
            Marker::Ext16 => self.u16().and_then(|length| self.ext(length.into()))?,
            Marker::Ext32 => self.u32().and_then(|length| self.ext(length))?,
            Marker::FixArray(length) => Item::Array(length.into()),
            Marker::Array16 => Item::Array(self.u16()?.into()),
            Marker::Array32 => Item::Array(self.u32()?),
            Marker::FixMap(length) => Item::Map(length.into()),
            Marker::Map16 => Item::Map(self.u16()?.into()),
            Marker::Map32 => Item::Map(self.u32()?),
            Marker::Reserved => return Err(ParseError::InvalidData),
        })
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], ParseError> {
        let length = usize::try_from(length).map_err(|_| ParseError::InvalidData)?;
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(ParseError::InvalidData)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ParseError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(ParseError::InvalidData)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, ParseError> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, ParseError> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, ParseError> {
        self.array().map(u32::from_be_bytes)
    }

    fn str(&mut self, length: u32) -> Result<Item<'a>, ParseError> {
        self.take(length).map(Item::Str)
    }

    fn bin(&mut self, length: u32) -> Result<Item<'a>, ParseError> {
        self.take(length).map(Item::Bin)
    }

    fn fixed_ext(&mut self, length: u32) -> Result<Item<'a>, ParseError> {
        let kind = self.array().map(i8::from_be_bytes)?;
        Ok(Item::Ext(kind, self.take(length)?))
    }

    fn ext(&mut self, length: u32) -> Result<Item<'a>, ParseError> {
        Ok(match self.fixed_ext(length)? {
            Item::Ext(0, buffer) => Item::Bin(buffer),
            ext => ext,
        })
    }
}
