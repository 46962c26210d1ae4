//! The least HTTP client that can load a server: blocking, one connection, almost no work of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// No answer takes longer; a server that hangs must not hang the benchmark.
const PATIENCE: Duration = Duration::from_secs(120);

const BUFFER_BYTES: usize = 256 << 10;

/// What a discarding client saw of a save.
#[derive(Clone, Copy)]
pub(crate) struct Saved {
    pub(crate) first_byte: Duration,
    pub(crate) took: Duration,
}

/// `GET /v1/snapshot`, thrown away as it comes.
pub(crate) fn save(server: SocketAddr) -> anyhow::Result<Saved> {
    let began = Instant::now();
    let mut connection = Connection::open(server)?;
    connection.send("GET /v1/snapshot HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n".as_bytes())?;
    ensure!(connection.read_head()?.status == 200, "a save was refused");
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut first_byte = None;
    let mut end = Vec::new();
    loop {
        let found = connection.stream.read(&mut buffer)?;
        if found == 0 {
            break;
        }
        first_byte.get_or_insert_with(|| began.elapsed());
        end.extend_from_slice(&buffer[found.saturating_sub(LAST_CHUNK.len())..found]);
        end.drain(..end.len().saturating_sub(LAST_CHUNK.len()));
    }
    ensure!(end == LAST_CHUNK, "a save was cut short");
    Ok(Saved { first_byte: first_byte.context("a save was empty")?, took: began.elapsed() })
}

/// How a chunked body that was not cut ends.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// `PUT /v1/snapshot` of a file.
pub(crate) fn restore(server: SocketAddr, archive: &Path) -> anyhow::Result<Duration> {
    let began = Instant::now();
    let mut file = File::open(archive)?;
    let mut connection = Connection::open(server)?;
    let bytes = file.metadata()?.len();
    let head = format!("PUT /v1/snapshot HTTP/1.1\r\nhost: bench\r\ncontent-length: {bytes}\r\n\r\n");
    connection.send(head.as_bytes())?;
    io::copy(&mut file, connection.stream.get_mut())?;
    connection.expect_success()?;
    Ok(began.elapsed())
}

/// A connection that is kept open between requests.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

struct Head {
    status: u16,
    content_bytes: u64,
}

impl Connection {
    /// Connects.
    pub(crate) fn open(server: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(server).context("connect to the server")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection { stream: BufReader::with_capacity(BUFFER_BYTES, stream) })
    }

    /// Sets a key; durable on return.
    pub(crate) fn put_key(&mut self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let length = value.len();
        let mut request =
            format!("PUT /v1/kv/{key} HTTP/1.1\r\nhost: bench\r\ncontent-length: {length}\r\n\r\n")
                .into_bytes();
        request.extend_from_slice(value);
        self.send(&request)?;
        self.expect_success()
    }

    /// Asks for `path` and drops the answer.
    pub(crate) fn get(&mut self, path: &str) -> anyhow::Result<()> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n").as_bytes())?;
        self.expect_success()
    }

    /// Sends JSON, or nothing, and gives back the answer's content.
    pub(crate) fn ask(&mut self, method: &str, path: &str, json: &str) -> anyhow::Result<Vec<u8>> {
        let length = json.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send((head + json).as_bytes())?;
        let (status, content) = self.answer()?;
        ensure!(
            status == 200,
            "{method} {path} was answered {status}: {}",
            String::from_utf8_lossy(&content)
        );
        Ok(content)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    fn expect_success(&mut self) -> anyhow::Result<()> {
        let (status, content) = self.answer()?;
        if status != 200 {
            bail!("the server answered {status}: {}", String::from_utf8_lossy(&content));
        }
        Ok(())
    }

    fn answer(&mut self) -> anyhow::Result<(u16, Vec<u8>)> {
        let head = self.read_head()?;
        let mut content = Vec::new();
        self.stream.by_ref().take(head.content_bytes).read_to_end(&mut content)?;
        Ok((head.status, content))
    }

    fn read_head(&mut self) -> anyhow::Result<Head> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("read an answer")?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut head = Head { status: status.context("not an HTTP answer")?, content_bytes: 0 };
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    head.content_bytes = value.trim().parse().context("content-length")?;
                }
                Some(_) => {}
                None => return Ok(head),
            }
        }
    }
}
