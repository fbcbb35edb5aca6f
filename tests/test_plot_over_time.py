"""A training in rows and as a film: which moments, in which order."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from gan_lib import plot


def frames(count: int, pictures: int = 3) -> list[tuple[float, np.ndarray]]:
    """Frame i is drawn in the grey 9 i, at i / 2 kimg."""
    shape = (pictures, 8, 8, 3)
    return [(i / 2, np.full(shape, 9 * i, np.uint8)) for i in range(count)]


def names(figure) -> list[str]:
    return [ax.get_ylabel() for ax in figure.axes]


def test_progress_shows_early_moments_closer_together():
    figure = plot.progress(frames(16), count=5, pictures=2)
    assert names(figure) == [f"{kimg:g} kimg" for kimg in (0, 0.5, 1.5, 3.5, 7.5)]
    picture = figure.axes[-1].images[0].get_array()
    assert picture.shape[:2] == (8, 8 + 2 + 8)  # two of the three pictures
    assert set(np.unique(picture)) == {9 * 15, 255}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_frames_are_each_shown_once(count):
    assert len(names(plot.progress(frames(count)))) == count


def test_a_film_runs_evenly_from_the_first_frame_to_the_last(tmp_path):
    shown = plot.film(frames(26), tmp_path / "film.webp", "grey gets lighter", count=6)
    film = Image.open(tmp_path / "film.webp")
    greys = []
    for number in range(film.n_frames):
        film.seek(number)
        greys.append(np.asarray(film.convert("L"))[3, 3] / 9)
    np.testing.assert_allclose(greys, [0, 5, 10, 15, 20, 25], atol=0.3)
    assert 'alt="grey gets lighter"' in shown._repr_html_()


def test_without_frames_the_way_to_get_some_is_named(tmp_path):
    with pytest.raises(ValueError, match="Train first"):
        plot.progress([])
    with pytest.raises(ValueError, match="Train first"):
        plot.film([], tmp_path / "film.webp", "nothing")
    with pytest.raises(ValueError, match="`count` >= 1"):
        plot.progress(frames(2), count=0)
