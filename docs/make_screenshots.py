"""Make the pictures of the plugin in ``docs/images`` by driving it as a person would.

Run from the repository's root, where there is no display under a virtual one:

    xvfb-run -a -s "-screen 0 1400x900x24" python docs/make_screenshots.py [NAME …] [--policy P]

The person's settings and sessions are not touched: a home of its own is made for the while.
"""

import argparse
import os
import tempfile
from importlib import import_module

NAMES = ("tracing", "volumes", "many", "playing")


def main() -> None:
    """Make the pictures that are asked for, each widget in a viewer of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(NAMES)}; all by default")
    parser.add_argument("--policy", default="default", help="name or folder of the policy")
    parser.add_argument("--seed", type=int, default=0, help="which neurite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)
        for name in options.names or NAMES:
            given = (options.policy, options.seed) if name == "tracing" else ()
            import_module(f"shots.{name}").pictures(*given)


if __name__ == "__main__":
    main()
