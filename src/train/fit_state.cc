#include "src/train/fit_state.h"

#include <cerrno>
#include <cmath>
#include <cstring>

#include "runtime/core/rows.h"
#include "src/io/atomic_file.h"
#include "src/io/file_bytes.h"
#include "src/io/hex_float.h"
#include "src/io/xxh64.h"
#include "src/model/rows.h"
#include "src/model/write_fields.h"

namespace libnf {
namespace {

constexpr char kFitKey[] = "nf.fit";
constexpr char kBest[] = "optimizer.best.";

// Of up to 256 rows of every stream, so that it costs nothing for large files.
std::string fingerprint_of(const Batches::Streams& rows) {
  Xxh64 hash;
  for (const View* v : {&rows.x, &rows.context, &rows.weight, &rows.scores}) {
    if (!v->data || v->shape[0] == 0) continue;
    const int64_t n = v->shape[0], columns = v->count() / n, count = std::min<int64_t>(n, 256);
    std::vector<double> row(static_cast<size_t>(columns));
    View one = *v;
    for (int64_t k = 0; k < count; ++k) {
      const int64_t at = count == 1 ? 0
                                    : static_cast<int64_t>(static_cast<double>(n - 1) * static_cast<double>(k) /
                                                           static_cast<double>(count - 1));
      if (v->shape.rank == 1)
        row[0] = scalar_at(*v, at);
      else
        copy_rows(rows_of_view(one, at, 1), contiguous_view(row.data(), DType::f64, {1, columns}));
      for (const double d : row) {
        uint64_t bits;
        std::memcpy(&bits, &d, sizeof bits);
        hash.update_u64(bits);
      }
    }
  }
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash.digest()));
  return text;
}

const char* name_of(Order order) {
  static constexpr const char* kNames[] = {"shuffle", "replacement", "sequential", "blocks"};
  return kNames[static_cast<size_t>(order)];
}

const Json& member(const Json& j, const char* key) {
  const Json* v = j.find(key);
  if (!v) fail(Code::format, "checkpoint: \"%s.%s\" is missing", kFitKey, key);
  return *v;
}

uint64_t whole(const Json& j, const char* key) {
  const auto n = member(j, key).uint64();
  if (!n) fail(Code::format, "checkpoint: \"%s.%s\" is not a whole number", kFitKey, key);
  return *n;
}

// Options that a trainer did not have when the checkpoint was made had their defaults.
Json with_defaults(const Json& was) {
  TrainerConfig defaults;
  Json all = written(defaults);
  for (const auto& [key, value] : *was.object()) all[key] = value;
  return all;
}

void compare(const Json& was, const Json& is, const std::string& path) {
  for (const auto& [key, value] : *is.object()) {
    const Json* old = was.find(key);
    const std::string name = path.empty() ? key : path + "." + key;
    if (old && old->object() && value.object()) {
      compare(name == "trainer" ? with_defaults(*old) : *old, value, name);
    } else if (!old || *old != value) {
      fail(Code::state, "the checkpoint is of another run: %s is %s and was %s", name.c_str(), shown(value).c_str(),
           old ? shown(*old).c_str() : "not known");
    }
  }
}

}  // namespace

Json fixed_settings(const FitPlan& plan, const FitSplit& split) {
  TrainerConfig trainer = plan.trainer;
  const Part& part = plan.batches.part;
  Json batches = {{"batch", plan.batches.batch}, {"order", name_of(plan.batches.order)},
                  {"seed", plan.batches.seed},   {"block", part.block},
                  {"part_begin", part.begin},    {"part_end", part.end},
                  {"part_seed", part.seed}};
  if (plan.batches.smallest != 1) batches["smallest"] = plan.batches.smallest;
  if (plan.batches.flip) batches["flip"] = true;
  Json j = {{"trainer", written(trainer)},
            {"batches", std::move(batches)},
            {"fit.split_seed", plan.config.split_seed},
            {"fit.holdout", plan.config.holdout},
            {"number of training rows", split.train.rows()},
            {"number of validation rows", split.valid         ? split.valid->rows()
                                          : plan.valid.x.data ? plan.valid.x.shape[0]
                                                              : 0},
            {"hash of the data", fingerprint_of(plan.data)}};
  if (plan.valid.x.data) j["hash of the validation rows"] = fingerprint_of(plan.valid);
  if (plan.part.data) j["hash of the parts"] = fingerprint_of({plan.part, {}, {}, {}});
  return j;
}

Json written_state(const FitState& s, const FitInfo& i) {
  const double numbers[] = {s.loss_sum, s.seconds, i.loss, i.train, i.valid, i.valid_error, i.best, i.lr, i.grad_norm};
  const double rest[] = {i.valid_rest, s.best_rest};
  return {{"step", i.step},
          {"best_step", i.best_step},
          {"loss_count", s.loss_count},
          {"stale", s.stale},
          {"validated_at", s.validated_at},
          {"improved", i.improved},
          {"numbers", hex_floats(numbers)},
          {"bad_rows", i.bad_rows},
          {"diverged_at", i.diverged_at},
          {"went_back", i.went_back},
          {"bad_row", i.bad_row},
          {"best_bad", s.best_bad},
          {"best_elsewhere", s.best_elsewhere},
          {"rest", hex_floats(rest)}};
}

void save_fit(const char* path, const Density& model, const Notes& notes, const Trainer& trainer, const Buffer& best,
              const Json& fixed, const FitState& state, const FitInfo& info, Extra extra) {
  extra.metadata[kFitKey] = Json{{"fixed", fixed}, {"state", written_state(state, info)}}.dump();
  const ParamStore& params = model.params();
  std::vector<std::string> names;
  for (const ParamSlot& slot : params.slots()) names.push_back(kBest + slot.name);
  for (size_t i = 0; i < names.size() && info.best_step > 0 && !state.best_elsewhere; ++i) {
    const View v = params.view(i);
    const auto offset = static_cast<const char*>(v.data) - static_cast<const char*>(params.data());
    extra.tensors.push_back({names[i],
                             v.dtype == DType::f64 ? TensorType::f64 : TensorType::f32,
                             {params.slots()[i].shape.d, static_cast<size_t>(params.slots()[i].shape.rank)},
                             best.as<char>() + offset});
  }
  AtomicFile file(path);
  write_checkpoint(file, model, notes, trainer, std::move(extra));
  file.commit();
}

SavedFit::SavedFit(const Allocator& allocator, const char* path) {
  try {
    bytes_ = FileBytes::read(allocator, path);
  } catch (const Error& e) {
    if (e.code() == Code::io && e.os_errno() == ENOENT) return;
    throw;
  }
  const SafeTensors file = parse_model(bytes_.bytes());
  const std::string* text = file.metadata(kFitKey);
  if (!text) {
    read_earlier(file.metadata("note.run"), path);
    return;
  }
  json_ = parse_json(*text, kFitKey, Code::format, size_t{16} << 20, 16);
  if (!json_.object() || !member(json_, "fixed").object() || !member(json_, "state").object())
    fail(Code::format, "checkpoint: \"%s\" is damaged", kFitKey);
  exists_ = true;
}

// Takes the state from the note "run" of an earlier `nf train`, which checked settings and rows itself.
void SavedFit::read_earlier(const std::string* note, const char* path) {
  const Json run = note ? parse_json(*note, "note \"run\"", Code::format, size_t{16} << 20, 16) : Json();
  const Json* command = run.find("command");
  if (!run.object() || (command && *command != "train"))
    fail(Code::state, "%.200s is not the checkpoint of a run of nf_fit", path);
  const auto number = [&](const char* key) { return member(run, key).number().value_or(std::nan("")); };
  FitState s;
  FitInfo i;
  i.step = whole(run, "step");
  s.loss_sum = number("loss_sum");
  s.loss_count = whole(run, "loss_count");
  s.stale = whole(run, "stale");
  s.seconds = number("seconds");
  s.validated_at = s.loss_count == 0 ? i.step : 0;
  i.best = s.best_rest = number("best");
  i.best_step = std::isfinite(i.best) ? whole(run, "best_step") : 0;
  s.best_elsewhere = i.best_step > 0;
  i.loss = i.train = i.valid = i.valid_error = std::nan("");
  json_ = {{"fixed", Json::Object()}, {"state", written_state(s, i)}};
  exists_ = true;
}

void SavedFit::check(const Json& fixed, bool new_settings) const {
  const Json& was = member(json_, "fixed");
  if (was.object()->empty()) return;  // an earlier nf train
  Json is = fixed;
  // Only files of runs that mirror images say so.
  if (const Json* batches = was.find("batches"); batches && batches->find("flip") && !is["batches"].find("flip"))
    is["batches"]["flip"] = false;
  if (new_settings && was.find("trainer")) is["trainer"] = *was.find("trainer");
  compare(was, is, "");
}

int64_t SavedFit::max_steps() const {
  const Json* trainer = member(json_, "fixed").find("trainer");
  const Json* steps = trainer ? trainer->find("max_steps") : nullptr;
  return steps ? steps->int64().value_or(0) : 0;
}

void SavedFit::restore(Density& model, Notes& notes, Trainer& trainer, const Buffer& best, FitState& state,
                       FitInfo& info) const {
  const Json& j = member(json_, "state");
  FitState s;
  FitInfo i = info;
  i.step = whole(j, "step");
  i.best_step = whole(j, "best_step");
  s.loss_count = whole(j, "loss_count");
  s.stale = whole(j, "stale");
  s.validated_at = whole(j, "validated_at");
  const bool* improved = member(j, "improved").boolean();
  i.improved = improved && *improved;
  double n[9];
  const std::string* numbers = member(j, "numbers").string();
  if (!numbers || !read_hex_floats(*numbers, n)) fail(Code::format, "checkpoint: \"%s.numbers\" is damaged", kFitKey);
  s.loss_sum = n[0], s.seconds = n[1], i.loss = n[2], i.train = n[3], i.valid = n[4], i.valid_error = n[5],
  i.best = n[6], i.lr = n[7], i.grad_norm = n[8];
  s.best_rest = i.best;
  if (const Json* rest = j.find("rest")) {
    double r[2];
    const Json* bad_row = j.find("bad_row");
    const bool* elsewhere = member(j, "best_elsewhere").boolean();
    if (!rest->string() || !read_hex_floats(*rest->string(), r) || !bad_row || !bad_row->int64() || !elsewhere)
      fail(Code::format, "checkpoint: \"%s\" is damaged", kFitKey);
    i.valid_rest = r[0], s.best_rest = r[1];
    i.bad_rows = static_cast<int64_t>(whole(j, "bad_rows"));
    i.bad_row = *bad_row->int64();
    s.best_bad = static_cast<int64_t>(whole(j, "best_bad"));
    i.diverged_at = whole(j, "diverged_at");
    i.went_back = static_cast<int32_t>(whole(j, "went_back"));
    s.best_elsewhere = *elsewhere;
  }
  const SafeTensors file = parse_model(bytes_.bytes());
  const ParamStore& params = model.params();
  std::vector<const SafeTensors::Entry*> entries;
  for (size_t k = 0; k < params.slots().size() && i.best_step > 0 && !s.best_elsewhere; ++k) {
    const View v = params.view(k);
    const SafeTensors::Entry* e = file.find(kBest + params.slots()[k].name);
    const bool older = !e && params.slots()[k].when_missing;
    if (!older) check_numbers(e, kBest + params.slots()[k].name, v);
    entries.push_back(e);
  }
  read_checkpoint(bytes_.bytes(), model, notes, trainer, i.step);
  for (size_t k = 0; k < entries.size(); ++k) {
    const View v = params.view(k);
    const auto offset = static_cast<const char*>(v.data) - static_cast<const char*>(params.data());
    if (!entries[k])
      with_dtype(v.dtype, [&]<class T>() {
        T* to = static_cast<T*>(static_cast<void*>(best.as<char>() + offset));
        for (const double x : *params.slots()[k].when_missing) *to++ = static_cast<T>(x);
      });
    else if (entries[k]->bytes)
      std::memcpy(best.as<char>() + offset, entries[k]->data, entries[k]->bytes);
  }
  state = s;
  info = i;
}

}  // namespace libnf
