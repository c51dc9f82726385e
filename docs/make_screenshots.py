"""Make the pictures of the plugin in ``docs/images`` by driving it as a person would.

Run from the repository's root, where there is no display under a virtual one:

    xvfb-run -a -s "-screen 0 1400x900x24" python docs/make_screenshots.py [NAME …]

Sessions and learning show what the tracing before them recorded. The person's own settings and
sessions are not touched: the pictures have a home of their own.
"""

import argparse
import os
import tempfile
from importlib import import_module

NAMES = ("volumes", "many", "playing", "tracing", "sessions", "learning")


def main() -> None:
    """Make the pictures that are asked for, each widget in a viewer of its own."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"which: {', '.join(NAMES)}; all by default")
    parser.add_argument("--home", help="folder for settings and sessions; made for the while")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = options.home or made
        os.environ.update(HOME=home, XDG_DATA_HOME=home, XDG_CONFIG_HOME=home)
        import_module("napari_bcannot.first_run").hint_seen()
        for name in options.names or NAMES:
            import_module(f"shots.{name}").pictures()


if __name__ == "__main__":
    main()
