"""Names that PyTorch, JAX, Keras, tinygrad, micrograd, NumPy and SciPy have and this package has not, and what is written here.

It is the only such table. A name goes when the thing itself comes: a test looks that none of them exists at its place.
"""

from __future__ import annotations

import sys

__all__ = ["ELSEWHERE", "here", "is_submodule"]

RANDOM = "tg.Tensor(rng.standard_normal((3, 4))) with rng = np.random.default_rng(0)"
EAGER = "t itself: every operation is computed at once"
CPU = "t itself: everything is computed on the CPU"
SEEDS = "rng=0 where random numbers are drawn (layers, tg.data.batches): there is no global seed"
NORM = "it by hand in a Module's forward, (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-5)"
RECURRENT = "the steps in a Module's forward, h = np.tanh(x[:, i] @ W + h @ U + b)"
FIT = "tg.fit(model, X, y, loss=…, optimizer=…), which is the training loop"
TRAIN = "the steps: loss.backward(), optimizer.step()"

ELSEWHERE: dict[str, dict[str, str]] = {
    # the package and its modules: tg, nn, optim …
    "tg": {
        "Value": "tg.Tensor(x, requires_grad=True)", "Variable": "tg.Tensor(x, requires_grad=True)",
        "cat": "tg.concat([a, b], axis=0)", "tensor": "tg.Tensor(data, requires_grad=True)",
        "from_numpy": "tg.Tensor(array)", "as_tensor": "tg.asarray(data)", "convert_to_tensor": "tg.asarray(data)",
        "constant": "tg.Tensor(data)",
        "randn": RANDOM, "rand": RANDOM, "randint": RANDOM, "random": RANDOM, "manual_seed": SEEDS, "seed": SEEDS, "PRNGKey": SEEDS,
        "enable_grad": "the code outside `with tg.no_grad():`", "inference_mode": "with tg.no_grad():",
        "set_grad_enabled": "with tg.no_grad():",
        "stop_gradient": "t.detach()", "GradientTape": "loss.backward(), or tg.grad(f)(x)",
        "vmap": "the batch as one more axis, which NumPy's functions take, or tg.stack([f(x) for x in xs])",
        "jit": "tg.compile(f), or tg.compile(loss, optimizer) for a training step", "TinyJit": "tg.compile(loss, optimizer)",
        "function": "tg.compile(f)", "pmap": "tg.compile(f)",
        "jacfwd": "tg.jacobian(f), which takes the shorter way by itself", "jacrev": "tg.jacobian(f)",
        "jacfun": "tg.jacobian(f)", "linearize": "tg.jvp(f, (x,), (v,))", "custom_vjp": "tg.primitive",
        "custom_jvp": "tg.primitive", "custom_gradient": "tg.primitive",
        "checkpoint": "nothing: there is no rematerialisation", "tree_map": "a loop over tg.nn.Module.named_parameters()",
        "value_and_gradient": "tg.value_and_grad(f)", "autograd": "tg.gradients(y, x), or tg.grad(f)",
        "numpy": "NumPy itself, import numpy as np: its functions take Tensors", "float": "tg.float64",
        "unsqueeze": "tg.expand_dims(t, axis=0)", "view": "tg.reshape(t, shape)", "permute": "tg.permute_dims(t, axes)",
        "transpose": "tg.permute_dims(t, axes), or t.T", "mm": "a @ b", "bmm": "a @ b", "mul": "a * b", "div": "a / b",
        "sub": "a - b", "topk": "tg.sort(t)[-k:]", "gather": "tg.take_along_axis(t, index, axis=1)",
        "one_hot": "np.eye(classes)[y]", "logsigmoid": "tg.log_sigmoid(t)", "clamp": "tg.clip(t, 0, 1)", "swish": "tg.silu(t)",
        "expit": "tg.sigmoid(t)", "rsqrt": "1 / tg.sqrt(t)", "reduce_sum": "tg.sum(t)", "reduce_mean": "tg.mean(t)",
        "cast": "t.astype(dtype)", "is_grad_enabled": "tg.is_recording()", "save": "np.savez(path, **model.state_dict())",
        "load": "model.load_state_dict(np.load(path))", "device": "nothing: everything is computed on the CPU",
        "cuda": "nothing: everything is computed on the CPU",
        # layers, losses
        "Dense": "nn.Linear(fan_in, fan_out)", "LazyLinear": "nn.Linear(fan_in, fan_out)", "Swish": "nn.SiLU()",
        "Input": "the widths, nn.MLP([784, 128, 10])", "Model": "a subclass of nn.Module with a forward", "Layer": "nn.Module",
        "ModuleList": "a Python list: a Module finds parameters in lists", "ModuleDict": "a Python dict",
        "ParameterList": "a Python list of nn.Parameter", "register_buffer": "an attribute, self.x = array",
        **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm", "BatchNormalization", "LayerNorm", "RMSNorm"), NORM),
        **dict.fromkeys(("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"), RECURRENT),
        "Embedding": "nn.Parameter(table), and table[indices]", "LogSoftmax": "tg.log_softmax(x)", "ReLU6": "nn.Hardtanh(0, 6)",
        "NLLLoss": "nn.CrossEntropyLoss(), of logits", "nll_loss": "nn.cross_entropy(logits, y)",
        "sparse_categorical_crossentropy": "nn.cross_entropy(logits, y)",
        "categorical_crossentropy": "nn.cross_entropy(logits, y)",
        "SparseCategoricalCrossentropy": "nn.CrossEntropyLoss()", "CategoricalCrossentropy": "nn.CrossEntropyLoss()",
        "BinaryCrossentropy": "nn.BCEWithLogitsLoss()", "MeanSquaredError": "nn.MSELoss()",
        "L1Loss": "tg.mean(tg.abs(Z - y))", "l1_loss": "tg.mean(tg.abs(Z - y))",
        # optimisation
        "Momentum": "optim.SGD(parameters, lr=0.1, momentum=0.9)", "sgd": "optim.SGD(parameters, lr=0.1)",
        "adam": "optim.Adam(parameters, lr=1e-3)", "adamw": "optim.AdamW(parameters, lr=1e-3)",
        "lr_scheduler": "the schedules of optim, optim.StepLR(optimizer, …)",
        "clip_grad_norm_": "optim.clip_grad_norm(parameters, 1.0)", "apply_updates": "optimizer.step()",
    },
    "tinygrad_mlp.nn": {"functional": "the functions of tg, tg.relu(x), and the losses of nn, nn.cross_entropy(Z, y)"},
    # a Tensor
    "Tensor": {
        "realize": EAGER, "contiguous": EAGER, "block_until_ready": EAGER,
        **dict.fromkeys(("cpu", "cuda", "to"), CPU),
        "clone": "t.copy()", "view": "t.reshape(…)", "unsqueeze": "np.expand_dims(t, axis) or t[:, None]",
        "permute": "t.transpose(…)", "zero_": "t.data[:] = 0", "requires_grad_": "t.requires_grad = True", "add_": "t.data += …",
        "sub_": "t.data -= …", "mul_": "t.data *= …", "copy_": "t.data[:] = …", "fill_": "t.data[:] = v", "assign": "t.data = …",
        "assign_sub": "t.data -= …", "detach_": "t.detach()", "at": "t[i] = v, or t[i] += v: a Tensor takes it",
        "norm": "np.linalg.norm(t)", "pow": "t ** p", "sort": "np.sort(t), which makes a new tensor", "fill": "t[:] = v",
        "expand": "np.broadcast_to(t, shape)", "dim": "t.ndim", "numel": "t.size", "mul": "t * u", "sub": "t - u", "div": "t / u",
        "add": "t + u", "mm": "t @ u", "bmm": "t @ u", "t": "t.T", "float": "t.astype(np.float32)", "double": "t.astype(float)",
        "long": "t.astype(int)", "half": "t.astype(np.float16)", "clamp": "t.clip(0, 1)", "cat": "tg.concat([t, u], axis=0)",
        "gather": "np.take_along_axis(t, index, axis=1)", "masked_fill": "np.where(mask, v, t)",
        "view_as": "t.reshape(u.shape)", "type": "t.astype(dtype)", "grad_fn": "t.op, the operation that made t",
        "is_leaf": "t.op is None", "register_hook": "t.retain_grad(), and t.grad after backward()",
        "sparse_categorical_crossentropy": "nn.cross_entropy(t, y)", "eval": EAGER,
    },
    # a Module
    "Module": {
        "compile": "tg.compile(loss, optimizer) for a fast training step, or tg.fit(model, X, y, …)",
        "fit": FIT, "predict": "tg.train.predict(model, X)", "evaluate": "tg.train.evaluate(model, X, y, loss)",
        "summary": "print(model)", "modules": "model.named_modules()", "children": "model.named_modules()",
        **dict.fromkeys(("to", "cpu", "cuda"), "model itself: everything is computed on the CPU"),
        "weights": "model.parameters()", "trainable_weights": "model.parameters()", "trainable_variables": "model.parameters()",
        "get_weights": "model.state_dict()", "set_weights": "model.load_state_dict(state)",
        "save": "np.savez(path, **model.state_dict())", "save_weights": "np.savez(path, **model.state_dict())",
        "load_weights": "model.load_state_dict(np.load(path))",
        "register_buffer": "an attribute, self.x = array", "register_parameter": "self.w = nn.Parameter(array)",
        "add_module": "an attribute, self.layer = layer", "apply": "model(x)", "init": "rng=0, where it is made",
        "add": "the layers at once, nn.Sequential(a, b)", "double": "dtype=np.float64, where it is made",
        "requires_grad_": "p.requires_grad = False for p in model.parameters()",
    },
    # an optimiser
    "Optimizer": {
        "minimize": TRAIN, "apply_gradients": TRAIN, "apply": TRAIN, "init": "nothing: the state is made at the first step",
        "param_groups": "optimizer.lr = …, one setting for all parameters", "learning_rate": "optimizer.lr",
    },
    # NumPy
    "np": {
        "apply_along_axis": "np.stack([f(row) for row in t])", "vectorize": "np.stack([f(x) for x in t])",
        "emath.sqrt": "np.sqrt(t), and np.sqrt(t.astype(complex)) where t may be negative",
        "emath.log": "np.log(t), and np.log(t.astype(complex)) where t may be negative",
        "emath.power": "t ** p, and t.astype(complex) ** p where t may be negative",
        "polyfit": "np.linalg.lstsq(np.vander(x, n), y)[0]",
    },
    # scipy.special
    "scipy.special": {
        "logit": "np.log(t) - np.log1p(-t)", "xlogy": "x * np.log(np.where(x == 0, 1, y))",
        "xlog1py": "x * np.log1p(np.where(x == 0, 0, y))", "entr": "-t * np.log(np.where(t == 0, 1, t))",
        "rel_entr": "x * np.log(x / y)", "kl_div": "x * np.log(x / y) - x + y", "ndtr": "tg.erfc(-t / np.sqrt(2)) / 2",
        "exp10": "10.0 ** t", "cosm1": "-2 * np.sin(t / 2) ** 2", "sindg": "np.sin(np.deg2rad(t))",
        "cosdg": "np.cos(np.deg2rad(t))", "tandg": "np.tan(np.deg2rad(t))", "boxcox": "(t ** p - 1) / p",
        "pseudo_huber": "d ** 2 * (np.sqrt(1 + (r / d) ** 2) - 1)",
        "huber": "np.where(np.abs(r) <= d, r * r / 2, d * (np.abs(r) - d / 2))",
    },
}  # fmt: skip


def is_submodule(module: str, name: str) -> bool:
    """Whether a file of that name is there: ``from tinygrad_mlp import rules`` asks for an attribute, and then imports it."""
    from importlib.machinery import PathFinder

    path = getattr(sys.modules.get(module), "__path__", None)
    return path is not None and PathFinder.find_spec(f"{module}.{name}", path) is not None


MODULES = ("", ".nn", ".optim", ".linalg", ".fft", ".nn.init", ".train", ".train.metrics", ".data", ".viz", ".check")
"""Where a name of the package's own is looked for."""


def here(name: str) -> str:
    """Where the package itself has a name, or NumPy's function of that name: ``tg.nn.Linear`` for Linear; empty if nowhere."""
    import importlib

    for part in MODULES:
        if name in importlib.import_module(f"tinygrad_mlp{part}").__all__:
            return f"tg{part}.{name}"
    ours = importlib.import_module("tinygrad_mlp.namespace").name_here(name)
    return f"tg.{ours}, its name in the array API" if ours else ""
