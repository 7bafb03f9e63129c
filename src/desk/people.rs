//! Accounts, passwords and sessions. The only place where a [`Viewer`] is made.
//!
//! # Invariants
//! - A password is stored as Argon2id only, a session as the SHA-256 of its token only.
//! - Who guesses passwords is held back, by address and by user name, before a hash is computed; a user name that does
//!   not exist is hashed as well and answered as a wrong password is (`who_guesses_passwords_is_held_back`).
//! - What changes accounts, and every signing in and out, stands in the audit log.

use std::net::IpAddr;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use serde::{Deserialize, Serialize};

use super::denied::{Answer, Denied};
use super::keys::{new_token, random, sha256};
use super::life::{Millis, Role};
use super::service::{Desk, lock};
use super::store::{AccountRow, Trouble, people as rows};
use super::viewer::{Scope, Viewer};
use crate::error::{Error, Kind, Result};

/// Shortest password, in characters.
const MIN_PASSWORD: usize = 10;
/// Longest, in bytes: hashing longer ones would be work for nothing.
const MAX_PASSWORD: usize = 200;
/// Most grids of an account.
const MAX_GRIDS: usize = 200;
/// Longest name, in characters.
const MAX_NAME: usize = 40;

/// Somebody has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// What the browser holds: the value of a cookie.
    pub token: String,
    /// What forms must carry.
    pub csrf: String,
    /// Who it is.
    pub viewer: Viewer,
    /// Until when.
    pub until: Millis,
    /// Whether the password is one that somebody else has chosen.
    pub must_change: bool,
}

/// A session that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who it is.
    pub viewer: Viewer,
    /// What forms must carry.
    pub csrf: String,
    /// Until when.
    pub until: Millis,
    /// Whether the password is one that somebody else has chosen.
    pub must_change: bool,
}

/// An account, for those who look after the desk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Its id.
    pub id: i64,
    /// User name.
    pub login: String,
    /// Name, for people.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Department, for the role of that name.
    pub department: Option<String>,
    /// Grids, for workers; those that the configuration gives them included.
    pub grids: Vec<String>,
    /// Whether it may sign in.
    pub is_active: bool,
    /// When it was made.
    pub created: Millis,
}

/// What a new account is to be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// User name: 2 to 32 of `a-z 0-9 . _ -`.
    pub login: String,
    /// Name, for people.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Grids, for workers.
    #[serde(default)]
    pub grids: Vec<String>,
    /// Department, for the role of that name.
    #[serde(default)]
    pub department: Option<String>,
    /// Password; one is made up if there is none.
    #[serde(default)]
    pub password: Option<String>,
}

/// What is to change of an account; `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountChange {
    /// Name, for people.
    pub name: Option<String>,
    /// Role.
    pub role: Option<Role>,
    /// Grids.
    pub grids: Option<Vec<String>>,
    /// Department.
    pub department: Option<String>,
    /// Whether it may sign in.
    pub is_active: Option<bool>,
    /// A new password.
    pub password: Option<String>,
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Millis,
    /// Who.
    pub login: String,
    /// From where; empty for the command line.
    pub address: String,
    /// What: `sign_in`, `sign_in_failed`, `sign_out`, `password`, `account_new`, `account_changed`, `link_renewed`.
    pub what: String,
    /// To what.
    pub subject: String,
}

impl Desk {
    /// Lets somebody in who knows the password.
    ///
    /// # Errors
    /// [`Denied::NotSignedIn`] for a wrong name or password, [`Denied::TooMany`] after too many of them.
    pub fn sign_in(&self, login: &str, password: &str, address: IpAddr) -> Answer<SignedIn> {
        let now = self.now();
        let login = login.trim().to_ascii_lowercase();
        let wait = {
            let mut floods = self.floods();
            let by_address = floods.sign_in_address.take(address, now);
            by_address.and_then(|()| floods.sign_in_login.take(login.chars().take(64).collect(), now))
        };
        if let Err(retry_after_s) = wait {
            return Err(Denied::TooMany { retry_after_s });
        }
        let account = if is_login(&login) { self.store.read(|db| rows::by_login(db, &login))? } else { None };
        let account = account.filter(|account| account.is_active);
        let hash = match &account {
            Some(account) => account.password.clone(),
            // As long as for one that exists.
            None => self.stand_in()?,
        };
        let is_right = password.len() <= MAX_PASSWORD && self.verify(password, &hash)?;
        let Some(account) = account.filter(|_| is_right) else {
            let known: String = if is_login(&login) { login } else { String::new() };
            self.store.put(|tx| tx.log(now, &known, &address.to_string(), "sign_in_failed", ""))?;
            return Err(Denied::NotSignedIn);
        };
        {
            let mut floods = self.floods();
            floods.sign_in_address.give_back(&address);
            floods.sign_in_login.give_back(&login);
        }
        let (token, csrf) = (new_token()?, new_token()?);
        let until = now + self.plan.times.session_ms;
        self.store.put(|tx| {
            tx.begin_session(&sha256(token.as_bytes()), account.id, &csrf, now, until)?;
            tx.log(now, &account.login, &address.to_string(), "sign_in", "")
        })?;
        let must_change = account.must_change;
        Ok(SignedIn { token, csrf, viewer: self.viewer_of(account), until, must_change })
    }

    /// The session of `token`.
    ///
    /// # Errors
    /// [`Denied::NotSignedIn`] when there is none, or it is over.
    pub fn viewer(&self, token: &str) -> Answer<Session> {
        if token.len() > 64 {
            return Err(Denied::NotSignedIn);
        }
        let now = self.now();
        let session = self.store.read(|db| rows::session(db, &sha256(token.as_bytes()), now))?;
        let session = session.ok_or(Denied::NotSignedIn)?;
        let must_change = session.account.must_change;
        let viewer = self.viewer_of(session.account);
        Ok(Session { viewer, csrf: session.csrf, until: session.until, must_change })
    }

    /// Ends the session of `token`.
    ///
    /// # Errors
    /// [`Denied::Fault`] when the database cannot be written.
    pub fn sign_out(&self, token: &str) -> Answer<()> {
        let now = self.now();
        Ok(self.store.put(|tx| match tx.end_session(&sha256(token.as_bytes()))? {
            Some(login) => tx.log(now, &login, "", "sign_out", ""),
            None => Ok(()),
        })?)
    }

    /// Changes the viewer's own password and ends all their sessions.
    ///
    /// # Errors
    /// [`Denied::Invalid`] when the old one is wrong or the new one is not long enough.
    pub fn change_password(&self, viewer: &Viewer, old: &str, new: &str) -> Answer<()> {
        let now = self.now();
        if let Err(retry_after_s) = self.floods().sign_in_login.take(viewer.login.clone(), now) {
            return Err(Denied::TooMany { retry_after_s });
        }
        let account = self.store.read(|db| rows::by_id(db, viewer.account))?.ok_or(Denied::NotSignedIn)?;
        if old.len() > MAX_PASSWORD || !self.verify(old, &account.password)? {
            return Err(Denied::invalid("old", "原密码不正确", "The old password is wrong"));
        }
        let hash = self.hash(&sound_password(new)?)?;
        Ok(self.store.put(|tx| {
            tx.set_password(account.id, &hash, false)?;
            tx.end_sessions(account.id)?;
            tx.log(now, &account.login, "", "password", &account.login)
        })?)
    }

    /// All accounts.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for all but administrators.
    pub fn accounts(&self, viewer: &Viewer) -> Answer<Vec<Account>> {
        admin_only(viewer)?;
        let rows = self.store.read(rows::all)?;
        Ok(rows.into_iter().map(|row| self.account_of(row)).collect())
    }

    /// Makes an account. Returns it, and its password if that was made up.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for all but administrators, [`Denied::Invalid`] for what is not right with it.
    pub fn add_account(&self, viewer: &Viewer, new: NewAccount) -> Answer<(Account, Option<String>)> {
        admin_only(viewer)?;
        self.add_account_as(&viewer.login, new)
    }

    /// The same for who can write the desk's folder: the command line.
    ///
    /// # Errors
    /// As [`Desk::add_account`].
    pub fn add_account_as(&self, who: &str, new: NewAccount) -> Answer<(Account, Option<String>)> {
        if !is_login(&new.login) {
            return Err(Denied::invalid(
                "login",
                "用户名为 2 至 32 位小写字母、数字或 . _ -",
                "A user name is 2 to 32 of a-z 0-9 . _ -",
            ));
        }
        let (password, made_up) = match &new.password {
            Some(password) => (sound_password(password)?, None),
            None => {
                let made_up = new_token()?.chars().take(16).collect::<String>();
                (made_up.clone(), Some(made_up))
            }
        };
        let mut row = AccountRow {
            id: 0,
            login: new.login,
            name: sound_name(&new.name)?,
            role: new.role,
            department: new.department,
            password: self.hash(&password)?,
            is_active: true,
            must_change: made_up.is_some(),
            created: self.now(),
            grids: new.grids,
        };
        self.check_account(&mut row)?;
        let id = self.store.put(|tx| {
            let id = tx.add_account(&row)?;
            if id.is_some() {
                let what = format!("{} {}", row.login, row.role.as_str());
                tx.log(row.created, who, "", "account_new", &what)?;
            }
            Ok(id)
        })?;
        row.id =
            id.ok_or_else(|| Denied::invalid("login", "用户名已存在", "Another account has this user name"))?;
        Ok((self.account_of(row), made_up))
    }

    /// Changes an account. A change of anything but the name ends its sessions.
    ///
    /// # Errors
    /// As [`Desk::add_account`]; [`Denied::NotFound`] for one that there is not. The last administrator stays one.
    pub fn set_account(&self, viewer: &Viewer, id: i64, change: AccountChange) -> Answer<Account> {
        admin_only(viewer)?;
        let now = self.now();
        let password = match &change.password {
            Some(password) => Some(self.hash(&sound_password(password)?)?),
            None => None,
        };
        let mut row = self.store.read(|db| rows::by_id(db, id))?.ok_or(Denied::NotFound)?;
        let was_admin = row.role == Role::Admin && row.is_active;
        let only_name = AccountChange { name: None, ..change.clone() } == AccountChange::default();
        if let Some(name) = &change.name {
            row.name = sound_name(name)?;
        }
        row.role = change.role.unwrap_or(row.role);
        row.grids = change.grids.unwrap_or(row.grids);
        row.department = change.department.or(row.department);
        row.is_active = change.is_active.unwrap_or(row.is_active);
        self.check_account(&mut row)?;
        self.store.write(|tx| {
            if was_admin && !(row.role == Role::Admin && row.is_active) {
                let is_other =
                    |other: &AccountRow| other.id != id && other.role == Role::Admin && other.is_active;
                if !rows::all(tx)?.iter().any(is_other) {
                    let (zh, en) = ("至少保留一名管理员", "The last administrator stays one");
                    return Err(Trouble::Other(Denied::invalid("role", zh, en)));
                }
            }
            tx.set_account(&row)?;
            if let Some(hash) = &password {
                tx.set_password(id, hash, true)?;
            }
            if !only_name {
                tx.end_sessions(id)?;
            }
            tx.log(now, viewer.login(), "", "account_changed", &row.login)?;
            Ok(())
        })?;
        Ok(self.account_of(row))
    }

    /// Up to `limit` entries of the audit log before the entry `before`, newest first.
    ///
    /// # Errors
    /// [`Denied::Forbidden`] for all but administrators.
    pub fn audit(&self, viewer: &Viewer, before: Option<i64>, limit: usize) -> Answer<Vec<AuditEntry>> {
        admin_only(viewer)?;
        Ok(self.store.read(|db| rows::audit(db, before, limit.min(500) as u32))?)
    }

    /// Whether there is an account of an administrator.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_admin(&self) -> Result<bool> {
        Ok(self.store.read(rows::all)?.iter().any(|row| row.role == Role::Admin && row.is_active))
    }

    fn viewer_of(&self, account: AccountRow) -> Viewer {
        let scope = match account.role {
            Role::Operator | Role::Centre | Role::Admin => Scope::Street,
            Role::Department => Scope::Department(account.department.clone().unwrap_or_default()),
            Role::Worker | Role::Resident | Role::System => Scope::Grids(self.grids_of(&account)),
        };
        Viewer { account: account.id, login: account.login, name: account.name, role: account.role, scope }
    }

    /// The grids of a worker: those of the account and those that the configuration gives them.
    fn grids_of(&self, account: &AccountRow) -> Vec<String> {
        let mut grids = account.grids.clone();
        for grid in &self.plan.grids {
            if grid.workers.contains(&account.login) && !grids.contains(&grid.id) {
                grids.push(grid.id.clone());
            }
        }
        grids
    }

    fn account_of(&self, row: AccountRow) -> Account {
        Account {
            grids: self.grids_of(&row),
            id: row.id,
            login: row.login,
            name: row.name,
            role: row.role,
            department: row.department,
            is_active: row.is_active,
            created: row.created,
        }
    }

    /// Whether an account is sound as a whole; what its role has no use for is taken away.
    fn check_account(&self, row: &mut AccountRow) -> Answer<()> {
        if !Role::OF_ACCOUNTS.contains(&row.role) {
            return Err(Denied::invalid("role", "没有这个角色", "There is no such role for accounts"));
        }
        if row.role == Role::Worker {
            row.grids.sort_unstable();
            row.grids.dedup();
            if row.grids.len() > MAX_GRIDS || !row.grids.iter().all(|grid| self.plan.grid(grid).is_some()) {
                return Err(Denied::invalid("grids", "没有这个网格", "There is no such grid in desk.toml"));
            }
        } else {
            row.grids.clear();
        }
        if row.role == Role::Department {
            let known = row.department.as_ref().is_some_and(|id| self.plan.department(id).is_some());
            if !known {
                return Err(Denied::invalid(
                    "department",
                    "没有这个部门",
                    "There is no such department in desk.toml",
                ));
            }
        } else {
            row.department = None;
        }
        Ok(())
    }

    fn hash(&self, password: &str) -> Result<String> {
        let salt = random::<16>()?;
        let _one = lock(&self.hashing);
        let hash: PasswordHash = Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|e| Error::new(Kind::System, "cannot hash a password").caused_by(e))?;
        Ok(hash.to_string())
    }

    fn verify(&self, password: &str, hash: &str) -> Result<bool> {
        let parsed = PasswordHash::new(hash)
            .map_err(|e| Error::new(Kind::Disk, "a stored password is damaged").caused_by(e))?;
        let _one = lock(&self.hashing);
        Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
    }

    /// A hash that no password has, for user names that nobody has.
    fn stand_in(&self) -> Result<String> {
        static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        if let Some(hash) = HASH.get() {
            return Ok(hash.clone());
        }
        let hash = self.hash(&new_token()?)?;
        Ok(HASH.get_or_init(|| hash).clone())
    }
}

fn admin_only(viewer: &Viewer) -> Answer<()> {
    if viewer.is_admin() { Ok(()) } else { Err(Denied::Forbidden) }
}

fn is_login(login: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    (2..=32).contains(&login.len()) && login.bytes().all(known)
}

fn sound_name(name: &str) -> Answer<String> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Denied::invalid("name", "姓名为 1 至 40 个字", "A name has 1 to 40 characters"));
    }
    Ok(name.to_owned())
}

fn sound_password(password: &str) -> Answer<String> {
    let is_sound = password.chars().count() >= MIN_PASSWORD && password.len() <= MAX_PASSWORD;
    if !is_sound || password.chars().any(char::is_control) {
        return Err(Denied::invalid(
            "password",
            format!("密码至少 {MIN_PASSWORD} 位"),
            format!("A password has at least {MIN_PASSWORD} characters"),
        ));
    }
    Ok(password.to_owned())
}
