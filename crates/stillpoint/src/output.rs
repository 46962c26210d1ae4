//! Everything that the commands write: results to stdout, talk and progress to stderr.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde::Serialize;
use serde_json::json;

use crate::exit::{ExitCode, Meaning};

/// An error and what led to it, in one line. Some errors name their cause themselves: no need to say it twice.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |told, cause| match told {
        told if told.contains(&cause) => told,
        told if told.is_empty() => cause,
        told => format!("{told}: {cause}"),
    })
}

/// The reader of our stdout has gone away.
#[derive(Debug, thiserror::Error)]
#[error("stdout was closed")]
pub(crate) struct Closed;

/// How results and talk are to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Output {
        Output { json, quiet }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Writes the result: `value` with `--json`, else `text`, whose control characters the caller has
    /// already dealt with.
    pub(crate) fn result(self, value: &impl Serialize, text: &str) -> anyhow::Result<()> {
        if !self.json {
            return write_stdout(text.as_bytes());
        }
        let mut line = serde_json::to_string(value).context("write the result as JSON")?;
        line.push('\n');
        write_stdout(line.as_bytes())
    }

    /// Tells a person how it went.
    pub(crate) fn talk(self, line: &str) {
        if !self.quiet {
            say(&printable(line));
        }
    }

    /// Tells a person what to look after. Not silenced by `--quiet`.
    pub(crate) fn warn(self, line: &str) {
        say(&format!("warning: {}", printable(line)));
    }

    /// Shows text as it is, of several lines, to a person who is about to decide.
    pub(crate) fn show(self, text: &str) {
        say(text.trim_end());
    }

    /// One line for the error, one for the advice if there is any. With `--json` an object on stdout too.
    pub(crate) fn error(self, error: &anyhow::Error) -> ExitCode {
        let Meaning { code, hint } = Meaning::of(error);
        if code == ExitCode::Ok {
            return code;
        }
        let message = with_causes(error);
        say(&format!("error: {}", printable(&message)));
        if let Some(hint) = &hint {
            say(&format!("hint: {}", printable(hint)));
        }
        if self.json {
            let object = json!({"error": {"exit_code": code as u8, "message": message, "hint": hint}});
            // The error has been told on stderr: that stdout doesn't take it changes nothing.
            let _ = write_stdout(format!("{object}\n").as_bytes());
        }
        code
    }

    /// A bar over `length` bytes, or a counter where the length is not known. It goes away when dropped, and
    /// shows nothing unless a person looks at stderr.
    pub(crate) fn progress(self, step: &'static str, length: Option<u64>) -> ProgressBar {
        if self.quiet || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let template = match length {
            Some(_) => "{msg:10} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{msg:10} {spinner} {bytes} {bytes_per_sec}",
        };
        let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        bar.set_style(ProgressStyle::with_template(template).expect("the templates above are valid"));
        bar.set_message(step);
        bar.enable_steady_tick(Duration::from_millis(200));
        bar.with_finish(ProgressFinish::AndClear)
    }

    /// Whether a person is there to be asked.
    pub(crate) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks the person a yes-or-no question. Anything but a yes is a no.
    pub(crate) fn ask(self, question: &str) -> io::Result<bool> {
        write!(io::stderr(), "{} [y/N] ", printable(question))?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

/// Writes bytes to stdout and flushes them.
pub(crate) fn write_stdout(bytes: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
        result => result.context("write to stdout"),
    }
}

/// A line to stderr. If stderr is gone there is nobody left to be told so.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The text with its control characters spelt out: what a server or an archive says never drives a terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => plain.extend(character.escape_default()),
            false => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

/// Rows as lines with aligned columns.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> =
        rows.iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, &width) in row.iter().zip(&widths) {
            let gap = if line.is_empty() { "" } else { "  " };
            write!(line, "{gap}{cell:<width$}").expect("writing to a string does not fail");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(printable("grün"), "grün");
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".into(), "10".into()], vec!["long".into(), "2".into(), "x".into()]];
        assert_eq!(table(&rows), "a     10\nlong  2   x\n");
    }
}
