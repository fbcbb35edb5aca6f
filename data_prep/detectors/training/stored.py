"""Scenes drawn once and kept on disk, since drawing one takes as long as a step."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from data_prep.atomic import replacing
from data_prep.detectors.training.scenes import Painter

MOST = 8  # heads in a scene, seen or unsure; the rest of the row is zero


def draw_shards(
    sprites: Path, folder: Path, *, shards: int, scenes: int, side: int, workers: int
) -> list[Path]:
    """Files of scenes, each from a stock of characters of its own.

    Args:
        sprites: folder of the layered sprites.
        folder: where `scenes-<shard>-<scenes>-<side>.npz` go; those there are kept.
        shards, scenes: how many files, and how many scenes in each.
        side: pixels of the square scenes.
        workers: processes.
    Returns: the files.
    """
    paths = [folder / f"scenes-{k}-{scenes}-{side}.npz" for k in range(shards)]
    with ProcessPoolExecutor(workers) as pool:
        missing = [(k, path) for k, path in enumerate(paths) if not path.exists()]
        jobs = [
            pool.submit(draw_shard, sprites, path, k, scenes, side)
            for k, path in missing
        ]
        for job in jobs:
            job.result()
    return paths


def draw_shard(sprites: Path, path: Path, shard: int, scenes: int, side: int) -> None:
    painter = Painter(sprites, stock=700, seed=shard)
    pixels = np.zeros((scenes, side, side, 3), np.uint8)
    heads = np.zeros((scenes, MOST, 3), np.float32)
    unsure = np.zeros((scenes, MOST, 3), np.float32)
    for k in range(scenes):
        scene = painter.scene((shard, k), side)
        pixels[k] = scene.pixels
        heads[k, : len(scene.heads)] = scene.heads
        unsure[k, : len(scene.unsure)] = scene.unsure
    with replacing(path) as file:
        np.savez(file, pixels=pixels, heads=heads, unsure=unsure)
