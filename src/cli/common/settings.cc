// See settings.h.
#include "src/cli/common/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <new>
#include <nlohmann/json.hpp>

#include "src/cli/common/failure.h"
#include "src/cli/common/text.h"

namespace cli {
using Json = nlohmann::ordered_json;
namespace {
// Options that mean something to programs, but not to this command; --option sets them.
constexpr std::string_view kNoFlag[] = {"session.threads", "session.gradients"};

bool has_flag(const OptionDoc& d) {
  return std::find(std::begin(kNoFlag), std::end(kNoFlag), d.key) == std::end(kNoFlag);
}

template <class List, class T>
bool contains(const List& list, const T& value) {
  return std::find(std::begin(list), std::end(list), value) != std::end(list);
}
}  // namespace

std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string out;
  for (const Json& v : value) out += (out.empty() ? "" : ", ") + shown(v);
  return "[" + out + "]";
}

std::string bounds_of(const Json& field) {
  if (field.contains("choices")) {
    const std::string list = shown(field["choices"]);
    return "one of " + list.substr(1, list.size() - 2);
  }
  if (field.contains("min") && field.contains("max"))
    return "in [" + shown(field["min"]) + ", " + shown(field["max"]) + "]";
  return {};
}

const std::vector<OptionDoc>& option_docs() {
  static const std::vector<OptionDoc> docs = [] {
    const std::string described = nf::describe_options();
    if (described.empty()) throw std::bad_alloc();
    std::vector<OptionDoc> out;
    for (const Json& row : Json::parse(described)) {
      OptionDoc d;
      d.key = row.at("name");
      d.scope = row.at("scope");
      d.name = name_of(d.key);
      d.type = row.value("type", "");
      d.doc = row.value("doc", "");
      d.fallback = row.contains("default") ? shown(row["default"]) : "";
      d.bounds = bounds_of(row);
      if (row.contains("synonyms")) d.synonyms = row["synonyms"].get<std::vector<std::string>>();
      out.push_back(std::move(d));
    }
    return out;
  }();
  return docs;
}

std::string nearest_option(const std::string& word) {
  std::vector<std::string> words, names;  // names[i] is the option that words[i] means
  const auto add = [&](const std::string& w, const OptionDoc& d) { words.push_back(w), names.push_back(d.name); };
  for (const OptionDoc& d : option_docs()) {
    add(d.name, d);
    for (const std::string& s : d.synonyms) add(s, d);
  }
  const auto at = std::find(words.begin(), words.end(), nearest(word, words));
  return at == words.end() ? std::string() : names[static_cast<size_t>(at - words.begin())];
}

std::string name_of(const std::string& key) { return key.substr(key.find('.') + 1); }

std::string flag_of(const std::string& key) {
  std::string flag = "--" + name_of(key);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string scope_of(const std::string& key) {
  const size_t dot = key.find('.');
  return dot == std::string::npos ? std::string() : key.substr(0, dot);
}

std::vector<std::string> keys_of(const std::string& name, const std::vector<std::string>& scopes) {
  std::vector<std::string> keys;
  for (const OptionDoc& d : option_docs())
    if (d.name == name && contains(scopes, d.scope) && has_flag(d)) keys.push_back(d.key);
  if (keys.empty()) keys.push_back(name);
  return keys;
}

void Settings::set(const std::string& key, const std::string& value) {
  try {
    nf::Options().parse(key.c_str(), value.c_str());
  } catch (const nf::Exception& e) {
    throw Failure(e.what(), "`nf options` lists every option", kUsage);
  }
  values_[key] = value;
}

std::string Settings::get(const std::string& key, const std::string& otherwise) const {
  const auto found = values_.find(key);
  return found == values_.end() ? otherwise : found->second;
}

double Settings::number(const std::string& key, double otherwise) const {
  return has(key) ? std::stod(get(key, "")) : otherwise;
}

uint64_t Settings::integer(const std::string& key, uint64_t otherwise) const {
  if (!has(key)) return otherwise;
  const std::string value = get(key, "");
  const bool plain = value.find_first_not_of("0123456789") == std::string::npos;  // not 1e6
  return plain ? std::stoull(value) : static_cast<uint64_t>(std::stod(value));
}

nf::Options Settings::options(std::initializer_list<std::string_view> scopes) const {
  nf::Options options;
  for (const auto& [key, value] : values_)
    if (contains(scopes, scope_of(key))) options.parse(key.c_str(), value.c_str());
  return options;
}

std::string Settings::as_flags(std::string_view scope) const {
  std::string out;
  for (const auto& [key, value] : values_)
    if (scope_of(key) == scope) out += " " + flag_of(key) + " " + shell_word(value);
  return out;
}

nf::Runtime Settings::runtime() const {
  const nf_log_fn warn = [](void*, int32_t level, const char* words) {
    if (level > 0) std::fprintf(stderr, "nf: warning: %s\n", words);
  };
  return nf::Runtime(options({"runtime"}), nullptr, nullptr, warn);
}

void Settings::set_pair(const std::string& pair, const std::vector<std::string>& scopes) {
  const size_t equals = pair.find('=');
  if (equals == std::string::npos)
    throw Failure("--option " + pair + ": expected key=value", "`nf options` lists every key", kUsage);
  for (const std::string& key : keys_of(pair.substr(0, equals), scopes)) {
    set(key, pair.substr(equals + 1));
    if (contains(scopes, scope_of(key))) continue;
    throw Failure("--option " + pair + ": this command does not use options of scope \"" + scope_of(key) + "\"",
                  "it has those of " + join(scopes, ", "), kUsage);
  }
}

std::shared_ptr<Settings> Settings::flags(CLI::App& app, const std::vector<std::string>& scopes,
                                          const std::vector<std::string>& hidden,
                                          const std::vector<std::string>& more) {
  auto settings = std::make_shared<Settings>();
  std::vector<std::string> all = scopes;
  all.insert(all.end(), more.begin(), more.end());
  for (const std::string& scope : scopes)
    for (const OptionDoc& d : option_docs()) {
      const std::string flag = flag_of(d.name);
      if (d.scope != scope || !has_flag(d) || contains(hidden, d.name) || app.get_option_no_throw(flag)) continue;
      std::string help = d.doc;
      if (!d.bounds.empty()) help += ", " + d.bounds;
      if (!d.fallback.empty()) help += " (" + d.fallback + ")";
      app.add_option_function<std::string>(
             flag,
             [settings, keys = keys_of(d.name, all)](const std::string& value) {
               for (const std::string& key : keys) settings->set(key, value);
             },
             help)
          ->type_name(d.type)
          ->group("Options of the " + scope);
    }
  app.add_option_function<std::vector<std::string>>(
         "--option",
         [settings, all](const std::vector<std::string>& pairs) {
           for (const std::string& pair : pairs) settings->set_pair(pair, all);
         },
         "set any option of `nf options` by its key, trainer.lr=1e-3, or without the scope")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  return settings;
}

CLI::Option* Settings::flag(CLI::App& app, const std::shared_ptr<Settings>& settings, const char* flag, const char* key,
                            const char* type, const char* help, const char* group) {
  return app
      .add_option_function<std::string>(
          flag, [settings, key](const std::string& value) { settings->set(key, value); }, help)
      ->type_name(type)
      ->group(group);
}

}  // namespace cli
