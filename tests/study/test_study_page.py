"""The page in a real browser: scripted voters, some of whom are killed."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gan_lib.study import read_votes, results, serve, write_folder
from gan_lib.study.plan import CHECK, FALSE_FRIEND

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True}


class Voter:
    """A person with a browser of their own, who notes errors and strange hosts."""

    def __init__(self, browser, address: str, **device):
        self.room = browser.new_context(**device)
        self.tab = self.room.new_page()
        self.tab.set_default_timeout(PATIENCE_S * 1000)
        self.errors, self.hosts = [], set()
        self.tab.on("pageerror", lambda error: self.errors.append(str(error)))
        self.tab.on("console", self._heard)
        self.tab.on("request", self._asked)
        self.tab.goto(address)
        self.wait()

    def _heard(self, message) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def _asked(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob"):
            self.hosts.add(address.hostname)

    def wait(self) -> None:
        """Until a question can be answered, or there is none left."""
        self.tab.locator(
            "#choices button:enabled:visible, #end:visible"
        ).first.wait_for()

    @property
    def number(self) -> str:
        return self.tab.evaluate("() => Object.values(localStorage)[0]")

    @property
    def place(self) -> str:
        return self.tab.locator("#place").inner_text()

    def choose(self, slot: int, saved: str, by="click") -> None:
        if by == "click":
            self.tab.locator("#choices button").nth(slot).click()
        elif by == "tap":
            self.tab.locator("#choices button").nth(slot).tap()
        else:
            self.tab.keyboard.press(str(slot + 1))
        self.tab.get_by_text(f"Saved: {saved}").wait_for()
        self.wait()

    def close(self) -> None:
        self.room.close()
        assert self.errors == []
        assert self.hosts == {"127.0.0.1"}


def slot_of(item, model: int) -> int:
    return item.order.index(FALSE_FRIEND if item.kind == CHECK else model)


@pytest.fixture
def server(study, tmp_path):
    with serve(study, tmp_path / "votes.sqlite", port=0) as server:
        yield server


def test_voters_at_the_same_time_with_mouse_keys_and_touch(
    browser, server, study, tmp_path
):
    devices = [("click", {}), ("key", {}), ("tap", PHONE)]
    people = [
        (Voter(browser, server.addresses[0], **device), by) for by, device in devices
    ]
    plans = [study.plan(voter.number) for voter, _ in people]
    for place in range(8):
        for (voter, by), plan in zip(people, plans, strict=True):
            assert voter.place == f"Question {place + 1} of 8"
            voter.choose(slot_of(plan[place], 1), f"{place + 1} of 8", by)
    for voter, _ in people:
        assert "All your answers are saved" in voter.tab.locator("#end").inner_text()
        voter.close()
    found = results(tmp_path / "votes.sqlite")
    assert (found.voters, found.unfinished, found.excluded) == (3, 0, {})
    assert found.shares["model-green"].votes == 15
    assert found.consistency == 1


@pytest.mark.parametrize(
    "device", [{}, PHONE, {"viewport": {"width": 780, "height": 390}}]
)
def test_all_pictures_are_large_and_in_view(browser, server, device):
    voter = Voter(browser, server.addresses[0], **device)
    size = voter.tab.viewport_size
    assert (
        voter.tab.evaluate("() => document.documentElement.scrollHeight")
        <= (size["height"])
    )
    for image in voter.tab.locator("main img").all():
        box = image.bounding_box()
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= size["height"]
        assert min(box["width"], box["height"]) >= 120
    voter.close()


def test_a_voter_goes_back_and_changes_an_answer(browser, server, study, tmp_path):
    voter = Voter(browser, server.addresses[0])
    plan = study.plan(voter.number)
    voter.choose(slot_of(plan[0], 0), "1 of 8")
    voter.tab.keyboard.press("Backspace")
    voter.wait()
    assert voter.place == "Question 1 of 8"
    voter.choose(slot_of(plan[0], 2), "1 of 8")
    assert voter.place == "Question 2 of 8"
    voter.close()
    votes = read_votes(tmp_path / "votes.sqlite")[1]
    assert [vote.choice for vote in votes] == ["model-blue"]


def test_reload_goes_on_and_the_next_person_starts_anew(browser, server, study):
    voter = Voter(browser, server.addresses[0])
    number, plan = voter.number, study.plan(voter.number)
    for place in range(3):
        voter.choose(slot_of(plan[place], 0), f"{place + 1} of 8")
    voter.tab.reload()
    voter.wait()
    assert voter.number == number
    assert voter.place == "Question 4 of 8"
    assert "Welcome back: 3 of 8" in voter.tab.locator("#status").inner_text()
    for place in range(3, 8):
        voter.choose(slot_of(plan[place], 0), f"{place + 1} of 8")
    voter.tab.get_by_text("Someone else votes").click()
    voter.tab.get_by_text("Question 1 of 8").wait_for()
    assert voter.number != number
    voter.close()


def test_a_double_click_is_one_vote(browser, server, tmp_path):
    voter = Voter(browser, server.addresses[0])
    voter.tab.locator("#choices button").first.dblclick()
    voter.tab.get_by_text("Saved: 1 of 8").wait_for()
    voter.wait()
    voter.tab.wait_for_timeout(300)
    assert voter.place == "Question 2 of 8"
    assert len(read_votes(tmp_path / "votes.sqlite")[1]) == 1
    voter.close()


def test_a_voter_killed_while_saving_comes_back(browser, server, study):
    voter = Voter(browser, server.addresses[0])
    number, plan = voter.number, study.plan(voter.number)
    voter.choose(slot_of(plan[0], 0), "1 of 8")
    memory = voter.room.storage_state()
    voter.tab.locator("#choices button").first.click()  # and gone, in that moment
    voter.close()
    again = Voter(browser, server.addresses[0], storage_state=memory)
    assert again.number == number
    # The second answer had arrived or not; the first was promised.
    assert again.place in ("Question 2 of 8", "Question 3 of 8")
    again.close()


def start(folder: Path, votes: Path, port: int, log: Path) -> subprocess.Popen:
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gan_lib.study", "page", folder, "--votes", votes,
             "--port", str(port), "--target", "colour", "--repeats", "2"],
            stdout=output, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    for _ in range(4 * PATIENCE_S):
        if "Ctrl+C" in log.read_text():
            return process
        assert process.poll() is None, log.read_text()[-3000:]
        time.sleep(0.25)
    raise AssertionError(log.read_text()[-3000:])


def test_a_killed_server_has_every_vote_it_called_saved(browser, pictures, tmp_path):
    folder, votes = write_folder(pictures, tmp_path / "class"), tmp_path / "v.sqlite"
    first = start(folder, votes, 0, tmp_path / "log")
    line = next(
        x for x in (tmp_path / "log").read_text().splitlines() if x.startswith("Vote")
    )
    address = line.split()[2]
    people = [Voter(browser, address) for _ in range(3)]
    saved = dict.fromkeys(range(3), 0)
    for place in range(2):
        for who, voter in enumerate(people):
            voter.choose(0, f"{place + 1} of 8")
            saved[who] += 1
    killer = threading.Timer(0.05, os.kill, (first.pid, signal.SIGKILL))
    killer.start()
    for voter in people[:2]:  # into the hand that is being killed
        voter.tab.locator("#choices button").nth(1).click()
    killer.join()
    first.wait(PATIENCE_S)
    people[2].tab.locator("#choices button").nth(1).click()
    people[2].tab.get_by_text("Not saved yet").wait_for()
    kept = {voter.number: 0 for voter in people}
    for vote in read_votes(votes)[1]:
        kept[vote.voter] += 1
    for who, voter in enumerate(people):
        told = voter.tab.locator("#status").inner_text()
        saved[who] += told.startswith("Saved: 3")
        assert kept[voter.number] >= saved[who]
    assert kept[people[2].number] == 2
    second = start(folder, votes, urlsplit(address).port, tmp_path / "log2")
    try:
        for voter in people:  # nobody reloads: the pages go on by themselves
            voter.tab.get_by_text("Question 4 of 8").wait_for()
            voter.wait()
            voter.choose(2, "4 of 8")
            voter.room.close()
    finally:
        second.terminate()
        second.wait(PATIENCE_S)
    assert len(read_votes(votes)[1]) == 3 * 4


def test_the_tunnel_of_gradio_takes_what_it_is_given():
    networking = pytest.importorskip("gradio.networking", reason="needs gradio")
    inspect.signature(networking.setup_tunnel).bind("127.0.0.1", 1, "token", None, None)
