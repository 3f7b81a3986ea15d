"""The report and the model card as a browser shows them: wide, narrow, light, dark; nothing else loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.test_accessibility import is_too_wide, violations

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("name", ["report.html", "model_card.html"])
def test_page_breaks_no_rule_of_accessibility(
    chromium: Browser,
    files: dict[str, str],
    tmp_path: Path,
    name: str,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    (tmp_path / name).write_text(files[name], encoding="utf-8")
    address = (tmp_path / name).as_uri()
    complaints: list[str] = []
    asked: list[str] = []
    with chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))  # playwright sets attributes on it
        page.goto(address)
        page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
        assert (violations(page), is_too_wide(page)) == ([], False)
    assert (complaints, asked) == ([], [address])
