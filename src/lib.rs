//! gridpatrol (巡格) watches streets and compounds through fixed cameras and turns what it sees into case
//! candidates that a grid worker can act on: one case for one real violation, tagged with its grid, delivered
//! over MQTT.
//!
//! # Layout
//!
//! The modules in the order of the data that flows through them:
//!
//! ```text
//!  source ─► decode ─► gate ─► detect ─► track ─► rule ─► case ─► evidence ─► outbox ─► mqtt ─► broker
//!  rtsp usb  planes    which   what is   moving   dwell   opened  pictures,   durable   v5 TLS
//!  file …              frames  where     or still count … cleared redacted    row first PUBACK
//! ```
//!
//! Between evidence and outbox the throttle of the whole box decides what is told now and what is counted.
//!
//! - [`config`] what the operator wrote, [`plan`] what it means;
//! - [`source`] where frames come from, [`decode`] from coded pictures to planes, [`frame`] one picture;
//! - [`thumbnail`] a small luma picture of it; [`health`] whether the view can be believed;
//! - [`gate`] which frames are worth a look;
//! - [`detect`] from planes to detections: preprocess, session, head, non-maximum suppression;
//! - [`look`] one examination, [`track`] what moves and what stays;
//! - [`place`] zones, grids and the ground that a camera sees, [`rule`] what is judged in them;
//! - [`case`] the catalogue of kinds, the places that remember, the life of a case, and the throttle that decides for
//!   the whole box what is told now;
//! - [`judge`] the core of one camera, track to case, as a pure function of state, look and capture time;
//! - [`evidence`] redacted, captioned pictures, and clips;
//! - [`pipeline`] one camera's chain and the threads that run it;
//! - [`outbox`] the durable queue, [`mqtt`] topics, messages, the session with the broker;
//! - [`upload`] pictures to a store on the network, where there is one;
//! - [`web`] the status page, [`metrics`] what the box has done, in numbers;
//! - [`daemon`] all of it, started and stopped together; [`demo`] a broker and a subscriber to show it;
//! - `desk` where people review, dispose, escalate and follow up: a case platform for a street (feature `desk`);
//! - [`calibrate`] fits a model to a street and judges the result;
//! - [`mod@bench`] what it costs on this box;
//! - [`cli`] the verbs; [`clock`], [`shutdown`], [`service`], [`telemetry`] and [`error`] around it all.
//!
//! Threads: one capture thread per camera writes the latest frame into a mailbox; each worker thread owns a
//! detector and runs the core of one camera at a time; one more makes the pictures of cases, one their clips where they
//! are wanted, and one uploads them where there is a store; two tokio threads deliver and serve. Everything between them
//! is bounded.

pub mod config;
pub mod plan;

pub mod decode;
pub mod frame;
pub mod gate;
pub mod health;
pub mod source;
pub mod thumbnail;

pub mod detect;
pub mod look;
pub mod track;

pub mod case;
pub mod judge;
pub mod place;
pub mod rule;

pub mod evidence;
pub mod pipeline;

pub mod metrics;
pub mod mqtt;
pub mod outbox;
pub mod upload;
pub mod web;

pub mod bench;
pub mod calibrate;
pub mod cli;
pub mod daemon;
pub mod demo;
#[cfg(feature = "desk")]
pub mod desk;

pub mod clock;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod hostile;
pub mod service;
pub mod shutdown;
pub mod telemetry;
mod text_file;
mod tls;
