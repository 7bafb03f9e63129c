//! The desk's pages, and somebody who uses them as a browser does. What the tests of pages share.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;

use gridpatrol::desk::web;
use tokio::sync::oneshot;

use super::*;

/// A desk whose pages are served in this process.
pub(super) struct Pages {
    pub(super) street: Street,
    pub(super) base: String,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Pages {
    /// With further lines of configuration: top-level tables but `web`, and lines of that.
    pub(super) fn new(more: &str, web_lines: &str) -> Self {
        Self::serve(more, web_lines, Street::with)
    }

    /// The same with the time as it is, for browsers.
    pub(super) fn now(more: &str) -> Self {
        Self::serve(more, "", |more| {
            let folder = tempfile::tempdir().unwrap();
            let desk = Arc::new(Desk::open(plan(folder.path(), more)).unwrap());
            Street { folder, clock: Arc::new(TestClock(AtomicI64::new(TEN))), desk }
        })
    }

    pub(super) fn serve(more: &str, web_lines: &str, make: impl FnOnce(&str) -> Street) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let street = make(&format!("{more}\n[web]\npublic_url = \"{base}\"\n{web_lines}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(64)
            .enable_all()
            .build()
            .unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::clone(&street.desk);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            web::serve(desk, listener, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        Self { street, base, stop: Some(stop), runtime: Some(runtime) }
    }

    /// Where a task of the desk runs.
    pub(super) fn runtime(&self) -> &tokio::runtime::Runtime {
        self.runtime.as_ref().unwrap()
    }

    /// Somebody who is not signed in.
    pub(super) fn visitor(&self) -> Person {
        // A connection each: one that the desk has just closed, with a form half read, would be taken for open.
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(0)
            .build()
            .into();
        Person { base: self.base.clone(), agent, cookies: BTreeMap::new(), csrf: String::new(), from: None }
    }

    /// Somebody who has an account and is signed in.
    pub(super) fn signed_in(&self, login: &str, role: Role, grids: &[&str]) -> Person {
        self.street.person(login, role, grids);
        let mut person = self.visitor();
        person.get("/login");
        let answer = person.post("/login", &[("login", login), ("password", PASSWORD)]);
        assert_eq!(answer.code, 303, "{}", answer.body);
        person.get("/inbox");
        person
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) code: u16,
    pub(super) headers: BTreeMap<String, Vec<String>>,
    pub(super) body: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|values| values.first()).map_or("", String::as_str)
    }
}

/// Somebody with a browser.
pub(super) struct Person {
    base: String,
    agent: ureq::Agent,
    pub(super) cookies: BTreeMap<String, String>,
    /// Of the page that was looked at last.
    pub(super) csrf: String,
    /// The address that a proxy says they come from.
    pub(super) from: Option<String>,
}

impl Person {
    pub(super) fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn take(&mut self, answer: ureq::http::Response<ureq::Body>) -> Page {
        let (parts, mut body) = answer.into_parts();
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &parts.headers {
            headers.entry(name.to_string()).or_default().push(value.to_str().unwrap().to_owned());
        }
        for line in headers.get("set-cookie").into_iter().flatten() {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        let bytes = body.read_to_vec().unwrap();
        let body = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(token) =
            body.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next())
        {
            self.csrf = token.to_owned();
        }
        Page { code: parts.status.as_u16(), headers, body }
    }

    pub(super) fn get(&mut self, path: &str) -> Page {
        let mut request = self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie());
        if let Some(from) = &self.from {
            request = request.header("x-forwarded-for", from);
        }
        let answer = request.call().unwrap();
        self.take(answer)
    }

    /// Asks for a part of what is at `path`.
    pub(super) fn get_part(&mut self, path: &str, range: &str) -> Page {
        let request = self.agent.get(format!("{}{path}", self.base)).header("cookie", self.cookie());
        let answer = request.header("range", range).call().unwrap();
        self.take(answer)
    }

    /// Sends a form of the page that was looked at last.
    pub(super) fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf.clone();
        self.post_with(path, &[("csrf", csrf.as_str())], fields, &[])
    }

    /// Sends a form with `csrf` as it is given, and further headers.
    pub(super) fn post_with(
        &mut self,
        path: &str,
        csrf: &[(&str, &str)],
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let form: Vec<(&str, &str)> = csrf.iter().chain(fields).copied().collect();
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(path, "application/x-www-form-urlencoded", text.as_bytes(), headers)
    }

    /// Sends a form with files.
    pub(super) fn upload(&mut self, path: &str, fields: &[(&str, &str)], files: &[Vec<u8>]) -> Page {
        let mut body = Vec::new();
        let csrf = self.csrf.clone();
        for (name, value) in [("csrf", csrf.as_str())].iter().chain(fields) {
            body.extend(
                format!("--line\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .bytes(),
            );
        }
        for file in files {
            body.extend(
                b"--line\r\ncontent-disposition: form-data; name=\"photo\"; filename=\"a.jpg\"\r\ncontent-type: image/jpeg\r\n\r\n",
            );
            body.extend(file);
            body.extend(b"\r\n");
        }
        body.extend(b"--line--\r\n");
        self.send(path, "multipart/form-data; boundary=line", &body, &[])
    }

    fn send(&mut self, path: &str, kind: &str, body: &[u8], headers: &[(&str, &str)]) -> Page {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.base))
            .header("cookie", self.cookie())
            .header("content-type", kind);
        if let Some(from) = &self.from {
            request = request.header("x-forwarded-for", from);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send(body).unwrap();
        self.take(answer)
    }
}

/// A photo large enough to be one.
pub(super) fn photo(n: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(768, 600, |x, y| {
        image::Rgb([(x / 4 + n * 40) as u8, (y / 3) as u8, (x.abs_diff(y) / 3 + n * 17) as u8])
    });
    let mut bytes = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
    bytes
}
