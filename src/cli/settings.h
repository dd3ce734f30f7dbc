// Turns the options that libnf describes (nf_options_describe) into flags: --clip-norm sets "clip_norm". A new library
// option appears with its documentation without a change here.
#pragma once
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "src/cli/handle.h"

namespace nf::cli {

// One row of nf_options_describe.
struct OptionDoc {
  std::string key, type, fallback, bounds, doc;
  std::vector<std::string> synonyms;  // names that other libraries have for it
  std::vector<std::string> owners;    // "runtime", "load", "session", "trainer", "table", "batches"
  bool belongs_to(const std::string& owner) const;
};
const std::vector<OptionDoc>& option_docs();
// Returns the key that is nearest to a name or a synonym of it, or "".
std::string nearest_option(const std::string& name);

// Formats a field's value: 0.5, name, [64, 64].
std::string shown(const nlohmann::ordered_json& value);
// Returns "in [0, 10]", "one of adam, sgd", or "".
std::string bounds_of(const nlohmann::ordered_json& field);

// The options the user gave, by key.
class Settings {
 public:
  // Checks the value against the key's type and bounds. Failure names the nearest key if the key is unknown.
  void set(const std::string& key, const std::string& value);
  void drop(const std::string& key) { values_.erase(key); }
  bool has(const std::string& key) const { return values_.count(key) != 0; }
  std::string get(const std::string& key, const std::string& otherwise) const;
  const std::map<std::string, std::string>& values() const { return values_; }
  Options bag() const;
  Runtime runtime() const;

  // Adds to `app` a flag per option of the owners, except the keys in `hidden`, and --option key=value.
  static std::shared_ptr<Settings> flags(CLI::App& app, const std::vector<std::string>& owners,
                                         const std::vector<std::string>& hidden = {});

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace nf::cli
