//! What a platform hears of a camera's health.

use gridpatrol::health::{Fault, HealthBoard, Sights, Verdict};
use gridpatrol::look::View;
use gridpatrol::source::Link;

use super::*;
use crate::support::program::{Running, configuration};

const HEALTH: &str = "patrol/v1/410102007/box-1/camera/cam-05/health";

/// Messages that say how the camera is, until it is `state`.
fn until_state(subscriber: &crate::support::mosquitto::Subscriber, state: &str) -> Vec<Received> {
    let messages = subscriber.until(|message| message.topic == HEALTH && message.json()["state"] == state);
    messages.into_iter().filter(|message| message.topic == HEALTH).collect()
}

/// A film of three scenes of a street, each for so many seconds: lit, dark and lit again.
fn film(folder: &std::path::Path, lit_s: u32, dark_s: u32) -> PathBuf {
    let path = folder.join("street.mp4");
    let until = lit_s + dark_s;
    let dark = format!("between(t,{lit_s},{until})");
    let filter = format!(
        "noise=alls=6:allf=t,eq=brightness='if({dark},-1,0)':contrast='if({dark},0.02,1)':eval=frame,fps=5"
    );
    let length = (until + lit_s).to_string();
    let done = std::process::Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-loop", "1", "-i", "tests/data/people.jpg"])
        .args(["-t", &length, "-vf", &format!("scale=640:360,{filter}"), "-pix_fmt", "yuv420p"])
        .args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "5"])
        .arg(&path)
        .status()
        .expect("ffmpeg is not installed: run `make test-setup`");
    assert!(done.success());
    path
}

#[test]
fn a_camera_that_goes_dark_says_so_and_says_when_it_is_over() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let film = film(folder.path(), 8, 10);
    let config = folder.path().join("edge.toml");
    let top = format!("mqtt.url = \"mqtt://127.0.0.1:{}\"\nprivacy.pictures = false", broker.port());
    let text = configuration(&top, crate::support::program::KERB);
    let line = text.lines().find(|line| line.starts_with("source = ")).unwrap();
    std::fs::write(&config, text.replace(line, &format!("source = {film:?}\nview.frozen = false"))).unwrap();
    let everything = broker.subscribe("patrol/#");
    let mut program = Running::start(&["run", "--config", config.to_str().unwrap()]);

    let messages = until_state(&everything, "ended");
    let mut states: Vec<String> =
        messages.iter().map(|message| message.json()["state"].as_str().unwrap().to_owned()).collect();
    states.retain(|state| state != "connecting");
    states.dedup();
    assert_eq!(states, ["streaming", "dark", "streaming", "ended"]);
    for message in &messages {
        let json = message.json();
        assert_valid(Subject::Health, &json);
        assert_eq!((&json["camera"], &json["place"]), (&"cam-05".into(), &"北门".into()));
        assert_eq!(message.content_type, "application/json");
    }
    let dark = messages.iter().map(Received::json).find(|json| json["state"] == "dark").unwrap();
    assert_eq!((&dark["name"], &dark["name_en"]), (&"画面全黑".into(), &"dark".into()));
    assert!(dark["reason"].as_str().unwrap().contains("补光灯"), "{dark}");
    assert!(dark["reason_en"].as_str().unwrap().contains("lens cap"), "{dark}");

    // Whoever comes later hears the latest state, and no more.
    let late = broker.subscribe(HEALTH);
    let message = late.next();
    assert!(message.retained);
    assert_eq!(message.json()["state"], "ended");
    assert_eq!(program.terminate(), Some(0));
    assert!(late.rest().is_empty());
}

/// What looks say of a view.
fn verdict(fault: Option<Fault>, since: f64) -> Verdict {
    Verdict { view: fault.map_or(View::Clear, Fault::view), fault, since: at(since), changed: true }
}

/// A board with one camera whose recording plays.
pub(super) fn board() -> (HealthBoard, Arc<Sights>) {
    let (board, sights) = (HealthBoard::default(), Arc::new(Sights::default()));
    let link = Arc::new(Link::new("cam-05", at(0.0)));
    link.playing(at(1.0), (1920, 1080));
    sights.note("cam-05", &verdict(None, 1.0));
    board.add(link, sights.clone());
    (board, sights)
}

#[test]
fn after_an_outage_only_the_latest_health_is_told_and_no_room_is_taken_by_the_others() {
    let mut broker = Mosquitto::start();
    let (board, sights) = board();
    let mut unit = Box1::new(plan(broker.port()));
    unit.board = Some(board);
    unit.connect();
    let before = broker.subscribe("patrol/#");
    assert_eq!(until_state(&before, "streaming").len(), 1);
    broker.kill();
    sights.note("cam-05", &verdict(Some(Fault::Covered), 20.0));
    std::thread::sleep(Duration::from_millis(700));
    sights.note("cam-05", &verdict(None, 40.0));
    std::thread::sleep(Duration::from_millis(700));
    sights.note("cam-05", &verdict(Some(Fault::Moved), 60.0));
    assert_eq!(unit.outbox.backlog().unwrap().total(), 0);
    broker.run();
    let after = broker.subscribe("patrol/#");
    let told = until_state(&after, "moved");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].json()["since"], "2026-11-23T15:48:18.250+08:00");
    unit.stop();
}

#[test]
fn a_camera_that_is_no_longer_watched_leaves_no_health_behind() {
    let broker = Mosquitto::start();
    let (board, _sights) = board();
    let mut unit = Box1::new(plan(broker.port()));
    unit.board = Some(board.clone());
    unit.connect();
    let subscriber = broker.subscribe("patrol/#");
    until_state(&subscriber, "streaming");
    board.remove("cam-05");
    subscriber.until(|message| message.topic == HEALTH && message.payload.is_empty());
    let late = broker.subscribe("patrol/#");
    late.until(|message| message.topic == STATUS);
    assert!(late.soon().iter().all(|message| message.topic != HEALTH));
    unit.stop();
}
