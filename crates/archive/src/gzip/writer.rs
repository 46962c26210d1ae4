//! The compressing half: cuts its input into members of equal size, so that the bytes depend on the
//! input and the level alone, never on how many workers there are or how the input was split into writes.

use std::io::{self, Write};

use super::member::{Level, MEMBER_BYTES, Maker, make_way};
use super::pool::Pool;

/// Compresses into `W`, one member per [`MEMBER_BYTES`] of input.
///
/// Memory is bounded by about `2 * (workers + 2)` members. Nothing is complete before [`Writer::finish`]:
/// a writer that is dropped leaves a stream that ends early, without having waited for `W`.
pub struct Writer<W: Write> {
    out: W,
    level: Level,
    worker_count: usize,
    input: Vec<u8>,
    // Both made on first use: most archives fit one member, which is not worth a thread.
    inline: Option<Inline>,
    pool: Option<Pool>,
    members: u64,
    failed: bool,
}

struct Inline {
    maker: Maker,
    member: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// A writer with `worker_count` threads; with 0 or 1 the calling thread compresses.
    pub fn new(out: W, level: Level, worker_count: usize) -> Writer<W> {
        Writer {
            out,
            level,
            worker_count,
            input: Vec::new(),
            inline: None,
            pool: None,
            members: 0,
            failed: false,
        }
    }

    /// Writes what is left and gives the inner writer back, unflushed.
    ///
    /// An empty input becomes one empty member, as readers expect a gzip stream to have at least one.
    pub fn finish(mut self) -> io::Result<W> {
        self.check()?;
        if !self.input.is_empty() || self.members == 0 {
            self.end_member()?;
        }
        self.write_ready(Wait::All)?;
        Ok(self.out)
    }

    /// The inner writer, which has received only complete members so far.
    pub fn get_ref(&self) -> &W {
        &self.out
    }

    fn check(&self) -> io::Result<()> {
        match self.failed {
            true => Err(io::Error::other("an earlier write of this archive failed")),
            false => Ok(()),
        }
    }

    fn end_member(&mut self) -> io::Result<()> {
        make_way();
        self.members += 1;
        let only_member = self.pool.is_none() && self.input.len() < MEMBER_BYTES;
        if self.worker_count <= 1 || only_member {
            return self.end_member_inline();
        }
        if self.pool.is_none() {
            self.pool = Some(Pool::new(self.level, self.worker_count)?);
        }
        self.write_ready(Wait::ForRoom)?;
        let pool = self.pool.as_mut().expect("made above");
        pool.submit(&mut self.input)
    }

    fn end_member_inline(&mut self) -> io::Result<()> {
        let new = || Inline { maker: Maker::new(self.level), member: Vec::new() };
        let inline = self.inline.get_or_insert_with(new);
        inline.maker.make(&self.input, &mut inline.member);
        self.input.clear();
        self.out.write_all(&inline.member)
    }

    fn write_ready(&mut self, wait: Wait) -> io::Result<()> {
        let Some(pool) = self.pool.as_mut() else { return Ok(()) };
        loop {
            let must_wait = match wait {
                Wait::No => false,
                Wait::ForRoom => !pool.has_room(),
                Wait::All => true,
            };
            let Some(buffers) = pool.take(must_wait)? else { return Ok(()) };
            self.out.write_all(&buffers.member)?;
            pool.reuse(buffers);
        }
    }
}

#[derive(Clone, Copy)]
enum Wait {
    No,
    ForRoom,
    All,
}

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let taken = bytes.len().min(MEMBER_BYTES - self.input.len());
        self.input.extend_from_slice(&bytes[..taken]);
        if self.input.len() == MEMBER_BYTES {
            self.end_member().inspect_err(|_| self.failed = true)?;
        }
        Ok(taken)
    }

    /// Passes on the members that are ready. Does not end the current one, as its end would then depend
    /// on when the caller flushes.
    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        self.write_ready(Wait::No).and_then(|()| self.out.flush()).inspect_err(|_| self.failed = true)
    }
}
