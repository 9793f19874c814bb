"""What users call: one file for each family of public functions."""
