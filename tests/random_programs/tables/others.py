"""NumPy's own functions on our arrays, solvers, callbacks, random numbers, operators, and branches
that are right only where they are chosen."""

from tests.random_programs.kinds import (
    arrays,
    both,
    constant,
    double,
    fits,
    floating,
    inexact,
    matrix,
    number,
    one_of,
    rank,
    real,
    scalar,
    square,
    whole,
    wide,
)
from tests.random_programs.program import row
from tests.random_programs.tables.control import BLOCK, aval, steps
from tests.random_programs.tables.linalg import NEAR
from tests.random_programs.tables.nested import function, to_number

# NumPy, through its two protocols
for _name in ("sin", "exp", "tanh", "abs", "square"):
    row(f"numpy.{_name}", f"numpy.{_name}({{0}})", inexact, weight=0.2, traits="ours")
for _name in ("sum", "mean", "max", "prod", "std", "cumsum", "sort", "ravel", "transpose"):
    row(f"numpy.{_name}", f"numpy.{_name}({{0}})", both(arrays, floating,
        lambda v, *b: v.size > 1), weight=0.2, traits="ours")  # fmt: skip
row("numpy.where", "numpy.where({0} > {c}, {0}, {1})", real, both(floating, fits), c=number(-1, 1),
    weight=0.3, traits="ours")  # fmt: skip
row("numpy.add", "numpy.add({0}, {1})", inexact, both(inexact, fits), weight=0.3, traits="ours")
row("numpy.concatenate", "numpy.concatenate([{0}, numpy.ones({0}.shape)])", both(arrays, double),
    weight=0.3, traits="ours")  # fmt: skip
row("numpy.einsum", "numpy.einsum('...i,...i->...', {0}, {0})", both(arrays, inexact), weight=0.3,
    traits="ours")  # fmt: skip
row("numpy.linalg.norm", "numpy.linalg.norm({0})", both(arrays, inexact), weight=0.3, traits="ours")
row("numpy.linalg.inv", f"numpy.linalg.inv({NEAR})", both(square, wide), weight=0.3, traits="ours")
row("ndarray matmul", "numpy.ones((2, {0}.shape[-2])) @ {0}", both(matrix, double), weight=0.3,
    traits="ours")  # fmt: skip
row("ndarray plus", "numpy.asarray(0.5) + {0}", inexact, weight=0.3, traits="ours")

# Branches that hold only where they are chosen
row("root where positive",
    "dx.vmap(lambda r: lax.cond(r > {c}, lambda r: np.sqrt(r - {c}), lambda r: np.sin(r), r))({0})",
    both(rank(1), arrays, double), c=number(-0.5, 0.5), weight=0.7)  # fmt: skip
row("log or power", "dx.vmap(lambda r: lax.switch((r > {c}).astype('int32') + (r > 0), "
    "[lambda r: np.log(-r), lambda r: r * r, lambda r: r ** {p}], r))({0})",
    both(rank(1), arrays, double), c=number(-0.3, -0.1), p=number(0.5, 2.5),
    weight=0.7)  # fmt: skip
row("quotient of sums", "dx.vmap(lambda r: lax.cond(np.sum(r) > {c}, "
    "lambda r: r / np.sqrt(np.sum(r) - {c}), lambda r: np.prod(r) * r, r))({0})",
    both(rank(2), arrays, double), c=number(-0.5, 0.5), weight=0.7)  # fmt: skip
row("where of a root", "np.where({0} > {c}, np.sqrt(np.where({0} > {c}, {0} - {c}, 1)), 0)", double,
    c=number(-0.5, 0.5), weight=0.4)  # fmt: skip
row("scan of branches", "lax.scan(lambda s, r: (lax.cond(r > 0, lambda s: s * np.log(r), "
    "lambda s: s + 1 / r, s) * 0.3, s), {1}, {0})", both(rank(1), arrays, double),
    both(scalar, double), outs="{0}, {1}", weight=0.5)  # fmt: skip

# Solvers, rules, callbacks
row("custom_root", "lax.custom_root(lambda y: y ** 3 + y - {0}, np.zeros(()), lambda f, y: "
    "lax.fori_loop(0, 60, lambda i, y: y - f(y) / (3 * y * y + 1), y), lambda g, y: y / g(1.0))",
    both(scalar, double), weight=0.5)  # fmt: skip
row("custom_linear_solve", "lax.custom_linear_solve(lambda y: {m} @ y, {{0}}, "
    "lambda mv, b: np.linalg.solve({m}, b), lambda mv, b: np.linalg.solve({m}.T, b))".replace(
        "{m}", "(np.diag(1 + {0} * {0}) + np.tri({0}.shape[0]) * 0.1)").replace("{{", "{").replace(
        "}}", "}"), both(rank(1), arrays, double), weight=0.5)  # fmt: skip
row("closure_convert", "(lambda f, more: f({0}, *more))(*dx.closure_convert({f}, {0}))", double,
    f=function(0), weight=0.4, traits=BLOCK)  # fmt: skip
row("custom_vmap", "dx.vmap({f}_rule)({0})", both(arrays, inexact), weight=0.5,
    traits="block, ours", before="""
{f}_rule = dx.custom_batching.custom_vmap({f})
{f}_rule.def_vmap(lambda size, batched, x: (dx.vmap({f})(x), True))
""", f=lambda d: d.scope.block([d.args[0][0]], steps(d), [aval(d.args[0][0])], closed=True),
)  # fmt: skip
row("pure_callback", "dx.pure_callback(lambda x: numpy.asarray(numpy.sin(x)), "
    "dx.ShapeDtypeStruct({0}.shape, {0}.dtype), lax.stop_gradient({0}), vmap_method='sequential')",
    double, weight=0.2, traits="ours, no differences")  # fmt: skip
row("optimization_barrier", "lax.optimization_barrier({0})", inexact, weight=0.3)
row("select_n", "lax.select_n({0} > {c}, {0}, {0} * 2)", floating, c=number(-1, 1), weight=0.3)

# Differential operators
row("laplacian", "dx.laplacian({f})({0})", both(double, arrays), f=to_number(0), weight=0.4,
    traits="block, ours")  # fmt: skip
row("hvp", "dx.hvp({f}, ({0},), ({1},))", both(double, arrays), both(double,
    lambda v, b: v.shape == b.shape), f=to_number(0), weight=0.4, traits="block, ours")  # fmt: skip
row("derivatives", "dx.derivatives({f}, {0}, 3)[{k}]", both(double, scalar), f=to_number(0),
    k=whole(1, 3), weight=0.4, traits="block, ours")  # fmt: skip

# Random numbers
row("normal", "dx.random.normal(dx.random.key({k}), {0}.shape) * {0}", inexact, k=whole(0, 99),
    weight=0.3)  # fmt: skip
row("uniform", "dx.random.uniform(dx.random.key({k}), {0}.shape, minval=-1, maxval={0})", double,
    k=whole(0, 99), weight=0.3)  # fmt: skip
row("permutation", "dx.random.permutation(dx.random.key({k}), {0})", both(arrays, inexact),
    k=whole(0, 99), weight=0.3)  # fmt: skip
row("dropout", "np.where(dx.random.bernoulli(dx.random.key({k}), 0.6, {0}.shape), {0} / 0.6, 0)",
    inexact, k=whole(0, 99), weight=0.3)  # fmt: skip

# Operators with numbers of other kinds
row("times True", "{0} * True", inexact, weight=0.2)
row("plus np number", "{0} + np.asarray({c}, 'float32')", double, c=one_of(1, 2), weight=0.3)
row("divmod of arrays", "divmod({0}, {c})", double, c=constant(0.5, 2.0), outs="{0}, {1}",
    weight=0.2)  # fmt: skip
row("builtin abs", "abs({0}) + {c}", floating, c=whole(0, 3), weight=0.1)
row("sum of rows", "sum(r for r in {0})", both(arrays, inexact), weight=0.3)
row("unpacked", "(lambda a, *rest: a * len(rest))(*{0})", both(arrays, inexact), weight=0.3)
row("attributes", "{0}.real * {0}.size + {0}.imag", inexact, weight=0.3)
