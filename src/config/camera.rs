//! What the operator wrote of one camera: where its pictures come from, how they are looked at, and the zones with
//! what differs from their kind's rules.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::source::usb::PixelFormat;

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
    /// Whether its cases get a clip. Default: `evidence.clip`.
    #[schemars(with = "Option<bool>")]
    pub clip: Option<Spanned<bool>>,
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
