"""The forward functions that NumPy lacks, on arrays; their derivatives stand in the table, :mod:`tinygrad_mlp.rules`."""
