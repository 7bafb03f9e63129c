//! The demo's desk: the desk of `gridpatrol desk` in a temporary folder, on a free port of loopback, with an account of
//! each role and the grids of the box. It hears the box over the demo's broker, as it would any.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom as _, SystemRandom};

use super::door::{self, Door, Key};
use crate::config::TomlFile;
use crate::desk::life::Role;
use crate::desk::model::{Filter, Origin, Tab};
use crate::desk::people::NewAccount;
use crate::desk::{Answer, Denied, Desk, DeskPlan, Viewer, web};
use crate::error::{Error, Kind, Result};
use crate::plan::{BrokerPlan, Plan};
use crate::shutdown::Shutdown;

/// How long the desk may take to hear the broker.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked whether something has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Questions to the desk that are answered at a time.
const BLOCKING: usize = 16;
/// Cases that are read at a time.
const AT_A_TIME: usize = 100;
/// The one department.
const DEPARTMENT: &str = "chengguan";
/// The accounts: user name, name, role. The first is who the printed address signs in.
const PEOPLE: [(&str, &str, Role); 5] = [
    ("li", "李网格 Li", Role::Worker),
    ("sun", "孙坐席 Sun", Role::Operator),
    ("zhang", "张主任 Zhang", Role::Centre),
    ("chen", "陈队长 Chen", Role::Department),
    ("admin", "管理员 Admin", Role::Admin),
];

/// A way in: an account and its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// User name.
    pub login: String,
    /// Role.
    pub role: Role,
    /// Address that signs in once.
    pub url: String,
}

/// What the desk took in of the cameras.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenIn {
    /// Cases.
    pub cases: u64,
    /// Pictures whose SHA-256 is the one that their event names: the desk keeps no others.
    pub pictures: u64,
    /// Pictures that an event names and that have not come.
    pub missing: u64,
}

/// A running desk.
#[derive(Debug)]
pub struct DemoDesk {
    desk: Arc<Desk>,
    admin: Viewer,
    shutdown: Shutdown,
    thread: JoinHandle<Result<()>>,
    /// The ways in, the worker's first.
    pub entrances: Vec<Entrance>,
    /// Where a resident of the first grid reports.
    pub report_url: String,
    /// The password of all accounts, made up for this run.
    pub password: String,
}

impl DemoDesk {
    /// Starts a desk for the street and grids of `plan`, with its data in `folder`, its pages on `listen` (loopback;
    /// port 0 takes a free one) and the boxes of the broker at `broker`. Returns when it hears them.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an address that others can reach, [`Kind::System`] when it is taken, [`Kind::Disk`] when
    /// the folder cannot be used, [`Kind::Broker`] when the broker does not let it hear the boxes.
    pub fn start(plan: &Plan, broker: SocketAddr, folder: &Path, listen: SocketAddr) -> Result<Self> {
        if !listen.ip().is_loopback() {
            return Err(Error::new(Kind::Usage, format!("the demo's desk cannot listen on {listen}")).help(
                "its links sign in without a password: give an address of loopback, such as 127.0.0.1:0",
            ));
        }
        let pages = bind(listen)?;
        let links = bind(SocketAddr::new(listen.ip(), 0))?;
        let pages_at = address(&pages)?;
        let links_at = address(&links)?;
        let mut desk_plan = DeskPlan::new(&TomlFile::parse(&folder.join("desk.toml"), configuration(plan))?)?;
        desk_plan.broker = BrokerPlan::plain(broker.ip().to_string(), broker.port());
        desk_plan.storage = folder.to_owned();
        desk_plan.notify.file = folder.join("notices.jsonl");
        desk_plan.web.listen = pages_at;
        desk_plan.web.public_url = format!("http://{pages_at}");
        let grids: Vec<String> = desk_plan.grids.iter().map(|grid| grid.id.clone()).collect();
        let desk = Arc::new(Desk::open(desk_plan)?);
        let password = chance(6)?;
        let mut keys = Vec::new();
        for (login, name, role) in PEOPLE {
            let new = NewAccount {
                login: login.to_owned(),
                name: name.to_owned(),
                role,
                grids: if role == Role::Worker { grids.clone() } else { Vec::new() },
                department: (role == Role::Department).then(|| DEPARTMENT.to_owned()),
                password: Some(password.clone()),
            };
            granted(desk.add_account_as("demo", new))?;
            keys.push(Key { token: chance(20)?, login: login.to_owned() });
        }
        let home = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let admin = granted(desk.sign_in("admin", &password, home))?.viewer;
        let report_url = granted(desk.grid_links(&admin))?.into_iter().next().map(|link| link.url);
        let entrances = PEOPLE
            .iter()
            .zip(&keys)
            .map(|(&(login, _, role), key)| Entrance {
                login: login.to_owned(),
                role,
                url: format!("http://{links_at}/{}", key.token),
            })
            .collect();
        let door =
            Arc::new(Door { desk: Arc::clone(&desk), keys: Mutex::new(keys), password: password.clone() });
        let shutdown = Shutdown::default();
        let thread = serve(&desk, pages, (door, links), &shutdown)?;
        let started = Self {
            desk,
            admin,
            shutdown,
            thread,
            entrances,
            report_url: report_url.unwrap_or_default(),
            password,
        };
        started.until_it_hears(broker)?;
        Ok(started)
    }

    fn until_it_hears(&self, broker: SocketAddr) -> Result<()> {
        let began = Instant::now();
        loop {
            let link = granted(self.desk.health(&self.admin))?.broker;
            if link.connected {
                return Ok(());
            }
            if began.elapsed() > PATIENCE || self.thread.is_finished() {
                let why = link.trouble.unwrap_or_else(|| format!("no answer within {PATIENCE:?}"));
                return Err(Error::new(
                    Kind::Broker,
                    format!("the demo's desk does not hear the broker at {broker}: {why}"),
                ));
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Where the pages are.
    pub fn url(&self) -> &str {
        &self.desk.plan().web.public_url
    }

    /// What it has taken in of the cameras so far.
    ///
    /// # Errors
    /// [`Kind::Disk`] when its store cannot be read.
    pub fn taken_in(&self) -> Result<TakenIn> {
        let mut taken = TakenIn::default();
        for tab in [Tab::Open, Tab::Ended] {
            let filter = Filter { tab, origin: Some(Origin::Camera), ..Filter::default() };
            let mut after = None;
            loop {
                let page = granted(self.desk.list(&self.admin, &filter, after.as_deref(), AT_A_TIME))?;
                for case in &page.cases {
                    taken.cases += 1;
                    let pictures = granted(self.desk.case(&self.admin, case.id))?.pictures;
                    let cameras = pictures.iter().filter(|p| OF_CAMERAS.contains(&p.role.as_str()));
                    for picture in cameras {
                        *(if picture.is_here { &mut taken.pictures } else { &mut taken.missing }) += 1;
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(taken)
    }

    /// Waits until the desk holds `cases` cases and `pictures` pictures of cameras, at most for `patience`, and ends
    /// it. Returns what it holds.
    ///
    /// # Errors
    /// [`Kind::Disk`] when its store cannot be read, [`Kind::System`] when its pages have failed.
    pub fn finish(self, cases: u64, pictures: u64, patience: Duration) -> Result<TakenIn> {
        let began = Instant::now();
        let taken = loop {
            let taken = self.taken_in()?;
            let is_all = taken.cases >= cases && taken.pictures >= pictures;
            if is_all || began.elapsed() >= patience {
                break taken;
            }
            std::thread::sleep(LOOK_EVERY);
        };
        self.shutdown.request();
        let ended = self.thread.join();
        ended.unwrap_or_else(|_| Err(Error::new(Kind::System, "the demo's desk has failed")))?;
        Ok(taken)
    }
}

/// What a box calls its pictures.
const OF_CAMERAS: [&str; 5] = ["first", "overview", "closeup", "after", "clip"];

/// Runs pages, links and the conversation with the broker in a thread of their own until `shutdown`.
fn serve(
    desk: &Arc<Desk>,
    pages: TcpListener,
    (door, links): (Arc<Door>, TcpListener),
    shutdown: &Shutdown,
) -> Result<JoinHandle<Result<()>>> {
    let fault = |e: std::io::Error| Error::new(Kind::System, "cannot start the demo's desk").caused_by(e);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING)
        .thread_name("demo-desk")
        .enable_all()
        .build()
        .map_err(fault)?;
    let (desk, shutdown) = (Arc::clone(desk), shutdown.clone());
    let run = move || {
        runtime.block_on(async {
            let pages = tokio::net::TcpListener::from_std(pages).map_err(fault)?;
            let links = tokio::net::TcpListener::from_std(links).map_err(fault)?;
            let (stop, stop_links) = (shutdown.clone(), shutdown.clone());
            let both = async {
                let pages = web::serve(Arc::clone(&desk), pages, async move { stop.requested().await });
                let links = door::serve(door, links, async move { stop_links.requested().await });
                let (pages, links) = tokio::join!(pages, links);
                // Without pages the rest is of no use.
                shutdown.request();
                pages.and(links)
            };
            let work = crate::desk::run(Arc::clone(&desk), shutdown.requested());
            let (ended, ()) = tokio::join!(both, work);
            ended
        })
    };
    std::thread::Builder::new().name("demo-desk".to_owned()).spawn(run).map_err(fault)
}

fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener)).map_err(
        |e| {
            Error::new(Kind::System, format!("the demo's desk cannot listen on {address}"))
                .help("give a free port with --desk-listen, or port 0 for any")
                .caused_by(e)
        },
    )
}

fn address(listener: &TcpListener) -> Result<SocketAddr> {
    listener
        .local_addr()
        .map_err(|e| Error::new(Kind::System, "cannot tell where the demo's desk listens").caused_by(e))
}

/// The desk's configuration for the street and the grids of a box.
fn configuration(plan: &Plan) -> String {
    let mut ids: Vec<String> = Vec::new();
    for rule in plan.cameras.iter().flat_map(|camera| &camera.rules) {
        let over = rule.site.coverage().grids.iter().map(|(id, _)| id);
        for id in over.chain([rule.site.grid()]) {
            if !ids.iter().any(|known| known == id.as_str()) {
                ids.push(id.as_str().to_owned());
            }
        }
    }
    ids.sort();
    let grid = |id: &String| {
        let (zh, en) = (format!("第{}网格", number(id)), format!("Grid {}", number(id)));
        format!("[[grid]]\nid = \"{id}\"\nname = \"{zh} {en}\"\n")
    };
    let grids: String = ids.iter().map(grid).collect();
    format!(
        "street = \"{}\"\nname = \"演示街道 Demo street\"\n{grids}\
         [[department]]\nid = \"{DEPARTMENT}\"\nname = \"城管执法队 Urban management\"\n",
        plan.street
    )
}

/// The number of a grid within its community, as GB/T 47678.3 puts it at the end; the whole id where it has none.
fn number(id: &str) -> &str {
    let is_unit_grid = id.len() == 15 && id.bytes().all(|b| b.is_ascii_digit());
    let tail = if is_unit_grid { id[12..].trim_start_matches('0') } else { id };
    if tail.is_empty() { id } else { tail }
}

/// `bytes` bytes of chance as lower-case hex.
fn chance(bytes: usize) -> Result<String> {
    let mut held = vec![0; bytes];
    SystemRandom::new()
        .fill(&mut held)
        .map_err(|_| Error::new(Kind::System, "the system gives no random numbers"))?;
    Ok(held.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn granted<T>(answer: Answer<T>) -> Result<T> {
    answer.map_err(|denied| match denied {
        Denied::Fault(error) => error,
        other => Error::new(Kind::System, format!("the demo's desk refuses: {other:?}")),
    })
}
