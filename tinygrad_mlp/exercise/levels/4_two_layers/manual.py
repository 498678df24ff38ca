"""Level 4: an MLP of two layers, ReLU and softmax cross-entropy, and its gradients by hand."""

import numpy as np


def manual(X: np.ndarray, y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    m, k = len(X), len(b2)

    # forward
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2 + b2
    E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    Y = np.eye(k)[y]  # one-hot labels, (m, k)

    # backward
    dZ2 = (P - Y) / m  # step: dZ2
    # hint: softmax and the logarithm together have a derivative without any product: probabilities against labels; and the 1/m
    # mistake missing_batch_mean: dZ2 = P - Y
    # mistake output_derivative_extra: dZ2 = (P - Y) / m * P * (1 - P)
    dW2 = A1.T @ dZ2  # step: dW2
    # hint: what the second layer was fed, transposed, times what arrived at its output
    # mistake wrong_layer_input: dW2 = Z1.T @ dZ2
    # mistake transposed: dW2 = dZ2.T @ A1
    db2 = dZ2.sum(axis=0)  # step: db2
    # hint: b2 was added in every sample: sum over the samples
    # mistake bias_axis: db2 = dZ2.sum()
    dA1 = dZ2 @ W2.T  # step: dA1
    # hint: A1[i, j] went to every Z2[i, k], with the weight W2[j, k]: sum over k
    # mistake transposed: dA1 = dZ2 @ W2
    # mistake updated_weights: dA1 = dZ2 @ (W2 - 0.5 * dW2).T
    dZ1 = dA1 * (Z1 > 0)  # step: dZ1
    # hint: the derivative of ReLU is 1 where its input was positive, and 0 elsewhere
    # mistake act_derivative_missing: dZ1 = dA1
    dW1 = X.T @ dZ1  # step: dW1
    # hint: what the first layer was fed, transposed, times what arrived at its output
    # mistake double_batch_mean: dW1 = X.T @ dZ1 / m
    db1 = dZ1.sum(axis=0)  # step: db1
    # hint: b1 was added in every sample: sum over the samples
    # mistake gradient_zero: db1 = np.zeros_like(b1)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
