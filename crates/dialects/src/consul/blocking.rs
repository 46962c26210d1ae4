//! Reads of the Consul scope, which may wait.

use axum::http::HeaderMap;
use node::{Node, Seen};
use records::consul::Answer;
use records::{Scope, View};

use super::access::{Caller, Sight};
use super::params::ReadOptions;
use super::reply::{Failure, read_headers};
use crate::http::blocking;
pub(super) use crate::http::blocking::{Glance, off_thread, stopped};

/// A view that satisfies the options, which may mean to wait for it.
pub(super) async fn view(
    node: &Node,
    options: ReadOptions,
    glance: impl Fn(&View) -> Result<Glance, Failure> + Clone + Send + 'static,
) -> Result<Seen, Failure> {
    blocking::view(node, Scope::Consul, options, glance).await
}

/// What `find` finds in a view that satisfies the options, which may mean to wait for it, and the headers of
/// an answer with it. Whoever asks does so on the same view: an answer and the right to it are of one instant.
/// `is_found` tells whether what was asked for is there.
pub(super) async fn read<T: Send + 'static>(
    caller: &Caller,
    options: ReadOptions,
    find: impl Fn(&View, &mut Sight) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
    is_found: impl Fn(&T) -> bool + Clone + Send + 'static,
) -> Result<(HeaderMap, T), Failure> {
    let look = {
        let caller = caller.clone();
        move |view: &View| {
            let mut sight = caller.sight(view)?;
            Ok::<_, Failure>((find(view, &mut sight)?, sight.hides))
        }
    };
    let glance = {
        let look = look.clone();
        move |view: &View| {
            let (answer, _) = look(view)?;
            Ok(Glance { index: answer.index, found: is_found(&answer.value) })
        }
    };
    let Seen { view, freshness } = view(caller.node(), options, glance).await?;
    let (answer, hides) = off_thread(move || look(&view)).await?;
    let mut headers = read_headers(answer.index, freshness);
    caller.tell_hidden(hides, &mut headers);
    Ok((headers, answer.value))
}
