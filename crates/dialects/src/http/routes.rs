//! Routes whose paths can be listed.

use axum::Router;
use axum::routing::MethodRouter;

/// Routes, and what their paths are.
pub(crate) struct Routes<A> {
    pub(crate) router: Router<A>,
    pub(crate) paths: Vec<String>,
}

impl<A: Clone + Send + Sync + 'static> Routes<A> {
    pub(crate) fn route(mut self, path: &str, methods: MethodRouter<A>) -> Routes<A> {
        self.paths.push(path.to_owned());
        Routes { router: self.router.route(path, methods), ..self }
    }

    /// Routes whatever follows a path, and nothing, too: the handler says what is missing.
    pub(crate) fn below(self, path: &str, methods: impl Fn() -> MethodRouter<A>) -> Routes<A> {
        self.route(path, methods()).route(&format!("{path}{{*name}}"), methods())
    }

    pub(crate) fn merge(mut self, other: Routes<A>) -> Routes<A> {
        self.paths.extend(other.paths);
        Routes { router: self.router.merge(other.router), ..self }
    }
}

impl<A: Clone + Send + Sync + 'static> Default for Routes<A> {
    fn default() -> Routes<A> {
        Routes { router: Router::new(), paths: Vec::new() }
    }
}
