"""Functions that make arrays: from data, of constants, ranges and grids; and their dtypes."""
