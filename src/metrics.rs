//! What a box counts, for `…/metrics` on the broker and `/metrics` on its page. Nothing is made up: what is not known
//! is `null` in the message and left out on the page.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::case::throttle::ThrottleStatus;
use crate::clock::{CaptureTime, Clock};
use crate::daemon::Progress;
use crate::error::Result;
use crate::evidence::clip::{self, Queue};
use crate::evidence::{Store, Swept};
use crate::health::{CameraHealth, HealthBoard, HealthState};
use crate::outbox::Outbox;
use crate::upload::{Count, Uploads};

/// A snapshot of what is counted. Totals count since the program started unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "gridpatrol metrics")]
pub struct Metrics {
    /// When it was taken, RFC 3339 in UTC.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Seconds since the program started.
    pub uptime_s: f64,
    /// Looks taken, all cameras together.
    pub looks: u64,
    /// Case events accepted.
    pub case_events: u64,
    /// Seconds since the capture of the latest look; `null` before the first.
    pub look_age_s: Option<f64>,
    /// Bytes of memory that the program has resident; `null` where the system does not say.
    pub memory_bytes: Option<u64>,
    /// What waits for the broker.
    pub outbox: OutboxMetrics,
    /// What is held back; `null` without a throttle.
    pub throttle: Option<ThrottleMetrics>,
    /// Pictures on the box; `null` where none are kept.
    #[serde(default)]
    pub evidence: Option<EvidenceMetrics>,
    /// Pictures for the store on the network; `null` where there is none.
    #[serde(default)]
    pub upload: Option<UploadMetrics>,
    /// Clips of cases; `null` where none are made.
    #[serde(default)]
    pub clips: Option<ClipMetrics>,
    /// The cameras.
    pub cameras: Vec<CameraMetrics>,
}

/// Clips of cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClipMetrics {
    /// Clips that were made and handed on.
    pub made: u64,
    /// Clips that were not made because they could not be redacted or coded.
    pub withheld: u64,
    /// Clips that were not made, or not handed on, for want of room or of time.
    pub lost: u64,
}

/// Pictures for the store on the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UploadMetrics {
    /// Pictures that wait.
    pub waiting: u64,
    /// Bytes that they take up.
    pub bytes: u64,
    /// Seconds for which the oldest of them waits; `null` when none does.
    pub oldest_age_s: Option<f64>,
    /// Of these, pictures that the store refused for good; they are offered again when the box next starts.
    pub set_aside: u64,
    /// Pictures that the store has taken.
    pub uploaded: u64,
    /// Pictures that were given up, for want of room or because their time was over.
    pub lost: u64,
    /// What keeps them from getting there; `null` when nothing does.
    pub trouble: Option<String>,
}

/// Pictures on the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceMetrics {
    /// Bytes that they take up.
    pub bytes: u64,
    /// Pictures that were deleted because their time was over.
    pub expired: u64,
    /// Pictures that were deleted to make room.
    pub crowded_out: u64,
    /// Pictures that should be gone and could not be deleted.
    pub undeleted: u64,
}

/// What waits for the broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutboxMetrics {
    /// Events that wait.
    pub events: u64,
    /// Pictures that wait.
    pub pictures: u64,
    /// Of both, those that nobody subscribes to.
    pub unheard: u64,
    /// Of both, those that the broker refused for good.
    pub set_aside: u64,
    /// Bytes that they take up.
    pub bytes: u64,
    /// Seconds since the oldest of them was written down; `null` when none waits.
    pub oldest_age_s: Option<f64>,
    /// Events that were given up for want of room, ever.
    pub lost_events: u64,
    /// Pictures that were given up for want of room, ever.
    pub lost_pictures: u64,
}

/// What is held back, and what reviewers said, ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThrottleMetrics {
    /// Cases that stand and were told.
    pub standing: u64,
    /// Cases that stand and are held back.
    pub held_back: u64,
    /// Places that a rejected verdict has made quiet.
    pub quiet_places: u64,
    /// Rules that a command has made quiet.
    pub quiet_rules: u64,
    /// Verdicts: confirmed.
    pub confirmed: u64,
    /// Verdicts: rejected.
    pub rejected: u64,
    /// Verdicts: duplicate.
    pub duplicate: u64,
    /// Verdicts: unclear.
    pub unclear: u64,
}

/// A camera.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CameraMetrics {
    /// Its id.
    pub camera: String,
    /// Whether pictures come.
    pub live: bool,
    /// What it is doing.
    pub state: HealthState,
    /// Looks taken.
    pub looks: u64,
    /// Looks left out because nothing called for them.
    pub looks_saved: u64,
    /// Of the looks taken, those at a view that could not be judged.
    pub looks_unusable: u64,
}

impl CameraMetrics {
    fn new(camera: &CameraHealth) -> Self {
        let state = camera.health().state;
        let away = [HealthState::Connecting, HealthState::Stalled, HealthState::Ended];
        Self {
            camera: camera.camera().to_owned(),
            live: !away.contains(&state),
            state,
            looks: camera.sights.looks(),
            looks_saved: camera.sights.saved(),
            looks_unusable: camera.sights.unusable(),
        }
    }
}

/// Where it is all counted.
pub struct Meter {
    /// What waits.
    pub outbox: Arc<Outbox>,
    /// How far the box is.
    pub progress: Arc<Progress>,
    /// What is held back, if there is a throttle.
    pub throttle: Option<watch::Receiver<ThrottleStatus>>,
    /// The cameras.
    pub board: HealthBoard,
    /// The folder of pictures, if there is one.
    pub store: Option<Store>,
    /// Pictures on their way to a store on the network, if there is one.
    pub uploads: Option<Uploads>,
    /// Clips that wait to be made, where there are any.
    pub clips: Option<Arc<Queue>>,
    /// The box's clock.
    pub clock: Arc<dyn Clock>,
    /// When the program started.
    pub started: CaptureTime,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").field("started", &self.started).finish_non_exhaustive()
    }
}

impl Meter {
    /// What is counted now. May wait for the disk.
    ///
    /// # Errors
    /// When the outbox cannot be read.
    pub fn read(&self) -> Result<Metrics> {
        let now = self.clock.now();
        let backlog = self.outbox.backlog()?;
        let age = |at: CaptureTime| now.seconds_since(at).max(0.0);
        Ok(Metrics {
            at: now.timestamp().to_string(),
            uptime_s: age(self.started),
            looks: self.progress.looks(),
            case_events: self.progress.cases(),
            look_age_s: self.progress.captured().map(age),
            memory_bytes: resident(),
            outbox: OutboxMetrics {
                events: backlog.events,
                pictures: backlog.pictures,
                unheard: backlog.unheard,
                set_aside: backlog.set_aside,
                bytes: backlog.bytes,
                oldest_age_s: backlog.oldest.map(age),
                lost_events: backlog.lost.events,
                lost_pictures: backlog.lost.pictures,
            },
            throttle: self.throttle.as_ref().map(|throttle| throttle_metrics(&throttle.borrow())),
            evidence: self.store.as_ref().map(|store| {
                let Swept { expired, crowded_out, undeleted, bytes } = store.swept();
                EvidenceMetrics { bytes, expired, crowded_out, undeleted }
            }),
            upload: self.uploads.as_ref().map(|uploads| {
                let Count { waiting, bytes, oldest, set_aside, uploaded, lost, trouble } = uploads.count();
                let age = |since: SystemTime| since.elapsed().unwrap_or_default().as_secs_f64();
                UploadMetrics {
                    waiting,
                    bytes,
                    oldest_age_s: oldest.map(age),
                    set_aside,
                    uploaded,
                    lost,
                    trouble,
                }
            }),
            clips: self.clips.as_ref().map(|queue| {
                let clip::Count { made, withheld, lost } = queue.count();
                ClipMetrics { made, withheld, lost }
            }),
            cameras: self.board.all().iter().map(|camera| CameraMetrics::new(camera)).collect(),
        })
    }
}

fn throttle_metrics(status: &ThrottleStatus) -> ThrottleMetrics {
    let verdicts = &status.verdicts;
    ThrottleMetrics {
        standing: status.standing as u64,
        held_back: status.held_back.len() as u64,
        quiet_places: status.quiet.len() as u64,
        quiet_rules: status.hushed.len() as u64,
        confirmed: verdicts.confirmed,
        rejected: verdicts.rejected,
        duplicate: verdicts.duplicate,
        unclear: verdicts.unclear,
    }
}

/// Bytes of memory that this process has resident, as Linux says.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(1024 * line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?)
}

impl Metrics {
    /// In the text format of Prometheus (version 0.0.4). What is not known has no line.
    pub fn prometheus(&self) -> String {
        let mut page = Page(String::new());
        let outbox = &self.outbox;
        page.one("uptime_seconds", "gauge", "Seconds since the program started.", Some(self.uptime_s));
        page.one("looks_total", "counter", "Looks taken.", Some(self.looks as f64));
        page.one("case_events_total", "counter", "Case events accepted.", Some(self.case_events as f64));
        page.one("look_age_seconds", "gauge", "Seconds since the latest look.", self.look_age_s);
        page.one("memory_bytes", "gauge", "Resident memory.", self.memory_bytes.map(|n| n as f64));
        let waiting = [("event", outbox.events as f64), ("picture", outbox.pictures as f64)];
        page.many("outbox_messages", "gauge", "Messages that wait for the broker.", "kind", &waiting);
        page.one("outbox_unheard", "gauge", "Of these, nobody subscribes to.", Some(outbox.unheard as f64));
        page.one("outbox_set_aside", "gauge", "Of these, refused for good.", Some(outbox.set_aside as f64));
        page.one("outbox_bytes", "gauge", "Bytes that wait.", Some(outbox.bytes as f64));
        page.one("outbox_oldest_age_seconds", "gauge", "Age of the oldest message.", outbox.oldest_age_s);
        let lost = [("event", outbox.lost_events as f64), ("picture", outbox.lost_pictures as f64)];
        page.many("outbox_lost_total", "counter", "Messages given up for want of room.", "kind", &lost);
        if let Some(throttle) = &self.throttle {
            page.one(
                "cases_standing",
                "gauge",
                "Cases that stand and were told.",
                Some(throttle.standing as f64),
            );
            page.one(
                "cases_held_back",
                "gauge",
                "Cases that are held back.",
                Some(throttle.held_back as f64),
            );
            page.one("quiet_places", "gauge", "Places made quiet.", Some(throttle.quiet_places as f64));
            page.one("quiet_rules", "gauge", "Rules made quiet.", Some(throttle.quiet_rules as f64));
            let verdicts = [
                ("confirmed", throttle.confirmed as f64),
                ("rejected", throttle.rejected as f64),
                ("duplicate", throttle.duplicate as f64),
                ("unclear", throttle.unclear as f64),
            ];
            page.many("verdicts_total", "counter", "Verdicts of reviewers.", "verdict", &verdicts);
        }
        if let Some(evidence) = &self.evidence {
            page.one("evidence_bytes", "gauge", "Bytes of pictures kept.", Some(evidence.bytes as f64));
            let deleted =
                [("expired", evidence.expired as f64), ("crowded_out", evidence.crowded_out as f64)];
            page.many("evidence_deleted_total", "counter", "Pictures deleted.", "why", &deleted);
            let undeleted = Some(evidence.undeleted as f64);
            page.one("evidence_undeleted", "gauge", "Pictures past their time, still there.", undeleted);
        }
        if let Some(upload) = &self.upload {
            page.one(
                "upload_waiting",
                "gauge",
                "Pictures for the store that wait.",
                Some(upload.waiting as f64),
            );
            page.one("upload_bytes", "gauge", "Bytes of these.", Some(upload.bytes as f64));
            page.one(
                "upload_oldest_age_seconds",
                "gauge",
                "Age of the oldest of these.",
                upload.oldest_age_s,
            );
            page.one(
                "upload_set_aside",
                "gauge",
                "Of these, refused for good.",
                Some(upload.set_aside as f64),
            );
            page.one(
                "uploaded_total",
                "counter",
                "Pictures that the store took.",
                Some(upload.uploaded as f64),
            );
            page.one("upload_lost_total", "counter", "Pictures given up.", Some(upload.lost as f64));
            let trouble = Some(f64::from(u8::from(upload.trouble.is_some())));
            page.one(
                "upload_trouble",
                "gauge",
                "Whether something keeps them; the status says what.",
                trouble,
            );
        }
        if let Some(clips) = &self.clips {
            let fates = [
                ("made", clips.made as f64),
                ("withheld", clips.withheld as f64),
                ("lost", clips.lost as f64),
            ];
            page.many("clips_total", "counter", "Clips of cases, by what became of them.", "fate", &fates);
        }
        let of = |value: fn(&CameraMetrics) -> f64| -> Vec<(&str, f64)> {
            self.cameras.iter().map(|one| (one.camera.as_str(), value(one))).collect()
        };
        if !self.cameras.is_empty() {
            let live = of(|one| f64::from(u8::from(one.live)));
            page.many("camera_live", "gauge", "Whether pictures come.", "camera", &live);
            let usable = of(|one| f64::from(u8::from(one.state == HealthState::Streaming)));
            page.many("camera_usable", "gauge", "Whether they can be judged.", "camera", &usable);
            let looks = of(|one| one.looks as f64);
            page.many("camera_looks_total", "counter", "Looks taken.", "camera", &looks);
            let saved = of(|one| one.looks_saved as f64);
            page.many("camera_looks_saved_total", "counter", "Looks nothing called for.", "camera", &saved);
            let unusable = of(|one| one.looks_unusable as f64);
            let help = "Looks at a view that could not be judged.";
            page.many("camera_looks_unusable_total", "counter", help, "camera", &unusable);
        }
        page.0
    }
}

/// A page in the making.
struct Page(String);

impl Page {
    fn one(&mut self, name: &str, of: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.head(name, of, help);
            // Writing to a string cannot fail.
            let _ = writeln!(self.0, "gridpatrol_{name} {value}");
        }
    }

    /// `label` has values that need no escaping: they are ids or our own words.
    fn many(&mut self, name: &str, of: &str, help: &str, label: &str, values: &[(&str, f64)]) {
        self.head(name, of, help);
        for (which, value) in values {
            let _ = writeln!(self.0, "gridpatrol_{name}{{{label}=\"{which}\"}} {value}");
        }
    }

    fn head(&mut self, name: &str, of: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP gridpatrol_{name} {help}\n# TYPE gridpatrol_{name} {of}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn meter() -> Meter {
        Meter {
            outbox: Arc::new(Outbox::in_memory().unwrap()),
            progress: Arc::default(),
            throttle: None,
            board: HealthBoard::default(),
            store: None,
            uploads: None,
            clips: None,
            clock: Arc::new(SystemClock),
            started: SystemClock.now(),
        }
    }

    #[test]
    fn what_is_not_known_is_null_and_has_no_line() {
        let metrics = meter().read().unwrap();
        let json = serde_json::to_value(&metrics).unwrap();
        for unknown in [&json["look_age_s"], &json["outbox"]["oldest_age_s"], &json["throttle"]] {
            assert!(unknown.is_null(), "{json}");
        }
        let page = metrics.prometheus();
        assert!(
            !page.contains("look_age") && !page.contains("oldest_age") && !page.contains("verdicts"),
            "{page}"
        );
        assert!(page.contains("gridpatrol_looks_total 0\n"), "{page}");
        assert!(page.contains("gridpatrol_outbox_messages{kind=\"event\"} 0\n"), "{page}");
    }

    #[test]
    fn every_line_of_the_page_is_one_that_prometheus_reads() {
        let metrics = Metrics { look_age_s: Some(0.25), ..meter().read().unwrap() };
        for line in metrics.prometheus().lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("gridpatrol_") && value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
