//! What the operator wrote. One TOML file, read strictly: an unknown key is an error that names its line.
//! [`crate::plan`] turns it into what it means; nothing else in the program reads these types.
//!
//! Paths are relative to the folder of the configuration file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::detect::Provider;
use crate::error::{Error, Kind, Result};
use crate::mqtt::command::Verb;
use crate::source::usb::PixelFormat;

/// A configuration with the text it was read from, kept so that later errors can point at a line.
#[derive(Debug)]
pub struct TomlFile<C> {
    /// Where it was read from.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub config: C,
}

/// The configuration of a box.
pub type ConfigFile = TomlFile<Config>;

impl<C: serde::de::DeserializeOwned> TomlFile<C> {
    /// Reads and parses `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] when the file cannot be read, is not TOML, or has an unknown, missing or mistyped key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error::new(Kind::Config, format!("cannot read the configuration {}", path.display()))
                .help(
                    "give the path of an existing TOML file with --config; the README has one to start from",
                )
                .caused_by(e)
        })?;
        Self::parse(path, text)
    }

    /// Parses `text` as if it had been read from `path`.
    ///
    /// # Errors
    /// As [`TomlFile::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self> {
        match toml::from_str::<C>(&text) {
            Ok(config) => Ok(Self { path: path.to_owned(), text, config }),
            Err(e) => {
                let span = e.span().unwrap_or(0..0);
                let line = line_of(&text, span.start);
                let message = e.message().lines().next().unwrap_or("not valid TOML").to_owned();
                Err(Error::new(Kind::Config, format!("{}, line {line}: {message}", path.display()))
                    .at(path, &text, span, message)
                    .help("`gridpatrol schema config` prints every key with its meaning and default"))
            }
        }
    }
}

impl<C> TomlFile<C> {
    /// An error that points at `span` of this file. `key` is the key at fault, such as `camera.zone.polygon`.
    pub fn fault(&self, key: &str, span: std::ops::Range<usize>, what: impl Into<String>) -> Error {
        let line = line_of(&self.text, span.start);
        let what = what.into();
        Error::new(Kind::Config, format!("{}, line {line}, {key}: {what}", self.path.display()))
            .at(&self.path, &self.text, span, what)
    }

    /// As [`TomlFile::fault`], but without showing the line: it holds a secret, and errors end up in logs.
    pub fn secret_fault(&self, key: &str, span: std::ops::Range<usize>, what: &str) -> Error {
        let line = line_of(&self.text, span.start);
        Error::new(Kind::Config, format!("{}, line {line}, {key}: {what}", self.path.display()))
    }

    /// `path` as the operator meant it: relative to the folder of this file.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// The number, from 1, of the line that byte `at` of `text` is on.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|&byte| byte == b'\n').count() + 1
}

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

/// One camera.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    /// Name of the camera in topics and messages: 1 to 32 of `0-9 A-Z a-z . _ -`.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// Where it stands, in words, as grid workers know it. Default: the id.
    pub name: Option<String>,
    /// What to watch. A live camera: `rtsp://host[:554]/path`; `usb:/dev/video0`, a USB or CSI camera;
    /// `http://host/picture.jpg` or `https://…`, a picture fetched for each look; `ffmpeg:` and whatever the ffmpeg
    /// program takes after `-i`. User name and password never stand in an address. A recording: the path of an H.264
    /// or H.265 MP4 file or a Motion JPEG AVI file, played at its own speed, or of a folder of JPEG or PNG pictures.
    #[schemars(with = "String")]
    pub source: Spanned<String>,
    /// The camera's main stream, `rtsp://host/path`, when `source` is a smaller one that is looked at. Pictures of
    /// cases about what stands are then taken from it, with the same user name and password. Both must show the same
    /// view. Default: pictures are of what was looked at.
    #[schemars(with = "Option<String>")]
    pub evidence_source: Option<Spanned<String>>,
    /// User name, if the camera wants one.
    pub username: Option<String>,
    /// File whose first line is the camera's password.
    #[schemars(with = "Option<PathBuf>")]
    pub password_file: Option<Spanned<PathBuf>>,
    /// Environment variable that holds the camera's password, in place of `password_file`.
    #[schemars(with = "Option<String>")]
    pub password_env: Option<Spanned<String>>,
    /// PEM file of the certificate authority, or of the certificate itself, that an `https` camera is trusted by.
    /// Default: the authorities that this system trusts.
    #[schemars(with = "Option<PathBuf>")]
    pub ca_file: Option<Spanned<PathBuf>>,
    /// Width in pixels that is asked of a USB camera. `gridpatrol cameras` lists what each can send. Default: the
    /// largest up to 1920x1080 that is fast enough.
    #[schemars(with = "Option<u32>")]
    pub width: Option<Spanned<u32>>,
    /// Height in pixels that is asked of a USB camera.
    #[schemars(with = "Option<u32>")]
    pub height: Option<Spanned<u32>>,
    /// Pictures a second taken from a `usb:` or `ffmpeg:` camera; one that sends more is thinned out. Default: two
    /// for each look.
    #[schemars(with = "Option<u32>")]
    pub fps: Option<Spanned<u32>>,
    /// How the pixels of a USB camera come. Default: raw where that is fast enough, else `mjpeg`.
    #[schemars(with = "Option<PixelFormat>")]
    pub format: Option<Spanned<PixelFormat>>,
    /// Arguments for the ffmpeg program that stand before `-i`, such as `["-hwaccel", "vaapi"]`; for `ffmpeg:`
    /// sources. They are seen by everybody on the box who lists processes.
    #[schemars(with = "Option<Vec<String>>")]
    pub ffmpeg: Option<Spanned<Vec<String>>>,
    /// Which pictures of a live camera are decoded. Default `auto`.
    #[serde(default)]
    pub decode: Decode,
    /// How many looks a second are taken. Default 5.
    #[schemars(with = "Option<f64>")]
    pub looks_per_second: Option<Spanned<f64>>,
    /// What part of the picture a look examines. Default `whole`.
    #[serde(default)]
    pub look_at: LookAt,
    /// What makes its view unusable.
    #[serde(default)]
    pub view: ViewConfig,
    /// How looks are saved while nothing happens.
    #[serde(default)]
    pub gate: GateConfig,
    /// The score map of this camera, in place of `model.scores`.
    #[schemars(with = "Option<PathBuf>")]
    pub scores: Option<Spanned<PathBuf>>,
    /// The ground before the camera, as `gridpatrol calibrate camera` writes it, e.g. `calibration/cam-05.toml`.
    /// Cases then carry their position, and with `edge.grids` the grid in which they stand.
    #[schemars(with = "Option<PathBuf>")]
    pub ground: Option<Spanned<PathBuf>>,
    /// Whether a conspicuous sign at this camera tells people that they are being filmed. Default:
    /// `privacy.sign_posted`.
    pub sign_posted: Option<bool>,
    /// Polygons of the picture that nobody may see, such as windows and courtyards: each at least three corners
    /// `[x, y]` in 0-1 picture coordinates. What lies in one is made grey before anything looks at the picture, and
    /// stays so in all pictures of cases.
    #[serde(default)]
    #[schemars(with = "Vec<Vec<[f32; 2]>>")]
    pub mask: Vec<Spanned<Vec<[f32; 2]>>>,
    /// What is watched for where.
    #[serde(default, rename = "zone")]
    pub zones: Vec<ZoneConfig>,
}

/// What makes a camera's view unusable. Looks at such a view count for nothing: no case opens or clears by them.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewConfig {
    /// Whether a black picture is looked for. Default true.
    pub dark: Option<bool>,
    /// Whether a covered lens is looked for. Default true.
    pub covered: Option<bool>,
    /// Whether a picture that comes again and again, sample for sample, is looked for. Default true; false for a
    /// folder of pictures, in which they may.
    pub frozen: Option<bool>,
    /// Whether a lens out of focus is looked for. Default true.
    pub blurred: Option<bool>,
    /// Whether a turned camera is looked for, by a reference picture that is taken anew when the zones change. Default
    /// true; false for a folder of pictures.
    pub moved: Option<bool>,
    /// Seconds, 1 to 3600, for which a fault must last before it is said; until then its looks count for nothing
    /// either. Default 5.
    #[schemars(with = "Option<f64>")]
    pub fault_s: Option<Spanned<f64>>,
    /// Seconds, 1 to 3600, without a sign of it after which a fault is over. Default 3.
    #[schemars(with = "Option<f64>")]
    pub recover_s: Option<Spanned<f64>>,
    /// Seconds, 5 to 3600, for which the same picture may come. Default 15; 60 for `http://` and `https://` pictures,
    /// which cameras renew when they please.
    #[schemars(with = "Option<f64>")]
    pub frozen_s: Option<Spanned<f64>>,
}

/// How looks are saved while nothing happens. A look is left out only when nothing moves in any zone, nothing new
/// stands there, and no rule waits for anything; one that is left out is not taken for an empty one.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Whether looks are saved. Default true.
    pub enabled: Option<bool>,
    /// Most seconds between two looks, 0.1 to 5, whatever goes on. Default 5, or the shortest dwell of the camera's
    /// rules where that is less.
    #[schemars(with = "Option<f64>")]
    pub look_interval_s: Option<Spanned<f64>>,
}

/// Which pictures of a live camera are decoded. Key pictures, which cameras send each second or few, cost a
/// fraction of all; they are enough to see what stays.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Decode {
    /// Key pictures while no rule in force needs movement and they come at least each 4 s, else all that looks
    /// need.
    #[default]
    Auto,
    /// Key pictures, however seldom they come.
    Key,
    /// All that looks need.
    All,
}

/// What part of the picture a look examines. The model sees a picture at the size of its input, in which far
/// things can be too small to be found; a crop around a zone is shown to it at up to the camera's own
/// resolution.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum LookAt {
    /// The whole picture: one inference a look.
    #[default]
    Whole,
    /// A crop around each zone, zones that lie together in one: as many inferences a look as there are crops.
    /// What is outside of the crops is not seen.
    Zones,
    /// The whole picture and the crops in turns. What only the crops can show is then seen on every other look.
    Alternate,
}

/// A polygon on a camera's picture.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    /// Name of the zone, unique on its camera: 1 to 32 of `0-9 A-Z a-z . _ -`.
    #[schemars(with = "String")]
    pub id: Spanned<String>,
    /// What kind of place it is, which brings its rules: `fire_lane`, `no_parking`, `blind_lane`, `green`,
    /// `public_area`, `gathering` …
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// ID of the grid that the zone belongs to. May be left out on a camera with `ground` where there is
    /// `edge.grids`; otherwise it holds for what stands in none of those.
    #[schemars(with = "Option<String>")]
    pub grid: Option<Spanned<String>>,
    /// At least three corners `[x, y]` in 0-1 picture coordinates; 0,0 is the top left.
    #[schemars(with = "Vec<[f32; 2]>")]
    pub polygon: Spanned<Vec<[f32; 2]>>,
    /// Changes to the rules of the zone's kind, or further rules, by kind of case.
    #[serde(default, rename = "rule")]
    #[schemars(with = "BTreeMap<String, RuleConfig>")]
    pub rules: BTreeMap<Spanned<String>, RuleConfig>,
}

/// What differs from the catalogue's defaults for one kind of case in one zone.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// Whether the rule is on. Default true.
    pub enabled: Option<bool>,
    /// Seconds that the condition must hold before a case opens.
    #[schemars(with = "Option<f64>")]
    pub dwell_s: Option<Spanned<f64>>,
    /// Seconds that the place must be seen empty before the case clears.
    #[schemars(with = "Option<f64>")]
    pub clear_s: Option<Spanned<f64>>,
    /// Seconds for which an object that has no case yet may be seen missing and still be the same, for rules about
    /// things that stand. Default: a few seconds, half a day for abandoned vehicles.
    #[schemars(with = "Option<f64>")]
    pub absence_s: Option<Spanned<f64>>,
    /// Labels of which one must be near for a third of the looks at least, e.g. `["person"]`. An empty list takes
    /// the default away.
    #[schemars(with = "Option<Vec<String>>")]
    pub with: Option<Spanned<Vec<String>>>,
    /// Labels of which none may be near for a third of the looks or more. An empty list takes the default away.
    #[schemars(with = "Option<Vec<String>>")]
    pub without: Option<Spanned<Vec<String>>>,
    /// How near that is, in heights of the taller box; for stalls, goods and rubbish also how near the parts of
    /// one case stand to each other.
    #[schemars(with = "Option<f32>")]
    pub near: Option<Spanned<f32>>,
    /// Seconds after a clear for which a new case in the same place is held back; 0 for none.
    #[schemars(with = "Option<f64>")]
    pub cool_down_s: Option<Spanned<f64>>,
    /// Least number of objects, for rules that count.
    #[schemars(with = "Option<u32>")]
    pub count: Option<Spanned<u32>>,
    /// Least detection score, 0-1.
    #[schemars(with = "Option<f32>")]
    pub score: Option<Spanned<f32>>,
    /// Least height of an object in the picture, 0-1. Default: none.
    #[schemars(with = "Option<f32>")]
    pub min_height: Option<Spanned<f32>>,
    /// Most height of an object in the picture, 0-1. Default: none.
    #[schemars(with = "Option<f32>")]
    pub max_height: Option<Spanned<f32>>,
    /// Least width of an object in metres at the line on which it stands, on a camera with `ground`. Default: none.
    #[schemars(with = "Option<f64>")]
    pub min_width_m: Option<Spanned<f64>>,
    /// Most width of an object in metres there. Default: none.
    #[schemars(with = "Option<f64>")]
    pub max_width_m: Option<Spanned<f64>>,
    /// When the rule is in force, as windows of `[days] [HH:MM-HH:MM]` on the street's clock: `mon-fri
    /// 07:00-09:00`, `sat,sun`, `workdays 08:00-18:00`, `holidays`, `22:00-06:00`. Default: always. Outside of
    /// them nothing opens; dwell counts from the beginning of a window; what is open clears as ever.
    #[schemars(with = "Option<Vec<String>>")]
    pub schedule: Option<Spanned<Vec<String>>>,
    /// Labels that the rule is about.
    #[schemars(with = "Option<Vec<String>>")]
    pub labels: Option<Spanned<Vec<String>>>,
}
