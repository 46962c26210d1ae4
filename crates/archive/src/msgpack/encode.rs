//! Writes what HashiCorp's codecs write: one family of strings, shortest codes. The old one, which is Consul's,
//! has unsigned codes for every integer that is not negative (`hashicorp/consul-net-rpc:go-msgpack/codec/msgpack.go`),
//! the new one, which is Nomad's, signed codes for all of a signed type (`hashicorp/go-msgpack:codec/msgpack.go`).

use super::Time;

/// Appends values to a buffer. Sorting the keys of a map is the caller's duty.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    bytes: Vec<u8>,
    has_signed_codes: bool,
}

impl Encoder {
    /// An empty buffer for the old codec.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// An empty buffer for the new codec.
    pub fn with_signed_codes() -> Encoder {
        Encoder { has_signed_codes: true, ..Encoder::default() }
    }

    /// An empty buffer for the same codec as this one.
    pub(crate) fn another(&self) -> Encoder {
        Encoder { bytes: Vec::new(), ..*self }
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Nil: a missing pointer, time, slice or map.
    pub fn nil(&mut self) -> &mut Encoder {
        self.put(&[0xc0])
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) -> &mut Encoder {
        self.put(&[0xc2 + u8::from(value)])
    }

    /// An integer that is not negative.
    pub fn uint(&mut self, value: u64) -> &mut Encoder {
        let bytes = value.to_be_bytes();
        match value {
            0..=0x7f => self.put(&bytes[7..]),
            0x80..=0xff => self.put(&[0xcc]).put(&bytes[7..]),
            0x100..=0xffff => self.put(&[0xcd]).put(&bytes[6..]),
            0x1_0000..=0xffff_ffff => self.put(&[0xce]).put(&bytes[4..]),
            _ => self.put(&[0xcf]).put(&bytes),
        }
    }

    /// An integer of either sign.
    pub fn int(&mut self, value: i64) -> &mut Encoder {
        let bytes = value.to_be_bytes();
        match value {
            0x8000_0000.. if self.has_signed_codes => self.put(&[0xd3]).put(&bytes),
            0x8000.. if self.has_signed_codes => self.put(&[0xd2]).put(&bytes[4..]),
            0x80.. if self.has_signed_codes => self.put(&[0xd1]).put(&bytes[6..]),
            0.. => self.uint(value.unsigned_abs()),
            -0x20..0 => self.put(&bytes[7..]),
            -0x80..-0x20 => self.put(&[0xd0]).put(&bytes[7..]),
            -0x8000..-0x80 => self.put(&[0xd1]).put(&bytes[6..]),
            -0x8000_0000..-0x8000 => self.put(&[0xd2]).put(&bytes[4..]),
            _ => self.put(&[0xd3]).put(&bytes),
        }
    }

    /// A double.
    pub fn float(&mut self, value: f64) -> &mut Encoder {
        self.put(&[0xcb]).put(&value.to_be_bytes())
    }

    /// A string or byte string.
    pub fn raw(&mut self, value: impl AsRef<[u8]>) -> &mut Encoder {
        let value = value.as_ref();
        let length = length_bytes(value.len());
        match value.len() {
            0..=0x1f => self.put(&[0xa0 | length[3]]),
            0x20..=0xffff => self.put(&[0xda]).put(&length[2..]),
            _ => self.put(&[0xdb]).put(&length),
        };
        self.put(value)
    }

    /// A byte string that may be missing.
    pub fn raw_or_nil(&mut self, value: Option<impl AsRef<[u8]>>) -> &mut Encoder {
        match value {
            Some(value) => self.raw(value),
            None => self.nil(),
        }
    }

    /// A time in Go's binary form.
    pub fn time(&mut self, value: Time) -> &mut Encoder {
        self.raw(value.to_bytes())
    }

    /// The head of an array; `length` values must follow.
    pub fn array(&mut self, length: usize) -> &mut Encoder {
        self.collection(length, 0x90, [0xdc, 0xdd])
    }

    /// The head of a map; `length` keys, each with its value, must follow.
    pub fn map(&mut self, length: usize) -> &mut Encoder {
        self.collection(length, 0x80, [0xde, 0xdf])
    }

    fn collection(&mut self, length: usize, short: u8, long: [u8; 2]) -> &mut Encoder {
        let bytes = length_bytes(length);
        match length {
            0..=0x0f => self.put(&[short | bytes[3]]),
            0x10..=0xffff => self.put(&long[..1]).put(&bytes[2..]),
            _ => self.put(&long[1..]).put(&bytes),
        }
    }

    /// Appends a value that is encoded already.
    pub fn encoded(&mut self, value: &[u8]) -> &mut Encoder {
        self.put(value)
    }

    fn put(&mut self, bytes: &[u8]) -> &mut Encoder {
        self.bytes.extend_from_slice(bytes);
        self
    }
}

fn length_bytes(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("no value of ours comes near 4 GiB").to_be_bytes()
}
