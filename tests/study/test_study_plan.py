"""Which questions, in which order: fair, repeatable, different for each voter."""

from __future__ import annotations

import collections

import numpy as np
import pytest

from gan_lib.study import Study
from gan_lib.study.plan import CHECK, FALSE_FRIEND, REPEAT, VOTE

VOTERS = [f"{number:016x}" for number in range(300)]


def test_a_plan_is_a_function_of_seed_and_voter(study, pictures):
    twin = Study(pictures, target="colour", checks=1, repeats=2, seed=4)
    assert study.plan(VOTERS[1]) == twin.plan(VOTERS[1])
    assert study.fingerprint == twin.fingerprint
    assert study.plan(VOTERS[1]) != study.plan(VOTERS[2])
    other = Study(pictures, target="colour", checks=1, repeats=2, seed=5)
    assert study.plan(VOTERS[1]) != other.plan(VOTERS[1])
    assert study.fingerprint != other.fingerprint


def test_every_voter_gets_what_was_asked_for(study):
    for voter in VOTERS[:50]:
        plan = study.plan(voter)
        assert [item.kind for item in plan].count(VOTE) == 5
        assert [item.kind for item in plan][-2:] == [REPEAT, REPEAT]
        assert plan[0].kind == VOTE
        checks = [item for item in plan if item.kind == CHECK]
        assert len(checks) == 1
        assert checks[0].order.count(FALSE_FRIEND) == 1
        votes = [item.question for item in plan if item.kind == VOTE]
        assert len(set(votes)) == 5
        assert checks[0].question not in votes
        for item in plan[-2:]:  # enough lies between
            assert item.question in votes[:3]
            asked = next(
                n for n, other in enumerate(plan)
                if (other.kind, other.question) == (VOTE, item.question)
            )  # fmt: skip
            assert plan.index(item) - asked > 2
        for item in plan:
            if item.kind != CHECK:
                assert sorted(item.order) == [0, 1, 2]


def test_no_model_has_a_better_place(study):
    seen = collections.Counter(
        (item.order[0], item.kind)
        for voter in VOTERS
        for item in study.plan(voter)
        if item.kind != CHECK
    )
    for kind, total in ((VOTE, 5 * 300), (REPEAT, 2 * 300)):
        counts = np.array([seen[model, kind] for model in range(3)])
        assert counts.sum() == total
        assert np.abs(counts - total / 3).max() < 4 * np.sqrt(total * 2 / 9)


def test_few_questions_cover_all_pictures(pictures):
    study = Study(pictures, questions=2)
    asked = collections.Counter(
        item.question for voter in VOTERS for item in study.plan(voter)
    )
    assert set(asked) == set(range(6))
    assert max(asked.values()) < 1.5 * min(asked.values())


def test_checks_know_the_right_answer(pictures):
    for check, right in (("source", True), ("noise", False)):
        study = Study(pictures, checks=2, check=check)
        item = next(i for i in study.plan(VOTERS[7]) if i.kind == CHECK)
        slot = item.order.index(FALSE_FRIEND)
        assert study.passed(item, slot) is right
        assert study.passed(item, (slot + 1) % 3) is not right
        shown = study.picture(item.question, FALSE_FRIEND)
        assert shown.shape == (12, 12, 3)
        source = pictures.sources[item.question]
        assert np.array_equal(shown, source) is right
        assert np.array_equal(shown, study.picture(item.question, FALSE_FRIEND))
        assert ("same as the original" in study.words(item)) is right


def test_words_name_the_target_only(study):
    item = study.plan(VOTERS[0])[0]
    assert study.words(item) == "Which picture is the best translation into colour?"


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"check": "nothing"}, "check: expected one of"),
        ({"checks": 6}, "leave none"),
        ({"checks": -1}, "0 or more"),
        ({"questions": 0}, "expected 1 to 6"),
        ({"questions": 6, "checks": 1}, "expected 1 to 5"),
        ({"repeats": 4}, "at most 3"),
    ],
)
def test_settings_that_do_not_fit(pictures, rules, words):
    with pytest.raises(ValueError, match=words):
        Study(pictures, **rules)


@pytest.mark.parametrize("voter", ["", "xyz", "0" * 15, "A" * 16, 7, None])
def test_a_voter_is_sixteen_digits(study, voter):
    with pytest.raises(ValueError, match="16 hexadecimal"):
        study.plan(voter)
