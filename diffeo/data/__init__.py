"""Data that diffeo carries, so that its first example runs on real input without a download."""

from functools import cache
from importlib.resources import files

import numpy as np

__all__ = ["load_digits"]


@cache
def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The handwritten digits of the UCI repository: 1 797 grey images of 8 by 8 pixels.

    Returns `(images, labels)`: `images` is uint8[1797, 8, 8] with values 0 (paper) to 16 (ink),
    `labels` is uint8[1797] with values 0 to 9. Both are NumPy arrays, shared between callers and
    therefore read-only; copy them to change them.

    >>> images, labels = load_digits()
    >>> images.shape, images.dtype, int(images.min()), int(images.max())
    ((1797, 8, 8), dtype('uint8'), 0, 16)
    >>> labels[:10]
    array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=uint8)

    Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), CC BY 4.0,
    https://doi.org/10.24432/C50P49; `diffeo/data/README.md` says how the file was made.
    """
    with (files(__name__) / "digits.npz").open("rb") as file, np.load(file) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    images.flags.writeable = False
    labels.flags.writeable = False
    return images, labels
