//! What the configuration means: checked, immutable, no options left. Everything after this module trusts it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::calibrate::score_file::Scores;
use crate::case::catalog::{Catalog, Kind as CaseKind};
use crate::case::throttle::Limits;
use crate::clock::CaptureTime;
use crate::config::{Decode, GridProfile, LookAt, MqttVersion};
use crate::detect::{Provider, Setup};
use crate::evidence::Retention;
use crate::gate::GatePlan;
use crate::health::ViewPlan;
use crate::mqtt::command::Verb;
use crate::place::{Polygon, Site};
use crate::rule::{Schedule, SizeLimits};
use crate::source::usb::UsbCamera;
use crate::source::{FfmpegCamera, Mask, SnapshotCamera};
use crate::upload::UploadPlan;

mod banned;
pub(crate) mod broker;
mod build;
mod camera;
mod current;
pub(crate) mod ground;
mod labels;
mod limits;
mod live;
mod mask;
mod model;
mod privacy;
mod rule;
mod size;
mod storage;
mod upload;
mod view;

pub use current::{Changes, CurrentPlan};

/// What the box is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Street code, the third level of every topic.
    pub street: String,
    /// Box name, the fourth level of every topic.
    pub box_id: String,
    /// How grid IDs are built, for messages.
    pub grid_profile: GridProfile,
    /// Time zone of messages and captions.
    pub zone: TimeZone,
    /// Folder of the detector's `model.toml`.
    pub model: PathBuf,
    /// The ONNX Runtime library, where the configuration names one.
    pub runtime: Option<PathBuf>,
    /// Threads for one inference.
    pub threads: u16,
    /// Execution providers, best first; at least one.
    pub providers: Vec<Provider>,
    /// Workers, each with a detector of its own; at least one.
    pub workers: usize,
    /// Whether each worker keeps to a core of its own.
    pub pin: bool,
    /// How pictures are redacted; `None` when none are taken.
    pub redaction: Option<RedactionPlan>,
    /// The bounds of the throttle.
    pub limits: Limits,
    /// The broker.
    pub broker: BrokerPlan,
    /// Folder of database and evidence.
    pub storage: PathBuf,
    /// Most bytes of messages that wait for the broker.
    pub outbox_bytes: u64,
    /// How much evidence is kept on the box, and for how long.
    pub retention: Retention,
    /// Where pictures are uploaded; `None` sends them as messages.
    pub upload: Option<UploadPlan>,
    /// Address of the status page, if there is one; always loopback.
    pub web: Option<SocketAddr>,
    /// The cameras, in the order of the configuration.
    pub cameras: Vec<CameraPlan>,
}

/// The models that find what pictures must not show.
#[derive(Clone, Debug, PartialEq)]
pub struct RedactionPlan {
    /// Folder of the face model's `model.toml`.
    pub faces: PathBuf,
    /// Folder of the plate model's `model.toml`.
    pub plates: PathBuf,
    /// Least score of a face, 0-1.
    pub face_score: f32,
    /// Least score of a plate, 0-1.
    pub plate_score: f32,
}

/// How to reach the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerPlan {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Which version of MQTT is spoken.
    pub version: MqttVersion,
    /// The certificate authority to trust; `None` for a connection without TLS.
    pub tls_ca: Option<PathBuf>,
    /// User name and the file that holds the password.
    pub login: Option<(String, PathBuf)>,
    /// The box's own certificate and its key, for a broker that asks for one.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Protocols that TLS offers (ALPN), for a broker that shares its port with others.
    pub alpn: Vec<String>,
    /// What may be asked of the box.
    pub commands: Vec<Verb>,
    /// The file of the key that commands are signed with; `None` takes unsigned ones.
    pub command_key: Option<PathBuf>,
}

impl BrokerPlan {
    /// The broker at `host` and `port`, without TLS and login.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            version: MqttVersion::Auto,
            tls_ca: None,
            login: None,
            client: None,
            alpn: Vec::new(),
            commands: Verb::USUAL.to_vec(),
            command_key: None,
        }
    }
}

/// One camera.
#[derive(Clone, Debug, PartialEq)]
pub struct CameraPlan {
    /// Its id.
    pub id: String,
    /// Where it stands, in words.
    pub name: String,
    /// What it watches.
    pub input: Input,
    /// The main stream, which pictures of what stands are taken from; `None` takes them from what was looked at.
    pub evidence_input: Option<LivePlan>,
    /// Least seconds of capture time between two looks.
    pub look_interval_s: f64,
    /// The kinds of case, and which labels count as one class group.
    pub catalog: Arc<Catalog>,
    /// Which pictures of a live camera are decoded.
    pub decode: Decode,
    /// What part of the picture a look examines.
    pub look_at: LookAt,
    /// What makes its view unusable.
    pub view: ViewPlan,
    /// How its looks are saved while nothing happens.
    pub gate: GatePlan,
    /// What its detector's scores are worth; `None` takes them as they are.
    pub scores: Option<Scores>,
    /// Whether a sign tells people that they are being filmed.
    pub sign_posted: bool,
    /// Whether its cases get a clip; never without pictures.
    pub clip: bool,
    /// What of its picture nobody may see, not even the detector.
    pub masks: Arc<[Polygon]>,
    /// All rules of all its zones.
    pub rules: Vec<RulePlan>,
}

/// What a camera watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A live camera.
    Live(LiveInput),
    /// An H.264 or H.265 MP4 file, or a Motion JPEG AVI file.
    Video(PathBuf),
    /// A folder of JPEG or PNG pictures.
    Pictures(PathBuf),
    /// A JSONL file of detections, one look a line.
    Detections(PathBuf),
}

/// A live camera, by how its pictures are had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveInput {
    /// A stream over RTSP.
    Rtsp(LivePlan),
    /// A camera on this box.
    Usb(UsbCamera),
    /// Whatever the ffmpeg program can read.
    Ffmpeg(FfmpegCamera),
    /// Single pictures over HTTP.
    Snapshots(SnapshotCamera),
}

/// How to reach a camera on the network. Knows where a password lies and never what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivePlan {
    /// `rtsp://host[:port]/path`, without credentials.
    pub url: String,
    /// User name, and where its password lies.
    pub login: Option<(String, Secret)>,
}

/// Where a secret lies. It is read when it is needed, so that it can be changed while the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
}

/// One rule in one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct RulePlan {
    /// The zone's name.
    pub zone: String,
    /// How its cases get their grid and position.
    pub site: Site,
    /// Where it looks.
    pub polygon: Polygon,
    /// What kind of case it opens.
    pub kind: Arc<CaseKind>,
    /// The labels it is about.
    pub labels: Vec<String>,
    /// Whether the configuration writes them; otherwise they are the catalogue's.
    pub labels_are_given: bool,
    /// Whether the configuration names the rule; otherwise its zone's kind brings it.
    pub is_named: bool,
    /// Least score of a detection.
    pub score: f32,
    /// How large its objects are.
    pub size: SizeLimits,
    /// Seconds that the condition must hold before a case opens.
    pub dwell_s: f64,
    /// Seconds that the place must be seen empty before the case clears.
    pub clear_s: f64,
    /// Seconds for which an object without a case may be seen missing and still be the same; `None` for as long as
    /// it takes to believe that it has gone.
    pub absence_s: Option<f64>,
    /// Seconds after a clear for which a new case in the same place is held back.
    pub cool_down_s: f64,
    /// What is judged.
    pub condition: Condition,
    /// What must be near, or must not be.
    pub company: Vec<CompanyPlan>,
    /// When it is in force; `None` for always.
    pub schedule: Option<Schedule>,
}

/// What a rule judges on each look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Each place in the zone: is one still object standing there?
    Standing,
    /// The zone as a whole: are at least so many objects in it?
    Count(u32),
    /// The zone as a whole: is anything in it, moving or not?
    Presence,
    /// Each object in the zone: does it stay there, moving or not?
    Loitering,
    /// Still objects that stand together: are there at least so many?
    Cluster {
        /// Least number of objects.
        count: u32,
        /// How near to each other they stand, in heights of the taller box; `None` for the whole zone.
        near: Option<f32>,
    },
}

/// Something that must be near an object, or must not be.
#[derive(Clone, Debug, PartialEq)]
pub struct CompanyPlan {
    /// Labels of such things.
    pub labels: Vec<String>,
    /// How near, in heights of the taller box.
    pub near: f32,
    /// Whether it must be there; otherwise it must not.
    pub wanted: bool,
}

impl RulePlan {
    /// Whether it judges how things move, so that looks must follow each other closely. Rules about what stays do
    /// with a look each few seconds.
    pub fn needs_motion(&self) -> bool {
        match self.condition {
            Condition::Standing | Condition::Count(_) | Condition::Cluster { .. } => false,
            Condition::Presence | Condition::Loitering => true,
        }
    }
}

impl LiveInput {
    /// User name and where the password lies, of a camera that wants them.
    pub fn login(&self) -> Option<&(String, Secret)> {
        match self {
            Self::Rtsp(live) => live.login.as_ref(),
            Self::Ffmpeg(ffmpeg) => ffmpeg.login.as_ref(),
            Self::Snapshots(snapshots) => snapshots.login.as_ref(),
            Self::Usb(_) => None,
        }
    }
}

/// Its address; no secret is in it.
impl std::fmt::Display for LiveInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rtsp(live) => f.write_str(&live.url),
            Self::Usb(usb) => write!(f, "usb:{}", usb.device.display()),
            Self::Ffmpeg(ffmpeg) => write!(f, "ffmpeg:{}", ffmpeg.address),
            Self::Snapshots(snapshots) => f.write_str(&snapshots.url),
        }
    }
}

impl CameraPlan {
    /// Hides what nobody may see.
    pub fn mask(&self) -> Mask {
        Mask::new(self.masks.clone())
    }

    /// Whether any rule that is in force at `at` needs movement.
    pub fn needs_motion(&self, at: CaptureTime) -> bool {
        let in_force = |rule: &RulePlan| {
            rule.schedule.as_ref().is_none_or(|schedule| schedule.in_force_since(at).is_some())
        };
        self.rules.iter().any(|rule| rule.needs_motion() && in_force(rule))
    }
}

impl Plan {
    /// What pictures may take up in the evidence folder. Where they are uploaded too, half of their room is for those
    /// that wait for that.
    pub fn evidence_limit(&self) -> Retention {
        let bytes = self.retention.bytes - self.upload.as_ref().map_or(0, |_| self.upload_bytes());
        Retention { bytes, ..self.retention }
    }

    /// Most bytes of pictures that wait for a store.
    pub fn upload_bytes(&self) -> u64 {
        self.retention.bytes / 2
    }

    /// What the law asks for and the configuration does not say: ids of cameras of which it does not say that a sign
    /// tells people that they are being filmed. `None` when it says so of all.
    pub fn unsigned(&self) -> Option<String> {
        let without: Vec<&str> = self
            .cameras
            .iter()
            .filter(|camera| !camera.sign_posted)
            .map(|camera| camera.id.as_str())
            .collect();
        (!without.is_empty()).then(|| {
            format!(
                "公共场所的摄像机须设置显著的提示标识 (a camera in a public place needs a conspicuous sign): {}. 依据\
                 《个人信息保护法》第二十六条、《公共安全视频图像信息系统管理条例》(国务院令第799号) (Personal Information \
                 Protection Law, article 26; State Council Decree 799). Set privacy.sign_posted = true, or sign_posted on \
                 the camera, once the sign stands",
                without.join(", ")
            )
        })
    }

    /// The CloudEvents `source` of this box.
    pub fn source(&self) -> String {
        format!("/patrol/{}/{}", self.street, self.box_id)
    }

    /// How a session of the model is to be run.
    pub fn setup(&self) -> Setup {
        Setup { library: self.runtime.clone(), providers: self.providers.clone(), threads: self.threads }
    }

    /// The camera called `id`.
    pub fn camera(&self, id: &str) -> Option<&CameraPlan> {
        self.cameras.iter().find(|camera| camera.id == id)
    }
}
