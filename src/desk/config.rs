//! What the operator of the desk wrote: `desk.toml`, read as strictly as a box's configuration. [`super::plan`] turns
//! it into what it means. Paths are relative to the folder of the file.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

/// The whole configuration.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskConfig {
    /// Code of the street or town, e.g. `410102007`, as the boxes' topics bear it.
    pub street: Spanned<String>,
    /// Name of the street, for people. Default: its code.
    pub name: Option<String>,
    /// Time zone of days and of what people read, an IANA name. Default `Asia/Shanghai`.
    pub timezone: Option<Spanned<String>>,
    /// The grids, at least one.
    #[serde(default, rename = "grid")]
    pub grids: Vec<GridConfig>,
    /// The departments that the operations centre can give cases to.
    #[serde(default, rename = "department")]
    pub departments: Vec<DepartmentConfig>,
    /// Times by class of case; replaces the built-in class of the same id.
    #[serde(default, rename = "class")]
    pub classes: Vec<ClassConfig>,
    /// The broker that the boxes publish to.
    #[serde(default)]
    pub mqtt: DeskMqttConfig,
    /// The web server.
    #[serde(default)]
    pub web: DeskWebConfig,
    /// Where cases and pictures are kept.
    #[serde(default)]
    pub storage: DeskStorageConfig,
    /// Other times.
    #[serde(default)]
    pub times: TimesConfig,
    /// Pictures that boxes put into a store.
    #[serde(default)]
    pub evidence: EvidenceConfig,
    /// What residents may send.
    #[serde(default)]
    pub reports: ReportsConfig,
    /// How people are told.
    #[serde(default)]
    pub notify: NotifyConfig,
}

/// A grid of the street.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridConfig {
    /// Its id, as the boxes know it.
    pub id: Spanned<String>,
    /// Its name, for people. Default: its id.
    pub name: Option<String>,
    /// The community it belongs to.
    pub community: Option<String>,
    /// User names of the grid workers responsible for it, beside those whose account lists it.
    #[serde(default)]
    pub workers: Vec<String>,
}

/// A department.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepartmentConfig {
    /// Its id: 1 to 32 of `0-9 A-Z a-z . _ -`.
    pub id: Spanned<String>,
    /// Its name, for people.
    pub name: String,
}

/// Times of a class of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassConfig {
    /// Its id.
    pub id: Spanned<String>,
    /// Its Chinese name.
    pub name_zh: Option<String>,
    /// Its English name.
    pub name_en: Option<String>,
    /// Minutes until a person has answered.
    pub respond_min: u32,
    /// Minutes until it is disposed of.
    pub dispose_min: u32,
    /// The kinds of case that are of this class, beside those that the catalogue calls visible.
    #[serde(default)]
    pub kinds: Vec<String>,
}

/// The broker.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskMqttConfig {
    /// `mqtt://host[:1883]` or `mqtts://host[:8883]`. Default `mqtt://127.0.0.1:1883`.
    pub url: Option<Spanned<String>>,
    /// User name, if the broker wants one.
    pub username: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<Spanned<PathBuf>>,
    /// PEM file of the authority that signed the broker's certificate. Needed for `mqtts`.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// PEM file of the desk's own certificate, for a broker that asks for one.
    pub client_cert_file: Option<Spanned<PathBuf>>,
    /// PEM file of its key.
    pub client_key_file: Option<Spanned<PathBuf>>,
    /// Protocols that TLS offers (ALPN).
    #[serde(default)]
    pub alpn: Vec<String>,
    /// The desk's client id. Default `patrol-desk-{street}`. Two desks with one id throw each other off.
    pub client_id: Option<Spanned<String>>,
    /// Name of a shared subscription, for desks that share the work. Default: none.
    pub share: Option<Spanned<String>>,
    /// File whose first line is the key that commands are signed with, where the boxes want it.
    pub command_key_file: Option<Spanned<PathBuf>>,
    /// Hours for which the broker keeps what comes while the desk is away, 1 to 720. Default 168.
    pub session_h: Option<Spanned<u32>>,
}

/// The web server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskWebConfig {
    /// Address and port. Default `127.0.0.1:8643`. Others than loopback need TLS or a declared proxy.
    pub listen: Option<Spanned<String>>,
    /// PEM file of the server's certificate chain.
    pub cert_file: Option<Spanned<PathBuf>>,
    /// PEM file of its key.
    pub key_file: Option<Spanned<PathBuf>>,
    /// Addresses of proxies in front that end TLS and set `X-Forwarded-For`, `X-Forwarded-Proto`.
    #[serde(default)]
    pub proxies: Vec<Spanned<String>>,
    /// The address under which people reach the desk, e.g. `https://desk.example.cn`, for links and QR codes.
    /// Default: `http://` and `listen`.
    pub public_url: Option<Spanned<String>>,
}

/// Where cases and pictures are kept.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskStorageConfig {
    /// The folder; made if missing. Default `gridpatrol-desk`.
    pub dir: Option<PathBuf>,
    /// Days after its end for which the pictures of a case are kept, 1 to 3650. Default 90.
    pub pictures_days: Option<Spanned<u32>>,
}

/// Pictures that boxes put into a store over HTTP (`evidence.upload` of a box), which the desk fetches from there.
/// Pictures that boxes send over MQTT need none of this.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// The stores: `host` or `host:port`, as the addresses in the boxes' messages name them. No other host is ever
    /// asked: a message could name any machine that the desk can reach.
    #[serde(default)]
    pub hosts: Vec<Spanned<String>>,
    /// PEM file of the authority that signed the stores' certificates. Default: those that the system trusts.
    pub ca_file: Option<Spanned<PathBuf>>,
    /// File whose first line goes with each request over TLS as a bearer token.
    pub token_file: Option<Spanned<PathBuf>>,
}

/// Other times.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimesConfig {
    /// Seconds for which an answer can be taken back, 0 to 300. Default 10.
    pub undo_s: Option<Spanned<u32>>,
    /// Minutes before a case is due at which it is called to mind. Default 30.
    pub remind_min: Option<u32>,
    /// Hours after which a verified case is closed by itself. Default 24.
    pub close_after_h: Option<u32>,
    /// Days for which a resident can answer the follow-up. Default 14.
    pub followup_days: Option<u32>,
    /// Hours after which somebody who is signed in has to sign in again. Default 12.
    pub session_h: Option<u32>,
}

/// What residents may send.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportsConfig {
    /// Reports of one address within an hour. Default 6.
    pub per_address_h: Option<u32>,
    /// Reports for one grid within an hour. Default 60.
    pub per_grid_h: Option<u32>,
    /// Largest photo in megabytes, 1 to 32. Default 12.
    pub photo_mb: Option<Spanned<u32>>,
}

/// How people are told.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyConfig {
    /// File that every notice is appended to, a JSON object a line. Default `notices.jsonl` in the storage folder.
    pub file: Option<PathBuf>,
    /// Address that every notice is posted to as JSON, e.g. of a WeChat or SMS gateway.
    pub webhook: Option<Spanned<String>>,
    /// File whose first line goes with each post as a bearer token.
    pub webhook_token_file: Option<Spanned<PathBuf>>,
}
