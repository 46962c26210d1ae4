//! A server of this very binary, in a directory of its own, on ports that the system chooses.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};

use super::Cli;

/// A running server. It is killed when dropped.
pub(crate) struct Server {
    /// Where its configuration and its data lie.
    pub(crate) cli: Cli,
    /// `host:port` of Consul's API.
    pub(crate) consul: String,
    /// `host:port` of the native API.
    pub(crate) native: String,
    /// What it says about access control.
    pub(crate) acl: String,
    child: Child,
    talk: BufReader<ChildStderr>,
}

impl Server {
    /// Starts with this configuration, in the directory of `cli`, and returns once it serves.
    pub(crate) fn start(cli: Cli, configuration: &str) -> Server {
        let mut command = Server::command(&cli, configuration);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let talk = BufReader::new(child.stderr.take().expect("it is piped"));
        let empty = String::new;
        let mut server = Server { cli, consul: empty(), native: empty(), acl: empty(), child, talk };
        server.consul = server.address_of("consul");
        server.native = server.address_of("native");
        server.acl = server.hear("  acl ");
        server
    }

    /// The command that starts such a server.
    pub(crate) fn command(cli: &Cli, configuration: &str) -> Command {
        cli.write("stillpoint.toml", configuration.as_bytes());
        let (consul, native) = (["--consul", "127.0.0.1:0"], ["--native", "127.0.0.1:0"]);
        let mut command = cli.command(&["server", "--config", "stillpoint.toml"]);
        command.args(consul).args(native);
        command
    }

    /// Reads what the server says until it says this, and returns that line.
    pub(crate) fn hear(&mut self, text: &str) -> String {
        let mut told = String::new();
        loop {
            let begin = told.len();
            let read = self.talk.read_line(&mut told).expect("talk is text");
            assert!(read > 0, "it ended without saying {text:?}: {told}");
            if told[begin..].contains(text) {
                return told[begin..].trim_end().to_owned();
            }
        }
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Stops it in order and returns the directory that it lived in.
    pub(crate) fn stop(mut self) -> Cli {
        self.signal("-TERM");
        self.child.wait().expect("it is our child");
        std::mem::replace(&mut self.cli, Cli::new())
    }

    /// `data directory` for commands that need its token.
    pub(crate) fn data_dir(&self) -> String {
        self.cli.path("stillpoint-data").display().to_string()
    }

    fn address_of(&mut self, dialect: &str) -> String {
        let line = self.hear(&format!("  {dialect} "));
        line.rsplit_once("//").expect("it has a URL").1.to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
