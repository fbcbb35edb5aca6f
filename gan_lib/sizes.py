"""Sizes of networks that double a 4 x 4 map: stages, styles, channels."""

from __future__ import annotations


def count_stages(image_size: int) -> int:
    """How often 4 x 4 must double to reach `image_size` (64 -> 4).

    Raises: ValueError unless the size is a power of two from 8.
    """
    stages = image_size.bit_length() - 3
    if image_size < 8 or image_size != 4 << stages:
        raise ValueError(
            "Expected `image_size` to be a power of two of at least 8, because each "
            f"stage doubles a 4x4 map. Received: {image_size}. Resize your images "
            "to 32, 64 or 128 pixels."
        )
    return stages


def all_sizes(image_size: int) -> list[int]:
    """Pixels a side, from 4 to `image_size`, each twice the one before."""
    return [4 << i for i in range(count_stages(image_size) + 1)]


def count_styles(image_size: int) -> int:
    """Styles that a picture takes, two a size: 18 for 1024 px."""
    return 2 * len(all_sizes(image_size))


def channels_at(size: int, image_size: int, width: int, widest: int) -> int:
    """Channels of a map of `size` pixels: `width` at the full size, double at half."""
    return min(widest, width * image_size // size)
