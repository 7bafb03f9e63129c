//! What the configuration means: checked, and without anything left open.

mod evidence;

use std::collections::{BTreeMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub(super) use self::evidence::picture_url;
pub use self::evidence::{EvidencePlan, StoreHost};
use super::config::{ClassConfig, DeskConfig, DeskMqttConfig};
use super::life::Millis;
use crate::case::catalog::CATALOG;
use crate::config::{GridProfile, MqttConfig, TomlFile};
use crate::error::{Error, Kind, Result};
use crate::place::GridId;
use crate::plan::{BrokerPlan, broker};

/// The classes built into the program.
const CLASSES: &str = include_str!("classes.toml");
/// Kind of a report that fits no other.
pub const OTHER: &str = "other";

/// A desk, ready to be started.
#[derive(Clone, Debug)]
pub struct DeskPlan {
    /// Code of the street.
    pub street: String,
    /// Its name.
    pub name: String,
    /// Time zone of days.
    pub zone: TimeZone,
    /// The grids in the order of the configuration.
    pub grids: Vec<Grid>,
    /// The departments.
    pub departments: Vec<Department>,
    /// The kinds of case that a report can be of, `other` last.
    pub kinds: Vec<KindInfo>,
    /// Times by class.
    pub classes: Vec<Class>,
    /// The broker.
    pub broker: BrokerPlan,
    /// Client id at the broker.
    pub client_id: String,
    /// Name of a shared subscription.
    pub share: Option<String>,
    /// Seconds for which the broker keeps the session.
    pub session_expiry_s: u32,
    /// The web server.
    pub web: WebPlan,
    /// Folder of the store.
    pub storage: PathBuf,
    /// Days after the end of a case for which its pictures are kept.
    pub pictures_days: u32,
    /// Where pictures are fetched from that boxes put into a store.
    pub evidence: EvidencePlan,
    /// Other times.
    pub times: Times,
    /// What residents may send.
    pub reports: Reports,
    /// How people are told.
    pub notify: NotifyPlan,
}

/// A grid of the street.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its community; empty where none is named.
    pub community: String,
    /// User names of workers who are responsible by configuration.
    #[serde(skip)]
    pub workers: Vec<String>,
}

/// A department.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Department {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A kind of case as the desk knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindInfo {
    /// Its name in messages.
    pub slug: String,
    /// Its Chinese name.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Its code in the standard; `None` where that has none.
    pub code: Option<String>,
    /// Id of its class.
    pub class: String,
}

/// A class of cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Its id.
    pub id: String,
    /// Its Chinese name.
    pub name_zh: String,
    /// Its English name.
    pub name_en: String,
    /// Milliseconds from the report until a person has to have answered.
    pub respond_ms: Millis,
    /// Milliseconds from the report until it has to be disposed of.
    pub dispose_ms: Millis,
}

/// The web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebPlan {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate chain and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Proxies whose forwarding headers are believed.
    pub proxies: Vec<IpAddr>,
    /// Under which people reach it; without a slash at the end.
    pub public_url: String,
}

/// Times that are not of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How long an answer can be taken back.
    pub undo_ms: Millis,
    /// How long before a case is due it is called to mind.
    pub remind_ms: Millis,
    /// After which a verified case is closed by itself.
    pub close_after_ms: Millis,
    /// For which a resident can answer the follow-up.
    pub followup_ms: Millis,
    /// For which somebody is signed in.
    pub session_ms: Millis,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            undo_ms: 10_000,
            remind_ms: 30 * 60_000,
            close_after_ms: 24 * 3_600_000,
            followup_ms: 14 * 86_400_000,
            session_ms: 12 * 3_600_000,
        }
    }
}

/// What residents may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reports {
    /// Reports of one address within an hour.
    pub per_address_h: u32,
    /// Reports for one grid within an hour.
    pub per_grid_h: u32,
    /// Largest photo in bytes.
    pub photo_bytes: usize,
}

impl Default for Reports {
    fn default() -> Self {
        Self { per_address_h: 6, per_grid_h: 60, photo_bytes: 12 << 20 }
    }
}

/// How people are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyPlan {
    /// File that notices are appended to.
    pub file: PathBuf,
    /// Address that they are posted to.
    pub webhook: Option<String>,
    /// File of the bearer token.
    pub webhook_token: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassFile {
    class: Vec<ClassConfig>,
}

impl DeskPlan {
    /// Reads and checks `path`.
    ///
    /// # Errors
    /// [`Kind::Config`] with file, line and key of the first fault.
    pub fn read(path: &Path) -> Result<Self> {
        Self::new(&TomlFile::read(path)?)
    }

    /// Checks `file`.
    ///
    /// # Errors
    /// As [`DeskPlan::read`].
    pub fn new(file: &TomlFile<DeskConfig>) -> Result<Self> {
        let config = &file.config;
        let street = config.street.get_ref().clone();
        if GridId::parse(&street, GridProfile::Opaque).is_err() {
            return Err(file.fault("street", config.street.span(), "expected 1 to 32 of 0-9 A-Z a-z . _ -"));
        }
        let zone = match &config.timezone {
            None => TimeZone::get("Asia/Shanghai").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(8))),
            Some(name) => TimeZone::get(name.get_ref()).map_err(|e| {
                file.fault("timezone", name.span(), "expected an IANA name such as Asia/Shanghai")
                    .caused_by(e)
            })?,
        };
        let storage = file.resolve(config.storage.dir.as_deref().unwrap_or(Path::new("gridpatrol-desk")));
        let classes = classes(file)?;
        let kinds = kinds(file, &classes)?;
        let client_id = match &config.mqtt.client_id {
            None => format!("patrol-desk-{street}"),
            Some(id) => name(file, "mqtt.client_id", id)?,
        };
        let share = config.mqtt.share.as_ref().map(|share| name(file, "mqtt.share", share)).transpose()?;
        let session_h = bounded(file, "mqtt.session_h", config.mqtt.session_h.as_ref(), 168, 1, 720)?;
        Ok(Self {
            name: config.name.clone().unwrap_or_else(|| street.clone()),
            zone,
            grids: grids(file)?,
            departments: departments(file)?,
            kinds,
            classes,
            broker: broker::plan(file, &mqtt(&config.mqtt))?,
            client_id,
            share,
            session_expiry_s: session_h * 3600,
            web: web(file)?,
            pictures_days: bounded(
                file,
                "storage.pictures_days",
                config.storage.pictures_days.as_ref(),
                90,
                1,
                3650,
            )?,
            evidence: evidence::plan(file)?,
            times: times(file)?,
            reports: Reports {
                per_address_h: config.reports.per_address_h.unwrap_or(6).max(1),
                per_grid_h: config.reports.per_grid_h.unwrap_or(60).max(1),
                photo_bytes: (bounded(file, "reports.photo_mb", config.reports.photo_mb.as_ref(), 12, 1, 32)?
                    as usize)
                    << 20,
            },
            notify: notify(file, &storage)?,
            storage,
            street,
        })
    }

    /// The grid called `id`.
    pub fn grid(&self, id: &str) -> Option<&Grid> {
        self.grids.iter().find(|grid| grid.id == id)
    }

    /// The name of the grid called `id`; the id where it is not one of the street's.
    pub fn grid_name<'a>(&'a self, id: &'a str) -> &'a str {
        self.grid(id).map_or(id, |grid| grid.name.as_str())
    }

    /// The department called `id`.
    pub fn department(&self, id: &str) -> Option<&Department> {
        self.departments.iter().find(|department| department.id == id)
    }

    /// The kind called `slug`.
    pub fn kind(&self, slug: &str) -> Option<&KindInfo> {
        self.kinds.iter().find(|kind| kind.slug == slug)
    }

    /// The class of kind `slug`; that of all other kinds for one that is not known.
    pub fn class_of(&self, slug: &str) -> &Class {
        let id = self.kind(slug).map_or("ordinary", |kind| kind.class.as_str());
        self.class(id)
    }

    /// The class called `id`; the last one where there is none.
    pub fn class(&self, id: &str) -> &Class {
        // Never empty: the built-in classes are always there.
        self.classes.iter().find(|class| class.id == id).unwrap_or(&self.classes[self.classes.len() - 1])
    }
}

fn mqtt(config: &DeskMqttConfig) -> MqttConfig {
    MqttConfig {
        url: config.url.clone(),
        username: config.username.clone(),
        password_file: config.password_file.clone(),
        ca_file: config.ca_file.clone(),
        client_cert_file: config.client_cert_file.clone(),
        client_key_file: config.client_key_file.clone(),
        alpn: config.alpn.clone(),
        command_key_file: config.command_key_file.clone(),
        // The desk answers with response topics, for which 3.1.1 has no word.
        version: crate::config::MqttVersion::V5,
        ..MqttConfig::default()
    }
}

fn grids(file: &TomlFile<DeskConfig>) -> Result<Vec<Grid>> {
    let mut known = HashSet::new();
    let mut grids = Vec::new();
    for grid in &file.config.grids {
        let id = name(file, "grid.id", &grid.id)?;
        if !known.insert(id.clone()) {
            return Err(file.fault("grid.id", grid.id.span(), "another grid has this id"));
        }
        grids.push(Grid {
            name: grid.name.clone().unwrap_or_else(|| id.clone()),
            community: grid.community.clone().unwrap_or_default(),
            workers: grid.workers.clone(),
            id,
        });
    }
    if grids.is_empty() {
        return Err(Error::new(Kind::Config, format!("{} has no grid", file.path.display()))
            .help("add a table [[grid]] with id and name for each grid of the street"));
    }
    Ok(grids)
}

fn departments(file: &TomlFile<DeskConfig>) -> Result<Vec<Department>> {
    let mut departments: Vec<Department> = Vec::new();
    for department in &file.config.departments {
        let id = name(file, "department.id", &department.id)?;
        if departments.iter().any(|known| known.id == id) {
            return Err(file.fault("department.id", department.id.span(), "another department has this id"));
        }
        departments.push(Department { id, name: department.name.clone() });
    }
    Ok(departments)
}

fn classes(file: &TomlFile<DeskConfig>) -> Result<Vec<Class>> {
    let built_in: ClassFile = toml::from_str(CLASSES)
        .map_err(|e| Error::new(Kind::System, "the built-in classes are not sound").caused_by(e))?;
    let mut classes: Vec<Class> = Vec::new();
    for class in built_in.class.iter().chain(&file.config.classes) {
        let id = class.id.get_ref();
        let (respond, dispose) = (class.respond_min, class.dispose_min);
        if respond == 0 || dispose < respond {
            let what = "respond_min must be at least 1 and dispose_min at least as long";
            return Err(file.fault("class", class.id.span(), what));
        }
        let before = classes.iter().position(|known| &known.id == id);
        let name = |given: &Option<String>, pick: fn(&Class) -> &String| {
            given
                .clone()
                .or_else(|| before.map(|at| pick(&classes[at]).clone()))
                .unwrap_or_else(|| id.clone())
        };
        let class = Class {
            id: id.clone(),
            name_zh: name(&class.name_zh, |class| &class.name_zh),
            name_en: name(&class.name_en, |class| &class.name_en),
            respond_ms: Millis::from(respond) * 60_000,
            dispose_ms: Millis::from(dispose) * 60_000,
        };
        match before {
            Some(at) => classes[at] = class,
            None => classes.push(class),
        }
    }
    Ok(classes)
}

fn kinds(file: &TomlFile<DeskConfig>, classes: &[Class]) -> Result<Vec<KindInfo>> {
    let built_in: ClassFile = toml::from_str(CLASSES)
        .map_err(|e| Error::new(Kind::System, "the built-in classes are not sound").caused_by(e))?;
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    for class in built_in.class.iter().chain(&file.config.classes) {
        for kind in &class.kinds {
            listed.insert(kind, class.id.get_ref());
        }
    }
    let class_of = |slug: &str, visible: bool| {
        let usual = if visible { "visible" } else { "ordinary" };
        let id = listed.get(slug).copied().unwrap_or(usual);
        classes.iter().find(|class| class.id == id).map_or(usual, |class| class.id.as_str()).to_owned()
    };
    let mut kinds: Vec<KindInfo> = CATALOG
        .kinds()
        .iter()
        .map(|kind| KindInfo {
            slug: kind.slug.clone(),
            name_zh: kind.name_zh.clone(),
            name_en: kind.name_en.clone(),
            code: kind.code.clone(),
            class: class_of(&kind.slug, kind.visible),
        })
        .collect();
    kinds.push(KindInfo {
        slug: OTHER.to_owned(),
        name_zh: "其他事项".to_owned(),
        name_en: "Something else".to_owned(),
        code: None,
        class: class_of(OTHER, false),
    });
    for class in &file.config.classes {
        if let Some(kind) = class.kinds.iter().find(|slug| !kinds.iter().any(|kind| &kind.slug == *slug)) {
            let what = format!("there is no kind of case {kind:?}; `gridpatrol kinds` lists them");
            return Err(file.fault("class.kinds", class.id.span(), what));
        }
    }
    Ok(kinds)
}

fn web(file: &TomlFile<DeskConfig>) -> Result<WebPlan> {
    let web = &file.config.web;
    let listen = match &web.listen {
        None => SocketAddr::from((Ipv4Addr::LOCALHOST, 8643)),
        Some(text) => text.get_ref().parse().map_err(|e| {
            file.fault("web.listen", text.span(), "expected an address and a port, e.g. 127.0.0.1:8643")
                .caused_by(e)
        })?,
    };
    let tls = match (&web.cert_file, &web.key_file) {
        (Some(path), None) => {
            return Err(file.fault("web.cert_file", path.span(), "is set without web.key_file"));
        }
        (None, Some(path)) => {
            return Err(file.fault("web.key_file", path.span(), "is set without web.cert_file"));
        }
        (certificate, key) => {
            let certificate = existing(file, "web.cert_file", certificate.as_ref())?;
            certificate.zip(existing(file, "web.key_file", key.as_ref())?)
        }
    };
    let mut proxies = Vec::new();
    for proxy in &web.proxies {
        let address = proxy.get_ref().parse().map_err(|e| {
            file.fault("web.proxies", proxy.span(), "expected the address of a proxy, e.g. 127.0.0.1")
                .caused_by(e)
        })?;
        proxies.push(address);
    }
    if !listen.ip().is_loopback() && tls.is_none() && proxies.is_empty() {
        let span = web.listen.as_ref().map_or(0..0, toml::Spanned::span);
        return Err(file
            .fault("web.listen", span, "others could read along: passwords would go over the network in clear")
            .help(
                "set web.cert_file and web.key_file, or web.proxies to the address of the proxy that ends TLS",
            ));
    }
    let public_url = match &web.public_url {
        None => format!("{}://{listen}", if tls.is_some() { "https" } else { "http" }),
        Some(text) => {
            let url = text.get_ref().trim_end_matches('/');
            let is_sound = url::Url::parse(url).is_ok_and(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            if !is_sound {
                return Err(file.fault(
                    "web.public_url",
                    text.span(),
                    "expected an address such as https://desk.example.cn",
                ));
            }
            url.to_owned()
        }
    };
    Ok(WebPlan { listen, tls, proxies, public_url })
}

/// The file at `path`, if one is given.
fn existing(
    file: &TomlFile<DeskConfig>,
    key: &str,
    path: Option<&toml::Spanned<PathBuf>>,
) -> Result<Option<PathBuf>> {
    let Some(path) = path else { return Ok(None) };
    let found = file.resolve(path.get_ref());
    if found.is_file() {
        Ok(Some(found))
    } else {
        Err(file.fault(key, path.span(), format!("there is no file {}", found.display())))
    }
}

fn times(file: &TomlFile<DeskConfig>) -> Result<Times> {
    let times = &file.config.times;
    let usual = Times::default();
    let hours =
        |given: Option<u32>, usual: Millis| given.map_or(usual, |h| Millis::from(h.max(1)) * 3_600_000);
    Ok(Times {
        undo_ms: Millis::from(bounded(file, "times.undo_s", times.undo_s.as_ref(), 10, 0, 300)?) * 1000,
        remind_ms: times.remind_min.map_or(usual.remind_ms, |min| Millis::from(min) * 60_000),
        close_after_ms: hours(times.close_after_h, usual.close_after_ms),
        followup_ms: times.followup_days.map_or(usual.followup_ms, |d| Millis::from(d.max(1)) * 86_400_000),
        session_ms: hours(times.session_h, usual.session_ms),
    })
}

fn notify(file: &TomlFile<DeskConfig>, storage: &Path) -> Result<NotifyPlan> {
    let notify = &file.config.notify;
    let webhook = match &notify.webhook {
        None => None,
        Some(text) => {
            let parsed = url::Url::parse(text.get_ref()).ok();
            let sound = parsed.filter(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.username().is_empty()
                    && url.password().is_none()
            });
            if sound.is_none() {
                return Err(file.secret_fault(
                    "notify.webhook",
                    text.span(),
                    "expected an http or https address without user name and password",
                ));
            }
            Some(text.get_ref().clone())
        }
    };
    let webhook_token = existing(file, "notify.webhook_token_file", notify.webhook_token_file.as_ref())?;
    let path =
        notify.file.as_deref().map_or_else(|| storage.join("notices.jsonl"), |path| file.resolve(path));
    Ok(NotifyPlan { file: path, webhook, webhook_token })
}

/// A name that can stand in a topic, a file name or an id.
fn name(file: &TomlFile<DeskConfig>, key: &str, value: &toml::Spanned<String>) -> Result<String> {
    GridId::parse(value.get_ref(), GridProfile::Opaque)
        .map(|_| value.get_ref().clone())
        .map_err(|_| file.fault(key, value.span(), "expected 1 to 32 of 0-9 A-Z a-z . _ -"))
}

fn bounded(
    file: &TomlFile<DeskConfig>,
    key: &str,
    given: Option<&toml::Spanned<u32>>,
    usual: u32,
    least: u32,
    most: u32,
) -> Result<u32> {
    match given {
        None => Ok(usual),
        Some(value) if (least..=most).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => Err(file.fault(key, value.span(), format!("expected {least} to {most}"))),
    }
}
