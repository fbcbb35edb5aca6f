"""Named draws: repeatable, independent, in range, shared out among replicas."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from gan_lib.randomness import Draws


def test_a_draw_depends_on_seed_and_name_alone():
    first = Draws([1, 2]).normal("latents", (4, 3))
    other = Draws([1, 2])
    other.uniform("labels", (7,))  # another draw before must change nothing
    np.testing.assert_array_equal(first, other.normal("latents", (4, 3)))
    for changed in (
        Draws([1, 3]).normal("latents", (4, 3)),
        Draws([2, 2]).normal("latents", (4, 3)),
        Draws([1, 2]).normal("noise", (4, 3)),
    ):
        assert not np.isclose(first, changed).any()


def test_graph_and_eager_draws_agree():
    draw = tf.function(lambda: Draws(tf.constant([5, 6])).normal("x", (2, 3)))
    np.testing.assert_array_equal(draw(), Draws([5, 6]).normal("x", (2, 3)))


def test_distributions():
    normal = Draws([0, 0]).normal("x", (20_000, 2)).numpy()
    assert normal.dtype == np.float32
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=0.03)
    uniform = Draws([0, 0]).uniform("x", (20_000,), 0.8, 1.2).numpy()
    assert 0.8 <= uniform.min() < 0.801
    assert 1.199 < uniform.max() <= 1.2
    np.testing.assert_allclose(uniform.mean(), 1, atol=0.005)


def test_replicas_share_the_numbers_of_one_device():
    whole = Draws([3, 4]).normal("latents", (6, 2))
    parts = [Draws([3, 4], i, 3).normal("latents", (2, 2)) for i in range(3)]
    np.testing.assert_array_equal(whole, tf.concat(parts, axis=0))
    assert len(np.unique(whole)) == 12
