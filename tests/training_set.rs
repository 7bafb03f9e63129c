//! What reviewers have said of a box's cases, looked at while the box runs: what it has learnt, and the close-ups of
//! what it got wrong, as a training set.

use std::path::Path;

use gridpatrol::calibrate::labels::{Labels, PictureName};
use serde_json::{Value, json};

use crate::support::mosquitto::Mosquitto;
use crate::support::program::{KERB, Running, configuration, gridpatrol, gridpatrol_ok};

const COMMANDS: &str = "patrol/v1/410102007/box-1/cmd";

#[test]
fn what_a_reviewer_rejects_is_reported_and_exported_while_the_box_runs_and_can_be_undone() {
    let broker = Mosquitto::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let config = path("edge.toml");
    let top = format!(
        "mqtt.url = \"mqtt://127.0.0.1:{}\"\nstorage.dir = \"{}\"\nweb.listen = \"127.0.0.1:{}\"",
        broker.port(),
        path("storage"),
        free_port()
    );
    std::fs::write(&config, configuration(&top, KERB)).unwrap();
    let report = |more: &[&str]| {
        let arguments = [&["calibrate", "scores", "--report", "--config", &config], more].concat();
        gridpatrol(&arguments)
    };
    // A box that has never run has nothing to look at.
    let none = report(&[]);
    let said = String::from_utf8_lossy(&none.stderr);
    assert!(none.status.code() == Some(1) && said.contains("there is no database"), "{said}");

    let cases = broker.subscribe("patrol/v1/410102007/box-1/case/+/+");
    let pictures = broker.subscribe("patrol/v1/410102007/box-1/case/+/+/evidence/+/closeup");
    let mut box1 = Running::start(&["run", "--config", &config]);
    let ids: Vec<Value> = (0..2).map(|_| cases.next().json()["data"]["case_id"].clone()).collect();
    let closeups = [pictures.next(), pictures.next()];
    let before = String::from_utf8(report(&[]).stdout).unwrap();
    assert!(before.contains("Nothing has been learnt"), "{before}");
    let ask = |verb: &str, body: &Value| {
        let mut body = body.clone();
        body["at"] = json!(jiff::Timestamp::now().to_string());
        body["id"] = json!(format!("{verb}-{}", body["case_id"].as_str().unwrap()));
        let (topic, answers) = (format!("{COMMANDS}/{verb}"), format!("{COMMANDS}/{verb}/ack/desk-1"));
        broker.ask(&topic, &answers, &body.to_string(), &[]).1
    };
    ask("verdict", &json!({"case_id": ids[0], "verdict": "rejected", "reason": "影子 a shadow"}));
    ask("verdict", &json!({"case_id": ids[1], "verdict": "confirmed"}));

    // The report, to people and to programs.
    let learnt: Value = serde_json::from_slice(&report(&["--json"]).stdout).unwrap();
    assert_eq!(learnt["verdicts"], json!({"confirmed": 1, "rejected": 1, "duplicate": 0, "unclear": 0}));
    let kind = &learnt["kinds"][0];
    assert_eq!((&kind["camera"], &kind["kind"]), (&json!("cam-05"), &json!("illegal_parking")));
    assert_eq!((&kind["confirmed"], &kind["rejected"]), (&json!(1), &json!(1)));
    assert_eq!(kind["places"].as_array().unwrap().len(), 2);
    assert_eq!(kind["precision_before"], json!(0.5));
    let quiet = &learnt["quiet"][0];
    assert_eq!((&quiet["zone"], &quiet["reason"]), (&json!("kerb"), &json!("影子 a shadow")));
    assert_eq!(quiet["resume"], json!({"case_id": ids[0]}));
    let text = String::from_utf8(report(&[]).stdout).unwrap();
    for part in ["机动车乱停放", "1 confirmed 属实, 1 rejected", "影子 a shadow", "cmd/resume", "floor 97 %"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The page says so too.
    let listen = top.rsplit('"').nth(1).unwrap();
    let page = ureq::get(format!("http://{listen}/")).call().unwrap().body_mut().read_to_string().unwrap();
    let undo = format!("resume {}", ids[0].as_str().unwrap());
    assert!(page.contains("Learnt and quiet") && page.contains(&undo), "{page}");

    // The training set.
    let out = path("set");
    let export = ["evidence", "export", "--rejected", "--config", &config, "--out", &out];
    let summary: Value = serde_json::from_str(&gridpatrol_ok(&[&export[..], &["--json"]].concat())).unwrap();
    assert_eq!((&summary["images"], &summary["cases"]), (&json!(1), &json!(1)), "{summary}");
    assert_sound(Path::new(&out));
    let coco: Value = read(&Path::new(&out).join("annotations.json"));
    let image = &coco["images"][0];
    assert_eq!(
        (&image["case_id"], &image["verdict"], &image["reason"], &image["camera"], &image["kind"]),
        (&ids[0], &json!("rejected"), &json!("影子 a shadow"), &json!("cam-05"), &json!("illegal_parking"))
    );
    let sent = closeups.iter().find(|sent| sent.topic.contains(ids[0].as_str().unwrap())).unwrap();
    let name = image["file_name"].as_str().unwrap();
    let kept = std::fs::read(Path::new(&out).join("images").join(name)).unwrap();
    assert!(kept == sent.payload, "the picture is the one that was sent, redacted");
    // A close-up shows a quarter more on each side, so the object fills the middle two thirds.
    let (w, h) = (image["width"].as_f64().unwrap(), image["height"].as_f64().unwrap());
    let bbox: Vec<f64> =
        coco["annotations"][0]["bbox"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
    assert!(
        (bbox[1] / h - 1.0 / 6.0).abs() < 0.1 && (bbox[3] / h - 2.0 / 3.0).abs() < 0.1,
        "{bbox:?} of {w} x {h}"
    );
    assert!((0.55..=0.9).contains(&(bbox[2] / w)), "{bbox:?} of {w} x {h}");
    let readme = std::fs::read_to_string(Path::new(&out).join("README.md")).unwrap();
    assert!(readme.contains("410102007/box-1") && readme.contains("隐私"), "{readme}");
    let again = gridpatrol(&export);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.code() == Some(2) && said.contains("is not empty"), "{said}");
    let both = path("both");
    gridpatrol_ok(&["evidence", "export", "--rejected", "--confirmed", "--config", &config, "--out", &both]);
    assert_sound(Path::new(&both));
    assert_eq!(Labels::read(&Path::new(&both).join("annotations.json")).unwrap().pictures.len(), 2);

    // Undone as the report says.
    ask("resume", &quiet["resume"]);
    let learnt: Value = serde_json::from_slice(&report(&["--json"]).stdout).unwrap();
    assert_eq!(learnt["quiet"], json!([]));
    assert_eq!(learnt["kinds"][0]["rejected"], json!(0));
    assert_eq!(box1.terminate(), Some(0));
    assert!(report(&[]).status.success(), "a box that stands still can be looked at as well");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The set in `folder` is COCO as its readers take it: ids that are there once, references that lead somewhere, boxes
/// within pictures that are there and as large as it says; and our own reader takes it.
fn assert_sound(folder: &Path) {
    let file = folder.join("annotations.json");
    let coco = read(&file);
    let list = |name: &str| coco[name].as_array().unwrap_or_else(|| panic!("{name}: {coco}")).clone();
    let ids = |name: &str| {
        let ids: Vec<u64> = list(name).iter().map(|one| one["id"].as_u64().unwrap()).collect();
        let all: std::collections::BTreeSet<u64> = ids.iter().copied().collect();
        assert_eq!(all.len(), ids.len(), "{name}: an id comes twice");
        all
    };
    let (images, categories, licenses) = (ids("images"), ids("categories"), ids("licenses"));
    ids("annotations");
    assert!(coco["info"]["year"].as_u64().unwrap() >= 2026);
    for image in list("images") {
        let name = image["file_name"].as_str().unwrap();
        let picture = image::open(folder.join("images").join(name)).unwrap();
        assert_eq!(
            (image["width"].as_u64(), image["height"].as_u64()),
            (Some(picture.width().into()), Some(picture.height().into()))
        );
        assert!(licenses.contains(&image["license"].as_u64().unwrap()));
        image["date_captured"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    for annotation in list("annotations") {
        let image = annotation["image_id"].as_u64().unwrap();
        assert!(images.contains(&image) && categories.contains(&annotation["category_id"].as_u64().unwrap()));
        let image = list("images").into_iter().find(|one| one["id"] == image).unwrap();
        let of = |value: &Value| value.as_f64().unwrap();
        let [x, y, w, h] = [0, 1, 2, 3].map(|at| of(&annotation["bbox"][at]));
        assert!(x >= 0.0 && y >= 0.0 && w > 0.0 && h > 0.0, "{annotation}");
        assert!(
            x + w <= of(&image["width"]) + 0.05 && y + h <= of(&image["height"]) + 0.05,
            "{annotation} in {image}"
        );
        assert!((of(&annotation["area"]) - w * h).abs() < 0.5 && annotation["iscrowd"] == 0);
        assert_eq!(annotation["segmentation"][0].as_array().unwrap().len(), 8);
    }
    let labels = Labels::read(&file).unwrap();
    assert_eq!(labels.boxes(), list("annotations").len());
    assert!(labels.pictures.iter().all(|picture| matches!(picture.picture, PictureName::File(_))));
}
