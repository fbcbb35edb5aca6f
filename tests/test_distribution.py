"""Two replicas on one machine train like one device with the same global batch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from replica_cases import assert_equal_rows

pytestmark = pytest.mark.slow
START = f"""
import sys

sys.path.append({str(Path(__file__).parent)!r})
import replica_cases as cases
"""

CASES = ("lazy penalty", "slices", "pix2pix", "synchronized", "own statistics")


@pytest.fixture(scope="module")
def trained(run_python):
    """{case: (on one device, on two)}, of one process."""
    lines = run_python(START + "cases.main()", *CASES).splitlines()
    return dict(json.loads(line) for line in lines if line.startswith("["))


@pytest.mark.parametrize("case", CASES[:-1])
def test_two_replicas_equal_one_device(trained, case):
    one, two = trained[case]
    assert_equal_rows(one, two)
    assert [row["kimg"] for row in two["rows"]] == [0.016, 0.032]
    assert one["sizes"].keys() == two["sizes"].keys()
    for name, size in one["sizes"].items():
        np.testing.assert_allclose(two["sizes"][name], size, 1e-3, 1e-4, name)


def test_batch_norm_has_own_statistics_unless_it_is_synchronized(trained):
    """Else equality of the synchronized one would say nothing."""
    one, two = trained["own statistics"]
    losses = [[row["discriminator_loss"] for row in x["rows"]] for x in (one, two)]
    assert np.abs(np.subtract(*losses)).max() > 1e-4


QUESTIONS = """
import json, tempfile
import numpy as np, tensorflow as tf

cases.two_virtual_devices()
strategy = cases.strategy(2)
masks, fakes, found = [], [], {}


class Watched(cases.GAN):
    def forward(self, real_images, draws):
        dropout = next(x for x in self.generator.layers if "dropout" in x.name)
        mask = dropout(tf.ones((4, 64)), training=True)
        tf.numpy_function(lambda x: masks.append(x), [mask], [])
        images = super().forward(real_images, draws)
        tf.numpy_function(lambda x: fakes.append(x), [images], [])
        return images


gan = cases.build("", 2, lambda: cases.plain(dropout=0.5, gan_class=Watched))
seeds = lambda gan: [v.tolist() for k, v in cases.state(gan).items() if v.shape == (2,)]
before = seeds(gan)
cases.train("", gan=gan)
found["masks"] = len(np.unique(np.reshape(masks, (len(masks), -1)), axis=0))
found["fakes"] = len(np.unique(np.concatenate(fakes).reshape(32, -1), axis=0))
found["seeds"] = [before, seeds(gan)]

# A number that is not finite, for the second replica only, in the third step.
bad = cases.IMAGES.copy()
bad[2 * cases.BATCH + 6] = np.nan
data = tf.data.Dataset.from_tensor_slices(bad).batch(cases.BATCH, drop_remainder=True)
for made in (cases.IMAGES, bad):
    gan = cases.build("lazy penalty", 2)
    data = tf.data.Dataset.from_tensor_slices(made).batch(cases.BATCH, True)
    try:
        gan.fit(data, kimg=(0.016 if made is not bad else 0.032), verbose=0)
    except FloatingPointError as error:
        found["error"] = str(error)
    weights = [w for x in (gan.generator, gan.discriminator) for w in x.weights]
    weights += gan.ema_generator.weights + gan.generator_optimizer.variables
    copies = [strategy.experimental_local_results(x.value) for x in weights]
    found.setdefault("after", []).append(
        [[x.numpy().ravel().tolist() for x in copy] for copy in copies]
    )


def refused(make, data=cases.Data("lazy penalty"), inside=True):
    gan = cases.build("", 2 if inside else 1, make)
    try:
        with strategy.scope():
            gan.fit(data, kimg=0.008, verbose=0)
    except ValueError as error:
        return str(error)


whole = tf.data.Dataset.from_tensor_slices(cases.IMAGES)
jitted = lambda: cases.plain(jit_compile=True)
sliced = lambda: cases.synchronized(cases.dcgan(**cases.TINY, accumulate=2))
found["refused"] = {
    "share equally": refused(cases.plain, whole.batch(9, drop_remainder=True)),
    "drop_remainder=True": refused(cases.plain, whole.batch(9)),
    "XLA": refused(jitted),
    "strategy.scope()": refused(cases.plain, inside=False),
    "synchronized": refused(sliced),
    "multiple of 3": refused(lambda: cases.plain(accumulate=3)),
}
for first, then in ((1, 2), (2, 1)):
    with tempfile.TemporaryDirectory() as folder:
        cases.train("lazy penalty", first, 2, folder)
        found[f"resumed {first}"] = cases.train("lazy penalty", then, 4, folder)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(run_python):
    return json.loads(run_python(START + QUESTIONS).splitlines()[-1])


def test_each_replica_drops_and_draws_for_itself(found):
    assert found["masks"] == 2 * 4  # replicas, steps
    assert found["fakes"] == 32
    before, after = found["seeds"]
    assert [new[0] for new in after] == [old[0] for old in before]
    assert sum(new[1] for new in after) == 4 * 3  # the step's and two of dropout


def test_a_bad_number_of_one_replica_moves_no_weight_of_any(found):
    assert "0.016 kimg: real_images" in found["error"]
    for good, bad in zip(*found["after"], strict=True):
        for copy in bad:
            np.testing.assert_array_equal(copy, good[0])


def test_what_cannot_be_shared_is_refused_with_advice(found):
    for words, message in found["refused"].items():
        assert message is not None, words
        assert words in message
        assert "Expected" in message


@pytest.mark.parametrize("first", [1, 2])
def test_checkpoints_resume_on_another_number_of_replicas(trained, found, first):
    for unbroken in trained["lazy penalty"]:
        assert_equal_rows(unbroken, found[f"resumed {first}"])
