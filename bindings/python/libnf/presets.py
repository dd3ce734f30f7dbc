"""Specs and settings by the size of the data: those of `nf train auto`, `realnvp`, `maf` and `nsf`."""
from __future__ import annotations

from typing import Any

PRESETS = {
    "auto": "autoregressive splines, chosen by the number of rows, for the likelihood of held-out rows",
    "anomaly": "a smooth fit of all rows that ranks outliers; its density is broader than the data on purpose",
    "realnvp": "affine couplings; fast in both directions",
    "maf": "masked autoregressive; scores fast, samples column by column",
    "nsf": "rational-quadratic spline couplings between linear maps; the most accurate with many rows",
}


def recipe(name: str, rows: int, columns: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the spec of a preset for so many rows, and the options to fit it with."""
    if name == "anomaly":
        return _ranking(columns)
    if name == "auto":
        return _many_rows() if rows >= 50_000 else _fewer_rows(rows)
    if name not in PRESETS:
        raise ValueError(f"preset {name!r} is unknown: expected one of {', '.join(PRESETS)}, a spec, or a .json file")
    width = 32 if rows < 2_000 else 64 if rows < 20_000 else 128 if rows < 200_000 else 256
    batch = 64 if rows < 2_000 else 128 if rows < 20_000 else 256 if rows < 200_000 else 512
    layers = {"realnvp": _realnvp, "maf": _maf, "nsf": _nsf}[name](rows, columns, width)
    return {"layers": layers}, {"batch": batch, "lr": 1e-3, "schedule": "cosine", "clip_norm": 5.0}


def _realnvp(rows: int, _columns: int, width: int) -> list[Any]:
    coupling = {"type": "affine_coupling", "net": {"type": "mlp", "hidden": [width, width]}}
    chain = [coupling, {"type": "reverse"}, coupling, {"type": "shuffle"}]
    return [{"repeat": 3 if rows < 2_000 else 5, "layers": chain}]


def _maf(_rows: int, _columns: int, width: int) -> list[Any]:
    layer = {"type": "masked_autoregressive", "net": {"type": "mlp", "hidden": [width, width]}}
    return [{"repeat": 5, "layers": [layer, {"type": "reverse"}]}]


def _nsf(_rows: int, columns: int, width: int) -> list[Any]:
    if columns == 1:
        return [{"repeat": 2, "layers": [{"type": "spline", "bins": 16, "bound": 4}]}]
    spline = {"type": "spline_coupling", "bins": 8, "bound": 4, "unconditional": True,
              "net": {"type": "residual", "hidden": [width], "blocks": 2}}
    return [{"repeat": 5, "layers": [{"type": "shuffle"}, {"type": "lu_linear"}, spline]}, {"type": "lu_linear"}]


def _ranking(columns: int) -> tuple[dict[str, Any], dict[str, Any]]:
    maf = {"type": "masked_autoregressive", "order": "random", "net": {"type": "mlp", "hidden": [32]}}
    noise = {"type": "noise", "std": 0.3, "spread": 1}
    spline = {"type": "spline", "bins": 8, "bound": 4}
    base = {"type": "flow_mixture", "members": max(1, min(4, 800 // columns)), "fit": "each",
            "base": {"type": "student_t", "dof": 1},
            "layers": [noise, maf, maf, spline] if columns <= 800 else [noise, spline]}
    return {"base": base, "layers": []}, {"batch": 128, "lr": 5e-3, "schedule": "cosine", "steps": 500, "holdout": 0.0}


def _four_times(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"layers": [{"repeat": 4, "layers": list(layers)}]}


def _settings(batch: int, lr: float, ema: float, steps: int) -> dict[str, Any]:
    return {"batch": batch, "order": "replacement", "lr": lr, "schedule": "cosine", "clip_norm": 5.0, "ema_decay": ema,
            "steps": steps}


def _many_rows() -> tuple[dict[str, Any], dict[str, Any]]:
    net = {"type": "mlp", "hidden": [128, 128]}
    spline = {"type": "spline_autoregressive", "bins": 8, "bound": 3, "net": net}
    return _four_times({"type": "lu_linear"}, spline, {"type": "reverse"}), _settings(512, 2e-3, 0.999, 10_000)


def _fewer_rows(rows: int) -> tuple[dict[str, Any], dict[str, Any]]:
    width = 128 if rows < 1_000 else 256
    net = {"type": "mlp", "hidden": [width, width], "dropout": 0.3}
    spline = {"type": "spline_autoregressive", "bins": 4, "bound": 4, "net": net}
    return (_four_times({"type": "reverse"}, spline, {"type": "batch_norm"}),
            _settings(128, 6e-4, 0.998, 4_000 if rows < 1_000 else 6_000))
