// See target.h.
#include "src/cli/common/target.h"

#include <cmath>
#include <cstdio>
#include <new>
#include <nlohmann/json.hpp>
#include <random>

#include "src/cli/common/failure.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

Json described() {
  const std::string text = nf::describe_targets();
  if (text.empty()) throw std::bad_alloc();
  return Json::parse(text);
}

bool is_json(const std::string& argument) { return argument.find('{') != std::string::npos; }

constexpr char kColumnsOfTheModel[] = "as many as the model has, --set event=5 or \"event\": 5 in the spec";

// How many columns is no field of a target, whatever one would call it.
void check_no_columns(const std::string& argument, const std::string& field) {
  for (const char* word : {"columns", "column", "event", "dim", "dims", "dimension", "dimensions", "d", "n"})
    if (field == word)
      throw Failure("--target " + argument + ": '" + field + "' is not a field of a target",
                    std::string("a target has ") + kColumnsOfTheModel, kUsage);
}

Json description(const std::string& name) {
  for (const Json& t : described())
    if (t["name"] == name) return t;
  throw Failure("there is no target " + name, "`nf targets` lists them", kUsage);
}
}  // namespace

std::string target_spec(const std::string& argument) {
  if (is_json(argument)) return argument;
  size_t at = argument.find(',');
  if (at == std::string::npos) return argument;
  Json spec = {{"type", argument.substr(0, at)}};
  while (at != std::string::npos) {
    const size_t next = argument.find(',', at + 1);
    const std::string field = argument.substr(at + 1, next == std::string::npos ? next : next - at - 1);
    const size_t equals = field.find('=');
    const Json value = equals == std::string::npos
                           ? Json()
                           : Json::parse(field.substr(equals + 1), nullptr, /*allow_exceptions=*/false);
    if (equals == std::string::npos || value.is_discarded())
      throw Failure("--target " + argument + ": '" + field + "' is not FIELD=NUMBER",
                    "as in --target u1,radius=4,spread=0.8; `nf targets` lists the fields", kUsage);
    const std::string name = field.substr(0, equals);
    check_no_columns(argument, name);
    if (spec.contains(name))
      throw Failure("--target " + argument + ": the field '" + name + "' is given twice", "leave one of them out",
                    kUsage);
    spec[name] = value;
    at = next;
  }
  return spec.dump();
}

nf::Target open_target(const nf::Runtime& runtime, const std::string& argument, int64_t columns) {
  const std::string spec = target_spec(argument);
  return as_usage([&] { return nf::Target(runtime, spec, columns); });
}

int64_t usual_columns(const std::string& argument) {
  const Json spec = is_json(argument) ? Json::parse(argument, nullptr, /*allow_exceptions=*/false) : Json();
  const std::string name = spec.is_object() && spec.contains("type") && spec["type"].is_string()
                               ? spec["type"].get<std::string>()
                               : argument.substr(0, argument.find(','));
  for (const Json& t : described())
    if (t["name"] == name && t["min_columns"] == t["max_columns"]) return t["min_columns"];
  return 2;
}

Json full_target(const std::string& argument) {
  const std::string words = target_spec(argument);
  const Json given = is_json(words) ? Json::parse(words) : Json{{"type", words}};
  Json full = {{"type", given["type"]}};
  const Json target = description(given["type"]);
  for (const Json& f : target["fields"]) {
    const std::string name = f["name"];
    full[name] = given.value(name, f["default"]);
    if (f["default"].is_number_float()) full[name] = full[name].get<double>();  // 4 is 4.0
  }
  return full;
}

namespace {
// Standard normal rows, narrower or wider where the density of the target is 0 at too many of them.
std::vector<double> starts(const nf::Target& target, int64_t columns, int64_t wanted, uint64_t seed) {
  constexpr int64_t kTries = 64;  // per row
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> found;
  for (const double scale : {1.0, 0.1, 0.01, 10.0}) {
    std::vector<double> rows(static_cast<size_t>(wanted * kTries * columns)),
        log_p(static_cast<size_t>(wanted * kTries));
    for (double& v : rows) v = scale * normal(random);
    target.log_density(nf::View(rows, columns), log_p);
    for (int64_t r = 0; r < wanted * kTries; ++r)
      if (std::isfinite(log_p[static_cast<size_t>(r)]))
        found.insert(found.end(), rows.begin() + r * columns, rows.begin() + (r + 1) * columns);
    if (static_cast<int64_t>(found.size()) >= wanted * columns) {
      found.resize(static_cast<size_t>(wanted * columns));
      return found;
    }
  }
  throw Failure("Metropolis samples: the density of the target is 0 at nearly every normal row, whatever its scale");
}
}  // namespace

std::vector<double> walk(const nf::Runtime& runtime, const nf::Target& target, int64_t rows, uint64_t seed) {
  constexpr int64_t kChains = 200;
  const int64_t columns = target.info().event_size, draws = (rows + kChains - 1) / kChains;
  const nf::Options options{
      {"metropolis.step_size", 1.0}, {"metropolis.burn_in", 2000}, {"metropolis.thin", 20}, {"metropolis.seed", seed}};
  std::vector<double> values;
  try {
    values = target.random_walk<double>(runtime, draws, kChains, options);  // from standard normal rows
  } catch (const nf::Exception& e) {
    if (e.status() != NF_ERR_NUMERIC) throw;
    const std::vector<double> from = starts(target, columns, kChains, seed);
    values = target.random_walk<double>(runtime, draws, kChains, options, nf::View(from, columns));
  }
  values.resize(static_cast<size_t>(columns * rows));
  return values;
}

namespace {
std::string shown_log_z(double log_z) {
  return std::isnan(log_z)   ? "not known"
         : std::isinf(log_z) ? "none: the density has no finite integral"
                             : text("%.4f", log_z);
}

double log_z_of(const nf::Runtime& runtime, const std::string& argument) {
  return open_target(runtime, argument, usual_columns(argument)).info().log_z;
}

void add_log_z(Json& j, double log_z) {
  j["log_z"] = std::isfinite(log_z) ? Json(log_z) : Json();
  j["normalizable"] = !std::isinf(log_z);
}

// `set`: the fields as they are, where they are not the defaults.
void print_fields(const Json& described, const Json& set, const Screen& screen) {
  for (const Json& f : described["fields"]) {
    const std::string name = f["name"];
    const std::string is = set.contains(name) && set[name] != f["default"] ? ", here " + shown(set[name]) : "";
    std::printf("  %s%s %s\n", screen.name(text("%-10s", name.c_str())).c_str(), f.value("doc", "").c_str(),
                screen.dim("(" + shown(f["default"]) + ", " + bounds_of(f) + is + ")").c_str());
  }
}

std::string columns_of(const Json& described) {
  const int64_t least = described["min_columns"], most = described["max_columns"];
  return least == most ? std::to_string(least)
                       : "any number from " + std::to_string(least) + ": " + kColumnsOfTheModel + "; 2 without";
}
}  // namespace

int list_targets(bool json) {
  Json all = described();
  const Screen screen(stdout);
  const nf::Runtime runtime = Settings().runtime();
  for (Json& t : all) {
    const std::string name = t["name"];
    const double log_z = log_z_of(runtime, name);
    add_log_z(t, log_z);
    if (json) continue;
    std::printf("%s  %s; log Z = %s\n", screen.bold(name).c_str(), t.value("doc", "").c_str(),
                shown_log_z(log_z).c_str());
    if (const std::string source = t.value("source", ""); !source.empty())
      std::printf("  %s\n", screen.dim(source).c_str());
    print_fields(t, Json::object(), screen);
    std::printf("\n");
  }
  if (json)
    std::printf("%s\n", all.dump(2).c_str());
  else
    std::printf(
        "Set fields with --target NAME,FIELD=NUMBER: nf fit-target SPEC --target u1,radius=4,spread=0.8 -o OUT\n"
        "`nf targets NAME` shows its formula; NAME,FIELD=NUMBER its log Z, too.\n");
  return kOk;
}

int show_target(const std::string& argument, bool json) {
  const nf::Runtime runtime = Settings().runtime();
  const double log_z = log_z_of(runtime, argument);
  const Json full = full_target(argument);
  Json t = description(full["type"]);
  if (json) {
    add_log_z(t, log_z);
    t["target"] = full;
    std::printf("%s\n", t.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  const std::string name = t["name"];
  const auto line = [&](const char* what, const std::string& words) {
    if (!words.empty())
      std::printf("  %s%s\n", screen.dim(text("%-10s", what)).c_str(),
                  wrapped(words, 12, std::max<size_t>(screen.width(), 80)).c_str());
  };
  std::printf("%s  %s\n", screen.bold(name).c_str(), t.value("doc", "").c_str());
  line("log p(x)", t.value("formula", ""));
  line("log Z", shown_log_z(log_z));
  line("columns", columns_of(t));
  line("source", t.value("source", ""));
  std::printf("\nfields\n");
  print_fields(t, full, screen);
  const std::string first = t["fields"][0]["name"];
  const std::string other = argument == name ? name + "," + first + "=" + shown(full[first]) : argument;
  std::printf("\n  nf plot target %s -o %s.png\n  nf fit-target SPEC --target %s -o %s.safetensors\n",
              shell_word(argument).c_str(), name.c_str(), shell_word(other).c_str(), name.c_str());
  return kOk;
}

}  // namespace cli
