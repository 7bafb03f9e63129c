//! The pages of the desk: rendered here, on the server, in Chinese and English; a little script makes them live and
//! quick, and everything works without it.
//!
//! # Layout
//! - [`table`] the list of all routes, each with who may ask; `gate` what every request passes; `listen` connections;
//! - `context` what a handler knows of its request, `form` what people send, `layout` what every page has around it,
//!   `words` times and errors as people read them, `assets` style and script;
//! - `account` signing in; `inbox` lists, `card` one case in them, `case` its page, `marked` pictures,
//!   `live` changes as they happen; `board` the operations centre's; `report` the forms of staff; `resident` and
//!   `followup` those of residents; `codes` the sheet of QR codes; `rates` and `plot` figures; `admin` accounts and the audit log.
//!
//! # Invariants
//! - A route is in the table or is not there, and its `Access` is asked before its handler runs
//!   (`no_route_answers_without_its_login` in tests/desk/web.rs).
//! - Whatever people wrote comes into a page through [`maud`], which escapes it; nothing is put together by hand.
//! - A body is read only after its sender was let in, and never beyond its bound; a form without the token that its
//!   page was given changes nothing (`a_form_without_its_token_changes_nothing`, there).

mod account;
mod admin;
mod assets;
mod board;
mod card;
mod case;
mod codes;
mod context;
mod followup;
mod form;
mod gate;
mod inbox;
mod layout;
mod listen;
mod live;
mod marked;
mod plot;
mod rates;
mod report;
mod resident;
pub mod table;
mod words;

pub use listen::serve;
