"""``python -m tinygrad_mlp`` is the command ``tinygrad-mlp``."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
