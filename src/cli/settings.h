// The options that libnf describes (nf_options_describe) as flags of the command: --clip-norm sets "clip_norm". A new
// option of the library appears here, with its documentation, without a change.
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
  std::vector<std::string> owners;  // "runtime", "load", "session", "trainer", "table", "batches"
  bool belongs_to(const std::string& owner) const;
};
const std::vector<OptionDoc>& option_docs();

// A field's value as one word: 0.5, name, [64, 64].
std::string shown(const nlohmann::ordered_json& value);
// "in [0, 10]", "one of adam, sgd", or "".
std::string bounds_of(const nlohmann::ordered_json& field);

// What the user asked for, by key.
class Settings {
 public:
  // Checks the value against the key's type and bounds; says which key was meant when there is none of that name.
  void set(const std::string& key, const std::string& value);
  bool has(const std::string& key) const { return values_.count(key) != 0; }
  std::string get(const std::string& key, const std::string& otherwise) const;
  const std::map<std::string, std::string>& values() const { return values_; }
  Options bag() const;
  Runtime runtime() const;

  // Adds a flag per option of the owners to `app`, except for the keys in `hidden`; and --option key=value.
  static std::shared_ptr<Settings> flags(CLI::App& app, const std::vector<std::string>& owners,
                                         const std::vector<std::string>& hidden = {});

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace nf::cli
