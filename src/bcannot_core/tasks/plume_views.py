"""What is made of outlined plumes: their score, and the scene as napari layers."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bcannot_core.tasks.base import LayerData
from bcannot_core.tasks.scoring import f1_score, polygon_mask
from bcannot_core.tasks.worlds.spectral_materials import BANDS, WAVELENGTHS_NM, signature
from bcannot_core.tasks.worlds.spectral_plume import SIDE, Cloud, PlumeWorld

FOUND_IOU = 0.5

Polygon = tuple[tuple[int, int], ...]


@lru_cache(maxsize=256)
def _outlined(polygon: Polygon) -> tuple[int, int, NDArray[np.bool_], int]:
    """Return where a polygon's window begins (x, y), its pixels there, and how many they are."""
    points = np.array(polygon, dtype=np.int64).reshape(-1, 2)
    left, top = (int(v) for v in points.min(axis=0))
    width, height = (int(v) + 1 for v in points.max(axis=0) - (left, top))
    mask = polygon_mask(points - (left, top), (height, width))
    return left, top, mask, int(np.count_nonzero(mask))


def plume_iou(polygon: Polygon, cloud: Cloud) -> float:
    """Return intersection over union of a polygon of three vertices or more and a cloud."""
    left, top, mask, area = _outlined(polygon)
    (x, y), inside = cloud.at_xy, cloud.blob.inside
    height, width = inside.shape
    x0, x1 = max(left, x), min(left + mask.shape[1], x + width)
    y0, y1 = max(top, y), min(top + mask.shape[0], y + height)
    common = 0
    if x0 < x1 and y0 < y1:
        both = mask[y0 - top : y1 - top, x0 - left : x1 - left]
        common = int(np.count_nonzero(both & inside[y0 - y : y1 - y, x0 - x : x1 - x]))
    union = area + int(np.count_nonzero(inside)) - common
    return common / union


def plume_score(world: PlumeWorld, polygons: Sequence[Polygon]) -> dict[str, Any]:
    """Return the metrics of closed polygons; each is compared with at most one plume."""
    plumes = world.plumes
    overlaps = np.array([[plume_iou(p, plume) for plume in plumes] for p in polygons])
    overlaps = overlaps.reshape(len(polygons), len(plumes))
    rows, columns = linear_sum_assignment(-overlaps)
    best = np.zeros(len(plumes))
    best[columns] = overlaps[rows, columns]
    right = {int(row) for row, iou in zip(rows, overlaps[rows, columns], strict=True)
             if iou >= FOUND_IOU}  # fmt: skip
    confounders = [cloud for cloud in world.clouds if not cloud.plume]
    on_confounders = sum(
        any(plume_iou(polygon, cloud) >= 0.2 for cloud in confounders)
        for i, polygon in enumerate(polygons)
        if i not in right
    )
    found = len(right)
    precision, recall, f1 = f1_score(found, len(polygons), len(plumes))
    return {
        "iou_mean": float(best.mean()),
        "iou_min": float(best.min()),
        "found": found,
        "missed": len(plumes) - found,
        "false": len(polygons) - found,
        "on_confounders": on_confounders,
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def plume_layers(world: PlumeWorld, polygons: Sequence[Polygon] | None) -> list[LayerData]:
    """Return the scene in true colour and by band, the truth (hidden), and polygons."""
    layers: list[LayerData] = [(world.band(None), {"name": "true colour", "rgb": True}, "image")]
    main = _deepest(world)
    for band in range(BANDS):
        picture = world.band(band)
        low, high = np.percentile(picture, (0.5, 99.5)).tolist()
        layers.append(
            (
                picture,
                {
                    "name": f"{WAVELENGTHS_NM[band]} nm",
                    "contrast_limits": (low, max(high, low + 1)),
                    "colormap": "gray",
                    "visible": band == main,
                },
                "image",
            )
        )
    labels = np.zeros((SIDE, SIDE), dtype=np.int32)
    for number, cloud in enumerate(world.clouds, 1):
        labels[cloud.slices][cloud.blob.inside] = number
    layers.append((labels, {"name": "true clouds", "visible": False, "opacity": 0.4}, "labels"))
    layers.append(_outlines(world))
    if polygons is not None:
        layers.append(_polygons(polygons))
    return layers


def _deepest(world: PlumeWorld) -> int:
    return signature(world.plumes[0].depths)[0]


def _outlines(world: PlumeWorld) -> LayerData:
    """Return the true outlines as polygons in (y, x), with kind, spectrum and colour."""
    clouds = world.clouds
    features: dict[str, Any] = {
        "kind": [cloud.kind for cloud in clouds],
        "plume": [cloud.plume for cloud in clouds],
    }
    for band in range(BANDS):
        features[f"depth at {WAVELENGTHS_NM[band]} nm"] = [c.depths[band] for c in clouds]
    colours = [[0.25, 1.0, 0.47, 1.0] if cloud.plume else [1.0, 0.3, 0.25, 1.0] for cloud in clouds]
    return (
        [cloud.outline_xy[:, ::-1] for cloud in clouds],
        {
            "name": "true outlines",
            "shape_type": "polygon",
            "features": features,
            "edge_color": colours,
            "edge_width": 1,
            "face_color": "transparent",
            "visible": False,
        },
        "shapes",
    )


def _polygons(polygons: Sequence[Polygon]) -> LayerData:
    """Return outlined plumes as polygons in (y, x)."""
    return (
        [np.array(polygon, dtype=np.float64)[:, ::-1] for polygon in polygons],
        {
            "name": "plumes",
            "shape_type": "polygon",
            "features": {"plume": list(range(len(polygons)))},
            "edge_color": "yellow",
            "edge_width": 1,
            "face_color": "transparent",
        },
        "shapes",
    )
