//! The list of all routes: there is no other way in. Tests walk over it ([`routes`]).

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use super::context::Site;
use super::gate::{Gate, gate, headers, nothing};
use super::{account, admin, assets, board, case, codes, followup, inbox, live, rates, report, resident};
use crate::desk::life::Role;

/// Who may ask for a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// People who are signed in with one of these roles; others are sent to sign in.
    Page(&'static [Role]),
    /// The same for what is no page: others are refused.
    Data(&'static [Role]),
}

/// A route, for those who want to know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path, with its parameters in braces.
    pub path: &'static str,
    /// Who may ask.
    pub access: Access,
    /// Whether what it answers depends on a case, so on its grid.
    pub is_of_case: bool,
}

struct Route {
    info: RouteInfo,
    handler: MethodRouter<Arc<Site>>,
    /// Photos that a request can bring.
    photos: usize,
}

const ALL: &[Role] = &Role::OF_ACCOUNTS;
const STREET: &[Role] = &[Role::Worker, Role::Operator, Role::Centre, Role::Admin];
const IN_CHARGE: &[Role] = &[Role::Operator, Role::Centre, Role::Admin];
const ADMIN: &[Role] = &[Role::Admin];
/// Bytes of a request beside its photos.
const WORDS: usize = 64 << 10;

impl Route {
    fn get(path: &'static str, access: Access, handler: MethodRouter<Arc<Site>>) -> Self {
        Self { info: RouteInfo { method: "GET", path, access, is_of_case: false }, handler, photos: 0 }
    }

    fn post(path: &'static str, access: Access, handler: MethodRouter<Arc<Site>>) -> Self {
        Self { info: RouteInfo { method: "POST", path, access, is_of_case: false }, handler, photos: 0 }
    }

    fn of_case(mut self) -> Self {
        self.info.is_of_case = true;
        self
    }

    fn photos(mut self, photos: usize) -> Self {
        self.photos = photos;
        self
    }
}

fn table() -> Vec<Route> {
    use Access::{Data, Open, Page};
    vec![
        Route::get("/", Page(ALL), get(inbox::start)),
        Route::get("/inbox", Page(ALL), get(inbox::list)),
        Route::get("/case/{id}", Page(ALL), get(case::show)).of_case(),
        Route::post("/case/{id}", Data(ALL), post(case::act)).of_case().photos(6),
        Route::get("/case/{id}/merge", Page(STREET), get(case::merge)).of_case(),
        Route::get("/picture/{id}", Data(ALL), get(case::picture)).of_case(),
        Route::get("/live", Data(ALL), get(live::live)),
        Route::get("/board", Page(IN_CHARGE), get(board::show)),
        Route::get("/report/patrol", Page(STREET), get(report::patrol)),
        Route::post("/report/patrol", Data(STREET), post(report::send_patrol)).photos(6),
        Route::get("/report/telephone", Page(IN_CHARGE), get(report::telephone)),
        Route::post("/report/telephone", Data(IN_CHARGE), post(report::send_telephone)).photos(6),
        Route::get("/rates", Page(ALL), get(rates::show)),
        Route::get("/rates.csv", Data(ALL), get(rates::csv)),
        Route::get("/codes", Page(STREET), get(codes::sheet)),
        Route::post("/codes", Data(ADMIN), post(codes::renew)),
        Route::get("/admin/users", Page(ADMIN), get(admin::users)),
        Route::post("/admin/users", Data(ADMIN), post(admin::add)),
        Route::get("/admin/users/{id}", Page(ADMIN), get(admin::user)),
        Route::post("/admin/users/{id}", Data(ADMIN), post(admin::change)),
        Route::get("/admin/audit", Page(ADMIN), get(admin::audit)),
        Route::get("/password", Page(ALL), get(account::password)),
        Route::post("/password", Data(ALL), post(account::set_password)),
        Route::post("/logout", Data(ALL), post(account::sign_out)),
        Route::get("/login", Open, get(account::login)),
        Route::post("/login", Open, post(account::sign_in)),
        Route::get("/lang/{lang}", Open, get(account::language)),
        Route::get("/r/{token}", Open, get(resident::form)),
        Route::post("/r/{token}", Open, post(resident::send)).photos(3),
        Route::get("/s/{token}", Open, get(resident::status)),
        Route::get("/f/{token}", Open, get(followup::ask)),
        Route::post("/f/{token}", Open, post(followup::answer)),
        Route::get("/static/desk.css", Open, get(assets::style)),
        Route::get("/static/desk.js", Open, get(assets::script)),
        Route::get("/static/icon.svg", Open, get(assets::icon)),
    ]
}

/// All routes.
pub fn routes() -> Vec<RouteInfo> {
    table().into_iter().map(|route| route.info).collect()
}

/// The routes as they are served.
pub(super) fn router(site: &Arc<Site>) -> Router {
    let photo_bytes = site.desk.plan().reports.photo_bytes;
    let mut router = Router::new();
    let open = Gate { site: Arc::clone(site), access: Access::Open };
    for route in table() {
        let gate_of = Gate { site: Arc::clone(site), access: route.info.access };
        let handler = route
            .handler
            .layer(DefaultBodyLimit::max(WORDS + route.photos * photo_bytes))
            .layer(from_fn_with_state(gate_of, gate));
        router = router.route(route.info.path, handler);
    }
    let fallback = axum::routing::any(nothing).layer(from_fn_with_state(open, gate));
    router
        .fallback_service(fallback.with_state(Arc::clone(site)))
        .layer(from_fn_with_state(Arc::clone(site), headers))
        .with_state(Arc::clone(site))
}
