"""A real service on loopback, and the system's Chromium in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from models.storage import save_model
from tests.models.records import sign_folder
from tests.models.small_care import shipped_care
from tests.serving.conftest import Service, end, keys_of, launch

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    # Nothing but loopback: a request to any other address fails, and the test with it.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

Serve = Callable[[Path], Service]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine: install the system's package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser") / "ketamine-trd"
    save_model(shipped_care(shown=False), folder)
    sign_folder(folder)
    return folder


@pytest.fixture(scope="package")
def serve(model_folder: Path) -> Iterator[Serve]:
    """Start a service in a folder of its own; whatever still runs at the end is stopped."""
    started: list[Service] = []

    def starter(folder: Path) -> Service:
        trusted = {"TREATMENT_RESPONSE_TRUSTED_KEYS": str(keys_of(model_folder))}
        started.append(launch(folder / "service.log", "--model", str(model_folder), cwd=folder, **trusted))
        return started[-1]

    yield starter
    for service in started:
        end(service.process)


@pytest.fixture(scope="package")
def service(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Service:
    return serve(tmp_path_factory.mktemp("service"))


@dataclass
class Desk:
    """A clinician's browser window.

    Parameters
    ----------
    page : Page
    url : str
        Of the service.
    complaints : list of str
        Errors in the console, of scripts and of requests.
    asked : list of Request
    """

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.url + path, wait_until="networkidle")
        return self.page

    def choose(self, name: str, value: str) -> None:
        """Choose a radio button as a pointer does: through the label that covers it."""
        self.page.locator(f'input[name="{name}"][value="{value}"]').first.check(force=True)

    def predict(self) -> None:
        self.page.get_by_role("button", name="Predict").first.click()


@pytest.fixture
def sit_down(chromium: Browser, service: Service) -> Iterator[Callable[..., Desk]]:
    """Open windows; a test fails if one of them had anything to complain about."""
    contexts: list[BrowserContext] = []
    desks: list[Desk] = []

    def opener(*, url: str = service.url, width: int = 1280, **options: Any) -> Desk:
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        desk = Desk(context.new_page(), url)
        desk.page.on("console", lambda m: desk.complaints.append(m.text) if m.type == "error" else None)
        desk.page.on("pageerror", lambda error: desk.complaints.append(str(error)))
        desk.page.on("request", lambda request: desk.asked.append(request))  # noqa: PLW0108  # playwright sets attributes on it
        desks.append(desk)
        return desk

    yield opener
    for context in contexts:
        context.close()
    for desk in desks:
        assert desk.complaints == []
        assert all(request.url.startswith(desk.url) for request in desk.asked)
