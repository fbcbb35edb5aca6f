"""The server without a browser: thirty voters at once, nobody named, nothing lost."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
import threading
import types
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from gan_lib.study import NotInstalled, Study, read_votes, results, serve
from gan_lib.study.__main__ import main
from gan_lib.study.plan import CHECK, FALSE_FRIEND

ANNA = "a" * 16


class Client:
    """What the page does, in Python."""

    def __init__(self, server, study: Study):
        self.address, self.study = server.addresses[0], study.fingerprint

    def get(self, path: str) -> bytes:
        return self.open(path).read()

    def open(self, path: str, data: bytes | None = None, kind="application/json"):
        headers = {"Content-Type": kind} if data is not None else {}
        request = urllib.request.Request(f"{self.address}/{path}", data, headers)
        return urllib.request.urlopen(request, timeout=30)

    def items(self, voter: str) -> list[dict]:
        return json.loads(self.get(f"state?study={self.study}&voter={voter}"))["items"]

    def vote(self, voter: str, place: int, slot: int) -> dict:
        body = {"study": self.study, "voter": voter, "place": place, "slot": slot}
        return json.loads(self.open("vote", json.dumps(body).encode()).read())

    def refused(self, path: str, body=None, kind="application/json") -> int:
        data = None if body is None else json.dumps(body).encode()
        with pytest.raises(urllib.error.HTTPError) as error:
            self.open(path, data, kind)
        return error.value.code


@pytest.fixture
def server(study, tmp_path):
    with serve(study, tmp_path / "votes.sqlite", port=0) as server:
        yield server


@pytest.fixture
def client(server, study):
    return Client(server, study)


def test_a_voter_from_start_to_end_and_back_again(client, study, tmp_path):
    for place, item in enumerate(study.plan(ANNA)):
        right = item.order.index(FALSE_FRIEND if item.kind == CHECK else 1)
        assert client.vote(ANNA, place, right) == {"saved": True}
        answered = [item["answered"] for item in client.items(ANNA)]
        assert answered == [n <= place for n in range(8)]
    assert results(tmp_path / "votes.sqlite").shares["model-green"].share == 1
    first = study.plan(ANNA)[0]
    client.vote(ANNA, 0, first.order.index(0))  # another mind: replaced, not added
    found = results(tmp_path / "votes.sqlite")
    assert found.shares["model-green"].votes == 4
    assert found.shares["model-red"].votes == 1


def test_thirty_voters_at_the_same_time(client, study, tmp_path):
    voters = [f"{number:016x}" for number in range(30)]
    acknowledged, failures = set(), []
    gate = threading.Barrier(len(voters))

    def votes(voter: str) -> None:
        try:
            gate.wait()
            client.get(f"picture/{study.fingerprint}/{voter}/0/0.png")
            for place, item in enumerate(study.plan(voter)):
                if client.vote(voter, place, place % 3)["saved"]:
                    acknowledged.add((voter, item.kind, item.question))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=votes, args=[voter]) for voter in voters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    names = study.pictures.names
    kept = {(v.voter, v.kind, names.index(v.question))
            for v in read_votes(tmp_path / "votes.sqlite")[1]}  # fmt: skip
    assert kept == acknowledged
    assert len(kept) == 30 * 8


def test_pictures_are_those_of_the_plan(client, study):
    for place, item in enumerate(study.plan(ANNA)):
        for slot in ("source", "0", "1", "2"):
            path = f"picture/{study.fingerprint}/{ANNA}/{place}/{slot}.png"
            shown = np.asarray(Image.open(io.BytesIO(client.get(path))))
            number = None if slot == "source" else item.order[int(slot)]
            expected = study.picture(item.question, number)
            np.testing.assert_array_equal(shown, expected)


def test_nothing_on_the_page_names_a_model_or_a_picture(client, study):
    page = client.get("").decode()
    state = client.get(f"state?study={study.fingerprint}&voter={ANNA}").decode()
    path = f"picture/{study.fingerprint}/{ANNA}/0/0.png"
    answer = client.open(path)
    seen = page + state + str(answer.headers) + answer.read().decode("latin1")
    for model in study.pictures.models:
        assert model not in seen
    for kind in ("check", "repeat", "vote"):  # nothing but the question asked
        assert kind not in state.replace("Attention check", "")
    assert "Etag" not in answer.headers
    assert "default-src 'none'" in client.open("").headers["Content-Security-Policy"]


def test_nobody_is_written_down(client, study, tmp_path, capfd, caplog):
    caplog.set_level(logging.INFO)
    client.vote(ANNA, 0, 0)
    client.refused("nothing-here")
    client.refused("vote", {"voter": "?"})
    out, err = capfd.readouterr()
    assert "127.0.0.1" not in out + err + caplog.text
    files = b"".join(f.read_bytes() for f in tmp_path.glob("votes.sqlite*"))
    assert b"127.0.0.1" not in files


def test_requests_that_are_refused(client, study):
    body = {"study": study.fingerprint, "voter": ANNA, "place": 0, "slot": 0}
    assert client.refused("vote", body, kind="text/plain") == 415
    assert client.refused("vote", {**body, "study": "0" * 16}) == 409
    for wrong in ({"place": 8}, {"place": -1}, {"slot": 3}, {"slot": True},
                  {"slot": "0"}, {"voter": "../../etc"}, {"voter": 7}):  # fmt: skip
        assert client.refused("vote", {**body, **wrong}) == 400
    assert client.refused("vote", [1]) == 400
    start = f"picture/{study.fingerprint}"
    assert client.refused(f"{start}/{ANNA}/99/0.png") == 404
    assert client.refused(f"{start}/{ANNA}/0/7.png") == 404
    assert client.refused(f"{start}/../{ANNA}/0/0.png") == 404
    assert client.refused(f"state?study={'0' * 16}&voter={ANNA}") == 409
    assert client.refused("state?voter=1") == 400


def test_a_full_disk_is_no_saved_vote(study, tmp_path, monkeypatch, capsys):
    with serve(study, tmp_path / "votes.sqlite", port=0) as server:
        client = Client(server, study)

        def full(*_):
            raise OSError("the disk is full")

        monkeypatch.setattr(server._votes, "save", full)
        body = {"study": study.fingerprint, "voter": ANNA, "place": 0, "slot": 0}
        assert client.refused("vote", body) == 500
        monkeypatch.undo()
        assert client.vote(ANNA, 0, 0) == {"saved": True}
    assert "the disk is full" in capsys.readouterr().err


def test_a_stopped_server_lets_go_of_port_and_file(study, tmp_path):
    server = serve(study, tmp_path / "votes.sqlite", port=0)
    with pytest.raises(OSError, match=r"Port \d+ is taken.*8001"):
        serve(study, tmp_path / "other.sqlite", port=server.port)
    assert not (tmp_path / "other.sqlite").exists()
    server.stop()
    server.stop()
    again = serve(study, tmp_path / "votes.sqlite", port=server.port)
    assert again.port == server.port
    again.stop()
    assert not (tmp_path / "votes.sqlite-wal").exists()  # all in one file to copy


def test_a_wrong_file_leaves_the_port_free(study, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "essay.txt").write_text("words " * 100)
    with pytest.raises(ValueError, match="not a file with votes"):
        serve(study, tmp_path / "essay.txt", port=port)
    serve(study, tmp_path / "votes.sqlite", port=port).stop()


def test_only_this_computer_unless_asked(study, tmp_path):
    for network, host in ((False, "127.0.0.1"), (True, "0.0.0.0")):
        with serve(study, tmp_path / "v.sqlite", port=0, network=network) as server:
            bound = next(iter(server._server._sockets.values())).getsockname()[0]
            assert bound == host
            assert len(server.addresses) == 1 + network


def test_a_public_link_needs_gradio(study, tmp_path, monkeypatch):
    asked = []

    def tunnel(*arguments):
        asked.append(arguments)
        return "https://example.org"

    networking = types.ModuleType("gradio.networking")
    networking.setup_tunnel = tunnel
    monkeypatch.setitem(sys.modules, "gradio", types.ModuleType("gradio"))
    monkeypatch.setitem(sys.modules, "gradio.networking", networking)
    with serve(study, tmp_path / "votes.sqlite", port=0, share=True) as server:
        assert server.addresses[-1] == "https://example.org"
        assert asked[0][:2] == ("127.0.0.1", server.port)

    def broken(*_):
        raise RuntimeError("no route")

    networking.setup_tunnel = broken
    with pytest.raises(OSError, match=r"no public link \(no route\)"):
        serve(study, tmp_path / "votes.sqlite", port=0, share=True)
    monkeypatch.setitem(sys.modules, "gradio.networking", None)
    with pytest.raises(NotInstalled, match="network=True"):
        serve(study, tmp_path / "votes.sqlite", port=0, share=True)


def test_colab_shows_the_page_below_the_cell(study, tmp_path, monkeypatch):
    shown = []
    output = types.SimpleNamespace(
        serve_kernel_port_as_iframe=lambda port, height: shown.append(port)
    )
    colab = types.ModuleType("google.colab")
    colab.output = output
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    with serve(study, tmp_path / "votes.sqlite", port=0) as server:
        assert shown == [server.port]


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    assert main(["page", str(tmp_path), "--votes", str(tmp_path / "v.sqlite")]) == 1
    assert "There is no folder" in capsys.readouterr().err
    assert main(["results", str(tmp_path / "v.sqlite")]) == 1
    assert "There is no file" in capsys.readouterr().err
    assert not (tmp_path / "v.sqlite").exists()


def test_the_command_line_prints_results(client, study, tmp_path, capsys):
    for place in range(8):
        client.vote(ANNA, place, study.plan(ANNA)[place].order.index(FALSE_FRIEND)
                    if study.plan(ANNA)[place].kind == CHECK else 0)  # fmt: skip
    capsys.readouterr()
    files = [str(tmp_path / name) for name in ("votes.sqlite", "v.csv", "shares.png")]
    assert main(["results", files[0], "--csv", files[1], "--figure", files[2]]) == 0
    out = capsys.readouterr().out
    assert "model-red" in out
    assert "Votes: 5" in out
    assert Image.open(files[2]).size[0] > 400
