//! A camera on the network, over RTSP and TCP.
//!
//! The source never ends by itself. It connects, decodes what looks need, notices when the camera falls silent, and
//! connects again for ever; how it is doing stands in its [`Link`].
//!
//! # Invariants
//! - No credentials stand in an address, a log line or the [`Link`].
//! - A frame is given out only if all that it was predicted from was decoded without a fault: a ghost of half-decoded
//!   pictures could make a standing car look gone.
//! - Capture time never goes back, over lost connections and steps of clocks too.

mod connection;
#[cfg(any(test, fuzzing))]
mod hostile;
mod pick;
mod timing;

#[cfg(any(test, fuzzing))]
pub(crate) use hostile::read as hostile;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tracing::{info, warn};

use self::connection::{Connection, Event, LENGTH_SIZE, Trouble, Unit};
use self::pick::{Notice, Pick, Picker};
use self::timing::Timing;
use super::link::Link;
use super::retry::{self, Retry};
use super::steady::Steady;
use super::{Next, Source};
use crate::clock::CaptureTime;
use crate::decode::{self, Access, Codec, Decoder};
use crate::error::{Error, Kind, Result};
use crate::frame::Frame;
use crate::gate::Gate;
use crate::plan::{CameraPlan, LivePlan};
use crate::shutdown::Shutdown;

/// A camera that sends nothing for this long is lost. Cameras that send a picture each few seconds get more.
const SILENCE: Duration = Duration::from_secs(3);
/// The most that a slow camera gets.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// The same until two pictures have come.
const FIRST_PICTURES: Duration = Duration::from_secs(8);
/// Pictures that arrive this much later than they could are not decoded any more until the next key picture after
/// they have caught up: the decoder is slower than the camera.
const LATE_S: f64 = 2.0;
/// When they have caught up.
const CAUGHT_UP_S: f64 = 0.5;
/// After this long without catching up, being late is how it is.
const GIVE_IN: Duration = Duration::from_secs(5);
/// How long no picture could be used before that is worth a word.
const USELESS: Duration = Duration::from_secs(10);

/// A live camera as a source of frames. Gives out frames that a look is due for, no more often.
pub struct RtspSource {
    camera: CameraPlan,
    plan: LivePlan,
    link: Arc<Link>,
    shutdown: Shutdown,
    steady: Steady,
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    retry: Retry,
    timing: Timing,
    picker: Picker,
    gate: Gate,
    live: Option<Live>,
    decoder: Option<(Codec, Box<dyn Decoder>)>,
    camera_clock: Option<bool>,
}

/// A connection with what is known of it.
struct Live {
    connection: Connection,
    since: Instant,
    /// Since when the next picture is waited for.
    waiting: Instant,
    /// Time between pictures of late, in seconds.
    pause_s: Option<f64>,
    pictures: u64,
    /// When a picture was last decoded.
    useful: Instant,
    /// Since when pictures are late.
    late: Option<Instant>,
    /// What cannot be decoded was left out for that reason.
    left_behind: bool,
    fault: Option<String>,
}

impl RtspSource {
    /// The camera of `plan` at `live`, whose capture times begin at `start`, the time now. Connects when the first
    /// frame is asked for. [`Source::next`] gives [`Next::End`] when `shutdown` is requested, and never otherwise.
    ///
    /// # Errors
    /// [`Kind::System`] when no runtime can be started.
    pub fn new(
        camera: &CameraPlan,
        live: &LivePlan,
        start: CaptureTime,
        link: Arc<Link>,
        shutdown: Shutdown,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::new(Kind::System, "cannot start the network of a camera").caused_by(e))?;
        Ok(Self {
            plan: live.clone(),
            link,
            shutdown,
            steady: Steady::new(start),
            runtime: Some(runtime),
            retry: Retry::default(),
            timing: Timing::default(),
            picker: Picker::new(camera.decode),
            gate: Gate::new(camera.look_interval_s),
            live: None,
            decoder: None,
            camera_clock: None,
            camera: camera.clone(),
        })
    }

    /// Connects, after the wait that is due. Returns whether stopping was asked for.
    fn connect(&mut self) -> bool {
        // The standard library's hasher keys are its only source of chance, and chance is all that is needed.
        let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        if self.shutdown.wait_for(self.retry.wait(chance)) {
            return true;
        }
        let Some(runtime) = &self.runtime else { return true };
        let (plan, shutdown) = (&self.plan, &self.shutdown);
        let opened = runtime.block_on(async {
            tokio::select! {
                opened = Connection::open(plan) => Some(opened),
                () = shutdown.requested() => None,
            }
        });
        match opened {
            None => return true,
            Some(Ok(connection)) => self.begin(connection),
            Some(Err(trouble)) => {
                self.retry.failed(trouble.failure);
                self.link.lost(self.steady.now(), trouble.reason, trouble.help);
            }
        }
        false
    }

    fn begin(&mut self, connection: Connection) {
        let now = Instant::now();
        let codec = connection.codec;
        self.timing.begin();
        self.picker.begin();
        // A decoder that was fed another stream may have kept something of it.
        self.decoder = None;
        self.link.update(|state| state.codec = Some(codec.name()));
        self.live = Some(Live {
            connection,
            since: now,
            waiting: now,
            pause_s: None,
            pictures: 0,
            useful: now,
            late: None,
            left_behind: false,
            fault: None,
        });
    }

    fn end(&mut self, trouble: Trouble) {
        let Some(live) = self.live.take() else { return };
        let held = if live.pictures > 0 { live.since.elapsed() } else { Duration::ZERO };
        // Saying farewell to the camera is a task of the runtime.
        let inside = self.runtime.as_ref().map(Runtime::enter);
        drop(live);
        drop(inside);
        self.retry.ended(held);
        self.link.lost(self.steady.now(), trouble.reason, trouble.help);
    }

    /// What comes in next; `None` when stopping was asked for.
    fn receive(&mut self) -> Option<std::result::Result<Event, Trouble>> {
        let live = self.live.as_mut()?;
        let patience = match live.pause_s {
            None => FIRST_PICTURES,
            Some(pause_s) => {
                SILENCE.max(Duration::from_secs_f64(3.0 * pause_s.clamp(0.0, 1e3))).min(LONGEST_SILENCE)
            }
        };
        let deadline = live.waiting + patience;
        let (connection, shutdown) = (&mut live.connection, &self.shutdown);
        self.runtime.as_ref()?.block_on(async {
            tokio::select! {
                biased;
                event = connection.next() => Some(event),
                () = shutdown.requested() => None,
                () = tokio::time::sleep_until(deadline.into()) => Some(Err(Trouble {
                    reason: format!("it fell silent for {} s", patience.as_secs()),
                    help: None,
                    failure: retry::Failure::Other,
                })),
            }
        })
    }

    /// Judges one coded picture and decodes it if it is to be. Returns whether `frame` was filled for a look.
    fn unit(&mut self, unit: Unit, frame: &mut Frame) -> bool {
        let Some(live) = &mut self.live else { return false };
        let now = Instant::now();
        if live.pictures > 0 {
            let pause_s = (now - live.waiting).as_secs_f64();
            live.pause_s = Some(live.pause_s.map_or(pause_s, |mean| mean + (pause_s - mean) / 8.0));
        }
        live.pictures += 1;
        live.waiting = now;
        self.link.update(|state| state.received += 1);
        let arrival = self.steady.now();
        let stamp = self.timing.stamp(unit.media, arrival);
        if let Some(step_s) = stamp.step_s {
            info!(camera = self.camera.id, "The time of the camera's stream stepped by {step_s:.1} s.");
        }
        self.note_clock();
        if unit.lost {
            self.picker.lost();
        }
        let late = self.is_late(stamp.late_s, now, arrival);
        let Some(access) = Access::of(self.codec(), &unit.data, LENGTH_SIZE) else {
            self.useless("it sends units without a picture", true);
            return false;
        };
        let due = !late && stamp.at.is_some_and(|at| self.gate.would_admit(at));
        let motion = self.camera.needs_motion(arrival);
        // A late picture is judged too: it may be a key picture, and how often those come is to be known.
        let (pick, notice) = self.picker.pick(access, unit.media as f64 / 1e9, due, motion);
        self.notice(notice);
        if late {
            self.picker.lost();
            self.left_behind();
            return false;
        }
        match pick {
            Pick::NotNeeded => {
                if self.picker.key_only() {
                    // The next key picture needs nothing of the last, and a decoder at rest holds the picture that
                    // others would refer to, and its buffers: about twice its size for each camera.
                    self.decoder = None;
                }
                self.link.update(|state| state.spared += 1);
                return false;
            }
            Pick::NotDecodable if self.live.as_ref().is_some_and(|live| live.left_behind) => {
                self.left_behind();
                return false;
            }
            Pick::NotDecodable => {
                self.useless("no key picture has come that could be decoded", false);
                return false;
            }
            Pick::Decode | Pick::Restart => {}
        }
        match self.decode(&unit.data, pick == Pick::Restart, frame) {
            Ok(true) => {}
            Ok(false) => {
                self.link.update(|state| state.spared += 1);
                return false;
            }
            Err(e) => {
                if !access.disposable {
                    self.picker.lost();
                }
                self.useless(&e.to_string(), true);
                return false;
            }
        }
        if let Some(live) = &mut self.live {
            (live.useful, live.fault, live.left_behind) = (Instant::now(), None, false);
        }
        let (size, key_only, interval) =
            ((frame.width, frame.height), self.picker.key_only(), self.picker.key_interval_s());
        self.link.update(|state| {
            state.decoded += 1;
            (state.size, state.key_only, state.key_interval_s) = (Some(size), key_only, interval);
        });
        self.link.live(arrival);
        self.link.remark(None);
        match stamp.at {
            Some(at) if due && self.gate.admit(at) => {
                frame.captured = at;
                true
            }
            _ => false,
        }
    }

    fn codec(&self) -> Codec {
        self.live.as_ref().map_or(Codec::H264, |live| live.connection.codec)
    }

    fn decode(&mut self, unit: &[u8], restart: bool, frame: &mut Frame) -> Result<bool> {
        let codec = self.codec();
        let decoder = match &mut self.decoder {
            Some((known, decoder)) if *known == codec => decoder,
            // Parameter sets stand before each key picture, so there are none to be given beforehand.
            none => &mut none.insert((codec, decode::video(codec, LENGTH_SIZE, [])?)).1,
        };
        if restart {
            decoder.restart();
        }
        decoder.decode(unit, frame)
    }

    /// Whether a picture is left out because decoding has fallen behind.
    fn is_late(&mut self, late_s: f64, now: Instant, arrival: CaptureTime) -> bool {
        let Some(live) = &mut self.live else { return false };
        match live.late {
            None if late_s > LATE_S => {
                live.late = Some(now);
                tracing::debug!(camera = self.camera.id, "Decoding is {late_s:.1} s behind the camera.");
                true
            }
            None => false,
            Some(_) if late_s < CAUGHT_UP_S => {
                live.late = None;
                false
            }
            Some(since) if now - since > GIVE_IN => {
                live.late = None;
                self.timing.accept_delay(arrival);
                false
            }
            Some(_) => true,
        }
    }

    /// A picture was not decoded because there was no time for it.
    fn left_behind(&mut self) {
        self.link.update(|state| state.late += 1);
        if let Some(live) = &mut self.live {
            live.left_behind = true;
        }
    }

    /// A picture could not be used. Says so when that has been so for long.
    fn useless(&mut self, why: &str, broken: bool) {
        self.link.update(|state| state.broken += 1);
        self.remark_useless(why, broken);
    }

    fn remark_useless(&mut self, why: &str, broken: bool) {
        let Some(live) = &mut self.live else { return };
        if broken {
            tracing::debug!(camera = self.camera.id, "Skipped a picture: {why}.");
            live.fault = Some(why.to_owned());
        }
        let useless = live.useful.elapsed();
        if useless < USELESS {
            return;
        }
        let why = live.fault.as_deref().unwrap_or(why).to_owned();
        if live.useful == live.since {
            self.link.lost(self.steady.now(), format!("it sends, but nothing can be decoded: {why}"), None);
        } else {
            self.link.remark(Some(why));
        }
    }

    fn notice(&self, notice: Option<Notice>) {
        let camera = &self.camera.id;
        match notice {
            None => {}
            Some(Notice::KeyOnly(s)) => {
                info!(
                    camera,
                    "Key pictures, each {s:.1} s, are enough for its rules: the others are not decoded."
                );
            }
            Some(Notice::ForMotion) => info!(camera, "A rule needs movement: all pictures are decoded."),
            Some(Notice::KeysTooSeldom(_)) => warn!(
                camera,
                help = "set the camera's key frame (I-frame) interval to 1 to 4 s",
                "Key pictures come too seldom to do with them alone: all pictures are decoded."
            ),
        }
    }

    /// Notices whose clock counts, and steps of the wall clock.
    fn note_clock(&mut self) {
        self.steady.watch(&self.link);
        let Some((ahead_s, believed)) = self.timing.camera_clock() else { return };
        if self.camera_clock != Some(believed) {
            self.camera_clock = Some(believed);
            self.link.update(|state| state.camera_clock = believed);
            if believed {
                tracing::debug!(camera = self.camera.id, ahead_s, "Capture times are the camera's own.");
            } else {
                warn!(
                    camera = self.camera.id,
                    help = "set the camera's clock, or let it follow an NTP server",
                    "The camera's clock is {ahead_s:.0} s ahead of this box's: times of arrival are used."
                );
            }
        }
    }
}

impl Source for RtspSource {
    fn next(&mut self, frame: &mut Frame) -> Result<Next> {
        loop {
            if self.shutdown.is_requested() {
                return Ok(Next::End);
            }
            if self.live.is_none() {
                if self.connect() {
                    return Ok(Next::End);
                }
                continue;
            }
            match self.receive() {
                None => return Ok(Next::End),
                Some(Ok(Event::Unit(unit))) => {
                    if self.unit(unit, frame) {
                        return Ok(Next::Frame);
                    }
                }
                Some(Ok(Event::Report(media, wall))) => self.timing.report(media, wall),
                Some(Ok(Event::Damaged(what))) => {
                    self.picker.lost();
                    self.link.update(|state| state.damaged += 1);
                    self.remark_useless(&what, true);
                }
                Some(Err(trouble)) => self.end(trouble),
            }
        }
    }

    fn duration_s(&self) -> Option<f64> {
        None
    }

    fn skipped(&self) -> u64 {
        self.link.state().broken
    }

    fn is_live(&self) -> bool {
        true
    }
}

impl Drop for RtspSource {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            let inside = runtime.enter();
            self.live = None;
            drop(inside);
            // A look-up of a name may hang for long; nobody waits for it.
            runtime.shutdown_background();
        }
    }
}
