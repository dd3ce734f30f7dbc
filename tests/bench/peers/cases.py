"""The cases of the comparison, and how every worker times them. Sizes are those of `./dev bench`."""
import argparse
import json
import time

MAF = {"family": "flow", "features": 43, "layers": 5, "hidden": 512}  # two hidden layers each
REALNVP = {"family": "flow", "features": 2, "layers": 8, "hidden": 64}  # residual net of one block
# Rational-quadratic splines. Couplings: LU and a residual net of two blocks each; autoregressive: two hidden layers.
NSF = {"family": "flow", "features": 6, "layers": 10, "hidden": 256, "bins": 8}
NSF_AR = {"family": "flow", "features": 6, "layers": 10, "hidden": 256, "bins": 8, "autoregressive": True}
PLANAR = {"family": "flow", "features": 2, "layers": 16}  # fitted to the ring U1 of Rezende & Mohamed by reverse KL
# Variational autoencoders of MNIST, examples/specs/vae_mnist.json and the gated convolutions of van den Berg et al. 2018.
VAE = {"family": "vae", "latent": 20, "encoder": {"type": "mlp", "hidden": [512, 256]},
       "decoder": {"type": "mlp", "hidden": [256, 512]}}
CONV_VAE = {"family": "vae", "latent": 64, "encoder": {"type": "conv_encoder"}, "decoder": {"type": "conv_decoder"}}
IMPORTANCE_SAMPLES = 500

# name -> (model, what is timed, rows)
CASES = {
    "maf train step, batch 256": (MAF, "train", 256),
    "maf log_prob, 256 rows": (MAF, "log_prob", 256),
    "maf log_prob, 1 row": (MAF, "log_prob", 1),
    "maf 1,000 samples": (MAF, "sample", 1000),
    "realnvp train step, batch 512": (REALNVP, "train", 512),
    "realnvp log_prob, 1 row": (REALNVP, "log_prob", 1),
    "realnvp 10,000 samples": (REALNVP, "sample", 10000),
    "nsf coupling train step, batch 512": (NSF, "train", 512),
    "nsf coupling log_prob, 1 row": (NSF, "log_prob", 1),
    "nsf coupling 10,000 samples": (NSF, "sample", 10000),
    "nsf autoregressive train step, batch 512": (NSF_AR, "train", 512),
    "nsf autoregressive 1,000 samples": (NSF_AR, "sample", 1000),
    "planar reverse KL step, batch 1000": (PLANAR, "reverse_kl", 1000),
    "vae train step, batch 100": (VAE, "train", 100),
    "vae log p(x) of 500 draws, 20 images": (VAE, "evidence", 20),
    "gated conv vae train step, batch 100": (CONV_VAE, "train", 100),
    "gated conv vae log p(x) of 500 draws, 2 images": (CONV_VAE, "evidence", 2),
}


def milliseconds(call, seconds):
    """Median time of one call, after two that are not counted (caches, compilation)."""
    call()
    call()
    times, end = [], time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * sorted(times)[len(times) // 2]


def work(library, build, threads):
    """Runs every case: build(model, what, rows) gives something to call, or None where the library has nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--only", default="")
    args, _ = parser.parse_known_args()
    for name, (model, what, rows) in CASES.items():
        if args.only not in name:
            continue
        try:
            call = build(model, what, rows)
            if call is None:
                continue
            result = {"ms": milliseconds(call, args.seconds)}
        except Exception as error:  # a peer that cannot do a case is a result too
            result = {"error": f"{type(error).__name__}: {error}"[:200]}
        print(json.dumps({"library": library, "threads": threads, "case": name, **result}), flush=True)
