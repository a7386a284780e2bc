"""Opting in and out on the consent page that gtm.toml names, tried in a browser, with screenshots.

The browser starts empty, loads from the page's own host only, and is closed afterwards. What counts is what
the page remembers: cookies, local storage, and whether a control says that it is on.
"""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gtm_orchestra.audience.contracts import Finding
from gtm_orchestra.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Locator, Page, Route

    from gtm_orchestra.audience.contracts import Severity

__all__ = ["exercise_consent_page"]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
_IN = re.compile(r"\b(accept|agree|allow|opt[ -]?in|subscribe|yes)\b", re.IGNORECASE)
_OUT = re.compile(
    r"\b(reject|decline|refuse|deny|withdraw|opt[ -]?out|unsubscribe|only necessary|no)\b", re.IGNORECASE
)
_MORE = re.compile(r"\b(manage|settings|preferences|privacy choices|customi[sz]e)\b", re.IGNORECASE)
_PATIENCE_MS = 10_000
_STORED = "() => JSON.stringify(Object.entries(localStorage).sort())"
_SWITCHES = """() => JSON.stringify([...document.querySelectorAll(
    'input[type=checkbox], input[type=radio], [role=switch], [role=checkbox], [aria-pressed]')].map(
    e => [e.id || e.name || '',
          e.checked ?? e.getAttribute('aria-checked') ?? e.getAttribute('aria-pressed')]))"""


def exercise_consent_page(url: str, put_file: Callable[[str, str, bytes], str]) -> tuple[Finding, ...]:
    """Opt in, reload, opt out and reload; return one finding that says what the page remembered.

    Args:
        url: The page; http or https.
        put_file: Keeps a screenshot and returns its SHA-256.

    Raises:
        ConfigError: The address is no web address.
    """
    host = urlsplit(url).hostname
    if urlsplit(url).scheme not in {"http", "https"} or host is None:
        raise ConfigError(f"consent.page is {url!r}, which is no web address", hint="write one with https://")
    program = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        return (
            _finding(url, "warning", "was not tried: no Chromium, Chrome or Edge is on this machine", {}),
        )
    try:
        from playwright.sync_api import Error  # noqa: PLC0415 - an extra
    except ImportError:
        return (_finding(url, "warning", "was not tried: install gtm-orchestra[browser]", {}),)
    try:
        with _page(program, host) as page:
            return (_tried(page, url, put_file),)
    except Error as error:
        reason = "does not answer" if "ERR_" in error.message else "could not be tried to the end"
        return (_finding(url, "warning", f"{reason} in the browser", {}),)


@contextmanager
def _page(program: str, host: str) -> Iterator[Page]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - an extra

    def only_own_host(route: Route) -> None:
        if urlsplit(route.request.url).hostname == host:
            route.continue_()
        else:
            route.abort()

    # Chromium has no sandbox for root.
    arguments = ["--disable-background-networking", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            context = browser.new_context(viewport={"width": 1024, "height": 768}, service_workers="block")
            context.route("**/*", only_own_host)
            page = context.new_page()
            page.set_default_timeout(_PATIENCE_MS)
            yield page
        finally:
            browser.close()


def _tried(page: Page, url: str, put_file: Callable[[str, str, bytes], str]) -> Finding:
    evidence: dict[str, float | int | str | None] = {}
    page.goto(url)
    before = _remembered(page)
    evidence["screenshot_before"] = put_file("consent-page-before.png", "image/png", page.screenshot())
    if not _press(page, _IN):
        return _finding(url, "warning", "shows no way to opt in that was recognised", evidence)
    page.reload()
    opted_in = _remembered(page)
    evidence["screenshot_opted_in"] = put_file("consent-page-opted-in.png", "image/png", page.screenshot())
    if not _press(page, _OUT) and not (_press(page, _MORE) and _press(page, _OUT)):
        return _finding(
            url, "blocker", "takes a yes but shows no way to take it back that was recognised", evidence
        )
    page.reload()
    opted_out = _remembered(page)
    evidence["screenshot_opted_out"] = put_file("consent-page-opted-out.png", "image/png", page.screenshot())
    evidence |= {
        "opt_in_remembered": int(opted_in != before),
        "opt_out_remembered": int(opted_out != opted_in),
    }
    if opted_in == before:
        return _finding(url, "warning", "forgets a yes when it is loaded again", evidence)
    if opted_out == opted_in:
        return _finding(url, "blocker", "still shows a yes after opting out and loading it again", evidence)
    return _finding(url, "info", "remembers opting in and opting out when it is loaded again", evidence)


def _press(page: Page, words: re.Pattern[str]) -> bool:
    roles: tuple[Locator, ...] = (
        page.get_by_role("button", name=words),
        page.get_by_role("link", name=words),
        page.get_by_role("checkbox", name=words),
        page.get_by_role("switch", name=words),
        page.get_by_role("radio", name=words),
    )
    for found in roles:
        for number in range(found.count()):
            if found.nth(number).is_visible():
                found.nth(number).click()
                page.wait_for_load_state()
                return True
    return False


def _remembered(page: Page) -> tuple[str, str, str]:
    page.wait_for_load_state()
    cookies = sorted((cookie["name"], cookie["value"]) for cookie in page.context.cookies())
    return str(cookies), str(page.evaluate(_STORED)), str(page.evaluate(_SWITCHES))


def _finding(
    url: str, severity: Severity, words: str, evidence: dict[str, float | int | str | None]
) -> Finding:
    fine = severity == "info"
    return Finding(
        kind="consent_page",
        severity=severity,
        subject="page",
        message=f"The consent page {url} {words}.",
        evidence={"page": url, **evidence},
        mend="" if fine else "Open the page, opt in and out by hand, and mend it where it does not remember.",
        decides="" if fine else "privacy-lead",
    )
