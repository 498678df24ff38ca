"""Level 6: a tanh network of three layers with softmax cross-entropy, and its gradients by hand."""

import numpy as np


def manual(X: np.ndarray, y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    W1, b1, W2, b2, W3, b3 = (params[name] for name in ("W1", "b1", "W2", "b2", "W3", "b3"))
    m, k = len(X), len(b3)

    # forward
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    Z2 = A1 @ W2 + b2
    A2 = np.tanh(Z2)
    Z3 = A2 @ W3 + b3
    E = np.exp(Z3 - Z3.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    Y = np.eye(k)[y]  # one-hot labels, (m, k)

    # backward
    dZ3 = (P - Y) / m  # step: dZ3
    # hint: softmax and the logarithm together have a derivative without any product: probabilities against labels; and the 1/m
    # mistake missing_batch_mean: dZ3 = P - Y
    dW3 = A2.T @ dZ3  # step: dW3
    # hint: what the third layer was fed, transposed, times what arrived at its output
    # mistake wrong_layer_input: dW3 = A1.T @ dZ3
    db3 = dZ3.sum(axis=0)  # step: db3
    # hint: b3 was added in every sample: sum over the samples
    # mistake double_batch_mean: db3 = dZ3.mean(axis=0)
    dA2 = dZ3 @ W3.T  # step: dA2
    # hint: A2[i, j] went to every Z3[i, k], with the weight W3[j, k]: sum over k
    # mistake transposed: dA2 = dZ3 @ W3
    # mistake wrong_weights: dA2 = dZ3 @ W2.T
    dZ2 = dA2 * (1 - A2**2)  # step: dZ2
    # hint: tanh' can be written with the output A2 of tanh alone
    # mistake act_derivative_wrong_argument: dZ2 = dA2 * (1 - Z2**2)
    # mistake act_derivative_missing: dZ2 = dA2
    dW2 = A1.T @ dZ2  # step: dW2
    # hint: what the second layer was fed, transposed, times what arrived at its output
    # mistake wrong_layer_input: dW2 = Z1.T @ dZ2
    db2 = dZ2.sum(axis=0)  # step: db2
    # hint: b2 was added in every sample: sum over the samples
    # mistake gradient_zero: db2 = np.zeros_like(b2)
    dA1 = dZ2 @ W2.T  # step: dA1
    # hint: A1[i, j] went to every Z2[i, k], with the weight W2[j, k]: sum over k
    # mistake transposed: dA1 = dZ2 @ W2
    dZ1 = dA1 * (1 - A1**2)  # step: dZ1
    # hint: what arrived, times tanh' of the first layer, written with its own output
    # mistake act_derivative_wrong_formula: dZ1 = dA1 * A1**2
    # mistake wrong_layer_cache: dZ1 = dA1 * (1 - A2**2)
    dW1 = X.T @ dZ1  # step: dW1
    # hint: what the first layer was fed, transposed, times what arrived at its output
    # mistake partial_batch: dW1 = X[:-1].T @ dZ1[:-1]
    db1 = dZ1.sum(axis=0)  # step: db1
    # hint: b1 was added in every sample: sum over the samples
    # mistake bias_axis: db1 = dZ1.sum()
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}
