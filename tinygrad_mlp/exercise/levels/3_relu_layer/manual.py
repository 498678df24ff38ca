"""Level 3: a hidden ReLU layer and the mean squared error, and the gradients by hand."""

import numpy as np


def manual(X: np.ndarray, y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]

    # forward
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2 + b2

    # backward
    dZ2 = 2 * (Z2 - y) / y.size  # step: dZ2
    # hint: the mean runs over all entries of y, samples times outputs; mind the 2 of the square
    # mistake constant_factor: dZ2 = (Z2 - y) / y.size
    # mistake sign_flipped: dZ2 = 2 * (y - Z2) / y.size
    dW2 = A1.T @ dZ2  # step: dW2
    # hint: what the second layer was fed, transposed, times what arrived at its output
    # mistake wrong_layer_input: dW2 = Z1.T @ dZ2
    db2 = dZ2.sum(axis=0)  # step: db2
    # hint: b2 was added in every sample: sum over the samples
    # mistake double_batch_mean: db2 = dZ2.mean(axis=0)
    dA1 = dZ2 @ W2.T  # step: dA1
    # hint: A1[i, j] went to every Z2[i, k], with the weight W2[j, k]: sum over k
    # mistake sign_flipped: dA1 = -dZ2 @ W2.T
    dZ1 = dA1 * (Z1 > 0)  # step: dZ1
    # hint: the derivative of ReLU is 1 where its input was positive, and 0 elsewhere
    # mistake act_derivative_missing: dZ1 = dA1
    # mistake act_derivative_wrong_formula: dZ1 = dA1 * (Z1 < 0)
    dW1 = X.T @ dZ1  # step: dW1
    # hint: what the first layer was fed, transposed, times what arrived at its output
    # mistake partial_batch: dW1 = X[:-1].T @ dZ1[:-1]
    db1 = dZ1.sum(axis=0)  # step: db1
    # hint: b1 was added in every sample: sum over the samples
    # mistake bias_axis: db1 = dZ1.sum()
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
