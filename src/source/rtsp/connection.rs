//! One RTSP connection, from the first packet to the loss. Keeps `retina` to itself.

use std::time::Duration;

use futures_util::StreamExt as _;
use retina::client::{
    Credentials, Demuxed, InitialTimestampPolicy, PlayOptions, Session, SessionOptions, SetupOptions,
    Transport,
};
use retina::codec::{CodecItem, FrameFormat, ParameterSetInsertion, ParametersRef, VideoParametersCodec};
use retina::rtcp::ReceivedCompoundPacket;
use retina::{Timestamp, UNIX_EPOCH};
use tokio::time::timeout;
use url::Url;

use crate::clock::CaptureTime;
use crate::decode::{Access, Codec};
use crate::plan::LivePlan;
use crate::source::retry::Failure;

/// How long a camera may take to describe its streams and to start one.
const SETUP: Duration = Duration::from_secs(4);
/// Faults in what comes in after which a connection is given up, without a picture between them.
const MOST_FAULTS: u32 = 50;
/// Largest coded picture, in bytes.
const MAX_UNIT: usize = 32 << 20;
/// Bytes in front of each NAL unit, as retina is asked for them.
pub(super) const LENGTH_SIZE: usize = 4;

/// Why there is no connection (any more), in words for the log.
#[derive(Debug)]
pub(super) struct Trouble {
    /// What happened.
    pub(super) reason: String,
    /// What to do about it.
    pub(super) help: Option<&'static str>,
    /// How it counts for the next attempt.
    pub(super) failure: Failure,
}

impl Trouble {
    fn other(reason: impl Into<String>, help: Option<&'static str>) -> Self {
        Self { reason: reason.into(), help, failure: Failure::Other }
    }
}

/// What came in.
#[derive(Debug)]
pub(super) enum Event {
    /// One coded picture.
    Unit(Unit),
    /// The camera's clock: stream time in nanoseconds, and wall clock.
    Report(i64, CaptureTime),
    /// Something that was no proper part of the stream, and was left out.
    Damaged(String),
}

/// One coded picture, NAL units with [`LENGTH_SIZE`] bytes of length in front, parameter sets before key pictures.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) data: Vec<u8>,
    /// Stream time in nanoseconds.
    pub(super) media: i64,
    /// Packets were lost before it.
    pub(super) lost: bool,
}

/// An open connection that plays.
pub(super) struct Connection {
    demuxed: Demuxed,
    /// How its pictures are coded.
    pub(super) codec: Codec,
    faults: u32,
}

impl Connection {
    /// Connects to the camera of `plan` and starts its first video stream.
    pub(super) async fn open(plan: &LivePlan) -> Result<Self, Trouble> {
        let url = Url::parse(&plan.url)
            .map_err(|e| Trouble::other(format!("its address is not valid: {e}"), None))?;
        let creds = match &plan.login {
            None => None,
            Some((username, secret)) => {
                let password = secret.read().map_err(|e| Trouble::other(e.to_string(), None))?;
                Some(Credentials { username: username.clone(), password })
            }
        };
        let has_login = creds.is_some();
        let options = SessionOptions::default()
            .creds(creds)
            .user_agent(concat!("gridpatrol/", env!("CARGO_PKG_VERSION")).to_owned());
        let port = url.port().unwrap_or(554);
        let began = Session::describe(url, options);
        let session = match timeout(SETUP, began).await {
            Ok(Ok(session)) => session,
            Ok(Err(e)) => return Err(explain(&e, has_login)),
            Err(_) => {
                let what = format!("it did not answer on port {port} for {} s", SETUP.as_secs());
                return Err(Trouble::other(what, Some("is it switched on, and can this box reach it?")));
            }
        };
        match timeout(SETUP, Self::play(session, has_login)).await {
            Ok(played) => played,
            Err(_) => {
                Err(Trouble::other(format!("it did not start to play for {} s", SETUP.as_secs()), None))
            }
        }
    }

    async fn play(mut session: Session<retina::client::Described>, has_login: bool) -> Result<Self, Trouble> {
        let streams = session.streams();
        let video = streams.iter().enumerate().filter(|(_, stream)| stream.media() == "video");
        let codec = |name: &str| match name {
            "h264" => Some(Codec::H264),
            "h265" => Some(Codec::H265),
            _ => None,
        };
        let Some((index, codec)) = video.clone().find_map(|(at, s)| Some((at, codec(s.encoding_name())?)))
        else {
            let names: Vec<String> = video.map(|(_, stream)| stream.encoding_name().to_owned()).collect();
            let names = if names.is_empty() { "no video".to_owned() } else { names.join(", ") };
            let what = format!("it offers no H.264 or H.265 video, but {}", printable(&names));
            return Err(Trouble::other(what, Some("set its stream to H.264 or H.265")));
        };
        let format =
            FrameFormat { parameter_set_insertion: ParameterSetInsertion::EachKeyFrame, ..FrameFormat::MP4 };
        let options =
            SetupOptions::default().transport(Transport::Tcp(Default::default())).frame_format(format);
        session.setup(index, options).await.map_err(|e| explain(&e, has_login))?;
        let options = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
        let playing = session.play(options).await.map_err(|e| explain(&e, has_login))?;
        let demuxed = playing.demuxed().map_err(|e| explain(&e, has_login))?;
        Ok(Self { demuxed, codec, faults: 0 })
    }

    /// The next thing that comes in. Does not end by itself when the camera falls silent.
    pub(super) async fn next(&mut self) -> Result<Event, Trouble> {
        loop {
            match self.demuxed.next().await {
                Some(Ok(CodecItem::VideoFrame(frame))) => {
                    self.faults = 0;
                    let (media, lost) = (nanos(frame.timestamp()), frame.loss() > 0);
                    let (stream, known) = (frame.stream_id(), frame.is_random_access_point());
                    let mut data = frame.into_data();
                    if !known && Access::of(self.codec, &data, LENGTH_SIZE).is_some_and(|access| access.key) {
                        // The library takes IDR pictures alone for key pictures, and puts parameter sets there only.
                        // A stream joined at another kind of key picture, or a decoder made anew in the middle of
                        // one, has no others: those of the session's description may come nowhere else.
                        data.splice(0..0, self.parameter_sets(stream));
                    }
                    if data.len() > MAX_UNIT {
                        return Ok(Event::Damaged(format!("a picture of {} bytes", data.len())));
                    }
                    return Ok(Event::Unit(Unit { data, media, lost }));
                }
                Some(Ok(CodecItem::Rtcp(packet))) => {
                    if let Some((media, wall)) = report(&packet) {
                        return Ok(Event::Report(media, wall));
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(e)) => {
                    self.faults += 1;
                    if self.faults > MOST_FAULTS {
                        return Err(explain(&e, true));
                    }
                    return Ok(Event::Damaged(first_line(&e)));
                }
                None => return Err(Trouble::other("it closed the connection", None)),
            }
        }
    }
}

impl Connection {
    /// The parameter sets that are in force, as they stand before a picture: those of the stream or, before it
    /// has sent any, those of the session's description.
    fn parameter_sets(&self, stream: usize) -> Vec<u8> {
        let parameters = self.demuxed.streams().get(stream).and_then(|stream| stream.parameters());
        let Some(ParametersRef::Video(video)) = parameters else { return Vec::new() };
        let sets = match video.codec_params() {
            VideoParametersCodec::H264 { sps, pps } => vec![sps, pps],
            VideoParametersCodec::H265 { vps, sps, pps } => vec![vps, sps, pps],
            _ => Vec::new(),
        };
        sets.iter().flat_map(|set| [&(set.len() as u32).to_be_bytes()[..], set].concat()).collect()
    }
}

/// Stream time in nanoseconds.
fn nanos(at: Timestamp) -> i64 {
    let nanos = i128::from(at.timestamp()) * 1_000_000_000 / i128::from(at.clock_rate().get());
    nanos.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The sender report in `packet`, if there is one with a clock.
fn report(packet: &ReceivedCompoundPacket) -> Option<(i64, CaptureTime)> {
    let media = nanos(packet.rtp_timestamp()?);
    let ntp = packet.pkts().find_map(|part| part.as_sender_report().ok().flatten())?.ntp_timestamp();
    if ntp.0 == 0 {
        return None;
    }
    // NTP is seconds since 1900 in 32.32 fixed point; it comes round in 2036 (RFC 5905, section 6).
    let since_1970 = u128::from(ntp.0.wrapping_sub(UNIX_EPOCH.0));
    let nanos = (since_1970 * 1_000_000_000) >> 32;
    Some((media, CaptureTime::from_nanos(nanos.min(i64::MAX as u128) as i64)))
}

/// What an error of the library means to whoever looks after the camera.
fn explain(e: &retina::Error, has_login: bool) -> Trouble {
    let login = "set username and password_file (or password_env) of this camera";
    match (e.status_code(), has_login) {
        (Some(401), true) => Trouble {
            reason: "it refuses the user name or the password (401)".to_owned(),
            help: Some(login),
            failure: Failure::Refused,
        },
        (Some(401), false) => Trouble {
            reason: "it wants a user name and a password (401)".to_owned(),
            help: Some(login),
            failure: Failure::Refused,
        },
        (Some(403), _) => Trouble {
            reason: "the user may not see this stream (403)".to_owned(),
            help: Some("give the user the right to view video in the camera's own settings"),
            failure: Failure::Refused,
        },
        (Some(404), _) => {
            Trouble::other("it has no stream of this path (404)", Some("check the path in source"))
        }
        (Some(453 | 503), _) => Trouble::other(
            "it serves too many others already",
            Some("close other viewers or raise its limit"),
        ),
        (Some(461), _) => Trouble::other("it does not serve over TCP (461)", None),
        (Some(status), _) => Trouble::other(format!("it answers with an error ({status})"), None),
        (None, _) => Trouble::other(first_line(e), None),
    }
}

/// The library's message without its packet context, which differs from time to time.
fn first_line(e: &retina::Error) -> String {
    let text = e.to_string();
    printable(text.lines().next().unwrap_or("unknown fault"))
}

/// `text` as it may stand in a log: bounded, no control characters.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
