// See resume.h.
#include "src/cli/run/resume.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "src/cli/common/evaluate.h"
#include "src/cli/common/failure.h"
#include "src/cli/common/output.h"

namespace cli {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

bool is_model(const nf::Runtime& runtime, const std::string& path, const Settings& settings) {
  try {
    (void)load_model(runtime, path, settings);
    return true;
  } catch (const Failure&) {
    return false;
  }
}

bool shapes_the_run(const std::string& key) {
  const std::string scope = scope_of(key);
  return scope == "trainer" || scope == "batches";
}

// From the best validation, training options such as the learning rate may change; the data and its order may not.
bool may_change(const std::string& key) { return !scope_of(key).empty() && scope_of(key) != "batches"; }

struct Difference {
  std::string path, was, is;
};

std::string short_form(const Json& j) {
  const std::string words = shown(j);
  return words.size() > 60 ? words.substr(0, 57) + "..." : words;
}

// Finds the first difference of two canonical specs; its path is "" if they are equal.
Difference first_difference(const Json& was, const Json& is, const std::string& path) {
  if (was == is) return {};
  if (was.is_object() && is.is_object()) {
    const auto at = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
    for (const auto& [key, value] : was.items()) {
      if (!is.contains(key)) return {at(key), short_form(value), "absent"};
      if (value != is[key]) return first_difference(value, is[key], at(key));
    }
    for (const auto& [key, value] : is.items())
      if (!was.contains(key)) return {at(key), "absent", short_form(value)};
  }
  const auto is_layers = [](const Json& j) { return j.is_array() && !j.empty() && j[0].is_object(); };
  if (is_layers(was) && is_layers(is)) {
    if (was.size() != is.size())
      return {path, "a list of " + std::to_string(was.size()), "a list of " + std::to_string(is.size())};
    for (size_t i = 0; i < was.size(); ++i)
      if (was[i] != is[i]) return first_difference(was[i], is[i], path + "[" + std::to_string(i) + "]");
  }
  return {path, short_form(was), short_form(is)};
}
}  // namespace

void check_destinations(const std::vector<Named>& inputs, const std::vector<Named>& outputs) {
  std::error_code ignored;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto& [flag, path] = outputs[i];
    if (path.empty() && std::string_view(flag) == "-o") throw Failure("-o: the file name is empty", {}, kUsage);
    if (path.empty()) continue;
    if (!fs::path(path).has_filename() || fs::is_directory(path, ignored))
      throw Failure(std::string(flag) + " " + path + " is a folder", "give the name of a file in it");
    keep_inputs(inputs, {outputs[i]});
    for (size_t k = 0; k < i; ++k)
      if (path == outputs[k].second)
        throw Failure(std::string(outputs[k].first) + " and " + flag + " name the same file", {}, kUsage);
    check_folder(path, flag);
  }
}

void check_replaced(const nf::Runtime& runtime, const Settings& settings, const std::string& path) {
  if (fs::exists(path) && !is_model(runtime, path, settings))
    throw Failure(path + " exists and is not a model", "choose another name, or use --force to overwrite it");
}

void set_aside(const nf::Runtime& runtime, const Settings& settings, const std::string& checkpoint, bool verbose,
               const Screen& screen) {
  if (!fs::exists(checkpoint)) return;
  RunState old;
  try {
    old = read_state(load_model(runtime, checkpoint, settings), checkpoint);
  } catch (const Failure&) {
    return;  // not a checkpoint that can be resumed
  }
  if (old.step >= old.planned) return;
  std::error_code error;
  fs::rename(checkpoint, checkpoint + ".old", error);
  if (!error && verbose)
    std::printf("%s\n", screen
                            .dim("an unfinished run (step " + grouped(static_cast<int64_t>(old.step)) + " of " +
                                 grouped(static_cast<int64_t>(old.planned)) + ") is kept as " + checkpoint + ".old")
                            .c_str());
}

Checkpoint open_checkpoint(const nf::Runtime& runtime, const Settings& settings, const std::string& path,
                           const std::string& command) {
  Checkpoint c{load_model(runtime, path, settings), {}};
  c.state = read_state(c.model, path);
  if (c.state.command != command)
    throw Failure(path + " is the checkpoint of `nf " + c.state.command + "`, not of `nf " + command + "`",
                  "resume with the command that started the run, or start a new run with another -o");
  return c;
}

void differs(const std::string& what, const std::string& was, const std::string& is, Resume resume) {
  const std::string flag = shapes_the_run(what) ? flag_of(what) : what.starts_with("--") ? what : "the change";
  throw Failure("--resume continues the same run, but " + name_of(what) + " is " + is + " and was " + was,
                "drop " + flag + ", or start a new run with another -o" +
                    (resume != Resume::exact && may_change(what)
                         ? "; --resume-best continues from the best validation with other options"
                         : ""));
}

void adopt_options(Settings& settings, const RunState& state, Resume resume) {
  const std::map<std::string, std::string> given = settings.values();
  for (const auto& [key, value] : given) {
    if (!shapes_the_run(key) || (resume == Resume::best && may_change(key))) continue;
    const auto was = state.options.find(key);
    if (was == state.options.end()) differs(key, "not set", value, resume);
    if (was->second != value) differs(key, was->second, value, resume);
  }
  for (const auto& [key, value] : state.options)
    if (!settings.has(key)) settings.set(key, value);
}

void remember_options(const Settings& settings, RunState& state) {
  for (const auto& [key, value] : settings.values())
    if (shapes_the_run(key)) state.options[key] = value;
}

void check_same_spec(const nf::Model& given, const nf::Model& trained, const std::string& path) {
  const std::string is = given.spec(), was = trained.spec();
  if (is == was) return;
  const Difference d = first_difference(Json::parse(was), Json::parse(is), "");
  throw Failure("--resume: the spec differs from that of " + path + ": " + d.path + " is " + d.is + " and was " + d.was,
                "`nf info --spec " + shell_word(path) + "` prints the spec of the run");
}

void check_same(const RunState& state, const std::map<std::string, std::string>& fixed) {
  for (const auto& [flag, value] : fixed)
    if (const auto was = state.fixed.find(flag); was == state.fixed.end() || was->second != value)
      throw Failure("--resume continues the same run, but " + flag + " has changed", "the rows must be the same");
}

}  // namespace cli
