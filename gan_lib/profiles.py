"""How large a lesson runs: one row for each kind of machine.

`profile("auto")` takes the gpu row if TensorFlow sees a GPU, else the cpu row.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import tensorflow as tf

from gan_lib import cpu


@dataclasses.dataclass(frozen=True)
class Profile:
    """The sizes of one run of a lesson.

    name: "smoke", "cpu" or "gpu".
    image_size: side of the images in px.
    num_images: training images.
    batch_size: images in one update.
    width: channels of the first discriminator layer; the paper's is 64.
    kimg: length of the main training, in thousands of real images.
    training_minutes: where the main training stops on a slow machine, however far it
        is; None: no limit.
    tick_kimg: time between two rows of the history and two saved grids.
    ablation_kimg: length of each small run of "change one thing" and "break it".
    ablation_seconds: what one such run should take on the machine in mind.
    minutes: what the whole notebook should take; told to the reader, not enforced.
    metric_images: images on each side of KID and FID.
    policy: Keras dtype policy; None in the table below means "what this machine is
        fastest at", which `profile` fills in.
    """

    name: str
    image_size: int
    num_images: int
    batch_size: int
    width: int
    kimg: float
    training_minutes: float | None
    tick_kimg: float
    ablation_kimg: float
    ablation_seconds: float
    minutes: float
    metric_images: int
    policy: str | None = None


PROFILES = {
    # Every cell runs, and nothing learned in it means anything.
    "smoke": Profile(
        name="smoke",
        image_size=64,
        num_images=256,
        batch_size=16,
        width=8,
        kimg=0.256,
        training_minutes=None,
        tick_kimg=0.064,
        ablation_kimg=0.064,
        ablation_seconds=2,
        minutes=1,
        metric_images=128,
        policy="float32",
    ),
    # Two cores of a laptop, pictures drawn on the spot.
    "cpu": Profile(
        name="cpu",
        image_size=64,
        num_images=10_000,
        batch_size=64,
        width=32,
        kimg=80,
        training_minutes=5,
        tick_kimg=3.2,
        ablation_kimg=6.4,
        ablation_seconds=20,
        minutes=10,
        metric_images=1_000,
    ),
    # A T4 with 16 GB, the paper's width.
    "gpu": Profile(
        name="gpu",
        image_size=64,
        num_images=50_000,
        batch_size=128,
        width=64,
        kimg=2_000,
        training_minutes=None,
        tick_kimg=50,
        ablation_kimg=100,
        ablation_seconds=60,
        minutes=40,
        metric_images=10_000,
    ),
}


# What a lesson has otherwise than the table above, which is the first one's.
LESSONS: dict[str, dict[str, dict[str, Any]]] = {
    "dcgan": {},
    "pix2pix": {
        "smoke": {
            "num_images": 128,
            "batch_size": 8,
            "kimg": 0.064,
            "tick_kimg": 0.016,
            "ablation_kimg": 0.032,
        },
        "cpu": {
            "batch_size": 16,
            "kimg": 40,
            "training_minutes": 3,
            "tick_kimg": 1,
            "ablation_kimg": 5,
            "ablation_seconds": 20,
        },
        # The paper's size. 10,000 pairs of 256 px are 3 GB.
        "gpu": {
            "image_size": 256,
            "num_images": 10_000,
            "batch_size": 4,
            "kimg": 200,
            "tick_kimg": 5,
            "ablation_kimg": 20,
            "metric_images": 2_000,
        },
    },
    "progan": {
        "smoke": {
            "image_size": 16,
            "kimg": 0.16,
            "tick_kimg": 0.032,
            "ablation_kimg": 0.08,
        },
        "cpu": {
            "image_size": 32,
            "batch_size": 16,
            "width": 16,
            "kimg": 56,
            "training_minutes": 6,
            "tick_kimg": 0.4,
            "ablation_kimg": 7,
            "ablation_seconds": 40,
        },
        "gpu": {"batch_size": 64, "width": 32, "kimg": 2_700, "ablation_kimg": 180},
    },
    "stylegan": {
        "smoke": {
            "image_size": 32,
            "kimg": 0.128,
            "tick_kimg": 0.032,
            "ablation_kimg": 0.032,
        },
        "cpu": {
            "image_size": 32,
            "batch_size": 16,
            "width": 16,
            "kimg": 60,
            "tick_kimg": 0.8,
            "ablation_kimg": 4,
            "ablation_seconds": 30,
        },
        "gpu": {"batch_size": 64, "width": 32, "kimg": 3_000, "ablation_kimg": 200},
    },
    "biggan": {
        "smoke": {
            "image_size": 32,
            "width": 4,
            "batch_size": 8,
            "kimg": 0.064,
            "tick_kimg": 0.016,
            "ablation_kimg": 0.032,
        },
        "cpu": {
            "image_size": 32,
            "batch_size": 16,
            "width": 16,
            "kimg": 64,
            "training_minutes": 4,
            "tick_kimg": 0.8,
            "ablation_kimg": 8,
            "ablation_seconds": 20,
        },
        "gpu": {"width": 32, "ablation_kimg": 60},
    },
    "machines": {
        "smoke": {
            "image_size": 32,
            "kimg": 0.128,
            "tick_kimg": 0.032,
            "ablation_kimg": 0.064,
        },
        "cpu": {
            "num_images": 4_000,
            "kimg": 16,
            "training_minutes": 2.5,
            "tick_kimg": 0.64,
            "ablation_kimg": 6.4,
            "ablation_seconds": 15,
        },
        "gpu": {"kimg": 1_000, "tick_kimg": 25, "ablation_kimg": 20},
    },
    "ugatit": {
        "smoke": {
            "image_size": 32,
            "num_images": 32,
            "batch_size": 2,
            "width": 4,
            "kimg": 0.016,
            "tick_kimg": 0.004,
            "ablation_kimg": 0.008,
            "metric_images": 32,
        },
        "cpu": {
            "num_images": 1_000,
            "batch_size": 2,
            "width": 16,
            "kimg": 3,
            "training_minutes": 2.5,
            "tick_kimg": 0.05,
            "ablation_kimg": 0.3,
            "ablation_seconds": 30,
            "metric_images": 256,
        },
        # Between the paper's 256 px and what a T4 does in an hour.
        "gpu": {
            "image_size": 128,
            "num_images": 3_000,
            "batch_size": 4,
            "kimg": 200,
            "tick_kimg": 2,
            "ablation_kimg": 10,
            "metric_images": 1_000,
        },
    },
}


def profile(name: str = "auto", lesson: str = "dcgan") -> Profile:
    """The profile of that name, with its dtype policy settled.

    Args:
        name: "smoke", "cpu", "gpu", or "auto": the one named by the environment
            variable GAN_PROFILE, else "gpu" if TensorFlow sees a GPU, else "cpu".
            GAN_PROFILE changes nothing when a name is given.
        lesson: one of `LESSONS`.
    Returns: Profile. Set `keras.config.set_dtype_policy(profile.policy)` before
        networks are built.
    Raises: ValueError for an unknown name or lesson; the message lists the known
        ones.
    """
    source = "profile"
    if name == "auto" and os.environ.get("GAN_PROFILE"):
        name, source = os.environ["GAN_PROFILE"], "GAN_PROFILE"
    if name == "auto":
        name = "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    if name not in PROFILES:
        raise ValueError(
            f"There is no profile called {name!r} (from {source}). Choose one of: "
            f"auto, {', '.join(PROFILES)}."
        )
    if lesson not in LESSONS:
        raise ValueError(
            f"There is no lesson called {lesson!r}. Choose one of: "
            f"{', '.join(LESSONS)}."
        )
    row = dataclasses.replace(PROFILES[name], **LESSONS[lesson].get(name, {}))
    if row.policy is not None:
        return row
    policy = gpu_policy() if name == "gpu" else cpu_policy()
    return dataclasses.replace(row, policy=policy)


def cpu_policy() -> str:
    """The faster dtype policy of this CPU.

    Returns: "mixed_bfloat16" where the CPU multiplies bfloat16 itself (AMX, or
        AVX512_BF16 as AMD's since 2022 have): a step then takes 0.5 to 0.8 of
        float32's time (`benchmarks/bench.py`); else "float32", as bfloat16 would be
        emulated.
    """
    multiplies = cpu.flags() & {"amx_bf16", "avx512_bf16"}
    return "mixed_bfloat16" if multiplies else "float32"


def gpu_policy() -> str:
    """The dtype policy for the first GPU.

    Returns: "mixed_bfloat16" from compute capability 8.0 (A100, L4, RTX 30 and later);
        "mixed_float16" below it (T4, V100), which has no bfloat16 units and needs loss
        scaling; "float32" where TensorFlow names no GPU or no capability.
    """
    gpus = tf.config.list_physical_devices("GPU")
    details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
    capability = details.get("compute_capability")
    if capability is None:
        return "float32"
    return "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
