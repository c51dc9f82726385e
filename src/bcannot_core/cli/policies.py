"""``bcannot policies``: the policies that can be named."""

from bcannot_core.cli.common import JsonOption, say, table, write_json

NAME = "policies"
EXAMPLE = "bcannot policies"


def command(json_file: JsonOption = None) -> None:
    """List the policies that have a name.

    Those that come with the package, and the user's own.
    """
    from bcannot_core.policy.checkpoint import policy_folders, read_config, user_policies

    entries = []
    for name, folder in policy_folders().items():
        config = read_config(folder)
        size = sum(file.stat().st_size for file in folder.iterdir())
        entries.append(
            {
                "name": name,
                "folder": str(folder),
                "bytes": size,
                "version": config["version"],
                "training": config.get("training", {}),
            }
        )
    rows = [(of["name"], f"{of['bytes'] / 2**20:.1f} MiB", of["folder"]) for of in entries]
    table(("name", "size", "folder"), rows)
    if not entries:
        say(f"no policies: put checkpoint folders into {user_policies()}")
    write_json(json_file, {"policies": entries, "user_folder": str(user_policies())})
