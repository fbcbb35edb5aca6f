"""Figures: what is drawn, where, and that nothing is left behind."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colors, pyplot
from PIL import Image

from gan_lib import plot
from gan_lib.plot.pixels import as_batch

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """uint8 (6, 8, 8, 3), image i one colour."""
    return np.stack([np.full((8, 8, 3), 40 * i, np.uint8) for i in range(6)])


@pytest.fixture(scope="module")
def history() -> dict[str, list[float]]:
    names = ("discriminator_loss", "generator_loss", "real_logits", "fake_logits")
    return {"kimg": [1.0, 2.0, 3.0]} | {n: [0.5, 1.0, 1.5] for n in names}


def lines(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): line.get_ydata() for line in ax.get_lines()}


def test_as_batch_reads_floats_greys_and_single_pictures():
    ends = np.array([-1.0, 1.0, 3.0]).reshape(3, 1, 1, 1)
    batch = as_batch(ends)
    assert batch.dtype == np.uint8
    assert batch.shape == (3, 1, 1, 3)
    assert batch[:, 0, 0, 0].tolist() == [0, 255, 255]
    assert as_batch(np.zeros((4, 4, 3), np.uint8)).shape == (1, 4, 4, 3)


@pytest.mark.parametrize("shape", [(2, 8, 8), (8, 8), (2, 8, 8, 4), (0, 8, 8, 3)])
def test_as_batch_explains_a_wrong_shape(shape):
    with pytest.raises(ValueError, match="Expected pictures of shape"):
        as_batch(np.zeros(shape, np.uint8))


def test_tile_puts_every_picture_in_its_place(images):
    canvas = plot.tile(images[:5], columns=3, padding=2, background=7)
    assert canvas.shape == (2 * 8 + 2, 3 * 8 + 2 * 2, 3)
    for number in range(5):
        line, column = divmod(number, 3)
        part = canvas[10 * line : 10 * line + 8, 10 * column : 10 * column + 8]
        assert (part == images[number]).all()
    assert (canvas[10:, 20:] == 7).all()  # the sixth place is empty
    assert (canvas[8:10] == 7).all()


def test_tile_prefers_full_rows(images):
    many = np.zeros((60, 4, 4, 3), np.uint8)
    height, width, _ = plot.tile(many, padding=0).shape
    assert height * width == 60 * 16  # no empty place
    assert width > height
    with pytest.raises(ValueError, match="columns"):
        plot.tile(images, columns=0)


def test_save_grid_writes_the_tiles(images, tmp_path):
    path = plot.save_grid(images, tmp_path / "new" / "grid.png", columns=3)
    assert np.array_equal(np.asarray(Image.open(path)), plot.tile(images, 3))
    assert [p.name for p in path.parent.iterdir()] == ["grid.png"]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_animate_keeps_frames_times_and_loops(images, tmp_path, suffix):
    frames = [images[:2], images[2:4], images[4:]]
    path = plot.animate(
        frames, tmp_path / f"film{suffix}", milliseconds=100, last_milliseconds=900
    )
    film = Image.open(path)
    assert film.n_frames == 3
    assert film.info["loop"] == 0
    durations = []
    for number in range(3):
        film.seek(number)
        film.load()
        durations.append(film.info["duration"])
        middle = np.asarray(film.convert("RGB"))[4, 4]
        assert np.abs(middle.astype(int) - 80 * number).max() <= 6
    assert durations == [100, 100, 900]


def test_captions_stand_below_and_must_fit_the_frames(images, tmp_path):
    captions = ["1 kimg", "2 kimg"]
    path = plot.animate(images[:2], tmp_path / "film.webp", captions=captions)
    film = Image.open(path)
    assert film.size[1] > 8
    assert np.asarray(film.convert("L"))[8:].min() < 128  # dark text on white
    with pytest.raises(ValueError, match="as many captions as frames"):
        plot.animate(images[:3], path, captions=captions)
    with pytest.raises(ValueError, match=r"\.webp or \.gif"):
        plot.animate(images, tmp_path / "film.mp4")
    with pytest.raises(ValueError, match="at least one frame"):
        plot.animate([], path)


def test_animation_carries_its_file_and_alt_text(images, tmp_path):
    path = plot.animate(images, tmp_path / "film.webp")
    html = plot.animation(path, alt='faces "appear"')._repr_html_()
    assert html.startswith('<img alt="faces \'appear\'" src="data:image/webp;base64,')


def test_colour_labels_wrap_but_keep_the_background_apart():
    palette = np.array([(255, 255, 255), (10, 0, 0), (20, 0, 0)])
    coloured = plot.colour_labels(np.arange(6).reshape(2, 3), palette)
    assert coloured.dtype == np.uint8
    assert coloured[..., 0].tolist() == [[255, 10, 20], [10, 20, 10]]
    for wrong in (np.array([[-1]]), np.array([[0.5]])):
        with pytest.raises(ValueError, match="whole numbers"):
            plot.colour_labels(wrong)


def test_image_grid_draws_the_tiles_or_a_title_each(images):
    figure = plot.image_grid(images, columns=3, title="Six")
    (ax,) = figure.axes
    assert np.array_equal(ax.get_images()[0].get_array(), plot.tile(images, 3))
    assert figure.get_suptitle() == "Six"
    titled = plot.image_grid(images, columns=4, titles=list("abcdef"))
    shown = [ax.get_title() for ax in titled.axes if ax.get_images()]
    assert shown == list("abcdef")
    with pytest.raises(ValueError, match="a title for each"):
        plot.image_grid(images, titles=["a"])


def test_rows_have_names_and_column_titles(images):
    figure = plot.rows(
        {"lerp": images, "slerp": images[:3]}, column_titles=["0", "1"], title="Walk"
    )
    assert [ax.get_ylabel() for ax in figure.axes] == ["lerp", "slerp"]
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1"]
    # A short row keeps the scale of the long one, so that pictures stand in columns.
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    with pytest.raises(ValueError, match="at most 6 column titles"):
        plot.rows({"a": images}, column_titles=list("abcdefg"))
    with pytest.raises(ValueError, match="at least one row"):
        plot.rows({})


def test_neighbours_show_pairs_and_distances(images):
    nearest = np.stack([images[2:4], images[4:6]])  # (2, 2, 8, 8, 3)
    distances = np.array([[0.5, 1.0], [2.0, 3.25]])
    axes = np.array(plot.neighbours(images[:2], nearest, distances).axes)
    axes = axes.reshape(3, 2)
    assert [ax.get_xlabel() for ax in axes[1]] == ["0.50", "2.00"]
    assert [ax.get_xlabel() for ax in axes[2]] == ["1.00", "3.25"]
    assert (axes[2, 1].get_images()[0].get_array() == images[5]).all()


def test_arithmetic_shows_signs_means_and_parts(images):
    terms = [("", "a", images[0], images[:3]), ("=", "b", images[1], None)]
    figure = plot.arithmetic(terms)
    assert [ax.get_title() for ax in figure.axes[:2]] == ["a", "b"]
    assert [ax.texts[0].get_text() for ax in figure.axes[:2]] == ["", "="]
    assert not figure.axes[3].axison


def test_label_maps_name_every_colour(images):
    labels = np.tile(np.arange(8) // 4, (2, 8, 1))  # (2, 8, 8)
    figure = plot.label_maps(images[:2], labels, ["background", "hair"])
    (legend,) = figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["background", "hair"]
    patch = colors.to_rgb(legend.get_patches()[1].get_facecolor())
    assert patch == pytest.approx(plot.colour_labels(np.array([[1]]))[0, 0] / 255)


def test_loss_and_logit_curves_have_their_levels(history):
    for given in (history, type("History", (), {"history": history})()):
        losses = lines(plot.loss_curves(given).axes[0])
        assert losses["discriminator"].tolist() == [0.5, 1.0, 1.5]
        levels = sorted(y[0] for name, y in losses.items() if name.startswith("_"))
        assert levels == pytest.approx([np.log(2), 2 * np.log(2)])
    logits = lines(plot.logit_curves(history).axes[0])
    assert [y[0] for n, y in logits.items() if n.startswith("_")] == [0]
    with pytest.raises(ValueError, match=r"GAN\.fit returns"):
        plot.loss_curves([1, 2, 3])


def test_logit_histogram_counts_every_picture():
    (ax,) = plot.logit_histogram(np.linspace(0, 3, 50), np.linspace(-3, 0, 30)).axes
    counts = [sum(bar.get_height() for bar in group) for group in ax.containers]
    assert counts == [50, 30]


def test_densities_show_one_small_picture_a_moment():
    x = np.linspace(-1, 1, 20)
    moments = [plot.Moment(f"step {i}", x**2, x**2, x, 1 - x) for i in range(4)]
    figure = plot.densities(x, moments, columns=3)
    visible = [ax for ax in figure.axes if ax.axison]
    assert len(visible) == 8  # four pictures, each with a second scale for D(x)
    titles = [ax.get_title(loc="left") for ax in visible[:4]]
    assert titles == [f"step {i}" for i in range(4)]
    twin = visible[4]
    assert lines(twin)["optimal discriminator"].tolist() == (1 - x).tolist()


def test_duel_draws_path_and_plane():
    path = np.array([[-2.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    left, right = plot.duel({"momentum 0.5": path}, target=2.0).axes
    assert lines(left)["momentum 0.5"].tolist() == [-2, 0, 2]
    assert right.get_lines()[0].get_xydata().tolist() == path.tolist()


def test_bars_have_lengths_errors_and_a_floor():
    figure = plot.bars(
        {"a": 3.0, "b": 1.0}, {"a": 0.5, "b": 0.1}, references={"floor": 0.2}
    )
    (ax,) = figure.axes
    assert [patch.get_width() for patch in ax.patches] == [3.0, 1.0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    assert ax.yaxis_inverted()  # the first name stands on top
    assert ax.get_legend().get_texts()[0].get_text() == "floor"


def test_table_is_markdown():
    table = plot.table([{"run": "a", "KID": 1.5}, {"run": "b", "KID": 2}])
    assert table._repr_markdown_() == (
        "| run | KID |\n| :--- | ---: |\n| a | 1.5 |\n| b | 2 |"
    )
    with pytest.raises(ValueError, match="needs the columns"):
        plot.table([{"a": 1}, {"b": 1}])
    with pytest.raises(ValueError, match="at least one line"):
        plot.table([])


def test_a_figure_shows_itself_and_leaves_no_global_state(images):
    assert plot.image_grid(images)._repr_png_().startswith(PNG)
    assert pyplot.get_fignums() == []  # pyplot would show it a second time


def test_colours_differ_in_lightness_for_a_printed_page():
    def lightness(name):
        return np.dot(colors.to_rgb(plot.COLOURS[name]), (0.299, 0.587, 0.114))

    assert abs(lightness("real") - lightness("fake")) > 0.05


def test_boxes_lie_where_they_were_found():
    pages = [np.zeros((40, 60, 3), np.uint8), np.zeros((30, 30, 3), np.uint8)]
    figure = plot.boxes(
        pages,
        found=[[(5, 6, 10, 12)], []],
        scores=[[0.75], []],
        truth=[[(4, 6, 10, 12)], np.zeros((0, 4))],
    )
    first, second = (ax.patches for ax in figure.axes)
    assert [patch.get_bbox().bounds for patch in first] == [
        (4, 6, 10, 12),
        (5, 6, 10, 12),
    ]
    assert first[0].get_linestyle() != first[1].get_linestyle()
    assert not second
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.75"]
    with pytest.raises(ValueError, match="`found` to have an entry for each of the 2"):
        plot.boxes(pages, found=[[]])


def test_patch_maps_lie_over_the_whole_picture(images):
    sure = np.full((2, 2, 2, 1), 9.0, "float32")
    sure[1] = -9.0
    figure = plot.patch_maps(images[:2], {"of ours": sure})
    first, second = (ax.get_images()[1] for ax in figure.axes[2:4])
    assert first.get_extent() == [-0.5, 7.5, 7.5, -0.5]
    assert first.get_array().min() > 0.99
    assert second.get_array().max() < 0.01
    with pytest.raises(ValueError, match="2 maps"):
        plot.patch_maps(images[:2], {"of ours": sure[:1]})
