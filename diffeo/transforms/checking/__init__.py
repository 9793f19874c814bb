"""The interpreter that makes checks part of the results of a function."""
