//! Reading ahead: an archive is decompressed and hashed on one thread while its records are stored on another.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// Bytes handed on at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Chunks that may wait: enough to bridge the moments in which the store writes a file.
const CHUNKS_WAITING: usize = 8;

/// The content of a reader, read ahead. Dropped early, it stops its thread.
pub(crate) struct Ahead<'scope, R> {
    chunks: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    position: usize,
    reader: ScopedJoinHandle<'scope, R>,
}

impl<'scope, R: Read + Send + 'scope> Ahead<'scope, R> {
    /// Begins to read, until the end or the first error.
    pub(crate) fn start(scope: &'scope Scope<'scope, '_>, mut reader: R) -> Self {
        let (sender, chunks) = sync_channel(CHUNKS_WAITING);
        let read = move || {
            loop {
                let chunk = next_chunk(&mut reader);
                let is_last = !matches!(&chunk, Ok(chunk) if chunk.len() == CHUNK_BYTES);
                // Nobody takes it once the other end was dropped.
                if sender.send(chunk).is_err() || is_last {
                    return reader;
                }
            }
        };
        Ahead { chunks, current: Vec::new(), position: 0, reader: scope.spawn(read) }
    }

    /// Reads what is left, and gives the reader back at its end.
    pub(crate) fn finish(self) -> io::Result<R> {
        self.chunks.into_iter().try_for_each(|chunk| chunk.map(drop))?;
        Ok(self.reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl<R> Read for Ahead<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position == self.current.len() {
            // The thread has ended: at the end of the content, or with an error that was told before.
            let Ok(chunk) = self.chunks.recv() else { return Ok(0) };
            (self.current, self.position) = (chunk?, 0);
        }
        let found = (&self.current[self.position..]).read(out)?;
        self.position += found;
        Ok(found)
    }
}

/// The next bytes; fewer than [`CHUNK_BYTES`] only at the end.
fn next_chunk(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    reader.take(CHUNK_BYTES as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Fails after its content.
    struct Broken(&'static [u8]);

    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("broken")),
                found => Ok(found),
            }
        }
    }

    #[test]
    fn everything_arrives_in_order() {
        let content: Vec<u8> = (0..3 * CHUNK_BYTES as u32 + 7).map(|byte| byte as u8).collect();
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &content[..]);
            let mut read = Vec::new();
            ahead.read_to_end(&mut read).unwrap();
            assert_eq!(read, content);
            assert!(ahead.finish().unwrap().is_empty());
        });
    }

    #[test]
    fn what_was_not_taken_is_read_all_the_same() {
        let content = vec![0; 100 * CHUNK_BYTES];
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, &content[..]);
            ahead.read_exact(&mut [0; 10]).unwrap();
            assert!(ahead.finish().unwrap().is_empty());
        });
    }

    #[test]
    fn an_error_arrives_where_it_happened_or_at_the_finish() {
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, Broken(b"abc"));
            assert_eq!(ahead.read(&mut [0; 10]).unwrap_err().to_string(), "broken");
            let ahead = Ahead::start(scope, Broken(b"abc"));
            assert_eq!(ahead.finish().err().unwrap().to_string(), "broken");
        });
    }

    #[test]
    fn one_that_is_dropped_stops_reading() {
        // The scope would wait for ever for a thread that reads on.
        thread::scope(|scope| drop(Ahead::start(scope, io::repeat(0))));
    }
}
