"""Small generators with the inputs of a BigGAN module, written as modules.

As a script: `python hub_modules.py FOLDER` writes them all. The pictures are

    tanh((W [z, y] - mean_t) / sqrt(variance_t)),  t the row of the truncation,

so that a truncation has statistics of its own, as in the published modules.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

LATENT_DIM, CLASSES, SIZE = 6, 4, 3
STEPS = 10  # rows of statistics between the truncations 0 and 1
# The message ModuleDef of tensorflow_hub's module_def.proto, as protocol buffers write
# it: 0x08 is field 1 (format), a variable-length integer; 3 is FORMAT_V3, a SavedModel
# beside this file. Field 2, the list of required features, is empty and so left out.
MODULE_DEF = b"\x08\x03"
UNFIT = (
    "without_truncation",
    "of_unknown_width",
    "with_two_outputs",
    "with_flat_images",
)


def weights() -> dict[str, np.ndarray]:
    """float32: kernel (Z + C, D), mean and variance (STEPS + 1, D), D = 3 x 3 x 3."""
    rng = np.random.default_rng(5)
    features = SIZE * SIZE * 3
    values = {
        "kernel": rng.normal(size=(LATENT_DIM + CLASSES, features)),
        "mean": rng.normal(size=(STEPS + 1, features)),
        "variance": rng.uniform(0.5, 3.0, (STEPS + 1, features)),
    }
    return {name: value.astype("float32") for name, value in values.items()}


def images_of(z, y, truncation, w) -> tf.Tensor:
    row = tf.cast(tf.round(truncation * STEPS), "int32")
    x = tf.matmul(tf.concat([z, y], 1), w["kernel"])
    x = (x - tf.gather(w["mean"], row)) * tf.math.rsqrt(tf.gather(w["variance"], row))
    return tf.reshape(tf.tanh(x), (-1, SIZE, SIZE, 3))


def write_tf1(folder: Path, *, stale: bool = False):
    """A module in TF1's hub format, as hub.create_module_spec exported them.

    `stale`: with the flaw of tensorflow/hub issue 280 made certain. The statistics are
    those of the truncation the module remembers, which is that of the call before.
    """
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        z = v1.placeholder("float32", (None, LATENT_DIM), "z")
        y = v1.placeholder("float32", (None, CLASSES), "y")
        truncation = v1.placeholder("float32", (), "truncation")
        w = {
            name: v1.get_variable(name, initializer=value, use_resource=True)
            for name, value in weights().items()
        }
        used = truncation
        if stale:
            memory = v1.get_variable("memory", initializer=1.0, use_resource=True)
            used = memory.read_value()
            with tf.control_dependencies([used]):
                remember = memory.assign(truncation)
            with tf.control_dependencies([remember]):
                used = tf.identity(used)
        images = images_of(z, y, used, w)
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"z": info(z), "y": info(y), "truncation": info(truncation)},
            {"default": info(images)},
            "hub",
        )
        session.run(v1.global_variables_initializer())
        builder = v1.saved_model.Builder(str(folder))
        # As in the published ones, a graph for training stands beside that for use.
        builder.add_meta_graph_and_variables(session, [], {"default": signature})
        builder.add_meta_graph(["train"], {"default": signature})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(MODULE_DEF)


class Generator(tf.Module):
    """The same as a TensorFlow 2 module; `classes`: more take part with weight 0."""

    def __init__(self, classes: int = CLASSES):
        super().__init__()
        self.w = {name: tf.Variable(value) for name, value in weights().items()}
        self.specs = {
            "z": tf.TensorSpec((None, LATENT_DIM), "float32", "z"),
            "y": tf.TensorSpec((None, classes), "float32", "y"),
            "truncation": tf.TensorSpec((), "float32", "truncation"),
        }

    @tf.function
    def __call__(self, z, y, truncation):
        return {"default": images_of(z, y[:, :CLASSES], truncation, self.w)}

    @tf.function
    def without_truncation(self, z, y):
        return self(z, y, tf.constant(1.0))

    @tf.function
    def of_unknown_shape(self, z, y, truncation):
        images = self(z, y, truncation)["default"]
        return {"images": tf.raw_ops.PlaceholderWithDefault(input=images, shape=None)}

    @tf.function
    def with_two_outputs(self, z, y, truncation):
        images = self(z, y, truncation)["default"]
        return {"images": images, "halves": images / 2}

    @tf.function
    def of_unknown_width(self, z, y, truncation):
        return self(tf.ensure_shape(z, (None, LATENT_DIM)), y, truncation)

    @tf.function
    def with_flat_images(self, z, y, truncation):
        return tf.reshape(self(z, y, truncation)["default"], (-1, SIZE * SIZE * 3))


def write_tf2(
    folder: Path,
    method: str = "__call__",
    *,
    signature: str = "default",
    classes: int = CLASSES,
):
    """A SavedModel of TensorFlow 2 with a method of `Generator` as its signature."""
    module = Generator(classes)
    specs = dict(module.specs)
    if method == "without_truncation":
        del specs["truncation"]
    if method == "of_unknown_width":
        specs["z"] = tf.TensorSpec((None, None), "float32", "z")
    function = getattr(module, method).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={signature: function})


def write_all(folder: Path):
    write_tf1(folder / "tf1")
    write_tf1(folder / "stale", stale=True)
    write_tf2(folder / "tf2")
    write_tf2(folder / "thousand", signature="serving_default", classes=1000)
    write_tf2(folder / "of_unknown_shape", "of_unknown_shape")
    write_tf2(folder / "other_name", signature="generate")
    for method in UNFIT:
        write_tf2(folder / method, method)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
