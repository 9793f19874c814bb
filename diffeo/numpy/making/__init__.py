"""Arrays made: of data, of constants, ranges, grids; and their dtypes."""
