"""The description of a computation: everything that a drawing tells, as plain data."""
