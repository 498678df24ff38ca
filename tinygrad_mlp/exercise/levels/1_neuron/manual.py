"""Level 1: a single neuron, and its gradients by hand."""

import numpy as np


def manual(X: np.ndarray, y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    w, b = params["w"], params["b"]
    m = len(X)

    # forward
    z = X @ w + b
    a = 1 / (1 + np.exp(-z))

    # backward
    da = 2 * (a - y) / m  # step: da
    # hint: the loss is the mean of (a − y)² over the m samples: differentiate the square, and keep the 1/m
    # mistake missing_batch_mean: da = 2 * (a - y)
    # mistake constant_factor: da = (a - y) / m
    # mistake sign_flipped: da = 2 * (y - a) / m
    dz = da * a * (1 - a)  # step: dz
    # hint: what arrived, times σ'(z); the derivative of the sigmoid can be written with its output a alone
    # mistake output_derivative_missing: dz = da
    # mistake act_derivative_wrong_argument: dz = da * z * (1 - z)
    dw = X.T @ dz  # step: dw
    # hint: w[j] met X[i, j] in every sample i: sum over the samples, which is a product with a transpose
    # mistake double_batch_mean: dw = X.T @ dz / m
    db = dz.sum()  # step: db
    # hint: b was added in every sample
    # mistake double_batch_mean: db = dz.mean()
    # mistake gradient_zero: db = np.zeros_like(b)
    return {"w": dw, "b": db}
