//! The desk's pages against people who should not get in, or send what they should not.

use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::{Duration, Instant};

use gridpatrol::desk::life::State;
use gridpatrol::desk::web::table::{Access, routes};

use super::pages::{Page, Pages, photo};
use super::*;

/// A camera's case in the grid NORTH, with a picture. Returns both ids.
fn case_in_the_north(pages: &Pages, admin: &Viewer) -> (i64, i64) {
    let shot = photo(1);
    let told = Told { grid: NORTH, pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(1) };
    pages.street.take_in(&[told.message(), told.picture("overview", &shot)]);
    let id = pages.street.only(admin);
    (id, pages.street.desk.case(admin, id).unwrap().pictures[0].id)
}

/// The path of a route with its parameters filled in.
fn filled(path: &str, case: i64, picture: i64) -> String {
    let id = if path.starts_with("/picture/") { picture } else { case };
    path.replace("{id}", &id.to_string()).replace("{lang}", "zh").replace("{token}", "nothing")
}

#[test]
fn no_route_answers_without_its_login() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, picture) = case_in_the_north(&pages, &admin);
    let mut visitor = pages.visitor();
    visitor.get("/login");
    let mut closed = 0;
    for route in routes() {
        let path = filled(route.path, case, picture);
        let answer = match route.method {
            "GET" => visitor.get(&path),
            _ => visitor.post(&path, &[("action", "accept")]),
        };
        match route.access {
            // What signs people in says so when it does not.
            Access::Open if path == "/login" => {}
            Access::Open => assert_ne!(answer.code, 401, "{} {path}", route.method),
            Access::Page(_) => {
                assert_eq!(answer.code, 303, "{} {path}", route.method);
                assert!(answer.header("location").starts_with("/login?to="), "{path}");
                closed += 1;
            }
            Access::Data(_) => {
                assert_eq!(answer.code, 401, "{} {path}: {}", route.method, answer.body);
                closed += 1;
            }
        }
        assert!(!answer.body.contains("3号院北门"), "{path} shows a case");
    }
    assert!(closed > 20, "{closed} routes want a login");
    assert_eq!(pages.street.desk.case(&admin, case).unwrap().case.state, State::Candidate);
}

#[test]
fn a_worker_of_another_grid_reaches_a_case_by_no_route() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, picture) = case_in_the_north(&pages, &admin);
    let mut strangers = [
        pages.signed_in("li", Role::Worker, &[SOUTH]),
        pages.signed_in("nobody", Role::Worker, &[]),
        pages.signed_in("urban", Role::Department, &[]),
    ];
    let actions = [
        "accept",
        "reject",
        "merge",
        "start",
        "dispose",
        "verify",
        "refuse",
        "close",
        "escalate",
        "assign",
        "return",
        "send_back",
        "reopen",
        "undo",
        "note",
        "nonsense",
    ];
    let mut asked = 0;
    for route in routes().into_iter().filter(|route| route.is_of_case) {
        let path = filled(route.path, case, picture);
        for stranger in &mut strangers {
            if route.method == "GET" {
                let answer = stranger.get(&path);
                assert!(matches!(answer.code, 404 | 403), "GET {path}: {}", answer.code);
                assert!(
                    !answer.body.contains("3号院北门")
                        && !answer.header("content-type").starts_with("image/")
                );
                asked += 1;
                continue;
            }
            for action in actions {
                let fields = [
                    ("action", action),
                    ("reason", "not_there"),
                    ("note", "x"),
                    ("department", "urban"),
                    ("into", "1"),
                ];
                let answer = stranger.post(&path, &fields);
                assert_eq!(answer.code, 404, "POST {path} {action}");
                let answer = stranger.upload(&path, &fields, &[photo(2)]);
                assert_eq!(answer.code, 404, "POST {path} {action} with a photo");
                asked += 2;
            }
        }
    }
    assert!(asked >= 9 + 2 * 3 * actions.len(), "{asked}");
    // Lists, figures and forms know nothing of it either.
    let [li, ..] = &mut strangers;
    for path in [
        "/inbox",
        "/inbox?tab=open",
        "/inbox?tab=open&grid=410102007003011",
        "/rates",
        "/rates.csv",
        "/codes",
    ] {
        let answer = li.get(path);
        assert_eq!(answer.code, 200, "{path}");
        assert!(!answer.body.contains("3号院北门") && !answer.body.contains("北院"), "{path}");
    }
    let fields = [("grid", NORTH), ("kind", "illegal_parking"), ("place", "x")];
    assert_eq!(li.post("/report/patrol", &fields).code, 404);
    let detail = pages.street.desk.case(&admin, case).unwrap();
    assert_eq!((detail.case.state, detail.case.version), (State::Candidate, detail.case.version));
    assert!(detail.timeline.iter().all(|entry| entry.who.is_empty()), "{:?}", detail.timeline);
}

#[test]
fn a_role_reaches_only_its_own_pages() {
    let pages = Pages::new("", "");
    let mut people = [
        (Role::Worker, pages.signed_in("li", Role::Worker, &[SOUTH])),
        (Role::Operator, pages.signed_in("zhou", Role::Operator, &[])),
        (Role::Centre, pages.signed_in("wang", Role::Centre, &[])),
        (Role::Department, pages.signed_in("urban", Role::Department, &[])),
        (Role::Admin, pages.signed_in("root", Role::Admin, &[])),
    ];
    for route in routes().into_iter().filter(|route| !matches!(route.path, "/live" | "/logout" | "/password"))
    {
        let (Access::Page(roles) | Access::Data(roles)) = route.access else { continue };
        for (role, person) in &mut people {
            let path = filled(route.path, 99, 99);
            let answer = match route.method {
                "GET" => person.get(&path),
                _ => person.post(&path, &[]),
            };
            assert_eq!(
                answer.code == 403,
                !roles.contains(role),
                "{role:?} {} {path}: {}",
                route.method,
                answer.code
            );
            assert!(answer.code < 500, "{role:?} {} {path}: {}", route.method, answer.body);
        }
    }
}

#[test]
fn a_form_without_its_token_changes_nothing() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, _) = case_in_the_north(&pages, &admin);
    let mut worker = pages.signed_in("li", Role::Worker, &[NORTH]);
    let path = format!("/case/{case}");
    let accept = [("action", "accept")];
    let right = worker.csrf.clone();
    let own = [("csrf", right.as_str())];
    assert_eq!(worker.post_with(&path, &[], &accept, &[]).code, 403, "no token");
    assert_eq!(worker.post_with(&path, &[("csrf", "guess")], &accept, &[]).code, 403, "a wrong one");
    for header in
        [("origin", "https://elsewhere.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        assert_eq!(worker.post_with(&path, &own, &accept, &[header]).code, 403, "{header:?}");
    }
    let good = std::mem::replace(&mut worker.csrf, "guess".to_owned());
    assert_eq!(
        worker.upload(&path, &[("action", "note"), ("note", "x")], &[photo(1)]).code,
        403,
        "with a photo"
    );
    assert_eq!(pages.street.desk.case(&admin, case).unwrap().case.state, State::Candidate);
    worker.csrf = good;
    assert_eq!(worker.post_with(&path, &own, &accept, &[("origin", pages.base.as_str())]).code, 303);
    assert_eq!(pages.street.desk.case(&admin, case).unwrap().case.state, State::Accepted);
    // The token of one who is not signed in is that of their own cookie.
    let mut visitor = pages.visitor();
    let token = visitor.get("/login").body;
    assert!(token.contains("csrf"));
    visitor.cookies.insert("desk_form".to_owned(), "somebody-elses".to_owned());
    assert_eq!(visitor.post("/login", &[("login", "li"), ("password", PASSWORD)]).code, 403);
}

#[test]
fn every_answer_keeps_the_browser_from_more() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, picture) = case_in_the_north(&pages, &admin);
    let mut person = pages.signed_in("wang", Role::Admin, &[]);
    for route in routes().into_iter().filter(|route| route.method == "GET" && route.path != "/live") {
        let answer = person.get(&filled(route.path, case, picture));
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{}: {policy}",
            route.path
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{}", route.path);
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{}", route.path);
        for inline in ["<script>", " onclick=", " onload=", " style=", "javascript:"] {
            assert!(!answer.body.contains(inline), "{} has {inline}", route.path);
        }
    }
    let mut visitor = pages.visitor();
    visitor.get("/login");
    let answer = visitor.post("/login", &[("login", "wang"), ("password", PASSWORD)]);
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    // Where the sign-in leads is a page of this desk.
    for to in
        ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"]
    {
        let mut visitor = pages.visitor();
        visitor.get("/login");
        let answer = visitor.post("/login", &[("login", "wang"), ("password", PASSWORD), ("to", to)]);
        assert_eq!(answer.header("location"), "/", "{to}");
    }
}

#[test]
fn a_request_to_another_name_is_refused() {
    let pages = Pages::new("", "");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let ask =
        |host: &str| agent.get(format!("{}/login", pages.base)).header("host", host).call().unwrap().status();
    assert_eq!(ask("rebound.example"), 421);
    assert_eq!(ask("localhost"), 200);
}

const NASTY: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}</textarea>&lt;";

fn is_inert(what: &str, page: &Page) {
    for raw in ["<script>alert", "<img src=x", "\"'>", "</textarea>&lt;"] {
        assert!(!page.body.contains(raw), "{what} has {raw} as it was written");
    }
}

#[test]
fn what_people_write_stays_words_on_every_page() {
    let pages = Pages::new("", "");
    let mut admin = pages.signed_in("root", Role::Admin, &[]);
    let root = pages.street.desk.sign_in("root", PASSWORD, HOME).unwrap().viewer;
    let link = pages.street.desk.grid_links(&root).unwrap()[0].url.clone();
    let path = link.strip_prefix(&pages.base).unwrap().to_owned();
    let mut resident = pages.visitor();
    resident.get(&path);
    let words = [("kind", "illegal_parking"), ("place", NASTY), ("description", NASTY), ("contact", NASTY)];
    // A contact that is no telephone number may be refused; the words are shown again either way.
    let answer = resident.upload(&path, &words, &[]);
    is_inert("the receipt", &answer);
    let words = [("kind", "illegal_parking"), ("place", NASTY), ("description", NASTY), ("contact", "")];
    let answer = if answer.code == 200 { answer } else { resident.upload(&path, &words, &[photo(1)]) };
    assert_eq!(answer.code, 200, "{}", answer.body);
    let status = answer.body.split("href=\"/s/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let id = pages.street.only(&root);
    let case = format!("/case/{id}");
    assert_eq!(admin.upload(&case, &[("action", "note"), ("note", NASTY)], &[]).code, 303);
    let fields = [("login", "evil"), ("name", NASTY), ("role", "worker"), ("grids", NASTY), ("grids", NORTH)];
    is_inert("the accounts", &admin.post("/admin/users", &fields));
    let fields = [("login", "evil"), ("name", NASTY), ("role", "worker"), ("grids", NORTH)];
    is_inert("the accounts", &admin.post("/admin/users", &fields));
    is_inert("the audit log", &admin.get("/admin/audit"));
    let nasty: String = url::form_urlencoded::byte_serialize(NASTY.as_bytes()).collect();
    for path in [
        case.as_str(),
        "/inbox",
        "/inbox?tab=open",
        "/board",
        "/rates",
        "/admin/users",
        "/admin/users/2",
        &format!("{case}/merge"),
        &format!("/inbox?tab={nasty}&grid={nasty}&origin={nasty}"),
        &format!("/inbox?after={nasty}"),
        "/rates?from=%3Cscript%3Ealert(1)&to=%22%27%3E%3Cscript%3Ealert&grid=%22%27%3E%3Cscript%3Ealert(1)",
        "/login?to=%22%27%3E%3Cscript%3Ealert(1)",
    ] {
        let answer = admin.get(path);
        is_inert(path, &answer);
        assert!(answer.code < 500, "{path}");
    }
    assert!(admin.get(&case).body.contains("&lt;script&gt;alert(1)"), "the words are there");
    is_inert("the status", &resident.get(&format!("/s/{status}")));
    let answer = resident.post("/login", &[("login", NASTY), ("password", "x"), ("to", NASTY)]);
    is_inert("the login", &answer);
}

#[test]
fn uploads_that_are_no_pictures_are_refused() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, _) = case_in_the_north(&pages, &admin);
    let mut worker = pages.signed_in("li", Role::Worker, &[NORTH]);
    let link = pages.street.desk.grid_links(&admin).unwrap()[0].url.clone();
    let form = link.strip_prefix(&pages.base).unwrap().to_owned();
    let mut resident = pages.visitor();
    resident.get(&form);
    worker.post(&format!("/case/{case}"), &[("action", "accept")]);
    let bad = [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec(),
        b"<html><script>alert(1)</script>".to_vec(),
        b"GIF89a\x01\x00\x01\x00".to_vec(),
        b"\xff\xd8\xff\xe0<script>alert(1)</script>".to_vec(),
        b"MZ\x90\x00".to_vec(),
        photo(1)[..2000].to_vec(),
        photo(1)[..photo(1).len() / 2].to_vec(),
        photo(1)[..photo(1).len() * 95 / 100].to_vec(),
    ];
    for file in bad {
        let what = String::from_utf8_lossy(&file[..file.len().min(8)]).into_owned();
        let words = [("kind", "illegal_parking"), ("place", "门口"), ("description", "x"), ("contact", "")];
        // Who tries too often is held back before anybody looks at what they send.
        let answer = resident.upload(&form, &words, std::slice::from_ref(&file));
        assert!(matches!(answer.code, 415 | 429), "{what}: {}", answer.code);
        let answer =
            worker.upload(&format!("/case/{case}"), &[("action", "dispose"), ("note", "x")], &[file]);
        assert_eq!(answer.code, 415, "{what}");
    }
    // Nor does a disposal go without one, unless it is said why.
    let path = format!("/case/{case}");
    let answer = worker.post(&path, &[("action", "dispose"), ("note", "x")]);
    assert!(
        answer.code == 422 && answer.body.contains("请拍摄处置后的照片"),
        "{}: {}",
        answer.code,
        answer.body
    );
    for reason in ["camera_saw", "no such reason"] {
        let fields = [("action", "dispose"), ("note", "x"), ("no_photo", reason)];
        assert_eq!(worker.post(&path, &fields).code, 422, "{reason}");
    }
    let detail = pages.street.desk.case(&admin, case).unwrap();
    assert_eq!((detail.case.state, detail.pictures.len()), (State::Accepted, 1));
    assert_eq!(pages.street.count(&admin, Tab::Open), 1, "no report came of it");
    let large = [photo(1), vec![0; 13 << 20]].concat();
    let answer = worker.upload(&format!("/case/{case}"), &[("action", "dispose"), ("note", "x")], &[large]);
    assert_eq!(answer.code, 415, "larger than a photo may be");
    let fields = [("action", "dispose"), ("note", "x"), ("no_photo", "privacy")];
    assert_eq!(worker.post(&path, &fields).code, 303);
    assert_eq!(pages.street.desk.case(&admin, case).unwrap().case.state, State::Disposed);
}

#[test]
fn the_language_is_chinese_first_and_remembered() {
    let pages = Pages::new("", "");
    let mut person = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let page = person.get("/inbox");
    assert!(page.body.contains("lang=\"zh-CN\"") && page.body.contains("没有待核实的案件"));
    let answer = person.get("/lang/en?back=%2Finbox");
    assert_eq!((answer.code, answer.header("location")), (303, "/inbox"));
    let page = person.get("/inbox");
    assert!(page.body.contains("lang=\"en\"") && page.body.contains("Nothing to review"));
    assert_eq!(person.get("/lang/fr").code, 404);
}

#[test]
fn one_tap_confirms_and_another_takes_it_back() {
    let pages = Pages::new("", "");
    let admin = pages.street.person("root", Role::Admin, &[]);
    let (case, _) = case_in_the_north(&pages, &admin);
    let mut worker = pages.signed_in("li", Role::Worker, &[NORTH]);
    let inbox = worker.get("/inbox").body;
    for part in ["kerb", "5 分", "car 83 %", "3号院北门", "待核实", "剩 3 时"] {
        assert!(inbox.contains(part), "the card shows {part}: {inbox}");
    }
    let answer = worker.post(&format!("/case/{case}"), &[("action", "accept"), ("back", "/inbox?tab=inbox")]);
    assert_eq!(answer.header("location"), format!("/inbox?tab=inbox&did={case}"));
    let page = worker.get(answer.header("location")).body;
    assert!(page.contains("已受理") && page.contains("撤销"), "{page}");
    assert_eq!(worker.post(&format!("/case/{case}"), &[("action", "undo")]).code, 303);
    assert_eq!(pages.street.desk.case(&admin, case).unwrap().case.state, State::Candidate);
    pages.street.wait(60_000);
    let answer = worker.post(&format!("/case/{case}"), &[("action", "undo")]);
    assert_eq!(answer.code, 409);
    assert!(answer.body.contains("未能完成"));
    // Who saw an older state of it is told so, and nothing is done.
    let answer = worker.post(&format!("/case/{case}"), &[("action", "accept"), ("version", "1")]);
    assert_eq!(answer.code, 409);
    assert!(answer.body.contains("刚被他人更新"));
}

#[test]
fn a_flood_of_forms_leaves_the_desk_usable() {
    const THREADS: u32 = 8;
    const EACH: u32 = 400;
    let pages = Pages::new("", "proxies = [\"127.0.0.1\"]\n");
    let mut worker = pages.signed_in("li", Role::Worker, &[NORTH]);
    worker.from = Some("198.51.100.9".to_owned());
    let admin = pages.street.person("root", Role::Admin, &[]);
    let link = pages.street.desk.grid_links(&admin).unwrap()[0].url.clone();
    let form = link.strip_prefix(&pages.base).unwrap().to_owned();
    let (taken, refused) = (AtomicU32::new(0), AtomicU32::new(0));
    let is_over = AtomicBool::new(false);
    let began = Instant::now();
    let (mut times, mut took) = (Vec::new(), Duration::ZERO);
    std::thread::scope(|scope| {
        let spammers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (pages, form, taken, refused) = (&pages, &form, &taken, &refused);
                scope.spawn(move || {
                    let mut spammer = pages.visitor();
                    // Half of them come from one address each, the others from ever new ones.
                    spammer.from = Some(format!("203.0.113.{thread}"));
                    spammer.get(form);
                    for n in 0..EACH {
                        if thread % 2 == 0 {
                            spammer.from = Some(format!("10.{thread}.{}.{}", n / 250, n % 250));
                        }
                        let words = [("kind", "illegal_parking"), ("place", "spam"), ("description", "spam")];
                        match spammer.post(form, &words).code {
                            200 => taken.fetch_add(1, Ordering::SeqCst),
                            429 => refused.fetch_add(1, Ordering::SeqCst),
                            code => panic!("{code}"),
                        };
                    }
                })
            })
            .collect();
        let worker = scope.spawn(|| {
            let mut times = Vec::new();
            while !is_over.load(Ordering::SeqCst) && times.len() < 300 {
                let asked = Instant::now();
                assert_eq!(worker.get("/inbox").code, 200, "the inbox answers");
                times.push(asked.elapsed());
            }
            times
        });
        for spammer in spammers {
            spammer.join().unwrap();
        }
        took = began.elapsed();
        is_over.store(true, Ordering::SeqCst);
        times = worker.join().unwrap();
    });
    times.sort();
    let sent = THREADS * EACH;
    println!(
        "{sent} forms in {took:?} ({:.0} a second); the inbox answered {} times, median {:?}, slowest {:?}",
        f64::from(sent) / took.as_secs_f64(),
        times.len(),
        times[times.len() / 2],
        times[times.len() - 1],
    );
    let (taken, refused) = (taken.into_inner(), refused.into_inner());
    assert_eq!(taken + refused, sent);
    assert!(taken <= 60, "{taken} reports of a grid within an hour");
    assert_eq!(pages.street.desk.counts(&admin).unwrap().inbox, u64::from(taken), "each was taken in once");
}

#[test]
fn the_zone_and_the_box_lie_over_the_picture_of_the_whole_view() {
    let pages = Pages::new("", "");
    let mut worker = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let (first, whole, part, after) = (photo(1), photo(2), photo(3), photo(4));
    let roles = [("first", &first), ("overview", &whole), ("closeup", &part)];
    let told = Told {
        pictures: roles.iter().map(|(role, jpeg)| (*role, sha256_of(jpeg))).collect(),
        ..Told::opened(1)
    };
    pages.street.take_in(&[told.message()]);
    for (role, jpeg) in roles {
        pages.street.take_in(&[told.picture(role, jpeg)]);
    }
    // 768 pixels wide, of which 552 rows are the view: a corner at 0.25, 0.5 and a box from 0.41, 0.52 to 0.63, 0.78.
    let zone = "<polygon class=\"zone\" points=\"192.0,276.0 576.0,276.0 768.0,483.0 0.0,483.0\">";
    let car = "<rect class=\"object\" x=\"314.9\" y=\"287.0\" width=\"169.0\" height=\"143.5\">";
    let count = |page: &Page, what: &str| page.body.matches(what).count();
    let inbox = worker.get("/inbox");
    assert_eq!((count(&inbox, zone), count(&inbox, car)), (1, 1), "{}", inbox.body);
    let viewer = pages.street.desk.sign_in("li", PASSWORD, HOME).unwrap().viewer;
    let path = format!("/case/{}", pages.street.only(&viewer));
    let page = worker.get(&path);
    // The first view shows another moment than the box is of, and the close-up only a part of the view.
    assert_eq!((count(&page, zone), count(&page, car)), (2, 1), "{}", page.body);
    assert!(page.body.contains("viewBox=\"0 0 768 600\"") && page.body.contains("id=\"marks\""));
    // It shows where the car stood when the place is seen empty.
    let cleared = Told { pictures: vec![("after", sha256_of(&after))], ..Told::cleared(1) };
    pages.street.take_in(&[cleared.message(), cleared.picture("after", &after)]);
    let page = worker.get(&path);
    assert_eq!((count(&page, zone), count(&page, car)), (3, 2), "{}", page.body);
}

#[test]
fn marks_that_are_none_are_left_out() {
    let pages = Pages::new("", "");
    let mut worker = pages.signed_in("li", Role::Worker, &[SOUTH]);
    let shot = photo(1);
    let told = Told { pictures: vec![("overview", sha256_of(&shot))], ..Told::opened(1) };
    // A box of an older program does not say which rows are the view; another says what cannot be.
    for (n, rows, corner) in
        [(1, Value::Null, 0.5), (2, json!(601), 0.5), (3, json!(0), 0.5), (4, json!(600), 1e9)]
    {
        let told = Told { n, sequence: u64::from(n) * 10, ..told.clone() };
        let mut json = told.json();
        json["data"]["evidence"][0]["view_height"] = rows.clone();
        json["data"]["place"]["outline"][0][0] = json!(corner);
        let message = Incoming { topic: told.topic(), payload: json.to_string().into_bytes().into() };
        assert_eq!(pages.street.take_in(&[message, told.picture("overview", &shot)]).events, 1);
        let page = worker.get(&format!("/case/{n}"));
        assert_eq!(page.body.contains("class=\"marks\""), rows == json!(600), "{rows}");
        assert!(!page.body.contains("768000000000"), "what is outside of the picture is drawn at its edge");
    }
}
