//! The status page.

use gridpatrol::health::HealthBoard;
use gridpatrol::source::Link;

use super::*;

/// Serves a page over one case, asks for each path, and returns the answers with their headers.
fn ask_the_page(requests: &[(&str, &str)]) -> Vec<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let mut named = plan(1883);
    named.cameras[0].name = "<script>alert(1)</script>".to_owned();
    let outbox = Arc::new(Outbox::in_memory().unwrap());
    accept(&outbox, &named, Change::Opened, &case_id(1), 0, &[Role::Overview]);
    accept(&outbox, &named, Change::Opened, &case_id(2), 1, &[]);
    accept(&outbox, &named, Change::Cleared, &case_id(2), 1, &[]);
    std::fs::write(folder.path().join(format!("{}-overview.jpg", case_id(1))), b"the picture").unwrap();
    std::fs::write(folder.path().join("unlisted.jpg"), b"not for the page").unwrap();
    let board = HealthBoard::default();
    board.add(Arc::new(Link::new("gate", CaptureTime::default())), Arc::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            let _ = stopped.await;
        };
        let dir = folder.path().to_owned();
        let page = tokio::spawn(gridpatrol::web::serve(
            listener,
            outbox,
            dir,
            ("巡格 & test", "nanodet on <cpu>"),
            board,
            None,
            stopped,
        ));
        let mut answers = Vec::new();
        for (path, host) in requests {
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).await.unwrap();
            answers.push(String::from_utf8_lossy(&answer).into_owned());
        }
        stop.send(()).unwrap();
        page.await.unwrap().unwrap();
        answers
    })
}

#[test]
fn the_page_lists_cases_newest_first_and_escapes_what_it_shows() {
    let answers = ask_the_page(&[("/", "localhost"), ("/cases.json", "127.0.0.1:80")]);
    let page = &answers[0];
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("巡格 &amp; test"));
    assert!(page.find("人员聚集").unwrap() < page.find("机动车乱停放").unwrap(), "the newest is first");
    assert!(page.contains("已清除") && page.contains("未结"));
    assert!(page.contains("410102007003012") && page.contains("20 秒"));
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    assert!(page.contains("default-src 'none'") && page.contains("nosniff") && page.contains("no-store"));
    assert!(!page.contains("http://") && !page.contains("https://"), "nothing is loaded from elsewhere");
    assert!(page.contains("nanodet on &lt;cpu&gt; · gate 连接中 connecting"), "the live cameras");
    let json: Value = serde_json::from_str(answers[1].split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(json["cases"][1]["pictures"][0]["path"], format!("/picture/{}-overview.jpg", case_id(1)));
    assert_valid(Subject::Event, &json["cases"][0]["event"]);
}

#[test]
fn the_page_gives_only_pictures_that_are_listed_and_only_to_this_machine() {
    let listed = format!("/picture/{}-overview.jpg", case_id(1));
    let answers = ask_the_page(&[
        (&listed, "localhost"),
        ("/picture/unlisted.jpg", "localhost"),
        ("/picture/..%2Funlisted.jpg", "localhost"),
        ("/picture/%2Fetc%2Fpasswd", "localhost"),
        (&listed, "evil.example"),
        ("/", "evil.example"),
    ]);
    assert!(answers[0].contains("image/jpeg") && answers[0].ends_with("the picture"), "{}", answers[0]);
    for answer in &answers[1..4] {
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        assert!(answer.contains("nosniff"));
    }
    for answer in &answers[4..] {
        assert!(answer.starts_with("HTTP/1.1 421"), "{answer}");
        assert!(!answer.contains("the picture") && !answer.contains("410102007003012"));
    }
}
