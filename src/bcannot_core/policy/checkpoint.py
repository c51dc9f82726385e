"""Checkpoint folders: ``config.json``, safetensors shards, a model card. No pickle is ever read."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_data_path
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bcannot_core.errors import CheckpointError
from bcannot_core.policy.config import PolicyConfig
from bcannot_core.policy.frames.config import FramesConfig
from bcannot_core.policy.frames.net import FramesNet
from bcannot_core.policy.network import PolicyNet
from bcannot_core.policy.plain import read_description
from bcannot_core.policy.tensors import written

Net = PolicyNet | FramesNet
"""The network of a policy, of whichever family."""

FORMAT = "bcannot-policy"
VERSION = 2
SHARD_BYTES = 16 * 1024 * 1024 - 65_536
_SHARDS = 256
CARD = "README.md"
_PARTS = ("config.json", CARD, "model-*-of-*.safetensors", "probes")


def policy_folders() -> dict[str, Path]:
    """Return the named policies: those of the package, then the user's own."""
    found: dict[str, Path] = {}
    bundled = Path(str(resources.files("bcannot_core"))) / "data" / "policies"
    for root in (bundled, user_policies()):
        if root.is_dir():
            found |= {p.name: p for p in sorted(root.iterdir()) if (p / "config.json").is_file()}
    return found


def user_policies() -> Path:
    """Return the folder of the user's own named policies."""
    return user_data_path("bcannot") / "policies"


def resolve_policy(name: str | Path) -> Path:
    """Return the folder of a policy given by name or folder.

    A name goes before a folder of that name that happens to be here, which is ``./name``.

    Raises
    ------
    CheckpointError
        There is neither such a folder nor such a name.
    """
    folders = policy_folders()
    if isinstance(name, str) and name in folders:
        return folders[name]
    if Path(name).is_dir():
        return Path(name)
    known = ", ".join(folders) or "none"
    raise CheckpointError(f"there is no policy {str(name)!r}: give a folder or one of: {known}")


def save_checkpoint(
    net: Net, folder: Path, *, card: str, training: Mapping[str, Any], half: bool = True
) -> None:
    """Write a checkpoint folder; an existing one is replaced once the new one is whole.

    What else lies in that folder stays in it.

    Parameters
    ----------
    net : Net
        What to save.
    folder : Path
        Where to.
    card : str
        The model card, Markdown.
    training : mapping
        What made the policy: plain values.
    half : bool
        Store weights as float16; statistics of the normalisation stay float32.

    Raises
    ------
    CheckpointError
        Something else than a policy is there already, or the disk is full.
    """
    if folder.exists() and not _replaceable(folder):
        raise CheckpointError(f"{folder} holds something else than a policy: choose another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    old = scratch.with_name(scratch.name + "-old")
    try:
        tensors = {name: _stored(name, t, half=half) for name, t in net.state_dict().items()}
        shards = list(_shards(tensors))
        for i, shard in enumerate(shards):
            path = scratch / f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
            with written(folder / path.name):
                save_file(shard, path)
            path.chmod(0o644)
        config = {
            "format": FORMAT,
            "version": VERSION,
            "family": family_of(net),
            "policy": net.config.to_json(),
            "training": dict(training),
        }
        (scratch / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (scratch / CARD).write_text(card or f"# {folder.name}\n", encoding="utf-8")
        scratch.chmod(0o755)
        if folder.exists():
            folder.replace(old)
        scratch.replace(folder)
        _keep_others(old, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def _replaceable(folder: Path) -> bool:
    """Whether a folder is a policy's or empty, and no file."""
    if not folder.is_dir():
        return False
    try:
        read_config(folder)
    except CheckpointError:
        return not any(folder.iterdir())
    return True


def _keep_others(old: Path, folder: Path) -> None:
    """Move what is no part of a policy from its former folder into the new one."""
    for entry in sorted(old.iterdir()) if old.is_dir() else ():
        if not any(entry.match(pattern) for pattern in _PARTS):
            entry.replace(folder / entry.name)


def family_of(net: Net) -> str:
    """Return the name of a network's family, as it stands in ``config.json``."""
    return net.family


def _build(config: Mapping[str, Any], folder: Path) -> Net:
    """Return the network, without memory for its weights, that a configuration describes."""
    family = config.get("family", "glance")
    values = config["policy"]
    with torch.device("meta"):  # takes no memory, whatever the configuration says
        if family == "glance":
            return PolicyNet(PolicyConfig.from_json(values))
        if family == "frames":
            return FramesNet(FramesConfig.from_json(values))
    raise CheckpointError(
        f"{folder} holds a policy of the family {family!r}, which this release does not know: "
        "update bcannot"
    )


def load_checkpoint(folder: Path) -> Net:
    """Read a checkpoint folder, of whichever family.

    Raises
    ------
    CheckpointError
        A file is missing, unreadable, of another version, or does not fit the configuration.
    """
    net = _build(read_config(folder), folder)
    state: dict[str, Tensor] = {}
    for path in _shard_paths(folder):
        try:
            with safe_open(path, framework="pt") as shard:
                state |= {name: shard.get_tensor(name) for name in shard.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} is not readable: {error}; get the policy anew"
            ) from error
    expected = net.state_dict()
    if set(state) != set(expected):
        odd = sorted(set(state) ^ set(expected))[:3]
        raise CheckpointError(
            f"{folder}: weights do not fit the configuration ({', '.join(odd)} …)"
        )
    for name, tensor in expected.items():
        if state[name].shape != tensor.shape:
            raise CheckpointError(
                f"{folder}: {name} has shape {tuple(state[name].shape)}, not {tuple(tensor.shape)}"
            )
    weights = {name: state[name].to(t.dtype) for name, t in expected.items()}
    net.load_state_dict(weights, assign=True)
    return net


def load_glance(folder: Path) -> PolicyNet:
    """Read a checkpoint folder of the glance family.

    Raises
    ------
    CheckpointError
        As :func:`load_checkpoint`, and where the policy is of another family.
    """
    net = load_checkpoint(folder)
    if not isinstance(net, PolicyNet):
        raise CheckpointError(
            f"{folder} holds a policy of the family {family_of(net)!r}: give one for tracing"
        )
    return net


def read_config(folder: Path) -> dict[str, Any]:
    """Return the checked contents of ``config.json``.

    Raises
    ------
    CheckpointError
        It is missing, unreadable or of another version.
    """
    path = folder / "config.json"
    config = read_description(path, "a policy", FORMAT, VERSION, "train the policy anew")
    if not isinstance(config.get("policy"), dict):
        raise CheckpointError(f"{path} lacks the policy's configuration")
    return config


def _shard_paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("model-*-of-*.safetensors"))
    if not paths or len(paths) > _SHARDS:
        raise CheckpointError(f"{folder} holds {len(paths)} weight files: get the policy anew")
    wanted = [f"model-{i + 1:05d}-of-{len(paths):05d}.safetensors" for i in range(len(paths))]
    if [p.name for p in paths] != wanted:
        raise CheckpointError(f"{folder} lacks some of its weight files: get the policy anew")
    return paths


def _stored(name: str, tensor: Tensor, *, half: bool) -> Tensor:
    tensor = tensor.detach().cpu().contiguous()
    if half and tensor.dtype == torch.float32 and "running_" not in name:
        return tensor.half()
    return tensor


def _shards(tensors: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if shard and size + tensor.nbytes > SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = tensor
        size += tensor.nbytes
    yield shard
