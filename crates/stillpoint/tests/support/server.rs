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
    /// `host:port` of Qdrant's REST API.
    pub(crate) qdrant: String,
    /// `host:port` of Qdrant's gRPC API.
    pub(crate) qdrant_grpc: String,
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
        Server::start_with(cli, configuration, &[])
    }

    /// The same, with these arguments besides.
    pub(crate) fn start_with(cli: Cli, configuration: &str, arguments: &[&str]) -> Server {
        let mut command = Server::command(&cli, configuration);
        command.args(arguments);
        let (child, talk) = spawn(command);
        let empty = String::new;
        let mut server = Server {
            cli,
            consul: empty(),
            qdrant: empty(),
            qdrant_grpc: empty(),
            native: empty(),
            acl: empty(),
            child,
            talk,
        };
        server.consul = server.address_of("consul");
        server.qdrant = server.address_of("qdrant");
        server.qdrant_grpc = server.address_of("qdrant-grpc");
        server.native = server.address_of("native");
        server.acl = server.hear("  acl ");
        server
    }

    /// The command that starts such a server.
    pub(crate) fn command(cli: &Cli, configuration: &str) -> Command {
        Server::command_at(cli, configuration, "127.0.0.1:0", "127.0.0.1:0")
    }

    fn command_at(cli: &Cli, configuration: &str, consul: &str, native: &str) -> Command {
        cli.write("stillpoint.toml", configuration.as_bytes());
        let mut command = cli.command(&["server", "--config", "stillpoint.toml"]);
        command.args(["--consul", consul, "--nomad", "127.0.0.1:0", "--native", native]);
        command.args(["--qdrant", "127.0.0.1:0", "--qdrant-grpc", "127.0.0.1:0"]);
        command
    }

    /// As a power cut would, but for what the kernel knows.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it was ours");
    }

    /// Kills it and starts it again over its own data, where it was, and returns once it serves.
    pub(crate) fn restart(&mut self, configuration: &str) {
        self.kill();
        let command = Server::command_at(&self.cli, configuration, &self.consul, &self.native);
        (self.child, self.talk) = spawn(command);
        self.address_of("native");
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
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

fn spawn(mut command: Command) -> (Child, BufReader<ChildStderr>) {
    let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
    let talk = BufReader::new(child.stderr.take().expect("it is piped"));
    (child, talk)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
