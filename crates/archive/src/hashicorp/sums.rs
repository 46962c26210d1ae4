//! `SHA256SUMS`: lines of a hash, two spaces and a name, read with the tolerance of Go's `Sscanf`,
//! which is how the genuine reader parses them.

use super::{Error, META, STATE};

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// Nothing but white space.
    #[error("the line is blank")]
    Blank,
    /// The line begins with something else than a hash.
    #[error("no hash at the beginning")]
    NotHex,
    /// A hash with an odd number of digits.
    #[error("the hash has an odd number of digits")]
    OddDigits {
        /// Whether the line ends there, for which Go has another word.
        at_end: bool,
    },
    /// The name follows the hash without white space.
    #[error("no space between hash and name")]
    NoSpace,
    /// There is no name.
    #[error("no file name")]
    NoName,
}

impl LineFault {
    /// What Go's `fmt.Sscanf` says.
    pub fn genuine_text(self) -> &'static str {
        match self {
            LineFault::Blank | LineFault::NoName => "EOF",
            LineFault::NotHex => "no hex data for %x string",
            LineFault::OddDigits { at_end: true } => "unexpected EOF",
            LineFault::OddDigits { at_end: false } => "illegal hex digit",
            LineFault::NoSpace => "expected space in input to match format",
        }
    }
}

/// The file for these two hashes. Genuine servers write the lines in random order, we in this one.
pub(super) fn render(meta: &[u8; 32], state: &[u8; 32]) -> String {
    [(meta, META), (state, STATE)].map(|(hash, name)| format!("{}  {name}\n", hex(hash))).concat()
}

/// Checks that `sums` lists both files and nothing else, with these hashes.
pub(super) fn check(sums: &[u8], meta: &[u8; 32], state: &[u8; 32]) -> Result<(), Error> {
    let mut files = [(META, meta, false), (STATE, state, false)];
    let ended = sums.strip_suffix(b"\n").unwrap_or(sums);
    let lines = ended.split(|byte| *byte == b'\n').enumerate();
    for (index, text) in lines.filter(|_| !sums.is_empty()) {
        let line = index + 1;
        let (hash, name) = parse(text).map_err(|fault| Error::SumsLine { line, fault })?;
        let Some((known, expected, listed)) = files.iter_mut().find(|file| file.0.as_bytes() == name) else {
            // Go reads runes here, so what is not UTF-8 is already replaced in its text.
            return Err(Error::UnknownSum { name: String::from_utf8_lossy(name).into_owned(), line });
        };
        if hash != expected[..] {
            return Err(Error::HashMismatch { name: known });
        }
        *listed = true;
    }
    match files.iter().find(|(_, _, listed)| !listed) {
        Some((name, ..)) => Err(Error::Unlisted { name }),
        None => Ok(()),
    }
}

fn parse(line: &[u8]) -> Result<(Vec<u8>, &[u8]), LineFault> {
    let line = line.trim_ascii_start();
    if line.is_empty() {
        return Err(LineFault::Blank);
    }
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (hash, rest) = line.split_at(digits);
    match (digits, rest.is_empty()) {
        (0, _) => return Err(LineFault::NotHex),
        (odd, at_end) if odd % 2 == 1 => return Err(LineFault::OddDigits { at_end }),
        _ => {}
    }
    let name = rest.trim_ascii_start();
    match (name.len() == rest.len(), name.is_empty()) {
        (_, true) => return Err(LineFault::NoName),
        (true, false) => return Err(LineFault::NoSpace),
        (false, false) => {}
    }
    let end = name.iter().position(u8::is_ascii_whitespace).unwrap_or(name.len());
    Ok((unhex(hash), &name[..end]))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes an even number of hex digits.
fn unhex(digits: &[u8]) -> Vec<u8> {
    let value = |digit: &u8| char::from(*digit).to_digit(16).map_or(0, |value| value as u8);
    digits.chunks_exact(2).map(|pair| value(&pair[0]) << 4 | value(&pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const META_HASH: [u8; 32] = [0xab; 32];
    const STATE_HASH: [u8; 32] = [0x01; 32];

    fn check_text(sums: &str) -> Result<(), Error> {
        check(sums.as_bytes(), &META_HASH, &STATE_HASH)
    }

    #[test]
    fn what_is_rendered_is_accepted_in_any_order_and_case() {
        let sums = render(&META_HASH, &STATE_HASH);
        assert_eq!(sums.len(), 152);
        check_text(&sums).unwrap();
        let (meta, state) = sums.split_at(76);
        check_text(&format!("{state}{meta}")).unwrap();
        check_text(&format!("{}{}", meta.replace("ab", "AB"), state.trim_end())).unwrap();
        check_text(&format!("{}{state}", meta.replace('\n', "\r\n"))).unwrap();
        check_text(&format!("{state}{meta}{meta}")).unwrap();
    }

    /// The texts were taken from Go 1.26's `fmt.Sscanf(line, "%x  %s", …)`.
    #[test]
    fn a_malformed_line_is_told_in_go_s_words() {
        let expected = [
            ("\n", "EOF"),
            ("   \n", "EOF"),
            ("zz  meta.json\n", "no hex data for %x string"),
            ("abc\n", "unexpected EOF"),
            ("abc  meta.json\n", "illegal hex digit"),
            ("abcd\n", "EOF"),
            ("abcd \r\n", "EOF"),
            ("abcdmeta.json\n", "expected space in input to match format"),
        ];
        for (line, text) in expected {
            match check_text(line) {
                Err(Error::SumsLine { line: 1, fault }) => assert_eq!(fault.genuine_text(), text, "{line:?}"),
                other => panic!("{line:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_file_without_a_line_is_missed() {
        assert!(matches!(check_text(""), Err(Error::Unlisted { name: META })));
        let sums = render(&META_HASH, &STATE_HASH);
        assert!(matches!(check_text(&sums[..76]), Err(Error::Unlisted { name: STATE })));
        assert!(matches!(check_text(&sums[76..]), Err(Error::Unlisted { name: META })));
    }

    #[test]
    fn binary_marks_and_short_hashes_do_not_pass() {
        let sums = render(&META_HASH, &STATE_HASH);
        let marked = sums.replace("  meta", " *meta");
        assert!(
            matches!(check_text(&marked), Err(Error::UnknownSum { name, line: 1 }) if name == "*meta.json")
        );
        assert!(matches!(check_text("abab  meta.json\n"), Err(Error::HashMismatch { name: META })));
    }
}
