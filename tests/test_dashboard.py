"""The live page: whom it answers, what it refuses, and what a browser shows of a running study."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from urllib.request import ProxyHandler, build_opener

import pytest

import hpo_research as hpo
from hpo_research import dashboard
from hpo_research.analysis.result import Result
from hpo_research.errors import MachineError, MissingPackageError, StoreError

SPACE = hpo.SearchSpace(x=hpo.Float(0, 1), kind=hpo.Categorical(["a", "b"]))


def asked(method: str, host: str, *, is_local: bool) -> str:
    """The status that a guarded page answers with; `shown` where the page itself answers."""
    statuses = []
    page = dashboard.guarded(lambda request, begin: begin("shown", []) or [], is_local)
    body = page({"REQUEST_METHOD": method, "HTTP_HOST": host}, lambda s, _: statuses.append(s))
    assert all("reason" in json.loads(part) for part in body)
    return statuses[0]


@pytest.mark.parametrize("host", ["localhost:80", "127.0.0.1:8080", "127.0.0.2", "[::1]:8080"])
def test_what_is_asked_for_here_is_shown(host: str):
    assert asked("GET", host, is_local=True) == "shown"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8080", "", "10.0.0.1"])
def test_a_name_that_points_here_from_elsewhere_is_refused(host: str):
    assert asked("GET", host, is_local=True) == "403 Forbidden"
    assert asked("GET", host, is_local=False) == "shown"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("is_local", [True, False])
def test_nothing_can_be_changed(method: str, is_local: bool):
    assert asked(method, "localhost", is_local=is_local) == "403 Forbidden"


def test_without_the_package_the_install_line_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(MissingPackageError, match=r"optuna-dashboard; install it: pip install"):
        dashboard.server([tmp_path])


@pytest.fixture
def page():
    return pytest.importorskip("optuna_dashboard", reason="needs optuna-dashboard")


def test_a_folder_without_a_store_is_said(page, tmp_path):
    with pytest.raises(StoreError, match="no store"):
        dashboard.server([tmp_path], port=0)


def test_a_port_that_is_taken_is_said(page, tmp_path):
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path), socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"port {port} .*choose another with --port"):
            dashboard.server([tmp_path], port=port)


@pytest.fixture
def running(tmp_path):
    """A study that is going on: six trials have finished, one failed, one is under way."""
    with hpo.Study(SPACE, hpo.Random(), path=tmp_path / "s", max_epochs=3) as study:
        for _ in range(6):
            (trial,) = study.ask(1)
            for epoch in range(1, 4):
                study.report(trial.id, epoch, trial.config["x"] + 1 / epoch)
        study.fail(study.ask(1)[0].id, "out of memory")
        study.report(study.ask(1)[0].id, 1, 0.25)
        yield study


@pytest.fixture
def url(page, running, tmp_path):
    with dashboard.server([tmp_path / "s"], port=0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.url
        server.shutdown()
        thread.join()


def states(url: str) -> Counter[str]:
    opener = build_opener(ProxyHandler({}))  # no proxy stands between this machine and itself
    with opener.open(f"{url}api/studies/0?after=0", timeout=60) as answer:
        return Counter(trial["state"] for trial in json.load(answer)["trials"])


def test_the_page_counts_as_the_store_does_while_it_grows(url, running, tmp_path):
    assert states(url) == {"Complete": 6, "Fail": 1, "Running": 1}
    running.report(7, 2, 0.5)
    running.report(7, 3, 0.5)
    wanted = {"Complete": 7, "Fail": 1}
    limit = time.monotonic() + 30  # the page's own program asks for trials every two seconds
    while states(url) != wanted and time.monotonic() < limit:
        time.sleep(0.1)
    assert states(url) == wanted
    (run,) = Result.read(tmp_path / "s").runs.values()
    assert Counter(t.status for t in run.trials) == {"finished": 7, "failed": 1}


def test_a_browser_draws_the_page_of_a_study_that_is_going_on(url, tmp_path):
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--dump-dom"]
    options += ["--virtual-time-budget=4000", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [chromium, *options, f"{url}dashboard/studies/0"],
        capture_output=True,
        text=True,
        timeout=250,
        check=True,
    )
    for shown in ("study | study | seed 0", "Best Trial", "Intermediate values", "js-plotly-plot"):
        assert shown in done.stdout
