// Turns the options that libnf describes into flags: --clip-norm sets "trainer.clip_norm". A new library option appears
// with its documentation without a change here.
#pragma once
#include <initializer_list>
#include <map>
#include <memory>
#include <nf/nf.hpp>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cli {

// One row of nf::describe_options().
struct OptionDoc {
  std::string key, scope, name;  // "trainer.clip_norm", "trainer", "clip_norm"
  std::string type, fallback, bounds, doc;
  std::vector<std::string> synonyms;  // what other libraries call it
};
const std::vector<OptionDoc>& option_docs();
// The name, without its scope, of the option whose name or synonym is nearest to a word; "" if none is near.
std::string nearest_option(const std::string& word);

// "lr" for "trainer.lr".
std::string name_of(const std::string& key);
// The scope of a key, "trainer" for "trainer.lr"; "" without one.
std::string scope_of(const std::string& key);
// "--clip-norm" for "trainer.clip_norm" or "clip_norm".
std::string flag_of(const std::string& key);
// The keys that a name stands for in some scopes: both seeds for "seed". A key stands for itself, and so does a name that
// none of them has. --threads is the runtime's.
std::vector<std::string> keys_of(const std::string& name, const std::vector<std::string>& scopes);

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
  double number(const std::string& key, double otherwise) const;
  uint64_t integer(const std::string& key, uint64_t otherwise) const;
  const std::map<std::string, std::string>& values() const { return values_; }
  // Those of some scopes, which is what a call of the library takes.
  nf::Options options(std::initializer_list<std::string_view> scopes) const;
  nf::Runtime runtime() const;
  // Those of a scope as a shell reads them, " --missing drop --decimal ,": for the commands that a message proposes.
  std::string as_flags(std::string_view scope) const;

  // Adds to `app` a flag per option of the scopes, except the names in `hidden`, and --option key=value, which also sets
  // those of `more` scopes. A flag sets the options of its name in all of these scopes.
  static std::shared_ptr<Settings> flags(CLI::App& app, const std::vector<std::string>& scopes,
                                         const std::vector<std::string>& hidden = {},
                                         const std::vector<std::string>& more = {});
  // A flag for one option that is not called by its name.
  static CLI::Option* flag(CLI::App& app, const std::shared_ptr<Settings>& settings, const char* flag, const char* key,
                           const char* type, const char* help, const char* group);

 private:
  void set_pair(const std::string& pair, const std::vector<std::string>& scopes);
  std::map<std::string, std::string> values_;
};

}  // namespace cli
