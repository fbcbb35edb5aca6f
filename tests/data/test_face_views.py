"""All views of a drawn face agree: picture, outline, regions, words."""

import re

import numpy as np

from gan_lib.data import face_law


def rgb(hex_color):
    return np.array(list(bytes.fromhex(hex_color[1:])), np.float64)


def distance_to_segment(pixels, first, last):
    """Distance of each pixel (k, 3) to the colours between two colours."""
    along = last - first
    share = np.clip((pixels - first) @ along / max(along @ along, 1e-9), 0, 1)
    return np.linalg.norm(pixels - first - share[:, None] * along, axis=1)


def test_hair_region_has_the_asked_color(rich):
    _, drawn = rich
    hair = drawn.label_names.index("hair")
    right = judged = 0
    for image, labels, asked, tip in zip(
        drawn.images, drawn.labels, drawn.attributes["hair_color"],
        drawn.attributes["hair_tip_color"], strict=True,
    ):  # fmt: skip
        pixels = image[labels == hair].astype(np.float64)
        if asked != tip or len(pixels) < 100:
            continue
        errors = {
            name: np.median(distance_to_segment(pixels, rgb(dark), rgb(light)))
            for name, (dark, light) in face_law.HAIR_COLORS.items()
        }
        judged += 1
        right += min(errors, key=errors.get) == asked
    assert judged > len(drawn.images) / 2
    assert right / judged >= 0.95


def test_skin_and_background_have_the_asked_color(rich):
    _, drawn = rich
    names = drawn.label_names
    for image, labels, skin, near, far in zip(
        drawn.images, drawn.labels, drawn.attributes["skin"],
        drawn.attributes["background"], drawn.attributes["background_2"], strict=True,
    ):  # fmt: skip
        asked = rgb(face_law.SKINS[skin][0])
        middle = np.median(image[labels == names.index("skin")], axis=0)
        assert np.abs(middle - asked).max() <= 3
        back = image[labels == 0].astype(np.float64)
        ends = (rgb(face_law.BACKGROUNDS[name]) for name in (near, far))
        assert np.median(distance_to_segment(back, *ends)) < 3


def test_glasses_attribute_equals_the_glasses_label(rich):
    _, drawn = rich
    label = drawn.label_names.index("glasses")
    seen = (drawn.labels == label).any((1, 2))
    np.testing.assert_array_equal(seen, drawn.attributes["glasses"])
    assert 0 < seen.mean() < 0.5


def test_eye_color_is_found_in_open_eyes(lorelei):
    label = lorelei.label_names.index("eyes")
    open_eyes = np.isin(lorelei.attributes["eyes"], ["round", "sparkle", "almond"])
    bare = open_eyes & ~lorelei.attributes["glasses"]
    found = []
    for image, labels, name in zip(
        lorelei.images[bare], lorelei.labels[bare],
        lorelei.attributes["eye_color"][bare], strict=True,
    ):  # fmt: skip
        pixels = image[labels == label].astype(np.float64)
        gap = np.linalg.norm(pixels - rgb(face_law.EYE_COLORS[name]), axis=1)
        found.append(gap.min() < 60)
    assert len(found) > 10
    assert np.mean(found) > 0.9


def test_line_art_is_white_paper_with_ink_on_the_borders(rich):
    _, drawn = rich
    line, labels = drawn.line[..., 0], drawn.labels
    background = labels == 0
    inner = background.copy()
    for axis in (1, 2):
        for step in (-1, 1):
            inner &= np.roll(background, step, axis)
    assert np.median(line[background]) == 255
    assert (line[inner] > 200).mean() > 0.97
    across = (labels[:, :, 1:] == 0) != (labels[:, :, :-1] == 0)
    darkest = np.minimum(line[:, :, 1:], line[:, :, :-1])
    assert darkest[across].mean() < 130 < line.mean()


def test_line_art_follows_the_picture_not_another_one(lorelei):
    def contours(images):
        grey = images.astype(np.float64).mean(-1)
        dx = np.abs(np.diff(grey, axis=2))[:, :-1]
        dy = np.abs(np.diff(grey, axis=1))[:, :, :-1]
        return (dx + dy).reshape(len(images), -1)

    edges, ink = contours(lorelei.images), contours(lorelei.line)
    count = len(edges)
    match = np.corrcoef(edges, ink)[:count, count:]
    assert (match.argmax(1) == np.arange(count)).mean() > 0.95


def test_instances_refine_labels_and_split_pairs(rich):
    _, drawn = rich
    np.testing.assert_array_equal(drawn.instances // 10, drawn.labels)
    eyes = drawn.label_names.index("eyes")
    x = np.arange(64)[None, None, :]
    both = 0
    for instances in drawn.instances:
        first, second = instances == 10 * eyes + 1, instances == 10 * eyes + 2
        if first.any() and second.any():
            both += 1
            gap = np.where(second, x[0], 99).min() - np.where(first, x[0], -1).max()
            assert gap >= 1
    assert both > 0.6 * len(drawn.images)
    pairs = {drawn.label_names.index(name) for name in ("eyes", "eyebrows")}
    seconds = drawn.labels[drawn.instances % 10 == 2]
    assert set(np.unique(seconds)) <= pairs


def test_captions_tell_the_attributes(rich):
    _, drawn = rich
    table = drawn.attributes
    for k, text in enumerate(drawn.captions):
        if table["hair_style"][k] != "bald":
            assert table["hair_color"][k] in text
        assert ("glasses" in text) == table["glasses"][k]
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text)
    vocabulary = set(" ".join(drawn.captions).replace(",", "").split())
    assert len(vocabulary) < 110
    assert len(set(drawn.captions)) > 0.9 * len(drawn.images)
