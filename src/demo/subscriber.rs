//! A subscriber that knows nothing but what comes over MQTT, as a street's platform would: it prints each case
//! as it arrives, keeps the pictures in a folder of its own and checks them against the event's SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use crate::error::{Error, Kind, Result};
use crate::evidence::Role;
use crate::mqtt::envelope::{CaseEvent, EventType, EvidenceRef, RedactionNote};
use crate::mqtt::{ClipNote, topic};

/// What it listens to.
const FILTERS: [&str; 3] = [topic::ALL_CASES, topic::ALL_CLIPS, topic::ALL_EVIDENCE];
/// Largest packet it takes.
const MAX_PACKET: u32 = 8 * 1024 * 1024;
/// Most pictures it keeps in memory until their event comes.
const MAX_EARLY: usize = 64;
/// How long the broker may take to accept the subscriptions.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a stop it listens until nothing has come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// What arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases opened.
    pub opened: u64,
    /// Updates of open cases.
    pub updated: u64,
    /// Cases cleared.
    pub cleared: u64,
    /// Pictures whose SHA-256 is the one that their event names.
    pub pictures: u64,
    /// Pictures whose SHA-256 is another.
    pub pictures_wrong: u64,
    /// Pictures that an event names and that did not arrive.
    pub pictures_missing: u64,
    /// Messages that are not case events.
    pub not_understood: u64,
}

/// A subscriber in a thread of its own.
#[derive(Debug)]
pub struct Subscriber {
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<Result<Counts>>,
}

impl Subscriber {
    /// Connects to the broker at `address` and subscribes to all cases and pictures; returns when the broker
    /// has accepted that, so nothing that is published later is missed. Pictures are kept in `folder`, which
    /// is made; what arrives is told to `out`.
    ///
    /// # Errors
    /// [`Kind::Disk`] when the folder cannot be made, [`Kind::Broker`] when the broker does not accept.
    pub fn start(address: SocketAddr, folder: PathBuf, out: impl Write + Send + 'static) -> Result<Self> {
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::disk(&folder, "make the subscriber's folder", e))?;
        let system =
            |e: std::io::Error| Error::new(Kind::System, "cannot start the demo's subscriber").caused_by(e);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let listener = Listener {
            folder,
            out,
            counts: Counts::default(),
            named: BTreeMap::new(),
            early: BTreeMap::new(),
            waiting: BTreeSet::new(),
        };
        let thread = std::thread::Builder::new()
            .name("demo-subscriber".to_owned())
            .spawn(move || runtime.block_on(listen(address, listener, ready, stopped)))
            .map_err(system)?;
        match is_ready.recv_timeout(PATIENCE) {
            Ok(()) => Ok(Self { stop, thread }),
            Err(_) => Err(Error::new(
                Kind::Broker,
                format!("the broker at {address} did not accept the subscriber within {PATIENCE:?}"),
            )),
        }
    }

    /// Waits until every picture that an event names has come and nothing more arrives, at most for `patience`,
    /// and returns what arrived.
    ///
    /// # Errors
    /// [`Kind::Broker`] when the connection was lost, [`Kind::Disk`] when a picture or the output could not be
    /// written.
    pub fn finish(self, patience: Duration) -> Result<Counts> {
        let _ = self.stop.send(patience);
        self.thread
            .join()
            .unwrap_or_else(|_| Err(Error::new(Kind::System, "the demo's subscriber has failed")))
    }
}

async fn listen<W: Write>(
    address: SocketAddr,
    mut listener: Listener<W>,
    ready: mpsc::Sender<()>,
    mut stopped: oneshot::Receiver<Duration>,
) -> Result<Counts> {
    let mut options = MqttOptions::new("patrol-demo-subscriber", address.ip().to_string(), address.port());
    options.set_max_packet_size(Some(MAX_PACKET)).set_keep_alive(Duration::from_secs(30));
    let (client, mut event_loop) = AsyncClient::new(options, 8);
    for filter in FILTERS {
        client
            .try_subscribe(filter, QoS::AtLeastOnce)
            .map_err(|e| Error::new(Kind::System, "cannot subscribe").caused_by(e))?;
    }
    let mut deadline: Option<Instant> = None;
    let mut subscriptions = 0;
    loop {
        let event = if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            let patience = if listener.waiting.is_empty() { left.min(QUIET) } else { left };
            match tokio::time::timeout(patience, next(&mut event_loop)).await {
                Ok(event) => event?,
                Err(_) => return Ok(listener.finish()),
            }
        } else {
            tokio::select! {
                event = next(&mut event_loop) => event?,
                patience = &mut stopped => {
                    // A dropped handle means the same as a stop that waits for nothing.
                    deadline = Some(Instant::now() + patience.unwrap_or_default());
                    continue;
                }
            }
        };
        match event {
            Event::Incoming(Packet::SubAck(_)) => {
                subscriptions += 1;
                if subscriptions == FILTERS.len() {
                    let _ = ready.send(());
                }
            }
            Event::Incoming(Packet::Publish(publish)) => listener.take(&publish)?,
            _ => {}
        }
    }
}

/// The next event. Interrupting it at worst loses an acknowledgement, after which the broker sends again.
async fn next(event_loop: &mut EventLoop) -> Result<Event> {
    event_loop
        .poll()
        .await
        .map_err(|e| Error::new(Kind::Broker, "the demo's subscriber lost the broker").caused_by(e))
}

/// What has come so far, without the network.
struct Listener<W> {
    folder: PathBuf,
    out: W,
    counts: Counts,
    /// SHA-256 and case name by the topic of the picture.
    named: BTreeMap<String, (String, String)>,
    /// Pictures that came before their event.
    early: BTreeMap<String, Vec<u8>>,
    /// Topics of pictures that are named and have not come.
    waiting: BTreeSet<String>,
}

impl<W: Write> Listener<W> {
    fn take(&mut self, publish: &Publish) -> Result<()> {
        let topic = String::from_utf8_lossy(&publish.topic).into_owned();
        if !topic.contains("/evidence/") {
            return match topic.contains("/clip/") {
                true => self.clip(&publish.payload),
                false => self.event(&publish.payload),
            };
        }
        if self.named.contains_key(&topic) {
            return self.picture(&topic, &publish.payload);
        }
        if self.early.len() < MAX_EARLY {
            self.early.insert(topic, publish.payload.to_vec());
        }
        Ok(())
    }

    fn event(&mut self, payload: &[u8]) -> Result<()> {
        let Ok(event) = serde_json::from_slice::<CaseEvent>(payload) else {
            self.counts.not_understood += 1;
            return self.say("? a message that is not a case event");
        };
        let data = &event.data;
        let what = match event.event_type {
            EventType::Opened => {
                self.counts.opened += 1;
                "opened "
            }
            EventType::Updated => {
                self.counts.updated += 1;
                "updated"
            }
            EventType::Cleared => {
                self.counts.cleared += 1;
                "cleared"
            }
        };
        let time = event.time.get(11..19).unwrap_or(&event.time);
        let code = data.standard.code.as_deref().unwrap_or("no code");
        self.say(&format!("{what} {} {} [{code}]  {time}", data.name, data.name_en))?;
        self.say(&format!(
            "        grid {} · camera {} {} · zone {} · {:.0} s · {} object(s)",
            data.grid.id,
            data.place.camera,
            data.place.text,
            data.place.zone,
            data.observed.dwell_s,
            data.objects.len() as u64 + data.objects_left_out,
        ))?;
        data.evidence.iter().try_for_each(|evidence| self.name(evidence, &data.name))
    }

    /// What is known of a clip, or why there is none.
    fn clip(&mut self, payload: &[u8]) -> Result<()> {
        let Ok(note) = serde_json::from_slice::<ClipNote>(payload) else {
            self.counts.not_understood += 1;
            return self.say("? a message that is not about a clip");
        };
        match (&note.clip, &note.redaction) {
            (Some(clip), _) => {
                let seconds = f64::from(note.duration_ms) / 1000.0;
                self.say(&format!("clip    {} pictures, {seconds:.1} s", note.frames))?;
                self.name(clip, "clip")
            }
            (None, RedactionNote::Withheld { withheld }) => self.say(&format!("clip    none: {withheld}")),
            (None, RedactionNote::Done { .. }) => self.say("clip    none"),
        }
    }

    /// Takes in that `evidence` of the case `name` is to come, or has come.
    fn name(&mut self, evidence: &EvidenceRef, name: &str) -> Result<()> {
        let Some(topic) = evidence.uri.strip_prefix("mqtt:") else { return Ok(()) };
        self.named.insert(topic.to_owned(), (evidence.sha256.clone(), name.to_owned()));
        match self.early.remove(topic) {
            Some(bytes) => self.picture(topic, &bytes)?,
            None => {
                self.waiting.insert(topic.to_owned());
            }
        }
        Ok(())
    }

    fn picture(&mut self, topic: &str, jpeg: &[u8]) -> Result<()> {
        self.waiting.remove(topic);
        let Some((sha256, name)) = self.named.get(topic).cloned() else { return Ok(()) };
        let found: String = Sha256::digest(jpeg).iter().map(|byte| format!("{byte:02x}")).collect();
        let Some(file) = file_name(topic) else {
            self.counts.not_understood += 1;
            return self.say("? a picture whose topic is not one of ours");
        };
        if found != sha256 {
            self.counts.pictures_wrong += 1;
            return self.say(&format!("picture {name}: SHA-256 is {found}, the event says {sha256}"));
        }
        let path = self.folder.join(file);
        std::fs::write(&path, jpeg).map_err(|e| Error::disk(&path, "write the picture", e))?;
        self.counts.pictures += 1;
        self.say(&format!("picture {name} {} ({} kB, SHA-256 matches)", path.display(), jpeg.len() / 1000))
    }

    fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.out, "{line}")
            .and_then(|()| self.out.flush())
            .map_err(|e| Error::new(Kind::Disk, "cannot write what the subscriber received").caused_by(e))
    }

    fn finish(mut self) -> Counts {
        self.counts.pictures_missing = self.waiting.len() as u64;
        self.counts
    }
}

/// `{case_id}-{role}.jpg`, for a clip `.mp4`, from the end of an evidence topic, if both are plain names: what comes over the
/// network must not choose where a file is written.
fn file_name(topic: &str) -> Option<String> {
    let mut levels = topic.rsplit('/');
    let (role, case) = (levels.next()?, levels.next()?);
    let plain = |name: &str| {
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let extension =
        Role::ALL.iter().find(|known| known.as_str() == role).map_or("jpg", |role| role.extension());
    (plain(role) && plain(case)).then(|| format!("{case}-{role}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_cannot_choose_where_a_picture_is_written() {
        assert_eq!(file_name("a/evidence/0a-1b/overview").as_deref(), Some("0a-1b-overview.jpg"));
        assert_eq!(file_name("a/evidence/0a-1b/clip").as_deref(), Some("0a-1b-clip.mp4"));
        for bad in ["a/evidence/../overview", "a/evidence/x/", "", "a/evidence/x/y.z", "a/evidence/x/y\\z"] {
            assert_eq!(file_name(bad), None, "{bad}");
        }
    }
}
