// What `nf train` and `nf fit-target` share about runs that stop and go on: which files a run may write, a checkpoint
// of the same run, options that hold from its first part.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "src/cli/run_state.h"
#include "src/cli/settings.h"
#include "src/cli/text.h"

namespace nf::cli {

// ---- files: a flag and its path, "" when it was not given --------------------------------------
using Named = std::pair<const char*, std::string>;
// Refuses outputs that would overwrite an input or one another, and those whose folder cannot be written.
void check_destinations(const std::vector<Named>& inputs, const std::vector<Named>& outputs);
// Refuses to overwrite a file that is not a model.
void check_replaced(nf_runtime* runtime, const Settings& settings, const std::string& path);
// A new run must not silently destroy an unfinished one: its checkpoint gets another name.
void set_aside(nf_runtime* runtime, const Settings& settings, const std::string& checkpoint, bool speak,
               const Screen& screen);

// ---- going on ----------------------------------------------------------------------------------
// How a run goes on: as it was, or from its best validation, perhaps with other options.
enum class Resume { exact, exact_or_best, best };

struct Checkpoint {
  Model model;
  RunState state;
};
// Failure when the run was of another command.
Checkpoint open_checkpoint(nf_runtime* runtime, const Settings& settings, const std::string& path,
                           const std::string& command);

// Options of the first part hold; those given again must agree.
void adopt_options(Settings& settings, const RunState& state, Resume resume);
void remember_options(const Settings& settings, RunState& state);

// Refuse what is not as it was, and name it.
void check_same_spec(const nf_model* given, const nf_model* trained, const std::string& path);
void check_same(const RunState& state, const std::map<std::string, std::string>& fixed);
[[noreturn]] void differs(const std::string& what, const std::string& was, const std::string& is, Resume resume);

}  // namespace nf::cli
