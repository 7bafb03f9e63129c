//! The desk: a small, complete case platform for one street. Camera cases come in over MQTT, residents, patrols and
//! callers report theirs; grid workers review and dispose of them, the operations centre and departments take what a
//! grid cannot solve, and who reported is asked whether it was solved.
//!
//! It is an ordinary client of the broker: nothing but the public messages of a box ([`crate::mqtt::topic`],
//! [`crate::mqtt::envelope`], [`crate::mqtt::command`]) ties the two together.
//!
//! # Layout
//! - [`config`] what the operator wrote, [`plan`] what it means;
//! - [`life`] the life of a case as a pure table; [`model`] cases as people see them;
//! - [`viewer`] who looks and what they may see, [`denied`] what is answered otherwise;
//! - `store` the database, the only place with SQL; `album` the files of pictures, `keys` links and tokens;
//! - [`intake`] what comes from the boxes, `session` the conversation with the broker and the verdicts that go back;
//!   `fetch` pictures that a store has, `http` how others are asked;
//! - [`people`] accounts and sessions; [`report`] cases that people bring in, `photo` what they may send,
//!   `bucket` what holds floods back;
//! - [`inbox`] what people look at, `act` what they do; [`followup`] what reporters are asked;
//! - [`rates`] how well it goes; [`notify`] how people are told; `timers` what happens with time;
//! - [`service`] the [`Desk`] that all of these are functions of; [`web`] its pages.
//!
//! # Invariants
//! - A message is acknowledged to the broker only after what it says is on disk; one that comes twice changes nothing
//!   (tests/desk/intake.rs, tests/desk/kill.rs).
//! - A picture is shown only if its SHA-256 is the one that its event names (tests/desk/intake.rs).
//! - No host is asked for a picture but those that the operator lists (`only_what_is_listed_may_be_asked`,
//!   tests/desk/fetch.rs).
//! - Every question about cases takes a [`Viewer`]: a worker can neither see nor change a case of another grid
//!   (tests/desk/scope.rs).
//! - All that happens to a case stands in its timeline, which is only added to (`the_timeline_cannot_be_rewritten`).

mod act;
mod album;
mod bucket;
pub mod config;
pub mod denied;
mod fetch;
pub mod followup;
mod http;
pub mod inbox;
pub mod intake;
mod keys;
pub mod life;
pub mod model;
pub mod notify;
pub mod people;
mod photo;
pub mod plan;
pub mod rates;
pub mod report;
pub mod service;
mod session;
mod store;
mod timers;
pub mod viewer;
pub mod web;

pub use denied::{Answer, Denied, Invalid};
pub use inbox::{PictureFile, Watch};
pub use plan::DeskPlan;
pub use service::{BrokerState, Desk, Health};
pub use session::run;
pub use viewer::{Scope, Viewer};
