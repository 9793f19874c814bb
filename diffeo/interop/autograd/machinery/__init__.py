"""What the modules of the dialect are made of: values, passes, opaque functions, names."""
