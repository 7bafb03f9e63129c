//! Accounts, sessions and the audit log.

use rusqlite::{Connection, OptionalExtension as _};

use super::Tx;
use crate::desk::life::{Millis, Role};
use crate::desk::people::AuditEntry;

/// An account as it lies in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct AccountRow {
    pub(in crate::desk) id: i64,
    pub(in crate::desk) login: String,
    pub(in crate::desk) name: String,
    pub(in crate::desk) role: Role,
    pub(in crate::desk) department: Option<String>,
    pub(in crate::desk) password: String,
    pub(in crate::desk) is_active: bool,
    pub(in crate::desk) must_change: bool,
    pub(in crate::desk) created: Millis,
    pub(in crate::desk) grids: Vec<String>,
}

/// A session with its account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::desk) struct SessionRow {
    pub(in crate::desk) account: AccountRow,
    pub(in crate::desk) csrf: String,
    pub(in crate::desk) until: Millis,
}

const COLUMNS: &str =
    "a.id, a.login, a.name, a.role, a.department, a.password, a.is_active, a.must_change, a.created";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<AccountRow> {
    let role: String = row.get(3)?;
    Ok(AccountRow {
        id: row.get(0)?,
        login: row.get(1)?,
        name: row.get(2)?,
        role: Role::parse(&role).ok_or(rusqlite::Error::InvalidQuery)?,
        department: row.get(4)?,
        password: row.get(5)?,
        is_active: row.get(6)?,
        must_change: row.get(7)?,
        created: row.get(8)?,
        grids: Vec::new(),
    })
}

fn with_grids(db: &Connection, mut account: AccountRow) -> rusqlite::Result<AccountRow> {
    account.grids = db
        .prepare_cached("SELECT grid FROM account_grid WHERE account = ?1 ORDER BY grid")?
        .query_map([account.id], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(account)
}

/// The account called `login`.
pub(in crate::desk) fn by_login(db: &Connection, login: &str) -> rusqlite::Result<Option<AccountRow>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM account a WHERE a.login = ?1"))?
        .query_row([login], read)
        .optional()?
        .map(|account| with_grids(db, account))
        .transpose()
}

/// The account `id`.
pub(in crate::desk) fn by_id(db: &Connection, id: i64) -> rusqlite::Result<Option<AccountRow>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM account a WHERE a.id = ?1"))?
        .query_row([id], read)
        .optional()?
        .map(|account| with_grids(db, account))
        .transpose()
}

/// All accounts by their name.
pub(in crate::desk) fn all(db: &Connection) -> rusqlite::Result<Vec<AccountRow>> {
    let accounts: Vec<AccountRow> = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM account a ORDER BY a.login"))?
        .query_map([], read)?
        .collect::<rusqlite::Result<_>>()?;
    accounts.into_iter().map(|account| with_grids(db, account)).collect()
}

/// The session whose token has the SHA-256 `token`, if it is still good at `now`.
pub(in crate::desk) fn session(
    db: &Connection,
    token: &[u8],
    now: Millis,
) -> rusqlite::Result<Option<SessionRow>> {
    let found = db
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, s.csrf, s.until FROM session s JOIN account a ON a.id = s.account
             WHERE s.token = ?1 AND s.until > ?2 AND a.is_active = 1"
        ))?
        .query_row((token, now), |row| Ok((read(row)?, row.get(9)?, row.get(10)?)))
        .optional()?;
    let Some((account, csrf, until)) = found else { return Ok(None) };
    Ok(Some(SessionRow { account: with_grids(db, account)?, csrf, until }))
}

/// Up to `limit` entries of the audit log before `before`, newest first.
pub(in crate::desk) fn audit(
    db: &Connection,
    before: Option<i64>,
    limit: u32,
) -> rusqlite::Result<Vec<AuditEntry>> {
    db.prepare_cached(
        "SELECT id, at, login, address, what, subject FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    )?
    .query_map((before.unwrap_or(i64::MAX), limit), |row| {
        Ok(AuditEntry {
            id: row.get(0)?,
            at: row.get(1)?,
            login: row.get(2)?,
            address: row.get(3)?,
            what: row.get(4)?,
            subject: row.get(5)?,
        })
    })?
    .collect()
}

impl Tx<'_> {
    /// Stores a new account and returns its id; `None` if another has its login.
    pub(in crate::desk) fn add_account(&mut self, account: &AccountRow) -> rusqlite::Result<Option<i64>> {
        let added = self
            .prepare_cached(
                "INSERT OR IGNORE INTO account (login, name, role, department, password, is_active, must_change, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((
                &account.login,
                &account.name,
                account.role.as_str(),
                &account.department,
                &account.password,
                account.is_active,
                account.must_change,
                account.created,
            ))?;
        if added == 0 {
            return Ok(None);
        }
        let id = self.last_insert_rowid();
        self.set_grids(id, &account.grids)?;
        Ok(Some(id))
    }

    /// Writes all but login and password of `account`.
    pub(in crate::desk) fn set_account(&mut self, account: &AccountRow) -> rusqlite::Result<()> {
        self.prepare_cached(
            "UPDATE account SET name = ?2, role = ?3, department = ?4, is_active = ?5 WHERE id = ?1",
        )?
        .execute((
            account.id,
            &account.name,
            account.role.as_str(),
            &account.department,
            account.is_active,
        ))?;
        self.set_grids(account.id, &account.grids)
    }

    fn set_grids(&mut self, account: i64, grids: &[String]) -> rusqlite::Result<()> {
        self.prepare_cached("DELETE FROM account_grid WHERE account = ?1")?.execute([account])?;
        for grid in grids {
            self.prepare_cached("INSERT OR IGNORE INTO account_grid (account, grid) VALUES (?1, ?2)")?
                .execute((account, grid))?;
        }
        Ok(())
    }

    /// Sets the password of `account` and ends its sessions but `keep`.
    pub(in crate::desk) fn set_password(
        &mut self,
        account: i64,
        password: &str,
        must_change: bool,
    ) -> rusqlite::Result<()> {
        self.prepare_cached("UPDATE account SET password = ?2, must_change = ?3 WHERE id = ?1")?
            .execute((account, password, must_change))?;
        Ok(())
    }

    /// Ends the sessions of `account`.
    pub(in crate::desk) fn end_sessions(&mut self, account: i64) -> rusqlite::Result<()> {
        self.prepare_cached("DELETE FROM session WHERE account = ?1")?.execute([account])?;
        Ok(())
    }

    /// Begins a session.
    pub(in crate::desk) fn begin_session(
        &mut self,
        token: &[u8],
        account: i64,
        csrf: &str,
        now: Millis,
        until: Millis,
    ) -> rusqlite::Result<()> {
        self.prepare_cached("DELETE FROM session WHERE until <= ?1")?.execute([now])?;
        self.prepare_cached(
            "INSERT INTO session (token, account, csrf, created, until) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((token, account, csrf, now, until))?;
        Ok(())
    }

    /// Ends one session. Returns the login of its account.
    pub(in crate::desk) fn end_session(&mut self, token: &[u8]) -> rusqlite::Result<Option<String>> {
        self.prepare_cached(
            "DELETE FROM session WHERE token = ?1 RETURNING (SELECT login FROM account WHERE id = account)",
        )?
        .query_row([token], |row| row.get(0))
        .optional()
    }

    /// Adds an entry to the audit log.
    pub(in crate::desk) fn log(
        &mut self,
        at: Millis,
        login: &str,
        address: &str,
        what: &str,
        subject: &str,
    ) -> rusqlite::Result<()> {
        self.prepare_cached(
            "INSERT INTO audit (at, login, address, what, subject) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((at, login, address, what, subject))?;
        Ok(())
    }
}

/// Logins of the active workers of `grid`, and of those whose role is `role`.
pub(in crate::desk) fn workers_of(db: &Connection, grid: &str) -> rusqlite::Result<Vec<String>> {
    db.prepare_cached(
        "SELECT a.login FROM account_grid g JOIN account a ON a.id = g.account
         WHERE g.grid = ?1 AND a.is_active = 1 ORDER BY a.login",
    )?
    .query_map([grid], |row| row.get(0))?
    .collect()
}
