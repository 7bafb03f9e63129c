use super::*;
use crate::desk::life::{Role, State};
use crate::desk::model::Origin;

fn case<'a>(number: i64) -> NewCase<'a> {
    NewCase {
        origin: Origin::Patrol,
        source: None,
        case_id: None,
        kind: "road_damage",
        name_zh: "道路破损",
        name_en: "Road damage",
        code: None,
        grid: "g1",
        place: "门口",
        camera: None,
        zone: None,
        spot: None,
        position: None,
        description: "",
        class: "visible",
        severity: 1,
        state: State::Accepted,
        observed_at: number,
        received_at: number,
        respond_due_at: 10,
        due_at: 20,
        recurrence: None,
        reporter: None,
        contact: None,
        day: "20261126",
    }
}

fn entry<'a>() -> NewEntry<'a> {
    NewEntry {
        at: 1,
        account: None,
        role: Role::System,
        who: "",
        what: "opened",
        from: None,
        to: Some(State::Accepted),
        note: "",
    }
}

#[test]
fn the_timeline_cannot_be_rewritten() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store
        .put(|tx| {
            let id = tx.add_case(&case(1))?;
            tx.note(id, &entry())
        })
        .unwrap();
    for query in ["UPDATE timeline SET note = 'x'", "DELETE FROM timeline"] {
        let error = store.put(|tx| tx.execute(query, [])).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("only added to"), "{cause}");
    }
    assert_eq!(store.read(|db| cases::timeline(db, 1)).unwrap().len(), 1);
}

#[test]
fn facts_in_memory_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    store
        .put(|tx| {
            for n in 0..3 {
                tx.add_case(&case(n))?;
            }
            let change = Change {
                state: Some(State::Disposed),
                disposed: Some(Some((7, Some(1)))),
                department: Some(Some("urban".to_owned())),
                ..Change::default()
            };
            tx.change(2, &change, "dispose")?;
            tx.ask(3, 8, 9)?;
            tx.answer(3, 8, true, 5, "")
        })
        .unwrap();
    // What is not written is not kept either.
    let failed: Result<()> = store.write(|tx| {
        tx.change(1, &Change { state: Some(State::Closed), ..Change::default() }, "close")?;
        Err(Trouble::Other(Error::new(Kind::System, "no")))
    });
    assert!(failed.is_err());
    let in_memory = store.facts().spelled();
    let in_rows = store.read(facts::load).unwrap().spelled();
    assert_eq!(in_memory.len(), 3);
    assert_eq!(in_memory, in_rows);
    assert_eq!(in_memory[1].3.disposed_at, Some(7));
    assert_eq!(in_memory[2].3.satisfaction, Some(5));
}

#[test]
fn a_newer_file_is_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path()).unwrap());
    let db = Connection::open(folder.path().join(FILE_NAME)).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Store::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("version 99"), "{error}");
}

#[test]
fn the_folder_is_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("data");
    drop(Store::open(&inner).unwrap());
    assert_eq!(std::fs::metadata(&inner).unwrap().permissions().mode() & 0o777, 0o700);
}
