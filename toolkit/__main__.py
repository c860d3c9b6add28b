"""`python -m toolkit` is `pripro`, and `torchrun -m toolkit protect ...` is that in several processes."""

from .cli.main import main

if __name__ == "__main__":
    main()
