//! What the desk keeps, and for how long.

use super::*;

const DAY: Millis = 86_400_000;

#[test]
fn pictures_go_when_their_case_has_been_over_for_long_enough_and_no_others() {
    let street = Street::new();
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let boss = street.person("root", Role::Admin, &[]);
    let (shared, own, standing, early) = (jpeg(1), jpeg(2), jpeg(3), jpeg(4));
    let ended = Told {
        pictures: vec![("overview", sha256_of(&shared)), ("closeup", sha256_of(&own))],
        ..Told::opened(1)
    };
    // It shows the same as one of a case that is over, and lies in the folder once.
    let open = Told {
        pictures: vec![("overview", sha256_of(&shared)), ("closeup", sha256_of(&standing))],
        ..Told::opened(2)
    };
    street.take_in(&[
        ended.message(),
        ended.picture("overview", &shared),
        ended.picture("closeup", &own),
        open.message(),
        open.picture("overview", &shared),
        open.picture("closeup", &standing),
        Told::opened(9).picture("overview", &early),
    ]);
    let cases = street.desk.list(&worker, &Filter::default(), None, 10).unwrap().cases;
    let of = |n: u32| {
        let found = cases
            .iter()
            .find(|case| street.desk.case(&worker, case.id).unwrap().seen.unwrap().case_id == case_id(n));
        found.unwrap().id
    };
    let (over, stands) = (of(1), of(2));
    street.act(&worker, over, Action::Accept).unwrap();
    let order = Order { action: dispose(), version: None };
    let done = street.desk.act(&worker, over, order, vec![jpeg(5)]).unwrap();
    let photo = done.pictures.iter().find(|picture| picture.role == "disposal").unwrap();
    let (photo, photo_id) = (photo.sha256.clone(), photo.id);
    street.act(&boss, over, verify()).unwrap();
    street.act(&boss, over, close()).unwrap();
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let [shared, own, standing, early] = [&shared, &own, &standing, &early].map(|jpeg| sha256_of(jpeg));
    let all = sorted(vec![shared.clone(), own.clone(), standing.clone(), early.clone(), photo.clone()]);
    street.desk.tidy().unwrap();
    assert_eq!(street.files(), all);

    // A picture whose event never came goes after a day; those of the case that is over after 90.
    street.wait(DAY + 1);
    street.desk.tidy().unwrap();
    assert_eq!(street.files(), sorted(vec![shared.clone(), own.clone(), standing.clone(), photo.clone()]));
    street.wait(88 * DAY);
    street.desk.tidy().unwrap();
    assert_eq!(street.files().len(), 4, "89 days");
    assert!(street.desk.picture(&worker, photo_id).is_ok());
    street.wait(DAY);
    street.desk.tidy().unwrap();
    assert_eq!(street.files(), sorted(vec![shared, standing]));
    let case = street.desk.case(&worker, over).unwrap();
    assert!(case.pictures.is_empty() && case.case.thumb.is_none());
    assert!(case.timeline.iter().any(|entry| entry.what == "dispose"), "what happened is known for ever");
    assert_not_found(street.desk.picture(&worker, photo_id));
    let case = street.desk.case(&worker, stands).unwrap();
    assert!(case.pictures.iter().all(|picture| picture.is_here) && case.case.thumb.is_some());
    assert!(street.desk.picture(&worker, case.pictures[0].id).is_ok());
    assert_eq!(street.desk.sweep().unwrap(), 0, "no file is left without a case");
}

#[test]
fn how_long_is_the_operators_to_say() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("{CONFIG}[storage]\ndir = \"data\"\npictures_days = 1\n");
    let config = TomlFile::parse(&folder.path().join("desk.toml"), text).unwrap();
    let clock = Arc::new(TestClock(AtomicI64::new(TEN)));
    let desk = Arc::new(Desk::with_clock(DeskPlan::new(&config).unwrap(), clock.clone()).unwrap());
    let street = Street { folder, clock, desk };
    let worker = street.person("li", Role::Worker, &[SOUTH]);
    let shot = jpeg(1);
    let told = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(1) };
    street.take_in(&[told.message(), told.picture("overview", &shot)]);
    let id = street.only(&worker);
    let reject =
        Action::Reject { reason: gridpatrol::desk::life::RejectReason::NotThere, note: String::new() };
    street.act(&worker, id, reject).unwrap();
    street.wait(DAY + 1);
    street.desk.tidy().unwrap();
    assert_eq!(street.files(), Vec::<String>::new());
}
