"""The data of level 3."""

import numpy as np


def data(seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """X, y, and the parameters by name."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((12, 4)), rng.standard_normal((12, 2))
    params = {
        "W1": rng.standard_normal((4, 5)),
        "b1": 0.1 * rng.standard_normal(5),
        "W2": rng.standard_normal((5, 2)),
        "b2": 0.1 * rng.standard_normal(2),
    }
    return X, y, params
