"""libnf through its C ABI with ctypes: the library under test, timed as the peers are. Usage: ours.py LIBNF.so THREADS"""
import ctypes as c
import json
import sys

import cases


class Error(c.Structure):
    _fields_ = [("size", c.c_uint32), ("code", c.c_int32), ("os_errno", c.c_int32), ("message", c.c_char * 244)]


class View(c.Structure):
    _fields_ = [("size", c.c_uint32), ("dtype", c.c_int32), ("ndim", c.c_int32), ("flags", c.c_int32),
                ("shape", c.c_int64 * 4), ("strides", c.c_int64 * 4), ("data", c.c_void_p)]


library, threads = c.CDLL(sys.argv[1]), sys.argv[2]
library.nf_version.restype = c.c_uint32


def check(status, error):
    if status:
        raise RuntimeError(error.message.decode())


def call(name, *arguments):
    error = Error(c.sizeof(Error))
    check(getattr(library, name)(*arguments, c.byref(error)), error)


def create(name, *arguments):
    handle = c.c_void_p()
    call(name, *arguments, c.byref(handle))
    return handle


def floats(rows, columns):
    """A view of values the flow can learn: a smooth curve with some spread."""
    values = (c.c_float * (rows * max(columns, 1)))(*[((37 * i + 11 * (i % 7)) % 101) / 50 - 1 for i in range(rows * max(columns, 1))])
    view = View(c.sizeof(View), 1, 2 if columns else 1)
    view.shape[0], view.shape[1] = rows, columns
    view.data = c.addressof(values)
    view.keep = values
    return view


def spec(model):
    if model is cases.NSF:
        spline = {"type": "spline_coupling", "bins": model["bins"], "bound": 3, "net": "residual",
                  "hidden": [model["hidden"]], "blocks": 2}
        layers = [{"type": "lu_linear"}, {**spline, "mask": "alternating"}, {"type": "lu_linear"},
                  {**spline, "mask": "alternating", "swap": True}]
        return json.dumps({"event": [model["features"]],
                           "layers": [{"repeat": model["layers"] // 2, "layers": layers}]}).encode()
    if model is cases.PLANAR:
        return json.dumps({"event": [2], "layers": [{"repeat": model["layers"], "type": "planar", "invert": True}]}).encode()
    if model is cases.MAF:
        layer = {"type": "masked_autoregressive", "hidden": [model["hidden"]] * 2}
    elif model is cases.NSF_AR:
        layer = {"type": "spline_autoregressive", "bins": model["bins"], "bound": 3, "hidden": [model["hidden"]] * 2}
    else:
        layer = {"type": "affine_coupling", "net": "residual", "hidden": [model["hidden"]], "blocks": 1}
    return json.dumps({"event": [model["features"]],
                       "layers": [{"repeat": model["layers"], "layers": [layer, {"type": "reverse"}]}]}).encode()


def build(model, what, rows):
    options = create("nf_options_create")
    call("nf_options_set", options, b"threads", threads.encode())
    runtime = create("nf_runtime_create_v", c.c_uint32(library.nf_version()), options, None, None, None, None)
    text = spec(model)
    flow = create("nf_model_create", runtime, text, c.c_size_t(len(text)), c.c_uint64(1))
    x, out = floats(rows, model["features"]), floats(rows, 0)
    if what == "reverse_kl":
        call("nf_options_set", options, b"objective", b"reverse_kl")
        call("nf_options_set", options, b"samples", str(rows).encode())
        name = b'{"type": "u1", "radius": 4, "spread": 0.8}'
        target = create("nf_target_create", runtime, name, c.c_size_t(len(name)), c.c_int64(2))
        trainer = create("nf_trainer_create", flow, options, None)
        call("nf_trainer_set_target", trainer, target)
        return lambda: call("nf_train_step", trainer, None, None, None, None)
    if what == "train":
        trainer = create("nf_trainer_create", flow, None, None)
        return lambda: call("nf_train_step", trainer, c.byref(x), None, None, None)
    session = create("nf_session_create", flow, None)
    if what == "sample":
        return lambda: call("nf_sample", session, c.c_uint64(1), c.c_uint64(0), None, c.byref(x), None)
    return lambda: call("nf_log_prob", session, c.byref(x), None, c.byref(out))


cases.work("libnf", build, int(threads))
