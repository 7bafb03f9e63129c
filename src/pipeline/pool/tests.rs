use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Condvar;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::CaptureTime;
use crate::config::ConfigFile;
use crate::detect::{BBox, Detection, Label, ModelIdentity, Vocabulary};
use crate::evidence::Pictures;
use crate::plan::Plan;

/// Longest wait for what must happen; over means that it never will.
const NEVER: Duration = Duration::from_secs(60);

/// What the scripted detectors of one pool share. A frame's width tells its camera, from 1.
#[derive(Default)]
struct Script {
    inside: Mutex<Scene>,
    changed: Condvar,
}

#[derive(Default)]
struct Scene {
    /// Seconds of capture time of each look, in order, by camera.
    looks: BTreeMap<usize, Vec<i64>>,
    /// Cameras that are being looked at.
    busy: BTreeSet<usize>,
    /// Whether two workers ever were on one camera.
    doubled: bool,
    /// Cameras whose looks wait until they leave this set.
    stuck: BTreeSet<usize>,
    /// Cameras that show a car.
    parked: BTreeSet<usize>,
}

impl Script {
    fn scene(&self) -> MutexGuard<'_, Scene> {
        self.inside.lock().unwrap()
    }

    fn free(&self) {
        self.scene().stuck.clear();
        self.changed.notify_all();
    }

    fn wait_until(&self, what: &str, holds: impl Fn(&Scene) -> bool) {
        let (scene, over) =
            self.changed.wait_timeout_while(self.scene(), NEVER, |scene| !holds(scene)).unwrap();
        drop(scene);
        if over.timed_out() {
            self.free();
            panic!("it never came to this: {what}");
        }
    }
}

struct Scripted {
    script: Arc<Script>,
    fails_on: usize,
    vocabulary: Vocabulary,
    identity: ModelIdentity,
}

impl Detector for Scripted {
    fn detect(&mut self, frame: &Frame, _: f32, out: &mut Vec<Detection>) -> Result<()> {
        out.clear();
        let camera = frame.width;
        let mut scene = self.script.scene();
        scene.doubled |= !scene.busy.insert(camera);
        self.script.changed.notify_all();
        let mut scene = self.script.changed.wait_while(scene, |scene| scene.stuck.contains(&camera)).unwrap();
        scene.busy.remove(&camera);
        scene.looks.entry(camera).or_default().push(frame.captured.nanos() / 1_000_000_000);
        if scene.parked.contains(&camera) {
            let bbox = BBox { x1: 0.6, y1: 0.2, x2: 0.8, y2: 0.4 };
            out.push(Detection { label: Label(0), score: 0.9, bbox });
        }
        self.script.changed.notify_all();
        if camera == self.fails_on {
            return Err(Error::new(Kind::System, "scripted to fail"));
        }
        Ok(())
    }

    fn detect_region(&mut self, _: &Frame, _: BBox, _: f32, _: &mut Vec<Detection>) -> Result<()> {
        Ok(())
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn identity(&self) -> &ModelIdentity {
        &self.identity
    }

    fn input_size(&self) -> (usize, usize) {
        (8, 8)
    }
}

fn vocabulary() -> Vocabulary {
    Vocabulary::new(vec!["car".to_owned()])
}

/// Four cameras and what is around them.
struct Stage {
    script: Arc<Script>,
    bell: Arc<Bell>,
    mailboxes: Vec<Arc<Mailbox>>,
    shutdown: Shutdown,
    fails_on: usize,
}

impl Stage {
    fn new() -> Self {
        Self {
            script: Arc::default(),
            bell: Arc::default(),
            mailboxes: (0..4).map(|_| Arc::default()).collect(),
            shutdown: Shutdown::default(),
            fails_on: 0,
        }
    }

    fn pool(&self) -> Pool {
        let folder = tempfile::tempdir().unwrap();
        let mut text = "edge = { street = \"1\", box = \"b\" }\nprivacy.pictures = false\n".to_owned();
        for camera in 1..=4 {
            text += &format!(
                "[[camera]]\nid = \"c{camera}\"\nsource = \".\"\nlooks_per_second = 60.0\n\
                 zone = [{{ id = \"z\", kind = \"no_parking\", grid = \"1\", \
                 rule.illegal_parking.dwell_s = 3, \
                 polygon = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]] }}]\n"
            );
        }
        text += &format!(
            "[model]\npath = {:?}\n",
            Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nanodet-g-416")
        );
        let plan = Plan::new(&ConfigFile::parse(&folder.path().join("edge.toml"), text).unwrap()).unwrap();
        let cameras = plan.cameras.iter().zip(&self.mailboxes).map(|(camera, mailbox)| {
            WorkerCamera::new(Chain::new(&plan, camera, vocabulary(), Pictures::Off), mailbox.clone())
        });
        Pool::new(cameras.collect(), self.bell.clone())
    }

    fn detectors(&self, count: usize) -> Vec<Box<dyn Detector>> {
        let detector = || {
            Box::new(Scripted {
                script: self.script.clone(),
                fails_on: self.fails_on,
                vocabulary: vocabulary(),
                identity: ModelIdentity { name: "scripted".to_owned(), sha256: String::new() },
            }) as Box<dyn Detector>
        };
        (0..count).map(|_| detector()).collect()
    }

    /// Posts a frame of `camera` (from 1) of second `second`.
    fn post(&self, camera: usize, second: i64) {
        let mut frame = Frame {
            width: camera,
            captured: CaptureTime::from_nanos(second * 1_000_000_000),
            ..Frame::default()
        };
        self.mailboxes[camera - 1].post(&mut frame);
        self.bell.ring();
    }

    fn end(&self) {
        self.mailboxes.iter().for_each(|mailbox| mailbox.end());
        self.bell.ring();
    }

    /// Posts a frame of each of `cameras`, and waits until all were looked at, `seconds` times.
    fn feed(&self, cameras: &[usize], seconds: std::ops::RangeInclusive<i64>) {
        for second in seconds {
            cameras.iter().for_each(|&camera| self.post(camera, second));
            self.script.wait_until("each free camera is looked at", |scene| {
                cameras.iter().all(|camera| scene.looks.get(camera).and_then(|l| l.last()) == Some(&second))
            });
        }
    }
}

#[test]
fn a_slow_camera_holds_up_no_other_and_each_camera_is_seen_in_order() {
    let stage = Stage::new();
    stage.script.scene().stuck.insert(1);
    let (ended, looked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            stage.pool().run(&mut stage.detectors(2), false, &stage.shutdown, |_, moment, _| {
                let count = if moment == Moment::End { &ended } else { &looked };
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
        });
        stage.post(1, 1);
        stage.script.wait_until("the slow camera is looked at", |scene| scene.busy.contains(&1));
        stage.feed(&[2, 3, 4], 1..=20);
        // The slow camera's next frames come while its first look lasts: only the latest is kept.
        stage.post(1, 2);
        stage.post(1, 3);
        stage.script.free();
        stage
            .script
            .wait_until("the slow camera is seen", |scene| scene.looks.get(&1).is_some_and(|l| l.len() == 2));
        stage.end();
        running.join().unwrap().unwrap();
    });
    let scene = stage.script.scene();
    assert!(!scene.doubled, "two workers were on one camera");
    assert_eq!(scene.looks[&1], [1, 3]);
    for camera in 2..=4 {
        assert_eq!(scene.looks[&camera], (1..=20).collect::<Vec<_>>(), "camera {camera}");
    }
    assert_eq!((looked.into_inner(), ended.into_inner()), (62, 4));
}

#[test]
fn a_camera_whose_looks_fail_holds_up_no_other() {
    let stage = Stage { fails_on: 2, ..Stage::new() };
    let kept = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            stage.pool().run(&mut stage.detectors(1), false, &stage.shutdown, |chain, moment, _| {
                if moment == Moment::Look {
                    kept.lock().unwrap().insert(chain.camera.id.clone());
                }
                Ok(())
            })
        });
        stage.feed(&[1, 2, 3, 4], 1..=5);
        stage.end();
        running.join().unwrap().unwrap();
    });
    let kept: Vec<String> = kept.into_inner().unwrap().into_iter().collect();
    assert_eq!(kept, ["c1", "c3", "c4"], "a failed look is not handed on");
}

#[test]
fn a_stop_ends_the_workers_and_hands_on_every_camera() {
    let stage = Stage::new();
    let ended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            stage.pool().run(&mut stage.detectors(3), true, &stage.shutdown, |_, moment, _| {
                ended.fetch_add(usize::from(moment == Moment::End), Ordering::Relaxed);
                Ok(())
            })
        });
        stage.feed(&[1, 2], 1..=2);
        stage.shutdown.request();
        running.join().unwrap().unwrap();
    });
    assert_eq!(ended.into_inner(), 4);
}

#[test]
fn an_error_in_handing_on_stops_all_workers_and_is_returned() {
    let stage = Stage::new();
    let error = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            stage.pool().run(&mut stage.detectors(2), false, &stage.shutdown, |chain, moment, _| {
                match (chain.camera.id.as_str(), moment) {
                    ("c3", Moment::Look) => Err(Error::new(Kind::Disk, "the disk is full")),
                    (_, Moment::End) => panic!("nothing is handed on after a failure"),
                    _ => Ok(()),
                }
            })
        });
        stage.feed(&[1, 2], 1..=2);
        stage.post(3, 1);
        // Nobody asks the workers to stop, and no input ends.
        running.join().unwrap().unwrap_err()
    });
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Disk, "the disk is full"));
}

#[test]
fn the_camera_whose_look_is_most_overdue_is_served_first() {
    let stage = Stage::new();
    let pool = stage.pool();
    (1..=4).for_each(|camera| stage.post(camera, 1));
    let now = Instant::now();
    let ahead = |seconds| Some(now + Duration::from_secs(seconds));
    {
        let mut board = pool.lock();
        for (seat, due) in [ahead(30), ahead(10), None, ahead(20)].into_iter().enumerate() {
            board.seats[seat].camera.as_mut().unwrap().due = due;
        }
    }
    let mut order = Vec::new();
    while let Next::Serve(seat, _camera) = pool.next() {
        order.push(seat);
    }
    assert_eq!(order, [2, 1, 3, 0]);
}

#[test]
fn under_overload_cameras_take_turns_and_what_is_left_out_is_counted() {
    let stage = Stage::new();
    let (order, second) = (Mutex::new(Vec::new()), AtomicUsize::new(1));
    (1..=4).for_each(|camera| stage.post(camera, 1));
    // There is always a newer frame of each camera than the one worker can look at, and of the first five times as
    // many.
    stage
        .pool()
        .run(&mut stage.detectors(1), false, &stage.shutdown, |chain, moment, _| {
            if moment == Moment::End {
                return Ok(());
            }
            for camera in [1, 1, 1, 1, 1, 2, 3, 4] {
                stage.post(camera, second.fetch_add(1, Ordering::Relaxed) as i64 + 1);
            }
            let mut order = order.lock().unwrap();
            order.push(chain.camera.id.clone());
            if order.len() == 80 {
                stage.shutdown.request();
            }
            Ok(())
        })
        .unwrap();
    let order = order.into_inner().unwrap();
    assert_eq!(order[..4].iter().collect::<BTreeSet<_>>().len(), 4, "{order:?}");
    assert!(
        order.windows(5).all(|five| five[0] == five[4]),
        "nobody waits for longer than a round: {order:?}"
    );
    for (mailbox, posted) in stage.mailboxes.iter().zip([401, 81, 81, 81]) {
        // Twenty were looked at, and one still waits.
        assert_eq!(mailbox.dropped(), posted - 20 - 1);
    }
}

#[test]
fn the_pictures_of_a_case_hold_up_no_other_camera() {
    let stage = Stage::new();
    stage.script.scene().parked.insert(1);
    let (fed, cases) = (Mutex::new(false), Mutex::new(Vec::new()));
    let told = Condvar::new();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let prover = stage.detectors(1).remove(0);
            let pool = stage.pool().with_prover(prover);
            pool.run(&mut stage.detectors(1), false, &stage.shutdown, |chain, moment, reports| {
                if moment == Moment::Look && !reports.is_empty() {
                    cases.lock().unwrap().push((chain.camera.id.clone(), reports.len()));
                    // Under the lock, so that who waits for it has either seen it or hears this.
                    let scene = stage.script.scene();
                    stage.script.changed.notify_all();
                    drop(scene);
                    let (_fed, over) =
                        told.wait_timeout_while(fed.lock().unwrap(), NEVER, |fed| !*fed).unwrap();
                    assert!(!over.timed_out(), "the only worker waits for the pictures of camera 1");
                }
                Ok(())
            })
        });
        // The case opens on the fourth look at the latest; then only the others are fed.
        for second in 1..=8 {
            stage.post(1, second);
            stage.script.wait_until("camera 1 is looked at, or its case waits", |scene| {
                scene.looks.get(&1).and_then(|l| l.last()) == Some(&second)
                    || !cases.lock().unwrap().is_empty()
            });
            stage.feed(&[2, 3, 4], second..=second);
            if !cases.lock().unwrap().is_empty() {
                break;
            }
        }
        assert_eq!(*cases.lock().unwrap(), [("c1".to_owned(), 1)]);
        stage.feed(&[2, 3, 4], 11..=30);
        *fed.lock().unwrap() = true;
        told.notify_all();
        stage.feed(&[1, 2, 3, 4], 31..=33);
        stage.end();
        running.join().unwrap().unwrap();
    });
    let scene = stage.script.scene();
    assert!(!scene.doubled, "two threads were on one camera");
    assert_eq!(scene.looks[&1].last(), Some(&33), "camera 1 is looked at again");
}

#[test]
fn a_case_whose_pictures_wait_when_the_box_stops_is_still_handed_on() {
    let stage = Stage::new();
    stage.script.scene().parked.extend([1, 2]);
    let cases = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let prover = stage.detectors(1).remove(0);
            let pool = stage.pool().with_prover(prover);
            pool.run(&mut stage.detectors(1), false, &stage.shutdown, |chain, _, reports| {
                if !reports.is_empty() {
                    // The prover is slow, and the stop comes while the second camera's case waits for it.
                    stage.script.wait_until("both cases are on their way", |scene| {
                        [1, 2].iter().all(|camera| scene.looks.get(camera).is_some_and(|l| l.len() >= 4))
                    });
                    stage.shutdown.request();
                    cases.lock().unwrap().insert(chain.camera.id.clone());
                    reports.clear();
                }
                Ok(())
            })
        });
        for second in 1..=4 {
            for camera in [1, 2] {
                stage.post(camera, second);
                stage.script.wait_until("it is looked at", |scene| {
                    scene.looks.get(&camera).and_then(|l| l.last()) == Some(&second)
                });
            }
        }
        running.join().unwrap().unwrap();
    });
    assert_eq!(cases.into_inner().unwrap().into_iter().collect::<Vec<_>>(), ["c1", "c2"]);
}

#[test]
fn cameras_come_and_go_while_the_workers_run_and_no_other_notices() {
    let stage = Stage::new();
    let pool = stage.pool().that_stays();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            pool.run(&mut stage.detectors(2), false, &stage.shutdown, |_, _, reports| {
                reports.clear();
                Ok(())
            })
        });
        stage.feed(&[1, 2, 3, 4], 1..=2);
        let gone = pool.remove("c2").expect("it is given back between two looks");
        assert_eq!(gone.chain.looks(), 2);
        assert!(pool.remove("c2").is_none() && pool.remove("nobody").is_none());
        stage.post(2, 3);
        stage.feed(&[1, 3, 4], 3..=4);
        assert_eq!(stage.script.scene().looks[&2], [1, 2], "who has gone is looked at no more");
        // All inputs but that of a newcomer are at their end, and the workers are still there for it.
        assert!(pool.add(gone).is_ok());
        stage.feed(&[2], 5..=6);
        stage.end();
        stage.shutdown.request();
        running.join().unwrap().unwrap();
        assert!(pool.remove("c1").is_some(), "who has stopped gives back what it has");
    });
}
