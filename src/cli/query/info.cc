// nf info: prints what a model file holds.
#include <cinttypes>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "src/cli/common/commands.h"
#include "src/cli/common/description.h"
#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/settings.h"
#include "src/cli/common/text.h"

namespace cli {
namespace {
using Json = nlohmann::ordered_json;

struct InfoArgs {
  std::string model;
  bool json = false, spec = false, tensors = false;
  std::shared_ptr<Settings> settings;
};

std::string shape_of(const nf::Tensor& t) {
  std::string shape;
  for (const int64_t n : t.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(n);
  return "[" + shape + "]";
}

void add(std::string& list, const std::string& words) {
  if (!words.empty()) list += (list.empty() ? "" : ", ") + words;
}

// "[noise, 2 x [affine_coupling, reverse]]"
std::string types_of(const Json& layers) {
  std::string out;
  for (const Json& layer : layers) {
    const int64_t repeat = layer.value("repeat", int64_t{1});
    add(out, (repeat > 1 ? std::to_string(repeat) + " x " : "") +
                 (layer.contains("type") ? layer["type"].get<std::string>() : types_of(layer["layers"])));
  }
  return "[" + out + "]";
}

// Lists the fields that differ from their defaults, those of nested parts too: "net residual, hidden [128], scale exp".
std::string fields_of(const Json& value, const Json& fields) {
  std::string out;
  for (const Json& f : fields) {
    const std::string key = f["name"];
    if (!value.contains(key) || value[key] == f["default"]) continue;
    if (f["type"] == "chain") {
      add(out, key + " " + types_of(value[key]));
      continue;
    }
    if (f["type"] != "part" || !value[key].is_object()) {
      add(out, key + " " + shown(value[key]));
      continue;
    }
    const std::string part = value[key].value("type", "");
    const Json* kind = find_part(f["of"], part);
    Json inside = kind ? kind->at("fields") : Json::array();
    if (part != f["default"].value("type", ""))
      add(out, key + " " + part);
    else
      for (Json& field : inside) field["default"] = f["default"].value(field["name"].get<std::string>(), Json());
    add(out, fields_of(value[key], inside));
  }
  return out;
}

// Formats a shape: "6 columns", or "28 x 28 x 1, 784 columns".
std::string event_of(const Json& event) {
  std::string shape;
  int64_t columns = 1;
  for (const Json& n : event) {
    shape += (shape.empty() ? "" : " x ") + shown(n);
    columns *= n.get<int64_t>();
  }
  std::string text = counted(columns, "column");
  return event.size() == 1 ? text : shape + ", " + text;
}

std::string fields_of_part(const std::string& registry, const Json& value) {
  const Json* part = find_part(registry, value.value("type", ""));
  return part ? fields_of(value, part->at("fields")) : "";
}

// Formats an object in one line, "steps 4000, best_step 3750", with numbers rounded for reading; --json has the exact
// numbers and the nested parts.
std::string shown_note(const std::string& note) {
  const Json json = Json::parse(note, nullptr, false);
  if (json.is_array() && json.size() > 24) {  // of images, one entry per pixel
    Json first = Json::array();
    for (size_t i = 0; i < 8; ++i) first.push_back(json[i]);
    return shown(first) + " ... " + std::to_string(json.size()) + " in all; --json has them";
  }
  if (json.is_array()) return shown(json);
  if (!json.is_object()) return note;
  std::string out;
  for (const auto& [key, value] : json.items())
    if (value.is_primitive())
      out += (out.empty() ? "" : ", ") + key + " " +
             (value.is_number_float() ? text("%.6g", value.get<double>()) : shown(value));
  return out;
}

std::string base_of(const Json& spec) {
  const Json& base = spec.at("base");
  if (!base.is_object()) return shown(base);
  const std::string fields = fields_of_part("bases", base);
  return base.value("type", "") + (fields.empty() ? "" : ": " + fields);
}

// "3 columns, standardized, embedded as 8: hidden [32]"
std::string context_of(const Json& spec, int64_t columns) {
  std::string text = counted(columns, "column");
  if (spec.contains("prepare_context") && spec["prepare_context"].value("standardize", false)) text += ", standardized";
  if (!spec.contains("embedding")) return text;
  Json embedding = spec["embedding"];
  const std::string width = shown(embedding["out"]);
  embedding.erase("out");
  const std::string fields = fields_of(embedding, description()["embedding"]["fields"]);
  return text + ", embedded as " + width + (fields.empty() ? "" : ": " + fields);
}

std::string hex(uint64_t hash) { return text("%016" PRIx64, hash); }

int64_t trainable_under(const std::vector<nf::Tensor>& tensors, const std::string& prefix) {
  int64_t n = 0;
  for (const nf::Tensor& t : tensors)
    if (t.trainable && t.name.starts_with(prefix)) n += t.size();
  return n;
}

// Prints one line per layer after repeats are expanded, in forward order, numbered as in the tensor names, which start
// with `prefix`. An inverted chain is printed backwards.
void print_layer(const Screen& screen, const Json& layer, bool inverted, const std::vector<nf::Tensor>& tensors,
                 const std::string& prefix, int64_t& index) {
  inverted ^= layer.value("invert", false);
  for (int64_t k = 0, repeat = layer.value("repeat", int64_t{1}); k < repeat; ++k) {
    const auto inside = [&] {
      const Json& layers = layer["layers"];
      for (size_t i = 0; i < layers.size(); ++i)
        print_layer(screen, layers[inverted ? layers.size() - 1 - i : i], inverted, tensors, prefix, index);
    };
    // Layers inside another one (split) follow it, or if inverted precede it.
    if (layer.contains("layers") && (inverted || !layer.contains("type"))) inside();
    if (!layer.contains("type")) continue;
    const std::string name = prefix + "layers." + std::to_string(index++);
    const std::string type = layer.value("type", "") + (inverted ? " (inverted)" : "");
    std::printf("  %-10s %-20s %12s  %s\n", name.c_str(), type.c_str(),
                grouped(trainable_under(tensors, name + ".")).c_str(),
                screen.dim(wrapped(fields_of_part("layers", layer), 47, std::max<size_t>(screen.width(), 80))).c_str());
    if (layer.contains("layers") && !inverted) inside();
  }
}

// "mlp: hidden [512, 256]"
std::string part_words(const std::string& registry, const Json& value) {
  if (!value.is_object()) return shown(value);
  const std::string fields = fields_of_part(registry, value);
  return value.value("type", "") + (fields.empty() ? "" : ": " + fields);
}

// The parts of a variational autoencoder.
void print_vae(const Json& spec, const std::vector<nf::Tensor>& tensors) {
  const auto line = [&](const char* name, const std::string& words) {
    const int64_t n = trainable_under(tensors, std::string(name) + ".");
    std::printf("  %-10s  %s%s\n", name, words.c_str(), n ? (", " + grouped(n) + " parameters").c_str() : "");
  };
  const Json &posterior = spec["posterior"], &prior = spec["prior"];
  line("encoder", part_words("nets", spec["encoder"]));
  const auto features = posterior.value("features", int64_t{0});
  line("posterior", "normal" + (posterior["layers"].empty() ? "" : ", then " + types_of(posterior["layers"])) +
                        (features ? ", which see " + counted(features, "feature") + " of the encoder" : ""));
  const auto pseudo = prior.value("pseudo_inputs", int64_t{0});
  line("prior", pseudo ? "mixture of " + counted(pseudo, "pseudo-input")
                       : part_words("bases", prior["base"]) +
                             (prior["layers"].empty() ? "" : ", behind " + types_of(prior["layers"])));
  line("decoder", part_words("nets", spec["decoder"]));
  line("likelihood", part_words("likelihoods", spec["likelihood"]));
}

void print_json(const nf::Model& model, const nf::ModelInfo& info, const std::vector<nf::Tensor>& tensors) {
  Json notes = Json::object(), list = Json::array();
  for (const std::string& key : model.note_keys()) {
    const Json parsed = Json::parse(model.note(key), nullptr, false);
    notes[key] = parsed.is_discarded() ? Json(model.note(key)) : parsed;
  }
  for (const nf::Tensor& t : tensors)
    list.push_back({{"name", t.name}, {"shape", t.shape}, {"trainable", t.trainable}});
  const Json out = {{"dtype", info.dtype == NF_F64 ? "float64" : "float32"},
                    {"event_size", info.event_size},
                    {"model", description_of(model)},
                    {"context_size", info.context_size},
                    {"layer_count", info.layer_count},
                    {"param_count", info.param_count},
                    {"hash", hex(model.hash())},
                    {"spec", Json::parse(model.spec())},
                    {"notes", notes},
                    {"tensors", list}};
  std::printf("%s\n", out.dump(2).c_str());
}

int info(const InfoArgs& a) {
  const nf::Model model = load_model(a.settings->runtime(), a.model, *a.settings);
  const nf::ModelInfo info = model.info();
  const std::vector<nf::Tensor> tensors = model.tensors();
  const Screen screen(stdout);
  if (a.json) {
    print_json(model, info, tensors);
    return kOk;
  }
  const Json spec = Json::parse(model.spec());
  if (a.spec) {
    std::printf("%s\n", spec.dump(2).c_str());
    return kOk;
  }
  if (a.tensors) {
    for (const nf::Tensor& t : tensors)
      std::printf("%-44s %-14s %12s%s\n", t.name.c_str(), shape_of(t).c_str(), grouped(t.size()).c_str(),
                  t.trainable ? "" : "  buffer");
    return kOk;
  }
  std::printf("%s\n", screen.bold(a.model).c_str());
  const Json described = description_of(model);
  std::printf("  event       %s of %s\n", event_of(described["event"]).c_str(),
              info.dtype == NF_F64 ? "float64" : "float32");
  if (info.context_size) std::printf("  context     %s\n", context_of(spec, info.context_size).c_str());
  const bool vae = described["kind"] == "vae";
  if (vae) {
    std::printf("  latent      %s\n", counted(info.latent_size, "column").c_str());
    print_vae(spec, tensors);
  } else {
    std::printf("  base        %s\n", base_of(spec).c_str());
  }
  if (described["log_prob"] == "bound") std::printf("  log_prob    a lower bound, of draws made while scoring\n");
  const Json& scales = described["scales"];
  for (size_t i = 0; i < scales.size() && scales.size() > 1; ++i)
    std::printf("  %-10s  latent columns from %s: %s%s\n", i == 0 ? "scales" : "",
                shown(scales[i]["first_column"]).c_str(), event_of(scales[i]["event"]).c_str(),
                scales[i]["where"] == "" ? "" : (", of " + scales[i]["where"].get<std::string>()).c_str());
  std::printf("  parameters  %s%s\n", grouped(info.param_count).c_str(),
              vae ? "" : (" in " + counted(info.layer_count, "layer")).c_str());
  std::printf("  hash        %s\n", hex(model.hash()).c_str());
  for (const std::string& key : model.note_keys())
    std::printf("  %-10s  %s\n", key.c_str(),
                wrapped(shown_note(model.note(key)), 14, std::max<size_t>(screen.width(), 80)).c_str());
  std::printf("\n");
  int64_t index = 0;
  if (!vae) {
    print_layer(screen, spec, false, tensors, "", index);
    return kOk;
  }
  for (const char* chain : {"posterior", "prior"})
    print_layer(screen, spec[chain], (index = 0) != 0, tensors, std::string(chain) + ".", index);
  return kOk;
}
}  // namespace

void add_info(CLI::App& app, Action& action) {
  auto a = std::make_shared<InfoArgs>();
  CLI::App* cmd = app.add_subcommand("info", "Show what a model file holds: layers, sizes, hash, notes");
  cmd->add_option("MODEL", a->model, "a model or checkpoint (.safetensors)")->required();
  CLI::Option* json = cmd->add_flag("--json", a->json, "print everything as JSON");
  CLI::Option* spec = cmd->add_flag("--spec", a->spec, "print the canonical spec, with every default written out");
  cmd->add_flag("--tensors", a->tensors, "print names and shapes of the tensors")->excludes(json)->excludes(spec);
  json->excludes(spec);
  a->settings = Settings::flags(*cmd, {"load", "runtime"});
  cmd->footer(
      "Examples:\n"
      "  nf info power.safetensors\n"
      "  nf info power.safetensors --spec > again.json       # train the same architecture again\n"
      "  nf info power.safetensors --json | jq -r .hash      # equal hashes mean equal parameters");
  cmd->callback([a, &action] { action = [a] { return info(*a); }; });
}

}  // namespace cli
