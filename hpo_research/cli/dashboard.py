"""`hpo dashboard`: a live page of results folders."""

from collections.abc import Sequence
from pathlib import Path

from hpo_research import dashboard
from hpo_research.cli.console import say, screen, warn


def show(folders: Sequence[Path], host: str, port: int) -> None:
    """Serve the page until Ctrl-C."""
    if not dashboard.is_loopback(host):
        warn(f"whoever can reach {host} can read these results; there is no password")
    with dashboard.server(folders, host=host, port=port) as server:
        say(screen(), f"{server.url} shows {', '.join(map(str, folders))}; Ctrl-C ends it")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say(screen(), "ended")
