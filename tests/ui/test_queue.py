"""The queue in a real browser."""

import threading

import pytest
from tests.support.ui.archive import BrowserArchive, Content
from tests.support.ui.browser import PATIENCE, Browser
from tests.support.ui.engine import PacedEngine
from tests.support.ui.keys import Keys
from tests.support.ui.scene import Scene, fill
from tests.support.ui.site import Site

ROWS = "table.queue tbody tr"


@pytest.fixture
def scene(archive: BrowserArchive, engine: PacedEngine) -> Scene:
    """Filled before the site starts."""
    return fill(archive, engine)


@pytest.fixture
def queue(scene: Scene, site: Site, browser: Browser) -> Browser:
    """The queue as it is when everything is known; until then rows go by their identifiers, and are made anew."""
    nameless = "return [...document.querySelectorAll(arguments[0])].filter((one) => one.innerText.startsWith(one.dataset.key.slice(0, 8))).length"
    browser.open(site.page)
    browser.until(
        lambda: len(browser.all(ROWS)) == 12 and browser.run(nameless, ROWS) == 0, "series are missing"
    )
    browser.until(
        lambda: "about 3 min left" in row(browser, scene.running), "the running series has no progress"
    )
    return browser


def row(browser: Browser, series: str) -> str:
    return " ".join(browser.texts(f'{ROWS}[data-key="{series}"]'))


def test_a_running_series_shows_its_stage_percentage_and_time_left(queue: Browser, scene: Scene) -> None:
    shown = row(queue, scene.running)
    # 0.46 of six stages is in the third, and 420 s x 0.54 are 227 s.
    for words in (
        "Being processed",
        "46 %",
        "representing the detail by Gaussians",
        "iteration 2100 of 5000",
        "about 3 min left",
    ):
        assert words in shown


def test_buttons_stay_within_the_table(queue: Browser) -> None:
    beyond = queue.run("""const edge = document.querySelector('table.queue').getBoundingClientRect().right;
        return [...document.querySelectorAll('.queue button')].filter((one) => one.getBoundingClientRect().right > edge).map((one) => one.innerText)""")  # fmt: skip
    assert beyond == []


def test_progress_goes_on_without_a_new_row(
    queue: Browser, scene: Scene, site: Site, engine: PacedEngine
) -> None:
    queue.run("document.querySelector(arguments[0]).marked = true", f'{ROWS}[data-key="{scene.running}"]')
    for uid in engine.pace:
        engine.pace[uid] = 0.95
    queue.until(lambda: "95 %" in row(queue, scene.running))
    assert queue.run(
        "return document.querySelector(arguments[0]).marked", f'{ROWS}[data-key="{scene.running}"]'
    )


def test_a_refused_series_says_why_in_words(queue: Browser) -> None:
    queue.until(lambda: "a slice is missing" in " ".join(queue.texts(ROWS)))


def test_the_counts_are_those_of_the_archive(queue: Browser) -> None:
    # Two running and one on its way; the gap, the normal dose and the fine series refused; two results, a map and a report.
    queue.until(lambda: queue.texts(".group") == [
        "All\n12", "In progress\n3", "To look at\n1", "Finished\n1", "Not taken\n3", "Results\n4"
    ], "the counts are others")  # fmt: skip


def test_the_filter_works_by_keyboard_alone(queue: Browser, scene: Scene) -> None:
    queue.tab_to('[data-group="to-look-at"]')
    queue.press(Keys.SPACE)
    queue.until(lambda: len(queue.texts(ROWS)) == 1 and "Novak" in queue.texts(ROWS)[0])
    assert queue.one('[data-group="to-look-at"]').get_attribute("aria-pressed") == "true"
    queue.one('[data-group=""]').send_keys(Keys.ENTER)
    queue.until(lambda: len(queue.texts(ROWS)) == 12)
    queue.one('[data-group=""]').send_keys("/")
    assert queue.run("return document.activeElement.id") == "search"
    queue.press("lindqvist 5.0 br40")
    queue.until(lambda: len(queue.texts(ROWS)) == 4, "source, results and report")
    assert queue.texts("#shown") == ["4 of 12 series shown"]
    queue.press(" nobody")
    queue.until(lambda: queue.texts(".empty") == ["No series matches the search."])


def test_a_filtered_list_can_be_linked_to(scene: Scene, site: Site, browser: Browser) -> None:
    browser.open(f"{site.page}#/queue?group=to-look-at&search=novak")
    browser.until(lambda: len(browser.texts(ROWS)) == 1 and "Novak" in browser.texts(ROWS)[0])


def test_cancel_asks_and_then_acts(queue: Browser, scene: Scene, site: Site, engine: PacedEngine) -> None:
    cancel = f'{ROWS}[data-key="{scene.running}"] button[data-action="cancel"]'
    queue.one(cancel).send_keys(Keys.ENTER)
    queue.until(lambda: "Cancel this series?" in " ".join(queue.texts("dialog")))
    queue.press(Keys.ESCAPE)
    queue.until(lambda: not queue.all("dialog"))
    assert not [path for method, path in site.asked if method == "POST" and "nullsplat" in path]
    queue.one(cancel).send_keys(Keys.ENTER)
    queue.click('dialog button[value="yes"]')
    queue.until(lambda: "Cancelled" in row(queue, scene.running))
    queue.until(lambda: len(engine.cancelled) == 1)
    assert {one.get("x-requested-with") for one in site.sent} == {"NullSplat"}


def test_a_refusal_of_the_node_is_told(queue: Browser, scene: Scene, site: Site) -> None:
    again = f'{ROWS}[data-key="{scene.failed}"] button[data-action="again"]'
    site.silent = True
    queue.click(again)
    queue.click('dialog button[value="yes"]')
    queue.until(lambda: "This could not be done" in " ".join(queue.texts("dialog")))


def test_while_the_node_is_silent_the_last_state_stays_and_it_is_said(
    queue: Browser, scene: Scene, site: Site
) -> None:
    site.silent = True
    queue.until(lambda: "The last known state is shown" in " ".join(queue.texts("#connection")))
    assert "46 %" in row(queue, scene.running)
    site.silent = False
    queue.until(lambda: queue.run("return document.getElementById('connection').hidden"))


def test_an_engine_that_is_away_is_told_with_since_when(
    queue: Browser, scene: Scene, engine: PacedEngine
) -> None:
    assert "Reachable" in queue.texts(".card")[0]
    engine.stop()
    queue.until(lambda: "Not reachable for" in queue.texts(".card")[0])
    assert "Series are kept" in queue.texts(".card")[0]
    engine.start()
    queue.until(lambda: "\nReachable" in queue.texts(".card")[0].replace("✓ ", ""))


def test_a_check_that_failed_is_shown_in_the_engine_s_words(queue: Browser, engine: PacedEngine) -> None:
    engine.checks["spool"] = "900 MB are free, 2000 MB must stay in reserve; free some space"
    queue.until(lambda: "Disk of the engine: 900 MB are free" in queue.texts(".card")[2])


def test_a_waiting_series_shows_its_place_and_is_moved_by_keyboard(
    queue: Browser, scene: Scene, site: Site, engine: PacedEngine
) -> None:
    for uid in engine.pace:
        engine.positions[uid] = 4
    queue.until(lambda: "Place 4 in the queue" in row(queue, scene.running))
    assert "%" not in row(queue, scene.running)
    choice = f'{ROWS}[data-key="{scene.running}"] select[data-action="priority"]'
    queue.tab_to(choice)
    queue.press(Keys.ARROW_UP)  # from normal to urgent
    queue.until(lambda: "stat" in row(queue, scene.running))
    moved = [job["request"]["priority"] for job in engine._jobs.values()]
    assert moved.count("stat") == 1
    queue.until(
        lambda: queue.run("return document.activeElement.dataset.action") == "priority", "focus is lost"
    )
    engine.positions.clear()
    queue.until(lambda: not queue.all(choice), "what runs cannot be moved")


def test_what_has_the_focus_keeps_it_when_its_row_moves(queue: Browser, scene: Scene) -> None:
    button = f'{ROWS}[data-key="{scene.running}"] button[data-action="cancel"]'
    queue.run("document.querySelector(arguments[0]).focus()", button)
    focused = queue.run(
        """const [selector, key] = arguments, {syncChildren} = await import('./dom.js');
        const rows = document.querySelector(selector).closest('tbody'), keys = [...rows.children].map((one) => one.dataset.key);
        const first = [key, ...keys.filter((one) => one !== key)];
        const last = [...first.slice(1), key];
        return [first, last, first].map((order) => {
            syncChildren(rows, order, (one) => one, null, () => {});
            return [...rows.children].every((one, i) => one.dataset.key === order[i]) && document.activeElement.matches(selector);
        });""",
        button,
        scene.running,
    )
    assert focused == [True, True, True]


def test_the_queue_is_paused_and_resumed_by_keyboard(queue: Browser, site: Site, engine: PacedEngine) -> None:
    queue.tab_to('[data-action="pause"]')
    queue.press(Keys.SPACE)
    queue.until(lambda: "Pause the queue?" in " ".join(queue.texts("dialog")))
    queue.press(Keys.ESCAPE)
    queue.until(lambda: not queue.all("dialog"))
    assert not engine.paused
    queue.one('[data-action="pause"]').send_keys(Keys.ENTER)
    queue.one('dialog button[value="yes"]').send_keys(Keys.ENTER)
    queue.until(lambda: "Paused since" in queue.texts(".card")[1])
    assert engine.paused
    queue.one('[data-action="resume"]').send_keys(Keys.ENTER)
    queue.until(lambda: "Taking jobs" in queue.texts(".card")[1])
    assert not engine.paused


def test_a_node_without_workers_says_that_jobs_wait(queue: Browser, engine: PacedEngine) -> None:
    engine.workers = []
    queue.until(lambda: "No worker is alive" in queue.texts(".card")[1])
    assert "Jobs wait until there is one." in queue.texts(".card")[1]
    assert "Taking jobs" not in queue.texts(".card")[1]


def test_what_came_while_orthanc_counted_its_images_stays(
    scene: Scene,
    archive: BrowserArchive,
    site: Site,
    browser: Browser,
    engine: PacedEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Counting takes a large archive seconds, in which the page hears of other things."""
    counted, browse = threading.Event(), archive.browse

    def slowly(path: str, query: dict[str, str]) -> Content:
        if path == "/statistics":
            counted.wait(PATIENCE)
        return browse(path, query)

    def cards() -> str:
        return " ".join(browser.texts(".card"))

    monkeypatch.setattr(archive, "browse", slowly)
    browser.open(site.page)
    browser.until(lambda: "working on job" in cards())
    engine.workers = []
    browser.until(lambda: "No worker is alive" in cards())
    site.silent = True
    counted.set()
    browser.until(lambda: "on disk" in cards())
    assert "No worker is alive" in cards()


def test_workers_are_shown_with_their_gpu_and_what_they_do(queue: Browser, engine: PacedEngine) -> None:
    memory = {"used_bytes": 5_000_000_000, "size_bytes": 24_000_000_000}
    engine.workers = [
        {
            "id": "gpu0",
            "device": "NVIDIA L4",
            "memory": memory,
            "job": "a" * 32,
            "seen_at": "2026-11-22T13:00:00Z",
        },
        {"id": "gpu1", "device": "CPU", "job": None, "seen_at": "2026-11-22T13:00:00Z"},
    ]
    queue.until(
        lambda: (
            "gpu0: NVIDIA L4, 5.0 GB of 24.0 GB in use, working on job aaaaaaaa…" in queue.texts(".card")[1]
        )
    )
    assert "gpu1: CPU, idle, last heartbeat" in queue.texts(".card")[1]


def test_a_failed_series_is_retried_as_the_same_attempt(
    queue: Browser, scene: Scene, site: Site, engine: PacedEngine
) -> None:
    release = f'{ROWS}[data-key="{scene.failed}"] button[data-action="release"]'
    queue.tab_to(release)
    queue.press(Keys.ENTER)
    # The engine of this scene does not know the job, and its own words are shown.
    queue.until(lambda: "there is no such job" in " ".join(queue.texts("dialog")))


def test_what_was_made_of_a_series_stands_right_under_it(queue: Browser, scene: Scene) -> None:
    keys = queue.run(
        "return [...document.querySelectorAll(arguments[0])].map((one) => one.dataset.key)", ROWS
    )
    at = keys.index(scene.finished)
    assert {scene.result, scene.report, scene.earlier} < set(keys[at + 1 : at + 5])
    nested = queue.run("return [...document.querySelectorAll('tr.nested')].map((one) => one.dataset.key)")
    assert set(nested) == set(keys[at + 1 : at + 5])
    compare = queue.run(
        'return document.querySelector(`[data-key="${arguments[0]}"] [data-focus=compare]`).href',
        scene.result,
    )
    assert compare.endswith(f"#/compare/{scene.finished}")
    queue.click("[data-group=results]")
    queue.until(lambda: len(queue.all(ROWS)) == 4)
    assert queue.all("tr.nested") == []
