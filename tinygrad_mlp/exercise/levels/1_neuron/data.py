"""The data of level 1."""

import numpy as np


def data(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """X, y, and the parameters by name."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((8, 3))
    y = (X[:, 0] + X[:, 1] > 0).astype(float)
    return X, y, {"w": rng.standard_normal(3), "b": np.array(0.3)}
