"""The data of level 5."""

import numpy as np


def data(seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
    """X with the mask of the dropout, y, and the parameters by name."""
    rng = np.random.default_rng(seed)
    keep = 0.75
    mask = (rng.random((9, 6)) < keep) / keep
    X, y = rng.standard_normal((9, 4)), rng.permutation(np.arange(9) % 3)
    params = {
        "W1": rng.standard_normal((4, 6)),
        "b1": 0.5 * rng.standard_normal(6),
        "W2": rng.standard_normal((6, 3)),
        "b2": 0.5 * rng.standard_normal(3),
    }
    return {"X": X, "mask": mask}, y, params
