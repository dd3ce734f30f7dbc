// Every layer type: several numbers of columns, float64, memory = recompute, inverted, with a context if it takes one,
// and several values of its fields.
#include <optional>

#include "tests/pins/cases.h"

namespace libnf::test {
namespace {

struct Variant {
  const char* name;
  const char* fields;
  std::optional<Rows> rows = {};  // if they differ from those of the layer
};
struct LayerPins {
  const char* type;
  const char* fields;               // for all variants but those in `more`
  const char* context_fields = "";  // additional fields with a context; "": takes none
  std::vector<Variant> more = {};   // with 3 columns
  Rows x = Rows::normal, z = Rows::normal;
};

constexpr char kNet[] = R"("hidden": [10])";

std::vector<LayerPins> layer_pins() {
  return {
      {"actnorm", ""},
      {"additive_coupling",
       kNet,
       kNet,
       {{"alternating", R"("mask": "alternating", "swap": true, "hidden": [7, 5], "activation": "tanh")"},
        {"random", R"("mask": "random", "mask_seed": 3, "hidden": [6], "activation": "leaky_relu", "init": "random")"},
        {"residual", R"("net": "residual", "hidden": [8], "blocks": 2, "activation": "elu")"}}},
      {"affine", "", "", {{"rank_2", R"("rank": 2)"}, {"no_bias", R"("bias": false)"}}},
      {"affine_coupling",
       kNet,
       kNet,
       {{"exp", R"("scale": "exp", "hidden": [9], "activation": "softplus")"},
        {"sigmoid", R"("scale": "sigmoid", "hidden": [9, 9], "activation": "gelu")"},
        {"softplus", R"("scale": "softplus", "mask": "alternating", "hidden": [9], "activation": "silu")"},
        {"cap", R"("cap": 0.5, "hidden": [5], "init": "random")"},
        {"no_hidden", R"("hidden": [])"},
        {"residual", R"("net": "residual", "hidden": [8], "blocks": 3, "activation": "silu")"}}},
      {"batch_norm",
       "",
       "",
       {{"biased", R"("variance": "biased", "eps": 0.01, "momentum": 0.3)"}, {"plain", R"("affine": false)"}}},
      {"cbrt", "", "", {}, Rows::nonzero, Rows::nonzero},
      {"circular_shift",
       "",
       "",
       {{"turns", R"("turns": 0.25)"},
        {"fixed", R"("range": "positive", "bound": 4, "turns": -0.4, "learned": false)", Rows::positive}},
       Rows::circle,
       Rows::circle},
      {"elementwise_affine", ""},
      {"exp", "", "", {}, Rows::normal, Rows::positive},
      {"householder", "", "", {{"one", R"("reflections": 1)"}}},
      {"leaky_relu", "", "", {{"slope", R"("slope": 0.3)"}}},
      {"linear", "", "", {{"seed", R"("seed": 5, "bias": false)"}}},
      {"logit", "", "", {{"alpha", R"("alpha": 0.05)"}}, Rows::unit, Rows::normal},
      {"lu_linear", "", "", {{"random", R"("init": "random", "eps": 0.01)"}, {"no_bias", R"("bias": false)"}}},
      {"masked_autoregressive",
       kNet,
       kNet,
       {{"soft_exp", R"("scale": "soft_exp", "hidden": [9], "activation": "tanh")"},
        {"sigmoid", R"("scale": "sigmoid", "hidden": [8, 7], "order": "reversed")"},
        {"softplus", R"("scale": "softplus", "hidden": [9], "init": "random", "activation": "gelu")"},
        {"gate", R"("scale": "gate", "hidden": [9], "order": "random", "order_seed": 4)"},
        {"degrees", R"("degrees": "random", "degree_seed": 2, "hidden": [11, 9], "activation": "silu")"},
        {"residual", R"("net": "residual", "hidden": [8], "blocks": 2, "cap": 1)"},
        {"no_hidden", R"("hidden": [])"}}},
      {"orthogonal", "", "", {{"seed", R"("seed": 9)"}}},
      {"permutation", "", "", {{"order", R"("order": [2, 0, 1])"}}},
      {"planar",
       "",
       R"("parameters": "context", "hidden": [6])",
       {{"leaky_relu", R"("function": "leaky_relu", "slope": 0.2)"}, {"elu", R"("function": "elu")"}}},
      {"plu_linear", "", "", {{"permutation", R"("init": "permutation", "seed": 2)"}, {"no_bias", R"("bias": false)"}}},
      {"prelu", "", "", {{"slope", R"("slope": 2)"}}},
      {"radial", "", R"("parameters": "context", "hidden": [6])"},
      {"reverse", ""},
      {"shuffle", "", "", {{"seed", R"("seed": 8)"}}},
      {"sigmoid", "", "", {{"temperature", R"("temperature": 0.7, "alpha": 0.01)"}}, Rows::normal, Rows::unit},
      {"softclip", "", "", {{"bound", R"("bound": 5)"}}, Rows::normal, Rows::symmetric},
      {"softplus", "", "", {}, Rows::normal, Rows::positive},
      {"spline",
       R"("bins": 5)",
       R"("bins": 4, "parameters": "context", "hidden": [6])",
       {{"none", R"("tails": "none", "bins": 4)"},
        {"circular", R"("tails": "circular", "interval": [-4, 4], "bins": 4)"},
        {"mixed", R"("circular": [0, 1, 0], "interval": [-3, 3, -8, 8, -2, 4], "bins": 6)"},
        {"nflows", R"("convention": "nflows", "bins": 4, "min_derivative": 0.01)"},
        {"zuko", R"("convention": "zuko", "bins": 4, "bound": 5)"},
        {"linear", R"("spline": "linear", "bins": 5)"},
        {"quadratic", R"("spline": "quadratic", "bins": 5)"},
        {"cubic", R"("spline": "cubic", "bins": 5)"},
        {"cubic_nflows", R"("spline": "cubic", "bins": 4, "convention": "nflows", "min_bin_width": 0.01)"}}},
      {"spline_autoregressive",
       R"("bins": 4, "hidden": [10])",
       R"("bins": 4, "hidden": [10])",
       {{"circular", R"("tails": "circular", "interval": [-4, 4], "bins": 4, "hidden": [8])"},
        {"quadratic", R"("spline": "quadratic", "bins": 4, "hidden": [8, 6], "order": "reversed")"},
        {"residual", R"("net": "residual", "hidden": [8], "blocks": 1, "bins": 3, "scale_by_width": true)"}}},
      {"spline_coupling",
       R"("bins": 4, "hidden": [10])",
       R"("bins": 4, "hidden": [10])",
       {{"unconditional", R"("unconditional": true, "bins": 4, "hidden": [8], "mask": "alternating")"},
        {"residual", R"("net": "residual", "hidden": [8], "blocks": 2, "bins": 3, "scale_by_width": true)"},
        {"circular", R"("circular": [1, 1, 0], "interval": [-4, 4], "bins": 4, "hidden": [8])"},
        {"zuko", R"("convention": "zuko", "bins": 4, "bound": 5, "hidden": [8], "init": "random")"},
        {"linear", R"("spline": "linear", "bins": 4, "hidden": [8])"},
        {"cubic", R"("spline": "cubic", "bins": 4, "hidden": [8])"}}},
      {"standardise", ""},
      {"sylvester",
       "",
       R"("columns": 2, "parameters": "context", "hidden": [6])",
       {{"householder", R"("basis": "householder", "reflections": 2)"},
        {"triangular", R"("basis": "triangular", "flip": "yes")"}}},
      {"tanh", "", "", {}, Rows::normal, Rows::symmetric},
  };
}

// The layer followed by parameters and a coupling of columns, so that every chain can train and the gradients of the
// layer's input and outputs differ between rows.
std::string chain(const std::string& type, const std::string& fields, bool inverted) {
  std::string layer = "{\"type\": \"" + type + "\"";
  if (!fields.empty()) layer += ", " + fields;
  if (inverted) layer += ", \"invert\": true";
  return layer + "}, {\"type\": \"affine\"}";
}

// Fields of the conditioner that select the other way for a context to enter.
constexpr char kFilm[] = R"(, "context_by": "film")";

}  // namespace

void add_layer_cases(std::vector<PinCase>& all) {
  for (const LayerPins& l : layer_pins()) {
    const std::string name = std::string("layer/") + l.type + "/", fields = l.fields, type = l.type;
    const auto add = [&](const std::string& variant, const std::string& spec, Rows rows, OptionList options = {}) {
      all.push_back({.name = name + variant, .spec = spec, .rows = rows, .options = std::move(options)});
    };
    for (const int64_t d : {1, 2, 5}) add("columns_" + std::to_string(d), spec_of(d, chain(type, fields, false)), l.x);
    const std::string at_3 = chain(type, fields, false), inverted = chain(type, fields, true);
    add("float64", spec_of(3, at_3, kFloat64), l.x);
    add("recompute", spec_of(3, at_3), l.x, {{"memory", "recompute"}});
    add("inverted", spec_of(3, inverted), l.z);
    add("inverted_float64", spec_of(2, inverted, kFloat64), l.z);
    for (const Variant& v : l.more) add(v.name, spec_of(3, chain(type, v.fields, false)), v.rows.value_or(l.x));
    if (!*l.context_fields) continue;
    const std::string seeing = l.context_fields;
    add("context", spec_of(3, chain(type, seeing, false), kContext), l.x);
    add("context_float64", spec_of(1, chain(type, seeing, false), kContext + ", " + kFloat64), l.x);
    add("context_recompute", spec_of(2, chain(type, seeing, false), kContext), l.x, {{"memory", "recompute"}});
    add("context_inverted", spec_of(2, chain(type, seeing, true), kContext), l.z);
    add("film", spec_of(3, chain(type, seeing + kFilm, false), kContext), l.x);
    const std::string residual = R"(, "net": "residual", "blocks": 1)";
    add("film_residual", spec_of(3, chain(type, seeing + kFilm + residual, false), kContext), l.x);
    add("context_residual", spec_of(2, chain(type, seeing + residual, false), kContext), l.x);
  }
}

}  // namespace libnf::test
