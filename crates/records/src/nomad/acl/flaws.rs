//! What is wrong with a token, policy or role, all of it at once.
//!
//! Looks as `hashicorp/go-multierror:format.go` prints it: genuine error texts contain it.

use std::fmt;

use crate::nomad::Refusal;

/// The flaws found so far.
#[derive(Default)]
pub(super) struct Flaws(Vec<String>);

impl Flaws {
    pub(super) fn add(&mut self, flaw: impl Into<String>) {
        self.0.push(flaw.into());
    }

    pub(super) fn add_if(&mut self, is_flawed: bool, flaw: &str) {
        if is_flawed {
            self.add(flaw);
        }
    }

    /// Refuses a thing of kind `what` that has any. It is the only one in its request, so its place there is 0.
    pub(super) fn check(self, what: &str) -> Result<(), Refusal> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Refusal::Invalid(format!("{what} 0 invalid: {self}"))),
        }
    }
}

impl fmt::Display for Flaws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 error occurred:")?,
            count => write!(f, "{count} errors occurred:")?,
        }
        self.0.iter().try_for_each(|flaw| write!(f, "\n\t* {flaw}"))?;
        f.write_str("\n\n")
    }
}

/// Whether this can be the name of a policy or role.
pub(super) fn is_name(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=128).contains(&name.len()) && name.bytes().all(is_word)
}

/// The longest description of a policy or role.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 256;

/// Flaws that policies and roles have alike.
pub(super) fn of_description(description: &str, flaws: &mut Flaws) {
    if description.len() > DESCRIPTION_BYTES_MAX {
        flaws.add(format!("description longer than {DESCRIPTION_BYTES_MAX}"));
    }
}
