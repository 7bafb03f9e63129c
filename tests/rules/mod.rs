//! What each kind of case makes of what a camera sees: from detections to events.

mod catalogue;
mod company;
mod days;
mod movement;
mod noise;
mod replay;
mod watch;
