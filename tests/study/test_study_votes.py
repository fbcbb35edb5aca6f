"""The file of votes: nothing lost, nothing counted twice, no other file harmed."""

from __future__ import annotations

import sqlite3

import pytest

from gan_lib.study import Study, Votes, read_votes
from gan_lib.study.plan import CHECK, FALSE_FRIEND, VOTE

ANNA, BEN = "a" * 16, "b" * 16


def first(study, voter, kind=VOTE):
    return next(item for item in study.plan(voter) if item.kind == kind)


def test_a_second_vote_replaces_the_first(study, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", study)
    item = first(study, ANNA)
    for slot in (0, 2):
        votes.save(ANNA, item, slot)
    about, cast = read_votes(tmp_path / "votes.sqlite")  # while it is open
    assert about["models"] == list(study.pictures.models)
    assert about["asked"] == [5, 1, 2]
    assert [vote.choice for vote in cast] == [study.pictures.models[item.order[2]]]
    assert votes.answered(ANNA) == {(VOTE, study.pictures.names[item.question])}
    assert votes.answered(BEN) == set()
    votes.close()


def test_checks_are_kept_as_passed_or_failed(study, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", study)
    for voter, choice in ((ANNA, True), (BEN, False)):
        item = first(study, voter, CHECK)
        right = item.order.index(FALSE_FRIEND)
        votes.save(voter, item, right if choice else (right + 1) % 3)
    votes.close()
    _, cast = read_votes(tmp_path / "votes.sqlite")
    assert {vote.voter: vote.choice for vote in cast} == {ANNA: "passed", BEN: "failed"}


def test_a_file_is_continued_by_the_same_study_only(study, pictures, tmp_path):
    path = tmp_path / "votes.sqlite"
    votes = Votes(path, study)
    votes.save(ANNA, first(study, ANNA), 1)
    votes.close()
    again = Votes(path, study)
    assert len(again.answered(ANNA)) == 1
    again.close()
    with pytest.raises(ValueError, match="other pictures.*new file"):
        Votes(path, Study(pictures, target="colour", seed=9))
    assert len(read_votes(path)[1]) == 1


def test_each_write_waits_for_the_disk(study, tmp_path):
    votes = Votes(tmp_path / "votes.sqlite", study)
    ask = votes._file.execute
    assert ask("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ask("PRAGMA synchronous").fetchone() == (2,)  # FULL
    votes.close()


def test_nothing_but_number_question_and_choice_is_stored(study, tmp_path):
    path = tmp_path / "votes.sqlite"
    Votes(path, study).close()
    with sqlite3.connect(path) as file:
        columns = [row[1] for row in file.execute("PRAGMA table_info(votes)")]
    assert columns == ["voter", "kind", "question", "choice"]


def test_no_other_file_is_harmed(study, tmp_path):
    text = tmp_path / "essay.txt"
    text.write_text("My essay of three weeks. " * 100)
    foreign = tmp_path / "music.sqlite"
    with sqlite3.connect(foreign) as file:
        file.execute("CREATE TABLE songs (name)")
    file.close()
    before = text.read_bytes(), foreign.read_bytes()
    with pytest.raises(ValueError, match="not a file with votes"):
        Votes(text, study)
    with pytest.raises(ValueError, match="another program"):
        Votes(foreign, study)
    with pytest.raises(ValueError, match="not a file with votes"):
        read_votes(text)
    with pytest.raises(ValueError, match="without votes"):
        read_votes(foreign)
    assert before == (text.read_bytes(), foreign.read_bytes())
    with pytest.raises(FileNotFoundError, match="There is no file"):
        read_votes(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(OSError, match="cannot be used"):
        Votes(tmp_path, study)
