//! One gzip member made in one go: Go's header bytes, a libdeflate body, the trailer.

use libdeflater::{CompressionLvl, Compressor};

/// Input bytes per member. Large enough that cutting there costs almost no ratio, small enough to be made
/// within a millisecond: between members the threads offer their cores to others, see [`make_way`].
pub const MEMBER_BYTES: usize = 128 << 10;

/// What Go's `compress/gzip` writes when no header field is set: deflate, no flags, no time, OS unknown.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Lets whoever waits for this core run now. A scheduler may leave a thread that computes on its core until
/// a tick, 4 ms on common kernels, and a write waits for a core at each of its steps.
pub(super) fn make_way() {
    std::thread::yield_now();
}

/// How hard to compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Level 1: about 200 MB/s a core, within a few percent of the size of [`Level::Small`].
    #[default]
    Fast,
    /// Level 6: about 90 MB/s a core, for archives that are kept for long.
    Small,
}

impl Level {
    fn number(self) -> i32 {
        match self {
            Level::Fast => 1,
            Level::Small => 6,
        }
    }
}

/// Makes members; keeps the compressor's tables between them.
pub(super) struct Maker {
    compressor: Compressor,
}

impl Maker {
    pub(super) fn new(level: Level) -> Maker {
        let level = CompressionLvl::new(level.number()).expect("levels 1 and 6 exist");
        Maker { compressor: Compressor::new(level) }
    }

    /// Replaces the contents of `member` with the member that holds `input`.
    pub(super) fn make(&mut self, input: &[u8], member: &mut Vec<u8>) {
        let body_max = self.compressor.deflate_compress_bound(input.len());
        member.clear();
        member.extend_from_slice(&HEADER);
        member.resize(HEADER.len() + body_max, 0);
        let body_bytes = self
            .compressor
            .deflate_compress(input, &mut member[HEADER.len()..])
            .expect("the buffer has the size the compressor asked for");
        member.truncate(HEADER.len() + body_bytes);
        member.extend_from_slice(&libdeflater::crc32(input).to_le_bytes());
        // The format keeps the length modulo 2^32, and a member is far shorter.
        member.extend_from_slice(&(input.len() as u32).to_le_bytes());
    }
}
