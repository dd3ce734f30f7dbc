#include "tests/files/fixtures.h"

namespace libnf::test {
namespace {

std::string spec_of(int64_t d, const std::string& layers, const std::string& head) {
  return "{\"event\": [" + std::to_string(d) + "]" + (head.empty() ? "" : ", ") + head + ", \"layers\": [" + layers +
         "]}";
}

constexpr char kContext[] = R"("context": [2])";
constexpr char kFloat64[] = R"("dtype": "float64")";

struct LayerFile {
  const char* type;
  const char* fields = "";
  const char* context_fields = "";  // "": the layer takes no context
  Rows rows = Rows::normal;
  bool both_ways = true;  // the model has the layer as it is and inverted; requires an inverse defined on all reals
};

// One model for every layer type.
const LayerFile kLayers[] = {
    {"actnorm"},
    {"additive_coupling", R"("hidden": [4])", R"("hidden": [4], "activation": "tanh", "mask": "alternating")"},
    {"affine", R"("rank": 1)"},
    {"affine_coupling", R"("hidden": [4])",
     R"("net": "residual", "hidden": [4], "blocks": 1, "context_by": "film", "mask": "random", "scale": "sigmoid")"},
    {"batch_norm"},
    {"cbrt", "", "", Rows::nonzero},
    {"circular_shift", "", "", Rows::circle},
    {"elementwise_affine"},
    {"exp", "", "", Rows::normal, false},
    {"householder"},
    {"leaky_relu", R"("slope": 0.3)"},
    {"linear"},
    {"logit", R"("alpha": 0.01)", "", Rows::unit},
    {"lu_linear", R"("init": "random")"},
    {"masked_autoregressive", R"("hidden": [5])",
     R"("net": "residual", "hidden": [5], "blocks": 1, "scale": "gate", "order": "random", "order_seed": 3)"},
    {"orthogonal"},
    {"permutation", R"("order": [2, 0, 1])"},
    {"planar", "", R"("parameters": "context", "hidden": [3], "function": "elu")"},
    {"plu_linear"},
    {"prelu"},
    {"radial", "", R"("parameters": "context", "hidden": [3])"},
    {"reverse"},
    {"shuffle", R"("seed": 4)"},
    {"sigmoid", "", "", Rows::normal, false},
    {"softclip", "", "", Rows::normal, false},
    {"softplus", "", "", Rows::normal, false},
    {"spline", R"("bins": 4)", R"("bins": 3, "parameters": "context", "hidden": [3], "tails": "none")"},
    {"spline_autoregressive", R"("bins": 3, "hidden": [5])",
     R"("bins": 3, "hidden": [5], "degrees": "random", "degree_seed": 5, "circular": [1, 0, 0], "bound": 4)"},
    {"spline_coupling", R"("bins": 3, "hidden": [4], "spline": "cubic")",
     R"("bins": 3, "hidden": [4], "unconditional": true, "convention": "nflows")"},
    {"standardise"},
    {"sylvester", R"("columns": 2)",
     R"("basis": "householder", "reflections": 2, "parameters": "context", "hidden": [3])"},
    {"tanh", "", "", Rows::normal, false},
};

struct BaseFile {
  const char* type;
  const char* fields = "";
  bool parameters = false;
  int64_t classes = 0;
};
const BaseFile kBases[] = {
    {"class_normal", R"(, "classes": 3, "spread": 1)", false, 3},
    {"diagonal_normal", "", true},
    {"full_normal", "", true},
    {"gaussian_mixture", R"(, "components": 3)", true},
    {"laplace", "", true},
    {"logistic", "", true},
    {"normal"},
    {"student_t", "", true},
    {"uniform", R"(, "low": [0], "high": [1, 1, 1])"},
};

constexpr char kMaf[] =
    R"({"repeat": 2, "layers": [{"type": "masked_autoregressive", "hidden": [6]}, {"type": "reverse"}]})";
constexpr char kFlow[] =
    R"({"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [5]}, {"type": "lu_linear"}]})";
constexpr char kBatchNorm[] = R"({"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [5]},
  {"type": "batch_norm"}, {"type": "reverse"}]}, {"type": "actnorm"})";
constexpr char kNested[] = R"({"repeat": 2, "invert": true, "layers": [{"type": "affine_coupling", "hidden": [3]},
  {"repeat": 2, "layers": [{"type": "shuffle"}, {"type": "spline", "bins": 3, "invert": true}]}]}, {"type": "actnorm"})";
// Every field of a conditioner net, written in the object of its layer, as older specs have it.
constexpr char kFlat[] = R"({"type": "affine_coupling", "mask": "alternating", "swap": true, "mask_seed": 1,
  "scale": "exp", "cap": 2, "net": "residual", "hidden": [4], "blocks": 1, "activation": "silu", "dropout": 0.1,
  "init": "random", "context_by": "concatenate"}, {"type": "masked_autoregressive", "net": "mlp", "hidden": 5,
  "activation": "gelu", "dropout": 0.2, "init": "identity", "context_by": "film", "order": "reversed", "degrees": "even"})";

PinCase model(const std::string& name, const std::string& spec) {
  PinCase c{.name = name, .spec = spec};
  c.steps = 10;
  c.scored = 19;
  return c;
}

void add_layers(std::vector<PinCase>& all) {
  for (const LayerFile& l : kLayers) {
    const auto chain = [&](const char* fields) {
      std::string layer = std::string("{\"type\": \"") + l.type + "\"" + (*fields ? ", " : "") + fields;
      return layer + "}, {\"type\": \"affine\"}" + (l.both_ways ? ", " + layer + ", \"invert\": true}" : "");
    };
    const std::string name = std::string("layer_") + l.type;
    all.push_back(model(name, spec_of(3, chain(l.fields), "")));
    all.back().rows = l.rows;
    if (*l.context_fields) all.push_back(model(name + "_context", spec_of(3, chain(l.context_fields), kContext)));
  }
}

void add_bases(std::vector<PinCase>& all) {
  for (const BaseFile& b : kBases) {
    const std::string layers = std::string(R"({"type": "elementwise_affine"})") +
                               (b.type == std::string("uniform") ? R"(, {"type": "sigmoid"})" : "");
    const auto head = [&](const std::string& more) {
      return std::string("\"base\": {\"type\": \"") + b.type + "\"" + b.fields + more + "}";
    };
    const std::string name = std::string("base_") + b.type;
    all.push_back(model(name, spec_of(3, layers, head("") + (b.classes ? R"(, "context": [1])" : ""))));
    all.back().classes = b.classes;
    if (b.parameters)
      all.push_back(model(name + "_context",
                          spec_of(3, layers, head(R"(, "parameters": "context", "hidden": [3])") + ", " + kContext)));
  }
}

}  // namespace

std::vector<PinCase> model_fixtures() {
  std::vector<PinCase> all;
  add_layers(all);
  add_bases(all);
  all.push_back(model("float64", spec_of(3, kFlow, kFloat64)));
  all.push_back(model("float64_autoregressive", spec_of(3, kMaf, kFloat64)));
  all.push_back(model("embedding", spec_of(2, kFlow, std::string(kContext) + R"(, "embedding": {"out": 3, "hidden": [4],
    "activation": "tanh", "net": "mlp"}, "base": {"type": "diagonal_normal", "parameters": "context", "hidden": [3]})")));
  all.push_back(model("nested", spec_of(4, kNested, "")));
  all.push_back(model("nested_inverted", spec_of(4, kNested, R"("invert": true)")));
  all.push_back(model("flat_fields", spec_of(3, kFlat, kContext)));
  all.push_back(model("one_column", spec_of(1, kMaf, "")));
  all.push_back(
      model("start", spec_of(3, std::string(R"({"type": "standardise"}, {"type": "actnorm"}, )") + kBatchNorm, "")));
  // A model whose layers still wait for data.
  all.push_back(all.back());
  all.back().name = "start_waiting";
  all.back().steps = 0;
  return all;
}

std::vector<PinCase> checkpoint_fixtures() {
  std::vector<PinCase> all;
  const auto add = [&](const char* name, const std::string& spec, OptionList options) -> PinCase& {
    PinCase c{.name = std::string("checkpoint_") + name, .spec = spec, .options = std::move(options)};
    c.steps = kStepsBefore + kStepsAfter;
    c.scored = 19;
    return all.emplace_back(std::move(c));
  };
  add("adam_ema", spec_of(3, kFlow, ""), {{"ema_decay", "0.9"}, {"clip_norm", "1"}});
  add("adamw_amsgrad", spec_of(3, kMaf, ""), {{"optimizer", "adamw"}, {"amsgrad", "true"}, {"weight_decay", "0.1"}});
  add("adamax_float64", spec_of(3, kMaf, kFloat64), {{"optimizer", "adamax"}, {"schedule", "cosine"}});
  add("rmsprop", spec_of(3, kFlow, ""),
      {{"optimizer", "rmsprop"}, {"centered", "true"}, {"momentum", "0.5"}, {"lr", "0.001"}});
  add("adagrad", spec_of(3, kFlow, ""), {{"optimizer", "adagrad"}});
  add("adadelta", spec_of(3, kFlow, ""), {{"optimizer", "adadelta"}, {"lr", "1"}});
  add("radam", spec_of(3, kFlow, ""), {{"optimizer", "radam"}, {"schedule", "polynomial"}});
  add("sgd", spec_of(3, kFlow, ""), {{"optimizer", "sgd"}, {"momentum", "0.9"}, {"nesterov", "true"}});
  add("plateau", spec_of(3, kFlow, ""), {{"schedule", "plateau"}, {"patience", "4"}, {"lr_end", "0.001"}});
  add("dropout_recompute",
      spec_of(3, R"({"type": "affine_coupling", "hidden": [6, 6], "dropout": 0.3}, {"type": "reverse"},
                    {"type": "masked_autoregressive", "hidden": [6], "dropout": 0.2})",
              ""),
      {{"memory", "recompute"}, {"ema_decay", "0.9"}, {"ema_bias_correction", "false"}});
  add("context", spec_of(3, kFlow, std::string(kContext) + R"(, "embedding": {"out": 3, "hidden": [4]})"), {});
  add("reverse_kl", spec_of(2, kFlow, ""), {{"objective", "reverse_kl"}, {"samples", "20"}, {"anneal_steps", "25"}})
      .target = "two_moons";
  add("alpha", spec_of(2, kFlow, ""), {{"objective", "alpha"}, {"samples", "20"}}).target = "cross";
  add("symmetric", spec_of(2, kFlow, ""), {{"objective", "symmetric"}, {"samples", "20"}}).target = "banana";
  // Steps with 1, 2 and 8 lanes.
  add("batch_norm", spec_of(3, kBatchNorm, ""), {{"ema_decay", "0.9"}});
  PinCase& weighted = add("batch_norm_lanes", spec_of(3, kBatchNorm, ""), {});
  weighted.batch = 200;
  weighted.weights = true;
  add("lanes_2", spec_of(3, kMaf, ""), {}).batch = 200;
  add("lanes_8", spec_of(3, kFlow, ""), {}).batch = 1100;
  add("reverse_kl_lanes", spec_of(2, kFlow, ""), {{"objective", "reverse_kl"}, {"samples", "300"}}).target = "rings";
  return all;
}

}  // namespace libnf::test
