//! How people are told: a notice goes into a queue in the same transaction as what it is about, and from there to a
//! file and, where one is set, to a web hook: WeChat and SMS gateways are web hooks at real sites. A notice may come
//! twice, never not at all; its `id` tells.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use serde::Serialize;

use super::http;
use super::life::Millis;
use super::service::Desk;
use super::store::{self, DueNotice, Row, Tx};
use crate::error::{Error, Kind, Result};
use crate::tls;

/// How long a web hook may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Notices that are sent in one go.
const AT_A_TIME: u32 = 50;
/// A notice that could not be sent for so long is worth nothing any more.
const GIVEN_UP_AFTER: Millis = 3 * 86_400_000;
/// Longest wait between two attempts.
const LONGEST_WAIT: Millis = 3_600_000;

/// Whom a notice is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The workers of a grid.
    Grid(String),
    /// The operations centre.
    Centre,
    /// A department.
    Department(String),
    /// Who reported it, by what they left to be reached.
    Contact(String),
}

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Whom.
    pub to: Audience,
    /// User names of the workers, where it is for a grid.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<String>,
    /// The case's number.
    pub number: String,
    /// What, in Chinese.
    pub zh: String,
    /// What, in English.
    pub en: String,
    /// The kind of case, in Chinese.
    pub kind: String,
    /// Where.
    pub place: String,
    /// Where to read more.
    pub link: String,
}

impl Notice {
    /// About a case; its link is filled in when it is queued, if it has none.
    pub(super) fn case(to: Audience, row: &Row, zh: &str, en: &str) -> Self {
        Self {
            to,
            workers: Vec::new(),
            number: row.number.clone(),
            zh: zh.to_owned(),
            en: en.to_owned(),
            kind: row.name_zh.clone(),
            place: row.place.clone(),
            link: String::new(),
        }
    }
}

impl Desk {
    /// Queues `notice` for each channel.
    pub(super) fn tell(&self, tx: &mut Tx<'_>, notice: &Notice, now: Millis) -> rusqlite::Result<()> {
        let mut notice = notice.clone();
        if let Audience::Grid(grid) = &notice.to {
            notice.workers = store::people::workers_of(tx, grid)?;
            if let Some(grid) = self.plan.grid(grid) {
                notice.workers.extend(grid.workers.iter().cloned());
            }
            notice.workers.sort_unstable();
            notice.workers.dedup();
        }
        if notice.link.is_empty() {
            notice.link = self.plan.web.public_url.clone();
        }
        // Its types rule out that it cannot be written.
        let body = serde_json::to_string(&notice).unwrap_or_default();
        tx.queue_notice("file", &body, now)?;
        if self.plan.notify.webhook.is_some() {
            tx.queue_notice("webhook", &body, now)?;
        }
        Ok(())
    }

    /// Sends what is due. Returns how many notices were sent.
    ///
    /// # Errors
    /// When the database cannot be read or written; what a channel has against a notice is logged and tried again.
    pub fn send_notices(&self) -> Result<usize> {
        let now = self.now();
        let due = self.store.read(|db| store::due_notices(db, now, AT_A_TIME))?;
        let mut sent = 0;
        // A web hook that is down is asked once a round and not once a notice.
        let mut is_down = false;
        for notice in due {
            let outcome = match notice.channel.as_str() {
                "webhook" if is_down => continue,
                "webhook" => self.post(&notice),
                _ => self.append(&notice),
            };
            match outcome {
                Ok(()) => {
                    sent += 1;
                    self.store.put(|tx| tx.notice_sent(notice.id))?;
                }
                Err(e) => {
                    is_down |= notice.channel == "webhook";
                    let cause = std::error::Error::source(&e).map(ToString::to_string);
                    tracing::warn!(notice = notice.id, channel = notice.channel, error = %e, cause, "A notice was not sent.");
                    let wait = (10_000_i64 << notice.tries.min(9)).min(LONGEST_WAIT);
                    let again = (now - notice.at < GIVEN_UP_AFTER).then_some(now + wait);
                    self.store.put(|tx| tx.notice_failed(notice.id, again))?;
                }
            }
        }
        Ok(sent)
    }

    /// As one line of the file.
    fn append(&self, notice: &DueNotice) -> Result<()> {
        let path = &self.plan.notify.file;
        let fault = |e| Error::disk(path, "write notices to", e);
        let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(fault)?;
        let line = format!("{}\n", self.line(notice));
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(fault)
    }

    fn line(&self, notice: &DueNotice) -> String {
        let at = super::rates::timestamp(notice.at).to_zoned_datetime(self.plan.zone.clone());
        let at = at.strftime("%Y-%m-%dT%H:%M:%S%:z");
        let rest = notice.body.strip_prefix('{').unwrap_or(&notice.body);
        format!("{{\"id\":{},\"at\":\"{at}\",{rest}", notice.id)
    }

    fn post(&self, notice: &DueNotice) -> Result<()> {
        let Some(url) = &self.plan.notify.webhook else { return Ok(()) };
        // The address itself stays out of the log: gateways put keys into it.
        let fault = |what: &str| {
            Error::new(Kind::System, format!("the web hook of notify.webhook {what}")).help(
                "check notify.webhook and notify.webhook_token_file, and that the gateway can be reached",
            )
        };
        let is_tls = url.starts_with("https://");
        let tls = is_tls.then(|| tls::trusting(None, Kind::System, "SSL_CERT_FILE")).transpose()?;
        let mut request = http::agent(PATIENCE, tls)
            .post(url)
            .header("content-type", "application/json")
            .header("idempotency-key", format!("notice-{}", notice.id));
        if let Some(file) = &self.plan.notify.webhook_token {
            request = request.header("authorization", http::bearer(file, "notify.webhook_token_file")?);
        }
        let answer = request.send(self.line(notice)).map_err(|e| match e {
            ureq::Error::Timeout(_) => fault("does not answer in time"),
            ureq::Error::Io(e) => fault("cannot be reached").caused_by(e),
            _ => fault("cannot be asked"),
        })?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(fault(&format!("answers with status {}", answer.status().as_u16())))
        }
    }
}
