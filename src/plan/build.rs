//! From [`Config`](crate::config::Config) to [`Plan`]: every check of the configuration that does not need the
//! model's weights.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use toml::Spanned;

use super::{
    CameraPlan, Input, Plan, broker, camera, ground, limits, live, mask, model, privacy, rule, storage,
    upload, view,
};
use crate::calibrate::score_file::Scores;
use crate::case::catalog::{CATALOG, Catalog};
use crate::config::{CameraConfig, ConfigFile, TomlFile};
use crate::error::{Error, Kind, Result};
use crate::place::{Grids, is_slug};
use crate::rule::Calendar;

/// Looks a second where the camera does not say.
const LOOKS_PER_SECOND: f64 = 5.0;
/// Folder of the model where the configuration does not say.
const DEFAULT_MODEL: &str = "models/nanodet-g-416";

impl Plan {
    /// Checks `file` and works out what it means. Reads no other files than the configuration, its score maps,
    /// grids and grounds, but looks whether those that it names are there.
    ///
    /// # Errors
    /// [`Kind::Config`] with the line and key at fault.
    pub fn new(file: &ConfigFile) -> Result<Self> {
        Self::build(file, None)
    }

    /// The plan of the one camera `id`, watching `input` in place of what `file` names. The camera's own source
    /// need not be there, nor, for a file of detections, the model.
    ///
    /// # Errors
    /// As [`Plan::new`]; [`Kind::Usage`] when there is no such camera.
    pub fn for_replay(file: &ConfigFile, id: &str, input: Input) -> Result<Self> {
        let known: Vec<&str> =
            file.config.cameras.iter().map(|camera| camera.id.get_ref().as_str()).collect();
        if !known.contains(&id) {
            return Err(Error::new(Kind::Usage, format!("{} has no camera `{id}`", file.path.display()))
                .help(format!("give one of its cameras with --camera: {}", known.join(", "))));
        }
        let mut plan = Self::build(file, Some(&input))?;
        plan.cameras.retain(|camera| camera.id == id);
        Ok(plan)
    }

    /// The kinds of case of `file`: the built-in ones, with the site's own on top.
    ///
    /// # Errors
    /// [`Kind::Config`] with file, line and key at fault.
    pub fn catalog(file: &ConfigFile) -> Result<Arc<Catalog>> {
        let Some(path) = &file.config.edge.catalog else { return Ok(Arc::clone(&CATALOG)) };
        let found = existing(file, "edge.catalog", path)?;
        Catalog::clone(&CATALOG).extended_by(&found).map(Arc::new)
    }

    /// Builds a plan; `replay` takes the place of every camera's source.
    fn build(file: &ConfigFile, replay: Option<&Input>) -> Result<Self> {
        let edge = &file.config.edge;
        let zone = match &edge.timezone {
            None => TimeZone::get("Asia/Shanghai").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(8))),
            Some(name) => TimeZone::get(name.get_ref()).map_err(|e| {
                file.fault("edge.timezone", name.span(), format!("`{}` is not a time zone", name.get_ref()))
                    .help("use an IANA name such as \"Asia/Shanghai\"")
                    .caused_by(e)
            })?,
        };
        if file.config.cameras.is_empty() {
            return Err(file.fault("camera", 0..0, "there is no camera: expected at least one [[camera]]"));
        }
        let calendar = (calendar(file)?, zone.clone());
        let catalog = Self::catalog(file)?;
        let grids = ground::grids(file)?;
        let mut cameras: Vec<CameraPlan> = Vec::new();
        for camera in &file.config.cameras {
            let plan = camera_plan(file, camera, replay, &catalog, &calendar, grids.as_ref())?;
            if cameras.iter().any(|known| known.id == plan.id) {
                return Err(file.fault(
                    "camera.id",
                    camera.id.span(),
                    format!("the camera id `{}` is used twice: expected a name of its own", plan.id),
                ));
            }
            cameras.push(plan);
        }
        // A file of detections has nothing to look at, so it needs no models.
        let with_pictures = !matches!(replay, Some(Input::Detections(_)));
        let folder = file.config.storage.dir.as_deref().unwrap_or(Path::new("gridpatrol-data"));
        let street = slug(file, "edge.street", &edge.street)?;
        let box_id = slug(file, "edge.box", &edge.box_id)?;
        Ok(Self {
            upload: upload::plan(file, (&street, &box_id))?,
            street,
            box_id,
            grid_profile: edge.grid_profile,
            zone,
            model: detector(file, with_pictures)?,
            runtime: runtime(file)?,
            threads: model::threads(file)?,
            providers: model::providers(file)?,
            workers: model::workers(file, cameras.len())?,
            pin: model::pin(file)?,
            redaction: if with_pictures { privacy::redaction(file)? } else { None },
            limits: limits::plan(file)?,
            broker: broker::plan(file, &file.config.mqtt)?,
            storage: file.resolve(folder),
            outbox_bytes: storage::outbox_bytes(file)?,
            retention: storage::retention(file)?,
            web: web(file)?,
            cameras,
        })
    }
}

/// `value` if it can stand in a topic and a file name.
pub(super) fn slug(file: &ConfigFile, key: &str, value: &Spanned<String>) -> Result<String> {
    if is_slug(value.get_ref()) {
        Ok(value.get_ref().clone())
    } else {
        Err(file.fault(
            key,
            value.span(),
            format!("`{}` is not a name: expected 1 to 32 characters of 0-9 A-Z a-z . _ -", value.get_ref()),
        ))
    }
}

/// The file at `path`, which must be there.
pub(super) fn existing<C>(file: &TomlFile<C>, key: &str, path: &Spanned<PathBuf>) -> Result<PathBuf> {
    let found = file.resolve(path.get_ref());
    if found.is_file() {
        Ok(found)
    } else {
        Err(file.fault(key, path.span(), format!("there is no file {}", found.display())))
    }
}

/// The folder of the detector, which must be there if it is `wanted`.
pub(super) fn detector(file: &ConfigFile, wanted: bool) -> Result<PathBuf> {
    match model_folder(file, "model.path", file.config.model.path.as_ref(), DEFAULT_MODEL) {
        Err(_) if !wanted => Ok(PathBuf::from(DEFAULT_MODEL)),
        Err(e) => {
            Err(e.help("set model.path to a folder with a model.toml; `gridpatrol models verify` checks one"))
        }
        found => found,
    }
}

/// The folder of a model: `given` by `key`, or else the `usual` one beside the configuration, in the working
/// directory or beside the program.
pub(super) fn model_folder(
    file: &ConfigFile,
    key: &str,
    given: Option<&Spanned<PathBuf>>,
    usual: &str,
) -> Result<PathBuf> {
    let candidates: Vec<PathBuf> = match given {
        Some(path) => vec![file.resolve(path.get_ref())],
        None => {
            let program = std::env::current_exe().ok();
            let beside = program.as_deref().and_then(Path::parent).map(|folder| folder.join(usual));
            [Some(file.resolve(Path::new(usual))), Some(PathBuf::from(usual)), beside]
                .into_iter()
                .flatten()
                .collect()
        }
    };
    if let Some(found) = candidates.iter().find(|folder| folder.join("model.toml").is_file()) {
        return Ok(found.clone());
    }
    let tried: Vec<String> = candidates.iter().map(|c| c.join("model.toml").display().to_string()).collect();
    let what = format!("there is no model: expected the file {}", tried.join(" or "));
    Err(file.fault(key, given.map_or(0..0, Spanned::span), what))
}

pub(super) fn runtime(file: &ConfigFile) -> Result<Option<PathBuf>> {
    let Some(path) = &file.config.model.runtime else { return Ok(None) };
    let found = existing(file, "model.runtime", path)
        .map_err(|e| e.help("run `make setup`, which fetches libonnxruntime.so, and leave the key out"))?;
    Ok(Some(found))
}

fn web(file: &ConfigFile) -> Result<Option<SocketAddr>> {
    let Some(listen) = &file.config.web.listen else { return Ok(None) };
    let fault = |what: String| file.fault("web.listen", listen.span(), what);
    let address: SocketAddr = listen.get_ref().parse().map_err(|_| {
        fault(format!("`{}`: expected address:port such as 127.0.0.1:8642", listen.get_ref()))
    })?;
    if !address.ip().is_loopback() {
        return Err(fault(format!("{address} can be reached from outside: expected a loopback address"))
            .help("the page has no log-in; listen on 127.0.0.1 and put an authenticating proxy in front"));
    }
    Ok(Some(address))
}

/// Days off and made-up workdays as the configuration lists them.
fn calendar(file: &ConfigFile) -> Result<Calendar> {
    let days = |key: &str, list: &[Spanned<String>]| {
        let day = |text: &Spanned<String>| {
            text.get_ref().parse().map_err(|_| {
                let what = format!("`{}` is not a day: expected YYYY-MM-DD", text.get_ref());
                file.fault(key, text.span(), what)
            })
        };
        list.iter().map(day).collect::<Result<Vec<_>>>()
    };
    let edge = &file.config.edge;
    Ok(Calendar {
        holidays: days("edge.holidays", &edge.holidays)?,
        workdays: days("edge.makeup_workdays", &edge.makeup_workdays)?,
    })
}

fn camera_plan(
    file: &ConfigFile,
    camera: &CameraConfig,
    replay: Option<&Input>,
    catalog: &Arc<Catalog>,
    calendar: &(Calendar, TimeZone),
    grids: Option<&Grids>,
) -> Result<CameraPlan> {
    let id = slug(file, "camera.id", &camera.id)?;
    let looks_per_second = looks_per_second(file, camera)?;
    if camera.zones.is_empty() {
        let what = format!("camera `{id}` has no zone: expected at least one [[camera.zone]]");
        return Err(file.fault("camera.zone", camera.id.span(), what));
    }
    let scores = scores(file, camera, replay)?;
    let terrain = ground::terrain(file, camera, grids)?;
    let mut rules = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for zone in &camera.zones {
        if names.contains(&zone.id.get_ref().as_str()) {
            let what = format!("the zone id `{}` is used twice on camera `{id}`", zone.id.get_ref());
            return Err(file.fault("camera.zone.id", zone.id.span(), what));
        }
        names.push(zone.id.get_ref());
        rules.extend(rule::plans(file, zone, catalog, calendar, scores.as_ref(), terrain.as_ref())?);
    }
    let (input, evidence_input) = match replay {
        Some(input) => (input.clone(), None),
        None => {
            let input = input(file, camera)?;
            let evidence = live::evidence(file, camera, &input)?;
            (input, evidence)
        }
    };
    let masks = mask::masks(file, camera, &rules)?;
    Ok(CameraPlan {
        masks,
        clip: clip(file, camera)?,
        sign_posted: camera.sign_posted.or(file.config.privacy.sign_posted).unwrap_or(false),
        name: camera.name.clone().unwrap_or_else(|| id.clone()),
        view: view::view(file, camera, &input)?,
        gate: view::gate(file, camera, &rules)?,
        input,
        evidence_input,
        look_interval_s: 1.0 / looks_per_second,
        catalog: Arc::clone(catalog),
        decode: camera.decode,
        look_at: camera.look_at,
        scores,
        rules,
        id,
    })
}

/// Whether the cases of `camera` get a clip.
fn clip(file: &ConfigFile, camera: &CameraConfig) -> Result<bool> {
    let (key, wanted) = match (&camera.clip, &file.config.evidence.clip) {
        (Some(own), _) => ("camera.clip", own),
        (None, Some(all)) => ("evidence.clip", all),
        (None, None) => return Ok(false),
    };
    if *wanted.get_ref() && file.config.privacy.pictures == Some(false) {
        let what = "there is no clip without pictures: privacy.pictures is false";
        return Err(file.fault(key, wanted.span(), what).help("leave one of the two out"));
    }
    Ok(*wanted.get_ref())
}

/// How many looks a second `camera` is to get.
fn looks_per_second(file: &ConfigFile, camera: &CameraConfig) -> Result<f64> {
    Ok(match &camera.looks_per_second {
        None => LOOKS_PER_SECOND,
        Some(given) if (0.01..=60.0).contains(given.get_ref()) => *given.get_ref(),
        Some(given) => {
            let what = format!("{} looks a second: expected 0.01 to 60", given.get_ref());
            return Err(file.fault("camera.looks_per_second", given.span(), what));
        }
    })
}

/// The score map of `camera`: its own, or the model's. A file of detections has none: nobody says which model
/// they are from.
fn scores(file: &ConfigFile, camera: &CameraConfig, replay: Option<&Input>) -> Result<Option<Scores>> {
    if matches!(replay, Some(Input::Detections(_))) {
        return Ok(None);
    }
    let (key, path) = match (&camera.scores, &file.config.model.scores) {
        (Some(path), _) => ("camera.scores", path),
        (None, Some(path)) => ("model.scores", path),
        (None, None) => return Ok(None),
    };
    let found = existing(file, key, path)
        .map_err(|e| e.help("make it with `gridpatrol calibrate scores`, or leave the key out"))?;
    Scores::read(&found).map(Some)
}

pub(super) fn input(file: &ConfigFile, camera: &CameraConfig) -> Result<Input> {
    let source = &camera.source;
    let text = source.get_ref();
    if let Some(live) = camera::live(file, camera, looks_per_second(file, camera)?)? {
        return Ok(Input::Live(live));
    }
    live::no_login(file, camera)?;
    let help = "give rtsp://host/path, usb:/dev/video0, http://host/picture.jpg, ffmpeg:ADDRESS, or the path of an \
                .mp4 or .avi file or of a folder of JPEG or PNG pictures";
    let path = file.resolve(Path::new(text));
    match Input::at(&path) {
        Some(input @ (Input::Video(_) | Input::Pictures(_))) => Ok(input),
        Some(Input::Live(_) | Input::Detections(_)) => Err(file
            .fault("camera.source", source.span(), "a file of detections cannot be watched live")
            .help("play it with `gridpatrol replay --input`")),
        None => {
            let what =
                format!("{} is not there, or is neither an .mp4 or .avi file nor a folder", path.display());
            Err(file.fault("camera.source", source.span(), what).help(help))
        }
    }
}

impl Input {
    /// What kind of input lies at `path`: a folder, or a file known by its extension. `None` when nothing
    /// usable is there.
    pub fn at(path: &Path) -> Option<Self> {
        if path.is_dir() {
            return Some(Self::Pictures(path.to_owned()));
        }
        if !path.is_file() {
            return None;
        }
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "mp4" | "m4v" | "mov" | "avi" => Some(Self::Video(path.to_owned())),
            "jsonl" => Some(Self::Detections(path.to_owned())),
            _ => None,
        }
    }
}
