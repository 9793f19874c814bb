"""What torch and autograd have for some of the programs: eager calls, as their users write them.

Each program is given its arguments as NumPy arrays, and returns the call to time. The packages are
imported late: they are large, and need not be installed.
"""

# pyright: reportMissingImports=false

import importlib

import numpy as np


def run(lib, program, make):
    """The call of a program of another library, whatever `lib` is."""
    return program(make(np.random.default_rng(0)))


# --------------------------------------------------------------------------------------------------
# torch


def tensors(torch, arrays, gradient=False):
    return [torch.tensor(a, requires_grad=gradient) for a in arrays]


def torch_step(torch, loss, weights):
    """A step of gradient descent for some weights: the loss, and new weights."""

    def step():
        value = loss(*weights)
        gradients = torch.autograd.grad(value, weights)
        with torch.no_grad():
            moved = [w - 1e-3 * g for w, g in zip(weights, gradients)]
        return value.detach(), moved

    return step


def torch_mlp(args):
    torch = importlib.import_module("torch")
    layers, x, y = args
    x, y = tensors(torch, (x, y))

    def loss(*flat):
        h = x
        for k in range(0, len(flat) - 2, 2):
            h = torch.relu(h @ flat[k] + flat[k + 1])
        return torch.nn.functional.cross_entropy(h @ flat[-2] + flat[-1], y)

    return torch_step(torch, loss, tensors(torch, [a for pair in layers for a in pair], True))


def torch_lstm(args):
    """Gate by gate, as the program for the other libraries; torch's own LSTM orders them anew."""
    torch = importlib.import_module("torch")
    weights, xs = args
    xs = torch.tensor(xs)

    def loss(b, wh, wx):
        h = c = torch.zeros(xs.shape[1:])
        hs = []
        for x in xs:
            i, f, g, o = torch.split(x @ wx + h @ wh + b, h.shape[-1], dim=-1)
            c = torch.sigmoid(f + 1.0) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            hs.append(h)
        return torch.mean((torch.stack(hs)[:-1] - xs[1:]) ** 2)

    return torch_step(torch, loss, tensors(torch, [weights[k] for k in "bhx"], True))


def torch_cnn(args):
    """Images and kernels in torch's own layout."""
    torch = importlib.import_module("torch")
    functional = torch.nn.functional
    params, images, labels = args
    x, y = tensors(torch, (images.transpose(0, 3, 1, 2).copy(), labels))
    flat = [kernel.transpose(3, 2, 0, 1).copy() if kernel.ndim == 4 else kernel
            for block in params["blocks"] for kernel in block]  # fmt: skip
    weights = tensors(torch, [*flat, *params["dense"]], True)

    def loss(k1, b1, k2, b2, dense, bias):
        h = x
        for kernel, shift in ((k1, b1), (k2, b2)):
            h = functional.relu(functional.conv2d(h, kernel, shift, padding=1))
            h = functional.max_pool2d(h, 2)
        h = h.permute(0, 2, 3, 1).reshape(h.shape[0], -1)
        return functional.cross_entropy(h @ dense + bias, y)

    step = torch_step(torch, loss, weights)

    def call():
        value, (k1, b1, k2, b2, dense, bias) = step()
        back = lambda kernel: kernel.permute(2, 3, 1, 0)
        return value, (back(k1), b1, back(k2), b2, dense, bias)

    return call


def torch_logistic(args):
    torch = importlib.import_module("torch")
    weights, x, signs = tensors(torch, args)
    loss = lambda w: torch.mean(torch.nn.functional.softplus(-signs * (x @ w)))
    hessian = torch.func.hessian(loss)
    return lambda: hessian(weights)


# --------------------------------------------------------------------------------------------------
# autograd


def autograd_gmm(args):
    """The lower triangles are built by a product, since autograd does not write into arrays."""
    anp = importlib.import_module("autograd.numpy")
    logsumexp = importlib.import_module("autograd.scipy.special").logsumexp
    params, x = args
    n, d = x.shape
    rows, columns = np.tril_indices(d, -1)
    place = np.zeros((len(rows), d, d))
    place[np.arange(len(rows)), rows, columns] = 1.0

    def likelihood(params):
        weights, means, factors = params
        logs, below = factors[:, :d], factors[:, d:]
        lower = anp.tensordot(below, place, 1)
        centred = x[:, None] - means
        scaled = anp.exp(logs) * centred + anp.einsum("kij,nkj->nki", lower, centred)
        inner = weights + anp.sum(logs, axis=1) - 0.5 * anp.sum(scaled**2, axis=2)
        prior = 0.5 * (anp.sum(anp.exp(2.0 * logs)) + anp.sum(below**2)) - anp.sum(logs)
        constant = -0.5 * n * d * np.log(2.0 * np.pi)
        return constant + anp.sum(logsumexp(inner, axis=1)) - n * logsumexp(weights) - prior

    gradient = importlib.import_module("autograd").grad(likelihood)
    return lambda: gradient(params)


def autograd_logistic(args):
    anp = importlib.import_module("autograd.numpy")
    weights, x, signs = args
    loss = lambda w: anp.mean(anp.logaddexp(0.0, -signs * anp.dot(x, w)))
    hessian = importlib.import_module("autograd").hessian(loss)
    return lambda: hessian(weights)


#: By the name of the workload, and by the package.
PROGRAMS = {
    "MLP": {"torch": torch_mlp},
    "CNN": {"torch": torch_cnn},
    "LSTM": {"torch": torch_lstm},
    "GMM": {"autograd": autograd_gmm},
    "logistic Hessian": {"torch": torch_logistic, "autograd": autograd_logistic},
}


# --------------------------------------------------------------------------------------------------
# Eager gradients of `benchmarks.eager`: the loss's name, and its arguments


def torch_gradient(loss, args, by):
    """The gradient by the arguments `by`; `loss(lib, *args)` is given torch as its `numpy`."""
    torch = importlib.import_module("torch")
    values = tensors(torch, args)
    for k in by:
        values[k].requires_grad_()
    return lambda: torch.autograd.grad(loss(torch, *values), [values[k] for k in by])


def autograd_gradient(loss, args, by):
    """The same with autograd."""
    anp = importlib.import_module("autograd.numpy")
    gradient = importlib.import_module("autograd").grad(lambda *xs: loss(anp, *xs), by)
    return lambda: gradient(*args)
