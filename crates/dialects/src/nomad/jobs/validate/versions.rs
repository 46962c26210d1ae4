//! Constraints on versions, as far as whether they are some (`hashicorp/go-version:{version,constraint}.go`,
//! `hashicorp/nomad:helper/constraints/semver/constraints.go`).

/// Checks what operator `version` takes.
pub(super) fn version(text: &str) -> Result<(), String> {
    const OPERATORS: [&str; 7] = ["!=", ">=", "<=", "~>", "=", ">", "<"];
    parts(text, &OPERATORS, false)
}

/// Checks what operator `semver` takes.
pub(super) fn semver(text: &str) -> Result<(), String> {
    const OPERATORS: [&str; 6] = ["!=", ">=", "<=", "=", ">", "<"];
    parts(text, &OPERATORS, true)
}

fn parts(text: &str, operators: &[&str], is_semver: bool) -> Result<(), String> {
    for part in text.split(',') {
        let rest = part.trim();
        let rest = operators.iter().find_map(|operator| rest.strip_prefix(operator)).unwrap_or(rest);
        if !is_version(rest.trim_start(), is_semver) {
            let word = if is_semver { "Malformed" } else { "malformed" };
            return Err(format!("{word} constraint: {part}"));
        }
    }
    Ok(())
}

/// Numbers, what comes before a release, and what was built with.
fn is_version(text: &str, is_semver: bool) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (rest, built) = text.split_once('+').map_or((text, None), |(rest, built)| (rest, Some(built)));
    let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (numbers, before) = rest.split_at(end.unwrap_or(rest.len()));
    let are_numbers =
        numbers.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_before = match before.strip_prefix('-') {
        Some(before) => are_words(before),
        None => before.is_empty() || (!is_semver && are_words(before)),
    };
    are_numbers && is_before && built.is_none_or(are_words)
}

fn are_words(text: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-~".contains(&byte))
    };
    text.split('.').all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constraints_are_told_from_other_texts() {
        for good in ["1.2", ">= 1.0, < 2.0", "~> 1.2.3-beta.1+x", "=v1", " != 1.0rc1 "] {
            assert_eq!(version(good), Ok(()), "{good}");
        }
        for bad in ["", "x", "1..2", ">> 1", "1.2-", "1,"] {
            assert!(version(bad).is_err(), "{bad}");
        }
        assert!(semver(">= 1.4.0-a").is_ok() && semver("~> 1.0").is_err());
        assert_eq!(version("> 1, nope"), Err("malformed constraint:  nope".into()));
    }
}
