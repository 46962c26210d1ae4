//! Archives on their way: a download that knows whether it was cut, an upload of known length.

use std::fmt;
use std::io::Cursor;
use std::pin::Pin;

use bytes::Bytes;
use reqwest::{Body, RequestBuilder, Response, header};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::digest::Hash;
use crate::error::root_cause;
use crate::http::{SILENCE_MAX, TRANSFER_MAX};
use crate::{Digest, Error};

/// How much of a file is read at once for sending.
const UPLOAD_CHUNK_BYTES: usize = 256 << 10;

/// What a server says about the capture whose archive it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// The index at which the state was captured.
    pub index: Option<u64>,
    /// Whether the serving node knew a leader.
    pub known_leader: Option<bool>,
    /// How long ago, in milliseconds, the serving node had heard of the leader; 0 on the leader itself.
    pub last_contact_ms: Option<u64>,
    /// The archive's digest, where the server knows it beforehand.
    pub digest: Option<Digest>,
    /// What the archive's reader should know.
    pub warnings: Vec<String>,
}

/// An archive that is arriving.
#[derive(Debug)]
pub struct Download {
    response: Response,
    received: u64,
    capture: Capture,
    hash: Hash,
}

impl Download {
    pub(crate) fn new(response: Response, capture: Capture) -> Download {
        let hash = Hash::for_digest(capture.digest.as_ref());
        Download { response, received: 0, capture, hash }
    }

    /// What the server said before the first byte.
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// The length in bytes, where the server knows it beforehand.
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next bytes, or `None` once the server has said that this was all. A stream that ends without
    /// that word is [`Error::Cut`], one that stands still [`Error::Stalled`], and one that is not what the server
    /// promised [`Error::Digest`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let received = self.received;
        let chunk = timeout(SILENCE_MAX, self.response.chunk())
            .await
            .map_err(|_| Error::Stalled { received, waited: SILENCE_MAX })?
            .map_err(|error| Error::Cut { received, cause: root_cause(&error) })?;
        match &chunk {
            Some(chunk) => {
                self.received += chunk.len() as u64;
                self.hash.update(chunk);
            }
            None => self.expect_digest()?,
        }
        Ok(chunk)
    }

    /// How many bytes arrived so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The SHA-256, in hex, of what arrived so far.
    pub fn sha256(&self) -> String {
        self.hash.sha256()
    }

    fn expect_digest(&self) -> Result<(), Error> {
        match &self.capture.digest {
            Some(promised) if !self.hash.is(promised) => {
                Err(Error::Digest { promised: promised.clone(), found: self.hash.like(promised) })
            }
            _ => Ok(()),
        }
    }
}

/// An archive to be sent, of a length that is known.
pub struct Upload {
    source: Pin<Box<dyn AsyncRead + Send>>,
    length: u64,
}

impl Upload {
    /// Sends exactly `length` bytes of `source`. One that ends earlier or fails breaks the request off, and
    /// the server never takes what it got for an archive.
    pub fn new(source: impl AsyncRead + Send + 'static, length: u64) -> Upload {
        Upload { source: Box::pin(source.take(length)), length }
    }

    /// The archive is the request's body.
    pub(crate) fn attach(self, request: RequestBuilder) -> RequestBuilder {
        request
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, self.length)
            .timeout(TRANSFER_MAX)
            .body(body(self.source))
    }

    /// The archive is the file of a form, its part `snapshot`. The name is for plain ones: it is not escaped.
    pub(crate) fn attach_form(self, request: RequestBuilder, file_name: &str) -> RequestBuilder {
        // Nobody who made the archive can have known it.
        let boundary = format!("stillpoint-{}", Uuid::new_v4().simple());
        let begin = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let end = format!("\r\n--{boundary}--\r\n");
        // A source that ends early makes the body shorter than this, in spite of the end that follows it.
        let length = begin.len() as u64 + self.length + end.len() as u64;
        let form = Cursor::new(begin).chain(self.source).chain(Cursor::new(end));
        request
            .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
            .header(header::CONTENT_LENGTH, length)
            .timeout(TRANSFER_MAX)
            .body(body(form))
    }
}

fn body(source: impl AsyncRead + Send + 'static) -> Body {
    Body::wrap_stream(ReaderStream::with_capacity(source, UPLOAD_CHUNK_BYTES))
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload of {} bytes", self.length)
    }
}
