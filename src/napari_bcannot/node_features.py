"""What is known of each node, as columns of a layer that other plugins understand."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari_bcannot.neurites import Neurite


def node_features(neurite: "Neurite") -> dict[str, Any]:
    """Return the columns of a neurite's nodes, in the order of ``neurite.trace.rows``.

    ``id`` and ``parent`` join the nodes (the root's parent is -1), ``neurite`` is its name,
    ``placed_by`` a person or a policy, ``confidence`` the policy's (NaN where it is not known) and
    ``status`` says whether the node was accepted or corrects a policy.
    """
    trace = neurite.trace
    count = trace.count
    ids = np.arange(1, count + 1)
    parents = ids - 1
    if trace.task.config.direction < 0:
        parents = ids + 1
        parents[-1:] = -1
    else:
        parents[:1] = -1
    infos = trace.node_infos()
    status = ["accepted" if one.accepted else "corrected" if one.corrects else "" for one in infos]
    return {
        "id": ids,
        "parent": parents,
        "neurite": np.full(count, neurite.name, dtype=object),
        "placed_by": np.array([one.actor for one in infos], dtype=object),
        "confidence": np.array(
            [np.nan if one.confidence is None else one.confidence for one in infos], np.float32
        ),
        "status": np.array(status, dtype=object),
    }
