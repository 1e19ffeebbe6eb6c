"""Serves the few routes that nearly all requests are for, without the parts of Flask that they do not need.

A hot route is a view like any other, with the same hooks, errors, metrics and proxies (``request``, ``g``,
``current_app``). Only the way to it is shorter: its path is looked up in a dictionary, and no session, signal or
teardown is prepared. Every other request goes on to Flask.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import NullSession

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.routing import Rule

View = Callable[..., Response]


class NotHot(RuntimeError):
    """This route needs more of Flask than a hot route gets"""


@dataclass(frozen=True, slots=True)
class _Route:
    """Where a path leads: a view, and the name of the argument that ends the path, if it has one."""

    rule: Rule
    view: View
    argument: str = ""


class _Context(RequestContext):
    """A request whose route is known already."""

    def __init__(self, app: Flask, environ: WSGIEnvironment, rule: Rule, arguments: dict[str, Any]) -> None:
        # Not the parent's: it would look for the route.
        self.app = app
        self.request = request = app.request_class(environ)
        request.url_rule = rule
        request.view_args = arguments
        self.url_adapter = None
        self.flashes = None
        self._session = _NO_SESSION
        self._after_request_functions = []
        self._cv_tokens = []


_NO_SESSION = NullSession()
_LEFT_TO_FLASK = frozenset({"HEAD", "OPTIONS"})
_SHAPE = re.compile(r"([^<>]+)(?:(?<=/)<([a-z_]+)>)?")


class HotRoutes:
    """A WSGI application in front of ``app``'s own."""

    def __init__(self, app: Flask, endpoints: Iterable[str]) -> None:
        """Take the routes of ``endpoints``, which must be registered; raises :class:`NotHot` for what cannot be one."""
        if app.teardown_request_funcs or app.teardown_appcontext_funcs or app.url_value_preprocessors:
            raise NotHot("the application prepares or clears up something for each request")
        self._app = app
        self._flask: WSGIApplication = app.wsgi_app
        self._exact: dict[tuple[str, str], _Route] = {}
        self._prefixes: dict[tuple[str, str], _Route] = {}
        for endpoint in endpoints:
            for rule in app.url_map.iter_rules(endpoint):
                self._add(rule, endpoint)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        arguments: dict[str, Any] = {}
        route = self._exact.get((method, path))
        if route is None:
            head, slash, tail = path.rpartition("/")
            route = self._prefixes.get((method, head + slash)) if tail and tail.isascii() else None
            if route is None:
                return self._flask(environ, start_response)
            arguments[route.argument] = tail
        context = _Context(self._app, environ, route.rule, arguments)
        app_token = _cv_app.set(AppContext(self._app))
        token = _cv_request.set(context)
        try:
            response = self._answer(route.view, arguments)
        finally:
            _cv_request.reset(token)
            _cv_app.reset(app_token)
        start_response(response.status, response.headers.to_wsgi_list())
        return response.response  # type: ignore[return-value]

    def _add(self, rule: Rule, endpoint: str) -> None:
        blueprint = endpoint.rpartition(".")[0]
        if blueprint in self._app.before_request_funcs or blueprint in self._app.after_request_funcs:
            raise NotHot(f"{blueprint} has hooks of its own")
        shape = _SHAPE.fullmatch(rule.rule)
        if shape is None:
            raise NotHot(f"{rule.rule} has more than one argument, or one that must be converted")
        path, argument = shape.groups()
        route = _Route(rule, cast(View, self._app.view_functions[endpoint]), argument or "")
        for method in (rule.methods or set()) - _LEFT_TO_FLASK:
            (self._prefixes if argument else self._exact)[method, path] = route

    def _answer(self, view: View, arguments: dict[str, Any]) -> Response:
        app = self._app
        response: Response | None = None
        try:
            for before in app.before_request_funcs.get(None, ()):
                if (response := cast(Response | None, before())) is not None:
                    break
            else:
                response = view(**arguments)
        except Exception as error:
            response = cast(Response, app.handle_user_exception(error))
        for after in reversed(app.after_request_funcs.get(None, ())):
            response = cast(Response, after(response))
        return response


def install(app: Flask, *endpoints: str) -> None:
    """Make routes of ``app`` hot; call this last, when everything is registered."""
    app.wsgi_app = HotRoutes(app, endpoints)  # type: ignore[method-assign]
