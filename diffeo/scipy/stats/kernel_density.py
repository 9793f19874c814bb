"""Densities of samples: `gaussian_kde`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...nn.normalized import logsumexp
from ...numpy.common import arr, real_only, same_dtype
from ...numpy.linalg.systems import inv
from ...numpy.making.creation import full
from ...numpy.reducing.reductions import sum as sum_of
from ...numpy.shaping import atleast_2d
from ...primitives.core import Value, describe, with_user_line
from ...primitives.words import elementwise as e
from ...primitives.words.promotion import to_inexact
from ...random.choosing import choice
from ...random.keys import split
from ...random.samplers import normal
from ...trees.registration import register_pytree_node_class
from ..solving import cholesky, solve_triangular
from ..special.normal import ndtr


def _log_sum_of_diagonal(factor: Value) -> Any:
    return sum_of(e.log.bind(factor.diagonal()))


@register_pytree_node_class
class gaussian_kde:
    """Estimate the density of a sample by a sum of normal densities, one around each point.

    The estimate is a tree of arrays, so it may go through `jit`, `vmap` and `grad`.

    Args:
        dataset: [n], or [d, n] for n points in d dimensions; real numbers.
        bw_method: the width of the normal densities, in units of the sample's: a number, "scott"
            (the default), "silverman", or a function of the estimate that returns a number.
        weights: [n], of the points; equal ones by default.

    Attributes:
        dataset: [d, n].
        weights: [n]; their sum is 1.
        neff: the effective number of points, 1 / sum(weights**2).
        covariance, inv_cov: [d, d], of the normal densities, and the inverse.

    Raises:
        ValueError: for fewer than two numbers, weights of another shape, or another `bw_method`.
        TypeError: for complex numbers.

    Examples:
        >>> import diffeo as dx
        >>> kde = gaussian_kde(dx.numpy.array([0.0, 1.0, 2.0]))
        >>> kde(1.0)
        Array([0.31815622])
    """

    __slots__ = ("__weakref__", "covariance", "dataset", "inv_cov", "neff", "weights")

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None):
        dataset = atleast_2d(arr(to_inexact(real_only("gaussian_kde", arr(dataset)))))
        if dataset.ndim != 2 or dataset.size < 2:
            raise with_user_line(
                ValueError(
                    f"dataset must be [n] or [d, n], with two numbers or more; got {dataset.aval}"
                )
            )
        n = dataset.shape[1]
        if weights is None:
            weights = full((n,), 1.0 / n, dataset.dtype)
        else:
            dataset, weights = same_dtype(dataset, to_inexact(arr(weights)))
            if weights.shape != (n,):
                raise with_user_line(
                    ValueError(f"weights must be of shape ({n},), got shape {weights.shape}")
                )
            weights = weights / sum_of(weights)
        self.dataset, self.weights = dataset, weights
        self.neff = 1.0 / sum_of(weights * weights)
        factor = self._factor(bw_method)
        away = dataset - sum_of(weights * dataset, 1, keepdims=True)
        covariance = (weights * away) @ away.T / (1.0 - sum_of(weights * weights))
        self.covariance = covariance * factor**2
        self.inv_cov = inv(covariance) / factor**2

    def _factor(self, bw_method: Any) -> Any:
        """Return the width of the normal densities, in units of the sample's."""
        if bw_method is None or isinstance(bw_method, str):
            if bw_method in (None, "scott"):
                return self.neff ** (-1.0 / (self.d + 4))
            if bw_method == "silverman":
                return (self.neff * (self.d + 2) / 4.0) ** (-1.0 / (self.d + 4))
        elif isinstance(bw_method, Callable):
            return bw_method(self)
        elif getattr(bw_method, "ndim", 0) == 0:
            return arr(bw_method)
        raise with_user_line(
            ValueError(
                "bw_method must be 'scott', 'silverman', a number or a function, got "
                f"{describe(bw_method)}"
            )
        )

    def tree_flatten(self) -> tuple[tuple, None]:
        """Return the arrays; for `diffeo.tree`."""
        return (self.neff, self.dataset, self.weights, self.covariance, self.inv_cov), None

    @classmethod
    def tree_unflatten(cls, aux_data: None, children: Any) -> gaussian_kde:
        """Return the estimate of these arrays; for `diffeo.tree`."""
        kde = cls.__new__(cls)
        kde.neff, kde.dataset, kde.weights, kde.covariance, kde.inv_cov = children
        return kde

    @property
    def d(self) -> int:
        """The number of dimensions."""
        return self.dataset.shape[0]

    @property
    def n(self) -> int:
        """The number of points."""
        return self.dataset.shape[1]

    def _points(self, points: Any) -> Any:
        """Return points as [d, m]."""
        points = atleast_2d(arr(to_inexact(real_only("gaussian_kde", arr(points)))))
        if points.shape[0] != self.d:
            if points.shape != (1, self.d):
                raise with_user_line(
                    ValueError(
                        f"points must have {self.d} rows, as the dataset; got shape {points.shape}"
                    )
                )
            points = points.T
        return same_dtype(points, self.dataset)[0]

    def _energies(self, points: Value, covariance: Value) -> tuple[Any, Any]:
        """Return half the squared distances [n, m] of points, and the logarithm of the constant.

        Distances are measured by the covariance.
        """
        factor = cholesky(covariance, lower=True)
        white, data = (solve_triangular(factor, v, lower=True) for v in (points, self.dataset))
        away = data[:, :, None] - white[:, None, :]
        constant = -_log_sum_of_diagonal(factor) - 0.5 * self.d * math.log(2 * math.pi)
        return 0.5 * sum_of(away * away, 0), constant

    def evaluate(self, points: Any) -> Any:
        """Compute the density at points [d, m], or [m] in one dimension: an array [m].

        Raises:
            ValueError: for another number of dimensions.
        """
        energies, constant = self._energies(self._points(points), self.covariance)
        return sum_of(self.weights[:, None] * e.exp.bind(constant - energies), 0)

    def __call__(self, points: Any) -> Any:
        """Compute the density, as `evaluate`."""
        return self.evaluate(points)

    def pdf(self, x: Any) -> Any:
        """Compute the density, as `evaluate`."""
        return self.evaluate(x)

    def logpdf(self, x: Any) -> Any:
        """Compute the logarithm of the density, also where the density is too small a number."""
        energies, constant = self._energies(self._points(x), self.covariance)
        return logsumexp(constant - energies, 0, b=self.weights[:, None])

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """Integrate the product with a normal density of a mean [d] and a covariance [d, d].

        Raises:
            ValueError: for other shapes.
        """
        mean, cov = arr(mean).reshape((-1,)), atleast_2d(arr(cov))
        if mean.shape != (self.d,) or cov.shape != (self.d, self.d):
            raise with_user_line(
                ValueError(
                    f"in {self.d} dimensions, mean must have {self.d} elements and cov the shape "
                    f"{(self.d, self.d)}; got shapes {mean.shape} and {cov.shape}"
                )
            )
        energies, constant = self._energies(self._points(mean[:, None]), self.covariance + cov)
        return sum_of(self.weights * e.exp.bind(constant - energies)[:, 0])

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """Integrate the density, in one dimension, from one number to another.

        Raises:
            ValueError: in more dimensions, or for arrays with axes.
        """
        low, high = arr(low), arr(high)
        if self.d != 1 or low.ndim or high.ndim:
            raise with_user_line(
                ValueError(
                    "integrate_box_1d needs a dataset of one dimension and two numbers, got "
                    f"{self.d} dimensions and shapes {low.shape} and {high.shape}"
                )
            )
        sigma = e.sqrt.bind(self.covariance[0, 0])
        low, high = ((v - self.dataset[0]) / sigma for v in (low, high))
        return sum_of(self.weights * (ndtr(high) - ndtr(low)))

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> Any:
        """Integrate the density over a box; in one dimension only.

        Raises:
            NotImplementedError: in more dimensions, or for `maxpts`.
        """
        if self.d != 1 or maxpts is not None:
            raise with_user_line(
                NotImplementedError(
                    "integrate_box: in one dimension only, without maxpts; in more, average over "
                    "resample(key, shape)"
                )
            )
        return self.integrate_box_1d(arr(low_bounds).reshape(()), arr(high_bounds).reshape(()))

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """Integrate the product with another estimate, of as many dimensions.

        Raises:
            ValueError: for another number of dimensions.
        """
        if other.d != self.d:
            raise with_user_line(
                ValueError(f"the estimates have {self.d} and {other.d} dimensions")
            )
        energies, constant = self._energies(other.dataset, self.covariance + other.covariance)
        return sum_of(self.weights[:, None] * other.weights * e.exp.bind(constant - energies))

    def resample(self, key: Any, shape: Any = ()) -> Any:
        """Draw points from the estimated density: an array [d, *shape].

        Args:
            key: a random key.
            shape: the shape of the sample.
        """
        of_point, of_kernel = split(key)
        chosen = choice(of_point, self.n, shape, p=self.weights)
        factor = cholesky(self.covariance, lower=True)
        noise = normal(of_kernel, (*chosen.shape, self.d), self.dataset.dtype) @ factor.T
        return self.dataset[:, chosen] + noise.T

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Refuse to change the estimate, which is immutable.

        Raises:
            NotImplementedError: always.
        """
        raise with_user_line(
            NotImplementedError(
                "set_bandwidth: an estimate does not change; make another one with bw_method"
            )
        )
