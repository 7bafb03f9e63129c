//! RTSP cameras through what happens to them on a street.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use gridpatrol::source::Phase;

use super::media::{clip, looped};
use super::proxy::Proxy;
use super::server::Server;
use super::watcher::Watcher;

/// A clip of `size` whose key pictures come each second, at `rate` bits a second, looped to two minutes.
fn coded(codec: &str, size: &str, rate: &str) -> PathBuf {
    let coder = match codec {
        "hevc" => "libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:bframes=0",
        _ => "libx264 -preset ultrafast -tune zerolatency -g 25",
    };
    let base = clip(
        &format!("base-{rate}-{codec}-{size}.mp4"),
        &format!("-f lavfi -i testsrc=size={size}:rate=25 -t 4 -pix_fmt yuv420p -c:v {coder} -b:v {rate}"),
    );
    looped(&base, 30)
}

pub(super) fn camera(codec: &str, size: &str) -> PathBuf {
    coded(codec, size, "2M")
}

#[test]
fn pictures_come_within_a_second_of_connecting_and_from_eight_cameras_at_once() {
    let files = [
        ("h264-720", camera("h264", "1280x720"), (1280, 720)),
        ("h264-1080", camera("h264", "1920x1080"), (1920, 1080)),
        ("h265-720", camera("hevc", "1280x720"), (1280, 720)),
        ("h265-1080", camera("hevc", "1920x1080"), (1920, 1080)),
    ];
    let streams: Vec<_> = files.iter().map(|(name, file, _)| (*name, file.as_path())).collect();
    let server = Server::start(&streams);
    for (name, _, size) in &files {
        let mut best = Duration::MAX;
        // The machine may be busy with other tests for a moment.
        for _ in 0..10 {
            let mut watcher = Watcher::start(&server.url(name), "");
            assert_eq!(watcher.next().size, *size, "{name}");
            best = best.min(watcher.started.elapsed());
            if best <= Duration::from_secs(1) {
                break;
            }
        }
        println!("{name}: first frame after {best:.2?}");
        assert!(best <= Duration::from_secs(1), "{name}: {best:?}");
    }
    let mut all: Vec<(Watcher, (usize, usize))> = Vec::new();
    for (name, _, size) in files.iter().chain(&files) {
        all.push((Watcher::start(&server.url(name), ""), *size));
    }
    for (watcher, size) in &mut all {
        let mut last = watcher.next();
        for _ in 0..5 {
            let next = watcher.next();
            assert!(next.captured > last.captured && next.size == *size, "{next:?} after {last:?}");
            last = next;
        }
        assert_eq!(watcher.state().broken, 0, "{:?}", watcher.state());
    }
}

#[test]
fn where_key_pictures_are_enough_no_others_are_decoded() {
    // The third has one IDR picture and then recovery points, with pictures before them that lead them.
    let open = clip(
        "open-h264.mp4",
        "-f lavfi -i testsrc=size=640x360:rate=25 -t 40 -pix_fmt yuv420p -c:v libx264 -preset veryfast -g 25 -bf 2 \
         -x264-params open-gop=1:scenecut=0",
    );
    let files = [("h264", camera("h264", "1280x720")), ("h265", camera("hevc", "1280x720")), ("open", open)];
    let streams: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_path())).collect();
    let server = Server::start(&streams);
    for name in ["h264", "h265", "open"] {
        let watcher = Watcher::start(&server.url(name), "");
        let whole = Watcher::start(&server.url(name), "decode = \"all\"");
        watcher.until(|state| state.key_only);
        assert_eq!(watcher.state().key_interval_s, Some(1.0));
        let before = watcher.state();
        watcher.until(|state| state.received >= before.received + 100);
        let after = watcher.state();
        assert_eq!((after.broken, after.damaged), (0, 0), "{name}: {after:?}");
        let share = (after.decoded - before.decoded) as f64 / (after.received - before.received) as f64;
        assert!(share > 0.0 && share <= 0.06, "{name}: {share}");
        let whole = whole.state();
        assert!(!whole.key_only && whole.broken == 0, "{name}: {whole:?}");
        assert!(whole.decoded + whole.late >= whole.received / 2, "{name}: {whole:?}");
    }
}

#[test]
fn a_stream_joined_at_a_clean_random_access_with_its_parameter_sets_in_the_description_only_is_decoded() {
    // Key pictures of an open group of pictures are CRA pictures but for the first, which is cut off here.
    let whole = clip(
        "open-hevc.mp4",
        "-f lavfi -i testsrc=size=640x360:rate=25 -t 40 -pix_fmt yuv420p -tag:v hvc1 -c:v libx265 \
         -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:open-gop=1:bframes=2:scenecut=0",
    );
    let cut = clip("cra-hevc.mp4", &format!("-ss 1.5 -i {} -c copy", whole.display()));
    let server = Server::with_sets_in_sdp(&[("gate", &cut)]);
    for decode in ["key", "all"] {
        let mut watcher = Watcher::start(&server.url("gate"), &format!("decode = \"{decode}\""));
        for _ in 0..3 {
            assert_eq!(watcher.next().size, (640, 360), "{decode}");
        }
        let state = watcher.state();
        assert_eq!((state.phase, state.damaged), (Phase::Live, 0), "{decode}: {state:?}");
        assert!(state.broken <= 2, "no more than what leads the first key picture: {decode}: {state:?}");
    }
}

#[test]
fn a_camera_that_was_off_is_back_within_five_seconds_of_its_return() {
    let file = camera("h264", "1280x720");
    let mut server = Server::start(&[("gate", &file)]);
    let mut watcher = Watcher::start(&server.url("gate"), "");
    let before = watcher.next();
    server.kill();
    watcher.until_lost();
    let reason = watcher.state().reason.unwrap();
    assert!(reason.contains("connection") || reason.contains("Connection"), "{reason}");
    // Long enough for the waits between attempts to have grown to their longest.
    std::thread::sleep(Duration::from_secs(6));
    watcher.forget();
    server.run();
    let returned = Instant::now();
    let after = watcher.next();
    println!("back after {:.2?}", returned.elapsed());
    assert!(returned.elapsed() <= Duration::from_secs(5), "{:?}", returned.elapsed());
    assert!(after.captured.seconds_since(before.captured) > 5.0, "capture time goes on over the gap");
    assert_eq!(watcher.state().phase, Phase::Live);
}

#[test]
fn a_camera_that_freezes_is_noticed_within_four_seconds_and_its_neighbour_goes_on() {
    let file = camera("hevc", "1280x720");
    let (frozen, other) = (Server::start(&[("gate", &file)]), Server::start(&[("gate", &file)]));
    let mut watcher = Watcher::start(&frozen.url("gate"), "");
    let mut neighbour = Watcher::start(&other.url("gate"), "");
    neighbour.next();
    watcher.until(|state| state.received > 10);
    frozen.freeze();
    let noticed = watcher.until_lost();
    println!("noticed after {noticed:.2?}");
    assert!(noticed <= Duration::from_secs(4), "{noticed:?}");
    let reason = watcher.state().reason.unwrap();
    assert!(reason.contains("silent for 3 s"), "{reason}");
    neighbour.forget();
    neighbour.next();
    assert_eq!(neighbour.state().phase, Phase::Live);
    watcher.forget();
    frozen.thaw();
    let returned = Instant::now();
    watcher.next();
    println!("back after {:.2?}", returned.elapsed());
    assert!(returned.elapsed() <= Duration::from_secs(5), "{:?}", returned.elapsed());
}

#[test]
fn damaged_packets_cost_pictures_and_nothing_else() {
    // A picture takes about two packets, a key picture about ten.
    let files = [("h264", coded("h264", "640x360", "300k")), ("h265", coded("hevc", "640x360", "300k"))];
    let streams: Vec<_> = files.iter().map(|(name, file)| (*name, file.as_path())).collect();
    let server = Server::start(&streams);
    let proxy = Proxy::damaging(server.port());
    let mut neighbour = Watcher::start(&server.url("h264"), "");
    let mut damaged: Vec<_> =
        ["h264", "h265"].map(|name| (name, Watcher::start(&proxy.url(name), "decode = \"all\""))).into();
    neighbour.next();
    let began = Instant::now();
    let mut last = [None, None];
    while began.elapsed() < Duration::from_secs(15) {
        for (at, (_, watcher)) in damaged.iter_mut().enumerate() {
            last[at] = watcher.within(Duration::from_millis(100)).map(|_| Instant::now()).or(last[at]);
        }
    }
    for ((name, watcher), last) in damaged.iter().zip(last) {
        let state = watcher.state();
        println!("{name}: {state:?}");
        assert!(state.broken > 0 && state.decoded > state.received / 20, "{name}: {state:?}");
        assert!(
            last.is_some_and(|last| last.elapsed() < Duration::from_secs(6)),
            "{name} is stuck: {state:?}"
        );
    }
    assert!(proxy.damaged() > 20, "{}", proxy.damaged());
    neighbour.forget();
    neighbour.next();
    let state = neighbour.state();
    assert_eq!((state.phase, state.broken, state.connections), (Phase::Live, 0, 1), "{state:?}");
}

#[test]
fn a_stream_that_changes_its_size_goes_on() {
    for (codec, coder) in [
        ("h264", "libx264 -preset ultrafast -tune zerolatency -g 25"),
        ("hevc", "libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:bframes=0"),
    ] {
        let part = |size: &str, offset: &str| {
            clip(
                &format!("part-{codec}-{size}.ts"),
                &format!(
                    "-f lavfi -i testsrc2=size={size}:rate=25 -t 3 -pix_fmt yuv420p -c:v {coder} \
                     -output_ts_offset {offset}"
                ),
            )
        };
        let parts = [part("1280x720", "0"), part("704x576", "3")].map(|path| std::fs::read(path).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("both-{codec}.ts"));
        std::fs::write(&file, parts.concat()).unwrap();
        let server = Server::start(&[("gate", &file)]);
        let mut watcher = Watcher::start(&server.url("gate"), "decode = \"all\"");
        assert_eq!(watcher.next().size, (1280, 720), "{codec}");
        let mut next = watcher.next();
        while next.size != (704, 576) {
            assert_eq!(next.size, (1280, 720), "{codec}");
            next = watcher.next();
        }
        let state = watcher.state();
        assert_eq!((state.connections, state.broken), (1, 0), "{codec}: {state:?}");
        assert_eq!(watcher.next().size, (704, 576), "{codec}");
    }
}

#[test]
fn a_login_works_in_both_ways_and_a_wrong_one_is_told_from_other_faults() {
    let file = camera("h264", "1280x720");
    let secrets = tempfile::tempdir().unwrap();
    let secret = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("username = \"viewer\"\npassword_file = \"{}\"", path.display())
    };
    let (right, wrong) = (secret("right", "s3cret-Pw\n"), secret("wrong", "not-it\n"));
    for method in ["basic", "digest"] {
        let server = Server::with_login(&format!("{method}:viewer:s3cret-Pw"), &[("gate", &file)]);
        let url = server.url("gate");
        let mut watcher = Watcher::start(&url, &right);
        assert_eq!(watcher.next().size, (1280, 720), "{method}");
        for (settings, expected) in [
            (wrong.as_str(), "refuses the user name or the password (401)"),
            ("", "wants a user name and a password (401)"),
        ] {
            let mut watcher = Watcher::start(&url, settings);
            watcher.until_lost();
            let state = watcher.state();
            assert!(
                state.reason.as_ref().is_some_and(|reason| reason.contains(expected)),
                "{method}: {state:?}"
            );
            assert!(watcher.within(Duration::from_millis(200)).is_none());
        }
    }
    let server = Server::start(&[("gate", &file)]);
    let watcher = Watcher::start(&server.url("elsewhere"), "");
    watcher.until_lost();
    assert!(watcher.state().reason.unwrap().contains("no stream of this path (404)"));
}
