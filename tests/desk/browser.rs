//! The desk in a real browser, from a camera's case on a real broker to the resident's answer and the rates. Needs
//! chromium, chromedriver, a Chinese font and axe-core: `scripts/setup.sh test` brings them.
//! `DESK_SCREENSHOTS` names a folder that the screenshots stay in; without it they go with the test.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::broker::publish;
use super::pages::{Pages, photo};
use super::*;
use crate::support::mosquitto::{Mosquitto, PATIENCE};

/// Key under which WebDriver names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A chromedriver, killed on drop.
struct Driver {
    child: Child,
    base: String,
}

impl Driver {
    fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; scripts/setup.sh test installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().expect("chromedriver names its port").unwrap();
            if let Some(port) = line.split("successfully on port ").nth(1) {
                break port.trim_end_matches('.').to_owned();
            }
        };
        // It stops when nobody reads what it says.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, base: format!("http://127.0.0.1:{port}") }
    }

    /// A browser window of somebody: a phone of 360 px, or a desktop.
    fn window(&self, is_phone: bool) -> Window<'_> {
        let mut options = json!({"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--lang=zh-CN", "--window-size=1280,900", "--hide-scrollbars"]});
        if is_phone {
            options["mobileEmulation"] = json!({"deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2.0, "touch": true, "mobile": true}});
        }
        let wants = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut window = Window {
            driver: self,
            agent,
            session: String::new(),
            width: if is_phone { "360" } else { "1280" },
        };
        let made = window.call("POST", "/session", &wants);
        window.session = format!("/session/{}", made["sessionId"].as_str().unwrap());
        window
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends its browsers itself when it is asked to.
        let _ = ureq::get(format!("{}/shutdown", self.base)).call();
        std::thread::sleep(Duration::from_millis(300));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Window<'a> {
    driver: &'a Driver,
    agent: ureq::Agent,
    session: String,
    width: &'static str,
}

impl Window<'_> {
    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.driver.base);
        let answer = match method {
            "GET" => self.agent.get(url).call(),
            "DELETE" => self.agent.delete(url).call(),
            _ => self.agent.post(url).header("content-type", "application/json").send(body.to_string()),
        };
        let mut answer = answer.unwrap();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        if answer.status().is_success() {
            Ok(value["value"].clone())
        } else {
            Err(value["value"]["message"].to_string())
        }
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        match self.try_call(method, path, body) {
            Ok(value) => value,
            Err(e) => panic!("{method} {path} {body}: {e}\n{}", self.text()),
        }
    }

    fn of(&self, path: &str) -> String {
        format!("{}{path}", self.session)
    }

    #[track_caller]
    fn open(&self, url: &str) {
        self.call("POST", &self.of("/url"), &json!({"url": url}));
    }

    fn run(&self, script: &str) -> Value {
        self.try_call("POST", &self.of("/execute/sync"), &json!({"script": script, "args": []}))
            .unwrap_or(Value::Null)
    }

    /// What the page says.
    fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn until(&self, what: &str, script: &str) {
        let began = Instant::now();
        while self.run(script) != Value::Bool(true) {
            assert!(began.elapsed() < PATIENCE, "not so after {PATIENCE:?}: {what}\n{}", self.text());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn until_says(&self, words: &str) {
        self.until(
            words,
            &format!(
                "return document.readyState == 'complete' && document.body.innerText.includes('{words}')"
            ),
        );
    }

    #[track_caller]
    fn find(&self, css: &str) -> String {
        let began = Instant::now();
        loop {
            let found =
                self.try_call("POST", &self.of("/element"), &json!({"using": "css selector", "value": css}));
            match found {
                Ok(found) => return self.of(&format!("/element/{}", found[ELEMENT].as_str().unwrap())),
                Err(e) => assert!(began.elapsed() < PATIENCE, "{css}: {e}\n{}", self.text()),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks what `css` finds as soon as it can be clicked: a live page may just have replaced it.
    #[track_caller]
    fn click(&self, css: &str) {
        let began = Instant::now();
        loop {
            let element = self.find(css);
            match self.try_call("POST", &format!("{element}/click"), &json!({})) {
                Ok(_) => return,
                Err(e) => assert!(began.elapsed() < PATIENCE, "{css}: {e}\n{}", self.text()),
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn write(&self, css: &str, text: &str) {
        let element = self.find(css);
        self.call("POST", &format!("{element}/value"), &json!({"text": text}));
    }

    #[track_caller]
    fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value='{value}']"));
    }

    #[track_caller]
    fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.call(
            "POST",
            &self.of("/actions"),
            &json!({"actions": [{"type": "key", "id": "keys", "actions": keys}]}),
        );
    }

    #[track_caller]
    fn sign_in(&self, base: &str, login: &str) {
        self.open(&format!("{base}/login"));
        self.write("#login", login);
        self.write("#password", PASSWORD);
        self.click("form[action='/login'] button");
        self.until("somebody is signed in", "return location.pathname != '/login'");
    }
}

/// What looks at pages: takes a screenshot, and says what is wrong with them.
struct Look {
    folder: PathBuf,
    axe: String,
    faults: Vec<String>,
    taken: usize,
}

impl Look {
    fn at(&mut self, window: &Window<'_>, name: &str) {
        self.taken += 1;
        let wide = window.run("return Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - document.documentElement.clientWidth");
        if wide != json!(0) {
            let which = window.run(
                "const w = document.documentElement.clientWidth; return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > w + 1 && !e.closest('.scroll')).slice(0, 5).map(e => e.outerHTML.slice(0, 90))",
            );
            self.faults.push(format!("{name} at {} px is {wide} px too wide: {which}", window.width));
        }
        // Text that its own box cuts off.
        let clipped = window.run(
            "return [...document.querySelectorAll('main *, header *')].filter(e => e.children.length == 0 && e.textContent.trim() && e.clientWidth > 1 && getComputedStyle(e).overflowX != 'visible' && e.scrollWidth > e.clientWidth + 1 && !['TEXTAREA', 'INPUT', 'SELECT', 'OPTION'].includes(e.tagName)).map(e => e.outerHTML.slice(0, 90))",
        );
        if clipped != json!([]) {
            self.faults.push(format!("{name} at {} px clips {clipped}", window.width));
        }
        window.run(&self.axe);
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 140) + ' ' + (n.failureSummary || '').slice(0, 200)).join(' | '))), e => done(['axe: ' + e]))";
        let found = window.call("POST", &window.of("/execute/async"), &json!({"script": script, "args": []}));
        for violation in found.as_array().expect("axe-core answers") {
            self.faults.push(format!("{name} at {} px: {}", window.width, violation.as_str().unwrap()));
        }
        let tall = window.run("return Math.min(4000, document.documentElement.scrollHeight)");
        let whole = json!({"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": true, "clip":
            {"x": 0, "y": 0, "width": window.width.parse::<u32>().unwrap(), "height": tall, "scale": 1}}});
        let shot = window.call("POST", &window.of("/goog/cdp/execute"), &whole);
        let bytes = base64(shot["data"].as_str().unwrap());
        std::fs::write(self.folder.join(format!("{name}-{}.png", window.width)), bytes).unwrap();
    }
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(digit).collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let word =
            four.iter().fold(0_u32, |word, digit| word << 6 | u32::from(*digit)) << (6 * (4 - four.len()));
        word.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}

fn at(now: Millis, told: Told) -> Told {
    Told { first_seen: now - 300_000, last_seen: now, ..told }
}

#[test]
fn a_case_goes_from_the_camera_to_the_resident_in_a_real_browser() {
    let axe = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".setup/axe/axe.min.js");
    let axe = std::fs::read_to_string(axe).expect("axe-core is there; scripts/setup.sh test brings it");
    let kept = std::env::var_os("DESK_SCREENSHOTS").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let shots = kept.unwrap_or_else(|| folder.path().join("shots"));
    std::fs::create_dir_all(&shots).unwrap();
    let mut look = Look { folder: shots, axe, faults: Vec::new(), taken: 0 };
    let picture = folder.path().join("photo.jpg");
    std::fs::write(&picture, photo(3)).unwrap();
    let picture = picture.to_str().unwrap();

    let broker = Mosquitto::start();
    let pages = Pages::now(&format!("[mqtt]\nurl = \"mqtt://127.0.0.1:{}\"\n", broker.port()));
    let (desk, base) = (&pages.street.desk, pages.base.as_str());
    pages.runtime().spawn(gridpatrol::desk::run(Arc::clone(desk), std::future::pending()));
    let admin = pages.street.person("root", Role::Admin, &[]);
    pages.street.person("li", Role::Worker, &[SOUTH]);
    pages.street.person("wang", Role::Centre, &[]);
    pages.street.person("urban", Role::Department, &[]);
    let began = Instant::now();
    while !desk.health(&admin).unwrap().broker.connected {
        assert!(began.elapsed() < PATIENCE, "the desk reaches the broker");
        std::thread::sleep(Duration::from_millis(20));
    }

    let driver = Driver::start();
    let worker = driver.window(true);
    worker.open(&format!("{base}/inbox"));
    look.at(&worker, "login");
    worker.sign_in(base, "li");
    worker.until_says("没有待核实的案件");
    worker.until("the page is live", "return performance.getEntriesByType('resource').length > 0");
    look.at(&worker, "inbox-empty");

    // Cases come from a box over the broker, and appear without the page being asked for.
    let now = jiff::Timestamp::now().as_millisecond();
    let (first, second) = (photo(1), photo(2));
    let parked = Told { pictures: vec![("overview", sha256_of(&first))], ..at(now, Told::opened(1)) };
    let other = Told {
        pictures: vec![("overview", sha256_of(&second))],
        severity: "ALERT",
        ..at(now, Told::opened(2))
    };
    let third = at(now, Told::opened(3));
    let messages = [
        parked.message(),
        parked.picture("overview", &first),
        other.message(),
        other.picture("overview", &second),
        third.message(),
    ];
    publish(broker.port(), &messages, None);
    worker.until("three cards", "return document.querySelectorAll('.card').length == 3");
    worker.until("two pictures", "return [...document.querySelectorAll('.card img')].filter(i => i.complete && i.naturalWidth).length >= 1");
    look.at(&worker, "inbox");

    // One tap confirms, one takes it back, and the picture enlarges.
    let cases = desk.list(&admin, &Filter::default(), None, 10).unwrap().cases;
    let id_of = |n: u32| {
        let found = cases.iter().find(|case| {
            let seen = desk.case(&admin, case.id).unwrap().seen.unwrap();
            seen.case_id == case_id(n)
        });
        found.unwrap().id
    };
    let (one, two, three) = (id_of(1), id_of(2), id_of(3));
    worker.click(&format!("[data-case='{one}'] [data-zoom]"));
    worker.until(
        "the picture is large",
        "return document.querySelector('dialog[open] img').naturalWidth > 100",
    );
    worker.until("with its marks", "return document.querySelectorAll('dialog[open] .marks *').length == 2");
    look.at(&worker, "zoom");
    worker.click("dialog.zoom button");
    worker.click(&format!("[data-case='{one}'] [data-key='c']"));
    worker.until_says("撤销");
    look.at(&worker, "inbox-undo");
    worker.click("[data-undo]");
    worker.until(
        "it is back",
        &format!("return !!document.querySelector('[data-case=\"{one}\"] [data-key=\"c\"]')"),
    );
    worker.click(&format!("[data-case='{three}'] [data-key='r']"));
    worker.until("reasons", "return document.querySelectorAll('details.reject[open] button').length == 5");
    look.at(&worker, "inbox-reject");
    worker.click(&format!("[data-case='{three}'] [value='not_there']"));
    worker.until_says("不立案");
    worker.click(&format!("[data-case='{one}'] [data-key='c']"));
    worker.until("one card is left", "return document.querySelectorAll('.card').length == 1");

    // Disposed of with a photo and a note.
    worker.open(&format!("{base}/case/{one}"));
    look.at(&worker, "case");
    // The zone and the box lie over the picture, and can be taken off.
    let seen = "return getComputedStyle(document.querySelector('.pictures .marks rect')).display != 'none' && document.querySelector('.pictures .marks').getBoundingClientRect().width";
    let over = "return document.querySelector('.pictures img').getBoundingClientRect().width";
    assert_eq!(worker.run(seen), worker.run(over));
    worker.click("label:has(#marks)");
    worker.until(
        "they are off",
        "return document.querySelector('.pictures .marks').getBoundingClientRect().width == 0",
    );
    worker.click("label:has(#marks)");
    worker.click("button[value='start']");
    worker.until_says("处置中");
    worker.write("#note-dispose", "已联系车主挪车");
    worker.write("#photo-dispose", picture);
    worker.click("#note-dispose ~ button");
    worker.until_says("已处置");
    worker.until_says("处置照片");
    look.at(&worker, "case-disposed");

    // The other is too much for the grid.
    worker.open(&format!("{base}/case/{two}"));
    worker.click("button[value='accept']");
    worker.until_says("已受理");
    worker.click("details:has(#note-escalate) summary");
    worker.write("#note-escalate", "需要交警拖车");
    worker.click("#note-escalate ~ button");
    worker.until_says("已上报城运中心");

    // The operations centre, at a desk: assigns it, verifies the first and closes it.
    let centre = driver.window(false);
    centre.sign_in(base, "wang");
    centre.until_says("城运看板");
    centre.until("an escalated case", "return document.querySelectorAll('.board .line').length >= 2");
    look.at(&centre, "board");
    centre.open(&format!("{base}/case/{two}"));
    centre.choose("#department", "urban");
    look.at(&centre, "case");
    centre.click("#department ~ button");
    centre.until_says("已派遣部门");
    let closes = |id: i64| {
        centre.open(&format!("{base}/case/{id}"));
        centre.click("#note-verify ~ button");
        centre.until_says("已核查");
        centre.click("details:has(#note-close) summary");
        centre.click("#note-close ~ button");
        centre.until_says("已结案");
    };
    closes(one);
    let department = driver.window(true);
    department.sign_in(base, "urban");
    department.until("the department sees its case", "return document.querySelectorAll('.card').length == 1");
    look.at(&department, "department");

    // A resident reports through the grid's code.
    let link = desk.grid_links(&admin).unwrap().into_iter().find(|link| link.grid == SOUTH).unwrap().url;
    let resident = driver.window(true);
    resident.open(&link);
    resident.until_says("南院");
    look.at(&resident, "report");
    resident.choose("#kind", "illegal_parking");
    resident.write("#place", "南院 2 号楼下");
    resident.write("#description", "车辆堵住消防通道");
    resident.write("#photo", picture);
    resident.click("main form button");
    resident.until_says("已收到");
    look.at(&resident, "received");
    let status = resident.run("return document.querySelector('a.main').href").as_str().unwrap().to_owned();
    worker.open(&format!("{base}/inbox"));
    worker.until_says("车辆堵住消防通道");
    worker.click("[data-key='c']");
    worker.until_says("已受理");
    let reported =
        desk.list(&admin, &Filter { tab: Tab::Doing, ..Filter::default() }, None, 10).unwrap().cases[0].id;
    worker.open(&format!("{base}/case/{reported}"));
    // Without a photo it has to be said why there is none.
    worker.write("#note-dispose", "已清理");
    worker.click("#note-dispose ~ button");
    worker.until(
        "a photo is asked for",
        "return document.querySelector('#photo-dispose').matches(':invalid:focus')",
    );
    worker.choose("#no-photo", "nothing_to_show");
    look.at(&worker, "case-no-photo");
    worker.click("#note-dispose ~ button");
    worker.until_says("已处置");
    worker.until_says("未拍照");
    closes(reported);
    resident.open(&status);
    resident.until_says("已结案");
    look.at(&resident, "status");
    resident.click("a.main");
    resident.until_says("问题解决了吗");
    look.at(&resident, "followup");
    resident.click("input[value='yes']");
    resident.click("input[value='5']");
    resident.click("main form button");
    resident.until_says("感谢您的评价");

    // The rates say what happened: four cases, all answered in time; two of three that the camera saw were right, one
    // is still with the department.
    let boss = driver.window(false);
    boss.sign_in(base, "root");
    boss.open(&format!("{base}/rates"));
    let tile = |id: &str| {
        boss.run(&format!("return document.querySelector('#rate-{id}').innerText"))
            .as_str()
            .unwrap()
            .replace('\n', " ")
    };
    for (id, numbers) in [
        ("cases", "4 案件数"),
        ("response", "100 % 按时响应率 4/4"),
        ("disposal", "100 % 处置率 2/2"),
        ("on-time", "100 % 按时处置率 2/2"),
        ("satisfaction", "100 % 满意率 1/1"),
        ("precision", "67 % 摄像头准确率 2/3"),
    ] {
        assert_eq!(tile(id), numbers);
    }
    // The keyboard works through the inbox.
    let fourth = at(now, Told::opened(4));
    publish(broker.port(), &[fourth.message(), at(now, Told::opened(5)).message()], None);
    boss.open(&format!("{base}/inbox"));
    boss.until("two cards", "return document.querySelectorAll('.card').length == 2");
    boss.press("j");
    boss.until("a card is chosen", "return !!document.querySelector('.card.current')");
    boss.press("c");
    // The word alone is in the help for the keyboard too.
    boss.until(
        "it can be taken back",
        "return document.readyState == 'complete' && !!document.querySelector('[data-undo]')",
    );
    boss.press("u");
    boss.until(
        "it is back",
        "return document.querySelectorAll('.card').length == 2 && !document.querySelector('[data-undo]')",
    );
    boss.press("j");
    boss.press("r");
    boss.press("2");
    boss.until("it is rejected", "return document.querySelectorAll('.card').length == 1");

    // Every page at both widths.
    let phone = driver.window(true);
    phone.sign_in(base, "root");
    for window in [&phone, &boss] {
        for (name, path) in [
            ("board", "/board".to_owned()),
            ("inbox", "/inbox".to_owned()),
            ("open", "/inbox?tab=open".to_owned()),
            ("over", "/inbox?tab=ended".to_owned()),
            ("case-over", format!("/case/{reported}")),
            ("case-two", format!("/case/{two}")),
            ("merge", format!("/case/{two}/merge")),
            ("patrol", "/report/patrol".to_owned()),
            ("telephone", "/report/telephone".to_owned()),
            ("rates", "/rates".to_owned()),
            ("codes", "/codes".to_owned()),
            ("users", "/admin/users".to_owned()),
            ("user", "/admin/users/2".to_owned()),
            ("audit", "/admin/audit".to_owned()),
            ("password", "/password".to_owned()),
            ("missing", "/case/9999".to_owned()),
        ] {
            window.open(&format!("{base}{path}"));
            look.at(window, name);
        }
        window.open(&format!("{base}/lang/en?back=/inbox"));
        window.until_says("To review");
        look.at(window, "english-inbox");
        for (name, path) in [
            ("english-board", "/board"),
            ("english-rates", "/rates"),
            ("english-case", &format!("/case/{two}")),
        ] {
            window.open(&format!("{base}{path}"));
            look.at(window, name);
        }
    }
    println!("{} screenshots in {}", look.taken, look.folder.display());
    assert!(look.faults.is_empty(), "{}", look.faults.join("\n"));
}
