"""The data of level 2."""

import numpy as np


def data(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """X, y, and the parameters by name."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((10, 4))
    y = rng.permutation(np.arange(10) % 3)
    return X, y, {"W": rng.standard_normal((4, 3)), "b": 0.1 * rng.standard_normal(3)}
