"""libnf through its Python package, timed as the peers are. Usage: ours.py libnf THREADS"""
import sys

import numpy as np

import libnf

import cases

threads = int(sys.argv[2])
runtime = libnf.Runtime(threads=threads)
generator = np.random.default_rng(1)


def spec(model):
    if model["family"] == "vae":
        return {"kind": "vae", "event": [28, 28, 1], "latent": model["latent"], "encoder": model["encoder"],
                "decoder": model["decoder"], "likelihood": "bernoulli"}
    if model is cases.NSF:
        spline = {"type": "spline_coupling", "bins": model["bins"], "bound": 3, "mask": "alternating",
                  "net": {"type": "residual", "hidden": [model["hidden"]], "blocks": 2}}
        layers = [{"type": "lu_linear"}, spline, {"type": "lu_linear"}, {**spline, "swap": True}]
        return {"event": model["features"], "layers": [{"repeat": model["layers"] // 2, "layers": layers}]}
    if model is cases.PLANAR:
        return {"event": 2, "layers": [{"repeat": model["layers"], "type": "planar", "invert": True}]}
    if model is cases.MAF:
        layer = {"type": "masked_autoregressive", "hidden": [model["hidden"]] * 2}
    elif model is cases.NSF_AR:
        layer = {"type": "spline_autoregressive", "bins": model["bins"], "bound": 3, "hidden": [model["hidden"]] * 2}
    else:
        layer = {"type": "affine_coupling", "net": {"type": "residual", "hidden": [model["hidden"]], "blocks": 1}}
    return {"event": model["features"], "layers": [{"repeat": model["layers"], "layers": [layer, {"type": "reverse"}]}]}


def build(model, what, rows):
    flow = libnf.Model(spec(model), 1, runtime=runtime)
    if what == "reverse_kl":
        target = libnf.Target({"type": "u1", "radius": 4, "spread": 0.8}, 2)
        trainer = libnf.Trainer(flow, target=target, objective="reverse_kl", samples=rows)
        return trainer.step
    if model["family"] == "vae":
        x = (generator.random((rows, 28, 28, 1)) < 0.3).astype(np.float32)
    else:
        x = generator.normal(size=(rows, model["features"])).astype(np.float32)
    if what == "train":
        trainer = libnf.Trainer(flow, **({"objective": "elbo"} if model["family"] == "vae" else {}))
        return lambda: trainer.step(x)
    session = libnf.Session(flow, score_samples=cases.IMPORTANCE_SAMPLES if what == "evidence" else 1)
    if what == "sample":
        return lambda: session.sample(rows, 1)
    return lambda: session.log_prob(x)


cases.work("libnf", build, threads)
