//! Reads of the Nomad scope, which may wait.

use axum::http::HeaderMap;
use node::{Node, Seen};
use records::nomad::Answer;
use records::nomad::acl::Authorizer;
use records::{Scope, View};

use super::access::Caller;
use super::reply::read_headers;
use crate::http::Failure;
use crate::http::blocking::{self, Glance, ReadOptions, off_thread};

/// What `find` finds in a view that satisfies the options, which may mean to wait for it, and the headers of
/// an answer with it. Whoever asks does so on the same view: an answer and the right to it are of one instant.
pub(super) async fn read<T: Send + 'static>(
    caller: &Caller,
    options: ReadOptions,
    find: impl Fn(&View, &Authorizer) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
) -> Result<(HeaderMap, T), Failure> {
    let asking = caller.clone();
    read_unvetted(caller.node(), options, move |view| find(view, &*asking.on(view)?)).await
}

/// The same for what everyone may ask.
pub(super) async fn read_unvetted<T: Send + 'static>(
    node: &Node,
    options: ReadOptions,
    look: impl Fn(&View) -> Result<Answer<T>, Failure> + Clone + Send + 'static,
) -> Result<(HeaderMap, T), Failure> {
    let glance = {
        let look = look.clone();
        // Unlike Consul's, these queries also end when something else of the same kind has changed.
        move |view: &View| Ok(Glance { index: look(view)?.index, found: true })
    };
    let Seen { view, freshness } = blocking::view(node, Scope::Nomad, options, glance).await?;
    let answer = off_thread(move || look(&view)).await?;
    Ok((read_headers(answer.index, freshness), answer.value))
}
