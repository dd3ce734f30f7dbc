// See fit_notes.h.
#include "src/cli/common/fit_notes.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr double kErrors = 5, kRounding = 1e-3, kMostNats = 0.3, kLeastEss = 0.01, kDeviations = 4, kUnlikely = 1e-4;

// Returns NaN if the notes have no such number.
double number(const Json& notes, const char* key) {
  const auto at = notes.find(key);
  return at != notes.end() && at->is_number() ? at->get<double>() : std::nan("");
}
}  // namespace

Json fit_notes(const nf::Model& model) {
  const Json json = Json::parse(model.note("training"), nullptr, /*allow_exceptions=*/false);
  return json.is_object() && json.contains("target") && json.contains("reverse_kl") ? json : Json();
}

std::string missed_target(const Json& notes) {
  const double known = number(notes, "known_log_z"), found = number(notes, "log_z");
  const double error = number(notes, "log_z_error"), kl = number(notes, "above_best");
  const double ess = number(notes, "ess_fraction");
  std::string out;
  const auto add = [&](const std::string& words) { out += (out.empty() ? "" : ", ") + words; };
  if (std::abs(found - known) > kErrors * error + kRounding)
    add(text("log Z is %.4f +- %.4f instead of %.4f", found, error, known));
  if (const auto rows = notes.find("rows"); rows != notes.end() && rows->is_object()) {
    if (number(*rows, "deviation") > kDeviations)
      add(text("rows of the target put log Z %.1f standard errors higher", number(*rows, "deviation")));
    else if (number(*rows, "outside_p") < kUnlikely)
      add(text("%.2g %% of the rows of the target lie where the model has next to no samples",
               100 * number(*rows, "outside")));
  }
  if (kl > kMostNats) add(text("the reverse KL is %.3g nats", kl));
  if (ess < kLeastEss) add(text("%.2g %% of the samples are effective", 100 * ess));
  return out;
}

}  // namespace cli
