"""Run the page check on several states of the page in one colour scheme, which its command line cannot say.

Usage: page_states.py CHECKS SCHEME URL NAME=PATH ... -- OPTIONS OF THE CHECK

The check itself is run as it is. Its browser is asked for the scheme, and for a PATH that ends in `!` a wrong
age is entered and sent, so that the check looks at the form with its error.
"""

import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WRONG = "!"


def send_wrong_age(page: Any) -> None:
    page.get_by_label("Age", exact=True).fill("460")
    page.get_by_role("button", name="Predict").first.click()
    page.get_by_role("alert").wait_for()
    page.wait_for_load_state("networkidle")


def prepare(page: Any, scheme: str, is_wrong: bool) -> None:
    page.emulate_media(color_scheme=scheme)
    go: Callable[..., Any] = page.goto

    def go_and_send(url: str, **options: Any) -> Any:
        answer = go(url, **options)
        if is_wrong:
            send_wrong_age(page)
        return answer

    page.goto = go_and_send


def check(script: Path, scheme: str, url: str, is_wrong: bool, options: list[str]) -> object:
    import browser  # type: ignore[import-not-found]  # the check's own module, beside it

    original = browser.chromium_page

    @contextmanager
    def in_scheme(*arguments: Any, **more: Any) -> Iterator[Any]:
        with original(*arguments, **more) as page:
            prepare(page, scheme, is_wrong)
            yield page

    browser.chromium_page = in_scheme
    sys.argv = [str(script), url, *options]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except SystemExit as ended:
        return ended.code
    finally:
        browser.chromium_page = original
    return "no exit code"


def main() -> None:
    checks, scheme, url, *rest = sys.argv[1:]
    at = rest.index("--")
    sys.path.insert(0, checks)
    for name, path in (state.split("=", 1) for state in rest[:at]):
        print(f"== {name}")
        code = check(
            Path(checks) / "page_check.py",
            scheme,
            url + path.removesuffix(WRONG),
            path.endswith(WRONG),
            rest[at + 1 :],
        )
        print(f"exit {code}", flush=True)


if __name__ == "__main__":
    main()
