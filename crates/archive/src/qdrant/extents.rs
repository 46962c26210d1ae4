//! Where the bytes of a sparse file lie.

use std::ops::Range;

use crate::tar::BLOCK_BYTES;

/// The stretches of a file that hold data, ascending and apart from one another. The rest is zero.
///
/// They begin at multiples of 512 bytes and end there too, or at the end of the file: readers of GNU's sparse
/// members want it so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extents {
    size: u64,
    data: Vec<Range<u64>>,
}

impl Extents {
    /// A file without holes.
    pub fn dense(size: u64) -> Extents {
        Extents::new(size, std::iter::once(0..size))
    }

    /// A file of `size` bytes with data in `stretches`, which ascend. They are widened to whole blocks, cut at
    /// `size`, and joined where they touch.
    pub fn new(size: u64, stretches: impl IntoIterator<Item = Range<u64>>) -> Extents {
        let block = BLOCK_BYTES as u64;
        let mut data: Vec<Range<u64>> = Vec::new();
        for stretch in stretches {
            let start = stretch.start / block * block;
            let end = stretch.end.checked_next_multiple_of(block).unwrap_or(size).min(size);
            match data.last_mut() {
                _ if start >= end => {}
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ => data.push(start..end),
            }
        }
        Extents { size, data }
    }

    /// What a header says, if it is what [`new`](Self::new) could have made or a genuine writer would have.
    pub(super) fn read(size: u64, stretches: &[Range<u64>]) -> Result<Extents, &'static str> {
        let mut data: Vec<Range<u64>> = Vec::with_capacity(stretches.len());
        let mut end = 0;
        for (at, stretch) in stretches.iter().enumerate() {
            let length = stretch.end - stretch.start;
            match () {
                () if stretch.start < end => return Err("they overlap or go back"),
                () if stretch.end > size => return Err("they go beyond the file"),
                () if at + 1 < stretches.len() && length % BLOCK_BYTES as u64 != 0 => {
                    return Err("a stretch of data is no multiple of 512 bytes");
                }
                () => {}
            }
            end = stretch.end;
            match data.last_mut() {
                _ if length == 0 => {}
                Some(last) if last.end == stretch.start => last.end = stretch.end,
                _ => data.push(stretch.clone()),
            }
        }
        Ok(Extents { size, data })
    }

    /// The size of the file, holes included, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The stretches of data.
    pub fn data(&self) -> &[Range<u64>] {
        &self.data
    }

    /// The bytes of all stretches together.
    pub fn stored_bytes(&self) -> u64 {
        self.data.iter().map(|stretch| stretch.end - stretch.start).sum()
    }

    /// Whether there is no hole.
    pub fn is_dense(&self) -> bool {
        self.stored_bytes() == self.size
    }

    /// The stretches as a sparse header lists them: a hole at the end is told by an empty stretch behind it.
    pub(super) fn listed(&self) -> impl Iterator<Item = Range<u64>> + Clone {
        let ends_in_hole = self.data.last().is_none_or(|last| last.end < self.size);
        let end = ends_in_hole.then_some(self.size..self.size);
        self.data.iter().cloned().chain(end)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what this is about")]
mod tests {
    use super::*;

    #[test]
    fn stretches_become_whole_blocks_that_do_not_touch() {
        let extents = Extents::new(5000, [10..20, 500..600, 2048..2048, 3000..3100, 4999..9999]);
        assert_eq!(extents.data(), [0..1024, 2560..3584, 4608..5000]);
        assert_eq!(extents.stored_bytes(), 1024 + 1024 + 392);
        assert!(!extents.is_dense());
        assert!(Extents::dense(0).is_dense());
        assert!(Extents::dense(513).is_dense());
    }

    #[test]
    fn a_hole_at_the_end_is_listed() {
        let listed = |extents: &Extents| extents.listed().collect::<Vec<_>>();
        assert_eq!(listed(&Extents::new(4096, [0..512])), [0..512, 4096..4096]);
        assert_eq!(listed(&Extents::new(4096, [3584..4096])), [3584..4096]);
        assert_eq!(listed(&Extents::new(4096, [])), [4096..4096]);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        assert!(Extents::read(4096, &[0..512, 1024..1025, 4096..4096]).is_err());
        assert!(Extents::read(4096, &[512..1024, 0..512]).is_err());
        assert!(Extents::read(4096, &[3584..4608]).is_err());
        let odd_end = Extents::read(4000, &[0..512, 3584..4000]).unwrap();
        assert_eq!(odd_end.stored_bytes(), 512 + 416);
    }
}
