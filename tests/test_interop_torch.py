"""to_torch and from_torch, against the same functions written in the other library."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffeo as dx
import diffeo.numpy as dnp

torch = pytest.importorskip("torch")

from diffeo.interop.torch import from_torch, to_torch  # noqa: E402

F = torch.func
RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3))
w, x = torch.tensor(W), torch.tensor(X)


def ours(p: Any, x: Any) -> Any:
    return dnp.sum(dnp.tanh(x @ p["w"]) ** 2, axis=-1)


def theirs(p: Any, x: Any) -> Any:
    return (torch.tanh(x @ p["w"]) ** 2).sum(-1)


def backward(f: Callable, times: int) -> Any:
    """The gradient of the squares of the gradient of ..., by `torch.autograd.grad`."""
    leaf = w.clone().requires_grad_()
    out = f({"w": leaf}, x)
    for _ in range(times):
        (out,) = torch.autograd.grad((out**2).sum(), leaf, create_graph=True)
    return out


IN_TORCH: dict[str, Callable] = {
    "value": lambda f: f({"w": w}, x),
    "backward": lambda f: backward(f, 1),
    "double backward": lambda f: backward(f, 2),
    "third order": lambda f: backward(f, 3),
    "grad": lambda f: F.grad(lambda w: f({"w": w}, x).sum())(w),
    "jacrev": lambda f: F.jacrev(lambda w: f({"w": w}, x))(w),
    "jacfwd": lambda f: F.jacfwd(lambda w: f({"w": w}, x))(w),
    "jvp": lambda f: F.jvp(lambda w: f({"w": w}, x), (w,), (w,))[1],
    "hessian": lambda f: F.hessian(lambda w: f({"w": w}, x).sum())(w),
    "vmap": lambda f: F.vmap(lambda x: f({"w": w}, x))(x),
    "vmap of grad": lambda f: F.vmap(F.grad(lambda w, x: f({"w": w}, x)), (None, 0))(w, x),
    "grad of vmap": lambda f: F.grad(lambda w: F.vmap(lambda x: f({"w": w}, x))(x).sum())(w),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("what", IN_TORCH)
def test_to_torch(what):
    expected = IN_TORCH[what](theirs)
    torch.testing.assert_close(IN_TORCH[what](to_torch(ours)), expected)


def test_to_torch_against_differences():
    f = to_torch(lambda z: dnp.sin(z) * z * dnp.conj(z))
    z = torch.randn(3, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(f, (z,)) and torch.autograd.gradgradcheck(f, (z,))
    with_scalar = to_torch(lambda x, y: (x * y[0], dnp.argmax(x), y[1]))
    a, b = (torch.randn(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    smooth = lambda a, b: with_scalar(a, [b, 2.0])[0]
    assert torch.autograd.gradcheck(smooth, (a, b))
    assert not with_scalar(a, [b, 2.0])[1].requires_grad


def test_to_torch_eagerly():
    f = to_torch(lambda x: x**3 if x > 0 else x, jitted=False)
    a = torch.tensor(2.0, requires_grad=True)
    (first,) = torch.autograd.grad(f(a), a, create_graph=True)
    (second,) = torch.autograd.grad(first, a)
    assert (first.item(), second.item(), first.dtype) == (12.0, 12.0, torch.float32)


def test_results_of_to_torch_have_memory_of_their_own():
    constant = dnp.arange(3.0)
    f = to_torch(lambda x: (constant, x, dnp.zeros(3, bool)))
    given = torch.ones(3, dtype=torch.float64)
    for out in f(given):
        out[0] = True
    assert given[0] == 1 and constant[0] == 0 and f(given)[0][0] == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "complex64"])
def test_dtypes_of_to_torch(dtype):
    a = torch.ones(3, dtype=getattr(torch, dtype), requires_grad=True)
    y = to_torch(lambda x: x * x)(a)
    y.abs().sum().backward()
    assert y.dtype == a.grad.dtype == a.dtype and (a.grad == 2).all()


def test_what_to_torch_refuses():
    f = to_torch(lambda x: x)
    with pytest.raises(ValueError, match="a tensor on meta cannot"):
        f(torch.ones(3, device="meta"))
    with pytest.raises(TypeError, match="expected a dense tensor"):
        f(torch.eye(2).to_sparse())
    with pytest.raises(TypeError, match="no counterpart"):
        f(torch.ones(2, dtype=torch.float8_e5m2))
    with pytest.raises(TypeError, match="must be hashable"):
        to_torch(lambda x, y: x)(x, bytearray(b"a"))


IN_DIFFEO: dict[str, Callable] = {
    "value": lambda f: f({"w": W}, X),
    "grad": lambda f: dx.grad(lambda w: f({"w": w}, X).sum())(W),
    "jvp": lambda f: dx.jvp(lambda w: f({"w": w}, X), (W,), (W,))[1],
    "jacfwd": lambda f: dx.jacfwd(lambda w: f({"w": w}, X))(W),
    "hessian": lambda f: dx.hessian(lambda w: f({"w": w}, X).sum())(W),
    "third order": lambda f: dx.grad(
        lambda v: dx.jvp(dx.grad(lambda w: f({"w": w}, X).sum()), (v,), (W,))[1].sum()
    )(W),
    "vmap": lambda f: dx.vmap(f, (None, 0))({"w": W}, X),
    "vmap of grad": lambda f: dx.vmap(dx.grad(f), (None, 0))({"w": W}, X)["w"],
    "grad of vmap": lambda f: dx.grad(lambda w: dx.vmap(f, (None, 0))({"w": w}, X).sum())(W),
    "Taylor": lambda f: dx.nth_derivative(lambda t: f({"w": W * t}, X).sum(), 3)(0.7),
}


@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.parametrize("what", IN_DIFFEO)
def test_from_torch(what, jitted):
    f = from_torch(theirs)
    run = lambda f: (dx.jit if jitted else lambda g: g)(lambda: IN_DIFFEO[what](f))()
    np.testing.assert_allclose(run(f), run(ours), rtol=1e-9, atol=1e-12)


def test_from_torch_of_complex_numbers_and_integers():
    z = np.array([0.5 + 1j, -1.0 + 0.2j])
    f = from_torch(lambda z: (torch.real(z * z * z.conj()).sum(), torch.argmax(z.abs())))
    g = lambda z: dnp.real(z * z * dnp.conj(z)).sum()
    np.testing.assert_allclose(dx.grad(lambda z: f(z)[0])(z), dx.grad(g)(z))
    assert f(z)[1].dtype == np.int64 and int(f(z)[1]) == 0
    t = np.array([1.0 - 1j, 2j])
    np.testing.assert_allclose(dx.jvp(lambda z: f(z)[0], (z,), (t,))[1], dx.jvp(g, (z,), (t,))[1])


def test_from_torch_of_a_module():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    params = {k: np.asarray(v.detach()) for k, v in model.named_parameters()}
    apply = from_torch(lambda params, x: F.functional_call(model, params, (x,))[..., 0].sum())
    gradient = dx.jit(dx.grad(apply))(params, X.astype("float32"))
    model(x.float()).sum().backward()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(gradient[name], p.grad, rtol=1e-5)


def test_from_torch_row_by_row_where_torch_cannot_map():
    f = from_torch(lambda x: x**2 if x.item() > 0 else x * 3)
    points = np.array([2.0, -1.0])
    np.testing.assert_allclose(dx.vmap(f)(points), [4, -3])
    np.testing.assert_allclose(dx.vmap(dx.grad(f))(points), [4, 3])


def test_torch_inside_computes_derivatives_of_its_own():
    def residual(x):  # x'' of the network, as in a physics-informed one
        y = torch.sin(x * x)
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return slope

    f = from_torch(lambda x: residual(x if x.requires_grad else x.requires_grad_()))
    np.testing.assert_allclose(dx.grad(lambda x: f(x).sum())(np.array([0.5])),
                               dx.grad(lambda x: dx.grad(lambda x: dnp.sin(x * x).sum())(x).sum())(
                                   np.array([0.5])))  # fmt: skip


def test_what_from_torch_refuses():
    with pytest.raises(TypeError, match="expected a tree of tensors"):
        from_torch(lambda x: "text")(X)
    with pytest.raises(TypeError, match="torch has no dtype"):
        from_torch(lambda x: x)(dnp.zeros(2, "float8_e4m3fn"))


def test_there_and_back():
    np.testing.assert_allclose(dx.grad(lambda w: from_torch(to_torch(ours))({"w": w}, X).sum())(W),
                               IN_DIFFEO["grad"](ours))  # fmt: skip


def test_the_page():
    """The examples of docs/interop.md, which need torch."""
    page = (Path(__file__).parents[1] / "docs" / "interop.md").read_text()
    printed: list[str] = []
    names: dict[str, Any] = {"print": lambda *xs: printed.append(" ".join(map(str, xs)))}
    for block in re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(block, names)
    assert "torch.Size([2, 3, 2, 3, 2])" in printed[1] and printed[-1] == "(1,)"


def test_the_structure_of_a_result_may_depend_on_shapes():
    """A function is kept for the types of its arguments: no call gets another one's structure."""
    outward = to_torch(lambda x: [x[i] for i in range(x.shape[0])])
    inward = from_torch(lambda x: [x[i] for i in range(x.shape[0])])
    for n in (3, 2, 3):
        assert len(outward(torch.ones(n))) == n
        assert len(dx.jit(inward)(np.ones(n))) == n
