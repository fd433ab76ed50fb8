//! The server's side, under both roles: the edge towards miners and the gateway towards nodes.
//!
//! ```text
//! listener ─▶ accept (limit of connections) ─▶ serve (lines in, answers, events) ─▶ SessionEnd
//!                                                 │ ▲
//!                                  Received ▼     │ │ Reply
//!                                             ServerSession (the role's own state and rules)
//! ```
//! [`accept`] bounds the number of connections. [`serve`] bounds lines, answers in flight and the
//! time of a write, and says why a session ended. A [`ServerSession`] decides what is answered.

mod accept;
mod end;
mod refusal;
mod session;

pub use accept::{AcceptOptions, accept};
pub use end::SessionEnd;
pub use refusal::SessionRefusal;
pub use session::{AnswerOrder, PendingAnswer, Reply, ServerSession, SessionLimits, serve};
