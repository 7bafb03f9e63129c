//! What the operator wrote. One TOML file, read strictly: an unknown key is an error that names its line.
//! [`crate::plan`] turns it into what it means; nothing else in the program reads these types.
//!
//! Paths are relative to the folder of the configuration file.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::detect::Provider;
use crate::mqtt::command::Verb;

mod camera;
mod toml_file;

pub use camera::{CameraConfig, Decode, GateConfig, LookAt, RuleConfig, ViewConfig, ZoneConfig};
pub use toml_file::TomlFile;

/// The configuration of a box.
pub type ConfigFile = TomlFile<Config>;

/// The whole configuration.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which box this is.
    pub edge: EdgeConfig,
    /// The detector.
    #[serde(default)]
    pub model: ModelConfig,
    /// The broker that cases are published to.
    #[serde(default)]
    pub mqtt: MqttConfig,
    /// How much is told, and how often.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Where state, the outbox and evidence are kept.
    #[serde(default)]
    pub storage: StorageConfig,
    /// What pictures may show.
    #[serde(default)]
    pub privacy: PrivacyConfig,
    /// What becomes of pictures.
    #[serde(default)]
    pub evidence: EvidenceConfig,
    /// The local status page.
    #[serde(default)]
    pub web: WebConfig,
    /// The cameras, at least one.
    #[serde(default, rename = "camera")]
    pub cameras: Vec<CameraConfig>,
}

/// Which box this is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// Code of the street or town the box belongs to, e.g. `410102007`. Part of every topic.
    #[schemars(with = "String")]
    pub street: Spanned<String>,
    /// Name of this box, unique in its street, e.g. `box-017`. Part of every topic and of the MQTT client id.
    #[schemars(with = "String")]
    #[serde(rename = "box")]
    pub box_id: Spanned<String>,
    /// Time zone of messages and captions, an IANA name. Default `Asia/Shanghai`.
    #[schemars(with = "Option<String>")]
    pub timezone: Option<Spanned<String>>,
    /// GeoJSON file with the grids of the street as polygons: a FeatureCollection of Polygon or MultiPolygon in
    /// WGS 84 or CGCS2000, each with its grid's ID in the property `grid_key`. The cases of a camera with `ground`
    /// then belong to the grid in which they stand.
    #[schemars(with = "Option<PathBuf>")]
    pub grids: Option<Spanned<PathBuf>>,
    /// The property that holds a grid's ID in `grids`. Default `grid`.
    pub grid_key: Option<String>,
    /// A catalogue of the site's own, which adds kinds of case or changes those that there are: a TOML file of
    /// the form of the built-in one, which `gridpatrol kinds --toml` prints.
    #[schemars(with = "Option<PathBuf>")]
    pub catalog: Option<Spanned<PathBuf>>,
    /// How strictly grid IDs are checked. Default `opaque`.
    #[serde(default)]
    pub grid_profile: GridProfile,
    /// Public holidays, `YYYY-MM-DD`, for rules whose schedule speaks of `workdays` or `holidays`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub holidays: Vec<Spanned<String>>,
    /// Saturdays and Sundays on which people work to make up for a holiday, `YYYY-MM-DD`.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub makeup_workdays: Vec<Spanned<String>>,
}

/// How strictly grid IDs are checked.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum GridProfile {
    /// 1 to 32 of `0-9 A-Z a-z . _ -`.
    #[default]
    Opaque,
    /// The 15-digit unit grid of GB/T 47678.3: county 6, street 3, community 3, sequence 3.
    #[serde(rename = "gb-t-47678.3")]
    GbT47678,
    /// The 20-digit community-service grid of CJ/T 349-2010.
    #[serde(rename = "cj-t-349")]
    CjT349,
}

/// The detector.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Folder of the model: `model.toml` and its ONNX file. Default `models/nanodet-g-416`, looked for beside
    /// the configuration, then in the working directory, then beside the program.
    #[schemars(with = "Option<PathBuf>")]
    pub path: Option<Spanned<PathBuf>>,
    /// The ONNX Runtime library. Default: the environment variable `ORT_DYLIB_PATH`, then where `make setup`
    /// puts it, then beside the program.
    #[schemars(with = "Option<PathBuf>")]
    pub runtime: Option<Spanned<PathBuf>>,
    /// The score map of this model, as `gridpatrol calibrate scores` writes it, e.g.
    /// `calibration/scores.toml`. Detection scores are then probabilities, and the thresholds that it
    /// recommends are the defaults of the rules. Default: scores as the model gives them.
    #[schemars(with = "Option<PathBuf>")]
    pub scores: Option<Spanned<PathBuf>>,
    /// Threads for one inference. Default 1, which serves several cameras best.
    #[schemars(with = "Option<u16>")]
    pub threads: Option<Spanned<u16>>,
    /// Execution providers, best first, e.g. `["openvino", "cpu"]`; the first that works is taken. Without `cpu`
    /// nothing falls back to the CPU. Default `["cpu"]`.
    #[schemars(with = "Option<Vec<Provider>>")]
    pub providers: Option<Spanned<Vec<Provider>>>,
    /// How many inferences run at a time, each with a session of its own. Default: one for each started pair of
    /// cameras, at most one less than there are cores, at least one.
    #[schemars(with = "Option<u16>")]
    pub workers: Option<Spanned<u16>>,
    /// Whether each worker keeps to a core of its own; needs `threads = 1`. Default false.
    #[schemars(with = "Option<bool>")]
    pub pin: Option<Spanned<bool>>,
}

/// The broker that cases are published to.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MqttConfig {
    /// `mqtt://host[:1883]` or `mqtts://host[:8883]`, without user name or password. Default
    /// `mqtt://127.0.0.1:1883`.
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// Version of MQTT: `auto`, `5` or `3.1.1`. `auto` speaks 5, and 3.1.1 to a broker that refuses 5. In 3.1.1 a
    /// broker cannot say that nobody took a case, so one may be taken for delivered that nobody has. Default `auto`.
    #[serde(default)]
    pub version: MqttVersion,
    /// User name, if the broker wants one.
    pub username: Option<String>,
    /// File whose first line is the password.
    #[schemars(with = "Option<PathBuf>")]
    pub password_file: Option<Spanned<PathBuf>>,
    /// PEM file of the certificate authority that signed the broker's certificate. Needed for `mqtts`.
    #[schemars(with = "Option<PathBuf>")]
    pub ca_file: Option<Spanned<PathBuf>>,
    /// PEM file of the box's own certificate (and those between it and its authority), for a broker that asks for one.
    #[schemars(with = "Option<PathBuf>")]
    pub client_cert_file: Option<Spanned<PathBuf>>,
    /// PEM file of the key of `client_cert_file`.
    #[schemars(with = "Option<PathBuf>")]
    pub client_key_file: Option<Spanned<PathBuf>>,
    /// Protocols that TLS offers (ALPN), e.g. `["mqtt"]`, for a broker that shares its port. Default none.
    #[serde(default)]
    pub alpn: Vec<String>,
    /// What may be asked of the box on `cmd/{verb}`. Default all but `snapshot`; `[]` for nothing.
    pub commands: Option<Vec<Verb>>,
    /// File whose first line is the key that commands must be signed with. Without it, whoever the broker lets
    /// publish on `cmd/#` may command.
    #[schemars(with = "Option<PathBuf>")]
    pub command_key_file: Option<Spanned<PathBuf>>,
}

/// Versions of MQTT that may be spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum MqttVersion {
    /// 5, and 3.1.1 to a broker that refuses 5.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    /// MQTT 5 only.
    #[serde(rename = "5")]
    V5,
    /// MQTT 3.1.1 only.
    #[serde(rename = "3.1.1")]
    V3,
}

/// How much is told, and how often. What is held back is never lost: the next message that fits says how many
/// cases and which, and a case that outlasts what held it back is told in full.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Least seconds between a message of a case and an update of it, which is sent only when there is news.
    /// Default 3600.
    #[schemars(with = "Option<f64>")]
    pub update_s: Option<Spanned<f64>>,
    /// Most cases of one kind in one grid that are told within an hour. Default 60.
    #[schemars(with = "Option<u32>")]
    pub cases_per_hour: Option<Spanned<u32>>,
    /// Most cases of one camera that are told within an hour. Default 120.
    #[schemars(with = "Option<u32>")]
    pub camera_cases_per_hour: Option<Spanned<u32>>,
    /// Seconds for which a rejected verdict quiets its place and kind. Each further one makes it four times as
    /// long. Default 3600.
    #[schemars(with = "Option<f64>")]
    pub quiet_s: Option<Spanned<f64>>,
    /// Longest such time in seconds. Default a week, 604800.
    #[schemars(with = "Option<f64>")]
    pub longest_quiet_s: Option<Spanned<f64>>,
    /// How far apart on the ground two cameras may place one and the same violation, in metres. Default 3; 0
    /// merges nothing.
    #[schemars(with = "Option<f64>")]
    pub same_violation_m: Option<Spanned<f64>>,
    /// Wanted share of true cases among those that are told, learnt from reviewers' verdicts: cases that are likely
    /// wrong are then held back and counted. Default 0.8; 0 learns nothing.
    #[schemars(with = "Option<f64>")]
    pub precision: Option<Spanned<f64>>,
    /// Least share of true cases that learning lets through, as far as is known, 0.5 to 1. Default 0.97.
    #[schemars(with = "Option<f64>")]
    pub recall: Option<Spanned<f64>>,
}

/// Where state, the outbox and evidence are kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StorageConfig {
    /// Folder for the database and the evidence pictures; made if missing. Default `gridpatrol-data`.
    pub dir: Option<PathBuf>,
    /// Most megabytes of messages that wait for the broker, 16 to 1000000. Default 1024. When it is reached, pictures
    /// are given up before events, those of cases that are over first, and the status says how many.
    #[schemars(with = "Option<u64>")]
    pub outbox_mb: Option<Spanned<u64>>,
    /// Most megabytes of evidence pictures on the box, 16 to 1000000; the oldest go first. Default 4096.
    #[schemars(with = "Option<u64>")]
    pub evidence_mb: Option<Spanned<u64>>,
    /// Days for which evidence pictures are kept on the box, 1 to 3650. Default 30.
    #[schemars(with = "Option<u64>")]
    pub evidence_days: Option<Spanned<u64>>,
    /// Days after which the pictures of a case that a reviewer has rejected are deleted, 1 to `evidence_days`. Default
    /// 7, or `evidence_days` if that is less.
    #[schemars(with = "Option<u64>")]
    pub rejected_days: Option<Spanned<u64>>,
}

/// What pictures may show.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Whether cases carry pictures, with heads, faces and plates hidden. Without them the models below are not
    /// needed, and each case says that it has no picture. Default true.
    pub pictures: Option<bool>,
    /// Whether a conspicuous sign at each camera tells people that they are being filmed, as the law asks of cameras
    /// in public places. Unless it is true here or on the camera, `check` and `run` warn. Default false.
    pub sign_posted: Option<bool>,
    /// Folder of the model that finds faces, with a label `face`. Default `models/faces-centerface`, looked for
    /// as `model.path` is.
    #[schemars(with = "Option<PathBuf>")]
    pub faces: Option<Spanned<PathBuf>>,
    /// Folder of the model that finds licence plates, with a label `plate`. Default `models/plates-retinaface`,
    /// looked for as `model.path` is.
    #[schemars(with = "Option<PathBuf>")]
    pub plates: Option<Spanned<PathBuf>>,
    /// Least score, 0-1, at which a face is hidden; lower hides more, and more that is no face. Default 0.2.
    #[schemars(with = "Option<f32>")]
    pub face_score: Option<Spanned<f32>>,
    /// Least score, 0-1, at which a plate is hidden. Default 0.2.
    #[schemars(with = "Option<f32>")]
    pub plate_score: Option<Spanned<f32>>,
}

/// What becomes of pictures.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// A store on the network that keeps pictures; events then carry their addresses. Default: pictures are messages
    /// to the broker.
    pub upload: Option<UploadConfig>,
    /// Whether each case that opens gets a clip: an MP4 of at most 960 x 540 with two pictures a second, from 7 s before
    /// to 3 s after, redacted as pictures are. A camera of which only key pictures are decoded gives as many as it has. A
    /// camera then holds up to 20 MB of memory for it, and a clip takes 15 to 20 CPU seconds of a low-priority
    /// thread.
    /// Default false.
    #[schemars(with = "Option<bool>")]
    pub clip: Option<Spanned<bool>>,
}

/// A store that pictures are put into over HTTP, as `{url}/{street}/{box}/{case}/{role}-{sha256}.jpg`. Events do not
/// wait for them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadConfig {
    /// `https://host[:port]/path`, or `http:` where nothing secret is sent. For S3 the path begins with the bucket.
    #[schemars(with = "String")]
    pub url: Spanned<String>,
    /// File whose first line is a token, sent as `Authorization: Bearer`.
    #[schemars(with = "Option<PathBuf>")]
    pub token_file: Option<Spanned<PathBuf>>,
    /// User name, sent with the password as `Authorization: Basic`.
    #[schemars(with = "Option<String>")]
    pub username: Option<Spanned<String>>,
    /// File whose first line is the password.
    #[schemars(with = "Option<PathBuf>")]
    pub password_file: Option<Spanned<PathBuf>>,
    /// Keys for S3, or a store that is compatible with it.
    pub s3: Option<S3Config>,
    /// PEM file of the certificate authority, or of the certificate itself, that the store is trusted by. Default: the
    /// authorities that this system trusts.
    #[schemars(with = "Option<PathBuf>")]
    pub ca_file: Option<Spanned<PathBuf>>,
}

/// Keys for S3. Requests are signed (AWS Signature Version 4), so the secret key is not sent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct S3Config {
    /// Region of the bucket, e.g. `cn-north-1`; `us-east-1` for most stores of other makes.
    #[schemars(with = "String")]
    pub region: Spanned<String>,
    /// The access key.
    #[schemars(with = "String")]
    pub access_key: Spanned<String>,
    /// File whose first line is the secret key.
    #[schemars(with = "PathBuf")]
    pub secret_key_file: Spanned<PathBuf>,
}

/// The local status page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebConfig {
    /// Address and port of the page, loopback only, e.g. `127.0.0.1:8642`. Default: no page.
    #[schemars(with = "Option<String>")]
    pub listen: Option<Spanned<String>>,
}
