"""SciPy's optimisers and solvers with diffeo's functions and derivatives.

Each line of the tables is a use as users write it; derivatives come from diffeo, jitted or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import optimize, sparse

import diffeo as dx
import diffeo.numpy as dnp

pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning", "ignore::scipy.optimize.OptimizeWarning"
)


def rosen(x):
    return dnp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def plain_rosen(x):
    """The same in plain NumPy."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + np.square(1 - x[:-1]))


def bowl(x):
    return dnp.sum((x - 0.3) ** 2) + 0.1 * dnp.sum(dnp.sin(3 * x) ** 2)


near = dx.jit(lambda x: dnp.sum((x - 1.0) ** 2) + (x[0] * x[1] - 1.0) ** 2)


def hessp(f: Callable) -> Callable:
    return lambda x, p: dx.hvp(f, (x,), (p,))


X0 = np.array([-1.0, 1.2, 0.8])
ONES = np.ones(3)
NEAR = np.full(3, 0.9)
GRADIENT = ["CG", "BFGS", "L-BFGS-B", "SLSQP", "Newton-CG", "trust-constr"]
HESSIAN = ["Newton-CG", "dogleg", "trust-ncg", "trust-krylov", "trust-exact", "trust-constr"]
PRODUCTS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]


def minimum(method: str, f: Callable = rosen, x0: Any = X0, **options: Any) -> Any:
    """What `minimize` finds."""
    return optimize.minimize(f, x0, method=method, **options).x


MINIMIZE: dict[str, Callable[[], Any]] = {}
for _m in ["Nelder-Mead", "Powell", "COBYLA", "COBYQA"]:
    MINIMIZE[f"{_m} without derivatives"] = lambda m=_m: minimum(m, near, NEAR, tol=1e-6)
for _m in GRADIENT:
    MINIMIZE[f"{_m} grad"] = lambda m=_m: minimum(m, jac=dx.grad(rosen), tol=1e-12)
    MINIMIZE[f"{_m} jit"] = lambda m=_m: minimum(
        m, dx.jit(rosen), jac=dx.jit(dx.grad(rosen)), tol=1e-12
    )
for _m in HESSIAN:
    MINIMIZE[f"{_m} hessian"] = lambda m=_m: minimum(
        m, jac=dx.grad(rosen), hess=dx.jit(dx.hessian(rosen)), tol=1e-9
    )
for _m in PRODUCTS:
    MINIMIZE[f"{_m} hessp"] = lambda m=_m: minimum(
        m, jac=dx.jit(dx.grad(rosen)), hessp=dx.jit(hessp(rosen)), tol=1e-9
    )
MINIMIZE |= {
    "TNC grad": lambda: minimum("TNC", near, NEAR, jac=dx.grad(near)),
    "TNC jit": lambda: minimum("TNC", near, NEAR, jac=dx.jit(dx.grad(near))),
    "value_and_grad": lambda: minimum("BFGS", dx.value_and_grad(rosen), jac=True, tol=1e-12),
    "jitted value_and_grad": lambda: minimum(
        "L-BFGS-B", dx.jit(dx.value_and_grad(rosen)), jac=True, tol=1e-14
    ),
    "plain NumPy": lambda: minimum("BFGS", plain_rosen, jac=dx.grad(plain_rosen), tol=1e-12),
    "plain NumPy hessian": lambda: minimum(
        "trust-exact", plain_rosen, jac=dx.grad(plain_rosen), hess=dx.hessian(plain_rosen)
    ),
    "x0 of ours": lambda: minimum("BFGS", rosen, dnp.asarray(X0), jac=dx.grad(rosen), tol=1e-12),
    "default method": lambda: optimize.minimize(rosen, X0, jac=dx.grad(rosen), tol=1e-12).x,
    "bounds": lambda: minimum(
        "L-BFGS-B", jac=dx.grad(rosen), bounds=[(dnp.asarray(-2.0), 2.0)] * 3, tol=1e-14
    ),
    "args": lambda: minimum(
        "BFGS",
        lambda x, a: rosen(x) * a,
        jac=dx.grad(lambda x, a: rosen(x) * a),
        args=(dnp.asarray(2.0),),
        tol=1e-13,
    ),
    "callback": lambda: minimum("BFGS", jac=dx.grad(rosen), callback=lambda x: rosen(x), tol=1e-12),
    "hess_inv": lambda: minimum(
        "BFGS", jac=dx.grad(rosen), options={"hess_inv0": dx.numpy.eye(3)}, tol=1e-12
    ),
}


@pytest.mark.parametrize("name", MINIMIZE)
def test_minimize(name: str):
    np.testing.assert_allclose(MINIMIZE[name](), ONES, atol=2e-4 if "without" in name else 1e-5)


def circle(z):
    return dnp.array([z[0] ** 2 + z[1] ** 2 - 1.0, z[0] - z[1]])


ON_CIRCLE = np.full(2, 0.5**0.5)
T = np.linspace(0.0, 3.0, 25)
DECAY = 2.5 * np.exp(-1.3 * T) + 0.5
model = lambda t, a, b, c: a * dnp.exp(-b * t) + c
residual = lambda p: model(T, *p) - DECAY
model_jac = lambda t, a, b, c: dx.jacfwd(lambda p: model(t, *p))(dnp.array([a, b, c]))
FIT = np.array([2.5, 1.3, 0.5])
cubic = lambda x: x**3 - 2.0 * x - 5.0
CUBIC = 2.0945514815423265
quartic = lambda x: (x - 0.7) ** 4 + (x - 0.7) ** 2

SOLVE: dict[str, tuple[Callable[[], Any], Any]] = {
    **{
        f"root {m}": (
            lambda m=m: optimize.root(circle, [1.0, 0.5], method=m, jac=dx.jacfwd(circle)).x,
            ON_CIRCLE,
        )
        for m in ("hybr", "lm")
    },
    **{
        f"root {m}": (lambda m=m: optimize.root(circle, [0.8, 0.6], method=m).x, ON_CIRCLE)
        for m in ("krylov", "df-sane", "broyden1", "anderson")
    },
    "root jit": (
        lambda: optimize.root(dx.jit(circle), [1.0, 0.5], jac=dx.jit(dx.jacrev(circle))).x,
        ON_CIRCLE,
    ),
    "fsolve": (lambda: optimize.fsolve(circle, [1.0, 0.5], fprime=dx.jacfwd(circle)), ON_CIRCLE),
    "newton_krylov": (lambda: optimize.newton_krylov(circle, [0.8, 0.6]), ON_CIRCLE),
    "fixed_point": (lambda: optimize.fixed_point(lambda x: dnp.cos(x), 0.5), 0.7390851332151607),
    "newton": (lambda: optimize.newton(cubic, 2.0, fprime=dx.grad(cubic)), CUBIC),
    "halley": (
        lambda: optimize.newton(cubic, 2.0, fprime=dx.grad(cubic), fprime2=dx.grad(dx.grad(cubic))),
        CUBIC,
    ),
    "newton of arrays": (
        lambda: optimize.newton(
            lambda x: x**2 - dnp.array([2.0, 3.0]),
            np.array([1.0, 2.0]),
            fprime=lambda x: 2 * dnp.asarray(x),
        ),
        np.sqrt([2, 3]),
    ),
    **{
        f"root_scalar {m}": (
            lambda m=m: (
                optimize.root_scalar(
                    lambda x: cubic(dnp.asarray(x)), method=m, bracket=(2.0, 3.0)
                ).root
            ),
            CUBIC,
        )
        for m in ("bisect", "brentq", "brenth", "ridder", "toms748")
    },
    **{
        f"root_scalar {m}": (
            lambda m=m: (
                optimize.root_scalar(
                    cubic,
                    method=m,
                    x0=2.0,
                    fprime=dx.jit(dx.grad(cubic)),
                    fprime2=dx.grad(dx.grad(cubic)),
                ).root
            ),
            CUBIC,
        )
        for m in ("newton", "halley")
    },
    "root_scalar secant": (
        lambda: optimize.root_scalar(dx.jit(cubic), method="secant", x0=2.0, x1=2.2).root,
        CUBIC,
    ),
    **{
        f"minimize_scalar {m}": (
            lambda m=m: (
                optimize.minimize_scalar(
                    dx.jit(quartic), method=m, bounds=(0, 1) if m == "bounded" else None, tol=1e-9
                ).x
            ),
            0.7,
        )
        for m in ("brent", "golden", "bounded")
    },
    **{
        f"least_squares {m}": (
            lambda m=m: (
                optimize.least_squares(
                    residual, [1.0, 1.0, 0.0], jac=dx.jacfwd(residual), method=m
                ).x
            ),
            FIT,
        )
        for m in ("trf", "dogbox", "lm")
    },
    "least_squares jit, loss": (
        lambda: (
            optimize.least_squares(
                dx.jit(residual), [1.0, 1.0, 0.0], jac=dx.jit(dx.jacrev(residual)), loss="soft_l1"
            ).x
        ),
        FIT,
    ),
    "least_squares sparse": (
        lambda: (
            optimize.least_squares(
                residual, [1.0, 1.0, 0.0], jac=lambda p: sparse.csr_matrix(dx.jacfwd(residual)(p))
            ).x
        ),
        FIT,
    ),
    "least_squares operator": (
        lambda: (
            optimize.least_squares(residual, [1.0, 1.0, 0.0], jac=lambda p: linear_operator(p)).x
        ),
        FIT,
    ),
    "leastsq": (
        lambda: optimize.leastsq(residual, [1.0, 1.0, 0.0], Dfun=dx.jacfwd(residual))[0],
        FIT,
    ),
    "curve_fit": (
        lambda: optimize.curve_fit(model, T, DECAY, [1.0, 1.0, 0.0], jac=model_jac)[0],
        FIT,
    ),
    "curve_fit of ours": (
        lambda: optimize.curve_fit(
            dx.jit(model), dnp.asarray(T), dnp.asarray(DECAY), [1.0, 1.0, 0.0]
        )[0],
        FIT,
    ),
    "curve_fit bounds": (
        lambda: optimize.curve_fit(
            model, T, DECAY, [1.0, 1.0, 0.0], bounds=(0, 5), jac=model_jac, sigma=dnp.ones(25)
        )[0],
        FIT,
    ),
    "check_grad": (lambda: optimize.check_grad(rosen, dx.grad(rosen), X0), 0.0),
    "approx_fprime": (lambda: optimize.approx_fprime(X0, rosen) - dx.grad(rosen)(X0), np.zeros(3)),
    "line_search": (
        lambda: optimize.line_search(bowl, dx.grad(bowl), np.zeros(2), np.ones(2))[0] > 0,
        True,
    ),
    "constraint": (
        lambda: (
            optimize.minimize(
                bowl,
                [1.0, 0.0],
                jac=dx.grad(bowl),
                method="SLSQP",
                constraints={"type": "eq", "fun": circle, "jac": dx.jacfwd(circle)},
            ).x
        ),
        ON_CIRCLE,
    ),
    "NonlinearConstraint": (
        lambda: (
            optimize.minimize(
                bowl,
                [1.0, 0.5],
                jac=dx.grad(bowl),
                hess=dx.hessian(bowl),
                method="trust-constr",
                constraints=optimize.NonlinearConstraint(
                    circle,
                    0,
                    0,
                    jac=dx.jacfwd(circle),
                    hess=lambda x, v: dx.hessian(lambda z: dnp.dot(circle(z), v))(x),
                ),
            ).x
        ),
        ON_CIRCLE,
    ),
    "linprog": (
        lambda: optimize.linprog(dnp.array([1.0, 2.0]), A_ub=-dnp.eye(2), b_ub=-dnp.ones(2)).x,
        np.ones(2),
    ),
    "milp": (
        lambda: (
            optimize.milp(
                dnp.array([1.0, 2.0]), constraints=optimize.LinearConstraint(dnp.eye(2), 1, 4)
            ).x
        ),
        np.ones(2),
    ),
    "lsq_linear": (lambda: optimize.lsq_linear(dnp.eye(2), dnp.array([1.0, 2.0])).x, [1, 2]),
    "nnls": (lambda: optimize.nnls(dnp.eye(2), dnp.array([1.0, 2.0]))[0], [1, 2]),
    "linear_sum_assignment": (
        lambda: optimize.linear_sum_assignment(dnp.array([[1.0, 5.0], [5.0, 1.0]]))[1],
        [0, 1],
    ),
}


def linear_operator(p: Any) -> Any:
    """The Jacobian of the residual by products alone."""
    out, pullback = dx.vjp(residual, p)
    floats = lambda v: np.ravel(v) * 1.0  # SciPy tries vectors of int8 first
    return sparse.linalg.LinearOperator(
        (out.size, p.size), matvec=lambda v: dx.jvp(residual, (p,), (floats(v),))[1],
        rmatvec=lambda u: pullback(floats(u))[0],
    )  # fmt: skip


GLOBAL: dict[str, Callable[[], Any]] = {
    "basinhopping": lambda: (
        optimize.basinhopping(
            bowl, [1.0, 1.0], niter=3, rng=0, minimizer_kwargs={"jac": dx.grad(bowl)}
        ).x
    ),
    "differential_evolution": lambda: (
        optimize.differential_evolution(
            dx.jit(bowl), [(-1, 1)] * 2, rng=0, maxiter=40, polish=True
        ).x
    ),
    "dual_annealing": lambda: (
        optimize.dual_annealing(
            dx.jit(bowl),
            [(-1, 1)] * 2,
            rng=0,
            maxiter=30,
            minimizer_kwargs={"method": "L-BFGS-B", "jac": dx.jit(dx.grad(bowl))},
        ).x
    ),
    "shgo": lambda: (
        optimize.shgo(
            bowl,
            [(-1, 1)] * 2,
            minimizer_kwargs={"method": "SLSQP", "jac": dx.grad(bowl)},
            options={"jac": dx.grad(bowl)},
        ).x
    ),
    "brute": lambda: optimize.brute(dx.jit(bowl), [(-1, 1)] * 2, Ns=9),
    "direct": lambda: optimize.direct(dx.jit(bowl), [(-1, 1)] * 2, maxiter=60).x,
}


@pytest.mark.parametrize("name", SOLVE)
def test_solvers(name: str):
    got, want = SOLVE[name][0](), SOLVE[name][1]
    np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", GLOBAL)
def test_global_optimisers(name: str):
    best = optimize.minimize(bowl, [0.2, 0.2], jac=dx.grad(bowl), tol=1e-10).x
    np.testing.assert_allclose(GLOBAL[name](), best, atol=0.02)
