"""The dashboard in a real Chromium, before a real service."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

DASH: Final = "\N{EN DASH}"
OpenPage = Callable[..., Page]
StopTime = Callable[[Page], None]
Service = Any  # of conftest.py


def tile(page: Page, name: str) -> str:
    return (
        page.locator("#tiles div", has=page.get_by_text(name, exact=True))
        .inner_text()
        .replace("\xa0", " ")
    )


class Polled:
    """Tells metrics of 100 more requests each time; that they are shown says how often it was."""

    def __init__(self, page: Page, told: Any, *, left: Sequence[str] = ()) -> None:
        self.page, self.told, self.left, self.times = page, told, left, 0
        page.route("**/performance/metrics", self.tell)

    def tell(self, route: Route) -> None:
        self.times += 1
        endpoint = self.told["endpoints"]["POST /predict"] | {
            "count": 1200 + 100 * self.times,
            "errors": 3 + 5 * self.times,
        }
        endpoints = {**self.told["endpoints"], "POST /predict": endpoint}
        left = self.left[min(self.times, len(self.left)) - 1] if self.left else None
        headers = {} if left is None else {"RateLimit": left}
        route.fulfill(json={**self.told, "endpoints": endpoints}, headers=headers)

    def comes(self, times: int) -> None:
        expect(self.page.locator("#endpoints")).to_contain_text(f"{1200 + 100 * times:,}")


def test_the_dashboard_shows_what_is_told_and_dashes(
    service: Service, open_page: OpenPage, stop_time: StopTime, told_metrics: Any
) -> None:
    page = open_page(f"{service.at}dashboard")
    stop_time(page)
    polled = Polled(page, told_metrics)
    page.goto(f"{service.at}dashboard")
    for number in (1, 2, 3):
        polled.comes(number)
        page.clock.run_for(2_000)
    polled.comes(4)
    for name, value in (
        ("Requests a second", "9.0"),
        ("Median", "11.3 ms"),
        ("95 % within", "19.5 ms"),
        ("Cache hits", "75.0 %"),
        ("First answer right", "71.0 %"),
    ):
        assert value in tile(page, name)
    figures = page.locator("figure")
    expect(figures.nth(2)).to_contain_text("5.0 %")  # 5 errors in each 100 requests
    figures.first.locator("summary").click()
    rows = [
        each.replace("\xa0", " ") for each in figures.first.locator("tbody tr").all_inner_texts()
    ]
    assert [each.split("\t")[1:] for each in rows] == [["11.3 ms", "19.5 ms", "31.0 ms"]]
    assert re.match(
        r"^M[\d.]+ [\d.]+L",
        figures.first.locator("path.line[data-line='0']").last.get_attribute("d") or "",
    )
    health = page.locator("#endpoints tr", has_text="GET /health")
    assert health.inner_text().split("\t")[4:6] == [DASH, DASH]
    expect(page.locator(".group", has_text="Answers, as people judged")).to_contain_text(DASH)
    expect(page.locator(".group", has_text="Answers are kept in")).to_contain_text(DASH)
    page.get_by_label("Endpoint", exact=True).select_option("GET /health")
    assert "0.80 ms" in tile(page, "Median")
    page.get_by_role("button", name="Pause").click()
    page.clock.run_for(10_000)
    assert polled.times == 4
    page.get_by_role("button", name="Go on").click()
    polled.comes(5)


def test_the_dashboard_shows_where_answers_are_kept_and_who_is_left_alone(
    service: Service, open_page: OpenPage
) -> None:
    told = httpx.get(f"{service.at}health").json()
    told["components"]["cache"] = {"status": "degraded", "answers": "memory, for Redis is away"}
    side = {"failures_in_a_row": 5, "opened": 1}
    told["components"]["outside"] = [
        {"side": "database", "status": "closed", "retry_after": None, **side},
        {"side": "OpenID provider", "status": "open", "retry_after": 42.4, **side},
    ]
    page = open_page(f"{service.at}dashboard")
    page.route("**/health", lambda route: route.fulfill(json=told))
    page.reload()
    cache = page.locator(".group", has_text="Answers are kept in")
    expect(cache).to_contain_text("memory, for Redis is away")
    expect(cache.locator(".state")).to_have_text("degraded")
    expect(page.locator(".group", has_text="Asked: database")).to_contain_text("yes")
    expect(page.locator(".group", has_text="Asked: OpenID provider")).to_contain_text(
        "left alone for 42 s"
    )


def test_the_dashboard_shows_what_language_models_cost_today(
    service: Service, open_page: OpenPage, told_metrics: Any
) -> None:
    page = open_page(f"{service.at}dashboard")
    page.route("**/performance/metrics", lambda route: route.fulfill(json=told_metrics))
    group = page.locator(".group", has_text="Language models cost today")
    for spent, shown in ((0.0125, "$0.0125 of $100.00"), (12.5, "$12.50 of $100.00")):
        told_metrics["cost"] = {
            "daily_spent_usd": spent,
            "daily_budget_usd": 100.0,
            "predictions_today": 1234,
        }
        page.reload()
        expect(group).to_contain_text(shown)
        expect(group).to_contain_text("1,234")


@pytest.mark.parametrize(
    "told", [{}, {"endpoints": None, "cache": None, "online": None}, {"endpoints": {"GET /": None}}]
)
def test_the_dashboard_bears_that_little_is_told(
    service: Service, open_page: OpenPage, told: dict[str, Any]
) -> None:
    page = open_page(f"{service.at}dashboard")
    page.route("**/performance/metrics", lambda route: route.fulfill(json=told))
    page.reload()
    expect(page.locator("#served")).to_contain_text("Answers")
    assert DASH in tile(page, "Median")
    assert "MB" in tile(page, "Memory")


def test_the_dashboard_does_not_use_up_its_limits(
    service: Service, open_page: OpenPage, stop_time: StopTime, told_metrics: Any
) -> None:
    page = open_page(f"{service.at}dashboard")
    stop_time(page)
    left = ['"minute";r=59;t=1, "hour";r=10;t=600', '"minute";r=59;t=1, "hour";r=999;t=4']
    polled = Polled(page, told_metrics, left=left)
    page.goto(f"{service.at}dashboard")
    polled.comes(1)
    page.clock.run_for(115_000)  # twice the 60 seconds after which one more is allowed: 120
    assert polled.times == 1
    page.clock.run_for(10_000)
    polled.comes(2)
    page.clock.run_for(3_000)
    polled.comes(3)
    assert polled.times == 3


def test_the_dashboard_without_metrics_shows_health(service: Service, open_page: OpenPage) -> None:
    nowhere = httpx.get(f"{service.at}nowhere")  # as a service without that route answers
    page = open_page(f"{service.at}dashboard")
    page.route(
        "**/performance/metrics", lambda route: route.fulfill(status=404, json=nowhere.json())
    )
    page.reload()
    expect(page.locator("#notice")).to_contain_text("This service does not tell its metrics")
    expect(page.locator(".group", has_text="Catalogue").first).to_contain_text("aws")


def test_the_dashboard_asks_for_a_key_that_may_look(
    production: tuple[Service, dict[str, str]], open_page: OpenPage, told_metrics: Any
) -> None:
    service, keys = production
    page = open_page(f"{service.at}dashboard")
    notice, field = page.locator("#notice"), page.get_by_label("API key")
    expect(notice).to_contain_text("This service asks for a key")
    field.fill(keys["guest"])
    field.press("Enter")
    expect(notice).to_contain_text("Permission metrics.read is needed")
    expect(page.locator("#served")).to_contain_text("Answers")  # health is open
    page.route("**/performance/metrics", lambda route: route.fulfill(json=told_metrics))
    field.fill(keys["readonly"])
    field.press("Enter")
    expect(page.locator("#endpoints")).to_contain_text("POST /predict")
    expect(notice).to_be_empty()
