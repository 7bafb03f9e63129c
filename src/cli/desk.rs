//! `gridpatrol desk`: the case platform of a street.

use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::info;

use crate::desk::life::Role;
use crate::desk::people::NewAccount;
use crate::desk::{Denied, Desk, DeskPlan, web};
use crate::error::{Error, Kind, Result};
use crate::shutdown::Shutdown;
use crate::text_file;

/// Largest password file.
const MAX_PASSWORD_FILE: u64 = 1024;
/// Questions to the desk that are answered at a time; more wait.
const BLOCKING: usize = 64;

/// The desk of a street: review, dispose, escalate and follow up cases. 街道案件工作台。
#[derive(Debug, clap::Args)]
#[command(
    after_help = "\
Examples:
  gridpatrol desk check --config desk.toml
  gridpatrol desk add-user --config desk.toml admin --role admin --name 管理员
  gridpatrol desk --config desk.toml
  gridpatrol desk add-user --config desk.toml li --role worker --name 李网格 --grid 410102007003012

SIGTERM and Ctrl-C stop it.",
    args_conflicts_with_subcommands = true
)]
pub struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// Something else than to run it.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What else can be done.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Check a configuration and say what the desk would do.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Make an account; the way to the first administrator.
    AddUser(AddUser),
}

/// An account to be made.
#[derive(Debug, clap::Args)]
pub struct AddUser {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// User name: 2 to 32 of a-z 0-9 . _ -
    pub login: String,
    /// What they are: worker, operator, centre, department or admin.
    #[arg(long)]
    pub role: String,
    /// Their name. Default: the user name.
    #[arg(long)]
    pub name: Option<String>,
    /// A grid of a worker; several times for several.
    #[arg(long = "grid", value_name = "ID")]
    pub grids: Vec<String>,
    /// The department of an account of that role.
    #[arg(long, value_name = "ID")]
    pub department: Option<String>,
    /// File whose first line is the password; `-` reads it from standard input. Without it one is made up and printed.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// Runs the desk, or does what else was asked for.
///
/// # Errors
/// When the configuration, the account or the storage folder is at fault.
pub fn run(args: &Args) -> Result<()> {
    match (&args.verb, &args.config) {
        (Some(Verb::Check { config }), _) => check(config),
        (Some(Verb::AddUser(user)), _) => add_user(user),
        (None, Some(config)) => serve(config),
        (None, None) => Err(Error::new(Kind::Usage, "--config is missing")),
    }
}

fn check(config: &Path) -> Result<()> {
    let plan = DeskPlan::read(config)?;
    let mut lines = vec![format!(
        "The configuration is sound: street {} ({}), {} grids, {} departments, broker {}:{}, page {} ({}).",
        plan.street,
        plan.name,
        plan.grids.len(),
        plan.departments.len(),
        plan.broker.host,
        plan.broker.port,
        plan.web.listen,
        plan.web.public_url,
    )];
    lines.push(match plan.evidence.hosts.as_slice() {
        [] => "  Pictures come over MQTT; of boxes that put them into a store none is fetched (evidence.hosts is empty)."
            .to_owned(),
        hosts => {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!("  Pictures come over MQTT, and are fetched from the stores {}.", hosts.join(", "))
        }
    });
    for class in &plan.classes {
        let kinds = plan.kinds.iter().filter(|kind| kind.class == class.id).count();
        lines.push(format!(
            "  {} {}: to be answered within {} min, disposed of within {} min; {kinds} kinds",
            class.name_zh,
            class.name_en,
            class.respond_ms / 60_000,
            class.dispose_ms / 60_000,
        ));
    }
    say(&lines.join("\n"))
}

fn add_user(user: &AddUser) -> Result<()> {
    let plan = DeskPlan::read(&user.config)?;
    let role = Role::parse(&user.role).filter(|role| Role::OF_ACCOUNTS.contains(role)).ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no role {:?}", user.role))
            .help("roles are worker, operator, centre, department and admin")
    })?;
    let password = match &user.password_file {
        None => None,
        Some(path) if path == Path::new("-") => {
            let mut line = String::new();
            std::io::stdin()
                .lock()
                .read_line(&mut line)
                .map_err(|e| Error::new(Kind::Usage, "cannot read the password").caused_by(e))?;
            Some(line.trim_end_matches(['\r', '\n']).to_owned())
        }
        Some(path) => {
            let text = text_file::read(path, MAX_PASSWORD_FILE)
                .map_err(|e| Error::disk(path, "read the password file", e))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
    };
    let desk = Desk::open(plan)?;
    let new = NewAccount {
        login: user.login.clone(),
        name: user.name.clone().unwrap_or_else(|| user.login.clone()),
        role,
        grids: user.grids.clone(),
        department: user.department.clone(),
        password,
    };
    let (account, made_up) = desk.add_account_as("command line", new).map_err(|denied| match denied {
        Denied::Invalid(what) => Error::new(Kind::Usage, format!("{}: {} {}", what.field, what.en, what.zh)),
        Denied::Fault(error) => error,
        other => Error::new(Kind::System, format!("the account was not made: {other:?}")),
    })?;
    match made_up {
        Some(password) => say(&format!(
            "{} may sign in as {} with the password {password} and has to change it.",
            account.name, account.login
        )),
        None => say(&format!("{} may sign in as {}.", account.name, account.login)),
    }
}

fn serve(config: &Path) -> Result<()> {
    let plan = DeskPlan::read(config)?;
    let shutdown = Shutdown::default();
    let signals = super::run::stop_on_signals(&shutdown)?;
    let desk = Arc::new(Desk::open(plan)?);
    let swept = desk.sweep()?;
    if swept > 0 {
        info!(swept, "Removed pictures that no case has.");
    }
    if !desk.has_admin()? {
        tracing::warn!(
            "There is no administrator yet: gridpatrol desk add-user --config {} NAME --role admin",
            config.display()
        );
    }
    serve_pages(&desk, &shutdown)?;
    drop(signals);
    info!("Stopping.");
    Ok(())
}

/// Runs the desk and its pages until `shutdown`. They have threads of their own: a page that is slow holds up neither
/// the broker nor a signal.
fn serve_pages(desk: &Arc<Desk>, shutdown: &Shutdown) -> Result<()> {
    let plan = desk.plan();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(BLOCKING)
        .thread_name("desk")
        .enable_all()
        .build()
        .map_err(|e| Error::new(Kind::System, "cannot start the desk's threads").caused_by(e))?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(plan.web.listen).await.map_err(|e| {
            Error::new(Kind::System, format!("cannot listen on {}", plan.web.listen))
                .caused_by(e)
                .help("web.listen is the address and port of the pages; is another desk running?")
        })?;
        info!(
            street = plan.street,
            broker = format!("{}:{}", plan.broker.host, plan.broker.port),
            listen = plan.web.listen.to_string(),
            page = plan.web.public_url,
            "The desk is open."
        );
        let stop = shutdown.clone();
        let pages = web::serve(Arc::clone(desk), listener, async move { stop.requested().await });
        let work = crate::desk::run(Arc::clone(desk), shutdown.requested());
        let pages = async {
            let ended = pages.await;
            // Without pages the rest is of no use.
            shutdown.request();
            ended
        };
        let (ended, ()) = tokio::join!(pages, work);
        ended
    })
}

fn say(text: &str) -> Result<()> {
    writeln!(std::io::stdout().lock(), "{text}")
        .map_err(|e| Error::new(Kind::System, "cannot write to standard output").caused_by(e))
}
