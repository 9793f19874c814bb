"""`autograd.scipy.stats`: distributions, each a module with functions that take traced values."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

import scipy.stats as _scipy

from ....scipy import stats as _ours
from ..machinery.namespaces import Namespace, submodule
from .made import STATS

#: The distributions, of those that diffeo has.
DISTRIBUTIONS = (
    "bernoulli", "beta", "betabinom", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma",
    "gennorm", "geom", "gumbel_l", "gumbel_r", "laplace", "logistic", "multinomial",
    "multivariate_normal", "nbinom", "norm", "pareto", "poisson", "t", "truncnorm", "uniform",
    "vonmises", "wrapcauchy",
)  # fmt: skip
#: For `import`: it makes this module one that has modules inside.
__path__: list[str] = []


def _distribution(name: str) -> ModuleType:
    ours = lambda: getattr(_ours, name)
    return submodule(
        __name__, name, lambda full: Namespace(full, getattr(_scipy, name), ours, STATS.get(name))
    )


_modules = {name: _distribution(name) for name in DISTRIBUTIONS}
_names = Namespace(__name__, _scipy, lambda: _ours, _modules)

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...
else:
    __getattr__, __dir__ = _names.load, _names.listed
