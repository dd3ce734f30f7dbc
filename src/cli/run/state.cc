// See state.h. Doubles read back to the same bits; JSON has no -infinity and NaN, which are null and a string.
#include "src/cli/run/state.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr const char* kNote = "run";

double number(const Json& j) {
  if (j.is_string()) return std::nan("");
  return j.is_number() ? j.get<double>() : -std::numeric_limits<double>::infinity();
}

Json written(double v) { return std::isnan(v) ? Json("nan") : Json(v); }
}  // namespace

void write_state(nf::Model& model, const RunState& s) {
  Json curve = Json::array();
  for (const CurvePoint& p : s.curve) curve.push_back({p.step, written(p.train), written(p.valid), p.lr, p.seconds});
  Json note = {
      {"command", s.command},     {"fixed", s.fixed},       {"options", s.options},       {"step", s.step},
      {"planned", s.planned},     {"loss_sum", s.loss_sum}, {"loss_count", s.loss_count}, {"best", written(s.best)},
      {"best_step", s.best_step}, {"stale", s.stale},       {"seconds", s.seconds},       {"curve", curve}};
  if (s.best_bad > 0) note["best_bad"] = s.best_bad, note["best_rest"] = written(s.best_rest);
  model.set_note(kNote, note.dump());
}

RunState read_state(const nf::Model& model, const std::string& path) {
  if (!model.has_note(kNote))
    throw Failure(path + " is not the checkpoint of a run", "a finished model has no optimizer state to resume from");
  RunState s;
  try {
    const Json j = Json::parse(model.note(kNote));
    s.command = j.value("command", s.command);
    s.fixed = j.at("fixed").get<std::map<std::string, std::string>>();
    for (const auto& [name, value] : j.at("options").items())
      for (const std::string& key : keys_of(name, {"trainer", "batches"})) s.options[key] = value;
    s.step = j.at("step");
    s.planned = j.at("planned");
    s.loss_sum = number(j.at("loss_sum"));
    s.loss_count = j.at("loss_count");
    s.best = number(j.at("best"));
    s.best_step = j.at("best_step");
    s.best_bad = j.value("best_bad", int64_t{0});
    s.best_rest = s.best_bad > 0 ? number(j.at("best_rest")) : s.best;
    s.stale = j.at("stale");
    s.seconds = j.at("seconds");
    for (const Json& p : j.at("curve"))
      s.curve.push_back({p.at(0), number(p.at(1)), number(p.at(2)), number(p.at(3)), number(p.at(4))});
  } catch (const Json::exception&) {
    throw Failure(path + ": its note \"run\" is damaged", "start a new run without --resume");
  }
  return s;
}

namespace {
// `cells` formats the two columns of a point that differ between the commands.
void write_curve(const std::vector<CurvePoint>& curve, const std::string& path, const char* head,
                 const std::function<std::string(const CurvePoint&)>& cells) {
  FILE* file = std::fopen(path.c_str(), "w");
  if (!file) throw Failure("cannot write " + path + ": " + std::strerror(errno));
  std::fprintf(file, "%s\n", head);
  for (const CurvePoint& p : curve)
    std::fprintf(file, "%llu,%s,%s,%.3f\n", static_cast<unsigned long long>(p.step), cells(p).c_str(),
                 plain_number(p.lr).c_str(), p.seconds);
  if (std::fclose(file) != 0) throw Failure("cannot write " + path + ": " + std::strerror(errno));
}
}  // namespace

void write_train_curve(const std::vector<CurvePoint>& curve, const std::string& path) {
  write_curve(curve, path, kTrainCurve, [](const CurvePoint& p) {
    return plain_number(p.train) + "," + (std::isnan(p.valid) ? "" : plain_number(p.valid));
  });
}

void write_fit_curve(const std::vector<CurvePoint>& curve, const std::function<double(const CurvePoint&)>& anneal,
                     const std::string& path) {
  write_curve(curve, path, kFitCurve,
              [&](const CurvePoint& p) { return plain_number(-p.train) + "," + plain_number(anneal(p)); });
}

}  // namespace cli
