"""Taylor mode: values are power series. Start reading at `series.py`, then `taylor.py`."""
