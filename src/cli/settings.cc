// See settings.h.
#include "src/cli/settings.h"

#include <algorithm>
#include <cstdio>

#include "src/cli/text.h"

namespace nf::cli {
using Json = nlohmann::ordered_json;

std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& v : value) out += (out.empty() ? "" : ", ") + shown(v);
  return "[" + out + "]";
}

std::string bounds_of(const Json& field) {
  for (const char* key : {"choices", "values"})
    if (field.contains(key)) {
      const std::string list = shown(field[key]);
      return "one of " + list.substr(1, list.size() - 2);
    }
  if (field.contains("min") && field.contains("max"))
    return "in [" + shown(field["min"]) + ", " + shown(field["max"]) + "]";
  return {};
}

bool OptionDoc::belongs_to(const std::string& owner) const {
  return std::find(owners.begin(), owners.end(), owner) != owners.end();
}

const std::vector<OptionDoc>& option_docs() {
  static const std::vector<OptionDoc> docs = [] {
    const char* described = nf_options_describe();
    if (!described) throw Failure("out of memory");
    std::vector<OptionDoc> out;
    for (const Json& row : Json::parse(described)) {
      OptionDoc d;
      d.key = row.at("name");
      d.type = row.value("type", "");
      d.doc = row.value("doc", "");
      d.fallback = row.contains("default") ? shown(row["default"]) : "";
      d.bounds = bounds_of(row);
      if (row.contains("synonyms")) d.synonyms = row["synonyms"].get<std::vector<std::string>>();
      d.owners = CLI::detail::split(row.at("for").get<std::string>(), ',');
      for (std::string& owner : d.owners) CLI::detail::trim(owner);
      out.push_back(std::move(d));
    }
    return out;
  }();
  return docs;
}

std::string nearest_option(const std::string& name) {
  std::vector<std::string> names, keys;
  for (const OptionDoc& d : option_docs()) {
    names.push_back(d.key), keys.push_back(d.key);
    for (const std::string& s : d.synonyms) names.push_back(s), keys.push_back(d.key);
  }
  const std::string near = nearest(name, names);
  const auto at = std::find(names.begin(), names.end(), near);
  return at == names.end() ? std::string() : keys[static_cast<size_t>(at - names.begin())];
}

void Settings::set(const std::string& key, const std::string& value) {
  const Options scratch = make<Options>(nf_options_create);
  try {
    call(nf_options_set, scratch.get(), key.c_str(), value.c_str());
  } catch (const LibraryFailure& e) {
    throw Failure(e.what(), "`nf options` lists every option", kUsage);
  }
  values_[key] = value;
}

std::string Settings::get(const std::string& key, const std::string& otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

Options Settings::bag() const {
  Options bag = make<Options>(nf_options_create);
  for (const auto& [key, value] : values_) call(nf_options_set, bag.get(), key.c_str(), value.c_str());
  return bag;
}

Runtime Settings::runtime() const {
  nf_runtime* rt = nullptr;
  nf_error err = NF_ERROR_INIT;
  const Options options = bag();
  const nf_log_fn warn = [](void*, int32_t level, const char* words) {
    if (level > 0) std::fprintf(stderr, "nf: warning: %s\n", words);
  };
  if (const nf_status s = nf_runtime_create(options.get(), nullptr, nullptr, warn, nullptr, &rt, &err); s != NF_OK)
    throw LibraryFailure(s, err);
  return Runtime(rt);
}

std::shared_ptr<Settings> Settings::flags(CLI::App& app, const std::vector<std::string>& owners,
                                          const std::vector<std::string>& hidden) {
  auto settings = std::make_shared<Settings>();
  for (const std::string& owner : owners)
    for (const OptionDoc& d : option_docs()) {
      std::string flag = "--" + d.key;
      std::replace(flag.begin(), flag.end(), '_', '-');
      if (!d.belongs_to(owner) || app.get_option_no_throw(flag)) continue;
      if (std::find(hidden.begin(), hidden.end(), d.key) != hidden.end()) continue;
      std::string help = d.doc;
      if (!d.bounds.empty()) help += ", " + d.bounds;
      if (!d.fallback.empty()) help += " (" + d.fallback + ")";
      app.add_option_function<std::string>(
             flag, [settings, key = d.key](const std::string& value) { settings->set(key, value); }, help)
          ->type_name(d.type)
          ->group("Options of the " + owner);
    }
  app.add_option_function<std::vector<std::string>>(
         "--option",
         [settings](const std::vector<std::string>& pairs) {
           for (const std::string& pair : pairs) {
             const size_t equals = pair.find('=');
             if (equals == std::string::npos)
               throw Failure("--option " + pair + ": expected key=value", "`nf options` lists every key", kUsage);
             settings->set(pair.substr(0, equals), pair.substr(equals + 1));
           }
         },
         "set any option of `nf options` by key")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  return settings;
}

}  // namespace nf::cli
