"""A clinician's task in a real browser: fill, predict, compare, be stopped, be told what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Desk, Serve

pytestmark = pytest.mark.slow

Open = Callable[..., Desk]

PLAN = "iv_ketamine"
PHQ9 = "/patient/phq9_baseline"


def fill(desk: Desk) -> None:
    desk.page.get_by_label("Age", exact=True).fill("46")
    desk.page.get_by_label("Sex").select_option("female")
    desk.page.get_by_label("Depression severity before treatment (MADRS)", exact=True).fill("34")
    desk.choose("/plan", PLAN)


def test_fill_predict_and_compare_plans(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    loaded = len(desk.asked)
    fill(desk)
    assert len(desk.asked) == loaded  # nothing leaves the page before "Predict"
    desk.predict()
    expect(page.get_by_role("heading", name="Prediction", exact=True)).to_be_focused()
    expect(page.locator("svg.people")).to_have_count(2)
    expect(page.locator(".outcome").first).to_contain_text("of 100 interval")
    expect(page.locator("table.plans tbody tr")).to_have_count(5)
    expect(page.locator("table.plans tr.chosen")).to_contain_text("chosen above")
    expect(page.locator("figure.curve:visible").first).to_be_visible()
    # No address and no store of the browser holds a patient.
    assert page.url == f"{desk.url}/"
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.evaluate("document.cookie") == ""


def test_change_one_value_and_predict_again(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    fill(desk)
    desk.predict()
    first = page.locator(".entered").inner_text()
    page.get_by_text("Change what was entered, and predict again").click()
    page.get_by_label("Age", exact=True).fill("71")
    desk.predict()
    expect(page.locator(".entered")).to_contain_text("71 years")
    assert page.locator(".entered").inner_text() == first.replace("46 years", "71 years")


def test_danger_sign_comes_first_and_alone(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    fill(desk)
    desk.choose("/safety/suicidal_plan_or_intent", "true")
    desk.predict()
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("Danger sign: act now")
    expect(page.locator("svg.people, table.plans, table.drivers")).to_have_count(0)


def test_everything_unknown_is_answered_and_said(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    desk.choose("/plan", PLAN)
    desk.predict()
    expect(page.get_by_text("40 of 40 details were not known")).to_be_visible()
    expect(page.get_by_text("5 of 5 danger-sign questions are not answered.")).to_be_visible()


def test_items_make_the_total_and_the_last_one_a_danger_sign(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    desk.choose("/plan", PLAN)
    total = page.get_by_label("Self-rated depression before treatment (PHQ-9)", exact=True)
    page.locator(f'.field:has([name="{PHQ9}"]) summary').click()
    for number in range(1, 10):
        desk.choose(f"{PHQ9}#{number}", "3" if number == 9 else "2")
    expect(total).to_have_value("19")
    expect(page.locator("[data-sum]", has_text="Total: 19")).to_be_visible()
    desk.predict()
    expect(page.get_by_role("alert")).to_contain_text("Danger sign")


def test_wrong_value_is_named_beside_its_field_and_reached_from_the_summary(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    fill(desk)
    age = page.get_by_label("Age", exact=True)
    age.fill("460")
    age.blur()
    expect(page.get_by_text("Error: must be a number from 18 to 100, with a decimal point.")).to_be_visible()
    desk.predict()
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_role("link", name="Age: must be a number from 18 to 100").click()
    expect(age).to_be_focused()
    expect(age).to_have_value("460")
    desk.complaints.clear()  # the browser itself notes that the answer's status was 422


def test_service_that_is_gone_loses_nothing_typed(sit_down: Open, serve: Serve, tmp_path: Path) -> None:
    own = serve(tmp_path)
    desk = sit_down(url=own.url)
    page = desk.open()
    fill(desk)
    own.stop()
    desk.predict()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was predicted: the service cannot be reached.")
    expect(page.get_by_label("Age", exact=True)).to_have_value("46")
    expect(page.locator("[data-progress]").first).to_have_text("")
    desk.complaints.clear()  # the browser itself notes the refused connection


def test_slow_answer_shows_progress(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    fill(desk)
    # The script's own wait, held open long enough to be seen; the answer itself is the service's.
    page.evaluate(
        "() => { const real = window.fetch; window.fetch = async (...a) => "
        "{ await new Promise((go) => setTimeout(go, 700)); return real(...a); }; }"
    )
    desk.predict()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("heading", name="Prediction", exact=True)).to_be_focused()


def test_without_a_script_the_form_is_a_plain_post(sit_down: Open) -> None:
    desk = sit_down(java_script_enabled=False)
    page = desk.open("/examples/typical")
    desk.predict()
    expect(page.get_by_role("heading", name="Prediction", exact=True)).to_be_visible()
    expect(page.locator(".entered")).to_contain_text("46 years")


def test_keyboard_alone_reaches_an_answer(sit_down: Open) -> None:
    desk = sit_down()
    page = desk.open()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")

    def tab_to(name: str) -> None:
        for _ in range(200):
            if page.evaluate("document.activeElement.getAttribute('name')") == name:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{name} cannot be reached with the keyboard")

    tab_to("/safety/suicidal_plan_or_intent")
    page.keyboard.press("ArrowRight")  # from Unknown to No
    tab_to("/plan")
    page.keyboard.press("Space")
    tab_to("/patient/age")
    page.keyboard.type("46")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Prediction", exact=True)).to_be_focused()
    expect(page.locator(".entered")).to_contain_text("46 years")
    expect(page.get_by_text("4 of 5 danger-sign questions are not answered.")).to_be_visible()


@pytest.mark.parametrize("example", ["typical", "in_treatment"])
def test_schedule_prints_on_one_page(sit_down: Open, example: str) -> None:
    desk = sit_down(width=703)  # A4 less its margins, in CSS pixels
    page = desk.open(f"/examples/{example}/answer")
    page.emulate_media(media="print")
    height = page.locator(".calendar").bounding_box()
    assert height is not None
    assert height["height"] < 1020
    assert page.locator(".calendar").evaluate("e => getComputedStyle(e).breakBefore") == "page"
    expect(page.locator(".actions, .again")).to_have_count(2)
    expect(page.get_by_role("button", name="Predict")).to_be_hidden()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
