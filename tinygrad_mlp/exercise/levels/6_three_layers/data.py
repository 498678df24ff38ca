"""The data of level 6."""

import numpy as np


def data(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """X, y, and the parameters by name."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((9, 3)), rng.permutation(np.arange(9) % 4)
    params = {
        "W1": rng.standard_normal((3, 4)),
        "b1": 0.1 * rng.standard_normal(4),
        "W2": rng.standard_normal((4, 4)),
        "b2": 0.1 * rng.standard_normal(4),
        "W3": rng.standard_normal((4, 4)),
        "b3": 0.1 * rng.standard_normal(4),
    }
    return X, y, params
