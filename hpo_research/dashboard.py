"""A live page of running or finished experiments: optuna-dashboard over our stores, for reading.

The page is another program's and it is served to whoever asks: it listens on this machine alone
unless told otherwise, answers under the names of this machine alone then (a page from elsewhere
that has its name point here gets nothing), and refuses every request that would change something.

optuna-dashboard takes dates for those of the browser's zone, as Optuna does, and asks a storage for
the trials of a study at most every 2 seconds, every 5 from 100 trials and every 10 from 500.
"""

import json
import socket
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from hpo_research.analysis import optuna_view
from hpo_research.errors import MachineError
from hpo_research.paths import Given

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
HOST, PORT = "127.0.0.1", 8080
_READING = ("GET", "HEAD", "OPTIONS")
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


class Server(ThreadingMixIn, WSGIServer):
    """Serves the page, each request in a thread that ends with the program."""

    daemon_threads = True
    allow_reuse_address = True

    @property
    def url(self) -> str:
        """The address that opens the page."""
        host, port = self.server_address[:2]
        shown = str(host) if self.address_family == socket.AF_INET else f"[{host!s}]"
        return f"http://{shown}:{port}/"


class _SixServer(Server):
    """The same on an address of IPv6."""

    address_family = socket.AF_INET6


class _Silent(WSGIRequestHandler):
    """Writes no line for each request: a page asks every few seconds."""

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def app(folders: Sequence[Given], *, host: str = HOST) -> App:
    """Return the page as a WSGI application, guarded as the module says.

    Raises `MissingPackageError` without optuna-dashboard, `StoreError` where a folder has no store.
    """
    optuna_view.needed.need("optuna", "optuna_dashboard")
    import optuna_dashboard

    shown: App = optuna_dashboard.wsgi(optuna_view.storage.StoreStorage(folders))
    return guarded(shown, is_loopback(host))


def guarded(shown: App, is_local: bool) -> App:
    """Let an application answer what only reads and, where `is_local`, what was asked of here."""

    def answer(request: dict[str, Any], begin: Callable[..., Any]) -> Iterable[bytes]:
        asked = urlsplit(f"//{request.get('HTTP_HOST', '')}").hostname or ""
        if is_local and asked not in _OWN_NAMES and not is_loopback(asked):
            return _refused(begin, "this page answers on this machine alone; see --host")
        if request.get("REQUEST_METHOD") not in _READING:
            return _refused(begin, optuna_view.storage.READ_ONLY)
        return shown(request, begin)

    return answer


def _refused(begin: Callable[..., Any], why: str) -> Iterable[bytes]:
    """Answer as the page's own program does where it refuses: it shows the reason."""
    body = json.dumps({"reason": why}).encode()
    begin("403 Forbidden", [("Content-Type", "application/json; charset=utf-8")])
    return [body]


def server(folders: Sequence[Given], *, host: str = HOST, port: int = PORT) -> Server:
    """Return a server of the page; `serve_forever` runs it, port 0 takes any that is free.

    Raises as `app`, and `MachineError` where the machine does not give the port or the address.
    """
    shown = app(folders, host=host)
    kind = _SixServer if ":" in host else Server
    try:
        return make_server(host, port, shown, server_class=kind, handler_class=_Silent)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise MachineError(
            f"cannot listen on {host}, port {port} ({why}); choose another with --port or --host"
        ) from error
