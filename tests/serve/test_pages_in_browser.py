"""The playground in a real Chromium, before a real service; of both pages, how they look."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import pytest
from playwright.sync_api import Page, Route, expect
from starlette.applications import Starlette
from starlette.routing import Mount

from nextcall.ranking.feature_table import FEATURE_NAMES
from nextcall.serve.app import create_app
from nextcall.serve.predictor import Predictor
from nextcall.serve.settings import Settings

PROMPT: Final = "make the bucket keep old versions of its objects"
CALLS: Final = ("s3:CreateBucket", "GET /users/{id}")
COLOURS: Final = Path(__file__).parents[1] / "data" / "colours_of_texts.js"
DASH: Final = "\N{EN DASH}"
Scheme = Literal["light", "dark"]
OpenPage = Callable[..., Page]
StopTime = Callable[[Page], None]
Service = Any  # of conftest.py
Serving = Callable[..., Any]


def ask(page: Page, prompt: str = PROMPT) -> None:
    page.get_by_label("What is wanted").fill(prompt)
    page.get_by_label("What is wanted").press("Enter")


def names(page: Page) -> list[str]:
    expect(page.locator(".one").first).to_be_visible()
    return page.locator(".name").all_inner_texts()


def answer_of(service: Service, **asked: Any) -> Any:
    asked = {"prompt": PROMPT, "max_predictions": 5, **asked}
    return httpx.post(f"{service.at}predict?detail=full", json=asked).json()


def percent(value: float) -> str:
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def test_the_page_shows_what_the_service_answers(service: Service, open_page: OpenPage) -> None:
    page = open_page(service.at)
    expect(page.locator("#served")).to_have_text(re.compile(r"^aws · \d+ operations$"))
    with page.expect_response("**/predict?detail=full") as answered:
        ask(page)
    expected = answer_of(service)["predictions"]
    assert names(page) == [one["operation_id"] for one in expected]
    for place, one in enumerate(expected):
        card = page.locator(".one").nth(place)
        assert percent(one["confidence"]) in card.locator(".percent").inner_text()
        width = card.locator(".confidence .bar span").evaluate("(bar) => bar.style.width")
        assert float(width.rstrip("%")) == pytest.approx(100 * one["confidence"], rel=1e-4)
        expect(card.locator(".method")).to_have_text(one["method"])
        expect(card.locator(".about")).to_have_text(one["description"])
        shown = card.locator(".parameter code").all_text_contents()
        assert sorted(shown) == sorted(one["parameters"])
    expect(page.locator("#answer")).to_contain_text("Percentages say how probable each is")
    facts = page.locator(".heading .facts")
    for name in ("Service", "Round trip"):
        told = facts.locator("div", has_text=name).inner_text()
        assert re.search(r"\d\sm?s$", told)  # a second, where loops are compiled first
    hit = answered.value.json()["metadata"]["performance_metrics"]["cache_hit"]
    cache = answered.value.headers.get("x-cache", {True: "hit", False: "miss", None: "none"}[hit])
    expect(facts.locator("div", has_text="Cache")).to_have_text(f"Cache{cache.lower()}")
    first = expected[0]
    expect(page.locator("#told")).to_have_text(
        f"5 answers. First: {first['operation_id']}, {percent(first['confidence'])}."
    )


def test_earlier_calls_are_typed_or_taken_from_an_answer(
    service: Service, open_page: OpenPage
) -> None:
    page = open_page(service.at)
    for call in CALLS:
        page.get_by_label("Add an earlier call").fill(call)
        page.get_by_label("Add an earlier call").press("Enter")
    page.get_by_role("spinbutton", name="Answers").fill("3")
    ask(page)
    taken = names(page)[1]
    page.get_by_role("button", name=f"Add {taken} as the next earlier call").click()
    assert page.locator("#earlier code").all_inner_texts() == [*CALLS, taken]
    page.get_by_role("button", name=f"Remove {CALLS[1]}").click()
    page.get_by_label("Add an earlier call").fill("s3:GetObject")  # and not added: it counts
    with page.expect_request("**/predict?detail=full") as sent:
        ask(page, "now the next thing")
    history = [{"api_call": call} for call in (CALLS[0], taken, "s3:GetObject")]
    assert sent.value.post_data_json == {
        "prompt": "now the next thing",
        "history": history,
        "max_predictions": 3,
    }
    expect(page.locator(".asked")).to_contain_text("now the next thing")
    expected = answer_of(service, prompt="now the next thing", history=history, max_predictions=3)
    assert names(page) == [one["operation_id"] for one in expected["predictions"]]
    offered = page.locator("#known option").evaluate_all("(all) => all.map((one) => one.value)")
    assert {taken, *names(page)} <= set(offered)


def open_reasons(page: Page) -> None:
    """Open all that the first answer hides: what is in it is made then."""
    card = page.locator(".one").first
    for title in ("optional", "Why", "features"):
        card.locator("summary", has_text=title).click()
    expect(card.locator("tbody tr")).to_have_count(len(FEATURE_NAMES))


def test_why_is_told_by_aspects_and_features(service: Service, open_page: OpenPage) -> None:
    page = open_page(service.at)
    ask(page)
    first = answer_of(service)["predictions"][0]
    card = page.locator(".one").first
    open_reasons(page)
    expect(card.locator(".why > p")).to_have_text(first["reasoning"])
    told = [each.split("\n") for each in card.locator(".aspects li").all_inner_texts()]
    assert told
    assert all(f"{aspect} ({added})" in first["reasoning"] for aspect, added in told)
    assert len(told) == first["reasoning"].count("(+")
    rows = card.locator("tbody tr").all_inner_texts()
    shown = {name: value for name, value, _ in (each.split("\t") for each in rows)}
    assert set(shown) == set(FEATURE_NAMES)
    for name, value in first["ml_features"].items():
        assert shown[name] == (DASH if value is None else f"{value:,.3f}"), name


def test_what_was_right_is_told_to_the_service(service: Service, open_page: OpenPage) -> None:
    page = open_page(service.at)
    told: list[Any] = []

    def keep(route: Route) -> None:
        told.append(route.request.post_data_json)
        replaced = len(told) > 1
        route.fulfill(json={"recorded": True, "repeated": False, "replaced": replaced, "rank": 2})

    page.route("**/feedback", keep)
    with page.expect_response("**/predict?detail=full") as answered:
        ask(page)
    prediction_id = answered.value.json()["prediction_id"]
    chosen = names(page)[1]
    button = page.get_by_role("button", name=f"{chosen} is right")
    button.click()
    expect(page.locator("#kept")).to_have_text(f"Kept: {chosen}. Thank you.")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="None of these is right").click()
    expect(page.locator("#kept")).to_have_text("Kept: now none of these.")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert told == [{"prediction_id": prediction_id, "chosen": each} for each in (chosen, None)]
    nowhere = httpx.post(f"{service.at}nowhere")  # as a service without that route answers
    page.unroute("**/feedback")
    page.route("**/feedback", lambda route: route.fulfill(status=404, json=nowhere.json()))
    button.click()
    expect(page.locator("#kept")).to_have_text("Not kept: this service does not collect feedback.")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_what_cannot_be_answered_is_told_in_words(service: Service, open_page: OpenPage) -> None:
    page = open_page(service.at)
    notice = page.locator("#notice")
    ask(page, " ")
    expect(notice).to_contain_text("Say first what is wanted")
    ask(page)
    before = names(page)
    ask(page, "admin' OR '1'='1")
    expect(notice).to_contain_text("The guard of this service refused the question")
    expect(notice).to_contain_text("prompt: Should not look like sqli")
    assert names(page) == before  # which say to which question they belong
    expect(page.locator(".asked")).to_contain_text(PROMPT)
    page.get_by_role("spinbutton", name="Answers").fill("21")
    ask(page)
    expect(notice).to_contain_text("The question breaks a rule")
    expect(notice).to_contain_text("max_predictions: Input should be less than or equal to 20")
    page.get_by_role("spinbutton", name="Answers").fill("5")
    ask(page)
    expect(notice).to_be_empty()


def test_a_service_that_cannot_answer_now_is_asked_again(
    service: Service, open_page: OpenPage, stop_time: StopTime
) -> None:
    page = open_page(service.at)
    stop_time(page)
    page.goto(service.at)
    refusal = json.dumps({"error": "The database cannot be reached", "details": []})
    headers = {"Retry-After": "7", "Content-Type": "application/json"}
    page.route(
        "**/predict?detail=full",
        lambda route: route.fulfill(status=503, headers=headers, body=refusal),
    )
    ask(page)
    notice = page.locator("#notice")
    expect(notice).to_contain_text("The service cannot answer now")
    expect(notice).to_contain_text("The database cannot be reached")
    expect(page.get_by_role("timer")).to_have_text("Ask again in 7 s.")
    page.unroute("**/predict?detail=full")
    page.clock.run_for(7_500)
    assert names(page)
    expect(notice).to_be_empty()


@pytest.mark.parametrize("told", ["HIT", "MISS"])
def test_what_the_cache_did_is_shown(service: Service, open_page: OpenPage, told: str) -> None:
    page = open_page(service.at)

    def add(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, headers={**answer.headers, "x-cache": told})

    page.route("**/predict?detail=full", add)
    ask(page)
    cache = page.locator(".heading .facts div", has_text="Cache")
    expect(cache).to_have_text(f"Cache{told.lower()}")


def test_doubts_of_the_service_are_shown(
    predictor: Predictor, settings: Settings, serving: Serving, open_page: OpenPage
) -> None:
    doubting = Predictor(predictor.index, ranker=predictor.ranker, none_threshold=0.0)
    with serving(create_app(doubting, settings=settings)) as service:
        page = open_page(service.at)
        ask(page)
        expect(page.locator("#answer")).to_contain_text("Probably none of these")


def test_without_a_ranker_no_probability_is_made_up(
    fallback: Predictor, settings: Settings, serving: Serving, open_page: OpenPage
) -> None:
    with serving(create_app(fallback, settings=settings)) as service:
        page = open_page(service.at)
        ask(page)
        assert names(page)
        assert page.locator(".confidence .bar").count() == 0
        expect(page.locator(".confidence").first).to_contain_text("No probability")
        expect(page.locator("#answer")).to_contain_text("There is no trained ranker")
        expect(page.locator("#served")).to_contain_text("degraded")


def test_hostile_texts_of_a_catalogue_stay_texts(service: Service, open_page: OpenPage) -> None:
    attack = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
    answer = answer_of(service)
    for one in answer["predictions"]:
        one |= {"operation_id": attack, "api_call": attack, "description": attack, "method": attack}
        one |= {"reasoning": attack, "parameters": {attack: attack}, "safety_flags": [attack]}
        one["ml_features"] = {attack: 1.0}
    answer["metadata"]["safety_flags"] = [attack]
    page = open_page(service.at)
    page.route("**/predict?detail=full", lambda route: route.fulfill(json=answer))
    ask(page, attack)
    assert names(page) == [attack] * 5
    page.locator(".one .next").first.click()
    assert page.locator("#earlier code").all_inner_texts() == [attack]
    assert page.locator("main img, main script").count() == 0
    assert page.title() != "taken"


def test_a_key_is_asked_for_and_kept_by_the_tab_alone(
    production: tuple[Service, dict[str, str]], open_page: OpenPage
) -> None:
    service, keys = production
    key = keys["guest"]
    page = open_page(service.at)
    field, notice = page.get_by_label("API key"), page.locator("#notice")
    expect(field).to_be_hidden()
    ask(page)
    expect(notice).to_contain_text("This service asks for a key")
    expect(field).to_be_focused()
    field.fill("nc_wrong")
    field.press("Enter")
    expect(notice).to_contain_text("This key is not known here")
    field.fill("two words")
    field.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    field.fill(key)
    field.press("Enter")
    assert names(page)  # the question was asked again
    expect(notice).to_be_empty()
    expect(field).to_be_hidden()
    kept = page.evaluate("() => JSON.stringify([{...sessionStorage}, {...localStorage}])")
    assert json.loads(kept) == [{"nextcall.key": key}, {}]
    assert key not in page.content()
    page.reload()
    ask(page)
    assert names(page)
    page.get_by_role("button", name="Forget it").click()
    expect(field).to_be_visible()
    assert page.evaluate("() => sessionStorage.length") == 0


def test_who_asks_too_often_is_told_when_there_is_room(
    production: tuple[Service, dict[str, str]], open_page: OpenPage, stop_time: StopTime
) -> None:
    service, keys = production
    page = open_page(service.at)
    stop_time(page)
    page.goto(service.at)
    page.evaluate("(key) => sessionStorage.setItem('nextcall.key', key)", keys["user"])
    for number in range(4):
        ask(page, f"list the queues, {number}")
        expect(page.locator(".asked, .notice .says").first).to_contain_text(
            f"list the queues, {number}" if number < 3 else "Too many questions for now"
        )
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"Ask again in (\d+ s|1 min)\."))
    expect(page.locator("#notice")).to_contain_text("The limit is 3 for each minute.")
    expect(page.locator("#ask")).to_have_attribute("aria-disabled", "true")
    page.clock.run_for(61_000)
    expect(page.locator("#notice")).to_contain_text("You can ask again")
    expect(page.locator("#ask")).to_have_attribute("aria-disabled", "false")


def test_a_question_outlives_the_service(
    predictor: Predictor,
    settings: Settings,
    serving: Serving,
    open_page: OpenPage,
    stop_time: StopTime,
) -> None:
    with serving(create_app(predictor, settings=settings)) as service:
        page = open_page(service.at)
        board = open_page(f"{service.at}dashboard")
        stop_time(board)
        board.goto(f"{service.at}dashboard")
        expect(board.locator("#served")).to_contain_text("Answers")
        service.stop()
        board.clock.run_for(2_000)
        ask(page)
        expect(page.locator("#notice")).to_contain_text("The service cannot be reached")
        expect(page.locator("#served")).to_have_text("Service away")
        expect(board.locator("#notice")).to_contain_text("The service is away")
        expect(board.locator("#served")).to_have_text("Service away")
        service.start()
        board.clock.run_for(2_000)
        assert names(page) == [one["operation_id"] for one in answer_of(service)["predictions"]]
        expect(page.locator("#notice")).to_be_empty()
        expect(page.locator("#served")).to_contain_text("aws")
        expect(board.locator("#notice")).to_contain_text("The service is back")
        expect(board.locator("#served")).to_contain_text("Answers")


def focused(page: Page) -> dict[str, Any]:
    found = page.evaluate(
        """() => {
          const one = document.activeElement, style = getComputedStyle(one);
          const box = one.getBoundingClientRect();
          return { tag: one.tagName, id: one.id, text: one.textContent.trim(),
            outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
            seen: box.bottom > 0 && box.width > 0 };
        }"""
    )
    return dict(found)


def test_the_keyboard_reaches_everything(service: Service, open_page: OpenPage) -> None:
    page = open_page(service.at)
    expect(page.get_by_label("What is wanted")).to_be_focused()
    page.keyboard.type(PROMPT)
    page.keyboard.press("Enter")
    first = names(page)[0]
    page.locator(".skip").focus()
    assert focused(page)["seen"]
    page.keyboard.press("Enter")  # skips to the answers
    page.keyboard.press("Tab")
    reached = []
    while (now := focused(page))["tag"] != "BODY":
        assert now["outlined"], now
        assert now["seen"], now
        reached.append(now["text"])
        if now["text"] in {"Why", "Add as earlier call"} and reached.count(now["text"]) == 1:
            page.keyboard.press("Enter")
            if now["text"] == "Why":
                expect(page.locator(".why")).to_be_visible()
        page.keyboard.press("Tab")
        assert len(reached) < 100
    for text in ("Why", "Add as earlier call", "Right"):
        assert reached.count(text) == 5
    assert reached[-1] == "None of these is right"
    assert page.locator("#earlier code").all_inner_texts() == [first]
    assert any("features" in text for text in reached)  # what was opened
    for id_ in ("prompt", "call", "add", "number", "ask"):
        page.locator(f"#{id_}").focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        assert focused(page)["id"] == id_
        assert focused(page)["outlined"]


def luminance(colour: list[float]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    shares = [value / 255 for value in colour]
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def require_contrast(page: Page) -> None:
    texts = page.evaluate(COLOURS.read_text())
    assert len(texts) > 30
    for each in texts:
        assert each["opacity"] == 1, each
        assert contrast(each["ink"], each["ground"]) >= 4.5, each


def fulfil_metrics(page: Page, told: Any) -> None:
    page.route("**/performance/metrics", lambda route: route.fulfill(json=told))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_in_both_schemes(
    service: Service, open_page: OpenPage, told_metrics: Any, scheme: Scheme
) -> None:
    page = open_page(service.at, scheme)
    require_contrast_of_edges(page)
    ask(page)
    names(page)
    page.locator(".one .next").first.click()
    open_reasons(page)
    page.evaluate("() => document.querySelector('.right').setAttribute('aria-pressed', 'true')")
    page.evaluate("() => { document.getElementById('key-form').hidden = false; }")
    page.get_by_label("API key").fill("x y")
    ask(page, "admin' OR '1'='1")
    expect(page.locator("#notice")).to_contain_text("refused")
    require_contrast(page)
    ground = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    dark = luminance([float(each) for each in re.findall(r"\d+", ground)]) < 0.2
    assert dark == (scheme == "dark")
    board = open_page(f"{service.at}dashboard", scheme)
    fulfil_metrics(board, told_metrics)
    board.reload()
    expect(board.locator("#endpoints")).to_contain_text("POST /predict")
    board.locator("summary").first.click()
    require_contrast(board)
    board.evaluate("() => document.body.classList.add('stale')")
    require_contrast(board)


def require_contrast_of_edges(page: Page) -> None:
    """Fields and buttons are seen by their edges, which ask for less than texts do."""
    for place in ("#prompt", "#call", "#add", "#number", "#ask"):
        page.locator("h1").click()  # no field has the focus
        edge, ground = page.locator(place).evaluate(
            "(one) => [getComputedStyle(one).borderTopColor, "
            "getComputedStyle(document.body).backgroundColor]"
        )
        colours = [[float(each) for each in re.findall(r"\d+", text)] for text in (edge, ground)]
        assert contrast(*colours) >= 3, place


def test_nothing_is_wider_than_a_small_telephone(
    service: Service, open_page: OpenPage, told_metrics: Any
) -> None:
    page = open_page(service.at, width=360)
    page.get_by_label("Add an earlier call").fill("s3:" + "GetTheLongestNameOfAll" * 6)
    page.get_by_label("Add an earlier call").press("Enter")
    ask(page, "list" + " the queues" * 20 + "x" * 90)
    names(page)
    expect(page.locator(".heading")).to_be_in_viewport()  # below the form, and brought into sight
    open_reasons(page)
    board = open_page(f"{service.at}dashboard", width=360)
    fulfil_metrics(board, told_metrics)
    board.reload()
    expect(board.locator("#endpoints")).to_contain_text("POST /predict")
    for each in (page, board):
        assert each.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_a_page_below_a_proxys_prefix_asks_there(
    predictor: Predictor, settings: Settings, serving: Serving, open_page: OpenPage
) -> None:

    app = create_app(predictor, settings=settings)
    with serving(Starlette(routes=[Mount("/team/next", app)])) as service:
        page = open_page(f"{service.at}team/next/")
        ask(page)
        assert names(page)
        page.get_by_role("link", name="Dashboard").click()
        expect(page.locator("#served")).to_contain_text("Answers")
