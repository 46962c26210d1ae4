//! What is wrong with a job, put together as genuine servers put it (`hashicorp/go-multierror:format.go`).

/// Sentences about what is wrong.
#[derive(Default)]
pub(in super::super) struct Faults(Vec<String>);

impl Faults {
    /// Adds a sentence.
    pub(super) fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }

    /// Adds it, if so.
    pub(super) fn add_if(&mut self, is_so: bool, fault: &str) {
        if is_so {
            self.add(fault);
        }
    }

    /// Adds all of them, one by one.
    pub(super) fn extend(&mut self, faults: Faults) {
        self.0.extend(faults.0);
    }

    /// Adds all of them as one.
    pub(super) fn nest(&mut self, faults: Faults) {
        if !faults.is_empty() {
            self.add(faults.to_string());
        }
    }

    /// Adds all of them as one, behind what they are of.
    pub(super) fn nest_as(&mut self, what: &str, faults: Faults) {
        if !faults.is_empty() {
            self.add(format!("{what}: {faults}"));
        }
    }

    /// Adds the one that there is, if any.
    pub(super) fn check(&mut self, outcome: Result<(), String>) {
        self.0.extend(outcome.err());
    }

    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in super::super) fn into_sentences(self) -> Vec<String> {
        self.0
    }
}

impl From<String> for Faults {
    fn from(fault: String) -> Faults {
        Faults(vec![fault])
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "1 error occurred:\n\t* {one}\n\n"),
            all => {
                writeln!(f, "{} errors occurred:", all.len())?;
                all.iter().try_for_each(|one| writeln!(f, "\t* {one}"))?;
                f.write_str("\n")
            }
        }
    }
}
