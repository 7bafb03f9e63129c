//! The life of a case: which step may follow which, who may take it, and what it changes. Pure: time, role and case
//! are parameters; nothing here reads a clock, a file or a database.
//!
//! ```text
//!  candidate ─► accepted ─► in_progress ─► disposed ─► verified ─► closed
//!     │  │         │  ▲          │            │ refuse    │           │
//!     ▼  ▼         ▼  │          ▼            ▼           ▼           ▼
//!  rejected     escalated ─► assigned ─► disposed      reopen ─► accepted
//!  merged          ▲ └ send back  └ return ─► returned ─► assigned, or back to the grid
//! ```
//!
//! # Invariants
//! - A step is taken from the states and by the roles of [`TABLE`] only, and everything else is refused
//!   (`only_the_steps_of_the_table_are_taken`).
//! - Who says that a case is done does not verify it alone: another person does, or the camera that saw the place
//!   empty (`who_disposed_does_not_verify_alone`).
//! - Who says that a case is done shows a photo of it, or says why there is none
//!   (`a_disposal_shows_a_photo_or_says_why_not`).
//! - An answer of one tap can be taken back by who gave it, for a short time, and leaves the case as it was
//!   (`an_answer_is_taken_back_by_who_gave_it_and_in_time_only`).

mod action;
mod reason;
mod role;
mod state;
mod step;
mod table;

pub use action::Action;
pub use reason::{NoPhoto, RejectReason};
pub use role::Role;
pub use state::State;
pub use step::Step;
pub use table::{Actor, Refusal, Rule, Standing, TABLE, Taken, next, offered};

/// Milliseconds since the Unix epoch, UTC: the time of the desk.
pub type Millis = i64;

#[cfg(test)]
mod tests;
