//! What tokens may do, as it was found last: to read the rules of a policy takes longer than to read a key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

/// So many tokens are remembered with what they may do.
const KNOWN_MAX: usize = 1_000;

/// What the bearers of secrets may do in one scope.
pub(crate) struct Known<A>(Mutex<Remembered<A>>);

struct Remembered<A> {
    /// Of which image, and as of which change of tokens, policies and roles. Whatever an archive says, the
    /// next change in its image has a higher index than all there is.
    of: (Uuid, u64),
    by_secret: HashMap<String, Arc<A>>,
}

impl<A> Known<A> {
    /// What the bearer of `secret` may do: as remembered of `of`, if that is still valid, or else as `resolve`
    /// finds it.
    pub(crate) fn recall<E>(
        &self,
        of: (Uuid, u64),
        secret: &str,
        is_valid: impl FnOnce(&A) -> bool,
        resolve: impl FnOnce() -> Result<A, E>,
    ) -> Result<Arc<A>, E> {
        if let Some(known) = self.get(of, secret)
            && is_valid(&known)
        {
            return Ok(known);
        }
        let found = Arc::new(resolve()?);
        self.put(of, secret, &found);
        Ok(found)
    }

    fn get(&self, of: (Uuid, u64), secret: &str) -> Option<Arc<A>> {
        let known = self.0.lock().expect("no panic while held");
        known.by_secret.get(secret).filter(|_| known.of == of).cloned()
    }

    fn put(&self, of: (Uuid, u64), secret: &str, found: &Arc<A>) {
        let mut known = self.0.lock().expect("no panic while held");
        if known.of != of || known.by_secret.len() >= KNOWN_MAX {
            *known = Remembered { of, by_secret: HashMap::new() };
        }
        known.by_secret.insert(secret.to_owned(), Arc::clone(found));
    }
}

impl<A> Default for Known<A> {
    fn default() -> Known<A> {
        Known(Mutex::new(Remembered { of: (Uuid::nil(), 0), by_secret: HashMap::new() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: (Uuid, u64) = (Uuid::from_u128(1), 7);

    /// What is remembered, or else `found`.
    fn recall(known: &Known<u8>, of: (Uuid, u64), secret: &str, found: u8) -> u8 {
        *known.recall::<()>(of, secret, |_| true, || Ok(found)).unwrap()
    }

    #[test]
    fn what_is_known_holds_for_one_image_and_one_change() {
        let known = Known::default();
        assert_eq!(recall(&known, OF, "a", 1), 1);
        assert_eq!(recall(&known, OF, "a", 2), 1);
        assert_eq!(recall(&known, OF, "b", 2), 2);
        assert_eq!(recall(&known, (OF.0, 8), "a", 3), 3);
        assert_eq!(recall(&known, (Uuid::from_u128(2), 8), "a", 4), 4);
    }

    #[test]
    fn what_has_expired_is_looked_up_again_and_no_failure_is_remembered() {
        let known = Known::default();
        assert!(known.recall(OF, "a", |_| true, || Err(())).is_err());
        recall(&known, OF, "a", 1);
        assert!(known.recall(OF, "a", |_| false, || Err(())).is_err());
        assert_eq!(*known.recall::<()>(OF, "a", |_| false, || Ok(2)).unwrap(), 2);
    }

    #[test]
    fn no_more_than_so_many_are_known() {
        let known = Known::default();
        for number in 0..3 * KNOWN_MAX {
            recall(&known, OF, &number.to_string(), 0);
        }
        assert!(known.0.lock().unwrap().by_secret.len() <= KNOWN_MAX);
    }
}
