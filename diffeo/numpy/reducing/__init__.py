"""Functions that combine the elements along axes: sums, order, quantiles, counts, sets."""
