// nf parts and nf options: what libnf says about its own parts and options, laid out to be read.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/common/commands.h"
#include "src/cli/common/description.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"
#include "src/cli/run/presets.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;
constexpr size_t kMaxWidth = 110;

size_t width_of(const Screen& screen) { return std::min(screen.width(), kMaxWidth); }

std::string padded(const std::string& s, size_t width) {
  return s + std::string(width > s.size() ? width - s.size() : 1, ' ');
}

void print_field(const Screen& screen, size_t indent, const std::string& name, const std::string& type,
                 const std::string& fallback, const std::string& bounds, const std::string& doc) {
  std::string facts = type;
  if (!fallback.empty()) facts += ", default " + fallback;
  if (!bounds.empty()) facts += ", " + bounds;
  const std::string margin(indent, ' '), below(indent + 18, ' ');
  std::printf("%s%s%s\n", margin.c_str(), screen.name(padded(name, 18)).c_str(),
              wrapped(doc, indent + 18, width_of(screen)).c_str());
  std::printf("%s%s\n", below.c_str(), screen.dim(wrapped(facts, indent + 18, width_of(screen))).c_str());
}

// The parts that a field may name: "mlp, residual".
std::string names_in(const std::string& registry) {
  std::vector<std::string> names;
  for (const Json& part : description().at(registry)) names.push_back(part["name"]);
  return join(names, ", ");
}

void print_fields(const Screen& screen, const Json& fields, size_t indent, bool nested);

// A field and, with `nested`, those of the part that it names by default.
void print_field(const Screen& screen, const Json& f, size_t indent, bool nested) {
  const std::string type = f.value("type", ""), name = f["name"], doc = f.value("doc", "");
  const Json fallback = f.value("default", Json());
  if (type == "part") {
    const std::string part = fallback.value("type", ""), registry = f["of"];
    print_field(screen, indent, name, "one of " + registry, part, "of " + names_in(registry), doc);
    if (const Json* kind = nested ? find_part(registry, part) : nullptr) {
      // The defaults here may differ from those of the part elsewhere.
      Json fields = (*kind)["fields"];
      for (Json& inside : fields) inside["default"] = fallback.value(inside["name"].get<std::string>(), Json());
      print_fields(screen, fields, indent + 2, nested);
    }
  } else if (type == "object") {
    print_field(screen, indent, name, f.value("optional", false) ? "object, or left out" : "object", "", "", doc);
    print_fields(screen, f["fields"], indent + 2, nested);
  } else if (type == "chain") {
    print_field(screen, indent, name, "list of layers and chains", "", "", doc);
  } else {
    print_field(screen, indent, name, type, f.contains("default") ? shown(fallback) : "", bounds_of(f), doc);
  }
}

void print_fields(const Screen& screen, const Json& fields, size_t indent, bool nested) {
  for (const Json& f : fields) print_field(screen, f, indent, nested);
}

void print_part(const Screen& screen, const Json& part, bool nested) {
  std::printf("%s  %s\n", screen.bold(part["name"].get<std::string>()).c_str(), part.value("doc", "").c_str());
  for (const char* fact : {"formula", "source"})
    if (const std::string words = part.value(fact, ""); !words.empty())
      std::printf("  %s\n", screen.dim(wrapped(words, 2, width_of(screen))).c_str());
  if (part.value("per_pixel", false))
    std::printf(
        "  %s\n",
        screen
            .dim(wrapped("on [height, width, channels]: acts on the channels of each pixel; \"per_pixel\": false "
                         "is for all columns",
                         2, width_of(screen)))
            .c_str());
  if (const Json others = part.value("aliases", Json::array()); !others.empty())
    std::printf("  %s\n", screen.dim("also read: " + shown(others)).c_str());
  print_fields(screen, part["fields"], 2, nested);
  std::printf("\n");
}

std::string heading_of(const std::string& registry) {
  for (const auto& [word, heading] : {std::pair("layers", "Layers: in \"layers\" of a spec"),
                                      {"nets", "Nets: in \"net\" of layers, bases and the embedding"},
                                      {"bases", "Base distributions: \"base\" of a spec"},
                                      {"targets", "Targets: --target of nf fit-target"},
                                      {"objectives", "Objectives: --objective of nf train and nf fit-target"}})
    if (registry == word) return heading;
  return registry;
}

// What the library suggests for a name of a paper or of another library; "" for other words.
std::string known_as(const std::string& name) {
  for (const Json& spec : {Json{{"event", 2}, {"layers", {{{"type", name}}}}},
                           Json{{"event", 2}, {"layers", Json::array()}, {"base", name}}}) {
    try {
      (void)nf::Model(spec.dump(), 0);
    } catch (const nf::Exception& e) {
      const std::string message = e.what(), question = "did you mean ";
      const size_t at = message.find(question), end = message.rfind('?');
      if (at != std::string::npos && end > at) return message.substr(at + question.size(), end - at - question.size());
    }
  }
  return {};
}

// All parts, those of one registry, or one part: with `name` "spec" or "embedding" what these may hold.
Json chosen_by(const std::string& name) {
  const Json& all = description();
  if (name.empty()) return all;
  Json chosen = Json::object();
  std::vector<std::string> names;
  for (const auto& [key, value] : all.items()) {
    names.push_back(key);
    if (name == key) chosen[key] = value;
    if (!value.is_array()) continue;
    for (const Json& part : value) {
      names.push_back(part["name"]);
      if (find_part(key, name) == &part) chosen[key].push_back(part);
    }
  }
  if (!chosen.empty()) return chosen;
  names.emplace_back("presets");
  std::string meant = known_as(name);
  if (const std::string near = nearest(name, names); meant.empty() && !near.empty()) meant = "'" + near + "'";
  throw Failure("no part is called '" + name + "'",
                meant.empty() ? "there are " + join(names, ", ") : "did you mean " + meant + "?", kUsage);
}

// The models of `nf train NAME`, each with its spec at a few sizes of data if it is the only one.
int list_presets(const std::string& name, bool json) {
  const Screen screen(stdout);
  constexpr DataSize kSizes[] = {{1'000, 6, 0}, {100'000, 6, 0}};
  Json all = Json::array();
  for (const PresetDoc& p : presets()) {
    if (name != "presets" && name != p.name) continue;
    Json specs = Json::array();
    for (const DataSize& size : kSizes)
      specs.push_back(
          {{"rows", size.rows}, {"columns", size.columns}, {"spec", Json::parse(preset_spec(p.name, size))}});
    all.push_back({{"name", p.name}, {"doc", p.doc}, {"specs", specs}});
  }
  if (json) {
    std::printf("%s\n", Json{{"presets", all}}.dump(2).c_str());
    return kOk;
  }
  std::printf("%s\n\n", screen.dim("Presets: nf train NAME --data FILE -o MODEL").c_str());
  for (const Json& p : all) {
    std::printf("%s  %s\n", screen.bold(p["name"].get<std::string>()).c_str(),
                wrapped(p["doc"], p["name"].get<std::string>().size() + 2, width_of(screen)).c_str());
    for (const Json& s : name == "presets" ? Json::array() : p["specs"])
      std::printf(
          "  %s\n  %s\n",
          screen.dim(text("%s x %s:", counted(s["rows"], "row").c_str(), counted(s["columns"], "column").c_str()))
              .c_str(),
          s["spec"].dump().c_str());
    std::printf("\n");
  }
  std::printf("%s\n",
              wrapped("A preset is sized by the rows and columns of the data, and standardizes them. --set changes "
                      "its fields; `nf info --spec MODEL` prints the spec that was trained.",
                      0, width_of(screen))
                  .c_str());
  return kOk;
}

int parts(const std::string& name, bool json) {
  if (name == "presets" || is_preset(name)) return list_presets(name, json);
  Json chosen = chosen_by(name);
  if (json) {
    if (!name.empty())  // both are always there, for readers of older versions
      for (const char* list : {"layers", "bases"})
        if (!chosen.contains(list)) chosen[list] = Json::array();
    std::printf("%s\n", chosen.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  for (const std::string& registry : registries()) {
    if (!chosen.contains(registry)) continue;
    std::printf("%s\n\n", screen.dim(heading_of(registry)).c_str());
    for (const Json& part : chosen[registry]) print_part(screen, part, !name.empty());
  }
  for (const auto& [key, heading] :
       {std::pair("embedding", "In a spec beside \"context\""), std::pair("spec", "A spec")}) {
    if (!chosen.contains(key)) continue;
    std::printf("%s\n\n", screen.dim(heading).c_str());
    Json part = chosen[key];
    part["name"] = key;
    print_part(screen, part, false);
  }
  if (name.empty())
    std::printf("%s\n",
                wrapped("In a spec a layer is {\"type\": NAME, FIELD: VALUE, ..}; {\"repeat\": K, \"layers\": [..]} "
                        "repeats, \"invert\": true swaps directions. `nf parts NAME` shows nested fields, too.",
                        0, width_of(screen))
                    .c_str());
  return kOk;
}

// `name` is a key, or without its scope.
bool chosen(const OptionDoc& d, const std::string& name) { return name.empty() || name == d.key || name == d.name; }

int options(const std::string& name, bool json) {
  const Json all = Json::parse(nf::describe_options());
  if (json && name.empty()) {
    std::printf("%s\n", all.dump(2).c_str());
    return kOk;
  }
  const Screen screen(stdout);
  std::vector<std::string> scopes;
  bool found = false;
  const std::vector<OptionDoc>& docs = option_docs();
  for (size_t i = 0; i < docs.size(); ++i) {
    if (scopes.empty() || scopes.back() != docs[i].scope) scopes.push_back(docs[i].scope);
    if (!chosen(docs[i], name)) continue;
    found = true;
    if (json) std::printf("%s\n", all[i].dump(2).c_str());
  }
  if (!found) {
    const std::string near = nearest_option(name_of(name));
    throw Failure("no option is called '" + name + "'",
                  near.empty() ? "`nf options` lists them" : "did you mean '" + near + "'?", kUsage);
  }
  if (json) return kOk;
  for (const std::string& scope : scopes) {
    bool headed = false;
    for (const OptionDoc& d : docs) {
      if (d.scope != scope || !chosen(d, name)) continue;
      if (!headed) std::printf("%s\n", screen.bold(scope).c_str());
      headed = true;
      print_field(screen, 2, d.key, d.type, d.fallback, d.bounds, d.doc);
    }
    if (headed) std::printf("\n");
  }
  return kOk;
}
}  // namespace

void add_parts(CLI::App& app, Action& action) {
  struct Args {
    std::string name;
    bool json = false;
  };
  auto a = std::make_shared<Args>();
  CLI::App* cmd = app.add_subcommand("parts", "List what specs are made of: layers, nets, bases, targets");
  cmd->alias("layers");
  cmd->add_option("NAME", a->name, "only this part, or these: layers, nets, bases, ..., presets");
  cmd->add_flag("--json", a->json, "print JSON");
  cmd->footer(
      "Examples:\n  nf parts\n  nf parts affine_coupling\n  nf parts nets\n  nf parts presets\n"
      "  nf parts --json | jq '.layers[].name'");
  cmd->callback([a, &action] { action = [a] { return parts(a->name, a->json); }; });
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
      "Each is a flag of the commands it concerns (trainer.clip_norm is --clip-norm), and a key of --option.\n\n"
      "Examples:\n  nf options\n  nf options schedule");
  cmd->callback([a, &action] { action = [a] { return options(a->name, a->json); }; });
}

}  // namespace cli
