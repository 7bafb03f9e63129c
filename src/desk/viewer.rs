//! Who looks, and what they may see. Every question about cases takes a [`Viewer`], so no caller can forget to ask.
//!
//! # Invariants
//! - A viewer is made by signing in only ([`super::people`]); its scope cannot be widened afterwards.
//! - A case that a viewer may not see is, for every function, the same as one that is not there
//!   (tests/desk/scope.rs).

use serde::Serialize;

use super::life::{Actor, Role};

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Viewer {
    pub(super) account: i64,
    pub(super) login: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) scope: Scope,
}

/// The cases that somebody may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All of the street.
    Street,
    /// Those of these grids.
    Grids(Vec<String>),
    /// Those that were ever given to this department.
    Department(String),
}

impl Viewer {
    /// Id of the account.
    pub fn account(&self) -> i64 {
        self.account
    }

    /// User name.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What they may see.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether they look after the desk.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// As one who acts.
    pub(super) fn actor(&self) -> Actor {
        Actor { role: self.role, account: Some(self.account) }
    }

    /// Whether they may see a case of `grid` that was given to `departments`.
    pub(super) fn sees(&self, grid: &str, departments: &[String]) -> bool {
        match &self.scope {
            Scope::Street => true,
            Scope::Grids(grids) => grids.iter().any(|known| known == grid),
            Scope::Department(id) => departments.iter().any(|known| known == id),
        }
    }

    /// Whether they may see a whole grid.
    pub(super) fn sees_grid(&self, grid: &str) -> bool {
        self.sees(grid, &[])
    }
}
