//! The demo's own broker and subscriber.

use super::*;

#[test]
fn the_demo_subscriber_tells_each_case_and_keeps_its_checked_pictures() {
    let broker = demo::Broker::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let told = folder.path().join("told.txt");
    let out = std::fs::File::create(&told).unwrap();
    let subscriber = demo::Subscriber::start(broker.address(), folder.path().join("pictures"), out).unwrap();
    let mut box1 = Box1::new(plan(broker.address().port()));
    box1.connect();
    accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(1), 0, &[Role::First, Role::Overview]);
    accept(&box1.outbox, &box1.plan, Change::Cleared, &case_id(1), 0, &[Role::After]);
    accept(&box1.outbox, &box1.plan, Change::Opened, &case_id(2), 1, &[]);
    box1.stop();
    assert_eq!(box1.outbox.backlog().unwrap().total(), 0);
    let counts = subscriber.finish(PATIENCE).unwrap();
    let expected = demo::Counts { opened: 2, cleared: 1, pictures: 3, ..demo::Counts::default() };
    let told = std::fs::read_to_string(told).unwrap();
    assert_eq!(counts, expected, "{told}");
    for said in [
        "机动车乱停放 Illegal parking",
        "410102007003012",
        "cam-05",
        "20 s",
        "人员聚集 Crowd",
        "SHA-256 matches",
    ] {
        assert!(told.contains(said), "{said} is not in\n{told}");
    }
    let file = folder.path().join("pictures").join(format!("{}-after.jpg", case_id(1)));
    assert_eq!(std::fs::read(file).unwrap(), picture(Role::After).bytes);
}
