use super::*;
use crate::case::CaseId;
use crate::evidence::Role;

fn event(case: &str, text: &str) -> Message {
    Message {
        case: id(case),
        matter: if text.ends_with("cleared") { Matter::Cleared } else { Matter::Opened },
        recorded: CaptureTime::from_nanos(1),
        topic: format!("patrol/v1/s/b/case/g/{case}"),
        payload: text.as_bytes().to_vec(),
        content_type: "application/json".to_owned(),
        expiry_s: 60,
        properties: vec![("id".to_owned(), text.to_owned())],
        notes: Vec::new(),
    }
}

fn id(case: &str) -> CaseId {
    CaseId::derive(&[case.as_bytes()])
}

fn picture(case: &str, role: Role) -> Message {
    Message { matter: Matter::Picture(role), payload: vec![0xff, 0xd8], ..event(case, "picture") }
}

fn put(outbox: &Outbox, messages: Vec<Message>) {
    outbox.accept("cam", None, |_| Ok(messages)).unwrap();
}

fn due_texts(outbox: &Outbox, now: Instant) -> Vec<String> {
    let due = outbox.due(now, 100).unwrap();
    due.iter().map(|offer| String::from_utf8_lossy(&offer.payload).into_owned()).collect()
}

#[test]
fn o1_an_accepted_event_is_on_disk_before_it_can_be_offered() {
    let (here, after_power_cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let outbox = Outbox::open(here.path()).unwrap();
    put(&outbox, vec![event("a", "opened")]);
    // The files as they stand while the process still runs are all that a power cut would leave.
    for file in std::fs::read_dir(here.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), after_power_cut.path().join(file.file_name())).unwrap();
    }
    let found = Outbox::open(after_power_cut.path()).unwrap();
    assert_eq!(due_texts(&found, Instant::now()), ["opened"]);
    let synchronous: i64 =
        outbox.read(|db| db.pragma_query_value(None, "synchronous", |row| row.get(0))).unwrap();
    assert_eq!(synchronous, 2, "FULL: every commit is an fsync");
}

#[test]
fn o1_state_numbers_and_rows_are_stored_together_or_not_at_all() {
    let outbox = Outbox::in_memory().unwrap();
    outbox
        .accept("cam", Some(b"one"), |sequence| Ok(vec![event("a", &sequence.next_number().to_string())]))
        .unwrap();
    let failed = outbox.accept("cam", Some(b"two"), |sequence| {
        sequence.next_number();
        Err(Error::new(Kind::System, "no"))
    });
    assert_eq!(failed.unwrap_err().to_string(), "no");
    assert_eq!(outbox.core_state("cam").unwrap().as_deref(), Some(&b"one"[..]));
    outbox
        .accept("cam", Some(b"three"), |sequence| Ok(vec![event("b", &sequence.next_number().to_string())]))
        .unwrap();
    assert_eq!(due_texts(&outbox, Instant::now()), ["1", "2"], "the failed attempt used up no number");
    assert_eq!(outbox.core_state("cam").unwrap().as_deref(), Some(&b"three"[..]));
    assert_eq!(outbox.core_state("other").unwrap(), None);
}

#[test]
fn o2_a_held_row_is_offered_again() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("a", "opened")]);
    let now = Instant::now();
    let row = outbox.due(now, 1).unwrap()[0].row;
    let held = outbox.hold(row, &Refusal::Unheard, now, |times, is_picture| {
        assert_eq!((times, is_picture), (0, false));
        Duration::from_secs(5)
    });
    assert_eq!(held.unwrap(), Held { fate: Fate::Waits, times: 1 });
    assert!(outbox.due(now + Duration::from_secs(4), 1).unwrap().is_empty());
    let next = outbox.next_offer(now).unwrap().unwrap();
    assert_eq!(outbox.due(next, 1).unwrap().len(), 1);
    assert_eq!(outbox.next_offer(next).unwrap(), None, "it is due, not still to come");
    assert_eq!(outbox.due(now + Duration::from_secs(6), 1).unwrap()[0].row, row);
    let again =
        outbox.hold(row, &Refusal::Unheard, now, |times, _| Duration::from_secs(5 + u64::from(times)));
    assert_eq!(again.unwrap().times, 2);
    assert_eq!(outbox.backlog().unwrap().events, 1);
    outbox.delivered(&[row]).unwrap();
    assert_eq!(outbox.backlog().unwrap(), Backlog::default());
    assert_eq!(outbox.next_offer(now).unwrap(), None);
    outbox.delivered(&[row]).unwrap();
}

#[test]
fn o2_a_picture_that_nobody_takes_for_a_day_is_given_up_and_an_event_is_not() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![picture("a", Role::Overview), event("a", "opened")]);
    let start = Instant::now();
    let rows: Vec<RowId> = outbox.due(start, 10).unwrap().iter().map(|offer| offer.row).collect();
    let hour = Duration::from_secs(3600);
    let mut kept = Vec::new();
    for at in [Duration::ZERO, 23 * hour, 25 * hour] {
        for row in &rows {
            kept.push(outbox.hold(*row, &Refusal::Unheard, start + at, |_, _| hour).unwrap().fate);
        }
    }
    // In the order in which they are offered: the event, then the picture.
    let (waits, gone) = (Fate::Waits, Fate::GivenUp);
    assert_eq!(kept, [waits, waits, waits, waits, waits, gone]);
    let backlog = outbox.backlog().unwrap();
    assert_eq!((backlog.events, backlog.pictures, backlog.unheard), (1, 0, 1));
}

#[test]
fn o3_the_events_of_a_case_leave_in_order() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("a", "a opened"), picture("a", Role::Overview)]);
    put(&outbox, vec![event("b", "b opened")]);
    put(&outbox, vec![event("a", "a cleared"), picture("a", Role::After)]);
    let now = Instant::now();
    assert_eq!(due_texts(&outbox, now), ["a opened", "b opened"]);
    let opened = outbox.due(now, 1).unwrap()[0].row;
    outbox.hold(opened, &Refusal::Unheard, now, |_, _| Duration::from_secs(60)).unwrap();
    assert_eq!(due_texts(&outbox, now), ["b opened"], "what is held back is not overtaken");
    outbox.delivered(&[opened]).unwrap();
    let due = outbox.due(now, 10).unwrap();
    let texts: Vec<bool> = due.iter().map(|offer| offer.is_text).collect();
    assert_eq!(texts, [true, true, false], "b opened, a cleared, the overview: cases before pictures");
    assert_eq!(due[1].payload, b"a cleared");
}

#[test]
fn o3_numbers_and_messages_are_the_same_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let make = |sequence: &mut Sequence| Ok(vec![event("a", &format!("number {}", sequence.next_number()))]);
    let outbox = Outbox::open(folder.path()).unwrap();
    outbox.accept("cam", Some(b"state"), make).unwrap();
    let before = outbox.due(Instant::now(), 10).unwrap();
    let session = outbox.next_session().unwrap();
    drop(outbox);
    let outbox = Outbox::open(folder.path()).unwrap();
    assert_eq!(outbox.due(Instant::now(), 10).unwrap(), before);
    outbox.delivered(&[before[0].row]).unwrap();
    outbox.accept("cam", None, make).unwrap();
    let after = outbox.due(Instant::now(), 10).unwrap();
    assert_eq!(after[0].payload, b"number 2");
    assert!(after[0].row > before[0].row);
    assert_eq!(outbox.core_state("cam").unwrap().as_deref(), Some(&b"state"[..]));
    assert!(outbox.next_session().unwrap() > session);
}

#[test]
fn a_second_process_is_told_that_the_database_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Outbox::open(folder.path()).unwrap();
    let second = Outbox::open(folder.path()).unwrap_err();
    assert_eq!(second.kind(), Kind::Disk);
    let report = format!("{:?}", miette::Report::new(second));
    assert!(report.contains(FILE_NAME) && report.contains("stop the other gridpatrol"), "{report}");
}

#[test]
fn what_is_not_a_database_or_is_a_newer_one_is_left_alone_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, "not a database, but something that a person may need".repeat(100)).unwrap();
    let error = Outbox::open(folder.path()).unwrap_err();
    assert_eq!(error.kind(), Kind::Disk);
    assert!(error.to_string().contains(FILE_NAME), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("not a database"));

    std::fs::remove_file(&path).unwrap();
    Outbox::open(folder.path()).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Outbox::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("has version 99"), "{error}");
}

#[test]
fn the_page_is_told_the_latest_of_each_case_newest_first() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("a", "a opened"), picture("a", Role::Overview)]);
    put(&outbox, vec![event("b", "b opened")]);
    put(&outbox, vec![event("a", "a cleared"), picture("a", Role::After)]);
    let cases = outbox.cases(10).unwrap();
    let told: Vec<_> = cases.iter().map(|case| (case.id.as_str(), case.event.as_str())).collect();
    assert_eq!(told, [(id("b").as_str(), "b opened"), (id("a").as_str(), "a cleared")]);
    let files: Vec<_> = cases[1].pictures.iter().map(|picture| picture.file.as_str()).collect();
    let after = format!("{}-after.jpg", id("a"));
    assert_eq!(files, [after.as_str(), format!("{}-overview.jpg", id("a")).as_str()]);
    assert!(outbox.lists_picture(&after).unwrap());
    assert!(!outbox.lists_picture(&format!("../{after}")).unwrap());
}

#[test]
fn the_page_keeps_the_newest_thousand_cases_and_the_queue_keeps_all() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("first", "opened"), picture("first", Role::Overview)]);
    put(&outbox, (0..1000).map(|n| event(&format!("case-{n}"), "opened")).collect());
    let cases = outbox.cases(5000).unwrap();
    assert_eq!(cases.len(), 1000);
    assert_eq!(cases.last().unwrap().id, id("case-0").as_str());
    assert!(!outbox.lists_picture(&format!("{}-overview.jpg", id("first"))).unwrap());
    let backlog = outbox.backlog().unwrap();
    assert_eq!((backlog.events, backlog.pictures), (1001, 1));
}

#[test]
fn o2_a_row_that_is_refused_for_what_it_is_is_set_aside_and_tried_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).unwrap();
    put(&outbox, vec![event("a", "opened")]);
    put(&outbox, vec![event("a", "cleared")]);
    let now = Instant::now();
    let opened = outbox.due(now, 1).unwrap()[0].row;
    let hold = |why: &Refusal| outbox.hold(opened, why, now, |_, _| Duration::ZERO).unwrap().fate;
    assert!((0..100).all(|_| hold(&Refusal::NotNow) == Fate::Waits), "rights may be given later");
    let refused = Refusal::Message("PayloadFormatInvalid".to_owned());
    assert_eq!(hold(&refused), Fate::SetAside);
    assert_eq!(due_texts(&outbox, now), ["cleared"], "it holds up no other");
    let backlog = outbox.backlog().unwrap();
    assert_eq!((backlog.events, backlog.set_aside), (2, 1));
    drop(outbox);
    let outbox = Outbox::open(folder.path()).unwrap();
    assert_eq!(due_texts(&outbox, Instant::now()), ["opened"], "in the order of the case again");
}

#[test]
fn much_that_waits_leaves_with_cases_first_then_pictures_then_updates() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("a", "a opened"), picture("a", Role::Overview)]);
    let opened = outbox.due(Instant::now(), 1).unwrap()[0].row;
    outbox.delivered(&[opened]).unwrap();
    put(&outbox, vec![Message { matter: Matter::Updated, ..event("a", "a updated") }]);
    put(&outbox, vec![event("b", "b opened")]);
    let due = outbox.due(Instant::now(), 10).unwrap();
    let topics: Vec<bool> = due.iter().map(|offer| offer.is_text).collect();
    assert_eq!(topics, [true, false, true]);
    assert_eq!((&due[0].payload[..], &due[2].payload[..]), (&b"b opened"[..], &b"a updated"[..]));
}

#[test]
fn the_backlog_says_how_old_the_oldest_is_and_how_much_room_it_takes() {
    let outbox = Outbox::in_memory().unwrap();
    assert_eq!(outbox.backlog().unwrap(), Backlog::default());
    put(&outbox, vec![Message { recorded: CaptureTime::from_nanos(70), ..event("b", "b opened") }]);
    put(&outbox, vec![Message { recorded: CaptureTime::from_nanos(50), ..event("a", "a opened") }]);
    let backlog = outbox.backlog().unwrap();
    assert_eq!(backlog.oldest, Some(CaptureTime::from_nanos(50)));
    assert!(backlog.bytes > 16 && backlog.bytes < 500, "{}", backlog.bytes);
    let rows: Vec<RowId> = outbox.due(Instant::now(), 9).unwrap().iter().map(|offer| offer.row).collect();
    outbox.delivered(&rows).unwrap();
    assert_eq!(outbox.backlog().unwrap(), Backlog::default());
}

#[test]
fn a_clip_is_listed_with_its_case_and_what_is_known_of_it_is_text_that_waits_for_its_event() {
    let outbox = Outbox::in_memory().unwrap();
    put(&outbox, vec![event("a", "opened"), event("b", "opened")]);
    let told =
        |case: &str, json: &str| Message { payload: json.into(), matter: Matter::Clip, ..event(case, "") };
    put(&outbox, vec![told("a", r#"{"clip":{"role":"clip"}}"#), picture("a", Role::Clip)]);
    put(&outbox, vec![told("b", r#"{"redaction":{"withheld":"no"}}"#)]);
    let files = |case: &str| -> Vec<String> {
        let cases = outbox.cases(10).unwrap();
        let found = cases.into_iter().find(|record| record.id == id(case).as_str()).unwrap();
        found.pictures.into_iter().map(|picture| picture.file).collect()
    };
    assert_eq!(files("a"), [format!("{}-clip.mp4", id("a"))]);
    assert!(files("b").is_empty(), "there is none");
    // Nothing of a clip is offered before its event has left, and no event waits for it.
    assert_eq!(outbox.due(Instant::now(), 10).unwrap().len(), 2);
    let rows: Vec<RowId> = outbox.due(Instant::now(), 10).unwrap().iter().map(|offer| offer.row).collect();
    outbox.delivered(&rows).unwrap();
    let due = outbox.due(Instant::now(), 10).unwrap();
    let is_text: Vec<bool> = due.iter().map(|offer| offer.is_text).collect();
    assert_eq!(is_text, [true, false, true]);
    assert_eq!(outbox.backlog().unwrap().pictures, 3);
}

#[test]
fn a_command_that_was_answered_is_remembered_over_a_restart_until_it_is_no_longer_good() {
    let folder = tempfile::tempdir().unwrap();
    let at = |seconds| CaptureTime::default().plus_seconds(seconds);
    let outbox = Outbox::open(folder.path()).unwrap();
    assert_eq!(outbox.answer("v-1").unwrap(), None);
    outbox.answered("v-1", at(300.0), at(10.0), "\"noted\"").unwrap();
    // The first answer stands: what comes again is told what came of it.
    outbox.answered("v-1", at(300.0), at(11.0), "\"quiet\"").unwrap();
    drop(outbox);
    let outbox = Outbox::open(folder.path()).unwrap();
    assert_eq!(outbox.answer("v-1").unwrap().as_deref(), Some("\"noted\""));
    outbox.answered("v-2", at(900.0), at(301.0), "\"done\"").unwrap();
    assert_eq!(outbox.answer("v-1").unwrap(), None, "its time is over, and age alone refuses it now");
    // With no room left none is taken, rather than one forgotten that is still good.
    let fill = "WITH RECURSIVE n (i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                INSERT INTO command (id, until, answer) SELECT i, ?2, '' FROM n";
    let most = |count: u64| {
        outbox.write(|tx| Ok(Ok(tx.execute(fill, rusqlite::params![count, at(900.0).nanos()])?))).unwrap();
    };
    assert!(outbox.takes_commands(at(302.0)).unwrap());
    most(super::answers::MOST + 1);
    assert!(!outbox.takes_commands(at(302.0)).unwrap());
    assert!(outbox.takes_commands(at(901.0)).unwrap());
}
