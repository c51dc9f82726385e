"""``python -m bcannot_core.cli``."""

from bcannot_core.cli import main

if __name__ == "__main__":
    main()
