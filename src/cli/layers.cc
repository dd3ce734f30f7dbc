// nf layers and nf options: what libnf says about its own layers and options, laid out to be read.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/commands.h"
#include "src/cli/handle.h"
#include "src/cli/settings.h"
#include "src/cli/text.h"

namespace nf::cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr size_t kMaxWidth = 110;

size_t width_of(const Screen& screen) { return std::min(screen.width(), kMaxWidth); }

std::string padded(const std::string& s, size_t width) {
  return s + std::string(width > s.size() ? width - s.size() : 1, ' ');
}

Json described(const char* text) {
  if (!text) throw Failure("out of memory");
  return Json::parse(text);
}

void print_field(const Screen& screen, const std::string& name, const std::string& type, const std::string& fallback,
                 const std::string& bounds, const std::string& doc) {
  std::string facts = type;
  if (!fallback.empty()) facts += ", default " + fallback;
  if (!bounds.empty()) facts += ", " + bounds;
  std::printf("  %s%s\n", screen.name(padded(name, 18)).c_str(), wrapped(doc, 20, width_of(screen)).c_str());
  std::printf("%20s%s\n", "", screen.dim(wrapped(facts, 20, width_of(screen))).c_str());
}

void print_layer(const Screen& screen, const Json& layer) {
  std::printf("%s  %s\n", screen.bold(layer["name"].get<std::string>()).c_str(), layer.value("doc", "").c_str());
  if (const std::string source = layer.value("source", ""); !source.empty())
    std::printf("  %s\n", screen.dim(source).c_str());
  for (const Json& f : layer["fields"])
    print_field(screen, f["name"], f.value("type", ""), f.contains("default") ? shown(f["default"]) : "", bounds_of(f),
                f.value("doc", ""));
  std::printf("\n");
}

int layers(const std::string& name, bool json) {
  const Json all = described(nf_layers_describe());
  Json chosen = {{"layers", Json::array()}, {"bases", Json::array()}};
  std::vector<std::string> names;
  bool found = false;
  for (const char* kind : {"layers", "bases"})
    for (const Json& layer : all[kind]) {
      names.push_back(layer["name"]);
      if (!name.empty() && name != names.back()) continue;
      chosen[kind].push_back(layer);
      found = true;
    }
  names.emplace_back("embedding");
  if (name.empty() || name == names.back()) {
    chosen["embedding"] = all["embedding"];
    found = true;
  }
  if (!found) {
    const std::string near = nearest(name, names);
    throw Failure("no layer or base is called '" + name + "'",
                  near.empty() ? "there are " + join(names, ", ") : "did you mean '" + near + "'?", kUsage);
  }
  if (json) {
    std::printf("%s\n", chosen.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  for (const Json& layer : chosen["layers"]) print_layer(screen, layer);
  if (!chosen["bases"].empty()) std::printf("%s\n\n", screen.dim("Base distributions").c_str());
  for (const Json& base : chosen["bases"]) print_layer(screen, base);
  if (chosen.contains("embedding")) {
    std::printf("%s\n\n", screen.dim("In a spec beside \"context\"").c_str());
    print_layer(screen, chosen["embedding"]);
  }
  if (name.empty())
    std::printf("%s\n",
                wrapped("In a spec a layer is {\"type\": NAME, FIELD: VALUE, ..}; {\"repeat\": K, \"layers\": [..]} "
                        "repeats, \"invert\": true swaps directions.",
                        0, width_of(screen))
                    .c_str());
  return kOk;
}

int options(const std::string& name, bool json) {
  const Json all = described(nf_options_describe());
  if (json && name.empty()) {
    std::printf("%s\n", all.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  std::vector<std::string> names;
  bool found = false;
  for (const Json& o : all) {
    names.push_back(o["name"]);
    if (!name.empty() && name != names.back()) continue;
    found = true;
    if (json) std::printf("%s\n", o.dump(2).c_str());
  }
  if (!found) {
    const std::string near = nearest(name, names);
    throw Failure("no option is called '" + name + "'",
                  near.empty() ? "`nf options` lists them" : "did you mean '" + near + "'?", kUsage);
  }
  if (json) return kOk;
  for (const char* owner : {"trainer", "batches", "session", "metropolis", "table", "runtime", "load"}) {
    bool headed = false;
    for (const OptionDoc& d : option_docs()) {
      if (!d.belongs_to(owner) || (!name.empty() && name != d.key)) continue;
      if (!headed) std::printf("%s\n", screen.bold(owner).c_str());
      headed = true;
      print_field(screen, d.key, d.type, d.fallback, d.bounds, d.doc);
    }
    if (headed) std::printf("\n");
  }
  return kOk;
}
}  // namespace

void add_layers(CLI::App& app, Action& action) {
  struct Args {
    std::string name;
    bool json = false;
  };
  auto a = std::make_shared<Args>();
  CLI::App* cmd = app.add_subcommand("layers", "The layers a spec can use: fields, defaults, bounds");
  cmd->add_option("NAME", a->name, "only this layer");
  cmd->add_flag("--json", a->json, "as JSON");
  cmd->footer("Examples:\n  nf layers\n  nf layers affine_coupling\n  nf layers --json | jq '.layers[].name'");
  cmd->callback([a, &action] { action = [a] { return layers(a->name, a->json); }; });
}

void add_options(CLI::App& app, Action& action) {
  struct Args {
    std::string name;
    bool json = false;
  };
  auto a = std::make_shared<Args>();
  CLI::App* cmd = app.add_subcommand("options", "The options of training, scoring and reading data");
  cmd->add_option("NAME", a->name, "only this option");
  cmd->add_flag("--json", a->json, "as JSON");
  cmd->footer(
      "Each is a flag of the commands it concerns (clip_norm is --clip-norm), and a key of --option.\n\n"
      "Examples:\n  nf options\n  nf options schedule");
  cmd->callback([a, &action] { action = [a] { return options(a->name, a->json); }; });
}

}  // namespace nf::cli
