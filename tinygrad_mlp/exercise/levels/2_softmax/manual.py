"""Level 2: softmax regression, and its gradients by hand."""

import numpy as np


def manual(X: np.ndarray, y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    W, b = params["W"], params["b"]
    m, k = len(X), len(b)

    # forward
    Z = X @ W + b
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)  # step: P
    # hint: every row of P holds the probabilities of one sample: they add up to 1 along the row
    # mistake softmax_wrong_axis: P = E / E.sum(axis=0, keepdims=True)
    Y = np.eye(k)[y]  # one-hot labels, (m, k)

    # backward
    dZ = (P - Y) / m  # step: dZ
    # hint: softmax and the logarithm together have a derivative without any product: probabilities against labels; and the 1/m
    # mistake missing_batch_mean: dZ = P - Y
    # mistake sign_flipped: dZ = (Y - P) / m
    # mistake output_derivative_extra: dZ = (P - Y) / m * P * (1 - P)
    dW = X.T @ dZ  # step: dW
    # hint: W[j, k] met X[i, j] in every sample i: sum over the samples, which is a product with a transpose
    # mistake double_batch_mean: dW = X.T @ dZ / m
    db = dZ.sum(axis=0)  # step: db
    # hint: b[k] was added in every sample: sum over the samples, not over the classes
    # mistake bias_axis: db = dZ.sum()
    # mistake double_batch_mean: db = dZ.mean(axis=0)
    return {"W": dW, "b": db}
