//! `docs/integrators.md`: its table is the contract, and its examples, taken from the page as a reader would, run
//! against a real broker and do what the page says.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use gridpatrol::mqtt::answer::{Done, Outcome};
use gridpatrol::mqtt::command::{Code, Order, Verb};
use gridpatrol::mqtt::contract::{Direction, TABLE};

use super::*;

const PAGE: &str = include_str!("../../docs/integrators.md");

/// The example whose first line begins with `# name`, in a folder of its own.
fn example(name: &str) -> (tempfile::TempDir, PathBuf) {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let mut texts = blocks.filter_map(|block| Some(block.split_once('\n')?.1));
    let text = texts
        .find(|text| text.starts_with(&format!("# {name}")))
        .unwrap_or_else(|| panic!("the page has no example {name}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// How an example is run: as the page says, with the broker's address and the libraries of `make test-setup`.
fn command(example: &std::path::Path, broker: &Mosquitto) -> Command {
    let interpreter = if example.extension().is_some_and(|e| e == "py") { "python3" } else { "sh" };
    let libraries = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(".setup/python");
    assert!(libraries.is_dir(), "{} is missing: run `make test-setup`", libraries.display());
    let mut command = Command::new(interpreter);
    command.arg(example).env("PORT", broker.port().to_string()).env("PYTHONPATH", libraries);
    command
}

/// A running example; killed on drop.
struct Running(Child, Receiver<String>);

impl Running {
    fn start(mut command: Command) -> Self {
        // In a group of its own, as a shell's programs do not end with it.
        let mut child = command.stdout(Stdio::piped()).process_group(0).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
        Self(child, receiver)
    }

    fn line(&self) -> String {
        self.1.recv_timeout(PATIENCE).expect("the example says nothing")
    }

    /// Lines up to the first that has `last` in it.
    fn until(&self, last: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while !lines.last().is_some_and(|line| line.contains(last)) {
            lines.push(self.line());
        }
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn the_table_of_the_page_is_the_contract() {
    let kept = |seconds: Option<u32>| match seconds {
        None => String::new(),
        Some(s) if s % 86_400 == 0 && s > 86_400 => format!("{} d", s / 86_400),
        Some(s) if s % 3600 == 0 => format!("{} h", s / 3600),
        Some(s) => format!("{} min", s / 60),
    };
    let rows = TABLE.map(|row| {
        let from = if row.direction == Direction::FromBox { "box" } else { "platform" };
        let retained = if row.retained { "yes" } else { "no" };
        let line = format!(
            "| `{}` | {from} | {} | {retained} | {} | {} |\n",
            row.address(),
            row.qos as u8,
            kept(row.expiry_s),
            row.title
        );
        line.replace("|  |", "| |")
    });
    assert!(PAGE.contains(&rows.concat()), "the page should have\n{}", rows.concat());
}

#[test]
fn the_examples_that_take_cases_take_each_once_with_its_pictures() {
    let broker = Mosquitto::start();
    let publish = |topic: &str, payload: &str| {
        let port = broker.port().to_string();
        let args = ["-h", "localhost", "-p", &port, "-V", "5", "-q", "1", "-t", topic, "-m", payload];
        assert!(Command::new("mosquitto_pub").args(args).status().unwrap().success());
    };
    let (_folder, shell) = example("watch.sh");
    let watch = Running::start(command(&shell, &broker));
    // It does not say when it has subscribed, so it is asked until it hears.
    while watch.1.recv_timeout(Duration::from_millis(100)).is_err() {
        publish("patrol/v1/s/b/case/g/k", r#"{"id":"probe"}"#);
    }
    let (_folder, python) = example("cases.py");
    let platform = Running::start(command(&python, &broker));
    assert_eq!(platform.line(), "connected");

    let everything = broker.subscribe(EVERYTHING);
    let mut box1 = Box1::new(plan(broker.port()));
    box1.connect();
    assert_eq!(platform.line(), "box box-1 online");
    let case = case_id(1);
    accept(&box1.outbox, &box1.plan, Change::Opened, &case, 0, &[Role::Overview]);
    let what = format!("illegal_parking 机动车乱停放 {} {case}", GRIDS[0]);
    assert_eq!(platform.line(), format!("opened {what}"));
    assert_eq!(platform.line(), format!("picture {case} overview 21 bytes"));
    box1.wait_for_backlog(0);
    // The same event again, as after a lost connection, and a picture that was changed on its way.
    let messages = everything.until(|message| message.topic.ends_with("/overview"));
    let opened = messages.iter().find(|message| message.topic.ends_with("/illegal_parking")).unwrap();
    publish(&opened.topic, std::str::from_utf8(&opened.payload).unwrap());
    publish(&messages.last().unwrap().topic, "another");
    assert_eq!(platform.line(), format!("picture {case} overview is not the one that the event names"));
    accept(&box1.outbox, &box1.plan, Change::Updated, &case, 0, &[]);
    accept(&box1.outbox, &box1.plan, Change::Cleared, &case, 0, &[Role::After]);
    assert_eq!(platform.line(), format!("updated {what}"));
    assert_eq!(platform.line(), format!("cleared {what}"));
    assert_eq!(platform.line(), format!("picture {case} after 18 bytes"));
    box1.stop();
    assert_eq!(platform.until("stopped").len(), 1);

    // Whoever was away gets what came meanwhile, once, as the broker holds it for the session.
    drop(platform);
    let mut box1 = Box1::new(box1.plan.clone());
    box1.connect();
    box1.open(&case_id(2));
    box1.wait_for_backlog(0);
    box1.stop();
    let platform = Running::start(command(&python, &broker));
    let lines = platform.until(&case_id(2));
    assert!(lines.last().unwrap().starts_with("opened "), "{lines:?}");
    // The shell saw every message, the repeated one too.
    let seen = watch.until(&case_id(2));
    let ids = seen.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone());
    let ids: Vec<Value> = ids.filter(|id| id != "probe").collect();
    assert_eq!((ids.len(), ids.iter().filter(|id| **id == ids[0]).count()), (5, 2));
}

/// Takes down what it was asked.
#[derive(Debug)]
struct Desk(Mutex<Vec<Order>>);

impl mqtt::Commander for Desk {
    fn now(&self) -> CaptureTime {
        CaptureTime::from_timestamp(jiff::Timestamp::now())
    }
    fn carry_out(&self, order: &Order) -> Outcome {
        self.0.lock().unwrap().push(order.clone());
        Ok(Done::new(Code::Noted))
    }
}

#[test]
fn the_examples_that_answer_a_case_are_heard_and_print_the_answer() {
    let broker = Mosquitto::start();
    let key = broker.file("key", "key-of-the-test\n");
    let mut box1 = Box1::new(plan(broker.port()));
    box1.plan.broker.commands = Verb::USUAL.to_vec();
    let desk = Arc::new(Desk(Mutex::default()));
    box1.commander = Some(desk.clone());
    let status = broker.subscribe(STATUS);
    box1.connect();
    status.until(state_is("online"));
    let say = |name: &str, verdict: &str, key: Option<&str>| -> Value {
        let (_folder, example) = example(name);
        let mut command = command(&example, &broker);
        command.args(["410102007", "box-1", &case_id(1), verdict]);
        if let Some(key) = key {
            command.env("COMMAND_KEY", key);
        }
        let said = Running::start(command).line();
        let answer = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{name} prints {said}: {e}"));
        assert_valid(Subject::Answer, &answer);
        answer
    };
    assert_eq!(say("verdict.sh", "rejected", None)["code"], "noted");
    assert_eq!(say("verdict.py", "confirmed", None)["code"], "noted");
    assert_eq!(desk.0.lock().unwrap().len(), 2);
    // A box with a key takes it signed only.
    box1.stop();
    let mut box1 = Box1::new(box1.plan.clone());
    box1.plan.broker.command_key = Some(key.into());
    box1.commander = Some(desk.clone());
    box1.connect();
    status.until(state_is("stopped"));
    status.until(state_is("online"));
    assert_eq!(say("verdict.py", "rejected", None)["code"], "unauthorized");
    assert_eq!(say("verdict.py", "rejected", Some("key-of-the-test"))["code"], "noted");
}

#[test]
fn the_verdict_on_the_page_is_one_that_a_box_reads() {
    let shown = PAGE.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    assert_valid(Subject::Verdict, &serde_json::from_str(shown).unwrap());
}
