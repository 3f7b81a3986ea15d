"""Every state held against axe-core's rules (WCAG 2.2 AA, good practice): light, dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Desk

pytestmark = pytest.mark.slow

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
STATES = (
    "/", "/examples/typical", "/examples/typical/answer", "/examples/in_treatment/answer",
    "/examples/contraindication/answer", "/examples/danger_sign/answer", "/about",
)  # fmt: skip


def violations(page: Page) -> list[str]:
    # Evaluated, not added as a script: the content policy of the page lets no other script in.
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
    )
    assert found["passes"], "axe looked at nothing"
    return [f"{v['id']}: {node['html'][:120]}" for v in found["violations"] for node in v["nodes"]]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1280, 768])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_state_breaks_a_rule(sit_down: Callable[..., Desk], scheme: str, width: int) -> None:
    desk = sit_down(width=width, color_scheme=scheme)
    for path in STATES:
        page = desk.open(path)
        assert (path, violations(page), is_too_wide(page)) == (path, [], False)
    page = desk.open("/examples/typical")
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert violations(page) == []
    page.get_by_label("Age", exact=True).fill("460")
    desk.predict()
    expect(page.get_by_role("alert")).to_be_focused()
    assert (violations(page), is_too_wide(page)) == ([], False)
    desk.complaints.clear()  # the browser itself notes that the answer's status was 422


def test_page_fits_a_small_screen_and_a_zoom_of_four(sit_down: Callable[..., Desk]) -> None:
    desk = sit_down(width=320)  # 1280 pixels at 400 %: WCAG 1.4.10
    for path in ("/", "/examples/typical/answer"):
        assert not is_too_wide(desk.open(path)), path


def test_rules_would_notice_a_fault(sit_down: Callable[..., Desk]) -> None:
    page = sit_down().open()
    page.get_by_label("Age", exact=True).evaluate("field => field.labels[0].remove()")
    assert any(text.startswith("label: ") for text in violations(page))
