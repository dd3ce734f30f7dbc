#include "src/train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/io/hex_float.h"
#include "src/io/json.h"
#include "src/io/number.h"

namespace libnf {
namespace {

constexpr uint64_t kMostSteps = uint64_t{1} << 53;
constexpr int64_t kMostWork = int64_t{1} << 53;  // per row; far above that of any model

const char* optimizer_name(const TrainerConfig& c) { return name_of(c.optimizer.kind); }

// Reads a number that is a string, because JSON has no exact form of it and none of infinity.
double number(const Json* v, const char* key) {
  const std::string* text = v ? v->string() : nullptr;
  if (!text) fail(Code::format, "checkpoint: \"%s\" is missing", key);
  double number;
  if (!parse_hex_number(*text, &number)) fail(Code::format, "checkpoint: \"%s\" is not a number", key);
  return number;
}
double number(const Json& j, const char* key) { return number(j.find(key), key); }

uint64_t count(const Json& j, const char* key) {
  const Json* v = j.find(key);
  const auto n = v ? v->uint64() : std::nullopt;
  if (!n) fail(Code::format, "checkpoint: \"%s\" is missing", key);
  return *n;
}

// Returns a number of steps. With more, its successors would not be exact numbers of Adam's bias correction.
uint64_t steps(const Json& j, const char* key) {
  const uint64_t n = count(j, key);
  if (n > kMostSteps) fail(Code::format, "checkpoint: \"%s\" is %llu steps", key, static_cast<unsigned long long>(n));
  return n;
}

// Means of squares, which are never negative.
bool is_mean_square(const std::string& name) {
  const std::string last = name.substr(name.rfind('.') + 1);
  return last == "v" || last == "vmax" || last == "ad";
}

// Tensors of the state that the guard goes back to, which a checkpoint may lack.
bool is_kept(const std::string& name) { return name.starts_with("guard."); }

// The state arrays in the file show which options of the optimizer were on.
void check_options(const SafeTensors& file, const Trainer& trainer) {
  const auto tensors = trainer.state_tensors();
  std::vector<SlotOption> options(slot_options().begin(), slot_options().end());
  options.push_back({"average", "ema_decay"});
  for (const SlotOption& o : options) {
    const bool saved = file.find(std::string(kOptimizerPrefix) + o.slot) != nullptr;
    const bool here = std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == o.slot; });
    if (saved != here)
      fail(Code::state, "the checkpoint was made with the option \"%s\" %s, this trainer has it %s", o.option,
           saved ? "on" : "off", here ? "on" : "off");
  }
}

}  // namespace

void check_numbers(const SafeTensors::Entry* e, const std::string& name, const View& like, bool squares) {
  const TensorType type = like.dtype == DType::f64 ? TensorType::f64 : TensorType::f32;
  if (!e || e->type != type || e->bytes != static_cast<size_t>(like.count() * size_of(like.dtype)))
    fail(Code::format, "checkpoint: tensor \"%s\" is missing or has another size or dtype", name.c_str());
  with_dtype(like.dtype, [&]<class T>() {
    for (size_t at = 0; at < e->bytes; at += sizeof(T)) {
      T v;
      std::memcpy(&v, e->data + at, sizeof v);
      if (std::isfinite(v) && (!squares || v >= 0)) continue;
      fail(Code::numeric, "checkpoint: tensor \"%s\" is %g at index %zu, but has to be %s", name.c_str(),
           static_cast<double>(v), at / sizeof(T), squares ? "finite and 0 or more" : "finite");
    }
  });
}

void write_checkpoint(ByteSink& sink, const Density& model, const Notes& notes, const Trainer& trainer, Extra extra) {
  const Trainer::State now = trainer.state();
  const PlateauState& p = now.plateau;
  Json state = {{"step", now.step},
                {"optimizer", optimizer_name(trainer.config())},
                {"plateau_best", hex_number(p.best)},
                {"plateau_factor", hex_number(p.factor)},
                {"plateau_bad", p.bad},
                {"row_work", now.cut.work},
                {"block_rows", now.cut.block_rows}};
  if (!trainer.groups().empty()) state["groups"] = trainer.groups();
  // What a restart and new learning rates leave behind; older versions have neither.
  if (now.older_steps) state["older_steps"] = now.older_steps;
  if (!now.rates.empty()) {
    Json rates = Json::Array();
    for (const double lr : now.rates) rates.append(hex_number(lr));
    state["rates"] = std::move(rates);
  }
  if (!now.kept_inputs.empty()) {
    Json layers = Json::Array();
    for (const int64_t layer : now.kept_inputs) layers.append(layer);
    state["kept_inputs"] = std::move(layers);
  }
  state["guard"] = hex_floats(now.divergence.state());
  if (now.keeps) state["guard_age"] = now.kept_age;
  extra.checkpoint = state.dump();
  auto tensors = trainer.state_tensors();
  if (!now.keeps) std::erase_if(tensors, [](const auto& t) { return is_kept(t.first); });
  std::vector<std::string> names;
  for (const auto& t : tensors) names.push_back(kOptimizerPrefix + t.first);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const View& v = tensors[i].second;
    extra.tensors.push_back(
        {names[i], v.dtype == DType::f64 ? TensorType::f64 : TensorType::f32, {v.shape.d, 1}, v.data});
  }
  write_model(sink, model, notes, extra);
}

void read_checkpoint(std::span<const std::byte> bytes, Density& model, Notes& notes, Trainer& trainer,
                     std::optional<uint64_t> step) {
  const SafeTensors file = parse_model(bytes);
  if (!is_same_spec(spec_of(file), model.canonical()))
    fail(Code::state, "the checkpoint was made with another spec than this model (compare nf_model_spec)");
  const std::string* text = file.metadata(kCheckpointKey);
  if (!text) fail(Code::state, "a model file, not a checkpoint: it has no optimizer state");
  const Json state = parse_json(*text, "checkpoint", Code::format, 1 << 16, 4);
  if (!state.object()) fail(Code::format, "checkpoint: not an object");
  const Json* kind = state.find("optimizer");
  if (!kind || *kind != optimizer_name(trainer.config()))
    fail(Code::state, "the checkpoint was made with optimizer %s, this trainer has \"%s\"",
         kind ? shown(*kind).c_str() : "?", optimizer_name(trainer.config()));
  const Json* groups = state.find("groups");
  if ((groups && groups->string() ? *groups->string() : "") != trainer.groups())
    fail(Code::state, "the checkpoint was made with other groups of parameters (option \"groups\"): %.150s",
         groups ? shown(*groups).c_str() : "none");
  check_options(file, trainer);
  Trainer::State then;
  then.plateau.best = number(state, "plateau_best");
  then.plateau.factor = number(state, "plateau_factor");
  then.plateau.bad = count(state, "plateau_bad");
  if (std::isnan(then.plateau.best) || !(then.plateau.factor >= 0 && then.plateau.factor <= 1))
    fail(Code::format, "checkpoint: \"plateau_best\" or \"plateau_factor\" is out of range");
  then.step = steps(state, "step");
  if (step && *step != then.step) fail(Code::format, "checkpoint: its run and its trainer are at different steps");
  if (state.find("older_steps")) then.older_steps = count(state, "older_steps");
  if (then.step + then.older_steps > kMostSteps)  // modulo 2^64: the guard goes back to younger moments
    fail(Code::format, "checkpoint: \"older_steps\" is out of range");
  if (const Json* rates = state.find("rates")) {
    if (!rates->array()) fail(Code::format, "checkpoint: \"rates\" is not a list");
    for (const Json& lr : *rates->array()) then.rates.push_back(number(&lr, "rates"));
  }
  BatchCut cut = old_cut_of(model);
  if (state.find("row_work")) {
    cut.work = static_cast<int64_t>(count(state, "row_work"));
    cut.block_rows = static_cast<int64_t>(count(state, "block_rows"));
    if (cut.work < 0 || cut.work > kMostWork || cut.block_rows < 1 || cut.block_rows > kMaxBlockRows)
      fail(Code::format, "checkpoint: \"row_work\" or \"block_rows\" is out of range");
  }
  then.cut = cut;
  if (const Json* guard = state.find("guard")) {
    Divergence::State numbers;
    if (!guard->string() || !read_hex_floats(*guard->string(), numbers) || !Divergence::is_valid(numbers))
      fail(Code::format, "checkpoint: \"guard\" is damaged");
    then.divergence.set_state(numbers);
  }
  if (const Json* layers = state.find("kept_inputs")) {
    if (!layers->array()) fail(Code::format, "checkpoint: \"kept_inputs\" is not a list");
    for (const Json& layer : *layers->array()) {
      const auto index = layer.uint64();
      if (!index || *index > kMaxLayers) fail(Code::format, "checkpoint: \"kept_inputs\" is damaged");
      then.kept_inputs.push_back(static_cast<int64_t>(*index));
    }
  }
  then.keeps = state.find("guard_age") != nullptr;
  if (then.keeps) then.kept_age = steps(state, "guard_age");
  try {
    then = trainer.checked(std::move(then));
  } catch (const Error& e) {
    if (e.code() == Code::argument) fail(Code::format, "checkpoint: %s", e.what());
    throw;
  }
  auto tensors = trainer.state_tensors();
  if (!then.keeps) std::erase_if(tensors, [](const auto& t) { return is_kept(t.first); });
  std::vector<const SafeTensors::Entry*> entries;
  for (const auto& [name, view] : tensors) {
    const SafeTensors::Entry* e = file.find(kOptimizerPrefix + name);
    check_numbers(e, kOptimizerPrefix + name, view, is_mean_square(name));
    entries.push_back(e);
  }
  read_params(file, model);
  for (size_t i = 0; i < tensors.size(); ++i)
    if (entries[i]->bytes) std::memcpy(tensors[i].second.data, entries[i]->data, entries[i]->bytes);
  notes.clear();
  for (const auto& [key, value] : file.metadata())
    if (key.rfind("note.", 0) == 0) notes[key.substr(5)] = value;
  trainer.restore_state(std::move(then));
}

}  // namespace libnf
