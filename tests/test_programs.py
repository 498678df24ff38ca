"""Programs as users write them, in plain NumPy, run unchanged on arrays and on Tensors; gradients and curvature against differences.

All of them run with warnings as errors (``filterwarnings`` in ``pyproject.toml``), so that a program that is silent on arrays is
silent on Tensors, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_mlp as tg
from tinygrad_mlp import Tensor
from tinygrad_mlp.errors import GraphError

STEP = 6e-6  # ε^⅓ for float64
rng = np.random.default_rng(7)
normal, uniform = rng.standard_normal, rng.uniform


class Program(NamedTuple):
    """A function of arrays with one number as result, and arrays to call it with."""

    function: Callable[..., Any]
    inputs: tuple[Any, ...]


PROGRAMS: dict[str, Program] = {}


def program(*inputs: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a function in the table, with the arrays to call it with; all of them are differentiated."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        PROGRAMS[function.__name__] = Program(function, tuple(np.asarray(x, float) for x in inputs))
        return function

    return enter


# --- regression and classification ------------------------------------------------------------------------------------


@program(normal((9, 3)), normal(9))
def normal_equations(X, y):
    w = np.linalg.solve(X.T @ X, X.T @ y)
    residual = X @ w - y
    return residual @ residual / len(y)


@program(normal((8, 3)), normal(8), 0.3, 0.1)
def ridge_by_gradient_descent(X, y, penalty, rate):
    w = np.zeros(X.shape[1])
    for _ in range(8):
        w = w - rate * (X.T @ (X @ w - y) / len(y) + penalty * w)
    return np.mean((X @ w - y) ** 2)


LABELS = np.array([1, 0, 0, 1, 1, 0, 1])


@program(normal(3), 0.2, normal((7, 3)))
def logistic_regression(w, b, X):
    z = X @ w + b
    p = 1 / (1 + np.exp(-z))
    loss = -np.mean(np.log(np.where(LABELS == 1, p, 1 - p)))
    return loss + 0.01 * np.sum(w**2)


CLASSES = np.array([0, 2, 1, 1, 2, 0])


@program(normal((6, 4)), normal((4, 5)), normal(5), normal((5, 3)))
def two_layer_network(X, W1, b1, W2):
    hidden = np.maximum(X @ W1 + b1, 0)
    logits = hidden @ W2
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    onehot = np.eye(3)[CLASSES]
    return -np.sum(onehot * log_p) / len(X)


@program(normal((10, 2)), normal((3, 2)))
def k_means_loss(points, centers):
    squared = np.sum((points[:, np.newaxis] - centers[np.newaxis]) ** 2, axis=-1)
    nearest = np.argmin(squared, axis=1)
    return np.mean(np.min(squared, axis=1)) + 0.1 * np.sum((points - centers[nearest]) ** 4)


@program(normal((9, 2)), normal(9), normal(2))
def pinball_loss(X, y, w):
    error = y - X @ w
    loss = 0.0
    for q in (0.1, 0.5, 0.9):
        loss += np.mean(np.maximum(q * error, (q - 1) * error))
    return loss / 3


@program(uniform(-1, 1, 7), normal(7), 0.4)
def polynomial_fit(x, y, at):
    V = np.vander(x, 4)
    coefficients = np.linalg.lstsq(V, y, rcond=None)[0]
    return np.polyval(coefficients, at) ** 2 + np.mean((np.polyval(coefficients, x) - y) ** 2)


@program(normal(5), normal((5, 2)), normal(2))
def huber_regression(y, X, w):
    r = np.abs(y - np.dot(X, w))
    return np.where(r < 1.0, 0.5 * r**2, r - 0.5).sum()


# --- probability ------------------------------------------------------------------------------------------------------

GRID = np.linspace(0, 2, 6)


@program(0.1, -1.5, np.sin(3 * GRID))
def gaussian_process_by_cholesky(log_length, log_noise, y):
    distance = (GRID[:, None] - GRID[None, :]) / np.exp(log_length)
    K = np.exp(-0.5 * distance**2) + np.exp(log_noise) * np.eye(len(GRID))
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return -0.5 * y @ alpha - np.sum(np.log(np.diag(L))) - 0.5 * len(y) * np.log(2 * np.pi)


@program([0.3, -0.2], 0.2, normal((5, 2)), normal(5))
def gaussian_process_by_slogdet(log_lengths, noise, X, y):
    scaled = X / np.exp(log_lengths)
    squared = np.sum(scaled**2, axis=1)
    K = np.exp(-0.5 * (squared[:, None] + squared - 2 * scaled @ scaled.T)) + noise * np.identity(len(X))
    sign, logdet = np.linalg.slogdet(K)
    return -0.5 * (y @ np.linalg.inv(K) @ y + sign * logdet + y.size * np.log(2 * np.pi))


@program(normal(3), normal((3, 2)), 0.3 * normal((3, 2)), normal((8, 2)))
def gaussian_mixture(logits, means, log_scales, x):
    def logsumexp(a, axis):
        largest = np.max(a, axis=axis, keepdims=True)
        return np.squeeze(largest, axis=axis) + np.log(np.sum(np.exp(a - largest), axis=axis))

    log_weights = logits - logsumexp(logits, 0)
    z = (x[:, None, :] - means) / np.exp(log_scales)
    log_densities = -0.5 * np.sum(z**2 + 2 * log_scales + np.log(2 * np.pi), axis=-1)
    return np.mean(logsumexp(log_weights + log_densities, 1))


@program(normal((6, 1)), [0.0, 0.5], 0.3, 0.5)
def kalman_filter(observations, mean, process_noise, observation_noise):
    F, H = np.array([[1.0, 0.1], [0.0, 1.0]]), np.array([[1.0, 0.0]])
    P, total = np.eye(2), 0.0
    for y in observations:
        mean, P = F @ mean, F @ P @ F.T + process_noise * np.eye(2)
        S = H @ P @ H.T + observation_noise * np.eye(1)
        K = np.linalg.solve(S, H @ P).T
        surprise = y - H @ mean
        total -= 0.5 * (surprise @ np.linalg.solve(S, surprise) + np.log(np.linalg.det(S)) + np.log(2 * np.pi))
        mean, P = mean + K @ surprise, (np.eye(2) - K @ H) @ P
    return total


OBSERVED = [0, 2, 1, 1, 0, 2, 2]


@program(normal((3, 3)), normal((3, 3)), normal(3))
def hidden_markov_model(transition_logits, emission_logits, start_logits):
    def softmax(a):
        e = np.exp(a - np.max(a, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)

    A, B, alpha = softmax(transition_logits), softmax(emission_logits), softmax(start_logits)
    log_likelihood = 0.0
    for symbol in OBSERVED:
        alpha = alpha * B[:, symbol]
        scale = np.sum(alpha)
        log_likelihood += np.log(scale)
        alpha = (alpha / scale) @ A
    return log_likelihood


ACTIONS, RETURNS = np.array([0, 2, 2, 1, 0]), np.array([1.0, -0.5, 2.0, 0.3, 1.5])


@program(normal((4, 3)), normal((5, 4)))
def reinforce(theta, states):
    scores = states @ theta
    scores = scores - np.max(scores, axis=1, keepdims=True)
    log_policy = scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))
    chosen = log_policy[np.arange(len(ACTIONS)), ACTIONS]
    entropy = -np.sum(np.exp(log_policy) * log_policy, axis=1)
    return -np.mean(chosen * (RETURNS - RETURNS.mean())) - 0.01 * np.mean(entropy)


TIMES = np.array([5.0, 2.0, 8.0, 1.0, 3.0, 9.0])
EVENTS = np.array([True, True, False, True, False, True])


@program(normal(2), normal((6, 2)))
def cox_partial_likelihood(beta, X):
    order = np.argsort(-TIMES)
    risk = (X @ beta)[order]
    log_at_risk = np.log(np.cumsum(np.exp(risk)))
    return np.sum((risk - log_at_risk)[EVENTS[order]])


WINNERS, LOSERS = np.array([0, 0, 2, 3, 1, 0]), np.array([1, 2, 1, 0, 3, 3])


@program(normal(4))
def bradley_terry(ratings):
    difference = ratings[WINNERS] - ratings[LOSERS]
    return np.sum(np.logaddexp(0, -difference)) + 0.1 * np.sum(ratings**2)


PATHS = np.random.default_rng(0).standard_normal((40, 6))


@program(100.0, 0.2, 0.05, 101.0)
def asian_option(spot, volatility, rate, strike):
    dt = 1 / PATHS.shape[1]
    steps = (rate - 0.5 * volatility**2) * dt + volatility * np.sqrt(dt) * PATHS
    prices = spot * np.exp(np.cumsum(steps, axis=1))
    payoff = np.maximum(np.mean(prices, axis=1) - strike, 0)
    knocked_out = np.any(prices > 160, axis=1)
    return np.exp(-rate) * np.mean(np.where(knocked_out, 0.0, payoff))


@program(normal(3), 0.02 * normal((10, 3)))
def sharpe_ratio(logits, returns):
    weights = np.exp(logits) / np.sum(np.exp(logits))
    daily = returns @ weights
    wealth = np.cumprod(1 + daily)
    return np.mean(daily) / np.std(daily, ddof=1) + np.log(wealth[-1]) - np.prod(wealth) ** 0.1


# --- dynamics ---------------------------------------------------------------------------------------------------------


@program([0.8, -0.1], 1.2, 0.05)
def pendulum_by_runge_kutta(state, length, dt):
    def f(s):
        angle, speed = s
        return np.stack([speed, -9.81 / length * np.sin(angle) - 0.1 * speed])

    for _ in range(10):
        k1 = f(state)
        k2 = f(state + dt / 2 * k1)
        k3 = f(state + dt / 2 * k2)
        k4 = f(state + dt * k3)
        state = state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    angle, speed = state
    return 0.5 * (length * speed) ** 2 + 9.81 * length * (1 - np.cos(angle))


@program([1.1, 0.4, 0.1, 0.4], [10.0, 5.0])
def lotka_volterra(rates, start):
    a, b, c, d = rates
    prey, predators = start
    history = []
    for _ in range(15):
        prey, predators = prey + 0.05 * (a * prey - b * prey * predators), predators + 0.05 * (c * prey * predators - d * predators)
        history.append(np.log(prey))
    return np.mean((np.array(TARGET[:15]) - np.stack(history)) ** 2)


TARGET = np.linspace(2, 1, 20)


@program(normal(12), 0.2)
def heat_equation(u, k):
    energy = 0.0
    for _ in range(4):
        new = np.zeros_like(u)
        new[1:-1] = u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])
        new[0], new[-1] = new[1], new[-2]
        energy = energy + np.sum(new**2)
        u = new
    return energy


@program(normal((5, 6)), 0.1)
def jacobi_relaxation_in_place(field, source):
    u = field.copy()
    u[0, :] = 0
    u[:, -1] = 1.0
    for _ in range(3):
        u[1:-1, 1:-1] = 0.25 * (u[:-2, 1:-1] + u[2:, 1:-1] + u[1:-1, :-2] + u[1:-1, 2:]) + source
        u[2] *= 0.9
    return (u**2).sum()


@program(normal(7), 0.3)
def crank_nicolson(u, k):
    n = len(u)
    laplacian = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    A, B = np.eye(n) - k / 2 * laplacian, np.eye(n) + k / 2 * laplacian
    for _ in range(3):
        u = np.linalg.solve(A, B @ u)
    return np.dot(u, u)


@program(normal((5, 2)), 2.0, 0.7)
def springs(positions, stiffness, rest):
    i, j = np.triu_indices(len(positions), k=1)
    lengths = np.linalg.norm(positions[i] - positions[j], axis=1)
    return 0.5 * stiffness * np.sum((lengths - rest) ** 2) + 9.81 * positions[:, 1].sum()


@program(0.8, 0.3)
def kepler_by_newton(mean_anomaly, eccentricity):
    E = mean_anomaly
    while True:
        error = E - eccentricity * np.sin(E) - mean_anomaly
        E = E - error / (1 - eccentricity * np.cos(E))
        if np.abs(error) < 1e-10:
            break
    return np.arctan2(np.sqrt(1 - eccentricity**2) * np.sin(E), np.cos(E) - eccentricity)


@program(0.5 * normal((4, 3)), 0.5 * normal((4, 4)), normal(4), normal((6, 3)), normal(4))
def recurrent_network(W_in, W_rec, b, xs, readout):
    h, outputs = np.zeros(4), []
    for x in xs:
        h = np.tanh(W_in @ x + W_rec @ h + b)
        outputs.append(readout @ h)
    outputs = np.stack(outputs)
    return np.mean((outputs[1:] - xs[:-1, 0]) ** 2)


@program([0.5, -0.2], [0.3], normal(10))
def arma(phi, theta, y):
    errors = [y[0], y[1] - phi[0] * y[0]]
    for t in range(2, len(y)):
        errors.append(y[t] - phi[0] * y[t - 1] - phi[1] * y[t - 2] - theta[0] * errors[-1])
    errors = np.stack(errors)
    return np.log(np.mean(np.square(errors)))


# --- linear algebra ---------------------------------------------------------------------------------------------------


@program(normal(3), normal((9, 3)))
def first_principal_component(direction, X):
    unit = direction / np.linalg.norm(direction)
    centred = X - X.mean(axis=0)
    return -np.var(centred @ unit)


@program(normal((8, 4)))
def explained_variance_by_eigh(X):
    centred = X - np.mean(X, axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / (len(X) - 1))
    kept = vectors[:, -2:]
    reconstructed = centred @ kept @ kept.T
    return np.mean((centred - reconstructed) ** 2) + np.sum(values[-2:]) / np.sum(values)


MASK = np.random.default_rng(1).random((5, 4)) < 0.7


@program(normal((5, 4)))
def low_rank_by_svd(A):
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    approximation = (U[:, :2] * s[:2]) @ Vt[:2]
    return np.sum(((A - approximation) * MASK) ** 2) + 0.1 * np.sum(s)


@program(normal((7, 3)), normal((7, 3)))
def correlation_loss(A, B):
    C = np.corrcoef(A, rowvar=False) - np.cov(B.T)
    return np.sum(np.triu(C, 1) ** 2) + np.trace(C @ C)


@program(uniform(0, 1, (5, 5)), 0.85)
def page_rank(weights, damping):
    P = weights / weights.sum(axis=0)
    n = len(P)
    rank = np.ones(n) / n
    for _ in range(12):
        rank = damping * P @ rank + (1 - damping) / n
        rank = rank / np.sum(rank)
    return np.sum(rank * np.arange(n)) - np.sum(rank * np.log(rank))


@program(normal((5, 2)), normal((4, 2)), 0.5)
def sinkhorn(x, y, temperature):
    cost = np.sum((x[:, None] - y[None]) ** 2, axis=2)
    K = np.exp(-cost / temperature)
    u, v = np.ones(5) / 5, np.ones(4) / 4
    for _ in range(10):
        u = 0.2 / (K @ v)
        v = 0.25 / (K.T @ u)
    plan = u[:, None] * K * v[None, :]
    return np.sum(plan * cost)


@program(0.4 * normal((3, 3)), normal(3))
def matrix_exponential(A, x):
    E, term = np.eye(3), np.eye(3)
    for n in range(1, 12):
        term = term @ (A / 4) / n
        E = E + term
    return np.linalg.matrix_power(E, 4)[0] @ x + np.linalg.det(E)


# --- signals and images -----------------------------------------------------------------------------------------------


@program(normal((2, 4, 3)), normal((2, 5, 3)), normal((2, 5, 2)))
def attention(Q, K, V):
    scores = np.einsum("bqd,bkd->bqk", Q, K) / np.sqrt(Q.shape[-1])
    visible = np.arange(5)[None, :] <= np.arange(4)[:, None]
    scores = np.where(visible, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    return np.mean(np.einsum("bqk,bkv->bqv", weights, V) ** 2)


@program(normal(12), normal(3), 0.1)
def strided_convolution(signal, kernel, bias):
    stride, count = 2, (len(signal) - len(kernel)) // 2 + 1
    out = bias
    for i in range(len(kernel)):
        out = out + kernel[i] * signal[i : i + stride * count : stride]
    pooled = np.tanh(out[:4]).reshape(2, 2).max(axis=1)
    return np.sum(pooled**2) + np.sum(np.convolve(signal, kernel, mode="valid") ** 2)


@program(normal(16), 0.3)
def spectral_loss(signal, shift):
    window = np.hanning(16)
    spectrum = np.abs(np.fft.rfft(window * signal)) ** 2
    delayed = np.fft.irfft(np.fft.rfft(signal) * np.exp(-2j * np.pi * np.fft.rfftfreq(16) * shift), n=16)
    return np.mean((np.log(spectrum + 0.1) - 1) ** 2) + np.sum(np.abs(delayed - np.roll(signal, 1)) ** 2)


@program(normal(10), normal(10), 0.5)
def total_variation(clean, noisy, strength):
    return 0.5 * np.sum((clean - noisy) ** 2) + strength * np.sum(np.abs(np.diff(clean)))


@program(normal((6, 7)), uniform(-0.2, 0.2, (2, 2)), [0.3, -0.2])
def affine_warp(image, matrix, shift):
    height, width = image.shape
    y, x = np.meshgrid(np.arange(1.0, 5.0), np.arange(1.0, 6.0), indexing="ij")
    points = np.stack([y.ravel(), x.ravel()], axis=1)
    ys, xs = np.clip(points @ (np.eye(2) + matrix * 0.2) + shift, 0, [height - 1.001, width - 1.001]).T
    i, j = np.floor(ys).astype(int), np.floor(xs).astype(int)
    a, b = ys - i, xs - j
    top = (1 - b) * image[i, j] + b * image[i, j + 1]
    bottom = (1 - b) * np.take(image.ravel(), (i + 1) * width + j) + b * image[i + 1, j + 1]
    return np.mean(((1 - a) * top + a * bottom) ** 2)


@program(normal((2, 6, 6)), normal((3, 3)))
def padded_filter(images, kernel):
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    filtered = np.tensordot(windows, kernel, axes=((3, 4), (0, 1)))
    return np.sum(np.hypot(filtered[:, 1:, :-1] - filtered[:, :-1, :-1], filtered[:, :-1, 1:]) ** 1.5)


@program(normal((6, 3)), uniform(0.5, 1.5, 3), normal(3))
def batch_normalisation(x, gamma, beta):
    normalised = (x - np.mean(x, axis=0)) / np.sqrt(np.var(x, axis=0) + 1e-5)
    y = gamma * normalised + beta
    return np.mean(np.where(y > 0, y, 0.1 * y) ** 3)


@program(normal((4, 5)), normal((4, 5)))
def contrastive_loss(a, b):
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    b = b / np.linalg.norm(b, axis=1, keepdims=True)
    similarity = np.concatenate([a, b]) @ np.concatenate([a, b]).T / 0.5
    similarity[np.eye(8, dtype=bool)] = -np.inf
    log_p = similarity - np.log(np.exp(similarity).sum(axis=1))[:, None]
    return -(np.diagonal(log_p, 4).mean() + np.diagonal(log_p, -4).mean()) / 2


@program(normal(9), normal(6))
def dynamic_time_warping(x, y):
    distance = np.abs(np.subtract.outer(x, y))
    cost = np.full_like(distance, np.inf)
    cost[0, 0] = distance[0, 0]
    for i in range(len(x)):
        for j in range(len(y)):
            before = [cost[p, q] for p, q in ((i - 1, j), (i, j - 1), (i - 1, j - 1)) if p >= 0 and q >= 0]
            if before:
                cost[i, j] = distance[i, j] + min(before)
    return cost[-1, -1] ** 2


# --- calculus, geometry, statistics -----------------------------------------------------------------------------------


@program(normal(6))
def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2.0) ** 2.0 + (1 - x[:-1]) ** 2.0) + np.sum((np.roll(x, 1) - x) ** 2)


@program([0.2, 1.1, 2.3], [0.0, 0.9, 2.0, 3.0], normal(4))
def interpolated_calibration(x, knots, values):
    rates = np.interp(x, knots, values)
    discount = np.exp(-rates * x)
    return np.sum((discount - np.array([0.99, 0.9, 0.8])) ** 2)


@program(0.7, 2.0, -1.0)
def trapezoid_integral(width, upper, lower):
    x = lower + (upper - lower) * np.linspace(0, 1, 21)
    y = np.exp(-(x**2) / width) * np.sinc(x)
    return np.trapezoid(y, x) + np.trapezoid(y) / 20


@program(normal((6, 2)), normal((4, 3)))
def polygon_and_tetrahedron(polygon, corners):
    x, y = polygon.T
    area = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
    edges = corners[1:] - corners[0]
    volume = np.dot(np.cross(edges[0], edges[1]), edges[2]) / 6
    return area**2 + np.abs(volume) + np.linalg.det(edges) ** 2


@program([48.1, 52.5, 41.9, 59.3], [11.6, 13.4, 12.5, 18.1])
def haversine_tour(latitude, longitude):
    phi, lam = np.radians(latitude), np.deg2rad(longitude)
    dphi, dlam = np.diff(phi, append=phi[:1]), np.diff(lam, append=lam[:1])
    a = np.sin(dphi / 2) ** 2 + np.cos(phi) * np.cos(np.roll(phi, -1)) * np.sin(dlam / 2) ** 2
    return np.sum(2 * 6.371 * np.arcsin(np.sqrt(a)))


@program(normal(11), 0.3)
def robust_location(x, weight):
    middle = np.median(x)
    trimmed = np.sort(x)[2:-2].mean()
    spread = np.quantile(x, 0.75) - np.percentile(x, 25)
    return weight * (middle**2 + trimmed**2) + np.median(np.abs(x - middle)) / spread


GROUPS = np.array([0, 1, 0, 2, 1, 1, 0])


@program(normal(7), normal(3))
def group_means(x, offsets):
    means = np.bincount(GROUPS, weights=x) / np.bincount(GROUPS)
    within = x - means[GROUPS] + np.repeat(offsets, [2, 3, 2])
    return np.average(within**2, weights=np.arange(1.0, 8.0)) + np.ptp(means)


@program(50.0, 0.1, 1e-4)
def resonance_of_a_circuit(resistance, inductance, capacitance):
    omega = 2 * np.pi * np.array([20.0, 50.0, 80.0])
    impedance = resistance + 1j * omega * inductance + 1 / (1j * omega * capacitance)
    response = 1 / impedance
    return np.sum(np.abs(response) * 100) + np.angle(response[0]) + np.sum(np.real(response * np.conj(impedance)))


@program(normal((3, 4)), normal((4,)))
def gram_schmidt(A, x):
    basis = []
    for row in A:
        for q in basis:
            row = row - (q @ row) * q
        basis.append(row / np.sqrt(np.sum(row * row)))
    Q = np.vstack(basis)
    return np.sum((x - Q.T @ (Q @ x)) ** 2) + Q[2, 0]


# --- each of them, on arrays and on Tensors ---------------------------------------------------------------------------

EACH = pytest.mark.parametrize("name", PROGRAMS)


def directions(inputs: tuple[Any, ...], seed: int) -> tuple[Any, ...]:
    """A random direction for each input, as long as the input's entries are large."""
    source = np.random.default_rng(seed)
    return tuple(source.choice([-1, 1], x.shape) * source.uniform(0.5, 1.5, x.shape) * min(1.0, np.abs(x).max()) for x in inputs)


def moved(inputs: tuple[Any, ...], v: tuple[Any, ...], step: float) -> tuple[Any, ...]:
    return tuple(x + step * d for x, d in zip(inputs, v, strict=True))


@EACH
def test_it_is_plain_numpy(name: str) -> None:
    code = [PROGRAMS[name].function.__code__]
    for c in code:
        assert not {"tg", "Tensor", "tinygrad_mlp"} & {*c.co_names}
        code.extend(inner for inner in c.co_consts if hasattr(inner, "co_names"))


@EACH
def test_values_are_those_of_numpy(name: str) -> None:
    f, inputs = PROGRAMS[name]
    kept = [x.copy() for x in inputs]
    expected = f(*inputs)
    tensors = [Tensor(x, requires_grad=True) for x in inputs]
    y = f(*tensors)
    assert type(y) is Tensor
    assert y.requires_grad
    assert y.shape == np.shape(expected) == ()
    assert y.dtype == np.float64
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-14)
    for x, t, k in zip(inputs, tensors, kept, strict=True):
        np.testing.assert_array_equal(x, k)
        np.testing.assert_array_equal(t.numpy(), k)


@EACH
def test_gradients_are_slopes(name: str) -> None:
    f, inputs = PROGRAMS[name]
    value, found = tg.value_and_grad(f, argnums=range(len(inputs)))(*inputs)
    np.testing.assert_allclose(value, f(*inputs), rtol=1e-12, atol=1e-14)
    for i, (x, g) in enumerate(zip(inputs, found, strict=True)):
        assert type(g) is np.ndarray
        assert (g.shape, g.dtype) == (x.shape, x.dtype)
        for seed in range(3):
            v = directions(inputs, seed)
            alone = tuple(d if j == i else 0 * d for j, d in enumerate(v))
            slope = (f(*moved(inputs, alone, STEP)) - f(*moved(inputs, alone, -STEP))) / (2 * STEP)
            np.testing.assert_allclose(np.sum(g * v[i]), slope, rtol=1e-6, atol=1e-6, err_msg=f"input {i}")


@EACH
def test_forward_and_backward_products_agree(name: str) -> None:
    f, inputs = PROGRAMS[name]
    found, v = tg.grad(f, argnums=range(len(inputs)))(*inputs), directions(inputs, 4)
    value, change = tg.jvp(f, inputs, v)
    np.testing.assert_allclose(value, f(*inputs), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(change, sum(np.sum(g * d) for g, d in zip(found, v, strict=True)), rtol=1e-10, atol=1e-12)


WRITES_INTO_AN_ARRAY = {("heat_equation", 1), ("jacobi_relaxation_in_place", 1)}
"""With this input alone as Tensor, the program assigns it to entries of a plain array, which cannot hold a graph."""


@EACH
def test_each_input_alone_beside_plain_arrays(name: str) -> None:
    f, inputs = PROGRAMS[name]
    together = tg.grad(f, argnums=range(len(inputs)))(*inputs)
    for i, g in enumerate(together):
        if (name, i) in WRITES_INTO_AN_ARRAY:
            with pytest.raises(GraphError, match="would lose it"):
                tg.grad(f, argnums=i)(*inputs)
        else:
            np.testing.assert_allclose(tg.grad(f, argnums=i)(*inputs), g, rtol=1e-10, atol=1e-12)


@EACH
def test_hessian_vector_products_are_slopes_of_the_gradient(name: str) -> None:
    f, inputs = PROGRAMS[name]
    gradient = tg.grad(f, argnums=range(len(inputs)))
    v = directions(inputs, 5)
    ends = [gradient(*moved(inputs, v, s)) for s in (STEP, -STEP)]
    for found, right, left in zip(tg.hvp(f, inputs, v), *ends, strict=True):
        slope = (right - left) / (2 * STEP)
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-6 * max(1.0, np.abs(slope).max()))


def test_there_are_enough_programs() -> None:
    assert len(PROGRAMS) >= 20
