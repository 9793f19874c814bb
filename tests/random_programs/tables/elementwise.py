"""Arithmetic, functions of each element, dtypes.

Operands of functions with poles or branch points are kept away from them by the templates.
"""

from tests.random_programs.kinds import (
    anything,
    booleans,
    both,
    complexes,
    constant,
    double,
    fits,
    floating,
    inexact,
    integers,
    number,
    numeric,
    one_of,
    real,
    same_type,
    whole,
    wide,
)
from tests.random_programs.program import row

for _name in ("sin", "cos", "exp", "sinh", "arctan", "arcsinh", "square", "negative", "conj"):
    row(_name, f"np.{_name}({{0}})", inexact)
for _name in ("sign", "abs", "cbrt", "exp2", "expm1", "fabs", "sinc", "i0", "deg2rad"):
    row(_name, f"np.{_name}({{0}})", floating, weight=0.6)
for _name in ("floor", "ceil", "trunc", "rint"):
    row(_name, f"np.{_name}({{0}})", floating, weight=0.15)
for _name in ("real", "imag", "abs"):
    row(f"complex {_name}", f"np.{_name}({{0}})", complexes, weight=2)
row("complex angle", "np.angle({0} + (0.31 + 0.17j))", complexes)  # exact zeros have none
row("tanh", "np.tanh({0})", floating)
row("complex tanh", "np.tanh({0} * 0.3)", complexes)
row("tan", "np.tan({0} * 0.2)", inexact, weight=0.5)
row("sqrt", "np.sqrt(np.abs({0}) + {c})", inexact, c=number(0.1, 2))
row("complex sqrt", "np.sqrt({0} * {0} + (3.7 + 1.3j))", complexes)
row("log", "np.log({0} * {0} + {c})", floating, c=number(0.3, 2))
row("complex log", "np.log(np.exp({0} * 0.3) + (2.6 + 0.1j))", complexes)
row("log1p", "np.log1p(np.abs({0}))", floating, weight=0.5)
row("log2", "np.log2(np.abs({0}) + 0.3)", floating, weight=0.3)
row("log10", "np.log10({0} ** 2 + 1)", floating, weight=0.3)
row("arcsin", "np.arcsin(np.sin({0}) * 0.9)", floating, weight=0.5)
row("arccos", "np.arccos(np.tanh({0}) * 0.9)", floating, weight=0.5)
row("arctanh", "np.arctanh(np.sin({0}) * 0.8)", floating, weight=0.5)
row("arccosh", "np.arccosh(np.abs({0}) + 1.2)", floating, weight=0.5)
row("reciprocal", "1 / ({0} * {0} + {c})", floating, c=number(0.4, 2))
row("where sqrt", "np.where({0} > 0.1, np.sqrt(np.where({0} > 0.1, {0}, 1.0)), {0} ** 2)", floating)
row("clip", "np.clip({0}, {low}, {high})", floating, low=number(-2, -0.3), high=number(0.3, 2))
row("nan_to_num", "np.nan_to_num({0})", floating, weight=0.3)
row("heaviside", "np.heaviside({0}, 0.5)", floating, weight=0.2)
row("modf", "np.modf({0})", floating, outs="{0}, {1}", weight=0.3)
row("frexp", "np.frexp({0})", floating, outs="{0}, {1}", weight=0.2)
row("ldexp", "np.ldexp({0}, {k})", floating, k=whole(-3, 3), weight=0.2)
row("round", "np.round({0}, {k})", floating, k=whole(0, 2), weight=0.15)
row("unwrap", "np.unwrap({0} * 3)", both(double, lambda v, *b: v.ndim > 0), weight=0.2)

for _name, _text in {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / ({1} * {1} + 1.3)",
}.items():
    row(_name, _text, numeric, both(numeric, fits), weight=1.5)
row("complex div", "{0} / ({1} + (3 + 1j))", inexact, both(complexes, fits))
row("maximum", "np.maximum({0}, {1})", real, both(real, fits))
row("minimum", "np.minimum({0}, {1})", real, both(real, fits))
row("fmax", "np.fmax({0}, {1})", floating, both(floating, fits), weight=0.4)
row("fmin", "np.fmin({0}, {1})", floating, both(floating, fits), weight=0.4)
row("arctan2", "np.arctan2({0}, {1})", floating, both(floating, fits))
row("hypot", "np.hypot({0}, {1})", floating, both(floating, fits))
row("logaddexp", "np.logaddexp({0}, {1})", floating, both(floating, fits))
row("logaddexp2", "np.logaddexp2({0}, {1})", floating, both(floating, fits), weight=0.5)
row("copysign", "np.copysign({0}, {1})", floating, both(floating, fits), weight=0.4)
row("power", "(np.abs({0}) + 0.4) ** np.tanh({1})", floating, both(floating, fits))
row("power of a number", "(np.abs({0}) + 0.3) ** {p}", floating, p=number(-2, 3))
row("complex power", "({0} * 0.2 + (2 + 1j)) ** {p}", complexes, p=number(-1.5, 2))
row("number to a power", "{b} ** {0}", floating, b=number(0.4, 2.5))
row("integer power", "{0} ** {n}", numeric, n=whole(0, 4))
row("negative power", "(np.abs({0}) + 1) ** {n}", floating, n=whole(-3, -1))
row("integer powers", "{0} ** np.abs({1} % 4)", numeric, both(integers, fits), weight=0.6)
row("float_power", "np.float_power(np.abs({0}) + 0.5, {p})", real, p=number(-1, 2), weight=0.3)
row("mod", "{0} % (np.abs({1}) + 0.7)", floating, both(floating, fits), weight=0.6)
row("floor_divide", "{0} // (np.abs({1}) + 0.7)", floating, both(floating, fits), weight=0.3)
row("fmod", "np.fmod({0}, {c})", floating, c=number(0.5, 2), weight=0.4)
row("divmod", "np.divmod({0}, {c})", real, c=whole(1, 3), outs="{0}, {1}", weight=0.4)
row("times a number", "{0} * {c}", inexact, c=number(-2, 2))
row("number minus", "{c} - {0}", numeric, c=number(-2, 2))
row("whole number plus", "{c} + {0}", anything, c=whole(-5, 9), weight=0.6)
row("divide by", "{0} / {c}", anything, c=number(0.5, 3), weight=0.6)
row("imaginary", "{0} * {c}j", numeric, c=number(-2, 2), weight=0.5)
row("constant", "{0} * {c}", inexact, c=constant())
row("plus one of", "{0} + {c}", numeric, c=constant(), weight=0.5)
row("complex of parts", "{0} + 1j * {1}", floating, both(floating, fits), weight=0.6)
row("lax.complex", "lax.complex({0}, {1})", double, both(double, lambda v, b: v.shape == b.shape),
    weight=0.5)  # fmt: skip

# Integers and booleans
row("and", "{0} & {1}", integers, both(integers, fits), weight=0.4)
row("or", "{0} | {1}", booleans, both(booleans, fits), weight=0.4)
row("xor", "{0} ^ {1}", integers, both(integers, same_type, fits), weight=0.4)
row("invert", "~{0}", lambda v: integers(v) or booleans(v), weight=0.4)
row("shift", "{0} << {k}", integers, k=whole(0, 3), weight=0.3)
row("shift right", "{0} >> {k}", integers, k=whole(0, 3), weight=0.3)
row("integer divmod", "np.divmod({0}, {k})", integers, k=one_of(2, 3, 5), outs="{0}, {1}",
    weight=0.4)  # fmt: skip
row("integer floor", "{0} // (np.abs({1}) + 1)", integers, both(integers, fits), weight=0.4)
row("gcd", "np.gcd({0}, {k})", integers, k=whole(1, 12), weight=0.3)
row("bit count", "np.bitwise_count({0})", integers, weight=0.2)
row("index of", "np.abs({0}).astype('int64') % {k}", real, k=whole(1, 5), weight=0.7)
for _name in ("<", "<=", ">", ">=", "==", "!="):
    row(f"compare {_name}", f"{{0}} {_name} {{1}}", real, both(real, fits), weight=0.3)
row("compare a number", "{0} > {c}", real, c=number(-1, 1), weight=0.6)
row("logical_and", "np.logical_and({0}, {1})", anything, both(anything, fits), weight=0.3)
row("logical_not", "np.logical_not({0})", anything, weight=0.2)
row("isfinite", "np.isfinite({0})", inexact, weight=0.2)
row("where", "np.where({0}, {1}, {2})", both(booleans), both(numeric, fits), both(numeric, fits),
    weight=2)  # fmt: skip
row("where number", "np.where({0} > {c}, {1}, {d})", real, both(inexact, fits), c=number(-1, 1),
    d=number(-1, 1))  # fmt: skip
row("select", "np.select([{0} > {c}, {0} < -{c}], [{0} * 2, {1}], {1} - 1)", floating,
    both(floating, fits), c=number(0.2, 1), weight=0.5)  # fmt: skip
row("piecewise", "np.piecewise({0}, [{0} > {c}, {0} < -{c}], [np.sin, lambda t: t ** 2, 0.5])",
    floating, c=number(0.2, 1), weight=0.3)  # fmt: skip

# Dtypes
row("astype", "{0}.astype({t})", real,
    t=one_of("float64", "float64", "float32", "float16", "int32", "int64"), weight=0.7)  # fmt: skip
row("widen", "{0}.astype('float64')", lambda v: v.dtype.name in ("float32", "float16", "bfloat16"),
    weight=3)  # fmt: skip
row("as complex", "{0}.astype('complex128')", numeric, weight=0.4)
row("as bool", "{0}.astype(bool)", numeric, weight=0.2)
row("float of bool", "{0}.astype('float64') * {1}", booleans, both(floating, fits))
row("asarray", "np.asarray({0}, dtype={t})", anything, t=one_of("complex128"), weight=0.2)

# Special functions
for _name in ("erf", "erfc", "expit", "log_ndtr", "ndtr", "i0e", "i1", "i1e", "erfcx"):
    _trait = "ours" if _name == "erfcx" else ""
    row(
        f"special {_name}",
        f"special.{_name}({{0}})",
        both(floating, wide),
        weight=0.3,
        traits=_trait,
    )
for _name in ("gammaln", "digamma"):
    row(
        f"special {_name}",
        f"special.{_name}(np.abs({{0}}) + 0.5)",
        both(floating, wide),
        weight=0.4,
    )
row("special gamma", "special.gamma(np.abs({0}) + 0.6)", double, weight=0.3)
row("special polygamma", "special.polygamma({n}, np.abs({0}) + 0.8)", double, n=whole(1, 2),
    weight=0.3)  # fmt: skip
row("special zeta", "special.zeta(np.abs({0}) + 1.5, 1.2)", double, weight=0.2)
row("special logit", "special.logit(nn.sigmoid({0}) * 0.8 + 0.1)", double, weight=0.3)
row(
    "special xlogy", "special.xlogy({0}, np.abs({1}) + 0.2)", double, both(double, fits), weight=0.4
)
row("special entr", "special.entr(np.abs({0}) + 0.1)", double, weight=0.3)
row("special rel_entr", "special.rel_entr(np.abs({0}) + 0.1, np.abs({1}) + 0.3)", double,
    both(double, fits), weight=0.3)  # fmt: skip
row("special betaln", "special.betaln(np.abs({0}) + 0.4, np.abs({1}) + 0.4)", double,
    both(double, fits), weight=0.3)  # fmt: skip
row("special gammainc", "special.gammainc(np.abs({0}) + 0.5, np.abs({1}) + 0.3)", double,
    both(double, fits), weight=0.3, traits="value in jax, steep")  # fmt: skip
row("special betainc", "special.betainc(np.abs({0}) + 0.5, 1.7, nn.sigmoid({1}))", double,
    both(double, fits), weight=0.3, traits="value in jax, steep")  # fmt: skip
row("special ndtri", "special.ndtri(nn.sigmoid({0}) * 0.9 + 0.05)", double, weight=0.3)
row("special erfinv", "special.erfinv(np.tanh({0}) * 0.9)", double, weight=0.3)
row(
    "special spence", "special.spence(np.abs({0}) + 0.3)", double, weight=0.2, traits="value in jax"
)
row("special sici", "special.sici(np.abs({0}) + 0.3)", double, outs="{0}, {1}", weight=0.2,
    traits="ours")  # fmt: skip

# Functions of neural networks
for _name in ("relu", "softplus", "silu", "elu", "selu", "celu", "gelu", "soft_sign", "mish",
              "log_sigmoid", "hard_tanh", "leaky_relu", "relu6", "squareplus",
              "hard_silu"):  # fmt: skip
    row(f"nn {_name}", f"nn.{_name}({{0}})", floating, weight=0.25)
