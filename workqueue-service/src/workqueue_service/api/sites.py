"""Sites and log-ins (spec: workqueue 7.2). No answer ever holds a credential."""

from flask import Response

from chassis.errors import ApiError
from chassis.idempotency import once
from workqueue_service import answers, callers, fields, leases, serializer, sessions, sites
from workqueue_service.api import routes
from workqueue_service.container import container
from workqueue_service.elements import GRIDFTP
from workqueue_service.statements import sites as sql
from workqueue_service.times import wire

blueprint = routes.blueprint("sites", routes.SITE)


@blueprint.get("/site")
def list_sites() -> Response:
    """Return public sites and the user's own."""
    user = callers.user()
    return answers.of([serializer.site(row, user.id) for row in sites.visible(container().database, user.id)])


@blueprint.post("/site")
def register_site() -> Response:
    """Register a site and return its id."""
    user = callers.user()
    return once(f"account:{user.id}", lambda: _register(user.id))


@blueprint.get("/site/<long:site_id>")
def show_site(site_id: int) -> Response:
    """Return one site."""
    user = callers.user()
    return answers.of(serializer.whole_site(_visible(user.id, site_id), user.id))


@blueprint.delete("/site/<long:site_id>")
def delete_site(site_id: int) -> Response:
    """Delete an own site with its log-ins; jobs that still need it end."""
    user, parts = callers.user(), container()
    if parts.database.value(sql.delete_site, {"id": site_id, "user_id": user.id}) is None:
        raise ApiError(404, f"You have no site {site_id}")
    leases.end_of_sites(parts.database, [site_id], parts.backoff)
    return answers.empty()


@blueprint.get("/session/<long:site_id>")
def show_session(site_id: int) -> Response:
    """Return whether the user is logged in at a site."""
    user, db = callers.user(), container().database
    session = sessions.find(db, site_id, user.id)
    if session is None:
        return answers.of({"ok": False})
    known = {"username": session["username"], "expiry": wire(session["expires_at"])}
    return answers.of({"ok": session["valid"], **known})


@blueprint.post("/session/<long:site_id>")
def log_in(site_id: int) -> Response:
    """Log in at a site."""
    user, parts = callers.user(), container()
    site = _visible(user.id, site_id)
    sessions.log_in(parts.database, parts.vault, site, user.id, fields.json_object())
    return answers.empty()


@blueprint.delete("/session/<long:site_id>")
def log_out(site_id: int) -> Response:
    """Forget a log-in; there need not be one."""
    user = callers.user()
    sessions.log_out(container().database, site_id, user.id)
    return answers.empty()


@blueprint.delete("/user/<long:user_id>")
def delete_user(user_id: int) -> Response:
    """Delete one's own sites and log-ins."""
    user, parts = callers.user(), container()
    if user.id != user_id:
        raise ApiError(403, "Only the user may do this")
    with parts.database.transaction() as tx:
        gone = [row["id"] for row in tx.all(sql.delete_sites_of_user, {"user_id": user_id})]
        tx.execute(sql.drop_sessions_of_user, {"user_id": user_id})
    leases.end_of_sites(parts.database, gone, parts.backoff)
    return answers.empty()


@blueprint.get("/endpoint/<long:site_id>")
def endpoints_for_workers(site_id: int) -> Response:
    """Return where a PDM worker finds a site, and the certificates it checks it with."""
    callers.worker()
    site = sites.find_for_worker(container().database, site_id)
    if site is None or site["transport"] != GRIDFTP:
        raise ApiError(404, f"No site {site_id} with GridFTP endpoints")
    # A certificate listed twice ends the worker (spec: workqueue 6.7).
    cas = list(dict.fromkeys(pem for pem in (site["user_ca_cert"], site["service_ca_cert"]) if pem))
    return answers.of({"endpoints": site["endpoints"], **({"cas": cas} if cas else {})})


@blueprint.get("/service")
def describe() -> Response:
    """Return what is common to all sites: nothing here."""
    return answers.of({"vos": []})


def _visible(user_id: int, site_id: int) -> dict[str, object]:
    row = sites.find(container().database, user_id, site_id)
    if row is None:
        raise ApiError(404, f"No site {site_id}")
    return row


def _register(user_id: int) -> Response:
    parts = container()
    return answers.of(sites.register(parts.database, user_id, fields.json_object(), parts.rules))
