// How a model is trained: optimizers, schedules, clipping, averages, dropout, batch norm, objectives, weights, lanes.
#include "tests/pins/cases.h"

namespace libnf::test {
namespace {

const std::string kFlow =
    R"({"repeat": 2, "layers": [{"type": "affine_coupling", "hidden": [12]}, {"type": "lu_linear"}]})";
const std::string kMaf =
    R"({"repeat": 2, "layers": [{"type": "masked_autoregressive", "hidden": [12]}, {"type": "reverse"}]})";
const std::string kSpline =
    R"({"repeat": 2, "layers": [{"type": "spline_coupling", "bins": 4, "hidden": [12]}, {"type": "shuffle"}]})";
const std::string kBatchNorm = R"({"repeat": 2, "layers": [{"type": "masked_autoregressive", "hidden": [12]},
    {"type": "batch_norm"}, {"type": "reverse"}]}, {"type": "actnorm"})";

struct Setting {
  const char* name;
  OptionList options;
};

const Setting kOptimizers[] = {
    {"adam", {}},
    {"adam_amsgrad", {{"amsgrad", "true"}, {"beta1", "0.8"}, {"beta2", "0.99"}, {"weight_decay", "0.01"}}},
    {"adamw", {{"optimizer", "adamw"}, {"weight_decay", "0.1"}}},
    {"adamw_amsgrad", {{"optimizer", "adamw"}, {"weight_decay", "0.1"}, {"amsgrad", "true"}, {"eps", "1e-6"}}},
    {"adamax", {{"optimizer", "adamax"}}},
    {"rmsprop", {{"optimizer", "rmsprop"}, {"alpha", "0.9"}}},
    {"rmsprop_centered", {{"optimizer", "rmsprop"}, {"centered", "true"}, {"momentum", "0.9"}, {"lr", "0.001"}}},
    {"adagrad", {{"optimizer", "adagrad"}, {"lr_decay", "0.01"}, {"initial_accumulator", "0.1"}}},
    {"adadelta", {{"optimizer", "adadelta"}, {"lr", "1"}}},
    {"radam", {{"optimizer", "radam"}}},
    {"sgd", {{"optimizer", "sgd"}}},
    {"sgd_momentum", {{"optimizer", "sgd"}, {"momentum", "0.9"}, {"dampening", "0.1"}, {"weight_decay", "0.01"}}},
    {"sgd_nesterov", {{"optimizer", "sgd"}, {"momentum", "0.9"}, {"nesterov", "true"}}},
};

const Setting kSchedules[] = {
    {"cosine", {{"schedule", "cosine"}, {"lr_end", "0.0001"}}},
    {"step", {{"schedule", "step"}, {"decay_every", "9"}, {"decay", "0.7"}}},
    {"exponential", {{"schedule", "exponential"}, {"decay", "0.97"}}},
    {"polynomial", {{"schedule", "polynomial"}, {"power", "2"}, {"schedule_steps", "30"}}},
    {"plateau", {{"schedule", "plateau"}, {"patience", "5"}, {"decay", "0.5"}, {"lr_end", "0.001"}}},
    {"warmup", {{"schedule", "cosine"}, {"warmup_steps", "12"}, {"warmup_start", "0.1"}}},
};

const Setting kOthers[] = {
    {"clip_norm", {{"clip_norm", "0.5"}}},
    {"clip_value", {{"clip_value", "0.02"}}},
    {"ema", {{"ema_decay", "0.9"}}},
    {"ema_uncorrected", {{"ema_decay", "0.9"}, {"ema_bias_correction", "false"}}},
};

const Setting kObjectives[] = {
    {"reverse_kl", {{"objective", "reverse_kl"}}},
    {"path_gradient", {{"objective", "reverse_kl"}, {"path_gradient", "true"}}},
    {"annealed", {{"objective", "reverse_kl"}, {"anneal_steps", "30"}}},
    {"alpha", {{"objective", "alpha"}}},
    {"alpha_0", {{"objective", "alpha"}, {"renyi_alpha", "0"}, {"anneal_steps", "20"}}},
    {"alpha_below_0", {{"objective", "alpha"}, {"renyi_alpha", "-0.5"}}},
    {"symmetric", {{"objective", "symmetric"}, {"data_weight", "0.5"}}},
    {"symmetric_path", {{"objective", "symmetric"}, {"path_gradient", "true"}}},
};

const char* kTargets[] = {"banana", "cross", "funnel", "rings", "two_moons", "u1", "u2", "u3", "u4"};

OptionList with(OptionList a, const OptionList& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void add_objectives(std::vector<PinCase>& all) {
  const OptionList few = {{"samples", "20"}};
  for (const Setting& s : kObjectives) {
    const std::string name = std::string("objective/") + s.name + "/";
    PinCase c{
        .name = name + "plain", .spec = spec_of(2, kFlow), .options = with(few, s.options), .target = "two_moons"};
    all.push_back(c);
    c.name = name + "float64";
    c.spec = spec_of(2, kSpline, kFloat64);
    all.push_back(c);
    c.name = name + "recompute";
    c.options.push_back({"memory", "recompute"});
    c.spec = spec_of(2, kFlow);
    all.push_back(c);
    c.name = name + "lanes";
    c.options = with({{"samples", "300"}}, s.options);
    c.batch = 150;
    c.steps = 8;
    c.threads = true;
    all.push_back(c);
  }
  for (const char* t : kTargets)
    all.push_back({.name = std::string("target/") + t + "/plain",
                   .spec = spec_of(2, kFlow),
                   .options = with(few, {{"objective", "reverse_kl"}}),
                   .target = t});
  all.push_back({.name = "objective/reverse_kl/context",
                 .spec = spec_of(2, kFlow, kContext),
                 .options = with(few, {{"objective", "reverse_kl"}}),
                 .target = "banana"});
  all.push_back({.name = "objective/reverse_kl/batch_norm",
                 .spec = spec_of(2, kFlow + ", {\"type\": \"batch_norm\"}"),
                 .options = with(few, {{"objective", "reverse_kl"}}),
                 .target = "banana"});
}

void add_dropout(std::vector<PinCase>& all) {
  const std::pair<const char*, const char*> layers[] = {
      {"coupling", R"({"type": "affine_coupling", "hidden": [12, 12], "dropout": 0.3})"},
      {"coupling_residual", R"({"type": "affine_coupling", "hidden": [12], "net": "residual", "dropout": 0.2})"},
      {"made", R"({"type": "masked_autoregressive", "hidden": [12, 12], "dropout": 0.3})"},
      {"made_residual", R"({"type": "masked_autoregressive", "hidden": [12], "net": "residual", "dropout": 0.2})"},
      {"spline", R"({"type": "spline_coupling", "bins": 4, "hidden": [12], "dropout": 0.5})"},
  };
  for (const auto& [name, layer] : layers) {
    const std::string path = std::string("dropout/") + name + "/";
    PinCase c{.name = path + "plain", .spec = spec_of(3, layer)};
    all.push_back(c);
    c.name = path + "recompute";
    c.options = {{"memory", "recompute"}};
    all.push_back(c);
    c.name = path + "lanes";
    c.options = {};
    c.batch = 150;
    c.steps = 8;
    c.threads = true;
    all.push_back(c);
  }
}

// Batches of several lanes with one or more blocks; models of one part and of many.
void add_lanes(std::vector<PinCase>& all) {
  const std::pair<const char*, const std::string*> chains[] = {
      {"coupling", &kFlow}, {"maf", &kMaf}, {"spline", &kSpline}, {"batch_norm", &kBatchNorm}};
  for (const auto& [name, layers] : chains)
    for (const int64_t batch : {40, 200, 1100}) {
      PinCase c{.name = std::string("lanes/") + name + "/batch_" + std::to_string(batch), .spec = spec_of(3, *layers)};
      c.batch = batch;
      c.steps = batch > 1000 ? 4 : 12;
      c.scored = batch;
      c.threads = true;
      all.push_back(c);
      if (batch != 200) continue;
      c.name += "_weights";
      c.weights = true;
      all.push_back(c);
      c.name += "_context_recompute";
      c.spec = spec_of(3, *layers, kContext);
      c.one_context = true;
      if (layers != &kBatchNorm) c.options = {{"memory", "recompute"}};
      all.push_back(c);
    }
}

void add_models(std::vector<PinCase>& all) {
  const std::string embedding = kContext + R"(, "embedding": {"out": 3, "hidden": [8]})";
  const std::string nested = R"({"repeat": 2, "invert": true, "layers": [{"type": "affine_coupling", "hidden": [8]},
      {"repeat": 2, "layers": [{"type": "shuffle"}, {"type": "spline", "bins": 4, "invert": true}]}]}, {"type": "actnorm"})";
  all.push_back({.name = "model/embedding/plain", .spec = spec_of(3, kFlow, embedding)});
  all.push_back({.name = "model/embedding/residual",
                 .spec = spec_of(2, kMaf, kContext + R"(, "embedding": {"out": 2, "net": "residual", "hidden": [8]},
                                    "base": {"type": "diagonal_normal", "parameters": "context", "hidden": [4]})")});
  all.push_back({.name = "model/embedding/one_row", .spec = spec_of(3, kFlow, embedding), .one_context = true});
  all.push_back({.name = "model/nested/plain", .spec = spec_of(4, nested)});
  all.push_back({.name = "model/nested/inverted", .spec = spec_of(4, nested, R"("invert": true)")});
  all.push_back({.name = "model/nested/recompute", .spec = spec_of(4, nested), .options = {{"memory", "recompute"}}});
  all.push_back({.name = "model/start/chain",
                 .spec = spec_of(3, R"({"type": "standardise"}, {"type": "affine_coupling", "hidden": [8]},
                                       {"type": "actnorm"}, {"type": "batch_norm"}, {"type": "actnorm", "invert": true})")});
  all.push_back({.name = "model/wide/plain", .spec = spec_of(70, kFlow), .batch = 12, .steps = 10, .scored = 9});
  PinCase film{.name = "model/film/one_row",
               .spec = spec_of(3, R"({"type": "affine_coupling", "hidden": [8, 8],
                                                               "context_by": "film"})",
                               kContext)};
  film.one_context = true;
  all.push_back(film);
}

}  // namespace

void add_training_cases(std::vector<PinCase>& all) {
  for (const Setting& s : kOptimizers) {
    const std::string name = std::string("optimizer/") + s.name + "/";
    all.push_back({.name = name + "plain", .spec = spec_of(3, kFlow), .options = s.options});
    all.push_back({.name = name + "float64", .spec = spec_of(3, kFlow, kFloat64), .options = s.options});
  }
  for (const Setting& s : kSchedules)
    all.push_back(
        {.name = std::string("schedule/") + s.name + "/plain", .spec = spec_of(3, kFlow), .options = s.options});
  for (const Setting& s : kOthers)
    for (const char* dtype : {"float32", "float64"})
      all.push_back({.name = std::string("trainer/") + s.name + "/" + dtype,
                     .spec = spec_of(3, kMaf, std::string(R"("dtype": ")") + dtype + "\""),
                     .options = s.options});
  all.push_back({.name = "trainer/weights/plain", .spec = spec_of(3, kFlow), .weights = true});
  all.push_back({.name = "trainer/weights/batch_norm", .spec = spec_of(3, kBatchNorm), .weights = true});
  all.push_back({.name = "trainer/batch_norm/float64", .spec = spec_of(3, kBatchNorm, kFloat64)});
  add_objectives(all);
  add_dropout(all);
  add_lanes(all);
  add_models(all);
}

}  // namespace libnf::test
