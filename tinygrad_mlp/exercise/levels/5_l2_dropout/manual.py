"""Level 5: an MLP with dropout and an L2 term, and its gradients by hand."""

import numpy as np

L2 = 0.1


def manual(X: dict[str, np.ndarray], y: np.ndarray, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of the loss, by the name of the parameter."""
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    A0, mask = X["X"], X["mask"]
    m, k = len(A0), len(b2)

    # forward
    Z1 = A0 @ W1 + b1
    A1 = np.maximum(Z1, 0)
    D1 = A1 * mask
    Z2 = D1 @ W2 + b2
    E = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    P = E / E.sum(axis=1, keepdims=True)
    Y = np.eye(k)[y]  # one-hot labels, (m, k)

    # backward
    dZ2 = (P - Y) / m  # step: dZ2
    # hint: softmax and the logarithm together have a derivative without any product: probabilities against labels; and the 1/m
    # mistake missing_batch_mean: dZ2 = P - Y
    dW2 = D1.T @ dZ2 + L2 * W2  # step: dW2
    # hint: W2 is in the loss twice, in Z2 and in the L2 term: two summands; and Z2 was built from what dropout left
    # mistake l2_missing: dW2 = D1.T @ dZ2
    # mistake l2_scale: dW2 = D1.T @ dZ2 + 2 * L2 * W2
    # mistake wrong_layer_input: dW2 = A1.T @ dZ2 + L2 * W2
    db2 = dZ2.sum(axis=0)  # step: db2
    # hint: b2 was added in every sample; the L2 term is of the weights alone
    # mistake l2_on_bias: db2 = dZ2.sum(axis=0) + L2 * b2
    dD1 = dZ2 @ W2.T  # step: dD1
    # hint: D1[i, j] went to every Z2[i, k], with the weight W2[j, k]: sum over k
    # mistake sign_flipped: dD1 = -dZ2 @ W2.T
    dA1 = dD1 * mask  # step: dA1
    # hint: dropout multiplies by the mask, its 1/keep included: so does its derivative
    # mistake dropout_mask: dA1 = dD1
    dZ1 = dA1 * (Z1 > 0)  # step: dZ1
    # hint: the derivative of ReLU is 1 where its input was positive, and 0 elsewhere
    # mistake act_derivative_missing: dZ1 = dA1
    dW1 = A0.T @ dZ1 + L2 * W1  # step: dW1
    # hint: as for W2: the product that the layer brings, and the derivative of (λ/2) Σ W1²
    # mistake l2_sign: dW1 = A0.T @ dZ1 - L2 * W1
    db1 = dZ1.sum(axis=0)  # step: db1
    # hint: b1 was added in every sample; the L2 term is of the weights alone
    # mistake l2_on_bias: db1 = dZ1.sum(axis=0) + L2 * b1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
