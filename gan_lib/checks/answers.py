"""How a learner's answer is asked, compared and settled; `gan_lib.checks` uses it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import numpy as np
from keras import ops

Answer = Callable[..., object]
# A usual mistake: the function it amounts to, and what to tell whoever made it.
Mistake = tuple[Callable[..., object], str]


class StillOpen(Exception):
    """The learner has not written an answer yet."""


def settle(name: str, answer: Answer, ours: Answer, test: Callable[[], None]) -> Answer:
    """Run the test; return the answer if it passes, `ours` if it is still open.

    Args:
        name: of the exercise, for the printed line.
        answer: the learner's function; None or ... counts as open.
        ours: gan_lib's function.
        test: calls the answer; raises AssertionError if wrong, StillOpen if open.
    Raises: AssertionError if wrong, or if open while GAN_STRICT is set.
    """
    try:
        if answer is None or answer is ...:
            raise StillOpen
        test()
    except StillOpen:
        if os.environ.get("GAN_STRICT", "0") not in ("", "0"):
            raise AssertionError(
                f"{name}: this exercise is still open, and GAN_STRICT is set."
            ) from None
        print(
            f"{name}: still open. The lesson goes on with {ours.__module__}."
            f"{ours.__name__}; write your own above and run the cell again."
        )
        return ours
    print(f"{name}: passed.")
    return answer


def ask(name: str, answer: Answer, *arguments: object) -> object:
    """Call the learner's function.

    Raises: StillOpen if nothing was written; AssertionError, with the learner's own
        error in it, if the function stops.
    """
    try:
        result = answer(*arguments)
    except NotImplementedError:
        raise StillOpen from None
    except Exception as error:
        if "ellipsis" in str(error).lower():  # `real_loss = ...` is still in the body
            raise StillOpen from None
        raise AssertionError(
            f"{name}: your function stopped with {type(error).__name__}: {error}"
        ) from error
    if result is None or result is ...:
        raise StillOpen
    return result


def as_array(name: str, result: object, shape: tuple[int, ...]) -> np.ndarray:
    """The result as float64, after checking its shape."""
    try:
        array = np.asarray(ops.convert_to_numpy(result), dtype="float64")
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"{name}: expected numbers; got {result!r}, a {type(result).__name__}."
        ) from error
    if array.shape != shape:
        wanted = f"the shape {shape}" if shape else "one number (reduce with the mean)"
        raise AssertionError(f"{name}: expected {wanted}; got the shape {array.shape}.")
    return array


def loss_value(name: str, answer: Answer, *logits: np.ndarray) -> np.ndarray:
    """The learner's loss, after checking that it is one number and a tensor."""
    result = ask(name, answer, *(ops.convert_to_tensor(x) for x in logits))
    value = as_array(name, result, ())
    if not ops.is_tensor(result):
        raise AssertionError(
            f"{name}: got a {type(result).__name__}, which has no gradient to train "
            "with. Use keras.ops from beginning to end, not NumPy or float()."
        )
    return value


def compare(
    name: str,
    value: np.ndarray,
    right: Callable[..., object],
    arguments: Sequence[object],
    mistakes: Sequence[Mistake],
) -> None:
    """Compare with `right(*arguments)` to float32 accuracy.

    Raises: AssertionError with both values and, if the answer is one of `mistakes`,
        the sentence that names it.
    """
    arguments = [np.asarray(x, dtype="float64") for x in arguments]
    expected = np.asarray(right(*arguments))
    if _close(value, expected):
        return
    with np.errstate(all="ignore"):
        found = [text for wrong, text in mistakes if _close(value, wrong(*arguments))]
    advice = found[0] if found else "Go through the equation once more, term by term."
    raise AssertionError(
        f"{name}: expected {_show(expected)}, got {_show(value)}. {advice}"
    )


def _close(value: np.ndarray, expected: object) -> bool:
    return np.allclose(value, expected, rtol=1e-4, atol=1e-5)


def _show(x: np.ndarray) -> str:
    numbers = ", ".join(f"{number:.4f}" for number in np.ravel(x)[:4])
    return f"[{numbers}{', ...' if np.size(x) > 4 else ''}]" if np.ndim(x) else numbers
