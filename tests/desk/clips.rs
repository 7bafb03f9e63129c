//! Clips of cases: only what its box has told of is taken, and the page of the case shows it.

use super::http::Server;
use super::pages::Pages;
use super::*;

/// Bytes that begin as an MP4 file does, different for each `n`.
fn mp4(n: u32) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 24];
    bytes.extend(b"ftypisom");
    bytes.extend((0..500).map(|at| (at * 7 + n) as u8));
    bytes
}

/// What the box tells of the clip `file` of `told`'s case.
fn note(told: &Told, file: &[u8]) -> Value {
    json!({
        "case_id": case_id(told.n),
        "event": "11111111-5c1a-7b3e-9a54-000000000010",
        "clip": {"role": "clip", "uri": format!("mqtt:{}", told.picture_topic("clip")), "sha256": sha256_of(file),
                 "media": "video/mp4", "bytes": file.len(), "width": 960, "height": 596, "view_height": 540,
                 "captured": "2026-11-26T09:59:53+08:00"},
        "frames": 21, "duration_ms": 10_500,
        "redaction": {"persons": 2, "vehicles": 1, "faces": 1, "plates": 0, "method": "pixelate"},
    })
}

fn sent(told: &Told, note: &Value) -> Incoming {
    let topic = format!("{}/clip/{}", told.topic(), case_id(told.n));
    Incoming { topic, payload: serde_json::to_vec(note).unwrap().into() }
}

#[test]
fn a_clip_is_the_one_that_was_told_of_whichever_comes_first() {
    let (right, wrong) = (mp4(1), mp4(2));
    let told = Told::opened(1);
    for order in 0..3 {
        let street = Street::new();
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let (note, file) = (sent(&told, &note(&told, &right)), told.picture("clip", &right));
        let bad = told.picture("clip", &wrong);
        let taken = match order {
            0 => street.take_in(&[told.message(), note.clone(), bad, file.clone()]),
            1 => street.take_in(&[told.message(), file.clone(), bad, note.clone()]),
            _ => street.take_in(&[file.clone(), told.message(), bad, note.clone()]),
        };
        assert_eq!((taken.events, taken.refused), (1, 0), "{order}");
        street.take_in(&[note, file]);
        let case = street.desk.case(&worker, street.only(&worker)).unwrap();
        assert_eq!(case.pictures.len(), 1, "{order}: a clip that nobody told of belongs to no case");
        let clip = &case.pictures[0];
        assert!(clip.is_here && clip.marks.is_none(), "{order}");
        assert_eq!((clip.role.as_str(), clip.media.as_str()), ("clip", "video/mp4"));
        assert_eq!((clip.width, clip.height, clip.sha256.as_str()), (960, 596, sha256_of(&right).as_str()));
        assert_eq!(case.case.thumb, None, "{order}: a list shows pictures");
        let file = street.desk.picture(&worker, clip.id).unwrap();
        assert_eq!((file.bytes, file.media.as_str()), (right.clone(), "video/mp4"), "{order}");
    }
}

#[test]
fn what_is_no_clip_of_its_case_is_refused() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let (told, file) = (Told::opened(1), mp4(1));
    street.take_in(&[told.message()]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut json = note(&told, &file);
        change(&mut json);
        sent(&told, &json)
    };
    let mut large = mp4(1);
    large.resize((4 << 20) + 1, 0);
    let bad = [
        with(&|note| note["case_id"] = case_id(2).into()),
        with(&|note| note["clip"]["uri"] = format!("mqtt:{}", told.picture_topic("overview")).into()),
        with(&|note| note["clip"]["uri"] = "file:///etc/passwd".into()),
        with(&|note| note["clip"]["sha256"] = "../".repeat(21).into()),
        with(&|note| note["clip"]["role"] = "overview".into()),
        with(&|note| note["clip"]["media"] = "text/html".into()),
        with(&|note| note["clip"]["bytes"] = (4 << 20 | 1).into()),
        with(&|note| note["redaction"] = Value::Null),
        Incoming { topic: sent(&told, &json!({})).topic, payload: vec![b'['; 70_000].into() },
        told.picture("clip", &jpeg(1)),
        told.picture("clip", b"<html>"),
        told.picture("clip", &large),
        told.picture("overview", &mp4(1)),
    ];
    for message in bad {
        let taken = street.take_in(std::slice::from_ref(&message));
        assert_eq!(taken, Taken { refused: 1, ..Taken::default() }, "{}", message.topic);
    }
    assert!(street.desk.case(&worker, street.only(&worker)).unwrap().pictures.is_empty());
    // That there is none is no fault, nor is one of a case that the desk does not know.
    let mut none = note(&told, &file);
    none.as_object_mut().unwrap().remove("clip");
    none["redaction"] = json!({"withheld": "the session is gone"});
    let other = Told::opened(7);
    let fine = street.take_in(&[sent(&told, &none), sent(&other, &note(&other, &file))]);
    assert_eq!(fine, Taken::default());
    // However often a box tells of other clips, a case keeps a few.
    for n in 10..20 {
        street.take_in(&[sent(&told, &note(&told, &mp4(n)))]);
    }
    assert_eq!(street.desk.case(&worker, street.only(&worker)).unwrap().pictures.len(), 4);
}

#[test]
fn a_clip_in_a_store_is_fetched_and_must_be_what_was_told() {
    for (what, is_taken) in [(mp4(1), true), (mp4(2), false)] {
        let served = what.clone();
        let store = Server::start(None, move |_, _| (200, String::new(), served.clone()));
        let street = Street::with(&format!("[evidence]\nhosts = [\"127.0.0.1:{}\"]\n", store.port));
        let worker = street.person("li", Role::Worker, &[SOUTH]);
        let told = Told::opened(1);
        let mut note = note(&told, &mp4(1));
        note["clip"]["uri"] = format!("http://127.0.0.1:{}/evidence/clip.mp4", store.port).into();
        street.take_in(&[told.message(), sent(&told, &note)]);
        assert_eq!(street.desk.fetch_pictures().unwrap(), 1);
        let case = street.desk.case(&worker, street.only(&worker)).unwrap();
        assert_eq!(case.pictures[0].is_here, is_taken);
        assert_eq!(case.case.thumb, None);
    }
}

#[test]
fn the_page_of_a_case_plays_its_clip_in_parts_too() {
    let pages = Pages::new("", "");
    let mut worker = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let (told, file) = (Told::opened(1), mp4(1));
    pages.street.take_in(&[told.message(), sent(&told, &note(&told, &file)), told.picture("clip", &file)]);
    let viewer = pages.street.person("chen", Role::Worker, &[SOUTH]);
    let id = pages.street.only(&viewer);
    let clip = pages.street.desk.case(&viewer, id).unwrap().pictures[0].id;
    let page = worker.get(&format!("/case/{id}"));
    let video = page.body.split("<video").nth(1).expect("there is a player").split('>').next().unwrap();
    assert!(video.contains("controls") && video.contains("preload=\"none\""), "{video}");
    assert!(video.contains(&format!("src=\"/picture/{clip}\"")), "{video}");
    assert!(page.header("content-security-policy").contains("media-src 'self'"));
    assert!(!worker.get("/inbox").body.contains(&format!("<img src=\"/picture/{clip}\"")));
    let whole = worker.get(&format!("/picture/{clip}"));
    assert_eq!((whole.code, whole.header("content-type")), (200, "video/mp4"));
    assert_eq!((whole.header("accept-ranges"), whole.header("content-length")), ("bytes", "512"));
    let part = worker.get_part(&format!("/picture/{clip}"), "bytes=4-7");
    assert_eq!((part.code, part.body.as_str()), (206, "ftyp"));
    assert_eq!(part.header("content-range"), "bytes 4-7/512");
    assert_eq!(worker.get_part(&format!("/picture/{clip}"), "bytes=512-").code, 416);
    // It is seen by who sees its case.
    let mut stranger = pages.signed_in("sun", Role::Worker, &[NORTH]);
    assert_eq!(stranger.get(&format!("/picture/{clip}")).code, 404);
}
