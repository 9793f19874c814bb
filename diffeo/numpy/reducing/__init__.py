"""Elements combined: sums, order, quantiles, counts, sets."""
